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
#include "sched/things.h"
#include "sched/work.h"

struct sched;
struct sched_options {
    const char *project_dir;          /* dags.yaml, dags/ */
    const char *data_dir;             /* workflows/…: logs of tries, the keeper's socket */
    const char *database;             /* NULL: DATA/workflows/meta.db; or as meta_options.where */
    const char *key_file;             /* of secrets; NULL: DATA/workflows/key */
    struct dag_defaults dag_defaults; /* its text is the caller's */
    struct work_port port;
    /* Opens who carries out orders, on the engine's loop (workshop.h's; tests fake it). */
    err_t (*workshop)(void *ctx, const struct sched_options *o, struct sched *s, struct loop *l,
                      struct workshop_port *out, struct diag *d);
    void *workshop_ctx;
    int64_t (*now_us)(void *ctx); /* NULL: os's clock */
    void *clock;
    int32_t parallelism; /* 32: task instances that run at once */
    int64_t look_ms;     /* how often files and the database are looked at when nobody wakes it */
    int64_t keep_logs_us, keep_runs_us; /* 0: for ever */
    /* What of APIs the project's sources share: listed beside the pools (things.h). */
    const struct api_quota *quotas;
    uint32_t quota_count;
};
/* Another connection to the same database, with its keys: a door's thread's, a command's. */
MUST_CHECK err_t sched_meta_open(const char *data_dir, const char *database, const char *key_file,
                                 struct meta **out, struct diag *d);
/* Its keys alone: of the environment (SLUICE_WORKFLOW_KEY), or of their file. */
MUST_CHECK err_t sched_secret(const char *data_dir, const char *key_file, struct secret_ring *out,
                              struct diag *d);
/* A new key, and everything sealed anew with it; a server that runs is to be restarted. */
MUST_CHECK err_t sched_keys_rotate(const char *data_dir, const char *database, const char *key_file,
                                   int64_t *count, struct diag *d);
MUST_CHECK err_t sched_open(const struct sched_options *o, struct sched **out, struct diag *d);
void sched_close(
    struct sched *s); /* children go on under the keeper, and are adopted at the next start */
void sched_wake(struct sched *s); /* any thread: something in the database has changed */
/* The dag as it is now; dag_give it. NULL: none. Any thread. */
const struct dag *sched_dag(struct sched *s, struct slice id);
/* Held, by id: how many were given, at most `max`; without `out`: how many there are. */
uint32_t sched_dags(struct sched *s, const struct dag **out, uint32_t max);
/* The workshop's answer to an order, once, from any thread; what it borrows is copied. */
void sched_answer(struct sched *s, struct work_order *o, const struct work_answer *a);
/* How it goes, for status; any thread. */
struct sched_figures {
    uint32_t dags, runs, tasks;      /* runs that go on, and task instances of them */
    char failed_dag[DAG_ID_MAX + 8]; /* whose run failed last since the start; "": none */
    char trouble[200];               /* why they stand still; "": they do not */
};
void sched_figures(struct sched *s, struct sched_figures *out);
void sched_called_back(struct sched *s, int64_t id); /* any thread: a callback is done */
/* A dags file's folder read at once, without a server: for commands. Each dag held by the caller's
 * functions as dags_read gives it. */
MUST_CHECK err_t sched_dags_read(const char *project_dir, const struct dag_reading *into,
                                 struct diag *d);
