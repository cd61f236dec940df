/* Conditions sink: each conjunct to the deepest node where it says the same, at best right above
 * its leaf. What a join can take becomes its condition; `rn <= n` over ROW_NUMBER() becomes a
 * top-n.
 */
#include "sql/bind.h"

static void sink(struct binder *b, struct logic **at, struct expr *e);

/* A filter above *at, or one more conjunct of the one that is there. */
static void put_filter(struct binder *b, struct logic **at, struct expr *e)
{
    struct logic *l = *at;
    if (!e || b->err) return;
    bool filter = l->node.kind == NODE_ROWS && l->passes && l->node.rows.output_count == 0;
    if (!filter) {
        l = logic_new(b, NODE_ROWS, l, e->text);
        if (!l) return;
        l->passes = true;
        l->node.rows.where = e;
        *at = l;
        return;
    }
    struct expr **list, **more;
    uint32_t n, m;
    expr_split(b, (struct expr *)(uintptr_t)l->node.rows.where, &list, &n);
    expr_split(b, e, &more, &m);
    struct expr **all = bind_take(b, (n + m) * sizeof(*all));
    if (!all) return;
    for (uint32_t i = 0; i < n + m; i++) all[i] = i < n ? list[i] : more[i - n];
    l->node.rows.where = expr_all(b, all, n + m);
}

/* --- through what computes columns --------------------------------------------------------------
 */

/* attr -> value for expr_replaced; all NULL. */
static struct expr **replacing(struct binder *b)
{
    return bind_take(b, MAX(b->attr_count, 1u) * sizeof(struct expr *));
}

/* An output larger than this is not computed twice; nor does a condition grow beyond that. */
enum { SINK_SIZE_MAX = 24, SINK_WHOLE_MAX = 2000 };

static bool sink_rows(struct binder *b, struct logic *l, struct expr *e)
{
    if (l->node.rows.check_count) return false;
    struct expr **by = replacing(b);
    for (uint32_t i = 0; by && i < l->attr_count; i++) {
        struct expr *v = (struct expr *)(uintptr_t)l->node.rows.outputs[i].value;
        if (!v->deterministic || expr_size(v, SINK_SIZE_MAX) > SINK_SIZE_MAX) continue;
        by[l->attrs[i]] = v;
    }
    struct expr *below = by ? expr_replaced(b, e, by) : NULL;
    if (!below || expr_size(below, SINK_WHOLE_MAX) > SINK_WHOLE_MAX ||
        !expr_reads_only(b, below, l->ins[0]))
        return false;
    sink(b, &l->ins[0], below);
    return true;
}

static bool sink_group(struct binder *b, struct logic *l, struct expr *e)
{
    struct expr **by = expr_reads(e) ? replacing(b) : NULL;
    uint32_t first = l->node.group.window.kind ? 3 : 0;
    if (!by) return false;
    for (uint32_t i = 0; i < l->node.group.key_count; i++)
        if (l->node.group.keys[i]->deterministic)
            by[l->attrs[first + i]] = (struct expr *)(uintptr_t)l->node.group.keys[i];
    struct expr *below = expr_replaced(b, e, by);
    if (!below || expr_size(below, SINK_WHOLE_MAX) > SINK_WHOLE_MAX ||
        !expr_reads_only(b, below, l->ins[0]))
        return false;
    sink(b, &l->ins[0], below);
    return true;
}

static bool sink_union(struct binder *b, struct logic *l, struct expr *e)
{
    for (uint32_t n = 0; n < l->in_count && !b->err; n++) {
        struct expr **by = replacing(b);
        for (uint32_t i = 0; by && i < l->attr_count; i++)
            by[l->attrs[i]] = attr_expr(b, l->arms[n][i], e->text);
        struct expr *below = by ? expr_replaced(b, e, by) : NULL;
        if (below) sink(b, &l->ins[n], below);
    }
    return true;
}

/* --- joins --------------------------------------------------------------------------------------
 */

static bool sink_join(struct binder *b, struct logic *l, struct expr *e)
{
    enum join_kind kind = l->node.join.kind;
    bool inner = kind == JOIN_INNER || kind == JOIN_CROSS;
    bool left = inner || kind == JOIN_LEFT || kind == JOIN_SEMI || kind == JOIN_ANTI;
    bool right = inner || kind == JOIN_RIGHT;
    if (left && expr_reads_only(b, e, l->ins[0])) {
        sink(b, &l->ins[0], e);
        return true;
    }
    if (right && expr_reads_only(b, e, l->ins[1])) {
        sink(b, &l->ins[1], e);
        return true;
    }
    if (!inner || l->matched) return false;
    struct expr *both[2] = {(struct expr *)(uintptr_t)l->node.join.condition, e};
    l->node.join.condition = both[0] ? expr_all(b, both, 2) : e;
    l->node.join.kind = JOIN_INNER;
    return true;
}

/* --- ranks --------------------------------------------------------------------------------------
 */

