/* things: what people keep beside their workflows: variables and pools; and what workflows keep:
 * results (xcom), import errors, jobs with their heartbeats, tags, assets. Each function is one
 * statement or one transaction; inside a caller's transaction they are part of it. Errors are in
 * Airflow's words where clients match on them.
 *
 * Loop: the database connection's. Memory: texts live in the caller's arena. Limit: below. Times
 * are given, microseconds UTC.
 */
#pragma once
#include "sched/meta.h"

enum {
    VARIABLE_KEY_MAX = 250,
    VARIABLE_VALUE_MAX = 16 << 20,
    POOL_NAME_MAX = 256,
    XCOM_KEY_MAX = 512,
    XCOM_VALUE_MAX = 1 << 20,
    STORY_MAX = 64 << 10
};

/* --- variables -------------------------------------------------------------------------------- */
struct variable {
    struct slice key, value, description;
    int64_t version;
};
MUST_CHECK err_t variable_find(struct meta *m, struct slice key, struct arena *a,
                               struct variable *out, struct diag *d);
/* What a task sees: AIRFLOW_VAR_KEY of the environment comes first, then variables.yaml
 * (meta_files_set), then the database. */
MUST_CHECK err_t variable_resolve(struct meta *m, struct slice key, struct arena *a,
                                  struct variable *out, struct diag *d);
MUST_CHECK err_t variable_read(struct meta *m, const struct meta_row *row, struct arena *a,
                               struct variable *out, struct diag *d); /* of LIST_VARIABLES */
MUST_CHECK err_t variable_create(struct meta *m, const struct variable *v, struct diag *d);
MUST_CHECK err_t variable_put(struct meta *m, const struct variable *v, struct diag *d);
/* The one that was read as v->version; ERR_BUSY: another was faster. */
MUST_CHECK err_t variable_change(struct meta *m, const struct variable *v, struct diag *d);
MUST_CHECK err_t variable_delete(struct meta *m, struct slice key, struct diag *d);
/* Everything that is sealed with an older key of the ring is sealed with the newest: one
 * transaction; *count: how many values. */
MUST_CHECK err_t meta_reseal(struct meta *m, int64_t *count, struct diag *d);
/* The whole of a rotation: a new key into the file and `r`, all sealed anew on a connection of its
 * own, the older keys dropped. Cut short anywhere it can be begun again. A server that runs has
 * read the older keys: it is to be restarted. */
MUST_CHECK err_t meta_rotate(const char *where, const char *key_path, struct secret_ring *r,
                             int64_t *count, struct diag *d);

/* --- pools ------------------------------------------------------------------------------------ */
struct pool_row {
    struct slice name, description;
    int64_t slots; /* -1: without end */
    bool include_deferred;
    int64_t version;
};
MUST_CHECK err_t pool_find(struct meta *m, struct slice name, struct arena *a, struct pool_row *out,
                           struct diag *d);
MUST_CHECK err_t pool_create(struct meta *m, const struct pool_row *p, struct diag *d);
MUST_CHECK err_t pool_put(struct meta *m, const struct pool_row *p, struct diag *d);
/* The pool `name`, read as p->version, becomes p (which may have another name, unless it is
 * default_pool). */
MUST_CHECK err_t pool_change(struct meta *m, struct slice name, const struct pool_row *p,
                             struct diag *d);
MUST_CHECK err_t pool_delete(struct meta *m, struct slice name, struct diag *d);

/* What an API allows, as the project's sources say it: listed beside the pools by LIST_POOLS, with
 * its span as per_ms, unless a pool has its name. Nobody changes or deletes one there: pool_create,
 * pool_put, pool_change and pool_delete refuse its name (ERR_CONFIG). */
struct api_quota {
    struct slice name;
    int64_t records, per_ms;
};
/* These, in place of those that were. One transaction, or none where nothing changes. */
MUST_CHECK err_t api_quotas_set(struct meta *m, const struct api_quota *list, uint32_t count,
                                struct diag *d);
/* ERR_CONFIG, with its story, when the name is one's; fine otherwise. */
MUST_CHECK err_t api_quota_refuse(struct meta *m, struct slice name, struct diag *d);

/* --- results ---------------------------------------------------------------------------------- */
struct xcom_key {
    int64_t run;
    struct slice task_id, name;
    int32_t map_index; /* -1: not mapped */
};
MUST_CHECK err_t xcom_put(struct meta *m, const struct xcom_key *k, struct slice json,
                          int64_t now_us, struct diag *d);
