/* Goal: the rules are Airflow's, and counters never say otherwise than looking at everything would.
 * Method: a table of what 2.10.5 answers; retry delays computed by its formula in Python; random
 * graphs whose instances end in random order and ways, beside a reference that has no counters. */
#include "sched/graph.h"
#include "sched/mapping.h"

#include "test.h"

#include <stdio.h>

/* One letter an upstream: s success, f failed, u upstream_failed, k skipped, r removed, . not yet.
 */
static struct rule_counts counts_of(const char *ups)
{
    struct rule_counts c = {0};
    static const struct {
        char letter;
        enum task_state state;
    } LETTERS[] = {{'s', TASK_SUCCESS},
                   {'f', TASK_FAILED},
                   {'u', TASK_UPSTREAM_FAILED},
                   {'k', TASK_SKIPPED},
                   {'r', TASK_REMOVED}};
    for (; *ups; ups++) {
        c.total++;
        for (size_t i = 0; i < COUNT_OF(LETTERS); i++) {
            if (LETTERS[i].letter != *ups) continue;
            c.done++;
            c.by_state[LETTERS[i].state]++;
        }
    }
    return c;
}

/* R runs, - waits, K skipped, U upstream_failed, X removed */
static char verdict(enum trigger_rule rule, const char *ups, int32_t map_index)
{
    struct rule_counts c = counts_of(ups);
    struct rule_verdict v = rule_judge(rule, &c, map_index);
    return v.become == TASK_SKIPPED           ? 'K'
           : v.become == TASK_UPSTREAM_FAILED ? 'U'
           : v.become == TASK_REMOVED         ? 'X'
           : v.passes                         ? 'R'
                                              : '-';
}

TEST(rules_answer_as_airflow_does)
{
    static const char *const UPS[] = {"ss", "s.", "sf", "f.", "sk", "k.", "kk",
                                      "ff", "su", "u.", "..", "sr", "fk", "uk"};
    static const struct {
        enum trigger_rule rule;
        const char *answers; /* one an entry of UPS */
    } ROWS[] = {
        /*                              ss s. sf f. sk k. kk ff su u. .. sr fk uk */
        {RULE_ALL_SUCCESS, "R-UUKKKUUU--UU"},
        {RULE_ALL_FAILED, "KKK-KKKRK--KKK"},
        {RULE_ALL_DONE, "R-R-R-RRR--RRR"},
        {RULE_ALL_DONE_MIN_ONE_SUCCESS, "R-R-KKKUR--RKK"},
        {RULE_ALL_DONE_SETUP_SUCCESS, "R-R-R-RRR--RRR"},
        {RULE_ONE_SUCCESS, "RRR-R-KUR--RUU"},
        {RULE_ONE_FAILED, "K-RRK-KRRR-KRR"},
        {RULE_ONE_DONE, "RRRRR-KRR--RRK"},
        {RULE_NONE_FAILED, "R-UUR-RUUU--UU"},
        {RULE_NONE_SKIPPED, "R-R-KKKRR--RKK"},
        {RULE_NONE_FAILED_MIN_ONE_SUCCESS, "R-UUR-KUUU--UU"},
        {RULE_ALWAYS, "RRRRRRRRRRRRRR"},
        {RULE_ALL_SKIPPED, "KKKKK-RKKK-KKK"},
    };
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        for (size_t n = 0; n < COUNT_OF(UPS); n++) {
            char got = verdict(ROWS[i].rule, UPS[n], -1), want = ROWS[i].answers[n];
            if (got != want)
                test_failed(__FILE__, __LINE__, "%s of %s is %c, not %c",
                            trigger_rule_name(ROWS[i].rule), UPS[n], got, want);
        }
    }
    /* a mapped instance does not mind removed upstreams, but goes with those of its place */
    CHECK(verdict(RULE_ALL_SUCCESS, "sr", 0) == 'R');
    CHECK(verdict(RULE_ALL_SUCCESS, "sr", 1) == 'X');
    CHECK(verdict(RULE_NONE_FAILED, "skr", 3) == 'R');
    CHECK(verdict(RULE_ALL_SUCCESS, "", -1) == 'R');
}

/* --- delays -----------------------------------------------------------------------------------
 */

