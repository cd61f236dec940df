/* Who waits for a partition's end to move. */
#include "log/log_int.h"

enum waiter_state { WAITING, CALLING, CALLED };

struct log_waiter {
    struct log_partition *partition;
    int64_t offset;
    void (*fn)(void *arg);
    void *arg;
    struct log_waiter *next;
    enum waiter_state state;
    bool unwanted; /* log_unwait from inside fn: freed after it */
};

static void waiter_call(struct log_waiter *w)
{
    struct gate *gate = &w->partition->gate;
    w->fn(w->arg);
    gate_enter(gate);
    w->state = CALLED;
    bool unwanted = w->unwanted;
    gate_wake(gate); /* log_unwait may be waiting for us */
    gate_leave(gate);
    if (unwanted) mem_give(w);
}

err_t log_wait(struct log_partition *p, int64_t offset, void (*fn)(void *arg), void *arg,
               struct log_waiter **waiter)
{
    struct log_waiter *w = mem_take(sizeof(*w));
    if (!w) return ERR_NO_MEMORY;
    *w = (struct log_waiter){.partition = p, .offset = offset, .fn = fn, .arg = arg};
    *waiter = w; /* before fn can run: it may want to forget itself */
    gate_enter(&p->gate);
    bool past = atomic_load(&p->end_offset) > offset;
    if (past) {
        w->state = CALLED; /* called from here, on the caller's thread */
    } else {
        w->next = p->waiters;
        p->waiters = w;
    }
    gate_leave(&p->gate);
    if (past) fn(arg);
    return ERR_OK;
}

void log_unwait(struct log_waiter *w)
{
    if (!w) return;
    struct log_partition *p = w->partition;
    bool here = writer_here(p->log);
    gate_enter(&p->gate);
    for (struct log_waiter **at = &p->waiters; w->state == WAITING && *at; at = &(*at)->next) {
        if (*at != w) continue;
        *at = w->next;
        break;
    }
    while (w->state == CALLING && !here) gate_wait(&p->gate);
    bool later = w->state == CALLING;
    w->unwanted = later;
    gate_leave(&p->gate);
    if (!later) mem_give(w);
}

void waiters_fire(struct log_partition *p, int64_t end)
{
    for (;;) { /* one at a time: fn may forget others, or wait anew */
        gate_enter(&p->gate);
        struct log_waiter **at = &p->waiters, *w;
        while (*at && (*at)->offset >= end) at = &(*at)->next;
        if ((w = *at)) {
            *at = w->next;
            w->state = CALLING;
        }
        gate_leave(&p->gate);
        if (!w) return;
        waiter_call(w);
    }
}
