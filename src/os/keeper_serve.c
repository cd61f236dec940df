/* The keeper's process: one thread, one epoll, one server at a time. */
#include "os/keeper_serve.h"

#include "os/clock.h"
#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    EVENTS_AT_ONCE = 64,
    TICK_MS = 100,
    OUT_MAX = 64 << 20,
    GRACE_MS = 5000 /* when nobody says otherwise */
};

void keeping_watch(struct keeping *k, struct watch *w, uint32_t events)
{
    struct epoll_event e = {.events = events, .data.ptr = w};
    if (epoll_ctl(k->epoll, EPOLL_CTL_ADD, w->fd, &e) != 0 && errno == EEXIST)
        (void)epoll_ctl(k->epoll, EPOLL_CTL_MOD, w->fd, &e);
}

void keeping_unwatch(struct keeping *k, struct watch *w)
{
    if (w->fd < 0) return;
    /* a warden that was just forked may still hold it: closing alone would leave it in epoll */
    (void)epoll_ctl(k->epoll, EPOLL_CTL_DEL, w->fd, NULL);
    close(w->fd);
    w->fd = -1;
}

/* --- the peer -----------------------------------------------------------------------------------
 */

static void lose_peer(struct keeping *k)
{
    keeping_unwatch(k, &k->peer);
    buf_reset(&k->in);
    buf_reset(&k->out);
}

