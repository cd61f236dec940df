/* buckets: see buckets.h. */
#include "flow/buckets.h"

enum { BUCKETS_AT_ONCE = 64 };
static const int64_t length_least_ms = 1000;

int64_t bucket_length(int64_t span_ms)
{
    return MAX(span_ms / 4, length_least_ms);
}

int64_t bucket_of(int64_t length, int64_t time)
{
    if (!length) return 0;
    int64_t rest = time % length;
    if (rest < 0) rest += length;
    return time < INT64_MIN + rest ? INT64_MIN : time - rest;
}

int64_t bucket_until(int64_t length, int64_t watermark, int64_t keep_ms)
{
    int64_t until;
    if (!length) return INT64_MIN;
    if (__builtin_sub_overflow(watermark, keep_ms, &until))
        until = keep_ms > 0 ? INT64_MIN : INT64_MAX;
    return __builtin_sub_overflow(until, length - 1, &until) ? INT64_MIN : until;
}

err_t bucket_find_any(struct state *s, struct slice key, void **entry, struct diag *d)
{
    int64_t times[BUCKETS_AT_ONCE], from = INT64_MIN;
    bool made;
    err_t e = ERR_OK;
    *entry = NULL;
    for (size_t n = BUCKETS_AT_ONCE; !e && !*entry && n == BUCKETS_AT_ONCE;) {
        n = MIN(state_times(s, from, INT64_MAX, times, BUCKETS_AT_ONCE), (size_t)BUCKETS_AT_ONCE);
        for (size_t i = n; !e && !*entry && i > 0; i--) /* most likely among the newest */
            e = state_find(s, times[i - 1], key, false, entry, &made, d);
        if (n) from = times[n - 1] + 1;
    }
    return e;
}
