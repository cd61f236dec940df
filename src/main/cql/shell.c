#include "main/cql/shell.h"

#include "main/cql/line.h"
#include "sql/cql/tree.h"

#include <stdlib.h>
#include <unistd.h>

/* --- words ------------------------------------------------------------------------------------ */

static struct slice from(struct slice s, size_t n)
{
    return slice_make(s.at + n, s.len - n);
}

/* White space, and comments: "-- ", "//", slash and star. */
static struct slice skip_space(struct slice s)
{
    for (;;) {
        while (s.len && (s.at[0] <= ' ')) s = from(s, 1);
        bool line = slice_starts(s, "--") || slice_starts(s, "//");
        bool block = slice_starts(s, "/*");
        if (!line && !block) return s;
        const uint8_t *end = line ? memchr(s.at, '\n', s.len) : memmem(s.at, s.len, "*/", 2);
        if (!end) return slice_make(s.at + s.len, 0);
        s = from(s, (size_t)(end - s.at) + (line ? 1 : 2));
    }
}

static bool word_char(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c >= 0x80;
}

bool shell_word(struct slice *text, struct slice *word)
{
    struct slice s = skip_space(*text);
    size_t n = 0;
    if (s.len == 0) return false;
    if (s.at[0] == '\'' || s.at[0] == '"') {
        for (n = 1; n < s.len; n++) {
            if (s.at[n] != s.at[0]) continue;
            if (n + 1 < s.len && s.at[n + 1] == s.at[0])
                n++;
            else
                break;
        }
        n = MIN(n + 1, (size_t)s.len);
    } else {
        while (n < s.len && word_char(s.at[n])) n++;
        n = MAX(n, (size_t)1);
    }
    *word = slice_make(s.at, n);
    *text = from(s, n);
    return true;
}

bool shell_is(struct slice word, const char *text)
{
    return slice_equal_nocase(word, slice_of(text));
}

struct slice shell_unquote(struct arena *a, struct slice word)
{
    bool quoted = word.len >= 2 && (word.at[0] == '\'' || word.at[0] == '"');
    uint8_t *out = arena_take(a, word.len + 1);
    uint32_t n = 0;
    if (!out) return (struct slice){0};
    for (uint32_t i = quoted; i < word.len - quoted; i++) {
        uint8_t c = word.at[i];
        if (!quoted && c >= 'A' && c <= 'Z') c = (uint8_t)(c - 'A' + 'a');
        out[n++] = c;
        if (quoted && c == word.at[0]) i++; /* twice: once */
    }
    return slice_make(out, n);
}

/* --- errors ----------------------------------------------------------------------------------- */

void shell_error(struct shell *s, const char *format, ...)
{
    va_list args;
    s->failed = true;
    fflush(s->out);
    fflush(stdout);
    if (s->color) fputs("\033[0;1;31m", stderr);
    if (!s->person) fprintf(stderr, "%s:%d:", s->name, s->line);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputs(s->color ? "\033[0m\n" : "\n", stderr);
}

/* How the Python driver calls an error, and which say more than the server's words. */
static const struct {
    int32_t code;
    const char *name, *summary; /* NULL: just the words */
} error_names[] = {
    {NATIVE_ERROR_SERVER_ERROR, "ServerError", NULL},
    {NATIVE_ERROR_PROTOCOL_ERROR, "ProtocolException", NULL},
    {NATIVE_ERROR_BAD_CREDENTIALS, "BadCredentials", NULL},
    {NATIVE_ERROR_UNAVAILABLE, "Unavailable", "Unavailable exception"},
    {NATIVE_ERROR_OVERLOADED, "OverloadedErrorMessage", NULL},
    {NATIVE_ERROR_IS_BOOTSTRAPPING, "IsBootstrappingErrorMessage", NULL},
    {NATIVE_ERROR_TRUNCATE_ERROR, "TruncateError", NULL},
    {NATIVE_ERROR_WRITE_TIMEOUT, "WriteTimeout",
     "Coordinator node timed out waiting for replica nodes' responses"},
    {NATIVE_ERROR_READ_TIMEOUT, "ReadTimeout",
     "Coordinator node timed out waiting for replica nodes' responses"},
    {NATIVE_ERROR_READ_FAILURE, "ReadFailure", "Replica(s) failed to execute read"},
    {NATIVE_ERROR_FUNCTION_FAILURE, "FunctionFailure", "User Defined Function failure"},
    {NATIVE_ERROR_WRITE_FAILURE, "WriteFailure", "Replica(s) failed to execute write"},
    {NATIVE_ERROR_CDC_WRITE_FAILURE, "CDCWriteException", NULL},
    {NATIVE_ERROR_SYNTAX_ERROR, "SyntaxException", NULL},
    {NATIVE_ERROR_UNAUTHORIZED, "Unauthorized", "Unauthorized"},
    {NATIVE_ERROR_INVALID, "InvalidRequest", "Invalid query"},
    {NATIVE_ERROR_CONFIG_ERROR, "ConfigurationException", NULL},
    {NATIVE_ERROR_UNPREPARED, "PreparedQueryNotFound", NULL},
};

