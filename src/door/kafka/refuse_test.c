/* Goal: a refusal names what the request named, with the error where clients of each version look.
 * Method: the shapes that clients meet most, as text; then every API and version with random
 * requests: the answer can be encoded, and says the error somewhere. */
#include "door/kafka/kafka_int.h"
#include "test.h"
#include "wire/kafka/kafka_kit.h"

static const struct kafka_error *code(int16_t c)
{
    return kafka_error_of(c);
}

static void expect(int16_t key, int16_t version, const void *request, int16_t error,
                   const char *want)
{
    _Alignas(16) uint8_t response[512];
    struct arena *arena = arena_new(MIB(1));
    const struct kafka_api *api = kafka_api_of(key);
    struct buf text = buf_make(KIB(16));
    INVARIANT(api && arena && api->response->root->size <= sizeof(response));
    CHECK(refusal_fill(api, version, request, code(error), SLICE("no"), arena, response));
    kafka_print(api->response, version, response, &text);
    if (!strstr(buf_cstr(&text), want))
        test_failed(__FILE__, __LINE__, "%s v%d is\n  %s\nwithout\n  %s", api->name, version,
                    buf_cstr(&text), want);
    buf_done(&text);
    arena_free(arena);
}

TEST(refusal_of_produce_names_each_partition)
{
    struct kafka_produce_request_partition parts[2];
    struct kafka_produce_request_topic topic;
    struct kafka_produce_request q;
    kafka_init(&kafka_produce_request_message, &q);
    kafka_struct_init(&kafka_produce_request_topic_struct, &topic);
    for (int32_t i = 0; i < 2; i++) {
        kafka_struct_init(&kafka_produce_request_partition_struct, &parts[i]);
        parts[i].index = i + 3;
    }
    topic.name = SLICE("orders");
    topic.partition_data.at = parts;
    topic.partition_data.count = 2;
    q.topic_data.at = &topic;
    q.topic_data.count = 1;
    expect(KAFKA_API_produce, 9, &q, 29,
           "\"name\": \"orders\", \"partition_responses\": [{\"index\": 3, \"error_code\": 29");
    expect(KAFKA_API_produce, 9, &q, 29, "{\"index\": 4, \"error_code\": 29");
}

TEST(refusal_of_lists_of_names_has_an_element_for_each)
{
    struct slice names[] = {SLICE("a"), SLICE("b")};
    struct kafka_delete_topics_request topics;
    struct kafka_delete_groups_request groups;
    kafka_init(&kafka_delete_topics_request_message, &topics);
    topics.topic_names.at = names;
    topics.topic_names.count = 2;
    expect(KAFKA_API_delete_topics, 1, &topics, 29, "{\"name\": \"a\", \"error_code\": 29");
    expect(KAFKA_API_delete_topics, 1, &topics, 29, "{\"name\": \"b\", \"error_code\": 29");
    kafka_init(&kafka_delete_groups_request_message, &groups);
    groups.groups_names.at = names;
    groups.groups_names.count = 2;
    expect(KAFKA_API_delete_groups, 2, &groups, 30, "{\"group_id\": \"b\", \"error_code\": 30");
}

TEST(refusal_stands_at_the_top_where_the_version_has_a_place_for_it)
{
    struct kafka_init_producer_id_request init;
    struct kafka_join_group_request join;
    kafka_init(&kafka_init_producer_id_request_message, &init);
    expect(KAFKA_API_init_producer_id, 4, &init, 31, "\"error_code\": 31");
    kafka_init(&kafka_join_group_request_message, &join);
    expect(KAFKA_API_join_group, 5, &join, 30, "\"error_code\": 30");
}

TEST(refusal_of_credentials_names_users_of_both_lists)
{
    struct kafka_alter_user_scram_credentials_request_deletion gone;
    struct kafka_alter_user_scram_credentials_request_upsertion set;
    struct kafka_alter_user_scram_credentials_request q;
    kafka_init(&kafka_alter_user_scram_credentials_request_message, &q);
    kafka_struct_init(&kafka_alter_user_scram_credentials_request_deletion_struct, &gone);
    kafka_struct_init(&kafka_alter_user_scram_credentials_request_upsertion_struct, &set);
    gone.name = SLICE("ann");
    set.name = SLICE("bob");
    q.deletions.at = &gone;
    q.upsertions.at = &set;
    q.deletions.count = q.upsertions.count = 1;
    expect(KAFKA_API_alter_user_scram_credentials, 0, &q, 31,
           "[{\"user\": \"ann\", \"error_code\": 31, \"error_message\": \"no\"}, "
           "{\"user\": \"bob\", \"error_code\": 31");
}

