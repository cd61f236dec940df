#include "main/work/work.h"

#include "main/server.h"
#include "main/workflows/desk.h"

#include "base/say.h"
#include "data/value.h"
#include "os/clock.h"
#include "os/file.h"

#include <stdio.h>
#include <unistd.h>

enum { DAGS_LOOK_MS = 5000, AGAIN_MS = 10000, DAGS_LOOKED_AT = 1 << 17 };

/* --- sources that only tasks run --------------------------------------------------------------
 */

static struct held *held_find(struct working *w, struct slice name)
{
    for (size_t i = 0; i < w->held.count; i++) {
        struct held *h = vec_at(&w->held, i);
        if (slice_equal(h->name, name)) return h;
    }
    return NULL;
}

/* In the gate. */
static struct held *held_add(struct working *w, struct slice name)
{
    struct held *h = held_find(w, name);
    if (!h && (h = vec_add(&w->held))) {
        char *text = mem_text(name);
        h->name = slice_make(text, text ? name.len : 0);
        if (!text) {
            vec_remove(&w->held, w->held.count - 1);
            h = NULL;
        }
    }
    return h;
}

static void want_sources(struct working *w, const struct dag *g)
{
    gate_enter(&w->gate);
    for (uint32_t i = 0; i < g->task_count; i++) {
        const struct dag_task *t = &g->tasks[i];
        struct slice name = doc_text(doc_get(t->options, "run"));
        if (t->kind->id != KIND_run || !name.len || has_template(name)) continue;
        if (!flow_has(w->server->world.flow, name)) continue; /* the task will say so */
        struct held *h = held_add(w, name);
        if (h) h->wanted = true;
    }
    gate_leave(&w->gate);
}

static void forget_wants(struct working *w)
{
    gate_enter(&w->gate);
    for (size_t i = 0; i < w->held.count; i++) ((struct held *)vec_at(&w->held, i))->wanted = false;
    gate_leave(&w->gate);
}

/* Those that a task names are stopped, those that none names any more go on by themselves. */
static err_t apply_wants(struct working *w, struct diag *d)
{
    err_t e = ERR_OK;
    struct flow *f = w->server->world.flow;
    gate_enter(&w->gate);
    for (size_t i = w->held.count; i-- > 0 && !e;) {
        struct held *h = vec_at(&w->held, i);
        if (h->running) continue;
        e = h->wanted ? flow_source_hold(f, h->name, d) : flow_source_free(f, h->name, d);
        if (e || h->wanted) continue;
        say_info(SAY_SCHED,
                 "no task runs this source any more: it goes on by itself, unless a person has "
                 "paused it",
                 "source=%.*s", SLICE_ARG(h->name));
        mem_give((void *)(uintptr_t)h->name.at);
        vec_remove(&w->held, i);
    }
    gate_leave(&w->gate);
    return e;
}

static void hold_dag(void *ctx, struct dag *g)
{
    want_sources(ctx, g);
    dag_give(g);
}

static void ignore_wrong(void *ctx, struct slice dag_id, const struct diag *d)
{
    (void)ctx, (void)dag_id, (void)d; /* the scheduler tells it */
}

static bool has_dags(const struct working *w)
{
    char path[PROJECT_PATH_MAX + 16];
    const char *dir = w->server->project->dir;
    snprintf(path, sizeof(path), "%s/dags.yaml", dir);
    if (file_exists(path)) return true;
    snprintf(path, sizeof(path), "%s/dags", dir);
    return file_exists(path);
}

err_t working_hold(struct working *w, struct diag *d)
{
    struct dag_reading into = {w, hold_dag, ignore_wrong, workflows_defaults(w->server->project)};
    if (!has_dags(w)) return ERR_OK;
    err_t e = sched_dags_read(w->server->project->dir, &into, d);
    return e ? e : apply_wants(w, d);
}

