/* The loop: posts run in order on its thread, a full mailbox refuses and nothing taken is dropped;
 * timers, signals and watched descriptors call back. Method: real threads and pipes. */
#include "os/clock.h"
#include "os/loop.h"
#include "os/thread.h"

#include "test.h"
#include <signal.h>
#include <unistd.h>

struct seen {
    struct loop *loop;
    int next, wrong, not_here;
};
struct message {
    struct seen *seen;
    int number;
};

static void run_loop(void *arg)
{
    loop_run(arg);
}

static void take_message(void *arg)
{
    struct message *m = arg;
    if (m->number != m->seen->next++) m->seen->wrong++;
    if (!loop_here(m->seen->loop)) m->seen->not_here++;
}

TEST(posts_run_in_order_on_the_loops_thread_and_none_that_was_taken_is_lost)
{
    enum { MESSAGES = 20000 };
    static struct message messages[MESSAGES];
    struct seen seen = {0};
    struct thread t = {0};
    struct diag d;
    int busy = 0;
    CHECK_OK(loop_new("test", 64, &seen.loop, &d), &d);
    CHECK_OK(thread_start(&t, "test", run_loop, seen.loop, &d), &d);
    for (int i = 0; i < MESSAGES; i++) {
        messages[i] = (struct message){&seen, i};
        err_t e;
        while ((e = loop_post(seen.loop, take_message, &messages[i])) == ERR_BUSY) busy++;
        CHECK_ERR(e, ERR_OK);
    }
    CHECK(busy > 0);
    loop_stop(seen.loop);
    thread_join(&t);
    CHECK_INT(seen.next, MESSAGES);
    CHECK_INT(seen.wrong, 0);
    CHECK_INT(seen.not_here, 0);
    CHECK_ERR(loop_post(seen.loop, take_message, &messages[0]), ERR_STOPPED);
    loop_free(seen.loop);
}

struct letter {
    struct loop_message m; /* first: the loop hands back this */
    struct message message;
};

static void take_letter(struct loop_message *m)
{
    take_message(&((struct letter *)m)->message);
}

TEST(what_is_sent_in_the_senders_own_memory_always_arrives_in_order)
{
    enum { LETTERS = 20000 };
    static struct letter letters[LETTERS];
    struct seen seen = {0};
    struct thread t = {0};
    struct diag d;
    CHECK_OK(loop_new("test", 1, &seen.loop, &d), &d);
    CHECK_OK(thread_start(&t, "test", run_loop, seen.loop, &d), &d);
    for (int i = 0; i < LETTERS; i++) {
        letters[i].message = (struct message){&seen, i};
        loop_send(seen.loop, &letters[i].m, take_letter);
    }
    loop_stop(seen.loop);
    thread_join(&t);
    CHECK_INT(seen.next, LETTERS);
    CHECK_INT(seen.wrong, 0);
    CHECK_INT(seen.not_here, 0);
    loop_free(seen.loop);
}

/* Every round is told once, at its end. */
static void send_held(void *arg)
{
    enum { ROUNDS = 5000, EACH = 4 };
    static struct letter letters[ROUNDS][EACH];
    struct seen *seen = arg;
    for (int i = 0; i < ROUNDS; i++) {
        loop_hold();
        for (int k = 0; k < EACH; k++) {
            letters[i][k].message = (struct message){seen, i * EACH + k};
            loop_send(seen->loop, &letters[i][k].m, take_letter);
        }
        loop_release();
    }
}

TEST(what_is_sent_while_held_arrives_when_it_is_released)
{
    struct seen seen = {0};
    struct thread t = {0}, sender = {0};
    struct diag d;
    for (int round = 0; round < 3; round++) {
        seen = (struct seen){0};
        CHECK_OK(loop_new("test", 1, &seen.loop, &d), &d);
        CHECK_OK(thread_start(&t, "test", run_loop, seen.loop, &d), &d);
        CHECK_OK(thread_start(&sender, "sender", send_held, &seen, &d), &d);
        thread_join(&sender);
        loop_stop(seen.loop);
        thread_join(&t);
        CHECK_INT(seen.next, 20000);
        CHECK_INT(seen.wrong, 0);
        loop_free(seen.loop);
    }
}

