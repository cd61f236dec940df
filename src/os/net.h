/* os/net: listeners and connections on a loop; the door's side of a socket.
 *
 * A connection hands over the bytes that have arrived and says how many of them it may keep; what
 * is not consumed stays for next time, up to `input_max`. Writes queue up to `output_max`; past
 * `output_high` reading from that peer stops until the queue is drained (back pressure).
 * Calls back never from inside one of its own verbs, except `done` of borrowed bytes.
 * TLS is a property of the listener; nobody above it sees a difference.
 */
#pragma once
#include "os/loop.h"

struct crowd; /* os/crowd.h */
struct tls;   /* a server's certificate and rules, see os/tls.h */
struct listener;
struct conn;

struct conn_handler {
    /* A new connection; returns the door's own state for it (kept in conn_state), NULL to refuse.
     */
    void *(*open)(void *door, struct conn *c);
    /* `in`: all bytes not yet consumed. Returns how many are consumed now. */
    size_t (*data)(void *state, struct conn *c, struct slice in);
    /* Where the next bytes shall go, when the door knows how many belong together; `data` is then
     * called with just these and consumes them all. NULL, or answers NULL: the loop's scratch. */
    uint8_t *(*room)(void *state, struct conn *c, size_t *size);
    void (*drained)(void *state, struct conn *c); /* the output queue is empty again; may be NULL */
    void (*closed)(void *state, struct conn *c);  /* last call; free the state here */
    /* Silent for idle_timeout_ms, or conn_deadline has come. NULL: the connection is closed. */
    void (*expired)(void *state, struct conn *c);
    /* The peer has closed its side while its input is paused; noticed within a second. NULL: what
     * is pending is answered. */
    void (*left)(void *state, struct conn *c);
};

struct listener_options {
    const char *address; /* "127.0.0.1", "::1", "0.0.0.0", or an absolute path for a Unix socket */
    uint16_t port;       /* 0: any free one; listener_port tells */
    struct tls *tls;     /* NULL: plain */
    const struct conn_handler *handler;
    void *door;
    struct crowd *crowd;  /* limits that several listeners share; NULL: none */
    uint32_t conns_max;   /* 0 takes the default in each of these: 1,024 */
    uint32_t input_max;   /* bytes kept unconsumed, 1 MiB; a longer message ends the connection */
    uint32_t output_high; /* 1 MiB */
    uint32_t output_max;  /* 64 MiB; a peer that lets more pile up is closed */
    int64_t idle_timeout_ms; /* 0: none; queued output that nobody takes for 60 s always closes */
};

/* A port in use: ERR_IN_USE, and `why` names the process that holds it when that can be seen. */
MUST_CHECK err_t listener_open(struct loop *l, const struct listener_options *o,
                               struct listener **out, struct diag *d);
/* Another loop takes its share of what `l` accepts, in turn, for a door of its own; before l's loop
 * runs. It has no socket and counts its own connections. l is closed first, on its loop, and the
 * others by a loop_send to theirs after that: what was handed over to them comes before it. */
MUST_CHECK err_t listener_join(struct listener *l, struct loop *loop, void *door,
                               struct listener **out, struct diag *d);
/* Also closes its connections, at once. Not from inside one of their callbacks. */
void listener_close(struct listener *l);
uint16_t listener_port(const struct listener *l);
uint32_t listener_conns(const struct listener *l);
struct listener_counts { /* since it was opened */
    uint32_t open;       /* connections there are now */
    uint64_t accepted, refused /* beyond the limits */, bytes_in, bytes_out;
};
/* With those of the loops that share its connections. Any thread, while all of them are open. */
struct listener_counts listener_counts(const struct listener *l);

struct loop *conn_loop(const struct conn *c);
void conn_write(struct conn *c, struct slice bytes); /* copied */
/* Not copied: `done(arg)` is called when the bytes are no longer needed. */
void conn_write_borrowed(struct conn *c, struct slice bytes, void (*done)(void *arg), void *arg);
/* By sendfile on plain connections; the descriptor is duplicated. */
MUST_CHECK err_t conn_write_file(struct conn *c, int fd, uint64_t at, size_t size);
/* The same without a duplicate: the descriptor, and what it shows there, stay as they are until
 * `done(arg)`, which is called exactly once, after an error too. */
MUST_CHECK err_t conn_write_file_held(struct conn *c, int fd, uint64_t at, size_t size,
                                      void (*done)(void *arg), void *arg);
size_t conn_queued(const struct conn *c);
void conn_pause(struct conn *c);  /* stop handing over data … */
void conn_resume(struct conn *c); /* … and go on, starting with what is already here */
void conn_close(struct conn *c);  /* after what is queued has been sent */
void conn_close_now(struct conn *c);
void conn_timeout(struct conn *c, int64_t idle_timeout_ms); /* 0: none */
void conn_deadline(struct conn *c, int64_t delay_ms); /* `expired` once, whatever comes; 0: none */
const char *conn_peer(const struct conn *c);          /* "127.0.0.1:51234" */
void conn_local(const struct conn *c, char *address, size_t cap,
                uint16_t *port); /* what the client dialled */

/* The checked client certificate's subject, RFC 2253 ("CN=alice,O=sales"); false without one. */
bool conn_peer_name(const struct conn *c, char *out, size_t cap);
/* Its CN alone; false when there is none, more than one, or one with a NUL inside. */
bool conn_peer_common_name(const struct conn *c, char *out, size_t cap);

/* "TLSv1.3", "TLS_AES_256_GCM_SHA384"; NULL on a plain connection. */
const char *conn_tls_protocol(const struct conn *c);
const char *conn_tls_cipher(const struct conn *c);

/* Raises this process's limit on open descriptors as far as it may; returns it. At start, once. */
uint64_t net_descriptors_raise(void);
/* Who listens on this TCP port of this machine: "pid 4242 (java)"; false when nobody or unknown. */
bool net_port_holder(uint16_t port, char *out, size_t cap);
/* Is this address (text, v4 or v6) private, loopback, link-local, or otherwise not public? */
bool net_address_is_private(const char *address);
