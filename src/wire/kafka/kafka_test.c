/* The codec over all messages and versions: what goes round comes back, what is cut or lies is
 * refused with the field's name. What the bytes have to be stands in vectors_test.c and in
 * tests/peers/test_kafka_wire.py. */
#include "wire/kafka/kafka_kit.h"

#include "test.h"
#include "wire/kafka/kafka_int.h"

struct made { /* one message, and its bytes in a block of exactly their size */
    const struct kafka_message *m;
    int16_t version;
    void *message;
    uint8_t *bytes;
    size_t len;
};

/* Calls `each` for every message at every version, `seeds` times. */
static void every(int seeds, void (*each)(const struct made *made, struct arena *a))
{
    struct arena *a = arena_new(MIB(64));
    struct diag d;
    for (size_t i = 0; i < kafka_message_count; i++) {
        const struct kafka_message *m = kafka_messages[i];
        for (int16_t version = m->first; version <= m->last; version++) {
            for (int seed = 0; seed < seeds; seed++) {
                struct kafka_kit kit = {(uint64_t)(seed * 7919 + version) + i * 104729, a};
                struct made made = {.m = m, .version = version};
                struct buf out = buf_make(MIB(16));
                made.message = kafka_kit_make(&kit, m, version);
                CHECK_OK(kafka_encode(m, version, made.message, &out, NULL, &d), &d);
                made.len = out.len;
                made.bytes = mem_take(MAX(out.len, (size_t)1));
                if (out.len) memcpy(made.bytes, out.at, out.len);
                buf_done(&out);
                each(&made, a);
                mem_give(made.bytes);
                arena_reset(a);
            }
        }
    }
    arena_free(a);
}

static err_t decode(const struct made *made, size_t len, struct arena *a, void *out, struct diag *d)
{
    struct cursor in = cursor_of(slice_make(made->bytes, len));
    err_t e = kafka_decode(made->m, made->version, &in, a, out, d);
    if (!e) CHECK_INT(cursor_left(&in), 0);
    return e;
}

static void goes_round(const struct made *made, struct arena *a)
{
    struct diag d;
    struct buf again = buf_make(MIB(16));
    void *out = arena_take(a, made->m->root->size);
    memset(out, 0x5a, made->m->root->size); /* need not be initialised */
    CHECK_OK(decode(made, made->len, a, out, &d), &d);
    if (!kafka_kit_equal(made->m->root, made->message, out))
        test_failed(__FILE__, __LINE__, "%s v%d came back otherwise", made->m->name, made->version);
    CHECK_OK(kafka_encode(made->m, made->version, out, &again, NULL, &d), &d);
    CHECK(slice_equal(buf_view(&again), slice_make(made->bytes, made->len)));
    buf_done(&again);
}

TEST(every_message_at_every_version_comes_back_as_it_was)
{
    every(12, goes_round);
}

static void cut(const struct made *made, struct arena *a)
{
    struct diag d;
    struct made part = *made;
    struct arena *room = arena_new(MIB(64));
    void *out = arena_take(a, made->m->root->size);
    for (size_t len = 0; len < made->len; len += 1 + len / 1000) { /* each byte of the first 1000 */
        part.bytes = mem_take(MAX(len, (size_t)1)); /* so that the sanitizer sees one byte past */
        memcpy(part.bytes, made->bytes, len);
        err_t e = decode(&part, len, room, out, &d);
        if (e != ERR_SHORT)
            test_failed(__FILE__, __LINE__, "%s v%d cut at %zu of %zu: %s", made->m->name,
                        made->version, len, made->len, err_name(e));
        mem_give(part.bytes);
        arena_reset(room);
    }
    arena_free(room);
}

TEST(a_message_cut_at_any_byte_is_short)
{
    every(2, cut);
}

static void bent(const struct made *made, struct arena *a)
{
    static const uint8_t values[] = {0, 1, 0x7f, 0x80, 0xff};
    struct diag d;
    struct arena *small = arena_new(KIB(256));
    void *out = arena_take(a, made->m->root->size);
    for (size_t at = 0; at < made->len; at += 1 + at / 64) {
        uint8_t was = made->bytes[at];
        for (size_t i = 0; i < COUNT_OF(values); i++) {
            struct cursor in = cursor_of(slice_make(made->bytes, made->len));
            made->bytes[at] = values[i];
            err_t e = kafka_decode(made->m, made->version, &in, small, out, &d);
            CHECK(e == ERR_OK || e == ERR_SHORT || e == ERR_MALFORMED || e == ERR_TOO_BIG);
            arena_reset(small);
        }
        made->bytes[at] = was;
    }
    arena_free(small);
}

TEST(a_message_with_any_byte_bent_never_leads_outside)
{
    every(2, bent);
}

