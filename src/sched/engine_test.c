/* Goal: the engine moves runs on as Airflow does.
 * Method: an engine under a fake clock with a scripted workshop (engine_kit): a dag, what its tasks
 * come to, how they stand in the end. */
#include "sched/engine_kit.h"

#include "test.h"

#include <stdio.h>

#define SECOND INT64_C(1000000)
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

static void unpause(struct kit *k, const char *dag)
{
    struct diag d = {0};
    CHECK_OK(ops_dag_pause(&k->ops, slice_of(dag), false, NULL, &d), &d);
}

/* One dag "d", triggered by hand as run "r", to its end. */
struct scene {
    const char *name, *tasks;
    struct script scripts[6];
    const char *states, *run;
};

static void play(const struct scene *s)
{
    struct kit k;
    char yaml[4096];
    snprintf(yaml, sizeof(yaml),
             "d:\n  start_date: 2024-01-01\n  default_args: {retry_delay: 1m}\n"
             "  tasks:\n%s",
             s->tasks);
    if (!kit_open(&k, yaml)) return;
    k.scripts = s->scripts;
    kit_turn(&k);
    unpause(&k, "d");
    kit_trigger(&k, "d", "r", "{\"c\": 5}");
    kit_advance(&k, 3 * MINUTE);
    if (strcmp(kit_states(&k, "r"), s->states) != 0)
        test_failed(__FILE__, __LINE__, "%s:\n  %s, not\n  %s", s->name, kit_states(&k, "r"),
                    s->states);
    if (strcmp(kit_run_state(&k, "r"), s->run) != 0)
        test_failed(__FILE__, __LINE__, "%s: the run is %s, not %s", s->name,
                    kit_run_state(&k, "r"), s->run);
    kit_audit(&k);
    kit_close(&k);
}

