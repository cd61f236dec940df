#include "base/calendar.h"

int64_t calendar_floor(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* Never by way of floor * b: of the least number that is beyond what there is. */
int64_t calendar_rest(int64_t a, int64_t b)
{
    int64_t rest = a % b;
    return rest < 0 ? rest + b : rest;
}

/* Days since 1970 to a date and back; eras of 400 years begin on 1 March. */
struct calendar_day calendar_of(int64_t days)
{
    int64_t z = days + 719468, era = calendar_floor(z, 146097), doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
    int64_t month = mp < 10 ? mp + 3 : mp - 9;
    return (struct calendar_day){yoe + era * 400 + (month <= 2), (int32_t)month,
                                 (int32_t)(doy - (153 * mp + 2) / 5 + 1)};
}

int64_t calendar_days(int64_t year, int64_t month, int64_t day)
{
    int64_t y = year - (month <= 2), era = calendar_floor(y, 400), yoe = y - era * 400;
    int64_t doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

int64_t calendar_dow(int64_t days) /* Monday 1 … Sunday 7 */
{
    return (days + 3) - calendar_floor(days + 3, 7) * 7 + 1;
}

int64_t calendar_week(int64_t days)
{
    int64_t thursday = days - calendar_dow(days) + 4; /* a week belongs to its Thursday's year */
    return (thursday - calendar_days(calendar_of(thursday).year, 1, 1)) / 7 + 1;
}

int64_t calendar_month_days(int64_t year, int64_t month)
{
    return month == 12 ? 31 : calendar_days(year, month + 1, 1) - calendar_days(year, month, 1);
}

int64_t calendar_add_months(int64_t days, int64_t months)
{
    struct calendar_day d = calendar_of(days);
    int64_t all = d.year * 12 + d.month - 1 + months;
    int64_t year = calendar_floor(all, 12), month = all - year * 12 + 1;
    return calendar_days(year, month, MIN((int64_t)d.day, calendar_month_days(year, month)));
}
