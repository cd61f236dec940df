/* The door: listeners, requests on their way to a handler and back. */
#include "door/console/console_int.h"

#include "base/say.h"

#include <stddef.h>
#include <stdio.h>

enum { QUICK_WORKERS = 3, LONG_WORKERS = 6, LOOKERS = 2, SECOND_MS = 1000 };

/* --- an ask's life -------------------------------------------------------------------------------
 */

static struct ask *ask_of(struct crew_job *j)
{
    return (struct ask *)(void *)((char *)j - offsetof(struct ask, job));
}

void ask_free(struct ask *a)
{
    if (!a) return;
    *a->link = a->later;
    if (a->later) a->later->link = a->link;
    ask_stream_free(a);
    arena_free(a->arena);
    buf_done(&a->out);
    mem_give(a);
}

static struct ask *ask_new(struct console *c, struct http_request *r)
{
    struct ask *a = mem_take(sizeof(*a));
    struct arena *arena = a ? arena_new(CONSOLE_ARENA_MAX) : NULL;
    if (!arena) {
        mem_give(a);
        return NULL;
    }
    a->console = c;
    a->http = r;
    a->arena = arena;
    a->out = buf_make(CONSOLE_ANSWER_MAX);
    a->later = c->asks;
    a->link = &c->asks;
    if (c->asks) c->asks->link = &a->later;
    c->asks = a;
    return a;
}

static int status_of(err_t e)
{
    int s = err_http(e);
    return e == ERR_NOT_FOUND ? 404 : e == ERR_BUSY || e == ERR_OFFLINE ? 503 : s < 400 ? 500 : s;
}

void console_headers(struct http_request *r, bool page)
{
    http_reply_header(r, "X-Content-Type-Options", "nosniff");
    http_reply_header(r, "Referrer-Policy", "no-referrer");
    http_reply_header(r, "X-Frame-Options", "DENY");
    http_reply_header(r, "Cross-Origin-Opener-Policy", "same-origin");
    http_reply_header(r, "Cross-Origin-Resource-Policy", "same-origin");
    http_reply_header(r, "Content-Security-Policy",
                      page ? "default-src 'none'; script-src 'self'; style-src 'self'; "
                             "img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; "
                             "worker-src 'self'; manifest-src 'self'; base-uri 'none'; "
                             "form-action 'none'; frame-ancestors 'none'"
                           : "default-src 'none'; frame-ancestors 'none'");
    if (!page) http_reply_header(r, "Cache-Control", "no-store");
}

void ask_answer(struct ask *a)
{
    bool none = !a->route || (!a->route->answer[0] && !a->status);
    console_headers(a->http, false);
    if (a->cookie) http_reply_header(a->http, "Set-Cookie", a->cookie);
    if (none && !a->status)
        http_reply(a->http, 204, NULL, (struct slice){0});
    else
        http_reply(a->http, a->status ? a->status : 200, "application/json", buf_view(&a->out));
    ask_free(a);
}

void ask_refuse(struct ask *a, err_t e)
{
    a->status = status_of(e);
    if (a->status >= 500 && e != ERR_STOPPED)
        say_diag(SAY_DOOR, SAY_WARN, "a request of the console failed", &a->d);
    ask_put_refusal(a, e);
    ask_answer(a);
}

static void ask_end(struct ask *a, err_t e)
{
    if (ask_stream_ended(a, e))
        ask_free(a);
    else if (e)
        ask_refuse(a, e);
    else
        ask_answer(a);
}

/* --- on its way to a handler ---------------------------------------------------------------------
 */

static err_t read_body(struct ask *a)
{
    bool wanted = a->route->body[0];
    struct slice body = wanted ? http_body(a->http) : (struct slice){0},
                 type = http_header(a->http, "content-type");
    if (!wanted) return ERR_OK;
    /* a form of another site can not send this type without asking first */
    if (!slice_starts(type, "application/json")) {
        (void)diag_fail(&a->d, ERR_USAGE, "the body has to be JSON");
        return diag_hint(&a->d, "Content-Type: application/json");
    }
    body = arena_slice(a->arena, body);
    if (!body.at) return diag_fail(&a->d, ERR_TOO_BIG, "the body is too large");
    err_t e = doc_of_json(body, a->arena, &a->body, &a->d);
    return e ? e : schema_check(a->route->body, &a->body, "body", &a->d);
}

