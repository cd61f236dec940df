/* People and roles (v1), in the table of all doors. Of Airflow's roles each user has one, the
 * highest that is asked for, which is his level; other roles are what he is a member of. */
#include "door/airflow/airflow_int.h"

#include "data/json.h"

#include <stdio.h>

enum { ROLES_MOST = 100 /* of one user, as a body may say them */ };

static const char *role_title(enum user_role r)
{
    static const char *const words[] = {"Public", "Viewer", "User", "Op", "Admin"};
    return words[r];
}

static bool title_parse(struct slice text, enum user_role *out)
{
    for (int r = ROLE_NONE; r <= ROLE_ADMIN; r++) {
        if (!slice_is(text, role_title((enum user_role)r))) continue;
        *out = (enum user_role)r;
        return true;
    }
    return false;
}

/* Clients want one of at least a character: Airflow's login manager writes this for who has none.
 */
#define NO_EMAIL "@email.notfound"

/* --- users shown ---------------------------------------------------------------------------------
 */

struct memberships {
    struct buf *out;
    const char *member;
    bool any;
};

static err_t put_membership(void *ctx, const char *role, const char *member)
{
    struct memberships *m = ctx;
    if (strcmp(member, m->member) != 0) return ERR_OK;
    buf_text(m->out, m->any ? ", {\"name\": " : "{\"name\": ");
    json_put_text(m->out, slice_of(role));
    buf_char(m->out, '}');
    m->any = true;
    return m->out->err;
}

static err_t rest_put_user(struct call *c, const struct user *u)
{
    char none[USERS_NAME_MAX + sizeof(NO_EMAIL)];
    snprintf(none, sizeof(none), "%s" NO_EMAIL, u->name);
    const struct {
        const char *name, *said;
    } texts[] = {{"username", u->name},
                 {"first_name", u->about.first},
                 {"last_name", u->about.last},
                 {"email", u->about.email[0] ? u->about.email : none}};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        buf_printf(&c->out, "%s\"%s\": ", i ? ", " : "{", texts[i].name);
        json_put_text(&c->out, slice_of(texts[i].said));
    }
    buf_printf(&c->out,
               ", \"active\": %s, \"last_login\": null, \"login_count\": null, "
               "\"fail_login_count\": null, \"created_on\": null, \"changed_on\": null, "
               "\"roles\": [",
               u->no_login ? "false" : "true");
    struct memberships m = {&c->out, u->name, u->role != ROLE_NONE};
    if (m.any) buf_printf(&c->out, "{\"name\": \"%s\"}", role_title(u->role));
    err_t e = users_members(airflow_users(c->door), put_membership, &m);
    buf_text(&c->out, m.any ? "]}" : "{\"name\": \"Public\"}]}");
    return e;
}

struct people {
    struct call *c;
    uint32_t count, shown;
    int64_t limit, offset;
};

static err_t one_user(void *ctx, const struct user *u)
{
    struct people *p = ctx;
    if (user_is_group(u)) return ERR_OK;
    if (p->count++ < p->offset || p->shown >= p->limit) return ERR_OK;
    if (p->shown++) buf_text(&p->c->out, ", ");
    err_t e = rest_put_user(p->c, u);
    return e ? e : p->c->out.err;
}

static err_t page(struct people *p)
{
    p->limit = LIST_PAGE_V1;
    err_t e = rest_int(p->c, "limit", &p->limit);
    if (!e) e = rest_int(p->c, "offset", &p->offset);
    p->limit = list_page(p->limit, LIST_PAGE_V1);
    return e;
}

err_t api_get_users(struct call *c)
{
    struct people p = {.c = c};
    err_t e = page(&p);
    if (e) return e;
    buf_text(&c->out, "{\"users\": [");
    e = users_each(airflow_users(c->door), one_user, &p);
    buf_printf(&c->out, "], \"total_entries\": %u}", p.count);
    return e;
}

static err_t find_user(struct call *c, struct slice name, struct user *out)
{
    if (users_find(airflow_users(c->door), name, out) || user_is_group(out))
        return missing(c, NO_USER);
    return ERR_OK;
}

