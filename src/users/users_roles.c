/* users_roles: roles as Cassandra has them: members of others, permissions on resources. */
#include "users/users_int.h"

static const char *const permission_names[USER_PERMISSIONS] = {
    "CREATE",    "ALTER",    "DROP",    "SELECT", "MODIFY",
    "AUTHORIZE", "DESCRIBE", "EXECUTE", "UNMASK", "SELECT_MASKED"};

const char *user_permission_name(enum user_permission p)
{
    return permission_names[p];
}

uint64_t users_version(const struct users *u)
{
    return atomic_load_explicit(&u->version, memory_order_acquire);
}

/* --- making and changing
 * -------------------------------------------------------------------------- */

static err_t change(struct user *user, const struct role_change *c, struct diag *d)
{
    if (c->login >= 0) user->no_login = !c->login;
    if (c->superuser > 0) user->role = ROLE_ADMIN;
    if (c->superuser == 0 && user->role == ROLE_ADMIN) user->role = ROLE_NONE;
    if (!c->password.at) return ERR_OK;
    if (c->password.len < 1 || c->password.len > USERS_PASSWORD_MAX)
        return diag_fail(d, ERR_USAGE, "a password has 1 to %d bytes", USERS_PASSWORD_MAX);
    user->well_known = slice_is(c->password, user->name);
    return users_scram_make(user, c->password)
               ? diag_fail(d, ERR_INTERNAL, "the password can not be hashed")
               : ERR_OK;
}

err_t users_role_create(struct users *u, struct slice name, const struct role_change *c,
                        struct diag *d)
{
    struct user user = {.role = ROLE_NONE, .no_login = true};
    if (!users_name_is_fine(name))
        return diag_fail(d, ERR_USAGE, "a role's name has 1 to %d bytes and no spaces",
                         USERS_NAME_MAX);
    (void)slice_to_cstr(name, user.name, sizeof(user.name));
    err_t e = change(&user, c, d);
    if (e) return e;
    gate_enter(&u->gate);
    e = users_named(u, name) ? diag_fail(d, ERR_EXISTS, "%s already exists", user.name)
                             : users_put(u, &user, d);
    gate_leave(&u->gate);
    return e;
}

err_t users_role_alter(struct users *u, struct slice name, const struct role_change *c,
                       struct diag *d)
{
    struct user user;
    if (users_find(u, name, &user))
        return diag_fail(d, ERR_NOT_FOUND, "Role %.*s doesn't exist", SLICE_ARG(name));
    err_t e = change(&user, c, d); /* hashing takes its time: outside the gate */
    if (e) return e;
    gate_enter(&u->gate);
    const struct user *there = users_named(u, name);
    if (!there)
        e = diag_fail(d, ERR_NOT_FOUND, "Role %.*s doesn't exist", SLICE_ARG(name));
    else if (there->role == ROLE_ADMIN && (user.role != ROLE_ADMIN || user.no_login) &&
             users_admins(u) == 1)
        e = diag_fail(d, ERR_FORBIDDEN, "%s is the last admin", there->name);
    else
        e = users_put(u, &user, d);
    gate_leave(&u->gate);
    return e;
}

/* --- members
 * ---------------------------------------------------------------------------------------- */

/* Walks from `name` to all it is a member of; `seen` holds indexes of the list, breadth first. */
static void closure(struct users *u, struct slice name, struct vec *seen)
{
    const struct user *first = users_named(u, name);
    if (!first) return;
    size_t own = (size_t)(first - (const struct user *)(const void *)u->list.items);
    if (vec_push(seen, &own)) return;
    for (size_t i = 0; i < seen->count; i++) {
        const struct user *at = vec_at(&u->list, *(size_t *)vec_at(seen, i));
        for (size_t k = 0; k < u->members.count; k++) {
            const struct user_member *m = vec_at(&u->members, k);
            if (strcmp(m->member, at->name) != 0) continue;
            const struct user *role = users_named(u, slice_of(m->role));
            bool new = role != NULL;
            size_t place = role ? (size_t)(role - (struct user *)(void *)u->list.items) : 0;
            for (size_t s = 0; s < seen->count && new; s++)
                new = *(size_t *)vec_at(seen, s) != place;
            if (new &&vec_push(seen, &place)) return; /* no memory: less is allowed, never more */
        }
    }
}

bool users_member_of(struct users *u, struct slice member, struct slice role)
{
    struct vec seen = vec_make(sizeof(size_t), USERS_MAX);
    bool is = false;
    closure(u, member, &seen);
    for (size_t i = 0; i < seen.count && !is; i++) {
        const struct user *at = vec_at(&u->list, *(size_t *)vec_at(&seen, i));
        is = slice_is(role, at->name);
    }
    vec_done(&seen);
    return is;
}

bool users_is_member(struct users *u, struct slice member, struct slice role)
{
    gate_enter(&u->gate);
    bool is = users_member_of(u, member, role);
    gate_leave(&u->gate);
    return is;
}

