#include "os/test_peer.h"

#include "os/clock.h"
#include "test.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

void side_open(struct side *s)
{
    struct diag d;
    *s = (struct side){0};
    CHECK_OK(loop_new("side", 1024, &s->loop, &d), &d);
}

static void run(void *arg)
{
    loop_run(arg);
}

void side_start(struct side *s)
{
    struct diag d;
    CHECK_OK(thread_start(&s->thread, "side", run, s->loop, &d), &d);
}

void side_stop(struct side *s)
{
    loop_stop(s->loop);
    thread_join(&s->thread);
}

void side_free(struct side *s)
{
    loop_free(s->loop);
}

bool side_wait(bool (*done)(void *), void *arg)
{
    int64_t until = clock_mono_ns() + PEER_WAIT_MS * INT64_C(1000000);
    while (!done(arg)) {
        if (clock_mono_ns() > until) return false;
        struct timespec shortly = {.tv_nsec = 1000000}; /* not a guess: the condition decides */
        nanosleep(&shortly, NULL);
    }
    return true;
}

static int connected(int fd, const struct sockaddr *to, socklen_t size)
{
    int rc;
    do rc = connect(fd, to, size);
    while (rc < 0 && errno == EINTR);
    CHECK(rc == 0);
    return fd;
}

int peer_connect(uint16_t port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return connected(fd, (struct sockaddr *)&to, sizeof(to));
}

int peer_connect_unix(const char *path)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    snprintf(to.sun_path, sizeof(to.sun_path), "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return connected(fd, (struct sockaddr *)&to, sizeof(to));
}

static bool ready(int fd, short what)
{
    struct pollfd p = {.fd = fd, .events = what};
    int rc;
    do rc = poll(&p, 1, PEER_WAIT_MS);
    while (rc < 0 && errno == EINTR);
    return rc == 1;
}

void peer_send(int fd, struct slice bytes)
{
    while (bytes.len) {
        bool can = ready(fd, POLLOUT);
        ssize_t n = can ? send(fd, bytes.at, bytes.len, MSG_NOSIGNAL) : -1;
        if (n <= 0) test_failed(__FILE__, __LINE__, "the peer can not send: %s", strerror(errno));
        if (n <= 0) return;
        bytes.at += n;
        bytes.len -= (uint32_t)n;
    }
}

void peer_text(int fd, const char *text)
{
    peer_send(fd, slice_of(text));
}

size_t peer_read(int fd, void *to, size_t size)
{
    size_t got = 0;
    while (got < size && ready(fd, POLLIN)) {
        ssize_t n = recv(fd, (char *)to + got, size - got, 0);
        if (n <= 0) break;
        got += (size_t)n;
    }
    return got;
}

bool peer_until(int fd, const char *text, struct buf *got)
{
    char byte; /* one at a time: nothing after `text` is taken */
    while (!strstr(buf_cstr(got), text)) {
        if (!ready(fd, POLLIN) || recv(fd, &byte, 1, 0) <= 0) {
            test_failed(__FILE__, __LINE__, "'%s' did not come; this did: '%s'", text,
                        buf_cstr(got));
            return false;
        }
        buf_put(got, &byte, 1);
    }
    return true;
}

bool peer_to_end(int fd, struct buf *got)
{
    char bytes[4096];
    while (ready(fd, POLLIN)) {
        ssize_t n = recv(fd, bytes, sizeof(bytes), 0);
        if (n == 0 || (n < 0 && errno == ECONNRESET)) return true;
        if (n < 0) return false;
        buf_put(got, bytes, (size_t)n);
    }
    return false;
}

void peer_reset(int fd)
{
    struct linger now = {.l_onoff = 1};
    CHECK_INT(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);
    close(fd);
}

int peer_command(const char *command, struct buf *got)
{
    char bytes[4096];
    size_t n;
    FILE *f = popen(command, "re");
    INVARIANT(f != NULL);
    while ((n = fread(bytes, 1, sizeof(bytes), f)) > 0) buf_put(got, bytes, n);
    int status = pclose(f);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
