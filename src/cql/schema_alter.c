/* schema_alter: ALTER TABLE: columns added, dropped, renamed; options. */
#include "cql/schema.h"

struct altering {
    struct schema_run *r;
    const struct store_table *now;
    struct store_table wanted;
    struct store_column *columns; /* of wanted, with room for the new ones */
    struct store_dropped *dropped;
};

static struct store_column *find(struct altering *x, struct slice name)
{
    for (uint32_t i = 0; i < x->wanted.column_count; i++)
        if (slice_equal(x->columns[i].name, name)) return &x->columns[i];
    return NULL;
}

static bool is_key(const struct store_column *c)
{
    return c->role == COLUMN_PARTITION || c->role == COLUMN_CLUSTERING;
}

static bool has_clustering(const struct store_table *t)
{
    for (uint32_t i = 0; i < t->column_count; i++)
        if (t->columns[i].role == COLUMN_CLUSTERING) return true;
    return false;
}

static struct slice table_text(struct altering *x)
{
    struct buf b = buf_make(KIB(4));
    put_table_name(&b, x->now);
    struct slice text = arena_slice(x->r->a, buf_view(&b));
    buf_done(&b);
    return text;
}

static struct slice type_text(struct altering *x, const struct type *t)
{
    struct buf b = buf_make(KIB(16));
    cql_type_put(&b, t);
    struct slice text = arena_slice(x->r->a, buf_view(&b));
    buf_done(&b);
    return text;
}

/* --- ADD
 * ------------------------------------------------------------------------------------------------------
 */

/* Values that were written as `was` can be read as `now`. */
static bool compatible(const struct type *now, const struct type *was)
{
    if (now->kind == was->kind && !type_is_nested(now)) return true;
    if (now->kind == TYPE_BLOB) return !type_is_nested(was) || was->frozen;
    if (now->kind == TYPE_TEXT && was->kind == TYPE_ASCII) return true;
    if (now->kind == TYPE_VARINT && type_is_integer(was)) return was->kind == TYPE_VARINT;
    return now->kind == was->kind && now->frozen == was->frozen && type_equal(now, was);
}

static err_t readd_check(struct altering *x, const struct cql_column_tree *c,
                         const struct type *type)
{
    struct diag *d = x->r->d;
    for (uint32_t i = 0; i < x->now->dropped_count; i++) {
        const struct store_dropped *was = &x->now->dropped[i];
        if (!slice_equal(was->name, c->name)) continue;
        if (!compatible(type, was->type))
            return diag_fail(d, ERR_INVALID,
                             "Cannot re-add previously dropped column '%.*s' of type %.*s, "
                             "incompatible with previous type %.*s",
                             SLICE_ARG(c->name), SLICE_ARG(type_text(x, type)),
                             SLICE_ARG(type_text(x, was->type)));
        if ((was->role == COLUMN_STATIC) != c->is_static)
            return diag_fail(d, ERR_INVALID,
                             "Cannot re-add previously dropped column '%.*s' of kind %s, "
                             "incompatible with previous kind %s",
                             SLICE_ARG(c->name), c->is_static ? "STATIC" : "REGULAR",
                             was->role == COLUMN_STATIC ? "STATIC" : "REGULAR");
        if (x->now->counter)
            return diag_fail(d, ERR_INVALID, "Cannot re-add previously dropped counter column %.*s",
                             SLICE_ARG(c->name));
    }
    return ERR_OK;
}

static err_t column_add(struct altering *x, const struct cql_column_tree *c)
{
    struct diag *d = x->r->d;
    struct cql_prepare types = schema_types(x->r);
    const struct type *type;
    err_t e = cql_type_resolve(c->type, &types, &type);
    if (e) return e;
    if (find(x, c->name)) {
        if (x->r->t->alter->if_not_exists) return ERR_OK;
        return diag_fail(d, ERR_INVALID, "Column with name '%.*s' already exists",
                         SLICE_ARG(c->name));
    }
    if (c->is_static && !has_clustering(x->now))
        return diag_fail(d, ERR_INVALID,
                         "Static columns are only useful (and thus allowed) if the table has at "
                         "least one clustering column");
    for (uint16_t i = 0; i < type->count; i++)
        if (type->kind == TYPE_STRUCT && cql_type_is_multicell(type) &&
            cql_type_is_multicell(type->items[i]))
            return diag_fail(d, ERR_INVALID,
                             "Non-frozen UDTs with nested non-frozen collections are not supported "
                             "for column %.*s",
                             SLICE_ARG(c->name));
    e = readd_check(x, c, type);
    if (e) return e;
    x->columns[x->wanted.column_count++] = (struct store_column){
        .name = c->name, .type = type, .role = c->is_static ? COLUMN_STATIC : COLUMN_REGULAR};
    return ERR_OK;
}

