/* Metadata, DescribeCluster, DescribeTopicPartitions: which topics there are, and where: here. */
#include "base/say.h"
#include "base/vec.h"
#include "coord/topics.h"
#include "door/kafka/kafka_int.h"
#include "log/log.h"

#include <stdlib.h>

enum { TOPICS_ASKED_MAX = 100000, PARTITIONS_A_PAGE = 2000 /* max.request.partition.size.limit */ };

static void no_memory(struct call *c)
{
    diag_fail(&c->diag, ERR_NO_MEMORY, "the answer is larger than %d bytes", CALL_ARENA_MAX);
    call_break(c);
}

/* This broker, as a list of replicas. */
static int32_t *here(struct call *c)
{
    int32_t *one = arena_take_raw(c->arena, sizeof(*one));
    if (one) *one = KAFKA_BROKER_ID;
    return one;
}

static struct slice host_of(struct call *c, int32_t *port)
{
    char host[256];
    call_address(c, host, port);
    return call_text(c, host);
}

/* --- Metadata --------------------------------------------------------------------------------- */

static bool put_partitions(struct call *c, struct kafka_metadata_response_topic *out,
                           const struct log_topic *t)
{
    int32_t count = log_topic_partitions(t), *one = here(c);
    out->partitions.at = call_new(c, kafka_metadata_response_partition, count);
    if (!one || !out->partitions.at) return false;
    out->partitions.count = count;
    for (int32_t i = 0; i < count; i++) {
        struct kafka_metadata_response_partition *p = &out->partitions.at[i];
        p->partition_index = i;
        p->leader_id = KAFKA_BROKER_ID;
        p->leader_epoch = KAFKA_LEADER_EPOCH;
        p->replica_nodes.at = p->isr_nodes.at = one;
        p->replica_nodes.count = p->isr_nodes.count = 1;
    }
    return true;
}

static bool put_topic(struct call *c, struct kafka_metadata_response_topic *out,
                      const struct log_topic *t)
{
    const struct kafka_metadata_request *q = c->request;
    out->name = log_topic_name(t);
    memcpy(out->topic_id.at, log_topic_id(t), sizeof(out->topic_id.at));
    out->is_internal = log_topic_name_is_internal(out->name);
    if (q->include_topic_authorized_operations)
        out->topic_authorized_operations = topic_operations(call_who(c)->role);
    return put_partitions(c, out, t);
}

/* What is not there, or may not be: without an id, without partitions. */
static void put_missing(struct kafka_metadata_response_topic *out, struct slice name, int16_t code)
{
    out->name = name;
    out->error_code = code;
    out->is_internal = log_topic_name_is_internal(name);
}

static bool wants_creation(const struct call *c)
{
    const struct kafka_metadata_request *q = c->request;
    return q->allow_auto_topic_creation && door_options(c->door)->auto_create;
}

/* At once, where Kafka says LEADER_NOT_AVAILABLE and makes it in the background: the client has one
 * round less to go. A name that collides is INVALID_TOPIC_EXCEPTION, as from a broker that makes it
 * itself (AutoTopicCreationManager.createTopicsInZk). Only on the worker's thread. */
static int16_t create(struct call *c, struct slice name, struct log_topic **out)
{
    const struct kafka_door_options *o = door_options(c->door);
    struct log_topic_config config = log_topic_defaults();
    struct diag d = {0};
    if (log_topic_name_is_internal(name))
        return KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION; /* coord's to make */
    if (call_who(c)->role < ROLE_USER) return KAFKA_ERROR_TOPIC_AUTHORIZATION_FAILED;
    err_t e = topic_collision(o->log, name, &d);
    if (!e) e = log_topic_create(o->log, name, MAX(o->default_partitions, 1), &config, out, &d);
    if (e == ERR_EXISTS) *out = log_topic_find(o->log, name); /* another request was faster */
    if (*out) return KAFKA_ERROR_NONE;
    if (e != ERR_TOPIC_NAME) say_diag(SAY_DOOR, SAY_WARN, "topic can not be made", &d);
    return e == ERR_EXISTS ? KAFKA_ERROR_LEADER_NOT_AVAILABLE : err_kafka(e);
}

