/* The model of the disk: an undo list for the bytes of each file since its last sync, and one for
 * the names in each directory since that was synced. A power cut walks them backwards. */
#include "fault_int.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_BUCKETS = 1024, SECTOR = 512 };

struct undo { /* one change of a file's bytes */
    off_t at, old_size;
    size_t size;    /* of what was written; 0: a change of size alone */
    uint8_t *old;   /* the bytes that were there … */
    size_t old_len; /* … as far as there were any */
};

struct file {
    struct file *next;
    dev_t dev;
    ino_t ino;
    int fd; /* ours, to read and put back */
    struct undo *undos;
    size_t count, cap;
};

enum name_kind { NAME_CREATED, NAME_RENAMED, NAME_UNLINKED, NAME_MADE_DIR, NAME_REMOVED_DIR };

struct name { /* one change of a directory */
    enum name_kind kind;
    char *path, *from; /* from: of a rename */
    char *stash;       /* a second link to what the name stood for before; NULL: nothing */
    bool synced, from_synced;
};

static struct {
    bool modelled;
    uint64_t seed;
    char stash[PATH_MAX];
    unsigned stashed;
    struct file *files[FILE_BUCKETS];
    struct name *names;
    size_t name_count, name_cap;
} disk;

static int (*real_open)(const char *, int, ...);
static int (*real_close)(int), (*real_rename)(const char *, const char *),
    (*real_unlink)(const char *);
static int (*real_link)(const char *, const char *), (*real_rmdir)(const char *),
    (*real_mkdir)(const char *, mode_t);
static int (*real_ftruncate)(int, off_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);

void disk_init(const char *dir, uint64_t seed, bool modelled)
{
    disk.modelled = modelled;
    disk.seed = seed;
    real_open = fault_real("open");
    real_close = fault_real("close");
    real_rename = fault_real("rename");
    real_unlink = fault_real("unlink");
    real_link = fault_real("link");
    real_rmdir = fault_real("rmdir");
    real_mkdir = fault_real("mkdir");
    real_ftruncate = fault_real("ftruncate");
    real_pwrite = fault_real("pwrite");
    if (!modelled) return;
    snprintf(disk.stash, sizeof(disk.stash), "%s.stash", dir);
    (void)real_mkdir(disk.stash, 0700);
}

bool disk_is_modelled(void)
{
    return disk.modelled;
}

static void *grown(void *list, size_t count, size_t *cap, size_t size)
{
    if (count < *cap) return list;
    *cap = *cap ? *cap * 2 : 16;
    void *bigger = realloc(list, *cap * size);
    if (!bigger) abort();
    return bigger;
}

static uint64_t next_random(void) /* splitmix64 */
{
    uint64_t z = (disk.seed += 0x9e3779b97f4a7c15u);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* --- bytes ------------------------------------------------------------------------------------ */

static struct file *file_of(int fd, const char *path)
{
    struct stat st;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) return NULL;
    struct file **bucket = &disk.files[(st.st_ino ^ st.st_dev) % FILE_BUCKETS];
    for (struct file *f = *bucket; f; f = f->next)
        if (f->ino == st.st_ino && f->dev == st.st_dev) return f;
    struct file *f = calloc(1, sizeof(*f));
    if (!f) abort();
    f->dev = st.st_dev;
    f->ino = st.st_ino;
    f->fd = real_open(path, O_RDWR | O_CLOEXEC);
    f->next = *bucket;
    *bucket = f;
    return f;
}

static void undo_add(struct file *f, off_t at, size_t size, off_t cut_to)
{
    struct stat st;
    if (!f || f->fd < 0 || fstat(f->fd, &st) != 0) return;
    f->undos = grown(f->undos, f->count, &f->cap, sizeof(*f->undos));
    struct undo u = {.at = at, .old_size = st.st_size, .size = size};
    off_t from = size ? at : cut_to, to = size ? at + (off_t)size : st.st_size;
    if (to > st.st_size) to = st.st_size;
    if (to > from) {
        u.at = from;
        u.old = malloc((size_t)(to - from));
        if (!u.old) abort();
        ssize_t n = pread(f->fd, u.old, (size_t)(to - from), from);
        u.old_len = n > 0 ? (size_t)n : 0;
    }
    f->undos[f->count++] = u;
}

