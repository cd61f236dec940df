/* door/place: where a door to clients that stay connected listens, and for how many: what the
 * options of all such doors have in common (shards.h). */
#pragma once
#include "base/base.h"

struct tls;
struct door_counts { /* what a door's clients have asked for, of all of its ports */
    uint64_t requests, errors;
};
struct door_place {
    const char *address;
    int32_t port, tls_port; /* -1: none; 0: any free one */
    struct tls *tls;
    int loops;                      /* 0: one a processor, four at most */
    uint32_t conns_max;             /* 0: 20,000 */
    uint32_t conns_per_address_max; /* 0: no limit of its own */
};
