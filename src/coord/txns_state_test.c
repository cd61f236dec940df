/* What a transaction may become, held against Kafka's TransactionCoordinator: its table of ends in
 * version 2, the cases of its TransactionCoordinatorTest and TransactionMetadataTest. */
#include "coord/txns_int.h"
#include "test.h"

enum { PID = 10, NEXT_PID = 77, NOW = 5000, TIMEOUT = 60000 };

static err_t take_77(struct txn_ids *ids, int64_t *id, struct diag *d)
{
    (void)ids, (void)d;
    *id = NEXT_PID;
    return ERR_OK;
}
static struct txn_ids ids = {take_77};

static struct txn_facts facts(enum txn_state state, int16_t epoch, int16_t last)
{
    return (struct txn_facts){.producer_id = PID,
                              .previous_id = PID,
                              .next_id = -1,
                              .epoch = epoch,
                              .last_epoch = last,
                              .client_version = 2,
                              .timeout_ms = TIMEOUT,
                              .state = state,
                              .start_ms = state == TXN_EMPTY ? -1 : 1000,
                              .update_ms = 1000};
}

/* --- InitProducerId --------------------------------------------------------------------------- */

struct init_case {
    const char *what;
    enum txn_state state;
    int16_t epoch, last;
    int64_t given_id;
    int16_t given_epoch;
    err_t err;
    int64_t id;
    int16_t new_epoch, new_last;
};
static const struct init_case init_cases[] = {
    {"new", TXN_EMPTY, -1, -1, -1, -1, ERR_OK, PID, 0, -1},
    {"new, recovering", TXN_EMPTY, -1, -1, 3, 4, ERR_OK, PID, 0, -1},
    {"empty", TXN_EMPTY, 5, -1, -1, -1, ERR_OK, PID, 6, -1},
    {"committed", TXN_COMPLETE_COMMIT, 5, 4, -1, -1, ERR_OK, PID, 6, -1},
    {"aborted", TXN_COMPLETE_ABORT, 5, -1, -1, -1, ERR_OK, PID, 6, -1},
    {"goes on", TXN_EMPTY, 5, -1, PID, 5, ERR_OK, PID, 6, 5},
    {"asks again", TXN_EMPTY, 6, 5, PID, 5, ERR_OK, PID, 6, 5},
    {"too old", TXN_EMPTY, 6, 5, PID, 4, ERR_FENCED, 0, 0, 0},
    {"too new", TXN_EMPTY, 6, 5, PID, 7, ERR_FENCED, 0, 0, 0},
    {"another's id", TXN_EMPTY, 6, 5, PID + 1, 6, ERR_FENCED, 0, 0, 0},
    {"being committed", TXN_PREPARE_COMMIT, 6, 5, -1, -1, ERR_TXN_CONCURRENT, 0, 0, 0},
    {"being aborted", TXN_PREPARE_ABORT, 6, 5, PID, 6, ERR_TXN_CONCURRENT, 0, 0, 0},
    {"spent", TXN_EMPTY, 32766, -1, -1, -1, ERR_OK, NEXT_PID, 0, -1},
    {"spent by a fence", TXN_COMPLETE_ABORT, 32767, -1, -1, -1, ERR_OK, NEXT_PID, 0, -1},
    {"spent, goes on", TXN_EMPTY, 32766, -1, PID, 32766, ERR_OK, NEXT_PID, 0, 32766},
    {"spent, a zombie", TXN_EMPTY, 32766, -1, PID, 7, ERR_FENCED, 0, 0, 0},
    {"a zombie while another works", TXN_ONGOING, 6, -1, PID, 5, ERR_FENCED, 0, 0, 0},
};

