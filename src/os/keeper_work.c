/* One command's life inside the keeper: started under a warden, its output into its log, its end
 * told. */
#include "os/clock.h"
#include "os/keeper_serve.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ARGS_MAX = 65536, READ_AT_ONCE = 64 << 10, READS_A_TURN = 4 };

static void close_fd(int *fd)
{
    if (*fd >= 0) close(*fd);
    *fd = -1;
}

struct keeper_work *work_find(struct keeping *k, struct slice id)
{
    for (size_t i = 0; i < k->works.count; i++) {
        struct keeper_work *w = *(struct keeper_work **)vec_at(&k->works, i);
        if (slice_equal(w->end.id, id)) return w;
    }
    return NULL;
}

void work_free(struct keeping *k, struct keeper_work *w)
{
    struct watch *watches[] = {&w->output, &w->input};
    for (size_t i = 0; i < COUNT_OF(watches); i++) keeping_unwatch(k, watches[i]);
    close_fd(&w->log);
    buf_done(&w->input_left);
    buf_done(&w->line);
    buf_done(&w->last);
    keeper_mask_done(&w->mask);
    mem_give(w->tail);
    mem_give(w->id);
    mem_give(w);
}

static void refuse(struct keeping *k, struct slice id, err_t e, int error, const char *what)
{
    size_t at = keeper_begin(&k->out, KEEPER_REFUSED);
    keeper_put_text(&k->out, id);
    buf_be(&k->out, (uint64_t)e, 4);
    keeper_put_text(&k->out, slice_of(what));
    keeper_put_text(&k->out, slice_of(error ? strerror(error) : ""));
    keeper_finish(&k->out, at);
}

/* --- starting -----------------------------------------------------------------------------------
 */

struct order { /* as it came, its lists ready for exec */
    struct slice id, input;
    char **argv, **environment;
    char *directory, *log_path;
    uint64_t log_max;
    bool tells_start;
    struct slice *hidden;
    uint32_t hidden_count;
};

static char *text_of(struct cursor *c, struct arena *a)
{
    return arena_text(a, keeper_text(c));
}

static char **list_of(struct cursor *c, struct arena *a)
{
    uint64_t count = cursor_be(c, 4);
    if (count > ARGS_MAX || count > cursor_left(c)) c->err = ERR_TOO_BIG;
    char **list = c->err ? NULL : arena_take(a, (count + 1) * sizeof *list);
    for (uint64_t i = 0; list && i < count; i++)
        if (!(list[i] = text_of(c, a))) return NULL;
    return list;
}

static bool read_hidden(struct cursor *c, struct arena *a, struct order *o)
{
    uint64_t count = cursor_be(c, 4);
    if (c->err || count > KEEPER_HIDDEN_MAX || count > cursor_left(c)) return false;
    o->hidden = arena_take(a, (count + 1) * sizeof *o->hidden);
    for (uint64_t i = 0; o->hidden && i < count; i++) o->hidden[i] = keeper_text(c);
    o->hidden_count = (uint32_t)count;
    return o->hidden && !c->err;
}

static bool read_order(struct cursor *c, struct arena *a, struct order *o)
{
    o->id = keeper_text(c);
    o->argv = list_of(c, a);
    o->environment = list_of(c, a);
    o->directory = text_of(c, a);
    o->log_path = text_of(c, a);
    o->log_max = (uint64_t)cursor_i64(c);
    o->tells_start = cursor_be(c, 1) != 0;
    o->input = keeper_text(c);
    return read_hidden(c, a, o) && !c->err && o->argv && o->argv[0] && o->environment &&
           o->directory && o->log_path;
}

static struct keeper_work *make(const struct order *o)
{
    struct keeper_work *w = mem_take(sizeof *w);
    if (!w) return NULL;
    w->id = mem_text(o->id);
    if (!keeper_mask_init(&w->mask, o->hidden, o->hidden_count) || !w->id) {
        keeper_mask_done(&w->mask);
        mem_give(w->id);
        mem_give(w);
        return NULL;
    }
    w->end.id = slice_make(w->id, o->id.len);
    w->end.running = true;
    w->log_max = o->log_max;
    w->tells_start = o->tells_start;
    w->line = buf_make(KEEPER_LINE_MAX);
    w->last = buf_make(KEEPER_LINE_MAX);
    w->input_left = buf_make(KEEPER_MESSAGE_MAX);
    buf_slice(&w->input_left, o->input);
    w->log = w->output.fd = w->input.fd = -1;
    return w;
}

/* One that is idle may have died just now: then another. */
static bool give_to_warden(struct keeping *k, struct keeper_work *w, const struct order *o, int in,
                           int out)
{
    for (;;) {
        struct warden *to = crew_take(k);
        if (!to) return false;
        if (crew_order(to, o->argv, o->environment, o->directory, in, out)) {
            w->warden = to;
            to->report.work = w;
            return true;
        }
        int error = errno;
        crew_part(k, to);
        errno = error;
        if (error != EPIPE && error != ECONNRESET) return false;
    }
}

