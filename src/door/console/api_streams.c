/* Sources and streams: how they are, their plans with live counts, what they are asked to do. */
#include "door/console/console_int.h"

#include "exec/stages.h"

enum { TEXT_MAX = 1 << 20, ABOUT_MAX = 2000 };

/* --- one stage ----------------------------------------------------------------------------------
 */

static void put_span(struct buf *out, const char *name, const struct flow_span *s)
{
    js_put_open(out, name, '{');
    js_put_uint(out, "epochs", s->epochs);
    js_put_int(out, "p50_us", s->p50_us);
    js_put_int(out, "p99_us", s->p99_us);
    js_put_int(out, "max_us", s->max_us);
    js_close(out, '}');
}

void console_put_ledger(struct buf *out, const struct ledger *l)
{
    js_put_open(out, "ledger", '{');
    for (enum ledger_term t = TERM_IN; t < TERMS; t++)
        js_put_uint(out, ledger_term_name(t), ledger_value(l, t));
    js_close(out, '}');
}

static const char *sink_of(struct exec_world *w, const struct flow_status *s)
{
    static const char *const names[] = {
        [SINK_TABLE] = "table", [SINK_TOPIC] = "topic", [SINK_NOTHING] = "nothing"};
    const struct plan_stream *p;
    uint32_t number;
    struct diag none;
    if (s->is_source || flow_plan(w->flow, s->name, &p, &number, &none)) return "topic";
    return names[p->sink];
}

static void put_state(struct buf *out, const struct flow_status *s)
{
    js_put_cstr(out, "state", s->state);
    js_put_cstr(out, "trouble", s->trouble);
    js_put_cstr(out, "note", s->note);
    js_put_cstr(out, "form", s->form ? s->form : "");
    js_put_bool(out, "building", s->building);
    if (s->building) {
        js_put_real(out, "built_percent", s->built_percent);
        js_put_int(out, "left_s", s->left_s);
    }
}

static void put_stage(struct buf *out, struct exec_world *w, const struct flow_status *s)
{
    js_open(out, '{');
    js_put_text(out, "name", s->name);
    js_put_cstr(out, "kind", s->is_source ? "source" : "stream");
    js_put_text(out, "from", s->from.at ? s->from : SLICE(""));
    js_put_text(out, "into", s->into.at ? s->into : SLICE(""));
    js_put_cstr(out, "sink", sink_of(w, s));
    put_state(out, s);
    js_put_uint(out, "lag", s->lag);
    js_put_real(out, "rate", s->rows_per_second);
    js_put_uint(out, "epochs", s->epochs);
    js_put_uint(out, "last_epoch", s->last_epoch);
    js_put_time(out, "since", s->since_ms ? s->since_ms : INT64_MIN);
    js_put_time(out, "last_commit", s->last_commit_ms ? s->last_commit_ms : INT64_MIN);
    js_put_time(out, "watermark", s->watermark);
    js_put_uint(out, "late_rows", s->late_rows);
    js_put_uint(out, "state_rows", s->state_rows);
    js_put_uint(out, "state_bytes", s->state_bytes);
    js_put_uint(out, "lanes", s->lanes);
    js_put_uint(out, "feeders", s->feeders);
    js_put_uint(out, "cpu_ms", s->cpu_ns / 1000000);
    js_put_uint(out, "memory_bytes", s->memory);
    console_put_ledger(out, &s->ledger);
    js_put_bool(out, "balanced", s->balanced);
    put_span(out, "live", &s->live);
    put_span(out, "catchup", &s->catchup);
    js_close(out, '}');
}

/* --- the list -----------------------------------------------------------------------------------
 */

struct listing {
    struct buf *out;
    struct exec_world *world;
};

static err_t list_stage(void *ctx, const struct flow_status *s)
{
    struct listing *l = ctx;
    put_stage(l->out, l->world, s);
    return l->out->err;
}

static err_t list_stages(struct exec_world *w, struct buf *out, struct diag *d)
{
    struct listing l = {out, w};
    js_open(out, '[');
    err_t e = w->flow ? flow_each(w->flow, list_stage, &l) : ERR_OK;
    js_close(out, ']');
    return e ? diag_fail(d, e, "the streams can not be listed") : ERR_OK;
}

err_t console_streams(struct ask *a)
{
    return list_stages(ask_world(a), &a->out, &a->d);
}

err_t live_streams(struct look *k)
{
    return list_stages(look_world(k), &k->out, &k->d);
}

/* --- one, whole ---------------------------------------------------------------------------------
 */

struct wanted {
    struct slice name;
    struct flow_status *status;
    bool met;
};

