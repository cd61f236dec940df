/* Types as they are written and shown, and which values fit which. */
#include "sql/cql/term_int.h"

static const struct {
    const char *name;
    enum type_kind kind;
} natives[] = {
    {"ascii", TYPE_ASCII},         {"bigint", TYPE_BIGINT},     {"blob", TYPE_BLOB},
    {"boolean", TYPE_BOOLEAN},     {"counter", TYPE_COUNTER},   {"date", TYPE_DATE},
    {"decimal", TYPE_DECIMAL},     {"double", TYPE_DOUBLE},     {"duration", TYPE_DURATION},
    {"float", TYPE_FLOAT},         {"inet", TYPE_INET},         {"int", TYPE_INT},
    {"smallint", TYPE_SMALLINT},   {"text", TYPE_TEXT},         {"time", TYPE_TIME},
    {"timestamp", TYPE_TIMESTAMP}, {"timeuuid", TYPE_TIMEUUID}, {"tinyint", TYPE_TINYINT},
    {"uuid", TYPE_UUID},           {"varchar", TYPE_TEXT},      {"varint", TYPE_VARINT}};

/* --- as written ---------------------------------------------------------------------------------
 */

enum written { WRITTEN_NATIVE, WRITTEN_COLLECTION, WRITTEN_TUPLE, WRITTEN_VECTOR, WRITTEN_USER };

static enum type_kind native_kind(const struct cql_type *t)
{
    for (size_t i = 0; i < COUNT_OF(natives); i++)
        if (slice_equal_nocase(t->name.name, slice_of(natives[i].name))) return natives[i].kind;
    return TYPE_KINDS;
}

static enum type_kind collection_kind(const struct cql_type *t)
{
    if (slice_equal_nocase(t->name.name, SLICE("list"))) return TYPE_LIST;
    if (slice_equal_nocase(t->name.name, SLICE("set"))) return TYPE_SET;
    return slice_equal_nocase(t->name.name, SLICE("map")) ? TYPE_MAP : TYPE_KINDS;
}

static enum written written_kind(const struct cql_type *t)
{
    if (t->dimension || (t->count && slice_equal_nocase(t->name.name, SLICE("vector"))))
        return WRITTEN_VECTOR;
    if (t->count && collection_kind(t) != TYPE_KINDS) return WRITTEN_COLLECTION;
    if (t->count) return WRITTEN_TUPLE;
    bool plain = !t->quoted && !t->name.keyspace.len && native_kind(t) != TYPE_KINDS;
    return plain ? WRITTEN_NATIVE : WRITTEN_USER;
}

static void put_written(struct buf *out, const struct cql_type *t, bool frozen,
                        struct slice keyspace)
{
    enum written k = written_kind(t);
    bool wrapped = (t->frozen || frozen) && (k == WRITTEN_COLLECTION || k == WRITTEN_USER);
    if (wrapped) buf_text(out, "frozen<");
    if (t->custom.at) {
        buf_printf(out, "'%.*s'", SLICE_ARG(t->custom));
    } else if (t->name.keyspace.len || (k == WRITTEN_USER && keyspace.len)) {
        if (t->name.keyspace.len) keyspace = t->name.keyspace;
        buf_printf(out, "%.*s.%.*s", SLICE_ARG(keyspace), SLICE_ARG(t->name.name));
    } else {
        buf_slice(out, t->name.name);
    }
    if (k != WRITTEN_NATIVE && k != WRITTEN_USER) {
        buf_char(out, '<');
        for (uint32_t i = 0; i < t->count; i++) {
            if (i) buf_text(out, ", ");
            put_written(out, t->items[i], wrapped || k == WRITTEN_TUPLE, keyspace);
        }
        if (k == WRITTEN_VECTOR) buf_printf(out, ", %u", t->dimension);
        buf_char(out, '>');
    }
    if (wrapped) buf_char(out, '>');
}

void cql_type_put_written(struct buf *out, const struct cql_type *t, struct slice keyspace)
{
    put_written(out, t, false, keyspace);
}

static const char *written_shown(struct arena *a, const struct cql_type *t, bool frozen)
{
    struct buf b = buf_make(KIB(64));
    put_written(&b, t, frozen, (struct slice){0});
    const char *text = arena_text(a, buf_view(&b));
    buf_done(&b);
    return text ? text : "";
}

