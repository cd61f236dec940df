/* IF: conditions on columns, elements and fields; prepared, bound, and asked of what is there. What
 * null, an empty collection and an unset value mean is Cassandra's. */
#include "cql/write_int.h"

/* --- prepared
 * ------------------------------------------------------------------------------------------- */

static bool is_slice(enum cql_operator op)
{
    return op == CQL_LT || op == CQL_LE || op == CQL_GT || op == CQL_GE;
}

static bool is_contains(enum cql_operator op)
{
    return op == CQL_CONTAINS || op == CQL_CONTAINS_KEY;
}

static bool is_collection(const struct type *t)
{
    return t->kind == TYPE_LIST || t->kind == TYPE_SET || t->kind == TYPE_MAP;
}

static bool has_duration(const struct type *t)
{
    if (t->kind == TYPE_DURATION) return true;
    for (uint32_t i = 0; i < t->count; i++)
        if (has_duration(t->items[i])) return true;
    return false;
}

static err_t check_durations(const struct cql_relation *q, const struct type *t, struct diag *d)
{
    if (!is_slice(q->op) || !has_duration(t)) return ERR_OK;
    if (t->kind == TYPE_DURATION)
        return diag_fail(d, ERR_INVALID, "Slice conditions ( %s ) are not supported on durations",
                         cql_operator_text(q->op));
    return diag_fail(d, ERR_INVALID,
                     "Slice conditions are not supported on %s containing durations",
                     is_collection(t)         ? "collections"
                     : t->kind == TYPE_STRUCT ? "UDTs"
                                              : "tuples");
}

static err_t element_receivers(struct write_preparing *w, const struct store_column *c,
                               struct cql_receiver *at, struct cql_receiver *value)
{
    const struct type *t = c->type;
    struct diag *d = w->p->terms.d;
    if (!is_collection(t))
        return diag_fail(d, ERR_INVALID,
                         "Invalid element access syntax for non-collection column %.*s",
                         SLICE_ARG(c->name));
    if (t->kind == TYPE_SET)
        return diag_fail(d, ERR_INVALID, "Invalid element access syntax for set column %.*s",
                         SLICE_ARG(c->name));
    bool list = t->kind == TYPE_LIST;
    *at = list ? write_receiver_part(w, c, "idx", type_of(TYPE_INT))
               : write_receiver_part(w, c, "key", t->items[0]);
    *value = write_receiver_part(w, c, "value", t->items[list ? 0 : 1]);
    return ERR_OK;
}

static err_t field_receiver(struct write_preparing *w, const struct store_column *c,
                            struct slice field, struct write_condition *out,
                            struct cql_receiver *value)
{
    const struct type *t = c->type;
    for (uint32_t i = 0; t->kind == TYPE_STRUCT && i < t->count; i++) {
        if (!slice_equal(t->names[i], field)) continue;
        out->field = (int32_t)i;
        *value = write_receiver(w->table, c);
        value->name = slice_of(
            arena_printf(w->p->terms.arena, "%.*s.%.*s", SLICE_ARG(c->name), SLICE_ARG(field)));
        value->type = t->items[i];
        return ERR_OK;
    }
    return diag_fail(w->p->terms.d, ERR_INVALID, "Unknown field %.*s for column %.*s",
                     SLICE_ARG(field), SLICE_ARG(c->name));
}

static err_t contains_receiver(struct write_preparing *w, const struct store_column *c,
                               const struct cql_relation *q, struct cql_receiver *value)
{
    const struct type *t = value->type;
    struct diag *d = w->p->terms.d;
    if (q->op == CQL_CONTAINS_KEY && t->kind != TYPE_MAP)
        return diag_fail(d, ERR_INVALID, "Cannot use CONTAINS KEY on non-map column %.*s",
                         SLICE_ARG(value->name));
    if (q->op == CQL_CONTAINS && !is_collection(t))
        return diag_fail(d, ERR_INVALID, "Cannot use CONTAINS on non-collection column %.*s",
                         SLICE_ARG(value->name));
    bool key = q->op == CQL_CONTAINS_KEY;
    *value = write_receiver_part(w, c, key ? "key" : "value",
                                 t->items[t->kind == TYPE_MAP && !key ? 1 : 0]);
    return ERR_OK;
}

