/* Queries: WITH, UNION ALL, DISTINCT, the order of the answer. */
#include "sql/bind.h"

/* Whether rows of a sub-select are taken back. */
static bool may_change(const struct logic *l)
{
    bool below = false;
    for (uint32_t i = 0; i < l->in_count; i++) below = below || may_change(l->ins[i]);
    if (l->node.kind == NODE_GROUP) return l->node.group.window.kind == WINDOW_NONE;
    if (l->node.kind == NODE_TOP) return true;
    if (l->node.kind != NODE_JOIN) return below;
    enum join_kind kind = l->node.join.kind;
    return below || (!l->node.join.bounded && kind != JOIN_INNER && kind != JOIN_SEMI);
}

/* DISTINCT of rows that come and go: a group for each, as long as one is there. */
static struct logic *distinct_group(struct binder *b, struct logic *in, struct slice text)
{
    struct logic *l = logic_new(b, NODE_GROUP, in, text);
    const struct expr **keys =
        l ? bind_take(b, MAX(in->visible, 1u) * sizeof(const struct expr *)) : NULL;
    for (uint32_t i = 0; keys && i < in->visible && !b->err; i++) {
        const struct attr of = b->attrs[in->attrs[i]];
        keys[i] = attr_expr(b, in->attrs[i], of.name);
        (void)attr_new(b, l, of.name, of.type);
    }
    if (b->err) return NULL;
    l->time = NO_ATTR;
    l->visible = in->visible;
    l->node.group.keys = keys;
    l->node.group.key_count = in->visible;
    l->node.group.ttl_ms = b->state_ttl_ms;
    return l;
}

struct logic *bind_distinct(struct binder *b, struct logic *in, struct slice text)
{
    if (b->stream && !b->err && may_change(in)) return distinct_group(b, in, text);
    struct logic *l = logic_new(b, NODE_DISTINCT, in, text);
    uint32_t *by = l ? bind_take(b, MAX(in->visible, 1u) * sizeof(*by)) : NULL;
    if (!by) return NULL;
    for (uint32_t i = 0; i < in->visible; i++) by[i] = in->attrs[i];
    l->node.distinct = (struct plan_distinct){.by = by, .by_count = in->visible};
    if (!b->stream) return l;
    /* Rows that are alike are of the same time: once that is past, none comes again. */
    for (uint32_t i = 0; i < in->visible; i++)
        if (in->time == in->attrs[i]) l->node.distinct.within_watermark = true;
    if (!l->node.distinct.within_watermark) l->node.distinct.ttl_ms = b->state_ttl_ms;
    return l;
}

struct logic *bind_sort(struct binder *b, struct logic *in, const struct query_tree *q,
                        struct plan_order *order, const uint32_t *attrs)
{
    bool sorts = q->order_count > 0, limits = q->limit >= 0 || q->offset > 0;
    if ((!sorts && !limits) || b->err) return b->err ? NULL : in;
    if (b->stream) {
        bind_fail(b, sorts ? q->order[0].value->text : q->text, ERR_UNSUPPORTED,
                  "%s in a stream: its rows never end", sorts ? "ORDER BY" : "LIMIT");
        bind_hint(b, "for the first n of a group: ROW_NUMBER() OVER (PARTITION BY … ORDER BY …) "
                     "AS rn in a sub-select, WHERE rn <= n around it");
        return NULL;
    }
    struct logic *l = logic_new(b, NODE_SORT, in, q->text);
    if (!l) return NULL;
    for (uint32_t i = 0; i < q->order_count; i++) order[i].output = attrs[order[i].output];
    l->node.sort = (struct plan_sort){.order = order,
                                      .order_count = q->order_count,
                                      .limit = q->limit,
                                      .offset = MAX(q->offset, 0)};
    return l;
}

/* --- UNION ALL ----------------------------------------------------------------------------------
 */

static struct logic *arm_rows(struct logic *arm)
{
    return logic_shown(arm);
}

/* One type for a column of all arms. */
static void unite_column(struct binder *b, const struct query_tree *q, struct logic **arms,
                         uint32_t column)
{
    struct expr **list = bind_take(b, q->select_count * sizeof(*list));
    for (uint32_t n = 0; list && n < q->select_count; n++)
        list[n] = (struct expr *)(uintptr_t)arm_rows(arms[n])->node.rows.outputs[column].value;
    struct tree place = {.text = list ? list[q->select_count - 1]->text : q->text};
    const struct type *type = list ? bind_common(b, list, q->select_count, &place) : NULL;
    if (!type) type = type_of(TYPE_JSON);
    for (uint32_t n = 0; !b->err && n < q->select_count; n++) {
        struct logic *rows = arm_rows(arms[n]);
        struct plan_output *o = (struct plan_output *)(uintptr_t)&rows->node.rows.outputs[column];
        struct expr *e = bind_widen(b, list[n], type);
        if (!e) return;
        *o = (struct plan_output){o->name, type, e};
        b->attrs[rows->attrs[column]].type = type;
    }
}

