/* sql/cql/selector_int: a prepared selector. Private to sql/cql. */
#pragma once
#include "sql/cql/term_int.h"

enum selector_kind {
    SELECT_COLUMN,
    SELECT_TERM,
    SELECT_CALL,
    SELECT_FIELD,
    SELECT_ELEMENT,
    SELECT_SLICE,
    SELECT_TIMES,
    SELECT_NESTED, /* a list, set, map or tuple made of selectors */
    SELECT_FORWARD /* the first of items under another name and type */
};
struct cql_selector {
    enum selector_kind kind;
    enum cql_node_kind times; /* TIMES: NODE_WRITETIME … */
    const struct type *type;
    struct slice name;      /* as the result's column is called */
    bool aggregates;        /* an aggregate is somewhere inside */
    uint32_t column, field; /* COLUMN, FIELD */
    uint32_t slot,
        slot_count; /* a group's places: of each aggregate, and of what has none inside */
    const struct cql_term *term, *to; /* TERM; ELEMENT's key; SLICE's bounds, NULL: none */
    const struct signature *call;
    const struct cql_selector *
        *items; /* CALL's arguments, NESTED's parts; else items[0] is of what */
    uint32_t count;
};

struct selecting {             /* evaluating one */
    const struct cql_row *row; /* NULL: there was none */
    const struct cql_bound *bound;
    struct arena *a;
    struct diag *d;
    const struct group_slot *slots; /* NULL: no groups */
};
struct group_slot {
    struct aggregate *aggregate; /* or the first row's value: */
    struct cql_value first;
    uint8_t *memory;
    uint32_t cap;
};
MUST_CHECK err_t selector_eval(const struct cql_selector *s, const struct selecting *x,
                               struct cql_value *out);
static inline bool selector_is_aggregate(const struct cql_selector *s)
{
    return s->kind == SELECT_CALL && s->call->row->flags & NATIVE_AGGREGATE;
}
