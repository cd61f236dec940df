/* kafka-broker-api-versions, kafka-log-dirs and kafka-metadata-quorum, in their own words. */
#include "main/kafka/ask.h"
#include "main/kafka/sheet.h"
#include "main/kafka/tool_words.h"
#include "main/kafka/tools.h"
#include "main/kafka/topic_ops.h"

#include "data/json.h"
#include "os/clock.h"
#include <stdio.h>
#include <stdlib.h>

static err_t nodes_of(struct session *s, struct kafka_node *nodes, size_t *count, struct diag *d)
{
    struct kafka_metadata_response *m;
    err_t e = kafka_client_topics(s->client, NULL, 0, false, s->arena, &m, d);
    *count = e ? 0 : kafka_client_nodes(s->client, nodes, CLIENT_NODES_MAX);
    return e;
}

/* --- kafka-broker-api-versions ---------------------------------------------------------------- */

static void print_api(const struct kafka_api_versions_response_api_key *k, bool last)
{
    const struct kafka_api *ours = kafka_api_of(k->api_key);
    if (ours)
        printf("\t%s(%d): ", ours->name, k->api_key);
    else
        printf("\tUNKNOWN(%d): ", k->api_key);
    if (k->min_version == k->max_version)
        printf("%d", k->min_version);
    else
        printf("%d to %d", k->min_version, k->max_version);
    if (ours) {
        int16_t usable = MIN(ours->last, k->max_version);
        if (usable >= MAX(ours->first, k->min_version))
            printf(" [usable: %d]", usable);
        else
            printf(" [unusable: node too %s]", k->max_version < ours->first ? "old" : "new");
    }
    printf("%s\n", last ? "" : ",");
}

static err_t print_versions(struct session *s, const struct kafka_node *n, struct diag *d)
{
    struct kafka_api_versions_request r;
    struct kafka_ask q = {.api = KAFKA_API_api_versions, .newest = 3, .request = &r};
    kafka_init(&kafka_api_versions_request_message, &r);
    r.client_software_name = SLICE("sluice");
    r.client_software_version = SLICE("1");
    err_t e = kafka_client_ask(s->client, n->id, &q, s->arena, d);
    if (e) return e;
    const struct kafka_api_versions_response *o = q.response;
    e = kafka_client_error(o->error_code, (struct slice){0}, d, "asking %s:%u", n->host, n->port);
    if (e) return e;
    printf("%s:%u (id: %d rack: null) -> (\n", n->host, n->port, n->id);
    for (int32_t i = 0; i < o->api_keys.count; i++)
        print_api(&o->api_keys.at[i], i + 1 == o->api_keys.count);
    printf(")\n");
    return ERR_OK;
}

int tool_broker_api_versions(const struct verb *v, const struct args *a)
{
    struct session s;
    struct diag d = {0};
    struct kafka_node nodes[CLIENT_NODES_MAX];
    size_t count;
    if (args_has(a, "--version")) return tool_version();
    if (!args_has(a, "--bootstrap-server"))
        return cli_usage(v, "Missing required argument \"[bootstrap-server]\"");
    if (session_of_tool(a, &s, &d)) return tool_error(&d);
    err_t e = nodes_of(&s, nodes, &count, &d);
    for (size_t i = 0; !e && i < count; i++) e = print_versions(&s, &nodes[i], &d);
    session_close(&s);
    return e ? tool_error(&d) : 0;
}

/* --- kafka-log-dirs --------------------------------------------------------------------------- */

/* Is `text` one of a comma-separated list? NULL: everything is. */
static bool in_list(const char *list, struct slice text)
{
    if (!list) return true;
    for (const char *at = list; *at;) {
        size_t len = strcspn(at, ",");
        if (slice_equal(slice_trim(slice_make(at, len)), text)) return true;
        at += len + (at[len] == ',');
    }
    return false;
}

