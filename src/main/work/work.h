/* work: what tasks of workflows need of the rest of the house, as sched's work_port: sources that
 * run for a task, streams, statements, records into topics, HTTP, mail.
 *
 * Loop: calls come on the workshop's threads and block there; each asks its stop function at least
 * every WORK_STEP_MS. Memory: the caller's arena. Limit: an answer of HTTP WORK_BODY_MAX bytes.
 * Addresses are an operator's own words, so private ones are allowed, unlike a source's.
 */
#pragma once
#include "main/broker.h"
#include "main/project.h"
#include "os/thread.h"
#include "sched/workshop.h"

#include <stdatomic.h>

enum { WORK_STEP_MS = 50, WORK_BODY_MAX = 16 << 20, HELD_MAX = 4096 };

struct server;
struct working { /* lives as long as the server */
    struct server *server;
    struct sched *sched; /* NULL: no dags so far */
    atomic_bool failed;  /* … or they could not be opened */
    struct gate gate;    /* guards held: which sources only tasks run */
    struct vec held;     /* struct held */
    uint64_t dags_hash;  /* of the dags that `held` was made of */
    int64_t next_look_ms;
    struct vec environment; /* char *: of commands, NULL-terminated */
    struct vec quotas; /* struct api_quota: of the project's sources; texts are the project's */
    struct vec quotas_held; /* struct quota *, in the same order: what tasks take from */
    struct sched_options options;
    struct workshop_options workshop;
    char keeper_dir[PROJECT_PATH_MAX], key_file[PROJECT_PATH_MAX];
};
struct held {          /* a source that a task names */
    struct slice name; /* mem_ memory */
    bool running;      /* a task has it */
    bool wanted;       /* by the dags as they are now */
};

/* Sources that tasks of the project's dags name do not start with the flow: before flow_start. */
MUST_CHECK err_t working_hold(struct working *w, struct diag *d);
/* Opens the workflows where the project has dags; called again now and then, since dags.yaml may
 * come later. */
MUST_CHECK err_t working_look(struct working *w, struct diag *d);
void working_close(struct working *w);
struct work_port working_port(struct working *w);
/* "3 dags, 1 run running" … for status; false: they stand still. */
bool working_report(struct working *w, struct buf *out);
/* work_http.c */
MUST_CHECK err_t work_http_ask(void *ctx, const struct doc *request, bool (*stop)(void *),
                               void *stop_ctx, struct arena *a, int *status, struct slice *body,
                               struct diag *d);
MUST_CHECK err_t work_mail(void *ctx, const struct doc *letter, struct diag *d);
/* work_data.c */
struct data_place work_data_at(void *ctx, const struct data_name *n);
/* work_quota.c: what of APIs the project's sources share, held while the workflows are open. */
MUST_CHECK err_t work_quotas_open(struct working *w, struct diag *d);
void work_quotas_close(struct working *w);
bool work_shares_quota(void *ctx, struct slice source, struct slice quota);
MUST_CHECK err_t work_quota_take(void *ctx, const struct work_quota *ask, bool (*stop)(void *),
                                 void *stop_ctx, int64_t *wait_ms, struct diag *d);
/* work_sql.c */
MUST_CHECK err_t work_statements(void *ctx, struct slice text, struct slice keyspace,
                                 uint32_t rows_max, bool (*stop)(void *), void *stop_ctx,
                                 struct arena *a, struct doc *rows, struct buf *notes,
                                 struct diag *d);
/* The same for what only reads, and nobody's task: an alert's query. */
MUST_CHECK err_t work_query(struct exec_world *world, struct slice text, uint32_t rows_max,
                            bool (*stop)(void *), void *stop_ctx, struct arena *a, struct doc *rows,
                            struct diag *d);
/* work_topic.c */
MUST_CHECK err_t work_produce(void *ctx, struct slice topic, const struct doc *records,
                              uint64_t *count, struct diag *d);
MUST_CHECK err_t work_topic_lag(void *ctx, struct slice topic, struct slice group, uint64_t *lag,
                                uint64_t *records, struct diag *d);
