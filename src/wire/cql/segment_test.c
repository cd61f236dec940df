/* Segments and compressed bodies against the bytes of the Python driver 3.30 (its SegmentCodec and
 * its compressors, written down). */
#include "test.h"
#include "wire/cql/cql_kit.h"

static struct slice open_one(struct slice in, enum native_compression c, uint32_t *used)
{
    struct native_segment s;
    struct slice payload = {0};
    struct diag d;
    uint32_t head = native_segment_head_size(c);
    CHECK_OK(native_segment_read(in.at, c, &s, &d), &d);
    uint8_t *room = arena_take(kit_arena(), NATIVE_SEGMENT_MAX);
    CHECK_OK(native_segment_check(&s, in.at + head, room, &payload, &d), &d);
    *used = head + s.size + NATIVE_SEGMENT_TAIL;
    return payload;
}

TEST(a_segment_is_the_drivers_without_compression)
{
    struct slice want = kit_bytes("0d0002cf07f768656c6c6f207365676d656e74787e381c");
    struct buf out = buf_make(KIB(1)), again = buf_make(KIB(1));
    uint32_t used;
    CHECK_SLICE(open_one(want, NATIVE_PLAIN, &used), "hello segment");
    CHECK_INT(used, want.len);
    CHECK_OK(native_segments_put(&out, SLICE("hello segment"), NATIVE_PLAIN), NULL);
    kit_same(&out, want);
    size_t begun = native_segment_begin(&again);
    buf_text(&again, "hello segment");
    CHECK_OK(native_segment_end(&again, begun, true), NULL);
    kit_same(&again, want);
    buf_done(&out);
    buf_done(&again);
    kit_done();
}

TEST(a_segment_is_the_drivers_with_lz4)
{
    uint8_t as[200];
    memset(as, 'a', sizeof(as));
    struct slice want = kit_bytes("0b009001040c756c1f610100af506161616161a26c1cad");
    struct slice small = kit_bytes("0d0000000420b69c68656c6c6f207365676d656e74787e381c");
    struct buf out = buf_make(KIB(1));
    uint32_t used;
    CHECK(slice_equal(open_one(want, NATIVE_LZ4, &used), slice_make(as, sizeof(as))));
    CHECK_INT(used, want.len);
    CHECK_SLICE(open_one(small, NATIVE_LZ4, &used), "hello segment");
    CHECK_OK(native_segments_put(&out, slice_make(as, sizeof(as)), NATIVE_LZ4), NULL);
    kit_same(&out, want);
    buf_reset(&out);
    CHECK_OK(native_segments_put(&out, SLICE("hello segment"), NATIVE_LZ4), NULL);
    kit_same(&out, small); /* not shorter: as it is */
    buf_done(&out);
    kit_done();
}

TEST(a_long_message_is_many_segments)
{
    enum { LEN = NATIVE_SEGMENT_MAX + 5 };
    uint8_t *bytes = mem_take_raw(LEN);
    struct buf out = buf_make(MIB(1));
    for (int i = 0; i < LEN; i++) bytes[i] = (uint8_t)(i * 7);
    CHECK_OK(native_segments_put(&out, slice_make(bytes, LEN), NATIVE_PLAIN), NULL);
    CHECK_INT(out.len, 131096);
    CHECK(slice_equal(slice_make(out.at, 12), kit_bytes("ffff013891fe00070e151c23")));
    CHECK(slice_equal(slice_make(out.at + out.len - 19, 19),
                      kit_bytes("f2b00a4c050000044823f900070e15233c09f5")));
    struct native_segment s;
    CHECK_OK(native_segment_read(out.at, NATIVE_PLAIN, &s, NULL), NULL);
    CHECK(!s.self_contained && !s.packed && s.size == NATIVE_SEGMENT_MAX);
    buf_reset(&out);
    CHECK_OK(native_segments_put(&out, slice_make(bytes, LEN), NATIVE_LZ4), NULL);
    struct slice in = buf_view(&out);
    uint32_t got = 0, used;
    while (in.len) {
        struct slice part = open_one(in, NATIVE_LZ4, &used);
        CHECK(memcmp(part.at, bytes + got, part.len) == 0);
        got += part.len;
        in = slice_make(in.at + used, in.len - used);
    }
    CHECK_INT(got, LEN);
    buf_done(&out);
    mem_give(bytes);
    kit_done();
}

