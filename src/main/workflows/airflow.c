/* airflow: Airflow's command line, by its name: groups, commands, options and exit codes as there.
 * Each is a command of ours (dags.c, tasks.c, keep.c) with Airflow's spelling of the options in
 * front. */
#include "main/workflows/desk.h"

#include "main/people.h"
#include "main/server.h"
#include "main/version.h"
#include "os/clock.h"
#include "os/dial.h"
#include "sched/secret.h"
#include "sched/things.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* --- options ------------------------------------------------------------------------------------
 */

struct spelled { /* as Airflow spells it, and what it is here; value: NULL for a switch */
    const char *names[2];
    struct cli_option option;
};
#define SPELLED(a, b, name, value)                                                                 \
    {                                                                                              \
        {a, b},                                                                                    \
        {                                                                                          \
            name, value, ""                                                                        \
        }                                                                                          \
    }
static const struct spelled common[] = {
    SPELLED("-o", "--output", "--output", "FORMAT"),
    SPELLED("-v", "--verbose", "--verbose", NULL),
    SPELLED("-S", "--subdir", "--subdir", "DIR"),
    SPELLED("-y", "--yes", "--yes", NULL),
    SPELLED("-h", "--help", "--help", NULL),
    SPELLED(NULL, "--project", "--project", "DIR"),
    SPELLED(NULL, "--data", "--data", "PATH"),
    SPELLED(NULL, "--set", "--set", "KEY=VALUE"),
    {{NULL, NULL}, {NULL, NULL, NULL}},
};
static const struct spelled trigger[] = {
    SPELLED("-c", "--conf", "--conf", "JSON"),
    SPELLED("-r", "--run-id", "--run-id", "ID"),
    SPELLED("-e", "--exec-date", "--logical-date", "DATE"),
    SPELLED("-l", "--logical-date", "--logical-date", "DATE"),
    SPELLED(NULL, "--replace-microseconds", "--ignored", NULL),
    SPELLED(NULL, "--no-replace-microseconds", "--ignored", NULL),
    {{NULL, NULL}, {NULL, NULL, NULL}},
};
static const struct spelled backfill[] = {
    SPELLED("-s", "--start-date", "--from", "DATE"),
    SPELLED("-e", "--end-date", "--to", "DATE"),
    SPELLED(NULL, "--from-date", "--from", "DATE"),
    SPELLED(NULL, "--to-date", "--to", "DATE"),
    SPELLED("-c", "--conf", "--conf", "JSON"),
    SPELLED("-n", "--dry-run", "--dry-run", NULL),
    SPELLED(NULL, "--run-backwards", "--backwards", NULL),
    SPELLED("-B", NULL, "--backwards", NULL),
    SPELLED(NULL, "--max-active-runs", "--max-active-runs", "N"),
    SPELLED(NULL, "--reprocess-behavior", "--reprocess", "WHAT"),
    SPELLED(NULL, "--dag-id", "--dag-id", "DAG"),
    {{NULL, NULL}, {NULL, NULL, NULL}},
};
static const struct spelled clear[] = {
    SPELLED("-s", "--start-date", "--from", "DATE"),
    SPELLED("-e", "--end-date", "--to", "DATE"),
    SPELLED("-t", "--task-regex", "--task-regex", "REGEX"),
    SPELLED("-f", "--only-failed", "--only-failed", NULL),
    SPELLED("-r", "--only-running", "--only-running", NULL),
    SPELLED("-d", "--downstream", "--downstream", NULL),
    SPELLED("-u", "--upstream", "--upstream", NULL),
    {{NULL, NULL}, {NULL, NULL, NULL}},
};
static const struct spelled run_one[] = {
    SPELLED("-f", "--force", "--force", NULL),
    SPELLED("-m", "--mark-success", "--mark-success", NULL),
    SPELLED(NULL, "--map-index", "--map-index", "N"),
    SPELLED("-l", "--local", "--ignored", NULL),
    SPELLED("-N", "--interactive", "--ignored", NULL),
    {{NULL, NULL}, {NULL, NULL, NULL}},
};
static const struct spelled connections[] = {
    SPELLED(NULL, "--conn-type", "--conn-type", "TYPE"),
    SPELLED(NULL, "--conn-host", "--conn-host", "HOST"),
    SPELLED(NULL, "--conn-port", "--conn-port", "PORT"),
    SPELLED(NULL, "--conn-login", "--conn-login", "NAME"),
    SPELLED(NULL, "--conn-password", "--conn-password", "PASSWORD"),
    SPELLED(NULL, "--conn-schema", "--conn-schema", "NAME"),
    SPELLED(NULL, "--conn-extra", "--conn-extra", "JSON"),
    SPELLED(NULL, "--conn-uri", "--conn-uri", "URI"),
    SPELLED(NULL, "--conn-json", "--conn-json", "JSON"),
    SPELLED(NULL, "--conn-description", "--conn-description", "TEXT"),
    {{NULL, NULL}, {NULL, NULL, NULL}},
};
static const struct spelled variables[] = {
    SPELLED("-d", "--default", "--default", "VALUE"),
    SPELLED("-j", "--json", "--json-value", NULL),
    SPELLED(NULL, "--description", "--description", "TEXT"),
    {{NULL, NULL}, {NULL, NULL, NULL}},
};
static const struct spelled pools[] = {
    SPELLED(NULL, "--include-deferred", "--include-deferred", NULL),
    {{NULL, NULL}, {NULL, NULL, NULL}}};
