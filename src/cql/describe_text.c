/* describe_text: CREATE statements. */
#include "base/hash.h"
#include "cql/describe.h"
#include "cql/schema.h"
#include "cql/table_options.h"
#include <stdlib.h>

#define LOCATOR "org.apache.cassandra.locator."

/* --- keyspaces and types
 * ------------------------------------------------------------------------------------------- */

void describe_keyspace(struct buf *out, struct cql *c, const struct store_keyspace *k)
{
    const struct virtual_keyspace *v = virtual_keyspace_find(c, k->name);
    if (v && v->place == VIRTUAL_TABLE) {
        buf_printf(out,
                   "/*\nWarning: Keyspace %s is a virtual keyspace and cannot be recreated with "
                   "CQL.\nStructure, for reference:\nVIRTUAL KEYSPACE %s;\n*/",
                   v->name, v->name);
        return;
    }
    buf_text(out, "CREATE KEYSPACE ");
    cql_put_name(out, k->name);
    buf_text(out, " WITH replication = {");
    for (uint32_t i = 0; i < k->replication_count; i++) {
        struct slice value = k->replication[i].value;
        if (i == 0 && slice_starts(value, LOCATOR))
            value = slice_make(value.at + strlen(LOCATOR), value.len - strlen(LOCATOR));
        if (i) buf_text(out, ", ");
        cql_put_string(out, k->replication[i].name);
        buf_text(out, ": ");
        cql_put_string(out, value);
    }
    buf_printf(out, "}  AND durable_writes = %s;", k->durable_writes ? "true" : "false");
}

void describe_type(struct buf *out, struct slice keyspace, const struct type *t)
{
    buf_text(out, "CREATE TYPE ");
    cql_put_name(out, keyspace);
    buf_char(out, '.');
    cql_put_name(out, t->name);
    buf_text(out, " (\n");
    for (uint16_t i = 0; i < t->count; i++) {
        buf_text(out, i ? ",\n    " : "    ");
        cql_put_name(out, t->names[i]);
        buf_char(out, ' ');
        cql_type_put(out, t->items[i]);
    }
    buf_text(out, "\n);");
}

/* --- tables
 * ----------------------------------------------------------------------------------------------------------
 */

static void put_column(struct buf *out, struct slice name, const struct type *type, bool is_static)
{
    cql_put_name(out, name);
    buf_char(out, ' ');
    cql_type_put(out, type);
    if (is_static) buf_text(out, " static");
}

/* Keys, then statics, then the others; among these simple columns come before those of many cells.
 */
static int create_rank(const struct store_column *c)
{
    if (c->role == COLUMN_PARTITION) return 0;
    if (c->role == COLUMN_CLUSTERING) return 1;
    return 2 + 2 * (c->role == COLUMN_REGULAR) + cql_type_is_multicell(c->type);
}

static int create_order(const void *a, const void *b)
{
    const struct store_column *x = *(const struct store_column *const *)a,
                              *y = *(const struct store_column *const *)b;
    int rank = create_rank(x) - create_rank(y);
    if (rank) return rank;
    return create_rank(x) < 2 ? (int)x->position - (int)y->position
                              : slice_compare(x->name, y->name);
}

static bool was_dropped(const struct store_table *t, struct slice name)
{
    for (uint32_t i = 0; i < t->dropped_count; i++)
        if (slice_equal(t->dropped[i].name, name)) return true;
    return false;
}

static uint32_t count_role(const struct store_table *t, enum column_role role)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < t->column_count; i++) n += t->columns[i].role == role;
    return n;
}

static void put_primary_key(struct buf *out, const struct store_column *const *columns,
                            uint32_t partition, uint32_t clustering)
{
    buf_text(out, "    PRIMARY KEY (");
    if (partition > 1) buf_char(out, '(');
    for (uint32_t i = 0; i < partition + clustering; i++) {
        if (i == partition && partition > 1) buf_char(out, ')');
        if (i) buf_text(out, ", ");
        cql_put_name(out, columns[i]->name);
    }
    if (clustering == 0 && partition > 1) buf_char(out, ')');
    buf_text(out, ")\n");
}

static void put_columns(struct buf *out, const struct store_table *t,
                        const struct store_column *const *columns, bool internals)
{
    uint32_t partition = count_role(t, COLUMN_PARTITION);
    uint32_t clustering = count_role(t, COLUMN_CLUSTERING);
    bool single = partition == 1 && clustering == 0;
    for (uint32_t i = 0; i < t->column_count; i++) {
        const struct store_column *c = columns[i];
        if (internals && was_dropped(t, c->name)) continue; /* added again below */
        buf_text(out, "    ");
        put_column(out, c->name, c->type, c->role == COLUMN_STATIC);
        if (single && c->role == COLUMN_PARTITION) buf_text(out, " PRIMARY KEY");
        if (!single || (internals && t->dropped_count) || i + 1 < t->column_count)
            buf_char(out, ',');
        buf_char(out, '\n');
    }
    for (uint32_t i = 0; i < t->dropped_count && internals; i++) {
        const struct store_dropped *c = &t->dropped[i];
        buf_text(out, "    ");
        put_column(out, c->name, c->type, c->role == COLUMN_STATIC);
        buf_text(out, !single || i + 1 < t->dropped_count ? ",\n" : "\n");
    }
    if (!single) put_primary_key(out, columns, partition, clustering);
}

