/* Joins, once all conditions have sunk: equal keys, bounds in time, tables to look up. */
#include "sql/bind.h"

struct match { /* one join's condition on its way to keys and bounds */
    struct binder *b;
    struct logic *l;
    struct expr **list;
    uint32_t count;
    const struct expr **left, **right; /* the keys */
    uint32_t keys;
};

/* --- keys ---------------------------------------------------------------------------------------
 */

static bool reads_side(const struct binder *b, const struct expr *e, const struct logic *side)
{
    return expr_reads(e) && e->deterministic && expr_reads_only(b, e, side);
}

/* e is x = y, one side of each input: which is the left one's. */
static bool is_key(const struct match *m, const struct expr *e, const struct expr **left,
                   const struct expr **right)
{
    if (e->kind != EXPR_COMPARE || e->op != OP_EQ) return false;
    for (int i = 0; i < 2; i++) {
        *left = e->args[i];
        *right = e->args[1 - i];
        if (reads_side(m->b, *left, m->l->ins[0]) && reads_side(m->b, *right, m->l->ins[1]))
            return true;
    }
    return false;
}

static void take_keys(struct match *m)
{
    uint32_t rest = 0;
    m->left = bind_take(m->b, MAX(m->count, 1u) * sizeof(const struct expr *));
    m->right = bind_take(m->b, MAX(m->count, 1u) * sizeof(const struct expr *));
    for (uint32_t i = 0; !m->b->err && i < m->count; i++) {
        if (is_key(m, m->list[i], &m->left[m->keys], &m->right[m->keys]))
            m->keys++;
        else
            m->list[rest++] = m->list[i];
    }
    m->count = rest;
}

/* --- bounds in time -----------------------------------------------------------------------------
 */

struct bounds {
    bool has_low, has_high;
    int64_t low, high; /* low <= right.time - left.time <= high */
};

/* A column, or one shifted by a span: ts - INTERVAL '1' MINUTE as bind_shift makes it. */
static bool time_form(const struct expr *e, uint32_t *attr, int64_t *offset)
{
    *offset = 0;
    while (e->kind == EXPR_CALL && strcmp(e->fn->name, "timestamp_millis") == 0) {
        const struct expr *sum = e->args[0];
        if (sum->kind != EXPR_ARITH || (sum->op != OP_ADD && sum->op != OP_SUB)) return false;
        const struct expr *millis = sum->args[0], *span = sum->args[1];
        if (!expr_is_constant(span) || millis->kind != EXPR_CALL ||
            strcmp(millis->fn->name, "unix_millis") != 0)
            return false;
        *offset += sum->op == OP_ADD ? span->constant.i64[0] : -span->constant.i64[0];
        e = millis->args[0];
    }
    return e->type->kind == TYPE_TIMESTAMP && expr_is_attr(e, attr);
}

static void add_low(struct bounds *t, int64_t ms)
{
    t->low = t->has_low ? MAX(t->low, ms) : ms;
    t->has_low = true;
}

static void add_high(struct bounds *t, int64_t ms)
{
    t->high = t->has_high ? MIN(t->high, ms) : ms;
    t->has_high = true;
}

/* Whether the attribute is the time of side's rows, or always so much (*more) later: a window's end
 * is a millisecond after its time. */
static bool is_time(struct binder *b, struct logic *side, uint32_t attr, int64_t *more)
{
    *more = 0;
    if (!logic_gives(b, side, attr)) return false;
    bind_claim_time(b, attr);
    uint32_t time = logic_time(b, side);
    if (time == attr || time == NO_ATTR) return time == attr;
    const struct attr *a = &b->attrs[attr], *t = &b->attrs[time];
    if (t->role != ATTR_WINDOW_TIME || a->role == ATTR_PLAIN || a->window != t->window)
        return false;
    *more = a->role == ATTR_WINDOW_END ? 1 : a->role == ATTR_WINDOW_START ? 1 - a->size_ms : 0;
    return a->role != ATTR_WINDOW_START || a->size_ms;
}

