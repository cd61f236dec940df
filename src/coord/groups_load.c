/* A record of __consumer_offsets becomes what it says: at opening, and when our own is on disk. */
#include "coord/groups_int.h"

enum { KEY_OFFSET_0, KEY_OFFSET, KEY_GROUP, ATTRIBUTE_TRANSACTIONAL = 16 };

static err_t replay_offset(struct groups *s, const struct record_batch *b, const struct record *r,
                           struct diag *d)
{
    struct kafka_offset_commit_key key;
    struct kafka_offset_commit_value value;
    int16_t version;
    err_t e = kafka_decode_versioned(&kafka_offset_commit_key_message, r->key, s->scratch, &key,
                                     &version, d);
    if (e) return e;
    struct group *g = groups_find(s, key.group);
    if (r->value_null) {
        if (g) offset_remove(g, key.topic, key.partition);
        return ERR_OK;
    }
    e = kafka_decode_versioned(&kafka_offset_commit_value_message, r->value, s->scratch, &value,
                               &version, d);
    if (e) return e;
    if (!g && !(g = groups_make(s, key.group)))
        return diag_fail(d, ERR_NO_MEMORY, "more groups than there is room for");
    struct offset o = {.partition = key.partition,
                       .leader_epoch = value.leader_epoch,
                       .at = value.offset,
                       .commit_ms = value.commit_timestamp,
                       .expire_ms = value.expire_timestamp,
                       .record = r->offset,
                       .metadata = value.metadata};
    e = b->attributes & ATTRIBUTE_TRANSACTIONAL ? pending_put(s, g, b->producer_id, key.topic, &o)
                                                : offset_put(g, key.topic, &o);
    return e ? diag_fail(d, e, "an offset of group '%.*s' is not kept", SLICE_ARG(key.group))
             : ERR_OK;
}

static void members_clear(struct groups *s, struct group *g)
{
    while (g->first) group_remove(s, g, g->first);
    keep_free(&g->protocol_type);
    keep_free(&g->protocol);
    g->generation = 0;
}

static err_t member_load(struct groups *s, struct group *g,
                         const struct kafka_group_metadata_value_member *v)
{
    struct group_protocol only = {.name = g->protocol, .metadata = v->subscription};
    struct group_join join = {
        .instance = v->group_instance_id,
        .client_id = v->client_id,
        .client_host = v->client_host,
        .protocols = &only,
        .protocol_count = 1,
        .session_ms = v->session_timeout,
        .rebalance_ms = v->rebalance_timeout == -1 ? v->session_timeout : v->rebalance_timeout,
    };
    if (group_find(g, v->member_id) || group_pending(g, v->member_id) ||
        (join.instance.at && group_static(g, join.instance)))
        return ERR_MALFORMED;
    struct member *m = member_new(g, v->member_id, &join);
    err_t e = m && keep_set(&m->assignment, v->assignment) ? group_add(g, m) : ERR_NO_MEMORY;
    if (e) member_free(s, m);
    return e;
}

static err_t members_load(struct groups *s, struct group *g,
                          const struct kafka_group_metadata_value *v)
{
    if (v->members.count > GROUP_MEMBERS_MAX || (v->members.count > 0 && !v->protocol.at))
        return ERR_MALFORMED;
    if ((v->protocol_type.len && !keep_set(&g->protocol_type, v->protocol_type)) ||
        (v->protocol.at && !keep_set(&g->protocol, v->protocol)))
        return ERR_NO_MEMORY;
    for (int32_t i = 0; i < v->members.count; i++) {
        err_t e = member_load(s, g, &v->members.at[i]);
        if (e) return e;
    }
    struct member *leader = v->leader.at ? group_find(g, v->leader) : NULL;
    if (leader) g->leader = leader;
    g->generation = v->generation;
    return ERR_OK;
}

static void group_is_gone(struct groups *s, struct group *g)
{
    members_clear(s, g);
    g->on_disk = false;
    if (g->ops_begun != g->ops_done)
        g->gone = true; /* the append that says it is still being told */
    else if (g->offset_count + g->pending_count == 0)
        groups_drop(s, g);
    else
        g->state = GROUP_EMPTY; /* what is left of it: offsets */
}

static err_t replay_group(struct groups *s, const struct record *r, struct diag *d)
{
    struct kafka_group_metadata_key key;
    struct kafka_group_metadata_value value;
    int16_t version;
    err_t e = kafka_decode_versioned(&kafka_group_metadata_key_message, r->key, s->scratch, &key,
                                     &version, d);
    if (e) return e;
    struct group *g = groups_find(s, key.group);
    if (r->value_null) {
        if (g) group_is_gone(s, g);
        return ERR_OK;
    }
    e = kafka_decode_versioned(&kafka_group_metadata_value_message, r->value, s->scratch, &value,
                               &version, d);
    if (e) return e;
    if (!g && !(g = groups_make(s, key.group)))
        return diag_fail(d, ERR_NO_MEMORY, "more groups than there is room for");
    members_clear(s, g);
    e = members_load(s, g, &value);
    if (e) members_clear(s, g);
    g->on_disk = true;
    g->state = g->joined ? GROUP_STABLE : GROUP_EMPTY;
    g->before = GROUP_DEAD;
    g->state_ms = value.current_state_timestamp;
    return e ? diag_fail(d, e, "the members of group '%.*s' are not what they should be",
                         SLICE_ARG(key.group))
             : ERR_OK;
}

err_t groups_replay(struct groups *s, const struct record_batch *b, const struct record *r,
                    struct diag *d)
{
    struct cursor key = cursor_of(r->key);
    int16_t version = cursor_i16(&key);
    arena_reset(s->scratch);
    if (key.err) return diag_fail(d, ERR_MALFORMED, "a record without a kind");
    if (version == KEY_OFFSET_0 || version == KEY_OFFSET) return replay_offset(s, b, r, d);
    if (version == KEY_GROUP) return replay_group(s, r, d);
    s->skipped++; /* of the newer kinds of groups: Kafka leaves alone what it does not know, too */
    return ERR_OK;
}
