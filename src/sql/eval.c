/* Evaluation: the way into it, operands, arithmetic, comparison. */
#include "sql/expr.h"

const struct type *expr_type(const struct expr *e)
{
    return e->type;
}

/* --- operands -----------------------------------------------------------------------------------
 */

int64_t operand_integer(const struct operand *o, uint32_t row)
{
    uint32_t at = row & o->mask;
    switch (type_phys(o->col.type)) {
    case PHYS_B1: return o->col.i8[at];
    case PHYS_B2: return o->col.i16[at];
    case PHYS_B4:
        return o->col.type->kind == TYPE_DATE ? (int64_t)(uint32_t)o->col.i32[at] : o->col.i32[at];
    default: return o->col.i64[at];
    }
}

double operand_double(const struct operand *o, uint32_t row)
{
    if (o->col.type->kind == TYPE_DOUBLE) return o->col.f64[row & o->mask];
    if (o->col.type->kind == TYPE_FLOAT) return (double)o->col.f32[row & o->mask];
    return (double)operand_integer(o, row);
}

void operand_value(const struct operand *o, uint32_t row, struct value *out)
{
    column_get(&o->col, row & o->mask, out);
}

bool type_holds(enum type_kind kind, int64_t v)
{
    switch (kind) {
    case TYPE_TINYINT: return v >= INT8_MIN && v <= INT8_MAX;
    case TYPE_SMALLINT: return v >= INT16_MIN && v <= INT16_MAX;
    case TYPE_INT: return v >= INT32_MIN && v <= INT32_MAX;
    default: return true;
    }
}

void cell_put_integer(struct column *c, uint32_t row, int64_t v)
{
    switch (type_phys(c->type)) {
    case PHYS_B1: c->i8[row] = (int8_t)v; break;
    case PHYS_B2: c->i16[row] = (int16_t)v; break;
    case PHYS_B4: c->i32[row] = (int32_t)(uint32_t)v; break;
    default: c->i64[row] = v;
    }
    c->state[row] = VALID_VALUE;
}

/* --- arithmetic ---------------------------------------------------------------------------------
 */

static bool integer_op(enum tree_op op, int64_t a, int64_t b, int64_t *out)
{
    switch (op) {
    case OP_ADD: return !__builtin_add_overflow(a, b, out);
    case OP_SUB: return !__builtin_sub_overflow(a, b, out);
    case OP_MUL: return !__builtin_mul_overflow(a, b, out);
    default: break;
    }
    if (b == 0 || (a == INT64_MIN && b == -1)) {
        *out = 0;
        return b != 0 && op == OP_MOD;
    }
    *out = op == OP_DIV ? a / b : a % b;
    return true;
}

static void arith_integer(const struct frame *f, const struct expr *e, const struct operand *a,
                          const struct operand *b, struct column *out)
{
    for (uint32_t row = 0; row < f->in->rows; row++) {
        if (!frame_takes(f, row)) continue;
        uint8_t left = operand_state(a, row), right = operand_state(b, row);
        if (left != VALID_VALUE || right != VALID_VALUE) {
            out->state[row] =
                left == ERROR_VALUE || right == ERROR_VALUE ? ERROR_VALUE : NULL_VALUE;
            continue;
        }
        int64_t x = operand_integer(a, row), y = operand_integer(b, row), v;
        if (integer_op(e->op, x, y, &v) && type_holds(e->type->kind, v)) {
            cell_put_integer(out, row, v);
            continue;
        }
        bool zero = y == 0 && (e->op == OP_DIV || e->op == OP_MOD);
        batch_fault(f->in, out, row, ERR_RANGE, "%.*s: %lld %s %lld %s%s", EXPR_SHOWN(e),
                    (long long)x, op_text(e->op), (long long)y,
                    zero ? "divides by zero" : "does not fit ",
                    zero ? "" : type_kind_name(e->type->kind));
    }
}

