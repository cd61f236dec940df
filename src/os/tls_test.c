/* TLS: an independent client (openssl s_client) is served over the same listener as plain peers,
 * checks our certificate, and is known by its own; what is too old or unsigned is refused. */
#include "os/tls.h"

#include "os/file.h"
#include "os/http.h"
#include "os/net.h"
#include "os/test_peer.h"
#include "test.h"
#include <openssl/ssl.h>
#include <unistd.h>

struct secure {
    struct side side;
    struct http_server *server;
    struct tls *tls;
    struct buf got;
};

static void handle(void *door, struct http_request *r)
{
    char name[128] = "nobody";
    (void)door;
    if (http_conn(r)) (void)conn_peer_name(http_conn(r), name, sizeof(name));
    if (http_body(r).len)
        http_reply(r, 200, "text/plain", http_body(r));
    else
        http_reply_text(r, 200, "hello %s\n", name);
}

static const char *in_dir(const char *name)
{
    static char paths[64][512];
    static int turn;
    char *path = paths[turn++ % 64];
    snprintf(path, sizeof(paths[0]), "%s/%s", test_dir(), name);
    return path;
}

static void secure_open(struct secure *s, const struct tls_options *o)
{
    struct diag d;
    struct buf pem = buf_make(KIB(16));
    s->got = buf_make(MIB(16));
    CHECK_OK(tls_new(o, &s->tls, &d), &d);
    CHECK_OK(tls_certificate(s->tls, &pem), NULL);
    CHECK_OK(file_store(in_dir("server.pem"), buf_view(&pem), &d), &d);
    buf_done(&pem);
    side_open(&s->side);
    struct http_options ho = {.address = "127.0.0.1", .handler = handle, .tls = s->tls};
    CHECK_OK(http_open(s->side.loop, &ho, &s->server, &d), &d);
    side_start(&s->side);
}

static void secure_close(struct secure *s)
{
    side_stop(&s->side);
    http_close(s->server);
    tls_free(s->tls);
    side_free(&s->side);
    buf_done(&s->got);
}

static const char *s_client(struct secure *s, const char *more)
{
    char command[1200];
    buf_reset(&s->got);
    snprintf(command, sizeof(command),
             "printf 'GET / HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n' | "
             "timeout 20 openssl s_client -connect 127.0.0.1:%u -CAfile %s -verify_return_error "
             "-verify_hostname localhost -ign_eof %s 2>&1",
             http_port(s->server), in_dir("server.pem"), more);
    (void)peer_command(command, &s->got); /* what it printed decides */
    return buf_cstr(&s->got);
}

static void make_pair(const char *name, const char *cert, const char *key)
{
    struct diag d;
    struct buf cert_pem = buf_make(KIB(16)), key_pem = buf_make(KIB(16));
    CHECK_OK(tls_self_sign(name, &cert_pem, &key_pem, &d), &d);
    CHECK_OK(file_store(cert, buf_view(&cert_pem), &d), &d);
    CHECK_OK(file_store(key, buf_view(&key_pem), &d), &d);
    buf_done(&cert_pem), buf_done(&key_pem);
}

