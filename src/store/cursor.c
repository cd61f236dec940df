/* Rows by a cursor: what to read is planned here, walk.c goes from row to row. */
#include "store/cursor.h"

/* --- planning -----------------------------------------------------------------------------------
 */

static err_t plan_columns(struct store_cursor *c, const struct store_read *r, struct arena *a)
{
    const struct table *t = c->table;
    uint64_t *bits = NULL;
    uint32_t last = 0;
    if (r->columns) {
        bits = arena_take(a, (t->next_column_id / 64 + 1UL) * sizeof *bits);
        if (!bits) return ERR_NO_MEMORY;
        for (uint32_t i = 0; i < r->column_count; i++) {
            if (r->columns[i] >= t->next_column_id) continue;
            bits[r->columns[i] / 64] |= 1ULL << (r->columns[i] % 64);
            last = MAX(last, (uint32_t)r->columns[i]);
        }
    }
    c->row_wanted =
        (struct cells_wanted){.table = t, .bits = bits, .last = last, .now_s = r->now_s};
    c->static_wanted = c->row_wanted;
    c->static_wanted.statics = true;
    for (uint32_t i = 0; i < t->t.column_count; i++)
        if (type_is_complex(t->t.columns[i].type)) {
            c->row_memory = arena_new(CURSOR_ROW_MAX);
            return c->row_memory ? ERR_OK : ERR_NO_MEMORY;
        }
    c->row_wanted.room = arena_take_raw(a, (t->t.column_count + 1UL) * sizeof(struct store_cell));
    return c->row_wanted.room ? ERR_OK : ERR_NO_MEMORY;
}

static size_t bound_room(const struct store_bound *b)
{
    size_t size = 1;
    for (uint32_t i = 0; i < b->count; i++) size += (size_t)b->values[i].len * 3 + 64;
    return size;
}

static err_t plan_spans(struct store_cursor *c, const struct store_read *r, struct arena *a)
{
    c->spans = arena_take(a, MAX(r->slice_count, 1U) * sizeof *c->spans);
    if (!c->spans) return ERR_NO_MEMORY;
    for (uint32_t i = 0; i < r->slice_count; i++) {
        const struct store_slice *s = &r->slices[i];
        size_t start_room = bound_room(&s->start), end_room = bound_room(&s->end);
        uint8_t *start_at = arena_take_raw(a, start_room), *end_at = arena_take_raw(a, end_room);
        if (!start_at || !end_at) return ERR_NO_MEMORY;
        struct buf start = buf_over(start_at, start_room), end = buf_over(end_at, end_room);
        bool open, empty;
        err_t e = key_put_slice(&start, &end, &c->table->t, s, &open, &empty);
        if (e) return e;
        if (!empty)
            c->spans[c->span_count++] = (struct span){buf_view(&start), buf_view(&end), open};
    }
    return ERR_OK;
}

/* --- bounds -------------------------------------------------------------------------------------
 */

/* Where the walk may go at all: the iterator looks no further. */
static void plan_bounds(struct store_cursor *c, const struct store_read *r)
{
    uint32_t prefix = c->table->t.prefix;
    if (r->partition) {
        buf_put(&c->low, c->partition.at, c->partition.len);
        buf_put(&c->high, c->partition.at, c->partition.len);
        const struct span *last = c->span_count ? &c->spans[c->span_count - 1] : NULL;
        if (last && !last->open)
            buf_slice(&c->high, last->end);
        else
            key_successor(&c->high, 0);
    } else if (r->by_token) {
        key_put_head(&c->low, prefix, r->token_first);
        key_put_head(&c->high, prefix, r->token_last);
        key_successor(&c->high, 0);
        c->finished = r->token_first > r->token_last;
    } else {
        buf_be(&c->low, prefix, KEY_PREFIX_SIZE);
        buf_be(&c->high, prefix, KEY_PREFIX_SIZE);
        key_successor(&c->high, 0);
    }
}

static err_t plan_iterator(struct store_cursor *c, const struct store_snapshot *n, bool keep_cached,
                           struct diag *d)
{
    if (c->low.err || c->high.err || c->partition.err)
        return diag_fail(d, ERR_NO_MEMORY, "no memory for a cursor");
    c->read = read_options(n);
    rocksdb_readoptions_set_iterate_upper_bound(c->read, (const char *)c->high.at, c->high.len);
    if (c->reversed)
        rocksdb_readoptions_set_iterate_lower_bound(c->read, (const char *)c->low.at, c->low.len);
    rocksdb_readoptions_set_fill_cache(c->read, keep_cached);
    c->iterator = rocksdb_create_iterator(c->store->db, c->read);
    return ERR_OK;
}

/* --- the place to start at ----------------------------------------------------------------------
 */

