/* Tables: which there are, how large, what they are made of; emptied and dropped where allowed. */
#include "door/console/table_int.h"

#include "base/vec.h"
#include "exec/upkeep.h"
#include "os/clock.h"

enum {
    TABLES_MAX = 20000,
    WRITERS_MAX = 2000,
    DESCRIBE_MAX = 4 << 20,
    LOOK_EVERY_MS = 2000, /* sizes are no business of every half second */
    LOOK_SHARE = 20       /* looking takes one part in so many of the time */
};

/* --- who writes ---------------------------------------------------------------------------------
 */

struct writer {
    struct slice name, keyspace, table;
};
struct listing {
    struct exec_world *world;
    struct buf *out;
    struct vec writers; /* struct writer */
    struct vec tables;  /* const struct store_table * */
    struct diag *d;
};

static err_t take_writer(void *ctx, const struct flow_status *s)
{
    struct listing *l = ctx;
    const struct plan_stream *p;
    uint32_t number;
    struct diag none;
    if (s->is_source || flow_plan(l->world->flow, s->name, &p, &number, &none)) return ERR_OK;
    if (p->sink != SINK_TABLE) return ERR_OK;
    struct writer w = {p->name, p->into->keyspace, p->into->name};
    return vec_push(&l->writers, &w);
}

static err_t listing_open(struct listing *l, struct exec_world *w, struct buf *out, struct diag *d)
{
    *l = (struct listing){.world = w,
                          .out = out,
                          .d = d,
                          .writers = vec_make(sizeof(struct writer), WRITERS_MAX),
                          .tables = vec_make(sizeof(const struct store_table *), TABLES_MAX)};
    err_t e = w->flow ? flow_each(w->flow, take_writer, l) : ERR_OK;
    return e ? diag_fail(d, e, "the streams can not be listed") : ERR_OK;
}

static void listing_done(struct listing *l)
{
    vec_done(&l->writers);
    vec_done(&l->tables);
}

static void put_writers(const struct listing *l, struct slice keyspace, struct slice table)
{
    js_put_open(l->out, "writers", '[');
    for (size_t i = 0; i < l->writers.count; i++) {
        const struct writer *w = vec_at(&l->writers, i);
        if (slice_equal(w->keyspace, keyspace) && slice_equal(w->table, table))
            js_text(l->out, w->name);
    }
    js_close(l->out, ']');
}

/* --- the list -----------------------------------------------------------------------------------
 */

static err_t put_size(const struct listing *l, const struct store_table *t)
{
    struct store_table_stats s;
    struct buf *out = l->out;
    err_t e = store_table_stats(l->world->store, t, &s, l->d);
    if (e) return e;
    js_open(out, '{');
    js_put_text(out, "keyspace", t->keyspace);
    js_put_text(out, "name", t->name);
    js_put_cstr(out, "kind", slice_is(t->keyspace, CATALOG_VIEWS) ? "view" : "table");
    js_put_uint(out, "rows", s.rows_estimate);
    js_put_bool(out, "exact", s.exact);
    js_put_uint(out, "bytes", s.disk_bytes);
    js_put_uint(out, "index_bytes", s.index_bytes);
    js_put_uint(out, "columns", t->column_count);
    js_put_open(out, "indexes", '[');
    for (uint32_t i = 0; i < t->index_count; i++) js_text(out, t->indexes[i].name);
    js_close(out, ']');
    put_writers(l, t->keyspace, t->name);
    js_close(out, '}');
    return out->err;
}

static void put_system_size(const struct listing *l, struct slice keyspace, struct slice name,
                            uint32_t columns)
{
    struct buf *out = l->out;
    js_open(out, '{');
    js_put_text(out, "keyspace", keyspace);
    js_put_text(out, "name", name);
    js_put_cstr(out, "kind", "system");
    js_put_cstr(out, "rows", NULL);
    js_put_bool(out, "exact", false);
    js_put_cstr(out, "bytes", NULL);
    js_put_cstr(out, "index_bytes", NULL);
    js_put_uint(out, "columns", columns);
    js_put_open(out, "indexes", '[');
    js_close(out, ']');
    js_put_open(out, "writers", '[');
    js_close(out, ']');
    js_close(out, '}');
}

static err_t take_table(void *ctx, const struct store_table *t)
{
    return vec_push(&((struct listing *)ctx)->tables, &t);
}

static err_t put_keyspace(void *ctx, struct slice name)
{
    js_text(ctx, name);
    return ERR_OK;
}

