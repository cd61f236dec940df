#include "flow/reach.h"

#include "base/vec.h"

/* Milliseconds: beyond it no window is reckoned with. */
#define TIME_FAR (INT64_MAX / 4)

struct rule { /* of what a node gives */
    struct rule *next;
    /* The keys of an operator's input; else an expression over the node's columns; else one of
     * them.
     */
    const struct plan_node *keys_of;
    const struct expr *expr;
    uint32_t input, column;
    struct map *values; /* op_key's bytes; NULL: the column's time, from low to before high */
    int64_t low, high;
};
struct known { /* a node */
    const struct plan_node *node;
    struct rule *rules;
    bool settled; /* a join: both sides are known, or neither will be */
};
struct reach {
    const struct plan_stream *plan;
    struct arena *arena;
    struct known *nodes;
    struct vec maps;              /* struct map *: to be freed */
    const struct plan_node *join; /* whose keys are collected; NULL: none */
    uint32_t side;                /* … by this input, for the other one */
    struct map *collected;
    struct buf key;
};

static err_t no_memory(struct diag *d)
{
    return diag_fail(d, ERR_NO_MEMORY, "no memory to follow rows");
}

static void place(struct reach *r, const struct plan_node *n)
{
    r->nodes[n->id].node = n;
    for (uint32_t i = 0; i < n->input_count; i++) place(r, n->inputs[i]);
}

err_t reach_new(const struct plan_stream *p, struct reach **out, struct diag *d)
{
    struct reach *r = mem_take(sizeof(*r));
    if (r)
        *r = (struct reach){.plan = p,
                            .arena = arena_new(MIB(16)),
                            .maps = vec_make(sizeof(struct map *), 1 << 16),
                            .key = buf_make(MIB(16))};
    if (r && r->arena) r->nodes = arena_take(r->arena, (p->node_count + 1) * sizeof(*r->nodes));
    if (!r || !r->nodes) {
        reach_free(r);
        return no_memory(d);
    }
    place(r, p->root);
    *out = r;
    return ERR_OK;
}

void reach_free(struct reach *r)
{
    if (!r) return;
    for (size_t i = 0; i < r->maps.count; i++) map_free(*(struct map **)vec_at(&r->maps, i));
    vec_done(&r->maps);
    buf_done(&r->key);
    arena_free(r->arena);
    mem_give(r);
}

/* --- down the plan ------------------------------------------------------------------------------
 */

static bool first_part(void *ctx, const struct expr_part *p)
{
    if (p->kind == EXPR_PART_COLUMN && !p->outer) *(int64_t *)ctx = p->column;
    return false;
}

/* Which column an expression is, and nothing else; -1: it is more. */
static int64_t plain_column(const struct expr *e)
{
    int64_t column = -1;
    expr_parts(e, first_part, &column);
    return column;
}

static err_t add_rule(struct reach *r, uint32_t node, const struct rule *rule, struct diag *d)
{
    struct rule *one = arena_take(r->arena, sizeof(*one));
    if (!one) return no_memory(d);
    *one = *rule;
    one->next = r->nodes[node].rules;
    r->nodes[node].rules = one;
    return ERR_OK;
}

static err_t column_down(struct reach *r, const struct plan_node *n, uint32_t column,
                         struct map *values, struct diag *d);

/* An expression over what the operator's input gives: a plain column goes on down. */
static err_t key_down(struct reach *r, const struct plan_node *n, uint32_t input,
                      const struct expr *e, struct map *values, struct diag *d)
{
    int64_t column = plain_column(e);
    struct rule rule = {.expr = e, .values = values};
    if (column >= 0) return column_down(r, n->inputs[input], (uint32_t)column, values, d);
    return n->kind == NODE_ROWS ? ERR_OK : add_rule(r, n->inputs[input]->id, &rule, d);
}

