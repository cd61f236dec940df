/* restrict: what a SELECT's WHERE says, as Cassandra's StatementRestrictions has it: which
 * relations make up the partition key, which a slice of the clustering, which an index answers and
 * which filter.
 *
 * Prepared once (restrict_prepare), bound at each run (restrict_*). Messages and their order are
 * Cassandra's. Memory: prepared in the statement's arena, bound in the call's. Limit:
 * RESTRICT_PRODUCT_MAX keys or slices.
 */
#pragma once
#include "cql/cql_int.h"

enum { RESTRICT_PRODUCT_MAX = 100000 };

enum restrict_kind { RESTRICT_EQ, RESTRICT_IN, RESTRICT_SLICE, RESTRICT_CONTAINS };
enum { RESTRICT_START, RESTRICT_END };

struct restrict_value {
    const struct cql_term *whole;  /* one column's value, or a marker for a tuple … */
    const struct cql_term **items; /* … or a tuple's values, for its first columns */
    uint32_t item_count;
};
struct restrict_contains {
    enum { CONTAINS_VALUE, CONTAINS_KEY, CONTAINS_ENTRY } what;
    const struct cql_term *key, *value;
};
struct restriction {
    enum restrict_kind kind;
    bool multi; /* (a, b) … */
    const struct store_column *const *columns;
    uint32_t column_count;
    const struct type *tuple;      /* multi: of its columns */
    struct restrict_value *values; /* EQ one, IN some … */
    uint32_t value_count;
    const struct cql_term *list; /* … or IN ?: a list of `list_type` */
    const struct type *list_type;
    struct restrict_value bounds[2]; /* SLICE */
    bool has[2], inclusive[2];
    struct restrict_contains *contains;
    uint32_t contains_count;
};

struct restrict_set {      /* of the partition key, of the clustering, or of all others */
    uint32_t first, count; /* which of the table's columns */
    uint32_t size;         /* how many of them are restricted */
    bool has_in, has_slice, has_contains, only_equality;
    bool filtered; /* its restrictions are in the row filter */
};

/* An index that answers one restriction. */
struct restrict_index {
    const struct store_index *index;
    const struct restriction *restriction;
    const struct store_column *column;
    uint32_t place; /* of restriction's columns or contains */
};

struct restrictions {
    const struct store_table *table;
    const struct restriction **by; /* one a column of the table; NULL: free */
    struct restrict_set partition, clustering, others;
    const struct restriction *token; /* EQ or SLICE of token(…) */
    bool on_token, key_range, uses_index;
    bool has_regular; /* one of `others` is no static column */
    bool needs_filtering;
    bool keys_only; /* the whole primary key by = and IN: rows are named one by one */
    struct restrict_index *indexes;
    uint32_t index_count;
};

struct restrict_options {
    bool allow_filtering, implicit_filtering /* of Cassandra's virtual tables */;
    bool only_statics; /* selected */
};
MUST_CHECK err_t restrict_prepare(struct cql_preparing *p, const struct store_table *t,
                                  const struct cql_relation *where, uint32_t count,
                                  const struct restrict_options *o, struct restrictions **out);
/* "Cannot execute this query as it might involve data filtering …", unless it is allowed. */
MUST_CHECK err_t restrict_check_filtering(const struct restrictions *r,
                                          const struct restrict_options *o, struct diag *d);
bool restrict_key_in(const struct restrictions *r); /* IN on the partition key */
bool restrict_is_eq(const struct restrictions *r, uint32_t column);
/* The table's column, or "Undefined column name x in table k.t". */
MUST_CHECK err_t restrict_column(const struct store_table *t, struct slice name,
                                 const struct store_column **out, struct diag *d);
uint32_t restrict_key_columns(const struct store_table *t);        /* of the partition key */
uint32_t restrict_clustering_columns(const struct store_table *t); /* of the clustering */

/* Not answered by slices: CONTAINS, or a column before it is free. */
bool restrict_in_filter(const struct restriction *r, uint32_t position);
/* restrict_index.c: does an index answer (a part of) it? And what follows from all of them
 * together. */
bool restrict_supported(const struct store_table *t, const struct restriction *r);
MUST_CHECK err_t restrict_settle(struct restrictions *r, const struct restrict_options *o,
                                 struct arena *a, struct diag *d);

/* --- bound
 * ---------------------------------------------------------------------------------------- */
struct filter_item { /* one condition on a row */
    const struct store_column *column;
    uint32_t place;       /* among the table's columns */
    enum cql_operator op; /* EQ … GE, IN, CONTAINS, CONTAINS_KEY */
    bool entry;           /* m[key] = value */
    struct slice value, key;
    const struct cql_value *values; /* IN */
    uint32_t value_count;
    bool of_partition; /* a column of the partition key, or static */
};
struct restrict_keys {
    const struct slice *const *keys; /* in the order of their values, without doubles */
    uint32_t count;
};
struct restrict_slices {
    const struct store_slice *slices; /* in stored order, not touching */
    uint32_t count;
    bool none; /* nothing can match */
    bool all;  /* no restriction at all: count 0 */
};
/* Every partition that the statement names (not key_range). */
MUST_CHECK err_t restrict_bind_keys(const struct restrictions *r, const struct cql_bound *b,
                                    struct arena *a, struct restrict_keys *out, struct diag *d);
/* token(…) > …: *none: nothing can match. */
MUST_CHECK err_t restrict_bind_tokens(const struct restrictions *r, const struct cql_bound *b,
                                      struct arena *a, int64_t *first, int64_t *last, bool *none,
                                      struct diag *d);
MUST_CHECK err_t restrict_bind_slices(const struct restrictions *r, const struct cql_bound *b,
                                      struct arena *a, struct restrict_slices *out, struct diag *d);
MUST_CHECK err_t restrict_bind_filter(const struct restrictions *r, const struct cql_bound *b,
                                      struct arena *a, const struct filter_item **out,
                                      uint32_t *count, struct diag *d);

/* --- filter.c
 * --------------------------------------------------------------------------------------- */
/* Does the row (its partition alone: partition_only) satisfy them? */
MUST_CHECK err_t restrict_filter_match(const struct filter_item *items, uint32_t count,
                                       const struct store_row *row, bool partition_only,
                                       struct arena *a, bool *out, struct diag *d);
const struct store_cell *restrict_row_cell(const struct store_cell *cells, uint32_t count,
                                           uint16_t column);
