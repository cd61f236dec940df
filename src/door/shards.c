#include "door/shards.h"

#include "os/crowd.h"

#include <stdio.h>

enum { LOOPS_UNASKED_MAX = 4, CONNS_MAX = 20000, POSTS_MAX = 16 };

static struct door_shard *shard_at(const struct door_shards *a, int i)
{
    return (struct door_shard *)((uint8_t *)a->options.first + (size_t)i * a->options.size);
}

/* --- opening ---------------------------------------------------------------------------------- */

int door_shards_count(const struct door_place *at)
{
    int count = at->loops ? at->loops : MIN(thread_cores(), LOOPS_UNASKED_MAX);
    return MAX(1, MIN(count, SHARDS_MAX));
}

static void shard_main(void *arg)
{
    struct door_shard *s = arg;
    loop_run(s->loop);
}

static void name_of(const struct door_shards *a, int i, char name[32])
{
    snprintf(name, 32, "%s-%d", a->options.name, i);
}

static err_t make_loops(struct door_shards *a, struct diag *d)
{
    err_t e = ERR_OK;
    for (int i = 0; i < a->options.count && !e; i++) {
        struct door_shard *s = shard_at(a, i);
        char name[32];
        name_of(a, i, name);
        s->all = a;
        a->count = i + 1;
        e = loop_new(name, POSTS_MAX, &s->loop, d);
    }
    return e;
}

static err_t listen_on(struct door_shards *a, bool secure, struct diag *d)
{
    const struct door_shards_options *o = &a->options;
    const struct door_place *at = &o->at;
    int32_t port = secure ? at->tls_port : at->port;
    if (port < 0) return ERR_OK;
    struct door_shard *first = shard_at(a, 0);
    struct listener_options l = {.address = at->address,
                                 .port = (uint16_t)port,
                                 .tls = secure ? at->tls : NULL,
                                 .handler = o->handler,
                                 .door = first,
                                 .crowd = a->crowd,
                                 .conns_max = at->conns_max,
                                 .input_max = o->input_max,
                                 .output_high = o->output_high,
                                 .output_max = o->output_max};
    struct listener **out = secure ? &first->secure : &first->plain;
    err_t e = listener_open(first->loop, &l, out, d);
    for (int i = 1; i < a->count && !e; i++) {
        struct door_shard *s = shard_at(a, i);
        e = listener_join(*out, s->loop, s, secure ? &s->secure : &s->plain, d);
    }
    return e;
}

err_t door_shards_open(struct door_shards *a, const struct door_shards_options *o, struct diag *d)
{
    *a = (struct door_shards){.options = *o};
    gate_init(&a->gate);
    if (!a->options.at.conns_max) a->options.at.conns_max = CONNS_MAX;
    struct crowd_options crowd = {a->options.at.conns_max, o->at.conns_per_address_max};
    err_t e = crowd_new(&crowd, &a->crowd, d);
    if (!e) e = make_loops(a, d);
    if (!e) e = listen_on(a, false, d);
    if (!e) e = listen_on(a, true, d);
    for (int i = 0; i < a->count && !e; i++) {
        struct door_shard *s = shard_at(a, i);
        char name[32];
        name_of(a, i, name);
        e = thread_start(&s->thread, name, shard_main, s, d);
    }
    return e;
}

const struct listener *door_shards_listener(const struct door_shards *a, bool secure)
{
    const struct door_shard *s = shard_at(a, 0);
    return secure ? s->secure : s->plain;
}

uint16_t door_shards_port(const struct door_shards *a, bool secure)
{
    const struct listener *l = door_shards_listener(a, secure);
    return l ? listener_port(l) : 0;
}

/* --- its end ---------------------------------------------------------------------------------- */

static void count(struct door_shards *a, int *which)
{
    gate_enter(&a->gate);
    ++*which;
    gate_wake(&a->gate);
    gate_leave(&a->gate);
}

static void wait_for(struct door_shards *a, const int *which, int many)
{
    gate_enter(&a->gate);
    while (*which < many) gate_wait(&a->gate);
    gate_leave(&a->gate);
}

