/* CreateTopics, DeleteTopics, CreatePartitions, DeleteRecords: each item of a request is done or
 * refused by itself, in the broker's own words. */
#include "base/vec.h"
#include "coord/topics.h"
#include "door/kafka/admin.h"

enum { BROKERS_CHOICE = -1 };

struct admin_answer admin_answer(struct call *c, err_t e, const struct diag *d)
{
    struct admin_answer a = {.code = err_kafka(e)};
    if (!e) return a;
    bool told = d && d->err == e && d->what[0];
    const char *what = told ? d->what : err_text(e);
    a.message =
        call_text(c, told && d->why[0] ? arena_printf(c->arena, "%s: %s", what, d->why) : what);
    return a;
}

void admin_work(struct call *c, const void *at, kafka_handler *fn)
{
    if (at)
        call_work(c, fn);
    else
        call_refuse(c, ERR_NO_MEMORY);
}

/* --- CreateTopics ----------------------------------------------------------------------------- */

/* A manual assignment: this broker for every partition, the partitions 0 … n-1, each once. */
static err_t assignment_check(struct call *c, const struct kafka_create_topics_request_topic *t,
                              struct diag *d)
{
    int32_t n = t->assignments.count;
    uint8_t *seen = arena_take(c->arena, (size_t)n);
    if (!seen) return ERR_NO_MEMORY;
    if (t->num_partitions != BROKERS_CHOICE || t->replication_factor != BROKERS_CHOICE)
        return diag_fail(d, ERR_USAGE,
                         "A manual partition assignment was specified, but numPartitions or "
                         "replicationFactor was not set to -1.");
    for (int32_t i = 0; i < n; i++) {
        const struct kafka_create_topics_request_assignment *a = &t->assignments.at[i];
        bool known = a->partition_index >= 0 && a->partition_index < n;
        if (!known || seen[a->partition_index]++)
            return diag_fail(d, ERR_REPLICA_ASSIGNMENT,
                             "partitions should be a consecutive 0-based integer sequence");
        if (a->broker_ids.count != 1 || a->broker_ids.at[0] != KAFKA_BROKER_ID)
            return diag_fail(d, ERR_REPLICA_ASSIGNMENT,
                             "The manual partition assignment includes broker ids that are not "
                             "registered: this broker is %d, alone.",
                             KAFKA_BROKER_ID);
    }
    return ERR_OK;
}

/* How many partitions; topic_make has the other checks. */
static err_t partitions_of(struct call *c, const struct kafka_create_topics_request_topic *t,
                           int32_t *partitions, struct diag *d)
{
    *partitions = t->num_partitions;
    if (t->assignments.count > 0) {
        *partitions = t->assignments.count;
        return assignment_check(c, t, d);
    }
    if (t->num_partitions == BROKERS_CHOICE)
        *partitions = door_options(c->door)->default_partitions;
    return ERR_OK;
}

static err_t configs_read(struct call *c, const struct kafka_create_topics_request_topic *t,
                          struct topic_wish *w)
{
    int32_t n = MAX(t->configs.count, 0);
    struct log_config_change *changes = arena_take(c->arena, (size_t)n * sizeof(*changes) + 1);
    if (!changes) return ERR_NO_MEMORY;
    for (int32_t i = 0; i < n; i++)
        changes[i] = (struct log_config_change){LOG_CONFIG_SET, t->configs.at[i].name,
                                                t->configs.at[i].value};
    w->changes = changes;
    w->change_count = (size_t)n;
    return ERR_OK;
}

/* What the topic was made with, or would be. */
static err_t created_configs(struct call *c, struct log_topic *topic,
                             struct kafka_create_topics_response_topic *out)
{
    size_t count;
    const struct log_config_row *rows = log_config_rows(&count);
    out->configs.at = call_new(c, kafka_create_topics_response_config, (int32_t)count);
    if (!out->configs.at) return ERR_NO_MEMORY;
    out->configs.count = (int32_t)count;
    for (size_t i = 0; i < count; i++) {
        struct kafka_create_topics_response_config *k = &out->configs.at[i];
        struct buf text = buf_make(KIB(64));
        bool own;
        err_t e = log_config_text(topic, i, &text, &own);
        k->name = slice_of(rows[i].name);
        k->value = e ? (struct slice){0} : arena_slice(c->arena, buf_view(&text));
        k->config_source = !e && own ? SOURCE_TOPIC : SOURCE_DEFAULT;
        buf_done(&text);
        if (e) return e;
    }
    return ERR_OK;
}

