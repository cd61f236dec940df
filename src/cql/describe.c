/* describe: DESCRIBE, server side: what cqlsh prints. Rows by page, as Cassandra pages them: by
 * their number, for one version of the schema. */
#include "cql/describe.h"
#include "cql/schema.h"
#include <ctype.h>
#include <stdlib.h>

enum { ITEMS_MAX = 1 << 20, PAGE_VERSION = 1, ROW_BYTES_MAX = 1 << 20 };

enum item_kind { ITEM_KEYSPACE, ITEM_TYPE, ITEM_TABLE, ITEM_INDEX };
struct item {
    enum item_kind kind;
    struct slice keyspace, name;
    const struct store_keyspace *k;
    const struct type *type;
    const struct store_table *table;
    const struct store_index *index;
};
struct describing {
    struct cql_call *call;
    struct cql *cql;
    struct arena *a;
    struct diag *d;
    const struct cql_describe_tree *t;
    struct vec items;
    bool listing; /* names only */
};

/* --- finding
 * -------------------------------------------------------------------------------------------------------
 */

static err_t add(struct describing *x, const struct item *i)
{
    return vec_push(&x->items, i)
               ? diag_fail(x->d, ERR_TOO_BIG, "the schema is too large to describe")
               : ERR_OK;
}

static int compare_nocase(struct slice a, struct slice b)
{
    for (uint32_t i = 0; i < a.len && i < b.len; i++)
        if (tolower(a.at[i]) != tolower(b.at[i])) return tolower(a.at[i]) - tolower(b.at[i]);
    return a.len < b.len ? -1 : a.len > b.len;
}

static int keyspace_order(const void *a, const void *b)
{
    return compare_nocase((*(const struct store_keyspace *const *)a)->name,
                          (*(const struct store_keyspace *const *)b)->name);
}

static int table_order(const void *a, const void *b)
{
    return compare_nocase((*(const struct store_table *const *)a)->name,
                          (*(const struct store_table *const *)b)->name);
}

static int index_order(const void *a, const void *b)
{
    return compare_nocase((*(const struct store_index *const *)a)->name,
                          (*(const struct store_index *const *)b)->name);
}

static int type_order(const void *a, const void *b)
{
    return slice_compare((*(const struct type *const *)a)->name,
                         (*(const struct type *const *)b)->name);
}

enum { EVERYTHING = LIST_REAL | LIST_VIRTUAL };

/* All keyspaces, or one; by name. */
static err_t list(struct describing *x, struct slice keyspace, struct schema_list *out)
{
    err_t e = schema_list(x->cql, EVERYTHING, keyspace, x->a, out);
    if (e) return diag_fail(x->d, e, "the schema can not be listed");
    if (out->keyspace_count)
        qsort((void *)out->keyspaces, out->keyspace_count, sizeof(void *), keyspace_order);
    return ERR_OK;
}

static err_t need_keyspace(struct describing *x, struct slice name, struct schema_list *out)
{
    err_t e = list(x, name, out);
    if (e || out->keyspace_count) return e;
    return diag_fail(x->d, ERR_INVALID, "'%.*s' not found in keyspaces", SLICE_ARG(name));
}

struct types {
    const struct type *at[4096];
    uint32_t count;
};

static err_t take_type(void *ctx, const struct type *t)
{
    struct types *all = ctx;
    if (all->count == COUNT_OF(all->at)) return ERR_TOO_BIG;
    all->at[all->count++] = t;
    return ERR_OK;
}

static err_t keyspace_types(struct describing *x, struct slice keyspace, struct types **out)
{
    *out = arena_take(x->a, sizeof(**out));
    if (!*out) return diag_fail(x->d, ERR_NO_MEMORY, "no memory for the types");
    err_t e = store_types(cql_options(x->cql)->store, keyspace, take_type, *out);
    if (e) return diag_fail(x->d, e, "the types can not be listed");
    if ((*out)->count) qsort((void *)(*out)->at, (*out)->count, sizeof(void *), type_order);
    return ERR_OK;
}

/* --- what belongs together
 * ------------------------------------------------------------------------------------------- */

