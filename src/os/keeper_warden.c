/* The process between the keeper and a command: it adopts what the command leaves behind, ends that
 * when the command has ended, and says how. Runs after fork: system calls only, no memory. */
#include "os/keeper_wire.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const int IGNORED[] = {SIGINT, SIGHUP, SIGPIPE}; /* by a warden, not by its commands */

static void usual_signals(void)
{
    sigset_t none;
    sigemptyset(&none);
    for (int s = 1; s < NSIG; s++) signal(s, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void say(int ear, struct warden_word word)
{
    while (send(ear, &word, sizeof word, MSG_NOSIGNAL) < 0 && errno == EINTR) {
    }
}

/* Where a program was found the last time, so that the next command by its name does not look
 * through its PATH once more; as a shell remembers it, but not for long. */
struct found_program {
    char path[4096], name[256], at[4096];
    int64_t until_s;
};

static int64_t now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
    return t.tv_sec;
}

static const char *path_of(const char *const *environment)
{
    for (; environment && *environment; environment++)
        if (strncmp(*environment, "PATH=", 5) == 0) return *environment + 5;
    return NULL;
}

static bool is_program(const char *file)
{
    struct stat s;
    return stat(file, &s) == 0 && S_ISREG(s.st_mode) && access(file, X_OK) == 0;
}

/* NULL: whoever starts it looks for it, and knows why it is not there. */
static const char *find_program(const char *name, const char *path)
{
    enum { REMEMBERED_S = 5 };
    static struct found_program f; /* the warden's: it has one command at a time */
    if (!path || !*name || strchr(name, '/') || strlen(name) >= sizeof f.name ||
        strlen(path) >= sizeof f.path)
        return NULL;
    bool same = strcmp(f.name, name) == 0 && strcmp(f.path, path) == 0;
    if (same && now_s() < f.until_s) return f.at;
    f.name[0] = 0;
    memcpy(f.path, path, strlen(path) + 1);
    while (*path) {
        size_t len = strcspn(path, ":");
        /* a relative folder means another file in another working directory */
        if (path[0] != '/' || len + strlen(name) + 2 > sizeof f.at) return NULL;
        memcpy(f.at, path, len);
        f.at[len] = '/';
        memcpy(f.at + len + 1, name, strlen(name) + 1);
        if (is_program(f.at)) break;
        path += len + (path[len] == ':');
    }
    if (!*path) return NULL;
    memcpy(f.name, name, strlen(name) + 1);
    f.until_s = now_s() + REMEMBERED_S;
    return f.at;
}

struct becoming {
    const struct keeper_child *c;
    const char *program; /* NULL: to be looked for */
    int input, output;   /* the command's ends; output is standard output and error */
    int warden;
    int error; /* why it could not become it */
};

static int become(void *arg)
{
    struct becoming *b = arg;
    const struct keeper_child *c = b->c;
    for (size_t i = 0; i < COUNT_OF(IGNORED); i++) signal(IGNORED[i], SIG_DFL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != b->warden) _exit(127);
    setsid();
    bool ready = dup2(b->input, 0) >= 0 && dup2(b->output, 1) >= 0 && dup2(b->output, 2) >= 0 &&
                 (!c->directory[0] || chdir(c->directory) == 0);
    if (ready) {
        syscall(SYS_close_range, 3, ~0u, 0);
        if (b->program)
            execve(b->program, (char *const *)(uintptr_t)c->argv,
                   (char *const *)(uintptr_t)c->environment);
        environ = (char **)(uintptr_t)c->environment; /* execvp looks into its PATH, … */
        execvp(c->argv[0], (char *const *)(uintptr_t)c->argv);
    }
    b->error = errno;
    _exit(127);
}

/* As vfork does, the child runs in our memory while we wait for its exec, so that nothing of that
 * is copied; on a stack of its own, since exec's search and a script's arguments take much. 0 in
 * b->error: it runs. */
static pid_t start_command(struct becoming *b)
{
    enum { STACK = 2 << 20 };
    static uint8_t *stack;
    if (!stack) {
        void *room = mmap(NULL, STACK, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
        stack = room == MAP_FAILED ? NULL : room;
    }
    b->warden = (int)getpid();
    b->error = 0;
    pid_t child = stack ? clone(become, stack + STACK, CLONE_VM | CLONE_VFORK | SIGCHLD, b) : -1;
    if (child < 0) b->error = errno;
    if (b->error && child > 0) (void)waitpid(child, NULL, 0);
    return child;
}

/* The number that stands at the text; 0: none. */
static pid_t number_at(const char **at, const char *end)
{
    long n = 0;
    while (*at < end && **at == ' ') (*at)++;
    for (; *at < end && **at >= '0' && **at <= '9'; (*at)++) n = n * 10 + (**at - '0');
    return (pid_t)n;
}

static bool any_child(void)
{
    siginfo_t who;
    return waitid(P_ALL, 0, &who, WEXITED | WNOHANG | WNOWAIT) == 0;
}

/* Ends whatever the command has left: each death makes its children ours, until there are none. */
static uint32_t end_children(void)
{
    uint32_t ended = 0;
    char text[4096];
    for (int turn = 0; turn < 1000 && any_child(); turn++) {
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

/* The next order's descriptors; false: the keeper wants no more. */
static bool hear_order(int ear, int *input, int *output)
{
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(2 * sizeof(int))];
    } control;
    char go;
    struct iovec one = {&go, 1};
    struct msghdr m = {.msg_iov = &one,
                       .msg_iovlen = 1,
                       .msg_control = control.room,
                       .msg_controllen = sizeof control.room};
    ssize_t n;
    do n = recvmsg(ear, &m, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    struct cmsghdr *head = n == 1 ? CMSG_FIRSTHDR(&m) : NULL;
    if (!head || head->cmsg_type != SCM_RIGHTS || head->cmsg_len != CMSG_LEN(2 * sizeof(int)))
        return false;
    int fds[2];
    memcpy(fds, CMSG_DATA(head), sizeof fds);
    *input = fds[0];
    *output = fds[1];
    return true;
}

/* One command, to the end of all that it leaves; false: some of that is left. */
static bool carry_out(const struct keeper_child *c, int ear, int input, int output)
{
    int status = 0;
    struct becoming b = {.c = c,
                         .program = find_program(c->argv[0], path_of(c->environment)),
                         .input = input,
                         .output = output};
    pid_t child = start_command(&b);
    close(input);
    close(output); /* so that the pipe ends with the command, not with us */
    if (b.error) {
        say(ear, (struct warden_word){WARDEN_CAN_NOT, 0, b.error, 0, 0, false});
        return true;
    }
    say(ear, (struct warden_word){WARDEN_RUNS, (int)child, 0, 0, 0, false});
    /* others that were left to us may end before it */
    for (pid_t got; (got = waitpid(-1, &status, 0)) != child;)
        if (got < 0 && errno != EINTR) break;
    uint32_t left = end_children();
    bool leaves = any_child();
    say(ear, (struct warden_word){WARDEN_OVER, (int)child, 0, status, left, leaves});
    return !leaves;
}

_Noreturn void keeper_warden(const struct keeper_child *desk, int ear, int keeper_pid)
{
    int input, output;
    usual_signals();
    /* the keeper's other descriptors are not ours: who reads to a pipe's end would wait for us */
    if (ear > 3) syscall(SYS_close_range, 3, (unsigned)ear - 1, 0);
    syscall(SYS_close_range, (unsigned)MAX(ear, 2) + 1, ~0u, 0);
    /* of a terminal: the keeper decides */
    for (size_t i = 0; i < COUNT_OF(IGNORED); i++) signal(IGNORED[i], SIG_IGN);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    prctl(PR_SET_NAME, "sluice-warden");
    if (getppid() != keeper_pid) _exit(1);
    while (hear_order(ear, &input, &output) && carry_out(desk, ear, input, output)) {
    }
    _exit(0);
}
