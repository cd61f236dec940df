/* to_json and from_json: values as the original's types print and take them. */
#include "sql/cql/json_tree.h"
#include "sql/cql/term_int.h"

/* --- to JSON
 * --------------------------------------------------------------------------------------
 */

static void put_json(const struct type *t, struct slice b, struct buf *out);

/* Jackson's quoteAsString: no more than has to be escaped. */
static void put_escaped(struct slice s, struct buf *out)
{
    static const char from[] = "\"\\\b\f\n\r\t", into[] = "\"\\bfnrt";
    uint32_t done = 0;
    for (uint32_t i = 0; i < s.len; i++) {
        uint8_t c = s.at[i];
        if (c >= 0x20 && c != '"' && c != '\\') continue;
        buf_put(out, s.at + done, i - done);
        done = i + 1;
        const char *found = memchr(from, c, sizeof(from) - 1);
        if (found)
            buf_printf(out, "\\%c", into[found - from]);
        else
            buf_printf(out, "\\u%04X", c);
    }
    buf_put(out, s.at + done, s.len - done);
}

/* What is no string becomes one: JSON's names are. */
static void put_key(const struct type *t, struct slice b, struct buf *out)
{
    struct buf key = buf_make(TERM_BYTES_MAX);
    put_json(t, b, &key);
    if (key.len && key.at[0] == '"') {
        buf_slice(out, buf_view(&key));
    } else {
        buf_char(out, '"');
        put_escaped(buf_view(&key), out);
        buf_char(out, '"');
    }
    if (key.err) out->err = key.err;
    buf_done(&key);
}

static void put_collection(const struct type *t, struct slice b, struct buf *out)
{
    struct item_walk w = items_of_collection(t, b);
    struct slice item;
    bool map = t->kind == TYPE_MAP;
    buf_char(out, map ? '{' : '[');
    for (uint32_t i = 0; items_next(&w, &item); i++) {
        if (i) buf_text(out, map && i % 2 ? ": " : ", ");
        if (map && i % 2 == 0)
            put_key(t->items[0], item, out);
        else
            put_json(item_type(t, i), item, out);
    }
    buf_char(out, map ? '}' : ']');
}

static bool is_lower(struct slice name)
{
    for (uint32_t i = 0; i < name.len; i++)
        if (name.at[i] >= 'A' && name.at[i] <= 'Z') return false;
    return true;
}

static void put_field_name(struct slice name, struct buf *out)
{
    bool quoted = !is_lower(name);
    buf_text(out, quoted ? "\"\\\"" : "\"");
    put_escaped(name, out);
    buf_text(out, quoted ? "\\\"\": " : "\": ");
}

static void put_fields(const struct type *t, struct slice b, struct buf *out)
{
    struct item_walk w = items_of_fields(t, b);
    struct slice item;
    bool user = t->kind == TYPE_STRUCT;
    buf_char(out, user ? '{' : '[');
    for (uint32_t i = 0; items_next(&w, &item); i++) {
        if (i) buf_text(out, ", ");
        if (user) put_field_name(t->names[i], out);
        put_json(t->items[i], item, out);
    }
    buf_char(out, user ? '}' : ']');
}

static bool is_bare(enum type_kind k) /* a number or a boolean */
{
    switch (k) {
    case TYPE_BOOLEAN:
    case TYPE_TINYINT:
    case TYPE_SMALLINT:
    case TYPE_INT:
    case TYPE_BIGINT:
    case TYPE_COUNTER:
    case TYPE_FLOAT:
    case TYPE_DOUBLE:
    case TYPE_VARINT:
    case TYPE_DECIMAL: return true;
    default: return false;
    }
}

static void put_number(const struct type *t, struct slice b, struct buf *out)
{
    double v = 0;
    if (t->kind == TYPE_FLOAT) v = (double)binary_f32(b);
    if (t->kind == TYPE_DOUBLE) v = binary_f64(b);
    if (v - v != 0) /* NaN and infinities are no JSON */
        buf_text(out, "null");
    else
        scalar_put(t, b, out);
}

static void put_json(const struct type *t, struct slice b, struct buf *out)
{
    if (!b.at) {
        buf_text(out, "null");
    } else if (type_is_collection(t)) {
        put_collection(t, b, out);
    } else if (type_is_nested(t)) {
        put_fields(t, b, out);
    } else if (b.len && is_bare(t->kind)) {
        put_number(t, b, out);
    } else {
        buf_char(out, '"');
        if (t->kind == TYPE_BLOB) buf_text(out, "0x");
        if (t->kind == TYPE_TIMESTAMP && b.len)
            timestamp_put(out, binary_i64(b), ' ');
        else if (type_is_text(t))
            put_escaped(b, out);
        else
            scalar_put(t, b, out);
        buf_char(out, '"');
    }
}

