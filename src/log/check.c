/* What can be checked of an append without the partition's tail is checked here, on the caller's
 * thread, so that the writer only assigns and writes. Kafka's rules and words; but where Kafka
 * walks the records of every batch, and opens the compressed ones for it, we do so only when a rule
 * of the topic speaks of single records: keys (compaction) or how old they may be. */
#include "log/log_int.h"

static err_t batch_refused(struct diag *d, err_t e, const struct log_partition *p, size_t at,
                           const char *why)
{
    diag_fail(d, e, "record batch for topic '%s' partition %d is refused", p->topic->name,
              p->index);
    diag_why(d, "at byte %zu: %s", at, why);
    return e;
}

/* A marker is one control batch, a coordinator's; nobody else writes any. */
static err_t marker_check(const struct log_append *a, const struct record_batch *b, size_t at,
                          struct diag *d)
{
    struct marker marker;
    if (!a->marker && !(b->attributes & BATCH_CONTROL)) return ERR_OK;
    if (!a->marker)
        return batch_refused(d, ERR_RECORD, a->partition, at,
                             "Clients are not allowed to write control records");
    if (marker_read(b, &marker) && record_batch_size(b) == a->size) return ERR_OK;
    return batch_refused(d, ERR_MALFORMED, a->partition, at, "it is no end of a transaction");
}

static err_t producer_fields_check(const struct log_append *a, const struct record_batch *b,
                                   size_t at, struct diag *d)
{
    const struct log_partition *p = a->partition;
    if (b->attributes & BATCH_TRANSACTIONAL && b->producer_id < 0)
        return batch_refused(d, ERR_RECORD, p, at, "it is transactional without a producer id");
    if (b->producer_id < 0) return ERR_OK;
    if (b->producer_epoch < 0)
        return batch_refused(d, ERR_RECORD, p, at, "a producer without epoch");
    /* A group's offsets, which its coordinator writes for a producer, have no sequence. */
    bool sequence = b->base_sequence >= 0 || a->marker || log_topic_is_internal(p->topic);
    return sequence ? ERR_OK : batch_refused(d, ERR_RECORD, p, at, "a producer without sequence");
}

/* --- what the topic says of single records ---------------------------------------------------- */

struct record_rules {
    bool key;                 /* must have one */
    int64_t earliest, latest; /* what its timestamp may be */
};

static err_t timestamp_refused(struct diag *d, const struct log_partition *p, int64_t ms,
                               const struct record_rules *r)
{
    diag_fail(d, ERR_TIMESTAMP,
              "Timestamp %lld of message is out of range. The timestamp should be within "
              "[%lld, %lld]",
              (long long)ms, (long long)r->earliest, (long long)r->latest);
    diag_where(d, "topic '%s' partition %d", p->topic->name, p->index);
    return ERR_TIMESTAMP;
}

static bool timestamp_fits(const struct record_rules *r, int64_t ms)
{
    return ms == NO_TIMESTAMP || (ms >= r->earliest && ms <= r->latest);
}

static err_t record_check(const struct log_partition *p, const struct record_rules *r,
                          const struct record *record, struct diag *d)
{
    if (r->key && record->key_null)
        return diag_fail(d, ERR_RECORD,
                         "Compacted topic cannot accept message without key in topic partition "
                         "%s-%d.",
                         p->topic->name, p->index);
    return timestamp_fits(r, record->timestamp) ? ERR_OK
                                                : timestamp_refused(d, p, record->timestamp, r);
}

static err_t records_walk(const struct log_partition *p, const struct record_batch *b,
                          const struct record_rules *r, size_t at, struct diag *d)
{
    struct record_reader reader;
    struct record record;
    bool packed = (b->attributes & BATCH_CODEC) != CODEC_NONE;
    struct arena *arena = packed ? arena_new((size_t)RECORD_BATCH_OPENED_MAX + MIB(1)) : NULL;
    if (packed && !arena) return diag_fail(d, ERR_NO_MEMORY, "a batch has no room to be opened");
    err_t e = record_batch_open(b, arena, RECORD_BATCH_OPENED_MAX, &reader), wrong = ERR_OK;
    while (!e && !wrong && !(e = record_next(&reader, &record)))
        wrong = record_check(p, r, &record, d);
    arena_free(arena);
    if (wrong || e == ERR_NOT_FOUND) return wrong;
    if (e == ERR_NO_MEMORY) return diag_fail(d, e, "a batch has no room to be opened");
    return batch_refused(d, e == ERR_TOO_BIG ? e : ERR_CORRUPT, p, at, "its records are damaged");
}

