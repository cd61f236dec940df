/* permit: who may do what. A session remembers what its user may on the table it looked at last,
 * for one version of the user table: then, and for superusers, asking is a comparison. */
#include "cql/permit.h"
#include "base/say.h"
#include "cql/virtual.h"

static const char *const names[PERMIT_KINDS] = {
    [PERMIT_CREATE] = "CREATE",     [PERMIT_ALTER] = "ALTER",
    [PERMIT_DROP] = "DROP",         [PERMIT_SELECT] = "SELECT",
    [PERMIT_MODIFY] = "MODIFY",     [PERMIT_AUTHORIZE] = "AUTHORIZE",
    [PERMIT_DESCRIBE] = "DESCRIBE", [PERMIT_EXECUTE] = "EXECUTE",
    [PERMIT_UNMASK] = "UNMASK",     [PERMIT_SELECT_MASKED] = "SELECT_MASKED"};
_Static_assert((int)PERMIT_KINDS == (int)USER_PERMISSIONS &&
                   (int)PERMIT_SELECT_MASKED == (int)USER_SELECT_MASKED,
               "CQL's permissions are the user table's, in one order");
enum { RESOURCE_TEXT_MAX = USERS_RESOURCE_MAX + 64, CHAIN_MAX = 4 };

const char *permission_name(enum cql_permission p)
{
    return names[p];
}

uint32_t level_bits(enum user_role level)
{
    static const uint32_t bits[] = {[ROLE_NONE] = 0,
                                    [ROLE_VIEWER] = 1 << PERMIT_SELECT,
                                    [ROLE_USER] = 1 << PERMIT_SELECT | 1 << PERMIT_MODIFY,
                                    [ROLE_OP] = 1 << PERMIT_SELECT | 1 << PERMIT_MODIFY |
                                                1 << PERMIT_CREATE | 1 << PERMIT_ALTER |
                                                1 << PERMIT_DROP,
                                    [ROLE_ADMIN] = PERMIT_ALL};
    return bits[level];
}

/* --- resources
 * --------------------------------------------------------------------------------------- */

static const struct {
    const char *said, *named; /* %1: keyspace, %2: name */
} kinds[] = {
    [RESOURCE_ALL_KEYSPACES] = {"<all keyspaces>", "data"},
    [RESOURCE_KEYSPACE] = {"<keyspace %2>", "data/%2"},
    [RESOURCE_ALL_TABLES] = {"<all tables in %2>", "data/%2/*"},
    [RESOURCE_TABLE] = {"<table %1.%2>", "data/%1/%2"},
    [RESOURCE_ALL_ROLES] = {"<all roles>", "roles"},
    [RESOURCE_ROLE] = {"<role %2>", "roles/%2"},
    [RESOURCE_ALL_FUNCTIONS] = {"<all functions>", "functions"},
    [RESOURCE_FUNCTIONS_IN] = {"<all functions in %2>", "functions/%2"},
    [RESOURCE_FUNCTION] = {"<function %1.%2>", "functions/%1/%2"},
    [RESOURCE_ALL_MBEANS] = {"<all mbeans>", "mbean"},
    [RESOURCE_MBEANS] = {"<mbean %2>", "mbean/%2"},
    [RESOURCE_MBEAN] = {"<mbean %2>", "mbean/%2"},
};

static void put_pattern(struct buf *out, const char *pattern, const struct cql_resource *r)
{
    for (const char *p = pattern; *p; p++) {
        if (*p != '%') {
            buf_char(out, *p);
            continue;
        }
        p++;
        buf_slice(out, *p == '1' ? r->name.keyspace : r->name.name);
    }
}

void resource_put(struct buf *out, const struct cql_resource *r)
{
    put_pattern(out, kinds[r->kind].said, r);
}

void resource_put_name(struct buf *out, const struct cql_resource *r)
{
    put_pattern(out, kinds[r->kind].named, r);
}

