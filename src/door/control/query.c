/* A person's statements, the upkeep of tables, changes of the users: run on a thread of their own
 * and streamed back. */
#include "door/control/control_int.h"

#include "base/say.h"
#include "exec/upkeep.h"

#include "exec/watch.h"
#include "os/clock.h"

enum {
    INFLIGHT_MAX = 1 << 20,
    QUEUED_MAX = 4 << 20,
    ACK_MS = 5,
    POST_RETRY_MS = 1,
    STORY_MAX = 1600,
    SCREEN_MAX = 10000
};

struct query {
    struct control *control;
    struct http_request *request; /* the loop's; NULL when the peer has gone */
    struct thread thread;
    struct slice text;
    char keyspace[64];
    enum render_format format;
    uint32_t screen; /* lines of the peer's terminal; 0: none */
    err_t (*run)(struct query *q, struct diag *d);
    void *own; /* what `run` needs, mem_take'n; NULL: nothing */
    struct gate gate;
    size_t
        inflight; /* bytes handed to the loop and not taken by the peer's queue; under the gate */
    atomic_bool gone; /* the peer has left, or the door closes */
    struct loop_timer *ack;
    struct chunk *last; /* made at the start: the end must arrive, also when memory is spent */
    size_t unacked;     /* the loop's: sent while the peer's queue was too long */
    struct query *next;
};

struct chunk { /* worker -> loop */
    struct query *query;
    bool end;
    size_t len;
    uint8_t bytes[];
};

static void query_free(struct query *q)
{
    thread_join(&q->thread);
    loop_timer_free(q->ack);
    gate_done(&q->gate);
    mem_give((void *)(uintptr_t)q->text.at);
    mem_give(q->own);
    mem_give(q->last);
    mem_give(q);
}

static void unlink_query(struct query *q)
{
    struct query **at = &q->control->queries;
    while (*at && *at != q) at = &(*at)->next;
    if (*at) *at = q->next;
    q->control->query_count--;
}

/* --- on the loop ------------------------------------------------------------------------------ */

static void acknowledge(struct query *q)
{
    gate_enter(&q->gate);
    q->inflight -= q->unacked;
    gate_wake(&q->gate);
    gate_leave(&q->gate);
    q->unacked = 0;
}

static void on_ack_timer(void *arg)
{
    struct query *q = arg;
    if (q->request && http_stream_queued(q->request) > QUEUED_MAX) return;
    acknowledge(q);
    loop_timer_free(q->ack);
    q->ack = NULL;
}

static void on_chunk(void *arg)
{
    struct chunk *c = arg;
    struct query *q = c->query;
    if (q->request && c->len) http_stream_send(q->request, slice_make(c->bytes, c->len));
    if (c->end) {
        if (q->request) http_stream_end(q->request);
        unlink_query(q);
        query_free(q);
        mem_give(c);
        return;
    }
    q->unacked += c->len;
    bool slow = q->request && http_stream_queued(q->request) > QUEUED_MAX;
    if (!slow ||
        (!q->ack && loop_timer_new(q->control->loop, ACK_MS, ACK_MS, on_ack_timer, q, &q->ack)))
        acknowledge(q);
    mem_give(c);
}

static void on_gone(void *arg)
{
    struct query *q = arg;
    q->request = NULL;
    atomic_store(&q->gone, true);
    gate_enter(&q->gate);
    gate_wake(&q->gate);
    gate_leave(&q->gate);
}

/* --- on the worker ---------------------------------------------------------------------------- */

static bool query_stopping(void *ctx)
{
    return atomic_load(&((struct query *)ctx)->gone);
}

static struct chunk *chunk_new(struct query *q, size_t room)
{
    struct chunk *c = mem_take_raw(sizeof(*c) + room);
    if (c) *c = (struct chunk){.query = q};
    return c;
}

/* Hands a chunk to the loop, waiting while the peer is slow or the loop has too much to do. */
static void chunk_post(struct query *q, struct chunk *c)
{
    gate_enter(&q->gate);
    while (q->inflight > INFLIGHT_MAX && !atomic_load(&q->gone)) gate_wait(&q->gate);
    q->inflight += c->len;
    while (loop_post(q->control->loop, on_chunk, c)) {
        if (atomic_load(&q->control->closing)) {
            mem_give(c);
            break;
        }
        (void)gate_wait_ms(&q->gate, POST_RETRY_MS);
    }
    gate_leave(&q->gate);
}

