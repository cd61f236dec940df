#include "connect/kafka/group.h"

#include "os/clock.h"
#include <stdlib.h>

enum { MEMBER_ARENA = 256 << 20, SESSION_MS = 45000, REBALANCE_MS = 60000, REST_MS = 100 };

static const char protocol_type[] = "consumer", protocol_name[] = "range";

struct kafka_member {
    struct kafka_client *client;
    struct arena *texts, *arena;
    struct slice group, instance;
    int32_t session_ms, rebalance_ms;
    int32_t coordinator;
    char id[512];
    bool in;
    int32_t generation;
    int64_t beat_ms; /* when it was last heard */
};

static int64_t now_ms(void)
{
    return clock_mono_ns() / 1000000;
}

/* --- open and close --------------------------------------------------------------------------- */

err_t kafka_member_open(struct kafka_client *k, const struct kafka_member_options *o,
                        struct kafka_member **out, struct diag *d)
{
    struct kafka_member *m = mem_take(sizeof(*m));
    if (!m) return diag_fail(d, ERR_NO_MEMORY, "no memory for a group's member");
    m->client = k;
    m->texts = arena_new(KIB(64));
    m->arena = arena_new(MEMBER_ARENA);
    m->session_ms = o->session_ms ? o->session_ms : SESSION_MS;
    m->rebalance_ms = o->rebalance_ms ? o->rebalance_ms : REBALANCE_MS;
    m->coordinator = -1;
    if (!m->texts || !m->arena) {
        kafka_member_close(m);
        return diag_fail(d, ERR_NO_MEMORY, "no memory for a group's member");
    }
    m->group = arena_slice(m->texts, slice_of(o->group));
    if (o->instance) m->instance = arena_slice(m->texts, slice_of(o->instance));
    *out = m;
    return ERR_OK;
}

static void leave(struct kafka_member *m)
{
    struct kafka_leave_group_request r;
    struct kafka_ask q = {
        .api = KAFKA_API_leave_group, .newest = 2, .request = &r, .timeout_ms = 5000};
    arena_reset(m->arena);
    kafka_init(&kafka_leave_group_request_message, &r);
    r.group_id = m->group;
    r.member_id = slice_of(m->id);
    /* who can not say goodbye is missed when the session ends */
    (void)!kafka_client_ask(m->client, m->coordinator, &q, m->arena, NULL);
}

void kafka_member_close(struct kafka_member *m)
{
    if (!m) return;
    if (m->in && !m->instance.at) leave(m); /* a static member comes back */
    arena_free(m->texts);
    arena_free(m->arena);
    mem_give(m);
}

/* --- joining ---------------------------------------------------------------------------------- */

enum step { STEP_DONE, STEP_AGAIN, STEP_FAILED };

/* What an error of the coordinator means for a member. */
static enum step judge(struct kafka_member *m, int16_t code)
{
    switch (code) {
    case 0: return STEP_DONE;
    case KAFKA_ERROR_NOT_COORDINATOR:
    case KAFKA_ERROR_COORDINATOR_NOT_AVAILABLE: m->coordinator = -1; return STEP_AGAIN;
    case KAFKA_ERROR_COORDINATOR_LOAD_IN_PROGRESS:
    case KAFKA_ERROR_REBALANCE_IN_PROGRESS:
    case KAFKA_ERROR_MEMBER_ID_REQUIRED: return STEP_AGAIN;
    case KAFKA_ERROR_UNKNOWN_MEMBER_ID:
    case KAFKA_ERROR_ILLEGAL_GENERATION:
        m->id[0] = 0;
        m->generation = -1;
        m->in = false;
        return STEP_AGAIN;
    default: return STEP_FAILED;
    }
}

/* A question to the coordinator; one that left is looked up once more. */
static err_t ask_coordinator(struct kafka_member *m, struct kafka_ask *q, struct diag *d)
{
    for (int tries = 0;; tries++) {
        err_t e = ERR_OK;
        if (m->coordinator < 0)
            e = kafka_client_coordinator(m->client, 0, m->group, &m->coordinator, d);
        if (!e) e = kafka_client_ask(m->client, m->coordinator, q, m->arena, d);
        if (e != ERR_PEER && e != ERR_IO) return e;
        m->coordinator = -1;
        if (tries == 50) return e;
        dial_rest(REST_MS);
    }
}

