/* The caller's side of an append: checked (check.c) and queued; and waiting for the answer. */
#include "log/log_int.h"

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
    a->err = append_check(a);
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
