/* The last step: what nobody asks for goes, attributes get places, nodes get numbers. */
#include "sql/bind_lower.h"

/* --- what is asked for --------------------------------------------------------------------------
 */

uint8_t *need_copy(struct lowering *w, const uint8_t *need)
{
    uint8_t *copy = bind_take(w->b, MAX(w->b->attr_count, 1u));
    if (copy && need) memcpy(copy, need, w->b->attr_count);
    return copy;
}

void need_expr(uint8_t *need, const struct expr *e)
{
    if (!e) return;
    if (e->kind == EXPR_INPUT) need[e->input] = 1;
    for (uint32_t i = 0; i < e->count; i++) need_expr(need, e->args[i]);
}

void need_attr(uint8_t *need, uint32_t attr)
{
    if (attr != NO_ATTR) need[attr] = 1;
}

/* --- places -------------------------------------------------------------------------------------
 */

struct placed *placed_new(struct lowering *w, struct logic *l, uint32_t columns)
{
    struct placed *p = bind_take(w->b, sizeof(*p));
    struct plan_node *n = bind_take(w->b, sizeof(*n));
    struct plan_column *names = bind_take(w->b, MAX(columns, 1u) * sizeof(*names));
    uint32_t *attrs = bind_take(w->b, MAX(columns, 1u) * sizeof(*attrs));
    if (w->b->err) return NULL;
    *n = l->node;
    n->columns = names;
    n->time = -1;
    n->inputs = NULL;
    n->input_count = 0;
    *p = (struct placed){.node = n, .attrs = attrs, .time = NO_ATTR, .one_row = l->one_row};
    return p;
}

void placed_column(struct lowering *w, struct placed *p, uint32_t attr)
{
    struct plan_column *c = (struct plan_column *)(uintptr_t)p->node->columns;
    c[p->node->column_count] = (struct plan_column){w->b->attrs[attr].name, w->b->attrs[attr].type};
    p->attrs[p->node->column_count++] = attr;
}

static uint32_t find_place(const struct placed *p, uint32_t attr)
{
    for (uint32_t i = 0; p && i < p->node->column_count; i++)
        if (p->attrs[i] == attr) return i;
    return NO_ATTR;
}

uint32_t place_attr(struct lowering *w, uint32_t attr, const struct placed *p)
{
    uint32_t place = find_place(p, attr);
    INVARIANT(w->b->err || place != NO_ATTR);
    return place;
}

const struct expr *place_expr(struct lowering *w, const struct expr *e, const struct placed *left,
                              const struct placed *right)
{
    if (!e || w->b->err) return NULL;
    struct expr *copy = bind_take(w->b, sizeof(*copy));
    if (!copy) return NULL;
    *copy = *e;
    if (e->kind == EXPR_INPUT) {
        uint32_t place = find_place(left, e->input);
        if (place == NO_ATTR && right) {
            place = find_place(right, e->input);
            if (place != NO_ATTR) place += left->node->column_count;
        }
        INVARIANT(place != NO_ATTR);
        copy->input = place;
    }
    if (e->count == 0) return copy;
    copy->args = bind_take(w->b, e->count * sizeof(const struct expr *));
    for (uint32_t i = 0; !w->b->err && i < e->count; i++)
        copy->args[i] = place_expr(w, e->args[i], left, right);
    return w->b->err ? NULL : copy;
}

const struct expr *const *place_exprs(struct lowering *w, const struct expr *const *list,
                                      uint32_t count, const struct placed *in)
{
    const struct expr **out = bind_take(w->b, MAX(count, 1u) * sizeof(const struct expr *));
    for (uint32_t i = 0; out && i < count && !w->b->err; i++)
        out[i] = place_expr(w, list[i], in, NULL);
    return out;
}

/* --- leaves -------------------------------------------------------------------------------------
 */