/* What is known of replicas, as Python prints a dict. */
static void put_info(const struct native_error *e, struct buf *out)
{
    const char *level = native_consistency_name(e->consistency);
    bool alive = e->code == NATIVE_ERROR_UNAVAILABLE;
    switch (e->code) {
    case NATIVE_ERROR_UNAVAILABLE:
    case NATIVE_ERROR_WRITE_TIMEOUT:
    case NATIVE_ERROR_READ_TIMEOUT:
    case NATIVE_ERROR_READ_FAILURE:
    case NATIVE_ERROR_WRITE_FAILURE:
        buf_printf(out, " info={'consistency': '%s', 'required_%s': %d, '%s': %d",
                   level ? level : "", alive ? "replicas" : "responses", e->block_for,
                   alive ? "alive_replicas" : "received_responses", e->received);
        if (e->code == NATIVE_ERROR_WRITE_TIMEOUT)
            buf_printf(out, ", 'write_type': '%.*s'", SLICE_ARG(e->write_type));
        buf_text(out, "}");
        break;
    default: break;
    }
}

/* "line 1:7 no viable …": the line of the statement, and a caret under the place; for a person. */
static void point_at(const struct shell *s, struct slice words, struct slice text)
{
    unsigned row, column;
    char start[64];
    (void)slice_to_cstr(slice_make(words.at, MIN(words.len, 60u)), start, sizeof(start));
    if (memchr(words.at, '^', words.len)) return; /* the server has done it */
    if (!s->person || sscanf(start, "line %u:%u ", &row, &column) != 2) return;
    for (; row > 1 && text.len; row--) {
        const uint8_t *end = memchr(text.at, '\n', text.len);
        text = end ? from(text, (size_t)(end - text.at) + 1) : slice_make(text.at, 0);
    }
    const uint8_t *end = memchr(text.at, '\n', text.len);
    text.len = end ? (uint32_t)(end - text.at) : text.len;
    if (column > text.len) return;
    fprintf(stderr, "  %.*s\n  %*s^\n", SLICE_ARG(text), (int)column, "");
}

void shell_tell(struct shell *s, const struct cql_answer *answer)
{
    const struct native_error *e = &answer->response.error;
    struct buf info = buf_make(KIB(4));
    if (e->code == NATIVE_ERROR_ALREADY_EXISTS) {
        if (e->name.len)
            shell_error(s, "AlreadyExists: Table '%.*s.%.*s' already exists",
                        SLICE_ARG(e->keyspace), SLICE_ARG(e->name));
        else
            shell_error(s, "AlreadyExists: Keyspace '%.*s' already exists", SLICE_ARG(e->keyspace));
        return;
    }
    const char *name = "ErrorMessage", *summary = NULL;
    for (size_t i = 0; i < COUNT_OF(error_names); i++)
        if (error_names[i].code == e->code)
            name = error_names[i].name, summary = error_names[i].summary;
    put_info(e, &info);
    if (summary)
        shell_error(s, "%s: Error from server: code=%04x [%s] message=\"%.*s\"%s", name,
                    (unsigned)e->code, summary, SLICE_ARG(e->words), buf_cstr(&info));
    else
        shell_error(s, "%s: %.*s", name, SLICE_ARG(e->words));
    buf_done(&info);
}

/* --- requests --------------------------------------------------------------------------------- */

