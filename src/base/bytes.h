/* bytes: reading untrusted bytes and writing bytes, both sticky and both bounded.
 *
 * Sticky: the first bad read or the first write past the limit sets `err`; later reads yield zero
 * and later writes do nothing. A codec goes straight through and asks once, at the end.
 */
#pragma once
#include "base/mem.h"

struct cursor {
    const uint8_t *at, *end;
    err_t err;
};

static inline struct cursor cursor_of(struct slice s)
{
    /* Even NULL + 0 is undefined in C, and a null slice is an everyday thing. */
    return (struct cursor){s.at, s.at ? s.at + s.len : NULL, ERR_OK};
}
static inline size_t cursor_left(const struct cursor *c)
{
    return (size_t)(c->end - c->at);
}
static inline bool cursor_need(struct cursor *c, uint64_t n)
{
    if (c->err == ERR_OK && n > cursor_left(c)) c->err = ERR_SHORT;
    return c->err == ERR_OK;
}
/* Inline, as are the small ones below: with a known number of bytes they are a few instructions,
 * and every row and message is read and written by them. */
static inline uint64_t cursor_be(struct cursor *c, int bytes)
{
    uint64_t v = 0;
    if (!cursor_need(c, (uint64_t)bytes)) return 0;
    for (int i = 0; i < bytes; i++) v = v << 8 | c->at[i];
    c->at += bytes;
    return v;
}
static inline uint64_t cursor_le(struct cursor *c, int bytes)
{
    uint64_t v = 0;
    if (!cursor_need(c, (uint64_t)bytes)) return 0;
    for (int i = bytes - 1; i >= 0; i--) v = v << 8 | c->at[i];
    c->at += bytes;
    return v;
}
static inline int8_t cursor_i8(struct cursor *c)
{
    return (int8_t)cursor_be(c, 1);
}
static inline int16_t cursor_i16(struct cursor *c)
{
    return (int16_t)cursor_be(c, 2);
}
static inline int32_t cursor_i32(struct cursor *c)
{
    return (int32_t)cursor_be(c, 4);
}
static inline int64_t cursor_i64(struct cursor *c)
{
    return (int64_t)cursor_be(c, 8);
}
uint64_t cursor_uvarint(struct cursor *c); /* LEB128 as Protobuf and Kafka write it */
int64_t cursor_varint(struct cursor *c);   /* zigzag */
static inline struct slice cursor_slice(struct cursor *c, uint64_t len)
{
    if (len > UINT32_MAX && c->err == ERR_OK) c->err = ERR_TOO_BIG;
    if (!cursor_need(c, len)) return (struct slice){0};
    struct slice s = {c->at, (uint32_t)len};
    if (len) c->at += len; /* of a null slice, not even 0 bytes on */
    return s;
}

/* A growing run of bytes with a ceiling. Text and binary alike. */
struct buf {
    uint8_t *at;
    size_t len, cap, limit;
    err_t err;
    bool borrowed; /* `at` belongs to the caller: never grown, never freed */
};

static inline struct buf buf_make(size_t limit)
{
    return (struct buf){.limit = limit};
}
static inline struct buf buf_over(void *memory, size_t size) /* writes into the caller's memory */
{
    return (struct buf){.at = (uint8_t *)memory, .cap = size, .limit = size, .borrowed = true};
}
void buf_done(struct buf *b); /* gives the memory back */
static inline void buf_reset(struct buf *b)
{
    b->len = 0;
    b->err = ERR_OK;
}
bool buf_extend(struct buf *b, size_t more); /* buf_reserve's rest: there is not room enough */
static inline bool buf_reserve(struct buf *b, size_t more) /* room for `more`; false sets err */
{
    return !b->err && more <= b->cap - b->len ? true : buf_extend(b, more);
}
/* len += more; the new bytes, or NULL */
static inline uint8_t *buf_grow(struct buf *b, size_t more)
{
    if (!buf_reserve(b, more) || !b->at) return NULL; /* no bytes yet, and none asked for */
    b->len += more;
    return b->at + b->len - more;
}
static inline void buf_put(struct buf *b, const void *bytes, size_t len)
{
    if (len == 0 || !buf_reserve(b, len)) return;
    memcpy(b->at + b->len, bytes, len);
    b->len += len;
}
static inline void buf_be(struct buf *b, uint64_t v, int bytes)
{
    uint8_t *to = buf_grow(b, (size_t)bytes);
    for (int i = 0; to && i < bytes; i++) to[i] = (uint8_t)(v >> (8 * (bytes - 1 - i)));
}
static inline void buf_le(struct buf *b, uint64_t v, int bytes)
{
    uint8_t *to = buf_grow(b, (size_t)bytes);
    for (int i = 0; to && i < bytes; i++) to[i] = (uint8_t)(v >> (8 * i));
}
void buf_uvarint(struct buf *b, uint64_t v);
void buf_varint(struct buf *b, int64_t v);                        /* zigzag */
void buf_set_be(struct buf *b, size_t at, uint64_t v, int bytes); /* patch what was written */
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
void buf_vprintf(struct buf *b, const char *fmt, va_list args);
static inline void buf_char(struct buf *b, char c)
{
    buf_put(b, &c, 1);
}
static inline void buf_text(struct buf *b, const char *text)
{
    buf_put(b, text, strlen(text));
}
static inline void buf_slice(struct buf *b, struct slice s)
{
    buf_put(b, s.at, s.len);
}
static inline struct slice buf_view(const struct buf *b)
{
    return slice_make(b->at, b->len);
}
const char *buf_cstr(struct buf *b); /* NUL-terminated view; "" when it failed */
int uvarint_size(uint64_t v);