/* left.time + x op right.time + y, or the other way round; whether e is that. */
static bool take_bound(const struct match *m, const struct expr *e, struct bounds *t)
{
    uint32_t first, second;
    int64_t x, y;
    if (e->kind != EXPR_COMPARE || !time_form(e->args[0], &first, &x) ||
        !time_form(e->args[1], &second, &y))
        return false;
    enum tree_op op = e->op;
    int64_t after[2];
    struct logic *const *ins = m->l->ins;
    bool straight =
        is_time(m->b, ins[0], first, &after[0]) && is_time(m->b, ins[1], second, &after[1]);
    if (!straight &&
        !(is_time(m->b, ins[1], first, &after[0]) && is_time(m->b, ins[0], second, &after[1])))
        return false;
    x += after[0];
    y += after[1];
    int64_t d = straight ? x - y : y - x;
    if (straight) /* left + x <= right + y: right - left >= x - y */
        op = op == OP_LE   ? OP_GE
             : op == OP_LT ? OP_GT
             : op == OP_GE ? OP_LE
             : op == OP_GT ? OP_LT
                           : op;
    switch (op) {
    case OP_GE: add_low(t, d); return true;
    case OP_GT: add_low(t, d + 1); return true;
    case OP_LE: add_high(t, d); return true;
    case OP_LT: add_high(t, d - 1); return true;
    case OP_EQ:
        add_low(t, d);
        add_high(t, d);
        return true;
    default: return false;
    }
}

/* Equal columns of windows: both sides' rows are of the same window, so of the same time. */
static bool same_window(const struct match *m, const struct expr *left, const struct expr *right)
{
    struct binder *b = m->b;
    uint32_t x, y, lt = logic_time(b, m->l->ins[0]), rt = logic_time(b, m->l->ins[1]);
    if (lt == NO_ATTR || rt == NO_ATTR || !expr_is_attr(left, &x) || !expr_is_attr(right, &y))
        return false;
    const struct attr *a = &b->attrs[x], *o = &b->attrs[y], *at = &b->attrs[lt],
                      *ot = &b->attrs[rt];
    if (a->role == ATTR_PLAIN || a->role != o->role) return false;
    if (at->role != ATTR_WINDOW_TIME || ot->role != ATTR_WINDOW_TIME) return false;
    if (a->window != at->window || o->window != ot->window) return false;
    return a->role != ATTR_WINDOW_START || (a->size_ms && a->size_ms == o->size_ms);
}

static void one_window(struct binder *b, uint32_t keep, uint32_t gone)
{
    for (uint32_t i = 0; i < b->attr_count; i++)
        if (b->attrs[i].role != ATTR_PLAIN && b->attrs[i].window == gone) b->attrs[i].window = keep;
}

static void take_bounds(struct match *m)
{
    struct binder *b = m->b;
    struct bounds t = {0};
    bool *used = bind_take(b, MAX(m->count, 1u));
    if (!used) return;
    for (uint32_t i = 0; i < m->count && !b->err; i++) used[i] = take_bound(m, m->list[i], &t);
    for (uint32_t i = 0; i < m->keys && !b->err; i++) {
        struct expr equal = {.kind = EXPR_COMPARE,
                             .op = OP_EQ,
                             .args = (const struct expr *[]){m->left[i], m->right[i]}};
        (void)take_bound(m, &equal, &t);
        if (!same_window(m, m->left[i], m->right[i])) continue;
        add_low(&t, 0);
        add_high(&t, 0);
        one_window(b, b->attrs[m->left[i]->input].window, b->attrs[m->right[i]->input].window);
    }
    if (b->err || !t.has_low || !t.has_high) return;
    struct plan_join *j = &m->l->node.join;
    j->bounded = true;
    j->low_ms = t.low;
    j->high_ms = t.high;
    uint32_t rest = 0;
    for (uint32_t i = 0; i < m->count; i++)
        if (!used[i]) m->list[rest++] = m->list[i];
    m->count = rest;
    if (t.low > t.high)
        bind_fail(b, m->l->node.text, ERR_RANGE, "no two rows can be within these times");
}

