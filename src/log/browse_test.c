/* Looks at records: forward, backward and merged they tell the same ones; pages of any size put
 * together are the whole; what transactions, gaps and damage make of records is told. */
#include "log/browse.h"
#include "log/log_test_kit.h"

enum { TOLD_MAX = 20000, SEGMENT = 64 << 10 };

struct told {
    int32_t partition;
    int64_t offset, time;
    enum browse_kind kind;
    char value[24];
};
struct list {
    struct told *at;
    size_t count;
};

static struct list list_new(void)
{
    return (struct list){.at = mem_take(TOLD_MAX * sizeof(struct told))};
}

static void note(struct list *l, const struct browse_record *r)
{
    INVARIANT(l->count < TOLD_MAX);
    struct told *t = &l->at[l->count++];
    *t = (struct told){r->partition, r->record.offset, r->record.timestamp, r->kind, {0}};
    if (!r->record.value_null && r->kind < BROWSE_COMMIT_MARK)
        snprintf(t->value, sizeof(t->value), "%.*s", SLICE_ARG(r->record.value));
}

/* One batch of `count` records "v<n>", from *n on, of growing or jumping times. */
static int64_t put(struct log *log, struct log_partition *p, int count, int *n, int64_t ms,
                   enum codec codec, int64_t pid, int32_t seq)
{
    struct record_builder b = record_builder_make(MIB(8));
    struct record_batch_options o = {.codec = codec,
                                     .producer_id = pid,
                                     .producer_epoch = pid < 0 ? -1 : 0,
                                     .base_sequence = pid < 0 ? -1 : seq,
                                     .transactional = pid >= 0};
    struct buf out = buf_make(MIB(16));
    struct diag d = {0};
    int64_t base = -1;
    for (int i = 0; i < count; i++) {
        char text[24];
        snprintf(text, sizeof(text), "v%d", (*n)++);
        record_builder_add(&b, ms + i, slice_of("k"), slice_of(text), NULL, 0);
    }
    CHECK_OK(record_builder_finish(&b, &o, &out), NULL);
    CHECK_OK(log_append_wait(log, p, out.at, out.len, ms, &base, &d), &d);
    buf_done(&out);
    record_builder_done(&b);
    return base;
}

/* All there is, in pages of `page` records, each by a look of its own. */
static struct list browse_all(struct log_topic *t, bool backward, size_t page)
{
    struct list l = list_new();
    struct browse_start at[8];
    uint32_t count = (uint32_t)log_topic_partitions(t);
    for (uint32_t i = 0; i < count; i++)
        at[i] = (struct browse_start){(int32_t)i, backward ? INT64_MAX : 0};
    for (bool more = true; more;) {
        struct diag d = {0};
        struct browse *look;
        struct browse_record r;
        size_t n = 0;
        err_t e = ERR_OK;
        CHECK_OK(browse_open(t, at, count, backward, &look, &d), &d);
        while (n < page && (e = browse_next(look, &r, &d)) == ERR_OK) n++, note(&l, &r);
        if (e && e != ERR_NOT_FOUND) CHECK_OK(e, &d);
        for (uint32_t i = 0; i < count; i++) at[i].offset = browse_place(look, i);
        browse_close(look);
        more = n == page;
    }
    return l;
}

static bool same(const struct told *a, const struct told *b)
{
    return a->partition == b->partition && a->offset == b->offset && a->kind == b->kind &&
           a->time == b->time && strcmp(a->value, b->value) == 0;
}

static void check_same(const struct list *a, const struct list *b, bool reversed)
{
    CHECK_INT(a->count, b->count);
    for (size_t i = 0; i < a->count && a->count == b->count; i++) {
        const struct told *x = &a->at[i], *y = &b->at[reversed ? b->count - 1 - i : i];
        if (same(x, y)) continue;
        test_failed(__FILE__, __LINE__, "at %zu: %d/%lld %s, not %d/%lld %s", i, x->partition,
                    (long long)x->offset, x->value, y->partition, (long long)y->offset, y->value);
        return;
    }
}

