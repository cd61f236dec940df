/* Plans for people: aligned, short. A plan of one step is shown as a form, others as a tree. */
#include "sql/aggregate.h"
#include "sql/bind.h"
#include "sql/text.h"

/* As written, white space made single. */
static void print_text(struct slice text, struct buf *out)
{
    bool space = false, quoted = false;
    for (uint32_t i = 0; i < text.len; i++) {
        char c = (char)text.at[i];
        if (c == '\'') quoted = !quoted;
        if (!quoted && (c == ' ' || c == '\n' || c == '\t' || c == '\r')) {
            space = true;
            continue;
        }
        if (space) buf_char(out, ' ');
        space = false;
        buf_char(out, c);
    }
}

void expr_print(const struct expr *e, struct buf *out)
{
    print_text(e->text, out);
}

/* --- a stream of one step -----------------------------------------------------------------------
 */

static void print_padded(struct slice text, size_t width, struct buf *out)
{
    buf_slice(out, text);
    for (size_t n = utf8_length(text); n < width; n++) buf_char(out, ' ');
}

static size_t name_width(const struct plan_topic *t, const struct plan_rows *r)
{
    size_t width = 4;
    for (uint32_t i = 0; i < t->input_count; i++)
        width = MAX(width, utf8_length(t->inputs[i].text));
    for (uint32_t i = 0; i < r->output_count; i++)
        width = MAX(width, utf8_length(r->outputs[i].name));
    return MIN(width, (size_t)40);
}

static void print_inputs(const struct plan_topic *t, size_t width, struct buf *out)
{
    for (uint32_t i = 0; i < t->input_count; i++) {
        const struct plan_input *in = &t->inputs[i];
        buf_text(out, i ? "          " : "  reads   ");
        print_padded(in->text, width, out);
        buf_char(out, ' ');
        size_t before = out->len;
        type_print(in->type, out);
        if (in->path.cast)
            buf_printf(out, "%*s converted", (int)MAX(before + 9, out->len) - (int)out->len, "");
        buf_char(out, '\n');
    }
}

static const char *key_word(const struct plan_stream *p, struct slice name)
{
    static const char *const keys[] = {"", "  (partition key)", "  (clustering key)"};
    if (p->sink == SINK_TOPIC)
        return p->topic_key >= 0 && slice_equal(p->root->columns[p->topic_key].name, name)
                   ? "  (key)"
                   : "";
    int64_t column = p->sink == SINK_TABLE ? relation_column(p->into, name) : -1;
    return column >= 0 ? keys[p->into->columns[column].key] : "";
}

static void print_outputs(const struct plan_stream *p, const struct plan_rows *r, size_t width,
                          struct buf *out)
{
    for (uint32_t i = 0; i < r->output_count; i++) {
        const struct plan_output *o = &r->outputs[i];
        buf_text(out, i ? "          " : "  writes  ");
        print_padded(o->name, width, out);
        buf_char(out, ' ');
        size_t before = out->len;
        type_print(o->type, out);
        while (out->len < before + 10 && !out->err) buf_char(out, ' ');
        expr_print(o->value, out);
        buf_printf(out, "%s\n", key_word(p, o->name));
    }
}

static void print_check(const struct plan_check *c, const char *before, const char *after,
                        struct buf *out)
{
    static const char *const actions[] = {"DEAD LETTER", "SKIP", "FAIL", "NULL"};
    buf_text(out, before);
    print_text(c->text, out);
    buf_printf(out, ", else %s%s", actions[c->action], after);
}

static void print_leaves(const struct plan_stream *p, struct buf *out)
{
    if (p->sink != SINK_TABLE) return;
    buf_text(out, "  leaves  ");
    const char *comma = "";
    for (uint32_t i = 0; i < p->into->column_count; i++) {
        bool written = false;
        for (uint32_t k = 0; k < p->root->column_count; k++)
            written = written || slice_equal(p->root->columns[k].name, p->into->columns[i].name);
        if (written) continue;
        buf_printf(out, "%s%.*s", comma, SLICE_ARG(p->into->columns[i].name));
        comma = ", ";
    }
    buf_text(out, p->writes_every_column ? "no column as it was\n" : " as they were\n");
}

static bool one_step(const struct plan_stream *p)
{
    return p->root->kind == NODE_ROWS && p->root->inputs[0]->kind == NODE_TOPIC;
}

static void print_step(const struct plan_stream *p, struct buf *out)
{
    const struct plan_rows *r = &p->root->rows;
    const struct plan_topic *t = &p->root->inputs[0]->topic;
    size_t width = name_width(t, r);
    print_inputs(t, width, out);
    if (r->where) {
        buf_text(out, "  where   ");
        expr_print(r->where, out);
        buf_char(out, '\n');
    }
    for (uint32_t i = 0; i < r->check_count; i++)
        print_check(&r->checks[i], "  check   ", "\n", out);
    print_outputs(p, r, width, out);
}

