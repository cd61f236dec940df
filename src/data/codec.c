/* The four codecs of record batches, each bounded twice: by what the caller allows and by what the
 * bytes at hand could possibly open to, so that a length that lies costs nothing. */
#include "data/record_batch.h"

#include <lz4frame.h>
#include <pthread.h>
#include <snappy-c.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

static const char *const names[CODECS] = {"none", "gzip", "snappy", "lz4", "zstd"};

const char *codec_name(enum codec c)
{
    return (unsigned)c < CODECS ? names[c] : "unknown";
}

/* --- contexts: made once a thread, because making one costs more than opening a small batch -----
 */

struct contexts {
    ZSTD_DCtx *zstd_open;
    ZSTD_CCtx *zstd_pack;
    LZ4F_dctx *lz4_open;
};
static pthread_once_t contexts_once = PTHREAD_ONCE_INIT;
static pthread_key_t contexts_key;

static void contexts_free(void *at)
{
    struct contexts *c = at;
    ZSTD_freeDCtx(c->zstd_open);
    ZSTD_freeCCtx(c->zstd_pack);
    LZ4F_freeDecompressionContext(c->lz4_open);
    mem_give(c);
}

static void contexts_init(void)
{
    INVARIANT(pthread_key_create(&contexts_key, contexts_free) == 0);
}

static struct contexts *contexts_here(void)
{
    pthread_once(&contexts_once, contexts_init);
    struct contexts *c = pthread_getspecific(contexts_key);
    if (c) return c;
    c = mem_take(sizeof(*c));
    if (c && pthread_setspecific(contexts_key, c) != 0) {
        mem_give(c);
        return NULL;
    }
    return c;
}

/* --- room in the arena for what comes out -------------------------------------------------------
 */

struct opened {
    struct arena *arena;
    uint8_t *at;
    size_t len, cap, most;
};

/* `guess` bytes to begin with, never more than `most`. */
static err_t opened_init(struct opened *o, struct arena *a, size_t guess, size_t most)
{
    *o = (struct opened){.arena = a, .cap = MIN(guess, most), .most = most};
    o->at = arena_take_raw(a, o->cap + RECORD_PADDING);
    return o->at ? ERR_OK : ERR_NO_MEMORY;
}

static err_t opened_grow(struct opened *o)
{
    if (o->cap >= o->most) return ERR_TOO_BIG;
    size_t cap = MIN(MAX(o->cap * 2, KIB(4)), o->most);
    uint8_t *at = arena_resize(o->arena, o->at, o->cap + RECORD_PADDING, cap + RECORD_PADDING);
    if (!at) return ERR_NO_MEMORY;
    o->at = at;
    o->cap = cap;
    return ERR_OK;
}

/* Trims, pads with zeros, and hands out. */
static err_t opened_finish(struct opened *o, struct slice *out)
{
    o->at = arena_resize(o->arena, o->at, o->cap + RECORD_PADDING, o->len + RECORD_PADDING);
    memset(o->at + o->len, 0, RECORD_PADDING);
    *out = slice_make(o->at, o->len);
    return ERR_OK;
}

/* --- gzip ----------------------------------------------------------------------------------------
 */

enum { DEFLATE_RATIO_MAX = 1032, GZIP_WRAPPER = 15 + 16, GZIP_HEAD_AND_TAIL = 18 };

static void *zlib_take(void *ctx, unsigned items, unsigned size)
{
    (void)ctx;
    return mem_take_raw((size_t)items * size);
}

static void zlib_give(void *ctx, void *block)
{
    (void)ctx;
    mem_give(block);
}

static err_t inflate_members(z_stream *z, struct opened *o)
{
    for (;;) {
        z->next_out = o->at + o->len;
        z->avail_out = (uInt)(o->cap - o->len);
        int answer = inflate(z, Z_NO_FLUSH);
        o->len = o->cap - z->avail_out;
        if (answer == Z_STREAM_END) {
            if (z->avail_in == 0) return ERR_OK;
            if (inflateReset(z) != Z_OK) return ERR_MALFORMED; /* one more member follows */
        } else if (z->avail_out == 0 && (answer == Z_OK || answer == Z_BUF_ERROR)) {
            err_t e = opened_grow(o);
            if (e) return e;
        } else if (answer == Z_MEM_ERROR) {
            return ERR_NO_MEMORY;
        } else if (answer != Z_OK) {
            return ERR_MALFORMED;
        }
    }
}