static err_t subscription(struct kafka_member *m, const struct slice *topics, size_t count,
                          struct slice *out, struct diag *d)
{
    struct kafka_consumer_protocol_subscription s;
    struct buf b = buf_make(MIB(4));
    kafka_init(&kafka_consumer_protocol_subscription_message, &s);
    s.topics.at = (struct slice *)topics;
    s.topics.count = (int32_t)count;
    err_t e = kafka_encode_versioned(&kafka_consumer_protocol_subscription_message, 0, &s, &b, d);
    if (!e) *out = arena_slice(m->arena, buf_view(&b));
    if (!e && !out->at) e = diag_fail(d, ERR_NO_MEMORY, "no memory for a subscription");
    buf_done(&b);
    return e;
}

static err_t ask_join(struct kafka_member *m, const struct slice *topics, size_t count,
                      struct kafka_join_group_response **out, enum step *step, struct diag *d)
{
    struct kafka_join_group_request r;
    struct kafka_join_group_request_protocol one;
    struct kafka_ask q = {.api = KAFKA_API_join_group,
                          .newest = 7,
                          .request = &r,
                          .timeout_ms = m->rebalance_ms + 30000};
    arena_reset(m->arena);
    kafka_init(&kafka_join_group_request_message, &r);
    kafka_struct_init(&kafka_join_group_request_protocol_struct, &one);
    r.group_id = m->group;
    r.session_timeout_ms = m->session_ms;
    r.rebalance_timeout_ms = m->rebalance_ms;
    r.member_id = slice_of(m->id);
    r.group_instance_id = m->instance;
    r.protocol_type = slice_of(protocol_type);
    r.protocols.at = &one;
    r.protocols.count = 1;
    one.name = slice_of(protocol_name);
    err_t e = subscription(m, topics, count, &one.metadata, d);
    if (!e) e = ask_coordinator(m, &q, d);
    if (e) return e;
    struct kafka_join_group_response *o = q.response;
    *step = judge(m, o->error_code);
    if (*step == STEP_FAILED)
        return kafka_client_error(o->error_code, (struct slice){0}, d, "joining group %.*s",
                                  SLICE_ARG(m->group));
    if (*step == STEP_AGAIN && o->error_code != KAFKA_ERROR_MEMBER_ID_REQUIRED) return ERR_OK;
    if (!slice_to_cstr(o->member_id, m->id, sizeof(m->id)))
        return diag_fail(d, ERR_PEER, "a member id of %u bytes", o->member_id.len);
    m->generation = o->generation_id;
    *out = o;
    return ERR_OK;
}

/* --- the leader's work ------------------------------------------------------------------------ */

static err_t read_subscribers(struct kafka_member *m, const struct kafka_join_group_response *o,
                              struct kafka_subscriber **out, struct diag *d)
{
    err_t e = ERR_OK;
    *out = arena_take(m->arena, ((size_t)MAX(o->members.count, 0) + 1) * sizeof(**out));
    if (!*out || o->members.count > MEMBERS_MAX)
        return diag_fail(d, ERR_TOO_BIG, "a group of %d members", o->members.count);
    for (int32_t i = 0; !e && i < o->members.count; i++) {
        struct kafka_consumer_protocol_subscription s;
        int16_t version;
        e = kafka_decode_versioned(&kafka_consumer_protocol_subscription_message,
                                   o->members.at[i].metadata, m->arena, &s, &version, d);
        if (!e && s.topics.count > MEMBER_TOPICS_MAX)
            e = diag_fail(d, ERR_TOO_BIG, "a member of %d topics", s.topics.count);
        if (e) break;
        (*out)[i] = (struct kafka_subscriber){.id = o->members.at[i].member_id,
                                              .instance = o->members.at[i].group_instance_id,
                                              .topics = s.topics.at,
                                              .topic_count = s.topics.count};
    }
    return e;
}

static int by_text(const void *a, const void *b)
{
    return slice_compare(*(const struct slice *)a, *(const struct slice *)b);
}

