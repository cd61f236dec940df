/* fault: the fault kit. A library for LD_PRELOAD that stands between a program (RocksDB, SQLite and
 * curl in it) and the C library, counts every call that changes files under one folder, and at the
 * n-th one makes the machine misbehave:
 *
 *   SLUICE_FAULT_DIR=PATH      only files under this folder are watched (an absolute path)
 *   SLUICE_FAULT_AT=N          the N-th call; 0 or unset: only count
 *   SLUICE_FAULT_DO=fail       it fails with SLUICE_FAULT_ERRNO (EIO, ENOSPC, EINTR …; EIO); with
 *                              SLUICE_FAULT_STICKY=1 so does every later one of the same name
 *                   tear       a write does its first half, then the process is gone
 *                   stop       the process is gone, as by SIGKILL
 *                   cut        power cut: what was not synced is undone, directory entries too,
 *                              then the process is gone
 *   SLUICE_FAULT_ONLY=a,b      count only these calls: open write fsync truncate rename unlink
 * mkdir SLUICE_FAULT_SEED=S        with cut: a random beginning of each file's unsynced writes
 * survives, the last of it perhaps in part; without: nothing unsynced does SLUICE_FAULT_COUNT=FILE
 * 8 bytes, mapped: the number of calls so far, for the test to watch SLUICE_FAULT_CLOCK_MS=T    the
 * wall clock is shifted by so much
 *
 * The model of the disk is strict: a file's bytes survive when the file was synced after them; its
 * name survives when its directory was synced after it.
 */
#include "fault_int.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { EXIT_GONE = 137 };

static struct {
    char dir[4096];
    size_t dir_len;
    uint64_t at;
    uint64_t *count, own_count;
    enum fault_action action;
    unsigned only; /* bits of enum fault_call; 0: all */
    int error;
    bool sticky, clock;
    int64_t clock_shift_ms;
    bool failing[FAULT_CALLS]; /* sticky failures that have begun */
} kit;

static pthread_mutex_t lock = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;

void fault_lock(void)
{
    pthread_mutex_lock(&lock);
}
void fault_unlock(void)
{
    pthread_mutex_unlock(&lock);
}

/* --- the C library's own functions ---------------------------------------------------------------
 */

void *fault_real(const char *name)
{
    void *f = dlsym(RTLD_NEXT, name);
    if (!f) abort();
    return f;
}

static void *look_up(void **slot, const char *name)
{
    if (!*slot) *slot = fault_real(name);
    return *slot;
}

#define REAL(name)         ((__typeof__(&name))look_up(&real_##name, #name))
#define DECLARE_REAL(name) static void *real_##name

DECLARE_REAL(open);
DECLARE_REAL(openat);
DECLARE_REAL(close);
DECLARE_REAL(writev);
DECLARE_REAL(pwritev);
DECLARE_REAL(fsync);
DECLARE_REAL(fdatasync);
DECLARE_REAL(ftruncate);
DECLARE_REAL(fallocate);
DECLARE_REAL(posix_fallocate);
DECLARE_REAL(rename);
DECLARE_REAL(unlink);
DECLARE_REAL(rmdir);
DECLARE_REAL(mkdir);
DECLARE_REAL(link);
DECLARE_REAL(clock_gettime);
DECLARE_REAL(gettimeofday);
DECLARE_REAL(time);

/* --- set-up ----------------------------------------------------------------------------------- */

static const char *const call_names[FAULT_CALLS] = {"open",   "write",  "fsync", "truncate",
                                                    "rename", "unlink", "mkdir"};

static unsigned parse_only(const char *text)
{
    unsigned bits = 0;
    for (int i = 0; text && i < FAULT_CALLS; i++)
        if (strstr(text, call_names[i])) bits |= 1u << i;
    return bits;
}

static int parse_errno(const char *text)
{
    static const struct {
        const char *name;
        int error;
    } names[] = {{"EIO", EIO},       {"ENOSPC", ENOSPC}, {"EINTR", EINTR},  {"EROFS", EROFS},
                 {"EMFILE", EMFILE}, {"EACCES", EACCES}, {"EDQUOT", EDQUOT}};
    for (size_t i = 0; text && i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(text, names[i].name) == 0) return names[i].error;
    return EIO;
}

static void map_count(const char *path)
{
    int fd = REAL(open)(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || REAL(ftruncate)(fd, 8) != 0) abort();
    void *at = mmap(NULL, 8, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED) abort();
    kit.count = at;
    *kit.count = 0;
    REAL(close)(fd);
}

