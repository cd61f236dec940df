/* The way of a cursor: partition by partition, in each of them span by span, row by row. Values are
 * slices into the iterator's own bytes, so that it steps on only when the next row is asked for. */
#include "store/cursor.h"
#include <endian.h>

static bool at_end(const struct store_cursor *c)
{
    return !rocksdb_iter_valid(c->iterator);
}

static struct slice key_now(const struct store_cursor *c)
{
    size_t len;
    const char *at = rocksdb_iter_key(c->iterator, &len);
    return slice_make(at, len);
}

static struct slice value_now(const struct store_cursor *c)
{
    size_t len;
    const char *at = rocksdb_iter_value(c->iterator, &len);
    return slice_make(at, len);
}

static void step(struct store_cursor *c)
{
    if (c->reversed)
        rocksdb_iter_prev(c->iterator);
    else
        rocksdb_iter_next(c->iterator);
}

/* The partition's part of the key, and `suffix` behind it. */
static struct slice seek_key(struct store_cursor *c, struct slice suffix)
{
    buf_reset(&c->seek);
    buf_put(&c->seek, c->partition.at, c->partition.len);
    buf_slice(&c->seek, suffix);
    return buf_view(&c->seek);
}

static void seek(struct store_cursor *c, struct slice suffix)
{
    struct slice to = seek_key(c, suffix);
    rocksdb_iter_seek(c->iterator, (const char *)to.at, to.len);
}

/* To the last row in front of `suffix`; at NULL: of all the iterator may see. */
static void seek_before(struct store_cursor *c, struct slice suffix)
{
    struct slice to = suffix.at ? seek_key(c, suffix) : buf_view(&c->high);
    rocksdb_iter_seek_for_prev(c->iterator, (const char *)to.at, to.len);
    if (!at_end(c) && slice_equal(key_now(c), to)) rocksdb_iter_prev(c->iterator);
}

/* --- a partition --------------------------------------------------------------------------------
 */

static err_t take_ranges(struct store_cursor *c)
{
    struct ranges_reader r;
    struct range range;
    size_t count = 0;
    for (ranges_open(&r, c->record.ranges); ranges_next(&r, &range);) count++;
    if (r.err || !count) return r.err;
    c->ranges = arena_take_raw(c->partition_memory, count * sizeof *c->ranges);
    if (!c->ranges) return ERR_NO_MEMORY;
    for (ranges_open(&r, c->record.ranges); ranges_next(&r, &range);)
        c->ranges[c->range_count++] = range;
    return ERR_OK;
}

static err_t take_record(struct store_cursor *c, struct slice value)
{
    if (!c->partition_memory) c->partition_memory = arena_new(CURSOR_ROW_MAX);
    if (!c->partition_memory) return ERR_NO_MEMORY;
    arena_reset(c->partition_memory);
    struct slice copy = arena_slice(c->partition_memory, value);
    if (!copy.at) return ERR_NO_MEMORY;
    c->range_count = 0;
    err_t e = cells_read(&c->static_wanted, copy, INT64_MIN, c->partition_memory, &c->record);
    return e ? e : take_ranges(c);
}

/* The key columns that follow in `r`, decoded behind those that are there already. */
static err_t take_key(struct store_cursor *c, struct key_reader *r, uint32_t from, uint32_t to)
{
    const struct table *t = c->table;
    c->key_bytes.len = c->key_at[from];
    for (uint32_t i = from; i < to; i++) {
        const struct store_column *column = &t->t.columns[i];
        if (i < t->partition_count)
            key_take_partition(r, column->type, &c->key_bytes);
        else
            key_take_order(r, column->type, column->descending, &c->key_bytes);
        c->key_at[i + 1] = (uint32_t)c->key_bytes.len;
    }
    if (r->err) return r->err;
    for (uint32_t i = 0; i < to; i++) {
        const uint8_t *at = c->key_bytes.at ? c->key_bytes.at + c->key_at[i] : (const uint8_t *)"";
        c->key[i] = slice_make(at, c->key_at[i + 1] - c->key_at[i]);
    }
    return r->at == r->end ? ERR_OK : ERR_CORRUPT;
}

