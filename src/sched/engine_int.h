/* engine, from inside: what its files share. engine.c turns, engine_load.c reads runs in,
 * engine_step.c decides, engine_claim.c picks what may run, engine_order.c makes its order,
 * engine_answer.c takes its end, engine_make.c makes and starts runs, engine_dags.c keeps dags. */
#pragma once
#include "base/hash.h"
#include "os/thread.h"
#include "sched/engine.h"
#include "sched/graph.h"
#include "sched/mapping.h"
#include "sched/rows.h"
#include "sched/things.h"

enum {
    ENGINE_DAGS_MAX = 1 << 17,
    ENGINE_RUNS_MAX = 1 << 17,
    ENGINE_TIMERS_MAX = 1 << 22,
    ENGINE_BATCH = 512, /* answers in one transaction */
    ORDER_BYTES_MAX = 64 << 20,
    RESULT_BYTES_MAX = XCOM_VALUE_MAX /* of one task's return_value */
};

struct engine_dag {
    struct slice id;           /* the map's own */
    const struct dag *dag;     /* held; NULL: known from the database only */
    const struct dag *pending; /* what engine_dags_end makes it */
    uint64_t hash, place_hash; /* as the database has it */
    struct dag_plan *plan;     /* made when a run is first loaded */
    bool paused, seen, counts_tasks /* one of them has max_active_tis_per_dag */;
    bool gone; /* its file is: what runs goes on, nothing new is made */
    bool full; /* at max_active_runs: the next run is made when one has ended */
    int64_t version, dag_version;
    int64_t next_logical, next_start, next_end, next_run_after; /* TIME_NONE: none */
    uint32_t due_at;                   /* place + 1 in engine.due; 0: not in it */
    uint32_t going_on, going_on_round; /* instances active in all its runs, as last counted */
    struct vec past;                   /* struct waiter: instances that wait for an earlier run */
    struct data_watch *watch;          /* engine_watch.c's; NULL: not looked yet */
};

struct order { /* what the workshop has; the work_order comes first */
    struct work_order work;
    struct arena *arena;
    struct order *next, *before; /* of all */
    struct order *next_answered;
    const struct dag *dag;     /* held; NULL: known from the database only */
    const struct dag *pending; /* what engine_dags_end makes it */
    uint64_t hash, place_hash; /* as the database has it */
    uint32_t place;            /* of its instance, in the graph as it is loaded now */
    bool wanted;               /* its instance waits for this answer */
    bool fresh;                /* made in this transaction: started when it is durable */
    bool stopping, timed_out, failed_before, adopting, fail_for_good, started;
    bool ending;               /* its answer is being applied */
    int64_t stop_at_mono;      /* INT64_MAX: never */
    struct work_answer answer; /* copied into the arena */
    struct slice result_json;
    bool answered;
};

struct run {
    struct run_row row;
    struct arena *arena;
    struct engine_dag *of;
    struct graph graph;
    struct slice context; /* JSON: the run's part of what templates see */
    struct run_past {     /* of the last success before it; TIME_NONE: there is none */
        int64_t interval_start, interval_end, started_at, ended_at;
    } past;
    uint32_t generation; /* of this loading: older timers and waiters mean nothing */
    bool touched;        /* compared and set in this transaction */
    bool dirty;          /* stands in engine.dirty */
    bool stale;          /* the database says otherwise: read it anew */
    bool ended;          /* in this transaction */
    bool loaded;         /* in this transaction, for the first time */
    bool seen;
    int64_t timeout_at_mono, deadline_at_mono; /* INT64_MAX: none */
};

