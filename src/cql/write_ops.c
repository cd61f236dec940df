/* Operations at work: values become cells of one row. */
#include "base/hash.h"
#include "cql/write_int.h"

static err_t no_memory(struct diag *d)
{
    return diag_fail(d, ERR_NO_MEMORY, "no memory for the row's cells");
}

err_t write_cell_add(struct write_cells *c, struct store_cell_write w, struct diag *d)
{
    if (c->count == c->cap) {
        uint32_t cap = c->cap ? 2 * c->cap : 8;
        struct store_cell_write *more =
            arena_resize(c->arena, c->at, c->cap * sizeof(*more), cap * sizeof(*more));
        if (!more) return no_memory(d);
        c->at = more;
        c->cap = cap;
    }
    c->at[c->count++] = w;
    return ERR_OK;
}

static err_t put(const struct write_op *op, const struct write_bind *b, struct write_row *row,
                 enum store_write_kind kind, struct slice path, struct slice value)
{
    struct store_cell_write w = {
        .column = op->column->id, .kind = kind, .path = path, .value = value};
    return write_cell_add(&row->cells, w, b->d);
}

/* A cell, or null's tombstone; nothing for unset. */
static err_t put_value(const struct write_op *op, const struct write_bind *b, struct write_row *row,
                       struct slice path, const struct cql_value *v)
{
    bool element = path.at != NULL;
    const struct slice none = {0};
    if (v->state == CQL_UNSET) return ERR_OK;
    if (v->state == CQL_NULL)
        return put(op, b, row, element ? CELL_ELEMENT_DELETE : CELL_DELETE, path, none);
    return put(op, b, row, element ? CELL_ELEMENT_SET : CELL_SET, path, v->bytes);
}

/* A path of no bytes is one still. */
static struct slice as_path(struct slice s)
{
    static const uint8_t empty[1];
    return s.at ? s : slice_make(empty, 0);
}

static err_t field_path(const struct write_bind *b, uint32_t field, struct slice *out)
{
    uint8_t *at = arena_take_raw(b->arena, 2);
    if (!at) return no_memory(b->d);
    at[0] = (uint8_t)(field >> 8);
    at[1] = (uint8_t)field;
    *out = slice_make(at, 2);
    return ERR_OK;
}

/* --- whole collections and user types
 * ------------------------------------------------------------------- */

static err_t put_fields(const struct write_op *op, const struct write_bind *b,
                        struct write_row *row, const struct cql_value *items, uint32_t count)
{
    err_t e = ERR_OK;
    for (uint32_t i = 0; !e && i < count; i++) {
        struct slice path = {0};
        if (items[i].state != CQL_SET) continue;
        e = field_path(b, i, &path);
        if (!e) e = put_value(op, b, row, path, &items[i]);
    }
    return e;
}

static err_t put_items(const struct write_op *op, const struct write_bind *b, struct write_row *row,
                       const struct cql_value *v)
{
    struct cql_value *items;
    uint32_t count;
    const struct type *t = op->column->type;
    const struct slice none = {0};
    err_t e = cql_items(t, v->bytes, b->arena, &items, &count, b->d);
    if (e) return e;
    if (t->kind == TYPE_LIST) return write_list_add(op, b, row, items, count);
    if (t->kind == TYPE_STRUCT) return put_fields(op, b, row, items, count);
    if (t->kind == TYPE_SET)
        for (uint32_t i = 0; !e && i < count; i++)
            e = put(op, b, row, CELL_ELEMENT_SET, as_path(items[i].bytes), none);
    if (t->kind == TYPE_MAP)
        for (uint32_t i = 0; !e && i + 1 < count; i += 2)
            e = put(op, b, row, CELL_ELEMENT_SET, as_path(items[i].bytes), items[i + 1].bytes);
    return e;
}

static err_t set_all(const struct write_op *op, const struct write_bind *b, struct write_row *row)
{
    struct cql_value v;
    const struct slice none = {0};
    err_t e = write_value(b, &op->value, &v);
    if (e || v.state == CQL_UNSET) return e;
    e = put(op, b, row, CELL_CLEAR, none, none);
    return e || v.state == CQL_NULL ? e : put_items(op, b, row, &v);
}

