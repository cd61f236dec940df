/* The heap of timers: a pairing heap through the timers themselves, so that setting one takes no
 * memory. A timer's key is never later than its due time: one that is put off stays where it is and
 * is looked at again when the old time comes. */
#include "coord/coord_int.h"

int64_t coord_mono_ms(void)
{
    return clock_mono_ns() / 1000000;
}

/* Two heaps become one; the earlier root wins. */
static struct coord_timer *meld(struct coord_timer *a, struct coord_timer *b)
{
    if (!a || !b) return a ? a : b;
    if (b->key_ms < a->key_ms) {
        struct coord_timer *other = a;
        a = b;
        b = other;
    }
    b->prev = a;
    b->next = a->child;
    if (b->next) b->next->prev = b;
    a->child = b;
    return a;
}

/* The children of a root that is gone, melded in two passes: pairs from left to right, then all of
 * them from right to left. Both are loops, since there may be very many. */
static struct coord_timer *meld_children(struct coord_timer *first)
{
    struct coord_timer *pairs = NULL; /* through next, the last pair first */
    while (first) {
        struct coord_timer *a = first, *b = a->next;
        first = b ? b->next : NULL;
        a->next = a->prev = NULL;
        if (b) b->next = b->prev = NULL;
        a = meld(a, b);
        a->next = pairs;
        pairs = a;
    }
    struct coord_timer *root = NULL;
    while (pairs) {
        struct coord_timer *next = pairs->next;
        pairs->next = NULL;
        root = meld(root, pairs);
        pairs = next;
    }
    return root;
}

static void take_out(struct coord *c, struct coord_timer *t)
{
    if (t == c->timers) {
        c->timers = meld_children(t->child);
    } else {
        if (t->prev->child == t)
            t->prev->child = t->next;
        else
            t->prev->next = t->next;
        if (t->next) t->next->prev = t->prev;
        c->timers = meld(c->timers, meld_children(t->child));
    }
    t->child = t->next = t->prev = NULL;
}

static void put_in(struct coord *c, struct coord_timer *t)
{
    t->key_ms = t->due_ms;
    c->timers = meld(c->timers, t);
}

/* The loop's one timer rings no later than the heap's first is due. */
static void set_alarm(struct coord *c)
{
    if (!c->timers || !c->alarm || c->alarm_ms <= c->timers->key_ms) return;
    c->alarm_ms = c->timers->key_ms;
    loop_timer_set(c->alarm, c->alarm_ms - coord_mono_ms());
}

void coord_timer_set(struct coord *c, struct coord_timer *t, int64_t delay_ms,
                     void (*fn)(struct coord *c, struct coord_timer *t))
{
    t->fn = fn;
    t->due_ms = coord_mono_ms() + MAX(delay_ms, (int64_t)0);
    if (t->on && t->due_ms >= t->key_ms) return;
    if (t->on) take_out(c, t);
    t->on = true;
    put_in(c, t);
    set_alarm(c);
}

void coord_timer_stop(struct coord *c, struct coord_timer *t)
{
    if (!t->on) return;
    t->on = false;
    take_out(c, t);
}

void coord_timers_run(struct coord *c)
{
    int64_t now_ms = coord_mono_ms();
    while (c->timers && c->timers->key_ms <= now_ms) {
        struct coord_timer *t = c->timers;
        take_out(c, t);
        if (t->due_ms > now_ms) {
            put_in(c, t);
        } else {
            t->on = false;
            t->fn(c, t);
        }
    }
    set_alarm(c);
}

void coord_alarm_rings(void *arg)
{
    struct coord *c = arg;
    c->alarm_ms = INT64_MAX;
    coord_timers_run(c);
}
