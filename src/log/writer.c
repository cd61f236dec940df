/* The one thread that writes: takes all that waits, a partition at a time; one write, one sync. */
#include "log/log_int.h"

#include <sys/uio.h>

static void answer(struct log_append *a)
{
    if (a->err) a->base_offset = -1;
    a->done(a); /* last: the caller may free it */
}

/* --- a run: gathering ------------------------------------------------------------------------- */

static err_t stopped_answer(const struct log_partition *p, struct log_append *a)
{
    if (p->stopped_why) a->diag = *p->stopped_why;
    return p->stopped;
}

static err_t disk_check(struct log *l, uint64_t bytes, struct diag *d)
{
    struct writer *w = &l->writer;
    int64_t now = clock_mono_ns();
    if (w->disk_low || w->since_disk_check >= DISK_CHECK_BYTES || w->disk_checked_ns == 0 ||
        now - w->disk_checked_ns >= DISK_CHECK_MS * INT64_C(1000000)) {
        uint64_t total;
        err_t e = disk_free(l->dir, &w->free_bytes, &total, d);
        if (e) return e;
        w->disk_checked_ns = now;
        w->since_disk_check = 0;
    }
    bool low = w->free_bytes < l->options.disk_keep_free + w->since_disk_check + bytes;
    if (low != w->disk_low)
        say_warn(SAY_LOG, low ? "disk is nearly full, appends are refused" : "disk has room again",
                 "dir=%s free=%llu keep_free=%llu", l->dir, (unsigned long long)w->free_bytes,
                 (unsigned long long)l->options.disk_keep_free);
    w->disk_low = low;
    if (!low) return ERR_OK;
    diag_fail(d, ERR_DISK_FULL, "the log takes no more appends");
    diag_where(d, "%s", l->dir);
    diag_why(d, "%llu bytes are free, storage keeps %llu", (unsigned long long)w->free_bytes,
             (unsigned long long)l->options.disk_keep_free);
    return ERR_DISK_FULL;
}

/* What the batch does to its producer, and to the open transactions. */
static err_t run_note_producer(struct run *r, struct log_partition *p, const struct record_batch *b,
                               const struct marker *m, int64_t now_ms)
{
    struct writer *w = &p->log->writer;
    struct txn_change change;
    if (b->producer_id < 0) return ERR_OK;
    gate_enter(&p->gate); /* a new producer moves the map under those who ask about others */
    err_t e = producer_note(&p->producers, b, m, r->offset, now_ms, &w->undo, &change);
    if (m) txn_dismiss(p, b->producer_id);
    gate_leave(&p->gate);
    return e ? e : txns_change(p, &change, b->producer_id, r->offset, &w->ended);
}

/* One batch at `at`, which is new: its offset, its index entry, its producer's state. */
static err_t run_take_batch(struct run *r, struct log_partition *p, const struct record_batch *b,
                            const struct marker *m, uint8_t *at, uint64_t position, int64_t now_ms)
{
    struct writer *w = &p->log->writer;
    err_t e = run_note_producer(r, p, b, m, now_ms);
    if (e) return e;
    record_batch_set_base(at, r->offset, 0);
    if (r->since_index >= INDEX_EVERY) {
        struct index_entry entry = {(uint32_t)(r->offset - r->segment->base), (uint32_t)position,
                                    r->max_ms};
        if ((e = vec_push(&w->entries, &entry))) return e;
        r->since_index = 0;
    }
    r->since_index += record_batch_size(b);
    r->offset += b->last_offset_delta + 1;
    r->max_ms = MAX(r->max_ms, b->max_timestamp);
    r->records += m ? 0 : b->count;
    return ERR_OK;
}

static err_t run_check_batch(struct log_partition *p, struct log_append *a,
                             const struct record_batch *b, struct marker *m, int64_t *old)
{
    *old = -1;
    if (a->marker) {
        INVARIANT(marker_read(b, m)); /* append_check has seen it */
        return producer_check_marker(&p->producers, b, m, &a->diag);
    }
    bool admitted = b->attributes & BATCH_TRANSACTIONAL &&
                    log_txn_admitted(p, b->producer_id, b->producer_epoch);
    return producer_check(&p->producers, b, admitted, old, &a->diag);
}

