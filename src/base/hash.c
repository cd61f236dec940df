#include "base/hash.h"

#define XXH_INLINE_ALL /* short keys are most of what is hashed: no call through the library */
#include <xxhash.h>

uint64_t hash64(struct slice s, uint64_t seed)
{
    return XXH3_64bits_withSeed(s.len ? (const void *)s.at : "", s.len, seed);
}

/* MurmurHash2 as Kafka's clients have it (org.apache.kafka.common.utils.Utils): same seed, same
 * little-endian words, so that a key goes to the same partition whoever produces it. */
int32_t murmur2_kafka(struct slice s)
{
    const uint32_t mix = 0x5bd1e995;
    uint32_t h = 0x9747b28cu ^ s.len;
    const uint8_t *p = s.at;
    for (uint32_t words = s.len / 4; words; words--, p += 4) {
        uint32_t k =
            (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
        k *= mix;
        k ^= k >> 24;
        k *= mix;
        h *= mix;
        h ^= k;
    }
    uint32_t tail = s.len % 4;
    if (tail > 2) h ^= (uint32_t)p[2] << 16;
    if (tail > 1) h ^= (uint32_t)p[1] << 8;
    if (tail > 0) {
        h ^= p[0];
        h *= mix;
    }
    h ^= h >> 13;
    h *= mix;
    h ^= h >> 15;
    return (int32_t)h;
}

int32_t kafka_partition_of(struct slice key, int32_t partitions)
{
    INVARIANT(partitions > 0);
    return (murmur2_kafka(key) & INT32_MAX) % partitions;
}

static uint64_t rotate(uint64_t v, int bits)
{
    return v << bits | v >> (64 - bits);
}

static uint64_t word_le(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof(v)); /* this program runs on little-endian machines only */
    return v;
}
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "on-disk forms assume little endian");

enum { MURMUR3_BLOCK = 16 };
static const uint64_t mix1 = 0x87c37b91114253d5u, mix2 = 0x4cf5ad432745937fu;

static uint64_t scramble1(uint64_t k)
{
    return rotate(k * mix1, 31) * mix2;
}
static uint64_t scramble2(uint64_t k)
{
    return rotate(k * mix2, 33) * mix1;
}

static uint64_t avalanche(uint64_t k)
{
    k = (k ^ k >> 33) * 0xff51afd7ed558ccdu;
    k = (k ^ k >> 33) * 0xc4ceb9fe1a85ec53u;
    return k ^ k >> 33;
}

/* Cassandra's quirk: the bytes of the last, partial block are taken as signed, so that a byte above
 * 0x7f floods the higher bits. Whole blocks are read as everybody reads them. */
static uint64_t signed_tail(const uint8_t *p, uint32_t len)
{
    uint64_t k = 0;
    for (uint32_t i = 0; i < len; i++) k ^= (uint64_t)(int64_t)(int8_t)p[i] << (8 * i);
    return k;
}

int64_t murmur3_token(struct slice key)
{
    if (key.len == 0) return INT64_MIN; /* the minimum token, which no other key has */
    uint64_t h1 = 0, h2 = 0;
    const uint8_t *p = key.at;
    for (uint32_t blocks = key.len / MURMUR3_BLOCK; blocks; blocks--, p += MURMUR3_BLOCK) {
        h1 ^= scramble1(word_le(p));
        h1 = (rotate(h1, 27) + h2) * 5 + 0x52dce729;
        h2 ^= scramble2(word_le(p + 8));
        h2 = (rotate(h2, 31) + h1) * 5 + 0x38495ab5;
    }
    uint32_t tail = key.len % MURMUR3_BLOCK;
    if (tail > 8) h2 ^= scramble2(signed_tail(p + 8, tail - 8));
    if (tail > 0) h1 ^= scramble1(signed_tail(p, MIN(tail, 8u)));
    h1 ^= key.len;
    h2 ^= key.len;
    h1 += h2;
    h2 += h1;
    int64_t token = (int64_t)(avalanche(h1) + avalanche(h2));
    return token == INT64_MIN ? INT64_MAX : token;
}
