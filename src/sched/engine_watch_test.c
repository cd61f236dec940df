/* Goal: a dag after a table or topic runs once for what has changed since its last run, whoever
 * changed it and whenever the engine was killed; what changes all the time makes no heap of runs.
 * Method: an engine under a fake clock, tables and topics that stand where the test says. */
#include "rounds.h"
#include "sched/engine_kit.h"

#include "test.h"

#include <stdio.h>

#define SECOND INT64_C(1000000)
#define MINUTE (60 * SECOND)

static const char users[] = "d: {schedule: {after: [{table: k.users}]}, catchup: false, "
                            "is_paused_upon_creation: false, tasks: {a: {bash: x}}}\n";

static bool open_with(struct kit *k, const char *yaml)
{
    if (!kit_open(k, NULL)) return false;
    k->data[0] = (struct kit_data){"k.users", {7, 5}};
    k->data[1] = (struct kit_data){"orders", {8, 0}};
    kit_dags(k, yaml);
    kit_advance(k, 2 * SECOND);
    return true;
}

static int64_t runs(struct kit *k, const char *dag)
{
    char statement[200];
    snprintf(statement, sizeof(statement),
             "SELECT COUNT(*) FROM dag_run WHERE dag_id = '%s' AND run_type = 'asset_triggered'",
             dag);
    return meta_kit_number(k->own, statement);
}

static void write_to(struct kit *k, int which, uint64_t count)
{
    k->data[which].at.count += count;
}

TEST(a_dag_runs_once_for_all_that_changed_since_its_last_run)
{
    struct kit k;
    if (!open_with(&k, users)) return;
    CHECK_INT(runs(&k, "d"), 0); /* what was there before the dag is no change */
    write_to(&k, 0, 1);
    kit_advance(&k, 2 * SECOND);
    CHECK_INT(runs(&k, "d"), 1);
    kit_advance(&k, 5 * MINUTE);
    CHECK_INT(runs(&k, "d"), 1);
    for (int i = 0; i < 50; i++) { /* at most once a minute */
        write_to(&k, 0, 3);
        kit_advance(&k, SECOND);
        CHECK_INT(runs(&k, "d"), 2);
    }
    kit_advance(&k, 30 * MINUTE); /* … and the last change is not forgotten */
    CHECK_INT(runs(&k, "d"), 3);
    CHECK_INT(meta_kit_number(k.own, "SELECT COUNT(*) FROM asset_event WHERE kind = 'table' AND "
                                     "source_run IS NULL"),
              3);
    CHECK_INT(meta_kit_number(k.own, "SELECT COUNT(*) FROM asset_event_run"), 3);
    CHECK_INT(meta_kit_number(k.own, "SELECT COUNT(*) FROM asset_queue"), 0);
    kit_close(&k);
}

TEST(a_topics_event_says_how_far_it_moved_and_is_one_for_all_who_wait)
{
    struct kit k;
    char text[200];
    if (!open_with(&k, "d: {schedule: {after: {topic: orders}}, is_paused_upon_creation: false, "
                       "tasks: {a: {bash: x}}}\n"
                       "e: {schedule: {after: {any: [{topic: orders}, other]}}, "
                       "is_paused_upon_creation: false, tasks: {a: {bash: x}}}\n"))
        return;
    write_to(&k, 1, 12);
    kit_advance(&k, 2 * SECOND);
    CHECK_INT(runs(&k, "d"), 1);
    CHECK_INT(runs(&k, "e"), 1);
    CHECK_INT(meta_kit_number(k.own, "SELECT COUNT(*) FROM asset_event"), 1);
    meta_kit_text(k.own, "SELECT extra FROM asset_event", text, sizeof(text));
    CHECK_TEXT(text, "{\"from_data\": true, \"offsets\": 12}");
    kit_close(&k);
}

TEST(all_that_a_dag_waits_for_must_change_tables_topics_and_names_alike)
{
    struct kit k;
    struct diag d = {0};
    int64_t event;
    if (!open_with(&k,
                   "d: {schedule: {after: [{table: k.users}, {topic: orders}, report], "
                   "at_most_every: 0}, is_paused_upon_creation: false, tasks: {a: {bash: x}}}\n"))
        return;
    for (int turn = 1; turn <= 2; turn++) {
        write_to(&k, 0, 1);
        kit_advance(&k, 3 * SECOND);
        write_to(&k, 1, 1);
        kit_advance(&k, 3 * SECOND);
        write_to(&k, 0, 1); /* before the run: of this one */
        kit_advance(&k, 3 * SECOND);
        CHECK_INT(runs(&k, "d"), turn - 1);
        struct asset_change c = {.kind = "asset", .name = SLICE("report")};
        CHECK_OK(ops_data_changed(&k.ops, &c, &event, &d), &d);
        kit_advance(&k, 3 * SECOND);
        CHECK_INT(runs(&k, "d"), turn);
    }
    kit_advance(&k, MINUTE);
    CHECK_INT(runs(&k, "d"), 2);
    kit_close(&k);
}

