/* COPY FROM: lines of CSV as rows, many in flight; what can not be one goes to the error file. */
#include "main/cql/copy.h"

#include "sql/cql/tree.h"

#include <errno.h>

enum { ROWS_MAX = CQL_POOL_MAX * CQL_FLIGHT_MAX };

struct intake {
    struct copy *c;
    const struct cql_prepared *prepared;
    struct arena *row, *answer;
    struct records csv;
    uint64_t parse_errors, insert_errors;
    FILE *errors;
    struct slice lines[ROWS_MAX]; /* in flight, by tag: for the error file */
    uint32_t free_tags[ROWS_MAX], free_count;
};

/* --- rows ------------------------------------------------------------------------------------- */

static bool is_null(const struct intake *n, uint32_t i)
{
    struct slice text = n->csv.fields[i];
    return slice_is(text, n->c->null) && !(n->csv.quoted[i] && text.len == 0);
}

static bool convert(struct intake *n, const struct native_column *column, struct slice text,
                    struct native_value *out, struct diag *d)
{
    const struct copy *c = n->c;
    struct value v;
    struct buf b = buf_make(RECORD_MAX);
    const struct type *t = column->type->kind == TYPE_COUNTER ? type_of(TYPE_BIGINT) : column->type;
    if (t->kind == TYPE_BOOLEAN) {
        bool yes = slice_equal_nocase(text, slice_of(c->form.yes));
        if (yes || slice_equal_nocase(text, slice_of(c->form.no)))
            text = yes ? SLICE("true") : SLICE("false");
    }
    err_t e = value_from_text(t, text, n->row, &v, d);
    if (e) return false;
    value_to_binary(&v, &b);
    *out = (struct native_value){arena_slice(n->row, buf_view(&b)), NATIVE_SET};
    if (b.len == 0) out->bytes = SLICE("");
    bool ok = !b.err && out->bytes.at;
    buf_done(&b);
    if (!ok) (void)diag_fail(d, ERR_NO_MEMORY, "no memory for a value");
    return ok;
}

static bool key_column(const struct copy *c, struct slice name)
{
    for (uint32_t i = 0; i < c->column_count; i++)
        if (slice_equal(c->columns[i].name, name)) return c->columns[i].key;
    return false;
}

/* SKIPCOLS: "a,b" */
static bool skips(const struct copy *c, struct slice name)
{
    for (const char *at = c->skip_columns; at && *at;) {
        size_t len = strcspn(at, ",");
        if (slice_equal(slice_trim(slice_make(at, len)), name)) return true;
        at += len + (at[len] == ',');
    }
    return false;
}

/* The fields as values of the markers, by name. */
static bool row_values(struct intake *n, struct native_value *values, struct diag *d)
{
    const struct copy *c = n->c;
    if (n->csv.count != c->name_count) {
        (void)diag_fail(d, ERR_MALFORMED, "Invalid row length %u should be %u", n->csv.count,
                        c->name_count);
        return false;
    }
    for (uint32_t m = 0; m < n->prepared->marker_count; m++) {
        const struct native_column *column = &n->prepared->markers[m];
        uint32_t i = 0;
        while (i < c->name_count && !slice_equal(c->names[i], column->name)) i++;
        if (i == c->name_count) {
            (void)diag_fail(d, ERR_INTERNAL, "no field for %.*s", SLICE_ARG(column->name));
            return false;
        }
        values[m] = (struct native_value){.state = NATIVE_NULL};
        bool null = is_null(n, i);
        if (null && key_column(c, column->name)) {
            (void)diag_fail(d, ERR_MALFORMED,
                            "Cannot insert null value for primary key column '%.*s'. If you want "
                            "to insert empty strings, consider using the WITH NULL=<marker> option "
                            "for COPY.",
                            SLICE_ARG(column->name));
            return false;
        }
        if (!null && !convert(n, column, n->csv.fields[i], &values[m], d)) return false;
    }
    return true;
}

/* --- what failed ------------------------------------------------------------------------------ */