static void put_dir(struct buf *out, const struct kafka_describe_log_dirs_response_result *r,
                    const char *topics)
{
    bool first = true;
    buf_text(out, "{\"partitions\":[");
    for (int32_t i = 0; i < r->topics.count; i++)
        for (int32_t k = 0; k < r->topics.at[i].partitions.count; k++) {
            const struct kafka_describe_log_dirs_response_partition *p =
                &r->topics.at[i].partitions.at[k];
            if (!in_list(topics, r->topics.at[i].name)) continue;
            buf_printf(out,
                       "%s{\"partition\":\"%.*s-%d\",\"size\":%lld,\"offsetLag\":%lld,\"isFuture\":"
                       "%s}",
                       first ? "" : ",", SLICE_ARG(r->topics.at[i].name), p->partition_index,
                       (long long)p->partition_size, (long long)p->offset_lag,
                       p->is_future_key ? "true" : "false");
            first = false;
        }
    buf_text(out, "],\"error\":");
    if (r->error_code)
        json_put_text(out, slice_of(kafka_error_of(r->error_code)->text));
    else
        buf_text(out, "null");
    buf_text(out, ",\"logDir\":");
    json_put_text(out, r->log_dir);
    buf_char(out, '}');
}

static err_t put_dirs(struct session *s, int32_t node, const char *topics, struct buf *out,
                      struct diag *d)
{
    struct kafka_describe_log_dirs_request r;
    struct kafka_ask q = {.api = KAFKA_API_describe_log_dirs, .request = &r};
    kafka_init(&kafka_describe_log_dirs_request_message, &r);
    r.topics.at = NULL;
    r.topics.count = -1;
    err_t e = kafka_client_ask(s->client, node, &q, s->arena, d);
    if (e) return e;
    const struct kafka_describe_log_dirs_response *o = q.response;
    e = kafka_client_error(o->error_code, (struct slice){0}, d, "log directories of broker %d",
                           node);
    if (e) return e;
    buf_printf(out, "{\"broker\":%d,\"logDirs\":[", node);
    for (int32_t i = 0; i < o->results.count; i++) {
        if (i) buf_char(out, ',');
        put_dir(out, &o->results.at[i], topics);
    }
    buf_text(out, "]}");
    return ERR_OK;
}

static err_t log_dirs(struct session *s, const struct args *a, struct diag *d)
{
    struct kafka_node nodes[CLIENT_NODES_MAX];
    const char *brokers = args_value(a, "--broker-list");
    struct buf out = buf_make(MIB(64)), ids = buf_make(KIB(64));
    size_t count, shown = 0;
    err_t e = nodes_of(s, nodes, &count, d);
    buf_text(&out, "{\"brokers\":[");
    for (size_t i = 0; !e && i < count; i++) {
        char id[16];
        snprintf(id, sizeof(id), "%d", nodes[i].id);
        if (!in_list(brokers, slice_of(id))) continue;
        buf_printf(&ids, "%s%s", shown ? "," : "", id);
        if (shown++) buf_char(&out, ',');
        e = put_dirs(s, nodes[i].id, args_value(a, "--topic-list"), &out, d);
    }
    buf_text(&out, "],\"version\":1}");
    if (!e && shown == 0)
        e = diag_fail(d, ERR_USAGE, "ERROR: The given brokers do not exist from --broker-list: %s",
                      brokers ? brokers : "");
    if (!e) e = out.err;
    if (!e)
        printf("Querying brokers for log directories information\nReceived log directory "
               "information from brokers %s\n%s\n",
               buf_cstr(&ids), buf_cstr(&out));
    buf_done(&out);
    buf_done(&ids);
    return e;
}

int tool_log_dirs(const struct verb *v, const struct args *a)
{
    struct session s;
    struct diag d = {0};
    if (args_has(a, "--version")) return tool_version();
    if (!args_has(a, "--bootstrap-server") || !args_has(a, "--describe"))
        return cli_usage(v, args_has(a, "--describe")
                                ? "Missing required argument \"[bootstrap-server]\""
                                : "Missing required argument \"[describe]\"");
    if (session_of_tool(a, &s, &d)) return tool_error(&d);
    err_t e = log_dirs(&s, a, &d);
    session_close(&s);
    return e ? tool_error(&d) : 0;
}

/* --- kafka-metadata-quorum -------------------------------------------------------------------- */

