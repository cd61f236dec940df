/* desk: what the commands of workflows stand on: the project, a connection to its database of their
 * own, its dags as the files say now. The database is the way in: no server is needed, one that
 * runs is woken.
 *
 * Two faces, one function each: `sluice dags trigger X` and `airflow dags trigger X` (airflow.c).
 */
#pragma once
#include "main/cli.h"
#include "main/kafka/sheet.h"
#include "sched/list.h"
#include "sched/ops.h"
#include "sched/sched.h"

enum { DESK_ROWS_MAX = 1000 };
struct desk {
    const struct args *args;
    const char *const *words; /* behind the command's own name */
    int word_count;
    const char *command;     /* "trigger" */
    bool json, yes, airflow; /* airflow: its words and exit codes */
    struct project project;
    struct meta *meta;
    struct arena *arena;
    struct vec dags; /* of const struct dag *, once they are asked for */
    bool dags_read;
    uint32_t import_errors;
    const char *sought;   /* a dag's id: what is wrong with it … */
    struct slice trouble; /* … in words; none: nothing */
    bool told;            /* the server, by desk_wake */
    int waking;
    struct ops ops;
};
struct desk_command {
    const char *name,
        *words; /* "DAG [RUN]": how many must be there is counted by those without brackets */
    const char *about;
    err_t (*run)(struct desk *k, struct diag *d);
};
/* Opens everything, runs the command, wakes the server where it `changes` something; the exit code.
 */
int desk_run(const struct desk_command *c, const struct args *a, const char *const *words,
             int count, bool airflow);
/* A server that runs looks by itself within a second; woken, at once. For commands that go on after
 * their change stands. */
void desk_wake(struct desk *k);
/* The command of a list by its first word; the first one when there is none. NULL: no such. */
const struct desk_command *desk_command(const struct desk_command *list, size_t count,
                                        const char *name);
/* sluice's verbs: which list is it. */
int desk_verb(const struct verb *v, const struct args *a, const struct desk_command *list,
              size_t count);

/* workflows.database as sched takes it: NULL for the file in the data directory. */
const char *workflows_database(const struct project *p);
/* The file of its key; NULL: the data directory's. */
const char *workflows_key(const struct project *p, char out[PROJECT_PATH_MAX]);
struct dag_defaults workflows_defaults(const struct project *p);
MUST_CHECK err_t desk_dags(struct desk *k, struct diag *d);  /* reads the files, once */
const struct dag *desk_dag(struct desk *k, struct slice id); /* NULL: none */
MUST_CHECK err_t desk_known_dag(struct desk *k, const char *id, const struct dag **out,
                                struct diag *d);
/* Whether a run that is made now begins now: a server runs, and the dag is not paused. */
MUST_CHECK err_t desk_runs_now(struct desk *k, const struct dag *g, struct diag *d);
/* A time as people give it: 2024-01-31, 2024-01-31T08:00, now. */
MUST_CHECK err_t desk_time(const char *text, int64_t *us, struct diag *d);
/* --run RUN, a logical date, or "latest": the run's row. */
MUST_CHECK err_t desk_run_row(struct desk *k, const char *dag_id, const char *which,
                              struct run_row *out, struct diag *d);
void desk_put_time(struct sheet *s, int64_t us);
void desk_put_span(struct sheet *s, int64_t from_us,
                   int64_t to_us); /* "12.3 s"; "-" while it is not known */
void desk_put(struct sheet *s, const struct meta_value *v, enum list_type type);
/* Prints a list: columns "dag_id is_paused# …" are list.def's names. */
MUST_CHECK err_t desk_list(struct desk *k, enum list_kind kind, const char *columns,
                           const struct list_filter *filters, uint32_t filter_count,
                           const char *order, struct diag *d);
err_t desk_print(const struct desk *k,
                 const struct sheet *s);              /* as --json, or --output json, asks */
bool desk_asks(struct desk *k, const char *question); /* --yes answers */
void desk_say(struct desk *k, const char *fmt, ...) PRINTF_LIKE(2, 3);
err_t desk_ignore(void *ctx, struct slice text); /* of a call whose answer tells nothing */
static inline const char *desk_value(const struct desk *k, const char *option)
{
    return args_value(k->args, option);
}

extern const struct desk_command dag_commands[], task_commands[], run_commands[], pool_commands[],
    connection_commands[], variable_commands[];
extern const size_t dag_command_count, task_command_count, run_command_count, pool_command_count,
    connection_command_count, variable_command_count;
int verb_dags(const struct verb *v, const struct args *a);
int verb_tasks(const struct verb *v, const struct args *a);
int verb_runs(const struct verb *v, const struct args *a);
int verb_pools(const struct verb *v, const struct args *a);
int verb_connections(const struct verb *v, const struct args *a);
int verb_variables(const struct verb *v, const struct args *a);
int tool_airflow(const struct verb *v, const struct args *a);
int tool_spark_submit(const struct verb *v, const struct args *a);
