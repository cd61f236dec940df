/* The application's files: a document for every page's path, the rest by name. Compressed by the
 * build; what a peer takes is what it gets. */
#include "door/console/assets.h"
#include "door/console/console_int.h"

#include "base/say.h"

#include <stdio.h>
#include <zlib.h>

enum { PLAIN_MAX = 16 << 20 };

static const struct asset *asset_find(struct slice path)
{
    for (uint32_t i = 0; i < console_asset_count; i++)
        if (slice_is(path, console_assets[i].path)) return &console_assets[i];
    return NULL;
}

/* "gzip, br;q=0.5": is `coding` among it, and not with q=0? (RFC 9110, 12.5.3) */
bool assets_takes(struct slice accepted, const char *coding)
{
    while (accepted.len) {
        const uint8_t *comma = memchr(accepted.at, ',', accepted.len);
        size_t n = comma ? (size_t)(comma - accepted.at) : accepted.len;
        struct slice one = slice_trim(slice_make(accepted.at, n)), q = {0};
        const uint8_t *semi = one.len ? memchr(one.at, ';', one.len) : NULL;
        if (semi) {
            q = slice_trim(slice_make(semi + 1, one.len - (size_t)(semi - one.at) - 1));
            one = slice_trim(slice_make(one.at, (size_t)(semi - one.at)));
        }
        if (slice_equal_nocase(one, slice_of(coding))) {
            bool none = slice_starts(q, "q=0");
            for (uint32_t i = 3; i < q.len; i++) none = none && (q.at[i] == '0' || q.at[i] == '.');
            return !none;
        }
        accepted = comma ? slice_make(comma + 1, accepted.len - n - 1) : (struct slice){0};
    }
    return false;
}

/* If-None-Match: one of the tags, weak or not, or "*". */
static bool has_it(const struct http_request *r, const struct asset *a)
{
    struct slice tags = http_header(r, "if-none-match");
    size_t len = strlen(a->tag);
    for (uint32_t i = 0; i + len <= tags.len; i++)
        if (memcmp(tags.at + i, a->tag, len) == 0) return true;
    return slice_is(slice_trim(tags), "*");
}

static err_t unpack(const struct asset *a, struct buf *out)
{
    z_stream z = {.next_in = (Bytef *)(uintptr_t)a->gzip.at, .avail_in = a->gzip.len};
    uint8_t *to = buf_grow(out, a->bytes);
    if (!to || inflateInit2(&z, 15 + 16) != Z_OK) return ERR_NO_MEMORY;
    z.next_out = to;
    z.avail_out = a->bytes;
    int done = inflate(&z, Z_FINISH);
    (void)inflateEnd(&z);
    INVARIANT(done == Z_STREAM_END && z.avail_out == 0); /* it is a part of this program */
    return ERR_OK;
}

static void send_asset(struct http_request *r, const struct asset *a)
{
    struct slice accepted = http_header(r, "accept-encoding");
    struct buf plain = buf_make(PLAIN_MAX);
    console_headers(r, true);
    http_reply_header(r, "ETag", a->tag);
    http_reply_header(r, "Vary", a->forever ? "Accept-Encoding" : "Accept-Encoding, Cookie");
    http_reply_header(r, "Cache-Control",
                      a->forever ? "public, max-age=31536000, immutable" : "no-cache");
    if (has_it(r, a)) {
        http_reply(r, 304, NULL, (struct slice){0});
    } else if (assets_takes(accepted, "br")) {
        http_reply_header(r, "Content-Encoding", "br");
        http_reply(r, 200, a->type, slice_make(a->brotli.at, a->brotli.len));
    } else if (assets_takes(accepted, "gzip")) {
        http_reply_header(r, "Content-Encoding", "gzip");
        http_reply(r, 200, a->type, slice_make(a->gzip.at, a->gzip.len));
    } else if (unpack(a, &plain)) {
        http_reply_text(r, 503, "no memory\n");
    } else {
        http_reply(r, 200, a->type, buf_view(&plain));
    }
    buf_done(&plain);
}

/* The document of a page's path: for who is logged in the page's own, else the login's. */
static const struct asset *document_of(struct console *c, struct http_request *r, struct slice path)
{
    char name[64];
    struct user u;
    const struct asset *other = asset_find(SLICE("/pages/other.html")), *own = NULL;
    if (console_session_of(c, r, &u)) return asset_find(SLICE("/index.html"));
    struct slice page = slice_make(path.at + 1, path.len - 1);
    const uint8_t *end = page.len ? memchr(page.at, '/', page.len) : NULL;
    if (end) page.len = (uint32_t)(end - page.at);
    if (!page.len) page = SLICE("home");
    int n = snprintf(name, sizeof(name), "/pages/%.*s.html", SLICE_ARG(page));
    if (n > 0 && (size_t)n < sizeof(name)) own = asset_find(slice_of(name));
    return own ? own : other;
}

void assets_answer(const struct console_entry *at, struct http_request *r)
{
    struct slice path = http_path(r);
    const struct asset *a = asset_find(path);
    bool named = slice_starts(path, "/assets/");
    if (slice_is(path, "/") && at->page) {
        http_reply_header(r, "Location", at->page);
        console_headers(r, true);
        http_reply_text(r, 302, "%s\n", at->page);
        return;
    }
    if (!a && !named) a = document_of(at->console, r, path);
    if (a) {
        send_asset(r, a);
        return;
    }
    console_headers(r, true);
    if (console_asset_count)
        http_reply_text(r, 404, "no such file; after an upgrade, load the page anew\n");
    else
        http_reply_text(r, 200,
                        "Sluice's console: this program was built without its pages "
                        "(-Dconsole=false). Its API is at " CONSOLE_BASE ".\n");
}
