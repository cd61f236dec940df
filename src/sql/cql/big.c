#include "sql/cql/big.h"

#include <math.h>

enum { LIMB_BITS = 64, LIMB_BYTES = 8 };

static mp_limb_t *limbs(struct arena *a, uint64_t n)
{
    return n > BIG_LIMBS_MAX ? NULL : arena_take(a, (n ? n : 1) * sizeof(mp_limb_t));
}

static bool finish(struct big *out, mp_limb_t *at, uint64_t n, bool negative)
{
    while (n && at[n - 1] == 0) n--;
    *out = (struct big){at, (uint32_t)n, negative && n > 0};
    return true;
}

size_t big_bits(const struct big *v)
{
    if (!v->n) return 0;
    return (size_t)v->n * LIMB_BITS - (size_t)__builtin_clzl(v->at[v->n - 1]);
}

bool big_of_i64(int64_t v, struct arena *a, struct big *out)
{
    mp_limb_t *at = limbs(a, 1);
    if (!at) return false;
    at[0] = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    return finish(out, at, 1, v < 0);
}

bool big_of_binary(struct slice b, struct arena *a, struct big *out)
{
    uint64_t n = b.len / LIMB_BYTES + 1;
    mp_limb_t *at = limbs(a, n);
    if (!at) return false;
    bool negative = b.len && b.at[0] >= 0x80;
    for (uint32_t i = 0; i < b.len; i++) {
        mp_limb_t byte = (uint8_t)(b.at[b.len - 1 - i] ^ (negative ? 0xFF : 0));
        at[i / LIMB_BYTES] |= byte << (i % LIMB_BYTES * 8);
    }
    if (negative) mpn_add_1(at, at, (mp_size_t)n, 1);
    return finish(out, at, n, negative);
}

bool big_to_binary(const struct big *v, struct arena *a, struct slice *out)
{
    if (big_bits(v) > 33219) return false; /* BIG_DIGITS_MAX digits */
    size_t size = (size_t)v->n * LIMB_BYTES + 1;
    mp_limb_t *copy = limbs(a, v->n);
    uint8_t *at = arena_take_raw(a, size);
    if (!copy || !at) return false;
    for (uint32_t i = 0; i < v->n; i++) copy[i] = v->at[i];
    if (v->negative) mpn_sub_1(copy, copy, v->n, 1); /* -x is the complement of x - 1 */
    uint8_t flip = v->negative ? 0xFF : 0;
    at[0] = flip;
    for (size_t i = 1; i < size; i++) {
        size_t byte = size - 1 - i;
        at[i] = (uint8_t)(copy[byte / LIMB_BYTES] >> (byte % LIMB_BYTES * 8)) ^ flip;
    }
    size_t from = 0;
    while (from + 1 < size && at[from] == flip && (at[from + 1] ^ flip) < 0x80) from++;
    *out = slice_make(at + from, size - from);
    return true;
}

int64_t big_low_i64(const struct big *v)
{
    uint64_t low = v->n ? v->at[0] : 0;
    return (int64_t)(v->negative ? 0 - low : low);
}

int big_compare_size(const struct big *x, const struct big *y)
{
    if (x->n != y->n) return x->n < y->n ? -1 : 1;
    return x->n ? mpn_cmp(x->at, y->at, x->n) : 0;
}

static bool add_sizes(const struct big *x, const struct big *y, bool negative, struct arena *a,
                      struct big *out)
{
    const struct big *l = x->n >= y->n ? x : y, *s = x->n >= y->n ? y : x;
    mp_limb_t *at = limbs(a, (uint64_t)l->n + 1);
    if (!at) return false;
    if (!l->n) return finish(out, at, 0, false);
    if (s->n)
        at[l->n] = mpn_add(at, l->at, l->n, s->at, s->n);
    else
        memcpy(at, l->at, l->n * sizeof(*at));
    return finish(out, at, (uint64_t)l->n + 1, negative);
}

static bool subtract_sizes(const struct big *x, const struct big *y, bool negative, struct arena *a,
                           struct big *out)
{
    int c = big_compare_size(x, y);
    const struct big *l = c >= 0 ? x : y, *s = c >= 0 ? y : x;
    mp_limb_t *at = limbs(a, l->n);
    if (!at) return false;
    if (s->n)
        mpn_sub(at, l->at, l->n, s->at, s->n);
    else if (l->n)
        memcpy(at, l->at, l->n * sizeof(*at));
    return finish(out, at, l->n, c >= 0 ? negative : !negative);
}

