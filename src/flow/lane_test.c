/* Streams: each record exactly once in the table, among the filtered or the dead, whatever stops
 * the stream; the ledger knows where each one went. */
#include "flow/kit_test.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static void run_to_end(struct world *w)
{
    struct diag d = {0};
    CHECK_OK(flow_start(w->flow, &d), &d);
    CHECK_OK(flow_drain(w->flow, 20000, &d), &d);
    flow_stop(w->flow);
}

static int64_t sum_below(int64_t n)
{
    return n * (n - 1) / 2;
}

TEST(records_become_rows_and_the_ledger_says_so)
{
    struct world w = {0};
    world_open(&w, NULL, 3);
    world_fill(&w, 5000, CODEC_LZ4);
    world_stream(&w, USERS_SQL);
    run_to_end(&w);
    struct table_print t = world_table(&w);
    struct flow_status s = world_status(&w, "load");
    CHECK_INT(t.rows, 5000);
    CHECK_INT(t.sum_n, sum_below(5000));
    CHECK_INT(s.ledger.in, 5000);
    CHECK_INT(s.ledger.applied, 5000);
    CHECK_INT(s.ledger.rows_out, 5000);
    CHECK_INT(s.lag, 0);
    CHECK(s.balanced && s.epochs > 0);
    struct log_topic *topic = log_topic_find(w.log, SLICE("events"));
    for (int32_t p = 0; p < 3; p++)
        CHECK_INT(flow_keep_from(w.flow, SLICE("events"), p),
                  log_end_offset(log_partition(topic, p)));
    CHECK_INT(flow_keep_from(w.flow, SLICE("other"), 0), INT64_MAX);
    world_close(&w);
}

TEST(a_lone_record_is_a_row_without_waiting_for_more)
{
    struct world w = {.options = {.epoch_ms_live = 60000}};
    struct diag d = {0};
    world_open(&w, NULL, 2);
    world_stream(&w, USERS_SQL);
    CHECK_OK(flow_start(w.flow, &d), &d);
    CHECK(world_reaches(&w, "load", "waiting"));
    world_append(&w, 1, "k", "{\"id\":\"a\",\"name\":\"x\",\"n\":1}");
    CHECK_OK(flow_drain(w.flow, 5000, &d), &d);
    CHECK_INT(world_table(&w).rows, 1);
    world_close(&w);
}

/* Live and catching up, one lane and three, in small epochs and large, from the beginning again
 * after a reset: the same table, cell for cell. */
TEST(the_same_log_gives_the_same_table_whatever_the_epochs)
{
    static const struct flow_options ways[] = {
        {.lanes_max = 1, .form = FLOW_FORM_LIVE},
        {.lanes_max = 3, .form = FLOW_FORM_LIVE, .epoch_rows_live = 70},
        {.lanes_max = 2, .form = FLOW_FORM_CATCHUP, .epoch_rows_catchup = 900},
        {.lanes_max = 1, .form = FLOW_FORM_CATCHUP},
        {.lanes_max = 2, .catchup_lag = 1000},
    };
    struct world w = {0};
    struct diag d = {0};
    struct table_print first = {0};
    world_open(&w, NULL, 3);
    world_fill(&w, 4000, CODEC_ZSTD);
    world_fill(&w, 1000, CODEC_NONE); /* the same keys again: they must win */
    for (size_t i = 0; i < COUNT_OF(ways); i++) {
        w.options = ways[i];
        world_flow_again(&w);
        CHECK_OK(stream_reset(w.store, SLICE("load"), &d), &d);
        CHECK_OK(store_table_truncate(w.store, SLICE("ks"), SLICE("users"), &d), &d);
        world_stream(&w, USERS_SQL);
        run_to_end(&w);
        struct table_print t = world_table(&w);
        CHECK_INT(world_status(&w, "load").ledger.in, 5000);
        CHECK_INT(t.rows, 4000);
        if (i == 0) first = t;
        CHECK_INT(t.hash, first.hash);
    }
    world_close(&w);
}

TEST(within_a_partition_the_later_record_wins_even_with_an_older_time)
{
    struct world w = {0};
    world_open(&w, NULL, 1);
    world_append_at(&w, 0, "k", "{\"id\":\"a\",\"n\":1}", 2000);
    world_append_at(&w, 0, "k", "{\"id\":\"a\",\"n\":2}", 2000);
    world_append_at(&w, 0, "k", "{\"id\":\"a\",\"n\":3}", 1000);
    world_append_at(&w, 0, "k", "{\"id\":\"b\",\"n\":10}", INT64_MAX - 5);
    world_append_at(&w, 0, "k", "{\"id\":\"b\",\"n\":20}", -1);
    world_stream(&w, USERS_SQL);
    run_to_end(&w);
    struct table_print t = world_table(&w);
    CHECK_INT(t.rows, 2);
    CHECK_INT(t.sum_n, 23);
    world_close(&w);
}

/* --- poison --------------------------------------------------------------------------------------
 */

