/* Which rows an index names. One value's entries stand in the table's own order and come as a
 * stream; a range of values is gathered, sorted and freed of doubles. */
#include "store/index.h"
#include <stdlib.h>

enum { FORM_MAX = 8 * KEY_PART_MAX, ROW_KEY_MAX = KEY_COLUMNS_MAX * (2 * KEY_PART_MAX + 2) };

struct candidate {
    struct slice row;   /* the row's key without prefix */
    struct slice value; /* the entry's, in its form */
};
struct reading {
    struct store *s;
    const struct store_index_read *r;
    const struct table *t;
    const struct type *column;
    bool one;  /* one value: its entries are in order */
    bool none; /* no entry can be meant */
    struct buf start, end, first, last, after;
    size_t form_len; /* one: of the value's form */
    struct candidate *list;
    uint32_t count, cap;
    bool more;
    struct arena *a;
    struct diag *d;
};

/* --- where to look ------------------------------------------------------------------------------
 */

/* The entries' bytes at a value, or behind all that have it; at NULL: at the index's start or end.
 * A value that is in no index is before all that are: with it as the only or highest one, none is
 * named. */
static err_t put_bound(struct reading *x, struct buf *b, struct slice value, bool behind)
{
    bool fits = true;
    buf_be(b, x->r->index->prefix + (value.at ? 0U : behind), KEY_PREFIX_SIZE);
    err_t e = value.at ? index_put_value(b, x->r->index, x->column, value, &fits) : ERR_OK;
    if (!e && !fits) b->len = MIN(b->len, (size_t)KEY_PREFIX_SIZE);
    if (!e && !fits && (x->one || b == &x->end)) x->none = true;
    if (!e && fits && value.at && behind && !key_successor(b, 0)) e = ERR_TOO_BIG;
    return e ? e : b->err;
}

/* Row keys (without prefix) that are wanted: from first to last, behind `after`; no bytes: open. */
static err_t row_bounds(struct reading *x)
{
    const struct store_index_read *r = x->r;
    struct buf key = buf_make(ROW_KEY_MAX);
    err_t e = ERR_OK;
    if (r->partition) {
        e = key_put_row(&key, &x->t->t, r->partition, x->t->partition_count);
        if (!e) buf_put(&x->first, key.at + KEY_PREFIX_SIZE, key.len - KEY_PREFIX_SIZE);
    } else if (r->by_token) {
        buf_be(&x->first, (uint64_t)r->token_first ^ (1ULL << 63), 8);
    }
    if (r->partition) {
        buf_slice(&x->last, buf_view(&x->first));
        if (!key_successor(&x->last, 0)) buf_reset(&x->last);
    } else if (r->by_token && r->token_last != INT64_MAX) {
        buf_be(&x->last, ((uint64_t)r->token_last ^ (1ULL << 63)) + 1, 8);
    }
    buf_reset(&key);
    if (!e && r->after) {
        e = key_put_row(&key, &x->t->t, r->after, r->after_count);
        if (!e) buf_put(&x->after, key.at + KEY_PREFIX_SIZE, key.len - KEY_PREFIX_SIZE);
    }
    buf_done(&key);
    return e;
}

static err_t entry_bounds(struct reading *x)
{
    const struct store_index_read *r = x->r;
    err_t e = ERR_OK;
    if (!x->one) {
        e = put_bound(x, &x->start, r->low, r->low.at && !r->low_inclusive);
        return e ? e : put_bound(x, &x->end, r->high, !r->high.at || r->high_inclusive);
    }
    e = put_bound(x, &x->start, r->low, false);
    if (e) return e;
    x->form_len = x->start.len - KEY_PREFIX_SIZE;
    buf_slice(&x->end, buf_view(&x->start));
    if (x->last.len)
        buf_slice(&x->end, buf_view(&x->last));
    else if (!key_successor(&x->end, 0))
        e = ERR_TOO_BIG;
    bool from_after = slice_compare(buf_view(&x->after), buf_view(&x->first)) > 0;
    buf_slice(&x->start, buf_view(from_after ? &x->after : &x->first));
    return e ? e : x->start.err ? x->start.err : x->end.err;
}

/* --- looking ------------------------------------------------------------------------------------
 */

