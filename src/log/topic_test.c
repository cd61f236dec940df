#include "log/log_test_kit.h"

static struct log *open_log(const char *dir)
{
    struct diag d = {0};
    struct log *l = NULL;
    say_to(-1);
    CHECK_OK(log_open(&(struct log_options){.dir = dir, .partitions_max = 20}, 1, &l, &d), &d);
    INVARIANT(l != NULL);
    return l;
}

TEST(topics_are_there_after_reopening_with_all_they_were_given)
{
    struct log *l = open_log(test_dir());
    struct diag d = {0};
    struct log_topic *t;
    struct log_topic_config c = {.retention_ms = 5,
                                 .retention_bytes = 6,
                                 .segment_bytes = 7000,
                                 .message_max_bytes = 8000,
                                 .append_time = true};
    uint8_t id[16];
    CHECK_OK(log_topic_create(l, SLICE("b.topic"), 3, &c, &t, &d), &d);
    memcpy(id, log_topic_id(t), 16);
    for (int round = 0; round < 2; round++) {
        t = log_topic_find(l, SLICE("b.topic"));
        CHECK(t != NULL);
        struct log_topic_config got = log_topic_config(t);
        CHECK(got.retention_ms == 5 && got.retention_bytes == 6 && got.segment_bytes == 7000);
        CHECK(got.message_max_bytes == 8000 && got.append_time && !got.delete &&!got.compact);
        CHECK_INT(log_topic_partitions(t), 3);
        CHECK(memcmp(log_topic_id(t), id, 16) == 0);
        CHECK(log_partition(t, 2) != NULL && log_partition(t, 3) == NULL);
        CHECK(log_partition(t, -1) == NULL);
        CHECK_INT(log_partition_index(log_partition(t, 2)), 2);
        CHECK_SLICE(log_topic_name(t), "b.topic");
        log_close(l);
        l = open_log(test_dir());
    }
    log_close(l);
}

TEST(names_are_those_kafka_allows)
{
    struct log *l = open_log(test_dir());
    struct log_topic *t;
    struct log_topic_config c = log_topic_defaults();
    char longest[251];
    memset(longest, 'x', 250);
    longest[250] = 0;
    static const char *const bad[] = {"", ".", "..", "a b", "a/b", "\xc3\xa9", "a\n", "#"};
    static const char *const good[] = {"a", "...", "A-z_0.9", "topics-0", "-", "x.new"};
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        CHECK_ERR(log_topic_create(l, slice_of(bad[i]), 1, &c, &t, NULL), ERR_USAGE);
    CHECK_ERR(log_topic_create(l, slice_of(longest), 1, &c, &t, NULL), ERR_USAGE);
    CHECK_OK(log_topic_create(l, slice_of(longest + 1), 1, &c, &t, NULL), NULL);
    for (size_t i = 0; i < COUNT_OF(good); i++)
        CHECK_OK(log_topic_create(l, slice_of(good[i]), 1, &c, &t, NULL), NULL);
    CHECK_ERR(log_topic_create(l, SLICE("a"), 1, &c, &t, NULL), ERR_EXISTS);
    CHECK_ERR(log_topic_create(l, SLICE("none"), 0, &c, &t, NULL), ERR_RANGE);
    CHECK_ERR(log_topic_create(l, SLICE("many"), 14, &c, &t, NULL), ERR_TOO_BIG);
    log_close(l);
    l = open_log(test_dir());
    CHECK(log_topic_find(l, slice_of(longest + 1)) != NULL);
    log_close(l);
}

static err_t join(void *ctx, struct log_topic *t)
{
    struct buf *b = ctx;
    buf_slice(b, log_topic_name(t));
    buf_char(b, ' ');
    return b->len > 12 ? ERR_STOPPED : ERR_OK;
}

TEST(topics_are_listed_in_name_order_until_told_to_stop)
{
    struct log *l = open_log(test_dir());
    struct log_topic *t;
    struct log_topic_config c = log_topic_defaults();
    static const char *const names[] = {"pear", "fig", "apple"};
    struct buf b = buf_make(1000);
    for (size_t i = 0; i < COUNT_OF(names); i++)
        CHECK_OK(log_topic_create(l, slice_of(names[i]), 1, &c, &t, NULL), NULL);
    CHECK_ERR(log_topics(l, join, &b), ERR_STOPPED);
    CHECK_TEXT(buf_cstr(&b), "apple fig pear ");
    buf_reset(&b);
    CHECK_OK(log_topic_delete(l, SLICE("fig"), NULL), NULL);
    CHECK_OK(log_topics(l, join, &b), NULL);
    CHECK_TEXT(buf_cstr(&b), "apple pear ");
    buf_done(&b);
    log_close(l);
}