/* All batches of an append: repeated ones at its front are skipped, the others take offsets. */
static err_t run_take_batches(struct run *r, struct log_partition *p, struct log_append *a)
{
    size_t skipped = 0;
    for (size_t at = 0; at < a->size;) {
        struct record_batch b;
        struct marker marker;
        int64_t old, offset = r->offset;
        err_t e = record_batch_read(slice_make(a->batches + at, a->size - at), false, &b);
        if (!e) e = run_check_batch(p, a, &b, &marker, &old);
        if (e) return e;
        size_t size = record_batch_size(&b);
        if (old >= 0 && skipped == at) {
            skipped += size;
        } else if (old >= 0) {
            return diag_fail(&a->diag, ERR_SEQUENCE_GAP, "a repeated batch follows a new one");
        } else {
            uint64_t position = r->segment->size + r->bytes + (at - skipped);
            e = run_take_batch(r, p, &b, a->marker ? &marker : NULL, a->batches + at, position,
                               a->now_ms);
            if (e) return diag_fail(&a->diag, e, "the log has no room for this append");
        }
        if (at == 0) a->base_offset = old >= 0 ? old : offset;
        at += size;
    }
    struct iovec part = {a->batches + skipped, a->size - skipped};
    if (part.iov_len == 0) return ERR_OK; /* it was all there; answered with this run's sync */
    err_t e = vec_push(&p->log->writer.parts, &part);
    if (e) return diag_fail(&a->diag, e, "the log has no room for this append");
    r->bytes += part.iov_len;
    return ERR_OK;
}

static void run_take_back(struct log_partition *p, size_t from)
{
    gate_enter(&p->gate);
    bool transactions = producer_take_back(&p->log->writer.undo, from);
    gate_leave(&p->gate);
    /* There was room for all of them before. */
    if (transactions && txns_rebuild(p)) INVARIANT(!"open transactions have no room");
}

static void run_take(struct run *r, struct log_partition *p, struct log_append *a)
{
    struct writer *w = &p->log->writer;
    struct run before = *r;
    size_t undo = w->undo.count, entries = w->entries.count, ended = w->ended.count;
    if (!a->err && p->stopped) a->err = stopped_answer(p, a);
    if (!a->err) a->err = disk_check(p->log, r->bytes + a->size, &a->diag);
    if (!a->err) {
        a->err = run_take_batches(r, p, a);
        if (a->err) { /* as if it had never come */
            run_take_back(p, undo);
            w->entries.count = entries;
            w->ended.count = ended;
            *r = before;
        }
    }
    if (r->last)
        r->last->next = a;
    else
        r->first = a;
    r->last = a;
    a->next = NULL;
    r->appends++;
}

/* --- a run: writing --------------------------------------------------------------------------- */

/* L7: nothing of this partition is acknowledged any more, until it is opened again. */
static void partition_stop(struct log_partition *p, err_t e, const struct diag *why)
{
    p->stopped = e;
    atomic_store(&p->topic->log->must_reopen, true);
    if (!p->stopped_why) p->stopped_why = mem_take(sizeof(*why));
    if (p->stopped_why) *p->stopped_why = *why;
    say_diag(SAY_LOG, SAY_ERROR, "partition is stopped", why);
    /* What was not acknowledged should not be found by the next open; if even this fails, L5 holds.
     */
    struct segment *tail = partition_tail(p);
    struct diag d = {0};
    if (tail && tail->fd >= 0 && file_truncate(tail->fd, tail->size, &d))
        say_diag(SAY_LOG, SAY_WARN, "unacknowledged bytes stay until the next start", &d);
}

/* How much to zero behind this run: nothing where there is little traffic. */
static size_t run_ahead(const struct run *r, const struct log_partition *p)
{
    uint64_t size = r->segment->size, end = size + r->bytes;
    uint64_t limit = log_segment_bytes(p);
    if (end <= p->file_end || size < AHEAD_MIN / 4 || end >= limit || r->bytes > AHEAD_RUN_MAX)
        return 0;
    return (size_t)MIN(MIN(MAX(size, (uint64_t)AHEAD_MIN), (uint64_t)AHEAD_MAX), limit - end);
}

