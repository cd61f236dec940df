/* Goal: what is produced lies in the log as it came, refusals have Kafka's codes, and what there is
 * and where is told in every version. Method: a client's requests, the log looked at directly. */
#include "door/kafka/door_kit.h"
#include "test.h"

/* --- Produce ---------------------------------------------------------------------------------- */

TEST(every_version_and_codec_appends_one_batch)
{
    struct kit k = {0};
    kit_open(&k);
    kit_topic(&k, "t", 1, NULL, NULL);
    int64_t want = 0, offset;
    for (int16_t v = 3; v <= 13; v++) {
        for (int c = 0; c < CODECS; c++) {
            struct buf batch = kit_batch(3, 50, (enum codec)c);
            int16_t code = kit_produce(&k, v, c % 2 ? 1 : -1, "t", 0, &batch, &offset);
            bool refused = c == CODEC_ZSTD && v < 7;
            CHECK_INT(code, refused ? KAFKA_ERROR_UNSUPPORTED_COMPRESSION_TYPE : 0);
            CHECK_INT(offset, refused ? -1 : want);
            want += refused ? 0 : 3;
            buf_done(&batch);
        }
    }
    kit_close(&k);
}

TEST(refusals_of_produce_have_kafka_s_codes)
{
    struct kit k = {0};
    kit_open(&k);
    kit_topic(&k, "t", 1, NULL, NULL);
    kit_topic(&k, "__consumer_offsets", 1, NULL, NULL);
    struct buf one = kit_batch(2, 20, CODEC_NONE), two = buf_make(KIB(4)), bad = buf_make(KIB(4));
    struct buf none = buf_make(1), old = buf_make(KIB(4)), large = kit_batch(3, 500000, CODEC_NONE);
    buf_slice(&two, buf_view(&one));
    buf_slice(&two, buf_view(&one));
    buf_slice(&bad, buf_view(&one));
    bad.at[bad.len - 1] ^= 1;
    buf_slice(&old, buf_view(&one));
    old.at[16] = 1; /* magic */
    buf_put(&none, "", 0);
    CHECK_INT(kit_produce(&k, 9, 5, "t", 0, &one, NULL), KAFKA_ERROR_INVALID_REQUIRED_ACKS);
    CHECK_INT(kit_produce(&k, 9, 1, "t", 1, &one, NULL), KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION);
    CHECK_INT(kit_produce(&k, 9, 1, "no", 0, &one, NULL), KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION);
    CHECK_INT(kit_produce(&k, 13, 1, "no", 0, &one, NULL), KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION);
    CHECK_INT(kit_produce(&k, 9, 1, "t", 0, &two, NULL), KAFKA_ERROR_INVALID_RECORD);
    CHECK_INT(kit_produce(&k, 9, 1, "t", 0, &bad, NULL), KAFKA_ERROR_CORRUPT_MESSAGE);
    CHECK_INT(kit_produce(&k, 9, 1, "t", 0, &old, NULL), KAFKA_ERROR_INVALID_RECORD);
    CHECK_INT(kit_produce(&k, 9, 1, "t", 0, &none, NULL), KAFKA_ERROR_INVALID_RECORD);
    CHECK_INT(kit_produce(&k, 9, 1, "t", 0, &large, NULL), KAFKA_ERROR_MESSAGE_TOO_LARGE);
    CHECK_INT(kit_produce(&k, 9, 1, "__consumer_offsets", 0, &one, NULL),
              KAFKA_ERROR_INVALID_TOPIC_EXCEPTION);
    CHECK_INT(log_end_offset(log_partition(log_topic_find(k.log, SLICE("t")), 0)), 0);
    buf_done(&one), buf_done(&two), buf_done(&bad), buf_done(&none), buf_done(&old);
    buf_done(&large);
    kit_close(&k);
}