static void print_target(const struct plan_stream *p, struct buf *out)
{
    const char *comma = "";
    buf_printf(out, "%.*s: ", SLICE_ARG(p->name));
    for (uint32_t i = 0; i < p->topic_count; i++) {
        bool told = false;
        for (uint32_t k = 0; k < i; k++)
            told = told || p->topics[k]->topic.relation == p->topics[i]->topic.relation;
        if (told) continue;
        buf_printf(out, "%s%.*s", comma, SLICE_ARG(p->topics[i]->topic.relation->name));
        comma = ", ";
    }
    if (p->sink == SINK_NOTHING)
        buf_text(out, " -> nowhere: counted\n");
    else
        buf_printf(out, " -> %s%.*s%s%.*s\n", p->sink == SINK_TOPIC ? "topic " : "",
                   SLICE_ARG(p->into->keyspace), p->into->keyspace.len ? "." : "",
                   SLICE_ARG(p->into->name));
}

static void print_settings(const struct plan_stream *p, struct buf *out)
{
    static const char *const modes[] = {"update", "append", "complete"};
    const struct stream_settings *s = &p->settings;
    struct buf line = buf_make(500);
    if (s->trigger == TRIGGER_EVERY) buf_printf(&line, ", every %lld ms", (long long)s->every_ms);
    if (s->trigger == TRIGGER_AVAILABLE_NOW) buf_text(&line, ", what is available now");
    if (s->mode) buf_printf(&line, ", %s", modes[s->mode]);
    if (s->late == LATE_DEAD_LETTER) buf_text(&line, ", late rows are dead letters");
    if (s->idle_ms > 0) buf_printf(&line, ", idle after %lld ms", (long long)s->idle_ms);
    if (s->idle_ms < 0) buf_text(&line, ", never idle");
    if (s->from_latest) buf_text(&line, ", from the topic's end");
    if (!s->lineage) buf_text(&line, ", without lineage");
    if (s->upgrade == UPGRADE_SWAP) buf_text(&line, ", its table may be swapped");
    if (s->upgrade == UPGRADE_STOP) buf_text(&line, ", its table is never swapped");
    if (line.len > 2) buf_printf(out, "  runs    %s\n", buf_cstr(&line) + 2);
    buf_done(&line);
}

static bool runs_command(const struct plan_node *n)
{
    bool any = n->kind == NODE_TRANSFORM;
    for (uint32_t i = 0; i < n->input_count; i++) any = any || runs_command(n->inputs[i]);
    return any;
}

void plan_stream_print(const struct plan_stream *p, struct buf *out)
{
    print_target(p, out);
    if (one_step(p)) {
        print_step(p, out);
    } else {
        struct buf tree = buf_make(MIB(4));
        plan_node_print(p->root, &tree);
        struct slice rest = buf_view(&tree);
        while (rest.len) { /* each line a little to the right */
            const uint8_t *end = memchr(rest.at, '\n', rest.len);
            uint32_t line = end ? (uint32_t)(end - rest.at) + 1 : rest.len;
            buf_text(out, "  ");
            buf_slice(out, slice_make(rest.at, line));
            rest = slice_make(rest.at + line, rest.len - line);
        }
        buf_done(&tree);
    }
    print_leaves(p, out);
    print_settings(p, out);
    if (runs_command(p->root))
        buf_text(out, "  note    a command: what it answers may be another the next time\n");
    else if (!p->deterministic)
        buf_text(out,
                 "  note    now() or uuid(): the same for the same epoch, another in a new one\n");
}

/* --- trees --------------------------------------------------------------------------------------
 */

const char *const node_names[NODE_KINDS] = {
    [NODE_ONE] = "one",     [NODE_TOPIC] = "topic",       [NODE_TABLE] = "table",
    [NODE_ROWS] = "rows",   [NODE_UNNEST] = "unnest",     [NODE_WINDOW] = "window",
    [NODE_GROUP] = "group", [NODE_JOIN] = "join",         [NODE_LOOKUP] = "lookup",
    [NODE_UNION] = "union", [NODE_DISTINCT] = "distinct", [NODE_TOP] = "top",
    [NODE_OVER] = "over",   [NODE_SORT] = "sort",         [NODE_TRANSFORM] = "transform"};

static void print_span(int64_t ms, struct buf *out)
{
    static const struct {
        int64_t ms;
        const char *unit;
    } units[] = {{86400000, "d"}, {3600000, "h"}, {60000, "m"}, {1000, "s"}};
    for (size_t i = 0; i < COUNT_OF(units); i++) {
        if (ms == 0 || ms % units[i].ms) continue;
        buf_printf(out, "%lld%s", (long long)(ms / units[i].ms), units[i].unit);
        return;
    }
    buf_printf(out, "%lldms", (long long)ms);
}