TEST(engine_ends_runs_as_airflow_does)
{
    static const struct scene SCENES[] = {
        {"a chain",
         "    a: {bash: x}\n    b: {bash: x, after: [a]}\n    c: {empty: , after: [b]}\n",
         {{0}},
         "a=success b=success c=success",
         "success"},
        {"a failure goes down",
         "    a: {bash: x}\n    b: {bash: x, after: [a]}\n    c: {bash: x}\n",
         {{"a", "f"}},
         "a=failed b=upstream_failed c=success",
         "failed"},
        {"a failed task above a leaf that is well",
         "    a: {bash: x}\n    b: {bash: x, after: [a], trigger_rule: all_done}\n",
         {{"a", "f"}},
         "a=failed b=success",
         "success"},
        {"a skip goes down",
         "    a: {bash: x}\n    b: {bash: x, after: [a]}\n"
         "    c: {bash: x, after: [b], trigger_rule: none_failed}\n",
         {{"a", "k"}},
         "a=skipped b=skipped c=success",
         "success"},
        {"retries",
         "    a: {bash: x, retries: 2}\n    b: {bash: x, after: [a]}\n",
         {{"a", "ffs"}},
         "a=success b=success",
         "success"},
        {"retries are spent", "    a: {bash: x, retries: 2}\n", {{"a", "f"}}, "a=failed", "failed"},
        {"no retry of what failed for good",
         "    a: {bash: x, retries: 2}\n",
         {{"a", "Fs"}},
         "a=failed",
         "failed"},
        {"lost and tried again",
         "    a: {bash: x, retries: 1}\n",
         {{"a", "ls"}},
         "a=success",
         "success"},
        {"a branch",
         "    a: {bash: x}\n    b: {bash: x, after: [a]}\n    c: {bash: x, after: [a]}\n"
         "    d: {bash: x, after: [b, c], trigger_rule: none_failed_min_one_success}\n",
         {{"a", "s", NULL, "b"}},
         "a=success b=success c=skipped d=success",
         "success"},
        {"a branch to the join leaves it",
         "    a: {bash: x}\n    b: {bash: x, after: [a]}\n    j: {bash: x, after: [a, b], "
         "trigger_rule: none_failed}\n",
         {{"a", "s", NULL, "b"}},
         "a=success b=success j=success",
         "success"},
        {"a branch to nobody known",
         "    a: {bash: x}\n    b: {bash: x, after: [a]}\n",
         {{"a", "s", NULL, "z"}},
         "a=failed b=upstream_failed",
         "failed"},
        {"a short circuit",
         "    a: {bash: x}\n    b: {bash: x, after: [a]}\n"
         "    c: {bash: x, after: [b], trigger_rule: all_done}\n",
         {{.task = "a", .outcomes = "s", .short_circuit = true}},
         "a=success b=skipped c=skipped",
         "success"},
        {"over a list that is written down",
         "    a: {bash: 'echo {{ item }}', expand: [1, 2]}\n    b: {bash: x, after: [a]}\n",
         {{0}},
         "a[0]=success a[1]=success b=success",
         "success"},
        {"over two lists crossed",
         "    a: {bash: x, expand: {u: [1, 2], v: [3, 4]}}\n",
         {{0}},
         "a[0]=success a[1]=success a[2]=success a[3]=success",
         "success"},
        {"over what a task gave",
         "    a: {bash: x}\n    b: {bash: x, expand: a, after: [a]}\n    c: {bash: x, after: "
         "[b]}\n",
         {{"a", "s", "[7, 8, 9]"}},
         "a=success b[0]=success b[1]=success b[2]=success c=success",
         "success"},
        {"over an empty list",
         "    a: {bash: x}\n    b: {bash: x, expand: a, after: [a]}\n    c: {bash: x, after: "
         "[b]}\n",
         {{"a", "s", "[]"}},
         "a=success b=skipped c=skipped",
         "success"},
        {"over what is no list",
         "    a: {bash: x}\n    b: {bash: x, expand: a, after: [a]}\n",
         {{"a", "s", "5"}},
         "a=failed b=upstream_failed",
         "failed"},
        {"one of a list fails",
         "    a: {bash: x, expand: [1, 2]}\n    b: {bash: x, after: [a]}\n",
         {{"a", "f"}},
         "a[0]=failed a[1]=failed b=upstream_failed",
         "failed"},
        {"a template that is wrong fails its try",
         "    a: {bash: '{{ nothing.at.all }}', retries: 1}\n    b: {bash: x, after: [a]}\n",
         {{0}},
         "a=failed b=upstream_failed",
         "failed"},
        {"setup and teardown",
         "    s: {bash: x, setup: true}\n    w: {bash: x, after: [s]}\n"
         "    t: {bash: x, after: [s, w], teardown: true}\n",
         {{"w", "f"}},
         "s=success t=success w=failed",
         "failed"},
        {"a failed teardown is no failed run",
         "    s: {bash: x, setup: true}\n    w: {bash: x, after: [s]}\n"
         "    t: {bash: x, after: [s, w], teardown: true}\n",
         {{"t", "f"}},
         "s=success t=failed w=success",
         "success"},
        {"a setup that fails keeps what is far below it",
         "    s: {bash: x, setup: true}\n    w: {bash: x, after: [s]}\n"
         "    v: {bash: x, after: [w], trigger_rule: all_done}\n"
         "    t: {bash: x, after: [s, v], teardown: true}\n",
         {{"s", "f"}},
         "s=failed t=upstream_failed v=upstream_failed w=upstream_failed",
         "failed"},
    };
    for (size_t i = 0; i < COUNT_OF(SCENES); i++) play(&SCENES[i]);
}

