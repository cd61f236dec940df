/* InitProducerId, AddPartitionsToTxn, AddOffsetsToTxn, EndTxn: what a producer asks of the
 * transaction coordinator. */
#include "coord/txns.h"
#include "door/kafka/kafka_int.h"

/* The first versions whose clients know PRODUCER_FENCED. */
enum { INIT_FENCED = 4, ADD_FENCED = 2, END_FENCED = 2, END_BUMPS = 5, ADD_BATCHES = 4 };

static struct coord *coord_of(const struct call *c)
{
    return door_options(c->door)->coord;
}

static void *request_new(struct call *c, size_t size, void (*done)(struct coord_request *r))
{
    struct coord_request *r = arena_take(c->arena, size);
    if (!r) return NULL;
    r->done = done;
    r->arg = c;
    r->arena = c->arena;
    return r;
}

static void no_memory(struct call *c)
{
    diag_fail(&c->diag, ERR_NO_MEMORY, "the request is larger than a call's memory");
    call_break(c);
}

/* --- InitProducerId --------------------------------------------------------------------------- */

static void init_done(struct coord_request *head)
{
    struct txn_init *r = (struct txn_init *)head;
    struct call *c = head->arg;
    struct kafka_init_producer_id_response *out = c->response;
    out->error_code = err_kafka(txn_error_for(head->err, c->head.api_version, INIT_FENCED));
    out->producer_id = r->new_id;
    out->producer_epoch = r->new_epoch;
    call_answer(c);
}

void kafka_init_producer_id(struct call *c)
{
    const struct kafka_init_producer_id_request *q = c->request;
    struct txn_init *r = request_new(c, sizeof(*r), init_done);
    if (!r) {
        no_memory(c);
        return;
    }
    r->id = q->transactional_id;
    r->timeout_ms = q->transaction_timeout_ms;
    r->producer_id = q->producer_id;
    r->producer_epoch = q->producer_epoch;
    txn_init(coord_of(c), r);
}

/* --- AddPartitionsToTxn: one transaction after the other -------------------------------------- */

struct adding {
    struct txn_add r;
    const struct kafka_add_partitions_to_txn_request_transaction *asked;
    struct kafka_add_partitions_to_txn_response_transaction *told;
    int32_t count, at;
};

static void add_one(struct call *c, struct adding *a);

static bool add_partitions(struct call *c, struct adding *a)
{
    const struct kafka_add_partitions_to_txn_request_transaction *q = &a->asked[a->at];
    size_t total = 0, n = 0;
    for (int32_t i = 0; i < q->topics.count; i++)
        total += (size_t)MAX(q->topics.at[i].partitions.count, 0);
    struct txn_partition *p = arena_take(c->arena, MAX(total, 1) * sizeof(*p));
    if (!p) return false;
    for (int32_t i = 0; i < q->topics.count; i++)
        for (int32_t j = 0; j < q->topics.at[i].partitions.count; j++)
            p[n++] = (struct txn_partition){.topic = q->topics.at[i].name,
                                            .index = q->topics.at[i].partitions.at[j]};
    a->r.kind = q->verify_only ? TXN_ADD_VERIFY : TXN_ADD;
    a->r.id = q->transactional_id;
    a->r.producer_id = q->producer_id;
    a->r.producer_epoch = q->producer_epoch;
    a->r.partitions = p;
    a->r.count = (uint32_t)n;
    return true;
}

/* Every partition is told what became of it: its own error, or the transaction's. */
static bool add_tell(struct call *c, struct adding *a)
{
    const struct kafka_add_partitions_to_txn_request_transaction *q = &a->asked[a->at];
    struct kafka_add_partitions_to_txn_response_transaction *out = &a->told[a->at];
    const struct txn_partition *p = a->r.partitions;
    out->transactional_id = q->transactional_id;
    out->topic_results.count = q->topics.count;
    out->topic_results.at =
        call_new(c, kafka_add_partitions_to_txn_response_topic, q->topics.count);
    for (int32_t i = 0; out->topic_results.at && i < q->topics.count; i++) {
        struct kafka_add_partitions_to_txn_response_topic *t = &out->topic_results.at[i];
        int32_t n = q->topics.at[i].partitions.count;
        t->name = q->topics.at[i].name;
        t->results_by_partition.at = call_new(c, kafka_add_partitions_to_txn_response_partition, n);
        if (!t->results_by_partition.at) return false;
        t->results_by_partition.count = n;
        for (int32_t j = 0; j < n; j++, p++) {
            err_t e = a->r.head.err ? a->r.head.err : p->err;
            t->results_by_partition.at[j].partition_index = p->index;
            t->results_by_partition.at[j].partition_error_code =
                err_kafka(txn_error_for(e, c->head.api_version, ADD_FENCED));
        }
    }
    return out->topic_results.at != NULL;
}

