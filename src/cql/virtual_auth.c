/* virtual_auth: keyspace system_auth, out of the one user table. Passwords are never shown. */
#include "cql/virtual.h"

enum { ROWS_MAX = 1 << 20 };

static struct users *users_of(const struct virtual_rows *v)
{
    return cql_options(v->cql)->users;
}

/* Memberships, gathered so that each role's can be said with it. */
struct pair {
    struct slice role, other;
};
struct pairs {
    struct arena *arena;
    struct vec list;
};

static err_t pair_take(void *ctx, const char *role, const char *member)
{
    struct pairs *p = ctx;
    struct pair one = {arena_slice(p->arena, slice_of(role)),
                       arena_slice(p->arena, slice_of(member))};
    if (!one.role.at || !one.other.at) return ERR_TOO_BIG;
    return vec_push(&p->list, &one);
}

struct roles_said {
    struct virtual_rows *v;
    struct pairs pairs;
};

static err_t say_role(void *ctx, const struct user *u)
{
    struct roles_said *s = ctx;
    struct virtual_rows *v = s->v;
    struct slice name = slice_of(u->name);
    uint32_t count = 0;
    struct slice *of = arena_take(v->arena, (s->pairs.list.count + 1) * sizeof(*of));
    if (!of) return ERR_TOO_BIG;
    for (size_t i = 0; i < s->pairs.list.count; i++) {
        const struct pair *p = vec_at(&s->pairs.list, i);
        if (!slice_equal(p->other, name)) continue;
        uint32_t at = count++;
        for (; at > 0 && slice_compare(p->role, of[at - 1]) < 0; at--) of[at] = of[at - 1];
        of[at] = p->role;
    }
    if (!virtual_wanted(v, name)) return ERR_OK;
    virtual_bytes(v, name);
    virtual_bool(v, !u->no_login);
    virtual_bool(v, u->role == ROLE_ADMIN);
    if (count)
        virtual_list(v, of, count);
    else
        virtual_null(v, 1);
    virtual_null(v,
                 1); /* salted_hash: there is none, only SCRAM verifiers, which nobody may read */
    virtual_end(v);
    return v->err;
}

void fill_roles(struct virtual_rows *v)
{
    if (!users_of(v)) return;
    struct roles_said s = {v, {v->arena, vec_make(sizeof(struct pair), ROWS_MAX)}};
    err_t e = users_members(users_of(v), pair_take, &s.pairs);
    if (!e) e = users_each(users_of(v), say_role, &s);
    vec_done(&s.pairs.list);
    if (e && !v->err) v->err = e;
}

static err_t say_member(void *ctx, const char *role, const char *member)
{
    struct virtual_rows *v = ctx;
    virtual_text(v, role);
    virtual_text(v, member);
    virtual_end(v);
    return v->err;
}

void fill_role_members(struct virtual_rows *v)
{
    if (!users_of(v)) return;
    err_t e = users_members(users_of(v), say_member, v);
    if (e && !v->err) v->err = e;
}

static err_t say_permits(void *ctx, const char *role, const char *resource, uint32_t bits)
{
    struct virtual_rows *v = ctx;
    struct slice names[USER_PERMISSIONS];
    uint32_t count = 0;
    for (enum user_permission p = 0; p < USER_PERMISSIONS; p++) {
        if (!(bits & 1U << p)) continue;
        struct slice name = slice_of(user_permission_name(p));
        uint32_t at = count++;
        for (; at > 0 && slice_compare(name, names[at - 1]) < 0; at--) names[at] = names[at - 1];
        names[at] = name;
    }
    virtual_text(v, role);
    virtual_text(v, resource);
    virtual_list(v, names, count);
    virtual_end(v);
    return v->err;
}

void fill_role_permissions(struct virtual_rows *v)
{
    if (!users_of(v)) return;
    err_t e = users_permits(users_of(v), say_permits, v);
    if (e && !v->err) v->err = e;
}

static err_t say_resource(void *ctx, const char *role, const char *resource, uint32_t bits)
{
    struct virtual_rows *v = ctx;
    (void)bits;
    virtual_text(v, resource);
    virtual_text(v, role);
    virtual_end(v);
    return v->err;
}

void fill_resource_roles(struct virtual_rows *v)
{
    if (!users_of(v)) return;
    err_t e = users_permits(users_of(v), say_resource, v);
    if (e && !v->err) v->err = e;
}
