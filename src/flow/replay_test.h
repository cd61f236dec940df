/* replay_test: what tests of streams with state share (stream_test.c has it). */
#pragma once
#include "flow/kit_test.h"

enum { KEYS = 20, TIMED_PARTITIONS = 3 };
static const int64_t timed_start = 1700000000000;

/* Records of a few keys into `timed`, their times growing, some out of order, some later than the
 * delay. */
void fill_timed(struct world *w, int32_t partitions, uint32_t records, uint64_t seed);
/* … in batches of `batch` records (0: one a partition), with a record that is no JSON among each
 * thousand where batches are small. */
void fill_timed_in(struct world *w, int32_t partitions, uint32_t records, uint64_t seed,
                   uint32_t batch, enum codec codec);
void run_to_end(struct world *w);
/* The recorded epochs of stream `load` give, by one thread into a second store, the same table,
 * state, cursors, ledger, dead letters. `failures` > 0: each may fail at an allocation, and is done
 * again. */
void check_replay(struct world *w, const char *sql, const char *table, uint64_t failures);
