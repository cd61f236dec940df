/* What a cluster of one answers: log directories, the quorum, elections and reassignments that have
 * nothing to do, and what is not switched on: access lists, quotas. */
#include "door/kafka/admin.h"

#include "os/file.h"

static bool have_room(struct call *c, const void *at)
{
    if (!at) call_refuse(c, ERR_NO_MEMORY);
    return at != NULL;
}

static struct log_partition *partition_named(struct call *c, struct slice topic, int32_t index)
{
    int16_t code;
    return partition_of(c, topic, NULL, index, &code);
}

/* --- DescribeLogDirs, AlterReplicaLogDirs ----------------------------------------------------- */

struct dirs {
    struct call *call;
    struct vec topics; /* struct kafka_describe_log_dirs_response_topic */
};

/* `indexes` NULL: all partitions. Unknown ones are left out, as the broker does. */
static err_t dir_topic(struct dirs *w, struct log_topic *t, const int32_t *indexes, int32_t count)
{
    struct kafka_describe_log_dirs_response_topic *o = vec_add(&w->topics);
    if (!indexes) count = log_topic_partitions(t);
    if (!o) return ERR_NO_MEMORY;
    kafka_struct_init(&kafka_describe_log_dirs_response_topic_struct, o);
    o->name = arena_slice(w->call->arena, log_topic_name(t));
    o->partitions.at = call_new(w->call, kafka_describe_log_dirs_response_partition, count);
    if (!o->partitions.at) return ERR_NO_MEMORY;
    for (int32_t i = 0; i < count; i++) {
        int32_t index = indexes ? indexes[i] : i;
        const struct log_partition *p = log_partition(t, index);
        if (!p) continue;
        struct kafka_describe_log_dirs_response_partition *k =
            &o->partitions.at[o->partitions.count++];
        k->partition_index = index;
        k->partition_size = (int64_t)log_partition_bytes(p);
    }
    return ERR_OK;
}

static err_t dir_each(void *ctx, struct log_topic *t)
{
    return dir_topic(ctx, t, NULL, 0);
}

static err_t dir_topics(struct dirs *w, const struct kafka_describe_log_dirs_request *r)
{
    struct log *l = door_options(w->call->door)->log;
    if (r->topics.count < 0) return log_topics(l, dir_each, w);
    for (int32_t i = 0; i < r->topics.count; i++) {
        const struct kafka_describe_log_dirs_request_topic *in = &r->topics.at[i];
        struct log_topic *t = log_topic_find(l, in->topic);
        err_t e = t ? dir_topic(w, t, in->partitions.at, in->partitions.count) : ERR_OK;
        if (e) return e;
    }
    return ERR_OK;
}

void kafka_describe_log_dirs(struct call *c)
{
    struct kafka_describe_log_dirs_response *out = c->response;
    struct dirs w = {c, vec_make(sizeof(struct kafka_describe_log_dirs_response_topic), 1 << 20)};
    struct kafka_describe_log_dirs_response_result *o =
        call_new(c, kafka_describe_log_dirs_response_result, 1);
    uint64_t free_bytes = 0, total_bytes = 0;
    err_t e = o ? dir_topics(&w, c->request) : ERR_NO_MEMORY;
    size_t size = w.topics.count * sizeof(struct kafka_describe_log_dirs_response_topic);
    if (!e) o->topics.at = arena_take(c->arena, size + 1);
    if (!e && !o->topics.at) e = ERR_NO_MEMORY;
    if (!e) {
        if (size) memcpy(o->topics.at, w.topics.items, size);
        o->topics.count = (int32_t)w.topics.count;
        o->log_dir = slice_of(log_dir(door_options(c->door)->log));
        if (!disk_free(log_dir(door_options(c->door)->log), &free_bytes, &total_bytes, NULL)) {
            o->total_bytes = (int64_t)total_bytes;
            o->usable_bytes = (int64_t)free_bytes;
        }
        out->results.at = o;
        out->results.count = 1;
    }
    vec_done(&w.topics);
    if (e)
        call_refuse(c, e);
    else
        call_answer(c);
}

