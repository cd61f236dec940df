#include "data/value/value_int.h"

#include <stdio.h>

struct value value_text(struct slice s)
{
    return (struct value){.type = type_of(TYPE_TEXT), .state = VALID_VALUE, .bytes = s};
}

struct value value_i64(enum type_kind kind, int64_t v)
{
    return (struct value){.type = type_of(kind), .state = VALID_VALUE, .integer = v};
}

struct value value_f64(double v)
{
    return (struct value){.type = type_of(TYPE_DOUBLE), .state = VALID_VALUE, .f64 = v};
}

struct value value_bool(bool v)
{
    return (struct value){.type = type_of(TYPE_BOOLEAN), .state = VALID_VALUE, .boolean = v};
}

/* --- binary form -------------------------------------------------------------------------------
 */

void value_to_binary(const struct value *v, struct buf *out)
{
    if (v->state != VALID_VALUE) return;
    enum phys p = type_phys(v->type);
    switch (v->type->kind) {
    case TYPE_BOOLEAN: buf_char(out, v->boolean); break;
    case TYPE_FLOAT: {
        uint32_t bits;
        memcpy(&bits, &v->f32, 4);
        buf_be(out, bits, 4);
        break;
    }
    case TYPE_DOUBLE: {
        uint64_t bits;
        memcpy(&bits, &v->f64, 8);
        buf_be(out, bits, 8);
        break;
    }
    case TYPE_UUID:
    case TYPE_TIMEUUID: buf_put(out, v->uuid, 16); break;
    default:
        if (p == PHYS_BYTES)
            buf_slice(out, v->bytes);
        else
            buf_be(out, (uint64_t)v->integer, (int)phys_size(p));
    }
}

static int64_t read_signed(struct slice b)
{
    int64_t v = b.len && b.at[0] >= 0x80 ? -1 : 0;
    for (uint32_t i = 0; i < b.len; i++) v = (int64_t)((uint64_t)v << 8 | b.at[i]);
    return v;
}

struct value value_hold(const struct type *t, struct slice b)
{
    struct value v = {.type = t, .state = VALID_VALUE};
    enum phys p = type_phys(t);
    if (p != PHYS_BYTES) INVARIANT(b.len == phys_size(p));
    switch (t->kind) {
    case TYPE_BOOLEAN: v.boolean = b.at[0] != 0; break;
    case TYPE_FLOAT: {
        uint32_t bits = (uint32_t)read_signed(b);
        memcpy(&v.f32, &bits, 4);
        break;
    }
    case TYPE_DOUBLE: {
        uint64_t bits = (uint64_t)read_signed(b);
        memcpy(&v.f64, &bits, 8);
        break;
    }
    case TYPE_UUID:
    case TYPE_TIMEUUID: memcpy(v.uuid, b.at, 16); break;
    case TYPE_DATE: v.integer = (uint32_t)read_signed(b); break;
    case TYPE_VARINT: v.bytes = varint_shortest(b); break;
    default:
        if (p == PHYS_BYTES)
            v.bytes = b;
        else
            v.integer = read_signed(b);
    }
    return v;
}

/* --- checking it -------------------------------------------------------------------------------
 */

static err_t binary_wrong(struct diag *d, const struct type *t, const char *why)
{
    return diag_fail(d, ERR_MALFORMED, "bytes are not %s %s: %s", type_article(t->kind),
                     type_kind_name(t->kind), why);
}

static err_t check_number(const struct type *t, struct slice b, struct diag *d)
{
    uint32_t head = t->kind == TYPE_DECIMAL ? 4 : 0;
    if (b.len <= head) return binary_wrong(d, t, b.len ? "it ends too early" : "it is empty");
    struct number n;
    struct slice digits = {b.at + head, b.len - head};
    bool small = digits.len < VARINT_BYTES_MAX - 1; /* surely below NUMBER_DIGITS_MAX digits */
    if (!small && !number_from_varint(digits, &n))
        return diag_fail(d, ERR_TOO_BIG, "%s of more than %d digits", type_kind_name(t->kind),
                         NUMBER_DIGITS_MAX);
    return ERR_OK;
}

static err_t check_text(const struct type *t, struct slice b, struct diag *d)
{
    uint32_t bad_at;
    if (t->kind == TYPE_ASCII ? ascii_valid(b, &bad_at) : utf8_valid(b, &bad_at)) return ERR_OK;
    return diag_fail(d, ERR_BAD_UTF8, "text is not %s at byte %u (0x%02x)",
                     t->kind == TYPE_ASCII ? "ASCII" : "UTF-8", bad_at + 1, b.at[bad_at]);
}

static err_t check_binary(const struct type *t, struct slice b, int depth, struct diag *d);

/* One length-prefixed value; a null is allowed where `nullable`. */
static err_t check_item(const struct type *t, struct cursor *c, bool nullable, int depth,
                        struct diag *d)
{
    int32_t len = cursor_i32(c);
    if (c->err == ERR_OK && len < 0)
        return nullable ? ERR_OK : diag_fail(d, ERR_MALFORMED, "a key of a set or map is null");
    struct slice item = cursor_slice(c, (uint64_t)(uint32_t)len);
    if (c->err) return diag_fail(d, ERR_MALFORMED, "a nested value ends too early");
    return check_binary(t, item, depth + 1, d);
}

