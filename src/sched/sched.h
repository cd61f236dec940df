/* sched: workflows. dags are read from dags.yaml and dags/ and watched; runs are made by schedule,
 * by people, by backfills, by data that changed; the engine moves them on and gives orders to the
 * workshop.
 *
 * Loop: one of its own, "sched"; doors and commands call ops.h on connections of their own and then
 * sched_wake. Nothing in memory decides: after a kill the database, the keeper's children and the
 * logs are all there is.
 */
#pragma once
#include "sched/meta.h"
#include "sched/work.h"

struct sched;
struct sched_options {
    const char *project_dir; /* dags.yaml, dags/ */
    const char *data_dir;    /* workflows/…: logs of tries, the keeper's socket */
    struct meta_options meta;
    struct work_port port;
    int64_t (*now_us)(void *ctx);
    void *clock;         /* NULL: os's clock; tests give a fake one */
    int32_t parallelism; /* 32: task instances that run at once */
    int64_t look_ms;     /* how often files and the database are looked at when nobody wakes it */
    int64_t keep_logs_us, keep_runs_us; /* 0: for ever */
    const char *zone;                   /* of schedules that name none: UTC */
};
MUST_CHECK err_t sched_open(const struct sched_options *o, struct sched **out, struct diag *d);
void sched_close(
    struct sched *s); /* children go on under the keeper, and are adopted at the next start */
void sched_wake(struct sched *s); /* any thread: something in the database has changed */
/* The dag as it is now; dag_give it. NULL: none. Any thread. */
const struct dag *sched_dag(struct sched *s, struct slice id);
uint32_t sched_dags(struct sched *s, const struct dag **out, uint32_t max); /* held, by id */