TEST(a_producer_gets_the_epoch_that_kafka_gives_it)
{
    for (size_t i = 0; i < COUNT_OF(init_cases); i++) {
        const struct init_case *c = &init_cases[i];
        struct txn_facts now = facts(c->state, c->epoch, c->last), next;
        struct txn_init r = {
            .timeout_ms = 9, .producer_id = c->given_id, .producer_epoch = c->given_epoch};
        struct diag d = {0};
        err_t e = txn_init_next(&now, &r, NOW, false, &ids, &next, &d);
        if (e != c->err)
            test_failed(__FILE__, __LINE__, "%s: %s, not %s", c->what, err_name(e),
                        err_name(c->err));
        if (e || c->err) continue;
        if (next.producer_id != c->id || next.epoch != c->new_epoch ||
            next.last_epoch != c->new_last)
            test_failed(__FILE__, __LINE__, "%s: %lld epoch %d last %d", c->what,
                        (long long)next.producer_id, next.epoch, next.last_epoch);
        CHECK_INT(next.state, TXN_EMPTY);
        CHECK_INT(next.start_ms, -1);
        CHECK_INT(next.timeout_ms, 9);
        CHECK_INT(next.update_ms, NOW);
    }
}

/* A rotation that the producer was not told of: it asks with what it had. */
TEST(an_id_that_was_replaced_unheard_is_told_again)
{
    struct txn_facts now = facts(TXN_EMPTY, 0, 32766), next;
    now.producer_id = NEXT_PID;
    struct txn_init r = {.timeout_ms = 9, .producer_id = PID, .producer_epoch = 32766};
    CHECK_OK(txn_init_next(&now, &r, NOW, false, &ids, &next, NULL), NULL);
    CHECK_INT(next.producer_id, NEXT_PID);
    CHECK_INT(next.epoch, 0);
    r.producer_epoch = 5; /* not spent: somebody else's */
    CHECK_ERR(txn_init_next(&now, &r, NOW, false, &ids, &next, NULL), ERR_FENCED);
}

TEST(what_a_predecessor_left_open_is_aborted_two_epochs_on)
{
    struct txn_facts now = facts(TXN_ONGOING, 5, -1), next;
    struct txn_init r = {.timeout_ms = 9, .producer_id = -1, .producer_epoch = -1};
    CHECK_OK(txn_init_next(&now, &r, NOW, false, &ids, &next, NULL), NULL);
    CHECK_INT(next.state, TXN_PREPARE_ABORT);
    CHECK_INT(next.epoch, 7);
    CHECK_INT(next.timeout_ms, TIMEOUT);
    CHECK_INT(next.start_ms, 1000);
    struct txn_facts over;
    txn_complete_next(&next, NOW, &over);
    CHECK_INT(over.state, TXN_COMPLETE_ABORT);
    CHECK_INT(over.epoch, 7);
    /* The fenced one comes late, in both dialects. */
    bool settled;
    for (int bump = 0; bump < 2; bump++)
        for (int commit = 0; commit < 2; commit++) {
            struct txn_end end = {
                .producer_id = PID, .producer_epoch = 5, .commit = commit, .bump = bump};
            CHECK_ERR(txn_end_next(&over, false, &end, NOW, &ids, &next, &settled, NULL),
                      ERR_FENCED);
        }
}

TEST(a_fence_at_the_last_epochs_does_not_overflow)
{
    for (int16_t epoch = 32763; epoch < 32767 && epoch > 0; epoch++) {
        struct txn_facts now = facts(TXN_ONGOING, epoch, -1), next, over;
        txn_fence_next(&now, NOW, false, &next);
        CHECK(next.epoch > epoch);
        CHECK_INT(next.epoch, MIN(epoch + 2, 32767));
        txn_complete_next(&next, NOW, &over);
        struct txn_init r = {.timeout_ms = 9, .producer_id = PID, .producer_epoch = epoch};
        err_t e = txn_init_next(&over, &r, NOW, false, &ids, &next, NULL);
        CHECK_ERR(e, ERR_FENCED);
        r.producer_id = r.producer_epoch = -1;
        CHECK_OK(txn_init_next(&over, &r, NOW, false, &ids, &next, NULL), NULL);
        CHECK_INT(next.producer_id, over.epoch >= 32766 ? NEXT_PID : PID);
    }
}