static err_t ask_quorum(struct session *s, struct kafka_describe_quorum_response **out,
                        const struct kafka_describe_quorum_response_partition **p, struct diag *d)
{
    struct kafka_describe_quorum_request r;
    struct kafka_describe_quorum_request_topic topic;
    struct kafka_describe_quorum_request_partition partition = {.partition_index = 0};
    struct kafka_ask q = {.api = KAFKA_API_describe_quorum, .request = &r};
    kafka_init(&kafka_describe_quorum_request_message, &r);
    topic.topic_name = SLICE("__cluster_metadata");
    topic.partitions.at = &partition;
    topic.partitions.count = 1;
    r.topics.at = &topic;
    r.topics.count = 1;
    err_t e = kafka_client_ask(s->client, CLIENT_ANY_NODE, &q, s->arena, d);
    if (e) return e;
    *out = q.response;
    e = kafka_client_error((*out)->error_code, (*out)->error_message, d, "describing the quorum");
    if (!e && ((*out)->topics.count != 1 || (*out)->topics.at[0].partitions.count != 1))
        e = diag_fail(d, ERR_PEER, "no answer for the quorum");
    if (e) return e;
    *p = &(*out)->topics.at[0].partitions.at[0];
    return kafka_client_error((*p)->error_code, (*p)->error_message, d, "describing the quorum");
}

static bool no_directory(const struct uuid *id)
{
    static const struct uuid none;
    return memcmp(id, &none, sizeof(none)) == 0;
}

static void print_replicas(const struct kafka_describe_quorum_response *o,
                           const struct kafka_describe_quorum_response_replica *at, int32_t count)
{
    printf("[");
    for (int32_t i = 0; i < count; i++) {
        struct buf id = buf_make(64);
        put_topic_id(&id, &at[i].replica_directory_id);
        bool none = no_directory(&at[i].replica_directory_id);
        printf("%s{\"id\": %d, \"directoryId\": %s%s%s", i ? ", " : "", at[i].replica_id,
               none ? "" : "\"", none ? "null" : buf_cstr(&id), none ? "" : "\"");
        buf_done(&id);
        for (int32_t k = 0; k < o->nodes.count; k++) {
            const struct kafka_describe_quorum_response_node *n = &o->nodes.at[k];
            if (n->node_id != at[i].replica_id || n->listeners.count <= 0) continue;
            printf(", \"endpoints\": [");
            for (int32_t l = 0; l < n->listeners.count; l++)
                printf("%s\"%.*s://%.*s:%u\"", l ? ", " : "", SLICE_ARG(n->listeners.at[l].name),
                       SLICE_ARG(n->listeners.at[l].host), n->listeners.at[l].port);
            printf("]");
        }
        printf("}");
    }
    printf("]\n");
}

static const struct kafka_describe_quorum_response_replica *leader_of(
    const struct kafka_describe_quorum_response_partition *p)
{
    for (int32_t i = 0; i < p->current_voters.count; i++)
        if (p->current_voters.at[i].replica_id == p->leader_id) return &p->current_voters.at[i];
    return NULL;
}

static err_t print_status(struct session *s, struct diag *d)
{
    struct kafka_describe_quorum_response *o;
    const struct kafka_describe_quorum_response_partition *p;
    struct kafka_metadata_response *m;
    err_t e = ask_quorum(s, &o, &p, d);
    if (!e) e = kafka_client_topics(s->client, NULL, 0, false, s->arena, &m, d);
    if (e) return e;
    const struct kafka_describe_quorum_response_replica *leader = leader_of(p), *last = leader;
    if (!leader) return diag_fail(d, ERR_PEER, "the quorum has no leader");
    for (int32_t i = 0; i < p->current_voters.count; i++)
        if (p->current_voters.at[i].log_end_offset < last->log_end_offset)
            last = &p->current_voters.at[i];
    bool times = leader->last_caught_up_timestamp >= 0 && last->last_caught_up_timestamp >= 0;
    int64_t late = leader->last_caught_up_timestamp - last->last_caught_up_timestamp;
    printf("ClusterId:              %.*s\nLeaderId:               %d\nLeaderEpoch:            %d\n"
           "HighWatermark:          %lld\nMaxFollowerLag:         %lld\n"
           "MaxFollowerLagTimeMs:   %lld\nCurrentVoters:          ",
           SLICE_ARG(m->cluster_id), p->leader_id, p->leader_epoch, (long long)p->high_watermark,
           (long long)(leader->log_end_offset - last->log_end_offset),
           leader == last ? 0
           : times        ? (long long)late
                          : -1);
    print_replicas(o, p->current_voters.at, p->current_voters.count);
    printf("CurrentObservers:       ");
    print_replicas(o, p->observers.at, p->observers.count);
    return ERR_OK;
}

