/* abs, exp, log, log10 and round: each answers in its argument's own type. */
#include "sql/cql/numbers.h"

#include <math.h>

enum { LEAST_DIGITS = 32 };

static uint64_t digits_for(const struct dec *v, struct arena *a)
{
    return MIN(MAX(big_digits(&v->whole, a), (uint64_t)LEAST_DIGITS), (uint64_t)BIG_DIGITS_MAX);
}

err_t cf_abs(struct native_run *r)
{
    struct num n;
    if (!num_of(r->s->args[0], r->args[0].bytes, r->a, &n)) return too_large(r);
    switch (n.kind) {
    case TYPE_FLOAT:
    case TYPE_DOUBLE: return answer_f64(r, fabs(n.d));
    case TYPE_VARINT: n.big.negative = false; return answer_big(r, &n.big);
    case TYPE_DECIMAL: n.dec.whole.negative = false; return answer_dec(r, &n.dec);
    default: return answer_whole(r, (int64_t)(n.i < 0 ? 0 - (uint64_t)n.i : (uint64_t)n.i));
    }
}

struct curve {
    const char *name; /* of the complaint about what is not above zero; NULL: there is none */
    double (*f)(double);
    bool (*exact)(const struct dec *v, uint64_t digits, struct arena *a, struct dec *out);
};
static const struct curve exponential = {NULL, exp, dec_exp};
static const struct curve natural = {"Natural log", log, dec_log};
static const struct curve common = {"Log10", log10, dec_log10};

/* An exception that the original does not catch: drivers see a server error. */
static err_t not_above_zero(struct native_run *r, const struct curve *c)
{
    return diag_fail(r->d, ERR_INTERNAL, "java.lang.ArithmeticException: %s of number zero or less",
                     c->name);
}

static err_t of_big(struct native_run *r, const struct curve *c, const struct num *n)
{
    struct dec v = n->dec, made;
    bool whole = n->kind == TYPE_VARINT;
    if (whole) v = (struct dec){n->big, 0};
    if (c->name && (v.whole.negative || !v.whole.n)) return not_above_zero(r, c);
    if (!c->exact(&v, digits_for(&v, r->a), r->a, &made)) return too_large(r);
    if (!whole) return answer_dec(r, &made);
    if (!dec_set_scale(&made, 0, ROUND_DOWN, r->a, &made)) return too_large(r);
    return answer_big(r, &made.whole);
}

static err_t curve(struct native_run *r, const struct curve *c)
{
    struct num n;
    if (!num_of(r->s->args[0], r->args[0].bytes, r->a, &n)) return too_large(r);
    if (n.kind == TYPE_VARINT || n.kind == TYPE_DECIMAL) return of_big(r, c, &n);
    double v = c->f(num_f64(&n, r->a));
    if (n.kind == TYPE_FLOAT || n.kind == TYPE_DOUBLE) return answer_f64(r, v);
    return answer_whole(r, f64_to_whole(v, type_bits(n.kind)));
}

err_t cf_exp(struct native_run *r)
{
    return curve(r, &exponential);
}

err_t cf_log(struct native_run *r)
{
    return curve(r, &natural);
}

err_t cf_log10(struct native_run *r)
{
    return curve(r, &common);
}

/* Math.round: halves up, and into 64 bits (a float's into 32). */
static double rounded(double v, int bits)
{
    double whole = floor(v);
    if (v - whole >= 0.5) whole += 1;
    return (double)f64_to_whole(whole, bits);
}

err_t cf_round(struct native_run *r)
{
    struct num n;
    struct dec v;
    if (!num_of(r->s->args[0], r->args[0].bytes, r->a, &n)) return too_large(r);
    switch (n.kind) {
    case TYPE_FLOAT: return answer_f64(r, rounded(n.d, 32));
    case TYPE_DOUBLE: return answer_f64(r, rounded(n.d, 64));
    case TYPE_VARINT: return answer_big(r, &n.big);
    case TYPE_DECIMAL:
        if (!dec_set_scale(&n.dec, 0, ROUND_HALF_UP, r->a, &v)) return too_large(r);
        return answer_dec(r, &v);
    default: return answer_whole(r, n.i);
    }
}
