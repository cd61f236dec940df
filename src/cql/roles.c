/* roles: CREATE, ALTER, DROP ROLE and USER, GRANT, REVOKE, LIST …: the one user table, in
 * Cassandra's words. */
#include "cql/roles.h"

struct users *roles_users(const struct cql_call *c)
{
    return cql_options(c->session->cql)->users;
}

bool roles_exists(const struct cql_call *c, struct slice name)
{
    struct user u;
    return roles_users(c) && users_find(roles_users(c), name, &u) == ERR_OK;
}

struct slice roles_own_name(const struct cql_call *c)
{
    return slice_of(c->session->user);
}

/* Is this role, or one it is a member of, an admin? */
bool roles_is_super(const struct cql_call *c, struct slice name)
{
    return roles_users(c) && users_allowed(roles_users(c), name, NULL, 0).most == ROLE_ADMIN;
}

static bool logs_in(const struct cql_call *c)
{
    const struct cql_options *o = cql_options(c->session->cql);
    return (c->session->trusted || o->login) && o->users;
}

bool roles_session_is_super(struct cql_call *c)
{
    return logs_in(c) && permit_is_superuser(c);
}

/* --- what a role's options may say
 * --------------------------------------------------------------------------------- */

#define MANAGER "org.apache.cassandra.auth.CassandraRoleManager"

static err_t options_check(struct cql_call *c, const struct cql_role_tree *r)
{
    struct diag *d = &c->diag;
    if (r->has_password && !logs_in(c))
        return diag_fail(d, ERR_INVALID, MANAGER " doesn't support %s",
                         r->hashed ? "HASHED_PASSWORD" : "PASSWORD");
    if (r->options.count) return diag_fail(d, ERR_INVALID, MANAGER " doesn't support OPTIONS");
    if (r->hashed)
        return diag_fail(
            d, ERR_INVALID,
            "HASHED PASSWORD is not supported by Sluice: it keeps SCRAM verifiers, from "
            "which and into which no bcrypt hash can be made; give the PASSWORD");
    if (r->generated_password)
        return diag_fail(d, ERR_INVALID, "GENERATED PASSWORD is not supported by Sluice yet");
    if (r->cidr_count)
        return diag_fail(d, ERR_INVALID, "ACCESS FROM CIDRS is not supported by Sluice yet");
    for (uint32_t i = 0; i < r->datacenter_count; i++)
        if (!slice_is(r->datacenters[i], cql_options(c->session->cql)->data_center))
            return diag_fail(d, ERR_INVALID,
                             "Invalid value(s) for DATACENTERS '[%.*s]',All values must be valid "
                             "datacenters",
                             SLICE_ARG(r->datacenters[i]));
    return ERR_OK;
}

static struct role_change change_of(const struct cql_role_tree *r)
{
    return (struct role_change){.password = r->has_password ? r->password : (struct slice){0},
                                .login = r->has_login ? r->login : -1,
                                .superuser = r->has_superuser ? r->superuser : -1};
}

/* What the user table says in its own words is the statement's fault. */
static err_t as_invalid(struct cql_call *c, err_t e)
{
    static const err_t faults[] = {ERR_USAGE, ERR_EXISTS, ERR_NOT_FOUND, ERR_UNKNOWN_NAME,
                                   ERR_TOO_BIG};
    for (size_t i = 0; i < COUNT_OF(faults); i++)
        if (e == faults[i]) e = c->diag.err = ERR_INVALID;
    return e;
}

/* --- CREATE, ALTER, DROP
 * --------------------------------------------------------------------------------------------- */

static err_t permit_create(struct cql_call *c)
{
    const struct cql_role_tree *r = c->statement->tree->role;
    err_t e = cql_permit_role(c, (struct slice){0}, PERMIT_CREATE);
    if (!e && r->has_superuser && r->superuser && !roles_session_is_super(c))
        return diag_fail(&c->diag, ERR_FORBIDDEN,
                         "Only superusers can create a role with superuser status");
    return e;
}

