/* Goal: the engine moves runs on as Airflow does, loses nothing and runs nothing twice.
 * Method: an engine under a fake clock with a fake workshop (engine_kit), on a database that
 * outlives it. */
#include "sched/engine_kit.h"

#include "test.h"

#include <stdio.h>

static const char CHAIN[] = "chain:\n"
                            "  tasks:\n"
                            "    a: {bash: 'true'}\n"
                            "    b: {bash: 'true', after: [a]}\n"
                            "    c: {empty: , after: [b]}\n";

TEST(engine_runs_a_chain_that_is_triggered_by_hand)
{
    struct kit k;
    if (!kit_open(&k, CHAIN)) return;
    kit_turn(&k);
    struct diag d;
    bool changed;
    CHECK_OK(ops_dag_pause(&k.ops, SLICE("chain"), false, &changed, &d), &d);
    kit_trigger(&k, "chain", "one", "{\"x\": 1}");
    kit_turn(&k);
    CHECK_TEXT(kit_run_state(&k, "one"), "success");
    CHECK_TEXT(kit_states(&k, "one"), "a=success b=success c=success");
    CHECK_INT(k.started, 2);
    kit_audit(&k);
    kit_close(&k);
}
