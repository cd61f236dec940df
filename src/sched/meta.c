/* What both dialects share: opening, transactions that fail as a whole, migrations. */
#include "sched/meta_int.h"

#include <openssl/crypto.h>
#include <stdio.h>

static const struct {
    int version;
    const char *what, *text;
} migrations[] = {
#define MIGRATION(version, what, text) {version, what, text},
#include "sched/schema.def"
#undef MIGRATION
};

/* --- opening ---------------------------------------------------------------------------------- */

/* postgresql+psycopg2://… as SQLAlchemy writes it is libpq's postgresql://…; sqlite:////a is /a. */
static char *plain_where(const char *where, enum meta_kind *kind)
{
    *kind = META_SQLITE;
    if (strncmp(where, "sqlite:///", 10) == 0) return mem_text(slice_of(where + 10));
    const char *colon = strstr(where, "://");
    size_t scheme = strcspn(where, ":+");
    bool postgres = colon && (slice_is(slice_make(where, scheme), "postgresql") ||
                              slice_is(slice_make(where, scheme), "postgres"));
    if (!postgres) return mem_text(slice_of(where));
    *kind = META_POSTGRES;
    struct buf b = buf_make(KIB(64));
    buf_text(&b, "postgresql");
    buf_text(&b, colon);
    char *plain = mem_text(buf_view(&b));
    buf_done(&b);
    return plain;
}

err_t meta_open(const struct meta_options *o, struct meta **out, struct diag *d)
{
    *out = NULL;
    if (!o->where || !*o->where)
        return diag_fail(d, ERR_CONFIG, "the workflows' database has no place");
    struct meta *m = mem_take(sizeof(*m));
    if (!m) return diag_fail(d, ERR_NO_MEMORY, "no memory for the workflows' database");
    m->busy_ms = o->busy_ms ? o->busy_ms : 5000;
    m->statement_ms = o->statement_ms ? o->statement_ms : 30000;
    m->has_secret = o->secret != NULL;
    if (o->secret) m->secret = *o->secret;
    m->where = plain_where(o->where, &m->kind);
    m->driver = m->kind == META_SQLITE ? &meta_sqlite : &meta_postgres;
    err_t e = m->where ? m->driver->open(m, d) : diag_fail(d, ERR_NO_MEMORY, "no memory");
    if (e) {
        meta_close(m);
        return e;
    }
    *out = m;
    return ERR_OK;
}

void meta_close(struct meta *m)
{
    if (!m) return;
    meta_rollback(m);
    m->driver->close(m);
    secret_ring_done(&m->secret);
    if (m->where) OPENSSL_cleanse(m->where, strlen(m->where));
    mem_give(m->files);
    mem_give(m->where);
    mem_give(m);
}

enum meta_kind meta_kind(const struct meta *m)
{
    return m->kind;
}
const char *meta_where(const struct meta *m)
{
    return m->shown;
}
const struct secret_ring *meta_secret(const struct meta *m)
{
    return m->has_secret ? &m->secret : NULL;
}
bool meta_inside(const struct meta *m)
{
    return m->inside;
}

/* --- statements ------------------------------------------------------------------------------- */

static err_t run(struct meta *m, struct meta_call *c, int64_t *changed, struct diag *d)
{
    if (changed) *changed = 0;
    if (m->spoiled)
        return diag_fail(d, m->spoiled, "the transaction has failed before, and is to be undone");
    if (m->depth == META_NEST_MAX)
        return diag_fail(d, ERR_TOO_DEEP, "%d statements inside one another", META_NEST_MAX);
    err_t e = meta_args_check(c->args, c->count, d);
    if (e) return e;
    m->depth++;
    e = m->driver->run(m, c, d);
    m->depth--;
    if (e && m->inside) m->spoiled = e;
    if (changed) *changed = c->changed;
    return e ? e : c->each_said;
}

err_t meta_run(struct meta *m, enum meta_statement s, const struct meta_value *args, uint32_t count,
               meta_each each, void *ctx, int64_t *changed, struct diag *d)
{
    struct meta_call c = {
        .statement = (int)s, .args = args, .count = count, .each = each, .ctx = ctx};
    return run(m, &c, changed, d);
}

