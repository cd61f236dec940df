/* Producers of a partition: which sequences came last, so that a repeated batch is answered with
 * its old offset and a gap is refused; which epoch is the newest, and which transaction is open.
 * Kafka's rules. */
#include "log/log_int.h"

static struct slice key_of(const int64_t *id)
{
    return slice_make(id, sizeof(*id));
}

const struct producer *producer_find(const struct producers *s, int64_t id)
{
    return s->by_id ? map_get(s->by_id, key_of(&id)) : NULL;
}

static int32_t sequence_after(int32_t sequence, int32_t steps)
{
    return (int32_t)(((uint32_t)sequence + (uint32_t)steps) & INT32_MAX);
}

static int32_t last_sequence(const struct producer *p)
{
    return p->count ? p->batches[p->count - 1].last : -1;
}

/* --- what may come ---------------------------------------------------------------------------- */

static err_t epoch_check(const struct producer *p, const struct record_batch *b, struct diag *d)
{
    if (!p || b->producer_epoch >= p->epoch) return ERR_OK;
    diag_fail(d, ERR_PRODUCER_EPOCH, "producer %lld writes with an old epoch",
              (long long)b->producer_id);
    diag_why(d, "its epoch is %d, the partition has seen %d", b->producer_epoch, p->epoch);
    return ERR_PRODUCER_EPOCH;
}

static err_t sequence_wrong(const struct record_batch *b, err_t e, int32_t expected, struct diag *d)
{
    diag_fail(d, e,
              e == ERR_EXISTS ? "producer %lld repeats a batch older than its last five"
                              : "producer %lld leaves a gap in its sequence",
              (long long)b->producer_id);
    diag_why(d, "sequence %d came, %d was next", b->base_sequence, expected);
    return e;
}

static err_t sequence_check(const struct producer *p, const struct record_batch *b, struct diag *d)
{
    /* Nothing known, perhaps by expiry: any sequence, but for a transaction that begins behind its
     * first batch, which was refused or is still on its way. */
    if ((!p || p->epoch < 0) && !(b->attributes & BATCH_TRANSACTIONAL)) return ERR_OK;
    bool known = p && b->producer_epoch == p->epoch && p->count > 0;
    int32_t last = sequence_after(b->base_sequence, b->last_offset_delta);
    int32_t expected = known ? sequence_after(last_sequence(p), 1) : 0;
    if (b->base_sequence == expected) return ERR_OK;
    /* Behind by less than half of the circle: it was appended, longer ago than we remember. */
    bool behind = known && sequence_after(expected, -b->base_sequence) <= INT32_MAX / 2 &&
                  sequence_after(expected, -last - 1) <= INT32_MAX / 2;
    return sequence_wrong(b, behind ? ERR_EXISTS : ERR_SEQUENCE_GAP, expected, d);
}

static bool is_repeated(const struct producer *p, const struct record_batch *b, int64_t *old_offset)
{
    if (!p || p->epoch != b->producer_epoch || b->base_sequence < 0) return false;
    int32_t last = sequence_after(b->base_sequence, b->last_offset_delta);
    for (int i = 0; i < p->count; i++) {
        const struct producer_batch *old = &p->batches[i];
        if (old->first != b->base_sequence || old->last != last) continue;
        *old_offset = old->offset;
        return true;
    }
    return false;
}

err_t producer_check(const struct producers *s, const struct record_batch *b, bool admitted,
                     int64_t *old_offset, struct diag *d)
{
    *old_offset = -1;
    if (b->producer_id < 0) return ERR_OK;
    const struct producer *p = producer_find(s, b->producer_id);
    bool transactional = b->attributes & BATCH_TRANSACTIONAL;
    if (is_repeated(p, b, old_offset)) return ERR_OK;
    err_t e = epoch_check(p, b, d);
    if (e) return e;
    if (transactional && !admitted)
        return diag_fail(d, ERR_TXN_STATE, "producer %lld has no transaction under way here",
                         (long long)b->producer_id);
    if (!transactional && p && p->txn_first >= 0)
        return diag_fail(d, ERR_TXN_STATE,
                         "producer %lld writes beside the transaction it has under way",
                         (long long)b->producer_id);
    return b->base_sequence < 0 ? ERR_OK : sequence_check(p, b, d); /* a coordinator has none */
}

err_t producer_check_marker(const struct producers *s, const struct record_batch *b,
                            const struct marker *m, struct diag *d)
{
    const struct producer *p = producer_find(s, b->producer_id);
    err_t e = epoch_check(p, b, d);
    if (e || !p || m->coordinator_epoch >= p->coordinator_epoch) return e;
    diag_fail(d, ERR_FENCED, "a transaction's marker comes from an old coordinator");
    diag_why(d, "its epoch is %d, the partition has seen %d", m->coordinator_epoch,
             p->coordinator_epoch);
    return ERR_FENCED;
}

