/* Transactions of a partition: who may write in one, which are open, where readers of what is
 * decided stop. The open ones are the writer's list, by first offset; L10: the stable offset that
 * readers see is its front's, or the durable end. */
#include "log/log_int.h"

#include <stdlib.h>

enum { ADMITTED_MAX = 1 << 20 };

static struct slice key_of(const int64_t *id)
{
    return slice_make(id, sizeof(*id));
}

/* --- markers ---------------------------------------------------------------------------------- */

/* Key: version (2), type (2): 0 aborts, 1 commits. Value: version (2), coordinator's epoch (4). */
bool marker_read(const struct record_batch *b, struct marker *out)
{
    struct record_reader reader;
    struct record record;
    bool fits = b->attributes & BATCH_CONTROL && b->attributes & BATCH_TRANSACTIONAL &&
                (b->attributes & BATCH_CODEC) == CODEC_NONE && b->count == 1 &&
                b->producer_id >= 0 && b->producer_epoch >= 0;
    if (!fits || record_batch_open(b, NULL, RECORD_BATCH_MAX, &reader) ||
        record_next(&reader, &record))
        return false;
    struct cursor key = cursor_of(record.key), value = cursor_of(record.value);
    int16_t key_version = cursor_i16(&key), type = cursor_i16(&key);
    int16_t value_version = cursor_i16(&value);
    *out = (struct marker){.commit = type == 1, .coordinator_epoch = cursor_i32(&value)};
    return !key.err && !value.err && key_version >= 0 && value_version >= 0 &&
           (type == 0 || type == 1);
}

/* --- who may write ---------------------------------------------------------------------------- */

err_t log_txn_admit(struct log_partition *p, int64_t producer_id, int16_t epoch)
{
    if (producer_id < 0 || epoch < 0) return ERR_RANGE;
    gate_enter(&p->gate);
    const struct producer *known = producer_find(&p->producers, producer_id);
    err_t e = known && known->seen.state.epoch > epoch ? ERR_PRODUCER_EPOCH : ERR_OK;
    if (!e && !p->admitted && !(p->admitted = map_new(ADMITTED_MAX))) e = ERR_NO_MEMORY;
    if (!e) e = map_set(p->admitted, key_of(&producer_id), (void *)((uintptr_t)epoch + 1));
    gate_leave(&p->gate);
    return e;
}

bool txn_admitted(const struct log_partition *p, int64_t producer_id, int16_t epoch)
{
    return p->admitted &&
           (uintptr_t)map_get(p->admitted, key_of(&producer_id)) == (uintptr_t)epoch + 1;
}

void txn_dismiss(struct log_partition *p, int64_t producer_id)
{
    if (p->admitted) (void)map_remove(p->admitted, key_of(&producer_id));
}

bool log_txn_admitted(struct log_partition *p, int64_t producer_id, int16_t epoch)
{
    gate_enter(&p->gate);
    bool in = txn_admitted(p, producer_id, epoch);
    gate_leave(&p->gate);
    return in;
}

/* --- open ones -------------------------------------------------------------------------------- */

int64_t txns_stable(const struct log_partition *p, int64_t end)
{
    return p->open.count ? *(const int64_t *)vec_at(&p->open, 0) : end;
}

/* Where `first` stands, or would stand. */
static size_t open_place(const struct log_partition *p, int64_t first)
{
    size_t low = 0, high = p->open.count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (*(const int64_t *)vec_at(&p->open, mid) < first)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

err_t txns_change(struct log_partition *p, const struct txn_change *c, int64_t producer_id,
                  int64_t offset, struct vec *ended)
{
    if (c->kind == TXN_GOES_ON) return ERR_OK;
    if (c->kind == TXN_BEGINS) return vec_push(&p->open, &c->first); /* offsets only grow */
    size_t at = open_place(p, c->first);
    INVARIANT(at < p->open.count && *(int64_t *)vec_at(&p->open, at) == c->first);
    vec_remove(&p->open, at);
    if (c->kind == TXN_COMMITS) return ERR_OK;
    struct aborted a = {.txn = {producer_id, c->first, offset},
                        .stable = txns_stable(p, offset + 1)};
    return vec_push(ended, &a);
}

static int by_offset(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

err_t txns_rebuild(struct log_partition *p)
{
    struct slice key;
    void *value;
    err_t e = ERR_OK;
    vec_clear(&p->open);
    for (size_t i = 0;
         !e && p->producers.by_id && map_next(p->producers.by_id, &i, &key, &value);) {
        const struct producer *producer = value;
        if (producer->txn_first >= 0) e = vec_push(&p->open, &producer->txn_first);
    }
    if (p->open.count > 1) qsort(p->open.items, p->open.count, sizeof(int64_t), by_offset);
    return e;
}

int64_t log_stable_offset(const struct log_partition *p)
{
    int64_t stable = atomic_load(&p->stable_offset), end = atomic_load(&p->end_offset);
    return MIN(stable, end);
}

/* --- looking at producers --------------------------------------------------------------------- */

err_t log_producer_state(struct log_partition *p, int64_t producer_id, struct log_producer *out)
{
    gate_enter(&p->gate);
    const struct producer *found = producer_find(&p->producers, producer_id);
    if (found) *out = found->seen.state;
    gate_leave(&p->gate);
    return found && out->epoch >= 0 ? ERR_OK : ERR_NOT_FOUND;
}

err_t log_producers(struct log_partition *p,
                    err_t (*each)(void *ctx, const struct log_producer_view *v), void *ctx)
{
    struct vec views =
        vec_make(sizeof(struct log_producer_view), PRODUCERS_MAX + PRODUCER_NAMES_MAX);
    struct slice key;
    void *value;
    err_t e = ERR_OK;
    gate_enter(&p->gate);
    for (size_t i = 0;
         !e && p->producers.by_id && map_next(p->producers.by_id, &i, &key, &value);) {
        const struct producer *from = value;
        const struct producer_seen *s = &from->seen;
        struct log_producer_view v = {
            from->id,        s->state.epoch, s->state.last_sequence, s->coordinator_epoch,
            s->timestamp_ms, s->txn_first};
        if (v.epoch >= 0) e = vec_push(&views, &v);
    }
    gate_leave(&p->gate);
    for (size_t i = 0; !e && i < views.count; i++) e = each(ctx, vec_at(&views, i));
    vec_done(&views);
    return e;
}