struct waiter {
    int64_t run;
    uint32_t generation, place;
};
enum timer_kind { TIMER_INSTANCE, TIMER_RUN, TIMER_ORDER, TIMER_DEADLINE };
struct timer {
    int64_t at_mono;
    struct waiter who;
    enum timer_kind kind;
    uint32_t count; /* the instance's count of timers: an older one means nothing */
};
struct ready { /* may run when there is room */
    int64_t weight, logical, run;
    uint32_t generation, place;
    int32_t map_index;
};
struct lane { /* of what shares its limits */
    struct engine_dag *of;
    struct slice pool;
    int32_t slots, task; /* -1: any task without a limit of its own */
    struct vec heap;     /* struct ready */
    bool listed, told;   /* told: that its pool never has room */
};
struct pool_use {
    struct slice name;
    int64_t slots, used;
};
struct dag_undo {
    struct engine_dag *of;
    int64_t next_logical, next_start, next_end, next_run_after;
    bool full;
};
struct other_scheduler { /* whether it lives is seen by its beats, on a clock that never steps */
    char name[128];
    int64_t heartbeat, seen_mono;
    bool seen;
};
struct new_run {
    enum run_type type;
    int64_t logical, start, end;
    const char *by;
};
struct call { /* a callback that is handed out when durable */
    int64_t id;
    struct slice what, context;
};

enum ended_kind {
    ENDED_TASK_WELL,
    ENDED_TASK_FAILED,
    ENDED_RUN_WELL,
    ENDED_RUN_FAILED,
    ENDED_KINDS
};
struct engine {
    struct engine_options o;
    struct meta *meta;
    struct map *runs;                             /* by id's 8 bytes -> struct run */
    struct map *dags;                             /* by id -> struct engine_dag */
    struct gate gate;                             /* dags' list and answers: any thread */
    struct order *answered_first, *answered_last; /* in the gate */
    struct vec called_back;                       /* int64_t ids, in the gate */
    bool woken;                                   /* in the gate */
    struct order *orders;
    struct vec dirty;      /* struct run *: something of them is to be decided */
    struct vec touched;    /* struct run *: in this transaction */
    struct vec fresh;      /* struct order *: to be started after it */
    struct vec scheduled;  /* struct waiter: made ready in it, not yet written */
    struct vec calls;      /* struct call, in `scratch` */
    struct vec promote;    /* struct engine_dag *: queued runs may start */
    struct vec timers;     /* a heap of struct timer */
    struct vec due;        /* a heap of struct engine_dag *, by next_run_after */
    struct map *lanes;     /* by its key -> struct lane */
    struct vec open_lanes; /* struct lane *: with something in them */
    struct vec pools;      /* struct pool_use, as last read */
    struct mask *masking;  /* of the order that is being made */
    struct arena *scratch; /* of a transaction */
    struct arena *pool_names;
    struct rng rng;
    uint32_t generations, rounds, orders_out, orders_ending /* of this transaction */;
    int64_t now, mono; /* of this turn */
    int64_t job, next_beat_mono, next_look_mono, next_sweep_mono, next_queued_at, retry_at_mono,
        last_wall, last_event;
    struct vec others;      /* struct other_scheduler */
    struct vec by_data;     /* struct engine_dag *: something they wait for has changed */
    struct vec watching;    /* struct engine_dag *: whose data is looked at itself */
    struct vec undo;        /* struct dag_undo: dags as they were before this transaction */
    struct order *applying; /* answers of this transaction */
    int64_t next_full_mono;
    bool watch_anew /* watching is to be listed again */;
    bool must_look, must_sweep, must_recompute, reput, whole_dags, inside, try_claim, beaten;
    int trouble; /* failures in a row of the database */
    struct engine_figures figures;
    int64_t decided[ENDED_KINDS]; /* by this transaction: counted when it is committed */
};

/* A failure of the database or of memory, not of what a person wrote: the transaction goes back. */
static inline bool engine_failed(err_t err)
{
    return err == ERR_BUSY || err == ERR_OFFLINE || err == ERR_IO || err == ERR_DISK_FULL ||
           err == ERR_TIMEOUT || err == ERR_CORRUPT || err == ERR_NO_MEMORY || err == ERR_FENCED;
}
/* --- engine.c */
struct run *engine_run(const struct engine *e, int64_t id);
void engine_dirty(struct engine *e, struct run *r);
/* Compares and sets, once a transaction; ERR_FENCED: somebody else has changed or taken it. */
MUST_CHECK err_t engine_touch(struct engine *e, struct run *r, struct diag *d);
void engine_timer(struct engine *e, const struct timer *t);
void engine_instance_timer(struct engine *e, struct run *r, uint32_t place, int64_t at_mono);
void engine_past_consider(struct engine *e, struct engine_dag *of); /* who waits for earlier runs */
void engine_promote_later(struct engine *e, struct engine_dag *of);
MUST_CHECK err_t engine_event(struct engine *e, const char *event, const struct run *r,
                              const struct instance *i, struct slice extra, struct diag *d);
