/* + - * / % and negation: each in its result's type, as Java works it out. */
#include "sql/cql/numbers.h"

#include <math.h>

static err_t operation_fails(struct native_run *r, const char *why)
{
    const struct signature *s = r->s;
    return native_fails(r, "the operation '%s %c %s' failed: %s", type_shown(r->a, s->args[0]),
                        native_operator(s), type_shown(r->a, s->args[1]), why);
}

static err_t no_such_number(struct native_run *r)
{
    return operation_fails(r, "the result has more than 10000 digits");
}

/* --- numbers
 * --------------------------------------------------------------------------------------
 */

static err_t on_whole(struct native_run *r, char op, int64_t x, int64_t y)
{
    uint64_t ux = (uint64_t)x, uy = (uint64_t)y;
    if ((op == '/' || op == '%') && y == 0) return operation_fails(r, "/ by zero");
    switch (op) {
    case '+': return answer_whole(r, (int64_t)(ux + uy));
    case '-': return answer_whole(r, (int64_t)(ux - uy));
    case '*': return answer_whole(r, (int64_t)(ux * uy));
    case '/': return answer_whole(r, y == -1 ? (int64_t)(0 - ux) : x / y);
    default: return answer_whole(r, y == -1 ? 0 : x % y);
    }
}

static err_t on_double(struct native_run *r, char op, double x, double y)
{
    switch (op) {
    case '+': return answer_f64(r, x + y);
    case '-': return answer_f64(r, x - y);
    case '*': return answer_f64(r, x * y);
    case '/': return answer_f64(r, x / y);
    default: return answer_f64(r, fmod(x, y));
    }
}

static err_t on_float(struct native_run *r, char op, float x, float y)
{
    switch (op) {
    case '+': return answer_f64(r, (double)(x + y));
    case '-': return answer_f64(r, (double)(x - y));
    case '*': return answer_f64(r, (double)(x * y));
    case '/': return answer_f64(r, (double)(x / y));
    default: return answer_f64(r, (double)fmodf(x, y));
    }
}

static err_t on_big(struct native_run *r, char op, const struct num *x, const struct num *y)
{
    struct big bx, by, v;
    bool ok = num_big(x, r->a, &bx) && num_big(y, r->a, &by);
    if (ok && (op == '/' || op == '%') && !by.n)
        return operation_fails(r, "BigInteger divide by zero");
    ok = ok && (op == '+'   ? big_add(&bx, &by, r->a, &v)
                : op == '-' ? big_sub(&bx, &by, r->a, &v)
                : op == '*' ? big_mul(&bx, &by, r->a, &v)
                : op == '/' ? big_div(&bx, &by, r->a, &v, NULL)
                            : big_div(&bx, &by, r->a, NULL, &v));
    struct slice b;
    if (!ok || !big_to_binary(&v, r->a, &b)) return no_such_number(r);
    return set_value(r->out, b);
}

enum { MIN_SCALE = 32, MAX_SCALE = 1000 };

/* At least 32 digits, half up, without zeros at the end. */
static bool divide(const struct dec *x, const struct dec *y, struct arena *a, struct dec *out)
{
    int64_t first = ((int64_t)big_digits(&x->whole, a) - x->scale) -
                    ((int64_t)big_digits(&y->whole, a) - y->scale);
    int64_t scale = MAX(MIN_SCALE - first, MAX(x->scale, y->scale));
    scale = MIN(MAX(scale, MIN_SCALE), MAX_SCALE);
    if (!dec_div(x, y, scale, ROUND_HALF_UP, a, out)) return false;
    if (!out->whole.n) {
        out->scale = 0;
        return true;
    }
    return dec_strip(out, INT32_MIN, a, out);
}

static err_t on_decimal(struct native_run *r, char op, const struct num *x, const struct num *y)
{
    struct dec dx, dy, v = {.scale = 0};
    const char *why;
    bool ok = num_dec(x, r->a, &dx, &why) && num_dec(y, r->a, &dy, &why);
    if (why) return operation_fails(r, why);
    if (ok && op == '/' && !dy.whole.n) return operation_fails(r, "BigInteger divide by zero");
    if (ok && op == '%' && !dy.whole.n)
        return operation_fails(r, dx.whole.n ? "Division by zero" : "Division undefined");
    ok = ok && (op == '+'   ? dec_add(&dx, &dy, r->a, &v)
                : op == '-' ? dec_sub(&dx, &dy, r->a, &v)
                : op == '*' ? dec_mul(&dx, &dy, r->a, &v)
                : op == '/' ? divide(&dx, &dy, r->a, &v)
                            : dec_remainder(&dx, &dy, r->a, &v));
    struct slice b;
    ok = ok && dec_round(&v, BIG_DIGITS_MAX, ROUND_HALF_UP, r->a, &v);
    if (!ok || !dec_to_binary(&v, r->a, &b)) return no_such_number(r);
    return set_value(r->out, b);
}

