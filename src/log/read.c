/* Reading whole batches up to the durable end, beside the writer: it is only met at the gate. */
#include "log/log_int.h"

/* Reads from the place found; keeps what is whole and sound. */
static err_t read_batches(struct seek *r, const struct batch_head *first, size_t max_bytes,
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

err_t log_read(struct log_partition *p, int64_t offset, size_t max_bytes, struct buf *into,
               struct diag *d)
{
    struct seek r = {.p = p};
    struct batch_head head;
    bool found;
    int64_t next_offset = offset;
    err_t e = seek_offset(&r, offset, &found, d);
    if (e || !found) return e;
    e = seek_batch(&r, BY_OFFSET, offset, &head, &found, d);
    if (e || !found) return e;
    size_t before = into->len;
    e = read_batches(&r, &head, max_bytes, into, &next_offset, d);
    if (e)
        seek_release(&r);
    else
        seek_release_at(&r, next_offset, r.position + (into->len - before));
    return e;
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

struct log_traffic log_traffic(const struct log_partition *p)
{
    return (struct log_traffic){atomic_load_explicit(&p->bytes_in, memory_order_relaxed),
                                atomic_load_explicit(&p->bytes_out, memory_order_relaxed)};
}

void log_traffic_out(struct log_partition *p, size_t bytes)
{
    atomic_fetch_add_explicit(&p->bytes_out, bytes, memory_order_relaxed);
}
