/* main/cql/shell: CQL for people: statements asked for, run, and shown as cqlsh shows them.
 *
 * One operation, two faces: `sluice query` and the name `cqlsh` start this same shell. Loop: none,
 * it waits. Memory: a page of rows at a time, SHELL_PAGE_MAX bytes; text of a statement
 * SHELL_TEXT_MAX. Files that it writes are those of CAPTURE, COPY and the history.
 */
#pragma once
#include "connect/cql/client.h"
#include "data/type.h"

#include <stdio.h>

enum {
    SHELL_TEXT_MAX = 16 << 20,
    SHELL_PAGE_MAX = 1 << 30,
    SHELL_PAGE_ROWS = 100,
    SHELL_SOURCES_MAX = 16 /* SOURCE in SOURCE in … */
};

struct line_editor;
struct shell {
    struct cql_client *client;
    struct cql_client_options options;
    struct arena *arena; /* of the statement that runs */
    struct arena *texts; /* of the shell */
    struct arena *names; /* what Tab offers; NULL: nothing yet */
    int64_t statements;  /* run so far */
    /* how results look */
    bool person; /* somebody sits there: prompts, pages, no line numbers */
    bool color, expand, tracing, paging;
    int32_t page_size;
    uint16_t consistency, serial;
    FILE *out; /* of results */
    bool capturing, color_before;
    char captured[4096];
    /* where statements come from */
    const char *name; /* of the file; "<stdin>" */
    int line, depth;
    const char *title; /* of the prompt: "cqlsh" */
    bool stop, failed;
    struct line_editor *editor; /* NULL: plain lines */
    /* about the server */
    char release[64], cql_version[32], cluster[256];
    /* A statement that CQL does not know; NULL: there is nobody else to ask. */
    int (*other)(void *ctx, struct slice text);
    void *other_ctx;
};

/* Connects, and asks the server who it is. */
MUST_CHECK err_t shell_open(struct shell *s, const struct cql_client_options *o, struct diag *d);
void shell_close(struct shell *s);
/* All statements of a file until its end; or of a person. */
void shell_run(struct shell *s, FILE *in);
void shell_run_text(struct shell *s, struct slice text); /* those of -e */
void shell_complete(struct shell *s); /* Tab completes words and names, from now on */
void shell_report(struct shell *s);   /* "Connected to …" and the versions */

/* "<stdin>:3:text" (a person sees no place) in red on standard error; the shell has failed. */
void shell_error(struct shell *s, const char *format, ...) PRINTF_LIKE(2, 3);

/* One request; an error of the server, or of the connection, is told. False then. */
bool shell_query(struct shell *s, struct slice text, uint16_t consistency, bool traced,
                 struct slice paging, struct cql_answer *out);
void shell_tell(struct shell *s, const struct cql_answer *answer); /* the server's error */

/* --- commands.c: what is no CQL; false: it is none of these ------------------------------------
 */
bool command_run(struct shell *s, struct slice text);
bool command_ends_with_line(struct slice word);                      /* needs no ';' */
extern const char *const command_words[];                            /* ends with NULL */
void shell_describe(struct shell *s, struct slice text);             /* describe.c */
bool shell_trace(struct shell *s, const uint8_t id[16], bool waits); /* trace.c */
void shell_copy(struct shell *s, struct slice text);                 /* copy.c */

/* --- show.c ------------------------------------------------------------------------------------
 */
enum show_kind { SHOW_TEXT, SHOW_BLOB, SHOW_NUMBER, SHOW_NESTED, SHOW_NULL, SHOW_NAME };
enum show_name { SHOW_PLAIN_NAME, SHOW_PARTITION, SHOW_CLUSTERING, SHOW_STATIC };
struct show_cell {
    struct slice text; /* in the arena */
    uint32_t width;    /* columns on a terminal */
    uint8_t kind;
};
struct show_form {
    int float_digits, double_digits; /* 5 and 5; COPY TO: 5 and 12 */
    const char *null;                /* "null" */
    const char *yes, *no;            /* "True", "False" */
    bool milliseconds;               /* of timestamps, instead of microseconds */
    bool copy;                       /* text as it is: nothing escaped */
    char decimal_sep, thousands_sep; /* 0: '.', none */
};
extern const struct show_form show_plain;
/* A value of the wire as cqlsh prints it. `quoted`: inside a collection. */
void show_value(const struct show_form *f, const struct type *t, const struct native_value *v,
                bool quoted, struct buf *out);
enum show_kind show_kind_of(const struct type *t);
uint32_t show_width(struct slice text);
MUST_CHECK err_t show_cell_of(struct arena *a, const struct type *t, const struct native_value *v,
                              struct show_cell *out);
struct show_cell show_cell_text(struct arena *a, struct slice text, enum show_kind kind);
/* Names over columns of cells, cells[row * columns + column]. */
void show_table(struct shell *s, const struct show_cell *names, uint32_t columns,
                const struct show_cell *cells, uint32_t rows, bool header);
void show_expanded(struct shell *s, const struct show_cell *names, uint32_t columns,
                   const struct show_cell *cells, uint32_t rows, uint64_t first);
/* The rows of an answer as cells; false: told. */
bool show_cells(struct shell *s, const struct native_response *r, struct show_cell **names,
                struct show_cell **cells);
void show_list(const struct slice *names, uint32_t count, uint32_t width); /* in columns */

/* --- words of a statement, for commands --------------------------------------------------------
 */
/* The next word, 'string', "name" or sign; false at the end. Comments are skipped. */
bool shell_word(struct slice *text, struct slice *word);
bool shell_is(struct slice word, const char *text); /* any case */
/* 'it''s' or "it""s" without its quotes, in the arena; a bare name is folded. */
struct slice shell_unquote(struct arena *a, struct slice word);
