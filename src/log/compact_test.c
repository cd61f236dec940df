/* Compaction by Kafka's rules (its LogCleanerTest names the cases). */
#include "log/compact_test_kit.h"

enum { DAY = 24 * 3600 * 1000 };

static struct segment *first_segment(const struct fixture *f)
{
    return *(struct segment **)vec_at(&f->p->segments, 0);
}

/* Closes the tail, so that all that was written can be cleaned. */
static void roll(struct fixture *f)
{
    f->now_ms += INT64_C(8) * DAY;
    CHECK(put(f, FOUND_KEYS - 1, 1) >= 0);
}

TEST(of_each_key_the_last_record_stays_at_its_offset)
{
    struct fixture f = compacted_open("last", 2000);
    for (int i = 0; i < 200; i++) CHECK_INT(put(&f, i % 10, i + 1), i);
    uint64_t bytes = log_partition_bytes(f.p);
    CHECK(clean_all(&f, 1000) > 0);
    for (int round = 0; round < 3; round++) {
        struct found o = find(&f);
        CHECK(log_partition_bytes(f.p) < bytes / 3);
        CHECK(o.records < 60);
        for (int k = 0; k < 10; k++) {
            CHECK_INT(o.value[k], 191 + k);
            CHECK_INT(o.offset[k], 190 + k);
        }
        CHECK_INT(log_end_offset(f.p), 200);
        CHECK_INT(log_start_offset(f.p), 0);
        CHECK_INT(files_with(&f, ".cleaning"), 0);
        if (round == 1) fixture_crash(&f);
        fixture_reopen(&f);
    }
    CHECK_INT(put(&f, 3, 999), 200);
    CHECK_INT(find(&f).value[3], 999);
    CHECK_INT(clean_all(&f, 1000), 0); /* nothing is dirty but the tail */
    fixture_close(&f);
}

TEST(any_offset_can_be_read_from_beside_the_holes)
{
    struct fixture f = compacted_open("holes", 3000);
    struct buf got = buf_make(MIB(1));
    struct diag d = {0};
    for (int i = 0; i < 300; i++) put(&f, i % 7, i + 1);
    clean_all(&f, 1000);
    for (int64_t at = 0; at < 300; at++) {
        struct record_batch b;
        buf_reset(&got);
        CHECK_OK(log_read(f.p, at, 1, &got, &d), &d);
        CHECK_OK(record_batch_read(buf_view(&got), true, &b), NULL);
        CHECK(b.base_offset + b.last_offset_delta >= at);
    }
    buf_done(&got);
    fixture_close(&f);
}

TEST(small_segments_are_merged_and_their_files_go)
{
    struct fixture f = compacted_open("merge", 3000);
    for (int i = 0; i < 400; i++) put(&f, i % 5, i + 1);
    CHECK(files_with(&f, ".log") > 15);
    clean_all(&f, 1000); /* each shrinks; full ones are not put together before */
    CHECK_INT(first_segment(&f)->generation, 1);
    for (int i = 0; i < 400; i++) put(&f, i % 5, i + 1);
    clean_all(&f, 1000);
    CHECK_INT(first_segment(&f)->generation, 2);
    CHECK(first_segment(&f)->end > 370); /* one stands for what fifteen did */
    CHECK(files_with(&f, ".log") < 20);
    CHECK_INT(files_with(&f, ".index"), files_with(&f, ".log"));
    CHECK_INT(find(&f).value[4], 400);
    fixture_reopen(&f);
    CHECK_INT(find(&f).value[4], 400);
    fixture_close(&f);
}

TEST(tombstones_stay_for_delete_retention_and_then_go)
{
    struct fixture f = compacted_open("tombs", 2000);
    for (int i = 0; i < 50; i++) put(&f, i, 7);
    for (int i = 0; i < 25; i++) put(&f, i, 0);
    roll(&f);
    clean_all(&f, 1000);
    struct found o = find(&f);
    CHECK_INT(o.tombstones, 25);
    CHECK_INT(o.records, 25 + 25 + 1);
    put(&f, 400, 1); /* dirty again, before the horizon */
    roll(&f);
    clean_all(&f, DAY);
    CHECK_INT(find(&f).tombstones, 25);
    put(&f, 400, 1);
    roll(&f);
    clean_all(&f, DAY + 2000);
    o = find(&f);
    CHECK_INT(o.tombstones, 0);
    for (int i = 0; i < 50; i++) CHECK_INT(o.value[i], i < 25 ? 0 : 7);
    fixture_close(&f);
}