/* A source of our own takes its records' times from its data: only clients are held to limits. */
static err_t records_check(const struct log_append *a, const struct record_batch *b, size_t at,
                           struct diag *d)
{
    const struct log_partition *p = a->partition;
    const struct topic_rules *c = &p->topic->config;
    struct record_rules r = {.key = c->compact, .earliest = INT64_MIN, .latest = INT64_MAX};
    int64_t before = c->timestamp_before_max_ms, after = c->timestamp_after_max_ms;
    if (a->marker) return ERR_OK;
    if (!c->append_time && b->producer_id < INTERNAL_PRODUCERS) {
        if (before <= a->now_ms) r.earliest = a->now_ms - before;
        if (__builtin_add_overflow(a->now_ms, after, &r.latest)) r.latest = INT64_MAX;
    }
    if (!timestamp_fits(&r, b->max_timestamp)) return timestamp_refused(d, p, b->max_timestamp, &r);
    if (!r.key && r.earliest == INT64_MIN) return ERR_OK; /* the head's maximum says it all */
    return records_walk(p, b, &r, at, d);
}

/* --- the whole -------------------------------------------------------------------------------- */

static err_t batch_check(const struct log_append *a, const struct record_batch *b, size_t at,
                         struct diag *d)
{
    const struct log_partition *p = a->partition;
    if (b->count < 1 || b->last_offset_delta != b->count - 1)
        return batch_refused(d, ERR_RECORD, p, at, "its record count and offsets do not fit");
    if (record_batch_size(b) > (size_t)p->topic->config.message_max_bytes && !a->marker)
        return batch_refused(d, ERR_TOO_BIG, p, at, "larger than max.message.bytes");
    if (b->attributes & BATCH_APPEND_TIME)
        return batch_refused(d, ERR_TIMESTAMP, p, at,
                             "Producer should not set timestamp type to LogAppendTime");
    err_t e = producer_fields_check(a, b, at, d);
    if (!e) e = marker_check(a, b, at, d);
    return e ? e : records_check(a, b, at, d);
}

static err_t size_check(const struct log_append *a, struct diag *d)
{
    const struct log_partition *p = a->partition;
    if (a->size == 0) return batch_refused(d, ERR_MALFORMED, p, 0, "it is empty");
    if (a->size > QUEUE_BYTES_MAX) return batch_refused(d, ERR_TOO_BIG, p, 0, "too large");
    if (a->size > log_segment_bytes(p) && !a->marker)
        return batch_refused(d, ERR_BATCH_TOO_BIG, p, 0, "larger than a segment (segment.bytes)");
    return ERR_OK;
}

err_t append_check(struct log_append *a)
{
    const struct log_partition *p = a->partition;
    static const char *const why[] = {[ERR_SHORT] = "it ends too early",
                                      [ERR_CORRUPT] = "its checksum is wrong",
                                      [ERR_VERSION] = "message formats 0 and 1 are not taken"};
    err_t e = size_check(a, &a->diag);
    for (size_t at = 0; !e && at < a->size;) {
        struct record_batch b;
        e = record_batch_read(slice_make(a->batches + at, a->size - at), true, &b);
        if (e)
            return batch_refused(&a->diag, e, p, at,
                                 e < COUNT_OF(why) && why[e] ? why[e] : "it is no record batch");
        e = batch_check(a, &b, at, &a->diag);
        if (!e && p->topic->config.append_time) {
            record_batch_set_append_time(a->batches + at, a->now_ms);
            a->append_time_ms = a->now_ms;
        }
        at += record_batch_size(&b);
    }
    return e;
}