TEST(a_full_mailbox_refuses)
{
    struct seen seen = {0};
    struct message m = {&seen, 0};
    struct diag d;
    CHECK_OK(loop_new("test", 2, &seen.loop, &d), &d);
    CHECK_ERR(loop_post(seen.loop, take_message, &m), ERR_OK);
    CHECK_ERR(loop_post(seen.loop, take_message, &m), ERR_OK);
    CHECK_ERR(loop_post(seen.loop, take_message, &m), ERR_BUSY);
    loop_stop(seen.loop);
    loop_run(seen.loop);
    CHECK_INT(seen.next, 2);
    loop_free(seen.loop);
}

struct ringing {
    struct loop *loop;
    struct loop_timer *repeated, *once;
    struct loop_watch *watch;
    int rings, once_rings, signals, pipe[2];
    char read_back[8];
};

static void rings_once(void *arg)
{
    struct ringing *r = arg;
    r->once_rings++;
    loop_timer_free(r->once);
}

static void rings_again(void *arg)
{
    struct ringing *r = arg;
    if (++r->rings < 3) return;
    loop_timer_free(r->repeated); /* from its own callback */
    raise(SIGUSR2);
}

static void got_signal(void *arg, int number)
{
    struct ringing *r = arg;
    r->signals += number == SIGUSR2;
    CHECK_INT(write(r->pipe[1], "bye", 4), 4);
}

static void got_bytes(void *arg, int ready)
{
    struct ringing *r = arg;
    CHECK_INT(ready, 1);
    CHECK_INT(read(r->pipe[0], r->read_back, sizeof(r->read_back)), 4);
    loop_watch_free(r->watch);
    loop_stop(r->loop);
}

TEST(timers_signals_and_descriptors_call_back)
{
    struct ringing r = {0};
    struct diag d;
    INVARIANT(pipe(r.pipe) == 0);
    CHECK_OK(loop_new("test", 2, &r.loop, &d), &d);
    CHECK_ERR(loop_signal(r.loop, SIGUSR2, got_signal, &r), ERR_OK);
    CHECK_ERR(loop_watch_new(r.loop, r.pipe[0], 1, got_bytes, &r, &r.watch), ERR_OK);
    CHECK_ERR(loop_timer_new(r.loop, 0, 0, rings_once, &r, &r.once), ERR_OK);
    CHECK_ERR(loop_timer_new(r.loop, 1, 2, rings_again, &r, &r.repeated), ERR_OK);
    int64_t before = clock_mono_ns();
    loop_run(r.loop);
    CHECK(clock_mono_ns() - before >= 4 * 1000000);
    CHECK_INT(r.once_rings, 1);
    CHECK_INT(r.rings, 3);
    CHECK_INT(r.signals, 1);
    CHECK_TEXT(r.read_back, "bye");
    loop_free(r.loop);
    close(r.pipe[0]), close(r.pipe[1]);
}

TEST(a_loop_gives_all_its_memory_back_also_when_it_can_not_start)
{
    struct loop *l;
    struct diag d;
    CHECK_OK(loop_new("warm", 16, &l, &d), &d); /* libevent keeps a little for the process */
    loop_free(l);
    size_t held = mem_held();
    err_t e = ERR_NO_MEMORY;
    for (uint64_t n = 1; e && n < 200; n++) {
        mem_fail_at(n);
        e = loop_new("test", 16, &l, &d);
        mem_fail_at(0);
        if (!e) loop_free(l);
        CHECK_INT(mem_held(), held);
    }
    CHECK_ERR(e, ERR_OK);
}
