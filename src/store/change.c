/* A change: rows and deletions, encoded on the thread that makes them, without a lock. */
#include "store/change.h"
#include <stdlib.h>

enum {
    POOL_MAX = 1024,
    ARENA_MAX = 2 * CHANGE_BYTES_MAX,
    CELLS_FEW = 64,
    LOOSE_KEY_MAX = KEY_COLUMNS_MAX * (2 * KEY_PART_MAX + 2)
};

/* --- the pool -----------------------------------------------------------------------------------
 */

static void change_free(struct store_change *c)
{
    buf_done(&c->bytes);
    arena_free(c->arena);
    mem_give(c->entries);
    mem_give(c->counts);
    if (c->tables != c->few) mem_give((void *)c->tables);
    mem_give(c);
}

static void change_reset(struct store_change *c)
{
    if (c->bytes.cap > CHANGE_KEEP_BYTES) buf_done(&c->bytes);
    c->bytes.limit = CHANGE_BYTES_MAX;
    buf_reset(&c->bytes);
    if (c->arena) arena_reset(c->arena);
    c->entry_count = c->count_count = c->table_count = c->rows = 0;
    c->decide = NULL;
    c->done = NULL;
    c->err = ERR_OK;
    c->diag.err = ERR_OK;
    c->diag.what[0] = c->diag.where[0] = c->diag.why[0] = c->diag.hint[0] = 0;
}

err_t store_change_new(struct store *s, struct store_change **out)
{
    struct committer *k = s->committer;
    *out = NULL;
    if (!k) return ERR_FORBIDDEN; /* open for reading only */
    gate_enter(&k->pool_gate);
    struct store_change *c = k->pool;
    if (c) {
        k->pool = c->next;
        k->pool_count--;
    }
    gate_leave(&k->pool_gate);
    if (!c) {
        c = mem_take(sizeof *c);
        if (!c) return ERR_NO_MEMORY;
        c->store = s;
        c->tables = c->few;
        c->table_cap = CHANGE_TABLES_FEW;
        change_reset(c);
    }
    *out = c;
    return ERR_OK;
}

void changes_give(struct store *s, struct store_change *list)
{
    struct committer *k = s->committer;
    struct store_change *surplus = NULL, *next;
    for (struct store_change *c = list; c; c = c->next) change_reset(c);
    gate_enter(&k->pool_gate);
    for (struct store_change *c = list; c; c = next) {
        struct store_change **to = k->pool_count < POOL_MAX ? &k->pool : &surplus;
        if (to == &k->pool) k->pool_count++;
        next = c->next;
        c->next = *to;
        *to = c;
    }
    gate_leave(&k->pool_gate);
    for (; surplus; surplus = next) {
        next = surplus->next;
        change_free(surplus);
    }
}

void store_change_free(struct store_change *c)
{
    if (!c) return;
    c->next = NULL;
    changes_give(c->store, c);
}

void changes_pool_free(struct committer *k)
{
    while (k->pool) {
        struct store_change *c = k->pool;
        k->pool = c->next;
        change_free(c);
    }
}

size_t store_change_bytes(const struct store_change *c)
{
    return c->bytes.len;
}

void store_change_decide(struct store_change *c, store_decide *decide, void *ctx)
{
    c->decide = decide;
    c->decide_ctx = ctx;
}

/* --- entries ------------------------------------------------------------------------------------
 */

err_t change_table_number(struct store_change *c, const struct store_table *t, uint16_t *out)
{
    for (uint32_t i = c->table_count; i-- > 0;)
        if (c->tables[i] == t) {
            *out = (uint16_t)i;
            return ERR_OK;
        }
    if (c->table_count == CHANGE_TABLES_MAX) return ERR_TOO_BIG;
    if (c->table_count == c->table_cap) {
        uint32_t cap = c->table_cap * 4;
        const struct store_table **more =
            mem_resize(c->tables == c->few ? NULL : (void *)c->tables, cap * sizeof(void *));
        if (!more) return ERR_NO_MEMORY;
        if (c->tables == c->few) memcpy((void *)more, (void *)c->few, sizeof c->few);
        c->tables = more;
        c->table_cap = cap;
    }
    *out = (uint16_t)c->table_count;
    c->tables[c->table_count++] = t;
    return ERR_OK;
}