bool resource_parse(struct slice name, struct cql_resource *out)
{
    struct slice parts[3] = {0};
    uint32_t count = 0;
    while (count < 3) {
        const uint8_t *slash = count < 2 ? memchr(name.at, '/', name.len) : NULL;
        uint32_t len = slash ? (uint32_t)(slash - name.at) : name.len;
        parts[count++] = slice_make(name.at, len);
        if (!slash) break;
        name = slice_make(slash + 1, name.len - len - 1);
    }
    *out = (struct cql_resource){.name = {.name = parts[1]}};
    if (slice_is(parts[0], "data")) {
        bool all = count == 3 && slice_is(parts[2], "*");
        out->kind = count == 1   ? RESOURCE_ALL_KEYSPACES
                    : count == 2 ? RESOURCE_KEYSPACE
                    : all        ? RESOURCE_ALL_TABLES
                                 : RESOURCE_TABLE;
        if (count == 3 && !all) out->name = (struct cql_name){parts[1], parts[2]};
        return true;
    }
    if (slice_is(parts[0], "roles")) {
        out->kind = count == 1 ? RESOURCE_ALL_ROLES : RESOURCE_ROLE;
        return true;
    }
    if (!slice_is(parts[0], "functions")) return false;
    out->kind = count == 1   ? RESOURCE_ALL_FUNCTIONS
                : count == 2 ? RESOURCE_FUNCTIONS_IN
                             : RESOURCE_FUNCTION;
    if (count == 3) out->name = (struct cql_name){parts[1], parts[2]};
    return true;
}

bool resource_parent(const struct cql_resource *r, struct cql_resource *out)
{
    *out = (struct cql_resource){.kind = r->kind};
    switch (r->kind) {
    case RESOURCE_TABLE:
        out->kind = RESOURCE_ALL_TABLES;
        out->name.name = r->name.keyspace;
        return true;
    case RESOURCE_ALL_TABLES:
        out->kind = RESOURCE_KEYSPACE;
        out->name = r->name;
        return true;
    case RESOURCE_KEYSPACE: out->kind = RESOURCE_ALL_KEYSPACES; return true;
    case RESOURCE_ROLE: out->kind = RESOURCE_ALL_ROLES; return true;
    case RESOURCE_FUNCTION:
        out->kind = RESOURCE_FUNCTIONS_IN;
        out->name.name = r->name.keyspace;
        return true;
    case RESOURCE_FUNCTIONS_IN: out->kind = RESOURCE_ALL_FUNCTIONS; return true;
    case RESOURCE_MBEAN:
    case RESOURCE_MBEANS: out->kind = RESOURCE_ALL_MBEANS; return true;
    default: return false;
    }
}

uint32_t resource_applicable(const struct cql_resource *r)
{
    static const uint32_t data = 1 << PERMIT_CREATE | 1 << PERMIT_ALTER | 1 << PERMIT_DROP |
                                 1 << PERMIT_SELECT | 1 << PERMIT_MODIFY | 1 << PERMIT_AUTHORIZE |
                                 1 << PERMIT_UNMASK | 1 << PERMIT_SELECT_MASKED;
    static const uint32_t role =
        1 << PERMIT_ALTER | 1 << PERMIT_DROP | 1 << PERMIT_AUTHORIZE | 1 << PERMIT_DESCRIBE;
    static const uint32_t function =
        1 << PERMIT_ALTER | 1 << PERMIT_DROP | 1 << PERMIT_AUTHORIZE | 1 << PERMIT_EXECUTE;
    switch (r->kind) {
    case RESOURCE_ALL_KEYSPACES:
    case RESOURCE_KEYSPACE:
    case RESOURCE_ALL_TABLES: return data;
    case RESOURCE_TABLE: return data & ~(1U << PERMIT_CREATE);
    case RESOURCE_ALL_ROLES: return role | 1 << PERMIT_CREATE;
    case RESOURCE_ROLE: return role;
    case RESOURCE_ALL_FUNCTIONS:
    case RESOURCE_FUNCTIONS_IN: return function | 1 << PERMIT_CREATE;
    case RESOURCE_FUNCTION: return function;
    default: /* mbeans */
        return 1 << PERMIT_AUTHORIZE | 1 << PERMIT_DESCRIBE | 1 << PERMIT_EXECUTE |
               1 << PERMIT_MODIFY | 1 << PERMIT_SELECT;
    }
}

/* --- what holds whoever asks
 * --------------------------------------------------------------------------- */

static struct slice keyspace_of(const struct cql_resource *r)
{
    if (r->kind == RESOURCE_TABLE) return r->name.keyspace;
    return r->kind == RESOURCE_KEYSPACE || r->kind == RESOURCE_ALL_TABLES ? r->name.name
                                                                          : (struct slice){0};
}

