/* store: tables on RocksDB. Rows as cells with timestamp and TTL, last write wins; one atomic write
 * for everything an epoch changes.
 *
 * Loop: any thread; a reader works on a snapshot. Memory: one block cache and write buffer budget
 * given at opening. Limit: row_bytes_max, rows an epoch. Never knows CQL's text.
 *
 * Keys: 4-byte table prefix (big-endian), then for rows: token (8 bytes, sign flipped, so that byte
 * order is token order), partition key, clustering values; each value in an order-preserving form.
 * Prefixes below 0x100 are the store's own: catalog, and the records of flow (cursors, epochs,
 * ledger, dead letters, outbox), so that they share the rows' atomic write and their sorted file.
 */
#pragma once
#include "base/vec.h"
#include "data/column.h"

struct store;

struct store_options {
    const char *dir;
    size_t cache_bytes, write_buffer_bytes; /* 0: 32 MiB, 4 x 32 MiB in total; the write buffers are
                                               charged to the process budget */
    uint32_t row_bytes_max;                 /* 0: 16 MiB */
    bool read_only;                         /* another process may be serving */
    bool mutant_cursor_before_rows, mutant_answer_before_sync; /* the checkers must catch these */
};
MUST_CHECK err_t store_open(const struct store_options *o, struct store **out, struct diag *d);
void store_close(struct store *s);

/* --- tables -------------------------------------------------------------------------------------
 */

enum column_role { COLUMN_REGULAR, COLUMN_PARTITION, COLUMN_CLUSTERING, COLUMN_STATIC };

struct store_column {
    struct slice name;
    const struct type *type;
    enum column_role role;
    uint16_t position; /* within its role, for the key columns */
    bool descending;   /* clustering order */
    uint16_t id;       /* given by the store, never reused within a table */
};

struct store_option { /* as CQL writes it: comment, compaction (a map's text: {'class': '…'}) … */
    struct slice name, value;
};
enum store_index_kind {
    INDEX_VALUES,
    INDEX_KEYS,
    INDEX_ENTRIES,
    INDEX_FULL
}; /* of what of the column */
struct store_index {
    struct slice name, target; /* target as system_schema shows it: "values(v)" or "v" */
    enum store_index_kind kind;
    uint16_t column;         /* its id */
    bool sai;                /* USING 'sai': ranges, and several at once */
    struct slice class_name; /* CUSTOM: as written; {0} otherwise */
    const struct store_option *options;
    uint32_t option_count;
    uint32_t prefix; /* of its entries; changed by TRUNCATE and rebuilding */
    bool ready;      /* all rows that were there when it was made are in */
};
struct store_dropped { /* a column that was: its cells up to then are not seen */
    struct slice name;
    const struct type *type;
    enum column_role role;
    uint16_t id;
    int64_t dropped_us;
};
struct store_table {
    struct slice keyspace, name;
    struct store_column
        *columns; /* partition keys, clustering keys, statics by name, others by name */
    uint32_t column_count;
    uint32_t prefix; /* changed by TRUNCATE and DROP */
    uint8_t id[16];
    uint32_t default_ttl; /* seconds; 0: none */
    uint32_t gc_grace;    /* seconds a tombstone is kept; 864,000 where none is given */
    uint64_t version;     /* the schema's, grows with each change */
    const struct store_option *options; /* all other options, kept and shown, by name */
    uint32_t option_count;
    const struct store_index *indexes; /* by name */
    uint32_t index_count;
    const struct store_dropped *dropped;
    uint32_t dropped_count;
    bool counter; /* all regular columns are counters */
};
struct store_keyspace {
    struct slice name;
    const struct store_option *replication; /* class first: its full Java name, then the others */
    uint32_t replication_count;
    bool durable_writes;
};

/* Tables, keyspaces and types are immutable values; a change makes a new one. The pointers stay
 * good until store_close. */
MUST_CHECK err_t store_keyspace_create(struct store *s, struct slice name, struct slice replication,
                                       struct diag *d); /* ERR_EXISTS */
/* The same with all that a keyspace has; `replace`: it is there and changes. */
MUST_CHECK err_t store_keyspace_put(struct store *s, const struct store_keyspace *k, bool replace,
                                    struct diag *d);
