/* One row by its key: no cursor, no lock, one look at its key, and one at its partition's record
 * where the table has such records. */
#include "store/store_int.h"

enum { KEY_ON_STACK = 512, KEY_PART_GROWTH = 3, KEY_PART_OVERHEAD = 64 };

/* --- the answer ---------------------------------------------------------------------------------
 */

static err_t partition_only(const struct table *t, const struct slice *key, struct slice record,
                            int64_t now_s, struct arena *a, const struct store_row **out)
{
    struct cells_wanted w = {.table = t, .now_s = now_s, .statics = true};
    struct cells_read r;
    err_t e = cells_read(&w, record, INT64_MIN, a, &r);
    if (e || !r.any) return e;
    struct store_row *row = arena_take(a, sizeof *row);
    if (!row) return ERR_NO_MEMORY;
    row->key = key;
    row->key_count = t->partition_count;
    row->statics = r.cells;
    row->static_count = r.count;
    row->partition_first = true;
    *out = row;
    return ERR_OK;
}

/* What the partition's record says about one of its rows. */
static err_t record_read(const struct table *t, struct slice record, struct slice suffix,
                         int64_t now_s, struct arena *a, struct cells_read *out, int64_t *floor)
{
    struct cells_wanted w = {.table = t, .now_s = now_s, .statics = true};
    int64_t range;
    err_t e = cells_read(&w, record, INT64_MIN, a, out);
    if (!e) e = ranges_reach(out->ranges, suffix, &range);
    if (!e) *floor = MAX(out->floor, range);
    return e;
}

err_t row_resolve(const struct table *t, const struct slice *key, uint32_t key_count,
                  struct slice suffix, struct slice record, struct slice row, int64_t now_s,
                  struct arena *a, const struct store_row **out)
{
    struct cells_wanted w = {.table = t, .now_s = now_s};
    struct cells_read of_record = {0}, r = {0};
    int64_t floor = INT64_MIN;
    err_t e = ERR_OK;
    *out = NULL;
    if (t->clustering_count && key_count == t->partition_count)
        return record.at ? partition_only(t, key, record, now_s, a, out) : ERR_OK;
    if (!row.at) return ERR_OK;
    if (record.at) e = record_read(t, record, suffix, now_s, a, &of_record, &floor);
    if (!e) e = cells_read(&w, row, floor, a, &r);
    if (e || (!r.marker && !r.any)) return e;
    struct store_row *to = arena_take_raw(a, sizeof *to);
    if (!to) return ERR_NO_MEMORY;
    *to = (struct store_row){.key = key,
                             .key_count = key_count,
                             .marker = r.marker,
                             .marker_timestamp = r.marker_timestamp,
                             .marker_expiry_s = r.marker_expiry_s,
                             .marker_ttl = r.marker_ttl,
                             .cells = r.cells,
                             .cell_count = r.count,
                             .statics = of_record.cells,
                             .static_count = of_record.count,
                             .partition_first = true};
    *out = to;
    return ERR_OK;
}

/* --- getting it ---------------------------------------------------------------------------------
 */

static size_t key_room(const struct slice *key, uint32_t count)
{
    size_t size = KEY_HEAD_SIZE;
    for (uint32_t i = 0; i < count; i++)
        size += (size_t)MIN(key[i].len, KEY_PART_MAX + 1U) * KEY_PART_GROWTH + KEY_PART_OVERHEAD;
    return size;
}

/* A copy of what is pinned; at NULL: there was nothing. Lets go of it. */
static err_t copied(rocksdb_pinnableslice_t *found, struct arena *a, struct slice *out)
{
    size_t len;
    *out = (struct slice){0};
    if (!found) return ERR_OK;
    const char *at = rocksdb_pinnableslice_value(found, &len);
    uint8_t *copy = arena_take_raw(a, MAX(len, 1U));
    if (copy) memcpy(copy, at, len);
    rocksdb_pinnableslice_destroy(found);
    if (!copy) return ERR_NO_MEMORY;
    *out = slice_make(copy, len);
    return ERR_OK;
}

