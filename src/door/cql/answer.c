/* Results and errors of the room cql as messages. */
#include "door/cql/link.h"

#include <stdio.h>

/* --- what the door says itself ---------------------------------------------------------------- */

void answer_error(struct link *l, uint8_t version, int16_t stream, int32_t code, const char *words,
                  ...)
{
    char text[1024];
    va_list args;
    va_start(args, words);
    int n = vsnprintf(text, sizeof(text), words, args);
    va_end(args);
    struct native_error e = {
        .code = code, .words = native_cut(slice_make(text, (size_t)MAX(n, 0)), sizeof(text) - 1)};
    struct native_head h = {
        .version = version, .response = true, .opcode = NATIVE_OP_ERROR, .stream = stream};
    count_up(&l->shard->counts.errors, 1);
    struct buf *out = out_open(l);
    size_t begun = native_begin(out, &h);
    native_error_put(out, version, &e);
    out_close(l, begun);
}

void answer_simple(struct link *l, const struct native_head *asked, const struct native_response *r,
                   uint8_t opcode)
{
    struct native_head h = {.version = asked->version, .opcode = opcode, .stream = asked->stream};
    struct buf *out = out_open(l);
    size_t begun = out->len;
    struct diag d;
    if (native_response_put(out, &h, r, &d)) cql_link_close(l, d.what);
    out_close(l, begun);
}

/* --- errors -------------------------------------------------------------------------------------
 */

static struct slice write_type(const struct cql_call *c)
{
    if (c->err == ERR_CAS_UNKNOWN) return SLICE("CAS");
    if (c->verb != CALL_BATCH) return SLICE("SIMPLE");
    static const char *const kinds[] = {"BATCH", "UNLOGGED_BATCH", "COUNTER"};
    return slice_of(kinds[(unsigned)c->batch_kind < COUNT_OF(kinds) ? c->batch_kind : 0]);
}

/* diag's words, as Cassandra says them; and why, when a system call knows more. */
static struct slice words_of(const struct cql_call *c, char *room, size_t cap)
{
    const struct diag *d = &c->diag;
    if (!d->why[0] || d->err != c->err || strchr(d->why, '\n'))
        return slice_of(d->what); /* a line of the text with its caret is for our own shell */
    int n = snprintf(room, cap, "%s: %s", d->what, d->why);
    return native_cut(slice_make(room, (size_t)MAX(n, 0)), (uint32_t)cap - 1);
}

static void put_error(struct buf *out, uint8_t version, const struct cql_call *c)
{
    char room[sizeof(c->diag.what) + sizeof(c->diag.why) + 4];
    struct native_error e = {.code = err_cql(c->err),
                             .words = words_of(c, room, sizeof(room)),
                             .consistency = c->params.consistency,
                             .block_for = 1,
                             .write_type = write_type(c),
                             .keyspace = c->error_keyspace,
                             .name = c->error_table,
                             .id = c->id};
    native_error_put(out, version, &e);
}

/* --- results ------------------------------------------------------------------------------------
 */

static struct native_column column_of(const struct cql_column *c)
{
    return (struct native_column){c->keyspace, c->table, c->name, c->type};
}

static struct native_column marker_of(const struct cql_receiver *c)
{
    return (struct native_column){c->keyspace, c->table, c->name, c->type};
}

static bool same(struct slice a, struct slice b)
{
    return (a.at == b.at && a.len == b.len) || slice_equal(a, b);
}

static bool columns_of_one(const struct cql_metadata *m)
{
    const struct cql_column *c = m->columns;
    for (uint32_t i = 1; i < m->count; i++)
        if (!same(c[i].keyspace, c->keyspace) || !same(c[i].table, c->table)) return false;
    return m->count > 0;
}

static bool markers_of_one(const struct cql_prepared *p)
{
    const struct cql_receiver *c = p->markers;
    for (uint32_t i = 1; i < p->marker_count; i++)
        if (!same(c[i].keyspace, c->keyspace) || !same(c[i].table, c->table)) return false;
    return p->marker_count > 0;
}