/* There is one directory: moving a replica there is done already. */
void kafka_alter_replica_log_dirs(struct call *c)
{
    const struct kafka_alter_replica_log_dirs_request *r = c->request;
    struct kafka_alter_replica_log_dirs_response *out = c->response;
    int32_t topics = 0;
    for (int32_t i = 0; i < r->dirs.count; i++) topics += MAX(r->dirs.at[i].topics.count, 0);
    out->results.at = call_new(c, kafka_alter_replica_log_dirs_response_topic, topics);
    if (!have_room(c, out->results.at)) return;
    for (int32_t i = 0; i < r->dirs.count; i++)
        for (int32_t k = 0; k < r->dirs.at[i].topics.count; k++) {
            const struct kafka_alter_replica_log_dirs_request_topic *in =
                &r->dirs.at[i].topics.at[k];
            struct kafka_alter_replica_log_dirs_response_topic *o =
                &out->results.at[out->results.count++];
            int32_t n = MAX(in->partitions.count, 0);
            bool ours = slice_is(r->dirs.at[i].path, log_dir(door_options(c->door)->log));
            o->topic_name = in->name;
            o->partitions.at = call_new(c, kafka_alter_replica_log_dirs_response_partition, n);
            if (!have_room(c, o->partitions.at)) return;
            for (o->partitions.count = 0; o->partitions.count < n; o->partitions.count++) {
                int32_t index = in->partitions.at[o->partitions.count];
                bool known = partition_named(c, in->name, index) != NULL;
                o->partitions.at[o->partitions.count].partition_index = index;
                o->partitions.at[o->partitions.count].error_code =
                    !ours    ? KAFKA_ERROR_LOG_DIR_NOT_FOUND
                    : !known ? KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION
                             : 0;
            }
        }
    call_answer(c);
}

/* --- DescribeQuorum --------------------------------------------------------------------------- */

/* The metadata's quorum is this node: what it decides is on its disk, there is no log to lag. */
static bool quorum_partition(struct call *c, struct kafka_describe_quorum_response_partition *o,
                             int32_t index, bool known)
{
    o->partition_index = index;
    if (!known) {
        o->error_code = KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION;
        return true;
    }
    o->leader_id = KAFKA_BROKER_ID;
    o->leader_epoch = 1;
    o->current_voters.at = call_new(c, kafka_describe_quorum_response_replica, 1);
    if (!have_room(c, o->current_voters.at)) return false;
    o->current_voters.count = 1;
    o->current_voters.at[0].replica_id = KAFKA_BROKER_ID;
    return true;
}

static bool quorum_node(struct call *c, struct kafka_describe_quorum_response *out)
{
    char host[256];
    int32_t port;
    call_address(c, host, &port);
    out->nodes.at = call_new(c, kafka_describe_quorum_response_node, 1);
    if (!have_room(c, out->nodes.at)) return false;
    struct kafka_describe_quorum_response_node *n = out->nodes.at;
    n->listeners.at = call_new(c, kafka_describe_quorum_response_listener, 1);
    if (!have_room(c, n->listeners.at)) return false;
    out->nodes.count = n->listeners.count = 1;
    n->node_id = KAFKA_BROKER_ID;
    n->listeners.at[0].name = SLICE("CONTROLLER");
    n->listeners.at[0].host = arena_slice(c->arena, slice_of(host));
    n->listeners.at[0].port = (uint16_t)port;
    return true;
}

void kafka_describe_quorum(struct call *c)
{
    const struct kafka_describe_quorum_request *r = c->request;
    struct kafka_describe_quorum_response *out = c->response;
    out->topics.count = MAX(r->topics.count, 0);
    out->topics.at = call_new(c, kafka_describe_quorum_response_topic, out->topics.count);
    if (!have_room(c, out->topics.at) || !quorum_node(c, out)) return;
    for (int32_t i = 0; i < out->topics.count; i++) {
        const struct kafka_describe_quorum_request_topic *in = &r->topics.at[i];
        struct kafka_describe_quorum_response_topic *o = &out->topics.at[i];
        o->topic_name = in->topic_name;
        o->partitions.count = MAX(in->partitions.count, 0);
        o->partitions.at =
            call_new(c, kafka_describe_quorum_response_partition, o->partitions.count);
        if (!have_room(c, o->partitions.at)) return;
        for (int32_t k = 0; k < o->partitions.count; k++) {
            int32_t index = in->partitions.at[k].partition_index;
            bool known = slice_is(in->topic_name, "__cluster_metadata") && index == 0;
            if (!quorum_partition(c, &o->partitions.at[k], index, known)) return;
        }
    }
    call_answer(c);
}