static err_t answer_user(struct call *c, struct slice name)
{
    struct user u;
    err_t e = find_user(c, name, &u);
    return e ? e : rest_put_user(c, &u);
}

err_t api_get_user(struct call *c)
{
    return answer_user(c, rest_part(c, "username"));
}

/* --- users changed -------------------------------------------------------------------------------
 */

/* v1's check of lengths; the room has its own. */
static err_t check_user(struct call *c)
{
    static const char *const filled[] = {"username", "email"};
    err_t e = body_check(c, INPUTS_USER);
    for (size_t i = 0; i < COUNT_OF(filled) && !e; i++)
        if (body_text(c, filled[i]).len == 0)
            e = refuse(c, 400, "Bad Request", "'' is too short - '%s'", filled[i]);
    return e;
}

static err_t take_words(struct call *c, const char *field, char *out)
{
    struct slice said = body_text(c, field);
    if (slice_to_cstr(said, out, USERS_WORDS_MAX + 1)) return ERR_OK;
    return refuse(c, 400, "Bad Request", "%s has at most %d bytes, and no zero byte among them",
                  field, USERS_WORDS_MAX);
}

/* What stood in an answer of who has none is none when it comes back. */
static err_t take_email(struct call *c, struct slice name, char *out)
{
    struct slice none = rest_printf(c, "%.*s" NO_EMAIL, SLICE_ARG(name));
    if (!slice_equal(body_text(c, "email"), none)) return take_words(c, "email", out);
    out[0] = 0;
    return ERR_OK;
}

/* The roles of the body: Airflow's own become the level, the others memberships. */
static err_t take_roles(struct call *c, struct user_change *k)
{
    const struct doc *list = body_get(c, "roles");
    struct slice *others = arena_take(c->arena, (ROLES_MOST + 1) * sizeof(*others));
    struct buf unknown = buf_make(KIB(64));
    if (!others) return diag_fail(&c->d, ERR_NO_MEMORY, "no memory for roles");
    if (list && list->count > ROLES_MOST)
        return refuse(c, 400, "Bad Request", "more than %d roles", ROLES_MOST);
    k->role = ROLE_NONE;
    k->member_of = others;
    for (uint32_t i = 0; list && i < list->count; i++) {
        struct slice name = doc_text(doc_get(&list->items[i], "name"));
        enum user_role level;
        struct user role;
        if (title_parse(name, &level))
            k->role = MAX(k->role, (int)level);
        else if (name.at && !users_find(airflow_users(c->door), name, &role))
            others[k->member_count++] = name;
        else
            buf_printf(&unknown, "%s'%.*s'", unknown.len ? ", " : "", SLICE_ARG(name));
    }
    err_t e = unknown.len ? refuse(c, 400, "Bad Request", "Unknown roles: %.*s",
                                   SLICE_ARG(buf_view(&unknown)))
                          : ERR_OK;
    buf_done(&unknown);
    return e;
}

/* What the room says of a change, in v1's form. */
static err_t refuse_change(struct call *c, err_t e)
{
    const char *said = arena_text(c->arena, slice_of(c->d.what));
    if (e == ERR_EXISTS) return refuse(c, 409, "Conflict", "%s", said);
    if (e == ERR_USAGE || e == ERR_UNKNOWN_NAME) return refuse(c, 400, "Bad Request", "%s", said);
    if (e == ERR_FORBIDDEN) return refuse(c, 403, "Forbidden", "%s", said);
    return e == ERR_NOT_FOUND ? missing(c, NO_USER) : e;
}

static err_t change_user(struct call *c, struct slice name, const struct user_change *k,
                         const char *event)
{
    err_t e = users_change(airflow_users(c->door), name, k, &c->d);
    return e ? refuse_change(c, e) : rest_event(c, event, name);
}

