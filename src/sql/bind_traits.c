/* What is known of a node's rows: their time, their key, whether they are taken back, what state
 * they stand on; and what can not be because of it.
 */
#include "sql/aggregate.h"
#include "sql/bind_lower.h"

/* --- before the last step: times and emits ------------------------------------------------------
 */

void bind_times(struct binder *b, struct logic *l)
{
    if (l->node.kind == NODE_TOPIC) (void)logic_time(b, l);
    for (uint32_t i = 0; i < l->in_count; i++) bind_times(b, l->ins[i]);
}

static void emit_inner(struct logic *l)
{
    if (l->node.kind == NODE_GROUP)
        l->node.group.emit = l->node.group.window.kind ? EMIT_ON_CLOSE : EMIT_ON_CHANGE;
    for (uint32_t i = 0; i < l->in_count; i++) emit_inner(l->ins[i]);
}

bool bind_emits(struct binder *b, struct logic *root, enum emit top)
{
    if (b->err) return false;
    emit_inner(root);
    while (root->node.kind == NODE_ROWS) root = root->ins[0];
    if (root->node.kind != NODE_GROUP || !root->node.group.window.kind) return false;
    root->node.group.emit = top;
    return true;
}

/* --- the key of a table's rows ------------------------------------------------------------------
 */

/* The constant that a conjunct fixes this column to; NULL: none does. */
static const struct expr *fixed_to(const struct logic *leaf, const struct expr *where,
                                   uint32_t column)
{
    if (!where) return NULL;
    if (where->kind == EXPR_AND) {
        for (uint32_t i = 0; i < where->count; i++) {
            const struct expr *v = fixed_to(leaf, where->args[i], column);
            if (v) return v;
        }
        return NULL;
    }
    if (where->kind != EXPR_COMPARE || where->op != OP_EQ) return NULL;
    for (int i = 0; i < 2; i++) {
        const struct expr *name = where->args[i], *value = where->args[1 - i];
        if (name->kind != EXPR_INPUT || !expr_is_constant(value) ||
            value->constant.state[0] != VALID_VALUE)
            continue;
        for (uint32_t a = 0; a < leaf->attr_count; a++)
            if (leaf->attrs[a] == name->input && leaf->node.table.inputs[a].column == column)
                return value;
    }
    return NULL;
}

uint32_t key_column(const struct sql_relation *r, uint8_t role, uint16_t position)
{
    for (uint32_t i = 0; i < r->column_count; i++)
        if (r->columns[i].key == role && r->columns[i].position == position) return i;
    return UINT32_MAX;
}

void bind_table_key(struct binder *b, struct logic *rows)
{
    struct logic *leaf = rows->ins[0];
    if (leaf->node.kind != NODE_TABLE || !rows->node.rows.where) return;
    const struct sql_relation *r = leaf->node.table.relation;
    struct value *key = bind_take(b, MAX(r->column_count, 1u) * sizeof(*key));
    uint32_t n = 0;
    for (uint8_t role = 1; key && role <= 2; role++) {
        for (uint16_t position = 0;; position++) {
            uint32_t column = key_column(r, role, position);
            if (column == UINT32_MAX) break;
            const struct expr *v = fixed_to(leaf, rows->node.rows.where, column);
            if (!v && role == 1) return; /* part of a partition key finds nothing */
            if (!v) goto done;
            column_get(&v->constant, 0, &key[n++]);
        }
    }
done:
    leaf->node.table.key = key;
    leaf->node.table.key_count = n;
}

/* --- keys ---------------------------------------------------------------------------------------
 */

static bool key_add(struct lowering *w, struct placed *p, uint32_t attr)
{
    for (uint32_t i = 0; i < p->key_count; i++)
        if (p->key[i] == attr) return true;
    uint32_t *more = bind_take(w->b, (p->key_count + 1) * sizeof(*more));
    if (!more) return false;
    if (p->key_count) memcpy(more, p->key, p->key_count * sizeof(*more));
    more[p->key_count++] = attr;
    p->key = more;
    return true;
}

static bool has_key(const struct placed *p)
{
    return p->key_count > 0 || p->one_row;
}

static void no_key(struct placed *p)
{
    p->key = NULL;
    p->key_count = 0;
}

static void key_of(struct lowering *w, struct placed *p, const struct placed *in)
{
    for (uint32_t i = 0; i < in->key_count; i++) (void)key_add(w, p, in->key[i]);
}

/* Any of a window's columns tells windows apart as well as another. */
static bool stands_for(const struct binder *b, uint32_t output, uint32_t key)
{
    const struct attr *o = &b->attrs[output], *k = &b->attrs[key];
    return output == key || (k->role != ATTR_PLAIN && o->role != ATTR_PLAIN && k->window &&
                             o->window == k->window && o->type == k->type);
}

