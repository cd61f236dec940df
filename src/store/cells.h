/* store/cells: rows as cells, for those who read and write one row at a time: CQL's engine.
 *
 * Reading: a partition, slices of it, a token range, or all; in order or reversed; tombstones,
 * expiry and statics already applied. Writing: a change is built on any thread, without a lock, and
 * handed to the store's committer, which makes many of them one synced write (group commit), in the
 * order they came; who depends on what is there (IF, counters) decides on the committer, between
 * the changes before and after it, so that it is linearizable without locks. Values are in the
 * binary form of value.h.
 *
 * Loop: any thread; `done` is called on the committer's thread and must only hand over. Memory: a
 * change's own, pooled. Limit: row_bytes_max, CHANGE_BYTES_MAX; CHANGES_WAITING_MAX bytes wait,
 * then store_change_commit answers ERR_BUSY.
 *
 * Keys (docs/store.md): a row is prefix, token, partition key, clustering; the partition itself,
 * when the table has clustering columns, is the same key without clustering: it sorts before its
 * rows and holds statics, the partition's tombstone and its range tombstones.
 */
#pragma once
#include "store/store.h"

enum { CHANGE_BYTES_MAX = 64 << 20, CHANGES_WAITING_MAX = 256 << 20, NO_TTL = 0 };

/* --- reading ------------------------------------------------------------------------------------
 */

struct store_element {  /* of a collection or user type that is not frozen */
    struct slice path;  /* set: the element; map: the key; list: its 16-byte time UUID; user type:
                           int16 field */
    struct slice value; /* set: empty */
    int64_t timestamp, expiry_s;
    uint32_t ttl;
};
struct store_cell {
    uint16_t column; /* the column's id */
    uint32_t ttl;    /* 0: none */
    int64_t timestamp, expiry_s;
    struct slice value;                   /* simple … */
    const struct store_element *elements; /* … or multi-cell, in the type's order: live ones only */
    uint32_t element_count;
};
struct store_row {
    const struct slice *key; /* partition key columns, then clustering columns */
    uint32_t key_count;      /* less than the table has: only the partition, its statics */
    bool marker; /* inserted (not only updated): the row is there though all else is null */
    int64_t marker_timestamp, marker_expiry_s;
    uint32_t marker_ttl;
    const struct store_cell *cells; /* live ones, by growing id; of the row */
    uint32_t cell_count;
    const struct store_cell *statics; /* of its partition */
    uint32_t static_count;
    bool partition_first; /* the first row of its partition that comes out */
    int64_t token;
};
/* A row is there when it has a marker or a live cell; a partition with statics and no row comes out
 * once, as its statics, unless slices restrict the clustering. */

/* A place among a partition's rows, in the order they are stored (a descending column's larger
 * value is before a smaller one): leading clustering values; inclusive of all rows that begin so.
 */
struct store_bound {
    const struct slice *values;
    uint32_t count; /* 0: no bound */
    bool inclusive;
};
struct store_slice {
    struct store_bound start, end;
};

struct store_read {
    const struct store_table *table;
    const struct slice *partition; /* all of the partition key's columns; NULL: by token */
    bool by_token; /* tokens first … last, both included; neither: the whole table */
    int64_t token_first, token_last;
    const struct store_slice *slices; /* in stored order, not touching; of each partition */
    uint32_t slice_count;             /* 0: all rows */
    bool reversed;                    /* rows of a partition backwards; only with `partition` */
    bool partitions_only;             /* DISTINCT: each partition once, with its statics */
    const uint16_t *columns;          /* wanted ids, growing: others need not come; NULL: all */
    uint32_t column_count;
    int64_t now_s; /* what has expired by then is not seen */
    /* Go on behind this row (or partition: after_count = the partition key's columns; then with its
     * first row, after_partition_done says: with the next partition). at NULL: from the start. */
    const struct slice *after;
    uint32_t after_count;
    bool after_partition_done;
};
struct store_cursor;
/* `snapshot` NULL: as it is now; the cursor holds it. Everything comes from `a`, which the caller
 * resets when he is done with all rows; the row itself is good until the next call. */
MUST_CHECK err_t store_rows_open(struct store *s, const struct store_snapshot *n,
                                 const struct store_read *r, struct arena *a,
                                 struct store_cursor **out, struct diag *d);
MUST_CHECK err_t store_rows_next(struct store_cursor *c,
                                 const struct store_row **out /* NULL: the end */, struct diag *d);
void store_rows_close(struct store_cursor *c); /* NULL is fine */
/* One row by its whole key (or a partition's statics: key_count = the partition key's columns),
 * without a cursor. *out NULL: there is none. Values live in `a`. */
MUST_CHECK err_t store_row_get(struct store *s, const struct store_table *t,
                               const struct slice *key, uint32_t key_count, int64_t now_s,
                               struct arena *a, const struct store_row **out, struct diag *d);
/* The token of these partition key columns; ERR_TOO_BIG. */
MUST_CHECK err_t store_token(const struct store_table *t, const struct slice *partition,
                             int64_t *token);

/* --- indexes ------------------------------------------------------------------------------------
 * * An entry is (value, token, partition key, clustering), written blind with the row's change and
 * verified by whoever reads: the row that comes out of the index may have changed since. A verifier
 * that finds an entry stale says so (store_index_stale), and the committer looks again and removes
 * it. */
