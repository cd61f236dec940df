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

static struct txn_offsets *txn_offsets_of(struct groups *s, int32_t partition, int64_t producer_id,
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
    if (t->groups.count) return;
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

/* The row for this producer; made when there is none. */
static struct pending_offset *pending_make(struct groups *s, struct group *g, int64_t producer_id,
                                           struct slice topic, int32_t partition)
{
    struct txn_offsets *txn = txn_offsets_of(s, g->partition, producer_id, true);
    struct group_topic *t = txn ? group_topic_make(g, topic) : NULL;
    struct pending_offset *p = t ? pending_find(t, partition, producer_id) : NULL;
    if (p) return p;
    if (t && g->pending_count < GROUP_OFFSETS_MAX && !txn_note_group(txn, g->name))
        p = row_insert(&t->pending, pending_place(t, partition));
    if (p) {
        g->pending_count++;
        p->o.partition = partition;
        p->producer_id = producer_id;
    } else {
        if (t) group_topic_drop_if_void(g, t);
        if (txn) txn_drop_if_void(s, txn);
    }
    return p;
}

err_t pending_put(struct groups *s, struct group *g, int64_t producer_id, struct slice topic,
                  const struct offset *o)
{
    struct slice metadata = keep(o->metadata);
    if (o->metadata.at && !metadata.at) return ERR_NO_MEMORY;
    struct pending_offset *p = pending_make(s, g, producer_id, topic, o->partition);
    if (!p) {
        keep_free(&metadata);
        return ERR_NO_MEMORY;
    }
    keep_free(&p->o.metadata);
    p->o = *o;
    p->o.metadata = metadata;
    p->stored = true;
    return ERR_OK;
}

/* Their records are on their way: unstable from now on. */
static err_t rows_pend(struct groups *s, struct group *g, const struct group_commit *r,
                       size_t *count)
{
    for (*count = 0; *count < r->offset_count; ++*count) {
        const struct group_offset *row = &r->offsets[*count];
        struct pending_offset *p =
            row->err ? NULL : pending_make(s, g, r->producer_id, row->topic, row->partition);
        if (!row->err && !p) return ERR_NO_MEMORY;
        if (p) p->out++;
    }
    return ERR_OK;
}

/* Stored or not; what has never been stored is stable again. */
static void rows_are_back(struct group *g, const struct group_commit *r, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct group_offset *row = &r->offsets[i];
        struct group_topic *t = row->err ? NULL : group_topic(g, row->topic);
        struct pending_offset *p = t ? pending_find(t, row->partition, r->producer_id) : NULL;
        if (!p || p->out == 0) continue; /* deleted meanwhile */
        p->out--;
        if (p->out == 0 && !p->stored) pending_remove(g, t, p);
        group_topic_drop_if_void(g, t);
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
        if (commit && p->stored) one_counts(g, t, p);
        p->stored = false;
        left = left || p->out > 0;
        if (p->out == 0) pending_remove(g, t, p);
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

static void txn_commit_stored(struct groups *s, struct op *op, err_t e)
{
    struct group_commit *r = (struct group_commit *)(void *)op->request;
    if (e)
        r->head.diag = op->append.log.diag;
    else
        op_replay(s, op);
    rows_are_back(op->group, r, r->offset_count);
    commit_end(r, commit_append_error(e));
}

void commit_in_txn(struct groups *s, struct group *g, struct group_commit *r)
{
    struct records_txn txn = {r->producer_id, r->producer_epoch};
    struct op *op;
    size_t pending = 0;
    records_begin(s, &txn);
    err_t e = ERR_OK;
    if (commit_records(s, g, r) > 0) {
        e = rows_pend(s, g, r, &pending);
        if (!e) e = op_begin(s, g, &r->head, txn_commit_stored, &op, &r->head.diag);
        if (!e) return;
        rows_are_back(g, r, pending);
    }
    commit_end(r, commit_append_error(e));
    groups_drop_if_void(s, g);
}

void txn_offsets_free(struct groups *s)
{
    struct slice key;
    void *value;
    for (size_t i = 0; map_next(s->txns, &i, &key, &value);) txn_free(value);
}
