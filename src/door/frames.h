/* door/frames: the memory of requests that have not come whole, and of large ones, kept for the
 * next one while there is traffic. A fresh MiB costs 256 page faults, more than reading it from the
 * socket.
 *
 * Loop: its shard's. Memory: FRAMES_KEPT buffers of at most FRAME_KEPT_MAX; all are given back when
 * none was wanted for FRAMES_QUIET_MS. What gathers a request holds at most twice what has come of
 * it, GATHER_FIRST at least.
 */
#pragma once
#include "os/loop.h"

enum {
    FRAMES_KEPT = 6,
    FRAME_KEPT_MIN = 64 << 10,
    FRAME_KEPT_MAX = 2 << 20,
    FRAMES_QUIET_MS = 2000,
    GATHER_FIRST = 4 << 10
};
struct frames {
    struct {
        uint8_t *at;
        uint32_t cap;
    } kept[FRAMES_KEPT];
    uint32_t count, taken; /* taken: since the last look */
    struct loop_timer *look;
};
void frames_give(struct frames *f, struct loop *l, uint8_t *at, uint32_t cap); /* NULL is fine */
void frames_done(struct frames *f);

struct gather {               /* `have` of `size` bytes have come */
    uint8_t *at;              /* mem_; NULL: nothing is gathered */
    uint32_t size, have, cap; /* cap: what there is memory for; of a kept buffer also past size */
};
/* For `size` bytes of which `here` can be added at once; false: no memory. */
bool gather_begin(struct gather *g, struct frames *f, uint32_t size, size_t here);
/* As much of `in` as belongs to it; false: no memory. What stands in its place already
 * (gather_room) is not copied. */
bool gather_add(struct gather *g, struct slice in, size_t *took);
uint8_t *gather_room(struct gather *g, size_t *size); /* for what comes next; NULL: no memory */
void gather_give(struct gather *g, struct frames *f, struct loop *l);
