"""The crash tests' streams that are fed: epochs large enough for feeders (docs/flow.md), over a topic that is filled once, which
each round reads from a copy. What they must hold is computed here from the topic's records."""
import collections
import pathlib
import random
import shutil
import time

from audit import calls, digest, fault_env, STORE_CALLS
from harness import Server, check, offline_query, project, wait_for

TOTAL, WINDOW_MS = 60_000, 100
QUIET = ("log.keep_free=0", "api.port=-1", "metrics.port=-1", "kafka.port=-1", "cql.port=-1", "console.port=-1")
SETS = (*QUIET, "flow.feeders=2", "flow.form=catchup", "flow.catchup_rows=12000", "memory.budget=3GiB")
FILL = f"""CREATE SOURCE fill FROM GENERATOR '' WITH (shape = 'event', seed = 'fed', results = 2000, total = {TOTAL}, key = 'id')
  INTO TOPIC events WITH (partitions = 3);
"""
# groups that feeders gather, rows that they hand on in order, and windows that go out through the outbox
STREAMS = f"""CREATE TOPIC events WITH (partitions = 3);
CREATE TOPIC windows WITH (partitions = 2);
CREATE MATERIALIZED VIEW fed.kinds AS
SELECT substr(id, 1, 2) AS k, count(*) AS n, sum(_offset) AS offsets, min(length(email)) AS short, max(length(email)) AS long
FROM events WHERE gender = 'female' GROUP BY substr(id, 1, 2);
CREATE MATERIALIZED VIEW fed.latest AS
SELECT substr(id, 1, 1) AS k, _partition AS p, count(*) AS n, last_value(email) AS email
FROM events GROUP BY substr(id, 1, 1), _partition;
CREATE STREAM windows INTO TOPIC windows WITH (idle = 'never') AS
SELECT window_start, gender, count(*) AS n, sum(_offset) AS offsets
FROM TUMBLE(events, _timestamp, '{WINDOW_MS}ms') GROUP BY window_start, gender;
"""
QUERIES = {"kinds": "SELECT k, n, offsets, short, long FROM fed.kinds", "latest": "SELECT k, p, n, email FROM fed.latest",
           "windows": "SELECT unix_millis(CAST(window_start AS timestamp)) AS start, gender, n, offsets FROM windows"}
FED = {"+kinds", "+latest", "+windows"}  # their feeders' threads


def filled(workdir):
    """A project whose topic holds the events, and what its streams must hold."""
    p = project(workdir / "filled", FILL)
    with Server(p, sets=QUIET, args=("--drain",)) as s:
        check(s.process.wait(120) == 0, s.output()[-2000:])
    (p / "pipeline.sql").write_text(STREAMS)
    rows = offline_query(p, p / ".sluice", "SELECT id, gender, email, _offset AS at, _partition AS p, unix_millis(_timestamp) AS ms FROM events")
    check(len(rows) == TOTAL, f"{len(rows)} records in the topic")
    return p, {"kinds": kinds(rows), "latest": latest(rows), "windows": windows(rows)}


def grouped(rows, key):
    groups = collections.defaultdict(list)
    for r in rows:
        groups[key(r)].append(r)
    return groups


def kinds(rows):
    women = grouped((r for r in rows if r["gender"] == "female"), lambda r: r["id"][:2])
    return [{"k": k, "n": len(rs), "offsets": sum(r["at"] for r in rs), "short": min(len(r["email"]) for r in rs),
             "long": max(len(r["email"]) for r in rs)} for k, rs in women.items()]


def latest(rows):
    """By the event's time, then as they came."""
    groups = grouped(rows, lambda r: (r["id"][0], r["p"]))
    return [{"k": k, "p": p, "n": len(rs), "email": max(rs, key=lambda r: (r["ms"], r["at"]))["email"]} for (k, p), rs in groups.items()]


def closed(rows):
    """The records whose window the watermark has passed: the least over the partitions of the greatest time seen."""
    watermark = min(max(r["ms"] for r in rs) for rs in grouped(rows, lambda r: r["p"]).values())
    return [r for r in rows if r["ms"] // WINDOW_MS * WINDOW_MS + WINDOW_MS <= watermark]


def windows(rows):
    groups = grouped(closed(rows), lambda r: (r["ms"] // WINDOW_MS * WINDOW_MS, r["gender"]))
    return [{"start": start, "gender": gender, "n": len(rs), "offsets": sum(r["at"] for r in rs)} for (start, gender), rs in groups.items()]


def feeders(process):
    """The feeders' threads that a server has just now."""
    names = set()
    for task in pathlib.Path(f"/proc/{process.pid}/task").glob("*/comm"):
        try:
            names.add(task.read_text().strip())
        except (FileNotFoundError, ProcessLookupError):
            pass  # it has ended
    return names & FED


def copied(filled_project, base):
    shutil.copytree(filled_project, base)
    return base, base / ".sluice"


def audit(directory, data, want, what, env=None):
    """Drained once more, with feeders: every record once; answers which streams' feeders were seen."""
    seen = set()
    with Server(directory, data, sets=SETS, env=env, args=("--drain",)) as s:
        end = time.monotonic() + 120
        while s.process.poll() is None:
            seen |= feeders(s.process)
            check(time.monotonic() < end, f"{what}: waited in vain for everything to be taken in: {s.output()[-3000:]}")
            time.sleep(0.001)
        check(s.process.returncode == 0, f"{what}: {s.output()[-3000:]}")
    for place, rows in want.items():
        got = offline_query(directory, data, QUERIES[place])
        check(len(got) == len(rows), f"{what}: {place} has {len(got)} rows, not {len(rows)}")
        check(digest(got) == digest(rows), f"{what}: {place} holds other values")
    return seen


def kills(workdir, rounds, seed, env=None):
    """As audit.kills does, but the kills from outside come while feeders are at work. Answers how many of each."""
    rng = random.Random(seed)
    p, want = filled(workdir)
    base, data = copied(p, workdir / "whole")
    count = base / "count"
    seen = audit(base, data, want, "undisturbed", env=fault_env(data / "store", count, only=",".join(STORE_CALLS)))
    check(seen == FED, f"only {seen} of {FED} were fed")
    most, done = calls(count), {"inside": 0, "fed": 0}
    for round_ in range(rounds):
        base, data = copied(p, workdir / f"fed{round_}")
        count = base / "count"
        for _ in range(1 + rng.randrange(3)):
            if rng.randrange(3) == 0:
                settings = {"at": 1 + rng.randrange(most), "do": "stop", "only": ",".join(STORE_CALLS)}
                with Server(base, data, sets=SETS, env={**fault_env(data / "store", count, **settings), **(env or {})}, args=("--drain",)) as s:
                    code = s.process.wait(120)
                    check(code in (137, 0), f"kill {round_} ended with {code}, {settings}:\n{s.output()[-2000:]}")
                    done["inside"] += code == 137
            else:
                with Server(base, data, sets=SETS, env=env, args=("--drain",)) as s:
                    wait_for("feeders, or its end", lambda: feeders(s.process) or s.process.poll() is not None, 60)
                    time.sleep(rng.random() * 0.1)
                    done["fed"] += s.process.poll() is None and bool(feeders(s.process))
                    s.kill()
        audit(base, data, want, f"fed round {round_} of seed {seed}", env=env)
        shutil.rmtree(base)
    return done
