/* Transactions as cleaning meets them, in the order of the log: Kafka's CleanedTransactionMetadata.
 */
#include "log/compact.h"

struct txn_met {              /* one a producer: its transaction that was met last */
    bool live, aborted, seen; /* seen: a batch of it */
};

err_t txn_walk_open(struct txn_walk *w, struct log_partition *p, int64_t from, int64_t to,
                    struct diag *d)
{
    *w = (struct txn_walk){.aborted = vec_make(sizeof(struct log_aborted), (size_t)1 << 24),
                           .under_way = map_new((size_t)1 << 24),
                           .arena = arena_new(MIB(256))};
    if (!w->under_way || !w->arena) {
        txn_walk_done(w);
        return diag_fail(d, ERR_NO_MEMORY, "cleaning has no room for transactions");
    }
    err_t e = log_aborted(p, from, to, &w->aborted, d);
    if (e) txn_walk_done(w);
    return e;
}

void txn_walk_done(struct txn_walk *w)
{
    vec_done(&w->aborted);
    if (w->under_way) map_free(w->under_way);
    arena_free(w->arena);
    *w = (struct txn_walk){0};
}

static struct slice key_of(const int64_t *id)
{
    return slice_make(id, sizeof(*id));
}

static struct txn_met *met(struct txn_walk *w, int64_t producer_id, bool aborted)
{
    struct txn_met *t = map_get(w->under_way, key_of(&producer_id));
    if (t && t->live) return t;
    if (!t) {
        t = arena_take(w->arena, sizeof(*t));
        if (!t || map_set(w->under_way, key_of(&producer_id), t)) return NULL;
    }
    *t = (struct txn_met){.live = true, .aborted = aborted};
    return t;
}

/* Aborted transactions that have begun up to `offset`. */
static err_t begin_upto(struct txn_walk *w, int64_t offset)
{
    for (; w->next < w->aborted.count; w->next++) {
        const struct log_aborted *a = vec_at(&w->aborted, w->next);
        if (a->first_offset > offset) break;
        if (!met(w, a->producer_id, true)) return ERR_NO_MEMORY;
    }
    return ERR_OK;
}

err_t txn_walk_batch(struct txn_walk *w, const struct record_batch *b, bool *discard)
{
    *discard = false;
    err_t e = begin_upto(w, b->base_offset + b->last_offset_delta);
    if (e) return e;
    if (b->attributes & BATCH_CONTROL) {
        struct txn_met *t = map_get(w->under_way, key_of(&b->producer_id));
        struct marker m;
        if (b->count > 0 && !marker_read(b, &m)) return ERR_OK; /* it ends nothing */
        bool ends = b->count > 0 && t && t->live && t->aborted != m.commit;
        *discard = !ends || !t->seen;
        if (ends) t->live = false;
        return ERR_OK;
    }
    if (!(b->attributes & BATCH_TRANSACTIONAL)) return ERR_OK;
    struct txn_met *t = met(w, b->producer_id, false);
    if (!t) return ERR_NO_MEMORY;
    t->seen = true;
    *discard = t->aborted;
    return ERR_OK;
}
