/* Every system call and every allocation of a small life is made to fail once, one after another:
 * whatever was acknowledged must be there, once and in order, when a producer goes on as producers
 * do (open again, send again). The calls are met by definitions of our own in this program, for all
 * of the room's tests: power cuts are the fault kit's matter, not this one's. */
#undef _FORTIFY_SOURCE /* its inline pread64 would stand where ours is defined */
#include "log/log_test_kit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <sys/uio.h>

struct fault fault;
static pthread_mutex_t fault_gate = PTHREAD_MUTEX_INITIALIZER;

static bool fault_here(void)
{
    pthread_mutex_lock(&fault_gate);
    bool now = (fault.countdown > 0 && --fault.countdown == 0) || (fault.sticky && fault.fired);
    if (now) {
        fault.fired = true;
        errno = fault.error;
    }
    pthread_mutex_unlock(&fault_gate);
    return now;
}

int fdatasync(int fd)
{
    (void)fd; /* the disk itself is not what is tested here */
    return fault_here() ? -1 : 0;
}

int fsync(int fd)
{
    (void)fd;
    return fault_here() ? -1 : 0;
}

ssize_t pwritev64(int fd, const struct iovec *parts, int count, off_t at)
{
    if (!fault_here()) return syscall(SYS_pwritev, fd, parts, count, at, 0L);
    int error = errno;
    size_t half = parts->iov_len / 2;
    if (fault.torn && syscall(SYS_pwrite64, fd, parts->iov_base, half, at) != (long)half) abort();
    errno = error;
    return -1;
}

ssize_t pwrite64(int fd, const void *from, size_t size, off_t at)
{
    return fault_here() ? -1 : syscall(SYS_pwrite64, fd, from, size, at);
}

ssize_t pread64(int fd, void *to, size_t size, off_t at)
{
    return fault_here() ? -1 : syscall(SYS_pread64, fd, to, size, at);
}

int ftruncate64(int fd, off_t size)
{
    return fault_here() ? -1 : (int)syscall(SYS_ftruncate, fd, size);
}

int rename(const char *from, const char *to)
{
    return fault_here() ? -1 : (int)syscall(SYS_rename, from, to);
}