MUST_CHECK err_t store_keyspace_drop(struct store *s, struct slice name,
                                     struct diag *d); /* with all inside */
const struct store_keyspace *store_keyspace_find(struct store *s,
                                                 struct slice name); /* NULL: none */
bool store_keyspace_exists(struct store *s, struct slice name);
/* User types, in order of their making: a TYPE_STRUCT with its name, never frozen itself. Changing
 * one changes every table and type that is made of it: they become new values. */
MUST_CHECK err_t store_type_put(struct store *s, struct slice keyspace, const struct type *t,
                                bool replace, struct diag *d);
MUST_CHECK err_t store_type_drop(struct store *s, struct slice keyspace, struct slice name,
                                 struct diag *d); /* who uses it is the caller's to look at */
const struct type *store_type_find(struct store *s, struct slice keyspace, struct slice name);
MUST_CHECK err_t store_types(struct store *s, struct slice keyspace,
                             err_t (*each)(void *ctx, const struct type *t), void *ctx);
/* The table as it shall be now: columns added (id 0: the store gives one), dropped (then it stands
 * in `dropped`), renamed (same id), options, indexes (prefix 0: a new one, which is filled from the
 * rows there before this answers). Identity, key and prefix stay. */
MUST_CHECK err_t store_table_alter(struct store *s, const struct store_table *now,
                                   const struct store_table *wanted, const struct store_table **out,
                                   struct diag *d);
/* Changes with every change of a keyspace, table, type or index. */
uint64_t store_schema_version(struct store *s);
MUST_CHECK err_t store_keyspaces(struct store *s, err_t (*each)(void *ctx, struct slice name),
                                 void *ctx);
MUST_CHECK err_t store_table_create(struct store *s, const struct store_table *wanted,
                                    const struct store_table **out,
                                    struct diag *d); /* ERR_EXISTS */
MUST_CHECK err_t store_table_drop(struct store *s, struct slice keyspace, struct slice name,
                                  struct diag *d);
MUST_CHECK err_t store_table_truncate(struct store *s, struct slice keyspace, struct slice name,
                                      struct diag *d);
/* Two tables of one keyspace change places: columns, rows, indexes and identity of one stand under
 * the other's name, and flow's records are written with it: one atomic write. Who has looked a
 * table up before goes on with the rows that he has found it with. Holds are of names: they stay,
 * and do not forbid it, since who holds both is who calls. */
struct store_put { /* one of flow's records */
    int space;     /* enum store_space */
    struct slice key, value;
};
/* ERR_BUSY: one of them is another by now than the caller has seen. */
MUST_CHECK err_t store_table_exchange(struct store *s, const struct store_table *one,
                                      const struct store_table *other, const struct store_put *puts,
                                      size_t count, struct diag *d);
/* Who writes into a table for as long as he runs holds it: until he releases it, it is not dropped,
 * truncated, or dropped with its keyspace, and loses and renames no column: ERR_INVALID, which ends
 * with `why` ("stream x writes into it: …"). Several may hold one table. HOLD_SHAPE: it gets no new
 * column either, since what is in it would be lost when another table takes its place. */
enum store_hold_what { HOLD_TABLE, HOLD_SHAPE };
struct store_hold;
MUST_CHECK err_t store_table_hold(struct store *s, struct slice keyspace, struct slice name,
                                  enum store_hold_what what, struct slice why,
                                  struct store_hold **out, struct diag *d);
void store_hold_release(struct store_hold *h); /* NULL is fine */
/* Is it held? Then `why` says by whom, cut where it does not fit. */
bool store_table_held(struct store *s, const struct store_table *t, char *why, size_t size);
const struct store_table *store_table_find(struct store *s, struct slice keyspace,
                                           struct slice name); /* NULL: none */
/* Is this value the table's newest? Lock-free: for everyone who keeps the pointer. */
bool store_table_current(const struct store_table *t);
/* Grows with every commit that puts or removes rows of the table, durable as these, and begins anew
 * with the prefix: 0 as long as nothing was written. Lock-free. */
