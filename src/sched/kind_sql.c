/* sql, sql_sensor, rows_sensor: statements of this Sluice, or of a database by its connection. */
#include "sched/workshop_int.h"

#include "sched/connection.h"

#include <inttypes.h>
#include <stdio.h>

enum { NOTES_MAX = 1 << 20 };

/* --- another database -------------------------------------------------------------------------
 */

struct rows_of {
    struct arena *arena;
    struct doc *items;
    uint32_t count, cap, most;
    bool (*stop)(void *);
    void *ctx;
};

static err_t take_row(void *ctx, const struct meta_row *row)
{
    struct rows_of *r = ctx;
    if (r->stop(r->ctx)) return ERR_STOPPED;
    if (r->count == r->most) return ERR_OK; /* not kept */
    if (r->count == r->cap) {
        uint32_t cap = r->cap ? 2 * r->cap : 16;
        struct doc *grown =
            arena_resize(r->arena, r->items, r->cap * sizeof(*grown), cap * sizeof(*grown));
        if (!grown) return ERR_NO_MEMORY;
        r->items = grown;
        r->cap = cap;
    }
    struct doc *values = arena_take(r->arena, ((size_t)row->count + 1) * sizeof(*values));
    if (!values) return ERR_NO_MEMORY;
    for (uint32_t i = 0; i < row->count; i++) {
        const struct meta_value *v = &row->at[i];
        if (v->kind == META_INT) values[i] = (struct doc){.kind = DOC_INT, .number = v->number};
        if (v->kind == META_REAL) values[i] = (struct doc){.kind = DOC_FLOAT, .real = v->real};
        if (v->kind != META_TEXT && v->kind != META_BYTES) continue;
        values[i] = (struct doc){.kind = DOC_TEXT, .text = arena_slice(r->arena, v->text)};
        if (!values[i].text.at) return ERR_NO_MEMORY;
    }
    r->items[r->count++] = (struct doc){.kind = DOC_LIST, .count = row->count, .items = values};
    return ERR_OK;
}

static err_t elsewhere(struct work *k, struct worker *t, struct slice id, struct slice text,
                       uint32_t rows_max, struct doc *rows, struct diag *d)
{
    struct connection c;
    struct meta *own, *there = NULL;
    struct buf uri = buf_make(CONNECTION_TEXT_MAX);
    struct rows_of r = {.arena = k->arena, .most = rows_max, .stop = work_stopped, .ctx = k};
    err_t e = worker_meta(t, &own, d);
    if (!e) e = connection_resolve(own, id, k->arena, &c, d);
    if (e) return e;
    bool postgres = slice_is(c.conn_type, "postgres") || slice_is(c.conn_type, "postgresql");
    if (!postgres && !slice_is(c.conn_type, "sqlite"))
        return diag_fail(d, ERR_UNSUPPORTED,
                         "connection '%.*s' is of type '%.*s': statements run here, without "
                         "conn_id, or on postgres and sqlite",
                         SLICE_ARG(id), SLICE_ARG(c.conn_type));
    if (postgres) {
        c.conn_type = SLICE("postgresql");
        c.extra = (struct slice){0};
        connection_put_uri(&uri, &c);
    } else {
        buf_slice(&uri, c.host);
    }
    struct meta_options o = {.where = buf_cstr(&uri), .statement_ms = INT32_MAX};
    const char *statement = arena_text(k->arena, text);
    e = uri.err || !statement ? diag_fail(d, ERR_NO_MEMORY, "no memory for a statement")
                              : meta_open(&o, &there, d);
    if (!e) e = meta_run_text(there, statement, NULL, 0, take_row, &r, NULL, d);
    meta_close(there);
    buf_done(&uri);
    *rows = (struct doc){.kind = DOC_LIST, .count = r.count, .items = r.items};
    return e;
}

/* --- here -------------------------------------------------------------------------------------
 */

err_t work_sql(struct work *k, struct worker *t, struct slice text, uint32_t rows_max,
               struct doc *rows, struct diag *d)
{
    const struct work_port *port = &k->w->so.port;
    bool may_name = task_option_find(k->order->task->kind, SLICE("conn_id")) != NULL;
    struct slice id = may_name ? work_text(k, "conn_id") : (struct slice){0};
    *rows = (struct doc){.kind = DOC_LIST};
    work_say(k, "INFO", "Executing: %.*s", SLICE_ARG(text));
    if (id.len) return elsewhere(k, t, id, text, rows_max, rows, d);
    if (!port->sql) return diag_fail(d, ERR_UNSUPPORTED, "there are no tables without a server");
    struct slice keyspace = task_option_find(k->order->task->kind, SLICE("keyspace"))
                                ? work_text(k, "keyspace")
                                : (struct slice){0};
    struct buf notes = buf_make(NOTES_MAX);
    err_t e =
        port->sql(port->ctx, text, keyspace, rows_max, work_stopped, k, k->arena, rows, &notes, d);
    if (notes.len) work_say(k, "INFO", "%.*s", SLICE_ARG(slice_trim(buf_view(&notes))));
    buf_done(&notes);
    return e;
}

