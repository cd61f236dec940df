/* The fuzz kit: a target is one function over bytes; libFuzzer calls it. The corpus in corpus/NAME
 * is what it starts from; what it finds becomes a unit test. */
#pragma once
#include "base/bytes.h"
#include "base/hash.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

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

/* A file of this process's own with these bytes behind `head`; removed at the end. */
static char fuzz_path[64];

static inline void fuzz_unlink(void)
{
    unlink(fuzz_path);
}

static inline const char *fuzz_file(const void *head, size_t head_size, const uint8_t *bytes,
                                    size_t size)
{
    if (!fuzz_path[0]) {
        snprintf(fuzz_path, sizeof(fuzz_path), "/tmp/sluice-fuzz-%d.file", (int)getpid());
        atexit(fuzz_unlink);
    }
    int fd = open(fuzz_path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || write(fd, head, head_size) != (ssize_t)head_size ||
        write(fd, bytes, size) != (ssize_t)size)
        abort();
    close(fd);
    return fuzz_path;
}

/* Kafka's record batches, one behind another, get the CRC that fits: a mutation then meets the code
 * behind that check. What is no batch stays as it is. */
static inline void fuzz_seal_batches(uint8_t *at, size_t size)
{
    while (size >= 61) {
        size_t length = (size_t)at[8] << 24 | (size_t)at[9] << 16 | (size_t)at[10] << 8 | at[11];
        if (length < 49 || length > size - 12) return;
        uint32_t crc = crc32c(0, at + 21, length - 9);
        for (int i = 0; i < 4; i++) at[17 + i] = (uint8_t)(crc >> (24 - 8 * i));
        at += length + 12;
        size -= length + 12;
    }
}