err_t change_entry_add(struct store_change *c, uint32_t at, uint32_t value_at, uint16_t table,
                       enum entry_op op, uint8_t flags)
{
    if (c->bytes.err) return c->bytes.err;
    if (c->entry_count == c->entry_cap) {
        uint32_t cap = c->entry_cap ? c->entry_cap * 2 : 8;
        struct change_entry *more = mem_resize(c->entries, cap * sizeof *more);
        if (!more) return ERR_NO_MEMORY;
        c->entries = more;
        c->entry_cap = cap;
    }
    c->entries[c->entry_count++] =
        (struct change_entry){.at = at,
                              .key_len = value_at - at,
                              .value_len = (uint32_t)c->bytes.len - value_at,
                              .table = table,
                              .op = (uint8_t)op,
                              .flags = flags};
    return ERR_OK;
}

/* Whatever went wrong in the middle: what was there before stays as it was. */
struct mark {
    size_t bytes;
    uint32_t entries, tables;
};
static struct mark change_mark(const struct store_change *c)
{
    return (struct mark){c->bytes.len, c->entry_count, c->table_count};
}
static err_t change_back(struct store_change *c, struct mark m, err_t e)
{
    c->bytes.len = m.bytes;
    c->bytes.err = ERR_OK;
    c->entry_count = m.entries;
    c->table_count = m.tables;
    return e;
}

static err_t key_failed(err_t e, const struct store_table *t, struct diag *d)
{
    if (e == ERR_CONSTRAINT) return diag_fail(d, e, "Key may not be empty");
    if (e == ERR_TOO_BIG)
        return diag_fail(d, e, "a key of %.*s.%.*s is longer than %d bytes", SLICE_ARG(t->keyspace),
                         SLICE_ARG(t->name), KEY_PART_MAX);
    return diag_fail(d, e, "a key of %.*s.%.*s can not be written", SLICE_ARG(t->keyspace),
                     SLICE_ARG(t->name));
}

struct index_emit {
    struct store_change *change;
    uint16_t table;
};

static err_t emit_index_entry(void *ctx, uint32_t prefix, struct slice value, struct slice row)
{
    struct index_emit *x = ctx;
    struct buf *b = &x->change->bytes;
    uint32_t at = (uint32_t)b->len;
    if (!buf_reserve(b, KEY_PREFIX_SIZE + (size_t)value.len + row.len)) return b->err;
    buf_be(b, prefix, KEY_PREFIX_SIZE);
    buf_slice(b, value);
    buf_slice(b, row);
    return change_entry_add(x->change, at, (uint32_t)b->len, x->table, ENTRY_PUT, CHANGE_INDEX);
}

err_t change_index_entries(struct store_change *c, const struct table *t, uint32_t i,
                           struct diag *d)
{
    struct change_entry e = c->entries[i];
    struct index_emit x = {c, e.table};
    struct buf row = buf_make(CHANGE_BYTES_MAX); /* a copy: c->bytes grows */
    buf_put(&row, c->bytes.at + e.at, e.key_len + e.value_len);
    err_t err = row.err ? diag_fail(d, row.err, "no memory for the indexes' entries")
                        : index_entries(t, slice_make(row.at, e.key_len),
                                        slice_make(row.at + e.key_len, e.value_len),
                                        emit_index_entry, &x, d);
    buf_done(&row);
    return err;
}

/* --- one row ------------------------------------------------------------------------------------
 */

static struct cell simple_cell(const struct store_row_write *w, const struct store_cell_write *x)
{
    struct cell c = {.timestamp = w->timestamp, .id = x->column, .value = x->value};
    if (x->kind == CELL_DELETE || x->kind == CELL_ELEMENT_DELETE) {
        c.tombstone = true;
        c.expiry_s = w->now_s;
        c.value = (struct slice){0};
    } else if (w->ttl) {
        c.ttl = w->ttl;
        c.expiry_s = w->now_s + w->ttl;
    }
    return c;
}

/* Keeps the list sorted by id; of two for one id the one that would win when merged. */
static size_t cell_insert(struct cell *cells, size_t n, const struct cell *c)
{
    size_t i = n;
    while (i > 0 && cells[i - 1].id > c->id) i--;
    if (i > 0 && cells[i - 1].id == c->id) {
        if (!c->complex && cell_compare(c, &cells[i - 1]) >= 0) cells[i - 1] = *c;
        return n;
    }
    memmove(&cells[i + 1], &cells[i], (n - i) * sizeof *cells);
    cells[i] = *c;
    return n + 1;
}