/* What Python's bool() says of a value. */
bool sql_is_true(const struct doc *v)
{
    switch (v->kind) {
    case DOC_NULL: return false;
    case DOC_BOOL: return v->yes;
    case DOC_INT: return v->number != 0;
    case DOC_FLOAT: return v->real != 0;
    case DOC_TEXT: return v->text.len > 0 && !slice_is(v->text, "false") && !slice_is(v->text, "f");
    case DOC_LIST:
    case DOC_MAP: return v->count > 0;
    }
    return false;
}

static bool is_false(const struct doc *rows)
{
    if (rows->count != 1 || rows->items[0].count != 1) return false;
    const struct doc *v = &rows->items[0].items[0];
    return v->kind == DOC_BOOL
               ? !v->yes
               : v->kind == DOC_TEXT && (slice_is(v->text, "false") || slice_is(v->text, "False"));
}

err_t kind_sql(struct work *k, struct worker *t, struct work_answer *out, struct diag *d)
{
    struct slice *texts;
    uint32_t count;
    int64_t most;
    struct doc *rows = arena_take(k->arena, sizeof(*rows));
    err_t e = work_texts(k, "sql", &texts, &count, d);
    if (!e) e = work_int(k, "rows_max", &most, d);
    if (!e && !rows) e = diag_fail(d, ERR_NO_MEMORY, "no memory for rows");
    for (uint32_t i = 0; i < count && !e; i++) {
        if (work_stopped(k)) return diag_fail(d, ERR_STOPPED, "stopped between two statements");
        e = work_sql(k, t, texts[i], (uint32_t)MIN(most, INT64_C(1000000)), rows, d);
        if (!e && is_false(rows))
            e = diag_fail(d, ERR_CONSTRAINT, "the check is false: %.*s", SLICE_ARG(texts[i]));
    }
    if (e) return e;
    out->message = work_printf(k, "%u row%s", rows->count, rows->count == 1 ? "" : "s");
    if (rows->count) out->result = rows;
    return ERR_OK;
}

err_t kind_sql_sensor(struct work *k, struct worker *t, struct work_answer *out, struct diag *d)
{
    struct doc rows;
    bool fails;
    err_t e = work_bool(k, "fail_on_empty", &fails, d);
    if (!e) e = work_sql(k, t, work_text(k, "sql_sensor"), 1, &rows, d);
    if (e) return e;
    if (rows.count == 0 && fails) {
        out->outcome = WORK_FAILED;
        out->message = SLICE("No rows returned, raising as per fail_on_empty flag");
        return ERR_OK;
    }
    bool met = rows.count > 0 && rows.items[0].count > 0 && sql_is_true(rows.items[0].items);
    if (met) return ERR_OK;
    out->outcome = WORK_AGAIN;
    out->message = rows.count ? SLICE("the first value is not true yet") : SLICE("no rows yet");
    return ERR_OK;
}

/* A table's name as it stands in a statement: letters, digits, "_", quoted parts and a dot. */
static bool is_table_name(struct slice name)
{
    for (uint32_t i = 0; i < name.len; i++) {
        uint8_t c = name.at[i];
        bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    c == '_' || c == '.' || c == '"';
        if (!fine) return false;
    }
    return name.len > 0;
}

err_t kind_rows_sensor(struct work *k, struct worker *t, struct work_answer *out, struct diag *d)
{
    struct slice table = slice_trim(work_text(k, "rows_sensor"));
    struct bound wanted;
    bool given;
    struct doc rows;
    err_t e = work_bound(k, "rows", &wanted, &given, d);
    if (!e && !is_table_name(table))
        e = diag_fail(d, ERR_CONFIG, "'%.*s' is no table's name", SLICE_ARG(table));
    if (!e)
        e = work_sql(k, t, work_printf(k, "SELECT count(*) FROM %.*s", SLICE_ARG(table)), 1, &rows,
                     d);
    if (e) return e;
    const struct doc *n = rows.count && rows.items[0].count ? rows.items[0].items : NULL;
    int64_t count = n && n->kind == DOC_INT ? n->number : 0;
    out->message = work_printf(k, "%.*s has %" PRId64 " rows", SLICE_ARG(table), count);
    if (!given || bound_fits(&wanted, (double)count)) return ERR_OK;
    out->outcome = WORK_AGAIN;
    return ERR_OK;
}
