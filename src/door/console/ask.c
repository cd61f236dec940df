/* What a handler reads of its request, and answers that are sent piece by piece. */
#include "door/console/console_int.h"

#include "os/clock.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

enum { INFLIGHT_MAX = 1 << 20, QUEUED_MAX = 2 << 20 };

struct exec_world *ask_world(const struct ask *a)
{
    return a->console->o.world;
}

int64_t ask_now_ms(const struct ask *a)
{
    return a->console->o.port.now_us(a->console->o.port.ctx) / 1000;
}

struct slice ask_part(const struct ask *a, const char *name)
{
    return path_named(a->route->path, &a->path, name);
}

bool ask_param(const struct ask *a, const char *name, struct slice *out)
{
    for (uint32_t i = 0; i < a->param_count; i++) {
        if (!slice_is(a->params[i].name, name)) continue;
        *out = a->params[i].value;
        return true;
    }
    return false;
}

struct slice ask_text(const struct ask *a, const char *name)
{
    struct slice s = {0};
    return ask_param(a, name, &s) ? s : (struct slice){0};
}

err_t ask_int(struct ask *a, const char *name, int64_t fallback, int64_t least, int64_t most,
              int64_t *out)
{
    struct slice s;
    *out = fallback;
    if (!ask_param(a, name, &s)) return ERR_OK;
    if (slice_to_i64(s, out) && *out >= least && *out <= most) return ERR_OK;
    return diag_fail(&a->d, ERR_RANGE, "%s has to be from %" PRId64 " to %" PRId64 ", not %.*s",
                     name, least, most, SLICE_ARG(s));
}

bool ask_bool(const struct ask *a, const char *name, bool fallback)
{
    struct slice s;
    return ask_param(a, name, &s) ? slice_is(s, "true") : fallback;
}

const struct doc *ask_body(const struct ask *a, const char *name)
{
    const struct doc *v = doc_get(&a->body, name);
    return v && v->kind != DOC_NULL ? v : NULL;
}

struct slice ask_body_text(const struct ask *a, const char *name)
{
    return doc_text(ask_body(a, name));
}

int64_t ask_body_int(const struct ask *a, const char *name, int64_t fallback)
{
    const struct doc *v = ask_body(a, name);
    return v && v->kind == DOC_INT ? v->number : fallback;
}

bool ask_body_bool(const struct ask *a, const char *name, bool fallback)
{
    const struct doc *v = ask_body(a, name);
    return v && v->kind == DOC_BOOL ? v->yes : fallback;
}

void ask_put_story(struct buf *out, err_t e, const struct diag *d, const char *role)
{
    bool told = d && d->what[0];
    char code[64];
    snprintf(code, sizeof(code), "ERR_%s", err_name(e));
    js_open(out, '{');
    js_put_open(out, "error", '{');
    js_put_cstr(out, "code", code);
    js_put_cstr(out, "what", told ? d->what : err_text(e));
    js_put_cstr(out, "where", told ? d->where : "");
    js_put_cstr(out, "why", told ? d->why : "");
    js_put_cstr(out, "hint", told && d->hint[0] ? d->hint : err_hint(e));
    if (role) js_put_cstr(out, "role", role);
    js_close(out, '}');
    js_close(out, '}');
}

void ask_put_error(struct buf *out, err_t e, const struct diag *d)
{
    ask_put_story(out, e, d, NULL);
}

void ask_put_refusal(struct ask *a, err_t e)
{
    bool lacks = e == ERR_FORBIDDEN && a->route && a->user.role < a->route->role;
    buf_reset(&a->out);
    ask_put_story(&a->out, e, &a->d, lacks ? role_name(a->route->role) : NULL);
}

/* --- streams -------------------------------------------------------------------------------------
 */

struct chunk {
    struct chunk *next;
    size_t len;
    uint8_t bytes[];
};
struct ask_stream {
    struct ask *ask;
    struct http_request *http; /* the loop's; NULL: the peer has left */
    struct gate gate;
    struct chunk *first, **last; /* in the gate, as the two below: on the way to the loop */
    size_t inflight;             /* there, or in the peer's queue */
    bool posted;
    struct loop_message message;
    atomic_bool gone;
    struct slice file; /* the worker's, until the first chunk */
    bool started;      /* the loop's */
    size_t unacked;    /* the loop's */
};

static void stream_left(void *arg)
{
    struct ask_stream *s = ((struct ask *)arg)->stream;
    s->http = NULL;
    atomic_store(&s->gone, true);
    gate_enter(&s->gate);
    s->inflight = 0;
    gate_wake(&s->gate);
    gate_leave(&s->gate);
}

