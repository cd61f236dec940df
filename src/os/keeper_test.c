/* The keeper: commands run, said and ended; what dies without it, and what it remembers. */
#include "os/child.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/keeper.h"
#include "os/keeper_mask.h"
#include "os/keeper_serve.h"
#include "test.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct heard {
    struct loop *loop;
    struct keeper *k;
    int ended, lost, refused, found, wanted;
    struct keeper_end last;
    char line[256], why[1100];
    bool gone, ending;
    void (*on_known)(struct heard *h);
    int pid; /* of who started last */
};

static void copy(struct heard *h, const struct keeper_end *end)
{
    h->last = *end;
    (void)slice_to_cstr(end->last_line, h->line, sizeof h->line);
}

static void on_started(void *ctx, struct slice id, int pid)
{
    struct heard *h = ctx;
    (void)id;
    h->pid = pid;
}

static void on_ended(void *ctx, const struct keeper_end *end)
{
    struct heard *h = ctx;
    copy(h, end);
    h->lost += end->lost;
    err_t e = keeper_forget(h->k, end->id);
    CHECK(e == ERR_OK || (h->ending && e == ERR_PEER)); /* it may have left by then */
    if (++h->ended >= h->wanted) loop_stop(h->loop);
}

static void on_refused(void *ctx, struct slice id, const struct diag *why)
{
    struct heard *h = ctx;
    (void)id;
    h->refused++;
    snprintf(h->why, sizeof h->why, "%s: %s", why->what, why->why);
    loop_stop(h->loop);
}

static void on_found(void *ctx, const struct keeper_end *end)
{
    struct heard *h = ctx;
    h->found++;
    copy(h, end);
}

static void on_known(void *ctx)
{
    struct heard *h = ctx;
    if (h->on_known) h->on_known(h);
}

static void on_gone(void *ctx)
{
    struct heard *h = ctx;
    h->gone = true;
    loop_stop(h->loop);
}

static void give_up(void *arg)
{
    struct heard *h = arg;
    test_failed(__FILE__, __LINE__, "it took too long");
    loop_stop(h->loop);
}

static void order(struct heard *h, const char *id, const char *script, uint64_t log_max,
                  const char *input)
{
    char log[300];
    struct diag d = {0};
    const char *argv[] = {"sh", "-c", script, NULL},
               *environment[] = {"PATH=/usr/bin:/bin", "X=1 2", NULL};
    snprintf(log, sizeof log, "%s/%s.log", test_dir(), id);
    struct keeper_order o = {.id = slice_of(id),
                             .argv = argv,
                             .environment = environment,
                             .directory = "/",
                             .log_path = log,
                             .log_max = log_max,
                             .tells_start = true,
                             .input = slice_of(input)};
    CHECK_OK(keeper_run(h->k, &o, &d), &d);
}

static void run(struct heard *h, const char *dir, int wanted)
{
    struct diag d = {0};
    struct loop_timer *late = NULL;
    struct keeper_hears hears = {h, on_started, on_refused, on_ended, on_found, on_known, on_gone};
    h->wanted = wanted;
    CHECK_OK(loop_new("keeper-test", 16, &h->loop, &d), &d);
    CHECK_ERR(loop_timer_new(h->loop, 20000, 0, give_up, h, &late), ERR_OK);
    CHECK_OK(keeper_join(h->loop, dir, &hears, &h->k, &d), &d);
    loop_run(h->loop);
    loop_timer_free(late);
    keeper_leave(h->k);
    loop_free(h->loop);
}

static char *log_of(const char *id)
{
    static char text[200000];
    char path[300];
    struct slice s = {0};
    snprintf(path, sizeof path, "%s/%s.log", test_dir(), id);
    CHECK_ERR(file_load(path, sizeof text - 1, &s, NULL), ERR_OK);
    (void)slice_to_cstr(s, text, sizeof text);
    mem_give((void *)(uintptr_t)s.at);
    return text;
}

static int start_keeper(char *dir, size_t cap)
{
    int pid = 0;
    struct diag d = {0};
    snprintf(dir, cap, "%s/k", test_dir());
    CHECK_OK(keeper_fork(dir, &pid, &d), &d);
    return pid;
}

static void end_keeper(int pid)
{
    kill(pid, SIGTERM);
    CHECK_INT(waitpid(pid, NULL, 0), pid);
}

static void says_hello(struct heard *h)
{
    order(h, "hello", "read a; cat; echo \"got $a $X\"; echo err >&2; printf last; exit 3", 10000,
          "in\n");
}

