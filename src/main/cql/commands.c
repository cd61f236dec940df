/* What a shell knows besides CQL: cqlsh's own commands, and its words about them. */
#include "main/cql/line.h"
#include "main/cql/shell.h"

#include "base/hash.h"
#include <errno.h>
#include <stdlib.h>

#define CQLSH_VERSION "6.2.2" /* whose commands and output these are */

struct words { /* of the command, without its first */
    struct slice rest;
};

static bool next(struct words *w, struct slice *word)
{
    return shell_word(&w->rest, word);
}

static bool at_end(struct words w)
{
    struct slice word;
    return !next(&w, &word);
}

/* --- switches --------------------------------------------------------------------------------- */

static bool improper(struct shell *s, const char *command)
{
    shell_error(s, "Improper %s command.", command);
    return true;
}

static bool switch_it(struct shell *s, const char *name, bool *what, struct slice word)
{
    bool on = shell_is(word, "ON");
    if (!on && !shell_is(word, "OFF")) return improper(s, name);
    printf(*what == on ? "%s is already %s\n" : "%s set to %s\n", name, on ? "ON" : "OFF");
    *what = on;
    return true;
}

static bool do_switch(struct shell *s, const char *name, bool *what, struct words w)
{
    struct slice word;
    if (next(&w, &word)) return switch_it(s, name, what, word);
    printf("%s is %s\n", name, *what ? "ON" : "OFF");
    return true;
}

static bool do_tracing(struct shell *s, struct words w)
{
    return do_switch(s, "TRACING", &s->tracing, w);
}

static bool do_expand(struct shell *s, struct words w)
{
    return do_switch(s, "EXPAND", &s->expand, w);
}

static bool do_paging(struct shell *s, struct words w)
{
    struct slice word;
    int64_t rows;
    struct words copy = w;
    if (next(&copy, &word) && slice_to_i64(word, &rows)) {
        if (rows < 1 || rows > INT32_MAX) return improper(s, "PAGING");
        s->paging = true;
        s->page_size = (int32_t)rows;
    } else {
        (void)do_switch(s, "PAGING", &s->paging, w);
    }
    if (s->paging)
        printf("Page size: %d\n", s->page_size);
    else
        s->page_size = SHELL_PAGE_ROWS;
    return true;
}

static bool set_level(struct shell *s, const char *what, const char *kind, uint16_t *level,
                      struct words w, bool serial)
{
    struct slice word;
    uint16_t code;
    if (!next(&w, &word)) {
        printf("Current %sconsistency level is %s.\n", kind, native_consistency_name(*level));
        return true;
    }
    bool known = native_consistency_of(word, &code);
    bool is_serial = known && (code == NATIVE_AT_SERIAL || code == NATIVE_AT_LOCAL_SERIAL);
    if (!known || (serial && !is_serial)) return improper(s, what);
    *level = code;
    printf("%sonsistency level set to %s.\n", serial ? "Serial c" : "C",
           native_consistency_name(code));
    return true;
}

static bool do_consistency(struct shell *s, struct words w)
{
    return set_level(s, "CONSISTENCY", "", &s->consistency, w, false);
}

static bool do_serial(struct shell *s, struct words w)
{
    struct slice word;
    if (!next(&w, &word) || !shell_is(word, "CONSISTENCY")) return improper(s, "SERIAL");
    return set_level(s, "SERIAL", "serial ", &s->serial, w, true);
}

/* --- SHOW ------------------------------------------------------------------------------------- */

static void show_version(const struct shell *s)
{
    printf("[cqlsh " CQLSH_VERSION " | Cassandra %s | CQL spec %s | Native protocol v%u]\n",
           s->release, s->cql_version, cql_client_version(s->client));
}

static void show_host(const struct shell *s)
{
    printf("Connected to %s%s%s at %s:%u\n", s->color ? "\033[0;1;34m" : "", s->cluster,
           s->color ? "\033[0m" : "", s->options.host, s->options.port);
}

void shell_report(struct shell *s)
{
    show_host(s);
    show_version(s);
    printf("Use HELP for help.\n");
}

