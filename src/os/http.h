/* os/http: the HTTP/1.1 server all HTTP doors share.
 *
 * Keep-alive, pipelining, bodies by length or chunked, chunked answers, server-sent events, HEAD,
 * 100-continue; limits on line, header, body, time and connections. A handler answers at once, or
 * keeps the request and answers later from the same loop. Requests of one connection are handled
 * one after the other. What could be read in two ways is refused (docs/os.md lists it).
 */
#pragma once
#include "os/net.h"

struct http_server;
/* Lives until it is answered, also when its peer has left meanwhile: the answer then goes nowhere.
 * A streamed one is dead after `gone`; http_close ends all. */
struct http_request;

typedef void (*http_handler)(void *door, struct http_request *r);

struct http_options {
    const char *address; /* or an absolute path for a Unix socket */
    uint16_t port;
    struct tls *tls;
    http_handler handler;
    void *door;
    uint32_t conns_max;         /* 0 takes the default in each of these: 1,024 */
    uint32_t header_max;        /* 16 KiB */
    uint32_t body_max;          /* 8 MiB */
    int64_t idle_timeout_ms;    /* 60 s between requests */
    int64_t request_timeout_ms; /* 30 s for a request to arrive whole */
};

MUST_CHECK err_t http_open(struct loop *l, const struct http_options *o, struct http_server **out,
                           struct diag *d);
void http_close(struct http_server *s); /* requests that were kept are dead after it */
uint16_t http_port(const struct http_server *s);
struct http_counts {
    struct listener_counts at;
    uint64_t requests, errors; /* errors: answers with a status of 400 and more */
};
struct http_counts http_counts(const struct http_server *s); /* any thread, while it is open */

struct slice http_method(const struct http_request *r);
struct slice http_path(const struct http_request *r); /* decoded, without the query; "/" at least */
/* The n-th part between slashes, decoded by itself: "%2F" in it is a letter. False past the end. */
bool http_path_part(struct http_request *r, int n, struct slice *out);
struct slice http_query(const struct http_request *r); /* raw, after '?' */
struct slice http_header(const struct http_request *r,
                         const char *name); /* {0} when absent; any case */
struct slice http_body(const struct http_request *r);
const char *http_peer(const struct http_request *r);  /* "" when it has left */
bool http_is_gone(const struct http_request *r);      /* has it? */
struct conn *http_conn(const struct http_request *r); /* NULL when it has left */
struct arena *http_arena(struct http_request *r);     /* lives as long as the request */
/* One parameter of the query (or of a form body), percent-decoded; false when absent. */
bool http_param(struct http_request *r, const char *name, struct slice *out);
/* The n-th parameter of the query, both sides decoded; false past the last. */
bool http_param_at(struct http_request *r, uint32_t n, struct slice *name, struct slice *value);

/* Percent-decoding into the arena; false on a bad escape, a NUL, or past the arena's limit. */
bool http_decode(struct arena *a, struct slice in, bool plus_is_space, struct slice *out);

/* Extra header lines for the answer, before http_reply or http_stream_start. */
void http_reply_header(struct http_request *r, const char *name, const char *value);
/* The whole answer, up to 64 MiB (what is longer is streamed). Ends the request. */
void http_reply(struct http_request *r, int status, const char *content_type, struct slice body);
void http_reply_text(struct http_request *r, int status, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* A streamed answer: chunked, or server-sent events when content_type is text/event-stream.
 * `gone` is called when the peer leaves before http_stream_end; after it the request is dead. */
void http_stream_start(struct http_request *r, int status, const char *content_type,
                       void (*gone)(void *arg), void *arg);
void http_stream_send(struct http_request *r, struct slice bytes); /* copied */
/* Not copied: `done(arg)` is called exactly once, on the loop, when the bytes are no longer needed;
 * perhaps from inside. */
void http_stream_send_borrowed(struct http_request *r, struct slice bytes, void (*done)(void *arg),
                               void *arg);
/* Calls drained(arg of http_stream_start) whenever all that was sent has left this process. */
void http_stream_drained(struct http_request *r, void (*drained)(void *arg));
size_t http_stream_queued(const struct http_request *r);
void http_stream_end(struct http_request *r);
const char *http_status_text(int status);