/* Decodes hex; answers the story. */
static const char *story(const struct kafka_message *m, int16_t version, const char *hex,
                         err_t want)
{
    static struct diag d;
    uint8_t bytes[256];
    struct arena *a = arena_new(KIB(64));
    size_t len = strlen(hex) / 2;
    CHECK(parse_hex(slice_of(hex), bytes, len));
    struct cursor in = cursor_of(slice_make(bytes, len));
    CHECK_ERR(kafka_decode(m, version, &in, a, arena_take(a, m->root->size), &d), want);
    CHECK(arena_used(a) < KIB(4)); /* nothing is taken for a count that lies */
    arena_free(a);
    return d.what;
}

TEST(what_is_wrong_says_where)
{
    const struct kafka_message *metadata = &kafka_metadata_request_message;
    CHECK_TEXT(story(metadata, 1, "7fffffff0000", ERR_SHORT),
               "MetadataRequest v1: topics counts more elements than there are bytes for");
    CHECK_TEXT(story(metadata, 9, "ffffffff0f0000", ERR_SHORT),
               "MetadataRequest v9: topics counts more elements than there are bytes for");
    CHECK_TEXT(story(metadata, 0, "ffffffff", ERR_MALFORMED),
               "MetadataRequest v0: topics must not be null");
    CHECK_TEXT(story(metadata, 1, "fffffffe", ERR_MALFORMED),
               "MetadataRequest v1: topics has a negative length");
    CHECK_TEXT(story(metadata, 1, "00000002000161ffff", ERR_MALFORMED),
               "MetadataRequest v1: topics[1].name must not be null");
    CHECK_TEXT(story(metadata, 9, "8080808080", ERR_MALFORMED),
               "MetadataRequest v9: topics has a length that is no number");
    CHECK_TEXT(story(metadata, 9, "0280800400", ERR_MALFORMED),
               "MetadataRequest v9: topics[0].name is longer than 32767 bytes");
    CHECK_TEXT(story(metadata, 14, "", ERR_VERSION),
               "MetadataRequest has no version 14, only 0 to 13");
    CHECK_TEXT(story(&kafka_fetch_request_message, 4,
                     "ffffffff000001f40000000100100000000000000100017400000001000000000000",
                     ERR_SHORT),
               "FetchRequest v4: topics[0].partitions counts more elements than there are bytes "
               "for");
    CHECK_TEXT(story(&kafka_delete_records_request_message, 0,
                     "0000000100017400000001000000000000000000000001", ERR_SHORT),
               "DeleteRecordsRequest v0: timeout_ms ends too early");
    /* tag 1 (int64) of three bytes; and of nine */
    CHECK_TEXT(story(&kafka_api_versions_response_message, 3, "0000010000000001010300000000000000",
                     ERR_SHORT),
               "ApiVersionsResponse v3: finalized_features_epoch ends too early");
    CHECK_TEXT(story(&kafka_api_versions_response_message, 3,
                     "00000100000000010109000000000000000000", ERR_MALFORMED),
               "ApiVersionsResponse v3: finalized_features_epoch is shorter than its tag says");
}

TEST(unknown_tags_are_skipped_and_known_ones_come_in_any_order)
{
    struct arena *a = arena_new(KIB(64));
    struct kafka_api_versions_response out;
    struct diag d;
    uint8_t bytes[64];
    /* tags: 77 of two bytes, 3 (zk_migration_ready, version 3), 1 (epoch) */
    const char *hex = "00000100000000034d02abcd030101010800000000000000ff";
    size_t len = strlen(hex) / 2;
    CHECK(parse_hex(slice_of(hex), bytes, len));
    struct cursor in = cursor_of(slice_make(bytes, len));
    CHECK_OK(kafka_decode(&kafka_api_versions_response_message, 3, &in, a, &out, &d), &d);
    CHECK_INT(out.finalized_features_epoch, 255);
    CHECK(out.zk_migration_ready);
    CHECK_INT(out.supported_features.count, 0);
    CHECK_INT(cursor_left(&in), 0);
    arena_free(a);
}

static err_t encode(const struct kafka_message *m, int16_t version, const void *in, struct diag *d)
{
    struct buf out = buf_make(KIB(4));
    err_t e = kafka_encode(m, version, in, &out, NULL, d);
    buf_done(&out);
    return e;
}

