/* What we serve, and ApiVersions, which says so. */
#include "door/kafka/link.h"

const struct kafka_served kafka_served[] = {
#define SERVE(name, handler, newest, least) {KAFKA_API_##name, newest, least, handler},
#include "door/kafka/served.def"
#undef SERVE
};
const size_t kafka_served_count = COUNT_OF(kafka_served);

enum { API_KEYS = 256 };
static int16_t row_of[API_KEYS]; /* by key: the row's number and one */

__attribute__((constructor)) static void index_rows(void)
{
    for (size_t i = 0; i < COUNT_OF(kafka_served); i++)
        row_of[kafka_served[i].api_key] = (int16_t)(i + 1);
}

const struct kafka_served *kafka_served_of(int16_t api_key)
{
    if (api_key < 0 || api_key >= API_KEYS || row_of[api_key] == 0) return NULL;
    return &kafka_served[row_of[api_key] - 1];
}

/* --- ApiVersions ------------------------------------------------------------------------------ *
 * Of the features of a 4.x broker we serve the transactions (KIP-890's second form); no
 * group.version, so that consumers take the classic protocol. */
enum { TRANSACTION_VERSION = 2 };

static void say_api(struct kafka_api_versions_response *r, const struct kafka_served *row)
{
    const struct kafka_api *api = kafka_api_of(row->api_key);
    struct kafka_api_versions_response_api_key *key = &r->api_keys.at[r->api_keys.count++];
    key->api_key = row->api_key;
    key->min_version = api->said_first;
    key->max_version = row->newest;
}

static bool say_features(struct call *c, struct kafka_api_versions_response *r)
{
    r->supported_features.at = call_new(c, kafka_api_versions_response_supported_feature, 1);
    r->finalized_features.at = call_new(c, kafka_api_versions_response_finalized_feature, 1);
    if (!r->supported_features.at || !r->finalized_features.at) return false;
    r->supported_features.count = r->finalized_features.count = 1;
    r->finalized_features_epoch = 0;
    struct slice name = SLICE("transaction.version");
    /* Before version 4 a level 0 can not be said (KAFKA-17011). */
    *r->supported_features.at = (struct kafka_api_versions_response_supported_feature){
        name, c->head.api_version < 4, TRANSACTION_VERSION};
    *r->finalized_features.at = (struct kafka_api_versions_response_finalized_feature){
        name, TRANSACTION_VERSION, TRANSACTION_VERSION};
    return true;
}

static bool plain_letter(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* As Kafka: letters and digits, with '-' and '.' inside. */
static bool software_is_named(struct slice s)
{
    if (s.len == 0 || !plain_letter(s.at[0]) || !plain_letter(s.at[s.len - 1])) return false;
    for (uint32_t i = 0; i < s.len; i++)
        if (!plain_letter(s.at[i]) && s.at[i] != '-' && s.at[i] != '.') return false;
    return true;
}

static void answer(struct call *c, int16_t error)
{
    struct kafka_api_versions_response *r = c->response;
    bool all = error != KAFKA_ERROR_UNSUPPORTED_VERSION;
    r->error_code = error;
    r->api_keys.at = call_new(c, kafka_api_versions_response_api_key,
                              (int32_t)(all ? COUNT_OF(kafka_served) : 1));
    r->api_keys.count = 0;
    if (!r->api_keys.at || (!error && !say_features(c, r))) {
        diag_fail(&c->diag, ERR_NO_MEMORY, "no room for an answer");
        call_break(c);
        return;
    }
    if (error == KAFKA_ERROR_UNSUPPORTED_VERSION) /* KIP-511: how to ask again */
        say_api(r, kafka_served_of(KAFKA_API_api_versions));
    for (int16_t key = 0; !error && key < API_KEYS; key++)
        if (row_of[key]) say_api(r, kafka_served_of(key));
    call_answer(c);
}

void kafka_api_versions(struct call *c)
{
    const struct kafka_api_versions_request *q = c->request;
    bool named = c->head.api_version < 3 || (software_is_named(q->client_software_name) &&
                                             software_is_named(q->client_software_version));
    answer(c, named ? KAFKA_ERROR_NONE : KAFKA_ERROR_INVALID_REQUEST);
}

void answer_unknown_version(struct call *c)
{
    c->response = arena_take_raw(c->arena, sizeof(struct kafka_api_versions_response));
    if (!c->response) {
        diag_fail(&c->diag, ERR_NO_MEMORY, "no room for an answer");
        call_break(c);
        return;
    }
    kafka_init(&kafka_api_versions_response_message, c->response);
    answer(c, KAFKA_ERROR_UNSUPPORTED_VERSION);
}
