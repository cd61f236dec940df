/* Lists: their elements stand at time UUIDs, so that appending and prepending need not read; what
 * names an element by its index or value reads what is there. */
#include "cql/write_int.h"
#include <stdatomic.h>

/* 100 nanoseconds since 1582: of 1970, and of 2010, about which prepending mirrors time. */
#define TICKS_1970   0x01B21DD213814000LL
#define TICKS_MIRROR (TICKS_1970 + 1262304000000LL * 10000)

/* The last place given at either end: never twice, also when many are given in one microsecond. */
static _Atomic int64_t last_appended = 0, last_prepended = INT64_MAX;

static int64_t take_appended(struct store *s, uint32_t count)
{
    int64_t now = store_timestamp(s) * 10 + TICKS_1970;
    int64_t last = atomic_load_explicit(&last_appended, memory_order_relaxed), first;
    do first = MAX(last + 1, now);
    while (!atomic_compare_exchange_weak_explicit(&last_appended, &last, first + count - 1,
                                                  memory_order_relaxed, memory_order_relaxed));
    return first;
}

static int64_t take_prepended(struct store *s, uint32_t count)
{
    int64_t now = 2 * TICKS_MIRROR - (store_timestamp(s) * 10 + TICKS_1970);
    int64_t last = atomic_load_explicit(&last_prepended, memory_order_relaxed), first;
    do first = MIN(last, now) - count;
    while (!atomic_compare_exchange_weak_explicit(&last_prepended, &last, first,
                                                  memory_order_relaxed, memory_order_relaxed));
    return first;
}

static void put_place(uint8_t *at, int64_t ticks)
{
    static const uint8_t tail[8] = {0x80, 0x00, 'S', 'l',
                                    'u',  'i',  'c', 'e'}; /* 'S' is odd: no card */
    struct buf b = buf_over(at, 16);
    uint64_t t = (uint64_t)ticks;
    buf_be(&b, t & 0xffffffff, 4);
    buf_be(&b, (t >> 32) & 0xffff, 2);
    buf_be(&b, 0x1000 | ((t >> 48) & 0x0fff), 2);
    buf_put(&b, tail, sizeof(tail));
}

static err_t add_at(const struct write_op *op, const struct write_bind *b, struct write_row *row,
                    const struct cql_value *items, uint32_t count, int64_t first)
{
    uint8_t *places = arena_take_raw(b->arena, 16 * (size_t)count);
    if (!places) return diag_fail(b->d, ERR_NO_MEMORY, "no memory for a list");
    err_t e = ERR_OK;
    for (uint32_t i = 0; !e && i < count; i++) {
        uint8_t *place = places + 16 * (size_t)i;
        put_place(place, first + i);
        struct store_cell_write w = {.column = op->column->id,
                                     .kind = CELL_ELEMENT_SET,
                                     .path = slice_make(place, 16),
                                     .value = items[i].bytes};
        e = write_cell_add(&row->cells, w, b->d);
    }
    return e;
}

err_t write_list_add(const struct write_op *op, const struct write_bind *b, struct write_row *row,
                     const struct cql_value *items, uint32_t count)
{
    if (count == 0) return ERR_OK;
    return add_at(op, b, row, items, count, take_appended(row->store, count));
}

static err_t prepend(const struct write_op *op, const struct write_bind *b, struct write_row *row)
{
    struct cql_value v, *items;
    uint32_t count;
    err_t e = write_value(b, &op->value, &v);
    if (e || v.state != CQL_SET) return e;
    e = cql_items(op->column->type, v.bytes, b->arena, &items, &count, b->d);
    if (e || count == 0) return e;
    return add_at(op, b, row, items, count, take_prepended(row->store, count));
}

/* --- the list as it is, with what this row's operations did to it already
 * --------------------------------- */

struct view {
    struct store_element *at;
    uint32_t count;
};

static void view_clear(struct view *v, int64_t until)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < v->count; i++)
        if (v->at[i].timestamp > until) v->at[kept++] = v->at[i];
    v->count = kept;
}

static void view_put(struct view *v, const struct store_cell_write *w, int64_t timestamp)
{
    uint32_t i = 0;
    int order = 1;
    while (i < v->count &&
           (order = cql_compare(type_of(TYPE_TIMEUUID), v->at[i].path, w->path)) < 0)
        i++;
    bool there = i < v->count && order == 0;
    if (there && v->at[i].timestamp > timestamp) return;
    if (w->kind == CELL_ELEMENT_DELETE) {
        if (!there) return;
        memmove(&v->at[i], &v->at[i + 1], (v->count - i - 1) * sizeof(*v->at));
        v->count--;
        return;
    }
    if (!there) {
        memmove(&v->at[i + 1], &v->at[i], (v->count - i) * sizeof(*v->at));
        v->count++;
    }
    v->at[i] = (struct store_element){.path = w->path, .value = w->value, .timestamp = timestamp};
}

