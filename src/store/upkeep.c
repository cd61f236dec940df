/* What operators and benchmarks ask of the store. */
#include "os/file.h"
#include "store/store_int.h"
#include <limits.h>
#include <stdio.h>

enum { COUNT_EXACT_MAX = 10000 };

err_t store_flush(struct store *s, struct diag *d)
{
    char *message = NULL;
    rocksdb_flushoptions_t *o = rocksdb_flushoptions_create();
    rocksdb_flushoptions_set_wait(o, 1);
    rocksdb_flush(s->db, o, &message);
    rocksdb_flushoptions_destroy(o);
    return message ? rocks_failed(s, message, d, "what is in memory was not written out") : ERR_OK;
}

err_t store_compact(struct store *s, struct diag *d)
{
    if (s->read_only) return diag_fail(d, ERR_FORBIDDEN, "the store is open for reading only");
    uint64_t before = rocks_property(s, "rocksdb.background-errors");
    rocksdb_compact_range(s->db, NULL, 0, NULL, 0);
    if (rocks_property(s, "rocksdb.background-errors") == before) return ERR_OK;
    return store_flush(s, d); /* which tells the reason */
}

struct logs {
    const char *dir;
    uint64_t bytes;
};

static err_t add_log(void *ctx, const char *name)
{
    struct logs *l = ctx;
    char path[PATH_MAX];
    struct file_stamp stamp;
    size_t len = strlen(name);
    if (len < 4 || strcmp(name + len - 4, ".log") != 0) return ERR_OK;
    int n = snprintf(path, sizeof(path), "%s/%s", l->dir, name);
    if (n < (int)sizeof(path) && !file_stamp(path, &stamp, NULL)) l->bytes += stamp.size;
    return ERR_OK; /* one that has gone meanwhile has nothing any more */
}

/* What no table's file has yet: RocksDB's log. */
static uint64_t log_bytes(const struct store *s)
{
    struct logs l = {.dir = s->db_dir};
    return dir_list(l.dir, add_log, &l, NULL) ? 0 : l.bytes;
}

struct store_stats store_stats(struct store *s)
{
    return (struct store_stats){
        .rows_estimate = rocks_property(s, "rocksdb.estimate-num-keys"),
        .disk_bytes = rocks_property(s, "rocksdb.total-sst-files-size") + log_bytes(s),
        .memtable_bytes = rocks_property(s, "rocksdb.cur-size-all-mem-tables"),
        .cache_bytes = rocks_property(s, "rocksdb.block-cache-usage"),
        .compactions_running = rocks_property(s, "rocksdb.num-running-compactions"),
        .pending_compaction_bytes = rocks_property(s, "rocksdb.estimate-pending-compaction-bytes"),
    };
}

/* --- files --------------------------------------------------------------------------------------
 */

/* The struct is RocksDB's own list. */
struct store_files *store_files_take(struct store *s)
{
    return (struct store_files *)(uintptr_t)rocksdb_livefiles(s->db);
}

void store_files_give(struct store_files *f)
{
    if (f) rocksdb_livefiles_destroy((const rocksdb_livefiles_t *)f);
}