static size_t form_size(const struct reading *x, struct slice rest, struct buf *scratch)
{
    const struct store_index *i = x->r->index;
    struct key_reader r = {rest.at, rest.at + rest.len, 0, ERR_OK};
    if (x->one) return x->form_len;
    buf_reset(scratch);
    if (i->kind == INDEX_ENTRIES) {
        key_take_order(&r, x->column->items[0], false, scratch);
        key_take_order(&r, x->column->items[1], false, scratch);
    } else {
        key_take_order(&r, index_type(i, x->column), false, scratch);
    }
    return r.err || scratch->err ? SIZE_MAX : (size_t)(r.at - rest.at);
}

static bool wanted(const struct reading *x, struct slice row)
{
    if (x->first.len && slice_compare(row, buf_view(&x->first)) < 0) return false;
    if (x->last.len && slice_compare(row, buf_view(&x->last)) >= 0) return false;
    return !x->r->after || slice_compare(row, buf_view(&x->after)) > 0;
}

static err_t keep(struct reading *x, struct slice value, struct slice row)
{
    if (x->count == x->cap) {
        uint32_t cap = x->cap ? x->cap * 2 : 64;
        struct candidate *list =
            arena_resize(x->a, x->list, x->cap * sizeof *list, cap * sizeof *list);
        if (!list) return ERR_NO_MEMORY;
        x->list = list;
        x->cap = cap;
    }
    struct candidate *c = &x->list[x->count];
    c->row = arena_slice(x->a, row);
    c->value = x->one && x->count ? x->list[0].value : arena_slice(x->a, value);
    if (!c->row.at || !c->value.at) return ERR_NO_MEMORY;
    x->count++;
    return ERR_OK;
}

static err_t walk(struct reading *x, rocksdb_iterator_t *i, struct buf *scratch)
{
    for (; rocksdb_iter_valid(i); rocksdb_iter_next(i)) {
        size_t len;
        const char *at = rocksdb_iter_key(i, &len);
        struct slice rest = slice_make(at + KEY_PREFIX_SIZE, len - KEY_PREFIX_SIZE);
        size_t form = form_size(x, rest, scratch);
        if (form >= rest.len) return ERR_CORRUPT;
        struct slice row = slice_make(rest.at + form, rest.len - form);
        if (!wanted(x, row)) continue;
        if (x->count == x->r->rows_max) {
            x->more = x->one;
            return x->one ? ERR_OK : ERR_TOO_BIG;
        }
        err_t e = keep(x, slice_make(rest.at, form), row);
        if (e) return e;
    }
    return ERR_OK;
}

static err_t look(struct reading *x)
{
    char *message = NULL;
    struct buf scratch = buf_make(FORM_MAX);
    rocksdb_readoptions_t *o = rocksdb_readoptions_create();
    rocksdb_readoptions_set_iterate_upper_bound(o, (const char *)x->end.at, x->end.len);
    rocksdb_iterator_t *i = rocksdb_create_iterator(x->s->db, o);
    rocksdb_iter_seek(i, (const char *)x->start.at, x->start.len);
    err_t e = walk(x, i, &scratch);
    rocksdb_iter_get_error(i, &message);
    if (message) {
        e = rocks_failed(x->s, message, x->d, "an index can not be read");
    } else if (e == ERR_TOO_BIG) {
        diag_fail(x->d, e, "index %.*s names more than %u rows", SLICE_ARG(x->r->index->name),
                  x->r->rows_max);
    } else if (e) {
        diag_fail(x->d, e, "index %.*s can not be read", SLICE_ARG(x->r->index->name));
    }
    rocksdb_iter_destroy(i);
    rocksdb_readoptions_destroy(o);
    buf_done(&scratch);
    return e;
}

static int candidate_compare(const void *pa, const void *pb)
{
    const struct candidate *a = pa, *b = pb;
    return slice_compare(a->row, b->row);
}

static void sort_candidates(struct reading *x)
{
    uint32_t n = 0;
    if (x->count) qsort(x->list, x->count, sizeof *x->list, candidate_compare);
    for (uint32_t i = 0; i < x->count; i++)
        if (n == 0 || !slice_equal(x->list[n - 1].row, x->list[i].row)) x->list[n++] = x->list[i];
    x->count = n;
}

/* --- the answer ---------------------------------------------------------------------------------
 */

