/* The workflows' database in PostgreSQL, by its own client library: TLS and SCRAM come with it. */
#include "base/hash.h"
#include "os/clock.h"
#include "sched/meta_int.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* --- the library ------------------------------------------------------------------------------ */

struct pg_conn;
struct pg_result;
struct pg_notify { /* what is public of libpq's PGnotify */
    char *channel;
    int backend;
    char *extra;
};
enum { CONNECTION_OK = 0, TUPLES_OK = 2, COMMAND_OK = 1, EMPTY_QUERY = 0, SQLSTATE_FIELD = 'C' };
enum { OID_BOOL = 16, OID_BYTEA = 17, OID_INT8 = 20, OID_INT2 = 21, OID_INT4 = 23 };
enum { OID_FLOAT4 = 700, OID_FLOAT8 = 701, OID_NUMERIC = 1700, NOT_TOLD = 0 };

static struct {
#define LIBPQ(result, name, parameters) result(*name) parameters;
#include "sched/libpq.def"
#undef LIBPQ
} pq;
static pthread_once_t pq_once = PTHREAD_ONCE_INIT;
static char pq_trouble[256];

static void load(void)
{
    static const struct {
        const char *name;
        void *to;
    } names[] = {
#define LIBPQ(result, name, parameters) {#name, &pq.name},
#include "sched/libpq.def"
#undef LIBPQ
    };
    void *library = dlopen("libpq.so.5", RTLD_NOW | RTLD_LOCAL);
    for (size_t i = 0; i < COUNT_OF(names) && library; i++) {
        void *at = dlsym(library, names[i].name);
        if (!at) library = NULL;
        memcpy(names[i].to, &at, sizeof(at));
    }
    if (!library) snprintf(pq_trouble, sizeof(pq_trouble), "%s", dlerror());
}

/* --- a connection ----------------------------------------------------------------------------- */

enum { COLUMNS_MAX = 128, XID_TEXT = 24 };
struct post {
    struct pg_conn *conn;
    bool prepared[META_STATEMENTS], listens;
    char xid[XID_TEXT]; /* of the writing transaction that is open */
    struct arena *arenas[META_NEST_MAX + 1];
};

static const struct {
    const char *state; /* a SQLSTATE, or the class that it begins with */
    err_t err;
    const char *hint;
} states[] = {
    {"23505", ERR_EXISTS, ""},
    {"23", ERR_CONSTRAINT, ""},
    {"42P07", ERR_EXISTS, ""},
    {"40", ERR_BUSY, ""},    /* serialization, deadlock */
    {"55P03", ERR_BUSY, ""}, /* lock_timeout */
    {"53100", ERR_DISK_FULL, "free space on PostgreSQL's machine"},
    {"53300", ERR_OFFLINE, "raise PostgreSQL's max_connections"},
    {"53", ERR_NO_MEMORY, ""},
    {"57014", ERR_TIMEOUT, ""},
    {"57P", ERR_BUSY, ""}, /* it shuts down, or starts: what was in flight is to be done anew */
    {"08", ERR_BUSY, ""},
    {"25P03", ERR_BUSY, ""}, /* idle in a transaction for too long */
    {"25006", ERR_OFFLINE, "it takes no writes: is it a standby? name the primary"},
    {"28", ERR_LOGIN, "look at the user and password in the database's address, and pg_hba.conf"},
    {"3D000", ERR_NOT_FOUND, "make it: createdb -O USER NAME"},
    {"3F000", ERR_NOT_FOUND, "make the schema: CREATE SCHEMA NAME"},
    {"42501", ERR_FORBIDDEN, "the user must own the database, or be granted CREATE in its schema"},
    {"54", ERR_TOO_BIG, ""},
    {"22021", ERR_BAD_UTF8, ""},
    {"22", ERR_INVALID, ""},
    {"58", ERR_IO, "look at PostgreSQL's log"},
    {"XX00", ERR_CORRUPT, "look at PostgreSQL's log"},
};

static err_t err_of_state(const char *state, const char **hint)
{
    *hint = "";
    for (size_t i = 0; state && i < COUNT_OF(states); i++) {
        if (strncmp(state, states[i].state, strlen(states[i].state)) != 0) continue;
        *hint = states[i].hint;
        return states[i].err;
    }
    return ERR_INTERNAL;
}