err_t meta_run_text(struct meta *m, const char *text, const struct meta_value *args, uint32_t count,
                    meta_each each, void *ctx, int64_t *changed, struct diag *d)
{
    struct buf b = buf_make(MIB(1));
    err_t e = meta_expand(m->kind, false, text, &b, d);
    struct meta_call c = {.statement = -1,
                          .text = buf_cstr(&b),
                          .args = args,
                          .count = count,
                          .each = each,
                          .ctx = ctx};
    if (!e) e = run(m, &c, changed, d);
    buf_done(&b);
    return e;
}

err_t meta_check(struct meta *m, struct diag *d)
{
    err_t e = ERR_OK;
    for (int s = 0; s < META_STATEMENTS && !e; s++)
        e = m->driver->prepare(m, (enum meta_statement)s, d);
    return e;
}

/* --- transactions ----------------------------------------------------------------------------- */

err_t meta_begin(struct meta *m, bool writes, struct diag *d)
{
    INVARIANT(!m->inside);
    err_t e = m->driver->begin(m, writes, d);
    m->inside = !e;
    m->writes = writes;
    m->spoiled = ERR_OK;
    return e;
}

err_t meta_commit(struct meta *m, struct diag *d)
{
    INVARIANT(m->inside);
    err_t e = m->spoiled;
    if (e)
        diag_fail(d, e, "the transaction has failed before, and is undone");
    else
        e = m->driver->commit(m, d);
    if (e) m->driver->rollback(m);
    m->inside = false;
    m->spoiled = ERR_OK;
    return e;
}

void meta_rollback(struct meta *m)
{
    if (m->inside) m->driver->rollback(m);
    m->inside = false;
    m->spoiled = ERR_OK;
}

err_t meta_tell(struct meta *m, struct diag *d)
{
    err_t e = m->driver->tell(m, d);
    if (e && m->inside) m->spoiled = e;
    return e;
}

err_t meta_heard(struct meta *m, bool *changed, struct diag *d)
{
    INVARIANT(!m->inside);
    *changed = true;
    return m->driver->heard(m, changed, d);
}

/* --- migrations ------------------------------------------------------------------------------- */

static err_t take_int(void *ctx, const struct meta_row *row)
{
    *(int64_t *)ctx = row->at[0].number;
    return ERR_OK;
}

static err_t step(struct meta *m, size_t i, struct diag *d)
{
    struct buf b = buf_make(MIB(1));
    struct meta_value version = meta_int(migrations[i].version);
    err_t e = meta_expand(m->kind, true, migrations[i].text, &b, d);
    if (!e) e = m->driver->script(m, buf_cstr(&b), d);
    if (e == ERR_EXISTS)
        diag_hint(d, "give the workflows a database of their own, or in PostgreSQL a schema: "
                     "?options=-csearch_path%%3Dsluice");
    buf_done(&b);
    if (!e)
        e = meta_run_text(m, "UPDATE sluice_schema SET version = $1", &version, 1, NULL, NULL, NULL,
                          d);
    return e;
}

static err_t migrate_inside(struct meta *m, struct diag *d)
{
    int64_t had = 0, has = migrations[COUNT_OF(migrations) - 1].version;
    const char *lock = m->kind == META_POSTGRES
                           ? "SELECT pg_advisory_xact_lock(7598418863);" /* "sluice" by keypad */
                           : "";
    const char *first = "CREATE TABLE IF NOT EXISTS sluice_schema (version bigint NOT NULL);"
                        "INSERT INTO sluice_schema SELECT 0 WHERE NOT EXISTS"
                        "  (SELECT 1 FROM sluice_schema);";
    err_t e = m->driver->script(m, lock, d);
    if (!e) e = m->driver->script(m, first, d);
    if (!e)
        e = meta_run_text(m, "SELECT version FROM sluice_schema", NULL, 0, take_int, &had, NULL, d);
    if (!e && had > has) {
        diag_fail(d, ERR_VERSION,
                  "the workflows' database has version %lld, made by a newer Sluice",
                  (long long)had);
        diag_where(d, "%s", m->shown);
        e = diag_hint(d, "this one knows versions up to %lld: start the newer one", (long long)has);
    }
    for (size_t i = 0; i < COUNT_OF(migrations) && !e; i++)
        if (migrations[i].version > had) e = step(m, i, d);
    return e;
}

err_t meta_migrate(struct meta *m, struct diag *d)
{
    err_t e = meta_begin(m, true, d);
    if (e) return e;
    e = migrate_inside(m, d);
    if (!e) return meta_commit(m, d);
    meta_rollback(m);
    return e;
}
