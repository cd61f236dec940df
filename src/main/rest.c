#include "main/rest.h"

#include "connect/connect.h"
#include "main/server.h"
#include "main/version.h"
#include "main/workflows/desk.h"
#include "os/clock.h"
#include "sched/sched.h"

#include <stdio.h>
#include <stdlib.h>

enum { SETTING_SHOWN_MAX = 4096 };

err_t rest_meta(const struct rest *r, struct meta **out, struct diag *d)
{
    char key[PROJECT_PATH_MAX];
    return sched_meta_open(r->project->data, workflows_database(r->project),
                           workflows_key(r->project, key), out, d);
}

static err_t open_meta(void *ctx, struct meta **out, struct diag *d)
{
    return rest_meta(ctx, out, d);
}

static const struct dag *find_dag(void *ctx, struct slice id)
{
    struct sched *s = atomic_load(&((struct rest *)ctx)->sched);
    return s ? sched_dag(s, id) : NULL;
}

static uint32_t all_dags(void *ctx, const struct dag **out, uint32_t max)
{
    struct sched *s = atomic_load(&((struct rest *)ctx)->sched);
    return s ? sched_dags(s, out, max) : 0;
}

static void wake(void *ctx)
{
    struct sched *s = atomic_load(&((struct rest *)ctx)->sched);
    if (s) sched_wake(s);
}

static int64_t now_us(void *ctx)
{
    (void)ctx;
    return clock_wall_us();
}

static err_t read_secret(void *ctx, struct secret_ring *out, struct diag *d)
{
    const struct rest *r = ctx;
    char key[PROJECT_PATH_MAX];
    return sched_secret(r->project->data, workflows_key(r->project, key), out, d);
}

static void see_quota(void *ctx, const struct connect_quota *q)
{
    struct airflow_quota *out = ctx;
    out->taken = q->live + q->by_tasks;
    out->waiting = q->waiting;
    connect_quota_put(out->about, q);
}

static err_t find_quota(void *ctx, struct slice name, struct airflow_quota *out, struct diag *d)
{
    const struct rest *r = ctx;
    char folder[PROJECT_PATH_MAX], id[256];
    err_t e = project_data_path(r->project, "quotas", folder, d);
    if (e || !slice_to_cstr(name, id, sizeof(id))) return e;
    return connect_quotas_look(folder, id, clock_wall_ms(), see_quota, out, d);
}

static err_t session_of(void *ctx, struct http_request *req, struct user *out)
{
    const struct rest *r = ctx;
    return r->front ? console_session_of(r->front, req, out) : ERR_NOT_FOUND;
}

/* The settings of sluice.yaml, section by section; good until this thread's next call. */
static bool setting_at(void *ctx, uint32_t n, struct airflow_setting *out)
{
    static _Thread_local char section[64], shown[SETTING_SHOWN_MAX];
    const struct rest *r = ctx;
    if (n >= config_row_count) return false;
    const char *key = config_rows[n].key, *dot = strchr(key, '.');
    snprintf(section, sizeof(section), "%.*s", (int)(dot - key), key);
    struct buf value = buf_over(shown, sizeof(shown) - 1);
    config_put_shown(&r->project->config, n, &value);
    shown[value.len] = 0;
    *out = (struct airflow_setting){section, dot + 1, shown};
    return true;
}

err_t rest_open(struct project *p, struct users *users, struct loop *l, struct rest *r,
                struct diag *d)
{
    const struct config *c = &p->config;
    r->project = p;
    if (config_number(c, CONFIG_console_port) < 0) return ERR_OK;
    struct airflow_options o = {
        .mounted = true,
        .session = session_of,
        .session_ctx = r,
        .users = users,
        .version = SLUICE_VERSION,
        .token_us = config_number(c, CONFIG_airflow_token) * 1000,
        .sched = {.ctx = r,
                  .meta = open_meta,
                  .dag = find_dag,
                  .dags = all_dags,
                  .wake = wake,
                  .now_us = now_us,
                  .secret = read_secret,
                  .quota = find_quota,
                  .setting = config_number(c, CONFIG_airflow_expose_config) ? setting_at : NULL}};
    return airflow_open(l, &o, &r->door, d);
}

void rest_serves(struct rest *r, struct sched *s)
{
    atomic_store(&r->sched, s);
}

void rest_close(struct rest *r)
{
    airflow_close(r->door);
    r->door = NULL;
    atomic_store(&r->sched, NULL);
}

uint32_t rest_dags(struct rest *r, const struct dag **out, uint32_t max)
{
    return all_dags(r, out, max);
}