static struct placed *lower_leaf(struct lowering *w, struct logic *l, const uint8_t *need)
{
    struct placed *p = placed_new(w, l, l->attr_count);
    struct plan_input *inputs = bind_take(w->b, MAX(l->attr_count, 1u) * sizeof(*inputs));
    bool topic = l->node.kind == NODE_TOPIC;
    if (!topic && w->b->stream) {
        bind_fail(w->b, l->node.text, ERR_UNSUPPORTED,
                  "a stream from a table or view: not available in this version");
        bind_hint(w->b, "FROM names a topic");
    }
    if (w->b->err) return NULL;
    const struct plan_input *have = topic ? l->node.topic.inputs : l->node.table.inputs;
    for (uint32_t i = 0; i < l->attr_count; i++) {
        bool time = w->stateful && l->attrs[i] == l->time;
        if (!need[l->attrs[i]] && !time) continue;
        inputs[p->node->column_count] = have[i];
        placed_column(w, p, l->attrs[i]);
    }
    if (!topic) {
        p->node->table.inputs = inputs;
        p->node->table.input_count = p->node->column_count;
        return p;
    }
    p->node->topic.inputs = inputs;
    p->node->topic.input_count = p->node->column_count;
    p->node->topic.number = w->topic_count;
    w->topics =
        bind_room(w->b, w->topics, w->topic_count, &w->topic_cap, sizeof(const struct plan_node *));
    if (w->b->err) return NULL;
    w->topics[w->topic_count++] = p->node;
    return p;
}

/* --- nodes that hand their input's columns on ---------------------------------------------------
 */

static void hand_on(struct lowering *w, struct placed *p, const struct placed *in)
{
    for (uint32_t i = 0; i < in->node->column_count; i++) placed_column(w, p, in->attrs[i]);
}

static struct placed *above_one(struct lowering *w, struct logic *l, struct placed *in,
                                uint32_t more)
{
    struct placed *p = in ? placed_new(w, l, in->node->column_count + more) : NULL;
    if (!p) return NULL;
    hand_on(w, p, in);
    return p;
}

/* The input of a node that is not a leaf itself; finish() puts it there. */
static struct placed *lower_distinct(struct lowering *w, struct logic *l, const uint8_t *need,
                                     struct placed **in)
{
    uint8_t *mine = need_copy(w, need);
    struct plan_distinct *d = &l->node.distinct;
    for (uint32_t i = 0; mine && i < d->by_count; i++) mine[d->by[i]] = 1;
    if (mine && w->b->stream) need_attr(mine, logic_time(w->b, l->ins[0]));
    *in = mine ? lower(w, l->ins[0], mine) : NULL;
    struct placed *p = above_one(w, l, *in, 0);
    uint32_t *by = p ? bind_take(w->b, MAX(d->by_count, 1u) * sizeof(*by)) : NULL;
    for (uint32_t i = 0; by && i < d->by_count; i++) by[i] = place_attr(w, d->by[i], *in);
    if (p) p->node->distinct.by = by;
    return by ? p : NULL;
}

static struct placed *lower_sort(struct lowering *w, struct logic *l, const uint8_t *need,
                                 struct placed **in)
{
    uint8_t *mine = need_copy(w, need);
    struct plan_sort *s = &l->node.sort;
    for (uint32_t i = 0; mine && i < s->order_count; i++) mine[s->order[i].output] = 1;
    *in = mine ? lower(w, l->ins[0], mine) : NULL;
    struct placed *p = *in ? placed_new(w, l, (*in)->node->column_count) : NULL;
    struct plan_order *order = p ? bind_take(w->b, MAX(s->order_count, 1u) * sizeof(*order)) : NULL;
    if (!order) return NULL;
    uint32_t count = (*in)->node->column_count;
    uint32_t shown = count; /* columns at the end that only the order asked for */
    while (shown > 0 && !need[(*in)->attrs[shown - 1]]) shown--;
    for (uint32_t i = 0; i < shown; i++) placed_column(w, p, (*in)->attrs[i]);
    for (uint32_t i = 0; i < s->order_count; i++) {
        order[i] = s->order[i];
        order[i].output = place_attr(w, s->order[i].output, *in);
    }
    p->node->sort.order = order;
    p->node->sort.hidden = count - shown;
    return p;
}

static struct placed *lower_window(struct lowering *w, struct logic *l, const uint8_t *need,
                                   struct placed **in)
{
    if (l->node.window.kind == WINDOW_SESSION) {
        bind_fail(w->b, l->node.text, ERR_UNSUPPORTED,
                  "SESSION without a GROUP BY of its window: a session grows row by row");
        bind_hint(w->b, "GROUP BY window_start, window_end, …");
    }
    uint8_t *mine = need_copy(w, need);
    if (mine) need_attr(mine, l->node.window.time);
    *in = mine ? lower(w, l->ins[0], mine) : NULL;
    struct placed *p = above_one(w, l, *in, 3);
    if (!p) return NULL;
    for (uint32_t i = 0; i < 3; i++) placed_column(w, p, l->attrs[i]);
    p->node->window.time = place_attr(w, l->node.window.time, *in);
    return p;
}