static void tell_broken(struct shell *s, const struct diag *d)
{
    if (d->err == ERR_TIMEOUT)
        shell_error(s,
                    "OperationTimedOut: errors={'%s:%u': 'Client request timeout. See "
                    "Session.execute[_async](timeout)'}, last_host=%s:%u",
                    s->options.host, s->options.port, s->options.host, s->options.port);
    else
        shell_error(s, "NoHostAvailable: %s%s%s", d->what, d->why[0] ? ": " : "", d->why);
    /* What comes later would answer this: a new connection, for the statements that follow. */
    struct cql_client *fresh = NULL;
    struct cql_client_options o = s->options;
    o.keyspace = cql_client_keyspace(s->client);
    if (cql_client_open(&o, &fresh, NULL) != ERR_OK) return;
    cql_client_close(s->client);
    s->client = fresh;
}

static bool request(struct shell *s, struct slice text, uint16_t consistency, bool traced,
                    struct slice paging, struct cql_answer *out)
{
    struct native_request r = {.text = text, .params = NATIVE_PARAMS_NONE};
    struct diag d = {0};
    r.params.consistency = consistency;
    r.params.serial = s->serial;
    if (s->paging) r.params.page_size = s->page_size;
    r.params.paging_state = paging;
    err_t e = cql_client_ask(s->client, NATIVE_OP_QUERY, &r, traced, s->arena, out, &d);
    if (!e) return true;
    tell_broken(s, &d);
    return false;
}

bool shell_query(struct shell *s, struct slice text, uint16_t consistency, bool traced,
                 struct slice paging, struct cql_answer *out)
{
    if (!request(s, text, consistency, traced, paging, out)) return false;
    if (out->opcode != NATIVE_OP_ERROR) return true;
    shell_tell(s, out);
    return false;
}

/* --- statements ------------------------------------------------------------------------------- */

static void show_warnings(const struct shell *s, const struct native_response *r)
{
    if (r->warning_count == 0) return;
    fputs("\nWarnings :\n", s->out);
    for (uint32_t i = 0; i < r->warning_count; i++)
        fprintf(s->out, "%.*s\n\n", SLICE_ARG(r->warnings[i]));
}

static void show_page(struct shell *s, const struct native_response *r, bool header, uint64_t first)
{
    struct show_cell *names, *cells;
    if (!show_cells(s, r, &names, &cells)) return;
    if (s->expand && r->row_count > 0)
        show_expanded(s, names, r->metadata.count, cells, r->row_count, first);
    else
        show_table(s, names, r->metadata.count, cells, r->row_count, header || r->row_count == 0);
}

static bool wants_more(const struct shell *s)
{
    int c = 0;
    if (!s->person || s->capturing) return true;
    printf("---MORE---");
    fflush(stdout);
    while ((c = getchar()) != '\n' && c != EOF) continue;
    return c == '\n';
}

/* All pages of a SELECT. The paging state has to outlive the arena's round. */
static void show_pages(struct shell *s, struct slice text, struct cql_answer *answer, bool traced)
{
    uint64_t rows = 0;
    struct buf state = buf_make(MIB(1));
    fputc('\n', s->out);
    for (bool first = true;; first = false) {
        const struct native_response *r = &answer->response;
        if (r->row_count > 0 || first) show_page(s, r, first || s->person, rows);
        rows += r->row_count;
        if (!r->metadata.paging_state.at || !wants_more(s)) break;
        buf_reset(&state);
        buf_slice(&state, r->metadata.paging_state);
        arena_reset(s->arena);
        if (!shell_query(s, text, s->consistency, traced, buf_view(&state), answer)) break;
    }
    if (!s->person) fputc('\n', s->out);
    fprintf(s->out, "(%llu rows)\n", (unsigned long long)rows);
    buf_done(&state);
}

/* CQL's own words: with a mistake in them nobody else is asked. */
static bool only_cql(struct slice text)
{
    static const char *const first[] = {"INSERT",   "UPDATE", "DELETE", "BEGIN", "USE",
                                        "TRUNCATE", "GRANT",  "REVOKE", "LIST",  "APPLY"};
    static const char *const second[] = {"KEYSPACE",  "TABLE",        "TYPE",   "INDEX", "ROLE",
                                         "USER",      "COLUMNFAMILY", "CUSTOM", "OR",    "FUNCTION",
                                         "AGGREGATE", "MATERIALIZED", "TRIGGER"};
    struct slice word, next = {0};
    if (!shell_word(&text, &word)) return true;
    (void)shell_word(&text, &next);
    for (size_t i = 0; i < COUNT_OF(first); i++)
        if (shell_is(word, first[i])) return true;
    if (!shell_is(word, "CREATE") && !shell_is(word, "ALTER") && !shell_is(word, "DROP"))
        return false;
    for (size_t i = 0; i < COUNT_OF(second); i++)
        if (shell_is(next, second[i])) return true;
    return false;
}