static void reject(struct intake *n, struct slice line, const char *what, const char *why)
{
    struct copy *c = n->c;
    char path[600];
    if (c->failed++ < 10)
        shell_error(c->shell, "Failed to import 1 rows: %s - %s,  given up without retries", what,
                    why);
    if (!n->errors) {
        if (c->errfile)
            snprintf(path, sizeof(path), "%s", c->errfile);
        else
            snprintf(path, sizeof(path), "import_%.*s_%.*s.err", SLICE_ARG(c->keyspace),
                     SLICE_ARG(c->table));
        c->errfile = arena_text(c->arena, slice_of(path));
        n->errors = fopen(path, "ae");
        if (!n->errors) {
            shell_error(c->shell, "Can't open '%s': %s", path, strerror(errno));
            return;
        }
    }
    if (line.len > 0) fwrite(line.at, 1, line.len, n->errors);
    fputc('\n', n->errors);
}

static bool too_many(struct intake *n)
{
    const struct copy *c = n->c;
    bool parse = c->max_parse_errors >= 0 && n->parse_errors > (uint64_t)c->max_parse_errors;
    bool insert = c->max_insert_errors >= 0 && n->insert_errors > (uint64_t)c->max_insert_errors;
    if (parse || insert)
        shell_error(c->shell, "Exceeded maximum number of %s errors %lld",
                    parse ? "parse" : "insert",
                    (long long)(parse ? c->max_parse_errors : c->max_insert_errors));
    return parse || insert;
}

/* --- rows on their way ------------------------------------------------------------------------ */

static bool keep_line(struct intake *n, uint32_t tag)
{
    char *copy = mem_text(n->csv.line);
    n->lines[tag] = slice_make(copy, copy ? n->csv.line.len : 0);
    return copy != NULL;
}

static void forget_line(struct intake *n, uint32_t tag)
{
    mem_give((void *)n->lines[tag].at);
    n->lines[tag] = (struct slice){0};
}

static bool collect(struct intake *n)
{
    struct cql_answer answer;
    struct diag d = {0};
    uint64_t tag;
    arena_reset(n->answer);
    err_t e = cql_pool_collect(n->c->pool, n->answer, &tag, &answer, &d);
    if (e) {
        shell_error(n->c->shell, "%s%s%s; rows in flight may be written or not", d.what,
                    d.why[0] ? ": " : "", d.why);
        return false;
    }
    if (cql_answer_error(&answer, &d)) {
        n->insert_errors++;
        reject(n, n->lines[tag], "InvalidRequest", d.what);
    } else {
        n->c->rows++;
    }
    forget_line(n, (uint32_t)tag);
    n->free_tags[n->free_count++] = (uint32_t)tag;
    copy_progress(n->c, false);
    return !too_many(n);
}

static bool send_row(struct intake *n)
{
    struct native_value *values = arena_take(n->row, sizeof(*values) * COPY_COLUMNS_MAX);
    struct diag d = {0};
    if (!values || !row_values(n, values, &d)) {
        n->parse_errors++;
        reject(n, n->csv.line, "ParseError", values ? d.what : "no memory");
        return !too_many(n);
    }
    while (cql_pool_full(n->c->pool) || n->free_count == 0)
        if (!collect(n)) return false;
    struct native_request r = {
        .id = n->prepared->id, .result_id = n->prepared->result_id, .params = NATIVE_PARAMS_NONE};
    r.params.values = values;
    r.params.value_count = n->prepared->marker_count;
    r.params.consistency = n->c->shell->consistency;
    uint32_t tag = n->free_tags[--n->free_count];
    bool kept = keep_line(n, tag);
    if (kept && cql_pool_submit(n->c->pool, NATIVE_OP_EXECUTE, &r, tag, &d) == ERR_OK) return true;
    shell_error(n->c->shell, "%s", kept ? d.what : "no memory for a row");
    return false;
}

