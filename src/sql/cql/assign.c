/* Which terms and selectors fit which receiver, and what type they have of themselves:
 * AssignmentTestable of the original. The rules of terms and of selections differ in places; where
 * they do, `scope` tells which. */
#include "sql/cql/term_int.h"

/* --- receivers
 * ------------------------------------------------------------------------------------
 */

struct cql_receiver receiver_of(const struct cql_receiver *of, const struct type *t,
                                struct arena *a, const char *form, struct slice name)
{
    const char *text = arena_printf(a, form, SLICE_ARG(name));
    return (struct cql_receiver){of->keyspace, of->table, slice_of(text ? text : ""), t};
}

struct cql_receiver spec_value(const struct cql_receiver *r, struct arena *a)
{
    const struct type *t = r->type->kind == TYPE_MAP ? r->type->items[1] : r->type->items[0];
    return receiver_of(r, t, a, "value(%.*s)", r->name);
}

struct cql_receiver spec_key(const struct cql_receiver *r, struct arena *a)
{
    return receiver_of(r, r->type->items[0], a, "key(%.*s)", r->name);
}

struct cql_receiver spec_component(const struct cql_receiver *r, uint32_t i, struct arena *a)
{
    const char *text = arena_printf(a, "%.*s[%u]", SLICE_ARG(r->name), i);
    return (struct cql_receiver){r->keyspace, r->table, slice_of(text ? text : ""),
                                 r->type->items[i]};
}

struct cql_receiver spec_field(const struct cql_receiver *r, uint32_t i, struct arena *a)
{
    const char *text =
        arena_printf(a, "%.*s.%.*s", SLICE_ARG(r->name), SLICE_ARG(r->type->names[i]));
    return (struct cql_receiver){r->keyspace, r->table, slice_of(text ? text : ""),
                                 r->type->items[i]};
}

int64_t record_field_of(const struct type *t, struct slice name)
{
    for (uint32_t i = 0; t->kind == TYPE_STRUCT && i < t->count; i++)
        if (slice_equal(t->names[i], name)) return i;
    return -1;
}

const struct cql_scope_column *scope_column(const struct cql_scope *s, struct slice name)
{
    for (uint32_t i = 0; i < s->count; i++)
        if (slice_equal(s->columns[i].name, name)) return &s->columns[i];
    return NULL;
}

/* --- literals
 * -------------------------------------------------------------------------------------
 */

bool node_is_literal(const struct cql_node *n)
{
    return n->kind >= NODE_STRING && n->kind <= NODE_DURATION;
}

static const struct type *integer_type(struct slice text)
{
    int64_t v;
    if (!slice_to_i64(text, &v)) return type_of(TYPE_VARINT);
    return type_of(v >= INT32_MIN && v <= INT32_MAX ? TYPE_INT : TYPE_BIGINT);
}

/* A double where its own text is the same number; else a decimal. */
static const struct type *float_type(struct slice text)
{
    uint8_t memory[128];
    struct buf shown = buf_over(memory, sizeof(memory));
    double v;
    if (slice_is(text, "NaN") || slice_is(text, "-NaN") || slice_is(text, "Infinity") ||
        slice_is(text, "-Infinity"))
        return type_of(TYPE_DOUBLE);
    struct arena *a = arena_new(MIB(1));
    struct slice exact, nearest, bits;
    bool same = a && !binary_from_text(type_of(TYPE_DECIMAL), text, a, &exact, NULL) &&
                !binary_from_text(type_of(TYPE_DOUBLE), text, a, &bits, NULL);
    if (same) {
        v = binary_f64(bits);
        java_put_f64(&shown, v);
        same = !binary_from_text(type_of(TYPE_DECIMAL), buf_view(&shown), a, &nearest, NULL) &&
               cql_compare(type_of(TYPE_DECIMAL), exact, nearest) == 0;
    }
    arena_free(a);
    return type_of(same ? TYPE_DOUBLE : TYPE_DECIMAL);
}

const struct type *literal_type(const struct cql_node *n)
{
    switch (n->kind) {
    case NODE_STRING:
        for (uint32_t i = 0; i < n->value.len; i++)
            if (n->value.at[i] >= 0x80) return type_of(TYPE_TEXT);
        return type_of(TYPE_ASCII);
    case NODE_INTEGER: return integer_type(n->value);
    case NODE_FLOAT: return float_type(n->value);
    case NODE_BOOLEAN: return type_of(TYPE_BOOLEAN);
    case NODE_UUID:
        return type_of(n->value.len > 14 && n->value.at[14] == '1' ? TYPE_TIMEUUID : TYPE_UUID);
    case NODE_BLOB: return type_of(TYPE_TINYINT); /* so it is in the original */
    case NODE_DURATION: return type_of(TYPE_DURATION);
    default: return NULL;
    }
}

