/* The caller's side of an append: what can be checked without the partition's tail is checked here,
 * on the caller's thread, so that the writer only assigns and writes. */
#include "log/log_int.h"

static err_t batch_refused(struct diag *d, err_t e, const struct log_partition *p, size_t at,
                           const char *why)
{
    diag_fail(d, e, "record batch for topic '%s' partition %d is refused", p->topic->name,
              p->index);
    diag_why(d, "at byte %zu: %s", at, why);
    return e;
}

/* A marker is one control batch, a coordinator's; nobody else writes any. */
static err_t marker_check(const struct log_append *a, const struct record_batch *b, size_t at,
                          struct diag *d)
{
    struct marker marker;
    if (!a->marker && !(b->attributes & BATCH_CONTROL)) return ERR_OK;
    if (!a->marker)
        return batch_refused(d, ERR_RECORD, a->partition, at,
                             "Clients are not allowed to write control records");
    if (marker_read(b, &marker) && record_batch_size(b) == a->size) return ERR_OK;
    return batch_refused(d, ERR_MALFORMED, a->partition, at, "it is no end of a transaction");
}

static err_t producer_fields_check(const struct log_append *a, const struct record_batch *b,
                                   size_t at, struct diag *d)
{
    const struct log_partition *p = a->partition;
    if (b->attributes & BATCH_TRANSACTIONAL && b->producer_id < 0)
        return batch_refused(d, ERR_RECORD, p, at, "it is transactional without a producer id");
    if (b->producer_id < 0) return ERR_OK;
    if (b->producer_epoch < 0)
        return batch_refused(d, ERR_RECORD, p, at, "a producer without epoch");
    /* A group's offsets, which its coordinator writes for a producer, have no sequence. */
    bool sequence = b->base_sequence >= 0 || a->marker || log_topic_is_internal(p->topic);
    return sequence ? ERR_OK : batch_refused(d, ERR_RECORD, p, at, "a producer without sequence");
}

static err_t batch_check(const struct log_append *a, const struct record_batch *b, size_t at,
                         struct diag *d)
{
    const struct log_partition *p = a->partition;
    if (b->count < 1 || b->last_offset_delta != b->count - 1)
        return batch_refused(d, ERR_RECORD, p, at, "its record count and offsets do not fit");
    if (record_batch_size(b) > (size_t)p->topic->config.message_max_bytes && !a->marker)
        return batch_refused(d, ERR_TOO_BIG, p, at, "larger than max.message.bytes");
    if (b->attributes & BATCH_APPEND_TIME)
        return batch_refused(d, ERR_TIMESTAMP, p, at,
                             "Producer should not set timestamp type to LogAppendTime");
    err_t e = producer_fields_check(a, b, at, d);
    return e ? e : marker_check(a, b, at, d);
}

static err_t append_check(struct log_append *a, int64_t now_ms)
{
    const struct log_partition *p = a->partition;
    static const char *const why[] = {[ERR_SHORT] = "it ends too early",
                                      [ERR_CORRUPT] = "its checksum is wrong",
                                      [ERR_VERSION] = "message formats 0 and 1 are not taken"};
    if (a->size == 0) return batch_refused(&a->diag, ERR_MALFORMED, p, 0, "it is empty");
    if (a->size > QUEUE_BYTES_MAX) return batch_refused(&a->diag, ERR_TOO_BIG, p, 0, "too large");
    for (size_t at = 0; at < a->size;) {
        struct record_batch b;
        err_t e = record_batch_read(slice_make(a->batches + at, a->size - at), true, &b);
        if (e)
            return batch_refused(&a->diag, e, p, at,
                                 e < COUNT_OF(why) && why[e] ? why[e] : "it is no record batch");
        if ((e = batch_check(a, &b, at, &a->diag))) return e;
        if (p->topic->config.append_time) {
            record_batch_set_append_time(a->batches + at, now_ms);
            a->append_time_ms = now_ms;
        }
        at += record_batch_size(&b);
    }
    return ERR_OK;
}

/* False when it can not wait here: the log is closing, or too much waits already. */
static bool enqueue(struct log *l, struct log_append *a)
{
    struct writer *w = &l->writer;
    gate_enter(&w->gate);
    bool full = w->waiting_count >= QUEUE_APPENDS_MAX ||
                (w->waiting_bytes && w->waiting_bytes + a->size > QUEUE_BYTES_MAX);
    bool taken = !w->closing && !full;
    if (taken) {
        if (w->last)
            w->last->next = a;
        else
            w->first = a;
        w->last = a;
        w->waiting_count++;
        w->waiting_bytes += a->size;
        atomic_store_explicit(&w->some, true, memory_order_relaxed);
        if (w->asleep) gate_wake(&w->gate);
        w->asleep = false;
    } else if (w->closing) {
        a->err = diag_fail(&a->diag, ERR_STOPPED, "the log is closed");
    } else {
        a->err = diag_fail(&a->diag, ERR_BUSY, "too many appends wait for the disk");
    }
    gate_leave(&w->gate);
    return taken;
}

void log_append(struct log *l, struct log_append *a, int64_t now_ms)
{
    INVARIANT(a->partition && a->batches && a->done && a->partition->log == l);
    a->base_offset = a->append_time_ms = -1;
    a->diag.err = ERR_OK;
    a->now_ms = now_ms;
    a->next = NULL;
    a->err = append_check(a, now_ms);
    if (!enqueue(l, a)) a->done(a);
}

/* --- waiting for the answer ------------------------------------------------------------------- */

struct wait {
    struct gate gate;
    bool over;
};

static void wait_over(struct log_append *a)
{
    struct wait *w = a->arg;
    gate_enter(&w->gate);
    w->over = true;
    gate_wake(&w->gate);
    gate_leave(&w->gate);
}

static void wait_for(struct gate *gate, const bool *over)
{
    gate_enter(gate);
    while (!*over) gate_wait(gate);
    gate_leave(gate);
    gate_done(gate);
}

err_t log_append_wait(struct log *l, struct log_partition *p, uint8_t *batches, size_t size,
                      int64_t now_ms, int64_t *base_offset, struct diag *d)
{
    INVARIANT(!writer_here(l)); /* it would wait for itself */
    struct wait w = {.over = false};
    struct log_append a = {
        .partition = p, .batches = batches, .size = size, .done = wait_over, .arg = &w};
    gate_init(&w.gate);
    log_append(l, &a, now_ms);
    wait_for(&w.gate, &w.over);
    *base_offset = a.base_offset;
    if (a.err && d) *d = a.diag;
    return a.err;
}

static void job_over(struct log_append *a)
{
    struct job *j = a->arg;
    if (!a->err)
        j->run(j);
    else
        j->err = diag_fail(j->diag, a->err, "the log is closed or too busy");
    gate_enter(&j->gate);
    j->over = true;
    gate_wake(&j->gate);
    gate_leave(&j->gate);
}

err_t writer_run_job(struct log *l, struct job *j)
{
    INVARIANT(!writer_here(l));
    j->in_queue = (struct log_append){.done = job_over, .arg = j};
    j->over = false;
    gate_init(&j->gate);
    if (!enqueue(l, &j->in_queue)) job_over(&j->in_queue);
    wait_for(&j->gate, &j->over);
    return j->err;
}
