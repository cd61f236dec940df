/* Goal: a fetch is answered as soon as it can be and not before, its session follows KIP-227, and
 * the bytes are the log's own. Method: a client's requests, and the table of sessions by itself. */
#include "door/kafka/door_kit.h"
#include "door/kafka/fetch.h"
#include "os/clock.h"
#include "test.h"

#include <poll.h>
#include <unistd.h>

struct asked { /* one partition */
    const char *topic;
    int32_t index;
    int64_t offset;
};

static struct kafka_fetch_request request_of(int32_t max_wait_ms, int32_t min_bytes)
{
    struct kafka_fetch_request q;
    kafka_init(&kafka_fetch_request_message, &q);
    q.max_wait_ms = max_wait_ms;
    q.min_bytes = min_bytes;
    q.max_bytes = 50 << 20;
    return q;
}

/* `rows` in their order, a topic entry each. */
static void fetch_send(struct kit *k, int16_t version, struct kafka_fetch_request *q,
                       const struct asked *rows, int32_t count)
{
    static struct kafka_fetch_request_topic topics[64];
    static struct kafka_fetch_request_partition parts[64];
    for (int32_t i = 0; i < count; i++) {
        kafka_struct_init(&kafka_fetch_request_topic_struct, &topics[i]);
        kafka_struct_init(&kafka_fetch_request_partition_struct, &parts[i]);
        parts[i].partition = rows[i].index;
        parts[i].fetch_offset = rows[i].offset;
        parts[i].partition_max_bytes = 1 << 20;
        topics[i].topic = slice_of(rows[i].topic);
        struct log_topic *t = log_topic_find(k->log, topics[i].topic);
        if (version >= 13 && t) memcpy(topics[i].topic_id.at, log_topic_id(t), 16);
        topics[i].partitions.at = &parts[i];
        topics[i].partitions.count = 1;
    }
    q->topics.at = topics;
    q->topics.count = count;
    kit_send(k, KAFKA_API_fetch, version, q);
}

static struct kafka_fetch_response fetch(struct kit *k, int16_t version,
                                         struct kafka_fetch_request *q, const struct asked *rows,
                                         int32_t count)
{
    struct kafka_fetch_response r;
    kafka_init(&kafka_fetch_response_message, &r);
    fetch_send(k, version, q, rows, count);
    CHECK(kit_answer(k, KAFKA_API_fetch, version, &r));
    return r;
}

static const struct kafka_fetch_response_partition *only(const struct kafka_fetch_response *r)
{
    static struct kafka_fetch_response_partition none;
    CHECK_INT(r->responses.count, 1);
    return r->responses.count == 1 ? r->responses.at->partitions.at : &none;
}

static int64_t ms_now(void)
{
    return clock_mono_ns() / 1000000;
}

static bool silent_for(int fd, int ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, ms) == 0;
}

TEST(every_version_brings_the_log_s_own_bytes)
{
    struct kit k = {0};
    kit_open(&k);
    kit_topic(&k, "t", 1, NULL, NULL);
    kit_produced(&k, "t", 0, 10, 100);
    kit_produced(&k, "t", 0, 5, 100);
    struct buf want = buf_make(MIB(1));
    CHECK_OK(log_read(log_partition(log_topic_find(k.log, SLICE("t")), 0), 0, MIB(1), &want, NULL),
             NULL);
    for (int16_t v = 4; v <= 18; v++) {
        struct kafka_fetch_request q = request_of(0, 1);
        q.session_epoch = -1;
        struct kafka_fetch_response r = fetch(&k, v, &q, &(struct asked){"t", 0, 3}, 1);
        const struct kafka_fetch_response_partition *p = only(&r);
        CHECK_INT(p->error_code, 0);
        CHECK_INT(p->high_watermark, 15);
        CHECK_INT(p->last_stable_offset, 15);
        CHECK_INT(r.session_id, 0);
        CHECK(slice_equal(p->records.bytes, buf_view(&want)));
        if (v < 13) CHECK_SLICE(r.responses.at->topic, "t");
    }
    buf_done(&want);
    kit_close(&k);
}

