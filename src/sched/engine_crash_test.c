/* Goal: whatever dies or fails, and wherever, nothing runs twice at once, nothing is forgotten and
 * no try is lost.
 * Method: dags with retries, branches and lists, works that end in random order and ways, and a
 * seed that kills the engine between any two turns, lets any allocation fail in the middle of a
 * transaction, or has two engines share one database; then an audit of runs and tries. */
#include "sched/engine_kit.h"

#include "test.h"

#include <stdio.h>

static const char DAGS[] =
    "d:\n"
    "  max_active_tasks: 4\n"
    "  tasks:\n"
    "    a: {bash: x, retries: 30, retry_delay: 0s}\n"
    "    b: {bash: '{{ item }}', retries: 30, retry_delay: 1s, expand: [1, 2, 3], after: [a]}\n"
    "    c: {bash: x, retries: 30, retry_delay: 0s, after: [a], trigger_rule: all_done}\n"
    "    d: {empty: , after: [b, c], trigger_rule: all_done}\n"
    "    e: {bash: x, retries: 30, retry_delay: 0s, after: [d], depends_on_past: true}\n"
    "    f: {bash: x, retries: 30, retry_delay: 0s, after: [e], trigger_rule: none_failed}\n";
enum { RUNS = 5 };

static bool keep(void *ctx, struct work_order *o, struct work_answer *a)
{
    (void)ctx;
    (void)o;
    (void)a;
    return false;
}

/* One of what runs ends, somehow. */
static void end_one(struct kit *k, uint64_t *seed)
{
    static const enum work_outcome ENDS[] = {WORK_SUCCESS, WORK_SUCCESS, WORK_SUCCESS, WORK_FAILED,
                                             WORK_SKIPPED, WORK_AGAIN,   WORK_LOST};
    if (k->kept.count == 0) return;
    struct work_order *o =
        *(struct work_order **)vec_at(&k->kept, test_random(seed) % k->kept.count);
    kit_end(k, o, ENDS[test_random(seed) % COUNT_OF(ENDS)]);
}

static bool all_ended(struct kit *k)
{
    return meta_kit_number(k->own, "SELECT COUNT(*) FROM dag_run WHERE state IN ('success', "
                                   "'failed')") == RUNS;
}

static void start_runs(struct kit *k)
{
    char id[16];
    for (int i = 0; i < RUNS; i++) {
        snprintf(id, sizeof(id), "r%d", i);
        kit_trigger(k, "d", id, NULL);
        k->clock->wall += 1000;
    }
}

static void finish(struct kit *const *kits, int count, uint64_t *seed, uint64_t round)
{
    for (int n = 0; n < 4000 && !all_ended(kits[0]); n++) {
        for (int i = 0; i < count; i++) {
            kit_advance(kits[i], 1000000);
            while (kits[i]->kept.count > 0) {
                end_one(kits[i], seed);
                if (test_random(seed) % 2) break;
            }
        }
    }
    if (!all_ended(kits[0]))
        test_failed(__FILE__, __LINE__, "round %" PRIu64 " never ends: %s", round,
                    kit_states(kits[0], "r0"));
    kit_audit(kits[0]);
}

TEST(engine_killed_between_any_two_turns_forgets_nothing)
{
    uint64_t seed = 4711, rounds = meta_kit_is_postgres() ? 6 : 20; /* a server takes its time */
    for (uint64_t round = 0; round < rounds; round++) {
        struct kit k;
        if (!kit_open(&k, DAGS)) return;
        k.outcome = keep;
        start_runs(&k);
        for (int n = 0; n < 60; n++) {
            engine_wake(k.engine);
            for (uint64_t turns = test_random(&seed) % 3; turns > 0; turns--)
                (void)engine_turn(k.engine);
            if (test_random(&seed) % 2) end_one(&k, &seed);
            k.clock->wall += 300000;
            k.clock->mono += 300000;
            if (test_random(&seed) % 5) continue;
            k.adopts = test_random(&seed) % 2;
            kit_crash(&k);
            if (!kit_again(&k)) return;
        }
        struct kit *kits[] = {&k};
        finish(kits, 1, &seed, round);
        kit_close(&k);
    }
}

