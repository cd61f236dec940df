/* Keys of groups as bytes: each column a byte (0: null) and its value, so that bytes compare as
 * values do: numbers big-endian with their sign turned, texts and blobs ended by 0 0 with 0 written
 * as 0 255. Nulls come first. */
#include "flow/group.h"

static bool is_signed(enum type_kind k)
{
    return k != TYPE_DATE && k != TYPE_BOOLEAN;
}

bool group_key_is_fixed(const struct type *t, uint32_t *size)
{
    enum phys p = type_phys(t);
    if (p == PHYS_BYTES) return false;
    *size = 1 + phys_size(p);
    return true;
}

/* The bits of a double so that they compare as unsigned; -0 is 0, NaN is one and the greatest. */
static uint64_t bits_of_f64(double v)
{
    uint64_t bits;
    if (v == 0) v = 0;
    memcpy(&bits, &v, sizeof(bits));
    if (v != v) bits = 0x7FF8000000000000u;
    return bits >> 63 ? ~bits : bits | (uint64_t)1 << 63;
}

static double f64_of_bits(uint64_t bits)
{
    double v;
    bits = bits >> 63 ? bits & ~((uint64_t)1 << 63) : ~bits;
    memcpy(&v, &bits, sizeof(v));
    return v;
}

/* A float keeps its four bytes: those of the double would come back the same, but take eight. */
static uint32_t bits_of_f32(float v)
{
    uint32_t bits;
    if (v == 0) v = 0;
    memcpy(&bits, &v, sizeof(bits));
    if (v != v) bits = 0x7FC00000u;
    return bits >> 31 ? ~bits : bits | (uint32_t)1 << 31;
}

static float f32_of_bits(uint32_t bits)
{
    float v;
    bits = bits >> 31 ? bits & ~((uint32_t)1 << 31) : ~bits;
    memcpy(&v, &bits, sizeof(v));
    return v;
}

static void put_be(uint8_t *at, uint64_t v, uint32_t size)
{
    for (uint32_t i = size; i-- > 0; v >>= 8) at[i] = (uint8_t)v;
}

static uint64_t get_be(const uint8_t *at, uint32_t size)
{
    uint64_t v = 0;
    for (uint32_t i = 0; i < size; i++) v = v << 8 | at[i];
    return v;
}

static uint64_t bits_of(const struct column *c, uint32_t row)
{
    if (c->type->kind == TYPE_DOUBLE) return bits_of_f64(c->f64[row]);
    if (c->type->kind == TYPE_FLOAT) return bits_of_f32(c->f32[row]);
    uint64_t turn = is_signed(c->type->kind) ? ~(uint64_t)0 : 0;
    switch (type_phys(c->type)) {
    case PHYS_B1: return (uint64_t)(uint8_t)c->i8[row] ^ (turn & 0x80);
    case PHYS_B2: return (uint64_t)(uint16_t)c->i16[row] ^ (turn & 0x8000);
    case PHYS_B4: return (uint64_t)(uint32_t)c->i32[row] ^ (turn & 0x80000000u);
    default: return (uint64_t)c->i64[row] ^ (turn & (uint64_t)1 << 63);
    }
}

/* One column of a fixed size at `at`, `size` with the byte in front. */
static void put_fixed(uint8_t *at, uint32_t size, const struct column *c, uint32_t row)
{
    bool valid = c->state[row] == VALID_VALUE;
    at[0] = valid;
    if (!valid)
        memset(at + 1, 0, size - 1);
    else if (size == 17)
        memcpy(at + 1, c->b16[row], 16);
    else
        put_be(at + 1, bits_of(c, row), size - 1);
}

void group_key_put_fixed(uint8_t *out, uint32_t size, const struct column *columns, uint32_t count,
                         const uint32_t *rows, uint32_t row_count)
{
    for (uint32_t k = 0, at = 0; k < count; k++) {
        const struct column *c = &columns[k];
        uint32_t own = 1;
        (void)!group_key_is_fixed(c->type, &own);
        bool wide = own == 9 && c->type->kind != TYPE_DOUBLE;
        for (uint32_t i = 0; wide && i < row_count; i++) {
            uint32_t row = rows[i];
            uint8_t *to = out + (size_t)i * size + at;
            uint64_t v = (uint64_t)c->i64[row] ^ (uint64_t)1 << 63;
            to[0] = c->state[row] == VALID_VALUE;
            v = to[0] ? __builtin_bswap64(v) : 0;
            memcpy(to + 1, &v, 8);
        }
        for (uint32_t i = 0; !wide && i < row_count; i++)
            put_fixed(out + (size_t)i * size + at, own, c, rows[i]);
        at += own;
    }
}

