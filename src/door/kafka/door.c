/* The door: its loops, its listeners, its end. */
#include "base/say.h"
#include "door/kafka/fetch.h"
#include "door/kafka/link.h"
#include "door/kafka/worker.h"

#include <stdio.h>

enum { LOOPS_UNASKED_MAX = 4, CONNS_MAX = 20000, POSTS_MAX = 16 };

static void shard_main(void *arg)
{
    struct shard *s = arg;
    loop_run(s->loop);
}

/* --- opening ---------------------------------------------------------------------------------- */

/* "host:port", "[v6]:port" */
static err_t read_advertised(struct kafka_door *k, const char *text, struct diag *d)
{
    const char *colon = text ? strrchr(text, ':') : NULL;
    int64_t port = 0;
    if (!text) return ERR_OK;
    struct slice host = slice_make(text, colon ? (size_t)(colon - text) : 0);
    if (host.len > 2 && host.at[0] == '[' && host.at[host.len - 1] == ']')
        host = slice_make(host.at + 1, host.len - 2);
    bool fits = colon && slice_to_i64(slice_of(colon + 1), &port) && port > 0 && port < 65536;
    if (fits && host.len > 0 && slice_to_cstr(host, k->host, sizeof(k->host))) {
        k->port = (int32_t)port;
        return ERR_OK;
    }
    return diag_fail(d, ERR_CONFIG, "'%s' is no address to advertise: HOST:PORT", text);
}

