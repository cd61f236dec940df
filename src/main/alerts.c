#include "main/alerts.h"

#include "main/server.h"
#include "os/clock.h"
#include "os/file.h"
#include "sched/connection.h"
#include "sched/rows.h"
#include "sched/sched.h"

#include <stdio.h>
#include <string.h>

enum { SQL_ARENA_MAX = 64 << 20, META_ARENA_MAX = 16 << 20 };
static const int64_t SQL_MOST_NS = 10000000000;

/* --- sources and streams ------------------------------------------------------------------------
 */

struct walk {
    struct slice of;
    alert_value each;
    void *to;
    int64_t now_ms;
    double (*value)(const struct walk *w, const struct flow_status *s);
    bool sources, streams;
};

static err_t see_stage(void *ctx, const struct flow_status *s)
{
    struct walk *w = ctx;
    if ((s->is_source && !w->sources) || (!s->is_source && !w->streams) || s->building)
        return ERR_OK;
    if (w->of.len && !slice_equal(w->of, s->name)) return ERR_OK;
    double v = w->value(w, s);
    return v < 0 ? ERR_OK : w->each(w->to, s->name, v); /* < 0: it says nothing now */
}

static double lag_of(const struct walk *w, const struct flow_status *s)
{
    (void)w;
    return (double)s->lag;
}

static double unbalanced_of(const struct walk *w, const struct flow_status *s)
{
    (void)w;
    return !s->balanced;
}

static double failed_of(const struct walk *w, const struct flow_status *s)
{
    (void)w;
    return strcmp(s->state, "failed") == 0;
}

static double dead_of(const struct walk *w, const struct flow_status *s)
{
    (void)w;
    return (double)s->ledger.dead;
}

/* One that has ended, or that waits for a person or a task, owes nothing; nor does any before its
 * next fetch is due. */
static double silent_of(const struct walk *w, const struct flow_status *s)
{
    static const char *const owing[] = {"running", "retrying", "waiting"};
    bool owes = false;
    for (size_t i = 0; i < COUNT_OF(owing); i++) owes |= strcmp(s->state, owing[i]) == 0;
    if (!owes) return -1;
    int64_t due = MAX(s->last_commit_ms, s->since_ms) + s->every_ms;
    return (double)MAX(w->now_ms - due, INT64_C(0)) / 1000;
}

/* --- the disk -----------------------------------------------------------------------------------
 */

static err_t see_disk(struct alerts *a, alert_value each, void *to, struct diag *d)
{
    uint64_t left, all;
    err_t e = disk_free(a->server->project->data, &left, &all, d);
    return e ? e : each(to, SLICE(""), (double)left);
}

/* --- dags ---------------------------------------------------------------------------------------
 */

/* Inside the gate. */
static err_t meta_here(struct alerts *a, struct diag *d)
{
    return a->meta ? ERR_OK : rest_meta(&a->server->rest, &a->meta, d);
}

struct dag_walk {
    struct slice of;
    alert_value each;
    void *to;
};

static err_t see_last_run(void *ctx, struct slice dag_id, enum run_state state)
{
    struct dag_walk *w = ctx;
    bool failed = state == RUN_FAILED;
    if (w->of.len ? !slice_equal(w->of, dag_id) : !failed)
        return ERR_OK; /* ten thousand are well */
    return w->each(w->to, dag_id, failed);
}

static err_t see_dags(struct alerts *a, struct slice of, alert_value each, void *to, struct diag *d)
{
    struct dag_walk w = {of, each, to};
    if (!atomic_load(&a->server->rest.sched)) return ERR_OK;
    gate_enter(&a->gate);
    err_t e = meta_here(a, d);
    if (!e) e = runs_last_ended(a->meta, see_last_run, &w, d);
    gate_leave(&a->gate);
    return e;
}

/* --- /metrics -----------------------------------------------------------------------------------
 */

