/* The process between the keeper and a command: it adopts what the command leaves behind, ends that
 * when the command has ended, and says how. Runs after fork: system calls only, no memory. */
#include "os/keeper_wire.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void usual_signals(void)
{
    sigset_t none;
    sigemptyset(&none);
    for (int s = 1; s < NSIG; s++) signal(s, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void say(int fd, struct warden_word word)
{
    while (write(fd, &word, sizeof word) < 0 && errno == EINTR) {
    }
}

_Noreturn static void become(const struct keeper_child *c, int failed, int warden)
{
    usual_signals();
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != warden) _exit(127);
    setsid();
    bool ready = dup2(c->input, 0) >= 0 && dup2(c->output, 1) >= 0 && dup2(c->output, 2) >= 0 &&
                 (!c->directory[0] || chdir(c->directory) == 0);
    int kept = fcntl(failed, F_DUPFD_CLOEXEC, 10);
    syscall(SYS_close_range, 3, 9, 0);
    syscall(SYS_close_range, 3, ~0u, 1u << 2 /* CLOSE_RANGE_CLOEXEC */);
    environ = (char **)(uintptr_t)c->environment; /* execvp looks into its PATH */
    if (ready) execvp(c->argv[0], (char *const *)(uintptr_t)c->argv);
    int error = errno;
    while (write(kept, &error, sizeof error) < 0 && errno == EINTR) {
    }
    _exit(127);
}

/* The number that stands at the text; 0: none. */
static pid_t number_at(const char **at, const char *end)
{
    long n = 0;
    while (*at < end && **at == ' ') (*at)++;
    for (; *at < end && **at >= '0' && **at <= '9'; (*at)++) n = n * 10 + (**at - '0');
    return (pid_t)n;
}

/* Ends whatever the command has left: each death makes its children ours, until there are none. */
static uint32_t end_children(void)
{
    uint32_t ended = 0;
    char text[4096];
    for (int turn = 0; turn < 1000; turn++) {
        int fd = open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
        ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text);
        if (fd >= 0) close(fd);
        const char *at = text, *end = text + (n > 0 ? n : 0);
        for (pid_t pid; (pid = number_at(&at, end)) > 0;)
            if (kill(pid, SIGKILL) != 0) break;
        int status;
        pid_t got = waitpid(-1, &status, n > 0 ? 0 : WNOHANG);
        if (got <= 0) break;
        ended++;
    }
    return ended;
}

/* The keeper's other descriptors are not ours: whoever reads to the end of a pipe would wait for
 * us.
 */
static void keep_only(int a, int b, int c)
{
    int fds[3] = {MIN(a, MIN(b, c)), a + b + c - MIN(a, MIN(b, c)) - MAX(a, MAX(b, c)),
                  MAX(a, MAX(b, c))};
    unsigned from = 3;
    for (int i = 0; i < 3; i++) {
        if ((unsigned)fds[i] > from) syscall(SYS_close_range, from, (unsigned)fds[i] - 1, 0);
        from = (unsigned)fds[i] + 1;
    }
    syscall(SYS_close_range, from, ~0u, 0);
}

_Noreturn void keeper_warden(const struct keeper_child *c)
{
    int failed[2], error = 0, status = 0, self = (int)getpid();
    usual_signals();
    keep_only(c->input, c->output, c->report);
    signal(SIGINT, SIG_IGN); /* of a terminal: the keeper decides */
    signal(SIGHUP, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    prctl(PR_SET_NAME, "sluice-warden");
    if (getppid() != c->keeper_pid || pipe2(failed, O_CLOEXEC) != 0) _exit(1);
    pid_t child = fork();
    if (child == 0) become(c, failed[1], self);
    int fork_error = errno;
    close(failed[1]);
    close(c->input);
    close(c->output); /* so that the pipe ends with the command, not with us */
    ssize_t n = 0;
    if (child > 0) {
        do n = read(failed[0], &error, sizeof error);
        while (n < 0 && errno == EINTR);
    }
    if (child < 0 || n == sizeof error) {
        say(c->report,
            (struct warden_word){WARDEN_CAN_NOT, 0, child < 0 ? fork_error : error, 0, 0});
        _exit(0);
    }
    say(c->report, (struct warden_word){WARDEN_RUNS, (int)child, 0, 0, 0});
    /* others that were left to us may end before it */
    for (pid_t got; (got = waitpid(-1, &status, 0)) != child;)
        if (got < 0 && errno != EINTR) break;
    uint32_t left = end_children();
    say(c->report, (struct warden_word){WARDEN_OVER, (int)child, 0, status, left});
    _exit(0);
}