static bool show_session(struct shell *s, struct words w)
{
    struct uuid u;
    struct slice word;
    if (!next(&w, &word)) return improper(s, "SHOW");
    const uint8_t *at = word.at; /* a UUID is several words: its own text up to a space */
    size_t left = (size_t)(w.rest.at + w.rest.len - at), n = 0;
    while (n < left && at[n] > ' ') n++;
    if (!uuid_parse(slice_make(at, n), &u)) return improper(s, "SHOW");
    if (!shell_trace(s, u.at, false))
        shell_error(s, "Session %.*s wasn't found.", (int)n, (const char *)at);
    return true;
}

static bool do_show(struct shell *s, struct words w)
{
    struct slice word;
    if (!next(&w, &word)) return improper(s, "SHOW");
    if (shell_is(word, "SESSION")) return show_session(s, w);
    bool version = shell_is(word, "VERSION");
    if ((!version && !shell_is(word, "HOST")) || !at_end(w)) {
        if (s->other && !shell_is(word, "REPLICAS")) return false; /* SHOW of the project's SQL */
        return improper(s, "SHOW");
    }
    if (version)
        show_version(s);
    else
        show_host(s);
    return true;
}

/* --- files ------------------------------------------------------------------------------------ */

/* A quoted path, "~/" being the home. */
static bool path_of(struct shell *s, struct slice word, char out[4096])
{
    struct slice path = shell_unquote(s->arena, word);
    const char *home = slice_starts(path, "~/") ? getenv("HOME") : NULL;
    struct buf b = buf_over(out, 4096);
    if (home) {
        buf_text(&b, home);
        path = slice_make(path.at + 1, path.len - 1);
    }
    buf_slice(&b, path);
    buf_char(&b, 0);
    return !b.err;
}

static bool do_source(struct shell *s, struct words w)
{
    struct slice word;
    char path[4096];
    if (!next(&w, &word) || word.at[0] != '\'' || !path_of(s, word, path))
        return improper(s, "SOURCE");
    if (s->depth == SHELL_SOURCES_MAX) {
        shell_error(s, "SOURCE stands %d deep in SOURCE", s->depth);
        return true;
    }
    FILE *f = fopen(path, "re");
    if (!f) {
        shell_error(s, "Could not open '%s': %s", path, strerror(errno));
        return true;
    }
    struct shell outer = *s;
    s->name = path;
    s->line = 1;
    s->depth++;
    s->person = false;
    s->editor = NULL;
    shell_run(s, f);
    fclose(f);
    s->name = outer.name;
    s->line = outer.line;
    s->depth = outer.depth;
    s->person = outer.person;
    s->editor = outer.editor;
    s->stop = false; /* EXIT ends the file */
    return true;
}

static void capture_off(struct shell *s)
{
    fclose(s->out);
    s->out = stdout;
    s->color = s->color_before;
    s->capturing = false;
}

static bool do_capture(struct shell *s, struct words w)
{
    struct slice word;
    char path[4096];
    if (!next(&w, &word)) {
        if (s->capturing)
            printf("Currently capturing query output to '%s'.\n", s->captured);
        else
            printf("Currently not capturing query output.\n");
    } else if (shell_is(word, "OFF")) {
        if (s->capturing)
            capture_off(s);
        else
            shell_error(s, "Not currently capturing output.");
    } else if (s->capturing) {
        shell_error(s, "Already capturing output to %s. Use CAPTURE OFF to disable.", s->captured);
    } else if (word.at[0] != '\'' || !path_of(s, word, path)) {
        return improper(s, "CAPTURE");
    } else {
        FILE *f = fopen(path, "ae");
        if (!f) {
            shell_error(s, "Could not open '%s' for append: %s", path, strerror(errno));
            return true;
        }
        s->out = f;
        s->color_before = s->color;
        s->color = false;
        s->capturing = true;
        memcpy(s->captured, path, sizeof(path));
        printf("Now capturing query output to '%s'.\n", path);
    }
    return true;
}

/* --- the rest --------------------------------------------------------------------------------- */

static bool do_login(struct shell *s, struct words w)
{
    struct slice word;
    char secret[256];
    struct cql_client_options o = s->options;
    struct cql_client *fresh = NULL;
    struct diag d = {0};
    if (!next(&w, &word)) return improper(s, "LOGIN");
    struct slice name = shell_unquote(s->texts, word);
    o.user = arena_text(s->texts, name);
    if (next(&w, &word))
        o.password = arena_text(s->texts, shell_unquote(s->arena, word));
    else
        o.password = line_secret("Password: ", secret, sizeof(secret))
                         ? arena_text(s->texts, slice_of(secret))
                         : "";
    o.keyspace = cql_client_keyspace(s->client);
    if (cql_client_open(&o, &fresh, &d) != ERR_OK) {
        shell_error(s, "%s", d.what);
        return true;
    }
    cql_client_close(s->client);
    s->client = fresh;
    s->options = o;
    s->options.keyspace = NULL;
    return true;
}

