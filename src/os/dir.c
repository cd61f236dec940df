/* Directories: the half of os/file.h that walks. */
#include "os/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_SIZE = 4096, DIR_MODE = 0750, DEPTH_MAX = 64, NAMES_MAX = 1 << 20 };

err_t dir_sync(const char *path, struct diag *d)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return diag_errno(d, errno, "directory %s can not be opened", path);
    err_t e = fsync(fd) == 0 ? ERR_OK : diag_errno(d, errno, "directory %s: sync failed", path);
    close(fd);
    return e;
}

static bool is_dir(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

err_t dir_make(const char *path, struct diag *d)
{
    char at[PATH_SIZE];
    if (!slice_to_cstr(slice_of(path), at, sizeof(at)) || !at[0])
        return diag_errno(d, at[0] ? ENAMETOOLONG : ENOENT, "directory '%s' can not be made", path);
    for (size_t i = 1;; i++) {
        if (at[i] && at[i] != '/') continue;
        char kept = at[i];
        at[i] = 0;
        if (mkdir(at, DIR_MODE) == 0) { /* make the new name durable in its parent */
            char *slash = strrchr(at, '/');
            const char *parent = !slash ? "." : slash == at ? "/" : at;
            if (slash && slash != at) *slash = 0;
            err_t e = dir_sync(parent, d);
            if (e) return e;
            if (slash && slash != at) *slash = '/';
        } else if (!is_dir(at)) {
            int error = errno == EEXIST ? ENOTDIR : errno;
            return diag_errno(d, error, "directory %s can not be made", at);
        }
        at[i] = kept;
        if (!kept) return ERR_OK;
    }
}

err_t dir_make_in(const char *path, struct diag *d)
{
    if (mkdir(path, DIR_MODE) == 0 || (errno == EEXIST && is_dir(path))) return ERR_OK;
    return diag_errno(d, errno, "directory %s can not be made", path);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* All names, copied into `arena`: the directory may change under the caller's hands meanwhile. */
static err_t names_of(DIR *dir, const char *path, struct arena *arena, struct vec *names,
                      struct diag *d)
{
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(dir);
        if (!entry && errno) return diag_errno(d, errno, "directory %s can not be read", path);
        if (!entry) break;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        char *name = arena_text(arena, slice_of(entry->d_name));
        if (!name || vec_push(names, &name))
            return diag_fail(d, ERR_TOO_BIG, "directory %s has too many entries", path);
    }
    if (names->count) qsort(names->items, names->count, sizeof(char *), by_name);
    return ERR_OK;
}

bool dir_exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

err_t dir_list(const char *path, err_t (*each)(void *ctx, const char *name), void *ctx,
               struct diag *d)
{
    DIR *dir = opendir(path);
    if (!dir) return diag_errno(d, errno, "directory %s can not be opened", path);
    struct arena *arena = arena_new(MIB(256));
    struct vec names = vec_make(sizeof(char *), NAMES_MAX);
    err_t e = arena ? names_of(dir, path, arena, &names, d)
                    : diag_fail(d, ERR_NO_MEMORY, "directory %s can not be read", path);
    closedir(dir);
    for (size_t i = 0; !e && i < names.count; i++) e = each(ctx, *(char **)vec_at(&names, i));
    vec_done(&names);
    arena_free(arena);
    return e;
}

static err_t remove_under(int parent, const char *name, const char *path, int depth,
                          struct diag *d);

/* Takes `fd`. */
static err_t empty_dir(int fd, const char *path, int depth, struct diag *d)
{
    DIR *dir = fdopendir(fd);
    if (!dir) {
        close(fd);
        return diag_errno(d, errno, "directory %s can not be read", path);
    }
    err_t e = ERR_OK;
    while (!e) {
        errno = 0;
        const struct dirent *entry = readdir(dir);
        if (!entry && errno) e = diag_errno(d, errno, "directory %s can not be read", path);
        if (!entry) break;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        e = remove_under(dirfd(dir), entry->d_name, path, depth + 1, d);
    }
    closedir(dir);
    return e;
}

/* By descriptor and name, and never through a symbolic link: nothing outside the tree is touched,
 * whatever someone swaps in meanwhile. */
static err_t remove_under(int parent, const char *name, const char *path, int depth, struct diag *d)
{
    if (depth > DEPTH_MAX)
        return diag_fail(d, ERR_TOO_DEEP, "directory %s is nested too deep to remove", path);
    if (unlinkat(parent, name, 0) == 0 || errno == ENOENT) return ERR_OK;
    if (errno != EISDIR && errno != EPERM)
        return diag_errno(d, errno, "%s can not be removed (in %s)", name, path);
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) return diag_errno(d, errno, "%s can not be removed (in %s)", name, path);
    err_t e = empty_dir(fd, path, depth, d);
    if (e) return e;
    if (unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT) return ERR_OK;
    return diag_errno(d, errno, "%s can not be removed (in %s)", name, path);
}

err_t dir_remove_all(const char *path, struct diag *d)
{
    return remove_under(AT_FDCWD, path, path, 0, d);
}
