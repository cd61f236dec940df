/* One accepted connection: bytes in, bytes out, its end. See docs/os.md for the invariants. */
#include "base/metric.h"
#include "base/say.h"
#include "os/clock.h"
#include "os/loop_int.h"
#include "os/net_int.h"

#include <errno.h>
#include <event2/buffer.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

enum {
    TURNS = 8,             /* reads or writes of one connection before the others have theirs */
    LINGER_MS = 2000,      /* for the peer to read our last words before the socket goes */
    HANDSHAKE_MS = 10000,  /* from accept to the end of TLS's greeting */
    PAUSED_LOOK_MS = 1000, /* how soon a peer that leaves is noticed while its input waits */
    STALL_MS = 60000,      /* output is queued and the peer takes none of it */
};

static int64_t now_ms(void)
{
    return clock_mono_ns() / 1000000;
}

static void on_readable(evutil_socket_t fd, short what, void *arg);
static void on_writable(evutil_socket_t fd, short what, void *arg);
static void on_kick(evutil_socket_t fd, short what, void *arg);

/* --- events and ends -------------------------------------------------------------------------- */

/* Later in this turn of the loop. An event of its own: libevent would take an activated one for
 * added, and not watch its descriptor. */
static void kick(struct conn *c)
{
    event_active(&c->kick, EV_TIMEOUT, 0);
}

/* What came meanwhile may be here already, and the descriptor will not announce it again. */
static void look_again(struct conn *c)
{
    c->look = true;
    kick(c);
}

static void want(struct conn *c, struct event *ev, bool *added, bool wanted)
{
    if (*added == wanted) return;
    *added = wanted;
    if (!wanted) {
        INVARIANT(event_del(ev) == 0);
    } else if (event_add(ev, NULL) != 0) { /* the kernel's limit on watched descriptors */
        *added = false;
        c->stage = CONN_DEAD;
        kick(c);
    }
}

static void update_events(struct conn *c)
{
    bool listens = c->stage == CONN_OPEN && !c->paused && !c->throttled && !c->ended;
    bool waits = c->stage == CONN_HANDSHAKE || c->stage == CONN_LINGERING;
    want(c, &c->read, &c->reading, listens || waits);
    if (c->stage == CONN_DEAD) want(c, &c->write, &c->writing, false);
}

static void finish(struct conn *c)
{
    if (c->opened) {
        c->opened = false;
        c->listener->options.handler->closed(c->state, c);
    }
    event_del(&c->read), event_del(&c->write), event_del(&c->kick);
    *c->link = c->next;
    if (c->next) c->next->link = c->link;
    c->listener->count--;
    if (c->listener->options.crowd) crowd_leave(c->listener->options.crowd, c->address);
    metric_add(METRIC_net_conns, -1);
    SSL_free(c->ssl);
    close(c->fd);
    evbuffer_free(c->out); /* borrowed bytes go back to their owners */
    buf_done(&c->in);
    mem_give(c);
}

static void enter(struct conn *c)
{
    assert(loop_here(c->listener->loop));
    c->busy++;
}

static void leave(struct conn *c)
{
    if (--c->busy == 0 && c->stage == CONN_DEAD)
        finish(c);
    else
        update_events(c);
}

/* Over at the next turn of the loop at the latest; never under the caller's feet. */
static void die(struct conn *c)
{
    if (c->stage == CONN_DEAD) return;
    c->stage = CONN_DEAD;
    update_events(c);
    kick(c);
}

void conn_end_now(struct conn *c)
{
    INVARIANT(c->busy == 0); /* a listener is not closed from inside its own callbacks */
    c->stage = CONN_DEAD;
    finish(c);
}

static void linger(struct conn *c)
{
    if (c->opened) {
        c->opened = false;
        c->listener->options.handler->closed(c->state, c);
    }
    if (c->ssl) SSL_shutdown(c->ssl); /* best effort: a peer that left already does not mind */
    if (c->ended || shutdown(c->fd, SHUT_WR) != 0) {
        die(c);
        return;
    }
    c->stage = CONN_LINGERING;
    c->deadline_ms = now_ms() + LINGER_MS;
    listener_sweep_by(c->listener, c->deadline_ms);
}

/* --- output ----------------------------------------------------------------------------------- */

