/* JoinGroup, SyncGroup, Heartbeat, LeaveGroup. */
#include "door/kafka/groups_door.h"

/* The first versions that … */
enum {
    JOIN_REBALANCE_TIMEOUT = 1,
    JOIN_ID_REQUIRED = 4,
    JOIN_NULL_PROTOCOL = 7,
    JOIN_SKIPS_ASSIGNMENT = 9,
    SYNC_NAMES_PROTOCOL = 5,
    LEAVE_SEVERAL = 3
};

/* --- JoinGroup -------------------------------------------------------------------------------- */

static void join_done(struct coord_request *head)
{
    struct group_join *r = (struct group_join *)head;
    struct call *c = head->arg;
    struct kafka_join_group_response *out = c->response;
    bool nulls = c->head.api_version >= JOIN_NULL_PROTOCOL;
    out->error_code = groups_code(head->err);
    out->generation_id = r->generation;
    out->protocol_type = r->protocol_type_chosen;
    out->protocol_name = r->protocol.at || nulls ? r->protocol : SLICE("");
    out->leader = r->leader.at ? r->leader : SLICE("");
    out->skip_assignment = r->skip_assignment;
    out->member_id = r->member_id.at ? r->member_id : SLICE("");
    out->members.count = (int32_t)r->member_count;
    out->members.at = call_new(c, kafka_join_group_response_member, r->member_count);
    if (!out->members.at) {
        groups_no_memory(c);
        return;
    }
    for (size_t i = 0; i < r->member_count; i++) {
        out->members.at[i].member_id = r->members[i].id;
        out->members.at[i].group_instance_id = r->members[i].instance;
        out->members.at[i].metadata = r->members[i].metadata;
    }
    call_answer(c);
}

/* "/127.0.0.1": Java's way to write an address that was not looked up. */
static struct slice host_of(struct call *c)
{
    const char *peer = call_peer(c), *colon = strrchr(peer, ':');
    int len = colon ? (int)(colon - peer) : (int)strlen(peer);
    if (len >= 2 && peer[0] == '[') {
        peer++;
        len -= 2;
    }
    const char *text = arena_printf(c->arena, "/%.*s", len, peer);
    return text ? slice_of(text) : SLICE("");
}

static struct group_protocol *protocols_of(struct call *c)
{
    const struct kafka_join_group_request *q = c->request;
    struct group_protocol *p =
        arena_take(c->arena, (size_t)MAX(q->protocols.count, 1) * sizeof(*p));
    for (int32_t i = 0; p && i < q->protocols.count; i++) {
        p[i].name = q->protocols.at[i].name;
        p[i].metadata = q->protocols.at[i].metadata;
    }
    return p;
}

void kafka_join_group(struct call *c)
{
    const struct kafka_join_group_request *q = c->request;
    struct group_join *r = groups_ask(c, sizeof(*r), join_done);
    struct group_protocol *protocols = protocols_of(c);
    if (!r || !protocols) {
        groups_no_memory(c);
        return;
    }
    r->group = q->group_id;
    r->member = q->member_id;
    r->instance = q->group_instance_id;
    r->client_id = c->head.client_id;
    r->client_host = host_of(c);
    r->protocol_type = q->protocol_type;
    r->reason = q->reason;
    r->protocols = protocols;
    r->protocol_count = (size_t)MAX(q->protocols.count, 0);
    r->session_ms = q->session_timeout_ms;
    r->rebalance_ms = c->head.api_version >= JOIN_REBALANCE_TIMEOUT ? q->rebalance_timeout_ms
                                                                    : q->session_timeout_ms;
    r->id_required = c->head.api_version >= JOIN_ID_REQUIRED;
    r->may_skip = c->head.api_version >= JOIN_SKIPS_ASSIGNMENT;
    group_join(groups_coord(c), r);
}

/* --- SyncGroup -------------------------------------------------------------------------------- */

