/* Private to wire/cql: reading a body, sticky and bounded, with the words of the first failure. */
#pragma once
#include "wire/cql/cql.h"

enum { NATIVE_WORDS = 200 };

struct native_in {
    const uint8_t *at, *end;
    struct arena *arena;
    uint8_t version;
    err_t err; /* the first failure … */
    char words[NATIVE_WORDS];
};

static inline struct native_in native_in_of(struct slice body, uint8_t version, struct arena *a)
{
    struct native_in in;
    in.at = body.at ? body.at : (const uint8_t *)"";
    in.end = in.at + (body.at ? body.len : 0);
    in.arena = a;
    in.version = version;
    in.err = ERR_OK;
    in.words[0] = 0;
    return in;
}
/* Sets the failure, once; from then on everything reads as zero. */
void native_in_fail(struct native_in *in, err_t e, const char *words, ...) PRINTF_LIKE(3, 4);
err_t native_in_end(const struct native_in *in, struct diag *d); /* ERR_OK, or the failure told */

static inline bool native_need(struct native_in *in, size_t n, const char *words)
{
    if (__builtin_expect((size_t)(in->end - in->at) >= n, 1)) return true;
    if (!in->err) native_in_fail(in, ERR_PROTOCOL, "%s", words);
    in->at = in->end;
    return false;
}
static inline uint8_t native_u8(struct native_in *in)
{
    if (!native_need(in, 1, "Not enough bytes to read a byte")) return 0;
    return *in->at++;
}
static inline uint16_t native_u16(struct native_in *in)
{
    if (!native_need(in, 2, "Not enough bytes to read a 2 bytes integer")) return 0;
    uint16_t v = (uint16_t)(in->at[0] << 8 | in->at[1]);
    in->at += 2;
    return v;
}
static inline uint32_t native_u32(struct native_in *in)
{
    uint32_t v;
    if (!native_need(in, 4, "Not enough bytes to read a 4 bytes integer")) return 0;
    memcpy(&v, in->at, 4);
    in->at += 4;
    return __builtin_bswap32(v);
}
static inline uint64_t native_u64(struct native_in *in)
{
    uint64_t v;
    if (!native_need(in, 8, "Not enough bytes to read an 8 bytes integer")) return 0;
    memcpy(&v, in->at, 8);
    in->at += 8;
    return __builtin_bswap64(v);
}
static inline struct slice native_raw(struct native_in *in, size_t n, const char *words)
{
    if (!native_need(in, n, words)) return (struct slice){in->at, 0};
    struct slice s = slice_make(in->at, n);
    in->at += n;
    return s;
}
static inline struct slice native_short_bytes(struct native_in *in)
{
    static const char words[] =
        "Not enough bytes to read a byte array preceded by its 2 bytes length";
    if (!native_need(in, 2, words)) return (struct slice){in->at, 0};
    uint16_t n = native_u16(in);
    return native_raw(in, n, words);
}
struct slice native_string(struct native_in *in);      /* checked to be UTF-8 */
struct slice native_long_string(struct native_in *in); /* the same */
struct slice native_bytes(struct native_in *in);       /* at NULL: null */
/* `count` items of `size` from the arena, zeroed; never more than the bytes that are left could
 * hold, when an item takes `least` of them. NULL: failed, or count is 0. */
void *native_items(struct native_in *in, uint32_t count, size_t size, size_t least);
const struct slice *native_strings(struct native_in *in, uint32_t *count); /* [string list] */
const struct native_pair *native_bytes_map(struct native_in *in, uint32_t *count);
void native_strings_put(struct buf *out, const struct slice *strings, uint32_t count);
void native_bytes_map_put(struct buf *out, const struct native_pair *pairs, uint32_t count);

const struct type *native_type_of(struct native_in *in, int depth);
const struct type *native_type_of_class(struct slice class_name); /* NULL: unknown here */

/* The code that is sent in this version instead, or the same. */
int32_t native_code_in(int32_t code, uint8_t version);
void native_error_read(struct native_in *in, struct native_error *out);
void native_change_read(struct native_in *in, struct native_change *out);
uint16_t native_consistency_read(struct native_in *in);