static int start(struct keeping *k, struct keeper_work *w, const struct order *o)
{
    int in[2] = {-1, -1}, out[2] = {-1, -1}, error = 0;
    bool reads = w->input_left.len > 0;
    w->log = open(o->log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (w->log < 0 || (reads && pipe2(in, O_CLOEXEC)) || pipe2(out, O_CLOEXEC) ||
        !give_to_warden(k, w, o, reads ? in[0] : k->nothing, out[1]))
        error = errno;
    close_fd(&in[0]);
    close_fd(&out[1]);
    w->output = (struct watch){WATCH_OUTPUT, out[0], w, NULL};
    w->input = (struct watch){WATCH_INPUT, in[1], w, NULL};
    if (error) close_fd(&w->input.fd);
    struct watch *watches[] = {&w->output, &w->input};
    for (size_t i = 0; i < COUNT_OF(watches); i++) {
        if (watches[i]->fd < 0) continue;
        (void)fcntl(watches[i]->fd, F_SETFL, O_NONBLOCK); /* a pipe's end has no other flag */
        keeping_watch(k, watches[i], i == 1 ? EPOLLOUT : EPOLLIN);
    }
    return error;
}

void work_begin(struct keeping *k, struct cursor *body)
{
    struct arena *a = arena_new((size_t)KEEPER_MESSAGE_MAX * 4);
    struct order o = {0};
    struct keeper_work *w = NULL;
    int error = 0;
    if (!a || !read_order(body, a, &o))
        refuse(k, o.id, a ? ERR_USAGE : ERR_NO_MEMORY, 0, "the order can not be read");
    else if (k->ending || k->works.count == KEEPER_WORKS_MAX)
        refuse(k, o.id, ERR_BUSY, 0, k->ending ? "it is ending" : "too many works run");
    else if (work_find(k, o.id))
        refuse(k, o.id, ERR_EXISTS, 0, "this work has been started before");
    else if (!(w = make(&o)) || vec_push(&k->works, &w))
        refuse(k, o.id, ERR_NO_MEMORY, 0, "no memory for another work");
    else if ((error = start(k, w, &o)) == 0)
        w->end.started_us = clock_wall_us();
    if (error) {
        refuse(k, o.id, err_from_errno(error), error, "it can not be started");
        k->works.count--;
        work_free(k, w);
    }
    arena_free(a);
}

/* --- output -------------------------------------------------------------------------------------
 */

static void log_bytes(void *ctx, const void *bytes, size_t len)
{
    struct keeper_work *w = ctx;
    for (size_t at = 0; at < len && w->log >= 0;) {
        ssize_t n = write(w->log, (const char *)bytes + at, len - at);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) { /* a full disk: the command goes on, its words are lost; its end will say so */
            close_fd(&w->log);
            return;
        }
        at += (size_t)n;
        w->logged += (uint64_t)n;
    }
}

static void keep_tail(struct keeper_work *w, const uint8_t *bytes, size_t len)
{
    if (!w->tail) w->tail = mem_take(KEEPER_TAIL);
    size_t skip = len > KEEPER_TAIL ? len - KEEPER_TAIL : 0;
    if (!w->tail) return;
    for (w->tailed += skip; skip < len;) {
        size_t at = w->tailed % KEEPER_TAIL, part = MIN(len - skip, KEEPER_TAIL - at);
        memcpy(w->tail + at, bytes + skip, part);
        w->tailed += part;
        skip += part;
    }
}

static void keep_line(struct keeper_work *w, const uint8_t *bytes, size_t len)
{
    while (len) {
        const uint8_t *end = memchr(bytes, '\n', len);
        size_t part = end ? (size_t)(end - bytes) : len;
        buf_put(&w->line, bytes, part);
        if (end && (w->line.len || w->line.err)) { /* one too long counts as none */
            buf_reset(&w->last);
            if (!w->line.err) buf_slice(&w->last, buf_view(&w->line));
        }
        if (end) buf_reset(&w->line);
        part += end != NULL;
        bytes += part;
        len -= part;
    }
}

static void hear(struct keeper_work *w, const uint8_t *bytes, size_t len)
{
    size_t room = w->end.said < w->log_max ? (size_t)(w->log_max - w->end.said) : 0;
    size_t now = MIN(room, len);
    if (now) keeper_mask_say(&w->mask, slice_make(bytes, now), false, log_bytes, w);
    if (now < len) keep_tail(w, bytes + now, len - now);
    keep_line(w, bytes, len);
    w->end.said += len;
}

static void write_tail(struct keeper_work *w)
{
    char word[160];
    keeper_mask_say(&w->mask, (struct slice){0}, true, log_bytes, w);
    if (!w->tailed) return;
    uint64_t kept = MIN(w->tailed, (uint64_t)KEEPER_TAIL);
    struct buf out = buf_over(word, sizeof word);
    buf_printf(&out, "\n*** %llu bytes are left out: a try's log takes %llu ***\n",
               (unsigned long long)(w->tailed - kept), (unsigned long long)w->log_max);
    log_bytes(w, word, out.len);
    size_t at = (size_t)((w->tailed - kept) % KEEPER_TAIL), first = MIN(kept, KEEPER_TAIL - at);
    keeper_mask_say(&w->mask, slice_make(w->tail + at, first), false, log_bytes, w);
    keeper_mask_say(&w->mask, slice_make(w->tail, kept - first), true, log_bytes, w);
}

