/* Goal: a zone's time is tzdata's, before, in and after every kind of change, and no name or file
 * does harm.
 * Method: known instants of places with odd rules; files cut and bent byte by byte. tests/peers
 * compares all zones with Python's zoneinfo. */
#include "sched/zone_int.h"

#include "base/bytes.h"
#include "os/file.h"
#include "test.h"

static int64_t at(int64_t y, int32_t mo, int32_t d, int32_t h, int32_t mi)
{
    return wall_us((struct wall){.year = y, .month = mo, .day = d, .hour = h, .minute = mi});
}

static const struct zone *zone(const char *name)
{
    const struct zone *z = zone_utc();
    struct diag d;
    CHECK_OK(zone_find(slice_of(name), &z, &d), &d);
    return z;
}

static void shows(const char *name, int64_t utc, int32_t offset, const char *abbreviation)
{
    struct zone_offset o = zone_offset_at(zone(name), utc);
    CHECK_INT(o.seconds, offset);
    CHECK_TEXT(o.abbreviation, abbreviation);
    CHECK_INT(zone_wall(zone(name), utc), utc + offset * SECOND_US);
}

TEST(zones_show_the_offsets_of_tzdata_in_every_age)
{
    shows("UTC", at(2024, 7, 1, 0, 0), 0, "UTC");
    shows("Europe/Berlin", at(1850, 1, 1, 0, 0), 3208, "LMT");
    shows("Europe/Berlin", at(2024, 3, 31, 0, 59), 3600, "CET");
    shows("Europe/Berlin", at(2024, 3, 31, 1, 0), 7200, "CEST");
    shows("Europe/Berlin", at(2524, 7, 1, 0, 0), 7200, "CEST"); /* by the footer's rule */
    shows("Europe/Berlin", at(2524, 12, 1, 0, 0), 3600, "CET");
    shows("America/New_York", at(2024, 11, 3, 5, 59), -14400, "EDT");
    shows("America/New_York", at(2024, 11, 3, 6, 0), -18000, "EST");
    shows("Australia/Lord_Howe", at(2024, 4, 6, 14, 59), 39600, "+11");
    shows("Australia/Lord_Howe", at(2024, 4, 6, 15, 0), 37800, "+1030"); /* half an hour */
    shows("Asia/Kathmandu", at(2024, 1, 1, 0, 0), 20700, "+0545");
    shows("Africa/Casablanca", at(2024, 3, 15, 0, 0), 0, "+00"); /* Ramadan */
    shows("Africa/Casablanca", at(2024, 5, 15, 0, 0), 3600, "+01");
    shows("America/Sao_Paulo", at(2018, 12, 1, 0, 0), -7200, "-02");
    shows("America/Sao_Paulo", at(2024, 12, 1, 0, 0), -10800,
          "-03"); /* no summer time since 2019 */
    shows("+05:30", at(2024, 12, 1, 0, 0), 19800, "+05:30");
    shows("-0830", at(2024, 12, 1, 0, 0), -30600, "-0830");
}

static void reads(const char *name, int64_t wall, enum zone_fit fit, int64_t first, int64_t second)
{
    enum zone_fit got;
    CHECK_INT(zone_instant(zone(name), wall, false, &got), first);
    CHECK_INT(got, fit);
    CHECK_INT(zone_instant(zone(name), wall, true, NULL), second);
}

TEST(a_wall_time_is_one_instant_two_or_none)
{
    reads("Europe/Berlin", at(2024, 7, 1, 2, 30), ZONE_ONCE, at(2024, 7, 1, 0, 30),
          at(2024, 7, 1, 0, 30));
    reads("Europe/Berlin", at(2024, 10, 27, 2, 30), ZONE_TWICE, at(2024, 10, 27, 0, 30),
          at(2024, 10, 27, 1, 30));
    reads("Europe/Berlin", at(2024, 3, 31, 2, 30), ZONE_NEVER, at(2024, 3, 31, 1, 30),
          at(2024, 3, 31, 0, 30));
    reads("Australia/Lord_Howe", at(2024, 10, 6, 2, 15), ZONE_NEVER, at(2024, 10, 5, 15, 45),
          at(2024, 10, 5, 15, 15));
    /* A whole day that Samoa has left out. */
    reads("Pacific/Apia", at(2011, 12, 30, 12, 0), ZONE_NEVER, at(2011, 12, 30, 22, 0),
          at(2011, 12, 29, 22, 0));
    reads("UTC", at(2024, 3, 31, 2, 30), ZONE_ONCE, at(2024, 3, 31, 2, 30), at(2024, 3, 31, 2, 30));
}