static err_t create_role(struct cql_call *c)
{
    const struct cql_statement_tree *t = c->statement->tree;
    struct slice name = t->name.name;
    err_t e = options_check(c, t->role);
    if (e) return e;
    if (name.len == 0)
        return diag_fail(&c->diag, ERR_INVALID, "Role name can't be an empty string");
    e = permit_not_anonymous(c);
    if (e) return e;
    if (roles_exists(c, name)) {
        if (t->if_not_exists) return ERR_OK;
        return diag_fail(&c->diag, ERR_INVALID, "%.*s already exists", SLICE_ARG(name));
    }
    struct role_change change = change_of(t->role);
    e = as_invalid(c, users_role_create(roles_users(c), name, &change, &c->diag));
    struct cql_resource made = {.kind = RESOURCE_ROLE, .name = {.name = name}};
    if (!e) permit_created(c, &made);
    return e;
}

static err_t permit_alter(struct cql_call *c)
{
    const struct cql_statement_tree *t = c->statement->tree;
    const struct cql_role_tree *r = t->role;
    bool super = roles_session_is_super(c);
    if (r->has_superuser && logs_in(c) &&
        users_is_member(roles_users(c), roles_own_name(c), t->name.name))
        return diag_fail(&c->diag, ERR_FORBIDDEN,
                         "You aren't allowed to alter your own superuser status or that of a role "
                         "granted to you");
    if (r->has_superuser && !super)
        return diag_fail(&c->diag, ERR_FORBIDDEN,
                         "Only superusers are allowed to alter superuser status");
    if ((r->datacenter_count || r->access_all_datacenters) && !super)
        return diag_fail(&c->diag, ERR_FORBIDDEN,
                         "Only superusers are allowed to alter access to datacenters.");
    if ((r->cidr_count || r->access_all_cidrs) && !super)
        return diag_fail(&c->diag, ERR_FORBIDDEN,
                         "Only superusers are allowed to alter access from CIDR groups.");
    if (super) return ERR_OK;
    if (!slice_equal(roles_own_name(c), t->name.name))
        return cql_permit_role(c, t->name.name, PERMIT_ALTER);
    if (r->has_login)
        return diag_fail(&c->diag, ERR_FORBIDDEN, "You aren't allowed to alter LOGIN");
    return ERR_OK;
}

static err_t alter_role(struct cql_call *c)
{
    const struct cql_statement_tree *t = c->statement->tree;
    const struct cql_role_tree *r = t->role;
    struct slice name = t->name.name;
    err_t e = options_check(c, r);
    if (e) return e;
    bool access = r->datacenter_count || r->access_all_datacenters || r->access_all_cidrs;
    if (!r->has_password && !r->has_login && !r->has_superuser && !access)
        return diag_fail(&c->diag, ERR_INVALID, "ALTER [ROLE|USER] can't be empty");
    e = permit_not_anonymous(c);
    if (e) return e;
    if (!roles_exists(c, name)) {
        if (t->if_exists) return ERR_OK;
        return diag_fail(&c->diag, ERR_INVALID, "Role %.*s doesn't exist", SLICE_ARG(name));
    }
    struct role_change change = change_of(r);
    return as_invalid(c, users_role_alter(roles_users(c), name, &change, &c->diag));
}

static err_t permit_drop(struct cql_call *c)
{
    struct slice name = c->statement->tree->name.name;
    err_t e = cql_permit_role(c, name, PERMIT_DROP);
    if (!e && roles_is_super(c, name) && !roles_session_is_super(c))
        return diag_fail(&c->diag, ERR_FORBIDDEN,
                         "Only superusers can drop a role with superuser status");
    return e;
}

static err_t drop_role(struct cql_call *c)
{
    const struct cql_statement_tree *t = c->statement->tree;
    struct slice name = t->name.name;
    err_t e = permit_not_anonymous(c);
    if (e) return e;
    bool there = roles_exists(c, name);
    if (!there && !t->if_exists)
        return diag_fail(&c->diag, ERR_INVALID, "%.*s doesn't exist", SLICE_ARG(name));
    if (slice_equal(roles_own_name(c), name))
        return diag_fail(&c->diag, ERR_INVALID, "Cannot DROP primary role for current login");
    return there ? as_invalid(c, users_remove(roles_users(c), name, &c->diag)) : ERR_OK;
}

/* --- GRANT role, REVOKE role
 * ------------------------------------------------------------------------------------------- */

static err_t permit_membership(struct cql_call *c)
{
    return cql_permit_role(c, c->statement->tree->permission->role, PERMIT_AUTHORIZE);
}

