/* The scheduler's times by the line, for tests that compare them with Python's: a question a line
 * on standard input, its words parted by tabs, an answer a line on standard output.
 *
 *   next|prev EXPR WALL N        N wall times after (before) a wall time, in microseconds
 *   describe EXPR
 *   local ZONE US                offset, summer, abbreviation
 *   instant ZONE WALL            fit, first, second
 *   due SCHEDULE TIMETABLE ZONE START END CATCHUP NOW LAST_START LAST_END N     "-": none
 *                                N runs: run_after start end, each the next one's last; NOW moves
 * on to each run_after manual SCHEDULE TIMETABLE ZONE US parse TEXT ZONE              a date
 *   summary SCHEDULE
 *   retry DAG TASK LOGICAL TRY DELAY MOST      microseconds: an exponential delay; MOST 0: none
 * A question that can not be answered gets "!" and why. */
#include "base/vec.h"
#include "sched/rules.h"
#include "sched/timetable.h"

#include <stdio.h>
#include <stdlib.h>

enum { WORDS_MAX = 12 };
static char *words[WORDS_MAX];
static int word_count;
static struct diag told;

static int64_t number(int i)
{
    return i < word_count ? strtoll(words[i], NULL, 10) : 0;
}

static struct slice word(int i)
{
    return slice_of(i < word_count ? words[i] : "");
}

static void refuse(void)
{
    printf("! %s: %s", told.what, told.why);
}

static void walk(bool up)
{
    struct cron c;
    int64_t at = number(2);
    if (cron_parse(word(1), &c, &told)) {
        refuse();
        return;
    }
    for (int64_t n = number(3); n > 0; n--) {
        if (!(up ? cron_next(&c, at, &at) : cron_prev(&c, at, &at))) {
            printf("none");
            return;
        }
        printf("%lld ", (long long)at);
    }
}

static err_t schedule(struct schedule *s)
{
    const struct zone *z;
    err_t e = zone_find(word(3), &z, &told);
    if (!e) e = schedule_parse(word(1), z, s, &told);
    if (!e && slice_is(word(2), "trigger")) s->kind = SCHEDULE_TRIGGER;
    return e;
}

static void due(void)
{
    struct schedule s;
    struct data_interval last = {number(8), number(9)};
    bool has_last = !slice_is(word(8), "-");
    struct timetable_limits l = {slice_is(word(4), "-") ? INT64_MIN : number(4),
                                 slice_is(word(5), "-") ? INT64_MAX : number(5), number(6) != 0};
    int64_t now = number(7);
    if (schedule(&s)) {
        refuse();
        return;
    }
    for (int64_t n = number(10); n > 0; n--) {
        struct run_due r;
        if (!timetable_next(&s, has_last ? &last : NULL, &l, now, &r)) {
            printf("none");
            return;
        }
        printf("%lld %lld %lld ", (long long)r.run_after_us, (long long)r.interval.start_us,
               (long long)r.interval.end_us);
        last = r.interval;
        has_last = true;
        now = MAX(now, r.run_after_us);
    }
}

static void manual(void)
{
    struct schedule s;
    struct data_interval i;
    if (schedule(&s))
        refuse();
    else if (timetable_manual(&s, number(4), &i))
        printf("%lld %lld", (long long)i.start_us, (long long)i.end_us);
    else
        printf("none");
}

static void place(bool instant)
{
    static const char *const fits[] = {"once", "twice", "never"};
    const struct zone *z;
    if (zone_find(word(1), &z, &told)) {
        refuse();
    } else if (instant) {
        enum zone_fit fit;
        int64_t first = zone_instant(z, number(2), false, &fit);
        printf("%s %lld %lld", fits[fit], (long long)first,
               (long long)zone_instant(z, number(2), true, NULL));
    } else {
        struct zone_offset o = zone_offset_at(z, number(2));
        printf("%d %d %s", o.seconds, o.summer, o.abbreviation);
    }
}

static void date(void)
{
    const struct zone *z;
    int64_t us;
    if (zone_find(word(2), &z, &told) || moment_parse(word(1), z, &us, &told))
        refuse();
    else
        printf("%lld", (long long)us);
}

static void text(bool summary)
{
    struct buf out = buf_make(KIB(64));
    struct schedule s;
    if (!summary)
        cron_describe(word(1), &out);
    else if (schedule_parse(word(1), NULL, &s, &told))
        refuse();
    else
        schedule_summary(&s, &out);
    printf("%s", buf_cstr(&out));
    buf_done(&out);
}

static void retry(void)
{
    struct dag g = {.id = word(1)};
    struct dag_task t = {.id = word(2),
                         .exponential = true,
                         .retry_delay_us = number(5),
                         .max_retry_delay_us = number(6)};
    printf("%lld", (long long)retry_delay_us(&g, &t, number(3), (int32_t)number(4)));
}

static void answer(void)
{
    struct slice verb = word(0);
    if (slice_is(verb, "next") || slice_is(verb, "prev"))
        walk(slice_is(verb, "next"));
    else if (slice_is(verb, "describe") || slice_is(verb, "summary"))
        text(slice_is(verb, "summary"));
    else if (slice_is(verb, "local") || slice_is(verb, "instant"))
        place(slice_is(verb, "instant"));
    else if (slice_is(verb, "due"))
        due();
    else if (slice_is(verb, "manual"))
        manual();
    else if (slice_is(verb, "parse"))
        date();
    else if (slice_is(verb, "retry"))
        retry();
    else
        printf("! no such question");
    printf("\n");
}

int main(void)
{
    static char line[8192];
    while (fgets(line, sizeof(line), stdin)) {
        word_count = 0;
        for (char *at = strtok(line, "\t\n"); at && word_count < WORDS_MAX;
             at = strtok(NULL, "\t\n"))
            words[word_count++] = at;
        told = (struct diag){0};
        answer();
    }
    return 0;
}
