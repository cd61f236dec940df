/* Aggregates that count and add. */
#include "sql/aggregate_int.h"
#include "sql/cql/big.h"

#include <math.h>

/* --- count --------------------------------------------------------------------------------------
 */

err_t agg_count_add(const struct plan_aggregate *a, const struct agg_rows *r, struct diag *d)
{
    (void)a, (void)d;
    if (!r->args && !r->signs) {
        for (uint32_t i = 0; i < r->count; i++) ++*(int64_t *)agg_fixed(r, i);
        return ERR_OK;
    }
    for (uint32_t i = 0; i < r->count; i++)
        if (!r->args || agg_valid(r, 0, r->rows[i]))
            *(int64_t *)agg_fixed(r, i) += agg_sign(r, r->rows[i]);
    return ERR_OK;
}

err_t agg_count_merge(AGG_MERGE_ARGS)
{
    (void)a, (void)more, (void)from_more, (void)d;
    *(int64_t *)(void *)fixed += *(const int64_t *)(const void *)from_fixed;
    return ERR_OK;
}

err_t agg_count_tell(AGG_TELL_ARGS)
{
    (void)a, (void)more, (void)arena, (void)d;
    agg_put_i64(out, row, *(const int64_t *)(const void *)fixed);
    return ERR_OK;
}

err_t agg_count_if_add(const struct plan_aggregate *a, const struct agg_rows *r, struct diag *d)
{
    (void)a, (void)d;
    for (uint32_t i = 0; i < r->count; i++)
        if (agg_valid(r, 0, r->rows[i]) && r->args[0].b1[r->rows[i]])
            *(int64_t *)agg_fixed(r, i) += agg_sign(r, r->rows[i]);
    return ERR_OK;
}

err_t agg_count_if_merge(AGG_MERGE_ARGS)
{
    return agg_count_merge(a, fixed, more, from_fixed, from_more, d);
}

err_t agg_count_if_tell(AGG_TELL_ARGS)
{
    return agg_count_tell(a, fixed, more, out, row, arena, d);
}

/* --- sum and avg --------------------------------------------------------------------------------
 */

static inline void whole_add(struct agg_sum *s, uint64_t low, int64_t high)
{
    s->whole.high += high + __builtin_add_overflow(s->whole.low, low, &s->whole.low);
}

/* The sum and what its rounding lost, anew: 106 bits. */
static inline void real_add(struct agg_sum *s, double v)
{
    double sum = s->real.sum + v, part = sum - s->real.sum;
    double lost = (s->real.sum - (sum - part)) + (v - part);
    lost += s->real.rest;
    s->real.sum = sum + lost;
    s->real.rest = lost - (s->real.sum - sum);
}

static void add_reals(const struct agg_rows *r)
{
    const struct column *c = &r->args[0];
    for (uint32_t i = 0; i < r->count; i++) {
        uint32_t row = r->rows[i];
        struct agg_sum *s = agg_fixed(r, i);
        if (c->state[row] != VALID_VALUE) continue;
        double v = c->f64[row];
        int64_t sign = agg_sign(r, row);
        s->count += sign;
        if (isfinite(v))
            real_add(s, sign < 0 ? -v : v);
        else
            *(isnan(v) ? &s->nan : v > 0 ? &s->plus : &s->minus) += (uint32_t)sign;
        if (s->count == 0) s->real.sum = s->real.rest = 0;
    }
}

static void add_wholes(const struct agg_rows *r)
{
    const struct column *c = &r->args[0];
    for (uint32_t i = 0; i < r->count; i++) {
        uint32_t row = r->rows[i];
        struct agg_sum *s = agg_fixed(r, i);
        if (c->state[row] != VALID_VALUE) continue;
        int64_t v = c->i64[row];
        if (!r->signs || r->signs[row] > 0) {
            s->count++;
            whole_add(s, (uint64_t)v, v >> 63);
        } else {
            s->count--;
            whole_add(s, 0 - (uint64_t)v, v > 0 ? -1 : 0);
        }
    }
}

/* The more-memory holds the sum in its binary form. */
static err_t big_add_to(const struct type *t, struct agg_more *m, struct slice v, int64_t sign,
                        struct arena *arena)
{
    struct slice old = slice_make(m->at, m->len), sum;
    bool ok;
    if (t->kind == TYPE_DECIMAL) {
        struct dec x = {0}, y;
        ok = dec_of_binary(v, arena, &y) && (!m->len || dec_of_binary(old, arena, &x));
        if (!m->len) x.scale = y.scale;
        ok = ok && (sign > 0 ? dec_add(&x, &y, arena, &x) : dec_sub(&x, &y, arena, &x)) &&
             dec_to_binary(&x, arena, &sum);
    } else {
        struct big x = {0}, y;
        ok = big_of_binary(v, arena, &y) && (!m->len || big_of_binary(old, arena, &x)) &&
             (sign > 0 ? big_add(&x, &y, arena, &x) : big_sub(&x, &y, arena, &x)) &&
             big_to_binary(&x, arena, &sum);
    }
    if (!ok) return ERR_TOO_BIG;
    err_t e = agg_more_room(m, sum.len);
    if (!e) memcpy(m->at, sum.at, sum.len);
    return e;
}

