/* os/tls: a server's certificate and rules, given to a listener.
 *
 * TLS 1.2 and 1.3, forward-secret ciphers, no renegotiation, ALPN http/1.1 when the client offers
 * it. With a client authority given, a client's certificate is checked against it; conn_peer_name
 * then tells who it is. Never speaks: os/net does.
 * Loop: made once, then read by any loop. Memory: one context; a connection adds about 30 KiB.
 */
#pragma once
#include "base/bytes.h"

struct tls;
struct tls_options {
    const char *cert_path;      /* PEM, the chain; NULL with key_path: one made now, self-signed */
    const char *key_path;       /* PEM, without a passphrase */
    const char *client_ca_path; /* PEM; NULL: clients are not asked for a certificate */
    bool client_required;       /* refuse a client without one */
    const char *name;           /* of the self-signed one; NULL: localhost */
};

MUST_CHECK err_t tls_new(const struct tls_options *o, struct tls **out, struct diag *d);
void tls_free(struct tls *t); /* NULL is fine; the listeners that use it are closed */
/* The server's own certificate as PEM: what a test's client is told to trust. */
MUST_CHECK err_t tls_certificate(const struct tls *t, struct buf *pem);
/* A key (P-256) and a certificate for `name`, localhost, 127.0.0.1 and ::1, for ten years. */
MUST_CHECK err_t tls_self_sign(const char *name, struct buf *cert_pem, struct buf *key_pem,
                               struct diag *d);
