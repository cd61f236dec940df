/* roles: CREATE, ALTER, DROP ROLE and USER, GRANT, REVOKE, LIST …: the one user table, in
 * Cassandra's words. */
#include "cql/permit.h"
#include "cql/virtual.h"
#include <stdlib.h>

enum { LIST_MAX = 1 << 20, RESOURCE_TEXT_MAX = USERS_RESOURCE_MAX + 64 };

static struct users *users_of(const struct cql_call *c)
{
    return cql_options(c->session->cql)->users;
}

static bool role_exists(const struct cql_call *c, struct slice name)
{
    struct user u;
    return users_of(c) && users_find(users_of(c), name, &u) == ERR_OK;
}

static struct slice own_name(const struct cql_call *c)
{
    return slice_of(c->session->user);
}

/* Is this role, or one it is a member of, an admin? */
static bool is_super_role(const struct cql_call *c, struct slice name)
{
    return users_of(c) && users_allowed(users_of(c), name, NULL, 0).most == ROLE_ADMIN;
}

static bool logs_in(const struct cql_call *c)
{
    const struct cql_options *o = cql_options(c->session->cql);
    return o->login && o->users;
}

static bool session_is_super(struct cql_call *c)
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
    if (!e && r->has_superuser && r->superuser && !session_is_super(c))
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
    if (role_exists(c, name)) {
        if (t->if_not_exists) return ERR_OK;
        return diag_fail(&c->diag, ERR_INVALID, "%.*s already exists", SLICE_ARG(name));
    }
    struct role_change change = change_of(t->role);
    e = as_invalid(c, users_role_create(users_of(c), name, &change, &c->diag));
    struct cql_resource made = {.kind = RESOURCE_ROLE, .name = {.name = name}};
    if (!e) permit_created(c, &made);
    return e;
}

static err_t permit_alter(struct cql_call *c)
{
    const struct cql_statement_tree *t = c->statement->tree;
    const struct cql_role_tree *r = t->role;
    bool super = session_is_super(c);
    if (r->has_superuser && logs_in(c) && users_is_member(users_of(c), own_name(c), t->name.name))
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
    if (!slice_equal(own_name(c), t->name.name))
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
    if (!role_exists(c, name)) {
        if (t->if_exists) return ERR_OK;
        return diag_fail(&c->diag, ERR_INVALID, "Role %.*s doesn't exist", SLICE_ARG(name));
    }
    struct role_change change = change_of(r);
    return as_invalid(c, users_role_alter(users_of(c), name, &change, &c->diag));
}

static err_t permit_drop(struct cql_call *c)
{
    struct slice name = c->statement->tree->name.name;
    err_t e = cql_permit_role(c, name, PERMIT_DROP);
    if (!e && is_super_role(c, name) && !session_is_super(c))
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
    bool there = role_exists(c, name);
    if (!there && !t->if_exists)
        return diag_fail(&c->diag, ERR_INVALID, "%.*s doesn't exist", SLICE_ARG(name));
    if (slice_equal(own_name(c), name))
        return diag_fail(&c->diag, ERR_INVALID, "Cannot DROP primary role for current login");
    return there ? as_invalid(c, users_remove(users_of(c), name, &c->diag)) : ERR_OK;
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
        if (!role_exists(c, both[i]))
            return diag_fail(&c->diag, ERR_INVALID, "%.*s doesn't exist", SLICE_ARG(both[i]));
    return as_invalid(c, users_member_set(users_of(c), p->role, p->to,
                                          c->statement->kind == CQL_GRANT_ROLE, &c->diag));
}

/* --- GRANT, REVOKE permissions
 * ------------------------------------------------------------------------------------------ */

/* A table without its keyspace is the session's. */
static err_t resource_of(struct cql_call *c, struct cql_resource *out)
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

static bool resource_exists(struct cql_call *c, const struct cql_resource *r)
{
    struct diag unused;
    switch (r->kind) {
    case RESOURCE_TABLE:
        return cql_table(c->session->cql, r->name.keyspace, r->name, &unused) != NULL;
    case RESOURCE_KEYSPACE:
    case RESOURCE_ALL_TABLES:
    case RESOURCE_FUNCTIONS_IN: return keyspace_exists(c, r->name.name);
    case RESOURCE_ROLE: return role_exists(c, r->name.name);
    case RESOURCE_FUNCTION: return false; /* there are no user functions */
    default: return true;
    }
}

