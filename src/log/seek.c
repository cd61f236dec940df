/* From an offset or a time to the batch that holds it: hint, else index, else a walk over heads.
 *
 * Hints are the places where reads have stopped: whoever reads on in order is led straight there.
 */
#include "log/log_int.h"

/* --- hints ------------------------------------------------------------------------------------ */

bool hint_find(const struct log_partition *p, int64_t base, int64_t offset, uint64_t *position)
{
    if (offset == base) { /* a segment's first batch, which may also lie behind a hole */
        *position = 0;
        return true;
    }
    for (int i = 0; p->hints && i < HINTS; i++) {
        const struct read_hint *h = &p->hints[i];
        if (h->offset != offset || h->base != base || h->position == 0) continue;
        *position = h->position;
        return true;
    }
    return false;
}

void hint_keep(struct log_partition *p, int64_t base, int64_t offset, uint64_t position)
{
    uint64_t known;
    if (hint_find(p, base, offset, &known)) return;
    if (!p->hints) p->hints = mem_take(HINTS * sizeof(*p->hints));
    if (p->hints) /* else reading is only slower */
        p->hints[p->hint_next++ % HINTS] = (struct read_hint){offset, base, position};
}

void hints_forget(struct log_partition *p)
{
    if (p->hints) memset(p->hints, 0, HINTS * sizeof(*p->hints));
}

/* --- seeking ---------------------------------------------------------------------------------- */

/* Inside the gate: holds segment `i`. */
static err_t hold(struct seek *k, size_t i, enum index_by by, int64_t wanted, struct diag *d)
{
    struct log_partition *p = k->p;
    k->s = *(struct segment **)vec_at(&p->segments, i);
    k->size = k->s->size;
    k->position = 0;
    bool last = i + 1 == p->segments.count;
    k->end = last ? atomic_load(&p->end_offset)
                  : (*(struct segment **)vec_at(&p->segments, i + 1))->base;
    err_t e = partition_hold(p, k->s, d);
    if (e) return e;
    k->exact = by == BY_OFFSET && hint_find(p, k->s->base, wanted, &k->position);
    if (!k->exact) k->view = index_view(k->s, by, wanted);
    return ERR_OK;
}

void seek_release(struct seek *k)
{
    gate_enter(&k->p->gate);
    partition_release(k->p, k->s);
    gate_leave(&k->p->gate);
}

void seek_release_at(struct seek *k, int64_t next_offset, uint64_t position)
{
    gate_enter(&k->p->gate);
    if (!k->s->doomed) hint_keep(k->p, k->s->base, next_offset, position);
    partition_release(k->p, k->s);
    gate_leave(&k->p->gate);
}

void index_damaged(struct log_partition *p, struct segment *s)
{
    gate_enter(&p->gate);
    bool first = !s->index_failed; /* say it once */
    s->index_failed = true;
    gate_leave(&p->gate);
    if (first)
        say_warn(SAY_LOG, "index is damaged, reads will be slower",
                 "topic=%s partition=%d segment=%lld", p->topic->name, p->index,
                 (long long)s->base);
}

/* From the index to the batch; the head's size is 0 when the segment ends before. */
static err_t seek_in_segment(struct seek *k, enum index_by by, int64_t wanted,
                             struct batch_head *head, struct diag *d)
{
    if (!k->exact) {
        if (index_search(k->s, &k->view, by, wanted))
            k->position = k->view.entry.position;
        else
            index_damaged(k->p, k->s);
    }
    uint64_t start = k->position;
    err_t e = segment_seek(k->p, k->s, k->size, by, wanted, &k->position, head, d);
    if (e != ERR_CORRUPT || start == 0) return e;
    k->position = 0; /* perhaps only the index was wrong: the segment itself decides */
    return segment_seek(k->p, k->s, k->size, by, wanted, &k->position, head, d);
}

err_t seek_hold(struct seek *k, size_t i, enum index_by by, int64_t wanted, bool *found,
                struct diag *d)
{
    gate_enter(&k->p->gate);
    *found = i < k->p->segments.count;
    err_t e = *found ? hold(k, i, by, wanted, d) : ERR_OK;
    gate_leave(&k->p->gate);
    return e;
}

/* The segment behind the one that was left. By offset, not by number: meanwhile retention may have
 * taken segments from the front, and cleaning put one into the place of several. */
static err_t seek_behind(struct seek *k, enum index_by by, int64_t wanted, bool *found,
                         struct diag *d)
{
    const struct log_partition *p = k->p;
    gate_enter(&k->p->gate);
    ptrdiff_t at = partition_segment_of(p, k->end);
    size_t i = (size_t)MAX(at, 0);
    int64_t upper = i + 1 < p->segments.count
                        ? (*(struct segment **)vec_at(&p->segments, i + 1))->base
                        : atomic_load(&p->end_offset);
    if (upper <= k->end) i++;
    *found = at >= 0 && i < p->segments.count;
    err_t e = *found ? hold(k, i, by, wanted, d) : ERR_OK;
    gate_leave(&k->p->gate);
    return e;
}

err_t seek_batch(struct seek *k, enum index_by by, int64_t wanted, struct batch_head *head,
                 bool *found, struct diag *d)
{
    for (;;) {
        err_t e = seek_in_segment(k, by, wanted, head, d);
        *found = !e && head->size > 0;
        if (*found) return ERR_OK;
        seek_release(k);
        if (e) return e;
        e = seek_behind(k, by, wanted, found, d);
        if (e || !*found) return e;
    }
}

err_t seek_on(struct seek *k, enum index_by by, int64_t wanted, struct batch_head *head,
              bool *found, struct diag *d)
{
    k->position += head->size;
    k->exact = true;
    return seek_batch(k, by, wanted, head, found, d);
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

err_t seek_offset(struct seek *k, int64_t offset, bool *found, struct diag *d)
{
    struct log_partition *p = k->p;
    *found = false;
    if (atomic_load(&p->topic->deleted)) return gone(p, d);
    gate_enter(&p->gate);
    int64_t start = atomic_load(&p->start_offset), end = atomic_load(&p->end_offset);
    bool inside = offset >= start && offset <= end;
    ptrdiff_t i = partition_segment_of(p, offset);
    *found = inside && offset < end && i >= 0;
    err_t e = *found ? hold(k, (size_t)i, BY_OFFSET, offset, d) : ERR_OK;
    gate_leave(&p->gate);
    if (e || *found) return e;
    if (!inside) return outside(p, offset, d);
    /* L3: what is published lies in a segment, while there are any */
    return offset < end ? gone(p, d) : ERR_OK;
}