static err_t view_make(const struct write_op *op, const struct write_bind *b,
                       const struct write_row *row, struct view *v)
{
    const struct store_cell *cell =
        write_cell_find(row->current, row->current_count, op->column->id);
    uint32_t there = cell ? cell->element_count : 0;
    v->at = arena_take(b->arena, (there + (size_t)row->cells.count + 1) * sizeof(*v->at));
    if (!v->at) return diag_fail(b->d, ERR_NO_MEMORY, "no memory for a list");
    v->count = there;
    if (there) memcpy(v->at, cell->elements, there * sizeof(*v->at));
    for (uint32_t i = 0; i < row->cells.count; i++) {
        const struct store_cell_write *w = &row->cells.at[i];
        if (w->column != op->column->id) continue;
        if (w->kind == CELL_CLEAR || w->kind == CELL_CLEAR_ALL)
            view_clear(v, row->timestamp - (w->kind == CELL_CLEAR));
        else
            view_put(v, w, row->timestamp);
    }
    return ERR_OK;
}

/* --- by index and by value
 * ---------------------------------------------------------------------------------- */

static err_t find_index(const struct write_op *op, const struct write_bind *b,
                        const struct write_row *row, const struct cql_value *index,
                        struct slice *path)
{
    struct view v;
    err_t e = view_make(op, b, row, &v);
    if (e) return e;
    struct cursor c = cursor_of(index->bytes);
    int32_t at = cursor_i32(&c);
    if (c.err) return diag_fail(b->d, ERR_INVALID, "Invalid null value for list index");
    if (v.count == 0)
        return diag_fail(b->d, ERR_INVALID, "Attempted to %s a list which is null",
                         op->kind == OP_LIST_SET ? "set an element on" : "delete an element from");
    if (at < 0 || (uint32_t)at >= v.count)
        return diag_fail(b->d, ERR_INVALID, "List index %d out of bound, list has size %u", at,
                         v.count);
    *path = v.at[at].path;
    return ERR_OK;
}

static err_t put(const struct write_op *op, const struct write_bind *b, struct write_row *row,
                 struct slice path, const struct cql_value *value)
{
    struct store_cell_write w = {.column = op->column->id,
                                 .kind = value ? CELL_ELEMENT_SET : CELL_ELEMENT_DELETE,
                                 .path = path};
    if (value) w.value = value->bytes;
    return write_cell_add(&row->cells, w, b->d);
}

static err_t set_at(const struct write_op *op, const struct write_bind *b, struct write_row *row)
{
    struct cql_value index, value;
    struct slice path;
    err_t e = write_value(b, &op->element, &index);
    if (!e) e = write_value(b, &op->value, &value);
    if (e) return e;
    if (index.state != CQL_SET)
        return diag_fail(b->d, ERR_INVALID, "Invalid %s value for list index",
                         index.state == CQL_NULL ? "null" : "unset");
    e = find_index(op, b, row, &index, &path);
    if (e || value.state == CQL_UNSET) return e;
    return put(op, b, row, path, value.state == CQL_SET ? &value : NULL);
}

static err_t delete_at(const struct write_op *op, const struct write_bind *b, struct write_row *row)
{
    struct cql_value index;
    struct slice path;
    err_t e = write_value(b, &op->element, &index);
    if (e || index.state == CQL_UNSET) return e;
    if (index.state == CQL_NULL)
        return diag_fail(b->d, ERR_INVALID, "Invalid null value for list index");
    e = find_index(op, b, row, &index, &path);
    return e ? e : put(op, b, row, path, NULL);
}

static bool is_among(struct slice value, const struct cql_value *items, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (slice_equal(value, items[i].bytes)) return true;
    return false;
}

static err_t remove_values(const struct write_op *op, const struct write_bind *b,
                           struct write_row *row)
{
    struct cql_value value, *items;
    uint32_t count;
    struct view v;
    err_t e = write_value(b, &op->value, &value);
    if (e || value.state != CQL_SET) return e;
    e = cql_items(op->column->type, value.bytes, b->arena, &items, &count, b->d);
    if (!e) e = view_make(op, b, row, &v);
    for (uint32_t i = 0; !e && i < v.count; i++)
        if (is_among(v.at[i].value, items, count)) e = put(op, b, row, v.at[i].path, NULL);
    return e;
}

err_t write_list_op(const struct write_op *op, const struct write_bind *b, struct write_row *row)
{
    switch (op->kind) {
    case OP_PREPEND: return prepend(op, b, row);
    case OP_LIST_SET: return set_at(op, b, row);
    case OP_LIST_DELETE: return delete_at(op, b, row);
    default: return remove_values(op, b, row);
    }
}
