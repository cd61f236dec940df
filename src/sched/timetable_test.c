/* Goal: the next run is the one that Airflow 2.10 would make: with and without catchup, over the
 * edges of daylight saving, with a clock that jumps; and dates and ids read as Airflow's.
 * Method: scripts of questions; their answers were seen from airflow.timetables, and tests/peers
 * asks it thousands more. */
#include "sched/timetable.h"

#include "test.h"

static int64_t moment(const char *text)
{
    int64_t us = 0;
    CHECK_OK(moment_parse(slice_of(text), NULL, &us, NULL), NULL);
    return us;
}

static const struct zone *zone(const char *name)
{
    const struct zone *z = zone_utc();
    CHECK_OK(zone_find(slice_of(name), &z, NULL), NULL);
    return z;
}

static struct schedule scheduled(const char *text, const char *zone_name)
{
    struct schedule s = {0};
    struct diag d;
    CHECK_OK(schedule_parse(slice_of(text), zone(zone_name), &s, &d), &d);
    return s;
}

static bool is(const char *text, int64_t us, const char *what)
{
    if (us == moment(text)) return true;
    char got[64] = "";
    struct buf b = buf_over(got, sizeof(got) - 1);
    moment_put(&b, us);
    test_failed(__FILE__, __LINE__, "%s is %s, not %s", what, got, text);
    return false;
}

/* Runs of `s` one after the other, each said as "run_after start". */
static void runs(const struct schedule *s, struct timetable_limits l, const char *now,
                 const char *const *expected, size_t count)
{
    struct data_interval last;
    struct run_due due;
    for (size_t i = 0; i < count; i += 2) {
        bool found = timetable_next(s, i ? &last : NULL, &l, moment(now), &due);
        CHECK(found == (expected[i] != NULL));
        if (!found || !expected[i]) return;
        if (!is(expected[i], due.run_after_us, "run_after")) return;
        if (!is(expected[i + 1], due.interval.start_us, "the start")) return;
        last = due.interval;
    }
}
#define RUNS(s, limits, now, ...)                                                                  \
    do {                                                                                           \
        const char *const expected_[] = {__VA_ARGS__};                                             \
        struct schedule s_ = s;                                                                    \
        runs(&s_, limits, now, expected_, COUNT_OF(expected_));                                    \
    } while (0)

static struct timetable_limits from(const char *start, bool catchup)
{
    return (struct timetable_limits){start ? moment(start) : INT64_MIN, INT64_MAX, catchup};
}

TEST(a_daily_dag_runs_after_its_day_has_ended)
{
    RUNS(scheduled("@daily", "UTC"), from("2024-01-01", true), "2024-01-10T12:00:00", "2024-01-02",
         "2024-01-01", "2024-01-03", "2024-01-02", "2024-01-04", "2024-01-03");
    /* Without catchup what was missed is one run: the newest. */
    RUNS(scheduled("@daily", "UTC"), from("2024-01-01", false), "2024-01-10T12:00:00", "2024-01-10",
         "2024-01-09", "2024-01-11", "2024-01-10");
    RUNS(scheduled("@daily", "UTC"), from("2024-01-01", false), "2024-01-10", "2024-01-10",
         "2024-01-09");
    RUNS(scheduled("@daily", "UTC"), from("2024-01-01T00:00:01", true), "2024-01-10", "2024-01-03",
         "2024-01-02");
    RUNS(scheduled("@daily", "UTC"), from(NULL, true), "2024-01-10", NULL);
    struct timetable_limits ends = {moment("2024-01-01"), moment("2024-01-02"), true};
    RUNS(scheduled("@daily", "UTC"), ends, "2024-02-01", "2024-01-02", "2024-01-01", "2024-01-03",
         "2024-01-02", NULL);
}

