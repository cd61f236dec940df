/* schema: the family of statements that change what there is: keyspaces here, the others beside it.
 */
#include "cql/schema.h"
#include <ctype.h>

struct schema_plan {
    struct slice keyspace;
};

static const struct {
    schema_step *step;
    enum cql_permission permission;
    enum cql_resource_kind resource; /* whose permission it needs */
} steps[CQL_KINDS] = {
    [CQL_CREATE_KEYSPACE] = {schema_create_keyspace, PERMIT_CREATE, RESOURCE_ALL_KEYSPACES},
    [CQL_ALTER_KEYSPACE] = {schema_alter_keyspace, PERMIT_ALTER, RESOURCE_KEYSPACE},
    [CQL_DROP_KEYSPACE] = {schema_drop_keyspace, PERMIT_DROP, RESOURCE_KEYSPACE},
    [CQL_CREATE_TABLE] = {schema_create_table, PERMIT_CREATE, RESOURCE_ALL_TABLES},
    [CQL_ALTER_TABLE] = {schema_alter_table, PERMIT_ALTER, RESOURCE_TABLE},
    [CQL_DROP_TABLE] = {schema_drop_table, PERMIT_DROP, RESOURCE_TABLE},
    [CQL_CREATE_TYPE] = {schema_create_type, PERMIT_CREATE, RESOURCE_ALL_TABLES},
    [CQL_ALTER_TYPE] = {schema_alter_type, PERMIT_ALTER, RESOURCE_ALL_TABLES},
    [CQL_DROP_TYPE] = {schema_drop_type, PERMIT_DROP, RESOURCE_ALL_TABLES},
    [CQL_CREATE_INDEX] = {schema_create_index, PERMIT_ALTER, RESOURCE_TABLE},
    [CQL_DROP_INDEX] = {schema_drop_index, PERMIT_ALTER, RESOURCE_TABLE},
    [CQL_TRUNCATE] = {schema_truncate, PERMIT_MODIFY, RESOURCE_TABLE},
};

bool schema_name_is_word(struct slice name)
{
    for (uint32_t i = 0; i < name.len; i++)
        if (!isalnum(name.at[i]) && name.at[i] != '_') return false;
    return name.len > 0;
}

bool schema_name_is_valid(struct slice name)
{
    return name.len <= SCHEMA_NAME_MAX && schema_name_is_word(name);
}

/* --- the family
 * ------------------------------------------------------------------------------------------ */

static bool is_keyspace_statement(enum cql_kind k)
{
    return k == CQL_CREATE_KEYSPACE || k == CQL_ALTER_KEYSPACE || k == CQL_DROP_KEYSPACE;
}

/* Which keyspace a statement is about: an index's table says it too. */
static struct slice written_keyspace(const struct cql_statement_tree *t)
{
    if (is_keyspace_statement(t->kind)) return t->name.name;
    if (t->kind == CQL_CREATE_INDEX && t->index->table.keyspace.at) return t->index->table.keyspace;
    return t->name.keyspace;
}

static err_t schema_prepare(struct cql_preparing *p, const struct cql_statement_tree *t)
{
    struct schema_plan *plan = arena_take(p->terms.arena, sizeof(*plan));
    if (!plan) return diag_fail(p->terms.d, ERR_NO_MEMORY, "no memory for a statement");
    p->out->plan = plan;
    plan->keyspace = written_keyspace(t);
    if (!plan->keyspace.at) plan->keyspace = p->terms.keyspace;
    if (plan->keyspace.len == 0 && !(is_keyspace_statement(t->kind) && plan->keyspace.at))
        return diag_fail(p->terms.d, ERR_INVALID,
                         "No keyspace has been specified. USE a keyspace, or explicitly specify "
                         "keyspace.tablename");
    if (t->kind == CQL_CREATE_TABLE)
        return schema_check_table_tree(t, t->name.keyspace, p->terms.d);
    if (t->kind == CQL_CREATE_INDEX && t->name.keyspace.at &&
        !slice_equal(t->name.keyspace, plan->keyspace))
        return diag_fail(p->terms.d, ERR_INVALID,
                         "Keyspace name '%.*s' doesn't match index name '%.*s'",
                         SLICE_ARG(plan->keyspace), SLICE_ARG(t->index->table.name));
    return ERR_OK;
}

static err_t schema_permit(struct cql_call *c)
{
    const struct cql_statement *s = c->statement;
    const struct schema_plan *plan = s->plan;
    struct cql_resource r = {.kind = steps[s->kind].resource, .name = {.name = plan->keyspace}};
    if (r.kind == RESOURCE_TABLE)
        r.name = (struct cql_name){plan->keyspace, s->kind == CQL_CREATE_INDEX
                                                       ? s->tree->index->table.name
                                                       : s->tree->name.name};
    if (s->kind == CQL_DROP_INDEX) {
        uint32_t at;
        const struct store_table *t = schema_indexed_table(c->session->cql, plan->keyspace,
                                                           s->tree->name.name, c->arena, &at);
        if (!t) return ERR_OK;
        r.name.name = t->name;
    }
    return permit_resource(c, &r, steps[s->kind].permission);
}

