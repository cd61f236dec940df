#include "os/dial.h"

#include "os/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TIMEOUT_DEFAULT_MS = 30000, PEER_NAME = 300 };

struct dial {
    int fd;
    int64_t timeout_ms;
    SSL_CTX *context;
    SSL *ssl; /* NULL: plain */
    char peer[PEER_NAME];
};

/* --- waiting ---------------------------------------------------------------------------------- */

static err_t timed_out(const struct dial *c, struct diag *d)
{
    return diag_fail(d, ERR_TIMEOUT, "%s does not answer within %lld ms", c->peer,
                     (long long)c->timeout_ms);
}

static err_t wait_for(const struct dial *c, short events, int64_t until_ns, struct diag *d)
{
    for (;;) {
        struct pollfd p = {c->fd, events, 0};
        int64_t left_ms = (until_ns - clock_mono_ns()) / 1000000;
        if (left_ms <= 0) return timed_out(c, d);
        int n = poll(&p, 1, (int)MIN(left_ms, INT64_C(1000000)));
        if (n > 0) return ERR_OK;
        if (n < 0 && errno != EINTR) return diag_errno(d, errno, "waiting for %s", c->peer);
    }
}

static int64_t deadline(const struct dial *c)
{
    return clock_mono_ns() + c->timeout_ms * 1000000;
}

/* --- TCP -------------------------------------------------------------------------------------- */

static err_t connect_to(struct dial *c, const struct addrinfo *a, struct diag *d)
{
    int one = 1, error = 0;
    socklen_t size = sizeof(error);
    c->fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0) return diag_errno(d, errno, "no socket for %s", c->peer);
    (void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)); /* only slower without */
    if (connect(c->fd, a->ai_addr, a->ai_addrlen) == 0) return ERR_OK;
    err_t e = ERR_OK;
    if (errno != EINPROGRESS) e = diag_errno(d, errno, "%s can not be reached", c->peer);
    if (!e) e = wait_for(c, POLLOUT, deadline(c), d);
    if (!e && getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
    if (!e && error) e = diag_errno(d, error, "%s can not be reached", c->peer);
    if (e) {
        close(c->fd);
        c->fd = -1;
    }
    return e;
}

static err_t connect_any(struct dial *c, const struct dial_options *o, struct diag *d)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_family = AF_UNSPEC}, *list = NULL;
    char port[8];
    snprintf(port, sizeof(port), "%u", o->port);
    int failed = getaddrinfo(o->host, port, &hints, &list);
    if (failed) {
        (void)diag_fail(d, ERR_PEER, "the host '%s' can not be found", o->host);
        return diag_why(d, "%s", gai_strerror(failed));
    }
    err_t e = ERR_PEER;
    for (const struct addrinfo *a = list; a && e; a = a->ai_next) e = connect_to(c, a, d);
    freeaddrinfo(list);
    return e;
}

/* --- TLS -------------------------------------------------------------------------------------- */

static err_t tls_told(const struct dial *c, err_t e, const char *what, struct diag *d)
{
    unsigned long error = ERR_peek_error();
    const char *reason = ERR_reason_error_string(error);
    (void)diag_fail(d, e, "%s with %s", what, c->peer);
    long checked = c->ssl ? SSL_get_verify_result(c->ssl) : X509_V_OK;
    if (checked != X509_V_OK)
        (void)diag_why(d, "its certificate: %s", X509_verify_cert_error_string(checked));
    else if (reason)
        (void)diag_why(d, "%s", reason);
    ERR_clear_error();
    return e;
}

/* What an SSL call that returned <= 0 wants: waits for it, ERR_OK to try again. */
static err_t tls_wants(struct dial *c, int result, const char *what, int64_t until, struct diag *d)
{
    switch (SSL_get_error(c->ssl, result)) {
    case SSL_ERROR_WANT_READ: return wait_for(c, POLLIN, until, d);
    case SSL_ERROR_WANT_WRITE: return wait_for(c, POLLOUT, until, d);
    case SSL_ERROR_ZERO_RETURN:
        return diag_fail(d, ERR_PEER, "%s has closed the connection", c->peer);
    default: return tls_told(c, ERR_PEER, what, d);
    }
}