/* --- resolving them -----------------------------------------------------------------------------
 */

struct resolving {
    struct cql_prepare *x;
    uint32_t depth;
};

static err_t resolve(struct resolving *r, const struct cql_type *w, bool frozen,
                     const struct type **out);

static err_t refuse(struct resolving *r, const char *why, const struct cql_type *w, bool frozen)
{
    return diag_fail(r->x->d, ERR_INVALID, "%s: %s", why, written_shown(r->x->arena, w, frozen));
}

static bool is_native(const struct cql_type *w, enum type_kind kind)
{
    return written_kind(w) == WRITTEN_NATIVE && native_kind(w) == kind;
}

/* In the original's order: what may not be inside which collection. */
static err_t check_inside(struct resolving *r, const struct cql_type *w, bool frozen,
                          const struct cql_type *item, bool key)
{
    enum written k = written_kind(item);
    err_t nested = ERR_OK;
    if (!frozen && !item->frozen && k == WRITTEN_COLLECTION)
        nested = refuse(r, "Non-frozen collections are not allowed inside collections", w, frozen);
    if (!frozen && !item->frozen && k == WRITTEN_USER)
        nested = refuse(r, "Non-frozen UDTs are not allowed inside collections", w, frozen);
    if (nested && !key) return nested;
    if (is_native(item, TYPE_COUNTER))
        return refuse(r, "Counters are not allowed inside collections", w, frozen);
    if (is_native(item, TYPE_DURATION) && key)
        return refuse(r, "Durations are not allowed as map keys", w, frozen);
    if (is_native(item, TYPE_DURATION) && collection_kind(w) == TYPE_SET)
        return refuse(r, "Durations are not allowed inside sets", w, frozen);
    return nested;
}

static err_t resolve_items(struct resolving *r, const struct cql_type *w, bool frozen,
                           struct type *t)
{
    const struct type **items = arena_take(r->x->arena, w->count * sizeof(const struct type *));
    if (!items) return term_no_room(r->x->d);
    for (uint32_t i = 0; i < w->count; i++) {
        err_t e = resolve(r, w->items[i], frozen, &items[i]);
        if (e) return e;
    }
    t->items = items;
    t->count = (uint16_t)w->count;
    return ERR_OK;
}

static err_t resolve_collection(struct resolving *r, const struct cql_type *w, bool frozen,
                                struct type *t)
{
    t->kind = collection_kind(w);
    t->frozen = frozen;
    uint32_t wanted = t->kind == TYPE_MAP ? 2 : 1;
    if (w->count != wanted)
        return diag_fail(r->x->d, ERR_SYNTAX, "%s takes %u types, not %u", type_kind_name(t->kind),
                         wanted, w->count);
    err_t e = check_inside(r, w, frozen, w->items[w->count - 1], false);
    if (!e && t->kind == TYPE_MAP) e = check_inside(r, w, frozen, w->items[0], true);
    return e ? e : resolve_items(r, w, frozen, t);
}

static err_t resolve_tuple(struct resolving *r, const struct cql_type *w, struct type *t)
{
    if (!slice_equal_nocase(w->name.name, SLICE("tuple")))
        return diag_fail(r->x->d, ERR_SYNTAX, "no type %.*s<…>", SLICE_ARG(w->name.name));
    if (w->count > TYPE_FIELDS_MAX)
        return diag_fail(r->x->d, ERR_TOO_BIG, "a tuple of %u types, more than %d", w->count,
                         TYPE_FIELDS_MAX);
    t->kind = TYPE_TUPLE;
    t->frozen = true;
    for (uint32_t i = 0; i < w->count; i++)
        if (is_native(w->items[i], TYPE_COUNTER))
            return diag_fail(r->x->d, ERR_INVALID, "Counters are not allowed inside tuples");
    return resolve_items(r, w, true, t);
}