/* --- who is forgotten ------------------------------------------------------------------------- */

/* Producers with a name, those with a transaction under way and those of the run that is being
 * written stay. */
static bool may_forget(const struct producer *p)
{
    return p->id < INTERNAL_PRODUCERS && !p->touched && p->txn_first < 0;
}

/* Takes away those that came before `offset`, or were silent since `ms`. */
static size_t forget(struct producers *s, int64_t offset, int64_t ms)
{
    struct slice key;
    void *value;
    size_t before = map_count(s->by_id);
    for (size_t i = 0; map_next(s->by_id, &i, &key, &value);) {
        struct producer *p = value;
        if (!may_forget(p) || (p->seen.state.last_offset > offset && p->written_ms > ms)) continue;
        map_remove(s->by_id, key_of(&p->id));
        mem_give(p);
        i--; /* the last entry has taken this place */
    }
    return before - map_count(s->by_id);
}

/* Forgets the clients that have been silent longest, an eighth of the span at a time. */
static void producers_thin(struct producers *s)
{
    int64_t oldest = INT64_MAX, newest = 0;
    struct slice key;
    void *value;
    for (size_t i = 0; map_next(s->by_id, &i, &key, &value);) {
        const struct producer *p = value;
        if (!may_forget(p)) continue;
        oldest = MIN(oldest, p->seen.state.last_offset);
        newest = MAX(newest, p->seen.state.last_offset);
    }
    if (oldest != INT64_MAX) forget(s, oldest + (newest - oldest) / 8, INT64_MIN);
}

bool producers_any_since(const struct producers *s, int64_t ms)
{
    struct slice key;
    void *value;
    for (size_t i = 0; s->by_id && map_next(s->by_id, &i, &key, &value);) {
        const struct producer *p = value;
        if (may_forget(p) && p->written_ms <= ms) return true;
    }
    return false;
}

void producers_expire(struct producers *s, int64_t ms)
{
    if (s->by_id) forget(s, INT64_MIN, ms);
}

/* --- what came -------------------------------------------------------------------------------- */

static struct producer *producer_make(struct producers *s, int64_t id)
{
    size_t most = (size_t)PRODUCERS_MAX + PRODUCER_NAMES_MAX;
    if (!s->by_id && !(s->by_id = map_new(most))) return NULL;
    if (map_count(s->by_id) >= PRODUCERS_MAX) producers_thin(s);
    struct producer *p = mem_take(sizeof(*p));
    if (!p) return NULL;
    *p = (struct producer){.id = id,
                           .epoch = -1,
                           .coordinator_epoch = -1,
                           .txn_first = -1,
                           .timestamp_ms = NO_TIMESTAMP,
                           .seen = {{-1, -1, -1}, -1, NO_TIMESTAMP, -1}};
    if (map_set(s->by_id, key_of(&id), p) == ERR_OK) return p;
    mem_give(p);
    return NULL;
}

static struct producer_seen producer_view(const struct producer *p)
{
    int64_t last_offset = p->count ? p->batches[p->count - 1].offset : -1;
    return (struct producer_seen){{p->epoch, last_sequence(p), last_offset},
                                  p->coordinator_epoch,
                                  p->timestamp_ms,
                                  p->txn_first};
}

static void note_data(struct producer *p, const struct record_batch *b, int64_t offset,
                      struct txn_change *change)
{
    bool begins = b->attributes & BATCH_TRANSACTIONAL && p->txn_first < 0 &&
                  b->count > 0; /* none: cleaned out, only the sequence is kept */
    if (begins) {
        p->txn_first = offset;
        *change = (struct txn_change){.kind = TXN_BEGINS, .first = offset};
    }
    if (b->base_sequence < 0) return;
    if (p->count == PRODUCER_BATCHES) {
        memmove(p->batches, p->batches + 1, (PRODUCER_BATCHES - 1) * sizeof(*p->batches));
        p->count--;
    }
    int32_t last = sequence_after(b->base_sequence, b->last_offset_delta);
    p->batches[p->count++] = (struct producer_batch){b->base_sequence, last, offset};
}

static void note_marker(struct producer *p, const struct marker *m, struct txn_change *change)
{
    if (p->txn_first >= 0)
        *change = (struct txn_change){.kind = m->commit ? TXN_COMMITS : TXN_ABORTS,
                                      .first = p->txn_first};
    p->txn_first = -1;
    p->coordinator_epoch = m->coordinator_epoch;
}

