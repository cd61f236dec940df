/* How a generation comes about: members join, the group waits for the others, votes, elects. The
 * steps and their names follow Kafka's GroupMetadataManager, its classic groups. */
#include "coord/groups_int.h"

#include <openssl/rand.h>
#include <stdio.h>

enum { AGAIN_MS = 1000 };

static void complete_join(struct groups *s, struct group *g);
static void join_late(struct coord *c, struct coord_timer *t);

/* --- answers ---------------------------------------------------------------------------------- */

static void join_done(struct group_join *r, err_t e)
{
    if (e && r->head.diag.err == ERR_OK)
        diag_fail(&r->head.diag, e, "group '%.*s': %s", SLICE_ARG(r->group), err_text(e));
    coord_answer(&r->head, e);
}

void join_refuse(struct group_join *r, err_t e, struct slice member_id)
{
    r->member_id = arena_slice(r->head.arena, member_id);
    r->protocol_type_chosen = r->protocol = (struct slice){0};
    r->leader = SLICE("");
    r->generation = -1;
    r->skip_assignment = false;
    r->members = NULL;
    r->member_count = 0;
    join_done(r, e);
}

static struct slice copied(struct arena *a, struct slice s, bool *good)
{
    if (!s.at) return s;
    struct slice copy = arena_slice(a, s);
    if (!copy.at) *good = false;
    return copy;
}

static bool members_fill(const struct group *g, struct group_join *r)
{
    bool good = true;
    r->members = arena_take(r->head.arena, g->joined * sizeof(*r->members));
    if (!r->members) return false;
    for (const struct member *m = g->first; m; m = m->next) {
        struct group_join_member *row = &r->members[r->member_count++];
        row->id = copied(r->head.arena, m->id, &good);
        row->instance = copied(r->head.arena, m->instance, &good);
        row->metadata = copied(r->head.arena, member_metadata(m, g->protocol), &good);
        if (!row->metadata.at) row->metadata = SLICE("");
    }
    return good;
}

/* What the group is now, for a member of it. */
static void join_tell(const struct member *m, struct group_join *r, bool with_members, bool skip,
                      const struct slice *leader)
{
    const struct group *g = m->group;
    bool good = true;
    r->members = NULL;
    r->member_count = 0;
    r->member_id = copied(r->head.arena, m->id, &good);
    r->protocol_type_chosen = copied(r->head.arena, g->protocol_type, &good);
    r->protocol = copied(r->head.arena, g->protocol, &good);
    r->leader = copied(r->head.arena, leader ? *leader : g->leader->id, &good);
    r->generation = g->generation;
    r->skip_assignment = skip;
    if (with_members) good = members_fill(g, r) && good;
    if (good)
        join_done(r, ERR_OK);
    else
        join_refuse(r, ERR_NO_MEMORY, m->id);
}

static struct group_join *unpark(struct member *m)
{
    struct group_join *r = m->join;
    m->join = NULL;
    m->group->awaiting -= r != NULL;
    return r;
}

static void park(struct member *m, struct group_join *r)
{
    struct group_join *old = unpark(m); /* the member has asked twice: on another connection */
    m->join = r;
    m->group->awaiting++;
    if (old) join_refuse(old, ERR_REBALANCING, m->id);
}

void join_answer(struct member *m, bool skip_assignment)
{
    struct group_join *r = unpark(m);
    if (r) join_tell(m, r, m->group->leader == m, skip_assignment, NULL);
}

/* --- sessions --------------------------------------------------------------------------------- */

/* Members that wait for the others, or for the leader, need not say that they are alive. New ones
 * do: their client may have gone while it waited. */
static bool heartbeat_satisfied(const struct member *m)
{
    return !m->is_new && (m->join || m->sync);
}

static void session_over(struct coord *c, struct coord_timer *t)
{
    struct member *m = (struct member *)(void *)((char *)t - offsetof(struct member, session));
    struct groups *s = c->groups;
    struct group *g = m->group;
    bool pending = m->pending;
    if (g->state == GROUP_DEAD || (!pending && heartbeat_satisfied(m))) return;
    char group[SAID_MAX], member[SAID_MAX];
    say_info(SAY_COORD, pending ? "member never joined" : "member has failed", "group=%s member=%s",
             said(g->name, group), said(m->id, member));
    group_remove(s, g, m);
    if (!pending && (g->state == GROUP_STABLE || g->state == GROUP_COMPLETING))
        rebalance_or_complete(s, g, "a member's session is over");
    else if (g->state == GROUP_PREPARING && group_all_joined(g))
        complete_join(s, g);
    groups_drop_if_void(s, g);
}