static err_t join_down(struct reach *r, const struct plan_node *n, uint32_t column,
                       struct map *values, struct diag *d)
{
    uint32_t width = n->inputs[0]->column_count, side = column >= width;
    uint32_t own = side ? column - width : column;
    const struct expr *const *mine = side ? n->join.right_keys : n->join.left_keys;
    const struct expr *const *other = side ? n->join.left_keys : n->join.right_keys;
    err_t e = column_down(r, n->inputs[side], own, values, d);
    for (uint32_t i = 0; !e && i < n->join.key_count; i++)
        if (plain_column(mine[i]) == (int64_t)own)
            e = key_down(r, n, 1 - side, other[i], values, d);
    return e;
}

static err_t group_down(struct reach *r, const struct plan_node *n, uint32_t column,
                        struct map *values, struct diag *d)
{
    uint32_t first = n->group.window.kind != WINDOW_NONE ? 3 : 0;
    if (column < first || column - first >= n->group.key_count) return ERR_OK;
    return key_down(r, n, 0, n->group.keys[column - first], values, d);
}

static err_t top_down(struct reach *r, const struct plan_node *n, uint32_t column,
                      struct map *values, struct diag *d)
{
    for (uint32_t i = 0; i < n->top.key_count; i++)
        if (plain_column(n->top.keys[i]) == (int64_t)column)
            return column_down(r, n->inputs[0], column, values, d);
    return ERR_OK; /* rows of other values compete with it */
}

static err_t distinct_down(struct reach *r, const struct plan_node *n, uint32_t column,
                           struct map *values, struct diag *d)
{
    for (uint32_t i = 0; i < n->distinct.by_count; i++)
        if (n->distinct.by[i] == column) return column_down(r, n->inputs[0], column, values, d);
    return ERR_OK;
}

static err_t column_down(struct reach *r, const struct plan_node *n, uint32_t column,
                         struct map *values, struct diag *d)
{
    struct rule rule = {.column = column, .values = values};
    err_t e = add_rule(r, n->id, &rule, d);
    if (e) return e;
    switch (n->kind) {
    case NODE_ROWS: return key_down(r, n, 0, n->rows.outputs[column].value, values, d);
    case NODE_GROUP: return group_down(r, n, column, values, d);
    case NODE_JOIN: return join_down(r, n, column, values, d);
    case NODE_TOP: return top_down(r, n, column, values, d);
    case NODE_DISTINCT: return distinct_down(r, n, column, values, d);
    case NODE_UNION:
        for (uint32_t i = 0; !e && i < n->input_count; i++)
            e = column_down(r, n->inputs[i], column, values, d);
        return e;
    case NODE_UNNEST:
    case NODE_WINDOW:
    case NODE_LOOKUP:
        if (column >= n->inputs[0]->column_count) return ERR_OK;
        return column_down(r, n->inputs[0], column, values, d);
    default: return ERR_OK;
    }
}

static err_t keep_map(struct reach *r, struct map *m, struct diag *d)
{
    if (m && !vec_push(&r->maps, &m)) return ERR_OK;
    map_free(m);
    return no_memory(d);
}

/* A window's start, end or time is known: only times within it count. Sessions grow together. */
static err_t window_down(struct reach *r, const struct plan_node *n, const struct plan_window *w,
                         uint32_t column, int64_t ms, struct diag *d)
{
    int64_t end = column == 0 ? ms + w->size_ms : column == 1 ? ms : ms + 1;
    struct rule rule = {.column = w->time, .low = end - w->size_ms, .high = end};
    if (w->kind == WINDOW_SESSION || w->kind == WINDOW_NONE || column > 2) return ERR_OK;
    return add_rule(r, n->inputs[0]->id, &rule, d);
}

/* Down through plain columns to the node that has made the window. */
static err_t window_of(struct reach *r, const struct plan_node *n, uint32_t column, int64_t ms,
                       struct diag *d)
{
    int64_t plain;
    switch (n->kind) {
    case NODE_ROWS:
        plain = plain_column(n->rows.outputs[column].value);
        return plain < 0 ? ERR_OK : window_of(r, n->inputs[0], (uint32_t)plain, ms, d);
    case NODE_GROUP: return window_down(r, n, &n->group.window, column, ms, d);
    case NODE_WINDOW:
        if (column < n->inputs[0]->column_count) return window_of(r, n->inputs[0], column, ms, d);
        return window_down(r, n, &n->window, column - n->inputs[0]->column_count, ms, d);
    default: return ERR_OK;
    }
}

