/* The catching-up form: an epoch as one sorted file, taken in whole. docs/store.md says what makes
 * it durable and what it does to the memtable. */
#include "base/metric.h"
#include "os/file.h"
#include "store/store_int.h"
#include <stdio.h>

enum { PATH_SIZE = 4096, RUNS_MAX = 32, LOOK_MS = 10, LOOKS_MAX = 6000 };

/* Every file reaches from the first to the last key there can be. So whatever is in memory overlaps
 * it, and RocksDB writes that out before it takes the file in. Without that a file may come to
 * stand between the writes of one memtable, and a compaction that runs before that memtable's flush
 * mixes their order: RocksDB 7.8 then stops with "force_consistency_checks". */
static const char first_key[KEY_PREFIX_SIZE] = {0, 0, 0, 0};
static const char last_key[KEY_PREFIX_SIZE] = {-1, -1, -1, -1};

static void file_add(rocksdb_sstfilewriter_t *f, const struct entry *e, char **message)
{
    const char *key = (const char *)e->key, *value = key + e->key_len;
    switch ((enum entry_op)e->op) {
    case ENTRY_PUT:
        rocksdb_sstfilewriter_put(f, key, e->key_len, value, e->value_len, message);
        break;
    case ENTRY_MERGE:
        rocksdb_sstfilewriter_merge(f, key, e->key_len, value, e->value_len, message);
        break;
    case ENTRY_DELETE: rocksdb_sstfilewriter_delete(f, key, e->key_len, message); break;
    }
}

/* Writes and syncs the file: SstFileWriter::Finish does both. */
static char *file_write(struct store *s, const char *path, const struct entries *groups,
                        size_t group_count)
{
    char *message = NULL;
    rocksdb_sstfilewriter_t *f = rocksdb_sstfilewriter_create(s->env_options, s->file_options);
    rocksdb_sstfilewriter_open(f, path, &message);
    if (!message) rocksdb_sstfilewriter_put(f, first_key, KEY_PREFIX_SIZE, "", 0, &message);
    for (size_t i = 0; i < group_count && !message; i++)
        for (size_t k = 0; k < groups[i].count && !message; k++) {
            entry_ahead(groups[i].at, k, groups[i].count);
            file_add(f, &groups[i].at[k], &message);
        }
    if (!message) rocksdb_sstfilewriter_put(f, last_key, KEY_PREFIX_SIZE, "", 0, &message);
    if (!message) rocksdb_sstfilewriter_finish(f, &message);
    rocksdb_sstfilewriter_destroy(f);
    return message;
}

static uint64_t runs_now(struct store *s)
{
    uint64_t runs = 0;
    char *text = rocksdb_property_value(s->db, "rocksdb.num-files-at-level0");
    if (text && !slice_to_u64(slice_of(text), &runs)) runs = 0;
    rocksdb_free(text);
    return runs;
}

/* Ingestion knows no stalls of its own: when compaction is far behind, wait for it, at most a
 * minute; more files then cost reads, not correctness. */
static void wait_for_compaction(struct store *s)
{
    struct gate wait; /* nobody wakes it: a way to let time pass */
    gate_init(&wait);
    gate_enter(&wait);
    for (int i = 0; i < LOOKS_MAX && runs_now(s) >= RUNS_MAX; i++) gate_wait_ms(&wait, LOOK_MS);
    gate_leave(&wait);
    gate_done(&wait);
}

/* RocksDB gives the file its sequence number a moment before it shows it: a snapshot from between
 * would see the file appear. So no snapshot is taken meanwhile; one that waits goes first. */
static char *take_in(struct store *s, const char *const paths[1])
{
    char *message = NULL;
    gate_enter(&s->gate);
    while (s->snapshots_wanted) gate_wait(&s->gate);
    s->ingests_running++;
    gate_leave(&s->gate);
    rocksdb_ingest_external_file(s->db, paths, 1, s->ingest_options, &message);
    gate_enter(&s->gate);
    s->ingests_running--;
    gate_wake(&s->gate);
    gate_leave(&s->gate);
    return message;
}

err_t ingest_entries(struct store *s, const struct entries *groups, size_t group_count,
                     struct diag *d)
{
    char path[PATH_SIZE];
    gate_enter(&s->gate);
    uint64_t number = s->ingest_number++;
    gate_leave(&s->gate);
    int n = snprintf(path, sizeof path, "%s/%06llu.sst", s->ingest_dir, (unsigned long long)number);
    if (n < 0 || (size_t)n >= sizeof path) return diag_fail(d, ERR_TOO_BIG, "the path is too long");
    const char *paths[1] = {path};
    wait_for_compaction(s);
    char *message = file_write(s, path, groups, group_count);
    if (!message) message = take_in(s, paths);
    if (!message) {
        metric_add(METRIC_store_ingests_total, 1);
        return ERR_OK;
    }
    struct diag ignored;
    if (file_remove(path, &ignored)) {
    } /* the next start clears it away */
    return rocks_failed(s, message, d, "the epoch's file was not taken in");
}

static err_t leftover(void *ctx, const char *name)
{
    struct store *s = ctx;
    char path[PATH_SIZE];
    int n = snprintf(path, sizeof path, "%s/%s", s->ingest_dir, name);
    return n > 0 && (size_t)n < sizeof path ? file_remove(path, NULL) : ERR_TOO_BIG;
}

/* Files of commits that a crash cut short: nothing of them was acknowledged. */
err_t ingest_clear(struct store *s, struct diag *d)
{
    err_t e = dir_make(s->ingest_dir, d);
    return e ? e : dir_list(s->ingest_dir, leftover, s, d);
}
