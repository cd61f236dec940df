/* coord/txns: producer ids, transactional ids, their epochs, and the two phases by which a
 * transaction ends in all its partitions. See coord.h for how requests travel.
 */
#pragma once
#include "coord/coord.h"

/* EPSILON fills this in: one struct a request, each beginning with struct coord_request. */
