/* What compaction leaves out: what has expired, deletions whose grace is over, rows that a
 * partition or range tombstone reaches, cells of dropped columns. docs/store.md has the argument
 * why nothing that was deleted comes back. In short: RocksDB asks about a key's Put only, which
 * hides all that is older of its key; what else there is of it, in newer files or in memory, is
 * looked at through an iterator of this compaction's own (the *view*), and a deletion stays while
 * it hides any of that.
 */
#include "store/purge.h"
#include "base/metric.h"
#include "os/clock.h"
#include "os/thread.h"
#include <stdlib.h>

enum { PARTITION_ROWS_MAX = 100000 /* looked at before its deletions go; more: they stay */ };

struct purge_table {
    uint32_t prefix;
    const struct table *table;
};
struct purge {
    struct store *store;
    int64_t now_s;
    bool full;
    struct purge_table *tables; /* by prefix; as they were when the compaction began */
    size_t count, cap;
    const struct table *table; /* of the last key */
    uint32_t prefix;
    bool viewed, trusted; /* the view is there; and no snapshot is older than it */
    rocksdb_readoptions_t *read;
    rocksdb_iterator_t *view;
    /* the partition of the last row that was asked about */
    struct buf partition;
    struct arena *record_memory;
    int64_t record_floor;
    struct slice ranges;
    struct buf out;
};

/* --- what an iterator's merges were made of -----------------------------------------------------
 */

/* RocksDB merges on the thread that reads: so the operands can be looked at on their way. */
struct merge_probe {
    bool merged, failed;
    int64_t operands, base; /* the earliest times in them */
};
static _Thread_local struct merge_probe *probe;

void merge_seen(struct slice base, const char *const *list, const size_t *lens, int count)
{
    struct merge_probe *p = probe;
    int64_t time;
    if (!p) return;
    p->merged = true;
    for (int i = 0; i < count; i++) {
        if (row_earliest(slice_make(list[i], lens[i]), &time)) p->failed = true;
        p->operands = MIN(p->operands, time);
    }
    if (!base.at) return;
    if (row_earliest(base, &time)) p->failed = true;
    p->base = MIN(p->base, time);
}

/* --- the view -----------------------------------------------------------------------------------
 */

/* Made after the compaction's files were chosen, so that it sees all that is in them. A snapshot
 * taken later sees all that the view sees; with an older one nothing is purged. Nor is it while the
 * committer stands between reading a row and writing it whole: such a row would be in no view. */
static bool view_open(struct purge *p)
{
    enum { TRIES = 100 };
    struct store *s = p->store;
    uint64_t snapshots = 1;
    if (p->viewed) return p->trusted;
    p->viewed = true;
    p->read = rocksdb_readoptions_create();
    rocksdb_readoptions_set_fill_cache(p->read, 0);
    for (int i = 0; i < TRIES && !p->trusted; i++) {
        uint64_t turns = atomic_load(&s->turns);
        if (p->view) rocksdb_iter_destroy(p->view);
        p->view = rocksdb_create_iterator(s->db, p->read);
        p->trusted = turns % 2 == 0 && turns == atomic_load(&s->turns);
    }
    if (rocksdb_property_int(s->db, "rocksdb.num-snapshots", &snapshots)) snapshots = 1;
    p->trusted &= snapshots == 0;
    return p->trusted;
}

static bool view_at(const struct purge *p, struct slice *key)
{
    size_t len;
    if (!rocksdb_iter_valid(p->view)) return false;
    const char *at = rocksdb_iter_key(p->view, &len);
    *key = slice_make(at, len);
    return true;
}

/* To the first key at or behind `key`, which mostly is the next one; *seen is what was merged
 * there. An entry is merged when the iterator comes to it. */
static void view_seek(struct purge *p, struct slice key, struct merge_probe *seen)
{
    static const struct merge_probe nothing = {.operands = INT64_MAX, .base = INT64_MAX};
    struct slice now;
    bool step = view_at(p, &now) && slice_compare(now, key) < 0;
    *seen = nothing;
    probe = seen;
    if (step) rocksdb_iter_next(p->view);
    if (!step || !view_at(p, &now) || !slice_equal(now, key)) {
        *seen = nothing;
        rocksdb_iter_seek(p->view, (const char *)key.at, key.len);
    }
    probe = NULL;
}

static bool view_failed(const struct purge *p)
{
    char *message = NULL;
    rocksdb_iter_get_error(p->view, &message);
    rocksdb_free(message);
    return message;
}

/* The earliest time of what there is of this key besides its base; INT64_MIN: better not touched.
 */