static err_t check_keyspace(struct schema_run *r)
{
    const struct virtual_keyspace *v = virtual_keyspace_find(NULL, r->keyspace);
    if (r->t->kind == CQL_TRUNCATE) return ERR_OK;
    if (v && v->place != VIRTUAL_REPLICATED)
        return diag_fail(r->d, ERR_INVALID, "System keyspace '%.*s' is not user-modifiable",
                         SLICE_ARG(r->keyspace));
    if (!schema_name_is_valid(r->keyspace))
        return diag_fail(r->d, ERR_INVALID,
                         "Keyspace name must not be empty, more than %d characters long, or "
                         "contain non-alphanumeric-underscore characters (got '%.*s')",
                         SCHEMA_NAME_MAX, SLICE_ARG(r->keyspace));
    return ERR_OK;
}

/* What is made is its maker's; what is dropped is nobody's. */
static void tell_permissions(const struct schema_run *r)
{
    struct cql_resource x = {.name = {.name = r->keyspace}};
    switch (r->t->kind) {
    case CQL_CREATE_KEYSPACE:
        x.kind = RESOURCE_KEYSPACE;
        permit_created(r->call, &x);
        x.kind = RESOURCE_FUNCTIONS_IN;
        permit_created(r->call, &x);
        break;
    case CQL_DROP_KEYSPACE:
        x.kind = RESOURCE_KEYSPACE;
        permit_dropped(r->call, &x);
        x.kind = RESOURCE_FUNCTIONS_IN;
        permit_dropped(r->call, &x);
        break;
    case CQL_CREATE_TABLE:
    case CQL_DROP_TABLE:
        x = (struct cql_resource){.kind = RESOURCE_TABLE, .name = {r->keyspace, r->name}};
        if (r->t->kind == CQL_CREATE_TABLE)
            permit_created(r->call, &x);
        else
            permit_dropped(r->call, &x);
        break;
    default: break;
    }
}

/* Somebody else's change came between this statement's look at the schema and its own change. A
 * name that is there, or gone, may have been so when the step looked: then nothing has changed. */
static bool is_outrun(err_t e, bool moved)
{
    return e == ERR_BUSY ||
           (moved && (e == ERR_EXISTS || e == ERR_UNKNOWN_TABLE || e == ERR_UNKNOWN_NAME));
}

err_t schema_take(struct schema_run *r, schema_step *step)
{
    err_t e = ERR_BUSY;
    for (int i = 0; i < SCHEMA_TRIES; i++) {
        uint64_t seen = store_schema_version(r->store);
        e = step(r);
        if (!is_outrun(e, store_schema_version(r->store) != seen)) break;
    }
    return e;
}

static void schema_work(struct cql_call *c)
{
    const struct cql_statement *s = c->statement;
    const struct schema_plan *plan = s->plan;
    struct cql *cql = c->session->cql;
    struct schema_run r = {.call = c,
                           .cql = cql,
                           .store = cql_options(cql)->store,
                           .a = c->arena,
                           .d = &c->diag,
                           .t = s->tree,
                           .keyspace = plan->keyspace,
                           .name = s->tree->name.name};
    err_t e = check_keyspace(&r);
    if (!e) {
        gate_enter(&tables_of(cql)->changing);
        e = schema_take(&r, steps[s->kind].step);
        gate_leave(&tables_of(cql)->changing);
    }
    c->result.kind = CQL_VOID;
    if (!e && r.changed) {
        c->result.kind = CQL_SCHEMA_CHANGE;
        c->result.change = r.change;
        tell_permissions(&r);
        cql_schema_changed(cql, &r.change);
    }
    call_end(c, e);
}

static void schema_run(struct cql_call *c)
{
    call_to_worker(c, schema_work); /* it waits for the disk */
}

const struct cql_family cql_schema_family = {
    .name = "schema", .prepare = schema_prepare, .permit = schema_permit, .run = schema_run};

err_t schema_need_keyspace(struct schema_run *r)
{
    if (store_keyspace_exists(r->store, r->keyspace)) return ERR_OK;
    return diag_fail(r->d, ERR_INVALID, "Keyspace '%.*s' doesn't exist", SLICE_ARG(r->keyspace));
}

/* --- TRUNCATE
 * -------------------------------------------------------------------------------------------- */

err_t schema_truncate(struct schema_run *r)
{
    const struct store_table *t =
        cql_table(r->cql, r->keyspace, (struct cql_name){r->keyspace, r->name}, r->d);
    if (!t) return r->d->err;
    if (cql_table_is_virtual(r->cql, t))
        return diag_fail(r->d, ERR_INVALID, "Truncation is not supported by table %.*s.%.*s",
                         SLICE_ARG(t->keyspace), SLICE_ARG(t->name));
    return store_table_truncate(r->store, t->keyspace, t->name, r->d);
}