static struct placed *lower_unnest(struct lowering *w, struct logic *l, const uint8_t *need,
                                   struct placed **in)
{
    uint8_t *mine = need_copy(w, need);
    if (mine) need_expr(mine, l->node.unnest.value);
    *in = mine ? lower(w, l->ins[0], mine) : NULL;
    struct placed *p = above_one(w, l, *in, 2);
    if (!p) return NULL;
    for (uint32_t i = 0; i < l->attr_count; i++) placed_column(w, p, l->attrs[i]);
    p->node->unnest.value = place_expr(w, l->node.unnest.value, *in, NULL);
    return p;
}

/* --- any ----------------------------------------------------------------------------------------
 */

/* Its inputs, its number, what is known of its rows. */
struct placed *lower_done(struct lowering *w, struct logic *l, struct placed *p,
                          struct placed *const *ins, uint32_t in_count)
{
    const struct plan_node **inputs =
        bind_take(w->b, MAX(in_count, 1u) * sizeof(const struct plan_node *));
    if (!p || w->b->err) return NULL;
    for (uint32_t i = 0; i < in_count; i++) inputs[i] = ins[i]->node;
    p->node->inputs = inputs;
    p->node->input_count = in_count;
    p->node->id = w->next_id++;
    traits(w, l, p, ins);
    return w->b->err ? NULL : p;
}

struct placed *lower(struct lowering *w, struct logic *l, const uint8_t *need)
{
    struct placed *p = NULL, *in = NULL;
    if (w->b->err) return NULL;
    switch (l->node.kind) {
    case NODE_ONE: return lower_done(w, l, placed_new(w, l, 0), NULL, 0);
    case NODE_TOPIC:
    case NODE_TABLE: return lower_done(w, l, lower_leaf(w, l, need), NULL, 0);
    case NODE_ROWS: return lower_rows(w, l, need);
    case NODE_GROUP: return lower_group(w, l, need);
    case NODE_JOIN: return lower_join(w, l, need);
    case NODE_LOOKUP: return lower_lookup(w, l, need);
    case NODE_UNION: return lower_union(w, l, need);
    case NODE_TOP: return lower_top(w, l, need);
    case NODE_OVER: return lower_over(w, l, need);
    case NODE_TRANSFORM: return lower_transform(w, l, need);
    case NODE_DISTINCT: p = lower_distinct(w, l, need, &in); break;
    case NODE_SORT: p = lower_sort(w, l, need, &in); break;
    case NODE_WINDOW: p = lower_window(w, l, need, &in); break;
    case NODE_UNNEST: p = lower_unnest(w, l, need, &in); break;
    case NODE_KINDS: break;
    }
    return p ? lower_done(w, l, p, &in, 1) : NULL;
}

static bool has_state(const struct logic *l)
{
    enum node_kind k = l->node.kind;
    bool any = k == NODE_GROUP || k == NODE_JOIN || k == NODE_DISTINCT || k == NODE_TOP;
    for (uint32_t i = 0; i < l->in_count; i++) any = any || has_state(l->ins[i]);
    return any;
}

void bind_lower(struct binder *b, struct logic *root, struct lowered *out)
{
    struct lowering w = {.b = b};
    bind_simplify(b, root);
    if (b->err) return;
    w.stateful = b->stream && has_state(root);
    const struct logic *shown = logic_shown(root);
    if (w.stateful) bind_times(b, root);
    uint8_t *need = need_copy(&w, NULL);
    for (uint32_t i = 0; need && i < shown->visible; i++) need[shown->attrs[i]] = 1;
    struct placed *p = need ? lower(&w, root, need) : NULL;
    p = p ? narrowed(&w, p, shown->attrs, shown->visible) : NULL;
    if (!p || b->err) return;
    *out = (struct lowered){.root = p->node,
                            .node_count = w.next_id,
                            .topics = w.topics,
                            .topic_count = w.topic_count,
                            .one_row = p->one_row};
    for (uint32_t i = 0; i < w.topic_count; i++)
        INVARIANT(((struct plan_node *)(uintptr_t)w.topics[i])->topic.number == i);
}
