/* A life of five transactions is stopped at each of its syncs, one after the other: killed there,
 * or with the power cut, so that what was not synced is gone; and each write and sync is made to
 * fail once. Opened again, every transaction must be there whole or not at all, as it was
 * acknowledged, nothing may hang, and no epoch may be given out twice. The calls are met by
 * definitions of our own in this program, for all of the room's tests. */
#undef _FORTIFY_SOURCE
#include "coord/txns_test_kit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

enum { TXNS = 5, UNSYNCED_MAX = 4096 };
enum outcome { NOT_BEGUN, UNKNOWN, COMMITTED, ABORTED };
enum crash_mode { MODE_NONE, MODE_KILL, MODE_POWER, MODE_FAIL };

struct unsynced {
    char path[200];
    off_t at;
    size_t size;
};
/* What is acknowledged at one moment. */
struct told {
    enum outcome outcome[TXNS];
    int64_t pid; /* the last that was given out, and its epoch */
    int16_t epoch;
};
static struct {
    enum crash_mode mode;
    int countdown, error;
    bool fired;
    const char *dir;
    char copy[300];
    struct told now, then; /* then: when it stopped */
    struct unsynced writes[UNSYNCED_MAX];
    size_t write_count;
} crash;
static pthread_mutex_t disk = PTHREAD_MUTEX_INITIALIZER; /* one call at a time, or a copy */

/* --- the disk --------------------------------------------------------------------------------- */

static bool path_of(int fd, char out[200])
{
    char link[64];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, out, 199);
    out[MAX(n, 0)] = 0;
    return n > 0 && crash.dir && strncmp(out, crash.dir, strlen(crash.dir)) == 0;
}

static void note_write(int fd, off_t at, size_t size)
{
    struct unsynced *u = &crash.writes[crash.write_count];
    if (crash.mode != MODE_POWER || crash.write_count == UNSYNCED_MAX || !path_of(fd, u->path))
        return;
    u->at = at;
    u->size = size;
    crash.write_count++;
}

static void note_sync(int fd)
{
    char path[200];
    size_t kept = 0;
    if (crash.mode != MODE_POWER || !path_of(fd, path)) return;
    for (size_t i = 0; i < crash.write_count; i++)
        if (strcmp(crash.writes[i].path, path) != 0) crash.writes[kept++] = crash.writes[i];
    crash.write_count = kept;
}

static void lose(const struct unsynced *u)
{
    char path[600];
    static const uint8_t zeros[4096];
    snprintf(path, sizeof(path), "%s%s", crash.copy, u->path + strlen(crash.dir));
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY, 0);
    for (size_t done = 0; fd >= 0 && done < u->size; done += sizeof(zeros)) {
        size_t part = MIN(sizeof(zeros), u->size - done);
        if (syscall(SYS_pwrite64, fd, zeros, part, u->at + (off_t)done) < 0) abort();
    }
    if (fd >= 0) close(fd);
}

/* Inside the disk's gate: nothing else is written meanwhile. */
static void stop_here(void)
{
    char command[800];
    crash.fired = true;
    crash.then = crash.now;
    snprintf(command, sizeof(command), "cp -r '%s' '%s'", crash.dir, crash.copy);
    if (system(command) != 0) abort();
    for (size_t i = 0; i < crash.write_count; i++) lose(&crash.writes[i]);
}

static bool counted(void)
{
    return crash.mode != MODE_NONE && crash.countdown > 0 && --crash.countdown == 0;
}

static int on_sync(int fd)
{
    int rc = 0;
    pthread_mutex_lock(&disk);
    if (counted()) {
        if (crash.mode == MODE_FAIL) {
            crash.fired = true;
            errno = crash.error;
            rc = -1;
        } else {
            stop_here();
        }
    }
    note_sync(fd);
    pthread_mutex_unlock(&disk);
    return rc;
}

static bool write_fails(void)
{
    if (crash.mode != MODE_FAIL || !counted()) return false;
    crash.fired = true;
    errno = crash.error;
    return true;
}

int fdatasync(int fd)
{
    return on_sync(fd);
}

int fsync(int fd)
{
    return on_sync(fd);
}

ssize_t pwritev64(int fd, const struct iovec *parts, int count, off_t at)
{
    size_t size = 0;
    for (int i = 0; i < count; i++) size += parts[i].iov_len;
    pthread_mutex_lock(&disk);
    ssize_t n = write_fails() ? -1 : syscall(SYS_pwritev, fd, parts, count, at, 0L);
    int error = errno;
    if (n > 0) note_write(fd, at, size);
    pthread_mutex_unlock(&disk);
    errno = error;
    return n;
}

