/* Goal: what closes at one and the same instant, and is more than one write takes, closes in
 * several recorded epochs: the same rows as in one, replayed to the same bytes, and right whatever
 * kills come in the middle. */
#include "flow/kit_test.h"
#include "flow/op.h"
#include "flow/replay_test.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define WINDOW "TUMBLE(timed, at, INTERVAL '10' SECOND)"
#define CLOSED_SQL                                                                                 \
    "CREATE STREAM load INTO ks.windows AS SELECT k, window_start AS w, count(*) AS n, sum(n) AS " \
    "s FROM " WINDOW " GROUP BY k, window_start EMIT ON WINDOW CLOSE"

static const struct {
    const char *sql, *table;
} plans[] = {
    {CLOSED_SQL, "windows"},
    /* told as they change: the windows' groups go from the state alone */
    {"CREATE STREAM load INTO ks.windows AS SELECT k, window_start AS w, count(*) AS n, sum(n) AS "
     "s FROM " WINDOW " GROUP BY k, window_start",
     "windows"},
    {"CREATE STREAM load INTO ks.windows AS SELECT k, window_start AS w, count(DISTINCT n) AS n, "
     "sum(n) AS s FROM " WINDOW " GROUP BY k, window_start EMIT ON WINDOW CLOSE",
     "windows"},
    {"CREATE STREAM load INTO ks.windows AS SELECT k, window_start AS w, count(*) AS n, sum(n) AS "
     "s FROM SESSION(timed, at, INTERVAL '20' SECOND) GROUP BY k, window_start, window_end EMIT ON "
     "WINDOW CLOSE",
     "windows"},
    {"CREATE STREAM load INTO ks.windows AS SELECT DISTINCT k, at AS w, n, n AS s FROM timed",
     "windows"},
    {"CREATE STREAM load INTO ks.windows AS SELECT a.k AS k, a.at AS w, a.n AS n, b.n AS s FROM "
     "timed AS a LEFT JOIN timed AS b ON a.k = b.k AND b.n < a.n AND b.at BETWEEN a.at AND a.at + "
     "INTERVAL '1' SECOND",
     "windows"},
    /* groups of groups: the outer ones wait for all of the inner ones */
    {"CREATE STREAM load INTO ks.windows AS SELECT CAST(g AS TEXT) AS k, window_start AS w, "
     "count(*) AS n, sum(c) AS s FROM (SELECT n % 7 AS g, k, window_start, window_time, count(*) "
     "AS c FROM " WINDOW " GROUP BY n % 7, k, window_start, window_time) GROUP BY g, "
     "window_start EMIT ON WINDOW CLOSE",
     "windows"},
    {"CREATE STREAM load INTO ks.sums WITH (state_ttl = '5s') AS SELECT k, count(*) AS n, sum(n) "
     "AS s FROM timed GROUP BY k",
     "sums"},
};

static void add(struct record_builder *b, int64_t at, const char *key, int n)
{
    char value[128];
    snprintf(value, sizeof(value), "{\"k\":\"%s\",\"n\":%d,\"at\":%lld}", key, n,
             (long long)(timed_start + at));
    record_builder_add(b, timed_start + at, (struct slice){0}, slice_of(value), NULL, 0);
}

/* So many groups whose window closes with the last record, and one more record a second. */
static void fill_window(struct world *w, int groups)
{
    struct record_batch_options o = {
        .producer_id = -1, .producer_epoch = -1, .base_sequence = -1, .codec = CODEC_NONE};
    struct record_builder b = record_builder_make(MIB(64));
    struct buf out = buf_make(MIB(64));
    struct diag d = {0};
    int64_t offset;
    world_topic(w, "timed", 1);
    for (int i = 0; i < groups; i++) {
        char key[16];
        snprintf(key, sizeof(key), "k%05d", i * 7919 % groups);
        add(&b, i % 900, key, i % 1000);
        if (i % 3 == 0) add(&b, 900 + i % 100, key, i % 500);
    }
    for (int i = 0; i < 3; i++) add(&b, 60000 + i * 1000, "later", i);
    CHECK_OK(record_builder_finish(&b, &o, &out), NULL);
    struct log_partition *p = log_partition(log_topic_find(w->log, SLICE("timed")), 0);
    CHECK_OK(log_append_wait(w->log, p, out.at, out.len, timed_start, &offset, &d), &d);
    record_builder_done(&b);
    buf_done(&out);
}

static char *kept_text(const char *text)
{
    char *out = mem_take(strlen(text) + 1);
    if (out) memcpy(out, text, strlen(text) + 1);
    return out;
}

struct cuts {
    struct arena *arena;
    uint64_t count;
};

static err_t count_cut(void *ctx, struct slice key, struct slice value)
{
    struct cuts *c = ctx;
    struct epoch_record r;
    (void)key;
    err_t e = epoch_record_take(value, c->arena, &r);
    c->count += r.closing != NO_CLOSING;
    return e;
}