TEST(large_answers_are_sent_from_the_file_and_small_ones_read)
{
    struct kit k = {0};
    kit_open(&k);
    kit_topic(&k, "t", 2, NULL, NULL);
    for (int i = 0; i < 20; i++) kit_produced(&k, "t", 0, 10, 20000); /* 4 MiB in large batches */
    kit_produced(&k, "t", 1, 3, 10);
    int64_t offset = 0;
    int rounds = 0;
    while (offset < 200 && rounds++ < 100) {
        struct kafka_fetch_request q = request_of(0, 1);
        q.session_epoch = -1;
        struct kafka_fetch_response r =
            fetch(&k, 12, &q, (struct asked[]){{"t", 1, 0}, {"t", 0, offset}}, 2);
        CHECK_INT(r.responses.count, 1); /* neighbours of one topic share its entry */
        CHECK_INT(r.responses.at->partitions.count, 2);
        struct slice left = r.responses.at->partitions.at[1].records.bytes;
        CHECK(left.len <= MIB(1) && left.len > 900000);
        while (left.len) {
            struct record_batch b;
            CHECK_OK(record_batch_read(left, true, &b), NULL);
            CHECK_INT(b.base_offset, offset);
            offset = b.base_offset + b.count;
            left = slice_make(left.at + record_batch_size(&b), left.len - record_batch_size(&b));
        }
    }
    CHECK_INT(offset, 200);
    kit_close(&k);
}

TEST(a_span_says_where_it_ends)
{
    struct kit k = {0};
    struct log_span s;
    kit_open(&k);
    struct log_partition *p = log_partition(kit_topic(&k, "t", 1, NULL, NULL), 0);
    for (int i = 0; i < 6; i++) kit_produced(&k, "t", 0, 10, 1000);
    for (int64_t limit = 10; limit <= 60; limit += 10) {
        CHECK_OK(log_span_take(p, 0, MIB(1), true, limit, &s, NULL), NULL);
        CHECK_INT(s.end, limit);
        log_span_give(&s);
        CHECK_OK(log_span_take(p, 0, 25000, true, limit, &s, NULL), NULL);
        CHECK_INT(s.end, MIN(limit, 20));
        log_span_give(&s);
    }
    kit_close(&k);
}

TEST(one_batch_comes_however_small_the_limits_are)
{
    struct kit k = {0};
    kit_open(&k);
    kit_topic(&k, "t", 2, NULL, NULL);
    kit_produced(&k, "t", 0, 10, 1000);
    kit_produced(&k, "t", 1, 10, 1000);
    struct kafka_fetch_request q = request_of(0, 1);
    q.max_bytes = 1;
    q.session_epoch = -1;
    struct kafka_fetch_response r =
        fetch(&k, 11, &q, (struct asked[]){{"t", 0, 0}, {"t", 1, 0}}, 2);
    CHECK(r.responses.at->partitions.at[0].records.bytes.len > 10000);
    CHECK_INT(r.responses.at->partitions.at[1].records.bytes.len, 0);
    kit_close(&k);
}

TEST(a_fetch_waits_for_bytes_and_no_longer_than_it_may)
{
    struct kit k = {0};
    struct kit other = {0};
    kit_open(&k);
    other = k;
    other.frame = buf_make(MIB(1));
    other.fd = kit_connect(&k);
    kit_topic(&k, "t", 1, NULL, NULL);
    struct kafka_fetch_request q = request_of(5000, 1);
    q.session_epoch = -1;
    struct kafka_fetch_response r;
    fetch_send(&k, 12, &q, &(struct asked){"t", 0, 0}, 1);
    CHECK(silent_for(k.fd, 50));
    int64_t began = ms_now();
    kit_produced(&other, "t", 0, 1, 10);
    CHECK(kit_answer(&k, KAFKA_API_fetch, 12, &r));
    CHECK(ms_now() - began < 2000);
    CHECK(only(&r)->records.bytes.len > 0);
    CHECK_INT(only(&r)->high_watermark, 1);
    /* more bytes than one batch has: the second one ends it */
    q.min_bytes = 1500;
    fetch_send(&k, 12, &q, &(struct asked){"t", 0, 1}, 1);
    kit_produced(&other, "t", 0, 1, 1000);
    CHECK(silent_for(k.fd, 50));
    kit_produced(&other, "t", 0, 1, 1000);
    CHECK(kit_answer(&k, KAFKA_API_fetch, 12, &r));
    CHECK_INT(only(&r)->high_watermark, 3);
    /* nothing comes: the time ends it, with what there is */
    q.max_wait_ms = 60;
    began = ms_now();
    r = fetch(&k, 12, &q, &(struct asked){"t", 0, 2}, 1);
    CHECK(ms_now() - began >= 55);
    CHECK(only(&r)->records.bytes.len > 0 && only(&r)->records.bytes.len < 1500);
    close(other.fd);
    buf_done(&other.frame);
    kit_close(&k);
}