ssize_t pwrite64(int fd, const void *from, size_t size, off_t at)
{
    pthread_mutex_lock(&disk);
    ssize_t n = write_fails() ? -1 : syscall(SYS_pwrite64, fd, from, size, at);
    int error = errno;
    if (n > 0) note_write(fd, at, size);
    pthread_mutex_unlock(&disk);
    errno = error;
    return n;
}

int ftruncate64(int fd, off_t size)
{
    pthread_mutex_lock(&disk);
    int rc = (int)syscall(SYS_ftruncate, fd, size);
    int error = errno;
    pthread_mutex_unlock(&disk);
    errno = error;
    return rc;
}

int rename(const char *from, const char *to)
{
    pthread_mutex_lock(&disk);
    int rc = (int)syscall(SYS_rename, from, to);
    int error = errno;
    pthread_mutex_unlock(&disk);
    errno = error;
    return rc;
}

int mkdir(const char *path, mode_t mode)
{
    pthread_mutex_lock(&disk);
    int rc = (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);
    int error = errno;
    pthread_mutex_unlock(&disk);
    errno = error;
    return rc;
}

int open64(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    int mode = flags & O_CREAT ? va_arg(args, int) : 0;
    va_end(args);
    pthread_mutex_lock(&disk);
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
    int error = errno;
    pthread_mutex_unlock(&disk);
    errno = error;
    return fd;
}

/* --- a life ----------------------------------------------------------------------------------- */

static void tell(int txn, enum outcome o)
{
    pthread_mutex_lock(&disk);
    crash.now.outcome[txn] = o;
    pthread_mutex_unlock(&disk);
}

static err_t life_init(struct kit *k, struct who *w)
{
    err_t e = kit_init(k, w);
    if (e) return e;
    pthread_mutex_lock(&disk);
    if (w->pid == crash.now.pid) CHECK(w->epoch > crash.now.epoch);
    crash.now.pid = w->pid;
    crash.now.epoch = w->epoch;
    pthread_mutex_unlock(&disk);
    return ERR_OK;
}

static err_t life_spread(struct kit *k, struct who *w, int txn)
{
    err_t e = kit_add_offsets(k, w, TXN_ADD_IMPLICIT, "group");
    for (int i = 0; i < 2 * KIT_PARTITIONS && !e; i++) {
        const char *topic = i < KIT_PARTITIONS ? "a" : "b";
        e = kit_add(k, w, TXN_ADD_IMPLICIT, topic, i % KIT_PARTITIONS);
        if (!e) e = kit_put(k, w, topic, i % KIT_PARTITIONS, txn);
    }
    return e;
}

/* Transaction 1 aborts, 3 is left open and is aborted by the next one's beginning. */
static void life_run(struct kit *k, bool bump)
{
    struct who w = {.id = "x"};
    bool known = false;
    for (int txn = 0; txn < TXNS && !log_must_reopen(k->log); txn++) {
        if (!known && life_init(k, &w)) return;
        if (txn == 4) tell(3, crash.now.outcome[3] == UNKNOWN ? ABORTED : NOT_BEGUN);
        tell(txn, UNKNOWN);
        err_t e = life_spread(k, &w, txn);
        if (txn == 3) {
            known = false;
            continue;
        }
        if (!e) e = kit_end(k, &w, txn != 1, bump);
        if (!e) tell(txn, txn != 1 ? COMMITTED : ABORTED);
        known = !e;
    }
}

/* --- what is found ---------------------------------------------------------------------------- */

static void count_values(struct kit *k, int seen[TXNS])
{
    struct vec values = vec_make(sizeof(int64_t), 1000);
    for (int i = 0; i < 2 * KIT_PARTITIONS; i++) {
        const char *topic = i < KIT_PARTITIONS ? "a" : "b";
        struct log_partition *p = kit_partition(k, topic, i % KIT_PARTITIONS);
        CHECK_INT(log_stable_offset(p), log_end_offset(p)); /* nothing hangs */
        kit_read(k, topic, i % KIT_PARTITIONS, &values);
    }
    for (size_t i = 0; i < values.count; i++) {
        int64_t txn = *(int64_t *)vec_at(&values, i);
        INVARIANT(txn >= 0 && txn < TXNS);
        seen[txn]++;
    }
    vec_done(&values);
}

static bool fits(enum outcome o, int seen)
{
    switch (o) {
    case COMMITTED: return seen == 2 * KIT_PARTITIONS;
    case UNKNOWN: return seen == 2 * KIT_PARTITIONS || seen == 0;
    default: return seen == 0;
    }
}