static err_t add_items(const struct write_op *op, const struct write_bind *b, struct write_row *row)
{
    struct cql_value v;
    err_t e = write_value(b, &op->value, &v);
    return e || v.state != CQL_SET ? e : put_items(op, b, row, &v);
}

static err_t remove_items(const struct write_op *op, const struct write_bind *b,
                          struct write_row *row)
{
    struct cql_value v, *items;
    uint32_t count;
    const struct slice none = {0};
    err_t e = write_value(b, &op->value, &v);
    if (e || v.state != CQL_SET) return e;
    const struct type keys = {.kind = TYPE_SET, .count = 1, .items = op->column->type->items};
    e = cql_items(&keys, v.bytes, b->arena, &items, &count, b->d);
    for (uint32_t i = 0; !e && i < count; i++)
        e = put(op, b, row, CELL_ELEMENT_DELETE, as_path(items[i].bytes), none);
    return e;
}

/* --- elements and fields
 * ----------------------------------------------------------------------------------- */

static err_t element_key(const struct write_op *op, const struct write_bind *b, struct slice *out)
{
    struct cql_value k;
    err_t e = write_value(b, &op->element, &k);
    if (e) return e;
    if (k.state != CQL_SET)
        return diag_fail(b->d, ERR_INVALID, "Invalid %s %s", k.state == CQL_NULL ? "null" : "unset",
                         op->column->type->kind == TYPE_MAP ? "map key" : "set element");
    *out = as_path(k.bytes);
    return ERR_OK;
}

static err_t put_key(const struct write_op *op, const struct write_bind *b, struct write_row *row)
{
    struct slice path = {0};
    struct cql_value v;
    err_t e = element_key(op, b, &path);
    if (!e) e = write_value(b, &op->value, &v);
    return e ? e : put_value(op, b, row, path, &v);
}

static err_t delete_key(const struct write_op *op, const struct write_bind *b,
                        struct write_row *row)
{
    struct slice path = {0};
    const struct cql_value null = {.state = CQL_NULL};
    err_t e = element_key(op, b, &path);
    return e ? e : put_value(op, b, row, path, &null);
}

static err_t put_field(const struct write_op *op, const struct write_bind *b, struct write_row *row)
{
    struct slice path = {0};
    struct cql_value v = {.state = CQL_NULL};
    err_t e = field_path(b, op->field, &path);
    if (!e && op->kind == OP_FIELD) e = write_value(b, &op->value, &v);
    return e ? e : put_value(op, b, row, path, &v);
}

/* --- counters and sums
 * --------------------------------------------------------------------------------------- */

static err_t count(const struct write_op *op, const struct write_bind *b, struct write_row *row)
{
    struct cql_value v;
    err_t e = write_value(b, &op->value, &v);
    if (e || v.state == CQL_UNSET) return e;
    if (v.state == CQL_NULL || v.bytes.len != 8)
        return diag_fail(b->d, ERR_INVALID, "Invalid null value for counter increment");
    struct cursor c = cursor_of(v.bytes);
    int64_t by = cursor_i64(&c);
    if (op->kind == OP_COUNT_DOWN) {
        if (by == INT64_MIN)
            return diag_fail(b->d, ERR_INVALID,
                             "The negation of %lld overflows supported counter precision (signed 8 "
                             "bytes integer)",
                             (long long)by);
        by = -by;
    }
    return store_change_count(row->change, row->table, row->key, row->key_count, op->column->id, by,
                              row->timestamp, b->d);
}

const struct store_cell *write_cell_find(const struct store_cell *cells, uint32_t n,
                                         uint16_t column)
{
    for (uint32_t i = 0; i < n; i++)
        if (cells[i].column == column) return &cells[i];
    return NULL;
}

