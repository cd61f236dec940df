/* Rows of the store become rows of a result. */
#include "cql/select.h"

/* --- cells
 * ------------------------------------------------------------------------------------------ */

static size_t elements_size(const struct type *t, const struct store_cell *c)
{
    size_t size = t->kind == TYPE_STRUCT ? 4U * t->count : 4;
    for (uint32_t i = 0; i < c->element_count; i++) {
        const struct store_element *e = &c->elements[i];
        if (t->kind == TYPE_STRUCT) {
            size += e->value.len;
            continue;
        }
        if (t->kind != TYPE_LIST) size += 4U + e->path.len;
        if (t->kind != TYPE_SET) size += 4U + e->value.len;
    }
    return size;
}

/* A user type's fields that have no cell are null. */
static void fields_put(const struct type *t, const struct store_cell *c, struct buf *out)
{
    uint32_t at = 0;
    for (uint32_t field = 0; field < t->count; field++) {
        const struct store_element *e = at < c->element_count ? &c->elements[at] : NULL;
        struct cursor path = cursor_of(e ? e->path : (struct slice){0});
        if (e && (uint16_t)cursor_i16(&path) == field && !path.err) {
            buf_be(out, e->value.len, 4);
            buf_slice(out, e->value);
            at++;
        } else {
            buf_be(out, UINT32_MAX, 4);
        }
    }
}

static void elements_put(const struct type *t, const struct store_cell *c, struct buf *out)
{
    if (t->kind == TYPE_STRUCT) {
        fields_put(t, c, out);
        return;
    }
    buf_be(out, c->element_count, 4);
    for (uint32_t i = 0; i < c->element_count; i++) {
        const struct store_element *e = &c->elements[i];
        if (t->kind != TYPE_LIST) {
            buf_be(out, e->path.len, 4);
            buf_slice(out, e->path);
        }
        if (t->kind != TYPE_SET) {
            buf_be(out, e->value.len, 4);
            buf_slice(out, e->value);
        }
    }
}

err_t select_cell_value(const struct type *t, const struct store_cell *c, struct arena *a,
                        struct cql_value *out)
{
    *out = (struct cql_value){.state = CQL_NULL};
    if (!c) return ERR_OK;
    if (!cql_type_is_multicell(t)) {
        *out = (struct cql_value){c->value, CQL_SET};
        return ERR_OK;
    }
    if (c->element_count == 0) return ERR_OK;
    size_t size = elements_size(t, c);
    uint8_t *at = arena_take_raw(a, size);
    if (!at) return ERR_NO_MEMORY;
    struct buf b = buf_over(at, size);
    elements_put(t, c, &b);
    *out = (struct cql_value){buf_view(&b), CQL_SET};
    return b.err;
}

void select_cell_put(const struct type *t, const struct store_cell *c, struct buf *out)
{
    if (!c || (cql_type_is_multicell(t) && c->element_count == 0)) {
        buf_be(out, UINT32_MAX, 4);
    } else if (cql_type_is_multicell(t)) {
        buf_be(out, elements_size(t, c), 4);
        elements_put(t, c, out);
    } else {
        buf_be(out, c->value.len, 4);
        buf_slice(out, c->value);
    }
}

void select_value_put(const struct cql_value *v, struct buf *out)
{
    if (v->state != CQL_SET) {
        buf_be(out, UINT32_MAX, 4);
        return;
    }
    buf_be(out, v->bytes.len, 4);
    buf_slice(out, v->bytes);
}

/* --- a plain row: the result's columns straight from the key and the cells
 * ------------------------------ */

