/* The group coordinator as a whole: its table of groups, its topic, opening and closing. */
#include "coord/groups_int.h"

enum { SCRATCH_MAX = 256 << 20, TXNS_MAX = 1 << 20, NAME_MAX_BYTES = INT16_MAX };

const char *group_state_name(enum group_state s)
{
    static const char *const names[GROUP_STATES] = {
        [GROUP_EMPTY] = "Empty",
        [GROUP_PREPARING] = "PreparingRebalance",
        [GROUP_COMPLETING] = "CompletingRebalance",
        [GROUP_STABLE] = "Stable",
        [GROUP_DEAD] = "Dead",
    };
    return names[s];
}

/* --- the table -------------------------------------------------------------------------------- */

struct group *groups_find(const struct groups *s, struct slice name)
{
    return map_get(s->by_name, name);
}

static void group_free(struct groups *s, struct group *g)
{
    coord_timer_stop(s->c, &g->join_timer);
    coord_timer_stop(s->c, &g->sync_timer);
    struct slice key;
    void *value;
    while (g->first) group_remove(s, g, g->first);
    for (size_t first = 0; g->by_id && map_next(g->by_id, &first, &key, &value); first = 0)
        group_remove(s, g, value); /* those who have an id only */
    map_free(g->by_id);
    map_free(g->by_instance);
    map_free(g->supported);
    group_topics_free(g);
    keep_free(&g->name);
    keep_free(&g->protocol_type);
    keep_free(&g->protocol);
    mem_give(g);
}

struct group *groups_make(struct groups *s, struct slice name)
{
    if (name.len > NAME_MAX_BYTES) return NULL;
    struct group *g = mem_take(sizeof(*g));
    if (!g) return NULL;
    g->state = GROUP_EMPTY;
    g->before = GROUP_DEAD;
    g->state_ms = clock_wall_ms();
    g->partition = groups_partition_of(s->c, name);
    if (!keep_set(&g->name, name) || map_set(s->by_name, g->name, g)) {
        keep_free(&g->name);
        mem_give(g);
        return NULL;
    }
    groups_sweep_soon(s);
    return g;
}

void groups_drop(struct groups *s, struct group *g)
{
    INVARIANT(g->ops_begun == g->ops_done && !g->fetch_first && !g->deleting);
    map_remove(s->by_name, g->name);
    group_free(s, g);
}

void groups_drop_if_void(struct groups *s, struct group *g)
{
    bool idle = g->ops_begun == g->ops_done && !g->fetch_first && !g->deleting;
    bool empty = g->state == GROUP_EMPTY && g->joined + g->pending == 0 &&
                 g->offset_count + g->pending_count == 0;
    if (idle && empty && !g->on_disk) groups_drop(s, g);
}

/* --- the topic -------------------------------------------------------------------------------- */

int32_t groups_partition_of(struct coord *c, struct slice group)
{
    return coord_partition_of(group, c->groups->partitions);
}

err_t groups_partition(struct coord *c, struct slice group, struct log_partition **out,
                       struct diag *d)
{
    struct groups *s = c->groups;
    if (!s->topic) {
        err_t e = coord_topic(c, GROUPS_TOPIC, s->partitions, &s->topic, d);
        if (e) return e;
    }
    *out = log_partition(s->topic, groups_partition_of(c, group));
    INVARIANT(*out != NULL);
    return ERR_OK;
}

/* --- opening ---------------------------------------------------------------------------------- */

struct loading {
    struct groups *s;
    int32_t partition;
    uint64_t records, bad;
};

/* A record that can not be read is one group's or one offset's loss; the rest is not to be lost for
 * it. It is said aloud, and the log keeps the record. */
static err_t load_record(void *ctx, const struct record_batch *b, const struct record *r,
                         struct diag *d)
{
    struct loading *l = ctx;
    l->records++;
    err_t e = groups_replay(l->s, b, r, d);
    if (e == ERR_NO_MEMORY) return e;
    if (e && l->bad++ == 0) {
        diag_where(d, "%s partition %d offset %lld", GROUPS_TOPIC, l->partition,
                   (long long)r->offset);
        say_diag(SAY_COORD, SAY_ERROR, "a record of a group can not be read", d);
    }
    return ERR_OK;
}

static err_t load_marker(void *ctx, const struct record_batch *b, bool committed, struct diag *d)
{
    struct loading *l = ctx;
    (void)d;
    pending_end(l->s, l->partition, b->producer_id, committed);
    return ERR_OK;
}