static void flush(struct conn *c)
{
    bool any = evbuffer_get_length(c->out) > 0;
    ssize_t n = 1;
    int64_t now = now_ms(); /* before the peer can answer to what it gets */
    for (int turn = 0; turn < TURNS && n > 0 && evbuffer_get_length(c->out); turn++) {
        n = conn_send(c);
        if (n <= 0) continue;
        c->active_ms = now;
        listener_count(&c->listener->bytes_out, (uint64_t)n);
    }
    if (n == MOVED_ERROR) {
        die(c);
        return;
    }
    size_t left = evbuffer_get_length(c->out);
    want(c, &c->write, &c->writing, left > 0);
    if (c->throttled && left == 0) {
        c->throttled = false;
        look_again(c);
    }
    if (left > 0) return;
    const struct conn_handler *h = c->listener->options.handler;
    if (any && c->opened && h->drained && c->stage == CONN_OPEN) h->drained(c->state, c);
    if (c->stage == CONN_FLUSHING && evbuffer_get_length(c->out) == 0) linger(c);
}

static void continue_handshake(struct conn *c);

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    struct conn *c = arg;
    (void)fd, (void)what;
    enter(c);
    if (c->stage == CONN_HANDSHAKE) continue_handshake(c);
    if (c->stage == CONN_OPEN || c->stage == CONN_FLUSHING) flush(c);
    leave(c);
}

static bool writable(const struct conn *c)
{
    return c->stage == CONN_OPEN || c->stage == CONN_HANDSHAKE;
}

/* After every addition: sent at the end of this turn, so that parts leave in one packet. */
static void queued_more(struct conn *c, bool added)
{
    const struct listener_options *o = &c->listener->options;
    size_t queued = evbuffer_get_length(c->out);
    if (!added || queued > o->output_max) {
        say_warn(SAY_OS, added ? "peer does not read; closed" : "out of memory; connection closed",
                 "peer=%s queued=%zu limit=%u", c->peer, queued, o->output_max);
        die(c);
        return;
    }
    if (queued > o->output_high) {
        c->throttled = true;
        update_events(c);
    }
    if (!c->writing) kick(c);
}

void conn_write(struct conn *c, struct slice bytes)
{
    if (!writable(c) || bytes.len == 0) return;
    if (evbuffer_get_length(c->out) == 0) c->active_ms = now_ms(); /* a stall counts from here */
    queued_more(c, evbuffer_add(c->out, bytes.at, bytes.len) == 0);
}

struct borrowed {
    void (*done)(void *arg);
    void *arg;
};

static void give_back(const void *bytes, size_t size, void *arg)
{
    struct borrowed b = *(struct borrowed *)arg;
    (void)bytes, (void)size;
    mem_give(arg);
    b.done(b.arg);
}

static void segment_done(const struct evbuffer_file_segment *segment, int flags, void *arg)
{
    (void)segment, (void)flags;
    give_back(NULL, 0, arg);
}

void conn_write_borrowed(struct conn *c, struct slice bytes, void (*done)(void *arg), void *arg)
{
    struct borrowed *b = writable(c) && bytes.len ? mem_take(sizeof(*b)) : NULL;
    if (!b) {
        if (writable(c) && bytes.len) queued_more(c, false);
        done(arg);
        return;
    }
    *b = (struct borrowed){done, arg};
    if (evbuffer_get_length(c->out) == 0) c->active_ms = now_ms();
    bool added = evbuffer_add_reference(c->out, bytes.at, bytes.len, give_back, b) == 0;
    if (!added) give_back(bytes.at, bytes.len, b);
    queued_more(c, added);
}

/* Takes the descriptor or not, as the flags say; `done` is called by the segment's end. */
static err_t queue_file(struct conn *c, int fd, uint64_t at, size_t size, unsigned flags,
                        struct borrowed *b)
{
    if (c->ssl) flags |= EVBUF_FS_DISABLE_SENDFILE; /* must be seen to be encrypted: mapped */
    struct evbuffer_file_segment *segment =
        evbuffer_file_segment_new(fd, (ev_off_t)at, (ev_off_t)size, flags);
    if (!segment) return ERR_NO_MEMORY;
    if (b) evbuffer_file_segment_add_cleanup_cb(segment, segment_done, b);
    if (evbuffer_get_length(c->out) == 0) c->active_ms = now_ms();
    bool added = evbuffer_add_file_segment(c->out, segment, 0, (ev_off_t)size) == 0;
    evbuffer_file_segment_free(segment); /* the queue has its own reference */
    if (added) queued_more(c, true);
    return added ? ERR_OK : ERR_IO;
}

