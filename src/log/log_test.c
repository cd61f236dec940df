#include "log/log_test_kit.h"

TEST(appends_are_read_back_and_survive_reopening)
{
    struct fixture f = fixture_open("a");
    int64_t at;
    for (int i = 0; i < 10; i++) {
        at = append_one(&f, (struct batch_want){.count = i + 1, .size = 50 * (uint32_t)i, .ms = i});
        CHECK_INT(at, i * (i + 1) / 2);
    }
    CHECK_INT(log_end_offset(f.p), 55);
    CHECK_INT(read_all(&f, 0), 55);
    fixture_reopen(&f);
    CHECK_INT(log_end_offset(f.p), 55);
    CHECK_INT(log_recovery(f.log).bytes_scanned, 0); /* a clean close leaves nothing to scan */
    CHECK_INT(log_recovery(f.log).bytes_cut, 0);
    CHECK_INT(read_all(&f, 0), 55);
    CHECK_INT(read_all(&f, 54), 55);
    at = append_one(&f, (struct batch_want){.count = 2, .size = 10});
    CHECK_INT(at, 55);
    CHECK_INT(read_all(&f, 3), 57);
    fixture_close(&f);
}

TEST(bytes_on_disk_are_the_batch_but_for_base_offset_and_epoch)
{
    struct fixture f = fixture_open("same");
    struct diag d = {0};
    struct buf sent = batch_make((struct batch_want){.count = 3, .size = 100, .ms = 7});
    struct buf kept = buf_make(MIB(1)), got = buf_make(MIB(1));
    int64_t at;
    append_one(&f, (struct batch_want){.count = 5, .size = 9});
    buf_put(&kept, sent.at, sent.len);
    CHECK_OK(log_append_wait(f.log, f.p, sent.at, sent.len, 1, &at, &d), &d);
    CHECK_INT(at, 5);
    CHECK_OK(log_read(f.p, 5, 1, &got, &d), &d);
    CHECK_INT(got.len, kept.len);
    CHECK_INT(got.at[7], 5);
    CHECK(memcmp(got.at + 16, kept.at + 16, kept.len - 16) == 0);
    CHECK(memcmp(got.at + 8, kept.at + 8, 4) == 0);
    buf_done(&sent), buf_done(&kept), buf_done(&got);
    fixture_close(&f);
}

TEST(a_reader_gets_whole_batches_and_at_least_one)
{
    struct fixture f = fixture_open("whole");
    struct diag d = {0};
    struct buf got = buf_make(MIB(4));
    for (int i = 0; i < 20; i++) append_one(&f, (struct batch_want){.count = 10, .size = 1000});
    CHECK_OK(log_read(f.p, 25, 1, &got, &d), &d); /* the middle of the third */
    struct record_batch b;
    CHECK_OK(record_batch_read(buf_view(&got), true, &b), NULL);
    CHECK_INT(b.base_offset, 20);
    CHECK_INT(record_batch_size(&b), got.len);
    buf_reset(&got);
    CHECK_OK(log_read(f.p, 0, 3500, &got, &d), &d);
    CHECK_INT(got.len, 3 * (RECORD_BATCH_HEAD + 1000));
    buf_reset(&got);
    CHECK_OK(log_read(f.p, 200, 1000, &got, &d), &d);
    CHECK_INT(got.len, 0);
    CHECK_ERR(log_read(f.p, 201, 1000, &got, &d), ERR_OFFSET_RANGE);
    CHECK_ERR(log_read(f.p, -1, 1000, &got, &d), ERR_OFFSET_RANGE);
    buf_done(&got);
    fixture_close(&f);
}

TEST(wrong_batches_are_refused_and_nothing_is_written)
{
    struct fixture f = fixture_open("wrong");
    static const struct {
        const char *what;
        size_t at; /* this byte is changed … */
        uint8_t by;
        bool mend; /* … and the checksum made to fit */
        err_t want;
    } rows[] = {
        {"a flipped bit in the records", 70, 1, false, ERR_CORRUPT},
        {"a flipped checksum", 18, 1, false, ERR_CORRUPT},
        {"magic 3", 16, 1, false, ERR_MALFORMED},
        {"magic 0", 16, 2, false, ERR_VERSION},
        {"a longer length", 11, 64, false, ERR_SHORT},
        {"transactional", 22, 16, true, ERR_RECORD},
        {"control", 22, 32, true, ERR_RECORD},
        {"append time from a client", 22, 8, true, ERR_TIMESTAMP},
        {"offsets and count that do not fit", 26, 1, true, ERR_RECORD},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buf b = batch_make((struct batch_want){.count = 1, .size = 130});
        int64_t at;
        b.at[rows[i].at] ^= rows[i].by;
        if (rows[i].mend) batch_mend(b.at, b.len);
        err_t e = log_append_wait(f.log, f.p, b.at, b.len, 1, &at, NULL);
        if (e != rows[i].want) test_failed(__FILE__, __LINE__, "%s: %s", rows[i].what, err_name(e));
        CHECK_INT(at, -1);
        buf_done(&b);
    }
    CHECK_INT(log_end_offset(f.p), 0);
    CHECK_INT(log_partition_bytes(f.p), 0);
    struct buf big = batch_make((struct batch_want){.count = 1, .size = 3 << 20});
    int64_t at;
    CHECK_ERR(log_append_wait(f.log, f.p, big.at, big.len, 1, &at, NULL), ERR_TOO_BIG);
    CHECK_ERR(log_append_wait(f.log, f.p, big.at, 0, 1, &at, NULL), ERR_MALFORMED);
    buf_done(&big);
    fixture_close(&f);
}

