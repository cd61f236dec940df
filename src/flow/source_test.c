/* Sources: each item once in the topic or among the dead letters, whatever stops the source, and
 * the ledger says so to the last one. */
#include "flow/kit_test.h"

#include <stdio.h>

enum { SEEN_MAX = 4096 };

struct seen {
    uint16_t times[SEEN_MAX];
    uint32_t records, double_or_odd;
    char names[SEEN_MAX][8];
};

/* Every record of the topic, by the number in its key or value. */
static void read_topic(struct world *w, struct seen *out)
{
    struct log_topic *t = log_topic_find(w->log, SLICE("events"));
    struct arena *a = arena_new(MIB(64));
    memset(out, 0, sizeof(*out));
    for (int32_t p = 0; p < log_topic_partitions(t); p++) {
        struct log_partition *part = log_partition(t, p);
        struct buf bytes = buf_make(MIB(64));
        struct diag d = {0};
        if (log_end_offset(part) > 0) CHECK_OK(log_read(part, 0, MIB(32), &bytes, &d), &d);
        for (size_t at = 0; at < bytes.len;) {
            struct record_batch batch;
            struct record_reader r;
            struct record record;
            struct slice rest = slice_make(bytes.at + at, bytes.len - at);
            CHECK_OK(record_batch_read(rest, true, &batch), NULL);
            CHECK_OK(record_batch_open(&batch, a, MIB(32), &r), NULL);
            while (!record_next(&r, &record)) {
                char text[256], name[8] = "";
                int n = -1;
                slice_to_cstr(record.value, text, sizeof(text));
                const char *mark = strstr(text, "\"n\":"), *f = strstr(text, "\"name\":\"");
                CHECK(mark && sscanf(mark, "\"n\":%d", &n) == 1 && n >= 0 && n < SEEN_MAX);
                if (f) sscanf(f, "\"name\":\"%7[^\"]", name);
                out->records++;
                out->times[n]++;
                memcpy(out->names[n], name, 8);
            }
            at += record_batch_size(&batch);
        }
        buf_done(&bytes);
    }
    for (int i = 0; i < SEEN_MAX; i++) out->double_or_odd += out->times[i] > 1;
    arena_free(a);
}

static void run_to_end(struct world *w)
{
    struct diag d = {0};
    CHECK_OK(flow_start(w->flow, &d), &d);
    CHECK_OK(flow_drain(w->flow, 10000, &d), &d);
    flow_stop(w->flow);
}

TEST(items_reach_their_partitions_once_and_stay_once_after_restarts)
{
    struct world w = {0};
    world_open(&w, NULL, 3);
    for (int round = 0; round < 3; round++) {
        struct script_source s = {.pages = 5, .items = 20};
        world_source(&w, &s);
        run_to_end(&w);
        struct seen seen;
        read_topic(&w, &seen);
        CHECK_INT(seen.records, 100);
        CHECK_INT(seen.double_or_odd, 0);
        struct flow_status st = world_status(&w, "script");
        CHECK_INT(st.ledger.in, 100);
        CHECK_INT(st.ledger.applied, 100);
        CHECK_TEXT(st.state, "ended");
        CHECK(st.balanced);
        CHECK_INT(s.fetches, round ? 1 : 6); /* the page after the last says that it is the end */
        struct log_topic *t = log_topic_find(w.log, SLICE("events"));
        CHECK(flow_keep_from(w.flow, SLICE("events"), 1) < log_end_offset(log_partition(t, 1)));
        world_flow_again(&w);
        CHECK(s.closed);
    }
    world_close(&w);
}

/* A crash after k parts of the third answer; the next process fetches other bytes and other dead
 * letters for it, which must not show: the first fetch counts. */