err_t reach_fix(struct reach *r, const struct plan_node *n, uint32_t column, const struct value *v,
                struct diag *d)
{
    struct map *m = map_new(1);
    struct column one;
    err_t e = keep_map(r, m, d);
    if (!e) e = column_init(&one, n->columns[column].type, 1, r->arena);
    if (!e) e = column_set(&one, 0, v);
    buf_reset(&r->key);
    if (!e) op_key(&r->key, &one, 1, 0);
    if (!e) e = r->key.err ? r->key.err : map_set(m, buf_view(&r->key), r);
    if (e) return diag_fail(d, e, "a row's key");
    e = column_down(r, n, column, m, d);
    bool time = v->type->kind == TYPE_TIMESTAMP && v->integer > -TIME_FAR && v->integer < TIME_FAR;
    return e || !time ? e : window_of(r, n, column, v->integer, d);
}

static const struct expr *const *key_exprs(const struct plan_node *n, uint32_t input,
                                           uint32_t *count)
{
    switch (n->kind) {
    case NODE_GROUP: *count = n->group.key_count; return n->group.keys;
    case NODE_JOIN:
        *count = n->join.key_count;
        return input ? n->join.right_keys : n->join.left_keys;
    case NODE_TOP: *count = n->top.key_count; return n->top.keys;
    default: *count = 0; return NULL;
    }
}

err_t reach_keys(struct reach *r, const struct plan_node *n, uint32_t input, struct map *keys,
                 struct diag *d)
{
    struct rule rule = {.keys_of = n, .input = input, .values = keys};
    uint32_t count;
    err_t e = keep_map(r, keys, d);
    if (!e) e = add_rule(r, n->inputs[input]->id, &rule, d);
    const struct expr *const *exprs = key_exprs(n, input, &count);
    if (!e && exprs && count == 1) e = key_down(r, n, input, exprs[0], keys, d);
    if (!e && n->kind == NODE_DISTINCT && n->distinct.by_count == 1)
        e = column_down(r, n->inputs[0], n->distinct.by[0], keys, d);
    return e;
}

/* --- joins known by one side --------------------------------------------------------------------
 */

bool reach_unknown(struct reach *r)
{
    r->join = NULL;
    for (uint32_t i = 0; !r->join && i < r->plan->node_count; i++) {
        const struct plan_node *n = r->nodes[i].node;
        if (!n || n->kind != NODE_JOIN || r->nodes[i].settled || !n->join.key_count) continue;
        bool left = r->nodes[n->inputs[0]->id].rules != NULL;
        bool right = r->nodes[n->inputs[1]->id].rules != NULL;
        if (left == right) continue;
        r->join = n;
        r->side = left ? 0 : 1;
    }
    return r->join != NULL;
}

err_t reach_known(struct reach *r, struct diag *d)
{
    const struct plan_node *n = r->join;
    struct map *keys = r->collected ? r->collected : map_new(REACH_KEYS_MAX);
    r->collected = NULL;
    r->join = NULL;
    r->nodes[n->id].settled = true;
    return keys ? reach_keys(r, n, 1 - r->side, keys, d) : no_memory(d);
}

/* --- rows ---------------------------------------------------------------------------------------
 */

err_t reach_evaluate(struct op *from, const struct plan_node *to, uint32_t input,
                     const struct rows *rows, struct column **columns, uint32_t *count,
                     struct diag *d)
{
    struct graph *g = from->graph;
    int64_t sequence = g->sequence; /* uuid() of rows goes on as if nobody had looked */
    const struct expr *const *exprs = key_exprs(to, input, count);
    if (to->kind == NODE_DISTINCT) *count = to->distinct.by_count;
    *columns = arena_take(rows->b->arena, (*count + 1) * sizeof(**columns));
    err_t e = *columns ? ERR_OK : no_memory(d);
    for (uint32_t i = 0; !e && i < *count; i++) {
        if (exprs)
            e = op_eval(from, exprs[i], rows, &(*columns)[i], d);
        else
            (*columns)[i] = rows->b->columns[to->distinct.by[i]];
    }
    g->sequence = sequence;
    return e;
}

