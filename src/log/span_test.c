/* Spans for sendfile beside log_read, times looked up inside batches, blocks of producer ids. */
#include "log/log_test_kit.h"

static struct buf span_bytes(const struct log_span *s)
{
    struct buf b = buf_make(MIB(64));
    size_t got = 0;
    if (s->size && buf_reserve(&b, s->size))
        CHECK_OK(file_pread(s->fd, b.at, s->size, s->position, &got, NULL), NULL);
    CHECK_INT(got, s->size);
    b.len = got;
    return b;
}

/* Whole batches, the first holding `from`, none at or past `limit`; the offset behind the last. */
static int64_t span_check(struct fixture *f, int64_t from, size_t max, bool whole, int64_t limit)
{
    struct log_span s;
    struct record_batch b;
    struct diag d = {0};
    int64_t next = from;
    CHECK_OK(log_span_take(f->p, from, max, whole, limit, &s, &d), &d);
    struct buf bytes = span_bytes(&s);
    for (size_t at = 0; at < bytes.len; at += record_batch_size(&b)) {
        err_t e = record_batch_read(slice_make(bytes.at + at, bytes.len - at), true, &b);
        CHECK_OK(e, NULL);
        if (e) break;
        CHECK(at == 0 ? b.base_offset <= from : b.base_offset == next);
        next = b.base_offset + b.last_offset_delta + 1;
        CHECK(b.base_offset < limit);
        if (at + record_batch_size(&b) > max) CHECK(at == 0 && whole);
    }
    CHECK(from >= limit || !whole || next > from);
    buf_done(&bytes);
    log_span_give(&s);
    CHECK(s.segment == NULL);
    return next;
}

static int64_t fill(struct fixture *f, int batches, uint64_t seed)
{
    int64_t end = log_end_offset(f->p);
    for (int i = 0; i < batches; i++) {
        int count = 1 + (int)(test_random(&seed) % 4);
        uint32_t size = (uint32_t)(test_random(&seed) % (i % 10 ? 700 : 9000));
        CHECK_INT(append_one(f, (struct batch_want){.count = count, .size = size, .ms = i}), end);
        end += count;
    }
    return end;
}

TEST(spans_are_whole_batches_of_one_segment_up_to_the_limit)
{
    struct fixture f = fixture_open_sized("spans", 60000);
    int64_t end = fill(&f, 600, 7);
    uint64_t seed = 3;
    static const size_t sizes[] = {0, 50, 5000, 20000, 1 << 20};
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        int64_t at = 0;
        for (int64_t before = -1; at > before && at < end;)
            before = at, at = span_check(&f, at, sizes[i], true, INT64_MAX);
        CHECK_INT(at, end);
    }
    for (int i = 0; i < 3000; i++) {
        int64_t from = (int64_t)(test_random(&seed) % (uint64_t)end);
        int64_t limit = (int64_t)(test_random(&seed) % (uint64_t)(end + 5));
        size_t max = test_random(&seed) % 30000;
        int64_t next = span_check(&f, from, max, i & 1, limit);
        CHECK(next <= MAX(limit + 3, from)); /* the batch with `limit` inside is not taken */
    }
    fixture_close(&f);
}

TEST(a_span_at_its_limit_is_empty_and_outside_is_refused)
{
    struct fixture f = fixture_open("edges");
    struct log_span s;
    struct diag d = {0};
    for (int i = 0; i < 3; i++)
        CHECK_INT(append_one(&f, (struct batch_want){.count = 2, .size = 500}), i * 2);
    CHECK_OK(log_span_take(f.p, 6, 1000, true, INT64_MAX, &s, &d), &d);
    CHECK_INT(s.size, 0);
    CHECK_OK(log_span_take(f.p, 4, 1000, true, 4, &s, &d), &d);
    CHECK_INT(s.size, 0);
    CHECK_OK(log_span_take(f.p, 0, 1000, true, 3, &s, &d), &d); /* the batch 2..3 is past it */
    CHECK_INT(s.size, RECORD_BATCH_HEAD + 500);
    log_span_give(&s);
    CHECK_OK(log_span_take(f.p, 0, 100, false, 6, &s, &d), &d); /* the first does not fit */
    CHECK_INT(s.size, 0);
    CHECK_OK(log_span_take(f.p, 1, 100, true, 6, &s, &d), &d);
    CHECK_INT(s.size, RECORD_BATCH_HEAD + 500);
    log_span_give(&s);
    CHECK_ERR(log_span_take(f.p, 7, 1000, true, INT64_MAX, &s, &d), ERR_OFFSET_RANGE);
    CHECK_ERR(log_span_take(f.p, -1, 1000, true, INT64_MAX, &s, &d), ERR_OFFSET_RANGE);
    log_span_give(&s); /* nothing to give: fine */
    fixture_close(&f);
}

TEST(a_damaged_index_makes_spans_slower_and_nothing_else)
{
    struct fixture f = fixture_open("noindex");
    char path[1024];
    int64_t end = fill(&f, 900, 11);
    fixture_close_log(&f);
    struct buf whole = file_bytes(fixture_path(&f, "00000000000000000000.index", path));
    CHECK(whole.len > 0);
    memset(whole.at, 0x5a, whole.len);
    file_replace(path, buf_view(&whole));
    buf_done(&whole);
    fixture_reopen(&f);
    int64_t at = 0;
    while (at < end) at = span_check(&f, at, 30000, true, INT64_MAX);
    CHECK_INT(at, end);
    fixture_close(&f);
}