static err_t membership(struct cql_call *c)
{
    const struct cql_permission_tree *p = c->statement->tree->permission;
    err_t e = permit_not_anonymous(c);
    if (e) return e;
    struct slice both[] = {p->role, p->to};
    for (size_t i = 0; i < COUNT_OF(both); i++)
        if (!roles_exists(c, both[i]))
            return diag_fail(&c->diag, ERR_INVALID, "%.*s doesn't exist", SLICE_ARG(both[i]));
    return as_invalid(c, users_member_set(roles_users(c), p->role, p->to,
                                          c->statement->kind == CQL_GRANT_ROLE, &c->diag));
}

/* --- GRANT, REVOKE permissions
 * ------------------------------------------------------------------------------------------ */

/* A table without its keyspace is the session's. */
err_t roles_resource(struct cql_call *c, struct cql_resource *out)
{
    *out = c->statement->tree->permission->resource;
    if (out->kind != RESOURCE_TABLE || out->name.keyspace.at) return ERR_OK;
    if (!c->session->keyspace[0])
        return diag_fail(&c->diag, ERR_INVALID,
                         "No keyspace has been specified. USE a keyspace, or explicitly specify "
                         "keyspace.tablename");
    out->name.keyspace = slice_of(c->session->keyspace);
    return ERR_OK;
}

static bool keyspace_exists(const struct cql_call *c, struct slice name)
{
    return store_keyspace_exists(cql_options(c->session->cql)->store, name) ||
           virtual_keyspace_find(c->session->cql, name);
}

bool roles_resource_exists(struct cql_call *c, const struct cql_resource *r)
{
    struct diag unused;
    switch (r->kind) {
    case RESOURCE_TABLE:
        return cql_table(c->session->cql, r->name.keyspace, r->name, &unused) != NULL;
    case RESOURCE_KEYSPACE:
    case RESOURCE_ALL_TABLES:
    case RESOURCE_FUNCTIONS_IN: return keyspace_exists(c, r->name.name);
    case RESOURCE_ROLE: return roles_exists(c, r->name.name);
    case RESOURCE_FUNCTION: return false; /* there are no user functions */
    default: return true;
    }
}

uint32_t roles_wanted_bits(const struct cql_permission_tree *t)
{
    uint32_t bits = 0;
    for (uint32_t i = 0; i < t->permission_count; i++)
        for (enum cql_permission p = 0; p < PERMIT_KINDS; p++)
            if (slice_is(t->permissions[i], permission_name(p))) bits |= 1U << p;
    return bits;
}

/* Of what was written, what such a resource can have: it has to be something. */
static err_t bits_of(struct cql_call *c, const struct cql_resource *r, uint32_t *bits)
{
    const struct cql_permission_tree *t = c->statement->tree->permission;
    *bits = (t->all ? PERMIT_ALL : roles_wanted_bits(t)) & resource_applicable(r);
    if (*bits) return ERR_OK;
    return diag_fail(&c->diag, ERR_SYNTAX,
                     "Resource type %s does not support any of the requested permissions",
                     r->kind <= RESOURCE_TABLE                                   ? "DataResource"
                     : r->kind == RESOURCE_ALL_ROLES || r->kind == RESOURCE_ROLE ? "RoleResource"
                     : r->kind <= RESOURCE_FUNCTION ? "FunctionResource"
                                                    : "JMXResource");
}

static err_t permit_grant(struct cql_call *c)
{
    struct cql_resource r;
    uint32_t bits = 0;
    err_t e = roles_resource(c, &r);
    if (!e) e = bits_of(c, &r, &bits);
    if (!e && logs_in(c)) e = permit_resource(c, &r, PERMIT_AUTHORIZE);
    for (enum cql_permission p = 0; p < PERMIT_KINDS && !e && logs_in(c); p++)
        if (bits & 1U << p) e = permit_resource(c, &r, p);
    return e;
}

