/* os/loop: one thread's event loop. An object that lives on a loop is touched by that loop only;
 * others send it a message with loop_post.
 *
 * Loop: callbacks run on the loop's own thread. Memory: one per named loop. Limit: `posts_max`
 * messages wait; a full queue is ERR_BUSY, and the sender keeps its work.
 */
#pragma once
#include "base/mem.h"

struct loop;
struct loop_timer;

MUST_CHECK err_t loop_new(const char *name, size_t posts_max, struct loop **out, struct diag *d);
void loop_free(struct loop *l);
void loop_run(struct loop *l);  /* until loop_stop */
void loop_stop(struct loop *l); /* any thread */
/* Any thread: run fn(arg) on the loop, in order of posting. */
MUST_CHECK err_t loop_post(struct loop *l, void (*fn)(void *), void *arg);
/* The same with the sender's own memory for the message: never refused, so that an answer is never
 * lost. `m` is the loop's until fn is called; fn(m) then runs once, in order with the posts' own
 * queue not guaranteed. After loop_stop it runs when the loop drains, or never when the loop has
 * ended: whoever sends then must have been stopped first. */
struct loop_message {
    void (*fn)(struct loop_message *m);
    struct loop_message *next;
};
void loop_send(struct loop *l, struct loop_message *m, void (*fn)(struct loop_message *m));
/* Between these two, what the calling thread sends wakes nobody; then each loop that got something
 * is woken once. For whoever has many answers at once; nothing may wait in between. */
void loop_hold(void);
void loop_release(void);
bool loop_here(const struct loop *l); /* is this the loop's thread? for assertions */

/* Calls back after delay_ms, then every repeat_ms (0: once). */
MUST_CHECK err_t loop_timer_new(struct loop *l, int64_t delay_ms, int64_t repeat_ms,
                                void (*fn)(void *), void *arg, struct loop_timer **out);
void loop_timer_set(struct loop_timer *t, int64_t delay_ms); /* once more, or otherwise than set */
void loop_timer_free(struct loop_timer *t); /* NULL is fine; also from its own callback */
/* Calls back on the loop for SIGTERM, SIGINT … */
MUST_CHECK err_t loop_signal(struct loop *l, int signal, void (*fn)(void *, int), void *arg);
/* Watches a file descriptor (a child's pipe). fn gets what is ready: 1 readable, 2 writable. */
struct loop_watch;
MUST_CHECK err_t loop_watch_new(struct loop *l, int fd, int wanted, void (*fn)(void *, int ready),
                                void *arg, struct loop_watch **out);
void loop_watch_free(struct loop_watch *w);

struct event_base;
struct event_base *loop_base(struct loop *l); /* os only: net, tls and http build on it */