static int16_t why_missing(struct slice name)
{
    return log_topic_name_fault(name) ? KAFKA_ERROR_INVALID_TOPIC_EXCEPTION
                                      : KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION;
}

static bool put_named(struct call *c, const struct kafka_metadata_request_topic *asked,
                      struct kafka_metadata_response_topic *out)
{
    int16_t code;
    bool by_id = asked->name.at == NULL;
    struct log_topic *t = topic_of(c, asked->name, by_id ? &asked->topic_id : NULL, &code);
    if (by_id && !t) code = KAFKA_ERROR_UNKNOWN_TOPIC_ID;
    if (!t && !by_id) {
        code = why_missing(asked->name);
        if (code == KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION && wants_creation(c))
            code = create(c, asked->name, &t);
    }
    if (t) return put_topic(c, out, t);
    put_missing(out, asked->name, code);
    out->topic_id = asked->topic_id;
    return true;
}

struct all_topics {
    struct call *call;
    struct vec found; /* struct log_topic * */
};

static err_t collect(void *ctx, struct log_topic *t)
{
    struct all_topics *all = ctx;
    return vec_push(&all->found, &t);
}

static bool put_all(struct call *c, struct kafka_metadata_response *r)
{
    struct all_topics all = {c, vec_make(sizeof(struct log_topic *), (size_t)1 << 20)};
    bool fits = log_topics(door_options(c->door)->log, collect, &all) == ERR_OK;
    r->topics.at =
        fits ? call_new(c, kafka_metadata_response_topic, (int32_t)all.found.count) : NULL;
    fits = r->topics.at != NULL;
    for (size_t i = 0; fits && i < all.found.count; i++)
        fits = put_topic(c, &r->topics.at[r->topics.count++],
                         *(struct log_topic **)vec_at(&all.found, i));
    vec_done(&all.found);
    return fits;
}

/* Kafka's set of names: each is answered once. */
static bool put_asked(struct call *c, struct kafka_metadata_response *r)
{
    const struct kafka_metadata_request *q = c->request;
    struct map *seen = map_new(TOPICS_ASKED_MAX);
    r->topics.at = call_new(c, kafka_metadata_response_topic, q->topics.count);
    bool fits = seen && r->topics.at;
    for (int32_t i = 0; fits && i < q->topics.count; i++) {
        const struct kafka_metadata_request_topic *t = &q->topics.at[i];
        struct slice key =
            t->name.at ? t->name : slice_make(t->topic_id.at, sizeof(t->topic_id.at));
        if (map_get(seen, key)) continue;
        fits = map_set(seen, key, c) == ERR_OK && put_named(c, t, &r->topics.at[r->topics.count++]);
    }
    map_free(seen);
    return fits;
}

static bool put_broker(struct call *c, struct kafka_metadata_response *r)
{
    r->brokers.at = call_new(c, kafka_metadata_response_broker, 1);
    if (!r->brokers.at) return false;
    r->brokers.count = 1;
    r->brokers.at->node_id = KAFKA_BROKER_ID;
    r->brokers.at->host = host_of(c, &r->brokers.at->port);
    r->cluster_id = slice_of(door_options(c->door)->cluster_id);
    r->controller_id = KAFKA_BROKER_ID;
    return r->brokers.at->host.at != NULL;
}

static bool wants_all(const struct call *c)
{
    const struct kafka_metadata_request *q = c->request;
    return q->topics.count < 0 || (c->head.api_version == 0 && q->topics.count == 0);
}

static void answer_metadata(struct call *c)
{
    const struct kafka_metadata_request *q = c->request;
    struct kafka_metadata_response *r = c->response;
    r->topics.count = 0;
    bool fits = put_broker(c, r) && (wants_all(c) ? put_all(c, r) : put_asked(c, r));
    if (q->include_cluster_authorized_operations)
        r->cluster_authorized_operations = cluster_operations(call_who(c)->role);
    if (fits)
        call_answer(c);
    else
        no_memory(c);
}

