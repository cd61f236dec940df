/* The shape of a node's state: equal where one version of a stream can go on with another's. */
#include "base/hash.h"
#include "sql/aggregate.h"
#include "sql/bind_lower.h"

static void put_number(struct buf *out, uint64_t n)
{
    buf_uvarint(out, n);
}

static void put_text(struct buf *out, struct slice s)
{
    buf_uvarint(out, s.len);
    buf_slice(out, s);
}

static void put_type(struct buf *out, const struct type *t)
{
    size_t before = out->len;
    type_print(t, out);
    put_number(out, out->len - before);
}

/* What an expression computes, of which columns. */
static void put_expr(struct buf *out, const struct expr *e, const struct placed *left,
                     const struct placed *right)
{
    put_number(out, e ? (uint64_t)e->kind + 1 : 0);
    if (!e) return;
    put_number(out, (uint64_t)e->op * 2 + e->negated);
    put_type(out, e->type);
    if (e->kind == EXPR_INPUT) {
        bool first = e->input < left->node->column_count;
        const struct placed *in = first ? left : right;
        put_number(out, first);
        put_text(out,
                 in->node->columns[first ? e->input : e->input - left->node->column_count].name);
    } else if (e->kind == EXPR_LITERAL) {
        struct value v;
        column_get(&e->constant, 0, &v);
        put_number(out, v.state);
        if (v.state == VALID_VALUE) value_to_binary(&v, out);
    }
    if (e->fn) buf_text(out, e->fn->name);
    put_number(out, e->count);
    for (uint32_t i = 0; i < e->count; i++) put_expr(out, e->args[i], left, right);
}

static void put_columns(struct buf *out, const struct plan_node *n)
{
    put_number(out, n->column_count);
    for (uint32_t i = 0; i < n->column_count; i++) {
        put_text(out, n->columns[i].name);
        put_type(out, n->columns[i].type);
    }
}

static void put_group(struct buf *out, const struct plan_group *g, const struct placed *in)
{
    put_number(out, g->window.kind);
    put_number(out, (uint64_t)g->window.size_ms);
    put_number(out, (uint64_t)g->window.slide_ms);
    put_number(out, (uint64_t)g->window.offset_ms);
    if (g->window.kind) put_text(out, in->node->columns[g->window.time].name);
    put_number(out, g->key_count);
    for (uint32_t i = 0; i < g->key_count; i++) put_expr(out, g->keys[i], in, NULL);
    put_number(out, g->aggregate_count);
    for (uint32_t i = 0; i < g->aggregate_count; i++) {
        const struct plan_aggregate *a = &g->aggregates[i];
        buf_text(out, a->of->name);
        put_number(out, a->distinct);
        for (uint32_t k = 0; k < a->arg_count; k++) put_expr(out, a->args[k], in, NULL);
        put_expr(out, a->filter, in, NULL);
    }
    put_number(out, g->takes_back);
}

static void put_join(struct buf *out, const struct plan_join *j, struct placed *const *ins)
{
    put_number(out, j->kind);
    put_number(out, j->key_count);
    for (uint32_t i = 0; i < j->key_count; i++) {
        put_expr(out, j->left_keys[i], ins[0], NULL);
        put_expr(out, j->right_keys[i], ins[1], NULL);
    }
    put_number(out, j->bounded);
    put_number(out, (uint64_t)j->low_ms);
    put_number(out, (uint64_t)j->high_ms);
    put_columns(out, ins[0]->node);
    put_columns(out, ins[1]->node);
}

static void put_top(struct buf *out, const struct plan_top *t, const struct placed *in)
{
    put_number(out, t->rank);
    put_number(out, (uint64_t)t->limit);
    for (uint32_t i = 0; i < t->key_count; i++) put_expr(out, t->keys[i], in, NULL);
    for (uint32_t i = 0; i < t->order_count; i++) {
        put_number(out, (uint64_t)t->order[i].descending * 2 + t->order[i].nulls_first);
        put_text(out, in->node->columns[t->order[i].output].name);
    }
    put_columns(out, in->node);
}

/* Values that are computed on the way to the state are what it holds. Which rows come is not: with
 * a WHERE or CHECK more, less or other it is the same state. */
static bool put_computed(struct buf *out, const struct plan_node *n, const struct placed *in)
{
    bool any = false;
    for (uint32_t i = 0; i < n->rows.output_count; i++) {
        const struct plan_output *o = &n->rows.outputs[i];
        bool passed = o->value->kind == EXPR_INPUT &&
                      slice_equal(in->node->columns[o->value->input].name, o->name);
        if (passed) continue;
        any = true;
        put_text(out, o->name);
        put_expr(out, o->value, in, NULL);
    }
    return any;
}

void set_shape(struct lowering *w, struct placed *p, struct placed *const *ins, uint32_t in_count)
{
    struct buf all = buf_make(MIB(4));
    struct plan_node *n = p->node;
    put_number(&all, n->kind);
    for (uint32_t i = 0; i < in_count; i++) buf_be(&all, ins[i]->source, 8);
    bool through = false; /* its rows are its input's */
    switch (n->kind) {
    case NODE_ROWS: through = !put_computed(&all, n, ins[0]); break;
    case NODE_TOPIC: put_text(&all, n->topic.relation->name); break;
    case NODE_GROUP: put_group(&all, &n->group, ins[0]); break;
    case NODE_JOIN: put_join(&all, &n->join, ins); break;
    case NODE_TOP: put_top(&all, &n->top, ins[0]); break;
    case NODE_DISTINCT:
        for (uint32_t i = 0; i < n->distinct.by_count; i++) {
            const struct plan_column *c = &ins[0]->node->columns[n->distinct.by[i]];
            put_text(&all, c->name);
            put_type(&all, c->type);
        }
        put_number(&all, n->distinct.within_watermark);
        break;
    default: break;
    }
    if (all.err) bind_fail(w->b, n->text, all.err, "the statement does not fit the memory");
    p->source = through ? ins[0]->source : hash64(buf_view(&all), 0);
    n->shape = n->stateful ? p->source : 0;
    buf_done(&all);
}
