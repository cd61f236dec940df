#include "coord/wait.h"

static void on_answer(struct coord_request *r)
{
    struct coord_waiting *w = r->arg;
    gate_enter(&w->gate);
    w->over = true;
    gate_wake(&w->gate);
    gate_leave(&w->gate);
}

void coord_wait_begin(struct coord_waiting *w, struct coord_request *r, struct arena *a)
{
    *w = (struct coord_waiting){.over = false};
    *r = (struct coord_request){.done = on_answer, .arg = w, .arena = a};
    gate_init(&w->gate);
}

err_t coord_wait_end(struct coord_waiting *w, struct coord_request *r, struct diag *d)
{
    gate_enter(&w->gate);
    while (!w->over) gate_wait(&w->gate);
    gate_leave(&w->gate);
    gate_done(&w->gate);
    if (r->err && d) *d = r->diag;
    if (r->err && d && d->err != r->err) (void)diag_fail(d, r->err, "%s", err_text(r->err));
    return r->err;
}
