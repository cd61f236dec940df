/* Several files synced at once. One fdatasync after another pays the disk's latency each time,
 * while the disk takes them together in little more than the time of one (docs/decisions/0013). The
 * writer works with the helpers; a single file it syncs itself, without waking anybody. */
#include "log/log_int.h"

static void sync_one(struct run *r)
{
    int64_t began = clock_mono_ns();
    r->err = file_sync(r->segment->fd, &r->space->diag);
    metric_add(METRIC_log_syncs_total, 1);
    metric_add(METRIC_log_sync_seconds_total, clock_mono_ns() - began);
}

/* Inside the gate, which is left while a file is synced. */
static void sync_some(struct syncer *s)
{
    while (s->next < s->count) {
        struct run *r = &s->runs[s->next++];
        if (!r->unsynced) {
            s->left--;
            continue;
        }
        gate_leave(&s->gate);
        sync_one(r);
        gate_enter(&s->gate);
        s->left--;
    }
    if (s->left == 0) gate_wake(&s->gate);
}

static void helper_main(void *arg)
{
    struct syncer *s = arg;
    gate_enter(&s->gate);
    while (!s->closing) {
        if (s->next < s->count)
            sync_some(s);
        else
            gate_wait(&s->gate);
    }
    gate_leave(&s->gate);
}

void syncer_sync(struct syncer *s, struct run *runs, size_t count)
{
    size_t unsynced = 0, last = 0;
    for (size_t i = 0; i < count; i++) {
        if (!runs[i].unsynced) continue;
        unsynced++;
        last = i;
    }
    if (unsynced == 0) return;
    if (unsynced == 1) {
        sync_one(&runs[last]);
        return;
    }
    gate_enter(&s->gate);
    s->runs = runs;
    s->next = 0;
    s->count = s->left = count;
    gate_wake(&s->gate);
    sync_some(s);
    while (s->left) gate_wait(&s->gate);
    s->count = s->next = 0;
    gate_leave(&s->gate);
}

err_t syncer_start(struct syncer *s, struct diag *d)
{
    err_t e = ERR_OK;
    for (size_t i = 0; !e && i < SYNC_HELPERS; i++)
        e = thread_start(&s->helpers[i], "log-sync", helper_main, s, d);
    return e;
}

void syncer_stop(struct syncer *s)
{
    gate_enter(&s->gate);
    s->closing = true;
    gate_wake(&s->gate);
    gate_leave(&s->gate);
    for (size_t i = 0; i < SYNC_HELPERS; i++) thread_join(&s->helpers[i]);
    gate_done(&s->gate);
}
