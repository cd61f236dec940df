/* watch: whether something of the workflows has changed since the last look, told by a few numbers
 * of the database, so that who shows them asks for the rest only then: rows' versions count
 * changes, and who did something left an event.
 *
 * Never tells what has changed but which runs. Loop: the connection's. Memory: the caller's. Limit:
 * WATCH_RUNS_MAX runs of a dag.
 */
#pragma once
#include "sched/meta.h"

enum { WATCH_RUNS_MAX = 320 };
/* A number that differs when dags, runs that go on, import errors, events or changed data do. */
MUST_CHECK err_t watch_all(struct meta *m, uint64_t *digest, struct diag *d);
struct watch_run {       /* a run that goes on, is new, or was touched lately */
    struct slice run_id; /* borrowed until the next */
    int64_t version;
};
/* The same of one dag; each run of it that may have changed. */
MUST_CHECK err_t watch_dag(struct meta *m, struct slice dag_id,
                           err_t (*each)(void *ctx, const struct watch_run *run), void *ctx,
                           uint64_t *digest, struct diag *d);
MUST_CHECK err_t watch_run(struct meta *m, struct slice dag_id, struct slice run_id,
                           uint64_t *digest, struct diag *d);
struct watch_try { /* which one */
    struct slice dag_id, run_id, task_id;
    int64_t map_index, number;
};
/* Where its log lies (NULL: nowhere yet), and whether it has ended. */
MUST_CHECK err_t watch_log(struct meta *m, const struct watch_try *t, struct arena *a,
                           const char **path, bool *over, struct diag *d);