static void key_of_rows(struct lowering *w, const struct logic *l, struct placed *p,
                        const struct placed *in)
{
    if (l->passes) {
        key_of(w, p, in);
        return;
    }
    for (int exact = 1; exact >= 0; exact--) {
        bool whole = true;
        no_key(p);
        for (uint32_t k = 0; k < in->key_count && whole; k++) {
            uint32_t found = NO_ATTR, attr;
            for (uint32_t i = 0; i < l->node.rows.output_count && found == NO_ATTR; i++)
                if (expr_is_attr(l->node.rows.outputs[i].value, &attr) &&
                    (exact ? attr == in->key[k] : stands_for(w->b, attr, in->key[k])))
                    found = l->attrs[i];
            whole = found != NO_ATTR && key_add(w, p, found);
        }
        if (whole) return;
    }
    no_key(p);
}

/* A right key that the join holds equal to one of the left's own says nothing new. */
static bool joined_to(const struct logic *l, const struct placed *left, uint32_t attr)
{
    const struct plan_join *j = &l->node.join;
    uint32_t x, y;
    for (uint32_t i = 0; i < j->key_count; i++) {
        if (!expr_is_attr(j->right_keys[i], &y) || y != attr) continue;
        if (!expr_is_attr(j->left_keys[i], &x)) continue;
        for (uint32_t k = 0; k < left->key_count; k++)
            if (left->key[k] == x) return true;
    }
    return false;
}

static void key_of_join(struct lowering *w, const struct logic *l, struct placed *p,
                        struct placed *const *ins)
{
    enum join_kind kind = l->node.join.kind;
    if (kind == JOIN_SEMI || kind == JOIN_ANTI) {
        key_of(w, p, ins[0]);
        p->one_row = ins[0]->one_row;
        return;
    }
    if (!has_key(ins[0]) || !has_key(ins[1])) return;
    key_of(w, p, ins[0]);
    for (uint32_t i = 0; i < ins[1]->key_count; i++) {
        bool same =
            (kind == JOIN_INNER || kind == JOIN_LEFT) && joined_to(l, ins[0], ins[1]->key[i]);
        if (!same) (void)key_add(w, p, ins[1]->key[i]);
    }
    p->one_row = ins[0]->one_row && ins[1]->one_row && kind != JOIN_FULL;
}

static void key_of_top(struct lowering *w, const struct logic *l, struct placed *p,
                       const struct placed *in)
{
    const struct plan_top *t = &l->node.top;
    bool numbered = t->rank == RANK_ROW_NUMBER;
    key_of(w, p, in);
    bool one = numbered && t->limit == 1;
    if (!one && has_key(p)) return;
    if (!one && (!numbered || !p->node->top.tells_rank)) return;
    struct placed own = {0};
    uint32_t attr;
    for (uint32_t i = 0; i < t->key_count; i++) {
        if (!expr_is_attr(t->keys[i], &attr)) return;
        (void)key_add(w, &own, attr);
    }
    if (!one) (void)key_add(w, &own, l->attrs[0]);
    p->key = own.key;
    p->key_count = own.key_count;
    p->one_row = one && t->key_count == 0;
}

static bool whole_key(const struct plan_lookup *k)
{
    uint32_t keys = 0;
    for (uint32_t i = 0; i < k->relation->column_count; i++)
        keys += k->relation->columns[i].key != 0;
    return k->key_count >= keys;
}

static void set_key(struct lowering *w, const struct logic *l, struct placed *p,
                    struct placed *const *ins)
{
    const struct plan_node *n = p->node;
    p->one_row = l->one_row;
    switch (n->kind) {
    case NODE_ROWS: key_of_rows(w, l, p, ins[0]); break;
    case NODE_GROUP: {
        uint32_t first = n->group.window.kind ? 3 : 0;
        if (first && !l->attached) (void)key_add(w, p, l->attrs[0]);
        for (uint32_t i = 0; i < n->group.key_count; i++) (void)key_add(w, p, l->attrs[first + i]);
        break;
    }
    case NODE_JOIN: key_of_join(w, l, p, ins); break;
    case NODE_LOOKUP:
        if (whole_key(&n->lookup)) key_of(w, p, ins[0]);
        p->one_row = ins[0]->one_row && whole_key(&n->lookup);
        break;
    case NODE_DISTINCT:
        if (has_key(ins[0]))
            key_of(w, p, ins[0]);
        else
            for (uint32_t i = 0; i < l->node.distinct.by_count; i++)
                (void)key_add(w, p, l->node.distinct.by[i]);
        p->one_row = ins[0]->one_row;
        break;
    case NODE_TOP: key_of_top(w, l, p, ins[0]); break;
    case NODE_WINDOW:
        if (has_key(ins[0])) key_of(w, p, ins[0]);
        if (has_key(ins[0])) (void)key_add(w, p, l->attrs[0]);
        break;
    case NODE_UNNEST:
        if (has_key(ins[0]) && n->unnest.ordinality) {
            key_of(w, p, ins[0]);
            (void)key_add(w, p, l->attrs[1]);
        }
        break;
    case NODE_OVER:
    case NODE_SORT: key_of(w, p, ins[0]); break;
    default: break;
    }
}

/* --- rows that are taken back -------------------------------------------------------------------
 */

