/* Goal: what doors and commands ask is done as Airflow does it, and what it refuses is refused.
 * Method: an engine under a fake clock (engine_kit), operations on a connection of their own. */
#include "sched/engine_kit.h"

#include "test.h"

#include <stdio.h>

#define HOUR (3600 * INT64_C(1000000))
#define DAY  (24 * HOUR)

static const char TREE[] = "d:\n  tasks:\n    a: {bash: x}\n    b: {bash: x, after: [a]}\n"
                           "    c: {bash: x, after: [b]}\n    e: {bash: x}\n";

static uint32_t clear_from(struct kit *k, const char *task, bool downstream, bool only_failed,
                           bool dry)
{
    struct arena *a = arena_new(MIB(8));
    struct task_rows cleared = {0};
    struct diag d = {0};
    struct ops_task one = {slice_of(task), OPS_ALL_MAPPED};
    struct ops_clear c = {.dag_id = SLICE("d"),
                          .run_id = SLICE("r"),
                          .start = TIME_NONE,
                          .end = TIME_NONE,
                          .tasks = &one,
                          .task_count = 1,
                          .downstream = downstream,
                          .only_failed = only_failed,
                          .dry = dry};
    CHECK_OK(ops_tasks_clear(&k->ops, &c, a, &cleared, &d), &d);
    arena_free(a);
    return cleared.count;
}

TEST(ops_clear_a_task_and_what_is_below_it)
{
    struct kit k;
    if (!kit_open(&k, TREE)) return;
    kit_trigger(&k, "d", "r", NULL);
    kit_turn(&k);
    CHECK_TEXT(kit_run_state(&k, "r"), "success");
    CHECK_INT(clear_from(&k, "b", true, false, true), 2);
    kit_turn(&k);
    CHECK_INT(kit_tries(&k, "r", "b"), 1);
    CHECK_INT(clear_from(&k, "b", true, true, false), 0); /* none has failed */
    CHECK_INT(clear_from(&k, "b", true, false, false), 2);
    CHECK_TEXT(kit_run_state(&k, "r"), "queued");
    kit_turn(&k);
    CHECK_TEXT(kit_run_state(&k, "r"), "success");
    CHECK_INT(kit_tries(&k, "r", "a"), 1);
    CHECK_INT(kit_tries(&k, "r", "b"), 2);
    CHECK_INT(kit_tries(&k, "r", "c"), 2);
    kit_audit(&k);
    kit_close(&k);
}

TEST(ops_clear_what_runs_and_it_starts_anew_when_its_work_has_ended)
{
    struct kit k;
    static const struct script KEPT[] = {{"a", "ws"}, {0}};
    if (!kit_open(&k, TREE)) return;
    k.scripts = KEPT;
    kit_trigger(&k, "d", "r", NULL);
    kit_turn(&k);
    CHECK_INT(clear_from(&k, "a", false, false, false), 1);
    kit_turn(&k);
    CHECK_TEXT(kit_states(&k, "r"), "a=restarting b=none c=none e=success");
    CHECK_INT(k.stopped.count, 1);
    kit_answer(&k, "a", WORK_STOPPED);
    kit_turn(&k);
    CHECK_TEXT(kit_run_state(&k, "r"), "success");
    CHECK_INT(kit_tries(&k, "r", "a"), 2);
    kit_audit(&k);
    kit_close(&k);
}

TEST(ops_mark_a_task_and_its_work_is_stopped)
{
    struct kit k;
    struct diag d = {0};
    struct task_rows touched = {0};
    static const struct script KEPT[] = {{"a", "w"}, {"b", "f"}, {0}};
    if (!kit_open(&k, TREE)) return;
    struct arena *a = arena_new(MIB(8));
    k.scripts = KEPT;
    kit_trigger(&k, "d", "r", NULL);
    kit_turn(&k);
    struct ops_mark m = {.dag_id = SLICE("d"),
                         .run_id = SLICE("r"),
                         .task = {SLICE("a"), OPS_ALL_MAPPED},
                         .state = TASK_SUCCESS};
    CHECK_OK(ops_task_mark(&k.ops, &m, a, &touched, &d), &d);
    CHECK_INT(touched.count, 1);
    kit_turn(&k);
    CHECK_INT(k.stopped.count, 1);
    CHECK_TEXT(kit_states(&k, "r"), "a=success b=failed c=upstream_failed e=success");
    CHECK_TEXT(kit_run_state(&k, "r"), "failed");
    kit_answer(&k, "a", WORK_STOPPED);
    kit_turn(&k);
    CHECK_TEXT(kit_states(&k, "r"), "a=success b=failed c=upstream_failed e=success");
    /* marked well: what stands upstream_failed below it runs again */
    m.task.id = SLICE("b");
    CHECK_OK(ops_task_mark(&k.ops, &m, a, &touched, &d), &d);
    kit_turn(&k);
    CHECK_TEXT(kit_states(&k, "r"), "a=success b=success c=success e=success");
    CHECK_TEXT(kit_run_state(&k, "r"), "success");
    m.state = TASK_RUNNING;
    CHECK_ERR(ops_task_mark(&k.ops, &m, a, &touched, &d), ERR_USAGE);
    m.state = TASK_SUCCESS;
    m.task.id = SLICE("nobody");
    CHECK_ERR(ops_task_mark(&k.ops, &m, a, &touched, &d), ERR_NOT_FOUND);
    arena_free(a);
    kit_audit(&k);
    kit_close(&k);
}

