/* os/http, inside os only: the parser of a request's head, and what the server's halves share. */
#pragma once
#include "base/bytes.h"
#include "os/http.h"

#include <stdatomic.h>

enum { HTTP_HEADERS_MAX = 100, HTTP_TARGET_MAX = 8192, HTTP_METHOD_MAX = 32 };

struct http_field {
    struct slice name, value;
};

struct http_head {
    struct slice method, target;
    int minor; /* HTTP/1.minor */
    struct http_field fields[HTTP_HEADERS_MAX];
    int field_count;
    uint64_t length; /* of the body, when not chunked */
    bool chunked, keep_alive, expects_continue;
};

/* The whole head, the empty line included. 0, or the status to refuse it with and `why`. No I/O, no
 * memory: the head points into `text`. */
int http_head_parse(struct slice text, struct http_head *out, const char **why);
/* A head of which the end has not come yet: is it hopeless already? */
int http_head_check(struct slice begun, size_t header_max, const char **why);
/* A chunk's first line without CRLF. */
int http_chunk_parse(struct slice line, uint64_t *size, const char **why);
bool http_field_parse(struct slice line, struct http_field *out);
struct slice http_field_find(const struct http_head *h, const char *name);
/* In place: "." and ".." parts go, never above the root. The path begins with '/' and has room for
 * a NUL behind it, as http_decode leaves it. */
struct slice http_path_normalise(struct slice path);

enum http_phase {
    HTTP_HEAD,
    HTTP_BODY,
    HTTP_CHUNK_LINE,
    HTTP_CHUNK_DATA,
    HTTP_CHUNK_END,
    HTTP_TRAILER,
    HTTP_ANSWERING
};

struct http_request {
    struct http_link *link; /* its connection; NULL when the peer has left */
    struct http_server *server;
    struct http_request *next, **before; /* in server->requests, or in its spare list */
    struct arena *arena;
    struct http_head head;
    struct slice path, raw_path, query;
    struct buf body, reply_fields;
    bool head_only, closes, chunks, streaming;
    void (*gone)(void *arg);
    void (*drained)(void *arg);
    void *stream_arg;
    struct loop_timer *gone_soon;
};

struct http_link { /* one connection */
    struct http_server *server;
    struct conn *conn;
    struct http_request *now;
    enum http_phase phase;
    uint64_t left; /* of the body or of the chunk */
    size_t trailer_size;
    bool held, timed; /* the handler kept the request; the request's deadline is set */
};

struct http_server {
    struct loop *loop;
    struct listener *listener;
    struct http_options options;
    struct pool *links;
    struct http_request *requests, *spare;
    int spare_count;
    int64_t date_s;
    char date[32];
    _Atomic uint64_t asked, errors; /* written by its loop alone, read by anybody */
};

static inline void http_count(_Atomic uint64_t *n)
{
    atomic_store_explicit(n, atomic_load_explicit(n, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

/* The answer is complete: the connection goes on with its next request, or closes. */
void http_request_done(struct http_request *r);