static err_t check_collection(const struct type *t, struct slice b, int depth, struct diag *d)
{
    struct cursor c = cursor_of(b);
    int32_t count = cursor_i32(&c);
    if (c.err) return binary_wrong(d, t, "it ends too early");
    if (count < 0) return binary_wrong(d, t, "its count is negative");
    bool key = t->kind != TYPE_LIST;
    for (int32_t i = 0; i < count; i++) {
        err_t e = check_item(t->items[0], &c, !key, depth, d);
        if (!e && t->kind == TYPE_MAP) e = check_item(t->items[1], &c, true, depth, d);
        if (e) return e;
    }
    return cursor_left(&c) ? binary_wrong(d, t, "bytes are left over") : ERR_OK;
}

static err_t check_fields(const struct type *t, struct slice b, int depth, struct diag *d)
{
    struct cursor c = cursor_of(b);
    for (uint16_t i = 0; i < t->count && cursor_left(&c); i++) {
        err_t e = check_item(t->items[i], &c, true, depth, d);
        if (e) return e;
    }
    return cursor_left(&c) ? binary_wrong(d, t, "it has more fields than the type") : ERR_OK;
}

static err_t check_bytes(const struct type *t, struct slice b, int depth, struct diag *d)
{
    struct duration duration;
    const char *why;
    switch (t->kind) {
    case TYPE_VARINT:
    case TYPE_DECIMAL: return check_number(t, b, d);
    case TYPE_ASCII:
    case TYPE_TEXT: return check_text(t, b, d);
    case TYPE_DURATION:
        return duration_from_binary(b, &duration, &why) ? ERR_OK : binary_wrong(d, t, why);
    case TYPE_INET:
        return b.len == 4 || b.len == 16 ? ERR_OK : binary_wrong(d, t, "it has 4 or 16 bytes");
    case TYPE_LIST:
    case TYPE_SET:
    case TYPE_MAP: return check_collection(t, b, depth, d);
    case TYPE_TUPLE:
    case TYPE_STRUCT: return check_fields(t, b, depth, d);
    case TYPE_JSON: return json_check(b, d);
    default: return ERR_OK; /* a blob is anything */
    }
}

static err_t check_binary(const struct type *t, struct slice b, int depth, struct diag *d)
{
    enum phys p = type_phys(t);
    if (depth > TYPE_DEPTH_MAX)
        return diag_fail(d, ERR_TOO_DEEP, "a value is nested deeper than %d", TYPE_DEPTH_MAX);
    if (p == PHYS_BYTES) return check_bytes(t, b, depth, d);
    if (b.len != phys_size(p)) {
        char why[48];
        snprintf(why, sizeof(why), "it has %u byte%s, not %u", phys_size(p),
                 phys_size(p) == 1 ? "" : "s", b.len);
        return binary_wrong(d, t, why);
    }
    if (t->kind == TYPE_TIMEUUID && b.at[6] >> 4 != 1)
        return binary_wrong(d, t, "its UUID is not of version 1");
    if (t->kind == TYPE_TIME && (uint64_t)read_signed(b) >= (uint64_t)DAY_NS)
        return binary_wrong(d, t, "nanoseconds of a day go from 0 to 86399999999999");
    return ERR_OK;
}

err_t value_from_binary(const struct type *t, struct slice binary, struct value *out,
                        struct diag *d)
{
    *out = value_null(t);
    err_t e = check_binary(t, binary, 0, d);
    if (!e) *out = value_hold(t, binary);
    return e;
}

/* --- walking nested values ---------------------------------------------------------------------
 */

static bool is_collection(const struct type *t)
{
    return t->kind == TYPE_LIST || t->kind == TYPE_SET || t->kind == TYPE_MAP;
}

struct value_walk value_walk_make(const struct value *v)
{
    struct value_walk w = {.type = v->type};
    INVARIANT(type_is_nested(v->type));
    if (v->state != VALID_VALUE) return w;
    w.at = cursor_of(v->bytes);
    if (!is_collection(v->type))
        w.count = v->type->count;
    else
        w.count = (uint32_t)cursor_i32(&w.at) << (v->type->kind == TYPE_MAP);
    return w;
}

static const struct type *walk_type(const struct value_walk *w)
{
    if (!is_collection(w->type)) return w->type->items[w->index];
    return w->type->items[w->type->kind == TYPE_MAP ? w->index & 1 : 0];
}

bool value_walk_next(struct value_walk *w, struct value *item)
{
    if (w->index == w->count) return false;
    const struct type *t = walk_type(w);
    w->index++;
    *item = value_null(t);
    if (cursor_left(&w->at) == 0 && !is_collection(w->type)) return true;
    int32_t len = cursor_i32(&w->at);
    if (len >= 0) {
        struct slice bytes = cursor_slice(&w->at, (uint32_t)len);
        INVARIANT(w->at.err == ERR_OK); /* it was checked when it came in */
        *item = value_hold(t, bytes);
    }
    return true;
}

uint32_t value_count(const struct value *v)
{
    uint32_t n = value_walk_make(v).count;
    return v->type->kind == TYPE_MAP ? n / 2 : n;
}

bool value_item(const struct value *v, int64_t index, struct value *out)
{
    struct value_walk w = value_walk_make(v);
    if (index < 0 || index >= w.count) return false;
    while (value_walk_next(&w, out) && index-- > 0) {
    }
    return true;
}

bool value_field(const struct value *v, struct slice name, struct value *out)
{
    INVARIANT(v->type->kind == TYPE_STRUCT);
    for (uint16_t i = 0; i < v->type->count; i++)
        if (slice_equal(v->type->names[i], name)) return value_item(v, i, out);
    return false;
}

bool value_map_get(const struct value *map, const struct value *key, struct value *out)
{
    struct value_walk w = value_walk_make(map);
    struct value k;
    INVARIANT(map->type->kind == TYPE_MAP);
    while (value_walk_next(&w, &k) && value_walk_next(&w, out))
        if (value_compare(&k, key) == 0) return true;
    return false;
}
