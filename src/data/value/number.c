/* Numbers of any size, by GMP's mpn layer: it works in memory we give and allocates nothing. */
#include "data/value/value_int.h"

#include <gmp.h>
#include <math.h>
#include <stdlib.h>

enum { LIMB = sizeof(mp_limb_t), LIMBS = VARINT_BYTES_MAX / LIMB + 2 };

struct slice varint_shortest(struct slice v)
{
    while (v.len > 1 && ((v.at[0] == 0 && v.at[1] < 0x80) || (v.at[0] == 0xFF && v.at[1] >= 0x80)))
        v = (struct slice){v.at + 1, v.len - 1};
    return v;
}

/* Two's complement, shortest: the sign, then the length, then the bytes decide. */
int varint_compare(struct slice a, struct slice b)
{
    a = varint_shortest(a);
    b = varint_shortest(b);
    bool negative = a.len && a.at[0] >= 0x80, b_negative = b.len && b.at[0] >= 0x80;
    if (negative != b_negative) return negative ? -1 : 1;
    if (a.len != b.len) return (a.len < b.len) == negative ? 1 : -1;
    return slice_compare(a, b);
}

static void digits_from_u64(uint64_t v, struct number *out)
{
    uint8_t back[20];
    uint32_t n = 0;
    for (; v; v /= 10) back[n++] = (uint8_t)(v % 10);
    out->count = n;
    for (uint32_t i = 0; i < n; i++) out->digits[i] = back[n - 1 - i];
}

void number_from_i64(int64_t v, struct number *out)
{
    out->negative = v < 0;
    out->scale = 0;
    digits_from_u64(v < 0 ? 0 - (uint64_t)v : (uint64_t)v, out);
}

bool number_from_varint(struct slice v, struct number *out)
{
    uint8_t text[NUMBER_DIGITS_MAX + 64];
    mp_limb_t limbs[LIMBS] = {0};
    v = varint_shortest(v);
    if (v.len > VARINT_BYTES_MAX) return false;
    if (v.len <= 8) {
        int64_t small = v.len && v.at[0] >= 0x80 ? -1 : 0;
        for (uint32_t i = 0; i < v.len; i++) small = (int64_t)((uint64_t)small << 8 | v.at[i]);
        number_from_i64(small, out);
        return true;
    }
    out->negative = v.at[0] >= 0x80;
    out->scale = 0;
    for (uint32_t i = 0; i < v.len; i++) {
        mp_limb_t byte = (uint8_t)(v.at[v.len - 1 - i] ^ (out->negative ? 0xFF : 0));
        limbs[i / LIMB] |= byte << (i % LIMB * 8);
    }
    mp_size_t n = (mp_size_t)v.len / LIMB + 1;
    if (out->negative) mpn_add_1(limbs, limbs, n, 1);
    while (n && limbs[n - 1] == 0) n--;
    size_t count = mpn_get_str(text, 10, limbs, n), lead = 0;
    while (lead < count && text[lead] == 0) lead++;
    if (count - lead > NUMBER_DIGITS_MAX) return false;
    out->count = (uint32_t)(count - lead);
    memcpy(out->digits, text + lead, out->count);
    return true;
}

bool number_from_decimal(struct slice decimal, struct number *out)
{
    struct cursor c = cursor_of(decimal);
    int32_t scale = cursor_i32(&c);
    if (c.err || !number_from_varint(cursor_slice(&c, cursor_left(&c)), out)) return false;
    out->scale = scale;
    return true;
}

static uint32_t byte_of(const mp_limb_t *limbs, size_t i)
{
    return (uint32_t)(limbs[i / LIMB] >> (i % LIMB * 8) & 0xFF);
}

void number_put_varint(const struct number *n, struct buf *out)
{
    mp_limb_t limbs[LIMBS] = {0};
    INVARIANT(n->scale == 0);
    if (n->count == 0) {
        buf_char(out, 0);
        return;
    }
    mp_size_t used = mpn_set_str(limbs, n->digits, n->count, 10);
    if (n->negative) mpn_sub_1(limbs, limbs, used, 1); /* -x is the complement of x - 1 */
    size_t size = (size_t)used * LIMB;
    while (size && byte_of(limbs, size - 1) == 0) size--;
    uint32_t flip = n->negative ? 0xFF : 0;
    if (size == 0 || byte_of(limbs, size - 1) >= 0x80) buf_be(out, flip, 1); /* the sign's room */
    for (size_t i = size; i-- > 0;) buf_be(out, byte_of(limbs, i) ^ flip, 1);
}

void number_put_decimal(const struct number *n, struct buf *out)
{
    struct number whole = *n;
    INVARIANT(n->scale >= INT32_MIN && n->scale <= INT32_MAX);
    whole.scale = 0;
    buf_be(out, (uint32_t)n->scale, 4);
    number_put_varint(&whole, out);
}