/* "name{labels} 12.5": the part is the labels as they stand. */
static err_t see_line(struct slice line, struct slice of, alert_value each, void *to)
{
    struct slice part = {0};
    double value;
    if (line.len <= of.len || memcmp(line.at, of.at, of.len) != 0) return ERR_OK;
    struct slice rest = slice_make(line.at + of.len, line.len - of.len);
    if (rest.at[0] == '{') {
        uint32_t end = rest.len;
        while (end > 0 && rest.at[end - 1] != '}') end--;
        if (end < 2) return ERR_OK;
        part = slice_make(rest.at + 1, end - 2);
        rest = slice_make(rest.at + end, rest.len - end);
    }
    if (!rest.len || rest.at[0] != ' ') return ERR_OK; /* a longer name */
    return slice_to_f64(slice_trim(rest), &value) ? each(to, part, value) : ERR_OK;
}

static err_t see_metric(struct alerts *a, struct slice of, alert_value each, void *to,
                        struct diag *d)
{
    struct buf text = buf_make(METRICS_BYTES_MAX);
    bool there = false;
    err_t e = metrics_put(a->server->figures, &text);
    for (size_t at = 0; !e && at < text.len;) {
        const uint8_t *end = memchr(text.at + at, '\n', text.len - at);
        size_t len = end ? (size_t)(end - text.at) - at : text.len - at;
        struct slice line = slice_make(text.at + at, len);
        there = there || (line.len > of.len && memcmp(line.at, of.at, of.len) == 0);
        e = see_line(line, of, each, to);
        at += len + 1;
    }
    buf_done(&text);
    if (e) return diag_fail(d, e, "%s", err_text(e));
    if (there) return ERR_OK;
    (void)diag_fail(d, ERR_UNKNOWN_NAME, "/metrics has no '%.*s'", SLICE_ARG(of));
    return diag_hint(d, "docs/metrics.md lists them; some are there only once they were counted");
}

/* --- SQL ----------------------------------------------------------------------------------------
 */

static bool sql_is_late(void *until)
{
    return clock_mono_ns() > *(int64_t *)until;
}

static bool number_of(const struct doc *v, double *out)
{
    *out = v->kind == DOC_INT ? (double)v->number : v->kind == DOC_FLOAT ? v->real : 0;
    return v->kind == DOC_INT || v->kind == DOC_FLOAT;
}

static err_t see_row(const struct doc *row, alert_value each, void *to, struct diag *d)
{
    double value;
    if (row->kind != DOC_LIST || !row->count) return ERR_OK;
    const struct doc *last = &row->items[row->count > 1 ? 1 : 0];
    if (last->kind == DOC_NULL) return ERR_OK; /* of no rows: nothing is known */
    if (!number_of(last, &value))
        return diag_fail(d, ERR_TYPE, "the query's %s column is no number",
                         row->count > 1 ? "second" : "first");
    if (row->count == 1) return each(to, SLICE(""), value);
    struct buf part = buf_make(ALERT_TEXT_MAX);
    if (row->items[0].kind == DOC_TEXT)
        buf_slice(&part, row->items[0].text);
    else
        doc_put_json(&part, &row->items[0]);
    err_t e = part.err ? part.err : each(to, buf_view(&part), value);
    buf_done(&part);
    return e;
}

static err_t see_sql(struct alerts *a, struct slice text, alert_value each, void *to,
                     struct diag *d)
{
    int64_t until = clock_mono_ns() + SQL_MOST_NS;
    struct arena *arena = arena_new(SQL_ARENA_MAX);
    struct doc rows = {.kind = DOC_LIST};
    err_t e = arena ? work_query(&a->server->world, text, ALERT_PARTS_MAX, sql_is_late, &until,
                                 arena, &rows, d)
                    : diag_fail(d, ERR_NO_MEMORY, "no memory for an alert's query");
    if (e == ERR_STOPPED)
        e = diag_fail(d, ERR_TIMEOUT, "the query takes longer than %d s",
                      (int)(SQL_MOST_NS / 1000000000));
    for (uint32_t i = 0; !e && i < rows.count; i++) e = see_row(&rows.items[i], each, to, d);
    arena_free(arena);
    return e;
}

