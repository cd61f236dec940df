/* history: what numbers were, for charts and small lines: a sample every two seconds for a quarter
 * of an hour, and a minute's mean for a day, of each (part, metric). In memory: a restart begins
 * anew.
 *
 * Loop: any thread (one gate). Memory: 8 KiB a series. Limit: HISTORY_SERIES_MAX; past it the one
 * that nobody has noted for the longest goes, and none goes that was noted within the last hour.
 */
#pragma once
#include "base/bytes.h"

enum {
    HISTORY_SERIES_MAX = 2000,
    HISTORY_STEP_MS = 2000,
    HISTORY_STEPS = 450,
    HISTORY_MINUTE_MS = 60000,
    HISTORY_MINUTES = 1440,
    HISTORY_NAME_MAX = 320
};
struct history;
struct history *history_new(void); /* NULL: no memory */
void history_free(struct history *h);
/* What it is now; NaN: not known. */
void history_note(struct history *h, const char *part, const char *metric, double value,
                  int64_t now_ms);
/* The last sample, when it is one of the last ten seconds; NaN: there is none. */
double history_last(struct history *h, const char *part, const char *metric, int64_t now_ms);
struct history_ask {
    struct slice part, metric; /* at NULL: all */
    int64_t from_ms;           /* older than the fine steps reach: in minutes */
    int64_t now_ms;
    uint32_t series_max;
};
/* [{part, metric, step_ms, from, values: [number or null]}, …] as members of an open JSON list. */
void history_put(struct history *h, const struct history_ask *ask, struct buf *out);
