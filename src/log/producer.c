/* Idempotent producers of a partition: which sequences came last, so that a repeated batch is
 * answered with its old offset and a gap is refused. Kafka's rules. */
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

err_t producer_check(const struct producers *s, const struct record_batch *b, int64_t *old_offset,
                     struct diag *d)
{
    *old_offset = -1;
    const struct producer *p = b->producer_id < 0 ? NULL : producer_find(s, b->producer_id);
    if (!p || p->epoch < 0) return ERR_OK; /* nothing known, perhaps by retention: any sequence */
    long long id = (long long)b->producer_id;
    if (b->producer_epoch < p->epoch) {
        diag_fail(d, ERR_FENCED, "producer %lld writes with an old epoch", id);
        diag_why(d, "its epoch %d, the partition has seen %d", b->producer_epoch, p->epoch);
        return ERR_FENCED;
    }
    int32_t last = sequence_after(b->base_sequence, b->last_offset_delta);
    if (b->producer_epoch == p->epoch) {
        for (int i = 0; i < p->count; i++) {
            const struct producer_batch *old = &p->batches[i];
            if (old->first != b->base_sequence || old->last != last) continue;
            *old_offset = old->offset;
            return ERR_OK;
        }
    }
    bool known = b->producer_epoch == p->epoch && p->count > 0;
    int32_t expected = known ? sequence_after(last_sequence(p), 1) : 0;
    if (b->base_sequence == expected) return ERR_OK;
    /* Behind by less than half of the circle: it was appended, longer ago than we remember. */
    bool behind = known && sequence_after(expected, -b->base_sequence) <= INT32_MAX / 2 &&
                  sequence_after(expected, -last - 1) <= INT32_MAX / 2;
    err_t e = behind ? ERR_EXISTS : ERR_OFFSET_RANGE;
    diag_fail(d, e,
              behind ? "producer %lld repeats a batch older than its last five"
                     : "producer %lld leaves a gap in its sequence",
              id);
    diag_why(d, "sequence %d came, %d was next", b->base_sequence, expected);
    return e;
}

/* Forgets the clients that have been silent longest, an eighth of the span at a time; producers
 * with a name and those of the run that is being written stay. */
static void producers_forget(struct producers *s)
{
    int64_t oldest = INT64_MAX, newest = 0;
    struct slice key;
    void *value;
    for (size_t i = 0; map_next(s->by_id, &i, &key, &value);) {
        const struct producer *p = value;
        if (p->id >= INTERNAL_PRODUCERS || p->touched) continue;
        oldest = MIN(oldest, p->seen.last_offset);
        newest = MAX(newest, p->seen.last_offset);
    }
    if (oldest == INT64_MAX) return;
    int64_t limit = oldest + (newest - oldest) / 8;
    for (size_t i = 0; map_next(s->by_id, &i, &key, &value);) {
        struct producer *p = value;
        if (p->id >= INTERNAL_PRODUCERS || p->touched || p->seen.last_offset > limit) continue;
        map_remove(s->by_id, key_of(&p->id));
        mem_give(p);
        i--; /* the last entry has taken this place */
    }
}

static struct producer *producer_make(struct producers *s, int64_t id)
{
    if (!s->by_id && !(s->by_id = map_new((size_t)PRODUCERS_MAX + PRODUCER_NAMES_MAX))) return NULL;
    if (map_count(s->by_id) >= PRODUCERS_MAX) producers_forget(s);
    struct producer *p = mem_take(sizeof(*p));
    if (!p) return NULL;
    *p = (struct producer){.id = id, .epoch = -1, .seen = {-1, -1, -1}};
    if (map_set(s->by_id, key_of(&id), p) == ERR_OK) return p;
    mem_give(p);
    return NULL;
}

static struct log_producer producer_view(const struct producer *p)
{
    return (struct log_producer){p->epoch, last_sequence(p),
                                 p->count ? p->batches[p->count - 1].offset : -1};
}

err_t producer_note(struct producers *s, const struct record_batch *b, int64_t offset,
                    struct vec *undo)
{
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
    if (p->count == PRODUCER_BATCHES) {
        memmove(p->batches, p->batches + 1, (PRODUCER_BATCHES - 1) * sizeof(*p->batches));
        p->count--;
    }
    p->batches[p->count++] = (struct producer_batch){
        b->base_sequence, sequence_after(b->base_sequence, b->last_offset_delta), offset};
    if (!undo) p->seen = producer_view(p);
    return ERR_OK;
}

void producer_take_back(struct vec *undo, size_t from)
{
    while (undo->count > from) {
        const struct producer_undo *u = vec_at(undo, undo->count - 1);
        *u->at = u->before;
        undo->count--;
    }
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
        buf_be(out, p->count, 1);
        for (int k = 0; k < p->count; k++) {
            buf_be(out, (uint64_t)p->batches[k].first, 4);
            buf_be(out, (uint64_t)p->batches[k].last, 4);
            buf_be(out, (uint64_t)p->batches[k].offset, 8);
        }
    }
}

err_t producers_get(struct producers *s, struct cursor *in)
{
    uint64_t count = cursor_be(in, 4);
    for (uint64_t i = 0; i < count && !in->err; i++) {
        int64_t id = cursor_i64(in);
        int16_t epoch = cursor_i16(in);
        uint64_t batches = cursor_be(in, 1);
        if (in->err || id < 0 || epoch < 0 || batches > PRODUCER_BATCHES || producer_find(s, id))
            return ERR_CORRUPT;
        struct producer *p = producer_make(s, id);
        if (!p) return ERR_NO_MEMORY;
        p->epoch = epoch;
        p->count = (uint8_t)batches;
        for (uint64_t k = 0; k < batches; k++) {
            p->batches[k].first = cursor_i32(in);
            p->batches[k].last = cursor_i32(in);
            p->batches[k].offset = cursor_i64(in);
        }
        p->seen = producer_view(p);
    }
    return in->err ? ERR_CORRUPT : ERR_OK;
}
