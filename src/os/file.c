#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

enum { PATH_SIZE = 4096, FILE_MODE = 0640 };

static int open_again(const char *path, int flags)
{
    int fd;
    do fd = open(path, flags | O_CLOEXEC, FILE_MODE);
    while (fd < 0 && errno == EINTR);
    return fd;
}

err_t file_open(const char *path, enum file_mode mode, int *fd, struct diag *d)
{
    static const struct {
        int flags;
        const char *verb;
    } modes[] = {
        [FILE_READ] = {O_RDONLY, "read"},
        [FILE_WRITE] = {O_RDWR | O_CREAT, "opened for writing"},
        [FILE_APPEND] = {O_RDWR | O_CREAT | O_APPEND, "opened for appending"},
        [FILE_NEW] = {O_RDWR | O_CREAT | O_EXCL, "created"},
    };
    *fd = open_again(path, modes[mode].flags);
    if (*fd < 0) return diag_errno(d, errno, "%s can not be %s", path, modes[mode].verb);
    return ERR_OK;
}

void file_close(int fd)
{
    if (fd >= 0) close(fd);
}

/* Failures on a descriptor still name the file: the kernel knows its path. */
static err_t fd_failed(struct diag *d, int fd, int error, const char *verb, uint64_t size,
                       uint64_t at)
{
    char link[64], path[200];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof(path) - 1);
    if (n < 0) n = snprintf(path, sizeof(path), "descriptor %d", fd);
    path[n] = 0;
    return diag_errno(d, error, "%s of %llu bytes at %llu failed: %s", verb,
                      (unsigned long long)size, (unsigned long long)at, path);
}

err_t file_pread(int fd, void *to, size_t size, uint64_t at, size_t *got, struct diag *d)
{
    *got = 0;
    while (*got < size) {
        ssize_t n = pread(fd, (uint8_t *)to + *got, size - *got, (off_t)(at + *got));
        if (n == 0) break;
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fd_failed(d, fd, errno, "read", size, at);
        *got += (size_t)n;
    }
    return ERR_OK;
}

err_t file_pwrite(int fd, const void *from, size_t size, uint64_t at, struct diag *d)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = pwrite(fd, (const uint8_t *)from + done, size - done, (off_t)(at + done));
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return fd_failed(d, fd, n < 0 ? errno : ENOSPC, "write", size, at);
        done += (size_t)n;
    }
    return ERR_OK;
}

err_t file_pwritev(int fd, struct iovec *parts, int count, uint64_t at, struct diag *d)
{
    enum { IOV_ONCE = 1024 }; /* the kernel's limit */
    while (count > 0) {
        if (parts->iov_len == 0) {
            parts++, count--;
            continue;
        }
        ssize_t n = pwritev(fd, parts, MIN(count, (int)IOV_ONCE), (off_t)at);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return fd_failed(d, fd, n < 0 ? errno : ENOSPC, "write", parts->iov_len, at);
        at += (uint64_t)n;
        size_t left = (size_t)n;
        while (count > 0 && left >= parts->iov_len) {
            left -= parts->iov_len;
            parts++, count--;
        }
        if (left) {
            parts->iov_base = (uint8_t *)parts->iov_base + left;
            parts->iov_len -= left;
        }
    }
    return ERR_OK;
}

/* Never repeated after a failure: the kernel has dropped the dirty pages' error by then, and a
 * second fdatasync would answer yes for bytes that are lost. */
err_t file_sync(int fd, struct diag *d)
{
    return fdatasync(fd) == 0 ? ERR_OK : fd_failed(d, fd, errno, "sync", 0, 0);
}

void file_sync_begin(int fd, uint64_t at, size_t size)
{
    (void)sync_file_range(fd, (off64_t)at, (off64_t)size, SYNC_FILE_RANGE_WRITE);
}

void file_zero_ahead(int fd, uint64_t least, uint64_t most)
{
    static uint8_t zeros[64 << 10]; /* never written: no memory of its own */
    struct stat st;
    off_t at = lseek(fd, 0, SEEK_CUR);
    if (at <= 0 || fstat(fd, &st) != 0 || st.st_size > at || fcntl(fd, F_GETFL) & O_APPEND) return;
    uint64_t end = (uint64_t)at + MIN(MAX((uint64_t)at, least), most);
    for (uint64_t next = (uint64_t)at; next < end; next += sizeof(zeros))
        if (file_pwrite(fd, zeros, (size_t)MIN(sizeof(zeros), end - next), next, NULL)) return;
}

