/* door/kafka/worker: one thread on which requests wait for the disk, so that no loop does.
 *
 * Loop: its own. Memory: a loop. What was sent before worker_close still runs.
 */
#pragma once
#include "os/loop.h"

struct worker;
MUST_CHECK err_t worker_open(struct worker **out, struct diag *d);
void worker_close(struct worker *w); /* NULL is fine */
void worker_send(struct worker *w, struct loop_message *m, void (*fn)(struct loop_message *m));