/* rank <= n, rank < n, rank = n (n >= rank …): how many; 0: it is none of these. */
static int64_t rank_limit(const struct expr *e, uint32_t rank, bool *equal)
{
    if (e->kind != EXPR_COMPARE) return 0;
    enum tree_op op = e->op;
    const struct expr *name = e->args[0], *value = e->args[1];
    if (!expr_is_constant(value)) {
        const struct expr *turned = name;
        name = value;
        value = turned;
        op = op == OP_GE ? OP_LE : op == OP_GT ? OP_LT : op == OP_EQ ? OP_EQ : OP_NONE;
    }
    while (name->kind == EXPR_CAST && name->op != OP_TRY) name = name->args[0];
    uint32_t attr;
    if (!expr_is_attr(name, &attr) || attr != rank || !expr_is_constant(value)) return 0;
    if (!type_is_integer(value->type) || value->constant.state[0] != VALID_VALUE) return 0;
    struct value v;
    column_get(&value->constant, 0, &v);
    *equal = op == OP_EQ;
    if (op == OP_LE || op == OP_EQ) return MAX(v.integer, 0);
    return op == OP_LT ? MAX(v.integer - 1, 0) : 0;
}

static bool turn_into_top(struct binder *b, struct logic *l, struct expr *e)
{
    static const struct {
        enum over_kind over;
        enum rank_kind rank;
    } ranks[] = {{OVER_ROW_NUMBER, RANK_ROW_NUMBER},
                 {OVER_RANK, RANK_RANK},
                 {OVER_DENSE_RANK, RANK_DENSE_RANK}};
    struct plan_over over = l->node.over;
    bool equal = false;
    if (over.function_count != 1 || over.order_count == 0) return false;
    int64_t limit = rank_limit(e, l->attrs[0], &equal);
    for (size_t i = 0; limit > 0 && i < COUNT_OF(ranks); i++) {
        if (over.functions[0].kind != ranks[i].over) continue;
        l->node.kind = NODE_TOP;
        l->node.top = (struct plan_top){.rank = ranks[i].rank,
                                        .keys = over.keys,
                                        .key_count = over.key_count,
                                        .order = over.order,
                                        .order_count = over.order_count,
                                        .limit = limit,
                                        .ttl_ms = b->state_ttl_ms};
        return !equal || limit == 1;
    }
    return false;
}

static bool sink_ranked(struct binder *b, struct logic *l, struct expr *e)
{
    const struct expr *const *keys =
        l->node.kind == NODE_TOP ? l->node.top.keys : l->node.over.keys;
    uint32_t count = l->node.kind == NODE_TOP ? l->node.top.key_count : l->node.over.key_count;
    if (l->node.kind == NODE_OVER && turn_into_top(b, l, e)) return true;
    if (!expr_reads(e) || !expr_reads_only(b, e, l->ins[0])) return false;
    struct expr **by = replacing(b); /* all that is read is a key */
    struct expr *none = bind_node(b, EXPR_LITERAL, &(struct tree){0}, NULL, 0);
    uint32_t attr;
    for (uint32_t i = 0; none && by && i < count; i++)
        if (expr_is_attr(keys[i], &attr)) by[attr] = none;
    struct expr *left = none && by ? expr_replaced(b, e, by) : NULL;
    if (!left || expr_reads(left)) return false;
    sink(b, &l->ins[0], e);
    return true;
}

/* --- any ----------------------------------------------------------------------------------------
 */

static bool below(struct binder *b, struct logic *l, struct expr *e)
{
    if (!expr_reads_only(b, e, l->ins[0])) return false;
    sink(b, &l->ins[0], e);
    return true;
}

static bool reads_only_by(const struct logic *l, const struct expr *e)
{
    bool found = e->kind != EXPR_INPUT;
    for (uint32_t i = 0; e->kind == EXPR_INPUT && i < l->node.distinct.by_count; i++)
        found = found || l->node.distinct.by[i] == e->input;
    for (uint32_t i = 0; found && i < e->count; i++) found = reads_only_by(l, e->args[i]);
    return found;
}

/* Whether it went below l. */
static bool sink_into(struct binder *b, struct logic *l, struct expr *e)
{
    switch (l->node.kind) {
    case NODE_ROWS:
        if (!l->passes) return sink_rows(b, l, e);
        if (l->node.rows.output_count) return below(b, l, e);
        if (!sink_into(b, l->ins[0], e)) put_filter(b, &l, e);
        return true;
    case NODE_GROUP: return sink_group(b, l, e);
    case NODE_JOIN: return sink_join(b, l, e);
    case NODE_UNION: return sink_union(b, l, e);
    case NODE_WINDOW:
    case NODE_UNNEST: return below(b, l, e);
    case NODE_DISTINCT: return reads_only_by(l, e) && below(b, l, e);
    case NODE_TOP:
    case NODE_OVER: return sink_ranked(b, l, e);
    case NODE_SORT: return l->node.sort.limit < 0 && l->node.sort.offset <= 0 && below(b, l, e);
    default: return false;
    }
}

static void sink(struct binder *b, struct logic **at, struct expr *e)
{
    if (b->err || !e) return;
    if (!e->deterministic || !sink_into(b, *at, e)) put_filter(b, at, e);
}

struct logic *bind_filter(struct binder *b, struct logic *in, struct expr *condition)
{
    if (!condition || b->err) return b->err ? NULL : in;
    bool leaf =
        in->node.kind == NODE_TOPIC || in->node.kind == NODE_TABLE || in->node.kind == NODE_ONE;
    struct expr **list = &condition;
    uint32_t count = 1;
    if (!leaf) expr_split(b, condition, &list, &count); /* over a leaf all stay together */
    for (uint32_t i = 0; i < count && !b->err; i++) sink(b, &in, list[i]);
    return b->err ? NULL : in;
}
