"""bench/run together [--together-seconds 600]: all doors at once, and each alone before, in one run on one server.

  produce     20,000 events/s by librdkafka: from produce() to the acknowledgement
  stream      100 events/s more into another topic: from produce() to the visible row
  reads       500 SELECTs by key a second on one connection
  copy        cqlsh's COPY TO of a table, again and again: what a pass takes
  compaction  `sluice tables compact`, again and again (together alone)

Alone each has a tenth of the time. The figure is each door's p99 together, its own alone beside it (goal: at most three times it). Nothing may be
lost: every event is acknowledged, is a row, both ledgers balance.
"""
import json
import pathlib
import shutil
import subprocess
import tempfile
import threading
import time

import cassandra  # noqa: F401  (its environments)
import engines
import streaming
from engines import venv
from harness import Failed, Server, check, run, wait_for

RATE, ROWS = 20_000, 20_000
PIPELINE = """
CREATE TOPIC users_created WITH (partitions = 3);
CREATE TOPIC fast WITH (partitions = 3);
CREATE TABLE together.copied (id INT PRIMARY KEY, a TEXT, b TEXT);
{table}
{stream}
CREATE TABLE together.fast (id UUID PRIMARY KEY, email TEXT);
CREATE STREAM fast INTO together.fast AS SELECT id, email FROM fast;
"""


class Doors:
    def __init__(self, server, ports, base):
        self.server, self.ports, self.base, self.sent = server, ports, base, {"users_created": 0, "fast": 0}

    def probe(self, topic, *words, timeout):
        got = streaming.probe(topic, *self.ports, *words, timeout=timeout)
        if "sent" in got:
            check(got["acknowledged"] == got["sent"] and not got.get("unseen"), f"{topic}: {got}")
            self.sent[topic] += got["sent"]
        return got

    def produce(self, seconds):
        return self.probe("fast", RATE, seconds, 0, "acks", timeout=seconds * 4 + 120)["p99"]

    def stream(self, seconds):
        return self.probe("users_created", 100, seconds, 2, timeout=seconds * 2 + 200)["p99"]

    def reads(self, seconds):
        return self.probe("-", "reads", 500, seconds, ROWS, timeout=seconds * 2 + 60)["p99"]

    def copy(self, seconds):
        end, took = time.monotonic() + seconds, []
        while not took or time.monotonic() < end:
            start = time.monotonic()
            engines.peer("COPY TO", [venv("cqlsh").parent / "cqlsh", "127.0.0.1", self.ports[1], "-e",
                                     f"COPY together.copied TO '{self.base / 'copied.csv'}' WITH NUMPROCESSES = 1"], timeout=300)
            took.append((time.monotonic() - start) * 1000)
            lines = sum(1 for _ in open(self.base / "copied.csv"))
            check(lines == ROWS, f"COPY TO wrote {lines} rows of {ROWS}")
        return sorted(took)[min(len(took) - 1, int(len(took) * 0.99))]

    def compaction(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            r = self.server.command("tables", "compact", timeout=900)
            check(r.returncode == 0, r.stderr)
            time.sleep(5)
        return 0.0


def fill(doors):
    path = doors.base / "rows.csv"
    path.write_text("".join(f"{i},{'a' * 40},{'b' * 40}\n" for i in range(ROWS)))
    engines.peer("COPY FROM", [venv("cqlsh").parent / "cqlsh", "127.0.0.1", doors.ports[1], "-e", f"COPY together.copied FROM '{path}' WITH NUMPROCESSES = 1"], timeout=300)


def at_once(doors, names, seconds):
    """name -> p99; the first failure of any is the run's."""
    got, wrong = {}, []

    def one(name):
        try:
            got[name] = getattr(doors, name)(seconds)
        except Exception as why:  # told below, on the thread that may end the run
            wrong.append(why)
    threads = [threading.Thread(target=one, args=(n,)) for n in names]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if wrong:
        raise wrong[0]
    return got


NAMES = ("produce", "stream", "reads", "copy")


def bench(add, pss, place, kit, seconds):
    base = pathlib.Path(tempfile.mkdtemp(prefix="sluice-together-", dir=place))
    streaming.project(base, PIPELINE.format(table=kit.EVENT_TABLE, stream=kit.EVENT_STREAM))
    ports = (engines.free_port(), engines.free_port())
    try:
        with Server(base, sets=(f"kafka.port={ports[0]}", f"cql.port={ports[1]}")) as s:
            s.ready()
            doors = Doors(s, ports, base)
            fill(doors)
            alone = {}
            for name in NAMES:
                alone.update(at_once(doors, (name,), max(5, seconds // 10)))
                print(f"    {name} alone: p99 {alone[name]:.1f} ms", flush=True)
            together = at_once(doors, (*NAMES, "compaction"), seconds)
            for name, stage in (("users_created", "load"), ("fast", "fast")):
                wait_for("all rows", lambda: s.stage(stage)["lag"] == 0, 120)
                got = s.stage(stage)
                check(got["balanced"] and not got["trouble"] and got["ledger"]["applied"] == doors.sent[name], f"{doors.sent}: {got}")
            memory = pss(s.process.pid)
            check(s.stop(60) == 0, s.output()[-3000:])
        for name in NAMES:
            add(f"{name}: p99 alone", "ms", [alone[name]], "")
            add(f"{name}: p99 together", "ms", [together[name]], "<= 3 x alone", f"{together[name] / alone[name]:.1f} x")
        add("memory (PSS) after it", "MiB", [memory], "")
    finally:
        shutil.rmtree(base, ignore_errors=True)
