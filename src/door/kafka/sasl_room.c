#include "door/kafka/sasl_room.h"

#include "door/login_room.h"

struct sasl_room {
    struct login_room *room;
};

/* A call in the room; lies in the call's arena. */
struct guest {
    struct login_guest its; /* first */
    struct call *call;
    bool (*hash)(struct call *c, void *arg);
    void (*done)(struct call *c, void *arg);
    void *arg;
};

err_t sasl_room_open(struct sasl_room **out, struct diag *d)
{
    struct sasl_room *r = mem_take(sizeof(*r));
    if (!r) return diag_fail(d, ERR_NO_MEMORY, "no memory for logins");
    err_t e = login_room_open("kafka-login", &r->room, d);
    if (e) {
        mem_give(r);
        return e;
    }
    *out = r;
    return ERR_OK;
}

void sasl_room_close(struct sasl_room *r)
{
    if (!r) return;
    login_room_close(r->room);
    mem_give(r);
}

static struct guest *invite(struct call *c)
{
    struct guest *g = arena_take(c->arena, sizeof(*g));
    if (g) *g = (struct guest){.its = {.peer = call_peer(c)}, .call = c};
    return g;
}

static void answer(struct login_guest *g)
{
    call_answer(((struct guest *)g)->call);
}

void sasl_room_delay(struct sasl_room *r, struct call *c)
{
    struct guest *g = invite(c);
    if (!g) {
        call_answer(c);
        return;
    }
    g->its.done = answer;
    login_room_enter(r->room, &g->its);
}

static bool hash(struct login_guest *its)
{
    struct guest *g = (struct guest *)its;
    return g->hash(g->call, g->arg);
}

static void done(struct login_guest *its)
{
    struct guest *g = (struct guest *)its;
    g->done(g->call, g->arg);
}

void sasl_room_work(struct sasl_room *r, struct call *c,
                    bool (*its_hash)(struct call *c, void *arg),
                    void (*its_done)(struct call *c, void *arg), void *arg)
{
    struct guest *g = invite(c);
    if (!g) { /* no memory for order: at once, then */
        (void)its_hash(c, arg);
        its_done(c, arg);
        return;
    }
    g->its.loop = link_login(c->link)->loop;
    g->its.hash = hash;
    g->its.done = done;
    g->hash = its_hash;
    g->done = its_done;
    g->arg = arg;
    login_room_enter(r->room, &g->its);
}
