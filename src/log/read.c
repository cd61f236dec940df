/* Reading whole batches up to the durable end, beside the writer: it is only met at the gate. */
#include "log/log_int.h"

struct read {
    struct log_partition *p;
    struct segment *s;
    uint64_t size;     /* its durable end when we looked */
    uint64_t position; /* where a batch begins, at or before the place wanted */
    bool exact;        /* the wanted batch itself begins there */
    struct index_view view;
    size_t next; /* the segment after this one, if the place lies in a hole */
};

static bool hint_find(const struct log_partition *p, int64_t offset, int64_t base, uint64_t *at)
{
    for (int i = 0; i < HINTS; i++) {
        const struct read_hint *h = &p->hints[i];
        if (h->offset != offset || h->base != base || h->position == 0) continue;
        *at = h->position;
        return true;
    }
    return false;
}

/* Inside the gate: holds segment `i`. */
static err_t read_hold(struct read *r, size_t i, enum index_by by, int64_t wanted, struct diag *d)
{
    struct log_partition *p = r->p;
    r->s = *(struct segment **)vec_at(&p->segments, i);
    r->size = r->s->size;
    r->next = i + 1;
    r->position = 0;
    err_t e = partition_hold(p, r->s, d);
    if (e) return e;
    r->exact = by == BY_OFFSET && hint_find(p, wanted, r->s->base, &r->position);
    if (!r->exact) r->view = index_view(r->s, by, wanted);
    return ERR_OK;
}

static void read_release(struct read *r)
{
    gate_enter(&r->p->gate);
    partition_release(r->p, r->s);
    gate_leave(&r->p->gate);
}

static void index_damaged(const struct read *r)
{
    gate_enter(&r->p->gate);
    bool first = !r->s->index_failed; /* say it once */
    r->s->index_failed = true;
    gate_leave(&r->p->gate);
    if (first)
        say_warn(SAY_LOG, "index is damaged, reads will be slower",
                 "topic=%s partition=%d segment=%lld", r->p->topic->name, r->p->index,
                 (long long)r->s->base);
}

/* From the index to the batch; the head's size is 0 when the segment ends before. */
static err_t read_seek(struct read *r, enum index_by by, int64_t wanted, struct batch_head *head,
                       struct diag *d)
{
    if (!r->exact) {
        if (index_search(r->s, &r->view, by, wanted))
            r->position = r->view.entry.position;
        else
            index_damaged(r);
    }
    uint64_t start = r->position;
    err_t e = segment_seek(r->p, r->s, r->size, by, wanted, &r->position, head, d);
    if (e != ERR_CORRUPT || start == 0) return e;
    r->position = 0; /* perhaps only the index was wrong: the segment itself decides */
    return segment_seek(r->p, r->s, r->size, by, wanted, &r->position, head, d);
}

/* The place where a batch with last offset >= wanted begins, held; *found false at the end. */
static err_t read_find(struct read *r, enum index_by by, int64_t wanted, size_t i,
                       struct batch_head *head, bool *found, struct diag *d)
{
    struct log_partition *p = r->p;
    for (*found = false;; i = r->next) {
        gate_enter(&p->gate);
        bool more = i < p->segments.count;
        err_t e = more ? read_hold(r, i, by, wanted, d) : ERR_OK;
        gate_leave(&p->gate);
        if (e || !more) return e;
        e = read_seek(r, by, wanted, head, d);
        *found = !e && head->size > 0;
        if (*found) return ERR_OK;
        read_release(r);
        if (e) return e;
    }
}

/* Reads from the place found; keeps what is whole and sound. */
static err_t read_batches(struct read *r, const struct batch_head *first, size_t max_bytes,
                          struct buf *into, int64_t *next_offset, struct diag *d)
{
    size_t want = (size_t)MIN(MAX((uint64_t)max_bytes, first->size), r->size - r->position);
    want = MIN(want, MAX((size_t)first->size, (size_t)QUEUE_BYTES_MAX));
    size_t got = 0, kept = 0, start = into->len;
    if (!buf_reserve(into, want + RECORD_PADDING))
        return diag_fail(d, into->err, "%zu bytes of a topic do not fit the reader's buffer", want);
    err_t e = file_pread(r->s->fd, into->at + start, want, r->position, &got, d);
    if (e) return e;
    while (kept < got) {
        struct record_batch b;
        e = record_batch_read(slice_make(into->at + start + kept, got - kept), true, &b);
        if (e) break;
        kept += record_batch_size(&b);
        *next_offset = b.base_offset + b.last_offset_delta + 1;
    }
    into->len = start + kept;
    memset(into->at + into->len, 0, RECORD_PADDING);
    if (kept > 0) return ERR_OK; /* what is wrong behind is told when it is asked for */
    return segment_corrupt(
        r->p, r->s, r->position,
        e == ERR_CORRUPT ? "the batch fails its checksum" : "no whole record batch is here", d);
}