/* libpq's words end with a line's end, and "ERROR:  " stands before the server's. */
static void why_of(const char *message, char *out, size_t size)
{
    struct slice s = slice_trim(slice_of(message));
    struct buf b = buf_over(out, size - 1);
    for (uint32_t i = 0; i < s.len && b.len + 1 < size; i++)
        buf_char(&b, s.at[i] == '\n' || s.at[i] == '\t' ? ' ' : (char)s.at[i]);
    out[b.len] = 0;
}

static bool alive(const struct post *p)
{
    return p->conn && pq.PQstatus(p->conn) == CONNECTION_OK;
}

static err_t failed(struct meta *m, const struct pg_result *r, const char *what, struct diag *d)
{
    struct post *p = m->conn;
    char why[400];
    const char *hint = "", *state = r ? pq.PQresultErrorField(r, SQLSTATE_FIELD) : NULL;
    err_t e = alive(p) ? err_of_state(state, &hint) : ERR_BUSY;
    why_of(pq.PQerrorMessage(p->conn), why, sizeof(why));
    diag_fail(d, e, "%s: %s", what, e == ERR_BUSY ? "to be tried again" : err_text(e));
    diag_where(d, "%s", m->shown);
    diag_why(d, "%s", *why ? why : "the connection is lost");
    if (*hint) diag_hint(d, "%s", hint);
    return e;
}

/* One that returns no rows, or whose rows are read by the caller, who clears *out. */
static err_t simple(struct meta *m, const char *text, const char *what, struct pg_result **out,
                    struct diag *d)
{
    struct post *p = m->conn;
    struct pg_result *r = pq.PQexec(p->conn, text);
    int status = pq.PQresultStatus(r);
    bool fine = r && (status == COMMAND_OK || status == TUPLES_OK || status == EMPTY_QUERY);
    err_t e = fine ? ERR_OK : failed(m, r, what, d);
    if (out && !e)
        *out = r;
    else
        pq.PQclear(r);
    return e;
}

/* What a session of ours is. A database whose synchronous_commit is off would acknowledge what is
 * not on disk. */
static err_t set_up(struct meta *m, struct diag *d)
{
    char text[600];
    snprintf(text, sizeof(text),
             "SET statement_timeout = %lld; SET lock_timeout = %lld;"
             "SET idle_in_transaction_session_timeout = 60000; SET client_min_messages = warning;"
             "SET standard_conforming_strings = on; SET bytea_output = hex;"
             "SET default_transaction_isolation = 'read committed';"
             "SELECT set_config('synchronous_commit', 'on', false)"
             "  WHERE current_setting('synchronous_commit') = 'off'",
             (long long)m->statement_ms, (long long)m->busy_ms);
    return simple(m, text, "the workflows' database", NULL, d);
}

static void silent(void *arg, const char *message)
{
    (void)arg, (void)message;
}

static err_t offline(struct meta *m, struct diag *d)
{
    struct post *p = m->conn;
    char why[400];
    why_of(pq.PQerrorMessage(p->conn), why, sizeof(why));
    bool login = strstr(why, "password") || strstr(why, "authentication") ||
                 strstr(why, "pg_hba") || strstr(why, "role ");
    bool missing = !login && strstr(why, "database \"") && strstr(why, "does not exist");
    err_t e = login ? ERR_LOGIN : missing ? ERR_NOT_FOUND : ERR_OFFLINE;
    diag_fail(d, e, "the workflows' database: %s", err_text(e));
    diag_where(d, "%s", m->shown);
    diag_why(d, "%s", why);
    const char *hints[] = {"look at the user and password in its address, and at pg_hba.conf",
                           "make it: createdb -O USER NAME",
                           "is PostgreSQL started, and is this its address?"};
    return diag_hint(d, "%s", hints[login ? 0 : missing ? 1 : 2]);
}

/* A lost connection is made anew by whoever begins something next. */
static err_t ready(struct meta *m, struct diag *d)
{
    struct post *p = m->conn;
    if (alive(p)) return ERR_OK;
    memset(p->prepared, 0, sizeof(p->prepared));
    p->listens = false;
    pq.PQreset(p->conn);
    if (!alive(p)) return offline(m, d);
    return set_up(m, d);
}

