/* What a transaction's facts become: Kafka's TransactionCoordinator and TransactionMetadata, step
 * by step. Nothing here waits, writes or knows a partition. */
#include "coord/txns_int.h"

static const char *const state_names[TXN_STATES] = {
    [TXN_EMPTY] = "Empty",
    [TXN_ONGOING] = "Ongoing",
    [TXN_PREPARE_COMMIT] = "PrepareCommit",
    [TXN_PREPARE_ABORT] = "PrepareAbort",
    [TXN_COMPLETE_COMMIT] = "CompleteCommit",
    [TXN_COMPLETE_ABORT] = "CompleteAbort",
    [TXN_DEAD] = "Dead",
    [TXN_PREPARE_EPOCH_FENCE] = "PrepareEpochFence",
};

const char *txn_state_name(enum txn_state s)
{
    return (unsigned)s < TXN_STATES ? state_names[s] : "Unknown";
}

bool txn_state_of_name(struct slice name, enum txn_state *out)
{
    for (int i = 0; i < TXN_STATES; i++) {
        if (!slice_is(name, state_names[i])) continue;
        *out = (enum txn_state)i;
        return true;
    }
    return false;
}

bool txn_ending(enum txn_state s)
{
    return s == TXN_PREPARE_COMMIT || s == TXN_PREPARE_ABORT;
}

static bool txn_over(enum txn_state s)
{
    return s == TXN_COMPLETE_COMMIT || s == TXN_COMPLETE_ABORT;
}

bool txn_expires(enum txn_state s)
{
    return s == TXN_EMPTY || txn_over(s);
}

/* The largest epoch is never a client's, so that one can always be fenced. */
bool txn_exhausted(int16_t epoch)
{
    return epoch >= TXN_EPOCH_MAX - 1;
}

err_t txn_owns(const struct txn_facts *now, int64_t producer_id, int16_t epoch)
{
    if (now->producer_id != producer_id) return ERR_PRODUCER_MAPPING;
    return now->epoch != epoch ? ERR_FENCED : ERR_OK;
}

/* What every step keeps, and what it forgets. */
static void begin(const struct txn_facts *now, enum txn_state state, int64_t now_ms,
                  struct txn_facts *next)
{
    *next = *now;
    next->previous_id = now->producer_id;
    next->next_id = -1;
    next->state = state;
    next->update_ms = now_ms;
}

static err_t fenced(const struct txn_facts *now, const struct txn_init *r, struct diag *d)
{
    return diag_fail(
        d, ERR_FENCED, "producer %lld epoch %d is not the transactional id's: %lld epoch %d",
        (long long)r->producer_id, r->producer_epoch, (long long)now->producer_id, now->epoch);
}

/* The epoch that follows. A producer that says which one it had, and was answered already, gets the
 * same answer again: had another come between, last_epoch would be -1. */
static err_t next_epoch(const struct txn_facts *now, const struct txn_init *r, bool reuse_epoch,
                        struct txn_facts *next, struct diag *d)
{
    bool given = r->producer_id != -1, first = now->epoch == -1;
    if (given && !first && r->producer_epoch != now->epoch) {
        if (r->producer_epoch != now->last_epoch) return fenced(now, r, d);
        next->epoch = now->epoch;
        return ERR_OK;
    }
    next->epoch = reuse_epoch && !first ? now->epoch : (int16_t)(now->epoch + 1);
    next->last_epoch = given ? now->epoch : -1;
    return ERR_OK;
}

err_t txn_init_next(const struct txn_facts *now, const struct txn_init *r, int64_t now_ms,
                    bool reuse_epoch, struct txn_ids *ids, struct txn_facts *next, struct diag *d)
{
    bool given = r->producer_id != -1;
    if (given && now->epoch != -1 && r->producer_id != now->producer_id &&
        !(r->producer_id == now->previous_id && txn_exhausted(r->producer_epoch)))
        return fenced(now, r, d);
    if (txn_ending(now->state)) return ERR_TXN_CONCURRENT;
    if (now->state == TXN_ONGOING) {
        /* Kafka looks at the epoch only after it has aborted. A zombie is told the same here,
         * without harm to the one who works. */
        if (given && r->producer_epoch != now->epoch) return fenced(now, r, d);
        txn_fence_next(now, now_ms, reuse_epoch, next);
        return ERR_OK;
    }
    begin(now, TXN_EMPTY, now_ms, next);
    next->timeout_ms = r->timeout_ms;
    next->start_ms = -1;
    next->client_version = 0;
    if (!txn_exhausted(now->epoch) || (given && r->producer_epoch != now->epoch))
        return next_epoch(now, r, reuse_epoch, next, d);
    next->epoch = 0;
    next->last_epoch = given ? now->epoch : -1;
    return ids->take(ids, &next->producer_id, d);
}

void txn_ongoing_next(const struct txn_facts *now, int64_t now_ms, int16_t client_version,
                      struct txn_facts *next)
{
    begin(now, TXN_ONGOING, now_ms, next);
    next->client_version = client_version;
    if (now->state != TXN_ONGOING) next->start_ms = now_ms;
}

/* Two epochs on: the one that fences, and the one by which each end bumps. So a late EndTxn of the
 * fenced producer does not look like a retry (that would be one epoch on), after a restart too. */
void txn_fence_next(const struct txn_facts *now, int64_t now_ms, bool reuse_epoch,
                    struct txn_facts *next)
{
    begin(now, TXN_PREPARE_ABORT, now_ms, next);
    next->client_version = 2;
    if (reuse_epoch) return;
    next->epoch = (int16_t)MIN(now->epoch + 2, TXN_EPOCH_MAX);
    next->last_epoch = next->epoch == now->epoch + 2 ? (int16_t)(now->epoch + 1) : -1;
}