static void sync_done(struct coord_request *head)
{
    struct group_sync *r = (struct group_sync *)head;
    struct call *c = head->arg;
    struct kafka_sync_group_response *out = c->response;
    out->error_code = groups_code(head->err);
    out->protocol_type = r->protocol_type_chosen;
    out->protocol_name = r->protocol_chosen;
    out->assignment = r->assignment.at ? r->assignment : SLICE("");
    call_answer(c);
}

void kafka_sync_group(struct call *c)
{
    const struct kafka_sync_group_request *q = c->request;
    struct group_sync *r = groups_ask(c, sizeof(*r), sync_done);
    size_t count = (size_t)MAX(q->assignments.count, 0);
    struct group_assignment *rows = arena_take(c->arena, MAX(count, (size_t)1) * sizeof(*rows));
    if (!r || !rows) {
        groups_no_memory(c);
        return;
    }
    if (c->head.api_version >= SYNC_NAMES_PROTOCOL &&
        (!q->protocol_type.at || !q->protocol_name.at)) {
        call_refuse(c, ERR_GROUP_PROTOCOL);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        rows[i].member = q->assignments.at[i].member_id;
        rows[i].assignment = q->assignments.at[i].assignment;
    }
    r->group = q->group_id;
    r->member = q->member_id;
    r->instance = q->group_instance_id;
    r->protocol_type = q->protocol_type;
    r->protocol = q->protocol_name;
    r->generation = q->generation_id;
    r->assignments = rows;
    r->assignment_count = count;
    group_sync(groups_coord(c), r);
}

/* --- Heartbeat -------------------------------------------------------------------------------- */

static void heartbeat_done(struct coord_request *head)
{
    struct call *c = head->arg;
    ((struct kafka_heartbeat_response *)c->response)->error_code = groups_code(head->err);
    call_answer(c);
}

void kafka_heartbeat(struct call *c)
{
    const struct kafka_heartbeat_request *q = c->request;
    struct group_heartbeat *r = groups_ask(c, sizeof(*r), heartbeat_done);
    if (!r) {
        groups_no_memory(c);
        return;
    }
    r->group = q->group_id;
    r->member = q->member_id;
    r->instance = q->group_instance_id;
    r->generation = q->generation_id;
    group_heartbeat(groups_coord(c), r);
}

/* --- LeaveGroup ------------------------------------------------------------------------------- */

static void leave_done(struct coord_request *head)
{
    struct group_leave *r = (struct group_leave *)head;
    struct call *c = head->arg;
    struct kafka_leave_group_response *out = c->response;
    bool several = c->head.api_version >= LEAVE_SEVERAL;
    size_t count = several && !head->err ? r->member_count : 0;
    out->error_code = groups_code(head->err || several ? head->err : r->members[0].err);
    out->members.at = call_new(c, kafka_leave_group_response_member, count);
    out->members.count = (int32_t)count;
    if (!out->members.at) {
        groups_no_memory(c);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        out->members.at[i].member_id = r->members[i].member;
        out->members.at[i].group_instance_id = r->members[i].instance;
        out->members.at[i].error_code = groups_code(r->members[i].err);
    }
    call_answer(c);
}

void kafka_leave_group(struct call *c)
{
    const struct kafka_leave_group_request *q = c->request;
    struct group_leave *r = groups_ask(c, sizeof(*r), leave_done);
    bool several = c->head.api_version >= LEAVE_SEVERAL;
    size_t count = several ? (size_t)MAX(q->members.count, 0) : 1;
    if (r) r->members = arena_take(c->arena, MAX(count, (size_t)1) * sizeof(*r->members));
    if (!r || !r->members) {
        groups_no_memory(c);
        return;
    }
    r->group = q->group_id;
    r->member_count = count;
    if (!several) r->members[0].member = q->member_id;
    for (size_t i = 0; several && i < count; i++) {
        r->members[i].member = q->members.at[i].member_id;
        r->members[i].instance = q->members.at[i].group_instance_id;
        r->members[i].reason = q->members.at[i].reason;
    }
    group_leave(groups_coord(c), r);
}
