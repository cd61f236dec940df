/* The one thread that writes: takes all that waits, a partition at a time; one write and one sync
 * each, the syncs of several beside one another. */
#include "log/log_int.h"

#include <sys/uio.h>

/* Gathers and writes what waits for a partition, and leaves its last run to be synced. */
static void partition_write(struct log_partition *p, struct run *r, struct run_space *space)
{
    struct log_append *next;
    run_begin(r, space, p);
    for (struct log_append *a = p->group_first; a; a = next) {
        next = a->next;
        bool full = !a->err && p->held && tail_is_full(p, r, a);
        if ((full && r->bytes) || r->appends == RUN_APPENDS_MAX) {
            run_write(r);
            runs_finish(p->log, r, 1);
            run_begin(r, space, p);
        }
        if (!a->err && !p->stopped && (full || !p->held)) {
            a->err = tail_take(p, full, a->now_ms, &a->diag);
            struct log_append *first = r->first, *last = r->last; /* refused ones wait with it */
            int64_t appends = r->appends;
            run_begin(r, space, p);
            r->first = first, r->last = last, r->appends = appends;
        }
        run_take(r, a);
    }
    p->group_first = p->group_last = NULL;
    run_write(r);
}

/* --- the thread ------------------------------------------------------------------------------- */

/* As many partitions at a time as there are spaces: all written, all synced at once, all answered.
 */
static void group_write(struct log *l, struct log_partition **group)
{
    struct writer *w = &l->writer;
    struct run runs[RUNS_MAX];
    for (struct log_partition *p = *group, *next; p;) {
        size_t count = 0;
        for (; p && count < RUNS_MAX; p = next, count++) {
            next = p->group_next;
            partition_write(p, &runs[count], &w->spaces[count]);
        }
        runs_finish(l, runs, count);
        for (size_t i = 0; i < count; i++)
            if (runs[i].p->since_checkpoint >= CHECKPOINT_BYTES && !runs[i].p->stopped)
                checkpoint_now(runs[i].p);
    }
    *group = NULL;
}

static void queue_work(struct log *l, struct log_append *first)
{
    struct log_partition *group = NULL, **end = &group;
    for (struct log_append *a = first, *next; a; a = next) {
        next = a->next;
        a->next = NULL;
        if (!a->batches && a->partition == NULL) { /* a job: what came before it goes first */
            group_write(l, &group);
            end = &group;
            a->done(a);
            continue;
        }
        struct log_partition *p = a->partition;
        if (!p->group_first) {
            p->group_next = NULL;
            *end = p;
            end = &p->group_next;
            p->group_first = a;
        } else {
            p->group_last->next = a;
        }
        p->group_last = a;
    }
    group_write(l, &group);
}

static void each_partition(struct log *l, void (*each)(struct log_partition *p))
{
    struct vec topics = vec_make(sizeof(struct log_topic *), TOPICS_MAX);
    if (topics_copy(l, &topics)) { /* out of memory: the older checkpoints hold */
        vec_done(&topics);
        return;
    }
    for (size_t t = 0; t < topics.count; t++) {
        struct log_topic *topic = *(struct log_topic **)vec_at(&topics, t);
        for (int32_t i = 0; i < topic->partition_count; i++) each(log_partition(topic, i));
    }
    vec_done(&topics);
}

static void checkpoint_idle(struct log_partition *p)
{
    if (p->since_checkpoint >= IDLE_CHECKPOINT_BYTES && !p->stopped) checkpoint_now(p);
}

static void partition_finish(struct log_partition *p)
{
    if (p->stopped) return; /* what the next open finds on disk is what counts */
    tail_finish(p);
    if (p->since_checkpoint) checkpoint_now(p);
}

/* Waking a sleeping thread costs more than a write: while there is traffic, look a little longer.
 */
static void writer_spin(struct writer *w)
{
    enum { SPINS = 500 /* some 20 us */, TRAFFIC_NS = 300000 };
    if (w->busy_ns == 0 || clock_mono_ns() - w->busy_ns > TRAFFIC_NS) return;
    for (int i = 0; i < SPINS && !atomic_load_explicit(&w->some, memory_order_relaxed); i++)
        __builtin_ia32_pause();
}

static struct log_append *writer_take(struct log *l, bool *over)
{
    struct writer *w = &l->writer;
    bool idle_done = false;
    writer_spin(w);
    gate_enter(&w->gate);
    while (!w->first && !w->closing) {
        w->asleep = true;
        bool woken =
            idle_done ? (gate_wait(&w->gate), true) : gate_wait_ms(&w->gate, IDLE_CHECKPOINT_MS);
        w->asleep = false;
        if (woken || w->first || w->closing) continue;
        gate_leave(&w->gate);
        each_partition(l, checkpoint_idle);
        idle_done = true;
        gate_enter(&w->gate);
    }
    struct log_append *first = w->first;
    w->first = w->last = NULL;
    w->waiting_bytes = w->waiting_count = 0;
    atomic_store_explicit(&w->some, false, memory_order_relaxed);
    *over = w->closing;
    gate_leave(&w->gate);
    return first;
}

static _Thread_local const struct log *writing_for;

bool writer_here(const struct log *l)
{
    return writing_for == l;
}

static void writer_main(void *arg)
{
    struct log *l = arg;
    writing_for = l;
    struct writer *w = &l->writer;
    for (bool over = false; !over;) {
        struct log_append *first = writer_take(l, &over);
        queue_work(l, first);
        w->busy_ns = clock_mono_ns();
    }
    each_partition(l, partition_finish);
}

err_t writer_start(struct log *l, struct diag *d)
{
    struct writer *w = &l->writer;
    for (size_t i = 0; i < RUNS_MAX; i++)
        w->spaces[i] =
            (struct run_space){.undo = vec_make(sizeof(struct producer_undo), (size_t)1 << 20),
                               .entries = vec_make(sizeof(struct index_entry), (size_t)1 << 20),
                               .ended = vec_make(sizeof(struct aborted), (size_t)1 << 20),
                               .parts = vec_make(sizeof(struct iovec), RUN_APPENDS_MAX)};
    w->zeros = mem_take(AHEAD_MAX);
    if (!w->zeros) return diag_fail(d, ERR_NO_MEMORY, "the log's writer has no room");
    err_t e = syncer_start(&w->syncer, d);
    return e ? e : thread_start(&w->thread, "log-writer", writer_main, l, d);
}

void writer_stop(struct log *l)
{
    struct writer *w = &l->writer;
    gate_enter(&w->gate);
    w->closing = true;
    gate_wake(&w->gate);
    gate_leave(&w->gate);
    thread_join(&w->thread);
    INVARIANT(w->first == NULL); /* L1: nothing that was taken stays unanswered */
}

void writer_done(struct writer *w)
{
    syncer_stop(&w->syncer);
    for (size_t i = 0; i < RUNS_MAX; i++) {
        vec_done(&w->spaces[i].undo);
        vec_done(&w->spaces[i].entries);
        vec_done(&w->spaces[i].ended);
        vec_done(&w->spaces[i].parts);
    }
    mem_give(w->zeros);
    gate_done(&w->gate);
}