static err_t element_of(const struct store_row_write *w, const struct store_cell_write *x,
                        const struct column_info *info, struct arena *a, struct element *out)
{
    *out = (struct element){.path = x->path, .cell = simple_cell(w, x)};
    if (info->type->kind != TYPE_LIST) return ERR_OK;
    uint8_t *path = arena_take_raw(a, 16);
    if (x->path.len != 16) return ERR_MALFORMED;
    if (!path) return ERR_NO_MEMORY;
    list_path_put(x->path.at, path);
    out->path = slice_make(path, 16);
    return ERR_OK;
}

static int element_compare(const void *pa, const void *pb)
{
    const struct element *a = pa, *b = pb;
    int order = slice_compare(a->path, b->path);
    return order ? order : cell_compare(&a->cell, &b->cell);
}

/* By path; of those for one path the one that would win when merged, which sorts last. */
static size_t elements_order(struct element *list, size_t count, bool sorted)
{
    size_t n = 0;
    if (sorted) return count;
    qsort(list, count, sizeof *list, element_compare);
    for (size_t i = 0; i < count; i++) {
        if (n && slice_equal(list[n - 1].path, list[i].path)) n--;
        list[n++] = list[i];
    }
    return n;
}

/* All that is written to one column of many cells, from the first such write on. */
static err_t complex_of(struct store_change *c, const struct store_row_write *w, uint32_t first,
                        const struct column_info *info, struct complex *out)
{
    struct element *list = arena_take_raw(c->arena, (w->cell_count - first) * sizeof *list);
    size_t n = 0;
    bool sorted = true;
    if (!list) return ERR_NO_MEMORY;
    for (uint32_t i = first; i < w->cell_count; i++) {
        const struct store_cell_write *x = &w->cells[i];
        if (x->column != w->cells[first].column) continue;
        if (x->kind == CELL_CLEAR || x->kind == CELL_CLEAR_ALL || x->kind == CELL_DELETE) {
            bool before = x->kind == CELL_CLEAR && w->timestamp > INT64_MIN + 1;
            out->deleted = true;
            out->deletion = MAX(out->deletion, w->timestamp - before);
            out->deletion_s = w->now_s;
        } else {
            err_t e = element_of(w, x, info, c->arena, &list[n]);
            if (e) return e;
            sorted &= n == 0 || slice_compare(list[n - 1].path, list[n].path) < 0;
            n++;
        }
    }
    out->elements = list;
    out->count = elements_order(list, n, sorted);
    return ERR_OK;
}

static err_t complex_cell(struct store_change *c, const struct store_row_write *w, uint32_t first,
                          const struct column_info *info, struct cell *out)
{
    struct complex all = {.deletion = INT64_MIN};
    err_t e = complex_of(c, w, first, info, &all);
    if (e) return e;
    size_t size = complex_size_max(&all);
    uint8_t *room = arena_take_raw(c->arena, size);
    if (!room) return ERR_NO_MEMORY;
    struct buf b = buf_over(room, size);
    complex_put(&b, &all, INT64_MIN);
    *out = (struct cell){.id = w->cells[first].column, .complex = true, .value = buf_view(&b)};
    return b.err;
}

static bool has_cell(const struct cell *cells, size_t n, uint16_t id)
{
    for (size_t i = 0; i < n; i++)
        if (cells[i].id == id) return true;
    return false;
}

static err_t column_wrong(const struct store_row_write *w, uint16_t id, struct diag *d)
{
    return diag_fail(d, ERR_UNKNOWN_COLUMN, "table %.*s.%.*s has no such column with id %u",
                     SLICE_ARG(w->table->keyspace), SLICE_ARG(w->table->name), id);
}