TEST(the_mutant_hands_out_the_same_epoch_again)
{
    struct txn_facts now = facts(TXN_COMPLETE_COMMIT, 5, -1), next;
    struct txn_init r = {.timeout_ms = 9, .producer_id = -1, .producer_epoch = -1};
    CHECK_OK(txn_init_next(&now, &r, NOW, true, &ids, &next, NULL), NULL);
    CHECK_INT(next.epoch, 5);
    now.epoch = -1;
    CHECK_OK(txn_init_next(&now, &r, NOW, true, &ids, &next, NULL), NULL);
    CHECK_INT(next.epoch, 0);
}

/* --- EndTxn ----------------------------------------------------------------------------------- */

enum { RETRY = -1, CURRENT = 0, AHEAD = 1 };
enum { BUMPED = 1000, TOLD }; /* besides errors: goes on with a bump; has happened already */

struct end_case {
    enum txn_state state;
    int epoch; /* the request's, as seen from the transaction's */
    bool commit;
    int want;
};
/* The table of TransactionCoordinator.scala, and what it says of the other states. */
static const struct end_case end_cases[] = {
    {TXN_EMPTY, RETRY, false, ERR_FENCED},
    {TXN_EMPTY, CURRENT, false, BUMPED},
    {TXN_EMPTY, RETRY, true, ERR_FENCED},
    {TXN_EMPTY, CURRENT, true, ERR_TXN_STATE},
    {TXN_COMPLETE_ABORT, RETRY, false, TOLD},
    {TXN_COMPLETE_ABORT, CURRENT, false, BUMPED},
    {TXN_COMPLETE_ABORT, RETRY, true, ERR_TXN_STATE},
    {TXN_COMPLETE_ABORT, CURRENT, true, ERR_TXN_STATE},
    {TXN_COMPLETE_COMMIT, RETRY, false, ERR_TXN_STATE},
    {TXN_COMPLETE_COMMIT, CURRENT, false, BUMPED},
    {TXN_COMPLETE_COMMIT, RETRY, true, TOLD},
    {TXN_COMPLETE_COMMIT, CURRENT, true, ERR_TXN_STATE},
    {TXN_COMPLETE_COMMIT, AHEAD, true, ERR_FENCED},
    {TXN_COMPLETE_COMMIT, -2, true, ERR_FENCED},
    {TXN_ONGOING, RETRY, true, ERR_FENCED},
    {TXN_ONGOING, CURRENT, true, BUMPED},
    {TXN_ONGOING, CURRENT, false, BUMPED},
    {TXN_ONGOING, AHEAD, false, ERR_FENCED},
    {TXN_PREPARE_COMMIT, RETRY, true, ERR_TXN_CONCURRENT},
    {TXN_PREPARE_COMMIT, CURRENT, true, ERR_FENCED},
    {TXN_PREPARE_COMMIT, RETRY, false, ERR_TXN_STATE},
    {TXN_PREPARE_ABORT, RETRY, false, ERR_TXN_CONCURRENT},
    {TXN_PREPARE_ABORT, RETRY, true, ERR_TXN_STATE},
    {TXN_PREPARE_ABORT, CURRENT, false, ERR_FENCED},
};

static void check_end(const struct end_case *c)
{
    struct txn_facts now = facts(c->state, 9, 8), next = {0};
    struct txn_end r = {.producer_id = PID,
                        .producer_epoch = (int16_t)(9 + c->epoch),
                        .commit = c->commit,
                        .bump = true};
    bool settled;
    err_t e = txn_end_next(&now, false, &r, NOW, &ids, &next, &settled, NULL);
    int got = e ? (int)e : settled ? TOLD : BUMPED;
    if (got != c->want)
        test_failed(__FILE__, __LINE__, "%s %s at %d: %d, not %d", txn_state_name(c->state),
                    c->commit ? "commit" : "abort", c->epoch, got, c->want);
    if (got != BUMPED) return;
    CHECK_INT(next.epoch, 10);
    CHECK_INT(next.last_epoch, 9);
    CHECK_INT(next.state, c->commit ? TXN_PREPARE_COMMIT : TXN_PREPARE_ABORT);
    CHECK_INT(next.start_ms, c->state == TXN_ONGOING ? 1000 : NOW);
    CHECK_INT(next.producer_id, PID);
    CHECK_INT(next.next_id, -1);
    CHECK_INT(next.client_version, 2);
}