TEST(a_record_keeps_its_time_when_its_batch_gets_a_delete_horizon)
{
    struct fixture f = compacted_open("times", 200000);
    struct pair pairs[] = {{1, 5}, {2, 0}, {3, 6}, {1, 8}};
    int64_t offset, ms;
    append_keyed(&f, (struct keyed){.pairs = pairs, .count = 4, .ms = 70000, .codec = CODEC_ZSTD});
    roll(&f);
    clean_all(&f, 500);
    CHECK_OK(log_record_at(f.p, 70001, &offset, &ms, NULL), NULL);
    CHECK_INT(offset, 1); /* the tombstone of key 2 */
    CHECK_INT(ms, 70001);
    CHECK_OK(log_record_at(f.p, 70003, &offset, &ms, NULL), NULL);
    CHECK(offset == 3 && ms == 70003);
    struct buf got = buf_make(MIB(1));
    struct record_batch b;
    CHECK_OK(log_read(f.p, 0, 1, &got, NULL), NULL);
    CHECK_OK(record_batch_read(buf_view(&got), true, &b), NULL);
    CHECK_INT(b.attributes, CODEC_ZSTD | BATCH_DELETE_HORIZON);
    CHECK_INT(b.first_timestamp, 500 + DAY);
    CHECK_INT(b.max_timestamp, 70003);
    CHECK_INT(b.count, 3);
    CHECK_INT(b.last_offset_delta, 3);
    buf_done(&got);
    fixture_close(&f);
}

TEST(every_codec_stays_what_it_was)
{
    for (int codec = 0; codec < CODECS; codec++) {
        struct fixture f = compacted_open("codec", 3000);
        struct buf got = buf_make(MIB(1));
        struct record_batch b;
        struct pair pairs[20];
        for (int i = 0; i < 20; i++) pairs[i] = (struct pair){i % 15, i + 1};
        for (int i = 0; i < 10; i++)
            append_keyed(&f,
                         (struct keyed){.pairs = pairs, .count = 20, .codec = (enum codec)codec});
        roll(&f);
        clean_all(&f, 1000);
        struct found o = find(&f);
        CHECK_INT(o.records, 16);
        for (int k = 0; k < 15; k++) CHECK_INT(o.value[k], k < 5 ? k + 16 : k + 1);
        CHECK_OK(log_read(f.p, 180, 1, &got, NULL), NULL);
        CHECK_OK(record_batch_read(buf_view(&got), true, &b), NULL);
        CHECK_INT(b.attributes, codec);
        CHECK_INT(b.base_offset, 180);
        buf_done(&got);
        fixture_close(&f);
        CHECK_OK(dir_remove_all(f.dir, NULL), NULL);
    }
}

/* --- what may be cleaned, and when ------------------------------------------------------------ */

static struct fixture dirty(const char *name, struct log_topic_config c)
{
    struct fixture f = fixture_open_with(name, (struct log_options){.clean_backoff_ms = -1}, c);
    for (int i = 0; i < 100; i++) {
        f.now_ms = 1000 + i;
        append_keyed(
            &f, (struct keyed){.pairs = &(struct pair){i % 5, i + 1}, .count = 1, .ms = 1000 + i});
    }
    return f;
}

TEST(a_record_stays_uncompacted_for_the_minimum_lag)
{
    struct log_topic_config c = compacted(2000);
    c.min_compaction_lag_ms = 1000;
    struct fixture f = dirty("lag", c);
    CHECK_INT(clean_all(&f, 2000), 0);
    CHECK_INT(find(&f).records, 100);
    CHECK(clean_all(&f, 2050) > 0); /* what came until 1050 */
    struct found o = find(&f);
    CHECK(o.records > 50 && o.records < 80);
    clean_all(&f, 5000);
    CHECK(find(&f).records < 40);
    fixture_close(&f);
}

TEST(the_dirty_ratio_is_waited_for_but_not_past_the_maximum_lag)
{
    struct log_topic_config c = compacted(2000);
    c.min_cleanable_ratio = 1;
    c.max_compaction_lag_ms = 5000;
    struct fixture f = dirty("ratio", c);
    CHECK_INT(clean_all(&f, 5900), 0);
    CHECK_INT(clean_all(&f, 6100), 1);
    CHECK(find(&f).records < 40);
    fixture_close(&f);
}

