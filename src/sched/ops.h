/* ops: what people, doors and commands do to workflows: pause, trigger, mark, clear, delete, note,
 * backfill, tell that data has changed, wait. Each is one transaction with compare-and-set, writes
 * who did what as an event, and leaves the rest to the engine (sched_wake it afterwards; it looks
 * by itself too). Works without a server: the database is the way in.
 *
 * Loop: the connection's thread. Memory: answers live in the caller's arena. Limit: META_ROWS_MAX
 * task instances an operation. Errors are Airflow's: ERR_NOT_FOUND (404), ERR_EXISTS (409),
 * ERR_USAGE (400), and ERR_BUSY after several lost races.
 */
#pragma once
#include "sched/rows.h"
#include "sched/things.h"

struct dag;
struct ops {
    struct meta *meta;
    int64_t now_us; /* set before each call: time is given */
    /* The dag as it is now, held (dag_give is called on it); NULL: none such. In the server
     * sched_dag; a command reads the files. */
    const struct dag *(*dag)(void *ctx, struct slice id);
    /* All of them, held, as sched_dags: for what data that changed starts. NULL: none is started.
     */
    uint32_t (*dags)(void *ctx, const struct dag **out, uint32_t max);
    void *ctx;
    struct slice user; /* who asks, for the events; {0}: not known */
    const char *via;   /* triggered_by: "rest_api", "cli", "ui", "operator", "test" … */
    uint64_t seed;     /* of uuids; given */
};

/* --- dags ------------------------------------------------------------------------------------ */
MUST_CHECK err_t ops_dag_pause(struct ops *o, struct slice dag_id, bool paused,
                               bool *changed /* NULL is fine */, struct diag *d);
/* Its runs, tasks, results and the dag's row; comes back, without history, while its file is there.
 * ERR_EXISTS (409) while something of it runs. */
MUST_CHECK err_t ops_dag_delete(struct ops *o, struct slice dag_id, struct diag *d);

/* --- runs ------------------------------------------------------------------------------------ */
struct ops_trigger {
    struct slice dag_id, run_id /* {0}: made as Airflow's */, conf /* JSON; {0}: none */, note;
    int64_t logical; /* TIME_NONE: now (no_logical: really none, as Airflow 3) */
    int64_t interval_start, interval_end; /* TIME_NONE: by the schedule */
    int64_t run_after;                    /* TIME_NONE: now */
    bool no_logical;
    struct slice only; /* a task: `tasks test`'s run of it alone; the others stand as success */
};
/* ERR_NOT_FOUND: no such dag; ERR_EXISTS: that run id or logical date; ERR_USAGE: conf does not fit
 * the params' schemas, or the dag has import errors. */
MUST_CHECK err_t ops_trigger(struct ops *o, const struct ops_trigger *t, struct arena *a,
                             struct run_row *out, struct diag *d);
/* success, failed or queued, as Airflow marks: works that run are stopped, teardowns still run.
 * `touched` (NULL is fine): task instances that change; dry: only told. */
MUST_CHECK err_t ops_run_mark(struct ops *o, struct slice dag_id, struct slice run_id,
                              enum run_state state, bool dry, struct arena *a,
                              struct task_rows *touched, struct run_row *out, struct diag *d);
MUST_CHECK err_t ops_run_clear(struct ops *o, struct slice dag_id, struct slice run_id,
                               bool only_failed, bool dry, struct arena *a,
                               struct task_rows *touched, struct run_row *out, struct diag *d);
MUST_CHECK err_t ops_run_delete(struct ops *o, struct slice dag_id, struct slice run_id,
                                struct diag *d);
MUST_CHECK err_t ops_run_note(struct ops *o, struct slice dag_id, struct slice run_id,
                              struct slice note, struct diag *d);
/* Until it has ended, or `pause` (which waits a moment, by the caller's clock) answers false. */
MUST_CHECK err_t ops_run_wait(struct ops *o, struct slice dag_id, struct slice run_id,
                              bool (*pause)(void *ctx), void *ctx, struct arena *a,
                              struct run_row *out, struct diag *d);

