/* A connection's socket, plain or TLS: moving bytes, and the names of its two ends. */
#include "os/net_int.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/buffer.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>

enum {
    TLS_WRITE_MAX = 16384, /* one record */
    WRITE_ONCE = 1 << 20   /* bytes a turn */
};

ssize_t conn_tls_result(struct conn *c, int rc)
{
    int error = SSL_get_error(c->ssl, rc);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return MOVED_NOTHING;
    if (error == SSL_ERROR_ZERO_RETURN) return MOVED_END;
    return MOVED_ERROR;
}

ssize_t conn_recv(struct conn *c, uint8_t *to, size_t size)
{
    if (c->ssl) {
        size_t got;
        ERR_clear_error();
        int rc = SSL_read_ex(c->ssl, to, size, &got);
        return rc == 1 ? (ssize_t)got : conn_tls_result(c, rc);
    }
    ssize_t n;
    do n = recv(c->fd, to, size, 0);
    while (n < 0 && errno == EINTR);
    if (n >= 0) return n;
    return errno == EAGAIN ? MOVED_NOTHING : MOVED_ERROR;
}

/* OpenSSL wants a refused write repeated with at least its length; the queue only grows at its
 * end, so that its beginning is still the same bytes. */
static ssize_t tls_send(struct conn *c)
{
    static _Thread_local uint8_t record[TLS_WRITE_MAX];
    size_t sent;
    ssize_t size = evbuffer_copyout(c->out, record, sizeof(record));
    INVARIANT(size >= (ssize_t)c->tls_unsent);
    ERR_clear_error();
    int rc = SSL_write_ex(c->ssl, record, (size_t)size, &sent);
    c->tls_unsent = rc == 1 ? 0 : (size_t)size;
    if (rc != 1) return conn_tls_result(c, rc) == MOVED_NOTHING ? MOVED_NOTHING : MOVED_ERROR;
    INVARIANT(evbuffer_drain(c->out, sent) == 0);
    return (ssize_t)sent;
}

ssize_t conn_send(struct conn *c)
{
    if (c->ssl) return tls_send(c);
    int n = evbuffer_write_atmost(c->out, c->fd, WRITE_ONCE);
    if (n > 0) return n;
    if (n < 0) return errno == EAGAIN || errno == EINTR ? MOVED_NOTHING : MOVED_ERROR;
    /* libevent says 0 for a sendfile that must wait, and for one whose file has been cut short. */
    struct pollfd p = {.fd = c->fd, .events = POLLOUT};
    return poll(&p, 1, 0) == 1 ? MOVED_ERROR : MOVED_NOTHING;
}

/* --- names ------------------------------------------------------------------------------------ */

void conn_name_peer(struct conn *c, const struct sockaddr_storage *from)
{
    char host[INET6_ADDRSTRLEN] = "";
    if (from->ss_family == AF_UNIX) {
        struct ucred who = {0};
        socklen_t size = sizeof(who);
        bool known = getsockopt(c->fd, SOL_SOCKET, SO_PEERCRED, &who, &size) == 0;
        snprintf(c->peer, sizeof(c->peer), "unix:pid=%d", known ? (int)who.pid : -1);
    } else if (from->ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const void *)from;
        inet_ntop(AF_INET, &v4->sin_addr, host, sizeof(host));
        snprintf(c->peer, sizeof(c->peer), "%s:%u", host, ntohs(v4->sin_port));
    } else {
        const struct sockaddr_in6 *v6 = (const void *)from;
        bool mapped = IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr);
        if (mapped)
            inet_ntop(AF_INET, &v6->sin6_addr.s6_addr[12], host, sizeof(host));
        else
            inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof(host));
        snprintf(c->peer, sizeof(c->peer), mapped ? "%s:%u" : "[%s]:%u", host,
                 ntohs(v6->sin6_port));
    }
}

void conn_local(const struct conn *c, char *address, size_t cap, uint16_t *port)
{
    struct sockaddr_storage at = {0};
    socklen_t size = sizeof(at);
    char host[INET6_ADDRSTRLEN] = "";
    *port = 0;
    if (getsockname(c->fd, (struct sockaddr *)&at, &size) == 0 && at.ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const void *)&at;
        inet_ntop(AF_INET, &v4->sin_addr, host, sizeof(host));
        *port = ntohs(v4->sin_port);
    } else if (at.ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const void *)&at;
        bool mapped = IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr);
        inet_ntop(mapped ? AF_INET : AF_INET6, v6->sin6_addr.s6_addr + (mapped ? 12 : 0), host,
                  sizeof(host));
        *port = ntohs(v6->sin6_port);
    }
    snprintf(address, cap, "%s", host);
}

bool conn_peer_name(const struct conn *c, char *out, size_t cap)
{
    X509 *cert = c->ssl ? SSL_get0_peer_certificate(c->ssl) : NULL;
    if (!cert || SSL_get_verify_result(c->ssl) != X509_V_OK) return false;
    BIO *text = BIO_new(BIO_s_mem());
    if (!text) return false;
    bool told = X509_NAME_print_ex(text, X509_get_subject_name(cert), 0, XN_FLAG_RFC2253) >= 0;
    char *at;
    long len = BIO_get_mem_data(text, &at);
    told = told && len > 0 && slice_to_cstr(slice_make(at, (size_t)len), out, cap);
    BIO_free(text);
    return told;
}

bool conn_peer_common_name(const struct conn *c, char *out, size_t cap)
{
    X509 *cert = c->ssl ? SSL_get0_peer_certificate(c->ssl) : NULL;
    if (!cert || SSL_get_verify_result(c->ssl) != X509_V_OK) return false;
    X509_NAME *subject = X509_get_subject_name(cert);
    int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    if (at < 0 || X509_NAME_get_index_by_NID(subject, NID_commonName, at) >= 0) return false;
    uint8_t *text = NULL;
    int len =
        ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
    bool told = len > 0 && !memchr(text, 0, (size_t)len) &&
                slice_to_cstr(slice_make(text, (size_t)len), out, cap);
    OPENSSL_free(text);
    return told;
}

const char *conn_tls_protocol(const struct conn *c)
{
    return c->ssl ? SSL_get_version(c->ssl) : NULL;
}

const char *conn_tls_cipher(const struct conn *c)
{
    return c->ssl ? SSL_get_cipher_name(c->ssl) : NULL;
}
