/* SELECT: outputs, groups, order, and the key that WHERE fixes. */
#include "sql/bind.h"

struct slice bind_output_name(struct binder *b, const struct select_item *item)
{
    if (item->alias.at) return item->alias;
    const struct tree *t = item->value;
    while (t->kind == TREE_CAST) t = t->args[0];
    if (t->kind == TREE_CALL) return t->value;
    for (uint32_t i = t->kind == TREE_NAME ? t->step_count : 0; i > 0; i--)
        if (t->steps[i - 1].name.at) return t->steps[i - 1].name;
    struct slice text = item->value->text;
    if (text.len <= 60) return text;
    struct slice cut = arena_slice(b->arena, slice_make(text.at, 60));
    while (cut.len && (cut.at[cut.len] & 0xc0) == 0x80) cut.len--; /* NUL or what was cut off */
    return cut;
}

/* --- * ------------------------------------------------------------------------------------------
 */

static const struct tree *name_tree(struct binder *b, struct slice name, struct slice place)
{
    struct tree *t = bind_take(b, sizeof(*t));
    struct json_step *step = bind_take(b, sizeof(*step));
    if (!t || !step) return NULL;
    *step = (struct json_step){.name = name};
    *t = (struct tree){
        .kind = TREE_NAME, .depth = 1, .text = name, .value = {0}, .steps = step, .step_count = 1};
    (void)place;
    return t;
}

/* Every item, with * replaced by what it stands for. */
static struct select_item *expand(struct binder *b, const struct select_tree *s, uint32_t *count)
{
    static const char *const record[] = {"_key", "_value", "_timestamp", "_partition", "_offset"};
    uint32_t most = s->item_count;
    const struct sql_relation *r = b->from;
    bool open = r && r->kind == RELATION_TOPIC && r->open;
    uint32_t width = !r ? 0 : open ? (uint32_t)COUNT_OF(record) : r->column_count;
    for (uint32_t i = 0; i < s->item_count; i++)
        if (s->items[i].value->kind == TREE_STAR) most += width;
    struct select_item *out = bind_take(b, most * sizeof(*out));
    *count = 0;
    for (uint32_t i = 0; out && i < s->item_count; i++) {
        if (s->items[i].value->kind != TREE_STAR) {
            out[(*count)++] = s->items[i];
            continue;
        }
        struct slice place = s->items[i].value->text;
        if (!r) bind_fail(b, place, ERR_SYNTAX, "there is no FROM to take * from");
        for (uint32_t k = 0; k < width; k++) {
            struct slice name = open ? slice_of(record[k]) : r->columns[k].name;
            out[*count].value = name_tree(b, name, place);
            out[(*count)++].alias = name;
        }
    }
    return b->err ? NULL : out;
}

/* --- GROUP BY -----------------------------------------------------------------------------------
 */

/* A number is an output's place, a name perhaps its alias. */
static const struct tree *referred(struct binder *b, const struct tree *t,
                                   const struct select_item *items, uint32_t count, int64_t *place)
{
    *place = -1;
    if (t->kind == TREE_INTEGER) {
        int64_t n = 0;
        if (!slice_to_i64(t->value, &n) || n < 1 || n > count) {
            bind_fail(b, t->text, ERR_RANGE, "there is no output %.*s", SLICE_ARG(t->text));
            return NULL;
        }
        *place = n - 1;
        return items[n - 1].value;
    }
    for (uint32_t i = 0; i < count; i++) {
        bool alias = t->kind == TREE_NAME && t->step_count == 1 && items[i].alias.at &&
                     slice_equal(items[i].alias, t->steps[0].name);
        if (!alias && !tree_equal(items[i].value, t)) continue;
        *place = i;
        return items[i].value;
    }
    return t;
}

static void bind_groups(struct binder *b, const struct select_tree *s,
                        const struct select_item *items, uint32_t count, struct group *g)
{
    g->keys = bind_take(b, s->group_count * sizeof(const struct tree *));
    g->key_exprs = bind_take(b, s->group_count * sizeof(const struct expr *));
    g->key_count = s->group_count;
    b->no_aggregates = "GROUP BY";
    for (uint32_t i = 0; i < s->group_count && !b->err; i++) {
        int64_t place;
        bool column = s->group[i]->kind == TREE_NAME && b->from && !b->from->open &&
                      relation_column(b->from, s->group[i]->steps[0].name) >= 0;
        const struct tree *t =
            column ? s->group[i] : referred(b, s->group[i], items, count, &place);
        g->keys[i] = t;
        g->key_exprs[i] = t ? bind_settle(b, bind_expr(b, t)) : NULL;
    }
    b->no_aggregates = NULL;
}

static bool wants_groups(const struct select_tree *s)
{
    bool any = s->group_count > 0 || s->having;
    for (uint32_t i = 0; i < s->item_count; i++) any = any || tree_has_aggregate(s->items[i].value);
    for (uint32_t i = 0; i < s->order_count; i++)
        any = any || tree_has_aggregate(s->order[i].value);
    return any;
}

/* --- ORDER BY -----------------------------------------------------------------------------------
 */