static enum fault_action parse_action(const char *text)
{
    static const char *const names[] = {"none", "fail", "tear", "stop", "cut"};
    for (size_t i = 0; text && i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(text, names[i]) == 0) return (enum fault_action)i;
    return FAULT_NONE;
}

__attribute__((constructor)) static void set_up(void)
{
    const char *dir = getenv("SLUICE_FAULT_DIR"), *at = getenv("SLUICE_FAULT_AT"),
               *count = getenv("SLUICE_FAULT_COUNT");
    const char *seed = getenv("SLUICE_FAULT_SEED"), *clock = getenv("SLUICE_FAULT_CLOCK_MS");
    kit.count = &kit.own_count;
    if (dir) kit.dir_len = (size_t)snprintf(kit.dir, sizeof(kit.dir), "%s", dir);
    if (at) kit.at = strtoull(at, NULL, 10);
    if (count) map_count(count);
    kit.action = parse_action(getenv("SLUICE_FAULT_DO"));
    kit.only = parse_only(getenv("SLUICE_FAULT_ONLY"));
    kit.error = parse_errno(getenv("SLUICE_FAULT_ERRNO"));
    kit.sticky = getenv("SLUICE_FAULT_STICKY") != NULL;
    kit.clock = clock != NULL;
    if (clock) kit.clock_shift_ms = strtoll(clock, NULL, 10);
    disk_init(kit.dir, seed ? strtoull(seed, NULL, 10) : 0, kit.action == FAULT_CUT);
}

bool fault_watched(const char *path)
{
    return kit.dir_len && strncmp(path, kit.dir, kit.dir_len) == 0 &&
           (path[kit.dir_len] == '/' || !path[kit.dir_len]);
}

static bool watched_fd(int fd, char path[4096])
{
    char link_name[64];
    int saved = errno;
    snprintf(link_name, sizeof(link_name), "/proc/self/fd/%d", fd);
    ssize_t n = kit.dir_len ? readlink(link_name, path, 4095) : -1;
    errno = saved;
    if (n <= 0) return false;
    path[n] = 0;
    return fault_watched(path);
}

/* An absolute path for what a call was given. */
static const char *absolute(const char *path, char out[4096])
{
    char here[2048];
    if (path[0] == '/' || !getcwd(here, sizeof(here))) return path;
    snprintf(out, 4096, "%s/%s", here, path);
    return out;
}

/* --- the n-th call ---------------------------------------------------------------------------- */

/* Counts one call; true when it must fail now (errno is set). Does not come back from stop and cut.
 */
static bool strike(enum fault_call call)
{
    if (kit.only && !(kit.only & 1u << call)) return false;
    uint64_t n = ++*kit.count;
    if (kit.sticky && kit.failing[call]) {
        errno = kit.error;
        return true;
    }
    if (n != kit.at) return false;
    switch (kit.action) {
    case FAULT_NONE: return false;
    case FAULT_TEAR: return false; /* the write itself does it */
    case FAULT_FAIL: break;
    case FAULT_CUT: disk_power_cut(); __attribute__((fallthrough));
    case FAULT_STOP: _exit(EXIT_GONE);
    }
    kit.failing[call] = true;
    errno = kit.error;
    return true;
}

static bool tears_now(void)
{
    return kit.action == FAULT_TEAR && *kit.count == kit.at;
}

/* --- calls on descriptors --------------------------------------------------------------------- */

/* Common to all four kinds of writing: `where` < 0 is the file's own position. */
static ssize_t do_write(int fd, const struct iovec *parts, int count, off_t where)
{
    char path[4096];
    size_t size = 0;
    ssize_t done;
    if (!watched_fd(fd, path))
        return where < 0 ? REAL(writev)(fd, parts, count) : REAL(pwritev)(fd, parts, count, where);
    for (int i = 0; i < count; i++) size += parts[i].iov_len;
    fault_lock();
    if (strike(FAULT_WRITE)) {
        fault_unlock();
        return -1;
    }
    off_t at = where >= 0                        ? where
               : (fcntl(fd, F_GETFL) & O_APPEND) ? lseek(fd, 0, SEEK_END)
                                                 : lseek(fd, 0, SEEK_CUR);
    if (tears_now()) {
        struct iovec half = {parts[0].iov_base, parts[0].iov_len / 2};
        done = REAL(pwritev)(fd, &half, 1, at);
        (void)done; /* torn or not written at all: both can happen */
        _exit(EXIT_GONE);
    }
    disk_before_write(fd, path, at, size);
    done = where < 0 ? REAL(writev)(fd, parts, count) : REAL(pwritev)(fd, parts, count, where);
    fault_unlock();
    return done;
}

