#include "connect/kafka/producer.h"

#include "os/clock.h"
#include <stdlib.h>

enum {
    BETWEEN_TRIES_MS = 100,
    FOR_TOPIC_MS = 5000,
    ANSWER_ARENA = 64 << 20,
    REQUEST_BYTES = 16 << 20
};

struct lane { /* one partition */
    int32_t leader;
    struct record_builder builder; /* what is gathered */
    bool made;                     /* the builder */
    struct buf batch;              /* finished: kept byte for byte until it is acknowledged */
    int32_t waiting;               /* records in `batch` */
    int32_t sequence;              /* of the next batch's first record */
};

struct kafka_producer {
    struct kafka_client *client;
    struct kafka_producer_options options;
    struct slice topic;
    struct arena *texts, *arena;
    struct lane *lanes;
    int32_t lane_count, sticky;
    size_t gathered; /* bytes in all builders */
    int64_t producer_id;
    int16_t epoch;
    uint64_t sent;
    bool refused; /* the broker said no, and would say it again */
    struct rng rng;
};

/* --- who leads -------------------------------------------------------------------------------- */

static err_t make_lanes(struct kafka_producer *p, int32_t count, struct diag *d)
{
    if (count > PRODUCER_PARTITIONS_MAX)
        return diag_fail(d, ERR_TOO_BIG, "'%s' has %d partitions", p->options.topic, count);
    struct lane *lanes = mem_resize(p->lanes, (size_t)count * sizeof(*lanes));
    if (!lanes) return diag_fail(d, ERR_NO_MEMORY, "no memory for %d partitions", count);
    for (int32_t i = p->lane_count; i < count; i++)
        lanes[i] = (struct lane){.leader = -1, .batch = buf_make(RECORD_BATCH_MAX + KIB(64))};
    p->lanes = lanes;
    p->lane_count = count;
    return ERR_OK;
}

/* ERR_OK when the topic is known; *again when asking later may help. */
static err_t look_up(struct kafka_producer *p, bool *again, struct diag *d)
{
    struct kafka_metadata_response *m;
    arena_reset(p->arena);
    err_t e = kafka_client_topics(p->client, &p->topic, 1, true, p->arena, &m, d);
    *again = e == ERR_PEER || e == ERR_TIMEOUT || e == ERR_IO;
    if (e) return e;
    if (m->topics.count != 1) return diag_fail(d, ERR_PEER, "metadata of another topic");
    const struct kafka_metadata_response_topic *t = &m->topics.at[0];
    e = kafka_client_error(t->error_code, (struct slice){0}, d, "topic '%s'", p->options.topic);
    *again = e && kafka_error_of(t->error_code)->retriable;
    if (e && t->error_code == KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION)
        (void)diag_hint(d, "sluice topics create %s makes it", p->options.topic);
    if (!e && t->partitions.count > p->lane_count) e = make_lanes(p, t->partitions.count, d);
    for (int32_t i = 0; !e && i < t->partitions.count; i++) {
        int32_t n = t->partitions.at[i].partition_index;
        if (n >= 0 && n < p->lane_count) p->lanes[n].leader = t->partitions.at[i].leader_id;
    }
    return e;
}

static err_t look_up_until(struct kafka_producer *p, int64_t end_ms, struct diag *d)
{
    for (;;) {
        bool again;
        err_t e = look_up(p, &again, d);
        if (!e || !again || clock_mono_ns() / 1000000 > end_ms) return e;
        dial_rest(BETWEEN_TRIES_MS);
    }
}

static err_t ask_id(struct kafka_producer *p, struct diag *d)
{
    struct kafka_init_producer_id_request r;
    struct kafka_ask q = {.api = KAFKA_API_init_producer_id, .newest = 4, .request = &r};
    kafka_init(&kafka_init_producer_id_request_message, &r);
    r.transaction_timeout_ms = 60000;
    r.transactional_id = (struct slice){0};
    for (int tries = 0;; tries++) {
        arena_reset(p->arena);
        err_t e = kafka_client_ask(p->client, CLIENT_ANY_NODE, &q, p->arena, d);
        if (e) return e;
        const struct kafka_init_producer_id_response *o = q.response;
        p->producer_id = o->producer_id;
        p->epoch = o->producer_epoch;
        e = kafka_client_error(o->error_code, (struct slice){0}, d, "asking for a producer's id");
        if (!e || !kafka_error_of(o->error_code)->retriable || tries == 100) return e;
        dial_rest(BETWEEN_TRIES_MS);
    }
}

/* --- open and close --------------------------------------------------------------------------- */

static int64_t deadline(const struct kafka_producer *p)
{
    return clock_mono_ns() / 1000000 + p->options.timeout_ms;
}

