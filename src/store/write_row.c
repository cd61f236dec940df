/* Rows of columns -> keys and cells. The hot path: no struct value, one pass a row. */
#include "base/hash.h"
#include "store/change.h"
#include <endian.h>

enum { CELL_OVERHEAD = 3 + 5, LINEAGE_MAX = 40, KEY_PART_GROWTH = 3, KEY_PART_OVERHEAD = 64 };

struct cell_plan {
    const struct column *column;
    uint16_t id;
    uint8_t fixed; /* bytes of the binary form; 0: a slice */
    uint8_t head_len;
    uint8_t head[3], tombstone[3];
};
struct key_plan {
    const struct column *column;
    const struct store_column *as;
    uint8_t fixed;
};
struct row_plan {
    const struct table *table;
    const struct store_rows *r;
    struct key_plan keys[KEY_COLUMNS_MAX];
    uint32_t key_count;
    struct cell_plan *cells; /* by growing id */
    uint32_t cell_count;
    uint32_t ttl;
    int64_t now_s;
};

static void head_put(uint8_t out[3], uint8_t *len, uint32_t id, uint32_t flags)
{
    struct buf b = buf_over(out, 3);
    buf_uvarint(&b, (uint64_t)id << CELL_FLAG_BITS | flags);
    *len = (uint8_t)b.len;
}

static err_t plan_cell(struct row_plan *p, const struct store_column *as, const struct column *c)
{
    uint32_t i = p->cell_count++;
    for (; i > 0 && p->cells[i - 1].id > as->id; i--) p->cells[i] = p->cells[i - 1];
    if (i > 0 && p->cells[i - 1].id == as->id) return ERR_USAGE;
    struct cell_plan *cell = &p->cells[i];
    *cell =
        (struct cell_plan){.column = c, .id = as->id, .fixed = (uint8_t)type_fixed_size(as->type)};
    head_put(cell->head, &cell->head_len, as->id, 0);
    head_put(cell->tombstone, &cell->head_len, as->id, CELL_TOMBSTONE);
    return ERR_OK;
}

static err_t plan_column(struct row_plan *p, uint32_t i, struct diag *d)
{
    const struct store_table *t = &p->table->t;
    const struct store_column *as = NULL;
    uint32_t at = 0;
    for (; at < t->column_count && !as; at++)
        if (t->columns[at].id == p->r->column_ids[i]) as = &t->columns[at];
    if (!as)
        return diag_fail(d, ERR_UNKNOWN_COLUMN, "table %.*s.%.*s has no column with id %u",
                         SLICE_ARG(t->keyspace), SLICE_ARG(t->name), p->r->column_ids[i]);
    const struct column *c = &p->r->columns[i];
    if (as->role == COLUMN_STATIC || as->type->kind == TYPE_COUNTER)
        return diag_fail(d, ERR_UNSUPPORTED, "column %.*s: streams do not write %s",
                         SLICE_ARG(as->name),
                         as->role == COLUMN_STATIC ? "static columns" : "counters");
    if (!type_equal(as->type, c->type))
        return diag_fail(d, ERR_TYPE, "column %.*s is %s, not %s", SLICE_ARG(as->name),
                         type_kind_name(as->type->kind), type_kind_name(c->type->kind));
    bool twice = false;
    if (at <= p->key_count) {
        struct key_plan *k = &p->keys[at - 1];
        twice = k->column;
        *k = (struct key_plan){c, as, (uint8_t)type_fixed_size(as->type)};
    } else if (!p->r->remove) {
        twice = plan_cell(p, as, c) != ERR_OK;
    }
    return twice ? diag_fail(d, ERR_USAGE, "column %.*s is given twice", SLICE_ARG(as->name))
                 : ERR_OK;
}