bool big_add(const struct big *x, const struct big *y, struct arena *a, struct big *out)
{
    return x->negative == y->negative ? add_sizes(x, y, x->negative, a, out)
                                      : subtract_sizes(x, y, x->negative, a, out);
}

bool big_sub(const struct big *x, const struct big *y, struct arena *a, struct big *out)
{
    struct big minus = *y;
    minus.negative = !y->negative && y->n;
    return big_add(x, &minus, a, out);
}

bool big_mul(const struct big *x, const struct big *y, struct arena *a, struct big *out)
{
    const struct big *l = x->n >= y->n ? x : y, *s = x->n >= y->n ? y : x;
    mp_limb_t *at = limbs(a, (uint64_t)l->n + s->n);
    if (!at) return false;
    if (!s->n) return finish(out, at, 0, false);
    mpn_mul(at, l->at, l->n, s->at, s->n);
    return finish(out, at, (uint64_t)l->n + s->n, x->negative != y->negative);
}

bool big_div(const struct big *x, const struct big *y, struct arena *a, struct big *quotient,
             struct big *remainder)
{
    struct big num = *x, den = *y;
    INVARIANT(den.n > 0);
    mp_limb_t *q = limbs(a, num.n >= den.n ? (uint64_t)num.n - den.n + 1 : 0);
    mp_limb_t *r = limbs(a, den.n);
    if (!q || !r) return false;
    if (num.n < den.n) {
        if (quotient) finish(quotient, q, 0, false);
        if (remainder) *remainder = num;
        return true;
    }
    mpn_tdiv_qr(q, r, 0, num.at, num.n, den.at, den.n);
    if (quotient) finish(quotient, q, (uint64_t)num.n - den.n + 1, num.negative != den.negative);
    if (remainder) finish(remainder, r, den.n, num.negative);
    return true;
}

bool big_div_rounded(const struct big *x, const struct big *y, enum big_rounding rounding,
                     struct arena *a, struct big *out)
{
    struct big q, r, twice, one;
    bool negative = x->negative != y->negative;
    if (!big_div(x, y, a, &q, &r)) return false;
    if (rounding != ROUND_DOWN) {
        r.negative = false;
        if (!big_add(&r, &r, a, &twice) || !big_of_i64(1, a, &one)) return false;
        int c = big_compare_size(&twice, y);
        bool odd = q.n && (q.at[0] & 1);
        bool up = c > 0 || (c == 0 && (rounding == ROUND_HALF_UP || odd));
        q.negative = negative && q.n;
        one.negative = negative;
        if (up && !big_add(&q, &one, a, &q)) return false;
    }
    *out = q;
    return true;
}

bool big_pow10(uint64_t n, struct arena *a, struct big *out)
{
    struct big base;
    if (n > 45000 || !big_of_i64(10, a, &base) || !big_of_i64(1, a, out)) return false;
    for (; n; n >>= 1) {
        if (n & 1 && !big_mul(out, &base, a, out)) return false;
        if (n > 1 && !big_mul(&base, &base, a, &base)) return false;
    }
    return true;
}

uint64_t big_digits(const struct big *v, struct arena *a)
{
    struct big power;
    if (!v->n) return 1;
    uint64_t least = (uint64_t)((double)(big_bits(v) - 1) * 0.30102999566398114) + 1;
    if (!big_pow10(least, a, &power)) return least;
    return least + (big_compare_size(v, &power) >= 0);
}

/* --- decimals
 * -------------------------------------------------------------------------------------
 */

bool dec_of_binary(struct slice b, struct arena *a, struct dec *out)
{
    struct cursor {
        const uint8_t *at;
    } c = {b.at};
    if (b.len < 4) return false;
    out->scale = (int32_t)((uint32_t)c.at[0] << 24 | (uint32_t)c.at[1] << 16 |
                           (uint32_t)c.at[2] << 8 | c.at[3]);
    return big_of_binary((struct slice){b.at + 4, b.len - 4}, a, &out->whole);
}

bool dec_to_binary(const struct dec *v, struct arena *a, struct slice *out)
{
    struct slice whole;
    if (v->scale > INT32_MAX || v->scale < INT32_MIN || !big_to_binary(&v->whole, a, &whole))
        return false;
    uint8_t *at = arena_take_raw(a, whole.len + 4);
    if (!at) return false;
    for (int i = 0; i < 4; i++) at[i] = (uint8_t)((uint64_t)v->scale >> (24 - 8 * i));
    memcpy(at + 4, whole.at, whole.len);
    *out = slice_make(at, whole.len + 4);
    return true;
}

