/* Goal: orders become commands under a real keeper, calls on threads and looks, and each is
 * answered once. Method: the whole room over a folder, with its own keeper and a port that the test
 * fills. */
#include "sched/workshop.h"

#include "os/clock.h"
#include "os/file.h"
#include "os/keeper.h"
#include "sched/ops.h"
#include "sched/things.h"
#include "sched/worklog.h"
#include "test.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

struct shop {
    struct sched *sched;
    struct meta *meta;
    struct ops ops;
    struct arena *arena;
    struct workshop_options w;
    struct sched_options o;
    char keeper_dir[512];
    int keeper;
    struct run_row run;
};

static const struct dag *find_dag(void *ctx, struct slice id)
{
    return sched_dag(((struct shop *)ctx)->sched, id);
}

static void write_dags(const char *text)
{
    char path[600];
    struct diag d = {0};
    snprintf(path, sizeof(path), "%s/dags.yaml", test_dir());
    CHECK_OK(file_store(path, slice_of(text), &d), &d);
}

static bool shop_begin(struct shop *s)
{
    struct diag d = {0};
    s->w.keeper_dir = s->keeper_dir;
    s->o.project_dir = s->o.data_dir = test_dir();
    s->o.workshop = workshop_open;
    s->o.workshop_ctx = &s->w;
    s->o.look_ms = 20;
    CHECK_OK(sched_open(&s->o, &s->sched, &d), &d);
    return s->sched != NULL;
}

static bool shop_open(struct shop *s, const char *dags)
{
    struct diag d = {0};
    write_dags(dags);
    snprintf(s->keeper_dir, sizeof(s->keeper_dir), "%s/k", test_dir());
    CHECK_OK(keeper_fork(s->keeper_dir, &s->keeper, &d), &d);
    s->arena = arena_new(MIB(64));
    if (!shop_begin(s)) return false;
    CHECK_OK(sched_meta_open(test_dir(), NULL, NULL, &s->meta, &d), &d);
    s->ops = (struct ops){.meta = s->meta, .dag = find_dag, .ctx = s, .via = "test"};
    return s->meta != NULL;
}

static void shop_end(struct shop *s)
{
    sched_close(s->sched);
    meta_close(s->meta);
    arena_free(s->arena);
    kill(s->keeper, SIGTERM);
    CHECK_INT(waitpid(s->keeper, NULL, 0), s->keeper);
}

static void shop_trigger(struct shop *s, const char *dag, const char *run)
{
    struct diag d = {0};
    struct ops_trigger t = {.dag_id = slice_of(dag),
                            .run_id = slice_of(run),
                            .logical = TIME_NONE,
                            .interval_start = TIME_NONE,
                            .interval_end = TIME_NONE,
                            .run_after = TIME_NONE};
    s->ops.now_us = clock_wall_us();
    s->ops.seed++;
    CHECK_OK(ops_dag_pause(&s->ops, t.dag_id, false, NULL, &d), &d);
    CHECK_OK(ops_trigger(&s->ops, &t, s->arena, &s->run, &d), &d);
    sched_wake(s->sched);
}

static bool a_moment(void *ctx)
{
    usleep(2000);
    return --*(int *)ctx > 0;
}

static void shop_wait(struct shop *s, const char *dag, const char *run)
{
    struct diag d = {0};
    int left = 15000;
    CHECK_OK(
        ops_run_wait(&s->ops, slice_of(dag), slice_of(run), a_moment, &left, s->arena, &s->run, &d),
        &d);
    CHECK(run_state_finished(s->run.state));
}

/* "state[message]" of an instance. */
static const char *shop_task(struct shop *s, const char *dag, const char *run, const char *task)
{
    static char text[2000];
    struct task_row row;
    struct diag d = {0};
    CHECK_OK(task_row_find(s->meta, slice_of(dag), slice_of(run), slice_of(task), -1, s->arena,
                           &row, &d),
             &d);
    const char *state = task_state_name(row.state);
    snprintf(text, sizeof(text), "%s[%.*s]", state ? state : "none", SLICE_ARG(row.message));
    return text;
}

static const char *shop_result(struct shop *s, const char *task)
{
    struct slice json = {0};
    struct diag d = {0};
    struct xcom_key k = {s->run.id, slice_of(task), SLICE("return_value"), -1};
    if (xcom_find(s->meta, &k, s->arena, &json, NULL, &d)) return "none";
    return arena_text(s->arena, json);
}