/* From both ends, over the letters of another stream on either side. */
TEST(letters_are_walked_from_the_oldest_and_from_the_newest)
{
    struct world w = {0};
    struct diag d = {0};
    struct dead_letter l;
    struct arena *a = arena_new(MIB(4));
    const char *const streams[] = {"a", "load", "z"};
    char text[300];
    world_open(&w, NULL, 1);
    for (size_t i = 0; i < COUNT_OF(streams); i++) {
        snprintf(text, sizeof(text),
                 "CREATE STREAM %s INTO ks.users AS SELECT CAST(id AS TEXT) AS id FROM events "
                 "CHECK (n < 0) ELSE DEAD LETTER",
                 streams[i]);
        world_stream(&w, text);
    }
    for (int i = 0; i < 5; i++) world_append_at(&w, 0, "k", "{\"id\":\"x\",\"n\":1}", 1000 + i);
    run_to_end(&w);
    struct dead_filter of = {.stage = SLICE("load")};
    struct slice at = {0};
    for (int i = 0; i < 5; i++) {
        CHECK_OK(dead_next(w.store, &of, at, a, &l, &d), &d);
        CHECK_INT(l.offset, i);
        CHECK_SLICE(l.stage, "load");
        at = l.place;
    }
    CHECK_ERR(dead_next(w.store, &of, at, a, &l, &d), ERR_NOT_FOUND);
    at = (struct slice){0};
    for (int i = 4; i >= 0; i--) {
        CHECK_OK(dead_before(w.store, &of, at, a, &l, &d), &d);
        CHECK_INT(l.offset, i);
        CHECK_SLICE(l.stage, "load");
        at = l.place;
    }
    CHECK_ERR(dead_before(w.store, &of, at, a, &l, &d), ERR_NOT_FOUND);
    int64_t third = 2;
    of.offset = &third;
    CHECK_OK(dead_before(w.store, &of, (struct slice){0}, a, &l, &d), &d);
    CHECK_INT(l.offset, 2);
    arena_free(a);
    world_close(&w);
}

TEST(poison_records_are_dead_letters_and_the_others_go_on)
{
    struct world w = {0};
    struct letters l;
    world_open(&w, NULL, 1);
    world_append(&w, 0, "k0", "{\"id\":\"good\",\"n\":1}");
    world_append(&w, 0, "k1", "{\"id\":\"a\",\"n\":1");
    world_append(&w, 0, "k2", NULL);
    world_append(&w, 0, "k3", "{\"id\":null,\"n\":1}");
    world_append(&w, 0, "k4", "{\"id\":\"b\",\"n\":\"x\"}");
    world_append(&w, 0, "k5", "{\"id\":\"\",\"n\":1}");
    world_append(&w, 0, NULL, "{\"id\":\"fine\",\"n\":\"2\"}");
    world_stream(&w, USERS_SQL);
    run_to_end(&w);
    world_letters(&w, "load", &l);
    struct flow_status s = world_status(&w, "load");
    CHECK_INT(s.ledger.in, 7);
    CHECK_INT(s.ledger.applied, 2);
    CHECK_INT(s.ledger.dead, 5);
    CHECK_INT(l.count, 5);
    CHECK_INT(world_table(&w).sum_n, 3);
    for (int i = 0; i < 5; i++) {
        CHECK_INT(l.items[i].offset, i + 1);
        CHECK_INT(l.items[i].key[1], '1' + i);
        CHECK(l.items[i].reason[0] != 0);
    }
    CHECK_TEXT(l.items[0].raw, "{\"id\":\"a\",\"n\":1");
    CHECK_TEXT(l.items[1].reason, "the record has no value");
    CHECK_TEXT(l.items[2].reason, "key column 'id' is null");
    CHECK(strstr(l.items[3].expression, "n") != NULL);
    CHECK_TEXT(l.items[4].reason, "key column 'id' is empty");
    world_close(&w);
}

TEST(a_batch_that_can_not_be_opened_is_counted_record_by_record)
{
    struct world w = {0};
    struct record_builder b = record_builder_make(MIB(1));
    struct buf out = buf_make(MIB(1));
    struct record_batch_options o = {
        .codec = CODEC_ZSTD, .producer_id = -1, .producer_epoch = -1, .base_sequence = -1};
    struct letters l;
    struct diag d = {0};
    int64_t offset;
    world_open(&w, NULL, 1);
    world_append(&w, 0, "k", "{\"id\":\"before\",\"n\":1}");
    for (int i = 0; i < 10; i++)
        record_builder_add(&b, 1, SLICE("k"), SLICE("{\"id\":\"x\"}"), NULL, 0);
    CHECK_OK(record_builder_finish(&b, &o, &out), NULL);
    memset(out.at + RECORD_BATCH_HEAD, 0xee, out.len - RECORD_BATCH_HEAD);
    uint32_t crc = crc32c(0, out.at + 21, out.len - 21);
    buf_set_be(&out, 17, crc, 4);
    struct log_partition *p = log_partition(log_topic_find(w.log, SLICE("events")), 0);
    err_t e = log_append_wait(w.log, p, out.at, out.len, 1, &offset, &d);
    if (!e) { /* a log that opens batches refuses it sooner, which is as good */
        world_append(&w, 0, "k", "{\"id\":\"after\",\"n\":2}");
        world_stream(&w, USERS_SQL);
        run_to_end(&w);
        world_letters(&w, "load", &l);
        struct flow_status s = world_status(&w, "load");
        CHECK_INT(s.ledger.in, 12);
        CHECK_INT(s.ledger.applied, 2);
        CHECK_INT(s.ledger.dead, 10);
        CHECK_INT(l.count, 1);
        CHECK_INT(l.items[0].offset, 1);
    }
    record_builder_done(&b);
    buf_done(&out);
    world_close(&w);
}

