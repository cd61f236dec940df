/* Rows of tables: a page, one row, and why it is there. */
#include "door/console/table_int.h"

#include "base/hash.h"
#include "exec/upkeep.h"
#include "exec/why.h"
#include "os/clock.h"

enum {
    ROWS_MAX = 1000,
    CELL_SHOWN = 2000,     /* bytes of a value in a page */
    PAGE_BYTES = 16 << 20, /* of a page's text: what is more is cut shorter */
    CELL_MAX = 64 << 20,
    PROGRESS_MS = 500
};

/* --- a statement with the user's rights ---------------------------------------------------------
 */

struct table_ask table_ask_of(struct ask *a)
{
    return (struct table_ask){.world = ask_world(a), .user = slice_of(a->user.name)};
}

err_t table_ask_open(struct table_ask *t, struct diag *d)
{
    if (!t->world->cql) return diag_fail(d, ERR_UNSUPPORTED, "no CQL is spoken here");
    t->session = (struct cql_session){.cql = t->world->cql, .protocol = 5, .trusted = t->trusted};
    if (!slice_to_cstr(t->user.at ? t->user : SLICE(""), t->session.user, sizeof(t->session.user)))
        return diag_fail(d, ERR_TOO_BIG, "the user's name");
    t->arena = arena_new(CQL_CALL_BYTES_MAX);
    return t->arena ? ERR_OK : diag_fail(d, ERR_NO_MEMORY, "no memory for rows");
}

err_t table_ask(struct table_ask *t, struct diag *d)
{
    t->call = (struct cql_call){.session = &t->session,
                                .arena = t->arena,
                                .verb = CALL_QUERY,
                                .text = t->text,
                                .params = {.consistency = CQL_ONE,
                                           .values = t->values,
                                           .value_count = t->value_count,
                                           .page_size = t->limit ? t->limit : CQL_PAGE_ROWS,
                                           .paging_state = t->page,
                                           .timestamp = INT64_MIN,
                                           .now_s = INT64_MIN}};
    err_t e = cql_run_wait(&t->call);
    if (!e) return ERR_OK;
    *d = t->call.diag;
    return d->what[0] ? e : diag_fail(d, e, "%s", err_text(e));
}

void table_ask_done(struct table_ask *t)
{
    cql_call_done(&t->call);
    buf_done(&t->made);
    arena_free(t->arena);
    t->arena = NULL;
}

err_t table_select(struct table_ask *t, struct slice keyspace, struct slice name,
                   struct slice where, int32_t limit, struct diag *d)
{
    t->made = buf_make(MIB(1));
    buf_text(&t->made, "SELECT * FROM ");
    upkeep_put_name(&t->made, keyspace);
    buf_char(&t->made, '.');
    upkeep_put_name(&t->made, name);
    if (where.len) { /* on a line of its own: a comment in it ends there */
        buf_text(&t->made, " WHERE ");
        buf_slice(&t->made, where);
        buf_text(&t->made, "\n ALLOW FILTERING");
    }
    if (t->made.err) return diag_fail(d, t->made.err, "the condition");
    t->text = buf_view(&t->made);
    t->limit = limit;
    err_t e = table_ask(t, d);
    if (!e && t->call.result.kind != CQL_ROWS)
        e = diag_fail(d, ERR_USAGE, "'%.*s' is no condition", SLICE_ARG(where));
    return e;
}

/* --- a page -------------------------------------------------------------------------------------
 */

struct page {
    struct buf *out, cell;
    uint32_t shown; /* bytes of a value */
    bool cut;
};

static void put_value(struct page *p, const struct type *type, struct slice bytes)
{
    if (!bytes.at) {
        js_null(p->out);
        return;
    }
    struct value v = value_hold(type, bytes);
    buf_reset(&p->cell);
    value_to_text(&v, &p->cell);
    uint32_t len = (uint32_t)MIN(p->cell.len, (size_t)p->shown);
    p->cut |= p->cell.err || p->cell.len > len;
    while (len && len < p->cell.len && (p->cell.at[len] & 0xc0) == 0x80) len--;
    js_text(p->out, len ? slice_make(p->cell.at, len) : SLICE(""));
}

static const struct store_column *column_of(const struct store_table *t, struct slice name)
{
    return t ? store_column_find(t, name) : NULL;
}

static void put_columns(struct buf *out, const struct cql_metadata *m, const struct store_table *t)
{
    js_put_open(out, "columns", '[');
    for (uint32_t i = 0; i < m->count; i++) {
        const struct store_column *c = column_of(t, m->columns[i].name);
        put_table_column(out, m->columns[i].name, m->columns[i].type, c ? c->role : COLUMN_REGULAR,
                         c && c->descending);
    }
    js_close(out, ']');
}

/* Where many columns are long, each is shown shorter, so that the page stays within bounds. */
static uint32_t shown_of(const struct cql_result *r)
{
    uint64_t cells = (uint64_t)MAX(r->row_count, 1u) * MAX(r->metadata.count, 1u);
    return (uint32_t)MAX(MIN((uint64_t)CELL_SHOWN, PAGE_BYTES / cells), (uint64_t)16);
}

