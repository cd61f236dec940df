/* Goal: a plan with state gives the same rows whatever stops it: recorded epochs replayed into a
 * second store, epochs that fail at any allocation, kills; time goes on as partitions speak or fall
 * silent; topics get each row once. */
#include "flow/kit_test.h"
#include "flow/op.h"
#include "flow/replay_test.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define SUMS_SQL                                                                                   \
    "CREATE STREAM load INTO ks.sums AS SELECT k, count(*) AS n, sum(n) AS s FROM timed GROUP BY " \
    "k"
#define FEW_SQL                                                                                    \
    "CREATE STREAM load INTO ks.sums AS SELECT k, count(*) AS n, sum(n) AS s FROM timed GROUP BY " \
    "k HAVING count(*) < 40"
#define WINDOWS_SQL                                                                                \
    "CREATE STREAM load INTO ks.windows AS SELECT k, window_start AS w, count(*) AS n, sum(n) AS " \
    "s FROM TUMBLE(timed, at, INTERVAL '10' SECOND) GROUP BY k, window_start"
#define CLOSED_SQL WINDOWS_SQL " EMIT ON WINDOW CLOSE"
#define FIRST_SQL                                                                                  \
    "CREATE STREAM load INTO ks.sums AS SELECT k, n, n AS s FROM (SELECT DISTINCT k, n FROM "      \
    "timed)"
#define WITHIN_SQL                                                                                 \
    "CREATE STREAM load INTO ks.windows AS SELECT DISTINCT k, at AS w, n, n AS s FROM timed"
#define JOIN_SQL                                                                                   \
    "CREATE STREAM load INTO ks.windows AS SELECT a.k AS k, a.at AS w, a.n AS n, b.n AS s FROM "   \
    "timed AS a LEFT JOIN timed AS b ON a.k = b.k AND b.n < a.n AND b.at BETWEEN a.at AND a.at + " \
    "INTERVAL '1' SECOND"
#define LISTS_SQL                                                                                  \
    "CREATE STREAM load INTO ks.sums AS SELECT t.k AS k, count(*) AS n, sum(CAST(u.x AS BIGINT)) " \
    "AS s FROM (SELECT k, CAST('[1,' || CAST(n AS TEXT) || ']' AS JSON) AS l FROM timed) AS t "    \
    "CROSS JOIN UNNEST(t.l) AS u (x) GROUP BY t.k"

/* All records of a partition in one batch, or `batch` in each. */
static void finish_batch(struct world *w, int32_t partition, struct record_builder *b,
                         enum codec codec)
{
    struct record_batch_options o = {
        .producer_id = -1, .producer_epoch = -1, .base_sequence = -1, .codec = codec};
    struct log_partition *log = log_partition(log_topic_find(w->log, SLICE("timed")), partition);
    struct buf out = buf_make(MIB(64));
    struct diag d = {0};
    int64_t offset;
    if (b->count) {
        CHECK_OK(record_builder_finish(b, &o, &out), NULL);
        CHECK_OK(log_append_wait(w->log, log, out.at, out.len, timed_start, &offset, &d), &d);
    }
    record_builder_reset(b);
    buf_done(&out);
}

void fill_timed_in(struct world *w, int32_t partitions, uint32_t records, uint64_t seed,
                   uint32_t batch, enum codec codec)
{
    struct record_builder *b = mem_take((size_t)partitions * sizeof(*b));
    world_topic(w, "timed", partitions);
    for (int32_t p = 0; p < partitions; p++) b[p] = record_builder_make(MIB(64));
    for (uint32_t i = 0; i < records; i++) {
        char value[128];
        int64_t at = timed_start + i * 20;
        if (test_random(&seed) % 4 == 0) at -= (int64_t)(test_random(&seed) % 4000);
        int k = (int)(test_random(&seed) % KEYS), n = (int)(test_random(&seed) % 1000);
        snprintf(value, sizeof(value), "{\"k\":\"k%d\",\"n\":%d,\"at\":%lld}", k, n, (long long)at);
        int32_t p = (int32_t)(test_random(&seed) % (uint64_t)partitions);
        bool bad = batch && i % 1000 == 999; /* no JSON */
        record_builder_add(&b[p], at, (struct slice){0}, slice_of(bad ? "{\"k\":" : value), NULL,
                           0);
        if (batch && b[p].count == (int32_t)batch) finish_batch(w, p, &b[p], codec);
    }
    for (int32_t p = 0; p < partitions; p++) {
        finish_batch(w, p, &b[p], codec);
        record_builder_done(&b[p]);
    }
    mem_give(b);
}

void fill_timed(struct world *w, int32_t partitions, uint32_t records, uint64_t seed)
{
    fill_timed_in(w, partitions, records, seed, 0, CODEC_NONE);
}

void run_to_end(struct world *w)
{
    struct diag d = {0};
    CHECK_OK(flow_start(w->flow, &d), &d);
    CHECK_OK(flow_drain(w->flow, 120000, &d), &d);
    flow_stop(w->flow);
}

/* --- replay -------------------------------------------------------------------------------------
 */

struct recorded {
    struct arena *arena;
    struct vec records;
};

static err_t keep_epoch(void *ctx, struct slice key, struct slice value)
{
    struct recorded *all = ctx;
    struct epoch_record *r = vec_add(&all->records);
    (void)key;
    return r ? epoch_record_take(value, all->arena, r) : ERR_NO_MEMORY;
}

