/* calendar: days and dates, Gregorian throughout, before 1582 too. Pure; it knows no time zone. */
#pragma once
#include "base/base.h"

enum { DAY_MS = 86400000, HOUR_MS = 3600000, MINUTE_MS = 60000 };
#define SECOND_US ((int64_t)1000000)
#define MINUTE_US (60 * SECOND_US)
#define HOUR_US   (60 * MINUTE_US)
#define DAY_US    (24 * HOUR_US)
#define DATE_ZERO ((int64_t)1 << 31) /* a date's 1970-01-01 */

struct calendar_day {
    int64_t year;
    int32_t month, day; /* from 1 */
};
int64_t calendar_floor(int64_t a, int64_t b);  /* b > 0 */
int64_t calendar_rest(int64_t a, int64_t b);   /* what floor leaves: from 0, below b */
struct calendar_day calendar_of(int64_t days); /* days since 1970-01-01 */
int64_t calendar_days(int64_t year, int64_t month, int64_t day);
int64_t calendar_month_days(int64_t year, int64_t month);
int64_t calendar_dow(int64_t days); /* Monday 1 … Sunday 7 */
int64_t calendar_week(int64_t days);
/* The same day of another month, or that month's last when it has no such day. */
int64_t calendar_add_months(int64_t days, int64_t months);
