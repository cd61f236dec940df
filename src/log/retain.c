/* Retention: whole old segments from the front, never at or past what a stream still needs or a
 * transaction has under way. The tail goes too when all of it is over: a new one is begun first. */
#include "log/log_int.h"

static const struct segment *segment_at(const struct log_partition *p, size_t i)
{
    return *(struct segment **)vec_at(&p->segments, i);
}

/* How many segments from the front may go. On the writer, or inside the gate. */
static size_t segments_over(const struct log_partition *p, int64_t now_ms, int64_t keep_from)
{
    const struct topic_rules *c = &p->topic->config;
    const int64_t retention_ms = c->retention_ms, retention_bytes = c->retention_bytes;
    const int64_t start = atomic_load(&p->start_offset), end = atomic_load(&p->end_offset);
    const int64_t limit = MIN(keep_from, partition_stable(p));
    uint64_t bytes = atomic_load(&p->bytes);
    size_t i = 0;
    for (; i < p->segments.count; i++) {
        const struct segment *s = segment_at(p, i);
        bool tail = i + 1 == p->segments.count;
        int64_t upper = tail ? end : segment_at(p, i + 1)->base;
        if (tail && s->size == 0) break;
        if (upper > start) { /* what lies below the start goes whatever the policy */
            int64_t newest_ms = s->max_ms >= 0 ? s->max_ms : s->first_ms;
            bool old = retention_ms >= 0 && now_ms - newest_ms > retention_ms;
            bool big = retention_bytes >= 0 && bytes >= s->size + (uint64_t)retention_bytes;
            if (!c->delete || upper > limit || !(old || big)) break; /* L8 */
        }
        bytes -= s->size;
    }
    return i;
}

/* A compacted topic's tail is closed in time without traffic too: only closed segments are cleaned.
 */
static bool tail_is_over(const struct log_partition *p, int64_t now_ms)
{
    const struct segment *tail = partition_tail(p);
    return p->topic->config.compact && tail && tail->size > 0 &&
           now_ms - tail->first_ms >= log_segment_ms(p, tail);
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

err_t partition_start_move(struct log_partition *p, size_t count, int64_t start, struct diag *d)
{
    INVARIANT(count < p->segments.count || p->segments.count == 0);
    /* L6: the new start first, so that a crash here leaves files that the next open removes. */
    p->start_next = start;
    err_t e = partition_checkpoint(p, count, d);
    p->start_next = 0;
    if (e) return e;
    atomic_store(&p->start_offset, start);
    if (count) partition_drop_segments(p, count);
    return ERR_OK;
}

static void retain_on_writer(struct job *j)
{
    struct log_partition *p = j->partition;
    if (atomic_load(&p->topic->deleted) || p->stopped) return;
    gate_enter(&p->gate);
    producers_expire(&p->producers, j->now_ms - PRODUCER_EXPIRY_MS);
    gate_leave(&p->gate);
    size_t count = segments_over(p, j->now_ms, j->keep_from);
    if ((count && count == p->segments.count) || tail_is_over(p, j->now_ms))
        j->err = tail_roll(p, j->now_ms, j->diag);
    if (j->err || count == 0) return;
    int64_t before = atomic_load(&p->start_offset);
    int64_t start = MAX(segment_at(p, count)->base, before);
    INVARIANT(start == before || start <= j->keep_from); /* L8 */
    j->err = partition_start_move(p, count, start, j->diag);
    if (j->err) return;
    say_info(SAY_LOG, "old segments removed", "topic=%s partition=%d segments=%zu start=%lld",
             p->topic->name, p->index, count, (long long)start);
}

/* Looks first from here: with thousands of partitions nearly none has something to give up. */
static bool retention_is_due(struct log_partition *p, int64_t now_ms, int64_t keep_from)
{
    gate_enter(&p->gate);
    bool due = segments_over(p, now_ms, keep_from) > 0 || tail_is_over(p, now_ms) ||
               producers_any_since(&p->producers, now_ms - PRODUCER_EXPIRY_MS);
    gate_leave(&p->gate);
    return due;
}

err_t log_retain(struct log_partition *p, int64_t now_ms, int64_t keep_from, struct diag *d)
{
    struct job j = {.run = retain_on_writer,
                    .partition = p,
                    .now_ms = now_ms,
                    .keep_from = keep_from,
                    .diag = d};
    return retention_is_due(p, now_ms, keep_from) ? writer_run_job(p->log, &j) : ERR_OK;
}
