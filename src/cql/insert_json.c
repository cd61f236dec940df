/* INSERT JSON: one object whose names are columns; each value becomes its column's type. */
#include "cql/write_int.h"

static err_t read_value(const struct store_column *c, struct slice json, struct arena *a,
                        struct cql_value *out, struct diag *d)
{
    struct diag inner = {0};
    err_t e = cql_from_json(c->type, json, a, out, &inner);
    if (!e) return ERR_OK;
    return diag_fail(d, e == ERR_NO_MEMORY ? e : ERR_INVALID,
                     "Error decoding JSON value for %.*s: %s", SLICE_ARG(c->name), inner.what);
}

/* The values are read in the columns' order, not the text's: the first that is wrong is told. */
static err_t read_values(const struct store_table *t, const struct cql_json_field *fields,
                         uint32_t count, struct arena *a, struct cql_value *values, struct diag *d)
{
    const struct cql_json_field **of = arena_take(a, t->column_count * sizeof(*of));
    const struct slice *unknown = NULL;
    err_t e = ERR_OK;
    if (!of) return diag_fail(d, ERR_NO_MEMORY, "no memory for JSON");
    for (uint32_t i = 0; i < count; i++) {
        const struct store_column *c = store_column_find(t, fields[i].name);
        if (c)
            of[c - t->columns] = &fields[i];
        else if (!unknown)
            unknown = &fields[i].name;
    }
    for (uint32_t i = 0; i < t->column_count && !e; i++)
        if (of[i]) e = read_value(&t->columns[i], of[i]->json, a, &values[i], d);
    if (e || !unknown) return e;
    return diag_fail(d, ERR_INVALID, "JSON values map contains unrecognized column: %.*s",
                     SLICE_ARG(*unknown));
}

err_t write_json_values(const struct store_table *t, struct slice text, bool unset, struct arena *a,
                        struct cql_value **out, struct diag *d)
{
    struct cql_json_field *fields;
    uint32_t count;
    struct cql_value *values = arena_take(a, t->column_count * sizeof(*values));
    if (!values) return diag_fail(d, ERR_NO_MEMORY, "no memory for JSON");
    for (uint32_t i = 0; i < t->column_count; i++) values[i].state = unset ? CQL_UNSET : CQL_NULL;
    *out = values;
    err_t e = cql_json_fields(text, a, &fields, &count, d);
    return e ? e : read_values(t, fields, count, a, values, d);
}

err_t write_json_prepare(struct write_preparing *w, const struct cql_write *tree)
{
    struct write_plan *p = w->plan;
    struct cql_receiver r = {w->table->keyspace, w->table->name, SLICE("[json]"),
                             type_of(TYPE_TEXT)};
    struct cql_value *values;
    p->json_unset = tree->default_unset;
    if (tree->json->kind == NODE_MARKER) return write_prepare_term(w, tree->json, r, &p->json);
    err_t e = write_json_values(w->table, tree->json->value, p->json_unset, w->p->terms.arena,
                                &values, w->p->terms.d);
    p->json_values = values;
    return e;
}
