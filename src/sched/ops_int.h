/* ops, from inside: what its files share. */
#pragma once
#include "sched/graph.h"
#include "sched/ops.h"

enum { OPS_TRIES = 8, OPS_RUNS_MAX = 1 << 17 };

/* One transaction; the body is run anew when somebody was faster. Tells other processes. */
MUST_CHECK err_t ops_transact(struct ops *o,
                              err_t (*body)(struct ops *o, void *ctx, struct diag *d), void *ctx,
                              struct diag *d);
/* Held; ERR_NOT_FOUND in Airflow's words. */
MUST_CHECK err_t ops_dag(struct ops *o, struct slice dag_id, const struct dag **out,
                         struct diag *d);
/* Locks a run's row against the engine and others, by changing it. */
MUST_CHECK err_t ops_run_lock(struct ops *o, int64_t run, struct diag *d);
/* Clears one: what runs is restarted when its work has ended. */
MUST_CHECK err_t ops_clear_one(struct ops *o, const struct dag *g, const struct task_row *t,
                               struct diag *d);
MUST_CHECK err_t ops_mark_one(struct ops *o, const struct task_row *t, enum task_state state,
                              struct diag *d);
MUST_CHECK err_t ops_run_requeue(struct ops *o, const struct run_row *r, struct diag *d);
struct run_rows {
    struct arena *arena;
    struct run_row *at;
    uint32_t count, cap;
};
MUST_CHECK err_t run_rows_take(void *ctx, const struct meta_row *row);
/* conf against the dag's params, as Airflow's ParamsDict.validate. ERR_USAGE says which does not
 * fit. */
MUST_CHECK err_t params_check(const struct dag *g, const struct doc *conf, struct diag *d);
