/* What groups forget: a group that is deleted, a topic that is gone, offsets whose time is over. */
#include "coord/groups_int.h"

enum { CONSUMER_TOPIC_MAX = 249 };

/* --- what a group consumes -------------------------------------------------------------------- */

/* A consumer's subscription begins with its topics, in every version. */
static bool subscription_topics(struct slice metadata, struct map *into)
{
    struct cursor in = cursor_of(metadata);
    (void)cursor_i16(&in); /* version */
    int32_t count = cursor_i32(&in);
    for (int32_t i = 0; i < count && !in.err; i++) {
        struct slice topic = cursor_slice(&in, (uint16_t)cursor_i16(&in));
        if (!in.err && map_set(into, topic, into)) return false;
    }
    return !in.err;
}

struct map *group_subscriptions(const struct group *g, bool *known)
{
    *known = true;
    if (!g->protocol_type.at || !slice_is(g->protocol_type, "consumer") || !g->first) return NULL;
    struct map *topics = map_new(SUBSCRIPTION_TOPICS_MAX);
    *known = topics && g->protocol.at;
    for (const struct member *m = g->first; *known && m; m = m->next)
        *known = subscription_topics(member_metadata(m, g->protocol), topics);
    if (*known) return topics;
    map_free(topics);
    return NULL;
}

/* --- a group is deleted ----------------------------------------------------------------------- */

/* A tombstone for each offset, the pending ones too, and for the group. */
static void records_all_gone(struct groups *s, const struct group *g)
{
    struct slice name;
    void *value;
    for (size_t i = 0; g->topics && map_next(g->topics, &i, &name, &value);) {
        const struct group_topic *t = value;
        for (size_t k = 0; k < t->offsets.count; k++)
            records_offset(s, g, name, ((const struct offset *)vec_at(&t->offsets, k))->partition,
                           NULL);
        int32_t before = -1;
        for (size_t k = 0; k < t->pending.count; k++) {
            int32_t partition = ((const struct offset *)vec_at(&t->pending, k))->partition;
            if (partition != before && !offset_find(g, name, partition))
                records_offset(s, g, name, partition, NULL);
            before = partition;
        }
    }
    records_group_gone(s, g);
}

static void group_deleted(struct groups *s, struct op *op, err_t e)
{
    if (e) {
        op->group->state = GROUP_EMPTY; /* nothing has happened */
        if (op->request) op->request->diag = op->append.log.diag;
        say_diag(SAY_COORD, SAY_WARN, "a group was not deleted", &op->append.log.diag);
    } else {
        op_replay(s, op);
    }
    if (op->request) coord_answer(op->request, commit_append_error(e));
}

static err_t group_bury(struct groups *s, struct group *g, struct coord_request *request,
                        struct diag *d)
{
    struct op *op;
    records_begin(s, NULL);
    records_all_gone(s, g);
    err_t e = op_begin(s, g, request, group_deleted, &op, d);
    if (e) g->state = GROUP_EMPTY;
    return e;
}

void group_deleting(struct groups *s, struct group *g)
{
    struct coord_request *r = &g->deleting->head;
    g->deleting = NULL;
    err_t e = group_bury(s, g, r, &r->diag);
    if (!e) return;
    coord_answer(r, commit_append_error(e));
    groups_drop_if_void(s, g);
}

static void delete_run(struct coord *c, struct coord_request *head)
{
    struct group_delete *r = (struct group_delete *)(void *)head;
    struct groups *s = c->groups;
    struct group *g = groups_find(s, r->group);
    if (!g || g->state == GROUP_DEAD || g->state != GROUP_EMPTY) {
        err_t e = !g || g->state == GROUP_DEAD ? ERR_UNKNOWN_GROUP : ERR_GROUP_NOT_EMPTY;
        coord_answer(
            head, diag_fail(&head->diag, e, "group '%.*s': %s", SLICE_ARG(r->group), err_text(e)));
        return;
    }
    /* From here on nothing new comes to it; what is on its way to the disk is waited for, since
     * its tombstones have to stand behind that. */
    g->state = GROUP_DEAD;
    g->deleting = r;
    if (g->ops_begun == g->ops_done) group_deleting(s, g);
}

