/* Hexadecimal and base64: how digests and secrets are written. */
#include "base/hash.h"

static const char hex_digits[] = "0123456789abcdef";

void put_hex(struct buf *out, const void *bytes, size_t len)
{
    const uint8_t *from = bytes;
    if (len > SIZE_MAX / 2) {
        out->err = ERR_TOO_BIG;
        return;
    }
    uint8_t *to = buf_grow(out, len * 2);
    for (size_t i = 0; to && i < len; i++) {
        *to++ = (uint8_t)hex_digits[from[i] >> 4];
        *to++ = (uint8_t)hex_digits[from[i] & 15];
    }
}

static int nibble(uint8_t c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool parse_hex(struct slice text, uint8_t *out, size_t len)
{
    if (text.len != len * 2) return false;
    for (size_t i = 0; i < len; i++) {
        int high = nibble(text.at[2 * i]), low = nibble(text.at[2 * i + 1]);
        if (high < 0 || low < 0) return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void put_base64(struct buf *out, struct slice s)
{
    uint8_t *to = buf_grow(out, ((size_t)s.len + 2) / 3 * 4);
    for (uint32_t i = 0; to && i < s.len; i += 3) {
        uint32_t left = s.len - i;
        uint32_t v = (uint32_t)s.at[i] << 16;
        if (left > 1) v |= (uint32_t)s.at[i + 1] << 8;
        if (left > 2) v |= s.at[i + 2];
        *to++ = (uint8_t)base64_digits[v >> 18];
        *to++ = (uint8_t)base64_digits[v >> 12 & 63];
        *to++ = left > 1 ? (uint8_t)base64_digits[v >> 6 & 63] : '=';
        *to++ = left > 2 ? (uint8_t)base64_digits[v & 63] : '=';
    }
}

static int base64_value(uint8_t c)
{
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* RFC 4648 with padding and nothing else: bits that would be thrown away must be zero, so that one
 * value has one text. */
err_t parse_base64(struct slice text, struct buf *out)
{
    if (text.len % 4) return ERR_MALFORMED;
    uint32_t pads = 0;
    while (pads < 2 && pads < text.len && text.at[text.len - 1 - pads] == '=') pads++;
    for (uint32_t i = 0; i < text.len; i += 4) {
        uint32_t pad = i + 4 == text.len ? pads : 0;
        uint32_t v = 0;
        for (uint32_t j = 0; j < 4; j++) {
            int digit = j >= 4 - pad ? 0 : base64_value(text.at[i + j]);
            if (digit < 0) return ERR_MALFORMED;
            v = v << 6 | (uint32_t)digit;
        }
        if (v & ((1u << (8 * pad)) - 1)) return ERR_MALFORMED;
        buf_be(out, v >> (8 * pad), (int)(3 - pad));
    }
    return out->err;
}
