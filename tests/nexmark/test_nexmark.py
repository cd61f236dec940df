"""Nexmark: every query's answer is DuckDB's over the same records, disordered by up to two seconds."""
import datetime
import json
import os
import pathlib
import subprocess
import sys

import engines
import harness
from harness import Server, check, folder, project, run, wait_for

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import queries  # noqa: E402

EVENTS = int(os.environ.get("SLUICE_NEXMARK_EVENTS", "100000"))
DISORDER_MS = 2000
START_MS = 1600000000000
LAST = {  # a record a topic, a day later: its watermark closes every window of the others
    "person": {"id": 1, "name": "last", "email_address": "", "credit_card": "", "city": "", "state": "", "extra": ""},
    "auction": {"id": 1, "item_name": "last", "description": "", "initial_bid": 0, "reserve": 0, "seller": 0, "category": 0, "extra": ""},
    "bid": {"auction": 0, "bidder": 0, "price": 0, "channel": "none", "url": "a/b/c/d/e/f", "extra": ""},
}


def stamp(ms):
    return datetime.datetime.fromtimestamp(ms / 1000, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.") + f"{ms % 1000:03d}Z"


def generated(path):
    """The records' files (.events to produce, .jsonl with the last ones too, for DuckDB), the last ones as `sluice produce --json`
    takes them: one a partition, since a silent one would hold the watermark; and when they are."""
    program = pathlib.Path(harness.SLUICE).parent / "bench" / "nexmark_gen"
    if not program.exists():
        subprocess.run(["ninja", "-C", program.parent.parent, "bench/nexmark_gen"], check=True, capture_output=True)
    subprocess.run([program, path, str(EVENTS), "7", str(DISORDER_MS)], check=True)
    at = START_MS + EVENTS + 86400000
    last = {}
    for topic, record in LAST.items():
        (path / f"{topic}.jsonl").rename(path / f"{topic}.events")
        record = {**record, "date_time": stamp(at), **({"expires": stamp(at)} if topic == "auction" else {})}
        partitions = range(3 if topic == "bid" else 1)
        last[topic] = "".join(json.dumps({"value": record, "partition": p}) + "\n" for p in partitions)
        with open(path / f"{topic}.jsonl", "w") as f:
            f.write((path / f"{topic}.events").read_text() + (json.dumps(record) + "\n") * len(partitions))
    return last, at


def plain(value):
    """One form for both: times as milliseconds, numbers rounded, all as text."""
    if isinstance(value, datetime.datetime):
        return str(round(value.replace(tzinfo=datetime.timezone.utc).timestamp() * 1000))
    if isinstance(value, str) and len(value) == 24 and value.endswith("Z") and value[10] == "T":
        return str(round(datetime.datetime.fromisoformat(value[:-1] + "+00:00").timestamp() * 1000))
    if isinstance(value, (int, float)):
        return f"{float(value):.9g}"  # an average's last digits depend on the order of adding
    return str(value)


def counted(rows):
    out = {}
    for row in rows:
        key = tuple(sorted((k.lower(), plain(v)) for k, v in row.items()))
        out[key] = out.get(key, 0) + 1
    return out


def expected(path, end):
    """DuckDB's answers, by a child with the package."""
    python = engines.venv("duckdb")
    asked = [(name, sql or ours) for name, _, ours, sql in queries.QUERIES]
    r = subprocess.run([python, pathlib.Path(__file__).parent / "duck.py", str(path), str(end)], input=json.dumps(asked), capture_output=True,
                       text=True, timeout=600)
    check(r.returncode == 0, f"DuckDB: {r.stderr[-3000:]}")
    return {name: rows for name, rows in (json.loads(line) for line in r.stdout.splitlines())}


def broker(server):
    return f"127.0.0.1:{server.field('kafka_port')}"


def answer(server, name, holder):
    if holder == queries.VIEW:
        return server.query(f"SELECT * FROM nexmark.{name}")
    r = run("consume", name, "--brokers", broker(server), "--from", "beginning", "--until", "end", "--json")
    check(r.returncode == 0, r.stderr)
    values = [json.loads(line)["value"] for line in r.stdout.splitlines()]
    return [json.loads(v) if isinstance(v, str) else v for v in values]


def folded(rows, key, number):
    sums = {}
    for row in rows:
        sums[row[key]] = sums.get(row[key], 0) + row[number]
    return [{key: k, number: n} for k, n in sums.items()]


def one(name):
    """Runs one query over the records to its end and compares."""
    holder, sql = next((h, s) for n, h, s, _ in queries.QUERIES if n == name)
    with folder() as f:
        last, at = generated(f)
        want = expected(f, at - 4000)[name]
        p = project(f / "p", queries.topics(name) + "CREATE KEYSPACE nexmark;\n" + queries.statement(name, holder, sql))
        with Server(p) as s:
            s.ready()
            for topic in LAST:
                for given in (["--file", f / f"{topic}.events"], ["--json"]):
                    r = run("produce", topic, *given, "--brokers", broker(s), stdin=None if len(given) > 1 else last[topic])
                    check(r.returncode == 0, r.stderr)
            stream = name if holder == queries.VIEW else f"{name}_stream"
            wait_for("all records are read", lambda: (st := s.stage(stream))["lag"] == 0 and not st["trouble"], timeout=120)
            got = answer(s, name, holder)
            ledger = s.stage(stream)
            check(ledger["balanced"], f"{ledger}")
            check(s.stop() == 0, s.output())
    if name in queries.FOLDED:
        got = folded(got, *queries.FOLDED[name])
    got, want = counted(got), counted(want)
    extra = [k for k in got if got[k] != want.get(k)]
    lacking = [k for k in want if want[k] != got.get(k)]
    check(not extra and not lacking, f"{name}: {len(got)} rows, DuckDB has {len(want)}; {len(extra)} differ, {len(lacking)} are not there:\n"
          f"  ours   {extra[:3]}\n  DuckDB {lacking[:3]}\n{ledger}")
    check(want, f"{name} has no rows at all")


for _name, *_ in queries.QUERIES:
    def test(name=_name):
        one(name)
    test.__name__ = f"test_{_name}"
    globals()[f"test_{_name}"] = test
del test
