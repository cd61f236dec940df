#include "main/kafka/ask.h"

#include <stdlib.h>

static err_t no_room(struct diag *d)
{
    return diag_fail(d, ERR_NO_MEMORY, "the answer is larger than %d MiB", SESSION_ARENA_MAX >> 20);
}

/* --- topics ----------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
    const struct kafka_metadata_response_topic *x = a, *y = b;
    return slice_compare(x->name, y->name);
}

static int by_index(const void *a, const void *b)
{
    const struct kafka_metadata_response_partition *x = a, *y = b;
    return (x->partition_index > y->partition_index) - (x->partition_index < y->partition_index);
}

err_t ask_topics(struct session *s, const char *const *names, int count,
                 struct kafka_metadata_response **out, struct diag *d)
{
    struct slice *asked = arena_take(s->arena, ((size_t)MAX(count, 0) + 1) * sizeof(*asked));
    if (!asked) return no_room(d);
    for (int i = 0; i < count; i++) asked[i] = slice_of(names[i]);
    err_t e = kafka_client_topics(s->client, asked, count, false, s->arena, out, d);
    for (int32_t i = 0; !e && i < (*out)->topics.count; i++) {
        struct kafka_metadata_response_topic *t = &(*out)->topics.at[i];
        if (t->error_code == KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION)
            e = diag_fail(d, ERR_UNKNOWN_TOPIC, "there is no topic '%.*s'", SLICE_ARG(t->name));
        else if (count >= 0)
            e = kafka_client_error(t->error_code, (struct slice){0}, d, "topic '%.*s'",
                                   SLICE_ARG(t->name));
        if (t->partitions.count > 1)
            qsort(t->partitions.at, (size_t)t->partitions.count, sizeof(*t->partitions.at),
                  by_index);
    }
    if (!e && (*out)->topics.count > 1)
        qsort((*out)->topics.at, (size_t)(*out)->topics.count, sizeof(*(*out)->topics.at), by_name);
    return e;
}

void put_topic_id(struct buf *out, const struct uuid *id)
{
    size_t begin = out->len;
    put_base64(out, slice_make(id->at, sizeof(id->at)));
    if (out->err) return;
    for (size_t i = begin; i < out->len; i++)
        out->at[i] = out->at[i] == '+' ? '-' : out->at[i] == '/' ? '_' : out->at[i];
    while (out->len > begin && out->at[out->len - 1] == '=') out->len--;
}

/* --- offsets ---------------------------------------------------------------------------------- */

err_t places_of(struct session *s, const struct kafka_metadata_response *topics, struct place **out,
                size_t *count, struct diag *d)
{
    size_t total = 0, n = 0;
    for (int32_t i = 0; i < topics->topics.count; i++)
        total += (size_t)MAX(topics->topics.at[i].partitions.count, 0);
    *out = arena_take(s->arena, (total + 1) * sizeof(**out));
    if (!*out) return no_room(d);
    for (int32_t i = 0; i < topics->topics.count; i++) {
        const struct kafka_metadata_response_topic *t = &topics->topics.at[i];
        for (int32_t k = 0; k < t->partitions.count; k++)
            (*out)[n++] = (struct place){.topic = t->name,
                                         .partition = t->partitions.at[k].partition_index,
                                         .leader = t->partitions.at[k].leader_id,
                                         .time = AT_LATEST,
                                         .offset = -1,
                                         .timestamp = -1};
    }
    *count = n;
    return ERR_OK;
}

static int by_leader(const void *a, const void *b)
{
    const struct place *x = *(struct place *const *)a, *y = *(struct place *const *)b;
    if (x->leader != y->leader) return x->leader < y->leader ? -1 : 1;
    int order = slice_compare(x->topic, y->topic);
    return order ? order : (x->partition > y->partition) - (x->partition < y->partition);
}

