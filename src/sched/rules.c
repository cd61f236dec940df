#include "sched/rules.h"

#include "base/bytes.h"
#include "base/calendar.h"
#include "base/hash.h"

#include <math.h>

enum { RETRY_DELAY_MAX_S = 24 * 60 * 60 };

/* --- what a finished upstream makes of it ------------------------------------------------------
 */

struct seen {
    uint32_t total, success, skipped, failed, upstream_failed, removed;
    bool all_done;
    int32_t map_index;
    const struct rule_counts *up;
};

static struct seen seen_of(const struct rule_counts *up, int32_t map_index)
{
    return (struct seen){
        .total = up->total,
        .success = up->by_state[TASK_SUCCESS],
        .skipped = up->by_state[TASK_SKIPPED],
        .failed = up->by_state[TASK_FAILED],
        .upstream_failed = up->by_state[TASK_UPSTREAM_FAILED],
        .removed = up->by_state[TASK_REMOVED],
        .all_done = up->done >= up->total,
        .map_index = map_index,
        .up = up,
    };
}

/* all_success, and every setup further up: the first failure or skip decides. */
static enum task_state become_unless_all_well(const struct seen *s)
{
    if (s->upstream_failed || s->failed) return TASK_UPSTREAM_FAILED;
    if (s->skipped) return TASK_SKIPPED;
    if (s->removed && s->success && s->map_index >= 0 && (uint32_t)s->map_index >= s->success)
        return TASK_REMOVED;
    return TASK_NONE;
}

static enum task_state become_one_of(enum trigger_rule rule, const struct seen *s)
{
    if (!s->all_done) return TASK_NONE;
    if (rule == RULE_ONE_SUCCESS) {
        if (s->up->done == s->skipped) return TASK_SKIPPED;
        return s->success ? TASK_NONE : TASK_UPSTREAM_FAILED;
    }
    if (rule == RULE_ONE_FAILED) return s->failed || s->upstream_failed ? TASK_NONE : TASK_SKIPPED;
    return s->failed || s->success ? TASK_NONE : TASK_SKIPPED; /* one_done */
}

static enum task_state become_min_one(enum trigger_rule rule, const struct seen *s)
{
    if (rule == RULE_ALL_DONE_MIN_ONE_SUCCESS) {
        if (s->skipped) return TASK_SKIPPED;
        return s->all_done && s->success == 0 ? TASK_UPSTREAM_FAILED : TASK_NONE;
    }
    if (s->upstream_failed || s->failed) return TASK_UPSTREAM_FAILED;
    return s->skipped == s->total ? TASK_SKIPPED : TASK_NONE; /* none_failed_min_one_success */
}

static enum task_state become_after_setups(const struct seen *s)
{
    if (!s->all_done || s->up->setups == 0) return TASK_NONE;
    if (s->up->setups_skipped >= s->up->setups) return TASK_SKIPPED;
    return s->up->setups_success == 0 ? TASK_UPSTREAM_FAILED : TASK_NONE;
}

static enum task_state become(enum trigger_rule rule, const struct seen *s)
{
    switch (rule) {
    case RULE_ALL_SUCCESS: return become_unless_all_well(s);
    case RULE_ALL_FAILED: return s->success || s->skipped ? TASK_SKIPPED : TASK_NONE;
    case RULE_ONE_SUCCESS:
    case RULE_ONE_FAILED:
    case RULE_ONE_DONE: return become_one_of(rule, s);
    case RULE_NONE_FAILED:
        return s->upstream_failed || s->failed ? TASK_UPSTREAM_FAILED : TASK_NONE;
    case RULE_ALL_DONE_MIN_ONE_SUCCESS:
    case RULE_NONE_FAILED_MIN_ONE_SUCCESS: return become_min_one(rule, s);
    case RULE_NONE_SKIPPED: return s->skipped ? TASK_SKIPPED : TASK_NONE;
    case RULE_ALL_SKIPPED:
        return s->success || s->failed || s->upstream_failed ? TASK_SKIPPED : TASK_NONE;
    case RULE_ALL_DONE_SETUP_SUCCESS: return become_after_setups(s);
    case RULE_ALL_DONE:
    case RULE_ALWAYS:
    case RULE_COUNT: break;
    }
    return TASK_NONE;
}

/* --- may it run? ------------------------------------------------------------------------------
 */

