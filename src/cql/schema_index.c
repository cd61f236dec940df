/* schema_index: CREATE INDEX (the old kind and SAI), DROP INDEX. */
#include "cql/schema.h"
#include <ctype.h>

#define SAI_CLASS  "org.apache.cassandra.index.sai.StorageAttachedIndex"
#define SASI_CLASS "org.apache.cassandra.index.sasi.SASIIndex"

struct indexing {
    struct schema_run *r;
    const struct cql_index_tree *x;
    const struct store_table *table;
    bool custom;
    struct slice class_name;
    struct option_pairs options;
    const struct store_column *column;
    int target; /* of the tree, plain made values of a collection */
    struct store_index index;
};

/* --- looking up
 * -------------------------------------------------------------------------------------------------
 */

const struct store_table *schema_indexed_table(struct cql *c, struct slice keyspace,
                                               struct slice index, struct arena *a, uint32_t *at)
{
    struct schema_list l;
    if (schema_list(c, LIST_STORE, keyspace, a, &l)) return NULL;
    for (uint32_t i = 0; i < l.table_count; i++)
        for (*at = 0; *at < l.tables[i]->index_count; ++*at)
            if (slice_equal(l.tables[i]->indexes[*at].name, index)) return l.tables[i];
    return NULL;
}

/* --- what was written
 * -------------------------------------------------------------------------------------------- */

static err_t attributes_take(struct indexing *n)
{
    struct schema_run *r = n->r;
    const struct cql_property *options = NULL;
    n->custom = n->x->custom;
    n->class_name = n->x->using.at ? n->x->using : SLICE("legacy_local_table");
    if (!n->custom && slice_equal_nocase(n->class_name, SLICE("legacy_local_table")))
        n->class_name = (struct slice){0};
    else
        n->custom = true;
    for (uint32_t i = 0; i < r->t->properties.count; i++) {
        const struct cql_property *p = &r->t->properties.items[i];
        if (!slice_is(p->name, "options"))
            return diag_fail(r->d, ERR_SYNTAX, "Unknown property '%.*s'", SLICE_ARG(p->name));
        if (options)
            return diag_fail(r->d, ERR_SYNTAX, "Multiple definitions for property 'options'");
        options = p;
    }
    if (options && !n->custom)
        return diag_fail(r->d, ERR_INVALID, "Cannot specify options for a non-CUSTOM index");
    err_t e = options ? option_pairs_of(options, &n->options, r->d) : ERR_OK;
    if (e) return e;
    static const char *const own[] = {"class_name", "target"};
    for (size_t i = 0; i < COUNT_OF(own); i++)
        if (option_pair(&n->options, own[i]))
            return diag_fail(r->d, ERR_INVALID, "Cannot specify %s as a CUSTOM option", own[i]);
    if (slice_is(n->class_name, SASI_CLASS))
        return diag_fail(r->d, ERR_INVALID,
                         "SASI indexes are disabled. Enable in cassandra.yaml to use.");
    return ERR_OK;
}

static bool is_collection(const struct type *t)
{
    return t->kind == TYPE_LIST || t->kind == TYPE_SET || t->kind == TYPE_MAP;
}