static struct log_topic *many_partitions(struct fixture *f, int32_t count)
{
    struct log_topic_config c = log_topic_defaults();
    struct log_topic *t = NULL;
    struct diag d = {0};
    c.segment_bytes = SEGMENT;
    CHECK_OK(log_topic_create(f->log, SLICE("many"), count, &c, &t, &d), &d);
    return t;
}

TEST(every_record_once_in_pages_of_any_size_forward_and_backward)
{
    struct fixture f = fixture_open("look");
    struct log_topic *t = many_partitions(&f, 3);
    uint64_t random = 7;
    int n = 0;
    int64_t ms = 1000;
    for (int i = 0; i < 600; i++) {
        int32_t p = (int32_t)(test_random(&random) % 3);
        int count = 1 + (int)(test_random(&random) % (i % 50 == 0 ? 900 : 12));
        enum codec codec = (enum codec)(test_random(&random) % CODECS);
        put(f.log, log_partition(t, p), count, &n, ms, codec, -1, 0);
        ms += 1000; /* later than all of the batch before: the merged order is one */
    }
    struct list all = browse_all(t, false, SIZE_MAX);
    CHECK_INT(all.count, n);
    for (size_t i = 0; i < all.count; i++) {
        char want[24];
        snprintf(want, sizeof(want), "v%zu", i);
        if (strcmp(all.at[i].value, want) != 0) {
            test_failed(__FILE__, __LINE__, "at %zu: %s", i, all.at[i].value);
            break;
        }
    }
    static const size_t pages[] = {7, 100, 999};
    for (size_t i = 0; i < COUNT_OF(pages); i++) {
        struct list paged = browse_all(t, false, pages[i]), back = browse_all(t, true, pages[i]);
        check_same(&paged, &all, false);
        check_same(&back, &all, true);
        mem_give(paged.at);
        mem_give(back.at);
    }
    mem_give(all.at);
    fixture_close(&f);
}

static const char *kinds_text(struct log_topic *t, bool backward)
{
    static char text[600];
    struct buf b = buf_over(text, sizeof(text) - 1);
    struct list l = browse_all(t, backward, 2);
    for (size_t i = 0; i < l.count; i++)
        buf_printf(&b, "%s%lld:%s", i ? " " : "", (long long)l.at[i].offset,
                   browse_kind_name(l.at[i].kind));
    text[b.len] = 0;
    mem_give(l.at);
    return text;
}

TEST(what_transactions_made_of_records_is_told)
{
    struct fixture f = fixture_open("txn");
    int n = 0;
    for (int64_t pid = 7; pid < 10; pid++) CHECK_OK(log_txn_admit(f.p, pid, 0), NULL);
    put(f.log, f.p, 1, &n, 1, CODEC_NONE, -1, 0);
    put(f.log, f.p, 1, &n, 2, CODEC_NONE, 7, 0);
    put(f.log, f.p, 1, &n, 3, CODEC_LZ4, 8, 0);
    put(f.log, f.p, 1, &n, 4, CODEC_NONE, 9, 0);
    CHECK_INT(append_marker(&f, (struct marker_want){7, 0, true, 0}), 4);
    CHECK_INT(append_marker(&f, (struct marker_want){8, 0, false, 0}), 5);
    put(f.log, f.p, 1, &n, 7, CODEC_NONE, -1, 0);
    CHECK_TEXT(kinds_text(f.topic, false), "0:record 1:committed 2:aborted 3:open 4:commit_mark "
                                           "5:abort_mark 6:record");
    CHECK_TEXT(kinds_text(f.topic, true), "6:record 5:abort_mark 4:commit_mark 3:open 2:aborted "
                                          "1:committed 0:record");
    CHECK_INT(append_marker(&f, (struct marker_want){9, 0, false, 0}), 7);
    CHECK_TEXT(kinds_text(f.topic, false), "0:record 1:committed 2:aborted 3:aborted 4:commit_mark "
                                           "5:abort_mark 6:record 7:abort_mark");
    fixture_close(&f);
}