/* As clients do: CONCURRENT_TRANSACTIONS is asked again. A write that was under way when the life
 * ended may fail only now: what stops by that is opened again, as the server does. */
static err_t init_patiently(struct kit *k, struct who *w)
{
    err_t e = ERR_TXN_CONCURRENT;
    for (int i = 0; i < KIT_DEADLINE_MS / 20 && e == ERR_TXN_CONCURRENT; i++) {
        e = kit_init(k, w);
        if (e && log_must_reopen(k->log)) {
            kit_reopen(k);
            e = ERR_TXN_CONCURRENT;
        }
    }
    return e;
}

/* A new producer ends what is open; then all is read. */
static void life_check(struct kit *k, const struct told *told, const char *what, int step)
{
    struct who w = {.id = "x"};
    int seen[TXNS] = {0};
    CHECK_OK(init_patiently(k, &w), NULL);
    CHECK(w.pid != told->pid || w.epoch > told->epoch);
    CHECK_INT(kit_settled(k, "x"), TXN_EMPTY);
    count_values(k, seen);
    for (int txn = 0; txn < TXNS; txn++)
        if (!fits(told->outcome[txn], seen[txn]))
            test_failed(__FILE__, __LINE__, "%s at %d: transaction %d, told %d, is in %d places",
                        what, step, txn, told->outcome[txn], seen[txn]);
    err_t e = life_spread(k, &w, 0);
    if (!e) e = kit_end(k, &w, false, true);
    CHECK(!e || e == ERR_TXN_CONCURRENT); /* it goes on, if slowly */
}

static struct kit life_begin(enum crash_mode mode, int step, int error)
{
    struct kit k = kit_open_with((struct coord_options){.txn_wait_ms = mode == MODE_FAIL ? 20 : 0});
    static int copies;
    pthread_mutex_lock(&disk);
    memset(&crash.now, 0, sizeof(crash.now));
    crash.write_count = 0;
    crash.fired = false;
    crash.error = error;
    crash.countdown = step;
    crash.mode = mode;
    crash.now.pid = crash.now.epoch = -1;
    snprintf(crash.copy, sizeof(crash.copy), "%s/stopped-%d", test_dir(), ++copies);
    pthread_mutex_unlock(&disk);
    return k;
}

static bool life_end(void)
{
    pthread_mutex_lock(&disk);
    bool fired = crash.fired;
    crash.mode = MODE_NONE;
    pthread_mutex_unlock(&disk);
    return fired;
}

/* True when there was such a step. */
static bool stopped_at(enum crash_mode mode, int step, bool bump)
{
    struct kit k = life_begin(mode, step, 0);
    pthread_mutex_lock(&disk);
    crash.dir = k.dir;
    pthread_mutex_unlock(&disk);
    life_run(&k, bump);
    kit_stop(&k);
    bool fired = life_end();
    kit_run("rm -rf '%s'%s", k.dir, "");
    if (!fired) return false;
    snprintf(k.dir, sizeof(k.dir), "%s", crash.copy);
    kit_start(&k);
    life_check(&k, &crash.then, mode == MODE_KILL ? "killed" : "power cut", step);
    kit_stop(&k);
    kit_run("rm -rf '%s'%s", k.dir, "");
    return true;
}

TEST(a_transaction_is_whole_wherever_the_process_is_killed)
{
    int step = 1;
    while (stopped_at(MODE_KILL, step, step % 2)) step++;
    CHECK(step > 40); /* of the syncs there are, each once */
}

TEST(a_transaction_is_whole_wherever_the_power_is_cut)
{
    int step = 1;
    while (stopped_at(MODE_POWER, step, step % 2)) step++;
    CHECK(step > 40);
}

/* The call fails, the life goes on as far as it can; what stopped is opened again. */
static bool failed_at(int step, int error, bool bump)
{
    struct kit k = life_begin(MODE_FAIL, step, error);
    life_run(&k, bump);
    bool fired = life_end();
    struct told told = crash.now;
    life_check(&k, &told, error == EIO ? "i/o error" : "full disk", step);
    kit_reopen(&k);
    life_check(&k, &told, "opened again", step);
    kit_stop(&k);
    kit_run("rm -rf '%s'%s", k.dir, "");
    return fired;
}

TEST(a_transaction_is_whole_whatever_write_fails)
{
    int step = 1;
    while (failed_at(step, EIO, step % 2)) step++;
    CHECK(step > 60);
}

TEST(a_transaction_is_whole_when_the_disk_was_full_for_a_moment)
{
    int step = 1;
    while (failed_at(step, ENOSPC, step % 2)) step++;
    CHECK(step > 60);
}
