/* Rows out of a table and into one, as JSON lines or CSV. Times to live and write times stay
 * behind: what comes in is written now. */
#include "exec/upkeep_int.h"

#include "data/csv.h"
#include "data/json.h"
#include "os/thread.h"

#include <inttypes.h>

enum {
    IMPORT_CALLS = 1024, /* in flight: the log is synced for all of them at once */
    ROW_BYTES_MAX = 8 << 20,
    FIELD_BYTES_MAX = 4 << 20,
    SEND_BYTES = 64 << 10
};

static err_t format_of(const struct upkeep *u, bool *csv, struct diag *d)
{
    *csv = strcmp(u->format, "csv") == 0;
    if (*csv || strcmp(u->format, "json") == 0) return ERR_OK;
    return diag_fail(d, ERR_USAGE, "rows go as json or csv, not as '%s'", u->format);
}

/* --- out ----------------------------------------------------------------------------------------
 */

struct export
{
    struct upkeep *u;
    bool csv;
    struct buf out, cell;
};

/* Null is nothing, empty text "" (csv_put_field's quotes tell them apart); JSON's quotes around
 * times, addresses and the like are left out. */
static void put_csv_cell(struct export *x, const struct type *t, struct slice bytes)
{
    static const struct csv_options o = {0};
    struct cql_value v = {.bytes = bytes, .state = CQL_SET};
    if (!bytes.at) return;
    if (t->kind == TYPE_TEXT || t->kind == TYPE_ASCII) {
        csv_put_field(&x->out, bytes, &o);
        return;
    }
    buf_reset(&x->cell);
    cql_to_json(t, &v, &x->cell);
    struct slice text = buf_view(&x->cell);
    if (text.len >= 2 && text.at[0] == '"') text = slice_make(text.at + 1, text.len - 2u);
    csv_put_field(&x->out, text, &o);
}

static void put_json_cell(struct export *x, const struct cql_column *c, struct slice bytes)
{
    struct cql_value v = {.bytes = bytes, .state = bytes.at ? CQL_SET : CQL_NULL};
    bool folded = true;
    for (uint32_t i = 0; i < c->name.len; i++)
        folded &= !(c->name.at[i] >= 'A' && c->name.at[i] <= 'Z');
    buf_reset(&x->cell);
    if (!folded) buf_char(&x->cell, '"'); /* as SELECT JSON names it, and INSERT JSON reads it */
    buf_slice(&x->cell, c->name);
    if (!folded) buf_char(&x->cell, '"');
    json_put_text(&x->out, buf_view(&x->cell));
    buf_text(&x->out, ": ");
    if (bytes.at)
        cql_to_json(c->type, &v, &x->out);
    else
        buf_text(&x->out, "null");
}

static void put_header(struct export *x, const struct cql_metadata *m)
{
    static const struct csv_options o = {0};
    for (uint32_t i = 0; i < m->count; i++) {
        if (i) buf_char(&x->out, ',');
        csv_put_field(&x->out, m->columns[i].name, &o);
    }
    buf_text(&x->out, "\r\n");
}

static err_t export_page(void *ctx, const struct cql_result *r, bool first, struct arena *a,
                         struct diag *d)
{
    struct export *x = ctx;
    struct cursor c = cursor_of(buf_view(&r->rows));
    err_t e = ERR_OK;
    (void)a;
    if (first && x->csv) put_header(x, &r->metadata);
    for (uint32_t row = 0; !e && row < r->row_count; row++) {
        for (uint32_t i = 0; i < r->metadata.count; i++) {
            const struct cql_column *column = &r->metadata.columns[i];
            struct slice bytes = upkeep_cell(&c);
            if (i || !x->csv) buf_text(&x->out, i ? (x->csv ? "," : ", ") : "{");
            if (x->csv)
                put_csv_cell(x, column->type, bytes);
            else
                put_json_cell(x, column, bytes);
        }
        buf_text(&x->out, x->csv ? "\r\n" : "}\n");
        if (c.err) e = diag_fail(d, ERR_INTERNAL, "a page of rows ends too early");
        if (!e && x->out.len > SEND_BYTES) e = upkeep_put(x->u, &x->out);
    }
    return e ? e : upkeep_put(x->u, &x->out);
}