/* The whole key of `after`: its partition's part into c->partition, the rest is given. */
static err_t after_key(struct store_cursor *c, const struct store_read *r, struct slice *suffix)
{
    buf_reset(&c->partition);
    err_t e = key_put_row(&c->partition, &c->table->t, r->after, r->after_count);
    if (e) return e;
    struct slice key = buf_view(&c->partition);
    size_t partition = c->table->clustering_count ? key_partition_size(c->table, key) : key.len;
    buf_reset(&c->seek);
    buf_put(&c->seek, key.at + partition, key.len - partition);
    c->partition.len = partition;
    *suffix = buf_view(&c->seek);
    return c->seek.err;
}

static void seek_behind_partition(struct store_cursor *c)
{
    buf_reset(&c->seek);
    buf_put(&c->seek, c->partition.at, c->partition.len);
    key_successor(&c->seek, 0);
    rocksdb_iter_seek(c->iterator, (const char *)c->seek.at, c->seek.len);
}

static err_t start_after(struct store_cursor *c, const struct store_read *r, struct diag *d)
{
    struct slice suffix;
    err_t e = after_key(c, r, &suffix);
    if (e) return diag_fail(d, e, "the row to go on behind is no key of the table");
    bool row = suffix.len > 0 || !c->table->clustering_count;
    if (!suffix.len && (row || r->after_partition_done)) {
        if (c->one_partition)
            c->finished = true;
        else
            seek_behind_partition(c);
        return ERR_OK;
    }
    uint8_t *copy = NULL; /* c->seek is used again */
    if (suffix.len) {
        copy = mem_take_raw(suffix.len);
        if (!copy) return diag_fail(d, ERR_NO_MEMORY, "no memory for a cursor");
        memcpy(copy, suffix.at, suffix.len);
    }
    e = walk_enter(c, d);
    c->emitted = suffix.len > 0;
    if (!e) walk_start(c, slice_make(copy, suffix.len));
    mem_give(copy);
    return e;
}

static err_t start(struct store_cursor *c, const struct store_read *r, struct diag *d)
{
    if (c->finished) return ERR_OK;
    if (r->after) return start_after(c, r, d);
    if (!c->one_partition) {
        rocksdb_iter_seek(c->iterator, (const char *)c->low.at, c->low.len);
        return ERR_OK;
    }
    err_t e = walk_enter(c, d);
    if (!e) walk_start(c, (struct slice){0});
    return e;
}

/* --- open and close -----------------------------------------------------------------------------
 */

static err_t plan(struct store_cursor *c, const struct store_read *r, struct arena *a,
                  struct diag *d)
{
    const struct store_table *t = r->table;
    err_t e = plan_columns(c, r, a);
    if (e) return diag_fail(d, e, "no memory for a cursor");
    e = plan_spans(c, r, a);
    if (!e && r->partition)
        e = key_put_row(&c->partition, t, r->partition, c->table->partition_count);
    if (e == ERR_NO_MEMORY) return diag_fail(d, e, "no memory for a cursor");
    if (e)
        return diag_fail(d, e, "a bound or key of %.*s.%.*s is no valid value of its type",
                         SLICE_ARG(t->keyspace), SLICE_ARG(t->name));
    plan_bounds(c, r);
    if (r->slice_count && !c->span_count) c->finished = true;
    return ERR_OK;
}

err_t store_rows_open(struct store *s, const struct store_snapshot *n, const struct store_read *r,
                      struct arena *a, struct store_cursor **out, struct diag *d)
{
    *out = NULL;
    INVARIANT(!r->reversed || r->partition);
    struct store_cursor *c = arena_take(a, sizeof *c);
    if (!c) return diag_fail(d, ERR_NO_MEMORY, "no memory for a cursor");
    c->store = s;
    c->table = table_of(r->table);
    c->one_partition = r->partition;
    c->reversed = r->reversed;
    c->partitions_only = r->partitions_only;
    c->low = c->high = c->partition = c->key_bytes = c->seek = buf_make(CURSOR_KEY_MAX);
    c->records =
        c->table->clustering_count &&
        atomic_load_explicit(&c->table->past->marks, memory_order_acquire) & MARK_PARTITION_RECORDS;
    err_t e = plan(c, r, a, d);
    if (!e) e = plan_iterator(c, n, r->partition || r->slice_count, d);
    if (!e) e = start(c, r, d);
    if (e) {
        store_rows_close(c);
        return e;
    }
    *out = c;
    return ERR_OK;
}

void store_rows_close(struct store_cursor *c)
{
    if (!c) return;
    if (c->iterator) rocksdb_iter_destroy(c->iterator);
    if (c->read) rocksdb_readoptions_destroy(c->read);
    arena_free(c->row_memory);
    arena_free(c->partition_memory);
    buf_done(&c->low);
    buf_done(&c->high);
    buf_done(&c->partition);
    buf_done(&c->key_bytes);
    buf_done(&c->seek);
}
