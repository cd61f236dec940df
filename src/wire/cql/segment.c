/* Segments: the outer framing of version 5, with a checksum over the head and one over the payload.
 * native_protocol_v5.spec, 2; the polynomial is Philip Koopman's 0x1974F0B. */
#include "wire/cql/cql_int.h"

#include "base/hash.h"
#include <lz4.h>

enum {
    CRC24_BEGIN = 0x875060,
    HEAD_PLAIN = 3, /* bytes before the checksum */
    HEAD_LZ4 = 5,
    LENGTH_BITS = 17
};

/* Four bits a step: the checksum of a head takes six or ten. */
static uint32_t crc24(const uint8_t *at, size_t len)
{
    static const uint32_t nibbles[16] = {0x000000, 0x974f0b, 0xb9d11d, 0x2e9e16, 0xe4ed31, 0x73a23a,
                                         0x5d3c2c, 0xca7327, 0x5e9569, 0xc9da62, 0xe74474, 0x700b7f,
                                         0xba7858, 0x2d3753, 0x03a945, 0x94e64e};
    uint32_t crc = CRC24_BEGIN;
    for (size_t i = 0; i < len; i++) {
        crc = (crc << 4 & 0xffffff) ^ nibbles[crc >> 20 ^ at[i] >> 4];
        crc = (crc << 4 & 0xffffff) ^ nibbles[crc >> 20 ^ (at[i] & 15)];
    }
    return crc;
}

static uint64_t get_le(const uint8_t *at, int bytes)
{
    uint64_t v = 0;
    for (int i = bytes - 1; i >= 0; i--) v = v << 8 | at[i];
    return v;
}

static void put_le(uint8_t *at, uint64_t v, int bytes)
{
    for (int i = 0; i < bytes; i++) at[i] = (uint8_t)(v >> (8 * i));
}

uint32_t native_crc_begin(void)
{
    static const uint8_t before[4] = {0xfa, 0x2d, 0x55, 0xca};
    return crc32_zip(0, before, sizeof(before));
}

uint32_t native_crc(uint32_t crc, struct slice part)
{
    return part.len ? crc32_zip(crc, part.at, part.len) : crc;
}

/* --- reading ---------------------------------------------------------------------------------- */

err_t native_segment_read(const uint8_t *at, enum native_compression c, struct native_segment *out,
                          struct diag *d)
{
    int size = c == NATIVE_PLAIN ? HEAD_PLAIN : HEAD_LZ4;
    uint64_t head = get_le(at, size);
    uint32_t read = (uint32_t)get_le(at + size, 3), computed = crc24(at, (size_t)size);
    if (read != computed)
        return diag_fail(d, ERR_CORRUPT,
                         "unrecoverable CRC mismatch detected in frame header. "
                         "Read %d, Computed %d",
                         (int)read, (int)computed);
    *out = (struct native_segment){.size = head & NATIVE_SEGMENT_MAX};
    out->whole = c == NATIVE_PLAIN ? 0 : head >> LENGTH_BITS & NATIVE_SEGMENT_MAX;
    out->packed = out->whole > 0;
    if (!out->packed) out->whole = out->size;
    out->self_contained = head >> (c == NATIVE_PLAIN ? LENGTH_BITS : 2 * LENGTH_BITS) & 1;
    return ERR_OK;
}

err_t native_segment_check(const struct native_segment *s, const uint8_t *at, uint8_t *unpacked,
                           struct slice *payload, struct diag *d)
{
    struct slice sent = slice_make(at, s->size);
    uint32_t read = (uint32_t)get_le(at + s->size, NATIVE_SEGMENT_TAIL);
    uint32_t computed = native_crc(native_crc_begin(), sent);
    if (read != computed)
        return diag_fail(d, ERR_CORRUPT,
                         "unrecoverable CRC mismatch detected in frame body. "
                         "Read %d, Computed %d",
                         (int)read, (int)computed);
    *payload = sent;
    if (!s->packed) return ERR_OK;
    int got = LZ4_decompress_safe((const char *)at, (char *)unpacked, (int)s->size, (int)s->whole);
    if (got < 0 || (uint32_t)got != s->whole)
        return diag_fail(d, ERR_CORRUPT, "the segment's payload is not LZ4 of %u bytes", s->whole);
    *payload = slice_make(unpacked, s->whole);
    return ERR_OK;
}