TEST(filters_and_checks_decide_where_a_record_goes)
{
    struct world w = {0};
    struct letters l;
    world_open(&w, NULL, 2);
    world_fill(&w, 1000, CODEC_NONE);
    world_stream(&w, USERS_SQL " WHERE CAST(n AS BIGINT) >= 100 "
                               "CHECK (CAST(n AS BIGINT) < 990) ELSE DEAD LETTER "
                               "CHECK (CAST(n AS BIGINT) <> 500) ELSE SKIP");
    run_to_end(&w);
    struct flow_status s = world_status(&w, "load");
    world_letters(&w, "load", &l);
    CHECK_INT(s.ledger.in, 1000);
    CHECK_INT(s.ledger.filtered, 101);
    CHECK_INT(s.ledger.dead, 10);
    CHECK_INT(s.ledger.applied, 889);
    CHECK_INT(l.count, 10);
    CHECK_TEXT(l.items[0].reason, "check failed");
    CHECK(strstr(l.items[0].expression, "990") != NULL);
    CHECK_INT(world_table(&w).rows, 889);
    world_close(&w);
}

TEST(a_check_else_null_empties_what_it_reads_and_keeps_the_row)
{
    struct world w = {0};
    world_open(&w, NULL, 2);
    world_fill(&w, 100, CODEC_NONE);
    world_stream(&w, USERS_SQL " CHECK (CAST(n AS BIGINT) < 90) ELSE NULL");
    run_to_end(&w);
    CHECK_INT(world_table(&w).rows, 100);
    CHECK_INT(world_table(&w).sum_n, sum_below(90));
    CHECK_INT(world_status(&w, "load").ledger.applied, 100);
    world_close(&w);
}

TEST(a_check_that_must_not_fail_stops_the_stream_and_names_the_record)
{
    struct world w = {0};
    struct diag d = {0};
    world_open(&w, NULL, 1);
    world_fill(&w, 10, CODEC_NONE);
    world_stream(&w, USERS_SQL " CHECK (CAST(n AS BIGINT) <> 7) ELSE FAIL");
    CHECK_OK(flow_start(w.flow, &d), &d);
    CHECK(world_reaches(&w, "load", "failed"));
    struct flow_status s = world_status(&w, "load");
    CHECK(strstr(s.trouble, "events/0 offset 7") != NULL);
    CHECK_ERR(flow_drain(w.flow, 1000, &d), ERR_CONSTRAINT);
    CHECK_INT(s.ledger.in, 0);
    world_close(&w);
}

/* What has failed brings no more, and is told when the others are done. */
TEST(a_drain_ends_with_the_name_and_error_of_what_failed)
{
    struct world w = {0};
    struct diag d = {0};
    world_open(&w, NULL, 1);
    world_fill(&w, 10, CODEC_NONE);
    world_stream(&w, USERS_SQL " CHECK (CAST(n AS BIGINT) <> 7) ELSE FAIL");
    world_stream(&w,
                 "CREATE STREAM other INTO ks.users AS SELECT CAST(id AS TEXT) AS id FROM events");
    CHECK_OK(flow_pause(w.flow, SLICE("other"), &d), &d);
    CHECK_OK(flow_start(w.flow, &d), &d);
    CHECK(world_reaches(&w, "load", "failed"));
    CHECK_ERR(flow_drain(w.flow, 50, &d), ERR_TIMEOUT);
    CHECK_OK(flow_resume(w.flow, SLICE("other"), &d), &d);
    CHECK_ERR(flow_drain(w.flow, 10000, &d), ERR_CONSTRAINT);
    CHECK(strstr(d.what, "'load' has failed") && strstr(d.what, "events/0 offset 7"));
    CHECK_INT(world_status(&w, "other").ledger.in, 10);
    world_close(&w);
}

/* An epoch may end within a batch, and the next one begins there. */
TEST(a_cursor_within_a_batch_goes_on_with_the_next_record)
{
    static const enum codec codecs[] = {CODEC_NONE, CODEC_ZSTD};
    for (size_t i = 0; i < COUNT_OF(codecs); i++) {
        char dir[300];
        struct world w = {.options = {.epoch_rows_live = 70, .epoch_ms_live = 60000}};
        struct diag d = {0};
        snprintf(dir, sizeof(dir), "%s/%zu", test_dir(), i);
        world_open(&w, dir, 1);
        world_fill(&w, 1000, codecs[i]);
        world_stream(&w, USERS_SQL " CHECK (CAST(n AS BIGINT) <> 500) ELSE FAIL");
        CHECK_OK(flow_start(w.flow, &d), &d);
        CHECK(world_reaches(&w, "load", "failed"));
        CHECK_INT(world_status(&w, "load").ledger.in, 490);
        CHECK_INT(world_table(&w).rows, 490);
        CHECK_INT(flow_keep_from(w.flow, SLICE("events"), 0), 490);
        world_flow_again(&w);
        world_stream(&w, USERS_SQL);
        run_to_end(&w);
        CHECK_INT(world_status(&w, "load").ledger.in, 1000);
        CHECK_INT(world_table(&w).sum_n, sum_below(1000));
        world_close(&w);
    }
}

