/* The row filter: what neither key nor slice answers, looked at row by row. */
#include "cql/restrict.h"

/* --- bound
 * ------------------------------------------------------------------------------------------ */

struct filling {
    const struct restrictions *r;
    const struct cql_bound *b;
    struct arena *a;
    struct filter_item *items;
    uint32_t count;
    struct diag *d;
};

static err_t no_memory(struct diag *d)
{
    return diag_fail(d, ERR_NO_MEMORY, "no memory for the row filter");
}

static err_t check_value(const struct filling *x, const struct store_column *c,
                         const struct cql_value *v)
{
    if (v->state == CQL_NULL)
        return diag_fail(x->d, ERR_INVALID, "Unsupported null value for column %.*s",
                         SLICE_ARG(c->name));
    if (v->state == CQL_UNSET)
        return diag_fail(x->d, ERR_INVALID, "Unsupported unset value for column %.*s",
                         SLICE_ARG(c->name));
    return ERR_OK;
}

static struct filter_item *item_add(struct filling *x, const struct store_column *c,
                                    enum cql_operator op)
{
    struct filter_item *i = &x->items[x->count++];
    i->column = c;
    i->op = op;
    i->place = (uint32_t)(c - x->r->table->columns);
    i->of_partition = c->role == COLUMN_PARTITION || c->role == COLUMN_STATIC;
    return i;
}

static err_t add_value(struct filling *x, const struct store_column *c, enum cql_operator op,
                       const struct cql_value *v)
{
    err_t e = check_value(x, c, v);
    if (!e) item_add(x, c, op)->value = v->bytes;
    return e;
}

static err_t add_eq(struct filling *x, const struct restriction *r)
{
    const struct restrict_value *v = &r->values[0];
    struct cql_value one, *parts = &one;
    uint32_t count = 1;
    if (v->items) {
        err_t e = ERR_OK;
        for (uint32_t i = 0; i < v->item_count && !e; i++) {
            e = cql_term_value(v->items[i], x->b, x->a, &one, x->d);
            if (!e) e = add_value(x, r->columns[i], CQL_EQ, &one);
        }
        return e;
    }
    err_t e = cql_term_value(v->whole, x->b, x->a, &one, x->d);
    if (!e && r->multi && one.state == CQL_SET)
        e = cql_items(r->tuple, one.bytes, x->a, &parts, &count, x->d);
    const struct cql_value none = {.state = CQL_NULL};
    for (uint32_t i = 0; i < r->column_count && !e; i++)
        e = add_value(x, r->columns[i], CQL_EQ, i < count ? &parts[i] : &none);
    return e;
}

/* (c) IN ((1), (2)): a tuple of one is its only part. */
static err_t only_part(struct filling *x, const struct restriction *r, struct cql_value *v)
{
    struct cql_value *parts;
    uint32_t count;
    if (!r->multi || v->state != CQL_SET) return ERR_OK;
    err_t e = cql_items(r->tuple, v->bytes, x->a, &parts, &count, x->d);
    if (!e) *v = count ? parts[0] : (struct cql_value){.state = CQL_NULL};
    return e;
}

static err_t in_values(struct filling *x, const struct restriction *r, struct cql_value **out,
                       uint32_t *count)
{
    err_t e = ERR_OK;
    if (!r->list) {
        *count = r->value_count;
        *out = arena_take(x->a, r->value_count * sizeof **out);
        if (!*out) return no_memory(x->d);
        for (uint32_t i = 0; i < r->value_count && !e; i++) {
            const struct restrict_value *v = &r->values[i];
            e = cql_term_value(v->items ? v->items[0] : v->whole, x->b, x->a, &(*out)[i], x->d);
            if (!e && !v->items) e = only_part(x, r, &(*out)[i]);
        }
        return e;
    }
    struct cql_value list;
    const struct store_column *c = r->columns[0];
    if ((e = cql_term_value(r->list, x->b, x->a, &list, x->d))) return e;
    if (list.state != CQL_SET)
        return diag_fail(x->d, ERR_INVALID, "Invalid %s value for column %.*s",
                         list.state == CQL_NULL ? "null" : "unset", SLICE_ARG(c->name));
    e = cql_items(r->list_type, list.bytes, x->a, out, count, x->d);
    for (uint32_t i = 0; i < *count && !e; i++) e = only_part(x, r, &(*out)[i]);
    return e;
}