static void flush(struct keeping *k)
{
    size_t at = 0;
    while (k->peer.fd >= 0 && at < k->out.len) {
        ssize_t n = send(k->peer.fd, k->out.at + at, k->out.len - at, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno != EAGAIN) {
            lose_peer(k);
            return;
        }
        if (n < 0) break;
        at += (size_t)n;
    }
    if (k->peer.fd < 0) buf_reset(&k->out); /* nobody listens: it is found later */
    if (k->out.err) lose_peer(k);
    if (!k->out.len) return;
    memmove(k->out.at, k->out.at + at, k->out.len - at);
    k->out.len -= at;
    keeping_watch(k, &k->peer, k->out.len ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

void keeping_tell(struct keeping *k, const struct keeper_end *end, enum keeper_says what)
{
    if (k->peer.fd >= 0) keeper_put_end(&k->out, what, end);
}

static void tell_all(struct keeping *k)
{
    for (size_t i = 0; i < k->works.count; i++)
        keeping_tell(k, &(*(struct keeper_work **)vec_at(&k->works, i))->end, KEEPER_FOUND);
    size_t at = keeper_begin(&k->out, KEEPER_KNOWN);
    keeper_finish(&k->out, at);
}

static void on_peer_comes(struct keeping *k)
{
    int fd = accept4(k->listener.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) return;
    lose_peer(k); /* the one before has died: there is one server */
    k->peer = (struct watch){.kind = WATCH_PEER, .fd = fd};
    keeping_watch(k, &k->peer, EPOLLIN);
    tell_all(k);
}

void keeping_note(struct keeping *k, const struct keeper_end *end)
{
    struct buf out = buf_make(KEEPER_MESSAGE_MAX);
    keeper_put_end(&out, KEEPER_FOUND, end);
    if (!out.err && write(k->ends, out.at, out.len) == (ssize_t)out.len) k->ends_size += out.len;
    buf_done(&out);
}

static void forget(struct keeping *k, struct slice id)
{
    struct buf out = buf_make(KEEPER_MESSAGE_MAX);
    for (size_t i = 0; i < k->works.count; i++) {
        struct keeper_work *w = *(struct keeper_work **)vec_at(&k->works, i);
        if (!slice_equal(w->end.id, id) || !w->ended) continue;
        size_t at = keeper_begin(&out, KEEPER_FORGET);
        keeper_put_text(&out, id);
        keeper_finish(&out, at);
        if (!out.err && write(k->ends, out.at, out.len) == (ssize_t)out.len)
            k->ends_size += out.len;
        *(struct keeper_work **)vec_at(&k->works, i) =
            *(struct keeper_work **)vec_at(&k->works, k->works.count - 1);
        k->works.count--;
        work_free(k, w);
        break;
    }
    buf_done(&out);
    if (k->ends_size > ENDS_MAX && past_rewrite(k, NULL) != ERR_OK)
        k->ends_size = 0; /* tried again later */
}

static void end_all(struct keeping *k, int64_t grace_ms)
{
    k->ending = true;
    for (size_t i = 0; i < k->works.count; i++)
        work_stop(k, *(struct keeper_work **)vec_at(&k->works, i), grace_ms);
}

static void obey(struct keeping *k, enum keeper_says what, struct cursor *body)
{
    struct keeper_work *w;
    struct slice id;
    switch (what) {
    case KEEPER_START: work_begin(k, body); break;
    case KEEPER_STOP:
        id = keeper_text(body);
        w = body->err ? NULL : work_find(k, id);
        if (w) work_stop(k, w, cursor_i64(body));
        break;
    case KEEPER_FORGET:
        id = keeper_text(body);
        if (!body->err) forget(k, id);
        break;
    case KEEPER_END_ALL: end_all(k, cursor_i64(body)); break;
    default: lose_peer(k); /* not what a server says */
    }
}

static void on_peer(struct keeping *k)
{
    uint8_t *to = buf_grow(&k->in, 65536);
    ssize_t n = to ? recv(k->peer.fd, to, 65536, 0) : 0;
    if (to) k->in.len -= 65536 - (size_t)MAX(n, (ssize_t)0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) {
        lose_peer(k);
        return;
    }
    size_t used = 0;
    enum keeper_says what;
    struct cursor body;
    bool bad = false;
    while (k->peer.fd >= 0 && keeper_take(buf_view(&k->in), &used, &what, &body, &bad))
        obey(k, what, &body);
    if (bad) lose_peer(k);
    if (k->peer.fd < 0 || !k->in.at) return;
    memmove(k->in.at, k->in.at + used, k->in.len - used);
    k->in.len -= used;
}

/* --- the loop -----------------------------------------------------------------------------------
 */

static void on_signal(struct keeping *k)
{
    struct signalfd_siginfo info;
    int status;
    while (read(k->signals.fd, &info, sizeof info) == (ssize_t)sizeof info)
        if (info.ssi_signo == SIGTERM) end_all(k, GRACE_MS);
    bool any = false; /* wardens, which say by their sockets that they are gone, or … */
    while (waitpid(-1, &status, WNOHANG) > 0) any = true;
    if (any) crew_orphans(k);
}

static bool anything_runs(const struct keeping *k)
{
    for (size_t i = 0; i < k->works.count; i++)
        if (!(*(struct keeper_work **)vec_at(&k->works, i))->ended) return true;
    return false;
}

static void tick(struct keeping *k)
{
    int64_t now = clock_mono_ns() / 1000000;
    for (size_t i = 0; i < k->works.count; i++)
        work_tick(k, *(struct keeper_work **)vec_at(&k->works, i), now);
}

static void dispatch(struct keeping *k, struct watch *w, uint32_t events)
{
    if (w->fd < 0) return;
    switch (w->kind) {
    case WATCH_LISTENER: on_peer_comes(k); break;
    case WATCH_PEER:
        if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) on_peer(k);
        break;
    case WATCH_SIGNALS: on_signal(k); break;
    case WATCH_REPORT:
    case WATCH_OUTPUT:
    case WATCH_INPUT: work_ready(k, w); break;
    }
}

/* A work that is forgotten or refused in a turn may have more events in it: those are dropped with
 * the turn, and epoll tells what is still so again. */
static void turn(struct keeping *k)
{
    struct epoll_event events[EVENTS_AT_ONCE];
    bool stopping = k->ending;
    for (size_t i = 0; i < k->works.count && !stopping; i++)
        stopping = (*(struct keeper_work **)vec_at(&k->works, i))->kill_at_ms != 0;
    int n = epoll_wait(k->epoll, events, EVENTS_AT_ONCE, stopping ? TICK_MS : crew_rest_ms(k));
    for (int i = 0; i < n; i++) {
        size_t works = k->works.count;
        dispatch(k, events[i].data.ptr, events[i].events);
        if (k->works.count < works) break;
    }
    if (stopping) tick(k);
    crew_tidy(k);
    flush(k);
}

static err_t listen_at(struct keeping *k, struct diag *d)
{
    struct sockaddr_un address;
    if (!keeper_address(k->dir, &address))
        return diag_fail(d, ERR_TOO_BIG, "the path %s/socket is too long for a socket", k->dir);
    (void)unlink(address.sun_path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    k->listener = (struct watch){.kind = WATCH_LISTENER, .fd = fd};
    mode_t before = umask(077);
    bool bound =
        fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0 && listen(fd, 8) == 0;
    int error = errno;
    umask(before);
    return bound ? ERR_OK
                 : diag_errno(d, error, "the keeper can not listen at %s", address.sun_path);
}

static err_t open_all(struct keeping *k, struct diag *d)
{
    sigset_t caught;
    sigemptyset(&caught);
    sigaddset(&caught, SIGTERM);
    sigaddset(&caught, SIGCHLD);
    sigprocmask(SIG_BLOCK, &caught, NULL);
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    k->epoll = epoll_create1(EPOLL_CLOEXEC);
    k->signals = (struct watch){.kind = WATCH_SIGNALS,
                                .fd = signalfd(-1, &caught, SFD_CLOEXEC | SFD_NONBLOCK)};
    k->nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (k->epoll < 0 || k->signals.fd < 0 || k->nothing < 0)
        return diag_errno(d, errno, "the keeper can not start");
    k->peer.fd = -1;
    k->in = buf_make(KEEPER_MESSAGE_MAX + 65536 * 2);
    k->out = buf_make(OUT_MAX);
    k->works = vec_make(sizeof(struct keeper_work *), KEEPER_WORKS_MAX);
    k->idle = vec_make(sizeof(struct warden *), KEEPER_WORKS_MAX);
    k->parted = vec_make(sizeof(struct warden *), KEEPER_WORKS_MAX);
    err_t e = past_load(k, d);
    if (!e) e = listen_at(k, d);
    if (!e) keeping_watch(k, &k->signals, EPOLLIN);
    if (!e) keeping_watch(k, &k->listener, EPOLLIN);
    return e;
}

/* Says how its start went by `ready`, then serves. */
_Noreturn static void keep(const char *dir, int ready, int parent)
{
    struct keeping k = {.dir = dir};
    struct diag d = {0};
    /* a supervisor's own are not ours: who reads to their end would wait for us */
    if (ready > 3) syscall(SYS_close_range, 3, (unsigned)ready - 1, 0);
    syscall(SYS_close_range, (unsigned)MAX(ready, 2) + 1, ~0u, 0);
    setsid(); /* a terminal's Ctrl-C is the server's business */
    prctl(PR_SET_NAME, "sluice-keeper");
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    err_t e = getppid() == parent ? open_all(&k, &d) : ERR_STOPPED;
    if (!e) d = (struct diag){0};
    d.err = e;
    while (write(ready, &d, sizeof d) < 0 && errno == EINTR) {
    }
    close(ready);
    if (e) _exit(1);
    while (!k.ending || anything_runs(&k)) turn(&k);
    flush(&k);
    struct sockaddr_un address;
    if (keeper_address(dir, &address)) (void)unlink(address.sun_path);
    _exit(0);
}

err_t keeper_fork(const char *dir, int *pid, struct diag *d)
{
    int pair[2], parent = (int)getpid();
    err_t e = dir_make(dir, d);
    if (e) return e;
    if (pipe2(pair, O_CLOEXEC) != 0) return diag_errno(d, errno, "the keeper can not start");
    pid_t child = fork();
    if (child == 0) {
        close(pair[0]);
        keep(dir, pair[1], parent);
    }
    int error = errno;
    close(pair[1]);
    struct diag said = {.err = ERR_INTERNAL};
    ssize_t n = 0;
    if (child > 0) {
        do n = read(pair[0], &said, sizeof said);
        while (n < 0 && errno == EINTR);
    }
    close(pair[0]);
    if (child < 0) return diag_errno(d, error, "the keeper can not start");
    *pid = (int)child;
    if (n == (ssize_t)sizeof said && !said.err) return ERR_OK;
    (void)waitpid(child, NULL, 0);
    if (d) *d = said;
    return n == (ssize_t)sizeof said
               ? said.err
               : diag_fail(d, ERR_INTERNAL, "the keeper has ended at its start");
}