static err_t add_table(struct describing *x, const struct store_table *t)
{
    struct item i = {.kind = ITEM_TABLE, .keyspace = t->keyspace, .name = t->name, .table = t};
    err_t e = add(x, &i);
    const struct store_index **indexes = arena_take(x->a, (t->index_count + 1) * sizeof(*indexes));
    if (!indexes) return diag_fail(x->d, ERR_NO_MEMORY, "no memory for the indexes");
    for (uint32_t k = 0; k < t->index_count; k++) indexes[k] = &t->indexes[k];
    if (t->index_count) qsort((void *)indexes, t->index_count, sizeof(*indexes), index_order);
    for (uint32_t k = 0; k < t->index_count && !e; k++) {
        i.kind = ITEM_INDEX;
        i.name = indexes[k]->name;
        i.index = indexes[k];
        e = add(x, &i);
    }
    return e;
}

/* A type after those it is made of, each once. */
static err_t add_type(struct describing *x, struct slice keyspace, const struct types *all,
                      const struct type *t, bool *done)
{
    err_t e = ERR_OK;
    for (uint16_t i = 0; i < t->count && !e; i++) e = add_type(x, keyspace, all, t->items[i], done);
    if (t->kind != TYPE_STRUCT) return e;
    for (uint32_t i = 0; i < all->count && !e; i++) {
        if (!slice_equal(all->at[i]->name, t->name) || done[i]) continue;
        done[i] = true;
        struct item item = {
            .kind = ITEM_TYPE, .keyspace = keyspace, .name = t->name, .type = all->at[i]};
        e = add(x, &item);
    }
    return e;
}

static err_t add_types(struct describing *x, struct slice keyspace)
{
    struct types *all;
    err_t e = keyspace_types(x, keyspace, &all);
    bool *done = e ? NULL : arena_take(x->a, all->count + 1);
    if (!e && !done) return diag_fail(x->d, ERR_NO_MEMORY, "no memory for the types");
    for (uint32_t i = 0; !e && i < all->count; i++)
        e = add_type(x, keyspace, all, all->at[i], done);
    return e;
}

static err_t add_keyspace(struct describing *x, const struct schema_list *l,
                          const struct store_keyspace *k, bool only)
{
    struct item i = {.kind = ITEM_KEYSPACE, .keyspace = k->name, .name = k->name, .k = k};
    err_t e = add(x, &i);
    if (e || only) return e;
    e = add_types(x, k->name);
    uint32_t first = 0, end;
    while (first < l->table_count && !slice_equal(l->tables[first]->keyspace, k->name)) first++;
    for (end = first; end < l->table_count && slice_equal(l->tables[end]->keyspace, k->name);)
        end++;
    if (end > first) qsort((void *)(l->tables + first), end - first, sizeof(void *), table_order);
    for (uint32_t t = first; t < end && !e; t++) e = add_table(x, l->tables[t]);
    return e;
}

/* --- the forms of DESCRIBE
 * --------------------------------------------------------------------------------------------- */

static struct slice current(const struct describing *x)
{
    return x->call->session->keyspace[0] ? slice_of(x->call->session->keyspace) : (struct slice){0};
}

static err_t describe_schema(struct describing *x)
{
    struct schema_list l;
    err_t e = list(x, (struct slice){0}, &l);
    for (uint32_t i = 0; i < l.keyspace_count && !e; i++)
        if (x->t->full || !virtual_keyspace_find(x->cql, l.keyspaces[i]->name))
            e = add_keyspace(x, &l, l.keyspaces[i], false);
    return e;
}

static err_t describe_keyspaces(struct describing *x)
{
    struct schema_list l;
    err_t e = list(x, (struct slice){0}, &l);
    for (uint32_t i = 0; i < l.keyspace_count && !e; i++)
        e = add_keyspace(x, &l, l.keyspaces[i], true);
    return e;
}

static err_t list_types(struct describing *x, struct slice keyspace)
{
    struct types *all;
    err_t e = keyspace_types(x, keyspace, &all);
    for (uint32_t i = 0; !e && i < all->count; i++) {
        struct item item = {
            .kind = ITEM_TYPE, .keyspace = keyspace, .name = all->at[i]->name, .type = all->at[i]};
        e = add(x, &item);
    }
    return e;
}

static err_t list_tables(struct describing *x, struct slice keyspace)
{
    struct schema_list l;
    err_t e = list(x, keyspace, &l);
    if (!e && l.table_count) qsort((void *)l.tables, l.table_count, sizeof(void *), table_order);
    for (uint32_t i = 0; !e && i < l.table_count; i++) {
        struct item item = {.kind = ITEM_TABLE,
                            .keyspace = keyspace,
                            .name = l.tables[i]->name,
                            .table = l.tables[i]};
        e = add(x, &item);
    }
    return e;
}

