"""bench/run hour [--hour-seconds 3600] [--hour-limit 256] [--hour-state 2048]: full speed under a memory limit (MiB), page cache and all.

A source fills a topic without a pause while a stream groups it by 16.7 M random keys (--hour-digits 6: so many hex digits) with long
texts beside, into a table: its state is far beyond the limit, and each row asks for another key of it. Memory is looked at every second. When
the time is over the server is killed and started again, takes in the rest, and is audited: every record of the topic is in the table once
(count, and the sum of offsets), both ledgers balance. It fails when that is not so, when the kernel ended the server, when the state
stayed smaller than --hour-state (its texts' bytes, told too as they lie compressed on the disk), or when memory grows: the last quarter's median beyond the second's by more than 5 % and 4 MiB.
"""
import json
import pathlib
import shutil
import statistics
import tempfile
import time

from confine import Limit
from harness import Failed, Server, check, run, wait_for

PARTITIONS = 3
AHEAD, BEHIND = 800_000, 400_000  # records: the source rests above one and goes on below the other
ROW_BYTES = 80                        # at most, of the table's rows on disk: what is beyond them is state
TEXTS = ("address", "email", "picture", "username", "dob", "registered_date", "phone", "last_name")
SETS = ("memory.budget=160MiB", "store.write_buffer=32MiB", "store.cache=48MiB", "log.segment=32MiB", "log.retention_check=5s")


def pipeline(digits):
    return f"""
CREATE SOURCE fill FROM GENERATOR '' WITH (shape = 'event', seed = 'hour', results = 5000, key = 'id')
  INTO TOPIC events WITH (partitions = {PARTITIONS}, 'retention.ms' = '20000');
CREATE TABLE hour.groups (k TEXT PRIMARY KEY, n BIGINT, offsets BIGINT);
CREATE STREAM load INTO hour.groups AS
SELECT k, n, offsets FROM
  (SELECT substr(id, 1, {digits}) AS k, count(*) AS n, sum(_offset) AS offsets, {", ".join(f"max(CAST({t} AS TEXT)) AS {t}" for t in TEXTS)}
   FROM events GROUP BY substr(id, 1, {digits})) g
WHERE {" + ".join(f"length({t})" for t in TEXTS)} > 0;
"""


def size(folder):
    total = 0
    for p in pathlib.Path(folder).rglob("*"):
        try:
            total += p.stat().st_blocks * 512 if p.is_file() else 0
        except FileNotFoundError:
            pass
    return total


class Watch:
    """The server's memory each second, and the run's story each ten."""

    def __init__(self, limit, base):
        self.limit, self.base = limit, base
        self.anon, self.pss, self.rates, self.lags, self.disk = [], [], [], [], []
        self.paused, self.last, self.began = False, 0, time.monotonic()

    def steer(self, s, lag):
        """The source stays ahead of the stream, and the disk is not filled."""
        wanted = lag > AHEAD or (self.paused and lag > BEHIND)
        if wanted != self.paused:
            r = s.command("pause" if wanted else "resume", "fill")
            check(r.returncode == 0, r.stderr)
            self.paused = wanted

    def second(self, s, cpu, pss):
        check(s.process.poll() is None, f"the server ended with {s.process.returncode}, {self.limit.killed()} killed for want of memory:\n{s.output()[-3000:]}")
        self.anon.append(self.limit.usage()[0] / 1048576)
        self.pss.append(pss(s.process.pid))
        stage = s.stage("load")
        check(not stage["trouble"] and stage["balanced"], f"{stage}")
        self.lags.append(stage["lag"])
        self.steer(s, stage["lag"])
        done = stage["ledger"]["in"]
        if len(self.anon) % 10 == 0:
            self.rates.append((done - self.last) / 10)
            self.last = done
            self.disk.append(size(self.base / ".sluice" / "store"))
            print(f"    {time.monotonic() - self.began:6.0f} s: {done:,} records, {self.rates[-1]:,.0f}/s, lag {stage['lag']:,}, anonymous {self.anon[-1]:.0f} MiB, PSS {self.pss[-1]:.0f}, "
                  f"group {self.limit.usage()[1] / 1048576:.0f} MiB, store {self.disk[-1] / 1048576:,.0f} MiB, log {size(self.base / '.sluice' / 'log') / 1048576:,.0f} MiB, "
                  f"processor {cpu(s.process.pid):.0f} s, killed {self.limit.killed()}", flush=True)


