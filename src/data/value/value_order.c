/* The order of values is that of Cassandra's comparators; the hash agrees with it. */
#include "data/value/value_int.h"

#include "base/hash.h"

static int order_u64(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int order_i64(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

/* Java's Double.compare: -0.0 before 0.0, NaN after everything. */
static int order_f64(double a, double b)
{
    if (a < b) return -1;
    if (a > b) return 1;
    if (a == b && a != 0) return 0;
    bool nan_a = a != a, nan_b = b != b;
    if (nan_a || nan_b) return nan_a - nan_b;
    return (__builtin_signbit(b) != 0) - (__builtin_signbit(a) != 0);
}

static uint64_t read_u64(const uint8_t *at)
{
    uint64_t v;
    memcpy(&v, at, 8);
    return __builtin_bswap64(v);
}

/* A version 1 UUID's first eight bytes with the highest part of the time in front. */
static uint64_t time_first(uint64_t high)
{
    return high << 48 | (high << 16 & 0xFFFF00000000) | high >> 32;
}

/* TimeUUIDType: by time, then the other half byte by byte as Java's signed bytes. */
static int order_timeuuid(const uint8_t a[16], const uint8_t b[16])
{
    static const uint64_t signs = 0x8080808080808080;
    int c = order_u64(time_first(read_u64(a)), time_first(read_u64(b)));
    return c ? c : order_u64(read_u64(a + 8) ^ signs, read_u64(b + 8) ^ signs);
}

/* UUIDType: by version, version 1 by time, the rest as unsigned bytes. */
static int order_uuid(const uint8_t a[16], const uint8_t b[16])
{
    int version_a = a[6] >> 4, version_b = b[6] >> 4;
    if (version_a != version_b) return version_a - version_b;
    if (version_a == 1) {
        int c = order_u64(time_first(read_u64(a)), time_first(read_u64(b)));
        if (c) return c;
    }
    return memcmp(a, b, 16);
}

static int order_decimal(struct slice a, struct slice b)
{
    struct number na, nb;
    if (slice_equal(a, b)) return 0;
    bool ok = number_from_decimal(a, &na) && number_from_decimal(b, &nb);
    INVARIANT(ok); /* both were checked when they came in */
    return number_compare(&na, &nb);
}

/* Element by element, the shorter first; a null before all others. */
static int order_nested(const struct value *a, const struct value *b)
{
    struct value_walk wa = value_walk_make(a), wb = value_walk_make(b);
    struct value ia, ib;
    for (;;) {
        bool more_a = value_walk_next(&wa, &ia), more_b = value_walk_next(&wb, &ib);
        if (!more_a || !more_b) return more_a - more_b;
        bool there_a = ia.state == VALID_VALUE, there_b = ib.state == VALID_VALUE;
        int c = there_a && there_b ? value_compare(&ia, &ib) : there_a - there_b;
        if (c) return c;
    }
}

int value_compare(const struct value *a, const struct value *b)
{
    switch (a->type->kind) {
    case TYPE_BOOLEAN: return a->boolean - b->boolean;
    case TYPE_FLOAT: return order_f64((double)a->f32, (double)b->f32);
    case TYPE_DOUBLE: return order_f64(a->f64, b->f64);
    case TYPE_UUID: return order_uuid(a->uuid, b->uuid);
    case TYPE_TIMEUUID: return order_timeuuid(a->uuid, b->uuid);
    case TYPE_VARINT: return varint_compare(a->bytes, b->bytes);
    case TYPE_DECIMAL: return order_decimal(a->bytes, b->bytes);
    case TYPE_LIST:
    case TYPE_SET:
    case TYPE_MAP:
    case TYPE_TUPLE:
    case TYPE_STRUCT: return order_nested(a, b);
    default:
        if (type_phys(a->type) == PHYS_BYTES) return slice_compare(a->bytes, b->bytes);
        return order_i64(a->integer, b->integer);
    }
}

/* --- hash --------------------------------------------------------------------------------------
 */

static uint64_t hash_u64(uint64_t v, uint64_t seed)
{
    uint8_t bytes[8];
    for (int i = 0; i < 8; i++) bytes[i] = (uint8_t)(v >> (8 * i));
    return hash64(slice_make(bytes, sizeof(bytes)), seed);
}

/* 1.0 and 1.00 are one value: digits without trailing zeros, and where the first one stands. */
static uint64_t hash_decimal(struct slice bytes, uint64_t seed)
{
    struct number n;
    bool ok = number_from_decimal(bytes, &n);
    INVARIANT(ok);
    int64_t high = n.count ? n.count - n.scale : 0;
    while (n.count && n.digits[n.count - 1] == 0) n.count--;
    seed = hash_u64((uint64_t)high << 1 | (n.negative && n.count), seed);
    return hash64(slice_make(n.digits, n.count), seed);
}

static uint64_t f64_bits(double v)
{
    uint64_t bits;
    if (v != v) return 0x7ff8000000000000; /* every NaN is one value */
    memcpy(&bits, &v, 8);
    return bits;
}

static uint64_t hash_value(const struct value *v, uint64_t seed)
{
    struct value item;
    if (v->state != VALID_VALUE) return hash_u64(seed, 1);
    switch (v->type->kind) {
    case TYPE_BOOLEAN: return hash_u64(v->boolean, seed);
    case TYPE_FLOAT: return hash_u64(f64_bits((double)v->f32), seed);
    case TYPE_DOUBLE: return hash_u64(f64_bits(v->f64), seed);
    case TYPE_UUID:
    case TYPE_TIMEUUID: return hash64(slice_make(v->uuid, 16), seed);
    case TYPE_VARINT: return hash64(varint_shortest(v->bytes), seed);
    case TYPE_DECIMAL: return hash_decimal(v->bytes, seed);
    case TYPE_LIST:
    case TYPE_SET:
    case TYPE_MAP:
    case TYPE_TUPLE:
    case TYPE_STRUCT: {
        struct value_walk w = value_walk_make(v);
        seed = hash_u64(w.count, seed);
        while (value_walk_next(&w, &item)) seed = hash_value(&item, seed);
        return seed;
    }
    default:
        if (type_phys(v->type) == PHYS_BYTES) return hash64(v->bytes, seed);
        return hash_u64((uint64_t)v->integer, seed);
    }
}

uint64_t value_hash(const struct value *v)
{
    return hash_value(v, 0);
}
