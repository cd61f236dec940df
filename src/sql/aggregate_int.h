/* sql/aggregate_int: what the aggregates' kernels share, and what they keep. Private to them. */
#pragma once
#include "sql/aggregate.h"

/* --- what a group's memory holds: 8-aligned, all zero at first, host byte order -----------------
 */
struct agg_sum {
    int64_t count;
    union {
        struct {
            uint64_t low;
            int64_t high;
        } whole; /* 128 bits: no sum of bigints leaves them */
        struct {
            double sum, rest;
        } real; /* the sum is both together */
    };
    uint32_t nan, plus, minus; /* how many of these: their sum is told, not kept */
    uint32_t full;
};
struct agg_cell { /* one value: a fixed kind here, others in the agg_more */
    uint8_t has, full;
    uint8_t zero[6]; /* else the compiler's padding: what is kept has no byte without a name */
    uint8_t at[16] __attribute__((aligned(8)));
};
static_assert(sizeof(struct agg_cell) == 24, "no byte without a name");
struct agg_first {
    struct agg_cell cell;
    int64_t order;
};
struct agg_bools {
    int64_t trues, falses;
};
struct agg_bits {
    int64_t count;
    uint64_t bits;
};
struct agg_moments {
    int64_t count, bad; /* bad: NaN and infinities */
    double mean, square;
};
struct agg_comoments {
    int64_t count, bad;
    double mean_x, mean_y, square_x, square_y, product;
};
struct agg_list {
    uint32_t full, count;
};
struct agg_bag {
    uint64_t full;
    double part; /* percentiles: which */
};

static inline void *agg_fixed(const struct agg_rows *r, uint32_t i)
{
    return r->groups[i] + r->fixed_at;
}
static inline struct agg_more *agg_more_of(const struct agg_rows *r, uint32_t i)
{
    return (struct agg_more *)(void *)(r->groups[i] + r->more_at);
}
static inline int64_t agg_sign(const struct agg_rows *r, uint32_t row)
{
    return r->signs ? r->signs[row] : 1;
}
static inline bool agg_valid(const struct agg_rows *r, uint32_t argument, uint32_t row)
{
    return r->args[argument].state[row] == VALID_VALUE;
}
static inline const struct type *agg_type(const struct plan_aggregate *a, uint32_t argument)
{
    return expr_type(a->args[argument]);
}
/* ERR_TOO_BIG becomes the note that `tell` answers with. */
static inline err_t agg_full(err_t e, uint32_t *full)
{
    if (e != ERR_TOO_BIG) return e;
    *full = 1;
    return ERR_OK;
}
err_t agg_no_memory(struct diag *d);
err_t agg_tell_full(const struct plan_aggregate *a, struct diag *d); /* ERR_TOO_BIG */
void agg_put_i64(struct column *out, uint32_t row, int64_t v);
void agg_put_f64(struct column *out, uint32_t row, double v);
/* A value's binary form into a column, copied. */
MUST_CHECK err_t agg_put_binary(struct column *out, uint32_t row, struct slice binary,
                                struct arena *a, struct diag *d);
MUST_CHECK err_t agg_put_value(struct column *out, uint32_t row, const struct value *v,
                               struct arena *a, struct diag *d);
/* Text made in `made` into a column; gives the buffer back. */
MUST_CHECK err_t agg_put_text(struct column *out, uint32_t row, struct buf *made, struct arena *a,
                              struct diag *d);

/* --- bag: how often each value stands in it (aggregate_bag.c) -----------------------------------
 */
MUST_CHECK err_t bag_change(struct agg_more *m, struct slice value, int64_t by);
/* for (uint32_t at = 0; bag_next(m, &at, &value, &n);): in the order of their first coming; n > 0
 */
bool bag_next(const struct agg_more *m, uint32_t *at, struct slice *value, int64_t *n);
MUST_CHECK err_t bag_merge(struct agg_more *m, const struct agg_more *from);
uint32_t bag_count(const struct agg_more *m); /* entries that bag_next may give, at most */

#define AGGREGATE_KERNEL(kernel)                                                                   \
    err_t agg_##kernel##_add(const struct plan_aggregate *a, const struct agg_rows *r,             \
                             struct diag *d);                                                      \
    err_t agg_##kernel##_merge(const struct plan_aggregate *a, uint8_t *fixed,                     \
                               struct agg_more *more, const uint8_t *from_fixed,                   \
                               const struct agg_more *from_more, struct diag *d);
#define AGGREGATE(name, kernel, args, result, size, flags, about, example, rows, expected)         \
    AGGREGATE_KERNEL(kernel)                                                                       \
    err_t agg_##name##_tell(const struct plan_aggregate *a, const uint8_t *fixed,                  \
                            const struct agg_more *more, struct column *out, uint32_t row,         \
                            struct arena *arena, struct diag *d);
#define AGGREGATE_ALIAS(name, of)
#include "sql/aggregates.def"
#undef AGGREGATE
#undef AGGREGATE_ALIAS
#define AGG_MERGE_ARGS                                                                             \
    const struct plan_aggregate *a, uint8_t *fixed, struct agg_more *more,                         \
        const uint8_t *from_fixed, const struct agg_more *from_more, struct diag *d
#define AGG_TELL_ARGS                                                                              \
    const struct plan_aggregate *a, const uint8_t *fixed, const struct agg_more *more,             \
        struct column *out, uint32_t row, struct arena *arena, struct diag *d
