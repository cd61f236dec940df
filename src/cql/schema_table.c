/* schema_table: CREATE TABLE, DROP TABLE. */
#include "base/hash.h"
#include "cql/schema.h"
#include <stdlib.h>

/* --- what several files share
 * ------------------------------------------------------------------------------- */

struct cql_prepare schema_types(struct schema_run *r)
{
    return (struct cql_prepare){.arena = r->a,
                                .d = r->d,
                                .keyspace = r->keyspace,
                                .statement_keyspace = r->keyspace,
                                .statement_table = r->name,
                                .user_type = cql_user_type,
                                .ctx = r->cql};
}

bool type_references(const struct type *t, enum type_kind kind)
{
    if (t->kind == kind) return true;
    for (uint16_t i = 0; i < t->count; i++)
        if (type_references(t->items[i], kind)) return true;
    return false;
}

bool type_references_named(const struct type *t, struct slice user_type)
{
    if (t->kind == TYPE_STRUCT && slice_equal(t->name, user_type)) return true;
    for (uint16_t i = 0; i < t->count; i++)
        if (type_references_named(t->items[i], user_type)) return true;
    return false;
}

void schema_put_type(struct buf *out, const struct type *t)
{
    cql_type_put(out, t);
}

static int rank_of(const struct store_column *c)
{
    static const int ranks[] = {
        [COLUMN_PARTITION] = 0, [COLUMN_CLUSTERING] = 1, [COLUMN_STATIC] = 2, [COLUMN_REGULAR] = 3};
    return ranks[c->role];
}

static int column_order(const void *a, const void *b)
{
    const struct store_column *x = a, *y = b;
    if (rank_of(x) != rank_of(y)) return rank_of(x) - rank_of(y);
    return rank_of(x) < 2 ? (int)x->position - (int)y->position : slice_compare(x->name, y->name);
}

void schema_order_columns(struct store_column *columns, uint32_t count)
{
    if (count) qsort(columns, count, sizeof(*columns), column_order);
}

void put_table_name(struct buf *out, const struct store_table *t)
{
    cql_put_name(out, t->keyspace);
    buf_char(out, '.');
    cql_put_name(out, t->name);
}

/* --- what is wrong with the text alone
 * ------------------------------------------------------------------------ */

static err_t wrong_name(const struct cql_statement_tree *t, struct slice keyspace, struct diag *d,
                        const char *before, const char *after)
{
    return diag_fail(d, ERR_INVALID, "%s '%.*s%s%.*s'%s", before, SLICE_ARG(keyspace),
                     keyspace.at ? "." : "", SLICE_ARG(t->name.name), after);
}

err_t schema_check_table_tree(const struct cql_statement_tree *t, struct slice keyspace,
                              struct diag *d)
{
    const struct cql_table_tree *x = t->table;
    char text[200];
    uint32_t keys = x->has_key;
    for (uint32_t i = 0; i < x->column_count; i++) {
        struct buf b = buf_over(text, sizeof(text));
        for (uint32_t k = 0; k < i; k++) {
            if (!slice_equal(x->columns[i].name, x->columns[k].name)) continue;
            buf_printf(&b, "Duplicate column '%.*s' declaration for table",
                       SLICE_ARG(x->columns[i].name));
            return wrong_name(t, keyspace, d, buf_cstr(&b), "");
        }
        keys += x->columns[i].is_primary_key;
    }
    if (keys > 1)
        return wrong_name(t, keyspace, d, "Multiple PRIMARY KEY specified for table",
                          " (exactly one required)");
    if (keys == 0)
        return wrong_name(t, keyspace, d, "No PRIMARY KEY specifed for table",
                          " (exactly one required)");
    for (uint32_t i = 0; i < x->order_count; i++) {
        struct buf b = buf_over(text, sizeof(text));
        for (uint32_t k = 0; k < i; k++) {
            if (!slice_equal(x->order[i].column, x->order[k].column)) continue;
            buf_printf(&b, "Duplicate column '%.*s' in CLUSTERING ORDER BY clause for table",
                       SLICE_ARG(x->order[i].column));
            return wrong_name(t, keyspace, d, buf_cstr(&b), "");
        }
    }
    return ERR_OK;
}

/* --- CREATE TABLE
 * -----------------------------------------------------------------------------------------------
 */

struct new_table {
    struct schema_run *r;
    const struct cql_table_tree *x;
    struct store_column *columns; /* as written, then ordered */
    uint32_t count, clustering;
};