TEST(a_deleted_topic_is_gone_and_its_name_is_free)
{
    struct fixture f = fixture_open("gone");
    struct diag d = {0};
    struct buf got = buf_make(KIB(64));
    struct log_topic_config c = log_topic_defaults();
    char path[1024];
    uint8_t id[16];
    memcpy(id, log_topic_id(f.topic), 16);
    for (int i = 0; i < 5; i++) append_one(&f, (struct batch_want){.count = 1});
    struct log_partition *old = f.p;
    CHECK_OK(log_topic_delete(f.log, SLICE("gone"), &d), &d);
    CHECK_ERR(log_topic_delete(f.log, SLICE("gone"), &d), ERR_UNKNOWN_TOPIC);
    CHECK(log_topic_find(f.log, SLICE("gone")) == NULL);
    CHECK(!file_exists(fixture_path(&f, "", path)));
    CHECK_ERR(log_read(old, 0, 100, &got, &d), ERR_UNKNOWN_TOPIC);
    CHECK_INT(append_one(&f, (struct batch_want){.count = 1}), -ERR_UNKNOWN_TOPIC);
    CHECK_OK(log_topic_create(f.log, SLICE("gone"), 1, &c, &f.topic, &d), &d);
    CHECK(memcmp(id, log_topic_id(f.topic), 16) != 0);
    f.p = log_partition(f.topic, 0);
    CHECK_INT(log_end_offset(f.p), 0);
    CHECK_INT(append_one(&f, (struct batch_want){.count = 1}), 0);
    fixture_reopen(&f);
    CHECK_INT(read_all(&f, 0), 1);
    buf_done(&got);
    fixture_close(&f);
}

static void count_call(void *arg)
{
    ++*(int *)arg;
}

TEST(who_waits_for_a_topic_is_called_when_it_is_deleted)
{
    struct fixture f = fixture_open("awaited");
    struct log_waiter *w;
    int calls = 0;
    CHECK_OK(log_wait(f.p, 0, count_call, &calls, &w), NULL);
    CHECK_OK(log_topic_delete(f.log, SLICE("awaited"), NULL), NULL);
    CHECK_INT(calls, 1);
    log_unwait(w);
    fixture_close(&f);
}

TEST(a_directory_without_a_topic_is_not_taken_over)
{
    struct log *l = open_log(test_dir());
    struct log_topic *t;
    struct log_topic_config c = log_topic_defaults();
    struct diag d = {0};
    char path[1024];
    snprintf(path, sizeof(path), "%s/mine-1", test_dir());
    CHECK_OK(dir_make(path, NULL), NULL);
    CHECK_ERR(log_topic_create(l, SLICE("mine"), 2, &c, &t, &d), ERR_EXISTS);
    CHECK(strstr(d.what, "mine-1") != NULL);
    CHECK(log_topic_find(l, SLICE("mine")) == NULL);
    CHECK(file_exists(path));
    log_close(l);
}

TEST(a_named_producer_keeps_its_id)
{
    struct log *l = open_log(test_dir());
    int64_t a, b, again;
    CHECK_OK(log_producer_id(l, SLICE("stream load_users"), &a, NULL), NULL);
    CHECK_OK(log_producer_id(l, SLICE("source randomuser"), &b, NULL), NULL);
    CHECK(a != b && a > 0);
    log_close(l);
    l = open_log(test_dir());
    CHECK_OK(log_producer_id(l, SLICE("source randomuser"), &again, NULL), NULL);
    CHECK_INT(again, b);
    CHECK_OK(log_producer_id(l, SLICE("stream load_users"), &again, NULL), NULL);
    CHECK_INT(again, a);
    CHECK_OK(log_producer_id(l, SLICE("third"), &again, NULL), NULL);
    CHECK(again != a && again != b);
    CHECK_ERR(log_producer_id(l, SLICE(""), &again, NULL), ERR_RANGE);
    log_close(l);
}

TEST(a_log_without_its_identity_is_not_begun_anew)
{
    struct fixture f = fixture_open("who");
    struct diag d = {0};
    struct log *l;
    char path[1024];
    fixture_close_log(&f);
    snprintf(path, sizeof(path), "%s/identity", f.dir);
    CHECK_OK(file_remove(path, NULL), NULL);
    CHECK_ERR(log_open(&f.options, 1, &l, &d), ERR_CORRUPT);
    CHECK(strstr(d.what, "identity") != NULL);
    fixture_close(&f);
}
