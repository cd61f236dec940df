/* Offsets that are committed in a transaction: written at once, under the producer's id and epoch,
 * and counted when that producer's marker is in the same partition. From the moment such a commit
 * arrives its partitions are unstable, so that nobody reads past an append that is on its way. */
#include "coord/groups_int.h"

enum { TXN_GROUPS_MAX = 1 << 16 };

struct txn_key {
    uint8_t at[12];
};

static struct slice key_of(int32_t partition, int64_t producer_id, struct txn_key *k)
{
    memcpy(k->at, &producer_id, 8);
    memcpy(k->at + 8, &partition, 4);
    return slice_make(k->at, sizeof(k->at));
}

struct txn_offsets *txn_offsets_of(struct groups *s, int32_t partition, int64_t producer_id,
                                   bool make)
{
    struct txn_key k;
    struct txn_offsets *t = map_get(s->txns, key_of(partition, producer_id, &k));
    if (t || !make || !(t = mem_take(sizeof(*t)))) return t;
    t->partition = partition;
    t->producer_id = producer_id;
    t->groups = vec_make(sizeof(struct slice), TXN_GROUPS_MAX);
    if (map_set(s->txns, key_of(partition, producer_id, &k), t) == ERR_OK) return t;
    mem_give(t);
    return NULL;
}

static void txn_free(struct txn_offsets *t)
{
    for (size_t i = 0; i < t->groups.count; i++) keep_free(vec_at(&t->groups, i));
    vec_done(&t->groups);
    mem_give(t);
}

static void txn_drop_if_void(struct groups *s, struct txn_offsets *t)
{
    struct txn_key k;
    if (t->busy || t->first || t->groups.count) return;
    map_remove(s->txns, key_of(t->partition, t->producer_id, &k));
    txn_free(t);
}

static err_t txn_note_group(struct txn_offsets *t, struct slice name)
{
    for (size_t i = 0; i < t->groups.count; i++) {
        if (slice_equal(*(struct slice *)vec_at(&t->groups, i), name)) return ERR_OK;
    }
    struct slice copy = keep(name);
    if (!copy.at) return ERR_NO_MEMORY;
    err_t e = vec_push(&t->groups, &copy);
    if (e) keep_free(&copy);
    return e;
}

/* --- the rows --------------------------------------------------------------------------------- */

static struct pending_offset *pending_find(const struct group_topic *t, int32_t partition,
                                           int64_t producer_id)
{
    for (size_t at = pending_place(t, partition); at < t->pending.count; at++) {
        struct pending_offset *p = vec_at(&t->pending, at);
        if (p->o.partition != partition) break;
        if (p->producer_id == producer_id) return p;
    }
    return NULL;
}

static void pending_remove(struct group *g, struct group_topic *t, struct pending_offset *p)
{
    keep_free(&p->o.metadata);
    vec_remove(&t->pending, (size_t)(p - (struct pending_offset *)(void *)t->pending.items));
    g->pending_count--;
}

err_t pending_put(struct groups *s, struct group *g, int64_t producer_id, struct slice topic,
                  const struct offset *o, bool stored)
{
    struct txn_offsets *txn = txn_offsets_of(s, g->partition, producer_id, true);
    struct group_topic *t = txn ? group_topic_make(g, topic) : NULL;
    struct slice metadata = keep(o->metadata);
    if (!t || (o->metadata.at && !metadata.at) || txn_note_group(txn, g->name)) goto no_memory;
    struct pending_offset *p = pending_find(t, o->partition, producer_id);
    if (p && !stored) { /* what is stored already holds until this is stored too */
        keep_free(&metadata);
        return ERR_OK;
    }
    if (!p) {
        if (g->pending_count >= GROUP_OFFSETS_MAX) goto no_memory;
        p = row_insert(&t->pending, pending_place(t, o->partition));
        if (!p) goto no_memory;
        g->pending_count++;
    }
    keep_free(&p->o.metadata);
    p->o = *o;
    p->o.metadata = metadata;
    p->producer_id = producer_id;
    p->stored = stored;
    return ERR_OK;
no_memory:
    keep_free(&metadata);
    if (t) group_topic_drop_if_void(g, t);
    if (txn) txn_drop_if_void(s, txn);
    return ERR_NO_MEMORY;
}

/* Commits that were not stored: their partitions are stable again. */
static void pending_undo(struct group *g, const struct group_commit *r)
{
    for (size_t i = 0; i < r->offset_count; i++) {
        const struct group_offset *row = &r->offsets[i];
        struct group_topic *t = row->err ? NULL : group_topic(g, row->topic);
        struct pending_offset *p = t ? pending_find(t, row->partition, r->producer_id) : NULL;
        if (p && !p->stored) pending_remove(g, t, p);
        if (t) group_topic_drop_if_void(g, t);
    }
}

/* --- the marker ------------------------------------------------------------------------------- */

static void one_counts(struct group *g, const struct group_topic *t, const struct pending_offset *p)
{
    const struct offset *now = offset_find(g, t->name, p->o.partition);
    /* A plain commit may have come between: whose record is the later one holds, as it will when
     * the topic is read again. */
    if (now && now->record > p->o.record) return;
    if (offset_put(g, t->name, &p->o))
        say_error(SAY_COORD, "no memory for a committed offset: it is read when the server starts",
                  NULL);
}

