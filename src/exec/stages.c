#include "exec/stages.h"

#include "base/unit.h"

#include <inttypes.h>
#include <stdio.h>

enum act { ACT_PAUSE, ACT_RESUME, ACT_RESTART, ACT_RESET, ACT_DROP, ACTS };
static const struct {
    const char *what;
    err_t (*act)(struct flow *f, struct slice name, struct diag *d); /* NULL: drop */
} acts[ACTS] = {[ACT_PAUSE] = {"pause", flow_pause},
                [ACT_RESUME] = {"resume", flow_resume},
                [ACT_RESTART] = {"restart", flow_restart},
                [ACT_RESET] = {"reset", flow_reset},
                [ACT_DROP] = {"drop", NULL}};

static err_t act_of(const struct exec_world *w, struct slice what, struct slice name, enum act *out,
                    struct diag *d)
{
    *out = ACT_PAUSE;
    while (*out < ACTS && !slice_is(what, acts[*out].what)) (*out)++;
    if (*out == ACTS) {
        (void)diag_fail(d, ERR_USAGE, "'%.*s' is nothing a stream can do", SLICE_ARG(what));
        return diag_hint(d, "pause, resume, restart, reset, drop");
    }
    if (!name.len || name.len > STAGE_NAME_BYTES)
        return diag_fail(d, ERR_USAGE, "name a stream or source: 1 to %d bytes", STAGE_NAME_BYTES);
    if (!w->flow) return diag_fail(d, ERR_UNSUPPORTED, "no project runs here");
    if (*out != ACT_DROP || !flow_has(w->flow, name)) return ERR_OK;
    (void)diag_fail(d, ERR_IN_USE, "'%.*s' is declared by pipeline.sql", SLICE_ARG(name));
    return diag_hint(d, "take it out of pipeline.sql and start again; then drop what it left");
}

err_t stage_act(const struct exec_world *w, struct slice what, struct slice name, struct diag *d)
{
    enum act act;
    err_t e = act_of(w, what, name, &act, d);
    if (e) return e;
    return acts[act].act ? acts[act].act(w->flow, name, d) : stage_drop(w->store, name, d);
}

/* --- the cost -----------------------------------------------------------------------------------
 */

struct asking {
    struct slice name;
    struct stage_cost *cost;
    bool met;
};

static err_t take_status(void *ctx, const struct flow_status *s)
{
    struct asking *x = ctx;
    struct stage_cost *c = x->cost;
    if (!slice_equal(s->name, x->name)) return ERR_OK;
    x->met = true;
    c->is_source = s->is_source;
    c->ledger = s->ledger;
    c->epochs = s->epochs;
    c->state_rows = s->state_rows;
    c->state_bytes = s->state_bytes;
    c->per_second = s->rows_per_second;
    snprintf(c->into, sizeof(c->into), "%.*s", SLICE_ARG(s->into));
    return ERR_OK;
}

static err_t take_left(void *ctx, const struct stage_left *l)
{
    struct asking *x = ctx;
    if (!slice_equal(l->name, x->name)) return ERR_OK;
    x->met = true;
    x->cost->is_source = !l->sql.text.len;
    x->cost->ledger = l->ledger;
    x->cost->takes_table = l->view;
    snprintf(x->cost->into, sizeof(x->cost->into), "%.*s", SLICE_ARG(l->sql.into));
    return ERR_OK;
}

static err_t count_letter(void *ctx, const struct dead_letter *l)
{
    struct stage_cost *c = ctx;
    (void)l;
    c->more_letters = c->letters == STAGE_LETTERS_COUNTED;
    c->letters += !c->more_letters;
    return c->more_letters ? ERR_STOPPED : ERR_OK;
}

/* What the stream would read from the beginning. */
static void count_records(const struct exec_world *w, struct slice name, struct stage_cost *c)
{
    const struct plan_stream *p;
    uint32_t number;
    struct diag none;
    if (flow_plan(w->flow, name, &p, &number, &none)) return; /* a source reads no topic */
    for (uint32_t i = 0; i < p->topic_count; i++) {
        struct log_topic *t = log_topic_find(w->log, p->topics[i]->topic.relation->name);
        for (int32_t n = 0; t && n < log_topic_partitions(t); n++) {
            struct log_partition *at = log_partition(t, n);
            int64_t start = log_start_offset(at), end = log_end_offset(at);
            c->again += (uint64_t)MAX(end - start, (int64_t)0);
            c->missing += (uint64_t)MAX(start, (int64_t)0);
        }
    }
    if (p->sink != SINK_TABLE) return;
    const struct store_table *t = store_table_find(w->store, p->into->keyspace, p->into->name);
    struct store_table_stats stats;
    if (t && !store_table_stats(w->store, t, &stats, &none)) c->table_rows = stats.rows_estimate;
}

err_t stage_cost_of(const struct exec_world *w, struct slice what, struct slice name,
                    struct stage_cost *out, struct diag *d)
{
    struct asking x = {.name = name, .cost = out};
    enum act act;
    err_t e = act_of(w, what, name, &act, d);
    if (e) return e;
    *out =
        (struct stage_cost){.what = acts[act].what, .forgets = act == ACT_RESET || act == ACT_DROP};
    e = act == ACT_DROP ? stages_left(w->store, take_left, &x, d)
                        : flow_each(w->flow, take_status, &x);
    if (e) return d->err ? e : diag_fail(d, e, "the stage's figures");
    if (!x.met) {
        (void)diag_fail(d, ERR_UNKNOWN_STREAM, "no stream or source '%.*s'", SLICE_ARG(name));
        return diag_hint(d, "`sluice streams` and `sluice status` list them");
    }
    if (!out->forgets) return ERR_OK;
    if (act == ACT_RESET) count_records(w, name, out);
    e = dead_letters_newest(w->store, name, count_letter, out, d);
    return e == ERR_STOPPED ? ERR_OK : e;
}

static void put_number(struct buf *out, uint64_t n, const char *one, const char *many)
{
    unit_put_count(out, n);
    buf_printf(out, " %s", n == 1 ? one : many);
}

void stage_cost_text(const struct stage_cost *c, struct slice name, struct buf *out)
{
    if (!c->forgets) {
        buf_printf(out, "%.*s: nothing is forgotten", SLICE_ARG(name));
        if (c->per_second > 0.05) buf_printf(out, "; about %.0f/s come meanwhile", c->per_second);
        buf_text(out, "\n");
        return;
    }
    buf_printf(out, "%.*s forgets its cursor, its ledger (", SLICE_ARG(name));
    put_number(out, c->ledger.in, "record", "records");
    buf_text(out, " in), its state (");
    put_number(out, c->state_rows, "row", "rows");
    buf_text(out, ") and ");
    if (c->more_letters) buf_text(out, "more than ");
    put_number(out, c->letters, "dead letter", "dead letters");
    buf_text(out, ".\n");
    if (!strcmp(c->what, "reset") && !c->is_source) {
        buf_text(out, "It begins anew: ");
        put_number(out, c->again, "record is", "records are");
        buf_text(out, " read again");
        if (c->missing) {
            buf_text(out, "; ");
            put_number(out, c->missing, "older one is", "older ones are");
            buf_text(out, " in the log no more");
        }
        buf_text(out, ".\n");
    }
    if (!strcmp(c->what, "reset") && c->is_source)
        buf_text(out, "It fetches from its beginning: what it brought stays in the topic, and may "
                      "come a second time.\n");
    if (c->takes_table)
        buf_printf(out, "The view's own table %s goes with it.\n", c->into);
    else
        buf_text(out, "Rows and topics stay.\n");
}