/* dags may have changed: which sources do tasks name now? */
static void look_at_dags(struct working *w)
{
    struct diag d = {0};
    uint64_t hash = 1;
    const struct dag **all = mem_take(DAGS_LOOKED_AT * sizeof(*all));
    uint32_t count = all ? sched_dags(w->sched, all, DAGS_LOOKED_AT) : 0;
    for (uint32_t i = 0; i < count; i++) hash = hash * 31 + all[i]->hash;
    if (all && hash != w->dags_hash) {
        w->dags_hash = hash;
        forget_wants(w);
        for (uint32_t i = 0; i < count; i++) want_sources(w, all[i]);
        if (apply_wants(w, &d))
            say_diag(SAY_SCHED, SAY_WARN, "a source that tasks run can not be stopped", &d);
    }
    for (uint32_t i = 0; i < count; i++) dag_give(all[i]);
    mem_give(all);
}

/* --- run --------------------------------------------------------------------------------------
 */

static bool pause_a_step(struct working *w, bool (*stop)(void *), void *stop_ctx)
{
    gate_enter(&w->gate);
    (void)gate_wait_ms(&w->gate, WORK_STEP_MS);
    gate_leave(&w->gate);
    return !stop(stop_ctx);
}

/* One task has a source at a time: others wait. */
static err_t take_source(struct working *w, struct slice source, bool (*stop)(void *),
                         void *stop_ctx, struct diag *d)
{
    for (;;) {
        gate_enter(&w->gate);
        struct held *h = held_add(w, source);
        bool mine = h && !h->running;
        if (mine) h->running = h->wanted = true;
        gate_leave(&w->gate);
        if (!h) return diag_fail(d, ERR_NO_MEMORY, "no memory for a source's task");
        if (mine) return ERR_OK;
        if (!pause_a_step(w, stop, stop_ctx))
            return diag_fail(d, ERR_STOPPED, "stopped while another task runs source '%.*s'",
                             SLICE_ARG(source));
    }
}

static void give_source(struct working *w, struct slice source)
{
    gate_enter(&w->gate);
    struct held *h = held_find(w, source);
    if (h) h->running = false;
    gate_wake(&w->gate);
    gate_leave(&w->gate);
}

/* A task does not do what a person has stopped. */
static err_t refuse_paused(struct working *w, struct slice source, struct diag *d)
{
    int64_t since_ms = 0;
    err_t e = stage_paused(w->server->world.store, source, &since_ms, d);
    if (e || !since_ms) return e;
    struct value when = value_i64(TYPE_TIMESTAMP, since_ms);
    uint8_t text[64];
    struct buf b = buf_over(text, sizeof(text));
    value_to_text(&when, &b);
    diag_fail(d, ERR_STOPPED, "source '%.*s' is paused by a person since %.*s", SLICE_ARG(source),
              SLICE_ARG(buf_view(&b)));
    return diag_hint(d, "`sluice resume %.*s`, and the task's next try runs it", SLICE_ARG(source));
}

static err_t run_source(void *ctx, struct slice source, int64_t for_us, int64_t count,
                        bool (*stop)(void *), void *stop_ctx, uint64_t *records, struct diag *d)
{
    struct working *w = ctx;
    struct flow *f = w->server->world.flow;
    struct diag later = {0};
    bool over = false;
    *records = 0;
    if (!flow_has(f, source))
        return diag_fail(d, ERR_UNKNOWN_NAME, "there is no source '%.*s'", SLICE_ARG(source));
    err_t e = refuse_paused(w, source, d);
    if (!e) e = take_source(w, source, stop, stop_ctx, d);
    if (e) return e;
    e = flow_source_hold(f, source, d); /* a person may have started it */
    if (!e && count != 0) e = flow_source_let(f, source, (uint64_t)MAX(count, INT64_C(0)), d);
    int64_t until = for_us < 0 ? INT64_MAX : clock_mono_ns() + for_us * 1000;
    while (!e && !over && count != 0 && clock_mono_ns() < until) {
        if (!pause_a_step(w, stop, stop_ctx))
            e = diag_fail(d, ERR_STOPPED, "stopped while source '%.*s' ran", SLICE_ARG(source));
        else
            e = flow_source_brought(f, source, records, &over, d);
    }
    bool paused =
        flow_source_hold(f, source, &later) == ERR_OK; /* its last answer is settled then */
    if (paused && flow_source_brought(f, source, records, &over, &later) && !e) {
        e = later.err;
        if (d) *d = later;
    }
    give_source(w, source);
    return e;
}

