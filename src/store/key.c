/* Keys whose byte order is the order of what they stand for. docs/store.md has the table. */
#include "base/hash.h"
#include "store/store_int.h"

enum order {
    ORDER_NONE,    /* not allowed in a key */
    ORDER_RAW,     /* unsigned, big-endian */
    ORDER_SIGNED,  /* two's complement, sign flipped */
    ORDER_FLOAT,   /* IEEE-754: negative numbers inverted, others sign flipped */
    ORDER_ESCAPED, /* bytes; 00 becomes 00 ff, the end is 00 00 */
    ORDER_UUID,
    ORDER_TIMEUUID,
    ORDER_VARINT,
    ORDER_DECIMAL,
    ORDER_ELEMENTS, /* 02 before each element, 01 for a null one, 00 at the end */
    ORDER_FIELDS    /* 01 before each field, 00 for a null one */
};
enum { ELEMENTS_END, ELEMENT_NULL, ELEMENT_VALUE };
static const uint8_t order_of[TYPE_KINDS] = {
    [TYPE_BOOLEAN] = ORDER_RAW,   [TYPE_TINYINT] = ORDER_SIGNED,    [TYPE_SMALLINT] = ORDER_SIGNED,
    [TYPE_INT] = ORDER_SIGNED,    [TYPE_BIGINT] = ORDER_SIGNED,     [TYPE_FLOAT] = ORDER_FLOAT,
    [TYPE_DOUBLE] = ORDER_FLOAT,  [TYPE_VARINT] = ORDER_VARINT,     [TYPE_DECIMAL] = ORDER_DECIMAL,
    [TYPE_ASCII] = ORDER_ESCAPED, [TYPE_TEXT] = ORDER_ESCAPED,      [TYPE_BLOB] = ORDER_ESCAPED,
    [TYPE_UUID] = ORDER_UUID,     [TYPE_TIMEUUID] = ORDER_TIMEUUID, [TYPE_TIMESTAMP] = ORDER_SIGNED,
    [TYPE_DATE] = ORDER_RAW,      [TYPE_TIME] = ORDER_SIGNED,       [TYPE_INET] = ORDER_ESCAPED,
    [TYPE_LIST] = ORDER_ELEMENTS, [TYPE_SET] = ORDER_ELEMENTS,      [TYPE_MAP] = ORDER_ELEMENTS,
    [TYPE_TUPLE] = ORDER_FIELDS,  [TYPE_STRUCT] = ORDER_FIELDS,
};

bool key_type_allowed(const struct type *t)
{
    if (order_of[t->kind] == ORDER_NONE) return false;
    for (uint16_t i = 0; i < t->count; i++)
        if (!key_type_allowed(t->items[i])) return false;
    return true;
}

uint32_t type_fixed_size(const struct type *t)
{
    enum phys p = type_phys(t);
    return p == PHYS_BYTES ? 0 : phys_size(p);
}

static uint64_t load_be(const uint8_t *at, uint32_t bytes)
{
    uint64_t v = 0;
    for (uint32_t i = 0; i < bytes; i++) v = v << 8 | at[i];
    return v;
}

/* --- putting ------------------------------------------------------------------------------------
 */

static void put_escaped(struct buf *out, struct slice s)
{
    while (s.len) {
        const uint8_t *zero = memchr(s.at, 0, s.len);
        uint32_t plain = zero ? (uint32_t)(zero - s.at) : s.len;
        buf_put(out, s.at, plain);
        if (!zero) break;
        buf_put(out, "\x00\xff", 2);
        s.at += plain + 1;
        s.len -= plain + 1;
    }
    buf_put(out, "\0\0", 2);
}

static void put_float(struct buf *out, struct slice s)
{
    uint64_t sign = 1ULL << (s.len * 8 - 1), v = load_be(s.at, s.len);
    /* Java's order, which is Cassandra's: -0.0 before 0.0, one NaN after everything. */
    uint64_t infinity = s.len == 4 ? 0x7f800000U : 0x7ff0000000000000ULL;
    if ((v & ~sign) > infinity) v = s.len == 4 ? 0x7fc00000U : 0x7ff8000000000000ULL;
    buf_be(out, v & sign ? ~v : v | sign, (int)s.len);
}

/* time-low, time-mid, version and time-high -> version, time-high, time-mid, time-low */
static uint64_t uuid_time_first(uint64_t msb)
{
    return msb << 48 | (msb << 16 & 0xffff00000000ULL) | msb >> 32;
}
static uint64_t uuid_time_back(uint64_t v)
{
    return v << 32 | (v >> 16 & 0xffff0000ULL) | v >> 48;
}
static const uint64_t signed_bytes = 0x8080808080808080ULL; /* TimeUUIDType compares bytes signed */

