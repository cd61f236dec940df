#include "door/kafka/sasl_room.h"

#include "base/say.h"
#include "os/clock.h"
#include "os/thread.h"

enum {
    ADDRESSES = 1024,
    DELAY_MS = 100, /* Kafka's connection.failed.authentication.delay.ms */
    DOUBLINGS = 5,
    FORGET_MS = 60000
};

/* A call in the room; lies in the call's arena. */
struct guest {
    struct guest *next, **link;
    struct call *call;
    struct sasl_room *room;
    struct login *login;
    bool (*hash)(struct call *c, void *arg);
    void (*done)(struct call *c, void *arg);
    void *arg;
    struct loop_message message;
    struct loop_timer *timer;
};

/* What addresses of one hash have in common. */
struct corner {
    struct guest *first, **last; /* to be hashed */
    struct corner *next;         /* in the turn */
    int64_t failed_ms;
    uint32_t failures;
};

struct sasl_room {
    struct loop *loop;
    struct thread thread;
    struct corner *turn, **turn_last; /* corners with guests to be hashed */
    struct guest *delayed;
    struct loop_message more;
    bool closing, going;
    struct corner corners[ADDRESSES];
};

static void room_main(void *arg)
{
    struct sasl_room *r = arg;
    loop_run(r->loop);
}

err_t sasl_room_open(struct sasl_room **out, struct diag *d)
{
    struct sasl_room *r = mem_take(sizeof(*r));
    if (!r) return diag_fail(d, ERR_NO_MEMORY, "no memory for logins");
    memset(r, 0, sizeof(*r));
    r->turn_last = &r->turn;
    err_t e = loop_new("kafka-login", 1, &r->loop, d);
    if (!e) e = thread_start(&r->thread, "kafka-login", room_main, r, d);
    if (e) {
        if (r->loop) loop_free(r->loop);
        mem_give(r);
        return e;
    }
    *out = r;
    return ERR_OK;
}

static struct corner *corner_of(struct sasl_room *r, const struct call *c)
{
    const char *peer = call_peer(c), *colon = strrchr(peer, ':');
    size_t len = colon ? (size_t)(colon - peer) : strlen(peer);
    return &r->corners[hash64(slice_make(peer, len), 0) % ADDRESSES];
}

static struct guest *invite(struct sasl_room *r, struct call *c)
{
    struct guest *g = arena_take(c->arena, sizeof(*g));
    if (g) *g = (struct guest){.call = c, .room = r, .login = link_login(c->link)};
    return g;
}

static struct guest *guest_of(struct loop_message *m)
{
    return (struct guest *)((char *)m - offsetof(struct guest, message));
}

/* --- waiting ---------------------------------------------------------------------------------- */

static void on_done(struct loop_message *m) /* the link's loop */
{
    struct guest *g = guest_of(m);
    g->done(g->call, g->arg);
}

static void go(struct guest *g)
{
    if (g->done)
        loop_send(g->login->loop, &g->message, on_done);
    else
        call_answer(g->call);
}

static void leave(struct guest *g)
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

static void hold_back(struct sasl_room *r, struct guest *g)
{
    struct corner *corner = corner_of(r, g->call);
    int64_t now = clock_mono_ns() / 1000000;
    if (now - corner->failed_ms > FORGET_MS) corner->failures = 0;
    int64_t wait = (int64_t)DELAY_MS << MIN(corner->failures, (uint32_t)DOUBLINGS);
    corner->failed_ms = now;
    corner->failures++;
    if ((corner->failures & (corner->failures - 1)) == 0) /* 1, 2, 4, 8 …: no flood of lines */
        say_warn(SAY_DOOR, "login failed", "peer=%s failures=%u", call_peer(g->call),
                 corner->failures);
    if (r->closing || loop_timer_new(r->loop, wait, 0, on_waited, g, &g->timer)) {
        go(g);
        return;
    }
    g->next = r->delayed;
    g->link = &r->delayed;
    if (g->next) g->next->link = &g->next;
    r->delayed = g;
}

static void on_delay(struct loop_message *m)
{
    struct guest *g = guest_of(m);
    hold_back(g->room, g);
}

void sasl_room_delay(struct sasl_room *r, struct call *c)
{
    struct guest *g = invite(r, c);
    if (g)
        loop_send(r->loop, &g->message, on_delay);
    else
        call_answer(c);
}

/* --- hashing, in turn ------------------------------------------------------------------------- */

static void hash_one(struct sasl_room *r)
{
    struct corner *corner = r->turn;
    struct guest *g = corner->first;
    r->turn = corner->next;
    if (!r->turn) r->turn_last = &r->turn;
    corner->next = NULL;
    corner->first = g->next;
    if (corner->first) { /* its next one waits for the others' first */
        *r->turn_last = corner;
        r->turn_last = &corner->next;
    }
    if (g->hash(g->call, g->arg))
        go(g);
    else
        hold_back(r, g);
}

/* One a turn of the loop: timers and newcomers get in between. */
static void on_more(struct loop_message *m)
{
    struct sasl_room *r = (struct sasl_room *)((char *)m - offsetof(struct sasl_room, more));
    r->going = false;
    if (r->turn) hash_one(r);
    if (!r->turn) return;
    r->going = true;
    loop_send(r->loop, &r->more, on_more);
}

static void on_work(struct loop_message *m)
{
    struct guest *g = guest_of(m);
    struct sasl_room *r = g->room;
    struct corner *corner = corner_of(r, g->call);
    bool waits = corner->first != NULL;
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

void sasl_room_work(struct sasl_room *r, struct call *c, bool (*hash)(struct call *c, void *arg),
                    void (*done)(struct call *c, void *arg), void *arg)
{
    struct guest *g = invite(r, c);
    if (!g) { /* no memory for order: at once, then */
        (void)hash(c, arg);
        done(c, arg);
        return;
    }
    g->hash = hash;
    g->done = done;
    g->arg = arg;
    loop_send(r->loop, &g->message, on_work);
}

/* --- closing ---------------------------------------------------------------------------------- */

struct closing {
    struct loop_message message;
    struct sasl_room *room;
};

static void on_close(struct loop_message *m)
{
    struct sasl_room *r = ((struct closing *)m)->room;
    r->closing = true;
    while (r->turn) hash_one(r);
    while (r->delayed) leave(r->delayed);
    loop_stop(r->loop);
}

void sasl_room_close(struct sasl_room *r)
{
    if (!r) return;
    struct closing c = {.room = r};
    loop_send(r->loop, &c.message, on_close);
    thread_join(&r->thread);
    loop_free(r->loop);
    mem_give(r);
}
