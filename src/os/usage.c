#include "os/usage.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
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

/* "17 (a name) S …": a name may hold brackets and spaces, so that the last one counts. */
static bool stat_read(const char *text, struct usage_thread *out)
{
    const char *open = strchr(text, '('), *close = strrchr(text, ')');
    uint64_t user, kernel;
    if (!open || !close || close < open) return false;
    size_t len = MIN((size_t)(close - open - 1), sizeof(out->name) - 1);
    memcpy(out->name, open + 1, len);
    out->name[len] = 0;
    /* state, 10 fields, then utime and stime */
    if (sscanf(close + 1, " %*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %" SCNu64 " %" SCNu64,
               &user, &kernel) != 2)
        return false;
    long ticks = sysconf(_SC_CLK_TCK);
    out->cpu_ns = ticks > 0 ? (int64_t)((user + kernel) * (1000000000u / (uint64_t)ticks)) : 0;
    return true;
}

void usage_threads(bool (*each)(void *ctx, const struct usage_thread *t), void *ctx)
{
    char path[64], text[1024];
    struct usage_thread t;
    bool goes_on = true;
    DIR *d = opendir("/proc/self/task");
    if (!d) return;
    for (struct dirent *e; goes_on && (e = readdir(d));) {
        t.id = (int)strtol(e->d_name, NULL, 10);
        if (t.id <= 0) continue;
        snprintf(path, sizeof(path), "/proc/self/task/%d/stat", t.id);
        proc_text(path, text, sizeof(text));
        if (stat_read(text, &t)) goes_on = each(ctx, &t);
    }
    closedir(d);
}
