/* One value -> live cells: what is deleted, expired, dropped or not asked for stays behind. Values
 * are slices into the bytes that are read; only elements take memory of their own. */
#include "store/store_int.h"
#include <stdlib.h>

/* --- elements -----------------------------------------------------------------------------------
 */

/* Whether the type's own order is that of its binary form's bytes. */
static bool ordered_by_bytes(const struct type *t)
{
    switch (t->kind) {
    case TYPE_TEXT:
    case TYPE_ASCII:
    case TYPE_BLOB:
    case TYPE_INET:
    case TYPE_BOOLEAN:
    case TYPE_DATE: return true;
    default: return false;
    }
}

static int element_compare(const void *pa, const void *pb, void *type)
{
    const struct store_element *a = pa, *b = pb;
    struct value va = value_hold(type, a->path), vb = value_hold(type, b->path);
    int c = value_compare(&va, &vb);
    return c ? c : slice_compare(a->path, b->path);
}

/* Stored by the paths' bytes, wanted in the type's order: mostly they are the same. */
static void elements_order(const struct type *t, struct store_element *e, size_t count)
{
    if (t->kind != TYPE_SET && t->kind != TYPE_MAP) return;
    const struct type *key = t->items[0];
    if (ordered_by_bytes(key)) return;
    for (size_t i = 1; i < count; i++)
        if (element_compare(&e[i - 1], &e[i], (void *)(uintptr_t)key) > 0) {
            qsort_r(e, count, sizeof *e, element_compare, (void *)(uintptr_t)key);
            return;
        }
}

static err_t element_take(const struct type *t, const struct element *e, struct arena *a,
                          struct store_element *out)
{
    *out = (struct store_element){.path = e->path,
                                  .value = e->cell.value,
                                  .timestamp = e->cell.timestamp,
                                  .expiry_s = e->cell.expiry_s,
                                  .ttl = e->cell.ttl};
    if (!out->value.at) out->value.at = (const uint8_t *)"";
    if (t->kind != TYPE_LIST) return ERR_OK;
    if (e->path.len != 16) return ERR_CORRUPT;
    uint8_t *uuid = arena_take_raw(a, 16);
    if (!uuid) return ERR_NO_MEMORY;
    list_path_take(e->path.at, uuid);
    out->path.at = uuid;
    return ERR_OK;
}

/* The live elements in the type's order; NULL `out`: only whether there are any. */
static err_t elements_read(const struct type *t, struct slice body, int64_t floor, int64_t now_s,
                           struct arena *a, struct store_cell *out, bool *any)
{
    struct complex_reader r;
    struct element e;
    uint32_t most = 0, n = 0;
    *any = false;
    for (complex_open(&r, body); complex_next(&r, &e);) {
        if (!cell_live(&e.cell, now_s) || time_reached(e.cell.timestamp, floor)) continue;
        most++;
        if (!out) break;
    }
    *any = most;
    if (r.err || !out || !most) return r.err;
    struct store_element *list = arena_take_raw(a, most * sizeof *list);
    if (!list) return ERR_NO_MEMORY;
    for (complex_open(&r, body); complex_next(&r, &e);) {
        if (!cell_live(&e.cell, now_s) || time_reached(e.cell.timestamp, floor)) continue;
        err_t err = element_take(t, &e, a, &list[n++]);
        if (err) return err;
    }
    elements_order(t, list, n);
    out->elements = list;
    out->element_count = n;
    return ERR_OK;
}

/* --- a complex column's whole value -------------------------------------------------------------
 */

static int path_compare(const void *pa, const void *pb)
{
    const struct element *a = pa, *b = pb;
    return slice_compare(a->path, b->path);
}

/* A path for a list's element that was written with others at once: at the write's time, in order.
 */
static err_t list_path_make(struct arena *a, int64_t timestamp, uint32_t index, struct slice *path)
{
    static const uint64_t since_1582 = 0x01b21dd213814000ULL;
    uint8_t uuid[16], *at = arena_take_raw(a, 16);
    uint64_t time = (since_1582 + (uint64_t)timestamp * 10 + index) & 0x0fffffffffffffffULL;
    uint64_t msb = time << 32 | (time >> 16 & 0xffff0000ULL) | 0x1000 | time >> 48;
    if (!at) return ERR_NO_MEMORY;
    for (int i = 0; i < 8; i++) uuid[i] = (uint8_t)(msb >> (56 - 8 * i));
    memcpy(uuid + 8, "\x80\0\0\0\0\0\0\0", 8);
    list_path_put(uuid, at);
    *path = slice_make(at, 16);
    return ERR_OK;
}