/* All topics that anybody wants, with their sizes. */
static err_t sizes_of(struct kafka_member *m, const struct kafka_subscriber *members, size_t count,
                      struct kafka_topic_size **out, size_t *out_count, struct diag *d)
{
    size_t total = 0, n = 0;
    struct kafka_metadata_response *answer;
    for (size_t i = 0; i < count; i++) total += (size_t)MAX(members[i].topic_count, 0);
    struct slice *names = arena_take(m->arena, (total + 1) * sizeof(*names));
    if (!names) return diag_fail(d, ERR_NO_MEMORY, "no memory for %zu topics", total);
    for (size_t i = 0; i < count; i++)
        for (int32_t k = 0; k < members[i].topic_count; k++) names[n++] = members[i].topics[k];
    if (n > 1) qsort(names, n, sizeof(*names), by_text);
    total = 0;
    for (size_t i = 0; i < n; i++)
        if (!total || slice_compare(names[total - 1], names[i]) != 0) names[total++] = names[i];
    err_t e = kafka_client_topics(m->client, names, (int32_t)total, false, m->arena, &answer, d);
    if (e) return e;
    *out = arena_take(m->arena, ((size_t)MAX(answer->topics.count, 0) + 1) * sizeof(**out));
    if (!*out) return diag_fail(d, ERR_NO_MEMORY, "no memory for %zu topics", total);
    *out_count = 0;
    for (int32_t i = 0; i < answer->topics.count; i++)
        if (answer->topics.at[i].error_code == 0)
            (*out)[(*out_count)++] = (struct kafka_topic_size){
                answer->topics.at[i].name, answer->topics.at[i].partitions.count};
    return ERR_OK;
}

static err_t put_part(struct kafka_member *m, const struct kafka_subscriber *s, struct slice *out,
                      struct diag *d)
{
    struct kafka_consumer_protocol_assignment given;
    struct buf b = buf_make(MIB(16));
    kafka_init(&kafka_consumer_protocol_assignment_message, &given);
    given.assigned_partitions.at = kafka_new(
        m->arena, &kafka_consumer_protocol_assignment_topic_struct, (int32_t)s->part_count + 1);
    int32_t *numbers = arena_take(m->arena, (s->part_count + 1) * sizeof(*numbers));
    if (!given.assigned_partitions.at || !numbers)
        return diag_fail(d, ERR_NO_MEMORY, "no memory for an assignment");
    given.assigned_partitions.count = 0;
    for (size_t i = 0; i < s->part_count; i++) {
        struct kafka_consumer_protocol_assignment_topic *t = NULL;
        if (given.assigned_partitions.count)
            t = &given.assigned_partitions.at[given.assigned_partitions.count - 1];
        if (!t || slice_compare(t->topic, s->part[i].topic) != 0) {
            t = &given.assigned_partitions.at[given.assigned_partitions.count++];
            t->topic = s->part[i].topic;
            t->partitions.at = &numbers[i];
            t->partitions.count = 0;
        }
        numbers[i] = s->part[i].partition;
        t->partitions.count++;
    }
    err_t e = kafka_encode_versioned(&kafka_consumer_protocol_assignment_message, 0, &given, &b, d);
    if (!e) *out = arena_slice(m->arena, buf_view(&b));
    if (!e && !out->at) e = diag_fail(d, ERR_NO_MEMORY, "no memory for an assignment");
    buf_done(&b);
    return e;
}

/* The leader's parts for everyone, as rows of SyncGroup. */
static err_t assign_all(struct kafka_member *m, const struct kafka_join_group_response *o,
                        struct kafka_sync_group_request *r, struct diag *d)
{
    struct kafka_subscriber *members;
    struct kafka_topic_size *topics;
    size_t count = (size_t)MAX(o->members.count, 0), topic_count = 0;
    err_t e = read_subscribers(m, o, &members, d);
    if (!e) e = sizes_of(m, members, count, &topics, &topic_count, d);
    if (!e && kafka_range_assign(members, count, topics, topic_count, m->arena))
        e = diag_fail(d, ERR_NO_MEMORY, "no memory for assignments");
    if (e) return e;
    r->assignments.at =
        kafka_new(m->arena, &kafka_sync_group_request_assignment_struct, (int32_t)count + 1);
    if (!r->assignments.at) return diag_fail(d, ERR_NO_MEMORY, "no memory for assignments");
    r->assignments.count = (int32_t)count;
    for (size_t i = 0; !e && i < count; i++) {
        r->assignments.at[i].member_id = members[i].id;
        e = put_part(m, &members[i], &r->assignments.at[i].assignment, d);
    }
    return e;
}