TEST(engine_maps_lists_and_groups_as_airflow_does)
{
    static const struct scene SCENES[] = {
        {"a group over what a task gave: each index by itself",
         "    a: {bash: x}\n    g:\n      expand: a\n      tasks:\n"
         "        u: {bash: 'echo {{ item }}'}\n        v: {bash: x, after: u}\n"
         "    c: {bash: x, after: g, trigger_rule: all_done}\n",
         {{"a", "s", "[7, 8]"}, {"g.u", "f", .only = 2}},
         "a=success c=success g.u[0]=success g.u[1]=failed g.v[0]=success g.v[1]=upstream_failed",
         "success"},
        {"over what is skipped as the run begins, by who waits for nothing",
         "    a: {bash: x, expand: []}\n    b: {bash: x, expand: [1], after: [a]}\n"
         "    c: {bash: x, expand: b, trigger_rule: always}\n",
         {{0}},
         "a=skipped b[0]=skipped c=upstream_failed",
         "failed"},
        {"a group over an empty list",
         "    a: {bash: x}\n    g:\n      expand: {x: a}\n      tasks:\n"
         "        u: {bash: x}\n        v: {bash: x, after: u}\n    c: {bash: x, after: g}\n",
         {{"a", "s", "[]"}},
         "a=success c=skipped g.u=skipped g.v=skipped",
         "success"},
        {"a group over what failed",
         "    a: {bash: x}\n    g:\n      expand: a\n      tasks:\n"
         "        u: {bash: x, trigger_rule: all_done}\n        v: {bash: x, after: u}\n",
         {{"a", "f"}},
         "a=failed g.u=upstream_failed g.v=upstream_failed",
         "failed"},
        {"a branch in a mapped group is for its own index",
         "    g:\n      expand: [1, 2]\n      tasks:\n        b: {bash: x}\n"
         "        u: {bash: x, after: b}\n        v: {bash: x, after: b}\n"
         "        w: {bash: x, after: [u, v], trigger_rule: none_failed_min_one_success}\n",
         {{"g.b", "s", NULL, "g.u", .only = 1}, {"g.b", "s", NULL, "g.v", .only = 2}},
         "g.b[0]=success g.b[1]=success g.u[0]=success g.u[1]=skipped g.v[0]=skipped "
         "g.v[1]=success g.w[0]=success g.w[1]=success",
         "success"},
        {"who waits for one success at least is skipped over what a task gave, as in 2.10.5",
         "    a: {bash: x}\n    g:\n      expand: a\n      tasks:\n        u: {bash: x}\n"
         "        v: {bash: x, after: u, trigger_rule: none_failed_min_one_success}\n"
         "        w: {bash: x, after: v}\n        z: {bash: x, after: v, trigger_rule: all_done}\n"
         "    c: {bash: x, after: g.u, trigger_rule: none_failed_min_one_success}\n",
         {{"a", "s", "[7, 8]"}},
         "a=success c=success g.u[0]=success g.u[1]=success g.v=skipped g.w=skipped "
         "g.z[0]=success g.z[1]=success",
         "success"},
        {"over a list that is written down it is not",
         "    g:\n      expand: [7, 8]\n      tasks:\n        u: {bash: x}\n"
         "        v: {bash: x, after: u, trigger_rule: none_failed_min_one_success}\n",
         {{"g.u", "k", .only = 2}},
         "g.u[0]=success g.u[1]=skipped g.v[0]=success g.v[1]=skipped",
         "success"},
        {"a failed teardown that is to fail the run",
         "    s: {bash: x, setup: true}\n    w: {bash: x, after: [s]}\n"
         "    t: {bash: x, after: [s, w], teardown: true, on_failure_fail_dagrun: true}\n",
         {{"t", "f"}},
         "s=success t=failed w=success",
         "failed"},
    };
    for (size_t i = 0; i < COUNT_OF(SCENES); i++) play(&SCENES[i]);
}

