#include "door/login_room.h"

#include "base/hash.h"
#include "base/say.h"
#include "os/clock.h"
#include "os/thread.h"

enum {
    ADDRESSES = 1024,
    DELAY_MS = 100, /* Kafka's connection.failed.authentication.delay.ms */
    DOUBLINGS = 5,
    FORGET_MS = 60000
};

/* What addresses of one hash have in common. */
struct corner {
    struct login_guest *first, **last; /* to be hashed */
    struct corner *next;               /* in the turn */
    /* the room's `gate`: read by others */
    int64_t failed_ms;
    uint32_t failures;
    char address[48]; /* of the last one */
};

struct login_room {
    struct loop *loop;
    struct thread thread;
    struct corner *turn, **turn_last; /* corners with guests to be hashed */
    struct login_guest *delayed;
    struct loop_message more;
    bool closing, going;
    struct gate gate;
    struct corner corners[ADDRESSES];
};

static void room_main(void *arg)
{
    struct login_room *r = arg;
    loop_run(r->loop);
}

err_t login_room_open(const char *name, struct login_room **out, struct diag *d)
{
    struct login_room *r = mem_take(sizeof(*r));
    if (!r) return diag_fail(d, ERR_NO_MEMORY, "no memory for logins");
    r->turn_last = &r->turn;
    gate_init(&r->gate);
    err_t e = loop_new(name, 1, &r->loop, d);
    if (!e) e = thread_start(&r->thread, name, room_main, r, d);
    if (e) {
        if (r->loop) loop_free(r->loop);
        gate_done(&r->gate);
        mem_give(r);
        return e;
    }
    *out = r;
    return ERR_OK;
}

static struct slice address_of(const struct login_guest *g)
{
    const char *colon = strrchr(g->peer, ':');
    return slice_make(g->peer, colon ? (size_t)(colon - g->peer) : strlen(g->peer));
}

static struct corner *corner_of(struct login_room *r, const struct login_guest *g)
{
    return &r->corners[hash64(address_of(g), 0) % ADDRESSES];
}

static struct login_guest *guest_of(struct loop_message *m)
{
    return (struct login_guest *)((char *)m - offsetof(struct login_guest, message));
}

/* --- waiting ---------------------------------------------------------------------------------- */

static void on_done(struct loop_message *m) /* the guest's loop */
{
    struct login_guest *g = guest_of(m);
    g->done(g);
}

static void go(struct login_guest *g)
{
    if (g->loop)
        loop_send(g->loop, &g->message, on_done);
    else
        g->done(g);
}

static void leave(struct login_guest *g)
{
    loop_timer_free(g->timer);
    *g->link = g->next;
    if (g->next) g->next->link = g->link;
    go(g);
}

static void on_waited(void *arg)
{
    leave(arg);
}

static int64_t wait_after(uint32_t failures)
{
    return (int64_t)DELAY_MS << MIN(failures, (uint32_t)DOUBLINGS);
}

uint32_t login_room_failures(struct login_room *r, struct login_failure out[LOGIN_FAILURES_MAX])
{
    int64_t now = clock_mono_ns() / 1000000;
    uint32_t count = 0;
    gate_enter(&r->gate);
    for (size_t i = 0; i < ADDRESSES; i++) {
        const struct corner *c = &r->corners[i];
        if (!c->failures || now - c->failed_ms > FORGET_MS) continue;
        struct login_failure f = {.failures = c->failures,
                                  .wait_ms = wait_after(c->failures),
                                  .ago_ms = now - c->failed_ms};
        memcpy(f.address, c->address, sizeof(f.address));
        uint32_t at = MIN(count, (uint32_t)LOGIN_FAILURES_MAX - 1);
        if (at < count && out[at].ago_ms < f.ago_ms) continue;
        for (; at > 0 && out[at - 1].ago_ms > f.ago_ms; at--) out[at] = out[at - 1];
        out[at] = f;
        count = MIN(count + 1, (uint32_t)LOGIN_FAILURES_MAX);
    }
    gate_leave(&r->gate);
    return count;
}

static void hold_back(struct login_room *r, struct login_guest *g)
{
    struct corner *corner = corner_of(r, g);
    int64_t now = clock_mono_ns() / 1000000;
    gate_enter(&r->gate);
    if (now - corner->failed_ms > FORGET_MS) corner->failures = 0;
    int64_t wait = wait_after(corner->failures);
    corner->failed_ms = now;
    corner->failures++;
    if (!slice_to_cstr(address_of(g), corner->address, sizeof(corner->address)))
        corner->address[0] = 0; /* no peer's is as long */
    gate_leave(&r->gate);
    if ((corner->failures & (corner->failures - 1)) == 0) /* 1, 2, 4, 8 …: no flood of lines */
        say_warn(SAY_DOOR, "login failed", "peer=%s failures=%u", g->peer, corner->failures);
    if (r->closing || loop_timer_new(r->loop, wait, 0, on_waited, g, &g->timer)) {
        go(g);
        return;
    }
    g->next = r->delayed;
    g->link = &r->delayed;
    if (g->next) g->next->link = &g->next;
    r->delayed = g;
}

/* --- hashing, in turn ------------------------------------------------------------------------- */

static void hash_one(struct login_room *r)
{
    struct corner *corner = r->turn;
    struct login_guest *g = corner->first;
    r->turn = corner->next;
    if (!r->turn) r->turn_last = &r->turn;
    corner->next = NULL;
    corner->first = g->next;
    if (corner->first) { /* its next one waits for the others' first */
        *r->turn_last = corner;
        r->turn_last = &corner->next;
    }
    if (g->hash(g))
        go(g);
    else
        hold_back(r, g);
}

/* One a turn of the loop: timers and newcomers get in between. */
static void on_more(struct loop_message *m)
{
    struct login_room *r = (struct login_room *)((char *)m - offsetof(struct login_room, more));
    r->going = false;
    if (r->turn) hash_one(r);
    if (!r->turn) return;
    r->going = true;
    loop_send(r->loop, &r->more, on_more);
}

static void on_enter(struct loop_message *m)
{
    struct login_guest *g = guest_of(m);
    struct login_room *r = g->room;
    struct corner *corner = corner_of(r, g);
    bool waits = corner->first != NULL;
    if (!g->hash) {
        hold_back(r, g);
        return;
    }
    if (!waits) corner->last = &corner->first;
    g->next = NULL;
    *corner->last = g;
    corner->last = &g->next;
    if (!waits) {
        *r->turn_last = corner;
        r->turn_last = &corner->next;
    }
    if (r->going) return;
    r->going = true;
    loop_send(r->loop, &r->more, on_more);
}

void login_room_enter(struct login_room *r, struct login_guest *g)
{
    g->room = r;
    g->timer = NULL;
    loop_send(r->loop, &g->message, on_enter);
}

/* --- closing ---------------------------------------------------------------------------------- */

struct closing {
    struct loop_message message;
    struct login_room *room;
};

static void on_close(struct loop_message *m)
{
    struct login_room *r = ((struct closing *)m)->room;
    r->closing = true;
    while (r->turn) hash_one(r);
    while (r->delayed) leave(r->delayed);
    loop_stop(r->loop);
}

void login_room_close(struct login_room *r)
{
    if (!r) return;
    struct closing c = {.room = r};
    loop_send(r->loop, &c.message, on_close);
    thread_join(&r->thread);
    loop_free(r->loop);
    gate_done(&r->gate);
    mem_give(r);
}