/* --- the port -----------------------------------------------------------------------------------
 */

static int64_t now_ms(void *ctx)
{
    (void)ctx;
    return clock_wall_ms();
}

static err_t measure(void *ctx, enum alert_measure m, struct slice of, alert_value each, void *to,
                     struct diag *d)
{
    static const struct {
        double (*value)(const struct walk *w, const struct flow_status *s);
        bool sources, streams;
    } STAGES[ALERT_MEASURES] = {[ALERT_lag] = {lag_of, false, true},
                                [ALERT_ledger] = {unbalanced_of, true, true},
                                [ALERT_failed] = {failed_of, true, true},
                                [ALERT_dead_rate] = {dead_of, true, true},
                                [ALERT_silent] = {silent_of, true, false}};
    struct alerts *a = ctx;
    switch (m) {
    case ALERT_disk_full:
    case ALERT_disk_free: return see_disk(a, each, to, d);
    case ALERT_dag_failed: return see_dags(a, of, each, to, d);
    case ALERT_metric:
    case ALERT_metric_rate: return see_metric(a, of, each, to, d);
    case ALERT_sql: return see_sql(a, of, each, to, d);
    default: break;
    }
    struct walk w = {.of = of,
                     .each = each,
                     .to = to,
                     .now_ms = clock_wall_ms(),
                     .value = STAGES[m].value,
                     .sources = STAGES[m].sources,
                     .streams = STAGES[m].streams};
    err_t e = flow_each(a->server->world.flow, see_stage, &w);
    return e ? diag_fail(d, e, "%s", err_text(e)) : ERR_OK;
}

static err_t mail(void *ctx, const struct doc *letter, struct diag *d)
{
    struct alerts *a = ctx;
    struct arena *arena = arena_new(META_ARENA_MAX);
    struct slice conn = doc_text(doc_get(letter, "conn_id"));
    struct connection_mail m = {.to = doc_get(letter, "to"),
                                .subject = doc_text(doc_get(letter, "subject")),
                                .text = doc_text(doc_get(letter, "text"))};
    struct doc whole;
    if (!arena) return diag_fail(d, ERR_NO_MEMORY, "no memory for a letter");
    gate_enter(&a->gate);
    err_t e = meta_here(a, d);
    if (!e)
        e = connection_letter(a->meta, conn.len ? conn : SLICE("smtp_default"), &m, arena, &whole,
                              d);
    gate_leave(&a->gate);
    if (e == ERR_NOT_FOUND)
        (void)diag_hint(d, "sluice connections add smtp_default --conn-type smtp --conn-host …");
    if (!e) e = work_mail(NULL, &whole, d);
    arena_free(arena);
    return e;
}

/* --- life ---------------------------------------------------------------------------------------
 */

err_t alerts_open(struct server *s, struct alerts *a, struct diag *d)
{
    char file[PROJECT_PATH_MAX + 16], console[160] = "";
    struct alert *made = NULL;
    a->server = s;
    gate_init(&a->gate);
    snprintf(file, sizeof(file), "%s/alerts.yaml", s->project->dir);
    if (s->front.line[0]) snprintf(console, sizeof(console), "%s/", s->front.line);
    struct alert_options o = {.dir = s->project->data,
                              .file = file,
                              .every_ms = config_number(&s->project->config, CONFIG_alerts_every),
                              .console = console,
                              .port = {a, now_ms, measure, work_http_ask, mail}};
    err_t e = alert_open(&o, &made, d);
    if (!e) atomic_store(&a->alert, made);
    return e;
}

void alerts_close(struct alerts *a)
{
    if (!a->server) return;
    alert_close(atomic_exchange(&a->alert, NULL));
    if (a->meta) meta_close(a->meta);
    gate_done(&a->gate);
    a->server = NULL;
}
