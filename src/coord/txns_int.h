/* txns_int: what the transaction coordinator's own files share. T1 … are the numbers of
 * docs/transactions.md.
 *
 * A transaction is a few facts, as one record of __transaction_state says them. Each step is:
 * decide what the facts become (txns_state.c, pure), write that (txns_write.c), and when it is on
 * disk, and only then (T1), let it be so and act on it. While it is being written, or while markers
 * are on their way, the transaction is `pending` and takes no other step.
 */
#pragma once
#include "coord/coord_int.h"
#include "wire/kafka/kafka.h"

#define TXNS_TOPIC "__transaction_state"
enum {
    TXN_WAITING_MAX = 16, /* requests that wait for one transaction */
    TXN_ID_BLOCK = 1000,
    TXN_EPOCH_MAX = INT16_MAX,
    TXN_RETRY_MS =
        10, /* a marker or a record that could not be written; then twice that, up to … */
    TXN_RETRY_MAX_MS = 1000,
    TXN_RECORD_MAX = 1 << 20
};

/* What a record says. */
struct txn_facts {
    int64_t producer_id, previous_id, next_id; /* -1: none */
    int16_t epoch, last_epoch;                 /* last: the one before a bump its producer knows */
    int16_t client_version;                    /* 2: each end bumps the epoch */
    int32_t timeout_ms;
    enum txn_state state;
    int64_t start_ms, update_ms;
};
struct txn_place { /* a partition of the transaction */
    struct log_topic *topic;
    int32_t index;
    bool ended;  /* its marker is on disk */
    bool asked;  /* its marker is on its way */
    bool warned; /* it was said that it can not be written */
};
struct txn {
    struct slice id;
    struct txn_facts now, next; /* next: while pending */
    bool pending;
    struct vec places;  /* struct txn_place */
    size_t place_count; /* of those that are on disk; the rest are being written */
    uint32_t markers_out;
    int32_t retry_ms;         /* how long the next try waits; 0: none was needed */
    struct coord_timer timer; /* ongoing: its timeout; being ended: another try */
    struct coord_timer patience;
    struct coord_request *waiting;
    uint32_t waiting_count;
    struct coord_request *ender; /* the EndTxn that is told when the markers are there */
};
struct txns {
    struct coord *c;
    struct map *by_id;
    struct log_topic *topic; /* NULL: not made yet */
    struct coord_timer sweep;
    int64_t id_next, id_end; /* what is left of the block of producer ids */
    bool stopped;
};

/* --- txns_state.c: what the facts become. Pure. ----------------------------------------------- */
/* Where a rotation finds a producer id that nobody has had. */
struct txn_ids {
    err_t (*take)(struct txn_ids *ids, int64_t *id, struct diag *d);
};
bool txn_exhausted(int16_t epoch);
/* InitProducerId: next->state TXN_EMPTY is its new epoch; TXN_PREPARE_ABORT: what is open has to be
 * ended first. */
MUST_CHECK err_t txn_init_next(const struct txn_facts *now, const struct txn_init *r,
                               int64_t now_ms, bool reuse_epoch, struct txn_ids *ids,
                               struct txn_facts *next, struct diag *d);
/* EndTxn of a client. *settled: it has happened already, and r is to be told so. */
MUST_CHECK err_t txn_end_next(const struct txn_facts *now, bool pending, const struct txn_end *r,
                              int64_t now_ms, struct txn_ids *ids, struct txn_facts *next,
                              bool *settled, struct diag *d);
/* The producer is fenced, and what it has open aborted. */
void txn_fence_next(const struct txn_facts *now, int64_t now_ms, bool reuse_epoch,
                    struct txn_facts *next);
void txn_ongoing_next(const struct txn_facts *now, int64_t now_ms, int16_t client_version,
                      struct txn_facts *next);
void txn_complete_next(const struct txn_facts *now, int64_t now_ms, struct txn_facts *next);
/* ERR_PRODUCER_MAPPING, ERR_FENCED, or OK. */
MUST_CHECK err_t txn_owns(const struct txn_facts *now, int64_t producer_id, int16_t epoch);
bool txn_ending(enum txn_state s);
bool txn_expires(enum txn_state s);
bool txn_state_of_name(struct slice name, enum txn_state *out);

/* --- txns_record.c ---------------------------------------------------------------------------- */
struct txn_record_topic {
    struct slice name;
    const int32_t *partitions;
    int32_t count;
};
/* ERR_VERSION for a record of a later form, ERR_CORRUPT for what is none. *known false: a key of
 * another kind. What it finds lives in `a` or is borrowed. */
MUST_CHECK err_t txn_record_id(struct slice key, struct arena *a, struct slice *id, bool *known,
                               struct diag *d);
MUST_CHECK err_t txn_record_facts(struct slice value, struct arena *a, struct txn_facts *out,
                                  struct txn_record_topic **topics, int32_t *count, struct diag *d);
/* One batch with one record. facts NULL: a tombstone. */
MUST_CHECK err_t txn_record_put(struct slice id, const struct txn_facts *facts,
                                const struct txn_place *places, size_t count, int64_t now_ms,
                                struct buf *out, struct diag *d);
enum { TXN_MARKER_MAX = 128 };
/* A control batch: the end of a producer's transaction in one partition. */
MUST_CHECK err_t txn_marker_put(int64_t producer_id, int16_t epoch, bool commit, int64_t now_ms,
                                struct buf *out);

/* --- txns.c ----------------------------------------------------------------------------------- */
struct txn *txn_find(const struct txns *s, struct slice id);
MUST_CHECK err_t txn_new(struct txns *s, struct slice id, struct txn **out); /* in the table */
void txn_free(struct txn *t);
void txn_forget(struct txns *s, struct txn *t); /* out of it, freed */
MUST_CHECK err_t txn_place_add(struct txn *t, struct log_topic *topic, int32_t index);
struct txn_place *txn_place_of(const struct txn *t, const struct log_topic *topic, int32_t index);
void txn_admit(const struct txn *t, const struct txn_place *p);

struct coord_ids { /* ids in blocks from the log */
    struct txn_ids ids;
    struct txns *s;
};
struct coord_ids coord_ids(struct txns *s);

/* --- txns_write.c ----------------------------------------------------------------------------- */
/* Writes t->next (all places with it), then calls `then` on the loop, with OK when it is so now. */
typedef void txn_then(struct txns *s, struct txn *t, struct coord_request *r, err_t e);
void txn_write(struct txns *s, struct txn *t, const struct txn_facts *next, txn_then *then,
               struct coord_request *r);
/* Answers, except for ERR_TXN_CONCURRENT: then the request is run again when the transaction is not
 * pending any more, or told so in the end. */
void txn_reply(struct txns *s, struct txn *t, struct coord_request *r, err_t e);
void txn_settled(struct txns *s, struct txn *t); /* runs what waits. t may be gone after it. */
void txn_let_go(struct txns *s, struct txn *t, err_t e); /* answers all that waits */
void txn_expire(struct txns *s, struct txn *t);          /* a tombstone, then it is forgotten */

/* --- txns_end.c ------------------------------------------------------------------------------- */
/* Aborts what is open under a new epoch. */
void txn_fence(struct txns *s, struct txn *t);
void txn_watch(struct txns *s, struct txn *t);  /* an ongoing one: its timeout */
void txn_finish(struct txns *s, struct txn *t); /* a prepared one: markers, and then the record */