/* Which column's time the joined rows go by: the later one's, where that is always the same; rows
 * that leave without a match come after their time has passed. */
static void set_time(struct match *m)
{
    struct plan_join *j = &m->l->node.join;
    uint32_t lt = logic_time(m->b, m->l->ins[0]), rt = logic_time(m->b, m->l->ins[1]);
    bool same = j->low_ms == 0 && j->high_ms == 0;
    m->l->time = NO_ATTR;
    if (!j->bounded) return;
    switch (j->kind) {
    case JOIN_INNER: m->l->time = j->high_ms <= 0 ? lt : j->low_ms >= 0 ? rt : NO_ATTR; break;
    case JOIN_SEMI: m->l->time = j->high_ms <= 0 ? lt : NO_ATTR; break;
    case JOIN_LEFT:
    case JOIN_ANTI: m->l->time = same ? lt : NO_ATTR; break;
    case JOIN_RIGHT: m->l->time = same ? rt : NO_ATTR; break;
    default: break;
    }
}

/* --- tables -------------------------------------------------------------------------------------
 */

static struct logic *table_of(struct logic *l)
{
    while (l->node.kind == NODE_ROWS && l->passes && l->node.rows.check_count == 0) l = l->ins[0];
    return l->node.kind == NODE_TABLE ? l : NULL;
}

/* The expression that a key holds equal to the table's column; NULL: none. */
static const struct expr *key_for(const struct match *m, const struct logic *table, uint32_t column,
                                  bool *used)
{
    for (uint32_t i = 0; i < m->keys; i++) {
        uint32_t attr;
        if (!expr_is_attr(m->right[i], &attr)) continue;
        for (uint32_t a = 0; a < table->attr_count; a++) {
            if (table->attrs[a] != attr || table->node.table.inputs[a].column != column) continue;
            used[i] = true;
            return m->left[i];
        }
    }
    return NULL;
}

static void no_partition_key(struct binder *b, const struct logic *l, const struct sql_relation *r,
                             uint32_t column)
{
    bind_fail(b, l->node.text, ERR_UNSUPPORTED,
              "a table is joined by its partition key: %.*s of %.*s is not in ON",
              SLICE_ARG(r->columns[column].name), SLICE_ARG(r->name));
    bind_hint(b, "add … = %.*s.%.*s, of type %s", SLICE_ARG(r->name),
              SLICE_ARG(r->columns[column].name), bind_type_name(b, r->columns[column].type));
}

/* The table's key out of the join's; what is left of them becomes the condition. */
static bool lookup_key(struct match *m, const struct logic *table, struct plan_lookup *k)
{
    struct binder *b = m->b;
    const struct sql_relation *r = table->node.table.relation;
    const struct expr **key = bind_take(b, MAX(r->column_count, 1u) * sizeof(const struct expr *));
    bool *used = bind_take(b, MAX(m->keys, 1u)), more = true;
    for (uint8_t role = 1; key && used && role <= 2 && more; role++) {
        for (uint16_t position = 0; more; position++) {
            uint32_t column = key_column(r, role, position);
            if (column == UINT32_MAX) break;
            const struct expr *e = key_for(m, table, column, used);
            if (e)
                key[k->key_count++] = e;
            else if (role == 1)
                return no_partition_key(b, m->l, r, column), false;
            more = e != NULL;
        }
    }
    if (b->err) return false;
    k->key = key;
    for (uint32_t i = 0; i < m->keys && !b->err; i++) {
        if (used[i]) continue;
        struct tree place = {.text = m->left[i]->text};
        struct expr *e = bind_equal(b, &place, (struct expr *)(uintptr_t)m->left[i],
                                    (struct expr *)(uintptr_t)m->right[i]);
        uint32_t cap = m->count;
        m->list = bind_room(b, m->list, m->count, &cap, sizeof(struct expr *));
        if (!b->err) m->list[m->count++] = e;
    }
    return !b->err;
}