static err_t ask_sync(struct kafka_member *m, const struct kafka_join_group_response *joined,
                      struct slice *part, enum step *step, struct diag *d)
{
    struct kafka_sync_group_request r;
    struct kafka_ask q = {.api = KAFKA_API_sync_group,
                          .newest = 5,
                          .request = &r,
                          .timeout_ms = m->rebalance_ms + 30000};
    kafka_init(&kafka_sync_group_request_message, &r);
    r.group_id = m->group;
    r.generation_id = m->generation;
    r.member_id = slice_of(m->id);
    r.group_instance_id = m->instance;
    r.protocol_type = slice_of(protocol_type);
    r.protocol_name = slice_of(protocol_name);
    err_t e = slice_compare(joined->leader, joined->member_id) == 0 ? assign_all(m, joined, &r, d)
                                                                    : ERR_OK;
    if (!e) e = ask_coordinator(m, &q, d);
    if (e) return e;
    const struct kafka_sync_group_response *o = q.response;
    *step = judge(m, o->error_code);
    *part = o->assignment;
    if (*step == STEP_FAILED)
        return kafka_client_error(o->error_code, (struct slice){0}, d, "syncing with group %.*s",
                                  SLICE_ARG(m->group));
    return ERR_OK;
}

err_t kafka_member_join(struct kafka_member *m, const struct slice *topics, size_t count,
                        struct arena *a, struct kafka_spot **spots, size_t *spot_count,
                        struct diag *d)
{
    struct slice part = {0};
    int64_t end = now_ms() + m->rebalance_ms * INT64_C(2) + m->session_ms;
    for (;;) {
        struct kafka_join_group_response *joined = NULL;
        enum step step = STEP_DONE;
        int16_t required = 0;
        err_t e = ask_join(m, topics, count, &joined, &step, d);
        if (!e && joined) required = joined->error_code;
        if (!e && step == STEP_DONE) e = ask_sync(m, joined, &part, &step, d);
        if (e) return e;
        if (step == STEP_DONE) break;
        if (now_ms() > end)
            return diag_fail(d, ERR_TIMEOUT, "group %.*s does not come to rest",
                             SLICE_ARG(m->group));
        if (!required) dial_rest(REST_MS);
    }
    m->in = true;
    m->beat_ms = now_ms();
    struct slice own = arena_slice(a, part); /* the member's arena is used again below */
    if (part.len && !own.at) return diag_fail(d, ERR_NO_MEMORY, "no memory for an assignment");
    err_t e = kafka_assignment_read(own, a, spots, spot_count, d);
    if (e || *spot_count == 0) return e;
    int64_t wanted = (int64_t)*spot_count;
    return kafka_group_positions(m->client, m->group, spots, &wanted, a, d);
}

/* --- while it is in --------------------------------------------------------------------------- */

err_t kafka_member_beat(struct kafka_member *m, bool *again, struct diag *d)
{
    struct kafka_heartbeat_request r;
    struct kafka_ask q = {.api = KAFKA_API_heartbeat, .request = &r};
    *again = !m->in;
    if (*again || now_ms() - m->beat_ms < MIN(m->session_ms / 3, 3000)) return ERR_OK;
    arena_reset(m->arena);
    kafka_init(&kafka_heartbeat_request_message, &r);
    r.group_id = m->group;
    r.generation_id = m->generation;
    r.member_id = slice_of(m->id);
    r.group_instance_id = m->instance;
    err_t e = ask_coordinator(m, &q, d);
    if (e) return e;
    m->beat_ms = now_ms();
    int16_t code = ((struct kafka_heartbeat_response *)q.response)->error_code;
    enum step step = judge(m, code);
    *again = step == STEP_AGAIN && code != KAFKA_ERROR_NOT_COORDINATOR &&
             code != KAFKA_ERROR_COORDINATOR_NOT_AVAILABLE &&
             code != KAFKA_ERROR_COORDINATOR_LOAD_IN_PROGRESS;
    if (step != STEP_FAILED) return ERR_OK;
    return kafka_client_error(code, (struct slice){0}, d, "group %.*s", SLICE_ARG(m->group));
}