static err_t columns_take(struct new_table *n)
{
    struct schema_run *r = n->r;
    struct cql_prepare types = schema_types(r);
    n->columns = arena_take(r->a, (n->x->column_count + 1) * sizeof(*n->columns));
    if (!n->columns) return diag_fail(r->d, ERR_NO_MEMORY, "no memory for the columns");
    for (uint32_t i = 0; i < n->x->column_count; i++) {
        struct store_column *c = &n->columns[n->count++];
        c->name = n->x->columns[i].name;
        c->role = n->x->columns[i].is_static ? COLUMN_STATIC : COLUMN_REGULAR;
        err_t e = cql_type_resolve(n->x->columns[i].type, &types, &c->type);
        if (e) return e;
        for (uint16_t k = 0; k < c->type->count; k++)
            if (c->type->kind == TYPE_STRUCT && cql_type_is_multicell(c->type) &&
                cql_type_is_multicell(c->type->items[k]))
                return diag_fail(r->d, ERR_INVALID,
                                 "Non-frozen UDTs with nested non-frozen collections are not "
                                 "supported");
    }
    return ERR_OK;
}

static struct store_column *column_named(const struct new_table *n, struct slice name)
{
    for (uint32_t i = 0; i < n->count; i++)
        if (slice_equal(n->columns[i].name, name)) return &n->columns[i];
    return NULL;
}

static err_t key_column_check(struct new_table *n, const struct store_column *c)
{
    struct schema_run *r = n->r;
    char text[400];
    struct buf b = buf_over(text, sizeof(text));
    if (cql_type_is_multicell(c->type)) {
        schema_put_type(&b, c->type);
        return diag_fail(r->d, ERR_INVALID,
                         "Invalid non-frozen %s type %.*s for PRIMARY KEY column '%.*s'",
                         c->type->kind == TYPE_STRUCT ? "user-defined" : "collection",
                         SLICE_ARG(buf_view(&b)), SLICE_ARG(c->name));
    }
    if (c->type->kind == TYPE_COUNTER)
        return diag_fail(r->d, ERR_INVALID,
                         "counter type is not supported for PRIMARY KEY column '%.*s'",
                         SLICE_ARG(c->name));
    if (type_references(c->type, TYPE_DURATION))
        return diag_fail(r->d, ERR_INVALID,
                         "duration type is not supported for PRIMARY KEY column '%.*s'",
                         SLICE_ARG(c->name));
    if (c->role == COLUMN_STATIC)
        return diag_fail(r->d, ERR_INVALID,
                         "Static column '%.*s' cannot be part of the PRIMARY KEY",
                         SLICE_ARG(c->name));
    return ERR_OK;
}

static err_t key_column_take(struct new_table *n, struct slice name, enum column_role role,
                             uint32_t position)
{
    struct schema_run *r = n->r;
    struct store_column *c = column_named(n, name);
    if (!c)
        return diag_fail(r->d, ERR_INVALID,
                         "Unknown column '%.*s' referenced in PRIMARY KEY for table '%.*s'",
                         SLICE_ARG(name), SLICE_ARG(r->name));
    if (c->role == COLUMN_PARTITION || c->role == COLUMN_CLUSTERING)
        return diag_fail(r->d, ERR_INVALID,
                         "Duplicate column '%.*s' in PRIMARY KEY clause for table '%.*s'",
                         SLICE_ARG(name), SLICE_ARG(r->name));
    err_t e = key_column_check(n, c);
    c->role = role;
    c->position = (uint16_t)position;
    n->clustering += role == COLUMN_CLUSTERING;
    return e;
}

static err_t key_take(struct new_table *n)
{
    err_t e = ERR_OK;
    for (uint32_t i = 0; i < n->x->column_count && !n->x->has_key; i++)
        if (n->x->columns[i].is_primary_key)
            return key_column_take(n, n->x->columns[i].name, COLUMN_PARTITION, 0);
    for (uint32_t i = 0; i < n->x->partition_count && !e; i++)
        e = key_column_take(n, n->x->partition[i], COLUMN_PARTITION, i);
    for (uint32_t i = 0; i < n->x->clustering_count && !e; i++)
        e = key_column_take(n, n->x->clustering[i], COLUMN_CLUSTERING, i);
    return e;
}

static err_t order_take(struct new_table *n)
{
    struct schema_run *r = n->r;
    char text[400];
    struct buf b = buf_over(text, sizeof(text));
    const struct cql_table_tree *x = n->x;
    for (uint32_t i = 0; i < x->order_count; i++) {
        const struct store_column *c = column_named(n, x->order[i].column);
        if (c && c->role == COLUMN_CLUSTERING) continue;
        buf_printf(&b, "%s%.*s", b.len ? ", " : "", SLICE_ARG(x->order[i].column));
    }
    if (b.len)
        return diag_fail(r->d, ERR_INVALID,
                         "Only clustering key columns can be defined in CLUSTERING ORDER "
                         "directive: [%.*s] are not clustering columns",
                         SLICE_ARG(buf_view(&b)));
    for (uint32_t i = 0; i < x->order_count; i++) {
        struct store_column *c = column_named(n, x->order[i].column);
        c->descending = x->order[i].descending;
        if (c->position == i) continue;
        for (uint32_t k = 0; k < x->order_count; k++)
            if (slice_equal(x->order[k].column, x->clustering[i]))
                return diag_fail(r->d, ERR_INVALID,
                                 "The order of columns in the CLUSTERING ORDER directive must "
                                 "match that of the clustering columns (%.*s must appear before "
                                 "%.*s)",
                                 SLICE_ARG(x->clustering[i]), SLICE_ARG(c->name));
        return diag_fail(r->d, ERR_INVALID, "Missing CLUSTERING ORDER for column %.*s",
                         SLICE_ARG(x->clustering[i]));
    }
    return ERR_OK;
}

