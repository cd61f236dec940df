/* keeper_mask: hides secrets in what a command says, also one that comes in two pieces: what may be
 * a secret's beginning is held back until more comes, or the end.
 *
 * Loop: the keeper's. Memory: the secrets, and the longest of them once more. Limit: what an order
 * holds. */
#pragma once
#include "base/bytes.h"

struct keeper_mask {
    struct slice *secrets; /* the longest first; their bytes are its own */
    uint32_t count;
    bool begins[256]; /* a secret begins with this byte */
    struct buf held;
};
/* Copies; false: no memory. */
bool keeper_mask_init(struct keeper_mask *m, const struct slice *secrets, uint32_t count);
void keeper_mask_done(struct keeper_mask *m);
/* `last`: nothing is held back. */
void keeper_mask_say(struct keeper_mask *m, struct slice bytes, bool last,
                     void (*say)(void *ctx, const void *bytes, size_t len), void *ctx);
