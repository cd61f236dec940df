/* The keeper: writes out what has been in memory alone for a while, so that a start after a crash
 * has little of the log to read again. Busy stores fill their buffers sooner and never notice.
 * Docs: docs/store.md, "How long a start takes".
 */
#include "os/clock.h"
#include "store/store_int.h"
#include <stdlib.h>

/* RocksDB tells a buffer's size in blocks of a MiB, and the first one is there for the first row:
 * below two there is nothing to speak of. */
enum {
    LOOK_MS = 500,
    FRESH_BYTES = 2 << 20, /* less is read again in a few milliseconds */
    RUNS_ENOUGH = 24       /* so many files wait to be merged: no more small ones */
};
static const int64_t FRESH_NS = 2000000000, ANY_NS = 60000000000;

/* Only where RocksDB would begin at once: else the call would wait, and closing with it. */
static bool may_flush(struct store *s)
{
    char *runs = rocksdb_property_value(s->db, "rocksdb.num-files-at-level0");
    unsigned long count = runs ? strtoul(runs, NULL, 10) : 0;
    rocksdb_free(runs);
    return count < RUNS_ENOUGH && !rocks_property(s, "rocksdb.num-immutable-mem-table") &&
           !rocks_property(s, "rocksdb.is-write-stopped");
}

static void flush_begin(struct store *s)
{
    char *message = NULL;
    struct diag ignored;
    rocksdb_flushoptions_t *o = rocksdb_flushoptions_create();
    rocksdb_flushoptions_set_wait(o, 0);
    rocksdb_flush(s->db, o, &message);
    rocksdb_flushoptions_destroy(o);
    /* the log still has it, and the next commit meets the same trouble and tells it */
    if (message && rocks_failed(s, message, &ignored, "a flush")) return;
}

/* Much of it for two seconds, or any for a minute: then a start has nothing to read again, and what
 * a table takes on the disk is told of all its rows. */
bool freshness_old(struct freshness *f, struct fresh now, int64_t now_ns)
{
    bool another = now.bytes < f->last; /* a buffer has become full, or been written out */
    f->last = now.bytes;
    if (!now.entries)
        f->any_since_ns = 0;
    else if (!f->any_since_ns || another)
        f->any_since_ns = now_ns;
    if (now.bytes < FRESH_BYTES)
        f->since_ns = 0;
    else if (!f->since_ns || another)
        f->since_ns = now_ns;
    return (f->since_ns && now_ns - f->since_ns >= FRESH_NS) ||
           (f->any_since_ns && now_ns - f->any_since_ns >= ANY_NS);
}

void freshness_begin(struct freshness *f)
{
    *f = (struct freshness){0};
}

static void keep(void *arg)
{
    struct store *s = arg;
    struct freshness f = {0};
    gate_enter(&s->keeper_gate);
    while (!atomic_load(&s->closing)) {
        (void)gate_wait_ms(&s->keeper_gate, LOOK_MS);
        struct fresh now = {rocks_property(s, "rocksdb.cur-size-active-mem-table"),
                            rocks_property(s, "rocksdb.num-entries-active-mem-table")};
        if (!freshness_old(&f, now, clock_mono_ns())) continue;
        if (atomic_load(&s->closing) || !may_flush(s)) continue;
        flush_begin(s);
        freshness_begin(&f);
    }
    gate_leave(&s->keeper_gate);
}

err_t store_keeper_start(struct store *s, struct diag *d)
{
    return thread_start(&s->keeper, "store keeper", keep, s, d);
}

void store_keeper_stop(struct store *s)
{
    gate_enter(&s->keeper_gate);
    gate_wake(&s->keeper_gate);
    gate_leave(&s->keeper_gate);
    thread_join(&s->keeper);
}