static err_t load(struct groups *s, struct diag *d)
{
    struct loading l = {.s = s};
    struct coord_replay how = {.ctx = &l, .record = load_record, .marker = load_marker};
    int64_t begun_ns = clock_mono_ns();
    s->topic = log_topic_find(s->c->o.log, slice_of(GROUPS_TOPIC));
    if (!s->topic) return ERR_OK;
    s->partitions = log_topic_partitions(s->topic);
    for (; l.partition < s->partitions; l.partition++) {
        err_t e = coord_replay(log_partition(s->topic, l.partition), &how, d);
        if (e) return diag_where(d, "%s partition %d", GROUPS_TOPIC, l.partition);
    }
    say_info(SAY_COORD, "groups read", "groups=%zu records=%llu unread=%llu skipped=%llu ms=%lld",
             map_count(s->by_name), (unsigned long long)l.records, (unsigned long long)l.bad,
             (unsigned long long)s->skipped, (long long)((clock_mono_ns() - begun_ns) / 1000000));
    return ERR_OK;
}

err_t groups_new(struct coord *c, struct diag *d)
{
    struct groups *s = mem_take(sizeof(*s));
    if (!s) return diag_fail(d, ERR_NO_MEMORY, "groups can not be read");
    c->groups = s;
    s->c = c;
    s->partitions = c->o.offsets_partitions;
    s->builder = record_builder_make(RECORDS_MAX);
    s->key = buf_make(RECORDS_MAX);
    s->value = buf_make(RECORDS_MAX);
    s->batches = buf_make(RECORDS_MAX);
    s->by_name = map_new(GROUPS_MAX);
    s->txns = map_new(TXNS_MAX);
    s->scratch = arena_new(SCRATCH_MAX);
    if (!s->by_name || !s->txns || !s->scratch)
        return diag_fail(d, ERR_NO_MEMORY, "groups can not be read");
    return ERR_OK;
}

err_t groups_open(struct coord *c, struct diag *d)
{
    err_t e = groups_new(c, d);
    return e ? e : load(c->groups, d);
}

void groups_begin(struct coord *c)
{
    struct groups *s = c->groups;
    struct slice name;
    void *value;
    /* Those that loading has left without anything; from behind, since the last takes its place. */
    for (size_t i = map_count(s->by_name); i-- > 0;) {
        size_t at = i;
        if (map_next(s->by_name, &at, &name, &value)) groups_drop_if_void(s, value);
    }
    for (size_t i = 0; map_next(s->by_name, &i, &name, &value);) group_begin_members(s, value);
    groups_lost_topics(s);
}

/* --- closing ---------------------------------------------------------------------------------- */

static void group_stop(struct groups *s, struct group *g)
{
    coord_timer_stop(s->c, &g->join_timer);
    coord_timer_stop(s->c, &g->sync_timer);
    for (struct member *m = g->first; m; m = m->next) {
        struct group_join *r = m->join;
        coord_timer_stop(s->c, &m->session);
        m->join = NULL;
        g->awaiting -= r != NULL;
        if (r) join_refuse(r, ERR_STOPPED, m->id);
        if (m->sync) sync_answer(m, ERR_STOPPED);
    }
    if (g->deleting) {
        struct coord_request *r = &g->deleting->head;
        g->deleting = NULL;
        coord_answer(r, ERR_STOPPED);
    }
    while (g->fetch_first) {
        struct group_fetch *r = g->fetch_first;
        g->fetch_first = r->next;
        coord_answer(&r->head, ERR_STOPPED);
    }
    g->fetch_last = NULL;
}

void groups_stop(struct coord *c)
{
    struct groups *s = c->groups;
    struct slice name;
    void *value;
    s->stopping = true;
    coord_timer_stop(c, &s->sweep);
    for (size_t i = 0; map_next(s->by_name, &i, &name, &value);) group_stop(s, value);
}

void groups_free(struct coord *c)
{
    struct groups *s = c->groups;
    struct slice name;
    void *value;
    if (!s) return;
    coord_timer_stop(c, &s->sweep);
    for (size_t i = 0; s->by_name && map_next(s->by_name, &i, &name, &value);) group_free(s, value);
    map_free(s->by_name);
    if (s->txns) txn_offsets_free(s);
    map_free(s->txns);
    record_builder_done(&s->builder);
    buf_done(&s->key);
    buf_done(&s->value);
    buf_done(&s->batches);
    arena_free(s->scratch);
    mem_give(s);
    c->groups = NULL;
}