TEST(engine_waits_for_retries_by_the_clock_that_never_steps)
{
    struct kit k;
    static const struct script SCRIPTS[] = {{"a", "fs"}, {0}};
    if (!kit_open(&k, "d:\n  tasks:\n    a: {bash: x, retries: 1, retry_delay: 5m}\n")) return;
    k.scripts = SCRIPTS;
    unpause(&k, "d");
    kit_trigger(&k, "d", "r", NULL);
    kit_turn(&k);
    CHECK_TEXT(kit_states(&k, "r"), "a=up_for_retry");
    k.clock->wall -= HOUR; /* the wall's clock goes back, and the retry comes when it should */
    kit_advance(&k, 4 * MINUTE);
    CHECK_TEXT(kit_states(&k, "r"), "a=up_for_retry");
    kit_advance(&k, 61 * SECOND);
    CHECK_TEXT(kit_states(&k, "r"), "a=success");
    CHECK_INT(kit_tries(&k, "r", "a"), 2);
    kit_close(&k);
}

TEST(engine_lets_a_sensor_look_again_within_one_try)
{
    struct kit k;
    static const struct script SCRIPTS[] = {{"a", "w"}, {0}};
    if (!kit_open(&k, "d:\n  tasks:\n    a: {bash: x}\n")) return;
    k.scripts = SCRIPTS;
    unpause(&k, "d");
    kit_trigger(&k, "d", "r", NULL);
    for (int n = 0; n < 3; n++) {
        kit_turn(&k);
        CHECK_TEXT(kit_states(&k, "r"), "a=running");
        kit_answer(&k, "a", WORK_AGAIN);
        kit_turn(&k);
        CHECK_TEXT(kit_states(&k, "r"), "a=up_for_reschedule");
        kit_advance(&k, 61 * SECOND);
    }
    kit_answer(&k, "a", WORK_SUCCESS);
    kit_turn(&k);
    CHECK_TEXT(kit_run_state(&k, "r"), "success");
    CHECK_INT(kit_tries(&k, "r", "a"), 1);
    kit_audit(&k);
    kit_close(&k);
}

TEST(engine_claims_by_weight_under_pools_and_limits)
{
    struct kit k;
    static const struct script SCRIPTS[] = {{"a", "w"}, {"b", "w"}, {"c", "w"}, {0}};
    if (!kit_open(&k,
                  "d:\n  max_active_tasks: 2\n  default_args: {weight_rule: absolute}\n  tasks:\n"
                  "    a: {bash: x, priority_weight: 1}\n    b: {bash: x, priority_weight: 3}\n"
                  "    c: {bash: x, priority_weight: 2}\n"))
        return;
    k.scripts = SCRIPTS;
    unpause(&k, "d");
    kit_trigger(&k, "d", "r", NULL);
    kit_turn(&k);
    CHECK_TEXT(kit_states(&k, "r"), "a=scheduled b=running c=running");
    CHECK_TEXT(k.begun, "b c");
    kit_answer(&k, "b", WORK_SUCCESS);
    kit_turn(&k);
    CHECK_TEXT(kit_states(&k, "r"), "a=running b=success c=running");
    kit_close(&k);
    if (!kit_open(&k, "d:\n  tasks:\n    a: {bash: x, pool: p, pool_slots: 2}\n"
                      "    b: {bash: x, pool: p}\n    c: {bash: x, pool: none_such}\n"))
        return;
    meta_kit_do(k.own, "INSERT INTO pool (name, slots) VALUES ('p', 2)");
    k.scripts = SCRIPTS;
    unpause(&k, "d");
    kit_trigger(&k, "d", "r", NULL);
    kit_turn(&k);
    CHECK_TEXT(kit_states(&k, "r"), "a=running b=scheduled c=scheduled");
    kit_answer(&k, "a", WORK_SUCCESS);
    kit_turn(&k);
    CHECK_TEXT(kit_states(&k, "r"), "a=success b=running c=scheduled");
    meta_kit_do(k.own, "INSERT INTO pool (name, slots) VALUES ('none_such', 1)");
    kit_turn(&k);
    CHECK_TEXT(kit_states(&k, "r"), "a=success b=running c=running");
    kit_close(&k);
}