TEST(a_tls_client_is_served_and_trusts_the_certificate_made_on_demand)
{
    struct secure s = {0};
    struct tls_options o = {0};
    secure_open(&s, &o);
    const char *out = s_client(&s, "-alpn h2,http/1.1");
    CHECK(strstr(out, "hello nobody"));
    CHECK(strstr(out, "ALPN protocol: http/1.1"));
    CHECK(strstr(out, "TLSv1.3") && strstr(out, "Verify return code: 0 (ok)"));
    CHECK(strstr(s_client(&s, "-tls1_2"), "hello nobody"));
    CHECK(strstr(s_client(&s, "-alpn kafka"), "hello nobody")); /* an unknown one: none chosen */
    CHECK(!strstr(s_client(&s, "-tls1_1 -cipher ALL:@SECLEVEL=0"), "hello"));
    CHECK(!strstr(s_client(&s, "-tls1_2 -cipher AES128-SHA"), "hello"));
    int fd = peer_connect(http_port(s.server)); /* plain words to a TLS port */
    peer_text(fd, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    buf_reset(&s.got);
    CHECK(peer_to_end(fd, &s.got));
    CHECK(!strstr(buf_cstr(&s.got), "HTTP"));
    close(fd);
    secure_close(&s);
}

TEST(a_clients_certificate_is_checked_and_names_it)
{
    struct secure s = {0};
    char mine[1024];
    make_pair("server.example", in_dir("cert.pem"), in_dir("key.pem"));
    make_pair("alice", in_dir("alice.pem"), in_dir("alice.key"));
    make_pair("mallory", in_dir("mallory.pem"), in_dir("mallory.key"));
    struct tls_options o = {.cert_path = in_dir("cert.pem"),
                            .key_path = in_dir("key.pem"),
                            .client_ca_path = in_dir("alice.pem"),
                            .client_required = true};
    secure_open(&s, &o);
    snprintf(mine, sizeof(mine), "-cert %s -key %s", in_dir("alice.pem"), in_dir("alice.key"));
    CHECK(strstr(s_client(&s, mine), "hello CN=alice\n"));
    snprintf(mine, sizeof(mine), "-cert %s -key %s", in_dir("mallory.pem"), in_dir("mallory.key"));
    CHECK(!strstr(s_client(&s, mine), "hello"));
    CHECK(!strstr(s_client(&s, ""), "hello"));
    secure_close(&s);
    o.client_required = false;
    secure_open(&s, &o);
    CHECK(strstr(s_client(&s, ""), "hello nobody"));
    CHECK(!strstr(s_client(&s, mine), "hello")); /* a wrong one is worse than none */
    secure_close(&s);
}

TEST(certificates_that_can_not_be_used_are_told_with_their_path)
{
    struct tls *t;
    struct diag d;
    make_pair("a", in_dir("a.pem"), in_dir("a.key"));
    make_pair("b", in_dir("b.pem"), in_dir("b.key"));
    CHECK_OK(file_store(in_dir("junk"), SLICE("no certificate"), &d), &d);
    const struct {
        struct tls_options o;
        const char *named, *why;
    } cases[] = {
        {{.cert_path = in_dir("absent"), .key_path = in_dir("a.key")}, "absent", "No such file"},
        {{.cert_path = in_dir("junk"), .key_path = in_dir("a.key")}, "junk", "no start line"},
        {{.cert_path = in_dir("a.pem"), .key_path = in_dir("b.key")}, "b.key", "mismatch"},
        {{.cert_path = in_dir("a.pem")}, "both or neither", ""},
        {{.client_ca_path = in_dir("junk")}, "junk", ""},
        {{.client_required = true}, "no authority", ""},
        {{.name = "evil,DNS:other"}, "evil", ""},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        CHECK(tls_new(&cases[i].o, &t, &d) != ERR_OK);
        if (!strstr(d.what, cases[i].named) || !strstr(d.why, cases[i].why))
            test_failed(__FILE__, __LINE__, "case %zu says '%s' because '%s'", i, d.what, d.why);
    }
}

/* A blocking client of the same library, for volume. */
static SSL *tls_connect(struct secure *s, SSL_CTX **context)
{
    *context = SSL_CTX_new(TLS_client_method());
    SSL *ssl = SSL_new(*context);
    SSL_set_fd(ssl, peer_connect(http_port(s->server)));
    CHECK_INT(SSL_connect(ssl), 1);
    return ssl;
}

TEST(eight_megabytes_go_through_tls_both_ways_and_pipelined_requests_are_not_forgotten)
{
    struct secure s = {0};
    struct tls_options o = {0};
    SSL_CTX *context;
    struct buf in = buf_make(MIB(9));
    char bytes[16384];
    int n;
    secure_open(&s, &o);
    SSL *ssl = tls_connect(&s, &context);
    buf_printf(&in, "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", 8 << 20);
    size_t head = in.len;
    for (int i = 0; i < 8 << 20; i++) buf_char(&in, (char)('a' + i % 26));
    for (size_t at = 0; at < in.len; at += (size_t)n) { /* the server answers only at the end */
        n = SSL_write(ssl, in.at + at, (int)(in.len - at));
        INVARIANT(n > 0);
    }
    const char *end = NULL; /* of the answer's head */
    while (!(end && s.got.len >= (size_t)(end + 4 - (char *)s.got.at) + (8 << 20)) &&
           (n = SSL_read(ssl, bytes, sizeof(bytes))) > 0) {
        buf_put(&s.got, bytes, (size_t)n);
        end = strstr(buf_cstr(&s.got), "\r\n\r\n");
    }
    CHECK(s.got.len > (8 << 20) &&
          memcmp(s.got.at + s.got.len - (8 << 20), in.at + head, 8 << 20) == 0);
    buf_reset(&s.got), buf_reset(&in);
    for (int i = 0; i < 500; i++) buf_text(&in, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    buf_text(&in, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    for (size_t at = 0; at < in.len; at += (size_t)n) /* 13,000 bytes in one record */
        INVARIANT((n = SSL_write(ssl, in.at + at, (int)(in.len - at))) > 0);
    while ((n = SSL_read(ssl, bytes, sizeof(bytes))) > 0) buf_put(&s.got, bytes, (size_t)n);
    int answers = 0;
    for (const char *at = buf_cstr(&s.got); (at = strstr(at, "hello nobody")); at++) answers++;
    CHECK_INT(answers, 501);
    close(SSL_get_fd(ssl));
    SSL_free(ssl), SSL_CTX_free(context);
    secure_close(&s);
    buf_done(&in);
}