TEST(a_tasks_word_for_what_was_seen_to_change_is_no_second_change)
{
    struct kit k;
    if (!open_with(&k, "d: {schedule: {after: {table: k.users}, at_most_every: 0}, "
                       "is_paused_upon_creation: false, tasks: {a: {bash: x}}}\n"
                       "w: {is_paused_upon_creation: false, tasks: {w: {empty: , outlets: "
                       "{table: k.users}}}}\n"))
        return;
    write_to(&k, 0, 1);
    kit_trigger(&k, "w", "r", NULL);
    kit_advance(&k, MINUTE);
    CHECK_INT(runs(&k, "d"), 1);
    kit_trigger(&k, "w", "s", NULL); /* nothing was written */
    kit_advance(&k, MINUTE);
    CHECK_INT(runs(&k, "d"), 1);
    k.data[0].name = "k.others"; /* it is somewhere else: then the task's word is all there is */
    kit_trigger(&k, "w", "t", NULL);
    kit_advance(&k, MINUTE);
    CHECK_INT(runs(&k, "d"), 2);
    kit_close(&k);
}

TEST(a_dag_waits_until_its_data_is_quiet)
{
    struct kit k;
    if (!open_with(&k,
                   "d: {schedule: {after: {table: k.users}, at_most_every: 10s, quiet_for: 30s}, "
                   "is_paused_upon_creation: false, tasks: {a: {bash: x}}}\n"))
        return;
    for (int i = 0; i < 100; i++) {
        write_to(&k, 0, 1);
        kit_advance(&k, SECOND);
    }
    kit_advance(&k, 25 * SECOND);
    CHECK_INT(runs(&k, "d"), 0);
    kit_advance(&k, 10 * SECOND);
    CHECK_INT(runs(&k, "d"), 1);
    kit_close(&k);
}

TEST(what_changes_while_all_runs_are_taken_makes_one_more)
{
    struct kit k;
    static const struct script kept[] = {{"a", "w", NULL, NULL}, {0}};
    if (!open_with(&k,
                   "d: {schedule: {after: {table: k.users}, at_most_every: 0}, max_active_runs: "
                   "1, is_paused_upon_creation: false, tasks: {a: {bash: x}}}\n"))
        return;
    k.scripts = kept;
    for (int i = 0; i < 100; i++) {
        write_to(&k, 0, 1);
        kit_advance(&k, SECOND);
    }
    CHECK_INT(runs(&k, "d"), 1);
    kit_answer(&k, "a", WORK_SUCCESS);
    kit_advance(&k, 3 * SECOND);
    CHECK_INT(runs(&k, "d"), 2);
    kit_answer(&k, "a", WORK_SUCCESS);
    kit_advance(&k, MINUTE);
    CHECK_INT(runs(&k, "d"), 2);
    kit_close(&k);
}

TEST(what_changes_while_a_dag_is_paused_is_passed_over)
{
    struct kit k;
    struct diag d = {0};
    if (!open_with(&k, users)) return;
    CHECK_OK(ops_dag_pause(&k.ops, SLICE("d"), true, NULL, &d), &d);
    kit_advance(&k, 3 * SECOND);
    write_to(&k, 0, 1);
    kit_advance(&k, 3 * SECOND);
    kit_crash(&k);
    if (!kit_again(&k)) return;
    kit_advance(&k, 3 * SECOND);
    CHECK_OK(ops_dag_pause(&k.ops, SLICE("d"), false, NULL, &d), &d);
    kit_advance(&k, 3 * MINUTE);
    CHECK_INT(runs(&k, "d"), 0);
    write_to(&k, 0, 1);
    kit_advance(&k, 3 * SECOND);
    CHECK_INT(runs(&k, "d"), 1);
    kit_close(&k);
}

TEST(what_is_made_anew_has_changed_what_comes_empty_or_goes_has_not)
{
    struct kit k;
    if (!open_with(&k, "d: {schedule: {after: {table: k.users}, at_most_every: 0}, "
                       "is_paused_upon_creation: false, tasks: {a: {bash: x}}}\n"))
        return;
    static const struct {
        struct data_place at;
        int runs;
    } table[] = {{{9, 0}, 1},  /* truncated */
                 {{0, 0}, 1},  /* dropped */
                 {{10, 0}, 2}, /* made anew: nothing of what the last run saw is there */
                 {{10, 1}, 3},    {{0, 0}, 3},     {{11, 4}, 4},
                 {{11, 5000}, 5}, {{11, 4990}, 5}, /* as a kill beside commits leaves it */
                 {{11, 5001}, 6}, {{11, 9}, 7} /* an older copy of the data */};
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        k.data[0].at = table[i].at;
        kit_advance(&k, 3 * SECOND);
        if (runs(&k, "d") != table[i].runs)
            test_failed(__FILE__, __LINE__, "%zu: %d runs, not %d", i, (int)runs(&k, "d"),
                        table[i].runs);
    }
    kit_close(&k);
}

