#include "exec/upkeep_int.h"

#include "data/json.h"

#include <inttypes.h>

/* --- what the actions share --------------------------------------------------------------------
 */

err_t upkeep_put(struct upkeep *u, struct buf *text)
{
    err_t e = text->err ? text->err : u->put(u->ctx, buf_view(text));
    buf_reset(text);
    return e;
}

bool upkeep_stopping(const struct upkeep *u)
{
    return u->stopping && u->stopping(u->ctx);
}

void upkeep_put_name(struct buf *out, struct slice name)
{
    buf_char(out, '"');
    for (uint32_t i = 0; i < name.len; i++) {
        if (name.at[i] == '"') buf_char(out, '"');
        buf_char(out, (char)name.at[i]);
    }
    buf_char(out, '"');
}

/* One name, in quotes or not, up to '.' or the end. */
static struct slice take_name(const char **at, char out[UPKEEP_NAME_MAX])
{
    size_t len = 0;
    bool quoted = **at == '"';
    *at += quoted;
    for (; **at && (quoted || **at != '.'); (*at)++) {
        if (quoted && **at == '"' && *++(*at) != '"') break;
        if (len + 1 < UPKEEP_NAME_MAX) out[len++] = **at;
    }
    return slice_make(out, len);
}

/* keyspace and table of `table`; what is not there has at NULL. */
struct named {
    char memory[2][UPKEEP_NAME_MAX];
    struct slice keyspace, table;
};

static void names_of(const struct upkeep *u, struct named *n)
{
    const char *at = u->table;
    n->keyspace = n->table = (struct slice){0};
    if (*at) n->keyspace = take_name(&at, n->memory[0]);
    if (*at == '.') at++, n->table = take_name(&at, n->memory[1]);
}

err_t upkeep_table(struct upkeep *u, const struct store_table **out, struct diag *d)
{
    struct named n;
    names_of(u, &n);
    if (!n.table.at) {
        (void)diag_fail(d, ERR_USAGE, "'%s' names no table", u->table);
        return diag_hint(d, "name it as KEYSPACE.TABLE; `sluice tables` lists them");
    }
    *out = store_table_find(u->world->store, n.keyspace, n.table);
    if (*out) return ERR_OK;
    (void)diag_fail(d, ERR_UNKNOWN_TABLE, "there is no table %.*s.%.*s", SLICE_ARG(n.keyspace),
                    SLICE_ARG(n.table));
    return diag_hint(d, "`sluice tables` lists them");
}

struct slice upkeep_cell(struct cursor *c)
{
    int32_t length = cursor_i32(c);
    return length < 0 ? (struct slice){0} : cursor_slice(c, (uint64_t)length);
}

static err_t ask_page(struct cql_call *call, upkeep_page_fn *page, void *ctx, bool first,
                      struct buf *more, struct diag *d)
{
    err_t e = cql_run_wait(call);
    if (e) {
        *d = call->diag;
        return d->what[0] ? e : diag_fail(d, e, "%s", err_text(e));
    }
    if (call->result.kind == CQL_ROWS) e = page(ctx, &call->result, first, call->arena, d);
    buf_reset(more);
    buf_slice(more, call->result.paging_state);
    return e ? e : more->err;
}

err_t upkeep_ask(struct upkeep *u, struct slice statement, upkeep_page_fn *page, void *ctx,
                 struct diag *d)
{
    struct cql_session session = {.cql = u->world->cql, .protocol = 5, .trusted = true};
    struct buf state = buf_make(KIB(64));
    if (!u->world->cql) return diag_fail(d, ERR_UNSUPPORTED, "no CQL is spoken here");
    struct arena *a = arena_new(CQL_CALL_BYTES_MAX);
    err_t e = a ? ERR_OK : diag_fail(d, ERR_NO_MEMORY, "no memory for the rows");
    for (bool first = true; !e && (first || state.len); first = false) {
        struct cql_call call = {.session = &session,
                                .arena = a,
                                .verb = CALL_QUERY,
                                .text = statement,
                                .params = {.consistency = CQL_ONE,
                                           .page_size = CQL_PAGE_ROWS,
                                           .timestamp = INT64_MIN,
                                           .now_s = INT64_MIN}};
        if (!first) call.params.paging_state = buf_view(&state);
        e = upkeep_stopping(u) ? diag_fail(d, ERR_STOPPED, "it was ended") : ERR_OK;
        if (!e) e = ask_page(&call, page, ctx, first, &state, d);
        cql_call_done(&call);
        arena_reset(a);
    }
    arena_free(a);
    buf_done(&state);
    return e;
}