TEST(half_of_it_dirty_is_enough_by_default)
{
    struct log_topic_config c = compacted(2000);
    c.min_cleanable_ratio = 0.5;
    struct fixture f = dirty("half", c);
    CHECK(clean_all(&f, 2000) > 0);
    put(&f, 1, 1); /* one closed segment more is less than what is clean, or nothing */
    int records = find(&f).records;
    CHECK_INT(clean_all(&f, 2000), 0);
    CHECK_INT(find(&f).records, records);
    fixture_close(&f);
}

TEST(a_topic_that_deletes_only_is_not_cleaned_until_it_is_told_to)
{
    struct log_topic_config c = compacted(2000);
    struct diag d = {0};
    c.compact = false;
    c.delete = true;
    struct fixture f = dirty("told", c);
    CHECK_INT(clean_all(&f, 2000), 0);
    struct log_config_change change = {LOG_CONFIG_SET, SLICE("cleanup.policy"),
                                       SLICE("compact,delete")};
    CHECK_OK(log_topic_alter(f.log, f.topic, &change, 1, false, false, &d), &d);
    CHECK(clean_all(&f, 2000) > 0);
    CHECK_INT(find(&f).value[4], 100);
    CHECK_OK(log_retain(f.p, INT64_C(9) * DAY, INT64_MAX, &d), &d); /* and deleted */
    CHECK_INT(log_start_offset(f.p), 100);
    CHECK_INT(clean_all(&f, 2000), 0);
    fixture_close(&f);
}

TEST(keys_that_do_not_fit_the_map_take_more_rounds)
{
    struct fixture f = fixture_open_with(
        "rounds", (struct log_options){.clean_backoff_ms = -1, .clean_keys_max = 10},
        compacted(4000));
    struct pair pairs[60];
    for (int i = 0; i < 60; i++) pairs[i] = (struct pair){i, i + 1};
    for (int i = 0; i < 5; i++) /* more keys in a batch than the map holds */
        append_keyed(&f, (struct keyed){.pairs = pairs, .count = 60});
    roll(&f);
    CHECK(clean_all(&f, 1000) >= 6);
    struct found o = find(&f);
    for (int k = 0; k < 60; k++) CHECK_INT(o.value[k], k + 1);
    CHECK_INT(o.records, 61);
    fixture_close(&f);
}

/* --- transactions and producers --------------------------------------------------------------- */

static void txn_put(struct fixture *f, int64_t pid, int16_t epoch, int32_t seq, int key, int value)
{
    CHECK_OK(log_txn_admit(f->p, pid, epoch), NULL);
    CHECK(append_keyed(f, (struct keyed){.pairs = &(struct pair){key, value},
                                         .count = 1,
                                         .pid = pid,
                                         .epoch = epoch,
                                         .seq = seq,
                                         .transactional = true}) >= 0);
}

static void txn_end(struct fixture *f, int64_t pid, int16_t epoch, bool commit)
{
    CHECK(append_marker(f, (struct marker_want){pid, epoch, commit, 0}) >= 0);
}

TEST(aborted_records_go_then_their_marker_and_then_nobody_knows_of_them)
{
    struct fixture f = compacted_open("aborted", 100000);
    struct vec aborted = vec_make(sizeof(struct log_aborted), 100);
    put(&f, 1, 5);
    txn_put(&f, 7, 0, 0, 1, 6); /* what the key would be, were it not aborted */
    txn_put(&f, 7, 0, 1, 2, 6);
    txn_end(&f, 7, 0, false);
    txn_put(&f, 7, 0, 2, 3, 9);
    txn_end(&f, 7, 0, true);
    roll(&f);
    clean_all(&f, 1000);
    struct found o = find(&f);
    CHECK(o.value[1] == 5 && o.value[2] == 0 && o.value[3] == 9);
    CHECK_INT(o.offset[2], -1);
    CHECK_INT(o.markers, 2); /* until all of it is gone, and a while after */
    CHECK_OK(log_aborted(f.p, 0, 100, &aborted, NULL), NULL);
    CHECK_INT(aborted.count, 1);
    for (int i = 1; i <= 2; i++) { /* met empty: it gets its horizon; then it goes */
        put(&f, 400, i);
        roll(&f);
        clean_all(&f, 2000 + i * (DAY + 10));
        CHECK_INT(find(&f).markers, i == 1 ? 2 : 1);
    }
    vec_clear(&aborted);
    CHECK_OK(log_aborted(f.p, 0, 100, &aborted, NULL), NULL);
    CHECK_INT(aborted.count, 0);
    for (int round = 0; round < 2; round++) {
        o = find(&f);
        CHECK(o.value[1] == 5 && o.value[2] == 0 && o.value[3] == 9);
        fixture_reopen(&f);
    }
    vec_done(&aborted);
    fixture_close(&f);
}