err_t conn_write_file(struct conn *c, int fd, uint64_t at, size_t size)
{
    if (!writable(c)) return ERR_CLOSED;
    if (size == 0) return ERR_OK;
    int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (own < 0) return err_from_errno(errno);
    err_t e = queue_file(c, own, at, size, EVBUF_FS_CLOSE_ON_FREE, NULL);
    if (e == ERR_NO_MEMORY) close(own);
    return e;
}

err_t conn_write_file_held(struct conn *c, int fd, uint64_t at, size_t size,
                           void (*done)(void *arg), void *arg)
{
    struct borrowed *b = writable(c) && size ? mem_take(sizeof(*b)) : NULL;
    err_t e = !writable(c) ? ERR_CLOSED : size && !b ? ERR_NO_MEMORY : ERR_OK;
    if (b) {
        *b = (struct borrowed){done, arg};
        e = queue_file(c, fd, at, size, 0, b);
        if (e != ERR_NO_MEMORY) return e; /* the segment calls done */
        mem_give(b);
    }
    done(arg);
    return e;
}

size_t conn_queued(const struct conn *c)
{
    return evbuffer_get_length(c->out);
}

/* --- input ------------------------------------------------------------------------------------ */

static bool wants_input(const struct conn *c)
{
    return c->stage == CONN_OPEN && !c->paused && !c->throttled;
}

/* Hands over until the door takes no more. Returns how much it took. */
static size_t hand_over(struct conn *c, struct slice all)
{
    size_t taken = 0;
    while (taken < all.len && wants_input(c)) {
        struct slice rest = slice_make(all.at + taken, all.len - taken);
        size_t n = c->listener->options.handler->data(c->state, c, rest);
        INVARIANT(n <= rest.len);
        if (n == 0) break;
        taken += n;
    }
    return taken;
}

static void hand_over_kept(struct conn *c)
{
    size_t taken = hand_over(c, buf_view(&c->in));
    if (taken == c->in.len) {
        buf_done(&c->in); /* an idle connection holds no buffer */
        c->in = buf_make(c->listener->options.input_max);
    } else if (taken) {
        memmove(c->in.at, c->in.at + taken, c->in.len - taken);
        c->in.len -= taken;
    }
}

/* Reads once. False when there is nothing more now. */
static bool take_input(struct conn *c)
{
    uint32_t most = c->listener->options.input_max;
    const struct conn_handler *h = c->listener->options.handler;
    bool fresh = c->in.len == 0; /* the usual case: whole messages, never copied by us */
    size_t size = 0;
    uint8_t *to = fresh && h->room ? h->room(c->state, c, &size) : NULL;
    if (!to) {
        to = loop_scratch(c->listener->loop);
        size = MIN((size_t)LOOP_SCRATCH, most - c->in.len);
    }
    if (size == 0) {
        say_debug(SAY_OS, "message is larger than the door takes; closed", "peer=%s limit=%u",
                  c->peer, most);
        conn_close(c);
        return false;
    }
    ssize_t n = conn_recv(c, to, size);
    if (n == MOVED_NOTHING) return false;
    if (n == MOVED_ERROR) {
        die(c);
        return false;
    }
    if (n == MOVED_END) {
        c->ended = true; /* what was asked is answered, then it is over */
        conn_close(c);
        return false;
    }
    listener_count(&c->listener->bytes_in, (uint64_t)n);
    c->active_ms = now_ms();
    size_t taken = fresh ? hand_over(c, slice_make(to, (size_t)n)) : 0;
    buf_put(&c->in, to + taken, (size_t)n - taken);
    if (c->in.err) {
        say_warn(SAY_OS, "out of memory; connection closed", "peer=%s", c->peer);
        die(c);
        return false;
    }
    if (!fresh) hand_over_kept(c);
    return c->ssl != NULL || (size_t)n == size;
}

