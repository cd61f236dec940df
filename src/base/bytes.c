#include "base/bytes.h"

#include <stdio.h>

uint64_t cursor_uvarint(struct cursor *c)
{
    uint64_t v = 0;
    for (int shift = 0; shift < 64; shift += 7) {
        if (!cursor_need(c, 1)) return 0;
        uint64_t b = *c->at++;
        if (shift == 63 && b > 1) break; /* would not fit in 64 bits */
        v |= (b & 0x7f) << shift;
        if (b < 0x80) return v;
    }
    c->err = ERR_MALFORMED;
    return 0;
}

int64_t cursor_varint(struct cursor *c)
{
    uint64_t v = cursor_uvarint(c);
    return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

void buf_done(struct buf *b)
{
    if (!b->borrowed) mem_give(b->at);
    *b = (struct buf){.limit = b->limit};
}

bool buf_extend(struct buf *b, size_t more)
{
    if (b->err) return false;
    if (b->borrowed || more > b->limit || b->len > b->limit - more) {
        b->err = ERR_TOO_BIG;
        return false;
    }
    size_t cap = MIN(MAX(MAX(b->cap * 2, b->len + more), (size_t)64), b->limit);
    uint8_t *at = mem_resize(b->at, cap);
    if (!at) {
        b->err = ERR_NO_MEMORY;
        return false;
    }
    b->at = at;
    b->cap = cap;
    return true;
}

void buf_uvarint(struct buf *b, uint64_t v)
{
    uint8_t bytes[10];
    size_t n = 0;
    for (; v >= 0x80; v >>= 7) bytes[n++] = (uint8_t)(v | 0x80);
    bytes[n++] = (uint8_t)v;
    buf_put(b, bytes, n);
}

void buf_varint(struct buf *b, int64_t v)
{
    buf_uvarint(b, (uint64_t)v << 1 ^ (uint64_t)(v >> 63));
}

void buf_set_be(struct buf *b, size_t at, uint64_t v, int bytes)
{
    if (b->err) return;
    assert(at + (size_t)bytes <= b->len);
    for (int i = 0; i < bytes; i++) b->at[at + (size_t)i] = (uint8_t)(v >> (8 * (bytes - 1 - i)));
}

void buf_vprintf(struct buf *b, const char *fmt, va_list args)
{
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    if (n >= 0 && buf_reserve(b, (size_t)n + 1)) { /* vsnprintf ends with a NUL, not counted */
        vsnprintf((char *)b->at + b->len, (size_t)n + 1, fmt, again);
        b->len += (size_t)n;
    }
    va_end(again);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    buf_vprintf(b, fmt, args);
    va_end(args);
}

const char *buf_cstr(struct buf *b)
{
    if (!buf_reserve(b, 1)) return "";
    b->at[b->len] = 0;
    return (const char *)b->at;
}

int uvarint_size(uint64_t v)
{
    int n = 1;
    while (v >>= 7) n++;
    return n;
}
