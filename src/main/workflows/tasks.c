/* sluice tasks: a dag's tasks, their states and logs; clearing and marking them. */
#include "main/workflows/desk.h"

#include "os/clock.h"
#include "os/dial.h"
#include "sched/worklog.h"

#include <stdio.h>
#include <stdlib.h>

static err_t list(struct desk *k, struct diag *d)
{
    const struct dag *g;
    err_t e = desk_known_dag(k, k->words[0], &g, d);
    if (e) return e;
    struct sheet s = sheet_make("task kind operator");
    for (uint32_t i = 0; i < g->task_count && !e; i++) {
        if (k->airflow && !k->json) { /* one a line, as there */
            printf("%.*s\n", SLICE_ARG(g->tasks[i].id));
            continue;
        }
        sheet_text(&s, g->tasks[i].id);
        sheet_text(&s, slice_of(g->tasks[i].kind->name));
        sheet_text(&s, slice_of(g->tasks[i].kind->operator_name));
    }
    if (!k->airflow || k->json) e = desk_print(k, &s);
    sheet_done(&s);
    return e;
}

static int32_t map_index(const struct desk *k)
{
    const char *text = desk_value(k, "--map-index");
    return text ? atoi(text) : -1;
}

/* There is no such instance: is there such a task, and is it mapped? */
static err_t no_instance(struct desk *k, const struct run_row *run, struct diag *d)
{
    struct task_rows rows;
    int32_t most = -1;
    const char *task = k->words[1];
    err_t e = task_rows_of_run(k->meta, run->id, k->arena, &rows, d);
    for (uint32_t i = 0; !e && i < rows.count; i++)
        if (slice_is(rows.at[i].task_id, task)) most = MAX(most, rows.at[i].map_index);
    if (e) return e;
    if (most >= 0) {
        (void)diag_fail(d, ERR_NOT_FOUND, "task '%s' is mapped", task);
        return diag_hint(d, "--map-index 0 to %d says which of its instances", most);
    }
    return ERR_NOT_FOUND;
}

/* DAG TASK [RUN]. */
static err_t instance(struct desk *k, struct run_row *run, struct task_row *task, struct diag *d)
{
    const char *which = k->word_count > 2 ? k->words[2] : desk_value(k, "--run");
    err_t e = desk_run_row(k, k->words[0], which, run, d);
    if (e) return e;
    e = task_row_find(k->meta, run->dag_id, run->run_id, slice_of(k->words[1]), map_index(k),
                      k->arena, task, d);
    return e == ERR_NOT_FOUND ? no_instance(k, run, d) : e;
}

static err_t state(struct desk *k, struct diag *d)
{
    struct run_row run;
    struct task_row task;
    err_t e = instance(k, &run, &task, d);
    if (e) return e;
    const char *name = task_state_name(task.state);
    printf("%s\n", name ? name : "None");
    return ERR_OK;
}

static err_t states(struct desk *k, struct diag *d)
{
    struct run_row run;
    err_t e = desk_run_row(k, k->words[0], k->word_count > 1 ? k->words[1] : NULL, &run, d);
    struct meta_value dag = meta_text(run.dag_id), id = meta_text(run.run_id);
    struct list_filter filters[] = {{"dag_id", LIST_IN, &dag, 1}, {"run_id", LIST_IN, &id, 1}};
    struct task_rows rows = {0};
    bool mapped = false;
    if (!e) e = task_rows_of_run(k->meta, run.id, k->arena, &rows, d);
    for (uint32_t i = 0; i < rows.count; i++) mapped |= rows.at[i].map_index >= 0;
    return e ? e
             : desk_list(k, LIST_TASKS,
                         mapped ? "dag_id logical_date task_id state start_date end_date map_index#"
                                : "dag_id logical_date task_id state start_date end_date",
                         filters, 2, "start_date", d);
}

/* --- logs ---------------------------------------------------------------------------------------
 */

enum { LOG_AT_ONCE = 1 << 20, LOOK_MS = 100 };

static err_t print_from(const char *path, uint64_t *at, struct diag *d)
{
    struct buf out = buf_make(LOG_AT_ONCE + 16);
    uint64_t next = *at, size = 0;
    err_t e;
    do {
        buf_reset(&out);
        *at = next;
        e = worklog_read(path, *at, LOG_AT_ONCE, &out, &next, &size, d);
        if (!e && out.len && fwrite(out.at, 1, out.len, stdout) != out.len) e = ERR_IO;
    } while (!e && next != *at && next < size);
    if (!e) *at = next;
    buf_done(&out);
    (void)fflush(stdout);
    return e;
}

