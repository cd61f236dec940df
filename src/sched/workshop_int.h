/* workshop, from inside: what its files share. workshop.c takes orders and answers them,
 * workshop_thread.c has the threads, workshop_process.c the commands, work_options.c reads what a
 * task was given, sensor.c says what a look means, kind_*.c do it, callback.c tells others. */
#pragma once
#include "base/vec.h"
#include "os/keeper.h"
#include "os/thread.h"
#include "sched/workshop.h"

#include <stdatomic.h>

struct worker { /* one thread */
    struct workshop *w;
    struct thread thread;
    struct meta *meta; /* its own connection, opened when first asked for */
    struct worker *next;
};
struct chore { /* something for a thread */
    void (*run)(struct chore *j, struct worker *t);
    struct chore *next;
};
enum work_way { WAY_AT_ONCE, WAY_THREAD, WAY_PROCESS };

struct process { /* of keeper_order */
    const char **argv;
    struct vec environment; /* char *, in the work's arena */
    const char *directory;
    struct slice input;
};
struct work { /* an order that is being carried out: until the engine knows the answer */
    struct workshop *w;
    struct work_order *order;
    const struct kind_work *how;
    struct arena *arena;
    struct work *next, *before;
    struct chore job;
    struct loop_message message; /* from a thread to the loop: look again, later */
    struct loop_timer *timer;    /* the next look, of a sensor that keeps its slot */
    int64_t again_ms;
    atomic_bool stop;
    bool resting; /* between two looks; the loop's */
    /* a command's */
    struct slice id;
    bool in_keeper, ended, unsure; /* unsure: the keeper has not said yet what it knows */
};
struct kind_work {
    enum work_way way;
    bool again; /* after a restart it is simply done anew: nothing comes of it twice */
    /* At once or on a thread (`t` is NULL at once). The answer begins as a success; an error is a
     * failure with that story. */
    err_t (*run)(struct work *k, struct worker *t, struct work_answer *out, struct diag *d);
    err_t (*process)(struct work *k, struct process *p, struct diag *d);
};
const struct kind_work *kind_work_of(enum task_kind_id id);

struct workshop {
    struct workshop_options o;
    struct sched *sched;
    struct sched_options so; /* texts are the caller's, as long as the sched */
    struct loop *loop;
    struct keeper *keeper;
    bool keeper_known, keeper_gone;
    struct map *by_order; /* the order's address -> struct work */
    struct map *by_id;    /* struct work, of commands */
    struct map *found;    /* struct found: what the keeper has and nobody has asked for yet */
    struct work *works;
    struct call *calls;        /* in the gate */
    struct loop_timer *sweep;  /* ends what nobody asked for */
    struct loop_timer *rejoin; /* while there is no keeper: looks for another one */
    struct loop_timer *upkeep;
    char *path, *home, *lang, *tz, *logs;
    /* threads */
    struct gate gate;
    struct chore *first, *last;
    struct worker *workers;
    int32_t worker_count, idle;
    bool closing;
    bool expiring; /* in the gate: old logs are being removed */
};

int64_t workshop_now(const struct workshop *w);
/* --- workshop.c */
/* The end of what was started; the work may be gone when this returns. Any thread, once. */
void work_done(struct work *k, err_t err, struct work_answer *a, struct diag *d);
void work_say(struct work *k, const char *level, const char *fmt, ...) PRINTF_LIKE(3, 4);
bool work_stopped(void *work); /* port's stop */
/* What answers and messages borrow until work_done. */
struct slice work_printf(struct work *k, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* --- workshop_thread.c */
MUST_CHECK err_t workshop_chore(struct workshop *w, struct chore *j, struct diag *d);
void workshop_join(struct workshop *w); /* none runs afterwards */
MUST_CHECK err_t worker_meta(struct worker *t, struct meta **out, struct diag *d);
/* --- workshop_process.c */
MUST_CHECK err_t processes_open(struct workshop *w, struct diag *d);
void processes_close(struct workshop *w);
MUST_CHECK err_t process_start(struct work *k, struct diag *d);
bool process_adopt(struct work *k); /* false: nothing is known of it */
void process_stop(struct work *k);
void process_forget(struct work *k);
/* --- work_options.c: NULL and {0} when it was not given and has no default */
const struct doc *work_option(const struct work *k, const char *name);
struct slice work_text(struct work *k, const char *name); /* as str() */
MUST_CHECK err_t work_span(struct work *k, const char *name, int64_t *us /* -1: none */,
                           struct diag *d);
MUST_CHECK err_t work_int(struct work *k, const char *name, int64_t *out /* -1: none */,
                          struct diag *d);
MUST_CHECK err_t work_bool(struct work *k, const char *name, bool *out, struct diag *d);
MUST_CHECK err_t work_bound(struct work *k, const char *name, struct bound *out, bool *given,
                            struct diag *d);
/* A text, or a list of them; also the text of a list: "['a', 'b']". */
MUST_CHECK err_t work_texts(struct work *k, const char *name, struct slice **out, uint32_t *count,
                            struct diag *d);
struct slice doc_str(const struct doc *v, struct arena *a); /* Python's str(); {0}: no memory */
const struct doc *work_context(const struct work *k, const char *path); /* "dag_run.run_id" */
/* A moment of the context; false: none. */
bool work_moment(const struct work *k, const char *path, int64_t *us);
/* A path that is not absolute begins at the project's folder. */
const char *work_path(struct work *k, struct slice path);
/* --- sensor.c: what a look that has found (a->outcome) means now */
MUST_CHECK err_t sensor_decide(struct work *k, err_t found, struct work_answer *a, bool *rest,
                               struct diag *d);
/* --- kind_*.c */
#define KIND_RUN(name)                                                                             \
    MUST_CHECK err_t name(struct work *k, struct worker *t, struct work_answer *out, struct diag *d)
KIND_RUN(kind_empty);
KIND_RUN(kind_branch);
KIND_RUN(kind_short_circuit);
KIND_RUN(kind_wait);
KIND_RUN(kind_time_sensor);
KIND_RUN(kind_file_sensor);
KIND_RUN(kind_run);
KIND_RUN(kind_service);
KIND_RUN(kind_submit);
KIND_RUN(kind_produce);
KIND_RUN(kind_lag_sensor);
KIND_RUN(kind_rows_sensor);
KIND_RUN(kind_sql);
KIND_RUN(kind_sql_sensor);
KIND_RUN(kind_http);
KIND_RUN(kind_http_sensor);
KIND_RUN(kind_trigger_dag);
KIND_RUN(kind_dag_sensor);
MUST_CHECK err_t kind_bash(struct work *k, struct process *p, struct diag *d);
MUST_CHECK err_t kind_exec(struct work *k, struct process *p, struct diag *d);
MUST_CHECK err_t kind_python(struct work *k, struct process *p, struct diag *d);
/* The rows of one statement, as a list of lists. */
MUST_CHECK err_t work_sql(struct work *k, struct worker *t, struct slice text, uint32_t rows_max,
                          struct doc *rows, struct diag *d);
bool sql_is_true(const struct doc *value);
/* --- callback.c */
/* Was it a callback's command? */
bool call_ended(struct workshop *w, const struct keeper_end *end);
void calls_lost(struct workshop *w); /* their commands were, with the keeper: tried again */
void calls_close(struct workshop *w);
void workshop_call_back(void *ctx, int64_t id, const struct doc *what, const struct doc *context);
