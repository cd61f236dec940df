/* store/cursor: what cursor.c (opening) and walk.c (going on) share. Private to them. */
#pragma once
#include "store/store_int.h"

enum { CURSOR_KEY_MAX = 64 << 20, CURSOR_ROW_MAX = 1 << 30 };

struct span { /* of the clustering suffix */
    struct slice start, end;
    bool open; /* to the partition's end */
};
struct store_cursor {
    struct store *store;
    const struct table *table;
    struct cells_wanted row_wanted, static_wanted;
    bool one_partition, reversed, partitions_only, records; /* records: there may be any */
    struct span *spans;                                     /* in stored order; none empty */
    uint32_t span_count;
    rocksdb_readoptions_t *read;
    rocksdb_iterator_t *iterator;
    struct buf low, high;     /* the iterator's bounds, which it borrows */
    struct arena *row_memory; /* of the row that is out; NULL: a plain table needs none */

    /* the partition that the walk is in */
    bool inside, emitted, leave; /* leave: nothing more of it is wanted */
    struct buf partition;        /* its part of the key */
    struct arena *partition_memory;
    struct cells_read record; /* statics, deletion */
    struct range *ranges;
    size_t range_count;
    int64_t span_at; /* where in `spans` the walk is */

    bool pending;  /* the row that is out stands at the iterator: step first */
    bool finished; /* nothing is left but what `inside` may still give */
    struct buf key_bytes, seek;
    uint32_t key_at[KEY_COLUMNS_MAX + 1];
    struct slice key[KEY_COLUMNS_MAX];
    struct store_row row;
    struct slice lineage; /* of the row that is out, as it is stored */
};

/* walk.c: takes the partition whose part of the key stands in c->partition, at its record. */
MUST_CHECK err_t walk_enter(struct store_cursor *c, struct diag *d);
/* Where the walk goes on in c->partition: at the start of its spans, or behind the row whose suffix
 * this is (len > 0). */
void walk_start(struct store_cursor *c, struct slice behind);