static void put_uuid(struct buf *out, struct slice s, bool timeuuid)
{
    uint64_t msb = load_be(s.at, 8), lsb = load_be(s.at + 8, 8), version = msb >> 12 & 0xf;
    if (timeuuid || version == 1)
        msb = uuid_time_first(msb);
    else
        msb = version << 60 | msb >> 16 << 12 | (msb & 0xfff);
    buf_be(out, msb, 8);
    buf_be(out, timeuuid ? lsb ^ signed_bytes : lsb, 8);
}

static err_t put_ascending(struct buf *out, const struct type *t, struct slice binary, int depth);

static err_t put_elements(struct buf *out, const struct type *t, struct slice binary, int depth)
{
    struct cursor c = cursor_of(binary);
    int64_t count = cursor_i32(&c);
    if (t->kind == TYPE_MAP) count *= 2;
    for (int64_t i = 0; i < count && !c.err; i++) {
        int32_t len = cursor_i32(&c);
        buf_char(out, len < 0 ? ELEMENT_NULL : ELEMENT_VALUE);
        if (len < 0) continue;
        struct slice element = cursor_slice(&c, (uint64_t)len);
        err_t e = put_ascending(out, t->items[t->kind == TYPE_MAP ? i & 1 : 0], element, depth + 1);
        if (e) return e;
    }
    buf_char(out, ELEMENTS_END);
    return c.err || cursor_left(&c) ? ERR_MALFORMED : ERR_OK;
}

static err_t put_fields(struct buf *out, const struct type *t, struct slice binary, int depth)
{
    struct cursor c = cursor_of(binary);
    for (uint16_t i = 0; i < t->count; i++) {
        /* fields that a type gained later are missing at the end: null */
        int32_t len = cursor_left(&c) ? cursor_i32(&c) : -1;
        buf_char(out, len >= 0);
        if (len < 0) continue;
        err_t e = put_ascending(out, t->items[i], cursor_slice(&c, (uint64_t)len), depth + 1);
        if (e) return e;
    }
    return c.err || cursor_left(&c) ? ERR_MALFORMED : ERR_OK;
}

static err_t put_ascending(struct buf *out, const struct type *t, struct slice binary, int depth)
{
    if (depth > TYPE_DEPTH_MAX) return ERR_TOO_DEEP;
    uint32_t fixed = type_fixed_size(t);
    if (fixed && binary.len != fixed) return ERR_MALFORMED;
    switch ((enum order)order_of[t->kind]) {
    case ORDER_RAW: buf_put(out, binary.at, binary.len); return ERR_OK;
    case ORDER_SIGNED:
        buf_be(out, load_be(binary.at, fixed) ^ 1ULL << (fixed * 8 - 1), (int)fixed);
        return ERR_OK;
    case ORDER_FLOAT: put_float(out, binary); return ERR_OK;
    case ORDER_ESCAPED: put_escaped(out, binary); return ERR_OK;
    case ORDER_UUID: put_uuid(out, binary, false); return ERR_OK;
    case ORDER_TIMEUUID: put_uuid(out, binary, true); return ERR_OK;
    case ORDER_VARINT: return key_put_varint(out, binary);
    case ORDER_DECIMAL: return key_put_decimal(out, binary);
    case ORDER_ELEMENTS: return put_elements(out, t, binary, depth);
    case ORDER_FIELDS: return put_fields(out, t, binary, depth);
    case ORDER_NONE: break;
    }
    return ERR_UNSUPPORTED;
}

err_t key_put_order(struct buf *out, const struct type *t, struct slice binary, bool descending)
{
    size_t from = out->len;
    if (binary.len > KEY_PART_MAX) return ERR_TOO_BIG;
    err_t e = put_ascending(out, t, binary, 0);
    if (!e) e = out->err;
    if (descending)
        for (size_t i = from; i < out->len; i++) out->at[i] = (uint8_t)~out->at[i];
    return e;
}

void key_put_partition(struct buf *out, const struct type *t, struct slice binary)
{
    if (type_fixed_size(t))
        buf_put(out, binary.at, binary.len);
    else
        put_escaped(out, binary);
}

err_t key_token(const struct slice *binaries, uint32_t count, struct buf *scratch, int64_t *token)
{
    if (count == 1) {
        *token = murmur3_token(binaries[0]);
        return ERR_OK;
    }
    buf_reset(scratch); /* CompositeType: length, bytes, 0 for each */
    for (uint32_t i = 0; i < count; i++) {
        buf_be(scratch, binaries[i].len, 2);
        buf_slice(scratch, binaries[i]);
        buf_char(scratch, 0);
    }
    *token = murmur3_token(buf_view(scratch));
    return scratch->err;
}

void key_put_head(struct buf *out, uint32_t prefix, int64_t token)
{
    buf_be(out, prefix, KEY_PREFIX_SIZE);
    buf_be(out, (uint64_t)token ^ 1ULL << 63, 8);
}

/* --- taking -------------------------------------------------------------------------------------
 */

uint8_t key_take_byte(struct key_reader *r)
{
    if (r->at == r->end) {
        r->err = ERR_CORRUPT;
        return 0;
    }
    return *r->at++ ^ r->flip;
}