static const struct spelled runs[] = {
    SPELLED("-d", "--dag-id", "--dag-id", "DAG"),      SPELLED(NULL, "--state", "--state", "STATE"),
    SPELLED("-s", "--start-date", "--from", "DATE"),   SPELLED("-e", "--end-date", "--to", "DATE"),
    SPELLED(NULL, "--no-backfill", "--ignored", NULL), {{NULL, NULL}, {NULL, NULL, NULL}},
};
static const struct spelled nexts[] = {SPELLED("-n", "--num-executions", "--num-executions", "N"),
                                       {{NULL, NULL}, {NULL, NULL, NULL}}};
static const struct spelled people[] = {
    SPELLED("-u", "--username", "--username", "NAME"),
    SPELLED("-p", "--password", "--password", "PASSWORD"),
    SPELLED("-f", "--firstname", "--ignored", "NAME"),
    SPELLED("-l", "--lastname", "--ignored", "NAME"),
    SPELLED("-e", "--email", "--email", "MAIL"),
    SPELLED("-r", "--role", "--role", "ROLE"),
    SPELLED(NULL, "--use-random-password", "--random", NULL),
    {{NULL, NULL}, {NULL, NULL, NULL}},
};
static const struct spelled jobs[] = {
    SPELLED(NULL, "--job-type", "--job-type", "TYPE"),
    SPELLED(NULL, "--hostname", "--hostname", "HOST"),
    SPELLED(NULL, "--local", "--local", NULL),
    SPELLED(NULL, "--limit", "--limit", "N"),
    SPELLED(NULL, "--allow-multiple", "--allow-multiple", NULL),
    {{NULL, NULL}, {NULL, NULL, NULL}},
};
static const struct spelled servers[] = {
    SPELLED("-p", "--port", "--port", "PORT"),
    SPELLED("-D", "--daemon", "--daemon", NULL),
    SPELLED("-w", "--workers", "--ignored", "N"),
    SPELLED("-d", "--debug", "--ignored", NULL),
    SPELLED("-n", "--num-runs", "--ignored", "N"),
    SPELLED("-H", "--hostname", "--ignored", "HOST"),
    {{NULL, NULL}, {NULL, NULL, NULL}},
};
#undef SPELLED

static const struct spelled *find_spelled(const struct spelled *list, struct slice name)
{
    for (; list && list->option.name; list++)
        for (int i = 0; i < 2; i++)
            if (list->names[i] && slice_is(name, list->names[i])) return list;
    return NULL;
}

/* The project's own options are known by who they are (cli_project). */
static const struct cli_option *find_option(const void *own, struct slice name)
{
    const struct spelled *s = find_spelled(own, name);
    if (!s) s = find_spelled(common, name);
    for (const struct cli_option *o = project_options; s && o->name; o++)
        if (strcmp(o->name, s->option.name) == 0) return o;
    return s ? &s->option : NULL;
}

