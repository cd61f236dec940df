/* sql/cql/term_int: what the files of term.h share. Private to sql/cql. */
#pragma once
#include "base/calendar.h"
#include "sql/cql/term.h"

enum {
    TERM_BYTES_MAX = 256 << 20, /* one value made here */
    ROW_DECIMAL_DIGITS = 10000, /* MAX_PRECISION of the original; data/value keeps no more */
    SIGNATURE_ARGS_MAX = 64
};

static inline err_t term_no_room(struct diag *d)
{
    return diag_fail(d, ERR_NO_MEMORY, "the statement needs more memory than it may have");
}
/* A buffer's bytes moved into the arena; the buffer is given back. */
MUST_CHECK err_t term_keep(struct buf *made, struct arena *a, struct slice *out, struct diag *d);

__extension__ typedef __int128 int128_t;

/* --- types ------------------------------------------------------------------------------------ */
bool type_is_collection(const struct type *t);
const struct type *type_list_of(struct arena *a, enum type_kind kind, const struct type *item);
const struct type *type_frozen(struct arena *a, const struct type *t); /* NULL: no room */
const char *type_shown(struct arena *a, const struct type *t);         /* asCQL3Type() */
const char *type_shown_bare(struct arena *a, const struct type *t); /* a tuple without frozen<> */
/* As written; user types with the keyspace they were looked up in. */
void cql_type_put_written(struct buf *out, const struct cql_type *t, struct slice keyspace);

/* AssignmentTestable.TestResult */
enum fit { FIT_NOT, FIT_WEAK, FIT_EXACT };
enum fit type_fit(const struct type *from, const struct type *to);
bool type_value_compatible(const struct type *receiver, const struct type *from);
bool type_same(const struct type *a, const struct type *b); /* as equals(), but for being frozen */

/* --- binary forms ----------------------------------------------------------------------------- */
/* Checks as the type's validate() does, with its words. */
MUST_CHECK err_t binary_check(const struct type *t, struct slice b, struct diag *d);
/* Checks, and sorts what is inside sets and maps. */
MUST_CHECK err_t binary_take(const struct type *t, struct slice b, bool nulls, struct arena *a,
                             struct slice *out, struct diag *d);
/* An empty value of most types means nothing: functions take it for null. */
bool type_empty_is_null(const struct type *t);

struct item_walk { /* length-prefixed items; a null's `at` is NULL */
    struct cursor at;
    uint32_t left;
};
struct item_walk items_of_collection(const struct type *t, struct slice binary);
struct item_walk items_of_fields(const struct type *t, struct slice binary);
bool items_next(struct item_walk *w, struct slice *item);
static inline const struct type *item_type(const struct type *t, uint32_t i)
{
    if (t->kind == TYPE_MAP) return t->items[i & 1];
    return t->kind == TYPE_LIST || t->kind == TYPE_SET ? t->items[0] : t->items[i];
}
/* Sorts a set's items or a map's pairs and drops doubles (the last counts); the new count. */
uint32_t items_sort(const struct type *t, struct cql_value *items, uint32_t count, struct arena *a);
MUST_CHECK err_t items_pack(const struct type *t, const struct cql_value *items, uint32_t count,
                            struct arena *a, struct cql_value *out, struct diag *d);

static inline int64_t binary_i64(struct slice b) /* big-endian, signed, up to 8 bytes */
{
    int64_t v = b.len && b.at[0] >= 0x80 ? -1 : 0;
    for (uint32_t i = 0; i < b.len && i < 8; i++) v = (int64_t)((uint64_t)v << 8 | b.at[i]);
    return v;
}
double binary_f64(struct slice b);
float binary_f32(struct slice b);
MUST_CHECK err_t put_be_value(struct arena *a, uint64_t v, int bytes, struct cql_value *out,
                              struct diag *d);
static inline err_t set_value(struct cql_value *out, struct slice b)
{
    *out = (struct cql_value){b, CQL_SET};
    return ERR_OK;
}

/* --- text: as Java and the original's serializers have it ----------------------------------------
 */
/* fromString: "Unable to make int from 'x'". */
MUST_CHECK err_t binary_from_text(const struct type *t, struct slice text, struct arena *a,
                                  struct slice *out, struct diag *d);
void java_put_f64(struct buf *out, double v);
void java_put_f32(struct buf *out, float v);
/* A scalar as the original's toString has it, without quotes; an empty value prints nothing. */
void scalar_put(const struct type *t, struct slice b, struct buf *out);
void timestamp_put(struct buf *out, int64_t ms, char between); /* 'T' or ' ' */
struct cql_duration {
    int32_t months, days;
    int64_t ns;
};
bool duration_take(struct slice b, struct cql_duration *out);
void duration_make(struct cql_duration v, struct buf *out);
void duration_put(struct buf *out, struct cql_duration v);
MUST_CHECK err_t duration_from_text(struct slice text, struct cql_duration *out, struct diag *d);

