/* Opening and closing; RocksDB's options, with the reasons in docs/store.md. */
#include "os/file.h"
#include "store/store_int.h"
#include <stdio.h>

enum {
    CACHE_BYTES = 32 << 20,
    CACHE_SHARD_BITS = 4,
    WRITE_BUFFERS = 4,
    WRITE_BUFFER_BYTES = 32 << 20,
    ROW_BYTES_MAX = 16 << 20,
    BLOCK_BYTES = 16 << 10,
    INDEX_TWO_LEVELS = 2,
    META_BLOCK_BYTES = 16 << 10,
    BLOOM_BITS = 10,
    CHECKSUM_XXH3 = 4,
    TABLE_FORMAT = 5,
    OPEN_FILES_MAX = 256,
    RUNS_TO_MERGE = 16, /* a compaction begins at so many runs, */
    RUNS_SLOW = 32,     /* writers are slowed down at these */
    RUNS_STOP = 48,     /* and wait at these */
    MERGE_WIDTH_MIN = 8,
    INFO_LOG_BYTES = 256 << 10,
    INFO_WARNINGS = 2,
    SYNC_EVERY_BYTES = 1 << 20,
    READAHEAD_BYTES = 256 << 10, /* of 16 files: what fits the processor's cache */
    SPARE_CATCHUP_MAX = 256 << 20,
    CLOSE_FLUSH_BYTES = 4 << 20
};

static void options_table(struct store *s, rocksdb_options_t *o, size_t cache_bytes)
{
    rocksdb_block_based_table_options_t *t = rocksdb_block_based_options_create();
    rocksdb_lru_cache_options_t *c = rocksdb_lru_cache_options_create();
    rocksdb_lru_cache_options_set_capacity(c, cache_bytes);
    rocksdb_lru_cache_options_set_num_shard_bits(c, CACHE_SHARD_BITS);
    s->cache = rocksdb_cache_create_lru_opts(c);
    rocksdb_lru_cache_options_destroy(c);
    rocksdb_block_based_options_set_block_cache(t, s->cache);
    rocksdb_block_based_options_set_block_size(t, BLOCK_BYTES);
    rocksdb_block_based_options_set_filter_policy(t, rocksdb_filterpolicy_create_bloom(BLOOM_BITS));
    rocksdb_block_based_options_set_whole_key_filtering(t, 1);
    rocksdb_block_based_options_set_checksum(t, CHECKSUM_XXH3);
    rocksdb_block_based_options_set_format_version(t, TABLE_FORMAT);
    /* index and filters inside the cache: its size bounds them, and opening reads none of them */
    rocksdb_block_based_options_set_cache_index_and_filter_blocks(t, 1);
    rocksdb_block_based_options_set_cache_index_and_filter_blocks_with_high_priority(t, 1);
    /* in pieces of a block's size: a whole file's filter (1.2 bytes a key) would not fit a shard of
     * the cache, and be read from disk for each get */
    rocksdb_block_based_options_set_index_type(t, INDEX_TWO_LEVELS);
    rocksdb_block_based_options_set_partition_filters(t, 1);
    rocksdb_block_based_options_set_metadata_block_size(t, META_BLOCK_BYTES);
    rocksdb_block_based_options_set_pin_top_level_index_and_filter(t, 1);
    rocksdb_options_set_block_based_table_factory(o, t);
    rocksdb_block_based_options_destroy(t);
}

/* What was just written is merged soon: only what a compaction made is compressed. */
static const int compressions[] = {rocksdb_no_compression, rocksdb_lz4_compression};

static void options_compaction(rocksdb_options_t *o)
{
    rocksdb_universal_compaction_options_t *u = rocksdb_universal_compaction_options_create();
    rocksdb_universal_compaction_options_set_min_merge_width(u, MERGE_WIDTH_MIN);
    rocksdb_options_set_universal_compaction_options(o, u);
    rocksdb_universal_compaction_options_destroy(u);
    rocksdb_options_set_compaction_style(o, rocksdb_universal_compaction);
    rocksdb_options_set_level0_file_num_compaction_trigger(o, RUNS_TO_MERGE);
    rocksdb_options_set_level0_slowdown_writes_trigger(o, RUNS_SLOW);
    rocksdb_options_set_level0_stop_writes_trigger(o, RUNS_STOP);
    rocksdb_options_set_compression_per_level(o, compressions, COUNT_OF(compressions));
    rocksdb_options_set_max_background_jobs(o, 2);
    rocksdb_options_compaction_readahead_size(o, READAHEAD_BYTES);
    rocksdb_options_set_bytes_per_sync(o, SYNC_EVERY_BYTES);
}

/* What the C face has no function for goes by its text form. A commit's keys come sorted: with a
 * hint for each first five bytes (table, start of the token) the memtable looks for a key's place
 * from where the last one of them went, not from its top. Five and not four: RocksDB 7.8 would use
 * one hint for a table's rows and for its DeleteRange, whose key is the four bytes, although these
 * are two lists. Every other key is longer than four. RocksDB starts all threads that may open
 * files, 16 where nothing is said, however few files there are. And it would reserve a log's whole
 * room with the log's first record: who waited for that commit waited for that too. */
