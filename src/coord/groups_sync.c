/* What a member of a generation asks for: its assignment, that it is known to live, to leave. */
#include "coord/groups_int.h"

/* --- SyncGroup -------------------------------------------------------------------------------- */

static void sync_done(struct group_sync *r, err_t e)
{
    if (e && r->head.diag.err == ERR_OK)
        diag_fail(&r->head.diag, e, "group '%.*s': %s", SLICE_ARG(r->group), err_text(e));
    coord_answer(&r->head, e);
}

static void sync_refuse(struct group_sync *r, err_t e)
{
    r->protocol_type_chosen = r->protocol_chosen = (struct slice){0};
    r->assignment = SLICE("");
    sync_done(r, e);
}

/* The group's choice, and what the leader gave to this member. */
static void sync_tell(const struct member *m, struct group_sync *r)
{
    const struct group *g = m->group;
    r->protocol_type_chosen = arena_slice(r->head.arena, g->protocol_type);
    r->protocol_chosen = arena_slice(r->head.arena, g->protocol);
    r->assignment = m->assignment.at ? arena_slice(r->head.arena, m->assignment) : SLICE("");
    bool good = r->protocol_type_chosen.at && r->protocol_chosen.at && r->assignment.at;
    if (good)
        sync_done(r, ERR_OK);
    else
        sync_refuse(r, ERR_NO_MEMORY);
}

void sync_answer(struct member *m, err_t e)
{
    struct group_sync *r = m->sync;
    m->sync = NULL;
    if (e)
        sync_refuse(r, e);
    else
        sync_tell(m, r);
}

static void sync_came(struct member *m)
{
    m->group->sync_missing -= m->sync_missing;
    m->sync_missing = false;
}

static void assignments_told(struct groups *s, struct group *g)
{
    for (struct member *m = g->first; m; m = m->next) {
        keep_free(&m->assignment);
        m->assignment = m->proposed;
        m->proposed = (struct slice){0};
        if (!m->sync) continue;
        sync_answer(m, ERR_OK);
        member_alive(s, m);
    }
}

/* What a client understands of a record that could not be written: Kafka's translation. */
static err_t store_error(err_t e)
{
    if (e == ERR_TOO_BIG || e == ERR_BATCH_TOO_BIG || e == ERR_NO_MEMORY) return ERR_NO_MEMORY;
    if (e == ERR_IO || e == ERR_DISK_FULL || e == ERR_CORRUPT) return ERR_NOT_COORDINATOR;
    return ERR_BUSY;
}

static void assignments_stored(struct groups *s, struct op *op, err_t e)
{
    struct group *g = op->group;
    if (!e) g->on_disk = true;
    if (g->state != GROUP_COMPLETING || g->generation != op->generation) return; /* overtaken */
    g->storing = false;
    if (!e) {
        assignments_told(s, g);
        group_to(g, GROUP_STABLE);
        return;
    }
    say_diag(SAY_COORD, SAY_WARN, "an assignment was not stored", &op->append.log.diag);
    for (struct member *m = g->first; m; m = m->next) {
        if (!m->sync) continue;
        sync_answer(m, store_error(e));
        member_alive(s, m);
    }
    rebalance_or_complete(s, g, "the assignment could not be stored");
}

static err_t propose(struct group *g, const struct group_sync *r)
{
    for (struct member *m = g->first; m; m = m->next) keep_free(&m->proposed);
    for (size_t i = 0; i < r->assignment_count; i++) {
        struct member *m = group_find(g, r->assignments[i].member);
        if (m && !keep_set(&m->proposed, r->assignments[i].assignment)) return ERR_NO_MEMORY;
    }
    return ERR_OK;
}

/* The leader's word: when it is on disk the generation is stable, and everybody is told. */
static void leader_syncs(struct groups *s, struct group *g, struct member *m, struct group_sync *r)
{
    struct op *op;
    struct diag d = {0};
    if (g->storing) return; /* said twice; the first word holds */
    err_t e = propose(g, r);
    if (!e) {
        records_begin(s, NULL);
        records_group(s, g, true);
        e = op_begin(s, g, NULL, assignments_stored, &op, &d);
    }
    if (!e) {
        op->generation = g->generation;
        g->storing = true;
        return;
    }
    say_diag(SAY_COORD, SAY_WARN, "an assignment was not stored", &d);
    sync_answer(m, store_error(e));
    rebalance(s, g, "the assignment could not be stored");
}

static bool differs(struct slice asked, struct slice is)
{
    return asked.at && is.at && !slice_equal(asked, is);
}