static int64_t exposed_by_key(struct purge *p, struct slice key)
{
    struct merge_probe seen;
    struct slice now;
    if (!view_open(p)) return INT64_MIN;
    view_seek(p, key, &seen);
    if (seen.failed || view_failed(p) || !view_at(p, &now)) return INT64_MIN;
    return slice_equal(now, key) ? seen.operands : INT64_MIN;
}

static int64_t exposed_by_entry(struct purge *p, const struct merge_probe *seen)
{
    size_t len;
    int64_t time;
    if (seen->failed) return INT64_MIN;
    if (seen->merged) return MIN(seen->operands, seen->base);
    const char *value = rocksdb_iter_value(p->view, &len);
    return row_earliest(slice_make(value, len), &time) ? INT64_MIN : time;
}

/* The earliest time of anything in the partition's rows, and of its record besides its base. */
static int64_t exposed_by_partition(struct purge *p, struct slice record)
{
    int64_t earliest = exposed_by_key(p, record);
    struct slice now;
    if (earliest == INT64_MIN) return earliest;
    for (int n = 0; n < PARTITION_ROWS_MAX; n++) {
        struct merge_probe seen = {.operands = INT64_MAX, .base = INT64_MAX};
        probe = &seen;
        rocksdb_iter_next(p->view);
        probe = NULL;
        bool there = view_at(p, &now);
        if (view_failed(p)) return INT64_MIN;
        if (!there || now.len < record.len || memcmp(now.at, record.at, record.len) != 0)
            return earliest;
        int64_t time = exposed_by_entry(p, &seen);
        earliest = MIN(earliest, time);
        if (earliest == INT64_MIN) return earliest;
    }
    return INT64_MIN;
}

/* --- tables -------------------------------------------------------------------------------------
 */

static err_t note_table(void *ctx, const struct store_table *t)
{
    struct purge *p = ctx;
    if (p->count == p->cap) {
        size_t cap = p->cap ? 2 * p->cap : 64;
        struct purge_table *more = mem_resize(p->tables, cap * sizeof *more);
        if (!more) return ERR_NO_MEMORY;
        p->tables = more;
        p->cap = cap;
    }
    p->tables[p->count++] = (struct purge_table){t->prefix, table_of(t)};
    return ERR_OK;
}

static int prefix_compare(const void *pa, const void *pb)
{
    const struct purge_table *a = pa, *b = pb;
    return a->prefix == b->prefix ? 0 : a->prefix < b->prefix ? -1 : 1;
}

/* NULL: flow's records, an index, a table that is gone or came later. */
static const struct table *table_of_key(struct purge *p, struct slice key)
{
    if (key.len < KEY_HEAD_SIZE) return NULL;
    struct cursor c = cursor_of(key);
    struct purge_table wanted = {.prefix = (uint32_t)cursor_be(&c, KEY_PREFIX_SIZE)};
    if (wanted.prefix != p->prefix) {
        const struct purge_table *found =
            p->count ? bsearch(&wanted, p->tables, p->count, sizeof *p->tables, prefix_compare)
                     : NULL;
        p->prefix = wanted.prefix;
        p->table = found ? found->table : NULL;
    }
    return p->table;
}

/* --- the partition a row is in ------------------------------------------------------------------
 */

static err_t record_take(struct purge *p, struct slice value)
{
    struct row_reader r;
    struct cell c;
    for (row_open(&r, value); row_next(&r, &c);) {
        if (c.id == CELL_ROW_TOMBSTONE) p->record_floor = c.timestamp;
        if (c.id != CELL_RANGES) continue;
        p->ranges = arena_slice(p->record_memory, c.value);
        if (!p->ranges.at) return ERR_NO_MEMORY;
    }
    return r.err;
}

/* What reaches all of the row at `key`; INT64_MIN: nothing that is known. */
static int64_t floor_of_row(struct purge *p, const struct table *t, struct slice key)
{
    size_t size = key_partition_size(t, key), len;
    struct slice partition = slice_make(key.at, size), now;
    struct merge_probe seen;
    int64_t range = INT64_MIN;
    if (size == 0 || !view_open(p)) return INT64_MIN;
    if (!slice_equal(partition, buf_view(&p->partition))) {
        buf_reset(&p->partition);
        buf_slice(&p->partition, partition);
        arena_reset(p->record_memory);
        p->record_floor = INT64_MIN;
        p->ranges = (struct slice){0};
        view_seek(p, partition, &seen);
        if (view_failed(p) || p->partition.err) return INT64_MIN;
        if (view_at(p, &now) && slice_equal(now, partition)) {
            const char *value = rocksdb_iter_value(p->view, &len);
            if (record_take(p, slice_make(value, len))) {
                buf_reset(&p->partition);
                return INT64_MIN;
            }
        }
    }
    struct slice suffix = slice_make(key.at + size, key.len - size);
    if (ranges_reach(p->ranges, suffix, &range)) return INT64_MIN;
    return MAX(p->record_floor, range);
}