#define KIND(k) ((uint64_t)1 << TYPE_##k)

static uint64_t literal_kinds(enum cql_node_kind k)
{
    switch (k) {
    case NODE_STRING:
        return KIND(ASCII) | KIND(TEXT) | KIND(INET) | KIND(DATE) | KIND(TIME) | KIND(TIMESTAMP);
    case NODE_INTEGER:
        return KIND(BIGINT) | KIND(COUNTER) | KIND(DATE) | KIND(DECIMAL) | KIND(DOUBLE) |
               KIND(DURATION) | KIND(FLOAT) | KIND(INT) | KIND(SMALLINT) | KIND(TIME) |
               KIND(TIMESTAMP) | KIND(TINYINT) | KIND(VARINT);
    case NODE_UUID: return KIND(UUID) | KIND(TIMEUUID);
    case NODE_FLOAT: return KIND(DECIMAL) | KIND(DOUBLE) | KIND(FLOAT);
    case NODE_BOOLEAN: return KIND(BOOLEAN);
    case NODE_BLOB: return KIND(BLOB);
    case NODE_DURATION: return KIND(DURATION);
    default: return 0;
    }
}

static enum fit literal_fit(const struct cql_node *n, const struct type *to)
{
    if (type_is_collection(to) || to->kind == TYPE_STRUCT) return FIT_NOT;
    if (to->kind == TYPE_TUPLE) return FIT_WEAK; /* a tuple has a text of its own */
    bool weak = literal_kinds(n->kind) >> to->kind & 1;
    /* What the literal is of itself is looked at only where it can matter. */
    if (!weak && !(n->kind == NODE_BLOB && to->kind == TYPE_TINYINT)) return FIT_NOT;
    return type_same(literal_type(n), to) ? FIT_EXACT : FIT_WEAK;
}

err_t literal_value(const struct cql_node *n, const struct cql_receiver *r, struct arena *a,
                    struct slice *out, struct diag *d)
{
    static const char *const words[] = {
        [NODE_STRING] = "STRING",    [NODE_INTEGER] = "INTEGER", [NODE_FLOAT] = "FLOAT",
        [NODE_BOOLEAN] = "BOOLEAN",  [NODE_UUID] = "UUID",       [NODE_BLOB] = "HEX",
        [NODE_DURATION] = "DURATION"};
    bool hex = n->kind == NODE_BLOB;
    if (literal_fit(n, r->type) == FIT_NOT)
        return diag_fail(d, ERR_INVALID, "Invalid %s constant (%s%.*s) for \"%.*s\" of type %s",
                         words[n->kind], hex ? "0x" : "", SLICE_ARG(n->value), SLICE_ARG(r->name),
                         type_shown(a, r->type));
    err_t e = binary_from_text(hex ? type_of(TYPE_BLOB) : r->type, n->value, a, out, d);
    return e || !hex ? e : binary_check(r->type, *out, d);
}

/* --- nested
 * ---------------------------------------------------------------------------------------
 */

static enum fit worse(enum fit a, enum fit b)
{
    return a < b ? a : b;
}

static enum fit all_fit(struct resolve *r, const struct cql_node *n, uint32_t from, uint32_t step,
                        const struct cql_receiver *to)
{
    enum fit f = FIT_EXACT;
    for (uint32_t i = from; i < n->count && f != FIT_NOT; i += step)
        f = worse(f, node_fit(r, n->args[i], to));
    return f;
}

static enum fit list_fit(struct resolve *r, const struct cql_node *n, const struct cql_receiver *to)
{
    struct arena *a = r->x->arena;
    if (to->type->kind != TYPE_LIST) {
        if (!r->scope && !r->thrown)
            r->thrown =
                arena_printf(a, "Unexpected receiver type '%s'; only list and vector are expected",
                             type_shown(a, to->type));
        return FIT_NOT;
    }
    if (!n->count) return FIT_WEAK;
    struct cql_receiver value = spec_value(to, a);
    return all_fit(r, n, 0, 1, &value);
}

