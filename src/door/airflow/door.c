/* The door: requests come in on the loop, are logged in, wait for a worker, and their answers go
 * out on the loop again. */
#include "door/airflow/airflow_int.h"

#include "base/hash.h"
#include "base/say.h"
#include "sched/secret.h"

#include <openssl/rand.h>
#include <stddef.h>

enum { TRIES = 8, CONNS_MAX = 512 };

struct airflow_door {
    struct airflow_options o;
    struct loop *loop;
    struct http_server *http;
    struct login_room *room;
    struct crew *crew;
    bool ending;
    struct call *calls; /* the loop's: all there are */
    uint8_t key[32];
    bool has_key;
    struct known_logins known; /* the loop's */
    uint64_t number;
};

struct loop *airflow_loop(const struct airflow_door *f)
{
    return f->loop;
}
/* Tokens are signed with a key that the database's own is the mother of, so that they stay good
 * when the server is started anew, and are good at every server of one database. */
err_t airflow_key(struct airflow_door *f, struct slice *key, struct diag *d)
{
    struct secret_ring ring = {0};
    *key = slice_make(f->key, sizeof(f->key));
    if (f->has_key) return ERR_OK;
    err_t e = f->o.sched.secret(f->o.sched.ctx, &ring, d);
    if (!e && !ring.count) e = diag_fail(d, ERR_CONFIG, "the workflows' database has no key");
    if (!e)
        digest_hmac_sha256(slice_make(ring.keys[0], SECRET_KEY), SLICE("sluice api tokens"),
                           f->key);
    secret_ring_done(&ring);
    f->has_key = !e;
    return e;
}
struct users *airflow_users(const struct airflow_door *f)
{
    return f->o.users;
}
struct login_room *airflow_room(const struct airflow_door *f)
{
    return f->room;
}
const struct airflow_options *airflow_options(const struct airflow_door *f)
{
    return &f->o;
}
int64_t airflow_now(const struct airflow_door *f)
{
    return f->o.sched.now_us(f->o.sched.ctx);
}
void airflow_wake(const struct airflow_door *f)
{
    f->o.sched.wake(f->o.sched.ctx);
}
uint64_t airflow_number(struct airflow_door *f)
{
    uint64_t n;
    f->number++;
    if (RAND_bytes((unsigned char *)&n, sizeof(n)) != 1) n = f->number; /* only has to differ */
    return n;
}

bool airflow_known(struct airflow_door *f, const struct call *c)
{
    return known_is(&f->known, f->o.users, c->name, c->password, airflow_now(f));
}

void airflow_know(struct airflow_door *f, const struct call *c)
{
    known_add(&f->known, f->o.users, c->name, c->password, airflow_now(f));
}

/* --- a call's life
 * ---------------------------------------------------------------------------------- */

static void rest_free(struct call *c)
{
    if (c->dag) dag_give(c->dag);
    *c->link = c->later;
    if (c->later) c->later->link = c->link;
    loop_timer_free(c->timer);
    arena_free(c->kept);
    arena_free(c->a_look);
    buf_done(&c->out);
    mem_give(c);
}

static void send_on(void *arg)
{
    rest_go(arg);
}

static void peer_gone(void *arg) /* while a stream is open: the request is dead */
{
    struct call *c = arg;
    c->gone = true;
    if (!c->at_work) rest_free(c);
}

/* While a stream is open its peer may leave at any time, and the request's memory goes with it: the
 * worker that looks again has its own. */
static bool keep_path(struct call *c)
{
    c->kept = arena_new(MIB(1));
    c->a_look = arena_new(AIRFLOW_ARENA_MAX);
    struct param *params =
        c->kept ? arena_take(c->kept, (c->param_count + 1) * sizeof(*params)) : NULL;
    if (!params || !c->a_look) return false;
    bool fine = true;
    for (uint32_t i = 0; i < c->param_count; i++) {
        params[i].name = arena_slice(c->kept, c->params[i].name);
        params[i].value = arena_slice(c->kept, c->params[i].value);
        fine = fine && params[i].name.at && params[i].value.at;
    }
    for (uint32_t i = 0; i < c->path.count; i++) {
        c->path.parts[i] = arena_slice(c->kept, c->path.parts[i]);
        fine = fine && c->path.parts[i].at;
    }
    c->params = params;
    c->arena = c->a_look;
    return fine;
}