static void look_up(struct match *m, struct logic *side, struct logic *table)
{
    struct binder *b = m->b;
    struct plan_lookup k = {.relation = table->node.table.relation,
                            .outer = m->l->node.join.kind == JOIN_LEFT};
    take_keys(m);
    if (b->err || !lookup_key(m, table, &k)) return;
    for (struct logic *f = side; f != table; f = f->ins[0]) { /* the table's own conditions */
        uint32_t cap = m->count;
        m->list = bind_room(b, m->list, m->count, &cap, sizeof(struct expr *));
        if (b->err) return;
        m->list[m->count++] = (struct expr *)(uintptr_t)f->node.rows.where;
    }
    k.condition = expr_all(b, m->list, m->count);
    struct logic *l = m->l;
    l->node.kind = NODE_LOOKUP;
    l->node.lookup = k;
    l->in_count = 1;
    l->table = table; /* its columns may still grow */
}

static void match_table(struct match *m)
{
    struct logic *l = m->l;
    enum join_kind kind = l->node.join.kind;
    bool swap = table_of(l->ins[0]) && !table_of(l->ins[1]);
    if (swap && (kind == JOIN_INNER || kind == JOIN_CROSS || kind == JOIN_RIGHT)) {
        struct logic *table = l->ins[0];
        l->ins[0] = l->ins[1];
        l->ins[1] = table;
        if (kind == JOIN_RIGHT) kind = l->node.join.kind = JOIN_LEFT;
        swap = false;
    }
    if (swap || (kind != JOIN_INNER && kind != JOIN_CROSS && kind != JOIN_LEFT)) {
        bind_fail(m->b, l->node.text, ERR_UNSUPPORTED,
                  "this kind of join with a table: it is looked up for each row of the stream");
        bind_hint(m->b, "write FROM stream [LEFT] JOIN table ON its key");
        return;
    }
    look_up(m, l->ins[1], table_of(l->ins[1]));
}

/* --- all of it ----------------------------------------------------------------------------------
 */

static void match_join(struct binder *b, struct logic *l)
{
    struct match m = {.b = b, .l = l};
    struct plan_join *j = &l->node.join;
    expr_split(b, (struct expr *)(uintptr_t)j->condition, &m.list, &m.count);
    if (b->stream && !b->err && (table_of(l->ins[0]) || table_of(l->ins[1]))) {
        match_table(&m);
        return;
    }
    take_keys(&m);
    if (b->stream) take_bounds(&m);
    if (b->err) return;
    j->left_keys = m.left;
    j->right_keys = m.right;
    j->key_count = m.keys;
    j->condition = expr_all(b, m.list, m.count);
    if (!b->stream) return;
    set_time(&m);
    if (!j->bounded) j->ttl_ms = b->state_ttl_ms;
    if (j->bounded || j->key_count || b->err) return;
    bind_fail(b, l->node.text, ERR_UNSUPPORTED,
              "a join of streams needs equal columns or bounds in time");
    bind_hint(b, "write ON a.key = b.key, or a.ts BETWEEN b.ts - INTERVAL '1' MINUTE AND b.ts");
}

struct logic *bind_match(struct binder *b, struct logic *l)
{
    if (b->err) return NULL;
    for (uint32_t i = 0; l->passes && i < l->in_count; i++)
        if (!bind_match(b, l->ins[i])) return NULL;
    if (l->node.kind == NODE_JOIN && !l->matched) {
        l->matched = true;
        match_join(b, l);
    }
    return b->err ? NULL : l;
}
