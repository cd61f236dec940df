/* os/dial: one connection to somebody else's server, waited for: the command line's clients.
 *
 * Every wait has the connection's timeout: a silent peer is ERR_TIMEOUT, one that leaves ERR_PEER.
 * Tries each address of the name in turn. With TLS the peer's certificate must fit the name unless
 * `unchecked`. Loop: never on one; one thread at a time. Memory: the socket's own, 30 KiB with TLS.
 */
#pragma once
#include "base/bytes.h"

struct dial;
struct dial_tls {
    const char *ca_path;              /* PEM; NULL: the system's authorities */
    const char *cert_path, *key_path; /* our own, for mutual TLS; NULL: none */
    bool unchecked;                   /* whoever answers is believed */
};
struct dial_options {
    const char *host;
    uint16_t port;
    int64_t timeout_ms;         /* 0: 30 s */
    const struct dial_tls *tls; /* NULL: plain */
};
MUST_CHECK err_t dial_open(const struct dial_options *o, struct dial **out, struct diag *d);
void dial_close(struct dial *c);                                                 /* NULL is fine */
MUST_CHECK err_t dial_write(struct dial *c, struct slice bytes, struct diag *d); /* all of it */
MUST_CHECK err_t dial_read(struct dial *c, void *to, size_t size, struct diag *d); /* exactly */
/* What has come, one byte at least and `size` at most. */
MUST_CHECK err_t dial_read_some(struct dial *c, void *to, size_t size, size_t *got, struct diag *d);
/* Waits until one of these (DIAL_AWAIT_MAX at most) has something to read, or has ended: *which.
 * The first one's timeout counts. */
enum { DIAL_AWAIT_MAX = 64 };
MUST_CHECK err_t dial_await(struct dial *const *c, size_t count, size_t *which, struct diag *d);
/* Reading will wait this long instead, from now on. */
void dial_timeout(struct dial *c, int64_t timeout_ms);
/* Rests before asking again: for a caller that polls what has no way to tell it. */
void dial_rest(int64_t ms);