static const char more_options[] =
    "allow_fallocate=false;"
    "avoid_flush_during_recovery=true;"
    "max_file_opening_threads=2;"
    "memtable_insert_with_hint_prefix_extractor=rocksdb.FixedPrefix.5";

static char *options_by_text(struct store *s)
{
    char *message = NULL;
    rocksdb_options_t *o = rocksdb_options_create();
    rocksdb_get_options_from_string(s->options, more_options, o, &message);
    rocksdb_options_destroy(s->options);
    s->options = o;
    s->file_options = rocksdb_options_create_copy(o);
    rocksdb_options_set_compression_per_level(s->file_options, compressions, 1);
    return message;
}

static char *options_make(struct store *s, const struct store_options *wanted)
{
    rocksdb_options_t *o = s->options = rocksdb_options_create();
    size_t buffers = wanted->write_buffer_bytes ? wanted->write_buffer_bytes
                                                : (size_t)WRITE_BUFFERS * WRITE_BUFFER_BYTES;
    s->write_buffer_bytes = buffers;
    rocksdb_options_set_create_if_missing(o, 1);
    rocksdb_options_set_write_buffer_size(o, buffers / WRITE_BUFFERS);
    rocksdb_options_set_max_write_buffer_number(o, WRITE_BUFFERS);
    rocksdb_options_set_allow_concurrent_memtable_write(o, 0);
    rocksdb_options_set_max_open_files(o, OPEN_FILES_MAX);
    rocksdb_options_set_skip_stats_update_on_db_open(o, 1);
    rocksdb_options_set_skip_checking_sst_file_sizes_on_db_open(o, 1);
    rocksdb_options_set_stats_dump_period_sec(o, 0);
    rocksdb_options_set_stats_persist_period_sec(o, 0);
    rocksdb_options_set_info_log_level(o, INFO_WARNINGS);
    rocksdb_options_set_max_log_file_size(o, INFO_LOG_BYTES);
    rocksdb_options_set_keep_log_file_num(o, 2);
    rocksdb_options_set_merge_operator(o, merge_operator_new());
    rocksdb_options_set_compaction_filter_factory(o, purge_factory_new(s));
    options_compaction(o);
    options_table(s, o, wanted->cache_bytes ? wanted->cache_bytes : (size_t)CACHE_BYTES);
    s->write_synced = rocksdb_writeoptions_create();
    rocksdb_writeoptions_set_sync(s->write_synced, 1);
    s->write_unsynced = rocksdb_writeoptions_create();
    s->read_newest = rocksdb_readoptions_create();
    s->env_options = rocksdb_envoptions_create();
    s->ingest_options = rocksdb_ingestexternalfileoptions_create();
    rocksdb_ingestexternalfileoptions_set_move_files(s->ingest_options, 1);
    return options_by_text(s);
}

static char *path_under(const char *dir, const char *name)
{
    size_t size = strlen(dir) + strlen(name) + 2;
    char *path = mem_take(size);
    if (path) snprintf(path, size, "%s%s%s", dir, *name ? "/" : "", name);
    return path;
}

static err_t format_write(struct store *s, struct slice format, struct diag *d)
{
    uint8_t memory[4];
    struct buf b = buf_over(memory, sizeof memory);
    struct store_write *w;
    buf_be(&b, FORMAT_VERSION, 4);
    err_t e = store_write_begin(s, STORE_LIVE, 0, &w, d);
    if (e) return e;
    e = store_write_record(w, STORE_META, format, buf_view(&b));
    if (!e) return store_write_commit(w, d);
    store_write_abort(w);
    return e;
}

/* The directory's own version, written with its first commit and when a newer program opens it. */
static err_t format_check(struct store *s, struct diag *d)
{
    struct slice format = SLICE("format"), value;
    struct arena *a = arena_new(KIB(4));
    err_t e = a ? store_record(s, NULL, STORE_META, format, a, &value, d) : ERR_NO_MEMORY;
    uint32_t version = 0;
    if (!e) {
        struct cursor c = cursor_of(value);
        version = (uint32_t)cursor_be(&c, 4);
        if (version > FORMAT_VERSION)
            e = diag_fail(d, ERR_VERSION, "the store in %s has format %u, this program knows %d",
                          s->dir, version, FORMAT_VERSION);
    }
    if (!s->read_only && (e == ERR_NOT_FOUND || (!e && version < FORMAT_VERSION)))
        e = format_write(s, format, d);
    arena_free(a);
    return e;
}

/* The default column family by its name, because its handle is wanted (get.c). */
static rocksdb_t *rocks_open(struct store *s, char **message)
{
    const char *name = "default";
    const rocksdb_options_t *o = s->options;
    return s->read_only ? rocksdb_open_for_read_only_column_families(
                              s->options, s->db_dir, 1, &name, &o, &s->family, 0, message)
                        : rocksdb_open_column_families(s->options, s->db_dir, 1, &name, &o,
                                                       &s->family, message);
}

