/* Snapshots: all data as of a moment, as a store of its own in DATA/snapshots/NAME. Its files are
 * links into the store's, so that it takes room only as the store moves on. */
#include "exec/upkeep_int.h"

#include "data/json.h"
#include "os/file.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

static bool name_fine(const char *name)
{
    size_t len = strlen(name);
    return len && len <= 128 && name[0] != '.' &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") == len;
}

static err_t path_of(const struct upkeep *u, const char *name, char out[PATH_MAX], struct diag *d)
{
    int n = snprintf(out, PATH_MAX, "%s/snapshots%s%s", u->data, *name ? "/" : "", name);
    if (n < 0 || n >= PATH_MAX)
        return diag_fail(d, ERR_TOO_BIG, "%s: the path is too long", u->data);
    return ERR_OK;
}

err_t upkeep_snapshot(struct upkeep *u, struct diag *d)
{
    char path[PATH_MAX];
    err_t e = path_of(u, "", path, d);
    if (!name_fine(u->name)) {
        (void)diag_fail(d, ERR_USAGE, "a snapshot can not be called '%s'", u->name);
        return diag_hint(d, "up to 128 letters, digits, '_', '-' and '.', not first");
    }
    if (!e) e = dir_make(path, d);
    if (!e) e = path_of(u, u->name, path, d);
    if (e) return e;
    if (file_exists(path)) {
        (void)diag_fail(d, ERR_EXISTS, "there is a snapshot %s", u->name);
        return diag_hint(d, "sluice tables clear-snapshot %s", u->name);
    }
    return store_checkpoint(u->world->store, path, d);
}

enum { DEPTH_MAX = 4 }; /* of a store's directories */

struct sizes {
    const char *dir;
    uint64_t bytes, own; /* own: what goes with the snapshot, since nobody else links it */
    int depth;
    struct diag *d;
};

static err_t add_file(void *ctx, const char *name)
{
    struct sizes *s = ctx;
    char path[PATH_MAX];
    struct stat st;
    int n = snprintf(path, sizeof(path), "%s/%s", s->dir, name);
    if (n < 0 || n >= PATH_MAX || lstat(path, &st)) return ERR_OK; /* it may go meanwhile */
    if (S_ISDIR(st.st_mode) && s->depth < DEPTH_MAX) {
        struct sizes below = {.dir = path, .depth = s->depth + 1, .d = s->d};
        err_t e = dir_list(path, add_file, &below, s->d);
        s->bytes += below.bytes;
        s->own += below.own;
        return e;
    }
    if (!S_ISREG(st.st_mode)) return ERR_OK;
    s->bytes += (uint64_t)st.st_size;
    if (st.st_nlink == 1) s->own += (uint64_t)st.st_size;
    return ERR_OK;
}

struct listing {
    struct upkeep *u;
    struct buf out;
    struct diag *d;
};

static err_t put_snapshot(void *ctx, const char *name)
{
    struct listing *l = ctx;
    char path[PATH_MAX];
    struct stat st;
    err_t e = path_of(l->u, name, path, l->d);
    if (e) return e;
    if (stat(path, &st) || !S_ISDIR(st.st_mode)) return ERR_OK;
    struct sizes s = {.dir = path, .d = l->d};
    e = dir_list(path, add_file, &s, l->d);
    if (e) return e;
    buf_text(&l->out, "{\"name\": ");
    json_put_text(&l->out, slice_of(name));
    buf_printf(&l->out,
               ", \"made_ms\": %" PRId64 ", \"bytes\": %" PRIu64 ", \"own_bytes\": %" PRIu64 "}\n",
               (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000, s.bytes, s.own);
    return upkeep_put(l->u, &l->out);
}

err_t upkeep_snapshots(struct upkeep *u, struct diag *d)
{
    char path[PATH_MAX];
    struct listing l = {.u = u, .out = buf_make(KIB(64)), .d = d};
    err_t e = path_of(u, "", path, d);
    if (!e && file_exists(path)) e = dir_list(path, put_snapshot, &l, d);
    buf_done(&l.out);
    return e;
}

err_t upkeep_clear(struct upkeep *u, struct diag *d)
{
    char path[PATH_MAX];
    if (u->name[0] && !name_fine(u->name))
        return diag_fail(d, ERR_USAGE, "no snapshot can be called '%s'", u->name);
    err_t e = path_of(u, u->name, path, d);
    if (e) return e;
    if (file_exists(path)) return dir_remove_all(path, d);
    if (!u->name[0]) return ERR_OK;
    (void)diag_fail(d, ERR_NOT_FOUND, "there is no snapshot %s", u->name);
    return diag_hint(d, "`sluice tables snapshots` lists them");
}