void member_alive_for(struct groups *s, struct member *m, int64_t ms)
{
    coord_timer_set(s->c, &m->session, ms, session_over);
}

void member_alive(struct groups *s, struct member *m)
{
    member_alive_for(s, m, m->session_ms);
}

/* --- the rebalance ---------------------------------------------------------------------------- */

static struct group *of_join_timer(struct coord_timer *t)
{
    return (struct group *)(void *)((char *)t - offsetof(struct group, join_timer));
}

/* A leader that has not come back leaves its office to the first who has. */
static bool elect(struct group *g)
{
    if (!g->leader) return false;
    if (g->leader->join) return true;
    for (struct member *m = g->first; m; m = m->next) {
        if (!m->join) continue;
        g->leader = m;
        return true;
    }
    return false;
}

static void remove_late_members(struct groups *s, struct group *g)
{
    for (struct member *m = g->first, *next; m; m = next) {
        next = m->next;
        if (!m->join && !m->instance.at) group_remove(s, g, m);
    }
}

static void empty_stored(struct groups *s, struct op *op, err_t e)
{
    struct group *g = op->group;
    if (!e) {
        g->on_disk = true;
        return;
    }
    /* The generation before is what a crash now would bring back; it has no live members. */
    (void)s;
    say_diag(SAY_COORD, SAY_WARN, "an empty group was not stored", &op->append.log.diag);
}

static void store_empty(struct groups *s, struct group *g)
{
    struct diag d = {0};
    struct op *op;
    records_begin(s, NULL);
    records_group(s, g, false);
    if (op_begin(s, g, NULL, empty_stored, &op, &d))
        say_diag(SAY_COORD, SAY_WARN, "an empty group was not stored", &d);
}

static void sync_late(struct coord *c, struct coord_timer *t)
{
    struct group *g = (struct group *)(void *)((char *)t - offsetof(struct group, sync_timer));
    struct groups *s = c->groups;
    if (g->sync_missing == 0) return;
    if (g->state != GROUP_COMPLETING && g->state != GROUP_STABLE) return;
    for (struct member *m = g->first, *next; m; m = next) {
        next = m->next;
        if (m->sync_missing) group_remove(s, g, m);
    }
    rebalance(s, g, "members have not asked for their assignment");
}

static void next_generation(struct groups *s, struct group *g)
{
    struct slice chosen = g->joined ? group_choose(g) : (struct slice){0};
    if (!keep_set(&g->protocol, chosen)) {
        coord_timer_set(s->c, &g->join_timer, AGAIN_MS, join_late); /* no memory */
        return;
    }
    g->generation = g->generation == INT32_MAX ? 1 : g->generation + 1;
    g->storing = false;
    g->sync_missing = 0;
    if (g->joined == 0) {
        group_to(g, GROUP_EMPTY);
        store_empty(s, g);
        return;
    }
    group_to(g, GROUP_COMPLETING);
    for (struct member *m = g->first; m; m = m->next) {
        join_answer(m, false);
        member_alive(s, m);
        m->is_new = false;
        m->sync_missing = true;
        g->sync_missing++;
    }
    coord_timer_set(s->c, &g->sync_timer, group_rebalance_ms(g), sync_late);
}

static void join_late(struct coord *c, struct coord_timer *t)
{
    complete_join(c->groups, of_join_timer(t));
}

static void complete_join(struct groups *s, struct group *g)
{
    coord_timer_stop(s->c, &g->join_timer);
    if (g->state != GROUP_PREPARING) return;
    remove_late_members(s, g);
    if (!elect(g) && g->joined > 0) {
        /* Static members only, and none came back: their sessions end it sooner or later. */
        coord_timer_set(s->c, &g->join_timer, group_rebalance_ms(g), join_late);
        return;
    }
    next_generation(s, g);
    char name[SAID_MAX];
    say_info(SAY_COORD, "group has a new generation", "group=%s generation=%d members=%zu",
             said(g->name, name), g->generation, g->joined);
}