/* --- the ledger ----------------------------------------------------------------------------------
 */

TEST(a_stream_that_does_not_count_a_term_fails_by_its_ledger)
{
    static const enum ledger_term terms[] = {TERM_IN, TERM_APPLIED, TERM_FILTERED, TERM_DEAD};
    for (size_t i = 0; i < COUNT_OF(terms); i++) {
        char dir[300];
        struct world w = {.options = {.mutant = FLOW_MUTANT_SKIP_COUNT, .mutant_term = terms[i]}};
        struct diag d = {0};
        snprintf(dir, sizeof(dir), "%s/%zu", test_dir(), i);
        world_open(&w, dir, 1);
        world_fill(&w, 10, CODEC_NONE);
        world_append(&w, 0, "k", "no JSON");
        world_stream(&w, USERS_SQL " WHERE CAST(n AS BIGINT) > 2");
        CHECK_OK(flow_start(w.flow, &d), &d);
        CHECK(world_reaches(&w, "load", "failed"));
        CHECK(!world_status(&w, "load").balanced);
        CHECK(strstr(world_status(&w, "load").trouble, "accounted for") != NULL);
        CHECK_INT(world_table(&w).rows, 0);
        world_close(&w);
    }
}

static void drop_old_segments(struct world *w)
{
    struct log_topic_config c = log_topic_defaults();
    struct log_topic *t;
    struct diag d = {0};
    c.segment_bytes = 4096;
    c.retention_bytes = 8192;
    CHECK_OK(log_topic_create(w->log, SLICE("events"), 1, &c, &t, &d), &d);
    for (int i = 0; i < 5; i++) world_append(w, 0, "k", "{\"id\":\"early\",\"n\":1}");
    world_stream(w, USERS_SQL);
    run_to_end(w);
    for (int i = 0; i < 60; i++) world_fill(w, 20, CODEC_NONE);
    CHECK_OK(log_retain(log_partition(t, 0), clock_wall_ms(), INT64_MAX, &d), &d);
    CHECK(log_start_offset(log_partition(t, 0)) > 5);
}

TEST(what_retention_removed_unread_is_counted_and_red)
{
    for (int mutant = 0; mutant < 2; mutant++) {
        char dir[300];
        struct world w = {0};
        struct diag d = {0};
        snprintf(dir, sizeof(dir), "%s/%d", test_dir(), mutant);
        world_open(&w, dir, 0);
        drop_old_segments(&w);
        if (mutant)
            w.options = (struct flow_options){.mutant = FLOW_MUTANT_SKIP_COUNT,
                                              .mutant_term = TERM_EXPIRED};
        world_flow_again(&w);
        world_stream(&w, USERS_SQL);
        CHECK_OK(flow_start(w.flow, &d), &d);
        if (mutant) {
            CHECK(world_reaches(&w, "load", "failed"));
        } else {
            CHECK_OK(flow_drain(w.flow, 10000, &d), &d);
            struct flow_status s = world_status(&w, "load");
            struct log_partition *p = log_partition(log_topic_find(w.log, SLICE("events")), 0);
            CHECK_INT(s.ledger.in, log_end_offset(p));
            CHECK_INT(s.ledger.expired, log_start_offset(p) - 5);
            CHECK(strstr(s.trouble, "retention removed") != NULL);
        }
        world_close(&w);
    }
}

TEST(the_ledger_goes_on_when_the_number_of_lanes_changes)
{
    struct world w = {0};
    world_open(&w, NULL, 4);
    for (uint32_t lanes = 4; lanes > 0; lanes--) {
        w.options.lanes_max = lanes;
        world_flow_again(&w);
        world_fill(&w, 100, CODEC_NONE);
        world_stream(&w, USERS_SQL);
        run_to_end(&w);
        CHECK_INT(world_status(&w, "load").ledger.in, 100 * (5 - lanes));
        CHECK_INT(world_status(&w, "load").lanes, lanes);
    }
    struct ledger l;
    struct diag d = {0};
    CHECK_OK(ledger_load(w.store, SLICE("load"), &l, &d), &d);
    CHECK_INT(l.in, 400);
    CHECK(ledger_balanced(&l));
    world_close(&w);
}

/* --- alarms --------------------------------------------------------------------------------------
 */

