/* The parent of the server: starts it, passes signals on, keeps its last words, starts it again.
 * It does little, so that it has little to fail at: no loop, no threads, no memory but the tail. */
#include "base/bytes.h"
#include "base/say.h"
#include "os/child.h"
#include "os/clock.h"
#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum {
    TAIL = 16384,
    DELAY_FIRST_MS = 100,
    DELAY_MOST_MS = 10000,
    LIFE_MS = 60000,
    LAST_MS = 200,
    STRANGERS_MS = 2000
};

struct supervisor {
    const char *last_words_path;
    int signals;      /* signalfd */
    int words;        /* the child's standard error, our end */
    bool by_terminal; /* … through a pseudo-terminal */
    pid_t child;      /* 0: none runs */
    bool stopping;    /* SIGTERM or SIGINT has come */
    sigset_t before;  /* the signal mask we were called with */
    uint64_t said;    /* bytes of standard error so far; the last TAIL of them are kept */
    char tail[TAIL];
    struct supervise_beside beside;        /* again NULL: nobody is beside it */
    int64_t beside_at_ms, beside_delay_ms; /* when it is started again; 0: it runs */
    int64_t beside_born_ms;
};
static struct supervisor only; /* one a process; 16 KiB */

/* A pair for the child's standard error: ours, its. A pipe, or a raw pseudo-terminal. */
static bool open_words(struct supervisor *s, int *theirs)
{
    int pair[2];
    s->by_terminal = isatty(STDERR_FILENO);
    if (s->by_terminal) {
        struct winsize size;
        struct termios mode;
        char name[64];
        s->words = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
        if (s->words >= 0 && grantpt(s->words) == 0 && unlockpt(s->words) == 0 &&
            ptsname_r(s->words, name, sizeof(name)) == 0 &&
            (*theirs = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC)) >= 0) {
            if (tcgetattr(*theirs, &mode) == 0) {
                cfmakeraw(&mode); /* the real terminal turns \n into what it needs */
                (void)tcsetattr(*theirs, TCSANOW, &mode);
            }
            if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0)
                (void)ioctl(s->words, TIOCSWINSZ, &size);
            return true;
        }
        if (s->words >= 0) close(s->words);
        s->by_terminal = false;
    }
    if (pipe2(pair, O_CLOEXEC) != 0) return false;
    s->words = pair[0];
    *theirs = pair[1];
    return true;
}

static void hear(struct supervisor *s)
{
    char bytes[4096];
    for (int turn = 0; turn < 64; turn++) {
        struct pollfd p = {.fd = s->words, .events = POLLIN};
        ssize_t n = poll(&p, 1, 0) == 1 ? read(s->words, bytes, sizeof(bytes)) : 0;
        if (n <= 0) return; /* nothing now, or EIO: nobody holds the pseudo-terminal any more */
        for (ssize_t i = 0; i < n; i++) s->tail[s->said++ % TAIL] = bytes[i];
        for (ssize_t at = 0, w; at < n; at += w)
            if ((w = write(STDERR_FILENO, bytes + at, (size_t)(n - at))) <= 0) break;
    }
}

static void describe_end(int status, char *out, size_t cap)
{
    if (WIFSIGNALED(status))
        snprintf(out, cap, "signal %d (%s)%s", WTERMSIG(status), strsignal(WTERMSIG(status)),
                 WCOREDUMP(status) ? ", core dumped" : "");
    else
        snprintf(out, cap, "exit code %d", WEXITSTATUS(status));
}

static void keep_last_words(struct supervisor *s, const char *ended)
{
    struct diag d;
    struct buf b = buf_make(TAIL + 512);
    char when[32], parent[4096];
    struct tm t;
    time_t now = (time_t)(clock_wall_ms() / 1000);
    gmtime_r(&now, &t);
    strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &t);
    buf_printf(&b, "%s pid %d ended by %s; its last words:\n", when, (int)s->child, ended);
    uint64_t kept = MIN(s->said, (uint64_t)TAIL);
    for (uint64_t i = s->said - kept; i < s->said; i++) buf_char(&b, s->tail[i % TAIL]);
    const char *slash = strrchr(s->last_words_path, '/');
    err_t e = ERR_OK;
    if (slash && slash > s->last_words_path &&
        slice_to_cstr(slice_make(s->last_words_path, (size_t)(slash - s->last_words_path)), parent,
                      sizeof(parent)))
        e = dir_make(parent, &d);
    if (!e) e = file_store(s->last_words_path, buf_view(&b), &d);
    if (e) say_diag(SAY_OS, SAY_WARN, "the server's last words can not be kept", &d);
    buf_done(&b);
}