static void crash_in_settling(const struct script_source *kind, int parts)
{
    char dir[300];
    struct world w = {0};
    struct diag d = {0};
    struct seen before, after;
    struct letters letters;
    snprintf(dir, sizeof(dir), "%s/%d%d%d", test_dir(), kind->no_key_every, kind->one_key, parts);
    world_open(&w, dir, 3);
    struct script_source s = *kind;
    s.pages = 2;
    world_source(&w, &s);
    run_to_end(&w);
    world_flow_again(&w);
    s = *kind;
    world_source(&w, &s);
    flow_stage(w.flow, SLICE("script"))->source->parts_max = parts;
    CHECK_OK(flow_start(w.flow, &d), &d);
    CHECK(world_reaches(&w, "script", "failed"));
    world_close(&w);

    memset(&w, 0, sizeof(w));
    world_open(&w, dir, 3);
    read_topic(&w, &before);
    CHECK(before.records < 90);
    s = *kind;
    s.no_key_every = kind->no_key_every ? kind->no_key_every + 3 : 0;
    world_source(&w, &s);
    run_to_end(&w);
    read_topic(&w, &after);
    world_letters(&w, "script", &letters);
    struct flow_status st = world_status(&w, "script");
    CHECK_INT(after.double_or_odd, 0);
    CHECK_INT(after.records + letters.count, 120);
    for (int n = 60; n < 90; n++) /* one fetch brought them all */
        if (after.times[n]) CHECK_TEXT(after.names[n], "f1");
    CHECK_INT(st.ledger.in, 120);
    CHECK_INT(st.ledger.applied, after.records);
    CHECK_INT(st.ledger.dead, letters.count);
    world_close(&w);
}

TEST(a_crash_between_two_appends_of_an_answer_neither_loses_nor_doubles)
{
    const struct script_source several = {.pages = 4, .items = 30},
                               with_dead = {.pages = 4, .items = 30, .no_key_every = 7},
                               one = {.pages = 4, .items = 30, .no_key_every = 4, .one_key = 1},
                               plain = {.pages = 4, .items = 30, .one_key = 1};
    for (int parts = 0; parts < 3; parts++) {
        crash_in_settling(&several, parts);
        crash_in_settling(&with_dead, parts);
    }
    crash_in_settling(&one, 0);
    crash_in_settling(&plain, 0); /* no journal at all: the batch's header tells */
}

TEST(items_without_a_key_and_rejects_are_dead_letters_that_a_replay_writes_again)
{
    struct world w = {0};
    struct letters letters;
    world_open(&w, NULL, 3);
    for (int round = 0; round < 2; round++) {
        struct script_source s = {
            .pages = 6, .items = 10, .no_key_every = 6, .reject_every = 2, .only_rejects = 6};
        world_source(&w, &s);
        run_to_end(&w);
        struct flow_status st = world_status(&w, "script");
        CHECK_INT(st.ledger.in, 53);
        CHECK_INT(st.ledger.dead, 9 + 3);
        CHECK_INT(st.ledger.applied, 41);
        world_letters(&w, "script", &letters);
        CHECK_INT(letters.count, 12);
        CHECK_TEXT(letters.items[0].reason, "the item has no key");
        CHECK_TEXT(letters.items[0].expression, "key");
        CHECK_TEXT(letters.items[0].raw, "{\"id\":\"u0\",\"n\":0}");
        CHECK_TEXT(letters.items[11].raw, "17");
        CHECK_INT(letters.items[11].err, ERR_TYPE);
        world_flow_again(&w);
    }
    struct ledger kept;
    struct diag d = {0};
    CHECK_OK(ledger_load(w.store, SLICE("script"), &kept, &d), &d);
    CHECK_INT(kept.in, 53);
    world_close(&w);
}

TEST(a_failing_port_is_tried_again_and_its_story_is_told)
{
    struct world w = {0};
    struct diag d = {0};
    struct script_source s = {.pages = 2, .items = 5, .fail_first = 2};
    world_open(&w, NULL, 2);
    world_source(&w, &s);
    CHECK_OK(flow_start(w.flow, &d), &d);
    CHECK(world_reaches(&w, "script", "retrying"));
    CHECK_TEXT(world_status(&w, "script").trouble, "the site is away");
    CHECK_OK(flow_drain(w.flow, 10000, &d), &d);
    CHECK_TEXT(world_status(&w, "script").trouble, "");
    CHECK_INT(world_records(&w, "events"), 10);
    world_close(&w);
}

