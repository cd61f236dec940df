#include "os/coprocess.h"

#include "os/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    WORDS_AT_ONCE = 64, /* of a command that runs without a shell */
    READ_AT_ONCE = 64 << 10,
    WORDS_READS = 64, /* of its standard error at once: it may flood */
    LOOK_MS = 50,     /* how often `stopping` is asked */
    LINGER_MS = 500   /* for a command whose output has ended, to end itself */
};

struct coprocess {
    struct coprocess_options o;
    int pid, in, out, err; /* our ends; -1: closed */
    struct buf read;
    size_t taken; /* of `read` */
    char words[COPROCESS_WORDS_MAX];
    size_t word_count;
};

/* --- starting -----------------------------------------------------------------------------------
 */

static bool wants_shell(struct slice command)
{
    for (size_t i = 0; i < command.len; i++)
        if (strchr("|&;<>()$`\\\"'*?[]#~=%!{}\n", command.at[i])) return true;
    return false;
}

/* Its words, cut at blanks; false: too many. */
static bool split(char *text, const char **argv)
{
    char *rest = NULL;
    size_t n = 0;
    for (char *word = strtok_r(text, " \t", &rest); word; word = strtok_r(NULL, " \t", &rest)) {
        if (n == WORDS_AT_ONCE) return false;
        argv[n++] = word;
    }
    argv[n] = NULL;
    return n > 0;
}

static bool no_wait(int fd)
{
    return fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) == 0;
}

static err_t start(struct coprocess *c, const char *const *argv, struct diag *d)
{
    static const char *const kept[] = {"PATH", "HOME", "LANG", "TZ"};
    const char *environment[COUNT_OF(kept) + 1] = {0};
    char texts[COUNT_OF(kept)][4096];
    int in[2] = {-1, -1}, out[2] = {-1, -1}, err[2] = {-1, -1};
    for (size_t i = 0, n = 0; i < COUNT_OF(kept); i++) {
        const char *value = getenv(kept[i]);
        if (!value || strlen(value) > sizeof(texts[i]) - 16) continue;
        snprintf(texts[i], sizeof(texts[i]), "%s=%s", kept[i], value);
        environment[n++] = texts[i];
    }
    bool made = pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0 &&
                pipe2(err, O_CLOEXEC) == 0 && no_wait(in[1]) && no_wait(out[0]) && no_wait(err[0]);
    err_t e = made ? ERR_OK : diag_errno(d, errno, "pipes to '%s'", argv[0]);
    struct child_options o = {.argv = argv,
                              .environment = environment,
                              .in = in[0],
                              .out = out[1],
                              .err = err[1],
                              .dies_with_parent = true,
                              .own_group = true};
    if (!e) e = child_start(&o, &c->pid, d);
    int theirs[] = {in[0], out[1], err[1]}, ours[] = {in[1], out[0], err[0]};
    for (int i = 0; i < 3; i++) {
        if (theirs[i] >= 0) close(theirs[i]);
        if (e && ours[i] >= 0) close(ours[i]);
    }
    if (e) return e;
    c->in = in[1];
    c->out = out[0];
    c->err = err[0];
    return ERR_OK;
}

err_t coprocess_open(const struct coprocess_options *o, struct coprocess **out, struct diag *d)
{
    const char *argv[WORDS_AT_ONCE + 1] = {"sh", "-c", NULL};
    struct coprocess *c = mem_take(sizeof(*c));
    char *text = c ? mem_take(o->command.len + 1) : NULL;
    err_t e = text ? ERR_OK : diag_fail(d, ERR_NO_MEMORY, "a command");
    signal(SIGPIPE, SIG_IGN); /* a command that is gone is an error of the write */
    if (!e) {
        *c = (struct coprocess){.o = *o, .in = -1, .out = -1, .err = -1};
        c->read = buf_make(o->line_max + READ_AT_ONCE);
        memcpy(text, o->command.at, o->command.len);
        text[o->command.len] = 0;
        if (wants_shell(o->command))
            argv[2] = text;
        else if (!split(text, argv))
            e = diag_fail(d, ERR_CONFIG, "'%s' is no command", text);
    }
    if (!e) e = start(c, argv, d);
    mem_give(text);
    if (e) {
        if (c) buf_done(&c->read);
        mem_give(c);
        return e;
    }
    *out = c;
    return ERR_OK;
}

/* --- ending -------------------------------------------------------------------------------------
 */

static void take_words(struct coprocess *c)
{
    char more[1024];
    ssize_t n;
    for (int i = 0; c->err >= 0 && i < WORDS_READS; i++) {
        if ((n = read(c->err, more, sizeof(more))) <= 0) return;
        size_t len = (size_t)n, room = sizeof(c->words) - c->word_count;
        if (len > room) { /* its end is what tells */
            size_t gone = len - room;
            memmove(c->words, c->words + gone, c->word_count - gone);
            c->word_count -= gone;
        }
        memcpy(c->words + c->word_count, more, len);
        c->word_count += len;
    }
}