static bool of_traces(const struct shell *s, struct slice text)
{
    struct slice word;
    while (shell_word(&text, &word))
        if (shell_is(word, "FROM") && shell_word(&text, &word))
            return shell_is(word, "system_traces") ||
                   strcmp(cql_client_keyspace(s->client), "system_traces") == 0;
    return false;
}

static void run_cql(struct shell *s, struct slice text)
{
    struct cql_answer answer;
    struct slice words = text, word = {0};
    uint8_t id[16];
    (void)shell_word(&words, &word);
    bool select = shell_is(word, "SELECT");
    bool traced = s->tracing && !(select && of_traces(s, text));
    if (!request(s, text, s->consistency, traced, (struct slice){0}, &answer)) return;
    if (answer.opcode == NATIVE_OP_ERROR) {
        const struct native_error *e = &answer.response.error;
        if (e->code == NATIVE_ERROR_SYNTAX_ERROR && s->other && !only_cql(text)) {
            s->failed |= s->other(s->other_ctx, text) != 0;
            return;
        }
        shell_tell(s, &answer);
        point_at(s, e->words, text);
        return;
    }
    const struct native_response *r = &answer.response;
    bool rows = answer.opcode == NATIVE_OP_RESULT && r->kind == NATIVE_RESULT_ROWS;
    traced = traced && r->traced;
    memcpy(id, r->trace_id, sizeof(id));
    if (rows && (select || shell_is(word, "LIST"))) {
        show_pages(s, text, &answer, false);
    } else if (rows && r->row_count > 0) { /* of a condition */
        fputc('\n', s->out);
        show_page(s, r, true, 0);
    }
    show_warnings(s, &answer.response);
    if (traced) (void)shell_trace(s, id, true);
    fflush(s->out);
}

static void run_one(struct shell *s, struct slice text)
{
    text = skip_space(slice_trim(text)); /* with its ';', as the server is shown it */
    struct slice bare = text;
    while (bare.len && (bare.at[bare.len - 1] == ';' || bare.at[bare.len - 1] <= ' ')) bare.len--;
    if (bare.len == 0) return;
    s->statements++;
    arena_reset(s->arena);
    if (!command_run(s, bare)) run_cql(s, text);
}

/* How much of the text is a statement; 0: more has to come. */
static size_t statement_size(struct slice text, bool last)
{
    struct slice s = skip_space(text), rest = s, word;
    if (!shell_word(&rest, &word)) return last ? text.len : 0;
    size_t before = (size_t)(s.at - text.at);
    if (command_ends_with_line(word)) {
        for (size_t i = 0; i < s.len; i++)
            if (s.at[i] == ';' || s.at[i] == '\n') return before + i + 1;
        return last ? text.len : 0;
    }
    bool whole = false;
    size_t n = cql_statement_length(s, &whole);
    return whole || last ? before + n : 0;
}

static void run_there(struct shell *s, struct buf *text, bool last)
{
    size_t done = 0;
    while (!s->stop && done < text->len) {
        struct slice left = slice_make(text->at + done, text->len - done);
        size_t n = statement_size(left, last);
        if (n == 0) break;
        run_one(s, slice_make(left.at, n));
        done += n;
    }
    if (done > 0) memmove(text->at, text->at + done, text->len - done);
    text->len -= done;
    if (skip_space(buf_view(text)).len == 0) text->len = 0;
}

void shell_run_text(struct shell *s, struct slice text)
{
    struct buf b = buf_make(SHELL_TEXT_MAX);
    buf_slice(&b, text);
    if (b.err)
        shell_error(s, "a statement has at most %d bytes", SHELL_TEXT_MAX);
    else
        run_there(s, &b, true);
    buf_done(&b);
    fflush(s->out);
}

/* --- lines ------------------------------------------------------------------------------------ */

