#include "door/kafka/sasl.h"

#include "base/metric.h"
#include "base/say.h"
#include "door/kafka/sasl_room.h"
#include "os/net.h"
#include "users/scram.h"

#include <openssl/crypto.h>
#include <stdio.h>

enum mechanism { PLAIN, SCRAM_256, SCRAM_512, MECHANISMS };
static const char *const mechanisms[MECHANISMS] = {"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"};
/* Kafka's words: clients show them, people search for them. */
static const char wrong_password[] = "Authentication failed: Invalid username or password",
                  other_name[] = "Authentication failed: Client requested an authorization id that "
                                 "is different from username";

struct login_exchange {
    struct scram_exchange scram;
    bool begun;
};

/* --- what a connection begins with ------------------------------------------------------------ */

/* The user whom the client's certificate names: by its whole subject, or its CN. */
static bool certificate_user(const struct conn *c, struct users *u, struct kafka_who *who)
{
    char subject[256], name[USERS_NAME_MAX + 1];
    struct user user;
    if (!conn_peer_name(c, subject, sizeof(subject))) return false;
    (void)snprintf(who->name, sizeof(who->name), "%.*s", USERS_NAME_MAX, subject);
    bool found =
        users_find(u, slice_of(subject), &user) == ERR_OK ||
        (conn_peer_common_name(c, name, sizeof(name)) && !users_find(u, slice_of(name), &user));
    if (found) {
        memcpy(who->name, user.name, sizeof(who->name));
        who->role = user.role;
    }
    return found;
}

void login_begin(struct login *l, const struct kafka_door_options *o, const struct conn *c)
{
    *l = (struct login){.loop = conn_loop(c), .who = {.name = "ANONYMOUS", .role = ROLE_VIEWER}};
    bool named = o->users && certificate_user(c, o->users, &l->who);
    if (!o->login && !named) l->who.role = ROLE_ADMIN; /* nobody is asked who he is */
    l->who.known = named || !o->login;
}

static void forget_exchange(struct login *l)
{
    if (!l->exchange) return;
    scram_forget(&l->exchange->scram);
    mem_give(l->exchange);
    l->exchange = NULL;
}

void login_end(struct login *l)
{
    forget_exchange(l);
}

bool login_admits(const struct login *l, int16_t api_key)
{
    bool token = api_key == KAFKA_API_sasl_authenticate;
    if (l->stage == LOGIN_FAILED) return false;
    if (l->stage == LOGIN_TOKENS) return token && !l->raw;
    if (l->who.known) return true;
    return api_key == KAFKA_API_api_versions || api_key == KAFKA_API_sasl_handshake;
}

/* --- SaslHandshake ---------------------------------------------------------------------------- */

void kafka_sasl_handshake(struct call *c)
{
    const struct kafka_sasl_handshake_request *q = c->request;
    struct kafka_sasl_handshake_response *a = c->response;
    struct login *l = link_login(c->link);
    if (l->stage == LOGIN_DONE) {
        a->error_code = KAFKA_ERROR_ILLEGAL_SASL_STATE;
        call_answer(c);
        return;
    }
    a->mechanisms.at = arena_take(c->arena, MECHANISMS * sizeof(struct slice));
    if (a->mechanisms.at) {
        a->mechanisms.count = MECHANISMS;
        for (int i = 0; i < MECHANISMS; i++) a->mechanisms.at[i] = slice_of(mechanisms[i]);
    }
    uint8_t chosen = 0;
    while (chosen < MECHANISMS && !slice_is(q->mechanism, mechanisms[chosen])) chosen++;
    l->stage = chosen < MECHANISMS ? LOGIN_TOKENS : LOGIN_FAILED;
    l->mechanism = chosen;
    l->raw = c->head.api_version == 0;
    if (chosen == MECHANISMS) {
        a->error_code = KAFKA_ERROR_UNSUPPORTED_SASL_MECHANISM;
        say_info(SAY_DOOR, "login with an unknown mechanism", "peer=%s mechanism=%.*s",
                 call_peer(c), (int)MIN(q->mechanism.len, 32u), (const char *)q->mechanism.at);
    }
    call_answer(c);
}

/* --- the ends of a login ---------------------------------------------------------------------- */

static void succeed(struct call *c, const struct user *user, struct slice words)
{
    struct kafka_sasl_authenticate_response *a = c->response;
    struct login *l = link_login(c->link);
    l->stage = LOGIN_DONE;
    memcpy(l->who.name, user->name, sizeof(l->who.name));
    l->who.role = user->role;
    l->who.known = true;
    a->auth_bytes = words;
    forget_exchange(l);
    metric_add(METRIC_kafka_logins_total, 1);
    say_debug(SAY_DOOR, "login", "peer=%s user=%s mechanism=%s", call_peer(c), l->who.name,
              mechanisms[l->mechanism]);
    call_answer(c);
}

static void say_no(struct call *c, const char *words)
{
    struct kafka_sasl_authenticate_response *a = c->response;
    struct login *l = link_login(c->link);
    l->stage = LOGIN_FAILED;
    l->who.known = false;
    a->error_code = KAFKA_ERROR_SASL_AUTHENTICATION_FAILED;
    a->error_message = slice_of(words);
    forget_exchange(l);
    metric_add(METRIC_kafka_logins_failed_total, 1);
}