err_t kafka_producer_open(struct kafka_client *k, const struct kafka_producer_options *o,
                          struct kafka_producer **out, struct diag *d)
{
    struct kafka_producer *p = mem_take(sizeof(*p));
    if (!p) return diag_fail(d, ERR_NO_MEMORY, "no memory for a producer");
    p->client = k;
    p->options = *o;
    if (!p->options.batch_bytes) p->options.batch_bytes = PRODUCER_BATCH;
    if (!p->options.timeout_ms) p->options.timeout_ms = 120000;
    p->producer_id = -1;
    p->epoch = -1;
    p->rng = rng_make((uint64_t)clock_mono_ns());
    p->texts = arena_new(KIB(64));
    p->arena = arena_new(ANSWER_ARENA);
    const char *topic = p->texts ? arena_text(p->texts, slice_of(o->topic)) : NULL;
    err_t e = ERR_OK;
    if (!topic || !p->arena) {
        e = diag_fail(d, ERR_NO_MEMORY, "no memory for a producer");
    } else {
        p->options.topic = topic;
        p->topic = slice_of(topic);
        e = look_up_until(p, clock_mono_ns() / 1000000 + FOR_TOPIC_MS, d);
    }
    if (!e && p->lane_count == 0) e = diag_fail(d, ERR_PEER, "'%s' has no partitions", topic);
    if (!e && o->idempotent) e = ask_id(p, d);
    if (e) {
        kafka_producer_close(p);
        return e;
    }
    p->sticky = (int32_t)rng_below(&p->rng, (uint64_t)p->lane_count);
    *out = p;
    return ERR_OK;
}

void kafka_producer_close(struct kafka_producer *p)
{
    if (!p) return;
    for (int32_t i = 0; i < p->lane_count; i++) {
        if (p->lanes[i].made) record_builder_done(&p->lanes[i].builder);
        buf_done(&p->lanes[i].batch);
    }
    mem_give(p->lanes);
    arena_free(p->texts);
    arena_free(p->arena);
    mem_give(p);
}

uint64_t kafka_producer_sent(const struct kafka_producer *p)
{
    return p->sent;
}

/* --- sending ---------------------------------------------------------------------------------- */

static err_t finish_batches(struct kafka_producer *p, struct diag *d)
{
    for (int32_t i = 0; i < p->lane_count; i++) {
        struct lane *l = &p->lanes[i];
        if (!l->made || l->builder.count == 0) continue;
        struct record_batch_options o = {.codec = p->options.codec,
                                         .producer_id = p->producer_id,
                                         .producer_epoch = p->epoch,
                                         .base_sequence = p->producer_id < 0 ? -1 : l->sequence};
        int32_t count = l->builder.count;
        buf_reset(&l->batch);
        err_t e = record_builder_finish(&l->builder, &o, &l->batch);
        if (e) return diag_fail(d, e, "a batch of %d records can not be made", count);
        l->waiting = count;
        /* sequences go round at 2^31 - 1 */
        l->sequence = (int32_t)(((uint32_t)l->sequence + (uint32_t)count) & INT32_MAX);
        record_builder_reset(&l->builder);
    }
    p->gathered = 0;
    return ERR_OK;
}

/* Takes one partition's answer. ERR_OK with l->waiting > 0: once more. */
static err_t take_answer(struct kafka_producer *p, int32_t partition, int16_t code,
                         struct slice message, struct diag *d)
{
    struct lane *l = &p->lanes[partition];
    if (code == 0 || code == KAFKA_ERROR_DUPLICATE_SEQUENCE_NUMBER) {
        p->sent += (uint64_t)l->waiting;
        l->waiting = 0;
        return ERR_OK;
    }
    err_t e = kafka_client_error(code, message, d, "writing to '%s' partition %d", p->options.topic,
                                 partition);
    if (kafka_error_of(code)->retriable) return ERR_OK;
    p->refused = true;
    return e;
}