static void forget_undos(struct file *f)
{
    for (size_t i = 0; i < f->count; i++) free(f->undos[i].old);
    f->count = 0;
}

void disk_before_write(int fd, const char *path, off_t at, size_t size)
{
    if (disk.modelled && size) undo_add(file_of(fd, path), at, size, 0);
}

void disk_before_resize(int fd, const char *path, off_t size)
{
    if (disk.modelled) undo_add(file_of(fd, path), size, 0, size);
}

void disk_before_truncating_open(const char *path)
{
    if (!disk.modelled) return;
    int fd = real_open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) return;
    undo_add(file_of(fd, path), 0, 0, 0);
    real_close(fd);
}

/* Ours is open as long as there is something to put back: a file whose name is gone can be put back
 * too. */
void disk_closed(int fd)
{
    struct stat st;
    if (!disk.modelled || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) return;
    for (struct file **at = &disk.files[(st.st_ino ^ st.st_dev) % FILE_BUCKETS]; *at;
         at = &(*at)->next) {
        struct file *f = *at;
        if (f->ino != st.st_ino || f->dev != st.st_dev) continue;
        if (f->count) return;
        *at = f->next;
        real_close(f->fd);
        free(f->undos);
        free(f);
        return;
    }
}

/* --- names ------------------------------------------------------------------------------------ */

static struct name *name_add(enum name_kind kind, const char *path, const char *from, char *stash)
{
    disk.names = grown(disk.names, disk.name_count, &disk.name_cap, sizeof(*disk.names));
    struct name *n = &disk.names[disk.name_count++];
    *n = (struct name){.kind = kind,
                       .path = strdup(path),
                       .from = from ? strdup(from) : NULL,
                       .stash = stash,
                       .from_synced = from == NULL};
    return n;
}

static bool is_in(const char *path, const char *dir)
{
    size_t n = strlen(dir);
    return strncmp(path, dir, n) == 0 && path[n] == '/' && !strchr(path + n + 1, '/');
}

static void dir_synced(const char *dir)
{
    size_t kept = 0;
    for (size_t i = 0; i < disk.name_count; i++) {
        struct name *n = &disk.names[i];
        n->synced |= is_in(n->path, dir);
        n->from_synced |= n->from && is_in(n->from, dir);
        if (!n->synced || !n->from_synced) {
            disk.names[kept++] = *n;
            continue;
        }
        if (n->stash) (void)real_unlink(n->stash);
        free(n->stash);
        free(n->path);
        free(n->from);
    }
    disk.name_count = kept;
}

void disk_synced(int fd, const char *path)
{
    struct stat st;
    if (!disk.modelled || fstat(fd, &st) != 0) return;
    if (S_ISDIR(st.st_mode)) {
        dir_synced(path);
        return;
    }
    struct file *f = file_of(fd, path);
    if (f) forget_undos(f);
}

void disk_opened(int fd, const char *path, bool created)
{
    (void)fd;
    if (disk.modelled && created) name_add(NAME_CREATED, path, NULL, NULL);
}

/* A second link to what stands at `path`, so that it can come back. */
static char *stash(const char *path)
{
    char *to = NULL;
    struct stat st;
    if (lstat(path, &st) != 0 || !S_ISREG(st.st_mode)) return NULL;
    if (asprintf(&to, "%s/%u", disk.stash, disk.stashed++) < 0) abort();
    if (real_link(path, to) == 0) return to;
    free(to);
    return NULL;
}

int disk_rename(const char *from, const char *to)
{
    char *old = disk.modelled ? stash(to) : NULL;
    int code = real_rename(from, to);
    if (code == 0 && disk.modelled) name_add(NAME_RENAMED, to, from, old);
    return code;
}