static bool do_clear(struct shell *s, struct words w)
{
    (void)w;
    if (s->person) printf("\033[H\033[2J");
    return true;
}

static bool do_exit(struct shell *s, struct words w)
{
    (void)w;
    s->stop = true;
    return true;
}

static bool do_describe(struct shell *s, struct words w)
{
    shell_describe(s, w.rest);
    return true;
}

static bool do_copy(struct shell *s, struct words w)
{
    shell_copy(s, w.rest);
    return true;
}

static bool do_help(struct shell *s, struct words w);

static const struct command {
    const char *name;
    bool line; /* ends with its line */
    bool (*run)(struct shell *s, struct words w);
    const char *about;
} commands[] = {
    {"CAPTURE", true, do_capture, "CAPTURE 'file' | OFF: results go there"},
    {"CLEAR", true, do_clear, "CLEAR: the screen"},
    {"CLS", true, do_clear, "CLS: as CLEAR"},
    {"CONSISTENCY", true, do_consistency, "CONSISTENCY [level]: of the requests that follow"},
    {"COPY", false, do_copy,
     "COPY table [(columns)] FROM 'file' | STDIN | TO 'file' | STDOUT [WITH option = value AND …]"},
    {"DESC", true, do_describe, "DESC …: as DESCRIBE"},
    {"DESCRIBE", true, do_describe,
     "DESCRIBE CLUSTER | [FULL] SCHEMA | KEYSPACES | KEYSPACE [k] | TABLES | TABLE t | TYPES | "
     "TYPE "
     "t | INDEX i | name"},
    {"EXIT", true, do_exit, "EXIT: leave"},
    {"EXPAND", true, do_expand, "EXPAND [ON | OFF]: a row as lines of name and value"},
    {"HELP", true, do_help, "HELP [command]"},
    {"LOGIN", true, do_login, "LOGIN user ['password']: go on as somebody else"},
    {"PAGING", true, do_paging, "PAGING [ON | OFF | rows]: how much comes at once"},
    {"QUIT", true, do_exit, "QUIT: as EXIT"},
    {"SERIAL", true, do_serial, "SERIAL CONSISTENCY [level]: of conditions"},
    {"SHOW", true, do_show, "SHOW VERSION | HOST | SESSION id"},
    {"SOURCE", true, do_source, "SOURCE 'file': its statements"},
    {"TRACING", true, do_tracing, "TRACING [ON | OFF]: what a statement took its time for"},
    {"?", true, do_help, "?: as HELP"},
};
const char *const command_words[] = {"CAPTURE",  "CLEAR",  "CONSISTENCY", "COPY",
                                     "DESCRIBE", "EXIT",   "EXPAND",      "HELP",
                                     "LOGIN",    "PAGING", "QUIT",        "SERIAL CONSISTENCY",
                                     "SHOW",     "SOURCE", "TRACING",     NULL};

static bool do_help(struct shell *s, struct words w)
{
    struct slice word;
    if (next(&w, &word)) {
        for (size_t i = 0; i < COUNT_OF(commands); i++)
            if (shell_is(word, commands[i].name)) {
                printf("%s\n", commands[i].about);
                return true;
            }
        shell_error(s, "*** No help on %.*s", SLICE_ARG(word));
        return true;
    }
    printf("\nDocumented shell commands:\n===========================\n");
    for (size_t i = 0; i < COUNT_OF(commands); i++) printf("  %s\n", commands[i].about);
    printf("\nEverything else is CQL, up to its ';'. docs/cql.md and docs/shell.md tell more.\n\n");
    return true;
}

static const struct command *command_of(struct slice word)
{
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        if (shell_is(word, commands[i].name)) return &commands[i];
    return NULL;
}

bool command_ends_with_line(struct slice word)
{
    const struct command *c = command_of(word);
    return c && c->line;
}

bool command_run(struct shell *s, struct slice text)
{
    struct words w = {text};
    struct slice word;
    if (!next(&w, &word)) return true;
    const struct command *c = command_of(word);
    return c && c->run(s, w);
}
