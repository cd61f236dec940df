/* sql/cql/term: values in CQL: what a term becomes for its receiver, what is bound, what functions
 * and selectors answer. Row at a time, in binary form (value.h), as Cassandra's own types, casts,
 * functions and messages have it.
 *
 * Loop: any thread; a prepared term is immutable. Memory: prepared ones in the statement's arena,
 * values in the call's. Never does I/O, reads no clock (now and randomness are given).
 */
#pragma once
#include "data/value.h"
#include "sql/cql/tree.h"

enum cql_state { CQL_NULL, CQL_SET, CQL_UNSET };
struct cql_value {
    struct slice bytes; /* SET: the binary form; may be empty */
    uint8_t state;
};

/* Who receives a value: a column, a function's argument, "[limit]" … (ColumnSpecification). */
struct cql_receiver {
    struct slice keyspace, table, name;
    const struct type *type;
};

/* What is known while a statement is prepared. */
struct cql_prepare {
    struct arena *arena;   /* the statement's */
    struct diag *d;        /* ERR_INVALID with Cassandra's words */
    struct slice keyspace; /* the session's or the statement's */
    struct slice statement_keyspace,
        statement_table;          /* of receivers that are functions' arguments */
    struct cql_receiver *markers; /* one a marker, filled as terms are prepared */
    uint32_t marker_count;
    /* User types by name; NULL: there is none ("Unknown type ks.name"). */
    const struct type *(*user_type)(void *ctx, struct slice keyspace, struct slice name);
    void *ctx;
    /* The partition key's types, for token(); none: there is no table to ask. */
    const struct type *const *partition_types;
    uint32_t partition_count;
    void *memo; /* term's own: what calls were found to mean */
};
struct cql_bound {                  /* what is given at run time */
    const struct cql_value *values; /* by marker */
    uint32_t count;
    int64_t now_us;                /* the statement's one clock: now(), currentTimestamp() … */
    uint64_t (*random)(void *ctx); /* for uuid(), and the clock sequence and node of now() */
    void *random_ctx;
};

/* Types as written become types; "Unknown type …", non-frozen nesting and so on as the original. */
MUST_CHECK err_t cql_type_resolve(const struct cql_type *written, struct cql_prepare *x,
                                  const struct type **out);
bool cql_type_is_multicell(const struct type *t); /* a collection or user type that is not frozen */
void cql_type_put(struct buf *out,
                  const struct type *t); /* "frozen<list<int>>", as system_schema has it */

struct cql_term; /* prepared, typed, immutable */
MUST_CHECK err_t cql_term_prepare(const struct cql_node *n, const struct cql_receiver *r,
                                  struct cql_prepare *x, const struct cql_term **out);
/* `IN ?`: one marker that is a list of the receiver's type. */
MUST_CHECK err_t cql_term_prepare_in(const struct cql_node *n, const struct cql_receiver *r,
                                     struct cql_prepare *x, const struct cql_term **out);
/* Of a bound value everything is checked: "Expected 4 or 0 byte int (3)". */
MUST_CHECK err_t cql_term_value(const struct cql_term *t, const struct cql_bound *b,
                                struct arena *a, struct cql_value *out, struct diag *d);
bool cql_term_is_constant(const struct cql_term *t); /* no marker, no function that is not pure */
bool cql_term_marker(const struct cql_term *t, uint32_t *index); /* it is just this marker */
/* Items of a collection's, tuple's or `IN` list's binary value. */
MUST_CHECK err_t cql_items(const struct type *t, struct slice binary, struct arena *a,
                           struct cql_value **out, uint32_t *count, struct diag *d);
/* The binary form of values of a type compared as the type orders them. */
int cql_compare(const struct type *t, struct slice a, struct slice b);

/* --- selectors: over one row --------------------------------------------------------------------
 */
struct cql_scope_column { /* a column that may be named */
    struct slice name;
    const struct type *type;
    uint32_t index; /* which value of the row */
    bool is_key;    /* no writetime, no ttl */
};
struct cql_cell_times {        /* of a column, for writetime() and ttl(): one, or one an element */
    const int64_t *timestamps; /* INT64_MIN: there is none */
    const int32_t *ttls;       /* seconds left; < 0: none */
    uint32_t count;
    bool multicell;
};
struct cql_row { /* what selectors look at: by a scope column's index */
    const struct cql_value *values;
    const struct cql_cell_times *times; /* NULL when no selector needs them */
};
struct cql_scope {
    struct slice keyspace, table;
    const struct cql_scope_column *columns;
    uint32_t count;
    struct cql_prepare *prepare;
    bool *used;       /* one a column: a selector reads it */
    bool needs_times; /* a writetime or ttl was met */
    bool late;        /* the fault is one of types: Cassandra tells those of WHERE before it */
};
struct cql_selector; /* prepared */
/* `wanted` may be NULL. name: what the result's column is called ("system.count(…)" as Cassandra
 * has it). */
MUST_CHECK err_t cql_selector_prepare(const struct cql_node *n, struct cql_scope *s,
                                      const struct type *wanted, const struct cql_selector **out,
                                      struct slice *name);
const struct type *cql_selector_type(const struct cql_selector *s);
bool cql_selector_aggregates(const struct cql_selector *s);
bool cql_selector_column(const struct cql_selector *s,
                         uint32_t *index); /* it is just this column */
/* Without aggregates: the row's value. */
MUST_CHECK err_t cql_selector_value(const struct cql_selector *s, const struct cql_row *row,
                                    const struct cql_bound *b, struct arena *a,
                                    struct cql_value *out, struct diag *d);
/* With aggregates (or beside them: the group's first row counts): a state a group. */
struct cql_group;
struct cql_group *cql_group_new(const struct cql_selector *const *selectors, uint32_t count,
                                struct arena *a);
MUST_CHECK err_t cql_group_add(struct cql_group *g, const struct cql_row *row,
                               const struct cql_bound *b, struct diag *d);
MUST_CHECK err_t cql_group_values(struct cql_group *g, const struct cql_bound *b, struct arena *a,
                                  struct cql_value *out /* count of them */, struct diag *d);
void cql_group_reset(struct cql_group *g);

/* --- JSON, text ---------------------------------------------------------------------------------
 */
/* As Cassandra's toJson and fromJson; a row's SELECT JSON and INSERT JSON are made of these. */
void cql_to_json(const struct type *t, const struct cql_value *v, struct buf *out);
MUST_CHECK err_t cql_from_json(const struct type *t, struct slice json, struct arena *a,
                               struct cql_value *out, struct diag *d);
/* INSERT JSON: a row's object taken apart. Names are folded ("Name" in quotes keeps its case), of
 * two of one name the last counts; a value is its own JSON text, for cql_from_json (null becomes
 * CQL_NULL). */
struct cql_json_field {
    struct slice name, json;
};
MUST_CHECK err_t cql_json_fields(struct slice json, struct arena *a, struct cql_json_field **out,
                                 uint32_t *count, struct diag *d);
/* A literal: what DESCRIBE, COPY and messages show: 'text', 0xcafe, {1, 2}. */
void cql_to_literal(const struct type *t, const struct cql_value *v, struct buf *out);
void cql_functions_help(struct buf *out, bool markdown); /* for docs/cql.md */
