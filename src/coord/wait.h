/* coord/wait: a request to the coordinators that is waited for: by workers and commands, never by a
 * loop. Between begin and end the request is sent:
 *     struct coord_waiting w;
 *     coord_wait_begin(&w, &r.head, arena);
 *     group_list(c, &r);
 *     err_t e = coord_wait_end(&w, &r.head, d);
 */
#pragma once
#include "coord/coord.h"
#include "os/thread.h"

struct coord_waiting {
    struct gate gate;
    bool over;
};
void coord_wait_begin(struct coord_waiting *w, struct coord_request *r, struct arena *a);
/* The request's own answer; its story goes to `d`. */
MUST_CHECK err_t coord_wait_end(struct coord_waiting *w, struct coord_request *r, struct diag *d);
