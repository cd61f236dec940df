/* state: the words of Airflow for where a run and a task instance stand.
 *
 * Loop: any thread. Memory: none. Never decides anything.
 */
#pragma once
#include "base/base.h"

/* How the id of a run that `tasks test` makes begins, as Airflow's (rows.h: run_is_test). */
#define RUN_TEST_PREFIX "__airflow_temporary_run_"
#define TIME_NONE       INT64_MIN /* NULL in the database: no time is known */

enum task_state {
    TASK_NONE, /* NULL in the database: no state yet */
    TASK_SCHEDULED,
    TASK_QUEUED,
    TASK_RUNNING,
    TASK_SUCCESS,
    TASK_RESTARTING,
    TASK_FAILED,
    TASK_UP_FOR_RETRY,
    TASK_UP_FOR_RESCHEDULE,
    TASK_UPSTREAM_FAILED,
    TASK_SKIPPED,
    TASK_REMOVED,
    TASK_DEFERRED, /* never of ours; known so that others' words can be read */
    TASK_STATES
};
enum run_state { RUN_QUEUED, RUN_RUNNING, RUN_SUCCESS, RUN_FAILED, RUN_STATES };
enum run_type { RUN_SCHEDULED, RUN_MANUAL, RUN_BACKFILL, RUN_ASSET_TRIGGERED, RUN_TYPES };

const char *task_state_name(enum task_state s); /* NULL for TASK_NONE */
bool task_state_parse(struct slice text,
                      enum task_state *out); /* {0}, "none" and "no_status" too */
const char *run_state_name(enum run_state s);
bool run_state_parse(struct slice text, enum run_state *out);
const char *run_type_name(
    enum run_type t); /* "asset_triggered"; Airflow 2 says dataset_triggered */
bool run_type_parse(struct slice text, enum run_type *out); /* both */

static inline bool task_state_finished(enum task_state s)
{
    return s == TASK_SUCCESS || s == TASK_FAILED || s == TASK_SKIPPED ||
           s == TASK_UPSTREAM_FAILED || s == TASK_REMOVED;
}
/* A work of it may be going on: it holds slots of its pool. */
static inline bool task_state_active(enum task_state s)
{
    return s == TASK_RUNNING || s == TASK_QUEUED || s == TASK_RESTARTING;
}
/* A look at the rules may move it on. */
static inline bool task_state_waiting(enum task_state s)
{
    return s == TASK_NONE || s == TASK_SCHEDULED || s == TASK_UP_FOR_RETRY ||
           s == TASK_UP_FOR_RESCHEDULE;
}
static inline bool run_state_finished(enum run_state s)
{
    return s == RUN_SUCCESS || s == RUN_FAILED;
}
