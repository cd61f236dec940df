/* What an append is refused for, by the rules of its topic; the words are Kafka's. */
#include "log/log_test_kit.h"

static err_t append_record(struct fixture *f, enum codec codec, const char *key,
                           const int64_t *times, int count, struct diag *d)
{
    struct record_builder b = record_builder_make(MIB(1));
    struct buf out = buf_make(MIB(2));
    int64_t at;
    for (int i = 0; i < count; i++)
        record_builder_add(&b, times[i], key ? slice_of(key) : (struct slice){0}, SLICE("v"), NULL,
                           0);
    struct record_batch_options o = {codec, -1, -1, -1, false, false};
    CHECK_OK(record_builder_finish(&b, &o, &out), NULL);
    err_t e = log_append_wait(f->log, f->p, out.at, out.len, f->now_ms, &at, d);
    buf_done(&out);
    record_builder_done(&b);
    return e;
}

TEST(timestamps_outside_the_topics_limits_are_refused)
{
    struct log_topic_config c = log_topic_defaults();
    struct diag d = {0};
    c.timestamp_before_max_ms = 1000;
    c.timestamp_after_max_ms = 500;
    struct fixture f = fixture_open_with("times", (struct log_options){0}, c);
    f.now_ms = 100000;
    for (int codec = 0; codec < CODECS; codec++) {
        enum codec k = (enum codec)codec;
        CHECK_OK(append_record(&f, k, NULL, (int64_t[]){99000, 100500}, 2, &d), &d);
        CHECK_OK(append_record(&f, k, NULL, (int64_t[]){-1}, 1, &d), &d); /* without a time */
        CHECK_ERR(append_record(&f, k, NULL, (int64_t[]){100501}, 1, &d), ERR_TIMESTAMP);
        CHECK_ERR(append_record(&f, k, NULL, (int64_t[]){100000, 98999}, 2, &d), ERR_TIMESTAMP);
        CHECK_TEXT(d.what, "Timestamp 98999 of message is out of range. The timestamp should be "
                           "within [99000, 100500]");
    }
    CHECK_INT(log_end_offset(f.p), CODECS * 3);
    fixture_close(&f);
    c.append_time = true; /* the log's own time has no limits */
    f = fixture_open_with("logtime", (struct log_options){0}, c);
    f.now_ms = 100000;
    CHECK_OK(append_record(&f, CODEC_LZ4, NULL, (int64_t[]){5, INT64_MAX / 2}, 2, &d), &d);
    fixture_close(&f);
}

TEST(by_default_an_hour_ahead_is_taken_and_no_more)
{
    struct fixture f = fixture_open("hour");
    struct diag d = {0};
    f.now_ms = 1000;
    CHECK_OK(append_record(&f, CODEC_NONE, NULL, (int64_t[]){0, 3601000}, 2, &d), &d);
    CHECK_ERR(append_record(&f, CODEC_NONE, NULL, (int64_t[]){3601001}, 1, &d), ERR_TIMESTAMP);
    fixture_close(&f);
}

TEST(a_compacted_topic_wants_keys)
{
    struct log_topic_config c = log_topic_defaults();
    struct diag d = {0};
    c.compact = true;
    struct fixture f = fixture_open_with("keys", (struct log_options){0}, c);
    for (int codec = 0; codec < CODECS; codec++) {
        CHECK_OK(append_record(&f, (enum codec)codec, "k", (int64_t[]){1, 2}, 2, &d), &d);
        CHECK_ERR(append_record(&f, (enum codec)codec, NULL, (int64_t[]){1, 2}, 2, &d), ERR_RECORD);
        CHECK_TEXT(d.what, "Compacted topic cannot accept message without key in topic partition "
                           "keys-0.");
    }
    CHECK_INT(append_one(&f, (struct batch_want){.count = 2}),
              -ERR_CORRUPT); /* no records at all */
    CHECK_INT(log_end_offset(f.p), CODECS * 2);
    fixture_close(&f);
}

TEST(what_is_larger_than_a_batch_or_a_segment_may_be_is_refused)
{
    struct log_topic_config c = log_topic_defaults();
    c.segment_bytes = 4000;
    c.message_max_bytes = 5000;
    struct fixture f = fixture_open_with("sizes", (struct log_options){0}, c);
    CHECK_INT(append_one(&f, (struct batch_want){.count = 1, .size = 5000}), -ERR_BATCH_TOO_BIG);
    CHECK_INT(append_one(&f, (struct batch_want){.count = 1, .size = 3939}), 0);
    CHECK_INT(append_one(&f, (struct batch_want){.count = 1, .size = 3940}), -ERR_BATCH_TOO_BIG);
    fixture_close(&f);
    c.segment_bytes = 0;
    f = fixture_open_with("batches", (struct log_options){0}, c);
    CHECK_INT(append_one(&f, (struct batch_want){.count = 1, .size = 5000}), -ERR_TOO_BIG);
    CHECK_INT(append_one(&f, (struct batch_want){.count = 1, .size = 4939}), 0);
    fixture_close(&f);
}