static err_t others_check(struct new_table *n, const struct table_options *o, bool *counter)
{
    struct schema_run *r = n->r;
    bool statics = false, others = false;
    *counter = false;
    for (uint32_t i = 0; i < n->count; i++) {
        const struct store_column *c = &n->columns[i];
        if (c->role != COLUMN_REGULAR && c->role != COLUMN_STATIC) continue;
        statics |= c->role == COLUMN_STATIC;
        *counter |= c->type->kind == TYPE_COUNTER;
        others |= c->type->kind != TYPE_COUNTER;
    }
    if (statics && n->clustering == 0)
        return diag_fail(r->d, ERR_INVALID,
                         "Static columns are only useful (and thus allowed) if the table has at "
                         "least one clustering column");
    if (*counter && others)
        return diag_fail(r->d, ERR_INVALID,
                         "Cannot mix counter and non counter columns in the same table");
    if (*counter && !slice_is(o->value[OPTION_default_time_to_live], "0"))
        return diag_fail(r->d, ERR_INVALID,
                         "Cannot set default_time_to_live on a table with counters");
    return ERR_OK;
}

static err_t id_take(struct schema_run *r, struct store_table *t)
{
    struct slice text = r->t->table->id;
    for (uint32_t i = 0; i < r->t->properties.count && !text.at; i++)
        if (slice_is(r->t->properties.items[i].name, "id")) text = r->t->properties.items[i].value;
    if (!text.at) return ERR_OK;
    struct uuid id;
    if (!uuid_parse(text, &id)) return diag_fail(r->d, ERR_SCHEMA_CONFIG, "Invalid table id");
    memcpy(t->id, id.at, 16);
    return ERR_OK;
}

static err_t table_build(struct schema_run *r, const struct table_options *o, struct store_table *t)
{
    struct new_table n = {.r = r, .x = r->t->table};
    err_t e = columns_take(&n);
    if (!e) e = key_take(&n);
    if (!e) e = order_take(&n);
    if (!e) e = others_check(&n, o, &t->counter);
    if (!e) e = id_take(r, t);
    if (e) return e;
    if (!schema_name_is_word(r->name))
        return diag_fail(r->d, ERR_SCHEMA_CONFIG,
                         "%.*s.%.*s: Table name must not be empty, more than %d characters long, "
                         "or contain non-alphanumeric-underscore characters (got \"%.*s\")",
                         SLICE_ARG(r->keyspace), SLICE_ARG(r->name), SCHEMA_NAME_MAX,
                         SLICE_ARG(r->name));
    schema_order_columns(n.columns, n.count);
    t->columns = n.columns;
    t->column_count = n.count;
    e = table_options_give(o, r->a, t);
    return e ? diag_fail(r->d, e, "no memory for the table's options") : ERR_OK;
}

err_t schema_create_table(struct schema_run *r)
{
    struct table_options o = table_options_default();
    struct store_table t = {.keyspace = r->keyspace, .name = r->name};
    const struct store_table *made;
    if (r->t->table->compact_storage)
        return diag_fail(r->d, ERR_INVALID,
                         "Creation of new COMPACT STORAGE tables is not allowed");
    err_t e = schema_need_keyspace(r);
    if (e) return e;
    if (store_table_find(r->store, r->keyspace, r->name)) {
        if (r->t->if_not_exists) return ERR_OK;
        r->call->error_keyspace = r->keyspace;
        r->call->error_table = r->name;
        return diag_fail(r->d, ERR_EXISTS,
                         "Cannot add already existing table \"%.*s\" to keyspace \"%.*s\"",
                         SLICE_ARG(r->name), SLICE_ARG(r->keyspace));
    }
    e = table_options_take(&r->t->properties, r->a, &o, r->d);
    if (!e) e = table_build(r, &o, &t);
    if (!e) e = store_table_create(r->store, &t, &made, r->d);
    if (e) return e;
    schema_changed(r, "CREATED", "TABLE", r->name);
    return ERR_OK;
}

err_t schema_drop_table(struct schema_run *r)
{
    if (!store_table_find(r->store, r->keyspace, r->name)) {
        if (r->t->if_exists) return ERR_OK;
        return diag_fail(r->d, ERR_INVALID, "Table '%.*s.%.*s' doesn't exist",
                         SLICE_ARG(r->keyspace), SLICE_ARG(r->name));
    }
    err_t e = store_table_drop(r->store, r->keyspace, r->name, r->d);
    if (!e) schema_changed(r, "DROPPED", "TABLE", r->name);
    return e;
}