/* One key's columns in binary form; the buffer's bytes are copied, since it grows. */
static err_t take_key(struct reading *x, struct slice row, uint32_t keys, struct buf *scratch,
                      const struct slice **out)
{
    const struct store_column *columns = x->t->t.columns;
    struct key_reader r = {row.at + 8, row.at + row.len, 0, ERR_OK};
    struct slice *list = arena_take_raw(x->a, keys * sizeof *list);
    if (!list || row.len < 8) return list ? ERR_CORRUPT : ERR_NO_MEMORY;
    for (uint32_t i = 0; i < keys; i++) {
        buf_reset(scratch);
        if (columns[i].role == COLUMN_PARTITION)
            key_take_partition(&r, columns[i].type, scratch);
        else
            key_take_order(&r, columns[i].type, columns[i].descending, scratch);
        if (r.err || scratch->err) return ERR_CORRUPT;
        list[i] = scratch->len ? arena_slice(x->a, buf_view(scratch)) : SLICE("");
        if (!list[i].at) return ERR_NO_MEMORY;
    }
    *out = list;
    return r.at == r.end ? ERR_OK : ERR_CORRUPT;
}

static err_t take_value(struct reading *x, struct slice form, struct buf *scratch,
                        struct slice *out)
{
    const struct store_index *i = x->r->index;
    struct key_reader r = {form.at, form.at + form.len, 0, ERR_OK};
    bool entries = i->kind == INDEX_ENTRIES;
    buf_reset(scratch);
    for (int n = 0; n <= entries; n++) {
        size_t at = scratch->len;
        if (entries) buf_be(scratch, 0, 4);
        key_take_order(&r, entries ? x->column->items[n] : index_type(i, x->column), false,
                       scratch);
        if (entries) buf_set_be(scratch, at, scratch->len - at - 4, 4);
    }
    if (r.err || scratch->err) return ERR_CORRUPT;
    *out = scratch->len ? arena_slice(x->a, buf_view(scratch)) : SLICE("");
    return out->at ? ERR_OK : ERR_NO_MEMORY;
}

static err_t answer(struct reading *x, struct store_candidates *out)
{
    bool of_partition = x->t->by_id[x->r->index->column].role == COLUMN_STATIC;
    uint32_t keys = (uint32_t)x->t->partition_count + (of_partition ? 0U : x->t->clustering_count);
    struct buf scratch = buf_make(ROW_KEY_MAX);
    const struct slice **list = arena_take(x->a, (x->count + 1UL) * sizeof *list);
    struct slice *values = arena_take(x->a, (x->count + 1UL) * sizeof *values);
    err_t e = list && values ? ERR_OK : ERR_NO_MEMORY;
    for (uint32_t i = 0; i < x->count && !e; i++) {
        e = take_key(x, x->list[i].row, keys, &scratch, &list[i]);
        if (!e && x->one && i)
            values[i] = values[0];
        else if (!e)
            e = take_value(x, x->list[i].value, &scratch, &values[i]);
    }
    buf_done(&scratch);
    *out = (struct store_candidates){
        .keys = list, .values = values, .count = x->count, .key_count = keys, .more = x->more};
    return e ? diag_fail(x->d, e, "index %.*s can not be read", SLICE_ARG(x->r->index->name))
             : ERR_OK;
}

err_t store_index_rows(struct store *s, const struct store_index_read *r, struct arena *a,
                       struct store_candidates *out, struct diag *d)
{
    const struct table *t = table_of(r->table);
    struct reading x = {.s = s,
                        .r = r,
                        .t = t,
                        .column = t->by_id[r->index->column].type,
                        .one = r->low.at && r->high.at && slice_equal(r->low, r->high) &&
                               r->low_inclusive && r->high_inclusive,
                        .start = buf_make(FORM_MAX + ROW_KEY_MAX),
                        .end = buf_make(FORM_MAX + ROW_KEY_MAX),
                        .first = buf_make(ROW_KEY_MAX),
                        .last = buf_make(ROW_KEY_MAX),
                        .after = buf_make(ROW_KEY_MAX),
                        .a = a,
                        .d = d};
    *out = (struct store_candidates){0};
    err_t e = row_bounds(&x);
    if (!e) e = entry_bounds(&x);
    if (e)
        diag_fail(d, e, "a value can not be looked for in index %.*s", SLICE_ARG(r->index->name));
    bool empty = slice_compare(buf_view(&x.start), buf_view(&x.end)) >= 0;
    if (!e && !empty && !x.none) e = look(&x);
    if (!e && !x.one) sort_candidates(&x);
    if (!e) e = answer(&x, out);
    buf_done(&x.start);
    buf_done(&x.end);
    buf_done(&x.first);
    buf_done(&x.last);
    buf_done(&x.after);
    return e;
}
