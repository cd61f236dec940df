#include "os/loop_int.h"

#include "base/say.h"
#include "os/thread.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { SIGNALS_MAX = 8, HELD_MAX = 16 };

struct post {
    void (*fn)(void *);
    void *arg;
};

struct loop_signal_slot {
    struct event *event;
    void (*fn)(void *, int);
    void *arg;
};

struct loop {
    char name[16];
    struct event_base *base;
    uint8_t *scratch;
    pthread_t thread;
    atomic_bool running, stopping;

    struct gate gate; /* guards the mailbox: posts[first … first+count) modulo posts_max */
    struct post *posts;
    size_t posts_max, first, count;
    struct loop_message *sent_first, *sent_last; /* in the senders' own memory */
    bool woken; /* the wake descriptor has been written and not yet read, or will be at once */
    int held;   /* gate: threads that will write it at their loop_release */
    int wake_fd;
    struct event *wake;

    struct loop_signal_slot signals[SIGNALS_MAX];
    int signal_count;
};

static void libevent_says(int severity, const char *msg)
{
    if (severity >= EVENT_LOG_WARN) say_warn(SAY_OS, "libevent", "text=\"%s\"", msg);
}

/* libevent's memory counts into the budget like ours; before its first allocation. */
__attribute__((constructor)) static void give_libevent_our_memory(void)
{
    event_set_mem_functions(mem_take_raw, mem_resize, mem_give);
    event_set_log_callback(libevent_says);
}

/* What the thread has sent since its loop_hold, and has not told yet. */
static _Thread_local struct {
    bool on;
    int count;
    struct loop *loops[HELD_MAX];
} held;

static bool take_post(struct loop *l, struct post *out)
{
    gate_enter(&l->gate);
    bool any = l->count > 0;
    if (any) {
        *out = l->posts[l->first];
        l->first = (l->first + 1) % l->posts_max;
        l->count--;
    } else if (!l->sent_first) {
        l->woken = false;
    } else {
        event_active(l->wake, EV_READ, 0); /* sent since run_sent looked: one more turn */
    }
    gate_leave(&l->gate);
    return any;
}

/* What was sent so far; messages that send again are run at the next turn. */
static void run_sent(struct loop *l)
{
    gate_enter(&l->gate);
    struct loop_message *m = l->sent_first;
    l->sent_first = l->sent_last = NULL;
    gate_leave(&l->gate);
    for (struct loop_message *next; m; m = next) {
        next = m->next;
        m->fn(m); /* may free it */
    }
}

/* At most one mailbox full a turn: posts that post must not starve the sockets. */
static void run_posts(evutil_socket_t fd, short what, void *arg)
{
    struct loop *l = arg;
    struct post p;
    uint64_t value;
    (void)what;
    if (read(fd, &value, sizeof(value)) < 0) INVARIANT(errno == EAGAIN || errno == EINTR);
    run_sent(l);
    size_t left = l->posts_max;
    while (left-- && take_post(l, &p)) p.fn(p.arg);
    if (left == SIZE_MAX) event_active(l->wake, EV_READ, 0);
    if (atomic_load(&l->stopping)) event_base_loopbreak(l->base);
}

static void wake(struct loop *l)
{
    uint64_t one = 1;
    ssize_t n;
    do n = write(l->wake_fd, &one, sizeof(one));
    while (n < 0 && errno == EINTR);
    INVARIANT(n == sizeof(one));
}

static err_t loop_make(struct loop *l, struct diag *d)
{
    struct event_config *config = event_config_new();
    if (!config) return diag_fail(d, ERR_NO_MEMORY, "loop '%s' can not start", l->name);
    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK); /* one thread; others post */
    l->base = event_base_new_with_config(config);
    event_config_free(config);
    l->posts = mem_take(l->posts_max * sizeof(*l->posts));
    l->scratch = mem_take_raw(LOOP_SCRATCH);
    if (!l->base || !l->posts || !l->scratch)
        return diag_fail(d, ERR_NO_MEMORY, "loop '%s' can not start", l->name);
    l->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (l->wake_fd < 0) return diag_errno(d, errno, "loop '%s' can not start", l->name);
    l->wake = event_new(l->base, l->wake_fd, EV_READ | EV_PERSIST, run_posts, l);
    if (!l->wake || event_add(l->wake, NULL) != 0)
        return diag_fail(d, ERR_NO_MEMORY, "loop '%s' can not start", l->name);
    return ERR_OK;
}