/* --- elections and reassignments -------------------------------------------------------------- */

/* This broker leads every partition already: none needs an election, none can move. */
void kafka_elect_leaders(struct call *c)
{
    const struct kafka_elect_leaders_request *r = c->request;
    struct kafka_elect_leaders_response *out = c->response;
    int32_t topics = MAX(r->topic_partitions.count, 0); /* null asks for all: none has anything */
    out->replica_election_results.at = call_new(c, kafka_elect_leaders_response_topic, topics);
    if (!have_room(c, out->replica_election_results.at)) return;
    for (int32_t i = 0; i < topics; i++) {
        const struct kafka_elect_leaders_request_topic_partition *in = &r->topic_partitions.at[i];
        struct kafka_elect_leaders_response_topic *o =
            &out->replica_election_results.at[out->replica_election_results.count++];
        int32_t n = MAX(in->partitions.count, 0);
        o->topic = in->topic;
        o->partition_result.at = call_new(c, kafka_elect_leaders_response_partition, n);
        if (!have_room(c, o->partition_result.at)) return;
        for (o->partition_result.count = 0; o->partition_result.count < n;
             o->partition_result.count++) {
            struct kafka_elect_leaders_response_partition *p =
                &o->partition_result.at[o->partition_result.count];
            p->partition_id = in->partitions.at[o->partition_result.count];
            p->error_code = partition_named(c, in->topic, p->partition_id)
                                ? KAFKA_ERROR_ELECTION_NOT_NEEDED
                                : KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION;
            p->error_message = slice_of(kafka_error_of(p->error_code)->text);
        }
    }
    call_answer(c);
}

static int16_t reassign_code(struct call *c, struct slice topic,
                             const struct kafka_alter_partition_reassignments_request_partition *p)
{
    if (!partition_named(c, topic, p->partition_index))
        return KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION;
    if (p->replicas.count < 0) return KAFKA_ERROR_NO_REASSIGNMENT_IN_PROGRESS; /* null: cancel it */
    bool here = p->replicas.count == 1 && p->replicas.at[0] == KAFKA_BROKER_ID;
    return here ? 0 : KAFKA_ERROR_INVALID_REPLICA_ASSIGNMENT;
}

void kafka_alter_partition_reassignments(struct call *c)
{
    const struct kafka_alter_partition_reassignments_request *r = c->request;
    struct kafka_alter_partition_reassignments_response *out = c->response;
    out->responses.count = MAX(r->topics.count, 0);
    out->responses.at =
        call_new(c, kafka_alter_partition_reassignments_response_topic, out->responses.count);
    if (!have_room(c, out->responses.at)) return;
    for (int32_t i = 0; i < out->responses.count; i++) {
        const struct kafka_alter_partition_reassignments_request_topic *in = &r->topics.at[i];
        struct kafka_alter_partition_reassignments_response_topic *o = &out->responses.at[i];
        o->name = in->name;
        o->partitions.count = MAX(in->partitions.count, 0);
        o->partitions.at = call_new(c, kafka_alter_partition_reassignments_response_partition,
                                    o->partitions.count);
        if (!have_room(c, o->partitions.at)) return;
        for (int32_t k = 0; k < o->partitions.count; k++) {
            struct kafka_alter_partition_reassignments_response_partition *p = &o->partitions.at[k];
            p->partition_index = in->partitions.at[k].partition_index;
            p->error_code = reassign_code(c, in->name, &in->partitions.at[k]);
            p->error_message =
                p->error_code ? slice_of(kafka_error_of(p->error_code)->text) : (struct slice){0};
        }
    }
    call_answer(c);
}

void kafka_list_partition_reassignments(struct call *c)
{
    call_answer(c); /* none is ever under way */
}

void kafka_unregister_broker(struct call *c)
{
    const struct kafka_unregister_broker_request *r = c->request;
    struct kafka_unregister_broker_response *out = c->response;
    bool us = r->broker_id == KAFKA_BROKER_ID;
    out->error_code = us ? KAFKA_ERROR_INVALID_REQUEST : KAFKA_ERROR_BROKER_ID_NOT_REGISTERED;
    out->error_message = us ? SLICE("This broker is the cluster: it can not leave it.")
                            : slice_of(kafka_error_of(out->error_code)->text);
    call_answer(c);
}

