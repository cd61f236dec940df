#include "sched/worklog.h"

#include "base/calendar.h"
#include "os/file.h"
#include "sched/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_BYTES = 4096, FOLDERS_DEEP = 6 };

void worklog_path(struct buf *out, const char *logs_dir, const struct work_key *k)
{
    buf_printf(out, "%s/dag_id=%.*s/run_id=%.*s/task_id=%.*s/", logs_dir, SLICE_ARG(k->dag_id),
               SLICE_ARG(k->run_id), SLICE_ARG(k->task_id));
    if (k->map_index >= 0) buf_printf(out, "map_index=%d/", k->map_index);
    buf_printf(out, "attempt=%d.log", k->try_number);
}

/* --- writing ----------------------------------------------------------------------------------
 */

/* The folders above the file, outermost first, as far as they are missing: not synced, since a log
 * is no promise. */
static err_t make_folders(const char *path, struct diag *d)
{
    char folder[PATH_BYTES];
    size_t ends[FOLDERS_DEEP];
    int count = 0;
    if (!slice_to_cstr(slice_of(path), folder, sizeof(folder)))
        return diag_fail(d, ERR_TOO_BIG, "the path of a log is too long");
    for (char *end = strrchr(folder, '/'); end && end > folder && count < FOLDERS_DEEP;
         end = strrchr(folder, '/')) {
        *end = 0;
        if (file_exists(folder)) break;
        ends[count++] = (size_t)(end - folder);
    }
    while (count-- > 0) {
        (void)slice_to_cstr(slice_make(path, ends[count]), folder, sizeof(folder));
        err_t e = dir_make_in(folder, d);
        if (e) return e;
    }
    return ERR_OK;
}

static err_t open_end(const char *path, int *fd, struct diag *d)
{
    err_t e = file_open(path, FILE_APPEND, fd, d);
    if (e != ERR_NOT_FOUND) return e;
    e = make_folders(path, d);
    return e ? e : file_open(path, FILE_APPEND, fd, d);
}

static void put_time(struct buf *out, int64_t us)
{
    int64_t days = calendar_floor(us, 86400 * INT64_C(1000000));
    int64_t ms = (us - days * 86400 * INT64_C(1000000)) / 1000;
    struct calendar_day day = calendar_of(days);
    buf_printf(out, "[%04d-%02d-%02dT%02d:%02d:%02d.%03d+0000]", (int)day.year, day.month, day.day,
               (int)(ms / 3600000), (int)(ms / 60000 % 60), (int)(ms / 1000 % 60),
               (int)(ms % 1000));
}

static err_t put_end(const char *path, struct slice text, struct diag *d)
{
    int fd = -1;
    err_t e = open_end(path, &fd, d);
    for (size_t at = 0; !e && at < text.len;) {
        ssize_t n = write(fd, text.at + at, text.len - at);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) e = diag_errno(d, n < 0 ? errno : EIO, "%s can not be written", path);
        if (n > 0) at += (size_t)n;
    }
    if (fd >= 0) file_close(fd);
    return e;
}

err_t worklog_line(const char *path, int64_t now_us, const char *who, const char *level,
                   struct slice text, const struct mask *mask, struct diag *d)
{
    struct buf line = buf_make(2 * WORKLOG_LINE_MAX);
    text.len = MIN(text.len, (uint32_t)WORKLOG_LINE_MAX);
    put_time(&line, now_us);
    buf_printf(&line, " {%s} %s - ", who, level);
    if (mask)
        mask_put(mask, text, &line);
    else
        buf_slice(&line, text);
    buf_char(&line, '\n');
    err_t e = line.err ? diag_fail(d, line.err, "a line of a log does not fit in memory")
                       : put_end(path, buf_view(&line), d);
    buf_done(&line);
    return e;
}

err_t worklog_break(const char *path, struct diag *d)
{
    int fd = -1;
    uint64_t size = 0;
    size_t got = 0;
    char last = '\n';
    err_t e = file_open(path, FILE_READ, &fd, d);
    if (e == ERR_NOT_FOUND) return ERR_OK;
    if (!e) e = file_size(fd, &size, d);
    if (!e && size) e = file_pread(fd, &last, 1, size - 1, &got, d);
    if (fd >= 0) file_close(fd);
    return e || last == '\n' ? e : put_end(path, SLICE("\n"), d);
}

