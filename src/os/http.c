/* The server: one connection's bytes become requests. Answers: http_reply.c. */
#include "os/http_int.h"

#include "base/metric.h"
#include "base/say.h"

#include <stdio.h>

enum {
    SPARE_MAX = 64,        /* request objects kept for the next ones */
    ARENA_MAX = 4 << 20,   /* a request's own memory, its body aside */
    CHUNK_LINE_MAX = 1024, /* extensions included */
    REPLY_FIELDS_MAX = 16384,
};

/* --- requests --------------------------------------------------------------------------------- */

static void chain(struct http_request **list, struct http_request *r)
{
    r->next = *list;
    r->before = list;
    if (r->next) r->next->before = &r->next;
    *list = r;
}

static void unchain(struct http_request *r)
{
    *r->before = r->next;
    if (r->next) r->next->before = r->before;
}

static void free_request(struct http_request *r)
{
    loop_timer_free(r->gone_soon);
    arena_free(r->arena);
    buf_done(&r->body);
    buf_done(&r->reply_fields);
    mem_give(r);
}

static struct http_request *take_request(struct http_server *s)
{
    struct http_request *r = s->spare;
    if (r) {
        unchain(r);
        s->spare_count--;
    } else {
        r = mem_take(sizeof(*r));
        if (!r) return NULL;
        r->arena = arena_new(ARENA_MAX);
        if (!r->arena) {
            mem_give(r);
            return NULL;
        }
        r->reply_fields = buf_make(REPLY_FIELDS_MAX);
    }
    r->server = s;
    r->body = buf_make(s->options.body_max);
    r->head.minor = 1;
    r->head.field_count = 0;
    chain(&s->requests, r);
    return r;
}

static void give_request(struct http_request *r)
{
    struct http_server *s = r->server;
    unchain(r);
    if (s->spare_count == SPARE_MAX || arena_used(r->arena) > 65536) {
        free_request(r);
        return;
    }
    loop_timer_free(r->gone_soon);
    arena_reset(r->arena);
    buf_done(&r->body);
    buf_reset(&r->reply_fields);
    /* Not by one assignment: the table of header lines is long, and the next head overwrites it. */
    r->link = NULL;
    r->gone = NULL, r->drained = NULL, r->stream_arg = NULL, r->gone_soon = NULL;
    r->path = r->raw_path = r->query = (struct slice){0};
    r->head_only = r->closes = r->chunks = r->streaming = false;
    chain(&s->spare, r);
    s->spare_count++;
}

void http_request_done(struct http_request *r)
{
    struct http_link *k = r->link;
    bool closes = r->closes;
    give_request(r);
    if (!k) return; /* the peer has left before its answer */
    k->now = NULL;
    k->phase = HTTP_HEAD;
    if (closes) {
        conn_close(k->conn);
    } else if (k->held) {
        conn_timeout(k->conn, k->server->options.idle_timeout_ms);
        conn_resume(k->conn);
    }
    k->held = false;
}

/* Ends the connection with a word about why. What else the peer sends is dropped. */
static void refuse(struct http_link *k, int status, const char *why)
{
    struct http_request *r = k->now ? k->now : take_request(k->server);
    if (!r) {
        conn_close_now(k->conn);
        return;
    }
    say_debug(SAY_OS, "request refused", "peer=%s status=%d why=\"%s\"", conn_peer(k->conn), status,
              why);
    k->now = r;
    r->link = k;
    r->closes = true;
    http_reply_text(r, status, "%d %s: %s\n", status, http_status_text(status), why);
}

/* --- from bytes to requests ------------------------------------------------------------------- */

/* "/path?query", "http://host/path?query" or "*". */
static bool split_target(struct http_request *r)
{
    struct slice t = r->head.target;
    for (int i = 0; i < 2; i++) {
        const char *scheme = i ? "https://" : "http://";
        if (!slice_starts(t, scheme)) continue;
        t = slice_make(t.at + strlen(scheme), t.len - strlen(scheme));
        while (t.len && t.at[0] != '/' && t.at[0] != '?') t = slice_make(t.at + 1, t.len - 1);
        if (t.len == 0) t = SLICE("/");
    }
    const uint8_t *mark = memchr(t.at, '?', t.len);
    r->raw_path = slice_make(t.at, mark ? (size_t)(mark - t.at) : t.len);
    if (mark) r->query = slice_make(mark + 1, t.len - r->raw_path.len - 1);
    if (slice_is(r->raw_path, "*")) {
        r->path = r->raw_path;
        return slice_is(r->head.method, "OPTIONS");
    }
    if (r->raw_path.len == 0 || r->raw_path.at[0] != '/') return false;
    if (!http_decode(r->arena, r->raw_path, false, &r->path)) return false;
    r->path = http_path_normalise(r->path);
    return true;
}