static struct recorded epochs_of(struct world *w)
{
    struct recorded all = {arena_new(MIB(64)), vec_make(sizeof(struct epoch_record), 1 << 20)};
    struct stage_key k = stage_key(SLICE("load"));
    struct diag d = {0};
    CHECK_OK(store_records(w->store, NULL, STORE_EPOCH, stage_key_slice(&k), (struct slice){0},
                           keep_epoch, &all, &d),
             &d);
    return all;
}

static err_t hash_record(void *ctx, struct slice key, struct slice value)
{
    uint64_t *hash = ctx;
    *hash = hash64(value, hash64(key, *hash));
    return ERR_OK;
}

/* All that the streams have written beside the tables. */
static uint64_t hash_of(struct world *w)
{
    static const enum store_space spaces[] = {STORE_CURSOR, STORE_EPOCH, STORE_LEDGER, STORE_STATE,
                                              STORE_DEAD};
    uint64_t hash = 1;
    struct diag d = {0};
    for (size_t i = 0; i < COUNT_OF(spaces); i++)
        CHECK_OK(store_records(w->store, NULL, spaces[i], (struct slice){0}, (struct slice){0},
                               hash_record, &hash, &d),
                 &d);
    return hash;
}

/* Each epoch once more; `failures` > 0: each may fail at an allocation, and is done again. */
static uint64_t replay(struct world *second, struct recorded *all, uint64_t failures)
{
    struct lane *l = &flow_stage(second->flow, SLICE("load"))->stream->lanes[0];
    uint64_t random = 5, failed = 0;
    for (size_t i = 0; i < all->records.count; i++) {
        struct diag d = {0};
        uint64_t within = i ? failures : 8; /* the first one surely fails, the others may */
        err_t e;
        do {
            d = (struct diag){0};
            if (failures) mem_fail_at(1 + test_random(&random) % within);
            e = lane_replay(l, vec_at(&all->records, i), &d);
            mem_fail_at(0);
            within *= 2; /* however many it needs */
            failed += e != ERR_OK;
        } while (e == ERR_NO_MEMORY);
        CHECK_OK(e, &d);
        if (e) break;
    }
    return failed;
}

void check_replay(struct world *w, const char *sql, const char *table, uint64_t failures)
{
    struct recorded all = epochs_of(w);
    struct world second;
    world_second(w, &second);
    world_stream(&second, sql);
    CHECK(all.records.count >= 4);
    uint64_t failed = replay(&second, &all, failures);
    CHECK(!failures || failed > 0);
    CHECK_TEXT(world_dump(&second, table), world_dump(w, table));
    CHECK(hash_of(&second) == hash_of(w));
    world_second_close(&second);
    vec_done(&all.records);
    arena_free(all.arena);
}

static const struct {
    const char *sql, *table;
    int reads; /* so many topics */
} plans[] = {{SUMS_SQL, "sums", 1},      {FEW_SQL, "sums", 1},   {WINDOWS_SQL, "windows", 1},
             {CLOSED_SQL, "windows", 1}, {FIRST_SQL, "sums", 1}, {WITHIN_SQL, "windows", 1},
             {JOIN_SQL, "windows", 2},   {LISTS_SQL, "sums", 1}};

TEST(recorded_epochs_over_the_same_log_give_the_same_table)
{
    for (size_t i = 0; i < COUNT_OF(plans); i++) {
        struct world w = {.options = {.epoch_rows_live = 170}};
        char dir[300];
        snprintf(dir, sizeof(dir), "%s/%zu", test_dir(), i);
        world_open(&w, dir, 0);
        fill_timed(&w, TIMED_PARTITIONS, 3000, i + 1);
        world_stream(&w, plans[i].sql);
        run_to_end(&w);
        CHECK(world_status(&w, "load").balanced);
        CHECK_INT(world_status(&w, "load").ledger.in, 3000 * plans[i].reads);
        check_replay(&w, plans[i].sql, plans[i].table, 0);
        world_close(&w);
    }
}

TEST(an_epoch_that_fails_at_any_allocation_is_done_again_as_if_nothing_had_been)
{
    for (size_t i = 0; i < COUNT_OF(plans); i++) {
        struct world w = {.options = {.epoch_rows_live = 256}};
        char dir[300];
        snprintf(dir, sizeof(dir), "%s/%zu", test_dir(), i);
        world_open(&w, dir, 0);
        fill_timed(&w, TIMED_PARTITIONS, 2500, i + 1);
        world_stream(&w, plans[i].sql);
        run_to_end(&w);
        check_replay(&w, plans[i].sql, plans[i].table, 150);
        world_close(&w);
    }
}

/* What HAVING has let through is taken back before its group changes: an epoch that fails between
 * the two leaves the group as it was. Small epochs: many of them fail just there. */
TEST(groups_that_a_failed_epoch_has_taken_back_are_taken_back_again)
{
    for (uint32_t rows = 20; rows <= 80; rows += 20) {
        struct world w = {.options = {.epoch_rows_live = rows}};
        char dir[300];
        snprintf(dir, sizeof(dir), "%s/%u", test_dir(), rows);
        world_open(&w, dir, 0);
        fill_timed_in(&w, TIMED_PARTITIONS, 1500, rows, 20, CODEC_NONE);
        world_stream(&w, FEW_SQL);
        run_to_end(&w);
        check_replay(&w, FEW_SQL, "sums", 300);
        world_close(&w);
    }
}

