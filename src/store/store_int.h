/* store_int: what the store's own files share. Private to this room. */
#pragma once
#include "os/thread.h"
#include "store/store.h"
#include <rocksdb/c.h>
#include <stdatomic.h>

enum {
    FORMAT_VERSION = 1,    /* of the whole directory: STORE_META "format" */
    ROW_VERSION = 1,       /* first byte of every row's value */
    KEY_PREFIX_SIZE = 4,   /* table, or one of flow's spaces */
    KEY_HEAD_SIZE = 12,    /* prefix and token */
    KEY_PART_MAX = 65535,  /* bytes of one key column's value, Cassandra's own limit */
    KEY_NUMBER_MAX = 1024, /* bytes of a varint or decimal in a key */
    KEY_COLUMNS_MAX = 64,  /* partition and clustering columns of a table */
    TABLE_COLUMNS_MAX = 4096,
    RECORD_KEY_MAX = 65535, /* of one of flow's records */
    RECORD_MAX = 1 << 27,   /* bytes of one of flow's records, or of a row at most */
    VALUE_LEN_MASK = (1 << 28) - 1,
    NAME_MAX_BYTES = 1024,   /* keyspace and table names */
    SPARE_LIVE_MAX = 8 << 20 /* bytes of write memory kept while only live writes happen */
};

/* --- key.c, key_number.c: order-preserving forms ----------------------------------------------
 * Clustering columns: byte order is the type's own order, each part prefix-free, `descending`
 * inverts the bytes. Partition columns: their binary form, escaped where the length varies. */
bool key_type_allowed(const struct type *t);
MUST_CHECK err_t key_put_order(struct buf *out, const struct type *t, struct slice binary,
                               bool descending);
void key_put_partition(struct buf *out, const struct type *t, struct slice binary);
/* The token of CQL's serialised partition key; `scratch` is used for composite keys. */
MUST_CHECK err_t key_token(const struct slice *binaries, uint32_t count, struct buf *scratch,
                           int64_t *token);
void key_put_head(struct buf *out, uint32_t prefix, int64_t token);

/* Reads a key part by part; sticky. Each take appends the binary form to `out`. */
struct key_reader {
    const uint8_t *at, *end;
    uint8_t flip; /* 0xff inside a descending column */
    err_t err;
};
void key_take_order(struct key_reader *r, const struct type *t, bool descending, struct buf *out);
void key_take_partition(struct key_reader *r, const struct type *t, struct buf *out);
uint8_t key_take_byte(struct key_reader *r);
uint64_t key_take_be(struct key_reader *r, int bytes);
void key_take_escaped(struct key_reader *r, struct buf *out);
/* key_number.c */
MUST_CHECK err_t key_put_varint(struct buf *out, struct slice binary);
void key_take_varint(struct key_reader *r, struct buf *out);
MUST_CHECK err_t key_put_decimal(struct buf *out, struct slice binary);
void key_take_decimal(struct key_reader *r, struct buf *out);

/* --- row.c: one row's value ------------------------------------------------------------------ */

/* A row is a list of cells by growing id. Ids below CELL_FIRST are not columns. */
enum {
    CELL_MARKER = 0,        /* the row itself was inserted: it is there even if all else is null */
    CELL_LINEAGE = 1,       /* where the row came from */
    CELL_ROW_TOMBSTONE = 2, /* kept free: deletes every cell up to its time */
    CELL_FIRST = 4,         /* the first column's id */
    CELL_ID_MAX = 65534
};
/* In a cell's head: uvarint of id << CELL_FLAG_BITS | flags. */
enum { CELL_TOMBSTONE = 1, CELL_OWN_TIME = 2, CELL_OWN_TTL = 4, CELL_FLAG_BITS = 3 };
enum { ROW_TTL = 1, ROW_FLAGS_KNOWN = 1, ROW_HEAD_SIZE = 10, ROW_HEAD_TTL_SIZE = 22 };

struct cell {
    int64_t timestamp;
    int64_t expiry_s; /* ttl != 0: when it ends; tombstone: when it was written */
    uint32_t ttl;
    uint16_t id;
    bool tombstone;
    struct slice value;
};
struct row_reader {
    struct cursor c;
    int64_t timestamp, expiry_s; /* the row's own, which most cells share */
    uint32_t ttl;
    int32_t last_id;
    err_t err;
};
void row_open(struct row_reader *r, struct slice value);
bool row_next(struct row_reader *r, struct cell *out); /* false at the end; then look at r->err */
static inline bool cell_live(const struct cell *c, int64_t now_s)
{
    return !c->tombstone && (c->ttl == 0 || c->expiry_s > now_s);
}
/* The one byte form of these cells (sorted by id, no two alike): equal cells, equal bytes. */
void row_put(struct buf *out, const struct cell *cells, size_t count);
size_t row_size_max(const struct cell *cells, size_t count);
int cell_compare(const struct cell *a, const struct cell *b); /* which of two wins: > 0 is a */
void lineage_put(struct buf *out, const struct store_lineage *l);
MUST_CHECK err_t lineage_take(struct slice value, struct store_lineage *out);
uint32_t type_fixed_size(const struct type *t); /* bytes of the binary form; 0: it varies */