TEST(an_end_that_bumps_answers_by_kafkas_table)
{
    for (size_t i = 0; i < COUNT_OF(end_cases); i++) check_end(&end_cases[i]);
}

/* A zombie that bumps, whose successor, one epoch on, does not. */
TEST(an_end_without_bump_is_nobodys_retry)
{
    for (int state = TXN_PREPARE_COMMIT; state <= TXN_COMPLETE_ABORT; state++) {
        struct txn_facts now = facts((enum txn_state)state, 9, -1), next;
        struct txn_end r = {.producer_id = PID, .producer_epoch = 8, .bump = true};
        bool settled;
        now.client_version = 0;
        for (int commit = 0; commit < 2; commit++) {
            r.commit = commit;
            CHECK_ERR(txn_end_next(&now, false, &r, NOW, &ids, &next, &settled, NULL), ERR_FENCED);
        }
    }
}

/* A step that is on its way: wrong ids and epochs are still told, the rest waits. */
TEST(an_end_waits_for_what_is_being_written)
{
    struct txn_facts now = facts(TXN_EMPTY, 9, 8), next;
    bool settled;
    for (int bump = 0; bump < 2; bump++) {
        struct txn_end r = {.producer_id = PID, .producer_epoch = 9, .bump = bump};
        CHECK_ERR(txn_end_next(&now, true, &r, NOW, &ids, &next, &settled, NULL),
                  ERR_TXN_CONCURRENT);
        r.producer_epoch = 7;
        CHECK_ERR(txn_end_next(&now, true, &r, NOW, &ids, &next, &settled, NULL), ERR_FENCED);
        r.producer_id = 11;
        CHECK_ERR(txn_end_next(&now, true, &r, NOW, &ids, &next, &settled, NULL),
                  ERR_PRODUCER_MAPPING);
    }
}

TEST(an_end_of_an_old_client_keeps_the_epoch)
{
    struct txn_facts now = facts(TXN_ONGOING, 9, 8), next;
    struct txn_end r = {.producer_id = PID, .producer_epoch = 9, .commit = true};
    bool settled;
    CHECK_OK(txn_end_next(&now, false, &r, NOW, &ids, &next, &settled, NULL), NULL);
    CHECK_INT(next.state, TXN_PREPARE_COMMIT);
    CHECK_INT(next.epoch, 9);
    CHECK_INT(next.last_epoch, 8);
    CHECK_INT(next.client_version, 0);
    struct txn_facts over;
    txn_complete_next(&next, NOW, &over);
    CHECK_INT(over.state, TXN_COMPLETE_COMMIT);
    CHECK_INT(over.epoch, 9);
    CHECK_OK(txn_end_next(&over, false, &r, NOW, &ids, &next, &settled, NULL), NULL);
    CHECK(settled);
    CHECK_ERR(txn_end_next(&next, false, &r, NOW, &ids, &over, &settled, NULL), ERR_TXN_CONCURRENT);
    r.commit = false;
    CHECK_ERR(txn_end_next(&over, false, &r, NOW, &ids, &next, &settled, NULL), ERR_TXN_STATE);
    now.state = TXN_EMPTY;
    CHECK_ERR(txn_end_next(&now, false, &r, NOW, &ids, &next, &settled, NULL), ERR_TXN_STATE);
}

