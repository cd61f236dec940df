/* Statements of notebooks and dashboards: run as everywhere, with the rights of who asks. */
#include "door/console/console_int.h"
#include "exec/watch.h"
#include "os/clock.h"
#include "people/people.h"
#include "sql/cql/tree.h"

#include <stdio.h>

enum { LIMIT = 1000, LIMIT_MOST = 100000, NAMES_MAX = 100000 };

/* Who may change something runs whatever exec runs; for statements that ask for permissions the
 * user is named, so that the console gives nobody more than CQL's own door does. */
static err_t session_of(struct ask *a, struct exec_session *out)
{
    *out = (struct exec_session){.world = ask_world(a), .reads_only = a->user.role < ROLE_OP};
    struct slice keyspace = ask_body_text(a, "keyspace");
    if (a->user.role < ROLE_ADMIN) memcpy(out->user, a->user.name, sizeof(out->user));
    return slice_to_cstr(keyspace, out->keyspace, sizeof(out->keyspace))
               ? ERR_OK
               : diag_fail(&a->d, ERR_TOO_BIG, "no keyspace has so long a name");
}

/* --- rows as JSON --------------------------------------------------------------------------------
 */

struct telling {
    struct ask *a;
    uint64_t rows, most;
    bool open, alone; /* alone: there is one statement, so that the rest need not be read */
    bool more;
    struct buf notes, cell;
};

static void close_result(struct telling *t)
{
    if (!t->open) return;
    js_close(&t->a->out, ']');
    js_put_bool(&t->a->out, "more", t->more);
    js_close(&t->a->out, '}');
    t->open = false;
}

static void put_type(struct buf *out, const struct type *type)
{
    struct buf text = buf_make(4096);
    type_print(type, &text);
    js_put_text(out, "type", buf_view(&text));
    buf_done(&text);
}

static err_t on_head(void *ctx, const struct slice *names, const struct type *const *types,
                     uint32_t count)
{
    struct telling *t = ctx;
    struct buf *out = &t->a->out;
    close_result(t);
    t->open = true;
    t->rows = 0;
    t->more = false;
    js_open(out, '{');
    js_put_open(out, "columns", '[');
    for (uint32_t i = 0; i < count; i++) {
        js_open(out, '{');
        js_put_text(out, "name", names[i]);
        put_type(out, types[i]);
        js_close(out, '}');
    }
    js_close(out, ']');
    js_put_open(out, "rows", '[');
    return out->err;
}

/* A browser's numbers are exact up to 2^53: longer ones go as texts. */
static bool is_long_number(struct slice json)
{
    if (json.len < 16) return false;
    for (uint32_t i = 0; i < json.len; i++)
        if (json.at[i] != '-' && (json.at[i] < '0' || json.at[i] > '9')) return false;
    return true;
}

static err_t put_row(struct telling *t, const struct column *columns, uint32_t count, uint32_t row)
{
    struct buf *out = &t->a->out;
    struct value v;
    js_open(out, '[');
    for (uint32_t c = 0; c < count; c++) {
        column_get(&columns[c], row, &v);
        buf_reset(&t->cell);
        if (v.state == VALID_VALUE)
            value_to_json(&v, &t->cell);
        else
            buf_text(&t->cell, "null");
        if (is_long_number(buf_view(&t->cell)))
            js_text(out, buf_view(&t->cell));
        else
            js_raw(out, buf_view(&t->cell));
    }
    js_close(out, ']');
    return t->cell.err ? t->cell.err : out->err;
}

static err_t on_rows(void *ctx, const struct column *columns, uint32_t count, uint32_t rows)
{
    struct telling *t = ctx;
    for (uint32_t i = 0; i < rows; i++) {
        if (t->rows == t->most) {
            t->more = true;
            return t->alone ? ERR_STOPPED : ERR_OK;
        }
        err_t e = put_row(t, columns, count, i);
        if (e) return e;
        t->rows++;
    }
    return t->a->out.err;
}

static void on_note(void *ctx, const char *text)
{
    struct telling *t = ctx;
    js_text(&t->notes, slice_of(text));
}

static bool is_alone(struct slice text)
{
    bool whole;
    size_t len = cql_statement_length(text, &whole);
    return slice_trim(slice_make(text.at + len, text.len - len)).len == 0;
}

err_t console_sql(struct ask *a)
{
    struct slice text = ask_body_text(a, "text");
    struct exec_session session;
    int64_t limit = MIN(MAX(ask_body_int(a, "limit", LIMIT), 1), LIMIT_MOST);
    int64_t start = clock_mono_ns();
    err_t e = session_of(a, &session);
    if (e) return e;
    struct telling t = {.a = a,
                        .most = (uint64_t)limit,
                        .alone = is_alone(text),
                        .notes = buf_make(1 << 20),
                        .cell = buf_make(CONSOLE_ANSWER_MAX)};
    struct query_limits limits = {.now_ms = ask_now_ms(a), .stopping = ask_stopping, .stop_ctx = a};
    struct exec_sink sink = {.result = {.ctx = &t, .head = on_head, .rows = on_rows},
                             .note = on_note};
    js_open(&a->out, '{');
    js_put_open(&a->out, "results", '[');
    js_open(&t.notes, '[');
    e = exec_run(&session, text, &limits, &sink, &a->d);
    if (e == ERR_STOPPED && t.more) e = ERR_OK;
    if (e == ERR_TOO_BIG && a->out.err)
        e = diag_fail(&a->d, e, "the rows are larger than %d MiB", CONSOLE_ANSWER_MAX >> 20);
    close_result(&t);
    js_close(&a->out, ']');
    js_close(&t.notes, ']');
    js_name(&a->out, "notes");
    js_raw(&a->out, buf_view(&t.notes));
    js_put_cstr(&a->out, "keyspace", session.keyspace);
    js_put_real(&a->out, "ms", (double)((clock_mono_ns() - start) / 1000) / 1000);
    js_close(&a->out, '}');
    buf_done(&t.notes);
    buf_done(&t.cell);
    return e;
}

