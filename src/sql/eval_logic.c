/* Evaluation: three-valued logic and what takes branches. */
#include "sql/expr.h"

/* A truth value as four states: false, true, null, error. */
enum truth { IS_FALSE, IS_TRUE, IS_NULL, IS_ERROR };

static enum truth truth_of(const struct operand *o, uint32_t row)
{
    uint8_t state = operand_state(o, row);
    if (state == ERROR_VALUE) return IS_ERROR;
    if (state == NULL_VALUE) return IS_NULL;
    return o->col.b1[row & o->mask] ? IS_TRUE : IS_FALSE;
}

static void put_truth(struct column *c, uint32_t row, enum truth t)
{
    c->state[row] = t == IS_ERROR ? ERROR_VALUE : t == IS_NULL ? NULL_VALUE : VALID_VALUE;
    c->b1[row] = t == IS_TRUE;
}

/* AND: false decides whatever the others are; then an error, then null. OR is its mirror. */
static enum truth join(bool and, enum truth a, enum truth b)
{
    enum truth decides = and? IS_FALSE : IS_TRUE;
    if (a == decides || b == decides) return decides;
    if (a == IS_ERROR || b == IS_ERROR) return IS_ERROR;
    if (a == IS_NULL || b == IS_NULL) return IS_NULL;
    return and? IS_TRUE : IS_FALSE;
}

/* A copy of the frame whose `active` can be narrowed. */
static err_t narrow(const struct frame *f, struct frame *out, uint8_t **active)
{
    *active = arena_take_raw(f->in->arena, f->in->rows);
    if (!*active) return ERR_NO_MEMORY;
    if (f->active)
        memcpy(*active, f->active, f->in->rows);
    else
        memset(*active, 1, f->in->rows);
    *out = *f;
    out->active = *active;
    return ERR_OK;
}

static err_t begin(const struct frame *f, const struct expr *e, struct operand *out)
{
    out->mask = ~0u;
    return column_init(&out->col, e->type, f->in->rows, f->in->arena);
}

err_t eval_and_or(const struct frame *f, const struct expr *e, struct operand *out)
{
    bool and = e->kind == EXPR_AND;
    struct frame inner;
    uint8_t *active;
    err_t err = begin(f, e, out);
    if (!err) err = narrow(f, &inner, &active);
    uint32_t left = f->in->rows; /* rows that nothing has decided yet, at most */
    for (uint32_t i = 0; !err && i < e->count && left > 0; i++) {
        struct operand arg;
        err = eval(&inner, e->args[i], &arg);
        left = 0;
        for (uint32_t row = 0; !err && row < f->in->rows; row++) {
            if (!active[row]) continue;
            enum truth t = truth_of(&arg, row);
            if (i > 0) t = join(and, truth_of(out, row), t);
            put_truth(&out->col, row, t);
            if (t == (and? IS_FALSE : IS_TRUE))
                active[row] = 0;
            else
                left++;
        }
    }
    return err;
}

err_t eval_not(const struct frame *f, const struct expr *e, struct operand *out)
{
    struct operand a;
    err_t err = begin(f, e, out);
    if (!err) err = eval(f, e->args[0], &a);
    for (uint32_t row = 0; !err && row < f->in->rows; row++) {
        if (!frame_takes(f, row)) continue;
        enum truth t = truth_of(&a, row);
        put_truth(&out->col, row, t == IS_TRUE ? IS_FALSE : t == IS_FALSE ? IS_TRUE : t);
    }
    return err;
}

static enum truth is_distinct(const struct operand *a, const struct operand *b, uint32_t row)
{
    uint8_t left = operand_state(a, row), right = operand_state(b, row);
    if (left == ERROR_VALUE || right == ERROR_VALUE) return IS_ERROR;
    if (left == NULL_VALUE || right == NULL_VALUE) return left != right ? IS_TRUE : IS_FALSE;
    return operand_compare(a, b, row) != 0 ? IS_TRUE : IS_FALSE;
}