/* True when something of this producer is left: it is on its way behind the marker. */
static bool topic_ends(struct group *g, struct group_topic *t, int64_t producer_id, bool commit)
{
    bool left = false;
    for (size_t i = t->pending.count; i-- > 0;) {
        struct pending_offset *p = vec_at(&t->pending, i);
        if (p->producer_id != producer_id) continue;
        left = left || !p->stored;
        if (!p->stored) continue;
        if (commit) one_counts(g, t, p);
        pending_remove(g, t, p);
    }
    return left;
}

static bool group_ends(struct group *g, int64_t producer_id, bool commit)
{
    bool left = false;
    struct slice name;
    void *value;
    for (size_t i = g->topics ? map_count(g->topics) : 0; i-- > 0;) { /* from behind: some go */
        size_t at = i;
        if (!map_next(g->topics, &at, &name, &value)) continue;
        left = topic_ends(g, value, producer_id, commit) || left;
        group_topic_drop_if_void(g, value);
    }
    return left;
}

void pending_end(struct groups *s, int32_t partition, int64_t producer_id, bool commit)
{
    struct txn_offsets *t = txn_offsets_of(s, partition, producer_id, false);
    if (!t) return;
    for (size_t i = t->groups.count; i-- > 0;) {
        struct slice *name = vec_at(&t->groups, i);
        struct group *g = groups_find(s, *name);
        if (g && group_ends(g, producer_id, commit)) continue;
        keep_free(name);
        vec_remove(&t->groups, i);
        if (g) groups_drop_if_void(s, g);
    }
    txn_drop_if_void(s, t);
}

void groups_txn_end(struct coord *c, int32_t partition, int64_t producer_id, int16_t epoch,
                    bool commit)
{
    INVARIANT(loop_here(c->loop));
    (void)epoch; /* the log has fenced older ones */
    pending_end(c->groups, partition, producer_id, commit);
}

/* --- TxnOffsetCommit -------------------------------------------------------------------------- */

/* The next ones are asked again from the start: the group may be another by now. */
static void next_commits(struct groups *s, struct txn_offsets *t)
{
    struct group_commit *r = t->first;
    t->first = t->last = NULL;
    while (r) {
        struct group_commit *next = r->next;
        coord_request_send(s->c, &r->head, commit_run);
        r = next;
    }
    txn_drop_if_void(s, t);
}

static void txn_commit_stored(struct groups *s, struct op *op, err_t e)
{
    struct group_commit *r = (struct group_commit *)(void *)op->request;
    struct group *g = op->group;
    struct txn_offsets *t = op->txn;
    if (e) {
        r->head.diag = op->append.log.diag;
        pending_undo(g, r);
    } else {
        op_replay(s, op);
    }
    t->busy = false;
    commit_end(r, commit_append_error(e));
    next_commits(s, t);
}

static err_t txn_sequence(struct groups *s, const struct group *g, const struct group_commit *r,
                          struct records_txn *out, struct diag *d)
{
    struct log_partition *p;
    struct log_producer before;
    err_t e = groups_partition(s->c, g->name, &p, d);
    if (e) return e;
    *out = (struct records_txn){.producer_id = r->producer_id, .epoch = r->producer_epoch};
    e = log_producer_state(p, r->producer_id, &before);
    if (e && e != ERR_NOT_FOUND) return e;
    if (!e && before.epoch == r->producer_epoch && before.last_sequence >= 0)
        out->sequence = (int32_t)(((uint32_t)before.last_sequence + 1) & INT32_MAX);
    return ERR_OK;
}

static err_t rows_pend(struct groups *s, struct group *g, const struct group_commit *r)
{
    int64_t now_ms = clock_wall_ms();
    for (size_t i = 0; i < r->offset_count; i++) {
        if (r->offsets[i].err) continue;
        struct offset o = offset_of_row(r, &r->offsets[i], now_ms);
        err_t e = pending_put(s, g, r->producer_id, r->offsets[i].topic, &o, false);
        if (e) return e;
    }
    return ERR_OK;
}

void commit_in_txn(struct groups *s, struct group *g, struct group_commit *r)
{
    struct txn_offsets *t = txn_offsets_of(s, g->partition, r->producer_id, true);
    struct records_txn txn;
    struct op *op;
    if (t && t->busy) {
        r->next = NULL;
        if (t->last)
            t->last->next = r;
        else
            t->first = r;
        t->last = r;
        return;
    }
    err_t e = t ? txn_sequence(s, g, r, &txn, &r->head.diag) : ERR_NO_MEMORY;
    if (!e) {
        records_begin(s, &txn);
        if (commit_records(s, g, r) > 0) {
            e = rows_pend(s, g, r);
            if (!e) e = op_begin(s, g, &r->head, txn_commit_stored, &op, &r->head.diag);
            if (!e) {
                op->txn = t;
                t->busy = true;
                return;
            }
            pending_undo(g, r);
        }
    }
    commit_end(r, commit_append_error(e));
    t = txn_offsets_of(s, g->partition, r->producer_id, false);
    if (t) txn_drop_if_void(s, t);
    groups_drop_if_void(s, g);
}

/* --- closing ---------------------------------------------------------------------------------- */

void txn_offsets_stop(struct groups *s)
{
    struct slice key;
    void *value;
    for (size_t i = 0; map_next(s->txns, &i, &key, &value);) {
        struct txn_offsets *t = value;
        while (t->first) {
            struct group_commit *r = t->first;
            t->first = r->next;
            commit_end(r, ERR_STOPPED);
        }
        t->last = NULL;
    }
}

void txn_offsets_free(struct groups *s)
{
    struct slice key;
    void *value;
    for (size_t i = 0; map_next(s->txns, &i, &key, &value);) txn_free(value);
}