err_t upkeep_export(struct upkeep *u, struct diag *d)
{
    const struct store_table *t;
    struct export x = {.u = u, .out = buf_make(UPKEEP_TEXT_MAX), .cell = buf_make(UPKEEP_TEXT_MAX)};
    struct buf statement = buf_make(KIB(4));
    err_t e = format_of(u, &x.csv, d);
    if (!e) e = upkeep_table(u, &t, d);
    if (!e) {
        buf_text(&statement, "SELECT * FROM ");
        upkeep_put_name(&statement, t->keyspace);
        buf_char(&statement, '.');
        upkeep_put_name(&statement, t->name);
        e = upkeep_ask(u, buf_view(&statement), export_page, &x, d);
    }
    buf_done(&statement);
    buf_done(&x.out);
    buf_done(&x.cell);
    return e;
}

/* --- in -----------------------------------------------------------------------------------------
 */

struct import;
struct slot { /* a row under way */
    struct import *in;
    struct arena *arena;
    struct cql_value *values; /* one a column of the table */
    struct cql_call call;
    uint32_t line;
    size_t at, bytes;  /* the record, in the body */
    struct slot *next; /* in the list it is in */
};
struct import {
    struct upkeep *u;
    const struct store_table *table;
    struct cql_session session;
    struct cql_prepared prepared;
    struct arena *arena; /* of the statement, and the header */
    struct slot *slots;
    struct slot *idle;  /* the reader's own */
    struct slot *ended; /* under the gate: done, not looked at */
    uint32_t busy;
    struct gate gate;
    struct buf out;
    uint64_t rows, rejected;
    const struct store_column **fields; /* CSV: which column each field is */
    uint32_t field_count;
};

static void on_done(struct cql_call *call)
{
    struct slot *s = call->ctx;
    struct import *in = s->in;
    gate_enter(&in->gate);
    s->next = in->ended;
    in->ended = s;
    gate_wake(&in->gate);
    gate_leave(&in->gate);
}

static void reject(struct import *in, const struct slot *s, const struct diag *d)
{
    in->rejected++;
    buf_printf(&in->out, "{\"line\": %u, \"at\": %zu, \"bytes\": %zu, \"why\": ", s->line, s->at,
               s->bytes);
    struct buf why = buf_make(KIB(8));
    buf_printf(&why, "%s%s%s", d->what[0] ? d->what : err_text(d->err), d->why[0] ? ": " : "",
               d->why);
    json_put_text(&in->out, buf_view(&why));
    buf_done(&why);
    buf_text(&in->out, "}\n");
}

static void put_back(struct import *in, struct slot *s)
{
    arena_reset(s->arena);
    s->next = in->idle;
    in->idle = s;
}

/* Looks at the rows that are done; waits for one when there is none. */
static void collect(struct import *in)
{
    gate_enter(&in->gate);
    while (!in->ended) gate_wait(&in->gate);
    struct slot *ended = in->ended;
    in->ended = NULL;
    gate_leave(&in->gate);
    while (ended) {
        struct slot *s = ended;
        ended = s->next;
        if (s->call.err)
            reject(in, s, &s->call.diag);
        else
            in->rows++;
        cql_call_done(&s->call);
        put_back(in, s);
        in->busy--;
    }
}

static err_t prepare(struct import *in, struct diag *d)
{
    const struct store_table *t = in->table;
    struct buf text = buf_make(MIB(1));
    buf_text(&text, "INSERT INTO ");
    upkeep_put_name(&text, t->keyspace);
    buf_char(&text, '.');
    upkeep_put_name(&text, t->name);
    for (uint32_t i = 0; i < t->column_count; i++) {
        buf_text(&text, i ? ", " : " (");
        upkeep_put_name(&text, t->columns[i].name);
    }
    buf_text(&text, ") VALUES (?");
    for (uint32_t i = 1; i < t->column_count; i++) buf_text(&text, ", ?");
    buf_char(&text, ')');
    struct cql_call call = {.session = &in->session,
                            .arena = in->arena,
                            .verb = CALL_PREPARE,
                            .text = buf_view(&text),
                            .params = {.timestamp = INT64_MIN, .now_s = INT64_MIN}};
    err_t e = text.err ? diag_fail(d, text.err, "%s: too many columns", in->u->table)
                       : cql_run_wait(&call);
    if (e && call.err) *d = call.diag;
    in->prepared = call.result.prepared;
    cql_call_done(&call);
    buf_done(&text);
    return e;
}

static err_t unknown_column(const struct import *in, struct slice name, struct diag *d)
{
    return diag_fail(d, ERR_UNKNOWN_COLUMN, "table %s has no column %.*s", in->u->table,
                     SLICE_ARG(name));
}

