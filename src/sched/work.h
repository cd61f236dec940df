/* work: what a task's try does. The engine gives an order, the workshop carries it out (a child
 * process under the keeper, a call on a thread, a look now and then) and answers once, on the
 * engine's loop.
 *
 * Loop: the engine's; slow calls run on the workshop's own threads. Memory: an arena an order.
 * Limit: workshop_options. User code never runs inside this process.
 */
#pragma once
#include "os/loop.h"
#include "sched/dag.h"

struct work_key {
    int64_t run;
    struct slice dag_id, run_id, task_id;
    int32_t map_index, try_number;
    int64_t token;
};
struct work_order { /* lives until the answer */
    struct work_key key;
    const struct dag *dag;
    const struct dag_task *task;
    const struct doc *options; /* rendered: no templates left */
    const struct doc
        *context; /* what templates saw: dag_run, params, ds, logical_date, data_interval_start … */
    int64_t deadline_us;      /* by execution_timeout; INT64_MAX: none */
    int64_t first_started_us; /* of a sensor: its first look of this try chain */
    struct slice
        state; /* of a sensor or service: what it said with the last WORK_AGAIN; {0} at first */
    struct mask *mask;    /* secrets that its templates saw: its log shows "***" instead */
    const char *log_path; /* its lines go here, live */
    const char *stop_why; /* set before it is asked to end */
};
enum work_outcome {
    WORK_SUCCESS,
    WORK_FAILED,
    WORK_FAILED_FOR_GOOD /* no retry */,
    WORK_SKIPPED,
    WORK_AGAIN,   /* a sensor: look again at `again_us` (up_for_reschedule) */
    WORK_STOPPED, /* by work_stop or the timeout */
    WORK_LOST     /* nobody knows how it ended: the process was killed and its child with it */
};
struct work_answer {
    enum work_outcome outcome;
    const struct doc *result; /* return_value; NULL: none */
    const struct slice *branches;
    uint32_t branch_count;
    bool branching;     /* a branch: the tasks (or groups) to follow; short circuit: none */
    bool ignores_rules; /* a short circuit that skips all below */
    int64_t again_us;
    struct slice state, message; /* why, in a line */
    int exit_code;
};
/* What the engine asks of whoever carries out its orders. All on the engine's thread. */
struct workshop_port {
    void *ctx;
    /* The order is its until it answers, once, by sched_answer; an error: the try has failed with
     * that story. */
    err_t (*start)(void *ctx, struct work_order *o, struct diag *d);
    /* After a restart: this try's work goes on, or its end is known: it will answer. false: nobody
     * knows how it ended, and nothing of it is alive. */
    bool (*adopt)(void *ctx, struct work_order *o);
    void (*stop)(void *ctx, struct work_order *o); /* asked to end; it still answers */
    /* The answer is durable, or nobody wants it: the order is gone when this returns. NULL is fine.
     */
    void (*known)(void *ctx, struct work_order *o);
    /* Carries out one callback, later; sched_called_back(id) when done or given up. NULL: none can
     * be, and they wait in the database. */
    void (*call_back)(void *ctx, int64_t id, const struct doc *what, const struct doc *context);
    /* Nothing answers any more when this returns; orders may still become known. NULL is fine. */
    void (*close)(void *ctx);
    void (*free)(void *ctx); /* last; NULL is fine */
};
struct work_quota {
    struct slice quota, name; /* name: who asks, for people */
    const void *who;          /* the same for all its asking; not looked into */
    int64_t count;
};
/* What tasks need of the rest of the house; main fills it, tests fake it. Blocking, on a workshop's
 * thread, unless said. */
struct work_port {
    void *ctx;
    bool (*stopping)(void *ctx,
                     const struct work_order *o); /* asked by long calls through the order */
    /* run: a source for `for_us` or until `count` records are in its topic; rows as they come go to
     * `said`. */
    err_t (*run_source)(void *ctx, struct slice source, int64_t for_us, int64_t count,
                        bool (*stop)(void *), void *stop_ctx, uint64_t *records, struct diag *d);
    bool (*shares_quota)(void *ctx, struct slice source, struct slice quota);
    /* What a task's own requests take of an API's quota. Until there is room, or `stop` says so;
     * without a stop at once: *wait_ms 0: taken, otherwise how long there is none. */
    err_t (*quota_take)(void *ctx, const struct work_quota *ask, bool (*stop)(void *),
                        void *stop_ctx, int64_t *wait_ms, struct diag *d);
    /* service, submit: is the stream there and running (starts or resumes it), its lag and state
     * now. */
    err_t (*stream_ensure)(void *ctx, struct slice stream, struct diag *d);
    err_t (*stream_look)(void *ctx, struct slice stream, const char **state, uint64_t *lag,
                         char *trouble, size_t trouble_size, struct diag *d);
    /* sql: rows as documents (at most rows_max are kept), with what was said. */
    err_t (*sql)(void *ctx, struct slice text, struct slice keyspace, uint32_t rows_max,
                 bool (*stop)(void *), void *stop_ctx, struct arena *a, struct doc *rows,
                 struct buf *notes, struct diag *d);
    err_t (*produce)(void *ctx, struct slice topic,
                     const struct doc *records /* {key, value, headers} */, uint64_t *count,
                     struct diag *d);
    err_t (*topic_lag)(void *ctx, struct slice topic, struct slice group, uint64_t *lag,
                       uint64_t *records, struct diag *d);
    /* Where a table's rows or a topic's records stand. Any thread, at once. NULL: schedules after
     * them hear of tasks' outlets and events alone. */
    struct data_place (*data_at)(void *ctx, const struct data_name *n);
    err_t (*http)(void *ctx, const struct doc *request /* method, url, headers, body, timeout, … */,
                  bool (*stop)(void *), void *stop_ctx, struct arena *a, int *status,
                  struct slice *body, struct diag *d);
    err_t (*mail)(void *ctx, const struct doc *letter, struct diag *d);
};