static err_t targets_take(struct indexing *n)
{
    struct schema_run *r = n->r;
    const struct cql_index_tree *x = n->x;
    for (uint32_t i = 0; i < x->target_count; i++) {
        const struct store_column *c = store_column_find(n->table, x->targets[i].column);
        if (c) continue;
        char text[300];
        struct buf b = buf_over(text, sizeof(text));
        cql_put_name(&b, x->targets[i].column);
        buf_text(&b, " in table ");
        put_table_name(&b, n->table);
        return diag_fail(r->d, ERR_INVALID, "Undefined column name %.*s", SLICE_ARG(buf_view(&b)));
    }
    if (x->target_count == 0 && !n->custom)
        return diag_fail(r->d, ERR_INVALID,
                         "Only CUSTOM indexes can be created without specifying a target column");
    if (x->target_count > 1 && !n->custom)
        return diag_fail(r->d, ERR_INVALID, "Only CUSTOM indexes support multiple columns");
    for (uint32_t i = 0; i < x->target_count; i++)
        for (uint32_t k = 0; k < i; k++)
            if (slice_equal(x->targets[i].column, x->targets[k].column))
                return diag_fail(r->d, ERR_INVALID, "Duplicate column '%.*s' in index target list",
                                 SLICE_ARG(x->targets[i].column));
    if (x->target_count == 0) return diag_fail(r->d, ERR_INVALID, "Missing target column");
    n->column = store_column_find(n->table, x->targets[0].column);
    n->target = (int)x->targets[0].kind;
    if (n->target == TARGET_VALUES_PLAIN && is_collection(n->column->type))
        n->target = TARGET_VALUES;
    return ERR_OK;
}

static const char *target_name(int target)
{
    static const char *const names[] = {[TARGET_VALUES_PLAIN] = "",
                                        [TARGET_VALUES] = "values",
                                        [TARGET_KEYS] = "keys",
                                        [TARGET_ENTRIES] = "entries",
                                        [TARGET_FULL] = "full"};
    return names[target];
}

/* --- what may be indexed
 * -------------------------------------------------------------------------------------------- */

static uint32_t partition_columns(const struct store_table *t)
{
    uint32_t n = 0;
    while (n < t->column_count && t->columns[n].role == COLUMN_PARTITION) n++;
    return n;
}

static err_t durations_check(struct indexing *n)
{
    const struct type *t = n->column->type;
    if (!type_references(t, TYPE_DURATION)) return ERR_OK;
    return diag_fail(n->r->d, ERR_INVALID, "Secondary indexes are not supported on %s",
                     is_collection(t)         ? "collections containing durations"
                     : t->kind == TYPE_TUPLE  ? "tuples containing durations"
                     : t->kind == TYPE_STRUCT ? "UDTs containing durations"
                                              : "duration columns");
}

static err_t target_check(struct indexing *n)
{
    struct diag *d = n->r->d;
    const struct store_column *c = n->column;
    bool frozen = is_collection(c->type) && c->type->frozen;
    char quoted[200];
    struct buf b = buf_over(quoted, sizeof(quoted));
    cql_put_name(&b, c->name);
    if (n->custom && !schema_name_is_valid(c->name))
        return diag_fail(d, ERR_INVALID,
                         "Column '%.*s' is longer than the permissible name length of %d "
                         "characters or contains non-alphanumeric-underscore characters",
                         SLICE_ARG(c->name), SCHEMA_NAME_MAX);
    err_t e = durations_check(n);
    if (e) return e;
    if (c->role == COLUMN_PARTITION && partition_columns(n->table) == 1)
        return diag_fail(d, ERR_INVALID,
                         "Cannot create secondary index on the only partition key column %.*s",
                         SLICE_ARG(c->name));
    if (frozen && n->target != TARGET_FULL)
        return diag_fail(d, ERR_INVALID,
                         "Cannot create %s() index on frozen column %.*s. Frozen collections are "
                         "immutable and must be fully indexed by using the 'full(%.*s)' modifier",
                         target_name(n->target), SLICE_ARG(c->name), SLICE_ARG(buf_view(&b)));
    if (!frozen && n->target == TARGET_FULL)
        return diag_fail(d, ERR_INVALID,
                         "full() indexes can only be created on frozen collections");
    if (!is_collection(c->type) && n->target != TARGET_VALUES_PLAIN)
        return diag_fail(d, ERR_INVALID,
                         "Cannot create %s() index on %.*s. Non-collection columns only support "
                         "simple indexes",
                         target_name(n->target), SLICE_ARG(c->name));
    if (c->type->kind != TYPE_MAP && (n->target == TARGET_KEYS || n->target == TARGET_ENTRIES))
        return diag_fail(d, ERR_INVALID,
                         "Cannot create index on %s of column %.*s with non-map type",
                         target_name(n->target), SLICE_ARG(c->name));
    if (c->type->kind == TYPE_STRUCT && cql_type_is_multicell(c->type))
        return diag_fail(d, ERR_INVALID, "Cannot create index on non-frozen UDT column %.*s",
                         SLICE_ARG(c->name));
    return ERR_OK;
}

