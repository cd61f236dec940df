#include "os/thread.h"

#include "base/say.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

struct thread_start_args {
    void (*run)(void *);
    void *arg;
    char name[16]; /* the kernel's limit, NUL included */
};

/* --- how soon it runs ----------------------------------------------------------------------------
 * Linux 6.12 and newer let a thread say how long it wants to run at a stretch. Who wants little is
 * let in as soon as it is woken, where others compute, and gets no larger share by it. Ours mostly
 * wait: a request passes through several of them, and would wait for a slice of others' at each. */

enum { STRETCH_NS = 200000, RESET_ON_FORK = 1 };

struct stretch { /* the kernel's struct sched_attr, as long as every kernel knows it */
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
};

static void want_stretch(uint64_t ns) /* 0: the system's own */
{
    struct stretch s = {.size = sizeof(s)};
    if (syscall(SYS_sched_getattr, 0, &s, sizeof(s), 0) != 0 || s.policy != SCHED_OTHER) return;
    s.runtime = ns;
    if (s.nice >= 0) s.flags |= RESET_ON_FORK;     /* commands that it starts want what they want */
    if (syscall(SYS_sched_setattr, 0, &s, 0) != 0) /* a wish: without it all works, not as soon */
        say_debug(SAY_OS, "a thread's slice stays as it is", "errno=%d", errno);
}

static void *thread_main(void *arg)
{
    struct thread_start_args a = *(struct thread_start_args *)arg;
    mem_give(arg);
    pthread_setname_np(pthread_self(), a.name);
    want_stretch(STRETCH_NS);
    a.run(a.arg);
    return NULL;
}

/* Signals are for the thread that runs main: elsewhere they would only interrupt system calls.
 * What the processor raises stays open, or a fault would kill without its handler. */
static void block_signals(sigset_t *before)
{
    static const int open_signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGPROF};
    sigset_t set;
    sigfillset(&set);
    for (size_t i = 0; i < COUNT_OF(open_signals); i++) sigdelset(&set, open_signals[i]);
    INVARIANT(pthread_sigmask(SIG_SETMASK, &set, before) == 0);
}

err_t thread_start(struct thread *t, const char *name, void (*run)(void *), void *arg,
                   struct diag *d)
{
    INVARIANT(!t->started);
    struct thread_start_args *a = mem_take(sizeof(*a));
    if (!a) return diag_fail(d, ERR_NO_MEMORY, "thread '%s' can not start", name);
    *a = (struct thread_start_args){.run = run, .arg = arg};
    snprintf(a->name, sizeof(a->name), "%s", name);
    sigset_t before; /* a thread inherits its maker's mask */
    block_signals(&before);
    int error = pthread_create(&t->id, NULL, thread_main, a);
    INVARIANT(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
    if (error) {
        mem_give(a);
        return diag_errno(d, error, "thread '%s' can not start", name);
    }
    t->started = true;
    return ERR_OK;
}

void thread_join(struct thread *t)
{
    if (!t->started) return;
    INVARIANT(pthread_join(t->id, NULL) == 0);
    t->started = false;
}

/* A container's quota, "QUOTA PERIOD" or "max PERIOD"; 0 when there is none. */
static int quota_cores(void)
{
    char line[512], path[600];
    FILE *f = fopen("/proc/self/cgroup", "re");
    if (!f) return 0;
    bool v2 = false;
    while (!v2 && fgets(line, sizeof(line), f)) v2 = strncmp(line, "0::", 3) == 0;
    fclose(f);
    if (!v2) return 0;
    line[strcspn(line, "\n")] = 0;
    snprintf(path, sizeof(path), "/sys/fs/cgroup%s/cpu.max", line + 3);
    if (!(f = fopen(path, "re"))) return 0;
    long quota = 0, period = 0;
    int found = fscanf(f, "%ld %ld", &quota, &period);
    fclose(f);
    return found == 2 && quota > 0 && period > 0 ? (int)((quota + period - 1) / period) : 0;
}

void thread_step_back(void)
{
    if (setpriority(PRIO_PROCESS, 0, 10) != 0) /* on Linux 0 is the calling thread */
        say_warn(SAY_OS, "a thread can not step back", "errno=%d", errno);
    want_stretch(0);
}

int thread_cores(void)
{
    cpu_set_t set;
    int cores = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;
    int quota = quota_cores();
    return MAX(1, quota ? MIN(cores, quota) : cores);
}

void gate_init(struct gate *g)
{
    pthread_condattr_t attr;
    INVARIANT(pthread_mutex_init(&g->mutex, NULL) == 0);
    INVARIANT(pthread_condattr_init(&attr) == 0);
    INVARIANT(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0);
    INVARIANT(pthread_cond_init(&g->cond, &attr) == 0);
    pthread_condattr_destroy(&attr);
}

void gate_done(struct gate *g)
{
    INVARIANT(pthread_cond_destroy(&g->cond) == 0);
    INVARIANT(pthread_mutex_destroy(&g->mutex) == 0);
}

void gate_enter(struct gate *g)
{
    INVARIANT(pthread_mutex_lock(&g->mutex) == 0);
}

void gate_leave(struct gate *g)
{
    INVARIANT(pthread_mutex_unlock(&g->mutex) == 0);
}

void gate_wait(struct gate *g)
{
    INVARIANT(pthread_cond_wait(&g->cond, &g->mutex) == 0);
}

/* By the real clock, also under a frozen one: a thread that waits for another must not hang. */
bool gate_wait_ms(struct gate *g, int64_t timeout_ms)
{
    int64_t ms = MIN(MAX(timeout_ms, (int64_t)0), INT64_C(1000) * 3600 * 24 * 365);
    return gate_wait_us(g, ms * 1000);
}

bool gate_wait_us(struct gate *g, int64_t timeout_us)
{
    struct timespec until;
    INVARIANT(clock_gettime(CLOCK_MONOTONIC, &until) == 0);
    until.tv_sec += timeout_us / 1000000;
    until.tv_nsec += timeout_us % 1000000 * 1000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    return pthread_cond_timedwait(&g->cond, &g->mutex, &until) == 0;
}

void gate_wake(struct gate *g)
{
    INVARIANT(pthread_cond_broadcast(&g->cond) == 0);
}