/* Rows of callbacks for this time, handed out when durable. */
struct call_why {
    const char *reason;     /* one word, as Airflow's for runs: task_failure, timed_out, … */
    struct slice exception; /* what went wrong, in words; none: nothing */
};
MUST_CHECK err_t engine_call_back(struct engine *e, struct run *r, const struct instance *i,
                                  const struct callbacks *c, enum callback_when when,
                                  const struct call_why *why, struct diag *d);
void engine_committed(struct engine *e);
void engine_undone(struct engine *e);
/* --- engine_look.c */
MUST_CHECK err_t engine_look(struct engine *e, struct diag *d);
/* --- engine_open.c */
MUST_CHECK err_t engine_job_start(struct engine *e, struct diag *d);
/* --- engine_load.c */
MUST_CHECK err_t engine_load(struct engine *e, const struct run_row *row, struct diag *d);
MUST_CHECK err_t engine_reload(struct engine *e, int64_t id, struct diag *d);
void engine_forget(struct engine *e, struct run *r); /* memory only */
MUST_CHECK err_t engine_add_instance(struct engine *e, struct run *r, uint32_t task,
                                     int32_t map_index, uint32_t *place, struct diag *d);
/* --- engine_step.c */
MUST_CHECK err_t engine_settle(struct engine *e, struct run *r, struct diag *d);
MUST_CHECK err_t engine_move(struct engine *e, struct run *r, uint32_t place, enum task_state to,
                             const char *why, struct diag *d);
MUST_CHECK err_t engine_run_times_out(struct engine *e, struct run *r, struct diag *d);
MUST_CHECK err_t engine_run_deadline(struct engine *e, struct run *r, struct diag *d);
/* --- engine_map.c */
MUST_CHECK err_t engine_mapping(struct engine *e, struct run *r, uint32_t task, struct arena *a,
                                struct mapping *out, struct diag *d);
/* true in *expanded: instances were made, moved or removed, look at todo again. */
MUST_CHECK err_t engine_expand(struct engine *e, struct run *r, uint32_t place, bool *expanded,
                               struct diag *d);
/* --- engine_claim.c */
MUST_CHECK err_t engine_ready(struct engine *e, struct run *r, uint32_t place, struct diag *d);
MUST_CHECK err_t engine_claim(struct engine *e, struct diag *d);
void engine_lanes_free(struct engine *e);
/* --- engine_order.c */
MUST_CHECK err_t engine_order_make(struct engine *e, struct run *r, uint32_t place,
                                   struct order **out, struct diag *d);
MUST_CHECK err_t engine_order_claim(struct engine *e, struct run *r, uint32_t place,
                                    struct order *o, struct diag *d); /* its rows */
void engine_order_start(struct engine *e, struct order *o);
/* why: of a constant, for the try's log. */
void engine_order_stop(struct engine *e, struct order *o, const char *why);
void engine_order_free(struct engine *e, struct order *o);
bool engine_order_out(const struct engine *e, int64_t run, const struct dag_task *t,
                      int32_t map_index); /* an older try is still ending */
void engine_log_path(const struct engine *e, const struct run *r, const struct dag_task *t,
                     int32_t map_index, int32_t try_number, struct buf *out);
/* --- engine_answer.c */
MUST_CHECK err_t engine_apply(struct engine *e, struct order *o, struct diag *d);
/* --- engine_make.c */
MUST_CHECK err_t engine_make_due(struct engine *e, struct diag *d);
/* *run is its number, or 0 when there is one at that date already. */
MUST_CHECK err_t engine_make_run(struct engine *e, struct engine_dag *of, const struct new_run *n,
                                 int64_t *run, struct diag *d);