static err_t get_one(struct store *s, struct slice key, struct arena *a, struct slice *out,
                     struct diag *d)
{
    char *message = NULL;
    rocksdb_pinnableslice_t *found =
        rocksdb_get_pinned(s->db, s->read_newest, (const char *)key.at, key.len, &message);
    if (message) return rocks_failed(s, message, d, "a row can not be read");
    err_t e = copied(found, a, out);
    return e ? diag_fail(d, e, "no memory for a row") : ERR_OK;
}

/* The record and the row as of one moment: what one write changed of both is seen whole. */
static err_t get_both(struct store *s, struct slice key, size_t partition, struct arena *a,
                      struct slice out[2], struct diag *d)
{
    const char *keys[2] = {(const char *)key.at, (const char *)key.at};
    size_t lens[2] = {partition, key.len};
    rocksdb_pinnableslice_t *found[2] = {NULL, NULL};
    char *messages[2] = {NULL, NULL};
    err_t e = ERR_OK;
    rocksdb_batched_multi_get_cf(s->db, s->read_newest, s->family, 2, keys, lens, found, messages,
                                 true);
    for (int i = 0; i < 2; i++) {
        err_t copy = copied(found[i], a, &out[i]);
        if (messages[i]) e = rocks_failed(s, messages[i], d, "a row can not be read");
        if (copy) e = diag_fail(d, copy, "no memory for a row");
    }
    return e;
}

static err_t key_refused(const struct store_table *t, err_t e, struct diag *d)
{
    const char *why = e == ERR_TOO_BIG      ? "is too long"
                      : e == ERR_CONSTRAINT ? "is empty"
                                            : "is no valid value of its type";
    return diag_fail(d, e, "a key of %.*s.%.*s %s", SLICE_ARG(t->keyspace), SLICE_ARG(t->name),
                     why);
}

err_t row_failed(const struct store *s, const struct store_table *t, err_t e, struct diag *d)
{
    if (e == ERR_NO_MEMORY)
        return diag_fail(d, e, "no memory for a row of %.*s.%.*s", SLICE_ARG(t->keyspace),
                         SLICE_ARG(t->name));
    if (e == ERR_VERSION)
        return diag_fail(d, e, "a row of %.*s.%.*s was written by a newer version",
                         SLICE_ARG(t->keyspace), SLICE_ARG(t->name));
    diag_fail(d, e, "a row of %.*s.%.*s can not be decoded", SLICE_ARG(t->keyspace),
              SLICE_ARG(t->name));
    diag_where(d, "%s", s->db_dir);
    return e;
}

err_t store_row_get(struct store *s, const struct store_table *table, const struct slice *key,
                    uint32_t key_count, int64_t now_s, struct arena *a,
                    const struct store_row **out, struct diag *d)
{
    const struct table *t = table_of(table);
    uint8_t on_stack[KEY_ON_STACK];
    size_t room = key_room(key, key_count);
    uint8_t *memory = room <= sizeof on_stack ? on_stack : arena_take_raw(a, room);
    struct slice values[2] = {{0}, {0}}; /* the record's, the row's */
    *out = NULL;
    if (!memory) return diag_fail(d, ERR_NO_MEMORY, "no memory for a key");
    struct buf b = buf_over(memory, room);
    err_t e = key_put_row(&b, table, key, key_count);
    if (e) return key_refused(table, e, d);
    struct slice k = buf_view(&b), suffix = {0};
    size_t partition = k.len;
    if (t->clustering_count && key_count > t->partition_count) {
        partition = key_partition_size(t, k);
        suffix = slice_make(k.at + partition, k.len - partition);
        if (atomic_load_explicit(&t->past->marks, memory_order_acquire) & MARK_PARTITION_RECORDS)
            e = get_both(s, k, partition, a, values, d);
        else
            e = get_one(s, k, a, &values[1], d);
    } else {
        e = get_one(s, k, a, &values[t->clustering_count ? 0 : 1], d);
    }
    if (e) return e;
    e = row_resolve(t, key, key_count, suffix, values[0], values[1], now_s, a, out);
    return e ? row_failed(s, table, e, d) : ERR_OK;
}