static void request_arrived(struct http_link *k)
{
    if (k->timed) conn_deadline(k->conn, 0);
    k->timed = false;
    k->phase = HTTP_ANSWERING;
    metric_add(METRIC_http_requests_total, 1);
    http_count(&k->server->asked);
    k->server->options.handler(k->server->options.door, k->now);
    if (k->now && k->phase == HTTP_ANSWERING) { /* kept: its connection waits with it */
        k->held = true;
        conn_timeout(k->conn, 0);
        conn_pause(k->conn);
    }
}

static void start_deadline(struct http_link *k)
{
    if (!k->timed) conn_deadline(k->conn, k->server->options.request_timeout_ms);
    k->timed = true;
}

static void begin_request(struct http_link *k, struct slice text)
{
    const char *why = "";
    struct http_request *r = k->now = take_request(k->server);
    struct slice kept = r ? arena_slice(r->arena, text) : (struct slice){0};
    if (!kept.at) {
        conn_close_now(k->conn);
        return;
    }
    r->link = k;
    int status = http_head_parse(kept, &r->head, &why);
    if (!status && !split_target(r)) status = 400, why = "the target is malformed";
    if (!status && r->head.length > k->server->options.body_max)
        status = 413, why = "the body is larger than the limit";
    if (status) {
        refuse(k, status, why);
        return;
    }
    r->head_only = slice_is(r->head.method, "HEAD");
    r->closes = !r->head.keep_alive;
    k->left = r->head.length;
    k->trailer_size = 0;
    if (!r->head.chunked && k->left == 0) {
        request_arrived(k);
        return;
    }
    k->phase = r->head.chunked ? HTTP_CHUNK_LINE : HTTP_BODY;
    start_deadline(k);
    if (r->head.expects_continue) conn_write(k->conn, SLICE("HTTP/1.1 100 Continue\r\n\r\n"));
}

static size_t take_head(struct http_link *k, struct slice in)
{
    const char *why = "";
    if (in.at[0] == '\r' && in.len == 1) return 0;
    if (in.at[0] == '\r' && in.at[1] == '\n') return 2; /* RFC 9112 2.2: empty lines before */
    const uint8_t *end = memmem(in.at, in.len, "\r\n\r\n", 4);
    size_t size = end ? (size_t)(end - in.at) + 4 : in.len;
    int status = http_head_check(slice_make(in.at, size), k->server->options.header_max, &why);
    if (status) {
        refuse(k, status, why);
        return in.len;
    }
    if (!end) {
        start_deadline(k);
        return 0;
    }
    begin_request(k, slice_make(in.at, size));
    return size;
}

/* Body bytes up to `left`. Memory grows with what has come, not with what was announced. */
static size_t take_body(struct http_link *k, struct slice in)
{
    size_t n = (size_t)MIN(k->left, (uint64_t)in.len);
    buf_put(&k->now->body, in.at, n);
    if (k->now->body.err) {
        refuse(k, 503, "out of memory");
        return in.len;
    }
    k->left -= n;
    if (k->left == 0 && k->phase == HTTP_BODY)
        request_arrived(k);
    else if (k->left == 0)
        k->phase = HTTP_CHUNK_END;
    return n;
}

