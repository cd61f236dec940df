"""bench/run nexmark: Nexmark's queries from JSON topics into a counting sink, catching up; --records N bids and others.

An event is a record of a topic: of 50 one person, three auctions, 46 bids. The rate is of the events that the query reads;
it counts from the server's start to the last record's epoch being durable. b0 to b2 are q0 to q2 over the fixed columns of
Kafka's batches themselves (partition, offset, time), without a look into the JSON behind them.
"""
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests" / "nexmark"))
import queries  # noqa: E402
from harness import Server, check, run, wait_for  # noqa: E402

GOALS = {"q0": ">= 2,000,000", "q1": ">= 2,000,000", "q2": ">= 2,000,000", "q5": ">= 500,000", "q7": ">= 500,000", "q8": ">= 500,000"}
OF_BATCHES = {"b0": "SELECT _partition, _offset, _timestamp FROM bid",
              "b1": "SELECT _partition, 0.908 * _offset AS o, _timestamp FROM bid",
              "b2": "SELECT _offset, _timestamp FROM bid WHERE mod(_offset, 123) = 0"}
GOALS |= dict.fromkeys(OF_BATCHES, ">= 3,000,000")
NAMES = ["b0", "b1", "b2", "q0", "q1", "q2", "q3", "q4", "q5", "q7", "q8", "q9", "q11", "q15", "q17", "q18", "q20"]
READS = {"q3": ("auction", "person"), "q4": ("auction", "bid"), "q8": ("person", "auction"), "q9": ("auction", "bid"), "q20": ("bid", "auction")}


def filled(program, base, events):
    """A project whose topics hold the events."""
    records = base / "records"
    records.mkdir()
    subprocess.run([program, records, str(events), "1", "2000"], check=True)
    counts = {}
    (base / "pipeline.sql").write_text(queries.TOPICS)
    with Server(base) as s:
        s.ready()
        for topic in ("person", "auction", "bid"):
            path = records / f"{topic}.jsonl"
            counts[topic] = sum(1 for _ in open(path, "rb"))
            r = run("produce", topic, "--file", path, "--brokers", f"127.0.0.1:{s.field('kafka_port')}", timeout=1200)
            check(r.returncode == 0, r.stderr)
        check(s.stop() == 0, s.output())
    shutil.rmtree(records)
    return counts


def bench(add, cpu, pss, place, programs, events, turns, only):
    base = pathlib.Path(tempfile.mkdtemp(prefix="sluice-nexmark-", dir=place))
    try:
        counts = filled(programs / "nexmark_gen", base, events)
        for name in only or NAMES:
            sql = OF_BATCHES.get(name) or next(q[2] for q in queries.QUERIES if q[0] == name)
            total = sum(counts[t] for t in READS.get(name, ("bid",))) + (counts["bid"] if name in ("q5", "q7") else 0)
            (base / "pipeline.sql").write_text(f"{queries.TOPICS}CREATE SINK {name} INTO BLACKHOLE AS {sql};\n")
            rates, seconds, memory = [], [], []
            for _ in range(turns):
                for part in ("store", "flow"):
                    shutil.rmtree(base / ".sluice" / part, ignore_errors=True)
                with Server(base) as s:
                    s.ready()
                    before, start = cpu(s.process.pid), time.monotonic()
                    most = 0

                    def done():
                        nonlocal most
                        time.sleep(0.05)
                        most = max(most, pss(s.process.pid))
                        stage = s.stage(name)
                        check(not stage["trouble"], f"{stage}")
                        return stage["ledger"]["in"] >= total
                    wait_for("all events to be read", done, 1800)
                    rates.append(total / (time.monotonic() - start))
                    seconds.append((cpu(s.process.pid) - before) / (total / 1e6))
                    memory.append(most)
                    check(s.stage(name)["balanced"], f"{s.stage(name)}")
                    s.stop()
            add(f"nexmark {name}", "events/s", rates, GOALS.get(name, "-"))
            add(f"nexmark {name}: processor", "s/M events", seconds, "-")
            add(f"nexmark {name}: memory (PSS)", "MiB", memory, "-")
    finally:
        shutil.rmtree(base, ignore_errors=True)