TEST(an_event_that_a_person_dismisses_starts_nothing)
{
    struct kit k;
    if (!open_with(&k, "d: {schedule: {after: [{table: k.users}, {topic: orders}], at_most_every: "
                       "0}, is_paused_upon_creation: false, tasks: {a: {bash: x}}}\n"))
        return;
    write_to(&k, 0, 1);
    kit_advance(&k, 3 * SECOND);
    CHECK_INT(meta_kit_number(k.own, "SELECT COUNT(*) FROM asset_queue"), 1);
    meta_kit_do(k.own, "DELETE FROM asset_queue");
    kit_advance(&k, 3 * SECOND);
    write_to(&k, 1, 1);
    kit_advance(&k, 3 * SECOND);
    CHECK_INT(runs(&k, "d"), 0);
    CHECK_INT(meta_kit_number(k.own, "SELECT COUNT(*) FROM asset_queue"), 1);
    write_to(&k, 0, 1);
    kit_advance(&k, 3 * SECOND);
    CHECK_INT(runs(&k, "d"), 1);
    kit_close(&k);
}

TEST(two_schedulers_each_look_at_their_own_data)
{
    struct kit a, b;
    static const char yaml[] = "d: {schedule: {after: {table: k.users}, at_most_every: 0}, "
                               "is_paused_upon_creation: false, tasks: {a: {bash: x}}}\n";
    if (!open_with(&a, yaml)) return;
    if (!kit_open_beside(&b, &a, "two", NULL)) return;
    b.data[0] = (struct kit_data){"k.users", {99, 1000}};
    kit_dags(&b, yaml);
    kit_turn(&b);
    for (int i = 0; i < 20; i++) {
        int64_t before = runs(&a, "d");
        struct kit *who = i % 2 ? &a : &b;
        write_to(who, 0, 1);
        for (int n = 0; n < 4; n++) {
            kit_advance(&a, SECOND);
            kit_turn(&b);
        }
        CHECK_INT(runs(&a, "d"), before + 1);
    }
    kit_close(&b);
    kit_close(&a);
}

TEST(two_schedulers_together_keep_the_pace)
{
    struct kit a, b;
    if (!open_with(&a, users)) return;
    if (!kit_open_beside(&b, &a, "two", NULL)) return;
    b.data[0] = a.data[0];
    kit_dags(&b, users);
    kit_turn(&b);
    for (int i = 0; i < 100; i++) {
        write_to(&a, 0, 1);
        write_to(&b, 0, 1);
        kit_advance(&a, 2 * SECOND);
        kit_turn(&b);
    }
    CHECK(runs(&a, "d") >= 3);
    CHECK_INT(meta_kit_number(a.own, "SELECT COUNT(*) FROM dag_run a JOIN dag_run b ON b.id > a.id "
                                     "AND b.queued_at - a.queued_at < 60000000"),
              0);
    kit_close(&b);
    kit_close(&a);
}

/* Any order of writes, kills and waits: after all is quiet the last run stands behind the last
 * change, no run is without one, and none comes sooner than a minute after another. */
TEST(no_kill_loses_a_change_or_makes_a_run_without_one)
{
    for (uint64_t seed = 1; seed <= TEST_ROUNDS(12, 2); seed++) {
        struct kit k;
        struct rng r = rng_make(seed);
        int64_t changes = 0;
        if (!open_with(&k, users)) return;
        for (int step = 0; step < 40; step++) {
            uint64_t what = rng_next(&r) % 10;
            if (what < 4) {
                write_to(&k, 0, 1 + rng_next(&r) % 3);
                changes++;
            } else if (what < 6) {
                kit_die(&k);
                if (rng_next(&r) % 2) write_to(&k, 0, 1), changes++;
                if (!kit_again(&k)) return;
            }
            kit_advance(&k, (int64_t)(rng_next(&r) % (40 * (uint64_t)SECOND)));
        }
        kit_advance(&k, 3 * MINUTE);
        int64_t made = runs(&k, "d");
        kit_advance(&k, 10 * MINUTE);
        CHECK_INT(runs(&k, "d"), made);
        CHECK(made <= changes && (changes == 0) == (made == 0));
        CHECK_INT(meta_kit_number(k.own, "SELECT count FROM data_place"),
                  (int64_t)k.data[0].at.count);
        CHECK(meta_kit_number(k.own, "SELECT COUNT(*) FROM dag_run a JOIN dag_run b ON b.id = a.id "
                                     "+ 1 WHERE b.queued_at - a.queued_at < 60000000") == 0);
        kit_audit(&k);
        kit_close(&k);
    }
}