/* --- tables -------------------------------------------------------------------------------------
 */

/* Each table that `table` names: one, a keyspace's, or all. */
struct walk {
    struct upkeep *u;
    struct named names;
    err_t (*each)(struct upkeep *u, const struct store_table *t, struct buf *out, struct diag *d);
    struct buf out;
    struct diag *d;
    uint32_t met;
};

static err_t walk_table(void *ctx, const struct store_table *t)
{
    struct walk *w = ctx;
    if (w->names.keyspace.at && !slice_equal(w->names.keyspace, t->keyspace)) return ERR_OK;
    if (w->names.table.at && !slice_equal(w->names.table, t->name)) return ERR_OK;
    if (upkeep_stopping(w->u)) return diag_fail(w->d, ERR_STOPPED, "it was ended");
    w->met++;
    err_t e = w->each(w->u, t, &w->out, w->d);
    return e ? e : upkeep_put(w->u, &w->out);
}

/* A copy of the list first: what is done with a table may take long, and must not hold the catalog.
 */
struct listed {
    struct vec tables; /* of const struct store_table * */
};

static err_t list_table(void *ctx, const struct store_table *t)
{
    struct listed *l = ctx;
    return vec_push(&l->tables, &t);
}

static err_t walk_tables(struct upkeep *u,
                         err_t (*each)(struct upkeep *, const struct store_table *, struct buf *,
                                       struct diag *),
                         struct diag *d)
{
    struct walk w = {.u = u, .each = each, .out = buf_make(UPKEEP_TEXT_MAX), .d = d};
    struct listed l = {.tables = vec_make(sizeof(const struct store_table *), 1 << 20)};
    names_of(u, &w.names);
    err_t e = store_tables(u->world->store, list_table, &l);
    if (e) e = diag_fail(d, e, "listing the tables: %s", err_text(e));
    for (size_t i = 0; !e && i < l.tables.count; i++)
        e = walk_table(&w, *(const struct store_table *const *)vec_at(&l.tables, i));
    const struct store_table *one;
    bool known = !w.names.keyspace.at || w.met ||
                 (!w.names.table.at && store_keyspace_exists(u->world->store, w.names.keyspace));
    if (!e && !known && w.names.table.at) e = upkeep_table(u, &one, d);
    if (!e && !known && !w.names.table.at)
        e = diag_fail(d, ERR_UNKNOWN_NAME, "there is no keyspace %s", u->table);
    vec_done(&l.tables);
    buf_done(&w.out);
    return e;
}

static void put_key_text(struct buf *out, const char *key, struct slice value)
{
    buf_printf(out, "\"%s\": ", key);
    json_put_text(out, value);
}

static err_t each_listed(struct upkeep *u, const struct store_table *t, struct buf *out,
                         struct diag *d)
{
    struct store_table_stats s;
    err_t e = store_table_stats(u->world->store, t, &s, d);
    if (e) return e;
    buf_char(out, '{');
    put_key_text(out, "keyspace", t->keyspace);
    put_key_text((buf_text(out, ", "), out), "table", t->name);
    buf_printf(out,
               ", \"rows\": %" PRIu64 ", \"exact\": %s, \"bytes\": %" PRIu64
               ", \"index_bytes\": %" PRIu64 ", \"columns\": %u, \"indexes\": [",
               s.rows_estimate, s.exact ? "true" : "false", s.disk_bytes, s.index_bytes,
               t->column_count);
    for (uint32_t i = 0; i < t->index_count; i++) {
        if (i) buf_text(out, ", ");
        json_put_text(out, t->indexes[i].name);
    }
    buf_text(out, "]}\n");
    return ERR_OK;
}