void group_delete(struct coord *c, struct group_delete *r)
{
    coord_request_send(c, &r->head, delete_run);
}

/* --- a topic is gone -------------------------------------------------------------------------- */

static void part_answer(struct op_parent *p)
{
    if (--p->left > 0) return;
    if (p->request) coord_answer(p->request, p->err);
    mem_give(p);
}

static void topic_forgotten(struct groups *s, struct op *op, err_t e)
{
    struct op_parent *p = op->parent;
    if (!e) op_replay(s, op);
    if (e && !p->err) {
        p->err = commit_append_error(e);
        if (p->request) p->request->diag = op->append.log.diag;
    }
    part_answer(p);
}

static size_t records_topic_gone(struct groups *s, const struct group *g,
                                 const struct group_topic *t)
{
    size_t count = 0;
    for (size_t k = 0; k < t->offsets.count; k++, count++)
        records_offset(s, g, t->name, ((const struct offset *)vec_at(&t->offsets, k))->partition,
                       NULL);
    for (size_t k = 0; k < t->pending.count; k++) {
        int32_t partition = ((const struct offset *)vec_at(&t->pending, k))->partition;
        if (offset_find(g, t->name, partition)) continue;
        records_offset(s, g, t->name, partition, NULL);
        count++;
    }
    return count;
}

/* Commits that are on their way for this topic have been let in before it went: they are found
 * when the groups are swept. */
static void forget_in(struct groups *s, struct group *g, const struct group_topic *t,
                      struct op_parent *p)
{
    struct op *op;
    struct diag d = {0};
    if (g->state == GROUP_DEAD) return;
    records_begin(s, NULL);
    if (records_topic_gone(s, g, t) == 0) return;
    p->left++;
    err_t e = op_begin(s, g, p->request, topic_forgotten, &op, p->request ? &p->request->diag : &d);
    if (!e) {
        op->parent = p;
        return;
    }
    p->left--;
    if (!p->err) p->err = commit_append_error(e);
}

static void forget_run(struct coord *c, struct coord_request *head)
{
    struct group_forget_topic *r = (struct group_forget_topic *)(void *)head;
    struct groups *s = c->groups;
    struct op_parent *p = mem_take(sizeof(*p));
    struct slice name;
    void *value;
    if (!p) {
        coord_answer(head, diag_fail(&head->diag, ERR_NO_MEMORY, "a topic can not be forgotten"));
        return;
    }
    p->request = head;
    p->left = 1; /* this walk itself */
    for (size_t i = 0; map_next(s->by_name, &i, &name, &value);) {
        const struct group_topic *t = group_topic(value, r->topic);
        if (t) forget_in(s, value, t, p);
    }
    part_answer(p);
}

void group_forget_topic(struct coord *c, struct group_forget_topic *r)
{
    coord_request_send(c, &r->head, forget_run);
}

/* --- the sweep -------------------------------------------------------------------------------- */

struct expiry {
    int64_t now_ms, retention_ms;
    bool since_state; /* the group's age counts, not the commit's */
    int64_t state_ms;
};

static bool expired(const struct expiry *x, const struct offset *o)
{
    if (o->expire_ms >= 0) return x->now_ms >= o->expire_ms;
    int64_t since = x->since_state ? x->state_ms : o->commit_ms;
    return x->now_ms - since >= x->retention_ms;
}

/* Does time pass for this group's offsets? Kafka's three cases: a simple group; one without
 * members; a stable one of consumers, for the topics nobody consumes. */
