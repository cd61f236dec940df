/* What all messages are made of: strings, lists, maps. */
#include "wire/cql/cql_int.h"

#include <stdio.h>

void native_in_fail(struct native_in *in, err_t e, const char *words, ...)
{
    va_list args;
    in->at = in->end;
    if (in->err) return;
    in->err = e;
    va_start(args, words);
    vsnprintf(in->words, sizeof(in->words), words, args);
    va_end(args);
}

err_t native_in_end(const struct native_in *in, struct diag *d)
{
    return in->err ? diag_fail(d, in->err, "%s", in->words) : ERR_OK;
}

/* The length of the well-formed sequence at `at`, 0: there is none. Overlong forms, surrogates and
 * code points past U+10FFFF are none (Unicode, table 3-7). */
static size_t sequence(const uint8_t *at, size_t left)
{
    uint8_t b = at[0], low = 0x80, high = 0xbf;
    size_t n = b < 0x80 ? 1 : b >= 0xc2 && b < 0xe0 ? 2 : b >= 0xe0 && b < 0xf0 ? 3 : 0;
    if (b >= 0xf0 && b < 0xf5) n = 4;
    if (n == 0 || n > left) return 0;
    if (b == 0xe0) low = 0xa0;
    if (b == 0xed) high = 0x9f;
    if (b == 0xf0) low = 0x90;
    if (b == 0xf4) high = 0x8f;
    for (size_t i = 1; i < n; i++, low = 0x80, high = 0xbf)
        if (at[i] < low || at[i] > high) return 0;
    return n;
}

static bool is_utf8(struct slice s)
{
    for (size_t i = 0; i < s.len;) {
        uint64_t eight;
        if (s.len - i >= 8) {
            memcpy(&eight, s.at + i, 8);
            if (!(eight & 0x8080808080808080u)) {
                i += 8;
                continue;
            }
        }
        size_t n = sequence(s.at + i, s.len - i);
        if (n == 0) return false;
        i += n;
    }
    return true;
}

static struct slice checked(struct native_in *in, struct slice s)
{
    enum { SHOWN = 32 };
    char hex[2 * SHOWN + 1] = "";
    if (in->err || is_utf8(s)) return s;
    for (uint32_t i = 0; i < MIN(s.len, (uint32_t)SHOWN); i++)
        snprintf(hex + (size_t)2 * i, 3, "%02x", s.at[i]);
    native_in_fail(in, ERR_PROTOCOL, "Cannot decode string as UTF8: '%s%s'", hex,
                   s.len > SHOWN ? "…" : "");
    return (struct slice){in->at, 0};
}

struct slice native_cut(struct slice s, uint32_t most)
{
    if (s.len <= most) return s;
    while (most > 0 && (s.at[most] & 0xc0) == 0x80) most--;
    return slice_make(s.at, most);
}

struct slice native_string(struct native_in *in)
{
    static const char words[] =
        "Not enough bytes to read an UTF8 serialized string preceded by its 2 bytes length";
    if (!native_need(in, 2, words)) return (struct slice){in->at, 0};
    uint16_t n = native_u16(in);
    return checked(in, native_raw(in, n, words));
}

struct slice native_long_string(struct native_in *in)
{
    static const char words[] =
        "Not enough bytes to read an UTF8 serialized string preceded by its 4 bytes length";
    if (!native_need(in, 4, words)) return (struct slice){in->at, 0};
    uint32_t n = native_u32(in); /* a negative one is larger than what is left */
    return checked(in, native_raw(in, n, words));
}

struct slice native_bytes(struct native_in *in)
{
    uint32_t n = native_u32(in);
    if (n > INT32_MAX) return (struct slice){0};
    return native_raw(in, n,
                      "Not enough bytes to read a byte array preceded by its 4 bytes length");
}

void *native_items(struct native_in *in, uint32_t count, size_t size, size_t least)
{
    if (in->err || count == 0) return NULL;
    if (count > (size_t)(in->end - in->at) / least) {
        native_in_fail(in, ERR_PROTOCOL, "Not enough bytes to read %u items", count);
        return NULL;
    }
    void *items = arena_take(in->arena, count * size);
    if (!items) native_in_fail(in, ERR_TOO_BIG, "The message has more items than fit in memory");
    return items;
}

const struct slice *native_strings(struct native_in *in, uint32_t *count)
{
    uint16_t n = native_u16(in);
    struct slice *strings = native_items(in, n, sizeof(*strings), 2);
    for (uint32_t i = 0; strings && i < n; i++) strings[i] = native_string(in);
    *count = strings && !in->err ? n : 0;
    return strings;
}

const struct native_pair *native_bytes_map(struct native_in *in, uint32_t *count)
{
    uint16_t n = native_u16(in);
    struct native_pair *pairs = native_items(in, n, sizeof(*pairs), 6);
    for (uint32_t i = 0; pairs && i < n; i++) {
        pairs[i].key = native_string(in);
        pairs[i].value = native_bytes(in);
    }
    *count = pairs && !in->err ? n : 0;
    return pairs;
}

void native_strings_put(struct buf *out, const struct slice *strings, uint32_t count)
{
    count = MIN(count, (uint32_t)UINT16_MAX);
    buf_be(out, count, 2);
    for (uint32_t i = 0; i < count; i++) native_string_put(out, strings[i]);
}

void native_bytes_map_put(struct buf *out, const struct native_pair *pairs, uint32_t count)
{
    count = MIN(count, (uint32_t)UINT16_MAX);
    buf_be(out, count, 2);
    for (uint32_t i = 0; i < count; i++) {
        native_string_put(out, pairs[i].key);
        native_bytes_put(out, pairs[i].value);
    }
}

uint16_t native_consistency_read(struct native_in *in)
{
    uint16_t code = native_u16(in);
    if (!in->err && !native_consistency_name(code))
        native_in_fail(in, ERR_PROTOCOL, "Unknown code %u for a consistency level", code);
    return code;
}