/* --- streams ----------------------------------------------------------------------------------
 */

struct looking {
    struct slice name;
    const char *state;
    uint64_t lag;
    char trouble[512];
    bool found, by_person; /* paused by one */
};

static err_t look_at(void *ctx, const struct flow_status *s)
{
    struct looking *l = ctx;
    if (s->is_source || !slice_equal(s->name, l->name)) return ERR_OK;
    l->found = true;
    l->state = s->state;
    l->lag = s->lag;
    memcpy(l->trouble, s->trouble, sizeof(l->trouble));
    l->by_person = s->paused_ms != 0;
    if (l->by_person && !l->trouble[0])
        snprintf(l->trouble, sizeof(l->trouble), "a person has paused it: `sluice resume %.*s`",
                 SLICE_ARG(s->name));
    return ERR_STOPPED; /* enough */
}

static err_t find_stream(struct working *w, struct slice stream, struct looking *l, struct diag *d)
{
    *l = (struct looking){.name = stream};
    err_t e = flow_each(w->server->world.flow, look_at, l);
    if (l->found) return ERR_OK;
    if (e) return diag_fail(d, e, "the streams can not be looked at");
    return diag_fail(d, ERR_UNKNOWN_STREAM, "there is no stream '%.*s'", SLICE_ARG(stream));
}

static err_t stream_ensure(void *ctx, struct slice stream, struct diag *d)
{
    struct working *w = ctx;
    struct looking l;
    err_t e = find_stream(w, stream, &l, d);
    if (e) return e;
    if (l.by_person) return ERR_OK; /* it stays so, and the task says it */
    if (strcmp(l.state, "paused") == 0) return flow_resume(w->server->world.flow, stream, d);
    if (strcmp(l.state, "failed") == 0) return flow_restart(w->server->world.flow, stream, d);
    return ERR_OK;
}

static err_t stream_look(void *ctx, struct slice stream, const char **state, uint64_t *lag,
                         char *trouble, size_t size, struct diag *d)
{
    struct looking l;
    err_t e = find_stream(ctx, stream, &l, d);
    if (e) return e;
    *state = l.state; /* a constant of flow's */
    *lag = l.lag;
    snprintf(trouble, size, "%s", l.trouble);
    return ERR_OK;
}

struct work_port working_port(struct working *w)
{
    return (struct work_port){.ctx = w,
                              .run_source = run_source,
                              .shares_quota = work_shares_quota,
                              .quota_take = work_quota_take,
                              .stream_ensure = stream_ensure,
                              .stream_look = stream_look,
                              .sql = work_statements,
                              .produce = work_produce,
                              .topic_lag = work_topic_lag,
                              .data_at = work_data_at,
                              .http = work_http_ask,
                              .mail = work_mail};
}

/* --- opening ----------------------------------------------------------------------------------
 */

static err_t put_name(struct working *w, const char *fmt, ...) PRINTF_LIKE(2, 3);
static err_t put_name(struct working *w, const char *fmt, ...)
{
    va_list args;
    struct buf text = buf_make(KIB(64));
    va_start(args, fmt);
    buf_vprintf(&text, fmt, args);
    va_end(args);
    char *name = text.err ? NULL : mem_text(buf_view(&text));
    buf_done(&text);
    err_t e = name ? vec_push(&w->environment, &name) : ERR_NO_MEMORY;
    if (e) mem_give(name);
    return e;
}