/* One value as JSON; null stays unset, so that it writes no tombstone. */
static err_t set_json(struct slot *s, const struct store_column *c, struct slice json,
                      struct diag *d)
{
    struct cql_value *v = &s->values[c - s->in->table->columns];
    err_t e = cql_from_json(c->type, json, s->arena, v, d);
    if (!e && v->state == CQL_NULL) v->state = CQL_UNSET;
    return e;
}

static err_t row_of_json(struct slot *s, struct slice record, struct diag *d)
{
    struct cql_json_field *fields;
    uint32_t count;
    err_t e = cql_json_fields(record, s->arena, &fields, &count, d);
    for (uint32_t i = 0; !e && i < count; i++) {
        const struct store_column *c = store_column_find(s->in->table, fields[i].name);
        e = c ? set_json(s, c, fields[i].json, d) : unknown_column(s->in, fields[i].name, d);
    }
    return e;
}

/* A field is the text of a JSON string, but for what is nested: that is JSON itself. */
static err_t row_of_csv(struct slot *s, const struct slice *fields, uint32_t count, struct diag *d)
{
    const struct import *in = s->in;
    err_t e = ERR_OK;
    if (count != in->field_count)
        return diag_fail(d, ERR_MALFORMED, "%u fields, the header has %u", count, in->field_count);
    for (uint32_t i = 0; !e && i < count; i++) {
        const struct store_column *c = in->fields[i];
        struct cql_value *v = &s->values[c - in->table->columns];
        if (!fields[i].at) continue;
        if (c->type->kind == TYPE_TEXT) {
            *v = (struct cql_value){.bytes = fields[i], .state = CQL_SET};
        } else if (type_is_nested(c->type)) {
            e = set_json(s, c, fields[i], d);
        } else {
            struct buf quoted = buf_make(FIELD_BYTES_MAX * 6u + 2u);
            json_put_text(&quoted, fields[i]);
            e = quoted.err ? quoted.err
                           : set_json(s, c, arena_slice(s->arena, buf_view(&quoted)), d);
            buf_done(&quoted);
        }
    }
    return e;
}

static struct slot *next_slot(struct import *in, uint32_t line, size_t at, size_t bytes)
{
    while (!in->idle) collect(in);
    struct slot *s = in->idle;
    in->idle = s->next;
    s->line = line, s->at = at, s->bytes = bytes;
    s->values = arena_take(s->arena, (in->table->column_count + 1) * sizeof(*s->values));
    for (uint32_t i = 0; s->values && i < in->table->column_count; i++)
        s->values[i].state = CQL_UNSET;
    return s;
}

/* The row is whole, or was refused before it came to the table. */
static void send_row(struct slot *s, err_t e, struct diag *d)
{
    struct import *in = s->in;
    if (e) {
        if (d->err != e) (void)diag_fail(d, e, "%s", err_text(e));
        reject(in, s, d);
        put_back(in, s);
        return;
    }
    s->call = (struct cql_call){.session = &in->session,
                                .arena = s->arena,
                                .verb = CALL_EXECUTE,
                                .id = slice_make(in->prepared.id, sizeof(in->prepared.id)),
                                .params = {.values = s->values,
                                           .value_count = in->table->column_count,
                                           .consistency = CQL_ONE,
                                           .timestamp = INT64_MIN,
                                           .now_s = INT64_MIN},
                                .done = on_done,
                                .ctx = s};
    in->busy++;
    cql_run(&s->call);
}

static err_t read_json(struct import *in, struct diag *d)
{
    struct slice body = in->u->body;
    uint32_t line = 0;
    err_t e = ERR_OK;
    for (size_t at = 0, end; !e && at < body.len; at = end + 1) {
        const uint8_t *mark = memchr(body.at + at, '\n', body.len - at);
        end = mark ? (size_t)(mark - body.at) : body.len;
        struct slice record = slice_trim(slice_make(body.at + at, end - at));
        struct diag why = {.err = ERR_OK};
        line++;
        if (record.len == 0) continue;
        struct slot *s = next_slot(in, line, at, end - at);
        send_row(s, s->values ? row_of_json(s, record, &why) : ERR_NO_MEMORY, &why);
        if (upkeep_stopping(in->u)) e = diag_fail(d, ERR_STOPPED, "it was ended");
        if (in->out.len > SEND_BYTES && !e) e = upkeep_put(in->u, &in->out);
    }
    return e;
}

