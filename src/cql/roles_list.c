/* roles_list: LIST ROLES, LIST USERS, LIST PERMISSIONS. */
#include "cql/roles.h"
#include <stdlib.h>

enum { LIST_MAX = 1 << 20 };

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
    if (of->at && !roles_exists(c, *of))
        return diag_fail(&c->diag, ERR_INVALID, "<role %.*s> doesn't exist", SLICE_ARG(*of));
    e = permit_bits(c, &all, &bits);
    if (e || bits & 1U << PERMIT_DESCRIBE) return e;
    if (!of->at) {
        *of = roles_own_name(c);
        if (!p) *recursive = false;
        return ERR_OK;
    }
    if (users_is_member(roles_users(c), roles_own_name(c), *of)) return ERR_OK;
    return diag_fail(&c->diag, ERR_FORBIDDEN,
                     "You are not authorized to view roles granted to %.*s ", SLICE_ARG(*of));
}

static err_t put_users(struct cql_call *c, const struct vec *all, const struct direct *d,
                       struct slice of, bool recursive)
{
    bool users = c->statement->tree->list_users;
    for (size_t i = 0; i < all->count; i++) {
        const struct user *u = vec_at(all, i);
        bool in = !of.at || (recursive ? users_is_member(roles_users(c), of, slice_of(u->name))
                                       : is_direct(d, u->name));
        if (!in || (users && u->no_login)) continue;
        put_text(c, u->name);
        put_bool(c, users ? roles_is_super(c, slice_of(u->name)) : u->role == ROLE_ADMIN);
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

err_t roles_list(struct cql_call *c)
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
    e = users_each(roles_users(c), take_user, &all);
    if (!e) e = users_members(roles_users(c), take_direct, &d);
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
    if (x->of.at && !users_is_member(roles_users(x->call), x->of, slice_of(role))) return ERR_OK;
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
    if (roles_session_is_super(c) ||
        (of.at && users_is_member(roles_users(c), roles_own_name(c), of)))
        return ERR_OK;
    err_t e = permit_bits(c, &r, &bits);
    if (e || bits & 1U << PERMIT_DESCRIBE) return e;
    return diag_fail(&c->diag, ERR_FORBIDDEN, "You are not authorized to view %.*s's permissions",
                     of.at ? (int)of.len : 8, of.at ? (const char *)of.at : "everyone");
}

err_t roles_list_permissions(struct cql_call *c)
{
    const struct cql_permission_tree *t = c->statement->tree->permission;
    struct permissions x = {
        .call = c, .of = t->to, .bits = t->all ? PERMIT_ALL : roles_wanted_bits(t)};
    err_t e = permit_not_anonymous(c);
    if (!e && t->has_resource) e = roles_resource(c, &x.chain[0]);
    if (e) return e;
    if (t->has_resource && !roles_resource_exists(c, &x.chain[0])) {
        char text[RESOURCE_TEXT_MAX];
        struct buf b = buf_over(text, sizeof(text));
        resource_put(&b, &x.chain[0]);
        return diag_fail(&c->diag, ERR_INVALID, "%.*s doesn't exist", SLICE_ARG(buf_view(&b)));
    }
    if (t->to.at && !roles_exists(c, t->to))
        return diag_fail(&c->diag, ERR_INVALID, "<role %.*s> doesn't exist", SLICE_ARG(t->to));
    e = may_list(c, t->to);
    if (e) return e;
    x.chain_count = t->has_resource;
    while (t->has_resource && !t->no_recursive && x.chain_count < COUNT_OF(x.chain) &&
           resource_parent(&x.chain[x.chain_count - 1], &x.chain[x.chain_count]))
        x.chain_count++;
    x.rows = vec_make(sizeof(struct permission_row), LIST_MAX);
    e = users_permits(roles_users(c), take_permission, &x);
    if (!e) e = users_each(roles_users(c), take_level, &x);
    if (e) (void)diag_fail(&c->diag, e, "the permissions can not be listed");
    if (!e) e = put_permissions(c, &x);
    vec_done(&x.rows);
    return e;
}
