/* Transactions from the outside: what each request answers, what readers see, what a restart keeps.
 * The cases are those of Kafka's TransactionCoordinatorTest, TransactionsTest and
 * TransactionsExpirationTest. */
#include "coord/txns_test_kit.h"

/* --- producer ids ----------------------------------------------------------------------------- */

TEST(idempotent_producers_get_ids_that_nobody_has_had)
{
    struct kit k = kit_open();
    int64_t last = -1;
    for (int i = 0; i < 2050; i++) { /* over two blocks */
        struct who w = {.id = NULL};
        CHECK_OK(kit_init_as(&k, &w, 0, -1, -1), NULL);
        CHECK(w.pid > last);
        CHECK_INT(w.epoch, 0);
        last = w.pid;
    }
    kit_crash(&k);
    struct who w = {.id = NULL}, txn = {.id = "x"};
    CHECK_OK(kit_init(&k, &w), NULL);
    CHECK(w.pid > last);
    CHECK_OK(kit_init_as(&k, &w, 0, w.pid, 0), NULL); /* after UNKNOWN_PRODUCER_ID: a new one */
    CHECK_OK(kit_init(&k, &txn), NULL);
    CHECK(txn.pid > w.pid);
    kit_stop(&k);
}

TEST(what_can_not_be_a_producer_is_refused)
{
    struct kit k = kit_open();
    struct who w = {.id = ""};
    CHECK_ERR(kit_init(&k, &w), ERR_USAGE);
    w.id = "x";
    CHECK_ERR(kit_init_as(&k, &w, 0, -1, -1), ERR_TXN_TIMEOUT);
    CHECK_ERR(kit_init_as(&k, &w, -5, -1, -1), ERR_TXN_TIMEOUT);
    CHECK_ERR(kit_init_as(&k, &w, 900001, -1, -1), ERR_TXN_TIMEOUT);
    CHECK_ERR(kit_init_as(&k, &w, 1000, 5, -1), ERR_USAGE);
    CHECK_ERR(kit_init_as(&k, &w, 1000, -1, 5), ERR_USAGE);
    w.pid = 1;
    CHECK_ERR(kit_add(&k, &w, TXN_ADD, "a", 0), ERR_PRODUCER_MAPPING);
    CHECK_ERR(kit_add_offsets(&k, &w, TXN_ADD, "g"), ERR_PRODUCER_MAPPING);
    CHECK_ERR(kit_end(&k, &w, true, false), ERR_PRODUCER_MAPPING);
    CHECK_ERR(kit_describe(&k, "x").err, ERR_UNKNOWN_TXN_ID);
    CHECK_ERR(kit_describe(&k, "").err, ERR_USAGE);
    kit_stop(&k);
}

TEST(each_init_bumps_the_epoch_and_fences_the_one_before)
{
    struct kit k = kit_open();
    struct who first = {.id = "x"}, second = {.id = "x"};
    CHECK_OK(kit_init(&k, &first), NULL);
    CHECK_INT(first.epoch, 0);
    CHECK_OK(kit_init(&k, &second), NULL);
    CHECK_INT(second.pid, first.pid);
    CHECK_INT(second.epoch, 1);
    CHECK_ERR(kit_add(&k, &first, TXN_ADD, "a", 0), ERR_FENCED);
    CHECK_ERR(kit_add_offsets(&k, &first, TXN_ADD, "g"), ERR_FENCED);
    CHECK_ERR(kit_end(&k, &first, true, false), ERR_FENCED);
    CHECK_ERR(kit_end(&k, &first, true, true), ERR_FENCED);
    CHECK_ERR(kit_init_as(&k, &first, 1000, first.pid, 0), ERR_FENCED);
    CHECK_OK(kit_init_as(&k, &second, 1000, second.pid, 1), NULL); /* KIP-360 */
    CHECK_INT(second.epoch, 2);
    kit_crash(&k);
    CHECK_INT(kit_describe(&k, "x").epoch, 2);
    CHECK_OK(kit_init(&k, &first), NULL);
    CHECK_INT(first.epoch, 3);
    kit_stop(&k);
}