/* ERR_NOT_FOUND; *written may be NULL. */
MUST_CHECK err_t xcom_find(struct meta *m, const struct xcom_key *k, struct arena *a,
                           struct slice *json, int64_t *written, struct diag *d);
MUST_CHECK err_t xcom_delete(struct meta *m, const struct xcom_key *k, struct diag *d);
/* All of a task instance's, at the start of a try; k->name is not looked at. */
MUST_CHECK err_t xcom_forget(struct meta *m, const struct xcom_key *k, struct diag *d);

/* --- import errors ---------------------------------------------------------------------------- */
struct import_error {
    struct slice file, dag_id, story; /* a story of more than STORY_MAX is cut */
    int64_t id, line, at;
};
/* What is wrong with this file now, in place of what was: none, when it is right again. */
MUST_CHECK err_t import_errors_set(struct meta *m, struct slice file,
                                   const struct import_error *list, uint32_t count, struct diag *d);
MUST_CHECK err_t import_error_find(struct meta *m, int64_t id, struct arena *a,
                                   struct import_error *out, struct diag *d);

/* --- jobs: who is alive ----------------------------------------------------------------------- */
struct job {
    const char *job_type; /* "SchedulerJob" */
    struct slice hostname, name;
    int64_t pid;
};
MUST_CHECK err_t job_start(struct meta *m, const struct job *j, int64_t now_us, int64_t *id,
                           struct diag *d);
/* ERR_FENCED: others have taken it for lost. */
MUST_CHECK err_t job_beat(struct meta *m, int64_t id, int64_t now_us, struct diag *d);
MUST_CHECK err_t job_end(struct meta *m, int64_t id, bool well, int64_t now_us, struct diag *d);
/* How many of this type ("": of any) have beaten since then, and the latest beat (INT64_MIN: none):
 * /health, `jobs check`. */
MUST_CHECK err_t jobs_alive(struct meta *m, const char *job_type, int64_t since_us, int64_t *count,
                            int64_t *latest, struct diag *d);
/* Those that have not beaten since then are failed. */
MUST_CHECK err_t jobs_lose(struct meta *m, int64_t since_us, struct diag *d);

/* --- of dags and data ------------------------------------------------------------------------- */
/* Of a person; ERR_EXISTS: it is so already. */
MUST_CHECK err_t dag_favorite_set(struct meta *m, struct slice person, struct slice dag_id, bool is,
                                  struct diag *d);
MUST_CHECK err_t dag_favorite_is(struct meta *m, struct slice person, struct slice dag_id, bool *is,
                                 struct diag *d);
MUST_CHECK err_t dag_tags_set(struct meta *m, struct slice dag_id, const struct slice *tags,
                              uint32_t count, struct diag *d);
/* Its number, for ever: made when it is first named; updated_at becomes now. */
MUST_CHECK err_t asset_put(struct meta *m, struct slice kind, struct slice name, int64_t now_us,
                           int64_t *id, struct diag *d);
/* A dag names it: it is there from now on, if it was not. Who only waits for one says "asset",
 * which is any kind of that name, and becomes the kind that who changes it says. */
MUST_CHECK err_t asset_declare(struct meta *m, struct slice kind, struct slice name, int64_t now_us,
                               struct diag *d);

struct asset_change {
    const char *kind; /* "table", "topic", "asset" */
    struct slice name, extra /* JSON */;
    int64_t source_run; /* 0: no task's doing */
    struct slice source_task;
    int32_t source_map;
};
MUST_CHECK err_t asset_changed(struct meta *m, const struct asset_change *c, int64_t now_us,
                               int64_t *event, struct diag *d);
/* The dag has not run since. */
MUST_CHECK err_t asset_queue_put(struct meta *m, struct slice dag_id, const struct asset_change *c,
                                 int64_t event, int64_t now_us, struct diag *d);

struct queue_drop {            /* which events that wait for the rest of a schedule are forgotten */
    struct slice dag_id, name; /* {0}: any */
    int64_t asset;             /* its number; 0: any */
    int64_t before;            /* INT64_MAX: whenever they came */
};
MUST_CHECK err_t asset_queue_drop(struct meta *m, const struct queue_drop *q, int64_t *gone,
                                  struct diag *d);

/* --- names ------------------------------------------------------------------------------------ */
/* Airflow's validate_key: 1 to `most` of letters, digits, "_", "-", "."; ERR_USAGE in its words. */
MUST_CHECK err_t key_check(struct slice key, uint32_t most, struct diag *d);
