/* Which partitions are cleaned, and when. A partition comes onto the cleaner's list when a segment
 * of a compacted topic is closed (or found closed at opening), and leaves it when nothing in it is
 * dirty: thousands of others cost nothing. Kafka's rules say what of it is due. */
#include "log/compact.h"

#include <stdlib.h>

double clean_ratio(const struct clean_plan *plan)
{
    uint64_t all = plan->clean_bytes + plan->dirty_bytes;
    return all ? (double)plan->dirty_bytes / (double)all : 0;
}

enum due { NOTHING, LATER, NOW };

/* Whole closed segments below the stable offset whose newest record is old enough. */
static enum due plan_make(struct log_partition *p, int64_t now_ms, struct clean_plan *out)
{
    const struct topic_rules *c = &p->topic->config;
    const int64_t min_lag = c->min_compaction_lag_ms, max_lag = c->max_compaction_lag_ms;
    bool waits = false;
    *out = (struct clean_plan){0};
    if (!c->compact || atomic_load(&p->topic->deleted)) return NOTHING;
    gate_enter(&p->gate);
    int64_t start = atomic_load(&p->start_offset), stable = partition_stable(p);
    out->dirty_from = out->upto =
        MAX(p->clean_to <= atomic_load(&p->end_offset) ? p->clean_to : start, start);
    for (size_t i = 0; i + 1 < p->segments.count; i++) {
        const struct segment *s = *(struct segment **)vec_at(&p->segments, i);
        int64_t upper = (*(struct segment **)vec_at(&p->segments, i + 1))->base;
        if (upper <= out->dirty_from) {
            out->clean_bytes += s->size;
            continue;
        }
        int64_t newest_ms = s->max_ms >= 0 ? s->max_ms : s->first_ms;
        waits = upper > stable || (min_lag > 0 && newest_ms > now_ms - min_lag);
        if (waits) break;
        out->dirty_bytes += s->size;
        out->upto = upper;
        out->urgent = out->urgent || s->first_ms < now_ms - max_lag;
    }
    gate_leave(&p->gate);
    if (out->dirty_bytes == 0) return waits ? LATER : NOTHING;
    return out->urgent || clean_ratio(out) > c->min_cleanable_ratio ? NOW : LATER;
}

/* --- one partition ---------------------------------------------------------------------------- */

static err_t clean(struct log_partition *p, const struct clean_plan *plan, int64_t now_ms,
                   struct diag *d)
{
    struct clean_result seen = {0};
    uint64_t before = atomic_load(&p->bytes);
    err_t e = clean_round(p, plan, now_ms, &seen, d);
    if (e) return e;
    metric_add(METRIC_log_cleaned_bytes_total, (int64_t)seen.bytes_read);
    say_info(
        SAY_LOG, "partition cleaned",
        "topic=%s partition=%d read=%llu written=%llu records=%lld kept=%lld bytes=%llu now=%llu",
        p->topic->name, p->index, (unsigned long long)seen.bytes_read,
        (unsigned long long)seen.bytes_written, (long long)seen.records_read,
        (long long)seen.records_kept, (unsigned long long)before,
        (unsigned long long)atomic_load(&p->bytes));
    return ERR_OK;
}

err_t log_clean(struct log_partition *p, int64_t now_ms, bool *cleaned, struct diag *d)
{
    struct cleaner *k = &p->log->cleaner;
    struct clean_plan plan;
    gate_enter(&k->round_gate);
    *cleaned = plan_make(p, now_ms, &plan) == NOW;
    err_t e = *cleaned ? clean(p, &plan, now_ms, d) : ERR_OK;
    gate_leave(&k->round_gate);
    return e;
}

/* --- the cleaner ------------------------------------------------------------------------------ */

void cleaner_notice(struct log_partition *p)
{
    struct cleaner *k = &p->log->cleaner;
    if (!p->topic->config.compact) return;
    gate_enter(&k->gate);
    if (!p->clean_listed && vec_push(&k->listed, &p) == ERR_OK) p->clean_listed = true;
    gate_wake(&k->gate);
    gate_leave(&k->gate);
}

bool clean_goes_on(struct log_partition *p, uint64_t bytes)
{
    struct cleaner *k = &p->log->cleaner;
    uint64_t per_second = p->log->options.clean_bytes_per_s;
    gate_enter(&k->gate);
    int64_t ms = per_second ? (int64_t)(bytes * 1000 / per_second) : 0;
    if (ms > 0 && !k->closing) (void)gate_wait_ms(&k->gate, ms);
    bool closing = k->closing;
    gate_leave(&k->gate);
    return !closing && !atomic_load(&p->topic->deleted) && p->topic->config.compact;
}