TEST(a_command_runs_says_and_ends)
{
    char dir[300];
    int pid = start_keeper(dir, sizeof dir);
    struct heard h = {.on_known = says_hello};
    run(&h, dir, 1);
    CHECK_INT(h.last.exit_code, 3);
    CHECK_TEXT(h.line, "last");
    CHECK_TEXT(log_of("hello"), "got in 1 2\nerr\nlast");
    CHECK(h.last.started_us > 0 && h.last.ended_us >= h.last.started_us && !h.last.lost);
    end_keeper(pid);
}

/* --- where programs are found -------------------------------------------------------------------
 */

static const char *looks_in; /* two folders of the test's */

static void asks_which(struct heard *h)
{
    char log[300], path[700];
    static int number;
    char id[16];
    struct diag d = {0};
    const char *argv[] = {"which-one", NULL}, *environment[] = {path, NULL};
    const char *second = strchr(looks_in, ' ') + 1;
    snprintf(path, sizeof path, "PATH=%s/%.1s:%s/%s", test_dir(), looks_in, test_dir(), second);
    snprintf(id, sizeof id, "which%d", number++);
    snprintf(log, sizeof log, "%s/%s.log", test_dir(), id);
    struct keeper_order o = {.id = slice_of(id),
                             .argv = argv,
                             .environment = environment,
                             .directory = "/",
                             .log_path = log,
                             .log_max = 1000};
    CHECK_OK(keeper_run(h->k, &o, &d), &d);
}

static void put_program(const char *folder, const char *says)
{
    struct diag d = {0};
    char path[300], text[100];
    snprintf(path, sizeof path, "%s/%s", test_dir(), folder);
    CHECK_OK(dir_make(path, &d), &d);
    snprintf(path, sizeof path, "%s/%s/which-one", test_dir(), folder);
    snprintf(text, sizeof text, "#!/bin/sh\necho %s\n", says ? says : "");
    if (says) CHECK_OK(file_store(path, slice_of(text), &d), &d);
    if (says) CHECK_INT(chmod(path, 0755), 0);
    if (!says) CHECK_INT(unlink(path), 0);
}

static void check_which(const char *dir, const char *order_of_folders, const char *want)
{
    struct heard h = {.on_known = asks_which};
    looks_in = order_of_folders;
    run(&h, dir, 1);
    CHECK_TEXT(h.line, want);
}

/* Goal: a warden that remembers where a program was starts the right one all the same. */
TEST(a_program_is_found_in_its_own_path_also_when_it_moves)
{
    char dir[300];
    int pid = start_keeper(dir, sizeof dir);
    put_program("a", "first");
    put_program("b", "second");
    check_which(dir, "a b", "first");
    check_which(dir, "a b", "first");
    check_which(dir, "b a", "second");
    check_which(dir, "a b", "first");
    put_program("a", NULL);
    check_which(dir, "a b", "second"); /* what it remembers is gone */
    check_which(dir, "a b", "second");
    end_keeper(pid);
}

static void floods(struct heard *h)
{
    order(h, "flood",
          "i=0; while [ $i -lt 30000 ]; do echo \"line $i of the flood\"; i=$((i+1)); done", 1000,
          "");
}

TEST(a_flood_is_cut_in_the_middle)
{
    char dir[300];
    int pid = start_keeper(dir, sizeof dir);
    struct heard h = {.on_known = floods};
    run(&h, dir, 1);
    char *text = log_of("flood");
    CHECK(strlen(text) < 1000 + KEEPER_TAIL + 200);
    CHECK(strstr(text, "line 0 of the flood\n") && strstr(text, "line 29999 of the flood\n"));
    CHECK(strstr(text, "bytes are left out"));
    CHECK_TEXT(h.line, "line 29999 of the flood");
    end_keeper(pid);
}

static void forks_away(struct heard *h)
{
    order(h, "away",
          "setsid sh -c 'setsid sleep 1000 & sleep 1000' >/dev/null 2>&1 & sleep 0.2; echo $!",
          1000, "");
}

TEST(what_a_command_leaves_behind_is_ended)
{
    char dir[300];
    int pid = start_keeper(dir, sizeof dir);
    struct heard h = {.on_known = forks_away};
    run(&h, dir, 1);
    CHECK_INT(h.last.exit_code, 0);
    CHECK(h.last.left_behind >= 2);
    CHECK(kill(atoi(h.line), 0) != 0);
    end_keeper(pid);
}

static void ignores(struct heard *h)
{
    order(h, "deaf", "trap '' TERM; echo ready; while :; do sleep 0.05; done", 100000, "");
    CHECK_ERR(keeper_halt(h->k, SLICE("deaf"), 300), ERR_OK);
}