/* --- a transaction ---------------------------------------------------------------------------- */

static void one_life(struct kit *k, bool bump)
{
    enum txn_add_kind kind = bump ? TXN_ADD_IMPLICIT : TXN_ADD;
    struct who w = {.id = bump ? "new" : "old"};
    CHECK_OK(kit_init(k, &w), NULL);
    int16_t epoch = w.epoch;
    CHECK_ERR(kit_put(k, &w, "a", 0, 1), ERR_TXN_STATE); /* not let in */
    CHECK_OK(kit_add(k, &w, kind, "a", 0), NULL);
    CHECK_OK(kit_add(k, &w, kind, "a", 0), NULL); /* twice is once */
    CHECK_OK(kit_put(k, &w, "a", 0, 1), NULL);
    CHECK_OK(kit_put(k, &w, "a", 0, 2), NULL);
    CHECK_OK(kit_add(k, &w, kind, "b", 1), NULL);
    CHECK_OK(kit_put(k, &w, "b", 1, 3), NULL);
    CHECK_TEXT(kit_committed(k, "a", 0), "");
    struct described d = kit_describe(k, w.id);
    CHECK_INT(d.state, TXN_ONGOING);
    CHECK_INT(d.producer_id, w.pid);
    CHECK_INT(d.timeout_ms, KIT_TIMEOUT_MS);
    CHECK(d.start_ms > 0);
    CHECK_TEXT(d.partitions, "a-0 b-1");
    CHECK_OK(kit_end(k, &w, true, bump), NULL);
    CHECK_INT(w.epoch, bump ? epoch + 1 : epoch);
    CHECK_INT(kit_settled(k, w.id), TXN_COMPLETE_COMMIT);
    CHECK_INT(kit_describe(k, w.id).count, 0);
    CHECK_TEXT(kit_committed(k, "a", 0), "1 2");
    CHECK_TEXT(kit_committed(k, "b", 1), "3");
    CHECK_ERR(kit_put(k, &w, "a", 0, 9), ERR_TXN_STATE); /* its marker has ended that */
}

TEST(a_committed_transaction_is_seen_when_it_is_over)
{
    struct kit k = kit_open();
    one_life(&k, true);
    kit_stop(&k);
    k = kit_open();
    one_life(&k, false);
    kit_stop(&k);
}

TEST(an_aborted_transaction_is_never_seen)
{
    for (int bump = 0; bump < 2; bump++) {
        struct kit k = kit_open();
        struct who w = {.id = "x"};
        CHECK_OK(kit_init(&k, &w), NULL);
        for (int64_t i = 1; i <= 4; i++) {
            kit_spread(&k, &w, i);
            CHECK_OK(kit_end(&k, &w, i % 2 == 0, bump), NULL);
        }
        CHECK_INT(kit_settled(&k, "x"), TXN_COMPLETE_COMMIT);
        CHECK_TEXT(kit_committed(&k, "a", 1), "2 4");
        CHECK_TEXT(kit_committed(&k, "b", 0), "2 4");
        kit_crash(&k);
        CHECK_TEXT(kit_committed(&k, "a", 1), "2 4");
        CHECK_TEXT(kit_committed(&k, "b", 0), "2 4");
        kit_stop(&k);
    }
}

TEST(an_end_that_is_asked_for_again_is_told_again)
{
    struct kit k = kit_open();
    struct who w = {.id = "x"};
    CHECK_OK(kit_init(&k, &w), NULL);
    kit_spread(&k, &w, 1);
    struct who before = w, again;
    CHECK_OK(kit_end(&k, &w, true, true), NULL);
    for (int i = 0; i < 3; i++) { /* while its markers are on their way, after, and after a crash */
        again = before;
        CHECK_OK(kit_end(&k, &again, true, true), NULL);
        CHECK_INT(again.epoch, w.epoch);
        again = before;
        CHECK_ERR(kit_end(&k, &again, false, true), ERR_TXN_STATE);
        if (i == 1) kit_crash(&k);
    }
    CHECK_ERR(kit_end(&k, &w, true, true), ERR_TXN_STATE); /* nothing to commit */
    CHECK_OK(kit_end(&k, &w, false, true), NULL);          /* an abort of nothing bumps */
    CHECK_INT(w.epoch, before.epoch + 2);
    CHECK_TEXT(kit_committed(&k, "a", 0), "1");
    kit_stop(&k);
}