static err_t sync_check(const struct group *g, struct group_sync *r, struct member **m)
{
    if (g->state == GROUP_EMPTY) return ERR_UNKNOWN_MEMBER;
    if (g->state == GROUP_DEAD) return ERR_BUSY;
    err_t e = group_check_member(g, r->member, r->instance, m, &r->head.diag);
    if (e) return e;
    if (r->generation != g->generation) return ERR_GENERATION;
    if (differs(r->protocol_type, g->protocol_type) || differs(r->protocol, g->protocol))
        return ERR_GROUP_PROTOCOL;
    return g->state == GROUP_PREPARING ? ERR_REBALANCING : ERR_OK;
}

static void sync_run(struct coord *c, struct coord_request *head)
{
    struct group_sync *r = (struct group_sync *)(void *)head;
    struct groups *s = c->groups;
    struct group *g = groups_find(s, r->group);
    struct member *m = NULL;
    err_t e = r->group.len == 0 ? ERR_GROUP_NAME : !g ? ERR_UNKNOWN_MEMBER : sync_check(g, r, &m);
    if (e) {
        sync_refuse(r, e);
        return;
    }
    sync_came(m);
    if (g->state == GROUP_STABLE) {
        sync_tell(m, r);
        return;
    }
    struct group_sync *old = m->sync; /* asked twice: on another connection */
    m->sync = r;
    if (old) sync_refuse(old, ERR_REBALANCING);
    if (g->leader == m) leader_syncs(s, g, m, r);
}

void group_sync(struct coord *c, struct group_sync *r)
{
    coord_request_send(c, &r->head, sync_run);
}

/* --- Heartbeat -------------------------------------------------------------------------------- */

static void heartbeat_run(struct coord *c, struct coord_request *head)
{
    struct group_heartbeat *r = (struct group_heartbeat *)(void *)head;
    struct group *g = groups_find(c->groups, r->group);
    struct member *m = NULL;
    err_t e = r->group.len == 0 ? ERR_GROUP_NAME
              : !g              ? ERR_UNKNOWN_MEMBER
              : g->state == GROUP_DEAD
                  ? ERR_BUSY
                  : group_check_member(g, r->member, r->instance, &m, &head->diag);
    if (!e && r->generation != g->generation) e = ERR_GENERATION;
    if (!e && g->state == GROUP_EMPTY) e = ERR_UNKNOWN_MEMBER;
    if (!e) {
        member_alive(c->groups, m);
        if (g->state == GROUP_PREPARING) e = ERR_REBALANCING;
    }
    coord_answer(head, e);
}

void group_heartbeat(struct coord *c, struct group_heartbeat *r)
{
    coord_request_send(c, &r->head, heartbeat_run);
}

/* --- LeaveGroup ------------------------------------------------------------------------------- */

static err_t one_leaves(struct groups *s, struct group *g, const struct group_leaver *l)
{
    struct member *m;
    struct diag d;
    if (l->member.len == 0) { /* an administrator names the instance only */
        m = l->instance.at ? group_static(g, l->instance) : NULL;
        if (!m) return ERR_UNKNOWN_MEMBER;
    } else if (!(m = group_pending(g, l->member))) {
        err_t e = group_check_member(g, l->member, l->instance, &m, &d);
        if (e) return e;
    }
    group_remove(s, g, m);
    return ERR_OK;
}

static void leave_run(struct coord *c, struct coord_request *head)
{
    struct group_leave *r = (struct group_leave *)(void *)head;
    struct groups *s = c->groups;
    struct group *g = groups_find(s, r->group);
    bool any = false;
    if (r->group.len == 0 || (g && g->state == GROUP_DEAD)) {
        coord_answer(head, r->group.len == 0 ? ERR_GROUP_NAME : ERR_BUSY);
        return;
    }
    for (size_t i = 0; i < r->member_count; i++) {
        r->members[i].err = g ? one_leaves(s, g, &r->members[i]) : ERR_UNKNOWN_MEMBER;
        any = any || r->members[i].err == ERR_OK;
    }
    if (any && (g->state == GROUP_STABLE || g->state == GROUP_COMPLETING))
        rebalance_or_complete(s, g, "members have left");
    else if (any)
        complete_if_joined(s, g);
    if (g) groups_drop_if_void(s, g);
    coord_answer(head, ERR_OK);
}

void group_leave(struct coord *c, struct group_leave *r)
{
    coord_request_send(c, &r->head, leave_run);
}