/* DESCRIBE TABLES, TYPES …: of the current keyspace, or of all. */
static err_t describe_listing(struct describing *x,
                              err_t (*each)(struct describing *, struct slice))
{
    struct schema_list l;
    err_t e = current(x).at ? need_keyspace(x, current(x), &l) : list(x, (struct slice){0}, &l);
    for (uint32_t i = 0; i < l.keyspace_count && !e && each; i++) e = each(x, l.keyspaces[i]->name);
    return e;
}

static const struct store_table *table_in(const struct schema_list *l, struct slice name)
{
    for (uint32_t i = 0; i < l->table_count; i++)
        if (slice_equal(l->tables[i]->name, name)) return l->tables[i];
    return NULL;
}

static err_t add_index(struct describing *x, const struct store_table *t, uint32_t at)
{
    struct item i = {.kind = ITEM_INDEX,
                     .keyspace = t->keyspace,
                     .name = t->indexes[at].name,
                     .table = t,
                     .index = &t->indexes[at]};
    return add(x, &i);
}

static err_t describe_element(struct describing *x)
{
    struct schema_list l;
    struct slice what = x->t->what, name = x->t->name.name;
    struct slice keyspace = x->t->name.keyspace.at ? x->t->name.keyspace : current(x);
    uint32_t at;
    if (!keyspace.at)
        return diag_fail(x->d, ERR_INVALID, "No keyspace specified and no current keyspace");
    err_t e = need_keyspace(x, keyspace, &l);
    if (e) return e;
    if (slice_is(what, "TABLE")) {
        const struct store_table *t = table_in(&l, name);
        if (t) return add_table(x, t);
        return diag_fail(x->d, ERR_INVALID, "Table '%.*s' not found in keyspace '%.*s'",
                         SLICE_ARG(name), SLICE_ARG(keyspace));
    }
    if (slice_is(what, "INDEX")) {
        const struct store_table *t = schema_indexed_table(x->cql, keyspace, name, x->a, &at);
        if (t) return add_index(x, t, at);
        return diag_fail(x->d, ERR_INVALID, "Table for existing index '%.*s' not found in '%.*s'",
                         SLICE_ARG(name), SLICE_ARG(keyspace));
    }
    const char *kind = "User defined aggregate";
    if (slice_is(what, "TYPE")) {
        const struct type *t = store_type_find(cql_options(x->cql)->store, keyspace, name);
        struct item i = {.kind = ITEM_TYPE, .keyspace = keyspace, .name = name, .type = t};
        if (t) return add(x, &i);
        kind = "User defined type";
    }
    if (slice_is(what, "MATERIALIZED VIEW")) kind = "Materialized view";
    if (slice_is(what, "FUNCTION")) kind = "User defined function";
    return diag_fail(x->d, ERR_INVALID, "%s '%.*s' not found in '%.*s'", kind, SLICE_ARG(name),
                     SLICE_ARG(keyspace));
}

static err_t describe_one_keyspace(struct describing *x, struct slice name)
{
    struct schema_list l;
    err_t e = need_keyspace(x, name, &l);
    return e ? e : add_keyspace(x, &l, l.keyspaces[0], x->t->only);
}

/* DESCRIBE name: a keyspace, or a table, or an index. */
static err_t describe_anything(struct describing *x)
{
    struct schema_list l;
    struct slice name = x->t->name.name, keyspace = x->t->name.keyspace;
    uint32_t at;
    err_t e = ERR_OK;
    if (!keyspace.at) {
        e = list(x, name, &l);
        if (e) return e;
        if (l.keyspace_count) return add_keyspace(x, &l, l.keyspaces[0], false);
        keyspace = current(x).at ? current(x) : name;
    }
    e = need_keyspace(x, keyspace, &l);
    if (e) return e;
    const struct store_table *t = table_in(&l, name);
    if (t) return add_table(x, t);
    t = schema_indexed_table(x->cql, keyspace, name, x->a, &at);
    if (t) return add_index(x, t, at);
    return diag_fail(x->d, ERR_INVALID, "'%.*s' not found in keyspace '%.*s'", SLICE_ARG(name),
                     SLICE_ARG(keyspace));
}

