/* query_int: a bounded query's parts: where rows come from (query.c), groups (aggregate.c), and
 * where rows go (rows.c): distinct, order, offset, limit. */
#pragma once
#include "flow/flow_int.h"

struct kept_row { /* a row that waits for its place in the order */
    uint64_t sequence;
    struct value *values;
};
struct query {
    struct store *store;
    struct log *log;
    const struct plan_select *plan;
    struct query_limits limits;
    const struct query_result *into;
    uint32_t outputs_all; /* with the hidden ones */
    struct arena *batch;  /* of the rows at hand */
    uint32_t *selected, selected_count;
    size_t memory; /* held beyond a batch */
    bool done;     /* the limit is reached: no more input is needed */
    /* rows.c */
    struct arena *kept_arena;
    struct kept_row *kept;
    size_t kept_count, kept_cap;
    uint64_t sequence, skipped, emitted;
    struct map *seen;
    struct buf key;
    /* aggregate.c */
    struct map *groups;
    struct arena *group_arena;
};
enum { QUERY_ROWS = CHUNK_ROWS };

/* Charges what is kept beyond a batch to the query; ERR_NO_MEMORY past its limit. */
MUST_CHECK err_t query_charge(struct query *q, size_t bytes, struct diag *d);
MUST_CHECK err_t query_fault(struct query *q, const struct column_batch *b, uint32_t row,
                             struct diag *d);
/* The chosen rows' values, as bytes equal for equal rows. */
void query_row_key(struct buf *out, const struct column *columns, uint32_t count, uint32_t row);
MUST_CHECK err_t query_copy_value(struct arena *a, struct value *v);
/* Takes the `selected` rows of the outputs on towards the caller. */
MUST_CHECK err_t rows_take(struct query *q, const struct column *outputs, struct diag *d);
MUST_CHECK err_t rows_finish(struct query *q, struct diag *d);
void rows_done(struct query *q);
/* Evaluates all outputs over `b` and takes them. */
MUST_CHECK err_t query_outputs(struct query *q, struct column_batch *b,
                               const struct eval_context *x, struct diag *d);
MUST_CHECK err_t query_filter(struct query *q, const struct expr *condition, struct column_batch *b,
                              const struct eval_context *x, struct diag *d);
bool query_aggregates(const struct plan_select *p);
MUST_CHECK err_t groups_take(struct query *q, struct column_batch *b, const struct eval_context *x,
                             struct diag *d);
MUST_CHECK err_t groups_finish(struct query *q, const struct eval_context *x, struct diag *d);
void groups_done(struct query *q);