static err_t put_rows(struct buf *out, const struct cql_result *r, bool *cut, struct diag *d)
{
    struct page p = {.out = out, .cell = buf_make(CELL_MAX), .shown = shown_of(r)};
    struct cursor c = cursor_of(buf_view(&r->rows));
    js_put_open(out, "rows", '[');
    for (uint32_t row = 0; row < r->row_count && !out->err; row++) {
        js_open(out, '[');
        for (uint32_t i = 0; i < r->metadata.count; i++)
            put_value(&p, r->metadata.columns[i].type, upkeep_cell(&c));
        js_close(out, ']');
    }
    js_close(out, ']');
    buf_done(&p.cell);
    *cut = p.cut;
    return c.err ? diag_fail(d, ERR_INTERNAL, "a page of rows ends too early") : ERR_OK;
}

static err_t page_of(struct ask *a, struct slice *out)
{
    struct slice text = ask_text(a, "page");
    struct buf bytes = buf_make(KIB(64));
    *out = (struct slice){0};
    if (!text.len) return ERR_OK;
    err_t e = parse_base64(text, &bytes);
    if (!e) *out = arena_slice(a->arena, buf_view(&bytes));
    buf_done(&bytes);
    return e || !out->at ? diag_fail(&a->d, ERR_USAGE, "this is no page's mark") : ERR_OK;
}

static void put_page_end(struct buf *out, const struct cql_result *r, bool cut, int64_t ms)
{
    js_put_bool(out, "cut", cut);
    js_name(out, "next");
    if (r->paging_state.at && r->paging_state.len)
        js_bytes(out, r->paging_state);
    else
        js_null(out);
    js_put_int(out, "ms", ms);
    js_put_open(out, "notes", '[');
    for (uint32_t i = 0; i < r->warning_count; i++) js_text(out, r->warnings[i]);
    js_close(out, ']');
}

err_t console_rows(struct ask *a)
{
    struct slice keyspace = ask_part(a, "keyspace"), name = ask_part(a, "table");
    const struct store_table *stored = store_table_find(ask_world(a)->store, keyspace, name);
    struct table_ask t = table_ask_of(a);
    int64_t limit, began_ns = clock_mono_ns();
    bool cut = false;
    err_t e = ask_int(a, "limit", 200, 1, ROWS_MAX, &limit);
    if (!e) e = page_of(a, &t.page);
    if (!e) e = table_ask_open(&t, &a->d);
    if (!e) e = table_select(&t, keyspace, name, ask_text(a, "where"), (int32_t)limit, &a->d);
    if (!e) {
        js_open(&a->out, '{');
        put_columns(&a->out, &t.call.result.metadata, stored);
        e = put_rows(&a->out, &t.call.result, &cut, &a->d);
        put_page_end(&a->out, &t.call.result, cut, (clock_mono_ns() - began_ns) / 1000000);
        js_close(&a->out, '}');
    }
    table_ask_done(&t);
    return e;
}

/* --- one row ------------------------------------------------------------------------------------
 */

static uint32_t key_words(const struct ask *a, struct slice words[WHY_KEYS_MAX])
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < a->param_count && count < WHY_KEYS_MAX; i++)
        if (slice_is(a->params[i].name, "key")) words[count++] = a->params[i].value;
    return count;
}

err_t unknown_table(struct diag *d, struct slice keyspace, struct slice table)
{
    (void)diag_fail(d, ERR_UNKNOWN_TABLE, "there is no table %.*s.%.*s", SLICE_ARG(keyspace),
                    SLICE_ARG(table));
    return diag_hint(d, "GET /tables lists them");
}

/* May who asks read it? A page of no rows asks CQL's permissions. */
static err_t may_read(struct ask *a, struct slice keyspace, struct slice table)
{
    struct table_ask t = table_ask_of(a);
    err_t e = table_ask_open(&t, &a->d);
    if (!e) e = table_select(&t, keyspace, table, SLICE(""), 1, &a->d);
    table_ask_done(&t);
    return e;
}

static void put_cells(struct buf *out, const struct store_table *t, const struct column_batch *b)
{
    struct buf text = buf_make(CELL_MAX);
    js_open(out, '{');
    js_put_open(out, "cells", '[');
    for (uint32_t i = 0; i < t->column_count; i++) {
        const struct store_column *c = &t->columns[i];
        struct value v = {.state = NULL_VALUE}, written = {.state = NULL_VALUE};
        column_get(&b->columns[i], 0, &v);
        column_get(&b->columns[t->column_count + i], 0, &written);
        js_open(out, '{');
        js_name(out, "column");
        put_table_column(out, c->name, c->type, c->role, c->descending);
        buf_reset(&text);
        if (v.state == VALID_VALUE) value_to_text(&v, &text);
        js_put_text(out, "value",
                    v.state != VALID_VALUE ? (struct slice){0}
                    : text.len             ? buf_view(&text)
                                           : SLICE(""));
        js_put_time(out, "written",
                    written.state == VALID_VALUE ? written.integer / 1000 : INT64_MIN);
        js_close(out, '}');
    }
    js_close(out, ']');
    js_close(out, '}');
    buf_done(&text);
}