void cql_to_json(const struct type *t, const struct cql_value *v, struct buf *out)
{
    struct slice b = v->bytes;
    if (v->state != CQL_SET)
        b.at = NULL;
    else if (!b.at)
        b.at = (const uint8_t *)"";
    put_json(t, b, out);
}

/* --- from JSON
 * ------------------------------------------------------------------------------------
 */

struct taking {
    struct arena *a;
    struct diag *d;
};

static err_t take(struct taking *k, const struct type *t, const struct json_node *n,
                  struct cql_value *out);

static const char *shown(struct taking *k, const struct json_node *n)
{
    struct buf b = buf_make(KIB(4));
    json_java_put(n, &b);
    const char *text = arena_text(k->a, buf_view(&b));
    buf_done(&b);
    return text ? text : "";
}

static err_t expected(struct taking *k, const char *what, const struct json_node *n)
{
    return diag_fail(k->d, ERR_INVALID, "Expected %s, but got a %s: %s", what, json_class(n),
                     shown(k, n));
}

static err_t from_text(struct taking *k, const struct type *t, struct slice text,
                       struct cql_value *out)
{
    struct slice b;
    err_t e = binary_from_text(t, text, k->a, &b, k->d);
    return e ? e : set_value(out, b);
}

/* --- scalars */

static const char *const words[TYPE_KINDS] = {
    [TYPE_ASCII] = "an ascii string",
    [TYPE_TEXT] = "a UTF-8 string",
    [TYPE_TINYINT] = "a byte value",
    [TYPE_SMALLINT] = "a short value",
    [TYPE_INT] = "an int value",
    [TYPE_BIGINT] = "a bigint value",
    [TYPE_FLOAT] = "a float value",
    [TYPE_DOUBLE] = "a double value",
    [TYPE_BOOLEAN] = "a boolean value",
    [TYPE_INET] = "a string representation of an inet value",
    [TYPE_TIME] = "a string representation of a time value",
    [TYPE_DATE] = "a string representation of a date value",
    [TYPE_DURATION] = "a string representation of a duration",
    [TYPE_UUID] = "a string representation of a uuid",
    [TYPE_TIMEUUID] = "a string representation of a timeuuid",
    [TYPE_TIMESTAMP] = "a long or a datestring representation of a timestamp value"};

static bool is_number(const struct json_node *n)
{
    return n->kind == JSON_INTEGER || n->kind == JSON_FLOAT;
}

static bool fits_bits(const struct json_node *n, int bits)
{
    int64_t v;
    if (n->kind != JSON_INTEGER || !slice_to_i64(n->value, &v)) return false;
    return bits == 64 || (v >= INT32_MIN && v <= INT32_MAX);
}

static err_t take_float(struct taking *k, const struct type *t, const struct json_node *n,
                        struct cql_value *out)
{
    struct cql_value wide;
    if (n->kind == JSON_STRING) return from_text(k, t, n->value, out);
    if (!is_number(n)) return expected(k, words[t->kind], n);
    if (t->kind == TYPE_DOUBLE || n->kind == JSON_INTEGER) return from_text(k, t, n->value, out);
    err_t e = from_text(k, type_of(TYPE_DOUBLE), n->value, &wide);
    if (e) return e;
    float narrow = (float)binary_f64(wide.bytes);
    uint32_t bits;
    memcpy(&bits, &narrow, 4);
    return put_be_value(k->a, bits, 4, out, k->d);
}

/* The text that Java's toString would give: a double is printed anew. */
static err_t take_big(struct taking *k, const struct type *t, const struct json_node *n,
                      struct cql_value *out)
{
    struct taking quiet = {k->a, NULL};
    bool whole = t->kind == TYPE_VARINT;
    struct slice text = n->kind == JSON_STRING ? n->value : slice_of(shown(k, n));
    bool ok = (!whole || text.len) && n->kind != JSON_LIST && n->kind != JSON_MAP &&
              from_text(&quiet, t, text, out) == ERR_OK;
    if (ok) return ERR_OK;
    return diag_fail(k->d, ERR_INVALID, "Value '%.*s' is not a valid representation of a %s value",
                     SLICE_ARG(text), whole ? "varint" : "decimal");
}