static err_t post_open(struct meta *m, struct diag *d)
{
    snprintf(m->shown, sizeof(m->shown), "PostgreSQL");
    pthread_once(&pq_once, load);
    if (*pq_trouble) {
        diag_fail(d, ERR_UNSUPPORTED, "PostgreSQL's client library can not be loaded");
        diag_why(d, "%s", pq_trouble);
        return diag_hint(d, "apt install libpq5");
    }
    struct post *p = m->conn = mem_take(sizeof(*p));
    if (!p) return diag_fail(d, ERR_NO_MEMORY, "no memory for the workflows' database");
    for (int i = 0; i <= META_NEST_MAX; i++) {
        p->arenas[i] = arena_new(GIB(2));
        if (!p->arenas[i]) return diag_fail(d, ERR_NO_MEMORY, "no memory for the database");
    }
    /* What stands before dbname the address may say otherwise; what stands behind holds. */
    const char *keys[] = {
        "connect_timeout",           "keepalives_idle", "keepalives_interval", "tcp_user_timeout",
        "fallback_application_name", "dbname",          "client_encoding",     NULL};
    const char *values[] = {"5", "10", "5", "20000", "sluice", m->where, "UTF8", NULL};
    p->conn = pq.PQconnectdbParams(keys, values, 1);
    if (!p->conn) return diag_fail(d, ERR_NO_MEMORY, "no memory for the workflows' database");
    const char *host = pq.PQhost(p->conn), *port = pq.PQport(p->conn), *db = pq.PQdb(p->conn);
    snprintf(m->shown, sizeof(m->shown), "postgresql://%s:%s/%s", host ? host : "",
             port ? port : "", db ? db : "");
    if (!alive(p)) return offline(m, d);
    (void)pq.PQsetNoticeProcessor(p->conn, silent, NULL);
    if (pq.PQserverVersion(p->conn) < 110000)
        return diag_fail(d, ERR_UNSUPPORTED, "%s is PostgreSQL %d: 11 or newer is needed", m->shown,
                         pq.PQserverVersion(p->conn) / 10000);
    return set_up(m, d);
}

static void post_close(struct meta *m)
{
    struct post *p = m->conn;
    if (!p) return;
    if (p->conn) pq.PQfinish(p->conn);
    for (int i = 0; i <= META_NEST_MAX; i++) arena_free(p->arenas[i]);
    mem_give(p);
    m->conn = NULL;
}

/* --- statements ------------------------------------------------------------------------------- */

static err_t post_prepare(struct meta *m, enum meta_statement s, struct diag *d)
{
    struct post *p = m->conn;
    if (p->prepared[s]) return ERR_OK;
    struct buf b = buf_make(KIB(64));
    err_t e = meta_expand(META_POSTGRES, false, meta_statement_text(META_POSTGRES, (int)s), &b, d);
    if (!e) {
        const char *name = meta_statement_name((int)s);
        struct pg_result *r = pq.PQprepare(p->conn, name, buf_cstr(&b), 0, NULL);
        if (pq.PQresultStatus(r) != COMMAND_OK) e = failed(m, r, name, d);
        pq.PQclear(r);
    }
    buf_done(&b);
    p->prepared[s] = !e;
    return e;
}

struct sent { /* the parameters in libpq's form */
    const char **values;
    int *lengths, *formats;
};

static bool send_form(struct arena *a, const struct meta_call *c, struct sent *out)
{
    uint32_t n = c->count + 1;
    out->values = arena_take(a, n * sizeof(*out->values));
    out->lengths = arena_take(a, n * sizeof(*out->lengths));
    out->formats = arena_take(a, n * sizeof(*out->formats));
    if (!out->values || !out->lengths || !out->formats) return false;
    for (uint32_t i = 0; i < c->count; i++) {
        const struct meta_value *v = &c->args[i];
        const char *text = NULL;
        switch (v->kind) {
        case META_NULL: continue;
        case META_INT: text = arena_printf(a, "%lld", (long long)v->number); break;
        case META_REAL: text = arena_printf(a, "%.17g", v->real); break;
        case META_TEXT: text = arena_text(a, v->text); break;
        case META_BYTES: text = v->text.len ? (const char *)v->text.at : ""; break;
        }
        if (!text) return false;
        out->values[i] = text;
        out->lengths[i] = (int)v->text.len;
        out->formats[i] = v->kind == META_BYTES;
    }
    return true;
}

