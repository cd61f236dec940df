/* Goal: threads that feed a lane change nothing but the time it takes. Epochs made with one, three
 * and more feeders are replayed by one thread and compared byte for byte, over batches larger than
 * a chunk and small ones, packed and not, with dead letters, late rows and compaction's gaps; an
 * epoch that is given up in the middle leaves nothing behind.
 */
#include "flow/feed.h"
#include "flow/replay_test.h"
#include "rounds.h"
#include <stdio.h>

enum { RECORDS = 40000 };

static const struct {
    const char *name, *sql, *table;
} plans[] = {
    {"sums",
     "CREATE STREAM load INTO ks.sums AS SELECT k, count(*) AS n, sum(n) AS s FROM timed "
     "GROUP BY k",
     "sums"},
    {"where",
     "CREATE STREAM load INTO ks.sums AS SELECT k || 'x' AS k, count(*) AS n, "
     "sum(CAST(CAST(n AS TEXT) AS BIGINT)) AS s FROM timed WHERE n < 700 AND n <> 5 GROUP "
     "BY k || 'x'",
     "sums"},
    {"order",
     "CREATE STREAM load INTO ks.sums AS SELECT k, last_value(n) AS n, "
     "CAST(1000000 * sum(CAST(n AS DOUBLE) / 7) AS BIGINT) AS s FROM timed GROUP BY k",
     "sums"},
    {"tumble",
     "CREATE STREAM load INTO ks.windows AS SELECT k, window_start AS w, count(*) AS n, "
     "sum(n) AS s FROM TUMBLE(timed, at, INTERVAL '10' SECOND) GROUP BY k, window_start "
     "EMIT ON WINDOW CLOSE",
     "windows"},
    {"hop",
     "CREATE STREAM load INTO ks.windows AS SELECT k, window_start AS w, max(n) AS n, sum(n) "
     "AS s FROM HOP(timed, at, INTERVAL '4' SECOND, INTERVAL '10' SECOND) GROUP BY k, "
     "window_start EMIT ON WINDOW CLOSE",
     "windows"},
    {"session",
     "CREATE STREAM load INTO ks.windows AS SELECT k, window_start AS w, count(*) AS n, "
     "sum(n) AS s FROM SESSION(timed, at, INTERVAL '1' SECOND) GROUP BY k, window_start "
     "EMIT ON WINDOW CLOSE",
     "windows"},
    {"distinct",
     "CREATE STREAM load INTO ks.windows AS SELECT DISTINCT k, at AS w, n, n AS s FROM "
     "timed",
     "windows"},
    {"join",
     "CREATE STREAM load INTO ks.windows AS SELECT a.k AS k, a.at AS w, a.n AS n, b.n AS s "
     "FROM timed AS a JOIN timed AS b ON a.k = b.k AND a.n = b.n AND b.at BETWEEN a.at AND "
     "a.at + INTERVAL '1' SECOND",
     "windows"},
};

static struct lane *lane_of(struct world *w)
{
    return &flow_stage(w->flow, SLICE("load"))->stream->lanes[0];
}

static void check_plan(size_t plan, int feeders, uint32_t rows, uint32_t batch, enum codec codec,
                       uint64_t failures)
{
    struct world w = {
        .options = {.form = FLOW_FORM_CATCHUP, .feeders = feeders, .epoch_rows_catchup = rows}};
    char dir[300];
    snprintf(dir, sizeof(dir), "%s/%s-%d-%u", test_dir(), plans[plan].name, feeders, batch);
    world_open(&w, dir, 0);
    fill_timed_in(&w, TIMED_PARTITIONS, RECORDS, plan + 1, batch, codec);
    world_stream(&w, plans[plan].sql);
    run_to_end(&w);
    struct flow_status s = world_status(&w, "load");
    CHECK(s.balanced);
    CHECK_INT(s.feeders, feeders);
    CHECK(feed_memory(lane_of(&w)->feed) > 0); /* they have fed it */
    CHECK_INT(s.ledger.in, RECORDS * lane_of(&w)->stream->plan->topic_count);
    uint64_t leaves = 0;
    for (uint32_t i = 0; i < s.operator_count; i++)
        CHECK(!s.operators[i].rows_in || s.operators[i].spent_ns > 0); /* a feeder's work, too */
    for (uint32_t i = 0; i < s.operator_count; i++)
        if (!strcmp(s.operators[i].kind, "topic")) leaves += s.operators[i].rows_out;
    CHECK(leaves <= s.ledger.in && leaves > s.ledger.in * 9 / 10);
    check_replay(&w, plans[plan].sql, plans[plan].table, failures);
    world_close(&w);
}

TEST(whatever_the_number_of_feeders_the_epochs_are_as_one_thread_makes_them)
{
    static const int feeders[] = {1, 2, 4};
    for (size_t i = 0; i < COUNT_OF(plans); i++) /* each number with some of the plans, or all */
        for (size_t k = TEST_ROUNDS(0, i % 3); k < COUNT_OF(feeders); k += TEST_ROUNDS(1, 3))
            check_plan(i, feeders[k], 9000, k == 1 ? 0 : 300, k ? CODEC_LZ4 : CODEC_NONE, 0);
}

/* The epoch fails in a feeder or in the lane, whoever asks for the n-th piece of memory. */
TEST(an_epoch_that_fails_while_it_is_fed_is_done_again_as_if_nothing_had_been)
{
    for (size_t i = 0; i < COUNT_OF(plans); i++) {
        struct world w = {
            .options = {.form = FLOW_FORM_CATCHUP, .feeders = 2, .epoch_rows_catchup = 12000}};
        struct diag d = {0};
        char dir[300];
        uint64_t random = i + 1;
        snprintf(dir, sizeof(dir), "%s/%s", test_dir(), plans[i].name);
        world_open(&w, dir, 0);
        fill_timed_in(&w, TIMED_PARTITIONS, RECORDS, i + 1, 500, CODEC_LZ4);
        world_stream(&w, plans[i].sql);
        CHECK_OK(flow_start(w.flow, &d), &d);
        for (int k = 0; k < 4; k++) {
            mem_fail_at(1 + test_random(&random) % 400);
            err_t e = flow_drain(w.flow, 60, &d);
            CHECK(!e || e == ERR_TIMEOUT);
        }
        mem_fail_at(0);
        d = (struct diag){0};
        CHECK_OK(flow_drain(w.flow, 60000, &d), &d);
        flow_stop(w.flow);
        CHECK(world_status(&w, "load").balanced);
        check_replay(&w, plans[i].sql, plans[i].table, 0);
        world_close(&w);
    }
}

TEST(small_epochs_and_plans_without_state_wake_no_feeder)
{
    struct world w = {.options = {.feeders = 2}};
    world_open(&w, NULL, 1);
    world_fill(&w, 20000, CODEC_NONE);
    world_stream(&w, USERS_SQL);
    CHECK(!lane_of(&w)->feed);
    world_close(&w);

    struct world timed = {.options = {.feeders = 2, .epoch_rows_live = 4000}};
    char dir[300];
    snprintf(dir, sizeof(dir), "%s/timed", test_dir());
    world_open(&timed, dir, 0);
    fill_timed(&timed, 1, 3000, 1);
    world_stream(&timed, plans[0].sql);
    run_to_end(&timed);
    CHECK(lane_of(&timed)->feed);
    CHECK_INT(feed_memory(lane_of(&timed)->feed), 0);
    world_close(&timed);
}