/* KIP-890: the client sees 32766 followed by epoch 0 of another id, and may ask again. */
TEST(the_last_epochs_end_gives_another_producer_id)
{
    struct txn_facts now = facts(TXN_ONGOING, 32766, 32765), next, over;
    struct txn_end r = {.producer_id = PID, .producer_epoch = 32766, .commit = true, .bump = true};
    bool settled;
    CHECK_OK(txn_end_next(&now, false, &r, NOW, &ids, &next, &settled, NULL), NULL);
    CHECK_INT(next.epoch, 32767); /* of the markers */
    CHECK_INT(next.producer_id, PID);
    CHECK_INT(next.next_id, NEXT_PID);
    CHECK_ERR(txn_end_next(&next, true, &r, NOW, &ids, &over, &settled, NULL), ERR_TXN_CONCURRENT);
    txn_complete_next(&next, NOW, &over);
    CHECK_INT(over.producer_id, NEXT_PID);
    CHECK_INT(over.previous_id, PID);
    CHECK_INT(over.epoch, 0);
    CHECK_INT(over.last_epoch, 32766);
    CHECK_INT(over.next_id, -1);
    CHECK_OK(txn_end_next(&over, false, &r, NOW, &ids, &next, &settled, NULL), NULL);
    CHECK(settled);
    r.commit = false;
    CHECK_ERR(txn_end_next(&over, false, &r, NOW, &ids, &next, &settled, NULL), ERR_TXN_STATE);
    r.producer_epoch = 32765;
    CHECK_ERR(txn_end_next(&over, false, &r, NOW, &ids, &next, &settled, NULL),
              ERR_PRODUCER_MAPPING);
}

TEST(a_transaction_begins_with_its_first_partition)
{
    struct txn_facts now = facts(TXN_COMPLETE_ABORT, 9, 8), next, more;
    txn_ongoing_next(&now, NOW, 2, &next);
    CHECK_INT(next.state, TXN_ONGOING);
    CHECK_INT(next.start_ms, NOW);
    CHECK_INT(next.epoch, 9);
    txn_ongoing_next(&next, NOW + 5, 2, &more);
    CHECK_INT(more.start_ms, NOW);
    CHECK_INT(more.update_ms, NOW + 5);
}

TEST(old_clients_are_told_what_they_know)
{
    CHECK_ERR(txn_error_for(ERR_FENCED, 3, 4), ERR_PRODUCER_EPOCH);
    CHECK_ERR(txn_error_for(ERR_FENCED, 4, 4), ERR_FENCED);
    CHECK_ERR(txn_error_for(ERR_TXN_STATE, 0, 4), ERR_TXN_STATE);
    CHECK_INT(err_kafka(txn_error_for_append(ERR_TXN_CONCURRENT, true, true)), 19);
    CHECK_INT(err_kafka(txn_error_for_append(ERR_TXN_CONCURRENT, false, true)), 51);
    CHECK_INT(err_kafka(txn_error_for_append(ERR_TXN_ABORTABLE, true, false)), 48);
    CHECK_INT(err_kafka(txn_error_for_append(ERR_TXN_ABORTABLE, true, true)), 120);
    CHECK_INT(err_kafka(txn_error_for_append(ERR_FENCED, true, true)), 47);
    CHECK_INT(err_kafka(txn_error_for_append(ERR_PRODUCER_MAPPING, true, true)), 49);
    CHECK_INT(err_kafka(txn_error_for_append(ERR_OK, true, true)), 0);
}

TEST(states_have_kafkas_names)
{
    enum txn_state s;
    for (int i = 0; i < TXN_STATES; i++) {
        CHECK(txn_state_of_name(slice_of(txn_state_name((enum txn_state)i)), &s));
        CHECK_INT(s, i);
    }
    CHECK(!txn_state_of_name(SLICE("ongoing"), &s));
    CHECK_TEXT(txn_state_name(TXN_PREPARE_EPOCH_FENCE), "PrepareEpochFence");
}