static void forge_cursor(struct world *w, int64_t next, uint8_t id_change)
{
    struct stream_cursor c = {.next = next};
    struct log_topic *t = log_topic_find(w->log, SLICE("events"));
    struct stage_key k = stage_key(SLICE("load"));
    struct buf b = buf_make(100);
    struct store_write *write;
    struct diag d = {0};
    memcpy(c.topic_id, log_topic_id(t), 16);
    c.topic_id[3] ^= id_change;
    stage_key_be(&k, 0, 4);
    stream_cursor_put(&b, &c);
    CHECK_OK(store_write_begin(w->store, STORE_LIVE, KIB(64), &write, &d), &d);
    CHECK_OK(store_write_record(write, STORE_CURSOR, stage_key_slice(&k), buf_view(&b)), NULL);
    CHECK_OK(store_write_commit(write, &d), &d);
    buf_done(&b);
}

TEST(a_cursor_beyond_the_log_or_of_another_topic_is_an_alarm)
{
    static const struct {
        int64_t next;
        uint8_t id_change;
        const char *says;
    } cases[] = {{11, 0, "lost records"}, {5, 1, "made anew"}};
    struct world w = {0};
    world_open(&w, NULL, 1);
    world_fill(&w, 10, CODEC_NONE);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct diag d = {0};
        forge_cursor(&w, cases[i].next, cases[i].id_change);
        world_flow_again(&w);
        world_stream(&w, USERS_SQL);
        CHECK_OK(flow_start(w.flow, &d), &d);
        CHECK(world_reaches(&w, "load", "failed"));
        CHECK(strstr(world_status(&w, "load").trouble, cases[i].says) != NULL);
        CHECK_INT(world_table(&w).rows, 0);
    }
    world_close(&w);
}

/* --- stopping, starting, dying -------------------------------------------------------------------
 */

TEST(pause_resume_and_restart_go_on_from_the_durable_cursor)
{
    struct world w = {0};
    struct diag d = {0};
    world_open(&w, NULL, 2);
    world_stream(&w, USERS_SQL);
    CHECK_OK(flow_start(w.flow, &d), &d);
    world_fill(&w, 100, CODEC_NONE);
    CHECK_OK(flow_drain(w.flow, 10000, &d), &d);
    CHECK_OK(flow_pause(w.flow, SLICE("load"), &d), &d);
    CHECK_TEXT(world_status(&w, "load").state, "paused");
    world_fill(&w, 100, CODEC_NONE);
    CHECK_ERR(flow_drain(w.flow, 50, &d), ERR_TIMEOUT);
    CHECK_INT(world_status(&w, "load").lag, 100);
    CHECK_OK(flow_resume(w.flow, SLICE("load"), &d), &d);
    CHECK_OK(flow_drain(w.flow, 10000, &d), &d);
    CHECK_OK(flow_restart(w.flow, SLICE("load"), &d), &d);
    CHECK_OK(flow_drain(w.flow, 10000, &d), &d);
    CHECK_INT(world_status(&w, "load").ledger.in, 200);
    CHECK_ERR(flow_pause(w.flow, SLICE("nobody"), &d), ERR_UNKNOWN_STREAM);
    world_close(&w);
}

static bool has_read(struct world *w, const char *name, uint64_t records)
{
    for (int i = 0; i < 10000; i++) {
        if (world_status(w, name).ledger.in == records) return true;
        usleep(1000);
    }
    return false;
}

TEST(a_pause_outlasts_the_flow_and_nothing_of_the_log_goes_meanwhile)
{
    struct world w = {0};
    struct diag d = {0};
    struct script_source from = {.pages = 2, .items = 50};
    world_open(&w, NULL, 2);
    world_source(&w, &from);
    world_stream(&w, USERS_SQL);
    CHECK_OK(flow_start(w.flow, &d), &d);
    CHECK(world_reaches(&w, "script", "ended"));
    CHECK_OK(flow_drain(w.flow, 10000, &d), &d);
    CHECK_OK(flow_pause(w.flow, SLICE("load"), &d), &d);
    CHECK_OK(flow_pause(w.flow, SLICE("script"), &d), &d);
    int64_t since = world_status(&w, "load").paused_ms;
    CHECK(since > 0);
    world_fill(&w, 20, CODEC_NONE);
    for (int round = 0; round < 2; round++) {
        world_flow_again(&w);
        from = (struct script_source){.pages = 4, .items = 50};
        world_source(&w, &from);
        world_stream(&w, USERS_SQL);
        CHECK_OK(flow_start(w.flow, &d), &d);
        CHECK_OK(flow_pause(w.flow, SLICE("load"), &d), &d); /* again: it stays as it was */
        CHECK_INT(world_status(&w, "load").paused_ms, since);
        CHECK_TEXT(world_status(&w, "load").state, "paused");
        CHECK_TEXT(world_status(&w, "script").state, "paused");
        CHECK(has_read(&w, "load", 100) && has_read(&w, "script", 100)); /* it has looked */
        CHECK_INT(world_status(&w, "load").lag, 20);
        CHECK_INT(world_table(&w).rows, 100);
        int64_t kept = flow_keep_from(w.flow, SLICE("events"), 0);
        CHECK(kept > 0 && kept < INT64_MAX); /* neither all of it nor nothing (F8) */
    }
    CHECK_INT(from.fetches, 0);
    CHECK_OK(flow_start(w.flow, &d), &d);
    CHECK_OK(flow_resume(w.flow, SLICE("script"), &d), &d);
    CHECK_OK(flow_resume(w.flow, SLICE("load"), &d), &d);
    CHECK(world_reaches(&w, "script", "ended"));
    CHECK_OK(flow_drain(w.flow, 10000, &d), &d);
    CHECK_INT(world_status(&w, "load").ledger.in, 220);
    CHECK_INT(world_status(&w, "load").paused_ms, 0);
    world_flow_again(&w);
    world_stream(&w, USERS_SQL);
    CHECK_OK(flow_start(w.flow, &d), &d);
    CHECK_OK(flow_drain(w.flow, 10000, &d), &d);
    CHECK_INT(world_status(&w, "load").paused_ms, 0);
    world_close(&w);
}