static err_t prepare_values(struct write_preparing *w, const struct cql_relation *q,
                            struct cql_receiver r, struct write_condition *out)
{
    struct arena *a = w->p->terms.arena;
    bool in = q->op == CQL_IN;
    const struct cql_node *const *nodes = in && !q->value ? q->values : &q->value;
    uint32_t count = in && !q->value ? q->value_count : 1;
    struct cql_receiver *kept = arena_take(a, sizeof(*kept));
    const struct cql_term **terms = arena_take(a, (count + 1) * sizeof(const struct cql_term *));
    if (!kept || !terms)
        return diag_fail(w->p->terms.d, ERR_NO_MEMORY, "no memory for the statement");
    *kept = r;
    if (in && q->value) return cql_term_prepare_in(q->value, kept, &w->p->terms, &out->in);
    err_t e = ERR_OK;
    for (uint32_t i = 0; !e && i < count; i++)
        e = cql_term_prepare(nodes[i], kept, &w->p->terms, &terms[i]);
    out->values = terms;
    out->value_count = count;
    return e;
}

static err_t prepare_one(struct write_preparing *w, const struct cql_relation *q,
                         struct write_condition *out)
{
    struct diag *d = w->p->terms.d;
    const struct store_column *c = write_column(w->table, q->columns[0], d);
    if (!c) return ERR_INVALID;
    struct cql_receiver value = write_receiver(w->table, c), at = {0};
    *out = (struct write_condition){.column = c, .op = q->op, .field = -1};
    err_t e = ERR_OK;
    if (c->type->kind == TYPE_COUNTER)
        return diag_fail(d, ERR_INVALID, "Conditions on counters are not supported");
    if (q->element) e = element_receivers(w, c, &at, &value);
    if (!e && q->field.at) e = field_receiver(w, c, q->field, out, &value);
    if (!e) e = check_durations(q, value.type, d);
    if (!e && q->element) e = write_prepare_term(w, q->element, at, &out->element);
    if (!e && is_contains(q->op)) e = contains_receiver(w, c, q, &value);
    out->type = value.type;
    if (!e) e = prepare_values(w, q, value, out);
    if (!e && (c->role == COLUMN_PARTITION || c->role == COLUMN_CLUSTERING))
        e = diag_fail(d, ERR_INVALID, "PRIMARY KEY column '%.*s' cannot have IF conditions",
                      SLICE_ARG(c->name));
    return e;
}

err_t write_conditions_prepare(struct write_preparing *w, const struct cql_relation *r,
                               uint32_t count)
{
    struct write_plan *p = w->plan;
    struct write_condition *all = arena_take(w->p->terms.arena, 2 * (size_t)count * sizeof(*all));
    if (!all) return diag_fail(w->p->terms.d, ERR_NO_MEMORY, "no memory for the statement");
    struct write_condition *statics = all + count;
    uint32_t static_count = 0;
    err_t e = ERR_OK;
    for (uint32_t i = 0; !e && i < count; i++) {
        struct write_condition one;
        e = prepare_one(w, &r[i], &one);
        if (e) break;
        if (one.column->role == COLUMN_STATIC)
            statics[static_count++] = one;
        else
            all[p->regular_conditions++] = one;
    }
    memmove(all + p->regular_conditions, statics, static_count * sizeof(*all));
    p->conditions = all;
    p->condition_count = p->regular_conditions + static_count;
    return e;
}

/* --- bound
 * ------------------------------------------------------------------------------------------------
 */

static err_t no_memory(struct diag *d)
{
    return diag_fail(d, ERR_NO_MEMORY, "no memory for a condition");
}

static err_t refuse_unset(struct diag *d)
{
    return diag_fail(d, ERR_INVALID, "Invalid 'unset' value in condition");
}