static void put_clustering(struct buf *out, const struct store_table *t,
                           const struct store_column *const *columns)
{
    uint32_t partition = count_role(t, COLUMN_PARTITION);
    uint32_t clustering = count_role(t, COLUMN_CLUSTERING);
    if (!clustering) return;
    buf_text(out, "CLUSTERING ORDER BY (");
    for (uint32_t i = partition; i < partition + clustering; i++) {
        if (i > partition) buf_text(out, ", ");
        cql_put_name(out, columns[i]->name);
        buf_text(out, columns[i]->descending ? " DESC" : " ASC");
    }
    buf_text(out, ")\n    AND ");
}

static void put_options(struct buf *out, const struct table_options *o)
{
    for (int i = 0; i < TABLE_OPTIONS; i++) {
        enum table_option_kind kind = table_option_kinds[i];
        buf_printf(out, "%s%s = ", i ? "\n    AND " : "", table_option_names[i]);
        if (kind == OPTION_TEXT || kind == OPTION_POLICY)
            cql_put_string(out, o->value[i]);
        else
            buf_slice(out, o->value[i]);
    }
}

static void put_drops(struct buf *out, const struct store_table *t)
{
    for (uint32_t i = 0; i < t->dropped_count; i++) {
        const struct store_dropped *d = &t->dropped[i];
        const struct store_column *again = store_column_find(t, d->name);
        buf_text(out, "\nALTER TABLE ");
        put_table_name(out, t);
        buf_text(out, " DROP ");
        cql_put_name(out, d->name);
        buf_printf(out, " USING TIMESTAMP %lld;", (long long)d->dropped_us);
        if (!again) continue;
        buf_text(out, "\nALTER TABLE ");
        put_table_name(out, t);
        buf_text(out, " ADD ");
        put_column(out, again->name, again->type, again->role == COLUMN_STATIC);
        buf_char(out, ';');
    }
}

err_t describe_table(struct buf *out, const struct store_table *t, bool internals, struct arena *a)
{
    bool is_virtual = t->prefix == 0 && virtual_of(t)->keyspace->place == VIRTUAL_TABLE;
    struct table_options o;
    const struct store_column **columns = arena_take(a, t->column_count * sizeof(*columns));
    if (!columns || table_options_of(t, a, &o)) return ERR_NO_MEMORY;
    for (uint32_t i = 0; i < t->column_count; i++) columns[i] = &t->columns[i];
    qsort((void *)columns, t->column_count, sizeof(*columns), create_order);
    if (is_virtual)
        buf_printf(out,
                   "/*\nWarning: Table %.*s.%.*s is a virtual table and cannot be recreated with "
                   "CQL.\nStructure, for reference:\n",
                   SLICE_ARG(t->keyspace), SLICE_ARG(t->name));
    buf_text(out, is_virtual ? "VIRTUAL TABLE " : "CREATE TABLE ");
    put_table_name(out, t);
    buf_text(out, " (\n");
    put_columns(out, t, columns, internals);
    buf_text(out, ") WITH ");
    if (internals) {
        struct uuid id;
        char text[37];
        memcpy(id.at, t->id, 16);
        uuid_print(id, text);
        buf_printf(out, "ID = %s\n    AND ", text);
    }
    put_clustering(out, t, columns);
    if (is_virtual) {
        buf_text(out, "comment = ");
        cql_put_string(out, o.value[OPTION_comment]);
    } else {
        put_options(out, &o);
    }
    buf_char(out, ';');
    if (is_virtual) buf_text(out, "\n*/");
    if (internals) put_drops(out, t);
    return out->err;
}

/* --- indexes
 * ----------------------------------------------------------------------------------------------------------
 */

err_t describe_index(struct buf *out, const struct store_table *t, const struct store_index *x,
                     struct arena *a)
{
    bool custom = x->class_name.at != NULL;
    buf_text(out, custom ? "CREATE CUSTOM INDEX " : "CREATE INDEX ");
    cql_put_name(out, x->name);
    buf_text(out, " ON ");
    put_table_name(out, t);
    buf_printf(out, " (%.*s)", SLICE_ARG(x->target));
    if (custom) {
        buf_text(out, " USING ");
        cql_put_string(out, x->class_name);
    }
    if (x->option_count) {
        struct option_pairs *p = arena_take(a, sizeof(*p));
        if (!p) return ERR_NO_MEMORY;
        for (uint32_t i = 0; i < x->option_count; i++)
            if (!option_pair_set(p, x->options[i].name, x->options[i].value)) return ERR_TOO_BIG;
        struct slice text = option_pairs_text(p, a);
        if (!text.at) return ERR_NO_MEMORY;
        buf_text(out, " WITH OPTIONS = ");
        buf_slice(out, text);
    }
    buf_char(out, ';');
    return out->err;
}