TEST(rules_delay_retries_by_airflows_formula)
{
    /* computed with the body of TaskInstance.next_retry_datetime (2.10.5) */
    struct dag g = {.id = SLICE("d")};
    struct dag_task t = {.id = SLICE("t"), .retry_delay_us = 300 * INT64_C(1000000)};
    int64_t logical = INT64_C(1704067200) * 1000000;
    CHECK_INT(retry_delay_us(&g, &t, logical, 1), INT64_C(300000000));
    t.exponential = true;
    static const int64_t SECONDS[] = {521,   817,   1518,  4341,  9117,  9625,
                                      27180, 66801, 86400, 86400, 86400, 86400};
    for (size_t i = 0; i < COUNT_OF(SECONDS); i++)
        CHECK_INT(retry_delay_us(&g, &t, logical, (int32_t)i + 1), SECONDS[i] * 1000000);
    CHECK_INT(retry_delay_us(&g, &t, logical + 250000, 1), INT64_C(465) * 1000000);
    t.max_retry_delay_us = 400 * INT64_C(1000000);
    CHECK_INT(retry_delay_us(&g, &t, logical, 3), INT64_C(400000000));
    t.retry_delay_us = 0;
    t.max_retry_delay_us = 0;
    CHECK_INT(retry_delay_us(&g, &t, logical, 5), INT64_C(1000000));
}

/* --- mapping ----------------------------------------------------------------------------------
 */

TEST(mapping_crosses_lists_with_the_last_name_fastest)
{
    struct arena *a = arena_new(MIB(1));
    struct doc expand, item;
    struct mapping m;
    struct diag d = {0};
    static const char *const WANT[] = {"{\"x\": 1, \"y\": \"a\"}", "{\"x\": 1, \"y\": \"b\"}",
                                       "{\"x\": 2, \"y\": \"a\"}", "{\"x\": 2, \"y\": \"b\"}"};
    CHECK_OK(doc_of_json(SLICE("{\"x\": [1, 2], \"y\": [\"a\", \"b\"]}"), a, &expand, &d), &d);
    CHECK_OK(mapping_make(&expand, NULL, a, &m, &d), &d);
    CHECK_INT(m.total, 4);
    for (uint32_t i = 0; i < 4; i++) {
        struct doc want;
        CHECK_OK(mapping_item(&m, i, a, &item), NULL);
        CHECK_OK(doc_of_json(slice_of(WANT[i]), a, &want, &d), &d);
        CHECK(doc_equal(&item, &want));
    }
    CHECK_OK(doc_of_json(SLICE("{\"x\": [1, 2], \"y\": []}"), a, &expand, &d), &d);
    CHECK_OK(mapping_make(&expand, NULL, a, &m, &d), &d);
    CHECK_INT(m.total, 0);
    CHECK_OK(doc_of_json(SLICE("{\"x\": 5}"), a, &expand, &d), &d);
    CHECK_ERR(mapping_make(&expand, NULL, a, &m, &d), ERR_TYPE);
    arena_free(a);
}

/* --- random graphs ----------------------------------------------------------------------------
 */

enum { MODEL_TASKS = 14, MODEL_MAPPED = 3 };

static void take_dag(void *ctx, struct dag *g)
{
    *(struct dag **)ctx = g;
}

static void take_wrong(void *ctx, struct slice id, const struct diag *d)
{
    (void)ctx;
    (void)id;
    test_failed(__FILE__, __LINE__, "%s", d->what);
}

static struct dag *random_dag(uint64_t *seed)
{
    char text[8192];
    struct dag *g = NULL;
    struct diag d = {0};
    struct buf b = buf_over(text, sizeof(text));
    int from = (int)(test_random(seed) % MODEL_TASKS); /* those of a mapped group */
    int to = test_random(seed) % 2 ? MIN(from + 5, MODEL_TASKS) : from;
    buf_text(&b, "d:\n  tasks:\n");
    for (int i = 0; i < MODEL_TASKS; i++) {
        enum trigger_rule rule = (enum trigger_rule)(test_random(seed) % RULE_COUNT);
        bool inside = i >= from && i < to;
        if (inside && rule == RULE_ALWAYS) rule = RULE_ALL_DONE;
        if (inside && i == from) buf_text(&b, "    g:\n      expand: [1, 2, 3]\n      tasks:\n");
        buf_printf(&b, "%s    t%d: {bash: x, trigger_rule: %s", inside ? "    " : "", i,
                   trigger_rule_name(rule));
        if (test_random(seed) % 5 == 0 && !inside) buf_text(&b, ", expand: [1, 2, 3]");
        if (test_random(seed) % 6 == 0) buf_text(&b, ", setup: true");
        buf_text(&b, ", after: [");
        bool any = false;
        for (int u = 0; u < i; u++) {
            if (test_random(seed) % 4 != 0) continue;
            buf_printf(&b, "%s%st%d", any ? ", " : "", u >= from && u < to ? "g." : "", u);
            any = true;
        }
        buf_text(&b, "]}\n");
    }
    struct dag_reading into = {&g, take_dag, take_wrong};
    CHECK_OK(dags_read(buf_view(&b), "random", &into, &d), &d);
    return g;
}