static err_t take_wanted(void *ctx, const struct flow_status *s)
{
    struct wanted *w = ctx;
    if (!slice_equal(s->name, w->name)) return ERR_OK;
    *w->status = *s;
    w->met = true;
    return ERR_OK;
}

static err_t status_of(struct exec_world *w, struct slice name, struct arena *a,
                       struct flow_status **out, struct diag *d)
{
    struct wanted x = {.name = name, .status = arena_take(a, sizeof(*x.status))};
    *out = x.status;
    if (!x.status) return diag_fail(d, ERR_NO_MEMORY, "no memory for a stream's state");
    err_t e = w->flow ? flow_each(w->flow, take_wanted, &x) : ERR_OK;
    if (e) return diag_fail(d, e, "the streams can not be listed");
    if (x.met) return ERR_OK;
    (void)diag_fail(d, ERR_UNKNOWN_STREAM, "no stream or source '%.*s'", SLICE_ARG(name));
    return diag_hint(d, "GET /streams lists them");
}

/* The operator's counts, where it is among those that are told. */
static void put_node(struct buf *out, const char *kind, struct slice title, struct slice about,
                     const struct flow_operator *o)
{
    static const struct flow_operator none = {0};
    if (!o) o = &none;
    js_open(out, '{');
    js_put_uint(out, "id", o->node);
    js_put_cstr(out, "kind", kind);
    js_put_text(out, "title", title.at ? title : SLICE(""));
    js_put_text(out, "about", slice_make(about.at, MIN(about.len, (uint32_t)ABOUT_MAX)));
    js_put_uint(out, "rows_in", o->rows_in);
    js_put_uint(out, "rows_out", o->rows_out);
    js_put_uint(out, "late", o->late);
    js_put_bool(out, "stateful", o->stateful);
    js_put_uint(out, "state_rows", o->state_rows);
    js_put_uint(out, "state_bytes", o->state_bytes);
    js_put_real(out, "spent_ms", (double)o->spent_ns / 1e6);
    js_close(out, '}');
}

static void put_nodes(struct buf *out, const struct plan_node *n, const struct flow_status *s)
{
    struct buf about = buf_make(TEXT_MAX);
    struct flow_operator counts = {.node = n->id};
    for (uint32_t i = 0; i < n->input_count; i++) put_nodes(out, n->inputs[i], s);
    if (n->id < s->operator_count) counts = s->operators[n->id];
    plan_node_about(n, &about);
    put_node(out, node_names[n->kind], n->kind == NODE_TOPIC ? n->topic.relation->name : SLICE(""),
             about.len ? buf_view(&about) : SLICE(""), &counts);
    buf_done(&about);
}

static void put_edges(struct buf *out, const struct plan_node *n, uint32_t to)
{
    for (uint32_t i = 0; i < n->input_count; i++) put_edges(out, n->inputs[i], n->id);
    js_open(out, '[');
    js_uint(out, n->id);
    js_uint(out, to);
    js_close(out, ']');
}

static void put_graph(struct buf *out, const struct plan_stream *p, const struct flow_status *s)
{
    struct flow_operator last = s->writing;
    last.node = p->node_count;
    js_put_open(out, "graph", '{');
    js_put_open(out, "nodes", '[');
    put_nodes(out, p->root, s);
    put_node(out, "write", s->into, SLICE(""), &last);
    js_close(out, ']');
    js_put_open(out, "edges", '[');
    put_edges(out, p->root, p->node_count);
    js_close(out, ']');
    js_close(out, '}');
}

static void put_plan(struct buf *out, const struct plan_stream *p)
{
    struct buf text = buf_make(TEXT_MAX);
    js_put_text(out, "sql", p->text);
    plan_stream_print(p, &text);
    js_put_text(out, "plan", buf_view(&text));
    buf_done(&text);
    js_put_open(out, "topics", '[');
    for (uint32_t i = 0; i < p->topic_count; i++) js_text(out, p->topics[i]->topic.relation->name);
    js_close(out, ']');
    js_put_open(out, "table", '[');
    if (p->sink == SINK_TABLE) {
        js_text(out, p->into->keyspace);
        js_text(out, p->into->name);
    }
    js_close(out, ']');
}

/* Of a source, which has no plan. */
static void put_no_plan(struct buf *out)
{
    js_put_cstr(out, "sql", NULL);
    js_put_cstr(out, "plan", NULL);
    js_put_open(out, "topics", '[');
    js_close(out, ']');
    js_put_open(out, "table", '[');
    js_close(out, ']');
}