TEST(a_partition_that_does_not_exist_keeps_the_others_out)
{
    struct kit k = kit_open();
    struct who w = {.id = "x"};
    CHECK_OK(kit_init(&k, &w), NULL);
    struct txn_partition p[] = {
        {SLICE("a"), 0, ERR_OK}, {SLICE("a"), 7, ERR_OK}, {SLICE("none"), 0, ERR_OK}};
    CHECK_OK(kit_add_as(&k, &w, TXN_ADD, p, 3), NULL);
    CHECK_ERR(p[0].err, ERR_NOT_ATTEMPTED);
    CHECK_ERR(p[1].err, ERR_UNKNOWN_TOPIC);
    CHECK_ERR(p[2].err, ERR_UNKNOWN_TOPIC);
    CHECK_INT(kit_describe(&k, "x").state, TXN_EMPTY);
    CHECK_ERR(kit_put(&k, &w, "a", 0, 1), ERR_TXN_STATE);
    kit_stop(&k);
}

TEST(what_is_not_in_a_transaction_can_be_told)
{
    struct kit k = kit_open();
    struct who w = {.id = "x"};
    CHECK_OK(kit_init(&k, &w), NULL);
    CHECK_ERR(kit_add(&k, &w, TXN_ADD_VERIFY, "a", 0), ERR_TXN_ABORTABLE);
    CHECK_ERR(kit_add_offsets(&k, &w, TXN_ADD_VERIFY, "g"), ERR_TXN_ABORTABLE);
    CHECK_OK(kit_add(&k, &w, TXN_ADD, "a", 0), NULL);
    CHECK_OK(kit_add_offsets(&k, &w, TXN_ADD, "g"), NULL);
    CHECK_OK(kit_add(&k, &w, TXN_ADD_VERIFY, "a", 0), NULL);
    CHECK_OK(kit_add_offsets(&k, &w, TXN_ADD_VERIFY, "g"), NULL);
    CHECK_ERR(kit_add(&k, &w, TXN_ADD_VERIFY, "a", 1), ERR_TXN_ABORTABLE);
    CHECK_OK(kit_end(&k, &w, true, false), NULL);
    CHECK_INT(kit_settled(&k, "x"), TXN_COMPLETE_COMMIT);
    CHECK_ERR(kit_add(&k, &w, TXN_ADD_VERIFY, "a", 0), ERR_TXN_ABORTABLE);
    kit_stop(&k);
}

/* --- predecessors, zombies, timeouts ---------------------------------------------------------- */

TEST(what_a_predecessor_left_open_is_aborted_first)
{
    struct kit k = kit_open();
    struct who zombie = {.id = "x"}, w = {.id = "x"};
    CHECK_OK(kit_init(&k, &zombie), NULL);
    kit_spread(&k, &zombie, 1);
    CHECK_OK(kit_init(&k, &w), NULL); /* one answer: the abort is waited for */
    CHECK(w.epoch > zombie.epoch);
    CHECK_ERR(kit_put(&k, &zombie, "a", 0, 2), ERR_PRODUCER_EPOCH);
    CHECK_ERR(kit_end(&k, &zombie, true, true), ERR_FENCED);
    CHECK_ERR(kit_end(&k, &zombie, true, false), ERR_FENCED);
    CHECK_ERR(kit_add(&k, &zombie, TXN_ADD_IMPLICIT, "a", 0), ERR_FENCED);
    kit_spread(&k, &w, 3);
    CHECK_OK(kit_end(&k, &w, true, true), NULL);
    CHECK_INT(kit_settled(&k, "x"), TXN_COMPLETE_COMMIT);
    CHECK_TEXT(kit_committed(&k, "a", 0), "3");
    CHECK_TEXT(kit_committed(&k, "b", 1), "3");
    kit_stop(&k);
}