static void arith_double(const struct frame *f, const struct expr *e, const struct operand *a,
                         const struct operand *b, struct column *out)
{
    for (uint32_t row = 0; row < f->in->rows; row++) {
        if (!frame_takes(f, row)) continue;
        uint8_t left = operand_state(a, row), right = operand_state(b, row);
        if (left != VALID_VALUE || right != VALID_VALUE) {
            out->state[row] =
                left == ERROR_VALUE || right == ERROR_VALUE ? ERROR_VALUE : NULL_VALUE;
            continue;
        }
        double x = operand_double(a, row), y = operand_double(b, row), v = 0;
        if ((e->op == OP_DIV || e->op == OP_MOD) && y == 0) {
            batch_fault(f->in, out, row, ERR_RANGE, "%.*s: %g %s 0 divides by zero", EXPR_SHOWN(e),
                        x, op_text(e->op));
            continue;
        }
        switch (e->op) {
        case OP_ADD: v = x + y; break;
        case OP_SUB: v = x - y; break;
        case OP_MUL: v = x * y; break;
        case OP_DIV: v = x / y; break;
        default: v = __builtin_fmod(x, y);
        }
        if (e->type->kind == TYPE_FLOAT)
            out->f32[row] = (float)v;
        else
            out->f64[row] = v;
        out->state[row] = VALID_VALUE;
    }
}

err_t eval_arith(const struct frame *f, const struct expr *e, struct operand *out)
{
    struct operand a, b;
    err_t err = eval(f, e->args[0], &a);
    if (!err) err = eval(f, e->args[1], &b);
    if (!err) err = column_init(&out->col, e->type, f->in->rows, f->in->arena);
    if (err) return err;
    out->mask = ~0u;
    bool whole = e->type->kind != TYPE_FLOAT && e->type->kind != TYPE_DOUBLE;
    (whole ? arith_integer : arith_double)(f, e, &a, &b, &out->col);
    return ERR_OK;
}

err_t eval_negate(const struct frame *f, const struct expr *e, struct operand *out)
{
    struct operand a;
    err_t err = eval(f, e->args[0], &a);
    if (!err) err = column_init(&out->col, e->type, f->in->rows, f->in->arena);
    if (err) return err;
    out->mask = ~0u;
    struct column *c = &out->col;
    for (uint32_t row = 0; row < f->in->rows; row++) {
        if (!frame_takes(f, row)) continue;
        c->state[row] = operand_state(&a, row);
        if (c->state[row] != VALID_VALUE) continue;
        if (e->type->kind == TYPE_DOUBLE) {
            c->f64[row] = -a.col.f64[row & a.mask];
        } else if (e->type->kind == TYPE_FLOAT) {
            c->f32[row] = -a.col.f32[row & a.mask];
        } else {
            int64_t x = operand_integer(&a, row), v = 0;
            if (integer_op(OP_SUB, 0, x, &v) && type_holds(e->type->kind, v))
                cell_put_integer(c, row, v);
            else
                batch_fault(f->in, c, row, ERR_RANGE, "%.*s: -(%lld) does not fit %s",
                            EXPR_SHOWN(e), (long long)x, type_kind_name(e->type->kind));
        }
    }
    return ERR_OK;
}

/* --- comparison ---------------------------------------------------------------------------------
 */

int operand_compare(const struct operand *a, const struct operand *b, uint32_t row)
{
    switch (a->col.type->kind) {
    case TYPE_BOOLEAN:
    case TYPE_TINYINT:
    case TYPE_SMALLINT:
    case TYPE_INT:
    case TYPE_BIGINT:
    case TYPE_COUNTER:
    case TYPE_TIMESTAMP:
    case TYPE_DATE:
    case TYPE_TIME: {
        int64_t x = operand_integer(a, row), y = operand_integer(b, row);
        return (x > y) - (x < y);
    }
    case TYPE_ASCII:
    case TYPE_TEXT:
    case TYPE_BLOB: return slice_compare(operand_bytes(a, row), operand_bytes(b, row));
    default: break;
    }
    struct value x, y;
    operand_value(a, row, &x);
    operand_value(b, row, &y);
    return value_compare(&x, &y);
}

static bool holds(enum tree_op op, int order)
{
    switch (op) {
    case OP_EQ: return order == 0;
    case OP_NE: return order != 0;
    case OP_LT: return order < 0;
    case OP_LE: return order <= 0;
    case OP_GT: return order > 0;
    default: return order >= 0;
    }
}

/* NaN equals nothing and is in no order: IEEE's rule, not the key order's. */
static bool unordered(const struct operand *a, const struct operand *b, uint32_t row)
{
    enum type_kind kind = a->col.type->kind;
    if (kind != TYPE_FLOAT && kind != TYPE_DOUBLE) return false;
    double x = operand_double(a, row), y = operand_double(b, row);
    return x != x || y != y;
}