static void close_listeners(struct door_shard *s)
{
    listener_close(s->plain); /* with its connections; calls under way lose their link's conn */
    listener_close(s->secure);
    s->plain = s->secure = NULL;
}

static void on_close(struct loop_message *m)
{
    struct door_shard *s = (struct door_shard *)((uint8_t *)m - offsetof(struct door_shard, stop));
    close_listeners(s);
    s->closed = true;
    if (s->calls == 0) count(s->all, &s->all->empty);
    count(s->all, &s->all->stopped);
}

/* What is said to whom stays connected leaves in this turn; they close in the next. */
static void on_stop(struct loop_message *m)
{
    struct door_shard *s = (struct door_shard *)((uint8_t *)m - offsetof(struct door_shard, stop));
    s->stopping = true;
    if (s->all->options.leaving) {
        s->all->options.leaving(s);
        loop_send(s->loop, &s->stop, on_close);
    } else {
        on_close(m);
    }
}

bool door_shards_stop(struct door_shards *a)
{
    bool runs = a->count > 0 && shard_at(a, a->count - 1)->thread.started;
    if (!runs || a->stop_begun) return false;
    a->stop_begun = true;
    for (int i = 0; i < a->count; i++) { /* the one that accepts first: listener_join */
        struct door_shard *s = shard_at(a, i);
        loop_send(s->loop, &s->stop, on_stop);
        wait_for(a, &a->stopped, i + 1);
    }
    return true;
}

static void free_call(struct door_call_memory m)
{
    arena_free(m.arena);
    mem_give(m.call);
}

void door_shards_end(struct door_shards *a)
{
    if (a->stop_begun) wait_for(a, &a->empty, a->count);
    for (int i = 0; i < a->count; i++) {
        struct door_shard *s = shard_at(a, i);
        if (s->thread.started) loop_stop(s->loop);
        thread_join(&s->thread);
        close_listeners(s); /* only when opening has failed halfway */
        while (s->kept_count) free_call(s->kept[--s->kept_count]);
        frames_done(&s->frames);
    }
}

void door_shards_free(struct door_shards *a)
{
    for (int i = 0; i < a->count; i++) loop_free(shard_at(a, i)->loop);
    crowd_free(a->crowd);
    gate_done(&a->gate);
    a->count = 0;
}

/* --- connections ------------------------------------------------------------------------------ */

void *door_link_new(struct door_shard *s, struct conn *c, size_t size)
{
    struct door_link *l = s->stopping ? NULL : mem_take(size);
    if (!l) return NULL;
    l->conn = c;
    conn_deadline(c, LOGIN_MS);
    return l;
}

bool door_link_pause(struct door_link *l, bool pause)
{
    if (pause == l->paused) return false;
    l->paused = pause;
    if (pause)
        conn_pause(l->conn);
    else
        conn_resume(l->conn);
    return true;
}

void door_link_left(void *link, struct conn *c)
{
    struct door_link *l = link;
    l->closing = true;
    conn_close_now(c);
}

/* --- calls ------------------------------------------------------------------------------------ */

static bool make_call(const struct door_shards_options *o, struct door_call_memory *out)
{
    *out = (struct door_call_memory){mem_take(o->call_size), arena_new(o->arena_max)};
    if (out->call && out->arena) return true;
    free_call(*out);
    return false;
}

bool door_call_take(struct door_shard *s, struct door_link *l, struct door_call_memory *out)
{
    if (s->kept_count)
        *out = s->kept[--s->kept_count];
    else if (!make_call(&s->all->options, out))
        return false;
    l->held++;
    s->calls++;
    return true;
}

void door_call_give(struct door_shard *s, struct door_link *l, struct door_call_memory m)
{
    bool keep = s->kept_count < s->all->options.calls_kept && arena_used(m.arena) <= ARENA_KEPT;
    if (keep && !s->stopping) {
        arena_reset(m.arena);
        s->kept[s->kept_count++] = m;
    } else {
        free_call(m);
    }
    l->held--;
    /* Who waits for this goes on to join the loop's thread: what it still does here it does. */
    if (--s->calls == 0 && s->closed) count(s->all, &s->all->empty);
}
