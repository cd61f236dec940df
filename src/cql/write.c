/* INSERT, UPDATE and DELETE: the family. One by primary key goes straight from the bound values
 * into a change of the store; conditions go on in cas.c. */
#include "cql/write_int.h"

static err_t prepare(struct cql_preparing *p, const struct cql_statement_tree *t)
{
    struct write_plan *plan;
    err_t e = write_plan_new(p, t, &plan);
    if (e) return e;
    p->out->plan = plan;
    p->out->table = plan->table;
    return ERR_OK;
}

static err_t permit(struct cql_call *c)
{
    return write_permit(c, c->statement->plan);
}

static err_t decide(void *ctx, struct store_change *change, struct store_peek *peek, struct diag *d)
{
    struct cql_call *c = ctx;
    struct write_run *r = c->run;
    err_t e = write_run_add(r, cql_options(c->session->cql)->store, change, peek);
    if (e && d) *d = c->diag;
    return e;
}

static void run_conditional(struct cql_call *c, struct write_run *r)
{
    struct cas *s;
    err_t e = cas_new(c, r->plan->table, false, &s);
    if (!e) e = cas_add(s, r);
    if (e)
        call_end(c, e);
    else
        cas_commit(s);
}

static void run_plain(struct cql_call *c, struct write_run *r)
{
    struct store *store = cql_options(c->session->cql)->store;
    struct store_change *change = NULL;
    c->run = r;
    err_t e = write_run_bind(r, write_default_timestamp(c));
    if (!e && !r->targets.nothing) e = store_change_new(store, &change);
    if (!e && change && r->plan->reads)
        store_change_decide(change, decide, c);
    else if (!e && change)
        e = write_run_add(r, store, change, NULL);
    if (e || !change || (!r->plan->reads && store_change_bytes(change) == 0)) {
        store_change_free(change);
        call_end(c, e);
        return;
    }
    call_trace(c, "Appending to commitlog");
    call_commit(c, change);
}

static void run(struct cql_call *c)
{
    const struct write_plan *p = c->statement->plan;
    struct cql_bound *bound = arena_take(c->arena, sizeof(*bound));
    struct write_run *r = NULL;
    err_t e = write_check(c, p);
    if (!e && !bound) e = diag_fail(&c->diag, ERR_NO_MEMORY, "no memory for the statement");
    if (!e) e = call_bound(c, c->statement, &c->params, bound);
    if (!e) e = write_run_new(c, p, bound, &r);
    if (!e) e = write_check_consistency(c, p);
    if (e)
        call_end(c, e);
    else if (p->condition != IF_NONE)
        run_conditional(c, r);
    else
        run_plain(c, r);
}

const struct cql_family cql_write_family = {
    .name = "write", .prepare = prepare, .permit = permit, .run = run};