/* One leader's places, by topic: `count` of them. */
static err_t ask_leader(struct session *s, struct place **places, size_t count, struct diag *d)
{
    struct kafka_list_offsets_request r;
    struct kafka_ask q = {.api = KAFKA_API_list_offsets, .oldest = 1, .newest = 9, .request = &r};
    kafka_init(&kafka_list_offsets_request_message, &r);
    r.replica_id = -1;
    r.isolation_level = s->committed;
    r.topics.at = kafka_new(s->arena, &kafka_list_offsets_request_topic_struct, (int32_t)count);
    struct kafka_list_offsets_request_partition *rows =
        kafka_new(s->arena, &kafka_list_offsets_request_partition_struct, (int32_t)count);
    if (!r.topics.at || !rows) return no_room(d);
    r.topics.count = 0;
    for (size_t i = 0; i < count; i++) {
        bool same = i > 0 && slice_compare(places[i]->topic, places[i - 1]->topic) == 0;
        if (!same) {
            r.topics.at[r.topics.count].name = places[i]->topic;
            r.topics.at[r.topics.count++].partitions.at = &rows[i];
        }
        rows[i].partition_index = places[i]->partition;
        rows[i].timestamp = places[i]->time;
        r.topics.at[r.topics.count - 1].partitions.count =
            (int32_t)(&rows[i] + 1 - r.topics.at[r.topics.count - 1].partitions.at);
    }
    err_t e = kafka_client_ask(s->client, places[0]->leader, &q, s->arena, d);
    if (e) return e;
    const struct kafka_list_offsets_response *o = q.response;
    size_t n = 0;
    for (int32_t i = 0; i < o->topics.count; i++)
        for (int32_t k = 0; k < o->topics.at[i].partitions.count; k++) {
            const struct kafka_list_offsets_response_partition *p =
                &o->topics.at[i].partitions.at[k];
            struct place want = {.topic = o->topics.at[i].name,
                                 .partition = p->partition_index,
                                 .leader = places[0]->leader},
                         *key = &want,
                         **at = bsearch(&key, places, count, sizeof(struct place *), by_leader);
            if (!at) return diag_fail(d, ERR_PEER, "offsets of a partition that was not asked for");
            (*at)->offset = p->offset;
            (*at)->timestamp = p->timestamp;
            (*at)->error = p->error_code;
            n++;
        }
    return n == count ? ERR_OK
                      : diag_fail(d, ERR_PEER, "offsets of %zu partitions for %zu", n, count);
}

static err_t each_leader(struct session *s, struct place *places, size_t count,
                         err_t (*ask)(struct session *, struct place **, size_t, struct diag *),
                         struct diag *d)
{
    struct place **sorted = arena_take(s->arena, (count + 1) * sizeof(struct place *));
    err_t e = ERR_OK;
    if (!sorted) return no_room(d);
    for (size_t i = 0; i < count; i++) sorted[i] = &places[i];
    qsort(sorted, count, sizeof(struct place *), by_leader);
    for (size_t from = 0, to; !e && from < count; from = to) {
        for (to = from + 1; to < count && sorted[to]->leader == sorted[from]->leader;) to++;
        if (sorted[from]->leader < 0)
            for (size_t i = from; i < to; i++) sorted[i]->error = KAFKA_ERROR_LEADER_NOT_AVAILABLE;
        else
            e = ask(s, sorted + from, to - from, d);
    }
    return e;
}

err_t ask_offsets(struct session *s, struct place *places, size_t count, struct diag *d)
{
    return each_leader(s, places, count, ask_leader, d);
}