static void initial_delay_over(struct coord *c, struct coord_timer *t)
{
    struct group *g = of_join_timer(t);
    if (!g->new_member || g->delay_left_ms == 0) {
        complete_join(c->groups, g);
        return;
    }
    int32_t delay_ms = MIN((int32_t)c->o.rebalance_delay_ms, g->delay_left_ms);
    g->new_member = false;
    g->delay_left_ms = MAX(g->delay_left_ms - g->delay_ms, 0);
    g->delay_ms = delay_ms;
    coord_timer_set(c, &g->join_timer, delay_ms, initial_delay_over);
}

/* Those who wait for an assignment are told to join again. */
static void reset_assignments(struct groups *s, struct group *g, err_t e)
{
    for (struct member *m = g->first; m; m = m->next) {
        keep_free(&m->proposed);
        keep_free(&m->assignment);
        if (!m->sync) continue;
        sync_answer(m, e);
        member_alive(s, m);
    }
}

void rebalance(struct groups *s, struct group *g, const char *why)
{
    bool initial = g->state == GROUP_EMPTY;
    if (g->state == GROUP_COMPLETING) reset_assignments(s, g, ERR_REBALANCING);
    for (struct member *m = g->first; m; m = m->next) m->sync_missing = false;
    g->sync_missing = 0;
    coord_timer_stop(s->c, &g->sync_timer);
    if (initial) {
        g->delay_ms = (int32_t)s->c->o.rebalance_delay_ms;
        g->delay_left_ms = MAX(group_rebalance_ms(g) - g->delay_ms, 0);
        g->new_member = false;
        coord_timer_set(s->c, &g->join_timer, g->delay_ms, initial_delay_over);
    }
    char name[SAID_MAX];
    say_debug(SAY_COORD, "group rebalances", "group=%s generation=%d members=%zu why=\"%s\"",
              said(g->name, name), g->generation, g->joined, why);
    group_to(g, GROUP_PREPARING);
    if (initial) return;
    if (group_all_joined(g))
        complete_join(s, g);
    else
        coord_timer_set(s->c, &g->join_timer, group_rebalance_ms(g), join_late);
}

void complete_if_joined(struct groups *s, struct group *g)
{
    if (g->state != GROUP_PREPARING || g->before == GROUP_EMPTY || !group_all_joined(g)) return;
    complete_join(s, g);
}

void rebalance_or_complete(struct groups *s, struct group *g, const char *why)
{
    if (g->state == GROUP_PREPARING)
        complete_if_joined(s, g);
    else if (g->state != GROUP_DEAD)
        rebalance(s, g, why);
}

void group_begin_members(struct groups *s, struct group *g)
{
    for (struct member *m = g->first; m; m = m->next) member_alive(s, m);
    if (g->joined > (size_t)s->c->o.group_max_size)
        rebalance(s, g, "the group is larger than it may be");
}

/* --- who comes -------------------------------------------------------------------------------- */

static bool new_id(const struct group_join *r, char *out, size_t cap, struct slice *id)
{
    uint8_t random[16];
    char uuid[37];
    if (RAND_bytes(random, sizeof(random)) != 1) return false;
    uuid_print(uuid_v4(random), uuid);
    struct slice front = r->instance.at ? r->instance : r->client_id;
    front.len = MIN(front.len, (uint32_t)MEMBER_ID_TEXT_MAX);
    int n = snprintf(out, cap, "%.*s-%s", SLICE_ARG(front), uuid);
    INVARIANT(n > 0 && (size_t)n < cap);
    *id = slice_make(out, (size_t)n);
    return true;
}

static void add_member(struct groups *s, struct group *g, struct group_join *r, struct slice id)
{
    struct member *m = member_new(g, id, r);
    if (m && g->joined == 0 && !keep_set(&g->protocol_type, r->protocol_type)) {
        member_free(s, m);
        m = NULL;
    }
    struct member *pending = group_pending(g, id);
    if (m && pending) group_remove(s, g, pending);
    if (!m || group_add(g, m)) {
        member_free(s, m);
        join_refuse(r, ERR_NO_MEMORY, SLICE(""));
        return;
    }
    m->is_new = true;
    park(m, r);
    if (g->state == GROUP_PREPARING && g->before == GROUP_EMPTY) g->new_member = true;
    member_alive_for(s, m, NEW_MEMBER_JOIN_MS);
    rebalance_or_complete(s, g, "a member has come");
}

static void add_pending(struct groups *s, struct group *g, struct group_join *r, struct slice id)
{
    struct member *m = member_new(g, id, r);
    err_t e = m ? group_add_pending(g, m) : ERR_NO_MEMORY;
    if (e) {
        member_free(s, m);
        join_refuse(r, ERR_NO_MEMORY, SLICE(""));
        return;
    }
    member_alive(s, m);
    join_refuse(r, ERR_MEMBER_ID_REQUIRED, m->id);
}