static err_t run_write_parts(struct run *r, struct log_partition *p, size_t ahead, struct diag *d)
{
    struct writer *w = &p->log->writer;
    struct iovec
        parts[RUN_APPENDS_MAX + 1]; /* the write eats them; a second try needs them whole */
    int count = (int)w->parts.count;
    memcpy(parts, w->parts.items, w->parts.count * sizeof(*parts));
    if (ahead) parts[count++] = (struct iovec){w->zeros, ahead};
    err_t e = file_pwritev(r->segment->fd, parts, count, r->segment->size, d);
    if (!e) p->file_end = MAX(p->file_end, r->segment->size + r->bytes + ahead);
    return e;
}

/* A full disk takes back what was half written and leaves the partition going. */
static err_t run_write(struct run *r, struct log_partition *p, struct diag *d)
{
    struct segment *s = r->segment;
    size_t ahead = run_ahead(r, p);
    err_t e = aborted_write(p, s, &p->log->writer.ended, d); /* L11 */
    if (e == ERR_DISK_FULL) return e;
    if (!e) e = run_write_parts(r, p, ahead, d);
    for (; e == ERR_DISK_FULL; ahead = 0) {
        struct diag cut = {0};
        if (file_truncate(s->fd, s->size, &cut)) {
            partition_stop(p, ERR_DISK_FULL, &cut);
            return e;
        }
        p->file_end = s->size;
        if (!ahead) return e;
        e = run_write_parts(r, p, 0, d); /* there may be room for the bytes alone */
    }
    if (e) partition_stop(p, e, d);
    return e;
}

static err_t run_sync(struct run *r, struct log_partition *p, struct diag *d)
{
    int64_t began = clock_mono_ns();
    err_t e = file_sync(r->segment->fd, d);
    metric_add(METRIC_log_syncs_total, 1);
    metric_add(METRIC_log_sync_ns_total, clock_mono_ns() - began);
    if (e) partition_stop(p, e, d);
    return e;
}

/* L3: readers see the bytes from here on, and only from here on. */
static void run_publish(struct run *r, struct log_partition *p)
{
    struct writer *w = &p->log->writer;
    struct segment *s = r->segment;
    INVARIANT(r->offset > atomic_load(&p->end_offset));
    gate_enter(&p->gate);
    s->size += r->bytes;
    s->max_ms = r->max_ms;
    for (size_t i = 0; i < w->entries.count; i++) index_add(p, s, vec_at(&w->entries, i));
    producer_publish(&w->undo);
    aborted_publish(s, &w->ended);
    atomic_fetch_add(&p->bytes, r->bytes);
    atomic_store(&p->stable_offset, txns_stable(p, r->offset)); /* L10: before the end */
    atomic_store(&p->end_offset, r->offset);
    gate_leave(&p->gate);
    p->since_index = r->since_index;
    p->since_checkpoint += r->bytes;
    w->since_disk_check += r->bytes;
    metric_add(METRIC_log_bytes_total, (int64_t)r->bytes);
    metric_add(METRIC_log_records_total, r->records);
    waiters_fire(p, r->offset);
}

static void run_answer(struct run *r, err_t e, const struct diag *d)
{
    for (struct log_append *a = r->first, *next; a; a = next) { /* L1: in order of coming */
        next = a->next;
        if (e && !a->err) {
            a->err = e;
            a->diag = *d;
        }
        answer(a);
    }
    metric_add(METRIC_log_appends_total, r->appends);
    *r = (struct run){0};
}

static void run_commit(struct run *r, struct log_partition *p)
{
    struct writer *w = &p->log->writer;
    struct diag d = {0};
    INVARIANT(r->bytes == 0 || (!p->stopped && p->held));     /* L7 */
    INVARIANT(r->bytes == 0 || p->file_end >= p->held->size); /* L4 */
    err_t e = r->bytes ? run_write(r, p, &d) : ERR_OK;
    bool early = p->log->options.mutant_answer_before_sync && r->bytes && !e;
    if (early) { /* the crash tests' checker must catch exactly this */
        struct run copy = *r;
        int fd = r->segment->fd;
        run_publish(&copy, p);
        run_answer(r, ERR_OK, NULL);
        if (file_sync(fd, &d)) partition_stop(p, d.err, &d);
    } else {
        if (!e && r->bytes) e = run_sync(r, p, &d); /* L2: durable … */
        if (!e && r->bytes) run_publish(r, p);      /* … then seen … */
        if (e) run_take_back(p, 0);
        run_answer(r, e, &d); /* … then acknowledged */
    }
    w->undo.count = w->entries.count = w->ended.count = w->parts.count = 0;
}

