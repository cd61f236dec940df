/* Produce: batches go to the log as they came, patched in place in the request's own frame. All of
 * a request are queued before any is waited for; the answer goes when the last one is on disk. */
#include "base/metric.h"
#include "coord/txns.h"
#include "door/kafka/kafka_int.h"
#include "door/kafka/recode.h"
#include "log/log.h"

#include <stdatomic.h>
#include <stdio.h>

enum { TRANSACTIONAL = 16, CODEC_MASK = 7, ZSTD_SINCE = 7, MESSAGES_SINCE = 8 };

struct item { /* one partition of the request */
    struct log_append append;
    struct kafka_produce_response_partition *out;
    struct slice topic;
    struct txn_partition *in_txn; /* when it has to be let in first */
    uint8_t *recoded;             /* mem_: batches in another codec than they came in */
};

struct produce {
    struct call *call;
    struct item *items;
    uint32_t count;
    _Atomic uint32_t pending; /* appends not answered, and one while they are being queued */
    struct txn_add add;
};

/* --- errors ----------------------------------------------------------------------------------- */

/* The log's answers in a producer's words. */
static int16_t code_of(err_t e)
{
    switch (e) {
    case ERR_EXISTS: return KAFKA_ERROR_DUPLICATE_SEQUENCE_NUMBER;
    case ERR_FENCED: return KAFKA_ERROR_INVALID_PRODUCER_EPOCH;
    case ERR_OFFSET_RANGE: return KAFKA_ERROR_OUT_OF_ORDER_SEQUENCE_NUMBER;
    case ERR_SHORT: return KAFKA_ERROR_CORRUPT_MESSAGE;
    case ERR_MALFORMED:
    case ERR_VERSION:
    case ERR_UNSUPPORTED: return KAFKA_ERROR_INVALID_RECORD;
    case ERR_BUSY: return KAFKA_ERROR_REQUEST_TIMED_OUT; /* both may be tried again */
    case ERR_STOPPED: return KAFKA_ERROR_NOT_LEADER_OR_FOLLOWER;
    default: return err_kafka(e);
    }
}

static void refuse(struct call *c, struct item *i, int16_t code, const char *why)
{
    i->out->error_code = code;
    i->out->base_offset = -1;
    i->append.partition = NULL;
    if (why && c->head.api_version >= MESSAGES_SINCE) i->out->error_message = call_text(c, why);
}

/* --- what is asked, before the log sees it ---------------------------------------------------- */

/* ProduceRequest.validateRecords: one batch of format 2, in a codec that the version knows. */
static err_t look_at(struct call *c, const struct kafka_produce_request_partition *p,
                     struct record_batch *b, const char **why)
{
    struct slice all = p->records.bytes;
    *why = "Produce requests must have exactly one record batch per partition";
    if (p->records.null || all.len == 0) return ERR_RECORD;
    err_t e = record_batch_read(all, false, b);
    *why = "Produce requests are only allowed to contain record batches with magic version 2";
    if (e == ERR_VERSION) return ERR_RECORD;
    *why = "The record batch is damaged";
    if (e) return ERR_CORRUPT;
    *why = "Produce requests must have exactly one record batch per partition";
    if (record_batch_size(b) != all.len) return ERR_RECORD;
    *why = "Produce requests before version 7 are not allowed to use ZStandard compression";
    if ((b->attributes & CODEC_MASK) == CODEC_ZSTD && c->head.api_version < ZSTD_SINCE)
        return ERR_COMPRESSION;
    *why = NULL;
    return ERR_OK;
}

static bool is_admin_client(const struct call *c)
{
    return slice_is(c->head.client_id, "__admin_client");
}

/* A batch in the codec that its topic wants; producer: as it is. */
static bool recode(struct call *c, struct item *i, const struct record_batch *b, int32_t codec)
{
    struct diag d = {0};
    if (codec < 0 || (b->attributes & CODEC_MASK) == codec) return true;
    size_t size;
    err_t e = batch_recode(b, (enum codec)codec, &i->recoded, &size, &d);
    if (e) {
        refuse(c, i, code_of(e), d.what);
        return false;
    }
    i->append.batches = i->recoded;
    i->append.size = size;
    return true;
}

