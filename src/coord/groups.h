/* coord/groups: consumer groups (Kafka's classic protocol): members, generations, assignments that
 * the leader makes, committed offsets. See coord.h for how requests travel.
 */
#pragma once
#include "coord/coord.h"

/* DELTA fills this in: one struct a request, each beginning with struct coord_request. */

/* A topic was deleted: its committed offsets go too. Any thread; nothing is answered. */
void groups_topic_gone(struct coord *c, struct slice topic);