TEST(a_door_closes_over_fetches_that_wait)
{
    size_t before = mem_held();
    struct kit k = {0};
    int fd[20];
    kit_open(&k);
    kit_topic(&k, "t", 3, NULL, NULL);
    struct kafka_fetch_request q = request_of(60000, 1);
    for (size_t i = 0; i < COUNT_OF(fd); i++) {
        fd[i] = k.fd;
        fetch_send(&k, 12, &q, (struct asked[]){{"t", 0, 0}, {"t", 1, 0}, {"t", 2, 0}}, 3);
        k.fd = kit_connect(&k);
    }
    for (size_t i = 0; i < COUNT_OF(fd) / 2; i++) close(fd[i]);
    CHECK(silent_for(fd[19], 30));
    int64_t began = ms_now();
    kit_close(&k);
    CHECK(ms_now() - began < 5000);
    for (size_t i = COUNT_OF(fd) / 2; i < COUNT_OF(fd); i++) close(fd[i]);
    CHECK_INT(mem_held(), before);
}

TEST(errors_of_a_partition_have_kafka_s_codes)
{
    struct kit k = {0};
    kit_open(&k);
    kit_topic(&k, "t", 1, NULL, NULL);
    kit_produced(&k, "t", 0, 4, 10);
    struct kafka_fetch_request q = request_of(0, 1);
    q.session_epoch = -1;
    struct kafka_fetch_response r = fetch(&k, 12, &q, &(struct asked){"t", 0, 5}, 1);
    CHECK_INT(only(&r)->error_code, KAFKA_ERROR_OFFSET_OUT_OF_RANGE);
    CHECK_INT(only(&r)->high_watermark, -1);
    r = fetch(&k, 12, &q, &(struct asked){"t", 3, 0}, 1);
    CHECK_INT(only(&r)->error_code, KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION);
    r = fetch(&k, 12, &q, &(struct asked){"nope", 0, 0}, 1);
    CHECK_INT(only(&r)->error_code, KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION);
    r = fetch(&k, 13, &q, &(struct asked){"nope", 0, 0}, 1);
    CHECK_INT(only(&r)->error_code, KAFKA_ERROR_UNKNOWN_TOPIC_ID);
    kit_close(&k);
}

TEST(leader_epochs_that_never_were_are_told)
{
    struct kit k = {0};
    kit_open(&k);
    kit_topic(&k, "t", 1, NULL, NULL);
    kit_produced(&k, "t", 0, 4, 10);
    struct kafka_fetch_request q = request_of(0, 1);
    struct kafka_fetch_request_topic t;
    struct kafka_fetch_request_partition p;
    struct kafka_fetch_response r;
    kafka_struct_init(&kafka_fetch_request_topic_struct, &t);
    kafka_struct_init(&kafka_fetch_request_partition_struct, &p);
    t.topic = SLICE("t");
    t.partitions.at = &p;
    t.partitions.count = 1;
    q.session_epoch = -1;
    q.topics.at = &t;
    q.topics.count = 1;
    p.partition_max_bytes = 1 << 20;
    p.current_leader_epoch = 3;
    CHECK(kit_ask(&k, KAFKA_API_fetch, 12, &q, &r));
    CHECK_INT(only(&r)->error_code, KAFKA_ERROR_UNKNOWN_LEADER_EPOCH);
    p.current_leader_epoch = 0;
    p.last_fetched_epoch = 0;
    p.fetch_offset = 9; /* beyond the end: where our epoch ends */
    CHECK(kit_ask(&k, KAFKA_API_fetch, 12, &q, &r));
    CHECK_INT(only(&r)->error_code, 0);
    CHECK_INT(only(&r)->diverging_epoch.epoch, 0);
    CHECK_INT(only(&r)->diverging_epoch.end_offset, 4);
    kit_close(&k);
}

/* --- sessions --------------------------------------------------------------------------------- */

