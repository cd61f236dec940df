/* The segment at a partition's end: opened for appends, full, closed, followed by the next. Writer
 * only. */
#include "log/log_int.h"

uint64_t log_segment_bytes(const struct log_partition *p)
{
    uint64_t bytes = p->topic->config.segment_bytes;
    return bytes ? bytes : p->log->options.segment_bytes;
}

/* How old `s` may become before the next one begins; with jitter each a little earlier. */
int64_t log_segment_ms(const struct log_partition *p, const struct segment *s)
{
    const struct topic_rules *c = &p->topic->config;
    int64_t ms = c->segment_ms ? c->segment_ms : p->log->options.segment_ms;
    if (c->compact) ms = MIN(ms, c->max_compaction_lag_ms);
    int64_t jitter = MIN(c->segment_jitter_ms, ms);
    if (jitter <= 0) return ms;
    return ms - (int64_t)(hash64(slice_make(&s->base, sizeof(s->base)), (uint64_t)p->index) %
                          (uint64_t)jitter);
}

void checkpoint_now(struct log_partition *p)
{
    struct diag d = {0};
    if (partition_checkpoint(p, 0, &d)) {
        p->since_checkpoint = 1; /* the older one holds; try again after as much again */
        say_diag(SAY_LOG, SAY_WARN, "checkpoint can not be written: the next start scans more", &d);
    }
}

/* The tail is whole and durable: no more will be written to it. */
void tail_finish(struct log_partition *p)
{
    struct segment *s = p->held;
    struct diag d = {0};
    if (!s) return;
    if (p->file_end > s->size && file_truncate(s->fd, s->size, &d))
        say_diag(SAY_LOG, SAY_WARN, "zeros stay behind a segment's end", &d);
    gate_enter(&p->gate);
    index_close(p, s);
    p->held = NULL;
    partition_release(p, s);
    gate_leave(&p->gate);
}

err_t tail_roll(struct log_partition *p, int64_t now_ms, struct diag *d)
{
    err_t e = partition_add_segment(p, atomic_load(&p->end_offset), now_ms, d);
    if (e) return e;
    tail_finish(p);
    if (p->segments.count == 1) return ERR_OK; /* nothing was closed */
    checkpoint_now(p);
    cleaner_notice(p);
    return ERR_OK;
}

/* Opens the tail for appends, or begins a new one. */
err_t tail_take(struct log_partition *p, bool fresh, int64_t now_ms, struct diag *d)
{
    if (fresh || p->segments.count == 0) {
        err_t e = tail_roll(p, now_ms, d);
        if (e) return e;
    }
    struct segment *s = partition_tail(p);
    gate_enter(&p->gate);
    err_t e = partition_hold(p, s, d);
    if (!e) index_resume(p, s);
    gate_leave(&p->gate);
    if (e) return e;
    p->held = s;
    p->file_end = s->size; /* L4: recovery and rolling leave nothing behind it */
    p->since_index = 0;
    return ERR_OK;
}

bool tail_is_full(const struct log_partition *p, const struct run *r, const struct log_append *a)
{
    const struct segment *s = p->held;
    uint64_t bytes = s->size + r->bytes;
    int64_t age_ms = a->now_ms - s->first_ms;
    if (bytes == 0) return false; /* an empty one takes a batch of any size */
    return bytes + a->size > log_segment_bytes(p) || r->offset - s->base >= INT32_MAX / 2 ||
           (r->bytes == 0 && age_ms >= log_segment_ms(p, s));
}