/* What the server tells of itself, as tables of CQL: what is in no store. */
static err_t put_system(const struct listing *l, struct slice list)
{
    struct slice name = {0}, keyspace = {0};
    struct table_ask t = {.world = l->world, .trusted = true, .text = list};
    err_t e = table_ask_open(&t, l->d);
    if (!e) e = table_ask(&t, l->d);
    if (!e) {
        struct cursor c = cursor_of(buf_view(&t.call.result.rows));
        for (uint32_t row = 0; row < t.call.result.row_count; row++) {
            keyspace = upkeep_cell(&c);
            name = upkeep_cell(&c);
            if (!store_table_find(l->world->store, keyspace, name))
                put_system_size(l, keyspace, name, 0);
        }
    }
    table_ask_done(&t);
    return e;
}

static err_t put_tables(struct exec_world *w, struct buf *out, struct diag *d)
{
    struct listing l;
    err_t e = listing_open(&l, w, out, d);
    js_open(out, '{');
    js_put_open(out, "keyspaces", '[');
    if (!e) e = store_keyspaces(w->store, put_keyspace, out);
    js_close(out, ']');
    js_put_open(out, "tables", '[');
    if (!e) e = store_tables(w->store, take_table, &l);
    if (e && !d->err) e = diag_fail(d, e, "the tables can not be listed");
    for (size_t i = 0; !e && i < l.tables.count; i++)
        e = put_size(&l, *(const struct store_table *const *)vec_at(&l.tables, i));
    if (!e && w->cql)
        e = put_system(&l, SLICE("SELECT keyspace_name, table_name FROM system_schema.tables"));
    if (!e && w->cql)
        e = put_system(&l,
                       SLICE("SELECT keyspace_name, table_name FROM system_virtual_schema.tables"));
    js_close(out, ']');
    js_close(out, '}');
    listing_done(&l);
    return e;
}

err_t console_tables(struct ask *a)
{
    return put_tables(ask_world(a), &a->out, &a->d);
}

struct tables_told {
    int64_t next_ms;
    uint64_t schema;
    struct buf text;
};

static void told_free(void *own)
{
    struct tables_told *t = own;
    buf_done(&t->text);
    mem_give(t);
}

err_t live_tables(struct look *k)
{
    struct tables_told *t = k->own;
    struct exec_world *w = look_world(k);
    if (!t) {
        t = mem_take(sizeof(*t));
        if (!t) return diag_fail(&k->d, ERR_NO_MEMORY, "no memory to look at tables");
        t->text = buf_make(CONSOLE_ANSWER_MAX);
        k->own = t;
        k->own_free = told_free;
    }
    int64_t now_ms = clock_mono_ns() / 1000000;
    uint64_t schema = store_schema_version(w->store);
    err_t e = ERR_OK;
    if (now_ms >= t->next_ms || schema != t->schema) {
        buf_reset(&t->text);
        e = put_tables(w, &t->text, &k->d);
        int64_t took_ms = clock_mono_ns() / 1000000 - now_ms;
        t->next_ms = now_ms + MAX((int64_t)LOOK_EVERY_MS, took_ms * LOOK_SHARE);
        t->schema = schema;
    }
    if (!e) buf_slice(&k->out, buf_view(&t->text));
    return e;
}

/* --- one ----------------------------------------------------------------------------------------
 */

void put_table_column(struct buf *out, struct slice name, const struct type *type,
                      enum column_role role, bool descending)
{
    static const char *const roles[] = {[COLUMN_PARTITION] = "partition",
                                        [COLUMN_CLUSTERING] = "clustering",
                                        [COLUMN_STATIC] = "static",
                                        [COLUMN_REGULAR] = "regular"};
    struct buf text = buf_make(KIB(64));
    type_print(type, &text);
    js_open(out, '{');
    js_put_text(out, "name", name);
    js_put_text(out, "type", buf_view(&text));
    js_put_cstr(out, "role", roles[role]);
    js_put_bool(out, "descending", descending);
    js_close(out, '}');
    buf_done(&text);
}

static void put_parts(struct buf *out, const struct store_table *t)
{
    js_put_open(out, "columns", '[');
    for (uint32_t i = 0; i < t->column_count; i++)
        put_table_column(out, t->columns[i].name, t->columns[i].type, t->columns[i].role,
                         t->columns[i].descending);
    js_close(out, ']');
    js_put_open(out, "options", '[');
    for (uint32_t i = 0; i < t->option_count; i++) {
        js_open(out, '{');
        js_put_text(out, "name", t->options[i].name);
        js_put_text(out, "value", t->options[i].value);
        js_close(out, '}');
    }
    js_close(out, ']');
    js_put_open(out, "indexes", '[');
    for (uint32_t i = 0; i < t->index_count; i++) {
        js_open(out, '{');
        js_put_text(out, "name", t->indexes[i].name);
        js_put_text(out, "target", t->indexes[i].target);
        js_put_bool(out, "ready", t->indexes[i].ready);
        js_close(out, '}');
    }
    js_close(out, ']');
}

