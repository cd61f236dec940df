/* write_int: what INSERT, UPDATE, DELETE, their conditions and batches share.
 *
 * A statement is prepared into a plan (immutable, in the statement's arena): which rows (`where`),
 * what is done to their columns (`ops`), under which condition. Run, a plan becomes rows of one
 * store_change: at once, or, when it reads before it writes, on the store's committer.
 */
#pragma once
#include "cql/cql_int.h"

enum {
    WRITE_KEY_MAX = 65535,         /* bytes of a partition's or a clustering's key */
    WRITE_ROWS_MAX = 65535,        /* rows one statement's INs may name */
    WRITE_TTL_MAX = 630720000,     /* 20 years of 365 days */
    WRITE_EXPIRY_MAX = 2147483646, /* 2038-01-19T03:14:06: Cassandra 5.0's as it is delivered */
    BATCH_WARN_BYTES = 5 << 10,
    BATCH_FAIL_BYTES = 50 << 10,
    BATCH_WARN_PARTITIONS = 10
};

/* --- values
 * ---------------------------------------------------------------------------------------- */

struct write_bind { /* what one statement is run with */
    const struct cql_bound *bound;
    const struct cql_value *json; /* INSERT JSON's values, by the table's columns */
    struct arena *arena;
    struct diag *d;
};
struct write_term { /* a term, or a column of INSERT JSON */
    const struct cql_term *term;
    uint32_t json; /* where term is NULL: which column */
};
MUST_CHECK err_t write_value(const struct write_bind *b, const struct write_term *t,
                             struct cql_value *out);

/* --- rows (write_where.c, write_slices.c)
 * ---------------------------------------------------------- */

struct write_tuple {                /* one value of a column, or one each of several columns */
    const struct write_term *parts; /* one a column; NULL: `whole` is a tuple */
    struct write_term whole;
};
struct write_side {                  /* of a slice, in the values' own order */
    const struct write_tuple *value; /* NULL: open */
    uint32_t count;                  /* columns it has */
    bool inclusive;
};
struct write_restriction {
    enum { RESTRICT_EQ, RESTRICT_IN, RESTRICT_SLICE } kind;
    bool tuple;                                /* written as (a, b) … */
    const struct store_column *const *columns; /* neighbours in the key */
    uint32_t count;
    const struct write_tuple *values; /* EQ: one, IN: several … */
    uint32_t value_count;
    const struct cql_term *in; /* … or one marker for all */
    struct write_side low, high;
};
struct write_where {
    const struct write_restriction *partition;  /* one a column */
    const struct write_restriction *clustering; /* in the key's order */
    uint32_t clustering_count;
    uint32_t clustering_columns; /* how many columns those are */
    bool partition_in, clustering_in, clustering_slice;
    const struct write_term
        *plain; /* the whole primary key by =, in its order; NULL: it is not so */
};
struct write_targets { /* which rows, as bound */
    const struct slice *const *partitions;
    uint32_t partition_count;
    const struct slice *const *rows; /* clusterings; none and no slices: the partition itself */
    uint32_t row_count;
    const struct store_slice *slices;
    uint32_t slice_count;
    bool nothing;                                    /* an empty IN: nothing is done */
    const struct slice *first_partition, *first_row; /* where there is only one of each */
};

/* --- operations (write_ops.c, write_lists.c)
 * -------------------------------------------------------- */

enum write_op_kind {
    OP_SET,         /* a simple column */
    OP_SET_ALL,     /* a multi-cell one as a whole */
    OP_ADD,         /* set, map, list: + value */
    OP_PREPEND,     /* list */
    OP_REMOVE,      /* set, map: - set */
    OP_LIST_REMOVE, /* reads */
    OP_LIST_SET,    /* reads */
    OP_LIST_DELETE, /* reads */
    OP_PUT,         /* m[k] = v */
    OP_DELETE_KEY,  /* of a map or set */
    OP_FIELD,
    OP_DELETE_FIELD,
    OP_DELETE,
    OP_COUNT,
    OP_COUNT_DOWN,
    OP_ADD_NUMBER, /* reads; conditional statements only */
    OP_ADD_TEXT    /* the same */
};
struct write_op {
    enum write_op_kind kind;
    const struct store_column *column;
    struct write_term value, element;
    const struct cql_term *sum; /* ADD_NUMBER: marker 0 + marker 1 */
    uint16_t field;
};
struct write_cells { /* what one row's operations became */
    struct arena *arena;
    struct store_cell_write *at;
    uint32_t count, cap;
};
struct write_row { /* the row operations are at work on */
    const struct store_table *table;
    const struct slice *key;
    uint32_t key_count;
    int64_t timestamp;
    const struct store_cell *current; /* what is there; for those that read */
    uint32_t current_count;
    struct store_change *change; /* counters go straight there */
    struct store *store;
    struct write_cells cells;
};
MUST_CHECK err_t write_cell_add(struct write_cells *c, struct store_cell_write w, struct diag *d);
MUST_CHECK err_t write_op_run(const struct write_op *op, const struct write_bind *b,
                              struct write_row *row);