static err_t put_head(struct exec_world *w, struct slice name, struct arena *a, struct buf *out,
                      const struct plan_stream **plan, struct diag *d)
{
    struct flow_status *s;
    struct diag none;
    uint32_t number;
    err_t e = status_of(w, name, a, &s, d);
    if (e) return e;
    *plan = NULL;
    if (!s->is_source && flow_plan(w->flow, name, plan, &number, &none)) *plan = NULL;
    js_open(out, '{');
    js_name(out, "stage");
    put_stage(out, w, s);
    if (*plan)
        put_graph(out, *plan, s);
    else
        js_put_cstr(out, "graph", NULL);
    return ERR_OK;
}

err_t console_stage(struct ask *a)
{
    const struct plan_stream *p;
    err_t e = put_head(ask_world(a), ask_part(a, "name"), a->arena, &a->out, &p, &a->d);
    if (e) return e;
    if (p)
        put_plan(&a->out, p);
    else
        put_no_plan(&a->out);
    js_close(&a->out, '}');
    return ERR_OK;
}

err_t live_stream(struct look *k)
{
    const struct plan_stream *p;
    struct exec_world *w = look_world(k);
    err_t e = put_head(w, k->arg, k->arena, &k->out, &p, &k->d);
    if (e) return e;
    js_name(&k->out, "progress");
    if (!p)
        buf_text(&k->out, "null");
    else
        e = flow_progress_json(w->flow, k->arg, false, &k->out, &k->d);
    js_close(&k->out, '}');
    return e;
}

err_t console_progress(struct ask *a)
{
    struct exec_world *w = ask_world(a);
    if (!w->flow) return diag_fail(&a->d, ERR_UNKNOWN_STREAM, "no project runs here");
    return flow_progress_json(w->flow, ask_part(a, "name"), true, &a->out, &a->d);
}

/* --- acts ---------------------------------------------------------------------------------------
 */

err_t console_stage_cost(struct ask *a)
{
    struct stage_cost c;
    struct buf *out = &a->out, text = buf_make(KIB(4));
    struct slice name = ask_part(a, "name");
    err_t e = stage_cost_of(ask_world(a), ask_text(a, "what"), name, &c, &a->d);
    if (!e) {
        stage_cost_text(&c, name, &text);
        js_open(out, '{');
        js_put_cstr(out, "what", c.what);
        js_put_bool(out, "forgets", c.forgets);
        js_put_bool(out, "takes_table", c.takes_table);
        js_put_cstr(out, "into", c.into);
        console_put_ledger(out, &c.ledger);
        js_put_uint(out, "epochs", c.epochs);
        js_put_uint(out, "state_rows", c.state_rows);
        js_put_uint(out, "letters", c.letters);
        js_put_bool(out, "more_letters", c.more_letters);
        js_put_uint(out, "again", c.again);
        js_put_uint(out, "missing", c.missing);
        js_put_uint(out, "table_rows", c.table_rows);
        js_put_real(out, "rate", c.per_second);
        js_put_text(out, "text", buf_view(&text));
        js_close(out, '}');
    }
    buf_done(&text);
    return e;
}

static void put_done(struct ask *a, struct slice name, struct slice what)
{
    struct flow_status *s;
    struct diag none;
    js_open(&a->out, '{');
    js_put_text(&a->out, "name", name);
    js_put_text(&a->out, "what", what);
    js_put_cstr(&a->out, "state",
                status_of(ask_world(a), name, a->arena, &s, &none) ? "" : s->state);
    js_close(&a->out, '}');
}

err_t console_stage_act(struct ask *a)
{
    struct slice name = ask_part(a, "name"), what = ask_body_text(a, "what");
    bool forgets = slice_is(what, "reset") || slice_is(what, "drop");
    if (forgets && !slice_equal(ask_body_text(a, "confirm"), name)) {
        (void)diag_fail(&a->d, ERR_USAGE, "'%.*s' forgets what it remembers", SLICE_ARG(name));
        return diag_hint(&a->d, "send its name as confirm; GET /streams/NAME/cost tells what goes");
    }
    err_t e = stage_act(ask_world(a), what, name, &a->d);
    if (!e) put_done(a, name, what);
    return e;
}

err_t console_trigger(struct ask *a)
{
    struct slice name = ask_part(a, "name");
    int64_t records = ask_body_int(a, "records", 0);
    struct exec_world *w = ask_world(a);
    if (records < 0) return diag_fail(&a->d, ERR_RANGE, "records can not be less than 0");
    if (!w->flow) return diag_fail(&a->d, ERR_UNKNOWN_STREAM, "no project runs here");
    err_t e = flow_source_let(w->flow, name, (uint64_t)records, &a->d);
    if (!e) put_done(a, name, SLICE("trigger"));
    return e;
}

err_t console_upgrade(struct ask *a)
{
    const struct console_port *p = &a->console->o.port;
    if (!p->plan) return diag_fail(&a->d, ERR_UNSUPPORTED, "there are no files to compare");
    return p->plan(p->ctx, &a->out, &a->d);
}
