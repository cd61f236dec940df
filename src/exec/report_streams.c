/* What `sluice streams` shows: a line a stream, or one in full. */
#include "exec/report.h"

#include "base/unit.h"

#include <inttypes.h>

static const char red[] = "\033[31m", plain[] = "\033[0m";

struct walk {
    const struct exec_world *world;
    const struct report_streams_options *o;
    struct buf *out;
    struct diag *d;
    uint32_t seen, name_width;
    bool fine;
};

static bool wanted(const struct walk *w, const struct flow_status *s)
{
    return !s->is_source && (!w->o->name.len || slice_equal(w->o->name, s->name));
}

static bool is_fine(const struct flow_status *s)
{
    return s->balanced && strcmp(s->state, "failed") != 0;
}

static void put_red(struct buf *out, bool color, const char *text)
{
    buf_printf(out, "%s%s%s", color ? red : "", text, color ? plain : "");
}

void report_ledger_whole(struct buf *out, const struct ledger *l, bool balanced, bool color)
{
    uint64_t sum = ledger_became(l);
    buf_text(out, "in ");
    unit_put_count(out, l->in);
    for (enum ledger_term t = TERM_APPLIED; t <= TERM_HELD; t++) {
        buf_printf(out, " %s %s ", t > TERM_APPLIED ? "+" : "=", ledger_term_name(t));
        unit_put_count(out, ledger_value(l, t));
    }
    buf_text(out, "  ");
    if (balanced && sum == l->in) {
        buf_text(out, "balances");
        return;
    }
    put_red(out, color, "DOES NOT BALANCE");
    if (sum == l->in) return; /* the epoch at hand did not, and was not committed */
    buf_printf(out, ": %" PRIu64 " record%s %s", sum < l->in ? l->in - sum : sum - l->in,
               l->in - sum == 1 || sum - l->in == 1 ? "" : "s",
               sum < l->in ? "not accounted for" : "counted twice");
}

/* --- a line a stream ----------------------------------------------------------------------------
 */

static err_t measure(void *ctx, const struct flow_status *s)
{
    struct walk *w = ctx;
    if (wanted(w, s)) w->name_width = MAX(w->name_width, MIN(s->name.len, 40u));
    return ERR_OK;
}

static err_t put_line(void *ctx, const struct flow_status *s)
{
    struct walk *w = ctx;
    struct buf *out = w->out;
    if (!wanted(w, s)) return ERR_OK;
    if (!w->seen++)
        buf_printf(out, "%-*s  %-8s %10s %12s %12s %8s %8s  %-10s %s\n", (int)w->name_width, "name",
                   "state", "lag", "in", "rows out", "dead", "late", "ledger", "from -> into");
    bool failed = strcmp(s->state, "failed") == 0;
    buf_printf(out, "%-*.*s  ", (int)w->name_width, SLICE_ARG(s->name));
    buf_printf(out, "%s%-8s%s", failed && w->o->color ? red : "", s->state,
               failed && w->o->color ? plain : "");
    buf_printf(out, " %10" PRIu64 " %12" PRIu64 " %12" PRIu64 " %8" PRIu64 " %8" PRIu64 "  ",
               s->lag, s->ledger.in, s->ledger.rows_out, s->ledger.dead, s->late_rows);
    if (s->balanced)
        buf_printf(out, "%-10s", "balances");
    else
        put_red(out, w->o->color, "MISMATCH  ");
    buf_printf(out, " %.*s -> %.*s\n", SLICE_ARG(s->from), SLICE_ARG(s->into));
    if (s->building) buf_printf(out, "%*s  %s\n", (int)w->name_width, "", s->note);
    if (s->paused_ms) {
        buf_printf(out, "%*s  ", (int)w->name_width, "");
        report_paused(out, s->name, s->paused_ms);
    }
    w->fine &= is_fine(s);
    return out->err;
}

/* --- one in full --------------------------------------------------------------------------------
 */

static void put_operator(struct buf *out, const struct flow_operator *o)
{
    buf_printf(out, "    %-9s %12" PRIu64 " in %12" PRIu64 " out", o->kind, o->rows_in,
               o->rows_out);
    if (o->late) buf_printf(out, "  %" PRIu64 " late", o->late);
    if (o->stateful) {
        buf_printf(out, "  state %" PRIu64 " rows, ", o->state_rows);
        unit_put_bytes(out, o->state_bytes);
        buf_text(out, " in memory");
    }
    buf_char(out, '\n');
}