static bool is_sai(struct slice class_name)
{
    return slice_equal_nocase(class_name, SLICE("sai")) ||
           slice_equal_nocase(class_name, SLICE("StorageAttachedIndex")) ||
           slice_is(class_name, SAI_CLASS);
}

/* Case folding and the like would change what a query finds: only their defaults are served. */
static err_t sai_options_check(struct indexing *n)
{
    static const struct {
        const char *name, *usual;
    } known[] = {{"case_sensitive", "true"}, {"normalize", "false"}, {"ascii", "false"}};
    struct option_pairs rest = n->options;
    for (size_t i = 0; i < COUNT_OF(known); i++) {
        const struct slice *v = option_pair(&rest, known[i].name);
        if (v && !slice_equal_nocase(*v, slice_of(known[i].usual)))
            return diag_fail(n->r->d, ERR_INVALID,
                             "The index option '%s' = '%.*s' is not supported by Sluice yet",
                             known[i].name, SLICE_ARG(*v));
        option_pair_remove(&rest, known[i].name);
    }
    if (!rest.count) return ERR_OK;
    char names[200];
    struct buf b = buf_over(names, sizeof(names));
    put_pair_names(&b, &rest);
    return diag_fail(n->r->d, ERR_SCHEMA_CONFIG,
                     "Properties specified %.*s are not understood by StorageAttachedIndex",
                     SLICE_ARG(buf_view(&b)));
}

static bool sai_takes(const struct type *t)
{
    switch (t->kind) {
    case TYPE_BLOB:
    case TYPE_DURATION:
    case TYPE_COUNTER:
    case TYPE_JSON: return false;
    case TYPE_LIST:
    case TYPE_SET:
    case TYPE_MAP:
    case TYPE_TUPLE:
    case TYPE_STRUCT: return t->frozen || t->kind == TYPE_TUPLE;
    default: return true;
    }
}

static err_t sai_check(struct indexing *n)
{
    struct schema_run *r = n->r;
    const struct type *t = n->column->type;
    const struct type *parts[2] = {t, NULL};
    if (n->x->target_count > 1)
        return diag_fail(r->d, ERR_INVALID,
                         "A storage-attached index cannot be created over multiple columns: %.*s",
                         SLICE_ARG(n->index.target));
    for (uint32_t i = 0; i < n->table->index_count; i++)
        if (n->table->indexes[i].sai && slice_equal(n->table->indexes[i].target, n->index.target))
            return diag_fail(r->d, ERR_INVALID,
                             "Cannot create more than one storage-attached index on the same "
                             "column: %.*s",
                             SLICE_ARG(n->column->name));
    err_t e = sai_options_check(n);
    if (e) return e;
    if (n->target == TARGET_KEYS) parts[0] = t->items[0];
    if (n->target == TARGET_VALUES) parts[0] = t->items[t->kind == TYPE_MAP];
    if (n->target == TARGET_ENTRIES) {
        parts[0] = t->items[0];
        parts[1] = t->items[1];
    }
    for (int i = 0; i < 2 && parts[i]; i++) {
        if (sai_takes(parts[i])) continue;
        char text[200];
        struct buf b = buf_over(text, sizeof(text));
        cql_type_put(&b, parts[i]);
        return diag_fail(r->d, ERR_INVALID, "Unsupported type: %.*s", SLICE_ARG(buf_view(&b)));
    }
    return ERR_OK;
}

static err_t class_check(struct indexing *n)
{
    if (!n->custom) return ERR_OK;
    n->index.sai = is_sai(n->class_name);
    if (n->index.sai) return sai_check(n);
    return diag_fail(n->r->d, ERR_SCHEMA_CONFIG, "Unable to find custom indexer class '%.*s'",
                     SLICE_ARG(n->class_name));
}

