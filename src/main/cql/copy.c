/* COPY: what is written behind it, its options, and how it goes on. */
#include "main/cql/copy.h"

#include "os/clock.h"
#include "sql/cql/tree.h"

#include <errno.h>

/* --- the table -------------------------------------------------------------------------------- */

static int rank_of(struct slice kind)
{
    return slice_is(kind, "partition_key") ? 0 : slice_is(kind, "clustering") ? 1 : 2;
}

static bool take_columns(struct copy *c, const struct native_response *r)
{
    static const int ranks = 3;
    for (int rank = 0; rank < ranks; rank++)
        for (int32_t place = rank < 2 ? 0 : -1; place < COPY_COLUMNS_MAX; place++) {
            struct cursor rows = cursor_of(r->rows);
            struct native_value v[3];
            bool any = false;
            for (uint32_t i = 0; i < r->row_count; i++) {
                for (size_t k = 0; k < COUNT_OF(v); k++)
                    if (!native_value_next(&rows, &v[k])) return false;
                struct cursor p = cursor_of(v[2].bytes);
                if (rank_of(v[1].bytes) != rank || (rank < 2 && cursor_i32(&p) != place)) continue;
                if (c->column_count == COPY_COLUMNS_MAX) return false;
                any = true;
                c->columns[c->column_count++] = (struct copy_column){
                    arena_slice(c->arena, v[0].bytes), .partition = rank == 0, .key = rank < 2};
            }
            if (!any || rank == 2) break;
        }
    return c->column_count > 0;
}

static bool read_table(struct copy *c)
{
    struct buf text = buf_make(KIB(4));
    struct cql_answer answer;
    buf_text(&text, "SELECT column_name, kind, position FROM system_schema.columns WHERE "
                    "keyspace_name = ");
    cql_put_string(&text, c->keyspace);
    buf_text(&text, " AND table_name = ");
    cql_put_string(&text, c->table);
    bool paging = c->shell->paging;
    c->shell->paging = false;
    bool ok = !text.err && shell_query(c->shell, buf_view(&text), NATIVE_AT_ONE, false,
                                       (struct slice){0}, &answer);
    c->shell->paging = paging;
    buf_done(&text);
    if (!ok) return false;
    if (take_columns(c, &answer.response)) return true;
    shell_error(c->shell, "Column family %.*s not found", SLICE_ARG(c->table));
    return false;
}

void copy_put_names(const struct copy *c, struct buf *out)
{
    for (uint32_t i = 0; i < c->name_count; i++) {
        if (i > 0) buf_text(out, ", ");
        cql_put_name(out, c->names[i]);
    }
}

/* Those that were named, or all; every one has to be there. */
static bool choose_columns(struct copy *c)
{
    if (c->name_count == 0)
        for (uint32_t i = 0; i < c->column_count; i++)
            c->names[c->name_count++] = c->columns[i].name;
    for (uint32_t n = 0; n < c->name_count; n++) {
        bool found = false;
        for (uint32_t i = 0; i < c->column_count; i++)
            if (slice_equal(c->columns[i].name, c->names[n])) found = c->columns[i].wanted = true;
        if (found) continue;
        shell_error(c->shell, "Invalid column name %.*s", SLICE_ARG(c->names[n]));
        return false;
    }
    return true;
}

/* --- options ---------------------------------------------------------------------------------- */

enum option_kind { ONE_CHAR, FLAG, TEXT, NUMBER, STYLE, ACCEPTED };
static const struct option {
    const char *name;
    uint8_t kind;
    size_t offset;
} options[] = {
    {"DELIMITER", ONE_CHAR, offsetof(struct copy, csv.delimiter)},
    {"QUOTE", ONE_CHAR, offsetof(struct copy, csv.quote)},
    {"ESCAPE", ONE_CHAR, offsetof(struct copy, csv.escape)},
    {"HEADER", FLAG, offsetof(struct copy, header)},
    {"NULL", TEXT, offsetof(struct copy, null)},
    {"ERRFILE", TEXT, offsetof(struct copy, errfile)},
    {"SKIPCOLS", TEXT, offsetof(struct copy, skip_columns)},
    {"PAGESIZE", NUMBER, offsetof(struct copy, page_size)},
    {"MAXROWS", NUMBER, offsetof(struct copy, max_rows)},
    {"SKIPROWS", NUMBER, offsetof(struct copy, skip_rows)},
    {"MAXPARSEERRORS", NUMBER, offsetof(struct copy, max_parse_errors)},
    {"MAXINSERTERRORS", NUMBER, offsetof(struct copy, max_insert_errors)},
    {"TTL", NUMBER, offsetof(struct copy, ttl)},
    {"DECIMALSEP", ONE_CHAR, offsetof(struct copy, form.decimal_sep)},
    {"THOUSANDSSEP", ONE_CHAR, offsetof(struct copy, form.thousands_sep)},
    {"BOOLSTYLE", STYLE, 0},
    {"FLOATPRECISION", NUMBER, SIZE_MAX},
    {"DOUBLEPRECISION", NUMBER, SIZE_MAX},
    {"CHUNKSIZE", ACCEPTED, 0},
    {"INGESTRATE", ACCEPTED, 0},
    {"MINBATCHSIZE", ACCEPTED, 0},
    {"MAXBATCHSIZE", ACCEPTED, 0},
    {"MAXATTEMPTS", ACCEPTED, 0},
    {"REPORTFREQUENCY", ACCEPTED, 0},
    {"NUMPROCESSES", ACCEPTED, 0},
    {"PREPAREDSTATEMENTS", ACCEPTED, 0},
    {"PAGETIMEOUT", ACCEPTED, 0},
    {"MAXREQUESTS", ACCEPTED, 0},
    {"ENCODING", ACCEPTED, 0},
};