static bool both_zero(const struct operand *a, const struct operand *b, uint32_t row)
{
    enum type_kind kind = a->col.type->kind;
    if (kind != TYPE_FLOAT && kind != TYPE_DOUBLE) return false;
    return operand_double(a, row) == 0 && operand_double(b, row) == 0; /* -0 = 0 */
}

err_t eval_compare(const struct frame *f, const struct expr *e, struct operand *out)
{
    struct operand a, b;
    err_t err = eval(f, e->args[0], &a);
    if (!err) err = eval(f, e->args[1], &b);
    if (!err) err = column_init(&out->col, e->type, f->in->rows, f->in->arena);
    if (err) return err;
    out->mask = ~0u;
    for (uint32_t row = 0; row < f->in->rows; row++) {
        if (!frame_takes(f, row)) continue;
        uint8_t left = operand_state(&a, row), right = operand_state(&b, row);
        if (left != VALID_VALUE || right != VALID_VALUE) {
            out->col.state[row] =
                left == ERROR_VALUE || right == ERROR_VALUE ? ERROR_VALUE : NULL_VALUE;
            continue;
        }
        bool yes = unordered(&a, &b, row)
                       ? e->op == OP_NE
                       : holds(e->op, both_zero(&a, &b, row) ? 0 : operand_compare(&a, &b, row));
        out->col.b1[row] = yes;
        out->col.state[row] = VALID_VALUE;
    }
    return ERR_OK;
}

/* --- the way in ---------------------------------------------------------------------------------
 */

static err_t eval_literal(const struct frame *f, const struct expr *e, struct operand *out)
{
    (void)f;
    *out = (struct operand){e->constant, 0};
    return ERR_OK;
}

static err_t eval_input(const struct frame *f, const struct expr *e, struct operand *out)
{
    INVARIANT(e->input < f->in->column_count);
    *out = (struct operand){f->in->columns[e->input], ~0u};
    return ERR_OK;
}

static err_t eval_path(const struct frame *f, const struct expr *e, struct operand *out)
{
    (void)f;
    (void)out;
    INVARIANT(e->kind != EXPR_PATH); /* the binder leaves none */
    return ERR_INTERNAL;
}

err_t eval(const struct frame *f, const struct expr *e, struct operand *out)
{
    static err_t (*const evaluators[EXPR_KINDS])(const struct frame *, const struct expr *,
                                                 struct operand *) = {
        [EXPR_LITERAL] = eval_literal,   [EXPR_INPUT] = eval_input,   [EXPR_PATH] = eval_path,
        [EXPR_CAST] = eval_cast,         [EXPR_NEGATE] = eval_negate, [EXPR_ARITH] = eval_arith,
        [EXPR_COMPARE] = eval_compare,   [EXPR_AND] = eval_and_or,    [EXPR_OR] = eval_and_or,
        [EXPR_NOT] = eval_not,           [EXPR_IS] = eval_is,         [EXPR_IN] = eval_in,
        [EXPR_LIKE] = eval_like,         [EXPR_REGEX] = eval_regex,   [EXPR_CASE] = eval_case,
        [EXPR_COALESCE] = eval_coalesce, [EXPR_CALL] = eval_call,
    };
    return evaluators[e->kind](f, e, out);
}

/* A constant, spread over all rows. */
static err_t spread(const struct operand *from, uint32_t rows, struct arena *a, struct column *out)
{
    err_t e = column_init(out, from->col.type, rows, a);
    if (e) return e;
    size_t size = phys_size(type_phys(out->type));
    memset(out->state, from->col.state[0], rows);
    for (uint32_t row = 0; row < rows; row++)
        memcpy((uint8_t *)out->data + row * size, from->col.data, size);
    return ERR_OK;
}

err_t expr_eval(const struct expr *e, const struct eval_context *x, struct column_batch *in,
                struct column *out)
{
    struct frame f = {.x = x, .in = in, .active = x->active};
    struct operand result;
    err_t err = eval(&f, e, &result);
    if (err) return err;
    if (result.mask == 0) return spread(&result, in->rows, in->arena, out);
    *out = result.col;
    return ERR_OK;
}
