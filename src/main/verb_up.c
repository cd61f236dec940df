/* up: the server under its supervisor, with the display. */
#include "main/cli.h"

#include "base/say.h"
#include "main/display.h"
#include "main/version.h"
#include "os/child.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/keeper.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { GIVE_UP_AFTER = 5, DRAIN_POLL_MS = 20, RESTARTED_NS = 90000000 };

struct upping {
    struct project *project;
    bool plain, drain;
    int64_t asked_ns; /* when the command was given: what "up in" counts from */
    err_t ended;      /* of --drain, with its story: what failed for good */
    struct diag trouble;
    struct server server;
    char keeper_dir[PROJECT_PATH_MAX]; /* "": there is none */
    int keeper;
};

/* --drain: ends the server when there is nothing more to come, also where that is because a stage
 * has failed for good. Storage that failed is opened anew first: by the supervisor. */
static void on_drain(void *arg)
{
    struct upping *u = arg;
    u->ended = flow_drain(u->server.world.flow, 0, &u->trouble);
    if (u->ended == ERR_TIMEOUT || (u->ended && server_storage_failed(&u->server))) return;
    loop_stop(u->server.loop);
}

static int serve(void *arg)
{
    struct upping *u = arg;
    struct display *display = NULL;
    struct loop_timer *drain = NULL;
    struct diag d;
    int64_t now = clock_mono_ns();
    if (now - u->asked_ns > RESTARTED_NS)
        u->asked_ns = now; /* not the first time: the supervisor's */
    for (int i = 0; i < SAY_ROOMS; i++)
        say_level_set((enum say_room)i,
                      (enum say_level)config_number(&u->project->config, CONFIG_logs_level));
    err_t e = growing_recover(u->project, &d);
    if (!e) e = server_open(u->project, u->keeper_dir[0] ? u->keeper_dir : NULL, &u->server, &d);
    if (e) {
        /* Wrong usage does not get better by trying again; the supervisor is told by the code. */
        cli_fail(&d);
        return e == ERR_IO || e == ERR_NO_MEMORY || e == ERR_INTERNAL ? 1 : SUPERVISE_GIVE_UP;
    }
    running_announce(u->project);
    e = display_start(&u->server, u->plain, &display, &d);
    if (!e && u->drain)
        e = loop_timer_new(u->server.loop, DRAIN_POLL_MS, DRAIN_POLL_MS, on_drain, u, &drain);
    if (!e) {
        struct log_recovery r = log_recovery(u->server.world.log);
        say_info(SAY_MAIN, "up",
                 "version=%s project=%s up_ms=%.1f api_port=%u kafka_port=%u kafka_tls_port=%u "
                 "cql_port=%u cql_tls_port=%u metrics_port=%u zookeeper_port=%u console_port=%u "
                 "cut_bytes=%llu",
                 SLUICE_VERSION, u->project->name, (double)(clock_mono_ns() - u->asked_ns) / 1e6,
                 u->server.api ? randomuser_port(u->server.api) : 0,
                 u->server.broker.kafka ? kafka_door_port(u->server.broker.kafka) : 0,
                 u->server.broker.tls ? kafka_door_tls_port(u->server.broker.kafka) : 0,
                 u->server.cassandra.door ? cql_door_port(u->server.cassandra.door) : 0,
                 u->server.cassandra.tls ? cql_door_tls_port(u->server.cassandra.door) : 0,
                 u->server.metrics ? metrics_port(u->server.metrics) : 0,
                 u->server.broker.zookeeper ? zookeeper_port(u->server.broker.zookeeper) : 0,
                 front_port(&u->server.front, 0), (unsigned long long)r.bytes_cut);
        server_run(&u->server);
        say_info(SAY_MAIN, "ending", "commit=last");
    }
    display_stop(display);
    loop_timer_free(drain);
    server_close(&u->server);
    running_forget();
    say_info(SAY_MAIN, "ended", "clean=yes");
    if (e) return cli_fail(&d);
    if (u->server.broken) return 1;
    if (!u->ended || u->ended == ERR_TIMEOUT) return 0; /* or asked to end before all was done */
    cli_fail(&u->trouble);
    return SUPERVISE_GIVE_UP; /* another start would fail at the same place */
}

/* Whoever runs tasks' commands is a process of its own, made while this one is small and without
 * threads; it outlives a server that is killed. Not beside another server on the same data: that
 * one has it. */
static void start_keeper(struct upping *u)
{
    struct diag d = {0};
    int fd = -1;
    if (data_lock_patiently(u->project, &fd, &d)) return; /* the server will say why */
    err_t e = project_data_path(u->project, "keeper", u->keeper_dir, &d);
    file_close(fd); /* the lock is the server's: a fork would hold it too */
    if (!e) e = keeper_fork(u->keeper_dir, &u->keeper, &d);
    if (!e) return;
    say_diag(SAY_MAIN, SAY_WARN, "tasks of workflows can run no commands", &d);
    u->keeper_dir[0] = 0;
    u->keeper = 0;
}

/* It was killed: what it ran is gone with it, and the server, which sees that, comes to the new
 * one.
 */
static int keeper_again(void *arg)
{
    struct upping *u = arg;
    struct diag d = {0};
    if (keeper_fork(u->keeper_dir, &u->keeper, &d)) {
        say_diag(SAY_MAIN, SAY_ERROR, "the keeper of commands can not be started again", &d);
        u->keeper = 0;
    } else {
        say_warn(SAY_MAIN, "the keeper of commands had ended, and is started again", "pid=%d",
                 u->keeper);
    }
    return u->keeper;
}

static void end_keeper(void *arg, int pid)
{
    (void)arg;
    if (pid <= 0) return;
    kill(pid, SIGTERM); /* it ends what runs: SIGTERM, and SIGKILL after its grace */
    (void)waitpid(pid, NULL, 0);
}

int verb_up(const struct verb *v, const struct args *a)
{
    static struct project project;
    char last_words[PROJECT_PATH_MAX];
    struct upping u = {.project = &project,
                       .plain = args_has(a, "--plain"),
                       .drain = args_has(a, "--drain"),
                       .asked_ns = clock_mono_ns()};
    struct diag d;
    if (a->word_count > 1) return cli_usage(v, "one project at a time");
    say_clock(clock_wall_ms);
    mem_start();
    net_descriptors_raise();
    err_t e = cli_project(a, a->word_count ? a->words[0] : NULL, &project, &d);
    if (!e) e = project_data_path(&project, "last-words", last_words, &d);
    if (e) return cli_fail(&d);
    project.run = u.asked_ns;
    start_keeper(&u);
    struct supervise_beside beside = {keeper_again, end_keeper, &u, u.keeper};
    if (u.keeper_dir[0]) supervise_beside(&beside);
    bool restart = config_number(&project.config, CONFIG_server_restart) != 0;
    int code = restart ? supervise(serve, &u, last_words, GIVE_UP_AFTER) : serve(&u);
    if (!restart) end_keeper(&u, u.keeper);
    project_close(&project);
    if (!restart) /* all there was, to the byte: the tests look for 0 */
        say_info(SAY_MAIN, "memory given back", "left_bytes=%zu", mem_held());
    return code == SUPERVISE_GIVE_UP ? 1 : code;
}
