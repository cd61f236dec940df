/* coord_int: what the coordinators share: how a request comes onto the loop, how an append comes
 * back to it, and one heap of timers for everything that waits for time.
 *
 * All of this is touched by the coordinators' loop only, and before its thread starts by
 * coord_open.
 */
#pragma once
#include "base/say.h"
#include "coord/groups.h"
#include "coord/txns.h"
#include "os/clock.h"
#include "os/thread.h"

/* --- timers ----------------------------------------------------------------------------------- *
 * Inside the object they belong to; zeroed is a timer that is off. Setting one costs no memory and
 * can not fail. One that is put off (a member's heartbeat) costs nothing until the time first asked
 * for is there: so a hundred thousand members cost what their heartbeats cost, and no more. */
struct coord_timer {
    void (*fn)(struct coord *c,
               struct coord_timer *t);       /* off already; may set it anew, or free it */
    int64_t due_ms;                          /* of the monotonic clock */
    int64_t key_ms;                          /* <= due_ms: its place in the heap */
    struct coord_timer *child, *next, *prev; /* a pairing heap; prev: the parent or the sibling */
    bool on;
};
void coord_timer_set(struct coord *c, struct coord_timer *t, int64_t delay_ms,
                     void (*fn)(struct coord *c, struct coord_timer *t));
void coord_timer_stop(struct coord *c, struct coord_timer *t); /* fine when it is off */
int64_t coord_mono_ms(void);
void coord_timers_run(struct coord *c);
void coord_alarm_rings(void *coord);

/* --- requests --------------------------------------------------------------------------------- */
/* Carries the request to the loop, where run(c, r) ends it by coord_answer, at once or later. */
void coord_request_send(struct coord *c, struct coord_request *r,
                        void (*run)(struct coord *c, struct coord_request *r));
/* Exactly once a request. head.diag is for `e` if anything is in it. */
void coord_answer(struct coord_request *r, err_t e);

/* --- appends ---------------------------------------------------------------------------------- *
 * log.partition, log.batches and log.size are the caller's to fill, `done` is called on the loop,
 * never from within coord_append, in the order of the appends of a partition: log.err,
 * log.base_offset. While the coordinators close, an append answers ERR_STOPPED. */
struct coord_append {
    struct log_append log;
    struct loop_message message;
    struct coord *coord;
    void (*done)(struct coord *c, struct coord_append *a); /* may free it */
};
void coord_append(struct coord *c, struct coord_append *a);

/* --- the coordinators ------------------------------------------------------------------------- */
struct coord {
    struct coord_options o; /* every default in place */
    struct loop *loop;
    struct thread thread;
    struct loop_timer *alarm; /* rings for the heap's first */
    int64_t alarm_ms;         /* when; INT64_MAX: it is off */
    struct coord_timer *timers;
    struct loop_message start, stop;
    uint64_t appends_out;
    bool closing;
    struct groups *groups;
    struct txns *txns;
};

/* Each coordinator's part of coord_open and coord_close. _open reads its topic, on the thread that
 * opens, before the loop runs; _begin is the first thing on the loop; _stop, on the loop, answers
 * all that waits with ERR_STOPPED (appends that are out still come back); _free is last. A part
 * that was never opened is NULL, which all of them take. */
MUST_CHECK err_t groups_open(struct coord *c, struct diag *d);
void groups_begin(struct coord *c);
void groups_stop(struct coord *c);
void groups_free(struct coord *c);
MUST_CHECK err_t txns_open(struct coord *c, struct diag *d);
void txns_begin(struct coord *c);
void txns_stop(struct coord *c);
void txns_free(struct coord *c);

/* An internal topic as the coordinators need it: found, or made (compact, this many partitions). */
MUST_CHECK err_t coord_topic(struct coord *c, const char *name, int32_t partitions,
                             struct log_topic **out, struct diag *d);
/* abs(String.hashCode of the text's UTF-16) % count: how Kafka spreads groups and transactions. */
int32_t coord_partition_of(struct slice text, int32_t count);
int32_t coord_utf16_length(struct slice text);
/* Reads a partition of an internal topic from its first record to its durable end. `batch` is
 * called for control batches too; `record` for each record of the others. Both borrow. An error of
 * theirs ends the reading. */
struct coord_replay {
    void *ctx;
    err_t (*record)(void *ctx, const struct record_batch *b, const struct record *r,
                    struct diag *d);
    /* A transaction's marker: committed or aborted. */
    err_t (*marker)(void *ctx, const struct record_batch *b, bool committed, struct diag *d);
};
MUST_CHECK err_t coord_replay(struct log_partition *p, const struct coord_replay *how,
                              struct diag *d);
