/* Terms prepared: what a node becomes for its receiver. */
#include "sql/cql/term_int.h"

static err_t prepare(const struct cql_node *n, const struct cql_receiver *r, struct cql_prepare *x,
                     struct cql_term *t);

static struct cql_term *term_new(struct cql_prepare *x)
{
    return arena_take(x->arena, sizeof(struct cql_term));
}

/* --- markers
 * --------------------------------------------------------------------------------------
 */

static err_t prepare_marker(const struct cql_node *n, const struct cql_receiver *r,
                            struct cql_prepare *x, struct cql_term *t)
{
    if (n->marker >= x->marker_count)
        return diag_fail(x->d, ERR_INVALID, "there is no place for the bind marker %u",
                         n->marker + 1);
    t->kind = TERM_MARKER;
    t->marker = n->marker;
    t->has_marker = true;
    if (x->markers) x->markers[n->marker] = *r;
    if (x->markers && n->value.at) x->markers[n->marker].name = n->value; /* :name */
    return ERR_OK;
}

err_t cql_term_prepare_in(const struct cql_node *n, const struct cql_receiver *r,
                          struct cql_prepare *x, const struct cql_term **out)
{
    struct cql_term *t = term_new(x);
    const struct type *list = type_list_of(x->arena, TYPE_LIST, r->type);
    if (!t || !list) return term_no_room(x->d);
    struct cql_receiver in = receiver_of(r, list, x->arena, "in(%.*s)", r->name);
    t->type = list;
    t->nulls = true;
    *out = t;
    if (n->kind != NODE_MARKER)
        return diag_fail(x->d, ERR_INVALID, "Invalid IN value for %.*s", SLICE_ARG(r->name));
    return prepare_marker(n, &in, x, t);
}

/* --- literals and hints
 * -----------------------------------------------------------------------------
 */

static err_t prepare_null(const struct cql_receiver *r, struct cql_prepare *x, struct cql_term *t)
{
    if (r->type->kind == TYPE_COUNTER)
        return diag_fail(x->d, ERR_INVALID, "Invalid null value for counter increment/decrement");
    t->kind = TERM_CONSTANT;
    t->value.state = CQL_NULL;
    return ERR_OK;
}

/* 'now' is this moment, told when the statement runs. */
static err_t prepare_now(struct cql_prepare *x, struct cql_term *t)
{
    struct resolve res = {.x = x};
    const struct signature *s;
    struct native_call *call = arena_take(x->arena, sizeof(*call));
    if (!call) return term_no_room(x->d);
    struct cql_name name = {{0}, SLICE("current_timestamp")};
    err_t e = native_resolve(&res, name, NULL, 0, NULL, &s, x->d);
    if (e) return e;
    call->s = *s;
    t->kind = TERM_CALL;
    t->call = call;
    t->impure = true;
    return ERR_OK;
}

static err_t prepare_literal(const struct cql_node *n, const struct cql_receiver *r,
                             struct cql_prepare *x, struct cql_term *t)
{
    if (n->kind == NODE_STRING && r->type->kind == TYPE_TIMESTAMP &&
        slice_equal_nocase(n->value, SLICE("now")))
        return prepare_now(x, t);
    t->kind = TERM_CONSTANT;
    t->value.state = CQL_SET;
    return literal_value(n, r, x->arena, &t->value.bytes, x->d);
}

static err_t prepare_hint(const struct cql_node *n, const struct cql_receiver *r,
                          struct cql_prepare *x, struct cql_term *t)
{
    struct resolve res = {.x = x};
    const struct type *type;
    err_t e = term_hint_type(&res, n, &type);
    if (e) return e;
    struct cql_receiver cast = *r;
    cast.type = type;
    cast.name = slice_of(node_shown(&res, n));
    enum fit fit = node_fit(&res, n->args[0], &cast);
    if (res.thrown) return diag_fail(x->d, ERR_INVALID, "%s", res.thrown);
    if (fit == FIT_NOT) {
        struct buf shown = buf_make(KIB(4));
        cql_type_put_written(&shown, n->type, x->keyspace);
        e = diag_fail(x->d, ERR_INVALID, "Cannot cast value %s to type %.*s",
                      node_shown(&res, n->args[0]), SLICE_ARG(buf_view(&shown)));
        buf_done(&shown);
        return e;
    }
    if (node_fit(&res, n, r) == FIT_NOT)
        return diag_fail(x->d, ERR_INVALID, "Cannot assign value %s to %.*s of type %s",
                         node_shown(&res, n), SLICE_ARG(r->name), type_shown(x->arena, r->type));
    return prepare(n->args[0], r, x, t);
}

/* --- calls
 * ----------------------------------------------------------------------------------------
 */

