/* What flow keeps in the store and in its journal reads back as it was written, every cut of it is
 * refused, and numbers that no writer makes are corrupt (the fuzzer found them). */
#include "flow/flow_int.h"
#include "test.h"

TEST(an_epoch_reads_back_and_every_cut_of_it_is_refused)
{
    static const struct epoch_range ranges[] = {{0, 0, 5, 10}, {7, 255, 0, INT64_MAX}};
    struct epoch_record got, r = {.epoch = 513,
                                  .now_ms = -1,
                                  .watermark = INT64_MIN,
                                  .sql_version = UINT64_MAX,
                                  .form = STORE_CATCHUP,
                                  .delta = {.in = 9, .applied = 9, .rows_out = 300},
                                  .ranges = ranges,
                                  .range_count = COUNT_OF(ranges),
                                  .closing = 99,
                                  .cut = SLICE("a place")};
    struct arena *a = arena_new(MIB(1));
    struct buf b = buf_make(KIB(4));
    epoch_record_put(&b, &r);
    CHECK_OK(epoch_record_take(buf_view(&b), a, &got), NULL);
    CHECK(got.epoch == r.epoch && got.now_ms == -1 && got.watermark == INT64_MIN);
    CHECK(got.sql_version == UINT64_MAX && got.form == STORE_CATCHUP);
    CHECK(memcmp(&got.delta, &r.delta, sizeof(r.delta)) == 0);
    CHECK_INT(got.range_count, 2);
    CHECK_INT(got.closing, 99);
    CHECK_SLICE(got.cut, "a place");
    CHECK_INT(got.ranges[0].to, 10);
    CHECK_INT(got.ranges[1].topic, 7);
    CHECK_INT(got.ranges[1].partition, 255);
    CHECK_INT(got.ranges[1].to, INT64_MAX);
    for (uint32_t len = 0; len < b.len; len++)
        CHECK_ERR(epoch_record_take(slice_make(b.at, len), a, &got), ERR_SHORT);
    buf_done(&b);
    arena_free(a);
}

TEST(an_epochs_range_beyond_all_offsets_is_corrupt)
{
    static const struct epoch_range cases[] = {
        {0, 0, -1, 0}, {0, 0, INT64_MAX, INT64_MIN}, {0, -1, 0, 1}};
    struct arena *a = arena_new(MIB(1));
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct epoch_record got, r = {.ranges = &cases[i], .range_count = 1};
        struct buf b = buf_make(KIB(4));
        epoch_record_put(&b, &r);
        CHECK_ERR(epoch_record_take(buf_view(&b), a, &got), ERR_CORRUPT);
        buf_done(&b);
    }
    arena_free(a);
}

TEST(cursors_ledgers_and_heads_read_back_and_every_cut_is_refused)
{
    struct stream_cursor cursor = {.topic_id = {1, 2}, .next = 7, .last_write_us = -9}, cursor_got;
    struct lane_ledger ledger = {.total = {.in = 300, .dead = 300}, .epoch = 4, .closing = 5},
                       ledger_got;
    struct place_head head = {.number = 3, .parts = 2, .done = 1, .cursor = SLICE("page=3")};
    struct place_head head_got;
    struct buf b[3] = {buf_make(KIB(4)), buf_make(KIB(4)), buf_make(KIB(4))};
    stream_cursor_put(&b[0], &cursor);
    lane_ledger_put(&b[1], &ledger);
    place_head_put(&b[2], &head);
    CHECK_OK(stream_cursor_take(buf_view(&b[0]), &cursor_got), NULL);
    CHECK_OK(lane_ledger_take(buf_view(&b[1]), &ledger_got), NULL);
    CHECK_OK(place_head_take(buf_view(&b[2]), &head_got), NULL);
    CHECK(memcmp(&cursor, &cursor_got, sizeof(cursor)) == 0);
    CHECK(memcmp(&ledger, &ledger_got, sizeof(ledger)) == 0);
    CHECK(head_got.number == 3 && head_got.parts == 2 && head_got.done == 1);
    CHECK_SLICE(head_got.cursor, "page=3");
    for (uint32_t len = 0; len < b[0].len; len++)
        CHECK_ERR(stream_cursor_take(slice_make(b[0].at, len), &cursor_got), ERR_SHORT);
    for (uint32_t len = 0; len < b[1].len; len++)
        CHECK_ERR(lane_ledger_take(slice_make(b[1].at, len), &ledger_got), ERR_SHORT);
    for (uint32_t len = 0; len < b[2].len; len++)
        CHECK_ERR(place_head_take(slice_make(b[2].at, len), &head_got), ERR_SHORT);
    for (int i = 0; i < 3; i++) buf_done(&b[i]);
}

/* So many bytes an epoch's and a ledger's record had less before all that closes could go in
 * several. */
