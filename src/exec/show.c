/* DESCRIBE and SHOW: what exists, as rows of text. */
#include "exec/exec_int.h"

#include <stdio.h>

enum { SHOW_COLUMNS_MAX = 8, SHOW_ROWS_MAX = 100000 };

struct listing {
    struct exec_call *call;
    const char *heads[SHOW_COLUMNS_MAX];
    uint32_t columns;
    struct vec rows; /* of SHOW_COLUMNS_MAX slices each, in the call's arena */
};

static struct listing listing_make(struct exec_call *x, uint32_t columns, const char *const *heads)
{
    struct listing l = {.call = x,
                        .columns = columns,
                        .rows = vec_make(sizeof(struct slice) * SHOW_COLUMNS_MAX, SHOW_ROWS_MAX)};
    for (uint32_t i = 0; i < columns; i++) l.heads[i] = heads[i];
    return l;
}

static struct slice *listing_row(struct listing *l)
{
    return vec_add(&l->rows);
}

static err_t listing_send(struct listing *l, struct diag *d)
{
    struct slice names[SHOW_COLUMNS_MAX];
    const struct type *types[SHOW_COLUMNS_MAX];
    struct column columns[SHOW_COLUMNS_MAX];
    const struct query_result *out = &l->call->sink->result;
    uint32_t rows = (uint32_t)l->rows.count;
    err_t e = ERR_OK;
    for (uint32_t c = 0; c < l->columns && !e; c++) {
        names[c] = slice_of(l->heads[c]);
        types[c] = type_of(TYPE_TEXT);
        e = column_init(&columns[c], types[c], rows, l->call->arena);
        for (uint32_t r = 0; r < rows && !e; r++) {
            columns[c].bytes[r] = ((struct slice *)vec_at(&l->rows, r))[c];
            columns[c].state[r] = VALID_VALUE;
        }
    }
    vec_done(&l->rows);
    if (e) return diag_fail(d, e, "the list does not fit in memory");
    e = out->head(out->ctx, names, types, l->columns);
    if (!e && rows) e = out->rows(out->ctx, columns, l->columns, rows);
    return e;
}

