/* Clock and threads: the fake clock stands, moves and lets go without a step back; gates wake and
 * time out. Method: real threads. */
#include "os/clock.h"
#include "os/thread.h"

#include "test.h"
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

TEST(a_fake_clock_stands_moves_and_lets_go_without_a_step_back)
{
    int64_t before = clock_mono_ns();
    clock_fake_set(1000);
    CHECK_INT(clock_wall_ms(), 1000);
    CHECK_INT(clock_wall_us(), 1000000);
    int64_t stood = clock_mono_ns();
    CHECK(stood >= before);
    CHECK_INT(clock_mono_ns(), stood);
    clock_fake_advance(3600 * 1000);
    CHECK_INT(clock_wall_ms(), 1000 + 3600 * 1000);
    CHECK_INT(clock_mono_ns(), stood + INT64_C(3600) * 1000000000);
    clock_fake_set(500); /* the wall clock may step, the other may not */
    CHECK_INT(clock_mono_ns(), stood + INT64_C(3600) * 1000000000);
    clock_fake_set(-1);
    CHECK(clock_mono_ns() >= stood + INT64_C(3600) * 1000000000);
    CHECK(clock_wall_ms() > INT64_C(1700000000000));
    int64_t cpu = clock_cpu_ns();
    while (clock_cpu_ns() == cpu) continue;
}

struct meeting {
    struct gate gate;
    int asked, answered;
    sigset_t mask;
    char name[16];
};

static void answer_questions(void *arg)
{
    struct meeting *m = arg;
    pthread_sigmask(SIG_BLOCK, NULL, &m->mask);
    pthread_getname_np(pthread_self(), m->name, sizeof(m->name));
    gate_enter(&m->gate);
    while (m->answered < 1000) {
        while (m->asked == m->answered) gate_wait(&m->gate);
        m->answered = m->asked;
        gate_wake(&m->gate);
    }
    gate_leave(&m->gate);
}

TEST(threads_meet_at_a_gate_and_leave_signals_to_main)
{
    struct meeting m = {0};
    struct thread t = {0};
    struct diag d;
    gate_init(&m.gate);
    CHECK_OK(thread_start(&t, "a-long-name-for-a-thread", answer_questions, &m, &d), &d);
    gate_enter(&m.gate);
    for (int i = 1; i <= 1000; i++) {
        m.asked = i;
        gate_wake(&m.gate);
        while (m.answered != i)
            if (!gate_wait_ms(&m.gate, 10000)) break;
        CHECK_INT(m.answered, i);
    }
    gate_leave(&m.gate);
    thread_join(&t);
    thread_join(&t);
    CHECK_TEXT(m.name, "a-long-name-for");
    CHECK(sigismember(&m.mask, SIGTERM) == 1 && sigismember(&m.mask, SIGSEGV) == 0);
    gate_done(&m.gate);
    CHECK(thread_cores() >= 1);
}

struct wishes { /* what the kernel says of a thread: a slice in ns, 0 before Linux 6.12 */
    uint64_t at_first, later, a_child_s;
    int nice;
};

static uint64_t slice_of_mine(void)
{
    struct {
        uint32_t size, policy;
        uint64_t flags;
        int32_t nice;
        uint32_t priority;
        uint64_t runtime, deadline, period;
    } s = {.size = sizeof(s)};
    return syscall(SYS_sched_getattr, 0, &s, sizeof(s), 0) == 0 ? s.runtime : 0;
}

static void wish(void *arg)
{
    struct wishes *w = arg;
    int status = 0;
    w->at_first = slice_of_mine();
    pid_t child = fork();
    if (child == 0) _exit(slice_of_mine() == w->at_first);
    w->a_child_s = waitpid(child, &status, 0) == child ? (uint64_t)WEXITSTATUS(status) : 2;
    thread_step_back();
    w->later = slice_of_mine();
    w->nice = getpriority(PRIO_PROCESS, 0);
}

TEST(a_thread_asks_to_be_let_in_soon_and_one_that_steps_back_does_not)
{
    struct wishes w = {0};
    struct thread t = {0};
    struct diag d;
    uint64_t own = slice_of_mine();
    CHECK_OK(thread_start(&t, "wishes", wish, &w, &d), &d);
    thread_join(&t);
    CHECK_INT(w.later, own);
    CHECK_INT(w.nice, 10);
    if (!own) return; /* this kernel asks nobody */
    CHECK_INT(w.at_first, 200000);
    CHECK_INT(w.a_child_s, 0); /* it has the system's own */
}

TEST(a_gate_nobody_wakes_times_out)
{
    struct gate g;
    gate_init(&g);
    gate_enter(&g);
    int64_t before = clock_mono_ns();
    while (gate_wait_ms(&g, 20)) continue; /* a spurious wake-up waits again */
    CHECK(clock_mono_ns() - before >= 20 * 1000000);
    gate_leave(&g);
    gate_done(&g);
}

TEST(the_environment_freezes_the_clock_of_a_whole_process)
{
    if (getenv("SLUICE_FAKE_CLOCK_MS")) { /* the child below */
        CHECK_INT(clock_wall_ms(), 1234567890123);
        return;
    }
    pid_t child = fork();
    if (child == 0) {
        if (!freopen("/dev/null", "w", stdout)) _exit(126);
        setenv("SLUICE_FAKE_CLOCK_MS", "1234567890123", 1);
        execl("/proc/self/exe", "unit_os", "the_environment_freezes", NULL);
        _exit(127);
    }
    int status = 0;
    CHECK_INT(waitpid(child, &status, 0), child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}