/* --- counts that are known ----------------------------------------------------------------------
 */

struct expected {
    int64_t n[KEYS], s[KEYS];
};

/* What fill_timed appends, added up. */
static struct expected expect(int32_t partitions, uint32_t records, uint64_t seed)
{
    struct expected x = {{0}, {0}};
    (void)partitions;
    for (uint32_t i = 0; i < records; i++) {
        if (test_random(&seed) % 4 == 0) (void)test_random(&seed);
        uint64_t key = test_random(&seed) % KEYS;
        x.n[key]++;
        x.s[key] += (int64_t)(test_random(&seed) % 1000);
        (void)test_random(&seed);
    }
    return x;
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static const char *expected_text(struct world *w, const struct expected *x, int64_t below)
{
    const char *lines[KEYS];
    const char *text = "";
    int count = 0;
    for (int k = 0; k < KEYS; k++)
        if (x->n[k] && x->n[k] < below)
            lines[count++] =
                arena_printf(w->arena, "k%d,%lld,%lld;", k, (long long)x->n[k], (long long)x->s[k]);
    qsort(lines, (size_t)count, sizeof(lines[0]), compare_texts);
    for (int i = 0; i < count; i++) text = arena_printf(w->arena, "%s%s", text, lines[i]);
    return text;
}

TEST(sums_are_those_of_all_records_and_rows_that_no_longer_belong_are_removed)
{
    for (int few = 0; few < 2; few++) {
        struct world w = {.options = {.epoch_rows_live = 60}};
        struct expected x = expect(TIMED_PARTITIONS, 800, 9);
        char dir[300];
        snprintf(dir, sizeof(dir), "%s/%d", test_dir(), few);
        world_open(&w, dir, 0);
        fill_timed(&w, TIMED_PARTITIONS, 800, 9);
        world_stream(&w, few ? FEW_SQL : SUMS_SQL);
        run_to_end(&w);
        CHECK_TEXT(world_dump(&w, "sums"), expected_text(&w, &x, few ? 40 : INT64_MAX));
        struct flow_status s = world_status(&w, "load");
        CHECK_INT(s.ledger.applied, 800);
        CHECK_INT(s.state_rows, KEYS);
        world_close(&w);
    }
}

/* Far more groups than the budget holds: epochs close early, entries go and come back. */
TEST(state_beyond_its_memory_gives_the_same_sums)
{
    enum { ROWS = 30000 };
    struct world w = {.options = {.memory_max = MIB(4), .form = FLOW_FORM_CATCHUP}};
    world_open(&w, NULL, 2);
    world_fill(&w, ROWS, CODEC_LZ4);
    world_fill(&w, ROWS, CODEC_LZ4);
    world_stream(&w, "CREATE STREAM load INTO ks.users AS SELECT CAST(id AS TEXT) AS id, "
                     "CAST(sum(CAST(n AS BIGINT)) AS BIGINT) AS n FROM events GROUP BY CAST(id AS "
                     "TEXT)");
    run_to_end(&w);
    struct table_print t = world_table(&w);
    struct flow_status s = world_status(&w, "load");
    CHECK_INT(t.rows, ROWS);
    CHECK_INT(t.sum_n, (int64_t)ROWS * (ROWS - 1));
    CHECK_INT(s.state_rows, ROWS);
    CHECK(s.state_bytes <= MIB(2));
    CHECK(s.epochs > 3);
    world_close(&w);
}

/* --- time ---------------------------------------------------------------------------------------
 */

static void append_timed(struct world *w, int32_t partition, const char *key, int64_t at)
{
    char value[128];
    snprintf(value, sizeof(value), "{\"k\":\"%s\",\"n\":1,\"at\":%lld}", key,
             (long long)(timed_start + at));
    world_append_to(w, "timed", partition, key, value, timed_start + at);
}

static void drain(struct world *w)
{
    struct diag d = {0};
    CHECK_OK(flow_drain(w->flow, 10000, &d), &d);
}

static bool dump_becomes(struct world *w, const char *table, const char *wanted)
{
    for (int i = 0; i < 500; i++) {
        if (!strcmp(world_dump(w, table), wanted)) return true;
        usleep(10000);
    }
    CHECK_TEXT(world_dump(w, table), wanted);
    return false;
}

/* 1700000000 s is on a ten seconds' border. */
#define FIRST_WINDOW(key, n) key ",2023-11-14T22:13:20.000Z," n "," n ";"

TEST(a_silent_partition_holds_the_watermark_until_it_is_idle)
{
    struct world w = {0};
    struct diag d = {0};
    clock_fake_set(timed_start);
    world_open(&w, NULL, 0);
    world_topic(&w, "timed", 2);
    world_stream(&w, CLOSED_SQL);
    CHECK_OK(flow_start(w.flow, &d), &d);
    append_timed(&w, 0, "a", 1000);
    append_timed(&w, 1, "b", 2000);
    append_timed(&w, 0, "a", 15000);
    drain(&w);
    CHECK_TEXT(world_dump(&w, "windows"), "");
    CHECK_INT(world_status(&w, "load").watermark, timed_start);
    CHECK_INT(world_status(&w, "load").ledger.held, 3);
    clock_fake_advance(11000);
    worker_wake(&flow_stage(w.flow, SLICE("load"))->stream->lanes[0].worker);
    CHECK(dump_becomes(&w, "windows", FIRST_WINDOW("a", "1") FIRST_WINDOW("b", "1")));
    CHECK_INT(world_status(&w, "load").watermark, timed_start + 13000);
    append_timed(&w, 1, "b", 3000); /* it speaks again, too late */
    drain(&w);
    CHECK_INT(world_status(&w, "load").ledger.late, 1);
    CHECK_INT(world_status(&w, "load").late_rows, 1);
    CHECK_INT(world_status(&w, "load").ledger.held, 1);
    CHECK_INT(world_status(&w, "load").watermark, timed_start + 13000);
    flow_stop(w.flow);
    world_flow_again(&w); /* the watermark is remembered */
    world_stream(&w, CLOSED_SQL);
    CHECK_OK(flow_start(w.flow, &d), &d);
    append_timed(&w, 0, "a", 9999);
    append_timed(&w, 0, "a", 14000);
    drain(&w);
    CHECK_INT(world_status(&w, "load").ledger.late, 2);
    CHECK_INT(world_status(&w, "load").ledger.held, 2);
    clock_fake_set(-1);
    world_close(&w);
}

/* A silent partition holds back 60 windows' rows, which all close as it is idle: more than a write
 * takes, so the watermark goes there in steps, each recorded with its epoch. */
TEST(what_closes_at_once_and_is_too_much_for_one_write_closes_in_several)
{
    enum { ROWS = 600 };
    char *want = NULL;
    for (int small = 0; small < 2; small++) {
        struct world w = {.options = {.epoch_bytes = small ? KIB(8) : 0}};
        struct diag d = {0};
        char dir[300];
        snprintf(dir, sizeof(dir), "%s/%d", test_dir(), small);
        clock_fake_set(timed_start);
        world_open(&w, dir, 0);
        world_topic(&w, "timed", 2);
        world_stream(&w, CLOSED_SQL);
        CHECK_OK(flow_start(w.flow, &d), &d);
        append_timed(&w, 1, "silent", 0);
        for (int i = 0; i < ROWS; i++) {
            char key[16];
            snprintf(key, sizeof(key), "k%03d", i);
            append_timed(&w, 0, key, i * INT64_C(1000));
        }
        drain(&w);
        uint64_t before = world_status(&w, "load").epochs;
        CHECK_INT(world_status(&w, "load").ledger.applied, 0);
        clock_fake_advance(11000);
        worker_wake(&flow_stage(w.flow, SLICE("load"))->stream->lanes[0].worker);
        for (int i = 0; i < 1000 && world_status(&w, "load").ledger.applied < ROWS - 10; i++)
            usleep(10000);
        drain(&w);
        CHECK(world_status(&w, "load").balanced);
        CHECK_INT(world_status(&w, "load").ledger.in, ROWS + 1);
        CHECK_INT(world_status(&w, "load").watermark, timed_start + (ROWS - 1) * 1000 - 2000);
        CHECK(small ? world_status(&w, "load").epochs > before + 4
                    : world_status(&w, "load").epochs == before + 1);
        const char *got = world_dump(&w, "windows");
        if (small) CHECK_TEXT(got, want);
        if (!small) want = mem_take(strlen(got) + 1);
        if (!small && want) memcpy(want, got, strlen(got) + 1);
        clock_fake_set(-1);
        world_close(&w);
    }
    mem_give(want);
}

TEST(late_rows_leave_letters_where_the_stream_wants_them)
{
    struct world w = {0};
    struct letters l;
    world_open(&w, NULL, 0);
    world_topic(&w, "timed", 1);
    world_stream(&w, "CREATE STREAM load INTO ks.windows WITH (late = 'dead letter') AS SELECT k, "
                     "window_start AS w, count(*) AS n, sum(n) AS s FROM TUMBLE(timed, at, "
                     "INTERVAL '10' SECOND) GROUP BY k, window_start");
    append_timed(&w, 0, "a", 30000);
    run_to_end(&w);
    append_timed(&w, 0, "a", 1000);
    run_to_end(&w);
    struct flow_status s = world_status(&w, "load");
    CHECK_INT(s.ledger.late, 1);
    CHECK_INT(s.ledger.dead, 0);
    CHECK(s.balanced);
    world_letters(&w, "load", &l);
    CHECK_INT(l.count, 1);
    CHECK_TEXT(l.items[0].reason, "the row is older than the watermark");
    CHECK_INT(l.items[0].offset, 1);
    world_close(&w);
}

/* --- triggers and beginnings --------------------------------------------------------------------
 */

TEST(available_now_reads_what_is_there_and_ends)
{
    struct world w = {0};
    struct diag d = {0};
    world_open(&w, NULL, 2);
    world_fill(&w, 1000, CODEC_NONE);
    world_stream(&w, "CREATE STREAM load INTO ks.users WITH (trigger = 'available now') AS SELECT "
                     "CAST(id AS TEXT) AS id, CAST(n AS BIGINT) AS n FROM events");
    CHECK_OK(flow_start(w.flow, &d), &d);
    CHECK(world_reaches(&w, "load", "ended"));
    CHECK_INT(world_table(&w).rows, 1000);
    world_fill(&w, 2000, CODEC_NONE);
    drain(&w);
    CHECK_INT(world_status(&w, "load").ledger.in, 1000);
    flow_stop(w.flow);
    CHECK_OK(flow_start(w.flow, &d), &d);
    CHECK(world_reaches(&w, "load", "ended"));
    CHECK_INT(world_status(&w, "load").ledger.in, 3000);
    world_close(&w);
}

TEST(a_trigger_reads_to_the_end_and_sleeps_until_the_next)
{
    struct world w = {0};
    struct diag d = {0};
    clock_fake_set(timed_start);
    world_open(&w, NULL, 1);
    world_fill(&w, 10, CODEC_NONE);
    world_stream(&w, "CREATE STREAM load INTO ks.users WITH (trigger = '1h') AS SELECT CAST(id AS "
                     "TEXT) AS id, CAST(n AS BIGINT) AS n FROM events");
    CHECK_OK(flow_start(w.flow, &d), &d);
    drain(&w);
    world_fill(&w, 10, CODEC_NONE);
    CHECK_ERR(flow_drain(w.flow, 100, &d), ERR_TIMEOUT);
    clock_fake_advance(3600000);
    worker_wake(&flow_stage(w.flow, SLICE("load"))->stream->lanes[0].worker);
    clock_fake_set(-1);
    drain(&w);
    CHECK_INT(world_status(&w, "load").ledger.in, 20);
    world_close(&w);
}

TEST(latest_begins_at_the_end_and_a_restart_goes_on_from_there)
{
    static const char *const sql =
        "CREATE STREAM load INTO ks.users WITH (starting = 'latest') AS SELECT CAST(id AS TEXT) AS "
        "id, CAST(n AS BIGINT) AS n FROM events";
    struct world w = {0};
    struct diag d = {0};
    world_open(&w, NULL, 1);
    world_fill(&w, 10, CODEC_NONE);
    world_stream(&w, sql);
    CHECK_OK(flow_start(w.flow, &d), &d);
    CHECK(world_reaches(&w, "load", "waiting"));
    drain(&w);
    flow_stop(w.flow);
    world_fill(&w, 5, CODEC_NONE); /* while it does not run */
    world_flow_again(&w);
    world_stream(&w, sql);
    run_to_end(&w);
    CHECK_INT(world_status(&w, "load").ledger.in, 5);
    world_close(&w);
}

TEST(state_of_another_shape_is_not_read)
{
    struct world w = {0};
    struct diag d = {0};
    world_open(&w, NULL, 0);
    fill_timed(&w, 1, 100, 1);
    world_stream(&w, SUMS_SQL);
    run_to_end(&w);
    world_flow_again(&w);
    world_stream(&w, "CREATE STREAM load INTO ks.sums AS SELECT k, count(*) AS n, max(n) AS s FROM "
                     "timed GROUP BY k");
    CHECK_OK(flow_start(w.flow, &d), &d);
    CHECK(world_reaches(&w, "load", "failed"));
    CHECK(strstr(world_status(&w, "load").trouble, "sluice reset") != NULL);
    flow_stop(w.flow);
    world_flow_again(&w);
    CHECK_OK(stream_reset(w.store, SLICE("load"), &d), &d);
    world_stream(&w, "CREATE STREAM load INTO ks.sums AS SELECT k, count(*) AS n, max(n) AS s FROM "
                     "timed GROUP BY k");
    run_to_end(&w);
    CHECK_INT(world_status(&w, "load").ledger.in, 100);
    world_close(&w);
}

static enum stream_change change_to(struct world *w, const char *sql)
{
    struct plan_stream p;
    struct diag d = {0};
    enum stream_change change = STREAM_NEW;
    const char *why;
    CHECK_OK(world_bind(w, sql, &p, &d), &d);
    CHECK_OK(stream_change_of(w->store, &p, &change, &why, &d), &d);
    CHECK((why != NULL) == (change == STREAM_REBUILD));
    return change;
}

TEST(a_change_of_sql_is_told_before_it_runs)
{
    static const struct {
        const char *what, *from;
        enum stream_change change;
    } to[] = {
        {"count(*) AS n, sum(n) AS s", "timed WHERE n < 50 GROUP BY k", STREAM_SAME},
        {"count(*) AS n, sum(n) AS s", "timed WHERE n < 60 GROUP BY k", STREAM_IN_PLACE},
        {"count(*) + 1 AS n, sum(n) AS s", "timed WHERE n < 50 GROUP BY k", STREAM_IN_PLACE},
        {"count(*) AS n, max(n) AS s", "timed WHERE n < 50 GROUP BY k", STREAM_REBUILD},
        {"count(*) AS n, sum(n) AS s", "out WHERE n < 50 GROUP BY k", STREAM_REBUILD},
        {"n, n AS s", "timed WHERE n < 50", STREAM_REBUILD},
        {"count(*) AS n, sum(n) AS s", "timed GROUP BY k", STREAM_IN_PLACE},
        {"count(*) AS n, sum(n) AS s", "(SELECT k, n FROM timed) GROUP BY k", STREAM_IN_PLACE},
        {"count(*) AS n, sum(n) AS s", "(SELECT k, n + 1 AS n FROM timed) GROUP BY k",
         STREAM_REBUILD},
    };
    struct world w = {0};
    struct diag d = {0};
    char sql[512];
    world_open(&w, NULL, 0);
    fill_timed(&w, 1, 100, 1);
    for (size_t i = 0; i < COUNT_OF(to); i++) {
        snprintf(sql, sizeof(sql), "CREATE STREAM load INTO ks.sums AS SELECT k, %s FROM %s",
                 to[i].what, to[i].from);
        if (i == 0) {
            CHECK(change_to(&w, sql) == STREAM_NEW);
            world_stream(&w, sql);
            run_to_end(&w);
        }
        if (change_to(&w, sql) != to[i].change)
            test_failed(__FILE__, __LINE__, "%s: %d", sql, (int)change_to(&w, sql));
    }
    world_flow_again(&w);
    CHECK_OK(stream_reset(w.store, SLICE("load"), &d), &d);
    CHECK(change_to(&w, sql) == STREAM_NEW);
    world_stream(&w, FEW_SQL);
    run_to_end(&w);
    CHECK(change_to(&w, FEW_SQL " AND count(*) > 1") == STREAM_IN_PLACE);
    CHECK(change_to(&w, SUMS_SQL) == STREAM_IN_PLACE);
    world_close(&w);
}

TEST(a_stream_whose_reset_did_not_end_does_not_start)
{
    struct world w = {0};
    struct store_write *write = NULL;
    struct diag d = {0};
    world_open(&w, NULL, 0);
    fill_timed(&w, 1, 100, 1);
    world_stream(&w, SUMS_SQL);
    run_to_end(&w);
    CHECK_OK(store_write_begin(w.store, STORE_LIVE, KIB(64), &write, &d), &d);
    CHECK_OK(stream_shape_write(write, SLICE("load"), SHAPE_NONE), NULL);
    CHECK_OK(store_write_commit(write, &d), &d);
    CHECK_OK(flow_start(w.flow, &d), &d);
    CHECK(world_reaches(&w, "load", "failed"));
    CHECK(strstr(world_status(&w, "load").trouble, "half dropped") != NULL);
    flow_stop(w.flow);
    world_flow_again(&w);
    CHECK_OK(stream_reset(w.store, SLICE("load"), &d), &d);
    world_stream(&w, SUMS_SQL);
    run_to_end(&w);
    CHECK_INT(world_status(&w, "load").ledger.in, 100);
    world_close(&w);
}

/* --- topics -------------------------------------------------------------------------------------
 */

#define COPY_SQL                                                                                   \
    "CREATE STREAM copy INTO TOPIC out WITH (key = 'k') AS SELECT CAST(id AS TEXT) AS k, CAST(n "  \
    "AS BIGINT) AS n FROM events"

TEST(rows_become_records_of_a_topic_by_their_key)
{
    struct world w = {0};
    world_open(&w, NULL, 1);
    world_topic(&w, "out", 3);
    world_append(&w, 0, NULL, "{\"id\":\"a\",\"n\":1}");
    world_append(&w, 0, NULL, "{\"id\":\"b\"}");
    world_append(&w, 0, NULL, "{\"n\":3}");
    world_stream(&w, COPY_SQL);
    run_to_end(&w);
    CHECK_TEXT(world_topic_dump(&w, "out"), "-={\"k\":null,\"n\":3};a={\"k\":\"a\",\"n\":1};"
                                            "b={\"k\":\"b\",\"n\":null};");
    CHECK_INT(world_status(&w, "copy").ledger.rows_out, 3);
    CHECK(slice_is(world_status(&w, "copy").into, "out"));
    world_close(&w);
}

static void copy_folder(const char *from, const char *to)
{
    char command[2000];
    snprintf(command, sizeof(command), "rm -rf '%s' && cp -r '%s' '%s'", to, from, to);
    CHECK(system(command) == 0);
}

/* The log as it was before anything was appended, the store as it was after the commit: what a
 * crash between the two leaves. Then fewer lanes come back than there were. */
TEST(batches_that_only_the_outbox_has_are_appended_when_a_lane_loads)
{
    struct world w = {.options = {.lanes_max = 2}};
    char dir[300], log_dir[400], kept[400];
    snprintf(dir, sizeof(dir), "%s/crashed", test_dir());
    snprintf(log_dir, sizeof(log_dir), "%s/log", dir);
    snprintf(kept, sizeof(kept), "%s/log.kept", dir);
    world_open(&w, dir, 2);
    world_topic(&w, "out", 2);
    world_fill(&w, 1000, CODEC_NONE);
    world_stream(&w, COPY_SQL); /* its producers have their names before */
    run_to_end(&w);
    CHECK_INT(world_records(&w, "out"), 1000);
    world_fill(&w, 1000, CODEC_NONE);
    world_close(&w);
    copy_folder(log_dir, kept);
    world_open(&w, dir, 2);
    world_stream(&w, COPY_SQL);
    run_to_end(&w);
    CHECK_INT(world_records(&w, "out"), 2000);
    world_close(&w);
    copy_folder(kept, log_dir);
    w.options.lanes_max = 1;
    for (int i = 0; i < 2; i++) { /* the second time all of it is there */
        world_open(&w, dir, 2);
        CHECK_INT(world_records(&w, "out"), i ? 2000 : 1000);
        world_stream(&w, COPY_SQL);
        run_to_end(&w);
        CHECK(world_reaches(&w, "copy", "waiting"));
        CHECK_INT(world_status(&w, "copy").ledger.rows_out, 2000);
        CHECK_INT(world_records(&w, "out"), 2000);
        world_close(&w);
    }
}

TEST(several_topics_are_read_each_from_its_own_cursors)
{
    static const char *const sql =
        "CREATE STREAM load INTO ks.users AS SELECT CAST(id AS TEXT) AS id, CAST(n AS BIGINT) AS n "
        "FROM events UNION ALL SELECT CAST(id AS TEXT) AS id, CAST(n AS BIGINT) AS n FROM other";
    struct world w = {.options = {.lanes_max = 3}};
    world_open(&w, NULL, 3);
    world_topic(&w, "other", 2);
    for (int round = 1; round <= 3; round++) {
        w.options.lanes_max = (uint32_t)round;
        world_flow_again(&w);
        world_fill(&w, 100, CODEC_NONE);
        world_append_to(&w, "other", 1, NULL, "{\"id\":\"o\",\"n\":1}", 1);
        world_append_to(&w, "other", 0, NULL, "{\"id\":\"p\",\"n\":1}", 1);
        world_stream(&w, sql);
        run_to_end(&w);
        CHECK_INT(world_status(&w, "load").ledger.in, 102 * round);
        CHECK_INT(world_table(&w).rows, 102);
        CHECK_INT(flow_keep_from(w.flow, SLICE("other"), 1), round);
        CHECK(slice_is(world_status(&w, "load").from, "events, other"));
    }
    world_close(&w);
}

TEST(a_key_whose_row_is_gone_gets_a_null_value)
{
    struct world w = {0};
    struct diag d = {0};
    world_open(&w, NULL, 0);
    world_topic(&w, "timed", 1);
    world_topic(&w, "out", 1);
    world_stream(&w, "CREATE STREAM load INTO TOPIC out WITH (key = 'k') AS SELECT k, count(*) AS "
                     "n FROM timed GROUP BY k HAVING count(*) < 2 EMIT ON CHANGE");
    CHECK_OK(flow_start(w.flow, &d), &d);
    append_timed(&w, 0, "a", 1);
    drain(&w);
    append_timed(&w, 0, "a", 2);
    drain(&w);
    append_timed(&w, 0, "b", 3);
    drain(&w);
    CHECK_TEXT(world_topic_dump(&w, "out"), "a=-;a={\"k\":\"a\",\"n\":1};b={\"k\":\"b\",\"n\":1};");
    world_close(&w);
}

TEST(nothing_but_counts_come_out_of_a_black_hole)
{
    struct world w = {0};
    world_open(&w, NULL, 2);
    world_fill(&w, 1000, CODEC_NONE);
    world_stream(&w, "CREATE SINK hole INTO BLACKHOLE AS SELECT CAST(n AS BIGINT) AS n FROM events "
                     "WHERE CAST(n AS BIGINT) < 10");
    run_to_end(&w);
    CHECK_INT(world_status(&w, "hole").ledger.applied, 10);
    CHECK_INT(world_status(&w, "hole").ledger.filtered, 990);
    CHECK_INT(world_status(&w, "hole").ledger.rows_out, 10);
    world_close(&w);
}

/* --- what people see ----------------------------------------------------------------------------
 */

struct told {
    int64_t next[2];
    uint32_t count;
};

static void hear(void *ctx, struct slice stream, struct slice topic, int32_t partition,
                 int64_t next)
{
    struct told *t = ctx;
    CHECK(slice_is(stream, "load") && slice_is(topic, "timed"));
    t->next[partition] = next;
    t->count++;
}

TEST(progress_speaks_sparks_words_and_cursors_are_told_as_they_are_durable)
{
    static const char *const words[] = {
        "\"id\":\"",
        "\"runId\":\"",
        "\"name\":\"load\"",
        "\"timestamp\":\"",
        "\"batchId\":",
        "\"batchDuration\":",
        "\"numInputRows\":",
        "\"inputRowsPerSecond\":",
        "\"processedRowsPerSecond\":",
        "\"durationMs\":{",
        "\"eventTime\":{\"avg\":\"",
        "\"watermark\":\"2023-11-14T22:1",
        "\"stateOperators\":[{\"operatorName\":\"group\",\"numRowsTotal\":20,",
        "\"sources\":[{\"description\":\"timed\"",
        "\"endOffset\":{\"timed\":{\"0\":",
        "\"sink\":{\"description\":\"ks.sums\",\"numOutputRows\":",
        "\"observedMetrics\":{}"};
    struct told told = {0};
    struct world w = {
        .options = {.epoch_rows_live = 100, .committed = hear, .committed_ctx = &told}};
    struct buf b = buf_make(MIB(4));
    struct diag d = {0};
    world_open(&w, NULL, 0);
    fill_timed(&w, 2, 1000, 3);
    world_stream(&w, SUMS_SQL);
    CHECK_OK(flow_progress_json(w.flow, SLICE("load"), false, &b, &d), &d);
    CHECK_TEXT(buf_cstr(&b), "null");
    run_to_end(&w);
    buf_reset(&b);
    CHECK_OK(flow_progress_json(w.flow, SLICE("load"), false, &b, &d), &d);
    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (!strstr(buf_cstr(&b), words[i])) CHECK_TEXT(buf_cstr(&b), words[i]);
    buf_reset(&b);
    CHECK_OK(flow_progress_json(w.flow, SLICE("load"), true, &b, &d), &d);
    struct json_decoder *j = json_decoder_new();
    buf_put(&b, (char[JSON_PADDING]){0}, JSON_PADDING);
    CHECK_OK(json_validate(j, slice_make(b.at, b.len - JSON_PADDING), &d), &d);
    json_decoder_free(j);
    CHECK_ERR(flow_progress_json(w.flow, SLICE("nobody"), true, &b, &d), ERR_UNKNOWN_STREAM);
    CHECK_INT(told.next[0] + told.next[1], 1000);
    CHECK(told.count >= 10);
    CHECK_TEXT(world_status(&w, "load").operators[0].kind, "topic");
    CHECK_INT(world_status(&w, "load").operators[0].rows_out, 1000);
    struct flow_status seen = world_status(&w, "load");
    for (uint32_t i = 0; i < seen.operator_count; i++) CHECK(seen.operators[i].spent_ns > 0);
    CHECK_INT(seen.writing.rows_in, seen.ledger.rows_out);
    CHECK(seen.writing.spent_ns > 0 && (uint64_t)seen.writing.spent_ns < 3600000000000ull);
    buf_done(&b);
    world_close(&w);
}

/* Each new term's counting left out is found at the next commit. */
TEST(a_term_of_state_that_is_not_counted_stops_the_stream)
{
    static const struct {
        enum ledger_term term;
        const char *sql;
    } cases[] = {{TERM_HELD, CLOSED_SQL},
                 {TERM_LATE, WINDOWS_SQL},
                 {TERM_APPLIED, SUMS_SQL},
                 {TERM_DEDUPLICATED, FIRST_SQL}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct world w = {.options = {.mutant = FLOW_MUTANT_SKIP_COUNT,
                                      .mutant_term = cases[i].term,
                                      .epoch_rows_live = 300}};
        struct diag d = {0};
        char dir[300];
        snprintf(dir, sizeof(dir), "%s/%zu", test_dir(), i);
        world_open(&w, dir, 0);
        fill_timed(&w, 1, 3000, 4);
        fill_timed(&w, 1, 300, 4); /* the same again: late, and known */
        world_stream(&w, cases[i].sql);
        CHECK_OK(flow_start(w.flow, &d), &d);
        CHECK(world_reaches(&w, "load", "failed"));
        CHECK(!world_status(&w, "load").balanced);
        world_close(&w);
    }
}

/* --- kills --------------------------------------------------------------------------------------
 */

enum { KILLS = 10, KILL_RECORDS = 30000 };

static void serve_until_killed(const char *dir, int ready, uint32_t mutant)
{
    struct world w = {.options = {.epoch_rows_live = 200, .mutant = mutant}};
    struct diag d = {0};
    world_open(&w, dir, 0);
    world_stream(&w, SUMS_SQL);
    world_stream(&w, "CREATE STREAM copy INTO TOPIC out AS SELECT k, n FROM timed");
    if (flow_start(w.flow, &d) || write(ready, "!", 1) != 1) _exit(3);
    for (;;) pause();
}

static void serve_and_kill(const char *dir, uint64_t *random, uint32_t mutant)
{
    int ready[2], status;
    char byte;
    CHECK(pipe(ready) == 0);
    pid_t child = fork();
    if (child == 0) serve_until_killed(dir, ready[1], mutant);
    CHECK(read(ready[0], &byte, 1) == 1);
    usleep((useconds_t)(test_random(random) % 60000));
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    CHECK(WIFSIGNALED(status));
    close(ready[0]);
    close(ready[1]);
}

static void prepare_kills(const char *dir)
{
    struct world w = {0};
    world_open(&w, dir, 0);
    world_topic(&w, "out", 2);
    fill_timed(&w, TIMED_PARTITIONS, KILL_RECORDS, 21);
    world_close(&w);
}

TEST(killed_at_any_moment_sums_are_right_and_the_topic_has_each_row_once)
{
    char dir[256];
    uint64_t random = 31;
    struct world w = {0};
    struct expected x = expect(TIMED_PARTITIONS, KILL_RECORDS, 21);
    snprintf(dir, sizeof(dir), "%s/killed", test_dir());
    prepare_kills(dir);
    for (int i = 0; i < KILLS; i++) serve_and_kill(dir, &random, FLOW_MUTANT_NONE);
    world_open(&w, dir, 0);
    world_stream(&w, SUMS_SQL);
    world_stream(&w, "CREATE STREAM copy INTO TOPIC out AS SELECT k, n FROM timed");
    run_to_end(&w);
    CHECK_TEXT(world_dump(&w, "sums"), expected_text(&w, &x, INT64_MAX));
    CHECK_INT(world_status(&w, "load").ledger.in, KILL_RECORDS);
    CHECK_INT(world_status(&w, "copy").ledger.rows_out, KILL_RECORDS);
    CHECK_INT(world_records(&w, "out"), KILL_RECORDS);
    world_close(&w);
}

TEST(state_that_goes_before_its_epoch_is_found_by_the_audit)
{
    char dir[256];
    uint64_t random = 32;
    bool found = false;
    for (int i = 0; i < 10 && !found; i++) {
        struct world w = {0};
        struct expected x = expect(TIMED_PARTITIONS, KILL_RECORDS, 21);
        snprintf(dir, sizeof(dir), "%s/mutant%d", test_dir(), i);
        prepare_kills(dir);
        for (int k = 0; k < KILLS; k++) serve_and_kill(dir, &random, FLOW_MUTANT_STATE_FIRST);
        world_open(&w, dir, 0);
        world_stream(&w, SUMS_SQL);
        run_to_end(&w);
        found = strcmp(world_dump(&w, "sums"), expected_text(&w, &x, INT64_MAX)) != 0;
        world_close(&w);
    }
    CHECK(found);
}