TEST(engine_keeps_to_a_tasks_own_limit_over_runs)
{
    struct kit k;
    static const struct script SCRIPTS[] = {{"a", "w"}, {0}};
    if (!kit_open(&k, "d:\n  tasks:\n    a: {bash: x, max_active_tis_per_dag: 1}\n")) return;
    k.scripts = SCRIPTS;
    unpause(&k, "d");
    kit_trigger(&k, "d", "one", NULL);
    kit_turn(&k);
    kit_trigger(&k, "d", "two", NULL);
    kit_turn(&k);
    CHECK_TEXT(kit_states(&k, "one"), "a=running");
    CHECK_TEXT(kit_states(&k, "two"), "a=scheduled");
    kit_answer(&k, "a", WORK_SUCCESS);
    kit_turn(&k);
    CHECK_TEXT(kit_states(&k, "two"), "a=running");
    kit_close(&k);
}

TEST(engine_waits_for_the_run_before)
{
    struct kit k;
    static const struct script SCRIPTS[] = {{"a", "w"}, {0}};
    if (!kit_open(&k, "d:\n  tasks:\n    a: {bash: x, depends_on_past: true}\n")) return;
    k.scripts = SCRIPTS;
    unpause(&k, "d");
    kit_trigger(&k, "d", "one", NULL);
    kit_turn(&k);
    k.clock->wall += SECOND;
    kit_trigger(&k, "d", "two", NULL);
    kit_turn(&k);
    CHECK_TEXT(kit_states(&k, "one"), "a=running");
    CHECK_TEXT(kit_states(&k, "two"), "a=none");
    kit_answer(&k, "a", WORK_SUCCESS);
    kit_turn(&k);
    CHECK_TEXT(kit_states(&k, "two"), "a=running");
    kit_close(&k);
}

TEST(engine_stops_what_takes_too_long)
{
    struct kit k;
    static const struct script SCRIPTS[] = {{"a", "w"}, {"b", "w"}, {0}};
    if (!kit_open(&k,
                  "d:\n  dagrun_timeout: 1h\n  tasks:\n    a: {bash: x, execution_timeout: 1m}\n"
                  "    b: {bash: x}\n    c: {bash: x, after: [b]}\n"))
        return;
    k.scripts = SCRIPTS;
    unpause(&k, "d");
    kit_trigger(&k, "d", "r", NULL);
    kit_turn(&k);
    CHECK_INT(k.stopped.count, 0);
    kit_advance(&k, MINUTE + SECOND);
    CHECK_INT(k.stopped.count, 1);
    kit_answer(&k, "a", WORK_STOPPED);
    kit_turn(&k);
    CHECK_TEXT(kit_states(&k, "r"), "a=failed b=running c=none");
    kit_advance(&k, HOUR);
    CHECK_TEXT(kit_run_state(&k, "r"), "failed");
    CHECK_TEXT(kit_states(&k, "r"), "a=failed b=skipped c=skipped");
    CHECK_INT(k.stopped.count, 1);
    kit_answer(&k, "b", WORK_STOPPED);
    kit_turn(&k);
    kit_close(&k);
}

TEST(engine_hands_out_callbacks_once_they_are_durable)
{
    struct kit k;
    static const struct script SCRIPTS[] = {{"a", "f"}, {0}};
    if (!kit_open(&k, "d:\n  on_failure_callback: {http: 'http://127.0.0.1/x'}\n  tasks:\n"
                      "    a: {bash: x, on_failure_callback: {command: 'echo {{ ds }}'}}\n"))
        return;
    k.scripts = SCRIPTS;
    unpause(&k, "d");
    kit_trigger(&k, "d", "r", NULL);
    kit_turn(&k);
    CHECK_INT(k.calls, 2);
    CHECK_INT(meta_kit_number(k.own, "SELECT COUNT(*) FROM callback"), 0);
    kit_close(&k);
}