/* Rows of OffsetCommit; spots without a position are left out. */
static err_t put_positions(const struct kafka_spot *spots, size_t count, struct arena *a,
                           struct kafka_offset_commit_request *r, struct diag *d)
{
    r->topics.at = kafka_new(a, &kafka_offset_commit_request_topic_struct, (int32_t)count + 1);
    struct kafka_offset_commit_request_partition *rows =
        kafka_new(a, &kafka_offset_commit_request_partition_struct, (int32_t)count + 1);
    if (!r->topics.at || !rows) return diag_fail(d, ERR_NO_MEMORY, "no memory to commit");
    r->topics.count = 0;
    for (size_t i = 0; i < count; i++) {
        if (spots[i].position < 0) continue;
        struct kafka_offset_commit_request_topic *t = NULL;
        if (r->topics.count) t = &r->topics.at[r->topics.count - 1];
        if (!t || slice_compare(t->name, spots[i].topic) != 0) {
            t = &r->topics.at[r->topics.count++];
            t->name = spots[i].topic;
            t->partitions.at = rows;
            t->partitions.count = 0;
        }
        rows->partition_index = spots[i].partition;
        rows->committed_offset = spots[i].position;
        rows->committed_metadata = SLICE("");
        rows++;
        t->partitions.count++;
    }
    return ERR_OK;
}

err_t kafka_member_commit(struct kafka_member *m, const struct kafka_spot *spots, size_t count,
                          bool *again, struct diag *d)
{
    struct kafka_offset_commit_request r;
    struct kafka_ask q = {.api = KAFKA_API_offset_commit, .oldest = 2, .newest = 8, .request = &r};
    *again = !m->in;
    if (*again || count == 0) return ERR_OK;
    for (int tries = 0;; tries++) {
        int16_t code = 0;
        arena_reset(m->arena);
        kafka_init(&kafka_offset_commit_request_message, &r);
        r.group_id = m->group;
        r.generation_id_or_member_epoch = m->generation;
        r.member_id = slice_of(m->id);
        r.group_instance_id = m->instance;
        err_t e = put_positions(spots, count, m->arena, &r, d);
        if (e || r.topics.count == 0) return e;
        e = ask_coordinator(m, &q, d);
        if (e) return e;
        const struct kafka_offset_commit_response *o = q.response;
        for (int32_t i = 0; i < o->topics.count; i++)
            for (int32_t k = 0; k < o->topics.at[i].partitions.count; k++)
                if (o->topics.at[i].partitions.at[k].error_code)
                    code = o->topics.at[i].partitions.at[k].error_code;
        enum step step = judge(m, code);
        *again = code == KAFKA_ERROR_REBALANCE_IN_PROGRESS || !m->in;
        if (step == STEP_DONE || *again) return ERR_OK;
        if (step == STEP_FAILED || tries == 50)
            return kafka_client_error(code, (struct slice){0}, d, "committing for group %.*s",
                                      SLICE_ARG(m->group));
        dial_rest(REST_MS);
    }
}

/* --- from outside ----------------------------------------------------------------------------- */

/* As ask_coordinator, for a group that we are no member of; *code is read by `code_of`. */
static err_t ask_group(struct kafka_client *k, struct slice group, struct kafka_ask *q,
                       int16_t (*code_of)(const struct kafka_ask *q), struct arena *a,
                       struct diag *d)
{
    for (int tries = 0;; tries++) {
        int32_t node;
        err_t e = kafka_client_coordinator(k, 0, group, &node, d);
        if (!e) e = kafka_client_ask(k, node, q, a, d);
        if (e) return e;
        int16_t code = code_of(q);
        if (code == 0 || !kafka_error_of(code)->retriable || tries == 50) return ERR_OK;
        dial_rest(REST_MS);
    }
}

static int16_t fetched_code(const struct kafka_ask *q)
{
    const struct kafka_offset_fetch_response *o = q->response;
    int16_t code = o->error_code;
    for (int32_t i = 0; !code && i < o->topics.count; i++)
        for (int32_t k = 0; !code && k < o->topics.at[i].partitions.count; k++)
            code = o->topics.at[i].partitions.at[k].error_code;
    return code;
}

static int32_t total_of(const struct kafka_offset_fetch_response *o)
{
    int32_t n = 0;
    for (int32_t i = 0; i < o->topics.count; i++) n += MAX(o->topics.at[i].partitions.count, 0);
    return n;
}

static void take_position(struct kafka_spot *spots, int64_t count, struct slice topic,
                          const struct kafka_offset_fetch_response_partition *p)
{
    for (int64_t i = 0; i < count; i++) {
        if (spots[i].partition != p->partition_index || slice_compare(spots[i].topic, topic) != 0)
            continue;
        spots[i].position = p->committed_offset;
        spots[i].error = p->error_code;
        return;
    }
}