err_t api_post_user(struct call *c)
{
    struct user_about about;
    struct user there;
    struct user_change k = {.add = true, .about = &about};
    err_t e = check_user(c);
    struct slice name = body_text(c, "username");
    if (!e && !users_find(airflow_users(c->door), name, &there))
        e = refuse(c, 409, "Conflict", "Username `%.*s` already exists. Use PATCH to update.",
                   SLICE_ARG(name));
    if (!e) e = take_words(c, "first_name", about.first);
    if (!e) e = take_words(c, "last_name", about.last);
    if (!e) e = take_email(c, name, about.email);
    if (!e) e = take_roles(c, &k);
    k.password = body_text(c, "password");
    if (!e) e = change_user(c, name, &k, "post_user");
    return e ? e : answer_user(c, name);
}

/* Only what the body has may be in the mask. */
static err_t check_mask(struct call *c)
{
    err_t e = ERR_OK;
    for (uint32_t n = 0; n < c->param_count && !e; n++) {
        struct slice rest = c->params[n].value, name;
        while (slice_is(c->params[n].name, "update_mask") && !e && mask_next(&rest, &name))
            if (!doc_find(&c->body, name))
                e = refuse(c, 400, "Bad Request", "Unknown update masks: '%.*s'", SLICE_ARG(name));
    }
    return e;
}

err_t api_patch_user(struct call *c)
{
    struct user u;
    struct slice name = rest_part(c, "username");
    err_t e = check_user(c);
    if (!e) e = find_user(c, name, &u);
    if (!e) e = check_mask(c);
    if (e) return e;
    struct user_change k = {.role = -1, .about = &u.about};
    if (mask_has(c, "username") && !slice_equal(body_text(c, "username"), name))
        return refuse(c, 400, "Bad Request",
                      "a user's name stays what it is: add another user, and delete this one");
    if (mask_has(c, "first_name")) e = take_words(c, "first_name", u.about.first);
    if (!e && mask_has(c, "last_name")) e = take_words(c, "last_name", u.about.last);
    if (!e && mask_has(c, "email")) e = take_email(c, name, u.about.email);
    if (!e && mask_has(c, "roles")) e = take_roles(c, &k);
    if (mask_has(c, "password")) k.password = body_text(c, "password");
    if (!e) e = change_user(c, name, &k, "patch_user");
    return e ? e : answer_user(c, name);
}

static err_t remove_one(struct call *c, struct slice name, const char *event)
{
    err_t e = users_remove(airflow_users(c->door), name, &c->d);
    if (e) return refuse_change(c, e);
    c->status = 204;
    return rest_event(c, event, name);
}

err_t api_delete_user(struct call *c)
{
    struct user u;
    struct slice name = rest_part(c, "username");
    err_t e = find_user(c, name, &u);
    return e ? e : remove_one(c, name, "delete_user");
}

/* --- roles ---------------------------------------------------------------------------------------
 */

static const struct {
    const char *method, *action;
} actions[] = {{"POST", "can_create"},
               {"GET", "can_read"},
               {"PATCH", "can_edit"},
               {"PUT", "can_edit"},
               {"DELETE", "can_delete"}};

static const char *action_of(const char *method)
{
    for (size_t i = 0; i < COUNT_OF(actions); i++)
        if (strcmp(actions[i].method, method) == 0) return actions[i].action;
    return method;
}

static void rest_put_level(struct call *c, enum user_role r)
{
    buf_printf(&c->out, "{\"name\": \"%s\", \"actions\": [", role_title(r));
    bool first = true;
    for (uint32_t i = 0; i < route_count; i++) {
        const struct route *t = &routes[i];
        if (!(t->apis & API_V1) || t->role > r || t->role == ROLE_NONE) continue;
        buf_printf(&c->out, "%s{\"action\": {\"name\": \"%s\"}, \"resource\": {\"name\": \"%s\"}}",
                   first ? "" : ", ", action_of(t->method), t->path);
        first = false;
    }
    buf_text(&c->out, "]}");
}

/* A role of one's own may on a dag what the dag's access_control says, and nothing else here. */
static void rest_put_group(struct call *c, struct slice name)
{
    buf_text(&c->out, "{\"name\": ");
    json_put_text(&c->out, name);
    buf_text(&c->out, ", \"actions\": []}");
}

