/* ListOffsets and OffsetForLeaderEpoch: where things are in a partition. */
#include "door/kafka/kafka_int.h"
#include "log/log.h"

enum { /* what a negative timestamp asks for, and from which version on it may */
       LATEST = -1,
       EARLIEST = -2,
       MAX_TIMESTAMP = -3,  /* 7 */
       EARLIEST_LOCAL = -4, /* 8: all that we have is local */
       LATEST_TIERED = -5,  /* 9: nothing is */
       READ_COMMITTED = 1,
       EPOCH_SINCE = 4,
       TWICE_LOOKED_MAX = 1000 /* partitions of a topic, to be compared with each other */
};

static bool version_knows(int16_t version, int64_t timestamp)
{
    static const int16_t since[] = {0, 0, 0, 7, 8, 9};
    return timestamp >= 0 ||
           (timestamp > -(int64_t)COUNT_OF(since) && version >= since[-timestamp]);
}

static int16_t epochs_agree(int32_t current)
{
    if (current > KAFKA_LEADER_EPOCH) return KAFKA_ERROR_UNKNOWN_LEADER_EPOCH;
    return current >= 0 && current < KAFKA_LEADER_EPOCH ? KAFKA_ERROR_FENCED_LEADER_EPOCH
                                                        : KAFKA_ERROR_NONE;
}

/* --- ListOffsets ------------------------------------------------------------------------------ */

/* The end that this reader sees. */
static int64_t end_of(struct log_partition *p, const struct call *c)
{
    const struct kafka_list_offsets_request *q = c->request;
    int64_t end = log_end_offset(p);
    return q->isolation_level == READ_COMMITTED ? MIN(log_stable_offset(p), end) : end;
}

static err_t look_up(struct call *c, struct log_partition *p, int64_t asked, int64_t *offset,
                     int64_t *timestamp)
{
    struct diag d = {0};
    err_t e = ERR_OK;
    *offset = *timestamp = -1;
    switch (asked) {
    case LATEST: *offset = end_of(p, c); break;
    case EARLIEST:
    case EARLIEST_LOCAL: *offset = log_start_offset(p); break;
    case MAX_TIMESTAMP: e = log_record_latest(p, offset, timestamp, &d); break;
    case LATEST_TIERED: break;
    default: e = log_record_at(p, asked, offset, timestamp, &d); break;
    }
    if (asked >= 0 && *offset >= end_of(p, c)) *offset = *timestamp = -1; /* not committed yet */
    return e;
}

/* Version 0 wants a list: the newest first, at most so many. */
static bool put_old_style(struct call *c, const struct kafka_list_offsets_request_partition *asked,
                          struct log_partition *p,
                          struct kafka_list_offsets_response_partition *out)
{
    int64_t *list = arena_take(c->arena, 2 * sizeof(*list));
    if (!list) return false;
    out->old_style_offsets.at = list;
    out->old_style_offsets.count = 0;
    if (out->offset >= 0 && asked->max_num_offsets > 0)
        list[out->old_style_offsets.count++] = out->offset;
    bool more = asked->timestamp == LATEST && asked->max_num_offsets > 1;
    if (more && out->offset > log_start_offset(p))
        list[out->old_style_offsets.count++] = log_start_offset(p);
    out->offset = out->timestamp = -1; /* which this version can not say */
    return true;
}

static bool put_offset(struct call *c, struct slice topic,
                       const struct kafka_list_offsets_request_partition *asked,
                       struct kafka_list_offsets_response_partition *out)
{
    int16_t version = c->head.api_version;
    struct log_partition *p =
        partition_of(c, topic, NULL, asked->partition_index, &out->error_code);
    out->partition_index = asked->partition_index;
    if (p) out->error_code = epochs_agree(asked->current_leader_epoch);
    if (!version_knows(version, asked->timestamp))
        out->error_code = KAFKA_ERROR_UNSUPPORTED_VERSION;
    if (!out->error_code) {
        err_t e = look_up(c, p, asked->timestamp, &out->offset, &out->timestamp);
        out->error_code = err_kafka(e);
        if (out->offset >= 0 && version >= 4) out->leader_epoch = KAFKA_LEADER_EPOCH;
    }
    return version > 0 || put_old_style(c, asked, p, out);
}

static bool named_twice(const struct kafka_list_offsets_request_topic *t, int32_t i)
{
    for (int32_t j = 0; j < t->partitions.count; j++)
        if (j != i && t->partitions.at[j].partition_index == t->partitions.at[i].partition_index)
            return true;
    return false;
}