static uint32_t prefix_of(const char *key, size_t size)
{
    uint8_t at[KEY_PREFIX_SIZE] = {0};
    if (size) memcpy(at, key, MIN(size, sizeof(at)));
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

uint32_t store_files_of(const struct store_files *f, const struct store_table *t)
{
    const rocksdb_livefiles_t *all = (const rocksdb_livefiles_t *)f;
    int files = all ? rocksdb_livefiles_count(all) : 0;
    uint32_t count = 0;
    for (int i = 0; i < files; i++) {
        size_t first_size, last_size;
        const char *first = rocksdb_livefiles_smallestkey(all, i, &first_size);
        const char *last = rocksdb_livefiles_largestkey(all, i, &last_size);
        count +=
            prefix_of(first, first_size) <= t->prefix && t->prefix <= prefix_of(last, last_size);
    }
    return count;
}

/* --- one table ----------------------------------------------------------------------------------
 */

struct span { /* of all keys of one prefix */
    uint8_t from[KEY_PREFIX_SIZE], to[KEY_PREFIX_SIZE];
};
static struct span span_of(uint32_t prefix)
{
    struct span x;
    struct buf a = buf_over(x.from, sizeof x.from), b = buf_over(x.to, sizeof x.to);
    buf_be(&a, prefix, KEY_PREFIX_SIZE);
    buf_be(&b, prefix + 1U, KEY_PREFIX_SIZE);
    return x;
}

static err_t span_bytes(struct store *s, uint32_t prefix, uint64_t *out, struct diag *d)
{
    struct span x = span_of(prefix);
    const char *from[1] = {(const char *)x.from}, *to[1] = {(const char *)x.to};
    size_t len[1] = {KEY_PREFIX_SIZE};
    char *message = NULL;
    rocksdb_approximate_sizes(s->db, 1, from, len, to, len, out, &message);
    return message ? rocks_failed(s, message, d, "a table's size can not be told") : ERR_OK;
}

/* What of all keys these bytes of the tables' files hold. RocksDB's log is no part of them. */
static uint64_t keys_of_bytes(struct store *s, uint64_t bytes)
{
    uint64_t all = rocks_property(s, "rocksdb.live-sst-files-size"); /* of now, as the keys */
    double share = all ? (double)MIN(bytes, all) / (double)all : 0;
    return (uint64_t)(share * (double)rocks_property(s, "rocksdb.estimate-num-keys"));
}

struct store_table_sizes store_table_sizes(struct store *s, const struct store_table *t)
{
    struct store_table_sizes out = {0};
    struct diag ignored; /* an estimate: none is better than a failure */
    if (span_bytes(s, t->prefix, &out.disk_bytes, &ignored)) return (struct store_table_sizes){0};
    out.rows = keys_of_bytes(s, out.disk_bytes);
    return out;
}

/* Up to `most` keys are counted. */
static err_t span_count(struct store *s, uint32_t prefix, uint64_t most, uint64_t *out,
                        struct diag *d)
{
    struct span x = span_of(prefix);
    char *message = NULL;
    rocksdb_readoptions_t *o = rocksdb_readoptions_create();
    rocksdb_readoptions_set_iterate_upper_bound(o, (const char *)x.to, KEY_PREFIX_SIZE);
    rocksdb_readoptions_set_fill_cache(o, 0);
    rocksdb_iterator_t *i = rocksdb_create_iterator(s->db, o);
    rocksdb_iter_seek(i, (const char *)x.from, KEY_PREFIX_SIZE);
    for (*out = 0; *out < most && rocksdb_iter_valid(i); rocksdb_iter_next(i)) (*out)++;
    rocksdb_iter_get_error(i, &message);
    rocksdb_iter_destroy(i);
    rocksdb_readoptions_destroy(o);
    return message ? rocks_failed(s, message, d, "a table can not be counted") : ERR_OK;
}

err_t store_table_stats(struct store *s, const struct store_table *t, struct store_table_stats *out,
                        struct diag *d)
{
    *out = (struct store_table_stats){0};
    uint64_t rows_bytes = 0, bytes = 0;
    err_t e = span_bytes(s, t->prefix, &rows_bytes, d);
    for (uint32_t i = 0; i < t->index_count && !e; i++) {
        e = span_bytes(s, t->indexes[i].prefix, &bytes, d);
        if (!e) out->index_bytes += bytes;
    }
    out->disk_bytes = rows_bytes + out->index_bytes;
    if (!e) e = span_count(s, t->prefix, COUNT_EXACT_MAX, &out->rows_estimate, d);
    out->exact = out->rows_estimate < COUNT_EXACT_MAX;
    if (e || out->exact) return e;
    out->rows_estimate = MAX(out->rows_estimate, keys_of_bytes(s, rows_bytes));
    return ERR_OK;
}

err_t store_table_compact(struct store *s, const struct store_table *t, struct diag *d)
{
    if (s->read_only) return diag_fail(d, ERR_FORBIDDEN, "the store is open for reading only");
    uint64_t before = rocks_property(s, "rocksdb.background-errors");
    for (uint32_t i = 0; i <= t->index_count; i++) {
        struct span x = span_of(i ? t->indexes[i - 1].prefix : t->prefix);
        rocksdb_compact_range(s->db, (const char *)x.from, KEY_PREFIX_SIZE, (const char *)x.to,
                              KEY_PREFIX_SIZE);
    }
    if (rocks_property(s, "rocksdb.background-errors") == before) return ERR_OK;
    return store_flush(s, d); /* which tells the reason */
}

/* --- a copy of all ------------------------------------------------------------------------------
 */

/* No file is taken in meanwhile, as with a snapshot: it would be seen before it is whole. */
static char *checkpoint_at(struct store *s, const char *path)
{
    char *message = NULL;
    gate_enter(&s->gate);
    s->snapshots_wanted++;
    while (s->ingests_running) gate_wait(&s->gate);
    gate_leave(&s->gate);
    rocksdb_checkpoint_t *c = rocksdb_checkpoint_object_create(s->db, &message);
    if (!message) rocksdb_checkpoint_create(c, path, 0, &message);
    if (c) rocksdb_checkpoint_object_destroy(c);
    gate_enter(&s->gate);
    s->snapshots_wanted--;
    gate_wake(&s->gate);
    gate_leave(&s->gate);
    return message;
}

err_t store_checkpoint(struct store *s, const char *path, struct diag *d)
{
    char db[4096];
    int n = snprintf(db, sizeof db, "%s/db", path);
    if (n < 0 || (size_t)n >= sizeof db) return diag_fail(d, ERR_TOO_BIG, "the path is too long");
    if (s->read_only) return diag_fail(d, ERR_FORBIDDEN, "the store is open for reading only");
    if (file_exists(path)) return diag_fail(d, ERR_EXISTS, "%s exists", path);
    err_t e = dir_make(path, d);
    if (e) return e;
    char *message = checkpoint_at(s, db);
    return message ? rocks_failed(s, message, d, "the snapshot was not made") : ERR_OK;
}
