/* os/net, inside os only: what listener and connection know of each other. */
#pragma once
#include "base/bytes.h"
#include "os/crowd.h"
#include "os/net.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdatomic.h>
#include <sys/socket.h>

struct evbuffer;

enum { LISTENER_CREW_MAX = 64 };

struct listener {
    struct loop *loop;
    struct listener_options options;
    int fd;
    struct event accept;
    struct conn *conns; /* all of them, newest first */
    /* Written by its loop alone, read by anybody. */
    _Atomic uint32_t count, refused;
    _Atomic uint64_t accepted, bytes_in, bytes_out;
    struct loop_timer *sweep, *rest;
    int64_t sweep_at_ms;
    bool accepting, closing;
    char path[108];                           /* of a Unix socket, to be removed at the end */
    struct listener *crew[LISTENER_CREW_MAX]; /* who else takes connections, and whose turn it is */
    uint32_t crew_count, turn;
};

static inline void listener_count(_Atomic uint64_t *n, uint64_t by)
{
    atomic_store_explicit(n, atomic_load_explicit(n, memory_order_relaxed) + by,
                          memory_order_relaxed);
}

enum conn_stage {
    CONN_HANDSHAKE, /* TLS; the door has not seen it yet */
    CONN_OPEN,
    CONN_FLUSHING,  /* conn_close: what is queued still goes out */
    CONN_LINGERING, /* the door is done with it; the peer's last bytes are read and dropped */
    CONN_DEAD       /* freed when nobody above is inside it */
};

struct conn {
    struct listener *listener;
    struct conn *next, **link; /* in listener->conns */
    void *state;
    struct evbuffer *out;
    SSL *ssl;
    struct buf in; /* arrived and not consumed */
    struct event read, write, kick;
    int fd;
    uint8_t stage;
    bool opened;           /* the door knows it and will be told of its end */
    bool paused;           /* by the door */
    bool throttled;        /* too much output is queued: the peer's input waits */
    bool ended;            /* the peer has said its last byte */
    bool told_left;        /* … or, while paused, been seen to go */
    bool look;             /* the next kick reads, too */
    bool reading, writing; /* which of the events are added */
    uint8_t busy;          /* how many callbacks deep */
    size_t tls_unsent;     /* length of the write that OpenSSL wants repeated */
    int64_t active_ms, idle_timeout_ms, deadline_ms;
    struct crowd_address address; /* what the listener's crowd counts it under */
    char peer[56];
};

/* Takes fd. A failure is told in the log; the listener goes on. */
void conn_accept(struct listener *l, int fd, const struct sockaddr_storage *from);
/* What the clock says about it now; tells when to look again. */
int64_t conn_sweep(struct conn *c, int64_t now_ms);
void conn_end_now(struct conn *c); /* without a detour over the loop: the listener closes */
void listener_sweep_by(struct listener *l, int64_t at_ms);

SSL_CTX *tls_context(const struct tls *t);
/* How a conn talks over its socket: bytes moved, or one of these. */
enum { MOVED_NOTHING = -1 /* try when ready */, MOVED_END = 0, MOVED_ERROR = -2 };
void conn_name_peer(struct conn *c, const struct sockaddr_storage *from);
ssize_t conn_tls_result(struct conn *c, int rc);
ssize_t conn_recv(struct conn *c, uint8_t *to, size_t size);
ssize_t conn_send(struct conn *c); /* some of what is queued */