void txn_complete_next(const struct txn_facts *now, int64_t now_ms, struct txn_facts *next)
{
    bool commit = now->state == TXN_PREPARE_COMMIT;
    begin(now, commit ? TXN_COMPLETE_COMMIT : TXN_COMPLETE_ABORT, now_ms, next);
    if (now->client_version < 2 || now->next_id == -1) return;
    next->producer_id = now->next_id; /* the epochs were spent; last_epoch stays what it knew */
    next->epoch = 0;
}

/* --- EndTxn ----------------------------------------------------------------------------------- */

static err_t wrong_state(const struct txn_facts *now, bool commit, struct diag *d)
{
    return diag_fail(d, ERR_TXN_STATE, "a transaction in state %s can not be %s",
                     txn_state_name(now->state), commit ? "committed" : "aborted");
}

/* One that is over or on its way, asked for again by a client that does not bump. */
static err_t end_again(const struct txn_facts *now, bool commit, bool *settled, struct diag *d)
{
    bool fits = commit ? now->state == TXN_PREPARE_COMMIT || now->state == TXN_COMPLETE_COMMIT
                       : now->state == TXN_PREPARE_ABORT || now->state == TXN_COMPLETE_ABORT;
    if (!fits) return wrong_state(now, commit, d);
    if (txn_ending(now->state)) return ERR_TXN_CONCURRENT;
    *settled = true;
    return ERR_OK;
}

static err_t end_old(const struct txn_facts *now, bool pending, const struct txn_end *r,
                     int64_t now_ms, struct txn_facts *next, bool *settled, struct diag *d)
{
    err_t e = txn_owns(now, r->producer_id, r->producer_epoch);
    if (e) return e;
    if (pending) return ERR_TXN_CONCURRENT;
    if (now->state != TXN_ONGOING) return end_again(now, r->commit, settled, d);
    begin(now, r->commit ? TXN_PREPARE_COMMIT : TXN_PREPARE_ABORT, now_ms, next);
    next->client_version = 0;
    return ERR_OK;
}

/* How the request's epoch stands to the transaction's, for clients whose every end bumps it. */
enum end_epoch { END_CURRENT, END_RETRY, END_FENCED };
static enum end_epoch end_epoch_of(const struct txn_facts *now, const struct txn_end *r)
{
    bool current = r->producer_epoch == now->epoch && now->producer_id == r->producer_id;
    bool bumped = now->epoch == r->producer_epoch + 1 && now->producer_id == r->producer_id;
    bool rotated = now->previous_id == r->producer_id && now->epoch == 0 &&
                   r->producer_epoch == TXN_EPOCH_MAX - 1;
    /* Only what ended with a bump can be asked for again with the epoch before: else a zombie that
     * bumps would pass for its successor who does not. */
    if (now->client_version < 2) bumped = rotated = false;
    if (txn_ending(now->state)) return bumped ? END_RETRY : END_FENCED;
    if (txn_over(now->state) && (bumped || rotated)) return END_RETRY;
    return current && now->epoch < TXN_EPOCH_MAX ? END_CURRENT : END_FENCED;
}

static err_t end_bumping(const struct txn_facts *now, bool pending, const struct txn_end *r,
                         int64_t now_ms, struct txn_ids *ids, struct txn_facts *next, bool *settled,
                         struct diag *d)
{
    enum end_epoch how = end_epoch_of(now, r);
    if (now->producer_id != r->producer_id && how != END_RETRY) return ERR_PRODUCER_MAPPING;
    if (how == END_FENCED) return ERR_FENCED;
    if (pending) return ERR_TXN_CONCURRENT;
    if (how == END_RETRY) return end_again(now, r->commit, settled, d);
    /* An abort of nothing is fine, and bumps as well: the client does not know what came in. */
    if (now->state != TXN_ONGOING && r->commit) return wrong_state(now, true, d);
    begin(now, r->commit ? TXN_PREPARE_COMMIT : TXN_PREPARE_ABORT, now_ms, next);
    next->client_version = 2;
    if (now->state != TXN_ONGOING) next->start_ms = now_ms;
    next->last_epoch = now->epoch;
    next->epoch = (int16_t)(now->epoch + 1);
    return txn_exhausted(now->epoch) ? ids->take(ids, &next->next_id, d) : ERR_OK;
}

err_t txn_end_next(const struct txn_facts *now, bool pending, const struct txn_end *r,
                   int64_t now_ms, struct txn_ids *ids, struct txn_facts *next, bool *settled,
                   struct diag *d)
{
    *settled = false;
    if (r->bump) return end_bumping(now, pending, r, now_ms, ids, next, settled, d);
    return end_old(now, pending, r, now_ms, next, settled, d);
}

/* --- how errors are told ---------------------------------------------------------------------- */

err_t txn_error_for(err_t e, int16_t version, int16_t first_fenced)
{
    return e == ERR_FENCED && version < first_fenced ? ERR_PRODUCER_EPOCH : e;
}

err_t txn_error_for_append(err_t e, bool produce, bool knows_abortable)
{
    switch (e) {
    case ERR_FENCED: return ERR_PRODUCER_EPOCH; /* what producers handle here */
    case ERR_TXN_ABORTABLE: return knows_abortable ? e : ERR_TXN_STATE;
    case ERR_TXN_CONCURRENT:
    case ERR_COORDINATOR_LOADING:
    case ERR_NOT_COORDINATOR:
    case ERR_BUSY: return produce ? ERR_TXN_UNVERIFIED : e;
    default: return e;
    }
}