TEST(engine_makes_no_new_run_of_a_paused_dag_and_pauses_a_hopeless_one)
{
    struct kit k;
    static const struct script SCRIPTS[] = {{"a", "f"}, {0}};
    if (!kit_open(&k, "d:\n  schedule: '@hourly'\n  start_date: 2023-12-31\n  catchup: true\n  "
                      "is_paused_upon_creation: true\n"
                      "  max_active_runs: 1\n  max_consecutive_failed_dag_runs: 3\n  tasks:\n"
                      "    a: {bash: x}\n"))
        return;
    k.scripts = SCRIPTS;
    kit_advance(&k, HOUR);
    CHECK_INT(meta_kit_number(k.own, "SELECT COUNT(*) FROM dag_run"), 0);
    unpause(&k, "d");
    kit_advance(&k, HOUR);
    CHECK_INT(meta_kit_number(k.own, "SELECT COUNT(*) FROM dag_run"), 3);
    CHECK_INT(meta_kit_number(k.own, "SELECT paused FROM dag WHERE id = 'd'"), 1);
    kit_close(&k);
}

TEST(engine_starts_a_dag_after_the_data_that_it_waits_for)
{
    struct kit k;
    struct diag d = {0};
    int64_t event;
    if (!kit_open(&k, "d:\n  schedule: {after: [orders, users]}\n  tasks:\n    a: {bash: x}\n"
                      "e:\n  tasks:\n    w: {empty: , outlets: [{table: users}]}\n"))
        return;
    unpause(&k, "d");
    unpause(&k, "e");
    struct asset_change c = {.kind = "table", .name = SLICE("orders")};
    CHECK_OK(ops_data_changed(&k.ops, &c, &event, &d), &d);
    kit_turn(&k);
    CHECK_INT(meta_kit_number(k.own, "SELECT COUNT(*) FROM dag_run"), 0);
    kit_trigger(&k, "e", "r", NULL);
    kit_turn(&k);
    kit_turn(&k);
    CHECK_INT(meta_kit_number(k.own, "SELECT COUNT(*) FROM dag_run WHERE dag_id = 'd' AND "
                                     "run_type = 'asset_triggered' AND state = 'success'"),
              1);
    CHECK_INT(meta_kit_number(k.own, "SELECT COUNT(*) FROM asset_queue"), 0);
    CHECK_INT(meta_kit_number(k.own, "SELECT COUNT(*) FROM asset_event_run x JOIN dag_run r ON "
                                     "r.id = x.run WHERE r.dag_id = 'd'"),
              2);
    kit_close(&k);
}

TEST(engine_starts_a_dag_by_every_event_since_its_last_run_and_by_no_kind_twice)
{
    struct kit k;
    struct diag d = {0};
    int64_t event;
    if (!kit_open(&k, "d:\n  schedule: {after: [orders, users]}\n  tasks:\n    a: {bash: x}\n"))
        return;
    unpause(&k, "d");
    const struct asset_change changes[] = {{.kind = "table", .name = SLICE("users")},
                                           {.kind = "topic", .name = SLICE("users")},
                                           {.kind = "table", .name = SLICE("users")},
                                           {.kind = "asset", .name = SLICE("orders")},
                                           {.kind = "asset", .name = SLICE("another")}};
    for (int turn = 1; turn <= 2; turn++) {
        for (size_t i = 0; i < COUNT_OF(changes); i++) {
            kit_advance(&k, SECOND);
            CHECK_OK(ops_data_changed(&k.ops, &changes[i], &event, &d), &d);
            kit_turn(&k);
            CHECK_INT(meta_kit_number(k.own, "SELECT COUNT(*) FROM dag_run"),
                      i < 3 ? turn - 1 : turn);
        }
        CHECK_INT(meta_kit_number(k.own, "SELECT COUNT(*) FROM asset_event_run"), 4 * turn);
    }
    CHECK_INT(meta_kit_number(k.own, "SELECT COUNT(DISTINCT event) FROM asset_event_run"), 8);
    kit_close(&k);
}