/* --- segments --------------------------------------------------------------------------------- */

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

static void checkpoint_now(struct log_partition *p)
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
    if (p->segments.count > 1) checkpoint_now(p);
    cleaner_notice(p);
    return ERR_OK;
}

/* Opens the tail for appends, or begins a new one. */
static err_t tail_take(struct log_partition *p, bool fresh, int64_t now_ms, struct diag *d)
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

static bool tail_is_full(const struct log_partition *p, const struct run *r,
                         const struct log_append *a)
{
    const struct segment *s = p->held;
    uint64_t bytes = s->size + r->bytes;
    int64_t age_ms = a->now_ms - s->first_ms;
    if (bytes == 0) return false; /* an empty one takes a batch of any size */
    return bytes + a->size > log_segment_bytes(p) || r->offset - s->base >= INT32_MAX / 2 ||
           (r->bytes == 0 && age_ms >= log_segment_ms(p, s));
}

static void run_begin(struct run *r, struct log_partition *p)
{
    *r = (struct run){.segment = p->held,
                      .offset = atomic_load(&p->end_offset),
                      .max_ms = p->held ? p->held->max_ms : NO_TIMESTAMP,
                      .since_index = p->since_index};
}

static void partition_write(struct log_partition *p)
{
    struct run r = {0};
    struct log_append *next;
    run_begin(&r, p);
    for (struct log_append *a = p->group_first; a; a = next) {
        next = a->next;
        bool full = !a->err && p->held && tail_is_full(p, &r, a);
        if ((full && r.bytes) || r.appends == RUN_APPENDS_MAX) {
            run_commit(&r, p);
            run_begin(&r, p);
        }
        if (!a->err && !p->stopped && (full || !p->held)) {
            a->err = tail_take(p, full, a->now_ms, &a->diag);
            struct log_append *first = r.first, *last = r.last; /* refused ones wait with it */
            int64_t appends = r.appends;
            run_begin(&r, p);
            r.first = first, r.last = last, r.appends = appends;
        }
        run_take(&r, p, a);
    }
    p->group_first = p->group_last = NULL;
    if (r.first) run_commit(&r, p);
    if (p->since_checkpoint >= CHECKPOINT_BYTES && !p->stopped) checkpoint_now(p);
}

/* --- the thread ------------------------------------------------------------------------------- */

static void group_write(struct log_partition **group)
{
    for (struct log_partition *p = *group, *next; p; p = next) {
        next = p->group_next;
        partition_write(p);
    }
    *group = NULL;
}

static void queue_work(struct log_append *first)
{
    struct log_partition *group = NULL, **end = &group;
    for (struct log_append *a = first, *next; a; a = next) {
        next = a->next;
        a->next = NULL;
        if (!a->batches && a->partition == NULL) { /* a job: what came before it goes first */
            group_write(&group);
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
    group_write(&group);
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
        queue_work(first);
        w->busy_ns = clock_mono_ns();
    }
    each_partition(l, partition_finish);
}

err_t writer_start(struct log *l, struct diag *d)
{
    struct writer *w = &l->writer;
    w->undo = vec_make(sizeof(struct producer_undo), (size_t)1 << 20);
    w->entries = vec_make(sizeof(struct index_entry), (size_t)1 << 20);
    w->ended = vec_make(sizeof(struct aborted), (size_t)1 << 20);
    w->parts = vec_make(sizeof(struct iovec), RUN_APPENDS_MAX);
    w->zeros = mem_take(AHEAD_MAX);
    if (!w->zeros) return diag_fail(d, ERR_NO_MEMORY, "the log's writer has no room");
    return thread_start(&w->thread, "log-writer", writer_main, l, d);
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
    vec_done(&w->undo);
    vec_done(&w->entries);
    vec_done(&w->ended);
    vec_done(&w->parts);
    mem_give(w->zeros);
    gate_done(&w->gate);
}