/* skipped: the columns themselves are left out. */
static void put_metadata(struct buf *out, uint8_t version, const struct cql_metadata *m,
                         struct slice paging_state, bool skipped, bool changed)
{
    struct native_columns columns = {.version = version, .global = columns_of_one(m)};
    struct native_column c;
    struct slice id = changed ? slice_make(m->id, sizeof(m->id)) : (struct slice){0};
    if (m->count) c = column_of(&m->columns[0]);
    native_metadata_begin(out, &columns, m->count, paging_state, id,
                          skipped || !m->count ? NULL : &c);
    for (uint32_t i = 0; !skipped && i < m->count; i++) {
        c = column_of(&m->columns[i]);
        native_column_put(out, &columns, &c);
    }
}

static void put_prepared(struct buf *out, uint8_t version, const struct cql_prepared *p)
{
    struct native_columns columns = {.version = version, .global = markers_of_one(p)};
    struct native_column c;
    if (p->marker_count) c = marker_of(&p->markers[0]);
    native_string_put(out, slice_make(p->id, sizeof(p->id)));
    if (version >= 5) native_string_put(out, slice_make(p->result.id, sizeof(p->result.id)));
    native_markers_begin(out, &columns, p->marker_count, p->key_markers, p->key_count,
                         p->marker_count ? &c : NULL);
    for (uint32_t i = 0; i < p->marker_count; i++) {
        c = marker_of(&p->markers[i]);
        native_column_put(out, &columns, &c);
    }
    put_metadata(out, version, &p->result, (struct slice){0}, false, false);
}

static void put_rows_head(struct buf *out, uint8_t version, const struct cql_call *c)
{
    const struct cql_result *r = &c->result;
    bool changed = r->metadata_changed;
    put_metadata(out, version, &r->metadata, r->paging_state, c->params.skip_metadata && !changed,
                 changed);
    buf_be(out, r->row_count, 4);
}

static void put_change(struct buf *out, uint8_t version, const struct cql_schema_change *c)
{
    struct native_change change = {.change = slice_of(c->change),
                                   .target = slice_of(c->target),
                                   .keyspace = c->keyspace,
                                   .name = c->name};
    native_change_put(out, version, &change);
}

static void put_result(struct buf *out, uint8_t version, const struct cql_call *c)
{
    const struct cql_result *r = &c->result;
    _Static_assert((int)CQL_ROWS == NATIVE_RESULT_ROWS && (int)CQL_VOID == NATIVE_RESULT_VOID &&
                       (int)CQL_SET_KEYSPACE == NATIVE_RESULT_SET_KEYSPACE &&
                       (int)CQL_PREPARED == NATIVE_RESULT_PREPARED &&
                       (int)CQL_SCHEMA_CHANGE == NATIVE_RESULT_SCHEMA_CHANGE,
                   "kinds are the same numbers");
    buf_be(out, r->kind, 4);
    switch (r->kind) {
    case CQL_VOID: break;
    case CQL_ROWS: put_rows_head(out, version, c); break;
    case CQL_SET_KEYSPACE: native_string_put(out, r->keyspace); break;
    case CQL_PREPARED: put_prepared(out, version, &r->prepared); break;
    case CQL_SCHEMA_CHANGE: put_change(out, version, &r->change); break;
    }
}

/* --- an answer ----------------------------------------------------------------------------------
 */

void answer_call(struct call *c)
{
    struct link *l = c->link;
    const struct cql_call *q = &c->cql;
    const struct cql_result *r = &q->result;
    bool traced = r->has_trace && !q->err, warned = r->warning_count && l->version >= 4;
    struct native_head h = {
        .version = l->version,
        .response = true,
        .flags = (uint8_t)((traced ? NATIVE_HEAD_TRACING : 0) | (warned ? NATIVE_HEAD_WARNING : 0)),
        .opcode = q->err ? NATIVE_OP_ERROR : NATIVE_OP_RESULT,
        .stream = c->stream};
    struct buf *out = out_open(l);
    size_t begun = native_begin(out, &h);
    if (traced) buf_put(out, r->trace_id, sizeof(r->trace_id));
    if (warned) native_warnings_put(out, r->warnings, r->warning_count);
    if (q->err) {
        count_up(&l->shard->counts.errors, 1);
        put_error(out, l->version, q);
    } else {
        put_result(out, l->version, q);
    }
    if (!q->err && r->kind == CQL_ROWS)
        out_close_rows(c, begun);
    else
        out_close(l, begun);
}
