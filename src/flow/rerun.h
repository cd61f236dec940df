/* flow/rerun: a stream's recorded epochs once more, in graphs that keep their state in memory and
 * write nothing: the same ranges in the same order, the same time, the same watermarks (F10). What
 * the log has lost since is left out, and counted.
 *
 * Loop: the caller's thread, beside the running stream. Memory: RERUN_STATE a graph
 * (ERR_NO_MEMORY beyond). Limit: RERUN_MS, and who asked may stop it.
 */
#pragma once
#include "flow/op.h"

enum { RERUN_STATE = 128 << 20, RERUN_MS = 30 * 60 * 1000, RERUN_SIDES = 2 };

struct rerun;
struct rerun_side {
    struct rerun *of;
    uint32_t index;
    struct graph *graph;
    struct counter counter;
};
struct rerun {
    /* given */
    struct flow *flow;
    struct stage *stage;
    uint64_t first, last; /* epochs, both included */
    uint32_t sides;       /* graphs that are fed: 1 or 2 */
    void *ctx;
    err_t (*tap)(struct rerun_side *s, struct op *from, struct rows *r, struct diag *d);
    err_t (*rows)(struct rerun_side *s, const struct rows *r, struct diag *d); /* the end's */
    /* After each epoch's last row. NULL: nobody asks. */
    err_t (*told)(struct rerun *r, const struct epoch_record *e, struct diag *d);
    /* A record that the second side does not see, and the first one alone in its batch. */
    bool has_one;
    uint32_t one_topic;
    int32_t one_partition;
    int64_t one_offset;
    /* Before (done false) and after the first side takes it. */
    err_t (*one)(struct rerun *r, bool done, struct diag *d);
    void (*progress)(void *ctx, uint64_t done, uint64_t of);
    bool (*stopping)(void *ctx);
    void *asked_ctx; /* of these two */
    /* told */
    uint32_t topic; /* that is pushed */
    const struct epoch_record *epoch;
    uint64_t epochs, records, lost; /* lost: offsets that the log has no more */
    uint64_t first_epoch;           /* that was run */
    bool other_sql, letters;        /* epochs of another SQL; some replayed dead letters */
    /* its own */
    struct rerun_side side[RERUN_SIDES];
    struct reader reader;
    struct chunk *chunk;
    struct arena *arena, *records_arena;
    int64_t watermark, until_ns;
    uint64_t total;
    struct diag *d;
};
/* Fills in what is its own; the given stands there. Runs once. */
MUST_CHECK err_t rerun_run(struct rerun *r, struct diag *d);