static err_t bind_in(const struct write_condition *c, const struct write_bind *b,
                     struct write_condition_bound *out)
{
    struct cql_value list, *items;
    err_t e = cql_term_value(c->in, b->bound, b->arena, &list, b->d);
    if (e) return e;
    if (list.state == CQL_NULL)
        return diag_fail(b->d, ERR_INVALID, "Invalid null list in IN condition");
    if (list.state == CQL_UNSET) return refuse_unset(b->d);
    const struct type *item = c->type;
    const struct type t = {.kind = TYPE_LIST, .frozen = true, .count = 1, .items = &item};
    e = cql_items(&t, list.bytes, b->arena, &items, &out->value_count, b->d);
    out->values = items;
    return e;
}

static err_t bind_values(const struct write_condition *c, const struct write_bind *b,
                         struct write_condition_bound *out)
{
    struct cql_value *values = arena_take(b->arena, (c->value_count + 1) * sizeof(*values));
    if (!values) return no_memory(b->d);
    out->values = values;
    for (uint32_t i = 0; i < c->value_count; i++) {
        struct cql_value v;
        err_t e = cql_term_value(c->values[i], b->bound, b->arena, &v, b->d);
        if (e) return e;
        if (v.state == CQL_UNSET && c->op == CQL_IN) continue;
        if (v.state == CQL_UNSET) return refuse_unset(b->d);
        values[out->value_count++] = v;
    }
    return ERR_OK;
}

err_t write_conditions_bind(const struct write_plan *p, const struct write_bind *b,
                            struct write_condition_bound **out)
{
    struct write_condition_bound *all =
        arena_take(b->arena, (p->condition_count + 1) * sizeof(*all));
    if (!all) return no_memory(b->d);
    *out = all;
    err_t e = ERR_OK;
    for (uint32_t i = 0; !e && i < p->condition_count; i++) {
        const struct write_condition *c = &p->conditions[i];
        all[i] = (struct write_condition_bound){.condition = c};
        if (c->element) {
            e = cql_term_value(c->element, b->bound, b->arena, &all[i].element, b->d);
            if (!e && all[i].element.state != CQL_SET)
                e = diag_fail(b->d, ERR_INVALID, "Invalid %s value for %s element access",
                              all[i].element.state == CQL_NULL ? "null" : "unset",
                              c->column->type->kind == TYPE_MAP ? "map" : "list");
        }
        if (!e) e = c->in ? bind_in(c, b, &all[i]) : bind_values(c, b, &all[i]);
    }
    return e;
}

/* --- compared
 * ------------------------------------------------------------------------------------------------
 */

static bool order_fits(enum cql_operator op, int order)
{
    switch (op) {
    case CQL_EQ:
    case CQL_IN: return order == 0;
    case CQL_NE: return order != 0;
    case CQL_LT: return order < 0;
    case CQL_LE: return order <= 0;
    case CQL_GT: return order > 0;
    case CQL_GE: return order >= 0;
    default: return false;
    }
}

static err_t refuse_null(enum cql_operator op, struct diag *d)
{
    return diag_fail(d, ERR_INVALID, "Invalid comparison with null for operator \"%s\"",
                     cql_operator_text(op));
}

/* `there` at NULL: null. */
static err_t compare(enum cql_operator op, const struct type *t, const struct cql_value *wanted,
                     struct slice there, bool *out, struct diag *d)
{
    if (wanted->state == CQL_NULL) {
        if (op != CQL_EQ && op != CQL_IN && op != CQL_NE) return refuse_null(op, d);
        *out = (there.at == NULL) == (op != CQL_NE);
        return ERR_OK;
    }
    if (!there.at)
        *out = op == CQL_NE;
    else
        *out = order_fits(op, cql_compare(t, there, wanted->bytes));
    return ERR_OK;
}

static err_t compare_any(const struct write_condition_bound *c, const struct type *t,
                         struct slice there, bool *out, struct diag *d)
{
    err_t e = ERR_OK;
    *out = false;
    for (uint32_t i = 0; !e && !*out && i < c->value_count; i++)
        e = compare(c->condition->op, t, &c->values[i], there, out, d);
    return e;
}

/* --- elements and fields
 * --------------------------------------------------------------------------------------- */

static struct slice there_is(struct slice s) /* a value of no bytes is not null */
{
    static const uint8_t empty[1];
    return s.at ? s : slice_make(empty, 0);
}