TEST(an_append_of_several_batches_is_taken_whole_or_not_at_all)
{
    struct fixture f = fixture_open("several");
    struct diag d = {0};
    struct buf all = buf_make(MIB(1));
    int64_t at;
    for (int i = 0; i < 3; i++) {
        struct buf b =
            batch_make((struct batch_want){.count = 2, .size = 40, .pid = 9, .seq = i * 2});
        buf_put(&all, b.at, b.len);
        buf_done(&b);
    }
    all.at[all.len - 1] ^= 1;
    CHECK_ERR(log_append_wait(f.log, f.p, all.at, all.len, 1, &at, &d), ERR_CORRUPT);
    all.at[all.len - 1] ^= 1;
    CHECK_OK(log_append_wait(f.log, f.p, all.at, all.len, 1, &at, &d), &d);
    CHECK_INT(at, 0);
    CHECK_INT(log_end_offset(f.p), 6);
    /* the third has a gap before it: the first two must not stay */
    struct buf gap = buf_make(MIB(1));
    for (int i = 0; i < 3; i++) {
        struct buf b = batch_make(
            (struct batch_want){.count = 2, .size = 40, .pid = 9, .seq = 6 + i * 2 + (i == 2)});
        buf_put(&gap, b.at, b.len);
        buf_done(&b);
    }
    CHECK_ERR(log_append_wait(f.log, f.p, gap.at, gap.len, 1, &at, &d), ERR_SEQUENCE_GAP);
    CHECK_INT(log_end_offset(f.p), 6);
    struct log_producer state;
    CHECK_OK(log_producer_state(f.p, 9, &state), NULL);
    CHECK_INT(state.last_sequence, 5);
    CHECK_INT(append_one(&f, (struct batch_want){.count = 1, .pid = 9, .seq = 6}), 6);
    buf_done(&all), buf_done(&gap);
    fixture_close(&f);
}

TEST(repeated_batches_of_a_producer_get_their_old_offset)
{
    struct fixture f = fixture_open("idempotent");
    for (int round = 0; round < 2; round++) { /* the second after reopening */
        for (int i = 0; i < 7; i++)
            CHECK_INT(append_one(&f, (struct batch_want){.count = 3, .pid = 5, .seq = i * 3}),
                      round && i < 2 ? -ERR_EXISTS : i * 3);
        CHECK_INT(append_one(&f, (struct batch_want){.count = 1, .pid = 5, .seq = 22}),
                  -ERR_SEQUENCE_GAP);
        CHECK_INT(log_end_offset(f.p), 21);
        struct log_producer state;
        CHECK_OK(log_producer_state(f.p, 5, &state), NULL);
        CHECK_INT(state.last_sequence, 20);
        CHECK_INT(state.last_offset, 18);
        CHECK_INT(state.epoch, 0);
        CHECK_ERR(log_producer_state(f.p, 6, &state), ERR_NOT_FOUND);
        fixture_reopen(&f);
    }
    /* a newer epoch begins at zero and fences the old one */
    CHECK_INT(append_one(&f, (struct batch_want){.count = 1, .pid = 5, .epoch = 1, .seq = 21}),
              -ERR_SEQUENCE_GAP);
    CHECK_INT(append_one(&f, (struct batch_want){.count = 1, .pid = 5, .epoch = 1, .seq = 0}), 21);
    CHECK_INT(append_one(&f, (struct batch_want){.count = 1, .pid = 5, .epoch = 0, .seq = 21}),
              -ERR_PRODUCER_EPOCH);
    /* a producer nobody knows may begin anywhere, and the sequence wraps as Kafka's does */
    CHECK_INT(append_one(&f, (struct batch_want){.count = 3, .pid = 8, .seq = INT32_MAX - 1}), 22);
    CHECK_INT(append_one(&f, (struct batch_want){.count = 1, .pid = 8, .seq = 1}), 25);
    CHECK_INT(append_one(&f, (struct batch_want){.count = 3, .pid = 8, .seq = INT32_MAX - 1}), 22);
    fixture_close(&f);
}

