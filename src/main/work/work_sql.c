/* Statements for tasks: rows become lists, as Airflow's hooks give them. */
#include "main/server.h"
#include "main/work/work.h"

#include "os/clock.h"

struct rows {
    struct arena *arena;
    struct doc *out;
    struct buf *notes, json;
    uint32_t most, cap;
};

static err_t on_head(void *ctx, const struct slice *names, const struct type *const *types,
                     uint32_t count)
{
    struct rows *r = ctx; /* of several statements the last one's rows count */
    (void)names, (void)types, (void)count;
    r->out->count = 0;
    return ERR_OK;
}

static err_t take_value(struct rows *r, const struct column *c, uint32_t row, struct doc *out)
{
    struct value v;
    column_get(c, row, &v);
    *out = (struct doc){.kind = DOC_NULL};
    if (v.state != VALID_VALUE) return ERR_OK;
    buf_reset(&r->json);
    value_to_json(&v, &r->json);
    struct slice text = r->json.err ? (struct slice){0} : arena_slice(r->arena, buf_view(&r->json));
    return text.at ? doc_of_json(text, r->arena, out, NULL) : ERR_NO_MEMORY;
}

static err_t take_row(struct rows *r, const struct column *columns, uint32_t count, uint32_t row)
{
    if (r->out->count == r->cap) {
        uint32_t cap = r->cap ? 2 * r->cap : 16;
        struct doc *grown =
            arena_resize(r->arena, r->out->items, r->cap * sizeof(*grown), cap * sizeof(*grown));
        if (!grown) return ERR_NO_MEMORY;
        r->out->items = grown;
        r->cap = cap;
    }
    struct doc *values = arena_take(r->arena, ((size_t)count + 1) * sizeof(*values));
    err_t e = values ? ERR_OK : ERR_NO_MEMORY;
    for (uint32_t c = 0; c < count && !e; c++) e = take_value(r, &columns[c], row, &values[c]);
    if (!e)
        r->out->items[r->out->count++] =
            (struct doc){.kind = DOC_LIST, .count = count, .items = values};
    return e;
}

static err_t on_rows(void *ctx, const struct column *columns, uint32_t count, uint32_t rows)
{
    struct rows *r = ctx;
    err_t e = ERR_OK;
    for (uint32_t i = 0; i < rows && !e && r->out->count < r->most; i++)
        e = take_row(r, columns, count, i);
    return e;
}

static void on_note(void *ctx, const char *text)
{
    struct rows *r = ctx;
    buf_printf(r->notes, "%s\n", text);
}

static err_t run(struct exec_session session, struct slice text, struct slice keyspace,
                 uint32_t rows_max, bool (*stop)(void *), void *stop_ctx, struct arena *a,
                 struct doc *rows, struct buf *notes, struct diag *d)
{
    struct query_limits limits = {
        .now_ms = clock_wall_ms(), .stopping = stop, .stop_ctx = stop_ctx};
    *rows = (struct doc){.kind = DOC_LIST};
    struct rows r = {
        .arena = a, .out = rows, .notes = notes, .most = rows_max, .json = buf_make(MIB(64))};
    struct exec_sink sink = {.result = {.ctx = &r, .head = on_head, .rows = on_rows},
                             .note = on_note};
    if (!slice_to_cstr(keyspace, session.keyspace, sizeof(session.keyspace)))
        return diag_fail(d, ERR_CONFIG, "the keyspace's name is too long");
    struct diag why = {0};
    err_t e = exec_run(&session, text, &limits, &sink, &why);
    buf_done(&r.json);
    if (e && why.err == ERR_OK) (void)diag_fail(&why, e, "%s", err_text(e));
    if (e && d) *d = why;
    return e;
}

err_t work_statements(void *ctx, struct slice text, struct slice keyspace, uint32_t rows_max,
                      bool (*stop)(void *), void *stop_ctx, struct arena *a, struct doc *rows,
                      struct buf *notes, struct diag *d)
{
    struct working *w = ctx;
    struct exec_session session = {.world = &w->server->world};
    return run(session, text, keyspace, rows_max, stop, stop_ctx, a, rows, notes, d);
}

err_t work_query(struct exec_world *world, struct slice text, uint32_t rows_max,
                 bool (*stop)(void *), void *stop_ctx, struct arena *a, struct doc *rows,
                 struct diag *d)
{
    struct buf notes = buf_make(1 << 20);
    struct exec_session session = {.world = world, .reads_only = true};
    err_t e = run(session, text, SLICE(""), rows_max, stop, stop_ctx, a, rows, &notes, d);
    buf_done(&notes);
    return e;
}