TEST(every_bit_that_turns_is_noticed)
{
    struct slice good = kit_bytes("0b009001040c756c1f610100af506161616161a26c1cad");
    struct native_segment s;
    struct slice payload;
    uint8_t bad[32];
    uint8_t *room = arena_take(kit_arena(), NATIVE_SEGMENT_MAX);
    for (uint32_t bit = 0; bit < good.len * 8; bit++) {
        struct diag d = {0};
        memcpy(bad, good.at, good.len);
        bad[bit / 8] = (uint8_t)(bad[bit / 8] ^ 1 << bit % 8);
        err_t e = native_segment_read(bad, NATIVE_LZ4, &s, &d);
        if (!e) e = native_segment_check(&s, bad + NATIVE_SEGMENT_HEAD_LZ4, room, &payload, &d);
        CHECK_INT(e, ERR_CORRUPT);
        CHECK(strstr(d.what, bit < 64 ? "frame header" : "frame body"));
    }
    kit_done();
}

/* A checksum that fits, and LZ4 that does not become what the head says. */
TEST(a_payload_that_unpacks_to_another_length_is_refused)
{
    uint8_t as[200];
    struct buf out = buf_make(KIB(1));
    struct native_segment s;
    struct slice payload;
    uint8_t *room = arena_take(kit_arena(), NATIVE_SEGMENT_MAX);
    memset(as, 'a', sizeof(as));
    CHECK_OK(native_segments_put(&out, slice_make(as, sizeof(as)), NATIVE_LZ4), NULL);
    CHECK_OK(native_segment_read(out.at, NATIVE_LZ4, &s, NULL), NULL);
    for (int more = -1; more <= 1; more += 2) {
        struct native_segment lied = s;
        lied.whole = (uint32_t)((int)s.whole + more);
        CHECK_ERR(native_segment_check(&lied, out.at + 8, room, &payload, NULL), ERR_CORRUPT);
    }
    buf_done(&out);
    kit_done();
}

/* --- bodies of versions 3 and 4
 * -------------------------------------------------------------------- */

static void both_ways(const char *hex, enum native_compression c)
{
    struct message m = kit_message(hex);
    struct slice body;
    struct native_request r;
    struct diag d;
    struct buf out = buf_make(KIB(1));
    CHECK(m.head.flags & NATIVE_HEAD_COMPRESSED);
    CHECK_OK(native_unpack(c, m.body, 1000, kit_arena(), &body, &d), &d);
    CHECK_OK(native_request_read(&m.head, body, kit_arena(), &r, &d), &d);
    CHECK_INT(r.text.len, 107);
    CHECK_OK(native_pack(c, body, &out), NULL);
    kit_same(&out, m.body);
    CHECK_ERR(native_unpack(c, m.body, body.len - 1, kit_arena(), &body, &d), ERR_TOO_BIG);
    for (uint32_t cut = 0; cut < m.body.len; cut++)
        CHECK(native_unpack(c, slice_make(m.body.at, cut), 1000, kit_arena(), &body, &d));
    buf_done(&out);
}

TEST(bodies_are_packed_as_the_driver_packs_them)
{
    both_ways("0401000b070000001a00000072cf0000006b53454c454354206101004e506161000100", NATIVE_LZ4);
    both_ways("0401000b0700000018722c0000006b53454c4543542061fe01008a010008000100", NATIVE_SNAPPY);
    kit_done();
}

TEST(a_body_that_promises_too_much_takes_nothing)
{
    struct slice out;
    size_t before = arena_used(kit_arena());
    /* 2 GiB - 1 of ten bytes; a negative size; an empty body */
    CHECK_ERR(native_unpack(NATIVE_LZ4, kit_bytes("7fffffff1f610100af50"), UINT32_MAX, kit_arena(),
                            &out, NULL),
              ERR_PROTOCOL);
    CHECK_ERR(
        native_unpack(NATIVE_LZ4, kit_bytes("ffffffff1f61"), UINT32_MAX, kit_arena(), &out, NULL),
        ERR_PROTOCOL);
    CHECK_ERR(native_unpack(NATIVE_SNAPPY, kit_bytes("ffffffff0f00"), UINT32_MAX, kit_arena(), &out,
                            NULL),
              ERR_PROTOCOL);
    CHECK_ERR(native_unpack(NATIVE_LZ4, SLICE(""), 100, kit_arena(), &out, NULL), ERR_PROTOCOL);
    CHECK(arena_used(kit_arena()) < before + 200);
    kit_done();
}
