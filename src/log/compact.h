/* compact: what the cleaner's files share. Kafka's rules, read in its LogCleaner and MemoryRecords:
 * of each key the last record stays, offsets and order stay, readers go on meanwhile.
 *
 * Loop: one round at a time a log (clean_gate), on the cleaner's thread or the caller of log_clean;
 * only the swap of a finished segment runs on the writer. Memory: the key map (24 bytes a slot, at
 * most KEY_SLOTS_MAX), a batch, its opened form, what is written. Limit: keys_max a round, the rest
 * waits for the next one.
 */
#pragma once
#include "log/log_int.h"

enum {
    KEY_SLOTS_MIN = 1 << 10,
    KEY_SLOTS_MAX = 1 << 20,   /* 24 MiB */
    CLEAN_BUFFER = 1 << 20,    /* of what is read and of what is written */
    CLEAN_BACKOFF_MS = 15000,  /* log.cleaner.backoff.ms */
    BATCH_DELETE_HORIZON = 64, /* first_timestamp is when its tombstones go */
    GENERATION_MAX = 999999,   /* six digits of a name */
};

/* --- compact_map.c: key -> the last offset it was seen at; keys by 16 bytes of hash -------------
 */
struct key_map {
    struct key_slot *slots;
    size_t count, room, keys_max;
    uint64_t seed[2];
};
struct key_map key_map_make(size_t keys_max, const uint8_t seed[16]);
void key_map_done(struct key_map *m);
/* *full, and nothing put, when there is no room for another key. */
MUST_CHECK err_t key_map_put(struct key_map *m, struct slice key, int64_t offset, bool *full);
int64_t key_map_get(const struct key_map *m, struct slice key); /* -1: not there */

/* --- compact_batch.c: one batch without what is not wanted -------------------------------------
 */
struct clean_rules {
    int64_t now_ms, delete_retention_ms;
    const struct key_map *map;
    int64_t latest; /* the last offset the map knows of: what lies behind it stays */
};
struct batch_fate {
    bool discard;   /* aborted, or a marker whose transaction left nothing: that one waits for its
                     * delete horizon */
    bool keep_head; /* if nothing is left its head stays: a producer's last sequence */
};
struct batch_cleaner {
    struct arena *arena;
    struct vec kept; /* struct kept_record */
    struct buf body;
};
struct batch_cleaner batch_cleaner_make(void);
void batch_cleaner_done(struct batch_cleaner *c);
/* Appends what stays of `b` to `out`. *changed: it is not the batch itself. *records: how many. */
MUST_CHECK err_t batch_clean(struct batch_cleaner *c, const struct clean_rules *rules,
                             const struct record_batch *b, struct batch_fate fate, struct buf *out,
                             bool *changed, int32_t *records);

/* --- compact_txn.c: which batches belong to aborted transactions, met in order ------------------
 */
struct txn_walk {
    struct vec aborted; /* struct log_aborted, by first offset */
    size_t next;
    struct map *under_way; /* producer id -> struct txn_met */
    struct arena *arena;
};
MUST_CHECK err_t txn_walk_open(struct txn_walk *w, struct log_partition *p, int64_t from,
                               int64_t to, struct diag *d);
void txn_walk_done(struct txn_walk *w);
/* *discard: an aborted batch, or a marker behind which nothing of its transaction was met. */
MUST_CHECK err_t txn_walk_batch(struct txn_walk *w, const struct record_batch *b, bool *discard);

/* --- compact_round.c ----------------------------------------------------------------------------
 */
struct clean_plan {
    int64_t dirty_from, upto; /* offsets; upto begins the first segment that can not be cleaned */
    uint64_t clean_bytes, dirty_bytes;
    bool urgent; /* max.compaction.lag.ms is over */
};
struct clean_result {
    uint64_t bytes_read, bytes_written;
    int64_t records_read, records_kept;
};
/* The map over the dirty part as far as it reaches, then all segments up to there. */
MUST_CHECK err_t clean_round(struct log_partition *p, const struct clean_plan *plan, int64_t now_ms,
                             struct clean_result *seen, struct diag *d);

/* --- compact.c ----------------------------------------------------------------------------------
 */
double clean_ratio(const struct clean_plan *plan);
/* False when the round should end: the log closes, the topic is gone or is compacted no more. */
bool clean_goes_on(struct log_partition *p, uint64_t bytes);
