/* The records of __transaction_state, in Kafka's form, and the markers in the partitions. */
#include "coord/txns_int.h"

#include <stdlib.h>

enum { KEY_VERSION = 0, VALUE_VERSION = 1, VALUE_NEWEST = 1 };

/* --- reading ---------------------------------------------------------------------------------- */

err_t txn_record_id(struct slice key, struct arena *a, struct slice *id, bool *known,
                    struct diag *d)
{
    struct cursor c = cursor_of(key);
    int16_t version = cursor_i16(&c);
    if (c.err) return diag_fail(d, ERR_CORRUPT, "a key in " TXNS_TOPIC " has no version");
    *known = version == KEY_VERSION;
    if (!*known) return ERR_OK;
    struct kafka_transaction_log_key k;
    err_t e = kafka_decode_versioned(&kafka_transaction_log_key_message, key, a, &k, &version, d);
    if (e == ERR_NO_MEMORY) return e;
    if (e || k.transactional_id.len == 0)
        return diag_fail(d, ERR_CORRUPT, "a key in " TXNS_TOPIC " can not be read");
    *id = k.transactional_id;
    return ERR_OK;
}

static err_t record_topics(const struct kafka_transaction_log_value *v, struct arena *a,
                           struct txn_record_topic **topics, int32_t *count)
{
    int32_t n = MAX(v->transaction_partitions.count, 0);
    int64_t total = 0;
    *topics = arena_take(a, (size_t)MAX(n, 1) * sizeof(**topics));
    if (!*topics) return ERR_NO_MEMORY;
    for (int32_t i = 0; i < n; i++) {
        const struct kafka_transaction_log_value_topic *t = &v->transaction_partitions.at[i];
        total += t->partition_ids.count;
        (*topics)[i] =
            (struct txn_record_topic){t->topic, t->partition_ids.at, t->partition_ids.count};
    }
    *count = n;
    return total > TXN_PARTITIONS_MAX ? ERR_CORRUPT : ERR_OK;
}

err_t txn_record_facts(struct slice value, struct arena *a, struct txn_facts *out,
                       struct txn_record_topic **topics, int32_t *count, struct diag *d)
{
    struct cursor c = cursor_of(value);
    int16_t version = cursor_i16(&c);
    if (c.err) return diag_fail(d, ERR_CORRUPT, "a value in " TXNS_TOPIC " has no version");
    if (version < 0 || version > VALUE_NEWEST) {
        diag_fail(d, ERR_VERSION, "a value in " TXNS_TOPIC " has version %d, newer than %d",
                  version, VALUE_NEWEST);
        return diag_hint(d, "the data was written by a newer Sluice: start that one");
    }
    struct kafka_transaction_log_value v;
    err_t e =
        kafka_decode_versioned(&kafka_transaction_log_value_message, value, a, &v, &version, d);
    if (!e) e = record_topics(&v, a, topics, count);
    if (e == ERR_NO_MEMORY) return diag_fail(d, e, "reading a value in " TXNS_TOPIC);
    if (e || v.producer_id < 0 || v.transaction_status < 0 ||
        v.transaction_status > TXN_COMPLETE_ABORT)
        return diag_fail(d, ERR_CORRUPT, "a value in " TXNS_TOPIC " can not be read");
    *out = (struct txn_facts){.producer_id = v.producer_id,
                              .previous_id = v.previous_producer_id,
                              .next_id = v.next_producer_id,
                              .epoch = v.producer_epoch,
                              .last_epoch = -1,
                              .client_version = v.client_transaction_version,
                              .timeout_ms = v.transaction_timeout_ms,
                              .state = (enum txn_state)v.transaction_status,
                              .start_ms = v.transaction_start_timestamp_ms,
                              .update_ms = v.transaction_last_update_timestamp_ms};
    return ERR_OK;
}

/* --- writing ---------------------------------------------------------------------------------- */

static int place_order(const void *a, const void *b)
{
    const struct txn_place *x = a, *y = b;
    int c = slice_compare(log_topic_name(x->topic), log_topic_name(y->topic));
    return c ? c : (x->index > y->index) - (x->index < y->index);
}

