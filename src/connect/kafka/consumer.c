#include "connect/kafka/consumer.h"

#include "base/vec.h"
#include "os/clock.h"
#include <stdlib.h>

enum {
    ANSWER_ARENA = 512 << 20,
    ONE_PARTITION = 1 << 20,
    ABORTED_MAX = 100000,
    LEADERLESS_MS = 30000,
    REST_MS = 100
};

struct kafka_consumer {
    struct kafka_client *client;
    struct kafka_consumer_options options;
    struct arena *names, *arena, *opened;
    struct kafka_spot *spots; /* in `names` */
    size_t count;
    size_t first; /* whose turn it is to be asked first */
    bool lost;    /* somebody's leader is to be looked up */
    int64_t lost_since;
    struct vec aborting; /* int64_t: producers inside an aborted transaction, in one partition */
};

struct poll {
    struct kafka_consumer *c;
    err_t (*each)(void *ctx, const struct kafka_taken *t);
    void *ctx;
};

err_t kafka_consumer_open(struct kafka_client *k, const struct kafka_consumer_options *o,
                          struct kafka_consumer **out, struct diag *d)
{
    struct kafka_consumer *c = mem_take(sizeof(*c));
    if (!c) return diag_fail(d, ERR_NO_MEMORY, "no memory for a consumer");
    *c = (struct kafka_consumer){.client = k,
                                 .options = *o,
                                 .names = arena_new(MIB(16)),
                                 .arena = arena_new(ANSWER_ARENA),
                                 .opened = arena_new(RECORD_BATCH_OPENED_MAX + MIB(1)),
                                 .aborting = vec_make(sizeof(int64_t), ABORTED_MAX)};
    if (!c->options.max_bytes) c->options.max_bytes = 16 << 20;
    if (!c->names || !c->arena || !c->opened) {
        kafka_consumer_close(c);
        return diag_fail(d, ERR_NO_MEMORY, "no memory for a consumer");
    }
    *out = c;
    return ERR_OK;
}

void kafka_consumer_close(struct kafka_consumer *c)
{
    if (!c) return;
    arena_free(c->names);
    arena_free(c->arena);
    arena_free(c->opened);
    vec_done(&c->aborting);
    mem_give(c);
}

struct kafka_spot *kafka_consumer_spots(struct kafka_consumer *c, size_t *count)
{
    *count = c->count;
    return c->spots;
}

/* --- who leads -------------------------------------------------------------------------------- */

static int by_topic(const void *a, const void *b)
{
    const struct kafka_spot *x = a, *y = b;
    int order = slice_compare(x->topic, y->topic);
    return order ? order : (x->partition > y->partition) - (x->partition < y->partition);
}

static struct kafka_spot *spot_of(struct kafka_consumer *c, struct slice topic, int32_t partition)
{
    struct kafka_spot key = {.topic = topic, .partition = partition};
    return c->count ? bsearch(&key, c->spots, c->count, sizeof(key), by_topic) : NULL;
}

static void take_topic(struct kafka_consumer *c, const struct kafka_metadata_response_topic *t)
{
    for (int32_t i = 0; i < t->partitions.count; i++) {
        struct kafka_spot *s = spot_of(c, t->name, t->partitions.at[i].partition_index);
        if (s) s->leader = t->partitions.at[i].leader_id;
    }
}

static err_t look_up(struct kafka_consumer *c, struct diag *d)
{
    struct kafka_metadata_response *m;
    arena_reset(c->arena);
    struct slice *names = arena_take(c->arena, (c->count + 1) * sizeof(*names));
    int32_t count = 0;
    if (!names) return diag_fail(d, ERR_NO_MEMORY, "no memory to ask for topics");
    for (size_t i = 0; i < c->count; i++) {
        c->spots[i].leader = -1;
        if (count == 0 || slice_compare(names[count - 1], c->spots[i].topic) != 0)
            names[count++] = c->spots[i].topic;
    }
    err_t e = kafka_client_topics(c->client, names, count, false, c->arena, &m, d);
    for (int32_t i = 0; !e && i < m->topics.count; i++) {
        const struct kafka_metadata_response_topic *t = &m->topics.at[i];
        if (t->error_code == 0) take_topic(c, t);
        if (t->error_code && !kafka_error_of(t->error_code)->retriable)
            e = kafka_client_error(t->error_code, (struct slice){0}, d, "topic '%.*s'",
                                   SLICE_ARG(t->name));
    }
    if (!e) c->lost = false;
    for (size_t i = 0; !e && i < c->count; i++)
        if (c->spots[i].leader < 0 && !c->spots[i].paused) c->lost = true;
    return e;
}

