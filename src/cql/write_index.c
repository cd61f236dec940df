/* Values that a secondary index can not hold are refused before they are written. */
#include "cql/write_int.h"

static size_t indexed_size(const struct store_index *i, const struct store_column *column,
                           const struct store_cell_write *w)
{
    bool set = column->type->kind == TYPE_SET && !column->type->frozen;
    switch (i->kind) {
    case INDEX_KEYS: return w->path.len;
    case INDEX_ENTRIES: return (size_t)w->path.len + w->value.len + 6; /* a composite of the two */
    case INDEX_VALUES: return set ? w->path.len : w->value.len;
    case INDEX_FULL: return w->value.len;
    }
    return 0;
}

static const struct store_column *column_of(const struct store_table *t, uint16_t id)
{
    for (uint32_t i = 0; i < t->column_count; i++)
        if (t->columns[i].id == id) return &t->columns[i];
    return NULL;
}

err_t write_check_indexed(const struct store_row_write *w, struct diag *d)
{
    const struct store_table *t = w->table;
    for (uint32_t i = 0; i < t->index_count; i++) {
        const struct store_index *x = &t->indexes[i];
        const struct store_column *column = column_of(t, x->column);
        if (x->sai || !column) continue;
        for (uint32_t k = 0; k < w->cell_count; k++) {
            const struct store_cell_write *c = &w->cells[k];
            if (c->column != x->column) continue;
            size_t size = indexed_size(x, column, c);
            if (size >= WRITE_KEY_MAX)
                return diag_fail(d, ERR_INVALID,
                                 "Cannot index value of size %zu for index %.*s on %.*s.%.*s(%.*s) "
                                 "(maximum allowed size=%d)",
                                 size, SLICE_ARG(x->name), SLICE_ARG(t->keyspace),
                                 SLICE_ARG(t->name), SLICE_ARG(column->name), WRITE_KEY_MAX);
        }
    }
    return ERR_OK;
}