/* As Airflow's argparse refuses. */
static bool read_args(const struct spelled *own, const char *const *words, int count,
                      struct args *a)
{
    struct args_wrong wrong;
    *a = (struct args){0};
    if (args_read(words, count, find_option, own, a, &wrong)) return true;
    fprintf(stderr,
            wrong.what == ARGS_NO_VALUE ? "airflow: error: argument %s: expected one argument\n"
                                        : "airflow: error: unrecognized arguments: %s\n",
            wrong.word);
    return false;
}

/* --- commands of its own ------------------------------------------------------------------------
 */

static err_t db_ready(struct desk *k, struct diag *d) /* desk_run has made or upgraded the tables */
{
    (void)d;
    printf("DB: %s\n%s\n", meta_where(k->meta),
           strcmp(k->command, "check") == 0 ? "Connection successful."
                                            : "Database migrating done!");
    return ERR_OK;
}

static err_t db_reset(struct desk *k, struct diag *d)
{
    (void)k;
    (void)diag_fail(d, ERR_UNSUPPORTED,
                    "db reset: the workflows' history goes with the rest of the data");
    return diag_hint(d, "stop the server, then remove DATA/workflows; or: sluice dags delete DAG");
}

static err_t jobs_check(struct desk *k, struct diag *d)
{
    const char *type = desk_value(k, "--job-type");
    int64_t count = 0, latest, alive_us = 30 * (int64_t)1000000;
    err_t e = jobs_alive(k->meta, type ? type : "", k->ops.now_us - alive_us, &count, &latest, d);
    if (e) return e;
    if (count == 0) {
        printf("No alive jobs found.\n");
        return ERR_STOPPED;
    }
    printf(count == 1 ? "Found one alive job.\n" : "Found %lld alive jobs.\n", (long long)count);
    return ERR_OK;
}

static err_t rotate(struct desk *k, struct diag *d)
{
    int64_t count = 0;
    char key[PROJECT_PATH_MAX];
    err_t e = sched_keys_rotate(k->project.data, workflows_database(&k->project),
                                workflows_key(&k->project, key), &count, d);
    if (!e)
        printf("%lld secrets are sealed with a new key; a server that runs is to be restarted\n",
               (long long)count);
    return e;
}

static const char *const role_words[][2] = {
    {"Admin", "admin"}, {"Op", "op"}, {"User", "user"}, {"Viewer", "viewer"}};

/* Somebody new; or one of the tutorials' people, who gets this password and role. */
static err_t user_put(struct desk *k, struct users_act *act, bool there, struct diag *d)
{
    act->what = there ? SLICE("passwd") : SLICE("add");
    err_t e = people_act(&k->project, act, d);
    if (e || !there) return e;
    act->what = SLICE("role");
    return people_act(&k->project, act, d);
}

static err_t user_create(struct desk *k, struct diag *d)
{
    const char *name = desk_value(k, "--username"), *password = desk_value(k, "--password"),
               *role = desk_value(k, "--role");
    enum user_role as = ROLE_NONE;
    struct people o;
    struct user there;
    if (!name || !role) return diag_fail(d, ERR_USAGE, "users create needs --username and --role");
    for (size_t i = 0; i < COUNT_OF(role_words); i++)
        if (strcmp(role, role_words[i][0]) == 0) (void)role_parse(slice_of(role_words[i][1]), &as);
    if (as == ROLE_NONE) {
        (void)diag_fail(d, ERR_USAGE, "%s is not a valid role", role);
        return diag_hint(d, "Admin, Op, User or Viewer");
    }
    char typed[USERS_PASSWORD_MAX + 2] = "";
    if (!password && (!fgets(typed, sizeof typed, stdin) || !*typed))
        return diag_fail(d, ERR_USAGE, "users create needs --password, or one on standard input");
    typed[strcspn(typed, "\r\n")] = 0;
    err_t e = people_open(&k->project, &o, d);
    bool known = !e && users_find(o.users, slice_of(name), &there) == ERR_OK;
    people_close(&o);
    if (e) return e;
    if (known && !there.well_known) {
        printf("%s already exist in the db\n", name);
        return ERR_OK;
    }
    struct users_act act = {.name = slice_of(name),
                            .password = slice_of(password ? password : typed),
                            .role = slice_of(role_name(as))};
    e = user_put(k, &act, known, d);
    if (!e) printf("User \"%s\" created with role \"%s\"\n", name, role);
    return e;
}