static err_t gzip_open(struct slice in, size_t most, struct arena *a, struct slice *out)
{
    if (in.len < GZIP_HEAD_AND_TAIL) return ERR_MALFORMED;
    struct cursor tail = cursor_of(slice_make(in.at + in.len - 4, 4));
    /* The tail's size is only a guess: of the last member, modulo 2^32, and anybody can write it.
     */
    size_t told = (size_t)cursor_le(&tail, 4);
    size_t guess = MIN(told, (size_t)in.len * DEFLATE_RATIO_MAX);
    struct opened o;
    err_t e = opened_init(&o, a, guess + 1, most + 1); /* inflate ends with room to spare only */
    if (e) return e;
    z_stream z = {.zalloc = zlib_take, .zfree = zlib_give};
    z.next_in = (Bytef *)(uintptr_t)in.at;
    z.avail_in = in.len;
    if (inflateInit2(&z, GZIP_WRAPPER) != Z_OK) return ERR_NO_MEMORY;
    e = inflate_members(&z, &o);
    inflateEnd(&z);
    if (!e && o.len > most) e = ERR_TOO_BIG;
    return e ? e : opened_finish(&o, out);
}

static err_t gzip_pack(struct slice in, struct buf *out)
{
    z_stream z = {.zalloc = zlib_take, .zfree = zlib_give};
    if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_WRAPPER, 8, Z_DEFAULT_STRATEGY))
        return ERR_NO_MEMORY;
    size_t bound = deflateBound(&z, in.len);
    err_t e = ERR_OK;
    if (buf_reserve(out, bound)) {
        z.next_in = (Bytef *)(uintptr_t)in.at;
        z.avail_in = in.len;
        z.next_out = out->at + out->len;
        z.avail_out = (uInt)bound;
        if (deflate(&z, Z_FINISH) == Z_STREAM_END)
            out->len += bound - z.avail_out;
        else
            e = ERR_INTERNAL; /* deflateBound promised the room */
    }
    deflateEnd(&z);
    return e ? e : out->err;
}

/* --- snappy: one raw block, or the framing of xerial's Java library ------------------------------
 */

enum { SNAPPY_RATIO_MAX = 64, XERIAL_HEAD = 16, XERIAL_BLOCK = 32 << 10 };
static const uint8_t xerial_head[XERIAL_HEAD] = {0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0,
                                                 0,    0,   0,   1,   0,   0,   0,   1};
enum { XERIAL_MAGIC = 8 };

static bool is_xerial(struct slice in)
{
    return in.len >= XERIAL_HEAD && memcmp(in.at, xerial_head, XERIAL_MAGIC) == 0;
}

/* The next block of a framed stream; ERR_NOT_FOUND at its end. A stream may be two put together, so
 * a head can stand where a block's length would. */
static err_t xerial_next(struct cursor *c, struct slice *block)
{
    while (is_xerial(slice_make(c->at, cursor_left(c)))) c->at += XERIAL_HEAD;
    if (cursor_left(c) == 0) return ERR_NOT_FOUND;
    *block = cursor_slice(c, cursor_be(c, 4));
    return c->err ? ERR_MALFORMED : ERR_OK;
}

static err_t snappy_size(struct slice block, size_t *size)
{
    if (snappy_uncompressed_length((const char *)block.at, block.len, size) != SNAPPY_OK ||
        *size > (size_t)block.len * SNAPPY_RATIO_MAX)
        return ERR_MALFORMED;
    return ERR_OK;
}

static err_t snappy_append(struct opened *o, struct slice block)
{
    size_t size = o->cap - o->len;
    if (snappy_uncompress((const char *)block.at, block.len, (char *)o->at + o->len, &size) !=
        SNAPPY_OK)
        return ERR_MALFORMED;
    o->len += size;
    return ERR_OK;
}

