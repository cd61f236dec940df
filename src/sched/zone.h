/* zone: a place's time, from the system's tzdata (TZif files), with daylight saving done right.
 *
 * Wall time is a count of microseconds as if the wall's clock showed UTC: 2024-03-31 02:30 in
 * Berlin is the number that is 2024-03-31 02:30 in UTC. It names no instant by itself: it may come
 * twice, or never, and zone_instant says which.
 *
 * Never reads the environment's TZ, a clock, or a file outside the zones' folder. Loop: any thread,
 * no locks. Memory: a zone once found stays for the process's life and is shared (a few KiB each,
 * as many as tzdata has names), so a `const struct zone *` is kept like a number; tzdata that
 * changes is seen after the next start. Limit: ZONE_* below.
 */
#pragma once
#include "base/calendar.h"
#include "base/err.h"

enum { ZONE_NAME_MAX = 64, ZONE_FILE_MAX = 64 << 10, ZONE_ABBREVIATION_MAX = 16 };

struct zone;
/* "UTC", "Europe/Berlin", or an offset, "+05:30", at most 23:59. ERR_UNKNOWN_NAME hints at the
 * nearest name. */
MUST_CHECK err_t zone_find(struct slice name, const struct zone **out, struct diag *d);
const struct zone *zone_utc(void);
const char *zone_name(const struct zone *z);

struct zone_offset {
    int32_t seconds; /* east of Greenwich */
    bool summer;     /* daylight saving, as tzdata says */
    const char *abbreviation;
};
struct zone_offset zone_offset_at(const struct zone *z, int64_t utc_us);
int64_t zone_wall(const struct zone *z, int64_t utc_us);
/* From when until before when that offset holds; INT64_MIN and INT64_MAX: for ever. */
void zone_holds(const struct zone *z, int64_t utc_us, int64_t *from_us, int64_t *to_us);

enum zone_fit {
    ZONE_ONCE,
    ZONE_TWICE, /* the clock went back: `second` chooses */
    ZONE_NEVER  /* it went forward over it: read with the offset before the gap, unless `second` */
};
/* The instant at which the wall shows this; `fit` may be NULL. Of a time in a gap, the offset that
 * held before gives an instant after the gap, the one that holds then an instant before it (as
 * Python's fold does). */
int64_t zone_instant(const struct zone *z, int64_t wall_us, bool second, enum zone_fit *fit);

/* A wall time by its parts. */
struct wall {
    int64_t year;
    int32_t month, day, hour, minute, second, us; /* month and day from 1 */
};
struct wall wall_of(int64_t wall_us);
int64_t wall_us(struct wall w);
