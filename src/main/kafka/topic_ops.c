#include "main/kafka/topic_ops.h"

#include "main/kafka/tools.h"
#include <stdlib.h>

err_t create_topic(struct session *s, const struct creation *c, struct diag *d)
{
    struct kafka_create_topics_request r;
    struct kafka_create_topics_request_topic one;
    struct kafka_ask q = {.api = KAFKA_API_create_topics, .oldest = 1, .request = &r};
    kafka_init(&kafka_create_topics_request_message, &r);
    kafka_struct_init(&kafka_create_topics_request_topic_struct, &one);
    one.name = c->name;
    one.num_partitions = c->assignment ? -1 : c->partitions;
    one.replication_factor = c->assignment ? -1 : c->replicas;
    int32_t assigned = c->assignment ? c->partitions : 0;
    one.assignments.at =
        kafka_new(s->arena, &kafka_create_topics_request_assignment_struct, MAX(assigned, 1));
    one.configs.at =
        kafka_new(s->arena, &kafka_create_topics_request_config_struct, MAX(c->setting_count, 1));
    if (!one.assignments.at || !one.configs.at)
        return diag_fail(d, ERR_NO_MEMORY, "no memory for the request");
    for (one.assignments.count = 0; one.assignments.count < assigned; one.assignments.count++) {
        int32_t i = one.assignments.count;
        one.assignments.at[i].partition_index = i;
        one.assignments.at[i].broker_ids.at = (int32_t *)&c->assignment[i];
        one.assignments.at[i].broker_ids.count = 1;
    }
    for (one.configs.count = 0; one.configs.count < c->setting_count; one.configs.count++) {
        one.configs.at[one.configs.count].name = c->settings[one.configs.count].name;
        one.configs.at[one.configs.count].value = c->settings[one.configs.count].value;
    }
    r.topics.at = &one;
    r.topics.count = 1;
    err_t e = kafka_client_ask(s->client, CLIENT_ANY_NODE, &q, s->arena, d);
    if (e) return e;
    const struct kafka_create_topics_response *o = q.response;
    if (o->topics.count != 1) return diag_fail(d, ERR_PEER, "no answer for the topic");
    e = kafka_client_error(o->topics.at[0].error_code, o->topics.at[0].error_message, d,
                           "creating topic '%.*s'", SLICE_ARG(c->name));
    return e && o->topics.at[0].error_code == KAFKA_ERROR_TOPIC_ALREADY_EXISTS ? ERR_EXISTS : e;
}

err_t delete_topic(struct session *s, struct slice name, struct diag *d)
{
    struct kafka_delete_topics_request r;
    struct kafka_ask q = {.api = KAFKA_API_delete_topics, .oldest = 1, .newest = 5, .request = &r};
    kafka_init(&kafka_delete_topics_request_message, &r);
    r.topic_names.at = &name;
    r.topic_names.count = 1;
    r.timeout_ms = 30000;
    err_t e = kafka_client_ask(s->client, CLIENT_ANY_NODE, &q, s->arena, d);
    if (e) return e;
    const struct kafka_delete_topics_response *o = q.response;
    if (o->responses.count != 1) return diag_fail(d, ERR_PEER, "no answer for the topic");
    return kafka_client_error(o->responses.at[0].error_code, o->responses.at[0].error_message, d,
                              "deleting topic '%.*s'", SLICE_ARG(name));
}

err_t grow_topic(struct session *s, struct slice name, int32_t partitions, struct diag *d)
{
    struct kafka_create_partitions_request r;
    struct kafka_create_partitions_request_topic one;
    struct kafka_ask q = {.api = KAFKA_API_create_partitions, .request = &r};
    kafka_init(&kafka_create_partitions_request_message, &r);
    kafka_struct_init(&kafka_create_partitions_request_topic_struct, &one);
    one.name = name;
    one.count = partitions;
    one.assignments.at = NULL;
    one.assignments.count = -1;
    r.topics.at = &one;
    r.topics.count = 1;
    r.timeout_ms = 30000;
    err_t e = kafka_client_ask(s->client, CLIENT_ANY_NODE, &q, s->arena, d);
    if (e) return e;
    const struct kafka_create_partitions_response *o = q.response;
    if (o->results.count != 1) return diag_fail(d, ERR_PEER, "no answer for the topic");
    return kafka_client_error(o->results.at[0].error_code, o->results.at[0].error_message, d,
                              "partitions of topic '%.*s'", SLICE_ARG(name));
}

/* Whole number of an option; false when it is none. */
bool number_of(const char *text, int64_t *out)
{
    char *end;
    *out = strtoll(text, &end, 10);
    return *text && !*end;
}

/* "1,1,1": one replica a partition; ours has no more. NULL when it can not be read. */
static const int32_t *assignment_of(struct session *s, const char *text, int32_t *count)
{
    size_t commas = 0;
    for (const char *at = text; *at; at++) commas += *at == ',';
    int32_t *ids = arena_take(s->arena, (commas + 1) * sizeof(*ids));
    char *end = NULL;
    *count = 0;
    while (ids && *count <= (int32_t)commas) {
        ids[(*count)++] = (int32_t)strtol(text, &end, 10);
        if (end == text || (*end && *end != ',')) return NULL; /* also 1:2, several replicas */
        text = end + 1;
    }
    return ids;
}

/* Every --config NAME=VALUE. */
static struct setting *settings_of(struct session *s, const struct args *a, int32_t *count)
{
    struct setting *list = arena_take(s->arena, ARGS_MAX * sizeof(*list));
    const char *text;
    for (*count = 0; list && (text = args_nth(a, "--config", *count)); (*count)++) {
        const char *equals = strchr(text, '=');
        list[*count] =
            (struct setting){0, slice_make(text, equals ? (size_t)(equals - text) : strlen(text)),
                             equals ? slice_of(equals + 1) : (struct slice){0}};
    }
    return list;
}

err_t creation_of(struct session *s, const struct args *a, const char *name, struct creation *c,
                  struct diag *d)
{
    const char *partitions = args_value(a, "--partitions"),
               *replicas = args_value(a, "--replication-factor"),
               *assignment = args_value(a, "--replica-assignment");
    int64_t n = -1, r = -1;
    *c = (struct creation){.name = slice_of(name)};
    if (partitions && (!number_of(partitions, &n) || n < 1 || n > INT32_MAX))
        return diag_fail(d, ERR_PARTITIONS, "'%s' is no number of partitions", partitions);
    if (replicas && (!number_of(replicas, &r) || r < 1 || r > INT16_MAX))
        return diag_fail(d, ERR_REPLICATION, "'%s' is no replication factor", replicas);
    c->partitions = (int32_t)n;
    c->replicas = (int16_t)r;
    if (assignment && !(c->assignment = assignment_of(s, assignment, &c->partitions)))
        return diag_fail(d, ERR_REPLICA_ASSIGNMENT, "'%s' is no list of one broker id a partition",
                         assignment);
    c->settings = settings_of(s, a, &c->setting_count);
    return c->settings ? ERR_OK : diag_fail(d, ERR_NO_MEMORY, "no memory for settings");
}