/* --- making it
 * --------------------------------------------------------------------------------------------------------
 */

static err_t target_text(struct indexing *n)
{
    struct buf b = buf_make(KIB(16));
    for (uint32_t i = 0; i < n->x->target_count; i++) {
        int kind = i ? (int)n->x->targets[i].kind : n->target;
        if (i) buf_text(&b, ", ");
        if (kind != TARGET_VALUES_PLAIN) buf_printf(&b, "%s(", target_name(kind));
        cql_put_name(&b, n->x->targets[i].column);
        if (kind != TARGET_VALUES_PLAIN) buf_char(&b, ')');
    }
    n->index.target = arena_slice(n->r->a, buf_view(&b));
    err_t e = b.err || !n->index.target.at ? ERR_NO_MEMORY : ERR_OK;
    buf_done(&b);
    return e ? diag_fail(n->r->d, e, "no memory for the index's target") : ERR_OK;
}

/* table_column_idx without what is no word's character; _1, _2 … where that is taken. */
static err_t name_make(struct indexing *n)
{
    struct schema_run *r = n->r;
    struct buf b = buf_make(KIB(4));
    uint32_t at;
    if (r->name.len) {
        n->index.name = r->name;
        return ERR_OK;
    }
    struct slice parts[] = {n->table->name, SLICE("_"), n->column->name, SLICE("_idx")};
    for (size_t i = 0; i < COUNT_OF(parts); i++)
        for (uint32_t k = 0; k < parts[i].len; k++)
            if (isalnum(parts[i].at[k]) || parts[i].at[k] == '_')
                buf_char(&b, (char)parts[i].at[k]);
    size_t base = b.len;
    for (int i = 1; schema_indexed_table(r->cql, r->keyspace, buf_view(&b), r->a, &at); i++) {
        b.len = base;
        buf_printf(&b, "_%d", i);
    }
    n->index.name = arena_slice(r->a, buf_view(&b));
    err_t e = b.err || !n->index.name.at ? ERR_NO_MEMORY : ERR_OK;
    buf_done(&b);
    return e ? diag_fail(r->d, e, "no memory for the index's name") : ERR_OK;
}

static bool same_options(const struct indexing *n, const struct store_index *x)
{
    bool same = x->option_count == n->options.count;
    for (uint32_t i = 0; i < x->option_count && same; i++) {
        char name[64];
        const struct slice *v = slice_to_cstr(x->options[i].name, name, sizeof(name))
                                    ? option_pair(&n->options, name)
                                    : NULL;
        same = v && slice_equal(*v, x->options[i].value);
    }
    return same;
}

static const struct store_index *equal_index(const struct indexing *n)
{
    for (uint32_t i = 0; i < n->table->index_count; i++) {
        const struct store_index *x = &n->table->indexes[i];
        if (slice_equal(x->target, n->index.target) && slice_equal(x->class_name, n->class_name) &&
            same_options(n, x))
            return x;
    }
    return NULL;
}

static err_t index_put(struct indexing *n)
{
    static const enum store_index_kind kinds[] = {[TARGET_VALUES_PLAIN] = INDEX_VALUES,
                                                  [TARGET_VALUES] = INDEX_VALUES,
                                                  [TARGET_KEYS] = INDEX_KEYS,
                                                  [TARGET_ENTRIES] = INDEX_ENTRIES,
                                                  [TARGET_FULL] = INDEX_FULL};
    struct schema_run *r = n->r;
    struct store_table wanted = *n->table;
    const struct store_table *made;
    uint32_t count = n->table->index_count, at = 0;
    struct store_index *all = arena_take(r->a, (count + 1) * sizeof(*all));
    struct store_option *options = arena_take(r->a, (n->options.count + 1) * sizeof(*options));
    if (!all || !options) return diag_fail(r->d, ERR_NO_MEMORY, "no memory for the indexes");
    memcpy(options, n->options.at, n->options.count * sizeof(*options));
    n->index.options = options;
    n->index.option_count = n->options.count;
    n->index.kind = kinds[n->target];
    n->index.column = n->column->id;
    n->index.class_name = n->class_name;
    while (at < count && slice_compare(n->table->indexes[at].name, n->index.name) < 0) at++;
    for (uint32_t i = 0; i < count; i++) all[i + (i >= at)] = n->table->indexes[i];
    all[at] = n->index;
    wanted.indexes = all;
    wanted.index_count = count + 1;
    return store_table_alter(r->store, n->table, &wanted, &made, r->d);
}