static err_t resolve_user(struct resolving *r, const struct cql_type *w, bool frozen,
                          const struct type **out)
{
    struct cql_prepare *x = r->x;
    struct slice ks = w->name.keyspace.len ? w->name.keyspace : x->keyspace;
    if (w->name.keyspace.len && !slice_equal(ks, x->keyspace))
        return diag_fail(x->d, ERR_INVALID,
                         "Statement on keyspace %.*s cannot refer to a user type in keyspace %.*s; "
                         "user types can only be used in the keyspace they are defined in",
                         SLICE_ARG(x->keyspace), SLICE_ARG(ks));
    const struct type *found = x->user_type ? x->user_type(x->ctx, ks, w->name.name) : NULL;
    if (!found)
        return diag_fail(x->d, ERR_INVALID, "Unknown type %.*s.%.*s", SLICE_ARG(ks),
                         SLICE_ARG(w->name.name));
    if (found->frozen == frozen) {
        *out = found;
        return ERR_OK;
    }
    struct type *t = arena_take(x->arena, sizeof(*t));
    if (!t) return term_no_room(x->d);
    *t = *found;
    t->frozen = frozen;
    *out = t;
    return ERR_OK;
}

static err_t resolve_kind(struct resolving *r, const struct cql_type *w, bool frozen,
                          const struct type **out)
{
    struct cql_prepare *x = r->x;
    enum written k = written_kind(w);
    if (w->custom.at)
        return diag_fail(x->d, ERR_UNSUPPORTED, "custom types are not available: '%.*s'",
                         SLICE_ARG(w->custom));
    if (k == WRITTEN_VECTOR)
        return diag_fail(x->d, ERR_UNSUPPORTED, "vectors are not available in this version: %s",
                         written_shown(x->arena, w, false));
    if (k == WRITTEN_NATIVE && w->frozen)
        return diag_fail(x->d, ERR_SYNTAX,
                         "frozen<> is only allowed on collections, tuples, and user-defined types "
                         "(got %.*s)",
                         SLICE_ARG(w->name.name));
    if (k == WRITTEN_NATIVE) {
        *out = type_of(native_kind(w));
        return ERR_OK;
    }
    if (k == WRITTEN_USER) return resolve_user(r, w, frozen || w->frozen, out);
    struct type *t = arena_take(x->arena, sizeof(*t));
    if (!t) return term_no_room(x->d);
    *out = t;
    return k == WRITTEN_TUPLE ? resolve_tuple(r, w, t)
                              : resolve_collection(r, w, frozen || w->frozen, t);
}

static err_t resolve(struct resolving *r, const struct cql_type *w, bool frozen,
                     const struct type **out)
{
    if (++r->depth > TYPE_DEPTH_MAX)
        return diag_fail(r->x->d, ERR_TOO_DEEP, "types inside types, more than %d levels",
                         TYPE_DEPTH_MAX);
    err_t e = resolve_kind(r, w, frozen, out);
    r->depth--;
    return e;
}

err_t cql_type_resolve(const struct cql_type *written, struct cql_prepare *x,
                       const struct type **out)
{
    struct resolving r = {.x = x};
    return resolve(&r, written, false, out);
}

/* --- as shown -----------------------------------------------------------------------------------
 */

bool cql_type_is_multicell(const struct type *t)
{
    return !t->frozen && (type_is_collection(t) || t->kind == TYPE_STRUCT);
}

bool type_is_collection(const struct type *t)
{
    return t->kind == TYPE_LIST || t->kind == TYPE_SET || t->kind == TYPE_MAP;
}

static void put_items(struct buf *out, const struct type *t)
{
    buf_printf(out, "%s<", type_kind_name(t->kind));
    for (uint32_t i = 0; i < t->count; i++) {
        if (i) buf_text(out, ", ");
        cql_type_put(out, t->items[i]);
    }
    buf_char(out, '>');
}

void cql_type_put(struct buf *out, const struct type *t)
{
    if (!type_is_nested(t)) {
        buf_text(out, t->kind == TYPE_JSON ? "text" : type_kind_name(t->kind));
        return;
    }
    bool frozen = t->frozen || t->kind == TYPE_TUPLE;
    if (frozen) buf_text(out, "frozen<");
    if (t->kind == TYPE_STRUCT)
        cql_put_name(out, t->name);
    else
        put_items(out, t);
    if (frozen) buf_char(out, '>');
}

