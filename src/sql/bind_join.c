/* JOIN: what ON and USING say. Which keys, bounds and lookups become of it: bind_match.c. */
#include "sql/bind.h"

static bool always_true(const struct expr *e)
{
    return expr_is_constant(e) && e->constant.state[0] == VALID_VALUE && e->constant.b1[0];
}

/* One conjunct of ON: below where the join's kind allows, else its condition. */
static void join_conjunct(struct binder *b, struct logic *l, struct expr *e)
{
    enum join_kind kind = l->node.join.kind;
    bool left = kind == JOIN_INNER || kind == JOIN_RIGHT || kind == JOIN_SEMI;
    bool right = kind == JOIN_INNER || kind == JOIN_LEFT || kind == JOIN_SEMI || kind == JOIN_ANTI;
    if (always_true(e)) return;
    if (left && e->deterministic && expr_reads_only(b, e, l->ins[0])) {
        l->ins[0] = bind_filter(b, l->ins[0], e);
    } else if (right && e->deterministic && expr_reads_only(b, e, l->ins[1])) {
        l->ins[1] = bind_filter(b, l->ins[1], e);
    } else {
        struct expr *both[2] = {(struct expr *)(uintptr_t)l->node.join.condition, e};
        l->node.join.condition = both[0] ? expr_all(b, both, 2) : e;
    }
}

static struct expr *using_side(struct binder *b, struct scope *s, uint32_t first, uint32_t until,
                               struct slice name)
{
    struct json_step *step = bind_take(b, sizeof(*step));
    struct scope *saved = b->scope;
    if (!step) return NULL;
    *step = (struct json_step){.name = name};
    struct scope side = {.ranges = s->ranges + first, .count = until - first};
    struct tree t = {.kind = TREE_NAME, .text = name, .steps = step, .step_count = 1, .depth = 1};
    b->scope = &side;
    struct expr *e = bind_name(b, &t);
    b->scope = saved;
    return e;
}

static struct expr *merged_value(struct binder *b, enum join_kind kind, struct slice name,
                                 struct expr *left, struct expr *right)
{
    if (kind == JOIN_RIGHT) return right;
    if (kind != JOIN_FULL) return left;
    struct tree t = {.text = name};
    struct expr *e = bind_node(b, EXPR_COALESCE, &t, left->type, 2);
    if (!e) return NULL;
    e->args[0] = left;
    e->args[1] = right;
    return e;
}

static void join_using(struct binder *b, const struct from_tree *f, struct logic *l,
                       struct scope *s, uint32_t first, uint32_t middle)
{
    uint32_t before = s->merged_count, count = before + f->join.using_count;
    struct merged *merged = bind_take(b, count * sizeof(*merged));
    if (!merged) return;
    if (before) memcpy(merged, s->merged, before * sizeof(*merged));
    for (uint32_t i = 0; i < f->join.using_count && !b->err; i++) {
        struct slice name = f->join.using[i];
        struct expr *left = using_side(b, s, first, middle, name);
        struct expr *right = using_side(b, s, middle, s->count, name);
        struct expr *equal =
            right ? bind_equal(b, &(struct tree){.text = name}, left, right) : NULL;
        if (!equal) return;
        join_conjunct(b, l, equal);
        merged[before + i].name = name;
        merged[before + i].value =
            merged_value(b, l->node.join.kind, name, (struct expr *)(uintptr_t)equal->args[0],
                         (struct expr *)(uintptr_t)equal->args[1]);
    }
    s->merged = merged;
    s->merged_count = count;
}

static struct logic *unnested(struct binder *b, const struct from_tree *f, struct logic *left,
                              struct scope *s)
{
    const struct tree *on = f->join.on;
    bool plain = !on || (on->kind == TREE_BOOLEAN && slice_is(on->value, "true"));
    bool outer = f->join.kind == JOIN_LEFT;
    if (plain && (outer || f->join.kind == JOIN_CROSS || f->join.kind == JOIN_INNER))
        return bind_unnest(b, f->join.right, left, outer, s);
    bind_fail(b, f->text, ERR_UNSUPPORTED, "UNNEST with this kind of join");
    bind_hint(b, "write CROSS JOIN UNNEST(…) and the condition into WHERE, or LEFT JOIN … ON TRUE");
    return NULL;
}

struct logic *bind_join(struct binder *b, const struct from_tree *f, struct scope *s)
{
    uint32_t first = s->count;
    struct logic *left = bind_from(b, f->join.left, s);
    if (!left) return NULL;
    if (f->join.right->kind == FROM_UNNEST) return unnested(b, f, left, s);
    uint32_t middle = s->count;
    struct logic *right = bind_from(b, f->join.right, s);
    struct logic *l = logic_join(b, NODE_JOIN, left, right, f->text);
    if (!l) return NULL;
    l->node.join.kind = f->join.kind;
    if (f->join.on) {
        struct scope *saved = b->scope;
        struct scope both = {.ranges = s->ranges + first, .count = s->count - first};
        b->scope = &both;
        const char *outside = b->no_aggregates;
        b->no_aggregates = "ON";
        struct expr *on = bind_condition(b, f->join.on, "ON"), **list;
        b->no_aggregates = outside;
        b->scope = saved;
        uint32_t count;
        expr_split(b, on, &list, &count);
        for (uint32_t i = 0; i < count && !b->err; i++) join_conjunct(b, l, list[i]);
    } else if (f->join.using_count) {
        join_using(b, f, l, s, first, middle);
    }
    if (f->join.kind == JOIN_SEMI || f->join.kind == JOIN_ANTI) s->count = middle;
    return b->err ? NULL : l;
}
