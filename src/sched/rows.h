/* rows: a run and a task instance as they stand in the database, whole.
 *
 * Loop: the connection's. Memory: the caller's arena. Limit: META_ROWS_MAX rows an answer. Times
 * are microseconds UTC; TIME_NONE where the database has NULL.
 */
#pragma once
#include "sched/meta.h"
#include "sched/state.h"

struct run_row {
    int64_t id;
    struct slice dag_id, run_id;
    enum run_type type;
    enum run_state state;
    int64_t logical, interval_start, interval_end, run_after, queued_at, started_at, ended_at,
        last_decision;
    struct slice conf /* JSON */, note, triggered_by, triggering_user, owner;
    int64_t backfill_id /* 0: none */, dag_version, clear_number, token, version;
    bool external; /* made by a person, a program or another dag */
};
/* `tasks test` makes a run of one task and deletes it again: what stands before the task does not
 * count, and nobody is told of the run. */
static inline bool run_is_test(const struct run_row *r)
{
    return slice_starts(r->run_id, RUN_TEST_PREFIX);
}
struct task_row {
    int64_t run;
    struct slice dag_id, run_id, task_id, uuid;
    int32_t map_index, try_number, max_tries;
    enum task_state state;
    int64_t scheduled_at, queued_at, started_at, ended_at, not_before, logical, token, version,
        pid /* 0: none */;
    struct slice kind /* Airflow's operator word */, pool, work, host, note, rendered, message,
        map_label;
    int32_t slots, weight;
};
struct task_rows {
    struct task_row *at;
    uint32_t count, cap;
};

struct dag_task;
struct rng;
struct task_new { /* an instance that is not there yet */
    int64_t run;
    const struct dag_task *task;
    int32_t map_index;
    enum task_state state;
    int32_t max_tries;
    int64_t dag_version;
};
MUST_CHECK err_t task_row_insert(struct meta *m, const struct task_new *n, int64_t now_us,
                                 struct rng *rng /* for its uuid */, struct diag *d);
MUST_CHECK err_t task_rows_add(struct task_rows *rows, struct arena *a, const struct task_row *row);
/* ERR_NOT_FOUND, in Airflow's words, when there is none such. */
MUST_CHECK err_t run_row_find(struct meta *m, struct slice dag_id, struct slice run_id,
                              struct arena *a, struct run_row *out, struct diag *d);
MUST_CHECK err_t run_row_get(struct meta *m, int64_t id, struct arena *a, struct run_row *out,
                             struct diag *d);
MUST_CHECK err_t task_row_find(struct meta *m, struct slice dag_id, struct slice run_id,
                               struct slice task_id, int32_t map_index, struct arena *a,
                               struct task_row *out, struct diag *d);
/* Every instance of a run, by task and map index. */
MUST_CHECK err_t task_rows_of_run(struct meta *m, int64_t run, struct arena *a,
                                  struct task_rows *out, struct diag *d);
/* Of a row of SELECT RUN_COLUMNS or TASK_COLUMNS (rows.c), copied. */
MUST_CHECK err_t run_row_read(const struct meta_row *row, struct arena *a, struct run_row *out);
MUST_CHECK err_t task_row_read(const struct meta_row *row, struct arena *a, struct task_row *out);
/* A dag's runs, the newest first; each lives until the next. */
MUST_CHECK err_t runs_newest(struct meta *m, struct slice dag_id, int64_t most, struct arena *a,
                             err_t (*each)(void *ctx, const struct run_row *run), void *ctx,
                             struct diag *d);
/* Of each dag that is there, by id: how its last run that has ended did. */
MUST_CHECK err_t runs_last_ended(struct meta *m,
                                 err_t (*each)(void *ctx, struct slice dag_id,
                                               enum run_state state),
                                 void *ctx, struct diag *d);
struct task_summary {     /* a task's instances of one state */
    struct slice task_id; /* borrowed until the next */
    enum task_state state;
    int64_t count, started_at, ended_at; /* the first, the last; TIME_NONE */
    bool has_note, is_mapped;
};
/* Of a run, by task. */
MUST_CHECK err_t task_summaries(struct meta *m, int64_t run,
                                err_t (*each)(void *ctx, const struct task_summary *t), void *ctx,
                                struct diag *d);