static bool take_digits(struct slice text, uint32_t *i, struct number *out, bool *any)
{
    for (; *i < text.len && is_digit(text.at[*i]); ++*i) {
        *any = true;
        if (out->count == 0 && text.at[*i] == '0') continue;
        if (out->count == NUMBER_DIGITS_MAX) return false;
        out->digits[out->count++] = (uint8_t)(text.at[*i] - '0');
    }
    return true;
}

static bool take_exponent(struct slice text, uint32_t *i, int64_t *exponent)
{
    bool negative = false;
    uint32_t from;
    int64_t v = 0;
    if (++*i < text.len && (text.at[*i] == '-' || text.at[*i] == '+'))
        negative = text.at[(*i)++] == '-';
    for (from = *i; *i < text.len && is_digit(text.at[*i]); ++*i)
        v = MIN(v * 10 + (text.at[*i] - '0'), (int64_t)1 << 40); /* out of every range already */
    *exponent = negative ? -v : v;
    return *i > from;
}

err_t number_read(struct slice text, struct number *out, uint32_t *bad_at)
{
    uint32_t i = 0;
    bool any = false;
    int64_t exponent = 0;
    out->negative = text.len && text.at[0] == '-';
    out->count = 0;
    out->scale = 0;
    out->digits[0] = 0;
    if (text.len && (text.at[0] == '-' || text.at[0] == '+')) i++;
    if (!take_digits(text, &i, out, &any)) return ERR_TOO_BIG;
    if (i < text.len && text.at[i] == '.') {
        uint32_t from = ++i;
        if (!take_digits(text, &i, out, &any)) return ERR_TOO_BIG;
        out->scale = i - from;
    }
    *bad_at = i;
    if (!any) return ERR_CAST;
    if (i < text.len && (text.at[i] | 0x20) == 'e' && !take_exponent(text, &i, &exponent)) {
        *bad_at = i;
        return ERR_CAST;
    }
    *bad_at = i;
    if (i < text.len) return ERR_CAST;
    out->scale -= exponent;
    if (out->count == 0) out->negative = false;
    return out->scale < INT32_MIN || out->scale > INT32_MAX ? ERR_RANGE : ERR_OK;
}

static void put_digits(struct buf *out, const struct number *n, uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to; i++) buf_char(out, (char)('0' + n->digits[i]));
}

static void put_zeros(struct buf *out, int64_t count)
{
    for (; count > 0; count--) buf_char(out, '0');
}

/* BigDecimal.toString: plain where the scale is not negative and the number not below 1E-6. */
void number_put_text(const struct number *n, struct buf *out)
{
    int64_t shown = MAX(n->count, 1u), exponent = shown - 1 - n->scale;
    if (n->negative) buf_char(out, '-');
    if (n->scale >= 0 && exponent >= -6) {
        int64_t whole = shown - n->scale; /* digits before the point */
        if (n->count == 0 || whole <= 0) {
            buf_char(out, '0');
            if (n->scale > 0) buf_char(out, '.');
            put_zeros(out, n->count == 0 ? n->scale : -whole);
            put_digits(out, n, 0, n->count);
            return;
        }
        put_digits(out, n, 0, (uint32_t)whole);
        if (n->scale > 0) buf_char(out, '.');
        put_digits(out, n, (uint32_t)whole, n->count);
        return;
    }
    buf_char(out, (char)('0' + (n->count ? n->digits[0] : 0)));
    if (n->count > 1) buf_char(out, '.');
    put_digits(out, n, 1, n->count);
    if (exponent) buf_printf(out, "E%+lld", (long long)exponent);
}

bool number_is_whole(const struct number *n)
{
    if (n->scale <= 0 || n->count == 0) return true;
    if (n->scale > n->count) return false;
    for (uint32_t i = 0; i < n->scale; i++)
        if (n->digits[n->count - 1 - i]) return false;
    return true;
}

bool number_make_whole(struct number *n)
{
    if (!number_is_whole(n)) return false;
    if (n->count == 0) {
        n->scale = 0;
    } else if (n->scale > 0) {
        n->count -= (uint32_t)n->scale;
    } else {
        if (n->scale < -(int64_t)(NUMBER_DIGITS_MAX - n->count)) return false;
        memset(n->digits + n->count, 0, (size_t)-n->scale);
        n->count += (uint32_t)-n->scale;
    }
    n->scale = 0;
    return true;
}

bool number_to_i64(const struct number *n, int64_t *out)
{
    uint64_t v = 0;
    INVARIANT(n->scale == 0);
    for (uint32_t i = 0; i < n->count; i++)
        if (__builtin_mul_overflow(v, 10u, &v) || __builtin_add_overflow(v, n->digits[i], &v))
            return false;
    if (v > (uint64_t)INT64_MAX + n->negative) return false;
    *out = (int64_t)(n->negative ? 0 - v : v);
    return true;
}

