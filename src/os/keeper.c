/* The server's side: messages out, what is heard back as calls on the loop. */
#include "os/keeper_wire.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { OUT_MAX = 64 << 20, READ_AT_ONCE = 64 << 10 };

struct keeper {
    struct loop *loop;
    struct keeper_hears hears;
    int fd;
    struct loop_watch *reading, *writing; /* writing: only while something waits */
    struct buf in, out;
};

static void lost(struct keeper *k)
{
    loop_watch_free(k->reading);
    loop_watch_free(k->writing);
    k->reading = k->writing = NULL;
    if (k->fd < 0) return;
    close(k->fd);
    k->fd = -1;
    if (k->hears.gone) k->hears.gone(k->hears.ctx);
}

/* --- out ----------------------------------------------------------------------------------------
 */

static void on_writable(void *arg, int ready);

static err_t flush(struct keeper *k)
{
    size_t at = 0;
    while (at < k->out.len) {
        ssize_t n = send(k->fd, k->out.at + at, k->out.len - at, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno != EAGAIN) return ERR_PEER;
        if (n < 0) break;
        at += (size_t)n;
    }
    if (k->out.len) memmove(k->out.at, k->out.at + at, k->out.len - at);
    k->out.len -= at;
    if (!k->out.len) {
        loop_watch_free(k->writing);
        k->writing = NULL;
    } else if (!k->writing) {
        return loop_watch_new(k->loop, k->fd, 2, on_writable, k, &k->writing);
    }
    return ERR_OK;
}

static void on_writable(void *arg, int ready)
{
    struct keeper *k = arg;
    (void)ready;
    if (flush(k)) lost(k);
}

static err_t sent(struct keeper *k, size_t before)
{
    if (k->fd >= 0 && !k->out.err) return flush(k);
    err_t e = k->fd < 0 ? ERR_PEER : k->out.err;
    k->out.err = ERR_OK;
    k->out.len = MIN(before, k->out.len);
    return e;
}

static void put_list(struct buf *out, const char *const *list)
{
    uint32_t count = 0;
    while (list[count]) count++;
    buf_be(out, count, 4);
    for (uint32_t i = 0; i < count; i++) keeper_put_text(out, slice_of(list[i]));
}

err_t keeper_run(struct keeper *k, const struct keeper_order *o, struct diag *d)
{
    size_t before = k->out.len, at = keeper_begin(&k->out, KEEPER_START);
    keeper_put_text(&k->out, o->id);
    put_list(&k->out, o->argv);
    put_list(&k->out, o->environment);
    keeper_put_text(&k->out, slice_of(o->directory ? o->directory : ""));
    keeper_put_text(&k->out, slice_of(o->log_path));
    buf_be(&k->out, o->log_max, 8);
    buf_be(&k->out, o->tells_start, 1);
    keeper_put_text(&k->out, o->input);
    buf_be(&k->out, o->hidden_count, 4);
    for (uint32_t i = 0; i < o->hidden_count; i++) keeper_put_text(&k->out, o->hidden[i]);
    keeper_finish(&k->out, at);
    if (k->out.len - before > KEEPER_MESSAGE_MAX || o->id.len > KEEPER_ID_MAX) {
        k->out.len = before;
        return diag_fail(d, ERR_TOO_BIG,
                         "a command with its environment and input is larger than %d MiB",
                         KEEPER_MESSAGE_MAX >> 20);
    }
    err_t e = sent(k, before);
    return e ? diag_fail(d, e, "the keeper of commands is gone") : ERR_OK;
}

static err_t say(struct keeper *k, enum keeper_says what, struct slice id, int64_t number)
{
    size_t before = k->out.len, at = keeper_begin(&k->out, what);
    if (what != KEEPER_END_ALL) keeper_put_text(&k->out, id);
    buf_be(&k->out, (uint64_t)number, 8);
    keeper_finish(&k->out, at);
    return sent(k, before);
}

err_t keeper_halt(struct keeper *k, struct slice id, int64_t grace_ms)
{
    return say(k, KEEPER_STOP, id, grace_ms);
}

