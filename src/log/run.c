/* A run: appends of one partition that share one write and one sync. Gathered, written, synced
 * beside the runs of other partitions, then published and answered. Writer only. */
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
    struct txn_change change;
    if (b->producer_id < 0) return ERR_OK;
    gate_enter(&p->gate); /* a new producer moves the map under those who ask about others */
    err_t e = producer_note(&p->producers, b, m, r->offset, now_ms, &r->space->undo, &change);
    if (m) txn_dismiss(p, b->producer_id);
    gate_leave(&p->gate);
    return e ? e : txns_change(p, &change, b->producer_id, r->offset, &r->space->ended);
}

/* One batch at `at`, which is new: its offset, its index entry, its producer's state. */
static err_t run_take_batch(struct run *r, struct log_partition *p, const struct record_batch *b,
                            const struct marker *m, uint8_t *at, uint64_t position, int64_t now_ms)
{
    err_t e = run_note_producer(r, p, b, m, now_ms);
    if (e) return e;
    record_batch_set_base(at, r->offset, 0);
    if (r->since_index >= INDEX_EVERY) {
        struct index_entry entry = {(uint32_t)(r->offset - r->segment->base), (uint32_t)position,
                                    r->max_ms};
        if ((e = vec_push(&r->space->entries, &entry))) return e;
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
    err_t e = vec_push(&r->space->parts, &part);
    if (e) return diag_fail(&a->diag, e, "the log has no room for this append");
    r->bytes += part.iov_len;
    return ERR_OK;
}

static void run_take_back(struct run *r, struct log_partition *p, size_t from)
{
    gate_enter(&p->gate);
    bool transactions = producer_take_back(&r->space->undo, from);
    gate_leave(&p->gate);
    /* There was room for all of them before. */
    bool open_ones_fit = !transactions || txns_rebuild(p) == ERR_OK;
    INVARIANT(open_ones_fit);
}

void run_take(struct run *r, struct log_append *a)
{
    struct log_partition *p = r->p;
    struct run_space *s = r->space;
    struct run before = *r;
    size_t undo = s->undo.count, entries = s->entries.count, ended = s->ended.count;
    if (!a->err && p->stopped) a->err = stopped_answer(p, a);
    if (!a->err) a->err = disk_check(p->log, r->bytes + a->size, &a->diag);
    if (!a->err) {
        a->err = run_take_batches(r, p, a);
        if (a->err) { /* as if it had never come */
            run_take_back(r, p, undo);
            s->entries.count = entries;
            s->ended.count = ended;
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

/* Piece by piece, the disk at work on one while the next is copied: one write of several MiB costs
 * seven times the processor here, and leaves all the waiting to the sync (docs/decisions/0013). */
static err_t write_pieces(int fd, struct iovec *parts, int count, uint64_t at, struct diag *d)
{
    struct iovec piece[PIECE_PARTS];
    while (count > 0) {
        int n = 0;
        size_t size = 0;
        while (count > 0 && n < PIECE_PARTS && size < PIECE_BYTES) {
            size_t some = MIN(parts->iov_len, PIECE_BYTES - size);
            piece[n++] = (struct iovec){parts->iov_base, some};
            parts->iov_base = (uint8_t *)parts->iov_base + some;
            parts->iov_len -= some;
            size += some;
            if (parts->iov_len == 0) parts++, count--;
        }
        err_t e = file_pwritev(fd, piece, n, at, d);
        if (e) return e;
        if (count > 0 && size == PIECE_BYTES) file_sync_begin(fd, at, size);
        at += size;
    }
    return ERR_OK;
}

static err_t run_write_parts(struct run *r, struct log_partition *p, size_t ahead, struct diag *d)
{
    struct iovec
        parts[RUN_APPENDS_MAX + 1]; /* the write eats them; a second try needs them whole */
    int count = (int)r->space->parts.count;
    memcpy(parts, r->space->parts.items, r->space->parts.count * sizeof(*parts));
    if (ahead) parts[count++] = (struct iovec){p->log->writer.zeros, ahead};
    err_t e = write_pieces(r->segment->fd, parts, count, r->segment->size, d);
    if (!e) p->file_end = MAX(p->file_end, r->segment->size + r->bytes + ahead);
    return e;
}

/* A full disk takes back what was half written and leaves the partition going. */
static err_t write_bytes(struct run *r, struct log_partition *p, struct diag *d)
{
    struct segment *s = r->segment;
    size_t ahead = run_ahead(r, p);
    err_t e = aborted_write(p, s, &r->space->ended, d); /* L11 */
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

/* L3: readers see the bytes from here on, and only from here on. */
static void run_publish(struct run *r, struct log_partition *p)
{
    struct segment *s = r->segment;
    INVARIANT(r->offset > atomic_load(&p->end_offset));
    gate_enter(&p->gate);
    s->size += r->bytes;
    s->max_ms = r->max_ms;
    for (size_t i = 0; i < r->space->entries.count; i++)
        index_add(p, s, vec_at(&r->space->entries, i));
    producer_publish(&r->space->undo);
    aborted_publish(s, &r->space->ended);
    atomic_fetch_add(&p->bytes, r->bytes);
    atomic_fetch_add_explicit(&p->bytes_in, r->bytes, memory_order_relaxed);
    atomic_store(&p->stable_offset, txns_stable(p, r->offset)); /* L10: before the end */
    atomic_store(&p->end_offset, r->offset);
    gate_leave(&p->gate);
    p->since_index = r->since_index;
    p->since_checkpoint += r->bytes;
    metric_add(METRIC_log_bytes_total, (int64_t)r->bytes);
    metric_add(METRIC_log_records_total, r->records);
    waiters_fire(p, r->offset);
}

static void run_answer(struct run *r)
{
    for (struct log_append *a = r->first, *next; a; a = next) { /* L1: in order of coming */
        next = a->next;
        if (r->err && !a->err) {
            a->err = r->err;
            a->diag = r->space->diag;
        }
        answer(a);
    }
    metric_add(METRIC_log_appends_total, r->appends);
    r->first = r->last = NULL;
}

/* --- runs, from their writes to their answers ------------------------------------------------- */

void run_begin(struct run *r, struct run_space *space, struct log_partition *p)
{
    space->undo.count = space->entries.count = space->ended.count = space->parts.count = 0;
    *r = (struct run){.p = p,
                      .space = space,
                      .segment = p->held,
                      .offset = atomic_load(&p->end_offset),
                      .max_ms = p->held ? p->held->max_ms : NO_TIMESTAMP,
                      .since_index = p->since_index};
}

void run_write(struct run *r)
{
    struct log_partition *p = r->p;
    INVARIANT(r->bytes == 0 || (!p->stopped && p->held));     /* L7 */
    INVARIANT(r->bytes == 0 || p->file_end >= p->held->size); /* L4 */
    if (r->bytes == 0) return;
    r->err = write_bytes(r, p, &r->space->diag);
    p->log->writer.since_disk_check += r->bytes;
    r->unsynced = !r->err;
}

static void run_finish(struct run *r)
{
    struct log_partition *p = r->p;
    if (r->unsynced && r->err) partition_stop(p, r->err, &r->space->diag);
    if (r->bytes && !r->err) run_publish(r, p); /* L2: it is durable, so it is seen … */
    if (r->err) run_take_back(r, p, 0);
    run_answer(r); /* … and acknowledged */
}

/* The crash tests' checker must catch exactly this. */
static void finish_too_early(struct log *l, struct run *runs, size_t count)
{
    for (size_t i = 0; i < count; i++) run_finish(&runs[i]);
    syncer_sync(&l->writer.syncer, runs, count);
    for (size_t i = 0; i < count; i++)
        if (runs[i].unsynced && runs[i].err)
            partition_stop(runs[i].p, runs[i].err, &runs[i].space->diag);
}

void runs_finish(struct log *l, struct run *runs, size_t count)
{
    if (l->options.mutant_answer_before_sync) {
        finish_too_early(l, runs, count);
        return;
    }
    syncer_sync(&l->writer.syncer, runs, count);
    for (size_t i = 0; i < count; i++) run_finish(&runs[i]);
}
