/* Counters: what is there and a delta more, on the committer, so that no two are lost. The row is
 * written whole: a counter that many add to is still one value to read. */
#include "store/change.h"

/* The latest deletion of the partition that reaches this row. */
static err_t floor_of(struct group *g, const struct table *t, struct slice key, int64_t *floor,
                      struct diag *d)
{
    struct cells_wanted w = {.table = t, .statics = true};
    struct cells_read r;
    struct slice record;
    int64_t range;
    size_t partition = key_partition_size(t, key);
    *floor = INT64_MIN;
    if (!t->clustering_count || partition == key.len) return ERR_OK;
    if (!(atomic_load(&t->past->marks) & MARK_PARTITION_RECORDS)) return ERR_OK;
    err_t e = group_value(g, slice_make(key.at, partition), &record, d);
    if (e || !record.at) return e;
    e = cells_read(&w, record, INT64_MIN, g->arena, &r);
    if (!e) e = ranges_reach(r.ranges, slice_make(key.at + partition, key.len - partition), &range);
    if (e) return row_failed(g->store, &t->t, e, d);
    *floor = MAX(r.floor, range);
    return ERR_OK;
}

static err_t counter_now(struct group *g, const struct table *t, struct slice row, uint16_t column,
                         bool statics, int64_t floor, int64_t *value, int64_t *timestamp)
{
    struct cells_wanted w = {.table = t, .statics = statics};
    struct cells_read r;
    *value = 0;
    *timestamp = INT64_MIN;
    err_t e = row.at ? cells_read(&w, row, floor, g->arena, &r) : ERR_OK;
    for (uint32_t i = 0; !e && row.at && i < r.count; i++) {
        if (r.cells[i].column != column) continue;
        struct cursor c = cursor_of(r.cells[i].value);
        *value = cursor_i64(&c);
        *timestamp = r.cells[i].timestamp;
        e = c.err || cursor_left(&c) ? ERR_CORRUPT : ERR_OK;
    }
    return e;
}

/* Key and value one behind the other, in the group's memory. */
static err_t put_merged(struct group *g, struct slice key, struct slice row, struct slice write)
{
    struct slice two[2] = {row, write};
    struct buf out = buf_make(RECORD_MAX);
    buf_slice(&out, key);
    err_t e = out.err ? out.err : row_merge(two + !row.at, 2U - !row.at, &out);
    struct slice all = e ? (struct slice){0} : arena_slice(g->arena, buf_view(&out));
    buf_done(&out);
    if (e) return e;
    if (!all.at) return ERR_NO_MEMORY;
    return peek_group_add(g, all.at, key.len, all.len - key.len, ENTRY_PUT);
}

/* A counter that was deleted alone stays so until its tombstone is purged, whatever is added later;
 * what deletes its row or partition only reaches what was before. So it is with Cassandra. */
static err_t is_deleted(struct slice row, uint16_t column, int64_t floor, bool *out)
{
    struct row_reader r;
    struct cell c;
    *out = false;
    if (!row.at) return ERR_OK;
    for (row_open(&r, row); row_next(&r, &c);)
        if (c.id == column) *out = c.tombstone && !time_reached(c.timestamp, floor);
    return r.err;
}

static err_t count_one(struct group *g, struct store_change *c, const struct change_count *x,
                       struct diag *d)
{
    const struct table *t = table_of(c->tables[x->table]);
    struct slice key = slice_make(c->bytes.at + x->at, x->key_len), row;
    bool statics = t->clustering_count && key_partition_size(t, key) == key.len;
    int64_t floor, value, timestamp;
    uint8_t number[8], memory[64];
    bool deleted;
    err_t e = floor_of(g, t, key, &floor, d);
    if (!e) e = group_value(g, key, &row, d);
    if (!e && statics) e = group_mark(g, &t->t);
    if (e) return e;
    e = is_deleted(row, x->column, floor, &deleted);
    if (!e) e = counter_now(g, t, row, x->column, statics, floor, &value, &timestamp);
    if (e) return row_failed(g->store, &t->t, e, d);
    if (deleted) return ERR_OK;
    struct buf n = buf_over(number, sizeof number), b = buf_over(memory, sizeof memory);
    buf_be(&n, (uint64_t)value + (uint64_t)x->delta, 8); /* it wraps, as Cassandra's do */
    struct cell cell = {.id = x->column, .timestamp = x->timestamp, .value = buf_view(&n)};
    if (timestamp != INT64_MIN) cell.timestamp = MAX(cell.timestamp, timestamp + 1);
    row_put(&b, &cell, 1);
    e = b.err ? b.err : put_merged(g, key, row, buf_view(&b));
    return e ? diag_fail(d, e, "a counter can not be written") : ERR_OK;
}

err_t change_counts(struct group *g, struct store_change *c, struct diag *d)
{
    err_t e = ERR_OK;
    for (uint32_t i = 0; i < c->count_count && !e; i++) e = count_one(g, c, &c->counts[i], d);
    return e;
}