static err_t db_open(struct store *s, const struct store_options *o, struct diag *d)
{
    err_t e = ERR_OK;
    char current[4096];
    int n = snprintf(current, sizeof current, "%s/CURRENT", s->db_dir);
    if (n < 0 || (size_t)n >= sizeof current)
        return diag_fail(d, ERR_TOO_BIG, "the path %s is too long", s->dir);
    if (s->read_only && !file_exists(current))
        return diag_fail(d, ERR_NOT_FOUND, "there is no store in %s", s->dir);
    if (!s->read_only) e = dir_make(s->db_dir, d);
    /* a lock of our own before RocksDB's, because it can name who holds it */
    if (!e && !s->read_only) e = file_lock(s->lock_path, &s->lock_fd, d);
    if (e) return e;
    char *message = options_make(s, o);
    if (!message) s->db = rocks_open(s, &message);
    if (message) return rocks_failed(s, message, d, "the store can not be opened");
    if (!s->read_only) e = ingest_clear(s, d);
    return e;
}

static void refill(void *arg)
{
    indexes_refill(arg);
}

err_t store_open(const struct store_options *o, struct store **out, struct diag *d)
{
    *out = NULL;
    struct store *s = mem_take(sizeof *s);
    if (!s) return diag_fail(d, ERR_NO_MEMORY, "no memory for the store");
    gate_init(&s->gate);
    gate_init(&s->keeper_gate);
    s->dir = path_under(o->dir, "");
    s->db_dir = path_under(o->dir, "db");
    s->ingest_dir = path_under(o->dir, "ingest");
    s->lock_path = path_under(o->dir, "lock");
    s->lock_fd = -1;
    s->read_only = o->read_only;
    s->mutant_cursor_before_rows = o->mutant_cursor_before_rows;
    s->mutant_answer_before_sync = o->mutant_answer_before_sync;
    s->row_bytes_max = MIN(o->row_bytes_max ? o->row_bytes_max : ROW_BYTES_MAX, RECORD_MAX);
    s->spare_max = SPARE_CATCHUP_MAX;
    err_t e = s->dir && s->db_dir && s->ingest_dir && s->lock_path
                  ? db_open(s, o, d)
                  : diag_fail(d, ERR_NO_MEMORY, "no memory for the store");
    if (!e) e = fetcher_new(s, d);
    if (!e) e = format_check(s, d);
    if (!e) e = schema_load(s, d);
    if (!e) e = written_load(s, d);
    if (!e) e = clock_load(s, d);
    if (!e && !s->read_only) e = committer_start(s, d);
    if (!e && !s->read_only) e = store_keeper_start(s, d);
    if (!e && !s->read_only && indexes_unfilled(s))
        e = thread_start(&s->refiller, "store index", refill, s, d);
    if (e) {
        store_close(s);
        return e;
    }
    atomic_store(&s->opened, true);
    *out = s;
    return ERR_OK;
}

/* A log of much that is only in memory makes the next start slow: better written out now. If that
 * fails, the log still has it. */
static void flush_much(struct store *s)
{
    struct diag ignored;
    if (s->db && !s->read_only && store_stats(s).memtable_bytes > CLOSE_FLUSH_BYTES)
        if (store_flush(s, &ignored)) return;
}

void store_close(struct store *s)
{
    if (!s) return;
    atomic_store(&s->closing, true);
    thread_join(&s->refiller);
    store_keeper_stop(s);
    committer_stop(s);
    fetcher_free(s);
    flush_much(s);
    if (s->spare_batch) rocksdb_writebatch_destroy(s->spare_batch);
    if (s->family) rocksdb_column_family_handle_destroy(s->family);
    if (s->db) rocksdb_close(s->db);
    if (s->ingest_options) rocksdb_ingestexternalfileoptions_destroy(s->ingest_options);
    if (s->env_options) rocksdb_envoptions_destroy(s->env_options);
    if (s->read_newest) rocksdb_readoptions_destroy(s->read_newest);
    if (s->write_synced) rocksdb_writeoptions_destroy(s->write_synced);
    if (s->write_unsynced) rocksdb_writeoptions_destroy(s->write_unsynced);
    if (s->file_options) rocksdb_options_destroy(s->file_options);
    if (s->options) rocksdb_options_destroy(s->options);
    if (s->cache) rocksdb_cache_destroy(s->cache);
    if (s->lock_fd >= 0) file_close(s->lock_fd);
    while (s->spare_chunks) {
        struct chunk *c = s->spare_chunks;
        s->spare_chunks = c->next;
        mem_give(c);
    }
    schema_free(s);
    gate_done(&s->keeper_gate);
    gate_done(&s->gate);
    mem_give(s->lock_path);
    mem_give(s->ingest_dir);
    mem_give(s->db_dir);
    mem_give(s->dir);
    mem_give(s);
}
