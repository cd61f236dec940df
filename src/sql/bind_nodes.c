/* The last step, kind by kind: nodes that compute columns or have several inputs. */
#include "sql/bind_lower.h"

/* --- ROWS ---------------------------------------------------------------------------------------
 */

/* A filter, or columns beside those that are there: what comes goes on. */
static struct placed *lower_filter(struct lowering *w, struct logic *l, const uint8_t *need)
{
    const struct plan_rows *r = &l->node.rows;
    uint8_t *mine = need_copy(w, need);
    if (mine) need_expr(mine, r->where);
    for (uint32_t i = 0; mine && i < r->output_count; i++)
        if (need[l->attrs[i]]) need_expr(mine, r->outputs[i].value);
    bind_table_key(w->b, l);
    struct placed *in = mine ? lower(w, l->ins[0], mine) : NULL;
    uint32_t most = in ? in->node->column_count + r->output_count : 0;
    struct placed *p = in ? placed_new(w, l, most) : NULL;
    struct plan_output *outputs = p ? bind_take(w->b, MAX(most, 1u) * sizeof(*outputs)) : NULL;
    if (!outputs) return NULL;
    for (uint32_t i = 0; i < in->node->column_count; i++) {
        if (!need[in->attrs[i]]) continue;
        struct expr *e = attr_expr(w->b, in->attrs[i], in->node->columns[i].name);
        if (!e) return NULL;
        e->input = i;
        outputs[p->node->column_count] =
            (struct plan_output){in->node->columns[i].name, in->node->columns[i].type, e};
        placed_column(w, p, in->attrs[i]);
    }
    for (uint32_t i = 0; i < r->output_count && !w->b->err; i++) {
        if (!need[l->attrs[i]]) continue;
        struct plan_output *o = &outputs[p->node->column_count];
        *o = r->outputs[i];
        o->value = place_expr(w, r->outputs[i].value, in, NULL);
        placed_column(w, p, l->attrs[i]);
    }
    p->node->rows.where = place_expr(w, r->where, in, NULL);
    p->node->rows.outputs = outputs;
    p->node->rows.output_count = p->node->column_count;
    return lower_done(w, l, p, &in, 1);
}

static void place_checks(struct lowering *w, const struct logic *l, struct placed *p,
                         const struct placed *in)
{
    const struct plan_rows *r = &l->node.rows;
    struct plan_check *checks = bind_take(w->b, MAX(r->check_count, 1u) * sizeof(*checks));
    for (uint32_t i = 0; checks && i < r->check_count; i++) {
        checks[i] = r->checks[i];
        checks[i].condition = place_expr(w, r->checks[i].condition, in, NULL);
    }
    p->node->rows.checks = checks;
}

struct placed *lower_rows(struct lowering *w, struct logic *l, const uint8_t *need)
{
    if (l->passes) return lower_filter(w, l, need);
    uint8_t *mine = need_copy(w, NULL);
    if (!mine) return NULL;
    const struct plan_rows *r = &l->node.rows;
    need_expr(mine, r->where);
    for (uint32_t i = 0; i < r->check_count; i++) need_expr(mine, r->checks[i].condition);
    for (uint32_t i = 0; i < r->output_count; i++) /* checks speak of outputs by place */
        if (need[l->attrs[i]] || (r->check_count && i < l->visible))
            need_expr(mine, r->outputs[i].value);
    bind_table_key(w->b, l);
    struct placed *in = lower(w, l->ins[0], mine);
    struct placed *p = in ? placed_new(w, l, r->output_count) : NULL;
    struct plan_output *outputs =
        p ? bind_take(w->b, MAX(r->output_count, 1u) * sizeof(*outputs)) : NULL;
    if (!outputs) return NULL;
    for (uint32_t i = 0; i < r->output_count && !w->b->err; i++) {
        if (!need[l->attrs[i]] && !(r->check_count && i < l->visible)) continue;
        struct plan_output *o = &outputs[p->node->column_count];
        *o = r->outputs[i];
        o->value = place_expr(w, r->outputs[i].value, in, NULL);
        placed_column(w, p, l->attrs[i]);
    }
    p->node->rows.where = place_expr(w, r->where, in, NULL);
    p->node->rows.outputs = outputs;
    p->node->rows.output_count = p->node->column_count;
    place_checks(w, l, p, in);
    return lower_done(w, l, p, &in, 1);
}