static err_t create_one(struct call *c, const struct kafka_create_topics_request_topic *t,
                        bool validate_only, struct kafka_create_topics_response_topic *out,
                        struct diag *d)
{
    struct log *l = door_options(c->door)->log;
    struct topic_wish w = {
        .name = t->name, .replication = t->replication_factor, .validate_only = validate_only};
    struct log_topic *made = NULL;
    err_t e = t->assignments.count > 0 ? topic_name_check(l, t->name, d) : ERR_OK;
    if (!e) e = partitions_of(c, t, &w.partitions, d);
    if (!e) e = configs_read(c, t, &w);
    if (!e) e = topic_make(l, &w, &made, d);
    if (e) return e;
    out->num_partitions = w.partitions;
    out->replication_factor = 1;
    if (!made) return ERR_OK;
    memcpy(out->topic_id.at, log_topic_id(made), sizeof(out->topic_id.at));
    return created_configs(c, made, out);
}

/* How often each name stands in a request. */
static const char once, twice;

static struct map *count_names(const struct kafka_create_topics_request *r)
{
    struct map *names = map_new(ADMIN_ITEMS_MAX);
    err_t e = names ? ERR_OK : ERR_NO_MEMORY;
    for (int32_t i = 0; i < r->topics.count && !e; i++) {
        struct slice name = r->topics.at[i].name;
        e = map_set(names, name, (void *)(uintptr_t)(map_get(names, name) ? &twice : &once));
    }
    if (!e) return names;
    map_free(names);
    return NULL;
}

static void create_topics(struct call *c)
{
    const struct kafka_create_topics_request *r = c->request;
    struct kafka_create_topics_response *out = c->response;
    struct map *names = count_names(r);
    for (int32_t i = 0; i < r->topics.count; i++) {
        struct kafka_create_topics_response_topic *o = &out->topics.at[i];
        struct diag d = {0};
        err_t e = ERR_USAGE;
        o->name = r->topics.at[i].name;
        if (!names)
            e = ERR_NO_MEMORY;
        else if (map_get(names, o->name) == &twice)
            (void)diag_fail(&d, e, "Duplicate topic name.");
        else
            e = create_one(c, &r->topics.at[i], r->validate_only, o, &d);
        struct admin_answer a = admin_answer(c, e, &d);
        o->error_code = a.code;
        o->error_message = a.message;
        if (e && o->configs.count > 0) o->configs.count = 0;
    }
    map_free(names);
    call_answer(c);
}

void kafka_create_topics(struct call *c)
{
    const struct kafka_create_topics_request *r = c->request;
    struct kafka_create_topics_response *out = c->response;
    if (r->topics.count > ADMIN_ITEMS_MAX) {
        call_refuse(c, ERR_TOO_BIG);
        return;
    }
    out->topics.at = call_new(c, kafka_create_topics_response_topic, MAX(r->topics.count, 0));
    out->topics.count = MAX(r->topics.count, 0);
    admin_work(c, out->topics.at, create_topics);
}

/* --- DeleteTopics ----------------------------------------------------------------------------- */

static err_t delete_one(struct call *c, struct slice name, const uint8_t *id,
                        struct kafka_delete_topics_response_topic *out, struct diag *d)
{
    struct log *l = door_options(c->door)->log;
    bool by_id = id && !name.at;
    struct log_topic *t = by_id ? log_topic_by_id(l, id) : log_topic_find(l, name);
    out->name = name;
    if (by_id) memcpy(out->topic_id.at, id, sizeof(out->topic_id.at));
    if (!t && by_id)
        return diag_fail(d, ERR_UNKNOWN_TOPIC_ID, "This server does not host this topic ID.");
    if (!t)
        return diag_fail(d, ERR_UNKNOWN_TOPIC, "This server does not host this topic-partition.");
    out->name = arena_slice(c->arena, log_topic_name(t));
    memcpy(out->topic_id.at, log_topic_id(t), sizeof(out->topic_id.at));
    return topic_delete(l, door_options(c->door)->coord, t, c->arena, d);
}

static void delete_topics(struct call *c)
{
    const struct kafka_delete_topics_request *r = c->request;
    struct kafka_delete_topics_response *out = c->response;
    for (int32_t i = 0; i < out->responses.count; i++) {
        struct kafka_delete_topics_response_topic *o = &out->responses.at[i];
        struct diag d = {0};
        err_t e = r->topics.count > 0
                      ? delete_one(c, r->topics.at[i].name, r->topics.at[i].topic_id.at, o, &d)
                      : delete_one(c, r->topic_names.at[i], NULL, o, &d);
        struct admin_answer a = admin_answer(c, e, &d);
        o->error_code = a.code;
        o->error_message = a.message;
    }
    call_answer(c);
}

