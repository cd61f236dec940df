/* An outgoing connection: against our own listener with and without TLS (whose other half is tested
 * against openssl's own client), against one that is silent, one that leaves, one that is not
 * there.
 */
#include "os/dial.h"
#include "os/file.h"
#include "os/net.h"
#include "os/test_peer.h"
#include "os/tls.h"

#include "test.h"
#include <stdlib.h>
#include <unistd.h>

static void *echo_open(void *door, struct conn *c)
{
    (void)c;
    return door;
}

/* Bytes come back as they are; "bye" is the end. */
static size_t echo_data(void *state, struct conn *c, struct slice in)
{
    (void)state;
    if (slice_is(in, "silence")) return in.len;
    if (slice_is(in, "bye"))
        conn_close(c);
    else
        conn_write(c, in);
    return in.len;
}

static void echo_closed(void *state, struct conn *c)
{
    (void)state, (void)c;
}

static const struct conn_handler echo = {
    .open = echo_open, .data = echo_data, .closed = echo_closed};

static void talk(struct dial *c)
{
    static uint8_t sent[300000], got[300000];
    struct diag d;
    for (size_t i = 0; i < sizeof(sent); i++) sent[i] = (uint8_t)(i * 7 + i / 251);
    CHECK_OK(dial_write(c, slice_make(sent, sizeof(sent)), &d), &d);
    CHECK_OK(dial_read(c, got, sizeof(got), &d), &d);
    CHECK(memcmp(sent, got, sizeof(sent)) == 0);
    dial_timeout(c, 50);
    CHECK_OK(dial_write(c, SLICE("silence"), &d), &d);
    CHECK_ERR(dial_read(c, got, 1, &d), ERR_TIMEOUT);
    dial_timeout(c, PEER_WAIT_MS);
    CHECK_OK(dial_write(c, SLICE("bye"), &d), &d);
    CHECK_ERR(dial_read(c, got, 1, &d), ERR_PEER);
}

static uint16_t serve(struct side *s, struct tls *tls, struct listener **l)
{
    struct diag d;
    static int door;
    struct listener_options o = {
        .address = "127.0.0.1", .tls = tls, .handler = &echo, .door = &door};
    side_open(s);
    CHECK_OK(listener_open(s->loop, &o, l, &d), &d);
    side_start(s);
    return listener_port(*l);
}

TEST(a_plain_connection_carries_bytes_and_every_wait_ends)
{
    struct side s;
    struct listener *l;
    struct dial *c;
    struct diag d;
    uint16_t port = serve(&s, NULL, &l);
    struct dial_options o = {.host = "localhost", .port = port};
    CHECK_OK(dial_open(&o, &c, &d), &d);
    talk(c);
    dial_close(c);
    side_stop(&s);
    listener_close(l);
    side_free(&s);
    CHECK_ERR(dial_open(&o, &c, &d), ERR_PEER);
    o.host = "no.such.host.invalid";
    CHECK_ERR(dial_open(&o, &c, &d), ERR_PEER);
}

TEST(a_tls_connection_checks_whom_it_talks_to)
{
    struct side s;
    struct listener *l;
    struct tls *tls;
    struct dial *c;
    struct diag d;
    char path[] = "/tmp/dial_test_XXXXXX";
    struct tls_options own = {.name = "localhost"};
    struct buf pem = buf_make(KIB(64));
    CHECK_OK(tls_new(&own, &tls, &d), &d);
    CHECK_ERR(tls_certificate(tls, &pem), ERR_OK);
    int fd = mkstemp(path);
    CHECK(fd >= 0 && write(fd, pem.at, pem.len) == (ssize_t)pem.len);
    close(fd);
    uint16_t port = serve(&s, tls, &l);
    struct dial_tls with = {.ca_path = path};
    struct dial_options o = {.host = "localhost", .port = port, .tls = &with};
    CHECK_OK(dial_open(&o, &c, &d), &d);
    talk(c);
    dial_close(c);
    o.host = "127.0.0.1"; /* the certificate has it too */
    CHECK_OK(dial_open(&o, &c, &d), &d);
    dial_close(c);
    with.ca_path = NULL; /* nobody we know has signed it */
    CHECK_ERR(dial_open(&o, &c, &d), ERR_PEER);
    CHECK(strstr(d.why, "certificate"));
    with.unchecked = true;
    CHECK_OK(dial_open(&o, &c, &d), &d);
    dial_close(c);
    side_stop(&s);
    listener_close(l);
    tls_free(tls);
    side_free(&s);
    buf_done(&pem);
    unlink(path);
}
