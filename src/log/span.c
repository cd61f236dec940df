/* Spans: where in which file the batches lie that a consumer asks for, so that sendfile can carry
 * them. A span ends where a batch ends; the index knows such places without a look at the log, and
 * a hint kept there lets the next span begin without any search. */
#include "log/log_int.h"

enum { WALK_MAX = 64 }; /* batches looked at where the index has no place to end at */

/* Where the batch with `limit` begins, which is where the span has to end. */
static err_t span_bound(struct seek *k, int64_t limit, uint64_t *bound, struct diag *d)
{
    struct log_partition *p = k->p;
    struct batch_head head;
    struct index_view view = {0};
    *bound = k->size;
    if (limit >= k->end) return ERR_OK;
    gate_enter(&p->gate);
    bool known = hint_find(p, k->s->base, limit, bound);
    if (!known) view = index_view(k->s, BY_OFFSET, limit);
    gate_leave(&p->gate);
    if (known) return ERR_OK;
    if (!index_search(k->s, &view, BY_OFFSET, limit)) index_damaged(p, k->s);
    *bound = view.entry.position;
    err_t e = segment_seek(p, k->s, k->size, BY_OFFSET, limit, bound, &head, d);
    if (e) return e;
    gate_enter(&p->gate);
    if (head.base_offset == limit && *bound && !k->s->doomed)
        hint_keep(p, k->s->base, limit, *bound);
    gate_leave(&p->gate);
    return ERR_OK;
}

/* The last batch's end within max_bytes: by the index when it has one, else by a short walk. */
static err_t span_cut(struct seek *k, size_t max_bytes, bool whole_first, uint64_t bound,
                      uint64_t *cut, int64_t *next_offset, struct diag *d)
{
    struct log_partition *p = k->p;
    struct batch_head head;
    uint64_t most = k->position + max_bytes;
    gate_enter(&p->gate);
    struct index_view view = index_view(k->s, BY_POSITION, (int64_t)most);
    gate_leave(&p->gate);
    if (!k->s->index_failed && index_search(k->s, &view, BY_POSITION, (int64_t)most) &&
        view.entry.position > k->position && view.entry.position <= bound) {
        *cut = view.entry.position;
        *next_offset = k->s->base + view.entry.relative;
        return ERR_OK;
    }
    *cut = k->position;
    for (int i = 0; i < WALK_MAX && *cut < bound; i++) {
        uint64_t at = *cut;
        err_t e = segment_seek(p, k->s, k->size, BY_OFFSET, INT64_MIN, &at, &head, d);
        if (e) return e;
        bool fits = at + head.size <= most || (i == 0 && whole_first);
        if (!fits || at + head.size > bound) break;
        *cut = at + head.size;
        *next_offset = head.last_offset + 1;
    }
    return ERR_OK;
}

/* Holds the segment in which the batch with `offset` begins. With a hint this needs no read. */
static err_t span_begin(struct seek *k, int64_t offset, bool *found, struct diag *d)
{
    struct batch_head head;
    err_t e = seek_offset(k, offset, found, d);
    if (e || !*found || (k->exact && k->position < k->size)) return e;
    return seek_batch(k, BY_OFFSET, offset, &head, found, d);
}

err_t log_span_take(struct log_partition *p, int64_t offset, size_t max_bytes, bool whole_first,
                    int64_t limit, struct log_span *out, struct diag *d)
{
    struct seek k = {.p = p};
    bool found;
    uint64_t bound, cut;
    int64_t next_offset = -1;
    *out = (struct log_span){.fd = -1, .partition = p};
    err_t e = span_begin(&k, offset, &found, d);
    if (e || !found) return e;
    max_bytes = MIN(max_bytes, (size_t)SEGMENT_BYTES_MAX);
    e = offset < limit ? span_bound(&k, limit, &bound, d) : ERR_OK;
    if (e || offset >= limit || bound <= k.position) {
        seek_release(&k);
        return e;
    }
    cut = bound;
    if (bound - k.position > max_bytes)
        e = span_cut(&k, max_bytes, whole_first, bound, &cut, &next_offset, d);
    else if (bound == k.size)
        next_offset = k.end;
    if (e || cut == k.position) {
        seek_release(&k);
        return e;
    }
    if (next_offset >= 0) {
        gate_enter(&p->gate);
        if (!k.s->doomed) hint_keep(p, k.s->base, next_offset, cut);
        gate_leave(&p->gate);
    }
    out->fd = k.s->fd;
    out->position = k.position;
    out->size = (size_t)(cut - k.position);
    out->end = next_offset >= 0 ? next_offset : limit;
    out->segment = k.s;
    return ERR_OK;
}

void log_span_give(struct log_span *s)
{
    if (!s->segment) return;
    gate_enter(&s->partition->gate);
    partition_release(s->partition, s->segment);
    gate_leave(&s->partition->gate);
    *s = (struct log_span){.fd = -1};
}