static void print_name(const struct sql_relation *r, struct buf *out)
{
    buf_printf(out, " %.*s%s%.*s", SLICE_ARG(r->keyspace), r->keyspace.len ? "." : "",
               SLICE_ARG(r->name));
}

static void print_exprs(const struct expr *const *list, uint32_t count, struct buf *out)
{
    for (uint32_t i = 0; i < count; i++) {
        buf_text(out, i ? ", " : " ");
        expr_print(list[i], out);
    }
}

static void print_window(const struct plan_node *in, const struct plan_window *w, struct buf *out)
{
    static const char *const kinds[] = {"", "tumble", "hop", "session"};
    buf_printf(out, " %s %.*s ", kinds[w->kind], SLICE_ARG(in->columns[w->time].name));
    print_span(w->size_ms, out);
    if (w->kind == WINDOW_HOP) {
        buf_text(out, " every ");
        print_span(w->slide_ms, out);
    }
    if (w->offset_ms) {
        buf_text(out, " offset ");
        print_span(w->offset_ms, out);
    }
}

static void print_order(const struct plan_node *in, const struct plan_order *order, uint32_t count,
                        struct buf *out)
{
    if (count) buf_text(out, " by");
    for (uint32_t i = 0; i < count; i++) {
        buf_printf(out, "%s %.*s%s", i ? "," : "", SLICE_ARG(in->columns[order[i].output].name),
                   order[i].descending ? " desc" : "");
        if (order[i].nulls_first != order[i].descending)
            buf_text(out, order[i].nulls_first ? " nulls first" : " nulls last");
    }
}

static void print_ttl(int64_t ttl_ms, struct buf *out)
{
    if (!ttl_ms) return;
    buf_text(out, ", forgets after ");
    print_span(ttl_ms, out);
}

static void print_rows(const struct plan_node *n, struct buf *out)
{
    if (n->rows.where) {
        buf_text(out, " where ");
        expr_print(n->rows.where, out);
    }
    for (uint32_t i = 0; i < n->rows.check_count; i++)
        print_check(&n->rows.checks[i], i || n->rows.where ? ", check " : " check ", "", out);
}

static void print_group(const struct plan_node *n, struct buf *out)
{
    const struct plan_group *g = &n->group;
    if (g->window.kind) print_window(n->inputs[0], &g->window, out);
    if (g->key_count) buf_text(out, g->window.kind ? ", by" : " by");
    print_exprs(g->keys, g->key_count, out);
    for (uint32_t i = 0; i < g->aggregate_count; i++) {
        buf_text(out, i ? ", " : ": ");
        print_text(g->aggregates[i].text, out);
    }
    if (n->stateful) buf_text(out, g->emit == EMIT_ON_CLOSE ? ", on close" : ", on change");
    print_ttl(g->ttl_ms, out);
}

static void print_join(const struct plan_node *n, struct buf *out)
{
    static const char *const kinds[] = {"", " left", " right", " full", " semi", " anti", " cross"};
    const struct plan_join *j = &n->join;
    buf_text(out, kinds[j->kind]);
    for (uint32_t i = 0; i < j->key_count; i++) {
        buf_text(out, i ? ", " : " on ");
        expr_print(j->left_keys[i], out);
        buf_text(out, " = ");
        expr_print(j->right_keys[i], out);
    }
    if (j->bounded) {
        buf_text(out, ", times from ");
        print_span(j->low_ms, out);
        buf_text(out, " to ");
        print_span(j->high_ms, out);
    } else if (n->stateful) {
        buf_text(out, j->ttl_ms ? "" : ", for ever");
    }
    print_ttl(j->ttl_ms, out);
    if (!j->condition) return;
    buf_text(out, ", if ");
    expr_print(j->condition, out);
}

static void print_lookup(const struct plan_lookup *l, struct buf *out)
{
    print_name(l->relation, out);
    buf_text(out, " key");
    print_exprs(l->key, l->key_count, out);
    if (l->outer) buf_text(out, ", outer");
    if (!l->condition) return;
    buf_text(out, ", if ");
    expr_print(l->condition, out);
}

static void print_distinct(const struct plan_node *n, struct buf *out)
{
    const struct plan_distinct *d = &n->distinct;
    buf_text(out, " by");
    for (uint32_t i = 0; i < d->by_count; i++)
        buf_printf(out, "%s %.*s", i ? "," : "", SLICE_ARG(n->inputs[0]->columns[d->by[i]].name));
    if (d->within_watermark) {
        buf_text(out, ", until the watermark");
        if (d->keep_ms) buf_text(out, " is past by ");
        if (d->keep_ms) print_span(d->keep_ms, out);
    }
    print_ttl(d->ttl_ms, out);
}

