/* Sessions: a signed token in a cookie that scripts of the page can not read. It says who, and is
 * good until its time, the user's next password, or a logout; its key and the logouts are kept in
 * the data directory, so that a server that is started anew knows them. What a change has to carry
 * (X-CSRF-Token) derives from the session's number: nothing is kept for each session. */
#include "door/console/console_int.h"

#include "base/hash.h"
#include "base/say.h"
#include "os/file.h"

#include <inttypes.h>
#include <openssl/rand.h>
#include <stddef.h>
#include <stdio.h>

#define AUDIENCE    "sluice-console"
#define CSRF_HEADER "x-csrf-token"
enum { KEY = 32, ENDED_MAX = 4096, ENDED_FILE_MAX = 1 << 20, CSRF_TEXT = 33, PATH_TEXT = 4096 };

struct ended { /* a session that was logged out; forgotten when it could not be good any more */
    uint64_t number;
    int64_t until_us;
};
struct sessions {
    struct gate gate; /* around all of it */
    uint8_t key[KEY];
    char cookie[32]; /* its name: another server's on the same host has another */
    struct ended ended[ENDED_MAX];
    uint32_t ended_count;
    char key_file[PATH_TEXT], ended_file[PATH_TEXT];
};

static void name_cookie(struct sessions *s)
{
    uint8_t sum[32];
    struct buf b = buf_over(s->cookie, sizeof(s->cookie));
    digest_hmac_sha256(slice_make(s->key, KEY), SLICE("cookie's name"), sum);
    buf_text(&b, "sluice_");
    put_hex(&b, sum, 4);
    buf_char(&b, 0);
}

/* --- what is kept --------------------------------------------------------------------------------
 */

static err_t make_key(struct sessions *s, struct diag *d)
{
    struct buf text = buf_make(2 * KEY + 1);
    if (RAND_bytes(s->key, KEY) != 1) return diag_fail(d, ERR_INTERNAL, "no random numbers");
    put_hex(&text, s->key, KEY);
    err_t e = text.err ? text.err : file_store_secret(s->key_file, buf_view(&text), d);
    if (text.at) memset(text.at, 0, text.len);
    buf_done(&text);
    name_cookie(s);
    return e;
}

static err_t load_key(struct sessions *s, struct diag *d)
{
    struct slice text = {0};
    if (!file_exists(s->key_file)) return make_key(s, d);
    err_t e = file_load(s->key_file, 256, &text, d);
    if (!e && !parse_hex(slice_trim(text), s->key, KEY)) {
        (void)diag_fail(d, ERR_CORRUPT, "%s is not the key of the console's sessions", s->key_file);
        e = diag_hint(d, "remove it: a new one is made, and everybody logs in again");
    }
    mem_give((void *)(uintptr_t)text.at);
    if (!e) name_cookie(s);
    return e;
}

static err_t store_ended(struct sessions *s, struct diag *d)
{
    struct buf text = buf_make(ENDED_FILE_MAX);
    for (uint32_t i = 0; i < s->ended_count; i++)
        buf_printf(&text, "%016" PRIx64 " %" PRId64 "\n", s->ended[i].number, s->ended[i].until_us);
    err_t e = text.err ? text.err : file_store_secret(s->ended_file, buf_view(&text), d);
    buf_done(&text);
    return e;
}

/* A line that can not be read might have ended a session: then all of them end. */
static err_t load_ended(struct sessions *s, struct diag *d)
{
    struct slice text = {0};
    bool fine = true;
    if (!file_exists(s->ended_file)) return ERR_OK;
    err_t e = file_load(s->ended_file, ENDED_FILE_MAX, &text, d);
    if (e) return e;
    const char *at = (const char *)text.at;
    while (*at && fine) {
        struct ended *one = &s->ended[s->ended_count];
        int used = 0;
        fine = s->ended_count < ENDED_MAX &&
               sscanf(at, "%16" SCNx64 " %20" SCNd64 "\n%n", &one->number, &one->until_us, &used) ==
                   2 &&
               used > 0;
        if (!fine) break;
        at += used;
        s->ended_count++;
    }
    mem_give((void *)(uintptr_t)text.at);
    if (fine) return ERR_OK;
    say_warn(SAY_DOOR, "the console's list of ended sessions can not be read; all of them end",
             "file=%s", s->ended_file);
    s->ended_count = 0;
    e = make_key(s, d);
    return e ? e : store_ended(s, d);
}

