/* os/child: child processes, and the supervisor that restarts the server. */
#pragma once
#include "os/loop.h"

struct child_options {
    const char *const *argv;        /* NULL-terminated; argv[0] is looked for in PATH */
    const char *directory;          /* NULL: ours */
    int in, out, err;               /* descriptors for the child; -1: /dev/null */
    const char *const *environment; /* "NAME=value", NULL-terminated; NULL: ours */
    bool own_group;                 /* it leads a process group of its own */
    bool dies_with_parent;          /* SIGKILL when the thread that started it is gone */
};
/* No descriptor but those three reaches the child, and its signals are the usual ones again. A
 * program that cannot be run is an error here, not an exit code there. */
MUST_CHECK err_t child_start(const struct child_options *o, int *pid, struct diag *d);
/* How it ended: its exit code, or 128 + the signal. child_ended never waits: false, still runs. */
bool child_ended(int pid, int *exit_code);
int child_wait(int pid);
/* Readable (loop_watch_new) when the child has ended; the caller closes it. */
MUST_CHECK err_t child_watch(int pid, int *fd, struct diag *d);

/* Runs `serve(arg)` in a child; restarts it when it dies of a signal or a non-zero exit, after
 * 0.1, 0.2, 0.4 … 10 s; passes SIGTERM, SIGINT and SIGHUP on; keeps its last words (standard
 * error's end, and how it ended) in `last_words_path`, whose directory may not exist yet. A clean
 * exit, any end after SIGTERM or SIGINT, or `give_up` failed starts without a minute of life
 * between, ends it: returns the exit code, or 128 + the signal. An exit with SUPERVISE_GIVE_UP ends
 * it at once: no restart makes a wrong configuration right. When this process is killed the child
 * gets SIGTERM. A terminal stays one for the child: its standard error goes through a
 * pseudo-terminal then. What commands of the server leave behind becomes this process' and is
 * waited for. Call it before the first thread is started; another child of the
 * caller is left alone, but for the one that supervise_beside names.
 */
enum { SUPERVISE_GIVE_UP = 78 };
/* A child of the caller's that stands beside the server. When it ends before that does, `again`
 * starts it anew and answers its pid, or 0: it can not, and is asked again; after 0.1, 0.2 … 10 s
 * when it has not lived a minute. What it had started and left to us is ended
 * before. `end` is called once, when the server has ended for good, before
 * its last children are waited for. */
struct supervise_beside {
    int (*again)(void *arg);
    void (*end)(void *arg, int pid); /* pid 0: it has ended already */
    void *arg;
    int pid; /* 0: none so far */
};
void supervise_beside(const struct supervise_beside *b);
int supervise(int (*serve)(void *arg), void *arg, const char *last_words_path, int give_up);