MUST_CHECK err_t write_list_op(const struct write_op *op, const struct write_bind *b,
                               struct write_row *row);
MUST_CHECK err_t write_list_add(const struct write_op *op, const struct write_bind *b,
                                struct write_row *row, const struct cql_value *items,
                                uint32_t count);
const struct store_cell *write_cell_find(const struct store_cell *cells, uint32_t count,
                                         uint16_t column);
bool write_op_reads(const struct write_op *op);

/* --- conditions (conditions.c)
 * ---------------------------------------------------------------------- */

struct write_condition {
    const struct store_column *column;
    enum cql_operator op;
    const struct cql_term *element; /* c[element] */
    int32_t field;                  /* c.field; < 0: none */
    const struct type *type;        /* of what is compared */
    const struct cql_term *const *values;
    uint32_t value_count;
    const struct cql_term *in; /* IN ? */
};
struct write_condition_bound {
    const struct write_condition *condition;
    struct cql_value element;
    const struct cql_value *values; /* as they are compared: any of them */
    uint32_t value_count;
};
enum write_if { IF_NONE, IF_EXISTS, IF_NOT_EXISTS, IF_COLUMNS };

/* --- plans
 * ------------------------------------------------------------------------------------------- */

struct write_plan {
    enum cql_kind kind;
    const struct store_table *table;
    uint32_t partition_columns, clustering_columns;
    struct write_where where;
    const struct write_op *regulars, *statics;
    uint32_t regular_count, static_count;
    bool reads;        /* an operation does */
    bool updates_rows; /* not only the static part */
    const struct cql_term *timestamp, *ttl;
    enum write_if condition;
    const struct write_condition *conditions; /* those on regular columns first */
    uint32_t condition_count, regular_conditions;
    const struct cql_term *json;         /* JSON ? */
    const struct cql_value *json_values; /* JSON '…' */
    bool json_unset;
    bool is_virtual;
};
struct write_preparing {
    struct cql_preparing *p;
    const struct store_table *table;
    struct write_plan *plan;
};
/* One INSERT, UPDATE or DELETE, alone or in a batch. */
MUST_CHECK err_t write_plan_new(struct cql_preparing *p, const struct cql_statement_tree *t,
                                struct write_plan **out);
MUST_CHECK err_t write_where_prepare(struct write_preparing *w,
                                     const struct cql_relation *relations, uint32_t count,
                                     bool only_statics);
MUST_CHECK err_t write_where_insert(struct write_preparing *w, const struct write_term *key,
                                    bool only_statics);
MUST_CHECK err_t write_conditions_prepare(struct write_preparing *w, const struct cql_relation *r,
                                          uint32_t count);
MUST_CHECK err_t write_op_set(struct write_preparing *w, const struct store_column *column,
                              const struct cql_node *value, struct write_op *out);
MUST_CHECK err_t write_op_prepare(struct write_preparing *w, const struct cql_operation *o,
                                  struct write_op *out);
MUST_CHECK err_t write_json_prepare(struct write_preparing *w, const struct cql_write *tree);
/* A JSON text's values by the table's columns; missing ones as `unset` says. */
MUST_CHECK err_t write_json_values(const struct store_table *t, struct slice text, bool unset,
                                   struct arena *a, struct cql_value **out, struct diag *d);

const struct store_column *write_column(const struct store_table *t, struct slice name,
                                        struct diag *d);
