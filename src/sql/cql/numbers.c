#include "sql/cql/numbers.h"

#include <math.h>
#include <stdlib.h>

int type_bits(enum type_kind k)
{
    switch (k) {
    case TYPE_TINYINT: return 8;
    case TYPE_SMALLINT: return 16;
    case TYPE_INT: return 32;
    default: return 64;
    }
}

bool kind_is_whole(enum type_kind k)
{
    return k == TYPE_TINYINT || k == TYPE_SMALLINT || k == TYPE_INT || k == TYPE_BIGINT ||
           k == TYPE_COUNTER;
}

int64_t wrapped(int64_t v, int bits)
{
    return bits == 8 ? (int8_t)v : bits == 16 ? (int16_t)v : bits == 32 ? (int32_t)v : v;
}

int64_t f64_to_whole(double v, int bits)
{
    if (v != v) return 0;
    if (bits == 64) {
        if (v >= 9223372036854775808.0) return INT64_MAX;
        return v < -9223372036854775808.0 ? INT64_MIN : (int64_t)v;
    }
    int64_t i = v >= 2147483647.0 ? INT32_MAX : v <= -2147483648.0 ? INT32_MIN : (int64_t)v;
    return wrapped(i, bits);
}

bool num_of(const struct type *t, struct slice b, struct arena *a, struct num *out)
{
    *out = (struct num){.kind = t->kind};
    switch (t->kind) {
    case TYPE_FLOAT: out->d = (double)binary_f32(b); return true;
    case TYPE_DOUBLE: out->d = binary_f64(b); return true;
    case TYPE_VARINT: return big_of_binary(b, a, &out->big);
    case TYPE_DECIMAL: return dec_of_binary(b, a, &out->dec);
    default: out->i = binary_i64(b); return true;
    }
}

int64_t num_whole(const struct num *n, int bits, struct arena *a)
{
    struct dec whole;
    switch (n->kind) {
    case TYPE_FLOAT:
    case TYPE_DOUBLE: return f64_to_whole(n->d, bits);
    case TYPE_VARINT: return wrapped(big_low_i64(&n->big), bits);
    case TYPE_DECIMAL:
        if (n->dec.scale <= -64 || !dec_set_scale(&n->dec, 0, ROUND_DOWN, a, &whole)) return 0;
        return wrapped(big_low_i64(&whole.whole), bits);
    default: return wrapped(n->i, bits);
    }
}

/* The exact digits, for the C library to round. */
static const char *digits_of(const struct num *n, struct arena *a)
{
    struct slice b = {0};
    bool whole = n->kind == TYPE_VARINT;
    bool ok = whole ? big_to_binary(&n->big, a, &b) : dec_to_binary(&n->dec, a, &b);
    struct buf text = buf_make(KIB(64));
    if (ok) scalar_put(type_of(n->kind), b, &text);
    const char *made = arena_text(a, buf_view(&text));
    buf_done(&text);
    return made ? made : "";
}

double num_f64(const struct num *n, struct arena *a)
{
    if (n->kind == TYPE_FLOAT || n->kind == TYPE_DOUBLE) return n->d;
    if (n->kind == TYPE_VARINT || n->kind == TYPE_DECIMAL) return strtod(digits_of(n, a), NULL);
    return (double)n->i;
}

float num_f32(const struct num *n, struct arena *a)
{
    if (n->kind == TYPE_FLOAT || n->kind == TYPE_DOUBLE) return (float)n->d;
    if (n->kind == TYPE_VARINT || n->kind == TYPE_DECIMAL) return strtof(digits_of(n, a), NULL);
    return (float)n->i;
}

bool dec_of_f64(double v, struct arena *a, struct dec *out)
{
    uint8_t memory[64];
    struct buf text = buf_over(memory, sizeof(memory));
    struct slice b;
    java_put_f64(&text, v);
    return binary_from_text(type_of(TYPE_DECIMAL), buf_view(&text), a, &b, NULL) == ERR_OK &&
           dec_of_binary(b, a, out);
}

bool num_dec(const struct num *n, struct arena *a, struct dec *out, const char **why)
{
    *why = NULL;
    if (n->kind == TYPE_DECIMAL) {
        *out = n->dec;
        return true;
    }
    if (n->kind == TYPE_VARINT) {
        *out = (struct dec){n->big, 0};
        return true;
    }
    double v = num_f64(n, a);
    if (v != v) *why = "A NaN cannot be converted into a decimal";
    if (isinf(v)) *why = "An infinite number cannot be converted into a decimal";
    return !*why && dec_of_f64(v, a, out);
}

bool num_big(const struct num *n, struct arena *a, struct big *out)
{
    if (n->kind != TYPE_VARINT) return big_of_i64(num_whole(n, 64, a), a, out);
    *out = n->big;
    return true;
}

/* --- results
 * --------------------------------------------------------------------------------------
 */

err_t too_large(struct native_run *r)
{
    return native_fails(r, "a number of more than %d digits", BIG_DIGITS_MAX);
}

err_t answer_whole(struct native_run *r, int64_t v)
{
    return put_be_value(r->a, (uint64_t)v, type_bits(r->s->result->kind) / 8, r->out, r->d);
}

err_t answer_f64(struct native_run *r, double v)
{
    float narrow = (float)v;
    uint32_t small;
    uint64_t bits;
    memcpy(&small, &narrow, 4);
    memcpy(&bits, &v, 8);
    bool is_float = r->s->result->kind == TYPE_FLOAT;
    return put_be_value(r->a, is_float ? small : bits, is_float ? 4 : 8, r->out, r->d);
}

err_t answer_big(struct native_run *r, const struct big *v)
{
    struct slice b;
    return big_to_binary(v, r->a, &b) ? set_value(r->out, b) : too_large(r);
}

err_t answer_dec(struct native_run *r, const struct dec *v)
{
    struct slice b;
    return dec_to_binary(v, r->a, &b) ? set_value(r->out, b) : too_large(r);
}
