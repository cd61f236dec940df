/* DescribeGroups, ListGroups, DeleteGroups, FindCoordinator. */
#include "door/kafka/groups_door.h"

/* The first versions that … */
enum { DESCRIBE_NOT_FOUND = 6, FIND_SEVERAL = 4 };

/* --- DescribeGroups: one after the other ------------------------------------------------------ */

struct describing {
    struct group_describe r;
    int32_t at;
};

static void describe_one(struct call *c, struct describing *d);

static bool describe_tell(struct call *c, const struct group_describe *r,
                          struct kafka_describe_groups_response_group *out)
{
    const struct kafka_describe_groups_request *q = c->request;
    bool not_found = r->head.err == ERR_UNKNOWN_GROUP;
    out->group_id = r->group;
    out->members.at = call_new(c, kafka_describe_groups_response_member, r->member_count);
    if (!out->members.at) return false;
    if (r->head.err && !(not_found && c->head.api_version < DESCRIBE_NOT_FOUND)) {
        out->error_code = groups_code(r->head.err);
        if (not_found) out->error_message = call_text(c, r->head.diag.what);
    }
    if (r->head.err && !not_found) return true;
    out->group_state = slice_of(group_state_name(r->state));
    out->protocol_type = r->protocol_type;
    out->protocol_data = r->protocol;
    if (q->include_authorized_operations && out->error_code == KAFKA_ERROR_NONE)
        out->authorized_operations = group_operations(call_who(c)->role);
    out->members.count = (int32_t)r->member_count;
    for (size_t i = 0; i < r->member_count; i++) {
        const struct group_member_view *from = &r->members[i];
        struct kafka_describe_groups_response_member *m = &out->members.at[i];
        m->member_id = from->id;
        m->group_instance_id = from->instance;
        m->client_id = from->client_id;
        m->client_host = from->client_host;
        m->member_metadata = from->metadata;
        m->member_assignment = from->assignment;
    }
    return true;
}

static void describe_done(struct coord_request *head)
{
    struct describing *d = (struct describing *)head;
    struct call *c = head->arg;
    struct kafka_describe_groups_response *out = c->response;
    if (!describe_tell(c, &d->r, &out->groups.at[out->groups.count++])) {
        groups_no_memory(c);
        return;
    }
    d->at++;
    describe_one(c, d);
}

static void describe_one(struct call *c, struct describing *d)
{
    const struct kafka_describe_groups_request *q = c->request;
    if (d->at == q->groups.count) {
        call_answer(c);
        return;
    }
    d->r.group = q->groups.at[d->at];
    group_describe(groups_coord(c), &d->r);
}

void kafka_describe_groups(struct call *c)
{
    const struct kafka_describe_groups_request *q = c->request;
    struct kafka_describe_groups_response *out = c->response;
    struct describing *d = groups_ask(c, sizeof(*d), describe_done);
    out->groups.count = 0;
    out->groups.at = call_new(c, kafka_describe_groups_response_group, q->groups.count);
    if (!d || !out->groups.at)
        groups_no_memory(c);
    else
        describe_one(c, d);
}

/* --- ListGroups ------------------------------------------------------------------------------- */

static void list_done(struct coord_request *head)
{
    struct group_list *r = (struct group_list *)head;
    struct call *c = head->arg;
    struct kafka_list_groups_response *out = c->response;
    size_t count = head->err ? 0 : r->group_count;
    out->error_code = groups_code(head->err);
    out->groups.count = (int32_t)count;
    out->groups.at = call_new(c, kafka_list_groups_response_group, count);
    if (!out->groups.at) {
        groups_no_memory(c);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        out->groups.at[i].group_id = r->groups[i].group;
        out->groups.at[i].protocol_type = r->groups[i].protocol_type;
        out->groups.at[i].group_state = slice_of(group_state_name(r->groups[i].state));
        out->groups.at[i].group_type = SLICE("classic");
    }
    call_answer(c);
}

/* Bits of the states that are named; *none: names, and not one of them a state of ours. */
static uint32_t states_of(const struct kafka_list_groups_request *q, bool *none)
{
    uint32_t states = 0;
    for (int32_t i = 0; i < q->states_filter.count; i++) {
        struct slice name = slice_trim(q->states_filter.at[i]);
        for (int s = 0; s < GROUP_STATES; s++) {
            if (slice_equal_nocase(name, slice_of(group_state_name((enum group_state)s))))
                states |= 1u << s;
        }
    }
    *none = q->states_filter.count > 0 && states == 0;
    return states;
}