TEST(a_clock_that_jumps_makes_no_run_twice_and_none_too_early)
{
    struct schedule s = scheduled("0 * * * *", "UTC");
    struct timetable_limits l = from("2024-01-01", false);
    struct data_interval last = {moment("2024-06-01T10:00:00"), moment("2024-06-01T11:00:00")};
    static const struct {
        const char *now, *due;
    } table[] = {
        {"2024-06-01T11:30:00", "2024-06-01T12:00:00"},
        {"2024-06-01T10:30:00", "2024-06-01T12:00:00"}, /* an hour back: not 11:00 once more */
        {"2014-06-01T10:30:00", "2024-06-01T12:00:00"}, /* ten years back */
        {"2034-06-01T10:30:00", "2034-06-01T10:00:00"}, /* ten years on: one run, no 87,600 */
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct run_due due = {0};
        CHECK(timetable_next(&s, &last, &l, moment(table[i].now), &due));
        CHECK(is(table[i].due, due.run_after_us, table[i].now));
        CHECK(due.interval.start_us >= last.end_us);
    }
    l.catchup = true; /* with catchup every hour follows, whatever the clock says */
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct run_due due = {0};
        CHECK(timetable_next(&s, &last, &l, moment(table[i].now), &due));
        CHECK(is("2024-06-01T12:00:00", due.run_after_us, table[i].now));
    }
}

TEST(nine_o_clock_stays_nine_o_clock_and_a_fold_runs_once)
{
    struct timetable_limits march = from("2024-03-29T12:00:00", true);
    RUNS(scheduled("0 9 * * *", "Europe/Berlin"), march, "2024-04-30", "2024-03-31T07:00:00",
         "2024-03-30T08:00:00", "2024-04-01T07:00:00", "2024-03-31T07:00:00");
    /* 02:30 is never on the wall that day: an hour later then. */
    RUNS(scheduled("30 2 * * *", "Europe/Berlin"), march, "2024-04-30", "2024-03-31T01:30:00",
         "2024-03-30T01:30:00", "2024-04-01T00:30:00", "2024-03-31T01:30:00");
    /* Twice on the wall: the second time. */
    struct timetable_limits october = from("2024-10-25T12:00:00", true);
    RUNS(scheduled("30 2 * * *", "Europe/Berlin"), october, "2024-11-30", "2024-10-27T01:30:00",
         "2024-10-26T00:30:00", "2024-10-28T01:30:00", "2024-10-27T01:30:00");
    /* Every hour goes through both. */
    struct timetable_limits fold = from("2024-10-26T23:00:00", true);
    RUNS(scheduled("0 * * * *", "Europe/Berlin"), fold, "2024-11-30", "2024-10-27T00:00:00",
         "2024-10-26T23:00:00", "2024-10-27T01:00:00", "2024-10-27T00:00:00", "2024-10-27T02:00:00",
         "2024-10-27T01:00:00");
    RUNS(scheduled("45 23 * * *", "Asia/Kathmandu"), from("2024-01-01", true), "2024-11-30",
         "2024-01-02T18:00:00", "2024-01-01T18:00:00");
}

/* Airflow makes the first of these runs again and again. */
TEST(an_hourly_schedule_of_some_days_passes_the_week_of_a_change)
{
    RUNS(scheduled("0 * * * wed", "Europe/Berlin"), from("2024-10-23T20:00:00", true), "2024-11-30",
         "2024-10-23T21:00:00", "2024-10-23T20:00:00", "2024-10-29T23:00:00", "2024-10-23T21:00:00",
         "2024-10-30T00:00:00", "2024-10-29T23:00:00");
    RUNS(scheduled("0 * * * wed", "Europe/Berlin"), from("2024-03-27T22:00:00", true), "2024-11-30",
         "2024-04-02T22:00:00", "2024-03-27T22:00:00", "2024-04-02T23:00:00",
         "2024-04-02T22:00:00");
    RUNS(scheduled("@hourly", "Australia/Lord_Howe"), from("2024-04-06T14:00:00", true),
         "2024-11-30", "2024-04-06T15:30:00", "2024-04-06T14:00:00", "2024-04-06T16:30:00",
         "2024-04-06T15:30:00");
}

