#include "sched/connection.h"

#include "sched/secret.h"
#include "sched/things_int.h"

#include <stdio.h>

/* --- checks ----------------------------------------------------------------------------------- */

/* Airflow's sanitize_conn_id: \w#!()-.:/\ ; every letter beyond ASCII is taken for one of \w. */
static bool id_fits(struct slice id)
{
    for (uint32_t i = 0; i < id.len; i++) {
        uint8_t c = id.at[i];
        bool word = (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || c >= 0x80;
        if (!word && !memchr("_#!()-.:/\\", c, 10)) return false;
    }
    return id.len > 0;
}

static err_t extra_check(struct slice extra, struct diag *d)
{
    if (extra.len == 0) return ERR_OK;
    struct doc v;
    struct diag wrong = {0};
    struct arena *a = arena_new(64 * (size_t)CONNECTION_TEXT_MAX);
    if (!a) return diag_fail(d, ERR_NO_MEMORY, "no memory for an extra");
    err_t e = doc_of_json(extra, a, &v, &wrong);
    bool fine = !e && v.kind == DOC_MAP;
    arena_free(a);
    if (fine) return ERR_OK;
    diag_fail(d, ERR_USAGE, "The `extra` field must be a valid JSON object");
    return e ? diag_why(d, "%s", wrong.what) : ERR_USAGE;
}

err_t connection_check(const struct connection *c, struct diag *d)
{
    const struct {
        const char *name;
        struct slice text;
        uint32_t most;
    } texts[] = {{"host", c->host, 500},
                 {"schema", c->schema, 500},
                 {"conn_type", c->conn_type, CONNECTION_TYPE_MAX},
                 {"description", c->description, 5000},
                 {"login", c->login, CONNECTION_TEXT_MAX},
                 {"password", c->password, CONNECTION_TEXT_MAX},
                 {"extra", c->extra, CONNECTION_TEXT_MAX}};
    if (!id_fits(c->id) || thing_length(c->id) > CONNECTION_ID_MAX)
        return diag_fail(d, ERR_USAGE,
                         "The connection ID `%.*s` has to be made of 1 to %d alphanumeric "
                         "characters and #, !, -, _, ., :, \\, / and ()",
                         MIN((int)c->id.len, 100), (const char *)c->id.at, CONNECTION_ID_MAX);
    if (c->conn_type.len == 0)
        return diag_fail(d, ERR_USAGE, "The connection %.*s has no conn_type", SLICE_ARG(c->id));
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        if (texts[i].text.len > texts[i].most)
            return diag_fail(d, ERR_TOO_BIG, "%s of the connection %.*s has more than %u bytes",
                             texts[i].name, SLICE_ARG(c->id), texts[i].most);
    if (c->port < -1 || c->port > 65535)
        return diag_fail(d, ERR_USAGE, "port %lld is not between 0 and 65535", (long long)c->port);
    return extra_check(c->extra, d);
}

/* --- rows ------------------------------------------------------------------------------------- */

enum { ID, CONN_TYPE, DESCRIPTION, HOST, PORT, SCHEMA, LOGIN, PASSWORD, EXTRA, VERSION, COLUMNS };

err_t connection_read(struct meta *m, const struct meta_row *row, struct arena *a,
                      struct connection *out, struct diag *d)
{
    *out = (struct connection){.port = -1};
    if (row->count < COLUMNS) return diag_fail(d, ERR_INTERNAL, "a connection has more columns");
    struct slice *texts[COLUMNS] = {
        [ID] = &out->id,     [CONN_TYPE] = &out->conn_type, [DESCRIPTION] = &out->description,
        [HOST] = &out->host, [SCHEMA] = &out->schema,       [LOGIN] = &out->login};
    for (int i = 0; i < COLUMNS; i++)
        if (texts[i] && !thing_text(&row->at[i], a, texts[i]))
            return diag_fail(d, ERR_NO_MEMORY, "no memory for a connection");
    if (row->at[PORT].kind == META_INT) out->port = row->at[PORT].number;
    out->version = row->at[VERSION].number;
    err_t e =
        thing_unseal(m, "connection.password", out->id, &row->at[PASSWORD], a, &out->password, d);
    return e ? e : thing_unseal(m, "connection.extra", out->id, &row->at[EXTRA], a, &out->extra, d);
}

struct reading {
    struct meta *m;
    struct arena *a;
    struct connection *out;
    struct diag *d;
    bool found;
};

static err_t take(void *ctx, const struct meta_row *row)
{
    struct reading *r = ctx;
    r->found = true;
    return connection_read(r->m, row, r->a, r->out, r->d);
}

static err_t none_such(struct slice id, struct diag *d)
{
    return diag_fail(d, ERR_NOT_FOUND, "The Connection with connection_id: `%.*s` was not found",
                     SLICE_ARG(id));
}

err_t connection_find(struct meta *m, struct slice id, struct arena *a, struct connection *out,
                      struct diag *d)
{
    struct reading r = {m, a, out, d, false};
    struct meta_value key = meta_text(id.at ? id : SLICE(""));
    err_t e = meta_run(m, META_CONNECTION_FIND, &key, 1, take, &r, NULL, d);
    return e || r.found ? e : none_such(id, d);
}

err_t connection_resolve(struct meta *m, struct slice id, struct arena *a, struct connection *out,
                         struct diag *d)
{
    const char *said = thing_environment("AIRFLOW_CONN_", id);
    err_t e = said ? ERR_OK : connection_of_file(m, id, a, out, d);
    if (!said) return e == ERR_NOT_FOUND ? connection_find(m, id, a, out, d) : e;
    e = connection_of_text(slice_of(said), a, out, d);
    out->id = arena_slice(a, id);
    return e ? diag_where(d, "AIRFLOW_CONN_%.*s of the environment", SLICE_ARG(id)) : ERR_OK;
}

static err_t write_row(struct meta *m, enum meta_statement s, const struct connection *c,
                       int64_t *changed, struct diag *d)
{
    struct buf password = buf_make(CONNECTION_TEXT_MAX + KIB(1));
    struct buf extra = buf_make(CONNECTION_TEXT_MAX + KIB(1));
    struct meta_value args[COLUMNS] = {meta_text(c->id),
                                       meta_text(c->conn_type),
                                       meta_text(c->description),
                                       meta_text(c->host),
                                       c->port < 0 ? meta_null() : meta_int(c->port),
                                       meta_text(c->schema),
                                       meta_text(c->login)};
    uint32_t count = s == META_CONNECTION_CHANGE ? COLUMNS : COLUMNS - 1;
    err_t e = connection_check(c, d);
    if (!e)
        e = thing_seal(m, "connection.password", c->id, c->password, &password, &args[PASSWORD], d);
    if (!e) e = thing_seal(m, "connection.extra", c->id, c->extra, &extra, &args[EXTRA], d);
    args[VERSION] = meta_int(c->version);
    if (!e) e = meta_run(m, s, args, count, NULL, NULL, changed, d);
    buf_done(&password);
    buf_done(&extra);
    return e;
}

err_t connection_create(struct meta *m, const struct connection *c, struct diag *d)
{
    int64_t changed = 0;
    err_t e = write_row(m, META_CONNECTION_CREATE, c, &changed, d);
    return e || changed
               ? e
               : diag_fail(d, ERR_EXISTS, "Connection already exist. ID: %.*s", SLICE_ARG(c->id));
}

err_t connection_put(struct meta *m, const struct connection *c, struct diag *d)
{
    return write_row(m, META_CONNECTION_PUT, c, NULL, d);
}

err_t connection_change(struct meta *m, const struct connection *c, struct diag *d)
{
    int64_t changed = 0;
    err_t e = write_row(m, META_CONNECTION_CHANGE, c, &changed, d);
    return e || changed ? e
                        : diag_fail(d, ERR_BUSY, "the connection %.*s was changed by another",
                                    SLICE_ARG(c->id));
}

err_t connection_delete(struct meta *m, struct slice id, struct diag *d)
{
    int64_t changed = 0;
    struct meta_value key = meta_text(id.at ? id : SLICE(""));
    err_t e = meta_run(m, META_CONNECTION_DELETE, &key, 1, NULL, NULL, &changed, d);
    return e || changed ? e : none_such(id, d);
}