TEST(a_source_stops_at_its_limits_for_good)
{
    struct world w = {0};
    struct script_source s = {.pages = 50, .items = 5};
    world_open(&w, NULL, 2);
    for (int round = 0; round < 2; round++) {
        struct script_source again = s;
        world_source(&w, &again);
        flow_stage(w.flow, SLICE("script"))->source->o.answers_max = 3;
        run_to_end(&w);
        CHECK_INT(world_records(&w, "events"), 15);
        world_flow_again(&w);
    }
    world_source(&w, &s);
    flow_stage(w.flow, SLICE("script"))->source->o.records_max = 25;
    run_to_end(&w);
    CHECK_INT(world_records(&w, "events"), 25);
    world_close(&w);
}

TEST(a_reset_source_starts_over)
{
    struct world w = {0};
    struct diag d = {0};
    struct script_source s = {.pages = 2, .items = 10, .no_key_every = 5}, again = s;
    world_open(&w, NULL, 3);
    world_source(&w, &s);
    run_to_end(&w);
    world_flow_again(&w);
    CHECK_OK(stream_reset(w.store, SLICE("script"), &d), &d);
    world_source(&w, &again);
    run_to_end(&w);
    CHECK_INT(world_records(&w, "events"), 32);
    CHECK_INT(world_status(&w, "script").ledger.applied, 16);
    struct letters letters;
    world_letters(&w, "script", &letters);
    CHECK_INT(letters.count, 4);
    world_close(&w);
}

TEST(a_source_that_does_not_count_a_term_fails_by_its_ledger)
{
    static const enum ledger_term terms[] = {TERM_IN, TERM_APPLIED, TERM_DEAD};
    for (size_t i = 0; i < COUNT_OF(terms); i++) {
        char dir[300];
        struct world w = {.options = {.mutant = FLOW_MUTANT_SKIP_COUNT, .mutant_term = terms[i]}};
        struct script_source s = {.pages = 2, .items = 10, .no_key_every = 5};
        struct diag d = {0};
        snprintf(dir, sizeof(dir), "%s/%zu", test_dir(), i);
        world_open(&w, dir, 3);
        world_source(&w, &s);
        CHECK_OK(flow_start(w.flow, &d), &d);
        CHECK(world_reaches(&w, "script", "failed"));
        CHECK(!world_status(&w, "script").balanced);
        CHECK_INT(world_records(&w, "events"), 0);
        world_close(&w);
    }
}

TEST(an_item_larger_than_a_batch_may_be_is_a_dead_letter)
{
    struct world w = {0};
    struct diag d = {0};
    struct log_topic_config c = log_topic_defaults();
    struct log_topic *t;
    struct script_source s = {.pages = 1, .items = 40};
    c.message_max_bytes = 4096; /* an answer's part takes several batches */
    world_open(&w, NULL, 0);
    CHECK_OK(log_topic_create(w.log, SLICE("events"), 1, &c, &t, &d), &d);
    world_source(&w, &s);
    CHECK(flow_stage(w.flow, SLICE("script"))->source->batch_max < 4096);
    flow_stage(w.flow, SLICE("script"))->source->batch_max = 1000;
    run_to_end(&w);
    CHECK_INT(world_records(&w, "events"), 40);
    world_flow_again(&w);
    s = (struct script_source){.pages = 2, .items = 40};
    world_source(&w, &s);
    flow_stage(w.flow, SLICE("script"))->source->batch_max = 600;
    run_to_end(&w);
    CHECK_INT(world_records(&w, "events"), 40);
    CHECK_INT(world_status(&w, "script").ledger.dead, 40);
    world_close(&w);
}

/* --- the journal --------------------------------------------------------------------------------
 */