TEST(segments_roll_by_size_and_reads_cross_them)
{
    struct fixture f = fixture_open_sized("roll", 10000);
    for (int i = 0; i < 100; i++)
        CHECK_INT(append_one(&f, (struct batch_want){.count = 2, .size = 900, .ms = i * 10}),
                  i * 2);
    CHECK(files_with(&f, ".log") >= 9);
    for (int64_t from = 0; from <= 200; from += 7) CHECK_INT(read_all(&f, from), 200);
    fixture_reopen(&f);
    CHECK_INT(log_recovery(f.log).bytes_scanned, 0);
    CHECK_INT(read_all(&f, 0), 200);
    CHECK_INT(log_partition_bytes(f.p), 100 * (RECORD_BATCH_HEAD + 900));
    fixture_close(&f);
}

TEST(segments_roll_by_age)
{
    struct fixture f = fixture_open("age");
    f.now_ms = 1000;
    append_one(&f, (struct batch_want){.count = 1, .size = 10});
    f.now_ms += INT64_C(7) * 24 * 3600 * 1000;
    append_one(&f, (struct batch_want){.count = 1, .size = 10});
    CHECK_INT(files_with(&f, ".log"), 2);
    CHECK_INT(read_all(&f, 0), 2);
    fixture_close(&f);
}

TEST(offset_at_a_time_is_the_first_batch_not_before_it)
{
    struct fixture f = fixture_open_sized("time", 60000);
    struct diag d = {0};
    /* times step forth and back: what counts is the first batch that reaches the time */
    enum { BATCHES = 400 };
    int64_t ms[BATCHES];
    uint64_t seed = 3;
    for (int i = 0; i < BATCHES; i++) {
        ms[i] = i * 10 + (int64_t)(test_random(&seed) % 100);
        append_one(&f, (struct batch_want){.count = 3, .size = 700, .ms = ms[i]});
    }
    for (int round = 0; round < 2; round++) {
        for (int64_t want = -5; want < BATCHES * 10 + 200; want += 13) {
            int64_t expected = BATCHES * 3, at;
            for (int i = BATCHES - 1; i >= 0; i--)
                if (ms[i] >= want) expected = i * 3;
            CHECK_OK(log_offset_at(f.p, want, &at, &d), &d);
            CHECK_INT(at, expected);
        }
        fixture_reopen(&f);
    }
    fixture_close(&f);
}

TEST(append_time_is_the_logs_and_its_checksum_fits)
{
    struct fixture f = fixture_open("plain");
    struct diag d = {0};
    struct log_topic *t;
    struct log_topic_config c = log_topic_defaults();
    c.append_time = true;
    CHECK_OK(log_topic_create(f.log, SLICE("stamped"), 1, &c, &t, &d), &d);
    f.p = log_partition(t, 0);
    f.now_ms = 123456;
    append_one(&f, (struct batch_want){.count = 1, .size = 10, .ms = 5});
    struct buf got = buf_make(KIB(64));
    struct record_batch b;
    CHECK_OK(log_read(f.p, 0, 1, &got, &d), &d);
    CHECK_OK(record_batch_read(buf_view(&got), true, &b), NULL);
    CHECK_INT(b.max_timestamp, 123456);
    CHECK_INT(b.attributes & 8, 8);
    buf_done(&got);
    fixture_close(&f);
}

static _Atomic int woken;
static void wake(void *arg)
{
    atomic_fetch_add((_Atomic int *)arg, 1);
}

TEST(waiters_are_called_once_when_the_end_passes)
{
    struct fixture f = fixture_open("wait");
    struct log_waiter *a, *b, *c;
    woken = 0;
    CHECK_OK(log_wait(f.p, 0, wake, &woken, &a), NULL);
    CHECK_OK(log_wait(f.p, 3, wake, &woken, &b), NULL);
    CHECK_INT(woken, 0);
    append_one(&f, (struct batch_want){.count = 3});
    CHECK_INT(woken, 1); /* the end is 3: offset 3 is not there yet */
    CHECK_OK(log_wait(f.p, 2, wake, &woken, &c), NULL);
    CHECK_INT(woken, 2); /* at once */
    log_unwait(b);
    append_one(&f, (struct batch_want){.count = 3});
    CHECK_INT(woken, 2);
    log_unwait(a);
    log_unwait(c);
    log_unwait(NULL);
    fixture_close(&f);
}