static bool shift_up(const struct big *v, int64_t digits, struct arena *a, struct big *out)
{
    struct big power;
    if (digits == 0 || !v->n) {
        *out = *v;
        return true;
    }
    return digits > 0 && big_pow10((uint64_t)digits, a, &power) && big_mul(v, &power, a, out);
}

static bool align(const struct dec *x, const struct dec *y, struct arena *a, struct big *bx,
                  struct big *by, int64_t *scale)
{
    *scale = MAX(x->scale, y->scale);
    return shift_up(&x->whole, *scale - x->scale, a, bx) &&
           shift_up(&y->whole, *scale - y->scale, a, by);
}

bool dec_add(const struct dec *x, const struct dec *y, struct arena *a, struct dec *out)
{
    struct big bx, by;
    int64_t scale;
    if (!align(x, y, a, &bx, &by, &scale) || !big_add(&bx, &by, a, &out->whole)) return false;
    out->scale = scale;
    return true;
}

bool dec_sub(const struct dec *x, const struct dec *y, struct arena *a, struct dec *out)
{
    struct dec minus = *y;
    minus.whole.negative = !y->whole.negative && y->whole.n;
    return dec_add(x, &minus, a, out);
}

bool dec_mul(const struct dec *x, const struct dec *y, struct arena *a, struct dec *out)
{
    int64_t scale = x->scale + y->scale;
    if (!big_mul(&x->whole, &y->whole, a, &out->whole)) return false;
    out->scale = scale;
    return scale >= INT32_MIN && scale <= INT32_MAX;
}

bool dec_div(const struct dec *x, const struct dec *y, int64_t scale, enum big_rounding rounding,
             struct arena *a, struct dec *out)
{
    int64_t shift = scale + y->scale - x->scale;
    struct big num, den;
    if (!shift_up(&x->whole, MAX(shift, 0), a, &num) ||
        !shift_up(&y->whole, MAX(-shift, 0), a, &den))
        return false;
    out->scale = scale;
    return big_div_rounded(&num, &den, rounding, a, &out->whole);
}

bool dec_set_scale(const struct dec *v, int64_t scale, enum big_rounding rounding, struct arena *a,
                   struct dec *out)
{
    struct big power;
    int64_t shift = scale - v->scale;
    if (shift >= 0) {
        if (!shift_up(&v->whole, shift, a, &out->whole)) return false;
    } else if (-shift > 44000) {
        out->whole = (struct big){0}; /* no number here has so many digits */
    } else if (!big_pow10((uint64_t)-shift, a, &power) ||
               !big_div_rounded(&v->whole, &power, rounding, a, &out->whole)) {
        return false;
    }
    out->scale = scale;
    return true;
}

bool dec_round(const struct dec *v, uint64_t digits, enum big_rounding rounding, struct arena *a,
               struct dec *out)
{
    *out = *v;
    for (int i = 0; i < 2; i++) { /* 9.99 becomes 10.0, which is a digit too long again */
        uint64_t has = big_digits(&out->whole, a);
        if (has <= digits) return true;
        struct dec now = *out;
        if (!dec_set_scale(&now, now.scale - (int64_t)(has - digits), rounding, a, out))
            return false;
    }
    return true;
}

bool dec_strip(const struct dec *v, int64_t least_scale, struct arena *a, struct dec *out)
{
    struct big ten, q, r;
    *out = *v;
    if (!big_of_i64(10, a, &ten)) return false;
    while (out->whole.n && out->scale > least_scale && !(out->whole.at[0] & 1)) {
        if (!big_div(&out->whole, &ten, a, &q, &r)) return false;
        if (r.n) break;
        out->whole = q;
        out->scale--;
    }
    return true;
}

/* The scale is BigDecimal's: as the quotient's trailing zeros leave it. */
bool dec_remainder(const struct dec *x, const struct dec *y, struct arena *a, struct dec *out)
{
    struct big bx, by, r;
    struct dec q = {.scale = 0};
    int64_t scale, wanted = x->scale - y->scale;
    if (!align(x, y, a, &bx, &by, &scale) || !big_div(&bx, &by, a, &q.whole, &r)) return false;
    if (!q.whole.n || wanted >= 0)
        q.scale = wanted;
    else if (!dec_strip(&q, wanted, a, &q))
        return false;
    struct dec exact = {r, scale};
    return dec_set_scale(&exact, MAX(x->scale, q.scale + y->scale), ROUND_DOWN, a, out);
}

/* --- exponential and logarithm, in fixed point: whole numbers times 10^-places
 * --------------------- */

struct fixed {
    struct big one; /* 10^places */
    uint64_t places;
    struct arena *a;
};

