/* The fuzz kit: a target is one function over bytes; libFuzzer calls it. The corpus in corpus/NAME
 * is what it starts from; what it finds becomes a unit test. */
#pragma once
#include "base/bytes.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* A copy of exactly that size, so that the sanitizer sees the first byte read past it; with
 * `padding` zero bytes behind it where the reader is allowed to look. */
static inline uint8_t *fuzz_copy(const uint8_t *bytes, size_t size, size_t padding)
{
    uint8_t *copy = mem_take(size + padding);
    if (!copy) abort();
    if (size) memcpy(copy, bytes, size);
    return copy;
}
