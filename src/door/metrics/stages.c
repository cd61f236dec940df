/* Sources and streams: their ledgers, lag, epochs; and the same as Spark's exporters call it. */
#include "door/metrics/figures_int.h"

#include "base/vec.h"
#include "data/doc.h"

#include <string.h>

enum { NAMES_MAX = 4096, PROGRESS_MAX = 1 << 20 };

struct walk {
    struct metrics *m;
    struct vec streams; /* struct slice, in the arena */
};

static bool state_is(const struct flow_status *s, const char *state)
{
    return strcmp(s->state, state) == 0;
}

static void put_ledger(struct figures *f, const struct slice *labels, const struct flow_status *s)
{
    const struct ledger *l = &s->ledger;
    const struct {
        enum figure_id id;
        uint64_t value;
    } rows[] = {
        {FIGURE_IN, l->in},
        {FIGURE_APPLIED, l->applied},
        {FIGURE_FILTERED, l->filtered},
        {FIGURE_DEDUPED, l->deduplicated},
        {FIGURE_LATE, l->late},
        {FIGURE_DEAD, l->dead},
        {FIGURE_EXPIRED, l->expired},
        {FIGURE_HELD, l->held},
        {FIGURE_ROWS_OUT, l->rows_out},
        {FIGURE_BALANCED, s->balanced},
        {FIGURE_LAG, s->lag},
        {FIGURE_EPOCHS, s->epochs},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        figure(f, rows[i].id, labels, (double)rows[i].value);
}

static err_t put_stage(void *ctx, const struct flow_status *s)
{
    struct walk *w = ctx;
    struct figures *f = &w->m->figures;
    const struct slice labels[] = {s->name, slice_of(s->is_source ? "source" : "stream")};
    if (s->building) return ERR_OK; /* the one whose place it will take has the name */
    put_ledger(f, labels, s);
    const struct {
        enum figure_id id;
        double value;
    } rows[] = {
        {FIGURE_RATE, s->rows_per_second},
        {FIGURE_FAILED, state_is(s, "failed")},
        {FIGURE_PAUSED, s->paused_ms > 0},
        {FIGURE_RUNS, state_is(s, "running") || state_is(s, "waiting") || state_is(s, "retrying")},
        {FIGURE_COMMITTED, (double)MAX(s->last_commit_ms, s->since_ms) / 1e3},
        {FIGURE_STAGE_MEM, (double)s->memory},
        {FIGURE_STAGE_CPU, (double)s->cpu_ns / 1e9},
    };
    const struct {
        enum figure_id id;
        double value;
    } streams[] = {
        {FIGURE_LIVE_P50, (double)s->live.p50_us / 1e6},
        {FIGURE_LIVE_P99, (double)s->live.p99_us / 1e6},
        {FIGURE_LIVE_MAX, (double)s->live.max_us / 1e6},
        {FIGURE_STATE_ROWS, (double)s->state_rows},
        {FIGURE_STATE_BYTES, (double)s->state_bytes},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) figure(f, rows[i].id, labels, rows[i].value);
    for (size_t i = 0; i < COUNT_OF(streams) && !s->is_source; i++)
        figure(f, streams[i].id, labels, streams[i].value);
    if (s->is_source) figure(f, FIGURE_EVERY, labels, (double)s->every_ms / 1e3);
    if (s->is_source) return ERR_OK;
    if (s->watermark != INT64_MIN) figure(f, FIGURE_WATERMARK, labels, (double)s->watermark / 1e3);
    struct slice name = arena_slice(w->m->arena, s->name);
    return name.at && w->streams.count < NAMES_MAX ? vec_push(&w->streams, &name) : ERR_OK;
}

/* --- Spark's words ------------------------------------------------------------------------------
 */

static double number_of(const struct doc *v)
{
    return !v ? 0 : v->kind == DOC_INT ? (double)v->number : v->kind == DOC_FLOAT ? v->real : 0;
}

static void put_state(struct figures *f, const struct slice *labels, const struct doc *progress)
{
    const struct doc *all = doc_get(progress, "stateOperators");
    double rows = 0, bytes = 0;
    for (uint32_t i = 0; all && all->kind == DOC_LIST && i < all->count; i++) {
        rows += number_of(doc_get(&all->items[i], "numRowsTotal"));
        bytes += number_of(doc_get(&all->items[i], "memoryUsedBytes"));
    }
    figure(f, FIGURE_S_ROWS, labels, rows);
    figure(f, FIGURE_S_BYTES, labels, bytes);
}

/* Of the last epoch; none yet: nothing is said. */
static void put_progress(struct metrics *m, struct slice app, struct slice name)
{
    const struct slice labels[] = {app, name};
    struct buf text = buf_make(PROGRESS_MAX);
    struct doc p;
    struct diag d;
    err_t e = flow_progress_json(m->o.world->flow, name, false, &text, &d);
    if (!e) e = doc_of_json(buf_view(&text), m->arena, &p, &d);
    if (!e && p.kind == DOC_MAP) {
        struct figures *f = &m->figures;
        figure(f, FIGURE_S_INPUT, labels, number_of(doc_get(&p, "inputRowsPerSecond")));
        figure(f, FIGURE_S_PROCESS, labels, number_of(doc_get(&p, "processedRowsPerSecond")));
        figure(f, FIGURE_S_LATENCY, labels,
               number_of(doc_get(doc_get(&p, "durationMs"), "triggerExecution")));
        put_state(f, labels, &p);
    }
    buf_done(&text);
}

void figures_stages(struct metrics *m, const struct report_facts *facts)
{
    struct walk w = {.m = m, .streams = vec_make(sizeof(struct slice), NAMES_MAX)};
    struct slice app = slice_of(facts->project ? facts->project : "");
    /* an answer cut short for want of memory is told by the texts that failed with it */
    (void)!flow_each(m->o.world->flow, put_stage, &w);
    for (size_t i = 0; i < w.streams.count; i++)
        put_progress(m, app, *(struct slice *)vec_at(&w.streams, i));
    vec_done(&w.streams);
}