err_t keeper_forget(struct keeper *k, struct slice id)
{
    return say(k, KEEPER_FORGET, id, 0);
}

err_t keeper_end(struct keeper *k, int64_t grace_ms)
{
    return say(k, KEEPER_END_ALL, (struct slice){0}, grace_ms);
}

/* --- in -----------------------------------------------------------------------------------------
 */

static void refused(struct keeper *k, struct cursor *body)
{
    struct slice id = keeper_text(body);
    uint64_t code = cursor_be(body, 4);
    err_t e = code < ERR_COUNT ? (err_t)code : ERR_INTERNAL;
    struct slice what = keeper_text(body), why = keeper_text(body);
    struct diag d = {0};
    (void)diag_fail(&d, e, "%.*s", SLICE_ARG(what));
    if (why.len) (void)diag_why(&d, "%.*s", SLICE_ARG(why));
    if (!body->err && k->hears.refused) k->hears.refused(k->hears.ctx, id, &d);
}

static void hear(struct keeper *k, enum keeper_says what, struct cursor *body)
{
    const struct keeper_hears *h = &k->hears;
    if (what == KEEPER_REFUSED) {
        refused(k, body);
        return;
    }
    if (what == KEEPER_KNOWN) {
        if (h->known) h->known(h->ctx);
        return;
    }
    struct keeper_end end = keeper_read_end(body);
    if (body->err) return;
    if (what == KEEPER_STARTED && h->started) h->started(h->ctx, end.id, end.pid);
    if (what == KEEPER_ENDED && h->ended) h->ended(h->ctx, &end);
    if (what == KEEPER_FOUND && h->found) h->found(h->ctx, &end);
}

static void on_readable(void *arg, int ready)
{
    struct keeper *k = arg;
    (void)ready;
    uint8_t *to = buf_grow(&k->in, READ_AT_ONCE);
    ssize_t n = to ? recv(k->fd, to, READ_AT_ONCE, 0) : 0;
    if (to) k->in.len -= READ_AT_ONCE - (size_t)MAX(n, (ssize_t)0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) {
        lost(k);
        return;
    }
    size_t used = 0;
    enum keeper_says what;
    struct cursor body;
    bool bad = false;
    while (k->fd >= 0 && keeper_take(buf_view(&k->in), &used, &what, &body, &bad))
        hear(k, what, &body);
    if (k->fd < 0) return;
    if (bad) {
        lost(k);
        return;
    }
    memmove(k->in.at, k->in.at + used, k->in.len - used);
    k->in.len -= used;
}

err_t keeper_join(struct loop *l, const char *dir, const struct keeper_hears *hears,
                  struct keeper **out, struct diag *d)
{
    struct sockaddr_un address;
    struct keeper *k = mem_take(sizeof *k);
    if (!k) return diag_fail(d, ERR_NO_MEMORY, "no memory for the keeper of commands");
    *k = (struct keeper){.loop = l,
                         .hears = *hears,
                         .fd = -1,
                         .in = buf_make(KEEPER_MESSAGE_MAX + READ_AT_ONCE * 2),
                         .out = buf_make(OUT_MAX)};
    err_t e = keeper_address(dir, &address)
                  ? ERR_OK
                  : diag_fail(d, ERR_TOO_BIG, "the path %s/socket is too long for a socket", dir);
    if (!e && (k->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) < 0)
        e = diag_errno(d, errno, "no socket for the keeper of commands");
    if (!e && connect(k->fd, (struct sockaddr *)&address, sizeof address) != 0)
        e = diag_errno(d, errno, "the keeper of commands does not answer at %s", address.sun_path);
    if (!e) e = loop_watch_new(l, k->fd, 1, on_readable, k, &k->reading);
    *out = k;
    if (!e) return ERR_OK;
    k->hears.gone = NULL;
    keeper_leave(k);
    return e;
}

void keeper_leave(struct keeper *k)
{
    if (!k) return;
    k->hears.gone = NULL;
    lost(k);
    buf_done(&k->in);
    buf_done(&k->out);
    mem_give(k);
}