enum { CLOSING_BYTES = 8, CUT_BYTES = 1 };

TEST(records_of_version_two_are_read)
{
    struct lane_ledger ledger = {.epoch = 4, .last_write_us = 8, .closing = 77}, ledger_got;
    struct epoch_range range = {0, 6, 10, 30};
    struct epoch_record epoch = {.ranges = &range, .range_count = 1, .closing = 77}, epoch_got;
    struct arena *a = arena_new(MIB(1));
    struct buf b = buf_make(KIB(4));
    lane_ledger_put(&b, &ledger);
    b.at[0] = 2;
    CHECK_OK(lane_ledger_take(slice_make(b.at, b.len - CLOSING_BYTES), &ledger_got), NULL);
    CHECK_INT(ledger_got.last_write_us, 8);
    CHECK(ledger_got.closing == NO_CLOSING);
    buf_reset(&b);
    epoch_record_put(&b, &epoch);
    b.at[0] = 2;
    CHECK_OK(epoch_record_take(slice_make(b.at, b.len - CLOSING_BYTES - CUT_BYTES), a, &epoch_got),
             NULL);
    CHECK_INT(epoch_got.ranges[0].to, 30);
    CHECK(epoch_got.closing == NO_CLOSING && epoch_got.cut.len == 0);
    buf_done(&b);
    arena_free(a);
}

/* Before streams had several topics and kept time: a cursor and a ledger ended sooner, a range
 * began with its partition. */
TEST(records_of_version_one_are_read)
{
    struct stream_cursor cursor = {.next = 7, .time_seen = 5}, cursor_got;
    struct lane_ledger ledger = {.total = {.in = 3}, .epoch = 4, .watermark = 9}, ledger_got;
    struct epoch_range range = {0, 6, 10, 30};
    struct epoch_record epoch = {.epoch = 2, .ranges = &range, .range_count = 1}, epoch_got;
    struct arena *a = arena_new(MIB(1));
    struct buf b = buf_make(KIB(4));
    stream_cursor_put(&b, &cursor);
    b.at[0] = 1;
    CHECK_OK(stream_cursor_take(slice_make(b.at, b.len - 8), &cursor_got), NULL);
    CHECK_INT(cursor_got.next, 7);
    CHECK_INT(cursor_got.time_seen, INT64_MIN);
    buf_reset(&b);
    lane_ledger_put(&b, &ledger);
    b.at[0] = 1;
    CHECK_OK(lane_ledger_take(slice_make(b.at, b.len - 16 - CLOSING_BYTES), &ledger_got), NULL);
    CHECK_INT(ledger_got.epoch, 4);
    CHECK_INT(ledger_got.watermark, INT64_MIN);
    buf_reset(&b);
    epoch_record_put(&b, &epoch);
    b.at[0] = 1;
    b.len -= CLOSING_BYTES + CUT_BYTES;
    memmove(b.at + b.len - 4, b.at + b.len - 3,
            3); /* topic, partition, from, records: a byte each */
    CHECK_OK(epoch_record_take(slice_make(b.at, b.len - 1), a, &epoch_got), NULL);
    CHECK_INT(epoch_got.ranges[0].topic, 0);
    CHECK_INT(epoch_got.ranges[0].partition, 6);
    CHECK_INT(epoch_got.ranges[0].to, 30);
    buf_done(&b);
    arena_free(a);
}

TEST(a_record_of_a_newer_version_is_refused_as_such)
{
    struct stream_cursor cursor = {.next = 7};
    struct place_head head = {.number = 3};
    struct buf b = buf_make(KIB(4));
    stream_cursor_put(&b, &cursor);
    b.at[0]++;
    CHECK_ERR(stream_cursor_take(buf_view(&b), &cursor), ERR_VERSION);
    buf_reset(&b);
    place_head_put(&b, &head);
    b.at[0]++;
    CHECK_ERR(place_head_take(buf_view(&b), &head), ERR_VERSION);
    buf_done(&b);
}

TEST(a_journal_with_an_item_of_no_partition_is_corrupt)
{
    char path[300];
    struct journal *j = NULL;
    struct diag d = {0};
    struct journal_of of = {.producer_id = 9}, of_got;
    struct answer_item item = {.partition = -1, .key = SLICE("k"), .value = SLICE("v")};
    struct answer a = {.number = 1, .cursor = SLICE("c"), .items = &item, .item_count = 1}, got;
    struct arena *arena = arena_new(MIB(1));
    snprintf(path, sizeof(path), "%s/x.journal", test_dir());
    CHECK_OK(journal_open(path, &j, &d), &d);
    CHECK_OK(journal_add(j, &of, &a, &d), &d);
    CHECK_ERR(journal_last(j, arena, &of_got, &got, &d), ERR_CORRUPT);
    journal_close(j);
    arena_free(arena);
}