static err_t refuse_system(struct cql_call *c, const struct cql_resource *r, enum cql_permission p,
                           const struct virtual_keyspace *v)
{
    char text[RESOURCE_TEXT_MAX];
    struct buf b = buf_over(text, sizeof(text));
    if (p != PERMIT_CREATE && p != PERMIT_ALTER && p != PERMIT_DROP) return ERR_OK;
    if (v->place != VIRTUAL_REPLICATED)
        return diag_fail(&c->diag, ERR_FORBIDDEN, "%s keyspace is not user-modifiable.", v->name);
    if (p == PERMIT_ALTER && r->kind == RESOURCE_KEYSPACE) return ERR_OK;
    resource_put(&b, r);
    return diag_fail(&c->diag, ERR_FORBIDDEN, "Cannot %s %.*s", names[p], SLICE_ARG(buf_view(&b)));
}

/* What drivers and tools must always be able to read. */
static bool always_readable(const struct cql_resource *r)
{
    static const char *const local[] = {"local", "peers", "peers_v2", "size_estimates",
                                        "table_estimates"};
    if (r->kind != RESOURCE_TABLE) return false;
    struct slice k = r->name.keyspace;
    if (slice_is(k, "system_schema") || slice_is(k, "system_traces") ||
        slice_is(k, "system_virtual_schema"))
        return true;
    for (size_t i = 0; i < COUNT_OF(local); i++)
        if (slice_is(k, "system") && slice_is(r->name.name, local[i])) return true;
    return false;
}

/* --- the session's user
 * ---------------------------------------------------------------------------------- */

static bool everyone_may(const struct cql_call *c)
{
    const struct cql_options *o = cql_options(c->session->cql);
    return c->session->trusted || !o->login || !o->users;
}

/* Looks the user up anew when the table of users has changed. */
static err_t refresh(struct cql_call *c)
{
    struct cql_session *s = c->session;
    struct users *u = cql_options(s->cql)->users;
    uint64_t version = users_version(u) + 1; /* never 0, which is: not looked up yet */
    if (s->permit_version == version) return ERR_OK;
    struct user_allowed now = users_allowed(u, slice_of(s->user), NULL, 0);
    s->superuser = now.known && now.most == ROLE_ADMIN;
    s->permit_table = NULL;
    s->permit_version = version;
    return ERR_OK;
}

bool permit_is_superuser(struct cql_call *c)
{
    if (everyone_may(c)) return true;
    return refresh(c) == ERR_OK && c->session->superuser;
}

err_t permit_not_anonymous(struct cql_call *c)
{
    bool owner = c->session->trusted && cql_options(c->session->cql)->users;
    if (owner || (!everyone_may(c) && c->session->user[0])) return ERR_OK;
    return diag_fail(&c->diag, ERR_FORBIDDEN,
                     "You have to be logged in and not anonymous to perform this request");
}

err_t permit_bits(struct cql_call *c, const struct cql_resource *r, uint32_t *bits)
{
    char room[CHAIN_MAX][RESOURCE_TEXT_MAX];
    struct slice chain[CHAIN_MAX];
    uint32_t count = 0;
    struct cql_resource at = *r;
    /* permissions on all keyspaces do not reach into the system's */
    const struct virtual_keyspace *v = virtual_keyspace_find(c->session->cql, keyspace_of(r));
    bool whole = !v || v->place == VIRTUAL_TOPICS;
    for (bool more = true; more;) {
        if (at.kind == RESOURCE_ALL_KEYSPACES && !whole) break;
        INVARIANT(count < CHAIN_MAX);
        struct buf b = buf_over(room[count], sizeof(room[count]));
        resource_put_name(&b, &at);
        if (b.err) return diag_fail(&c->diag, ERR_TOO_BIG, "the resource's name is too long");
        chain[count++] = buf_view(&b);
        struct cql_resource parent;
        more = resource_parent(&at, &parent);
        at = parent;
    }
    struct user_allowed a = users_allowed(cql_options(c->session->cql)->users,
                                          slice_of(c->session->user), chain, count);
    *bits = a.bits;
    bool data = r->kind <= RESOURCE_TABLE;
    if (a.most == ROLE_ADMIN || (data && whole)) *bits |= level_bits(a.most);
    return ERR_OK;
}

static err_t refuse(struct cql_call *c, const struct cql_resource *r, enum cql_permission p)
{
    char text[RESOURCE_TEXT_MAX];
    struct buf b = buf_over(text, sizeof(text));
    resource_put(&b, r);
    return diag_fail(
        &c->diag, ERR_FORBIDDEN, "User %s has no %s permission on %.*s or any of its parents",
        c->session->user[0] ? c->session->user : "anonymous", names[p], SLICE_ARG(buf_view(&b)));
}