/* INSERT; or UPDATE of a table of counters, which knows no INSERT. */
static void put_statement(const struct copy *c, bool counters, struct buf *out)
{
    bool first = true;
    buf_text(out, counters ? "UPDATE " : "INSERT INTO ");
    cql_put_name(out, c->keyspace);
    buf_char(out, '.');
    cql_put_name(out, c->table);
    buf_text(out, counters ? " SET " : " (");
    for (int pass = 0; pass < 2; pass++) {
        first = true;
        for (uint32_t i = 0; i < c->name_count; i++) {
            bool key = key_column(c, c->names[i]);
            if (skips(c, c->names[i]) || (counters && key != (pass == 1))) continue;
            if (!first) buf_text(out, counters && pass ? " AND " : ", ");
            first = false;
            if (pass == 0 || counters) cql_put_name(out, c->names[i]);
            if (counters && pass == 0) {
                buf_text(out, " = ");
                cql_put_name(out, c->names[i]);
                buf_text(out, " + ?");
            } else if (counters || pass == 1) {
                buf_text(out, counters ? " = ?" : "?");
            }
        }
        if (pass == 0) buf_text(out, counters ? " WHERE " : ") VALUES (");
    }
    if (!counters) buf_char(out, ')');
    if (!counters && c->ttl > 0) buf_printf(out, " USING TTL %lld", (long long)c->ttl);
}

static bool prepare(struct intake *n)
{
    struct buf text = buf_make(MIB(1));
    struct diag d = {0};
    put_statement(n->c, false, &text);
    err_t e = text.err ? text.err : cql_pool_prepare(n->c->pool, buf_view(&text), &n->prepared, &d);
    if (e == ERR_INVALID && strstr(d.what, "counter")) {
        buf_reset(&text);
        put_statement(n->c, true, &text);
        cql_pool_repeat(n->c->pool, false); /* would be added twice */
        e = text.err ? text.err : cql_pool_prepare(n->c->pool, buf_view(&text), &n->prepared, &d);
    }
    if (e) shell_error(n->c->shell, "%s", text.err ? "too many columns" : d.what);
    buf_done(&text);
    return e == ERR_OK;
}

/* The next record; *ok false: it was told why there is none. */
static bool next_record(struct intake *n, bool *ok)
{
    const struct copy *c = n->c;
    struct diag d = {0};
    err_t e = records_next(&n->csv, &d);
    if (e) {
        *ok = e == ERR_NOT_FOUND;
        if (!*ok) shell_error(c->shell, "'%s': %s", c->path, d.what);
        return false;
    }
    if (n->csv.unclosed) shell_error(c->shell, "a quote is not closed: the last record is cut");
    return !(c->standard && (slice_is(n->csv.line, ".") || slice_is(n->csv.line, "\\.")));
}

static bool take_all(struct intake *n)
{
    struct copy *c = n->c;
    uint64_t taken = 0;
    bool head = c->header, ok = true;
    while (c->max_rows < 0 || taken < (uint64_t)c->max_rows) {
        arena_reset(n->row);
        if (!next_record(n, &ok)) break;
        if (n->csv.line.len == 0 && c->name_count > 1) continue;
        if (head) {
            head = false;
            continue;
        }
        if (c->skipped < (uint64_t)MAX(c->skip_rows, 0)) {
            c->skipped++;
            continue;
        }
        taken++;
        if (!send_row(n)) return false;
    }
    while (cql_pool_in_flight(c->pool) > 0)
        if (!collect(n)) return false;
    return ok;
}

void copy_in(struct copy *c)
{
    struct intake *n = mem_take(sizeof(*n));
    if (!n) {
        shell_error(c->shell, "no memory for COPY");
        return;
    }
    *n = (struct intake){.c = c, .row = arena_new(MIB(256)), .answer = arena_new(MIB(16))};
    records_open(&n->csv, c->file, &c->csv);
    n->csv.by_line = c->standard;
    for (uint32_t i = 0; i < ROWS_MAX; i++) n->free_tags[n->free_count++] = i;
    if (c->standard && c->shell->person) printf("[Use . on a line by itself to end input]\n");
    if (n->row && n->answer && prepare(n)) {
        bool ok = take_all(n);
        copy_progress(c, true);
        if (c->failed > 0)
            printf("Failed to process %llu rows; failed rows written to %s\n",
                   (unsigned long long)c->failed, c->errfile);
        if (!ok) c->shell->failed = true;
    }
    for (uint32_t i = 0; i < ROWS_MAX; i++) forget_line(n, i);
    bool bad = n->errors && ferror(n->errors);
    if (n->errors && (fclose(n->errors) != 0 || bad))
        shell_error(c->shell, "'%s' could not be written", c->errfile);
    arena_free(n->row);
    arena_free(n->answer);
    records_close(&n->csv);
    mem_give(n);
}