/* --- engine_watch.c */
/* Looks where tables and topics stand; what has moved becomes an event. */
MUST_CHECK err_t engine_watch(struct engine *e, struct diag *d);
/* It is looked at, and there: what a task says of it is seen already. */
bool engine_watch_sees(const struct engine *e, const struct data_name *n);
/* A run after its data has to wait: the last one was made just now, or the data still moves. */
bool engine_watch_holds(const struct engine *e, const struct engine_dag *of);
/* When the last one was made, as the database has it. */
MUST_CHECK err_t engine_watch_last(struct engine *e, struct engine_dag *of, struct diag *d);
/* In the transaction that makes a run, before it and behind it; and what became of that. */
void engine_watch_making(struct engine *e, struct engine_dag *of);
MUST_CHECK err_t engine_watch_made(struct engine *e, struct engine_dag *of, struct diag *d);
void engine_watch_done(struct engine *e, struct engine_dag *of, bool durable);
void engine_watch_drop(struct engine_dag *of);
/* --- engine_data.c */
struct data_queued {  /* what has changed since a dag's last run */
    bool *met;        /* of each of its schedule's `after` */
    struct vec names; /* struct data_name: the changes that it means */
    uint32_t met_count;
    int64_t first, last;
    bool enough;
};
typedef err_t engine_dag_write(struct engine *e, struct engine_dag *of, void *ctx, struct diag *d);
/* One transaction for all of engine.by_data. */
MUST_CHECK err_t engine_by_data_write(struct engine *e, engine_dag_write *write, void *ctx,
                                      struct diag *d);
/* In scratch memory; its names are vec_done by the caller. */
MUST_CHECK err_t engine_data_queued(struct engine *e, const struct engine_dag *of,
                                    struct data_queued *out, struct diag *d);
MUST_CHECK err_t engine_make_by_data(struct engine *e, struct diag *d);
/* What a dag waits for and changes is known from now on. */
MUST_CHECK err_t engine_data_declare(struct engine *e, const struct dag *g, struct diag *d);
MUST_CHECK err_t engine_outlets(struct engine *e, const struct run *r, const struct instance *i,
                                struct diag *d);
/* --- engine_make.c, on */
MUST_CHECK err_t engine_runs_unfinished(struct engine *e, const struct engine_dag *of,
                                        int64_t *count, struct diag *d);
MUST_CHECK err_t engine_promote_all(struct engine *e, struct diag *d);
/* When its next run is due, from the newest of schedule's; written. */
MUST_CHECK err_t engine_next(struct engine *e, struct engine_dag *of, struct diag *d);
MUST_CHECK err_t engine_run_is_over(struct engine *e, struct run *r, struct diag *d);
/* --- engine_dags.c */
struct engine_dag *engine_dag_find(struct engine *e, struct slice id);
void engine_dag_undo(struct engine *e, struct engine_dag *of); /* before it is changed */
void engine_due_set(struct engine *e, struct engine_dag *of);
MUST_CHECK err_t engine_dags_look(struct engine *e, struct diag *d);
MUST_CHECK err_t engine_dags_load(struct engine *e, struct diag *d);
MUST_CHECK err_t engine_dags_reput(struct engine *e, struct diag *d);
MUST_CHECK err_t engine_dag_read(struct engine *e, struct engine_dag *of, bool lock, bool *found,
                                 struct diag *d);
void engine_dags_free(struct engine *e);
/* --- engine_context.c */
MUST_CHECK err_t engine_context(struct engine *e, struct run *r, const struct instance *i,
                                struct arena *a, struct doc *out, struct diag *d);
MUST_CHECK err_t engine_render(struct engine *e, struct run *r, const struct instance *i,
                               const struct doc *options, const struct doc *context,
                               struct arena *a, struct doc *out, struct diag *d);
/* --- engine_render.c */
/* What a task gave under this key: of a mapped one the list of its instances'. */
MUST_CHECK err_t engine_result(struct engine *e, int64_t run, struct slice task_id,
                               struct slice key, const int64_t *map_index, struct arena *a,
                               struct doc *out, struct diag *d);