static size_t member_place(const struct users *u, struct slice role, struct slice member)
{
    size_t i = 0;
    for (; i < u->members.count; i++) {
        const struct user_member *m = vec_at(&u->members, i);
        if (slice_is(role, m->role) && slice_is(member, m->member)) break;
    }
    return i;
}

static err_t member_add(struct users *u, struct slice role, struct slice member, struct diag *d)
{
    struct user_member m;
    if (users_member_of(u, member, role))
        return diag_fail(d, ERR_EXISTS, "%.*s is a member of %.*s", SLICE_ARG(member),
                         SLICE_ARG(role));
    if (users_member_of(u, role, member))
        return diag_fail(d, ERR_EXISTS, "%.*s is a member of %.*s", SLICE_ARG(role),
                         SLICE_ARG(member));
    (void)slice_to_cstr(role, m.role, sizeof(m.role));
    (void)slice_to_cstr(member, m.member, sizeof(m.member));
    if (vec_push(&u->members, &m))
        return diag_fail(d, ERR_TOO_BIG, "there are %d memberships: that is the most",
                         USERS_MEMBERS_MAX);
    err_t e = users_save(u, d);
    if (e) vec_remove(&u->members, u->members.count - 1);
    return e;
}

static err_t member_drop(struct users *u, struct slice role, struct slice member, struct diag *d)
{
    size_t at = member_place(u, role, member);
    if (at == u->members.count)
        return diag_fail(d, ERR_NOT_FOUND, "%.*s is not a member of %.*s", SLICE_ARG(member),
                         SLICE_ARG(role));
    struct user_member gone = *(struct user_member *)vec_at(&u->members, at);
    vec_remove(&u->members, at);
    err_t e = users_save(u, d);
    if (e) {
        struct user_member *back = vec_add(&u->members); /* there is room: it was just here */
        INVARIANT(back != NULL);
        *back = gone;
    }
    return e;
}

err_t users_member_set(struct users *u, struct slice role, struct slice member, bool is,
                       struct diag *d)
{
    err_t e;
    gate_enter(&u->gate);
    if (!users_named(u, role))
        e = diag_fail(d, ERR_UNKNOWN_NAME, "%.*s doesn't exist", SLICE_ARG(role));
    else if (!users_named(u, member))
        e = diag_fail(d, ERR_UNKNOWN_NAME, "%.*s doesn't exist", SLICE_ARG(member));
    else
        e = is ? member_add(u, role, member, d) : member_drop(u, role, member, d);
    gate_leave(&u->gate);
    return e;
}

err_t users_members(struct users *u, err_t (*each)(void *ctx, const char *role, const char *member),
                    void *ctx)
{
    err_t e = ERR_OK;
    for (size_t i = 0; !e; i++) {
        struct user_member m;
        gate_enter(&u->gate);
        bool more = i < u->members.count;
        if (more) m = *(struct user_member *)vec_at(&u->members, i);
        gate_leave(&u->gate);
        if (!more) break;
        e = each(ctx, m.role, m.member);
    }
    return e;
}

/* --- permissions
 * -------------------------------------------------------------------------------------- */

static size_t permit_place(const struct users *u, struct slice role, struct slice resource)
{
    size_t i = 0;
    for (; i < u->permits.count; i++) {
        const struct user_permit *p = vec_at(&u->permits, i);
        if (slice_is(role, p->role) && slice_is(resource, p->resource)) break;
    }
    return i;
}

/* Sets the bits of one place; bits 0: the row goes. On a failure all is as it was. */
static err_t permit_put(struct users *u, size_t at, const struct user_permit *now, struct diag *d)
{
    struct user_permit before = {.bits = 0};
    if (at == u->permits.count) {
        if (vec_push(&u->permits, now))
            return diag_fail(d, ERR_TOO_BIG, "there are %d permissions: that is the most",
                             USERS_PERMITS_MAX);
    } else {
        before = *(struct user_permit *)vec_at(&u->permits, at);
        *(struct user_permit *)vec_at(&u->permits, at) = *now;
        if (!now->bits) vec_remove(&u->permits, at);
    }
    err_t e = users_save(u, d);
    if (!e) return ERR_OK;
    if (!before.bits) {
        vec_remove(&u->permits, at);
    } else if (now->bits) {
        *(struct user_permit *)vec_at(&u->permits, at) = before;
    } else {
        struct user_permit *back = vec_add(&u->permits); /* there is room: it was just here */
        INVARIANT(back != NULL);
        *back = before;
    }
    return e;
}