err_t console_row(struct ask *a)
{
    struct slice keyspace = ask_part(a, "keyspace"), name = ask_part(a, "table");
    struct store *s = ask_world(a)->store;
    const struct store_table *t = store_table_find(s, keyspace, name);
    struct slice words[WHY_KEYS_MAX];
    struct value key[WHY_KEYS_MAX];
    uint32_t count = 0;
    struct store_lineage lineage;
    struct arena *cells = arena_new(CQL_CALL_BYTES_MAX);
    struct column_batch b = {.arena = cells};
    err_t e = t ? ERR_OK : unknown_table(&a->d, keyspace, name);
    if (!e && !cells) e = diag_fail(&a->d, ERR_NO_MEMORY, "no memory for a row");
    if (!e) e = may_read(a, keyspace, name);
    if (!e) e = key_of_words(t, words, key_words(a, words), a->arena, key, &count, &a->d);
    if (!e) e = row_of_key(s, t, key, count, &b, &lineage, &a->d);
    if (!e && !b.rows) e = diag_fail(&a->d, ERR_NOT_FOUND, "there is no row with this key");
    if (!e) put_cells(&a->out, t, &b);
    arena_free(cells);
    return e;
}

/* --- why ----------------------------------------------------------------------------------------
 */

struct telling {
    struct ask *ask;
    int64_t told_ms;
    err_t failed;
};

static err_t tell(struct telling *t)
{
    err_t e = ask_send(t->ask);
    if (e && !t->failed) t->failed = e;
    return e;
}

static err_t tell_step(void *ctx, const struct why_step *s)
{
    struct telling *t = ctx;
    struct buf *out = &t->ask->out;
    js_open(out, '{');
    js_put_open(out, "step", '{');
    js_put_cstr(out, "known", s->how_text);
    js_put_text(out, "stream", s->stream);
    js_put_cstr(out, "step", s->step);
    js_put_text(out, "text", s->text.at ? s->text : SLICE(""));
    js_close(out, '}');
    js_close(out, '}');
    buf_char(out, '\n');
    return tell(t);
}

static void tell_progress(void *ctx, uint64_t done, uint64_t of)
{
    struct telling *t = ctx;
    struct buf *out = &t->ask->out;
    int64_t now_ms = clock_mono_ns() / 1000000;
    if (t->failed || now_ms - t->told_ms < PROGRESS_MS) return;
    t->told_ms = now_ms;
    js_open(out, '{');
    js_put_open(out, "progress", '{');
    js_put_uint(out, "done", done);
    js_put_uint(out, "of", of);
    js_close(out, '}');
    js_close(out, '}');
    buf_char(out, '\n');
    t->failed = tell(t);
}

static bool tell_stopping(void *ctx)
{
    const struct telling *t = ctx;
    return t->failed || ask_stopping(t->ask);
}

static err_t why_table(struct ask *a, const struct why_options *o)
{
    struct slice keyspace = ask_text(a, "keyspace"), name = ask_text(a, "table");
    struct slice words[WHY_KEYS_MAX];
    const struct store_table *t = store_table_find(ask_world(a)->store, keyspace, name);
    err_t e = t ? may_read(a, keyspace, name) : unknown_table(&a->d, keyspace, name);
    return e ? e : why_of_row(ask_world(a), t, words, key_words(a, words), o, &a->d);
}

static err_t why_topic(struct ask *a, const struct why_options *o)
{
    struct slice topic = ask_text(a, "topic");
    int64_t partition, offset;
    err_t e = ask_int(a, "partition", -1, 0, INT32_MAX, &partition);
    if (!e) e = ask_int(a, "offset", -1, 0, INT64_MAX, &offset);
    if (!e && (partition < 0 || offset < 0))
        e = diag_fail(&a->d, ERR_USAGE, "of topic %.*s: which partition and offset?",
                      SLICE_ARG(topic));
    if (!e && !log_topic_find(ask_world(a)->log, topic))
        e = diag_fail(&a->d, ERR_UNKNOWN_TOPIC, "no topic %.*s", SLICE_ARG(topic));
    return e ? e : flow_why_record(ask_world(a)->flow, topic, (int32_t)partition, offset, o, &a->d);
}

err_t console_why(struct ask *a)
{
    struct telling t = {.ask = a, .told_ms = clock_mono_ns() / 1000000};
    struct why_options o = {
        .ctx = &t, .each = tell_step, .progress = tell_progress, .stopping = tell_stopping};
    int64_t records;
    struct slice topic;
    err_t e = ask_int(a, "records", 5, 1, 10000, &records);
    if (e) return e;
    o.records = (uint32_t)records;
    if (!ask_world(a)->flow)
        return diag_fail(&a->d, ERR_UNSUPPORTED, "a server that runs says why");
    e = ask_param(a, "topic", &topic) ? why_topic(a, &o) : why_table(a, &o);
    return t.failed ? t.failed : e;
}