TEST(a_batch_that_can_not_be_opened_is_one_row)
{
    struct fixture f = fixture_open("damaged");
    int n = 0;
    put(f.log, f.p, 2, &n, 1, CODEC_ZSTD, -1, 0);
    CHECK_INT(append_one(&f, (struct batch_want){.count = 5, .size = 100, .ms = 2}), 2);
    put(f.log, f.p, 1, &n, 3, CODEC_NONE, -1, 0);
    CHECK_TEXT(kinds_text(f.topic, false), "0:record 1:record 2:unreadable 7:record");
    CHECK_TEXT(kinds_text(f.topic, true), "7:record 2:unreadable 1:record 0:record");
    fixture_close(&f);
}

TEST(a_look_ends_where_it_shall)
{
    struct fixture f = fixture_open("until");
    struct diag d = {0};
    static const int64_t untils[] = {1, 10, 15, 20, 99, 0};
    int n = 0;
    for (int i = 0; i < 4; i++) put(f.log, f.p, 10, &n, i * 100, CODEC_NONE, -1, 0);
    for (size_t i = 0; i < COUNT_OF(untils); i++) {
        int64_t end = untils[i] && untils[i] < 40 ? untils[i] : 40, at = 0;
        struct browse_start start = {.partition = 0, .until = untils[i]};
        struct browse *l;
        struct browse_record r;
        CHECK_OK(browse_open(f.topic, &start, 1, false, &l, &d), &d);
        while (browse_next(l, &r, &d) == ERR_OK) CHECK_INT(r.record.offset, at++);
        CHECK_INT(at, end);
        CHECK_INT(browse_place(l, 0), end); /* another look goes on there */
        browse_close(l);
    }
    fixture_close(&f);
}

TEST(what_is_deleted_is_not_told_and_places_outside_are_clipped)
{
    struct fixture f = fixture_open("cut");
    struct diag d = {0};
    int64_t low;
    int n = 0;
    for (int i = 0; i < 20; i++) put(f.log, f.p, 10, &n, i * 100, CODEC_NONE, -1, 0);
    CHECK_OK(log_delete_records(f.p, 194, &low, &d), &d);
    CHECK_TEXT(kinds_text(f.topic, false),
               "194:record 195:record 196:record 197:record 198:record 199:record");
    CHECK_TEXT(kinds_text(f.topic, true),
               "199:record 198:record 197:record 196:record 195:record 194:record");
    struct browse *l;
    struct browse_record r;
    CHECK_OK(browse_open(f.topic, &(struct browse_start){0, 5000}, 1, false, &l, &d), &d);
    CHECK_ERR(browse_next(l, &r, &d), ERR_NOT_FOUND);
    CHECK_INT(browse_place(l, 0), 200);
    browse_close(l);
    CHECK_ERR(browse_open(f.topic, &(struct browse_start){3, 0}, 1, false, &l, &d),
              ERR_UNKNOWN_TOPIC);
    fixture_close(&f);
}

static err_t note_each(void *ctx, const struct browse_record *r)
{
    note(ctx, r);
    return ERR_OK;
}

TEST(the_last_records_come_from_all_partitions_alike)
{
    struct fixture f = fixture_open("last");
    struct log_topic *t = many_partitions(&f, 4);
    struct diag d = {0};
    struct list l = list_new();
    int n = 0;
    for (int i = 0; i < 100; i++) put(f.log, log_partition(t, 1), 1, &n, i, CODEC_NONE, -1, 0);
    for (int i = 0; i < 3; i++) put(f.log, log_partition(t, 3), 1, &n, i, CODEC_NONE, -1, 0);
    CHECK_OK(browse_last(t, 10, note_each, &l, &d), &d);
    CHECK_INT(l.count,
              7); /* a share of 4 for partition 1 of three that are left, all 3 of the last */
    CHECK_TEXT(l.at[0].value, "v96");
    CHECK_TEXT(l.at[l.count - 1].value, "v102");
    l.count = 0;
    CHECK_OK(browse_last(t, 1000, note_each, &l, &d), &d);
    CHECK_INT(l.count, 103);
    mem_give(l.at);
    fixture_close(&f);
}