err_t sessions_open(struct console *c, struct diag *d)
{
    struct sessions *s = mem_take(sizeof(*s));
    if (!s) return diag_fail(d, ERR_NO_MEMORY, "no memory for the console's sessions");
    c->sessions = s;
    gate_init(&s->gate);
    snprintf(s->key_file, sizeof(s->key_file), "%s/console.key", c->o.data);
    snprintf(s->ended_file, sizeof(s->ended_file), "%s/console.ended", c->o.data);
    err_t e = load_key(s, d);
    return e ? e : load_ended(s, d);
}

void sessions_close(struct sessions *s)
{
    if (!s) return;
    gate_done(&s->gate);
    memset(s->key, 0, KEY);
    mem_give(s);
}

static bool is_ended(struct sessions *s, uint64_t number)
{
    bool found = false;
    gate_enter(&s->gate);
    for (uint32_t i = 0; i < s->ended_count && !found; i++) found = s->ended[i].number == number;
    gate_leave(&s->gate);
    return found;
}

/* Durable before it is answered. So many at once that they can not be listed: a new key ends all.
 */
static err_t end_session(struct console *c, uint64_t number, struct diag *d)
{
    struct sessions *s = c->sessions;
    int64_t now = c->o.port.now_us(c->o.port.ctx);
    uint32_t kept = 0;
    gate_enter(&s->gate);
    for (uint32_t i = 0; i < s->ended_count; i++)
        if (s->ended[i].until_us > now) s->ended[kept++] = s->ended[i];
    s->ended_count = kept;
    err_t e = ERR_OK;
    if (kept == ENDED_MAX) {
        s->ended_count = 0;
        e = make_key(s, d);
    } else {
        s->ended[s->ended_count++] = (struct ended){number, now + c->o.session_us};
    }
    if (!e) e = store_ended(s, d);
    gate_leave(&s->gate);
    return e;
}

/* --- the cookie and the proof
 * ---------------------------------------------------------------------
 */

static void csrf_of(struct sessions *s, uint64_t number, char out[CSRF_TEXT])
{
    uint8_t sum[32];
    char text[64];
    struct buf b = buf_over(out, CSRF_TEXT);
    snprintf(text, sizeof(text), "csrf %016" PRIx64, number);
    gate_enter(&s->gate);
    digest_hmac_sha256(slice_make(s->key, KEY), slice_of(text), sum);
    gate_leave(&s->gate);
    put_hex(&b, sum, 16);
    buf_char(&b, 0);
}

/* One cookie of a request. */
static struct slice cookie_of(const struct http_request *r, const char *name)
{
    struct slice all = http_header(r, "cookie");
    size_t len = strlen(name);
    while (all.len) {
        const uint8_t *end = memchr(all.at, ';', all.len);
        size_t n = end ? (size_t)(end - all.at) : all.len;
        struct slice one = slice_trim(slice_make(all.at, n));
        if (one.len > len && one.at[len] == '=' && memcmp(one.at, name, len) == 0)
            return slice_make(one.at + len + 1, one.len - len - 1);
        all = end ? slice_make(end + 1, all.len - n - 1) : (struct slice){0};
    }
    return (struct slice){0};
}