TEST(a_pause_that_can_not_be_kept_is_none)
{
    struct world w = {0};
    struct diag d = {0};
    world_open(&w, NULL, 1);
    world_stream(&w, USERS_SQL);
    CHECK_OK(flow_start(w.flow, &d), &d);
    int refused = 0;
    for (uint64_t n = 1; n < 10; n++) {
        mem_fail_at(n);
        err_t e = flow_pause(w.flow, SLICE("load"), &d);
        mem_fail_at(0);
        struct flow_status s = world_status(&w, "load");
        CHECK_INT(s.paused_ms == 0, e != ERR_OK);
        CHECK_INT(strcmp(s.state, "paused") != 0, e != ERR_OK);
        refused += e != ERR_OK;
        if (!e) CHECK_OK(flow_resume(w.flow, SLICE("load"), &d), &d);
    }
    CHECK(refused > 0);
    world_close(&w);
}

TEST(a_streams_table_is_held_until_the_flow_is_closed)
{
    static const char why[] =
        "Cannot %s table 'ks.users': stream load writes into it; take the stream out of "
        "pipeline.sql and start the project again first";
    struct slice ks = SLICE("ks"), users = SLICE("users");
    struct world w = {0};
    struct diag d = {0};
    char want[256];
    world_open(&w, NULL, 1);
    world_stream(&w, USERS_SQL);
    CHECK_OK(flow_start(w.flow, &d), &d);
    world_fill(&w, 100, CODEC_NONE);
    CHECK_OK(flow_drain(w.flow, 10000, &d), &d);
    CHECK_ERR(store_table_truncate(w.store, ks, users, &d), ERR_INVALID);
    snprintf(want, sizeof(want), why, "truncate");
    CHECK_TEXT(d.what, want);
    CHECK_OK(flow_pause(w.flow, SLICE("load"), &d), &d);
    CHECK_ERR(store_table_drop(w.store, ks, users, &d), ERR_INVALID);
    snprintf(want, sizeof(want), why, "drop");
    CHECK_TEXT(d.what, want);
    CHECK_INT(world_table(&w).rows, 100);
    world_flow_again(&w);
    CHECK_OK(store_table_truncate(w.store, ks, users, &d), &d);
    world_stream(&w, USERS_SQL);
    CHECK_OK(flow_start(w.flow, &d), &d);
    CHECK_OK(flow_resume(w.flow, SLICE("load"), &d), &d);
    world_fill(&w, 50, CODEC_NONE);
    CHECK_OK(flow_drain(w.flow, 10000, &d), &d);
    CHECK_INT(world_table(&w).rows, 50);
    world_flow_again(&w);
    CHECK_OK(store_table_drop(w.store, ks, users, &d), &d);
    CHECK_ERR(world_add(&w, USERS_SQL, &d), ERR_UNKNOWN_TABLE);
    world_close(&w);
}

enum { KILLS = 12, PAGES = 150, PAGE_ITEMS = 40 };

static struct script_source endless(void)
{
    return (struct script_source){.pages = PAGES, .items = PAGE_ITEMS, .no_key_every = 97};
}

static void serve_until_killed(const char *dir, int ready, uint32_t mutant)
{
    struct world w = {.options = {.epoch_rows_live = 100, .mutant = mutant}};
    struct script_source s = endless();
    struct diag d = {0};
    world_open(&w, dir, 3);
    world_source(&w, &s);
    world_stream(&w, USERS_SQL);
    if (flow_start(w.flow, &d) || write(ready, "!", 1) != 1) _exit(3);
    for (;;) pause();
}

/* Starts a process over `dir` and kills it some time after it has begun to work. */
static void serve_and_kill(const char *dir, uint64_t *random, uint32_t mutant)
{
    int ready[2], status;
    char byte;
    CHECK(pipe(ready) == 0);
    pid_t child = fork();
    if (child == 0) serve_until_killed(dir, ready[1], mutant);
    CHECK(read(ready[0], &byte, 1) == 1);
    usleep((useconds_t)(test_random(random) % 120000));
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    CHECK(WIFSIGNALED(status));
    close(ready[0]);
    close(ready[1]);
}