static err_t put_text(void *ctx, struct slice text)
{
    struct query *q = ctx;
    struct chunk *c = chunk_new(q, text.len);
    if (!c) return ERR_NO_MEMORY;
    c->len = text.len;
    if (text.len) memcpy(c->bytes, text.at, text.len);
    chunk_post(q, c);
    return atomic_load(&q->gone) ? ERR_STOPPED : ERR_OK;
}

static err_t run_text(struct query *q, struct diag *d)
{
    struct exec_session session = {.world = q->control->o.world, .dialect = DIALECT_SLUICE};
    struct query_limits limits = {
        .now_ms = clock_wall_ms(), .stopping = query_stopping, .stop_ctx = q};
    struct render render;
    memcpy(session.keyspace, q->keyspace, sizeof(session.keyspace));
    if (exec_is_watch(q->text)) {
        const struct watch_view view = {q->format, q->screen, put_text, q};
        return exec_watch(&session, q->text, &limits, &view, d);
    }
    err_t e = render_init(&render, q->format, put_text, q);
    struct exec_sink sink = render_sink(&render);
    if (!e) e = exec_run(&session, q->text, &limits, &sink, d);
    if (!e) e = render_end(&render);
    render_done(&render);
    return e;
}

static err_t run_upkeep(struct query *q, struct diag *d)
{
    return upkeep_run(q->own, d);
}

struct people_act {                                    /* its password is the body's text */
    char what[16], name[USERS_NAME_MAX + 2], role[16]; /* role "": not given */
};

static err_t run_people(struct query *q, struct diag *d)
{
    const struct people_act *p = q->own;
    struct slice none = {0};
    const struct users_act act = {.what = slice_of(p->what),
                                  .name = slice_of(p->name),
                                  .password = q->text,
                                  .role = p->role[0] ? slice_of(p->role) : none};
    err_t e = users_act(q->control->o.users, &act, d);
    if (!e)
        say_info(SAY_DOOR, "users were changed at the command line", "what=%s user=%s", p->what,
                 p->name);
    return e;
}

/* The stream's status was sent before the outcome was known: a failure is told behind a mark. */
static void put_story(struct chunk *c, const struct diag *d)
{
    c->bytes[0] = CONTROL_FAILURE_MARK;
    diag_format(d, (char *)c->bytes + 1, STORY_MAX - 1);
    c->len = strlen((char *)c->bytes);
}

static void query_run(void *arg)
{
    struct query *q = arg;
    struct chunk *last = q->last;
    struct diag d = {.err = ERR_OK};
    err_t e = q->run(q, &d);
    if (e && d.err != e) (void)diag_fail(&d, e, "%s", err_text(e));
    if (e) put_story(last, &d);
    last->end = true;
    q->last = NULL;
    chunk_post(q, last);
}

/* --- starting and stopping -------------------------------------------------------------------- */

/* A query with the request's body; NULL when it was refused. */
static struct query *query_new(struct control *c, struct http_request *r)
{
    if (c->query_count >= CONTROL_QUERIES_MAX) {
        http_reply_text(r, 503,
                        "error: %d statements run already\n  hint: try again when one is done\n",
                        CONTROL_QUERIES_MAX);
        return NULL;
    }
    struct query *q = mem_take(sizeof(*q));
    char *text = q ? mem_text(http_body(r)) : NULL;
    struct chunk *last = text ? chunk_new(q, STORY_MAX) : NULL;
    if (!last) {
        mem_give(text);
        mem_give(q);
        http_reply_text(r, 503, "error: %s\n", err_text(ERR_NO_MEMORY));
        return NULL;
    }
    *q = (struct query){.control = c, .request = r, .last = last};
    q->text = slice_make(text, http_body(r).len);
    gate_init(&q->gate);
    return q;
}

static void query_start(struct control *c, struct http_request *r, struct query *q)
{
    struct chunk *last = q->last;
    struct diag d;
    q->next = c->queries;
    c->queries = q;
    c->query_count++;
    http_stream_start(r, 200, "text/plain; charset=utf-8", on_gone, q);
    if (thread_start(&q->thread, "query", query_run, q, &d)) {
        put_story(last, &d);
        http_stream_send(r, slice_make(last->bytes, last->len));
        http_stream_end(r);
        unlink_query(q);
        query_free(q);
    }
}

