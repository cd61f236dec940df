/* What operators and benchmarks ask of the store. */
#include "store/store_int.h"

err_t store_flush(struct store *s, struct diag *d)
{
    char *message = NULL;
    rocksdb_flushoptions_t *o = rocksdb_flushoptions_create();
    rocksdb_flushoptions_set_wait(o, 1);
    rocksdb_flush(s->db, o, &message);
    rocksdb_flushoptions_destroy(o);
    return message ? rocks_failed(s, message, d, "what is in memory was not written out") : ERR_OK;
}

static uint64_t property(struct store *s, const char *name)
{
    uint64_t v = 0;
    return rocksdb_property_int(s->db, name, &v) == 0 ? v : 0;
}

err_t store_compact(struct store *s, struct diag *d)
{
    if (s->read_only) return diag_fail(d, ERR_FORBIDDEN, "the store is open for reading only");
    uint64_t before = property(s, "rocksdb.background-errors");
    rocksdb_compact_range(s->db, NULL, 0, NULL, 0);
    if (property(s, "rocksdb.background-errors") == before) return ERR_OK;
    return store_flush(s, d); /* which tells the reason */
}

err_t store_settle(struct store *s, struct diag *d)
{
    static const char *const busy[] = {"rocksdb.mem-table-flush-pending",
                                       "rocksdb.num-running-flushes", "rocksdb.compaction-pending",
                                       "rocksdb.num-running-compactions"};
    enum { QUIET_LOOKS = 3, LOOK_MS = 10 };
    struct gate wait; /* nobody wakes it: a way to let time pass */
    if (property(s, "rocksdb.is-write-stopped")) return store_flush(s, d);
    gate_init(&wait);
    for (int quiet = 0; quiet < QUIET_LOOKS;) {
        quiet++;
        for (size_t i = 0; i < COUNT_OF(busy); i++)
            if (property(s, busy[i])) quiet = 0;
        gate_enter(&wait);
        if (gate_wait_ms(&wait, LOOK_MS)) quiet = 0;
        gate_leave(&wait);
        if (property(s, "rocksdb.background-errors")) break;
    }
    gate_done(&wait);
    return ERR_OK;
}

struct store_stats store_stats(struct store *s)
{
    return (struct store_stats){
        .rows_estimate = property(s, "rocksdb.estimate-num-keys"),
        .disk_bytes = property(s, "rocksdb.total-sst-files-size"),
        .memtable_bytes = property(s, "rocksdb.cur-size-all-mem-tables"),
        .cache_bytes = property(s, "rocksdb.block-cache-usage"),
        .compactions_running = property(s, "rocksdb.num-running-compactions"),
        .pending_compaction_bytes = property(s, "rocksdb.estimate-pending-compaction-bytes"),
    };
}

struct store_table_sizes store_table_sizes(struct store *s, const struct store_table *t)
{
    struct store_table_sizes out = {0};
    uint8_t room[2][KEY_PREFIX_SIZE];
    const char *keys[2];
    size_t lens[2] = {KEY_PREFIX_SIZE, KEY_PREFIX_SIZE};
    char *message = NULL;
    for (int i = 0; i < 2; i++) {
        struct buf b = buf_over(room[i], sizeof(room[i]));
        buf_be(&b, t->prefix + (uint32_t)i, KEY_PREFIX_SIZE);
        keys[i] = (const char *)room[i];
    }
    rocksdb_approximate_sizes(s->db, 1, &keys[0], &lens[0], &keys[1], &lens[1], &out.disk_bytes,
                              &message);
    if (message) { /* an estimate: none is better than a failure */
        rocksdb_free(message);
        return (struct store_table_sizes){0};
    }
    uint64_t all = property(s, "rocksdb.total-sst-files-size");
    double share = all ? (double)MIN(out.disk_bytes, all) / (double)all : 0;
    out.rows = (uint64_t)(share * (double)property(s, "rocksdb.estimate-num-keys"));
    return out;
}