static uint32_t wanted_bits(const struct cql_permission_tree *t)
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
    *bits = (t->all ? PERMIT_ALL : wanted_bits(t)) & resource_applicable(r);
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
    err_t e = resource_of(c, &r);
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
    if (!e) e = resource_of(c, &r);
    if (!e) e = bits_of(c, &r, &bits);
    if (e) return e;
    if (!role_exists(c, t->to))
        return diag_fail(&c->diag, ERR_INVALID, "Role %.*s doesn't exist", SLICE_ARG(t->to));
    if (!resource_exists(c, &r)) {
        resource_put(&b, &r);
        return diag_fail(&c->diag, ERR_INVALID, "Resource %.*s doesn't exist",
                         SLICE_ARG(buf_view(&b)));
    }
    if (give) e = system_check(c, &r, bits);
    if (e) return e;
    resource_put_name(&b, &r);
    e = as_invalid(c,
                   users_permit(users_of(c), t->to, buf_view(&b), bits, give, &changed, &c->diag));
    if (!e && changed != bits && !t->all) warn_unchanged(c, &r, bits & ~changed, give);
    return e;
}

/* --- results
 * -----------------------------------------------------------------------------------------------------------
 */

static err_t rows_begin(struct cql_call *c, const char *table, const char *const *names,
                        const char *const *types, uint32_t count)
{
    struct cql_column *columns = arena_take(c->arena, count * sizeof(*columns));
    if (!columns) return diag_fail(&c->diag, ERR_NO_MEMORY, "no memory for the result");
    for (uint32_t i = 0; i < count; i++) {
        columns[i] =
            (struct cql_column){SLICE("system_auth"), slice_of(table), slice_of(names[i]), NULL};
        err_t e = type_parse(slice_of(types[i]), c->arena, &columns[i].type, &c->diag);
        if (e) return e;
    }
    c->result.kind = CQL_ROWS;
    c->result.metadata = (struct cql_metadata){.columns = columns, .count = count};
    cql_result_id(&c->result.metadata);
    c->result.metadata_changed = true;
    c->result.rows = buf_make(CQL_RESULT_BYTES_MAX);
    return ERR_OK;
}

static void put_text(struct cql_call *c, const char *text)
{
    size_t len = strlen(text);
    buf_be(&c->result.rows, len, 4);
    buf_put(&c->result.rows, text, len);
}

static void put_bool(struct cql_call *c, bool b)
{
    buf_be(&c->result.rows, 1, 4);
    buf_be(&c->result.rows, b, 1);
}

/* --- LIST ROLES, LIST USERS
 * --------------------------------------------------------------------------------------------- */

static err_t take_user(void *ctx, const struct user *u)
{
    return vec_push(ctx, u);
}

struct direct {
    struct slice member;
    struct vec roles; /* of char [USERS_NAME_MAX + 1] */
};

static err_t take_direct(void *ctx, const char *role, const char *member)
{
    struct direct *d = ctx;
    char name[USERS_NAME_MAX + 1] = "";
    if (!slice_is(d->member, member)) return ERR_OK;
    (void)slice_to_cstr(slice_of(role), name, sizeof(name));
    return vec_push(&d->roles, name);
}

static bool is_direct(const struct direct *d, const char *name)
{
    bool is = slice_is(d->member, name);
    for (size_t i = 0; i < d->roles.count && !is; i++) is = strcmp(vec_at(&d->roles, i), name) == 0;
    return is;
}

static int user_order(const void *a, const void *b)
{
    return strcmp(((const struct user *)a)->name, ((const struct user *)b)->name);
}

/* Whose roles: everyone's (at NULL), or of one. */
static err_t list_whose(struct cql_call *c, struct slice *of, bool *recursive)
{
    const struct cql_permission_tree *p = c->statement->tree->permission;
    struct cql_resource all = {.kind = RESOURCE_ALL_ROLES};
    uint32_t bits = 0;
    *of = p ? p->to : (struct slice){0};
    *recursive = !p || !p->no_recursive;
    err_t e = permit_not_anonymous(c);
    if (e) return e;
    if (of->at && !role_exists(c, *of))
        return diag_fail(&c->diag, ERR_INVALID, "<role %.*s> doesn't exist", SLICE_ARG(*of));
    e = permit_bits(c, &all, &bits);
    if (e || bits & 1U << PERMIT_DESCRIBE) return e;
    if (!of->at) {
        *of = own_name(c);
        if (!p) *recursive = false;
        return ERR_OK;
    }
    if (users_is_member(users_of(c), own_name(c), *of)) return ERR_OK;
    return diag_fail(&c->diag, ERR_FORBIDDEN,
                     "You are not authorized to view roles granted to %.*s ", SLICE_ARG(*of));
}

