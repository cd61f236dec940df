#include "door/frames.h"

/* A kept buffer for a request of `size` bytes, at least half of it; NULL: there is none. */
static uint8_t *frames_take(struct frames *f, uint32_t size, uint32_t *cap)
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

/* --- gathering -------------------------------------------------------------------------------- */

bool gather_begin(struct gather *g, struct frames *f, uint32_t size, size_t here)
{
    *g = (struct gather){.size = size};
    g->at = frames_take(f, size, &g->cap);
    if (g->at) return true;
    g->cap = (uint32_t)MIN((size_t)size, MAX(here, (size_t)GATHER_FIRST));
    g->at = mem_take_raw(MAX(g->cap, 1u));
    if (!g->at) *g = (struct gather){0};
    return g->at != NULL;
}

/* Never more than twice what has come. */
static bool grow(struct gather *g, size_t more)
{
    if (g->have + more <= g->cap || g->cap >= g->size) return true;
    size_t wanted = MAX((size_t)g->cap * 2, g->have + more);
    uint32_t cap = (uint32_t)MIN((size_t)g->size, wanted);
    uint8_t *grown = mem_resize(g->at, cap);
    if (!grown) return false;
    g->at = grown;
    g->cap = cap;
    return true;
}

bool gather_add(struct gather *g, struct slice in, size_t *took)
{
    size_t n = MIN((size_t)in.len, (size_t)(g->size - g->have));
    bool in_place = g->at + g->have == in.at;
    *took = 0;
    if (!in_place && !grow(g, n)) return false;
    if (!in_place && n) memcpy(g->at + g->have, in.at, n);
    g->have += (uint32_t)n;
    *took = n;
    return true;
}

/* Not past its own end: what comes behind it is no part of it. */
uint8_t *gather_room(struct gather *g, size_t *size)
{
    if (!grow(g, 1)) return NULL;
    *size = MIN(g->cap, g->size) - g->have;
    return g->at + g->have;
}

void gather_give(struct gather *g, struct frames *f, struct loop *l)
{
    frames_give(f, l, g->at, g->cap);
    *g = (struct gather){0};
}
