/* USE: the session's keyspace. */
#include "cql/core.h"
#include "cql/virtual.h"

static err_t use_prepare(struct cql_preparing *p, const struct cql_statement_tree *t)
{
    if (t->name.name.len >= sizeof(p->session->keyspace))
        return diag_fail(p->terms.d, ERR_INVALID, "Keyspace '%.*s' does not exist",
                         SLICE_ARG(t->name.name));
    return ERR_OK;
}

static void use_run(struct cql_call *c)
{
    struct slice name = c->statement->tree->name.name;
    struct cql *cql = c->session->cql;
    if (!store_keyspace_exists(cql_options(cql)->store, name) &&
        !virtual_keyspace_find(cql, name)) {
        call_end(
            c, diag_fail(&c->diag, ERR_INVALID, "Keyspace '%.*s' does not exist", SLICE_ARG(name)));
        return;
    }
    INVARIANT(slice_to_cstr(name, c->session->keyspace, sizeof c->session->keyspace));
    c->result.kind = CQL_SET_KEYSPACE;
    c->result.keyspace = name;
    call_end(c, ERR_OK);
}

const struct cql_family cql_use_family = {.name = "use", .prepare = use_prepare, .run = use_run};