static bool wants_classic(const struct kafka_list_groups_request *q)
{
    if (q->types_filter.count <= 0) return true;
    for (int32_t i = 0; i < q->types_filter.count; i++) {
        if (slice_equal_nocase(q->types_filter.at[i], SLICE("classic"))) return true;
    }
    return false;
}

void kafka_list_groups(struct call *c)
{
    const struct kafka_list_groups_request *q = c->request;
    struct group_list *r = groups_ask(c, sizeof(*r), list_done);
    bool none;
    if (!r) {
        groups_no_memory(c);
        return;
    }
    r->states = states_of(q, &none);
    if (none || !wants_classic(q))
        list_done(&r->head); /* no group is like that */
    else
        group_list(groups_coord(c), r);
}

/* --- DeleteGroups: one after the other -------------------------------------------------------- */

struct deleting {
    struct group_delete r;
    int32_t at;
};

static void delete_one(struct call *c, struct deleting *d);

static void delete_done(struct coord_request *head)
{
    struct deleting *d = (struct deleting *)head;
    struct call *c = head->arg;
    struct kafka_delete_groups_response *out = c->response;
    struct kafka_delete_groups_response_result *row = &out->results.at[out->results.count++];
    row->group_id = d->r.group;
    row->error_code = groups_code(head->err);
    d->at++;
    delete_one(c, d);
}

static bool named_before(const struct kafka_delete_groups_request *q, int32_t at)
{
    for (int32_t i = 0; i < at; i++) {
        if (slice_equal(q->groups_names.at[i], q->groups_names.at[at])) return true;
    }
    return false;
}

static void delete_one(struct call *c, struct deleting *d)
{
    const struct kafka_delete_groups_request *q = c->request;
    while (d->at < q->groups_names.count && named_before(q, d->at)) d->at++;
    if (d->at == q->groups_names.count) {
        call_answer(c);
        return;
    }
    d->r.group = q->groups_names.at[d->at];
    group_delete(groups_coord(c), &d->r);
}

enum { DELETE_GROUPS_MAX = 10000 }; /* of one request: each is compared with those before it */

void kafka_delete_groups(struct call *c)
{
    const struct kafka_delete_groups_request *q = c->request;
    struct kafka_delete_groups_response *out = c->response;
    struct deleting *d = groups_ask(c, sizeof(*d), delete_done);
    if (q->groups_names.count > DELETE_GROUPS_MAX) {
        call_refuse(c, ERR_USAGE);
        return;
    }
    out->results.count = 0;
    out->results.at = call_new(c, kafka_delete_groups_response_result, q->groups_names.count);
    if (!d || !out->results.at)
        groups_no_memory(c);
    else
        delete_one(c, d);
}

/* --- FindCoordinator -------------------------------------------------------------------------- */

enum { KEY_GROUP, KEY_TRANSACTION };

static void find_tell(struct call *c, struct slice key,
                      struct kafka_find_coordinator_response_coordinator *out)
{
    const struct kafka_find_coordinator_request *q = c->request;
    char host[256];
    out->key = key;
    out->node_id = out->port = -1;
    if (q->key_type != KEY_GROUP && q->key_type != KEY_TRANSACTION) {
        out->error_code = KAFKA_ERROR_INVALID_REQUEST; /* of share groups, for one: not served */
        return;
    }
    call_address(c, host, &out->port);
    out->node_id = KAFKA_BROKER_ID;
    out->host = call_text(c, host);
    if (!out->host.at) out->host = SLICE("");
}

void kafka_find_coordinator(struct call *c)
{
    const struct kafka_find_coordinator_request *q = c->request;
    struct kafka_find_coordinator_response *out = c->response;
    bool several = c->head.api_version >= FIND_SEVERAL;
    int32_t count = several ? q->coordinator_keys.count : 1;
    struct kafka_find_coordinator_response_coordinator *rows =
        call_new(c, kafka_find_coordinator_response_coordinator, count);
    if (!rows) {
        groups_no_memory(c);
        return;
    }
    for (int32_t i = 0; i < count; i++)
        find_tell(c, several ? q->coordinator_keys.at[i] : q->key, &rows[i]);
    if (several) {
        out->coordinators.at = rows;
        out->coordinators.count = count;
    } else if (rows[0].error_code) {
        call_refuse(c, ERR_USAGE);
        return;
    } else {
        out->error_message = SLICE("NONE"); /* Kafka's words for no error */
        out->node_id = rows[0].node_id;
        out->host = rows[0].host;
        out->port = rows[0].port;
    }
    call_answer(c);
}