void kafka_delete_topics(struct call *c)
{
    const struct kafka_delete_topics_request *r = c->request;
    struct kafka_delete_topics_response *out = c->response;
    int32_t count = MAX(MAX(r->topics.count, r->topic_names.count), 0);
    out->responses.at = call_new(c, kafka_delete_topics_response_topic, count);
    out->responses.count = count;
    admin_work(c, out->responses.at, delete_topics);
}

/* --- CreatePartitions ------------------------------------------------------------------------- */

static err_t grow_one(struct call *c, const struct kafka_create_partitions_request_topic *t,
                      bool validate_only, struct diag *d)
{
    struct log *l = door_options(c->door)->log;
    struct log_topic *topic = log_topic_find(l, t->name);
    if (!topic)
        return diag_fail(d, ERR_UNKNOWN_TOPIC, "This server does not host this topic-partition.");
    int32_t now = log_topic_partitions(topic);
    err_t e = topic_grow(l, topic, t->count, true, d);
    if (e) return e;
    for (int32_t i = 0; i < t->assignments.count; i++) {
        const struct kafka_create_partitions_request_assignment *a = &t->assignments.at[i];
        if (t->assignments.count != t->count - now || a->broker_ids.count != 1 ||
            a->broker_ids.at[0] != KAFKA_BROKER_ID)
            return diag_fail(d, ERR_REPLICA_ASSIGNMENT,
                             "Each of the %d new partitions can only be assigned to broker %d.",
                             t->count - now, KAFKA_BROKER_ID);
    }
    return validate_only ? ERR_OK : topic_grow(l, topic, t->count, false, d);
}

static void create_partitions(struct call *c)
{
    const struct kafka_create_partitions_request *r = c->request;
    struct kafka_create_partitions_response *out = c->response;
    for (int32_t i = 0; i < out->results.count; i++) {
        struct diag d = {0};
        err_t e = grow_one(c, &r->topics.at[i], r->validate_only, &d);
        struct admin_answer a = admin_answer(c, e, &d);
        out->results.at[i].name = r->topics.at[i].name;
        out->results.at[i].error_code = a.code;
        out->results.at[i].error_message = a.message;
    }
    call_answer(c);
}

void kafka_create_partitions(struct call *c)
{
    const struct kafka_create_partitions_request *r = c->request;
    struct kafka_create_partitions_response *out = c->response;
    out->results.count = MAX(r->topics.count, 0);
    out->results.at = call_new(c, kafka_create_partitions_response_result, out->results.count);
    admin_work(c, out->results.at, create_partitions);
}

/* --- DeleteRecords ---------------------------------------------------------------------------- */

static void delete_records(struct call *c)
{
    const struct kafka_delete_records_request *r = c->request;
    struct kafka_delete_records_response *out = c->response;
    for (int32_t i = 0; i < r->topics.count; i++)
        for (int32_t k = 0; k < r->topics.at[i].partitions.count; k++) {
            struct kafka_delete_records_response_partition *o = &out->topics.at[i].partitions.at[k];
            const struct kafka_delete_records_request_partition *p =
                &r->topics.at[i].partitions.at[k];
            o->partition_index = p->partition_index;
            o->error_code = err_kafka(
                topic_cut(log_topic_find(door_options(c->door)->log, r->topics.at[i].name),
                          p->partition_index, p->offset, &o->low_watermark, NULL));
        }
    call_answer(c);
}

void kafka_delete_records(struct call *c)
{
    const struct kafka_delete_records_request *r = c->request;
    struct kafka_delete_records_response *out = c->response;
    out->topics.count = MAX(r->topics.count, 0);
    out->topics.at = call_new(c, kafka_delete_records_response_topic, out->topics.count);
    bool room = out->topics.at != NULL;
    for (int32_t i = 0; room && i < out->topics.count; i++) {
        struct kafka_delete_records_response_topic *o = &out->topics.at[i];
        o->name = r->topics.at[i].name;
        o->partitions.count = MAX(r->topics.at[i].partitions.count, 0);
        o->partitions.at =
            call_new(c, kafka_delete_records_response_partition, o->partitions.count);
        room = o->partitions.at != NULL;
    }
    admin_work(c, room ? out->topics.at : NULL, delete_records);
}
