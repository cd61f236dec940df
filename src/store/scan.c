/* Rows -> column batches, straight from the encoded cells: only the wanted columns are copied. */
#include "store/store_int.h"
#include <endian.h>

enum { BATCH_ROWS_MAX = 1 << 20, BUMP_BYTES = 64 << 10, BUMP_ROW_BYTES = 256 };

struct store_scan {
    struct store *store;
    const struct table *table;
    const struct type **types; /* of the columns given out */
    uint32_t wanted_count, column_count;
    int32_t *out_of_id;         /* a column's id -> its place in the batch, or -1 */
    uint32_t id_count, last_id; /* no cell behind last_id is wanted */
    bool key_wanted, with_writetime;
    int64_t now_s;
    struct buf start, end, key; /* key: scratch for key columns */
    rocksdb_readoptions_t *read;
    rocksdb_iterator_t *iterator; /* NULL: one row, by its key */
    bool finished;
};

/* --- opening ------------------------------------------------------------------------------------
 */

static err_t plan_columns(struct store_scan *c, const struct store_scan_options *o, struct diag *d)
{
    const struct store_table *t = o->table;
    for (uint32_t i = 0; i < c->id_count; i++) c->out_of_id[i] = -1;
    for (uint32_t i = 0; i < o->column_count; i++) {
        const struct store_column *column = NULL;
        uint32_t at = 0;
        for (; at < t->column_count && !column; at++)
            if (t->columns[at].id == o->column_ids[i]) column = &t->columns[at];
        if (!column)
            return diag_fail(d, ERR_UNKNOWN_COLUMN, "table %.*s.%.*s has no column with id %u",
                             SLICE_ARG(t->keyspace), SLICE_ARG(t->name), o->column_ids[i]);
        if (c->out_of_id[column->id] >= 0)
            return diag_fail(d, ERR_USAGE, "column %.*s is wanted twice", SLICE_ARG(column->name));
        c->out_of_id[column->id] = (int32_t)i;
        c->types[i] = column->type;
        if (at <= (uint32_t)c->table->partition_count + c->table->clustering_count)
            c->key_wanted = true;
        else
            c->last_id = MAX(c->last_id, column->id);
    }
    for (uint32_t i = o->column_count; i < c->column_count; i++) c->types[i] = type_of(TYPE_BIGINT);
    return ERR_OK;
}

/* The key columns that are given -> the start of every key that has them. */
static err_t start_of_key(struct store_scan *c, const struct store_scan_options *o, struct diag *d)
{
    const struct store_column *columns = o->table->columns;
    struct buf bytes = buf_make(KEY_COLUMNS_MAX * (KEY_PART_MAX + 1UL)), composite = bytes;
    struct slice binary[KEY_COLUMNS_MAX];
    uint32_t at[KEY_COLUMNS_MAX + 1] = {0};
    err_t e = ERR_OK;
    for (uint32_t i = 0; i < o->key_count && !e; i++) {
        if (o->key[i].state != VALID_VALUE)
            e = diag_fail(d, ERR_CONSTRAINT, "key column %.*s is null", SLICE_ARG(columns[i].name));
        else if (!type_equal(o->key[i].type, columns[i].type))
            e = diag_fail(d, ERR_TYPE, "key column %.*s is %s, not %s", SLICE_ARG(columns[i].name),
                          type_kind_name(columns[i].type->kind),
                          type_kind_name(o->key[i].type->kind));
        else
            value_to_binary(&o->key[i], &bytes);
        if (!e && bytes.len - at[i] > KEY_PART_MAX) bytes.err = ERR_TOO_BIG;
        at[i + 1] = (uint32_t)bytes.len;
        if (!e && bytes.err)
            e = diag_fail(d, bytes.err, "key column %.*s is too long", SLICE_ARG(columns[i].name));
    }
    for (uint32_t i = 0; i < o->key_count; i++)
        binary[i] =
            slice_make(bytes.at ? bytes.at + at[i] : (const uint8_t *)"", at[i + 1] - at[i]);
    int64_t token = 0;
    if (!e) e = key_token(binary, c->table->partition_count, &composite, &token);
    if (!e) key_put_head(&c->start, o->table->prefix, token);
    for (uint32_t i = 0; i < o->key_count && !e; i++) {
        if (i < c->table->partition_count)
            key_put_partition(&c->start, columns[i].type, binary[i]);
        else
            e = key_put_order(&c->start, columns[i].type, binary[i], columns[i].descending);
        if (e) diag_fail(d, e, "key column %.*s is no valid value", SLICE_ARG(columns[i].name));
    }
    buf_done(&bytes);
    buf_done(&composite);
    return e;
}

/* The first key behind all that start with `start`. */
static void end_behind(struct buf *end, struct slice start)
{
    while (start.len && start.at[start.len - 1] == 0xff) start.len--;
    buf_slice(end, start);
    if (end->len && !end->err) end->at[end->len - 1]++;
}

