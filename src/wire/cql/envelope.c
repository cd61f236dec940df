/* What stands around a message: its head, and before version 5 the body's compression. */
#include "wire/cql/cql_int.h"

#include <lz4.h>
#include <snappy-c.h>

void native_head_read(const uint8_t at[NATIVE_HEAD_SIZE], struct native_head *out)
{
    out->version = at[0] & 0x7f;
    out->response = at[0] & 0x80;
    out->flags = at[1];
    out->stream = (int16_t)(at[2] << 8 | at[3]);
    out->opcode = at[4];
    out->length = (int32_t)((uint32_t)at[5] << 24 | (uint32_t)at[6] << 16 | (uint32_t)at[7] << 8 |
                            (uint32_t)at[8]);
}

void native_head_write(uint8_t at[NATIVE_HEAD_SIZE], const struct native_head *h)
{
    at[0] = (uint8_t)(h->version | (h->response ? 0x80 : 0));
    at[1] = h->flags;
    at[2] = (uint8_t)((uint16_t)h->stream >> 8);
    at[3] = (uint8_t)h->stream;
    at[4] = h->opcode;
    for (int i = 0; i < 4; i++) at[5 + i] = (uint8_t)((uint32_t)h->length >> (24 - 8 * i));
}

size_t native_begin(struct buf *out, const struct native_head *h)
{
    size_t begun = out->len;
    uint8_t *at = buf_grow(out, NATIVE_HEAD_SIZE);
    if (at) native_head_write(at, h);
    return begun;
}

err_t native_end(struct buf *out, size_t begun)
{
    if (out->err) return out->err;
    size_t size = out->len - begun - NATIVE_HEAD_SIZE;
    if (size > NATIVE_BODY_MAX) return ERR_TOO_BIG;
    buf_set_be(out, begun + 5, size, 4);
    return ERR_OK;
}

/* --- compression ------------------------------------------------------------------------------ */

enum { LZ4_SIZE = 4, LZ4_RATIO_MAX = 255, SNAPPY_RATIO_MAX = 64 };

bool native_compression_of(struct slice name, enum native_compression *out)
{
    bool lz4 = slice_equal_nocase(name, SLICE("lz4"));
    if (!lz4 && !slice_equal_nocase(name, SLICE("snappy"))) return false;
    *out = lz4 ? NATIVE_LZ4 : NATIVE_SNAPPY;
    return true;
}

/* What the packed bytes say they become; false: that can not be so. */
static bool unpacked_size(enum native_compression c, struct slice body, size_t *size)
{
    if (c == NATIVE_SNAPPY)
        return snappy_uncompressed_length((const char *)body.at, body.len, size) == SNAPPY_OK &&
               *size <= (size_t)body.len * SNAPPY_RATIO_MAX;
    if (body.len < LZ4_SIZE) return false;
    struct cursor in = cursor_of(body);
    *size = (uint32_t)cursor_i32(&in);
    return *size <= (size_t)(body.len - LZ4_SIZE) * LZ4_RATIO_MAX;
}

static bool unpack_into(enum native_compression c, struct slice body, uint8_t *to, size_t size)
{
    if (c == NATIVE_SNAPPY) {
        size_t room = size;
        return snappy_uncompress((const char *)body.at, body.len, (char *)to, &room) == SNAPPY_OK &&
               room == size;
    }
    int got = LZ4_decompress_safe((const char *)body.at + LZ4_SIZE, (char *)to,
                                  (int)(body.len - LZ4_SIZE), (int)size);
    return got >= 0 && (size_t)got == size;
}

err_t native_unpack(enum native_compression c, struct slice body, uint32_t limit, struct arena *a,
                    struct slice *out, struct diag *d)
{
    const char *name = c == NATIVE_SNAPPY ? "Snappy" : "LZ4";
    size_t size = 0;
    if (c == NATIVE_PLAIN) {
        *out = body;
        return ERR_OK;
    }
    if (body.len > INT32_MAX || !unpacked_size(c, body, &size))
        return diag_fail(d, ERR_PROTOCOL, "Provided frame does not appear to be %s compressed",
                         name);
    if (size > MIN(limit, (uint32_t)INT32_MAX))
        return diag_fail(d, ERR_TOO_BIG,
                         "Request is too big: length %zu exceeds maximum allowed length %u.", size,
                         limit);
    uint8_t *to = arena_take_raw(a, MAX(size, (size_t)1));
    if (!to) return diag_fail(d, ERR_NO_MEMORY, "no memory for a message of %zu bytes", size);
    if (!unpack_into(c, body, to, size))
        return diag_fail(d, ERR_PROTOCOL, "Provided frame does not appear to be %s compressed",
                         name);
    *out = slice_make(to, size);
    return ERR_OK;
}

err_t native_pack(enum native_compression c, struct slice body, struct buf *out)
{
    const char *in = body.at ? (const char *)body.at : "";
    if (c == NATIVE_PLAIN) {
        buf_slice(out, body);
        return out->err;
    }
    if (body.len > LZ4_MAX_INPUT_SIZE) return ERR_TOO_BIG;
    bool lz4 = c == NATIVE_LZ4;
    size_t room =
        lz4 ? (size_t)LZ4_compressBound((int)body.len) : snappy_max_compressed_length(body.len);
    if (lz4) buf_be(out, body.len, LZ4_SIZE);
    if (!buf_reserve(out, room)) return out->err;
    char *to = (char *)out->at + out->len;
    if (lz4) {
        int size = LZ4_compress_default(in, to, (int)body.len, (int)room);
        if (size <= 0) return ERR_NO_MEMORY; /* the bound holds: only memory can be missing */
        room = (size_t)size;
    } else if (snappy_compress(in, body.len, to, &room) != SNAPPY_OK) {
        return ERR_NO_MEMORY;
    }
    out->len += room;
    return ERR_OK;
}