/* --- writing ---------------------------------------------------------------------------------- */

void native_segment_head_put(uint8_t at[NATIVE_SEGMENT_HEAD], uint32_t size, bool self_contained)
{
    put_le(at, size | (uint32_t)self_contained << LENGTH_BITS, HEAD_PLAIN);
    put_le(at + HEAD_PLAIN, crc24(at, HEAD_PLAIN), 3);
}

void native_segment_tail_put(uint8_t at[NATIVE_SEGMENT_TAIL], uint32_t crc)
{
    put_le(at, crc, NATIVE_SEGMENT_TAIL);
}

size_t native_segment_begin(struct buf *out)
{
    size_t begun = out->len;
    buf_grow(out, NATIVE_SEGMENT_HEAD);
    return begun;
}

err_t native_segment_end(struct buf *out, size_t begun, bool self_contained)
{
    if (out->err) return out->err;
    size_t size = out->len - begun - NATIVE_SEGMENT_HEAD;
    if (size > NATIVE_SEGMENT_MAX) return ERR_TOO_BIG;
    struct slice payload = slice_make(out->at + begun + NATIVE_SEGMENT_HEAD, size);
    uint32_t crc = native_crc(native_crc_begin(), payload);
    native_segment_head_put(out->at + begun, (uint32_t)size, self_contained);
    uint8_t *tail = buf_grow(out, NATIVE_SEGMENT_TAIL);
    if (tail) native_segment_tail_put(tail, crc);
    return out->err;
}

static void put_plain(struct buf *out, struct slice part, bool self_contained)
{
    uint8_t *at = buf_grow(out, (size_t)NATIVE_SEGMENT_HEAD + part.len + NATIVE_SEGMENT_TAIL);
    if (!at) return;
    native_segment_head_put(at, part.len, self_contained);
    if (part.len) memcpy(at + NATIVE_SEGMENT_HEAD, part.at, part.len);
    native_segment_tail_put(at + NATIVE_SEGMENT_HEAD + part.len,
                            native_crc(native_crc_begin(), part));
}

static void put_lz4(struct buf *out, struct slice part, bool self_contained)
{
    int bound = LZ4_compressBound((int)part.len);
    if (!buf_reserve(out, (size_t)NATIVE_SEGMENT_HEAD_LZ4 + (size_t)bound + NATIVE_SEGMENT_TAIL))
        return;
    uint8_t *at = out->at + out->len, *payload = at + NATIVE_SEGMENT_HEAD_LZ4;
    const char *in = part.at ? (const char *)part.at : "";
    int packed = LZ4_compress_default(in, (char *)payload, (int)part.len, bound);
    uint32_t size = part.len, whole = 0;
    if (packed > 0 && (uint32_t)packed < part.len) {
        size = (uint32_t)packed;
        whole = part.len;
    } else if (part.len) {
        memcpy(payload, part.at, part.len);
    }
    put_le(at, size | (uint64_t)whole << LENGTH_BITS | (uint64_t)self_contained << 2 * LENGTH_BITS,
           HEAD_LZ4);
    put_le(at + HEAD_LZ4, crc24(at, HEAD_LZ4), 3);
    native_segment_tail_put(payload + size,
                            native_crc(native_crc_begin(), slice_make(payload, size)));
    out->len += (size_t)NATIVE_SEGMENT_HEAD_LZ4 + size + NATIVE_SEGMENT_TAIL;
}

err_t native_segments_put(struct buf *out, struct slice messages, enum native_compression c)
{
    bool self_contained = messages.len <= NATIVE_SEGMENT_MAX;
    if (c == NATIVE_SNAPPY) return ERR_UNSUPPORTED; /* not in version 5 */
    for (uint32_t at = 0; at < messages.len && !out->err;) {
        uint32_t n = MIN(messages.len - at, (uint32_t)NATIVE_SEGMENT_MAX);
        struct slice part = slice_make(messages.at + at, n);
        if (c == NATIVE_LZ4)
            put_lz4(out, part, self_contained);
        else
            put_plain(out, part, self_contained);
        at += n;
    }
    return out->err;
}
