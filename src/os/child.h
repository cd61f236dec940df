/* os/child: child processes, and the supervisor that restarts the server. */
#pragma once
#include "os/loop.h"

struct child_options {
    const char *const *argv; /* NULL-terminated */
    const char *directory;   /* NULL: ours */
    int in, out, err;        /* descriptors for the child; -1: /dev/null */
    bool dies_with_parent;   /* SIGKILL when this process is gone */
};
MUST_CHECK err_t child_start(const struct child_options *o, int *pid, struct diag *d);
/* Runs `serve(arg)` in a child; restarts it when it dies of a signal or a non-zero exit, after
 * 0.1, 0.2, 0.4 … 10 s; passes SIGTERM, SIGINT and SIGHUP on; keeps its last words (standard
 * error's end) in `last_words_path`. A clean exit, or `give_up` failed starts without a minute of
 * life between, ends it: returns the exit code. The child learns of its parent's death by a signal.
 */
/* `last_words_path`'s directory may not exist yet. An exit with SUPERVISE_GIVE_UP ends it at once:
 * no restart makes a wrong configuration right. */
enum { SUPERVISE_GIVE_UP = 78 };
int supervise(int (*serve)(void *arg), void *arg, const char *last_words_path, int give_up);
