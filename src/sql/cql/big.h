/* sql/cql/big: whole and decimal numbers of any size, by GMP's mpn layer in an arena's memory.
 * Private to sql/cql.
 *
 * Every function that makes a number answers false when there is no room or it would have more than
 * BIG_LIMBS_MAX limbs. Operands may be the result's old value.
 */
#pragma once
#include "base/mem.h"

#include <gmp.h>

enum { BIG_LIMBS_MAX = 2200, BIG_DIGITS_MAX = 10000 };

struct big { /* sign and magnitude; n == 0 is zero */
    mp_limb_t *at;
    uint32_t n;
    bool negative;
};
struct dec { /* whole * 10^-scale */
    struct big whole;
    int64_t scale;
};

bool big_of_i64(int64_t v, struct arena *a, struct big *out);
bool big_of_binary(struct slice varint, struct arena *a, struct big *out);
/* Shortest two's complement; false also when it has more than BIG_DIGITS_MAX digits. */
bool big_to_binary(const struct big *v, struct arena *a, struct slice *out);
int64_t big_low_i64(const struct big *v); /* the low 64 bits, as longValue() */
bool big_add(const struct big *x, const struct big *y, struct arena *a, struct big *out);
bool big_sub(const struct big *x, const struct big *y, struct arena *a, struct big *out);
bool big_mul(const struct big *x, const struct big *y, struct arena *a, struct big *out);
/* Truncated, as Java's: the remainder has the dividend's sign. y is not zero; either may be NULL.
 */
bool big_div(const struct big *x, const struct big *y, struct arena *a, struct big *quotient,
             struct big *remainder);
bool big_pow10(uint64_t n, struct arena *a, struct big *out);
int big_compare_size(const struct big *x, const struct big *y); /* without their signs */
uint64_t big_digits(const struct big *v, struct arena *a);      /* decimal digits; of zero 1 */
size_t big_bits(const struct big *v);

enum big_rounding { ROUND_DOWN, ROUND_HALF_UP, ROUND_HALF_EVEN };
bool big_div_rounded(const struct big *x, const struct big *y, enum big_rounding rounding,
                     struct arena *a, struct big *out);

bool dec_of_binary(struct slice decimal, struct arena *a, struct dec *out);
bool dec_to_binary(const struct dec *v, struct arena *a, struct slice *out);
bool dec_add(const struct dec *x, const struct dec *y, struct arena *a, struct dec *out);
bool dec_sub(const struct dec *x, const struct dec *y, struct arena *a, struct dec *out);
bool dec_mul(const struct dec *x, const struct dec *y, struct arena *a, struct dec *out);
/* To that many digits after the point; y is not zero. */
bool dec_div(const struct dec *x, const struct dec *y, int64_t scale, enum big_rounding rounding,
             struct arena *a, struct dec *out);
bool dec_remainder(const struct dec *x, const struct dec *y, struct arena *a, struct dec *out);
bool dec_set_scale(const struct dec *v, int64_t scale, enum big_rounding rounding, struct arena *a,
                   struct dec *out);
/* At most so many digits. */
bool dec_round(const struct dec *v, uint64_t digits, enum big_rounding rounding, struct arena *a,
               struct dec *out);
bool dec_strip(const struct dec *v, int64_t least_scale, struct arena *a, struct dec *out);
/* To `digits` digits, half to even; log of what is not above zero is the caller's to refuse. */
bool dec_exp(const struct dec *v, uint64_t digits, struct arena *a, struct dec *out);
bool dec_log(const struct dec *v, uint64_t digits, struct arena *a, struct dec *out);
bool dec_log10(const struct dec *v, uint64_t digits, struct arena *a, struct dec *out);
