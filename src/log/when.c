/* From times to offsets: by the heads of batches, and by the records inside them. */
#include "log/log_int.h"

/* Which record of a batch is looked for: the first with a timestamp >= ms, at or past `from`. */
struct wanted_record {
    int64_t ms, from;
    int64_t offset, timestamp_ms; /* found; offset -1: none */
};

/* Holds the first segment that has a batch with a timestamp >= ms. */
static err_t hold_by_time(struct seek *k, int64_t ms, bool *found, struct diag *d)
{
    struct log_partition *p = k->p;
    size_t i = 0;
    gate_enter(&p->gate);
    while (i < p->segments.count && (*(struct segment **)vec_at(&p->segments, i))->max_ms < ms) i++;
    gate_leave(&p->gate);
    return seek_hold(k, i, BY_TIME, ms, found, d);
}

err_t log_offset_at(struct log_partition *p, int64_t timestamp_ms, int64_t *offset, struct diag *d)
{
    struct seek k = {.p = p};
    struct batch_head head;
    bool found;
    *offset = atomic_load(&p->end_offset);
    err_t e = hold_by_time(&k, timestamp_ms, &found, d);
    if (!e && found) e = seek_batch(&k, BY_TIME, timestamp_ms, &head, &found, d);
    if (e || !found) return e;
    seek_release(&k);
    *offset = MAX(head.base_offset, atomic_load(&p->start_offset));
    return ERR_OK;
}

static err_t batch_load(const struct seek *k, const struct batch_head *head, struct buf *bytes,
                        struct record_batch *b, struct diag *d)
{
    size_t got, size = (size_t)head->size;
    buf_reset(bytes);
    if (!buf_reserve(bytes, size + RECORD_PADDING))
        return diag_fail(d, ERR_NO_MEMORY, "a batch of %zu bytes has no room", size);
    err_t e = file_pread(k->s->fd, bytes->at, size, k->position, &got, d);
    if (e) return e;
    memset(bytes->at + got, 0, RECORD_PADDING);
    if (!record_batch_read(slice_make(bytes->at, got), true, b)) return ERR_OK;
    return segment_corrupt(k->p, k->s, k->position, "the batch fails its checksum", d);
}

/* A batch whose records can not be walked is taken by its head: who reads there finds out. */
static err_t record_in_batch(const struct record_batch *b, struct wanted_record *w)
{
    struct record_reader r;
    struct record record;
    struct arena *a = arena_new((size_t)RECORD_BATCH_OPENED_MAX + MIB(1));
    if (!a) return ERR_NO_MEMORY;
    err_t e = record_batch_open(b, a, RECORD_BATCH_OPENED_MAX, &r);
    while (!e && w->offset < 0 && !(e = record_next(&r, &record))) {
        if (record.timestamp < w->ms || record.offset < w->from) continue;
        w->offset = record.offset;
        w->timestamp_ms = record.timestamp;
    }
    arena_free(a);
    if (e == ERR_NO_MEMORY) return e;
    if (e && e != ERR_NOT_FOUND) {
        w->offset = MAX(b->base_offset, w->from);
        w->timestamp_ms = b->max_timestamp;
    }
    return ERR_OK;
}

static err_t find_record(struct log_partition *p, struct wanted_record *w, struct diag *d)
{
    struct seek k = {.p = p};
    struct batch_head head;
    struct record_batch b;
    bool found;
    struct buf bytes = buf_make((size_t)RECORD_BATCH_MAX + RECORD_PADDING);
    w->offset = w->timestamp_ms = -1;
    w->from = atomic_load(&p->start_offset);
    err_t e = hold_by_time(&k, w->ms, &found, d);
    if (!e && found) e = seek_batch(&k, BY_TIME, w->ms, &head, &found, d);
    while (!e && found) {
        if (head.last_offset >= w->from) {
            e = batch_load(&k, &head, &bytes, &b, d);
            if (!e && (e = record_in_batch(&b, w)))
                e = diag_fail(d, e, "a batch can not be opened to look for a time");
        }
        if (e || w->offset >= 0) {
            seek_release(&k);
            break;
        }
        e = seek_on(&k, BY_TIME, w->ms, &head, &found, d);
    }
    buf_done(&bytes);
    return e;
}

err_t log_record_at(struct log_partition *p, int64_t ms, int64_t *offset, int64_t *timestamp_ms,
                    struct diag *d)
{
    struct wanted_record w = {.ms = ms};
    err_t e = find_record(p, &w, d);
    *offset = w.offset;
    *timestamp_ms = w.timestamp_ms;
    return e;
}

err_t log_record_latest(struct log_partition *p, int64_t *offset, int64_t *timestamp_ms,
                        struct diag *d)
{
    struct wanted_record w = {.ms = NO_TIMESTAMP};
    gate_enter(&p->gate);
    for (size_t i = 0; i < p->segments.count; i++)
        w.ms = MAX(w.ms, (*(struct segment **)vec_at(&p->segments, i))->max_ms);
    gate_leave(&p->gate);
    *offset = *timestamp_ms = -1;
    return w.ms == NO_TIMESTAMP ? ERR_OK : log_record_at(p, w.ms, offset, timestamp_ms, d);
}
