/* workshop: carries out the engine's orders. Commands run under the keeper and outlive this
 * process; the others run on threads of its own, a sensor's look and a long call alike; what takes
 * no time is done at once. Each order is answered once.
 *
 * Loop: the engine's, but for the threads. Memory: an arena an order. Limit: threads_max threads,
 * and what waits for one is bounded by the engine's parallelism; log_max bytes of a command's
 * output in its log. User code never runs inside this process.
 */
#pragma once
#include "sched/sched.h"

struct workshop_options {
    const char *keeper_dir; /* where the keeper is (os/keeper.h); NULL: commands are refused */
    uint64_t log_max;       /* bytes of a try's output in its log; 0: 8 MiB */
    int32_t threads_max;    /* 0: as many as the engine's parallelism, 64 at most */
    const char *const *environment; /* "SLUICE_…=…" for commands, NULL-terminated; NULL: none */
    int64_t grace_ms;               /* from SIGTERM to SIGKILL; 0: 5 s */
};
/* sched_options.workshop: `ctx` is a struct workshop_options that outlives the sched. */
MUST_CHECK err_t workshop_open(void *ctx, const struct sched_options *o, struct sched *s,
                               struct loop *l, struct workshop_port *out, struct diag *d);