/* What the terminal sends reaches the whole foreground group, the child included: passing it on
 * would double a Ctrl-C. What another process sends reaches us alone. */
static void take_signal(struct supervisor *s)
{
    struct signalfd_siginfo info;
    if (read(s->signals, &info, sizeof(info)) != sizeof(info)) return;
    int number = (int)info.ssi_signo;
    if (number == SIGCHLD) return; /* server_ended will see */
    if (number == SIGWINCH) {
        struct winsize size;
        if (s->by_terminal && s->words >= 0 && ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0)
            (void)ioctl(s->words, TIOCSWINSZ, &size);
        return;
    }
    if (number != SIGHUP) s->stopping = true;
    if (s->child && info.ssi_code <= 0) kill(s->child, number);
}

/* Waits for words, a signal, or the time's end. */
static void wait_ms(struct supervisor *s, int timeout_ms)
{
    struct pollfd p[2] = {{.fd = s->signals, .events = POLLIN}, {.fd = s->words, .events = POLLIN}};
    if (poll(p, 2, timeout_ms) <= 0) return;
    if (p[0].revents) take_signal(s);
    if (p[1].revents & POLLIN) {
        hear(s);
    } else if (p[1].revents) { /* standard error was closed; its end is still to come */
        close(s->words);
        s->words = -1;
    }
}

_Noreturn static void be_child(struct supervisor *s, int theirs, int (*serve)(void *), void *arg,
                               pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) _exit(EXIT_FAILURE); /* gone between fork and prctl */
    sigprocmask(SIG_SETMASK, &s->before, NULL);
    if (dup2(theirs, STDERR_FILENO) < 0) _exit(EXIT_FAILURE);
    close(theirs);
    close(s->words);
    close(s->signals);
    exit(serve(arg));
}

/* The real clock: the fake one may be frozen. */
static int64_t real_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void beside_ended(struct supervisor *s)
{
    int64_t now = real_ms();
    s->beside.pid = 0;
    if (!s->beside.again || s->stopping) return;
    if (now - s->beside_born_ms >= LIFE_MS) s->beside_delay_ms = 0;
    s->beside_delay_ms =
        MIN(MAX(2 * s->beside_delay_ms, (int64_t)DELAY_FIRST_MS), (int64_t)DELAY_MOST_MS);
    s->beside_at_ms = now + s->beside_delay_ms;
}

/* What it had started, and has left to us: each death makes its children ours, until there are
 * none.
 */
static void end_strangers(const struct supervisor *s)
{
    static char text[16 << 10];
    bool any = true;
    for (int turn = 0; any && turn < STRANGERS_MS; turn++) {
        int fd = open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
        ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
        if (fd >= 0) close(fd);
        text[n > 0 ? n : 0] = 0;
        any = false;
        char *at = text;
        for (pid_t pid; (pid = (pid_t)strtol(at, &at, 10)) > 0;) {
            if (pid == s->child) continue;
            any = true;
            kill(pid, SIGKILL);
            (void)waitpid(pid, NULL, WNOHANG);
        }
        if (any) (void)poll(NULL, 0, 1);
    }
}

/* Starts it when it is time; answers for how long there is nothing to do: -1, until something
 * happens. */
static int beside_look(struct supervisor *s)
{
    int64_t now = real_ms();
    if (!s->beside_at_ms || s->stopping) return -1;
    if (now < s->beside_at_ms) return (int)(s->beside_at_ms - now);
    s->beside_at_ms = 0;
    s->beside_born_ms = now;
    end_strangers(s);
    s->beside.pid = s->beside.again(s->beside.arg);
    if (s->beside.pid > 0) return -1;
    beside_ended(s);
    return (int)s->beside_delay_ms;
}

/* Takes whatever has ended: the server, and those of a command's children that it has left behind.
 * Those are ours by prctl, since what is above us may be a container's first process that waits for
 * nobody. */
static bool server_ended(struct supervisor *s, int *status)
{
    bool ended = false;
    pid_t got;
    int one;
    while ((got = waitpid(-1, &one, WNOHANG)) > 0) {
        if (got == s->beside.pid) beside_ended(s);
        if (got != s->child) continue;
        *status = one;
        ended = true;
    }
    INVARIANT(ended || got == 0);
    return ended;
}