static err_t counters_check(struct altering *x)
{
    struct schema_run *r = x->r;
    for (uint32_t i = 0; i < x->wanted.column_count; i++) {
        const struct store_column *c = &x->columns[i];
        bool counter = c->type->kind == TYPE_COUNTER;
        if (is_key(c) || counter == x->now->counter) continue;
        return diag_fail(
            r->d, ERR_SCHEMA_CONFIG,
            "%.*s.%.*s: Cannot have a %scounter column (\"%.*s\") in a %scounter table",
            SLICE_ARG(x->now->keyspace), SLICE_ARG(x->now->name), counter ? "" : "non ",
            SLICE_ARG(c->name), counter ? "non " : "");
    }
    return ERR_OK;
}

static err_t columns_add(struct altering *x)
{
    const struct cql_alter *a = x->r->t->alter;
    err_t e = ERR_OK;
    for (uint32_t i = 0; i < a->column_count && !e; i++) e = column_add(x, &a->columns[i]);
    return e ? e : counters_check(x);
}

/* --- DROP
 * -----------------------------------------------------------------------------------------------------
 */

/* "a_idx, b_idx": the indexes on a column; at NULL: none. */
static struct slice indexes_on(struct altering *x, const struct store_column *c)
{
    struct buf b = buf_make(KIB(4));
    struct slice text = {0};
    for (uint32_t i = 0; i < x->now->index_count; i++)
        if (x->now->indexes[i].column == c->id)
            buf_printf(&b, "%s%.*s", b.len ? ", " : "", SLICE_ARG(x->now->indexes[i].name));
    if (b.len) text = arena_slice(x->r->a, buf_view(&b));
    buf_done(&b);
    return text;
}

static err_t timestamp_of(struct altering *x, int64_t *out)
{
    const struct cql_node *n = x->r->t->alter->timestamp;
    *out = store_timestamp(x->r->store);
    if (!n || slice_to_i64(n->value.at ? n->value : n->text, out)) return ERR_OK;
    return diag_fail(x->r->d, ERR_INVALID, "the timestamp of DROP has to be a number");
}

static err_t column_drop(struct altering *x, struct slice name, int64_t dropped_us)
{
    struct diag *d = x->r->d;
    struct store_column *c = find(x, name);
    if (!c) {
        if (x->r->t->alter->if_exists) return ERR_OK;
        return diag_fail(d, ERR_INVALID, "Column %.*s was not found in table '%.*s'",
                         SLICE_ARG(name), SLICE_ARG(table_text(x)));
    }
    if (is_key(c))
        return diag_fail(d, ERR_INVALID, "Cannot drop PRIMARY KEY column %.*s", SLICE_ARG(name));
    if (c->type->kind == TYPE_STRUCT && cql_type_is_multicell(c->type))
        return diag_fail(d, ERR_INVALID, "Cannot drop non-frozen column %.*s of user type %.*s",
                         SLICE_ARG(name), SLICE_ARG(type_text(x, c->type)));
    struct slice indexes = indexes_on(x, c);
    if (indexes.at)
        return diag_fail(
            d, ERR_INVALID,
            "Cannot drop column %.*s because it has dependent secondary indexes (%.*s)",
            SLICE_ARG(name), SLICE_ARG(indexes));
    uint32_t at = 0; /* one that was added and dropped again stands there once, as it was last */
    while (at < x->wanted.dropped_count && !slice_equal(x->dropped[at].name, name)) at++;
    if (at == x->wanted.dropped_count) x->wanted.dropped_count++;
    x->dropped[at] = (struct store_dropped){
        .name = c->name, .type = c->type, .role = c->role, .id = c->id, .dropped_us = dropped_us};
    *c = x->columns[--x->wanted.column_count];
    return ERR_OK;
}

static err_t columns_drop(struct altering *x)
{
    const struct cql_alter *a = x->r->t->alter;
    int64_t dropped_us;
    err_t e = timestamp_of(x, &dropped_us);
    for (uint32_t i = 0; i < a->column_count && !e; i++)
        e = column_drop(x, a->columns[i].name, dropped_us);
    return e;
}

/* --- RENAME, WITH
 * ------------------------------------------------------------------------------------------------
 */