static void time_passes(struct kit *k, int64_t ms)
{
    clock_fake_advance(ms);
    INVARIANT(loop_post(coord_loop(k->c), coord_alarm_rings, k->c) == ERR_OK);
}

static void until_not_ongoing(struct kit *k, const char *id)
{
    for (int i = 0; i < KIT_DEADLINE_MS && kit_settled(k, id) == TXN_ONGOING; i++)
        time_passes(k, 50);
}

TEST(a_transaction_that_takes_too_long_is_aborted)
{
    clock_fake_set(1700000000000);
    struct kit k = kit_open();
    struct who w = {.id = "x"};
    CHECK_OK(kit_init(&k, &w), NULL);
    kit_spread(&k, &w, 1);
    time_passes(&k, KIT_TIMEOUT_MS);
    CHECK_INT(kit_settled(&k, "x"), TXN_ONGOING); /* not yet: only past it */
    until_not_ongoing(&k, "x");
    CHECK_INT(kit_settled(&k, "x"), TXN_COMPLETE_ABORT);
    CHECK(kit_describe(&k, "x").epoch > w.epoch);
    CHECK_ERR(kit_put(&k, &w, "a", 0, 2), ERR_PRODUCER_EPOCH);
    CHECK_ERR(kit_end(&k, &w, true, true), ERR_FENCED);
    CHECK_ERR(kit_end(&k, &w, false, false), ERR_FENCED);
    CHECK_OK(kit_init(&k, &w), NULL);
    kit_spread(&k, &w, 3);
    CHECK_OK(kit_end(&k, &w, true, true), NULL);
    CHECK_INT(kit_settled(&k, "x"), TXN_COMPLETE_COMMIT);
    CHECK_TEXT(kit_committed(&k, "a", 0), "3");
    kit_stop(&k);
    clock_fake_set(-1);
}

TEST(one_that_ran_out_while_nobody_served_is_aborted_at_the_start)
{
    clock_fake_set(1700000000000);
    struct kit k = kit_open();
    struct who late = {.id = "late"}, fresh = {.id = "fresh"};
    CHECK_OK(kit_init(&k, &late), NULL);
    CHECK_OK(kit_init_as(&k, &fresh, 600000, -1, -1), NULL);
    CHECK_OK(kit_add(&k, &late, TXN_ADD, "a", 0), NULL);
    CHECK_OK(kit_add(&k, &fresh, TXN_ADD, "a", 1), NULL);
    CHECK_OK(kit_put(&k, &late, "a", 0, 1), NULL);
    CHECK_OK(kit_put(&k, &fresh, "a", 1, 2), NULL);
    clock_fake_advance(KIT_TIMEOUT_MS + 1000);
    kit_crash(&k);
    until_not_ongoing(&k, "late");
    CHECK_INT(kit_settled(&k, "late"), TXN_COMPLETE_ABORT);
    CHECK_OK(kit_put(&k, &fresh, "a", 1, 3), NULL); /* let in again */
    CHECK_OK(kit_end(&k, &fresh, true, true), NULL);
    CHECK_INT(kit_settled(&k, "fresh"), TXN_COMPLETE_COMMIT);
    CHECK_TEXT(kit_committed(&k, "a", 0), "");
    CHECK_TEXT(kit_committed(&k, "a", 1), "2 3");
    kit_stop(&k);
    clock_fake_set(-1);
}

