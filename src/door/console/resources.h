/* resources: what the server takes, gathered: for its page, its channel and its history.
 *
 * Loop: any thread. Memory: the caller's. Limit: THREAD_GROUPS_MAX names of threads; what comes
 * after them is not told.
 */
#pragma once
#include "door/console/console_int.h"
#include "os/usage.h"

enum { THREAD_GROUPS_MAX = 128, THREAD_STAGES_MAX = 512, RESOURCE_PART_MAX = 320 };
struct thread_group { /* threads of one name */
    char name[16];
    bool stage; /* of a source or stream, whose name begins so */
    uint32_t threads;
    int64_t cpu_ns;
};
struct thread_groups {
    uint32_t count, stage_count;
    struct thread_group of[THREAD_GROUPS_MAX];
    char stages[THREAD_STAGES_MAX][13];
    struct usage_names names; /* of the last look; zeroes: there was none */
};
MUST_CHECK err_t thread_groups_read(const struct exec_world *w, struct thread_groups *out);

struct memory_parts {
    uint64_t rows_fresh, rows_cached, buffers, stages;
    struct store_stats disk;
};
MUST_CHECK err_t memory_parts_read(const struct exec_world *w, struct memory_parts *out);
/* Into the history; every two seconds, on the sampling's worker. */
void resources_note(struct console *c, struct thread_groups *threads);

/* sampling.c: the rate of what only grows; the same worker's. */
void sampling_growth(struct console *c, const char *part, const char *metric, double value);