static err_t list_element(const struct write_condition_bound *c, const struct store_cell *cell,
                          struct arena *a, struct slice *out, struct diag *d)
{
    struct cursor at = cursor_of(c->element.bytes);
    int32_t index = cursor_i32(&at);
    struct cql_value *items;
    uint32_t count;
    if (index < 0) return diag_fail(d, ERR_INVALID, "Invalid negative list index %d", index);
    if (!cell) return ERR_OK;
    if (cql_type_is_multicell(c->condition->column->type)) {
        if ((uint32_t)index < cell->element_count) *out = there_is(cell->elements[index].value);
        return ERR_OK;
    }
    err_t e = cql_items(c->condition->column->type, cell->value, a, &items, &count, d);
    if (!e && (uint32_t)index < count) *out = items[index].bytes;
    return e;
}

static err_t map_element(const struct write_condition_bound *c, const struct store_cell *cell,
                         struct arena *a, struct slice *out, struct diag *d)
{
    const struct type *t = c->condition->column->type;
    struct cql_value *items;
    uint32_t count;
    if (!cell) return ERR_OK;
    if (cql_type_is_multicell(t)) {
        for (uint32_t i = 0; i < cell->element_count; i++)
            if (cql_compare(t->items[0], cell->elements[i].path, c->element.bytes) == 0)
                *out = there_is(cell->elements[i].value);
        return ERR_OK;
    }
    err_t e = cql_items(t, cell->value, a, &items, &count, d);
    for (uint32_t i = 0; !e && i + 1 < count; i += 2)
        if (cql_compare(t->items[0], items[i].bytes, c->element.bytes) == 0)
            *out = items[i + 1].bytes;
    return e;
}

static const struct store_element *field_element(const struct store_cell *cell, uint32_t field)
{
    for (uint32_t i = 0; cell && i < cell->element_count; i++) {
        const struct slice path = cell->elements[i].path;
        if (path.len == 2 && ((uint32_t)path.at[0] << 8 | path.at[1]) == field)
            return &cell->elements[i];
    }
    return NULL;
}

static err_t field_value(const struct write_condition_bound *c, const struct store_cell *cell,
                         struct arena *a, struct slice *out, struct diag *d)
{
    const struct type *t = c->condition->column->type;
    uint32_t field = (uint32_t)c->condition->field, count;
    struct cql_value *items;
    if (!cell) return ERR_OK;
    if (cql_type_is_multicell(t)) {
        const struct store_element *e = field_element(cell, field);
        if (e) *out = there_is(e->value);
        return ERR_OK;
    }
    err_t e = cql_items(t, cell->value, a, &items, &count, d);
    if (!e && field < count && items[field].state == CQL_SET) *out = items[field].bytes;
    return e;
}

/* --- cells as values
 * --------------------------------------------------------------------------------------------- */

static void put_item(struct buf *b, struct slice s)
{
    buf_be(b, s.len, 4);
    buf_slice(b, s);
}

static void put_cell(const struct type *t, const struct store_cell *cell, struct buf *b)
{
    if (t->kind != TYPE_STRUCT) buf_be(b, cell->element_count, 4);
    for (uint32_t i = 0; t->kind == TYPE_STRUCT && i < t->count; i++) {
        const struct store_element *e = field_element(cell, i);
        if (e)
            put_item(b, e->value);
        else
            buf_be(b, UINT32_MAX, 4);
    }
    for (uint32_t i = 0; t->kind != TYPE_STRUCT && i < cell->element_count; i++) {
        const struct store_element *e = &cell->elements[i];
        if (t->kind != TYPE_LIST) put_item(b, e->path);
        if (t->kind != TYPE_SET) put_item(b, e->value);
    }
}