static bool fixed_mul(const struct fixed *f, const struct big *x, const struct big *y,
                      struct big *out)
{
    struct big product;
    return big_mul(x, y, f->a, &product) && big_div(&product, &f->one, f->a, out, NULL);
}

static bool fixed_div(const struct fixed *f, const struct big *x, const struct big *y,
                      struct big *out)
{
    struct big raised;
    return big_mul(x, &f->one, f->a, &raised) && big_div(&raised, y, f->a, out, NULL);
}

static bool times(const struct fixed *f, const struct big *x, int64_t by, struct big *out)
{
    struct big small;
    return big_of_i64(by, f->a, &small) && big_mul(x, &small, f->a, out);
}

static bool divided(const struct fixed *f, const struct big *x, int64_t by, struct big *out)
{
    struct big small;
    return big_of_i64(by, f->a, &small) && big_div(x, &small, f->a, out, NULL);
}

/* atanh(1/n) */
static bool fixed_atanh(const struct fixed *f, int64_t n, struct big *out)
{
    struct big power, term;
    if (!divided(f, &f->one, n, &power)) return false;
    *out = power;
    for (int64_t k = 3; power.n; k += 2)
        if (!divided(f, &power, n * n, &power) || !divided(f, &power, k, &term) ||
            !big_add(out, &term, f->a, out))
            return false;
    return true;
}

static bool fixed_ln10(const struct fixed *f, struct big *out)
{
    static const int64_t parts[3][2] = {{31, 46}, {49, 34}, {161, 20}};
    struct big part;
    if (!big_of_i64(0, f->a, out)) return false;
    for (int i = 0; i < 3; i++)
        if (!fixed_atanh(f, parts[i][0], &part) || !times(f, &part, parts[i][1], &part) ||
            !big_add(out, &part, f->a, out))
            return false;
    return true;
}

enum { HALVINGS = 16 };

/* e^x of a small x: halved, by Taylor's series, squared again. */
static bool fixed_exp(const struct fixed *f, const struct big *x, struct big *out)
{
    struct big reduced, term = f->one;
    if (!divided(f, x, 1 << HALVINGS, &reduced)) return false;
    *out = f->one;
    for (int64_t k = 1; term.n; k++)
        if (!fixed_mul(f, &term, &reduced, &term) || !divided(f, &term, k, &term) ||
            !big_add(out, &term, f->a, out))
            return false;
    for (int i = 0; i < HALVINGS; i++)
        if (!fixed_mul(f, out, out, out)) return false;
    return true;
}

static bool fixed_open(struct fixed *f, uint64_t places, struct arena *a)
{
    *f = (struct fixed){.places = places, .a = a};
    return big_pow10(places, a, &f->one);
}

/* The work's memory is its own: series are long. */
enum { FIXED_ARENA = 512 << 20 };

static bool keep_dec(struct dec *v, struct arena *a)
{
    mp_limb_t *at = limbs(a, v->whole.n);
    if (!at) return false;
    if (v->whole.n) memcpy(at, v->whole.at, v->whole.n * sizeof(*at));
    v->whole.at = at;
    return true;
}

/* x = k ln 10 + r; e^x = e^r * 10^k */
static bool exp_in(const struct dec *v, uint64_t digits, struct arena *a, struct dec *out)
{
    struct fixed f;
    struct dec x;
    struct big ln10, k, r;
    if (!fixed_open(&f, digits + 24, a)) return false;
    if (!dec_set_scale(v, (int64_t)f.places, ROUND_HALF_EVEN, a, &x)) return false;
    if (!fixed_ln10(&f, &ln10) || !big_div(&x.whole, &ln10, a, &k, &r)) return false;
    int64_t shift = big_low_i64(&k);
    if (k.n > 1 || shift > 1000000000 || shift < -1000000000) return false;
    struct dec made = {.scale = (int64_t)f.places - shift};
    return fixed_exp(&f, &r, &made.whole) && dec_round(&made, digits, ROUND_HALF_EVEN, a, out);
}

/* The natural logarithm of m in [1, 10): Halley's steps from a double's. */
static bool ln_mantissa(const struct fixed *f, const struct big *m, double start, struct big *out)
{
    struct big e, above, below, step;
    struct big guess, scale, trillion;
    if (!big_of_i64((int64_t)(start * 1e15), f->a, &guess) || !big_pow10(15, f->a, &trillion) ||
        !big_mul(&guess, &f->one, f->a, &scale) || !big_div(&scale, &trillion, f->a, out, NULL))
        return false;
    for (uint64_t good = 14; good < f->places; good *= 3)
        if (!fixed_exp(f, out, &e) || !big_sub(m, &e, f->a, &above) ||
            !big_add(m, &e, f->a, &below) || !times(f, &above, 2, &above) ||
            !fixed_div(f, &above, &below, &step) || !big_add(out, &step, f->a, out))
            return false;
    return true;
}