/* What a try says; followed: as it comes, until the instance has ended. */
static err_t print_try(struct desk *k, const struct run_row *run, struct task_row *task,
                       int try_number, bool follow, struct diag *d)
{
    char dir[PROJECT_PATH_MAX];
    struct buf path = buf_make(PROJECT_PATH_MAX * 2);
    uint64_t at = 0;
    err_t e = project_data_path(&k->project, "workflows/logs", dir, d);
    if (e) return e;
    struct work_key key = {.run = run->id,
                           .dag_id = run->dag_id,
                           .run_id = run->run_id,
                           .task_id = task->task_id,
                           .map_index = task->map_index,
                           .try_number = try_number};
    worklog_path(&path, dir, &key);
    e = print_from(buf_cstr(&path), &at, d);
    while (follow && (!e || e == ERR_NOT_FOUND) && !task_state_finished(task->state) &&
           task->state != TASK_UP_FOR_RETRY) {
        dial_rest(LOOK_MS);
        e = task_row_find(k->meta, run->dag_id, run->run_id, key.task_id, key.map_index, k->arena,
                          task, d);
        if (!e) e = print_from(buf_cstr(&path), &at, d);
    }
    buf_done(&path);
    return e;
}

static err_t logs(struct desk *k, struct diag *d)
{
    struct run_row run;
    struct task_row task;
    const char *try_text = desk_value(k, "--try");
    bool follow = args_has(k->args, "--follow");
    err_t e = instance(k, &run, &task, d);
    if (e) return e;
    int number = try_text ? atoi(try_text) : task.try_number;
    e = print_try(k, &run, &task, number, follow, d);
    if (e != ERR_NOT_FOUND || (number > 0 && number <= task.try_number)) return e;
    const char *state = task_state_name(task.state);
    (void)diag_fail(d, ERR_NOT_FOUND, "task '%s' has had %d tries, and is %s", k->words[1],
                    task.try_number, state ? state : "not looked at yet");
    d->where[0] = d->hint[0] = 0;
    return task.message.len ? diag_why(d, "%.*s", SLICE_ARG(task.message)) : d->err;
}

/* --- clear and mark -----------------------------------------------------------------------------
 */

static err_t clear(struct desk *k, struct diag *d)
{
    const char *from = desk_value(k, "--from"), *to = desk_value(k, "--to"),
               *run = desk_value(k, "--run"), *pattern = desk_value(k, "--task-regex");
    struct ops_task task = {slice_of(k->word_count > 1 ? k->words[1] : ""), OPS_ALL_MAPPED};
    struct ops_clear c = {.dag_id = slice_of(k->words[0]),
                          .run_id = slice_of(run),
                          .start = TIME_NONE,
                          .end = TIME_NONE,
                          .tasks = &task,
                          .task_count = k->word_count > 1,
                          .pattern = slice_of(pattern),
                          .downstream = args_has(k->args, "--downstream"),
                          .upstream = args_has(k->args, "--upstream"),
                          .past = args_has(k->args, "--past"),
                          .future = args_has(k->args, "--future"),
                          .only_failed = args_has(k->args, "--only-failed"),
                          .only_running = args_has(k->args, "--only-running"),
                          .dry = true};
    struct task_rows rows = {0};
    struct run_row found;
    char question[200];
    err_t e = from ? desk_time(from, &c.start, d) : ERR_OK;
    if (!e && to) e = desk_time(to, &c.end, d);
    if (!e && run) e = desk_run_row(k, k->words[0], run, &found, d);
    if (!e && run) c.run_id = found.run_id;
    if (!e) e = ops_tasks_clear(&k->ops, &c, k->arena, &rows, d);
    if (e) return e;
    struct sheet s = sheet_make("dag run task map# state");
    for (uint32_t i = 0; i < rows.count; i++) {
        const char *name = task_state_name(rows.at[i].state);
        sheet_text(&s, rows.at[i].dag_id);
        sheet_text(&s, rows.at[i].run_id);
        sheet_text(&s, rows.at[i].task_id);
        sheet_number(&s, rows.at[i].map_index);
        sheet_text(&s, slice_of(name ? name : "none"));
    }
    if (rows.count) e = desk_print(k, &s);
    sheet_done(&s);
    snprintf(question, sizeof question, "clear these %u task instances, so that they run again?",
             rows.count);
    if (e || args_has(k->args, "--dry-run")) return e;
    if (!rows.count) {
        desk_say(k, "nothing to clear");
        return ERR_OK;
    }
    if (!desk_asks(k, question)) return ERR_STOPPED;
    c.dry = false;
    return ops_tasks_clear(&k->ops, &c, k->arena, &rows, d);
}