static bool prepare(struct call *c, struct item *i, const struct kafka_produce_request_partition *p,
                    struct log_topic *t, int32_t codec)
{
    const struct kafka_produce_request *q = c->request;
    struct record_batch b;
    const char *why;
    struct log_partition *partition = t ? log_partition(t, p->index) : NULL;
    if (q->acks < -1 || q->acks > 1) {
        refuse(c, i, KAFKA_ERROR_INVALID_REQUIRED_ACKS, NULL);
    } else if (!partition) {
        if (!i->out->error_code) i->out->error_code = KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION;
        refuse(c, i, i->out->error_code, NULL);
    } else if (log_topic_is_internal(t) && !is_admin_client(c)) {
        refuse(c, i, KAFKA_ERROR_INVALID_TOPIC_EXCEPTION, "Cannot append to an internal topic");
    } else {
        err_t e = look_at(c, p, &b, &why);
        if (e) refuse(c, i, err_kafka(e), why);
        i->append.partition = e ? NULL : partition;
        i->append.batches = (uint8_t *)(uintptr_t)p->records.bytes.at; /* our own frame */
        i->append.size = p->records.bytes.len;
        return !e && recode(c, i, &b, codec);
    }
    return false;
}

/* --- its way ---------------------------------------------------------------------------------- */

static void ended(struct loop_message *m);

static void finish_item(struct call *c, struct item *i)
{
    const struct log_append *a = &i->append;
    if (!a->partition) return; /* refused before */
    if (a->err) {
        const char *why = a->diag.why[0] ? a->diag.why : a->diag.what;
        refuse(c, i, code_of(a->err), why);
        return;
    }
    i->out->base_offset = a->base_offset;
    i->out->log_append_time_ms = a->append_time_ms;
    i->out->log_start_offset = log_start_offset(a->partition);
}

static void answer(struct call *c)
{
    struct produce *p = c->kept;
    const struct kafka_produce_request *q = c->request;
    const struct item *bad = NULL;
    for (uint32_t i = 0; i < p->count; i++) {
        finish_item(c, &p->items[i]);
        mem_give(p->items[i].recoded);
        if (p->items[i].out->error_code) bad = &p->items[i];
    }
    c->silent = q->acks == 0;
    if (!c->silent || !bad) {
        call_answer(c);
        return;
    }
    /* As Kafka: nobody reads an error, so that the end of the connection has to tell it. */
    diag_fail(&c->diag, ERR_RECORD, "acks=0 and topic '%.*s' partition %d: %s",
              SLICE_ARG(bad->topic), bad->out->index, kafka_error_of(bad->out->error_code)->name);
    call_break(c);
}

static void ended(struct loop_message *m)
{
    answer((struct call *)((uint8_t *)m - offsetof(struct call, message)));
}

static void one_less(struct produce *p)
{
    if (atomic_fetch_sub(&p->pending, 1) == 1)
        loop_send(call_loop(p->call), &p->call->message, ended);
}

static void on_disk(struct log_append *a)
{
    one_less(a->arg);
}

static void append_all(struct call *c)
{
    struct produce *p = c->kept;
    struct log *log = door_options(c->door)->log;
    int64_t now_ms = call_now_ms();
    uint32_t pending = 1;
    for (uint32_t i = 0; i < p->count; i++) pending += p->items[i].append.partition != NULL;
    if (pending == 1) {
        answer(c);
        return;
    }
    atomic_store(&p->pending, pending);
    for (uint32_t i = 0; i < p->count; i++)
        if (p->items[i].append.partition) log_append(log, &p->items[i].append, now_ms);
    one_less(p);
}

/* --- transactions ----------------------------------------------------------------------------- */

static void let_in(struct loop_message *m)
{
    struct call *c = (struct call *)((uint8_t *)m - offsetof(struct call, message));
    struct produce *p = c->kept;
    bool knows_abortable = c->head.api_version >= 11;
    for (uint32_t i = 0; i < p->count; i++) {
        struct item *item = &p->items[i];
        if (!item->in_txn || !item->append.partition) continue;
        err_t e = p->add.head.err ? p->add.head.err : item->in_txn->err;
        if (!e) continue;
        e = txn_error_for_append(e, true, knows_abortable);
        refuse(c, item, err_kafka(e), p->add.head.diag.what[0] ? p->add.head.diag.what : NULL);
    }
    append_all(c);
    call_unblock(c); /* the next produce's batches go behind these */
}

static void coordinator_said(struct coord_request *r)
{
    struct call *c = r->arg;
    loop_send(call_loop(c), &c->message, let_in);
}

static bool is_transactional(const struct item *i)
{
    return i->append.partition && (i->append.batches[22] & TRANSACTIONAL);
}

/* The batches whose partition is not in the producer's transaction yet: all of one producer, since
 * a transactional id has one. False when there are none. */
