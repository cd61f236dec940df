/* The records of __consumer_offsets, as Kafka writes them: OffsetCommitKey 1 with value 3 (1 when
 * the client named a retention), GroupMetadataKey 2 with value 3. */
#include "coord/groups_int.h"

enum {
    OFFSET_KEY_VERSION = 1,
    OFFSET_VALUE_VERSION = 3,
    OFFSET_VALUE_EXPIRES_VERSION = 1,
    GROUP_KEY_VERSION = 2,
    GROUP_VALUE_VERSION = 3
};

void records_begin(struct groups *s, const struct records_txn *txn)
{
    record_builder_reset(&s->builder);
    buf_reset(&s->batches);
    s->records_err = ERR_OK;
    s->batch_options =
        (struct record_batch_options){.producer_id = -1, .producer_epoch = -1, .base_sequence = -1};
    if (!txn) return;
    s->batch_options.producer_id = txn->producer_id;
    s->batch_options.producer_epoch = txn->epoch;
    s->batch_options.transactional = true;
}

static void batch_over(struct groups *s)
{
    if (s->builder.count == 0 || s->records_err) return;
    s->records_err = record_builder_finish(&s->builder, &s->batch_options, &s->batches);
    record_builder_reset(&s->builder);
}

static void record_add(struct groups *s, bool tombstone)
{
    struct slice none = {0};
    if (s->records_err) return;
    record_builder_add(&s->builder, clock_wall_ms(), buf_view(&s->key),
                       tombstone ? none : buf_view(&s->value), NULL, 0);
    if (s->builder.records.len >= RECORDS_BATCH_BYTES) batch_over(s);
}

static void encode(struct groups *s, const struct kafka_message *m, int16_t version,
                   const void *what, struct buf *out)
{
    buf_reset(out);
    if (!s->records_err) s->records_err = kafka_encode_versioned(m, version, what, out, NULL);
}

void records_offset(struct groups *s, const struct group *g, struct slice topic, int32_t partition,
                    const struct offset *o)
{
    struct kafka_offset_commit_key key;
    kafka_init(&kafka_offset_commit_key_message, &key);
    key.group = g->name;
    key.topic = topic;
    key.partition = partition;
    encode(s, &kafka_offset_commit_key_message, OFFSET_KEY_VERSION, &key, &s->key);
    if (o) {
        struct kafka_offset_commit_value value;
        kafka_init(&kafka_offset_commit_value_message, &value);
        value.offset = o->at;
        value.leader_epoch = o->leader_epoch;
        value.metadata = o->metadata.at ? o->metadata : SLICE("");
        value.commit_timestamp = o->commit_ms;
        value.expire_timestamp = o->expire_ms;
        encode(s, &kafka_offset_commit_value_message,
               o->expire_ms >= 0 ? OFFSET_VALUE_EXPIRES_VERSION : OFFSET_VALUE_VERSION, &value,
               &s->value);
    }
    record_add(s, o == NULL);
}

static void group_key(struct groups *s, const struct group *g)
{
    struct kafka_group_metadata_key key;
    kafka_init(&kafka_group_metadata_key_message, &key);
    key.group = g->name;
    encode(s, &kafka_group_metadata_key_message, GROUP_KEY_VERSION, &key, &s->key);
}

static struct slice or_empty(struct slice s)
{
    return s.at ? s : SLICE("");
}

void records_group(struct groups *s, const struct group *g, bool proposed)
{
    struct kafka_group_metadata_value value;
    arena_reset(s->scratch);
    kafka_init(&kafka_group_metadata_value_message, &value);
    value.protocol_type = or_empty(g->protocol_type);
    value.generation = g->generation;
    value.protocol = g->protocol;
    value.leader = g->leader ? g->leader->id : (struct slice){0};
    value.current_state_timestamp = g->state_ms;
    value.members.at = kafka_new(s->scratch, &kafka_group_metadata_value_member_struct,
                                 (int32_t)MAX(g->joined, (size_t)1));
    if (!value.members.at) {
        s->records_err = ERR_NO_MEMORY;
        return;
    }
    for (const struct member *m = g->first; m; m = m->next) {
        struct kafka_group_metadata_value_member *row = &value.members.at[value.members.count++];
        row->member_id = m->id;
        row->group_instance_id = m->instance;
        row->client_id = or_empty(m->client_id);
        row->client_host = or_empty(m->client_host);
        row->rebalance_timeout = m->rebalance_ms;
        row->session_timeout = m->session_ms;
        row->subscription = or_empty(member_metadata(m, g->protocol));
        row->assignment = or_empty(proposed ? m->proposed : m->assignment);
    }
    group_key(s, g);
    encode(s, &kafka_group_metadata_value_message, GROUP_VALUE_VERSION, &value, &s->value);
    record_add(s, false);
}