static struct slice take_sized(struct cursor *c)
{
    int32_t len = cursor_i32(c);
    return len < 0 ? (struct slice){0} : cursor_slice(c, (uint64_t)len);
}

/* The i-th element of a whole value; *there false: null. */
static err_t whole_element(const struct type *t, struct cursor *c, uint32_t i, int64_t timestamp,
                           struct arena *a, struct element *out, bool *there)
{
    uint8_t *field;
    struct slice first = take_sized(c);
    *there = first.at;
    switch (t->kind) {
    case TYPE_SET: out->path = first; return ERR_OK;
    case TYPE_MAP:
        out->path = first;
        out->cell.value = take_sized(c);
        *there = out->cell.value.at; /* a null value is no element */
        return ERR_OK;
    case TYPE_LIST: out->cell.value = first; return list_path_make(a, timestamp, i, &out->path);
    default: break;
    }
    field = arena_take_raw(a, 2);
    if (!field) return ERR_NO_MEMORY;
    field[0] = (uint8_t)(i >> 8);
    field[1] = (uint8_t)i;
    out->path = slice_make(field, 2);
    out->cell.value = first;
    return ERR_OK;
}

err_t complex_of_whole(const struct type *t, const struct cell *whole, struct arena *a,
                       struct slice *body)
{
    struct cursor c = cursor_of(whole->value);
    bool fields = t->kind == TYPE_STRUCT;
    uint64_t count = fields ? t->count : (uint64_t)(uint32_t)cursor_i32(&c), n = 0;
    struct complex all = {.deleted = whole_reaches(whole) != INT64_MIN,
                          .deletion = whole_reaches(whole),
                          .deletion_s = 0};
    if (c.err || count > whole->value.len) return ERR_CORRUPT;
    struct element *e = arena_take(a, (size_t)MAX(count, 1U) * sizeof *e);
    if (!e) return ERR_NO_MEMORY;
    for (uint32_t i = 0; i < count && cursor_left(&c) && !c.err; i++) {
        bool there;
        e[n].cell = *whole;
        e[n].cell.value = (struct slice){0};
        err_t err = whole_element(t, &c, i, whole->timestamp, a, &e[n], &there);
        if (err) return err;
        n += there;
    }
    if (c.err || cursor_left(&c)) return ERR_CORRUPT;
    if (t->kind == TYPE_SET || t->kind == TYPE_MAP) qsort(e, n, sizeof *e, path_compare);
    for (uint64_t i = 1; i < n; i++)
        if (slice_compare(e[i - 1].path, e[i].path) >= 0) return ERR_CORRUPT;
    all.elements = e;
    all.count = n;
    size_t size = complex_size_max(&all);
    uint8_t *room = arena_take_raw(a, size);
    if (!room) return ERR_NO_MEMORY;
    struct buf out = buf_over(room, size);
    complex_put(&out, &all, INT64_MIN);
    *body = buf_view(&out);
    return out.err;
}

void elements_whole(const struct type *t, const struct store_cell *cell, struct buf *out)
{
    const struct store_element *e = cell->elements;
    uint32_t n = cell->element_count, next = 0;
    if (t->kind != TYPE_STRUCT) buf_be(out, n, 4);
    for (uint32_t i = 0; i < n; i++) {
        if (t->kind == TYPE_STRUCT) {
            uint32_t field = e[i].path.len == 2 ? (uint32_t)(e[i].path.at[0] << 8 | e[i].path.at[1])
                                                : UINT32_MAX;
            if (field >= t->count) continue;
            for (; next < field; next++) buf_be(out, UINT32_MAX, 4);
            next++;
        }
        struct slice first = t->kind == TYPE_SET || t->kind == TYPE_MAP ? e[i].path : e[i].value;
        buf_be(out, first.len, 4);
        buf_slice(out, first);
        if (t->kind != TYPE_MAP) continue;
        buf_be(out, e[i].value.len, 4);
        buf_slice(out, e[i].value);
    }
    for (; t->kind == TYPE_STRUCT && next < t->count; next++) buf_be(out, UINT32_MAX, 4);
}

/* --- a value's cells ----------------------------------------------------------------------------
 */

struct reading {
    const struct cells_wanted *w;
    struct arena *a;
    struct cells_read *out;
    struct cell whole; /* of the complex column that comes next; its value.at is NULL: none */
    err_t err;
};

static bool wanted(const struct cells_wanted *w, uint16_t id)
{
    return !w->bits || w->bits[id / 64] >> (id % 64) & 1;
}