/* DESCRIBE's last column is the statement; a table's indexes are rows of their own. */
static err_t describe_page(void *ctx, const struct cql_result *r, bool first, struct arena *a,
                           struct diag *d)
{
    struct upkeep *u = ctx;
    struct cursor c = cursor_of(buf_view(&r->rows));
    struct buf out = buf_make(UPKEEP_TEXT_MAX);
    struct slice text = {0};
    (void)a;
    for (uint32_t row = 0; row < r->row_count; row++) {
        for (uint32_t i = 0; i < r->metadata.count; i++) text = upkeep_cell(&c);
        buf_printf(&out, "%s%.*s\n", row || !first ? "\n" : "", SLICE_ARG(text));
    }
    err_t e =
        c.err ? diag_fail(d, ERR_INTERNAL, "a page of rows ends too early") : upkeep_put(u, &out);
    buf_done(&out);
    return e;
}

static err_t describe(struct upkeep *u, struct diag *d)
{
    struct named n;
    struct buf statement = buf_make(KIB(4));
    names_of(u, &n);
    if (!n.keyspace.at) return diag_fail(d, ERR_USAGE, "describe which keyspace or table?");
    buf_text(&statement, n.table.at ? "DESCRIBE TABLE " : "DESCRIBE KEYSPACE ");
    upkeep_put_name(&statement, n.keyspace);
    if (n.table.at) buf_char(&statement, '.');
    if (n.table.at) upkeep_put_name(&statement, n.table);
    err_t e = upkeep_ask(u, buf_view(&statement), describe_page, u, d);
    buf_done(&statement);
    return e;
}

/* --- the node -----------------------------------------------------------------------------------
 */

struct one_text {
    struct buf text;
};

static err_t keep_text(void *ctx, const struct cql_result *r, bool first, struct arena *a,
                       struct diag *d)
{
    struct one_text *o = ctx;
    struct cursor c = cursor_of(buf_view(&r->rows));
    (void)first, (void)a, (void)d;
    for (uint32_t row = 0; row < r->row_count; row++) {
        buf_slice(&o->text, upkeep_cell(&c));
        buf_char(&o->text, '\n');
    }
    return c.err ? c.err : o->text.err;
}

static err_t node(struct upkeep *u, struct diag *d)
{
    struct one_text local = {.text = buf_make(MIB(1))};
    struct store_stats s = store_stats(u->world->store);
    err_t e = upkeep_ask(u,
                         SLICE("SELECT JSON cluster_name, data_center, rack, host_id, "
                               "broadcast_address, release_version, cql_version, partitioner, "
                               "schema_version, tokens FROM system.local"),
                         keep_text, &local, d);
    if (e) return e;
    struct slice text = slice_trim(buf_view(&local.text));
    struct buf out = buf_make(MIB(2));
    buf_printf(&out, "{\"local\": %.*s, \"rows\": %" PRIu64 ", \"bytes\": %" PRIu64,
               SLICE_ARG(text), s.rows_estimate, s.disk_bytes);
    buf_printf(&out,
               ", \"memtable_bytes\": %" PRIu64 ", \"cache_bytes\": %" PRIu64
               ", \"compactions_running\": %" PRIu64 ", \"pending_compaction_bytes\": %" PRIu64,
               s.memtable_bytes, s.cache_bytes, s.compactions_running, s.pending_compaction_bytes);
    buf_printf(&out,
               ", \"started_ms\": %" PRId64 ", \"now_ms\": %" PRId64 ", \"memory_bytes\": %" PRIu64
               ", \"memory_budget\": %" PRIu64 ", \"cql_door\": %s}\n",
               u->facts.started_ms, u->facts.now_ms, u->facts.memory_bytes, u->facts.memory_budget,
               u->facts.cql && *u->facts.cql ? "true" : "false");
    e = upkeep_put(u, &out);
    buf_done(&out);
    buf_done(&local.text);
    return e;
}