static err_t operate(struct native_run *r, char op)
{
    struct num x, y;
    struct arena *a = r->a;
    enum type_kind k = r->s->result->kind;
    if (!num_of(r->s->args[0], r->args[0].bytes, a, &x) ||
        !num_of(r->s->args[1], r->args[1].bytes, a, &y))
        return no_such_number(r);
    if (k == TYPE_DECIMAL) return on_decimal(r, op, &x, &y);
    if (k == TYPE_VARINT) return on_big(r, op, &x, &y);
    if (k == TYPE_DOUBLE) return on_double(r, op, num_f64(&x, a), num_f64(&y, a));
    if (k == TYPE_FLOAT) return on_float(r, op, num_f32(&x, a), num_f32(&y, a));
    return on_whole(r, op, x.i, y.i);
}

err_t cf_add(struct native_run *r)
{
    return operate(r, '+');
}

err_t cf_subtract(struct native_run *r)
{
    return operate(r, '-');
}

err_t cf_multiply(struct native_run *r)
{
    return operate(r, '*');
}

err_t cf_divide(struct native_run *r)
{
    return operate(r, '/');
}

err_t cf_modulo(struct native_run *r)
{
    return operate(r, '%');
}

err_t cf_negate(struct native_run *r)
{
    struct num n;
    if (!num_of(r->s->args[0], r->args[0].bytes, r->a, &n)) return too_large(r);
    switch (n.kind) {
    case TYPE_FLOAT:
    case TYPE_DOUBLE: return answer_f64(r, -n.d);
    case TYPE_VARINT: n.big.negative = !n.big.negative && n.big.n; return answer_big(r, &n.big);
    case TYPE_DECIMAL:
        n.dec.whole.negative = !n.dec.whole.negative && n.dec.whole.n;
        return answer_dec(r, &n.dec);
    default: return answer_whole(r, (int64_t)(0 - (uint64_t)n.i));
    }
}

/* --- times and text
 * ---------------------------------------------------------------------------------
 */

/* java.util.Calendar.add: months first, to that month's last day at most; then days, then time. */
static int64_t add_duration(int64_t ms, struct cql_duration v, int sign)
{
    int64_t days = calendar_floor(ms, DAY_MS), rest = calendar_rest(ms, DAY_MS);
    if (v.months) days = calendar_add_months(days, (int64_t)sign * v.months);
    int64_t more = v.ns / 1000000;
    if (v.months) more = (int32_t)more; /* so the original does */
    uint64_t whole = (uint64_t)(days + (int64_t)sign * v.days) * DAY_MS;
    return (int64_t)(whole + (uint64_t)rest + (uint64_t)(sign * more));
}

static err_t with_duration(struct native_run *r, int sign, bool date)
{
    struct cql_duration v;
    uint8_t memory[64];
    struct buf shown = buf_over(memory, sizeof(memory));
    if (!duration_take(r->args[1].bytes, &v)) return operation_fails(r, "no duration");
    if (date ? v.ns != 0 : v.ns % 1000000 != 0) {
        duration_put(&shown, v);
        const char *why = arena_printf(r->a, "The duration must have a %s precision. Was: %.*s",
                                       date ? "day" : "millisecond", SLICE_ARG(buf_view(&shown)));
        return operation_fails(r, why ? why : "");
    }
    int64_t at = binary_i64(r->args[0].bytes);
    if (!date) return put_be_value(r->a, (uint64_t)add_duration(at, v, sign), 8, r->out, r->d);
    int64_t ms = ((int64_t)(uint32_t)at - DATE_ZERO) * DAY_MS;
    ms = add_duration(ms, v, sign);
    int64_t day = ms / DAY_MS + DATE_ZERO;
    return put_be_value(r->a, (uint64_t)day, 4, r->out, r->d);
}

err_t cf_add_timestamp(struct native_run *r)
{
    return with_duration(r, 1, false);
}

err_t cf_subtract_timestamp(struct native_run *r)
{
    return with_duration(r, -1, false);
}

err_t cf_add_date(struct native_run *r)
{
    return with_duration(r, 1, true);
}

err_t cf_subtract_date(struct native_run *r)
{
    return with_duration(r, -1, true);
}

err_t cf_concat(struct native_run *r)
{
    struct slice x = r->args[0].bytes, y = r->args[1].bytes;
    uint64_t size = (uint64_t)x.len + y.len;
    if (size > TERM_BYTES_MAX) return operation_fails(r, "the text is too long");
    uint8_t *at = arena_take_raw(r->a, size + 1);
    if (!at) return term_no_room(r->d);
    if (x.len) memcpy(at, x.at, x.len);
    if (y.len) memcpy(at + x.len, y.at, y.len);
    return set_value(r->out, slice_make(at, size));
}
