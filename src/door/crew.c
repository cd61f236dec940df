#include "door/crew.h"

#include "os/thread.h"

#include <stddef.h>

struct worker {
    struct crew *crew;
    struct thread thread;
    void *own;
};
struct crew {
    struct crew_options o;
    struct gate gate;
    struct crew_job *first, **last; /* in the gate, as the two below */
    uint32_t waiting;
    bool ending;
    struct worker workers[CREW_WORKERS_MAX];
};

static void told(struct loop_message *m)
{
    struct crew_job *j =
        (struct crew_job *)(void *)((char *)m - offsetof(struct crew_job, message));
    j->done(j);
}

static void work(void *arg)
{
    struct worker *w = arg;
    struct crew *c = w->crew;
    gate_enter(&c->gate);
    for (;;) {
        while (!c->first && !c->ending) gate_wait(&c->gate);
        struct crew_job *j = c->first;
        if (!j) break;
        c->first = j->next;
        if (!c->first) c->last = &c->first;
        c->waiting--;
        gate_leave(&c->gate);
        j->run(j, &w->own);
        loop_send(c->o.loop, &j->message, told);
        gate_enter(&c->gate);
    }
    gate_leave(&c->gate);
    if (c->o.leave) c->o.leave(w->own);
}

err_t crew_open(const struct crew_options *o, struct crew **out, struct diag *d)
{
    err_t e = ERR_OK;
    struct crew *c = mem_take(sizeof(*c));
    if (!c) return diag_fail(d, ERR_NO_MEMORY, "no memory for worker threads");
    c->o = *o;
    c->o.workers = MIN(o->workers, (uint32_t)CREW_WORKERS_MAX);
    c->last = &c->first;
    gate_init(&c->gate);
    for (uint32_t i = 0; i < c->o.workers && !e; i++) {
        c->workers[i].crew = c;
        e = thread_start(&c->workers[i].thread, o->name, work, &c->workers[i], d);
    }
    if (e)
        crew_close(c);
    else
        *out = c;
    return e;
}

bool crew_give(struct crew *c, struct crew_job *j)
{
    gate_enter(&c->gate);
    bool full = c->waiting >= c->o.waiting_max || c->ending;
    if (!full) {
        j->next = NULL;
        *c->last = j;
        c->last = &j->next;
        c->waiting++;
        gate_wake(&c->gate);
    }
    gate_leave(&c->gate);
    return !full;
}

void crew_close(struct crew *c)
{
    if (!c) return;
    gate_enter(&c->gate);
    c->ending = true;
    gate_wake(&c->gate);
    gate_leave(&c->gate);
    for (uint32_t i = 0; i < c->o.workers; i++) thread_join(&c->workers[i].thread);
    gate_done(&c->gate);
    mem_give(c);
}