/* SIGKILL at odd moments, again and again; then source = topic = table + letters, to the record. */
TEST(killed_at_any_moment_nothing_is_lost_or_doubled)
{
    char dir[256];
    uint64_t random = 11;
    snprintf(dir, sizeof(dir), "%s/killed", test_dir());
    for (int i = 0; i < KILLS; i++) serve_and_kill(dir, &random, FLOW_MUTANT_NONE);
    struct world w = {0};
    struct script_source s = endless();
    struct letters l;
    world_open(&w, dir, 3);
    world_source(&w, &s);
    world_stream(&w, USERS_SQL);
    run_to_end(&w);
    const int64_t all = PAGES * PAGE_ITEMS, keyless = (all + 96) / 97;
    struct flow_status source = world_status(&w, "script"), stream = world_status(&w, "load");
    struct table_print t = world_table(&w);
    CHECK_INT(source.ledger.in, all);
    CHECK_INT(source.ledger.dead, keyless);
    CHECK_INT(world_records(&w, "events"), all - keyless);
    CHECK_INT(stream.ledger.in, all - keyless);
    CHECK_INT(stream.ledger.applied, all - keyless);
    CHECK_INT(t.rows, all - keyless);
    int64_t lost = 0;
    for (int64_t n = 0; n < all; n += 97) lost += n;
    CHECK_INT(t.sum_n, sum_below(all) - lost);
    world_letters(&w, "script", &l);
    CHECK_INT(l.count, keyless);
    world_close(&w);
}

/* The same audit sees the mutant whose cursors are durable before their rows. */
TEST(a_cursor_that_goes_before_its_rows_is_found_by_the_audit)
{
    char dir[256];
    uint64_t random = 12;
    bool found = false;
    /* A new directory each time: what is done already can not be caught any more. */
    for (int i = 0; i < 15 * KILLS && !found; i++) {
        struct world w = {0};
        struct diag d = {0};
        snprintf(dir, sizeof(dir), "%s/mutant%d", test_dir(), i);
        serve_and_kill(dir, &random, FLOW_MUTANT_CURSOR_FIRST);
        world_open(&w, dir, 3);
        world_stream(&w, USERS_SQL);
        run_to_end(&w);
        CHECK_OK(flow_drain(w.flow, 1000, &d), &d);
        found = world_table(&w).rows != world_records(&w, "events");
        world_close(&w);
    }
    CHECK(found);
}

TEST(a_reader_whose_range_grows_misses_nothing)
{
    struct world w = {0};
    struct reader r;
    struct chunk *c = mem_take(sizeof(*c));
    struct counter counter = {.skip = -1};
    struct diag d = {0};
    int64_t next = 0;
    world_open(&w, NULL, 1);
    world_fill(&w, 100, CODEC_NONE);
    CHECK_OK(reader_init(&r), NULL);
    for (int64_t until = 7; until <= 100; until += 31) {
        r.until = until;
        reader_aim(&r, log_partition(log_topic_find(w.log, SLICE("events")), 0), next);
        CHECK_OK(reader_fill(&r, c, CHUNK_ROWS, &counter, &d), &d);
        for (uint32_t i = 0; i < c->rows; i++) CHECK_INT(c->offsets[i], next++);
        CHECK_INT(next, until);
        CHECK_INT(r.next, until);
    }
    CHECK_INT(counter.now.in, 100);
    reader_done(&r);
    mem_give(c);
    world_close(&w);
}

/* Each n-th allocation refused once: a stage says so and tries again, or what could not be made
 * says no; in the end everything is there, once. */
TEST(a_refused_allocation_anywhere_loses_nothing)
{
    struct world w = {.options = {.lanes_max = 1}};
    struct plan_stream plan;
    struct diag d = {0};
    uint64_t records = 0;
    world_open(&w, NULL, 2);
    for (uint64_t n = 1; n < 120; n += 7) {
        world_flow_again(&w);
        world_fill(&w, 20, CODEC_LZ4);
        records += 20;
        CHECK_OK(world_bind(&w, USERS_SQL, &plan, &d), &d);
        mem_fail_at(n);
        err_t e = flow_stream_add(w.flow, &plan, &d);
        CHECK(!e || e == ERR_NO_MEMORY || e == ERR_TOO_BIG);
        if (!e) e = flow_start(w.flow, &d);
        CHECK(!e || e == ERR_NO_MEMORY);
        if (!e) CHECK_OK(flow_drain(w.flow, 20000, &d), &d);
        mem_fail_at(0);
        flow_stop(w.flow);
    }
    world_flow_again(&w);
    world_stream(&w, USERS_SQL);
    run_to_end(&w);
    CHECK_INT(world_status(&w, "load").ledger.in, records);
    CHECK_INT(world_status(&w, "load").ledger.applied, records);
    CHECK_INT(world_table(&w).rows, 20);
    world_close(&w);
}