static err_t plan_make(struct row_plan *p, struct diag *d)
{
    const struct store_table *t = &p->table->t;
    p->key_count = (uint32_t)p->table->partition_count + p->table->clustering_count;
    p->ttl = p->r->ttl ? p->r->ttl : t->default_ttl;
    p->now_s = MAX(p->r->now_ms, 0) / 1000;
    for (uint32_t i = 0; i < p->r->column_count; i++) {
        err_t e = plan_column(p, i, d);
        if (e) return e;
    }
    for (uint32_t i = 0; i < p->key_count; i++)
        if (!p->keys[i].column)
            return diag_fail(d, ERR_CONSTRAINT, "key column %.*s is missing",
                             SLICE_ARG(t->columns[i].name));
    if (p->r->replace && p->key_count + p->cell_count != t->column_count)
        return diag_fail(d, ERR_USAGE, "to replace rows of %.*s.%.*s all %u columns are needed",
                         SLICE_ARG(t->keyspace), SLICE_ARG(t->name), t->column_count);
    return ERR_OK;
}

/* --- one row ------------------------------------------------------------------------------------
 */

static inline void fixed_binary(const struct column *c, uint32_t row, uint32_t size, uint8_t *to)
{
    uint16_t v2;
    uint32_t v4;
    uint64_t v8;
    switch (size) {
    case 1: *to = c->b1[row]; return;
    case 2:
        v2 = htobe16((uint16_t)c->i16[row]);
        memcpy(to, &v2, 2);
        return;
    case 4:
        v4 = htobe32((uint32_t)c->i32[row]);
        memcpy(to, &v4, 4);
        return;
    case 8:
        v8 = htobe64((uint64_t)c->i64[row]);
        memcpy(to, &v8, 8);
        return;
    default: memcpy(to, c->b16[row], 16);
    }
}

/* A bound of the row's key and value together; 0 where a value is larger than any may be. */
static size_t row_room(const struct row_plan *p, uint32_t row)
{
    size_t size = KEY_HEAD_SIZE + ROW_HEAD_TTL_SIZE + LINEAGE_MAX;
    for (uint32_t i = 0; i < p->key_count; i++) {
        const struct key_plan *k = &p->keys[i];
        uint32_t len = k->fixed                               ? k->fixed
                       : k->column->state[row] == VALID_VALUE ? k->column->bytes[row].len
                                                              : 0;
        size += (size_t)MIN(len, KEY_PART_MAX) * KEY_PART_GROWTH + KEY_PART_OVERHEAD;
    }
    for (uint32_t i = 0; i < p->cell_count; i++) {
        const struct cell_plan *c = &p->cells[i];
        size += CELL_OVERHEAD;
        if (c->fixed)
            size += c->fixed;
        else if (c->column->state[row] == VALID_VALUE)
            size += c->column->bytes[row].len;
    }
    return size;
}

static err_t row_key(const struct row_plan *p, uint32_t row, struct buf *out, struct buf *scratch,
                     struct diag *d)
{
    uint8_t fixed[KEY_COLUMNS_MAX][16];
    struct slice binary[KEY_COLUMNS_MAX];
    for (uint32_t i = 0; i < p->key_count; i++) {
        const struct key_plan *k = &p->keys[i];
        const struct slice name = k->as->name;
        if (k->column->state[row] != VALID_VALUE)
            return diag_fail(d, ERR_CONSTRAINT, "key column %.*s is null", SLICE_ARG(name));
        if (k->fixed) {
            fixed_binary(k->column, row, k->fixed, fixed[i]);
            binary[i] = (struct slice){fixed[i], k->fixed};
        } else {
            binary[i] = k->column->bytes[row];
        }
        if (binary[i].len > KEY_PART_MAX)
            return diag_fail(d, ERR_TOO_BIG, "key column %.*s has %u bytes, %d is the most",
                             SLICE_ARG(name), binary[i].len, KEY_PART_MAX);
    }
    uint32_t partition_count = p->table->partition_count;
    if (partition_count == 1 && binary[0].len == 0)
        return diag_fail(d, ERR_CONSTRAINT, "key column %.*s is empty",
                         SLICE_ARG(p->keys[0].as->name));
    int64_t token;
    err_t e = key_token(binary, partition_count, scratch, &token);
    if (e) return diag_fail(d, e, "the partition key is too long");
    key_put_head(out, p->table->t.prefix, token);
    for (uint32_t i = 0; i < partition_count; i++)
        key_put_partition(out, p->keys[i].as->type, binary[i]);
    for (uint32_t i = partition_count; i < p->key_count && !e; i++) {
        e = key_put_order(out, p->keys[i].as->type, binary[i], p->keys[i].as->descending);
        if (e) diag_fail(d, e, "key column %.*s is no valid value", SLICE_ARG(p->keys[i].as->name));
    }
    return e;
}