uint64_t store_table_written(const struct store_table *t);
const struct store_column *store_column_find(const struct store_table *t, struct slice name);
MUST_CHECK err_t store_tables(struct store *s,
                              err_t (*each)(void *ctx, const struct store_table *t), void *ctx);

/* --- writing: one epoch, one atomic write ----------------------------------------------------- */

enum store_form {
    STORE_LIVE,    /* a sorted write batch, synced: small epochs, milliseconds */
    STORE_CATCHUP, /* a sorted file with everything of the epoch inside, taken in by one ingestion
                    */
};
struct store_write;
MUST_CHECK err_t store_write_begin(struct store *s, enum store_form form, size_t bytes_max,
                                   struct store_write **out, struct diag *d);
void store_write_abort(struct store_write *w); /* NULL is fine */

struct store_rows {
    const struct store_table *table;
    const struct column *columns; /* values to write … */
    const uint16_t *column_ids;   /* … and which column of the table each is */
    uint32_t column_count;
    const uint32_t *rows; /* which rows of the columns; NULL: 0 … count-1 */
    uint32_t count;
    int64_t timestamp_us;         /* the cells' write time … */
    const int64_t *timestamps_us; /* … or one a row (same index as the columns' rows) */
    uint32_t ttl;                 /* seconds; 0: the table's default */
    int64_t now_ms;               /* expiry is counted from here */
    bool replace;                 /* sole writer that writes every column: Put instead of Merge */
    bool
        remove; /* the rows go: all cells up to the time; columns but the key's are not looked at */
    const struct store_lineage *lineage; /* one a row, may be NULL */
};
struct store_lineage {
    uint32_t stream;
    uint32_t partition;
    int64_t offset;
    uint64_t epoch;
}; /* where a row came from */
/* A row with a null key column, or an empty one that is the whole partition key, is refused:
 * ERR_CONSTRAINT, *bad_row says which (UINT32_MAX: it is not about one row). A call that fails adds
 * nothing: leave that row out and call again. Timestamps and lineage are indexed like the columns.
 */
MUST_CHECK err_t store_write_rows(struct store_write *w, const struct store_rows *r,
                                  uint32_t *bad_row, struct diag *d);
/* One of flow's records: `space` is one of the small prefixes. value.at NULL deletes. */
enum store_space {
    STORE_CATALOG = 1,
    STORE_CURSOR,
    STORE_EPOCH,
    STORE_LEDGER,
    STORE_DEAD,
    STORE_OUTBOX,
    STORE_STATE,
    STORE_META,
    STORE_SPACES = 0x100
};
MUST_CHECK err_t store_write_record(struct store_write *w, enum store_space space, struct slice key,
                                    struct slice value);
size_t store_write_bytes(const struct store_write *w);
/* Durable and visible when it answers OK; not visible otherwise. Frees the write either way. A
 * table that was dropped or truncated since: ERR_UNKNOWN_TABLE. */
MUST_CHECK err_t store_write_commit(struct store_write *w, struct diag *d);

/* --- reading ---------------------------------------------------------------------------------- */

struct store_snapshot;
struct store_snapshot *store_snapshot(struct store *s);
void store_snapshot_free(struct store_snapshot *n);
/* One of flow's records, copied into the arena; ERR_NOT_FOUND. snapshot NULL: the newest. */
MUST_CHECK err_t store_record(struct store *s, const struct store_snapshot *n,
                              enum store_space space, struct slice key, struct arena *a,
                              struct slice *value, struct diag *d);
/* Many of them, the newest, in the order of the keys; value.at NULL: there is none. The value's
 * bytes live until the callback returns; an error of its own ends it. Asked on several threads at
 * once (not the callback). `a` holds the keys meanwhile. */
typedef err_t store_fetched(void *ctx, uint32_t i, struct slice value, struct diag *d);
MUST_CHECK err_t store_records_at(struct store *s, enum store_space space, const struct slice *keys,
                                  uint32_t count, struct arena *a, store_fetched *each, void *ctx,
                                  struct diag *d);
/* Records whose key starts with `prefix`, in order, after `after` (at NULL: from the start). */
MUST_CHECK err_t store_records(struct store *s, const struct store_snapshot *n,
                               enum store_space space, struct slice prefix, struct slice after,
                               err_t (*each)(void *ctx, struct slice key, struct slice value),
                               void *ctx, struct diag *d);