TEST(who_ignores_the_word_is_killed)
{
    char dir[300];
    int pid = start_keeper(dir, sizeof dir);
    struct heard h = {.on_known = ignores};
    run(&h, dir, 1);
    CHECK(h.last.exit_code == 128 + SIGKILL || h.last.exit_code == 128 + SIGTERM);
    CHECK(h.last.stopped != 0);
    end_keeper(pid);
}

static void can_not(struct heard *h)
{
    const char *argv[] = {"/no/such/program", NULL}, *environment[] = {NULL};
    char log[300];
    snprintf(log, sizeof log, "%s/no.log", test_dir());
    struct keeper_order o = {.id = SLICE("no"),
                             .argv = argv,
                             .environment = environment,
                             .directory = "/",
                             .log_path = log};
    CHECK_ERR(keeper_run(h->k, &o, NULL), ERR_OK);
}

TEST(what_can_not_run_is_refused)
{
    char dir[300];
    int pid = start_keeper(dir, sizeof dir);
    struct heard h = {.on_known = can_not};
    run(&h, dir, 1);
    CHECK_INT(h.refused, 1);
    CHECK_TEXT(h.why, "it can not be started: No such file or directory");
    end_keeper(pid);
}

static void starts_and_leaves(struct heard *h)
{
    order(h, "long", "sleep 0.4; echo done", 1000, "");
    order(h, "longer", "sleep 1000", 1000, "");
    loop_stop(h->loop);
}

static void waits(struct heard *h)
{
    CHECK_INT(h->found, 2);
    CHECK_ERR(keeper_halt(h->k, SLICE("longer"), 100), ERR_OK);
}

TEST(a_server_that_comes_back_finds_its_works)
{
    char dir[300];
    int pid = start_keeper(dir, sizeof dir);
    struct heard h = {.on_known = starts_and_leaves}, again = {.on_known = waits};
    run(&h, dir, 99);
    usleep(100000);
    run(&again, dir, 2);
    CHECK_INT(again.ended, 2);
    end_keeper(pid);
}

static void starts_one(struct heard *h)
{
    order(h, "one", "setsid sleep 1000 & sleep 1000", 1000, "");
}

static void on_started_then_stop(void *ctx, struct slice id, int pid)
{
    on_started(ctx, id, pid);
    loop_stop(((struct heard *)ctx)->loop);
}

static void nothing(struct heard *h)
{
    loop_stop(h->loop);
}

TEST(a_killed_keeper_leaves_nobody_and_the_next_one_says_so)
{
    char dir[300];
    int pid = start_keeper(dir, sizeof dir);
    struct heard h = {.on_known = starts_one}, again = {.on_known = nothing};
    struct diag d = {0};
    struct keeper_hears hears = {
        &h, on_started_then_stop, on_refused, on_ended, on_found, on_known, NULL};
    CHECK_OK(loop_new("keeper-test", 16, &h.loop, &d), &d);
    CHECK_OK(keeper_join(h.loop, dir, &hears, &h.k, &d), &d);
    loop_run(h.loop);
    kill(pid, SIGKILL);
    CHECK_INT(waitpid(pid, NULL, 0), pid);
    keeper_leave(h.k);
    loop_free(h.loop);
    pid = start_keeper(dir, sizeof dir);
    run(&again, dir, 99);
    CHECK_INT(again.found, 1);
    CHECK(again.last.lost && !again.last.running);
    for (int turn = 0; turn < 20000 && kill(h.pid, 0) == 0; turn++)
        usleep(1000); /* dead, and to be waited for by whoever has it now */
    CHECK(kill(h.pid, 0) != 0);
    end_keeper(pid);
}

static void runs_many(struct heard *h)
{
    for (int i = 0; i < 40; i++) {
        char id[20];
        snprintf(id, sizeof id, "many%d", i);
        order(h, id, i % 5 ? "read a; echo got $a" : "kill -9 $PPID; sleep 1000", 1000, "in\n");
    }
}

/* Goal: a warden that has been killed takes only its own command with it. Method: forty works at
 * once, of which each fifth kills its warden; then forty more on the wardens that are left. */
TEST(who_kills_its_warden_is_lost_and_nobody_else)
{
    char dir[300];
    int pid = start_keeper(dir, sizeof dir);
    struct heard h = {.on_known = runs_many};
    for (int turn = 0; turn < 2; turn++) {
        h.ended = h.lost = 0;
        run(&h, dir, 40);
        CHECK_INT(h.ended, 40);
        CHECK_INT(h.lost, 8);
    }
    end_keeper(pid);
}