TEST(an_open_transaction_stops_the_cleaner)
{
    struct fixture f = compacted_open("open", 1000);
    for (int i = 0; i < 30; i++) put(&f, i % 3, i + 1);
    txn_put(&f, 7, 0, 0, 1, 77);
    for (int i = 0; i < 60; i++) put(&f, i % 3, i + 1);
    clean_all(&f, 1000);
    CHECK(find(&f).batches >= 61); /* from the transaction on nothing is touched */
    CHECK_INT(clean_all(&f, 1000), 0);
    txn_end(&f, 7, 0, true);
    clean_all(&f, 1000);
    struct found o = find(&f);
    CHECK(o.records < 20);
    CHECK(o.value[1] == 59);
    fixture_close(&f);
}

/* With the checkpoint gone the producers are found in what cleaning left: heads without records. */
TEST(a_producers_last_sequence_survives_the_loss_of_its_records)
{
    struct fixture f = compacted_open("sequence", 100000);
    char path[1024];
    for (int i = 0; i < 10; i++)
        CHECK_INT(
            append_keyed(
                &f,
                (struct keyed){.pairs = &(struct pair){1, i + 1}, .count = 1, .pid = 9, .seq = i}),
            i);
    put(&f, 1, 50);
    roll(&f);
    clean_all(&f, 1000);
    struct found o = find(&f);
    CHECK_INT(o.records, 2);
    CHECK_INT(o.empty_batches, 1);
    for (int round = 0; round < 2; round++) {
        fixture_close_log(&f);
        if (round == 1) CHECK_OK(file_remove(fixture_path(&f, "checkpoint", path), NULL), NULL);
        fixture_reopen(&f);
        CHECK_INT(log_recovery(f.log).bytes_cut, 0);
        struct log_producer state = {0};
        CHECK_OK(log_producer_state(f.p, 9, &state), NULL);
        CHECK_INT(state.last_sequence, 9);
        CHECK_INT(
            append_keyed(
                &f, (struct keyed){.pairs = &(struct pair){1, 10}, .count = 1, .pid = 9, .seq = 9}),
            9); /* a repeat */
    }
    CHECK_INT(
        append_keyed(
            &f, (struct keyed){.pairs = &(struct pair){1, 60}, .count = 1, .pid = 9, .seq = 10}),
        12);
    CHECK_INT(find(&f).value[1], 60);
    fixture_close(&f);
}

/* --- files ------------------------------------------------------------------------------------ */

TEST(a_lost_checkpoint_is_made_anew_from_cleaned_segments)
{
    struct fixture f = compacted_open("lost", 3000);
    char path[1024];
    for (int i = 0; i < 400; i++) put(&f, i % 70, i + 1);
    clean_all(&f, 1000);
    struct found before = find(&f);
    for (int round = 0; round < 2; round++) {
        fixture_close_log(&f);
        CHECK_OK(file_remove(fixture_path(&f, "checkpoint", path), NULL), NULL);
        fixture_reopen(&f);
        CHECK_INT(log_end_offset(f.p), 400);
        struct found o = find(&f);
        CHECK(memcmp(o.value, before.value, sizeof(o.value)) == 0);
        CHECK_INT(o.records, before.records);
    }
    CHECK_INT(put(&f, 1, 1), 400);
    fixture_close(&f);
}

/* A kill between the swap and the removal leaves both; between the new files and the swap too. */
TEST(what_cleaning_left_is_removed_by_the_next_start)
{
    struct fixture f = compacted_open("left", 3000);
    char path[1024];
    for (int i = 0; i < 100; i++) put(&f, i % 5, i + 1);
    struct buf old = file_bytes(fixture_path(&f, "00000000000000000000.log", path));
    clean_all(&f, 1000);
    int files = files_with(&f, ".log");
    fixture_close_log(&f);
    file_replace(fixture_path(&f, "00000000000000000000.log", path), buf_view(&old));
    file_replace(fixture_path(&f, "00000000000000000000-00000000000000000009-000007.log", path),
                 buf_view(&old));
    file_replace(
        fixture_path(&f, "00000000000000000000-00000000000000000009-000008.log.cleaning", path),
        buf_view(&old));
    fixture_reopen(&f);
    CHECK_INT(files_with(&f, ".log"), files);
    CHECK_INT(find(&f).value[4], 100);
    buf_done(&old);
    fixture_close(&f);
}

