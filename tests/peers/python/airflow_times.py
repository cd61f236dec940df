"""Timetables against those of Apache Airflow itself: cron schedules as intervals and as triggers, intervals of time,
@once, @continuous, none; in several zones, at the edges of daylight saving, with clocks that jump.

airflow_times.py SCHED_TIMES COUNT SEED
"""
import datetime
import random
import sys
import zoneinfo

import cron_times
from airflow.timetables import interval, simple, trigger
from airflow.timetables.base import DataInterval, TimeRestriction
from airflow.utils import timezone
from croniter import croniter
from cron_times import EPOCH, ask, us
from dateutil.relativedelta import relativedelta
from pendulum import DateTime

ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Africa/Casablanca", "America/Sao_Paulo",
         "Europe/Dublin", "America/St_Johns", "Pacific/Apia"]
COMMON = ["0 0 * * *", "@daily", "@hourly", "@weekly", "@monthly", "30 2 * * *", "15 1,2,3 * * *", "*/5 * * * *", "*/15 2 * * *", "0 */2 * * *",
          "30 * * * *", "0 9 * * mon-fri", "0 0 1 */3 *", "0 3 * * sun", "* * * * *", "0 12 L * *", "5 0-6 * * *", "30 1-3 * * 0#1",
          "30 1 * * * */20", "45 23 * * *", "59 */3 * * *"]
UTC = datetime.timezone.utc
rng = random.Random(1)
now = None


def utcnow():
    return now


timezone.utcnow = utcnow
interval.utcnow = utcnow


def aware(at):
    return DateTime(at.year, at.month, at.day, at.hour, at.minute, at.second, at.microsecond, tzinfo=timezone.utc)


def count_us(at):
    at = at.astimezone(UTC)
    return us(datetime.datetime(at.year, at.month, at.day, at.hour, at.minute, at.second, at.microsecond))


def edges(name):
    zone, found = zoneinfo.ZoneInfo(name), []
    at, hour = datetime.datetime(2005, 1, 1), datetime.timedelta(hours=1)
    before = None
    while at.year < 2034:
        offset = at.replace(tzinfo=UTC).astimezone(zone).utcoffset()
        if before is not None and offset != before:
            while at.replace(tzinfo=UTC).astimezone(zone).utcoffset() == offset:
                at -= hour
            found.append(at + hour)
            at += hour
        before = offset
        at += datetime.timedelta(hours=97)
    return found


EDGES = {name: edges(name) for name in ZONES}


def moment(name):
    if EDGES[name] and rng.random() < 0.6:
        at = rng.choice(EDGES[name]) + datetime.timedelta(seconds=rng.randint(-4 * 3600, 4 * 3600))
    else:
        at = datetime.datetime(rng.randint(1990, 2060), rng.randint(1, 12), rng.randint(1, 28), rng.randint(0, 23), rng.randint(0, 59), rng.randint(0, 59))
    kind = rng.random()
    if kind < 0.5:
        at = at.replace(second=0)
        at -= datetime.timedelta(minutes=at.minute % rng.choice([1, 5, 15, 30, 60]))
    elif kind < 0.7:
        at += datetime.timedelta(microseconds=rng.randint(1, 999999))
    return aware(at)


def schedule(zone):
    """Our text, our timetable's word, Airflow's timetable."""
    kind = rng.random()
    if kind < 0.45 or kind >= 0.95:
        text = rng.choice(COMMON) if rng.random() < 0.6 else cron_times.expression()
        try:
            table = interval.CronDataIntervalTimetable(text, zone)
            table.validate()
            return text, "-", table
        except Exception:
            return schedule(zone)
    if kind < 0.7:
        text = rng.choice(COMMON) if rng.random() < 0.6 else cron_times.expression()
        try:
            table = trigger.CronTriggerTimetable(text, timezone=zone)
            table.validate()
            return text, "trigger", table
        except Exception:
            return schedule(zone)
    if kind < 0.8:
        amount, unit = rng.randint(1, 50), rng.choice(["seconds", "minutes", "hours", "days", "weeks"])
        return f"every {amount} {unit}", "-", interval.DeltaDataIntervalTimetable(datetime.timedelta(**{unit: amount}))
    if kind < 0.88:
        months, days, years = rng.randint(1, 15), rng.randint(0, 40), rng.randint(0, 2)
        return (f"every {years} years {months} months {days} days", "-",
                interval.DeltaDataIntervalTimetable(relativedelta(years=years, months=months, days=days)))
    return rng.choice([("@once", "-", simple.OnceTimetable()), ("@continuous", "-", simple.ContinuousTimetable()), ("none", "-", simple.NullTimetable())])


