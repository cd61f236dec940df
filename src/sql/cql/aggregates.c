/* count, sum, avg, min and max: what a group keeps between its rows. */
#include "sql/cql/numbers.h"

#include <math.h>
#include <stdlib.h>

/* --- a sum of any size, in memory of its own: rows may be many
 * ----------------------------------------
 */

enum { SUM_LIMBS = 560 }; /* BIG_DIGITS_MAX digits and some more */
struct sum {
    mp_limb_t at[SUM_LIMBS];
    int64_t n;
    bool negative;
    int64_t scale;
};

static void sum_trim(struct sum *s)
{
    while (s->n && s->at[s->n - 1] == 0) s->n--;
    if (!s->n) s->negative = false;
}

static bool sum_of_binary(struct slice b, struct sum *s)
{
    *s = (struct sum){.negative = b.len && b.at[0] >= 0x80};
    if (b.len / 8 + 1 > SUM_LIMBS) return false;
    for (uint32_t i = 0; i < b.len; i++) {
        mp_limb_t byte = (uint8_t)(b.at[b.len - 1 - i] ^ (s->negative ? 0xFF : 0));
        s->at[i / 8] |= byte << (i % 8 * 8);
    }
    s->n = b.len / 8 + 1;
    if (s->negative) mpn_add_1(s->at, s->at, s->n, 1);
    sum_trim(s);
    return true;
}

static bool sum_of_decimal(struct slice b, struct sum *s)
{
    if (b.len < 4 || !sum_of_binary((struct slice){b.at + 4, b.len - 4}, s)) return false;
    s->scale = (int32_t)binary_i64((struct slice){b.at, 4});
    return true;
}

/* BigDecimal.valueOf: the digits that Double.toString prints. */
static void sum_of_f64(double v, struct sum *s)
{
    uint8_t memory[64];
    struct buf text = buf_over(memory, sizeof(memory));
    int64_t exponent = 0, fraction = 0;
    bool point = false;
    java_put_f64(&text, v);
    *s = (struct sum){.negative = v < 0, .n = 1};
    size_t i = 0;
    for (; i < text.len && text.at[i] != 'E'; i++) {
        if (text.at[i] == '.') point = true;
        if (text.at[i] < '0' || text.at[i] > '9') continue;
        s->at[0] = s->at[0] * 10 + (mp_limb_t)(text.at[i] - '0');
        fraction += point;
    }
    if (i < text.len) (void)!slice_to_i64(slice_make(text.at + i + 1, text.len - i - 1), &exponent);
    s->scale = fraction - exponent;
    sum_trim(s);
}

static bool sum_raise(struct sum *s, int64_t digits)
{
    if (digits > BIG_DIGITS_MAX + 1000 && s->n) return false;
    s->scale += digits;
    while (digits > 0 && s->n) {
        mp_limb_t by = 1;
        for (; digits > 0 && by < 1000000000000000000u; digits--) by *= 10;
        mp_limb_t carry = mpn_mul_1(s->at, s->at, s->n, by);
        if (carry && s->n == SUM_LIMBS) return false;
        if (carry) s->at[s->n++] = carry;
    }
    return true;
}

static bool sum_add(struct sum *s, struct sum *v)
{
    if (s->scale != v->scale) {
        struct sum *low = s->scale < v->scale ? s : v;
        if (!sum_raise(low, MAX(s->scale, v->scale) - low->scale)) return false;
    }
    int64_t n = MAX(s->n, v->n);
    if (n == 0) return true;
    for (int64_t i = s->n; i < n; i++) s->at[i] = 0;
    for (int64_t i = v->n; i < n; i++) v->at[i] = 0;
    s->n = n;
    if (s->negative == v->negative) {
        mp_limb_t carry = mpn_add_n(s->at, s->at, v->at, n);
        if (carry && n == SUM_LIMBS) return false;
        if (carry) s->at[s->n++] = carry;
    } else if (mpn_cmp(s->at, v->at, n) >= 0) {
        mpn_sub_n(s->at, s->at, v->at, n);
    } else {
        mpn_sub_n(s->at, v->at, s->at, n);
        s->negative = v->negative;
    }
    sum_trim(s);
    return true;
}

