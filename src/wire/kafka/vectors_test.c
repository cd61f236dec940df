/* Bytes put together by hand from the protocol's documentation: read, shown, and written again. */
#include "wire/kafka/kafka.h"

#include "test.h"

#define TOPIC_ID  "000102030405060708090a0b0c0d0e0f"
#define TOPIC_ID_ "AAECAwQFBgcICQoLDA0ODw"

static const struct {
    const struct kafka_message *message;
    int version;
    const char *hex, *shown;
} vectors[] = {
    {&kafka_api_versions_request_message, 0, "", "{}"},
    {&kafka_api_versions_request_message, 3,
     "0b6c696272646b61666b61" /* librdkafka */
     "06322e332e30"           /* 2.3.0 */
     "00",
     "{'client_software_name': 'librdkafka', 'client_software_version': '2.3.0'}"},
    {&kafka_api_versions_response_message, 0,
     "0000"
     "00000002"
     "000000000009"
     "001200000003",
     "{'error_code': 0, 'api_keys': [{'api_key': 0, 'min_version': 0, 'max_version': 9}, "
     "{'api_key': 18, 'min_version': 0, 'max_version': 3}]}"},
    {&kafka_api_versions_response_message, 3,
     "0000"
     "02" /* one */
     "001200000003"
     "00"       /* its tags */
     "00000064" /* throttle */
     "02"       /* two tags: */
     "0008"     /* 0, 8 bytes: */
     "02"
     "0266"
     "00010002"
     "00" /* f, 1 to 2 */
     "01080000000000000005" /* 1, 8 bytes: 5 */,
     "{'error_code': 0, 'api_keys': [{'api_key': 18, 'min_version': 0, 'max_version': 3}], "
     "'throttle_time_ms': 100, 'supported_features': [{'name': 'f', 'min_version': 1, "
     "'max_version': 2}], 'finalized_features_epoch': 5, 'finalized_features': [], "
     "'zk_migration_ready': false}"},
    {&kafka_metadata_request_message, 0, "00000000", "{'topics': []}"},
    {&kafka_metadata_request_message, 1, "ffffffff", "{'topics': null}"},
    {&kafka_metadata_request_message, 9,
     "02"
     "0274"
     "00"
     "010000"
     "00",
     "{'topics': [{'name': 't'}], 'allow_auto_topic_creation': true, "
     "'include_cluster_authorized_operations': false, 'include_topic_authorized_operations': "
     "false}"},
    {&kafka_metadata_request_message, 12,
     "02" TOPIC_ID "00"
     "00"
     "0001"
     "00",
     "{'topics': [{'topic_id': '" TOPIC_ID_ "', 'name': null}], 'allow_auto_topic_creation': "
     "false, 'include_topic_authorized_operations': true}"},
    {&kafka_metadata_response_message, 1,
     "00000001"
     "00000000"
     "000168"
     "00002384"
     "ffff"     /* a broker, no rack */
     "00000000" /* controller */
     "00000001"
     "0000"
     "000174"
     "00" /* a topic */
     "00000001"
     "0000"
     "00000000"
     "00000000"
     "0000000100000000"
     "0000000100000000",
     "{'brokers': [{'node_id': 0, 'host': 'h', 'port': 9092, 'rack': null}], 'controller_id': 0, "
     "'topics': [{'error_code': 0, 'name': 't', 'is_internal': false, 'partitions': "
     "[{'error_code': 0, 'partition_index': 0, 'leader_id': 0, 'replica_nodes': [0], "
     "'isr_nodes': [0]}]}]}"},
    {&kafka_metadata_response_message, 9,
     "00000000"
     "02"
     "00000000"
     "0268"
     "00002384"
     "00"
     "00"       /* a broker, no rack, no tags */
     "0263"     /* cluster */
     "00000000" /* controller */
     "02"
     "0000"
     "0274"
     "00" /* a topic */
     "02"
     "0000"
     "00000000"
     "00000000"
     "00000005"
     "0200000000"
     "0200000000"
     "01"
     "00"
     "80000000"
     "00"
     "80000000"
     "00",
     "{'throttle_time_ms': 0, 'brokers': [{'node_id': 0, 'host': 'h', 'port': 9092, 'rack': "
     "null}], 'cluster_id': 'c', 'controller_id': 0, 'topics': [{'error_code': 0, 'name': 't', "
     "'is_internal': false, 'partitions': [{'error_code': 0, 'partition_index': 0, 'leader_id': 0, "
     "'leader_epoch': 5, 'replica_nodes': [0], 'isr_nodes': [0], 'offline_replicas': []}], "
     "'topic_authorized_operations': -2147483648}], 'cluster_authorized_operations': "
     "-2147483648}"},
    {&kafka_metadata_response_message, 13,
     "00000000"
     "01"       /* no brokers */
     "00"       /* no cluster id */
     "ffffffff" /* no controller */
     "02"
     "0003"
     "00" TOPIC_ID "00" /* null name, id, internal */
     "01"
     "00000000"
     "00"
     "0081" /* error 129 */
     "00",
     "{'throttle_time_ms': 0, 'brokers': [], 'cluster_id': null, 'controller_id': -1, 'topics': "
     "[{'error_code': 3, 'name': null, 'topic_id': '" TOPIC_ID_ "', 'is_internal': false, "
     "'partitions': [], 'topic_authorized_operations': 0}], 'error_code': 129}"},
    {&kafka_produce_request_message, 3,
     "ffff"
     "ffff"
     "00007530"
     "00000001"
     "000174"
     "00000001"
     "00000002"
     "00000003abcdef",
     "{'transactional_id': null, 'acks': -1, 'timeout_ms': 30000, 'topic_data': [{'name': 't', "
     "'partition_data': [{'index': 2, 'records': '<3 bytes>'}]}]}"},
    {&kafka_produce_request_message, 9,
     "00"
     "ffff"
     "00007530"
     "02"
     "0274"
     "02"
     "00000002"
     "04abcdef"
     "00"
     "00"
     "00",
     "{'transactional_id': null, 'acks': -1, 'timeout_ms': 30000, 'topic_data': [{'name': 't', "
     "'partition_data': [{'index': 2, 'records': '<3 bytes>'}]}]}"},
    {&kafka_produce_response_message, 3,
     "00000001"
     "000174"
     "00000001"
     "00000002"
     "0000"
     "000000000000002a"
     "ffffffffffffffff"
     "00000007",
     "{'responses': [{'name': 't', 'partition_responses': [{'index': 2, 'error_code': 0, "
     "'base_offset': 42, 'log_append_time_ms': -1}]}], 'throttle_time_ms': 7}"},
    {&kafka_fetch_request_message, 4,
     "ffffffff"
     "000001f4"
     "00000001"
     "03200000"
     "01"
     "00000001"
     "000174"
     "00000001"
     "00000002"
     "0000000000000007"
     "00100000",
     "{'replica_id': -1, 'max_wait_ms': 500, 'min_bytes': 1, 'max_bytes': 52428800, "
     "'isolation_level': 1, 'topics': [{'topic': 't', 'partitions': [{'partition': 2, "
     "'fetch_offset': 7, 'partition_max_bytes': 1048576}]}]}"},
    {&kafka_fetch_request_message, 12,
     "ffffffff"
     "000001f4"
     "00000001"
     "03200000"
     "01"
     "00000000"
     "ffffffff"
     "02"
     "0274"
     "02"
     "00000002"
     "ffffffff"
     "0000000000000007"
     "ffffffff"
     "ffffffffffffffff"
     "00100000"
     "00"
     "00"
     "01"
     "01"
     "00",
     "{'cluster_id': null, 'replica_id': -1, 'max_wait_ms': 500, 'min_bytes': 1, 'max_bytes': "
     "52428800, 'isolation_level': 1, 'session_id': 0, 'session_epoch': -1, 'topics': [{'topic': "
     "'t', 'partitions': [{'partition': 2, 'current_leader_epoch': -1, 'fetch_offset': 7, "
     "'last_fetched_epoch': -1, 'log_start_offset': -1, 'partition_max_bytes': 1048576}]}], "
     "'forgotten_topics_data': [], 'rack_id': ''}"},
    {&kafka_fetch_request_message, 13,
     "ffffffff"
     "000001f4"
     "00000001"
     "03200000"
     "00"
     "00000000"
     "ffffffff"
     "01"
     "02" TOPIC_ID "020000000500"
     "01"
     "00",
     "{'cluster_id': null, 'replica_id': -1, 'max_wait_ms': 500, 'min_bytes': 1, 'max_bytes': "
     "52428800, 'isolation_level': 0, 'session_id': 0, 'session_epoch': -1, 'topics': [], "
     "'forgotten_topics_data': [{'topic_id': '" TOPIC_ID_ "', 'partitions': [5]}], 'rack_id': "
     "''}"},
    {&kafka_fetch_response_message, 12,
     "00000000"
     "0000"
     "00000000"
     "02"
     "0274"
     "02"
     "00000002"
     "0000"
     "000000000000000a"
     "0000000000000008"
     "0000000000000001"
     "02"
     "0000000000000006"
     "0000000000000003"
     "00" /* an aborted transaction */
     "ffffffff"
     "03abcd"                           /* records */
     "01000d00000003000000000000000900" /* tag 0: where the logs part */
     "00"
     "00",
     "{'throttle_time_ms': 0, 'error_code': 0, 'session_id': 0, 'responses': [{'topic': 't', "
     "'partitions': [{'partition_index': 2, 'error_code': 0, 'high_watermark': 10, "
     "'last_stable_offset': 8, 'log_start_offset': 1, 'diverging_epoch': {'epoch': 3, "
     "'end_offset': 9}, 'current_leader': {'leader_id': -1, 'leader_epoch': -1}, 'snapshot_id': "
     "{'end_offset': -1, 'epoch': -1}, 'aborted_transactions': [{'producer_id': 6, "
     "'first_offset': 3}], 'preferred_read_replica': -1, 'records': '<2 bytes>'}]}]}"},
    {&kafka_list_offsets_response_message, 0,
     "00000001"
     "000174"
     "00000001"
     "00000000"
     "0000"
     "00000002"
     "0000000000000009"
     "0000000000000000",
     "{'topics': [{'name': 't', 'partitions': [{'partition_index': 0, 'error_code': 0, "
     "'old_style_offsets': [9, 0]}]}]}"},
    {&kafka_find_coordinator_request_message, 4, "0002026700",
     "{'key_type': 0, 'coordinator_keys': ['g']}"},
    {&kafka_describe_topic_partitions_request_message, 0,
     "02027400"
     "000007d0"
     "ff"
     "00",
     "{'topics': [{'name': 't'}], 'response_partition_limit': 2000, 'cursor': null}"},
    {&kafka_describe_topic_partitions_request_message, 0,
     "01"
     "000007d0"
     "0102740000000100"
     "00",
     "{'topics': [], 'response_partition_limit': 2000, 'cursor': {'topic_name': 't', "
     "'partition_index': 1}}"},
    {&kafka_transaction_log_value_message, 1,
     "0000000000000001"
     "0002"
     "0000ea60"
     "03"
     "00"
     "0000000000000004"
     "0000000000000005"
     "02"
     "02020002"
     "03020005",
     "{'producer_id': 1, 'previous_producer_id': -1, 'next_producer_id': -1, 'producer_epoch': 2, "
     "'next_producer_epoch': 5, 'transaction_timeout_ms': 60000, 'transaction_status': 3, "
     "'transaction_partitions': null, 'transaction_last_update_timestamp_ms': 4, "
     "'transaction_start_timestamp_ms': 5, 'client_transaction_version': 2}"},
};