static void bind_order(struct binder *b, const struct select_tree *s,
                       const struct select_item *items, struct plan_output *outputs,
                       struct plan_select *out)
{
    struct plan_order *order = bind_take(b, s->order_count * sizeof(*order));
    for (uint32_t i = 0; order && i < s->order_count && !b->err; i++) {
        int64_t place;
        const struct tree *t = referred(b, s->order[i].value, items, out->output_count, &place);
        if (b->err) return;
        if (place < 0 && s->distinct) {
            bind_fail(b, t->text, ERR_SYNTAX,
                      "with DISTINCT, ORDER BY takes only what is selected");
            return;
        }
        if (place < 0) {
            place = out->output_count + out->hidden_count++;
            struct expr *e = bind_settle(b, bind_expr(b, t));
            if (!e) return;
            outputs[place] = (struct plan_output){.name = t->text, .type = e->type, .value = e};
        }
        const struct type *type = outputs[place].type;
        if (type->kind == TYPE_JSON || type_is_nested(type)) {
            bind_fail(b, s->order[i].value->text, ERR_TYPE, "%s has no order",
                      bind_type_name(b, type));
            bind_hint(b, "write ORDER BY CAST(%.*s AS type)", SLICE_ARG(t->text));
        }
        order[i] = (struct plan_order){(uint32_t)place, s->order[i].descending};
    }
    out->order = order;
    out->order_count = s->order_count;
}

/* --- the key ------------------------------------------------------------------------------------
 */

/* The constant that a conjunct fixes this column to; NULL: none does. */
static const struct expr *fixed_to(const struct binder *b, const struct expr *where,
                                   uint32_t column)
{
    if (!where) return NULL;
    if (where->kind == EXPR_AND) {
        for (uint32_t i = 0; i < where->count; i++) {
            const struct expr *v = fixed_to(b, where->args[i], column);
            if (v) return v;
        }
        return NULL;
    }
    if (where->kind != EXPR_COMPARE || where->op != OP_EQ) return NULL;
    for (int i = 0; i < 2; i++) {
        const struct expr *name = where->args[i], *value = where->args[1 - i];
        if (name->kind == EXPR_INPUT && b->inputs[name->input].kind == INPUT_COLUMN &&
            b->inputs[name->input].column == column && expr_is_constant(value) &&
            value->constant.state[0] == VALID_VALUE)
            return value;
    }
    return NULL;
}

/* The table's key columns, partition first; UINT32_MAX: no such. */
static uint32_t key_column(const struct sql_relation *r, uint8_t role, uint16_t position)
{
    for (uint32_t i = 0; i < r->column_count; i++)
        if (r->columns[i].key == role && r->columns[i].position == position) return i;
    return UINT32_MAX;
}

static void bind_key(struct binder *b, struct plan_select *out)
{
    if (!b->from || b->from->kind != RELATION_TABLE || !out->where) return;
    struct value *key = bind_take(b, b->from->column_count * sizeof(*key));
    uint32_t n = 0;
    for (uint8_t role = 1; key && role <= 2; role++) {
        for (uint16_t position = 0;; position++) {
            uint32_t column = key_column(b->from, role, position);
            if (column == UINT32_MAX) break;
            const struct expr *v = fixed_to(b, out->where, column);
            if (!v && role == 1) return; /* part of a partition key finds nothing */
            if (!v) goto done;
            column_get(&v->constant, 0, &key[n++]);
        }
    }
done:
    out->key = key;
    out->key_count = n;
}

/* --- all of it ----------------------------------------------------------------------------------
 */

static void bind_outputs(struct binder *b, const struct select_tree *s, struct group *g,
                         struct plan_select *out)
{
    uint32_t count;
    struct select_item *items = expand(b, s, &count);
    struct plan_output *outputs =
        items ? bind_take(b, (count + s->order_count) * sizeof(*outputs)) : NULL;
    if (!outputs) return;
    if (wants_groups(s)) {
        bind_groups(b, s, items, count, g);
        b->group = g;
    }
    for (uint32_t i = 0; i < count && !b->err; i++) {
        struct expr *e = bind_settle(b, bind_expr(b, items[i].value));
        if (e) outputs[i] = (struct plan_output){bind_output_name(b, &items[i]), e->type, e};
    }
    out->outputs = outputs;
    out->output_count = count;
    if (b->err) return;
    if (s->having) out->having = bind_condition(b, s->having, "HAVING");
    bind_order(b, s, items, outputs, out);
    if (b->group && g->aggregate_count + g->key_count == 0) { /* HAVING alone: one group */
        g->aggregates = bind_take(b, sizeof(*g->aggregates));
        if (!g->aggregates) return;
        g->aggregates[g->aggregate_count++] =
            (struct plan_aggregate){.kind = AGG_COUNT, .type = type_of(TYPE_BIGINT)};
    }
    out->aggregates = g->aggregates;
    out->aggregate_count = g->aggregate_count;
    out->group_by = g->key_exprs;
    out->group_count = g->key_count;
}

err_t sql_bind_select(const struct statement *s, const struct sql_catalog *c,
                      enum sql_dialect dialect, struct arena *a, struct plan_select *out,
                      struct diag *d)
{
    struct binder b = binder_make(s, c, dialect, NULL, a, d);
    struct group g = {0};
    *out = (struct plan_select){.limit = -1};
    INVARIANT(s->kind == STATEMENT_SELECT);
    const struct select_tree *t = s->select;
    if (t->from.name.at) b.from = bind_relation(&b, t->from, t->place);
    b.alias = t->alias;
    out->from = b.from;
    b.no_aggregates = "WHERE";
    if (t->where && !b.err) out->where = bind_condition(&b, t->where, "WHERE");
    b.no_aggregates = NULL;
    if (!b.err) bind_outputs(&b, t, &g, out);
    if (!b.err) bind_key(&b, out);
    out->grouped = b.group != NULL;
    out->inputs = b.inputs;
    out->input_count = b.input_count;
    out->distinct = t->distinct;
    out->limit = t->limit;
    out->offset = t->offset;
    return b.err;
}
