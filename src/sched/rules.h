/* rules: when a task instance may run, from how its upstreams stand: the trigger rules of Airflow
 * 2.10.5 (ti_deps/deps/trigger_rule_dep.py) and 3.1's all_done_min_one_success, and the time of the
 * next try. Counts in, a verdict out.
 *
 * Loop: any thread. Memory: none. Never looks at a database or a clock.
 */
#pragma once
#include "sched/dag.h"
#include "sched/state.h"

/* How the instances of a task's upstreams stand. */
struct rule_counts {
    uint32_t total, done, by_state[TASK_STATES]; /* of finished states only */
    uint32_t setups, setups_success, setups_skipped;
};
struct rule_verdict {
    enum task_state become; /* TASK_NONE: stays as it is */
    bool passes;            /* may run, when it stays as it is */
};
struct rule_verdict rule_judge(enum trigger_rule rule, const struct rule_counts *up,
                               int32_t map_index);
/* The same for setups further up that a task depends on: they must all have succeeded. */
struct rule_verdict rule_judge_setups(const struct rule_counts *setups, int32_t map_index);

/* How long after its end a failed try waits for the next: retry_delay, or exponential with the
 * jitter that Airflow computes from the instance's name (2.10.5: next_retry_datetime). */
int64_t retry_delay_us(const struct dag *g, const struct dag_task *t, int64_t logical_us,
                       int32_t try_number);