err_t users_permit(struct users *u, struct slice role, struct slice resource, uint32_t bits,
                   bool give, uint32_t *changed, struct diag *d)
{
    struct user_permit now = {.bits = 0};
    err_t e = ERR_OK;
    *changed = 0;
    if (!slice_to_cstr(role, now.role, sizeof(now.role)) ||
        !slice_to_cstr(resource, now.resource, sizeof(now.resource)))
        return diag_fail(d, ERR_TOO_BIG, "the resource's name is longer than %d bytes",
                         USERS_RESOURCE_MAX);
    gate_enter(&u->gate);
    size_t at = permit_place(u, role, resource);
    uint32_t there =
        at < u->permits.count ? ((struct user_permit *)vec_at(&u->permits, at))->bits : 0;
    now.bits = give ? there | bits : there & ~bits;
    if (!users_named(u, role))
        e = diag_fail(d, ERR_NOT_FOUND, "Role %.*s doesn't exist", SLICE_ARG(role));
    else if (now.bits != there)
        e = permit_put(u, at, &now, d);
    gate_leave(&u->gate);
    if (!e) *changed = now.bits ^ there;
    return e;
}

err_t users_permits(struct users *u,
                    err_t (*each)(void *ctx, const char *role, const char *resource, uint32_t bits),
                    void *ctx)
{
    err_t e = ERR_OK;
    for (size_t i = 0; !e; i++) {
        struct user_permit p;
        gate_enter(&u->gate);
        bool more = i < u->permits.count;
        if (more) p = *(struct user_permit *)vec_at(&u->permits, i);
        gate_leave(&u->gate);
        if (!more) break;
        e = each(ctx, p.role, p.resource, p.bits);
    }
    return e;
}

static bool is_below(const char *resource, struct slice top)
{
    size_t len = strlen(resource);
    return len >= top.len && memcmp(resource, top.at, top.len) == 0 &&
           (len == top.len || resource[top.len] == '/');
}

static err_t vec_copy(struct vec *out, const struct vec *from)
{
    *out = vec_make(from->item_size, from->count_max);
    err_t e = ERR_OK;
    for (size_t i = 0; i < from->count && !e; i++) e = vec_push(out, vec_at(from, i));
    return e;
}

err_t users_members_copy(struct vec *out, const struct users *u)
{
    return vec_copy(out, &u->members);
}

err_t users_resource_gone(struct users *u, struct slice resource, struct diag *d)
{
    struct vec before;
    gate_enter(&u->gate);
    err_t e = vec_copy(&before, &u->permits);
    if (e) (void)diag_fail(d, e, "no memory to forget the permissions");
    for (size_t i = u->permits.count; i-- > 0 && !e;)
        if (is_below(((struct user_permit *)vec_at(&u->permits, i))->resource, resource))
            vec_remove(&u->permits, i);
    bool changed = !e && before.count != u->permits.count;
    if (changed) e = users_save(u, d);
    if (changed && e) {
        vec_done(&u->permits);
        u->permits = before;
    } else {
        vec_done(&before);
    }
    gate_leave(&u->gate);
    return e;
}

err_t users_leave(struct users *u, struct slice name, struct users_left *before)
{
    char resource[USERS_NAME_MAX + 8] = "roles/";
    err_t e = vec_copy(&before->members, &u->members);
    if (!e) e = vec_copy(&before->permits, &u->permits);
    if (e) {
        vec_done(&before->members);
        return e;
    }
    (void)slice_to_cstr(name, resource + 6, sizeof(resource) - 6);
    for (size_t i = u->members.count; i-- > 0;) {
        const struct user_member *m = vec_at(&u->members, i);
        if (slice_is(name, m->role) || slice_is(name, m->member)) vec_remove(&u->members, i);
    }
    for (size_t i = u->permits.count; i-- > 0;) {
        const struct user_permit *p = vec_at(&u->permits, i);
        if (slice_is(name, p->role) || strcmp(p->resource, resource) == 0)
            vec_remove(&u->permits, i);
    }
    return ERR_OK;
}

void users_unleave(struct users *u, struct users_left *before, bool put_back)
{
    vec_done(put_back ? &u->members : &before->members);
    vec_done(put_back ? &u->permits : &before->permits);
    if (!put_back) return;
    u->members = before->members;
    u->permits = before->permits;
}

struct user_allowed users_allowed(struct users *u, struct slice name, const struct slice *resources,
                                  uint32_t count)
{
    struct user_allowed out = {.most = ROLE_NONE};
    struct vec seen = vec_make(sizeof(size_t), USERS_MAX);
    gate_enter(&u->gate);
    const struct user *own = users_named(u, name);
    out.known = own != NULL;
    out.login = own && !own->no_login;
    closure(u, name, &seen);
    for (size_t i = 0; i < seen.count; i++) {
        const struct user *at = vec_at(&u->list, *(size_t *)vec_at(&seen, i));
        if (at->role > out.most) out.most = at->role;
        for (uint32_t r = 0; r < count; r++) {
            size_t place = permit_place(u, slice_of(at->name), resources[r]);
            if (place < u->permits.count)
                out.bits |= ((struct user_permit *)vec_at(&u->permits, place))->bits;
        }
    }
    gate_leave(&u->gate);
    vec_done(&seen);
    return out;
}
