#include "sched/state.h"

static const char *const TASK_NAMES[TASK_STATES] = {
    [TASK_SCHEDULED] = "scheduled",
    [TASK_QUEUED] = "queued",
    [TASK_RUNNING] = "running",
    [TASK_SUCCESS] = "success",
    [TASK_RESTARTING] = "restarting",
    [TASK_FAILED] = "failed",
    [TASK_UP_FOR_RETRY] = "up_for_retry",
    [TASK_UP_FOR_RESCHEDULE] = "up_for_reschedule",
    [TASK_UPSTREAM_FAILED] = "upstream_failed",
    [TASK_SKIPPED] = "skipped",
    [TASK_REMOVED] = "removed",
    [TASK_DEFERRED] = "deferred",
};
static const char *const RUN_NAMES[RUN_STATES] = {"queued", "running", "success", "failed"};
static const char *const TYPE_NAMES[RUN_TYPES] = {"scheduled", "manual", "backfill",
                                                  "asset_triggered"};

static int name_find(struct slice text, const char *const *names, int count)
{
    for (int i = 0; i < count; i++)
        if (names[i] && slice_is(text, names[i])) return i;
    return -1;
}

const char *task_state_name(enum task_state s)
{
    return TASK_NAMES[s];
}

bool task_state_parse(struct slice text, enum task_state *out)
{
    int at = text.len == 0 || slice_is(text, "none") || slice_is(text, "no_status")
                 ? TASK_NONE
                 : name_find(text, TASK_NAMES, TASK_STATES);
    if (at >= 0) *out = (enum task_state)at;
    return at >= 0;
}

const char *run_state_name(enum run_state s)
{
    return RUN_NAMES[s];
}

bool run_state_parse(struct slice text, enum run_state *out)
{
    int at = name_find(text, RUN_NAMES, RUN_STATES);
    if (at >= 0) *out = (enum run_state)at;
    return at >= 0;
}

const char *run_type_name(enum run_type t)
{
    return TYPE_NAMES[t];
}

bool run_type_parse(struct slice text, enum run_type *out)
{
    int at = slice_is(text, "dataset_triggered") ? RUN_ASSET_TRIGGERED
                                                 : name_find(text, TYPE_NAMES, RUN_TYPES);
    if (at >= 0) *out = (enum run_type)at;
    return at >= 0;
}