static err_t add_bigs(const struct plan_aggregate *a, const struct agg_rows *r, struct diag *d)
{
    struct arena *arena = arena_new(MIB(4));
    err_t e = arena ? ERR_OK : ERR_NO_MEMORY;
    for (uint32_t i = 0; !e && i < r->count; i++) {
        uint32_t row = r->rows[i];
        struct agg_sum *s = agg_fixed(r, i);
        if (!agg_valid(r, 0, row)) continue;
        int64_t sign = agg_sign(r, row);
        s->count += sign;
        arena_reset(arena);
        if (!s->full)
            e = agg_full(
                big_add_to(agg_type(a, 0), agg_more_of(r, i), r->args[0].bytes[row], sign, arena),
                &s->full);
    }
    arena_free(arena);
    return e ? agg_no_memory(d) : ERR_OK;
}

err_t agg_sum_add(const struct plan_aggregate *a, const struct agg_rows *r, struct diag *d)
{
    enum type_kind k = agg_type(a, 0)->kind;
    if (k == TYPE_VARINT || k == TYPE_DECIMAL) return add_bigs(a, r, d);
    if (k == TYPE_DOUBLE)
        add_reals(r);
    else
        add_wholes(r);
    return ERR_OK;
}

err_t agg_sum_merge(AGG_MERGE_ARGS)
{
    struct agg_sum *s = (void *)fixed;
    const struct agg_sum *from = (const void *)from_fixed;
    enum type_kind k = agg_type(a, 0)->kind;
    s->count += from->count;
    s->nan += from->nan;
    s->plus += from->plus;
    s->minus += from->minus;
    s->full |= from->full;
    if (k == TYPE_BIGINT) {
        whole_add(s, from->whole.low, from->whole.high);
    } else if (k == TYPE_DOUBLE) {
        real_add(s, from->real.sum);
        real_add(s, from->real.rest);
    } else if (from_more->len && !s->full) {
        struct arena *arena = arena_new(MIB(4));
        struct slice v = slice_make(from_more->at, from_more->len);
        err_t e = arena ? agg_full(big_add_to(agg_type(a, 0), more, v, 1, arena), &s->full)
                        : ERR_NO_MEMORY;
        arena_free(arena);
        if (e) return agg_no_memory(d);
    }
    return ERR_OK;
}

static double real_of(const struct agg_sum *s)
{
    if (s->nan || (s->plus && s->minus)) return NAN;
    if (s->plus || s->minus) return s->plus ? (double)INFINITY : -(double)INFINITY;
    return s->real.sum + s->real.rest;
}

__extension__ typedef __int128 int128_t;
static int128_t whole_of(const struct agg_sum *s)
{
    return (int128_t)s->whole.high * ((int128_t)1 << 64) + s->whole.low;
}

err_t agg_sum_tell(AGG_TELL_ARGS)
{
    const struct agg_sum *s = (const void *)fixed;
    enum type_kind k = agg_type(a, 0)->kind;
    if (s->full) return agg_tell_full(a, d);
    if (!s->count) return ERR_OK;
    if (k == TYPE_VARINT || k == TYPE_DECIMAL)
        return agg_put_binary(out, row, slice_make(more->at, more->len), arena, d);
    if (k == TYPE_DOUBLE) {
        agg_put_f64(out, row, real_of(s));
        return ERR_OK;
    }
    int128_t v = whole_of(s);
    if (v > INT64_MAX || v < INT64_MIN) {
        diag_fail(d, ERR_RANGE, "%.*s is larger than a bigint holds", SLICE_ARG(a->text));
        return diag_hint(d, "sum(CAST(… AS VARINT)) has no bounds");
    }
    agg_put_i64(out, row, (int64_t)v);
    return ERR_OK;
}

/* Of varint and decimal: six digits more than the values', half to even, without needless zeros. */
static err_t tell_big_mean(const struct plan_aggregate *a, const struct agg_sum *s,
                           const struct agg_more *more, struct column *out, uint32_t row,
                           struct arena *arena, struct diag *d)
{
    struct slice sum = slice_make(more->at, more->len), binary;
    struct dec x = {0}, n = {0};
    bool ok = agg_type(a, 0)->kind == TYPE_DECIMAL ? dec_of_binary(sum, arena, &x)
                                                   : big_of_binary(sum, arena, &x.whole);
    int64_t scale = x.scale;
    ok = ok && big_of_i64(s->count, arena, &n.whole) &&
         dec_div(&x, &n, MAX(scale, 0) + 6, ROUND_HALF_EVEN, arena, &x) &&
         dec_strip(&x, MAX(scale, 0), arena, &x) && dec_to_binary(&x, arena, &binary);
    if (!ok) return diag_fail(d, ERR_RANGE, "%.*s has too many digits", SLICE_ARG(a->text));
    return agg_put_binary(out, row, binary, arena, d);
}