err_t kafka_consumer_assign(struct kafka_consumer *c, const struct kafka_spot *spots, size_t count,
                            struct diag *d)
{
    c->count = 0;
    if (count > CONSUMER_PARTITIONS_MAX)
        return diag_fail(d, ERR_TOO_BIG, "%zu partitions to read", count);
    arena_reset(c->names);
    c->spots = arena_take(c->names, (count + 1) * sizeof(*c->spots));
    if (!c->spots) return diag_fail(d, ERR_NO_MEMORY, "no memory for %zu partitions", count);
    for (size_t i = 0; i < count; i++) {
        c->spots[i] = spots[i];
        c->spots[i].end = -1;
        c->spots[i].error = 0;
        c->spots[i].paused = false;
        c->spots[i].topic = arena_slice(c->names, spots[i].topic);
        if (!c->spots[i].topic.at) return diag_fail(d, ERR_NO_MEMORY, "no memory for names");
    }
    if (count > 1) qsort(c->spots, count, sizeof(*c->spots), by_topic);
    c->count = count;
    c->first = 0;
    c->lost = false;
    return count ? look_up(c, d) : ERR_OK;
}

/* --- batches ---------------------------------------------------------------------------------- */

static bool is_aborting(const struct kafka_consumer *c, int64_t producer)
{
    for (size_t i = 0; i < c->aborting.count; i++)
        if (*(int64_t *)vec_at(&c->aborting, i) == producer) return true;
    return false;
}

static void ends_transaction(struct kafka_consumer *c, int64_t producer)
{
    for (size_t i = c->aborting.count; i-- > 0;)
        if (*(int64_t *)vec_at(&c->aborting, i) == producer) vec_remove(&c->aborting, i);
}

/* Aborted transactions that begin before this batch ends. The list is sorted by where they begin.
 */
static err_t begin_aborted(struct kafka_consumer *c, const struct record_batch *b,
                           const struct kafka_fetch_response_partition *a, int32_t *next)
{
    int64_t last = b->base_offset + b->last_offset_delta;
    err_t e = ERR_OK;
    for (; !e && *next < a->aborted_transactions.count; (*next)++) {
        if (a->aborted_transactions.at[*next].first_offset > last) break;
        e = vec_push(&c->aborting, &a->aborted_transactions.at[*next].producer_id);
    }
    return e;
}

static err_t hand_batch(struct poll *p, struct kafka_spot *s, const struct record_batch *b,
                        struct diag *d)
{
    struct record_reader r;
    struct kafka_taken t = {
        .spot = s, .leader_epoch = b->leader_epoch, .append_time = b->attributes & 8};
    arena_reset(p->c->opened);
    err_t e = record_batch_open(b, p->c->opened, RECORD_BATCH_OPENED_MAX, &r);
    while (!e && !(e = record_next(&r, &t.record))) {
        if (t.record.offset < s->position) continue;
        if (t.append_time) t.record.timestamp = b->max_timestamp;
        s->position = t.record.offset + 1;
        e = p->each(p->ctx, &t);
        if (e) return e;
    }
    if (e != ERR_NOT_FOUND)
        return diag_fail(d, e, "the batch at offset %lld of '%.*s' partition %d can not be read",
                         (long long)b->base_offset, SLICE_ARG(s->topic), s->partition);
    return ERR_OK;
}

static err_t hand_records(struct poll *p, struct kafka_spot *s,
                          const struct kafka_fetch_response_partition *a, struct diag *d)
{
    struct slice left = a->records.null ? (struct slice){0} : a->records.bytes;
    struct record_batch b;
    int32_t next_aborted = 0;
    bool committed = p->c->options.committed;
    vec_clear(&p->c->aborting);
    while (left.len) {
        err_t e = record_batch_read(left, true, &b);
        if (e == ERR_SHORT) return ERR_OK; /* the answer was cut there */
        if (e)
            return diag_fail(d, e, "what follows offset %lld of '%.*s' partition %d is no batch",
                             (long long)s->position, SLICE_ARG(s->topic), s->partition);
        size_t size = record_batch_size(&b);
        left = slice_make(left.at + size, left.len - size);
        if (committed) e = begin_aborted(p->c, &b, a, &next_aborted);
        if (e) return diag_fail(d, e, "more than %d open aborted transactions", ABORTED_MAX);
        bool control = b.attributes & 32;
        bool aborted = committed && b.attributes & 16 && is_aborting(p->c, b.producer_id);
        if (control) ends_transaction(p->c, b.producer_id);
        int64_t behind = b.base_offset + b.last_offset_delta + 1;
        if (!control && !aborted && behind > s->position) e = hand_batch(p, s, &b, d);
        if (e) return e;
        s->position = MAX(s->position, behind); /* compaction leaves holes */
    }
    return ERR_OK;
}

/* --- asking ----------------------------------------------------------------------------------- */

static err_t take_partition(struct poll *p, struct slice topic,
                            const struct kafka_fetch_response_partition *a, struct diag *d)
{
    struct kafka_spot *s = spot_of(p->c, topic, a->partition_index);
    if (!s) return diag_fail(d, ERR_PEER, "records of a partition that was not asked for");
    if (a->error_code == 0) {
        s->end = p->c->options.committed ? a->last_stable_offset : a->high_watermark;
        return hand_records(p, s, a, d);
    }
    if (kafka_error_of(a->error_code)->retriable &&
        a->error_code != KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION) {
        p->c->lost = true;
        s->leader = -1;
        return ERR_OK;
    }
    s->error = a->error_code;
    s->paused = true;
    return ERR_OK;
}

