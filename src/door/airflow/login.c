/* Logins: basic (v1) and a token's (v2, and v1 as well), and the tokens that are given out. The
 * passwords are hashed in the login room, which slows those down who fail. */
#include "door/airflow/airflow_int.h"

#include "base/hash.h"
#include "data/json.h"

#include <stddef.h>
#include <stdio.h>

static void say_no(struct call *c, const char *detail)
{
    bool v1 = c->api == API_V1;
    if (v1)
        refuse(c, 401, "Unauthorized", NULL);
    else
        refuse(c, 401, NULL, "%s", detail);
    rest_put_refusal(c, ERR_LOGIN);
    if (!c->token_asked) http_reply_header(c->http, "WWW-Authenticate", v1 ? "Basic" : "Bearer");
    rest_answer(c);
}

static void give_token(struct call *c)
{
    const struct airflow_options *o = airflow_options(c->door);
    struct slice key;
    err_t e = airflow_key(c->door, &key, &c->d);
    if (e) {
        rest_put_refusal(c, e);
        rest_answer(c);
        return;
    }
    buf_text(&c->out, "{\"access_token\": \"");
    struct token_made made = {.audience = AIRFLOW_AUDIENCE,
                              .now_us = airflow_now(c->door),
                              .good_us = o->token_us,
                              .number = airflow_number(c->door)};
    token_make(key, &c->user, &made, &c->out);
    buf_text(&c->out, "\"}");
    c->status = 201;
    rest_answer(c);
}

static struct call *rest_of(struct login_guest *g)
{
    return (struct call *)(void *)((char *)g - offsetof(struct call, guest));
}

/* In the login room. */
static bool hash_password(struct login_guest *g)
{
    struct call *c = rest_of(g);
    c->login = users_check(airflow_users(c->door), slice_of(c->name), c->password, &c->user);
    return !c->login && !c->user.no_login;
}

static void hashed(struct login_guest *g)
{
    struct call *c = rest_of(g);
    if (c->login || c->user.no_login) {
        say_no(c, "Invalid credentials");
        return;
    }
    airflow_know(c->door, c);
    if (c->token_asked)
        give_token(c);
    else
        rest_go(c);
}

static void enter(struct call *c, struct loop *l)
{
    snprintf(c->peer, sizeof(c->peer), "%s", http_peer(c->http));
    c->guest =
        (struct login_guest){.peer = c->peer, .loop = l, .hash = hash_password, .done = hashed};
    login_room_enter(airflow_room(c->door), &c->guest);
}

static void login_basic(struct call *c, struct slice coded, struct loop *l)
{
    struct buf text = buf_make(KIB(2));
    err_t e = parse_base64(slice_trim(coded), &text);
    const uint8_t *colon = e || !text.len ? NULL : memchr(text.at, ':', text.len);
    bool fine = colon && slice_to_cstr(slice_make(text.at, (size_t)(colon - text.at)), c->name,
                                       sizeof(c->name));
    if (fine)
        c->password =
            arena_slice(c->arena, slice_make(colon + 1, (size_t)(text.at + text.len - colon - 1)));
    buf_done(&text);
    if (!fine)
        say_no(c, "Invalid credentials");
    else if (airflow_known(c->door, c) &&
             !users_find(airflow_users(c->door), slice_of(c->name), &c->user))
        rest_go(c);
    else
        enter(c, l);
}

static void login_bearer(struct call *c, struct slice token)
{
    struct slice key;
    struct token told;
    char now[17];
    err_t e = airflow_key(c->door, &key, &c->d);
    if (e) {
        rest_put_refusal(c, e);
        rest_answer(c);
        return;
    }
    e = token_read(key, AIRFLOW_AUDIENCE, slice_trim(token), airflow_now(c->door), c->arena, &told);
    if (e == ERR_TIMEOUT) {
        say_no(c, "Token Expired");
        return;
    }
    if (!e) e = users_find(airflow_users(c->door), told.name, &c->user);
    if (!e) token_proof(&c->user, now);
    if (e || strcmp(now, told.proof) != 0 || c->user.no_login)
        say_no(c, "Invalid JWT token");
    else
        rest_go(c);
}

/* POST /auth/token: a form's or a JSON body's name and password. */
static void ask_token(struct call *c, struct loop *l)
{
    struct slice name, password, type = http_header(c->http, "content-type");
    bool form = slice_starts(type, "application/x-www-form-urlencoded");
    if (form) {
        if (!http_param(c->http, "username", &name)) name = (struct slice){0};
        if (!http_param(c->http, "password", &password)) password = (struct slice){0};
    } else {
        err_t e = http_body(c->http).len > KIB(16)
                      ? ERR_TOO_BIG
                      : doc_of_json(http_body(c->http), c->arena, &c->body, NULL);
        if (e) c->body = (struct doc){.kind = DOC_NULL};
        e = body_check(c, INPUTS_LOGIN);
        if (e) {
            rest_put_refusal(c, e);
            rest_answer(c);
            return;
        }
        name = body_text(c, "username");
        password = body_text(c, "password");
    }
    c->password = password.at ? password : SLICE("");
    if (!slice_to_cstr(name.at ? name : SLICE(""), c->name, sizeof(c->name)) || !c->name[0])
        say_no(c, "Invalid credentials");
    else
        enter(c, l);
}

/* The session of the page that asks. */
static void login_session(struct call *c)
{
    const struct airflow_options *o = airflow_options(c->door);
    err_t e = o->session ? o->session(o->session_ctx, c->http, &c->user) : ERR_NOT_FOUND;
    if (!e) {
        rest_go(c);
    } else if (e == ERR_FORBIDDEN) {
        refuse(c, 403, "Forbidden", "the header X-CSRF-Token is missing or wrong");
        rest_put_refusal(c, e);
        rest_answer(c);
    } else {
        say_no(c, "Not authenticated");
    }
}

void rest_login(struct call *c)
{
    struct slice said = http_header(c->http, "authorization");
    struct loop *l = airflow_loop(c->door);
    if (c->token_asked)
        ask_token(c, l);
    else if (c->route->role == ROLE_NONE)
        rest_go(c);
    else if (said.len > 6 && slice_equal_nocase(slice_make(said.at, 6), SLICE("basic ")) &&
             c->api == API_V1)
        login_basic(c, slice_make(said.at + 6, said.len - 6), l);
    else if (said.len > 7 && slice_equal_nocase(slice_make(said.at, 7), SLICE("bearer ")))
        login_bearer(c, slice_make(said.at + 7, said.len - 7));
    else
        login_session(c);
}
