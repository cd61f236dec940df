#include "door/frames.h"

uint8_t *frames_take(struct frames *f, uint32_t size, uint32_t *cap)
{
    if (size < FRAME_KEPT_MIN) return NULL;
    for (uint32_t i = 0; i < f->count; i++) {
        if (f->kept[i].cap < size / 2) continue;
        uint8_t *at = f->kept[i].at;
        *cap = f->kept[i].cap;
        f->kept[i] = f->kept[--f->count];
        f->taken++;
        return at;
    }
    return NULL;
}

static void give_all(struct frames *f)
{
    while (f->count) mem_give(f->kept[--f->count].at);
}

static void look(void *arg)
{
    struct frames *f = arg;
    if (f->taken == 0) give_all(f);
    f->taken = 0;
    if (f->count) loop_timer_set(f->look, FRAMES_QUIET_MS);
}

/* Without a timer nothing would ever be given back: then nothing is kept. */
static bool looked_after(struct frames *f, struct loop *l)
{
    if (f->count) return true;
    if (f->look) {
        loop_timer_set(f->look, FRAMES_QUIET_MS);
        return true;
    }
    return loop_timer_new(l, FRAMES_QUIET_MS, 0, look, f, &f->look) == ERR_OK;
}

void frames_give(struct frames *f, struct loop *l, uint8_t *at, uint32_t cap)
{
    bool fits = at && cap >= FRAME_KEPT_MIN && cap <= FRAME_KEPT_MAX && f->count < FRAMES_KEPT;
    if (!fits || !looked_after(f, l)) {
        mem_give(at);
        return;
    }
    f->kept[f->count].at = at;
    f->kept[f->count++].cap = cap;
}

void frames_done(struct frames *f)
{
    give_all(f);
    loop_timer_free(f->look);
    f->look = NULL;
}