err_t write_cell_value(const struct type *t, const struct store_cell *cell, struct arena *a,
                       struct slice *out, struct diag *d)
{
    *out = (struct slice){0};
    if (!cell) return ERR_OK;
    if (!cql_type_is_multicell(t)) {
        *out = there_is(cell->value);
        return ERR_OK;
    }
    if (cell->element_count == 0) return ERR_OK;
    size_t size = 4 + 4 * (size_t)t->count;
    for (uint32_t i = 0; i < cell->element_count; i++)
        size += 8 + (size_t)cell->elements[i].path.len + cell->elements[i].value.len;
    void *memory = arena_take_raw(a, size);
    if (!memory) return no_memory(d);
    struct buf b = buf_over(memory, size);
    put_cell(t, cell, &b);
    INVARIANT(!b.err);
    *out = buf_view(&b);
    return ERR_OK;
}

/* --- whole columns
 * -------------------------------------------------------------------------------------------------
 */

/* Does the collection's binary form hold it, as a value, element or key? */
static err_t contains(const struct write_condition_bound *c, struct slice there,
                      const struct cql_value *wanted, struct arena *a, bool *out, struct diag *d)
{
    const struct type *t = c->condition->column->type;
    bool map = t->kind == TYPE_MAP;
    uint32_t first = map && c->condition->op == CQL_CONTAINS ? 1 : 0, step = map ? 2 : 1, count;
    struct cql_value *items;
    *out = false;
    if (wanted->state == CQL_NULL) return refuse_null(c->condition->op, d);
    if (!there.at) return ERR_OK;
    err_t e = cql_items(t, there, a, &items, &count, d);
    for (uint32_t i = first; !e && !*out && i < count; i += step)
        *out = items[i].state == CQL_SET &&
               cql_compare(c->condition->type, items[i].bytes, wanted->bytes) == 0;
    return e;
}

/* A collection of many cells: none of it and null are the same, and so is an empty one. */
static err_t compare_collection(const struct write_condition_bound *c, struct slice there,
                                const struct cql_value *wanted, bool *out, struct diag *d)
{
    static const char *const kinds[] = {"list", "set", "map"};
    const struct type *t = c->condition->column->type;
    enum cql_operator op = c->condition->op;
    struct cursor n = cursor_of(wanted->bytes);
    bool empty = wanted->state == CQL_SET && cursor_i32(&n) <= 0;
    if (wanted->state != CQL_NULL && !empty) {
        if (there.at || op == CQL_NE) return compare(op, t, wanted, there, out, d);
        *out = false;
        return ERR_OK;
    }
    if (op == CQL_EQ || op == CQL_IN || op == CQL_NE) {
        *out = (there.at == NULL) == (op != CQL_NE);
        return ERR_OK;
    }
    if (!empty) return refuse_null(op, d);
    return diag_fail(d, ERR_INVALID, "Invalid comparison with an empty %s for operator \"%s\"",
                     kinds[t->kind == TYPE_LIST  ? 0
                           : t->kind == TYPE_SET ? 1
                                                 : 2],
                     cql_operator_text(op));
}

static err_t whole_holds(const struct write_condition_bound *c, const struct store_cell *cell,
                         struct arena *a, bool *out, struct diag *d)
{
    const struct type *t = c->condition->column->type;
    bool many = is_collection(t) && cql_type_is_multicell(t);
    struct slice there;
    err_t e = write_cell_value(t, cell, a, &there, d);
    *out = false;
    for (uint32_t i = 0; !e && !*out && i < c->value_count; i++) {
        if (is_contains(c->condition->op))
            e = contains(c, there, &c->values[i], a, out, d);
        else if (many)
            e = compare_collection(c, there, &c->values[i], out, d);
        else
            e = compare(c->condition->op, t, &c->values[i], there, out, d);
    }
    return e;
}

err_t write_condition_holds(const struct write_condition_bound *c, const struct store_cell *cells,
                            uint32_t count, struct arena *a, bool *out, struct diag *d)
{
    const struct write_condition *q = c->condition;
    const struct store_cell *cell = write_cell_find(cells, count, q->column->id);
    struct slice there = {0};
    err_t e;
    if (q->element)
        e = q->column->type->kind == TYPE_MAP ? map_element(c, cell, a, &there, d)
                                              : list_element(c, cell, a, &there, d);
    else if (q->field >= 0)
        e = field_value(c, cell, a, &there, d);
    else
        return whole_holds(c, cell, a, out, d);
    return e ? e : compare_any(c, q->type, there, out, d);
}
