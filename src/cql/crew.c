/* The crew: a few threads that go on with statements that take long, a turn at a time, in the order
 * they came. */
#include "cql/core.h"
#include <stdio.h>

bool cql_workers_wanted(const struct cql *c)
{
    return atomic_load_explicit(&c->waiting, memory_order_relaxed) > 0;
}

static struct cql_call *crew_next(struct cql *c)
{
    struct cql_crew *w = &c->crew;
    gate_enter(&w->gate);
    while (!w->first && !w->stopping) gate_wait(&w->gate);
    struct cql_call *call = w->stopping ? NULL : w->first;
    if (call) {
        w->first = call->next;
        if (!w->first) w->last = NULL;
        atomic_fetch_sub_explicit(&c->waiting, 1, memory_order_relaxed);
    }
    gate_leave(&w->gate);
    return call;
}

static void crew_work(void *arg)
{
    struct cql *c = arg;
    for (struct cql_call *call; (call = crew_next(c));) {
        cql_tally(c, TALLY_WORKER);
        call->step(call);
    }
}

static void end_stopped(struct cql_call *call)
{
    (void)diag_fail(&call->diag, ERR_STOPPED, "the server is shutting down");
    call->err = ERR_STOPPED;
    call->step(call); /* gives back what it holds and ends: cql_is_stopping is true by now */
}

void call_to_worker(struct cql_call *call, void (*step)(struct cql_call *call))
{
    struct cql *c = call->session->cql;
    struct cql_crew *w = &c->crew;
    call->step = step;
    call->next = NULL;
    gate_enter(&w->gate);
    bool stopping = w->stopping;
    if (!stopping) {
        if (w->last)
            w->last->next = call;
        else
            w->first = call;
        w->last = call;
        atomic_fetch_add_explicit(&c->waiting, 1, memory_order_relaxed);
        INVARIANT(pthread_cond_signal(&w->gate.cond) == 0);
    }
    gate_leave(&w->gate);
    if (stopping) end_stopped(call);
}

err_t crew_start(struct cql *c, int threads, struct diag *d)
{
    struct cql_crew *w = &c->crew;
    w->threads = mem_take((size_t)threads * sizeof *w->threads);
    if (!w->threads) return diag_fail(d, ERR_NO_MEMORY, "no memory for CQL's threads");
    for (int i = 0; i < threads; i++) {
        char name[16];
        snprintf(name, sizeof name, "cql-%d", i);
        err_t e = thread_start(&w->threads[i], name, crew_work, c, d);
        if (e) return e;
        w->count++;
    }
    return ERR_OK;
}

void crew_stop(struct cql *c)
{
    struct cql_crew *w = &c->crew;
    gate_enter(&w->gate);
    w->stopping = true;
    struct cql_call *waiting = w->first;
    w->first = w->last = NULL;
    gate_wake(&w->gate);
    gate_leave(&w->gate);
    while (waiting) {
        struct cql_call *call = waiting;
        waiting = call->next;
        atomic_fetch_sub_explicit(&c->waiting, 1, memory_order_relaxed);
        end_stopped(call);
    }
    for (int i = 0; i < w->count; i++) thread_join(&w->threads[i]);
    mem_give(w->threads);
    w->threads = NULL;
    w->count = 0;
}
