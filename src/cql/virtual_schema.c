/* virtual_schema: keyspaces system_schema and system_virtual_schema, out of the catalog as it is
 * now. */
#include "cql/table_options.h"
#include "cql/virtual.h"

bool virtual_schema(struct virtual_rows *v, uint32_t what, struct schema_list *out)
{
    struct slice only = v->read->partition ? v->read->partition[0] : (struct slice){0};
    err_t e = schema_list(v->cql, what, only, v->arena, out);
    if (e) v->err = e;
    return !e;
}

static void say_type(struct virtual_rows *v, const struct type *t)
{
    struct buf b = buf_make(KIB(64));
    cql_type_put(&b, t);
    if (b.err) v->err = b.err;
    virtual_bytes(v, buf_view(&b));
    buf_done(&b);
}

/* --- keyspaces
 * --------------------------------------------------------------------------------------------- */

void fill_schema_keyspaces(struct virtual_rows *v)
{
    struct schema_list l;
    if (!virtual_schema(v, LIST_REAL, &l)) return;
    for (uint32_t i = 0; i < l.keyspace_count; i++) {
        const struct store_keyspace *k = l.keyspaces[i];
        virtual_bytes(v, k->name);
        virtual_bool(v, k->durable_writes);
        virtual_map(v, k->replication, k->replication_count);
        virtual_end(v);
    }
}

/* --- tables
 * ------------------------------------------------------------------------------------------------
 */

static void say_map_text(struct virtual_rows *v, struct slice text)
{
    struct option_pairs *p = arena_take(v->arena, sizeof(*p));
    if (!p || option_pairs_read(text, v->arena, p)) {
        v->err = ERR_CORRUPT;
        return;
    }
    virtual_map(v, p->at, p->count);
}

static void say_option(struct virtual_rows *v, const struct table_options *o, int at)
{
    struct slice text = o->value[at];
    int64_t n = 0;
    double f = 0;
    switch (table_option_kinds[at]) {
    case OPTION_MAP: say_map_text(v, text); return;
    case OPTION_BOOL: virtual_bool(v, slice_is(text, "true")); return;
    case OPTION_INT:
        if (!slice_to_i64(text, &n)) v->err = ERR_CORRUPT;
        virtual_int(v, (int32_t)n);
        return;
    case OPTION_DOUBLE:
        if (!slice_to_f64(text, &f)) v->err = ERR_CORRUPT;
        virtual_double(v, f);
        return;
    default: virtual_bytes(v, text); return;
    }
}

/* What Cassandra keeps only where it is not the default. */
static void say_if(struct virtual_rows *v, const struct table_options *o, int at, const char *usual)
{
    if (slice_is(o->value[at], usual))
        virtual_null(v, 1);
    else
        say_option(v, o, at);
}

static void say_table(struct virtual_rows *v, const struct store_table *t)
{
    struct table_options o;
    struct slice flags[2] = {SLICE("compound"), SLICE("counter")};
    if (table_options_of(t, v->arena, &o)) {
        v->err = ERR_NO_MEMORY;
        return;
    }
    virtual_bytes(v, t->keyspace);
    virtual_bytes(v, t->name);
    say_option(v, &o, OPTION_additional_write_policy);
    say_if(v, &o, OPTION_allow_auto_snapshot, "true");
    say_option(v, &o, OPTION_bloom_filter_fp_chance);
    say_option(v, &o, OPTION_caching);
    virtual_null(v, 1); /* cdc: only where change data capture is switched on */
    say_option(v, &o, OPTION_comment);
    say_option(v, &o, OPTION_compaction);
    say_option(v, &o, OPTION_compression);
    say_option(v, &o, OPTION_crc_check_chance);
    virtual_double(v, 0); /* dclocal_read_repair_chance: for old drivers */
    say_option(v, &o, OPTION_default_time_to_live);
    virtual_map(v, NULL, 0); /* extensions */
    virtual_list(v, flags, t->counter ? 2 : 1);
    say_option(v, &o, OPTION_gc_grace_seconds);
    virtual_bytes(v, slice_make(t->id, 16));
    say_if(v, &o, OPTION_incremental_backups, "true");
    say_option(v, &o, OPTION_max_index_interval);
    say_if(v, &o, OPTION_memtable, "default");
    say_option(v, &o, OPTION_memtable_flush_period_in_ms);
    say_option(v, &o, OPTION_min_index_interval);
    say_option(v, &o, OPTION_read_repair);
    virtual_double(v, 0); /* read_repair_chance */
    say_option(v, &o, OPTION_speculative_retry);
    virtual_end(v);
}

void fill_schema_tables(struct virtual_rows *v)
{
    struct schema_list l;
    if (!virtual_schema(v, LIST_REAL, &l)) return;
    for (uint32_t i = 0; i < l.table_count; i++) say_table(v, l.tables[i]);
}

/* --- columns
 * -----------------------------------------------------------------------------------------------
 */

static const char *kind_of(enum column_role role)
{
    static const char *const kinds[] = {[COLUMN_REGULAR] = "regular",
                                        [COLUMN_PARTITION] = "partition_key",
                                        [COLUMN_CLUSTERING] = "clustering",
                                        [COLUMN_STATIC] = "static"};
    return kinds[role];
}