/* Half to even, at its own scale. */
static void sum_divide(struct sum *s, uint64_t by, bool round)
{
    if (!s->n) return;
    mp_limb_t rest = mpn_divrem_1(s->at, 0, s->at, s->n, by);
    bool up = round && (rest > by - rest || (rest == by - rest && (s->at[0] & 1)));
    bool negative = s->negative;
    if (up) mpn_add_1(s->at, s->at, s->n, 1); /* never one limb more: it was divided */
    sum_trim(s);
    s->negative = negative && s->n;
}

static bool sum_put(const struct sum *s, bool decimal, struct arena *a, struct slice *out)
{
    struct dec v = {{(mp_limb_t *)(uintptr_t)s->at, (uint32_t)s->n, s->negative}, s->scale};
    return decimal ? dec_to_binary(&v, a, out) : big_to_binary(&v.whole, a, out);
}

/* --- the state
 * ------------------------------------------------------------------------------------
 */

enum what { COUNT_ROWS, COUNT, SUM, AVG, MIN_OF, MAX_OF };

struct aggregate {
    enum what what;
    const struct type *type; /* of its values */
    struct arena *a;
    int64_t count;
    int128_t whole;
    double sum, compensation, simple;
    bool overflow;
    struct sum *big; /* varint, decimal; a mean of doubles that left their range */
    uint8_t *best;   /* min, max: a copy, in a block that only grows */
    uint32_t best_len, best_cap;
    bool has_best;
};

static bool is_big(const struct aggregate *g)
{
    return g->type && (g->type->kind == TYPE_VARINT || g->type->kind == TYPE_DECIMAL);
}

struct aggregate *aggregate_new(const struct signature *s, struct arena *a)
{
    static const char *const names[] = {"count_rows", "count", "sum", "avg", "min", "max"};
    struct aggregate *g = arena_take(a, sizeof(*g));
    if (!g) return NULL;
    while (strcmp(s->row->name, names[g->what]) != 0) g->what++;
    g->type = s->count ? s->args[0] : NULL;
    g->a = a;
    bool sums = g->what == SUM || g->what == AVG;
    bool big = is_big(g) || (g->what == AVG && !kind_is_whole(g->type->kind));
    if (sums && big) g->big = arena_take(a, sizeof(*g->big));
    return sums && big && !g->big ? NULL : g;
}

void aggregate_reset(struct aggregate *g)
{
    g->count = 0;
    g->whole = 0;
    g->sum = g->compensation = g->simple = 0;
    g->overflow = g->has_best = false;
    if (g->big) *g->big = (struct sum){0};
}

static err_t too_big(struct diag *d)
{
    return diag_fail(d, ERR_FUNCTION, "a sum of more than %d digits", BIG_DIGITS_MAX);
}

/* avg = avg + (value - avg) / count, each step at its own scale, as the original does */
static bool mean_step(struct aggregate *g, struct sum *v)
{
    struct sum minus = *g->big;
    minus.negative = !minus.negative && minus.n;
    if (!sum_add(v, &minus)) return false;
    sum_divide(v, (uint64_t)g->count, true);
    return sum_add(g->big, v);
}

static err_t add_big(struct aggregate *g, struct slice b, struct diag *d)
{
    struct sum v;
    bool decimal = g->type->kind == TYPE_DECIMAL;
    bool ok = decimal ? sum_of_decimal(b, &v) : sum_of_binary(b, &v);
    ok = ok && (decimal && g->what == AVG ? mean_step(g, &v) : sum_add(g->big, &v));
    return ok ? ERR_OK : too_big(d);
}

static err_t add_double(struct aggregate *g, double v, struct diag *d)
{
    struct sum part;
    if (g->overflow) {
        sum_of_f64(v, &part);
        return sum_add(g->big, &part) ? ERR_OK : too_big(d);
    }
    double before = g->sum, tmp = v - g->compensation, rounded = g->sum + tmp;
    g->simple += v;
    g->compensation = (rounded - g->sum) - tmp;
    g->sum = rounded;
    if (g->what != AVG || !isinf(g->sum) || isinf(v) || isinf(before) || isnan(before))
        return ERR_OK;
    g->overflow = true;
    sum_of_f64(before, g->big);
    sum_of_f64(v, &part);
    return sum_add(g->big, &part) ? ERR_OK : too_big(d);
}