static err_t print_user(void *ctx, const struct user *u)
{
    struct sheet *s = ctx;
    const char *role = role_name(u->role);
    for (size_t i = 0; i < COUNT_OF(role_words); i++)
        if (strcmp(role, role_words[i][1]) == 0) role = role_words[i][0];
    sheet_text(s, slice_of(u->name));
    sheet_text(s, slice_of(role));
    return ERR_OK;
}

static err_t users_list(struct desk *k, struct diag *d)
{
    struct people o;
    struct sheet s = sheet_make("username roles");
    err_t e = people_open(&k->project, &o, d);
    if (!e) e = users_each(o.users, print_user, &s);
    if (!e) e = desk_print(k, &s);
    sheet_done(&s);
    people_close(&o);
    return e;
}

static err_t user_delete(struct desk *k, struct diag *d)
{
    const char *name = desk_value(k, "--username");
    if (!name) return diag_fail(d, ERR_USAGE, "users delete needs --username");
    const struct users_act act = {.what = SLICE("remove"), .name = slice_of(name)};
    err_t e = people_act(&k->project, &act, d);
    if (!e) printf("User \"%s\" deleted\n", name);
    return e;
}

static err_t info(struct desk *k, struct diag *d)
{
    (void)d;
    printf("Apache Airflow\nversion | Sluice %s\nexecutor | LocalExecutor\nsql_alchemy_conn | "
           "%s\ndags_folder | %s\n",
           SLUICE_VERSION, meta_where(k->meta), k->project.dir);
    return ERR_OK;
}

/* Only comes back with what went wrong. */
static err_t become_up(const struct desk *k, struct diag *d)
{
    const char *argv[] = {"sluice",  "up", k->project.dir, "--data", k->project.data,
                          "--plain", NULL};
    (void)execv("/proc/self/exe", (char *const *)(uintptr_t)argv);
    return diag_errno(d, errno, "sluice up can not be started");
}

/* -D: a process of its own, which says in DATA/up.log what it has to say. */
static err_t serve_apart(struct desk *k, struct diag *d)
{
    char log[PROJECT_PATH_MAX];
    err_t e = project_data_path(&k->project, "up.log", log, d);
    if (e) return e;
    pid_t child = fork();
    if (child < 0) return diag_errno(d, errno, "a process can not be started");
    if (child == 0) {
        int in = open("/dev/null", O_RDONLY | O_CLOEXEC),
            out = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        bool set = in >= 0 && out >= 0 && setsid() > 0 && dup2(in, 0) == 0 && dup2(out, 1) == 1 &&
                   dup2(out, 2) == 2;
        if (set) (void)become_up(k, d);
        _exit(1);
    }
    for (int status; !client_server_runs(&k->project); dial_rest(50))
        if (waitpid(child, &status, WNOHANG) == child)
            return diag_fail(d, ERR_CONFIG, "the server has not started: %s says why", log);
    printf("%s: the server of %s runs, pid %d; %s is its log\n", k->command, k->project.dir,
           (int)child, log);
    return ERR_OK;
}

/* scheduler, webserver, api-server, standalone, triggerer: all of them are `sluice up`. A container
 * that starts several finds the first one running, and waits beside it as those processes would. */
static err_t serve(struct desk *k, struct diag *d)
{
    bool apart = args_has(k->args, "--daemon");
    if (!client_server_runs(&k->project)) return apart ? serve_apart(k, d) : become_up(k, d);
    printf("%s: the server of %s runs already, and does this too\n", k->command, k->project.dir);
    (void)fflush(stdout);
    while (!apart && client_server_runs(&k->project)) dial_rest(1000);
    return ERR_OK;
}

static const struct desk_command db_check = {"check", "", "", db_ready},
                                 db_migrate = {"migrate", "", "", db_ready},
                                 reset = {"reset", "", "", db_reset},
                                 check_jobs = {"check", "", "", jobs_check},
                                 create_user = {"create", "", "", user_create},
                                 list_users = {"list", "", "", users_list},
                                 delete_user = {"delete", "", "", user_delete},
                                 show_info = {"info", "", "", info},
                                 serving = {"serve", "", "", serve},
                                 rotating = {"rotate-fernet-key", "", "", rotate};

