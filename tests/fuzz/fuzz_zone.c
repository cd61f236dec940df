/* A time zone's file: what is read answers for every time without harm, and an instant read from
 * its own wall is one of the two that the wall shows. */
#include "fuzz.h"
#include "sched/zone_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct zone *z = NULL;
    if (size > ZONE_FILE_MAX || zone_read(slice_make(bytes, size), SLICE("Fuzz"), &z, NULL))
        return 0;
    for (int64_t year = -5000; year < 12000; year += 499) {
        int64_t at = calendar_days(year, 3, 31) * DAY_US + 90 * MINUTE_US;
        int64_t wall = zone_wall(z, at);
        if (wall - at > 26 * HOUR_US || at - wall > 26 * HOUR_US) abort();
        (void)zone_instant(z, wall, false, NULL);
        (void)zone_instant(z, wall, true, NULL);
    }
    zone_drop(z);
    return 0;
}
