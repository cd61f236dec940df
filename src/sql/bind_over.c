/* OVER (…): window functions. All functions over one window share a node below the outputs. */
#include "sql/aggregate.h"
#include "sql/bind.h"

static const struct over_row {
    const char *name;
    enum over_kind kind;
    uint32_t least, most; /* arguments */
    enum type_kind type;  /* of the result; TYPE_JSON: the first argument's */
    bool ordered;         /* has no meaning without ORDER BY */
} rows_of[] = {{"row_number", OVER_ROW_NUMBER, 0, 0, TYPE_BIGINT, false},
               {"rank", OVER_RANK, 0, 0, TYPE_BIGINT, true},
               {"dense_rank", OVER_DENSE_RANK, 0, 0, TYPE_BIGINT, true},
               {"percent_rank", OVER_PERCENT_RANK, 0, 0, TYPE_DOUBLE, true},
               {"cume_dist", OVER_CUME_DIST, 0, 0, TYPE_DOUBLE, true},
               {"ntile", OVER_NTILE, 1, 1, TYPE_BIGINT, true},
               {"lag", OVER_LAG, 1, 3, TYPE_JSON, true},
               {"lead", OVER_LEAD, 1, 3, TYPE_JSON, true},
               {"first_value", OVER_FIRST_VALUE, 1, 1, TYPE_JSON, false},
               {"last_value", OVER_LAST_VALUE, 1, 1, TYPE_JSON, false},
               {"nth_value", OVER_NTH_VALUE, 2, 2, TYPE_JSON, false}};

static const struct over_row *over_row(const struct tree *t)
{
    for (size_t i = 0; i < COUNT_OF(rows_of); i++)
        if (slice_is(t->value, rows_of[i].name)) return &rows_of[i];
    return NULL;
}

static bool same_list(const struct tree *const *a, uint32_t n, const struct tree *const *b,
                      uint32_t m)
{
    bool same = n == m;
    for (uint32_t i = 0; same && i < n; i++) same = tree_equal(a[i], b[i]);
    return same;
}

static bool same_window(const struct over_tree *a, const struct over_tree *b)
{
    bool same = same_list((const struct tree *const *)a->partition, a->partition_count,
                          (const struct tree *const *)b->partition, b->partition_count) &&
                a->order_count == b->order_count && a->frame == b->frame &&
                a->frame_rows == b->frame_rows && a->frame_low == b->frame_low &&
                a->frame_high == b->frame_high;
    for (uint32_t i = 0; same && i < a->order_count; i++)
        same = tree_equal(a->order[i].value, b->order[i].value) &&
               a->order[i].descending == b->order[i].descending &&
               a->order[i].nulls_set == b->order[i].nulls_set &&
               a->order[i].nulls_first == b->order[i].nulls_first;
    return same;
}

/* --- the window ---------------------------------------------------------------------------------
 */

/* A computed value gets a column below the window. */
static uint32_t over_column(struct binder *b, struct overs *o, struct expr *e)
{
    uint32_t attr;
    if (!e || expr_is_attr(e, &attr)) return e ? attr : NO_ATTR;
    if (!o->extended) {
        o->extended = logic_new(b, NODE_ROWS, o->in, e->text);
        if (!o->extended) return NO_ATTR;
        o->extended->passes = true;
    }
    return rows_add(b, o->extended, e->text, e);
}

static void window_order(struct binder *b, struct overs *o, const struct over_tree *w,
                         struct plan_over *p)
{
    struct plan_order *order = bind_take(b, MAX(w->order_count, 1u) * sizeof(*order));
    for (uint32_t i = 0; order && i < w->order_count && !b->err; i++) {
        const struct order_item *item = &w->order[i];
        struct expr *e = bind_settle(b, bind_expr(b, item->value));
        if (e && !type_ordered(e->type)) {
            bind_fail(b, item->value->text, ERR_TYPE, "%s has no order",
                      bind_type_name(b, e->type));
            bind_hint(b, "write ORDER BY CAST(%.*s AS type)", SLICE_ARG(item->value->text));
        }
        order[i].output = over_column(b, o, e);
        order[i].descending = item->descending;
        order[i].nulls_first = item->nulls_set ? item->nulls_first : item->descending;
    }
    p->order = order;
    p->order_count = w->order_count;
    bool times = w->frame && !w->frame_rows &&
                 ((w->frame_low != INT64_MIN && w->frame_low != 0) ||
                  (w->frame_high != INT64_MAX && w->frame_high != 0));
    if (!times || b->err) return;
    if (w->order_count == 1 && b->attrs[order[0].output].type->kind == TYPE_TIMESTAMP) return;
    bind_fail(b, b->statement->text, ERR_TYPE, "a RANGE of time goes along one timestamp");
    bind_hint(b, "write ORDER BY ts, or ROWS BETWEEN …");
}

static struct logic *window_of(struct binder *b, struct overs *o, const struct tree *t)
{
    for (uint32_t i = 0; i < o->count; i++)
        if (same_window(o->windows[i], t->over)) return o->logics[i];
    if (o->count == COUNT_OF(o->logics)) {
        bind_fail(b, t->text, ERR_TOO_BIG, "more than %zu different windows in one SELECT",
                  COUNT_OF(o->logics));
        return NULL;
    }
    const struct over_tree *w = t->over;
    struct logic *l = logic_new(b, NODE_OVER, o->in, t->text);
    const struct expr **keys =
        bind_take(b, MAX(w->partition_count, 1u) * sizeof(const struct expr *));
    if (!l || !keys) return NULL;
    for (uint32_t i = 0; i < w->partition_count && !b->err; i++)
        keys[i] = bind_settle(b, bind_expr(b, w->partition[i]));
    l->node.over = (struct plan_over){.keys = keys,
                                      .key_count = w->partition_count,
                                      .frame = w->frame,
                                      .frame_rows = w->frame_rows,
                                      .frame_low = w->frame_low,
                                      .frame_high = w->frame_high};
    window_order(b, o, w, &l->node.over);
    o->windows[o->count] = w;
    o->logics[o->count++] = l;
    return b->err ? NULL : l;
}