TEST(a_session_tells_only_what_is_new)
{
    struct kit k = {0};
    kit_open(&k);
    kit_topic(&k, "a", 1, NULL, NULL);
    kit_topic(&k, "b", 1, NULL, NULL);
    struct kafka_fetch_request q = request_of(0, 1);
    q.session_epoch = 0;
    struct kafka_fetch_response r =
        fetch(&k, 12, &q, (struct asked[]){{"a", 0, 0}, {"b", 0, 0}}, 2);
    CHECK_INT(r.responses.count, 2); /* the first answer is whole */
    CHECK(r.session_id > 0);
    q.session_id = r.session_id;
    q.session_epoch = 1;
    r = fetch(&k, 12, &q, NULL, 0);
    CHECK_INT(r.responses.count, 0);
    CHECK_INT(r.session_id, q.session_id);
    kit_produced(&k, "b", 0, 2, 10);
    q.session_epoch = 2;
    r = fetch(&k, 12, &q, NULL, 0);
    CHECK_SLICE(r.responses.at->topic, "b");
    CHECK(only(&r)->records.bytes.len > 0);
    q.session_epoch = 3;
    r = fetch(&k, 12, &q, &(struct asked){"b", 0, 2}, 1); /* read: goes on behind it */
    CHECK_INT(r.responses.count, 0);
    kit_produced(&k, "a", 0, 2, 10);
    struct kafka_fetch_request_forgotten_topic f;
    int32_t zero = 0;
    kafka_struct_init(&kafka_fetch_request_forgotten_topic_struct, &f);
    f.topic = SLICE("a");
    f.partitions.at = &zero;
    f.partitions.count = 1;
    q.forgotten_topics_data.at = &f;
    q.forgotten_topics_data.count = 1;
    q.session_epoch = 4;
    r = fetch(&k, 12, &q, NULL, 0);
    CHECK_INT(r.responses.count, 0); /* "a" is no more of it */
    kit_close(&k);
}

TEST(a_session_s_epoch_and_id_have_to_be_right)
{
    struct kit k = {0};
    kit_open(&k);
    kit_topic(&k, "a", 1, NULL, NULL);
    struct kafka_fetch_request q = request_of(0, 1);
    struct kafka_fetch_response r = fetch(&k, 12, &q, &(struct asked){"a", 0, 0}, 1);
    CHECK_INT(r.session_id, 0); /* epoch -1: none is wanted */
    q.session_epoch = 0;
    r = fetch(&k, 12, &q, &(struct asked){"a", 0, 0}, 1);
    q.session_id = r.session_id;
    q.session_epoch = 2;
    r = fetch(&k, 12, &q, NULL, 0);
    CHECK_INT(r.error_code, KAFKA_ERROR_INVALID_FETCH_SESSION_EPOCH);
    q.session_epoch = 1;
    r = fetch(&k, 13, &q, NULL, 0);
    CHECK_INT(r.error_code, KAFKA_ERROR_FETCH_SESSION_TOPIC_ID_ERROR);
    r = fetch(&k, 12, &q, NULL, 0);
    CHECK_INT(r.error_code, 0);
    q.session_epoch = -1; /* the last one */
    r = fetch(&k, 12, &q, &(struct asked){"a", 0, 0}, 1);
    CHECK_INT(r.error_code, 0);
    CHECK_INT(r.session_id, 0);
    q.session_epoch = 2;
    r = fetch(&k, 12, &q, NULL, 0);
    CHECK_INT(r.error_code, KAFKA_ERROR_FETCH_SESSION_ID_NOT_FOUND);
    kit_close(&k);
}

static struct fetch_item some_item(int32_t index)
{
    return (struct fetch_item){.name = SLICE("t"), .index = index};
}

TEST(sessions_are_bounded_and_the_silent_and_the_small_go_first)
{
    size_t before = mem_held();
    struct fetch_room *room;
    struct fetch_item items[3] = {some_item(0), some_item(1), some_item(2)};
    CHECK_OK(fetch_room_open(&room, NULL), NULL);
    int64_t now = 1000000;
    for (int i = 0; i < SESSIONS_MAX; i++) {
        struct fetch_session *s = session_make(room, items, 2, false, now);
        CHECK(s != NULL);
        session_end(room, s, now);
    }
    CHECK(session_make(room, items, 3, false, now + SESSION_EVICT_MS) == NULL); /* all too young */
    CHECK_INT(fetch_room_sessions(room), SESSIONS_MAX);
    struct fetch_session *s = session_make(room, items, 1, false, now + SESSION_EVICT_MS + 1);
    CHECK(s != NULL); /* in the place of a silent one */
    CHECK_INT(fetch_room_sessions(room), SESSIONS_MAX);
    if (s) session_end(room, s, now + SESSION_EVICT_MS + 1);
    fetch_room_close(room);
    CHECK_INT(mem_held(), before);
}
