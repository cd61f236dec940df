/* Goal: an expression names the times that croniter says, or is refused with the field to blame.
 * Method: tables. tests/peers compares tens of thousands of generated ones with croniter. */
#include "sched/cron.h"

#include "sched/moment.h"
#include "test.h"

static int64_t moment(const char *text)
{
    int64_t us = 0;
    CHECK_OK(moment_parse(slice_of(text), NULL, &us, NULL), NULL);
    return us;
}

static void goes(const char *expression, const char *from, const char *next, const char *prev)
{
    struct cron c;
    struct diag d;
    int64_t got = 0;
    CHECK_OK(cron_parse(slice_of(expression), &c, &d), &d);
    CHECK(cron_next(&c, moment(from), &got));
    if (got != moment(next))
        test_failed(__FILE__, __LINE__, "next of %s from %s", expression, from);
    CHECK(cron_prev(&c, moment(from), &got));
    if (got != moment(prev))
        test_failed(__FILE__, __LINE__, "prev of %s from %s", expression, from);
}

TEST(expressions_name_the_times_before_and_after)
{
    goes("* * * * *", "2024-01-01T00:00:00", "2024-01-01T00:01:00", "2023-12-31T23:59:00");
    goes("* * * * *", "2024-01-01T00:00:30.5", "2024-01-01T00:01:00", "2024-01-01T00:00:00");
    goes("@daily", "2024-02-28T00:00:00", "2024-02-29", "2024-02-27");
    goes("0 0 29 2 *", "2024-03-01", "2028-02-29", "2024-02-29");
    goes("0 0 29 2 *", "2096-03-01", "2104-02-29", "2096-02-29"); /* 2100 has none */
    goes("0 12 L * *", "2024-02-10", "2024-02-29T12:00:00", "2024-01-31T12:00:00");
    goes("0 0 * * L5", "2024-03-01", "2024-03-29", "2024-02-23");
    goes("0 0 * * 2#3", "2024-03-01", "2024-03-19", "2024-02-20");
    goes("0 0 * * mon-fri#1", "2024-03-01", "2024-03-04", "2024-02-07");
    goes("0 9 * * MON-FRI", "2024-03-01T09:00:00", "2024-03-04T09:00:00", "2024-02-29T09:00:00");
    goes("0 0 1 * 7", "2024-03-02", "2024-03-03", "2024-03-01"); /* either of them */
    goes("0 0 1 * ?", "2024-03-02", "2024-04-01", "2024-03-01");
    goes("0 22-2 * * *", "2024-03-02T02:00:00", "2024-03-02T22:00:00", "2024-03-02T01:00:00");
    goes("5-5 * * * *", "2024-03-02T02:00:00", "2024-03-02T02:01:00", "2024-03-02T01:59:00");
    goes("0 0 */1 * 1", "2024-03-02", "2024-03-03", "2024-03-01"); /* every day, as there */
    goes("0 0 1 nov-feb *", "2024-03-02", "2024-11-01", "2024-02-01");
    goes("*/2 1 * * * 10,50", "2024-03-02T01:00:10", "2024-03-02T01:00:50", "2024-03-01T01:58:50");
    goes("0 0 1 1 * 0 2020-2030/5", "2024-03-02", "2025-01-01", "2020-01-01");
    goes("@quarterly", "2024-03-02", "2024-04-01", "2024-01-01");
}