static err_t snappy_open(struct slice in, size_t most, struct arena *a, struct slice *out)
{
    bool framed = is_xerial(in);
    struct cursor c = cursor_of(in);
    struct slice block = in;
    size_t total = 0, size = 0;
    err_t e = framed ? xerial_next(&c, &block) : ERR_OK;
    for (; e == ERR_OK; e = framed ? xerial_next(&c, &block) : ERR_NOT_FOUND) {
        if (snappy_size(block, &size)) return ERR_MALFORMED;
        total += size; /* at most 64 times what is there: no overflow */
        if (total > most) return ERR_TOO_BIG;
    }
    if (e != ERR_NOT_FOUND) return e;
    struct opened o;
    e = opened_init(&o, a, total, most);
    if (!framed && e == ERR_OK) e = snappy_append(&o, in);
    c = cursor_of(in);
    while (framed && e == ERR_OK && xerial_next(&c, &block) == ERR_OK) e = snappy_append(&o, block);
    return e ? e : opened_finish(&o, out);
}

static err_t snappy_pack(struct slice in, struct buf *out)
{
    buf_put(out, xerial_head, XERIAL_HEAD);
    for (uint32_t at = 0; at < in.len && !out->err; at += XERIAL_BLOCK) {
        uint32_t len = MIN((uint32_t)XERIAL_BLOCK, in.len - at);
        size_t size = snappy_max_compressed_length(len);
        if (!buf_reserve(out, 4 + size)) break;
        char *to = (char *)out->at + out->len + 4;
        if (snappy_compress((const char *)in.at + at, len, to, &size) != SNAPPY_OK)
            return ERR_INTERNAL;
        buf_be(out, size, 4);
        out->len += size;
    }
    return out->err;
}

/* --- lz4: standard frames ------------------------------------------------------------------------
 */

enum { LZ4_RATIO_MAX = 255 };

static err_t lz4_frames(LZ4F_dctx *d, struct slice in, struct opened *o)
{
    const uint8_t *at = in.at, *end = in.at + in.len;
    size_t hint = 1; /* 0: a frame has just ended */
    while (at < end || hint) {
        size_t room = o->cap - o->len, eaten = (size_t)(end - at);
        hint = LZ4F_decompress(d, o->at + o->len, &room, at, &eaten, NULL);
        if (LZ4F_isError(hint)) return ERR_MALFORMED;
        at += eaten;
        o->len += room;
        if (room || eaten || !hint) continue;
        if (o->len < o->cap) return ERR_MALFORMED; /* it wants more, and there is no more */
        err_t e = opened_grow(o);
        if (e) return e;
    }
    return ERR_OK;
}

static err_t lz4_open(struct slice in, size_t most, struct arena *a, struct slice *out)
{
    struct contexts *here = contexts_here();
    if (in.len == 0) return ERR_MALFORMED;
    if (here && !here->lz4_open &&
        LZ4F_isError(LZ4F_createDecompressionContext(&here->lz4_open, LZ4F_VERSION)))
        here->lz4_open = NULL;
    if (!here || !here->lz4_open) return ERR_NO_MEMORY;
    LZ4F_resetDecompressionContext(here->lz4_open);
    struct opened o;
    size_t possible = (size_t)in.len * LZ4_RATIO_MAX;
    err_t e = opened_init(&o, a, MIN(MAX((size_t)in.len * 4, KIB(4)), possible), most);
    if (e == ERR_OK) e = lz4_frames(here->lz4_open, in, &o);
    return e ? e : opened_finish(&o, out);
}

static err_t lz4_pack(struct slice in, struct buf *out)
{
    /* What Kafka's Java client writes: independent blocks of 64 KiB, no checksum, no size. */
    LZ4F_preferences_t how = {
        .frameInfo = {.blockSizeID = LZ4F_max64KB, .blockMode = LZ4F_blockIndependent}};
    size_t bound = LZ4F_compressFrameBound(in.len, &how);
    if (!buf_reserve(out, bound)) return out->err;
    size_t size = LZ4F_compressFrame(out->at + out->len, bound, in.at, in.len, &how);
    if (LZ4F_isError(size)) return ERR_NO_MEMORY; /* the bound holds: only memory can be missing */
    out->len += size;
    return ERR_OK;
}