/* --- reading ----------------------------------------------------------------------------------
 */

/* How many of these bytes end with a whole character: a log grows while it is read. */
static size_t whole_characters(const uint8_t *at, size_t len)
{
    size_t back = 0;
    while (back < 3 && back < len && (at[len - 1 - back] & 0xC0) == 0x80) back++;
    if (back >= len) return len;
    uint8_t first = at[len - 1 - back];
    size_t wants = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : first >= 0xC0 ? 2 : 1;
    return wants > back + 1 && len > back + 1 ? len - back - 1 : len;
}

err_t worklog_read(const char *path, uint64_t from, size_t most, struct buf *out, uint64_t *next,
                   uint64_t *size, struct diag *d)
{
    int fd = -1;
    size_t got = 0;
    most = MIN(most, (size_t)WORKLOG_READ_MAX);
    err_t e = file_open(path, FILE_READ, &fd, d);
    if (!e) e = file_size(fd, size, d);
    from = e ? from : MIN(from, *size);
    *next = from;
    uint64_t want = e ? 0 : MIN(*size - from, (uint64_t)most);
    uint8_t *to = want ? buf_grow(out, (size_t)want) : NULL;
    if (!e && want && !to) e = diag_fail(d, ERR_NO_MEMORY, "no memory for a part of a log");
    if (!e && want) e = file_pread(fd, to, (size_t)want, from, &got, d);
    if (to) {
        size_t whole = e ? 0 : from + got < *size ? whole_characters(to, got) : got;
        out->len -= (size_t)want - whole;
        *next = from + whole;
    }
    if (fd >= 0) file_close(fd);
    return e;
}

/* --- removal ----------------------------------------------------------------------------------
 */

struct expiry {
    int64_t before_us;
    bool (*stopping)(void *ctx);
    void *ctx;
    uint64_t removed;
    const char *folder;
    int depth;
    uint32_t left; /* entries that stay in this folder */
    struct diag *d;
};

static err_t expire_folder(struct expiry *x, const char *folder);

static err_t expire_entry(void *ctx, const char *name)
{
    struct expiry *x = ctx;
    char path[PATH_BYTES];
    struct stat st;
    if (x->stopping && x->stopping(x->ctx)) return ERR_STOPPED;
    int n = snprintf(path, sizeof(path), "%s/%s", x->folder, name);
    x->left++;
    if (n < 0 || (size_t)n >= sizeof(path) || lstat(path, &st) != 0) return ERR_OK;
    if (S_ISDIR(st.st_mode) && x->depth < FOLDERS_DEEP) {
        struct expiry in = *x;
        in.depth++;
        in.left = 0;
        err_t e = expire_folder(&in, path);
        x->removed = in.removed;
        /* a folder that a try was just about to write into stays: rmdir refuses it when it does */
        if (!e && in.left == 0 && st.st_mtim.tv_sec * INT64_C(1000000) < x->before_us &&
            rmdir(path) == 0)
            x->left--;
        return e;
    }
    int64_t written_us = st.st_mtim.tv_sec * INT64_C(1000000) + st.st_mtim.tv_nsec / 1000;
    if (!S_ISREG(st.st_mode) || written_us >= x->before_us) return ERR_OK;
    err_t e = file_remove(path, x->d);
    if (e) return e;
    x->left--;
    x->removed++;
    return ERR_OK;
}

static err_t expire_folder(struct expiry *x, const char *folder)
{
    x->folder = folder;
    return dir_list(folder, expire_entry, x, x->d);
}

err_t worklog_expire(const char *logs_dir, int64_t before_us, bool (*stopping)(void *ctx),
                     void *ctx, uint64_t *removed, struct diag *d)
{
    struct expiry x = {.before_us = before_us, .stopping = stopping, .ctx = ctx, .d = d};
    err_t e = expire_folder(&x, logs_dir);
    *removed = x.removed;
    return e == ERR_STOPPED ? ERR_OK : e;
}
