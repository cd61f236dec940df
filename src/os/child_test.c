/* Children and the supervisor. Method: real processes; what they did is seen in shared memory, in
 * pipes that close when they die, and in the files they leave. */
#include "os/child.h"

#include "os/clock.h"
#include "os/file.h"
#include "os/test_peer.h"
#include "test.h"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- children --------------------------------------------------------------------------------- */

static const char *run(const char *script, const char *directory, int *code)
{
    static char out[1024];
    const char *const argv[] = {"sh", "-c", script, NULL};
    struct diag d;
    int pipes[2], pid = 0;
    INVARIANT(pipe2(pipes, O_CLOEXEC) == 0);
    struct child_options o = {.argv = argv, .directory = directory, .in = -1, .out = pipes[1]};
    o.err = pipes[1];
    CHECK_OK(child_start(&o, &pid, &d), &d);
    close(pipes[1]);
    size_t len = 0;
    for (ssize_t n; (n = read(pipes[0], out + len, sizeof(out) - 1 - len)) > 0;) len += (size_t)n;
    out[len] = 0;
    close(pipes[0]);
    *code = child_wait(pid);
    return out;
}

TEST(a_child_gets_its_three_descriptors_its_directory_and_usual_signals)
{
    int code;
    CHECK_TEXT(run("cat; echo out; echo err >&2; exit 3", NULL, &code), "out\nerr\n");
    CHECK_INT(code, 3);
    CHECK_TEXT(run("pwd", "/usr", &code), "/usr\n");
    sigset_t set, before;
    sigfillset(&set);
    sigprocmask(SIG_SETMASK, &set, &before);
    signal(SIGPIPE, SIG_IGN);
    run("kill -PIPE $$; sleep 10", NULL, &code);
    CHECK_INT(code, 128 + SIGPIPE);
    run("kill -TERM $$; sleep 10", NULL, &code);
    CHECK_INT(code, 128 + SIGTERM);
    sigprocmask(SIG_SETMASK, &before, NULL);
    int leaky = open("/dev/null", O_RDONLY); /* not close-on-exec, as a library may have it */
    const char *fds = run("ls /proc/self/fd | tr '\\n' ' '", NULL, &code);
    CHECK(slice_starts(slice_of(fds), "0 1 2 3 ") && strlen(fds) == 8); /* 3: ls's own */
    close(leaky);
}

TEST(what_can_not_run_is_an_error_here)
{
    const char *const argv[] = {"/no/such/program", NULL};
    const char *const sh[] = {"true", NULL};
    struct child_options o = {.argv = argv, .in = -1, .out = -1, .err = -1};
    struct diag d;
    int pid;
    CHECK_ERR(child_start(&o, &pid, &d), ERR_NOT_FOUND);
    CHECK(strstr(d.what, "/no/such/program") && strstr(d.why, "No such file"));
    o.argv = sh;
    o.directory = "/no/such/directory";
    CHECK_ERR(child_start(&o, &pid, &d), ERR_NOT_FOUND);
    CHECK(strstr(d.where, "/no/such/directory"));
}

TEST(a_childs_end_can_be_watched)
{
    const char *const argv[] = {"cat", NULL};
    int pipes[2], pid, fd, code;
    struct diag d;
    INVARIANT(pipe2(pipes, O_CLOEXEC) == 0);
    struct child_options o = {.argv = argv, .in = pipes[0], .out = -1, .err = -1};
    CHECK_OK(child_start(&o, &pid, &d), &d);
    close(pipes[0]);
    CHECK_OK(child_watch(pid, &fd, &d), &d);
    CHECK(!child_ended(pid, &code));
    close(pipes[1]); /* cat ends */
    struct pollfd p = {.fd = fd, .events = POLLIN};
    CHECK_INT(poll(&p, 1, PEER_WAIT_MS), 1);
    CHECK(child_ended(pid, &code) && code == 0);
    close(fd);
}

/* True when every process that holds the write end is gone. */
static bool ends(int fd)
{
    char byte;
    struct pollfd p = {.fd = fd, .events = POLLIN};
    while (poll(&p, 1, PEER_WAIT_MS) == 1)
        if (read(fd, &byte, 1) <= 0) return true;
    return false;
}