/* c->partition holds its part of the key. */
static err_t enter(struct store_cursor *c)
{
    struct slice p = buf_view(&c->partition);
    uint64_t token;
    if (c->partition.err || p.len < KEY_HEAD_SIZE)
        return c->partition.err ? ERR_NO_MEMORY : ERR_CORRUPT;
    memcpy(&token, p.at + KEY_PREFIX_SIZE, sizeof token);
    c->row = (struct store_row){.key = c->key, .token = (int64_t)(be64toh(token) ^ 1ULL << 63)};
    c->inside = true;
    c->emitted = c->leave = false;
    c->record = (struct cells_read){.floor = INT64_MIN};
    c->range_count = 0;
    c->span_at = c->reversed ? (int64_t)c->span_count - 1 : 0;
    struct key_reader r = {p.at + KEY_HEAD_SIZE, p.at + p.len, 0, ERR_OK};
    return take_key(c, &r, 0, c->table->partition_count);
}

err_t walk_enter(struct store_cursor *c, struct diag *d)
{
    err_t e = enter(c);
    if (!e && c->records) {
        seek(c, (struct slice){0});
        if (!at_end(c) && slice_equal(key_now(c), buf_view(&c->partition)))
            e = take_record(c, value_now(c));
    }
    return e ? row_failed(c->store, &c->table->t, e, d) : ERR_OK;
}

void walk_start(struct store_cursor *c, struct slice behind)
{
    const struct span *first = c->span_count ? &c->spans[c->span_at] : NULL;
    if (c->reversed) {
        seek_before(c, behind.len              ? behind
                       : first && !first->open ? first->end
                                               : (struct slice){0});
    } else if (behind.len) {
        seek_key(c, behind);
        buf_char(&c->seek,
                 0); /* no key goes on behind a whole one: this is the next there can be */
        rocksdb_iter_seek(c->iterator, (const char *)c->seek.at, c->seek.len);
    } else {
        seek(c, first ? first->start : (struct slice){0});
    }
}

/* The partition of the key that the iterator stands at. */
static err_t enter_next(struct store_cursor *c)
{
    struct slice key = key_now(c);
    size_t size = c->table->clustering_count ? key_partition_size(c->table, key) : key.len;
    if (size == 0) return ERR_CORRUPT;
    buf_reset(&c->partition);
    buf_put(&c->partition, key.at, size);
    return enter(c);
}

static bool is_inside(const struct store_cursor *c, struct slice key)
{
    return key.len >= c->partition.len && memcmp(key.at, c->partition.at, c->partition.len) == 0;
}

/* Out of the partition, and on to the next one. *out: it had only statics, which come out now. */
static void go_out(struct store_cursor *c, const struct store_row **out)
{
    bool statics = c->record.any && !c->emitted && !c->span_count;
    c->inside = false;
    if (c->one_partition) {
        c->finished = true;
    } else if (c->leave) {
        seek_key(c, (struct slice){0});
        key_successor(&c->seek, 0);
        rocksdb_iter_seek(c->iterator, (const char *)c->seek.at, c->seek.len);
    }
    if (!statics) return;
    c->row.key_count = c->table->partition_count;
    c->row.statics = c->record.cells;
    c->row.static_count = c->record.count;
    c->row.cells = NULL;
    c->row.cell_count = 0;
    c->row.marker = false;
    c->row.partition_first = true;
    c->lineage = (struct slice){0};
    *out = &c->row;
}

/* --- a row --------------------------------------------------------------------------------------
 */