static enum fit set_fit(struct resolve *r, const struct cql_node *n, const struct cql_receiver *to)
{
    if (to->type->kind != TYPE_SET)
        return to->type->kind == TYPE_MAP && !n->count ? FIT_WEAK : FIT_NOT;
    if (!n->count) return FIT_WEAK;
    struct cql_receiver value = spec_value(to, r->x->arena);
    return all_fit(r, n, 0, 1, &value);
}

static enum fit map_fit(struct resolve *r, const struct cql_node *n, const struct cql_receiver *to)
{
    if (r->scope && to->type->kind == TYPE_STRUCT)
        return record_check(r, n, to, NULL) ? FIT_NOT : FIT_WEAK;
    if (to->type->kind != TYPE_MAP) return FIT_NOT;
    struct cql_receiver key = spec_key(to, r->x->arena), value = spec_value(to, r->x->arena);
    return worse(all_fit(r, n, 0, 2, &key), all_fit(r, n, 1, 2, &value));
}

err_t tuple_check(struct resolve *r, const struct cql_node *n, const struct cql_receiver *to,
                  struct diag *d)
{
    struct arena *a = r->x->arena;
    const struct type *t = to->type;
    if (t->kind != TYPE_TUPLE && t->kind != TYPE_STRUCT)
        return diag_fail(d, ERR_INVALID, "Invalid tuple type literal for %.*s of type %s",
                         SLICE_ARG(to->name), type_shown(a, t));
    for (uint32_t i = 0; i < n->count; i++) {
        if (i >= t->count)
            return diag_fail(d, ERR_INVALID,
                             "Invalid tuple literal for %.*s: too many elements. Type %s expects "
                             "%u but got %u",
                             SLICE_ARG(to->name), type_shown(a, t), t->count, n->count);
        struct cql_receiver of = spec_component(to, i, a);
        if (node_fit(r, n->args[i], &of) == FIT_NOT)
            return diag_fail(d, ERR_INVALID,
                             "Invalid tuple literal for %.*s: component %u is not of type %s",
                             SLICE_ARG(to->name), i, type_shown(a, of.type));
    }
    return ERR_OK;
}

/* The field that the i-th entry names: a record's own names, or the columns that a selection's map
 * has for keys. */
static struct slice entry_name(const struct cql_node *n, uint32_t i)
{
    return n->kind == NODE_RECORD ? n->names[i] : n->args[2 * i]->name.name;
}

err_t record_check(struct resolve *r, const struct cql_node *n, const struct cql_receiver *to,
                   struct diag *d)
{
    struct arena *a = r->x->arena;
    const struct type *t = to->type;
    bool map = n->kind == NODE_MAP;
    if (t->kind != TYPE_STRUCT)
        return diag_fail(d, ERR_INVALID, "Invalid user type literal for %.*s of type %s",
                         SLICE_ARG(to->name), type_shown(a, t));
    for (uint32_t i = 0; i < (map ? n->count / 2 : n->count); i++) {
        if (map && n->args[2 * i]->kind != NODE_COLUMN)
            return diag_fail(d, ERR_INVALID, "%s is not a valid field identifier of type %.*s ",
                             node_shown(r, n->args[2 * i]), SLICE_ARG(t->name));
        int64_t field = record_field_of(t, entry_name(n, i));
        if (field < 0 && map)
            return diag_fail(d, ERR_INVALID,
                             "Unknown field '%.*s' in value of user defined type %.*s",
                             SLICE_ARG(entry_name(n, i)), SLICE_ARG(t->name));
        if (field < 0) continue;
        struct cql_receiver of = spec_field(to, (uint32_t)field, a);
        if (node_fit(r, n->args[map ? 2 * i + 1 : i], &of) == FIT_NOT)
            return diag_fail(
                d, ERR_INVALID, "Invalid user type literal for %.*s: field %.*s is not of type %s",
                SLICE_ARG(to->name), SLICE_ARG(t->names[field]), type_shown(a, of.type));
    }
    return ERR_OK;
}

static enum fit tuple_fit(struct resolve *r, const struct cql_node *n,
                          const struct cql_receiver *to)
{
    bool tuple = to->type->kind == TYPE_TUPLE || (!r->scope && to->type->kind == TYPE_STRUCT);
    if (n->count == 1 && !tuple) return node_fit(r, n->args[0], to);
    return tuple_check(r, n, to, NULL) ? FIT_NOT : FIT_WEAK;
}

/* --- calls
 * ----------------------------------------------------------------------------------------
 */

