/* The workflows' database in a file: SQLite with a write-ahead log, synced at every commit. Other
 * processes (the command line) write to the same file. */
#include "os/clock.h"
#include "os/file.h"
#include "sched/meta_int.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>

enum { BEGIN_READ, BEGIN_WRITE, COMMIT, ROLLBACK, DATA_VERSION, OWN_STATEMENTS };
enum { COLUMNS_MAX = 128, LOOK_EACH_OPS = 20000, PAUSE_FIRST_US = 200, PAUSE_MOST_US = 10000 };
static const char *const own_texts[] = {"BEGIN", "BEGIN IMMEDIATE", "COMMIT", "ROLLBACK",
                                        "PRAGMA data_version"};

struct lite {
    sqlite3 *db;
    sqlite3_stmt *kept[META_STATEMENTS], *own[OWN_STATEMENTS];
    bool busy[META_STATEMENTS]; /* it runs: not to be run again inside itself */
    int64_t waited_us, busy_us, statement_ns, started_ns, heard;
};

/* --- failures --------------------------------------------------------------------------------- */

static const struct {
    int code; /* extended first, then the plain ones */
    err_t err;
    const char *hint;
} codes[] = {
    {SQLITE_CONSTRAINT_UNIQUE, ERR_EXISTS, ""},
    {SQLITE_CONSTRAINT_PRIMARYKEY, ERR_EXISTS, ""},
    {SQLITE_CONSTRAINT_ROWID, ERR_EXISTS, ""},
    {SQLITE_CONSTRAINT, ERR_CONSTRAINT, ""},
    {SQLITE_BUSY, ERR_BUSY, ""},
    {SQLITE_LOCKED, ERR_BUSY, ""},
    {SQLITE_PROTOCOL, ERR_BUSY, ""},
    {SQLITE_FULL, ERR_DISK_FULL, ""},
    {SQLITE_IOERR, ERR_IO, "look at the disk; nothing of this transaction was kept"},
    {SQLITE_CORRUPT, ERR_CORRUPT,
     "stop Sluice, keep the file, and bring back a backup; `sqlite3 FILE .recover` saves what can "
     "be read"},
    {SQLITE_NOTADB, ERR_CORRUPT,
     "this is not a database of Sluice's: name another file, or bring back a backup"},
    {SQLITE_READONLY, ERR_FORBIDDEN, "the file and its folder must be writable by this user"},
    {SQLITE_PERM, ERR_FORBIDDEN, "the file and its folder must be writable by this user"},
    {SQLITE_INTERRUPT, ERR_TIMEOUT, ""},
    {SQLITE_TOOBIG, ERR_TOO_BIG, ""},
    {SQLITE_NOMEM, ERR_NO_MEMORY, ""},
};

static err_t failed(struct meta *m, int code, const char *what, struct diag *d)
{
    struct lite *l = m->conn;
    int full = l->db ? sqlite3_extended_errcode(l->db) : code;
    int system = l->db ? sqlite3_system_errno(l->db) : 0;
    if ((full & 0xff) != (code & 0xff)) full = code;
    err_t e = ERR_INTERNAL;
    const char *hint = "";
    for (size_t i = 0; i < COUNT_OF(codes); i++) {
        if (codes[i].code != full && codes[i].code != (full & 0xff)) continue;
        e = codes[i].err;
        hint = codes[i].hint;
        break;
    }
    bool told = system && ((full & 0xff) == SQLITE_IOERR || (full & 0xff) == SQLITE_CANTOPEN);
    if (told) {
        err_t by_errno = err_from_errno(system);
        /* the file itself is there: what was not found was one of SQLite's own beside it */
        e = by_errno == ERR_INTERNAL || by_errno == ERR_NOT_FOUND ? ERR_IO : by_errno;
    }
    const char *why = l->db ? sqlite3_errmsg(l->db) : sqlite3_errstr(code);
    diag_fail(d, e, "%s: %s", what, err_text(e));
    diag_where(d, "%s", m->shown);
    if (told)
        diag_why(d, "%s (%s, errno %d)", why, strerror(system), system);
    else
        diag_why(d, "%s", why);
    if (*hint) diag_hint(d, "%s", hint);
    return e;
}

/* --- opening ---------------------------------------------------------------------------------- */

/* SQLite's own pauses begin at a millisecond and are soon a tenth of a second: too long for a
 * scheduler, whose transactions are a fraction of a millisecond. */
static int wait_for_others(void *ctx, int times)
{
    struct lite *l = ctx;
    sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
    if (times == 0) l->waited_us = 0;
    if (l->waited_us >= l->busy_us) return 0;
    int pause = MIN((int)PAUSE_MOST_US, (int)PAUSE_FIRST_US << MIN(times, 6));
    l->waited_us += vfs->xSleep(vfs, pause);
    return 1;
}

static int too_long(void *ctx)
{
    struct lite *l = ctx;
    return clock_mono_ns() - l->started_ns > l->statement_ns;
}