/* --- the table ----------------------------------------------------------------------------------
 */

static const struct airflow_command {
    const char *group, *name; /* name NULL: the group is the command */
    const struct spelled *options;
    const struct desk_command *list; /* ours: by `ours` in it; count 0: the command itself */
    const size_t *count;
    const char *ours; /* NULL: by the same name */
} commands[] = {
    {"dags", "list", NULL, dag_commands, &dag_command_count, NULL},
    {"dags", "trigger", trigger, dag_commands, &dag_command_count, NULL},
    {"dags", "pause", NULL, dag_commands, &dag_command_count, NULL},
    {"dags", "unpause", NULL, dag_commands, &dag_command_count, NULL},
    {"dags", "test", trigger, dag_commands, &dag_command_count, NULL},
    {"dags", "state", NULL, dag_commands, &dag_command_count, NULL},
    {"dags", "show", NULL, dag_commands, &dag_command_count, NULL},
    {"dags", "details", NULL, dag_commands, &dag_command_count, "show"},
    {"dags", "next-execution", nexts, dag_commands, &dag_command_count, NULL},
    {"dags", "backfill", backfill, dag_commands, &dag_command_count, NULL},
    {"dags", "delete", NULL, dag_commands, &dag_command_count, NULL},
    {"dags", "list-import-errors", NULL, dag_commands, &dag_command_count, NULL},
    {"dags", "list-runs", runs, run_commands, &run_command_count, "list"},
    {"dags", "reserialize", NULL, dag_commands, &dag_command_count, NULL},
    {"backfill", "create", backfill, dag_commands, &dag_command_count, "backfill"},
    {"tasks", "list", NULL, task_commands, &task_command_count, NULL},
    {"tasks", "state", NULL, task_commands, &task_command_count, NULL},
    {"tasks", "states-for-dag-run", NULL, task_commands, &task_command_count, NULL},
    {"tasks", "clear", clear, task_commands, &task_command_count, NULL},
    {"tasks", "logs", NULL, task_commands, &task_command_count, NULL},
    {"tasks", "test", NULL, task_commands, &task_command_count, NULL},
    {"tasks", "run", run_one, task_commands, &task_command_count, NULL},
    {"pools", "list", NULL, pool_commands, &pool_command_count, NULL},
    {"pools", "get", NULL, pool_commands, &pool_command_count, NULL},
    {"pools", "set", pools, pool_commands, &pool_command_count, NULL},
    {"pools", "delete", NULL, pool_commands, &pool_command_count, NULL},
    {"pools", "import", NULL, pool_commands, &pool_command_count, NULL},
    {"pools", "export", NULL, pool_commands, &pool_command_count, NULL},
    {"connections", "list", NULL, connection_commands, &connection_command_count, NULL},
    {"connections", "get", NULL, connection_commands, &connection_command_count, NULL},
    {"connections", "add", connections, connection_commands, &connection_command_count, NULL},
    {"connections", "delete", NULL, connection_commands, &connection_command_count, NULL},
    {"connections", "import", NULL, connection_commands, &connection_command_count, NULL},
    {"connections", "export", NULL, connection_commands, &connection_command_count, NULL},
    {"variables", "list", NULL, variable_commands, &variable_command_count, NULL},
    {"variables", "get", variables, variable_commands, &variable_command_count, NULL},
    {"variables", "set", variables, variable_commands, &variable_command_count, NULL},
    {"variables", "delete", NULL, variable_commands, &variable_command_count, NULL},
    {"variables", "import", NULL, variable_commands, &variable_command_count, NULL},
    {"variables", "export", NULL, variable_commands, &variable_command_count, NULL},
    {"users", "create", people, &create_user, NULL, NULL},
    {"users", "list", NULL, &list_users, NULL, NULL},
    {"users", "delete", people, &delete_user, NULL, NULL},
    {"jobs", "check", jobs, &check_jobs, NULL, NULL},
    {"db", "init", NULL, &db_migrate, NULL, NULL},
    {"db", "migrate", NULL, &db_migrate, NULL, NULL},
    {"db", "upgrade", NULL, &db_migrate, NULL, NULL},
    {"db", "check", NULL, &db_check, NULL, NULL},
    {"db", "check-migrations", NULL, &db_check, NULL, NULL},
    {"db", "reset", NULL, &reset, NULL, NULL},
    {"info", NULL, NULL, &show_info, NULL, NULL},
    {"rotate-fernet-key", NULL, NULL, &rotating, NULL, NULL},
    {"scheduler", NULL, servers, &serving, NULL, NULL},
    {"webserver", NULL, servers, &serving, NULL, NULL},
    {"api-server", NULL, servers, &serving, NULL, NULL},
    {"triggerer", NULL, servers, &serving, NULL, NULL},
    {"dag-processor", NULL, servers, &serving, NULL, NULL},
    {"standalone", NULL, servers, &serving, NULL, NULL},
};

