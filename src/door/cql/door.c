/* The CQL door: its loops, its listeners, its end. */
#include "base/say.h"
#include "door/cql/link.h"
#include "os/crowd.h"

#include <stdio.h>

enum {
    LOOPS_UNASKED_MAX = 4,
    CONNS_MAX = 20000,
    POSTS_MAX = 16,
    FRAME_MAX = 16 << 20,
    CALLS_MAX = 4096,
    INPUT_MAX = 256 << 10
};
static const size_t BYTES_MAX = (size_t)256 << 20;

static void shard_main(void *arg)
{
    struct shard *s = arg;
    loop_run(s->loop);
}

/* --- opening ---------------------------------------------------------------------------------- */

static err_t listen_on(struct cql_door *k, int32_t port, struct tls *tls, bool secure,
                       struct diag *d)
{
    const struct cql_door_options *o = &k->options;
    if (port < 0) return ERR_OK;
    struct listener_options l = {.address = o->address,
                                 .port = (uint16_t)port,
                                 .tls = tls,
                                 .handler = &cql_link_handler,
                                 .door = &k->shards[0],
                                 .crowd = k->crowd,
                                 .conns_max = o->conns_max,
                                 .input_max = INPUT_MAX,
                                 .output_high = OUTPUT_HIGH,
                                 .output_max = OUTPUT_MAX};
    struct listener **first = secure ? &k->shards[0].secure : &k->shards[0].plain;
    err_t e = listener_open(k->shards[0].loop, &l, first, d);
    for (int i = 1; i < k->shard_count && !e; i++) {
        struct shard *s = &k->shards[i];
        e = listener_join(*first, s->loop, s, secure ? &s->secure : &s->plain, d);
    }
    return e;
}

static err_t make_shards(struct cql_door *k, struct diag *d)
{
    int asked = k->options.loops ? k->options.loops : MIN(thread_cores(), LOOPS_UNASKED_MAX);
    k->shard_count = MAX(1, MIN(asked, SHARDS_MAX));
    for (int i = 0; i < k->shard_count; i++) {
        struct shard *s = &k->shards[i];
        char name[24];
        s->door = k;
        s->waiting_last = &s->waiting;
        gate_init(&s->roster_gate);
        s->out = buf_make(ANSWER_MAX);
        s->scratch = buf_make(ANSWER_MAX);
        s->bytes_max = k->options.bytes_max / (size_t)k->shard_count;
        snprintf(name, sizeof(name), "cql-door-%d", i);
        err_t e = loop_new(name, POSTS_MAX, &s->loop, d);
        if (e) return e;
    }
    return ERR_OK;
}

static void set_defaults(struct cql_door_options *o)
{
    if (!o->conns_max) o->conns_max = CONNS_MAX;
    if (!o->frame_max) o->frame_max = FRAME_MAX;
    if (!o->calls_max) o->calls_max = CALLS_MAX;
    if (!o->bytes_max) o->bytes_max = BYTES_MAX;
}

static err_t door_make(struct cql_door *k, struct diag *d)
{
    struct cql_door_options *o = &k->options;
    set_defaults(o);
    struct crowd_options crowd = {o->conns_max, o->conns_per_address_max};
    err_t e = crowd_new(&crowd, &k->crowd, d);
    if (!e) e = make_shards(k, d);
    if (!e) e = login_room_open("cql-login", &k->logins, d);
    if (!e) e = listen_on(k, o->port, NULL, false, d);
    if (!e) e = listen_on(k, o->tls_port, o->tls, true, d);
    for (int i = 0; i < k->shard_count && !e; i++) {
        char name[24];
        snprintf(name, sizeof(name), "cql-door-%d", i);
        e = thread_start(&k->shards[i].thread, name, shard_main, &k->shards[i], d);
    }
    return e;
}

err_t cql_door_open(const struct cql_door_options *o, struct cql_door **out, struct diag *d)
{
    struct cql_door *k = mem_take(sizeof(*k));
    if (!k) return diag_fail(d, ERR_NO_MEMORY, "the CQL door can not start");
    k->options = *o;
    gate_init(&k->gate);
    err_t e = door_make(k, d);
    if (e) {
        cql_door_close(k);
        return e;
    }
    cql_clients_from(o->cql, clients_each, k);
    cql_listen(o->cql, events_schema, k); /* last: there is no way back but cql_close */
    *out = k;
    return ERR_OK;
}

/* --- its end ---------------------------------------------------------------------------------- */

static void count(struct cql_door *k, int *which)
{
    gate_enter(&k->gate);
    ++*which;
    gate_wake(&k->gate);
    gate_leave(&k->gate);
}

static void wait_for(struct cql_door *k, const int *which, int many)
{
    gate_enter(&k->gate);
    while (*which < many) gate_wait(&k->gate);
    gate_leave(&k->gate);
}

/* The turn after: what was said has left. */
static void shard_close(struct loop_message *m)
{
    struct shard *s = (struct shard *)((uint8_t *)m - offsetof(struct shard, stop));
    listener_close(s->plain); /* with its connections; what is under way loses its link's conn */
    listener_close(s->secure);
    s->plain = s->secure = NULL;
    s->closed = true;
    if (s->calls == 0) count(s->door, &s->door->empty);
    count(s->door, &s->door->stopped);
}

static void shard_stop(struct loop_message *m)
{
    struct shard *s = (struct shard *)((uint8_t *)m - offsetof(struct shard, stop));
    s->stopping = true;
    events_down(s);
    loop_send(s->loop, &s->stop, shard_close);
}

static bool runs(const struct cql_door *k)
{
    return k->shard_count > 0 && k->shards[k->shard_count - 1].thread.started;
}

void cql_door_stop(struct cql_door *k)
{
    if (!k || k->stop_begun || !runs(k)) return;
    k->stop_begun = true;
    for (int i = 0; i < k->shard_count; i++) { /* the one that accepts first: listener_join */
        loop_send(k->shards[i].loop, &k->shards[i].stop, shard_stop);
        wait_for(k, &k->stopped, i + 1);
    }
    login_room_close(k->logins); /* answers what it holds, to shards that still run */
    k->logins = NULL;
}

static void shard_end(struct shard *s)
{
    if (s->thread.started) loop_stop(s->loop);
    thread_join(&s->thread);
    listener_close(s->plain); /* only when opening has failed halfway */
    listener_close(s->secure);
    cql_link_calls_free(s);
    frames_done(&s->frames);
    buf_done(&s->out);
    buf_done(&s->scratch);
    mem_give(s->unpacked);
    gate_done(&s->roster_gate);
}

void cql_door_close(struct cql_door *k)
{
    if (!k) return;
    cql_door_stop(k);
    if (k->stop_begun) cql_clients_from(k->options.cql, NULL, NULL);
    login_room_close(k->logins); /* when opening has failed halfway */
    if (k->stop_begun) wait_for(k, &k->empty, k->shard_count);
    for (int i = 0; i < k->shard_count; i++)
        if (k->shards[i].loop) shard_end(&k->shards[i]);
    for (int i = 0; i < k->shard_count; i++) loop_free(k->shards[i].loop);
    crowd_free(k->crowd);
    gate_done(&k->gate);
    mem_give(k);
}

uint16_t cql_door_port(const struct cql_door *k)
{
    return k->shards[0].plain ? listener_port(k->shards[0].plain) : 0;
}

uint16_t cql_door_tls_port(const struct cql_door *k)
{
    return k->shards[0].secure ? listener_port(k->shards[0].secure) : 0;
}
