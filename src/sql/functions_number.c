/* Number functions; greatest and least of any type. */
#include "sql/functions.h"
#include <math.h>

static bool is_double(const struct call *c)
{
    return c->e->args[0]->type->kind == TYPE_DOUBLE || c->e->args[0]->type->kind == TYPE_FLOAT;
}

static void put_number(struct call *c, uint32_t row, double v)
{
    if (c->e->type->kind == TYPE_FLOAT) {
        c->out->f32[row] = (float)v;
        c->out->state[row] = VALID_VALUE;
    } else {
        put_double(c, row, v);
    }
}

/* A finite result, or the row's fault. */
static err_t put_finite(struct call *c, uint32_t row, double v)
{
    if (!isfinite(v)) return call_fault(c, row, ERR_RANGE, "there is no such number");
    put_double(c, row, v);
    return ERR_OK;
}

err_t fn_abs(struct call *c, uint32_t row)
{
    if (is_double(c)) {
        put_number(c, row, fabs(arg_double(c, 0, row)));
        return ERR_OK;
    }
    int64_t v = arg_integer(c, 0, row), positive;
    if (__builtin_sub_overflow(0, v, &positive) && v < 0) positive = v;
    if (v >= 0) positive = v;
    if (positive < 0 || !type_holds(c->e->type->kind, positive))
        return call_fault(c, row, ERR_RANGE, "the result does not fit");
    cell_put_integer(c->out, row, positive);
    return ERR_OK;
}

err_t fn_sign(struct call *c, uint32_t row)
{
    double v = arg_double(c, 0, row);
    cell_put_integer(c->out, row, (v > 0) - (v < 0));
    return ERR_OK;
}

err_t fn_round(struct call *c, uint32_t row)
{
    double v = arg_double(c, 0, row);
    int64_t places = c->e->count > 1 ? arg_integer(c, 1, row) : 0;
    if (places < -300 || places > 300)
        return call_fault(c, row, ERR_RANGE, "places are -300 to 300");
    double scale = pow(10, (double)places), scaled = v * scale;
    double rounded = isfinite(scaled) ? round(scaled) / scale : v; /* finer than it can be told */
    put_double(c, row, rounded);
    return ERR_OK;
}
err_t fn_floor(struct call *c, uint32_t row)
{
    put_double(c, row, floor(arg_double(c, 0, row)));
    return ERR_OK;
}
err_t fn_ceil(struct call *c, uint32_t row)
{
    put_double(c, row, ceil(arg_double(c, 0, row)));
    return ERR_OK;
}
err_t fn_trunc(struct call *c, uint32_t row)
{
    put_double(c, row, trunc(arg_double(c, 0, row)));
    return ERR_OK;
}

err_t fn_mod(struct call *c, uint32_t row)
{
    if (arg_double(c, 1, row) == 0) return call_fault(c, row, ERR_RANGE, "divides by zero");
    if (is_double(c))
        put_number(c, row, fmod(arg_double(c, 0, row), arg_double(c, 1, row)));
    else if (arg_integer(c, 1, row) == -1)
        cell_put_integer(c->out, row, 0); /* INT64_MIN % -1 traps */
    else
        cell_put_integer(c->out, row, arg_integer(c, 0, row) % arg_integer(c, 1, row));
    return ERR_OK;
}
err_t fn_div(struct call *c, uint32_t row)
{
    int64_t a = arg_integer(c, 0, row), b = arg_integer(c, 1, row);
    if (b == 0) return call_fault(c, row, ERR_RANGE, "divides by zero");
    if (a == INT64_MIN && b == -1) return call_fault(c, row, ERR_RANGE, "the result does not fit");
    cell_put_integer(c->out, row, a / b);
    return ERR_OK;
}

err_t fn_power(struct call *c, uint32_t row)
{
    return put_finite(c, row, pow(arg_double(c, 0, row), arg_double(c, 1, row)));
}
err_t fn_sqrt(struct call *c, uint32_t row)
{
    return put_finite(c, row, sqrt(arg_double(c, 0, row)));
}
err_t fn_exp(struct call *c, uint32_t row)
{
    return put_finite(c, row, exp(arg_double(c, 0, row)));
}
err_t fn_ln(struct call *c, uint32_t row)
{
    return put_finite(c, row, log(arg_double(c, 0, row)));
}
err_t fn_log10(struct call *c, uint32_t row)
{
    return put_finite(c, row, log10(arg_double(c, 0, row)));
}

static err_t put_best(struct call *c, uint32_t row, int sign)
{
    uint32_t best = UINT32_MAX;
    for (uint32_t i = 0; i < c->e->count; i++) {
        if (arg_null(c, i, row)) continue;
        struct value v, top;
        operand_value(&c->args[i], row, &v);
        if (best != UINT32_MAX) operand_value(&c->args[best], row, &top);
        if (best == UINT32_MAX || value_compare(&v, &top) * sign > 0) best = i;
    }
    if (best == UINT32_MAX) return ERR_OK;
    struct value v;
    operand_value(&c->args[best], row, &v);
    return column_set(c->out, row, &v);
}
err_t fn_greatest(struct call *c, uint32_t row)
{
    return put_best(c, row, 1);
}
err_t fn_least(struct call *c, uint32_t row)
{
    return put_best(c, row, -1);
}