static bool set_style(struct copy *c, struct slice value)
{
    const uint8_t *comma = memchr(value.at, ',', value.len);
    if (!comma) return false;
    size_t n = (size_t)(comma - value.at);
    c->form.yes = arena_text(c->arena, slice_make(value.at, n));
    c->form.no = arena_text(c->arena, slice_make(comma + 1, value.len - n - 1));
    return c->form.yes && c->form.no;
}

static bool set_number(struct copy *c, const struct option *o, struct slice value)
{
    int64_t n;
    if (!slice_to_i64(value, &n)) return false;
    if (o->offset != SIZE_MAX) {
        memcpy((char *)c + o->offset, &n, sizeof(n));
        return true;
    }
    if (n < 0 || n > 20) return false;
    *(o->name[0] == 'F' ? &c->form.float_digits : &c->form.double_digits) = (int)n;
    return true;
}

static bool set_option(struct copy *c, struct slice name, struct slice value)
{
    const struct option *o = NULL;
    bool ok = true;
    for (size_t i = 0; i < COUNT_OF(options); i++)
        if (shell_is(name, options[i].name)) o = &options[i];
    if (!o) {
        shell_error(c->shell, "COPY's option %.*s is not available in this version of sluice",
                    SLICE_ARG(name));
        return false;
    }
    char *to = (char *)c + (o->offset == SIZE_MAX ? 0 : o->offset);
    const char *text = NULL;
    bool yes = shell_is(value, "true") || slice_is(value, "1");
    switch (o->kind) {
    case ONE_CHAR:
        if (slice_is(value, "\\t")) value = SLICE("\t");
        ok = value.len == 1;
        if (ok) *to = (char)value.at[0];
        break;
    case FLAG: memcpy(to, &yes, sizeof(yes)); break;
    case TEXT:
        ok = (text = arena_text(c->arena, value)) != NULL;
        memcpy(to, &text, sizeof(text));
        break;
    case NUMBER: ok = set_number(c, o, value); break;
    case STYLE: ok = set_style(c, value); break;
    default: break;
    }
    if (!ok) shell_error(c->shell, "'%.*s' is nothing for %s", SLICE_ARG(value), o->name);
    return ok;
}

/* A value: 'text', or bare words up to a space: -1, true. */
static bool option_value(struct copy *c, struct slice *rest, struct slice *value)
{
    struct slice word;
    if (!shell_word(rest, &word)) return false;
    if (word.at[0] == '\'') {
        *value = shell_unquote(c->arena, word);
        return true;
    }
    const uint8_t *end = word.at, *last = rest->at + rest->len;
    while (end<last && * end> ' ' && *end != ';') end++;
    *value = slice_make(word.at, (size_t)(end - word.at));
    *rest = slice_make(end, (size_t)(last - end));
    return true;
}

static bool good_form(const struct copy *c)
{
    if (records_form_good(&c->csv)) return true;
    shell_error(c->shell, "DELIMITER is neither QUOTE nor ESCAPE, and none of them ends a line");
    return false;
}

static bool read_options(struct copy *c, struct slice rest)
{
    struct slice word, name, value;
    if (!shell_word(&rest, &word)) return true;
    bool ok = shell_is(word, "WITH");
    while (ok) {
        ok = shell_word(&rest, &name) && shell_word(&rest, &word) && slice_is(word, "=") &&
             option_value(c, &rest, &value);
        if (!ok) break;
        if (!set_option(c, name, value)) return false;
        if (!shell_word(&rest, &word)) return good_form(c);
        ok = shell_is(word, "AND");
    }
    shell_error(c->shell, "Improper COPY command.");
    return false;
}

/* --- what is written behind COPY ---------------------------------------------------------------
 */

static bool read_names(struct copy *c, struct slice *rest, struct slice *word)
{
    for (;;) {
        if (!shell_word(rest, word) || c->name_count == COPY_COLUMNS_MAX) return false;
        c->names[c->name_count++] = shell_unquote(c->arena, *word);
        if (!shell_word(rest, word)) return false;
        if (slice_is(*word, ")")) return shell_word(rest, word);
        if (!slice_is(*word, ",")) return false;
    }
}