/* group NULL: all of them. 2, as argparse ends when something is wrong. */
static int say_commands(FILE *to, const char *group)
{
    fprintf(to, "usage: airflow %s COMMAND [options]%s\n", group ? group : "GROUP",
            group ? "" : "; groups and commands:");
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        if (!group || strcmp(group, commands[i].group) == 0)
            fprintf(to, "  %s%s%s\n", commands[i].group, commands[i].name ? " " : "",
                    commands[i].name ? commands[i].name : "");
    return 2;
}

static void say_options(const struct spelled *list)
{
    for (; list && list->option.name; list++) {
        const char *value = list->option.value;
        bool both = list->names[0] && list->names[1];
        printf("  %s%s%s%s%s\n", list->names[0] ? list->names[0] : "", both ? ", " : "",
               list->names[1] ? list->names[1] : "", value ? " " : "", value ? value : "");
    }
}

static const struct desk_command *ours_of(const struct airflow_command *c)
{
    return c->count ? desk_command(c->list, *c->count, c->ours ? c->ours : c->name) : c->list;
}

static int say_help(const struct airflow_command *c)
{
    const struct desk_command *ours = ours_of(c);
    printf("usage: airflow %s%s%s [options]%s%s\n", c->group, c->name ? " " : "",
           c->name ? c->name : "", *ours->words ? " " : "", ours->words);
    if (*ours->about) printf("\n%s\n", ours->about);
    printf("\noptions:\n");
    say_options(c->options);
    say_options(common);
    return 0;
}

static bool group_known(const char *group)
{
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        if (strcmp(group, commands[i].group) == 0) return true;
    return false;
}

static bool is_help(const char *word)
{
    return word && (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0);
}

/* No such command: what there is, of the group where there is one. */
static int refuse(const char *group, const char *name)
{
    bool known = group_known(group);
    if (known && is_help(name)) return say_commands(stdout, group), 0;
    if (known && !name)
        fprintf(stderr, "airflow %s: error: the following arguments are required: COMMAND\n",
                group);
    else
        fprintf(stderr, "airflow%s%s: error: invalid choice: '%s'\n", known ? " " : "",
                known ? group : "", known ? name : group);
    return say_commands(stderr, known ? group : NULL);
}

int tool_airflow(const struct verb *v, const struct args *raw)
{
    (void)v;
    const char *group = raw->word_count ? raw->words[0] : "--help",
               *name = raw->word_count > 1 ? raw->words[1] : NULL;
    if (strcmp(group, "version") == 0 || strcmp(group, "--version") == 0) {
        printf("%s\n", SLUICE_VERSION);
        return 0;
    }
    if (is_help(group) || strcmp(group, "cheat-sheet") == 0) return say_commands(stdout, NULL), 0;
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        const struct airflow_command *c = &commands[i];
        if (strcmp(group, c->group) != 0 || (c->name && (!name || strcmp(name, c->name) != 0)))
            continue;
        struct args a;
        int skip = c->name ? 2 : 1;
        if (!read_args(c->options, raw->words + skip, raw->word_count - skip, &a)) return 2;
        if (args_has(&a, "--help")) return say_help(c);
        const char *dag = args_value(&a, "--dag-id");
        if (dag && !a.word_count) a.words[a.word_count++] = dag;
        return desk_run(ours_of(c), &a, a.words, a.word_count, true);
    }
    return refuse(group, name);
}