TEST(a_child_that_dies_with_its_parent_does)
{
    const char *const argv[] = {"sh", "-c", "echo; exec sleep 100", NULL};
    int pipes[2], pid;
    char byte;
    INVARIANT(pipe2(pipes, O_CLOEXEC) == 0);
    pid_t parent = fork();
    if (parent == 0) {
        struct child_options o = {.argv = argv, .in = -1, .out = pipes[1], .err = -1};
        o.dies_with_parent = true;
        if (child_start(&o, &pid, NULL)) _exit(1);
        close(pipes[1]);
        for (;;) pause();
    }
    close(pipes[1]);
    CHECK_INT(read(pipes[0], &byte, 1), 1);
    kill(parent, SIGKILL);
    CHECK_INT(child_wait((int)parent), 128 + SIGKILL);
    CHECK(ends(pipes[0]));
    close(pipes[0]);
}

/* --- the supervisor ----------------------------------------------------------------------------
 */

struct play { /* in shared memory */
    atomic_int starts, ready, got_signal, err_is_terminal, out_is_terminal, server_pid;
    _Atomic int64_t started_ns[16];
    atomic_int left_behind, left_to; /* the pid of one whose parent has ended, and its new parent */
    int crashes, give_up_code;       /* how many lives end badly, before one that waits or ends */
    bool waits, leaves;
    bool left_is_gone; /* no zombie either */
};
static struct play *play;
static volatile sig_atomic_t came;

static void on_signal(int number)
{
    came = number;
}

/* As a shell's pipeline: the server's child ends, and a child of that one lives on. */
static int leave_one(void)
{
    pid_t shell = fork();
    if (shell == 0) {
        pid_t parent = getpid(), piped = fork();
        if (piped) _exit(piped < 0);
        while (getppid() == parent) usleep(1000);
        atomic_store(&play->left_to, (int)getppid());
        atomic_store(&play->left_behind, (int)getpid());
        for (;;) pause();
    }
    int code = child_wait((int)shell), left;
    while (!(left = atomic_load(&play->left_behind))) usleep(1000);
    kill(left, SIGKILL);
    for (int i = 0; i < 5000 && kill(left, 0) == 0; i++) usleep(1000);
    play->left_is_gone = kill(left, 0) != 0;
    return code;
}

static int serve(void *arg)
{
    (void)arg;
    int life = atomic_fetch_add(&play->starts, 1);
    atomic_store(&play->started_ns[life % 16], clock_mono_ns());
    atomic_store(&play->err_is_terminal, isatty(2));
    atomic_store(&play->out_is_terminal, isatty(1));
    atomic_store(&play->server_pid, (int)getpid());
    fprintf(stderr, "life %d speaks\n", life);
    if (play->give_up_code) return play->give_up_code;
    if (play->leaves) return leave_one();
    if (life < play->crashes && life % 2 == 0) raise(SIGKILL);
    if (life < play->crashes) return 3;
    if (!play->waits) return 0;
    struct sigaction action = {.sa_handler = on_signal};
    sigset_t set, before;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM), sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, &before);
    sigaction(SIGTERM, &action, NULL), sigaction(SIGHUP, &action, NULL);
    atomic_store(&play->ready, 1);
    while (came != SIGTERM) {
        sigsuspend(&before);
        atomic_store(&play->got_signal, came);
    }
    return 0;
}

