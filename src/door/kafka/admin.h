/* door/kafka/admin: what the administrative handlers share.
 *
 * Making a topic, changing it, taking records away: each waits for the disk, so these run on the
 * door's worker thread, one at a time, and never hold up a connection's loop.
 */
#pragma once
#include "coord/groups.h"
#include "door/kafka/kafka_int.h"

enum { ADMIN_ITEMS_MAX = 10000 }; /* of one request */

/* The answer to one item of a request: Kafka's code, and words when there are any (NULL when not).
 * The words live in the call's arena. */
struct admin_answer {
    int16_t code;
    struct slice message;
};
struct admin_answer admin_answer(struct call *c, err_t e, const struct diag *d);

/* call_work, when there was room for the answer's items (`at`); else the refusal. */
void admin_work(struct call *c, const void *at, kafka_handler *fn);

/* Where a setting's value comes from, and what it is, in the protocol's numbers. */
enum config_source { SOURCE_TOPIC = 1, SOURCE_BROKER = 4, SOURCE_DEFAULT = 5 };
enum config_type {
    TYPE_BOOLEAN = 1,
    TYPE_STRING = 2,
    TYPE_INT = 3,
    TYPE_LONG = 5,
    TYPE_DOUBLE = 6,
    TYPE_LIST = 7
};
