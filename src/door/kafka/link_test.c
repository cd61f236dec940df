/* Goal: whatever bytes come, and however, a connection costs what it has sent and is answered in
 * order; what is no request ends it. Method: raw sockets against a door on a log of its own. */
#include "door/kafka/door_kit.h"
#include "test.h"

#include <sys/socket.h>
#include <unistd.h>

static void ask_versions(struct kit *k, int16_t version,
                         struct kafka_api_versions_response *response)
{
    struct kafka_api_versions_request q;
    kafka_init(&kafka_api_versions_request_message, &q);
    q.client_software_name = SLICE("kit");
    q.client_software_version = SLICE("1.0");
    CHECK(kit_ask(k, KAFKA_API_api_versions, version, &q, response));
}

TEST(every_api_that_is_served_is_said_and_fits_the_tables)
{
    struct kit k = {0};
    struct kafka_api_versions_response r;
    kit_open(&k);
    for (int16_t v = 0; v <= 4; v++) {
        ask_versions(&k, v, &r);
        CHECK_INT(r.error_code, 0);
        CHECK_INT(r.api_keys.count, kafka_served_count);
        for (int32_t i = 0; i < r.api_keys.count; i++) {
            const struct kafka_api *api = kafka_api_of(r.api_keys.at[i].api_key);
            CHECK(api && r.api_keys.at[i].max_version <= api->last);
            CHECK(i == 0 || r.api_keys.at[i].api_key > r.api_keys.at[i - 1].api_key);
        }
        CHECK_INT(r.api_keys.at[0].min_version, 0); /* Produce: KAFKA-18659 */
        if (v < 3) continue;
        CHECK_INT(r.finalized_features_epoch, 0);
        CHECK_SLICE(r.finalized_features.at->name, "transaction.version");
        CHECK_INT(r.supported_features.at->min_version, v < 4);
    }
    kit_close(&k);
}

TEST(api_versions_of_the_future_is_answered_in_version_0_with_what_is_possible)
{
    static const uint8_t request[] = {0, 0, 0, 14, 0, 18,  0,   99,  0,
                                      0, 0, 7, 0,  3, 'k', 'i', 't', 0};
    static const uint8_t want[] = {0, 0, 0, 16, 0, 0,  0, 7, 0, 35, /* one key, no throttle time */
                                   0, 0, 0, 1,  0, 18, 0, 0, 0, 4};
    uint8_t got[sizeof(want)];
    struct kit k = {0};
    kit_open(&k);
    kit_put(k.fd, request, sizeof(request));
    CHECK(kit_take(k.fd, got, sizeof(got)) && memcmp(got, want, sizeof(want)) == 0);
    struct kafka_api_versions_response r;
    k.sent = k.got = 0;
    ask_versions(&k, 3, &r); /* the connection goes on */
    kit_close(&k);
}

TEST(software_without_a_decent_name_is_told_so)
{
    struct kit k = {0};
    struct kafka_api_versions_request q;
    struct kafka_api_versions_response r;
    kit_open(&k);
    kafka_init(&kafka_api_versions_request_message, &q);
    q.client_software_name = SLICE("-bad name-");
    q.client_software_version = SLICE("1");
    CHECK(kit_ask(&k, KAFKA_API_api_versions, 3, &q, &r));
    CHECK_INT(r.error_code, KAFKA_ERROR_INVALID_REQUEST);
    kit_close(&k);
}

TEST(a_request_may_come_byte_by_byte)
{
    static const uint8_t request[] = {0, 0, 0, 13, 0, 18, 0, 0, 0, 0, 0, 9, 0, 3, 'k', 'i', 't'};
    uint8_t head[8];
    struct kit k = {0};
    kit_open(&k);
    for (size_t i = 0; i < sizeof(request); i++) kit_put(k.fd, request + i, 1);
    CHECK(kit_take(k.fd, head, sizeof(head)));
    CHECK_INT(head[7], 9);
    kit_close(&k);
}

