/* Goal: whatever the clock does, no run is made twice and a dag's next run comes; and cost grows
 * with the work. Method: a fake clock that jumps years and hours; a dag of 10,000 tasks; a folder
 * of 10,000 dags. */
#include "os/clock.h"
#include "sched/engine_kit.h"

#include "test.h"

#include <stdio.h>

#define SECOND INT64_C(1000000)
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)
#define YEAR   (365 * DAY)

static int64_t runs_of(struct kit *k)
{
    return meta_kit_number(k->own, "SELECT COUNT(*) FROM dag_run");
}

static int64_t doubles_of(struct kit *k)
{
    return meta_kit_number(k->own,
                           "SELECT COUNT(*) FROM (SELECT dag_id, logical, COUNT(*) AS n FROM "
                           "dag_run GROUP BY dag_id, logical) AS t WHERE n > 1");
}

TEST(engine_makes_one_run_an_interval_however_the_clock_jumps)
{
    struct kit k;
    if (!kit_open(&k, "d:\n  schedule: '@hourly'\n  start_date: 2023-12-01\n  catchup: false\n"
                      "  tasks:\n    a: {bash: x}\n"))
        return;
    kit_turn(&k);
    CHECK_INT(runs_of(&k), 1); /* the newest of what was missed */
    kit_advance(&k, 3 * HOUR);
    CHECK_INT(runs_of(&k), 4);
    k.clock->wall -= HOUR; /* back an hour: nothing is made again */
    kit_advance(&k, HOUR);
    CHECK_INT(runs_of(&k), 4);
    kit_advance(&k, HOUR);
    CHECK_INT(runs_of(&k), 5);
    k.clock->wall += 10 * YEAR; /* ten years ahead: one run */
    kit_advance(&k, MINUTE);
    CHECK_INT(runs_of(&k), 6);
    k.clock->wall -= 10 * YEAR; /* and back: the next comes as if nothing had been */
    kit_advance(&k, HOUR);
    CHECK_INT(runs_of(&k), 7);
    kit_advance(&k, 2 * HOUR);
    CHECK_INT(runs_of(&k), 9);
    CHECK_INT(doubles_of(&k), 0);
    CHECK_INT(meta_kit_number(k.own, "SELECT COUNT(*) FROM dag_run WHERE state <> 'success'"), 0);
    kit_close(&k);
}

TEST(engine_catches_up_within_max_active_runs)
{
    struct kit k;
    static const struct script KEPT[] = {{"a", "w"}, {0}};
    if (!kit_open(&k, "d:\n  schedule: '@daily'\n  start_date: 2023-12-20\n  catchup: true\n"
                      "  max_active_runs: 2\n  tasks:\n    a: {bash: x}\n"))
        return;
    k.scripts = KEPT;
    kit_turn(&k);
    CHECK_INT(runs_of(&k), 2);
    CHECK_INT(k.kept.count, 2);
    for (int n = 0; n < 40 && k.kept.count > 0; n++) {
        kit_answer(&k, "a", WORK_SUCCESS);
        kit_turn(&k);
        CHECK(meta_kit_number(k.own, "SELECT COUNT(*) FROM dag_run WHERE state IN ('queued', "
                                     "'running')") <= 2);
    }
    CHECK_INT(runs_of(&k), 12); /* the 20th to the 31st */
    CHECK_INT(doubles_of(&k), 0);
    kit_close(&k);
}

TEST(engine_skips_what_was_missed_when_it_is_told_to)
{
    struct kit k;
    if (!kit_open(&k, "d:\n  schedule: '@hourly'\n  start_date: 2023-12-01\n  missed: skip\n"
                      "  tasks:\n    a: {bash: x}\n"))
        return;
    kit_turn(&k);
    int64_t at_first = runs_of(&k);
    kit_crash(&k);
    k.clock->wall += 5 * HOUR + 30 * MINUTE;
    if (!kit_again(&k)) return;
    kit_turn(&k);
    CHECK_INT(runs_of(&k), at_first);
    kit_advance(&k, HOUR);
    CHECK_INT(runs_of(&k), at_first + 1);
    kit_close(&k);
}

/* --- sizes ------------------------------------------------------------------------------------
 */