TEST(a_reader_keeps_what_it_has_taken)
{
    struct fixture f = compacted_open("span", 3000);
    struct log_span span;
    struct diag d = {0};
    for (int i = 0; i < 100; i++) put(&f, i % 5, i + 1);
    CHECK_OK(log_span_take(f.p, 0, 100000, true, INT64_MAX, &span, &d), &d);
    clean_all(&f, 1000);
    uint8_t head[RECORD_BATCH_HEAD];
    size_t got = 0;
    CHECK_OK(file_pread(span.fd, head, sizeof(head), span.position, &got, &d), &d);
    struct batch_head h;
    CHECK(got == sizeof(head) && batch_head_parse(head, &h) && h.base_offset == 0);
    CHECK_INT(files_with(&f, "00000000000000000000.log"), 1);
    log_span_give(&span);
    CHECK_INT(files_with(&f, "00000000000000000000.log"), 0);
    fixture_close(&f);
}

TEST(damage_is_told_and_left_alone)
{
    struct fixture f = compacted_open("damage", 3000);
    struct diag d = {0};
    char path[1024];
    bool cleaned;
    for (int i = 0; i < 100; i++) put(&f, i % 5, i + 1);
    fixture_close_log(&f);
    struct buf bytes = file_bytes(fixture_path(&f, "00000000000000000000.log", path));
    bytes.at[bytes.len / 2] ^= 1;
    file_replace(path, buf_view(&bytes));
    fixture_reopen(&f);
    CHECK_ERR(log_clean(f.p, 1000, &cleaned, &d), ERR_CORRUPT);
    struct buf after = file_bytes(path);
    CHECK(slice_equal(buf_view(&bytes), buf_view(&after)));
    CHECK_INT(files_with(&f, "-"), 0);
    buf_done(&bytes);
    buf_done(&after);
    fixture_close(&f);
}

TEST(a_null_key_is_refused_where_keys_are_what_stays)
{
    struct fixture f = compacted_open("null", 3000);
    struct record_builder b = record_builder_make(KIB(4));
    struct buf out = buf_make(KIB(4));
    int64_t at;
    record_builder_add(&b, 1, (struct slice){0}, SLICE("v"), NULL, 0);
    CHECK_OK(record_builder_finish(&b,
                                   &(struct record_batch_options){.producer_id = -1,
                                                                  .producer_epoch = -1,
                                                                  .base_sequence = -1},
                                   &out),
             NULL);
    CHECK_ERR(log_append_wait(f.log, f.p, out.at, out.len, 1, &at, NULL), ERR_RECORD);
    record_builder_done(&b);
    buf_done(&out);
    fixture_close(&f);
}

TEST(partitions_with_nothing_to_clean_cost_the_cleaner_nothing)
{
    struct log_topic_config c = compacted(3000);
    struct fixture f = fixture_open_with("many", (struct log_options){.clean_backoff_ms = -1}, c);
    struct diag d = {0};
    const struct vec *listed = &f.log->cleaner.listed;
    CHECK_OK(log_topic_grow(f.log, f.topic, 300, &d), &d);
    for (int i = 0; i < 300; i++) {
        f.p = log_partition(f.topic, i);
        put(&f, 1, 1);
    }
    CHECK_INT(listed->count, 0);
    f.p = log_partition(f.topic, 7);
    for (int i = 0; i < 100; i++) put(&f, i % 3, i + 1);
    CHECK_INT(listed->count, 1); /* however many segments it has closed */
    fixture_reopen(&f);
    CHECK_INT(f.log->cleaner.listed.count, 1);
    fixture_close(&f);
}

/* --- the cleaner's own thread ----------------------------------------------------------------- */

TEST(the_cleaner_works_by_itself_beside_writers_and_readers)
{
    struct log_topic_config c = compacted(5000);
    struct fixture f = fixture_open_with("thread", (struct log_options){.clean_backoff_ms = 5}, c);
    for (int i = 0; i < 3000; i++) {
        CHECK_INT(put(&f, i % 20, i + 1), i);
        if (i % 100 == 0) CHECK_INT(find(&f).value[i % 20], i + 1);
    }
    for (int tries = 0; tries < 2000 && log_partition_bytes(f.p) > 30000; tries++) usleep(1000);
    CHECK(log_partition_bytes(f.p) <= 30000);
    struct found o = find(&f);
    for (int k = 0; k < 20; k++) CHECK_INT(o.value[k], 2981 + k);
    fixture_close(&f);
}