err_t agg_avg_tell(AGG_TELL_ARGS)
{
    const struct agg_sum *s = (const void *)fixed;
    enum type_kind k = agg_type(a, 0)->kind;
    if (s->full) return agg_tell_full(a, d);
    if (!s->count) return ERR_OK;
    if (k == TYPE_VARINT || k == TYPE_DECIMAL) return tell_big_mean(a, s, more, out, row, arena, d);
    double sum = k == TYPE_DOUBLE ? real_of(s) : (double)whole_of(s);
    agg_put_f64(out, row, sum / (double)s->count);
    return ERR_OK;
}

/* --- booleans and bits --------------------------------------------------------------------------
 */

err_t agg_bools_add(const struct plan_aggregate *a, const struct agg_rows *r, struct diag *d)
{
    (void)a, (void)d;
    for (uint32_t i = 0; i < r->count; i++) {
        struct agg_bools *s = agg_fixed(r, i);
        if (!agg_valid(r, 0, r->rows[i])) continue;
        *(r->args[0].b1[r->rows[i]] ? &s->trues : &s->falses) += agg_sign(r, r->rows[i]);
    }
    return ERR_OK;
}

err_t agg_bools_merge(AGG_MERGE_ARGS)
{
    (void)a, (void)more, (void)from_more, (void)d;
    struct agg_bools *s = (void *)fixed;
    const struct agg_bools *from = (const void *)from_fixed;
    s->trues += from->trues;
    s->falses += from->falses;
    return ERR_OK;
}

static err_t tell_bool(const struct agg_bools *s, bool v, struct column *out, uint32_t row)
{
    if (s->trues + s->falses == 0) return ERR_OK;
    out->b1[row] = v;
    out->state[row] = VALID_VALUE;
    return ERR_OK;
}

err_t agg_bool_and_tell(AGG_TELL_ARGS)
{
    const struct agg_bools *s = (const void *)fixed;
    (void)a, (void)more, (void)arena, (void)d;
    return tell_bool(s, s->falses == 0, out, row);
}

err_t agg_bool_or_tell(AGG_TELL_ARGS)
{
    const struct agg_bools *s = (const void *)fixed;
    (void)a, (void)more, (void)arena, (void)d;
    return tell_bool(s, s->trues > 0, out, row);
}

static inline uint64_t bits_of(char op, const struct agg_bits *s, uint64_t v)
{
    if (!s->count && op != '^') return v;
    return op == '&' ? s->bits & v : op == '|' ? s->bits | v : s->bits ^ v;
}

static err_t add_bits(char op, const struct agg_rows *r)
{
    for (uint32_t i = 0; i < r->count; i++) {
        struct agg_bits *s = agg_fixed(r, i);
        uint32_t row = r->rows[i];
        if (!agg_valid(r, 0, row)) continue;
        s->bits = bits_of(op, s, (uint64_t)r->args[0].i64[row]);
        s->count += agg_sign(r, row);
    }
    return ERR_OK;
}

static err_t merge_bits(char op, uint8_t *fixed, const uint8_t *from_fixed)
{
    struct agg_bits *s = (void *)fixed;
    const struct agg_bits *from = (const void *)from_fixed;
    if (from->count) s->bits = bits_of(op, s, from->bits);
    s->count += from->count;
    return ERR_OK;
}

static err_t tell_bits(const uint8_t *fixed, struct column *out, uint32_t row)
{
    const struct agg_bits *s = (const void *)fixed;
    if (s->count) agg_put_i64(out, row, (int64_t)s->bits);
    return ERR_OK;
}

err_t agg_bit_and_add(const struct plan_aggregate *a, const struct agg_rows *r, struct diag *d)
{
    (void)a, (void)d;
    return add_bits('&', r);
}
err_t agg_bit_and_merge(AGG_MERGE_ARGS)
{
    (void)a, (void)more, (void)from_more, (void)d;
    return merge_bits('&', fixed, from_fixed);
}
err_t agg_bit_and_tell(AGG_TELL_ARGS)
{
    (void)a, (void)more, (void)arena, (void)d;
    return tell_bits(fixed, out, row);
}
err_t agg_bit_or_add(const struct plan_aggregate *a, const struct agg_rows *r, struct diag *d)
{
    (void)a, (void)d;
    return add_bits('|', r);
}
err_t agg_bit_or_merge(AGG_MERGE_ARGS)
{
    (void)a, (void)more, (void)from_more, (void)d;
    return merge_bits('|', fixed, from_fixed);
}
err_t agg_bit_or_tell(AGG_TELL_ARGS)
{
    (void)a, (void)more, (void)arena, (void)d;
    return tell_bits(fixed, out, row);
}
err_t agg_bit_xor_add(const struct plan_aggregate *a, const struct agg_rows *r, struct diag *d)
{
    (void)a, (void)d;
    return add_bits('^', r);
}
err_t agg_bit_xor_merge(AGG_MERGE_ARGS)
{
    (void)a, (void)more, (void)from_more, (void)d;
    return merge_bits('^', fixed, from_fixed);
}
err_t agg_bit_xor_tell(AGG_TELL_ARGS)
{
    (void)a, (void)more, (void)arena, (void)d;
    return tell_bits(fixed, out, row);
}