TEST(what_is_no_expression_is_refused_with_the_field_to_blame)
{
    static const struct {
        const char *text, *why;
    } table[] = {
        {"", "it has 0 fields"},
        {"* * * *", "it has 4 fields"},
        {"* * * * * * * *", "it has 8 fields"},
        {"60 * * * *", "'60' as its minute: it goes from 0 to 59"},
        {"* 24 * * *", "'24' as its hour"},
        {"* * 0 * *", "'0' as its day of month"},
        {"* * 0-3 * *", "'0-3' as its day of month"},
        {"* * 32 * *", "'32' as its day of month"},
        {"* * * 13 *", "'13' as its month"},
        {"* * * 0 *", "'0' as its month"},
        {"* * * * 8", "'8' as its day of week"},
        {"* * * * 7 0", "'7' as its day of week"},
        {"*/0 * * * *", "'*/0' as its minute: a step is 1 or more"},
        {"1- * * * *", "'1-' as its minute"},
        {"-1 * * * *", "'-1' as its minute"},
        {"1,,2 * * * *", "'' as its minute: nothing stands there"},
        {"* * * foo *", "'foo' as its month"},
        {"* * * * 1#6", "'1#6' as its day of week"},
        {"* * * * *#2", "'*#2' as its day of week"},
        {"* * * * 1,2#3", "do not mix"},
        {"? * * * *", "'?' as its minute"},
        {"* * ?,1 * *", "'?' stands alone"},
        {"H * * * *", "'H' as its minute: hashed"},
        {"* R(1-5) * * *", "random times"},
        {"99999999999999999999 * * * *", "as its minute"},
        {"0 0 31 2 *", "no month"},
        {"0 0 30,31 2 *", "no month"},
        {"0 0 31 2,4 1", "no month"},
        {"0 0 1 * 1#3", "no month"},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct cron c;
        struct diag d = {0};
        CHECK_ERR(cron_parse(slice_of(table[i].text), &c, &d), ERR_INVALID);
        if (!strstr(d.why, table[i].why))
            test_failed(__FILE__, __LINE__, "'%s': %s", table[i].text, d.why);
    }
    static char long_text[CRON_TEXT_MAX + 2];
    struct cron c;
    memset(long_text, '1', sizeof(long_text) - 1);
    CHECK_ERR(cron_parse(slice_of(long_text), &c, NULL), ERR_TOO_BIG);
    CHECK_ERR(cron_parse(SLICE("@dayly"), &c, NULL), ERR_INVALID);
}

TEST(a_time_that_does_not_come_any_more_is_said_within_bounds)
{
    struct cron c;
    int64_t got;
    CHECK_OK(cron_parse(SLICE("0 0 1 1 * 0 2020-2030"), &c, NULL), NULL);
    CHECK(!cron_next(&c, moment("2031-01-01"), &got));
    CHECK(!cron_prev(&c, moment("2020-01-01"), &got));
    CHECK_OK(cron_parse(SLICE("0 0 29 2 *"), &c, NULL), NULL);
    CHECK(!cron_next(&c, moment("9997-01-01"), &got));
    CHECK(!cron_next(&c, INT64_MAX, &got) && !cron_prev(&c, INT64_MIN + 1, &got));
    CHECK(!cron_next(&c, INT64_MIN + 1, &got));
}

TEST(expressions_have_words)
{
    static const struct {
        const char *text, *words;
    } table[] = {
        {"0 0 * * *", "At 00:00"},
        {"@hourly", "Every hour"},
        {"*/5 * * * *", "Every 5 minutes"},
        {"30 * * * *", "At 30 minutes past the hour"},
        {"* * * * *", "Every minute"},
        {"0 0 * * 1-5", "At 00:00, Monday through Friday"},
        {"0 0 * * 7", "At 00:00, only on Sunday"},
        {"30 6,14,16 * * *", "At 06:30, 14:30 and 16:30"},
        {"0 0 1 */3 *", "At 00:00, on day 1 of the month, every 3 months"},
        {"*/5 3 * * *", "Every 5 minutes, between 03:00 and 03:59"},
        {"0 0 * * 2#4", "At 00:00, on the fourth Tuesday of the month"},
        {"0 12 L jan ?", "At 12:00, on the last day of the month, only in January"},
        {"0 0 * * * 30", ""},
        {"0 0 * * */7", ""},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        char text[512] = "";
        struct buf b = buf_over(text, sizeof(text) - 1);
        cron_describe(slice_of(table[i].text), &b);
        CHECK_TEXT(text, table[i].words);
    }
}