static err_t take_blob(struct taking *k, const struct type *t, const struct json_node *n,
                       struct cql_value *out)
{
    struct slice s = n->value;
    if (n->kind != JSON_STRING) {
        const char *class = json_class(n);
        const char *room = n->kind == JSON_LIST || n->kind == JSON_MAP ? "java.util"
                           : strcmp(class, "BigInteger") == 0          ? "java.math"
                                                                       : "java.lang";
        return diag_fail(k->d, ERR_INVALID,
                         "Value '%s' is not a valid blob representation: class %s.%s cannot be "
                         "cast to class java.lang.String (%s.%s and java.lang.String are in module "
                         "java.base of loader 'bootstrap')",
                         shown(k, n), room, class, room, class);
    }
    if (s.len < 2 || s.at[0] != '0' || s.at[1] != 'x')
        return diag_fail(k->d, ERR_INVALID,
                         "Value '%.*s' is not a valid blob representation: String representation "
                         "of blob is missing 0x prefix: %.*s",
                         SLICE_ARG(s), SLICE_ARG(s));
    struct taking quiet = {k->a, NULL};
    struct slice hex = {s.at + 2, s.len - 2};
    if (from_text(&quiet, t, hex, out) == ERR_OK) return ERR_OK;
    return diag_fail(k->d, ERR_INVALID,
                     "Value '%.*s' is not a valid blob representation: cannot parse '%.*s' as hex "
                     "bytes",
                     SLICE_ARG(s), SLICE_ARG(hex));
}

static err_t take_scalar(struct taking *k, const struct type *t, const struct json_node *n,
                         struct cql_value *out)
{
    bool string = n->kind == JSON_STRING, ok = string;
    int64_t ms;
    switch (t->kind) {
    case TYPE_FLOAT:
    case TYPE_DOUBLE: return take_float(k, t, n, out);
    case TYPE_VARINT:
    case TYPE_DECIMAL: return take_big(k, t, n, out);
    case TYPE_BLOB: return take_blob(k, t, n, out);
    case TYPE_COUNTER: return diag_fail(k->d, ERR_INVALID, "counters can not be given as JSON");
    case TYPE_INT: ok = string || fits_bits(n, 32); break;
    case TYPE_BIGINT: ok = string || fits_bits(n, 64); break;
    case TYPE_TINYINT:
    case TYPE_SMALLINT:
        if (n->kind == JSON_FLOAT) return from_text(k, t, slice_of(shown(k, n)), out);
        ok = string || is_number(n);
        break;
    case TYPE_BOOLEAN: ok = string || n->kind == JSON_BOOLEAN; break;
    case TYPE_TIMESTAMP: /* a number that Java keeps in a Long; smaller ones are refused */
        if (fits_bits(n, 64) && !fits_bits(n, 32) && slice_to_i64(n->value, &ms))
            return put_be_value(k->a, (uint64_t)ms, 8, out, k->d);
        break;
    default: break;
    }
    return ok ? from_text(k, t, n->value, out) : expected(k, words[t->kind], n);
}

/* --- nested */

static err_t take_items(struct taking *k, const struct type *t, const struct json_node *n,
                        struct cql_value *out)
{
    bool map = t->kind == TYPE_MAP;
    const char *kind = type_kind_name(t->kind);
    uint32_t count = map ? 2 * n->count : n->count;
    struct cql_value *items = arena_take(k->a, (count + 1u) * sizeof(*items));
    if (!items) return term_no_room(k->d);
    for (uint32_t i = 0; i < n->count; i++) {
        if (n->items[i]->kind == JSON_NULL)
            return diag_fail(k->d, ERR_INVALID, "Invalid null %s in %s", map ? "value" : "element",
                             kind);
        struct json_node key = {.kind = JSON_STRING};
        if (map) key.value = n->names[i];
        err_t e = map ? take(k, t->items[0], &key, &items[2 * i]) : ERR_OK;
        if (!e) e = take(k, t->items[map ? 1 : 0], n->items[i], &items[map ? 2 * i + 1 : i]);
        if (e) return e;
    }
    count = items_sort(t, items, count, k->a);
    if (count == UINT32_MAX) return term_no_room(k->d);
    return items_pack(t, items, count, k->a, out, k->d);
}

static err_t take_tuple(struct taking *k, const struct type *t, const struct json_node *n,
                        struct cql_value *out)
{
    struct cql_value *items = arena_take(k->a, (t->count + 1u) * sizeof(*items));
    if (!items) return term_no_room(k->d);
    if (n->count != t->count)
        return diag_fail(k->d, ERR_INVALID, "Tuple %s items (expected %u): %s",
                         n->count > t->count ? "contains extra" : "is missing", t->count,
                         shown(k, n));
    for (uint32_t i = 0; i < t->count; i++) {
        items[i].state = CQL_NULL;
        err_t e = take(k, t->items[i], n->items[i], &items[i]);
        if (e) return e;
    }
    return items_pack(t, items, t->count, k->a, out, k->d);
}

