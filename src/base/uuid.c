#define OPENSSL_SUPPRESS_DEPRECATED /* as in digest.c */
#include "base/hash.h"

#include <openssl/sha.h>

/* RFC 9562: the version's four bits and the variant's two. */
static struct uuid stamped(struct uuid u, int version)
{
    u.at[6] = (uint8_t)((u.at[6] & 0x0f) | version << 4);
    u.at[8] = (uint8_t)((u.at[8] & 0x3f) | 0x80);
    return u;
}

static void put_be(uint8_t *to, uint64_t v, int bytes)
{
    for (int i = 0; i < bytes; i++) to[i] = (uint8_t)(v >> (8 * (bytes - 1 - i)));
}

struct uuid uuid_v1(int64_t now_100ns, uint16_t clock_sequence, const uint8_t node[6])
{
    struct uuid u;
    uint64_t t = (uint64_t)now_100ns;
    put_be(u.at, t & 0xffffffff, 4);
    put_be(u.at + 4, t >> 32 & 0xffff, 2);
    put_be(u.at + 6, t >> 48, 2);
    put_be(u.at + 8, clock_sequence, 2);
    memcpy(u.at + 10, node, 6);
    return stamped(u, 1);
}

struct uuid uuid_v4(const uint8_t random[16])
{
    struct uuid u;
    memcpy(u.at, random, sizeof(u.at));
    return stamped(u, 4);
}

struct uuid uuid_v5(struct uuid space, struct slice name)
{
    struct uuid u;
    uint8_t digest[20];
    SHA_CTX c;
    SHA1_Init(&c);
    SHA1_Update(&c, space.at, sizeof(space.at));
    SHA1_Update(&c, name.at, name.len);
    SHA1_Final(digest, &c);
    memcpy(u.at, digest, sizeof(u.at));
    return stamped(u, 5);
}

struct uuid uuid_v7(int64_t now_ms, const uint8_t random[10])
{
    struct uuid u;
    put_be(u.at, (uint64_t)now_ms, 6);
    memcpy(u.at + 6, random, 10);
    return stamped(u, 7);
}

/* Where each byte's two digits stand in 8-4-4-4-12. */
static const uint8_t digit_at[16] = {0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34};

#define X 0x80 /* no digit: shows in the high bit of whatever it is or-ed into */
static const uint8_t hex_value[256] = {
    X, X, X, X, X, X, X, X,  X,  X,  X,  X,  X,  X,  X,  X,  X, X, X, X, X, X, X, X, X, X, X, X, X,
    X, X, X, X, X, X, X, X,  X,  X,  X,  X,  X,  X,  X,  X,  X, X, X, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9,
    X, X, X, X, X, X, X, 10, 11, 12, 13, 14, 15, X,  X,  X,  X, X, X, X, X, X, X, X, X, X, X, X, X,
    X, X, X, X, X, X, X, X,  X,  X,  10, 11, 12, 13, 14, 15, X, X, X, X, X, X, X, X, X, X, X, X, X,
    X, X, X, X, X, X, X, X,  X,  X,  X,  X,  X,  X,  X,  X,  X, X, X, X, X, X, X, X, X, X, X, X, X,
    X, X, X, X, X, X, X, X,  X,  X,  X,  X,  X,  X,  X,  X,  X, X, X, X, X, X, X, X, X, X, X, X, X,
    X, X, X, X, X, X, X, X,  X,  X,  X,  X,  X,  X,  X,  X,  X, X, X, X, X, X, X, X, X, X, X, X, X,
    X, X, X, X, X, X, X, X,  X,  X,  X,  X,  X,  X,  X,  X,  X, X, X, X, X, X, X, X, X, X, X, X, X,
    X, X, X, X, X, X, X, X,  X,  X,  X,  X,  X,  X,  X,  X,  X, X, X, X, X, X, X, X};
#undef X

bool uuid_parse(struct slice text, struct uuid *out)
{
    const uint8_t *t = text.at;
    if (text.len != 36 || t[8] != '-' || t[13] != '-' || t[18] != '-' || t[23] != '-') return false;
    uint8_t bad = 0;
    for (size_t i = 0; i < 16; i++) {
        uint8_t high = hex_value[t[digit_at[i]]], low = hex_value[t[digit_at[i] + 1]];
        bad |= high | low;
        out->at[i] = (uint8_t)(high << 4 | low);
    }
    return !(bad & 0x80);
}

void uuid_print(struct uuid u, char out[37])
{
    static const char digits[] = "0123456789abcdef";
    out[8] = out[13] = out[18] = out[23] = '-';
    out[36] = 0;
    for (size_t i = 0; i < 16; i++) {
        out[digit_at[i]] = digits[u.at[i] >> 4];
        out[digit_at[i] + 1] = digits[u.at[i] & 15];
    }
}

int uuid_version(struct uuid u)
{
    return u.at[6] >> 4;
}

int64_t uuid_v1_ms(struct uuid u)
{
    const int64_t epoch_100ns = 0x01b21dd213814000; /* 1582-10-15 to 1970-01-01 */
    struct cursor c = cursor_of(slice_make(u.at, 8));
    uint64_t low = cursor_be(&c, 4), mid = cursor_be(&c, 2), high = cursor_be(&c, 2) & 0x0fff;
    return ((int64_t)(high << 48 | mid << 32 | low) - epoch_100ns) / 10000;
}