void records_group_gone(struct groups *s, const struct group *g)
{
    group_key(s, g);
    record_add(s, true);
}

err_t records_finish(struct groups *s, struct buf *out, struct diag *d)
{
    batch_over(s);
    if (!s->records_err && s->batches.len == 0) s->records_err = ERR_INTERNAL; /* nothing to say */
    if (s->records_err)
        return diag_fail(d, s->records_err, "records for %s can not be put together", GROUPS_TOPIC);
    *out = buf_make(s->batches.len);
    buf_put(out, s->batches.at, s->batches.len);
    /* A long list's room is not kept for the short ones that come after it. */
    if (s->batches.cap > 4 * RECORDS_BATCH_BYTES) {
        buf_done(&s->batches);
        s->batches = buf_make(RECORDS_MAX);
    }
    return out->err ? diag_fail(d, ERR_NO_MEMORY, "records for %s: no memory", GROUPS_TOPIC)
                    : ERR_OK;
}

/* --- appends of them -------------------------------------------------------------------------- */

static void op_back(struct coord *c, struct coord_append *a)
{
    struct groups *s = c->groups;
    struct op *op = (struct op *)(void *)a;
    struct group *g = op->group;
    op->done(s, op, a->log.err);
    g->ops_done++;
    while (g->fetch_first && g->fetch_first->after <= g->ops_done) group_fetch_again(s, g);
    buf_done(&op->batches);
    mem_give(op);
    if (g->ops_done != g->ops_begun) return;
    if (g->deleting)
        group_deleting(s, g);
    else if (g->gone)
        groups_drop(s, g);
    else
        groups_drop_if_void(s, g);
}

err_t op_begin(struct groups *s, struct group *g, struct coord_request *request,
               void (*done)(struct groups *s, struct op *op, err_t e), struct op **out,
               struct diag *d)
{
    struct log_partition *p;
    struct op *op = mem_take(sizeof(*op));
    if (!op) return diag_fail(d, ERR_NO_MEMORY, "records for %s: no memory", GROUPS_TOPIC);
    err_t e = groups_partition(s->c, g->name, &p, d);
    if (!e) e = records_finish(s, &op->batches, d);
    if (e) {
        buf_done(&op->batches);
        mem_give(op);
        return e;
    }
    op->group = g;
    op->request = request;
    op->done = done;
    op->append.done = op_back;
    op->append.log.partition = p;
    op->append.log.batches = op->batches.at;
    op->append.log.size = op->batches.len;
    g->ops_begun++;
    *out = op;
    coord_append(s->c, &op->append);
    return ERR_OK;
}

void op_replay(struct groups *s, const struct op *op)
{
    struct slice left = buf_view(&op->batches);
    int64_t base = op->append.log.base_offset;
    while (left.len > 0) {
        struct record_batch b;
        struct record_reader reader;
        struct record r;
        INVARIANT(record_batch_read(left, false, &b) == ERR_OK); /* we made it */
        b.base_offset = base;
        INVARIANT(record_batch_open(&b, s->scratch, RECORDS_MAX, &reader) ==
                  ERR_OK); /* takes none */
        while (record_next(&reader, &r) == ERR_OK) {
            struct diag d = {0};
            if (groups_replay(s, &b, &r, &d))
                say_diag(SAY_COORD, SAY_ERROR, "a group forgets what its record says", &d);
        }
        base += b.last_offset_delta + 1;
        left.at += record_batch_size(&b);
        left.len -= (uint32_t)record_batch_size(&b);
    }
}
