/* The memory of requests that come piece by piece (frames.h). */
#include "door/frames.h"
#include "test.h"

static const uint8_t bytes[MIB(1)];

struct desk {
    struct loop *loop;
    struct frames frames;
};

static void desk_open(struct desk *k)
{
    struct diag d;
    *k = (struct desk){0};
    CHECK_OK(loop_new("frames", 1, &k->loop, &d), &d);
}

static void desk_close(struct desk *k)
{
    frames_done(&k->frames);
    loop_free(k->loop);
}

TEST(a_request_in_pieces_holds_at_most_twice_what_has_come)
{
    struct desk k;
    struct gather g;
    uint32_t come = 0;
    desk_open(&k);
    CHECK(gather_begin(&g, &k.frames, sizeof(bytes), 10));
    CHECK_INT(g.cap, GATHER_FIRST);
    for (uint32_t n = 1; come < sizeof(bytes); n = (n * 3 + 1) % 50000) {
        size_t took;
        CHECK(gather_add(&g, slice_make(bytes, n), &took));
        CHECK_INT(took, MIN(n, (uint32_t)sizeof(bytes) - come));
        come += (uint32_t)took;
        CHECK(g.cap >= come && g.cap <= MAX(2 * come, (uint32_t)GATHER_FIRST));
    }
    CHECK_INT(g.have, g.size);
    gather_give(&g, &k.frames, k.loop);
    desk_close(&k);
}

/* What the socket has behind a message must not be received into the message's memory: that goes
 * with its call, and may be given back before what is behind it has been looked at. */
TEST(a_kept_buffer_larger_than_the_request_is_received_into_up_to_its_end_only)
{
    struct desk k;
    struct gather g;
    size_t took, room = 0;
    desk_open(&k);
    CHECK(gather_begin(&g, &k.frames, sizeof(bytes), sizeof(bytes)));
    const uint8_t *kept = g.at;
    gather_give(&g, &k.frames, k.loop);
    CHECK(gather_begin(&g, &k.frames, sizeof(bytes) / 2, 0));
    CHECK(g.at == kept && g.cap == sizeof(bytes)); /* the kept one */
    CHECK(gather_add(&g, slice_make(bytes, 100), &took));
    CHECK(gather_room(&g, &room) == kept + 100);
    CHECK_INT(room, sizeof(bytes) / 2 - 100);
    CHECK(gather_add(&g, slice_make(g.at + 100, (uint32_t)room), &took)); /* in its place */
    CHECK_INT(g.have, g.size);
    gather_give(&g, &k.frames, k.loop);
    desk_close(&k);
}

TEST(a_request_that_finds_no_memory_says_so)
{
    struct desk k;
    struct gather g;
    size_t took;
    desk_open(&k);
    mem_fail_at(1);
    CHECK(!gather_begin(&g, &k.frames, 100, 10));
    CHECK(!g.at && !g.size);
    CHECK(gather_begin(&g, &k.frames, sizeof(bytes), 10));
    mem_fail_at(1);
    CHECK(!gather_add(&g, slice_make(bytes, 100000), &took));
    CHECK_INT(took, 0);
    gather_give(&g, &k.frames, k.loop);
    desk_close(&k);
}
