/* os/file: files and directories, each failure told with its path.
 *
 * Thin on purpose: short reads and writes and EINTR are handled here, durability is the caller's
 * decision. The fault kit interposes below this, at the C library, so that RocksDB and SQLite meet
 * the same faults.
 */
#pragma once
#include "base/vec.h"

enum file_mode {
    FILE_READ,
    FILE_WRITE /* create, read and write */,
    FILE_APPEND,
    FILE_NEW /* fails when it exists */
};

MUST_CHECK err_t file_open(const char *path, enum file_mode mode, int *fd, struct diag *d);
void file_close(int fd);
MUST_CHECK err_t file_pread(int fd, void *to, size_t size, uint64_t at, size_t *got,
                            struct diag *d); /* *got < size at the end of the file */
MUST_CHECK err_t file_pwrite(int fd, const void *from, size_t size, uint64_t at, struct diag *d);
struct iovec;
MUST_CHECK err_t file_pwritev(int fd, struct iovec *parts, int count, uint64_t at,
                              struct diag *d);      /* may change `parts` */
MUST_CHECK err_t file_sync(int fd, struct diag *d); /* fdatasync */
/* Lets the disk begin with these bytes, so that the sync which follows has less to wait for. A
 * hint: it says nothing about what is durable, and what goes wrong is that sync's to tell. */
void file_sync_begin(int fd, uint64_t at, size_t size);
/* For who writes at a file's end and syncs each time: where the next write goes to the end, zeros
 * are written behind it, as many as the file has bytes, within these bounds. The sync that follows
 * takes them along, and those after it find nothing to change but the bytes. A hint, as above; not
 * for descriptors that append. */
void file_zero_ahead(int fd, uint64_t least, uint64_t most);
MUST_CHECK err_t file_truncate(int fd, uint64_t size, struct diag *d);
/* Reserves the space; the size stays as it is. Fine where the file system can not. */
MUST_CHECK err_t file_preallocate(int fd, uint64_t size, struct diag *d);
MUST_CHECK err_t file_size(int fd, uint64_t *size, struct diag *d);
MUST_CHECK err_t file_rename(const char *from, const char *to, struct diag *d);
MUST_CHECK err_t file_remove(const char *path, struct diag *d); /* fine when absent */
bool file_exists(const char *path);
/* What changes when a file does: cheap to ask again and again. ERR_NOT_FOUND: none such. */
struct file_stamp {
    uint64_t size, inode;
    int64_t changed_ns;
};
MUST_CHECK err_t file_stamp(const char *path, struct file_stamp *out, struct diag *d);
MUST_CHECK err_t dir_make(const char *path,
                          struct diag *d); /* with parents; fine when there; synced */
/* One directory inside one that is there; fine when it exists. Its name is durable after dir_sync
 * of that one: for many at a time. */
MUST_CHECK err_t dir_make_in(const char *path, struct diag *d);
MUST_CHECK err_t dir_sync(const char *path,
                          struct diag *d); /* makes creations, renames, removals durable */
bool dir_exists(const char *path);         /* and is one, or leads to one */
MUST_CHECK err_t dir_remove_all(const char *path, struct diag *d);
/* Calls `each` for every entry but "." and "..", in name order; stops at the first error. */
MUST_CHECK err_t dir_list(const char *path, err_t (*each)(void *ctx, const char *name), void *ctx,
                          struct diag *d);
/* The whole file in mem_ memory, NUL-terminated; ERR_TOO_BIG past `limit`. Caller owns. */
MUST_CHECK err_t file_load(const char *path, size_t limit, struct slice *out, struct diag *d);
/* Writes beside, syncs, renames, syncs the directory: after a crash the old or the new, whole. */
MUST_CHECK err_t file_store(const char *path, struct slice content, struct diag *d);
/* The same in the place of a file that is there and somebody else's work: its mode and owner stay,
 * a link to it stays one. ERR_FORBIDDEN: it is write-protected. */
MUST_CHECK err_t file_rewrite(const char *path, struct slice content, struct diag *d);
/* The same for the owner's eyes only. */
MUST_CHECK err_t file_store_secret(const char *path, struct slice content, struct diag *d);
/* Makes an empty file, or finds it: readable and writable by its owner alone from now on. */
MUST_CHECK err_t file_own(const char *path, struct diag *d);
/* An exclusive advisory lock held until the process ends. ERR_IN_USE names the holder's pid in why.
 */
MUST_CHECK err_t file_lock(const char *path, int *fd, struct diag *d);
MUST_CHECK err_t disk_free(const char *path, uint64_t *free_bytes, uint64_t *total_bytes,
                           struct diag *d);