TEST(what_is_no_request_ends_the_connection)
{
    static const struct {
        const char *about;
        uint8_t bytes[24], size;
    } rows[] = {
        {"a negative length", {0xff, 0xff, 0xff, 0xff}, 4},
        {"a length over the limit", {0x7f, 0xff, 0xff, 0xff}, 4},
        {"too short for a header", {0, 0, 0, 3, 0, 18, 0}, 7},
        {"HTTP", "GET / HTTP/1.1\r\n\r\n", 18},
        {"an API that is not served", {0, 0, 0, 10, 0, 4, 0, 0, 0, 0, 0, 1, 0xff, 0xff}, 14},
        {"an API that there is not", {0, 0, 0, 10, 3, 4, 0, 0, 0, 0, 0, 1, 0xff, 0xff}, 14},
        {"a version that there is not", {0, 0, 0, 10, 0, 3, 0, 99, 0, 0, 0, 1, 0xff, 0xff}, 14},
        {"a count that lies", {0, 0, 0, 14, 0, 3, 0, 0, 0, 0, 0, 1, 0xff, 0xff, 0x7f, 0, 0, 0}, 18},
        {"a body that ends too early", {0, 0, 0, 10, 0, 3, 0, 1, 0, 0, 0, 1, 0xff, 0xff}, 14},
        {"a client id that lies", {0, 0, 0, 10, 0, 3, 0, 1, 0, 0, 0, 1, 0x7f, 0xff}, 14},
    };
    struct kit k = {0};
    kit_open(&k);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        int fd = kit_connect(&k);
        kit_put(fd, rows[i].bytes, rows[i].size);
        if (!kit_closed(fd)) test_failed(__FILE__, __LINE__, "%s goes on", rows[i].about);
        close(fd);
    }
    struct kafka_api_versions_response r;
    ask_versions(&k, 0, &r); /* and nobody else notices */
    kit_close(&k);
}

TEST(an_announced_length_costs_nothing_until_its_bytes_come)
{
    static const uint8_t hundred_mib[] = {6, 0x40, 0, 0, 0, 0, 0, 9};
    struct kit k = {0};
    int fd[20];
    kit_open(&k);
    struct kafka_api_versions_response r;
    ask_versions(&k, 0, &r);
    size_t before = mem_held();
    for (size_t i = 0; i < COUNT_OF(fd); i++) {
        fd[i] = kit_connect(&k);
        kit_put(fd[i], hundred_mib, sizeof(hundred_mib));
    }
    for (int i = 0; i < 4; i++) ask_versions(&k, 0, &r);
    usleep(50000); /* every loop has had its turn; more time would only hold more */
    CHECK(mem_held() < before + COUNT_OF(fd) * KIB(16));
    for (size_t i = 0; i < COUNT_OF(fd); i++) close(fd[i]);
    kit_close(&k);
}

static void metadata_of(struct kit *k, struct kafka_metadata_request *q)
{
    (void)k;
    kafka_init(&kafka_metadata_request_message, q);
    q->topics.count = -1;
}

TEST(answers_come_in_the_order_of_their_requests)
{
    struct kit k = {0};
    struct kafka_metadata_request q;
    struct kafka_metadata_response r;
    struct kafka_produce_response produced;
    kit_open(&k);
    kit_topic(&k, "t", 1, NULL, NULL);
    struct buf batch = kit_batch(3, 100, CODEC_NONE);
    metadata_of(&k, &q);
    enum { ROUNDS = 20, PRODUCES = 10 };
    for (int i = 0; i < ROUNDS; i++) {
        for (int p = 0; p < PRODUCES; p++) {
            int32_t got = k.got;
            (void)kit_produce(&k, 9, 0, "t", 0, &batch, NULL); /* acks=0: no answer */
            k.got = got;
            k.sent--;
        }
        kit_send(&k, KAFKA_API_metadata, 9, &q);
    }
    for (int i = 0; i < ROUNDS; i++) CHECK(kit_answer(&k, KAFKA_API_metadata, 9, &r));
    CHECK_INT(log_end_offset(log_partition(log_topic_find(k.log, SLICE("t")), 0)),
              ROUNDS * PRODUCES * 3);
    (void)produced;
    buf_done(&batch);
    kit_close(&k);
}