static err_t put_users(struct cql_call *c, const struct vec *all, const struct direct *d,
                       struct slice of, bool recursive)
{
    bool users = c->statement->tree->list_users;
    for (size_t i = 0; i < all->count; i++) {
        const struct user *u = vec_at(all, i);
        bool in = !of.at || (recursive ? users_is_member(users_of(c), of, slice_of(u->name))
                                       : is_direct(d, u->name));
        if (!in || (users && u->no_login)) continue;
        put_text(c, u->name);
        put_bool(c, users ? is_super_role(c, slice_of(u->name)) : u->role == ROLE_ADMIN);
        if (!users) {
            put_bool(c, !u->no_login);
            buf_be(&c->result.rows, 4, 4); /* options: an empty map */
            buf_be(&c->result.rows, 0, 4);
        }
        put_text(c, "ALL");
        c->result.row_count++;
    }
    return c->result.rows.err;
}

static err_t list_roles(struct cql_call *c)
{
    static const char *const names[] = {"role", "super", "login", "options", "datacenters"};
    static const char *const types[] = {"text", "boolean", "boolean", "map<text, text>", "text"};
    static const char *const user_names[] = {"name", "super", "datacenters"};
    static const char *const user_types[] = {"text", "boolean", "text"};
    struct slice of;
    bool recursive, users = c->statement->tree->list_users;
    err_t e = list_whose(c, &of, &recursive);
    if (e) return e;
    struct vec all = vec_make(sizeof(struct user), USERS_MAX);
    struct direct d = {of, vec_make(USERS_NAME_MAX + 1, USERS_MAX)};
    e = users_each(users_of(c), take_user, &all);
    if (!e) e = users_members(users_of(c), take_direct, &d);
    if (e) (void)diag_fail(&c->diag, e, "the roles can not be listed");
    if (all.count) qsort(all.items, all.count, all.item_size, user_order);
    if (!e)
        e = users ? rows_begin(c, "users", user_names, user_types, COUNT_OF(user_names))
                  : rows_begin(c, "roles", names, types, COUNT_OF(names));
    if (!e) e = put_users(c, &all, &d, of, recursive);
    vec_done(&all);
    vec_done(&d.roles);
    return e;
}

/* --- LIST PERMISSIONS
 * ----------------------------------------------------------------------------------------------------
 */

struct permission_row {
    char role[USERS_NAME_MAX + 1], resource[USERS_RESOURCE_MAX + 1];
    uint32_t bits;
};
struct permissions {
    struct cql_call *call;
    struct slice of; /* at NULL: everyone */
    struct cql_resource chain[4];
    uint32_t chain_count; /* 0: any resource */
    uint32_t bits;
    struct vec rows;
};

static err_t take_permission(void *ctx, const char *role, const char *resource, uint32_t bits)
{
    struct permissions *x = ctx;
    struct permission_row row = {.bits = bits & x->bits};
    bool in = x->chain_count == 0;
    if (!row.bits) return ERR_OK;
    if (x->of.at && !users_is_member(users_of(x->call), x->of, slice_of(role))) return ERR_OK;
    for (uint32_t i = 0; i < x->chain_count && !in; i++) {
        char text[RESOURCE_TEXT_MAX];
        struct buf b = buf_over(text, sizeof(text));
        resource_put_name(&b, &x->chain[i]);
        in = slice_is(buf_view(&b), resource);
    }
    if (!in) return ERR_OK;
    (void)slice_to_cstr(slice_of(role), row.role, sizeof(row.role));
    (void)slice_to_cstr(slice_of(resource), row.resource, sizeof(row.resource));
    return vec_push(&x->rows, &row);
}

/* The level that a user has at the other doors is a permission on all keyspaces. */
static err_t take_level(void *ctx, const struct user *u)
{
    return u->role == ROLE_NONE || u->role == ROLE_ADMIN
               ? ERR_OK
               : take_permission(ctx, u->name, "data", level_bits(u->role));
}

static int permission_order(const void *a, const void *b)
{
    const struct permission_row *x = a, *y = b;
    int order = strcmp(x->role, y->role);
    return order ? order : strcmp(x->resource, y->resource);
}

