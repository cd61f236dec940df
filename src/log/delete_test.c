/* DeleteRecords, and what retention does beyond whole closed segments. */
#include "log/log_test_kit.h"

#include <errno.h>

static int64_t delete_before(struct fixture *f, int64_t before)
{
    struct diag d = {0};
    int64_t low = -1;
    err_t e = log_delete_records(f->p, before, &low, &d);
    return e ? -(int64_t)e : low;
}

static void append_many(struct fixture *f, int count)
{
    for (int i = 0; i < count; i++)
        CHECK(append_one(f, (struct batch_want){.count = 2, .size = 900, .ms = i * 1000}) >= 0);
}

TEST(records_are_deleted_up_to_any_offset_for_good)
{
    struct fixture f = fixture_open_sized("deleted", 5000);
    struct buf got = buf_make(MIB(1));
    append_many(&f, 20); /* 40 records, ten to a segment */
    int files = files_with(&f, ".log");
    CHECK_INT(delete_before(&f, 0), 0);
    CHECK_INT(delete_before(&f, 13), 13); /* inside a batch, inside a segment */
    CHECK_INT(log_start_offset(f.p), 13);
    CHECK_INT(files_with(&f, ".log"), files - 1);
    for (int round = 0; round < 3; round++) {
        CHECK_INT(log_start_offset(f.p), 13);
        CHECK_ERR(log_read(f.p, 12, 100, &got, NULL), ERR_OFFSET_RANGE);
        CHECK_INT(read_all(&f, 13), 40);
        CHECK_INT(delete_before(&f, 5), 13); /* it never goes back */
        if (round == 1) fixture_crash(&f);
        fixture_reopen(&f);
    }
    CHECK_INT(delete_before(&f, 41), -ERR_OFFSET_RANGE);
    CHECK_INT(delete_before(&f, -2), -ERR_OFFSET_RANGE);
    CHECK_INT(delete_before(&f, -1), 40);
    CHECK_INT(log_partition_bytes(f.p), 0);
    CHECK_INT(files_with(&f, ".log"), 1);
    fixture_reopen(&f);
    CHECK_INT(log_start_offset(f.p), 40);
    CHECK_INT(append_one(&f, (struct batch_want){.count = 1}), 40);
    CHECK_INT(read_all(&f, 40), 41);
    int64_t at;
    CHECK_OK(log_offset_at(f.p, 0, &at, NULL), NULL);
    CHECK_INT(at, 40);
    buf_done(&got);
    fixture_close(&f);
}

TEST(an_empty_partition_has_nothing_to_delete)
{
    struct fixture f = fixture_open("nothing");
    CHECK_INT(delete_before(&f, -1), 0);
    CHECK_INT(delete_before(&f, 1), -ERR_OFFSET_RANGE);
    fixture_close(&f);
}

TEST(records_of_a_topic_that_is_only_compacted_are_not_deleted)
{
    struct log_topic_config c = log_topic_defaults();
    struct diag d = {0};
    int64_t low;
    c.compact = true;
    c.delete = false;
    struct fixture f = fixture_open_with("policy", (struct log_options){0}, c);
    CHECK_ERR(log_delete_records(f.p, 0, &low, &d), ERR_POLICY);
    CHECK_TEXT(d.what,
               "Records of partition policy-0 can not be deleted due to the configured policy");
    fixture_close(&f);
}

/* Each system call of a deletion fails once: what was answered holds after opening again, and what
 * was not has either happened whole or not at all. */
