/* connect/kafka/producer: records into one topic of any cluster, in batches, each waited for.
 *
 * A record with a key goes where Java's default partitioner puts it (murmur2), one without stays
 * with a partition until its batch is sent. What may succeed later is tried again, with fresh
 * metadata, until the producer's time is over; an idempotent producer's batch keeps its sequence
 * then, so that a batch whose answer was lost is not written twice. Loop: never on one; one thread
 * at a time. Memory: batch_bytes for each partition that has records, and one request. Limit:
 * PRODUCER_PARTITIONS_MAX, RECORD_BATCH_MAX.
 */
#pragma once
#include "connect/kafka/client.h"
#include "data/record_batch.h"

enum { PRODUCER_PARTITIONS_MAX = 10000, PRODUCER_BATCH = 256 << 10 };

struct kafka_producer_options {
    const char *topic;
    enum codec codec;
    int16_t acks;         /* -1: all */
    bool idempotent;      /* needs acks -1 */
    uint32_t batch_bytes; /* 0: PRODUCER_BATCH */
    int64_t timeout_ms;   /* for a batch with all its tries; 0: 120 s */
};

struct kafka_produced {
    int32_t partition; /* -1: by the key */
    int64_t timestamp;
    struct slice key, value; /* at == NULL: null */
    const struct record_header *headers;
    int32_t header_count;
};

struct kafka_producer;
MUST_CHECK err_t kafka_producer_open(struct kafka_client *k, const struct kafka_producer_options *o,
                                     struct kafka_producer **out, struct diag *d);
/* Copies the record; sends what is gathered when a batch is full. */
MUST_CHECK err_t kafka_producer_add(struct kafka_producer *p, const struct kafka_produced *r,
                                    struct diag *d);
/* All that was added is acknowledged when this answers ERR_OK. */
MUST_CHECK err_t kafka_producer_flush(struct kafka_producer *p, struct diag *d);
uint64_t kafka_producer_sent(const struct kafka_producer *p); /* acknowledged records */
void kafka_producer_close(struct kafka_producer *p); /* what is not flushed is lost; NULL is fine */