static void drop_input(struct conn *c)
{
    ssize_t n = 1;
    for (int turn = 0; turn < TURNS && n > 0; turn++)
        n = recv(c->fd, loop_scratch(c->listener->loop), LOOP_SCRATCH, 0);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) die(c);
}

static void opened(struct conn *c)
{
    c->stage = CONN_OPEN;
    c->deadline_ms = 0;
    c->active_ms = now_ms();
    c->state = c->listener->options.handler->open(c->listener->options.door, c);
    c->opened = c->state != NULL;
    if (!c->state) die(c);
}

static void continue_handshake(struct conn *c)
{
    ERR_clear_error();
    int rc = SSL_do_handshake(c->ssl);
    if (rc == 1) {
        want(c, &c->write, &c->writing, false);
        opened(c);
        if (c->stage == CONN_OPEN) look_again(c); /* it may have read ahead */
        return;
    }
    if (conn_tls_result(c, rc) == MOVED_NOTHING) {
        want(c, &c->write, &c->writing, SSL_want_write(c->ssl));
        return;
    }
    char text[160] = "the peer left";
    unsigned long error = ERR_peek_error();
    if (error) ERR_error_string_n(error, text, sizeof(text));
    say_info(SAY_OS, "TLS handshake failed", "peer=%s why=\"%s\"", c->peer, text);
    die(c);
}

static void take_all_input(struct conn *c)
{
    if (c->in.len) hand_over_kept(c);
    int turns = TURNS;
    while (wants_input(c) && !c->ended && turns && take_input(c)) turns--;
    /* With TLS more may be decrypted already, which the descriptor will not announce. */
    if (!turns && c->ssl && wants_input(c)) look_again(c);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct conn *c = arg;
    (void)fd, (void)what;
    enter(c);
    if (c->stage == CONN_HANDSHAKE) continue_handshake(c);
    if (c->stage == CONN_LINGERING) drop_input(c);
    if (wants_input(c)) take_all_input(c);
    leave(c);
}

static void on_kick(evutil_socket_t fd, short what, void *arg)
{
    struct conn *c = arg;
    (void)fd, (void)what;
    enter(c);
    if (c->stage == CONN_OPEN || c->stage == CONN_FLUSHING) flush(c);
    bool look = c->look;
    c->look = false;
    if (look && wants_input(c)) take_all_input(c);
    leave(c);
}

/* --- the door's verbs ------------------------------------------------------------------------- */

struct loop *conn_loop(const struct conn *c)
{
    return c->listener->loop;
}

const char *conn_peer(const struct conn *c)
{
    return c->peer;
}

void conn_pause(struct conn *c)
{
    c->paused = true;
    if (!c->busy) update_events(c);
    listener_sweep_by(c->listener, now_ms() + PAUSED_LOOK_MS);
}

void conn_resume(struct conn *c)
{
    if (!c->paused) return;
    c->paused = false;
    if (!c->busy) update_events(c);
    look_again(c);
}

void conn_close(struct conn *c)
{
    if (c->stage == CONN_HANDSHAKE) die(c);
    if (c->stage != CONN_OPEN) return;
    c->stage = CONN_FLUSHING;
    if (!c->busy) update_events(c);
    kick(c);
}

void conn_close_now(struct conn *c)
{
    die(c);
}

void conn_timeout(struct conn *c, int64_t idle_timeout_ms)
{
    c->idle_timeout_ms = idle_timeout_ms;
    if (idle_timeout_ms) listener_sweep_by(c->listener, now_ms() + idle_timeout_ms);
}

void conn_deadline(struct conn *c, int64_t delay_ms)
{
    c->deadline_ms = delay_ms ? now_ms() + delay_ms : 0;
    if (delay_ms) listener_sweep_by(c->listener, c->deadline_ms);
}

/* The earliest moment at which something is to be said about this connection. */
static int64_t due_ms(const struct conn *c)
{
    int64_t due = INT64_MAX;
    if (c->deadline_ms) due = c->deadline_ms;
    if (c->stage == CONN_OPEN && c->idle_timeout_ms)
        due = MIN(due, c->active_ms + c->idle_timeout_ms);
    if (evbuffer_get_length(c->out)) due = MIN(due, c->active_ms + STALL_MS);
    return due;
}