static err_t result_refused(const struct signature *s, const struct cql_receiver *r,
                            struct cql_prepare *x)
{
    char op = native_operator(s);
    const char *result = type_shown(x->arena, s->result), *type = type_shown(x->arena, r->type);
    if (op)
        return diag_fail(x->d, ERR_INVALID,
                         "Type error: cannot assign result of operation %c (type %s) to %.*s (type "
                         "%s)",
                         op, result, SLICE_ARG(r->name), type);
    return diag_fail(x->d, ERR_INVALID,
                     "Type error: cannot assign result of function system.%s (type %s) to %.*s "
                     "(type %s)",
                     s->name, result, SLICE_ARG(r->name), type);
}

static err_t prepare_args(const struct cql_node *n, const struct cql_receiver *r,
                          struct cql_prepare *x, struct cql_term *t, struct native_call *call)
{
    call->args = arena_take(x->arena, (n->count + 1) * sizeof(const struct cql_term *));
    if (!call->args) return term_no_room(x->d);
    for (uint32_t i = 0; i < n->count; i++) {
        struct cql_receiver spec = native_arg_spec(&call->s, i, r, x->arena);
        err_t e = cql_term_prepare(n->args[i], &spec, x, &call->args[i]);
        if (e) return e;
        t->has_marker |= call->args[i]->has_marker;
        t->impure |= call->args[i]->impure;
    }
    return ERR_OK;
}

err_t term_call(const struct cql_node *n, const struct cql_receiver *r, struct cql_prepare *x,
                struct cql_term *t)
{
    struct resolve res = {.x = x};
    struct cql_name name = native_name_of(n);
    const struct signature *s = NULL;
    struct native_call *call = arena_take(x->arena, sizeof(*call));
    if (!call) return term_no_room(x->d);
    err_t e = native_resolve(&res, name, n->args, n->count, r, &s, x->d);
    if (e) return e;
    if (!s)
        return diag_fail(x->d, ERR_INVALID, "Unknown function %.*s called",
                         SLICE_ARG(name_text(name, x->arena)));
    if (s->row->flags & NATIVE_AGGREGATE)
        return diag_fail(x->d, ERR_INVALID,
                         "Aggregation function are not supported in the where clause");
    bool frozen = cql_type_is_multicell(r->type) && s->result->frozen;
    if (frozen || type_fit(s->result, r->type) == FIT_NOT) return result_refused(s, r, x);
    t->kind = TERM_CALL;
    t->call = call;
    t->impure = s->row->flags & NATIVE_FRESH;
    call->s = *s;
    return prepare_args(n, r, x, t, call);
}

/* What does not change is worked out once; what fails then fails again when it runs, in words. */
static void fold(struct cql_term *t, struct arena *a)
{
    struct cql_value v;
    const struct cql_bound none = {0};
    if (t->kind != TERM_CALL || t->has_marker || t->impure) return;
    if (cql_term_value(t, &none, a, &v, NULL) != ERR_OK || v.state == CQL_UNSET) return;
    t->kind = TERM_CONSTANT;
    t->value = v;
}

/* --- all
 * ------------------------------------------------------------------------------------------
 */

static err_t prepare(const struct cql_node *n, const struct cql_receiver *r, struct cql_prepare *x,
                     struct cql_term *t)
{
    if (node_is_literal(n)) return prepare_literal(n, r, x, t);
    switch (n->kind) {
    case NODE_NULL: return prepare_null(r, x, t);
    case NODE_MARKER: return prepare_marker(n, r, x, t);
    case NODE_HINT: return prepare_hint(n, r, x, t);
    case NODE_LIST:
    case NODE_SET:
    case NODE_MAP:
    case NODE_RECORD: return term_nested(n, r, x, t);
    case NODE_TUPLE:
        if (n->count == 1 && r->type->kind != TYPE_TUPLE && r->type->kind != TYPE_STRUCT)
            return prepare(n->args[0], r, x, t);
        return term_nested(n, r, x, t);
    case NODE_CALL:
    case NODE_NEGATE:
    case NODE_ARITH:
    case NODE_CAST: {
        err_t e = term_call(n, r, x, t);
        if (!e) fold(t, x->arena);
        return e;
    }
    default: {
        struct resolve res = {.x = x};
        return diag_fail(x->d, ERR_INVALID, "%s is no value", node_shown(&res, n));
    }
    }
}

err_t cql_term_prepare(const struct cql_node *n, const struct cql_receiver *r,
                       struct cql_prepare *x, const struct cql_term **out)
{
    struct cql_term *t = term_new(x);
    if (!t) return term_no_room(x->d);
    t->type = r->type;
    *out = t;
    return prepare(n, r, x, t);
}

bool cql_term_is_constant(const struct cql_term *t)
{
    return t->kind == TERM_CONSTANT;
}

bool cql_term_marker(const struct cql_term *t, uint32_t *index)
{
    if (t->kind == TERM_MARKER) *index = t->marker;
    return t->kind == TERM_MARKER;
}