/* What a keeper that was killed has left: one command, of this process. */
static void write_past(const char *dir, int pid, uint64_t born)
{
    char path[400];
    struct slice boot = {0};
    struct buf out = buf_make(KIB(4));
    struct keeper_end end = {.id = SLICE("old"), .running = true, .pid = pid, .born = born};
    CHECK_ERR(file_load("/proc/sys/kernel/random/boot_id", 100, &boot, NULL), ERR_OK);
    size_t at = keeper_begin(&out, KEEPER_KNOWN);
    keeper_put_text(&out, boot);
    keeper_finish(&out, at);
    keeper_put_end(&out, KEEPER_FOUND, &end);
    snprintf(path, sizeof path, "%s/k/ends", dir);
    CHECK_ERR(file_store(path, buf_view(&out), NULL), ERR_OK);
    mem_give((void *)(uintptr_t)boot.at);
    buf_done(&out);
}

/* Goal: nobody is ended who only has an old command's number. Method: a process that leads a
 * session, named by a file with another birth, and then with its own. */
TEST(a_number_that_is_somebody_elses_now_is_left_alone)
{
    char dir[300];
    struct heard h = {.on_known = nothing}, again = {.on_known = nothing};
    end_keeper(start_keeper(dir, sizeof dir));
    pid_t other = fork();
    if (other == 0) {
        setsid();
        for (;;) pause();
    }
    while (getsid(other) != other) usleep(1000);
    uint64_t born = past_born(other);
    CHECK(born > 0);
    for (int same = 0; same < 2; same++) {
        write_past(test_dir(), other, same ? born : born + 1);
        int pid = start_keeper(dir, sizeof dir);
        run(same ? &again : &h, dir, 99);
        end_keeper(pid);
        CHECK_INT((same ? &again : &h)->found, 1);
        CHECK((same ? &again : &h)->last.lost);
        CHECK_INT(waitpid(other, NULL, WNOHANG), same ? other : 0);
    }
}

static struct stat started_and_ended(const char *ends)
{
    char dir[300];
    struct stat at = {0};
    end_keeper(start_keeper(dir, sizeof dir));
    CHECK(stat(ends, &at) == 0);
    return at;
}

TEST(a_start_with_nothing_to_change_leaves_the_file_as_it_is)
{
    char ends[300];
    snprintf(ends, sizeof ends, "%s/k/ends", test_dir());
    struct stat first = started_and_ended(ends), again = started_and_ended(ends);
    CHECK(first.st_size > 0);
    CHECK_INT(again.st_ino, first.st_ino);
    CHECK_INT(again.st_size, first.st_size);
    int fd = open(ends, O_WRONLY | O_APPEND);
    CHECK(write(fd, "\0\0", 2) == 2); /* a message of which a kill left the beginning */
    close(fd);
    struct stat mended = started_and_ended(ends);
    CHECK(mended.st_ino != first.st_ino);
    CHECK_INT(mended.st_size, first.st_size);
}

static void ends_all(struct heard *h)
{
    order(h, "a", "sleep 1000", 1000, "");
    order(h, "b", "trap 'echo bye; exit 7' TERM; sleep 0.1; while :; do sleep 0.02; done", 1000,
          "");
    usleep(300000);
    h->ending = true;
    CHECK_ERR(keeper_end(h->k, 1000), ERR_OK);
}

TEST(at_its_end_all_works_end_first)
{
    char dir[300];
    int pid = start_keeper(dir, sizeof dir), status;
    struct heard h = {.on_known = ends_all};
    run(&h, dir, 2);
    CHECK_INT(h.ended, 2);
    CHECK_INT(waitpid(pid, &status, 0), pid);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void heard_bytes(void *ctx, const void *bytes, size_t len)
{
    buf_put(ctx, bytes, len);
}

/* Goal: a secret is hidden however the text comes in pieces. Method: every way to cut it in two,
 * and a byte at a time. */
TEST(keeper_hides_secrets_that_come_in_pieces)
{
    static const char text[] = "abc hush hushhush hus hu\nabhushed aabcd h";
    static const char want[] = "*** *** ****** hus hu\nab***ed a*** h";
    const struct slice secrets[] = {SLICE("hush"), SLICE("abc"), SLICE("abcd"), SLICE("")};
    struct slice all = slice_of(text);
    for (uint32_t step = 1; step <= all.len; step++) {
        struct keeper_mask m;
        struct buf out = buf_make(KIB(1));
        CHECK(keeper_mask_init(&m, secrets, COUNT_OF(secrets)));
        for (uint32_t at = 0; at < all.len; at += step)
            keeper_mask_say(&m, slice_make(all.at + at, MIN(step, all.len - at)), false,
                            heard_bytes, &out);
        keeper_mask_say(&m, (struct slice){0}, true, heard_bytes, &out);
        CHECK_TEXT(buf_cstr(&out), want);
        buf_done(&out);
        keeper_mask_done(&m);
    }
}
