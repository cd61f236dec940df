#include "sched/timetable.h"

/* --- intervals of time ----------------------------------------------------------------------- */

static bool within(int64_t us)
{
    return us >= MOMENT_LEAST && us <= MOMENT_MOST;
}

bool delta_add(struct delta by, int sign, int64_t us, int64_t *out)
{
    int64_t at = us, more = sign * by.us;
    if (by.months) {
        int64_t days = calendar_floor(us, DAY_US);
        if (by.months > 12 * 10000) return false;
        at += (calendar_add_months(days, sign * by.months) - days) * DAY_US;
    }
    if (!within(at) || __builtin_add_overflow(at, more, &at) || !within(at)) return false;
    *out = at;
    return true;
}

/* What Airflow rounds an interval's first run to: years of 365 days, months of 30. */
static int64_t rounding(struct delta d)
{
    int64_t us = (d.months / 12 * 365 + d.months % 12 * 30) * DAY_US + d.us;
    return d.relative ? us - us % SECOND_US : us;
}

/* --- a cron's times in its zone -------------------------------------------------------------- */

/* Of every hour: the next (last) instant at which the wall shows one of its times, through both
 * hours of a fold. From each change of the clock it is sought anew; changes that lie far before the
 * time found (`BESIDE`) can bring none earlier. Airflow adds the walls' distance across changes
 * instead: the same, but where that is off the schedule it goes round in circles. */
static bool hourly_step(const struct schedule *s, int64_t now, bool up, int64_t *out)
{
    enum { TRIES_MAX = 64 };
    const int64_t BESIDE = 2 * DAY_US;
    int64_t base = now, due, from, to;
    for (int i = 0; i < TRIES_MAX; i++) {
        int64_t wall = zone_wall(s->zone, base), first = i == 0 ? 0 : SECOND_US;
        if (!(up ? cron_next(&s->cron, wall - first, &due)
                 : cron_prev(&s->cron, wall + first, &due)))
            return false;
        *out = base + (due - wall);
        zone_holds(s->zone, base, &from, &to);
        if (up ? *out < to : *out >= from) return true;
        base = up ? MAX(to, *out - BESIDE) : MIN(from - SECOND_US, *out + BESIDE);
    }
    return false;
}

static bool cron_step(const struct schedule *s, int64_t now, bool up, int64_t *out)
{
    int64_t wall = zone_wall(s->zone, now), due;
    if (s->cron.every_hour) return hourly_step(s, now, up, out) && within(*out);
    if (!(up ? cron_next(&s->cron, wall, &due) : cron_prev(&s->cron, wall, &due))) return false;
    *out = moment_aware(s->zone, due);
    return within(*out);
}

static bool step(const struct schedule *s, int64_t now, bool up, int64_t *out)
{
    if (s->kind == SCHEDULE_EVERY) return delta_add(s->every, up ? 1 : -1, now, out);
    return cron_step(s, now, up, out);
}

/* The schedule's time at `at` or beyond it: `at` itself when it is one. */
static bool align(const struct schedule *s, int64_t at, bool up, int64_t *out)
{
    int64_t beyond, back;
    if (s->kind == SCHEDULE_EVERY) {
        *out = at;
        return true;
    }
    if (!cron_step(s, at, up, &beyond) || !cron_step(s, beyond, !up, &back)) return false;
    *out = back == at ? at : beyond;
    return true;
}

/* --- the timetables -------------------------------------------------------------------------- */

/* Without catchup: the interval that has just ended, or the next one. */
static bool skip_to_latest(const struct schedule *s, int64_t earliest, int64_t now, int64_t *out)
{
    int64_t last, next, start;
    if (s->kind == SCHEDULE_EVERY) {
        int64_t unit = rounding(s->every);
        if (!step(s, calendar_floor(now, unit) * unit, false, &start)) return false;
        *out = MAX(start, earliest);
        return true;
    }
    if (!cron_step(s, now, false, &last) || !cron_step(s, last, true, &next)) return false;
    if (next < now) return false;
    start = last;
    if (next > now && !cron_step(s, last, false, &start)) return false;
    int64_t from = start;
    if (earliest != INT64_MIN && !align(s, earliest, true, &from)) return false;
    *out = MAX(start, from);
    return true;
}

