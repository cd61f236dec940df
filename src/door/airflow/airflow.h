/* door/airflow: Airflow's REST API over the workflows: /api/v1 as Airflow 2.10 (basic login) and
 * /api/v2 as Airflow 3 (a token of /auth/token), /health. What is served, by which role, is
 * routes.def; docs/airflow-api.md is made from it.
 *
 * It never decides anything about workflows: it asks and changes the database by sched/ops.h,
 * things.h and list.h, and wakes the engine.
 *
 * Loop: the one it is opened on takes requests and gives answers; a few workers, each with a
 * database connection of its own, carry them out, so that a slow database holds up nobody else.
 * Memory: an arena a request. Limit: AIRFLOW_* below; one request more than AIRFLOW_WAITING_MAX is
 * answered 503.
 */
#pragma once
#include "os/http.h"
#include "sched/dag.h"
#include "sched/meta.h"
#include "sched/secret.h"
#include "users/users.h"

enum {
    AIRFLOW_WAITING_MAX = 1024,
    AIRFLOW_WORKERS_MAX = 16,
    AIRFLOW_BODY_MAX = 8 << 20,
    AIRFLOW_ANSWER_MAX = 32 << 20,
    AIRFLOW_ARENA_MAX = 64 << 20
};
struct airflow_setting {
    const char *section, *key, *value;
};
struct airflow_quota { /* an API's quota, as it stands just now */
    int64_t taken, waiting;
    struct buf *about; /* for people */
};
struct airflow_port { /* what it needs of the scheduler; main fills it, tests fake it */
    void *ctx;
    /* Another connection to the workflows' database: a worker's own. */
    err_t (*meta)(void *ctx, struct meta **out, struct diag *d);
    const struct dag *(*dag)(void *ctx, struct slice id); /* held, or NULL; any thread */
    uint32_t (*dags)(void *ctx, const struct dag **out, uint32_t max);
    void (*wake)(void *ctx);      /* something in the database has changed; any thread */
    int64_t (*now_us)(void *ctx); /* any thread */
    /* The keys of the database's secrets, without the database: what signs tokens comes of them. */
    err_t (*secret)(void *ctx, struct secret_ring *out, struct diag *d);
    /* The n-th setting that /config may show; false past the last. NULL: it shows none (403). */
    bool (*setting)(void *ctx, uint32_t n, struct airflow_setting *out);
    /* Of a quota that LIST_POOLS shows; any thread, reads a file. NULL: nothing is known of them.
     */
    err_t (*quota)(void *ctx, struct slice name, struct airflow_quota *out, struct diag *d);
};
struct airflow_options {
    const char *address;
    uint16_t port;
    bool mounted; /* no listener of its own: another door hands it requests by airflow_handle */
    struct users *users;
    /* Who comes with a session of the door this one is mounted in: ERR_NOT_FOUND: nobody;
     * ERR_FORBIDDEN: a change that does not prove its page. NULL: there are none. */
    err_t (*session)(void *ctx, struct http_request *r, struct user *out);
    void *session_ctx;
    const char *version; /* Sluice's */
    uint32_t workers;    /* 0: two */
    int64_t token_us;    /* how long a token is good; 0: a day, as Airflow's */
    struct airflow_port sched;
};
struct airflow_door;
MUST_CHECK err_t airflow_open(struct loop *l, const struct airflow_options *o,
                              struct airflow_door **out, struct diag *d);
/* False: not a path of this door. The request is answered later, from the same loop. */
bool airflow_handle(struct airflow_door *f, struct http_request *r);
/* Ends what runs. Before the HTTP server whose requests it has, when it is mounted. */
void airflow_close(struct airflow_door *f);
uint16_t airflow_listens(const struct airflow_door *f); /* its port; 0 when mounted */
/* The routes as docs/airflow-api.md shows them: `sluice help airflow-api`. */
void airflow_put_routes(struct buf *out);
