/* Before the last step: ROWS above ROWS become one, and what is asked of a record's whole value is
 * asked of the decoder.
 */
#include "sql/bind.h"

static uint32_t reads_of(const struct expr *e, uint32_t attr)
{
    uint32_t n = e && e->kind == EXPR_INPUT && e->input == attr;
    for (uint32_t i = 0; e && i < e->count; i++) n += reads_of(e->args[i], attr);
    return n;
}

static uint32_t rows_reads(const struct plan_rows *r, uint32_t attr)
{
    uint32_t n = reads_of(r->where, attr);
    for (uint32_t i = 0; i < r->output_count; i++) n += reads_of(r->outputs[i].value, attr);
    for (uint32_t i = 0; i < r->check_count; i++) n += reads_of(r->checks[i].condition, attr);
    return n;
}

/* Whether the outputs of `in` can be computed where they are read: none of them twice. */
static bool can_take_in(const struct logic *l, const struct logic *in)
{
    if (in->node.kind != NODE_ROWS || in->node.rows.check_count) return false;
    for (uint32_t i = 0; i < in->attr_count; i++) {
        const struct expr *v = in->node.rows.outputs[i].value;
        bool plain = v->kind == EXPR_INPUT || v->kind == EXPR_LITERAL;
        if (!v->deterministic || (!plain && rows_reads(&l->node.rows, in->attrs[i]) > 1))
            return false;
    }
    return true;
}

static const struct expr *both(struct binder *b, const struct expr *x, const struct expr *y)
{
    struct expr *list[2] = {(struct expr *)(uintptr_t)x, (struct expr *)(uintptr_t)y};
    return !x ? y : !y ? x : expr_all(b, list, 2);
}

/* l takes in the ROWS below: where = both, outputs in terms of what is below that. */
static void take_in(struct binder *b, struct logic *l, const struct logic *in)
{
    struct plan_output *outputs =
        bind_take(b, MAX(l->node.rows.output_count, 1u) * sizeof(*outputs));
    struct plan_check *checks = bind_take(b, MAX(l->node.rows.check_count, 1u) * sizeof(*checks));
    struct expr **by = bind_take(b, MAX(b->attr_count, 1u) * sizeof(struct expr *));
    if (b->err) return;
    for (uint32_t i = 0; i < in->attr_count; i++)
        by[in->attrs[i]] = (struct expr *)(uintptr_t)in->node.rows.outputs[i].value;
    struct plan_rows *r = &l->node.rows;
    for (uint32_t i = 0; i < r->output_count && !b->err; i++) {
        outputs[i] = r->outputs[i];
        outputs[i].value = expr_replaced(b, outputs[i].value, by);
    }
    for (uint32_t i = 0; i < r->check_count && !b->err; i++) {
        checks[i] = r->checks[i];
        checks[i].condition = expr_replaced(b, checks[i].condition, by);
    }
    r->outputs = outputs;
    r->checks = checks;
    if (r->where) r->where = expr_replaced(b, r->where, by);
    if (!b->err) r->where = both(b, in->node.rows.where, r->where);
    l->ins = in->ins;
}

/* --- into the decoder ---------------------------------------------------------------------------
 */

static bool whole_value(const struct logic *leaf, const struct expr *e)
{
    for (uint32_t i = 0; e->kind == EXPR_INPUT && i < leaf->attr_count; i++)
        if (leaf->attrs[i] == e->input) return leaf->node.topic.inputs[i].kind == INPUT_VALUE;
    return false;
}

/* The steps of json_get(_value, 'a.b[0]'): NULL: e is not that. */
static const struct expr *value_path(const struct logic *leaf, const struct expr *e)
{
    bool get = e->kind == EXPR_CALL && strcmp(e->fn->name, "json_get") == 0 && e->steps;
    return get && whole_value(leaf, e->args[0]) ? e : NULL;
}

static struct expr *reach(struct binder *b, struct logic *leaf, const struct expr *e)
{
    if (b->err || !e) return NULL;
    const struct expr *path = value_path(leaf, e);
    struct expr place = {.kind = EXPR_PATH, .leaf = leaf, .text = e->text};
    if (path) {
        place.steps = path->steps;
        place.step_count = path->step_count;
        return bind_path(b, &place, type_of(TYPE_JSON), false);
    }
    path = e->kind == EXPR_CAST && e->op != OP_TRY ? value_path(leaf, e->args[0]) : NULL;
    if (path) {
        place.steps = path->steps;
        place.step_count = path->step_count;
        return bind_path(b, &place, e->type, !e->negated);
    }
    struct expr *copy = bind_take(b, sizeof(*copy));
    if (!copy) return NULL;
    *copy = *e;
    if (e->count == 0) return copy;
    copy->args = bind_take(b, e->count * sizeof(const struct expr *));
    for (uint32_t i = 0; !b->err && i < e->count; i++) copy->args[i] = reach(b, leaf, e->args[i]);
    return b->err ? NULL : copy;
}

static void reach_rows(struct binder *b, struct logic *l)
{
    struct logic *leaf = l->ins[0];
    struct plan_rows *r = &l->node.rows;
    bool any = false;
    for (uint32_t i = 0; i < leaf->attr_count; i++)
        any = any || leaf->node.topic.inputs[i].kind == INPUT_VALUE;
    if (!any) return;
    struct plan_output *outputs = bind_take(b, MAX(r->output_count, 1u) * sizeof(*outputs));
    struct plan_check *checks = bind_take(b, MAX(r->check_count, 1u) * sizeof(*checks));
    if (r->where) r->where = reach(b, leaf, r->where);
    for (uint32_t i = 0; outputs && i < r->output_count && !b->err; i++) {
        outputs[i] = r->outputs[i];
        outputs[i].value = reach(b, leaf, outputs[i].value);
    }
    for (uint32_t i = 0; checks && i < r->check_count && !b->err; i++) {
        checks[i] = r->checks[i];
        checks[i].condition = reach(b, leaf, checks[i].condition);
    }
    if (b->err) return;
    r->outputs = outputs;
    r->checks = checks;
}

void bind_simplify(struct binder *b, struct logic *l)
{
    if (b->err) return;
    for (uint32_t i = 0; i < l->in_count; i++) bind_simplify(b, l->ins[i]);
    if (l->node.kind != NODE_ROWS || b->err) return;
    while (!b->err && !l->passes && can_take_in(l, l->ins[0])) take_in(b, l, l->ins[0]);
    if (!b->err && l->ins[0]->node.kind == NODE_TOPIC) reach_rows(b, l);
}