static err_t run_it(struct ask *a)
{
    err_t e = a->user.role >= a->route->role ? ERR_OK : ERR_FORBIDDEN;
    if (e)
        (void)diag_fail(&a->d, e, "%s needs the role %s, and %s has %s", a->route->name,
                        role_name(a->route->role), a->user.name, role_name(a->user.role));
    if (!e) e = schema_check_params(a, &a->d);
    if (!e) e = read_body(a);
    if (!e) e = a->route->run(a);
    if (!e && a->out.err) e = diag_fail(&a->d, a->out.err, "the answer can not be written");
    return e;
}

static void carry_out(struct crew_job *j, void **own)
{
    (void)own;
    struct ask *a = ask_of(j);
    a->login = run_it(a);
}

static void carried(struct crew_job *j)
{
    struct ask *a = ask_of(j);
    a->console->watching -= a->route->pace == PACE_WATCH;
    ask_end(a, a->login);
}

void ask_go(struct ask *a)
{
    struct console *c = a->console;
    if (a->route->pace == PACE_LOOP) {
        err_t e = run_it(a);
        if (e)
            ask_refuse(a, e);
        else if (a->over)
            ask_free(a);
        else if (!a->answers_itself)
            ask_answer(a);
        return;
    }
    err_t e = strncmp(a->route->answer, "stream:", 7) == 0 ? ask_stream_new(a) : ERR_OK;
    a->job.run = carry_out;
    a->job.done = carried;
    bool watches = a->route->pace == PACE_WATCH;
    if (!e && watches && c->watching >= CONSOLE_WATCHES_MAX) {
        e = diag_fail(&a->d, ERR_BUSY, "%d live statements run already", CONSOLE_WATCHES_MAX);
        (void)diag_hint(&a->d, "stop one of them");
    }
    struct crew *const crews[] = {
        [PACE_QUICK] = c->quick, [PACE_LONG] = c->slow, [PACE_WATCH] = c->watchers};
    if (!e && crew_give(crews[a->route->pace], &a->job)) {
        c->watching += watches;
        return;
    }
    if (!e) {
        e = diag_fail(&a->d, ERR_BUSY, "too many requests wait already");
        (void)diag_hint(&a->d, "try again shortly");
    }
    ask_refuse(a, e);
}

/* --- requests come in ----------------------------------------------------------------------------
 */

static bool keep_words(struct ask *a)
{
    struct slice name, value;
    bool fine = true;
    for (uint32_t i = 0; http_param_at(a->http, i, &name, &value); i++) {
        if (i == ASK_PARAMS_MAX) return false;
        a->params[i] = (struct param){arena_slice(a->arena, name), arena_slice(a->arena, value)};
        a->param_count++;
    }
    for (uint32_t i = 0; i < a->path.count; i++) {
        a->path.parts[i] = arena_slice(a->arena, a->path.parts[i]);
        fine = fine && a->path.parts[i].at;
    }
    return fine;
}

static void api_request(struct console *c, struct http_request *r)
{
    struct ask *a = ask_new(c, r);
    int best = 0;
    bool known = false;
    if (!a) {
        http_reply_text(r, 503, "no memory\n");
        return;
    }
    path_read(r, 2, &a->path);
    for (uint32_t i = 0; i < console_route_count; i++) {
        const struct console_route *at = &console_routes[i];
        int score = path_fit(at->path, &a->path);
        known |= score > 0;
        if (score <= best || !method_fits(http_method(r), at->method)) continue;
        best = score;
        a->route = at;
    }
    if (!a->route) {
        (void)diag_fail(&a->d, known ? ERR_UNSUPPORTED : ERR_NOT_FOUND,
                        known ? "%.*s is not possible on %.*s" : "%.*s %.*s is not here",
                        SLICE_ARG(http_method(r)), SLICE_ARG(http_path(r)));
        (void)diag_hint(&a->d, "GET " CONSOLE_BASE "/openapi.json tells what is");
        a->status = known ? 405 : 404;
        ask_put_refusal(a, a->d.err);
        ask_answer(a);
    } else if (!keep_words(a)) {
        ask_refuse(a, diag_fail(&a->d, ERR_TOO_BIG, "too many parameters"));
    } else {
        session_enter(a);
    }
}