TEST(every_zone_goes_on_through_ten_years_without_a_hole_or_a_step_back)
{
    static const char *const zones[] = {
        "Europe/Berlin",     "America/New_York", "UTC", "Australia/Lord_Howe", "Asia/Kathmandu",
        "Africa/Casablanca", "America/Sao_Paulo"};
    static const char *const texts[] = {"@hourly",        "*/20 * * * *", "30 2 * * *",
                                        "15 1,2,3 * * *", "0 0 * * *",    "every 7h"};
    struct timetable_limits l = from("2012-01-01", true);
    for (size_t z = 0; z < COUNT_OF(zones); z++)
        for (size_t t = 0; t < COUNT_OF(texts); t++) {
            struct schedule s = scheduled(texts[t], zones[z]);
            struct data_interval last = {0};
            struct run_due due = {0};
            int64_t end = moment("2022-01-01"), count = 0;
            while (due.run_after_us < end) {
                CHECK(timetable_next(&s, count++ ? &last : NULL, &l, 0, &due));
                bool follows = count == 1 || due.interval.start_us == last.end_us;
                if (!follows || due.run_after_us <= due.interval.start_us) {
                    test_failed(__FILE__, __LINE__, "'%s' in %s: run %" PRId64, texts[t], zones[z],
                                count);
                    break;
                }
                last = due.interval;
            }
            if (strcmp(texts[t], "@hourly") == 0) CHECK(count >= 87600 && count <= 87700);
            if (strcmp(texts[t], "0 0 * * *") == 0) CHECK(count >= 3653 && count <= 3655);
        }
}

TEST(triggers_intervals_and_the_plain_ones_are_as_airflow_s)
{
    struct schedule trigger = scheduled("0 9 * * *", "Europe/Berlin");
    trigger.kind = SCHEDULE_TRIGGER;
    RUNS(trigger, from("2024-01-01", true), "2024-01-05", "2024-01-01T08:00:00",
         "2024-01-01T08:00:00", "2024-01-02T08:00:00", "2024-01-02T08:00:00");
    RUNS(trigger, from("2024-01-01", false), "2024-01-05", "2024-01-04T08:00:00",
         "2024-01-04T08:00:00", "2024-01-05T08:00:00", "2024-01-05T08:00:00");
    RUNS(scheduled("every 5m", "UTC"), from("2024-01-01T00:03:00", false), "2024-01-05T00:07:00",
         "2024-01-05T00:05:00", "2024-01-05T00:00:00", "2024-01-05T00:10:00",
         "2024-01-05T00:05:00");
    RUNS(scheduled("every 1 month", "UTC"), from("2024-01-31", true), "2024-09-05", "2024-02-29",
         "2024-01-31", "2024-03-29", "2024-02-29");
    RUNS(scheduled("@once", "UTC"), from("2024-01-31", false), "2024-09-05", "2024-01-31",
         "2024-01-31", NULL);
    RUNS(scheduled("@continuous", "UTC"), from("2024-01-31", false), "2024-09-05", "2024-09-05",
         "2024-01-31", "2024-09-05", "2024-09-05");
    RUNS(scheduled("none", "UTC"), from("2024-01-31", true), "2024-09-05", NULL);
    struct schedule data = {.kind = SCHEDULE_DATA};
    RUNS(data, from("2024-01-31", true), "2024-09-05", NULL);
    struct data_interval i;
    struct schedule daily = scheduled("@daily", "UTC"), every = scheduled("2h", "UTC");
    CHECK(timetable_manual(&daily, moment("2024-01-25T01:00:00"), &i));
    CHECK(is("2024-01-24", i.start_us, "start") && is("2024-01-25", i.end_us, "end"));
    CHECK(timetable_manual(&every, moment("2024-01-25T01:00:00"), &i));
    CHECK(is("2024-01-24T23:00:00", i.start_us, "start"));
    CHECK(timetable_manual(&data, moment("2024-01-25T01:00:00"), &i));
    CHECK(i.start_us == i.end_us);
}