/* Where commands find the doors of this server. */
static err_t name_doors(struct working *w)
{
    const struct server *s = w->server;
    const char *listen = config_text(&s->project->config, CONFIG_listen_address), *end = NULL;
    const char *host = strcmp(listen, "0.0.0.0") == 0 ? "127.0.0.1"
                       : strcmp(listen, "::") == 0    ? "[::1]"
                                                      : listen;
    w->environment = vec_make(sizeof(char *), 64);
    err_t e = put_name(w, "SLUICE_PROJECT=%s", s->project->dir);
    if (!e) e = put_name(w, "SLUICE_DATA=%s", s->project->data);
    if (!e && s->broker.kafka)
        e = put_name(w, "SLUICE_KAFKA=%s:%u", host, kafka_door_port(s->broker.kafka));
    if (!e && s->cassandra.door)
        e = put_name(w, "SLUICE_CQL=%s:%u", host, cql_door_port(s->cassandra.door));
    if (!e && s->api) e = put_name(w, "SLUICE_API=http://%s:%u", host, randomuser_port(s->api));
    if (!e && s->metrics)
        e = put_name(w, "SLUICE_METRICS=http://%s:%u", host, metrics_port(s->metrics));
    return e ? e : vec_push(&w->environment, &end);
}

static err_t open_sched(struct working *w, struct diag *d)
{
    const struct project *p = w->server->project;
    const struct config *c = &p->config;
    if (!w->environment.count && name_doors(w))
        return diag_fail(d, ERR_NO_MEMORY, "no memory for the workflows");
    err_t e = work_quotas_open(w, d);
    if (e) return e;
    w->workshop =
        (struct workshop_options){.keeper_dir = w->keeper_dir[0] ? w->keeper_dir : NULL,
                                  .log_max = (uint64_t)config_number(c, CONFIG_workflows_log_max),
                                  .environment = (const char *const *)w->environment.items};
    w->options = (struct sched_options){
        .project_dir = p->dir,
        .data_dir = p->data,
        .database = workflows_database(p),
        .key_file = workflows_key(p, w->key_file),
        .dag_defaults = workflows_defaults(p),
        .port = working_port(w),
        .workshop = workshop_open,
        .workshop_ctx = &w->workshop,
        .parallelism = (int32_t)config_number(c, CONFIG_workflows_parallelism),
        .keep_logs_us = config_number(c, CONFIG_workflows_keep_logs) * 1000,
        .keep_runs_us = config_number(c, CONFIG_workflows_keep_runs) * 1000,
        .quotas = (const struct api_quota *)w->quotas.items,
        .quota_count = (uint32_t)w->quotas.count};
    return sched_open(&w->options, &w->sched, d);
}

err_t working_look(struct working *w, struct diag *d)
{
    int64_t now = clock_mono_ns() / 1000000;
    if (now < w->next_look_ms) return ERR_OK;
    if (!w->sched) {
        if (!has_dags(w)) return ERR_OK;
        err_t e = open_sched(w, d);
        w->next_look_ms = e ? now + AGAIN_MS : 0;
        atomic_store(&w->failed, e != ERR_OK);
        if (e) return e;
        say_info(SAY_SCHED, "workflows run", "database=%s", w->options.database ? "set" : "own");
    }
    w->next_look_ms = now + DAGS_LOOK_MS;
    look_at_dags(w);
    return ERR_OK;
}

void working_close(struct working *w)
{
    if (!w->server) return;
    sched_close(w->sched);
    w->sched = NULL;
    work_quotas_close(w);
    for (size_t i = 0; i < w->held.count; i++)
        mem_give((void *)(uintptr_t)((struct held *)vec_at(&w->held, i))->name.at);
    vec_done(&w->held);
    for (size_t i = 0; i < w->environment.count; i++)
        mem_give(*(char **)vec_at(&w->environment, i));
    vec_done(&w->environment);
    gate_done(&w->gate);
    w->server = NULL;
}

bool working_report(struct working *w, struct buf *out)
{
    struct sched_figures f;
    if (!w->sched && atomic_load(&w->failed)) {
        buf_text(out, "do not run, and are tried again: `sluice logs --level error`");
        return false;
    }
    if (!w->sched) return true;
    sched_figures(w->sched, &f);
    buf_printf(out, "%u dag%s, %u run%s and %u task%s going on", f.dags, f.dags == 1 ? "" : "s",
               f.runs, f.runs == 1 ? "" : "s", f.tasks, f.tasks == 1 ? "" : "s");
    if (f.failed_dag[0]) buf_printf(out, "; last failed: %s", f.failed_dag);
    if (f.trouble[0]) buf_printf(out, "; nothing goes on: %s", f.trouble);
    return !f.trouble[0];
}