/* One leader's places, sorted by topic, as its share of the request. */
static err_t delete_at_leader(struct session *s, struct place **places, size_t count,
                              struct diag *d)
{
    struct kafka_delete_records_request r;
    struct kafka_ask q = {.api = KAFKA_API_delete_records, .request = &r};
    kafka_init(&kafka_delete_records_request_message, &r);
    r.timeout_ms = 30000;
    r.topics.at = kafka_new(s->arena, &kafka_delete_records_request_topic_struct, (int32_t)count);
    struct kafka_delete_records_request_partition *rows =
        kafka_new(s->arena, &kafka_delete_records_request_partition_struct, (int32_t)count);
    if (!r.topics.at || !rows) return no_room(d);
    for (size_t i = 0; i < count; i++) { /* one a place: the broker does not mind */
        r.topics.at[i].name = places[i]->topic;
        r.topics.at[i].partitions.at = &rows[i];
        r.topics.at[i].partitions.count = 1;
        rows[i].partition_index = places[i]->partition;
        rows[i].offset = places[i]->offset;
    }
    r.topics.count = (int32_t)count;
    err_t e = kafka_client_ask(s->client, places[0]->leader, &q, s->arena, d);
    if (e) return e;
    const struct kafka_delete_records_response *o = q.response;
    for (int32_t i = 0; i < o->topics.count; i++)
        for (int32_t k = 0; k < o->topics.at[i].partitions.count; k++) {
            const struct kafka_delete_records_response_partition *p =
                &o->topics.at[i].partitions.at[k];
            struct place want = {.topic = o->topics.at[i].name,
                                 .partition = p->partition_index,
                                 .leader = places[0]->leader},
                         *key = &want,
                         **at = bsearch(&key, places, count, sizeof(struct place *), by_leader);
            if (!at) return diag_fail(d, ERR_PEER, "an answer for a partition not asked for");
            (*at)->error = p->error_code;
            (*at)->offset = p->low_watermark;
        }
    return ERR_OK;
}

err_t delete_records(struct session *s, struct place *places, size_t count, struct diag *d)
{
    return each_leader(s, places, count, delete_at_leader, d);
}

/* --- settings --------------------------------------------------------------------------------- */

err_t ask_configs(struct session *s, int8_t type, const struct slice *names, int32_t count,
                  bool synonyms, struct kafka_describe_configs_response **out, struct diag *d)
{
    struct kafka_describe_configs_request r;
    struct kafka_ask q = {.api = KAFKA_API_describe_configs, .request = &r};
    kafka_init(&kafka_describe_configs_request_message, &r);
    r.include_synonyms = synonyms;
    r.resources.at =
        kafka_new(s->arena, &kafka_describe_configs_request_resource_struct, MAX(count, 1));
    if (!r.resources.at) return no_room(d);
    r.resources.count = count;
    for (int32_t i = 0; i < count; i++) {
        r.resources.at[i].resource_type = type;
        r.resources.at[i].resource_name = names[i];
        r.resources.at[i].configuration_keys.at = NULL;
        r.resources.at[i].configuration_keys.count = -1;
    }
    err_t e = kafka_client_ask(s->client, CLIENT_ANY_NODE, &q, s->arena, d);
    if (!e) *out = q.response;
    return e;
}

err_t change_configs(struct session *s, int8_t type, struct slice name,
                     const struct setting *settings, int32_t count, struct diag *d)
{
    struct kafka_incremental_alter_configs_request r;
    struct kafka_incremental_alter_configs_request_resource one;
    struct kafka_ask q = {.api = KAFKA_API_incremental_alter_configs, .request = &r};
    kafka_init(&kafka_incremental_alter_configs_request_message, &r);
    kafka_struct_init(&kafka_incremental_alter_configs_request_resource_struct, &one);
    one.resource_type = type;
    one.resource_name = name;
    one.configs.at =
        kafka_new(s->arena, &kafka_incremental_alter_configs_request_config_struct, MAX(count, 1));
    if (!one.configs.at) return no_room(d);
    one.configs.count = count;
    for (int32_t i = 0; i < count; i++) {
        one.configs.at[i].name = settings[i].name;
        one.configs.at[i].config_operation = settings[i].operation;
        one.configs.at[i].value =
            settings[i].operation == 1 ? (struct slice){0} : settings[i].value;
    }
    r.resources.at = &one;
    r.resources.count = 1;
    err_t e = kafka_client_ask(s->client, CLIENT_ANY_NODE, &q, s->arena, d);
    if (e) return e;
    const struct kafka_incremental_alter_configs_response *o = q.response;
    if (o->responses.count != 1) return diag_fail(d, ERR_PEER, "no answer for the change");
    return kafka_client_error(o->responses.at[0].error_code, o->responses.at[0].error_message, d,
                              "changing '%.*s'", SLICE_ARG(name));
}