static err_t listen_on(struct kafka_door *k, int32_t port, struct tls *tls, bool secure,
                       struct diag *d)
{
    const struct kafka_door_options *o = &k->options;
    if (port < 0) return ERR_OK;
    struct listener_options l = {.address = o->address,
                                 .port = (uint16_t)port,
                                 .tls = tls,
                                 .handler = &link_handler,
                                 .door = &k->shards[0],
                                 .crowd = k->crowd,
                                 .conns_max = o->conns_max,
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

static err_t make_shards(struct kafka_door *k, struct diag *d)
{
    int asked = k->options.loops ? k->options.loops : MIN(thread_cores(), LOOPS_UNASKED_MAX);
    k->shard_count = MAX(1, MIN(asked, SHARDS_MAX));
    for (int i = 0; i < k->shard_count; i++) {
        struct shard *s = &k->shards[i];
        char name[24];
        *s = (struct shard){.door = k, .out = buf_make(RESPONSE_MAX)};
        snprintf(name, sizeof(name), "kafka-%d", i);
        err_t e = loop_new(name, POSTS_MAX, &s->loop, d);
        if (e) return e;
    }
    return ERR_OK;
}

static err_t door_make(struct kafka_door *k, struct diag *d)
{
    struct kafka_door_options *o = &k->options;
    if (!o->request_max) o->request_max = REQUEST_MAX;
    if (!o->conns_max) o->conns_max = CONNS_MAX;
    k->cluster_id = mem_text(slice_of(o->cluster_id));
    if (!k->cluster_id) return diag_fail(d, ERR_NO_MEMORY, "the Kafka door can not start");
    o->cluster_id = k->cluster_id;
    struct crowd_options crowd = {o->conns_max, o->conns_per_address_max};
    err_t e = read_advertised(k, o->advertised, d);
    if (!e) e = crowd_new(&crowd, &k->crowd, d);
    if (!e) e = fetch_room_open(&k->fetches, d);
    if (!e) e = make_shards(k, d);
    if (!e) e = worker_open(&k->worker, d);
    if (!e) e = sasl_room_open(&k->sasl, d);
    if (!e) e = listen_on(k, o->port, NULL, false, d);
    if (!e) e = listen_on(k, o->tls_port, o->tls, true, d);
    for (int i = 0; i < k->shard_count && !e; i++) {
        char name[24];
        snprintf(name, sizeof(name), "kafka-%d", i);
        e = thread_start(&k->shards[i].thread, name, shard_main, &k->shards[i], d);
    }
    return e;
}

err_t kafka_door_open(const struct kafka_door_options *o, struct kafka_door **out, struct diag *d)
{
    struct kafka_door *k = mem_take(sizeof(*k));
    if (!k) return diag_fail(d, ERR_NO_MEMORY, "the Kafka door can not start");
    k->options = *o;
    gate_init(&k->gate);
    err_t e = door_make(k, d);
    if (e) {
        kafka_door_close(k);
        return e;
    }
    *out = k;
    return ERR_OK;
}

/* --- its end ---------------------------------------------------------------------------------- */

static void count(struct kafka_door *k, int *which)
{
    gate_enter(&k->gate);
    ++*which;
    gate_wake(&k->gate);
    gate_leave(&k->gate);
}

static void wait_for(struct kafka_door *k, const int *which, int many)
{
    gate_enter(&k->gate);
    while (*which < many) gate_wait(&k->gate);
    gate_leave(&k->gate);
}

static void shard_stop(struct loop_message *m)
{
    struct shard *s = (struct shard *)((uint8_t *)m - offsetof(struct shard, stop));
    s->stopping = true;
    listener_close(s->plain); /* with its connections; what is under way loses its link's conn */
    listener_close(s->secure);
    s->plain = s->secure = NULL;
    if (s->calls == 0) count(s->door, &s->door->empty);
    count(s->door, &s->door->stopped);
}

static bool runs(const struct kafka_door *k)
{
    return k->shard_count > 0 && k->shards[k->shard_count - 1].thread.started;
}

void kafka_door_stop(struct kafka_door *k)
{
    if (!k || k->stop_begun || !runs(k)) return;
    k->stop_begun = true;
    for (int i = 0; i < k->shard_count; i++) { /* the one that accepts first: listener_join */
        loop_send(k->shards[i].loop, &k->shards[i].stop, shard_stop);
        wait_for(k, &k->stopped, i + 1);
    }
}

void kafka_door_close(struct kafka_door *k)
{
    if (!k) return;
    kafka_door_stop(k);
    sasl_room_close(k->sasl); /* answers what it holds, to shards that still run */
    k->sasl = NULL;
    if (k->stop_begun) wait_for(k, &k->empty, k->shard_count);
    worker_close(k->worker);
    for (int i = 0; i < k->shard_count; i++) {
        struct shard *s = &k->shards[i];
        if (s->thread.started) loop_stop(s->loop);
        thread_join(&s->thread);
        listener_close(s->plain); /* only when opening has failed halfway */
        listener_close(s->secure);
        calls_done(s);
    }
    fetch_room_close(k->fetches);
    for (int i = 0; i < k->shard_count; i++) loop_free(k->shards[i].loop);
    crowd_free(k->crowd);
    gate_done(&k->gate);
    mem_give(k->cluster_id);
    mem_give(k);
}

/* --- what others ask -------------------------------------------------------------------------- */

uint16_t kafka_door_port(const struct kafka_door *k)
{
    return k->shards[0].plain ? listener_port(k->shards[0].plain) : 0;
}

uint16_t kafka_door_tls_port(const struct kafka_door *k)
{
    return k->shards[0].secure ? listener_port(k->shards[0].secure) : 0;
}

const struct kafka_door_options *door_options(const struct kafka_door *k)
{
    return &k->options;
}

struct sasl_room *door_sasl(struct kafka_door *k)
{
    return k->sasl;
}

struct fetch_room *door_fetches(struct kafka_door *k)
{
    return k->fetches;
}

static void run_work(struct loop_message *m)
{
    struct call *c = (struct call *)((uint8_t *)m - offsetof(struct call, message));
    c->work(c);
}

void call_work(struct call *c, kafka_handler *fn)
{
    c->work = fn;
    worker_send(c->door->worker, &c->message, run_work);
}
