#include "sched/workshop_int.h"

/* A thread is started when something waits and none is idle; it stays. */

static void worker_run(void *arg)
{
    struct worker *t = arg;
    struct workshop *w = t->w;
    gate_enter(&w->gate);
    while (!w->closing) {
        struct chore *j = w->first;
        if (!j) {
            w->idle++;
            gate_wait(&w->gate);
            w->idle--;
            continue;
        }
        w->first = j->next;
        if (!w->first) w->last = NULL;
        gate_leave(&w->gate);
        j->run(j, t); /* gone afterwards */
        gate_enter(&w->gate);
    }
    gate_leave(&w->gate);
}

static err_t worker_start(struct workshop *w, struct diag *d)
{
    struct worker *t = mem_take(sizeof(*t));
    if (!t) return diag_fail(d, ERR_NO_MEMORY, "no memory for a thread of tasks");
    t->w = w;
    t->next = w->workers;
    err_t e = thread_start(&t->thread, "sched-work", worker_run, t, d);
    if (e) {
        mem_give(t);
        return e;
    }
    w->workers = t;
    w->worker_count++;
    return ERR_OK;
}

err_t workshop_chore(struct workshop *w, struct chore *j, struct diag *d)
{
    err_t e = ERR_OK;
    int32_t waiting = 1;
    gate_enter(&w->gate);
    for (const struct chore *at = w->first; at && waiting <= w->idle; at = at->next) waiting++;
    if (w->idle < waiting && w->worker_count < w->o.threads_max) e = worker_start(w, d);
    if (e && w->worker_count > 0) e = ERR_OK; /* those there are will come to it */
    if (!e) {
        j->next = NULL;
        if (w->last)
            w->last->next = j;
        else
            w->first = j;
        w->last = j;
        gate_wake(&w->gate);
    }
    gate_leave(&w->gate);
    return e;
}

void workshop_join(struct workshop *w)
{
    gate_enter(&w->gate);
    w->closing = true;
    gate_wake(&w->gate);
    gate_leave(&w->gate);
    while (w->workers) {
        struct worker *t = w->workers;
        w->workers = t->next;
        thread_join(&t->thread);
        meta_close(t->meta);
        mem_give(t);
    }
    w->first = w->last = NULL;
}

err_t worker_meta(struct worker *t, struct meta **out, struct diag *d)
{
    const struct sched_options *o = &t->w->so;
    *out = t->meta;
    if (t->meta) return ERR_OK;
    err_t e = sched_meta_open(o->data_dir, o->database, o->key_file, &t->meta, d);
    if (!e) e = meta_files_set(t->meta, o->project_dir, d);
    *out = t->meta;
    return e;
}