static bool is_loopback_number(struct slice host)
{
    for (uint32_t i = 0; i < host.len; i++)
        if (host.at[i] != '.' && (host.at[i] < '0' || host.at[i] > '9')) return false;
    return slice_starts(host, "127.");
}

/* A page of another site, whose name suddenly means this machine (DNS rebinding), could use what
 * listens on loopback alone, as whoever still has a password of the tutorials. */
static bool host_is_ours(const struct console *c, const struct http_request *r)
{
    struct slice host = http_header(r, "host");
    if (!c->o.loopback) return true;
    if (slice_starts(host, "[::1]")) return true;
    const uint8_t *colon = host.len ? memchr(host.at, ':', host.len) : NULL;
    if (colon) host = slice_make(host.at, (size_t)(colon - host.at));
    static const char local[] = ".localhost";
    size_t n = sizeof(local) - 1;
    return is_loopback_number(host) || slice_equal_nocase(host, SLICE("localhost")) ||
           (host.len > n &&
            slice_equal_nocase(slice_make(host.at + host.len - n, n), slice_of(local)));
}

static void health(struct console *c, struct http_request *r)
{
    struct report_facts facts;
    struct buf text = buf_make(MIB(16));
    c->o.port.facts(c->o.port.ctx, &facts);
    bool fine = report_status_json(c->o.world, &facts, &text);
    console_headers(r, false);
    http_reply(r, fine ? 200 : 503, "application/json", buf_view(&text));
    buf_done(&text);
}

static void on_request(void *door, struct http_request *r)
{
    const struct console_entry *at = door;
    struct console *c = at->console;
    struct slice path = http_path(r);
    bool reads = method_fits(http_method(r), "GET");
    if (reads && (slice_is(path, "/healthz") || slice_is(path, "/ready")))
        health(c, r);
    else if (c->o.port.other && c->o.port.other(c->o.port.ctx, r))
        return;
    else if (!host_is_ours(c, r))
        http_reply_text(r, 403,
                        "this server listens on loopback: call it localhost or 127.0.0.1\n");
    else if (slice_is(path, CONSOLE_BASE) || slice_starts(path, CONSOLE_BASE "/"))
        api_request(c, r);
    else if (slice_starts(path, "/api/") || !reads)
        http_reply_text(r, reads ? 404 : 405, "nothing is here; " CONSOLE_BASE " is\n");
    else
        assets_answer(at, r);
}

/* --- open, close ---------------------------------------------------------------------------------
 */

static void on_second(void *arg)
{
    struct console *c = arg;
    struct report_facts now;
    c->o.port.facts(c->o.port.ctx, &now);
    gate_enter(&c->facts_gate);
    c->facts = now;
    snprintf(c->facts_workflows, sizeof(c->facts_workflows), "%s",
             now.workflows ? now.workflows : "");
    gate_leave(&c->facts_gate);
}

const struct report_facts *console_facts(struct console *c, struct arena *a)
{
    struct report_facts *f = arena_take(a, sizeof(*f));
    if (!f) return NULL;
    gate_enter(&c->facts_gate);
    *f = c->facts;
    f->workflows = arena_text(a, slice_of(c->facts_workflows));
    gate_leave(&c->facts_gate);
    if (!f->workflows) f->workflows = "";
    return f;
}

