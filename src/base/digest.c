/* The low-level functions on purpose: the EVP ones look a provider up and allocate on every call,
 * which costs more than hashing the short texts we have. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "base/hash.h"

#include <openssl/md5.h>
#include <openssl/sha.h>

void digest_md5(struct slice s, uint8_t out[16])
{
    MD5_CTX c;
    MD5_Init(&c);
    MD5_Update(&c, s.at, s.len);
    MD5_Final(out, &c);
}

void digest_sha1(struct slice s, uint8_t out[20])
{
    SHA_CTX c;
    SHA1_Init(&c);
    SHA1_Update(&c, s.at, s.len);
    SHA1_Final(out, &c);
}

void digest_sha256(struct slice s, uint8_t out[32])
{
    SHA256_CTX c;
    SHA256_Init(&c);
    SHA256_Update(&c, s.at, s.len);
    SHA256_Final(out, &c);
}

void digest_sha512(struct slice s, uint8_t out[64])
{
    SHA512_CTX c;
    SHA512_Init(&c);
    SHA512_Update(&c, s.at, s.len);
    SHA512_Final(out, &c);
}

static void keyed_sha256(const uint8_t key[64], uint8_t pad, const void *bytes, size_t len,
                         uint8_t out[32])
{
    uint8_t block[64];
    SHA256_CTX c;
    for (size_t i = 0; i < sizeof(block); i++) block[i] = key[i] ^ pad;
    SHA256_Init(&c);
    SHA256_Update(&c, block, sizeof(block));
    SHA256_Update(&c, bytes, len);
    SHA256_Final(out, &c);
}

void digest_hmac_sha256(struct slice key, struct slice s, uint8_t out[32])
{
    uint8_t block[64] = {0}, inner[32]; /* RFC 2104; SHA-256's block is 64 bytes */
    if (key.len > sizeof(block))
        digest_sha256(key, block);
    else if (key.len)
        memcpy(block, key.at, key.len);
    keyed_sha256(block, 0x36, s.at, s.len, inner);
    keyed_sha256(block, 0x5c, inner, sizeof(inner), out);
}
