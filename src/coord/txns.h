/* coord/txns: producer ids, transactional ids, their epochs, and the two phases by which a
 * transaction ends in all its partitions. See coord.h for how requests travel, and
 * docs/transactions.md for the order of what is written and why a crash at any step is fine.
 *
 * What a client may be told is Kafka's, error by error; KIP-98, 360, 447, 588, 890. One thing is
 * kinder: a request that meets a transaction which is still being ended waits for that, for
 * TXN_WAIT_MS at most, before it is told ERR_TXN_CONCURRENT.
 *
 * ERR_FENCED is Kafka's PRODUCER_FENCED (90). Old versions of an API do not know it and are told
 * ERR_PRODUCER_EPOCH (47) instead: txn_error_for.
 */
#pragma once
#include "coord/coord.h"

enum {
    TXN_WAIT_MS = 1000,       /* for the end of the transaction before */
    TXN_IDS_MAX = 100000,     /* transactional ids that are kept; one more is ERR_BUSY */
    TXN_PARTITIONS_MAX = 4096 /* in one transaction; one more is ERR_TOO_BIG */
};

enum txn_state { /* as in the records of __transaction_state */
                 TXN_EMPTY,
                 TXN_ONGOING,
                 TXN_PREPARE_COMMIT,
                 TXN_PREPARE_ABORT,
                 TXN_COMPLETE_COMMIT,
                 TXN_COMPLETE_ABORT,
                 TXN_DEAD,
                 TXN_PREPARE_EPOCH_FENCE,
                 TXN_STATES
};
const char *txn_state_name(enum txn_state s); /* "PrepareCommit": Kafka's words */

/* Behind the head of each request that may have to wait: the coordinators' own. */
struct txn_wait {
    struct coord_request *next;
    int64_t until_ms;
};

/* InitProducerId. Without a transactional id: a new idempotent producer, epoch 0. With one: ends
 * what its predecessor has left open and fences it. A producer that goes on after an error gives
 * the id and epoch it had. */
struct txn_init {
    struct coord_request head;
    struct txn_wait wait;
    struct slice id; /* at == NULL: no transactional id */
    int32_t timeout_ms;
    int64_t producer_id; /* -1: none given; then the epoch is -1 too */
    int16_t producer_epoch;
    /* the answer */
    int64_t new_id;
    int16_t new_epoch;
};
void txn_init(struct coord *c, struct txn_init *r);

/* Partitions come into a transaction: durably, and then the log lets this producer in
 * (log_txn_admit). head.err is about the whole transaction; with OK each partition has its own. A
 * partition that does not exist is ERR_UNKNOWN_TOPIC and keeps the others out
 * (ERR_NOT_ATTEMPTED). */
enum txn_add_kind {
    TXN_ADD,         /* AddPartitionsToTxn */
    TXN_ADD_VERIFY,  /* its verify-only form: ERR_TXN_ABORTABLE for what is not in */
    TXN_ADD_IMPLICIT /* a Produce or TxnOffsetCommit that adds by itself: KIP-890, version 2 */
};
struct txn_partition {
    struct slice topic;
    int32_t index;
    err_t err;
};
struct txn_add {
    struct coord_request head;
    struct txn_wait wait;
    enum txn_add_kind kind;
    struct slice id;
    int64_t producer_id;
    int16_t producer_epoch;
    struct txn_partition *partitions; /* the caller's */
    uint32_t count;
};
void txn_add_partitions(struct coord *c, struct txn_add *r);

/* AddOffsetsToTxn: the partition of __consumer_offsets that keeps this group's offsets comes into
 * the transaction. TxnOffsetCommit calls it too, before groups_commit: with TXN_ADD_IMPLICIT from
 * version 5 on, with TXN_ADD_VERIFY before. */
struct txn_add_group {
    struct coord_request head;
    struct txn_wait wait;
    enum txn_add_kind kind;
    struct slice id, group;
    int64_t producer_id;
    int16_t producer_epoch;
};
void txn_add_offsets(struct coord *c, struct txn_add_group *r);

/* For Produce, before the append. What a transactional batch needs that log_txn_admitted does not
 * know: from version 12 on its partition comes in by itself (TXN_ADD_IMPLICIT), before that it has
 * to be in already (TXN_ADD_VERIFY). */
static inline enum txn_add_kind txn_kind_for_produce(int16_t version)
{
    return version >= 12 ? TXN_ADD_IMPLICIT : TXN_ADD_VERIFY;
}
/* What Produce's and TxnOffsetCommit's clients understand of such an error: as Kafka translates
 * (`knows_abortable`: Produce from version 11 on, TxnOffsetCommit from 4 on; `produce`: retriable
 * ones become NOT_ENOUGH_REPLICAS, which old producers retry without asking for metadata). */
err_t txn_error_for_append(err_t e, bool produce, bool knows_abortable);
/* ERR_FENCED as ERR_PRODUCER_EPOCH for versions below the first that knows it (InitProducerId 4;
 * AddPartitionsToTxn, AddOffsetsToTxn, EndTxn 2). */
err_t txn_error_for(err_t e, int16_t version, int16_t first_fenced);

/* EndTxn. Answered when the decision is on disk; the markers follow. `bump`: version 5 on; the
 * answer is the id and epoch of the producer's next transaction (-1 for the old ones). */
struct txn_end {
    struct coord_request head;
    struct txn_wait wait;
    struct slice id;
    int64_t producer_id;
    int16_t producer_epoch;
    bool commit, bump;
    /* the answer */
    int64_t new_id;
    int16_t new_epoch;
};
void txn_end(struct coord *c, struct txn_end *r);

/* DescribeTransactions: one id a request. ERR_UNKNOWN_TXN_ID. Outputs live in head.arena. */
struct txn_describe {
    struct coord_request head;
    struct slice id;
    /* the answer */
    enum txn_state state;
    int64_t producer_id, start_ms; /* -1: none open */
    int16_t producer_epoch;
    int32_t timeout_ms;
    struct txn_partition *partitions; /* by topic */
    uint32_t count;
};
void txn_describe(struct coord *c, struct txn_describe *r);

/* ListTransactions. */
struct txn_listed {
    struct slice id;
    int64_t producer_id;
    enum txn_state state;
};
struct txn_list {
    struct coord_request head;
    const struct slice *states; /* by name; none: all */
    uint32_t state_count;
    const int64_t *producer_ids; /* none: all */
    uint32_t producer_id_count;
    int64_t duration_ms; /* running for longer than this; -1: all. Patterns are the door's. */
    /* the answer */
    struct txn_listed *listed;
    uint32_t count;
    struct slice *unknown_states;
    uint32_t unknown_count;
};
void txn_list(struct coord *c, struct txn_list *r);