struct store_index_read {
    const struct store_table *table;
    const struct store_index *index;
    struct slice low, high; /* binary forms; equal: one value; at NULL: open. INDEX_ENTRIES: key and
                               value as a tuple's binary form */
    bool low_inclusive, high_inclusive;
    bool by_token;
    int64_t token_first, token_last;
    const struct slice *partition; /* only this one; NULL: all */
    const struct slice *after;     /* as of store_read: only behind this row */
    uint32_t after_count;
    uint32_t rows_max; /* one value: so many at a time; a range: ERR_TOO_BIG past it */
};
/* Candidates' whole keys in the table's own order (token, partition, clustering), without doubles.
 */
struct store_candidates {
    const struct slice *const *keys;
    const struct slice *values; /* of the entries, one a key: for store_index_stale */
    uint32_t count, key_count;  /* a static column's index: key_count is the partition key's */
    bool more; /* there are more behind these (one value only: read on with after) */
};
MUST_CHECK err_t store_index_rows(struct store *s, const struct store_index_read *r,
                                  struct arena *a, struct store_candidates *out, struct diag *d);
void store_index_stale(struct store *s, const struct store_table *t, const struct store_index *i,
                       struct slice value, const struct slice *key, uint32_t key_count);

/* --- writing ------------------------------------------------------------------------------------
 */

enum store_write_kind {
    CELL_SET,         /* simple column: value */
    CELL_DELETE,      /* simple column */
    CELL_CLEAR,       /* multi-cell: all elements older than the timestamp: c = value, c = null */
    CELL_CLEAR_ALL,   /* … those of the same timestamp too, of this write as well: DELETE c */
    CELL_ELEMENT_SET, /* path, value */
    CELL_ELEMENT_DELETE, /* path */
};
struct store_cell_write {
    uint16_t column;
    enum store_write_kind kind;
    struct slice path, value;
};
struct store_row_write {
    const struct store_table *table;
    const struct slice *key; /* whole, or the partition key's columns: statics */
    uint32_t key_count;
    int64_t timestamp;
    uint32_t ttl; /* 0: none; the table's default is the caller's to apply */
    int64_t now_s;
    bool marker;     /* INSERT */
    bool delete_row; /* DELETE … the whole row: then no cells */
    /* In any order, which means nothing: of two writes to one cell or element the one stays that
     * wins when rows are merged (docs/store.md: a deletion, then the greater bytes). */
    const struct store_cell_write *cells;
    uint32_t cell_count;
};
struct store_change;
/* A change, from the store's pool; store_change_free when it is not handed over. */
MUST_CHECK err_t store_change_new(struct store *s, struct store_change **out);
void store_change_free(struct store_change *c); /* NULL is fine */
MUST_CHECK err_t store_change_row(struct store_change *c, const struct store_row_write *w,
                                  struct diag *d);
MUST_CHECK err_t store_change_delete_partition(struct store_change *c, const struct store_table *t,
                                               const struct slice *partition, int64_t timestamp,
                                               int64_t now_s, struct diag *d);
MUST_CHECK err_t store_change_delete_slice(struct store_change *c, const struct store_table *t,
                                           const struct slice *partition,
                                           const struct store_slice *slice, int64_t timestamp,
                                           int64_t now_s, struct diag *d);
/* counters: adds to a counter column, on the committer, of what is there then. */
MUST_CHECK err_t store_change_count(struct store_change *c, const struct store_table *t,
                                    const struct slice *key, uint32_t key_count, uint16_t column,
                                    int64_t delta, int64_t timestamp, struct diag *d);
/* One of flow's records (store_write_record), in the same atomic write. */
MUST_CHECK err_t store_change_record(struct store_change *c, enum store_space space,
                                     struct slice key, struct slice value);
size_t store_change_bytes(const struct store_change *c);

/* Decides on the committer's thread whether and what to write, seeing every change before it; then
 * others wait, so: quickly, no I/O of its own. What it adds to `c` is written; answering an error
 * ends the change with it. It may read rows by store_peek only. */
struct store_peek;
typedef err_t store_decide(void *ctx, struct store_change *c, struct store_peek *p, struct diag *d);
void store_change_decide(struct store_change *c, store_decide *decide, void *ctx);
MUST_CHECK err_t store_peek_row(struct store_peek *p, const struct store_table *t,
                                const struct slice *key, uint32_t key_count, int64_t now_s,
                                struct arena *a, const struct store_row **out, struct diag *d);

/* Durable and visible when `done` says OK; nothing of it otherwise. Answers ERR_OK, and then done
 * is called exactly once, on the committer's thread; any other answer: it has not been taken, the
 * change is still the caller's. A table that was dropped or truncated since: done gets
 * ERR_UNKNOWN_TABLE. */
typedef void store_done(void *ctx, err_t e, const struct diag *d);
MUST_CHECK err_t store_change_commit(struct store_change *c, store_done *done, void *ctx);
MUST_CHECK err_t store_change_commit_wait(struct store_change *c,
                                          struct diag *d); /* takes c either way */

/* Microseconds, never the same twice, never stepping back, over restarts too. */
int64_t store_timestamp(struct store *s);