err_t eval_is(const struct frame *f, const struct expr *e, struct operand *out)
{
    struct operand a, b;
    err_t err = begin(f, e, out);
    if (!err) err = eval(f, e->args[0], &a);
    if (!err && e->count > 1) err = eval(f, e->args[1], &b);
    for (uint32_t row = 0; !err && row < f->in->rows; row++) {
        if (!frame_takes(f, row)) continue;
        enum truth t;
        uint8_t state = operand_state(&a, row);
        if (e->op == OP_DISTINCT)
            t = is_distinct(&a, &b, row);
        else if (state == ERROR_VALUE)
            t = IS_ERROR;
        else if (e->op == OP_NULL)
            t = state == NULL_VALUE ? IS_TRUE : IS_FALSE;
        else
            t = truth_of(&a, row) == (e->op == OP_TRUE ? IS_TRUE : IS_FALSE) ? IS_TRUE : IS_FALSE;
        if (e->negated && t != IS_ERROR) t = t == IS_TRUE ? IS_FALSE : IS_TRUE;
        put_truth(&out->col, row, t);
    }
    return err;
}

/* a IN (…): true when one is equal, else null when one was null. */
err_t eval_in(const struct frame *f, const struct expr *e, struct operand *out)
{
    struct operand a;
    struct operand *list = arena_take(f->in->arena, e->count * sizeof(*list));
    err_t err = list ? begin(f, e, out) : ERR_NO_MEMORY;
    if (!err) err = eval(f, e->args[0], &a);
    for (uint32_t i = 1; !err && i < e->count; i++) err = eval(f, e->args[i], &list[i]);
    for (uint32_t row = 0; !err && row < f->in->rows; row++) {
        if (!frame_takes(f, row)) continue;
        uint8_t state = operand_state(&a, row);
        enum truth t = state == VALID_VALUE ? IS_FALSE : state == NULL_VALUE ? IS_NULL : IS_ERROR;
        for (uint32_t i = 1; i < e->count && state == VALID_VALUE && t != IS_TRUE; i++) {
            uint8_t one = operand_state(&list[i], row);
            enum truth same = one == ERROR_VALUE                        ? IS_ERROR
                              : one == NULL_VALUE                       ? IS_NULL
                              : operand_compare(&a, &list[i], row) == 0 ? IS_TRUE
                                                                        : IS_FALSE;
            t = join(false, t, same);
        }
        if (e->negated && (t == IS_TRUE || t == IS_FALSE)) t = t == IS_TRUE ? IS_FALSE : IS_TRUE;
        put_truth(&out->col, row, t);
    }
    return err;
}

/* --- branches -----------------------------------------------------------------------------------
 */

static void copy_row(struct column *to, const struct operand *from, uint32_t row)
{
    size_t size = phys_size(type_phys(to->type));
    uint32_t at = row & from->mask;
    to->state[row] = from->col.state[at];
    memcpy((uint8_t *)to->data + row * size, (const uint8_t *)from->col.data + at * size, size);
}

err_t eval_case(const struct frame *f, const struct expr *e, struct operand *out)
{
    struct frame open, branch; /* rows that no condition has taken yet; rows of this branch */
    uint8_t *waiting, *taken;
    err_t err = begin(f, e, out);
    if (!err) err = narrow(f, &open, &waiting);
    if (!err) err = narrow(f, &branch, &taken);
    for (uint32_t i = 0; !err && i < e->count; i += 2) {
        struct operand when, then;
        bool otherwise = i + 1 == e->count;
        if (!otherwise) err = eval(&open, e->args[i], &when);
        for (uint32_t row = 0; !err && row < f->in->rows; row++) {
            enum truth t = !waiting[row] ? IS_FALSE : otherwise ? IS_TRUE : truth_of(&when, row);
            taken[row] = t == IS_TRUE;
            if (t == IS_ERROR) out->col.state[row] = ERROR_VALUE;
            if (t == IS_TRUE || t == IS_ERROR) waiting[row] = 0;
        }
        if (!err) err = eval(&branch, e->args[otherwise ? i : i + 1], &then);
        for (uint32_t row = 0; !err && row < f->in->rows; row++)
            if (taken[row]) copy_row(&out->col, &then, row);
    }
    return err;
}

/* The first that is not null; an error before it is the result. */
err_t eval_coalesce(const struct frame *f, const struct expr *e, struct operand *out)
{
    struct frame inner;
    uint8_t *active;
    err_t err = begin(f, e, out);
    if (!err) err = narrow(f, &inner, &active);
    for (uint32_t i = 0; !err && i < e->count; i++) {
        struct operand arg;
        err = eval(&inner, e->args[i], &arg);
        for (uint32_t row = 0; !err && row < f->in->rows; row++) {
            if (!active[row] || operand_state(&arg, row) == NULL_VALUE) continue;
            copy_row(&out->col, &arg, row);
            active[row] = 0;
        }
    }
    return err;
}