TEST(ops_mark_a_run_failed_and_the_teardown_still_runs)
{
    struct kit k;
    struct diag d = {0};
    struct task_rows touched = {0};
    struct run_row run;
    static const struct script KEPT[] = {{"w", "w"}, {0}};
    if (!kit_open(&k, "d:\n  tasks:\n    s: {bash: x, setup: true}\n    w: {bash: x, after: [s]}\n"
                      "    x: {bash: x, after: [w]}\n"
                      "    t: {bash: x, after: [s, x], teardown: true}\n"))
        return;
    struct arena *a = arena_new(MIB(8));
    k.scripts = KEPT;
    kit_trigger(&k, "d", "r", NULL);
    kit_turn(&k);
    CHECK_OK(ops_run_mark(&k.ops, SLICE("d"), SLICE("r"), RUN_FAILED, true, a, &touched, &run, &d),
             &d);
    CHECK_INT(touched.count, 2);
    CHECK_OK(ops_run_mark(&k.ops, SLICE("d"), SLICE("r"), RUN_FAILED, false, a, &touched, &run, &d),
             &d);
    kit_turn(&k);
    CHECK_INT(k.stopped.count, 1);
    CHECK_TEXT(kit_states(&k, "r"), "s=success t=success w=failed x=skipped");
    kit_answer(&k, "w", WORK_STOPPED);
    kit_turn(&k);
    arena_free(a);
    kit_close(&k);
}

TEST(ops_trigger_refuses_what_airflow_refuses)
{
    struct kit k;
    struct diag d = {0};
    struct run_row run;
    if (!kit_open(&k, "d:\n  params:\n    n: {default: 5, type: integer, minimum: 3}\n  tasks:\n"
                      "    a: {bash: 'echo {{ params.n }}'}\n"))
        return;
    struct arena *a = arena_new(MIB(8));
    struct ops_trigger t = {.dag_id = SLICE("d"),
                            .run_id = SLICE("r"),
                            .logical = 1000,
                            .interval_start = TIME_NONE,
                            .interval_end = TIME_NONE,
                            .run_after = TIME_NONE};
    CHECK_OK(ops_trigger(&k.ops, &t, a, &run, &d), &d);
    CHECK_ERR(ops_trigger(&k.ops, &t, a, &run, &d), ERR_EXISTS);
    t.run_id = SLICE("other");
    CHECK_ERR(ops_trigger(&k.ops, &t, a, &run, &d), ERR_EXISTS); /* that logical date */
    t.logical = 2000;
    t.conf = SLICE("{\"n\": 2}");
    CHECK_ERR(ops_trigger(&k.ops, &t, a, &run, &d), ERR_USAGE);
    CHECK(strstr(d.what, "less than the minimum of 3") != NULL);
    t.conf = SLICE("{\"n\": \"x\"}");
    CHECK_ERR(ops_trigger(&k.ops, &t, a, &run, &d), ERR_USAGE);
    t.conf = SLICE("[1]");
    CHECK_ERR(ops_trigger(&k.ops, &t, a, &run, &d), ERR_USAGE);
    t.conf = SLICE("{\"n\": 7}");
    t.run_id = SLICE("a b");
    CHECK_ERR(ops_trigger(&k.ops, &t, a, &run, &d), ERR_USAGE);
    t.dag_id = SLICE("nobody");
    CHECK_ERR(ops_trigger(&k.ops, &t, a, &run, &d), ERR_NOT_FOUND);
    t = (struct ops_trigger){.dag_id = SLICE("d"),
                             .conf = SLICE("{\"n\": 7}"),
                             .logical = TIME_NONE,
                             .interval_start = TIME_NONE,
                             .interval_end = TIME_NONE,
                             .run_after = TIME_NONE};
    CHECK_OK(ops_trigger(&k.ops, &t, a, &run, &d), &d);
    CHECK(slice_starts(run.run_id, "manual__2024-01-01T00:00:00"));
    kit_turn(&k);
    CHECK_INT(meta_kit_number(k.own, "SELECT COUNT(*) FROM task_instance WHERE rendered LIKE "
                                     "'%echo 7%'"),
              1);
    CHECK_OK(ops_run_note(&k.ops, SLICE("d"), run.run_id, SLICE("fine"), &d), &d);
    CHECK_OK(ops_run_delete(&k.ops, SLICE("d"), run.run_id, &d), &d);
    CHECK_ERR(ops_run_delete(&k.ops, SLICE("d"), run.run_id, &d), ERR_NOT_FOUND);
    CHECK_OK(ops_dag_delete(&k.ops, SLICE("d"), &d), &d);
    CHECK_INT(meta_kit_number(k.own, "SELECT COUNT(*) FROM dag_run"), 0);
    kit_turn(&k);
    CHECK_INT(meta_kit_number(k.own, "SELECT COUNT(*) FROM dag"), 1); /* its file is there */
    arena_free(a);
    kit_close(&k);
}

