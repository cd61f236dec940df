/* engine: moves runs on. Makes them by schedule and by data that changed, starts queued ones under
 * their limits, decides what each end of a task means, claims what may run under pools and
 * limits, and gives it to the workshop. Whatever it decides stands in one transaction of the
 * database, fenced by the run's owner, token and version; memory is a cache of it, thrown away
 * whenever a transaction fails.
 *
 * Loop: one thread turns it; engine_answer and engine_wake come from any. Memory: a graph a running
 * run, an arena an order. Limit: engine_options. Time is given, twice: the wall's, for schedules
 * and what people read, and one that never steps, for delays and leases.
 */
#pragma once
#include "sched/meta.h"
#include "sched/work.h"

struct engine;
struct engine_options {
    struct meta *meta;    /* its own connection, migrated; borrowed */
    const char *identity; /* of this scheduler over restarts: what it owned is its own again */
    const char *host;
    int64_t pid;
    const char *logs_dir;
    struct workshop_port workshop;
    int64_t (*wall_us)(void *ctx);
    int64_t (*mono_us)(void *ctx);
    void *clock;
    /* Where a table or topic stands, at once; NULL: nobody looks. */
    struct data_place (*data_at)(void *ctx, const struct data_name *n);
    void *data_ctx;
    void (*wake)(void *ctx); /* any thread: turn soon; NULL: the caller turns anyway */
    void *wake_ctx;
    int32_t parallelism; /* 0: 32 */
    int64_t lease_us;    /* 0: 30 s without a beat, and others take over */
    int64_t beat_us;     /* 0: 5 s */
    int64_t look_us;     /* 0: 1 s: how often others' changes are looked for */
    uint64_t seed;
};
MUST_CHECK err_t engine_open(const struct engine_options *o, struct engine **out, struct diag *d);
/* Works go on where they can; what is not answered is adopted or lost at the next start. */
void engine_close(struct engine *e);
/* Does what is due. Answers after how many microseconds there is something again, at most look_us.
 * A database that is not there is said once and tried again. */
int64_t engine_turn(struct engine *e);
void engine_wake(struct engine *e); /* any thread: the database has changed */
/* Any thread, once an order: what is in the answer is copied. The order is gone afterwards. */
void engine_answer(struct engine *e, struct work_order *o, const struct work_answer *a);
void engine_called_back(struct engine *e, int64_t id); /* any thread */

/* The dags as they are now, on the engine's thread: many at once between begin and end, what was
 * not named before a `whole` end is gone. */
MUST_CHECK err_t engine_dags_begin(struct engine *e, struct diag *d);
MUST_CHECK err_t engine_dag_set(struct engine *e, const struct dag *g, struct diag *d);
MUST_CHECK err_t engine_dags_end(struct engine *e, bool whole, struct diag *d);
void engine_dags_abort(struct engine *e); /* in place of the end: nothing has changed */
/* NULL: none. Any thread: held. */
const struct dag *engine_dag(struct engine *e, struct slice id);
/* Held, by id: how many were given, at most `max`; without `out`: how many there are. */
uint32_t engine_dags(struct engine *e, const struct dag **out, uint32_t max);

struct engine_figures {
    uint64_t transactions, lost_races, tasks_started, tasks_ended, runs_made, runs_ended, reloads;
    uint32_t runs, going_on, ready;
    char failed_dag[DAG_ID_MAX + 8]; /* whose run failed last; "": none */
    char trouble[200];               /* why decisions can not be written; "": they are */
};
struct engine_figures engine_figures(const struct engine *e);