static struct slice text_of(struct exec_call *x, const char *fmt, ...) PRINTF_LIKE(2, 3);
static struct slice text_of(struct exec_call *x, const char *fmt, ...)
{
    char text[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    return arena_slice(x->arena, slice_of(text));
}

/* --- SHOW
 * -----------------------------------------------------------------------------------------------
 */

static err_t add_table(void *ctx, const struct store_table *t)
{
    struct listing *l = ctx;
    struct slice *row = listing_row(l);
    if (!row) return ERR_TOO_BIG;
    row[0] = t->keyspace;
    row[1] = t->name;
    row[2] = text_of(l->call, "%u", t->column_count);
    return ERR_OK;
}

static err_t show_tables(struct exec_call *x, struct diag *d)
{
    struct listing l = listing_make(x, 3, (const char *[]){"keyspace", "table", "columns"});
    err_t e = store_tables(x->world->store, add_table, &l);
    return e ? e : listing_send(&l, d);
}

static err_t add_keyspace(void *ctx, struct slice name)
{
    struct slice *row = listing_row(ctx);
    if (row) *row = name;
    return row ? ERR_OK : ERR_TOO_BIG;
}

static err_t show_keyspaces(struct exec_call *x, struct diag *d)
{
    struct listing l = listing_make(x, 1, (const char *[]){"keyspace"});
    err_t e = store_keyspaces(x->world->store, add_keyspace, &l);
    return e ? e : listing_send(&l, d);
}

static err_t add_topic(void *ctx, struct log_topic *t)
{
    struct listing *l = ctx;
    struct slice *row = listing_row(l);
    int64_t records = 0;
    uint64_t bytes = 0;
    if (!row) return ERR_TOO_BIG;
    for (int32_t i = 0; i < log_topic_partitions(t); i++) {
        struct log_partition *p = log_partition(t, i);
        records += log_end_offset(p) - log_start_offset(p);
        bytes += log_partition_bytes(p);
    }
    row[0] = log_topic_name(t);
    row[1] = text_of(l->call, "%d", log_topic_partitions(t));
    row[2] = text_of(l->call, "%lld", (long long)records);
    row[3] = text_of(l->call, "%llu", (unsigned long long)bytes);
    return ERR_OK;
}

static err_t show_topics(struct exec_call *x, struct diag *d)
{
    struct listing l =
        listing_make(x, 4, (const char *[]){"topic", "partitions", "records", "bytes"});
    err_t e = log_topics(x->world->log, add_topic, &l);
    return e ? e : listing_send(&l, d);
}

struct stage_listing {
    struct listing list;
    bool sources;
};

static err_t add_stage(void *ctx, const struct flow_status *s)
{
    struct stage_listing *g = ctx;
    if (s->is_source != g->sources) return ERR_OK;
    struct slice *row = listing_row(&g->list);
    if (!row) return ERR_TOO_BIG;
    row[0] = arena_slice(g->list.call->arena, s->name);
    row[1] = arena_slice(g->list.call->arena, s->from);
    row[2] = arena_slice(g->list.call->arena, s->into);
    row[3] = slice_of(s->state);
    row[4] = text_of(g->list.call, "%llu", (unsigned long long)s->lag);
    return ERR_OK;
}

static err_t show_stages(struct exec_call *x, bool sources, struct diag *d)
{
    struct stage_listing g = {
        listing_make(
            x, 5, (const char *[]){sources ? "source" : "stream", "from", "into", "state", "lag"}),
        sources};
    err_t e = x->world->flow ? flow_each(x->world->flow, add_stage, &g) : ERR_OK;
    return e ? e : listing_send(&g.list, d);
}

static err_t show_sources(struct exec_call *x, struct diag *d)
{
    return show_stages(x, true, d);
}
static err_t show_streams(struct exec_call *x, struct diag *d)
{
    return show_stages(x, false, d);
}

static const struct {
    const char *what;
    err_t (*show)(struct exec_call *x, struct diag *d);
} shows[] = {{"TABLES", show_tables},
             {"KEYSPACES", show_keyspaces},
             {"TOPICS", show_topics},
             {"SOURCES", show_sources},
             {"STREAMS", show_streams}};

err_t exec_show(struct exec_call *x, const struct statement *s, struct diag *d)
{
    for (size_t i = 0; i < COUNT_OF(shows); i++)
        if (slice_is(s->what, shows[i].what)) return shows[i].show(x, d);
    (void)diag_fail(d, ERR_UNKNOWN_NAME, "there is no list of '%.*s'", SLICE_ARG(s->what));
    return diag_hint(d, "SHOW TABLES, KEYSPACES, TOPICS, SOURCES or STREAMS");
}

/* --- DESCRIBE --------------------------------------------------------------------------------- */

static void put_keys(struct buf *out, const struct store_table *t)
{
    uint32_t partition = 0;
    for (uint32_t i = 0; i < t->column_count; i++)
        partition += t->columns[i].role == COLUMN_PARTITION;
    buf_text(out, "    PRIMARY KEY (");
    if (partition > 1) buf_char(out, '(');
    for (uint32_t i = 0; i < t->column_count; i++) {
        const struct store_column *c = &t->columns[i];
        if (c->role != COLUMN_PARTITION && c->role != COLUMN_CLUSTERING) break;
        if (i) buf_text(out, ", ");
        buf_slice(out, c->name);
        if (partition > 1 && i + 1 == partition) buf_char(out, ')');
    }
    buf_text(out, ")\n)");
}

static void put_order(struct buf *out, const struct store_table *t, const char **joint)
{
    bool any = false;
    for (uint32_t i = 0; i < t->column_count; i++) any |= t->columns[i].role == COLUMN_CLUSTERING;
    if (!any) return;
    buf_printf(out, "%sCLUSTERING ORDER BY (", *joint);
    const char *comma = "";
    for (uint32_t i = 0; i < t->column_count; i++) {
        const struct store_column *c = &t->columns[i];
        if (c->role != COLUMN_CLUSTERING) continue;
        buf_printf(out, "%s%.*s %s", comma, SLICE_ARG(c->name), c->descending ? "DESC" : "ASC");
        comma = ", ";
    }
    buf_char(out, ')');
    *joint = "\n    AND ";
}

/* Maps, numbers and booleans as they are, all else in quotes. */
static void put_option(struct buf *out, const struct store_option *o)
{
    double number;
    bool bare = (o->value.len && *o->value.at == '{') || slice_to_f64(o->value, &number) ||
                slice_is(o->value, "true") || slice_is(o->value, "false");
    buf_printf(out, "%.*s = ", SLICE_ARG(o->name));
    if (!bare) buf_char(out, '\'');
    for (uint32_t i = 0; i < o->value.len; i++) {
        if (!bare && o->value.at[i] == '\'') buf_char(out, '\'');
        buf_char(out, (char)o->value.at[i]);
    }
    if (!bare) buf_char(out, '\'');
}

static void put_create_table(struct buf *out, const struct store_table *t)
{
    const char *joint = " WITH ";
    buf_printf(out, "CREATE TABLE %.*s.%.*s (\n", SLICE_ARG(t->keyspace), SLICE_ARG(t->name));
    for (uint32_t i = 0; i < t->column_count; i++) {
        buf_printf(out, "    %.*s ", SLICE_ARG(t->columns[i].name));
        type_print(t->columns[i].type, out);
        buf_text(out, t->columns[i].role == COLUMN_STATIC ? " STATIC,\n" : ",\n");
    }
    put_keys(out, t);
    put_order(out, t, &joint);
    if (t->default_ttl) {
        buf_printf(out, "%sdefault_time_to_live = %u", joint, t->default_ttl);
        joint = "\n    AND ";
    }
    for (uint32_t i = 0; i < t->option_count; i++) {
        buf_text(out, joint);
        put_option(out, &t->options[i]);
        joint = "\n    AND ";
    }
    buf_char(out, ';');
}

static err_t describe_table(struct exec_call *x, const struct store_table *t, struct diag *d)
{
    struct listing l = listing_make(x, 1, (const char *[]){"create_statement"});
    struct buf text = buf_make(MIB(1));
    struct slice *row = listing_row(&l);
    put_create_table(&text, t);
    if (row) *row = arena_slice(x->arena, buf_view(&text));
    err_t e = !row ? ERR_NO_MEMORY : text.err;
    buf_done(&text);
    return e ? diag_fail(d, e, "table %.*s is too large to describe", SLICE_ARG(t->name))
             : listing_send(&l, d);
}

err_t exec_describe(struct exec_call *x, const struct statement *s, struct diag *d)
{
    if (s->what.len && !slice_is(s->what, "TABLE")) return exec_show(x, s, d);
    const struct store_table *t = exec_table(x, s->name);
    if (t) return describe_table(x, t, d);
    struct slice keyspace = exec_keyspace(x, s->name);
    (void)diag_fail(d, ERR_UNKNOWN_TABLE, "table %.*s%s%.*s does not exist", SLICE_ARG(keyspace),
                    keyspace.len ? "." : "", SLICE_ARG(s->name.name));
    return diag_hint(d, "sluice query 'SHOW TABLES' lists those that do");
}