static err_t column_rename(struct altering *x, struct slice from, struct slice to)
{
    struct diag *d = x->r->d;
    struct store_column *c = find(x, from);
    if (!c) {
        char text[200];
        struct buf b = buf_over(text, sizeof(text));
        cql_put_name(&b, from);
        return diag_fail(d, ERR_INVALID, "Undefined column name %.*s in table %.*s",
                         SLICE_ARG(buf_view(&b)), SLICE_ARG(table_text(x)));
    }
    if (!is_key(c))
        return diag_fail(d, ERR_INVALID, "Cannot rename non PRIMARY KEY column %.*s",
                         SLICE_ARG(from));
    if (find(x, to))
        return diag_fail(d, ERR_INVALID,
                         "Cannot rename column %.*s to %.*s in table '%.*s'; another column with "
                         "that name already exists",
                         SLICE_ARG(from), SLICE_ARG(to), SLICE_ARG(table_text(x)));
    struct slice indexes = indexes_on(x, c);
    if (indexes.at)
        return diag_fail(d, ERR_INVALID,
                         "Can't rename column %.*s because it has dependent secondary indexes "
                         "(%.*s)",
                         SLICE_ARG(from), SLICE_ARG(indexes));
    c->name = to;
    return ERR_OK;
}

static err_t columns_rename(struct altering *x)
{
    const struct cql_alter *a = x->r->t->alter;
    err_t e = ERR_OK;
    for (uint32_t i = 0; i < a->rename_count && !e; i++) e = column_rename(x, a->from[i], a->to[i]);
    return e;
}

static err_t options_alter(struct altering *x)
{
    struct schema_run *r = x->r;
    struct table_options o;
    for (uint32_t i = 0; i < r->t->properties.count; i++)
        if (slice_is(r->t->properties.items[i].name, "id"))
            return diag_fail(r->d, ERR_SCHEMA_CONFIG, "Cannot alter table id.");
    err_t e = table_options_of(x->now, r->a, &o);
    if (!e) e = table_options_take(&r->t->properties, r->a, &o, r->d);
    if (e) return e;
    if (x->now->counter && !slice_is(o.value[OPTION_default_time_to_live], "0"))
        return diag_fail(r->d, ERR_INVALID,
                         "Cannot set default_time_to_live on a table with counters");
    return table_options_give(&o, r->a, &x->wanted);
}

/* IF [NOT] EXISTS left nothing to do, or the options were so already. */
static bool is_same(const struct altering *x)
{
    const struct store_table *a = x->now, *b = &x->wanted;
    bool same = a->column_count == b->column_count && a->dropped_count == b->dropped_count &&
                a->option_count == b->option_count && a->default_ttl == b->default_ttl &&
                a->gc_grace == b->gc_grace;
    for (uint32_t i = 0; i < a->column_count && same; i++)
        same = slice_equal(a->columns[i].name, b->columns[i].name);
    for (uint32_t i = 0; i < a->option_count && same; i++)
        same = slice_equal(a->options[i].name, b->options[i].name) &&
               slice_equal(a->options[i].value, b->options[i].value);
    return same;
}

static err_t copy_table(struct altering *x)
{
    const struct store_table *t = x->now;
    uint32_t more = x->r->t->alter->column_count;
    x->wanted = *t;
    x->columns = arena_take(x->r->a, (t->column_count + more) * sizeof(*x->columns));
    x->dropped = arena_take(x->r->a, (t->dropped_count + more + 1) * sizeof(*x->dropped));
    if (!x->columns || !x->dropped)
        return diag_fail(x->r->d, ERR_NO_MEMORY, "no memory for the table's columns");
    memcpy(x->columns, t->columns, t->column_count * sizeof(*x->columns));
    if (t->dropped_count) memcpy(x->dropped, t->dropped, t->dropped_count * sizeof(*x->dropped));
    x->wanted.columns = x->columns;
    x->wanted.dropped = x->dropped;
    return ERR_OK;
}

err_t schema_alter_table(struct schema_run *r)
{
    struct altering x = {.r = r, .now = store_table_find(r->store, r->keyspace, r->name)};
    const struct store_table *made;
    if (!x.now) {
        if (r->t->if_exists) return ERR_OK;
        return diag_fail(r->d, ERR_INVALID, "Table '%.*s.%.*s' doesn't exist",
                         SLICE_ARG(r->keyspace), SLICE_ARG(r->name));
    }
    err_t e = copy_table(&x);
    if (e) return e;
    switch (r->t->alter->kind) {
    case ALTER_ADD: e = columns_add(&x); break;
    case ALTER_DROP: e = columns_drop(&x); break;
    case ALTER_RENAME: e = columns_rename(&x); break;
    case ALTER_OPTIONS: e = options_alter(&x); break;
    case ALTER_TYPE_OF:
        return diag_fail(r->d, ERR_INVALID, "Altering column types is no longer supported");
    case ALTER_DROP_COMPACT:
        return diag_fail(r->d, ERR_INVALID,
                         "DROP COMPACT STORAGE is disabled. Enable in cassandra.yaml to use.");
    }
    if (e || is_same(&x)) return e;
    schema_order_columns(x.columns, x.wanted.column_count);
    e = store_table_alter(r->store, x.now, &x.wanted, &made, r->d);
    if (!e) schema_changed(r, "UPDATED", "TABLE", r->name);
    return e;
}