static err_t put_permissions(struct cql_call *c, struct permissions *x)
{
    static const char *const names[] = {"role", "username", "resource", "permission"};
    static const char *const types[] = {"text", "text", "text", "text"};
    if (!x->rows.count) return ERR_OK; /* as there: no rows are a void result */
    err_t e = rows_begin(c, "permissions", names, types, COUNT_OF(names));
    qsort(x->rows.items, x->rows.count, x->rows.item_size, permission_order);
    for (size_t i = 0; i < x->rows.count && !e; i++) {
        const struct permission_row *row = vec_at(&x->rows, i);
        const struct permission_row *next = i + 1 < x->rows.count ? vec_at(&x->rows, i + 1) : NULL;
        if (next && permission_order(row, next) == 0) { /* its level, and what was granted */
            ((struct permission_row *)(uintptr_t)next)->bits |= row->bits;
            continue;
        }
        struct cql_resource r;
        char text[RESOURCE_TEXT_MAX];
        struct buf b = buf_over(text, sizeof(text));
        if (resource_parse(slice_of(row->resource), &r))
            resource_put(&b, &r);
        else
            buf_text(&b, row->resource);
        buf_char(&b, 0);
        for (enum cql_permission p = 0; p < PERMIT_KINDS; p++) {
            if (!(row->bits & 1U << p)) continue;
            put_text(c, row->role);
            put_text(c, row->role);
            put_text(c, text);
            put_text(c, permission_name(p));
            c->result.row_count++;
        }
        e = c->result.rows.err;
    }
    return e;
}

static err_t may_list(struct cql_call *c, struct slice of)
{
    struct cql_resource r = {.kind = of.at ? RESOURCE_ROLE : RESOURCE_ALL_ROLES,
                             .name = {.name = of}};
    uint32_t bits = 0;
    if (session_is_super(c) || (of.at && users_is_member(users_of(c), own_name(c), of)))
        return ERR_OK;
    err_t e = permit_bits(c, &r, &bits);
    if (e || bits & 1U << PERMIT_DESCRIBE) return e;
    return diag_fail(&c->diag, ERR_FORBIDDEN, "You are not authorized to view %.*s's permissions",
                     of.at ? (int)of.len : 8, of.at ? (const char *)of.at : "everyone");
}

static err_t list_permissions(struct cql_call *c)
{
    const struct cql_permission_tree *t = c->statement->tree->permission;
    struct permissions x = {.call = c, .of = t->to, .bits = t->all ? PERMIT_ALL : wanted_bits(t)};
    err_t e = permit_not_anonymous(c);
    if (!e && t->has_resource) e = resource_of(c, &x.chain[0]);
    if (e) return e;
    if (t->has_resource && !resource_exists(c, &x.chain[0])) {
        char text[RESOURCE_TEXT_MAX];
        struct buf b = buf_over(text, sizeof(text));
        resource_put(&b, &x.chain[0]);
        return diag_fail(&c->diag, ERR_INVALID, "%.*s doesn't exist", SLICE_ARG(buf_view(&b)));
    }
    if (t->to.at && !role_exists(c, t->to))
        return diag_fail(&c->diag, ERR_INVALID, "<role %.*s> doesn't exist", SLICE_ARG(t->to));
    e = may_list(c, t->to);
    if (e) return e;
    x.chain_count = t->has_resource;
    while (t->has_resource && !t->no_recursive && x.chain_count < COUNT_OF(x.chain) &&
           resource_parent(&x.chain[x.chain_count - 1], &x.chain[x.chain_count]))
        x.chain_count++;
    x.rows = vec_make(sizeof(struct permission_row), LIST_MAX);
    e = users_permits(users_of(c), take_permission, &x);
    if (!e) e = users_each(users_of(c), take_level, &x);
    if (e) (void)diag_fail(&c->diag, e, "the permissions can not be listed");
    if (!e) e = put_permissions(c, &x);
    vec_done(&x.rows);
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
    [CQL_LIST_ROLES] = {NULL, list_roles},
    [CQL_GRANT_ROLE] = {permit_membership, membership},
    [CQL_REVOKE_ROLE] = {permit_membership, membership},
    [CQL_GRANT] = {permit_grant, grant},
    [CQL_REVOKE] = {permit_grant, grant},
    [CQL_LIST_PERMISSIONS] = {NULL, list_permissions},
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
