#include "os/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EXEC_FAILED = 127 };

/* Everything below runs between fork and exec of a process that may have other threads: system
 * calls only, no memory, no locks. */
static void usual_signals(void)
{
    sigset_t none;
    sigemptyset(&none);
    for (int s = 1; s < NSIG; s++) signal(s, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Puts the three in place; copies out of the way first, since they may be each other's numbers. */
static bool place_descriptors(const int *wanted)
{
    int copies[3];
    for (int i = 0; i < 3; i++) {
        copies[i] = wanted[i] < 0 ? open("/dev/null", i == 0 ? O_RDONLY : O_WRONLY) : wanted[i];
        copies[i] = copies[i] < 0 ? -1 : fcntl(copies[i], F_DUPFD, 10);
        if (copies[i] < 0) return false;
    }
    for (int i = 0; i < 3; i++)
        if (dup2(copies[i], i) < 0) return false;
    return true;
}

_Noreturn static void become(const struct child_options *o, int parent, int report)
{
    const int wanted[3] = {o->in, o->out, o->err};
    usual_signals();
    if (o->dies_with_parent) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent) _exit(EXEC_FAILED); /* gone between fork and prctl */
    }
    if (o->own_group && setpgid(0, 0) != 0) _exit(EXEC_FAILED);
    int kept = fcntl(report, F_DUPFD_CLOEXEC, 20);
    bool ready = place_descriptors(wanted) && (!o->directory || chdir(o->directory) == 0);
    if (ready) syscall(SYS_close_range, 3, ~0u, 1u << 2 /* CLOSE_RANGE_CLOEXEC */);
    const char *const *environment = o->environment ? o->environment : (void *)environ;
    if (ready)
        execvpe(o->argv[0], (char *const *)(uintptr_t)o->argv,
                (char *const *)(uintptr_t)environment);
    int error = errno;
    if (write(kept, &error, sizeof(error)) < 0) _exit(EXEC_FAILED + 1); /* seen as an exit code */
    _exit(EXEC_FAILED);
}

err_t child_start(const struct child_options *o, int *pid, struct diag *d)
{
    int report[2], error = 0, parent = (int)getpid();
    if (pipe2(report, O_CLOEXEC) != 0) return diag_errno(d, errno, "'%s' can not run", o->argv[0]);
    pid_t child = fork();
    if (child == 0) become(o, parent, report[1]);
    int fork_error = errno;
    close(report[1]);
    ssize_t n = 0;
    if (child > 0) {
        do n = read(report[0], &error, sizeof(error));
        while (n < 0 && errno == EINTR);
    }
    close(report[0]);
    if (child < 0) return diag_errno(d, fork_error, "'%s' can not run", o->argv[0]);
    if (n == sizeof(error)) {
        (void)child_wait((int)child);
        diag_errno(d, error, "'%s' can not run", o->argv[0]);
        return o->directory ? diag_where(d, "in directory %s", o->directory)
                            : err_from_errno(error);
    }
    *pid = (int)child;
    return ERR_OK;
}

static int code_of(int status)
{
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

bool child_ended(int pid, int *exit_code)
{
    int status;
    pid_t got;
    do got = waitpid(pid, &status, WNOHANG);
    while (got < 0 && errno == EINTR);
    INVARIANT(got >= 0); /* not a child of ours, or asked twice */
    if (got == 0) return false;
    *exit_code = code_of(status);
    return true;
}

int child_wait(int pid)
{
    int status;
    pid_t got;
    do got = waitpid(pid, &status, 0);
    while (got < 0 && errno == EINTR);
    INVARIANT(got == pid);
    return code_of(status);
}

err_t child_watch(int pid, int *fd, struct diag *d)
{
    *fd = (int)syscall(SYS_pidfd_open, pid, 0); /* closes at exec by itself */
    return *fd >= 0 ? ERR_OK : diag_errno(d, errno, "process %d can not be watched", pid);
}