TEST(a_refused_allocation_anywhere_in_a_source_neither_loses_nor_doubles)
{
    int64_t done = 0;
    for (uint64_t n = 1; n < 160; n += 16) {
        char dir[300];
        struct world w = {0};
        struct script_source s = {.pages = 3, .items = 30, .no_key_every = 10, .repeatable = true};
        struct diag d = {0};
        snprintf(dir, sizeof(dir), "%s/%d", test_dir(), (int)n);
        world_open(&w, dir, 3);
        world_source(&w, &s);
        mem_fail_at(n);
        err_t e = flow_start(w.flow, &d);
        CHECK(!e || e == ERR_NO_MEMORY); /* a thread that can not start */
        if (e) e = flow_start(w.flow, &d);
        CHECK_OK(e, &d);
        CHECK_OK(flow_drain(w.flow, 20000, &d), &d);
        mem_fail_at(0);
        flow_stop(w.flow);
        struct flow_status st = world_status(&w, "script");
        CHECK_INT(world_records(&w, "events"), 81);
        CHECK_INT(st.ledger.in, 90);
        CHECK_INT(st.ledger.dead, 9);
        done++;
        world_close(&w);
    }
    CHECK_INT(done, 10);
}

/* --- transactions ----------------------------------------------------------------------------- */

struct txn_batch {
    int64_t producer;
    int32_t sequence;
    const char *value; /* NULL: a marker */
    bool commit;
};

static void txn_done(struct log_append *a)
{
    atomic_store((_Atomic bool *)a->arg, true);
}

static void txn_append(struct world *w, struct log_partition *p, struct txn_batch t)
{
    _Atomic bool over = false;
    bool marker = !t.value;
    struct record_builder b = record_builder_make(MIB(1));
    struct buf out = buf_make(MIB(1));
    struct record_batch_options o = {.producer_id = t.producer,
                                     .base_sequence = marker ? -1 : t.sequence,
                                     .transactional = true,
                                     .control = marker};
    struct slice key = {(const uint8_t *)(t.commit ? "\0\0\0\1" : "\0\0\0\0"), 4};
    struct slice value = {(const uint8_t *)"\0\0\0\0\0\0", 6};
    CHECK_OK(log_txn_admit(p, t.producer, 0), NULL);
    record_builder_add(&b, 5, marker ? key : SLICE("k"), marker ? value : slice_of(t.value), NULL,
                       0);
    CHECK_OK(record_builder_finish(&b, &o, &out), NULL);
    struct log_append a = {.partition = p,
                           .batches = out.at,
                           .size = out.len,
                           .done = txn_done,
                           .arg = &over,
                           .marker = marker};
    log_append(w->log, &a, 5);
    while (!atomic_load(&over)) usleep(100);
    CHECK_OK(a.err, &a.diag);
    record_builder_done(&b);
    buf_done(&out);
}

TEST(what_was_aborted_is_not_in_and_what_is_open_is_waited_for)
{
    struct world w = {0};
    struct diag d = {0};
    world_open(&w, NULL, 1);
    struct log_partition *p = log_partition(log_topic_find(w.log, SLICE("events")), 0);
    world_append(&w, 0, "k", "{\"id\":\"a\",\"n\":1}");
    txn_append(&w, p, (struct txn_batch){1, 0, "{\"id\":\"b\",\"n\":10}", false});
    txn_append(&w, p, (struct txn_batch){2, 0, "{\"id\":\"c\",\"n\":100}", false});
    txn_append(&w, p, (struct txn_batch){1, 1, "{\"id\":\"d\",\"n\":1000}", false});
    txn_append(&w, p, (struct txn_batch){1, 0, NULL, false}); /* b and d never were */
    world_append(&w, 0, "k", "{\"id\":\"e\",\"n\":10000}");
    world_stream(&w, USERS_SQL);
    CHECK_OK(flow_start(w.flow, &d), &d);
    CHECK_OK(flow_drain(w.flow, 5000, &d), &d);
    CHECK(world_reaches(&w, "load", "waiting"));
    CHECK_INT(world_table(&w).sum_n, 1);
    CHECK_INT(flow_keep_from(w.flow, SLICE("events"), 0), 2); /* where c's transaction is open */
    txn_append(&w, p, (struct txn_batch){2, 0, NULL, true});
    CHECK_OK(flow_drain(w.flow, 5000, &d), &d);
    CHECK_INT(world_table(&w).sum_n, 10101);
    struct flow_status s = world_status(&w, "load");
    CHECK_INT(s.ledger.in, 3);
    CHECK_INT(s.ledger.applied, 3);
    CHECK(s.balanced && s.lag == 0);
    CHECK_INT(flow_keep_from(w.flow, SLICE("events"), 0), log_end_offset(p));
    txn_append(&w, p, (struct txn_batch){3, 0, "{\"id\":\"f\",\"n\":100000}", false});
    world_append(&w, 0, "k", "{\"id\":\"g\",\"n\":7}");
    CHECK_OK(flow_drain(w.flow, 5000, &d), &d);
    CHECK_INT(world_table(&w).sum_n, 10101);
    txn_append(&w, p, (struct txn_batch){3, 0, NULL, false}); /* wakes who waits */
    CHECK_OK(flow_drain(w.flow, 5000, &d), &d);
    CHECK_INT(world_table(&w).sum_n, 10108);
    CHECK_INT(world_status(&w, "load").ledger.in, 4);
    world_close(&w);
}