/* --- terms ------------------------------------------------------------------------------------ */
enum term_kind {
    TERM_CONSTANT,
    TERM_MARKER,
    TERM_LIST,
    TERM_SET,
    TERM_MAP,
    TERM_TUPLE,
    TERM_RECORD,
    TERM_CALL
};
struct cql_term {
    enum term_kind kind;
    const struct type *type;
    uint32_t marker, count;
    bool has_marker; /* a marker is somewhere inside */
    bool impure;     /* a function that answers differently each time is */
    bool nulls;      /* MARKER of IN: its items may be null */
    bool counter;
    struct cql_value value;
    const struct cql_term **items;
    const struct native_call *call;
};

/* What node tests and function resolution look at: a term's, or a selection's nodes. */
struct resolve {
    struct cql_prepare *x;
    struct cql_scope *scope; /* NULL: terms */
    const char *thrown;      /* what a test has to say instead of an answer; "" is never it */
};
enum fit node_fit(struct resolve *r, const struct cql_node *n, const struct cql_receiver *to);
const struct type *node_exact_type(struct resolve *r, const struct cql_node *n);
const struct type *node_compatible_type(struct resolve *r, const struct cql_node *n);
void node_put(struct resolve *r, const struct cql_node *n,
              struct buf *out); /* as messages show it */
const char *node_shown(struct resolve *r, const struct cql_node *n);
const struct type *literal_type(const struct cql_node *n); /* the preferred one; NULL: no literal */
bool node_is_literal(const struct cql_node *n); /* Constants.Literal: not null, no marker */
const struct cql_scope_column *scope_column(const struct cql_scope *s, struct slice name);
struct cql_receiver receiver_of(const struct cql_receiver *of, const struct type *t,
                                struct arena *a, const char *form, struct slice name);
MUST_CHECK err_t literal_value(const struct cql_node *n, const struct cql_receiver *r,
                               struct arena *a, struct slice *out, struct diag *d);
MUST_CHECK err_t term_nested(const struct cql_node *n, const struct cql_receiver *r,
                             struct cql_prepare *x, struct cql_term *t);
MUST_CHECK err_t term_call(const struct cql_node *n, const struct cql_receiver *r,
                           struct cql_prepare *x, struct cql_term *t);
MUST_CHECK err_t term_hint_type(struct resolve *r, const struct cql_node *n,
                                const struct type **out);
/* The tests of literals against a receiver, with the words of what does not fit. */
MUST_CHECK err_t tuple_check(struct resolve *r, const struct cql_node *n,
                             const struct cql_receiver *to, struct diag *d);
MUST_CHECK err_t record_check(struct resolve *r, const struct cql_node *n,
                              const struct cql_receiver *to, struct diag *d);
struct cql_receiver spec_value(const struct cql_receiver *r, struct arena *a); /* "value(l)" */
struct cql_receiver spec_key(const struct cql_receiver *r, struct arena *a);
struct cql_receiver spec_component(const struct cql_receiver *r, uint32_t i, struct arena *a);
struct cql_receiver spec_field(const struct cql_receiver *r, uint32_t i, struct arena *a);
int64_t record_field_of(const struct type *t, struct slice name); /* -1: no such field */

/* --- functions -------------------------------------------------------------------------------- */
struct native; /* a row of functions.def */
struct signature {
    const struct native *row;
    const char *name; /* legacy ones differ from their row's */
    const struct type *result;
    const struct type **args;
    uint32_t count;
};
struct native_run {
    const struct signature *s;
    const struct cql_value *args;
    const struct cql_bound *bound;
    struct arena *a;
    struct cql_value *out; /* is null before */
    struct diag *d;
};
enum native_flags {
    NATIVE_PLAIN = 0,
    NATIVE_RAW = 1,     /* called for nulls too, and empty bytes are what they are */
    NATIVE_FRESH = 2,   /* answers differently each time */
    NATIVE_FACTORY = 4, /* its types follow from its arguments */
    NATIVE_AGGREGATE = 8,
    NATIVE_MONOTONIC = 16,
    NATIVE_OPERATION = 32 /* "_add" …: written as an operator */
};
struct native {
    const char *name, *legacy; /* legacy may be "" */
    const char *args, *result;
    err_t (*kernel)(struct native_run *r);
    uint32_t flags;
    const char *group, *about, *example, *expected;
};
struct native_call {
    struct signature s;
    const struct cql_term **args;
};
/* NULL in *out: there is no function of this name. ERR_INVALID: it does not fit. */
MUST_CHECK err_t native_resolve(struct resolve *r, struct cql_name name,
                                const struct cql_node *const *args, uint32_t count,
                                const struct cql_receiver *receiver /* or NULL */,
                                const struct signature **out, struct diag *d);