/* Is a topic to be made? Then the worker answers, who may wait for the disk. */
static bool has_missing(struct call *c)
{
    const struct kafka_metadata_request *q = c->request;
    int16_t code;
    for (int32_t i = 0; i < q->topics.count; i++) {
        struct slice name = q->topics.at[i].name;
        if (name.at && !topic_of(c, name, NULL, &code) && !log_topic_name_fault(name)) return true;
    }
    return false;
}

static bool is_sound(struct call *c)
{
    const struct kafka_metadata_request *q = c->request;
    static const struct uuid none;
    if (q->topics.count > TOPICS_ASKED_MAX) {
        diag_fail(&c->diag, ERR_TOO_BIG, "more than %d topics asked for", TOPICS_ASKED_MAX);
        return false;
    }
    for (int32_t i = 0; i < q->topics.count && c->head.api_version < 12; i++) {
        const struct kafka_metadata_request_topic *t = &q->topics.at[i];
        if (t->name.at && memcmp(&t->topic_id, &none, sizeof(none)) == 0) continue;
        diag_fail(&c->diag, ERR_MALFORMED, "topics have no ids before version 12");
        return false;
    }
    return true;
}

void kafka_metadata(struct call *c)
{
    if (!is_sound(c))
        call_break(c);
    else if (!wants_all(c) && wants_creation(c) && has_missing(c))
        call_work(c, answer_metadata);
    else
        answer_metadata(c);
}

/* --- DescribeCluster -------------------------------------------------------------------------- */

void kafka_describe_cluster(struct call *c)
{
    const struct kafka_describe_cluster_request *q = c->request;
    struct kafka_describe_cluster_response *r = c->response;
    enum { BROKERS = 1 };
    r->endpoint_type = q->endpoint_type;
    r->cluster_id = slice_of(door_options(c->door)->cluster_id);
    if (q->endpoint_type != BROKERS) { /* as a broker that is asked for controllers */
        r->error_code = q->endpoint_type == 2 ? KAFKA_ERROR_MISMATCHED_ENDPOINT_TYPE
                                              : KAFKA_ERROR_UNSUPPORTED_ENDPOINT_TYPE;
        r->error_message = SLICE("The request was sent to an endpoint of the wrong type.");
        call_answer(c);
        return;
    }
    r->brokers.at = call_new(c, kafka_describe_cluster_response_broker, 1);
    if (!r->brokers.at) {
        no_memory(c);
        return;
    }
    r->brokers.count = 1;
    r->brokers.at->broker_id = r->controller_id = KAFKA_BROKER_ID;
    r->brokers.at->host = host_of(c, &r->brokers.at->port);
    if (q->include_cluster_authorized_operations)
        r->cluster_authorized_operations = cluster_operations(call_who(c)->role);
    call_answer(c);
}

/* --- DescribeTopicPartitions ------------------------------------------------------------------ */

static int by_name(const void *a, const void *b)
{
    return slice_compare(*(const struct slice *)a, *(const struct slice *)b);
}

/* The names asked for, or all, in order, from the cursor on. */
static struct slice *names_of(struct call *c, int32_t *count)
{
    const struct kafka_describe_topic_partitions_request *q = c->request;
    struct all_topics all = {c, vec_make(sizeof(struct log_topic *), (size_t)1 << 20)};
    bool fits =
        q->topics.count > 0 || log_topics(door_options(c->door)->log, collect, &all) == ERR_OK;
    int32_t total = q->topics.count > 0 ? q->topics.count : (int32_t)all.found.count;
    struct slice *names =
        fits ? arena_take_raw(c->arena, (size_t)MAX(total, 1) * sizeof(*names)) : NULL;
    *count = 0;
    for (int32_t i = 0; names && i < total; i++) {
        struct slice name =
            q->topics.count > 0
                ? q->topics.at[i].name
                : log_topic_name(*(struct log_topic **)vec_at(&all.found, (size_t)i));
        if (q->cursor && slice_compare(name, q->cursor->topic_name) < 0) continue;
        names[(*count)++] = name;
    }
    vec_done(&all.found);
    if (names) qsort(names, (size_t)*count, sizeof(*names), by_name);
    return names;
}