static bool next_interval(const struct schedule *s, const struct data_interval *last,
                          const struct timetable_limits *l, int64_t now, struct run_due *out)
{
    int64_t earliest = l->earliest_us, start;
    if (!l->catchup) {
        if (!skip_to_latest(s, earliest, now, &earliest)) return false;
    } else if (earliest != INT64_MIN && !align(s, earliest, true, &earliest)) {
        return false;
    }
    if (!last) {
        if (earliest == INT64_MIN) return false;
        start = earliest;
    } else {
        if (!align(s, last->end_us, false, &start)) return false;
        start = MAX(start, earliest);
    }
    if (start > l->latest_us || !step(s, start, true, &out->run_after_us)) return false;
    out->interval = (struct data_interval){start, out->run_after_us};
    return true;
}

static bool next_trigger(const struct schedule *s, const struct data_interval *last,
                         const struct timetable_limits *l, int64_t now, struct run_due *out)
{
    int64_t next = INT64_MIN, at;
    if (!l->catchup && !align(s, now, false, &next)) return false;
    if (last) {
        if (!cron_step(s, last->end_us, true, &at)) return false;
        next = MAX(next, at);
    }
    if (l->earliest_us != INT64_MIN && !(l->catchup && last)) {
        if (!align(s, l->earliest_us, true, &at)) return false;
        next = MAX(next, at);
    }
    if (next == INT64_MIN || next > l->latest_us) return false;
    out->run_after_us = out->interval.end_us = next;
    return delta_add(s->every, -1, next, &out->interval.start_us);
}

static bool next_continuous(const struct data_interval *last, const struct timetable_limits *l,
                            int64_t now, struct run_due *out)
{
    if (l->earliest_us == INT64_MIN) return false;
    int64_t start = last ? last->end_us : l->earliest_us;
    int64_t end = last ? now : MAX(l->earliest_us, now);
    if (end > l->latest_us) return false;
    *out = (struct run_due){end, {start, end}};
    return true;
}

bool timetable_next(const struct schedule *s, const struct data_interval *last,
                    const struct timetable_limits *l, int64_t now, struct run_due *out)
{
    switch (s->kind) {
    case SCHEDULE_CRON:
    case SCHEDULE_EVERY: return next_interval(s, last, l, now, out);
    case SCHEDULE_TRIGGER: return next_trigger(s, last, l, now, out);
    case SCHEDULE_CONTINUOUS: return next_continuous(last, l, now, out);
    case SCHEDULE_ONCE:
        if (last || l->earliest_us == INT64_MIN || l->earliest_us > l->latest_us) return false;
        *out = (struct run_due){l->earliest_us, {l->earliest_us, l->earliest_us}};
        return true;
    case SCHEDULE_NONE:
    case SCHEDULE_DATA: break;
    }
    return false;
}

bool timetable_manual(const struct schedule *s, int64_t run_after, struct data_interval *out)
{
    *out = (struct data_interval){run_after, run_after};
    switch (s->kind) {
    case SCHEDULE_CRON:
        return align(s, run_after, false, &out->end_us) &&
               cron_step(s, out->end_us, false, &out->start_us);
    case SCHEDULE_TRIGGER:
    case SCHEDULE_EVERY: return delta_add(s->every, -1, run_after, &out->start_us);
    default: return true;
    }
}

/* --- ids ------------------------------------------------------------------------------------- */

enum { RUN_ID_MAX = 250 };

static const struct {
    const char *prefix;
    enum run_type type;
} id_types[] = {
    {"scheduled__", RUN_SCHEDULED},
    {"manual__", RUN_MANUAL},
    {"backfill__", RUN_BACKFILL},
    {"dataset_triggered__", RUN_ASSET_TRIGGERED},
    {"asset_triggered__", RUN_ASSET_TRIGGERED},
};

void run_id_put(struct buf *out, enum run_type type, int64_t logical)
{
    size_t i = 0;
    while (id_types[i].type != type) i++;
    buf_text(out, id_types[i].prefix);
    moment_put(out, logical);
}

enum run_type run_id_type(struct slice run_id)
{
    for (size_t i = 0; i < COUNT_OF(id_types); i++)
        if (slice_starts(run_id, id_types[i].prefix)) return id_types[i].type;
    return RUN_MANUAL;
}

bool run_id_fits(struct slice run_id)
{
    for (uint32_t i = 0; i < run_id.len; i++) {
        uint8_t c = run_id.at[i], letter = c | 0x20;
        if (!((letter >= 'a' && letter <= 'z') || (c >= '0' && c <= '9') ||
              (c && strchr("_.~:+-", c))))
            return false;
    }
    return run_id.len > 0 && run_id.len <= RUN_ID_MAX;
}