static const char *shop_log(const char *dag, const char *run, const char *task, int attempt)
{
    static struct buf text;
    char logs[600];
    uint64_t next, size;
    struct diag d = {0};
    struct work_key k = {.dag_id = slice_of(dag),
                         .run_id = slice_of(run),
                         .task_id = slice_of(task),
                         .map_index = -1,
                         .try_number = attempt};
    struct buf path = buf_make(4096);
    snprintf(logs, sizeof(logs), "%s/workflows/logs", test_dir());
    worklog_path(&path, logs, &k);
    buf_done(&text);
    text = buf_make(MIB(16));
    CHECK_OK(worklog_read(buf_cstr(&path), 0, MIB(8), &text, &next, &size, &d), &d);
    buf_done(&path);
    return buf_cstr(&text);
}

TEST(workshop_runs_commands_and_takes_their_ends)
{
    struct shop s = {0};
    if (!shop_open(&s,
                   "all:\n"
                   "  tasks:\n"
                   "    hello: {bash: \"echo out; echo err >&2; echo '{\\\"a\\\": 1}'\"}\n"
                   "    who: {bash: 'echo $AIRFLOW_CTX_DAG_ID/$AIRFLOW_CTX_TASK_ID/$X/$AIRFLOW_CTX_"
                   "TRY_NUMBER', env: {X: y}, append_env: true}\n"
                   "    skips: {bash: 'exit 99'}\n"
                   "    list: {exec: [printf, '%s|', a, 'b c']}\n"
                   "    inline: {python: \"import sys\\nprint(sys.argv[1:], 6 * 7)\\nprint(42)\", "
                   "args: [x]}\n"
                   "bad:\n"
                   "  tasks:\n"
                   "    code: {bash: 'exit 3'}\n"
                   "    none: {exec: [/no/such/program]}\n"
                   "    venv: {python: \"print(1)\\n\", venv: nowhere}\n"
                   "    signal: {bash: 'kill -9 $$'}\n"
                   "    left: {bash: 'setsid sleep 100 >/dev/null 2>&1 & echo over'}\n"))
        return;
    shop_trigger(&s, "all", "r");
    shop_wait(&s, "all", "r");
    CHECK_TEXT(shop_task(&s, "all", "r", "hello"), "success[]");
    CHECK_TEXT(shop_result(&s, "hello"), "{\"a\": 1}");
    CHECK_TEXT(shop_result(&s, "who"), "\"all/who/y/1\"");
    CHECK_TEXT(shop_result(&s, "list"), "\"a|b c|\"");
    CHECK_TEXT(shop_result(&s, "inline"), "42");
    CHECK_TEXT(shop_task(&s, "all", "r", "skips"), "skipped[exit code 99 means: skipped]");
    const char *log = shop_log("all", "r", "hello", 1);
    CHECK(strstr(log, "+0000] {bash} INFO - Starting attempt 1 of 1\n") != NULL);
    CHECK(strstr(log, "\nout\n") && strstr(log, "\nerr\n"));
    CHECK(strstr(log, "{bash} INFO - Command exited with return code 0\n") != NULL);
    CHECK(strstr(log, "INFO - Marking task as SUCCESS.\n") != NULL);
    shop_trigger(&s, "bad", "r");
    shop_wait(&s, "bad", "r");
    CHECK(s.run.state == RUN_FAILED);
    CHECK_TEXT(shop_task(&s, "bad", "r", "code"), "failed[exit code 3]");
    CHECK(strstr(shop_task(&s, "bad", "r", "none"), "failed[") != NULL);
    CHECK(strstr(shop_task(&s, "bad", "r", "none"), "No such file") != NULL);
    CHECK(strstr(shop_task(&s, "bad", "r", "venv"), "must exist") != NULL);
    CHECK_TEXT(shop_task(&s, "bad", "r", "signal"), "failed[signal 9 (exit code 137)]");
    CHECK_TEXT(shop_task(&s, "bad", "r", "left"), "success[]");
    CHECK(strstr(shop_log("bad", "r", "left", 1), "left 1 process behind") != NULL);
    shop_end(&s);
}

TEST(workshop_ends_what_takes_too_long_and_cuts_what_says_too_much)
{
    struct shop s = {.w = {.log_max = 200000, .grace_ms = 300}};
    if (!shop_open(&s, "late:\n"
                       "  tasks:\n"
                       "    deaf: {bash: \"trap '' TERM; sleep 100 & wait; sleep 100\", "
                       "execution_timeout: 300ms}\n"
                       "    loud: {bash: 'yes 0123456789012345678901234567890123456789 | head -c "
                       "1000000000; echo; echo last'}\n"))
        return;
    shop_trigger(&s, "late", "r");
    shop_wait(&s, "late", "r");
    CHECK_TEXT(shop_task(&s, "late", "r", "deaf"), "failed[took longer than execution_timeout]");
    CHECK(strstr(shop_log("late", "r", "deaf", 1), "Sending SIGTERM") != NULL);
    CHECK_TEXT(shop_task(&s, "late", "r", "loud"), "success[]");
    CHECK_TEXT(shop_result(&s, "loud"), "\"last\"");
    CHECK(strlen(shop_log("late", "r", "loud", 1)) < 400000);
    shop_end(&s);
}