static err_t mark(struct desk *k, struct diag *d)
{
    struct run_row run;
    struct task_rows rows;
    struct ops_mark m = {.task = {slice_of(k->words[1]), map_index(k)},
                         .upstream = args_has(k->args, "--upstream"),
                         .downstream = args_has(k->args, "--downstream"),
                         .past = args_has(k->args, "--past"),
                         .future = args_has(k->args, "--future"),
                         .dry = args_has(k->args, "--dry-run")};
    if (!task_state_parse(slice_of(k->words[3]), &m.state))
        return diag_fail(d, ERR_USAGE, "a task instance is marked success, failed or skipped");
    err_t e = desk_run_row(k, k->words[0], k->words[2], &run, d);
    m.dag_id = run.dag_id;
    m.run_id = run.run_id;
    if (!e) e = ops_task_mark(&k->ops, &m, k->arena, &rows, d);
    if (!e)
        desk_say(k, "%u task instances %s %s", rows.count, m.dry ? "would be" : "are", k->words[3]);
    return e;
}

/* --- a task alone -------------------------------------------------------------------------------
 */

/* The instance of the task that stands behind `index`; NULL: none has begun yet. */
static struct task_row *next_begun(const struct task_rows *rows, const char *task, int32_t index)
{
    struct task_row *next = NULL;
    for (uint32_t i = 0; i < rows->count; i++) {
        struct task_row *t = &rows->at[i];
        bool later = slice_is(t->task_id, task) && t->map_index > index;
        if (later && (!next || t->map_index < next->map_index)) next = t;
    }
    return next && !task_state_finished(next->state) && next->try_number == 0 ? NULL : next;
}

/* Every instance's log, one after the other; `failed` when one has not succeeded. */
static err_t watch_test(struct desk *k, struct run_row *run, bool *failed, struct diag *d)
{
    const char *task = k->words[1];
    int32_t shown = -2; /* an unmapped instance's index is -1 */
    err_t e = ERR_OK;
    while (!e && !*failed) {
        struct task_rows rows;
        /* The run first: what it has done until its end is in the rows then. */
        e = run_row_find(k->meta, run->dag_id, run->run_id, k->arena, run, d);
        if (!e) e = task_rows_of_run(k->meta, run->id, k->arena, &rows, d);
        struct task_row *next = e ? NULL : next_begun(&rows, task, shown);
        if (!next && run_state_finished(run->state)) break;
        if (!next) {
            dial_rest(LOOK_MS / 2);
            continue;
        }
        shown = next->map_index;
        e = print_try(k, run, next, next->try_number, true, d);
        if (e == ERR_NOT_FOUND) e = ERR_OK; /* what takes no time says nothing */
        *failed = next->state != TASK_SUCCESS && next->state != TASK_SKIPPED;
        const char *name = task_state_name(next->state);
        desk_say(k, "%s %s", task, name ? name : "none");
    }
    return e;
}

/* A run of this task alone, which is deleted when it has ended; exit code 1 when it failed. */
static err_t test(struct desk *k, struct diag *d)
{
    const struct dag *g;
    struct run_row run;
    bool failed = false;
    struct ops_trigger t = {.only = slice_of(k->words[1]),
                            .logical = TIME_NONE,
                            .interval_start = TIME_NONE,
                            .interval_end = TIME_NONE,
                            .run_after = TIME_NONE};
    err_t e = desk_known_dag(k, k->words[0], &g, d);
    if (!e) e = desk_runs_now(k, g, d);
    if (!e && k->word_count > 2) e = desk_time(k->words[2], &t.logical, d);
    if (e) return e;
    t.dag_id = g->id;
    k->ops.now_us = clock_wall_us();
    k->ops.via = "test";
    e = ops_trigger(&k->ops, &t, k->arena, &run, d);
    if (e) return e;
    desk_wake(k);
    e = watch_test(k, &run, &failed, d);
    k->ops.now_us = clock_wall_us();
    if (!run_state_finished(run.state)) {
        err_t stopped = ops_run_mark(&k->ops, run.dag_id, run.run_id, RUN_FAILED, false, k->arena,
                                     NULL, &run, e ? NULL : d);
        if (!e) e = stopped;
        desk_wake(k);
    }
    err_t gone = ops_run_delete(&k->ops, run.dag_id, run.run_id, e ? NULL : d);
    if (!e) e = gone;
    return !e && failed ? ERR_STOPPED : e;
}

/* --- one instance of a run that is there ------------------------------------------------------ */