/* The column's value with what this row's operations did to it already. */
static bool current_value(const struct write_op *op, const struct write_row *row, struct slice *out)
{
    for (uint32_t i = row->cells.count; i > 0; i--) {
        const struct store_cell_write *w = &row->cells.at[i - 1];
        if (w->column != op->column->id) continue;
        *out = w->value;
        return w->kind == CELL_SET;
    }
    const struct store_cell *cell =
        write_cell_find(row->current, row->current_count, op->column->id);
    if (cell) *out = cell->value;
    return cell != NULL;
}

static err_t add_number(const struct write_op *op, const struct write_bind *b,
                        const struct cql_value *operands, struct cql_value *out)
{
    struct cql_bound own = *b->bound;
    own.values = operands;
    own.count = 2;
    return cql_term_value(op->sum, &own, b->arena, out, b->d);
}

static err_t add_text(const struct write_bind *b, const struct cql_value *operands,
                      struct cql_value *out)
{
    size_t len = (size_t)operands[0].bytes.len + operands[1].bytes.len;
    uint8_t *at = arena_take_raw(b->arena, len + 1);
    if (!at) return no_memory(b->d);
    memcpy(at, operands[0].bytes.at, operands[0].bytes.len);
    memcpy(at + operands[0].bytes.len, operands[1].bytes.at, operands[1].bytes.len);
    *out = (struct cql_value){.bytes = slice_make(at, len), .state = CQL_SET};
    return ERR_OK;
}

static err_t add_scalar(const struct write_op *op, const struct write_bind *b,
                        struct write_row *row)
{
    struct cql_value operands[2] = {{.state = CQL_SET}, {.state = CQL_NULL}}, sum;
    err_t e = write_value(b, &op->value, &operands[1]);
    if (e) return e;
    if (operands[1].state != CQL_SET)
        return diag_fail(b->d, ERR_INVALID, "Invalid %s value for the addition to column %.*s",
                         operands[1].state == CQL_NULL ? "null" : "unset",
                         SLICE_ARG(op->column->name));
    if (!current_value(op, row, &operands[0].bytes)) return ERR_OK; /* null stays null */
    e = op->kind == OP_ADD_TEXT ? add_text(b, operands, &sum) : add_number(op, b, operands, &sum);
    return e ? e : put_value(op, b, row, (struct slice){0}, &sum);
}

/* --- all
 * -------------------------------------------------------------------------------------------------------
 */

static err_t set_simple(const struct write_op *op, const struct write_bind *b,
                        struct write_row *row)
{
    struct cql_value v;
    err_t e = write_value(b, &op->value, &v);
    return e ? e : put_value(op, b, row, (struct slice){0}, &v);
}

static err_t delete_column(const struct write_op *op, const struct write_bind *b,
                           struct write_row *row)
{
    const struct slice none = {0};
    bool many = cql_type_is_multicell(op->column->type);
    return put(op, b, row, many ? CELL_CLEAR_ALL : CELL_DELETE, none, none);
}

err_t write_op_run(const struct write_op *op, const struct write_bind *b, struct write_row *row)
{
    switch (op->kind) {
    case OP_SET: return set_simple(op, b, row);
    case OP_SET_ALL: return set_all(op, b, row);
    case OP_ADD: return add_items(op, b, row);
    case OP_REMOVE: return remove_items(op, b, row);
    case OP_PREPEND:
    case OP_LIST_REMOVE:
    case OP_LIST_SET:
    case OP_LIST_DELETE: return write_list_op(op, b, row);
    case OP_PUT: return put_key(op, b, row);
    case OP_DELETE_KEY: return delete_key(op, b, row);
    case OP_FIELD:
    case OP_DELETE_FIELD: return put_field(op, b, row);
    case OP_DELETE: return delete_column(op, b, row);
    case OP_COUNT:
    case OP_COUNT_DOWN: return count(op, b, row);
    case OP_ADD_NUMBER:
    case OP_ADD_TEXT: return add_scalar(op, b, row);
    }
    return diag_fail(b->d, ERR_INTERNAL, "an operation without a meaning");
}