err_t file_truncate(int fd, uint64_t size, struct diag *d)
{
    int rc;
    do rc = ftruncate(fd, (off_t)size);
    while (rc < 0 && errno == EINTR);
    return rc == 0 ? ERR_OK : fd_failed(d, fd, errno, "truncation", 0, size);
}

err_t file_preallocate(int fd, uint64_t size, struct diag *d)
{
    int rc;
    do rc = fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)size);
    while (rc < 0 && errno == EINTR);
    if (rc == 0 || errno == EOPNOTSUPP)
        return ERR_OK; /* a file system without it writes as usual */
    return fd_failed(d, fd, errno, "reservation", size, 0);
}

err_t file_size(int fd, uint64_t *size, struct diag *d)
{
    struct stat st;
    if (fstat(fd, &st) != 0) return fd_failed(d, fd, errno, "size", 0, 0);
    *size = (uint64_t)st.st_size;
    return ERR_OK;
}

err_t file_rename(const char *from, const char *to, struct diag *d)
{
    if (rename(from, to) == 0) return ERR_OK;
    return diag_errno(d, errno, "%s can not be renamed to %s", from, to);
}

err_t file_remove(const char *path, struct diag *d)
{
    if (unlink(path) == 0 || errno == ENOENT) return ERR_OK;
    return diag_errno(d, errno, "%s can not be removed", path);
}

bool file_exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0;
}

err_t file_stamp(const char *path, struct file_stamp *out, struct diag *d)
{
    struct stat st;
    if (stat(path, &st) != 0) return diag_errno(d, errno, "%s can not be looked at", path);
    int64_t ns = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
    *out = (struct file_stamp){(uint64_t)st.st_size, (uint64_t)st.st_ino, ns};
    return ERR_OK;
}

err_t file_load(const char *path, size_t limit, struct slice *out, struct diag *d)
{
    limit = MIN(limit, (size_t)UINT32_MAX - 1);
    int fd = -1;
    size_t cap = 0, len = 0;
    uint8_t *bytes = NULL;
    uint64_t size;
    err_t e = file_open(path, FILE_READ, &fd, d);
    if (e) return e;
    if ((e = file_size(fd, &size, d))) goto out;
    cap = (size_t)MIN(size, (uint64_t)limit) + 2; /* one past the limit, and the NUL */
    if (size == 0) cap = KIB(4);                  /* /proc tells no size */
    for (;;) {
        uint8_t *grown = mem_resize(bytes, cap);
        e = grown ? ERR_OK : diag_fail(d, ERR_NO_MEMORY, "%s can not be loaded", path);
        if (e) goto out;
        bytes = grown;
        size_t got;
        if ((e = file_pread(fd, bytes + len, cap - 1 - len, len, &got, d))) goto out;
        len += got;
        if (len < cap - 1 || len > limit) break;
        cap = MIN(cap * 2, limit + 2);
    }
    if (len > limit) {
        diag_fail(d, ERR_TOO_BIG, "%s is larger than %zu bytes", path, limit);
        e = ERR_TOO_BIG;
        goto out;
    }
    bytes[len] = 0;
    *out = slice_make(bytes, len);
out:
    if (e) mem_give(bytes);
    file_close(fd);
    return e;
}

static err_t sync_parent(const char *path, struct diag *d)
{
    char parent[PATH_SIZE];
    const char *slash = strrchr(path, '/');
    if (!slash) return dir_sync(".", d);
    if (slash == path) return dir_sync("/", d);
    if (!slice_to_cstr(slice_make(path, (size_t)(slash - path)), parent, sizeof(parent)))
        return diag_errno(d, ENAMETOOLONG, "%s", path);
    return dir_sync(parent, d);
}

