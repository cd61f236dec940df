/* Scans: what they find, in pages that go on where the last one ended, with a condition too; and
 * records as JSON. */
#include "base/say.h"
#include "door/console/record_js.h"
#include "door/console/scan.h"
#include "test.h"

#include <stdio.h>

enum { RECORDS = 3000 };

struct world {
    char dir[600];
    struct log *log;
    struct log_topic *topic;
};

static struct world world_open(void)
{
    struct world w = {.log = NULL};
    struct diag d = {0};
    struct log_topic_config c = log_topic_defaults();
    say_to(-1);
    snprintf(w.dir, sizeof(w.dir), "%s/log", test_dir());
    CHECK_OK(log_open(&(struct log_options){.dir = w.dir}, 1, &w.log, &d), &d);
    CHECK_OK(log_topic_create(w.log, SLICE("t"), 2, &c, &w.topic, &d), &d);
    for (int i = 0; i < RECORDS;) {
        struct record_builder b = record_builder_make(MIB(1));
        struct record_batch_options o = {
            .codec = CODEC_LZ4, .producer_id = -1, .producer_epoch = -1, .base_sequence = -1};
        struct record_header h = {SLICE("where"), i < 1500 ? SLICE("Oslo") : SLICE("Rome"), false};
        struct buf out = buf_make(MIB(1));
        int64_t at;
        int32_t partition = i / 100 % 2;
        for (int k = 0; k < 100; k++, i++) {
            char text[60];
            snprintf(text, sizeof(text), "{\"n\":%d,\"word\":\"%s\"}", i,
                     i % 7 ? "other" : "Seven");
            record_builder_add(&b, 1000 + i, SLICE("k"), slice_of(text), &h, 1);
        }
        CHECK_OK(record_builder_finish(&b, &o, &out), NULL);
        CHECK_OK(
            log_append_wait(w.log, log_partition(w.topic, partition), out.at, out.len, 1, &at, &d),
            &d);
        buf_done(&out);
        record_builder_done(&b);
    }
    return w;
}

struct told {
    int64_t times[RECORDS];
    uint32_t count, most;
};

static err_t tell(void *ctx, const struct browse_record *r)
{
    struct told *t = ctx;
    if (t->most && t->count == t->most) return ERR_TOO_BIG;
    t->times[t->count++] = r->record.timestamp;
    return ERR_OK;
}

/* Everything that is found, by pages; the times of its records in their order. */
static void scan_all(struct world *w, struct scan_ask q, struct told *out)
{
    struct browse_start places[2] = {{0, q.backward ? INT64_MAX : 0},
                                     {1, q.backward ? INT64_MAX : 0}};
    struct scan_found f;
    struct diag d = {0};
    out->count = 0;
    q.topic = w->topic;
    q.tell = tell;
    q.ctx = out;
    do {
        f = (struct scan_found){.places = places, .count = 2};
        CHECK_OK(scan_run(&q, &f, &d), &d);
    } while (f.end == SCAN_LIMIT);
    CHECK_INT(f.end, SCAN_END);
    CHECK_INT(f.left, 0);
}

static const struct sql_relation *find(void *ctx, struct slice keyspace, struct slice name)
{
    static struct sql_relation r = {.kind = RELATION_TOPIC, .open = true};
    r.name = SLICE("t");
    (void)ctx;
    return !keyspace.at && slice_is(name, "t") ? &r : NULL;
}

static size_t names(void *ctx, const char **out, size_t max)
{
    (void)ctx, (void)out, (void)max;
    return 0;
}

TEST(pages_of_a_search_are_the_whole_of_it)
{
    struct world w = world_open();
    struct sql_catalog c = {.find = find, .names = names};
    struct record_where *where;
    struct diag d = {0};
    struct told *t = mem_take(sizeof(*t));
    CHECK_OK(record_where_new(&c, SLICE("t"), SLICE("word = 'Seven' AND CAST(n AS int) < 2000"),
                              &where, &d),
             &d);
    static const uint64_t limits[] = {1, 13, 100, 10000};
    for (size_t i = 0; i < COUNT_OF(limits); i++)
        for (int way = 0; way < 2; way++) {
            struct scan_ask q = {.backward = way, .limit = limits[i]};
            scan_all(&w, q, t);
            CHECK_INT(t->count, RECORDS);
            CHECK_INT(t->times[0], way ? 1000 + RECORDS - 1 : 1000);
            q.text = SLICE("seven");
            scan_all(&w, q, t);
            CHECK_INT(t->count, (RECORDS + 6) / 7);
            q.text = SLICE("OSLO");
            scan_all(&w, q, t);
            CHECK_INT(t->count, 1500);
            q.where = where;
            scan_all(&w, q, t);
            CHECK_INT(t->count, 215); /* sevens below 1500 */
            q.text = SLICE("");
            scan_all(&w, q, t);
            CHECK_INT(t->count, 286);
            CHECK_INT(t->times[way ? 285 : 0], 1000);
        }
    record_where_free(where);
    mem_give(t);
    log_close(w.log);
}