static err_t columns_of(struct op *from, const struct rule *rule, const struct rows *rows,
                        struct column **columns, uint32_t *count, struct diag *d)
{
    if (rule->keys_of)
        return reach_evaluate(from, rule->keys_of, rule->input, rows, columns, count, d);
    *columns = rule->expr ? arena_take(rows->b->arena, sizeof(**columns))
                          : &rows->b->columns[rule->column];
    *count = 1;
    if (!rule->expr) return ERR_OK;
    if (!*columns) return no_memory(d);
    int64_t sequence = from->graph->sequence; /* as in reach_evaluate */
    err_t e = op_eval(from, rule->expr, rows, *columns, d);
    from->graph->sequence = sequence;
    return e;
}

static bool computable(const struct column *columns, uint32_t count, uint32_t row)
{
    for (uint32_t i = 0; i < count; i++)
        if (columns[i].state[row] == ERROR_VALUE) return false;
    return true;
}

static void narrow_times(const struct rule *rule, struct rows *rows, uint32_t *selected)
{
    const struct column *c = &rows->b->columns[rule->column];
    uint32_t kept = 0;
    for (uint32_t i = 0; i < rows->count; i++) {
        uint32_t row = rows->selected[i];
        bool within = c->i64[row] >= rule->low && c->i64[row] < rule->high;
        if (c->state[row] == VALID_VALUE && within) selected[kept++] = row;
    }
    rows->selected = selected;
    rows->count = kept;
}

static err_t narrow(struct reach *r, struct op *from, const struct rule *rule, struct rows *rows,
                    struct diag *d)
{
    struct column *columns;
    uint32_t count, kept = 0;
    uint32_t *selected = arena_take_raw(rows->b->arena, (rows->count + 1) * sizeof(*selected));
    if (!selected) return no_memory(d);
    if (!rule->values) {
        narrow_times(rule, rows, selected);
        return ERR_OK;
    }
    err_t e = columns_of(from, rule, rows, &columns, &count, d);
    for (uint32_t i = 0; !e && i < rows->count; i++) {
        uint32_t row = rows->selected[i];
        if (!computable(columns, count, row)) continue;
        buf_reset(&r->key);
        op_key(&r->key, columns, count, row);
        if (r->key.err) return no_memory(d);
        if (map_get(rule->values, buf_view(&r->key))) selected[kept++] = row;
    }
    rows->selected = selected;
    rows->count = kept;
    return e;
}

static err_t collect(struct reach *r, struct op *from, struct rows *rows, struct diag *d)
{
    struct column *columns;
    uint32_t count;
    err_t e = reach_evaluate(from, r->join, r->side, rows, &columns, &count, d);
    if (!e && !r->collected && !(r->collected = map_new(REACH_KEYS_MAX))) e = no_memory(d);
    for (uint32_t i = 0; !e && i < rows->count; i++) {
        uint32_t row = rows->selected[i];
        if (!computable(columns, count, row)) continue;
        buf_reset(&r->key);
        op_key(&r->key, columns, count, row);
        e = r->key.err ? r->key.err : map_set(r->collected, buf_view(&r->key), r);
        if (e)
            return diag_fail(d, e, "the rows that a join would need have more than %d keys",
                             REACH_KEYS_MAX);
    }
    return e;
}

err_t reach_tap(struct reach *r, struct op *from, struct rows *rows, struct diag *d)
{
    err_t e = ERR_OK;
    for (const struct rule *one = r->nodes[from->node->id].rules; !e && one && rows->count;
         one = one->next)
        e = narrow(r, from, one, rows, d);
    if (e || !r->join || !from->out || from->out->node != r->join) return e;
    if (rows->count && from->out_input == r->side) e = collect(r, from, rows, d);
    rows->count = 0; /* the run is for the keys alone */
    return e;
}