struct placed *narrowed(struct lowering *w, struct placed *p, const uint32_t *attrs, uint32_t count)
{
    bool same = p->node->column_count == count;
    for (uint32_t i = 0; same && i < count; i++) same = p->attrs[i] == attrs[i];
    if (same) return p;
    struct logic l = {
        .node = {.kind = NODE_ROWS, .text = p->node->text}, .time = p->time, .one_row = p->one_row};
    struct placed *made = placed_new(w, &l, count);
    struct plan_output *outputs = made ? bind_take(w->b, MAX(count, 1u) * sizeof(*outputs)) : NULL;
    if (!outputs) return NULL;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t place = place_attr(w, attrs[i], p);
        struct expr *e = attr_expr(w->b, attrs[i], p->node->columns[place].name);
        if (!e) return NULL;
        e->input = place;
        outputs[i] =
            (struct plan_output){p->node->columns[place].name, p->node->columns[place].type, e};
        placed_column(w, made, attrs[i]);
    }
    made->node->rows.outputs = outputs;
    made->node->rows.output_count = count;
    l.passes = true; /* the same attributes */
    return lower_done(w, &l, made, &p, 1);
}

/* --- GROUP --------------------------------------------------------------------------------------
 */

static void need_aggregate(uint8_t *need, const struct plan_aggregate *a)
{
    for (uint32_t i = 0; i < a->arg_count; i++) need_expr(need, a->args[i]);
    need_expr(need, a->filter);
}

static struct plan_aggregate place_aggregate(struct lowering *w, const struct plan_aggregate *a,
                                             const struct placed *in)
{
    struct plan_aggregate made = *a;
    made.args = place_exprs(w, a->args, a->arg_count, in);
    made.filter = place_expr(w, a->filter, in, NULL);
    return made;
}

struct placed *lower_group(struct lowering *w, struct logic *l, const uint8_t *need)
{
    const struct plan_group *g = &l->node.group;
    uint32_t first = g->window.kind ? 3 : 0, after = first + g->key_count;
    uint8_t *mine = need_copy(w, NULL);
    if (!mine) return NULL;
    if (first) mine[g->window.time] = 1;
    for (uint32_t i = 0; i < g->key_count; i++) need_expr(mine, g->keys[i]);
    uint32_t wanted = 0;
    for (uint32_t i = 0; i < g->aggregate_count; i++) wanted += need[l->attrs[after + i]];
    bool all = wanted == 0 && g->key_count == 0 && !first;
    for (uint32_t i = 0; i < g->aggregate_count; i++)
        if (all || need[l->attrs[after + i]]) need_aggregate(mine, &g->aggregates[i]);
    if (w->b->stream) need_attr(mine, logic_time(w->b, l->ins[0]));
    struct placed *in = lower(w, l->ins[0], mine);
    struct placed *p = in ? placed_new(w, l, l->attr_count) : NULL;
    struct plan_aggregate *aggregates =
        p ? bind_take(w->b, MAX(g->aggregate_count, 1u) * sizeof(*aggregates)) : NULL;
    if (!aggregates) return NULL;
    for (uint32_t i = 0; i < after; i++) placed_column(w, p, l->attrs[i]);
    struct plan_group *made = &p->node->group;
    made->aggregate_count = 0;
    for (uint32_t i = 0; i < g->aggregate_count; i++) {
        if (!all && !need[l->attrs[after + i]]) continue;
        aggregates[made->aggregate_count++] = place_aggregate(w, &g->aggregates[i], in);
        placed_column(w, p, l->attrs[after + i]);
    }
    made->aggregates = aggregates;
    made->keys = place_exprs(w, g->keys, g->key_count, in);
    if (first) made->window.time = place_attr(w, g->window.time, in);
    return lower_done(w, l, p, &in, 1);
}

/* --- several inputs -----------------------------------------------------------------------------
 */