static bool gather_strangers(struct call *c, struct produce *p)
{
    const struct kafka_produce_request *q = c->request;
    struct txn_add *add = &p->add;
    for (uint32_t i = 0; i < p->count; i++) {
        struct item *item = &p->items[i];
        struct record_batch b;
        if (!is_transactional(item)) continue;
        struct slice all = slice_make(item->append.batches, item->append.size);
        if (record_batch_read(all, false, &b)) continue; /* the log says what is wrong with it */
        if (log_txn_admitted(item->append.partition, b.producer_id, b.producer_epoch)) continue;
        item->in_txn = &add->partitions[add->count++];
        *item->in_txn = (struct txn_partition){item->topic, item->out->index, ERR_OK};
        add->producer_id = b.producer_id;
        add->producer_epoch = b.producer_epoch;
    }
    add->id = q->transactional_id;
    add->kind = txn_kind_for_produce(c->head.api_version);
    add->head = (struct coord_request){.done = coordinator_said, .arg = c, .arena = c->arena};
    return add->count > 0;
}

static bool any_transactional(const struct produce *p)
{
    for (uint32_t i = 0; i < p->count; i++)
        if (is_transactional(&p->items[i])) return true;
    return false;
}

static void begin_appends(struct call *c, struct produce *p)
{
    const struct kafka_produce_request *q = c->request;
    if (!any_transactional(p)) {
        append_all(c);
    } else if (!q->transactional_id.at) { /* the whole request, as Kafka has it */
        for (uint32_t i = 0; i < p->count; i++)
            refuse(c, &p->items[i], KAFKA_ERROR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED, NULL);
        answer(c);
    } else if (gather_strangers(c, p)) {
        call_block(c);
        txn_add_partitions(door_options(c->door)->coord, &p->add);
    } else {
        append_all(c);
    }
}

/* --- the handler ------------------------------------------------------------------------------ */

static bool prepare_topic(struct call *c, struct produce *p,
                          const struct kafka_produce_request_topic *t,
                          struct kafka_produce_response_topic *out)
{
    int32_t count = MAX(t->partition_data.count, 0);
    int16_t code;
    struct log_topic *topic =
        topic_of(c, t->name, c->head.api_version >= 13 ? &t->topic_id : NULL, &code);
    int32_t codec = topic ? log_topic_config(topic).compression : -1;
    out->name = t->name;
    out->topic_id = t->topic_id;
    out->partition_responses.at = call_new(c, kafka_produce_response_partition, count);
    if (!out->partition_responses.at) return false;
    out->partition_responses.count = count;
    for (int32_t i = 0; i < count; i++) {
        struct item *item = &p->items[p->count++];
        item->out = &out->partition_responses.at[i];
        item->out->index = t->partition_data.at[i].index;
        item->out->error_code = code;
        item->topic = topic ? log_topic_name(topic) : t->name;
        item->append.done = on_disk;
        item->append.arg = p;
        prepare(c, item, &t->partition_data.at[i], topic, codec);
    }
    return true;
}

static struct produce *produce_new(struct call *c)
{
    const struct kafka_produce_request *q = c->request;
    size_t count = 0;
    for (int32_t i = 0; i < q->topic_data.count; i++)
        count += (size_t)MAX(q->topic_data.at[i].partition_data.count, 0);
    struct produce *p = arena_take(c->arena, sizeof(*p));
    if (!p) return NULL;
    p->call = c;
    p->items = arena_take(c->arena, MAX(count, (size_t)1) * sizeof(*p->items));
    p->add.partitions = arena_take(c->arena, MAX(count, (size_t)1) * sizeof(*p->add.partitions));
    return p->items && p->add.partitions ? p : NULL;
}

void kafka_produce(struct call *c)
{
    const struct kafka_produce_request *q = c->request;
    struct kafka_produce_response *r = c->response;
    struct produce *p = c->kept = produce_new(c);
    int32_t topics = MAX(q->topic_data.count, 0);
    r->responses.at = p ? call_new(c, kafka_produce_response_topic, topics) : NULL;
    bool fits = r->responses.at != NULL;
    r->responses.count = topics;
    for (int32_t i = 0; i < topics && fits; i++)
        fits = prepare_topic(c, p, &q->topic_data.at[i], &r->responses.at[i]);
    if (fits) {
        begin_appends(c, p);
        return;
    }
    for (uint32_t i = 0; p && i < p->count; i++) mem_give(p->items[i].recoded);
    diag_fail(&c->diag, ERR_NO_MEMORY, "no memory for a produce request");
    call_break(c);
}
