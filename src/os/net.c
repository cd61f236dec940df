#include "os/net.h"

#include "base/say.h"
#include "os/clock.h"
#include "os/net_int.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { ACCEPTS = 64, REST_MS = 100, SWEEP_LEAST_MS = 20, SWEEP_MOST_MS = 1000, BACKLOG = 1024 };

static void on_sweep(void *arg)
{
    struct listener *l = arg;
    int64_t now = clock_mono_ns() / 1000000, due = INT64_MAX;
    loop_timer_free(l->sweep);
    l->sweep = NULL;
    l->sweep_at_ms = INT64_MAX;
    for (struct conn *c = l->conns, *next; c; c = next) {
        next = c->next;
        int64_t its_due = conn_sweep(c, now); /* may free it */
        due = MIN(due, its_due);
    }
    if (l->conns && due < INT64_MAX) listener_sweep_by(l, due);
}

/* Looks at all connections at `at_ms`, or earlier. One timer for all: idle connections cost a
 * walk a second and no heap of timers. By the clock room's time, so that a fake clock
 * drives the timeouts; the look itself comes at least once a real second. */
void listener_sweep_by(struct listener *l, int64_t at_ms)
{
    if (l->closing || (l->sweep && l->sweep_at_ms <= at_ms)) return;
    int64_t delay = at_ms - clock_mono_ns() / 1000000;
    delay = MIN(MAX(delay, (int64_t)SWEEP_LEAST_MS), (int64_t)SWEEP_MOST_MS);
    loop_timer_free(l->sweep);
    l->sweep = NULL;
    l->sweep_at_ms = at_ms;
    if (loop_timer_new(l->loop, delay, 0, on_sweep, l, &l->sweep))
        say_warn(SAY_OS, "out of memory; timeouts wait for the next connection", "port=%u",
                 l->options.port);
}

/* --- accepting -------------------------------------------------------------------------------- */

static void end_rest(void *arg)
{
    struct listener *l = arg;
    loop_timer_free(l->rest);
    l->rest = NULL;
    event_add(&l->accept, NULL);
}

/* Out of descriptors: the waiting connection would wake us forever. */
static void rest(struct listener *l, int error)
{
    say_warn(SAY_OS, "connections can not be accepted", "port=%u conns=%u why=\"%s\"",
             l->options.port, l->count, strerror(error));
    event_del(&l->accept);
    if (loop_timer_new(l->loop, REST_MS, 0, end_rest, l, &l->rest)) event_add(&l->accept, NULL);
}

static void turn_away(struct listener *l, int fd)
{
    close(fd);
    if ((l->refused++ & 1023) == 0)
        say_warn(SAY_OS, "too many connections; refused", "port=%u conns=%u refused=%u",
                 l->options.port, l->count, l->refused);
}

static void take_accepted(struct listener *l, int fd, const struct sockaddr_storage *from)
{
    if (l->count < l->options.conns_max) {
        conn_accept(l, fd, from);
        return;
    }
    if (l->options.crowd) crowd_leave(l->options.crowd, crowd_address_of(from));
    turn_away(l, fd);
}

struct handover { /* an accepted socket on its way to another loop */
    struct loop_message message;
    struct listener *to;
    struct sockaddr_storage from;
    int fd;
};

static void arrive(struct loop_message *m)
{
    struct handover *h = (struct handover *)m;
    take_accepted(h->to, h->fd, &h->from);
    mem_give(h);
}

static void hand_to(struct listener *l, int fd, const struct sockaddr_storage *from)
{
    uint32_t turn = l->turn++ % (l->crew_count + 1);
    struct handover *h = turn > 0 ? mem_take(sizeof(*h)) : NULL;
    if (!h) { /* ours, or nothing to carry it in */
        take_accepted(l, fd, from);
        return;
    }
    h->to = l->crew[turn - 1];
    h->from = *from;
    h->fd = fd;
    loop_send(h->to->loop, &h->message, arrive);
}