struct placed *lower_join(struct lowering *w, struct logic *l, const uint8_t *need)
{
    const struct plan_join *j = &l->node.join;
    uint8_t *mine = need_copy(w, need);
    if (!mine) return NULL;
    need_expr(mine, j->condition);
    for (uint32_t i = 0; i < j->key_count; i++) {
        need_expr(mine, j->left_keys[i]);
        need_expr(mine, j->right_keys[i]);
    }
    for (uint32_t i = 0; w->b->stream && i < 2; i++) need_attr(mine, logic_time(w->b, l->ins[i]));
    struct placed *ins[2] = {lower(w, l->ins[0], mine), NULL};
    ins[1] = ins[0] ? lower(w, l->ins[1], mine) : NULL;
    if (!ins[1]) return NULL;
    bool left_only = j->kind == JOIN_SEMI || j->kind == JOIN_ANTI;
    struct placed *p = placed_new(w, l, ins[0]->node->column_count + ins[1]->node->column_count);
    for (uint32_t n = 0; p && n < (left_only ? 1 : 2); n++)
        for (uint32_t i = 0; i < ins[n]->node->column_count; i++)
            placed_column(w, p, ins[n]->attrs[i]);
    if (!p) return NULL;
    p->node->join.left_keys = place_exprs(w, j->left_keys, j->key_count, ins[0]);
    p->node->join.right_keys = place_exprs(w, j->right_keys, j->key_count, ins[1]);
    p->node->join.condition = place_expr(w, j->condition, ins[0], ins[1]);
    return lower_done(w, l, p, ins, 2);
}

struct placed *lower_lookup(struct lowering *w, struct logic *l, const uint8_t *need)
{
    const struct plan_lookup *k = &l->node.lookup;
    const struct logic *table = l->table;
    uint8_t *mine = need_copy(w, need);
    if (!mine) return NULL;
    need_expr(mine, k->condition);
    for (uint32_t i = 0; i < k->key_count; i++) need_expr(mine, k->key[i]);
    struct placed *in = lower(w, l->ins[0], mine);
    struct placed *p = in ? placed_new(w, l, in->node->column_count + table->attr_count) : NULL;
    struct plan_input *inputs =
        p ? bind_take(w->b, MAX(table->attr_count, 1u) * sizeof(*inputs)) : NULL;
    if (!inputs) return NULL;
    for (uint32_t i = 0; i < in->node->column_count; i++) placed_column(w, p, in->attrs[i]);
    p->node->lookup.input_count = 0;
    for (uint32_t i = 0; i < table->attr_count; i++) {
        if (!mine[table->attrs[i]]) continue;
        inputs[p->node->lookup.input_count++] = table->node.table.inputs[i];
        placed_column(w, p, table->attrs[i]);
    }
    p->node->lookup.inputs = inputs;
    p->node->lookup.key = place_exprs(w, k->key, k->key_count, in);
    p->node->lookup.condition = place_expr(w, k->condition, p, NULL);
    return lower_done(w, l, p, &in, 1);
}

struct placed *lower_union(struct lowering *w, struct logic *l, const uint8_t *need)
{
    struct placed **ins = bind_take(w->b, l->in_count * sizeof(struct placed *));
    uint32_t *wanted = bind_take(w->b, MAX(l->attr_count, 1u) * sizeof(*wanted));
    for (uint32_t n = 0; !w->b->err && n < l->in_count; n++) {
        uint8_t *mine = need_copy(w, NULL);
        uint32_t count = 0;
        for (uint32_t i = 0; mine && i < l->attr_count; i++) {
            if (!need[l->attrs[i]]) continue;
            mine[l->arms[n][i]] = 1;
            wanted[count++] = l->arms[n][i];
        }
        ins[n] = mine ? lower(w, l->ins[n], mine) : NULL;
        ins[n] = ins[n] ? narrowed(w, ins[n], wanted, count) : NULL;
    }
    struct placed *p = w->b->err ? NULL : placed_new(w, l, l->attr_count);
    for (uint32_t i = 0; p && i < l->attr_count; i++)
        if (need[l->attrs[i]]) placed_column(w, p, l->attrs[i]);
    return p ? lower_done(w, l, p, ins, l->in_count) : NULL;
}

/* --- ranks and window functions -----------------------------------------------------------------
 */

static struct plan_order *place_order(struct lowering *w, const struct plan_order *order,
                                      uint32_t count, const struct placed *in)
{
    struct plan_order *made = bind_take(w->b, MAX(count, 1u) * sizeof(*made));
    for (uint32_t i = 0; made && i < count; i++) {
        made[i] = order[i];
        made[i].output = place_attr(w, order[i].output, in);
    }
    return made;
}

