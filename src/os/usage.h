/* os/usage: what this process takes of the machine, as the kernel counts it (/proc/self).
 *
 * Loop: any thread; a read of all threads takes some 10 us each. Memory: none.
 * Never fails for a thread that ends meanwhile: it is left out.
 */
#pragma once
#include "base/base.h"

struct usage {
    uint64_t rss, rss_peak, swap;       /* bytes; 0: can not be read */
    uint64_t machine;                   /* the machine's memory */
    uint32_t threads, files, files_max; /* open descriptors, and how many there may be */
};
void usage_read(struct usage *out);

struct usage_thread {
    int id;
    char name[16];
    int64_t cpu_ns; /* in the kernel's ticks, 10 ms each */
};
/* Each thread there is, the oldest first, until `each` answers false. */
void usage_threads(bool (*each)(void *ctx, const struct usage_thread *t), void *ctx);