/* A paused connection is not watched (epoll would report a reset peer again and again), so that
 * this look is what notices that the peer has gone. */
static bool look_at_paused(struct conn *c)
{
    const struct conn_handler *h = c->listener->options.handler;
    struct pollfd p = {.fd = c->fd, .events = POLLRDHUP};
    if (poll(&p, 1, 0) != 1) return false;
    enter(c);
    c->told_left = true;
    if (p.revents & (POLLERR | POLLHUP))
        die(c); /* both ways: nobody will read an answer */
    else if (h->left)
        h->left(c->state, c);
    bool gone = c->stage == CONN_DEAD;
    leave(c); /* frees it then */
    return gone;
}

static int64_t sweep_timeouts(struct conn *c, int64_t now)
{
    int64_t due = due_ms(c);
    if (due > now) return due;
    enter(c);
    const struct conn_handler *h = c->listener->options.handler;
    bool stalled = evbuffer_get_length(c->out) && c->active_ms + STALL_MS <= now;
    c->deadline_ms = 0;
    if (c->stage == CONN_OPEN && h->expired && !stalled) {
        c->active_ms = now;
        h->expired(c->state, c);
    } else {
        die(c);
    }
    due = c->stage == CONN_DEAD ? INT64_MAX : due_ms(c);
    leave(c);
    return due;
}

int64_t conn_sweep(struct conn *c, int64_t now)
{
    if (c->stage != CONN_OPEN || !c->paused || c->told_left) return sweep_timeouts(c, now);
    bool gone = look_at_paused(c);
    if (gone) return INT64_MAX;
    int64_t due = sweep_timeouts(c, now);
    return MIN(due, now + PAUSED_LOOK_MS);
}

/* --- its beginning ---------------------------------------------------------------------------- */

static bool begin_tls(struct conn *c)
{
    const struct tls *tls = c->listener->options.tls;
    if (!tls) return true;
    c->ssl = SSL_new(tls_context(tls));
    if (!c->ssl || SSL_set_fd(c->ssl, c->fd) != 1) return false;
    SSL_set_accept_state(c->ssl);
    return true;
}

void conn_accept(struct listener *l, int fd, const struct sockaddr_storage *from)
{
    struct conn *c = mem_take(sizeof(*c));
    if (c) *c = (struct conn){.listener = l, .fd = fd, .out = evbuffer_new()};
    if (!c || !c->out || !begin_tls(c)) {
        say_warn(SAY_OS, "out of memory; connection refused", "conns=%u", l->count);
        if (c && c->ssl) SSL_free(c->ssl);
        if (c && c->out) evbuffer_free(c->out);
        mem_give(c);
        close(fd);
        if (l->options.crowd) crowd_leave(l->options.crowd, crowd_address_of(from));
        return;
    }
    c->address = crowd_address_of(from);
    c->in = buf_make(l->options.input_max);
    c->idle_timeout_ms = l->options.idle_timeout_ms;
    c->link = &l->conns;
    c->next = l->conns;
    if (c->next) c->next->link = &c->next;
    l->conns = c;
    l->count++;
    listener_count(&l->accepted, 1);
    metric_add(METRIC_net_conns, 1);
    struct event_base *base = loop_base(l->loop);
    event_assign(&c->read, base, fd, EV_READ | EV_PERSIST, on_readable, c);
    event_assign(&c->write, base, fd, EV_WRITE | EV_PERSIST, on_writable, c);
    event_assign(&c->kick, base, -1, 0, on_kick, c);
    evbuffer_set_flags(c->out, EVBUFFER_FLAG_DRAINS_TO_FD); /* or sendfile is not used */
    if (from->ss_family != AF_UNIX) {
        int on = 1;
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    }
    conn_name_peer(c, from);
    enter(c);
    if (event_add(&c->read, NULL) != 0) {
        die(c);
    } else {
        c->reading = true;
        c->active_ms = now_ms();
        c->deadline_ms = c->active_ms + HANDSHAKE_MS;
        if (!c->ssl) opened(c);
        int64_t first = c->deadline_ms ? c->deadline_ms : c->active_ms + c->idle_timeout_ms;
        if (c->deadline_ms || c->idle_timeout_ms) listener_sweep_by(l, first);
    }
    leave(c);
}
