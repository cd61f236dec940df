/* The CQL door: its limits, its beginning, its end. */
#include "door/cql/link.h"

enum { FRAME_MAX = 16 << 20, CALLS_MAX = 4096, INPUT_MAX = 256 << 10 };
static const size_t BYTES_MAX = (size_t)256 << 20;

/* --- opening ---------------------------------------------------------------------------------- */

static void make_shards(struct cql_door *k)
{
    k->shard_count = door_shards_count(&k->options.at);
    for (int i = 0; i < k->shard_count; i++) {
        struct shard *s = &k->shards[i];
        s->door = k;
        s->waiting_last = &s->waiting;
        gate_init(&s->roster_gate);
        s->out = buf_make(ANSWER_MAX);
        s->scratch = buf_make(ANSWER_MAX);
        s->bytes_max = k->options.bytes_max / (size_t)k->shard_count;
    }
}

static void say_down(struct door_shard *s)
{
    events_down((struct shard *)s);
}

static struct door_shards_options shards_options(struct cql_door *k)
{
    return (struct door_shards_options){.at = k->options.at,
                                        .name = "cql-door",
                                        .handler = &cql_link_handler,
                                        .input_max = INPUT_MAX,
                                        .output_high = OUTPUT_HIGH,
                                        .output_max = OUTPUT_MAX,
                                        .first = k->shards,
                                        .size = sizeof(k->shards[0]),
                                        .count = k->shard_count,
                                        .call_size = sizeof(struct call),
                                        .arena_max = CQL_CALL_BYTES_MAX,
                                        .calls_kept = CALLS_KEPT,
                                        .leaving = say_down};
}

static void set_defaults(struct cql_door_options *o)
{
    if (!o->frame_max) o->frame_max = FRAME_MAX;
    if (!o->calls_max) o->calls_max = CALLS_MAX;
    if (!o->bytes_max) o->bytes_max = BYTES_MAX;
}

err_t cql_door_open(const struct cql_door_options *o, struct cql_door **out, struct diag *d)
{
    struct cql_door *k = mem_take(sizeof(*k));
    if (!k) return diag_fail(d, ERR_NO_MEMORY, "the CQL door can not start");
    k->options = *o;
    set_defaults(&k->options);
    make_shards(k);
    struct door_shards_options shards = shards_options(k);
    err_t e = login_room_open("cql-login", &k->logins, d);
    if (!e) e = door_shards_open(&k->its, &shards, d);
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

void cql_door_stop(struct cql_door *k)
{
    if (!k || !door_shards_stop(&k->its)) return;
    login_room_close(k->logins); /* answers what it holds, to shards that still run */
    k->logins = NULL;
}

void cql_door_close(struct cql_door *k)
{
    if (!k) return;
    cql_door_stop(k);
    if (k->its.stop_begun) cql_clients_from(k->options.cql, NULL, NULL);
    login_room_close(k->logins); /* when opening has failed halfway */
    door_shards_end(&k->its);
    for (int i = 0; i < k->shard_count; i++) {
        struct shard *s = &k->shards[i];
        buf_done(&s->out);
        buf_done(&s->scratch);
        mem_give(s->unpacked);
        gate_done(&s->roster_gate);
    }
    door_shards_free(&k->its);
    mem_give(k);
}

uint16_t cql_door_port(const struct cql_door *k)
{
    return door_shards_port(&k->its, false);
}

uint16_t cql_door_tls_port(const struct cql_door *k)
{
    return door_shards_port(&k->its, true);
}

const struct listener *cql_door_listener(const struct cql_door *k, bool secure)
{
    return door_shards_listener(&k->its, secure);
}