def ends(s):
    """The partitions' end offsets."""
    r = run("topics", "describe", "events", "--json", "--brokers", f"127.0.0.1:{s.field('kafka_port')}")
    check(r.returncode == 0, r.stderr)
    return [json.loads(line)["end"] for line in r.stdout.splitlines()]


def audit(s, what):
    """Everything that the source made is in the topic, and everything of the topic is in a group, once."""
    wait_for("the source to rest", lambda: s.stage("fill")["state"] == "paused", 60)
    wait_for("the rest to be taken in", lambda: s.stage("load")["lag"] == 0 or s.process.poll() is not None, 3600)
    check(s.process.poll() is None, s.output()[-3000:])
    stages = {x["name"]: x for x in s.status()["stages"]}
    for x in stages.values():
        check(x["balanced"] and not x["trouble"], f"{what}: {x}")
    to = ends(s)
    got = s.query("SELECT count(*) AS keys, sum(n) AS n, sum(offsets) AS offsets FROM hour.groups", timeout=1800)[0]  # millions of rows
    check(stages["fill"]["ledger"]["applied"] == sum(to) == stages["load"]["ledger"]["in"] == stages["load"]["ledger"]["applied"] == got["n"],
          f"{what}: source {stages['fill']['ledger']}, topic {to}, stream {stages['load']['ledger']}, table {got}")
    check(got["offsets"] == sum(n * (n - 1) // 2 for n in to), f"{what}: topic {to}, table {got}: some records are in it twice and others not")
    return got


def flat(values, what):
    """Growth from the second quarter to the last."""
    quarter = max(1, len(values) // 4)
    then, now = statistics.median(values[quarter:2 * quarter]), statistics.median(values[-quarter:])
    check(now <= then * 1.05 + 4, f"{what} grows: {then:.0f} MiB in the second quarter, {now:.0f} MiB in the last")
    return now - then


def bench(add, cpu, pss, place, seconds, limit_mib, state_mib, digits, sets=()):
    base = pathlib.Path(tempfile.mkdtemp(prefix="sluice-hour-", dir=place))
    (base / "pipeline.sql").write_text(pipeline(digits))
    try:
        with Limit("hour", limit_mib << 20) as limit:
            w = Watch(limit, base)
            with Server(base, sets=(*SETS, *sets), wrapper=limit.wrapper) as s:
                s.ready()
                limit.watch(s.process.pid)
                while time.monotonic() - w.began < seconds:
                    w.second(s, cpu, pss)
                    time.sleep(max(0.0, 1 - (time.monotonic() - w.began) % 1))
                spent, done = cpu(s.process.pid), s.stage("load")["ledger"]["in"]
                s.kill()
            start = time.monotonic()
            with Server(base, sets=(*SETS, *sets), wrapper=limit.wrapper) as s:
                s.ready(120)
                up = (time.monotonic() - start) * 1000
                limit.watch(s.process.pid)
                s.command("pause", "fill")
                got = audit(s, "after the kill")
                texts = s.query("SELECT avg(" + " + ".join(f"octet_length(CAST({t} AS TEXT))" for t in TEXTS) + ") AS n FROM events", timeout=1800)[0]["n"]
                disk = size(base / ".sluice" / "store")
                check(s.stop(120) == 0, s.output()[-3000:])
            killed = limit.killed()
        check(killed == 0, f"the kernel ended {killed} processes for want of memory")
        state, stored = got["keys"] * float(texts) / 1048576, (disk - got["keys"] * ROW_BYTES) / 1048576
        add("records through a state beyond memory", "records/s", w.rates[1:], "")
        add("processor", "s/M records", [spent / done * 1e6], "")
        add("state, its texts alone", "MiB", [state], f">= {state_mib}", f"{got['keys']:,} groups, {done:,} records in {seconds} s")
        add("state on disk, compressed", "MiB", [stored], "")
        add("anonymous memory, each second", "MiB", w.anon, f"< {limit_mib}", f"most {max(w.anon):.0f}")
        add("memory (PSS), each second", "MiB", w.pss, f"< {limit_mib}", f"most {max(w.pss):.0f}")
        add("growth of it, second quarter to last", "MiB", [flat(w.pss, "PSS")], "0")
        flat(w.anon, "anonymous memory")
        add("up again after kill -9", "ms", [up], "")
        check(state >= state_mib, f"{state:.0f} MiB of state, not {state_mib}")
    finally:
        shutil.rmtree(base, ignore_errors=True)
