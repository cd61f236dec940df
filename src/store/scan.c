/* Rows -> column batches. Of a simple table straight from the encoded cells, only the wanted
 * columns copied; of any other from a cursor, statics repeated on each row, collections whole. */
#include "store/scan.h"
#include <endian.h>

enum { BUMP_BYTES = 64 << 10, BUMP_ROW_BYTES = 256 };

/* --- one row into the batch ---------------------------------------------------------------------
 */

struct filling {
    struct store_scan *c;
    struct column_batch *b;
    uint32_t row, rows_max;
    uint8_t *bump; /* memory for this batch's bytes */
    size_t bump_left;
    struct store_lineage *lineage;
};

static bool fill_bytes(struct filling *f, struct slice v, struct slice *to)
{
    if (v.len > f->bump_left) {
        size_t size = MAX(v.len, MIN((size_t)BUMP_BYTES, (size_t)f->rows_max * BUMP_ROW_BYTES));
        f->bump = arena_take_raw(f->b->arena, size);
        f->bump_left = f->bump ? size : 0;
        if (!f->bump) return false;
    }
    *to = v.len ? slice_make(f->bump, v.len) : SLICE("");
    if (!v.len) return true; /* there may be no memory yet */
    memcpy(f->bump, v.at, v.len);
    f->bump += v.len;
    f->bump_left -= v.len;
    return true;
}

/* Binary form -> column. */
static err_t fill(struct filling *f, struct column *c, struct slice v)
{
    uint32_t fixed = type_fixed_size(c->type);
    uint16_t v2;
    uint32_t v4;
    uint64_t v8;
    if (fixed != 0 && v.len != fixed) return ERR_CORRUPT;
    switch (fixed) {
    case 0:
        if (!fill_bytes(f, v, &c->bytes[f->row])) return ERR_NO_MEMORY;
        break;
    case 1: c->b1[f->row] = *v.at; break;
    case 2:
        memcpy(&v2, v.at, 2);
        c->i16[f->row] = (int16_t)be16toh(v2);
        break;
    case 4:
        memcpy(&v4, v.at, 4);
        c->i32[f->row] = (int32_t)be32toh(v4);
        break;
    case 8:
        memcpy(&v8, v.at, 8);
        c->i64[f->row] = (int64_t)be64toh(v8);
        break;
    default: memcpy(c->b16[f->row], v.at, 16);
    }
    c->state[f->row] = VALID_VALUE;
    return ERR_OK;
}

static err_t fill_cell(struct filling *f, const struct cell *cell)
{
    const struct store_scan *c = f->c;
    int32_t at = c->out_of_id[cell->id];
    if (at < 0) return ERR_OK;
    if (c->with_writetime) {
        struct column *time = &f->b->columns[c->wanted_count + (uint32_t)at];
        time->i64[f->row] = cell->timestamp;
        time->state[f->row] = VALID_VALUE;
    }
    return fill(f, &f->b->columns[at], cell->value);
}

static err_t fill_key(struct filling *f, struct slice key)
{
    const struct store_scan *c = f->c;
    const struct store_table *t = &c->table->t;
    struct key_reader r = {key.at + KEY_HEAD_SIZE, key.at + key.len, 0, ERR_OK};
    uint32_t keys = (uint32_t)c->table->partition_count + c->table->clustering_count;
    for (uint32_t i = 0; i < keys; i++) {
        const struct store_column *column = &t->columns[i];
        struct buf *binary = &f->c->key;
        buf_reset(binary);
        if (i < c->table->partition_count)
            key_take_partition(&r, column->type, binary);
        else
            key_take_order(&r, column->type, column->descending, binary);
        int32_t at = c->out_of_id[column->id];
        err_t e = r.err;
        if (!e && at >= 0) e = fill(f, &f->b->columns[at], buf_view(binary));
        if (e) return e;
    }
    return r.at == r.end ? ERR_OK : ERR_CORRUPT;
}

static void unfill(struct filling *f)
{
    for (uint32_t i = 0; i < f->b->column_count; i++) f->b->columns[i].state[f->row] = NULL_VALUE;
}

/* *there: the row has its marker, or a column that is neither deleted nor expired. */
static err_t fill_row(struct filling *f, struct slice key, struct slice value, bool *there)
{
    struct row_reader r;
    struct cell cell;
    err_t e = ERR_OK;
    *there = false;
    if (f->lineage) f->lineage[f->row] = (struct store_lineage){0};
    row_open(&r, value);
    while (!e && row_next(&r, &cell)) {
        if (*there && cell.id > f->c->last_id && cell.id >= CELL_FIRST) break;
        if (!cell_live(&cell, f->c->now_s)) continue;
        if (cell.id == CELL_LINEAGE) {
            if (f->lineage) e = lineage_take(cell.value, &f->lineage[f->row]);
        } else if (cell.id == CELL_MARKER) {
            *there = true;
        } else if (cell.id >= CELL_FIRST && cell.id < f->c->id_count &&
                   f->c->out_of_id[cell.id] != NO_COLUMN) {
            *there = true;
            e = fill_cell(f, &cell);
        }
    }
    if (!e) e = r.err;
    if (!e && *there && f->c->key_wanted) e = fill_key(f, key);
    if (e || !*there) unfill(f);
    return e;
}

/* --- a cursor's row into the batch --------------------------------------------------------------
 */

