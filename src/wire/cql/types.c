/* Types in metadata ([option]). What an older version does not know travels as the name of
 * Cassandra's class, and so do types that CQL has no number for. */
#include "wire/cql/cql_int.h"

#include <stdio.h>

enum { CUSTOM = 0x0000, VARCHAR = 0x000D, TEXT = 0x000A };

#define MARSHAL "org.apache.cassandra.db.marshal."
static const struct {
    enum type_kind kind;
    uint8_t first; /* the version that has its number */
    const char *class_name;
} scalars[] = {{TYPE_ASCII, 3, MARSHAL "AsciiType"},
               {TYPE_BIGINT, 3, MARSHAL "LongType"},
               {TYPE_BLOB, 3, MARSHAL "BytesType"},
               {TYPE_BOOLEAN, 3, MARSHAL "BooleanType"},
               {TYPE_COUNTER, 3, MARSHAL "CounterColumnType"},
               {TYPE_DECIMAL, 3, MARSHAL "DecimalType"},
               {TYPE_DOUBLE, 3, MARSHAL "DoubleType"},
               {TYPE_FLOAT, 3, MARSHAL "FloatType"},
               {TYPE_INT, 3, MARSHAL "Int32Type"},
               {TYPE_TIMESTAMP, 3, MARSHAL "TimestampType"},
               {TYPE_UUID, 3, MARSHAL "UUIDType"},
               {TYPE_TEXT, 3, MARSHAL "UTF8Type"},
               {TYPE_VARINT, 3, MARSHAL "IntegerType"},
               {TYPE_TIMEUUID, 3, MARSHAL "TimeUUIDType"},
               {TYPE_INET, 3, MARSHAL "InetAddressType"},
               {TYPE_DATE, 4, MARSHAL "SimpleDateType"},
               {TYPE_TIME, 4, MARSHAL "TimeType"},
               {TYPE_SMALLINT, 4, MARSHAL "ShortType"},
               {TYPE_TINYINT, 4, MARSHAL "ByteType"},
               {TYPE_DURATION, 5, MARSHAL "DurationType"}};

static int scalar_of(enum type_kind kind)
{
    for (size_t i = 0; i < COUNT_OF(scalars); i++)
        if (scalars[i].kind == kind) return (int)i;
    return -1;
}

const struct type *native_type_of_class(struct slice class_name)
{
    for (size_t i = 0; i < COUNT_OF(scalars); i++)
        if (slice_is(class_name, scalars[i].class_name)) return type_of(scalars[i].kind);
    return NULL;
}

/* --- writing ---------------------------------------------------------------------------------- */

static void put_scalar(struct buf *out, uint8_t version, const struct type *t)
{
    int i = scalar_of(t->kind);
    bool custom = t->name.len > 0; /* a class of its own */
    if (i >= 0 && !custom && version >= scalars[i].first) {
        buf_be(out, type_cql_id(t->kind), 2);
        return;
    }
    buf_be(out, CUSTOM, 2);
    native_string_put(out, custom ? t->name
                                  : slice_of(i < 0 ? MARSHAL "BytesType" : scalars[i].class_name));
}

void native_type_put(struct buf *out, uint8_t version, struct slice keyspace, const struct type *t)
{
    if (!type_is_nested(t)) {
        put_scalar(out, version, t);
        return;
    }
    buf_be(out, type_cql_id(t->kind), 2);
    if (t->kind == TYPE_STRUCT) {
        native_string_put(out, keyspace);
        native_string_put(out, t->name);
    }
    if (t->kind == TYPE_STRUCT || t->kind == TYPE_TUPLE) buf_be(out, t->count, 2);
    for (uint16_t i = 0; i < t->count; i++) {
        if (t->kind == TYPE_STRUCT) native_string_put(out, t->names[i]);
        native_type_put(out, version, keyspace, t->items[i]);
    }
}

/* --- reading ---------------------------------------------------------------------------------- */

static struct type *nested(struct native_in *in, enum type_kind kind, uint16_t count, int depth,
                           bool named)
{
    const struct type **items = native_items(in, count, sizeof(*items), named ? 4 : 2);
    struct slice *names = named ? native_items(in, count, sizeof(*names), 4) : NULL;
    struct type *t = in->err ? NULL : arena_take(in->arena, sizeof(*t));
    if (!t) {
        native_in_fail(in, ERR_TOO_BIG, "The types are more than fit in memory");
        return NULL;
    }
    *t =
        (struct type){.kind = kind, .frozen = true, .count = count, .items = items, .names = names};
    for (uint16_t i = 0; i < count; i++) {
        if (named) names[i] = native_string(in);
        items[i] = native_type_of(in, depth + 1);
    }
    return t;
}

static const struct type *read_custom(struct native_in *in)
{
    struct slice name = native_string(in);
    const struct type *known = native_type_of_class(name);
    if (known) return known;
    struct type *t = arena_take(in->arena, sizeof(*t));
    if (!t) {
        native_in_fail(in, ERR_TOO_BIG, "The types are more than fit in memory");
        return type_of(TYPE_BLOB);
    }
    *t = (struct type){.kind = TYPE_BLOB, .name = name};
    return t;
}

static const struct type *read_user_type(struct native_in *in, int depth)
{
    native_string(in); /* its keyspace: the table's */
    struct slice name = native_string(in);
    struct type *t = nested(in, TYPE_STRUCT, native_u16(in), depth, true);
    if (t) t->name = name;
    return t;
}

const struct type *native_type_of(struct native_in *in, int depth)
{
    uint16_t id = native_u16(in);
    if (in->err || depth >= TYPE_DEPTH_MAX) {
        native_in_fail(in, ERR_PROTOCOL, "Types are nested deeper than %d", TYPE_DEPTH_MAX);
        return type_of(TYPE_BLOB);
    }
    const struct type *t = NULL;
    if (id == CUSTOM) t = read_custom(in);
    if (id == TEXT || id == VARCHAR) t = type_of(TYPE_TEXT);
    if (id == type_cql_id(TYPE_LIST)) t = nested(in, TYPE_LIST, 1, depth, false);
    if (id == type_cql_id(TYPE_SET)) t = nested(in, TYPE_SET, 1, depth, false);
    if (id == type_cql_id(TYPE_MAP)) t = nested(in, TYPE_MAP, 2, depth, false);
    if (id == type_cql_id(TYPE_STRUCT)) t = read_user_type(in, depth);
    if (id == type_cql_id(TYPE_TUPLE)) t = nested(in, TYPE_TUPLE, native_u16(in), depth, false);
    for (size_t i = 0; !t && i < COUNT_OF(scalars); i++)
        if (type_cql_id(scalars[i].kind) == id) t = type_of(scalars[i].kind);
    if (t) return t;
    native_in_fail(in, ERR_PROTOCOL, "Unknown option id %u", id);
    return type_of(TYPE_BLOB);
}

err_t native_type_read(struct cursor *in, uint8_t version, struct arena *a, const struct type **out,
                       struct diag *d)
{
    struct native_in from = native_in_of(slice_make(in->at, cursor_left(in)), version, a);
    *out = native_type_of(&from, 0);
    err_t e = native_in_end(&from, d);
    if (e)
        in->err = e;
    else
        in->at = from.at;
    return e;
}