static void play_open(struct play setting)
{
    if (!play)
        play = mmap(NULL, sizeof(*play), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    INVARIANT(play != MAP_FAILED);
    memcpy(play, &setting, sizeof(setting));
}

static const char *words_path(void)
{
    static char path[200];
    snprintf(path, sizeof(path), "%s/data/new/last-words", test_dir());
    return path;
}

/* The supervisor in a process of its own; `alive` closes when it and its server are gone. */
static pid_t supervisor_start(int *alive, int out_and_err)
{
    int pipes[2];
    (void)words_path(); /* names the directory before the fork */
    INVARIANT(pipe(pipes) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        close(pipes[0]);
        if (out_and_err >= 0) dup2(out_and_err, 1);
        dup2(out_and_err >= 0 ? out_and_err : open("/dev/null", O_WRONLY), 2);
        _exit(supervise(serve, NULL, words_path(), 4));
    }
    close(pipes[1]);
    *alive = pipes[0];
    return pid;
}

static bool is_ready(void *arg)
{
    return atomic_load(&play->ready) == 1 && arg == NULL;
}

static void check_last_words(const char *ended, const char *words)
{
    struct diag d;
    struct slice got = {0};
    CHECK_OK(file_load(words_path(), 65536, &got, &d), &d);
    const char *text = got.at ? (const char *)got.at : "";
    if (!strstr(text, ended) || !strstr(text, words))
        test_failed(__FILE__, __LINE__, "the last words are '%s'", text);
    mem_give((void *)got.at);
}

TEST(a_clean_end_of_the_server_ends_the_supervisor)
{
    int alive;
    play_open((struct play){0});
    CHECK_INT(child_wait((int)supervisor_start(&alive, -1)), 0);
    CHECK_INT(play->starts, 1);
    CHECK(!file_exists(words_path()));
    close(alive);
}

TEST(a_server_that_fails_is_started_again_after_growing_delays_and_its_last_words_are_kept)
{
    int alive;
    play_open((struct play){.crashes = 3});
    CHECK_INT(child_wait((int)supervisor_start(&alive, -1)), 0);
    CHECK_INT(play->starts, 4);
    for (int i = 1; i < 4; i++) {
        int64_t apart = play->started_ns[i] - play->started_ns[i - 1];
        CHECK(apart >= (INT64_C(50000000) << i)); /* 100, 200, 400 ms */
    }
    check_last_words("ended by signal 9 (Killed)", "life 2 speaks");
    CHECK(ends(alive));
    close(alive);
}

TEST(a_server_that_keeps_failing_is_given_up)
{
    int alive;
    play_open((struct play){.crashes = 100});
    CHECK_INT(child_wait((int)supervisor_start(&alive, -1)), 3);
    CHECK_INT(play->starts, 4);
    check_last_words("ended by exit code 3", "life 3 speaks");
    close(alive);
}

TEST(a_wrong_configuration_ends_it_at_once)
{
    int alive;
    play_open((struct play){.give_up_code = SUPERVISE_GIVE_UP});
    CHECK_INT(child_wait((int)supervisor_start(&alive, -1)), SUPERVISE_GIVE_UP);
    CHECK_INT(play->starts, 1);
    CHECK(!file_exists(words_path()));
    close(alive);
}

TEST(what_a_command_of_the_server_leaves_behind_is_waited_for)
{
    int alive;
    play_open((struct play){.leaves = true});
    pid_t pid = supervisor_start(&alive, -1);
    CHECK_INT(child_wait((int)pid), 0);
    CHECK_INT(play->left_to, pid);
    CHECK(play->left_is_gone);
    CHECK_INT(play->starts, 1);
    close(alive);
}

static bool got_hup(void *arg)
{
    return atomic_load(&play->got_signal) == SIGHUP && arg == NULL;
}

TEST(signals_are_passed_on_and_an_end_that_was_asked_for_is_clean)
{
    int alive;
    play_open((struct play){.waits = true});
    pid_t pid = supervisor_start(&alive, -1);
    CHECK(side_wait(is_ready, NULL));
    kill(pid, SIGHUP);
    CHECK(side_wait(got_hup, NULL));
    kill(pid, SIGTERM);
    CHECK_INT(child_wait((int)pid), 0);
    CHECK_INT(play->starts, 1);
    CHECK(ends(alive));
    close(alive);
}

static bool failed_thrice(void *arg)
{
    return atomic_load(&play->starts) == 3 && arg == NULL;
}

TEST(a_signal_between_two_lives_ends_it)
{
    int alive;
    play_open((struct play){.crashes = 100});
    pid_t pid = supervisor_start(&alive, -1);
    CHECK(side_wait(failed_thrice, NULL)); /* 400 ms of pause follow */
    while (kill(play->server_pid, 0) == 0) continue;
    kill(pid, SIGTERM);
    CHECK_INT(child_wait((int)pid), 0);
    CHECK_INT(play->starts, 3);
    close(alive);
}

TEST(a_killed_supervisor_takes_its_server_along)
{
    int alive;
    play_open((struct play){.waits = true});
    pid_t pid = supervisor_start(&alive, -1);
    CHECK(side_wait(is_ready, NULL));
    kill(pid, SIGKILL);
    CHECK_INT(child_wait((int)pid), 128 + SIGKILL);
    CHECK(ends(alive));
    CHECK_INT(play->got_signal, SIGTERM); /* and had the chance to end cleanly */
    close(alive);
}

TEST(a_terminal_stays_a_terminal_and_its_words_arrive)
{
    int alive;
    struct buf got = buf_make(KIB(64));
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    INVARIANT(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
    int slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
    play_open((struct play){.crashes = 1});
    pid_t pid = supervisor_start(&alive, slave);
    close(slave);
    char bytes[512];
    for (ssize_t n; (n = read(master, bytes, sizeof(bytes))) > 0;) buf_put(&got, bytes, (size_t)n);
    CHECK_INT(child_wait((int)pid), 0);
    CHECK_INT(play->err_is_terminal, 1);
    CHECK_INT(play->out_is_terminal, 1);
    CHECK(strstr(buf_cstr(&got), "life 0 speaks\r\n") && strstr(buf_cstr(&got), "life 1 speaks"));
    check_last_words("ended by signal 9", "life 0 speaks\n");
    close(master), close(alive);
    buf_done(&got);
}
