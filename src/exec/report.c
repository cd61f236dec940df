#include "exec/report.h"

#include "base/unit.h"

#include <inttypes.h>

void report_ledger(struct buf *out, const struct ledger *l)
{
    buf_text(out, "in ");
    unit_put_count(out, l->in);
    for (enum ledger_term t = TERM_APPLIED; t <= TERM_HELD; t++) {
        if (t > TERM_APPLIED && !ledger_value(l, t)) continue;
        buf_printf(out, " %s %s ", t > TERM_APPLIED ? "+" : "=", ledger_term_name(t));
        unit_put_count(out, ledger_value(l, t));
    }
}

void report_time(struct buf *out, int64_t ms)
{
    struct value when = value_i64(TYPE_TIMESTAMP, ms);
    value_to_text(&when, out);
}

void report_paused(struct buf *out, struct slice name, int64_t since_ms)
{
    buf_text(out, "paused since ");
    report_time(out, since_ms);
    buf_printf(out, ", also over a restart; `sluice resume %.*s` lets it go on\n", SLICE_ARG(name));
}

struct status_walk {
    const struct report_facts *facts;
    struct buf *out;
    uint32_t count;
    bool fine;
};

static bool stage_is_fine(const struct flow_status *s)
{
    return s->balanced && strcmp(s->state, "failed") != 0;
}

static err_t status_stage(void *ctx, const struct flow_status *s)
{
    struct status_walk *w = ctx;
    struct buf *out = w->out;
    buf_printf(out, "  %s  %-20.*s %.*s -> %.*s  %s", s->is_source ? "source" : "stream",
               SLICE_ARG(s->name), SLICE_ARG(s->from), SLICE_ARG(s->into), s->state);
    if (!s->is_source) {
        buf_printf(out, ", %s, lag ", s->form);
        unit_put_count(out, s->lag);
    }
    buf_printf(out, ", %.0f/s\n          ", s->rows_per_second);
    report_ledger(out, &s->ledger);
    buf_printf(out, "  %s\n", s->balanced ? "balanced" : "DOES NOT BALANCE");
    if (s->trouble[0]) buf_printf(out, "          trouble: %s\n", s->trouble);
    if (s->note[0]) buf_printf(out, "          note: %s\n", s->note);
    if (s->paused_ms) {
        buf_text(out, "          ");
        report_paused(out, s->name, s->paused_ms);
    }
    w->fine &= stage_is_fine(s);
    w->count++;
    return ERR_OK;
}

bool report_status(const struct exec_world *world, const struct report_facts *f, struct buf *out)
{
    struct status_walk w = {f, out, 0, !f->workflows_stopped};
    buf_printf(out, "sluice %s  %s  pid %d  up ", f->version, f->project, f->pid);
    unit_put_ms(out, f->now_ms - f->started_ms);
    buf_text(out, "  memory ");
    unit_put_bytes(out, f->memory_bytes);
    buf_char(out, '\n');
    if (f->kafka && f->kafka[0]) buf_printf(out, "  kafka  %s\n", f->kafka);
    if (f->cql && f->cql[0]) buf_printf(out, "  cql    %s\n", f->cql);
    if (f->workflows && f->workflows[0]) buf_printf(out, "  dags   %s\n", f->workflows);
    if (world->flow && flow_each(world->flow, status_stage, &w)) w.fine = false;
    if (!w.count) buf_text(out, "  nothing runs: pipeline.sql declares no source and no stream\n");
    buf_text(out, w.fine ? "healthy\n"
                         : "NOT healthy: see the stages above, and `sluice logs --level warn`\n");
    return w.fine;
}

static void json_field(struct buf *out, const char *name, struct slice text)
{
    buf_printf(out, "\"%s\": ", name);
    json_put_text(out, text);
}

