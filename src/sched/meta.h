/* meta: the workflows' database: SQLite by default, PostgreSQL by configuration. The database is
 * the truth and the way in: the engine, the REST door and the command line all change it by the
 * same functions, in transactions with compare-and-set on a row's `version`, and then wake the
 * engine.
 *
 * Loop: one struct meta is one connection, used by one thread at a time; each thread that asks
 * opens its own. Memory: statements are prepared once a connection. Limit: META_ROWS_MAX rows an
 * answer. libpq is loaded when first used (dlopen), sqlite is linked.
 */
#pragma once
#include "data/doc.h"

enum meta_kind { META_SQLITE, META_POSTGRES };
struct meta;
struct meta_options {
    const char *where; /* a file's path, or postgresql://user@host:port/db?… (libpq's words) */
    const uint8_t *secret; /* 32 bytes: what passwords of connections and variables are sealed with
                              (secret.h) */
    int64_t busy_ms;       /* how long to wait for others' locks */
};
MUST_CHECK err_t meta_open(const struct meta_options *o, struct meta **out, struct diag *d);
void meta_close(struct meta *m);
enum meta_kind meta_kind(const struct meta *m);
/* Makes or upgrades the tables (schema.def: one row a step, in order, under an advisory lock); a
 * newer database than this program is refused. */
MUST_CHECK err_t meta_migrate(struct meta *m, struct diag *d);

/* statements.def: STATEMENT(name, "sqlite's and PostgreSQL's text", "PostgreSQL's where it differs,
 * or NULL"); parameters are $1, $2 … in both. */
enum meta_statement {
#define STATEMENT(name, text, postgres) META_##name,
#include "sched/statements.def"
#undef STATEMENT
    META_STATEMENTS
};
struct meta_value {
    enum { META_NULL, META_INT, META_REAL, META_TEXT, META_BYTES } kind;
    int64_t number;
    double real;
    struct slice text; /* borrowed until the next row */
};
struct meta_row {
    const struct meta_value *at;
    uint32_t count;
};
static inline struct meta_value meta_int(int64_t n)
{
    return (struct meta_value){.kind = META_INT, .number = n};
}
static inline struct meta_value meta_text(struct slice s)
{
    return (struct meta_value){.kind = s.at ? META_TEXT : META_NULL, .text = s};
}
/* Runs one; `each` may be NULL; *changed (may be NULL): rows inserted, updated or deleted.
 * ERR_BUSY: others hold it, try again; ERR_OFFLINE-like: the database is not there (say which
 * err.def row); ERR_EXISTS: a unique key. */
MUST_CHECK err_t meta_run(struct meta *m, enum meta_statement s, const struct meta_value *args,
                          uint32_t count, err_t (*each)(void *ctx, const struct meta_row *row),
                          void *ctx, int64_t *changed, struct diag *d);
/* The same for a text made at run time, of lists with filters and order (list.h makes it of column
 * tables, never of a peer's text). */
MUST_CHECK err_t meta_run_text(struct meta *m, const char *text, const struct meta_value *args,
                               uint32_t count, err_t (*each)(void *ctx, const struct meta_row *row),
                               void *ctx, int64_t *changed, struct diag *d);
/* SQLite: BEGIN IMMEDIATE for writers; durable when commit answers OK. */
MUST_CHECK err_t meta_begin(struct meta *m, bool writes, struct diag *d);
MUST_CHECK err_t meta_commit(struct meta *m, struct diag *d);
void meta_rollback(struct meta *m);