static const struct store_cell *out_cell(const struct select_out *o, const struct store_row *row)
{
    const struct store_cell *cells = o->from == OUT_ROW ? row->cells : row->statics;
    uint32_t low = 0, high = o->from == OUT_ROW ? row->cell_count : row->static_count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (cells[middle].column == o->id) return &cells[middle];
        if (cells[middle].column < o->id)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

size_t select_row_size(const struct select_plan *p, const struct store_row *row)
{
    size_t size = 4U * p->out_count;
    for (uint32_t i = 0; i < p->out_count; i++) {
        const struct select_out *o = &p->out[i];
        if (o->from == OUT_KEY) {
            size += o->place < row->key_count ? row->key[o->place].len : 0;
            continue;
        }
        const struct store_cell *c = out_cell(o, row);
        if (c) size += o->multicell ? elements_size(o->type, c) : c->value.len;
    }
    return size;
}

static void put_bytes(struct buf *out, struct slice s)
{
    uint8_t *at = buf_grow(out, 4U + s.len);
    if (!at) return;
    at[0] = (uint8_t)(s.len >> 24);
    at[1] = (uint8_t)(s.len >> 16);
    at[2] = (uint8_t)(s.len >> 8);
    at[3] = (uint8_t)s.len;
    if (s.len) memcpy(at + 4, s.at, s.len);
}

void select_row_put(const struct select_plan *p, const struct store_row *row, struct buf *out)
{
    for (uint32_t i = 0; i < p->out_count; i++) {
        const struct select_out *o = &p->out[i];
        const struct store_cell *c = o->from == OUT_KEY ? NULL : out_cell(o, row);
        if (o->from == OUT_KEY && o->place < row->key_count)
            put_bytes(out, row->key[o->place]);
        else if (!c)
            buf_be(out, UINT32_MAX, 4);
        else if (o->multicell)
            select_cell_put(o->type, c, out);
        else
            put_bytes(out, c->value);
    }
}

/* --- for selectors
 * -------------------------------------------------------------------------------------- */

static int32_t seconds_left(uint32_t ttl, int64_t expiry_s, int64_t now_s)
{
    return ttl ? (int32_t)MIN(MAX(expiry_s - now_s, (int64_t)0), (int64_t)INT32_MAX) : -1;
}

static err_t times_of(const struct type *t, const struct store_cell *c, int64_t now_s,
                      struct arena *a, struct cql_cell_times *out)
{
    *out = (struct cql_cell_times){.multicell = cql_type_is_multicell(t)};
    if (!c) return ERR_OK;
    bool fields = out->multicell && t->kind == TYPE_STRUCT;
    uint32_t count = fields ? t->count : out->multicell ? c->element_count : 1;
    int64_t *timestamps = arena_take(a, count * sizeof *timestamps);
    int32_t *ttls = arena_take(a, count * sizeof *ttls);
    if (!timestamps || !ttls) return ERR_NO_MEMORY;
    for (uint32_t i = 0; i < count; i++) {
        timestamps[i] = INT64_MIN;
        ttls[i] = -1;
    }
    if (!out->multicell) {
        timestamps[0] = c->timestamp;
        ttls[0] = seconds_left(c->ttl, c->expiry_s, now_s);
    }
    for (uint32_t i = 0; out->multicell && i < c->element_count; i++) {
        const struct store_element *e = &c->elements[i];
        struct cursor path = cursor_of(e->path);
        uint32_t place = fields ? (uint16_t)cursor_i16(&path) : i;
        if (place >= count) continue;
        timestamps[place] = e->timestamp;
        ttls[place] = seconds_left(e->ttl, e->expiry_s, now_s);
    }
    out->timestamps = timestamps;
    out->ttls = ttls;
    out->count = count;
    return ERR_OK;
}

err_t select_row_scope(const struct select_plan *p, const struct store_row *row, int64_t now_s,
                       struct arena *a, struct cql_row *out)
{
    const struct store_table *t = p->table;
    struct cql_value *values = arena_take(a, t->column_count * sizeof *values);
    struct cql_cell_times *times = p->times ? arena_take(a, t->column_count * sizeof *times) : NULL;
    if (!values || (p->times && !times)) return ERR_NO_MEMORY;
    for (uint32_t i = 0; i < t->column_count; i++) {
        const struct store_column *c = &t->columns[i];
        if (!p->used[i]) continue;
        if (c->role == COLUMN_PARTITION || c->role == COLUMN_CLUSTERING) {
            if (i < row->key_count) values[i] = (struct cql_value){row->key[i], CQL_SET};
            continue;
        }
        const struct store_cell *cell =
            c->role == COLUMN_STATIC ? restrict_row_cell(row->statics, row->static_count, c->id)
                                     : restrict_row_cell(row->cells, row->cell_count, c->id);
        err_t e = select_cell_value(c->type, cell, a, &values[i]);
        if (!e && times) e = times_of(c->type, cell, now_s, a, &times[i]);
        if (e) return e;
    }
    *out = (struct cql_row){.values = values, .times = times};
    return ERR_OK;
}

/* --- JSON
 * -----------------------------------------------------------------------------------------------
 */

void select_json_put(const struct select_plan *p, const struct cql_value *values, struct buf *out)
{
    buf_char(out, '{');
    for (uint32_t i = 0; i < p->selector_count; i++) {
        buf_printf(out, "%s\"%.*s\": ", i ? ", " : "", SLICE_ARG(p->json_names[i]));
        if (values[i].state == CQL_SET)
            cql_to_json(cql_selector_type(p->selectors[i]), &values[i], out);
        else
            buf_text(out, "null");
    }
    buf_char(out, '}');
}