/* Whose session does the request come with? ERR_NOT_FOUND: none; ERR_LOGIN: one that is over. */
static err_t read_session(struct console *c, const struct http_request *r, struct arena *arena,
                          struct token *t, struct user *u)
{
    struct sessions *s = c->sessions;
    uint8_t key[KEY];
    char now[17];
    gate_enter(&s->gate);
    memcpy(key, s->key, KEY);
    struct slice text = cookie_of(r, s->cookie);
    gate_leave(&s->gate);
    if (!text.at) return ERR_NOT_FOUND;
    err_t e =
        token_read(slice_make(key, KEY), AUDIENCE, text, c->o.port.now_us(c->o.port.ctx), arena, t);
    if (!e && is_ended(s, t->number)) e = ERR_LOGIN;
    if (!e) e = users_find(c->o.users, t->name, u);
    if (!e) token_proof(u, now);
    if (!e && (strcmp(now, t->proof) != 0 || u->no_login)) e = ERR_LOGIN;
    return e ? ERR_LOGIN : ERR_OK;
}

static bool equal_secret(struct slice a, const char *b) /* in a time that tells nothing */
{
    uint8_t differs = 0;
    if (a.len != strlen(b)) return false;
    for (uint32_t i = 0; i < a.len; i++) differs |= (uint8_t)(a.at[i] ^ (uint8_t)b[i]);
    return differs == 0;
}

/* A change proves that it comes from our page, which another site can not read. */
static bool proves_page(struct console *c, const struct http_request *r, uint64_t number)
{
    char wanted[CSRF_TEXT];
    if (method_fits(http_method(r), "GET")) return true;
    csrf_of(c->sessions, number, wanted);
    return equal_secret(http_header(r, CSRF_HEADER), wanted);
}

err_t console_session_of(struct console *c, struct http_request *r, struct user *out)
{
    struct token t;
    err_t e = read_session(c, r, http_arena(r), &t, out);
    if (e) return ERR_NOT_FOUND;
    return proves_page(c, r, t.number) ? ERR_OK : ERR_FORBIDDEN;
}

bool session_holds(struct console *c, const struct session_held *s)
{
    struct user u;
    char now[17];
    if (s->number &&
        (is_ended(c->sessions, s->number) || s->until_us <= c->o.port.now_us(c->o.port.ctx)))
        return false;
    if (users_find(c->o.users, slice_of(s->name), &u) || u.no_login || u.role != s->role)
        return false;
    token_proof(&u, now);
    return strcmp(now, s->proof) == 0;
}

static void set_cookie(struct ask *a, uint64_t number)
{
    struct console *c = a->console;
    struct sessions *s = c->sessions;
    struct token_made made = {.audience = AUDIENCE,
                              .now_us = c->o.port.now_us(c->o.port.ctx),
                              .good_us = c->o.session_us,
                              .number = number};
    struct buf b = buf_make(TOKEN_MAX + 256);
    gate_enter(&s->gate);
    buf_printf(&b, "%s=", s->cookie);
    token_make(slice_make(s->key, KEY), &a->user, &made, &b);
    gate_leave(&s->gate);
    buf_printf(&b, "; Path=/; HttpOnly; SameSite=Strict; Max-Age=%" PRId64,
               c->o.session_us / 1000000);
    if (!b.err) a->cookie = arena_text(a->arena, buf_view(&b));
    buf_done(&b);
    a->session = number;
    a->session_until_us = made.now_us + made.good_us;
}

/* --- who is it? ----------------------------------------------------------------------------------
 */

static struct ask *ask_of_guest(struct login_guest *g)
{
    return (struct ask *)(void *)((char *)g - offsetof(struct ask, guest));
}

/* In the login room. */
static bool hash_password(struct login_guest *g)
{
    struct ask *a = ask_of_guest(g);
    a->login = users_check(a->console->o.users, slice_of(a->name), a->password, &a->user);
    if (!a->login && a->user.no_login) a->login = ERR_LOGIN;
    return !a->login;
}

static void refuse_login(struct ask *a, const char *why)
{
    a->user = (struct user){0};
    (void)diag_fail(&a->d, ERR_LOGIN, "%s", why);
    (void)diag_hint(&a->d, "log in: POST " CONSOLE_BASE "/login, or Basic authentication");
    ask_refuse(a, ERR_LOGIN);
}

static void put_session(struct ask *a);

