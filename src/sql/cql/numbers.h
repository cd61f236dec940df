/* sql/cql/numbers: a number of any of CQL's types, and java.lang.Number's conversions. Private. */
#pragma once
#include "sql/cql/big.h"
#include "sql/cql/term_int.h"

struct num {
    enum type_kind kind;
    int64_t i;      /* the whole types but varint */
    double d;       /* float and double */
    struct big big; /* varint */
    struct dec dec; /* decimal */
};
bool num_of(const struct type *t, struct slice b, struct arena *a, struct num *out);
/* byteValue … longValue: the low bits; of floating ones what is nearest. */
int64_t num_whole(const struct num *n, int bits, struct arena *a);
double num_f64(const struct num *n, struct arena *a);
float num_f32(const struct num *n, struct arena *a);
/* *why is set when there is no such decimal: NaN and infinities have none. */
bool num_dec(const struct num *n, struct arena *a, struct dec *out, const char **why);
bool num_big(const struct num *n, struct arena *a, struct big *out);
bool dec_of_f64(double v, struct arena *a, struct dec *out); /* BigDecimal.valueOf */
int type_bits(enum type_kind k);                             /* of whole types */
bool kind_is_whole(enum type_kind k);                        /* tinyint … bigint, counter */
int64_t f64_to_whole(double v, int bits);                    /* (byte) v … (long) v */
int64_t wrapped(int64_t v, int bits);

MUST_CHECK err_t answer_whole(struct native_run *r, int64_t v);
MUST_CHECK err_t answer_f64(struct native_run *r, double v); /* as float where the result is one */
MUST_CHECK err_t answer_big(struct native_run *r, const struct big *v);
MUST_CHECK err_t answer_dec(struct native_run *r, const struct dec *v);
MUST_CHECK err_t too_large(struct native_run *r);