static err_t tls_files(struct dial *c, const struct dial_tls *t, struct diag *d)
{
    int ok = t->ca_path ? SSL_CTX_load_verify_locations(c->context, t->ca_path, NULL)
                        : SSL_CTX_set_default_verify_paths(c->context);
    if (ok != 1) {
        (void)tls_told(c, ERR_CONFIG, "no certificates to check", d);
        return diag_where(d, "%s", t->ca_path ? t->ca_path : "the system's authorities");
    }
    if (!t->cert_path) return ERR_OK;
    if (SSL_CTX_use_certificate_chain_file(c->context, t->cert_path) != 1 ||
        SSL_CTX_use_PrivateKey_file(c->context, t->key_path ? t->key_path : t->cert_path,
                                    SSL_FILETYPE_PEM) != 1) {
        (void)tls_told(c, ERR_CONFIG, "no certificate of our own", d);
        return diag_where(d, "%s", t->cert_path);
    }
    return ERR_OK;
}

static err_t tls_begin(struct dial *c, const struct dial_options *o, struct diag *d)
{
    const struct dial_tls *t = o->tls;
    c->context = SSL_CTX_new(TLS_client_method());
    if (!c->context || SSL_CTX_set_min_proto_version(c->context, TLS1_2_VERSION) != 1)
        return tls_told(c, ERR_INTERNAL, "TLS can not be set up", d);
    SSL_CTX_set_mode(c->context, SSL_MODE_AUTO_RETRY);
    SSL_CTX_set_options(c->context, SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_verify(c->context, t->unchecked ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
    err_t e = tls_files(c, t, d);
    if (e) return e;
    c->ssl = SSL_new(c->context);
    if (!c->ssl || SSL_set_fd(c->ssl, c->fd) != 1)
        return tls_told(c, ERR_INTERNAL, "TLS can not be set up", d);
    X509_VERIFY_PARAM *param = SSL_get0_param(c->ssl);
    bool number = X509_VERIFY_PARAM_set1_ip_asc(param, o->host) == 1;
    if (!number &&
        (SSL_set1_host(c->ssl, o->host) != 1 || SSL_set_tlsext_host_name(c->ssl, o->host) != 1))
        return tls_told(c, ERR_INTERNAL, "TLS can not be set up", d);
    ERR_clear_error(); /* a name is no number: not an error */
    int64_t until = deadline(c);
    for (int n; !e && (n = SSL_connect(c->ssl)) != 1;)
        e = tls_wants(c, n, "no TLS handshake", until, d);
    return e;
}

/* --- its face --------------------------------------------------------------------------------- */

err_t dial_open(const struct dial_options *o, struct dial **out, struct diag *d)
{
    struct dial *c = mem_take(sizeof(*c));
    if (!c) return diag_fail(d, ERR_NO_MEMORY, "no memory for a connection");
    signal(SIGPIPE, SIG_IGN);
    c->fd = -1;
    c->timeout_ms = o->timeout_ms > 0 ? o->timeout_ms : TIMEOUT_DEFAULT_MS;
    snprintf(c->peer, sizeof(c->peer), "%s:%u", o->host, o->port);
    err_t e = connect_any(c, o, d);
    if (!e && o->tls) e = tls_begin(c, o, d);
    if (e) {
        dial_close(c);
        return e;
    }
    *out = c;
    return ERR_OK;
}

void dial_close(struct dial *c)
{
    if (!c) return;
    if (c->ssl && SSL_is_init_finished(c->ssl)) (void)SSL_shutdown(c->ssl); /* a courtesy */
    SSL_free(c->ssl);
    SSL_CTX_free(c->context);
    if (c->fd >= 0) close(c->fd);
    mem_give(c);
}

void dial_timeout(struct dial *c, int64_t timeout_ms)
{
    c->timeout_ms = timeout_ms;
}

static err_t plain_failed(const struct dial *c, short events, int64_t until, struct diag *d)
{
    if (errno == EAGAIN || errno == EWOULDBLOCK) return wait_for(c, events, until, d);
    if (errno == EINTR) return ERR_OK;
    int error = errno;
    (void)diag_errno(d, error, "the connection to %s broke", c->peer);
    if (d) d->err = ERR_PEER;
    return ERR_PEER;
}

err_t dial_write(struct dial *c, struct slice bytes, struct diag *d)
{
    int64_t until = deadline(c);
    err_t e = ERR_OK;
    while (!e && bytes.len > 0) {
        if (c->ssl) {
            size_t written;
            int n = SSL_write_ex(c->ssl, bytes.at, bytes.len, &written);
            if (n == 1)
                bytes = slice_make(bytes.at + written, bytes.len - written);
            else
                e = tls_wants(c, n, "writing failed", until, d);
        } else {
            ssize_t n = send(c->fd, bytes.at, bytes.len, MSG_NOSIGNAL);
            if (n >= 0)
                bytes = slice_make(bytes.at + n, bytes.len - (size_t)n);
            else
                e = plain_failed(c, POLLOUT, until, d);
        }
    }
    return e;
}

/* Zero bytes and ERR_OK: nothing was there yet, it has waited. */
static err_t read_once(struct dial *c, void *to, size_t size, int64_t until, size_t *got,
                       struct diag *d)
{
    *got = 0;
    if (c->ssl) {
        int n = SSL_read_ex(c->ssl, to, size, got);
        return n == 1 ? ERR_OK : tls_wants(c, n, "reading failed", until, d);
    }
    ssize_t n = recv(c->fd, to, size, 0);
    if (n == 0) return diag_fail(d, ERR_PEER, "%s has closed the connection", c->peer);
    if (n < 0) return plain_failed(c, POLLIN, until, d);
    *got = (size_t)n;
    return ERR_OK;
}

err_t dial_read(struct dial *c, void *to, size_t size, struct diag *d)
{
    int64_t until = deadline(c);
    uint8_t *at = to;
    err_t e = ERR_OK;
    for (size_t got; !e && size > 0; at += got, size -= got)
        e = read_once(c, at, size, until, &got, d);
    return e;
}

err_t dial_read_some(struct dial *c, void *to, size_t size, size_t *got, struct diag *d)
{
    int64_t until = deadline(c);
    err_t e;
    do e = read_once(c, to, size, until, got, d);
    while (!e && *got == 0);
    return e;
}

err_t dial_await(struct dial *const *c, size_t count, size_t *which, struct diag *d)
{
    struct pollfd p[DIAL_AWAIT_MAX];
    INVARIANT(count > 0 && count <= DIAL_AWAIT_MAX);
    int64_t until = deadline(c[0]);
    for (size_t i = 0; i < count; i++) {
        p[i] = (struct pollfd){c[i]->fd, POLLIN, 0};
        *which = i;
        if (c[i]->ssl && SSL_pending(c[i]->ssl) > 0) return ERR_OK;
    }
    for (;;) {
        int64_t left_ms = (until - clock_mono_ns()) / 1000000;
        if (left_ms <= 0) return timed_out(c[0], d);
        int n = poll(p, count, (int)MIN(left_ms, INT64_C(1000000)));
        if (n < 0 && errno != EINTR) return diag_errno(d, errno, "waiting for %s", c[0]->peer);
        for (size_t i = 0; n > 0 && i < count; i++)
            if (p[i].revents) {
                *which = i;
                return ERR_OK;
            }
    }
}

void dial_rest(int64_t ms)
{
    int64_t until = clock_mono_ns() + ms * 1000000, left;
    while ((left = until - clock_mono_ns()) > 0) (void)poll(NULL, 0, (int)(left / 1000000) + 1);
}
