/* Cassandra's native protocol, what clients and servers send: what is read is written again, and
 * reads as the same. The first byte picks: a request, a response, segments (plain and LZ4, sealed
 * with checksums that fit), a compressed body. */
#include "fuzz.h"
#include "wire/cql/cql.h"

static void die(const char *what, const struct diag *d)
{
    fprintf(stderr, "%s: %s\n", what, d->what);
    abort();
}

static struct slice body_of(const struct buf *b)
{
    return slice_make(b->at + NATIVE_HEAD_SIZE, b->len - NATIVE_HEAD_SIZE);
}

/* What was read is written; that is read and written once more, and then stays as it is. (The first
 * time an older version may be told less: a function becomes its keyspace, a failure a timeout.) */
static void request(struct native_head *h, struct slice body, struct arena *a)
{
    struct buf written[2] = {buf_make(16 << 20), buf_make(16 << 20)};
    struct native_request r;
    struct diag d;
    if (native_request_read(h, body, a, &r, &d) == ERR_OK) {
        for (int turn = 0; turn < 3; turn++) {
            struct buf *to = &written[turn % 2];
            buf_reset(to);
            if (native_request_put(to, h, &r, &d)) die("what was read is not written", &d);
            native_head_read(to->at, h);
            if (native_request_read(h, body_of(to), a, &r, &d))
                die("what was written is not read", &d);
        }
        if (!slice_equal(buf_view(&written[0]), buf_view(&written[1])))
            die("it became another", &d);
    }
    buf_done(&written[0]);
    buf_done(&written[1]);
}

static void response(struct native_head *h, struct slice body, struct arena *a)
{
    struct buf written[2] = {buf_make(16 << 20), buf_make(16 << 20)};
    struct native_response r;
    struct diag d;
    if (native_response_read(h, body, a, &r, &d) == ERR_OK) {
        (void)!native_rows_check(&r, &d);
        for (int turn = 0; turn < 3; turn++) {
            struct buf *to = &written[turn % 2];
            buf_reset(to);
            if (native_response_put(to, h, &r, &d)) die("what was read is not written", &d);
            native_head_read(to->at, h);
            if (native_response_read(h, body_of(to), a, &r, &d))
                die("what was written is not read", &d);
        }
        if (!slice_equal(buf_view(&written[0]), buf_view(&written[1])))
            die("it became another", &d);
    }
    buf_done(&written[0]);
    buf_done(&written[1]);
}

/* As they come, which the checksums mostly refuse; and a payload under checksums of its own. */
static void segments(struct slice in, enum native_compression c, struct arena *a)
{
    uint32_t head = native_segment_head_size(c), at = 0;
    struct native_segment s;
    struct slice payload;
    struct diag d;
    while (in.len - at >= head && !native_segment_read(in.at + at, c, &s, &d)) {
        if (in.len - at - head < s.size + NATIVE_SEGMENT_TAIL) break;
        uint8_t *room = arena_take_raw(a, s.whole + 1);
        if (native_segment_check(&s, in.at + at + head, room, &payload, &d)) break;
        at += head + s.size + NATIVE_SEGMENT_TAIL;
    }
    struct buf out = buf_make(32 << 20);
    uint32_t used = 0;
    if (native_segments_put(&out, in, c))
        die("bytes are not written as segments", &(struct diag){0});
    for (size_t from = 0; from < out.len; from += head + s.size + NATIVE_SEGMENT_TAIL) {
        if (native_segment_read(out.at + from, c, &s, &d)) die("head", &d);
        uint8_t *room = arena_take_raw(a, s.whole + 1);
        if (native_segment_check(&s, out.at + from + head, room, &payload, &d)) die("payload", &d);
        if (memcmp(payload.at, in.at + used, payload.len) != 0) abort();
        used += payload.len;
    }
    if (used != in.len) abort();
    buf_done(&out);
    s = (struct native_segment){.size = in.len, .whole = in.len % 1000, .packed = true};
    uint8_t *sealed = arena_take_raw(a, in.len + NATIVE_SEGMENT_TAIL),
            *room = arena_take_raw(a, 1001);
    memcpy(sealed, in.at, in.len);
    native_segment_tail_put(sealed + in.len, native_crc(native_crc_begin(), in));
    (void)!native_segment_check(&s, sealed, room, &payload, &d);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static struct arena *arena;
    if (!arena) arena = arena_new(64 << 20);
    if (size < 1 || size > NATIVE_SEGMENT_MAX) return 0;
    uint8_t *copy = fuzz_copy(bytes + 1, size - 1, 0);
    struct slice in = slice_make(copy, size - 1), out;
    struct native_head h;
    uint8_t pick = bytes[0] % 6;
    if (pick < 2 && in.len >= NATIVE_HEAD_SIZE) {
        native_head_read(in.at, &h);
        h.version = (uint8_t)(NATIVE_OLDEST + h.version % 3);
        struct slice body = slice_make(in.at + NATIVE_HEAD_SIZE, in.len - NATIVE_HEAD_SIZE);
        if (pick == 0 && native_opcode_is_request(h.opcode)) request(&h, body, arena);
        if (pick == 1) response(&h, body, arena);
    }
    if (pick == 2) segments(in, NATIVE_PLAIN, arena);
    if (pick == 3) segments(in, NATIVE_LZ4, arena);
    if (pick == 4) (void)!native_unpack(NATIVE_LZ4, in, 1 << 20, arena, &out, NULL);
    if (pick == 5) (void)!native_unpack(NATIVE_SNAPPY, in, 1 << 20, arena, &out, NULL);
    arena_reset(arena);
    mem_give(copy);
    return 0;
}
