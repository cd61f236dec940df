#include "base/hash.h"

#include <isa-l/crc.h>
#include <limits.h>

uint32_t crc32c(uint32_t seed, const void *bytes, size_t len)
{
    /* ISA-L neither inverts at the start nor at the end, takes a length as int, and never writes
     * through the pointer although it is not const. */
    const uint8_t *at = bytes;
    uint32_t state = ~seed;
    while (len) {
        int part = (int)MIN(len, (size_t)INT_MAX);
        state = crc32_iscsi((unsigned char *)(uintptr_t)at, part, state);
        at += part;
        len -= (size_t)part;
    }
    return ~state;
}

uint32_t crc32_zip(uint32_t seed, const void *bytes, size_t len)
{
    return crc32_gzip_refl(seed, bytes, len);
}