TEST(an_id_that_nobody_uses_is_forgotten)
{
    clock_fake_set(1700000000000);
    struct kit k = kit_open_with((struct coord_options){.txn_id_expiration_ms = 86400000});
    struct who idle = {.id = "idle"}, open = {.id = "open"}, again = {.id = "idle"};
    CHECK_OK(kit_init(&k, &idle), NULL);
    CHECK_OK(kit_init_as(&k, &open, 900000, -1, -1), NULL);
    time_passes(&k, 43200000);
    CHECK_OK(kit_init_as(&k, &open, 900000, -1, -1), NULL);
    time_passes(&k, 43200000 + 3600000);
    for (int i = 0; i < KIT_DEADLINE_MS && !kit_describe(&k, "idle").err; i++) usleep(500);
    CHECK_ERR(kit_describe(&k, "idle").err, ERR_UNKNOWN_TXN_ID);
    CHECK_OK(kit_describe(&k, "open").err, NULL);
    CHECK_ERR(kit_add(&k, &idle, TXN_ADD, "a", 0), ERR_PRODUCER_MAPPING);
    kit_crash(&k);
    CHECK_ERR(kit_describe(&k, "idle").err, ERR_UNKNOWN_TXN_ID);
    CHECK_OK(kit_init(&k, &again), NULL);
    CHECK(again.pid != idle.pid);
    kit_stop(&k);
    clock_fake_set(-1);
}

/* --- epochs that run out ---------------------------------------------------------------------- */

/* A record as if 32,000 transactions had been. */
static void kit_set_epoch(struct kit *k, struct who *w, int16_t epoch)
{
    struct txn_facts f = {.producer_id = w->pid,
                          .previous_id = w->pid,
                          .next_id = -1,
                          .epoch = epoch,
                          .client_version = 2,
                          .timeout_ms = KIT_TIMEOUT_MS,
                          .state = TXN_COMPLETE_COMMIT,
                          .start_ms = 1,
                          .update_ms = clock_wall_ms()};
    struct buf b = buf_make(KIB(4));
    CHECK_OK(txn_record_put(slice_of(w->id), &f, NULL, 0, clock_wall_ms(), &b, NULL), NULL);
    int32_t in = coord_partition_of(slice_of(w->id), k->o.txn_partitions);
    struct log_partition *p = kit_partition(k, TXNS_TOPIC, in);
    int64_t at;
    CHECK_OK(log_append_wait(k->log, p, b.at, b.len, clock_wall_ms(), &at, NULL), NULL);
    buf_done(&b);
    w->epoch = epoch;
    kit_reopen(k);
}

TEST(when_the_epochs_are_spent_the_producer_gets_another_id)
{
    struct kit k = kit_open();
    struct who w = {.id = "x"};
    CHECK_OK(kit_init(&k, &w), NULL);
    kit_set_epoch(&k, &w, 32766);
    kit_spread(&k, &w, 1);
    struct who before = w, again;
    CHECK_OK(kit_end(&k, &w, true, true), NULL);
    CHECK(w.pid != before.pid);
    CHECK_INT(w.epoch, 0);
    again = before;
    CHECK_OK(kit_end(&k, &again, true, true), NULL);
    CHECK_INT(again.pid, w.pid);
    CHECK_INT(again.epoch, 0);
    kit_crash(&k);
    again = before;
    CHECK_OK(kit_end(&k, &again, true, true), NULL);
    CHECK_INT(again.pid, w.pid);
    kit_spread(&k, &w, 2);
    CHECK_ERR(kit_put(&k, &before, "a", 0, 7), ERR_PRODUCER_EPOCH);
    CHECK_OK(kit_end(&k, &w, true, true), NULL);
    CHECK_INT(kit_settled(&k, "x"), TXN_COMPLETE_COMMIT);
    CHECK_TEXT(kit_committed(&k, "a", 0), "1 2");
    kit_stop(&k);
}

TEST(a_fence_with_the_last_epochs_gives_the_successor_another_id)
{
    struct kit k = kit_open();
    struct who zombie = {.id = "x"}, w = {.id = "x"};
    CHECK_OK(kit_init(&k, &zombie), NULL);
    kit_set_epoch(&k, &zombie, 32766);
    kit_spread(&k, &zombie, 1);
    CHECK_OK(kit_init(&k, &w), NULL);
    CHECK(w.pid != zombie.pid);
    CHECK_INT(w.epoch, 0);
    CHECK_ERR(kit_put(&k, &zombie, "a", 0, 7), ERR_PRODUCER_EPOCH);
    CHECK_ERR(kit_end(&k, &zombie, true, true), ERR_PRODUCER_MAPPING);
    kit_spread(&k, &w, 2);
    CHECK_OK(kit_end(&k, &w, true, true), NULL);
    CHECK_INT(kit_settled(&k, "x"), TXN_COMPLETE_COMMIT);
    CHECK_TEXT(kit_committed(&k, "a", 0), "2");
    kit_stop(&k);
}