static err_t system_check(struct cql_call *c, const struct cql_resource *r, uint32_t bits)
{
    uint32_t fine = 1U << PERMIT_SELECT | 1U << PERMIT_DESCRIBE | 1U << PERMIT_ALTER;
    struct slice k = r->kind == RESOURCE_TABLE ? r->name.keyspace : r->name.name;
    const struct virtual_keyspace *v =
        r->kind == RESOURCE_ALL_KEYSPACES ? NULL : virtual_keyspace_find(c->session->cql, k);
    bool data = r->kind <= RESOURCE_TABLE;
    if (!data || !v || v->place == VIRTUAL_TOPICS || v->place == VIRTUAL_TABLE || !(bits & ~fine))
        return ERR_OK;
    return diag_fail(
        &c->diag, ERR_FORBIDDEN,
        "Granting permissions on system keyspaces is strictly limited, this operation is "
        "not permitted");
}

static void warn_unchanged(struct cql_call *c, const struct cql_resource *r, uint32_t left,
                           bool give)
{
    char names[200], text[RESOURCE_TEXT_MAX];
    struct buf n = buf_over(names, sizeof(names)), b = buf_over(text, sizeof(text));
    for (enum cql_permission p = 0; p < PERMIT_KINDS; p++)
        if (left & 1U << p) buf_printf(&n, "%s%s", n.len ? ", " : "", permission_name(p));
    resource_put(&b, r);
    call_warn(c, "Role '%.*s' was %s granted %.*s on %.*s",
              SLICE_ARG(c->statement->tree->permission->to), give ? "already" : "not",
              SLICE_ARG(buf_view(&n)), SLICE_ARG(buf_view(&b)));
}

static err_t grant(struct cql_call *c)
{
    const struct cql_permission_tree *t = c->statement->tree->permission;
    bool give = c->statement->kind == CQL_GRANT;
    struct cql_resource r;
    uint32_t bits = 0, changed = 0;
    char text[RESOURCE_TEXT_MAX];
    struct buf b = buf_over(text, sizeof(text));
    err_t e = permit_not_anonymous(c);
    if (!e) e = roles_resource(c, &r);
    if (!e) e = bits_of(c, &r, &bits);
    if (e) return e;
    if (!roles_exists(c, t->to))
        return diag_fail(&c->diag, ERR_INVALID, "Role %.*s doesn't exist", SLICE_ARG(t->to));
    if (!roles_resource_exists(c, &r)) {
        resource_put(&b, &r);
        return diag_fail(&c->diag, ERR_INVALID, "Resource %.*s doesn't exist",
                         SLICE_ARG(buf_view(&b)));
    }
    if (give) e = system_check(c, &r, bits);
    if (e) return e;
    resource_put_name(&b, &r);
    e = as_invalid(
        c, users_permit(roles_users(c), t->to, buf_view(&b), bits, give, &changed, &c->diag));
    if (!e && changed != bits && !t->all) warn_unchanged(c, &r, bits & ~changed, give);
    return e;
}

/* --- the family
 * ------------------------------------------------------------------------------------------------------------
 */

static const struct {
    err_t (*permit)(struct cql_call *c), (*run)(struct cql_call *c);
} acts[CQL_KINDS] = {
    [CQL_CREATE_ROLE] = {permit_create, create_role},
    [CQL_ALTER_ROLE] = {permit_alter, alter_role},
    [CQL_DROP_ROLE] = {permit_drop, drop_role},
    [CQL_LIST_ROLES] = {NULL, roles_list},
    [CQL_GRANT_ROLE] = {permit_membership, membership},
    [CQL_REVOKE_ROLE] = {permit_membership, membership},
    [CQL_GRANT] = {permit_grant, grant},
    [CQL_REVOKE] = {permit_grant, grant},
    [CQL_LIST_PERMISSIONS] = {NULL, roles_list_permissions},
};

static err_t roles_prepare(struct cql_preparing *p, const struct cql_statement_tree *t)
{
    (void)p;
    (void)t;
    return ERR_OK;
}

static err_t roles_permit(struct cql_call *c)
{
    return acts[c->statement->kind].permit ? acts[c->statement->kind].permit(c) : ERR_OK;
}

static void roles_work(struct cql_call *c)
{
    c->result.kind = CQL_VOID;
    call_end(c, acts[c->statement->kind].run(c));
}

static void roles_run(struct cql_call *c)
{
    call_to_worker(c, roles_work); /* hashing a password takes milliseconds, keeping it a sync */
}

const struct cql_family cql_roles_family = {
    .name = "roles", .prepare = roles_prepare, .permit = roles_permit, .run = roles_run};