static err_t take_user(struct taking *k, const struct type *t, struct json_node *n,
                       struct cql_value *out)
{
    struct cql_value *items = arena_take(k->a, (t->count + 1u) * sizeof(*items));
    if (!items) return term_no_room(k->d);
    err_t e = json_fold_names(n, k->a, k->d);
    for (uint32_t i = 0; !e && i < n->count; i++)
        if (record_field_of(t, n->names[i]) < 0)
            e = diag_fail(k->d, ERR_INVALID,
                          "Unknown field '%.*s' in value of user defined type %.*s",
                          SLICE_ARG(n->names[i]), SLICE_ARG(t->name));
    for (uint32_t i = 0; !e && i < n->count; i++) {
        int64_t field = record_field_of(t, n->names[i]);
        e = take(k, t->items[field], n->items[i], &items[field]);
    }
    return e ? e : items_pack(t, items, t->count, k->a, out, k->d);
}

/* A nested value may stand in a string, as a map's key has to. */
static err_t unwrapped(struct taking *k, const struct json_node *n, struct json_node **out)
{
    struct diag why = {0};
    *out = arena_take(k->a, sizeof(**out));
    if (!*out) return term_no_room(k->d);
    **out = *n;
    if (n->kind != JSON_STRING) return ERR_OK;
    err_t e = json_tree(n->value, k->a, out, &why);
    const char *words_of = strstr(why.what, ": ");
    return e ? diag_fail(k->d, ERR_INVALID, "Error decoding JSON string: %s",
                         words_of ? words_of + 2 : why.what)
             : ERR_OK;
}

static err_t take_nested(struct taking *k, const struct type *t, const struct json_node *given,
                         struct cql_value *out)
{
    struct json_node *n;
    err_t e = unwrapped(k, given, &n);
    if (e) return e;
    bool map = t->kind == TYPE_MAP || t->kind == TYPE_STRUCT;
    if (n->kind != (map ? JSON_MAP : JSON_LIST))
        return expected(k,
                        map                    ? "a map"
                        : t->kind == TYPE_LIST ? "a list"
                        : t->kind == TYPE_SET  ? "a list (representing a set)"
                                               : "a list representation of a tuple",
                        n);
    if (t->kind == TYPE_TUPLE) return take_tuple(k, t, n, out);
    return t->kind == TYPE_STRUCT ? take_user(k, t, n, out) : take_items(k, t, n, out);
}

static err_t take(struct taking *k, const struct type *t, const struct json_node *n,
                  struct cql_value *out)
{
    *out = (struct cql_value){.state = CQL_NULL};
    if (n->kind == JSON_NULL) return ERR_OK;
    return type_is_nested(t) ? take_nested(k, t, n, out) : take_scalar(k, t, n, out);
}

err_t cql_from_json(const struct type *t, struct slice json, struct arena *a, struct cql_value *out,
                    struct diag *d)
{
    struct json_node *n;
    struct taking k = {a, d};
    err_t e = json_tree(json, a, &n, d);
    return e ? e : take(&k, t, n, out);
}

/* --- INSERT JSON
 * ----------------------------------------------------------------------------------
 */

err_t cql_json_fields(struct slice json, struct arena *a, struct cql_json_field **out,
                      uint32_t *count, struct diag *d)
{
    struct json_node *n;
    struct diag why = {0};
    err_t e = json_tree(json, a, &n, &why);
    if (!e && n->kind == JSON_NULL)
        return diag_fail(d, ERR_INVALID, "Got null for INSERT JSON values");
    if (!e && n->kind != JSON_MAP)
        e = diag_fail(&why, ERR_BAD_JSON,
                      "com.fasterxml.jackson.databind.exc.MismatchedInputException: Cannot "
                      "deserialize value of type `java.util.LinkedHashMap<java.lang.Object,"
                      "java.lang.Object>` from %s",
                      json_class(n));
    if (e)
        return diag_fail(d, ERR_INVALID,
                         "Could not decode JSON string as a map: %s. (String was: %.*s)", why.what,
                         SLICE_ARG(json));
    e = json_fold_names(n, a, d);
    struct cql_json_field *fields = arena_take(a, (n->count + 1u) * sizeof(*fields));
    if (e || !fields) return e ? e : term_no_room(d);
    for (uint32_t i = 0; i < n->count; i++)
        fields[i] = (struct cql_json_field){n->names[i], n->items[i]->text};
    *out = fields;
    *count = n->count;
    return ERR_OK;
}