TEST(every_hour_of_forty_years_comes_back_from_the_wall)
{
    static const char *const names[] = {"Europe/Berlin", "America/Sao_Paulo", "Africa/Casablanca",
                                        "Australia/Lord_Howe"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        const struct zone *z = zone(names[i]);
        int64_t wrong = 0;
        for (int64_t t = at(2010, 1, 1, 0, 30); t < at(2050, 1, 1, 0, 0); t += HOUR_US) {
            int64_t wall = zone_wall(z, t);
            wrong +=
                zone_instant(z, wall, false, NULL) != t && zone_instant(z, wall, true, NULL) != t;
        }
        CHECK_INT(wrong, 0);
    }
}

TEST(names_that_are_none_are_refused_with_the_nearest)
{
    static const struct {
        const char *name, *hint;
    } table[] = {
        {"Europe/Berln", "did you mean 'Europe/Berlin'?"},
        {"berlin", "did you mean 'Europe/Berlin'?"},
        {"europe/berlin", "did you mean 'Europe/Berlin'?"},
        {"Europe", "names are as in tzdata"},
        {"../../etc/passwd", ""},
        {"/usr/share/zoneinfo/UTC", ""},
        {"Europe//Berlin", ""},
        {"Europe/Berlin/", ""},
        {"tzdata.zi", ""},
        {"posix/Europe/Berlin", ""},
        {"right/UTC", ""},
        {"+24:00", ""},
        {"+1:00", ""},
        {"", ""},
        {"Aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", ""},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        const struct zone *z;
        struct diag d = {0};
        CHECK_ERR(zone_find(slice_of(table[i].name), &z, &d), ERR_UNKNOWN_NAME);
        CHECK(strncmp(d.hint, table[i].hint, strlen(table[i].hint)) == 0);
        CHECK(d.hint[0]);
    }
    CHECK(zone("Europe/Berlin") == zone("Europe/Berlin"));
}

TEST(rules_are_posix_s_or_refused)
{
    static const struct {
        const char *text;
        bool good, summer;
    } table[] = {
        {"CET-1CEST,M3.5.0,M10.5.0/3", true, true},
        {"<-03>3", true, false},
        {"<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", true, true},
        {"EST5EDT,J60/-1:30,J300/167", true, true},
        {"AAA0BBB,0,365/25:59:59", true, true},
        {"CET-1CEST", false, false},
        {"CET-1CEST,M3.5.0", false, false},
        {"CE-1", false, false},
        {"CET-1CEST,M13.5.0,M10.5.0", false, false},
        {"CET-1CEST,M3.6.0,M10.5.0", false, false},
        {"CET-1CEST,M3.5.7,M10.5.0", false, false},
        {"<CET-1", false, false},
        {"CET", false, false},
        {"CET-25", false, false},
        {"CET-1CEST,J0,J365", false, false},
        {"CET-1 ", false, false},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        static struct zone z;
        z = (struct zone){.standard = -1, .summer = -1};
        err_t e = zone_read_rule(slice_of(table[i].text), &z, NULL);
        if ((e == ERR_OK) != table[i].good)
            test_failed(__FILE__, __LINE__, "'%s': %s", table[i].text, err_name(e));
        CHECK_INT(z.summer >= 0, table[i].summer && table[i].good);
    }
}

TEST(a_file_that_is_cut_or_bent_is_refused_or_read_but_never_trusted)
{
    struct slice file;
    struct diag d;
    CHECK_OK(file_load("/usr/share/zoneinfo/Europe/Berlin", ZONE_FILE_MAX, &file, &d), &d);
    for (uint32_t cut = 0; cut < file.len; cut++) {
        struct zone *z = NULL;
        err_t e = zone_read(slice_make(file.at, cut), SLICE("Cut"), &z, &d);
        CHECK(e == ERR_SHORT || e == ERR_CORRUPT);
    }
    uint64_t seed = 7;
    uint8_t *bent = (uint8_t *)mem_text(file);
    for (int round = 0; round < 20000; round++) {
        struct zone *z = NULL;
        memcpy(bent, file.at, file.len);
        for (int n = 0; n < 3; n++)
            bent[test_random(&seed) % file.len] = (uint8_t)test_random(&seed);
        if (zone_read(slice_make(bent, file.len), SLICE("Bent"), &z, NULL)) continue;
        for (int64_t y = -100000; y < 400000; y += 33333) {
            int64_t wall = wall_us((struct wall){.year = y, .month = 3, .day = 31, .hour = 2});
            (void)zone_instant(z, wall, round & 1, NULL);
        }
        zone_drop(z);
    }
    mem_give(bent);
    mem_give((void *)(uintptr_t)file.at);
}
