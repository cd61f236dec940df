/* CREATE STREAM: a SELECT whose outputs take the table's types. */
#include "base/hash.h"
#include "sql/bind.h"

/* What a bounded query may do and a stream may not yet, by its name. */
static void refuse_clauses(struct binder *b, const struct select_tree *s)
{
    bool aggregate = s->group_count > 0 || s->having;
    for (uint32_t i = 0; i < s->item_count; i++)
        aggregate = aggregate || tree_has_aggregate(s->items[i].value);
    const char *what = aggregate        ? "aggregates in streams"
                       : s->distinct    ? "DISTINCT in streams"
                       : s->order_count ? "ORDER BY in streams"
                       : s->limit >= 0  ? "LIMIT in streams"
                       : s->offset > 0  ? "OFFSET in streams"
                                        : NULL;
    if (what)
        bind_fail(b, b->statement->text, ERR_UNSUPPORTED, "%s: not available in this version",
                  what);
}

static void bind_relations(struct binder *b, const struct statement *s, struct plan_stream *out)
{
    const struct select_tree *t = s->select;
    b->from = out->from = bind_relation(b, t->from, t->place);
    b->alias = t->alias;
    if (!b->err) out->into = bind_relation(b, s->into, s->into.name);
    if (b->err) return;
    if (out->from->kind != RELATION_TOPIC) {
        bind_fail(b, t->place, ERR_UNSUPPORTED,
                  "a stream from a table or view: not available in this version");
        bind_hint(b, "FROM names a topic");
    } else if (out->into->kind != RELATION_TABLE) {
        bind_fail(b, s->into.name, ERR_UNSUPPORTED,
                  "a stream into a topic: not available in this version");
        bind_hint(b, "INTO names a table");
    }
}

/* One output into its column of the table. */
static void bind_column(struct binder *b, const struct select_item *item, struct plan_stream *out,
                        struct plan_output *outputs, bool *written)
{
    struct slice name = bind_output_name(b, item);
    struct slice place = item->alias.at ? item->alias : item->value->text;
    int64_t column = relation_column(out->into, name);
    if (column < 0) {
        bind_unknown_column(b, place, out->into, name);
        return;
    }
    if (written[column]) {
        bind_fail(b, place, ERR_EXISTS, "the column %.*s is written twice", SLICE_ARG(name));
        return;
    }
    written[column] = true;
    const struct type *type = out->into->columns[column].type;
    char what[300];
    struct buf w = buf_over(what, sizeof(what));
    buf_printf(&w, "column %.*s", SLICE_ARG(name));
    struct expr *value = bind_coerce(b, bind_expr(b, item->value), type, buf_cstr(&w));
    if (value) outputs[out->output_count++] = (struct plan_output){name, type, value};
}

static void bind_outputs(struct binder *b, const struct select_tree *s, struct plan_stream *out)
{
    struct plan_output *outputs = bind_take(b, s->item_count * sizeof(*outputs));
    bool *written = bind_take(b, out->into->column_count);
    b->no_aggregates = "a stream";
    for (uint32_t i = 0; outputs && written && i < s->item_count && !b->err; i++) {
        if (s->items[i].value->kind == TREE_STAR) {
            bind_fail(b, s->items[i].value->text, ERR_UNSUPPORTED,
                      "SELECT * in streams: not available in this version");
            bind_hint(b, "name the columns: what a topic brings may change");
            return;
        }
        bind_column(b, &s->items[i], out, outputs, written);
    }
    out->outputs = outputs;
    out->writes_every_column = true;
    for (uint32_t i = 0; i < out->into->column_count && !b->err; i++) {
        const struct sql_column *c = &out->into->columns[i];
        if (written[i]) continue;
        out->writes_every_column = false;
        if (!c->key) continue;
        bind_fail(b, s->items[0].value->text, ERR_TYPE, "the key column %.*s is not written",
                  SLICE_ARG(c->name));
        bind_hint(b, "add … AS %.*s to the SELECT", SLICE_ARG(c->name));
    }
}

/* --- CHECK --------------------------------------------------------------------------------------
 */