static bool log_fixed(const struct fixed *f, const struct dec *v, struct big *out)
{
    struct big ln10, part, ln;
    struct dec m = *v, at_places;
    int64_t power = (int64_t)big_digits(&v->whole, f->a) - 1 - v->scale;
    m.scale += power;
    if (!dec_set_scale(&m, (int64_t)f->places, ROUND_HALF_EVEN, f->a, &at_places)) return false;
    struct big *mantissa = &at_places.whole;
    double start = 0;
    mp_limb_t top[2] = {0};
    struct dec rough;
    if (!dec_set_scale(&m, 15, ROUND_DOWN, f->a, &rough)) return false;
    for (uint32_t i = 0; i < rough.whole.n && i < 2; i++) top[i] = rough.whole.at[i];
    start = log((double)top[0] / 1e15);
    if (!ln_mantissa(f, mantissa, start, &ln) || !fixed_ln10(f, &ln10)) return false;
    return times(f, &ln10, power, &part) && big_add(&ln, &part, f->a, out);
}

static bool log_in(const struct dec *v, uint64_t digits, struct arena *a, struct dec *out)
{
    struct fixed f;
    struct big ln;
    /* Near 1 the logarithm is small: as many digits more as its zeros after the point. */
    if (!fixed_open(&f, 2 * digits + 24, a) || !log_fixed(&f, v, &ln)) return false;
    struct dec made = {ln, (int64_t)f.places};
    return dec_round(&made, digits, ROUND_HALF_EVEN, a, out);
}

bool dec_exp(const struct dec *v, uint64_t digits, struct arena *a, struct dec *out)
{
    if (!v->whole.n) {
        out->scale = 0;
        return big_of_i64(1, a, &out->whole);
    }
    struct arena *own = arena_new(FIXED_ARENA);
    bool ok = own && exp_in(v, digits, own, out) && keep_dec(out, a);
    arena_free(own);
    return ok;
}

static bool is_one(const struct dec *v, struct arena *a)
{
    struct dec bare;
    if (!dec_strip(v, INT32_MIN, a, &bare)) return false;
    return bare.scale == 0 && bare.whole.n == 1 && bare.whole.at[0] == 1;
}

bool dec_log(const struct dec *v, uint64_t digits, struct arena *a, struct dec *out)
{
    if (is_one(v, a)) {
        out->scale = 0;
        return big_of_i64(0, a, &out->whole);
    }
    struct arena *own = arena_new(FIXED_ARENA);
    bool ok = own && log_in(v, digits, own, out) && keep_dec(out, a);
    arena_free(own);
    return ok;
}

/* BigDecimal.divide to so many digits: an exact quotient loses its zeros down to the scales'
 * difference. */
static bool divide_to(const struct dec *x, const struct dec *y, uint64_t digits, struct arena *a,
                      struct dec *out)
{
    struct dec back, rest;
    int64_t scale = x->scale - y->scale;
    if (!x->whole.n) {
        *out = (struct dec){x->whole, scale};
        return true;
    }
    int64_t first = ((int64_t)big_digits(&x->whole, a) - x->scale) -
                    ((int64_t)big_digits(&y->whole, a) - y->scale);
    if (!dec_div(x, y, (int64_t)digits - first + 1, ROUND_DOWN, a, out) ||
        !dec_mul(out, y, a, &back) || !dec_sub(x, &back, a, &rest))
        return false;
    if (!rest.whole.n) return dec_strip(out, scale, a, out);
    if (!dec_div(x, y, (int64_t)digits - first, ROUND_HALF_EVEN, a, out)) return false;
    if (big_digits(&out->whole, a) < digits &&
        !dec_div(x, y, (int64_t)digits - first + 1, ROUND_HALF_EVEN, a, out))
        return false;
    return dec_round(out, digits, ROUND_HALF_EVEN, a, out);
}

/* As big-math has it: the two logarithms rounded, and their quotient rounded twice. */
bool dec_log10(const struct dec *v, uint64_t digits, struct arena *a, struct dec *out)
{
    struct dec ten = {.scale = 0}, ln, ln10;
    return big_of_i64(10, a, &ten.whole) && dec_log(v, digits + 2, a, &ln) &&
           dec_log(&ten, digits + 2, a, &ln10) && divide_to(&ln, &ln10, digits + 2, a, out) &&
           dec_round(out, digits, ROUND_HALF_EVEN, a, out);
}