err_t loop_new(const char *name, size_t posts_max, struct loop **out, struct diag *d)
{
    INVARIANT(posts_max > 0);
    signal(SIGPIPE, SIG_IGN); /* a peer that left is an error of the write, not of the process */
    struct loop *l = mem_take(sizeof(*l));
    if (!l) return diag_fail(d, ERR_NO_MEMORY, "loop '%s' can not start", name);
    snprintf(l->name, sizeof(l->name), "%s", name);
    l->posts_max = posts_max;
    l->wake_fd = -1;
    gate_init(&l->gate);
    err_t e = loop_make(l, d);
    if (e) {
        loop_free(l);
        return e;
    }
    *out = l;
    return ERR_OK;
}

void loop_free(struct loop *l)
{
    if (!l) return;
    INVARIANT(!atomic_load(&l->running));
    gate_enter(&l->gate);
    while (l->held) gate_wait(&l->gate);
    gate_leave(&l->gate);
    for (int i = 0; i < l->signal_count; i++) event_free(l->signals[i].event);
    if (l->wake) event_free(l->wake);
    if (l->base) event_base_free(l->base);
    if (l->wake_fd >= 0) close(l->wake_fd);
    gate_done(&l->gate);
    mem_give(l->posts);
    mem_give(l->scratch);
    mem_give(l);
}

void loop_run(struct loop *l)
{
    struct post p;
    l->thread = pthread_self();
    atomic_store(&l->running, true);
    if (!atomic_load(&l->stopping))
        INVARIANT(event_base_loop(l->base, EVLOOP_NO_EXIT_ON_EMPTY) >= 0);
    /* Nothing that was taken is dropped: what was posted before the stop still runs. */
    bool more = true;
    while (more) {
        run_sent(l);
        while (take_post(l, &p)) p.fn(p.arg);
        gate_enter(&l->gate);
        more = l->sent_first != NULL;
        gate_leave(&l->gate);
    }
    atomic_store(&l->running, false);
}

void loop_stop(struct loop *l)
{
    atomic_store(&l->stopping, true);
    wake(l);
}

err_t loop_post(struct loop *l, void (*fn)(void *), void *arg)
{
    err_t e = ERR_OK;
    bool sleeps = false;
    gate_enter(&l->gate);
    if (atomic_load(&l->stopping)) {
        e = ERR_STOPPED;
    } else if (l->count == l->posts_max) {
        e = ERR_BUSY;
    } else {
        l->posts[(l->first + l->count++) % l->posts_max] = (struct post){fn, arg};
        sleeps = !l->woken;
        l->woken = true;
    }
    gate_leave(&l->gate);
    if (sleeps) wake(l);
    return e;
}

void loop_send(struct loop *l, struct loop_message *m, void (*fn)(struct loop_message *m))
{
    m->fn = fn;
    m->next = NULL;
    gate_enter(&l->gate);
    if (l->sent_last)
        l->sent_last->next = m;
    else
        l->sent_first = m;
    l->sent_last = m;
    bool sleeps = !l->woken, later = sleeps && held.on && held.count < HELD_MAX;
    l->woken = true;
    if (later) {
        l->held++;
        held.loops[held.count++] = l;
    }
    gate_leave(&l->gate);
    if (sleeps && !later) wake(l);
}

void loop_hold(void)
{
    held.on = true;
}

void loop_release(void)
{
    held.on = false;
    for (int i = 0; i < held.count; i++) {
        struct loop *l = held.loops[i];
        wake(l); /* it is there as long as it is held */
        gate_enter(&l->gate);
        if (--l->held == 0) gate_wake(&l->gate);
        gate_leave(&l->gate);
    }
    held.count = 0;
}

bool loop_here(const struct loop *l)
{
    return !atomic_load(&l->running) || pthread_equal(l->thread, pthread_self());
}