uint64_t key_take_be(struct key_reader *r, int bytes)
{
    uint64_t v = 0;
    if (r->end - r->at < bytes) {
        r->err = ERR_CORRUPT;
        return 0;
    }
    for (int i = 0; i < bytes; i++) v = v << 8 | (uint8_t)(*r->at++ ^ r->flip);
    return v;
}

void key_take_escaped(struct key_reader *r, struct buf *out)
{
    while (!r->err) {
        const uint8_t *zero = memchr(r->at, r->flip, (size_t)(r->end - r->at));
        if (!zero || zero + 1 == r->end) {
            r->err = ERR_CORRUPT;
            return;
        }
        size_t plain = (size_t)(zero - r->at);
        uint8_t *to = buf_grow(out, plain);
        for (size_t i = 0; to && i < plain; i++) to[i] = r->at[i] ^ r->flip;
        uint8_t next = zero[1] ^ r->flip;
        r->at = zero + 2;
        if (next == 0) return;
        if (next != 0xff) r->err = ERR_CORRUPT;
        buf_char(out, 0);
    }
}

static void take_uuid(struct key_reader *r, bool timeuuid, struct buf *out)
{
    uint64_t v = key_take_be(r, 8), lsb = key_take_be(r, 8), version = v >> 60;
    if (timeuuid || version == 1)
        v = uuid_time_back(v);
    else
        v = v << 4 >> 16 << 16 | version << 12 | (v & 0xfff);
    buf_be(out, v, 8);
    buf_be(out, timeuuid ? lsb ^ signed_bytes : lsb, 8);
}

static void take_ascending(struct key_reader *r, const struct type *t, struct buf *out, int depth);

/* One length-prefixed value of a collection. */
static void take_sized(struct key_reader *r, const struct type *t, struct buf *out, int depth)
{
    size_t at = out->len;
    buf_be(out, 0, 4);
    take_ascending(r, t, out, depth + 1);
    if (!out->err) buf_set_be(out, at, out->len - at - 4, 4);
}

static void take_elements(struct key_reader *r, const struct type *t, struct buf *out, int depth)
{
    size_t at = out->len;
    uint32_t count = 0, each = t->kind == TYPE_MAP ? 2 : 1;
    buf_be(out, 0, 4);
    for (uint8_t mark; !r->err && !out->err && (mark = key_take_byte(r)) != ELEMENTS_END; count++) {
        if (mark == ELEMENT_NULL)
            buf_be(out, 0xffffffffU, 4);
        else
            take_sized(r, t->items[count % each], out, depth);
    }
    if (!out->err) buf_set_be(out, at, count / each, 4);
}

static void take_fields(struct key_reader *r, const struct type *t, struct buf *out, int depth)
{
    for (uint16_t i = 0; i < t->count && !r->err; i++) {
        if (key_take_byte(r))
            take_sized(r, t->items[i], out, depth);
        else
            buf_be(out, 0xffffffffU, 4);
    }
}

static void take_ascending(struct key_reader *r, const struct type *t, struct buf *out, int depth)
{
    int fixed = (int)type_fixed_size(t);
    uint64_t sign = fixed && fixed <= 8 ? 1ULL << (fixed * 8 - 1) : 0, v;
    if (depth > TYPE_DEPTH_MAX) r->err = ERR_TOO_DEEP;
    if (r->err) return;
    switch ((enum order)order_of[t->kind]) {
    case ORDER_RAW: buf_be(out, key_take_be(r, fixed), fixed); return;
    case ORDER_SIGNED: buf_be(out, key_take_be(r, fixed) ^ sign, fixed); return;
    case ORDER_FLOAT:
        v = key_take_be(r, fixed);
        buf_be(out, v & sign ? v ^ sign : ~v, fixed);
        return;
    case ORDER_ESCAPED: key_take_escaped(r, out); return;
    case ORDER_UUID: take_uuid(r, false, out); return;
    case ORDER_TIMEUUID: take_uuid(r, true, out); return;
    case ORDER_VARINT: key_take_varint(r, out); return;
    case ORDER_DECIMAL: key_take_decimal(r, out); return;
    case ORDER_ELEMENTS: take_elements(r, t, out, depth); return;
    case ORDER_FIELDS: take_fields(r, t, out, depth); return;
    case ORDER_NONE: break;
    }
    r->err = ERR_CORRUPT;
}

void key_take_order(struct key_reader *r, const struct type *t, bool descending, struct buf *out)
{
    r->flip = descending ? 0xff : 0;
    take_ascending(r, t, out, 0);
    r->flip = 0;
    if (!r->err) r->err = out->err;
}

void key_take_partition(struct key_reader *r, const struct type *t, struct buf *out)
{
    uint32_t fixed = type_fixed_size(t);
    if (!fixed) {
        key_take_escaped(r, out);
    } else if ((size_t)(r->end - r->at) < fixed) {
        r->err = ERR_CORRUPT;
    } else {
        buf_put(out, r->at, fixed);
        r->at += fixed;
    }
    if (!r->err) r->err = out->err;
}