void control_query(struct control *c, struct http_request *r)
{
    struct slice format = SLICE("table"), keyspace = {0}, screen;
    uint64_t lines = 0;
    struct query *q = query_new(c, r);
    if (!q) return;
    q->run = run_text;
    (void)http_param(r, "format", &format);
    if (http_param(r, "screen", &screen) && slice_to_u64(screen, &lines))
        q->screen = (uint32_t)MIN(lines, (uint64_t)SCREEN_MAX);
    if (http_param(r, "keyspace", &keyspace))
        (void)slice_to_cstr(keyspace, q->keyspace, sizeof(q->keyspace));
    if (!render_format_parse(format, &q->format)) {
        q->request = NULL;
        query_free(q);
        http_reply_text(r, 400,
                        "error: there is no format '%.*s'\n  hint: table, json, csv or expand\n",
                        SLICE_ARG(format));
        return;
    }
    query_start(c, r, q);
}

struct param {
    const char *name;
    char *to;
    size_t size;
};
static bool take_params(struct http_request *r, const struct param *params, size_t count)
{
    struct slice value;
    bool fits = true;
    for (size_t i = 0; i < count; i++)
        if (http_param(r, params[i].name, &value))
            fits = fits && slice_to_cstr(value, params[i].to, params[i].size);
    return fits;
}

static bool upkeep_of(struct control *c, struct http_request *r, struct query *q)
{
    struct upkeep *u = mem_take(sizeof(*u));
    if (!u) return false;
    *u = (struct upkeep){.world = c->o.world,
                         .body = q->text,
                         .put = put_text,
                         .stopping = query_stopping,
                         .ctx = q};
    q->own = u;
    q->run = run_upkeep;
    const struct param params[] = {{"what", u->what, sizeof(u->what)},
                                   {"table", u->table, sizeof(u->table)},
                                   {"name", u->name, sizeof(u->name)},
                                   {"format", u->format, sizeof(u->format)}};
    memcpy(u->data, c->data, sizeof(u->data));
    c->o.facts(c->o.ctx, &u->facts);
    return take_params(r, params, COUNT_OF(params));
}

static bool people_of(struct control *c, struct http_request *r, struct query *q)
{
    struct people_act *p = mem_take(sizeof(*p));
    if (!p) return false;
    q->own = p;
    q->run = run_people;
    const struct param params[] = {{"what", p->what, sizeof(p->what)},
                                   {"name", p->name, sizeof(p->name)},
                                   {"role", p->role, sizeof(p->role)}};
    (void)c;
    return take_params(r, params, COUNT_OF(params));
}

/* What has parameters: `takes` reads them. */
static void start_with(struct control *c, struct http_request *r,
                       bool (*takes)(struct control *c, struct http_request *r, struct query *q))
{
    struct query *q = query_new(c, r);
    if (!q) return;
    if (takes(c, r, q)) {
        query_start(c, r, q);
        return;
    }
    q->request = NULL;
    query_free(q);
    http_reply_text(r, 400, "error: a name is too long\n");
}

void control_upkeep(struct control *c, struct http_request *r)
{
    start_with(c, r, upkeep_of);
}

void control_users(struct control *c, struct http_request *r)
{
    start_with(c, r, people_of);
}

/* The peer is told that there would have been more: what its query still posts, no loop hears. */
static void query_cut(struct http_request *r)
{
    _Alignas(struct chunk) char bytes[sizeof(struct chunk) + STORY_MAX];
    struct chunk *c = (struct chunk *)bytes;
    struct diag d;
    (void)diag_fail(&d, ERR_STOPPED, "the server has ended, and this statement with it");
    put_story(c, &d);
    http_stream_send(r, slice_make(c->bytes, c->len));
    http_stream_end(r);
}

void control_queries_stop(struct control *c)
{
    atomic_store(&c->closing, true);
    while (c->queries) {
        struct query *q = c->queries;
        struct http_request *r = q->request;
        on_gone(q);
        unlink_query(q);
        query_free(q);
        if (r) query_cut(r);
    }
}