/* Whether the row is in a span; else the walk goes on at the next one, or leaves. */
static bool in_span(struct store_cursor *c, struct slice suffix)
{
    if (!c->span_count) return true;
    for (;; c->span_at += c->reversed ? -1 : 1) {
        if (c->span_at < 0 || c->span_at >= (int64_t)c->span_count) {
            c->leave = true;
            return false;
        }
        const struct span *s = &c->spans[c->span_at];
        bool before = slice_compare(suffix, s->start) < 0;
        bool behind = !s->open && slice_compare(suffix, s->end) >= 0;
        if (!before && !behind) return true;
        if (c->reversed && behind) {
            seek_before(c, s->end);
            return false;
        }
        if (!c->reversed && before) {
            seek(c, s->start);
            return false;
        }
    }
}

static int64_t floor_at(const struct store_cursor *c, struct slice suffix)
{
    size_t low = 0, high = c->range_count; /* the last range that starts at or before it */
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (slice_compare(c->ranges[middle].start, suffix) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0) return c->record.floor;
    const struct range *r = &c->ranges[low - 1];
    bool inside = r->end.len == 0 || slice_compare(suffix, r->end) < 0;
    return inside ? MAX(c->record.floor, r->timestamp) : c->record.floor;
}

static err_t take_row(struct store_cursor *c, struct slice suffix, const struct store_row **out)
{
    struct cells_read r;
    if (c->row_memory) arena_reset(c->row_memory);
    err_t e = cells_read(&c->row_wanted, value_now(c), floor_at(c, suffix), c->row_memory, &r);
    if (e || (!r.marker && !r.any)) return e;
    uint32_t keys = (uint32_t)c->table->partition_count + c->table->clustering_count;
    struct key_reader k = {suffix.at, suffix.at + suffix.len, 0, ERR_OK};
    if (c->partitions_only)
        keys = c->table->partition_count;
    else if (suffix.len)
        e = take_key(c, &k, c->table->partition_count, keys);
    if (e) return e;
    c->row.key_count = keys;
    c->row.marker = r.marker && !c->partitions_only;
    c->row.marker_timestamp = r.marker_timestamp;
    c->row.marker_expiry_s = r.marker_expiry_s;
    c->row.marker_ttl = r.marker_ttl;
    c->row.cells = r.cells;
    c->row.cell_count = c->partitions_only ? 0 : r.count;
    c->row.statics = c->record.cells;
    c->row.static_count = c->record.count;
    c->lineage = r.lineage;
    c->row.partition_first = !c->emitted;
    c->emitted = true;
    c->leave = c->partitions_only;
    c->pending = !c->partitions_only;
    *out = &c->row;
    return ERR_OK;
}

/* The key that the iterator stands at, of the partition that the walk is in. */
static err_t look(struct store_cursor *c, struct slice key, const struct store_row **out)
{
    struct slice suffix = slice_make(key.at + c->partition.len, key.len - c->partition.len);
    if (!suffix.len && c->table->clustering_count) {
        c->leave = c->reversed; /* it is in front of all rows, and was taken first */
        if (c->reversed) return ERR_OK;
        err_t e = take_record(c, value_now(c));
        step(c);
        if (c->partitions_only && c->record.any) c->leave = true; /* go_out gives it */
        return e;
    }
    if (!in_span(c, suffix)) return ERR_OK;
    err_t e = take_row(c, suffix, out);
    if (!e && !*out) step(c);
    return e;
}

err_t store_rows_next(struct store_cursor *c, const struct store_row **out, struct diag *d)
{
    *out = NULL;
    if (c->pending) step(c);
    c->pending = false;
    err_t e = ERR_OK;
    while (!*out && !e) {
        if (c->inside) {
            struct slice key = at_end(c) ? (struct slice){0} : key_now(c);
            if (c->leave || !is_inside(c, key))
                go_out(c, out);
            else
                e = look(c, key, out);
            continue;
        }
        if (c->finished || at_end(c)) break;
        e = enter_next(c);
    }
    if (e) return row_failed(c->store, &c->table->t, e, d);
    char *message = NULL;
    if (c->pending) return ERR_OK; /* the iterator stands at the row */
    if (at_end(c)) rocksdb_iter_get_error(c->iterator, &message);
    return message ? rocks_failed(c->store, message, d, "the rows can not be read") : ERR_OK;
}