static void hint_keep(struct read *r, int64_t offset, uint64_t position)
{
    struct log_partition *p = r->p;
    gate_enter(&p->gate);
    p->hints[p->hint_next++ % HINTS] = (struct read_hint){offset, r->s->base, position};
    partition_release(p, r->s);
    gate_leave(&p->gate);
}

static err_t outside(const struct log_partition *p, int64_t offset, struct diag *d)
{
    diag_fail(d, ERR_OFFSET_RANGE, "offset %lld is outside topic '%s' partition %d",
              (long long)offset, p->topic->name, p->index);
    diag_why(d, "it holds %lld up to %lld", (long long)atomic_load(&p->start_offset),
             (long long)atomic_load(&p->end_offset));
    return ERR_OFFSET_RANGE;
}

static err_t gone(const struct log_partition *p, struct diag *d)
{
    return diag_fail(d, ERR_UNKNOWN_TOPIC, "topic '%s' was deleted", p->topic->name);
}

err_t log_read(struct log_partition *p, int64_t offset, size_t max_bytes, struct buf *into,
               struct diag *d)
{
    struct read r = {.p = p};
    struct batch_head head;
    bool found;
    int64_t next_offset = offset;
    gate_enter(&p->gate);
    int64_t start = atomic_load(&p->start_offset), end = atomic_load(&p->end_offset);
    ptrdiff_t i = partition_segment_of(p, offset);
    gate_leave(&p->gate);
    if (atomic_load(&p->topic->deleted)) return gone(p, d);
    if (offset < start || offset > end) return outside(p, offset, d);
    if (offset == end) return ERR_OK;
    if (i < 0) return gone(p, d); /* L3: what is published lies in a segment, while there are any */
    err_t e = read_find(&r, BY_OFFSET, offset, (size_t)i, &head, &found, d);
    if (e || !found) return e;
    size_t before = into->len;
    e = read_batches(&r, &head, max_bytes, into, &next_offset, d);
    if (e)
        read_release(&r);
    else
        hint_keep(&r, next_offset, r.position + (into->len - before));
    return e;
}

err_t log_offset_at(struct log_partition *p, int64_t timestamp_ms, int64_t *offset, struct diag *d)
{
    struct read r = {.p = p};
    struct batch_head head;
    bool found;
    size_t i = 0;
    gate_enter(&p->gate);
    *offset = atomic_load(&p->end_offset);
    while (i < p->segments.count &&
           (*(struct segment **)vec_at(&p->segments, i))->max_ms < timestamp_ms)
        i++;
    gate_leave(&p->gate);
    err_t e = read_find(&r, BY_TIME, timestamp_ms, i, &head, &found, d);
    if (e || !found) return e;
    read_release(&r);
    *offset = MAX(head.base_offset, atomic_load(&p->start_offset));
    return ERR_OK;
}

int64_t log_start_offset(const struct log_partition *p)
{
    return atomic_load(&p->start_offset);
}

int64_t log_end_offset(const struct log_partition *p)
{
    return atomic_load(&p->end_offset);
}

uint64_t log_partition_bytes(const struct log_partition *p)
{
    return atomic_load(&p->bytes);
}

err_t log_producer_state(struct log_partition *p, int64_t producer_id, struct log_producer *out)
{
    gate_enter(&p->gate);
    const struct producer *found = producer_find(&p->producers, producer_id);
    if (found) *out = found->seen;
    gate_leave(&p->gate);
    return found && out->epoch >= 0 ? ERR_OK : ERR_NOT_FOUND;
}