static void stream_answer(struct call *c)
{
    if (!c->streaming) {
        c->streaming = true;
        if (!keep_path(c)) c->again_ms = 0; /* no memory: what is known is told, and no more */
        http_stream_start(c->http, 200, "application/x-ndjson", peer_gone, c);
    }
    http_stream_send(c->http, buf_view(&c->out));
    buf_reset(&c->out);
    bool more = c->again_ms > 0 && !c->door->ending;
    if (more && !c->timer && loop_timer_new(c->door->loop, c->again_ms, 0, send_on, c, &c->timer))
        more = false;
    else if (more)
        loop_timer_set(c->timer, c->again_ms);
    if (more) return;
    http_stream_end(c->http);
    rest_free(c);
}

void rest_answer(struct call *c)
{
    if (c->gone) {
        rest_free(c);
        return;
    }
    if (c->streaming || (c->again_ms > 0 && !c->refused)) {
        stream_answer(c);
        return;
    }
    const char *type = c->type ? c->type : "application/json";
    if (c->status == 204)
        http_reply(c->http, 204, NULL, (struct slice){0});
    else
        http_reply(c->http, c->status ? c->status : 200, type, buf_view(&c->out));
    rest_free(c);
}

static struct call *call_of(struct crew_job *j)
{
    return (struct call *)(void *)((char *)j - offsetof(struct call, job));
}

static void answered(struct crew_job *j)
{
    struct call *c = call_of(j);
    c->at_work = false;
    rest_answer(c);
}

static void carry_out(struct crew_job *j, void **own);

void rest_go(struct call *c)
{
    c->job.run = carry_out;
    c->job.done = answered;
    c->at_work = crew_give(c->door->crew, &c->job);
    if (c->at_work) return;
    c->again_ms = 0;
    refuse(c, 503, "Service Unavailable", "too many requests wait already: try again shortly");
    rest_put_refusal(c, ERR_BUSY);
    rest_answer(c);
}

/* --- on a worker
 * -------------------------------------------------------------------------------------- */

static err_t read_body(struct call *c)
{
    struct slice body = http_body(c->http);
    c->body = (struct doc){.kind = DOC_NULL};
    if (!body.len) return ERR_OK;
    err_t e = doc_of_json(body, c->arena, &c->body, &c->d);
    if (!e) return ERR_OK;
    if (c->api == API_V1) return refuse(c, 400, "Bad Request", "Request body is not valid JSON");
    buf_text(&c->out, "{\"detail\": [{\"type\": \"json_invalid\", \"loc\": [\"body\", 0], \"msg\": "
                      "\"JSON decode error\", \"input\": {}}]}");
    c->refused = true;
    c->status = 422;
    return ERR_BAD_JSON;
}

/* A worker's own connection to the database. */
static err_t worker_meta(struct airflow_door *f, void **own, struct diag *d)
{
    struct meta *m = NULL;
    err_t e = *own ? ERR_OK : f->o.sched.meta(f->o.sched.ctx, &m, d);
    if (!e && !*own) *own = m;
    return e;
}

static void close_meta(void *own)
{
    meta_close(own);
}