static char *wide_dag(int tasks)
{
    size_t size = (size_t)tasks * 64 + 256;
    char *text = mem_take(size);
    size_t used = (size_t)snprintf(text, size, "d:\n  max_active_tasks: 100000\n  tasks:\n");
    for (int i = 0; i < tasks && text; i++)
        used += (size_t)snprintf(text + used, size - used, "    t%d: {bash: x%s%d%s}\n", i,
                                 i < 100 ? ", retries: " : ", after: [t", i < 100 ? 0 : i - 100,
                                 i < 100 ? "" : "]");
    return text;
}

static int64_t time_of_wide(int tasks)
{
    struct kit k;
    char *yaml = wide_dag(tasks);
    if (!kit_open(&k, yaml)) return 0;
    mem_give(yaml);
    meta_kit_do(k.own, "UPDATE pool SET slots = 100000");
    kit_trigger(&k, "d", "r", NULL);
    int64_t from = clock_cpu_ns();
    kit_turn(&k);
    int64_t took = (clock_cpu_ns() - from) / 1000;
    CHECK_TEXT(kit_run_state(&k, "r"), "success");
    CHECK_INT(k.started, tasks);
    kit_audit(&k);
    kit_close(&k);
    return took;
}

TEST(engine_runs_a_dag_of_ten_thousand_tasks_in_time_that_grows_with_them)
{
    int tenth = meta_kit_is_postgres() ? 200 : 1000;
    int64_t small = time_of_wide(tenth), big = time_of_wide(10 * tenth);
    fprintf(stderr,
            "  %d tasks in %" PRId64 " ms, ten times as many in %" PRId64 " ms: %" PRId64
            " us a task\n",
            tenth, small / 1000, big / 1000, big / 10 / tenth);
    CHECK(big < 30 * small);
}

TEST(engine_keeps_ten_thousand_dags)
{
    const int DAGS = meta_kit_is_postgres() ? 500 : 10000;
    struct kit k;
    size_t size = (size_t)DAGS * 96;
    char *text = mem_take(size);
    size_t used = 0;
    for (int i = 0; i < DAGS && text; i++)
        used +=
            (size_t)snprintf(text + used, size - used,
                             "d%d: {schedule: '@daily', start_date: 2023-12-01, catchup: false, "
                             "tasks: {a: {empty: }}}\n",
                             i);
    if (!kit_open(&k, NULL)) return;
    int64_t from = clock_cpu_ns();
    kit_dags(&k, text);
    int64_t read = clock_cpu_ns();
    kit_turn(&k);
    int64_t ran = clock_cpu_ns();
    CHECK_INT(runs_of(&k), DAGS);
    CHECK_INT(meta_kit_number(k.own, "SELECT COUNT(*) FROM dag_run WHERE state = 'success'"), DAGS);
    for (int n = 0; n < 100; n++) (void)engine_turn(k.engine);
    int64_t idle = clock_cpu_ns();
    fprintf(stderr,
            "  %d dags read in %" PRId64 " ms, a run of each in %" PRId64
            " ms, an idle turn %" PRId64 " us of a processor\n",
            DAGS, (read - from) / 1000000, (ran - read) / 1000000, (idle - ran) / 100000);
    mem_give(text);
    kit_close(&k);
}

TEST(engine_runs_a_chain_of_forty)
{
    struct kit k;
    char yaml[4096];
    size_t used = (size_t)snprintf(yaml, sizeof(yaml), "d:\n  tasks:\n    t0: {bash: x}\n");
    for (int i = 1; i < 40; i++)
        used += (size_t)snprintf(yaml + used, sizeof(yaml) - used,
                                 "    t%d: {bash: x, after: [t%d]}\n", i, i - 1);
    if (!kit_open(&k, yaml)) return;
    kit_turn(&k);
    kit_trigger(&k, "d", "r", NULL);
    int64_t from = clock_cpu_ns();
    kit_turn(&k);
    int64_t took = (clock_cpu_ns() - from) / 1000;
    CHECK_TEXT(kit_run_state(&k, "r"), "success");
    fprintf(stderr, "  a chain of 40 in %" PRId64 " us: %" PRId64 " us a task\n", took, took / 40);
    kit_close(&k);
}