TEST(engine_whose_transactions_fail_in_the_middle_goes_on_as_if_they_never_began)
{
    uint64_t seed = 815;
    for (uint64_t round = 0; round < 10; round++) {
        struct kit k;
        if (!kit_open(&k, DAGS)) return;
        k.outcome = keep;
        start_runs(&k);
        for (int n = 0; n < 80; n++) {
            engine_wake(k.engine);
            mem_fail_at(1 + test_random(&seed) % 400);
            (void)engine_turn(k.engine);
            mem_fail_at(0);
            if (test_random(&seed) % 2) end_one(&k, &seed);
            k.clock->wall += 300000;
            k.clock->mono += 300000;
        }
        struct kit *kits[] = {&k};
        finish(kits, 1, &seed, round);
        kit_close(&k);
    }
}

TEST(engines_that_share_a_database_share_the_work_and_take_over_from_the_dead)
{
    uint64_t seed = 99;
    for (uint64_t round = 0; round < 6; round++) {
        struct kit one, two;
        if (!kit_open(&one, DAGS)) return;
        if (!kit_open_beside(&two, &one, "two", DAGS)) return;
        one.outcome = two.outcome = keep;
        start_runs(&one);
        for (int n = 0; n < 40; n++) {
            struct kit *k = test_random(&seed) % 2 ? &one : &two;
            engine_wake(k->engine);
            (void)engine_turn(k->engine);
            if (test_random(&seed) % 2) end_one(k, &seed);
            one.clock->wall += 100000;
            one.clock->mono += 100000;
        }
        if (round % 2) { /* the second dies with its machine: what it ran is over too */
            kit_die(&two);
            one.clock->mono += 31000000;
            one.clock->wall += 31000000;
            kit_turn(&one);
            one.clock->mono += 31000000;
            struct kit *kits[] = {&one};
            finish(kits, 1, &seed, round);
            if (!kit_again(&two)) return;
            kit_turn(&two);
        } else {
            struct kit *kits[] = {&one, &two};
            finish(kits, 2, &seed, round);
        }
        kit_close(&two);
        kit_close(&one);
    }
}

TEST(engine_that_was_taken_for_dead_stops_touching_what_is_no_longer_its_own)
{
    struct kit one, two;
    static const struct script KEPT[] = {{"a", "w"}, {0}};
    static const char DAG[] = "d:\n  tasks:\n    a: {bash: x, retries: 3, retry_delay: 0s}\n";
    if (!kit_open(&one, DAG) || !kit_open_beside(&two, &one, "two", DAG)) return;
    one.scripts = two.scripts = KEPT;
    kit_trigger(&one, "d", "r", NULL);
    kit_turn(&one);
    CHECK_TEXT(kit_states(&one, "r"), "a=running");
    kit_turn(&two);
    one.clock->mono += 31000000; /* the first sleeps: its machine was suspended */
    one.clock->wall += 31000000;
    map_remove(one.alive, SLICE("1 a -1"));
    kit_turn(&two);
    CHECK_TEXT(kit_states(&two, "r"), "a=running");
    CHECK_INT(kit_tries(&two, "r", "a"), 2); /* lost with the first, tried again by the second */
    kit_turn(&one);
    CHECK_INT(one.stopped.count, 1); /* it is told that its work is nobody's any more */
    kit_answer(&one, "a", WORK_SUCCESS);
    kit_turn(&one);
    CHECK_TEXT(kit_states(&two, "r"), "a=running");
    kit_answer(&two, "a", WORK_SUCCESS);
    kit_turn(&two);
    CHECK_TEXT(kit_run_state(&two, "r"), "success");
    kit_audit(&two);
    kit_close(&two);
    kit_close(&one);
}
