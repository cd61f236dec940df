/* users_act: changes of the table as people word them. */
#include "users/users.h"

err_t users_password(struct users *u, struct slice name, struct slice password, struct diag *d)
{
    const struct role_change c = {
        .password = password.at ? password : SLICE(""), .login = -1, .superuser = -1};
    struct user there;
    if (users_find(u, name, &there))
        return diag_fail(d, ERR_NOT_FOUND, "there is no user '%.*s'", SLICE_ARG(name));
    return users_role_alter(u, name, &c, d);
}

static err_t role_of(struct slice text, enum user_role *out, struct diag *d)
{
    if (role_parse(text, out)) return ERR_OK;
    (void)diag_fail(d, ERR_USAGE, "there is no role '%.*s'", SLICE_ARG(text));
    (void)diag_where(d, "role");
    return diag_hint(d, "admin, op, user or viewer; none: only what CQL's GRANT gives");
}

static err_t add(struct users *u, const struct users_act *a, struct diag *d)
{
    enum user_role role = ROLE_VIEWER;
    err_t e = a->role.at ? role_of(a->role, &role, d) : ERR_OK;
    if (!e) e = users_add(u, a->name, a->password, role, d);
    if (e != ERR_EXISTS) return e;
    return diag_hint(d, "sluice users passwd %.*s changes the password", SLICE_ARG(a->name));
}

static err_t passwd(struct users *u, const struct users_act *a, struct diag *d)
{
    err_t e = users_password(u, a->name, a->password, d);
    if (e != ERR_NOT_FOUND) return e;
    return diag_hint(d, "sluice users add %.*s", SLICE_ARG(a->name));
}

static err_t set_role(struct users *u, const struct users_act *a, struct diag *d)
{
    enum user_role role;
    err_t e = role_of(a->role, &role, d);
    return e ? e : users_set_role(u, a->name, role, d);
}

static err_t take_away(struct users *u, const struct users_act *a, struct diag *d)
{
    return users_remove(u, a->name, d);
}

err_t users_act(struct users *u, const struct users_act *a, struct diag *d)
{
    static const struct {
        const char *what;
        err_t (*run)(struct users *u, const struct users_act *a, struct diag *d);
    } acts[] = {{"add", add}, {"passwd", passwd}, {"role", set_role}, {"remove", take_away}};
    for (size_t i = 0; i < COUNT_OF(acts); i++)
        if (slice_is(a->what, acts[i].what)) return acts[i].run(u, a, d);
    return diag_fail(d, ERR_USAGE, "users can be changed by add, passwd, role and remove");
}
