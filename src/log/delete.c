/* DeleteRecords: the start moves to any offset, durably before it is answered; whole segments below
 * it go at once, the rest of its segment with retention. */
#include "log/log_int.h"

struct deletion {
    int64_t before, low;
};

static err_t beyond(const struct log_partition *p, int64_t before, struct diag *d)
{
    (void)diag_fail(d, ERR_OFFSET_RANGE,
                    "records of topic '%s' partition %d can not be deleted up "
                    "to offset %lld",
                    p->topic->name, p->index, (long long)before);
    return diag_why(d, "it holds %lld up to %lld, what is decided ends at %lld",
                    (long long)atomic_load(&p->start_offset),
                    (long long)atomic_load(&p->end_offset), (long long)partition_stable(p));
}

static err_t delete_before(struct log_partition *p, struct job *j, struct deletion *w)
{
    int64_t start = atomic_load(&p->start_offset), end = atomic_load(&p->end_offset);
    if (atomic_load(&p->topic->deleted))
        return diag_fail(j->diag, ERR_UNKNOWN_TOPIC, "topic '%s' was deleted", p->topic->name);
    if (p->stopped) {
        if (j->diag && p->stopped_why) *j->diag = *p->stopped_why;
        return p->stopped;
    }
    if (p->topic->config.compact && !p->topic->config.delete)
        return diag_fail(
            j->diag, ERR_POLICY,
            "Records of partition %s-%d can not be deleted due to the configured policy",
            p->topic->name, p->index);
    int64_t before = w->before == -1 ? partition_stable(p) : w->before;
    if (before < 0 || before > partition_stable(p)) return beyond(p, before, j->diag);
    w->low = MAX(start, before);
    if (before <= start) return ERR_OK;
    const struct segment *tail = partition_tail(p);
    err_t e = before == end && tail->size > 0 ? tail_roll(p, j->now_ms, j->diag) : ERR_OK;
    size_t count = 0;
    while (count + 1 < p->segments.count &&
           (*(struct segment **)vec_at(&p->segments, count + 1))->base <= before)
        count++;
    if (!e) e = partition_start_move(p, count, before, j->diag);
    if (!e)
        say_info(SAY_LOG, "records deleted", "topic=%s partition=%d start=%lld segments=%zu",
                 p->topic->name, p->index, (long long)before, count);
    return e;
}

static void delete_on_writer(struct job *j)
{
    j->err = delete_before(j->partition, j, j->arg);
}

err_t log_delete_records(struct log_partition *p, int64_t before, int64_t *low, struct diag *d)
{
    struct deletion w = {.before = before, .low = -1};
    struct job j = {
        .run = delete_on_writer, .partition = p, .arg = &w, .now_ms = clock_wall_ms(), .diag = d};
    err_t e = writer_run_job(p->log, &j);
    *low = w.low;
    return e;
}