/* --- zstd ----------------------------------------------------------------------------------------
 */

enum { ZSTD_RATIO_MAX = 1 << 16, ZSTD_LEVEL = 3 }; /* a run of 128 KiB takes four bytes */

static err_t zstd_open(struct slice in, size_t most, struct arena *a, struct slice *out)
{
    struct contexts *here = contexts_here();
    if (in.len == 0) return ERR_MALFORMED;
    if (here && !here->zstd_open) here->zstd_open = ZSTD_createDCtx();
    if (!here || !here->zstd_open) return ERR_NO_MEMORY;
    unsigned long long told = ZSTD_getFrameContentSize(in.at, in.len);
    if (told == ZSTD_CONTENTSIZE_ERROR) return ERR_MALFORMED;
    size_t guess = MAX((size_t)in.len * 8, KIB(4)); /* streams do not tell */
    if (told != ZSTD_CONTENTSIZE_UNKNOWN) {
        if (told > most) return ERR_TOO_BIG;
        guess = MIN((size_t)told, (size_t)in.len * ZSTD_RATIO_MAX);
    }
    struct opened o;
    err_t e = opened_init(&o, a, guess, most);
    while (e == ERR_OK) {
        size_t size = ZSTD_decompressDCtx(here->zstd_open, o.at, o.cap, in.at, in.len);
        if (!ZSTD_isError(size)) {
            o.len = size;
            return opened_finish(&o, out);
        }
        if (ZSTD_getErrorCode(size) != ZSTD_error_dstSize_tooSmall) return ERR_MALFORMED;
        e = opened_grow(&o); /* from the start again: at most as much work as the last try */
    }
    return e;
}

static err_t zstd_pack(struct slice in, struct buf *out)
{
    struct contexts *here = contexts_here();
    if (here && !here->zstd_pack) here->zstd_pack = ZSTD_createCCtx();
    if (!here || !here->zstd_pack) return ERR_NO_MEMORY;
    size_t bound = ZSTD_compressBound(in.len);
    if (!buf_reserve(out, bound)) return out->err;
    size_t size =
        ZSTD_compressCCtx(here->zstd_pack, out->at + out->len, bound, in.at, in.len, ZSTD_LEVEL);
    if (ZSTD_isError(size)) return ERR_NO_MEMORY;
    out->len += size;
    return ERR_OK;
}

/* --- all -----------------------------------------------------------------------------------------
 */

static err_t none_open(struct slice in, size_t most, struct arena *a, struct slice *out)
{
    (void)a;
    if (in.len > most) return ERR_TOO_BIG;
    *out = in;
    return ERR_OK;
}

static err_t none_pack(struct slice in, struct buf *out)
{
    buf_slice(out, in);
    return out->err;
}

static const struct {
    err_t (*open)(struct slice in, size_t most, struct arena *a, struct slice *out);
    err_t (*pack)(struct slice in, struct buf *out);
} codecs[CODECS] = {
    [CODEC_NONE] = {none_open, none_pack},       [CODEC_GZIP] = {gzip_open, gzip_pack},
    [CODEC_SNAPPY] = {snappy_open, snappy_pack}, [CODEC_LZ4] = {lz4_open, lz4_pack},
    [CODEC_ZSTD] = {zstd_open, zstd_pack},
};

err_t codec_open(enum codec c, struct slice in, size_t opened_max, struct arena *a,
                 struct slice *out)
{
    if ((unsigned)c >= CODECS) return ERR_MALFORMED;
    return codecs[c].open(in, MIN(opened_max, (size_t)RECORD_BATCH_OPENED_MAX), a, out);
}

err_t codec_pack(enum codec c, struct slice in, struct buf *out)
{
    if ((unsigned)c >= CODECS) return ERR_UNSUPPORTED;
    return codecs[c].pack(in, out);
}