struct placed *lower_top(struct lowering *w, struct logic *l, const uint8_t *need)
{
    const struct plan_top *t = &l->node.top;
    uint8_t *mine = need_copy(w, need);
    if (!mine) return NULL;
    for (uint32_t i = 0; i < t->key_count; i++) need_expr(mine, t->keys[i]);
    for (uint32_t i = 0; i < t->order_count; i++) mine[t->order[i].output] = 1;
    if (w->b->stream) need_attr(mine, logic_time(w->b, l->ins[0]));
    struct placed *in = lower(w, l->ins[0], mine);
    struct placed *p = in ? placed_new(w, l, in->node->column_count + 1) : NULL;
    if (!p) return NULL;
    for (uint32_t i = 0; i < in->node->column_count; i++) placed_column(w, p, in->attrs[i]);
    p->node->top.tells_rank = need[l->attrs[0]] != 0;
    if (p->node->top.tells_rank) placed_column(w, p, l->attrs[0]);
    p->node->top.keys = place_exprs(w, t->keys, t->key_count, in);
    p->node->top.order = place_order(w, t->order, t->order_count, in);
    return lower_done(w, l, p, &in, 1);
}

struct placed *lower_over(struct lowering *w, struct logic *l, const uint8_t *need)
{
    const struct plan_over *o = &l->node.over;
    if (w->b->stream) {
        bind_fail(w->b, l->node.text, ERR_UNSUPPORTED, "window functions in a stream");
        bind_hint(w->b, "the first n: WHERE rn <= n around ROW_NUMBER() OVER (…) AS rn; sums and "
                        "counts: GROUP BY a window");
        return NULL;
    }
    uint8_t *mine = need_copy(w, need);
    if (!mine) return NULL;
    for (uint32_t i = 0; i < o->key_count; i++) need_expr(mine, o->keys[i]);
    for (uint32_t i = 0; i < o->order_count; i++) mine[o->order[i].output] = 1;
    for (uint32_t i = 0; i < o->function_count; i++)
        need_aggregate(mine, &o->functions[i].aggregate);
    struct placed *in = lower(w, l->ins[0], mine);
    struct placed *p = in ? placed_new(w, l, in->node->column_count + o->function_count) : NULL;
    struct plan_over_function *functions =
        p ? bind_take(w->b, MAX(o->function_count, 1u) * sizeof(*functions)) : NULL;
    if (!functions) return NULL;
    for (uint32_t i = 0; i < in->node->column_count; i++) placed_column(w, p, in->attrs[i]);
    for (uint32_t i = 0; i < o->function_count; i++) {
        functions[i] = o->functions[i];
        functions[i].aggregate = place_aggregate(w, &o->functions[i].aggregate, in);
        placed_column(w, p, l->attrs[i]);
    }
    p->node->over.functions = functions;
    p->node->over.keys = place_exprs(w, o->keys, o->key_count, in);
    p->node->over.order = place_order(w, o->order, o->order_count, in);
    return lower_done(w, l, p, &in, 1);
}

struct placed *lower_transform(struct lowering *w, struct logic *l, const uint8_t *need)
{
    const struct plan_transform *t = &l->node.transform;
    uint8_t *mine = need_copy(w, NULL);
    (void)need; /* what the command answers comes whole */
    if (!mine) return NULL;
    for (uint32_t i = 0; i < t->output_count; i++) need_expr(mine, t->outputs[i].value);
    struct placed *in = lower(w, l->ins[0], mine);
    struct placed *p = in ? placed_new(w, l, l->attr_count) : NULL;
    struct plan_output *outputs =
        p ? bind_take(w->b, MAX(t->output_count, 1u) * sizeof(*outputs)) : NULL;
    if (!outputs) return NULL;
    for (uint32_t i = 0; i < t->output_count; i++) {
        outputs[i] = t->outputs[i];
        outputs[i].value = place_expr(w, t->outputs[i].value, in, NULL);
    }
    for (uint32_t i = 0; i < l->attr_count; i++) placed_column(w, p, l->attrs[i]);
    p->node->transform.outputs = outputs;
    return lower_done(w, l, p, &in, 1);
}