TEST(what_a_version_can_not_say_is_not_written)
{
    struct kafka_find_coordinator_response r;
    struct kafka_join_group_request j;
    struct kafka_metadata_request_topic topic;
    struct kafka_metadata_request q;
    struct diag d;
    kafka_init(&kafka_find_coordinator_response_message, &r);
    CHECK_OK(encode(&kafka_find_coordinator_response_message, 4, &r, &d), &d);
    r.node_id = 1; /* an answer says what it can */
    CHECK_OK(encode(&kafka_find_coordinator_response_message, 4, &r, &d), &d);
    kafka_init(&kafka_join_group_request_message, &j);
    CHECK_OK(encode(&kafka_join_group_request_message, 4, &j, &d), &d);
    j.group_instance_id = SLICE("a"); /* a question must not mean less than it says */
    CHECK_ERR(encode(&kafka_join_group_request_message, 4, &j, &d), ERR_VERSION);
    CHECK_TEXT(d.what, "JoinGroupRequest v4: group_instance_id has a value, which this version "
                       "can not say");
    kafka_init(&kafka_metadata_request_message, &q);
    kafka_struct_init(&kafka_metadata_request_topic_struct, &topic);
    q.topics.at = &topic;
    q.topics.count = 1;
    topic.name = (struct slice){0};
    CHECK_OK(encode(&kafka_metadata_request_message, 10, &q, &d), &d);
    CHECK_ERR(encode(&kafka_metadata_request_message, 9, &q, &d), ERR_MALFORMED);
    CHECK_TEXT(d.what, "MetadataRequest v9: topics[0].name must not be null");
    q.topics.count = -1;
    CHECK_OK(encode(&kafka_metadata_request_message, 1, &q, &d), &d);
    CHECK_ERR(encode(&kafka_metadata_request_message, 0, &q, &d), ERR_MALFORMED);
}

TEST(a_full_buffer_and_a_spent_arena_are_errors)
{
    struct kafka_metadata_request q;
    struct diag d;
    uint8_t room[3];
    struct buf out = buf_over(room, sizeof(room));
    kafka_init(&kafka_metadata_request_message, &q);
    CHECK_ERR(kafka_encode(&kafka_metadata_request_message, 1, &q, &out, NULL, &d), ERR_TOO_BIG);
    CHECK_TEXT(d.what, "MetadataRequest v1: larger than the limit");

    static uint8_t many[4 + 2 * 10000] = {0, 0, 0x27, 0x10};
    struct arena *a = arena_new(KIB(16));
    struct cursor in = cursor_of(slice_make(many, sizeof(many)));
    CHECK_ERR(kafka_decode(&kafka_metadata_request_message, 1, &in, a, &q, &d), ERR_TOO_BIG);
    CHECK_TEXT(d.what, "MetadataRequest v1: topics takes more memory than is allowed for it");
    CHECK_ERR(in.err, ERR_TOO_BIG);
    arena_free(a);
}

TEST(defaults_stand_where_a_version_has_no_field)
{
    struct arena *a = arena_new(KIB(64));
    struct kafka_fetch_request q;
    struct diag d;
    uint8_t bytes[64];
    const char *hex = "ffffffff000001f400000001001000000000000000";
    size_t len = strlen(hex) / 2;
    CHECK(parse_hex(slice_of(hex), bytes, len));
    struct cursor in = cursor_of(slice_make(bytes, len));
    CHECK_OK(kafka_decode(&kafka_fetch_request_message, 4, &in, a, &q, &d), &d);
    CHECK_INT(q.session_epoch, -1);
    CHECK_INT(q.replica_state.replica_epoch, -1);
    CHECK(!q.cluster_id.at);
    CHECK(q.rack_id.at && q.rack_id.len == 0);
    CHECK_INT(q.forgotten_topics_data.count, 0);
    arena_free(a);
}