/* A peer that asks and does not read: its input waits, and everything is answered when it reads. */
TEST(a_peer_that_does_not_read_waits_and_costs_a_bounded_amount)
{
    struct kit k = {0};
    struct kafka_metadata_request q;
    struct kafka_metadata_response r;
    kit_open(&k);
    kit_topic(&k, "many", 2000, NULL, NULL); /* some 60 KiB an answer */
    metadata_of(&k, &q);
    size_t before = mem_held();
    enum { ASKED = 400 }; /* 24 MiB of answers */
    for (int i = 0; i < ASKED; i++) kit_send(&k, KAFKA_API_metadata, 9, &q);
    usleep(300000); /* long enough to answer all of it, were it not held back */
    CHECK(mem_held() < before + MIB(6));
    for (int i = 0; i < ASKED; i++) CHECK(kit_answer(&k, KAFKA_API_metadata, 9, &r));
    CHECK_INT(r.topics.at->partitions.count, 2000);
    kit_close(&k);
}

TEST(acks_0_is_silent_and_its_errors_end_the_connection)
{
    struct kit k = {0};
    struct kafka_api_versions_response r;
    kit_open(&k);
    kit_topic(&k, "t", 1, NULL, NULL);
    struct buf batch = kit_batch(1, 10, CODEC_NONE);
    (void)kit_produce(&k, 9, 0, "t", 0, &batch, NULL);
    ask_versions(&k, 0, &r); /* the next answer is this one's */
    (void)kit_produce(&k, 9, 0, "t", 7, &batch, NULL);
    CHECK(kit_closed(k.fd));
    buf_done(&batch);
    kit_close(&k);
}

TEST(connections_that_go_while_their_requests_are_out_leave_nothing_behind)
{
    size_t before = mem_held();
    struct kit k = {0};
    kit_open(&k);
    kit_topic(&k, "t", 4, NULL, NULL);
    struct buf batch = kit_batch(100, 100, CODEC_NONE);
    for (int i = 0; i < 40; i++) {
        for (int p = 0; p < 4; p++) {
            int32_t got = k.got;
            (void)kit_produce(&k, 9, 0, "t", p, &batch, NULL);
            k.got = got;
        }
        if (i % 2) shutdown(k.fd, SHUT_WR);
        kit_reconnect(&k);
    }
    buf_done(&batch);
    kit_close(&k);
    CHECK_INT(mem_held(), before);
}

TEST(without_a_login_little_is_heard_and_not_for_long)
{
    static const uint8_t metadata[] = {0, 0, 0,    10,   0, 3, 0, 1, 0,  0,
                                       0, 1, 0xff, 0xff, 0, 0, 0, 0, 18, 0};
    static const uint8_t five_kib[] = {0, 0, 0x14, 0, 0, 18, 0, 0};
    struct kit k = {.options = {.login = true}};
    kit_open(&k);
    int fd = kit_connect(&k);
    kit_put(fd, metadata, 18);
    CHECK(kit_closed(fd));
    close(fd);
    fd = kit_connect(&k);
    kit_put(fd, five_kib, sizeof(five_kib));
    CHECK(kit_closed(fd));
    close(fd);
    struct kafka_api_versions_response r;
    for (int i = 0; i < 50; i++) ask_versions(&k, 0, &r); /* 15 bytes each */
    kit_put(k.fd, metadata, 18);
    CHECK(kit_closed(k.fd));
    kit_close(&k);
}