static inline uint8_t *put_le(uint8_t *to, uint64_t v, size_t bytes)
{
    v = htole64(v);
    memcpy(to, &v, bytes);
    return to + bytes;
}
static inline uint8_t *put_uvarint(uint8_t *to, uint64_t v)
{
    for (; v >= 0x80; v >>= 7) *to++ = (uint8_t)(v | 0x80);
    *to++ = (uint8_t)v;
    return to;
}

static uint8_t *cell_value(const struct row_plan *p, const struct cell_plan *c, uint32_t row,
                           uint8_t *to)
{
    if (c->column->state[row] != VALID_VALUE) {
        if (p->r->replace) return to; /* a row that is put whole: absent is null */
        memcpy(to, c->tombstone, 3);
        return put_uvarint(to + c->head_len, (uint64_t)p->now_s);
    }
    memcpy(to, c->head, 3);
    to += c->head_len;
    if (c->fixed) {
        *to++ = c->fixed;
        fixed_binary(c->column, row, c->fixed, to);
        return to + c->fixed;
    }
    struct slice s = c->column->bytes[row];
    to = put_uvarint(to, s.len);
    if (s.len) memcpy(to, s.at, s.len);
    return to + s.len;
}

/* The row is gone up to the time: CQL's DELETE of a whole row. */
static uint8_t *row_tombstone(const struct row_plan *p, int64_t timestamp, uint8_t *to)
{
    struct cell cell = {
        .id = CELL_ROW_TOMBSTONE, .tombstone = true, .timestamp = timestamp, .expiry_s = p->now_s};
    struct buf b = buf_over(to, ROW_HEAD_TTL_SIZE + LINEAGE_MAX);
    row_put(&b, &cell, 1);
    INVARIANT(!b.err);
    return to + b.len;
}

/* The form that row_put makes of the same cells, where no two cells differ in time or TTL. */
static uint8_t *row_value(const struct row_plan *p, uint32_t row, uint8_t *to)
{
    int64_t timestamp = p->r->timestamps_us ? p->r->timestamps_us[row] : p->r->timestamp_us;
    if (p->r->remove) return row_tombstone(p, timestamp, to);
    *to++ = ROW_SIMPLE;
    *to++ = p->ttl ? ROW_TTL : 0;
    to = put_le(to, (uint64_t)timestamp, 8);
    if (p->ttl) {
        to = put_le(to, p->ttl, 4);
        to = put_le(to, (uint64_t)(p->now_s + p->ttl), 8);
    }
    *to++ = CELL_MARKER << CELL_FLAG_BITS;
    *to++ = 0;
    if (p->r->lineage) {
        *to++ = CELL_LINEAGE << CELL_FLAG_BITS;
        struct buf b = buf_over(to + 1, LINEAGE_MAX - 1);
        lineage_put(&b, &p->r->lineage[row]);
        *to = (uint8_t)b.len;
        to += 1 + b.len;
    }
    for (uint32_t i = 0; i < p->cell_count; i++) to = cell_value(p, &p->cells[i], row, to);
    return to;
}

struct index_row {
    struct store_write *w;
    const struct store_table *t;
};
static err_t index_row_entry(void *ctx, uint32_t prefix, struct slice value, struct slice row)
{
    struct index_row *x = ctx;
    return write_index_entry(x->w, x->t, prefix, value, row);
}