static void simple_add(struct reading *r, const struct cell *c)
{
    r->out->any = true;
    if (!wanted(r->w, c->id)) return;
    r->out->cells[r->out->count++] = (struct store_cell){
        .column = c->id,
        .ttl = c->ttl,
        .timestamp = c->timestamp,
        .expiry_s = c->ttl ? c->expiry_s : 0,
        .value = {c->value.at ? c->value.at : (const uint8_t *)"", c->value.len}};
}

static void complex_add(struct reading *r, uint16_t id, struct slice body, int64_t floor)
{
    const struct type *t = r->w->table->by_id[id].type;
    struct store_cell *to = &r->out->cells[r->out->count];
    bool any, take = wanted(r->w, id);
    *to = (struct store_cell){.column = id};
    r->err = elements_read(t, body, floor, r->w->now_s, r->a, take ? to : NULL, &any);
    if (r->err || !any) return;
    r->out->any = true;
    r->out->count += take;
}

/* The column's whole value that waits, alone or with the elements behind it. */
static void whole_add(struct reading *r, uint16_t id, struct slice body, int64_t floor)
{
    struct slice both;
    r->err = complex_of_whole(r->w->table->by_id[id].type, &r->whole, r->a, &both);
    r->whole.value.at = NULL;
    if (!r->err && body.len) r->err = complex_merge(both, body, INT64_MIN, r->a, &both);
    if (!r->err) complex_add(r, id, both, floor);
}

static void column_cell(struct reading *r, const struct cell *c)
{
    const struct table *t = r->w->table;
    const struct column_info *info = c->id < t->next_column_id ? &t->by_id[c->id] : NULL;
    if (r->whole.value.at && r->whole.id != c->id)
        whole_add(r, r->whole.id, (struct slice){0}, r->out->floor);
    if (r->err || !info || !info->type) return;
    int64_t floor = MAX(r->out->floor, info->dropped_us);
    if ((info->role == COLUMN_STATIC) != r->w->statics) return;
    if (c->complex && info->complex) {
        if (r->whole.value.at)
            whole_add(r, c->id, c->value, floor);
        else
            complex_add(r, c->id, c->value, floor);
    } else if (!c->complex && !time_reached(c->timestamp, floor) && cell_live(c, r->w->now_s)) {
        if (!info->complex)
            simple_add(r, c);
        else if (c->value.len)
            r->whole = *c;
    }
}

static void row_cell(struct reading *r, const struct cell *c)
{
    struct cells_read *out = r->out;
    switch (c->id) {
    case CELL_MARKER:
        if (time_reached(c->timestamp, out->floor) || !cell_live(c, r->w->now_s)) return;
        out->marker = true;
        out->marker_timestamp = c->timestamp;
        out->marker_ttl = c->ttl;
        out->marker_expiry_s = c->ttl ? c->expiry_s : 0;
        return;
    case CELL_LINEAGE: out->lineage = c->value; return;
    case CELL_ROW_TOMBSTONE:
        out->floor = MAX(out->floor, c->timestamp);
        if (out->marker && time_reached(out->marker_timestamp, out->floor)) out->marker = false;
        return;
    case CELL_RANGES: out->ranges = c->value; return;
    default: column_cell(r, c);
    }
}

err_t cells_read(const struct cells_wanted *w, struct slice value, int64_t floor, struct arena *a,
                 struct cells_read *out)
{
    struct row_reader row;
    struct cell c;
    struct reading r = {.w = w, .a = a, .out = out};
    size_t most = MIN((size_t)w->table->t.column_count, (size_t)value.len / 2) + 1;
    *out = (struct cells_read){.floor = floor, .cells = w->room};
    row_open(&row, value);
    if (row.err) return row.err;
    if (!out->cells) out->cells = arena_take_raw(a, most * sizeof *out->cells);
    if (!out->cells) return ERR_NO_MEMORY;
    while (!r.err && row_next(&row, &c)) {
        if (c.id < CELL_FIRST)
            row_cell(&r, &c);
        else if (w->bits && c.id > w->last && (out->any || out->marker))
            break; /* it is there, and nothing behind is wanted */
        else
            column_cell(&r, &c);
    }
    if (!r.err && !row.err && r.whole.value.at)
        whole_add(&r, r.whole.id, (struct slice){0}, out->floor);
    return r.err ? r.err : row.err;
}

/* --- ranges -------------------------------------------------------------------------------------
 */

err_t ranges_reach(struct slice ranges, struct slice suffix, int64_t *time)
{
    struct ranges_reader r;
    struct range at;
    *time = INT64_MIN;
    for (ranges_open(&r, ranges); ranges_next(&r, &at);) {
        if (slice_compare(at.start, suffix) > 0) break;
        if (at.end.len && slice_compare(suffix, at.end) >= 0) continue;
        *time = at.timestamp;
        break;
    }
    return r.err;
}
