/* crew: a door's worker threads. Jobs wait in one line, a worker carries each out, and its end is
 * told on the loop that it came from. So that what may block holds up no loop.
 *
 * Loop: jobs are handed in on any thread and end on `loop`. Memory: the jobs' own. Limit: so many
 * wait as the options say; one more is refused.
 */
#pragma once
#include "os/loop.h"

enum { CREW_WORKERS_MAX = 16 };
struct crew;
struct crew_job { /* in the caller's memory, which stays until done */
    void (*run)(struct crew_job *j, void **own); /* on a worker; *own is that worker's to keep */
    void (*done)(struct crew_job *j);            /* on the loop */
    struct crew_job *next;
    struct loop_message message;
};
struct crew_options {
    const char *name; /* of the threads */
    struct loop *loop;
    uint32_t workers, waiting_max;
    void (*leave)(void *own); /* at a worker's end; NULL: nothing was kept */
};
MUST_CHECK err_t crew_open(const struct crew_options *o, struct crew **out, struct diag *d);
bool crew_give(struct crew *w, struct crew_job *j); /* false: too many wait, or it ends */
/* Carries out what waits and ends the threads. NULL is fine. What is done by then is told by the
 * loop, if that still runs. */
void crew_close(struct crew *w);