static err_t fill_store_cell(struct filling *f, const struct store_cell *cell)
{
    struct store_scan *c = f->c;
    int32_t at = cell->column < c->id_count ? c->out_of_id[cell->column] : NO_COLUMN;
    int64_t time = cell->timestamp;
    struct slice value = cell->value;
    if (at < 0) return ERR_OK;
    struct column *to = &f->b->columns[at];
    if (cell->elements) {
        buf_reset(&c->key);
        elements_whole(to->type, cell, &c->key);
        if (c->key.err) return ERR_NO_MEMORY;
        value = buf_view(&c->key);
        time = INT64_MIN;
        for (uint32_t i = 0; i < cell->element_count; i++)
            time = MAX(time, cell->elements[i].timestamp);
    }
    if (c->with_writetime) {
        struct column *times = &f->b->columns[c->wanted_count + (uint32_t)at];
        times->i64[f->row] = time;
        times->state[f->row] = VALID_VALUE;
    }
    return fill(f, to, value);
}

static err_t fill_store_row(struct filling *f, const struct store_row *row)
{
    struct store_scan *c = f->c;
    err_t e = ERR_OK;
    if (f->lineage) f->lineage[f->row] = (struct store_lineage){0};
    if (f->lineage && c->cursor->lineage.len)
        e = lineage_take(c->cursor->lineage, &f->lineage[f->row]);
    for (uint32_t i = 0; i < row->key_count && !e; i++) {
        int32_t at = c->out_of_id[c->table->t.columns[i].id];
        if (at >= 0) e = fill(f, &f->b->columns[at], row->key[i]);
    }
    for (uint32_t i = 0; i < row->static_count && !e; i++) e = fill_store_cell(f, &row->statics[i]);
    for (uint32_t i = 0; i < row->cell_count && !e; i++) e = fill_store_cell(f, &row->cells[i]);
    if (e) unfill(f);
    return e;
}

/* --- batches ------------------------------------------------------------------------------------
 */

static err_t next_one(struct filling *f, struct diag *d)
{
    struct store_scan *c = f->c;
    char *message = NULL;
    bool there;
    c->finished = true;
    rocksdb_pinnableslice_t *found = rocksdb_get_pinned(
        c->store->db, c->read, (const char *)c->start.at, c->start.len, &message);
    if (message) return rocks_failed(c->store, message, d, "the row can not be read");
    if (!found) return ERR_OK;
    size_t len;
    const char *value = rocksdb_pinnableslice_value(found, &len);
    err_t e = fill_row(f, buf_view(&c->start), slice_make(value, len), &there);
    rocksdb_pinnableslice_destroy(found);
    if (e) return row_failed(c->store, &c->table->t, e, d);
    f->b->rows = there;
    return ERR_OK;
}

static err_t next_many(struct filling *f, uint32_t rows_max, struct diag *d)
{
    struct store_scan *c = f->c;
    rocksdb_iterator_t *i = c->iterator;
    char *message = NULL;
    for (; f->row < rows_max && rocksdb_iter_valid(i); rocksdb_iter_next(i)) {
        size_t key_len, value_len;
        bool there;
        const char *key = rocksdb_iter_key(i, &key_len), *value = rocksdb_iter_value(i, &value_len);
        err_t e = fill_row(f, slice_make(key, key_len), slice_make(value, value_len), &there);
        if (e == ERR_NO_MEMORY && f->row > 0) break; /* it opens the next batch */
        if (e) return row_failed(c->store, &c->table->t, e, d);
        f->row += there;
    }
    f->b->rows = f->row;
    c->finished = !rocksdb_iter_valid(i);
    rocksdb_iter_get_error(i, &message);
    return message ? rocks_failed(c->store, message, d, "the rows can not be read") : ERR_OK;
}

static err_t next_of_cursor(struct filling *f, uint32_t rows_max, struct diag *d)
{
    struct store_scan *c = f->c;
    while (f->row < rows_max) {
        if (!c->held) {
            err_t e = store_rows_next(c->cursor, &c->held, d);
            if (e) return e;
            c->finished = !c->held;
            if (c->finished) break;
        }
        err_t e = fill_store_row(f, c->held);
        if (e == ERR_NO_MEMORY && f->row > 0) break; /* it opens the next batch */
        if (e) return row_failed(c->store, &c->table->t, e, d);
        c->held = NULL;
        f->row++;
    }
    f->b->rows = f->row;
    return ERR_OK;
}

err_t store_scan_next(struct store_scan *c, uint32_t rows_max, struct column_batch *b,
                      struct store_lineage *lineage, struct diag *d)
{
    struct arena *a = b->arena;
    rows_max = c->finished ? 0 : MIN(rows_max, BATCH_ROWS_MAX);
    if (!c->iterator && !c->cursor) rows_max = MIN(rows_max, 1U);
    err_t e = batch_init(b, c->types, c->column_count, rows_max, a);
    b->rows = 0;
    if (e) return diag_fail(d, e, "no memory for a batch of %u rows", rows_max);
    if (rows_max == 0) return ERR_OK;
    struct filling f = {.c = c, .b = b, .rows_max = rows_max, .lineage = lineage};
    if (c->cursor) return next_of_cursor(&f, rows_max, d);
    return c->iterator ? next_many(&f, rows_max, d) : next_one(&f, d);
}