/* A line of the chunked form: a size, the end of a chunk's data, a trailer. */
static size_t take_chunk_line(struct http_link *k, struct slice in)
{
    const char *why = "a chunk is malformed";
    size_t most = MIN((size_t)in.len, (size_t)CHUNK_LINE_MAX);
    const uint8_t *end = memchr(in.at, '\n', most);
    if (!end && most < CHUNK_LINE_MAX) return 0;
    int status = end && end > in.at && end[-1] == '\r' ? 0 : 400;
    struct slice line = status ? (struct slice){0} : slice_make(in.at, (size_t)(end - in.at) - 1);
    struct http_field trailer;
    size_t size = (size_t)line.len + 2;
    if (!status && k->phase == HTTP_CHUNK_LINE) {
        status = http_chunk_parse(line, &k->left, &why);
        uint64_t room = k->server->options.body_max - k->now->body.len;
        if (!status && k->left > room) status = 413, why = "the body is larger than the limit";
        k->phase = k->left ? HTTP_CHUNK_DATA : HTTP_TRAILER;
    } else if (!status && k->phase == HTTP_CHUNK_END) {
        status = line.len == 0 ? 0 : 400;
        k->phase = HTTP_CHUNK_LINE;
    } else if (!status && line.len > 0) { /* a trailer: checked, counted, dropped */
        k->trailer_size += size;
        if (k->trailer_size > k->server->options.header_max)
            status = 431, why = "the trailer is larger than the limit";
        else if (!http_field_parse(line, &trailer))
            status = 400, why = "a trailer line is malformed";
    } else if (!status) {
        request_arrived(k);
    }
    if (!status) return size;
    refuse(k, status, why);
    return in.len;
}

static size_t link_data(void *state, struct conn *c, struct slice in)
{
    struct http_link *k = state;
    (void)c;
    switch (k->phase) {
    case HTTP_HEAD: return take_head(k, in);
    case HTTP_BODY:
    case HTTP_CHUNK_DATA: return take_body(k, in);
    case HTTP_CHUNK_LINE:
    case HTTP_CHUNK_END:
    case HTTP_TRAILER: return take_chunk_line(k, in);
    case HTTP_ANSWERING: break;
    }
    return 0; /* paused: not reached */
}

/* --- the connection's life -------------------------------------------------------------------- */

static void *link_open(void *door, struct conn *c)
{
    struct http_server *s = door;
    struct http_link *k = pool_take(s->links);
    if (k) *k = (struct http_link){.server = s, .conn = c};
    return k;
}

static void link_closed(void *state, struct conn *c)
{
    struct http_link *k = state;
    struct http_request *r = k->now;
    struct http_server *s = k->server;
    (void)c;
    bool arriving = k->phase != HTTP_ANSWERING;
    pool_give(s->links, k);
    if (!r) return;
    r->link = NULL;
    if (arriving) {
        give_request(r);
    } else if (r->streaming) {
        if (r->gone) r->gone(r->stream_arg);
        give_request(r);
    } /* else kept by its handler, until it answers */
}

static void link_expired(void *state, struct conn *c)
{
    struct http_link *k = state;
    if (k->phase == HTTP_HEAD && !k->timed)
        conn_close(c); /* nothing was asked */
    else
        refuse(k, 408, "the request did not arrive in time");
}

static void link_left(void *state, struct conn *c)
{
    struct http_link *k = state;
    if (k->now && k->now->streaming) conn_close_now(c);
}

static void link_drained(void *state, struct conn *c)
{
    const struct http_link *k = state;
    (void)c;
    if (k->now && k->now->streaming && k->now->drained) k->now->drained(k->now->stream_arg);
}

static const struct conn_handler link_handler = {.open = link_open,
                                                 .data = link_data,
                                                 .drained = link_drained,
                                                 .closed = link_closed,
                                                 .expired = link_expired,
                                                 .left = link_left};

err_t http_open(struct loop *l, const struct http_options *o, struct http_server **out,
                struct diag *d)
{
    struct http_server *s = mem_take(sizeof(*s));
    if (!s) return diag_fail(d, ERR_NO_MEMORY, "HTTP can not listen on %s", o->address);
    *s = (struct http_server){.loop = l, .options = *o};
    if (!o->conns_max) s->options.conns_max = 1024;
    if (!o->header_max) s->options.header_max = (uint32_t)KIB(16);
    if (!o->body_max) s->options.body_max = (uint32_t)MIB(8);
    if (!o->idle_timeout_ms) s->options.idle_timeout_ms = 60000;
    if (!o->request_timeout_ms) s->options.request_timeout_ms = 30000;
    s->links = pool_new(sizeof(struct http_link), s->options.conns_max);
    struct listener_options lo = {.address = o->address,
                                  .port = o->port,
                                  .tls = o->tls,
                                  .handler = &link_handler,
                                  .door = s,
                                  .conns_max = s->options.conns_max,
                                  .input_max = s->options.header_max + (uint32_t)KIB(64),
                                  .idle_timeout_ms = s->options.idle_timeout_ms};
    err_t e = s->links ? listener_open(l, &lo, &s->listener, d)
                       : diag_fail(d, ERR_NO_MEMORY, "HTTP can not listen on %s", o->address);
    if (e) {
        http_close(s);
        return e;
    }
    *out = s;
    return ERR_OK;
}