static void put_epochs(struct buf *out, const struct flow_status *s)
{
    const struct flow_span *spans[] = {&s->live, &s->catchup};
    buf_text(out, "  epoch      ");
    if (!s->last_epoch) {
        buf_text(out, "none yet\n");
        return;
    }
    buf_printf(out, "%" PRIu64, s->last_epoch);
    if (s->last_commit_ms) {
        buf_text(out, ", committed ");
        report_time(out, s->last_commit_ms);
    }
    for (size_t i = 0; i < COUNT_OF(spans); i++)
        if (spans[i]->epochs)
            buf_printf(out, "; %s: %" PRIu64 " of p50 %.1f ms, p99 %.1f ms",
                       i ? "catching up" : "live", spans[i]->epochs, (double)spans[i]->p50_us / 1e3,
                       (double)spans[i]->p99_us / 1e3);
    buf_char(out, '\n');
}

static void put_state(struct buf *out, const struct flow_status *s)
{
    buf_text(out, "  watermark  ");
    if (s->watermark == INT64_MIN)
        buf_text(out, "none");
    else
        report_time(out, s->watermark);
    buf_printf(out, "\n  late       %" PRIu64 " rows\n  state      %" PRIu64 " rows, ",
               s->late_rows, s->state_rows);
    unit_put_bytes(out, s->state_bytes);
    buf_text(out, " in memory\n");
}

static err_t put_whole(void *ctx, const struct flow_status *s)
{
    struct walk *w = ctx;
    struct buf *out = w->out;
    if (!wanted(w, s)) return ERR_OK;
    w->seen++;
    w->fine &= is_fine(s);
    buf_printf(out, "%.*s  %s, %s, %u lane%s", SLICE_ARG(s->name), s->state, s->form, s->lanes,
               s->lanes == 1 ? "" : "s");
    if (s->feeders)
        buf_printf(out, ", fed by %u more thread%s", s->feeders, s->feeders == 1 ? "" : "s");
    buf_char(out, '\n');
    buf_printf(out, "  from       %.*s\n  into       %.*s\n  lag        ", SLICE_ARG(s->from),
               SLICE_ARG(s->into));
    unit_put_count(out, s->lag);
    buf_text(out, " records\n  rows       ");
    unit_put_count(out, s->ledger.in);
    buf_text(out, " in, ");
    unit_put_count(out, s->ledger.rows_out);
    buf_printf(out, " out, %.0f/s now\n", s->rows_per_second);
    put_state(out, s);
    put_epochs(out, s);
    buf_text(out, "  ledger     ");
    report_ledger_whole(out, &s->ledger, s->balanced, w->o->color);
    buf_text(out, "\n  operators, inputs first\n");
    for (uint32_t i = 0; i < s->operator_count; i++) put_operator(out, &s->operators[i]);
    if (s->trouble[0]) {
        buf_text(out, "  ");
        put_red(out, w->o->color, "trouble");
        buf_printf(out, "    %s\n", s->trouble);
    }
    if (s->note[0]) buf_printf(out, "  note       %s\n", s->note);
    if (s->paused_ms) {
        buf_text(out, "  ");
        report_paused(out, s->name, s->paused_ms);
    }
    return out->err;
}

/* --- for scripts --------------------------------------------------------------------------------
 */

static err_t put_json(void *ctx, const struct flow_status *s)
{
    struct walk *w = ctx;
    if (!wanted(w, s)) return ERR_OK;
    w->seen++;
    w->fine &= is_fine(s);
    err_t e = flow_progress_json(w->world->flow, s->name, w->o->recent, w->out, w->d);
    buf_char(w->out, '\n');
    return e ? e : w->out->err;
}

err_t report_streams(const struct exec_world *world, const struct report_streams_options *o,
                     struct buf *out, bool *fine, struct diag *d)
{
    struct walk w = {world, o, out, d, 0, 4, true};
    *fine = true;
    if (!world->flow) return diag_fail(d, ERR_UNSUPPORTED, "no project runs here");
    err_t e = flow_each(world->flow, measure, &w);
    if (!e) e = flow_each(world->flow, o->json ? put_json : o->name.len ? put_whole : put_line, &w);
    *fine = w.fine;
    if (e && !d->err) return diag_fail(d, e, "the streams");
    if (e) return e;
    if (o->name.len && !w.seen) {
        (void)diag_fail(d, ERR_UNKNOWN_STREAM, "no stream '%.*s'", SLICE_ARG(o->name));
        return diag_hint(d, "`sluice streams` lists them");
    }
    if (!w.seen && !o->json) buf_text(out, "no streams: pipeline.sql declares none\n");
    return ERR_OK;
}
