/* Lengths of time: what is read, what is refused, and Python's str() of them. */
#include "base/delta.h"

#include "base/calendar.h"
#include "test.h"

TEST(lengths_of_time_are_read_and_shown)
{
    static const struct {
        const char *text;
        bool bare, fits;
        int64_t months, us;
        const char *shown;
    } cases[] = {
        {"90 seconds", false, true, 0, 90 * SECOND_US, "0:01:30"},
        {" 1h30m ", false, true, 0, 90 * MINUTE_US, "1:30:00"},
        {"2 Hours, 5 minutes", false, true, 0, 125 * MINUTE_US, "2:05:00"},
        {"1.5 hours", false, true, 0, 90 * MINUTE_US, "1:30:00"},
        {"0.000001s", false, true, 0, 1, "0:00:00.000001"},
        {"0.33333333333333333333d", false, true, 0, DAY_US / 3, "8:00:00"},
        {"hour", true, true, 0, HOUR_US, "1:00:00"},
        {"hour", false, false, 0, 0, NULL},
        {"1 month 2 days", false, true, 1, 2 * DAY_US, "relativedelta(months=+1, days=+2)"},
        {"1.5 months", false, false, 0, 0, NULL}, /* how long is half a month? */
        {"P1DT12H", false, true, 0, 36 * HOUR_US, "1 day, 12:00:00"},
        {"PT0.5S", false, true, 0, SECOND_US / 2, "0:00:00.500000"},
        {"P1Y", false, true, 12, 0, "relativedelta(years=+1)"},
        {"PT5M1H", false, false, 0, 0, NULL},
        {"P", false, false, 0, 0, NULL},
        {"PT", false, false, 0, 0, NULL},
        {"1.s", false, false, 0, 0, NULL},
        {"1000000001 s", false, false, 0, 0, NULL},
        {"99999999999999999999 s", false, false, 0, 0, NULL},
        {"1001 years", false, false, 0, 0, NULL},
        {"600000 weeks", false, false, 0, 0, NULL},
        {"0s", false, true, 0, 0, "0:00:00"},
        {"", false, false, 0, 0, NULL},
        {"-5m", false, false, 0, 0, NULL},
        {"5", false, false, 0, 0, NULL},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct delta v;
        bool fits = delta_read(slice_of(cases[i].text), cases[i].bare, &v);
        if (fits != cases[i].fits) test_failed(__FILE__, __LINE__, "'%s': %d", cases[i].text, fits);
        if (!fits || !cases[i].fits) continue;
        char shown[80];
        struct buf b = buf_over(shown, sizeof(shown));
        delta_put(&b, v);
        buf_char(&b, 0);
        CHECK_INT(v.months, cases[i].months);
        CHECK_INT(v.us, cases[i].us);
        CHECK_TEXT(shown, cases[i].shown);
    }
    char shown[80];
    struct buf b = buf_over(shown, sizeof(shown));
    delta_put(&b, (struct delta){.us = -HOUR_US}); /* only a template can have one */
    buf_char(&b, 0);
    CHECK_TEXT(shown, "-1 day, 23:00:00");
}