const char *type_shown(struct arena *a, const struct type *t)
{
    if (!type_is_nested(t) && t->kind != TYPE_JSON) return type_kind_name(t->kind);
    struct buf b = buf_make(KIB(64));
    cql_type_put(&b, t);
    const char *text = arena_text(a, buf_view(&b));
    buf_done(&b);
    return text ? text : type_kind_name(t->kind);
}

const char *type_shown_bare(struct arena *a, const struct type *t)
{
    if (t->kind != TYPE_TUPLE) return type_shown(a, t);
    struct buf b = buf_make(KIB(64));
    put_items(&b, t);
    const char *text = arena_text(a, buf_view(&b));
    buf_done(&b);
    return text ? text : "tuple";
}

/* --- made ---------------------------------------------------------------------------------------
 */

const struct type *type_list_of(struct arena *a, enum type_kind kind, const struct type *item)
{
    struct type *t = arena_take(a, sizeof(*t));
    const struct type **items = arena_take(a, sizeof(const struct type *));
    if (!t || !items) return NULL;
    items[0] = item;
    *t = (struct type){.kind = kind, .frozen = true, .count = 1, .items = items};
    return t;
}

const struct type *type_frozen(struct arena *a, const struct type *t)
{
    if (t->frozen || !type_is_nested(t)) return t;
    struct type *made = arena_take(a, sizeof(*made));
    if (!made) return NULL;
    *made = *t;
    made->frozen = true;
    return made;
}

/* --- which fits which ---------------------------------------------------------------------------
 */

bool type_same(const struct type *a, const struct type *b)
{
    if (a == b) return true;
    if (a->kind != b->kind || a->count != b->count) return false;
    if (a->kind == TYPE_STRUCT && !slice_equal(a->name, b->name)) return false;
    for (uint32_t i = 0; i < a->count; i++)
        if (!type_same(a->items[i], b->items[i])) return false;
    return true;
}

/* isCompatibleWith: the order of values stays, too. */
static bool type_compatible(const struct type *to, const struct type *from)
{
    enum type_kind t = to->kind, f = from->kind;
    if (type_same(to, from)) return true;
    if (t == TYPE_TEXT) return f == TYPE_ASCII;
    if (t == TYPE_BLOB) return f == TYPE_ASCII || f == TYPE_TEXT;
    if (!type_is_nested(to) || t != f ||
        (t == TYPE_TUPLE ? to->count < from->count : to->count != from->count))
        return false;
    if (t == TYPE_STRUCT && !slice_equal(to->name, from->name)) return false;
    for (uint32_t i = 0; i < from->count; i++)
        if (!type_compatible(to->items[i], from->items[i])) return false;
    return true;
}

static bool nested_value_compatible(const struct type *to, const struct type *from)
{
    switch (to->kind) {
    case TYPE_LIST: return type_value_compatible(to->items[0], from->items[0]);
    case TYPE_MAP:
        return type_compatible(to->items[0], from->items[0]) &&
               type_value_compatible(to->items[1], from->items[1]);
    case TYPE_TUPLE:
        for (uint32_t i = 0; i < from->count; i++)
            if (i >= to->count || !type_value_compatible(to->items[i], from->items[i]))
                return false;
        return true;
    default: return type_compatible(to, from);
    }
}

bool type_value_compatible(const struct type *to, const struct type *from)
{
    enum type_kind f = from->kind;
    if (type_same(to, from)) return true;
    switch (to->kind) {
    case TYPE_BLOB: return true;
    case TYPE_TEXT: return f == TYPE_ASCII;
    case TYPE_BIGINT: return f == TYPE_TIMESTAMP;
    case TYPE_TIMESTAMP: return f == TYPE_BIGINT;
    case TYPE_TIME: return f == TYPE_BIGINT;
    case TYPE_DATE: return f == TYPE_INT;
    case TYPE_UUID: return f == TYPE_TIMEUUID;
    case TYPE_VARINT: return f == TYPE_INT || f == TYPE_BIGINT || f == TYPE_TIMESTAMP;
    default: return type_is_nested(to) && to->kind == f && nested_value_compatible(to, from);
    }
}

enum fit type_fit(const struct type *from, const struct type *to)
{
    if (type_same(from, to)) return FIT_EXACT;
    return type_value_compatible(to, from) ? FIT_WEAK : FIT_NOT;
}