/* --- the function -------------------------------------------------------------------------------
 */

static bool over_args(struct binder *b, const struct tree *t, const struct over_row *row,
                      struct plan_aggregate *out)
{
    if (t->count < row->least || t->count > row->most || t->distinct ||
        (t->count && t->args[0]->kind == TREE_STAR)) {
        bind_fail(b, t->text, ERR_TYPE, "%s takes %s", row->name,
                  row->most == 0   ? "no arguments"
                  : row->most == 1 ? "one argument"
                  : row->most == 2 ? "a value and a number"
                                   : "a value, a number and another value");
        return false;
    }
    if (t->filter) bind_fail(b, t->text, ERR_SYNTAX, "%s has no FILTER", row->name);
    const struct expr **args = bind_take(b, MAX(t->count, 1u) * sizeof(const struct expr *));
    bool number = row->kind == OVER_NTILE;
    struct expr *bound[3] = {0};
    for (uint32_t i = 0; args && i < t->count && !b->err; i++) bound[i] = bind_expr(b, t->args[i]);
    if (b->err) return false;
    struct expr *values[2] = {bound[0], bound[2]}; /* lag's and lead's: of one type */
    const struct type *common = bound[2] ? bind_common(b, values, 2, t) : NULL;
    for (uint32_t i = 0; i < t->count && !b->err; i++) {
        struct expr *e = bound[i];
        if (i == 1 || number)
            e = bind_coerce(b, e, type_of(TYPE_BIGINT), row->name);
        else if (common)
            e = bind_widen(b, e, common);
        args[i] = bind_settle(b, e);
    }
    if (b->err) return false;
    *out = (struct plan_aggregate){.args = args, .arg_count = t->count, .text = t->text};
    out->type = row->type == TYPE_JSON ? args[0]->type : type_of(row->type);
    return true;
}

static bool make_function(struct binder *b, const struct tree *t, struct plan_over_function *out)
{
    const struct over_row *row = over_row(t);
    struct overs *saved = b->overs;
    b->overs = NULL; /* none inside another */
    if (row) {
        out->kind = row->kind;
        if (over_args(b, t, row, &out->aggregate) && row->ordered && t->over->order_count == 0) {
            bind_fail(b, t->text, ERR_SYNTAX, "%s needs an ORDER BY in its OVER (…)", row->name);
            bind_hint(b, "write OVER (PARTITION BY … ORDER BY …)");
        }
    } else if (aggregate_find(t->value)) {
        out->kind = OVER_AGGREGATE;
        if (bind_aggregate_make(b, t, &out->aggregate) && out->aggregate.distinct)
            bind_fail(b, t->text, ERR_UNSUPPORTED, "DISTINCT in a window function");
    } else {
        bind_fail(b, t->text, ERR_UNKNOWN_FUNCTION, "there is no window function %.*s",
                  SLICE_ARG(t->value));
    }
    b->overs = saved;
    return !b->err;
}

struct expr *bind_over(struct binder *b, const struct tree *t)
{
    struct overs *o = b->overs;
    if (!o || b->no_aggregates) {
        bind_fail(b, t->text, ERR_SYNTAX, "window functions can't stand in %s",
                  b->no_aggregates ? b->no_aggregates : "this place");
        bind_hint(b, "select it AS a name in a sub-select, and use the name around it");
        return NULL;
    }
    for (uint32_t i = 0; i < o->tree_count; i++)
        if (tree_equal(o->trees[i], t)) return attr_expr(b, o->attrs[i], t->text);
    struct plan_over_function made = {0};
    struct logic *l = window_of(b, o, t);
    if (!l || !make_function(b, t, &made)) return NULL;
    struct plan_over *p = &l->node.over;
    struct plan_over_function *all = bind_take(b, (p->function_count + 1) * sizeof(*all));
    if (!all) return NULL;
    if (p->function_count) memcpy(all, p->functions, p->function_count * sizeof(*all));
    all[p->function_count++] = made;
    p->functions = all;
    uint32_t cap = o->tree_cap;
    o->trees = bind_room(b, o->trees, o->tree_count, &cap, sizeof(const struct tree *));
    o->attrs = bind_room(b, o->attrs, o->tree_count, &o->tree_cap, sizeof(*o->attrs));
    uint32_t attr = b->err ? NO_ATTR : attr_new(b, l, t->value, made.aggregate.type);
    if (b->err) return NULL;
    o->trees[o->tree_count] = t;
    o->attrs[o->tree_count++] = attr;
    return attr_expr(b, attr, t->text);
}

/* The windows, one above the other, between the input and the outputs. */
void bind_over_done(struct binder *b, struct overs *o, struct logic *rows)
{
    struct logic *below = o->extended ? o->extended : o->in;
    for (uint32_t i = 0; i < o->count && !b->err; i++) {
        o->logics[i]->ins[0] = below;
        below = o->logics[i];
    }
    rows->ins[0] = below;
}