static enum fit call_fit(struct resolve *r, const struct cql_node *n, const struct cql_receiver *to)
{
    const struct signature *s = NULL;
    struct resolve inner = *r;
    inner.thrown = NULL;
    err_t e = native_resolve(&inner, native_name_of(n), n->args, n->count, to, &s, NULL);
    if (e || !s) return FIT_WEAK; /* it will be told later, with better words */
    if (s->row->flags & NATIVE_FACTORY) return FIT_WEAK;
    if (cql_type_is_multicell(to->type) && s->result->frozen) return FIT_NOT;
    if (type_same(to->type, s->result)) return FIT_EXACT;
    return type_value_compatible(to->type, s->result) ? FIT_WEAK : FIT_NOT;
}

err_t term_hint_type(struct resolve *r, const struct cql_node *n, const struct type **out)
{
    err_t e = cql_type_resolve(n->type, r->x, out);
    if (e || !r->scope) return e;
    *out = type_frozen(r->x->arena, *out);
    return *out ? ERR_OK : term_no_room(r->x->d);
}

static enum fit hint_fit(struct resolve *r, const struct cql_node *n, const struct cql_receiver *to)
{
    const struct type *t;
    struct diag *d = r->x->d, none = {0};
    r->x->d = &none;
    err_t e = term_hint_type(r, n, &t);
    r->x->d = d;
    if (e) {
        if (!r->thrown) r->thrown = arena_printf(r->x->arena, "%s", none.what);
        return FIT_NOT;
    }
    bool freezes = type_is_collection(to->type) || to->type->kind == TYPE_STRUCT;
    if (!r->scope && freezes && t->frozen != to->type->frozen) return FIT_NOT;
    return type_fit(t, to->type);
}

enum fit node_fit(struct resolve *r, const struct cql_node *n, const struct cql_receiver *to)
{
    if (node_is_literal(n)) return literal_fit(n, to->type);
    switch (n->kind) {
    case NODE_NULL: return to->type->kind == TYPE_COUNTER ? FIT_NOT : FIT_WEAK;
    case NODE_MARKER: return FIT_WEAK;
    case NODE_LIST: return list_fit(r, n, to);
    case NODE_SET: return set_fit(r, n, to);
    case NODE_MAP: return map_fit(r, n, to);
    case NODE_RECORD: return record_check(r, n, to, NULL) ? FIT_NOT : FIT_WEAK;
    case NODE_TUPLE: return tuple_fit(r, n, to);
    case NODE_HINT: return hint_fit(r, n, to);
    case NODE_CALL:
    case NODE_ARITH:
    case NODE_NEGATE:
    case NODE_CAST:
        if (!r->scope) return call_fit(r, n, to);
        break;
    default: break;
    }
    const struct type *t = node_exact_type(r, n);
    return t ? type_fit(t, to->type) : FIT_NOT;
}

/* --- types of themselves
 * --------------------------------------------------------------------------
 */

typedef const struct type *(*type_of_node)(struct resolve *r, const struct cql_node *n);

static const struct type *first_type(struct resolve *r, const struct cql_node *n, uint32_t from,
                                     uint32_t step)
{
    const struct type *t = NULL;
    for (uint32_t i = from; i < n->count && !t; i += step) t = node_exact_type(r, n->args[i]);
    return t;
}

/* One of the types that all others fit. */
static const struct type *common_type(struct resolve *r, const struct cql_node *n, uint32_t from,
                                      uint32_t step)
{
    for (uint32_t i = from; i < n->count; i += step) {
        const struct type *t = node_compatible_type(r, n->args[i]);
        bool all = t != NULL;
        for (uint32_t k = from; all && k < n->count; k += step) {
            const struct type *other = node_compatible_type(r, n->args[k]);
            all = !other || type_fit(other, t) != FIT_NOT;
        }
        if (all) return t;
    }
    return NULL;
}

static const struct type *map_of(struct resolve *r, const struct type *key,
                                 const struct type *value)
{
    struct type *t = arena_take(r->x->arena, sizeof(*t));
    const struct type **items = arena_take(r->x->arena, 2 * sizeof(const struct type *));
    if (!key || !value || !t || !items) return NULL;
    items[0] = key;
    items[1] = value;
    *t = (struct type){.kind = TYPE_MAP, .frozen = true, .count = 2, .items = items};
    return t;
}