/* None of the upstreams is outside `fits`; a mapped instance does not mind removed ones. */
static bool none_left(const struct seen *s, uint32_t fits)
{
    uint32_t allowed = s->map_index >= 0 ? s->removed : 0;
    return s->total <= fits + allowed;
}

static bool passes(enum trigger_rule rule, const struct seen *s)
{
    switch (rule) {
    case RULE_ALL_SUCCESS: return none_left(s, s->success);
    case RULE_ALL_FAILED: return none_left(s, s->failed + s->upstream_failed);
    case RULE_ONE_SUCCESS: return s->success > 0;
    case RULE_ONE_FAILED: return s->failed > 0 || s->upstream_failed > 0;
    case RULE_ONE_DONE: return s->success + s->failed > 0;
    case RULE_NONE_FAILED:
    case RULE_NONE_FAILED_MIN_ONE_SUCCESS: return none_left(s, s->success + s->skipped);
    case RULE_ALL_DONE_MIN_ONE_SUCCESS: return s->all_done && s->success > 0;
    case RULE_NONE_SKIPPED: return s->all_done && s->skipped == 0;
    case RULE_ALL_SKIPPED: return s->total <= s->skipped;
    case RULE_ALL_DONE: return s->all_done;
    case RULE_ALL_DONE_SETUP_SUCCESS:
        return s->all_done && (s->up->setups == 0 || s->up->setups_success > 0);
    case RULE_ALWAYS: return true;
    case RULE_COUNT: break;
    }
    return false;
}

struct rule_verdict rule_judge(enum trigger_rule rule, const struct rule_counts *up,
                               int32_t map_index)
{
    if (up->total == 0 || rule == RULE_ALWAYS) return (struct rule_verdict){TASK_NONE, true};
    struct seen s = seen_of(up, map_index);
    return (struct rule_verdict){become(rule, &s), passes(rule, &s)};
}

struct rule_verdict rule_judge_setups(const struct rule_counts *setups, int32_t map_index)
{
    struct seen s = seen_of(setups, map_index);
    return (struct rule_verdict){become_unless_all_well(&s), none_left(&s, s.success)};
}

/* --- the next try -----------------------------------------------------------------------------
 */

/* "2026-01-31 00:00:00+00:00", with microseconds when there are any: Python's str(datetime). */
static void put_python_time(struct buf *out, int64_t us)
{
    if (us == TIME_NONE) {
        buf_text(out, "None");
        return;
    }
    int64_t second = calendar_floor(us, 1000000), day = calendar_floor(second, 86400);
    struct calendar_day date = calendar_of(day);
    int s = (int)(second - day * 86400), fraction = (int)(us - second * 1000000);
    buf_printf(out, "%04d-%02d-%02d %02d:%02d:%02d", (int)date.year, date.month, date.day, s / 3600,
               s / 60 % 60, s % 60);
    if (fraction) buf_printf(out, ".%06d", fraction);
    buf_text(out, "+00:00");
}

static uint64_t digest_modulo(const uint8_t digest[20], uint64_t by)
{
    uint64_t rest = 0;
    for (int i = 0; i < 20; i++) rest = (rest << 8 | digest[i]) % by;
    return rest;
}

static int64_t backoff_s(const struct dag *g, const struct dag_task *t, int64_t logical_us,
                         int32_t try_number)
{
    double least = ceil((double)t->retry_delay_us / 1e6 * exp2((double)try_number - 1));
    if (least < 1) least = 1;
    if (least >= RETRY_DELAY_MAX_S) return RETRY_DELAY_MAX_S;
    char text[2 * DAG_ID_MAX + 128];
    struct buf name = buf_over(text, sizeof(text));
    uint8_t digest[20];
    buf_printf(&name, "%.*s#%.*s#", SLICE_ARG(g->id), SLICE_ARG(t->id));
    put_python_time(&name, logical_us);
    buf_printf(&name, "#%d", try_number);
    digest_sha1(buf_view(&name), digest);
    int64_t delay = (int64_t)least + (int64_t)digest_modulo(digest, (uint64_t)least);
    return MIN(delay, RETRY_DELAY_MAX_S);
}

int64_t retry_delay_us(const struct dag *g, const struct dag_task *t, int64_t logical_us,
                       int32_t try_number)
{
    if (!t->exponential) return t->retry_delay_us;
    int64_t us = backoff_s(g, t, logical_us, try_number) * 1000000;
    return t->max_retry_delay_us > 0 ? MIN(us, t->max_retry_delay_us) : us;
}