static bool fresh(const struct plan_rows *r)
{
    bool any = r->where && !r->where->deterministic;
    for (uint32_t i = 0; i < r->output_count; i++) any = any || !r->outputs[i].value->deterministic;
    for (uint32_t i = 0; i < r->check_count; i++)
        any = any || !r->checks[i].condition->deterministic;
    return any;
}

static void refuse_changes(struct binder *b, const struct plan_node *n)
{
    switch (n->kind) {
    case NODE_ROWS:
        if (!fresh(&n->rows)) return;
        bind_fail(b, n->text, ERR_UNSUPPORTED,
                  "now() or uuid() over rows that change: what is taken back would be another");
        bind_hint(b, "use it where the topic is read, or EMIT ON WINDOW CLOSE");
        return;
    case NODE_GROUP:
        for (uint32_t i = 0; i < n->group.aggregate_count; i++) {
            const struct plan_aggregate *a = &n->group.aggregates[i];
            if (a->of->flags & AGG_BACK) continue;
            bind_fail(b, a->text, ERR_UNSUPPORTED,
                      "%s over rows that change: it can not take a value back", a->of->name);
            bind_hint(b, "group what is read below within a window: it is told once, when closed");
            return;
        }
        return;
    case NODE_LOOKUP:
        bind_fail(b, n->text, ERR_UNSUPPORTED,
                  "looking up a table for rows that change: it may have changed since");
        bind_hint(b, "join the table where the topic is read");
        return;
    case NODE_TRANSFORM:
        bind_fail(b, n->text, ERR_UNSUPPORTED, "TRANSFORM over rows that change");
        bind_hint(b, "put it where the topic is read");
        return;
    default: return;
    }
}

/* A top-n within windows whose rows all come at once, when the window closes. */
static bool top_of_windows(const struct lowering *w, const struct logic *l, const struct placed *in)
{
    uint32_t attr;
    bool window = in->time != NO_ATTR && w->b->attrs[in->time].role == ATTR_WINDOW_TIME;
    for (uint32_t i = 0; window && i < l->node.top.key_count; i++)
        if (expr_is_attr(l->node.top.keys[i], &attr) && w->b->attrs[attr].role != ATTR_PLAIN &&
            w->b->attrs[attr].window == w->b->attrs[in->time].window)
            return true;
    return false;
}

static void set_changes(struct lowering *w, const struct logic *l, struct placed *p,
                        struct placed *const *ins)
{
    struct plan_node *n = p->node;
    bool below = false;
    for (uint32_t i = 0; i < n->input_count; i++) below = below || ins[i]->node->changes;
    n->changes = below;
    if (below) refuse_changes(w->b, n);
    if (n->kind == NODE_GROUP) {
        n->group.takes_back = below;
        n->changes = n->group.emit == EMIT_ON_CHANGE;
    } else if (n->kind == NODE_JOIN) {
        bool outer =
            n->join.kind != JOIN_INNER && n->join.kind != JOIN_SEMI && n->join.kind != JOIN_CROSS;
        n->changes = below || (outer && !n->join.bounded);
    } else if (n->kind == NODE_TOP) {
        bool closed = !below && top_of_windows(w, l, ins[0]);
        if (closed) n->top.ttl_ms = 1; /* nothing comes to a closed window any more */
        n->changes = !closed;
    }
}

/* --- all of it ----------------------------------------------------------------------------------
 */

static uint32_t time_of(const struct logic *l, const struct placed *p, struct placed *const *ins)
{
    switch (p->node->kind) {
    case NODE_TOPIC:
    case NODE_GROUP:
    case NODE_WINDOW:
    case NODE_JOIN:
    case NODE_UNION: return l->time;
    case NODE_ROWS: return l->passes ? ins[0]->time : l->time;
    case NODE_ONE:
    case NODE_TABLE:
    case NODE_TRANSFORM: return NO_ATTR;
    default: return ins[0]->time;
    }
}

void traits(struct lowering *w, struct logic *l, struct placed *p, struct placed *const *ins)
{
    struct plan_node *n = p->node;
    bool keeps = n->kind == NODE_GROUP || n->kind == NODE_JOIN || n->kind == NODE_DISTINCT ||
                 n->kind == NODE_TOP;
    uint32_t time = w->b->stream ? time_of(l, p, ins) : NO_ATTR;
    for (uint32_t i = 0; time != NO_ATTR && i < n->column_count; i++) {
        if (p->attrs[i] != time) continue;
        p->time = time;
        n->time = (int32_t)i;
    }
    set_key(w, l, p, ins);
    if (w->b->stream) {
        n->stateful = keeps;
        n->state_id = keeps ? w->next_state++ : 0;
        set_changes(w, l, p, ins);
    }
    uint32_t *key = bind_take(w->b, MAX(p->key_count, 1u) * sizeof(*key));
    uint32_t count = 0;
    for (uint32_t k = 0; key && k < p->key_count; k++)
        for (uint32_t i = 0; i < n->column_count; i++)
            if (p->attrs[i] == p->key[k]) {
                key[count++] = i;
                break;
            }
    if (count < p->key_count) {
        no_key(p);
        count = 0;
    }
    n->key = key;
    n->key_count = count;
    if (!w->b->err) set_shape(w, p, ins, n->input_count);
}