/* The codec of the newest batch, and whether its records are those of kit_batch. */
/* One record of a transactional producer, sent and not waited for. */
static void send_in_txn(struct kit *k, const char *topic, const struct record_batch_options *o)
{
    struct kafka_produce_request_partition p;
    struct kafka_produce_request_topic t;
    struct kafka_produce_request q;
    struct record_builder b = record_builder_make(KIB(4));
    struct buf batch = buf_make(KIB(4));
    kafka_init(&kafka_produce_request_message, &q);
    kafka_struct_init(&kafka_produce_request_topic_struct, &t);
    kafka_struct_init(&kafka_produce_request_partition_struct, &p);
    record_builder_add(&b, call_now_ms(), SLICE("k"), SLICE("v"), NULL, 0);
    CHECK_OK(record_builder_finish(&b, o, &batch), NULL);
    p.records = (struct kafka_records){.bytes = buf_view(&batch), .fd = -1};
    t.name = slice_of(topic);
    t.partition_data.at = &p;
    t.partition_data.count = 1;
    q.transactional_id = SLICE("pipelined");
    q.acks = -1;
    q.topic_data.at = &t;
    q.topic_data.count = 1;
    kit_send(k, KAFKA_API_produce, 12, &q);
    record_builder_done(&b);
    buf_done(&batch);
}

TEST(no_produce_overtakes_one_that_is_being_let_into_its_transaction)
{
    enum { ROUNDS = 60, AHEAD = 12 };
    struct kit k = {.with_coord = true};
    struct kafka_init_producer_id_request q;
    struct kafka_init_producer_id_response id;
    kit_open(&k);
    kafka_init(&kafka_init_producer_id_request_message, &q);
    q.transactional_id = SLICE("pipelined");
    q.transaction_timeout_ms = 60000;
    CHECK(kit_ask(&k, KAFKA_API_init_producer_id, 5, &q, &id));
    CHECK_INT(id.error_code, 0);
    for (int round = 0; round < ROUNDS; round++) {
        char topic[16];
        struct record_batch_options o = {CODEC_NONE, id.producer_id, id.producer_epoch,
                                         0,          true,           false};
        snprintf(topic, sizeof(topic), "t%d", round);
        struct log_partition *p = log_partition(kit_topic(&k, topic, 1, NULL, NULL), 0);
        while (o.base_sequence < AHEAD) {
            send_in_txn(&k, topic, &o);
            o.base_sequence++;
            /* what comes now finds the door open, while those before may still be asking */
            while (o.base_sequence == AHEAD / 2 &&
                   !log_txn_admitted(p, id.producer_id, id.producer_epoch)) {
            }
        }
        for (int i = 0; i < AHEAD; i++) {
            struct kafka_produce_response r;
            CHECK(kit_answer(&k, KAFKA_API_produce, 12, &r));
            CHECK_INT(r.responses.at->partition_responses.at->error_code, 0);
            CHECK_INT(r.responses.at->partition_responses.at->base_offset, i);
        }
    }
    kit_close(&k);
}

static int last_codec(struct kit *k, const char *topic, int64_t offset, int32_t count)
{
    struct buf bytes = buf_make(MIB(4));
    struct arena *a = arena_new(MIB(4));
    struct record_batch b;
    struct record_reader r;
    struct record record;
    int32_t seen = 0;
    CHECK_OK(log_read(log_partition(log_topic_find(k->log, slice_of(topic)), 0), offset, MIB(1),
                      &bytes, NULL),
             NULL);
    CHECK_OK(record_batch_read(buf_view(&bytes), true, &b), NULL);
    CHECK_OK(record_batch_open(&b, a, MIB(4), &r), NULL);
    while (!record_next(&r, &record)) {
        CHECK_SLICE(record.key, "key");
        CHECK_INT(record.value.len, 500);
        seen++;
    }
    CHECK_INT(seen, count);
    arena_free(a);
    buf_done(&bytes);
    return b.attributes & 7;
}

TEST(a_topic_with_a_codec_of_its_own_gets_its_batches_in_it)
{
    static const struct {
        const char *topic, *setting;
        enum codec codec;
    } rows[] = {{"plain", "uncompressed", CODEC_NONE},
                {"gz", "gzip", CODEC_GZIP},
                {"sn", "snappy", CODEC_SNAPPY},
                {"lz", "lz4", CODEC_LZ4},
                {"zs", "zstd", CODEC_ZSTD}};
    struct kit k = {0};
    kit_open(&k);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        kit_topic(&k, rows[i].topic, 1, "compression.type", rows[i].setting);
        for (int c = 0; c < CODECS; c++) {
            int64_t offset = -1;
            struct buf batch = kit_batch(4, 500, (enum codec)c);
            CHECK_INT(kit_produce(&k, 9, 1, rows[i].topic, 0, &batch, &offset), 0);
            CHECK_INT(last_codec(&k, rows[i].topic, offset, 4), rows[i].codec);
            buf_done(&batch);
        }
    }
    struct buf bad = kit_batch(4, 500, CODEC_GZIP);
    bad.at[bad.len - 1] ^= 1; /* a new checksum would hide it */
    CHECK_INT(kit_produce(&k, 9, 1, "lz", 0, &bad, NULL), KAFKA_ERROR_CORRUPT_MESSAGE);
    buf_done(&bad);
    kit_close(&k);
}