struct event_base *loop_base(struct loop *l)
{
    return l->base;
}

uint8_t *loop_scratch(struct loop *l)
{
    return l->scratch;
}

/* --- timers ----------------------------------------------------------------------------------- */

struct loop_timer {
    struct event *event;
    int64_t repeat_ms;
    void (*fn)(void *);
    void *arg;
};

static struct timeval timeval_of(int64_t ms)
{
    ms = MAX(ms, (int64_t)0);
    return (struct timeval){.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
}

static void timer_rings(evutil_socket_t fd, short what, void *arg)
{
    struct loop_timer *t = arg;
    (void)fd, (void)what;
    if (t->repeat_ms > 0) {
        struct timeval again = timeval_of(t->repeat_ms);
        INVARIANT(event_add(t->event, &again) == 0); /* its place in the heap was just left */
    }
    t->fn(t->arg); /* may free the timer */
}

err_t loop_timer_new(struct loop *l, int64_t delay_ms, int64_t repeat_ms, void (*fn)(void *),
                     void *arg, struct loop_timer **out)
{
    struct timeval first = timeval_of(delay_ms);
    struct loop_timer *t = mem_take(sizeof(*t));
    if (!t) return ERR_NO_MEMORY;
    *t = (struct loop_timer){.repeat_ms = repeat_ms, .fn = fn, .arg = arg};
    t->event = event_new(l->base, -1, 0, timer_rings, t);
    if (!t->event || event_add(t->event, &first) != 0) {
        loop_timer_free(t);
        return ERR_NO_MEMORY;
    }
    *out = t;
    return ERR_OK;
}

void loop_timer_set(struct loop_timer *t, int64_t delay_ms)
{
    struct timeval delay = timeval_of(delay_ms);
    /* libevent keeps the room of every timer there has been at one time: nothing is taken */
    INVARIANT(event_add(t->event, &delay) == 0);
}

void loop_timer_free(struct loop_timer *t)
{
    if (!t) return;
    if (t->event) event_free(t->event);
    mem_give(t);
}

/* --- signals and descriptors ------------------------------------------------------------------ */

static void signal_came(evutil_socket_t number, short what, void *arg)
{
    struct loop_signal_slot *s = arg;
    (void)what;
    s->fn(s->arg, (int)number);
}

err_t loop_signal(struct loop *l, int number, void (*fn)(void *, int), void *arg)
{
    INVARIANT(l->signal_count < SIGNALS_MAX);
    struct loop_signal_slot *s = &l->signals[l->signal_count];
    *s = (struct loop_signal_slot){.fn = fn, .arg = arg};
    s->event = evsignal_new(l->base, number, signal_came, s);
    if (!s->event) return ERR_NO_MEMORY;
    if (event_add(s->event, NULL) != 0) {
        event_free(s->event);
        return ERR_NO_MEMORY;
    }
    l->signal_count++;
    return ERR_OK;
}

struct loop_watch {
    struct event *event;
    void (*fn)(void *, int);
    void *arg;
};

static void watch_ready(evutil_socket_t fd, short what, void *arg)
{
    struct loop_watch *w = arg;
    (void)fd;
    w->fn(w->arg, (what & EV_READ ? 1 : 0) | (what & EV_WRITE ? 2 : 0)); /* may free the watch */
}

err_t loop_watch_new(struct loop *l, int fd, int wanted, void (*fn)(void *, int), void *arg,
                     struct loop_watch **out)
{
    short what = (short)((wanted & 1 ? EV_READ : 0) | (wanted & 2 ? EV_WRITE : 0) | EV_PERSIST);
    struct loop_watch *w = mem_take(sizeof(*w));
    if (!w) return ERR_NO_MEMORY;
    *w = (struct loop_watch){.fn = fn, .arg = arg};
    w->event = event_new(l->base, fd, what, watch_ready, w);
    if (!w->event || event_add(w->event, NULL) != 0) {
        loop_watch_free(w);
        return ERR_NO_MEMORY;
    }
    *out = w;
    return ERR_OK;
}

void loop_watch_free(struct loop_watch *w)
{
    if (!w) return;
    if (w->event) event_free(w->event);
    mem_give(w);
}