static err_t lite_script(struct meta *m, const char *text, struct diag *d)
{
    struct lite *l = m->conn;
    l->started_ns = clock_mono_ns();
    int code = sqlite3_exec(l->db, text, NULL, NULL, NULL);
    if (code == SQLITE_OK) return ERR_OK;
    /* a script's only unique thing is a table's name */
    bool there = code == SQLITE_ERROR && strstr(sqlite3_errmsg(l->db), "already exists");
    err_t e = failed(m, code, "the workflows' tables", d);
    if (there) {
        char why[256];
        snprintf(why, sizeof(why), "%s", sqlite3_errmsg(l->db));
        diag_fail(d, e = ERR_EXISTS, "the database has other tables of these names");
        diag_where(d, "%s", m->shown);
        diag_why(d, "%s", why);
    }
    if (m->inside) m->spoiled = e;
    return e;
}

static err_t lite_open(struct meta *m, struct diag *d)
{
    struct lite *l = m->conn = mem_take(sizeof(*l));
    if (!l) return diag_fail(d, ERR_NO_MEMORY, "no memory for the workflows' database");
    l->busy_us = m->busy_ms * 1000;
    l->statement_ns = m->statement_ms * 1000000;
    l->heard = -1;
    snprintf(m->shown, sizeof(m->shown), "%s", m->where);
    err_t e = file_own(m->where, d);
    if (e) return e;
    int code = sqlite3_open_v2(m->where, &l->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (code != SQLITE_OK) return failed(m, code, "the workflows' database can not be opened", d);
    sqlite3_extended_result_codes(l->db, 1);
    sqlite3_busy_handler(l->db, wait_for_others, l);
    sqlite3_progress_handler(l->db, LOOK_EACH_OPS, too_long, l);
    return lite_script(m,
                       "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                       "PRAGMA journal_size_limit = 16777216; PRAGMA temp_store = MEMORY;"
                       "PRAGMA cache_size = -8192; PRAGMA trusted_schema = OFF;",
                       d);
}

static void lite_close(struct meta *m)
{
    struct lite *l = m->conn;
    if (!l) return;
    for (int i = 0; i < META_STATEMENTS; i++) sqlite3_finalize(l->kept[i]);
    for (int i = 0; i < OWN_STATEMENTS; i++) sqlite3_finalize(l->own[i]);
    INVARIANT(sqlite3_close(l->db) == SQLITE_OK); /* nothing of ours is left open */
    mem_give(l);
    m->conn = NULL;
}

/* --- statements ------------------------------------------------------------------------------- */

static err_t prepare_text(struct meta *m, const char *text, unsigned how, sqlite3_stmt **out,
                          const char *name, struct diag *d)
{
    struct lite *l = m->conn;
    const char *rest = NULL;
    int code = sqlite3_prepare_v3(l->db, text, -1, how, out, &rest);
    if (code == SQLITE_OK && rest && *rest)
        return diag_fail(d, ERR_INTERNAL, "%s is more than one statement", name);
    return code == SQLITE_OK ? ERR_OK : failed(m, code, name, d);
}

static err_t lite_prepare(struct meta *m, enum meta_statement s, struct diag *d)
{
    struct lite *l = m->conn;
    if (l->kept[s]) return ERR_OK;
    struct buf b = buf_make(KIB(64));
    err_t e = meta_expand(META_SQLITE, false, meta_statement_text(META_SQLITE, (int)s), &b, d);
    if (!e)
        e = prepare_text(m, buf_cstr(&b), SQLITE_PREPARE_PERSISTENT, &l->kept[s],
                         meta_statement_name((int)s), d);
    buf_done(&b);
    return e;
}

static int bind(sqlite3_stmt *stmt, const struct meta_value *v, int at)
{
    switch (v->kind) {
    case META_NULL: return sqlite3_bind_null(stmt, at);
    case META_INT: return sqlite3_bind_int64(stmt, at, v->number);
    case META_REAL: return sqlite3_bind_double(stmt, at, v->real);
    case META_TEXT:
        return sqlite3_bind_text(stmt, at, (const char *)v->text.at, (int)v->text.len,
                                 SQLITE_STATIC);
    case META_BYTES:
        return sqlite3_bind_blob(stmt, at, v->text.at, (int)v->text.len, SQLITE_STATIC);
    }
    return SQLITE_MISUSE;
}

static struct meta_value column(sqlite3_stmt *stmt, int at)
{
    int type = sqlite3_column_type(stmt, at);
    if (type == SQLITE_NULL) return meta_null();
    if (type == SQLITE_INTEGER) return meta_int(sqlite3_column_int64(stmt, at));
    if (type == SQLITE_FLOAT) return meta_real(sqlite3_column_double(stmt, at));
    const void *bytes =
        type == SQLITE_TEXT ? sqlite3_column_text(stmt, at) : sqlite3_column_blob(stmt, at);
    int size = sqlite3_column_bytes(stmt, at);
    struct slice s = slice_make(bytes ? bytes : "", (size_t)size);
    return type == SQLITE_TEXT ? meta_text(s) : meta_bytes(s);
}

static err_t rows(struct meta *m, struct meta_call *c, sqlite3_stmt *stmt, struct diag *d)
{
    struct meta_value values[COLUMNS_MAX];
    int columns = sqlite3_column_count(stmt), code;
    if (columns > COLUMNS_MAX) return diag_fail(d, ERR_TOO_BIG, "%d columns", columns);
    for (int64_t n = 0; (code = sqlite3_step(stmt)) == SQLITE_ROW; n++) {
        if (n == META_ROWS_MAX)
            return diag_fail(d, ERR_TOO_BIG, "%s has more than %d rows",
                             meta_statement_name(c->statement), META_ROWS_MAX);
        for (int i = 0; i < columns && c->each; i++) values[i] = column(stmt, i);
        struct meta_row row = {values, (uint32_t)columns};
        if (c->each) c->each_said = c->each(c->ctx, &row);
        if (c->each_said) return ERR_OK;
    }
    return code == SQLITE_DONE ? ERR_OK : failed(m, code, meta_statement_name(c->statement), d);
}

static err_t run_prepared(struct meta *m, struct meta_call *c, sqlite3_stmt *stmt, struct diag *d)
{
    struct lite *l = m->conn;
    int code = SQLITE_OK;
    if (sqlite3_bind_parameter_count(stmt) != (int)c->count)
        return diag_fail(d, ERR_INTERNAL, "%s has %d parameters, not %u",
                         meta_statement_name(c->statement), sqlite3_bind_parameter_count(stmt),
                         c->count);
    for (uint32_t i = 0; i < c->count && code == SQLITE_OK; i++)
        code = bind(stmt, &c->args[i], (int)i + 1);
    if (m->depth == 1) l->started_ns = clock_mono_ns();
    err_t e = code == SQLITE_OK ? rows(m, c, stmt, d)
                                : failed(m, code, meta_statement_name(c->statement), d);
    if (!e && !sqlite3_stmt_readonly(stmt)) c->changed = sqlite3_changes64(l->db);
    code = sqlite3_reset(stmt); /* of a statement ended early, this ends it */
    if (!e && code != SQLITE_OK) e = failed(m, code, meta_statement_name(c->statement), d);
    sqlite3_clear_bindings(stmt);
    return e;
}

static err_t lite_run(struct meta *m, struct meta_call *c, struct diag *d)
{
    struct lite *l = m->conn;
    err_t e;
    if (c->statement < 0) {
        sqlite3_stmt *stmt = NULL;
        e = prepare_text(m, c->text, 0, &stmt, "a list", d);
        if (!e) e = run_prepared(m, c, stmt, d);
        sqlite3_finalize(stmt);
        return e;
    }
    if (l->busy[c->statement])
        return diag_fail(d, ERR_INTERNAL, "%s is run inside itself",
                         meta_statement_name(c->statement));
    e = lite_prepare(m, (enum meta_statement)c->statement, d);
    if (e) return e;
    l->busy[c->statement] = true;
    e = run_prepared(m, c, l->kept[c->statement], d);
    l->busy[c->statement] = false;
    return e;
}

/* --- transactions ----------------------------------------------------------------------------- */

static err_t own(struct meta *m, int which, meta_each each, void *ctx, struct diag *d)
{
    struct lite *l = m->conn;
    err_t e = l->own[which] ? ERR_OK
                            : prepare_text(m, own_texts[which], SQLITE_PREPARE_PERSISTENT,
                                           &l->own[which], own_texts[which], d);
    if (e) return e;
    struct meta_call c = {.statement = -1, .each = each, .ctx = ctx};
    l->started_ns = clock_mono_ns();
    return run_prepared(m, &c, l->own[which], d);
}

static err_t lite_begin(struct meta *m, bool writes, struct diag *d)
{
    return own(m, writes ? BEGIN_WRITE : BEGIN_READ, NULL, NULL, d);
}

static err_t lite_commit(struct meta *m, struct diag *d)
{
    return own(m, COMMIT, NULL, NULL, d);
}

/* After a full disk or a failed sync SQLite has undone it already. */
static void lite_rollback(struct meta *m)
{
    struct lite *l = m->conn;
    if (l && l->db && !sqlite3_get_autocommit(l->db)) (void)!own(m, ROLLBACK, NULL, NULL, NULL);
}

static err_t lite_tell(struct meta *m, struct diag *d)
{
    (void)m, (void)d;
    return ERR_OK; /* data_version tells */
}

static err_t take_version(void *ctx, const struct meta_row *row)
{
    if (row->count) *(int64_t *)ctx = row->at[0].number;
    return ERR_OK;
}

static err_t lite_heard(struct meta *m, bool *changed, struct diag *d)
{
    struct lite *l = m->conn;
    int64_t now = l->heard;
    err_t e = own(m, DATA_VERSION, take_version, &now, d);
    *changed = e || now != l->heard;
    l->heard = now;
    return e;
}

const struct meta_driver meta_sqlite = {
    .open = lite_open,
    .close = lite_close,
    .run = lite_run,
    .script = lite_script,
    .prepare = lite_prepare,
    .begin = lite_begin,
    .commit = lite_commit,
    .rollback = lite_rollback,
    .tell = lite_tell,
    .heard = lite_heard,
};