TEST(records_in_a_file_leave_a_splice)
{
    struct arena *a = arena_new(KIB(64));
    struct kafka_splices splices = {.arena = a};
    struct kafka_fetch_response r;
    struct diag d;
    kafka_init(&kafka_fetch_response_message, &r);
    r.responses.at = kafka_new(a, &kafka_fetch_response_topic_struct, 1);
    r.responses.count = 1;
    r.responses.at->partitions.count = 20;
    r.responses.at->partitions.at = kafka_new(a, &kafka_fetch_response_partition_struct, 20);
    for (uint32_t i = 0; i < 20; i++)
        r.responses.at->partitions.at[i].records =
            (struct kafka_records){.fd = 7, .position = 1000 * i, .size = i == 3 ? 0 : 100 + i};
    for (int16_t version = 4; version <= 18; version++) {
        struct buf out = buf_make(KIB(64));
        splices.count = 0;
        size_t begun =
            kafka_response_begin(&out, &(struct kafka_request_head){.api = kafka_api_of(1),
                                                                    .api_version = version,
                                                                    .version_known = true,
                                                                    .correlation_id = 9});
        CHECK_OK(kafka_encode(&kafka_fetch_response_message, version, &r, &out, &splices, &d), &d);
        CHECK_OK(kafka_response_end(&out, begun, &splices), NULL);
        CHECK_INT(splices.count, 19); /* the empty one stands in memory */
        CHECK_INT(splices.list[4].position, 5000);
        /* with the files' bytes in their places it is the message that memory would have made */
        struct buf whole = buf_make(KIB(64));
        size_t from = 0;
        for (uint32_t i = 0; i < splices.count; i++) {
            buf_put(&whole, out.at + from, splices.list[i].at - from);
            memset(buf_grow(&whole, splices.list[i].size), 'x', splices.list[i].size);
            from = splices.list[i].at;
        }
        buf_put(&whole, out.at + from, out.len - from);
        struct cursor in = cursor_of(buf_view(&whole));
        struct kafka_fetch_response back;
        CHECK_INT(cursor_i32(&in), whole.len - 4);
        CHECK_INT(cursor_i32(&in), 9);
        if (version >= 12) CHECK_INT(cursor_uvarint(&in), 0);
        CHECK_OK(kafka_decode(&kafka_fetch_response_message, version, &in, a, &back, &d), &d);
        CHECK_INT(back.responses.at->partitions.at[19].records.bytes.len, 119);
        CHECK_INT(back.responses.at->partitions.at[19].records.bytes.at[118], 'x');
        CHECK_INT(back.responses.at->partitions.at[3].records.bytes.len, 0);
        CHECK_INT(cursor_left(&in), 0);
        buf_done(&whole);
        out.len = 0;
        CHECK_ERR(kafka_encode(&kafka_fetch_response_message, version, &r, &out, NULL, &d),
                  ERR_UNSUPPORTED);
        buf_done(&out);
    }
    arena_free(a);
}

static void held(const struct kafka_struct *s, int depth, bool tagged)
{
    uint64_t tags = 0;
    CHECK(depth <= KAFKA_DEPTH_MAX);
    for (int i = 0; depth <= KAFKA_DEPTH_MAX && i < s->count; i++) {
        const struct kafka_field *f = &s->fields[i];
        CHECK(f->first <= f->last);
        CHECK((f->of != NULL) == (f->type >= KAFKA_ARRAY));
        if (f->null_preset) CHECK(f->nullable);
        if (f->tagged) {
            CHECK(f->tag < 64 && !(tags >> f->tag & 1));
            tags |= (uint64_t)1 << f->tag;
        }
        CHECK(f->type != KAFKA_RECORDS || !(tagged || f->tagged)); /* a splice would move */
        if (f->of) held(f->of, depth + 1, tagged || f->tagged);
    }
}

TEST(the_tables_are_what_the_codec_takes_for_granted)
{
    for (size_t i = 0; i < kafka_message_count; i++) held(kafka_messages[i]->root, 1, false);
    for (size_t i = 0; i < kafka_api_count; i++) {
        const struct kafka_api *api = &kafka_apis[i];
        CHECK(i == 0 || api[-1].key < api->key);
        CHECK(kafka_api_of(api->key) == api);
        CHECK(api->said_first <= api->first);
    }
    CHECK(!kafka_api_of(4) && !kafka_api_of(-1) && !kafka_api_of(INT16_MAX));
    for (int16_t code = -1; code <= 133; code++) CHECK_INT(kafka_error_of(code)->code, code);
    CHECK_INT(kafka_error_of(134)->code, -1);
    CHECK_INT(kafka_error_of(INT16_MIN)->code, -1);
    CHECK_TEXT(kafka_error_of(KAFKA_ERROR_FENCED_LEADER_EPOCH)->name, "FENCED_LEADER_EPOCH");
}

TEST(versions_in_front_are_read_and_checked)
{
    struct arena *a = arena_new(KIB(64));
    struct kafka_offset_commit_value v, back;
    struct buf out = buf_make(KIB(1));
    int16_t version = 0;
    struct diag d;
    kafka_init(&kafka_offset_commit_value_message, &v);
    v.offset = 42;
    v.metadata = SLICE("m");
    CHECK_OK(kafka_encode_versioned(&kafka_offset_commit_value_message, 3, &v, &out, &d), &d);
    CHECK_OK(kafka_decode_versioned(&kafka_offset_commit_value_message, buf_view(&out), a, &back,
                                    &version, &d),
             &d);
    CHECK_INT(version, 3);
    CHECK(kafka_kit_equal(&kafka_offset_commit_value_struct, &v, &back));
    out.at[1] = 5;
    CHECK_ERR(kafka_decode_versioned(&kafka_offset_commit_value_message, buf_view(&out), a, &back,
                                     &version, &d),
              ERR_VERSION);
    CHECK_ERR(kafka_decode_versioned(&kafka_offset_commit_value_message, SLICE("\0"), a, &back,
                                     &version, &d),
              ERR_SHORT);
    buf_done(&out);
    arena_free(a);
}
