/* What an earlier keeper left: DIR/ends, a list of the wire's own messages. Who ran when it was
 * killed is ended, session and all, and found as lost. */
#include "os/keeper_serve.h"

#include "os/clock.h"
#include "os/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { PAST_MAX = 64 << 20, BOOT_ID = 64, STAT_MAX = 1024, WAIT_TURNS = 200, WAIT_US = 10000 };

static void path_of(const struct keeping *k, const char *name, char *out, size_t cap)
{
    (void)snprintf(out, cap, "%s/%s", k->dir, name);
}

static void boot_id(char out[BOOT_ID])
{
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, out, BOOT_ID - 1);
    if (fd >= 0) close(fd);
    out[n > 0 ? n : 0] = 0;
}

/* A field of /proc/PID/stat, from the third on: behind the name, which may hold anything. "": there
 * is no such process. */
static const char *stat_field(int pid, int which, char text[STAT_MAX])
{
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%d/stat", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, text, STAT_MAX - 1);
    if (fd >= 0) close(fd);
    text[n > 0 ? n : 0] = 0;
    const char *at = strrchr(text, ')');
    for (int field = 2; at && field < which; field++) at = strchr(at + 1, ' ');
    return at ? at + 1 : "";
}

static bool lives_in(int pid, int session)
{
    char room[STAT_MAX];
    return atoi(stat_field(pid, 6, room)) == session && *stat_field(pid, 3, room) != 'Z';
}

uint64_t past_born(int pid)
{
    char room[STAT_MAX];
    return strtoull(stat_field(pid, 22, room), NULL, 10);
}

/* Kills the session's processes; how many there were. Its number is nobody else's: the kernel gives
 * no pid away that is still a session's, and who leads it now was born when the command was. */
static int kill_session(int session, uint64_t born)
{
    int count = 0;
    uint64_t leader = past_born(session);
    if (leader && leader != born) return 0;
    DIR *all = opendir("/proc");
    struct dirent *entry;
    while (all && (entry = readdir(all))) {
        int pid = atoi(entry->d_name);
        if (pid > 1 && lives_in(pid, session) && kill(pid, SIGKILL) == 0) count++;
    }
    if (all) closedir(all);
    return count;
}

static void end_what_is_left(struct keeper_work *w, bool same_boot)
{
    for (int turn = 0; same_boot && w->end.pid > 1 && turn < WAIT_TURNS; turn++) {
        if (kill_session(w->end.pid, w->end.born) == 0) break;
        usleep(WAIT_US);
    }
    w->end.running = false;
    w->end.lost = true;
    w->end.exit_code = 128 + SIGKILL;
    w->end.ended_us = clock_wall_us();
}

static err_t keep_one(struct keeping *k, const struct keeper_end *end)
{
    struct keeper_work *w = work_find(k, end->id);
    bool known = w != NULL;
    if (!known) w = mem_take(sizeof *w);
    if (!known && w && !(w->id = mem_text(end->id))) {
        mem_give(w);
        w = NULL;
    }
    if (!w) return ERR_NO_MEMORY;
    w->end = *end;
    w->end.id = slice_make(w->id, end->id.len);
    if (known) buf_done(&w->last); /* an end follows the beginning that was noted before it */
    w->last = buf_make(KEEPER_LINE_MAX);
    buf_slice(&w->last, end->last_line);
    w->end.last_line = buf_view(&w->last);
    w->log = w->output.fd = w->input.fd = -1;
    w->ended = w->over = true;
    err_t e = known ? ERR_OK : vec_push(&k->works, &w);
    if (e) work_free(k, w);
    return e;
}

static err_t read_all(struct keeping *k, struct slice text, bool *same_boot, bool *whole)
{
    char boot[BOOT_ID];
    size_t used = 0;
    enum keeper_says what;
    struct cursor body;
    bool bad;
    err_t e = ERR_OK;
    boot_id(boot);
    while (!e && keeper_take(text, &used, &what, &body, &bad)) {
        if (what == KEEPER_KNOWN) *same_boot = slice_is(keeper_text(&body), boot);
        if (what == KEEPER_FOUND) {
            struct keeper_end end = keeper_read_end(&body);
            if (!body.err) e = keep_one(k, &end);
        }
        struct keeper_work *w = what == KEEPER_FORGET ? work_find(k, keeper_text(&body)) : NULL;
        for (size_t i = 0; w && i < k->works.count; i++) {
            if (*(struct keeper_work **)vec_at(&k->works, i) != w) continue;
            vec_remove(&k->works, i);
            work_free(k, w);
            break;
        }
    }
    *whole = used == text.len;
    return e; /* a torn last message was being written when all was killed: it says nothing */
}

static void put_boot(struct buf *out)
{
    char boot[BOOT_ID];
    boot_id(boot);
    size_t at = keeper_begin(out, KEEPER_KNOWN);
    keeper_put_text(out, slice_of(boot));
    keeper_finish(out, at);
}

/* What is there is good: a start that has nothing to change waits for no disk. */
static err_t go_on(struct keeping *k, uint64_t size, struct diag *d)
{
    char path[4200];
    struct buf out = buf_make(KIB(1));
    path_of(k, "ends", path, sizeof path);
    k->ends = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (!size) put_boot(&out);
    bool written = k->ends >= 0 && !out.err && write(k->ends, out.at, out.len) == (ssize_t)out.len;
    k->ends_size = size + out.len;
    buf_done(&out);
    return written ? ERR_OK : diag_errno(d, errno, "%s can not be written", path);
}

err_t past_rewrite(struct keeping *k, struct diag *d)
{
    char path[4200];
    struct buf out = buf_make(PAST_MAX);
    put_boot(&out);
    for (size_t i = 0; i < k->works.count; i++)
        keeper_put_end(&out, KEEPER_FOUND, &(*(struct keeper_work **)vec_at(&k->works, i))->end);
    path_of(k, "ends", path, sizeof path);
    err_t e = out.err ? diag_fail(d, out.err, "%s grows too large", path)
                      : file_store(path, buf_view(&out), d);
    k->ends_size = out.len;
    buf_done(&out);
    if (e) return e;
    if (k->ends >= 0) close(k->ends);
    k->ends = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    return k->ends >= 0 ? ERR_OK : diag_errno(d, errno, "%s can not be written", path);
}

err_t past_load(struct keeping *k, struct diag *d)
{
    char path[4200];
    struct slice text = {0};
    bool same_boot = false, whole = false, changed = false;
    k->ends = -1;
    path_of(k, "ends", path, sizeof path);
    err_t e = file_exists(path) ? file_load(path, PAST_MAX, &text, d) : ERR_OK;
    if (!e) e = read_all(k, text, &same_boot, &whole);
    uint64_t size = text.len;
    mem_give((void *)(uintptr_t)text.at);
    for (size_t i = 0; i < k->works.count && !e; i++) {
        struct keeper_work *w = *(struct keeper_work **)vec_at(&k->works, i);
        if (w->end.running) changed = true, end_what_is_left(w, same_boot);
    }
    if (e) return e;
    bool good = !size || (same_boot && whole && !changed && size <= ENDS_MAX);
    return good ? go_on(k, size, d) : past_rewrite(k, d);
}