static err_t one_role(void *ctx, const struct user *u)
{
    struct people *p = ctx;
    if (!user_is_group(u)) return ERR_OK;
    if (p->count++ < p->offset || p->shown >= p->limit) return ERR_OK;
    if (p->shown++) buf_text(&p->c->out, ", ");
    rest_put_group(p->c, slice_of(u->name));
    return p->c->out.err;
}

err_t api_get_roles(struct call *c)
{
    struct people p = {.c = c};
    err_t e = page(&p);
    if (e) return e;
    buf_text(&c->out, "{\"roles\": [");
    for (int r = ROLE_NONE; r <= ROLE_ADMIN; r++) {
        if (p.count++ < p.offset || p.shown >= p.limit) continue;
        if (p.shown++) buf_text(&c->out, ", ");
        rest_put_level(c, (enum user_role)r);
    }
    e = users_each(airflow_users(c->door), one_role, &p);
    buf_printf(&c->out, "], \"total_entries\": %u}", p.count);
    return e;
}

static err_t find_group(struct call *c, struct slice name)
{
    struct user u;
    bool there = !users_find(airflow_users(c->door), name, &u) && user_is_group(&u);
    return there ? ERR_OK : missing(c, NO_ROLE);
}

err_t api_get_role(struct call *c)
{
    struct slice name = rest_part(c, "role_name");
    enum user_role level;
    if (title_parse(name, &level)) {
        rest_put_level(c, level);
        return ERR_OK;
    }
    err_t e = find_group(c, name);
    if (!e) rest_put_group(c, name);
    return e;
}

static err_t refuse_actions(struct call *c)
{
    const struct doc *list = body_get(c, "actions");
    if (!list || !list->count) return ERR_OK;
    return refuse(c, 400, "Bad Request",
                  "a role has no actions of its own here: access_control of a dag says what its "
                  "members may do with it, and a user's level (Viewer, User, Op, Admin) the rest");
}

static err_t refuse_level(struct call *c, struct slice name)
{
    return refuse(c, 400, "Bad Request",
                  "'%.*s' is one of the five roles that are always there, and what they may do "
                  "stands in docs/airflow-api.md: it is not changed or deleted",
                  SLICE_ARG(name));
}

err_t api_post_role(struct call *c)
{
    enum user_role level;
    struct user u;
    struct role_change none = {.login = -1, .superuser = -1};
    err_t e = body_check(c, INPUTS_ROLE);
    struct slice name = body_text(c, "name");
    bool there = title_parse(name, &level) || !users_find(airflow_users(c->door), name, &u);
    if (!e && there)
        e = refuse(c, 409, "Conflict",
                   "Role with name '%.*s' already exists; please update with the PATCH endpoint",
                   SLICE_ARG(name));
    if (!e) e = refuse_actions(c);
    if (e) return e;
    e = users_role_create(airflow_users(c->door), name, &none, &c->d);
    if (e) return refuse_change(c, e);
    e = rest_event(c, "post_role", name);
    if (!e) rest_put_group(c, name);
    return e;
}

err_t api_patch_role(struct call *c)
{
    enum user_role level;
    struct slice name = rest_part(c, "role_name");
    err_t e = body_check(c, INPUTS_ROLE);
    if (!e && title_parse(name, &level)) e = refuse_level(c, name);
    if (!e) e = find_group(c, name);
    if (!e && mask_has(c, "actions")) e = refuse_actions(c);
    if (!e && mask_has(c, "name") && !slice_equal(body_text(c, "name"), name))
        e = refuse(c, 400, "Bad Request",
                   "a role's name stays what it is: add another role, and delete this one");
    if (!e) rest_put_group(c, name);
    return e;
}

err_t api_delete_role(struct call *c)
{
    enum user_role level;
    struct slice name = rest_part(c, "role_name");
    if (title_parse(name, &level)) return refuse_level(c, name);
    err_t e = find_group(c, name);
    return e ? e : remove_one(c, name, "delete_role");
}

err_t api_get_permissions(struct call *c)
{
    buf_text(&c->out, "{\"actions\": [{\"name\": \"can_create\"}, {\"name\": \"can_read\"}, "
                      "{\"name\": \"can_edit\"}, {\"name\": \"can_delete\"}], "
                      "\"total_entries\": 4}");
    return ERR_OK;
}
