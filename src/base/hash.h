/* hash: checksums, hashes, digests, UUIDs, random numbers; each with its original's vectors as
 * test. */
#pragma once
#include "base/bytes.h"

uint32_t crc32c(uint32_t seed /* 0 at first, or the last answer */, const void *bytes,
                size_t len);                                      /* by hardware */
uint32_t crc32_zip(uint32_t seed, const void *bytes, size_t len); /* zip's, gzip's, CQL's */
uint64_t hash64(struct slice s, uint64_t seed);                   /* XXH3 */
int32_t murmur2_kafka(struct slice s);                            /* Kafka's default partitioner */
int32_t kafka_partition_of(struct slice key, int32_t partitions); /* toPositive(murmur2) % n */
int64_t murmur3_token(
    struct slice partition_key); /* Cassandra's token, its signed quirk included */

void digest_md5(struct slice s, uint8_t out[16]);
void digest_sha1(struct slice s, uint8_t out[20]);
void digest_sha256(struct slice s, uint8_t out[32]);
void digest_sha512(struct slice s, uint8_t out[64]);
void digest_hmac_sha256(struct slice key, struct slice s, uint8_t out[32]);
void put_hex(struct buf *out, const void *bytes, size_t len); /* lower case */
bool parse_hex(struct slice text, uint8_t *out, size_t len);  /* exactly len bytes */
void put_base64(struct buf *out, struct slice s);
MUST_CHECK err_t parse_base64(struct slice text, struct buf *out);

struct uuid {
    uint8_t at[16];
};
struct uuid uuid_v1(int64_t now_100ns /* since 1582-10-15 */, uint16_t clock_sequence,
                    const uint8_t node[6]);
struct uuid uuid_v4(const uint8_t random[16]);
struct uuid uuid_v5(struct uuid space, struct slice name);
struct uuid uuid_v7(int64_t now_ms, const uint8_t random[10]);
bool uuid_parse(struct slice text, struct uuid *out); /* 8-4-4-4-12, any case */
void uuid_print(struct uuid u, char out[37]);
int uuid_version(struct uuid u);
int64_t uuid_v1_ms(struct uuid u); /* a v1's time */

/* Seeded, the same everywhere; not for secrets. */
struct rng {
    uint64_t s[4];
};
struct rng rng_make(uint64_t seed); /* xoshiro256++ seeded by splitmix64 */
uint64_t rng_next(struct rng *r);
uint64_t rng_below(struct rng *r, uint64_t n); /* 0 … n-1, no bias that matters */
double rng_unit(struct rng *r);                /* [0, 1) */