static bool expiry_of(const struct groups *s, const struct group *g, struct expiry *x)
{
    *x = (struct expiry){.now_ms = clock_wall_ms(), .retention_ms = s->c->o.offsets_retention_ms};
    if (!g->protocol_type.at) return true;
    if (g->state == GROUP_EMPTY) {
        x->since_state = g->state_ms >= 0;
        x->state_ms = g->state_ms;
        return true;
    }
    return g->state == GROUP_STABLE && slice_is(g->protocol_type, "consumer");
}

/* Tombstones for what is over; true when nothing is left. */
static bool records_expired(struct groups *s, const struct group *g, size_t *count)
{
    struct expiry x;
    bool known, all = true;
    struct slice name;
    void *value;
    *count = 0;
    if (g->offset_count == 0) return g->pending_count == 0;
    if (!expiry_of(s, g, &x)) return false;
    struct map *subscribed = group_subscriptions(g, &known);
    for (size_t i = 0; map_next(g->topics, &i, &name, &value);) {
        const struct group_topic *t = value;
        bool lost = !log_topic_find(s->c->o.log, name);
        if (!lost && (!known || (subscribed && map_get(subscribed, name)))) {
            all = false;
            continue;
        }
        for (size_t k = 0; k < t->offsets.count; k++) {
            const struct offset *o = vec_at(&t->offsets, k);
            if ((lost || expired(&x, o)) && !offset_pending(g, name, o->partition)) {
                records_offset(s, g, name, o->partition, NULL);
                ++*count;
            } else {
                all = false;
            }
        }
    }
    map_free(subscribed);
    return all && g->pending_count == 0;
}

static void swept(struct groups *s, struct op *op, err_t e)
{
    if (e)
        say_diag(SAY_COORD, SAY_WARN, "old offsets were not removed", &op->append.log.diag);
    else
        op_replay(s, op);
}

/* Groups with an append on its way have their turn the next time. */
static void sweep_group(struct groups *s, struct group *g)
{
    struct op *op;
    struct diag d = {0};
    size_t count;
    if (g->ops_begun != g->ops_done || g->state == GROUP_DEAD) return;
    records_begin(s, NULL);
    bool all = records_expired(s, g, &count);
    err_t e = ERR_OK;
    if (all && g->state == GROUP_EMPTY && g->pending == 0) {
        g->state = GROUP_DEAD;
        e = group_bury(s, g, NULL, &d);
    } else if (count > 0) {
        e = op_begin(s, g, NULL, swept, &op, &d);
    }
    if (e) say_diag(SAY_COORD, SAY_WARN, "old offsets were not removed", &d);
}

static void sweep_some(struct coord *c, struct coord_timer *t)
{
    struct groups *s = c->groups;
    struct slice name;
    void *value;
    size_t groups = 0;
    while (groups++ < SWEEP_AT_ONCE && map_next(s->by_name, &s->sweep_at, &name, &value))
        sweep_group(s, value);
    if (s->sweep_at < map_count(s->by_name)) {
        coord_timer_set(c, t, 1, sweep_some); /* others have their turn between */
        return;
    }
    s->sweep_at = 0;
    if (map_count(s->by_name)) coord_timer_set(c, t, SWEEP_EVERY_MS, sweep_some);
}

void groups_sweep_soon(struct groups *s)
{
    if (!s->sweep.on) coord_timer_set(s->c, &s->sweep, SWEEP_EVERY_MS, sweep_some);
}

void groups_lost_topics(struct groups *s)
{
    struct op_parent *p = mem_take(sizeof(*p));
    struct slice name, topic;
    void *value, *row;
    if (!p) return; /* the sweep will find them */
    p->left = 1;
    for (size_t i = 0; map_next(s->by_name, &i, &name, &value);) {
        struct group *g = value;
        for (size_t k = 0; g->topics && map_next(g->topics, &k, &topic, &row);) {
            if (!log_topic_find(s->c->o.log, topic)) forget_in(s, g, row, p);
        }
    }
    part_answer(p);
}