static err_t read_header(struct import *in, struct csv_reader *r, struct slice *fields,
                         struct diag *d)
{
    err_t e = csv_next(r, in->arena, fields, &in->field_count, d);
    if (e == ERR_NOT_FOUND) return diag_fail(d, ERR_MALFORMED, "there is no header line");
    in->fields = e ? NULL : arena_take(in->arena, (in->field_count + 1) * sizeof(*in->fields));
    if (!e && !in->fields) e = diag_fail(d, ERR_NO_MEMORY, "no memory for the header");
    for (uint32_t i = 0; !e && i < in->field_count; i++) {
        in->fields[i] = store_column_find(in->table, fields[i]);
        if (!in->fields[i]) e = unknown_column(in, fields[i], d);
    }
    return e;
}

static err_t read_csv(struct import *in, struct diag *d)
{
    struct slice body = in->u->body;
    uint32_t max = in->table->column_count + 1;
    struct csv_reader r = csv_reader_make(
        body, (struct csv_options){.fields_max = max, .field_bytes_max = FIELD_BYTES_MAX});
    struct slice *fields = arena_take(in->arena, (max + 1) * sizeof(*fields));
    err_t e = fields ? read_header(in, &r, fields, d) : ERR_NO_MEMORY;
    while (!e) {
        struct diag why = {.err = ERR_OK};
        uint32_t count = 0;
        size_t at = (size_t)(r.at.at - body.at);
        struct slot *s = next_slot(in, r.line, at, 0);
        e = csv_next(&r, s->arena, fields, &count, &why);
        s->bytes = (size_t)(r.at.at - body.at) - at;
        if (e == ERR_MALFORMED || e == ERR_TOO_BIG) { /* where the next one begins is not known */
            s->bytes = body.len - at;
            reject(in, s, &why);
            e = ERR_NOT_FOUND;
        }
        if (e == ERR_NOT_FOUND) put_back(in, s);
        if (e == ERR_NOT_FOUND) break;
        if (e) return diag_fail(d, e, "reading the rows: %s", err_text(e));
        if (count == 1 && !fields[0].at && in->field_count > 1) { /* an empty line */
            put_back(in, s);
            continue;
        }
        send_row(s, s->values ? row_of_csv(s, fields, count, &why) : ERR_NO_MEMORY, &why);
        if (upkeep_stopping(in->u)) e = diag_fail(d, ERR_STOPPED, "it was ended");
        if (in->out.len > SEND_BYTES && !e) e = upkeep_put(in->u, &in->out);
    }
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

static err_t import_open(struct import *in, struct diag *d)
{
    gate_init(&in->gate);
    in->arena = arena_new(CQL_CALL_BYTES_MAX);
    in->slots = mem_take(IMPORT_CALLS * sizeof(*in->slots));
    bool fine = in->arena && in->slots;
    for (size_t i = 0; fine && i < IMPORT_CALLS; i++) {
        in->slots[i].in = in;
        in->slots[i].arena = arena_new(ROW_BYTES_MAX);
        fine = in->slots[i].arena != NULL;
        in->slots[i].next = in->idle;
        in->idle = &in->slots[i];
    }
    return fine ? ERR_OK : diag_fail(d, ERR_NO_MEMORY, "no memory for the rows");
}

static void import_close(struct import *in)
{
    while (in->busy) collect(in);
    for (size_t i = 0; in->slots && i < IMPORT_CALLS; i++) arena_free(in->slots[i].arena);
    mem_give(in->slots);
    arena_free(in->arena);
    buf_done(&in->out);
    gate_done(&in->gate);
}

err_t upkeep_import(struct upkeep *u, struct diag *d)
{
    struct import in = {.u = u,
                        .session = {.cql = u->world->cql, .protocol = 5, .trusted = true},
                        .out = buf_make(UPKEEP_TEXT_MAX)};
    bool csv = false;
    err_t e = u->world->cql ? format_of(u, &csv, d)
                            : diag_fail(d, ERR_UNSUPPORTED, "no CQL is spoken here");
    if (!e) e = upkeep_table(u, &in.table, d);
    if (!e && in.table->counter) {
        (void)diag_fail(d, ERR_UNSUPPORTED, "%s counts: rows can not be put into it", u->table);
        e = diag_hint(d, "counters are only added to: UPDATE … SET c = c + n");
    }
    if (e) return e;
    e = import_open(&in, d);
    if (!e) e = prepare(&in, d);
    if (!e) e = csv ? read_csv(&in, d) : read_json(&in, d);
    while (!e && in.busy) collect(&in);
    if (!e) {
        buf_printf(&in.out, "{\"rows\": %" PRIu64 ", \"rejected\": %" PRIu64 "}\n", in.rows,
                   in.rejected);
        e = upkeep_put(u, &in.out);
    }
    import_close(&in);
    return e;
}