struct cql_receiver write_receiver(const struct store_table *t, const struct store_column *c);
/* "idx(l)", "value(m)", "key(m)" and so on. */
struct cql_receiver write_receiver_part(struct write_preparing *w, const struct store_column *c,
                                        const char *part, const struct type *type);
MUST_CHECK err_t write_prepare_term(struct write_preparing *w, const struct cql_node *n,
                                    struct cql_receiver r, const struct cql_term **out);
/* The same for a column itself: its marker may be the partition key's. */
MUST_CHECK err_t write_prepare_column(struct write_preparing *w, const struct cql_node *n,
                                      const struct store_column *c, const struct cql_term **out);

/* --- running
 * ------------------------------------------------------------------------------------------ */

/* How big Cassandra would find a batch, for its warnings; rows named twice count once. */
struct write_tally {
    uint64_t *seen; /* hashes of partitions and rows; 0: free */
    size_t slots;   /* a power of two */
    uint64_t bytes;
    uint32_t partitions; /* keys, each once in its keyspace */
};
struct write_run { /* one statement's run */
    const struct write_plan *plan;
    struct write_bind bind;
    struct write_targets targets;
    int64_t timestamp, now_s;
    uint32_t ttl;
    bool ballot; /* of a compare and set: tombstones of slices and partitions are one microsecond
                    older */
    struct write_tally *tally; /* NULL: nobody asks */
};
/* Binds: timestamp, keys, TTL, in the order Cassandra finds what is wrong. `fallback`: the
 * timestamp where the statement gives none. */
MUST_CHECK err_t write_run_bind(struct write_run *r, int64_t fallback);
MUST_CHECK err_t write_targets_bind(const struct write_plan *p, const struct write_bind *b,
                                    struct write_targets *out);
/* Of the call's arena; the bound values live as long. */
MUST_CHECK err_t write_run_new(struct cql_call *c, const struct write_plan *p,
                               const struct cql_bound *bound, struct write_run **out);
/* All its rows into the change; `peek` for plans that read. */
MUST_CHECK err_t write_run_add(struct write_run *r, struct store *s, struct store_change *c,
                               struct store_peek *peek);
MUST_CHECK err_t write_check(struct cql_call *c, const struct write_plan *p); /* what never fits */
MUST_CHECK err_t write_check_consistency(struct cql_call *c, const struct write_plan *p);
MUST_CHECK err_t write_check_conditional(struct cql_call *c);
MUST_CHECK err_t write_permit(struct cql_call *c, const struct write_plan *p);
MUST_CHECK err_t write_timestamp(const struct cql_term *t, const struct write_bind *b,
                                 int64_t fallback, int64_t *out);
int64_t write_default_timestamp(struct cql_call *c); /* the protocol's, or the store's next one */
MUST_CHECK err_t write_check_indexed(const struct store_row_write *w,
                                     struct diag *d); /* of a table with indexes */
void write_tally_row(struct write_tally *t, const struct store_row_write *w,
                     uint32_t partition_columns);
void write_tally_slice(struct write_tally *t, const struct store_table *table,
                       const struct slice *partition, uint32_t partition_columns,
                       const struct store_slice *slice /* NULL: all of it */);
int write_compare_rows(const struct store_table *t, const struct slice *a, const struct slice *b,
                       uint32_t count);

/* --- compare and set (cas.c)
 * -------------------------------------------------------------------------- */

struct cas;
MUST_CHECK err_t cas_new(struct cql_call *c, const struct store_table *t, bool batch,
                         struct cas **out);
/* One statement after the other; the first one says the partition. */
MUST_CHECK err_t cas_add(struct cas *s, struct write_run *r);
void cas_commit(struct cas *s); /* ends the call */

MUST_CHECK err_t write_conditions_bind(const struct write_plan *p, const struct write_bind *b,
                                       struct write_condition_bound **out);
/* Does it hold of these cells (a row's, or the statics)? */
MUST_CHECK err_t write_condition_holds(const struct write_condition_bound *c,
                                       const struct store_cell *cells, uint32_t count,
                                       struct arena *a, bool *out, struct diag *d);
/* The binary form of a cell, be it many elements. */
MUST_CHECK err_t write_cell_value(const struct type *t, const struct store_cell *cell,
                                  struct arena *a, struct slice *out, struct diag *d);