/* --- one value ----------------------------------------------------------------------------------
 */

static enum purge_answer apply(struct purge *p, const struct purge_rule *r, struct slice value,
                               struct slice *out)
{
    bool changed, empty;
    buf_reset(&p->out);
    if (purge_row(r, value, &p->out, &changed, &empty) || !changed) return PURGE_KEEP;
    *out = buf_view(&p->out);
    return empty ? PURGE_DROP : PURGE_CHANGE;
}

enum purge_answer purge_value(struct purge *p, struct slice key, struct slice value,
                              struct slice *out)
{
    const struct table *t = table_of_key(p, key);
    if (!t) return PURGE_KEEP;
    struct purge_rule r = {
        .table = t, .before_s = p->now_s - t->t.gc_grace, .floor = INT64_MIN, .exposed = INT64_MAX};
    bool record = false;
    if (t->clustering_count && atomic_load(&t->past->marks) & MARK_PARTITION_RECORDS) {
        record = key_partition_size(t, key) == key.len;
        if (record && !p->full) return PURGE_KEEP;
        if (!record && p->full) r.floor = floor_of_row(p, t, key);
    }
    if (apply(p, &r, value, out) == PURGE_KEEP) return PURGE_KEEP; /* not even if all may go */
    r.exposed = record ? exposed_by_partition(p, key) : exposed_by_key(p, key);
    return view_open(p) ? apply(p, &r, value, out) : PURGE_KEEP;
}

struct purge *purge_new(struct store *s, int64_t now_s, bool full)
{
    struct purge *p = mem_take(sizeof *p);
    if (!p) return NULL;
    p->store = s;
    p->now_s = now_s;
    p->full = full;
    p->partition = p->out = buf_make(GIB(1));
    p->record_memory = arena_new(GIB(1));
    if (!p->record_memory || store_tables(s, note_table, p)) {
        purge_free(p);
        return NULL;
    }
    if (p->count) qsort(p->tables, p->count, sizeof *p->tables, prefix_compare);
    return p;
}

void purge_free(struct purge *p)
{
    if (!p) return;
    if (p->view) rocksdb_iter_destroy(p->view);
    if (p->read) rocksdb_readoptions_destroy(p->read);
    arena_free(p->record_memory);
    buf_done(&p->partition);
    buf_done(&p->out);
    mem_give(p->tables);
    mem_give(p);
}

/* --- RocksDB's side -----------------------------------------------------------------------------
 */

static unsigned char filter(void *state, int level, const char *key, size_t key_len,
                            const char *value, size_t value_len, char **new_value, size_t *new_len,
                            unsigned char *changed)
{
    struct slice out;
    (void)level;
    *changed = 0;
    if (!state) return 0;
    switch (purge_value(state, slice_make(key, key_len), slice_make(value, value_len), &out)) {
    case PURGE_KEEP: return 0;
    case PURGE_DROP: metric_add(METRIC_store_purged_total, 1); return 1;
    case PURGE_CHANGE: break;
    }
    metric_add(METRIC_store_purged_total, 1);
    *new_value = (char *)(uintptr_t)out.at;
    *new_len = out.len;
    *changed = 1;
    return 0;
}

static void filter_free(void *state)
{
    purge_free(state);
}
static const char *filter_name(void *state)
{
    (void)state;
    return "sluice.purge";
}

static rocksdb_compactionfilter_t *filter_new(void *state,
                                              rocksdb_compactionfiltercontext_t *context)
{
    static _Thread_local bool back; /* this is a thread of RocksDB's that compacts */
    struct store *s = state;
    struct purge *p = NULL; /* while the store is being opened: nothing is left out */
    if (!back) thread_step_back();
    back = true;
    if (atomic_load(&s->opened))
        p = purge_new(s, clock_wall_ms() / 1000,
                      rocksdb_compactionfiltercontext_is_full_compaction(context));
    return rocksdb_compactionfilter_create(p, filter_free, filter, filter_name);
}

static void factory_free(void *state)
{
    (void)state;
}

rocksdb_compactionfilterfactory_t *purge_factory_new(struct store *s)
{
    return rocksdb_compactionfilterfactory_create(s, factory_free, filter_new, filter_name);
}