static void carry_out(struct crew_job *j, void **own)
{
    struct call *c = call_of(j);
    c->again_ms = 0;
    err_t e = worker_meta(c->door, own, &c->d);
    c->meta = *own;
    bool asks_health = c->route->run == api_get_health || c->route->run == api_get_version;
    if (e && asks_health) e = ERR_OK; /* says itself that the database is not there */
    if (!e) {
        const struct airflow_port *p = &c->door->o.sched;
        c->ops = (struct ops){.meta = c->meta,
                              .now_us = airflow_now(c->door),
                              .dag = p->dag,
                              .dags = p->dags,
                              .ctx = p->ctx,
                              .user = slice_of(c->user.name),
                              .via = "rest_api",
                              .seed = airflow_number(c->door)};
        if (c->streaming)
            arena_reset(c->a_look);
        else
            e = read_body(c);
    }
    if (!e && c->route->role != ROLE_NONE) e = rest_allowed(c);
    if (!e) e = c->route->run(c);
    if (!e && c->out.err && c->d.err != c->out.err) /* otherwise who knew more has told it */
        (void)diag_fail(&c->d, c->out.err, "the answer can not be written");
    if (!e) e = c->out.err;
    if (c->meta && meta_inside(c->meta)) meta_rollback(c->meta);
    if (e == ERR_OFFLINE || e == ERR_IO) { /* another try begins with a connection of its own */
        meta_close(*own);
        *own = NULL;
    }
    if (e) rest_put_refusal(c, e);
    if (e && c->status >= 500)
        say_diag(SAY_SCHED, SAY_WARN, "a request of Airflow's API failed", &c->d);
}

/* --- changes
 * ------------------------------------------------------------------------------------------ */

err_t rest_event(struct call *c, const char *event, struct slice extra)
{
    struct ops_event e = {.event = event,
                          .dag_id = rest_part(c, "dag_id"),
                          .run_id = rest_part(c, "dag_run_id"),
                          .task_id = rest_part(c, "task_id"),
                          .extra = extra,
                          .map_index = -1,
                          .logical = TIME_NONE};
    return ops_event_put(&c->ops, &e, &c->d);
}

err_t rest_transact(struct call *c, err_t (*change)(struct call *c))
{
    err_t e = ERR_BUSY;
    for (int i = 0; i < TRIES && e == ERR_BUSY && !c->refused; i++) {
        buf_reset(&c->out);
        e = meta_begin(c->meta, true, &c->d);
        if (!e) e = change(c);
        if (!e) e = meta_tell(c->meta, &c->d);
        if (!e) e = meta_commit(c->meta, &c->d);
        if (meta_inside(c->meta)) meta_rollback(c->meta);
    }
    if (!e) airflow_wake(c->door);
    return e;
}

/* --- requests come in
 * ---------------------------------------------------------------------------------- */

static void read_params(struct call *c)
{
    struct param one;
    c->params = arena_take(c->arena, CALL_PARAMS_MAX * sizeof(*c->params));
    while (c->params && c->param_count < CALL_PARAMS_MAX &&
           http_param_at(c->http, c->param_count, &one.name, &one.value))
        c->params[c->param_count++] = one;
}

static void find_route(struct call *c, bool *path_known)
{
    int best = 0, family = (int)(c->ui ? API_UI : c->api);
    for (uint32_t i = 0; i < route_count; i++) {
        const struct route *r = &routes[i];
        int score = r->apis & family ? path_fit(r->path, &c->path) : 0;
        if (!score) continue;
        *path_known = true;
        if (score <= best || !method_fits(http_method(c->http), r->method)) continue;
        best = score;
        c->route = r;
    }
}

static void not_here(struct call *c, bool path_known)
{
    if (c->api == API_V2)
        refuse(c, path_known ? 405 : 404, NULL, path_known ? "Method Not Allowed" : "Not Found");
    else if (path_known)
        refuse(c, 405, "Method Not Allowed", "The method is not allowed for the requested URL.");
    else
        refuse(c, 404, "Not Found",
               "The requested URL was not found on the server. If you entered the URL manually "
               "please check your spelling and try again.");
    rest_put_refusal(c, ERR_NOT_FOUND);
    rest_answer(c);
}

