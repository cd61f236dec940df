/* store_int: what the store's own files share. Private to this room. */
#pragma once
#include "os/thread.h"
#include "store/cells.h"
#include <rocksdb/c.h>
#include <stdatomic.h>

enum {
    FORMAT_VERSION = 2,    /* of the whole directory: STORE_META "format" */
    ROW_SIMPLE = 1,        /* first byte of a row's value: only simple cells, no row tombstone */
    ROW_VERSION = 2,       /* … or anything; the newest that is known */
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

struct table;

/* --- key.c, key_number.c: order-preserving forms ----------------------------------------------
 * Clustering columns: byte order is the type's own order, each part prefix-free, `descending`
 * inverts the bytes. Partition columns: their binary form, escaped where the length varies. */
bool key_type_allowed(const struct type *t);
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

/* key_row.c: whole keys. Values are in their binary form; `out` is appended to. ERR_TOO_BIG,
 * ERR_MALFORMED (no value of its type), ERR_CONSTRAINT (the only partition key column is empty).
 * `count`: the partition key's columns (then it is the partition's record, or its only row when the
 * table has no clustering columns), or more: a row, or the start of all rows that begin so. */
MUST_CHECK err_t key_put_row(struct buf *out, const struct store_table *t, const struct slice *key,
                             uint32_t count);
/* A slice of the clustering suffix as bytes, from start (included) to end (not included); *open: to
 * the partition's end. *empty: no row can lie inside. */
MUST_CHECK err_t key_put_slice(struct buf *start, struct buf *end, const struct store_table *t,
                               const struct store_slice *s, bool *open, bool *empty);
/* The first bytes behind all that begin with out[from …]: false when there are none such. */
bool key_successor(struct buf *out, size_t from);
/* The partition's part of a row's key (with prefix and token); 0: it is no key of this table. */
size_t key_partition_size(const struct table *t, struct slice key);
/* List elements' time UUIDs as paths, so that byte order is time order; and back. */
void list_path_put(const uint8_t uuid[16], uint8_t path[16]);
void list_path_take(const uint8_t path[16], uint8_t uuid[16]);

/* --- row.c: one row's value ------------------------------------------------------------------ */

/* A row is a list of cells by growing id. Ids below CELL_FIRST are not columns. In a table with
 * clustering columns the key without clustering is the partition's record: its statics, its
 * tombstone (CELL_ROW_TOMBSTONE: of all its rows and of the statics) and its range tombstones. */
enum {
    CELL_MARKER = 0,        /* the row itself was inserted: it is there even if all else is null */
    CELL_LINEAGE = 1,       /* where the row came from */
    CELL_ROW_TOMBSTONE = 2, /* a tombstone: deletes every cell up to its time */
    CELL_RANGES = 3,        /* complex; value: ranges_put */
    CELL_FIRST = 4,         /* the first column's id */
    CELL_ID_MAX = 65534
};
/* In a cell's head: uvarint of id << CELL_FLAG_BITS | flags. A tombstone has no TTL, so that the
 * two together are free to mean complex. */
enum { CELL_TOMBSTONE = 1, CELL_OWN_TIME = 2, CELL_OWN_TTL = 4, CELL_FLAG_BITS = 3 };
enum { CELL_COMPLEX = CELL_TOMBSTONE | CELL_OWN_TTL };
enum { ROW_TTL = 1, ROW_FLAGS_KNOWN = 1, ROW_HEAD_SIZE = 10, ROW_HEAD_TTL_SIZE = 22 };

struct cell {
    int64_t timestamp;
    int64_t expiry_s; /* ttl != 0: when it ends; tombstone: when it was written */
    uint32_t ttl;
    uint16_t id;
    bool tombstone;
    bool complex; /* value: complex_put or ranges_put, which know the times; the rest here is 0 */
    struct slice value;
};
struct row_reader {
    struct cursor c;
    int64_t timestamp, expiry_s; /* the row's own, which most cells share */
    uint32_t ttl;
    int32_t last_id;
    bool last_complex;
    uint8_t version;
    err_t err;
};
void row_open(struct row_reader *r, struct slice value);
bool row_next(struct row_reader *r, struct cell *out); /* false at the end; then look at r->err */
static inline bool cell_live(const struct cell *c, int64_t now_s)
{
    return !c->tombstone && (c->ttl == 0 || c->expiry_s > now_s);
}
static inline bool time_reached(int64_t timestamp, int64_t floor) /* … by a deletion at `floor` */
{
    return timestamp <= floor && floor != INT64_MIN; /* INT64_MIN: there is none */
}
/* The one byte form of these cells (sorted by id, no two alike, none up to the row tombstone's
 * time): equal cells, equal bytes. */
void row_put(struct buf *out, const struct cell *cells, size_t count);
size_t row_size_max(const struct cell *cells, size_t count);
int cell_compare(const struct cell *a, const struct cell *b); /* which of two wins: > 0 is a */
void lineage_put(struct buf *out, const struct store_lineage *l);
MUST_CHECK err_t lineage_take(struct slice value, struct store_lineage *out);
uint32_t type_fixed_size(const struct type *t); /* bytes of the binary form; 0: it varies */

/* --- complex.c: a cell of many elements: a collection or user type that is not frozen ----------
 */

struct element {
    struct slice path; /* set: the element; map: the key; list: list_path_put; user type: int16 */
    struct cell cell;  /* simple; its id is not looked at */
};
struct complex {
    bool deleted; /* everything up to this time: */
    int64_t deletion, deletion_s;
    const struct element *elements; /* sorted by the paths' bytes, no two alike */
    size_t count;
};
/* A complex column's simple cell is its whole value: up to when it deletes elements. */
static inline int64_t whole_reaches(const struct cell *c)
{
    return c->tombstone || c->timestamp == INT64_MIN ? c->timestamp : c->timestamp - 1;
}
/* The one byte form. What the deletion, or `floor` (INT64_MIN: none), reaches is left out; what has
 * nothing left is no bytes at all and must not become a cell. */
void complex_put(struct buf *out, const struct complex *c, int64_t floor);
size_t complex_size_max(const struct complex *c);
struct complex_reader {
    struct cursor c;
    int64_t timestamp, expiry_s;
    uint32_t ttl;
    bool deleted;
    int64_t deletion, deletion_s;
    struct slice last;
    bool any;
    err_t err;
};
void complex_open(struct complex_reader *r, struct slice value);
bool complex_next(struct complex_reader *r, struct element *out); /* false at the end: r->err */
/* Both together, in the one form, without what `floor` reaches. Either may be of no bytes, nothing;
 * so may the result. */
MUST_CHECK err_t complex_merge(struct slice a, struct slice b, int64_t floor, struct arena *memory,
                               struct slice *merged);

/* --- ranges.c: a partition's range tombstones --------------------------------------------------
 */

struct range {               /* of the clustering suffix's bytes */
    struct slice start, end; /* end not included; of no bytes: to the partition's end */
    int64_t timestamp, local_s;
};
/* Sorted, not overlapping, and touching only where the deletions differ. What `floor` reaches is
 * left out; nothing left: no bytes. */
void ranges_put(struct buf *out, const struct range *ranges, size_t count, int64_t floor);
size_t ranges_size_max(const struct range *ranges, size_t count);
struct ranges_reader {
    struct cursor c;
    struct range last;
    bool any;
    err_t err;
};
void ranges_open(struct ranges_reader *r, struct slice value);
bool ranges_next(struct ranges_reader *r, struct range *out); /* false at the end: r->err */
/* Where they overlap the later deletion counts. */
MUST_CHECK err_t ranges_merge(struct slice a, struct slice b, int64_t floor, struct arena *memory,
                              struct slice *merged);

/* --- merge.c: many writes of one row become one ----------------------------------------------- */
MUST_CHECK err_t row_merge(const struct slice *rows, size_t count, struct buf *out);
rocksdb_mergeoperator_t *merge_operator_new(void);

/* --- purge.c: what compaction leaves out ------------------------------------------------------ */
rocksdb_compactionfilterfactory_t *purge_factory_new(struct store *s);
/* Told of every full merge, on its thread: a purge of this thread may want to know. */
void merge_seen(struct slice base, const char *const *list, const size_t *lens, int count);

/* --- the store itself --------------------------------------------------------------------------
 */

/* What has happened to a table's rows since its prefix was given; a new prefix, and it is
 * forgotten. Shared by the table's versions. */
enum { MARK_PARTITION_RECORDS = 1 };
struct table_past {
    _Atomic uint32_t marks;         /* what its rows have ever had: in the catalog, durably, before
                                       the first such write */
    _Atomic uint64_t written_given; /* written.c: the last number given … */
    _Atomic uint64_t written;       /* … and the greatest that is durable */
    uint64_t noted;                 /* the committer's: the group it was last noted in */
};
struct column_info {         /* by column id */
    const struct type *type; /* NULL: no column of the table (now): its cells are not seen */
    int64_t dropped_us;      /* cells up to then are not seen; INT64_MIN: never dropped */
    uint16_t index;          /* in store_table.columns */
    uint8_t role;            /* enum column_role */
    bool complex;            /* more than one cell: a collection or user type that is not frozen */
};
struct table { /* what the catalog keeps beside the public value */
    struct store_table t;
    uint16_t partition_count, clustering_count; /* the first columns, in this order */
    uint32_t next_column_id;
    uint16_t static_count;           /* how many columns are static */
    const struct column_info *by_id; /* next_column_id of them; table_index makes it */
    struct table_past *past;
    struct named *named; /* its name in the catalog, under which the value of now hangs */
};
/* key_row.c: fills by_id and static_count from columns and dropped. */
MUST_CHECK err_t table_index(struct table *t, struct arena *a);
static inline bool type_is_complex(const struct type *t)
{
    return !t->frozen && (t->kind == TYPE_LIST || t->kind == TYPE_SET || t->kind == TYPE_MAP ||
                          (t->kind == TYPE_STRUCT && t->name.len > 0));
}
static inline const struct table *table_of(const struct store_table *t)
{
    return (const struct table *)(const void *)t;
}

/* --- cells_read.c: a value's live cells --------------------------------------------------------
 */

struct cells_wanted {
    const struct table *table;
    const uint64_t
        *bits;     /* columns' ids; NULL: all. Others only count for whether the row is there */
    uint32_t last; /* with bits: the greatest id among them */
    int64_t now_s;
    bool statics;            /* of a partition's record, or of a row */
    struct store_cell *room; /* for all of the table's columns and one more; NULL: from the arena */
};
struct cells_read {
    bool marker, any; /* any: a live cell, wanted or not */
    int64_t marker_timestamp, marker_expiry_s;
    uint32_t marker_ttl;
    struct store_cell *cells;
    uint32_t count;
    int64_t floor;                /* the latest deletion that reaches all of it; INT64_MIN: none */
    struct slice lineage, ranges; /* as they are in `value` */
};
/* `floor`: the partition's deletion there. */
MUST_CHECK err_t cells_read(const struct cells_wanted *w, struct slice value, int64_t floor,
                            struct arena *a, struct cells_read *out);
/* The deletion of a partition's ranges that reaches this clustering suffix; INT64_MIN: none. */
MUST_CHECK err_t ranges_reach(struct slice ranges, struct slice suffix, int64_t *time);
/* A complex column's whole value as elements, and live elements as the whole value. */
MUST_CHECK err_t complex_of_whole(const struct type *t, const struct cell *whole, struct arena *a,
                                  struct slice *body);
void elements_whole(const struct type *t, const struct store_cell *cell, struct buf *out);

/* --- get.c -------------------------------------------------------------------------------------
 */

/* One row of the values at its two keys; at NULL: there is no such key. key_count as in
 * store_row_get, whose answer this is. `suffix`: the row's clustering part of its key. The values'
 * bytes must live as long as *out. */
MUST_CHECK err_t row_resolve(const struct table *t, const struct slice *key, uint32_t key_count,
                             struct slice suffix, struct slice record, struct slice row,
                             int64_t now_s, struct arena *a, const struct store_row **out);
/* Tells that a row could not be read, and which table's it was. */
err_t row_failed(const struct store *s, const struct store_table *t, err_t e, struct diag *d);

struct chunk { /* memory of a write: a header, then bytes */
    struct chunk *next;
    size_t size, used;
};

enum { STORE_FETCH_THREADS = 7 }; /* beside the caller: what a disk takes at a time */
struct fetcher;

struct store {
    char *dir, *db_dir, *ingest_dir, *lock_path;
    int lock_fd;
    bool read_only, mutant_cursor_before_rows, mutant_answer_before_sync;
    uint32_t row_bytes_max;
    size_t write_buffer_bytes;
    _Atomic uint64_t turns; /* odd: a group runs that writes whole what it has read (purge.c) */
    _Atomic bool opened;    /* the catalog is there: compactions may purge */
    rocksdb_t *db;
    rocksdb_column_family_handle_t *family;    /* the only one; some calls want it named */
    rocksdb_options_t *options, *file_options; /* the latter: of files to be ingested */
    rocksdb_cache_t *cache;
    rocksdb_writeoptions_t *write_synced, *write_unsynced; /* the second: a mutant's alone */
    rocksdb_readoptions_t *read_newest;
    rocksdb_envoptions_t *env_options;
    rocksdb_ingestexternalfileoptions_t *ingest_options;