static err_t find_items(struct describing *x)
{
    struct slice what = x->t->what;
    if (!what.at) return describe_anything(x);
    x->listing = true;
    if (slice_is(what, "KEYSPACES")) return describe_keyspaces(x);
    if (slice_is(what, "TABLES")) return describe_listing(x, list_tables);
    if (slice_is(what, "TYPES")) return describe_listing(x, list_types);
    if (slice_is(what, "FUNCTIONS") || slice_is(what, "AGGREGATES"))
        return describe_listing(x, NULL);
    x->listing = false;
    if (slice_is(what, "SCHEMA")) return describe_schema(x);
    if (!slice_is(what, "KEYSPACE")) return describe_element(x);
    struct slice name = x->t->name.name.at ? x->t->name.name : current(x);
    if (!name.at)
        return diag_fail(x->d, ERR_INVALID, "No keyspace specified and no current keyspace");
    return describe_one_keyspace(x, name);
}

/* --- the result
 * ----------------------------------------------------------------------------------------------------------
 */

static err_t columns_make(struct cql_call *c, const char *const *names, uint32_t count)
{
    struct cql_column *columns = arena_take(c->arena, count * sizeof(*columns));
    if (!columns) return diag_fail(&c->diag, ERR_NO_MEMORY, "no memory for the result");
    for (uint32_t i = 0; i < count; i++)
        columns[i] = (struct cql_column){SLICE("system"), SLICE("describe"), slice_of(names[i]),
                                         type_of(TYPE_TEXT)};
    c->result.kind = CQL_ROWS;
    c->result.metadata = (struct cql_metadata){.columns = columns, .count = count};
    cql_result_id(&c->result.metadata);
    c->result.metadata_changed = true; /* nobody could know it when the statement was prepared */
    c->result.rows = buf_make(CQL_RESULT_BYTES_MAX);
    return ERR_OK;
}

static void put_value(struct buf *rows, struct slice s)
{
    buf_be(rows, s.len, 4);
    buf_slice(rows, s);
}

static void put_quoted(struct buf *rows, struct slice name)
{
    char room[2200];
    struct buf b = buf_over(room, sizeof(room));
    cql_put_name(&b, name);
    put_value(rows, b.err ? name : buf_view(&b));
}

static err_t put_item(struct describing *x, const struct item *i)
{
    static const char *const kinds[] = {"keyspace", "type", "table", "index"};
    struct buf *rows = &x->call->result.rows;
    struct buf text = buf_make(ROW_BYTES_MAX);
    err_t e = ERR_OK;
    put_quoted(rows, i->keyspace);
    put_value(rows, slice_of(kinds[i->kind]));
    put_quoted(rows, i->name);
    if (x->listing) return rows->err;
    switch (i->kind) {
    case ITEM_KEYSPACE: describe_keyspace(&text, x->cql, i->k); break;
    case ITEM_TYPE: describe_type(&text, i->keyspace, i->type); break;
    case ITEM_TABLE: e = describe_table(&text, i->table, x->t->with_internals, x->a); break;
    case ITEM_INDEX: e = describe_index(&text, i->table, i->index, x->a); break;
    }
    if (!e) e = text.err;
    put_value(rows, buf_view(&text));
    buf_done(&text);
    return e ? e : rows->err;
}

/* Which row a page begins with. */
static err_t page_begin(struct describing *x, uint64_t *from)
{
    struct slice state = x->call->params.paging_state;
    uint8_t version[16];
    *from = 0;
    if (!state.at) return ERR_OK;
    struct cursor c = cursor_of(state);
    if (cursor_i16(&c) != PAGE_VERSION)
        return diag_fail(x->d, ERR_INVALID, "Incompatible paging state");
    struct slice release = cursor_slice(&c, (uint16_t)cursor_i16(&c));
    struct slice schema = cursor_slice(&c, 16);
    *from = (uint64_t)cursor_i64(&c);
    if (c.err) return diag_fail(x->d, ERR_INVALID, "Invalid paging state.");
    if (!slice_is(release, CQL_RELEASE))
        return diag_fail(x->d, ERR_INVALID,
                         "The server version of the paging state %.*s is different from the one of "
                         "the server %s",
                         SLICE_ARG(release), CQL_RELEASE);
    schema_version_uuid(x->cql, version);
    if (memcmp(version, schema.at, 16) != 0)
        return diag_fail(x->d, ERR_INVALID,
                         "The schema has changed since the previous page of the DESCRIBE statement "
                         "result. Please retry the DESCRIBE statement.");
    return ERR_OK;
}