static bool column(struct arena *a, const struct pg_result *r, int row, int at,
                   struct meta_value *out)
{
    *out = meta_null();
    if (pq.PQgetisnull(r, row, at)) return true;
    const char *text = pq.PQgetvalue(r, row, at);
    struct slice s = slice_make(text, (size_t)pq.PQgetlength(r, row, at));
    unsigned type = pq.PQftype(r, at);
    bool number = type == OID_INT8 || type == OID_INT4 || type == OID_INT2;
    if (type == OID_BOOL) {
        *out = meta_int(*text == 't');
    } else if ((number || type == OID_NUMERIC) && slice_to_i64(s, &out->number)) {
        out->kind = META_INT; /* a sum of integers is a numeric without a point */
    } else if (type == OID_FLOAT4 || type == OID_FLOAT8 || type == OID_NUMERIC) {
        *out = meta_real(strtod(text, NULL));
    } else if (type == OID_BYTEA) {
        uint32_t size = (s.len - 2) / 2; /* "\x" and two digits a byte */
        uint8_t *bytes = arena_take_raw(a, size + 1u);
        if (!bytes || !parse_hex(slice_make(s.at + 2, s.len - 2u), bytes, size)) return false;
        *out = meta_bytes(slice_make(bytes, size));
    } else {
        *out = meta_text(s);
    }
    return true;
}

static err_t rows(struct arena *a, struct meta_call *c, const struct pg_result *r, struct diag *d)
{
    struct meta_value values[COLUMNS_MAX];
    int columns = pq.PQnfields(r), count = pq.PQntuples(r);
    if (columns > COLUMNS_MAX) return diag_fail(d, ERR_TOO_BIG, "%d columns", columns);
    if (count > META_ROWS_MAX)
        return diag_fail(d, ERR_TOO_BIG, "%s has more than %d rows",
                         meta_statement_name(c->statement), META_ROWS_MAX);
    for (int row = 0; row < count && c->each; row++) {
        arena_reset(a);
        for (int i = 0; i < columns; i++)
            if (!column(a, r, row, i, &values[i]))
                return diag_fail(d, ERR_NO_MEMORY, "no memory for a row");
        struct meta_row one = {values, (uint32_t)columns};
        c->each_said = c->each(c->ctx, &one);
        if (c->each_said) return ERR_OK;
    }
    return ERR_OK;
}

static err_t post_run(struct meta *m, struct meta_call *c, struct diag *d)
{
    struct post *p = m->conn;
    struct arena *a = p->arenas[m->depth];
    struct sent s;
    err_t e = m->inside ? ERR_OK : ready(m, d);
    if (!e && c->statement >= 0) e = post_prepare(m, (enum meta_statement)c->statement, d);
    if (e) return e;
    arena_reset(a);
    if (!send_form(a, c, &s)) return diag_fail(d, ERR_NO_MEMORY, "no memory for a statement");
    const char *name = meta_statement_name(c->statement);
    struct pg_result *r = c->statement >= 0 ? pq.PQexecPrepared(p->conn, name, (int)c->count,
                                                                s.values, s.lengths, s.formats, 0)
                                            : pq.PQexecParams(p->conn, c->text, (int)c->count, NULL,
                                                              s.values, s.lengths, s.formats, 0);
    int status = pq.PQresultStatus(r);
    bool fine = r && (status == TUPLES_OK || status == COMMAND_OK);
    e = fine ? ERR_OK : failed(m, r, name, d);
    if (!e && strncmp(pq.PQcmdStatus(r), "SELECT", 6) != 0) {
        struct slice changed = slice_of(pq.PQcmdTuples(r)); /* "" of what changes no rows */
        if (!slice_to_i64(changed, &c->changed)) c->changed = 0;
    }
    if (!e) e = rows(a, c, r, d);
    pq.PQclear(r);
    return e;
}

static err_t post_script(struct meta *m, const char *text, struct diag *d)
{
    err_t e = m->inside ? ERR_OK : ready(m, d);
    if (!e) e = simple(m, text, "the workflows' tables", NULL, d);
    if (e && m->inside) m->spoiled = e;
    return e;
}

/* --- transactions ----------------------------------------------------------------------------- */

static err_t post_begin(struct meta *m, bool writes, struct diag *d)
{
    struct post *p = m->conn;
    struct pg_result *r = NULL;
    err_t e = ready(m, d);
    if (e) return e;
    const char *text =
        writes ? "BEGIN; SELECT txid_current()" : "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
    p->xid[0] = 0;
    e = simple(m, text, "a transaction", &r, d);
    if (e) {
        meta_postgres.rollback(m);
        return e;
    }
    if (writes) snprintf(p->xid, sizeof(p->xid), "%s", pq.PQgetvalue(r, 0, 0));
    pq.PQclear(r);
    return ERR_OK;
}

