/* moment: instants as texts, as Airflow writes and reads them (Python's isoformat, pendulum's
 * parse). Microseconds UTC. Pure.
 */
#pragma once
#include "base/bytes.h"
#include "sched/zone.h"

/* Python's years; what lies outside is no date to Airflow either. */
#define MOMENT_LEAST (-62135596800 * SECOND_US)
#define MOMENT_MOST  (253402300800 * SECOND_US - 1)

/* "2024-01-01T00:00:00+00:00"; microseconds only when there are any. */
void moment_put(struct buf *out, int64_t us);
/* The same on a zone's wall: "2024-07-01T02:00:00+02:00"; or with another sign than the T. */
void moment_put_in(struct buf *out, int64_t us, const struct zone *z);
void moment_put_with(struct buf *out, int64_t us, const struct zone *z, char between);
/* "2024-01-01", "20240101", with "T12", "T12:30", "T123000", "12:30:00.123456" behind "T" or a
 * space, and "Z", "+01:00", "+0100", "+01" behind that. One without an offset is read on the wall
 * of `z` (NULL: UTC): of two the second, of none the one after the gap, as Airflow makes it aware.
 */
MUST_CHECK err_t moment_parse(struct slice text, const struct zone *z, int64_t *us, struct diag *d);
/* A wall's time as Airflow makes it aware (make_aware): see moment_parse. */
int64_t moment_aware(const struct zone *z, int64_t wall_us);