static err_t row_cells(struct store_change *c, const struct store_row_write *w, bool statics,
                       struct cell *cells, size_t *count, struct diag *d)
{
    const struct table *t = table_of(w->table);
    size_t n = 0;
    if (w->marker) {
        cells[n++] = simple_cell(w, &(struct store_cell_write){.column = CELL_MARKER});
    }
    if (w->delete_row)
        cells[n++] = (struct cell){.id = CELL_ROW_TOMBSTONE,
                                   .tombstone = true,
                                   .timestamp = w->timestamp,
                                   .expiry_s = w->now_s};
    for (uint32_t i = 0; i < w->cell_count; i++) {
        const struct store_cell_write *x = &w->cells[i];
        const struct column_info *info =
            x->column < t->next_column_id ? &t->by_id[x->column] : NULL;
        struct cell cell;
        if (!info || !info->type || (info->role == COLUMN_STATIC) != statics ||
            info->role == COLUMN_PARTITION || info->role == COLUMN_CLUSTERING)
            return column_wrong(w, x->column, d);
        if (!info->complex) {
            if (x->kind != CELL_SET && x->kind != CELL_DELETE) return column_wrong(w, x->column, d);
            cell = simple_cell(w, x);
        } else {
            if (x->kind == CELL_SET) return column_wrong(w, x->column, d);
            if (has_cell(cells, n, x->column)) continue;
            err_t e = complex_cell(c, w, i, info, &cell);
            if (e) return diag_fail(d, e, "the elements of a column can not be written");
            if (!cell.value.len) continue;
        }
        n = cell_insert(cells, n, &cell);
    }
    *count = n;
    return ERR_OK;
}

static err_t row_add(struct store_change *c, const struct store_table *t, const struct slice *key,
                     uint32_t key_count, const struct cell *cells, size_t count, struct diag *d)
{
    const struct table *table = table_of(t);
    bool partition = table->clustering_count && key_count == table->partition_count;
    uint32_t at = (uint32_t)c->bytes.len;
    uint16_t number;
    c->bytes.limit = MIN((size_t)CHANGE_BYTES_MAX, at + row_size_max(cells, count) + LOOSE_KEY_MAX);
    err_t e = key_put_row(&c->bytes, t, key, key_count);
    if (e) return key_failed(e, t, d);
    uint32_t value_at = (uint32_t)c->bytes.len;
    if (!buf_reserve(&c->bytes, row_size_max(cells, count)))
        return diag_fail(d, c->bytes.err, "the change has more than %d bytes", CHANGE_BYTES_MAX);
    row_put(&c->bytes, cells, count);
    uint32_t size = (uint32_t)c->bytes.len - at;
    if (size > c->store->row_bytes_max)
        return diag_fail(d, ERR_TOO_BIG, "the row has %u bytes, %u is the most", size,
                         c->store->row_bytes_max);
    e = change_table_number(c, t, &number);
    if (!e)
        e = change_entry_add(c, at, value_at, number, ENTRY_MERGE,
                             partition ? CHANGE_PARTITION : 0);
    if (e) return diag_fail(d, e, "the change can not take another row");
    c->rows++;
    return t->index_count ? change_index_entries(c, table, c->entry_count - 1, d) : ERR_OK;
}

static err_t arena_ready(struct store_change *c, struct diag *d)
{
    if (!c->arena) c->arena = arena_new(ARENA_MAX);
    return c->arena ? ERR_OK : diag_fail(d, ERR_NO_MEMORY, "no memory for a change");
}

err_t store_change_row(struct store_change *c, const struct store_row_write *w, struct diag *d)
{
    const struct table *t = table_of(w->table);
    struct cell few[CELLS_FEW], *cells = few;
    struct mark m = change_mark(c);
    size_t count = 0, room = w->cell_count + 3UL; /* marker, tombstone, and one to move into */
    bool statics = t->clustering_count && w->key_count == t->partition_count;
    err_t e = arena_ready(c, d);
    if (e) return e;
    if (room > CELLS_FEW) cells = arena_take_raw(c->arena, room * sizeof *cells);
    if (!cells) return diag_fail(d, ERR_NO_MEMORY, "no memory for a row");
    e = row_cells(c, w, statics, cells, &count, d);
    if (!e && count) e = row_add(c, w->table, w->key, w->key_count, cells, count, d);
    arena_reset(c->arena);
    return e ? change_back(c, m, e) : ERR_OK;
}

/* --- deletions of many rows ---------------------------------------------------------------------
 */