TEST(a_deletion_that_fails_anywhere_leaves_the_old_start_or_the_new)
{
    bool met = true;
    for (int nth = 1; met; nth++) {
        struct fixture f = fixture_open_sized("faulty", 5000);
        append_many(&f, 20);
        fault = (struct fault){.countdown = nth, .error = EIO};
        int64_t low = delete_before(&f, nth % 2 ? 25 : -1), wanted = nth % 2 ? 25 : 40;
        met = fault.fired;
        fault_lift();
        CHECK(met || low == wanted);
        if (low < 0) CHECK_INT(log_start_offset(f.p), 0);
        if (nth % 3 == 0) fixture_crash(&f);
        fixture_reopen(&f);
        int64_t start = log_start_offset(f.p);
        CHECK(low >= 0 ? start == wanted : start == 0 || start == wanted);
        CHECK_INT(log_end_offset(f.p), 40);
        CHECK_INT(read_all(&f, start), 40);
        CHECK_INT(delete_before(&f, 30), MAX(start, 30));
        CHECK_INT(append_one(&f, (struct batch_want){.count = 1}), 40);
        fixture_close(&f);
        CHECK_OK(dir_remove_all(f.dir, NULL), NULL);
        CHECK(nth < 100);
    }
}

TEST(old_data_goes_without_traffic_and_the_log_goes_on)
{
    struct fixture f = fixture_open("quiet");
    struct diag d = {0};
    append_many(&f, 3);
    int64_t week = log_topic_config(f.topic).retention_ms;
    CHECK_OK(log_retain(f.p, week + 2000, INT64_MAX, &d), &d); /* its newest is 2000 */
    CHECK_INT(log_start_offset(f.p), 0);
    CHECK_OK(log_retain(f.p, week + 2001, 5, &d), &d); /* a stream still needs 5 */
    CHECK_INT(log_start_offset(f.p), 0);
    CHECK_OK(log_retain(f.p, week + 2001, INT64_MAX, &d), &d);
    CHECK_INT(log_start_offset(f.p), 6);
    CHECK_INT(log_partition_bytes(f.p), 0);
    CHECK_OK(log_retain(f.p, week * 5, INT64_MAX, &d), &d); /* an empty tail stays */
    CHECK_INT(files_with(&f, ".log"), 1);
    CHECK_INT(append_one(&f, (struct batch_want){.count = 1}), 6);
    fixture_reopen(&f);
    CHECK_INT(read_all(&f, 6), 7);
    fixture_close(&f);
}

TEST(a_segment_without_timestamps_counts_from_its_making)
{
    struct fixture f = fixture_open("timeless");
    struct diag d = {0};
    f.now_ms = 500000;
    append_one(&f, (struct batch_want){.count = 1, .ms = -1});
    int64_t week = log_topic_config(f.topic).retention_ms;
    CHECK_OK(log_retain(f.p, week + 500000, INT64_MAX, &d), &d);
    CHECK_INT(log_start_offset(f.p), 0);
    CHECK_OK(log_retain(f.p, week + 500001, INT64_MAX, &d), &d);
    CHECK_INT(log_start_offset(f.p), 1);
    fixture_close(&f);
}

TEST(segments_are_rolled_by_the_topics_own_age)
{
    struct log_topic_config c = log_topic_defaults();
    c.segment_ms = 1000;
    struct fixture f = fixture_open_with("rolled", (struct log_options){0}, c);
    for (int i = 0; i < 5; i++) {
        f.now_ms = 1 + i * 500;
        append_one(&f, (struct batch_want){.count = 1, .ms = f.now_ms});
    }
    CHECK_INT(files_with(&f, ".log"), 3);
    fixture_close(&f);
}

TEST(retention_leaves_a_topic_alone_that_deletes_nothing_but_what_was_deleted)
{
    struct log_topic_config c = log_topic_defaults();
    struct diag d = {0};
    c.segment_bytes = 5000;
    struct fixture f = fixture_open_with("none", (struct log_options){0}, c);
    append_many(&f, 20);
    struct log_config_change change = {LOG_CONFIG_SET, SLICE("cleanup.policy"), SLICE("")};
    CHECK_INT(delete_before(&f, 13), 13);
    CHECK_OK(log_topic_alter(f.log, f.topic, &change, 1, false, false, &d), &d);
    CHECK_OK(log_retain(f.p, INT64_MAX / 2, INT64_MAX, &d), &d);
    CHECK_INT(log_start_offset(f.p), 13);
    CHECK_INT(read_all(&f, 13), 40);
    fixture_close(&f);
}
