/* TxnOffsetCommit: offsets that count when the transaction commits. First its partition of
 * __consumer_offsets is in the transaction, then the group takes them. */
#include "coord/groups.h"
#include "coord/txns.h"
#include "door/kafka/kafka_int.h"

/* Versions: the first that names the member, that knows TRANSACTION_ABORTABLE, that adds the
 * partition by itself. */
enum { NAMES_MEMBER = 3, KNOWS_ABORTABLE = 4, ADDS_BY_ITSELF = 5 };

struct committing {
    struct txn_add_group gate;
    struct group_commit commit;
};

static void tell(struct call *c, const struct group_offset *o, err_t all)
{
    const struct kafka_txn_offset_commit_request *q = c->request;
    struct kafka_txn_offset_commit_response *out = c->response;
    out->topics.at = call_new(c, kafka_txn_offset_commit_response_topic, q->topics.count);
    out->topics.count = q->topics.count;
    for (int32_t i = 0; out->topics.at && i < q->topics.count; i++) {
        struct kafka_txn_offset_commit_response_topic *t = &out->topics.at[i];
        int32_t n = q->topics.at[i].partitions.count;
        t->name = q->topics.at[i].name;
        t->partitions.at = call_new(c, kafka_txn_offset_commit_response_partition, n);
        if (!t->partitions.at) out->topics.at = NULL;
        t->partitions.count = n;
        for (int32_t j = 0; t->partitions.at && j < n; j++, o++) {
            t->partitions.at[j].partition_index = o->partition;
            t->partitions.at[j].error_code = err_kafka(o->err ? o->err : all);
        }
    }
    if (out->topics.at) {
        call_answer(c);
    } else {
        diag_fail(&c->diag, ERR_NO_MEMORY, "the request is larger than a call's memory");
        call_break(c);
    }
}

static void commit_done(struct coord_request *head)
{
    struct group_commit *r = (struct group_commit *)head;
    tell(head->arg, r->offsets, txn_error_for_append(head->err, false, true));
}

static void gate_done(struct coord_request *head)
{
    struct committing *w = (struct committing *)head;
    struct call *c = head->arg;
    err_t e = txn_error_for_append(head->err, false, c->head.api_version >= KNOWS_ABORTABLE);
    if (e)
        tell(c, w->commit.offsets, e);
    else
        group_commit(door_options(c->door)->coord, &w->commit);
}

/* Rows of what does not exist are answered here, and the group does not see them. */
static bool read_offsets(struct call *c, struct group_commit *r, bool *any)
{
    const struct kafka_txn_offset_commit_request *q = c->request;
    size_t total = 0;
    for (int32_t i = 0; i < q->topics.count; i++)
        total += (size_t)MAX(q->topics.at[i].partitions.count, 0);
    r->offsets = arena_take(c->arena, MAX(total, 1) * sizeof(*r->offsets));
    if (!r->offsets) return false;
    for (int32_t i = 0; i < q->topics.count; i++) {
        const struct kafka_txn_offset_commit_request_topic *t = &q->topics.at[i];
        struct log_topic *topic = log_topic_find(door_options(c->door)->log, t->name);
        for (int32_t j = 0; j < t->partitions.count; j++) {
            const struct kafka_txn_offset_commit_request_partition *p = &t->partitions.at[j];
            bool there = topic && log_partition(topic, p->partition_index);
            r->offsets[r->offset_count++] =
                (struct group_offset){.topic = t->name,
                                      .partition = p->partition_index,
                                      .leader_epoch = p->committed_leader_epoch,
                                      .offset = p->committed_offset,
                                      .metadata = p->committed_metadata,
                                      .err = there ? ERR_OK : ERR_UNKNOWN_TOPIC};
            *any = *any || there;
        }
    }
    return true;
}

static void commit_fill(struct call *c, struct committing *w)
{
    const struct kafka_txn_offset_commit_request *q = c->request;
    bool named = c->head.api_version >= NAMES_MEMBER;
    w->gate.head = (struct coord_request){.done = gate_done, .arg = c, .arena = c->arena};
    w->gate.kind = c->head.api_version >= ADDS_BY_ITSELF ? TXN_ADD_IMPLICIT : TXN_ADD_VERIFY;
    w->gate.id = q->transactional_id;
    w->gate.group = q->group_id;
    w->gate.producer_id = q->producer_id;
    w->gate.producer_epoch = q->producer_epoch;
    w->commit.head = (struct coord_request){.done = commit_done, .arg = c, .arena = c->arena};
    w->commit.group = q->group_id;
    w->commit.member = named ? q->member_id : SLICE("");
    w->commit.instance = q->group_instance_id;
    w->commit.generation = named ? q->generation_id : -1;
    w->commit.retention_ms = -1;
    w->commit.producer_id = q->producer_id;
    w->commit.producer_epoch = q->producer_epoch;
}

void kafka_txn_offset_commit(struct call *c)
{
    const struct kafka_txn_offset_commit_request *q = c->request;
    struct committing *w = arena_take(c->arena, sizeof(*w));
    bool any = false;
    if (!w || !read_offsets(c, &w->commit, &any)) {
        diag_fail(&c->diag, ERR_NO_MEMORY, "the request is larger than a call's memory");
        call_break(c);
        return;
    }
    commit_fill(c, w);
    if (!any)
        tell(c, w->commit.offsets, ERR_OK);
    else if (q->group_id.len == 0)
        tell(c, w->commit.offsets, ERR_GROUP_NAME);
    else
        txn_add_offsets(door_options(c->door)->coord, &w->gate);
}