/* One leader's batches in one request, REQUEST_BYTES of them at most. */
static err_t send_to(struct kafka_producer *p, int32_t leader, struct diag *d)
{
    struct kafka_produce_request r;
    struct kafka_produce_request_topic one;
    struct kafka_ask q = {.api = KAFKA_API_produce, .newest = 12, .request = &r};
    size_t bytes = 0;
    arena_reset(p->arena);
    kafka_init(&kafka_produce_request_message, &r);
    kafka_struct_init(&kafka_produce_request_topic_struct, &one);
    r.acks = p->options.acks;
    r.timeout_ms = 30000;
    r.topic_data.at = &one;
    r.topic_data.count = 1;
    one.name = p->topic;
    one.partition_data.at =
        kafka_new(p->arena, &kafka_produce_request_partition_struct, p->lane_count);
    if (!one.partition_data.at) return diag_fail(d, ERR_NO_MEMORY, "no memory for a request");
    one.partition_data.count = 0;
    for (int32_t i = 0; i < p->lane_count && bytes < REQUEST_BYTES; i++) {
        if (p->lanes[i].leader != leader || !p->lanes[i].waiting) continue;
        struct kafka_produce_request_partition *to =
            &one.partition_data.at[one.partition_data.count++];
        to->index = i;
        to->records = (struct kafka_records){.bytes = buf_view(&p->lanes[i].batch), .fd = -1};
        bytes += p->lanes[i].batch.len;
    }
    q.unanswered = r.acks == 0;
    err_t e = kafka_client_ask(p->client, leader, &q, p->arena, d);
    if (e) return e;
    if (q.unanswered) { /* nobody will tell */
        for (int32_t i = 0; !e && i < one.partition_data.count; i++)
            e = take_answer(p, one.partition_data.at[i].index, 0, (struct slice){0}, d);
        return e;
    }
    const struct kafka_produce_response *o = q.response;
    for (int32_t i = 0; !e && i < o->responses.count; i++)
        for (int32_t k = 0; !e && k < o->responses.at[i].partition_responses.count; k++) {
            const struct kafka_produce_response_partition *a =
                &o->responses.at[i].partition_responses.at[k];
            if (a->index < 0 || a->index >= p->lane_count)
                return diag_fail(d, ERR_PEER, "an answer for partition %d", a->index);
            e = take_answer(p, a->index, a->error_code, a->error_message, d);
        }
    return e;
}

static int32_t next_waiting(const struct kafka_producer *p, int32_t from)
{
    while (from < p->lane_count && !p->lanes[from].waiting) from++;
    return from;
}

/* Every leader that has batches waiting, once. A connection that breaks leaves them waiting. */
static err_t send_round(struct kafka_producer *p, bool *troubled, struct diag *d)
{
    *troubled = false;
    for (int32_t i = next_waiting(p, 0); i < p->lane_count; i = next_waiting(p, i + 1)) {
        int32_t leader = p->lanes[i].leader;
        err_t e = leader < 0 ? ERR_OK : send_to(p, leader, d);
        if (p->refused || (e && e != ERR_PEER && e != ERR_TIMEOUT && e != ERR_IO)) return e;
        *troubled |= e != ERR_OK || p->lanes[i].waiting;
    }
    return ERR_OK;
}

static err_t send_all(struct kafka_producer *p, struct diag *d)
{
    int64_t end = deadline(p);
    while (next_waiting(p, 0) < p->lane_count) {
        bool troubled;
        err_t e = send_round(p, &troubled, d);
        if (e) return e;
        if (!troubled) continue; /* a part did not fit the request */
        if (clock_mono_ns() / 1000000 > end)
            return d && d->err ? d->err
                               : diag_fail(d, ERR_TIMEOUT, "no leader for '%s'", p->options.topic);
        dial_rest(BETWEEN_TRIES_MS);
        e = look_up_until(p, end, d);
        if (e) return e;
    }
    return ERR_OK;
}

err_t kafka_producer_flush(struct kafka_producer *p, struct diag *d)
{
    err_t e = send_all(p, d); /* of a flush that failed */
    if (!e) e = finish_batches(p, d);
    if (!e) e = send_all(p, d);
    p->sticky = (int32_t)rng_below(&p->rng, (uint64_t)p->lane_count);
    return e;
}

err_t kafka_producer_add(struct kafka_producer *p, const struct kafka_produced *r, struct diag *d)
{
    int32_t to = r->partition;
    if (to < 0) to = r->key.at ? kafka_partition_of(r->key, p->lane_count) : p->sticky;
    if (to >= p->lane_count)
        return diag_fail(d, ERR_RANGE, "'%s' has no partition %d, only 0 to %d", p->options.topic,
                         to, p->lane_count - 1);
    struct lane *l = &p->lanes[to];
    if (!l->made) l->builder = record_builder_make(RECORD_BATCH_MAX);
    l->made = true;
    /* one that would not fit with the others goes alone */
    size_t need = (size_t)r->key.len + r->value.len + 64;
    bool full = l->builder.count && l->builder.records.len + need > p->options.batch_bytes;
    if (full || p->gathered > REQUEST_BYTES) {
        err_t e = kafka_producer_flush(p, d);
        if (e) return e;
        if (r->partition < 0 && !r->key.at) return kafka_producer_add(p, r, d);
    }
    size_t before = l->builder.records.len;
    record_builder_add(&l->builder, r->timestamp, r->key, r->value, r->headers, r->header_count);
    p->gathered += l->builder.records.len - before;
    return ERR_OK;
}