/* --- Metadata --------------------------------------------------------------------------------- */

static struct kafka_metadata_response named(struct kit *k, int16_t version, const char *name,
                                            bool create)
{
    struct kafka_metadata_request_topic t;
    struct kafka_metadata_request q;
    struct kafka_metadata_response r;
    kafka_init(&kafka_metadata_request_message, &q);
    kafka_init(&kafka_metadata_response_message, &r);
    kafka_struct_init(&kafka_metadata_request_topic_struct, &t);
    t.name = slice_of(name);
    q.topics.at = &t;
    q.topics.count = 1;
    q.allow_auto_topic_creation = create;
    CHECK(kit_ask(k, KAFKA_API_metadata, version, &q, &r));
    CHECK_INT(r.topics.count, 1);
    return r;
}

TEST(metadata_of_every_version_says_that_all_is_here)
{
    struct kit k = {0};
    kit_open(&k);
    kit_topic(&k, "b", 3, NULL, NULL);
    kit_topic(&k, "a", 1, NULL, NULL);
    kit_topic(&k, "__transaction_state", 1, NULL, NULL);
    for (int16_t v = 0; v <= 13; v++) {
        struct kafka_metadata_request q;
        struct kafka_metadata_response r;
        kafka_init(&kafka_metadata_request_message, &q);
        q.topics.count = v == 0 ? 0 : -1;
        CHECK(kit_ask(&k, KAFKA_API_metadata, v, &q, &r));
        CHECK_INT(r.brokers.count, 1);
        CHECK_SLICE(r.brokers.at->host, "127.0.0.1");
        CHECK_INT(r.brokers.at->port, kafka_door_port(k.door));
        CHECK_INT(r.topics.count, 3);
        CHECK_SLICE(r.topics.at[2].name, "b");
        CHECK_INT(r.topics.at[2].partitions.count, 3);
        CHECK_INT(r.topics.at[2].partitions.at[1].leader_id, KAFKA_BROKER_ID);
        if (v >= 1) CHECK(r.topics.at[0].is_internal && !r.topics.at[1].is_internal);
        if (v >= 2) CHECK_SLICE(r.cluster_id, "sluice-test-cluster-id");
    }
    kit_close(&k);
}

TEST(metadata_makes_a_topic_when_that_is_allowed_and_at_once)
{
    struct kit k = {.options = {.auto_create = true, .default_partitions = 3}};
    kit_open(&k);
    struct kafka_metadata_response r = named(&k, 9, "new", false);
    CHECK_INT(r.topics.at->error_code, KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION);
    r = named(&k, 9, "new", true);
    CHECK_INT(r.topics.at->error_code, 0);
    CHECK_INT(r.topics.at->partitions.count, 3);
    r = named(&k, 9, "no good", true);
    CHECK_INT(r.topics.at->error_code, KAFKA_ERROR_INVALID_TOPIC_EXCEPTION);
    r = named(&k, 9, "__consumer_offsets", true);
    CHECK_INT(r.topics.at->error_code, KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION);
    kit_topic(&k, "a.b_c", 1, NULL, NULL);
    r = named(&k, 9, "a_b.c", true); /* Topic.hasCollision */
    CHECK_INT(r.topics.at->error_code, KAFKA_ERROR_INVALID_TOPIC_EXCEPTION);
    CHECK(!log_topic_find(k.log, SLICE("a_b.c")));
    r = named(&k, 9, "a_b-c", true);
    CHECK_INT(r.topics.at->error_code, 0);
    kit_close(&k);
}

TEST(a_topic_named_twice_in_a_request_is_not_made_and_the_others_are)
{
    enum { MANY = 9000, MADE = MANY - 2 };
    struct kit k = {0};
    struct kafka_create_topics_request q;
    struct kafka_create_topics_response r;
    kit_open(&k);
    kafka_init(&kafka_create_topics_request_message, &q);
    q.topics.at = kafka_new(k.arena, &kafka_create_topics_request_topic_struct, MANY);
    q.topics.count = MANY;
    q.validate_only = true;
    for (int i = 0; i < MANY; i++) {
        struct kafka_create_topics_request_topic *t = &q.topics.at[i];
        t->name = slice_of(arena_printf(k.arena, "t%d", i == MADE ? 7 : i));
        t->num_partitions = t->replication_factor = 1;
    }
    CHECK(kit_ask(&k, KAFKA_API_create_topics, 7, &q, &r));
    for (int i = 0; i < MANY; i++)
        CHECK_INT(r.topics.at[i].error_code,
                  i == 7 || i == MADE ? KAFKA_ERROR_INVALID_REQUEST : KAFKA_ERROR_NONE);
    kit_close(&k);
}