/* --- live ----------------------------------------------------------------------------------------
 */

static err_t on_text(void *ctx, struct slice text)
{
    struct ask *a = ctx;
    buf_slice(&a->out, text);
    return ask_send(a);
}

err_t console_sql_watch(struct ask *a)
{
    struct slice text = ask_body_text(a, "text");
    struct exec_session session;
    err_t e = session_of(a, &session);
    if (e) return e;
    if (!exec_is_watch(text)) {
        (void)diag_fail(&a->d, ERR_USAGE, "this is no live statement");
        return diag_hint(&a->d, "WATCH SELECT …, or SELECT … EMIT CHANGES");
    }
    struct query_limits limits = {.now_ms = ask_now_ms(a), .stopping = ask_stopping, .stop_ctx = a};
    struct watch_view view = {.format = RENDER_JSON, .put = on_text, .ctx = a};
    e = ask_send(a); /* the answer begins, also while no record comes */
    return e ? e : exec_watch(&session, text, &limits, &view, &a->d);
}

/* --- names ---------------------------------------------------------------------------------------
 */

struct naming {
    struct buf *words, functions;
};

static err_t put_word(void *ctx, const struct sql_word *w)
{
    struct naming *n = ctx;
    if (!w->signature) {
        js_text(n->words, slice_of(w->text));
        return n->words->err;
    }
    js_open(&n->functions, '{');
    js_put_cstr(&n->functions, "name", w->text);
    js_put_cstr(&n->functions, "signature", w->signature);
    js_put_cstr(&n->functions, "about", w->about);
    js_close(&n->functions, '}');
    return n->functions.err;
}

static err_t put_keyspace(void *ctx, struct slice name)
{
    struct buf *out = ctx;
    js_text(out, name);
    return out->err;
}

static void put_column(struct buf *out, struct slice name, const struct type *type)
{
    js_open(out, '{');
    js_put_text(out, "name", name);
    put_type(out, type);
    js_close(out, '}');
}

static err_t put_table(void *ctx, const struct store_table *t)
{
    struct buf *out = ctx;
    char full[512];
    snprintf(full, sizeof(full), "%.*s.%.*s", SLICE_ARG(t->keyspace), SLICE_ARG(t->name));
    js_open(out, '{');
    js_put_cstr(out, "name", full);
    js_put_cstr(out, "kind", "table");
    js_put_open(out, "columns", '[');
    for (uint32_t i = 0; i < t->column_count; i++)
        put_column(out, t->columns[i].name, t->columns[i].type);
    js_close(out, ']');
    js_close(out, '}');
    return out->err;
}

struct topics {
    struct ask *a;
    struct sql_catalog port;
};

static err_t put_topic(void *ctx, struct log_topic *topic)
{
    const struct topics *t = ctx;
    struct buf *out = &t->a->out;
    struct slice name = log_topic_name(topic);
    const struct sql_relation *r = t->port.find(t->port.ctx, (struct slice){0}, name);
    js_open(out, '{');
    js_put_text(out, "name", name);
    js_put_cstr(out, "kind", "topic");
    js_put_open(out, "columns", '[');
    for (uint32_t i = 0; r && i < r->column_count; i++)
        put_column(out, r->columns[i].name, r->columns[i].type);
    js_close(out, ']');
    js_close(out, '}');
    return out->err;
}

err_t console_sql_names(struct ask *a)
{
    struct exec_world *w = ask_world(a);
    struct catalog_view view = {w->catalog, {0}};
    struct topics topics = {a, catalog_port(&view)};
    struct naming n = {&a->out, buf_make(4 << 20)};
    js_open(&a->out, '{');
    js_put_open(&a->out, "words", '[');
    js_open(&n.functions, '[');
    err_t e = sql_words(put_word, &n);
    js_close(&a->out, ']');
    js_close(&n.functions, ']');
    js_name(&a->out, "functions");
    js_raw(&a->out, buf_view(&n.functions));
    js_put_open(&a->out, "keyspaces", '[');
    if (!e) e = store_keyspaces(w->store, put_keyspace, &a->out);
    js_close(&a->out, ']');
    js_put_open(&a->out, "relations", '[');
    if (!e) e = store_tables(w->store, put_table, &a->out);
    if (!e) e = log_topics(w->log, put_topic, &topics);
    js_close(&a->out, ']');
    js_close(&a->out, '}');
    buf_done(&n.functions);
    return e;
}

/* --- portraits -----------------------------------------------------------------------------------
 */

err_t console_portrait(struct ask *a)
{
    struct slice size = ask_part(a, "size"), folder = ask_part(a, "folder");
    int64_t number;
    bool large = slice_is(size, "large");
    if (!slice_to_i64(ask_part(a, "number"), &number) || number < 0 || number > INT32_MAX)
        return diag_fail(&a->d, ERR_NOT_FOUND, "there is no such portrait");
    err_t e = people_portrait(large ? SLICE("") : size, folder, (int)number, &a->out);
    return e ? diag_fail(&a->d, ERR_NOT_FOUND, "there is no such portrait") : ask_send(a);
}