static struct answer answer_of(uint64_t number, struct slice value, struct answer_item *item)
{
    *item = (struct answer_item){.partition = 2, .time_ms = 5, .key = SLICE("k"), .value = value};
    return (struct answer){.number = number,
                           .answers = number,
                           .cursor = SLICE("here"),
                           .provenance = SLICE("there"),
                           .ledger = {.in = number, .applied = number},
                           .items = item,
                           .item_count = 1};
}

TEST(a_journal_gives_back_its_last_whole_entry)
{
    char path[300];
    struct journal *j = NULL;
    struct diag d = {0};
    struct journal_of of = {.producer_id = 9}, got_of;
    struct answer got;
    struct answer_item item;
    struct arena *a = arena_new(MIB(64));
    snprintf(path, sizeof(path), "%s/x.journal", test_dir());
    CHECK_OK(journal_open(path, &j, &d), &d);
    CHECK_ERR(journal_last(j, a, &got_of, &got, &d), ERR_NOT_FOUND);
    for (uint64_t n = 1; n <= 3; n++) {
        struct answer one = answer_of(n, SLICE("v"), &item);
        CHECK_OK(journal_add(j, &of, &one, &d), &d);
    }
    journal_close(j);
    int fd;
    uint64_t size = 0;
    CHECK_OK(file_open(path, FILE_WRITE, &fd, &d), &d);
    CHECK_OK(file_size(fd, &size, &d), &d);
    for (uint64_t cut = 1; cut < 60; cut += 7) { /* torn: the entry before counts */
        CHECK_OK(file_truncate(fd, size - cut, &d), &d);
        CHECK_OK(journal_open(path, &j, &d), &d);
        CHECK_OK(journal_last(j, a, &got_of, &got, &d), &d);
        CHECK_INT(got.number, 2);
        struct answer third = answer_of(3, SLICE("v"), &item);
        CHECK_OK(journal_add(j, &of, &third, &d), &d);
        CHECK_OK(journal_last(j, a, &got_of, &got, &d), &d);
        CHECK_INT(got.number, 3);
        CHECK_INT(got_of.producer_id, 9);
        CHECK_INT(got.item_count, 1);
        CHECK_SLICE(got.items[0].value, "v");
        CHECK_SLICE(got.items[0].key, "k");
        CHECK_SLICE(got.cursor, "here");
        CHECK_INT(got.ledger.applied, 3);
        journal_close(j);
    }
    CHECK_OK(file_pwrite(fd, "\x7f", 1, 7, &d), &d);
    CHECK_ERR(journal_open(path, &j, &d), ERR_VERSION);
    CHECK_OK(file_pwrite(fd, "other", 5, 0, &d), &d);
    CHECK_ERR(journal_open(path, &j, &d), ERR_CORRUPT);
    file_close(fd);
    arena_free(a);
}

TEST(a_journal_begins_a_new_file_when_the_old_one_is_long)
{
    char path[300];
    struct journal *j = NULL;
    struct diag d = {0};
    struct journal_of of = {.producer_id = 9}, got_of;
    struct answer got;
    struct answer_item item;
    uint64_t size = 0;
    uint8_t *big = mem_take(MIB(7));
    snprintf(path, sizeof(path), "%s/x.journal", test_dir());
    CHECK_OK(journal_open(path, &j, &d), &d);
    for (uint64_t n = 1; n <= 5; n++) {
        struct answer one = answer_of(n, slice_make(big, MIB(7)), &item);
        CHECK_OK(journal_add(j, &of, &one, &d), &d);
        journal_close(j);
        CHECK_OK(journal_open(path, &j, &d), &d);
        struct arena *a = arena_new(MIB(64));
        CHECK_OK(journal_last(j, a, &got_of, &got, &d), &d);
        CHECK_INT(got.number, n);
        arena_free(a);
    }
    journal_close(j);
    int fd;
    CHECK_OK(file_open(path, FILE_READ, &fd, &d), &d);
    CHECK_OK(file_size(fd, &size, &d), &d);
    CHECK(size < MIB(16));
    file_close(fd);
    mem_give(big);
}
