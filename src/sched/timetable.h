/* timetable: when a dag's next run is due, as Airflow 2.10's timetables say it. A cron schedule's
 * run covers the interval that has just ended (CronDataIntervalTimetable); as a trigger it is an
 * instant (CronTriggerTimetable). Also intervals of time, @once, @continuous, none, and after data
 * has changed, which has no time at all.
 *
 * A cron's times are the zone's wall's: "0 9 * * *" stays at nine through summer and winter. What
 * the wall shows twice is run the second time, what it never shows so much later; a schedule of
 * every hour goes through both hours of a fold. An interval of time is counted in instants.
 *
 * Never reads a clock: `now` is given, and may go backwards. Loop: any thread; pure. Memory: a
 * schedule borrows its text, and data's names the arena they were read into. Times are microseconds
 * UTC; MOMENT_LEAST … MOMENT_MOST.
 */
#pragma once
#include "base/delta.h"
#include "data/doc.h"
#include "sched/cron.h"
#include "sched/data_name.h"
#include "sched/moment.h"
#include "sched/state.h"

enum schedule_kind {
    SCHEDULE_NONE,
    SCHEDULE_CRON,
    SCHEDULE_TRIGGER, /* cron, without an interval behind it */
    SCHEDULE_EVERY,
    SCHEDULE_ONCE,
    SCHEDULE_CONTINUOUS,
    SCHEDULE_DATA
};
struct schedule {
    enum schedule_kind kind;
    const struct zone *zone;
    struct slice text; /* of a cron, presets as what they stand for; else as written */
    struct cron cron;
    struct delta every;            /* of a trigger: how far its interval reaches back */
    const struct data_name *after; /* of SCHEDULE_DATA */
    uint32_t after_count;
    bool after_any; /* one of them is enough */
    bool looks;     /* one of them is a table or topic that is looked at itself: */
    int64_t at_most_every_us, quiet_us; /* between two runs; without a change before one */
};

/* "0 9 * * mon-fri", "@daily", "every 5m", "1h30m", "2 months", "PT5M", "@once", "@continuous",
 * "none" or nothing. */
MUST_CHECK err_t schedule_parse(struct slice text, const struct zone *zone, struct schedule *out,
                                struct diag *d);
/* The same as a dag's `schedule:` says it: a text, null, or a map: {cron: …, timezone: …,
 * timetable: trigger, interval: 1h}, {every: 5m}, {after: [a, {table: k.t}]}, {after: {any:
 * [{topic: t}, b]}, at_most_every: 5m, quiet_for: 30s}. */
MUST_CHECK err_t schedule_read(const struct doc *v, const struct zone *zone, struct arena *a,
                               struct schedule *out, struct diag *d);
/* "5m", "1h30m", "90 seconds", "PT1H", "1 month 2 days"; at least a microsecond. */
MUST_CHECK err_t delta_parse(struct slice text, struct delta *out, struct diag *d);
/* False past MOMENT_LEAST or MOMENT_MOST. */
bool delta_add(struct delta by, int sign, int64_t us, int64_t *out);

void schedule_summary(const struct schedule *s, struct buf *out);  /* timetable_summary */
void schedule_describe(const struct schedule *s, struct buf *out); /* timetable_description */
bool schedule_periodic(const struct schedule *s);
/* Which of `after` a change of this data means; -1: none of them. */
int32_t schedule_waits_for(const struct schedule *s, struct slice kind, struct slice name);

struct data_interval {
    int64_t start_us, end_us;
};
struct timetable_limits {
    int64_t earliest_us, latest_us; /* start and end date, both inclusive; INT64_MIN, INT64_MAX */
    bool catchup;
};
struct run_due {
    int64_t run_after_us;          /* not before this instant */
    struct data_interval interval; /* its start is the logical date */
};
/* The run after `last`, the newest scheduled or backfilled run's interval (NULL: none yet). False:
 * none is due as things stand. A backfill asks with catchup, from its first to its last date, and
 * gives each answer as the next `last`. */
bool timetable_next(const struct schedule *s, const struct data_interval *last,
                    const struct timetable_limits *limits, int64_t now_us, struct run_due *out);
/* The interval of a run made by hand at this instant. */
bool timetable_manual(const struct schedule *s, int64_t run_after_us, struct data_interval *out);

/* "scheduled__2024-01-01T00:00:00+00:00"; what data triggers is "dataset_triggered__…", as
 * Airflow 2's ("asset_triggered__…" of Airflow 3 is read too). */
void run_id_put(struct buf *out, enum run_type type, int64_t logical_us);
enum run_type run_id_type(struct slice run_id); /* RUN_MANUAL when it does not say */
bool run_id_fits(struct slice run_id);          /* letters, digits, _.~:+-, at most 250 */
