/* Who may come in, and what each role may do. The one table of users (room users) that all doors
 * ask; what is changed here counts from the next request on. */
#include "door/console/console_int.h"

#include "base/say.h"
#include "users/scram.h"

#include <stdlib.h>

/* --- roles --------------------------------------------------------------------------------------
 */

static const struct {
    const char *cql, *kafka, *console;
} role_words[] = {
    [ROLE_NONE] = {"what GRANT gives", "nothing", "nothing"},
    [ROLE_VIEWER] = {"SELECT", "reads by assign, not in a group",
                     "sees all but logs, users, settings and secrets; runs SQL that only reads"},
    [ROLE_USER] = {"SELECT, MODIFY", "produces, joins and resets groups",
                   "writes records, starts and clears runs, keeps notebooks and dashboards"},
    [ROLE_OP] = {"SELECT, MODIFY, CREATE, ALTER, DROP", "administers topics, records and groups",
                 "makes and removes topics, pauses and resets streams, mends dead letters; sees "
                 "settings and the doctor"},
    [ROLE_ADMIN] = {"everything; manages roles", "everything",
                    "everything; users, the log and what is logged"},
};

err_t console_roles(struct ask *a)
{
    struct buf *out = &a->out;
    js_open(out, '[');
    for (enum user_role r = ROLE_NONE; r <= ROLE_ADMIN; r++) {
        js_open(out, '{');
        js_put_cstr(out, "name", role_name(r));
        js_put_cstr(out, "cql", role_words[r].cql);
        js_put_cstr(out, "kafka", role_words[r].kafka);
        js_put_cstr(out, "console", role_words[r].console);
        js_put_open(out, "adds", '[');
        for (uint32_t i = 0; i < console_route_count; i++) {
            const struct console_route *at = &console_routes[i];
            if (at->role != r) continue;
            js_open(out, '{');
            js_put_cstr(out, "method", at->method);
            js_put_cstr(out, "path", at->path);
            js_put_cstr(out, "about", at->about);
            js_close(out, '}');
        }
        js_close(out, ']');
        js_close(out, '}');
    }
    js_close(out, ']');
    return ERR_OK;
}

/* --- users --------------------------------------------------------------------------------------
 */

struct relations { /* of one user */
    const char *name;
    struct buf *out;
};

static err_t put_membership(void *ctx, const char *role, const char *member)
{
    const struct relations *r = ctx;
    if (strcmp(member, r->name) == 0) js_text(r->out, slice_of(role));
    return ERR_OK;
}

static err_t put_grant(void *ctx, const char *role, const char *resource, uint32_t bits)
{
    const struct relations *r = ctx;
    if (strcmp(role, r->name) != 0) return ERR_OK;
    js_open(r->out, '{');
    js_put_cstr(r->out, "resource", resource);
    js_put_open(r->out, "permissions", '[');
    for (enum user_permission p = USER_CREATE; p < USER_PERMISSIONS; p++)
        if (bits & 1u << p) js_text(r->out, slice_of(user_permission_name(p)));
    js_close(r->out, ']');
    js_close(r->out, '}');
    return ERR_OK;
}

struct listed {
    struct user *all;
    uint32_t count, room;
};

static err_t count_user(void *ctx, const struct user *u)
{
    (void)u;
    ++*(uint32_t *)ctx;
    return ERR_OK;
}

static err_t keep_user(void *ctx, const struct user *u)
{
    struct listed *l = ctx;
    if (l->count < l->room) l->all[l->count++] = *u; /* one that came meanwhile: next time */
    return ERR_OK;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct user *)a)->name, ((const struct user *)b)->name);
}

static err_t put_person(struct users *all, const struct user *u, struct buf *out)
{
    struct relations r = {u->name, out};
    js_open(out, '{');
    js_put_cstr(out, "name", u->name);
    js_put_cstr(out, "role", role_name(u->role));
    js_put_bool(out, "login", !u->no_login);
    js_put_bool(out, "well_known", u->well_known);
    js_put_open(out, "mechanisms", '[');
    for (enum scram k = 0; k < SCRAM_KINDS; k++)
        if (u->scram[k].iterations) js_text(out, slice_of(scram_name(k)));
    js_close(out, ']');
    js_put_open(out, "member_of", '[');
    err_t e = users_members(all, put_membership, &r);
    js_close(out, ']');
    js_put_open(out, "grants", '[');
    if (!e) e = users_permits(all, put_grant, &r);
    js_close(out, ']');
    js_close(out, '}');
    return e;
}

static void put_held_back(struct buf *out, const struct login_failure *f)
{
    js_open(out, '{');
    js_put_cstr(out, "address", f->address);
    js_put_uint(out, "failures", f->failures);
    js_put_int(out, "wait_ms", f->wait_ms);
    js_put_int(out, "ago_ms", f->ago_ms);
    js_close(out, '}');
}

err_t console_people(struct ask *a)
{
    struct users *users = a->console->o.users;
    struct listed l = {.room = 0};
    struct login_failure failures[LOGIN_FAILURES_MAX];
    uint32_t failing = login_room_failures(a->console->room, failures);
    uint32_t admins = 0;
    err_t e = users_each(users, count_user, &l.room);
    l.all = mem_take((l.room + 1) * sizeof(struct user));
    if (!l.all) return diag_fail(&a->d, ERR_NO_MEMORY, "no memory for the users");
    if (!e) e = users_each(users, keep_user, &l);
    qsort(l.all, l.count, sizeof(*l.all), by_name);
    js_open(&a->out, '{');
    js_put_open(&a->out, "users", '[');
    for (uint32_t i = 0; i < l.count && !e; i++) {
        admins += l.all[i].role == ROLE_ADMIN;
        e = put_person(users, &l.all[i], &a->out);
    }
    js_close(&a->out, ']');
    js_put_uint(&a->out, "admins", admins);
    js_put_open(&a->out, "held_back", '[');
    for (uint32_t i = 0; i < failing; i++) put_held_back(&a->out, &failures[i]);
    js_close(&a->out, ']');
    js_close(&a->out, '}');
    mem_give(l.all);
    return e ? diag_fail(&a->d, e, "the users can not be read") : ERR_OK;
}

/* --- changes ------------------------------------------------------------------------------------
 */

static err_t change(struct ask *a, const struct users_act *act, const char *what)
{
    err_t e = users_act(a->console->o.users, act, &a->d);
    if (e == ERR_EXISTS) (void)diag_where(&a->d, "name");
    if (!e) say_info(SAY_DOOR, what, "user=%.*s by=%s", SLICE_ARG(act->name), a->user.name);
    return e;
}

err_t console_person_add(struct ask *a)
{
    return change(a,
                  &(struct users_act){.what = SLICE("add"),
                                      .name = ask_body_text(a, "name"),
                                      .password = ask_body_text(a, "password"),
                                      .role = ask_body_text(a, "role")},
                  "a user was added in the console");
}

err_t console_person_remove(struct ask *a)
{
    return change(a, &(struct users_act){.what = SLICE("remove"), .name = ask_part(a, "name")},
                  "a user was removed in the console");
}

err_t console_person_password(struct ask *a)
{
    return change(a,
                  &(struct users_act){.what = SLICE("passwd"),
                                      .name = ask_part(a, "name"),
                                      .password = ask_body_text(a, "password")},
                  "a user's password was changed in the console");
}

err_t console_person_role(struct ask *a)
{
    return change(a,
                  &(struct users_act){.what = SLICE("role"),
                                      .name = ask_part(a, "name"),
                                      .role = ask_body_text(a, "role")},
                  "a user's role was changed in the console");
}