int disk_unlink(const char *path)
{
    char *old = disk.modelled ? stash(path) : NULL;
    int code = real_unlink(path);
    if (code == 0 && disk.modelled) name_add(NAME_UNLINKED, path, NULL, old);
    return code;
}

void disk_made_dir(const char *path)
{
    if (disk.modelled) name_add(NAME_MADE_DIR, path, NULL, NULL);
}
void disk_removed_dir(const char *path)
{
    if (disk.modelled) name_add(NAME_REMOVED_DIR, path, NULL, NULL);
}
void disk_linked(const char *path)
{
    if (disk.modelled) name_add(NAME_CREATED, path, NULL, NULL);
}

/* --- the cut ---------------------------------------------------------------------------------- */

static void put_back(struct file *f, const struct undo *u)
{
    if (u->old_len) (void)!real_pwrite(f->fd, u->old, u->old_len, u->at);
    (void)!real_ftruncate(f->fd, u->old_size);
}

/* The write at which the surviving beginning ends reached the disk in part: its first bytes did,
 * and where it changed bytes that were there, perhaps some of its sectors in no order at all. */
static void tear(struct file *f, const struct undo *u)
{
    if (u->size < 2) {
        put_back(f, u);
        return;
    }
    off_t reached = u->at + (off_t)(next_random() % u->size), end = u->at + (off_t)u->old_len;
    bool scattered = next_random() % 2;
    for (off_t at = scattered ? u->at : reached; at < end;) {
        off_t next = (at / SECTOR + 1) * SECTOR < end ? (at / SECTOR + 1) * SECTOR : end;
        if (!scattered || next_random() % 2)
            (void)!real_pwrite(f->fd, u->old + (at - u->at), (size_t)(next - at), at);
        at = next;
    }
    off_t size = scattered ? u->old_size : reached;
    (void)!real_ftruncate(f->fd, size > u->old_size ? size : u->old_size);
}

static void cut_file(struct file *f)
{
    size_t keep = disk.seed ? next_random() % (f->count + 1) : 0;
    bool torn = disk.seed && keep < f->count && next_random() % 2;
    for (size_t i = f->count; i > keep + torn; i--) put_back(f, &f->undos[i - 1]);
    if (torn) tear(f, &f->undos[keep]);
}

static void remove_tree(const char *path)
{
    DIR *d = opendir(path);
    for (const struct dirent *e; d && (e = readdir(d));) {
        char inner[PATH_MAX];
        struct stat st;
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
        if (snprintf(inner, sizeof(inner), "%s/%s", path, e->d_name) >= (int)sizeof(inner) ||
            lstat(inner, &st) != 0)
            continue;
        if (S_ISDIR(st.st_mode))
            remove_tree(inner);
        else
            (void)real_unlink(inner);
    }
    if (d) closedir(d);
    (void)real_rmdir(path);
}

static void undo_name(const struct name *n)
{
    switch (n->kind) {
    case NAME_CREATED: (void)real_unlink(n->path); break;
    case NAME_RENAMED: (void)real_rename(n->path, n->from); break;
    case NAME_UNLINKED: break;
    case NAME_MADE_DIR: remove_tree(n->path); break;
    case NAME_REMOVED_DIR: (void)real_mkdir(n->path, 0700); break;
    }
    if (n->stash) (void)real_rename(n->stash, n->path);
}

void disk_power_cut(void)
{
    for (size_t b = 0; b < FILE_BUCKETS; b++)
        for (struct file *f = disk.files[b]; f; f = f->next)
            if (f->fd >= 0) cut_file(f);
    /* Names survive as a beginning of all that happened: a journal's order, as file systems keep
     * it. */
    size_t keep = disk.seed ? next_random() % (disk.name_count + 1) : 0;
    for (size_t i = disk.name_count; i > keep; i--) undo_name(&disk.names[i - 1]);
    remove_tree(disk.stash);
}