static void say_columns(struct virtual_rows *v, const struct store_table *t)
{
    for (uint32_t i = 0; i < t->column_count; i++) {
        const struct store_column *c = &t->columns[i];
        bool key = c->role == COLUMN_PARTITION || c->role == COLUMN_CLUSTERING;
        virtual_bytes(v, t->keyspace);
        virtual_bytes(v, t->name);
        virtual_bytes(v, c->name);
        virtual_text(v, c->role != COLUMN_CLUSTERING ? "none" : c->descending ? "desc" : "asc");
        virtual_bytes(v, c->name);
        virtual_text(v, kind_of(c->role));
        virtual_int(v, key ? c->position : -1);
        say_type(v, c->type);
        virtual_end(v);
    }
}

void fill_schema_columns(struct virtual_rows *v)
{
    struct schema_list l;
    if (!virtual_schema(v, LIST_REAL, &l)) return;
    for (uint32_t i = 0; i < l.table_count; i++) say_columns(v, l.tables[i]);
}

void fill_schema_dropped(struct virtual_rows *v)
{
    struct schema_list l;
    if (!virtual_schema(v, LIST_STORE, &l)) return;
    for (uint32_t i = 0; i < l.table_count; i++) {
        const struct store_table *t = l.tables[i];
        for (uint32_t k = 0; k < t->dropped_count; k++) {
            const struct store_dropped *c = &t->dropped[k];
            virtual_bytes(v, t->keyspace);
            virtual_bytes(v, t->name);
            virtual_bytes(v, c->name);
            virtual_big(v, c->dropped_us / 1000);
            virtual_text(v, kind_of(c->role));
            say_type(v, c->type);
            virtual_end(v);
        }
    }
}

/* --- indexes and types
 * --------------------------------------------------------------------------------------- */

static void say_index(struct virtual_rows *v, const struct store_table *t,
                      const struct store_index *x)
{
    struct option_pairs *p = arena_take(v->arena, sizeof(*p));
    bool fits = p != NULL;
    for (uint32_t i = 0; i < x->option_count && fits; i++)
        fits = option_pair_set(p, x->options[i].name, x->options[i].value);
    if (fits && x->class_name.at) fits = option_pair_set(p, SLICE("class_name"), x->class_name);
    if (!fits || !option_pair_set(p, SLICE("target"), x->target)) {
        v->err = ERR_TOO_BIG;
        return;
    }
    if (!option_pairs_text(p, v->arena).at) v->err = ERR_NO_MEMORY; /* sorts them */
    virtual_bytes(v, t->keyspace);
    virtual_bytes(v, t->name);
    virtual_bytes(v, x->name);
    virtual_text(v, x->class_name.at ? "CUSTOM" : "COMPOSITES");
    virtual_map(v, p->at, p->count);
    virtual_end(v);
}

void fill_schema_indexes(struct virtual_rows *v)
{
    struct schema_list l;
    if (!virtual_schema(v, LIST_STORE, &l)) return;
    for (uint32_t i = 0; i < l.table_count; i++)
        for (uint32_t k = 0; k < l.tables[i]->index_count; k++)
            say_index(v, l.tables[i], &l.tables[i]->indexes[k]);
}

struct types_met {
    struct virtual_rows *v;
    struct slice keyspace;
};

static err_t say_user_type(void *ctx, const struct type *t)
{
    struct types_met *m = ctx;
    struct virtual_rows *v = m->v;
    virtual_bytes(v, m->keyspace);
    virtual_bytes(v, t->name);
    virtual_list(v, t->names, t->count);
    struct slice *texts = arena_take(v->arena, (t->count ? t->count : 1U) * sizeof(*texts));
    for (uint32_t i = 0; i < t->count && texts; i++) {
        struct buf b = buf_make(KIB(64));
        cql_type_put(&b, t->items[i]);
        texts[i] = arena_slice(v->arena, buf_view(&b));
        if (b.err || !texts[i].at) v->err = ERR_NO_MEMORY;
        buf_done(&b);
    }
    if (!texts) v->err = ERR_NO_MEMORY;
    virtual_list(v, texts, v->err ? 0 : t->count);
    virtual_end(v);
    return v->err;
}

void fill_schema_types(struct virtual_rows *v)
{
    struct schema_list l;
    if (!virtual_schema(v, LIST_STORE, &l)) return;
    for (uint32_t i = 0; i < l.keyspace_count; i++) {
        struct types_met m = {v, l.keyspaces[i]->name};
        err_t e = store_types(cql_options(v->cql)->store, m.keyspace, say_user_type, &m);
        if (e) v->err = e;
    }
}

/* --- system_virtual_schema
 * ------------------------------------------------------------------------------------ */

void fill_virtual_keyspaces(struct virtual_rows *v)
{
    struct schema_list l;
    if (!virtual_schema(v, LIST_VIRTUAL, &l)) return;
    for (uint32_t i = 0; i < l.keyspace_count; i++) {
        virtual_bytes(v, l.keyspaces[i]->name);
        virtual_end(v);
    }
}

void fill_virtual_tables(struct virtual_rows *v)
{
    struct schema_list l;
    if (!virtual_schema(v, LIST_VIRTUAL, &l)) return;
    for (uint32_t i = 0; i < l.table_count; i++) {
        struct table_options o;
        if (table_options_of(l.tables[i], v->arena, &o)) v->err = ERR_NO_MEMORY;
        virtual_bytes(v, l.tables[i]->keyspace);
        virtual_bytes(v, l.tables[i]->name);
        say_option(v, &o, OPTION_comment);
        virtual_end(v);
    }
}

void fill_virtual_columns(struct virtual_rows *v)
{
    struct schema_list l;
    if (!virtual_schema(v, LIST_VIRTUAL, &l)) return;
    for (uint32_t i = 0; i < l.table_count; i++) say_columns(v, l.tables[i]);
}