static void on_accept(evutil_socket_t listening, short what, void *arg)
{
    struct listener *l = arg;
    (void)what;
    for (int i = 0; i < ACCEPTS; i++) {
        struct sockaddr_storage from = {0};
        socklen_t size = sizeof(from);
        int fd = accept4(listening, (struct sockaddr *)&from, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0 && errno == EAGAIN) return;
        if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)) {
            rest(l, errno);
            return;
        }
        if (fd < 0) continue; /* that one has left already */
        if (l->options.crowd && !crowd_enter(l->options.crowd, crowd_address_of(&from))) {
            turn_away(l, fd);
            continue;
        }
        hand_to(l, fd, &from);
    }
}

/* --- opening ---------------------------------------------------------------------------------- */

static err_t address_of(const struct listener_options *o, struct sockaddr_storage *out,
                        socklen_t *size, struct diag *d)
{
    struct sockaddr_un *local = (void *)out;
    struct sockaddr_in *v4 = (void *)out;
    struct sockaddr_in6 *v6 = (void *)out;
    *out = (struct sockaddr_storage){0};
    if (o->address[0] == '/') {
        local->sun_family = AF_UNIX;
        *size = sizeof(*local);
        if (slice_to_cstr(slice_of(o->address), local->sun_path, sizeof(local->sun_path)))
            return ERR_OK;
        return diag_fail(d, ERR_CONFIG, "socket path is longer than %zu bytes: %s",
                         sizeof(local->sun_path) - 1, o->address);
    }
    if (inet_pton(AF_INET, o->address, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(o->port);
        *size = sizeof(*v4);
        return ERR_OK;
    }
    if (inet_pton(AF_INET6, o->address, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(o->port);
        *size = sizeof(*v6);
        return ERR_OK;
    }
    diag_fail(d, ERR_CONFIG, "'%s' is no address to listen on", o->address);
    return diag_hint(d, "give an IP address of this machine (127.0.0.1, ::1, 0.0.0.0) or an "
                        "absolute path for a Unix socket");
}

static err_t bind_failed(const struct listener_options *o, int error, struct diag *d)
{
    char holder[128];
    if (o->address[0] != '/')
        diag_errno(d, error, "can not listen on %s:%u", o->address, o->port);
    else
        diag_errno(d, error, "can not listen on %s", o->address);
    if (error == EADDRINUSE && o->address[0] == '/')
        diag_why(d, "another process listens on this socket");
    else if (error == EADDRINUSE && net_port_holder(o->port, holder, sizeof(holder)))
        diag_why(d, "port %u is held by %s", o->port, holder);
    if (error == EADDRINUSE) return diag_hint(d, "stop that process, or choose another port");
    if (error == EACCES && o->port && o->port < 1024)
        return diag_hint(d, "ports below 1024 need root or CAP_NET_BIND_SERVICE");
    return err_from_errno(error);
}

/* A socket file that nobody answers on is left over from a killed process. */
static bool stale_socket(const struct sockaddr_storage *at, socklen_t size)
{
    struct stat st;
    const char *path = ((const struct sockaddr_un *)at)->sun_path;
    if (stat(path, &st) != 0 || !S_ISSOCK(st.st_mode)) return false;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return false;
    bool refused = connect(fd, (const struct sockaddr *)at, size) != 0 && errno == ECONNREFUSED;
    close(fd);
    return refused && unlink(path) == 0;
}

static int bind_and_listen(struct listener *l, const struct sockaddr_storage *at, socklen_t size)
{
    int on = 1, off = 0;
    const struct sockaddr *address = (const struct sockaddr *)at;
    l->fd = socket(at->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (l->fd < 0) return errno;
    if (at->ss_family != AF_UNIX)
        (void)setsockopt(l->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (at->ss_family == AF_INET6) /* "::" serves both families */
        (void)setsockopt(l->fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    int rc = bind(l->fd, address, size);
    if (rc != 0 && errno == EADDRINUSE && at->ss_family == AF_UNIX && stale_socket(at, size))
        rc = bind(l->fd, address, size);
    if (rc != 0) return errno;
    if (at->ss_family == AF_UNIX) {
        snprintf(l->path, sizeof(l->path), "%s", ((const struct sockaddr_un *)at)->sun_path);
        if (chmod(l->path, 0660) != 0) return errno;
    }
    return listen(l->fd, BACKLOG) == 0 ? 0 : errno;
}

static void learn_port(struct listener *l)
{
    struct sockaddr_storage at = {0};
    socklen_t size = sizeof(at);
    if (getsockname(l->fd, (struct sockaddr *)&at, &size) != 0) return;
    if (at.ss_family == AF_INET) l->options.port = ntohs(((struct sockaddr_in *)&at)->sin_port);
    if (at.ss_family == AF_INET6) l->options.port = ntohs(((struct sockaddr_in6 *)&at)->sin6_port);
}

err_t listener_open(struct loop *loop, const struct listener_options *o, struct listener **out,
                    struct diag *d)
{
    struct sockaddr_storage at;
    socklen_t size;
    err_t e = address_of(o, &at, &size, d);
    if (e) return e;
    struct listener *l = mem_take(sizeof(*l));
    if (!l) return diag_fail(d, ERR_NO_MEMORY, "can not listen on %s", o->address);
    *l = (struct listener){.loop = loop, .options = *o, .fd = -1, .sweep_at_ms = INT64_MAX};
    if (!o->conns_max) l->options.conns_max = 1024;
    if (!o->input_max) l->options.input_max = (uint32_t)MIB(1);
    if (!o->output_high) l->options.output_high = (uint32_t)MIB(1);
    if (!o->output_max) l->options.output_max = (uint32_t)MIB(64);
    int error = bind_and_listen(l, &at, size);
    if (error) {
        e = bind_failed(o, error, d);
        listener_close(l);
        return e;
    }
    learn_port(l);
    event_assign(&l->accept, loop_base(loop), l->fd, EV_READ | EV_PERSIST, on_accept, l);
    l->accepting = true;
    if (event_add(&l->accept, NULL) != 0) {
        listener_close(l);
        return diag_fail(d, ERR_NO_MEMORY, "can not listen on %s", o->address);
    }
    *out = l;
    return ERR_OK;
}

err_t listener_join(struct listener *l, struct loop *loop, void *door, struct listener **out,
                    struct diag *d)
{
    struct listener *joined = l->crew_count < LISTENER_CREW_MAX ? mem_take(sizeof(*joined)) : NULL;
    if (!joined)
        return diag_fail(d, ERR_NO_MEMORY, "no more loops can share port %u", l->options.port);
    *joined =
        (struct listener){.loop = loop, .options = l->options, .fd = -1, .sweep_at_ms = INT64_MAX};
    joined->options.door = door;
    l->crew[l->crew_count++] = joined;
    *out = joined;
    return ERR_OK;
}

void listener_close(struct listener *l)
{
    if (!l) return;
    l->closing = true;
    if (l->accepting) event_del(&l->accept);
    loop_timer_free(l->rest);
    loop_timer_free(l->sweep);
    while (l->conns) conn_end_now(l->conns);
    if (l->fd >= 0) close(l->fd);
    if (l->path[0]) unlink(l->path);
    mem_give(l);
}

uint64_t net_descriptors_raise(void)
{
    struct rlimit limit;
    INVARIANT(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    rlim_t soft = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max;
    return setrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_max : soft;
}

uint16_t listener_port(const struct listener *l)
{
    return l->options.port;
}

uint32_t listener_conns(const struct listener *l)
{
    return l->count;
}

static uint64_t count_of(const _Atomic uint64_t *n)
{
    return atomic_load_explicit(n, memory_order_relaxed);
}

struct listener_counts listener_counts(const struct listener *l)
{
    struct listener_counts all = {.open = l->count,
                                  .accepted = count_of(&l->accepted),
                                  .refused = l->refused,
                                  .bytes_in = count_of(&l->bytes_in),
                                  .bytes_out = count_of(&l->bytes_out)};
    for (uint32_t i = 0; i < l->crew_count; i++) {
        struct listener_counts its = listener_counts(l->crew[i]);
        all.open += its.open;
        all.accepted += its.accepted;
        all.refused += its.refused;
        all.bytes_in += its.bytes_in;
        all.bytes_out += its.bytes_out;
    }
    return all;
}