static err_t listen_on(struct console *c, uint32_t i, struct diag *d)
{
    const struct console_listener *l = &c->o.listeners[i];
    struct http_options http = {.address = c->o.address,
                                .port = (uint16_t)l->port,
                                .handler = on_request,
                                .door = &c->entries[i],
                                .conns_max = CONSOLE_CONNS_MAX,
                                .body_max = CONSOLE_BODY_MAX};
    if (l->port < 0 || !l->setting) return ERR_OK;
    c->entries[i] = (struct console_entry){c, l->page};
    err_t e = http_open(c->loop, &http, &c->http[i], d);
    if (!e) return ERR_OK;
    if (e == ERR_IN_USE)
        (void)diag_hint(d, "end that program, or use another port: --set %s=0 takes a free one%s",
                        l->setting, l->must ? "" : ", -1 none");
    if (l->must || e != ERR_IN_USE) return e;
    say_diag(SAY_DOOR, SAY_WARN, "the console is not to be found at this port too", d);
    return ERR_OK;
}

static err_t start(struct console *c, struct diag *d)
{
    const struct {
        struct crew **crew;
        const char *name;
        uint32_t workers;
    } crews[] = {{&c->quick, "console", QUICK_WORKERS},
                 {&c->slow, "console-long", LONG_WORKERS},
                 {&c->lookers, "console-live", LOOKERS},
                 {&c->watchers, "console-watch", CONSOLE_WATCHES_MAX}};
    err_t e = sessions_open(c, d);
    if (!e) e = flows_open(c, d);
    if (!e) e = known_start(&c->known, d);
    if (!e) e = login_room_open("console-login", &c->room, d);
    for (size_t i = 0; i < COUNT_OF(crews) && !e; i++) {
        struct crew_options o = {.name = crews[i].name,
                                 .loop = c->loop,
                                 .workers = crews[i].workers,
                                 .waiting_max = CONSOLE_WAITING_MAX};
        e = crew_open(&o, crews[i].crew, d);
    }
    if (!e) e = live_open(c, d);
    if (!e) e = sampling_open(c, d);
    if (!e && loop_timer_new(c->loop, 0, SECOND_MS, on_second, c, &c->second))
        e = diag_fail(d, ERR_NO_MEMORY, "no memory for the console");
    for (uint32_t i = 0; i < CONSOLE_LISTENERS_MAX && !e; i++) e = listen_on(c, i, d);
    return e;
}

err_t console_open(struct loop *l, const struct console_options *o, struct console **out,
                   struct diag *d)
{
    struct console *c = mem_take(sizeof(*c));
    if (!c) return diag_fail(d, ERR_NO_MEMORY, "no memory for the console");
    c->o = *o;
    c->loop = l;
    if (!c->o.session_us) c->o.session_us = INT64_C(12) * 3600 * 1000000;
    gate_init(&c->facts_gate);
    gate_init(&c->files_gate);
    err_t e = start(c, d);
    if (e)
        console_close(c);
    else
        *out = c;
    return e;
}

void console_close(struct console *c)
{
    if (!c) return;
    atomic_store(&c->ending, true);
    loop_timer_free(c->second);
    live_stop(c->live);
    login_room_close(c->room);
    crew_close(c->quick);
    crew_close(c->slow);
    crew_close(c->lookers);
    crew_close(c->watchers);
    for (uint32_t i = 0; i < CONSOLE_LISTENERS_MAX; i++) http_close(c->http[i]);
    while (c->asks) ask_free(c->asks); /* nobody waits for them any more */
    live_close(c->live);
    sampling_close(c->sampling);
    flows_close(c->flows);
    sessions_close(c->sessions);
    gate_done(&c->facts_gate);
    gate_done(&c->files_gate);
    mem_give(c);
}

struct http_counts console_counts(const struct console *c, uint32_t listener)
{
    return http_counts(c->http[listener]);
}

uint16_t console_listens(const struct console *c, uint32_t listener)
{
    return c && c->http[listener] ? http_port(c->http[listener]) : 0;
}