/* The same from the last one down; before `before` (which has the prefix). */
MUST_CHECK err_t store_records_back(struct store *s, const struct store_snapshot *n,
                                    enum store_space space, struct slice prefix,
                                    struct slice before,
                                    err_t (*each)(void *ctx, struct slice key, struct slice value),
                                    void *ctx, struct diag *d);

/* Rows of one table as column batches: the key's row, a partition, a token range, or all.
 * A cursor holds its snapshot; its batches live until the next call. */
struct store_scan_options {
    const struct store_table *table;
    const uint16_t *column_ids; /* wanted, in this order */
    uint32_t column_count;
    const struct value
        *key;           /* leading key columns given by value: partition keys, then clustering */
    uint32_t key_count; /* 0: the whole table */
    int64_t now_ms;     /* expired cells are not seen */
    bool by_token; /* without keys: only tokens from token_first to token_last, both included */
    int64_t token_first, token_last;
    /* with_writetime: behind the wanted columns one bigint column for each of them follows, its
     * cells' write time in microseconds; null where there is no cell, and for key columns. */
    bool with_lineage, with_writetime;
};
struct store_scan;
MUST_CHECK err_t store_scan_open(struct store *s, const struct store_snapshot *n,
                                 const struct store_scan_options *o, struct store_scan **out,
                                 struct diag *d);
/* Up to `rows_max` rows into b (its columns are made here, in b->arena, which is the caller's to
 * reset). Less come when the arena is full. b->rows == 0: the end. */
MUST_CHECK err_t store_scan_next(struct store_scan *c, uint32_t rows_max, struct column_batch *b,
                                 struct store_lineage *lineage /* rows_max of them, or NULL */,
                                 struct diag *d);
void store_scan_close(struct store_scan *c);

/* A value's order-preserving form, as clustering columns have it: byte order is the type's own
 * order, each form prefix-free; `descending` inverts the bytes. For whoever keeps rows in order. */
MUST_CHECK err_t key_put_order(struct buf *out, const struct type *t, struct slice binary,
                               bool descending);

/* --- upkeep ----------------------------------------------------------------------------------- */
MUST_CHECK err_t store_flush(struct store *s, struct diag *d);
MUST_CHECK err_t store_compact(struct store *s, struct diag *d);
struct store_stats { /* disk_bytes: files and the log */
    uint64_t rows_estimate, disk_bytes, memtable_bytes, cache_bytes, compactions_running,
        pending_compaction_bytes;
};
struct store_stats store_stats(struct store *s);
/* What one table has in files (not in memory), as RocksDB estimates it; rows: its share of all
 * keys. */
struct store_table_sizes {
    uint64_t disk_bytes, rows;
};
struct store_table_sizes store_table_sizes(struct store *s, const struct store_table *t);
/* Which tables' rows the store's files hold, as of one moment; NULL is fine: none. */
struct store_files;
struct store_files *store_files_take(struct store *s);
uint32_t store_files_of(const struct store_files *f, const struct store_table *t);
void store_files_give(struct store_files *f);
/* Commits fail one after the other for a reason that only opening anew can mend: RocksDB keeps the
 * first error of its log for good. A full disk is none: it goes on when there is room. */
bool store_must_reopen(const struct store *s);
struct store_table_stats {
    uint64_t rows_estimate; /* keys: rows and partitions' records; exact while they are few */
    uint64_t
        disk_bytes; /* of its files' share, its indexes' too; what is only in memory is not in */
    uint64_t index_bytes; /* of these the indexes' */
    bool exact;
};
MUST_CHECK err_t store_table_stats(struct store *s, const struct store_table *t,
                                   struct store_table_stats *out, struct diag *d);
MUST_CHECK err_t store_table_compact(struct store *s, const struct store_table *t, struct diag *d);
/* All there is as of now as a store of its own in the directory `path`, which must not exist yet:
 * store_open opens it. Files are linked where the file system can. Commits go on meanwhile. */
MUST_CHECK err_t store_checkpoint(struct store *s, const char *path, struct diag *d);
