"""Time zones against Python's zoneinfo, which reads the same files: every name that tzdata has, at every change of
its clock from 1940 to 2045 and beside it, both readings of each wall time.

zone_times.py SCHED_TIMES
"""
import datetime
import random
import sys
import zoneinfo

from cron_times import EPOCH, ask, us

UTC = datetime.timezone.utc
SECOND = datetime.timedelta(seconds=1)


def offset(zone, at):
    return at.replace(tzinfo=UTC).astimezone(zone).utcoffset()


def edges(zone, first, last):
    """The instants at which the zone's offset changes, to the second: a step of days, then halving."""
    at, step = datetime.datetime(first, 1, 1), datetime.timedelta(days=9)
    while at.year < last:
        after = at + step
        if offset(zone, at) != offset(zone, after):
            low, high = at, after
            while high - low > SECOND:
                middle = low + (high - low) // 2
                middle = middle.replace(microsecond=0)
                if offset(zone, low) == offset(zone, middle):
                    low = middle
                else:
                    high = middle
            yield high
        at = after


def main():
    rng = random.Random(3)
    program = sys.argv[1]
    names = sorted(n for n in zoneinfo.available_timezones() if n not in ("localtime", "Factory") and not n.startswith(("posix", "right")))
    questions, expected = [], []
    for name in names:
        zone = zoneinfo.ZoneInfo(name)
        moments = [datetime.datetime(rng.randint(1850, 2150), rng.randint(1, 12), rng.randint(1, 28), rng.randint(0, 23)) for _ in range(10)]
        for edge in edges(zone, 1940, 2045):
            moments += [edge - SECOND, edge, edge + SECOND * rng.randint(-7200, 7200)]
        for at in moments:
            there = at.replace(tzinfo=UTC).astimezone(zone)
            questions.append(f"local\t{name}\t{us(at)}")
            expected.append((int(there.utcoffset().total_seconds()), there.tzname()))
            wall = there.replace(tzinfo=None) + SECOND * rng.choice([0, 0, rng.randint(-5400, 5400)])
            both = [us((wall - wall.replace(tzinfo=zone, fold=f).utcoffset())) for f in (0, 1)]
            questions.append(f"instant\t{name}\t{us(wall)}")
            expected.append(("once" if both[0] == both[1] else "twice" if both[0] < both[1] else "never", *both))
    wrong = []
    counts = {"once": 0, "twice": 0, "never": 0}
    for question, answer, want in zip(questions, ask(program, questions), expected):
        got = answer.split()
        if question.startswith("local"):
            same = (int(got[0]), got[2]) == want
        else:
            same = (got[0], int(got[1]), int(got[2])) == want
            counts[want[0]] += 1
        if not same:
            wrong.append(f"{question!r}: ours {answer}, Python's {want}")
    print(f"{len(names)} zones, {len(questions)} questions; of wall times {counts}; {len(wrong)} wrong")
    print("\n".join(wrong[:40]))
    sys.exit(bool(wrong) or len(names) < 400 or min(counts.values()) < 1000)


main()
