#include "os/crowd.h"

#include "base/hash.h"
#include "os/thread.h"

#include <netinet/in.h>

enum { SLOTS_FIRST = 64 };

struct slot {
    struct crowd_address address;
    uint32_t count; /* 0: free */
};

/* Open addressing, half full at most; a slot that becomes free is closed up again. */
struct crowd {
    struct crowd_options o;
    struct gate gate;
    struct slot *slots;
    uint32_t slot_count, used, inside;
};

err_t crowd_new(const struct crowd_options *o, struct crowd **out, struct diag *d)
{
    struct crowd *c = mem_take(sizeof(*c));
    struct slot *slots = mem_take(SLOTS_FIRST * sizeof(*slots));
    if (!c || !slots) {
        mem_give(c);
        mem_give(slots);
        return diag_fail(d, ERR_NO_MEMORY, "no memory to count connections");
    }
    *c = (struct crowd){.o = *o, .slots = slots, .slot_count = SLOTS_FIRST};
    gate_init(&c->gate);
    *out = c;
    return ERR_OK;
}

void crowd_free(struct crowd *c)
{
    if (!c) return;
    INVARIANT(c->inside == 0);
    gate_done(&c->gate);
    mem_give(c->slots);
    mem_give(c);
}

struct crowd_address crowd_address_of(const struct sockaddr_storage *from)
{
    struct crowd_address a = {{0}};
    if (from->ss_family == AF_INET) {
        memcpy(a.at + 12, &((const struct sockaddr_in *)from)->sin_addr, 4);
    } else if (from->ss_family == AF_INET6) {
        const struct in6_addr *v6 = &((const struct sockaddr_in6 *)from)->sin6_addr;
        bool mapped = IN6_IS_ADDR_V4MAPPED(v6);
        if (mapped)
            memcpy(a.at + 12, v6->s6_addr + 12, 4);
        else
            memcpy(a.at, v6->s6_addr, 8);
    }
    return a;
}

/* The address's slot, or the free one where it belongs. */
static uint32_t find(const struct crowd *c, const struct crowd_address *a)
{
    uint32_t mask = c->slot_count - 1;
    uint32_t i = (uint32_t)hash64(slice_make(a->at, sizeof(a->at)), 0) & mask;
    while (c->slots[i].count && memcmp(c->slots[i].address.at, a->at, sizeof(a->at)) != 0)
        i = (i + 1) & mask;
    return i;
}

static bool grow(struct crowd *c)
{
    struct slot *old = c->slots;
    uint32_t count = c->slot_count;
    struct slot *wider = mem_take((size_t)count * 2 * sizeof(*wider));
    if (!wider) return false;
    c->slots = wider;
    c->slot_count = count * 2;
    for (uint32_t i = 0; i < count; i++)
        if (old[i].count) c->slots[find(c, &old[i].address)] = old[i];
    mem_give(old);
    return true;
}

static bool enter(struct crowd *c, const struct crowd_address *a)
{
    if (c->o.most && c->inside >= c->o.most) return false;
    uint32_t i = find(c, a);
    if (c->slots[i].count) {
        if (c->o.most_each && c->slots[i].count >= c->o.most_each) return false;
    } else {
        if (c->used * 2 >= c->slot_count) {
            if (!grow(c)) return false;
            i = find(c, a);
        }
        c->slots[i].address = *a;
        c->used++;
    }
    c->slots[i].count++;
    c->inside++;
    return true;
}

bool crowd_enter(struct crowd *c, struct crowd_address a)
{
    gate_enter(&c->gate);
    bool in = enter(c, &a);
    gate_leave(&c->gate);
    return in;
}

/* The slot is free: what was pushed past it moves back, or it would not be found any more. */
static void close_up(struct crowd *c, uint32_t hole)
{
    uint32_t mask = c->slot_count - 1;
    for (uint32_t i = (hole + 1) & mask; c->slots[i].count; i = (i + 1) & mask) {
        struct slot moved = c->slots[i];
        c->slots[i].count = 0;
        c->slots[find(c, &moved.address)] = moved;
    }
}

void crowd_leave(struct crowd *c, struct crowd_address a)
{
    gate_enter(&c->gate);
    uint32_t i = find(c, &a);
    INVARIANT(c->slots[i].count > 0 && c->inside > 0);
    c->inside--;
    if (--c->slots[i].count == 0) {
        c->used--;
        close_up(c, i);
    }
    gate_leave(&c->gate);
}

uint32_t crowd_count(struct crowd *c)
{
    gate_enter(&c->gate);
    uint32_t n = c->inside;
    gate_leave(&c->gate);
    return n;
}
