/* users_change: several things of one user at once: all of them, or none. */
#include "users/users_int.h"

bool user_is_group(const struct user *u)
{
    return u->no_login && !u->scram[SCRAM_SHA_256].iterations &&
           !u->scram[SCRAM_SHA_512].iterations;
}

static err_t check(struct slice name, const struct user_change *c, struct diag *d)
{
    if (!users_name_is_fine(name))
        return diag_fail(d, ERR_USAGE, "a user's name has 1 to %d bytes and no spaces",
                         USERS_NAME_MAX);
    if (c->password.at && (c->password.len < 1 || c->password.len > USERS_PASSWORD_MAX))
        return diag_fail(d, ERR_USAGE, "a password has 1 to %d bytes", USERS_PASSWORD_MAX);
    return ERR_OK;
}

static bool email_is_taken(const struct users *u, const struct user_about *about, struct slice name)
{
    for (size_t i = 0; i < u->list.count && about && about->email[0]; i++) {
        const struct user *other = vec_at(&u->list, i);
        if (strcmp(other->about.email, about->email) == 0 && !slice_is(name, other->name))
            return true;
    }
    return false;
}

/* The user as he is to be; `hashed` has the new password's verifiers. */
static err_t make(struct users *u, struct slice name, const struct user_change *c,
                  const struct user *hashed, struct user *out, struct diag *d)
{
    const struct user *there = users_named(u, name);
    *out = (struct user){.role = ROLE_NONE};
    (void)slice_to_cstr(name, out->name, sizeof(out->name));
    if (there && c->add) return diag_fail(d, ERR_EXISTS, "there is a user '%s' already", out->name);
    if (!there && !c->add) return diag_fail(d, ERR_NOT_FOUND, "there is no user '%s'", out->name);
    if (email_is_taken(u, c->about, name))
        return diag_fail(d, ERR_EXISTS, "The email `%s` is already taken.", c->about->email);
    if (there) *out = *there;
    if (c->about) out->about = *c->about;
    if (c->role >= 0) out->role = (enum user_role)c->role;
    if (c->password.at) {
        memcpy(out->scram, hashed->scram, sizeof(out->scram));
        out->well_known = slice_equal(name, c->password);
    }
    if (there && there->role == ROLE_ADMIN && out->role != ROLE_ADMIN && users_admins(u) == 1)
        return diag_fail(d, ERR_FORBIDDEN, "%s is the last admin", out->name);
    return ERR_OK;
}

/* In place of his memberships before; the user is in the table already. */
static err_t join(struct users *u, struct slice name, const struct user_change *c, struct diag *d)
{
    for (size_t i = u->members.count; i-- > 0;)
        if (slice_is(name, ((struct user_member *)vec_at(&u->members, i))->member))
            vec_remove(&u->members, i);
    for (uint32_t i = 0; i < c->member_count; i++) {
        struct user_member m;
        struct slice role = c->member_of[i];
        if (!users_named(u, role))
            return diag_fail(d, ERR_UNKNOWN_NAME, "%.*s doesn't exist", SLICE_ARG(role));
        if (users_member_of(u, role, name))
            return diag_fail(d, ERR_EXISTS, "%.*s is a member of %.*s", SLICE_ARG(role),
                             SLICE_ARG(name));
        (void)slice_to_cstr(role, m.role, sizeof(m.role));
        (void)slice_to_cstr(name, m.member, sizeof(m.member));
        if (vec_push(&u->members, &m))
            return diag_fail(d, ERR_TOO_BIG, "there are %d memberships: that is the most",
                             USERS_MEMBERS_MAX);
    }
    return ERR_OK;
}

/* Memberships first, since putting the user writes the file. */
static err_t put(struct users *u, const struct user *user, const struct user_change *c,
                 struct diag *d)
{
    struct vec before;
    struct slice name = slice_of(user->name);
    bool fresh = !users_named(u, name);
    if (!c->member_of) return users_put(u, user, d);
    err_t e = users_members_copy(&before, u);
    if (!e && fresh) e = vec_push(&u->list, user);
    if (e) {
        vec_done(&before);
        return diag_fail(d, e, "there is no room for another user: %d is the most", USERS_MAX);
    }
    e = join(u, name, c, d);
    if (!e) e = users_put(u, user, d);
    if (e && fresh) vec_remove(&u->list, u->list.count - 1);
    vec_done(e ? &u->members : &before);
    if (e) u->members = before;
    return e;
}

err_t users_change(struct users *u, struct slice name, const struct user_change *c, struct diag *d)
{
    struct user hashed = {.name = ""}, user;
    err_t e = check(name, c, d);
    if (e) return e;
    if (c->password.at && users_scram_make(&hashed, c->password))
        return diag_fail(d, ERR_INTERNAL, "the password can not be hashed");
    gate_enter(&u->gate);
    e = make(u, name, c, &hashed, &user, d);
    if (!e) e = put(u, &user, c, d);
    gate_leave(&u->gate);
    return e;
}