/* Places by topic, as the record has them. */
static err_t put_places(const struct txn_place *places, size_t count, struct arena *a,
                        struct kafka_transaction_log_value *v)
{
    struct txn_place *sorted = arena_take_raw(a, MAX(count, 1) * sizeof(*sorted));
    int32_t *indexes = arena_take_raw(a, MAX(count, 1) * sizeof(*indexes));
    struct kafka_transaction_log_value_topic *topics =
        kafka_new(a, &kafka_transaction_log_value_topic_struct, (int32_t)MAX(count, 1));
    if (!sorted || !indexes || !topics) return ERR_NO_MEMORY;
    if (count) memcpy(sorted, places, count * sizeof(*sorted));
    qsort(sorted, count, sizeof(*sorted), place_order);
    int32_t n = -1;
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || sorted[i].topic != sorted[i - 1].topic) {
            topics[++n].topic = log_topic_name(sorted[i].topic);
            topics[n].partition_ids.at = &indexes[i];
            topics[n].partition_ids.count = 0;
        }
        indexes[i] = sorted[i].index;
        topics[n].partition_ids.count++;
    }
    v->transaction_partitions.at = topics;
    v->transaction_partitions.count = n + 1;
    return ERR_OK;
}

static err_t put_value(const struct txn_facts *f, const struct txn_place *places, size_t count,
                       struct arena *a, struct buf *out, struct diag *d)
{
    struct kafka_transaction_log_value v;
    kafka_init(&kafka_transaction_log_value_message, &v);
    v.producer_id = f->producer_id;
    v.previous_producer_id = f->previous_id;
    v.next_producer_id = f->next_id;
    v.producer_epoch = f->epoch;
    v.transaction_timeout_ms = f->timeout_ms;
    v.transaction_status = (int8_t)f->state;
    v.transaction_last_update_timestamp_ms = f->update_ms;
    v.transaction_start_timestamp_ms = f->start_ms;
    v.client_transaction_version = f->client_version;
    v.transaction_partitions.count = -1; /* null: Kafka's way for Empty */
    err_t e = f->state == TXN_EMPTY ? ERR_OK : put_places(places, count, a, &v);
    if (e) return diag_fail(d, e, "writing a value of " TXNS_TOPIC);
    return kafka_encode_versioned(&kafka_transaction_log_value_message, VALUE_VERSION, &v, out, d);
}

static err_t put_batch(struct slice key, struct slice value, int64_t now_ms,
                       const struct record_batch_options *o, struct buf *out)
{
    struct record_builder b = record_builder_make(TXN_RECORD_MAX);
    record_builder_add(&b, now_ms, key, value, NULL, 0);
    err_t e = record_builder_finish(&b, o, out);
    record_builder_done(&b);
    return e;
}

err_t txn_record_put(struct slice id, const struct txn_facts *facts, const struct txn_place *places,
                     size_t count, int64_t now_ms, struct buf *out, struct diag *d)
{
    struct arena *a = arena_new(TXN_RECORD_MAX);
    struct buf key = buf_make(KIB(64)), value = buf_make(TXN_RECORD_MAX);
    struct kafka_transaction_log_key k = {.transactional_id = id};
    err_t e = a ? ERR_OK : diag_fail(d, ERR_NO_MEMORY, "writing a record of " TXNS_TOPIC);
    if (!e)
        e = kafka_encode_versioned(&kafka_transaction_log_key_message, KEY_VERSION, &k, &key, d);
    if (!e && facts) e = put_value(facts, places, count, a, &value, d);
    struct record_batch_options o = {.producer_id = -1, .producer_epoch = -1, .base_sequence = -1};
    if (!e)
        e = put_batch(buf_view(&key), facts ? buf_view(&value) : (struct slice){0}, now_ms, &o,
                      out);
    buf_done(&key);
    buf_done(&value);
    arena_free(a);
    return e;
}

/* Key: version 0, type 0 (abort) or 1 (commit). Value: version 0, the coordinator's epoch: always 0
 * here, since there is one coordinator, and its successor is itself. */
err_t txn_marker_put(int64_t producer_id, int16_t epoch, bool commit, int64_t now_ms,
                     struct buf *out)
{
    uint8_t key[4] = {0, 0, 0, commit}, value[6] = {0};
    struct record_batch_options o = {.producer_id = producer_id,
                                     .producer_epoch = epoch,
                                     .base_sequence = -1,
                                     .transactional = true,
                                     .control = true};
    return put_batch(slice_make(key, sizeof(key)), slice_make(value, sizeof(value)), now_ms, &o,
                     out);
}