static err_t page_end(struct describing *x, uint64_t next)
{
    uint8_t room[64], version[16];
    struct buf b = buf_over(room, sizeof(room));
    schema_version_uuid(x->cql, version);
    buf_be(&b, PAGE_VERSION, 2);
    buf_be(&b, sizeof(CQL_RELEASE) - 1, 2);
    buf_text(&b, CQL_RELEASE);
    buf_put(&b, version, 16);
    buf_be(&b, next, 8);
    x->call->result.paging_state = arena_slice(x->a, buf_view(&b));
    return x->call->result.paging_state.at
               ? ERR_OK
               : diag_fail(x->d, ERR_NO_MEMORY, "no memory for the paging state");
}

static err_t put_page(struct describing *x)
{
    static const char *const names[] = {"keyspace_name", "type", "name", "create_statement"};
    struct cql_call *c = x->call;
    uint64_t from;
    err_t e = page_begin(x, &from);
    if (!e) e = columns_make(c, names, x->listing ? 3 : 4);
    if (e) return e;
    uint64_t end = x->items.count;
    bool paged = c->params.page_size > 0;
    if (paged && end - MIN(from, end) > (uint64_t)c->params.page_size)
        end = from + (uint64_t)c->params.page_size;
    for (uint64_t i = from; i < end && !e; i++) {
        e = put_item(x, vec_at(&x->items, i));
        c->result.row_count++;
    }
    if (e) return diag_fail(x->d, e, "the description does not fit one page");
    if (paged && c->result.row_count == (uint32_t)c->params.page_size) return page_end(x, end);
    return ERR_OK;
}

/* --- DESCRIBE CLUSTER
 * -----------------------------------------------------------------------------------------------------
 */

static err_t describe_cluster(struct cql_call *c)
{
    static const char *const names[] = {"cluster", "partitioner", "snitch", "range_ownership"};
    struct slice used = slice_of(c->session->keyspace);
    const struct virtual_keyspace *v = virtual_keyspace_find(c->session->cql, used);
    bool ranges = used.len && !v;
    const struct type *map = NULL;
    struct buf *rows = &c->result.rows;
    err_t e =
        ranges ? type_parse(SLICE("map<text, list<text>>"), c->arena, &map, &c->diag) : ERR_OK;
    if (!e) e = columns_make(c, names, ranges ? 4 : 3);
    if (e) return e;
    put_value(rows, slice_of(cql_options(c->session->cql)->cluster_name));
    put_value(rows, SLICE("Murmur3Partitioner"));
    put_value(rows, SLICE("DynamicEndpointSnitch"));
    c->result.row_count = 1;
    if (!ranges) return rows->err;
    ((struct cql_column *)(uintptr_t)c->result.metadata.columns)[3].type = map;
    char place[64];
    struct buf b = buf_over(place, sizeof(place)), value = buf_make(KIB(4));
    buf_printf(&b, "/%s:7000", c->session->address[0] ? c->session->address : "127.0.0.1");
    buf_be(&value, 1, 4);
    put_value(&value, SLICE("-9223372036854775808"));
    buf_be(&value, 8 + b.len, 4);
    buf_be(&value, 1, 4);
    put_value(&value, buf_view(&b));
    put_value(rows, buf_view(&value));
    buf_done(&value);
    return rows->err;
}

static void describe_work(struct cql_call *c)
{
    struct describing x = {.call = c,
                           .cql = c->session->cql,
                           .a = c->arena,
                           .d = &c->diag,
                           .t = c->statement->tree->describe,
                           .items = vec_make(sizeof(struct item), ITEMS_MAX)};
    err_t e;
    if (slice_is(x.t->what, "CLUSTER")) {
        e = describe_cluster(c);
    } else {
        e = find_items(&x);
        if (!e) e = put_page(&x);
    }
    vec_done(&x.items);
    call_end(c, e);
}

static err_t describe_prepare(struct cql_preparing *p, const struct cql_statement_tree *t)
{
    (void)t;
    p->out->plan = NULL;
    return ERR_OK;
}

static void describe_run(struct cql_call *c)
{
    call_to_worker(c, describe_work); /* a large schema takes a while */
}

const struct cql_family cql_describe_family = {
    .name = "describe", .prepare = describe_prepare, .run = describe_run};