/* One life of the server, from fork to wait. */
static int live(struct supervisor *s, int (*serve)(void *), void *arg)
{
    int theirs, status = 0;
    pid_t parent = getpid();
    s->said = 0;
    s->words = -1;
    if (!open_words(s, &theirs)) return W_EXITCODE(EXIT_FAILURE, 0);
    fflush(NULL); /* or both would write what is buffered */
    s->child = fork();
    if (s->child == 0) be_child(s, theirs, serve, arg, parent);
    close(theirs);
    if (s->child < 0) {
        say_error(SAY_OS, "the server can not be started", "why=\"%s\"", strerror(errno));
        s->child = 0;
        close(s->words);
        s->words = -1;
        return W_EXITCODE(EXIT_FAILURE, 0);
    }
    while (!server_ended(s, &status)) wait_ms(s, beside_look(s));
    if (s->words >= 0) {
        hear(s);
        close(s->words);
        s->words = -1;
    }
    return status;
}

static void pause_before_restart(struct supervisor *s, int64_t delay_ms)
{
    int64_t until = real_ms() + delay_ms;
    for (int64_t left = delay_ms; left > 0 && !s->stopping; left = until - real_ms())
        wait_ms(s, (int)left);
}

static int keep_alive(struct supervisor *s, int (*serve)(void *), void *arg, int give_up)
{
    int64_t delay = DELAY_FIRST_MS;
    for (int failed = 0;;) {
        int64_t begun = clock_mono_ns();
        int status = live(s, serve, arg);
        int code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
        char ended[96];
        describe_end(status, ended, sizeof(ended));
        bool asked = s->stopping && (!WIFSIGNALED(status) || WTERMSIG(status) == SIGTERM ||
                                     WTERMSIG(status) == SIGINT);
        if (code == 0 || code == SUPERVISE_GIVE_UP) return code;
        if (!asked) keep_last_words(s, ended);
        s->child = 0;
        if (s->stopping) return code;
        if (clock_mono_ns() - begun >= INT64_C(1000000) * LIFE_MS) {
            failed = 0;
            delay = DELAY_FIRST_MS;
        }
        if (++failed >= give_up) {
            say_error(SAY_OS, "the server keeps failing; giving up",
                      "ended=\"%s\" starts=%d last_words=%s", ended, failed, s->last_words_path);
            return code;
        }
        say_error(SAY_OS, "the server failed; starting it again",
                  "ended=\"%s\" delay_ms=%d last_words=%s", ended, (int)delay, s->last_words_path);
        pause_before_restart(s, delay);
        if (s->stopping) return 0; /* asked to end while nothing ran */
        delay = MIN(delay * 2, (int64_t)DELAY_MOST_MS);
    }
}

/* What the server has killed as it ended may still be at it; what lives on is left to itself. */
static void take_the_last(void)
{
    pid_t got = 0;
    for (int ms = 0; ms < LAST_MS && got >= 0; ms += got == 0) {
        got = waitpid(-1, NULL, WNOHANG);
        if (got == 0) (void)poll(NULL, 0, 1);
    }
}

void supervise_beside(const struct supervise_beside *b)
{
    only.beside = *b;
    only.beside_born_ms = real_ms();
}

int supervise(int (*serve)(void *arg), void *arg, const char *last_words_path, int give_up)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP, SIGCHLD, SIGWINCH};
    sigset_t set;
    struct supervisor *s = &only;
    s->last_words_path = last_words_path;
    s->child = 0;
    s->stopping = false;
    s->words = -1;
    sigemptyset(&set);
    for (size_t i = 0; i < COUNT_OF(numbers); i++) sigaddset(&set, numbers[i]);
    signal(SIGPIPE, SIG_IGN);
    INVARIANT(sigprocmask(SIG_BLOCK, &set, &s->before) == 0);
    s->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    INVARIANT(s->signals >= 0);
    INVARIANT(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
    int code = keep_alive(s, serve, arg, give_up);
    if (s->beside.end) s->beside.end(s->beside.arg, s->beside.pid);
    take_the_last();
    INVARIANT(prctl(PR_SET_CHILD_SUBREAPER, 0) == 0);
    close(s->signals);
    sigprocmask(SIG_SETMASK, &s->before, NULL);
    return code;
}
