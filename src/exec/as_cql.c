/* Statements that are CQL's alone: the room cql runs them, its rows go to the sink as ours do. */
#include "exec/statements.h"

#include "cql/cql.h"
#include "os/clock.h"

err_t exec_cql_check(struct exec_call *x, struct slice text, struct diag *d)
{
    const struct cql_statement_tree *tree;
    return cql_parse(text, x->arena, &tree, d);
}

/* Bytes as the room cql answers them become a page's columns: an empty value of a type that has
 * none is shown as null. */
static err_t column_of(const struct cql_result *r, uint32_t which, struct column *out,
                       const struct slice *cells, struct arena *a, struct diag *d)
{
    const struct type *type = r->metadata.columns[which].type;
    err_t e = column_init(out, type, r->row_count, a);
    for (uint32_t row = 0; !e && row < r->row_count; row++) {
        struct slice bytes = cells[(size_t)row * r->metadata.count + which];
        struct value v;
        if (!bytes.at) continue;
        if (bytes.len == 0 && type->kind != TYPE_TEXT && type->kind != TYPE_ASCII &&
            type->kind != TYPE_BLOB)
            continue;
        e = value_from_binary(type, bytes, &v, d);
        if (!e) e = column_set(out, row, &v);
    }
    return e;
}

static err_t rows_to_sink(struct exec_call *x, const struct cql_result *r, struct arena *a,
                          struct diag *d)
{
    uint32_t columns = r->metadata.count;
    struct column *page = arena_take(a, (columns + 1) * sizeof(*page));
    struct slice *cells = arena_take(a, ((size_t)columns * r->row_count + 1) * sizeof(*cells));
    struct cursor c = cursor_of(buf_view(&r->rows));
    if (!page || !cells) return diag_fail(d, ERR_NO_MEMORY, "no memory for a page of rows");
    for (size_t i = 0; i < (size_t)columns * r->row_count; i++) {
        int32_t length = cursor_i32(&c);
        if (length >= 0) cells[i] = cursor_slice(&c, (uint64_t)length);
    }
    if (c.err) return diag_fail(d, ERR_INTERNAL, "a page of rows ends too early");
    err_t e = ERR_OK;
    for (uint32_t i = 0; !e && i < columns; i++) e = column_of(r, i, &page[i], cells, a, d);
    if (!e && r->row_count && x->sink->result.rows)
        e = x->sink->result.rows(x->sink->result.ctx, page, columns, r->row_count);
    return e;
}

static err_t head_to_sink(struct exec_call *x, const struct cql_result *r, struct arena *a,
                          struct diag *d)
{
    uint32_t count = r->metadata.count;
    struct slice *names = arena_take(a, (count + 1) * sizeof(*names));
    const struct type **types = arena_take(a, (count + 1) * sizeof(*types));
    if (!names || !types) return diag_fail(d, ERR_NO_MEMORY, "no memory for the columns");
    for (uint32_t i = 0; i < count; i++) {
        names[i] = r->metadata.columns[i].name;
        types[i] = r->metadata.columns[i].type;
    }
    if (!x->sink->result.head) return ERR_OK;
    return x->sink->result.head(x->sink->result.ctx, names, types, count);
}

static void tell_change(struct exec_call *x, const struct cql_schema_change *change)
{
    exec_note(x, "%s %s %.*s%s%.*s", change->change, change->target, SLICE_ARG(change->keyspace),
              change->name.len ? "." : "", SLICE_ARG(change->name));
}

/* One page; *more is the state of the next, at NULL when there is none. */
static err_t run_page(struct exec_call *x, struct cql_call *call, bool first, struct buf *more,
                      struct diag *d)
{
    err_t e = cql_run_wait(call);
    const struct cql_result *r = &call->result;
    buf_reset(more);
    if (e) {
        *d = call->diag;
        if (!d->what[0]) (void)diag_fail(d, e, "%s", err_text(e));
        return e;
    }
    for (uint32_t i = 0; i < r->warning_count; i++)
        exec_note(x, "warning: %.*s", SLICE_ARG(r->warnings[i]));
    if (r->kind == CQL_SCHEMA_CHANGE) tell_change(x, &r->change);
    if (r->kind != CQL_ROWS) return ERR_OK;
    if (first) e = head_to_sink(x, r, call->arena, d);
    if (!e) e = rows_to_sink(x, r, call->arena, d);
    if (!e) buf_slice(more, r->paging_state);
    return e ? e : more->err;
}

static err_t run_pages(struct exec_call *x, struct slice text, struct arena *a, struct diag *d)
{
    const struct exec_session *own = x->session;
    struct cql_session session = {.cql = x->world->cql, .protocol = 5};
    struct buf state = buf_make(KIB(64));
    session.trusted = !own->user[0];
    memcpy(session.keyspace, own->keyspace, sizeof(session.keyspace));
    if (!own->keyspace[0] && exec_of_letters(text))
        (void)slice_to_cstr(SLICE("system_views"), session.keyspace, sizeof(session.keyspace));
    memcpy(session.user, own->user, sizeof(session.user));
    err_t e = ERR_OK;
    for (bool first = true; !e && (first || state.len); first = false) {
        struct cql_call call = {
            .session = &session,
            .arena = a,
            .verb = CALL_QUERY,
            .text = text,
            .params = {.consistency = CQL_ONE,
                       .page_size = CQL_PAGE_ROWS,
                       .paging_state = first ? (struct slice){0} : buf_view(&state),
                       .timestamp = INT64_MIN,
                       .now_s = INT64_MIN}};
        if (x->limits->stopping && x->limits->stopping(x->limits->stop_ctx)) {
            e = diag_fail(d, ERR_STOPPED, "the query was ended");
            break;
        }
        e = run_page(x, &call, first, &state, d);
        cql_call_done(&call);
        arena_reset(a);
    }
    buf_done(&state);
    return e;
}

err_t exec_cql_run(struct exec_call *x, struct slice text, struct diag *d)
{
    if (!x->world->cql)
        return diag_fail(d, ERR_UNSUPPORTED, "CQL's statements are not available here");
    struct arena *a = arena_new(CQL_CALL_BYTES_MAX);
    struct diag own = {.err = ERR_OK};
    err_t e = a ? run_pages(x, text, a, &own)
                : diag_fail(&own, ERR_NO_MEMORY, "no memory for the statement");
    arena_free(a);
    if (e && d) *d = own;
    return e;
}