static struct call *rest_new(struct airflow_door *f, struct http_request *r)
{
    struct call *c = mem_take(sizeof(*c));
    if (!c) return NULL;
    c->door = f;
    c->http = r;
    c->arena = http_arena(r);
    c->out = buf_make(AIRFLOW_ANSWER_MAX);
    c->api = API_V2;
    c->later = f->calls;
    c->link = &f->calls;
    if (f->calls) f->calls->link = &c->later;
    f->calls = c;
    return c;
}

static const struct {
    const char *path;
    bool token;
} own[] = {{"/auth/token", true}, {"/auth/token/cli", true}, {"/health", false}};

bool airflow_handle(struct airflow_door *f, struct http_request *r)
{
    struct slice path = http_path(r), word;
    bool v1 = slice_starts(path, "/api/v1/"), v2 = slice_starts(path, "/api/v2/");
    bool ui = slice_starts(path, "/ui/");
    size_t mine = 0;
    while (mine < COUNT_OF(own) && !slice_is(path, own[mine].path)) mine++;
    if (!v1 && !v2 && !ui && mine == COUNT_OF(own)) return false;
    struct call *c = rest_new(f, r);
    if (!c) {
        http_reply_text(r, 503, "no memory\n");
        return true;
    }
    read_params(c);
    bool path_known = mine < COUNT_OF(own);
    if (v1 || v2 || ui) {
        c->api = v1 ? API_V1 : API_V2;
        c->ui = ui;
        path_read(r, ui ? 0 : 2, &c->path);
        find_route(c, &path_known);
    } else if (own[mine].token) {
        c->token_asked = slice_is(http_method(r), "POST");
    } else if (http_path_part(r, 0, &word)) { /* Airflow 2's /health */
        c->api = API_V1;
        c->path.parts[c->path.count++] = word;
        find_route(c, &path_known);
    }
    if (c->route || c->token_asked)
        rest_login(c);
    else
        not_here(c, path_known);
    return true;
}

static void on_request(void *door, struct http_request *r)
{
    if (!airflow_handle(door, r))
        http_reply_text(r, 404, "nothing is here; /api/v1, /api/v2, /auth/token and /health are\n");
}

/* --- open, close
 * ------------------------------------------------------------------------------------- */

static err_t start(struct airflow_door *f, struct diag *d)
{
    struct http_options http = {.address = f->o.address,
                                .port = f->o.port,
                                .handler = on_request,
                                .door = f,
                                .conns_max = CONNS_MAX,
                                .body_max = AIRFLOW_BODY_MAX};
    struct crew_options crew = {.name = "airflow",
                                .loop = f->loop,
                                .workers = f->o.workers,
                                .waiting_max = AIRFLOW_WAITING_MAX,
                                .leave = close_meta};
    err_t e = known_start(&f->known, d);
    if (!e) e = login_room_open("airflow-login", &f->room, d);
    if (!e) e = crew_open(&crew, &f->crew, d);
    if (!e && !f->o.mounted) e = http_open(f->loop, &http, &f->http, d);
    return e;
}

err_t airflow_open(struct loop *l, const struct airflow_options *o, struct airflow_door **out,
                   struct diag *d)
{
    struct airflow_door *f = mem_take(sizeof(*f));
    if (!f) return diag_fail(d, ERR_NO_MEMORY, "no memory for the door of Airflow's API");
    f->o = *o;
    f->loop = l;
    f->o.workers = o->workers ? MIN(o->workers, (uint32_t)AIRFLOW_WORKERS_MAX) : 2;
    if (!f->o.token_us) f->o.token_us = 86400 * SECOND_US;
    err_t e = start(f, d);
    if (e)
        airflow_close(f);
    else
        *out = f;
    return e;
}

void airflow_close(struct airflow_door *f)
{
    if (!f) return;
    f->ending = true;
    login_room_close(f->room);
    crew_close(f->crew);
    http_close(f->http);
    while (f->calls) rest_free(f->calls); /* nobody waits for them any more */
    mem_give(f);
}

uint16_t airflow_listens(const struct airflow_door *f)
{
    return f->http ? http_port(f->http) : 0;
}