/* --- partitions that go away ------------------------------------------------------------------ */

TEST(a_deleted_topic_does_not_hold_up_the_rest)
{
    struct kit k = kit_open();
    struct who w = {.id = "x"};
    struct diag d = {0};
    CHECK_OK(kit_init(&k, &w), NULL);
    kit_spread(&k, &w, 1);
    CHECK_OK(log_topic_delete(k.log, SLICE("b"), &d), &d);
    CHECK_OK(kit_end(&k, &w, true, true), NULL);
    CHECK_INT(kit_settled(&k, "x"), TXN_COMPLETE_COMMIT);
    CHECK_TEXT(kit_committed(&k, "a", 0), "1");
    CHECK_ERR(kit_add(&k, &w, TXN_ADD, "b", 0), ERR_UNKNOWN_TOPIC);
    kit_topic(&k, "b", 2); /* another one of this name */
    kit_spread(&k, &w, 2);
    CHECK_OK(log_topic_delete(k.log, SLICE("b"), &d), &d);
    kit_crash(&k);
    CHECK_TEXT(kit_describe(&k, "x").partitions, "a-0 a-1");
    CHECK_OK(kit_end(&k, &w, true, true), NULL);
    CHECK_INT(kit_settled(&k, "x"), TXN_COMPLETE_COMMIT);
    CHECK_TEXT(kit_committed(&k, "a", 0), "1 2");
    kit_stop(&k);
}

/* --- the list --------------------------------------------------------------------------------- */

static const char *kit_list(struct kit *k, const char *state, int64_t pid, int64_t duration_ms)
{
    static char text[400];
    struct arena *a = arena_new(MIB(4));
    struct slice name = state ? slice_of(state) : (struct slice){0};
    struct txn_list r = {.states = &name,
                         .state_count = state != NULL,
                         .producer_ids = &pid,
                         .producer_id_count = pid >= 0,
                         .duration_ms = duration_ms};
    struct waited *done = waited_new(&r.head, a);
    struct buf b = buf_over(text, sizeof(text) - 1);
    txn_list(k->c, &r);
    waited_for(done);
    memset(text, 0, sizeof(text));
    for (uint32_t i = 0; i < r.unknown_count; i++)
        buf_printf(&b, "?%.*s ", SLICE_ARG(r.unknown_states[i]));
    for (uint32_t i = 0; i < r.count; i++)
        buf_printf(&b, "%.*s:%s ", SLICE_ARG(r.listed[i].id), txn_state_name(r.listed[i].state));
    arena_free(a);
    return text;
}

TEST(transactions_are_listed_by_state_producer_and_age)
{
    clock_fake_set(1700000000000);
    struct kit k = kit_open();
    struct who x = {.id = "x"}, y = {.id = "y"};
    CHECK_TEXT(kit_list(&k, NULL, -1, -1), "");
    CHECK_OK(kit_init(&k, &x), NULL);
    CHECK_OK(kit_init(&k, &y), NULL);
    CHECK_OK(kit_add(&k, &y, TXN_ADD, "a", 0), NULL);
    CHECK_TEXT(kit_list(&k, NULL, -1, -1), "x:Empty y:Ongoing ");
    CHECK_TEXT(kit_list(&k, "Ongoing", -1, -1), "y:Ongoing ");
    CHECK_TEXT(kit_list(&k, "Running", -1, -1), "?Running ");
    CHECK_TEXT(kit_list(&k, NULL, x.pid, -1), "x:Empty ");
    CHECK_TEXT(kit_list(&k, "Ongoing", -1, 1000), "");
    clock_fake_advance(1001);
    CHECK_TEXT(kit_list(&k, "Ongoing", -1, 1000), "y:Ongoing ");
    kit_stop(&k);
    clock_fake_set(-1);
}