TEST(retention_takes_whole_old_segments_but_nothing_a_stream_needs)
{
    struct fixture f = fixture_open_sized("retain", 5000);
    struct diag d = {0};
    struct buf got = buf_make(MIB(1));
    for (int i = 0; i < 50; i++) /* five to a segment */
        append_one(&f, (struct batch_want){.count = 1, .size = 900, .ms = i * 1000});
    int before = files_with(&f, ".log");
    CHECK_OK(log_retain(f.p, 49000, INT64_MAX, &d), &d); /* nothing is seven days old */
    CHECK_INT(files_with(&f, ".log"), before);
    int64_t week = log_topic_config(f.topic).retention_ms;
    CHECK_OK(log_retain(f.p, week + 21000, 8, &d), &d);
    CHECK_INT(log_start_offset(f.p), 5); /* ten would pass the stream at 8 */
    CHECK_OK(log_retain(f.p, week + 21000, INT64_MAX, &d), &d);
    CHECK_INT(log_start_offset(f.p), 20);
    CHECK_INT(files_with(&f, ".log"), before - 4);
    CHECK_INT(files_with(&f, ".index"), before - 4);
    CHECK_ERR(log_read(f.p, 19, 100, &got, &d), ERR_OFFSET_RANGE);
    CHECK_INT(read_all(&f, 20), 50);
    fixture_reopen(&f);
    CHECK_INT(log_start_offset(f.p), 20);
    CHECK_INT(read_all(&f, 20), 50);
    CHECK_OK(log_retain(f.p, week * 9, INT64_MAX, &d), &d);
    CHECK_INT(log_start_offset(f.p), 50); /* the tail too: a new one is begun */
    CHECK_INT(files_with(&f, ".log"), 1);
    CHECK_INT(append_one(&f, (struct batch_want){.count = 1}), 50);
    CHECK_INT(read_all(&f, 50), 51);
    buf_done(&got);
    fixture_close(&f);
}

TEST(retention_by_size_keeps_at_least_that_much)
{
    struct fixture f = fixture_open("size");
    struct diag d = {0};
    struct log_topic_config c = log_topic_defaults();
    c.retention_ms = -1;
    c.retention_bytes = 20000;
    c.segment_bytes = 5000;
    struct log_topic *t;
    CHECK_OK(log_topic_create(f.log, SLICE("bounded"), 1, &c, &t, &d), &d);
    f.p = log_partition(t, 0);
    for (int i = 0; i < 50; i++) append_one(&f, (struct batch_want){.count = 1, .size = 900});
    CHECK_OK(log_retain(f.p, 1, INT64_MAX, &d), &d);
    CHECK(log_partition_bytes(f.p) >= 20000 && log_partition_bytes(f.p) < 25000);
    CHECK_INT(read_all(&f, log_start_offset(f.p)), 50);
    fixture_close(&f);
}

static void count_done(struct log_append *a)
{
    atomic_fetch_add((_Atomic int *)a->arg, 1);
}

TEST(closing_answers_every_append)
{
    enum { APPENDS = 500 };
    static struct log_append appends[APPENDS];
    static struct buf batches[APPENDS];
    struct fixture f = fixture_open("close");
    _Atomic int answered = 0;
    for (int i = 0; i < APPENDS; i++) {
        batches[i] = batch_make((struct batch_want){.count = 1, .size = 100});
        appends[i] = (struct log_append){.partition = f.p,
                                         .batches = batches[i].at,
                                         .size = batches[i].len,
                                         .done = count_done,
                                         .arg = &answered};
        log_append(f.log, &appends[i], 1);
    }
    fixture_close_log(&f);
    CHECK_INT(answered, APPENDS);
    for (int i = 0; i < APPENDS; i++) {
        CHECK_INT(appends[i].err, ERR_OK);
        CHECK_INT(appends[i].base_offset, i);
        buf_done(&batches[i]);
    }
    fixture_reopen(&f);
    CHECK_INT(read_all(&f, 0), APPENDS);
    fixture_close(&f);
}

TEST(a_disk_without_room_refuses_before_it_writes)
{
    struct fixture f = fixture_open_with(
        "full", (struct log_options){.disk_keep_free = UINT64_MAX / 4}, log_topic_defaults());
    struct buf b = batch_make((struct batch_want){.count = 1});
    struct diag d = {0};
    int64_t at;
    CHECK_ERR(log_append_wait(f.log, f.p, b.at, b.len, 1, &at, &d), ERR_DISK_FULL);
    CHECK(strstr(d.why, "bytes are free") != NULL);
    CHECK_INT(log_end_offset(f.p), 0);
    buf_done(&b);
    fixture_close(&f);
}
