/* Terms when a statement runs: bound values checked, literals' parts and functions evaluated. */
#include "sql/cql/term_int.h"

static err_t marker_value(const struct cql_term *t, const struct cql_bound *b, struct arena *a,
                          struct cql_value *out, struct diag *d)
{
    if (t->marker >= b->count) return diag_fail(d, ERR_INVALID, "Invalid amount of bind variables");
    *out = b->values[t->marker];
    if (out->state != CQL_SET) return ERR_OK;
    struct slice bytes = out->bytes;
    switch (t->type->kind) { /* the usual ones without a further call */
    case TYPE_INT:
        if (bytes.len == 4) return ERR_OK;
        break;
    case TYPE_BIGINT:
    case TYPE_TIMESTAMP:
    case TYPE_DOUBLE:
        if (bytes.len == 8) return ERR_OK;
        break;
    case TYPE_UUID:
        if (bytes.len == 16) return ERR_OK;
        break;
    case TYPE_BLOB: return ERR_OK;
    default: break;
    }
    if (!type_is_nested(t->type)) return binary_check(t->type, bytes, d);
    return binary_take(t->type, bytes, t->nulls, a, &out->bytes, d);
}

static err_t items_value(const struct cql_term *t, const struct cql_bound *b, struct arena *a,
                         struct cql_value *items, struct diag *d)
{
    for (uint32_t i = 0; i < t->count; i++) {
        err_t e = cql_term_value(t->items[i], b, a, &items[i], d);
        if (e) return e;
    }
    return ERR_OK;
}

static err_t collection_value(const struct cql_term *t, struct cql_value *items, struct arena *a,
                              struct cql_value *out, struct diag *d)
{
    for (uint32_t i = 0; i < t->count; i++) {
        if (items[i].state == CQL_NULL)
            return diag_fail(d, ERR_INVALID, "null is not supported inside collections");
        if (items[i].state != CQL_UNSET) continue;
        if (t->kind == TERM_MAP && i % 2 == 0)
            return diag_fail(d, ERR_INVALID, "unset value is not supported for map keys");
        out->state = CQL_UNSET;
        return ERR_OK;
    }
    uint32_t count = items_sort(t->type, items, t->count, a);
    if (count == UINT32_MAX) return term_no_room(d);
    return items_pack(t->type, items, count, a, out, d);
}

static err_t fields_value(const struct cql_term *t, struct cql_value *items, struct arena *a,
                          struct cql_value *out, struct diag *d)
{
    bool record = t->kind == TERM_RECORD;
    for (uint32_t i = 0; i < t->count; i++) {
        if (items[i].state != CQL_UNSET) continue;
        if (!record)
            return diag_fail(d, ERR_INVALID, "Invalid unset value for tuple field number %u", i);
        if (!cql_type_is_multicell(t->type))
            return diag_fail(d, ERR_INVALID,
                             "Invalid unset value for field '%.*s' of user defined type %.*s",
                             SLICE_ARG(t->type->names[i]), SLICE_ARG(t->type->name));
        items[i].state = CQL_NULL;
    }
    return items_pack(t->type, items, t->count, a, out, d);
}

static err_t call_value(const struct cql_term *t, const struct cql_bound *b, struct arena *a,
                        struct cql_value *out, struct diag *d)
{
    const struct native_call *call = t->call;
    struct cql_value few[4], *args = few;
    if (call->s.count > COUNT_OF(few)) args = arena_take(a, call->s.count * sizeof(*args));
    if (!args) return term_no_room(d);
    for (uint32_t i = 0; i < call->s.count; i++) {
        err_t e = cql_term_value(call->args[i], b, a, &args[i], d);
        if (e) return e;
    }
    return native_execute(&call->s, args, b, a, out, d);
}

err_t cql_term_value(const struct cql_term *t, const struct cql_bound *b, struct arena *a,
                     struct cql_value *out, struct diag *d)
{
    *out = t->value;
    if (t->kind == TERM_CONSTANT) return ERR_OK;
    if (t->kind == TERM_MARKER) return marker_value(t, b, a, out, d);
    *out = (struct cql_value){.state = CQL_NULL};
    if (t->kind == TERM_CALL) return call_value(t, b, a, out, d);
    struct cql_value *items = arena_take(a, (t->count + 1) * sizeof(*items));
    if (!items) return term_no_room(d);
    err_t e = items_value(t, b, a, items, d);
    if (e) return e;
    return t->kind == TERM_TUPLE || t->kind == TERM_RECORD ? fields_value(t, items, a, out, d)
                                                           : collection_value(t, items, a, out, d);
}
