#include "os/usage.h"

#include "os/clock.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

/* The whole of a small file of /proc; "" when it can not be read. */
static void proc_text(const char *path, char *out, size_t cap)
{
    out[0] = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return;
    size_t len = 0;
    for (ssize_t n = 1; n > 0 && len + 1 < cap; len += n > 0 ? (size_t)n : 0)
        n = read(fd, out + len, cap - 1 - len);
    out[len] = 0;
    close(fd);
}

/* "Name:   123 kB" -> bytes; 0: it is not there. */
static uint64_t kib_of(const char *text, const char *name)
{
    uint64_t kib = 0;
    const char *at = strstr(text, name);
    if (at) (void)sscanf(at + strlen(name), "%" SCNu64, &kib);
    return kib * 1024;
}

static uint32_t files_open(void)
{
    uint32_t count = 0;
    DIR *d = opendir("/proc/self/fd");
    if (!d) return 0;
    while (readdir(d)) count++;
    closedir(d);
    return count > 3 ? count - 3 : 0; /* ".", ".." and the folder's own */
}

void usage_read(struct usage *out)
{
    char text[8192];
    struct rlimit files;
    struct sysinfo machine;
    proc_text("/proc/self/status", text, sizeof(text));
    *out = (struct usage){.rss = kib_of(text, "\nVmRSS:"),
                          .rss_peak = kib_of(text, "\nVmHWM:"),
                          .swap = kib_of(text, "\nVmSwap:"),
                          .threads = (uint32_t)(kib_of(text, "\nThreads:") / 1024),
                          .files = files_open()};
    if (sysinfo(&machine) == 0) out->machine = (uint64_t)machine.totalram * machine.mem_unit;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0)
        out->files_max = (uint32_t)MIN(files.rlim_cur, (rlim_t)UINT32_MAX);
}

/* --- threads ------------------------------------------------------------------------------------
 */

static const int64_t NAMED_NS = 1000000000;

static bool name_read(int id, char out[16])
{
    char path[64], text[32];
    snprintf(path, sizeof(path), "/proc/self/task/%d/comm", id);
    proc_text(path, text, sizeof(text));
    size_t len = strcspn(text, "\n");
    memcpy(out, text, MIN(len, (size_t)15));
    out[MIN(len, (size_t)15)] = 0;
    return text[0];
}

/* What it has run, by the clock that Linux keeps for each thread of this process. */
static bool run_read(int id, int64_t *ns)
{
    enum { THREAD_S = 4, SCHEDULED = 2 };
    struct timespec t;
    clockid_t clock = (clockid_t)((~(unsigned)id << 3) | THREAD_S | SCHEDULED);
    if (clock_gettime(clock, &t) != 0) return false;
    *ns = (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
    return true;
}

/* A thread that has just begun may not have its name yet: for its first second it is asked. */
static bool name_of(const struct usage_names *known, int id, int64_t now_ns, struct usage_name *out)
{
    const struct usage_name *k = known->of, *end = k + known->count;
    while (k < end && k->id != id) k++;
    *out = k < end ? *k : (struct usage_name){.id = id, .since_ns = now_ns};
    return now_ns - out->since_ns > NAMED_NS || name_read(id, out->name);
}

void usage_threads(struct usage_names *names, bool (*each)(void *ctx, const struct usage_thread *t),
                   void *ctx)
{
    struct usage_names now = {.count = 0};
    struct usage_name one;
    bool goes_on = true;
    int64_t now_ns = clock_mono_ns();
    DIR *d = opendir("/proc/self/task");
    if (!d) return;
    for (struct dirent *e; goes_on && (e = readdir(d));) {
        struct usage_thread t = {.id = (int)strtol(e->d_name, NULL, 10)};
        if (t.id <= 0 || !run_read(t.id, &t.cpu_ns)) continue;
        if (!name_of(names, t.id, now_ns, &one)) continue;
        if (now.count < USAGE_NAMES_MAX) now.of[now.count++] = one;
        memcpy(t.name, one.name, sizeof(t.name));
        goes_on = each(ctx, &t);
    }
    closedir(d);
    *names = now;
}