static bool same_field(const struct plan_input *a, const struct plan_input *b)
{
    if (a->kind != b->kind || a->path.step_count != b->path.step_count) return false;
    for (uint32_t i = 0; i < a->path.step_count; i++) {
        const struct json_step *x = &a->path.steps[i], *y = &b->path.steps[i];
        if ((x->name.at != NULL) != (y->name.at != NULL)) return false;
        if (x->name.at ? !slice_equal(x->name, y->name) : x->index != y->index) return false;
    }
    return true;
}

static bool reads_field(const struct binder *b, const struct expr *e,
                        const struct plan_input *field)
{
    if (e->kind == EXPR_INPUT) return same_field(&b->inputs[e->input], field);
    for (uint32_t i = 0; i < e->count; i++)
        if (reads_field(b, e->args[i], field)) return true;
    return false;
}

static bool shares_field(const struct binder *b, const struct expr *condition,
                         const struct expr *output)
{
    if (condition->kind == EXPR_INPUT) return reads_field(b, output, &b->inputs[condition->input]);
    for (uint32_t i = 0; i < condition->count; i++)
        if (shares_field(b, condition->args[i], output)) return true;
    return false;
}

/* ELSE NULL: the outputs that are made of a field the condition looks at. */
static void bind_nulls(struct binder *b, const struct plan_stream *p, struct slice place,
                       struct plan_check *check)
{
    uint32_t *nulls = bind_take(b, p->output_count * sizeof(*nulls));
    for (uint32_t i = 0; nulls && i < p->output_count; i++) {
        if (!shares_field(b, check->condition, p->outputs[i].value)) continue;
        nulls[check->null_count++] = i;
        int64_t column = relation_column(p->into, p->outputs[i].name);
        if (p->into->columns[column].key)
            bind_fail(b, place, ERR_TYPE, "ELSE NULL would make the key column %.*s null",
                      SLICE_ARG(p->outputs[i].name));
    }
    if (!b->err && check->null_count == 0)
        bind_fail(b, place, ERR_TYPE, "ELSE NULL: no column is made of what this condition reads");
    check->nulls = nulls;
}

static void bind_checks(struct binder *b, const struct select_tree *s, struct plan_stream *out)
{
    struct plan_check *checks = bind_take(b, s->check_count * sizeof(*checks));
    b->no_aggregates = "CHECK";
    for (uint32_t i = 0; checks && i < s->check_count && !b->err; i++) {
        const struct check_tree *c = &s->checks[i];
        checks[i] = (struct plan_check){.action = c->action, .text = c->text};
        checks[i].condition = bind_condition(b, c->condition, "CHECK");
        if (!b->err && c->action == CHECK_NULL) bind_nulls(b, out, c->text, &checks[i]);
    }
    out->checks = checks;
    out->check_count = s->check_count;
}

/* --- the version --------------------------------------------------------------------------------
 */

/* The statement's tokens, so that white space, comments and the case of words do not count. */
static uint64_t text_version(struct binder *b)
{
    struct lexer l = {
        .text = b->statement->text, .dialect = b->dialect, .arena = b->arena, .file = b->file};
    struct buf all = buf_make(SQL_TEXT_MAX * 2 + 1024);
    struct token t;
    while (!lex_next(&l, &t) && t.kind != TOKEN_END) {
        buf_char(&all, (char)t.kind);
        buf_uvarint(&all, t.value.len);
        buf_slice(&all, t.value);
    }
    uint64_t version = hash64(buf_view(&all), 0);
    if (all.err) bind_fail(b, b->statement->text, all.err, "the statement does not fit the memory");
    buf_done(&all);
    return version;
}

err_t sql_bind_stream(const struct statement *s, const struct sql_catalog *c, const char *file,
                      struct arena *a, struct plan_stream *out, struct diag *d)
{
    struct binder b = binder_make(s, c, s->dialect, file, a, d);
    INVARIANT(s->kind == STATEMENT_CREATE_STREAM);
    *out = (struct plan_stream){.name = s->name.name, .text = s->text};
    refuse_clauses(&b, s->select);
    if (!b.err) bind_relations(&b, s, out);
    b.no_aggregates = "WHERE";
    if (!b.err && s->select->where) out->where = bind_condition(&b, s->select->where, "WHERE");
    if (!b.err) bind_outputs(&b, s->select, out);
    if (!b.err) bind_checks(&b, s->select, out);
    out->inputs = b.inputs;
    out->input_count = b.input_count;
    out->deterministic = !b.fresh;
    if (!b.err) out->sql_version = text_version(&b);
    return b.err;
}