static err_t status_stage_json(void *ctx, const struct flow_status *s)
{
    struct status_walk *w = ctx;
    struct buf *out = w->out;
    const struct ledger *l = &s->ledger;
    buf_text(out, w->count++ ? ",\n    {" : "\n    {");
    json_field(out, "name", s->name);
    buf_printf(out, ", \"kind\": \"%s\", ", s->is_source ? "source" : "stream");
    json_field(out, "from", s->from);
    buf_text(out, ", ");
    json_field(out, "into", s->into);
    buf_printf(out,
               ", \"state\": \"%s\", \"form\": \"%s\", \"lag\": %" PRIu64 ", \"epochs\": %" PRIu64
               ", \"rowsPerSecond\": %.1f, \"lanes\": %u, \"feeders\": %u, \"cpuNs\": %" PRIu64
               ", \"memory\": %zu,\n     ",
               s->state, s->form ? s->form : "", s->lag, s->epochs, s->rows_per_second, s->lanes,
               s->feeders, s->cpu_ns, s->memory);
    buf_printf(out,
               "\"ledger\": {\"in\": %" PRIu64 ", \"applied\": %" PRIu64 ", \"filtered\": %" PRIu64
               ", \"deduplicated\": %" PRIu64 ", \"late\": %" PRIu64 ", \"dead\": %" PRIu64
               ", \"expired\": %" PRIu64 ", \"held\": %" PRIu64 ", \"rowsOut\": %" PRIu64
               "}, \"balanced\": %s, ",
               l->in, l->applied, l->filtered, l->deduplicated, l->late, l->dead, l->expired,
               l->held, l->rows_out, s->balanced ? "true" : "false");
    const struct flow_span *spans[] = {&s->live, &s->catchup};
    for (size_t i = 0; i < COUNT_OF(spans); i++)
        buf_printf(out,
                   "\"%s\": {\"epochs\": %" PRIu64 ", \"p50Us\": %" PRId64 ", \"p99Us\": %" PRId64
                   ", \"maxUs\": %" PRId64 "}, ",
                   i ? "catchup" : "live", spans[i]->epochs, spans[i]->p50_us, spans[i]->p99_us,
                   spans[i]->max_us);
    json_field(out, "trouble", slice_of(s->trouble));
    buf_text(out, ", ");
    json_field(out, "note", slice_of(s->note));
    if (s->building)
        buf_printf(out, ", \"builtPercent\": %.1f, \"leftSeconds\": %" PRId64, s->built_percent,
                   s->left_s);
    if (s->paused_ms) buf_printf(out, ", \"pausedMs\": %" PRId64, s->paused_ms);
    buf_char(out, '}');
    w->fine &= stage_is_fine(s);
    return ERR_OK;
}

bool report_status_json(const struct exec_world *world, const struct report_facts *f,
                        struct buf *out)
{
    struct status_walk w = {f, out, 0, !f->workflows_stopped};
    buf_printf(out, "{\"version\": \"%s\", ", f->version);
    json_field(out, "project", slice_of(f->project));
    buf_text(out, ", ");
    json_field(out, "kafka", slice_of(f->kafka ? f->kafka : ""));
    buf_text(out, ", ");
    json_field(out, "cql", slice_of(f->cql ? f->cql : ""));
    buf_text(out, ", ");
    json_field(out, "workflows", slice_of(f->workflows ? f->workflows : ""));
    buf_printf(out,
               ", \"pid\": %d, \"startedMs\": %" PRId64 ", \"uptimeMs\": %" PRId64
               ", \"memory\": %" PRIu64 ", \"memoryBudget\": %" PRIu64 ", \"cpuNs\": %" PRId64
               ",\n  \"stages\": [",
               f->pid, f->started_ms, f->now_ms - f->started_ms, f->memory_bytes, f->memory_budget,
               f->cpu_ns);
    if (world->flow && flow_each(world->flow, status_stage_json, &w)) w.fine = false;
    buf_printf(out, "],\n  \"healthy\": %s}\n", w.fine ? "true" : "false");
    return w.fine;
}

/* --- top
 * ---------------------------------------------------------------------------------------------------
 */

static err_t top_stage(void *ctx, const struct flow_status *s)
{
    struct status_walk *w = ctx;
    double share = w->facts->cpu_ns > 0 ? 100.0 * (double)s->cpu_ns / (double)w->facts->cpu_ns : 0;
    buf_printf(w->out, "  %-7s %-24.*s %9.1f s  %5.1f %%  ", s->is_source ? "source" : "stream",
               SLICE_ARG(s->name), (double)s->cpu_ns / 1e9, share);
    unit_put_bytes(w->out, s->memory);
    buf_char(w->out, '\n');
    return ERR_OK;
}

void report_top(const struct exec_world *world, const struct report_facts *f, struct buf *out)
{
    struct status_walk w = {f, out, 0, !f->workflows_stopped};
    struct store_stats stats = store_stats(world->store);
    buf_printf(out, "process %d: %.1f s of processor time, ", f->pid, (double)f->cpu_ns / 1e9);
    unit_put_bytes(out, f->memory_bytes);
    buf_text(out, " of a budget of ");
    unit_put_bytes(out, f->memory_budget);
    buf_text(out, "\n\n  stage                                processor   share    memory\n");
    if (world->flow && flow_each(world->flow, top_stage, &w))
        buf_text(out, "  (the stages can not be read just now)\n");
    buf_text(out, "\n  tables: fresh rows ");
    unit_put_bytes(out, stats.memtable_bytes);
    buf_text(out, ", block cache ");
    unit_put_bytes(out, stats.cache_bytes);
    buf_text(out, ", on disk ");
    unit_put_bytes(out, stats.disk_bytes);
    buf_printf(out, ", %" PRIu64 " compactions running, ", stats.compactions_running);
    unit_put_bytes(out, stats.pending_compaction_bytes);
    buf_text(out, " to compact\n  containers and buffers of ours: ");
    unit_put_bytes(out, mem_held());
    buf_char(out, '\n');
}