static err_t add_in(struct filling *x, const struct restriction *r)
{
    struct cql_value *values;
    uint32_t count;
    if (r->multi && r->column_count > 1)
        return diag_fail(x->d, ERR_INVALID, "Multicolumn IN filters are not supported");
    err_t e = in_values(x, r, &values, &count);
    if (e) return e;
    struct filter_item *i = item_add(x, r->columns[0], CQL_IN);
    i->values = values;
    i->value_count = count;
    return ERR_OK;
}

static err_t add_slice(struct filling *x, const struct restriction *r)
{
    static const enum cql_operator ops[2][2] = {{CQL_GT, CQL_GE}, {CQL_LT, CQL_LE}};
    if (r->multi)
        return diag_fail(x->d, ERR_INVALID,
                         "Multi-column slice restrictions cannot be used for filtering.");
    for (int k = RESTRICT_START; k <= RESTRICT_END; k++) {
        struct cql_value v;
        if (!r->has[k]) continue;
        err_t e = cql_term_value(r->bounds[k].whole, x->b, x->a, &v, x->d);
        if (!e) e = add_value(x, r->columns[0], ops[k][r->inclusive[k]], &v);
        if (e) return e;
    }
    return ERR_OK;
}

static err_t add_contains(struct filling *x, const struct restriction *r)
{
    const struct store_column *c = r->columns[0];
    for (uint32_t i = 0; i < r->contains_count; i++) {
        const struct restrict_contains *k = &r->contains[i];
        struct cql_value key, value;
        err_t e = ERR_OK;
        if (k->key && !(e = cql_term_value(k->key, x->b, x->a, &key, x->d)))
            e = check_value(x, c, &key);
        if (!e && k->value && !(e = cql_term_value(k->value, x->b, x->a, &value, x->d)))
            e = check_value(x, c, &value);
        if (e) return e;
        enum cql_operator op = k->what == CONTAINS_ENTRY ? CQL_EQ
                               : k->what == CONTAINS_KEY ? CQL_CONTAINS_KEY
                                                         : CQL_CONTAINS;
        struct filter_item *item = item_add(x, c, op);
        item->value = k->what == CONTAINS_KEY ? key.bytes : value.bytes;
        item->entry = k->what == CONTAINS_ENTRY;
        if (item->entry) item->key = key.bytes;
    }
    return ERR_OK;
}

static err_t add_restriction(struct filling *x, const struct restriction *r)
{
    switch (r->kind) {
    case RESTRICT_EQ: return add_eq(x, r);
    case RESTRICT_IN: return add_in(x, r);
    case RESTRICT_SLICE: return add_slice(x, r);
    case RESTRICT_CONTAINS: break;
    }
    return add_contains(x, r);
}

/* Of the clustering only what slices leave, and what an index answers. */
static err_t add_set(struct filling *x, const struct restrict_set *s, bool clustering)
{
    const struct restriction *before = NULL;
    uint32_t position = 0;
    for (uint32_t i = s->first; s->filtered && i < s->first + s->count; i++) {
        const struct restriction *r = x->r->by[i];
        if (!r || r == before) continue;
        before = r;
        if (!clustering || restrict_in_filter(r, position) || restrict_supported(x->r->table, r)) {
            err_t e = add_restriction(x, r);
            if (e) return e;
        } else if (r->kind != RESTRICT_SLICE) {
            position = r->columns[r->column_count - 1]->position + 1U;
        }
    }
    return ERR_OK;
}

static uint32_t room_for(const struct restrictions *r)
{
    uint32_t room = 0;
    for (uint32_t i = 0; i < r->table->column_count; i++)
        if (r->by[i]) room += MAX(2U, MAX(r->by[i]->column_count, r->by[i]->contains_count));
    return room;
}

err_t restrict_bind_filter(const struct restrictions *r, const struct cql_bound *b, struct arena *a,
                           const struct filter_item **out, uint32_t *count, struct diag *d)
{
    struct filling x = {.r = r, .b = b, .a = a, .d = d};
    *count = 0;
    *out = NULL;
    if (!r->partition.filtered && !r->clustering.filtered && !r->others.filtered) return ERR_OK;
    x.items = arena_take(a, room_for(r) * sizeof *x.items);
    if (!x.items) return no_memory(d);
    err_t e = add_set(&x, &r->partition, false);
    if (!e) e = add_set(&x, &r->clustering, true);
    if (!e) e = add_set(&x, &r->others, false);
    *out = x.items;
    *count = x.count;
    return e;
}

