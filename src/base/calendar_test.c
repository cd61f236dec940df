/* Goal: days and dates are each other's inverse, and weeks and months are the calendar's.
 * Method: known days; then every day of 1,600 years, walked from one to the next. */
#include "base/calendar.h"

#include "test.h"

static void day_is(int64_t days, int64_t year, int32_t month, int32_t day, int64_t dow)
{
    struct calendar_day d = calendar_of(days);
    CHECK_INT(d.year, year);
    CHECK_INT(d.month, month);
    CHECK_INT(d.day, day);
    CHECK_INT(calendar_days(year, month, day), days);
    CHECK_INT(calendar_dow(days), dow);
}

TEST(known_days_are_where_they_belong)
{
    day_is(0, 1970, 1, 1, 4);
    day_is(-1, 1969, 12, 31, 3);
    day_is(11016, 2000, 2, 29, 2);
    day_is(19782, 2024, 2, 29, 4);
    day_is(-719468, 0, 3, 1, 3);
    day_is(2932896, 9999, 12, 31, 5);
    CHECK_INT(calendar_week(calendar_days(2021, 1, 3)), 53);
    CHECK_INT(calendar_week(calendar_days(2021, 1, 4)), 1);
    CHECK_INT(calendar_week(calendar_days(2024, 12, 30)), 1);
    CHECK_INT(calendar_floor(-1, 7), -1);
    CHECK_INT(calendar_floor(-7, 7), -1);
    CHECK_INT(calendar_floor(6, 7), 0);
}

TEST(a_month_added_keeps_the_day_or_takes_the_last)
{
    int64_t last = calendar_days(2024, 1, 31);
    CHECK_INT(calendar_add_months(last, 1), calendar_days(2024, 2, 29));
    CHECK_INT(calendar_add_months(last, -2), calendar_days(2023, 11, 30));
    CHECK_INT(calendar_add_months(last, -25), calendar_days(2021, 12, 31));
    CHECK_INT(calendar_add_months(calendar_days(2023, 12, 15), 12), calendar_days(2024, 12, 15));
}

TEST(a_day_follows_a_day_for_sixteen_hundred_years)
{
    int64_t days = calendar_days(1200, 1, 1), year = 1200, month = 1, day = 1;
    for (; year < 2800; days++) {
        struct calendar_day d = calendar_of(days);
        if (d.year != year || d.month != month || d.day != day ||
            calendar_days(year, month, day) != days) {
            test_failed(__FILE__, __LINE__,
                        "day %" PRId64 " is not %" PRId64 "-%" PRId64 "-%" PRId64, days, year,
                        month, day);
            return;
        }
        if (++day <= calendar_month_days(year, month)) continue;
        day = 1;
        year += month == 12;
        month = month == 12 ? 1 : month + 1;
    }
    CHECK_INT(calendar_month_days(1900, 2), 28);
    CHECK_INT(calendar_month_days(2000, 2), 29);
    CHECK_INT(calendar_month_days(2023, 12), 31);
}
