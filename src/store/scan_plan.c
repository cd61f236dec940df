/* Opening a scan: which columns, from where to where, and by which of the two ways. */
#include "store/scan.h"
#include <stdlib.h>

/* --- opening ------------------------------------------------------------------------------------
 */

static err_t plan_columns(struct store_scan *c, const struct store_scan_options *o, struct diag *d)
{
    const struct store_table *t = o->table;
    for (uint32_t i = 0; i < c->id_count; i++)
        c->out_of_id[i] = c->table->by_id[i].type ? NOT_WANTED : NO_COLUMN;
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

/* The key columns that are given, in their binary form: slices into `bytes`. */
static err_t key_binary(const struct store_scan_options *o, struct buf *bytes, struct slice *binary,
                        struct diag *d)
{
    const struct store_column *columns = o->table->columns;
    uint32_t at[KEY_COLUMNS_MAX + 1] = {0};
    for (uint32_t i = 0; i < o->key_count; i++) {
        if (o->key[i].state != VALID_VALUE)
            return diag_fail(d, ERR_CONSTRAINT, "key column %.*s is null",
                             SLICE_ARG(columns[i].name));
        if (!type_equal(o->key[i].type, columns[i].type))
            return diag_fail(d, ERR_TYPE, "key column %.*s is %s, not %s",
                             SLICE_ARG(columns[i].name), type_kind_name(columns[i].type->kind),
                             type_kind_name(o->key[i].type->kind));
        value_to_binary(&o->key[i], bytes);
        if (bytes->len - at[i] > KEY_PART_MAX) bytes->err = ERR_TOO_BIG;
        at[i + 1] = (uint32_t)bytes->len;
        if (bytes->err)
            return diag_fail(d, bytes->err, "key column %.*s is too long",
                             SLICE_ARG(columns[i].name));
    }
    for (uint32_t i = 0; i < o->key_count; i++)
        binary[i] =
            slice_make(bytes->at ? bytes->at + at[i] : (const uint8_t *)"", at[i + 1] - at[i]);
    return ERR_OK;
}

/* The first key behind all that start with `start`. */
static void end_behind(struct buf *end, struct slice start)
{
    buf_slice(end, start);
    key_successor(end, 0);
}

static err_t plan_range(struct store_scan *c, const struct store_scan_options *o,
                        const struct slice *key, struct diag *d)
{
    uint32_t partition = c->table->partition_count, keys = partition + c->table->clustering_count;
    if (o->key_count && (o->key_count < partition || o->key_count > keys))
        return diag_fail(d, ERR_USAGE, "%u key columns are given, table %.*s.%.*s needs %u to %u",
                         o->key_count, SLICE_ARG(o->table->keyspace), SLICE_ARG(o->table->name),
                         partition, keys);
    if (o->key_count) {
        err_t e = key_put_row(&c->start, o->table, key, o->key_count);
        if (e) return diag_fail(d, e, "the key columns are no valid values");
        end_behind(&c->end, buf_view(&c->start));
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
    if (c->start.err || c->end.err) return diag_fail(d, ERR_NO_MEMORY, "no memory for a scan");
    return ERR_OK;
}

/* --- by a cursor --------------------------------------------------------------------------------
 */

/* Whether a row's bytes alone say what is to be shown of it. */
static bool is_simple(const struct table *t)
{
    if (t->static_count) return false;
    for (uint32_t i = 0; i < t->t.column_count; i++) {
        const struct column_info *c = &t->by_id[t->t.columns[i].id];
        if (c->complex || c->dropped_us != INT64_MIN) return false;
    }
    return true;
}

static bool has_records(const struct table *t)
{
    return t->clustering_count &&
           atomic_load_explicit(&t->past->marks, memory_order_acquire) & MARK_PARTITION_RECORDS;
}

static int id_compare(const void *pa, const void *pb)
{
    const uint16_t *a = pa, *b = pb;
    return *a - *b;
}

static err_t open_cursor(struct store_scan *c, const struct store_snapshot *n,
                         const struct store_scan_options *o, const struct slice *key,
                         struct diag *d)
{
    uint32_t partition = c->table->partition_count;
    c->cursor_memory = arena_new(SCAN_MEMORY_MAX);
    uint16_t *ids = c->cursor_memory
                        ? arena_take(c->cursor_memory, (o->column_count + 1UL) * sizeof *ids)
                        : NULL;
    if (!ids) return diag_fail(d, ERR_NO_MEMORY, "no memory for a scan");
    if (o->column_count) memcpy(ids, o->column_ids, o->column_count * sizeof *ids);
    qsort(ids, o->column_count, sizeof *ids, id_compare);
    struct store_slice slice = {.start = {key + partition, o->key_count - partition, true},
                                .end = {key + partition, o->key_count - partition, true}};
    struct store_read r = {.table = o->table,
                           .partition = o->key_count ? key : NULL,
                           .by_token = o->by_token,
                           .token_first = o->token_first,
                           .token_last = o->token_last,
                           .slices = &slice,
                           .slice_count = o->key_count > partition,
                           .columns = ids,
                           .column_count = o->column_count,
                           .now_s = c->now_s};
    return store_rows_open(c->store, n, &r, c->cursor_memory, &c->cursor, d);
}

/* Of a simple table, that never had a partition's record by the time the iterator sees. */
static void open_iterator(struct store_scan *c, const struct store_snapshot *n, bool keep_cached)
{
    c->read = read_options(n);
    rocksdb_readoptions_set_iterate_upper_bound(c->read, (const char *)c->end.at, c->end.len);
    rocksdb_readoptions_set_fill_cache(c->read, keep_cached);
    c->iterator = rocksdb_create_iterator(c->store->db, c->read);
    if (has_records(c->table)) {
        rocksdb_iter_destroy(c->iterator);
        c->iterator = NULL;
        return;
    }
    rocksdb_iter_seek(c->iterator, (const char *)c->start.at, c->start.len);
}

static err_t open_way(struct store_scan *c, const struct store_snapshot *n,
                      const struct store_scan_options *o, const struct slice *key, struct diag *d)
{
    bool one = o->key_count == (uint32_t)c->table->partition_count + c->table->clustering_count;
    if (!is_simple(c->table) || has_records(c->table)) return open_cursor(c, n, o, key, d);
    if (one) {
        c->read = read_options(n);
        return ERR_OK;
    }
    open_iterator(c, n, o->key_count > 0);
    return c->iterator ? ERR_OK : open_cursor(c, n, o, key, d);
}

err_t store_scan_open(struct store *s, const struct store_snapshot *n,
                      const struct store_scan_options *o, struct store_scan **out, struct diag *d)
{
    struct slice key[KEY_COLUMNS_MAX];
    struct buf bytes = buf_make(KEY_COLUMNS_MAX * (KEY_PART_MAX + 1UL));
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
    c->start = c->end = c->key = buf_make(MIB(512));
    c->types = mem_take((c->column_count + 1UL) * sizeof(struct type *));
    c->out_of_id = mem_take(c->id_count * sizeof *c->out_of_id);
    err_t e = c->types && c->out_of_id ? plan_columns(c, o, d)
                                       : diag_fail(d, ERR_NO_MEMORY, "no memory for a scan");
    if (!e) e = key_binary(o, &bytes, key, d);
    if (!e) e = plan_range(c, o, key, d);
    if (!e) e = open_way(c, n, o, key, d);
    buf_done(&bytes);
    if (e) {
        store_scan_close(c);
        return e;
    }
    *out = c;
    return ERR_OK;
}

void store_scan_close(struct store_scan *c)
{
    if (!c) return;
    store_rows_close(c->cursor);
    arena_free(c->cursor_memory);
    if (c->iterator) rocksdb_iter_destroy(c->iterator);
    if (c->read) rocksdb_readoptions_destroy(c->read);
    buf_done(&c->start);
    buf_done(&c->end);
    buf_done(&c->key);
    mem_give(c->out_of_id);
    mem_give((void *)c->types);
    mem_give(c);
}