TEST(ops_backfill_makes_what_is_missing_within_its_limit)
{
    struct kit k;
    struct diag d = {0};
    struct backfill_row row;
    struct backfill_dates dates;
    static const struct script KEPT[] = {{"a", "w"}, {0}};
    if (!kit_open(&k, "d:\n  schedule: '@daily'\n  start_date: 2023-12-31\n  catchup: false\n"
                      "  tasks:\n    a: {bash: x}\n"))
        return;
    struct arena *a = arena_new(MIB(8));
    kit_turn(&k);
    k.scripts = KEPT;
    int64_t first = k.clock->wall - 10 * DAY;
    struct ops_backfill b = {
        .dag_id = SLICE("d"), .from = first, .to = first + 4 * DAY, .max_active_runs = 2};
    CHECK_OK(ops_backfill_dry(&k.ops, &b, a, &dates, &d), &d);
    CHECK_INT(dates.count, 5);
    CHECK_INT(dates.logical[0], first);
    CHECK_OK(ops_backfill_create(&k.ops, &b, a, &row, &d), &d);
    CHECK_ERR(ops_backfill_create(&k.ops, &b, a, &row, &d), ERR_EXISTS);
    int64_t id = meta_kit_number(k.own, "SELECT MAX(id) FROM backfill");
    for (int n = 0; n < 3; n++) {
        kit_turn(&k);
        CHECK_INT(k.kept.count, 2);
        kit_answer(&k, "a", WORK_SUCCESS);
    }
    CHECK_OK(ops_backfill_pause(&k.ops, id, true, a, &row, &d), &d);
    CHECK(row.paused);
    kit_turn(&k);
    kit_answer(&k, "a", WORK_SUCCESS);
    kit_turn(&k);
    CHECK_INT(k.kept.count, 0);
    CHECK_OK(ops_backfill_pause(&k.ops, id, false, a, &row, &d), &d);
    kit_turn(&k);
    kit_answer(&k, "a", WORK_SUCCESS);
    kit_turn(&k);
    CHECK_OK(ops_backfill_find(&k.ops, id, a, &row, &d), &d);
    CHECK(row.completed != TIME_NONE);
    b.reprocess = REPROCESS_COMPLETED;
    b.backwards = true;
    CHECK_OK(ops_backfill_create(&k.ops, &b, a, &row, &d), &d);
    kit_turn(&k);
    CHECK_INT(k.kept.count, 2);
    CHECK_INT(meta_kit_number(k.own, "SELECT MIN(logical) FROM dag_run WHERE state = 'running'"),
              b.to - DAY); /* the newest two */
    CHECK_OK(ops_backfill_cancel(&k.ops, row.id, a, &row, &d), &d);
    CHECK_INT(meta_kit_number(k.own, "SELECT COUNT(*) FROM dag_run WHERE state = 'failed'"), 3);
    CHECK_ERR(ops_backfill_cancel(&k.ops, row.id, a, &row, &d), ERR_EXISTS);
    b.to = b.from - 1;
    CHECK_ERR(ops_backfill_dry(&k.ops, &b, a, &dates, &d), ERR_USAGE);
    arena_free(a);
    kit_audit(&k);
    kit_close(&k);
}