static err_t keep_best(struct aggregate *g, struct slice b, struct diag *d)
{
    struct slice best = slice_make(g->best, g->best_len);
    int c = g->has_best ? cql_compare(g->type, best, b) : 0;
    if (g->has_best && (g->what == MAX_OF ? c >= 0 : c <= 0)) return ERR_OK;
    if (b.len > g->best_cap || !g->best) {
        g->best_cap = MAX(b.len, 2 * g->best_cap + 16);
        g->best = arena_take_raw(g->a, g->best_cap);
    }
    if (!g->best) return term_no_room(d);
    if (b.len) memcpy(g->best, b.at, b.len);
    g->best_len = b.len;
    g->has_best = true;
    return ERR_OK;
}

err_t aggregate_add(struct aggregate *g, const struct cql_value *args, struct diag *d)
{
    if (g->what == COUNT_ROWS) {
        g->count++;
        return ERR_OK;
    }
    struct slice b = args[0].bytes;
    if (args[0].state == CQL_UNSET)
        return diag_fail(d, ERR_INVALID,
                         "Invalid unset value for argument in call to function aggregate");
    if (args[0].state != CQL_SET) return ERR_OK;
    if (g->what == COUNT) {
        g->count++;
        return ERR_OK;
    }
    if (g->what == MIN_OF || g->what == MAX_OF) return keep_best(g, b, d);
    if (b.len == 0) return ERR_OK; /* an empty number is none */
    g->count++;
    if (is_big(g)) return add_big(g, b, d);
    if (g->type->kind == TYPE_FLOAT) return add_double(g, (double)binary_f32(b), d);
    if (g->type->kind == TYPE_DOUBLE) return add_double(g, binary_f64(b), d);
    g->whole += binary_i64(b);
    return ERR_OK;
}

/* --- results
 * --------------------------------------------------------------------------------------
 */

static double double_sum(const struct aggregate *g)
{
    double v = g->sum + g->compensation;
    return isnan(v) && isinf(g->simple) ? g->simple : v;
}

static double double_mean(struct aggregate *g)
{
    char memory[128];
    struct slice b;
    if (!g->count) return 0;
    if (!g->overflow) return double_sum(g) / (double)g->count;
    struct sum mean = *g->big;
    sum_divide(&mean, (uint64_t)g->count, true);
    if (!sum_put(&mean, true, g->a, &b)) return NAN;
    struct buf text = buf_over(memory, sizeof(memory) - 1);
    scalar_put(type_of(TYPE_DECIMAL), b, &text);
    memory[text.len] = 0;
    return strtod(memory, NULL);
}

static err_t big_value(struct aggregate *g, struct arena *a, struct cql_value *out, struct diag *d)
{
    struct sum v = *g->big;
    struct slice b;
    bool decimal = g->type->kind == TYPE_DECIMAL;
    if (!decimal && g->what == AVG && g->count) sum_divide(&v, (uint64_t)g->count, false);
    return sum_put(&v, decimal, a, &b) ? set_value(out, b) : too_big(d);
}

static err_t best_value(struct aggregate *g, struct arena *a, struct cql_value *out, struct diag *d)
{
    *out = (struct cql_value){.state = CQL_NULL};
    if (!g->has_best) return ERR_OK;
    uint8_t *at = arena_take_raw(a, g->best_len + 1);
    if (!at) return term_no_room(d);
    if (g->best_len) memcpy(at, g->best, g->best_len);
    return set_value(out, slice_make(at, g->best_len));
}

err_t aggregate_value(struct aggregate *g, struct arena *a, struct cql_value *out, struct diag *d)
{
    if (g->what == MIN_OF || g->what == MAX_OF) return best_value(g, a, out, d);
    if (g->what <= COUNT) return put_be_value(a, (uint64_t)g->count, 8, out, d);
    if (is_big(g)) return big_value(g, a, out, d);
    enum type_kind k = g->type->kind;
    if (k == TYPE_FLOAT || k == TYPE_DOUBLE) {
        const struct signature s = {.result = g->type};
        struct native_run r = {.s = &s, .a = a, .out = out, .d = d};
        return answer_f64(&r, g->what == AVG ? double_mean(g) : double_sum(g));
    }
    int128_t v = g->what == SUM ? g->whole : g->count ? g->whole / g->count : 0;
    return put_be_value(a, (uint64_t)v, type_bits(k) / 8, out, d);
}