/* --- task instances -------------------------------------------------------------------------- */
struct ops_task { /* a task, or one of its mapped instances */
    struct slice id;
    int32_t map_index; /* OPS_ALL_MAPPED: every one */
};
#define OPS_ALL_MAPPED INT32_MIN
struct ops_clear {
    struct slice dag_id, run_id; /* {0}: of every run between start and end */
    int64_t start, end;          /* logical dates, both included; TIME_NONE: open */
    const struct ops_task *tasks;
    uint32_t task_count;  /* 0: all */
    struct slice pattern; /* instead of tasks: a regular expression found in their ids */
    bool downstream, upstream, past, future, only_failed, only_running, keep_runs /* reset_dag_runs
                                                                                     = false */
        ,
        recursive /* include_parentdag, include_subdags: dags that wait for a cleared task */, dry;
};
MUST_CHECK err_t ops_tasks_clear(struct ops *o, const struct ops_clear *c, struct arena *a,
                                 struct task_rows *cleared, struct diag *d);
struct ops_mark {
    struct slice dag_id, run_id;
    struct ops_task task;
    enum task_state state; /* success, failed, skipped */
    bool upstream, downstream, past, future, dry;
};
/* Also clears what stands failed or upstream_failed below it, as Airflow does. */
MUST_CHECK err_t ops_task_mark(struct ops *o, const struct ops_mark *m, struct arena *a,
                               struct task_rows *touched, struct diag *d);
MUST_CHECK err_t ops_task_note(struct ops *o, struct slice dag_id, struct slice run_id,
                               struct slice task_id, int32_t map_index, struct slice note,
                               struct diag *d);
/* With its tries and results: ERR_NOT_FOUND. A run that goes on makes it anew; what runs there is
 * stopped and runs again, with its tries kept. */
MUST_CHECK err_t ops_task_delete(struct ops *o, struct slice dag_id, struct slice run_id,
                                 const struct ops_task *t, struct diag *d);

/* --- backfills ------------------------------------------------------------------------------- */
enum backfill_reprocess { REPROCESS_NONE, REPROCESS_FAILED, REPROCESS_COMPLETED };
struct ops_backfill {
    struct slice dag_id, conf;
    int64_t from, to;        /* logical dates, both included */
    int32_t max_active_runs; /* 0: 10, as Airflow's */
    enum backfill_reprocess reprocess;
    bool backwards;
};
struct backfill_row {
    int64_t id, from, to, created, completed, updated;
    struct slice dag_id, conf;
    bool paused, backwards;
    enum backfill_reprocess reprocess;
    int32_t max_active_runs;
};
struct backfill_dates { /* what it makes: a dry run's answer */
    int64_t *logical;
    uint32_t count;
};
/* ERR_EXISTS: the dag has one that is not completed; ERR_USAGE: no schedule, from after to. The
 * runs are made at once, queued. */
MUST_CHECK err_t ops_backfill_create(struct ops *o, const struct ops_backfill *b, struct arena *a,
                                     struct backfill_row *out, struct diag *d);
MUST_CHECK err_t ops_backfill_dry(struct ops *o, const struct ops_backfill *b, struct arena *a,
                                  struct backfill_dates *out, struct diag *d);
MUST_CHECK err_t ops_backfill_pause(struct ops *o, int64_t id, bool paused, struct arena *a,
                                    struct backfill_row *out, struct diag *d);
/* Its queued runs fail, those that run go on. */
MUST_CHECK err_t ops_backfill_cancel(struct ops *o, int64_t id, struct arena *a,
                                     struct backfill_row *out, struct diag *d);
MUST_CHECK err_t ops_backfill_find(struct ops *o, int64_t id, struct arena *a,
                                   struct backfill_row *out, struct diag *d);
const char *backfill_reprocess_name(enum backfill_reprocess r); /* none, failed, completed */
bool backfill_reprocess_parse(struct slice text, enum backfill_reprocess *out);

/* --- data that changed ----------------------------------------------------------------------- */
/* Dags whose schedule waits for it are told; *event: its id. */
MUST_CHECK err_t ops_data_changed(struct ops *o, const struct asset_change *c, int64_t *event,
                                  struct diag *d);
/* --- events ---------------------------------------------------------------------------------- */
struct ops_event {
    const char *event;
    struct slice dag_id, run_id, task_id, extra;
    int32_t map_index, try_number;
    int64_t logical;
};
/* Inside the caller's transaction, or alone. */
MUST_CHECK err_t ops_event_put(struct ops *o, const struct ops_event *e, struct diag *d);