err_t kafka_group_positions(struct kafka_client *k, struct slice group, struct kafka_spot **spots,
                            int64_t *count, struct arena *a, struct diag *d)
{
    struct kafka_offset_fetch_request r;
    struct kafka_ask q = {.api = KAFKA_API_offset_fetch, .oldest = 2, .newest = 7, .request = &r};
    kafka_init(&kafka_offset_fetch_request_message, &r);
    r.group_id = group;
    int32_t rows = (int32_t)MAX(*count, 0);
    r.topics.at = kafka_new(a, &kafka_offset_fetch_request_topic_struct, rows + 1);
    if (!r.topics.at) return diag_fail(d, ERR_NO_MEMORY, "no memory to ask for offsets");
    r.topics.count = *count < 0 ? -1 : rows;
    for (int32_t i = 0; i < rows; i++) {
        r.topics.at[i].name = (*spots)[i].topic;
        r.topics.at[i].partition_indexes.at = &(*spots)[i].partition;
        r.topics.at[i].partition_indexes.count = 1;
    }
    err_t e = ask_group(k, group, &q, fetched_code, a, d);
    if (e) return e;
    const struct kafka_offset_fetch_response *o = q.response;
    e = kafka_client_error(fetched_code(&q), (struct slice){0}, d, "offsets of group %.*s",
                           SLICE_ARG(group));
    if (e) return e;
    if (*count < 0) { /* whatever it has */
        int32_t n = 0, total = total_of(o);
        struct kafka_spot *list = arena_take(a, ((size_t)total + 1) * sizeof(*list));
        if (!list) return diag_fail(d, ERR_NO_MEMORY, "no memory for %d offsets", total);
        for (int32_t i = 0; i < o->topics.count; i++)
            for (int32_t p = 0; p < o->topics.at[i].partitions.count; p++)
                list[n++] = (struct kafka_spot){
                    .topic = o->topics.at[i].name,
                    .partition = o->topics.at[i].partitions.at[p].partition_index,
                    .position = o->topics.at[i].partitions.at[p].committed_offset,
                    .leader = -1};
        *spots = list;
        *count = n;
        return ERR_OK;
    }
    for (int32_t i = 0; i < rows; i++) (*spots)[i].position = -1;
    for (int32_t i = 0; i < o->topics.count; i++)
        for (int32_t p = 0; p < o->topics.at[i].partitions.count; p++)
            take_position(*spots, rows, o->topics.at[i].name, &o->topics.at[i].partitions.at[p]);
    return ERR_OK;
}

static int16_t placed_code(const struct kafka_ask *q)
{
    const struct kafka_offset_commit_response *o = q->response;
    for (int32_t i = 0; i < o->topics.count; i++)
        for (int32_t k = 0; k < o->topics.at[i].partitions.count; k++)
            if (o->topics.at[i].partitions.at[k].error_code)
                return o->topics.at[i].partitions.at[k].error_code;
    return 0;
}

err_t kafka_group_place(struct kafka_client *k, struct slice group, struct kafka_spot *spots,
                        size_t count, struct arena *a, struct diag *d)
{
    struct kafka_offset_commit_request r;
    struct kafka_ask q = {.api = KAFKA_API_offset_commit, .oldest = 2, .newest = 8, .request = &r};
    kafka_init(&kafka_offset_commit_request_message, &r);
    r.group_id = group;
    r.member_id = SLICE("");
    err_t e = put_positions(spots, count, a, &r, d);
    if (e || r.topics.count == 0) return e;
    e = ask_group(k, group, &q, placed_code, a, d);
    if (e) return e;
    const struct kafka_offset_commit_response *o = q.response;
    for (int32_t i = 0; i < o->topics.count; i++)
        for (int32_t p = 0; p < o->topics.at[i].partitions.count; p++)
            for (size_t n = 0; n < count; n++)
                if (spots[n].partition == o->topics.at[i].partitions.at[p].partition_index &&
                    slice_compare(spots[n].topic, o->topics.at[i].name) == 0)
                    spots[n].error = o->topics.at[i].partitions.at[p].error_code;
    return kafka_client_error(placed_code(&q), (struct slice){0}, d, "offsets of group %.*s",
                              SLICE_ARG(group));
}
