/* os/usage: what this process takes of the machine, as the kernel counts it (/proc/self).
 *
 * Loop: any thread; a read of all threads takes a system call each, and some 10 us for each whose
 * name is not known yet. Memory: the caller's.
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
    int64_t cpu_ns;
};
enum { USAGE_NAMES_MAX = 512 }; /* of more threads the names are read each time */
struct usage_name {
    int id;
    char name[16];
    int64_t since_ns;
};
struct usage_names { /* what the last look has learnt; count 0: the first one */
    uint32_t count;
    struct usage_name of[USAGE_NAMES_MAX];
};
/* Each thread there is, the oldest first, until `each` answers false. */
void usage_threads(struct usage_names *names, bool (*each)(void *ctx, const struct usage_thread *t),
                   void *ctx);