/* keyspace.table (columns) FROM 'file': what is left are the options. */
static bool read_head(struct copy *c, struct slice *rest)
{
    struct slice word, file;
    if (!shell_word(rest, &word)) return false;
    c->table = shell_unquote(c->arena, word);
    c->keyspace = slice_of(arena_text(c->arena, slice_of(cql_client_keyspace(c->shell->client))));
    if (!shell_word(rest, &word)) return false;
    if (slice_is(word, ".")) {
        c->keyspace = c->table;
        if (!shell_word(rest, &word)) return false;
        c->table = shell_unquote(c->arena, word);
        if (!shell_word(rest, &word)) return false;
    }
    if (slice_is(word, "(") && !read_names(c, rest, &word)) return false;
    c->to = shell_is(word, "TO");
    if (!c->to && !shell_is(word, "FROM")) return false;
    if (!shell_word(rest, &file)) return false;
    c->standard = shell_is(file, c->to ? "STDOUT" : "STDIN");
    if (!c->standard && file.at[0] != '\'') return false;
    c->path = c->standard ? "-" : arena_text(c->arena, shell_unquote(c->arena, file));
    return c->path != NULL;
}

/* --- how it goes ------------------------------------------------------------------------------ */

bool copy_pool(struct copy *c)
{
    enum { PATIENCE_MS = 30000 };
    struct diag d = {0};
    struct cql_pool_options o = {.client = c->shell->options, .patience_ms = PATIENCE_MS};
    o.client.keyspace = NULL;
    o.client.compress = false;
    if (cql_pool_open(&o, &c->pool, &d)) {
        shell_error(c->shell, "%s", d.what);
        return false;
    }
    cql_pool_repeat(c->pool, true); /* rows read again, or written again as they are */
    return true;
}

void copy_progress(struct copy *c, bool last)
{
    enum { EVERY_NS = 250000000 };
    int64_t now = clock_mono_ns();
    if (c->to && c->standard) return;
    if (!last && now - c->shown_ns < EVERY_NS) return;
    double whole = MAX((double)(now - c->began_ns) / 1e9, 1e-6);
    double part = MAX((double)(now - c->shown_ns) / 1e9, 1e-6);
    printf("\rProcessed: %llu rows; Rate: %7.0f rows/s; Avg. rate: %7.0f rows/s",
           (unsigned long long)c->rows, (double)(c->rows - c->shown_rows) / part,
           (double)c->rows / whole);
    if (last) {
        printf("\n%llu rows %s 1 files in %.3f seconds", (unsigned long long)c->rows,
               c->to ? "exported to" : "imported from", whole);
        printf(c->to ? ".\n" : " (%llu skipped).\n", (unsigned long long)c->skipped);
    }
    fflush(stdout);
    c->shown_ns = now;
    c->shown_rows = c->rows;
}

static void go(struct copy *c)
{
    const char *mode = c->to ? "we" : "re";
    struct buf names = buf_make(KIB(256));
    c->file = c->standard ? (c->to ? stdout : stdin) : fopen(c->path, mode);
    if (!c->file) {
        shell_error(c->shell, "Can't open '%s': %s", c->path, strerror(errno));
        return;
    }
    for (uint32_t i = 0; i < c->name_count; i++)
        buf_printf(&names, "%s%.*s", i ? ", " : "", SLICE_ARG(c->names[i]));
    if (!c->to || !c->standard)
        printf("\nStarting copy of %.*s.%.*s with columns [%s].\n", SLICE_ARG(c->keyspace),
               SLICE_ARG(c->table), buf_cstr(&names));
    buf_done(&names);
    c->began_ns = c->shown_ns = clock_mono_ns();
    if (copy_pool(c)) (c->to ? copy_out : copy_in)(c);
    cql_pool_close(c->pool);
    if (!c->standard && fclose(c->file) != 0)
        shell_error(c->shell, "'%s' could not be written: %s", c->path, strerror(errno));
}

void shell_copy(struct shell *s, struct slice rest)
{
    struct copy *c = mem_take(sizeof(*c));
    if (!c || !(c->arena = arena_new(MIB(64)))) {
        shell_error(s, "no memory for COPY");
        mem_give(c);
        return;
    }
    c->shell = s;
    c->csv = (struct records_form){.delimiter = ',', .quote = '"', .escape = '\\'};
    c->null = "";
    c->form = show_plain;
    c->form.copy = c->form.milliseconds = true;
    c->form.double_digits = 12;
    c->form.null = "null";
    c->page_size = 1000;
    c->max_rows = c->max_parse_errors = -1;
    c->max_insert_errors = 1000;
    if (!read_head(c, &rest))
        shell_error(s, "Improper COPY command.");
    else if (c->keyspace.len == 0)
        shell_error(s, "Not in any keyspace.");
    else if (read_options(c, rest) && read_table(c) && choose_columns(c))
        go(c);
    arena_free(c->arena);
    mem_give(c);
}