static void put_bytes(struct buf *out, struct slice s)
{
    while (s.len) {
        const uint8_t *zero = memchr(s.at, 0, s.len);
        uint32_t n = zero ? (uint32_t)(zero - s.at) + 1 : s.len;
        buf_put(out, s.at, n);
        if (zero) buf_be(out, 0xFF, 1);
        s = slice_make(s.at + n, s.len - n);
    }
    buf_be(out, 0, 2);
}

void group_key_put(struct buf *out, const struct column *columns, uint32_t count, uint32_t row)
{
    for (uint32_t k = 0; k < count; k++) {
        const struct column *c = &columns[k];
        uint32_t size;
        bool valid = c->state[row] == VALID_VALUE;
        if (group_key_is_fixed(c->type, &size)) {
            uint8_t *at = buf_grow(out, size);
            if (at) put_fixed(at, size, c, row);
            continue;
        }
        buf_be(out, valid, 1);
        if (valid) put_bytes(out, c->bytes[row]);
    }
}

/* --- back ---------------------------------------------------------------------------------------
 */

static void take_fixed(const uint8_t *at, uint32_t size, struct column *c, uint32_t row)
{
    uint64_t bits = get_be(at, size > 8 ? 8 : size);
    uint64_t turn = is_signed(c->type->kind) ? ~(uint64_t)0 : 0;
    c->state[row] = VALID_VALUE;
    if (c->type->kind == TYPE_DOUBLE) {
        c->f64[row] = f64_of_bits(bits);
        return;
    }
    if (c->type->kind == TYPE_FLOAT) {
        c->f32[row] = f32_of_bits((uint32_t)bits);
        return;
    }
    switch (type_phys(c->type)) {
    case PHYS_B1: c->i8[row] = (int8_t)(bits ^ (turn & 0x80)); break;
    case PHYS_B2: c->i16[row] = (int16_t)(bits ^ (turn & 0x8000)); break;
    case PHYS_B4: c->i32[row] = (int32_t)(bits ^ (turn & 0x80000000u)); break;
    case PHYS_B16: memcpy(c->b16[row], at, 16); break;
    default: c->i64[row] = (int64_t)(bits ^ (turn & (uint64_t)1 << 63));
    }
}

static bool take_bytes(struct cursor *key, struct slice *out, struct arena *a)
{
    uint8_t *made = arena_take_raw(a, cursor_left(key) + 1);
    uint32_t n = 0;
    if (!made) return false;
    for (;;) {
        uint8_t byte = (uint8_t)cursor_be(key, 1);
        if (key->err) return false;
        if (!byte && cursor_be(key, 1) == 0) break;
        made[n++] = byte;
    }
    *out = slice_make(made, n);
    return !key->err;
}

err_t group_key_take(struct slice key, struct column *columns, uint32_t count, uint32_t row,
                     struct arena *a, struct diag *d)
{
    struct cursor at = cursor_of(key);
    for (uint32_t k = 0; k < count; k++) {
        struct column *c = &columns[k];
        uint32_t size;
        uint8_t valid = (uint8_t)cursor_be(&at, 1);
        if (group_key_is_fixed(c->type, &size)) {
            struct slice s = cursor_slice(&at, size - 1);
            if (valid && !at.err) take_fixed(s.at, size - 1, c, row);
        } else if (valid) {
            struct slice s;
            if (!take_bytes(&at, &s, a))
                return diag_fail(d, at.err ? ERR_CORRUPT : ERR_NO_MEMORY, "a group's key");
            c->bytes[row] = s;
            c->state[row] = VALID_VALUE;
        }
    }
    return at.err ? diag_fail(d, ERR_CORRUPT, "a group's key is damaged") : ERR_OK;
}