err_t producer_note(struct producers *s, const struct record_batch *b, const struct marker *m,
                    int64_t offset, int64_t now_ms, struct vec *undo, struct txn_change *change)
{
    *change = (struct txn_change){.kind = TXN_GOES_ON};
    if (b->producer_id < 0) return ERR_OK;
    struct producer *p = (struct producer *)producer_find(s, b->producer_id);
    if (!p && !(p = producer_make(s, b->producer_id))) return ERR_NO_MEMORY;
    if (undo) {
        struct producer_undo before = {p, *p};
        err_t e = vec_push(undo, &before);
        if (e) return e;
        p->touched = true;
    }
    if (p->epoch != b->producer_epoch) p->count = 0;
    p->epoch = b->producer_epoch;
    p->timestamp_ms = b->max_timestamp;
    p->written_ms = now_ms;
    if (m)
        note_marker(p, m, change);
    else
        note_data(p, b, offset, change);
    if (!undo) p->seen = producer_view(p);
    return ERR_OK;
}

bool producer_take_back(struct vec *undo, size_t from)
{
    bool transactions = false;
    while (undo->count > from) {
        const struct producer_undo *u = vec_at(undo, undo->count - 1);
        transactions |= u->at->txn_first != u->before.txn_first;
        *u->at = u->before;
        undo->count--;
    }
    return transactions;
}

void producer_publish(struct vec *undo)
{
    for (size_t i = 0; i < undo->count; i++) {
        struct producer *p = ((struct producer_undo *)vec_at(undo, i))->at;
        p->touched = false;
        p->seen = producer_view(p);
    }
    undo->count = 0;
}

void producers_done(struct producers *s)
{
    struct slice key;
    void *value;
    if (!s->by_id) return;
    for (size_t i = 0; map_next(s->by_id, &i, &key, &value);) mem_give(value);
    map_free(s->by_id);
    s->by_id = NULL;
}

/* --- in the checkpoint ------------------------------------------------------------------------ */

void producers_put(const struct producers *s, struct buf *out)
{
    struct slice key;
    void *value;
    size_t count = 0; /* only those with something to remember */
    for (size_t i = 0; s->by_id && map_next(s->by_id, &i, &key, &value);)
        count += ((const struct producer *)value)->epoch >= 0;
    buf_be(out, count, 4);
    for (size_t i = 0; s->by_id && map_next(s->by_id, &i, &key, &value);) {
        const struct producer *p = value;
        if (p->epoch < 0) continue;
        buf_be(out, (uint64_t)p->id, 8);
        buf_be(out, (uint64_t)p->epoch, 2);
        buf_be(out, (uint64_t)p->coordinator_epoch, 4);
        buf_be(out, (uint64_t)p->txn_first, 8);
        buf_be(out, (uint64_t)p->timestamp_ms, 8);
        buf_be(out, (uint64_t)p->written_ms, 8);
        buf_be(out, p->count, 1);
        for (int k = 0; k < p->count; k++) {
            buf_be(out, (uint64_t)p->batches[k].first, 4);
            buf_be(out, (uint64_t)p->batches[k].last, 4);
            buf_be(out, (uint64_t)p->batches[k].offset, 8);
        }
    }
}

static err_t producer_get(struct producers *s, struct cursor *in, uint32_t version, int64_t now_ms)
{
    struct producer read = {.id = cursor_i64(in)};
    read.epoch = cursor_i16(in);
    read.coordinator_epoch = version >= 2 ? cursor_i32(in) : -1;
    read.txn_first = version >= 2 ? cursor_i64(in) : -1;
    read.timestamp_ms = version >= 2 ? cursor_i64(in) : NO_TIMESTAMP;
    read.written_ms = version >= 2 ? cursor_i64(in) : now_ms;
    uint64_t batches = cursor_be(in, 1);
    if (in->err || read.id < 0 || read.epoch < 0 || batches > PRODUCER_BATCHES ||
        read.txn_first < -1 || producer_find(s, read.id))
        return ERR_CORRUPT;
    read.count = (uint8_t)batches;
    for (uint64_t k = 0; k < batches; k++) {
        read.batches[k].first = cursor_i32(in);
        read.batches[k].last = cursor_i32(in);
        read.batches[k].offset = cursor_i64(in);
    }
    struct producer *p = producer_make(s, read.id);
    if (!p) return ERR_NO_MEMORY;
    *p = read;
    p->seen = producer_view(p);
    return ERR_OK;
}

err_t producers_get(struct producers *s, struct cursor *in, uint32_t version, int64_t now_ms)
{
    uint64_t count = cursor_be(in, 4);
    err_t e = ERR_OK;
    for (uint64_t i = 0; i < count && !in->err && !e; i++) e = producer_get(s, in, version, now_ms);
    return e ? e : in->err ? ERR_CORRUPT : ERR_OK;
}