static void print_top(const struct plan_node *n, struct buf *out)
{
    static const char *const ranks[] = {"", " rank", " dense rank"};
    buf_printf(out, " %lld%s", (long long)n->top.limit, ranks[n->top.rank]);
    if (n->top.key_count) buf_text(out, " of");
    print_exprs(n->top.keys, n->top.key_count, out);
    print_order(n->inputs[0], n->top.order, n->top.order_count, out);
    print_ttl(n->top.ttl_ms, out);
}

static void print_over(const struct plan_node *n, struct buf *out)
{
    for (uint32_t i = 0; i < n->over.function_count; i++) {
        buf_text(out, i ? ", " : " ");
        print_text(n->over.functions[i].aggregate.text, out);
    }
}

static void print_sort(const struct plan_node *n, struct buf *out)
{
    print_order(n->inputs[0], n->sort.order, n->sort.order_count, out);
    if (n->sort.limit >= 0) buf_printf(out, " limit %lld", (long long)n->sort.limit);
    if (n->sort.offset > 0) buf_printf(out, " offset %lld", (long long)n->sort.offset);
    if (n->sort.hidden) buf_printf(out, ", hides %u", n->sort.hidden);
}

static void print_details(const struct plan_node *n, struct buf *out)
{
    switch (n->kind) {
    case NODE_TOPIC:
        print_name(n->topic.relation, out);
        if (n->time >= 0 && n->topic.delay_ms) {
            buf_text(out, " delay ");
            print_span(n->topic.delay_ms, out);
        }
        break;
    case NODE_TABLE:
        print_name(n->table.relation, out);
        for (uint32_t i = 0; i < n->table.key_count; i++) {
            buf_text(out, i ? ", " : " at ");
            value_to_text(&n->table.key[i], out);
        }
        break;
    case NODE_ROWS: print_rows(n, out); break;
    case NODE_UNNEST:
        buf_text(out, n->unnest.outer ? " outer " : " ");
        expr_print(n->unnest.value, out);
        break;
    case NODE_WINDOW: print_window(n->inputs[0], &n->window, out); break;
    case NODE_GROUP: print_group(n, out); break;
    case NODE_JOIN: print_join(n, out); break;
    case NODE_LOOKUP: print_lookup(&n->lookup, out); break;
    case NODE_DISTINCT: print_distinct(n, out); break;
    case NODE_TOP: print_top(n, out); break;
    case NODE_OVER: print_over(n, out); break;
    case NODE_SORT: print_sort(n, out); break;
    case NODE_TRANSFORM:
        buf_text(out, " ");
        print_text(n->transform.command, out);
        break;
    default: break;
    }
}

void plan_node_about(const struct plan_node *n, struct buf *out)
{
    struct buf text = buf_make(MIB(1));
    print_details(n, &text);
    buf_slice(out, slice_trim(buf_view(&text)));
    buf_done(&text);
}

/* "text!" is a field that is converted. */
static void print_columns(const struct plan_node *n, struct buf *out)
{
    const struct plan_input *inputs = n->kind == NODE_TOPIC ? n->topic.inputs : NULL;
    buf_text(out, " ->");
    for (uint32_t i = 0; i < n->column_count; i++) {
        buf_printf(out, "%s %.*s ", i ? "," : "", SLICE_ARG(n->columns[i].name));
        type_print(n->columns[i].type, out);
        if (inputs && inputs[i].path.cast) buf_char(out, '!');
    }
}

static void print_traits(const struct plan_node *n, struct buf *out)
{
    if (n->time >= 0) buf_printf(out, "; time %.*s", SLICE_ARG(n->columns[n->time].name));
    for (uint32_t i = 0; i < n->key_count; i++)
        buf_printf(out, "%s %.*s", i ? "," : "; key", SLICE_ARG(n->columns[n->key[i]].name));
    if (n->stateful) buf_text(out, "; state");
    if (n->changes) buf_text(out, "; changes");
}

static void print_node(const struct plan_node *n, uint32_t depth, struct buf *out)
{
    for (uint32_t i = 0; i < depth; i++) buf_text(out, "  ");
    buf_text(out, node_names[n->kind]);
    print_details(n, out);
    print_columns(n, out);
    print_traits(n, out);
    buf_char(out, '\n');
    for (uint32_t i = 0; i < n->input_count; i++) print_node(n->inputs[i], depth + 1, out);
}

void plan_node_print(const struct plan_node *n, struct buf *out)
{
    print_node(n, 0, out);
}