    _Atomic uint32_t failures_running; /* commits that failed one after the other */

    struct schema *schema;         /* catalog.h: read without a lock */
    struct committer *committer;   /* change.h; NULL: open for reading only */
    _Atomic int64_t clock_last;    /* the last timestamp given */
    _Atomic int64_t clock_ceiling; /* what is durable: all that was committed is below it */
    _Atomic bool closing;
    struct fetcher *fetcher; /* fetch.c */
    struct gate keeper_gate; /* guards nothing: its sleep */
    struct thread keeper;
    struct thread refiller; /* of indexes that a stop left half-made */

    struct gate gate; /* guards all below */
    uint32_t commits_running, ingests_running, snapshots_wanted;
    bool alone; /* a change of the catalog, or a group that decides, runs or waits to */
    uint32_t commits_waiting, commits_first; /* for it; who goes before the next of that kind */
    uint32_t fillings;                       /* indexes being filled */
    uint64_t ingest_number;
    struct chunk *spare_chunks;
    size_t spare_bytes, spare_max;
    rocksdb_writebatch_t *spare_batch;
};

/* catalog.c */
MUST_CHECK err_t schema_load(struct store *s, struct diag *d);
void schema_free(struct store *s);
/* Between these no table is dropped or truncated. */
MUST_CHECK err_t commit_enter(struct store *s, const struct store_table *const *tables,
                              size_t table_count, struct diag *d);
void commit_leave(struct store *s);
/* The same without any other commit beside it: between these what is read stays true. */
void commit_enter_alone(struct store *s);
void commit_leave_alone(struct store *s);
MUST_CHECK err_t table_gone(const struct store_table *t, struct diag *d);
MUST_CHECK err_t table_outrun(const struct store_table *t, struct diag *d);
/* catalog_table.c: indexes that a stop left half-made, after opening. */
bool indexes_unfilled(struct store *s);
void indexes_refill(struct store *s);
/* commit.c: the thread that writes changes. Stopping it waits for those that were handed over. */
MUST_CHECK err_t committer_start(struct store *s, struct diag *d);
void committer_stop(struct store *s);
/* keeper.c */
struct fresh { /* what is in memory alone */
    uint64_t bytes, entries;
};
struct freshness { /* how long how much has been in memory alone */
    uint64_t last;
    int64_t since_ns;     /* when it first had much; 0: it has not */
    int64_t any_since_ns; /* when it first had any; 0: it has not */
};
bool freshness_old(struct freshness *f, struct fresh now, int64_t now_ns);
void freshness_begin(struct freshness *f); /* another buffer, empty, takes its place */
MUST_CHECK err_t store_keeper_start(struct store *s, struct diag *d);
void store_keeper_stop(struct store *s); /* after `closing` is set */
/* fetch.c */
MUST_CHECK err_t fetcher_new(struct store *s, struct diag *d);
void fetcher_free(struct store *s);
/* write.c: how a commit ended, for store_must_reopen. */
void commit_counted(struct store *s, err_t e);
/* index.c: what `t`'s indexes have for the row of this key and (one write's, or merged) value: each
 * entry's key is prefix, value in its order-preserving form, and the row's key without prefix. */
typedef err_t index_emit(void *ctx, uint32_t prefix, struct slice value, struct slice row);
MUST_CHECK err_t index_entries(const struct table *t, struct slice key, struct slice value,
                               index_emit *emit, void *ctx, struct diag *d);
struct store_write;
/* clock.c */
MUST_CHECK err_t clock_load(struct store *s, struct diag *d);
/* Puts a new ceiling into the batch when the last one is reached; 0: not needed. clock_reserved
 * when it is durable. Only the committer does this. */
int64_t clock_reserve(struct store *s, rocksdb_writebatch_t *b);
void clock_reserved(struct store *s, int64_t ceiling);

/* written.c */
MUST_CHECK err_t written_load(struct store *s, struct diag *d);
uint64_t written_next(const struct table *t);                 /* for one write … */
void written_durable(const struct table *t, uint64_t number); /* … which is there */
void written_put(rocksdb_writebatch_t *b, uint32_t prefix, uint64_t number);
void written_forget(rocksdb_writebatch_t *b, uint32_t prefix);
MUST_CHECK err_t written_note(struct store_write *w,
                              struct diag *d); /* once, before it is sorted */
void written_done(const struct store_write *w);

/* rocks.c. Takes RocksDB's message (freed here) and tells it in our words. */
/* A write of RocksDB's: NULL, or its message. */
char *rocks_write(const struct store *s, const rocksdb_writeoptions_t *o, rocksdb_writebatch_t *b);
MUST_CHECK err_t rocks_failed(const struct store *s, char *message, struct diag *d,
                              const char *what);
/* One of its numbers; 0 where it does not tell. */
uint64_t rocks_property(const struct store *s, const char *name);
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
    uint64_t written; /* its table's number of this write; 0: none yet */
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
/* An entry of one of the table's indexes, as index_entries gives it. */
MUST_CHECK err_t write_index_entry(struct store_write *w, const struct store_table *t,
                                   uint32_t prefix, struct slice value, struct slice row);
/* sort.c: every group by key, one entry a key, groups by prefix. */
MUST_CHECK err_t write_sort(struct store_write *w, struct diag *d);