static void update_member(struct groups *s, struct group *g, struct member *m, struct group_join *r,
                          const char *why)
{
    if (group_update(g, m, r)) {
        join_refuse(r, ERR_NO_MEMORY, m->id);
        return;
    }
    park(m, r);
    rebalance_or_complete(s, g, why);
}

/* --- a static member comes back --------------------------------------------------------------- */

/* Not stored: it goes back under its old id, with what it said then. */
static void static_undone(struct groups *s, struct op *op, struct member *m, err_t e)
{
    struct group *g = op->group;
    struct group_join *r = unpark(m);
    bool same = g->state == GROUP_STABLE && g->generation == op->generation;
    char name[SAID_MAX];
    if (same && op->old && member_metadata(op->old, g->protocol).at) {
        struct group_join before = {.protocols = op->old->protocols,
                                    .protocol_count = op->old->protocol_count,
                                    .session_ms = op->old->session_ms,
                                    .rebalance_ms = op->old->rebalance_ms};
        if (group_update(g, m, &before) || group_rename(s, m, op->old_id))
            say_warn(SAY_COORD, "a static member could not be taken back", "group=%s",
                     said(g->name, name));
    }
    member_alive(s, m);
    if (r) join_refuse(r, e, SLICE(""));
}

static void static_stored(struct groups *s, struct op *op, err_t e)
{
    struct group *g = op->group;
    struct group_join *r = (struct group_join *)(void *)op->request;
    struct member *m = op->old ? group_static(g, op->old->instance) : NULL;
    /* It may have gone, or have been replaced again; then r has been answered. */
    if (m && m->join == r) {
        if (e) {
            static_undone(s, op, m, e);
        } else if (g->state == GROUP_STABLE && g->generation == op->generation) {
            bool leads = g->leader == m;
            unpark(m);
            if (r->may_skip)
                join_tell(m, r, leads, leads, NULL);
            else /* an old client must not think it leads: it would assign, and not be heard */
                join_tell(m, r, false, false, leads ? &op->old_id : NULL);
        } /* else a rebalance has begun, and r takes part in it */
    }
    if (!e) g->on_disk = true;
    member_free(s, op->old);
    keep_free(&op->old_id);
}

static void static_store(struct groups *s, struct group *g, struct group_join *r, struct member *m,
                         struct member *old, struct slice old_id)
{
    struct op *op;
    records_begin(s, NULL);
    records_group(s, g, false);
    err_t e = op_begin(s, g, &r->head, static_stored, &op, &r->head.diag);
    if (!e) {
        op->old = old;
        op->old_id = old_id;
        op->generation = g->generation;
        return;
    }
    struct op failed = {.group = g, .old = old, .old_id = old_id, .generation = g->generation};
    static_undone(s, &failed, m, e);
    member_free(s, old);
    keep_free(&old_id);
}

static void replace_static(struct groups *s, struct group *g, struct member *m,
                           struct group_join *r, struct slice id)
{
    struct group_join before = {.protocols = m->protocols,
                                .protocol_count = m->protocol_count,
                                .session_ms = m->session_ms,
                                .rebalance_ms = m->rebalance_ms,
                                .instance = m->instance};
    struct member *old = member_new(g, m->id, &before);
    struct slice old_id = keep(m->id);
    if (!old || !old_id.at || group_update(g, m, r) || group_rename(s, m, id)) {
        member_free(s, old);
        keep_free(&old_id);
        join_refuse(r, ERR_NO_MEMORY, SLICE(""));
        return;
    }
    char name[SAID_MAX], instance[SAID_MAX];
    say_debug(SAY_COORD, "static member came back", "group=%s instance=%s", said(g->name, name),
              said(m->instance, instance));
    member_alive(s, m);
    park(m, r);
    if (g->state == GROUP_STABLE && slice_equal(g->protocol, group_choose(g))) {
        static_store(s, g, r, m, old, old_id);
        return;
    }
    member_free(s, old);
    keep_free(&old_id);
    if (g->state == GROUP_COMPLETING)
        rebalance(s, g, "a static member came back before the assignment");
    else
        rebalance_or_complete(s, g, "a static member came back with other protocols");
}

/* --- the request ------------------------------------------------------------------------------ */