struct model { /* instances, and everything looked at anew each time */
    const struct dag_plan *plan;
    uint32_t task[MODEL_TASKS * MODEL_MAPPED];
    int32_t map_index[MODEL_TASKS * MODEL_MAPPED];
    enum task_state state[MODEL_TASKS * MODEL_MAPPED];
    uint32_t count;
};

static bool above(const struct dag *g, uint32_t task, uint32_t up)
{
    for (uint32_t i = 0; i < g->tasks[task].upstream_count; i++)
        if (g->tasks[task].upstream[i] == up) return true;
    return false;
}

static bool setup_above(const struct dag_plan *p, uint32_t task, uint32_t up)
{
    const uint32_t *list = p->setups[task];
    for (uint32_t i = 1; list && i <= list[0]; i++)
        if (list[i] == up) return true;
    return false;
}

/* Airflow's _is_relevant_upstream: in one mapped group only that of its own index, unless one
 * upstream is enough. */
static bool relevant(const struct model *m, uint32_t up, uint32_t task, int32_t map_index)
{
    const struct dag_task *u = &m->plan->dag->tasks[m->task[up]], *t = &m->plan->dag->tasks[task];
    bool fast =
        t->rule == RULE_ONE_SUCCESS || t->rule == RULE_ONE_FAILED || t->rule == RULE_ONE_DONE;
    bool together = t->mapped_group >= 0 && u->mapped_group == t->mapped_group;
    return !together || fast || m->map_index[up] == map_index;
}

static struct rule_counts look(const struct model *m, uint32_t task, int32_t map_index, bool setups)
{
    struct rule_counts c = {0};
    const struct dag *g = m->plan->dag;
    for (uint32_t i = 0; i < m->count; i++) {
        bool counts = setups ? setup_above(m->plan, task, m->task[i]) : above(g, task, m->task[i]);
        if (!counts || !relevant(m, i, task, map_index)) continue;
        c.total++;
        c.setups += g->tasks[m->task[i]].is_setup;
        if (!task_state_finished(m->state[i])) continue;
        c.done++;
        c.by_state[m->state[i]]++;
        c.setups_success += g->tasks[m->task[i]].is_setup && m->state[i] == TASK_SUCCESS;
        c.setups_skipped += g->tasks[m->task[i]].is_setup && m->state[i] == TASK_SKIPPED;
    }
    return c;
}

/* Every instance that waits, until nothing changes any more. */
static void model_settle(struct model *m)
{
    for (bool changed = true; changed;) {
        changed = false;
        for (uint32_t i = 0; i < m->count; i++) {
            const struct dag_task *t = &m->plan->dag->tasks[m->task[i]];
            if (m->state[i] != TASK_NONE) continue;
            struct rule_counts s = look(m, m->task[i], m->map_index[i], true),
                               c = look(m, m->task[i], m->map_index[i], false);
            struct rule_verdict v = {TASK_NONE, true};
            if (s.total && t->upstream_count && t->rule != RULE_ALWAYS)
                v = rule_judge_setups(&s, m->map_index[i]);
            struct rule_verdict w = rule_judge(t->rule, &c, m->map_index[i]);
            enum task_state to = v.become ? v.become : w.become;
            if (!to && v.passes && w.passes) to = TASK_RUNNING;
            if (!to) continue;
            m->state[i] = to;
            changed = true;
        }
    }
}

