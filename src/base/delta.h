/* delta: lengths of time, as people write them and as Python shows them. Never knows a zone.
 *
 * Loop: any thread. Memory: none. Limit: DELTA_YEARS_MAX.
 */
#pragma once
#include "base/bytes.h"

enum { DELTA_YEARS_MAX = 1000 };
/* Python's timedelta (months 0), or dateutil's relativedelta. */
struct delta {
    int64_t months, us;
    bool relative; /* written with months or years */
};
/* "5m", "1h30m", "1.5 hours, 5 seconds", "P1DT12H", "1 month 2 days"; with `bare` also "hour".
 * False: it is none. Nothing at all ("0s") is one. */
bool delta_read(struct slice text, bool bare, struct delta *out);
void delta_put(struct buf *out, struct delta v); /* str(): "1:00:00", "-1 day, 23:00:00" */