/* The place of every arm's time; a column of its own where they differ. */
static int64_t unite_time(struct binder *b, struct logic **arms, uint32_t count, uint32_t visible)
{
    int64_t place = -1;
    bool same = true;
    for (uint32_t n = 0; n < count; n++) {
        const struct logic *rows = arm_rows(arms[n]);
        if (rows->time == NO_ATTR) return -1;
        for (uint32_t i = 0; i < rows->attr_count; i++) {
            if (rows->attrs[i] != rows->time) continue;
            same = same && (n == 0 || place == i);
            place = i;
        }
    }
    if (same) return place;
    for (uint32_t n = 0; n < count && !b->err; n++) {
        struct logic *rows = arm_rows(arms[n]);
        if (rows->attr_count > visible) continue; /* it stands there already */
        const struct attr of = b->attrs[rows->time];
        for (uint32_t i = 0; i < visible; i++)
            if (rows->attrs[i] == rows->time) {
                rows->time = rows_add(b, rows, of.name,
                                      (struct expr *)(uintptr_t)rows->node.rows.outputs[i].value);
                break;
            }
    }
    return visible;
}

static void union_attrs(struct binder *b, struct logic *l, uint32_t visible, int64_t time)
{
    const struct logic *first = arm_rows(l->ins[0]);
    uint32_t count = MAX(visible, (uint32_t)(time + 1));
    l->arms = bind_take(b, l->in_count * sizeof(uint32_t *));
    for (uint32_t n = 0; !b->err && n < l->in_count; n++) l->arms[n] = arm_rows(l->ins[n])->attrs;
    for (uint32_t i = 0; i < count && !b->err; i++) {
        const struct attr of = b->attrs[first->attrs[i]];
        uint32_t made = attr_new(b, l, of.name, of.type);
        if (!b->err && time == i) l->time = made;
    }
    l->visible = visible;
}

static void order_by_output(struct binder *b, const struct query_tree *q, const struct logic *l,
                            struct plan_order *order)
{
    for (uint32_t i = 0; i < q->order_count && !b->err; i++) {
        const struct order_item *o = &q->order[i];
        const struct tree *t = o->value;
        int64_t place = -1;
        if (t->kind == TREE_INTEGER && slice_to_i64(t->value, &place)) place--;
        for (uint32_t k = 0; t->kind == TREE_NAME && t->step_count == 1 && k < l->visible; k++)
            if (slice_equal(b->attrs[l->attrs[k]].name, t->steps[0].name)) place = k;
        if (place < 0 || place >= l->visible) {
            bind_fail(b, t->text, ERR_SYNTAX, "ORDER BY of UNION takes an output's name or place");
            return;
        }
        if (!type_ordered(b->attrs[l->attrs[place]].type))
            bind_fail(b, t->text, ERR_TYPE, "%s has no order",
                      bind_type_name(b, b->attrs[l->attrs[place]].type));
        order[i] = (struct plan_order){(uint32_t)place, o->descending,
                                       o->nulls_set ? o->nulls_first : o->descending};
    }
}

static struct logic *bind_union(struct binder *b, const struct query_tree *q, struct wanted *w)
{
    struct logic **arms = bind_take(b, q->select_count * sizeof(struct logic *));
    struct wanted none = {0};
    if (!w) w = &none;
    for (uint32_t n = 0; arms && n < q->select_count; n++) {
        arms[n] = bind_select(b, q->selects[n], NULL, w->into ? w : NULL, false);
        if (!arms[n]) return NULL;
        uint32_t have = arm_rows(arms[n])->visible, first = arm_rows(arms[0])->visible;
        w->count = first; /* from now on by place */
        if (have == first) continue;
        bind_fail(b, q->selects[n]->text, ERR_SYNTAX,
                  "UNION ALL of %u and %u columns: they must be as many", first, have);
        return NULL;
    }
    if (!arms) return NULL;
    uint32_t visible = arm_rows(arms[0])->visible;
    for (uint32_t i = 0; i < visible && !b->err; i++) unite_column(b, q, arms, i);
    int64_t time = b->stream && !b->err ? unite_time(b, arms, q->select_count, visible) : -1;
    struct logic *l = logic_join(b, NODE_UNION, arms[0], arms[1], q->text);
    struct plan_order *order = l ? bind_take(b, MAX(q->order_count, 1u) * sizeof(*order)) : NULL;
    if (!order) return NULL;
    l->ins = arms;
    l->in_count = q->select_count;
    union_attrs(b, l, visible, time);
    if (b->err) return NULL;
    order_by_output(b, q, l, order);
    return bind_sort(b, l, q, order, l->attrs);
}

struct logic *bind_query(struct binder *b, const struct query_tree *q, struct wanted *w)
{
    const struct named_query *outer = b->with;
    for (uint32_t i = 0; i < q->with_count && !b->err; i++) {
        struct named_query *n = bind_take(b, sizeof(*n));
        if (!n) return NULL;
        *n = (struct named_query){q->with[i].name, q->with[i].query, b->with};
        b->with = n;
    }
    struct logic *l = b->err                 ? NULL
                      : q->select_count == 1 ? bind_select(b, q->selects[0], q, w, true)
                                             : bind_union(b, q, w);
    b->with = outer;
    return l;
}
