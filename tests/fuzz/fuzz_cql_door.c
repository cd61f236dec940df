/* How the CQL door makes messages out of bytes (input.c): the same bytes, however the network cuts
 * them, are the same messages. The first byte is version, compression and whether checksums are
 * made to fit; the second seeds the cuts. What input.c asks of the rest of the door is answered
 * here. */
#include "fuzz.h"

#include "../../src/door/cql/input.c" /* NOLINT: the file itself, beside fakes of its neighbours */
#include "../../src/door/frames.c"    /* NOLINT: the pieces of frames, as they are */

static struct cql_door door;
static struct shard shard;
static uint64_t seen; /* a hash of what was begun and answered, in its order */

static void see(const char *what, const void *bytes, size_t len)
{
    uint64_t parts[2] = {hash64(slice_of(what), seen), hash64(slice_make(bytes, len), 7)};
    seen = hash64(slice_make(parts, sizeof(parts)), 1);
}

void cql_link_call(struct link *l, const struct native_head *h, struct slice body,
                   struct gather *frame)
{
    uint8_t sum = 0;
    (void)l;
    for (uint32_t i = 0; i < body.len; i++) sum ^= body.at[i]; /* all of it can be read */
    if ((uint32_t)h->length != body.len) abort();
    uint8_t head[NATIVE_HEAD_SIZE];
    native_head_write(head, h);
    see("call", head, sizeof(head));
    see("body", body.at, body.len);
    if (frame && sum & 1) { /* some calls keep the memory */
        mem_give(frame->at);
        *frame = (struct gather){0};
    }
}

void answer_error(struct link *l, uint8_t version, int16_t stream, int32_t code, const char *words,
                  ...)
{
    (void)l, (void)version, (void)words;
    see("error", &stream, sizeof(stream));
    see("code", &code, sizeof(code));
}

void cql_link_close(struct link *l, const char *why)
{
    if (!l->its.closing) see("close", why, strlen(why));
    l->its.closing = true;
}

void cql_link_set_input(struct link *l)
{
    (void)l;
}
void cql_links_wake(struct shard *s)
{
    (void)s;
}
bool shard_has_room(const struct shard *s, uint32_t size)
{
    (void)s, (void)size;
    return true;
}
void out_flush(struct shard *s)
{
    (void)s;
}
void conn_deadline(struct conn *c, int64_t delay_ms)
{
    (void)c, (void)delay_ms;
}
size_t conn_queued(const struct conn *c)
{
    (void)c;
    return 0;
}
void conn_write(struct conn *c, struct slice bytes)
{
    (void)c;
    see("write", bytes.at, bytes.len);
}
/* No loop is there that would give kept buffers back, so none is kept. */
err_t loop_timer_new(struct loop *l, int64_t delay_ms, int64_t repeat_ms, void (*fn)(void *),
                     void *arg, struct loop_timer **out)
{
    (void)l, (void)delay_ms, (void)repeat_ms, (void)fn, (void)arg, (void)out;
    return ERR_NO_MEMORY;
}
void loop_timer_set(struct loop_timer *t, int64_t delay_ms)
{
    (void)t, (void)delay_ms;
}
void loop_timer_free(struct loop_timer *t)
{
    (void)t;
}
static uint32_t crc24_of(const uint8_t *at, uint32_t len)
{
    uint32_t crc = 0x875060;
    for (uint32_t i = 0; i < 8 * len; i++) {
        if (i % 8 == 0) crc ^= (uint32_t)at[i / 8] << 16;
        crc = crc << 1 ^ (crc & 0x800000 ? 0x1974f0b : 0);
    }
    return crc & 0xffffff;
}

/* Segments get the checksums that fit, so that mutations meet the code behind them. */
static void seal(uint8_t *at, size_t size, enum native_compression c)
{
    uint32_t head = native_segment_head_size(c);
    while (size >= head) {
        uint32_t len = (uint32_t)(at[0] | at[1] << 8 | at[2] << 16) & NATIVE_SEGMENT_MAX;
        uint32_t crc = crc24_of(at, head - 3);
        for (int i = 0; i < 3; i++) at[head - 3 + (uint32_t)i] = (uint8_t)(crc >> 8 * i);
        if (size - head < (size_t)len + NATIVE_SEGMENT_TAIL) return;
        native_segment_tail_put(at + head + len,
                                native_crc(native_crc_begin(), slice_make(at + head, len)));
        at += head + len + NATIVE_SEGMENT_TAIL;
        size -= head + len + NATIVE_SEGMENT_TAIL;
    }
}

/* As os/net does it: what is not taken comes again with what follows. */
static uint64_t feed(const uint8_t *bytes, size_t size, struct link start, struct rng *cuts)
{
    struct link l = start;
    uint8_t *kept = mem_take(size + 1);
    size_t have = 0, at = 0;
    seen = 0;
    while (at < size && !l.its.closing) {
        size_t n = cuts ? 1 + rng_below(cuts, 1 + rng_below(cuts, 5000)) : size, room = 0;
        n = MIN(n, size - at);
        uint8_t *in_place = cuts && have == 0 ? input_room(&l, &room) : NULL;
        if (in_place) {
            n = MIN(n, room);
            memcpy(in_place, bytes + at, n);
            if (input_data(&l, slice_make(in_place, n)) != n) abort();
            at += n;
            continue;
        }
        memcpy(kept + have, bytes + at, n);
        have += n;
        at += n;
        uint8_t *exact = fuzz_copy(kept, have, 0);
        size_t took = input_data(&l, slice_make(exact, have));
        mem_give(exact);
        if (took > have) abort();
        memmove(kept, kept + took, have - took);
        have -= took;
    }
    input_end(&l);
    if (shard.reserved != 0) abort();
    mem_give(kept);
    return seen;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (size < 2) return 0;
    struct link l = {.shard = &shard, .stage = STAGE_READY, .version = (uint8_t)(3 + bytes[0] % 3)};
    struct rng cuts = rng_make(bytes[1]);
    if (!(bytes[0] & 64) && l.version < 5) size = MIN(size, (size_t)LOGIN_BYTES_MAX);
    uint8_t *copy = fuzz_copy(bytes + 2, size - 2, 0);
    shard.door = &door;
    shard.bytes_max = 1 << 30;
    door.options.frame_max = 64 << 10;
    l.segmented = l.version == 5;
    l.compression = l.segmented && bytes[0] & 64 ? NATIVE_LZ4 : NATIVE_PLAIN;
    if (l.segmented && bytes[0] & 128) seal(copy, size - 2, l.compression);
    if (!l.segmented &&
        !(bytes[0] & 64)) { /* before STARTUP; what is longer ends it, sooner or later */
        l.stage = STAGE_NEW;
        l.version = 0;
    }
    uint64_t whole = feed(copy, size - 2, l, NULL);
    for (int i = 0; i < 3; i++)
        if (feed(copy, size - 2, l, &cuts) != whole) abort();
    mem_give(copy);
    return 0;
}