static void make_prompt(const struct shell *s, bool more, char out[400])
{
    const char *keyspace = cql_client_keyspace(s->client), *user = s->options.user;
    int space = (int)strlen(keyspace) + 1;
    if (more)
        snprintf(out, 400, "%*s   ... ", *keyspace ? space : 0, "");
    else
        snprintf(out, 400, "%s%s%s%s%s> ", user ? user : "", user ? "@" : "", s->title,
                 *keyspace ? ":" : "", keyspace);
}

/* The next line, with its end; false when there is none. */
static bool next_line(struct shell *s, FILE *in, struct buf *text)
{
    char prompt[400], *line = NULL;
    size_t cap = 0;
    ssize_t n = -1;
    make_prompt(s, text->len > 0, prompt);
    if (s->editor) {
        enum line_end end = line_read(s->editor, prompt, text);
        if (end == LINE_CANCELLED) buf_reset(text);
        if (end == LINE_READ) buf_char(text, '\n');
        if (end == LINE_END) printf("\n");
        return end != LINE_END;
    }
    if (s->person) {
        printf("%s", prompt);
        fflush(stdout);
    }
    n = getline(&line, &cap, in);
    if (n > 0) buf_put(text, line, (size_t)n);
    free(line);
    s->line++;
    return n > 0;
}

void shell_run(struct shell *s, FILE *in)
{
    struct buf text = buf_make(SHELL_TEXT_MAX);
    while (!s->stop && next_line(s, in, &text)) {
        if (text.err) {
            shell_error(s, "a statement has at most %d bytes", SHELL_TEXT_MAX);
            break;
        }
        if (s->line == 2 && slice_starts(buf_view(&text), "\xef\xbb\xbf")) /* a BOM */
            memset(text.at, ' ', 3);
        run_there(s, &text, false);
    }
    if (!s->stop && !text.err && skip_space(buf_view(&text)).len > 0) {
        struct slice rest = buf_view(&text), word;
        bool line = shell_word(&rest, &word) && command_ends_with_line(word);
        if (line)
            run_there(s, &text, true);
        else
            shell_error(s, "Incomplete statement at end of file");
    }
    buf_done(&text);
    fflush(s->out);
}

/* --- its beginning and end -------------------------------------------------------------------- */

static void keep_text(struct slice from_it, char *out, size_t size)
{
    if (!slice_to_cstr(from_it, out, size)) out[0] = 0;
}

static bool ask_who(struct shell *s)
{
    struct cql_answer answer;
    struct native_value v;
    char *to[] = {s->release, s->cql_version, s->cluster};
    size_t sizes[] = {sizeof(s->release), sizeof(s->cql_version), sizeof(s->cluster)};
    struct slice text = SLICE("SELECT release_version, cql_version, cluster_name FROM system.local "
                              "WHERE key = 'local'");
    if (!shell_query(s, text, NATIVE_AT_ONE, false, (struct slice){0}, &answer)) return false;
    struct cursor rows = cursor_of(answer.response.rows);
    for (size_t i = 0; i < COUNT_OF(to) && answer.response.row_count > 0; i++)
        if (native_value_next(&rows, &v)) keep_text(v.bytes, to[i], sizes[i]);
    return true;
}

err_t shell_open(struct shell *s, const struct cql_client_options *o, struct diag *d)
{
    s->options = *o;
    s->arena = arena_new(SHELL_PAGE_MAX);
    s->texts = arena_new(MIB(16));
    if (!s->arena || !s->texts) return diag_fail(d, ERR_NO_MEMORY, "no memory for a shell");
    s->paging = true;
    s->page_size = SHELL_PAGE_ROWS;
    s->consistency = NATIVE_AT_ONE;
    s->serial = NATIVE_AT_SERIAL;
    s->line = 1;
    s->name = s->name ? s->name : "<stdin>";
    s->title = s->title ? s->title : "cqlsh";
    s->out = s->out ? s->out : stdout;
    err_t e = cql_client_open(o, &s->client, d);
    if (!e && !ask_who(s)) e = diag_fail(d, ERR_PEER, "the server does not say who it is");
    s->options.keyspace = NULL;
    return e;
}

void shell_close(struct shell *s)
{
    cql_client_close(s->client);
    line_close(s->editor);
    if (s->capturing) fclose(s->out);
    arena_free(s->arena);
    arena_free(s->texts);
    arena_free(s->names);
}
