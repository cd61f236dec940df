/* The door: its limits, its beginning, its end. */
#include "door/kafka/fetch.h"
#include "door/kafka/link.h"
#include "door/kafka/worker.h"

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

static void make_shards(struct kafka_door *k)
{
    k->shard_count = door_shards_count(&k->options.at);
    for (int i = 0; i < k->shard_count; i++) {
        k->shards[i].door = k;
        k->shards[i].out = buf_make(RESPONSE_MAX);
    }
}

static struct door_shards_options shards_options(struct kafka_door *k)
{
    return (struct door_shards_options){.at = k->options.at,
                                        .name = "kafka",
                                        .handler = &link_handler,
                                        .output_high = OUTPUT_HIGH,
                                        .output_max = OUTPUT_MAX,
                                        .first = k->shards,
                                        .size = sizeof(k->shards[0]),
                                        .count = k->shard_count,
                                        .call_size = sizeof(struct call),
                                        .arena_max = CALL_ARENA_MAX,
                                        .calls_kept = CALLS_KEPT};
}

static err_t door_make(struct kafka_door *k, struct diag *d)
{
    struct kafka_door_options *o = &k->options;
    if (!o->request_max) o->request_max = REQUEST_MAX;
    k->cluster_id = mem_text(slice_of(o->cluster_id));
    if (!k->cluster_id) return diag_fail(d, ERR_NO_MEMORY, "the Kafka door can not start");
    o->cluster_id = k->cluster_id;
    make_shards(k);
    struct door_shards_options shards = shards_options(k);
    err_t e = read_advertised(k, o->advertised, d);
    if (!e) e = fetch_room_open(&k->fetches, d);
    if (!e) e = worker_open(&k->worker, d);
    if (!e) e = sasl_room_open(&k->sasl, d);
    if (!e) e = door_shards_open(&k->its, &shards, d);
    return e;
}

err_t kafka_door_open(const struct kafka_door_options *o, struct kafka_door **out, struct diag *d)
{
    struct kafka_door *k = mem_take(sizeof(*k));
    if (!k) return diag_fail(d, ERR_NO_MEMORY, "the Kafka door can not start");
    k->options = *o;
    err_t e = door_make(k, d);
    if (e) {
        kafka_door_close(k);
        return e;
    }
    *out = k;
    return ERR_OK;
}

/* --- its end ---------------------------------------------------------------------------------- */

void kafka_door_stop(struct kafka_door *k)
{
    if (k) (void)door_shards_stop(&k->its);
}

void kafka_door_close(struct kafka_door *k)
{
    if (!k) return;
    kafka_door_stop(k);
    sasl_room_close(k->sasl); /* answers what it holds, to shards that still run */
    k->sasl = NULL;
    door_shards_end(&k->its);
    worker_close(k->worker);
    for (int i = 0; i < k->shard_count; i++) buf_done(&k->shards[i].out);
    fetch_room_close(k->fetches);
    door_shards_free(&k->its);
    mem_give(k->cluster_id);
    mem_give(k);
}

/* --- what others ask -------------------------------------------------------------------------- */

uint16_t kafka_door_port(const struct kafka_door *k)
{
    return door_shards_port(&k->its, false);
}

uint16_t kafka_door_tls_port(const struct kafka_door *k)
{
    return door_shards_port(&k->its, true);
}

const struct listener *kafka_door_listener(const struct kafka_door *k, bool secure)
{
    return door_shards_listener(&k->its, secure);
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
