/* cron: a cron expression as Airflow reads it (by croniter 6), and the times it names on a wall's
 * clock. Five fields, six (seconds last) or seven (and years); names, lists, ranges, steps, '?',
 * 'L' (last day of the month), 'L5' (its last Friday), '2#3' (its third Tuesday); @hourly @daily
 * @midnight @weekly @monthly @quarterly @yearly @annually.
 *
 * As there: day of month and day of week are joined by "or" when both are said (not "*"), "5-5" is
 * the whole cycle, "22-2" goes over the field's end, with '#' or 'L5' the day of month is only
 * asked where the day of week holds a "*".
 * Refused: H and R (hashed and random), 0 as a day or month in a range, what never comes (31
 * February). Knows no time zone (timetable.h does). Loop: any thread; pure. Memory: none.
 * Limit: CRON_*; the next time is sought for 50 years.
 */
#pragma once
#include "base/bytes.h"
#include "sched/zone.h"

enum { CRON_TEXT_MAX = 512, CRON_YEARS_MAX = 50, CRON_FIELDS_MAX = 7 };

struct cron {
    uint64_t minutes, seconds;
    uint64_t years[3]; /* from 1970 */
    uint32_t hours;
    uint32_t days;    /* bit 1…31; bit 0: the last */
    uint16_t months;  /* bit 1…12 */
    uint8_t weekdays; /* Sunday is bit 0 */
    uint8_t nth[7];   /* of a weekday: bit 1…5, bit 6: the last */
    uint8_t fields;
    bool any_day, any_weekday, any_year, has_nth;
    bool every_hour; /* Airflow follows the clock's hour twice through a fold for these alone */
};
MUST_CHECK err_t cron_parse(struct slice text, struct cron *out, struct diag *d);
/* What a preset stands for; the text itself when it is none. */
struct slice cron_preset(struct slice text);

/* The first time strictly after, the last strictly before this one, on the wall's clock. False when
 * none comes within CRON_YEARS_MAX years, or before the year 1 or after 9999. */
bool cron_next(const struct cron *c, int64_t wall_us, int64_t *out);
bool cron_prev(const struct cron *c, int64_t wall_us, int64_t *out);

/* "At 00:00, Monday through Friday", as Airflow shows it (cron-descriptor's English); nothing for
 * more than five fields, as there. `text` is one that cron_parse took. */
void cron_describe(struct slice text, struct buf *out);
