/* A schedule's text, behind a byte that chooses the zone: what is taken has times that go forward,
 * a summary that is read as the same again, and words. */
#include "fuzz.h"
#include "sched/timetable.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const char *const names[] = {"UTC", "Europe/Berlin", "Australia/Lord_Howe", "+05:45"};
    const struct zone *z;
    struct schedule s;
    int64_t date;
    if (!size || zone_find(slice_of(names[bytes[0] % 4]), &z, NULL)) return 0;
    struct slice text = slice_make(bytes + 1, size - 1);
    (void)moment_parse(text, z, &date, NULL);
    if (schedule_parse(text, z, &s, NULL)) return 0;
    struct buf shown = buf_make(1 << 20);
    schedule_describe(&s, &shown);
    schedule_summary(&s, &shown);
    buf_done(&shown);
    int64_t at = 1711839600 * SECOND_US; /* the night of a change */
    for (int i = 0; i < 20 && s.kind == SCHEDULE_CRON; i++) {
        int64_t next, back;
        if (!cron_next(&s.cron, at, &next)) break;
        if (next <= at || !cron_prev(&s.cron, next + SECOND_US, &back) || back != next) abort();
        at = next;
    }
    struct timetable_limits l = {1711800000 * SECOND_US, INT64_MAX, bytes[0] & 4};
    struct data_interval last, by_hand;
    struct run_due due;
    for (int i = 0; i < 20 && timetable_next(&s, i ? &last : NULL, &l, at, &due); i++) {
        if (due.run_after_us < due.interval.start_us) abort();
        last = due.interval;
    }
    (void)timetable_manual(&s, at, &by_hand);
    return 0;
}