void kafka_update_features(struct call *c)
{
    const struct kafka_update_features_request *r = c->request;
    struct kafka_update_features_response *out = c->response;
    const struct slice why = SLICE("The features of this broker are those of its version.");
    out->results.count = MAX(r->feature_updates.count, 0);
    out->results.at = call_new(c, kafka_update_features_response_result, out->results.count);
    if (!have_room(c, out->results.at)) return;
    for (int32_t i = 0; i < out->results.count; i++) {
        out->results.at[i].feature = r->feature_updates.at[i].feature;
        out->results.at[i].error_code = KAFKA_ERROR_INVALID_UPDATE_VERSION;
        out->results.at[i].error_message = why;
    }
    if (out->results.count > 0 && c->head.api_version >= 2) { /* told once, for all of them */
        out->error_code = KAFKA_ERROR_INVALID_UPDATE_VERSION;
        out->error_message = why;
    }
    call_answer(c);
}

/* --- what is not switched on: the original's words for a broker without an authorizer ----------
 */

#define NO_AUTHORIZER SLICE("No Authorizer is configured on the broker")

void kafka_describe_acls(struct call *c)
{
    struct kafka_describe_acls_response *out = c->response;
    out->error_code = KAFKA_ERROR_SECURITY_DISABLED;
    out->error_message = NO_AUTHORIZER;
    call_answer(c);
}

void kafka_create_acls(struct call *c)
{
    const struct kafka_create_acls_request *r = c->request;
    struct kafka_create_acls_response *out = c->response;
    out->results.count = MAX(r->creations.count, 0);
    out->results.at = call_new(c, kafka_create_acls_response_result, out->results.count);
    if (!have_room(c, out->results.at)) return;
    for (int32_t i = 0; i < out->results.count; i++) {
        out->results.at[i].error_code = KAFKA_ERROR_SECURITY_DISABLED;
        out->results.at[i].error_message = NO_AUTHORIZER;
    }
    call_answer(c);
}

void kafka_delete_acls(struct call *c)
{
    const struct kafka_delete_acls_request *r = c->request;
    struct kafka_delete_acls_response *out = c->response;
    out->filter_results.count = MAX(r->filters.count, 0);
    out->filter_results.at =
        call_new(c, kafka_delete_acls_response_filter_result, out->filter_results.count);
    if (!have_room(c, out->filter_results.at)) return;
    for (int32_t i = 0; i < out->filter_results.count; i++) {
        out->filter_results.at[i].error_code = KAFKA_ERROR_SECURITY_DISABLED;
        out->filter_results.at[i].error_message = NO_AUTHORIZER;
    }
    call_answer(c);
}

void kafka_describe_client_quotas(struct call *c)
{
    struct kafka_describe_client_quotas_response *out = c->response;
    out->entries.count = 0; /* there are none */
    call_answer(c);
}

void kafka_alter_client_quotas(struct call *c)
{
    const struct kafka_alter_client_quotas_request *r = c->request;
    struct kafka_alter_client_quotas_response *out = c->response;
    out->entries.count = MAX(r->entries.count, 0);
    out->entries.at = call_new(c, kafka_alter_client_quotas_response_entry, out->entries.count);
    if (!have_room(c, out->entries.at)) return;
    for (int32_t i = 0; i < out->entries.count; i++) {
        const struct kafka_alter_client_quotas_request_entry *in = &r->entries.at[i];
        struct kafka_alter_client_quotas_response_entry *o = &out->entries.at[i];
        o->error_code = KAFKA_ERROR_INVALID_REQUEST;
        o->error_message = SLICE("Quotas are not available in this version of Sluice.");
        o->entity.count = MAX(in->entity.count, 0);
        o->entity.at = call_new(c, kafka_alter_client_quotas_response_entity, o->entity.count);
        if (!have_room(c, o->entity.at)) return;
        for (int32_t k = 0; k < o->entity.count; k++) {
            o->entity.at[k].entity_type = in->entity.at[k].entity_type;
            o->entity.at[k].entity_name = in->entity.at[k].entity_name;
        }
    }
    call_answer(c);
}
