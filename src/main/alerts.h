/* alerts: what the room alert needs of the rest of the house: figures of streams, sources, the
 * disk, dags, /metrics and SQL; HTTP and mail.
 *
 * Loop: alert's own threads; everything asked here is for any thread.
 */
#pragma once
#include "alert/alert.h"
#include "os/thread.h"

#include <stdatomic.h>

struct server;
struct meta;
struct alerts {
    struct server *server;
    _Atomic(struct alert *) alert; /* NULL: not yet, or no more */
    struct gate gate;              /* guards meta: the judge and the teller both ask */
    struct meta *meta;             /* opened when it is first needed */
};
MUST_CHECK err_t alerts_open(struct server *s, struct alerts *a, struct diag *d);
void alerts_close(struct alerts *a); /* before the world */