ssize_t write(int fd, const void *bytes, size_t size)
{
    return do_write(fd, &(struct iovec){(void *)(uintptr_t)bytes, size}, 1, -1);
}
ssize_t pwrite(int fd, const void *bytes, size_t size, off_t at)
{
    return do_write(fd, &(struct iovec){(void *)(uintptr_t)bytes, size}, 1, at);
}
ssize_t pwrite64(int fd, const void *bytes, size_t size, off_t at)
{
    return pwrite(fd, bytes, size, at);
}
ssize_t writev(int fd, const struct iovec *parts, int count)
{
    return do_write(fd, parts, count, -1);
}
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at)
{
    return do_write(fd, parts, count, at);
}
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off_t at)
{
    return pwritev(fd, parts, count, at);
}

static int do_sync(int fd, int (*sync)(int))
{
    char path[4096];
    if (!watched_fd(fd, path)) return sync(fd);
    fault_lock();
    /* The disk of the model is in memory: nothing needs to reach the real one. */
    int code = strike(FAULT_SYNC) ? -1 : disk_is_modelled() ? 0 : sync(fd);
    if (code == 0) disk_synced(fd, path);
    fault_unlock();
    return code;
}

int fsync(int fd)
{
    return do_sync(fd, REAL(fsync));
}
int fdatasync(int fd)
{
    return do_sync(fd, REAL(fdatasync));
}

static int do_resize(int fd, off_t size, off_t from, int (*resize)(int, off_t, off_t))
{
    char path[4096];
    if (!watched_fd(fd, path)) return resize(fd, size, from);
    fault_lock();
    int code = -1;
    if (!strike(FAULT_TRUNCATE)) {
        disk_before_resize(fd, path, from + size);
        code = resize(fd, size, from);
    }
    fault_unlock();
    return code;
}

static int real_truncate(int fd, off_t size, off_t from)
{
    return REAL(ftruncate)(fd, size + from);
}
static int real_allocate(int fd, off_t size, off_t from)
{
    int error = REAL(posix_fallocate)(fd, from, size);
    errno = error;
    return error ? -1 : 0;
}

int ftruncate(int fd, off_t size)
{
    return do_resize(fd, size, 0, real_truncate);
}
int ftruncate64(int fd, off_t size)
{
    return ftruncate(fd, size);
}
int posix_fallocate(int fd, off_t at, off_t size)
{
    return do_resize(fd, size, at, real_allocate) ? errno : 0;
}
int posix_fallocate64(int fd, off_t at, off_t size)
{
    return posix_fallocate(fd, at, size);
}

int fallocate(int fd, int mode, off_t at, off_t size)
{
    char path[4096];
    if (!watched_fd(fd, path)) return REAL(fallocate)(fd, mode, at, size);
    fault_lock();
    int code = -1;
    if (!strike(FAULT_TRUNCATE)) {
        if (mode & FALLOC_FL_PUNCH_HOLE)
            disk_before_write(fd, path, at, (size_t)size);
        else if (!(mode & FALLOC_FL_KEEP_SIZE))
            disk_before_resize(fd, path, at + size);
        code = REAL(fallocate)(fd, mode, at, size);
    }
    fault_unlock();
    return code;
}
int fallocate64(int fd, int mode, off_t at, off_t size)
{
    return fallocate(fd, mode, at, size);
}

int close(int fd)
{
    fault_lock();
    disk_closed(fd);
    fault_unlock();
    return REAL(close)(fd);
}

/* --- calls on names --------------------------------------------------------------------------- */

static int do_open(const char *given, int flags, mode_t mode)
{
    char space[4096];
    const char *path = absolute(given, space);
    bool changes = (flags & (O_CREAT | O_TRUNC)) != 0;
    if (!fault_watched(path) || !(flags & (O_WRONLY | O_RDWR | O_CREAT)))
        return REAL(open)(given, flags, mode);
    struct stat st;
    int saved = errno;
    bool existed = stat(path, &st) == 0;
    errno = saved;
    fault_lock();
    int fd = -1;
    if (!changes || (existed && !(flags & O_TRUNC)) || !strike(FAULT_OPEN)) {
        if (existed && (flags & O_TRUNC)) disk_before_truncating_open(path);
        fd = REAL(open)(given, flags, mode);
        if (fd >= 0) disk_opened(fd, path, !existed);
    }
    fault_unlock();
    return fd;
}

static mode_t mode_of(int flags, va_list args)
{
    return flags & (O_CREAT | O_TMPFILE) ? va_arg(args, mode_t) : 0;
}