/* Without a common scale: first the place of the highest digit, then digit by digit. */
static int compare_size(const struct number *a, const struct number *b)
{
    int64_t high_a = a->count - a->scale, high_b = b->count - b->scale;
    if (a->count == 0 || b->count == 0) return (a->count > 0) - (b->count > 0);
    if (high_a != high_b) return high_a < high_b ? -1 : 1;
    for (uint32_t i = 0; i < MAX(a->count, b->count); i++) {
        int da = i < a->count ? a->digits[i] : 0, db = i < b->count ? b->digits[i] : 0;
        if (da != db) return da - db;
    }
    return 0;
}

int number_compare(const struct number *a, const struct number *b)
{
    bool below_a = a->negative && a->count, below_b = b->negative && b->count;
    if (below_a != below_b) return below_a ? -1 : 1;
    return below_a ? -compare_size(a, b) : compare_size(a, b);
}

/* --- floating point ----------------------------------------------------------------------------
 */

/* "d.ddde-07" as people write it: plain from 1e-6 to below 1e21, as JavaScript does. */
static void put_float_digits(struct buf *out, const char *text, size_t len)
{
    char digits[40] = {0};
    size_t i = text[0] == '-', n = 0;
    int64_t exponent = 0;
    if (i) buf_char(out, '-');
    if (text[i] == 'i') {
        buf_text(out, "Infinity");
        return;
    }
    for (; i < len && text[i] != 'e'; i++)
        if (text[i] != '.') digits[n++] = text[i];
    bool read = slice_to_i64(slice_make(text + i + 1, len - i - 1), &exponent);
    INVARIANT(read && n > 0);
    int64_t whole = exponent + 1; /* digits before the point */
    if (exponent >= 21 || exponent < -6) {
        buf_char(out, digits[0]);
        if (n > 1) buf_char(out, '.');
        buf_put(out, digits + 1, n - 1);
        buf_printf(out, "e%+lld", (long long)exponent);
    } else if (whole <= 0) {
        buf_text(out, "0.");
        put_zeros(out, -whole);
        buf_put(out, digits, n);
    } else if ((size_t)whole >= n) {
        buf_put(out, digits, n);
        put_zeros(out, whole - (int64_t)n);
    } else {
        buf_put(out, digits, (size_t)whole);
        buf_char(out, '.');
        buf_put(out, digits + whole, n - (size_t)whole);
    }
}

void put_f64(struct buf *out, double v)
{
    char text[40];
    if (v != v) { /* a NaN's sign says nothing */
        buf_text(out, "NaN");
        return;
    }
    size_t n = float_digits_f64(v, text);
    put_float_digits(out, text, n);
}

void put_f32(struct buf *out, float v)
{
    char text[40];
    if (v != v) {
        buf_text(out, "NaN");
        return;
    }
    size_t n = float_digits_f32(v, text);
    put_float_digits(out, text, n);
}

/* The grammar that strtod reads too generously: no hexadecimal, no "inf", no spaces. */
static bool float_grammar(struct slice t, uint32_t *bad_at)
{
    uint32_t i = t.len && (t.at[0] == '-' || t.at[0] == '+'), digits = 0;
    int64_t exponent;
    for (; i < t.len && is_digit(t.at[i]); i++) digits++;
    if (i < t.len && t.at[i] == '.')
        for (i++; i < t.len && is_digit(t.at[i]); i++) digits++;
    bool ok = digits > 0;
    if (ok && i < t.len && (t.at[i] | 0x20) == 'e') ok = take_exponent(t, &i, &exponent);
    *bad_at = i;
    return ok && i == t.len;
}

static bool float_word(struct slice t, double *out)
{
    bool negative = t.len && t.at[0] == '-';
    if (t.len && (t.at[0] == '-' || t.at[0] == '+')) t = (struct slice){t.at + 1, t.len - 1};
    if (slice_equal_nocase(t, SLICE("NaN")))
        *out = NAN;
    else if (slice_equal_nocase(t, SLICE("Infinity")))
        *out = negative ? -INFINITY : INFINITY;
    else
        return false;
    return true;
}

enum { FLOAT_TEXT_MAX = 1200 }; /* the longest exact double has 1,076 digits */

static err_t float_text(struct slice text, char out[FLOAT_TEXT_MAX], uint32_t *bad_at)
{
    if (!float_grammar(text, bad_at)) return ERR_CAST;
    return slice_to_cstr(text, out, FLOAT_TEXT_MAX) ? ERR_OK : ERR_TOO_BIG;
}

err_t read_f64(struct slice text, double *out, uint32_t *bad_at)
{
    char copy[FLOAT_TEXT_MAX];
    if (float_word(text, out)) return ERR_OK;
    err_t e = float_text(text, copy, bad_at);
    if (e) return e;
    *out = strtod(copy, NULL);
    return isinf(*out) ? ERR_RANGE : ERR_OK;
}

err_t read_f32(struct slice text, float *out, uint32_t *bad_at)
{
    char copy[FLOAT_TEXT_MAX];
    double word;
    if (float_word(text, &word)) {
        *out = (float)word;
        return ERR_OK;
    }
    err_t e = float_text(text, copy, bad_at);
    if (e) return e;
    *out = strtof(copy, NULL);
    return isinf(*out) ? ERR_RANGE : ERR_OK;
}