/* A session of its own for who is a->user, told with its cookie. */
static void begin_session(struct ask *a)
{
    uint64_t number = 0;
    while (!number)
        if (RAND_bytes((unsigned char *)&number, sizeof(number)) != 1) {
            ask_refuse(a, diag_fail(&a->d, ERR_INTERNAL, "no random numbers"));
            return;
        }
    set_cookie(a, number);
    put_session(a);
    if (a->cookie)
        ask_answer(a);
    else
        ask_refuse(a, diag_fail(&a->d, ERR_NO_MEMORY, "no memory for a session"));
}

static void hashed(struct login_guest *g)
{
    struct ask *a = ask_of_guest(g);
    struct console *c = a->console;
    if (a->login) {
        refuse_login(a, "name or password is wrong");
        return;
    }
    known_add(&c->known, c->o.users, a->name, a->password, c->o.port.now_us(c->o.port.ctx));
    if (!a->answers_itself) { /* Basic: the request itself comes now */
        ask_go(a);
        return;
    }
    if (a->user.role < ROLE_VIEWER) {
        ask_refuse(a, diag_fail(&a->d, ERR_FORBIDDEN, "%s has no role here", a->user.name));
        return;
    }
    begin_session(a);
}

static void enter_room(struct ask *a, void (*done)(struct login_guest *g))
{
    snprintf(a->peer, sizeof(a->peer), "%s", http_peer(a->http));
    a->guest = (struct login_guest){
        .peer = a->peer, .loop = a->console->loop, .hash = hash_password, .done = done};
    login_room_enter(a->console->room, &a->guest);
}

static void enter_basic(struct ask *a, struct slice coded)
{
    struct console *c = a->console;
    struct buf text = buf_make(KIB(2));
    err_t e = parse_base64(slice_trim(coded), &text);
    const uint8_t *colon = e || !text.len ? NULL : memchr(text.at, ':', text.len);
    bool fine = colon && slice_to_cstr(slice_make(text.at, (size_t)(colon - text.at)), a->name,
                                       sizeof(a->name));
    if (fine)
        a->password =
            arena_slice(a->arena, slice_make(colon + 1, (size_t)(text.at + text.len - colon - 1)));
    buf_done(&text);
    if (!fine || !a->password.at)
        refuse_login(a, "the Authorization header can not be read");
    else if (known_is(&c->known, c->o.users, a->name, a->password,
                      c->o.port.now_us(c->o.port.ctx)) &&
             !users_find(c->o.users, slice_of(a->name), &a->user))
        ask_go(a);
    else
        enter_room(a, hashed);
}

void session_enter(struct ask *a)
{
    struct slice said = http_header(a->http, "authorization");
    struct token t;
    if (a->route->role == ROLE_NONE) {
        ask_go(a);
        return;
    }
    if (said.len > 6 && slice_equal_nocase(slice_make(said.at, 6), SLICE("basic "))) {
        enter_basic(a, slice_make(said.at + 6, said.len - 6));
        return;
    }
    err_t e = read_session(a->console, a->http, a->arena, &t, &a->user);
    if (e) {
        refuse_login(a, e == ERR_NOT_FOUND ? "nobody is logged in" : "the session is over");
    } else if (!proves_page(a->console, a->http, t.number)) {
        (void)diag_fail(&a->d, ERR_FORBIDDEN, "the header X-CSRF-Token is missing or wrong");
        (void)diag_hint(&a->d, "GET " CONSOLE_BASE "/session tells it");
        ask_refuse(a, ERR_FORBIDDEN);
    } else {
        a->session = t.number;
        a->session_made_us = t.made_us;
        a->session_until_us = t.until_us;
        ask_go(a);
    }
}

/* --- routes --------------------------------------------------------------------------------------
 */