err_t permit_resource(struct cql_call *c, const struct cql_resource *r, enum cql_permission p)
{
    uint32_t bits = 0;
    struct slice keyspace = keyspace_of(r);
    const struct virtual_keyspace *v =
        keyspace.at ? virtual_keyspace_find(c->session->cql, keyspace) : NULL;
    err_t e = v ? refuse_system(c, r, p, v) : ERR_OK;
    if (e || everyone_may(c)) return e;
    if (p == PERMIT_SELECT && always_readable(r)) return ERR_OK;
    e = refresh(c);
    if (e || c->session->superuser) return e;
    e = permit_bits(c, r, &bits);
    if (e) return e;
    return bits & 1U << p ? ERR_OK : refuse(c, r, p);
}

/* --- what statements ask
 * --------------------------------------------------------------------------------- */

err_t cql_permit_table(struct cql_call *c, const struct store_table *t, enum cql_permission p)
{
    struct cql_session *s = c->session;
    struct cql_resource r = {.kind = RESOURCE_TABLE, .name = {t->keyspace, t->name}};
    if (t->prefix == 0) return permit_resource(c, &r, p); /* the system's have rules of their own */
    if (everyone_may(c)) return ERR_OK;
    err_t e = refresh(c);
    if (e || s->superuser) return e;
    if (s->permit_table != t) {
        e = permit_bits(c, &r, &s->permit_bits);
        if (e) return e;
        s->permit_table = t;
    }
    return s->permit_bits & 1U << p ? ERR_OK : refuse(c, &r, p);
}

err_t cql_permit_role(struct cql_call *c, struct slice role, enum cql_permission p)
{
    struct cql_resource r = {.kind = role.at ? RESOURCE_ROLE : RESOURCE_ALL_ROLES,
                             .name = {.name = role}};
    err_t e = permit_resource(c, &r, p);
    if (e != ERR_FORBIDDEN) return e;
    return diag_fail(&c->diag, ERR_FORBIDDEN,
                     "User %s does not have sufficient privileges to perform the requested "
                     "operation",
                     c->session->user);
}

void permit_created(struct cql_call *c, const struct cql_resource *r)
{
    char text[RESOURCE_TEXT_MAX];
    struct buf b = buf_over(text, sizeof(text));
    struct diag d;
    uint32_t changed;
    if (everyone_may(c) || !c->session->user[0]) return;
    resource_put_name(&b, r);
    err_t e = b.err ? b.err
                    : users_permit(cql_options(c->session->cql)->users, slice_of(c->session->user),
                                   buf_view(&b), resource_applicable(r), true, &changed, &d);
    if (e)
        say_warn(SAY_DOOR, "its maker has no permissions on what was made", "resource=%.*s",
                 SLICE_ARG(buf_view(&b)));
}

void permit_dropped(struct cql_call *c, const struct cql_resource *r)
{
    char text[RESOURCE_TEXT_MAX];
    struct buf b = buf_over(text, sizeof(text));
    struct diag d;
    struct users *u = cql_options(c->session->cql)->users;
    if (!u) return;
    resource_put_name(&b, r);
    err_t e = b.err ? b.err : users_resource_gone(u, buf_view(&b), &d);
    if (e)
        say_warn(SAY_DOOR, "permissions on what was dropped stay", "resource=%.*s",
                 SLICE_ARG(buf_view(&b)));
}

/* --- logging in
 * ------------------------------------------------------------------------------------------- */

bool cql_login_wanted(const struct cql *c)
{
    const struct cql_options *o = cql_options(c);
    return o->login && o->users;
}

err_t cql_login(struct cql_session *s, struct slice name, struct slice password, struct diag *d)
{
    struct user user;
    struct users *u = cql_options(s->cql)->users;
    if (!u || users_check(u, name, password, &user))
        return diag_fail(d, ERR_LOGIN, "Provided username %.*s and/or password are incorrect",
                         SLICE_ARG(name));
    (void)slice_to_cstr(name, s->user, sizeof(s->user));
    struct user_allowed a = users_allowed(u, name, NULL, 0);
    s->superuser = a.most == ROLE_ADMIN;
    s->permit_version = 0; /* looked up when first asked */
    return ERR_OK;
}