static void time_cell(struct sheet *sheet, int64_t ms, bool human)
{
    char text[40];
    if (ms < 0 || !human)
        snprintf(text, sizeof(text), "%lld", (long long)MAX(ms, INT64_C(-1)));
    else
        snprintf(text, sizeof(text), "%lld ms ago", (long long)(clock_wall_ms() - ms));
    sheet_text(sheet, slice_of(text));
}

static void replica_row(struct sheet *sheet, const struct kafka_describe_quorum_response_replica *r,
                        int64_t end, const char *status, bool human)
{
    struct buf id = buf_make(64);
    put_topic_id(&id, &r->replica_directory_id);
    sheet_number(sheet, r->replica_id);
    sheet_text(sheet, slice_of(buf_cstr(&id)));
    sheet_number(sheet, r->log_end_offset);
    sheet_number(sheet, end - r->log_end_offset);
    time_cell(sheet, r->last_fetch_timestamp, human);
    time_cell(sheet, r->last_caught_up_timestamp, human);
    sheet_text(sheet, slice_of(status));
    buf_done(&id);
}

static err_t print_replication(struct session *s, bool human, struct diag *d)
{
    struct kafka_describe_quorum_response *o;
    const struct kafka_describe_quorum_response_partition *p;
    err_t e = ask_quorum(s, &o, &p, d);
    if (e) return e;
    const struct kafka_describe_quorum_response_replica *leader = leader_of(p);
    if (!leader) return diag_fail(d, ERR_PEER, "the quorum has no leader");
    struct sheet sheet = sheet_make("NodeId# DirectoryId LogEndOffset# Lag# LastFetchTimestamp "
                                    "LastCaughtUpTimestamp Status");
    replica_row(&sheet, leader, leader->log_end_offset, "Leader", human);
    for (int32_t i = 0; i < p->current_voters.count; i++)
        if (&p->current_voters.at[i] != leader)
            replica_row(&sheet, &p->current_voters.at[i], leader->log_end_offset, "Follower",
                        human);
    for (int32_t i = 0; i < p->observers.count; i++)
        replica_row(&sheet, &p->observers.at[i], leader->log_end_offset, "Observer", human);
    e = sheet_print_tabs(&sheet);
    sheet_done(&sheet);
    return e;
}

int tool_metadata_quorum(const struct verb *v, const struct args *a)
{
    struct session s;
    struct diag d = {0};
    bool status = args_has(a, "--status"), replication = args_has(a, "--replication");
    if (args_has(a, "--version")) return tool_version();
    if (a->word_count != 1) return cli_usage(v, "error: too few arguments");
    if (strcmp(a->words[0], "describe") != 0) {
        if (strcmp(a->words[0], "add-controller") == 0 ||
            strcmp(a->words[0], "remove-controller") == 0)
            return tool_unsupported(a->words[0]);
        return cli_usage(v, "error: argument command: invalid choice");
    }
    if (status == replication) {
        fprintf(stderr,
                "%s of --status or --replication %s be specified with describe sub-command\n",
                status ? "Only one" : "One", status ? "should" : "must");
        return 1;
    }
    if (args_has(a, "--bootstrap-controller"))
        return tool_unsupported("--bootstrap-controller (--bootstrap-server tells the same)");
    if (!args_has(a, "--bootstrap-server"))
        return cli_usage(v, "one of the arguments --bootstrap-server --bootstrap-controller is "
                            "required");
    if (session_of_tool(a, &s, &d)) return tool_error(&d);
    err_t e =
        status ? print_status(&s, &d) : print_replication(&s, args_has(a, "--human-readable"), &d);
    session_close(&s);
    return e ? tool_error(&d) : 0;
}