TEST(known_bytes_are_read_shown_and_written)
{
    struct arena *a = arena_new(KIB(64));
    for (size_t i = 0; i < COUNT_OF(vectors); i++) {
        const struct kafka_message *m = vectors[i].message;
        int16_t version = (int16_t)vectors[i].version;
        struct buf text = buf_make(KIB(16)), hex = buf_make(KIB(16)), again = buf_make(KIB(16));
        struct diag d;
        uint8_t bytes[512];
        size_t len = strlen(vectors[i].hex) / 2;
        void *out = arena_take(a, m->root->size);
        CHECK(parse_hex(slice_of(vectors[i].hex), bytes, len));
        struct cursor in = cursor_of(slice_make(bytes, len));
        CHECK_OK(kafka_decode(m, version, &in, a, out, &d), &d);
        CHECK_INT(cursor_left(&in), 0);
        kafka_print(m, version, out, &text);
        for (size_t j = 0; j < text.len; j++)
            if (text.at[j] == '"') text.at[j] = '\'';
        CHECK_TEXT(buf_cstr(&text), vectors[i].shown);
        CHECK_OK(kafka_encode(m, version, out, &again, NULL, &d), &d);
        put_hex(&hex, again.at, again.len);
        CHECK_TEXT(buf_cstr(&hex), vectors[i].hex);
        buf_done(&text);
        buf_done(&hex);
        buf_done(&again);
        arena_reset(a);
    }
    arena_free(a);
}
