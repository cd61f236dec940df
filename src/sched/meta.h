/* meta: the workflows' database: SQLite by default, PostgreSQL by configuration. The database is
 * the truth and the way in: the engine, the REST door and the command line all change it by the
 * same functions, in transactions with compare-and-set on a row's `version`, and then wake the
 * engine.
 *
 * A transaction is the unit of trying again: ERR_BUSY from anything inside one (another holds it,
 * two got in each other's way, the server was restarted in the middle) means that nothing of it is
 * in the database, and that the whole is to be done anew from its first reading. After any failure
 * inside a transaction nothing more can be done in it, in either dialect: so what may be there
 * already is written with ON CONFLICT DO NOTHING and *changed tells. ERR_OFFLINE: the database is
 * not there; from meta_commit alone it can also mean that the answer is lost: what compares and
 * sets is then right to be tried again.
 *
 * In PostgreSQL a writing transaction is READ COMMITTED: who counts before writing locks the row
 * that the count belongs to ({for_update}); in SQLite there is one writer at a time.
 *
 * Loop: one struct meta is one connection, used by one thread at a time; each thread that asks
 * opens its own. Blocks for the disk or the server, no longer than busy_ms and statement_ms.
 * Memory: statements are prepared once a connection. Limit: META_ROWS_MAX rows an answer. libpq is
 * loaded when first used (dlopen), sqlite is linked.
 */
#pragma once
#include "data/doc.h"

enum {
    META_ROWS_MAX = 4 << 20,
    META_ARGS_MAX = 2048,
    META_TEXT_MAX = 64 << 20, /* bytes of one value */
    META_NEST_MAX = 4         /* statements run from inside another's `each` */
};
enum meta_kind { META_SQLITE, META_POSTGRES };
struct meta;
struct secret_ring;
struct meta_options {
    /* A file's path (made, 0600), or postgresql://user@host:port/db?… in libpq's words. What
     * Airflow's sql_alchemy_conn says is understood too: sqlite:////a/path, postgresql+psycopg2://…
     */
    const char *where;
    const struct secret_ring *secret; /* secret.h: what passwords of connections and variables are
                                         sealed with; NULL: those refuse */
    int64_t busy_ms;                  /* how long to wait for others' locks; 0: 5 s */
    int64_t statement_ms;             /* how long one statement may take; 0: 30 s */
};
MUST_CHECK err_t meta_open(const struct meta_options *o, struct meta **out, struct diag *d);
/* connections.yaml and variables.yaml of this folder come before the database where a task looks
 * (connection_resolve, variable_resolve): the project's, as Airflow's LocalFilesystemBackend. */
MUST_CHECK err_t meta_files_set(struct meta *m, const char *folder, struct diag *d);
void meta_close(struct meta *m); /* NULL is fine; an open transaction is undone */
enum meta_kind meta_kind(const struct meta *m);
const char *meta_where(const struct meta *m);                /* for people: no password in it */
const struct secret_ring *meta_secret(const struct meta *m); /* NULL: none was given */
/* Makes or upgrades the tables (schema.def: one row a step, in order, under an advisory lock); a
 * newer database than this program is refused (ERR_VERSION). */
MUST_CHECK err_t meta_migrate(struct meta *m, struct diag *d);
/* Prepares every row of statements.def: a test's, and doctor's. */
MUST_CHECK err_t meta_check(struct meta *m, struct diag *d);

/* statements.def: STATEMENT(name, "sqlite's and PostgreSQL's text", "PostgreSQL's where it differs,
 * or NULL"); parameters are $1, $2 … in both, and {words} (meta_text.c has them) become the
 * dialect's. A parameter whose type PostgreSQL can not see is written CAST($1 AS {int}). */
enum meta_statement {
#define STATEMENT(name, text, postgres) META_##name,
#include "sched/statements.def"
#undef STATEMENT
    META_STATEMENTS
};
struct meta_value {
    enum { META_NULL, META_INT, META_REAL, META_TEXT, META_BYTES } kind;
    int64_t number; /* a boolean is 0 or 1 */
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
static inline struct meta_value meta_real(double n)
{
    return (struct meta_value){.kind = META_REAL, .real = n};
}
/* NULL for {0}, but "" for a text without bytes (slice_of("")). */
static inline struct meta_value meta_text(struct slice s)
{
    return (struct meta_value){.kind = s.at ? META_TEXT : META_NULL, .text = s};
}
static inline struct meta_value meta_bytes(struct slice s)
{
    return (struct meta_value){.kind = s.at ? META_BYTES : META_NULL, .text = s};
}
static inline struct meta_value meta_null(void)
{
    return (struct meta_value){.kind = META_NULL};
}
/* Runs one; `each` may be NULL, and ends the reading by answering other than ERR_OK (that becomes
 * the answer, and does not spoil the transaction); it may run other statements of the same
 * connection, META_NEST_MAX deep. *changed (may be NULL): rows inserted, updated or deleted.
 * ERR_BUSY: try again, the whole transaction; ERR_OFFLINE: the database is not there; ERR_EXISTS: a
 * unique key; ERR_CONSTRAINT; ERR_TIMEOUT: statement_ms; ERR_DISK_FULL, ERR_IO, ERR_CORRUPT:
 * the disk's; ERR_BAD_UTF8: a text that is none, or has a zero byte inside. */
MUST_CHECK err_t meta_run(struct meta *m, enum meta_statement s, const struct meta_value *args,
                          uint32_t count, err_t (*each)(void *ctx, const struct meta_row *row),
                          void *ctx, int64_t *changed, struct diag *d);
/* The same for a text made at run time, of lists with filters and order (list.h makes it of column
 * tables, never of a peer's text). */
MUST_CHECK err_t meta_run_text(struct meta *m, const char *text, const struct meta_value *args,
                               uint32_t count, err_t (*each)(void *ctx, const struct meta_row *row),
                               void *ctx, int64_t *changed, struct diag *d);
/* SQLite: BEGIN IMMEDIATE for writers; durable when commit answers OK. A reader sees one state of
 * the whole database throughout. */
MUST_CHECK err_t meta_begin(struct meta *m, bool writes, struct diag *d);
MUST_CHECK err_t meta_commit(struct meta *m, struct diag *d);
void meta_rollback(struct meta *m); /* fine when none is open */
bool meta_inside(const struct meta *m);
/* Tells other processes' connections that something changed, inside the transaction that changes
 * it: NOTIFY in PostgreSQL, nothing in SQLite, where each can see it. */
MUST_CHECK err_t meta_tell(struct meta *m, struct diag *d);
/* Whether another connection changed (PostgreSQL: told of) something since the last look; true at
 * the first. Costs about a microsecond when nothing did. Not inside a transaction. */
MUST_CHECK err_t meta_heard(struct meta *m, bool *changed, struct diag *d);