void coprocess_end(struct coprocess *c, struct buf *how)
{
    int status = 0;
    bool ended = false;
    if (!c->pid) return;
    int64_t until = clock_mono_ns() + (int64_t)LINGER_MS * 1000000;
    struct pollfd p = {c->out, POLLIN, 0};
    bool hung_up = c->out >= 0 && poll(&p, 1, 0) == 1 && p.revents & POLLHUP;
    while (hung_up && !(ended = child_ended(c->pid, &status)) && clock_mono_ns() < until)
        (void)poll(NULL, 0, 2);
    (void)kill(-c->pid, SIGKILL); /* what it has started goes with it */
    if (!ended) status = child_wait(c->pid);
    take_words(c);
    c->pid = 0;
    int *ours[] = {&c->in, &c->out, &c->err};
    for (int i = 0; i < 3; i++) {
        if (*ours[i] >= 0) close(*ours[i]);
        *ours[i] = -1;
    }
    if (!how) return;
    if (!ended && status == 128 + SIGKILL)
        buf_text(how, "it was ended");
    else
        buf_printf(how, status > 128 ? "signal %d" : "exit status %d",
                   status > 128 ? status - 128 : status);
    struct slice words = slice_trim(slice_make((const uint8_t *)c->words, c->word_count));
    if (words.len) buf_printf(how, "; its last words: %.*s", SLICE_ARG(words));
}

void coprocess_close(struct coprocess *c)
{
    if (!c) return;
    coprocess_end(c, NULL);
    buf_done(&c->read);
    mem_give(c);
}

/* --- talking ------------------------------------------------------------------------------------
 */

struct talk {
    struct coprocess *c;
    struct slice rest; /* to be sent */
    uint32_t left;     /* answers to come */
    err_t (*answer)(void *ctx, struct slice line);
    void *ctx;
    int64_t until_ns;
    struct diag *d;
};

static void wait_anew(struct talk *t)
{
    t->until_ns = clock_mono_ns() + t->c->o.answer_ms * 1000000;
}

/* Whole lines that have been read. */
static err_t take_lines(struct talk *t)
{
    struct coprocess *c = t->c;
    err_t e = ERR_OK;
    while (!e) {
        uint8_t *at = c->read.at + c->taken;
        size_t len = c->read.len - c->taken;
        uint8_t *end = len ? memchr(at, '\n', len) : NULL;
        if (!end && len > c->o.line_max)
            return diag_fail(t->d, ERR_TOO_BIG, "a line of more than %zu bytes", c->o.line_max);
        if (!end) break;
        if (!t->left) return diag_fail(t->d, ERR_RANGE, "more lines than it was sent");
        struct slice line = slice_make(at, (size_t)(end - at));
        if (line.len && line.at[line.len - 1] == '\r') line.len--;
        c->taken += (size_t)(end - at) + 1;
        t->left--;
        wait_anew(t);
        e = t->answer(t->ctx, line);
    }
    if (c->taken) memmove(c->read.at, c->read.at + c->taken, c->read.len - c->taken);
    c->read.len -= c->taken;
    c->taken = 0;
    return e;
}

static err_t read_some(struct talk *t)
{
    struct coprocess *c = t->c;
    if (!buf_reserve(&c->read, READ_AT_ONCE))
        return diag_fail(t->d, c->read.err, "the answers of a command");
    ssize_t n = read(c->out, c->read.at + c->read.len, READ_AT_ONCE);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? ERR_OK : diag_errno(t->d, errno, "reading");
    if (n == 0) return diag_fail(t->d, ERR_PEER, "the command has ended");
    c->read.len += (size_t)n;
    return take_lines(t);
}

static err_t send_some(struct talk *t)
{
    ssize_t n = write(t->c->in, t->rest.at, MIN(t->rest.len, (size_t)READ_AT_ONCE));
    if (n >= 0)
        t->rest = slice_make(t->rest.at + n, t->rest.len - (size_t)n);
    else if (errno == EPIPE) /* what it has still said counts: reading finds its end */
        t->rest.len = 0;
    else if (errno != EAGAIN && errno != EINTR)
        return diag_errno(t->d, errno, "writing");
    return ERR_OK;
}

static err_t step(struct talk *t)
{
    struct coprocess *c = t->c;
    struct pollfd p[3] = {
        {c->out, POLLIN, 0}, {c->err, POLLIN, 0}, {t->rest.len ? c->in : -1, POLLOUT, 0}};
    int n = poll(p, 3, LOOK_MS);
    if (n < 0 && errno != EINTR) return diag_errno(t->d, errno, "waiting for a command");
    if (c->o.stopping && c->o.stopping(c->o.ctx)) return diag_fail(t->d, ERR_STOPPED, "stopped");
    if (p[1].revents & POLLIN) {
        take_words(c);
    } else if (p[1].revents & (POLLHUP | POLLERR)) { /* it has closed its standard error */
        close(c->err);
        c->err = -1;
    }
    err_t e = p[2].revents ? send_some(t) : ERR_OK;
    if (!e && p[0].revents) e = read_some(t);
    if (!e && t->left && clock_mono_ns() > t->until_ns)
        e = diag_fail(t->d, ERR_TIMEOUT, "no answer within %lld ms", (long long)c->o.answer_ms);
    return e;
}

err_t coprocess_talk(struct coprocess *c, struct slice lines, uint32_t count,
                     err_t (*answer)(void *ctx, struct slice line), void *ctx, struct diag *d)
{
    struct talk t = {.c = c, .rest = lines, .left = count, .answer = answer, .ctx = ctx, .d = d};
    struct pollfd p = {c->out, POLLIN, 0};
    if (poll(&p, 1, 0) == 1 && p.revents & POLLIN)
        return diag_fail(d, ERR_RANGE, "more lines than it was sent");
    err_t e = ERR_OK;
    wait_anew(&t);
    while (!e && t.left) e = step(&t);
    if (!e && t.rest.len) e = diag_fail(d, ERR_RANGE, "answers to what it has not read");
    bool more = !e && (c->read.len || (poll(&p, 1, 0) == 1 && p.revents & POLLIN));
    return more ? diag_fail(d, ERR_RANGE, "more lines than it was sent") : e;
}