/* Partitions from `first` on, as many as the page has room for. Answers the next one, -1: no
 * memory. */
static int32_t put_described(struct call *c,
                             struct kafka_describe_topic_partitions_response_topic *out,
                             const struct log_topic *t, int32_t first, int32_t room)
{
    int32_t total = log_topic_partitions(t), *one = here(c);
    int32_t count = MAX(MIN(total - first, room), 0);
    out->name = log_topic_name(t);
    memcpy(out->topic_id.at, log_topic_id(t), sizeof(out->topic_id.at));
    out->is_internal = log_topic_name_is_internal(out->name);
    out->topic_authorized_operations = topic_operations(call_who(c)->role);
    out->partitions.at = call_new(c, kafka_describe_topic_partitions_response_partition, count);
    if (!one || !out->partitions.at) return -1;
    out->partitions.count = count;
    for (int32_t i = 0; i < count; i++) {
        struct kafka_describe_topic_partitions_response_partition *p = &out->partitions.at[i];
        p->partition_index = first + i;
        p->leader_id = KAFKA_BROKER_ID;
        p->leader_epoch = KAFKA_LEADER_EPOCH;
        p->replica_nodes.at = p->isr_nodes.at = one;
        p->replica_nodes.count = p->isr_nodes.count = 1;
        p->eligible_leader_replicas.at = p->last_known_elr.at = one;
        p->eligible_leader_replicas.count = p->last_known_elr.count = 0;
    }
    return first + count;
}

static bool put_next(struct call *c, struct kafka_describe_topic_partitions_response *r,
                     struct slice name, int32_t partition)
{
    r->next_cursor = call_new(c, kafka_describe_topic_partitions_response_next_cursor, 1);
    if (!r->next_cursor) return false;
    r->next_cursor->topic_name = name;
    r->next_cursor->partition_index = partition;
    return true;
}

static bool put_page(struct call *c, struct kafka_describe_topic_partitions_response *r)
{
    const struct kafka_describe_topic_partitions_request *q = c->request;
    int32_t count, room = MIN(q->response_partition_limit, PARTITIONS_A_PAGE);
    struct slice *names = names_of(c, &count);
    r->topics.at =
        names ? call_new(c, kafka_describe_topic_partitions_response_topic, count) : NULL;
    if (!r->topics.at) return false;
    r->topics.count = 0;
    for (int32_t i = 0; i < count; i++) {
        if (i > 0 && slice_equal(names[i], names[i - 1])) continue;
        bool resumed = q->cursor && slice_equal(names[i], q->cursor->topic_name);
        int32_t first = resumed ? MAX(q->cursor->partition_index, 0) : 0;
        if (room <= 0) return put_next(c, r, names[i], first);
        struct kafka_describe_topic_partitions_response_topic *out =
            &r->topics.at[r->topics.count++];
        struct log_topic *t = topic_of(c, names[i], NULL, &out->error_code);
        out->name = names[i];
        if (!t) {
            out->error_code = why_missing(names[i]);
            continue;
        }
        int32_t next = put_described(c, out, t, first, room);
        if (next < 0) return false;
        room -= out->partitions.count;
        if (next < log_topic_partitions(t)) return put_next(c, r, names[i], next);
    }
    return true;
}

void kafka_describe_topic_partitions(struct call *c)
{
    const struct kafka_describe_topic_partitions_request *q = c->request;
    if (q->response_partition_limit < 1 || (q->cursor && q->cursor->partition_index < 0)) {
        diag_fail(&c->diag, ERR_MALFORMED, "no page of %d partitions", q->response_partition_limit);
        call_break(c);
    } else if (put_page(c, c->response)) {
        call_answer(c);
    } else {
        no_memory(c);
    }
}
