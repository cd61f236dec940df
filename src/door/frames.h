/* door/frames: the memory of large requests, kept for the next one while there is traffic. A
 * fresh MiB costs 256 page faults, more than reading it from the socket.
 *
 * Loop: its shard's. Memory: FRAMES_KEPT buffers of at most FRAME_KEPT_MAX; all are given back when
 * none was wanted for FRAMES_QUIET_MS.
 */
#pragma once
#include "os/loop.h"

enum {
    FRAMES_KEPT = 6,
    FRAME_KEPT_MIN = 64 << 10,
    FRAME_KEPT_MAX = 2 << 20,
    FRAMES_QUIET_MS = 2000
};
struct frames {
    struct {
        uint8_t *at;
        uint32_t cap;
    } kept[FRAMES_KEPT];
    uint32_t count, taken; /* taken: since the last look */
    struct loop_timer *look;
};
/* A kept buffer for a request of `size` bytes, at least half of it; NULL: there is none. */
uint8_t *frames_take(struct frames *f, uint32_t size, uint32_t *cap);
void frames_give(struct frames *f, struct loop *l, uint8_t *at, uint32_t cap); /* NULL is fine */
void frames_done(struct frames *f);