static void join_new(struct groups *s, struct group *g, struct group_join *r)
{
    char text[MEMBER_ID_TEXT_MAX + 64];
    struct slice id;
    struct member *same = r->instance.at ? group_static(g, r->instance) : NULL;
    if (g->state == GROUP_DEAD)
        join_refuse(r, ERR_BUSY, SLICE(""));
    else if (!group_supports(g, r->protocol_type, r->protocols, r->protocol_count))
        join_refuse(r, ERR_GROUP_PROTOCOL, SLICE(""));
    else if (!new_id(r, text, sizeof(text), &id))
        join_refuse(r, ERR_INTERNAL, SLICE(""));
    else if (same)
        replace_static(s, g, same, r, id);
    else if (!r->instance.at && r->id_required)
        add_pending(s, g, r, id);
    else
        add_member(s, g, r, id);
}

static void join_known(struct groups *s, struct group *g, struct group_join *r)
{
    struct member *m;
    err_t e;
    if (g->state == GROUP_DEAD) {
        join_refuse(r, ERR_BUSY, r->member);
    } else if (!group_supports(g, r->protocol_type, r->protocols, r->protocol_count)) {
        join_refuse(r, ERR_GROUP_PROTOCOL, r->member);
    } else if (group_pending(g, r->member) && !r->instance.at) {
        add_member(s, g, r, r->member);
    } else if ((e = group_check_member(g, r->member, r->instance, &m, &r->head.diag))) {
        join_refuse(r, e, r->member);
    } else if (g->state == GROUP_EMPTY) {
        join_refuse(r, ERR_UNKNOWN_MEMBER, r->member);
    } else if (g->state == GROUP_PREPARING) {
        update_member(s, g, m, r, "a member joins");
    } else if (g->state == GROUP_STABLE && g->leader == m) {
        update_member(s, g, m, r, "the leader joins again");
    } else if (!member_matches(m, r->protocols, r->protocol_count)) {
        update_member(s, g, m, r, "a member has other metadata");
    } else { /* the answer got lost, or nothing is new: this generation goes on */
        join_tell(m, r, g->state == GROUP_COMPLETING && g->leader == m, false, NULL);
    }
}

/* While a group rebalances, those who wait count: so the last ones to join again are left out. */
static bool accepts(const struct groups *s, const struct group *g, struct slice id)
{
    size_t most = (size_t)s->c->o.group_max_size;
    const struct member *m = id.len ? group_find(g, id) : NULL;
    size_t known = g->by_id ? map_count(g->by_id) : 0;
    if (!m && !(id.len && group_pending(g, id)) && known >= GROUP_MEMBERS_MAX) return false;
    if (g->state == GROUP_EMPTY || g->state == GROUP_DEAD) return true;
    if (g->state == GROUP_PREPARING) return (m && m->join) || g->awaiting < most;
    return m || g->joined < most;
}

static void join_refuse_full(struct groups *s, struct group *g, struct group_join *r)
{
    struct member *m = group_find(g, r->member);
    if (!m) m = group_pending(g, r->member);
    if (m) group_remove(s, g, m);
    join_refuse(r, ERR_GROUP_FULL, SLICE(""));
    complete_if_joined(s, g);
}

static void join_run(struct coord *c, struct coord_request *head)
{
    struct group_join *r = (struct group_join *)(void *)head;
    struct groups *s = c->groups;
    struct group *g = groups_find(s, r->group);
    if (r->group.len == 0) {
        join_refuse(r, ERR_GROUP_NAME, r->member);
    } else if (r->session_ms < c->o.session_min_ms || r->session_ms > c->o.session_max_ms) {
        join_refuse(r, ERR_SESSION_TIMEOUT, r->member);
    } else if (r->protocol_count > GROUP_PROTOCOLS_MAX) {
        join_refuse(r, ERR_GROUP_PROTOCOL, r->member);
    } else if (!g && r->member.len) {
        join_refuse(r, ERR_UNKNOWN_MEMBER, r->member);
    } else if (!g && !(g = groups_make(s, r->group))) {
        join_refuse(r, ERR_NO_MEMORY, r->member);
    } else {
        if (!accepts(s, g, r->member))
            join_refuse_full(s, g, r);
        else if (r->member.len == 0)
            join_new(s, g, r);
        else
            join_known(s, g, r);
        groups_drop_if_void(s, g);
    }
}

void group_join(struct coord *c, struct group_join *r)
{
    coord_request_send(c, &r->head, join_run);
}