static err_t keep_text(void *ctx, struct slice text)
{
    struct buf *out = ctx;
    buf_slice(out, text);
    return out->err;
}

static err_t put_describe(struct ask *a, const struct store_table *t)
{
    struct buf text = buf_make(DESCRIBE_MAX);
    struct upkeep u = {.world = ask_world(a), .what = "describe", .put = keep_text, .ctx = &text};
    struct buf name = buf_over(u.table, sizeof(u.table) - 1);
    upkeep_put_name(&name, t->keyspace);
    buf_char(&name, '.');
    upkeep_put_name(&name, t->name);
    err_t e = name.err ? diag_fail(&a->d, name.err, "the table's name") : upkeep_run(&u, &a->d);
    js_put_text(&a->out, "describe", text.len ? slice_trim(buf_view(&text)) : SLICE(""));
    buf_done(&text);
    return e;
}

static err_t put_stored(struct ask *a, const struct store_table *t)
{
    struct listing l;
    char why[400] = "";
    bool held = store_table_held(ask_world(a)->store, t, why, sizeof(why));
    err_t e = listing_open(&l, ask_world(a), &a->out, &a->d);
    js_open(&a->out, '{');
    js_name(&a->out, "size");
    if (!e) e = put_size(&l, t);
    listing_done(&l);
    if (e) return e;
    put_parts(&a->out, t);
    js_put_uint(&a->out, "ttl_s", t->default_ttl);
    e = put_describe(a, t);
    js_put_cstr(&a->out, "held", held ? why : NULL);
    js_close(&a->out, '}');
    return e;
}

/* One that CQL alone knows: its columns are those of its rows. */
static err_t put_virtual(struct ask *a)
{
    struct slice keyspace = ask_part(a, "keyspace"), name = ask_part(a, "table");
    struct listing l = {.out = &a->out};
    struct table_ask t = table_ask_of(a);
    err_t e = table_ask_open(&t, &a->d);
    if (!e) e = table_select(&t, keyspace, name, SLICE(""), 1, &a->d);
    const struct cql_metadata *m = &t.call.result.metadata;
    if (!e) {
        js_open(&a->out, '{');
        js_name(&a->out, "size");
        put_system_size(&l, keyspace, name, m->count);
        js_put_open(&a->out, "columns", '[');
        for (uint32_t i = 0; i < m->count; i++)
            put_table_column(&a->out, m->columns[i].name, m->columns[i].type, COLUMN_REGULAR,
                             false);
        js_close(&a->out, ']');
        js_put_open(&a->out, "options", '[');
        js_close(&a->out, ']');
        js_put_open(&a->out, "indexes", '[');
        js_close(&a->out, ']');
        js_put_uint(&a->out, "ttl_s", 0);
        js_put_cstr(&a->out, "describe", "");
        js_put_cstr(&a->out, "held", "the server tells its state here: nobody writes");
        js_close(&a->out, '}');
    }
    table_ask_done(&t);
    return e == ERR_INVALID ? unknown_table(&a->d, keyspace, name) : e;
}

err_t console_table(struct ask *a)
{
    const struct store_table *t =
        store_table_find(ask_world(a)->store, ask_part(a, "keyspace"), ask_part(a, "table"));
    return t ? put_stored(a, t) : put_virtual(a);
}

err_t console_table_act(struct ask *a)
{
    static const struct {
        const char *what, *statement;
    } acts[] = {{"truncate", "TRUNCATE TABLE "}, {"drop", "DROP TABLE "}};
    struct slice what = ask_body_text(a, "what"), name = ask_part(a, "table");
    const char *statement = NULL;
    for (size_t i = 0; i < COUNT_OF(acts); i++)
        if (slice_is(what, acts[i].what)) statement = acts[i].statement;
    if (!statement)
        return diag_fail(&a->d, ERR_USAGE, "a table can be truncated or dropped, not '%.*s'",
                         SLICE_ARG(what));
    if (!slice_equal(ask_body_text(a, "confirm"), name)) {
        (void)diag_fail(&a->d, ERR_USAGE, "the rows of %.*s go", SLICE_ARG(name));
        return diag_hint(&a->d, "send the table's name as confirm");
    }
    struct buf text = buf_make(KIB(4));
    struct table_ask t = table_ask_of(a);
    buf_text(&text, statement);
    upkeep_put_name(&text, ask_part(a, "keyspace"));
    buf_char(&text, '.');
    upkeep_put_name(&text, name);
    err_t e = text.err ? diag_fail(&a->d, text.err, "the table's name") : ERR_OK;
    if (!e) e = table_ask_open(&t, &a->d);
    t.text = buf_view(&text);
    if (!e) e = table_ask(&t, &a->d);
    table_ask_done(&t);
    buf_done(&text);
    return e;
}
