/* What every sensor has in common: Airflow's BaseSensorOperator. */
#include "sched/workshop_int.h"

#include "base/hash.h"

#include <stdio.h>

static const int64_t SECOND = 1000000;

/* How long until the next look when looks become rarer: as Airflow's _get_next_poke_interval, the
 * waits before this one are gone through until they reach what has passed. */
static int64_t backoff(const struct work *k, int64_t poke_us, int64_t passed_us)
{
    const struct work_key *key = &k->order->key;
    int64_t sum = 0, wait = SECOND;
    for (uint32_t n = 1; n < 64 && sum <= passed_us; n++) {
        char text[600];
        double grown = (double)poke_us * (n < 2 ? 0.5 : (double)(UINT64_C(1) << (n - 2)));
        int64_t least = grown > 1e15 ? (int64_t)1e15 : MAX((int64_t)grown, SECOND);
        int len = snprintf(text, sizeof(text), "%.*s#%.*s#%lld#%u", SLICE_ARG(key->dag_id),
                           SLICE_ARG(key->task_id), (long long)k->order->first_started_us, n);
        uint64_t h = hash64(slice_make(text, (size_t)MIN(MAX(len, 0), (int)sizeof(text) - 1)), 0);
        wait = least + (int64_t)(h % (uint64_t)least);
        sum += wait;
    }
    return wait;
}

static err_t next_look(struct work *k, int64_t now, int64_t passed, int64_t timeout,
                       struct work_answer *a, bool *rests, struct diag *d)
{
    int64_t poke, most;
    bool rarer;
    struct slice mode = work_text(k, "mode");
    err_t e = work_span(k, "poke_interval", &poke, d);
    if (!e) e = work_span(k, "max_wait", &most, d);
    if (!e) e = work_bool(k, "exponential_backoff", &rarer, d);
    if (!e && !slice_is(mode, "reschedule") && !slice_is(mode, "poke"))
        e = diag_fail(d, ERR_CONFIG, "mode is '%.*s'; there are poke and reschedule",
                      SLICE_ARG(mode));
    if (e) return e;
    if (a->again_us > now) { /* it knows when */
        poke = a->again_us - now;
    } else if (rarer) {
        poke = MIN(backoff(k, poke, passed), MAX(timeout - passed, 0));
        if (most >= 0) poke = MIN(poke, most);
    }
    *rests = slice_is(mode, "poke");
    k->again_ms = (poke + 999) / 1000;
    a->again_us = now + poke;
    if (!a->state.len) a->state = SLICE("looks");
    return ERR_OK;
}

err_t sensor_decide(struct work *k, err_t found, struct work_answer *a, bool *rests, struct diag *d)
{
    int64_t timeout, now = workshop_now(k->w), from = k->order->first_started_us;
    bool soft;
    if (found || a->outcome == WORK_SUCCESS || a->outcome == WORK_SKIPPED) return found;
    err_t e = work_bool(k, "soft_fail", &soft, d);
    if (!e) e = work_span(k, "timeout", &timeout, d);
    if (e) return e;
    if (a->outcome == WORK_FAILED_FOR_GOOD || a->outcome == WORK_FAILED) {
        if (soft) a->outcome = WORK_SKIPPED;
        return ERR_OK;
    }
    int64_t passed = from > 0 && from < now ? now - from : 0;
    if (passed > timeout) {
        a->outcome = soft ? WORK_SKIPPED : WORK_FAILED_FOR_GOOD;
        a->message = work_printf(k,
                                 "Sensor has timed out; run duration of %.1f seconds exceeds the "
                                 "specified timeout of %.1f.%s%.*s",
                                 (double)passed / 1e6, (double)timeout / 1e6,
                                 a->message.len ? " " : "", SLICE_ARG(a->message));
        return ERR_OK;
    }
    return next_look(k, now, passed, timeout, a, rests, d);
}