static err_t index_check(struct indexing *n)
{
    struct schema_run *r = n->r;
    uint32_t at;
    err_t e = attributes_take(n);
    if (!e) e = schema_need_keyspace(r);
    if (e) return e;
    n->table = store_table_find(r->store, r->keyspace, n->x->table.name);
    if (!n->table)
        return diag_fail(r->d, ERR_INVALID, "Table '%.*s' doesn't exist",
                         SLICE_ARG(n->x->table.name));
    if (r->name.len && schema_indexed_table(r->cql, r->keyspace, r->name, r->a, &at)) {
        if (r->t->if_not_exists) return ERR_EXISTS;
        (void)diag_fail(r->d, ERR_INVALID, "Index '%.*s' already exists", SLICE_ARG(r->name));
        return ERR_INVALID;
    }
    if (n->table->counter)
        return diag_fail(r->d, ERR_INVALID, "Secondary indexes on counter tables aren't supported");
    e = targets_take(n);
    if (!e) e = target_check(n);
    if (!e) e = target_text(n);
    return e ? e : name_make(n);
}

err_t schema_create_index(struct schema_run *r)
{
    struct indexing *n = arena_take(r->a, sizeof(*n));
    if (!n) return diag_fail(r->d, ERR_NO_MEMORY, "no memory for an index");
    n->r = r;
    n->x = r->t->index;
    err_t e = index_check(n);
    if (e == ERR_EXISTS) return ERR_OK;
    if (e) return e;
    const struct store_index *equal = equal_index(n);
    if (equal) {
        if (r->t->if_not_exists) return ERR_OK;
        return diag_fail(r->d, ERR_INVALID, "Index %.*s is a duplicate of existing index %.*s",
                         SLICE_ARG(n->index.name), SLICE_ARG(equal->name));
    }
    if (!schema_name_is_word(n->index.name))
        return diag_fail(r->d, ERR_SCHEMA_CONFIG, "Illegal index name %.*s",
                         SLICE_ARG(n->index.name));
    e = class_check(n);
    if (!e) e = index_put(n);
    if (!e) schema_changed(r, "UPDATED", "TABLE", n->table->name);
    return e;
}

err_t schema_drop_index(struct schema_run *r)
{
    uint32_t at = 0;
    const struct store_table *made;
    const struct store_table *t = schema_indexed_table(r->cql, r->keyspace, r->name, r->a, &at);
    if (!t) {
        if (r->t->if_exists) return ERR_OK;
        return diag_fail(r->d, ERR_INVALID, "Index '%.*s.%.*s' doesn't exist'",
                         SLICE_ARG(r->keyspace), SLICE_ARG(r->name));
    }
    struct store_table wanted = *t;
    struct store_index *left = arena_take(r->a, t->index_count * sizeof(*left));
    if (!left) return diag_fail(r->d, ERR_NO_MEMORY, "no memory for the indexes");
    for (uint32_t i = 0; i < t->index_count; i++)
        if (i != at) left[i - (i > at)] = t->indexes[i];
    wanted.indexes = left;
    wanted.index_count--;
    err_t e = store_table_alter(r->store, t, &wanted, &made, r->d);
    if (!e) schema_changed(r, "UPDATED", "TABLE", t->name);
    return e;
}