TEST(what_retention_removes_stays_readable_until_the_span_is_given_back)
{
    struct fixture f = fixture_open_sized("held", 4000);
    struct log_span s;
    struct diag d = {0};
    for (int i = 0; i < 20; i++)
        CHECK_INT(append_one(&f, (struct batch_want){.count = 1, .size = 900, .ms = i}), i);
    CHECK_OK(log_span_take(f.p, 0, 1 << 20, true, INT64_MAX, &s, &d), &d);
    int before = files_with(&f, ".log");
    CHECK_OK(log_retain(f.p, INT64_MAX / 2, 10, &d), &d);
    CHECK(log_start_offset(f.p) > 3);
    struct buf bytes = span_bytes(&s);
    struct record_batch b;
    CHECK_OK(record_batch_read(buf_view(&bytes), true, &b), NULL);
    CHECK_INT(b.base_offset, 0);
    buf_done(&bytes);
    log_span_give(&s);
    CHECK(files_with(&f, ".log") < before);
    fixture_close(&f);
}

/* --- times ------------------------------------------------------------------------------------ */

static void append_records(struct fixture *f, enum codec codec, const int64_t *times, int count)
{
    struct record_builder b = record_builder_make(MIB(1));
    struct buf out = buf_make(MIB(1));
    struct diag d = {0};
    int64_t at;
    for (int i = 0; i < count; i++)
        record_builder_add(&b, times[i], SLICE("k"), SLICE("some value"), NULL, 0);
    struct record_batch_options o = {codec, -1, -1, -1, false, false};
    CHECK_OK(record_builder_finish(&b, &o, &out), NULL);
    CHECK_OK(log_append_wait(f->log, f->p, out.at, out.len, 1, &at, &d), &d);
    buf_done(&out);
    record_builder_done(&b);
}

static void at_time(struct fixture *f, int64_t ms, int64_t offset, int64_t timestamp)
{
    int64_t o, t;
    struct diag d = {0};
    CHECK_OK(log_record_at(f->p, ms, &o, &t, &d), &d);
    CHECK_INT(o, offset);
    CHECK_INT(t, timestamp);
}

TEST(a_time_is_looked_up_record_by_record_inside_batches)
{
    struct fixture f = fixture_open("times");
    int64_t o, t;
    struct diag d = {0};
    at_time(&f, 0, -1, -1);
    CHECK_OK(log_record_latest(f.p, &o, &t, &d), &d);
    CHECK_INT(o, -1);
    for (int c = 0; c < CODECS; c++) {
        int64_t base = c * 100;
        append_records(&f, (enum codec)c, (int64_t[]){base + 10, base + 30, base + 20}, 3);
    }
    for (int c = 0; c < CODECS; c++) {
        int64_t first = c * 3, base = c * 100;
        at_time(&f, base + 10, first, base + 10);
        at_time(&f, base + 11, first + 1, base + 30);
        at_time(&f, base + 30, first + 1, base + 30);
    }
    at_time(&f, 431, -1, -1);
    at_time(&f, -5, 0, 10);
    CHECK_OK(log_record_latest(f.p, &o, &t, &d), &d);
    CHECK_INT(o, 13);
    CHECK_INT(t, 430);
    append_records(&f, CODEC_LZ4, (int64_t[]){5, 430, 7}, 3); /* as late: the first one counts */
    CHECK_OK(log_record_latest(f.p, &o, &t, &d), &d);
    CHECK_INT(o, 13);
    fixture_close(&f);
}

TEST(a_head_that_promises_a_later_time_than_its_records_have_is_passed_over)
{
    struct fixture f = fixture_open("liar");
    struct record_builder b = record_builder_make(MIB(1));
    struct buf out = buf_make(MIB(1));
    int64_t at;
    record_builder_add(&b, 50, SLICE("k"), SLICE("v"), NULL, 0);
    struct record_batch_options o = {CODEC_NONE, -1, -1, -1, false, false};
    CHECK_OK(record_builder_finish(&b, &o, &out), NULL);
    buf_set_be(&out, 35, 900, 8);
    batch_mend(out.at, out.len);
    CHECK_OK(log_append_wait(f.log, f.p, out.at, out.len, 1, &at, NULL), NULL);
    append_records(&f, CODEC_NONE, (int64_t[]){60, 800}, 2);
    at_time(&f, 51, 1, 60);
    at_time(&f, 801, -1, -1);
    buf_done(&out);
    record_builder_done(&b);
    fixture_close(&f);
}

TEST(blocks_of_producer_ids_never_overlap_and_survive)
{
    struct fixture f = fixture_open("ids");
    int64_t first, next;
    struct diag d = {0};
    CHECK_OK(log_producer_ids_take(f.log, 1000, &first, &d), &d);
    CHECK_INT(first, 0);
    fixture_crash(&f);
    fixture_reopen(&f);
    CHECK_OK(log_producer_ids_take(f.log, 1, &next, &d), &d);
    CHECK_INT(next, 1000);
    CHECK_ERR(log_producer_ids_take(f.log, 0, &next, &d), ERR_RANGE);
    CHECK_ERR(log_producer_ids_take(f.log, INTERNAL_PRODUCERS, &next, &d), ERR_RANGE);
    fixture_close(&f);
}