/* The request's rows for one leader, from `first` round; NULL: no memory, or nothing to ask. */
static err_t make_request(struct kafka_consumer *c, int32_t leader, struct kafka_fetch_request *r)
{
    int32_t count = (int32_t)c->count;
    r->topics.at = kafka_new(c->arena, &kafka_fetch_request_topic_struct, count);
    struct kafka_fetch_request_partition *rows =
        kafka_new(c->arena, &kafka_fetch_request_partition_struct, count);
    if (!r->topics.at || !rows) return ERR_NO_MEMORY;
    r->topics.count = 0;
    for (int32_t i = 0; i < count; i++) {
        const struct kafka_spot *s = &c->spots[(c->first + (size_t)i) % c->count];
        if (s->leader != leader || s->paused) continue;
        struct kafka_fetch_request_topic *t = NULL;
        if (r->topics.count) t = &r->topics.at[r->topics.count - 1];
        if (!t || slice_compare(t->topic, s->topic) != 0) {
            t = &r->topics.at[r->topics.count++];
            t->topic = s->topic;
            t->partitions.at = rows;
            t->partitions.count = 0;
        }
        rows->partition = s->partition;
        rows->fetch_offset = s->position;
        rows->partition_max_bytes = ONE_PARTITION;
        rows++;
        t->partitions.count++;
    }
    return ERR_OK;
}

static err_t fetch_from(struct poll *p, int32_t leader, int32_t wait_ms, struct diag *d)
{
    struct kafka_consumer *c = p->c;
    struct kafka_fetch_request r;
    struct kafka_ask q = {
        .api = KAFKA_API_fetch, .newest = 12, .request = &r, .timeout_ms = wait_ms + 30000};
    arena_reset(c->arena);
    kafka_init(&kafka_fetch_request_message, &r);
    r.max_wait_ms = wait_ms;
    r.min_bytes = 1;
    r.max_bytes = c->options.max_bytes;
    r.isolation_level = c->options.committed;
    if (make_request(c, leader, &r)) return diag_fail(d, ERR_NO_MEMORY, "no memory to fetch");
    if (r.topics.count == 0) return ERR_OK;
    err_t e = kafka_client_ask(c->client, leader, &q, c->arena, d);
    if (e == ERR_PEER || e == ERR_IO) { /* it went: another may lead, or it comes back */
        c->lost = true;
        dial_rest(REST_MS);
        return ERR_OK;
    }
    if (e) return e;
    const struct kafka_fetch_response *o = q.response;
    e = kafka_client_error(o->error_code, (struct slice){0}, d, "fetching from broker %d", leader);
    for (int32_t i = 0; !e && i < o->responses.count; i++)
        for (int32_t k = 0; !e && k < o->responses.at[i].partitions.count; k++)
            e = take_partition(p, o->responses.at[i].topic, &o->responses.at[i].partitions.at[k],
                               d);
    return e;
}

/* Looks leaders up again; a cluster that has none for long is given up. */
static err_t find_leaders(struct kafka_consumer *c, struct diag *d)
{
    int64_t now = clock_mono_ns() / 1000000;
    if (!c->lost) {
        c->lost_since = now;
        return ERR_OK;
    }
    err_t e = look_up(c, d);
    if (!e && !c->lost) return ERR_OK;
    if (e && e != ERR_PEER && e != ERR_TIMEOUT && e != ERR_IO) return e;
    c->lost = true;
    if (now - c->lost_since > LEADERLESS_MS)
        return e ? e : diag_fail(d, ERR_TIMEOUT, "no leader for partitions that are read");
    dial_rest(REST_MS);
    return ERR_OK;
}

err_t kafka_consumer_poll(struct kafka_consumer *c, int32_t wait_ms,
                          err_t (*each)(void *ctx, const struct kafka_taken *t), void *ctx,
                          struct diag *d)
{
    struct poll p = {.c = c, .each = each, .ctx = ctx};
    struct kafka_node nodes[CLIENT_NODES_MAX];
    bool leads[CLIENT_NODES_MAX] = {false};
    int32_t leaders = 0;
    err_t e = find_leaders(c, d);
    size_t count = kafka_client_nodes(c->client, nodes, CLIENT_NODES_MAX);
    for (size_t n = 0; n < count; n++)
        for (size_t i = 0; i < c->count && !leads[n]; i++)
            leads[n] = c->spots[i].leader == nodes[n].id && !c->spots[i].paused;
    for (size_t n = 0; n < count; n++) leaders += leads[n];
    if (!leaders && !e) dial_rest(MIN(wait_ms, REST_MS));
    for (size_t n = 0; !e && n < count; n++)
        if (leads[n]) e = fetch_from(&p, nodes[n].id, wait_ms / leaders, d);
    if (c->count) c->first = (c->first + 1) % c->count;
    return e;
}
