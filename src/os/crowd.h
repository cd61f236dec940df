/* os/crowd: how many connections there are, in all and from one address. Listeners of several loops
 * share one.
 *
 * Loop: any thread (one lock inside). Memory: 24 bytes an address that is here, times two at most.
 * Limit: `most` connections, `most_each` of one address (an IPv6 network of 64 bits counts as one).
 */
#pragma once
#include "base/mem.h"

struct crowd;
struct sockaddr_storage;
struct crowd_options {
    uint32_t most, most_each; /* 0: no limit */
};
MUST_CHECK err_t crowd_new(const struct crowd_options *o, struct crowd **out, struct diag *d);
void crowd_free(struct crowd *c); /* NULL is fine; nobody is inside any more */

struct crowd_address { /* what a connection is counted under */
    uint8_t at[16];
};
struct crowd_address crowd_address_of(const struct sockaddr_storage *from);
/* Is there room for one more? Then it is inside, until crowd_leave. */
bool crowd_enter(struct crowd *c, struct crowd_address a);
void crowd_leave(struct crowd *c, struct crowd_address a);
uint32_t crowd_count(struct crowd *c);