static void stream_drained(void *arg)
{
    struct ask_stream *s = ((struct ask *)arg)->stream;
    gate_enter(&s->gate);
    s->inflight -= MIN(s->inflight, s->unacked);
    gate_wake(&s->gate);
    gate_leave(&s->gate);
    s->unacked = 0;
}

static void stream_start(struct ask *a)
{
    struct ask_stream *s = a->stream;
    char attach[300];
    s->started = true;
    console_headers(a->http, false);
    if (s->file.len) {
        snprintf(attach, sizeof(attach), "attachment; filename=\"%.*s\"", SLICE_ARG(s->file));
        http_reply_header(a->http, "Content-Disposition", attach);
    }
    s->http = a->http;
    http_stream_start(a->http, 200, a->route->answer + 7, stream_left, a);
    http_stream_drained(a->http, stream_drained);
}

static void on_chunks(struct loop_message *m)
{
    struct ask_stream *s =
        (struct ask_stream *)(void *)((char *)m - offsetof(struct ask_stream, message));
    gate_enter(&s->gate);
    struct chunk *c = s->first;
    s->first = NULL;
    s->last = &s->first;
    s->posted = false;
    gate_leave(&s->gate);
    if (!s->started) stream_start(s->ask);
    while (c) {
        struct chunk *next = c->next;
        s->unacked += c->len;
        if (s->http) http_stream_send(s->http, slice_make(c->bytes, c->len));
        mem_give(c);
        c = next;
    }
    if (!s->http || http_stream_queued(s->http) < QUEUED_MAX) stream_drained(s->ask);
}

err_t ask_send(struct ask *a)
{
    struct ask_stream *s = a->stream;
    INVARIANT(s); /* only routes whose answer is "stream:…" */
    if (a->out.err) return diag_fail(&a->d, a->out.err, "the answer can not be written");
    struct chunk *c = mem_take_raw(sizeof(*c) + a->out.len);
    if (!c) return diag_fail(&a->d, ERR_NO_MEMORY, "no memory for a part of the answer");
    *c = (struct chunk){.len = a->out.len};
    if (c->len) memcpy(c->bytes, a->out.at, c->len);
    buf_reset(&a->out);
    gate_enter(&s->gate);
    while (s->inflight > INFLIGHT_MAX && !ask_stopping(a)) (void)gate_wait_ms(&s->gate, 100);
    s->inflight += c->len;
    *s->last = c;
    s->last = &c->next;
    if (!s->posted) loop_send(a->console->loop, &s->message, on_chunks);
    s->posted = true;
    gate_leave(&s->gate);
    return ask_stopping(a) ? ERR_STOPPED : ERR_OK;
}

bool ask_stopping(void *ask)
{
    struct ask *a = ask;
    return atomic_load(&a->console->ending) || (a->stream && atomic_load(&a->stream->gone));
}

void ask_attach(struct ask *a, const char *file_name)
{
    char safe[200];
    size_t n = 0;
    for (const char *c = file_name; *c && n + 1 < sizeof(safe); c++)
        safe[n++] = *c < ' ' || *c > '~' || *c == '"' || *c == '\\' || *c == '/' ? '_' : *c;
    safe[n] = 0;
    a->stream->file = arena_slice(a->arena, slice_of(safe));
}

err_t ask_stream_new(struct ask *a)
{
    struct ask_stream *s = mem_take(sizeof(*s));
    if (!s) return diag_fail(&a->d, ERR_NO_MEMORY, "no memory for an answer");
    s->ask = a;
    s->last = &s->first;
    gate_init(&s->gate);
    a->stream = s;
    return ERR_OK;
}

/* What is left of it: the rest, or the failure's story, which comes too late for the status. */
bool ask_stream_ended(struct ask *a, err_t e)
{
    struct ask_stream *s = a->stream;
    if (!s) return false;
    if (!s->started && e) return false; /* answered as any failure is */
    if (!s->started) stream_start(a);
    if (e && e != ERR_STOPPED) ask_put_refusal(a, e), buf_char(&a->out, '\n');
    if (s->http && !a->out.err) http_stream_send(s->http, buf_view(&a->out));
    if (s->http) http_stream_end(s->http);
    return true;
}

void ask_stream_free(struct ask *a)
{
    if (!a->stream) return;
    for (struct chunk *c = a->stream->first, *next; c; c = next) {
        next = c->next;
        mem_give(c);
    }
    gate_done(&a->stream->gate);
    mem_give(a->stream);
    a->stream = NULL;
}
