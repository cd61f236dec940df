/* What the kernel counts of this process: beside what the test itself makes it take. */
#include "os/usage.h"

#include "base/mem.h"
#include "os/clock.h"
#include "os/thread.h"
#include "test.h"
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

TEST(memory_and_files_are_what_the_process_takes)
{
    enum { MORE = 64 << 20, FILES = 20 };
    struct usage before, after;
    int fds[FILES];
    usage_read(&before);
    CHECK(before.rss > 1 << 20 && before.rss_peak >= before.rss && before.threads >= 1);
    CHECK(before.machine > before.rss && before.files >= 3 && before.files_max >= before.files);
    uint8_t *block = mem_take_raw(MORE);
    for (size_t i = 0; i < MORE; i += 4096) block[i] = 1; /* pages count once they are touched */
    for (int i = 0; i < FILES; i++) fds[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
    usage_read(&after);
    CHECK(after.rss >= before.rss + MORE * 9 / 10);
    CHECK_INT(after.files, before.files + FILES);
    for (int i = 0; i < FILES; i++) close(fds[i]);
    mem_give(block);
}

struct worker {
    struct thread thread;
    atomic_bool end;
};

static void work(void *arg)
{
    struct worker *w = arg;
    while (!atomic_load(&w->end)) continue;
}

struct found {
    const char *name;
    int64_t cpu_ns;
    int count, all;
};

static bool look(void *ctx, const struct usage_thread *t)
{
    struct found *f = ctx;
    f->all++;
    if (strcmp(t->name, f->name) != 0) return true;
    f->count++;
    f->cpu_ns += t->cpu_ns;
    return true;
}

static bool only_first(void *ctx, const struct usage_thread *t)
{
    ++*(int *)ctx;
    return !t;
}

TEST(a_thread_is_told_by_name_with_what_it_has_worked)
{
    struct worker w = {.end = false};
    struct found f = {.name = "odd) name ("};
    struct usage_names names = {.count = 0};
    struct diag d;
    CHECK_OK(thread_start(&w.thread, f.name, work, &w, &d), &d);
    int64_t until = clock_mono_ns() + INT64_C(30000000000);
    while (f.cpu_ns < 20000000 && clock_mono_ns() < until) {
        f = (struct found){.name = f.name};
        usage_threads(&names, look, &f);
    }
    CHECK_INT(f.count, 1);
    CHECK(f.all >= 2 && f.cpu_ns >= 20000000);
    int seen = 0;
    usage_threads(&names, only_first, &seen);
    CHECK_INT(seen, 1);
    atomic_store(&w.end, true);
    thread_join(&w.thread);
    f = (struct found){.name = f.name};
    usage_threads(&names, look, &f);
    CHECK_INT(f.count, 0);
}

TEST(a_thread_has_its_own_time_and_not_the_process_s)
{
    struct worker w = {.end = false};
    struct found f = {.name = "mostly waits"};
    struct usage_names names = {.count = 0};
    struct diag d;
    struct timespec t;
    char own[16];
    CHECK(prctl(PR_GET_NAME, own) == 0);
    atomic_store(&w.end, true);
    CHECK_OK(thread_start(&w.thread, "worker", work, &w, &d), &d);
    thread_join(&w.thread);
    CHECK(prctl(PR_SET_NAME, f.name) == 0);
    usage_threads(&names, look, &f);
    CHECK(prctl(PR_SET_NAME, own) == 0); /* the process's, too */
    CHECK(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t) == 0);
    int64_t mine = (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
    CHECK_INT(f.count, 1);
    CHECK(f.cpu_ns > 0 && f.cpu_ns <= mine);
}