static const struct type *tuple_type(struct resolve *r, const struct cql_node *n,
                                     type_of_node of_node)
{
    struct type *t = arena_take(r->x->arena, sizeof(*t));
    const struct type **items =
        arena_take(r->x->arena, (n->count ? n->count : 1) * sizeof(const struct type *));
    if (!t || !items || n->count > TYPE_FIELDS_MAX) return NULL;
    for (uint32_t i = 0; i < n->count; i++) {
        items[i] = of_node(r, n->args[i]);
        if (!items[i]) return NULL;
    }
    *t = (struct type){
        .kind = TYPE_TUPLE, .frozen = true, .count = (uint16_t)n->count, .items = items};
    return t;
}

static const struct type *call_type(struct resolve *r, const struct cql_node *n)
{
    const struct signature *s = NULL;
    struct resolve inner = *r;
    inner.thrown = NULL;
    bool star = n->count == 1 && n->args[0]->kind == NODE_STAR;
    if (star) return type_of(TYPE_BIGINT);
    struct cql_receiver of = {.keyspace = r->scope ? r->scope->keyspace : (struct slice){0},
                              .table = r->scope ? r->scope->table : (struct slice){0}};
    err_t e = native_resolve(&inner, native_name_of(n), n->args, n->count, r->scope ? &of : NULL,
                             &s, NULL);
    return e || !s ? NULL : s->result;
}

static const struct type *selected_type(struct resolve *r, const struct cql_node *n)
{
    const struct type *of = n->count && n->args[0] ? node_exact_type(r, n->args[0]) : NULL;
    int64_t field;
    switch (n->kind) {
    case NODE_FIELD:
        field = of ? record_field_of(of, n->value) : -1;
        return field < 0 ? NULL : of->items[field];
    case NODE_ELEMENT:
        if (!of || !type_is_collection(of)) return NULL;
        return of->items[of->kind == TYPE_MAP ? 1 : 0];
    case NODE_SLICE: return of && type_is_collection(of) ? of : NULL;
    case NODE_WRITETIME:
    case NODE_MAXWRITETIME:
    case NODE_TTL: {
        const struct type *t = type_of(n->kind == NODE_TTL ? TYPE_INT : TYPE_BIGINT);
        bool many = of && cql_type_is_multicell(of) && n->kind != NODE_MAXWRITETIME;
        return many ? type_list_of(r->x->arena, TYPE_LIST, t) : t;
    }
    default: return NULL;
    }
}

static const struct type *hint_type(struct resolve *r, const struct cql_node *n)
{
    const struct type *t;
    struct diag *d = r->x->d;
    r->x->d = NULL;
    err_t e = term_hint_type(r, n, &t);
    r->x->d = d;
    return e ? NULL : t;
}

const struct type *node_exact_type(struct resolve *r, const struct cql_node *n)
{
    const struct type *t;
    switch (n->kind) {
    case NODE_LIST:
        t = r->scope ? first_type(r, n, 0, 1) : NULL;
        return t ? type_list_of(r->x->arena, TYPE_LIST, t) : NULL;
    case NODE_SET:
        t = first_type(r, n, 0, 1);
        return t ? type_list_of(r->x->arena, TYPE_SET, t) : NULL;
    case NODE_MAP:
        return r->scope ? NULL : map_of(r, first_type(r, n, 0, 2), first_type(r, n, 1, 2));
    case NODE_TUPLE: return r->scope && n->count == 1 ? NULL : tuple_type(r, n, node_exact_type);
    case NODE_HINT: return hint_type(r, n);
    case NODE_CAST:
        if (r->scope) return hint_type(r, n);
        return call_type(r, n);
    case NODE_CALL:
    case NODE_ARITH:
    case NODE_NEGATE: return call_type(r, n);
    case NODE_COLUMN: {
        const struct cql_scope_column *c = r->scope ? scope_column(r->scope, n->name.name) : NULL;
        return c ? c->type : NULL;
    }
    default: return selected_type(r, n);
    }
}

const struct type *node_compatible_type(struct resolve *r, const struct cql_node *n)
{
    const struct type *t;
    if (node_is_literal(n)) return literal_type(n);
    switch (n->kind) {
    case NODE_LIST:
    case NODE_SET:
        t = common_type(r, n, 0, 1);
        return t ? type_list_of(r->x->arena, n->kind == NODE_LIST ? TYPE_LIST : TYPE_SET, t) : NULL;
    case NODE_MAP:
        return r->scope ? NULL : map_of(r, common_type(r, n, 0, 2), common_type(r, n, 1, 2));
    case NODE_TUPLE:
        if (r->scope && n->count == 1) return NULL;
        return tuple_type(r, n, r->scope ? node_compatible_type : node_exact_type);
    default: return node_exact_type(r, n);
    }
}