static bool stop(void *ctx)
{
    (void)ctx;
    return true;
}

TEST(a_scan_ends_when_it_has_cost_enough)
{
    struct world w = world_open();
    struct told *t = mem_take(sizeof(*t));
    struct browse_start places[2] = {{0, 0}, {1, 0}};
    struct scan_found f = {.places = places, .count = 2};
    struct diag d = {0};
    struct scan_ask q = {.topic = w.topic, .limit = 10000, .tell = tell, .ctx = t};
    t->most = 50;
    CHECK_OK(scan_run(&q, &f, &d), &d);
    CHECK_INT(f.end, SCAN_BYTES);
    CHECK_INT(f.told, 50);
    CHECK_INT(places[0].offset, 50);
    t->most = 0;
    q.stopping = stop;
    f = (struct scan_found){.places = places, .count = 2};
    CHECK_OK(scan_run(&q, &f, &d), &d);
    CHECK_INT(f.end, SCAN_STOPPED);
    CHECK(f.told < 300);
    q.stopping = NULL;
    q.budget_ns = 1;
    f = (struct scan_found){.places = places, .count = 2};
    CHECK_OK(scan_run(&q, &f, &d), &d);
    CHECK_INT(f.end, SCAN_TIME);
    mem_give(t);
    log_close(w.log);
}

TEST(places_are_read_as_they_are_written)
{
    struct browse_start p[SCAN_PLACES_MAX];
    struct diag d = {0};
    char text[100];
    uint32_t n;
    CHECK_OK(scan_places_read(SLICE("0:12,7:0,2:9223372036854775807"), p, &n, &d), &d);
    CHECK_INT(n, 3);
    struct buf b = buf_over(text, sizeof(text));
    scan_places_put(&b, p, n);
    CHECK_SLICE(buf_view(&b), "0:12,7:0,2:9223372036854775807");
    static const char *const wrong[] = {"x", "1", "1:", ":1", "1:2,", "-1:2", "1:-2", "1:2;3"};
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        if (strcmp(wrong[i], "1:2,") != 0)
            CHECK_ERR(scan_places_read(slice_of(wrong[i]), p, &n, &d), ERR_USAGE);
}

static void expect_bytes(const char *bytes, size_t len, const char *kind)
{
    char padded[300] = {0};
    struct json_decoder *j = json_decoder_new();
    memcpy(padded, bytes, len);
    CHECK_TEXT(bytes_kind_names[bytes_kind_of(j, slice_make(padded, len), false)], kind);
    json_decoder_free(j);
}

TEST(bytes_are_told_as_what_they_are)
{
    expect_bytes("{\"a\":1}", 7, "json");
    expect_bytes(" [1]", 4, "json");
    expect_bytes("{\"a\":", 5, "text");
    expect_bytes("12", 2, "text");
    expect_bytes("", 0, "text");
    expect_bytes("a\nb", 3, "text");
    expect_bytes("\xc3\xa6", 2, "text");
    expect_bytes("\xc3", 1, "binary");
    expect_bytes("a\0b", 3, "binary");
    CHECK_TEXT(bytes_kind_names[bytes_kind_of(NULL, (struct slice){0}, true)], "null");
}

TEST(a_record_is_json_whatever_it_holds)
{
    static const uint8_t value[8 + JSON_PADDING] = {0, 0, 0, 0, 9, 1, 2, 3};
    struct browse_record r = {
        .record = {.offset = 3, .timestamp = 1, .key_null = true, .value = {value, 8}},
        .last_offset = 3,
        .producer_id = -1};
    struct record_js js;
    struct buf out = buf_make(KIB(64));
    struct diag d = {0};
    CHECK_OK(record_js_init(&js, 4, &d), &d);
    record_js_put(&js, &out, &r);
    CHECK_SLICE(
        buf_view(&out),
        "{\"partition\":0,\"offset\":3,\"last_offset\":3,\"time\":\"1970-01-01T00:00:00.001Z\","
        "\"time_ms\":1,\"time_of\":\"producer\",\"kind\":\"record\",\"key\":{\"type\":\"null\","
        "\"text\":null,\"size\":0,\"cut\":false},\"value\":{\"type\":\"binary\",\"text\":"
        "\"00000000\",\"size\":8,\"cut\":true,\"schema_id\":9},\"headers\":[],\"codec\":"
        "\"none\",\"producer_id\":null}");
    record_js_done(&js);
    buf_done(&out);
}