TEST(metadata_by_id_finds_the_topic_and_says_when_there_is_none)
{
    struct kit k = {0};
    struct kafka_metadata_request_topic t[2];
    struct kafka_metadata_request q;
    struct kafka_metadata_response r;
    kit_open(&k);
    struct log_topic *topic = kit_topic(&k, "t", 2, NULL, NULL);
    kafka_init(&kafka_metadata_request_message, &q);
    for (int i = 0; i < 2; i++) {
        kafka_struct_init(&kafka_metadata_request_topic_struct, &t[i]);
        t[i].name.at = NULL;
        memcpy(t[i].topic_id.at, log_topic_id(topic), 16);
    }
    t[1].topic_id.at[3] ^= 0x55;
    q.topics.at = t;
    q.topics.count = 2;
    CHECK(kit_ask(&k, KAFKA_API_metadata, 12, &q, &r));
    CHECK_INT(r.topics.count, 2);
    CHECK_SLICE(r.topics.at[0].name, "t");
    CHECK_INT(r.topics.at[1].error_code, KAFKA_ERROR_UNKNOWN_TOPIC_ID);
    CHECK(memcmp(&r.topics.at[1].topic_id, &t[1].topic_id, 16) == 0);
    kit_close(&k);
}

TEST(what_is_advertised_is_told_to_everybody)
{
    struct kit k = {.options = {.advertised = "[2001:db8::1]:4711"}};
    kit_open(&k);
    struct kafka_metadata_response r = named(&k, 9, "x", false);
    CHECK_SLICE(r.brokers.at->host, "2001:db8::1");
    CHECK_INT(r.brokers.at->port, 4711);
    kit_close(&k);
}

TEST(a_cluster_of_one_describes_itself)
{
    struct kit k = {0};
    struct kafka_describe_cluster_request q;
    struct kafka_describe_cluster_response r;
    kit_open(&k);
    for (int16_t v = 0; v <= 2; v++) {
        kafka_init(&kafka_describe_cluster_request_message, &q);
        CHECK(kit_ask(&k, KAFKA_API_describe_cluster, v, &q, &r));
        CHECK_INT(r.brokers.count, 1);
        CHECK_INT(r.controller_id, KAFKA_BROKER_ID);
    }
    q.endpoint_type = 2;
    CHECK(kit_ask(&k, KAFKA_API_describe_cluster, 1, &q, &r));
    CHECK_INT(r.error_code, KAFKA_ERROR_MISMATCHED_ENDPOINT_TYPE);
    kit_close(&k);
}

TEST(topics_are_described_page_by_page)
{
    struct kit k = {0};
    struct kafka_describe_topic_partitions_request q;
    struct kafka_describe_topic_partitions_response r;
    struct kafka_describe_topic_partitions_request_cursor cursor;
    kit_open(&k);
    kit_topic(&k, "a", 3, NULL, NULL);
    kit_topic(&k, "b", 4, NULL, NULL);
    kit_topic(&k, "c", 1, NULL, NULL);
    kafka_init(&kafka_describe_topic_partitions_request_message, &q);
    kafka_struct_init(&kafka_describe_topic_partitions_request_cursor_struct, &cursor);
    q.response_partition_limit = 5;
    CHECK(kit_ask(&k, KAFKA_API_describe_topic_partitions, 0, &q, &r));
    CHECK_INT(r.topics.count, 2);
    CHECK_INT(r.topics.at[1].partitions.count, 2);
    CHECK(r.next_cursor && slice_is(r.next_cursor->topic_name, "b"));
    CHECK(r.next_cursor && r.next_cursor->partition_index == 2);
    cursor.topic_name = SLICE("b");
    cursor.partition_index = 2;
    q.cursor = &cursor;
    CHECK(kit_ask(&k, KAFKA_API_describe_topic_partitions, 0, &q, &r));
    CHECK_INT(r.topics.count, 2);
    CHECK_INT(r.topics.at[0].partitions.at[0].partition_index, 2);
    CHECK(r.next_cursor == NULL);
    kit_close(&k);
}