TEST(refusal_of_partitions_of_a_transaction_uses_their_own_names)
{
    int32_t partitions[] = {7};
    struct kafka_add_partitions_to_txn_request_topic topic;
    struct kafka_add_partitions_to_txn_request q;
    kafka_init(&kafka_add_partitions_to_txn_request_message, &q);
    kafka_struct_init(&kafka_add_partitions_to_txn_request_topic_struct, &topic);
    topic.name = SLICE("t");
    topic.partitions.at = partitions;
    topic.partitions.count = 1;
    q.v3_and_below_topics.at = &topic;
    q.v3_and_below_topics.count = 1;
    expect(KAFKA_API_add_partitions_to_txn, 3, &q, 53,
           "{\"partition_index\": 7, \"partition_error_code\": 53}");
}

/* Does this struct hold the code anywhere? */
static bool says(const struct kafka_struct *s, const uint8_t *at, int16_t version, int16_t wanted)
{
    for (uint16_t i = 0; i < s->count; i++) {
        const struct kafka_field *f = &s->fields[i];
        if (version < f->first || version > f->last) continue;
        if (f->type == KAFKA_INT16 && strstr(f->name, "error_code") &&
            memcmp(at + f->offset, &wanted, sizeof(wanted)) == 0)
            return true;
        if (f->type != KAFKA_ARRAY) continue;
        struct {
            uint8_t *at;
            int32_t count;
        } array;
        memcpy(&array, at + f->offset, sizeof(array));
        for (int32_t n = 0; n < array.count; n++)
            if (says(f->of, array.at + (size_t)n * f->of->size, version, wanted)) return true;
    }
    return false;
}

static bool asks_for_something(const struct kafka_struct *s, const uint8_t *at, int16_t version)
{
    for (uint16_t i = 0; i < s->count; i++) {
        const struct kafka_field *f = &s->fields[i];
        if (version < f->first || version > f->last) continue;
        if (f->type != KAFKA_ARRAY && f->type != KAFKA_LIST) continue;
        struct {
            uint8_t *at;
            int32_t count;
        } array;
        memcpy(&array, at + f->offset, sizeof(array));
        if (array.count <= 0) return false; /* something inside is empty: nothing to refuse there */
        if (f->type == KAFKA_ARRAY && !asks_for_something(f->of, array.at, version)) return false;
    }
    return true;
}

static void refuse_random(const struct kafka_api *api, int16_t version, uint64_t seed)
{
    _Alignas(16) uint8_t response[512];
    struct kafka_kit kit = {.random = seed, .arena = arena_new(MIB(16))};
    struct buf out = buf_make(MIB(16));
    struct diag d = {.err = ERR_OK};
    const uint8_t *request = kit.arena ? kafka_kit_make(&kit, api->request, version) : NULL;
    INVARIANT(request && api->response->root->size <= sizeof(response));
    CHECK(refusal_fill(api, version, request, code(41), SLICE("no"), kit.arena, response));
    err_t e = kafka_encode(api->response, version, response, &out, NULL, &d);
    if (e) test_failed(__FILE__, __LINE__, "%s v%d: %s", api->name, version, d.what);
    if (asks_for_something(api->request->root, request, version) &&
        !says(api->response->root, response, version, 41))
        test_failed(__FILE__, __LINE__, "%s v%d does not say the error", api->name, version);
    buf_done(&out);
    arena_free(kit.arena);
}

TEST(refusal_of_every_api_and_version_can_be_sent_and_says_why)
{
    for (size_t i = 0; i < kafka_served_count; i++) {
        const struct kafka_api *api = kafka_api_of(kafka_served[i].api_key);
        for (int16_t v = api->first; v <= api->last; v++)
            for (uint64_t seed = 1; seed <= 20; seed++) refuse_random(api, v, seed);
    }
}