struct cql_receiver native_arg_spec(const struct signature *s, uint32_t i,
                                    const struct cql_receiver *of, struct arena *a);
struct cql_name native_name_of(const struct cql_node *n); /* CALL, ARITH, NEGATE; CAST's too */
char native_operator(const struct signature *s);          /* 0: it is none */
/* Runs it: nulls, then the kernel. `unset` arguments are refused. */
MUST_CHECK err_t native_execute(const struct signature *s, struct cql_value *args,
                                const struct cql_bound *b, struct arena *a, struct cql_value *out,
                                struct diag *d);
err_t native_fails(struct native_run *r, const char *detail, ...) PRINTF_LIKE(2, 3);
struct slice name_text(struct cql_name name, struct arena *a); /* "ks.f", "f" */

size_t native_count(void);
const struct native *native_at(size_t i);

/* --- aggregates ------------------------------------------------------------------------------- */
struct aggregate; /* the state of one */
struct aggregate *aggregate_new(const struct signature *s, struct arena *a);
void aggregate_reset(struct aggregate *g);
MUST_CHECK err_t aggregate_add(struct aggregate *g, const struct cql_value *args, struct diag *d);
MUST_CHECK err_t aggregate_value(struct aggregate *g, struct arena *a, struct cql_value *out,
                                 struct diag *d);

/* --- the kernels of functions.def ---------------------------------------------------------------
 */
err_t cf_now_uuid(struct native_run *r);
err_t cf_now_timestamp(struct native_run *r);
err_t cf_now_date(struct native_run *r);
err_t cf_now_time(struct native_run *r);
err_t cf_min_timeuuid(struct native_run *r);
err_t cf_max_timeuuid(struct native_run *r);
err_t cf_uuid_to_date(struct native_run *r);
err_t cf_timestamp_to_date(struct native_run *r);
err_t cf_uuid_to_timestamp(struct native_run *r);
err_t cf_date_to_timestamp(struct native_run *r);
err_t cf_uuid_to_unix(struct native_run *r);
err_t cf_timestamp_to_unix(struct native_run *r);
err_t cf_date_to_unix(struct native_run *r);
err_t cf_floor_timestamp(struct native_run *r);
err_t cf_floor_timeuuid(struct native_run *r);
err_t cf_floor_date(struct native_run *r);
err_t cf_floor_time(struct native_run *r);
err_t cf_uuid(struct native_run *r);
err_t cf_token(struct native_run *r);
err_t cf_cast_number(struct native_run *r);
err_t cf_cast_text(struct native_run *r);
err_t cf_same(struct native_run *r);
err_t cf_to_json(struct native_run *r);
err_t cf_from_json(struct native_run *r);
err_t cf_add(struct native_run *r);
err_t cf_subtract(struct native_run *r);
err_t cf_multiply(struct native_run *r);
err_t cf_divide(struct native_run *r);
err_t cf_modulo(struct native_run *r);
err_t cf_add_timestamp(struct native_run *r);
err_t cf_subtract_timestamp(struct native_run *r);
err_t cf_add_date(struct native_run *r);
err_t cf_subtract_date(struct native_run *r);
err_t cf_concat(struct native_run *r);
err_t cf_negate(struct native_run *r);
err_t cf_map_keys(struct native_run *r);
err_t cf_map_values(struct native_run *r);
err_t cf_collection_count(struct native_run *r);
err_t cf_collection_min(struct native_run *r);
err_t cf_collection_max(struct native_run *r);
err_t cf_collection_sum(struct native_run *r);
err_t cf_collection_avg(struct native_run *r);
err_t cf_to_blob(struct native_run *r);
err_t cf_from_blob(struct native_run *r);
err_t cf_abs(struct native_run *r);
err_t cf_exp(struct native_run *r);
err_t cf_log(struct native_run *r);
err_t cf_log10(struct native_run *r);
err_t cf_round(struct native_run *r);
err_t cf_mask_null(struct native_run *r);
err_t cf_mask_replace(struct native_run *r);
err_t cf_mask_default(struct native_run *r);
err_t cf_mask_hash(struct native_run *r);
err_t cf_mask_inner(struct native_run *r);
err_t cf_mask_outer(struct native_run *r);