/* --- offsets ---------------------------------------------------------------------------------- */

static struct kafka_list_offsets_response_partition offset_at(struct kit *k, int16_t version,
                                                              int64_t timestamp)
{
    struct kafka_list_offsets_request_partition p;
    struct kafka_list_offsets_request_topic t;
    struct kafka_list_offsets_request q;
    struct kafka_list_offsets_response r;
    kafka_init(&kafka_list_offsets_request_message, &q);
    kafka_struct_init(&kafka_list_offsets_request_topic_struct, &t);
    kafka_struct_init(&kafka_list_offsets_request_partition_struct, &p);
    p.timestamp = timestamp;
    p.max_num_offsets = 10;
    if (version > 0) p.max_num_offsets = 1;
    t.name = SLICE("t");
    t.partitions.at = &p;
    t.partitions.count = 1;
    q.replica_id = -1;
    q.topics.at = &t;
    q.topics.count = 1;
    CHECK(kit_ask(k, KAFKA_API_list_offsets, version, &q, &r));
    CHECK_INT(r.topics.count, 1);
    return r.topics.at->partitions.at[0];
}

TEST(offsets_are_listed_in_every_version)
{
    struct kit k = {0};
    kit_open(&k);
    kit_topic(&k, "t", 1, NULL, NULL);
    int64_t before = call_now_ms();
    kit_produced(&k, "t", 0, 10, 10);
    for (int16_t v = 1; v <= 10; v++) {
        CHECK_INT(offset_at(&k, v, -1).offset, 10);
        CHECK_INT(offset_at(&k, v, -2).offset, 0);
        CHECK_INT(offset_at(&k, v, -2).timestamp, -1);
        struct kafka_list_offsets_response_partition first = offset_at(&k, v, before);
        CHECK_INT(first.offset, 0);
        CHECK(first.timestamp >= before);
        CHECK_INT(offset_at(&k, v, first.timestamp + 1).offset,
                  1); /* each is later than the last */
        CHECK_INT(offset_at(&k, v, before + 1000000).offset, -1);
        CHECK_INT(offset_at(&k, v, -3).error_code, v < 7 ? KAFKA_ERROR_UNSUPPORTED_VERSION : 0);
        if (v >= 7) CHECK_INT(offset_at(&k, v, -3).offset, 9);
        if (v >= 8) CHECK_INT(offset_at(&k, v, -4).offset, 0);
        if (v >= 9) CHECK_INT(offset_at(&k, v, -5).offset, -1);
        CHECK_INT(offset_at(&k, v, -9).error_code, KAFKA_ERROR_UNSUPPORTED_VERSION);
    }
    struct kafka_list_offsets_response_partition p = offset_at(&k, 0, -1);
    CHECK_INT(p.old_style_offsets.count, 2);
    CHECK_INT(p.old_style_offsets.at[0], 10);
    kit_close(&k);
}

TEST(the_only_leader_epoch_ends_at_the_end)
{
    struct kit k = {0};
    struct kafka_offset_for_leader_epoch_request_partition p;
    struct kafka_offset_for_leader_epoch_request_topic t;
    struct kafka_offset_for_leader_epoch_request q;
    struct kafka_offset_for_leader_epoch_response r;
    kit_open(&k);
    kit_topic(&k, "t", 1, NULL, NULL);
    kit_produced(&k, "t", 0, 10, 10);
    kafka_init(&kafka_offset_for_leader_epoch_request_message, &q);
    kafka_struct_init(&kafka_offset_for_leader_epoch_request_topic_struct, &t);
    kafka_struct_init(&kafka_offset_for_leader_epoch_request_partition_struct, &p);
    t.topic = SLICE("t");
    t.partitions.at = &p;
    t.partitions.count = 1;
    q.topics.at = &t;
    q.topics.count = 1;
    for (int16_t v = 0; v <= 4; v++) {
        p.leader_epoch = 0;
        CHECK(kit_ask(&k, KAFKA_API_offset_for_leader_epoch, v, &q, &r));
        CHECK_INT(r.topics.at->partitions.at->end_offset, 10);
        p.leader_epoch = 5;
        CHECK(kit_ask(&k, KAFKA_API_offset_for_leader_epoch, v, &q, &r));
        CHECK_INT(r.topics.at->partitions.at->end_offset, -1);
    }
    kit_close(&k);
}