/* What SELECT JSON answers, as it is. */
static err_t lines(struct upkeep *u, struct slice statement, struct diag *d)
{
    struct one_text rows = {.text = buf_make(UPKEEP_TEXT_MAX)};
    err_t e = upkeep_ask(u, statement, keep_text, &rows, d);
    if (!e) e = upkeep_put(u, &rows.text);
    buf_done(&rows.text);
    return e;
}

static err_t keyspaces(struct upkeep *u, struct diag *d)
{
    return lines(u, SLICE("SELECT JSON keyspace_name, replication FROM system_schema.keyspaces"),
                 d);
}

static err_t pools(struct upkeep *u, struct diag *d)
{
    return lines(u, SLICE("SELECT JSON * FROM system_views.thread_pools"), d);
}

/* --- flush and compact --------------------------------------------------------------------------
 */

static err_t each_known(struct upkeep *u, const struct store_table *t, struct buf *out,
                        struct diag *d)
{
    (void)u, (void)t, (void)out, (void)d;
    return ERR_OK;
}

static err_t flush(struct upkeep *u, struct diag *d)
{
    err_t e = walk_tables(u, each_known, d); /* is it there? all is in one memory */
    return e ? e : store_flush(u->world->store, d);
}

static err_t each_compacted(struct upkeep *u, const struct store_table *t, struct buf *out,
                            struct diag *d)
{
    struct store_table_stats before, after;
    err_t e = store_table_stats(u->world->store, t, &before, d);
    buf_char(out, '{');
    put_key_text(out, "keyspace", t->keyspace);
    put_key_text((buf_text(out, ", "), out), "table", t->name);
    size_t head = out->len;
    buf_printf(out, ", \"before\": %" PRIu64 "}\n", e ? 0 : before.disk_bytes);
    if (!e) e = out->err ? out->err : u->put(u->ctx, buf_view(out));
    if (!e) e = store_table_compact(u->world->store, t, d);
    if (!e) e = store_table_stats(u->world->store, t, &after, d);
    if (e) return e;
    out->len = head;
    buf_printf(out, ", \"before\": %" PRIu64 ", \"after\": %" PRIu64 "}\n", before.disk_bytes,
               after.disk_bytes);
    return ERR_OK;
}

static err_t compact(struct upkeep *u, struct diag *d)
{
    err_t e = flush(u, d); /* what is only in memory is compacted, too */
    return e ? e : walk_tables(u, each_compacted, d);
}

static err_t list(struct upkeep *u, struct diag *d)
{
    return walk_tables(u, each_listed, d);
}

static const struct {
    const char *what;
    err_t (*run)(struct upkeep *u, struct diag *d);
} actions[] = {
    {"tables", list},
    {"describe", describe},
    {"node", node},
    {"keyspaces", keyspaces},
    {"pools", pools},
    {"flush", flush},
    {"compact", compact},
    {"snapshot", upkeep_snapshot},
    {"snapshots", upkeep_snapshots},
    {"clear", upkeep_clear},
    {"export", upkeep_export},
    {"import", upkeep_import},
    {"why", upkeep_why},
    {"replay", upkeep_replay},
    {"dead-next", upkeep_dead_next},
    {"dead-mend", upkeep_dead_mend},
    {"dead-forget", upkeep_dead_forget},
    {"dead-replay", upkeep_dead_replay},
};

err_t upkeep_run(struct upkeep *u, struct diag *d)
{
    for (size_t i = 0; i < COUNT_OF(actions); i++)
        if (strcmp(u->what, actions[i].what) == 0) return actions[i].run(u, d);
    return diag_fail(d, ERR_USAGE, "'%s' is nothing that can be done here", u->what);
}