int open64(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    int mode = va_arg(args, int);
    va_end(args);
    return fault_here() ? -1 : (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

enum { LIFE = 16, RECORDS = 2 };

struct life {
    struct log_options options;
    struct log *log;
    struct log_partition *p;
    struct buf batches[LIFE];
    int64_t at[LIFE + 1]; /* the offset each is to get */
    int failures;
};

void fault_lift(void)
{
    pthread_mutex_lock(&fault_gate);
    fault.countdown = 0;
    fault.sticky = false;
    pthread_mutex_unlock(&fault_gate);
    mem_fail_at(0);
}

/* Opens, and makes the topic if it is not there. */
static err_t life_begin(struct life *f)
{
    struct log_topic *t;
    struct log_topic_config c = log_topic_defaults();
    c.segment_bytes = 4000;
    err_t e = log_open(&f->options, 1, &f->log, NULL);
    if (e) return e;
    t = log_topic_find(f->log, SLICE("life"));
    if (!t) e = log_topic_create(f->log, SLICE("life"), 1, &c, &t, NULL);
    if (e) {
        log_close(f->log);
        f->log = NULL;
        return e;
    }
    f->p = log_partition(t, 0);
    return ERR_OK;
}

/* As a person would: it failed, the reason is gone, start again. */
static void life_again(struct life *f)
{
    struct diag d = {0};
    f->failures++;
    fault_lift();
    if (f->log) log_close(f->log);
    f->log = NULL;
    CHECK_OK(life_begin(f), &d);
    INVARIANT(f->log != NULL);
}

/* Four steps again and again: a batch, one in a transaction, a batch, the marker; the last
 * transaction stays open. */
enum step { PLAIN, IN_TXN, MARKER };
enum { PLAIN_ID = 77, TXN_ID = 90, TXNS = LIFE / 4 };

static enum step step_at(int i)
{
    if (i % 4 == 1) return IN_TXN;
    return i % 4 == 3 && i + 1 < LIFE ? MARKER : PLAIN;
}

static bool step_commits(int i)
{
    return i / 4 % 2 == 0;
}

static void life_prepare(struct life *f)
{
    int32_t sequences[MARKER] = {0};
    for (int i = 0; i < LIFE; i++) {
        enum step step = step_at(i);
        f->at[i + 1] = f->at[i] + (step == MARKER ? 1 : RECORDS);
        if (step == MARKER) {
            f->batches[i] = marker_make((struct marker_want){TXN_ID, 0, step_commits(i), 0});
            continue;
        }
        f->batches[i] =
            batch_make((struct batch_want){.count = RECORDS,
                                           .size = 700,
                                           .ms = i,
                                           .pid = step == IN_TXN ? TXN_ID : PLAIN_ID,
                                           .seq = sequences[step],
                                           .attributes = step == IN_TXN ? BATCH_TRANSACTIONAL : 0});
        sequences[step] += RECORDS;
    }
}

static err_t life_append(struct life *f, int i)
{
    int64_t end = log_end_offset(f->p), stable = log_stable_offset(f->p);
    struct append_over o = {.over = false};
    struct log_append a = {.partition = f->p,
                           .batches = f->batches[i].at,
                           .size = f->batches[i].len,
                           .done = append_is_over,
                           .arg = &o,
                           .marker = step_at(i) == MARKER};
    if (a.marker && end > f->at[i]) return ERR_OK; /* it got there, though nobody was told */
    if (step_at(i) == IN_TXN && log_txn_admit(f->p, TXN_ID, 0)) return ERR_NO_MEMORY;
    gate_init(&o.gate);
    log_append(f->log, &a, 1);
    gate_enter(&o.gate);
    while (!o.over) gate_wait(&o.gate);
    gate_leave(&o.gate);
    gate_done(&o.gate);
    if (!a.err) CHECK_INT(a.base_offset, f->at[i]);
    if (a.err) CHECK_INT(log_end_offset(f->p), end); /* nothing that failed is seen */
    if (a.err) CHECK_INT(log_stable_offset(f->p), stable);
    return a.err;
}

static void life_append_until_taken(struct life *f, int i)
{
    for (int tries = 0; tries < 3; tries++) {
        err_t e = life_append(f, i);
        if (!e) return;
        if (e == ERR_DISK_FULL) { /* the partition goes on by itself */
            fault_lift();
            f->failures++;
            if (life_append(f, i) == ERR_OK) return;
        }
        life_again(f);
    }
    test_failed(__FILE__, __LINE__, "append %d is not taken", i);
}

static void life_check(struct life *f)
{
    struct fixture reader = {.log = f->log, .p = f->p};
    struct log_producer state;
    struct vec aborted = vec_make(sizeof(struct log_aborted), LIFE);
    CHECK_INT(log_end_offset(f->p), f->at[LIFE]);
    CHECK_INT(log_stable_offset(f->p), f->at[LIFE - 3]);
    CHECK_INT(read_all(&reader, 0), f->at[LIFE]);
    CHECK_OK(log_producer_state(f->p, PLAIN_ID, &state), NULL);
    CHECK_INT(state.last_sequence, (LIFE / 2 + 1) * RECORDS - 1);
    CHECK_OK(log_aborted(f->p, 0, f->at[LIFE], &aborted, NULL), NULL);
    CHECK_INT(aborted.count, (TXNS - 1) / 2);
    for (size_t i = 0; i < aborted.count; i++) {
        const struct log_aborted *a = vec_at(&aborted, i);
        CHECK_INT(a->first_offset, f->at[4 * (2 * i + 1) + 1]);
        CHECK_INT(a->last_offset, f->at[4 * (2 * i + 1) + 3]);
    }
    vec_done(&aborted);
}

/* True while the fault met something. */
static bool life_live(const char *dir, int64_t nth, int error, bool sticky, bool allocation)
{
    struct life f = {.options = {.dir = dir}};
    struct buf got = buf_make(MIB(1));
    life_prepare(&f);
    buf_reserve(&got, KIB(64));
    fault.countdown = allocation ? 0 : nth;
    fault.error = error;
    fault.sticky = sticky;
    fault.torn = nth & 1;
    fault.fired = false;
    if (allocation) mem_fail_at((uint64_t)nth);
    uint64_t calls = mem_calls();
    if (life_begin(&f)) life_again(&f);
    for (int i = 0; i < LIFE; i++) {
        life_append_until_taken(&f, i);
        if (i % 8 == 7 && log_read(f.p, i, 2000, &got, NULL)) f.failures++;
        buf_reset(&got);
        if (i == LIFE / 2) {
            log_close(f.log);
            f.log = NULL;
            if (life_begin(&f)) life_again(&f);
        }
    }
    log_close(f.log);
    bool met = allocation ? mem_calls() - calls >= (uint64_t)nth : fault.fired;
    fault_lift();
    CHECK_OK(life_begin(&f), NULL);
    life_check(&f);
    log_close(f.log);
    for (int i = 0; i < LIFE; i++) buf_done(&f.batches[i]);
    buf_done(&got);
    CHECK_OK(dir_remove_all(dir, NULL), NULL);
    return met;
}

static void lives(int error, bool sticky, bool allocation, int step)
{
    char dir[600];
    int64_t nth = 1;
    say_to(-1);
    snprintf(dir, sizeof(dir), "%s/life", test_dir());
    while (life_live(dir, nth, error, sticky, allocation)) nth += step;
    CHECK(nth > 50); /* it did meet calls */
}

TEST(every_system_call_may_fail_once_and_nothing_acknowledged_is_lost)
{
    lives(EIO, false, false, 1);
}

TEST(a_disk_that_becomes_full_anywhere_loses_nothing_and_goes_on)
{
    lives(ENOSPC, false, false, 1);
    lives(ENOSPC, true, false, 3);
}

TEST(every_allocation_may_fail_once_and_nothing_acknowledged_is_lost)
{
    lives(0, false, true, 1);
}

TEST(a_full_disk_takes_back_half_a_batch_and_leaves_the_partition_going)
{
    struct fixture f = fixture_open("enospc");
    char path[1024];
    CHECK_INT(append_one(&f, (struct batch_want){.count = 1, .size = 500}), 0);
    fault.error = ENOSPC;
    fault.torn = true;
    fault.countdown = 1;
    CHECK_INT(append_one(&f, (struct batch_want){.count = 1, .size = 500}), -ERR_DISK_FULL);
    struct buf whole = file_bytes(fixture_path(&f, "00000000000000000000.log", path));
    CHECK_INT(whole.len, RECORD_BATCH_HEAD + 500);
    CHECK_INT(append_one(&f, (struct batch_want){.count = 1, .size = 500}), 1);
    CHECK_INT(read_all(&f, 0), 2);
    buf_done(&whole);
    fixture_close(&f);
}

TEST(a_failed_sync_stops_the_partition_until_it_is_opened_again)
{
    struct fixture f = fixture_open("eio");
    CHECK_INT(append_one(&f, (struct batch_want){.count = 1, .size = 500}), 0);
    fault.error = EIO;
    fault.countdown = 2; /* the write, then its sync */
    CHECK_INT(append_one(&f, (struct batch_want){.count = 1, .size = 500}), -ERR_IO);
    CHECK_INT(append_one(&f, (struct batch_want){.count = 1, .size = 500}), -ERR_IO);
    CHECK_INT(log_end_offset(f.p), 1);
    CHECK_INT(read_all(&f, 0), 1); /* readers go on */
    fixture_reopen(&f);
    CHECK_INT(log_end_offset(f.p), 1);
    CHECK_INT(append_one(&f, (struct batch_want){.count = 1, .size = 500}), 1);
    fixture_close(&f);
}