void http_close(struct http_server *s)
{
    if (!s) return;
    listener_close(s->listener);
    for (int list = 0; list < 2; list++) {
        struct http_request **first = list ? &s->spare : &s->requests;
        while (*first) {
            struct http_request *r = *first;
            unchain(r);
            free_request(r);
        }
    }
    if (s->links) pool_free(s->links);
    mem_give(s);
}

struct http_counts http_counts(const struct http_server *s)
{
    return (struct http_counts){.at = listener_counts(s->listener),
                                .requests = atomic_load_explicit(&s->asked, memory_order_relaxed),
                                .errors = atomic_load_explicit(&s->errors, memory_order_relaxed)};
}

uint16_t http_port(const struct http_server *s)
{
    return listener_port(s->listener);
}

/* --- what a handler asks ---------------------------------------------------------------------- */

struct slice http_method(const struct http_request *r)
{
    return r->head.method;
}
struct slice http_path(const struct http_request *r)
{
    return r->path;
}
struct slice http_query(const struct http_request *r)
{
    return r->query;
}
struct slice http_header(const struct http_request *r, const char *name)
{
    return http_field_find(&r->head, name);
}
struct slice http_body(const struct http_request *r)
{
    return buf_view(&r->body);
}
const char *http_peer(const struct http_request *r)
{
    return r->link ? conn_peer(r->link->conn) : "";
}
bool http_is_gone(const struct http_request *r)
{
    return r->link == NULL;
}
struct conn *http_conn(const struct http_request *r)
{
    return r->link ? r->link->conn : NULL;
}
struct arena *http_arena(struct http_request *r)
{
    return r->arena;
}

bool http_path_part(struct http_request *r, int n, struct slice *out)
{
    struct slice rest = r->raw_path;
    while (rest.len && rest.at[0] == '/') {
        rest = slice_make(rest.at + 1, rest.len - 1);
        const uint8_t *slash = rest.len ? memchr(rest.at, '/', rest.len) : NULL;
        size_t len = slash ? (size_t)(slash - rest.at) : rest.len;
        if (n-- == 0) return len > 0 && http_decode(r->arena, slice_make(rest.at, len), false, out);
        rest = slice_make(rest.at + len, rest.len - len);
    }
    return false;
}

/* The next "name=value", its name decoded; one that can not be is passed over. */
static bool param_next(struct http_request *r, struct slice *text, struct slice *key,
                       struct slice *value)
{
    while (text->len) {
        const uint8_t *amp = memchr(text->at, '&', text->len);
        struct slice pair = slice_make(text->at, amp ? (size_t)(amp - text->at) : text->len);
        size_t taken = MIN((size_t)pair.len + 1, (size_t)text->len);
        *text = slice_make(text->at + taken, text->len - taken);
        if (pair.len == 0) continue;
        const uint8_t *equals = memchr(pair.at, '=', pair.len);
        size_t name_len = equals ? (size_t)(equals - pair.at) : pair.len;
        size_t skip = MIN(name_len + 1, (size_t)pair.len);
        *value = slice_make(pair.at + skip, pair.len - skip);
        if (http_decode(r->arena, slice_make(pair.at, name_len), true, key)) return true;
    }
    return false;
}

static bool param_in(struct http_request *r, struct slice text, struct slice name,
                     struct slice *out)
{
    struct slice key, value;
    while (param_next(r, &text, &key, &value))
        if (slice_equal(key, name)) return http_decode(r->arena, value, true, out);
    return false;
}

bool http_param_at(struct http_request *r, uint32_t n, struct slice *name, struct slice *value)
{
    struct slice text = r->query, raw;
    while (param_next(r, &text, name, &raw))
        if (http_decode(r->arena, raw, true, value) && n-- == 0) return true;
    return false;
}

bool http_param(struct http_request *r, const char *name, struct slice *out)
{
    if (param_in(r, r->query, slice_of(name), out)) return true;
    struct slice type = http_header(r, "content-type");
    struct slice form = SLICE("application/x-www-form-urlencoded");
    if (type.len < form.len || !slice_equal_nocase(slice_make(type.at, form.len), form))
        return false;
    return param_in(r, http_body(r), slice_of(name), out);
}