static err_t row_write(struct store_write *w, struct entries *g, const struct row_plan *p,
                       uint32_t row, struct diag *d)
{
    for (uint32_t i = 0; i < p->cell_count; i++)
        if (p->cells[i].column->state[row] == ERROR_VALUE)
            return diag_fail(d, ERR_CONSTRAINT, "a column of the row holds an error");
    size_t room = row_room(p, row);
    if (room > RECORD_MAX)
        return diag_fail(d, ERR_TOO_BIG, "the row has more than %u bytes", w->store->row_bytes_max);
    uint8_t *at = write_room(w, room);
    if (!at) return diag_fail(d, ERR_NO_MEMORY, "no memory for a row of %zu bytes", room);
    struct buf key = buf_over(at, room);
    err_t e = row_key(p, row, &key, &w->scratch, d);
    if (e) return e;
    if (key.err) return diag_fail(d, key.err, "the row's key is too long");
    uint8_t *end = row_value(p, row, at + key.len);
    size_t size = (size_t)(end - at);
    if (size > w->store->row_bytes_max)
        return diag_fail(d, ERR_TOO_BIG, "the row has %zu bytes, %u is the most", size,
                         w->store->row_bytes_max);
    if (w->bytes + size > w->bytes_max)
        return diag_fail(d, ERR_TOO_BIG, "the epoch has more than %zu bytes", w->bytes_max);
    write_take(w, size);
    e = write_entry(w, g, at, (uint32_t)key.len, (uint32_t)(size - key.len),
                    p->r->replace ? ENTRY_PUT : ENTRY_MERGE);
    if (e) return diag_fail(d, e, "no memory for the epoch's rows");
    if (!p->table->t.index_count || p->r->remove) return ERR_OK;
    struct index_row x = {w, &p->table->t};
    return index_entries(p->table, slice_make(at, key.len),
                         slice_make(at + key.len, size - key.len), index_row_entry, &x, d);
}

/* How many entries each of the table's groups has, to go back to: its rows', its indexes'. */
static err_t groups_ready(struct store_write *w, const struct store_table *t, size_t *counts)
{
    err_t e = ERR_OK;
    for (uint32_t i = 0; i <= t->index_count && !e; i++) {
        struct entries *g;
        e = write_group(w, i ? t->indexes[i - 1].prefix : t->prefix, t, &g);
        if (!e) counts[i] = g->count;
    }
    return e;
}

static void groups_back(struct store_write *w, const struct store_table *t, const size_t *counts)
{
    for (uint32_t i = 0; i <= t->index_count; i++) {
        struct entries *g;
        if (!write_group(w, i ? t->indexes[i - 1].prefix : t->prefix, t, &g)) g->count = counts[i];
    }
}

err_t store_write_rows(struct store_write *w, const struct store_rows *r, uint32_t *bad_row,
                       struct diag *d)
{
    struct row_plan p = {.table = table_of(r->table), .r = r};
    struct entries *g = NULL;
    *bad_row = UINT32_MAX;
    if (r->column_count > r->table->column_count)
        return diag_fail(d, ERR_USAGE, "more columns than table %.*s.%.*s has",
                         SLICE_ARG(r->table->keyspace), SLICE_ARG(r->table->name));
    p.cells = mem_take_raw((r->column_count + 1U) * sizeof *p.cells);
    size_t *counts = mem_take_raw((r->table->index_count + 1U) * sizeof *counts);
    err_t e = p.cells && counts ? plan_make(&p, d)
                                : diag_fail(d, ERR_NO_MEMORY, "no memory to plan a write");
    if (!e) {
        e = groups_ready(w, r->table, counts);
        if (!e) e = write_group(w, r->table->prefix, r->table, &g);
        if (!e && !indexes_same(g->table, r->table) && store_table_current(g->table))
            g->table = r->table; /* the older one: at the commit all entries are made anew */
        if (e) diag_fail(d, e, "too many tables in one write");
    }
    size_t bytes = w->bytes;
    for (uint32_t i = 0; i < r->count && !e; i++) {
        uint32_t row = r->rows ? r->rows[i] : i;
        e = row_write(w, g, &p, row, d);
        if (e) *bad_row = row;
    }
    if (!e) w->rows += r->count;
    if (e && g) { /* nothing of this call stays */
        groups_back(w, r->table, counts);
        w->bytes = bytes;
    }
    mem_give(counts);
    mem_give(p.cells);
    return e;
}