/* --- merge.c: many writes of one row become one ----------------------------------------------- */
MUST_CHECK err_t row_merge(const struct slice *rows, size_t count, struct buf *out);
rocksdb_mergeoperator_t *merge_operator_new(void);

/* --- the store itself --------------------------------------------------------------------------
 */

struct table { /* what the catalog keeps beside the public value */
    struct store_table t;
    uint16_t partition_count, clustering_count; /* the first columns, in this order */
    uint32_t next_column_id;
};
static inline const struct table *table_of(const struct store_table *t)
{
    return (const struct table *)(const void *)t;
}

struct chunk { /* memory of a write: a header, then bytes */
    struct chunk *next;
    size_t size, used;
};

struct store {
    char *dir, *db_dir, *ingest_dir, *lock_path;
    int lock_fd;
    bool read_only, mutant_cursor_before_rows;
    uint32_t row_bytes_max;
    size_t write_buffer_bytes;
    rocksdb_t *db;
    rocksdb_options_t *options, *file_options; /* the latter: of files to be ingested */
    rocksdb_cache_t *cache;
    rocksdb_writeoptions_t *write_synced;
    rocksdb_readoptions_t *read_newest;
    rocksdb_envoptions_t *env_options;
    rocksdb_ingestexternalfileoptions_t *ingest_options;

    _Atomic uint32_t failures_running; /* commits that failed one after the other */

    struct gate gate; /* guards all below */
    uint32_t commits_running, ingests_running, snapshots_wanted;
    bool catalog_changing; /* no commit runs meanwhile */
    struct arena *catalog; /* tables live as long as the store */
    struct map *keyspaces; /* name -> replication text, in the arena */
    struct map *tables;    /* keyspace 0 name -> struct table */
    uint32_t next_prefix;
    uint64_t ingest_number;
    struct chunk *spare_chunks;
    size_t spare_bytes, spare_max;
    rocksdb_writebatch_t *spare_batch;
};

/* catalog.c */
MUST_CHECK err_t catalog_load(struct store *s, struct diag *d);
/* Between these no table is dropped or truncated. */
MUST_CHECK err_t commit_enter(struct store *s, const struct store_table *const *tables,
                              size_t table_count, struct diag *d);
void commit_leave(struct store *s);

/* rocks.c. Takes RocksDB's message (freed here) and tells it in our words. */
MUST_CHECK err_t rocks_failed(const struct store *s, char *message, struct diag *d,
                              const char *what);
/* read.c: with the snapshot, if there is one; caller owns. */
rocksdb_readoptions_t *read_options(const struct store_snapshot *n);
/* ingest.c */
struct entries;
MUST_CHECK err_t ingest_entries(struct store *s, const struct entries *groups, size_t group_count,
                                struct diag *d);
MUST_CHECK err_t ingest_clear(struct store *s, struct diag *d);

/* write.c: what one atomic write has collected. */
enum entry_op { ENTRY_PUT, ENTRY_MERGE, ENTRY_DELETE };
struct entry {     /* a key and the value right behind it */
    uint64_t head; /* the 8 bytes after the prefix, as a number */
    const uint8_t *key;
    uint32_t key_len;
    uint32_t value_len : 28, op : 4;
};
/* Entries are in key order, their bytes anywhere: those of the one that comes soon are asked for
 * now (1 processor second in 8 while catching up). */
static inline void entry_ahead(const struct entry *at, size_t k, size_t count)
{
    enum { AHEAD = 8, LINES = 6, LINE = 64 };
    if (k + AHEAD >= count) return;
    for (int i = 0; i < LINES; i++) __builtin_prefetch(at[k + AHEAD].key + i * LINE);
}
struct entries { /* all of one prefix */
    uint32_t prefix;
    const struct store_table *table; /* NULL: records */
    struct entry *at;
    size_t count, cap;
};
struct store_write {
    struct store *store;
    enum store_form form;
    size_t bytes, bytes_max;
    struct chunk *chunks;
    struct entries *groups;
    size_t group_count, group_cap;
    struct buf scratch;
    uint64_t rows;
};
uint8_t *write_room(struct store_write *w, size_t size); /* bytes not yet taken; NULL: no memory */
void write_take(struct store_write *w, size_t size);     /* … and taken */
MUST_CHECK err_t write_entry(struct store_write *w, struct entries *g, const uint8_t *key,
                             uint32_t key_len, uint32_t value_len, enum entry_op op);
MUST_CHECK err_t write_group(struct store_write *w, uint32_t prefix,
                             const struct store_table *table, struct entries **out);
/* sort.c: every group by key, one entry a key, groups by prefix. */
MUST_CHECK err_t write_sort(struct store_write *w, struct diag *d);
