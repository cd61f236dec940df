/* The door's worker: one thread on which requests wait for the disk, so that loops never do. */
#include "door/kafka/worker.h"

#include "os/thread.h"

struct worker {
    struct loop *loop;
    struct thread thread;
};

static void worker_main(void *arg)
{
    struct worker *w = arg;
    loop_run(w->loop);
}

err_t worker_open(struct worker **out, struct diag *d)
{
    struct worker *w = mem_take(sizeof(*w));
    if (!w) return diag_fail(d, ERR_NO_MEMORY, "the Kafka door's worker can not start");
    err_t e = loop_new("kafka-work", 1, &w->loop, d);
    if (!e) e = thread_start(&w->thread, "kafka-work", worker_main, w, d);
    if (e) {
        worker_close(w);
        return e;
    }
    *out = w;
    return ERR_OK;
}

void worker_close(struct worker *w)
{
    if (!w) return;
    if (w->loop) loop_stop(w->loop);
    thread_join(&w->thread); /* what was sent before still runs */
    loop_free(w->loop);
    mem_give(w);
}

void worker_send(struct worker *w, struct loop_message *m, void (*fn)(struct loop_message *m))
{
    loop_send(w->loop, m, fn);
}
