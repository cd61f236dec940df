/* os/thread: named threads, and the two ways they may meet: a mutex with a condition (log, store
 * and mailboxes only; docs/locks.md lists each), and a bounded mailbox (everything else).
 */
#pragma once
#include "base/mem.h"
#include <pthread.h>

struct thread {
    pthread_t id;
    bool started;
};
MUST_CHECK err_t thread_start(struct thread *t, const char *name, void (*run)(void *), void *arg,
                              struct diag *d);
void thread_join(struct thread *t); /* fine when never started */
void thread_step_back(void);        /* the calling thread gives way to all others (nice 10) */
int thread_cores(void);             /* processors this process may use */

struct gate { /* a mutex and its condition, always used together */
    pthread_mutex_t mutex;
    pthread_cond_t cond;
};
void gate_init(struct gate *g);
void gate_done(struct gate *g);
void gate_enter(struct gate *g);
void gate_leave(struct gate *g);
void gate_wait(struct gate *g);                        /* inside; spurious wake-ups happen */
bool gate_wait_ms(struct gate *g, int64_t timeout_ms); /* false when the time is over */
bool gate_wait_us(struct gate *g, int64_t timeout_us);
void gate_wake(struct gate *g); /* everyone who waits */
