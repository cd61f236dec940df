/* store/scan: what scan_plan.c (opening) and scan.c (rows into batches) share. Private to them. */
#pragma once
#include "store/cursor.h"

enum { BATCH_ROWS_MAX = 1 << 20, SCAN_MEMORY_MAX = 1 << 30 };

struct store_scan {
    struct store *store;
    const struct table *table;
    const struct type **types; /* of the columns given out */
    uint32_t wanted_count, column_count;
    int32_t *out_of_id;         /* a column's id -> its place in the batch, or one of these */
    uint32_t id_count, last_id; /* no cell behind last_id is wanted */
    bool key_wanted, with_writetime;
    int64_t now_s;
    struct buf start, end, key; /* key: scratch for key columns */
    /* A table of simple columns that never had a partition's record: straight from the bytes. */
    rocksdb_readoptions_t *read;
    rocksdb_iterator_t *iterator; /* NULL: one row, by its key; or cursor */
    /* Any other: by a cursor. */
    struct store_cursor *cursor;
    struct arena *cursor_memory;
    const struct store_row *held; /* did not fit into the batch before */
    bool finished;
};
enum { NOT_WANTED = -1, NO_COLUMN = -2 /* not (now) one of the table */ };