err_t store_change_delete_partition(struct store_change *c, const struct store_table *t,
                                    const struct slice *partition, int64_t timestamp, int64_t now_s,
                                    struct diag *d)
{
    struct mark m = change_mark(c);
    struct cell tombstone = {
        .id = CELL_ROW_TOMBSTONE, .tombstone = true, .timestamp = timestamp, .expiry_s = now_s};
    err_t e = row_add(c, t, partition, table_of(t)->partition_count, &tombstone, 1, d);
    return e ? change_back(c, m, e) : ERR_OK;
}

static err_t range_add(struct store_change *c, const struct store_table *t,
                       const struct slice *partition, const struct range *r, struct diag *d)
{
    size_t size = ranges_size_max(r, 1);
    uint8_t *room = arena_take_raw(c->arena, size);
    if (!room) return diag_fail(d, ERR_NO_MEMORY, "no memory for a change");
    struct buf value = buf_over(room, size);
    ranges_put(&value, r, 1, INT64_MIN);
    struct cell cell = {.id = CELL_RANGES, .complex = true, .value = buf_view(&value)};
    return row_add(c, t, partition, table_of(t)->partition_count, &cell, 1, d);
}

err_t store_change_delete_slice(struct store_change *c, const struct store_table *t,
                                const struct slice *partition, const struct store_slice *slice,
                                int64_t timestamp, int64_t now_s, struct diag *d)
{
    struct mark m = change_mark(c);
    struct buf start = buf_make(LOOSE_KEY_MAX), end = buf_make(LOOSE_KEY_MAX);
    bool open, empty;
    err_t e = arena_ready(c, d);
    if (!e) {
        e = key_put_slice(&start, &end, t, slice, &open, &empty);
        if (e) key_failed(e, t, d);
    }
    if (!e && !empty) {
        struct range r = {.start = buf_view(&start), .timestamp = timestamp, .local_s = now_s};
        if (!open) r.end = buf_view(&end);
        e = range_add(c, t, partition, &r, d);
    }
    buf_done(&start);
    buf_done(&end);
    if (c->arena) arena_reset(c->arena);
    return e ? change_back(c, m, e) : ERR_OK;
}

/* --- counters and records -----------------------------------------------------------------------
 */

err_t store_change_count(struct store_change *c, const struct store_table *t,
                         const struct slice *key, uint32_t key_count, uint16_t column,
                         int64_t delta, int64_t timestamp, struct diag *d)
{
    struct mark m = change_mark(c);
    uint32_t at = (uint32_t)c->bytes.len;
    uint16_t number;
    c->bytes.limit = CHANGE_BYTES_MAX;
    err_t e = key_put_row(&c->bytes, t, key, key_count);
    if (e) return change_back(c, m, key_failed(e, t, d));
    e = change_table_number(c, t, &number);
    if (!e && c->count_count == c->count_cap) {
        uint32_t cap = c->count_cap ? c->count_cap * 2 : 4;
        struct change_count *more = mem_resize(c->counts, cap * sizeof *more);
        if (more) {
            c->counts = more;
            c->count_cap = cap;
        } else {
            e = ERR_NO_MEMORY;
        }
    }
    if (e) return change_back(c, m, diag_fail(d, e, "the change can not take another counter"));
    c->counts[c->count_count++] = (struct change_count){.at = at,
                                                        .key_len = (uint32_t)c->bytes.len - at,
                                                        .table = number,
                                                        .column = column,
                                                        .delta = delta,
                                                        .timestamp = timestamp};
    return ERR_OK;
}

err_t store_change_record(struct store_change *c, enum store_space space, struct slice key,
                          struct slice value)
{
    INVARIANT(space > 0 && space < STORE_SPACES);
    struct mark m = change_mark(c);
    uint32_t at = (uint32_t)c->bytes.len;
    if (key.len > RECORD_KEY_MAX) return ERR_TOO_BIG;
    c->bytes.limit = CHANGE_BYTES_MAX;
    if (!buf_reserve(&c->bytes, KEY_PREFIX_SIZE + (size_t)key.len + value.len))
        return change_back(c, m, c->bytes.err);
    buf_be(&c->bytes, space, KEY_PREFIX_SIZE);
    buf_slice(&c->bytes, key);
    uint32_t value_at = (uint32_t)c->bytes.len;
    buf_slice(&c->bytes, value);
    err_t e = change_entry_add(c, at, value_at, NO_TABLE, value.at ? ENTRY_PUT : ENTRY_DELETE, 0);
    return e ? change_back(c, m, e) : ERR_OK;
}