TEST(workshop_finds_its_commands_again_after_a_restart)
{
    struct shop s = {0};
    char count[600];
    struct slice text = {0};
    if (!shop_open(&s, "long:\n"
                       "  tasks:\n"
                       "    sleeps: {bash: 'echo x >> count; sleep 1; echo {{ run_id }}'}\n"
                       "    short: {bash: 'echo y >> count; sleep 0.2; echo done'}\n"))
        return;
    shop_trigger(&s, "long", "r");
    snprintf(count, sizeof(count), "%s/count", test_dir());
    for (int n = 0; n < 2000 && text.len < 4; n++) {
        usleep(2000);
        mem_give((void *)(uintptr_t)text.at);
        text = (struct slice){0};
        if (file_exists(count)) CHECK_ERR(file_load(count, 100, &text, NULL), ERR_OK);
    }
    CHECK_INT(text.len, 4);
    sched_close(s.sched); /* they go on */
    usleep(500000);       /* one of them ends meanwhile */
    s.sched = NULL;
    if (!shop_begin(&s)) return;
    shop_wait(&s, "long", "r");
    CHECK_TEXT(shop_task(&s, "long", "r", "sleeps"), "success[]");
    CHECK_TEXT(shop_task(&s, "long", "r", "short"), "success[]");
    CHECK_TEXT(shop_result(&s, "sleeps"), "\"r\"");
    CHECK_TEXT(shop_result(&s, "short"), "\"done\"");
    mem_give((void *)(uintptr_t)text.at);
    CHECK_ERR(file_load(count, 100, &text, NULL), ERR_OK);
    CHECK_INT(text.len, 4); /* nothing ran twice */
    mem_give((void *)(uintptr_t)text.at);
    CHECK(strstr(shop_log("long", "r", "sleeps", 1), "is known again") != NULL);
    shop_end(&s);
}

TEST(workshop_branches_waits_and_looks)
{
    struct shop s = {0};
    if (!shop_open(&s,
                   "quick:\n"
                   "  tasks:\n"
                   "    start: {empty: }\n"
                   "    which: {branch: \"{{ ['a', 'b'] }}\", after: start}\n"
                   "    a: {bash: 'echo a', after: which}\n"
                   "    b: {empty: , after: which}\n"
                   "    c: {empty: , after: which}\n"
                   "    goes_on: {short_circuit: '{{ 1 == 1 }}'}\n"
                   "    ends: {short_circuit: '{{ 1 == 2 }}', after: goes_on}\n"
                   "    never: {bash: 'exit 1', after: ends}\n"
                   "    pause: {wait: 50ms}\n"
                   "    makes: {bash: 'mkdir -p d/e; touch d/e/f.txt', after: pause}\n"
                   "    file: {file_sensor: 'd/**/*.txt', recursive: true, poke_interval: 30ms, "
                   "mode: poke}\n"
                   "    gone: {file_sensor: nothing, poke_interval: 30ms, timeout: 100ms, "
                   "soft_fail: true}\n"
                   "    then: {trigger_dag: other, conf: {n: 5}, wait_for_completion: true, "
                   "poke_interval: 50ms}\n"
                   "    saw: {dag_sensor: other, logical_date: latest, poke_interval: 50ms}\n"
                   "other:\n"
                   "  is_paused_upon_creation: false\n"
                   "  tasks:\n"
                   "    n: {bash: 'sleep 0.2; echo {{ dag_run.conf.n }}'}\n"))
        return;
    shop_trigger(&s, "quick", "r");
    shop_wait(&s, "quick", "r");
    CHECK(s.run.state == RUN_SUCCESS);
    static const char *const WANTED[][2] = {
        {"a", "success["},     {"b", "success["},     {"c", "skipped["},
        {"never", "skipped["}, {"pause", "success["}, {"file", "success"},
        {"gone", "skipped["},  {"then", "success["},  {"saw", "success["}};
    for (size_t i = 0; i < COUNT_OF(WANTED); i++) {
        const char *is = shop_task(&s, "quick", "r", WANTED[i][0]);
        if (strncmp(is, WANTED[i][1], strlen(WANTED[i][1])) != 0)
            test_failed(__FILE__, __LINE__, "%s is %s", WANTED[i][0], is);
    }
    CHECK_TEXT(shop_result(&s, "goes_on"), "true");
    shop_end(&s);
}