static void put_session(struct ask *a)
{
    struct console *c = a->console;
    char csrf[CSRF_TEXT];
    const char *name = strrchr(c->o.project, '/');
    csrf_of(c->sessions, a->session, csrf);
    js_open(&a->out, '{');
    js_put_cstr(&a->out, "name", a->user.name);
    js_put_cstr(&a->out, "role", role_name(a->user.role));
    js_put_bool(&a->out, "well_known", a->user.well_known);
    js_put_cstr(&a->out, "csrf", a->session ? csrf : NULL);
    js_put_time(&a->out, "until", a->session ? a->session_until_us / 1000 : INT64_MIN);
    js_put_cstr(&a->out, "version", c->o.version);
    js_put_cstr(&a->out, "project", name && name[1] ? name + 1 : c->o.project);
    js_put_time(&a->out, "now", ask_now_ms(a));
    js_close(&a->out, '}');
}

err_t console_login(struct ask *a)
{
    struct slice name = ask_body_text(a, "name");
    a->password = ask_body_text(a, "password");
    if (!slice_to_cstr(name, a->name, sizeof(a->name)) || !a->name[0])
        return diag_fail(&a->d, ERR_LOGIN, "name or password is wrong");
    a->answers_itself = true;
    enter_room(a, hashed);
    return ERR_OK;
}

/* --- one's own password ---
 * The old one is asked for in the login room, so that guessing it is held back as a login's is. */

static void change_password(struct crew_job *j, void **own)
{
    struct ask *a = (struct ask *)(void *)((char *)j - offsetof(struct ask, job));
    struct role_change c = {.password = ask_body_text(a, "new"), .login = -1, .superuser = -1};
    (void)own;
    a->login = users_role_alter(a->console->o.users, slice_of(a->name), &c, &a->d);
    if (!a->login) a->login = users_find(a->console->o.users, slice_of(a->name), &a->user);
}

/* The sessions of before have ended with it; whoever changed it goes on in a new one. */
static void password_changed(struct crew_job *j)
{
    struct ask *a = (struct ask *)(void *)((char *)j - offsetof(struct ask, job));
    if (a->login) {
        ask_refuse(a, a->login);
        return;
    }
    say_info(SAY_DOOR, "a password was changed by its user", "user=%s", a->name);
    if (a->session) {
        begin_session(a);
    } else { /* the login came with the request: there is no session */
        put_session(a);
        ask_answer(a);
    }
}

static void old_password_checked(struct login_guest *g)
{
    struct ask *a = ask_of_guest(g);
    if (a->login) { /* not ERR_LOGIN: the session that asks is good */
        (void)diag_fail(&a->d, ERR_USAGE, "the old password is wrong");
        (void)diag_where(&a->d, "old");
        ask_refuse(a, ERR_USAGE);
        return;
    }
    a->job.run = change_password;
    a->job.done = password_changed;
    if (crew_give(a->console->quick, &a->job)) return;
    (void)diag_fail(&a->d, ERR_BUSY, "too many requests wait already");
    ask_refuse(a, ERR_BUSY);
}

err_t console_own_password(struct ask *a)
{
    struct slice new = ask_body_text(a, "new");
    if (!new.len || new.len > USERS_PASSWORD_MAX) {
        (void)diag_fail(&a->d, ERR_USAGE, "a password has 1 to %d bytes", USERS_PASSWORD_MAX);
        return diag_where(&a->d, "new");
    }
    a->password = ask_body_text(a, "old");
    (void)slice_to_cstr(slice_of(a->user.name), a->name, sizeof(a->name));
    a->answers_itself = true;
    enter_room(a, old_password_checked);
    return ERR_OK;
}

err_t console_session(struct ask *a)
{
    int64_t now = ask_now_ms(a) * 1000;
    if (a->session && now - a->session_made_us > a->console->o.session_us / 2)
        set_cookie(a, a->session);
    put_session(a);
    return ERR_OK;
}

err_t console_logout(struct ask *a)
{
    if (!a->session)
        return diag_fail(&a->d, ERR_USAGE, "this login came with the request: there is no session");
    a->cookie = arena_printf(a->arena, "%s=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0",
                             a->console->sessions->cookie);
    return end_session(a->console, a->session, &a->d);
}
