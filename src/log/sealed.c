#include "log/log_int.h"

enum { SEALED_HEAD = 8 + 4 + 4 + 4 }; /* kind, version, crc of the body, its length */

static err_t sealed_damaged(const char *path, const char *why, struct diag *d)
{
    diag_fail(d, ERR_CORRUPT, "%s is damaged", path);
    diag_why(d, "%s", why);
    return ERR_CORRUPT;
}

static err_t sealed_check(const char *path, const char *kind, uint32_t version_known,
                          struct sealed *out, struct diag *d)
{
    struct cursor c = cursor_of(out->file);
    struct slice found = cursor_slice(&c, 8);
    if (c.err || !slice_is(found, kind)) return sealed_damaged(path, "it is another file", d);
    out->version = (uint32_t)cursor_be(&c, 4);
    uint32_t crc = (uint32_t)cursor_be(&c, 4);
    uint64_t length = cursor_be(&c, 4);
    if (!c.err && out->version > version_known) {
        diag_fail(d, ERR_VERSION, "%s was written by a newer Sluice", path);
        diag_why(d, "its format is %u, this program knows up to %u", out->version, version_known);
        diag_hint(d, "start the newer version, or restore a backup made by this one");
        return ERR_VERSION;
    }
    if (c.err || length != cursor_left(&c)) return sealed_damaged(path, "its length is wrong", d);
    if (crc32c(0, c.at, length) != crc) return sealed_damaged(path, "its checksum is wrong", d);
    out->body = c;
    return ERR_OK;
}

err_t sealed_load(const char *path, const char *kind, uint32_t version_known, struct sealed *out,
                  struct diag *d)
{
    *out = (struct sealed){0};
    if (!file_exists(path)) return diag_fail(d, ERR_NOT_FOUND, "%s is not there", path);
    err_t e = file_load(path, SEALED_MAX + SEALED_HEAD, &out->file, d);
    if (e) return e;
    e = sealed_check(path, kind, version_known, out, d);
    if (e) sealed_done(out);
    return e;
}

void sealed_done(struct sealed *s)
{
    mem_give((void *)s->file.at);
    *s = (struct sealed){0};
}

err_t sealed_store(const char *path, const char *kind, uint32_t version, const struct buf *body,
                   struct diag *d)
{
    if (body->err) return diag_fail(d, body->err, "%s can not be written", path);
    struct buf file = buf_make(SEALED_MAX + SEALED_HEAD);
    buf_put(&file, kind, 8);
    buf_be(&file, version, 4);
    buf_be(&file, crc32c(0, body->at, body->len), 4);
    buf_be(&file, body->len, 4);
    buf_put(&file, body->at, body->len);
    err_t e = file.err ? diag_fail(d, file.err, "%s can not be written", path)
                       : file_store(path, buf_view(&file), d);
    buf_done(&file);
    return e;
}