static void pause_ms(int ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (ms % 1000) * 1000000L};
    nanosleep(&t, NULL);
}

/* Once connected again: what became of the transaction whose COMMIT got no answer. */
static err_t outcome(struct meta *m, bool *known, struct diag *d)
{
    struct post *p = m->conn;
    struct pg_result *r = NULL;
    char text[80], said[24] = "";
    *known = false;
    err_t e = ready(m, d);
    snprintf(text, sizeof(text), "SELECT txid_status(%s)", p->xid);
    if (!e) e = simple(m, text, "a transaction's end", &r, d);
    if (e) return e;
    if (!pq.PQgetisnull(r, 0, 0)) snprintf(said, sizeof(said), "%s", pq.PQgetvalue(r, 0, 0));
    pq.PQclear(r);
    *known = strcmp(said, "in progress") != 0;
    if (!*known || strcmp(said, "committed") == 0) return ERR_OK;
    return diag_fail(d, ERR_BUSY, "a transaction was undone when PostgreSQL went away: try again");
}

/* The connection broke between COMMIT and its answer. PostgreSQL knows; it is asked for as long as
 * others' locks would be waited for. */
static err_t commit_lost(struct meta *m, struct diag *d)
{
    int64_t until = clock_mono_ns() + m->busy_ms * 1000000;
    for (int pause = 10;; pause = MIN(pause * 2, 200)) {
        bool known = false;
        err_t e = outcome(m, &known, d);
        if (known) return e;
        if (clock_mono_ns() > until) {
            diag_fail(d, ERR_OFFLINE, "it is not known whether a transaction was kept");
            diag_where(d, "%s", m->shown);
            return diag_why(d, "PostgreSQL went away while it was committed, and is not back");
        }
        pause_ms(pause);
    }
}

static err_t post_commit(struct meta *m, struct diag *d)
{
    struct post *p = m->conn;
    struct pg_result *r = NULL;
    err_t e = simple(m, "COMMIT", "a commit", &r, d);
    if (e && !alive(p) && p->xid[0]) return commit_lost(m, d);
    if (e) return e;
    bool kept = strcmp(pq.PQcmdStatus(r), "COMMIT") == 0; /* not so: of one that had failed */
    pq.PQclear(r);
    return kept ? ERR_OK : diag_fail(d, ERR_BUSY, "a transaction was undone: try again");
}

static void post_rollback(struct meta *m)
{
    struct post *p = m->conn;
    if (p && alive(p) && pq.PQtransactionStatus(p->conn) != 0)
        (void)!simple(m, "ROLLBACK", "a rollback", NULL, NULL);
}

/* --- who changed something -------------------------------------------------------------------- */

static err_t post_tell(struct meta *m, struct diag *d)
{
    err_t e = m->inside ? ERR_OK : ready(m, d);
    return e ? e : simple(m, "NOTIFY sluice_workflows", "telling others", NULL, d);
}

static err_t listen(struct meta *m, bool *changed, struct diag *d)
{
    struct post *p = m->conn;
    err_t e = ready(m, d);
    if (e || p->listens) return e;
    *changed = true; /* what was told before is not known */
    e = simple(m, "LISTEN sluice_workflows", "listening", NULL, d);
    p->listens = !e;
    return e;
}

/* A connection that broke since the last look is made anew at once: nothing was in flight. */
static err_t post_heard(struct meta *m, bool *changed, struct diag *d)
{
    struct post *p = m->conn;
    *changed = false;
    err_t e = listen(m, changed, d);
    if (!e && !pq.PQconsumeInput(p->conn)) e = listen(m, changed, d);
    if (e) *changed = true;
    if (e) return e;
    for (struct pg_notify *n; (n = pq.PQnotifies(p->conn)); pq.PQfreemem(n))
        *changed |= n->backend != pq.PQbackendPID(p->conn); /* one's own come back too */
    return ERR_OK;
}

const struct meta_driver meta_postgres = {
    .open = post_open,
    .close = post_close,
    .run = post_run,
    .script = post_script,
    .prepare = post_prepare,
    .begin = post_begin,
    .commit = post_commit,
    .rollback = post_rollback,
    .tell = post_tell,
    .heard = post_heard,
};
