/* connect/kafka/consumer: records out of partitions of any cluster, one long poll at a time.
 *
 * Full fetches from each leader, without sessions. Control batches are passed over; with
 * `committed` also what belongs to an aborted transaction. Batches' CRCs are checked. Loop: never
 * on one; one thread at a time. Memory: one answer and one opened batch. Limit:
 * CONSUMER_PARTITIONS_MAX.
 */
#pragma once
#include "connect/kafka/client.h"
#include "data/record_batch.h"

enum { CONSUMER_PARTITIONS_MAX = 10000 };

struct kafka_spot { /* where reading stands in one partition */
    struct slice topic;
    int32_t partition;
    int64_t position; /* the next record's offset */
    int64_t end;      /* of what may be read, as the last answer said; -1: none yet */
    int16_t error;    /* what the broker said last, when it is not about leaders */
    int32_t leader;
    bool paused;
};

struct kafka_taken {
    const struct kafka_spot *spot;
    struct record record;
    int32_t leader_epoch;
    bool append_time; /* its timestamp is the log's */
};

struct kafka_consumer_options {
    bool committed;
    int32_t max_bytes; /* an answer's; 0: 16 MiB */
};

struct kafka_consumer;
MUST_CHECK err_t kafka_consumer_open(struct kafka_client *k, const struct kafka_consumer_options *o,
                                     struct kafka_consumer **out, struct diag *d);
void kafka_consumer_close(struct kafka_consumer *c); /* NULL is fine */
/* These partitions from these positions, instead of those before; names are copied. */
MUST_CHECK err_t kafka_consumer_assign(struct kafka_consumer *c, const struct kafka_spot *spots,
                                       size_t count, struct diag *d);
struct kafka_spot *kafka_consumer_spots(struct kafka_consumer *c, size_t *count);
/* Waits up to wait_ms for records and hands each over; a position moves on before the next is
 * handed. What `each` answers other than ERR_OK ends the poll and is answered. A partition's own
 * trouble (OFFSET_OUT_OF_RANGE, a topic that went) is its spot's `error`, and pauses it. */
MUST_CHECK err_t kafka_consumer_poll(struct kafka_consumer *c, int32_t wait_ms,
                                     err_t (*each)(void *ctx, const struct kafka_taken *t),
                                     void *ctx, struct diag *d);