/* Cleared, it alone, so that it runs again. */
static err_t clear_one(struct desk *k, const struct run_row *run, const struct task_row *task,
                       struct diag *d)
{
    struct task_rows rows;
    struct ops_task one = {task->task_id, task->map_index};
    struct ops_clear c = {.dag_id = run->dag_id,
                          .run_id = run->run_id,
                          .start = TIME_NONE,
                          .end = TIME_NONE,
                          .tasks = &one,
                          .task_count = 1};
    k->ops.now_us = clock_wall_us();
    err_t e = ops_tasks_clear(&k->ops, &c, k->arena, &rows, d);
    if (!e) desk_wake(k);
    return e;
}

static err_t mark_one(struct desk *k, const struct run_row *run, const struct task_row *task,
                      struct diag *d)
{
    struct task_rows rows;
    struct ops_mark m = {.dag_id = run->dag_id,
                         .run_id = run->run_id,
                         .task = {task->task_id, task->map_index},
                         .state = TASK_SUCCESS};
    err_t e = ops_task_mark(&k->ops, &m, k->arena, &rows, d);
    if (!e) desk_say(k, "%s success", k->words[1]);
    return e;
}

/* Its tries from `next` on, one log after the other, until it has ended; exit code 1 when it has
 * not succeeded. */
static err_t watch_one(struct desk *k, const struct run_row *run, struct task_row *task, int next,
                       struct diag *d)
{
    err_t e = ERR_OK;
    for (; !e && !(task_state_finished(task->state) && task->try_number < next);) {
        if (task->try_number < next) {
            dial_rest(LOOK_MS / 2);
            e = task_row_find(k->meta, run->dag_id, run->run_id, task->task_id, task->map_index,
                              k->arena, task, d);
            continue;
        }
        e = print_try(k, run, task, next++, true, d);
        if (e == ERR_NOT_FOUND) e = ERR_OK; /* what takes no time says nothing */
    }
    const char *name = task_state_name(task->state);
    if (!e) desk_say(k, "%s %s", k->words[1], name ? name : "none");
    return !e && task->state != TASK_SUCCESS && task->state != TASK_SKIPPED ? ERR_STOPPED : e;
}

/* As Airflow's: what has ended runs again by --force alone. What comes before it is waited for. */
static err_t run_one(struct desk *k, struct diag *d)
{
    struct run_row run;
    struct task_row task;
    const struct dag *g;
    err_t e = instance(k, &run, &task, d);
    if (e) return e;
    if (args_has(k->args, "--mark-success")) return mark_one(k, &run, &task, d);
    int next = task.try_number + 1;
    bool over = task_state_finished(task.state);
    if (over && !args_has(k->args, "--force")) {
        (void)diag_fail(d, ERR_USAGE, "Task is in the '%s' state.", task_state_name(task.state));
        return diag_hint(d, "--force runs it again; sluice tasks test %s %s tries it alone",
                         k->words[0], k->words[1]);
    }
    e = desk_known_dag(k, k->words[0], &g, d);
    if (!e) e = desk_runs_now(k, g, d);
    if (!e && over) e = clear_one(k, &run, &task, d);
    if (!e && over) task.state = TASK_NONE;
    if (!e && !over && task.try_number > 0 && task.state == TASK_RUNNING)
        next--; /* this very try */
    return e ? e : watch_one(k, &run, &task, next, d);
}

const struct desk_command task_commands[] = {
    {"list", "DAG", "its tasks", list},
    {"state", "DAG TASK [RUN]", "a task instance's state; without RUN the newest's", state},
    {"states-for-dag-run", "DAG [RUN]", "all of a run", states},
    {"logs", "DAG TASK [RUN]", "a try's log: --try N, --follow, --map-index N", logs},
    {"clear", "DAG [TASK]",
     "let them run again: --run, --from, --to, --downstream, --upstream, --only-failed …; asks "
     "first",
     clear},
    {"mark", "DAG TASK RUN STATE", "success, failed or skipped; --downstream, --upstream …", mark},
    {"test", "DAG TASK [DATE]",
     "run it alone, whatever comes before it, and show its log; nothing is kept; exit code 1 when "
     "it failed",
     test},
    {"run", "DAG TASK [RUN]",
     "this one task of a run, with its log to its end: --force when it has ended, --mark-success; "
     "exit code 1 when it failed",
     run_one},
};
const size_t task_command_count = COUNT_OF(task_commands);

int verb_tasks(const struct verb *v, const struct args *a)
{
    return desk_verb(v, a, task_commands, task_command_count);
}