static err_t plan_range(struct store_scan *c, const struct store_scan_options *o, struct diag *d)
{
    err_t e = ERR_OK;
    uint32_t partition = c->table->partition_count, keys = partition + c->table->clustering_count;
    c->start = c->end = c->key = buf_make(MIB(16));
    if (o->key_count && (o->key_count < partition || o->key_count > keys))
        return diag_fail(d, ERR_USAGE, "%u key columns are given, table %.*s.%.*s needs %u to %u",
                         o->key_count, SLICE_ARG(o->table->keyspace), SLICE_ARG(o->table->name),
                         partition, keys);
    if (o->key_count) {
        e = start_of_key(c, o, d);
        if (!e) end_behind(&c->end, buf_view(&c->start));
    } else if (o->by_token) {
        uint8_t last[KEY_HEAD_SIZE];
        struct buf b = buf_over(last, sizeof last);
        key_put_head(&c->start, o->table->prefix, o->token_first);
        key_put_head(&b, o->table->prefix, o->token_last);
        end_behind(&c->end, buf_view(&b));
        c->finished = o->token_first > o->token_last;
    } else {
        buf_be(&c->start, o->table->prefix, KEY_PREFIX_SIZE);
        end_behind(&c->end, buf_view(&c->start));
    }
    if (!e && (c->start.err || c->end.err)) e = diag_fail(d, ERR_NO_MEMORY, "no memory for a scan");
    return e;
}

err_t store_scan_open(struct store *s, const struct store_snapshot *n,
                      const struct store_scan_options *o, struct store_scan **out, struct diag *d)
{
    *out = NULL;
    struct store_scan *c = mem_take(sizeof *c);
    if (!c) return diag_fail(d, ERR_NO_MEMORY, "no memory for a scan");
    c->store = s;
    c->table = table_of(o->table);
    c->wanted_count = o->column_count;
    c->column_count = o->with_writetime ? 2 * o->column_count : o->column_count;
    c->id_count = c->table->next_column_id;
    c->with_writetime = o->with_writetime;
    c->now_s = o->now_ms / 1000;
    c->types = mem_take((c->column_count + 1UL) * sizeof(struct type *));
    c->out_of_id = mem_take(c->id_count * sizeof *c->out_of_id);
    err_t e = c->types && c->out_of_id ? plan_columns(c, o, d)
                                       : diag_fail(d, ERR_NO_MEMORY, "no memory for a scan");
    if (!e) e = plan_range(c, o, d);
    if (e) {
        store_scan_close(c);
        return e;
    }
    bool one = o->key_count &&
               o->key_count == (uint32_t)c->table->partition_count + c->table->clustering_count;
    c->read = read_options(n);
    if (!one) {
        rocksdb_readoptions_set_iterate_upper_bound(c->read, (const char *)c->end.at, c->end.len);
        rocksdb_readoptions_set_fill_cache(c->read, o->key_count > 0);
        c->iterator = rocksdb_create_iterator(s->db, c->read);
        rocksdb_iter_seek(c->iterator, (const char *)c->start.at, c->start.len);
    }
    *out = c;
    return ERR_OK;
}

void store_scan_close(struct store_scan *c)
{
    if (!c) return;
    if (c->iterator) rocksdb_iter_destroy(c->iterator);
    if (c->read) rocksdb_readoptions_destroy(c->read);
    buf_done(&c->start);
    buf_done(&c->end);
    buf_done(&c->key);
    mem_give(c->out_of_id);
    mem_give((void *)c->types);
    mem_give(c);
}

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
    *to = (struct slice){v.len ? f->bump : (const uint8_t *)"", v.len};
    if (v.len) memcpy(f->bump, v.at, v.len);
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
    int32_t at = cell->id < c->id_count ? c->out_of_id[cell->id] : -1;
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
        } else if (cell.id >= CELL_FIRST) {
            *there = true;
            e = fill_cell(f, &cell);
        }
    }
    if (!e) e = r.err;
    if (!e && *there && f->c->key_wanted) e = fill_key(f, key);
    if (e || !*there) unfill(f);
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

err_t store_scan_next(struct store_scan *c, uint32_t rows_max, struct column_batch *b,
                      struct store_lineage *lineage, struct diag *d)
{
    struct arena *a = b->arena;
    rows_max = c->finished ? 0 : MIN(rows_max, BATCH_ROWS_MAX);
    if (!c->iterator) rows_max = MIN(rows_max, 1U);
    err_t e = batch_init(b, c->types, c->column_count, rows_max, a);
    b->rows = 0;
    if (e) return diag_fail(d, e, "no memory for a batch of %u rows", rows_max);
    if (rows_max == 0) return ERR_OK;
    struct filling f = {.c = c, .b = b, .rows_max = rows_max, .lineage = lineage};
    return c->iterator ? next_many(&f, rows_max, d) : next_one(&f, d);
}