TEST(schedules_are_read_shown_and_refused_with_a_hint)
{
    static const struct {
        const char *text;
        enum schedule_kind kind;
        const char *summary;
    } table[] = {
        {"@daily", SCHEDULE_CRON, "0 0 * * *"},
        {"  */5 * * * * ", SCHEDULE_CRON, "*/5 * * * *"},
        {"every 5m", SCHEDULE_EVERY, "0:05:00"},
        {"1h30m", SCHEDULE_EVERY, "1:30:00"},
        {"every day", SCHEDULE_EVERY, "1 day, 0:00:00"},
        {"PT90S", SCHEDULE_EVERY, "0:01:30"},
        {"P2W", SCHEDULE_EVERY, "14 days, 0:00:00"},
        {"1500ms", SCHEDULE_EVERY, "0:00:01.500000"},
        {"every 14 months, 2 days", SCHEDULE_EVERY, "relativedelta(years=+1, months=+2, days=+2)"},
        {"P1M", SCHEDULE_EVERY, "relativedelta(months=+1)"},
        {"@once", SCHEDULE_ONCE, "@once"},
        {"@continuous", SCHEDULE_CONTINUOUS, "@continuous"},
        {"None", SCHEDULE_NONE, "None"},
        {"", SCHEDULE_NONE, "None"},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        char text[128] = "";
        struct buf b = buf_over(text, sizeof(text) - 1);
        struct schedule s = scheduled(table[i].text, "UTC");
        schedule_summary(&s, &b);
        CHECK_TEXT(text, table[i].summary);
        CHECK_INT(s.kind, table[i].kind);
    }
    static const char *const bad[] = {
        "every", "every 0s", "every 5 parsecs",      "10ms",  "P",     "PT",
        "P1H",   "@dayly",   "every 99999999 years", "5 m x", "PT1H1D"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct schedule s;
        struct diag d = {0};
        err_t e = schedule_parse(slice_of(bad[i]), NULL, &s, &d);
        CHECK(e == ERR_INVALID || e == ERR_RANGE);
        if (!d.hint[0]) test_failed(__FILE__, __LINE__, "'%s' has no hint: %s", bad[i], d.what);
    }
}

TEST(a_dag_s_schedule_is_read_from_its_file)
{
    static const struct {
        const char *yaml;
        err_t err;
        enum schedule_kind kind;
        const char *zone;
    } table[] = {
        {"~", ERR_OK, SCHEDULE_NONE, "UTC"},
        {"'@daily'", ERR_OK, SCHEDULE_CRON, "UTC"},
        {"{cron: 0 9 * * *, timezone: Europe/Berlin}", ERR_OK, SCHEDULE_CRON, "Europe/Berlin"},
        {"{cron: 0 9 * * *, timetable: trigger, interval: 1h}", ERR_OK, SCHEDULE_TRIGGER, "UTC"},
        {"{every: 5m}", ERR_OK, SCHEDULE_EVERY, "UTC"},
        {"{after: [users, orders]}", ERR_OK, SCHEDULE_DATA, "UTC"},
        {"{after: {any: [users]}}", ERR_OK, SCHEDULE_DATA, "UTC"},
        {"{after: users}", ERR_OK, SCHEDULE_DATA, "UTC"},
        {"{after: {topic: users}}", ERR_OK, SCHEDULE_DATA, "UTC"},
        {"{after: {asset: users}}", ERR_OK, SCHEDULE_DATA, "UTC"},
        {"{after: {all: [users, {table: k.t}]}, at_most_every: 0, quiet_for: 90s}", ERR_OK,
         SCHEDULE_DATA, "UTC"},
        {"{after: {topic: users}, at_most_every: 1 month}", ERR_INVALID, 0, NULL},
        {"{after: {topic: users}, at_most_every: 5}", ERR_INVALID, 0, NULL},
        {"{after: users, at_most_every: 5m}", ERR_INVALID, 0, NULL},
        {"{after: {table: users}}", ERR_INVALID, 0, NULL},
        {"{after: {table: .users}}", ERR_INVALID, 0, NULL},
        {"{after: {table: k.}}", ERR_INVALID, 0, NULL},
        {"{after: {topic: a, table: k.b}}", ERR_INVALID, 0, NULL},
        {"{after: []}", ERR_INVALID, 0, NULL},
        {"{after: {some: [a]}}", ERR_INVALID, 0, NULL},
        {"{after: [1]}", ERR_INVALID, 0, NULL},
        {"{corn: 0 9 * * *}", ERR_INVALID, 0, NULL},
        {"{cron: 0 9 * * *, every: 5m}", ERR_INVALID, 0, NULL},
        {"5", ERR_INVALID, 0, NULL},
        {"{cron: 0 9 * * *, timezone: Europe/Berln}", ERR_UNKNOWN_NAME, 0, NULL},
        {"{every: 0 9 * * *}", ERR_INVALID, 0, NULL},
        {"{}", ERR_INVALID, 0, NULL},
        {"{cron: 0 9 * * *, timetable: triger}", ERR_INVALID, 0, NULL},
        {"{every: 5m, interval: 1h}", ERR_INVALID, 0, NULL},
    };
    struct arena *a = arena_new(MIB(1));
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct doc v;
        struct schedule s;
        struct diag d = {0};
        CHECK_OK(doc_of_yaml(slice_of(table[i].yaml), "dags.yaml", a, &v, &d), &d);
        err_t e = schedule_read(&v, NULL, a, &s, &d);
        if (e != table[i].err)
            test_failed(__FILE__, __LINE__, "'%s': %s %s", table[i].yaml, err_name(e), d.what);
        if (e) {
            CHECK(d.where[0]);
            continue;
        }
        CHECK_INT(s.kind, table[i].kind);
        CHECK_TEXT(zone_name(s.zone), table[i].zone);
        if (s.kind == SCHEDULE_DATA) CHECK_SLICE(s.after[0].name, "users");
    }
    arena_free(a);
}