/* --- a row
 * ------------------------------------------------------------------------------------------ */

const struct store_cell *restrict_row_cell(const struct store_cell *cells, uint32_t count,
                                           uint16_t column)
{
    for (uint32_t i = 0; i < count && cells[i].column <= column; i++)
        if (cells[i].column == column) return &cells[i];
    return NULL;
}

static bool compares(const struct type *t, enum cql_operator op, struct slice a, struct slice b)
{
    int order = cql_compare(t, a, b);
    switch (op) {
    case CQL_LT: return order < 0;
    case CQL_LE: return order <= 0;
    case CQL_GT: return order > 0;
    case CQL_GE: return order >= 0;
    default: return order == 0;
    }
}

/* CONTAINS, CONTAINS KEY and m[k] = v on a collection whose elements are cells. */
static bool elements_match(const struct filter_item *i, const struct store_cell *c)
{
    const struct type *t = i->column->type;
    for (uint32_t k = 0; c && k < c->element_count; k++) {
        const struct store_element *e = &c->elements[k];
        bool by_path = t->kind == TYPE_SET || i->op == CQL_CONTAINS_KEY;
        const struct type *item = t->items[t->kind == TYPE_MAP && !by_path ? 1 : 0];
        if (i->entry && cql_compare(t->items[0], e->path, i->key) != 0) continue;
        if (cql_compare(item, by_path ? e->path : e->value, i->value) == 0) return true;
    }
    return false;
}

/* The same on a frozen one. */
static err_t items_match(const struct filter_item *i, struct slice value, struct arena *a,
                         bool *out, struct diag *d)
{
    const struct type *t = i->column->type;
    struct cql_value *items;
    uint32_t count, step = t->kind == TYPE_MAP ? 2 : 1;
    uint32_t first = t->kind == TYPE_MAP && i->op == CQL_CONTAINS ? 1 : 0;
    *out = false;
    err_t e = cql_items(t, value, a, &items, &count, d);
    for (uint32_t k = first; k < count && !e && !*out; k += step)
        *out = items[k].state == CQL_SET &&
               cql_compare(t->items[first], items[k].bytes, i->value) == 0;
    return e;
}

static err_t item_match(const struct filter_item *i, const struct store_row *row, struct arena *a,
                        bool *out, struct diag *d)
{
    const struct store_column *c = i->column;
    const struct store_cell *cell = NULL;
    struct slice value;
    bool is_static = c->role == COLUMN_STATIC;
    *out = false;
    if (c->role == COLUMN_PARTITION || c->role == COLUMN_CLUSTERING) {
        if (i->place >= row->key_count) return ERR_OK; /* a partition without a row */
        value = row->key[i->place];
    } else {
        cell = is_static ? restrict_row_cell(row->statics, row->static_count, c->id)
                         : restrict_row_cell(row->cells, row->cell_count, c->id);
        if (!cell) return ERR_OK;
        value = cell->value;
    }
    bool contains = i->op == CQL_CONTAINS || i->op == CQL_CONTAINS_KEY || i->entry;
    if (contains && cql_type_is_multicell(c->type)) {
        *out = elements_match(i, cell);
        return ERR_OK;
    }
    if (contains) return items_match(i, value, a, out, d);
    if (i->op != CQL_IN) {
        *out = compares(c->type, i->op, value, i->value);
        return ERR_OK;
    }
    for (uint32_t k = 0; k < i->value_count && !*out; k++)
        *out =
            i->values[k].state == CQL_SET && cql_compare(c->type, value, i->values[k].bytes) == 0;
    return ERR_OK;
}

err_t restrict_filter_match(const struct filter_item *items, uint32_t count,
                            const struct store_row *row, bool partition_only, struct arena *a,
                            bool *out, struct diag *d)
{
    *out = true;
    for (uint32_t i = 0; i < count && *out; i++) {
        if (partition_only && !items[i].of_partition) continue;
        err_t e = item_match(&items[i], row, a, out, d);
        if (e) return e;
    }
    return ERR_OK;
}