/* --- the end ------------------------------------------------------------------------------------
 */

static void finish(struct keeping *k, struct keeper_work *w)
{
    if (!w->over || w->output.fd >= 0 || w->ended) return;
    write_tail(w);
    if (w->line.len || w->line.err) keep_line(w, (const uint8_t *)"\n", 1);
    keeping_unwatch(k, &w->input);
    close_fd(&w->log);
    w->ended = true;
    w->end.running = false;
    w->end.ended_us = clock_wall_us();
    w->end.last_line = buf_view(&w->last);
    keeping_note(k, &w->end);
    keeping_tell(k, &w->end, KEEPER_ENDED);
    mem_give(w->tail);
    w->tail = NULL;
    buf_done(&w->line);
    buf_done(&w->input_left);
}

static void on_output(struct keeping *k, struct keeper_work *w)
{
    static uint8_t bytes[READ_AT_ONCE];
    for (int turn = 0; turn < READS_A_TURN; turn++) {
        ssize_t n = read(w->output.fd, bytes, sizeof bytes);
        if (n > 0) {
            hear(w, bytes, (size_t)n);
            continue;
        }
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
        keeping_unwatch(k, &w->output);
        finish(k, w);
        return;
    }
}

static void on_input(struct keeping *k, struct keeper_work *w)
{
    while (w->input_at < w->input_left.len) {
        ssize_t n =
            write(w->input.fd, w->input_left.at + w->input_at, w->input_left.len - w->input_at);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (n < 0) break; /* it does not read: that is its right */
        w->input_at += (size_t)n;
    }
    keeping_unwatch(k, &w->input);
}

static void refused(struct keeping *k, struct keeper_work *w, int error)
{
    refuse(k, w->end.id, err_from_errno(error), error, "it can not be started");
    for (size_t i = 0; i < k->works.count; i++)
        if (*(struct keeper_work **)vec_at(&k->works, i) == w) vec_remove(&k->works, i--);
    work_free(k, w);
}

static void runs(struct keeping *k, struct keeper_work *w, int pid)
{
    w->end.pid = pid;
    w->end.born = past_born(pid);
    keeping_note(k, &w->end);
    if (w->tells_start) keeping_tell(k, &w->end, KEEPER_STARTED);
    if (w->kill_at_ms) (void)kill(-pid, SIGTERM);
}

/* `word` NULL: the warden was killed, and its command with it. */
static void over(struct keeping *k, struct keeper_work *w, const struct warden_word *word)
{
    int status = word ? word->status : 0;
    w->warden = NULL;
    w->over = true;
    w->end.lost = word == NULL;
    w->end.exit_code = w->end.lost           ? 128 + SIGKILL
                       : WIFSIGNALED(status) ? 128 + WTERMSIG(status)
                                             : WEXITSTATUS(status);
    w->end.left_behind = word ? word->left_behind : 0;
    if (w->end.lost && w->end.pid) (void)kill(-w->end.pid, SIGKILL);
    finish(k, w);
}

static void on_report(struct keeping *k, struct warden *from)
{
    struct warden_word word;
    struct keeper_work *w = from->report.work;
    ssize_t n = recv(from->report.fd, &word, sizeof word, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n != (ssize_t)sizeof word) {
        crew_part(k, from);
        if (w) over(k, w, NULL);
        return;
    }
    if (!w) return; /* it has nothing to say then */
    if (word.what == WARDEN_RUNS) {
        runs(k, w, word.pid);
        return;
    }
    if (word.what == WARDEN_OVER && word.leaves)
        crew_part(k, from);
    else
        crew_back(k, from);
    if (word.what == WARDEN_CAN_NOT)
        refused(k, w, word.error);
    else
        over(k, w, &word);
}

void work_ready(struct keeping *k, struct watch *w)
{
    if (w->fd < 0) return;
    if (w->kind == WATCH_OUTPUT)
        on_output(k, w->work);
    else if (w->kind == WATCH_INPUT)
        on_input(k, w->work);
    else
        on_report(k, w->warden);
}

void work_stop(struct keeping *k, struct keeper_work *w, int64_t grace_ms)
{
    (void)k;
    if (w->ended || w->kill_at_ms) return;
    w->kill_at_ms = clock_mono_ns() / 1000000 + MAX(grace_ms, (int64_t)1);
    w->end.stopped = SIGTERM;
    if (w->end.pid) (void)kill(-w->end.pid, SIGTERM);
}

void work_tick(struct keeping *k, struct keeper_work *w, int64_t now_ms)
{
    (void)k;
    if (w->ended || !w->kill_at_ms || now_ms < w->kill_at_ms || !w->end.pid) return;
    w->kill_at_ms = now_ms + 1000; /* again, for what comes after */
    w->end.stopped = SIGKILL;
    (void)kill(-w->end.pid, SIGKILL);
}