/* Epochs that did not close all that was to close. */
static uint64_t cut_epochs(struct world *w)
{
    struct cuts c = {.arena = arena_new(MIB(64))};
    struct stage_key k = stage_key(SLICE("load"));
    struct diag d = {0};
    CHECK(!lane_is_closing(&flow_stage(w->flow, SLICE("load"))->stream->lanes[0]));
    CHECK_OK(store_records(w->store, NULL, STORE_EPOCH, stage_key_slice(&k), (struct slice){0},
                           count_cut, &c, &d),
             &d);
    arena_free(c.arena);
    return c.count;
}

TEST(what_closes_at_one_instant_and_is_too_much_for_one_write_closes_in_several)
{
    enum { GROUPS = 1500 };
    for (size_t i = 0; i < COUNT_OF(plans); i++) {
        char *want = NULL;
        struct ledger ledger = {0};
        for (int small = 0; small < 2; small++) {
            struct world w = {
                .options = {.epoch_rows_live = 300, .epoch_bytes = small ? KIB(16) : 0}};
            char dir[300];
            snprintf(dir, sizeof(dir), "%s/%zu-%d", test_dir(), i, small);
            world_open(&w, dir, 0);
            fill_window(&w, GROUPS);
            world_stream(&w, plans[i].sql);
            run_to_end(&w);
            struct flow_status s = world_status(&w, "load");
            CHECK(s.balanced);
            CHECK_TEXT(s.trouble, "");
            uint64_t cuts = cut_epochs(&w);
            if (!small) {
                CHECK_INT(cuts, 0);
                ledger = s.ledger;
                want = kept_text(world_dump(&w, plans[i].table));
            } else {
                CHECK_TEXT(world_dump(&w, plans[i].table), want);
                CHECK(cuts >= 3);
                CHECK_INT(s.ledger.applied, ledger.applied);
                CHECK_INT(s.ledger.held, ledger.held);
                CHECK_INT(s.ledger.late, ledger.late);
                check_replay(&w, plans[i].sql, plans[i].table, 150);
            }
            world_close(&w);
        }
        mem_give(want);
    }
}

/* --- kills --------------------------------------------------------------------------------------
 */

enum { KILLED_GROUPS = 12000 };

static void serve_until_killed(const char *dir, int ready)
{
    struct world w = {.options = {.epoch_bytes = KIB(24), .memory_max = MIB(4)}};
    struct diag d = {0};
    world_open(&w, dir, 0);
    world_stream(&w, CLOSED_SQL);
    if (flow_start(w.flow, &d)) _exit(3);
    struct lane *l = &flow_stage(w.flow, SLICE("load"))->stream->lanes[0];
    while (world_status(&w, "load").watermark < timed_start && !lane_is_closing(l)) usleep(500);
    if (write(ready, "!", 1) != 1) _exit(3);
    for (;;) pause();
}

/* Once something has begun to close. */
static void serve_and_kill(const char *dir, uint64_t *random)
{
    int ready[2], status;
    char byte;
    CHECK(pipe(ready) == 0);
    pid_t child = fork();
    if (child == 0) serve_until_killed(dir, ready[1]);
    CHECK(read(ready[0], &byte, 1) == 1);
    usleep((useconds_t)(test_random(random) % 40000));
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    CHECK(WIFSIGNALED(status));
    close(ready[0]);
    close(ready[1]);
}

static bool half_closed(const char *dir)
{
    struct world w = {0};
    struct diag d = {0};
    world_open(&w, dir, 0);
    world_stream(&w, CLOSED_SQL);
    struct lane *l = &flow_stage(w.flow, SLICE("load"))->stream->lanes[0];
    CHECK_OK(lane_load(l, &d), &d);
    bool yes = lane_is_closing(l);
    world_close(&w);
    return yes;
}

TEST(killed_while_a_window_closes_each_group_is_told_once)
{
    struct world w = {.options = {.epoch_bytes = KIB(24), .memory_max = MIB(4)}}, one = {0};
    char dir[256], other[256];
    uint64_t random = 77;
    int halves = 0;
    snprintf(dir, sizeof(dir), "%s/killed", test_dir());
    snprintf(other, sizeof(other), "%s/whole", test_dir());
    world_open(&one, other, 0);
    fill_window(&one, KILLED_GROUPS);
    world_stream(&one, CLOSED_SQL);
    run_to_end(&one);
    world_open(&w, dir, 0);
    fill_window(&w, KILLED_GROUPS);
    world_close(&w);
    for (int i = 0; i < 12; i++) {
        serve_and_kill(dir, &random);
        halves += half_closed(dir);
    }
    CHECK(halves > 3);
    world_open(&w, dir, 0);
    world_stream(&w, CLOSED_SQL);
    run_to_end(&w);
    CHECK_TEXT(world_dump(&w, "windows"), world_dump(&one, "windows"));
    struct flow_status s = world_status(&w, "load");
    CHECK(s.balanced);
    CHECK_INT(s.ledger.in, KILLED_GROUPS + KILLED_GROUPS / 3 + 3);
    CHECK_INT(s.ledger.applied + s.ledger.held, s.ledger.in);
    CHECK_INT(s.ledger.held, world_status(&one, "load").ledger.held);
    CHECK(cut_epochs(&w) > 20);
    check_replay(&w, CLOSED_SQL, "windows", 0);
    world_close(&w);
    world_close(&one);
}