static void graph_settle(struct graph *g)
{
    uint32_t place;
    while (graph_next(g, &place)) {
        if (graph_at(g, place)->state != TASK_NONE) continue;
        struct rule_verdict v = graph_judge(g, place);
        if (v.become)
            graph_set(g, place, v.become);
        else if (v.passes)
            graph_set(g, place, TASK_RUNNING);
    }
}

/* Where one upstream's failure and another's skip come of one end, it is the first looked at that
 * decides, in Airflow too: either is right, and what follows can not be compared any more. */
static bool either_is_right(enum task_state a, enum task_state b)
{
    return (a == TASK_SKIPPED && b == TASK_UPSTREAM_FAILED) ||
           (b == TASK_SKIPPED && a == TASK_UPSTREAM_FAILED);
}

/* false: no more is to be compared. */
static bool compare(const struct graph *g, const struct model *m, uint64_t round)
{
    for (uint32_t i = 0; i < m->count; i++) {
        enum task_state got = (enum task_state)graph_at(g, i)->state;
        if (got == m->state[i]) continue;
        if (either_is_right(got, m->state[i])) return false;
        const char *x = task_state_name(got), *y = task_state_name(m->state[i]);
        test_failed(__FILE__, __LINE__, "round %" PRIu64 ": t%u[%d] is %s, not %s", round,
                    m->task[i], m->map_index[i], x ? x : "none", y ? y : "none");
        return false;
    }
    return true;
}

/* Whether it could be compared to its end. */
static bool model_round(uint64_t round, uint64_t *seed)
{
    static const enum task_state ENDS[] = {TASK_SUCCESS, TASK_SUCCESS, TASK_FAILED, TASK_SKIPPED};
    struct dag *dag = random_dag(seed);
    if (!dag) return false;
    bool whole = true;
    struct dag_plan *plan = dag_plan_new(dag);
    struct graph g;
    struct model m = {.plan = plan};
    CHECK_OK(graph_init(&g, plan), NULL);
    for (uint32_t t = 0; t < dag->task_count; t++) {
        for (int32_t i = dag->tasks[t].expand ? 0 : -1; i < (dag->tasks[t].expand ? 3 : 0); i++) {
            uint32_t place = graph_add(&g, t, i, TASK_NONE);
            m.task[place] = t;
            m.map_index[place] = i;
            m.count++;
        }
    }
    for (uint32_t i = 0; i < m.count; i++) graph_consider(&g, i);
    graph_settle(&g);
    model_settle(&m);
    for (;;) {
        uint32_t running[MODEL_TASKS * MODEL_MAPPED], n = 0;
        whole = compare(&g, &m, round);
        for (uint32_t i = 0; whole && i < m.count; i++)
            if (m.state[i] == TASK_RUNNING) running[n++] = i;
        if (n == 0) break;
        uint32_t one = running[test_random(seed) % n];
        m.state[one] = ENDS[test_random(seed) % COUNT_OF(ENDS)];
        graph_set(&g, one, m.state[one]);
        graph_settle(&g);
        model_settle(&m);
    }
    CHECK(!whole || graph_end(&g) != GRAPH_GOES_ON);
    graph_done(&g);
    dag_plan_give(plan);
    dag_give(dag);
    return whole;
}

TEST(graph_counts_as_looking_at_everything_would)
{
    uint64_t seed = 20261121;
    uint32_t whole = 0;
    for (uint64_t round = 0; round < 400; round++) whole += model_round(round, &seed);
    CHECK(whole > 380);
}

TEST(graph_with_an_instance_that_can_never_run_is_deadlocked)
{
    struct dag *dag = NULL;
    struct diag d = {0};
    struct graph g;
    struct dag_reading into = {&dag, take_dag, take_wrong};
    CHECK_OK(dags_read(SLICE("d:\n  tasks:\n    a: {bash: x}\n    b: {bash: x, after: [a]}\n"), "f",
                       &into, &d),
             &d);
    if (!dag) return;
    struct dag_plan *plan = dag_plan_new(dag);
    CHECK_OK(graph_init(&g, plan), NULL);
    graph_add(&g, 0, -1, TASK_REMOVED); /* all_success never comes */
    graph_add(&g, 1, -1, TASK_NONE);
    graph_consider(&g, 1);
    graph_settle(&g);
    CHECK(graph_end(&g) == GRAPH_DEADLOCK);
    graph_done(&g);
    dag_plan_give(plan);
    dag_give(dag);
}