TEST(dates_and_ids_are_written_and_read_as_airflow_s)
{
    static const struct {
        const char *text, *written;
    } table[] = {
        {"2024-01-01", "2024-01-01T00:00:00+00:00"},
        {"2024-01-01T12:30:00.5+02:00", "2024-01-01T10:30:00.500000+00:00"},
        {"20240101T123000Z", "2024-01-01T12:30:00+00:00"},
        {"2024-01-01 12:30", "2024-01-01T12:30:00+00:00"},
        {"2024-01-01T12:30:00.000001 00:00", "2024-01-01T12:30:00.000001+00:00"},
        {"0001-01-01T00:00:00Z", "0001-01-01T00:00:00+00:00"},
        {"9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999+00:00"},
        {"1969-12-31T23:59:59.999999-0530", "1970-01-01T05:29:59.999999+00:00"},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        char text[64] = "";
        struct buf b = buf_over(text, sizeof(text) - 1);
        moment_put(&b, moment(table[i].text));
        CHECK_TEXT(text, table[i].written);
    }
    static const char *const bad[] = {"",
                                      "2024",
                                      "2024-13-01",
                                      "2023-02-29",
                                      "2024-01-01T25:00",
                                      "2024-01-01T",
                                      "2024-01-01x",
                                      "2024-01-01T00:00:00+2",
                                      "2024-01-01T00:00:00.",
                                      "24-01-01",
                                      "2024-1-1"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        int64_t us;
        CHECK_ERR(moment_parse(slice_of(bad[i]), NULL, &us, NULL), ERR_INVALID);
    }
    int64_t us;
    CHECK_OK(moment_parse(SLICE("2024-03-31T02:30:00"), zone("Europe/Berlin"), &us, NULL), NULL);
    CHECK_INT(us, moment("2024-03-31T01:30:00"));
    char text[128] = "";
    struct buf b = buf_over(text, sizeof(text) - 1);
    run_id_put(&b, RUN_SCHEDULED, moment("2024-01-01"));
    buf_char(&b, ' ');
    run_id_put(&b, RUN_ASSET_TRIGGERED, moment("2024-01-01T00:00:00.25"));
    buf_char(&b, ' ');
    moment_put_in(&b, moment("2024-07-01"), zone("Europe/Berlin"));
    CHECK_TEXT(text, "scheduled__2024-01-01T00:00:00+00:00 "
                     "dataset_triggered__2024-01-01T00:00:00.250000+00:00 "
                     "2024-07-01T02:00:00+02:00");
    CHECK_INT(run_id_type(SLICE("backfill__x")), RUN_BACKFILL);
    CHECK_INT(run_id_type(SLICE("asset_triggered__x")), RUN_ASSET_TRIGGERED);
    CHECK_INT(run_id_type(SLICE("mine")), RUN_MANUAL);
    CHECK(run_id_fits(SLICE("manual__2024-01-01T00:00:00+00:00")));
    CHECK(!run_id_fits(SLICE("a/b")) && !run_id_fits(SLICE("")) && !run_id_fits(SLICE("a b")));
}
