/* COPY TO: the table's ranges, read side by side, as lines of CSV in no order. */
#include "main/cql/copy.h"

#include "sql/cql/tree.h"

enum { RANGES = 8 };

static bool put_rows(struct copy *c, const struct native_response *r,
                     const struct native_metadata *m)
{
    struct buf line = buf_make(SHELL_PAGE_MAX), field = buf_make(SHELL_PAGE_MAX);
    struct cursor rows = cursor_of(r->rows);
    struct native_value v;
    for (size_t i = 0; i < (size_t)r->row_count * m->count; i++) {
        if (!native_value_next(&rows, &v)) break;
        if (i % m->count) buf_char(&line, c->csv.delimiter);
        buf_reset(&field);
        if (v.state == NATIVE_SET) {
            show_value(&c->form, m->columns[i % m->count].type, &v, false, &field);
            records_put_field(&c->csv, buf_view(&field), &line);
        } else {
            buf_text(&line, c->null);
        }
        if (i % m->count == m->count - 1) buf_text(&line, "\r\n");
    }
    bool ok = !line.err && !field.err &&
              (line.len == 0 || fwrite(line.at, 1, line.len, c->file) == line.len);
    if (!ok) shell_error(c->shell, "'%s' could not be written", c->path);
    c->rows += r->row_count;
    buf_done(&line);
    buf_done(&field);
    return ok;
}

/* token(a, b) */
static void put_token(const struct copy *c, struct buf *out)
{
    bool first = true;
    buf_text(out, "token(");
    for (uint32_t i = 0; i < c->column_count; i++) {
        if (!c->columns[i].partition) continue;
        if (!first) buf_text(out, ", ");
        first = false;
        cql_put_name(out, c->columns[i].name);
    }
    buf_text(out, ")");
}

static const struct cql_prepared *prepare(struct copy *c)
{
    const struct cql_prepared *out = NULL;
    struct buf text = buf_make(MIB(1));
    struct diag d = {0};
    buf_text(&text, "SELECT ");
    copy_put_names(c, &text);
    buf_text(&text, " FROM ");
    cql_put_name(&text, c->keyspace);
    buf_char(&text, '.');
    cql_put_name(&text, c->table);
    buf_text(&text, " WHERE ");
    put_token(c, &text);
    buf_text(&text, " >= ? AND ");
    put_token(c, &text);
    buf_text(&text, " <= ?");
    if (text.err || cql_pool_prepare(c->pool, buf_view(&text), &out, &d))
        shell_error(c->shell, "%s", text.err ? "too many columns" : d.what);
    buf_done(&text);
    return out;
}

static bool ask_range(struct copy *c, const struct cql_prepared *p, uint64_t range,
                      struct slice paging)
{
    uint64_t step = UINT64_MAX / RANGES;
    uint64_t ends[2] = {range * step, range + 1 == RANGES ? UINT64_MAX : (range + 1) * step - 1};
    uint8_t bytes[2][8];
    struct native_value values[2];
    struct native_request r = {
        .id = p->id, .result_id = p->result_id, .params = NATIVE_PARAMS_NONE};
    struct diag d = {0};
    for (int i = 0; i < 2; i++) {
        uint64_t token = ends[i] ^ UINT64_C(0x8000000000000000); /* from the smallest on */
        for (int b = 0; b < 8; b++) bytes[i][b] = (uint8_t)(token >> (56 - 8 * b));
        values[i] = (struct native_value){slice_make(bytes[i], 8), NATIVE_SET};
    }
    r.params.values = values;
    r.params.value_count = 2;
    r.params.consistency = c->shell->consistency;
    r.params.page_size = (int32_t)MAX(MIN(c->page_size, 1000000), 1);
    r.params.paging_state = paging;
    if (cql_pool_submit(c->pool, NATIVE_OP_EXECUTE, &r, range, &d) == ERR_OK) return true;
    shell_error(c->shell, "%s", d.what);
    return false;
}

static void put_header(const struct copy *c)
{
    struct buf line = buf_make(MIB(1));
    for (uint32_t i = 0; i < c->name_count; i++) {
        if (i > 0) buf_char(&line, c->csv.delimiter);
        records_put_field(&c->csv, c->names[i], &line);
    }
    buf_text(&line, "\r\n");
    fwrite(line.at, 1, line.len, c->file);
    buf_done(&line);
}

void copy_out(struct copy *c)
{
    struct arena *a = arena_new(SHELL_PAGE_MAX);
    const struct cql_prepared *p = a ? prepare(c) : NULL;
    struct cql_answer answer;
    struct diag d = {0};
    uint64_t range;
    bool ok = p != NULL;
    if (ok && c->header) put_header(c);
    for (uint64_t i = 0; ok && i < RANGES; i++) ok = ask_range(c, p, i, (struct slice){0});
    while (ok && cql_pool_in_flight(c->pool) > 0) {
        arena_reset(a);
        err_t e = cql_pool_collect(c->pool, a, &range, &answer, &d);
        if (!e) e = cql_answer_error(&answer, &d);
        if (e) {
            shell_error(c->shell, "%s", d.what);
            ok = false;
            break;
        }
        const struct native_metadata *m = &answer.response.metadata;
        if (m->paging_state.at) ok = ask_range(c, p, range, m->paging_state);
        ok = ok && put_rows(c, &answer.response, m->columns ? m : &p->result);
        copy_progress(c, false);
    }
    if (ok && fflush(c->file) != 0) shell_error(c->shell, "'%s' could not be written", c->path);
    if (ok) copy_progress(c, true);
    arena_free(a);
}