static bool put_offsets(struct call *c, const struct kafka_list_offsets_request_topic *t,
                        struct kafka_list_offsets_response_topic *out)
{
    int32_t count = MAX(t->partitions.count, 0);
    out->name = t->name;
    out->partitions.at = call_new(c, kafka_list_offsets_response_partition, count);
    if (!out->partitions.at) return false;
    out->partitions.count = count;
    for (int32_t i = 0; i < count; i++) {
        if (!put_offset(c, t->name, &t->partitions.at[i], &out->partitions.at[i])) return false;
        if (count <= TWICE_LOOKED_MAX && named_twice(t, i)) {
            struct kafka_list_offsets_response_partition *p = &out->partitions.at[i];
            p->error_code = KAFKA_ERROR_INVALID_REQUEST;
            p->offset = p->timestamp = -1;
        }
    }
    return true;
}

static void list_offsets(struct call *c)
{
    const struct kafka_list_offsets_request *q = c->request;
    struct kafka_list_offsets_response *r = c->response;
    int32_t count = MAX(q->topics.count, 0);
    r->topics.at = call_new(c, kafka_list_offsets_response_topic, count);
    bool fits = r->topics.at != NULL;
    r->topics.count = count;
    for (int32_t i = 0; i < count && fits; i++)
        fits = put_offsets(c, &q->topics.at[i], &r->topics.at[i]);
    if (fits) {
        call_answer(c);
        return;
    }
    diag_fail(&c->diag, ERR_NO_MEMORY, "no memory for an answer");
    call_break(c);
}

/* Ends and starts are known; a time has to be looked for in the files. */
static bool reads_files(const struct kafka_list_offsets_request *q)
{
    for (int32_t i = 0; i < q->topics.count; i++)
        for (int32_t j = 0; j < q->topics.at[i].partitions.count; j++) {
            int64_t timestamp = q->topics.at[i].partitions.at[j].timestamp;
            if (timestamp >= 0 || timestamp == MAX_TIMESTAMP) return true;
        }
    return false;
}

void kafka_list_offsets(struct call *c)
{
    if (reads_files(c->request))
        call_work(c, list_offsets);
    else
        list_offsets(c);
}

/* --- OffsetForLeaderEpoch --------------------------------------------------------------------- */

static void put_epoch_end(struct call *c, struct slice topic,
                          const struct kafka_offset_for_leader_epoch_request_partition *asked,
                          struct kafka_offset_for_leader_epoch_response_partition *out)
{
    struct log_partition *p = partition_of(c, topic, NULL, asked->partition, &out->error_code);
    out->partition = asked->partition;
    out->leader_epoch = -1;
    out->end_offset = -1;
    if (p) out->error_code = epochs_agree(asked->current_leader_epoch);
    if (out->error_code || asked->leader_epoch != KAFKA_LEADER_EPOCH) return; /* never was */
    out->leader_epoch = KAFKA_LEADER_EPOCH;
    out->end_offset = log_end_offset(p);
}

void kafka_offset_for_leader_epoch(struct call *c)
{
    const struct kafka_offset_for_leader_epoch_request *q = c->request;
    struct kafka_offset_for_leader_epoch_response *r = c->response;
    int32_t count = MAX(q->topics.count, 0);
    r->topics.at = call_new(c, kafka_offset_for_leader_epoch_response_topic, count);
    bool fits = r->topics.at != NULL;
    r->topics.count = count;
    for (int32_t i = 0; i < count && fits; i++) {
        const struct kafka_offset_for_leader_epoch_request_topic *t = &q->topics.at[i];
        struct kafka_offset_for_leader_epoch_response_topic *out = &r->topics.at[i];
        int32_t parts = MAX(t->partitions.count, 0);
        out->topic = t->topic;
        out->partitions.at = call_new(c, kafka_offset_for_leader_epoch_response_partition, parts);
        out->partitions.count = parts;
        fits = out->partitions.at != NULL;
        for (int32_t j = 0; j < parts && fits; j++)
            put_epoch_end(c, t->topic, &t->partitions.at[j], &out->partitions.at[j]);
    }
    if (fits) {
        call_answer(c);
        return;
    }
    diag_fail(&c->diag, ERR_NO_MEMORY, "no memory for an answer");
    call_break(c);
}