def theirs(table, last, restriction, start_now, count):
    global now
    now, out = start_now, []
    for _ in range(count):
        try:
            info = table.next_dagrun_info(last_automated_data_interval=last, restriction=restriction)
        except Exception:
            info = None
        if info is None:
            return out + ["none"]
        last = info.data_interval
        out += [count_us(info.run_after), count_us(last.start), count_us(last.end)]
        now = max(now, info.run_after)
    return out


def better(question, answer):
    """Airflow goes over a change of the clock by the walls' distance. For schedules of every hour that is off the schedule
    where the days are chosen too, or the clock is set by half an hour. There ours have to be on it, one after the other."""
    words = question.split("\t")
    text = {"@hourly": "0 * * * *"}.get(words[1], words[1])
    fields = text.lower().replace("?", "*").split()
    if len(fields) < 5 or not (words[3] == "Australia/Lord_Howe" or fields[2:5] != ["*"] * 3) or croniter.expand(text)[0][1] != ["*"]:
        return False
    zone = zoneinfo.ZoneInfo(words[3])
    ours = [int(w) for w in answer.split() if w != "none"]
    times = ours[::3] if words[0] == "due" else ours
    walls = [(EPOCH + datetime.timedelta(microseconds=t)).replace(tzinfo=UTC).astimezone(zone).replace(tzinfo=None) for t in times]
    return times == sorted(set(times)) and all(croniter.match(text, w) for w in walls)


def one_case():
    zone = rng.choice(ZONES)
    text, word, table = schedule(zone)
    start = moment(zone) if rng.random() < 0.85 else None
    end = moment(zone) if rng.random() < 0.15 else None
    at = moment(zone)
    kind = rng.random()
    if start is not None and kind < 0.6:  # the start not far from now; else the clock has jumped, by years
        at = aware((start + datetime.timedelta(seconds=rng.randint(-86400 * 3, 86400 * 40))).replace(tzinfo=None))
    last = None
    if rng.random() < 0.6:
        one = moment(zone) if rng.random() < 0.5 else aware((at - datetime.timedelta(seconds=rng.randint(-7200, 86400 * 3))).replace(tzinfo=None))
        try:
            last = table.infer_manual_data_interval(run_after=one) if rng.random() < 0.7 else DataInterval(one, one)
        except Exception:
            last = None
    return zone, text, word, table, start, end, rng.random() < 0.5, at, last


def main():
    program, count, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    rng.seed(seed)
    cron_times.rng.seed(seed)
    questions, expected, kinds = [], [], {}
    for _ in range(count):
        zone, text, word, table, start, end, catchup, at, last = one_case()
        steps = rng.choice([1, 2, 5])

        def shown(t):
            return "-" if t is None else str(count_us(t))
        questions.append("\t".join(["due", text, word, zone, shown(start), shown(end), str(int(catchup)), shown(at),
                                    shown(last and last.start), shown(last and last.end), str(steps)]))
        expected.append(" ".join(map(str, theirs(table, last, TimeRestriction(start, end, catchup), at, steps))))
        kinds[type(table).__name__] = kinds.get(type(table).__name__, 0) + 1
        questions.append(f"manual\t{text}\t{word}\t{zone}\t{shown(at)}")
        try:
            both = table.infer_manual_data_interval(run_after=at)
            expected.append(f"{count_us(both.start)} {count_us(both.end)}")
        except Exception:
            expected.append("none")
    wrong, refused, circles = [], 0, 0
    for question, answer, want in zip(questions, ask(program, questions), expected):
        if answer.startswith("!"):
            refused += 1
            # What never comes, Airflow takes and never runs, but by hand.
            if "random times" not in answer and (want != "none" and question.startswith("due") or "never comes" not in answer):
                wrong.append(f"{question!r}: {answer}, Airflow's {want}")
            continue
        if answer.strip() != want and not answer.startswith("!") and better(question, answer):
            circles += 1
        elif answer.strip() != want:
            wrong.append(f"{question!r}: ours {answer.strip()}, Airflow's {want}")
    print(f"{count} schedules {kinds}, {len(questions)} questions; {sum('none' in e for e in expected)} without a (further) run, "
          f"{refused} refused, {circles} where Airflow runs off its schedule; {len(wrong)} wrong")
    print("\n".join(wrong[:40]))
    sys.exit(bool(wrong) or circles > len(questions) // 25)


main()