static void add_done(struct coord_request *head)
{
    struct adding *a = (struct adding *)head;
    struct call *c = head->arg;
    if (!add_tell(c, a)) {
        no_memory(c);
        return;
    }
    a->at++;
    add_one(c, a);
}

static void add_answer(struct call *c, struct adding *a)
{
    struct kafka_add_partitions_to_txn_response *out = c->response;
    if (c->head.api_version < ADD_BATCHES) {
        out->results_by_topic_v3_and_below.at = a->told->topic_results.at;
        out->results_by_topic_v3_and_below.count = a->told->topic_results.count;
    } else {
        out->results_by_transaction.at = a->told;
        out->results_by_transaction.count = a->count;
    }
    call_answer(c);
}

static void add_one(struct call *c, struct adding *a)
{
    if (a->at == a->count)
        add_answer(c, a);
    else if (!add_partitions(c, a))
        no_memory(c);
    else
        txn_add_partitions(coord_of(c), &a->r);
}

void kafka_add_partitions_to_txn(struct call *c)
{
    const struct kafka_add_partitions_to_txn_request *q = c->request;
    struct kafka_add_partitions_to_txn_request_transaction *alone =
        kafka_new(c->arena, &kafka_add_partitions_to_txn_request_transaction_struct, 1);
    struct adding *a = request_new(c, sizeof(*a), add_done);
    bool old = c->head.api_version < ADD_BATCHES;
    int32_t n = old ? 1 : q->transactions.count;
    struct kafka_add_partitions_to_txn_response_transaction *told =
        call_new(c, kafka_add_partitions_to_txn_response_transaction, n);
    if (!alone || !a || !told) {
        no_memory(c);
        return;
    }
    alone->transactional_id = q->v3_and_below_transactional_id;
    alone->producer_id = q->v3_and_below_producer_id;
    alone->producer_epoch = q->v3_and_below_producer_epoch;
    alone->topics.at = q->v3_and_below_topics.at;
    alone->topics.count = q->v3_and_below_topics.count;
    a->asked = old ? alone : q->transactions.at;
    a->told = told;
    a->count = n;
    add_one(c, a);
}

/* --- AddOffsetsToTxn -------------------------------------------------------------------------- */

static void offsets_done(struct coord_request *head)
{
    struct call *c = head->arg;
    struct kafka_add_offsets_to_txn_response *out = c->response;
    out->error_code = err_kafka(txn_error_for(head->err, c->head.api_version, ADD_FENCED));
    call_answer(c);
}

void kafka_add_offsets_to_txn(struct call *c)
{
    const struct kafka_add_offsets_to_txn_request *q = c->request;
    struct txn_add_group *r = request_new(c, sizeof(*r), offsets_done);
    if (!r) {
        no_memory(c);
        return;
    }
    r->kind = TXN_ADD;
    r->id = q->transactional_id;
    r->group = q->group_id;
    r->producer_id = q->producer_id;
    r->producer_epoch = q->producer_epoch;
    txn_add_offsets(coord_of(c), r);
}

/* --- EndTxn ----------------------------------------------------------------------------------- */

static void end_done(struct coord_request *head)
{
    struct txn_end *r = (struct txn_end *)head;
    struct call *c = head->arg;
    struct kafka_end_txn_response *out = c->response;
    out->error_code = err_kafka(txn_error_for(head->err, c->head.api_version, END_FENCED));
    out->producer_id = r->new_id;
    out->producer_epoch = r->new_epoch;
    call_answer(c);
}

void kafka_end_txn(struct call *c)
{
    const struct kafka_end_txn_request *q = c->request;
    struct txn_end *r = request_new(c, sizeof(*r), end_done);
    if (!r) {
        no_memory(c);
        return;
    }
    r->id = q->transactional_id;
    r->producer_id = q->producer_id;
    r->producer_epoch = q->producer_epoch;
    r->commit = q->committed;
    r->bump = c->head.api_version >= END_BUMPS;
    txn_end(coord_of(c), r);
}

/* --- WriteTxnMarkers: between brokers, and this one is alone ---------------------------------- */

void kafka_write_txn_markers(struct call *c)
{
    call_refuse(c, ERR_PRINCIPAL);
}