struct candidate {
    struct log_partition *p;
    struct clean_plan plan;
};

/* What is on the list: NOTHING leaves it, the rest stays; what is due goes into `out`. */
static void candidates(struct cleaner *k, int64_t now_ms, struct vec *out)
{
    struct vec listed = vec_make(sizeof(struct log_partition *), PARTITIONS_MAX);
    gate_enter(&k->gate);
    for (size_t i = 0; i < k->listed.count; i++) {
        struct log_partition *p = *(struct log_partition **)vec_at(&k->listed, i);
        p->clean_listed = vec_push(&listed, &p) != ERR_OK; /* no memory: it is met the next time */
    }
    k->listed.count = 0;
    gate_leave(&k->gate);
    for (size_t i = 0; i < listed.count; i++) {
        struct candidate c = {.p = *(struct log_partition **)vec_at(&listed, i)};
        enum due due = plan_make(c.p, now_ms, &c.plan);
        if (due == NOW && vec_push(out, &c)) due = LATER;
        if (due == LATER) cleaner_notice(c.p);
    }
    vec_done(&listed);
}

static int dirtiest_first(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    double left = clean_ratio(&x->plan), right = clean_ratio(&y->plan);
    return left < right ? 1 : left > right ? -1 : 0;
}

/* How many were cleaned. */
static size_t clean_candidates(struct cleaner *k, struct vec *due, int64_t now_ms)
{
    struct diag d;
    size_t done = 0;
    if (due->count > 1) qsort(due->items, due->count, sizeof(struct candidate), dirtiest_first);
    for (size_t i = 0; i < due->count; i++) {
        const struct candidate *c = vec_at(due, i);
        bool cleaned;
        d = (struct diag){.err = ERR_OK};
        err_t e = log_clean(c->p, now_ms, &cleaned, &d);
        if (e && e != ERR_STOPPED) say_diag(SAY_LOG, SAY_WARN, "cleaning failed", &d);
        done += !e && cleaned;
        if (e == ERR_CORRUPT)
            continue; /* off the list: until its next segment, or the next start */
        cleaner_notice(c->p);
        gate_enter(&k->gate);
        bool closing = k->closing;
        gate_leave(&k->gate);
        if (closing) break;
    }
    return done;
}

static void cleaner_main(void *arg)
{
    struct log *l = arg;
    struct cleaner *k = &l->cleaner;
    struct vec due = vec_make(sizeof(struct candidate), PARTITIONS_MAX);
    thread_step_back();
    gate_enter(&k->gate);
    while (!k->closing) {
        if (k->listed.count == 0) {
            gate_wait(&k->gate);
            continue;
        }
        gate_leave(&k->gate);
        int64_t now_ms = clock_wall_ms();
        vec_clear(&due);
        candidates(k, now_ms, &due);
        size_t done = clean_candidates(k, &due, now_ms); /* then there may be more at once */
        gate_enter(&k->gate);
        for (int64_t until = clock_mono_ns() + l->options.clean_backoff_ms * 1000000;
             !k->closing && done == 0 && clock_mono_ns() < until;)
            (void)gate_wait_ms(&k->gate, l->options.clean_backoff_ms);
    }
    gate_leave(&k->gate);
    vec_done(&due);
}

void cleaner_init(struct cleaner *k)
{
    gate_init(&k->gate);
    gate_init(&k->round_gate);
    k->listed = vec_make(sizeof(struct log_partition *), PARTITIONS_MAX);
}

err_t cleaner_start(struct log *l, struct diag *d)
{
    if (l->options.clean_backoff_ms < 0) return ERR_OK;
    return thread_start(&l->cleaner.thread, "log-cleaner", cleaner_main, l, d);
}

void cleaner_stop(struct log *l)
{
    struct cleaner *k = &l->cleaner;
    gate_enter(&k->gate);
    k->closing = true;
    gate_wake(&k->gate);
    gate_leave(&k->gate);
    thread_join(&k->thread);
    gate_enter(&k->round_gate); /* a round that somebody else asked for */
    gate_leave(&k->round_gate);
}

void cleaner_done(struct cleaner *k)
{
    vec_done(&k->listed);
    gate_done(&k->gate);
    gate_done(&k->round_gate);
}
