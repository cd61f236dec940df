/* coord: the coordinators of consumer groups and of transactions, on one loop and thread of their
 * own. What they decide lies in the log's topics __consumer_offsets and __transaction_state, in
 * Kafka's own record formats, and is durable before it is answered.
 *
 * Loop: requests come from any thread and are carried to the coordinators' loop; `done` is called
 * there, once, and must not wait. All state is touched by that loop only. Memory: limits below.
 * Never knows a connection; an answer is the fields of the request.
 */
#pragma once
#include "log/log.h"
#include "os/loop.h"

struct coord;
struct coord_options {
    struct log *log;
    int64_t rebalance_delay_ms; /* group.initial.rebalance.delay.ms: 0 here, so that it starts at
                                   once */
    int64_t session_min_ms, session_max_ms; /* 0: 6,000 and 1,800,000 */
    int64_t offsets_retention_ms;           /* 0: 7 days, as offsets.retention.minutes */
    int32_t group_max_size;                 /* group.max.size; 0: GROUP_MEMBERS_MAX */
    int32_t offsets_partitions;             /* of __consumer_offsets; 0: 8 */
    int32_t txn_partitions;                 /* of __transaction_state; 0: 8 */
    int64_t txn_timeout_max_ms;             /* 0: 900,000 */
    int64_t txn_id_expiration_ms;           /* 0: 7 days */
    int64_t txn_wait_ms;                    /* for the end of the transaction before; 0: 1,000 */
    bool mutant_reuse_epoch; /* the bank transfer's checker must catch this; never set elsewhere */
};

/* Reads both topics (made when first needed) and finishes what a crash has interrupted: prepared
 * transactions get their markers. Serves when it answers. */
MUST_CHECK err_t coord_open(const struct coord_options *o, struct coord **out, struct diag *d);
/* Answers what waits with ERR_STOPPED. Before log_close; after the doors are closed. */
void coord_close(struct coord *c);
struct loop *coord_loop(struct coord *c);

/* The head of every request: the caller keeps all of it, inputs too, until `done`. Outputs that
 * need room are put into `arena`, which nobody else touches meanwhile. */
struct coord_request {
    struct loop_message message; /* the coordinators' own, and the next two */
    struct coord *coord;
    void (*run)(struct coord *c, struct coord_request *r);
    void (*done)(struct coord_request *r);
    void *arg;
    struct arena *arena;
    err_t err;
    struct diag diag;
};