/* `was`: whose mode and owner it takes; NULL: nobody's. */
static err_t store(const char *path, struct slice content, mode_t mode, const struct stat *was,
                   struct diag *d)
{
    char beside[PATH_SIZE]; /* the same name each time: a crash leaves at most one behind */
    if (snprintf(beside, sizeof(beside), "%s.new", path) >= (int)sizeof(beside))
        return diag_errno(d, ENAMETOOLONG, "%s", path);
    int fd = open_again(beside, O_WRONLY | O_CREAT | O_TRUNC);
    if (fd < 0) return diag_errno(d, errno, "%s can not be written", beside);
    err_t e = mode == FILE_MODE || fchmod(fd, mode) == 0
                  ? ERR_OK
                  : diag_errno(d, errno, "%s can not be kept from others", beside);
    bool ours = !was || (was->st_uid == geteuid() && was->st_gid == getegid());
    if (!e && ((!ours && fchown(fd, was->st_uid, was->st_gid)) ||
               (was && fchmod(fd, was->st_mode & 07777))))
        e = diag_errno(d, errno, "%s can not be kept with its owner and mode", path);
    if (!e) e = file_pwrite(fd, content.at, content.len, 0, d);
    if (!e) e = file_sync(fd, d);
    file_close(fd);
    if (!e) e = file_rename(beside, path, d);
    if (e) {
        unlink(beside); /* the first failure is the story */
        return e;
    }
    return sync_parent(path, d);
}

err_t file_store(const char *path, struct slice content, struct diag *d)
{
    return store(path, content, FILE_MODE, NULL, d);
}

err_t file_store_secret(const char *path, struct slice content, struct diag *d)
{
    return store(path, content, 0600, NULL, d);
}

err_t file_rewrite(const char *path, struct slice content, struct diag *d)
{
    char real[PATH_MAX];
    struct stat was;
    if (!realpath(path, real) || stat(real, &was))
        return diag_errno(d, errno, "%s can not be replaced", path);
    if (!(was.st_mode & (S_IWUSR | S_IWGRP | S_IWOTH)) || access(real, W_OK)) {
        (void)diag_fail(d, ERR_FORBIDDEN, "%s is write-protected", path);
        return diag_hint(d, "chmod u+w, when that is what you want");
    }
    return store(real, content, FILE_MODE, &was, d);
}

/* One that is there is never opened: closing it would drop the locks that SQLite, elsewhere in this
 * process, holds on it. */
err_t file_own(const char *path, struct diag *d)
{
    int fd;
    do fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    while (fd < 0 && errno == EINTR);
    if (fd >= 0) {
        close(fd);
        return sync_parent(path, d);
    }
    struct stat st;
    if (errno != EEXIST) return diag_errno(d, errno, "%s can not be created", path);
    bool ours = stat(path, &st) == 0 && ((st.st_mode & 077) == 0 || chmod(path, 0600) == 0);
    return ours ? ERR_OK : diag_errno(d, errno, "%s can not be kept from others' eyes", path);
}

/* The lock is flock's: it belongs to the open file, so that a second try is refused in the same
 * process too, and it goes with the process however that ends. The pid inside is for the message.
 */
err_t file_lock(const char *path, int *fd, struct diag *d)
{
    char pid[32] = "", comm_path[64], comm[32] = "";
    err_t e = file_open(path, FILE_WRITE, fd, d);
    if (e) return e;
    size_t got = 0;
    if (flock(*fd, LOCK_EX | LOCK_NB) == 0) {
        int n = snprintf(pid, sizeof(pid), "%d\n", (int)getpid());
        e = file_truncate(*fd, 0, d);
        if (!e) e = file_pwrite(*fd, pid, (size_t)n, 0, d);
        if (!e) return ERR_OK;
    } else if (errno == EWOULDBLOCK) {
        (void)!file_pread(*fd, pid, sizeof(pid) - 1, 0, &got, NULL); /* who it is, if it says so */
        pid[strcspn(pid, "\n")] = 0;
        snprintf(comm_path, sizeof(comm_path), "/proc/%.16s/comm", pid);
        struct slice name = {0};
        if (pid[0] && file_load(comm_path, sizeof(comm) - 1, &name, NULL) == ERR_OK)
            slice_to_cstr(slice_trim(name), comm, sizeof(comm));
        mem_give((void *)name.at);
        diag_fail(d, e = ERR_IN_USE, "%s is locked", path);
        diag_why(d, "held by pid %s%s%s%s", pid[0] ? pid : "unknown", comm[0] ? " (" : "", comm,
                 comm[0] ? ")" : "");
    } else {
        e = diag_errno(d, errno, "%s can not be locked", path);
    }
    file_close(*fd);
    *fd = -1;
    return e;
}

err_t disk_free(const char *path, uint64_t *free_bytes, uint64_t *total_bytes, struct diag *d)
{
    struct statvfs st;
    if (statvfs(path, &st) != 0) return diag_errno(d, errno, "%s: free space is unknown", path);
    *free_bytes = (uint64_t)st.f_bavail * st.f_frsize;
    *total_bytes = (uint64_t)st.f_blocks * st.f_frsize;
    return ERR_OK;
}