/* The answer waits a moment in the room, longer for an address that goes on failing. */
static void fail(struct call *c, const char *words)
{
    say_no(c, words);
    sasl_room_delay(door_sasl(c->door), c);
}

/* --- PLAIN (RFC 4616) ------------------------------------------------------------------------- */

struct plain {
    struct slice name, password;
    struct user user;
    err_t err;
};

static void plain_done(struct call *c, void *arg)
{
    struct plain *p = arg;
    if (p->err) {
        say_no(c, wrong_password);
        call_answer(c);
    } else {
        succeed(c, &p->user, SLICE(""));
    }
}

static bool plain_hash(struct call *c, void *arg)
{
    struct plain *p = arg;
    p->err = users_check(door_options(c->door)->users, p->name, p->password, &p->user);
    OPENSSL_cleanse((void *)(uintptr_t)p->password.at, p->password.len);
    return p->err == ERR_OK;
}

/* Splits at the NULs as Kafka does; answers how many parts there are, four at most. */
static int split(struct slice text, struct slice parts[4])
{
    int n = 0;
    for (const uint8_t *at = text.at, *end = text.at + text.len; n < 4; n++) {
        const uint8_t *nul = n == 3 || at == end ? NULL : memchr(at, 0, (size_t)(end - at));
        parts[n] = slice_make(at, (size_t)((nul ? nul : end) - at));
        if (!nul) return n + 1;
        at = nul + 1;
    }
    return n;
}

static void plain(struct call *c, struct slice token)
{
    static const char *const counts[] = {"Invalid SASL/PLAIN response: expected 3 tokens, got 1",
                                         "Invalid SASL/PLAIN response: expected 3 tokens, got 2",
                                         NULL,
                                         "Invalid SASL/PLAIN response: expected 3 tokens, got 4"};
    struct slice parts[4] = {{0}};
    int n = split(token, parts);
    struct plain *p = arena_take(c->arena, sizeof(*p));
    const char *wrong = counts[n - 1];
    if (!wrong && !parts[1].len) wrong = "Authentication failed: username not specified";
    if (!wrong && !parts[2].len) wrong = "Authentication failed: password not specified";
    if (!wrong && parts[0].len && !slice_equal(parts[0], parts[1])) wrong = other_name;
    if (!wrong && !p) wrong = "Authentication failed: credentials for user could not be verified";
    if (wrong) {
        fail(c, wrong);
        return;
    }
    *p = (struct plain){.name = parts[1], .password = parts[2]};
    sasl_room_work(door_sasl(c->door), c, plain_hash, plain_done, p);
}

/* --- SCRAM ------------------------------------------------------------------------------------ */

static void scram(struct call *c, struct slice token)
{
    static const char *const wrong[] = {
        "Authentication failed during authentication due to invalid credentials with SASL "
        "mechanism SCRAM-SHA-256",
        "Authentication failed during authentication due to invalid credentials with SASL "
        "mechanism SCRAM-SHA-512"};
    struct login *l = link_login(c->link);
    enum scram kind = l->mechanism == SCRAM_256 ? SCRAM_SHA_256 : SCRAM_SHA_512;
    char *memory = arena_take(c->arena, 4 * SCRAM_MESSAGE_MAX);
    if (!l->exchange && (l->exchange = mem_take(sizeof(*l->exchange)))) l->exchange->begun = false;
    if (!memory || !l->exchange) {
        fail(c, wrong[kind]);
        return;
    }
    struct buf out = buf_over(memory, 4 * SCRAM_MESSAGE_MAX);
    struct login_exchange *x = l->exchange;
    bool last = x->begun;
    err_t e = last ? scram_final(&x->scram, token, &out)
                   : scram_first(&x->scram, door_options(c->door)->users, kind, token, NULL, &out);
    x->begun = true;
    if (e) {
        fail(c, !last && e == ERR_LOGIN ? other_name : wrong[kind]);
    } else if (last) {
        struct user user = x->scram.user;
        succeed(c, &user, buf_view(&out));
    } else {
        struct kafka_sasl_authenticate_response *a = c->response;
        a->auth_bytes = buf_view(&out);
        call_answer(c);
    }
}

void kafka_sasl_authenticate(struct call *c)
{
    const struct kafka_sasl_authenticate_request *q = c->request;
    struct kafka_sasl_authenticate_response *a = c->response;
    struct login *l = link_login(c->link);
    a->auth_bytes = SLICE("");
    if (l->stage != LOGIN_TOKENS) {
        a->error_code = KAFKA_ERROR_ILLEGAL_SASL_STATE;
        a->error_message =
            l->stage == LOGIN_DONE
                ? SLICE("SaslAuthenticate request received after successful authentication")
                : SLICE("SaslAuthenticate request received before SaslHandshake");
        call_answer(c);
    } else if (l->mechanism == PLAIN) {
        plain(c, q->auth_bytes);
    } else {
        scram(c, q->auth_bytes);
    }
}
