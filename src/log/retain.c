/* Retention: whole old segments, never the tail, never at or past what a stream still needs. */
#include "log/log_int.h"

/* How many segments from the front may go. */
static size_t segments_over(const struct log_partition *p, int64_t now_ms, int64_t keep_from)
{
    const struct topic_rules *c = &p->topic->config;
    uint64_t bytes = atomic_load(&p->bytes);
    size_t i = 0;
    for (; i + 1 < p->segments.count; i++) {
        const struct segment *s = *(struct segment **)vec_at(&p->segments, i);
        const struct segment *after = *(struct segment **)vec_at(&p->segments, i + 1);
        int64_t newest_ms = s->max_ms >= 0 ? s->max_ms : s->first_ms;
        bool old = c->retention_ms >= 0 && now_ms - newest_ms > c->retention_ms;
        bool big = c->retention_bytes >= 0 && bytes - s->size >= (uint64_t)c->retention_bytes;
        if (after->base > keep_from || !(old || big)) break; /* L8 */
        bytes -= s->size;
    }
    return i;
}

void partition_drop_segments(struct log_partition *p, size_t count)
{
    gate_enter(&p->gate);
    for (size_t i = 0; i < count; i++) {
        struct segment *s = *(struct segment **)vec_at(&p->segments, 0);
        vec_remove(&p->segments, 0);
        s->doomed = true;
        s->readers++; /* so that letting go is the same for us as for the last reader */
        partition_release(p, s);
    }
    partition_count_bytes(p);
    gate_leave(&p->gate);
}

static void retain_on_writer(struct job *j)
{
    struct log_partition *p = j->partition;
    if (atomic_load(&p->topic->deleted) || p->stopped || !p->topic->config.delete) return;
    size_t count = segments_over(p, j->now_ms, j->keep_from);
    if (count == 0) return;
    int64_t start = (*(struct segment **)vec_at(&p->segments, count))->base;
    INVARIANT(start <= j->keep_from && start >= atomic_load(&p->start_offset)); /* L8 */
    /* L6: the new start first, so that a crash here leaves files that the next open removes. */
    j->err = partition_checkpoint(p, count, j->diag);
    if (j->err) return;
    atomic_store(&p->start_offset, start);
    partition_drop_segments(p, count);
    say_info(SAY_LOG, "old segments removed", "topic=%s partition=%d segments=%zu start=%lld",
             p->topic->name, p->index, count, (long long)start);
}

err_t log_retain(struct log_partition *p, int64_t now_ms, int64_t keep_from, struct diag *d)
{
    struct job j = {.run = retain_on_writer,
                    .partition = p,
                    .now_ms = now_ms,
                    .keep_from = keep_from,
                    .diag = d};
    return writer_run_job(p->log, &j);
}