int open(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    mode_t mode = mode_of(flags, args);
    va_end(args);
    return do_open(path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    mode_t mode = mode_of(flags, args);
    va_end(args);
    return do_open(path, flags, mode);
}

static int do_openat(int dir, const char *path, int flags, mode_t mode)
{
    char base[4096], whole[8192];
    if (path[0] == '/' || dir == AT_FDCWD) return do_open(path, flags, mode);
    if (!watched_fd(dir, base)) return REAL(openat)(dir, path, flags, mode);
    snprintf(whole, sizeof(whole), "%s/%s", base, path);
    return do_open(whole, flags, mode);
}

int openat(int dir, const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    mode_t mode = mode_of(flags, args);
    va_end(args);
    return do_openat(dir, path, flags, mode);
}

int openat64(int dir, const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    mode_t mode = mode_of(flags, args);
    va_end(args);
    return do_openat(dir, path, flags, mode);
}

int creat(const char *path, mode_t mode)
{
    return do_open(path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

int rename(const char *from, const char *to)
{
    char a[4096], b[4096];
    const char *whole_from = absolute(from, a), *whole_to = absolute(to, b);
    if (!fault_watched(whole_to)) return REAL(rename)(from, to);
    fault_lock();
    int code = strike(FAULT_RENAME) ? -1 : disk_rename(whole_from, whole_to);
    fault_unlock();
    return code;
}

int unlink(const char *path)
{
    char a[4096];
    const char *whole = absolute(path, a);
    if (!fault_watched(whole)) return REAL(unlink)(path);
    fault_lock();
    int code = strike(FAULT_UNLINK) ? -1 : disk_unlink(whole);
    fault_unlock();
    return code;
}

int unlinkat(int dir, const char *path, int flags)
{
    char base[4096], whole[8192];
    if (path[0] == '/' || dir == AT_FDCWD) return flags & AT_REMOVEDIR ? rmdir(path) : unlink(path);
    if (!watched_fd(dir, base)) {
        snprintf(base, sizeof(base), "/proc/self/fd/%d", dir);
        char target[4096];
        ssize_t n = readlink(base, target, sizeof(target) - 1);
        if (n < 0) return -1;
        target[n] = 0;
        snprintf(whole, sizeof(whole), "%s/%s", target, path);
        return flags & AT_REMOVEDIR ? (REAL(rmdir)(whole)) : (REAL(unlink)(whole));
    }
    snprintf(whole, sizeof(whole), "%s/%s", base, path);
    return flags & AT_REMOVEDIR ? rmdir(whole) : unlink(whole);
}

/* The C library's remove does not call our unlink. */
int remove(const char *path)
{
    struct stat st;
    if (lstat(path, &st) != 0) return -1;
    return S_ISDIR(st.st_mode) ? rmdir(path) : unlink(path);
}

int rmdir(const char *path)
{
    char a[4096];
    const char *whole = absolute(path, a);
    if (!fault_watched(whole)) return REAL(rmdir)(path);
    fault_lock();
    int code = strike(FAULT_UNLINK) ? -1 : REAL(rmdir)(path);
    if (code == 0) disk_removed_dir(whole);
    fault_unlock();
    return code;
}

int mkdir(const char *path, mode_t mode)
{
    char a[4096];
    const char *whole = absolute(path, a);
    if (!fault_watched(whole)) return REAL(mkdir)(path, mode);
    fault_lock();
    int code = strike(FAULT_MKDIR) ? -1 : REAL(mkdir)(path, mode);
    if (code == 0) disk_made_dir(whole);
    fault_unlock();
    return code;
}

int link(const char *from, const char *to)
{
    char b[4096];
    const char *whole = absolute(to, b);
    if (!fault_watched(whole)) return REAL(link)(from, to);
    fault_lock();
    int code = strike(FAULT_RENAME) ? -1 : REAL(link)(from, to);
    if (code == 0) disk_linked(whole);
    fault_unlock();
    return code;
}

/* --- the clock -------------------------------------------------------------------------------- */

int clock_gettime(clockid_t id, struct timespec *t)
{
    int code = REAL(clock_gettime)(id, t);
    if (code == 0 && kit.clock && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
        t->tv_sec += kit.clock_shift_ms / 1000;
    return code;
}

int gettimeofday(struct timeval *restrict t, void *restrict zone)
{
    int code = REAL(gettimeofday)(t, zone);
    if (code == 0 && kit.clock) t->tv_sec += kit.clock_shift_ms / 1000;
    return code;
}

time_t time(time_t *out)
{
    time_t t = REAL(time)(NULL) + (kit.clock ? kit.clock_shift_ms / 1000 : 0);
    if (out) *out = t;
    return t;
}
