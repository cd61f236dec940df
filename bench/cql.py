"""bench/run cql: our CQL door beside Apache Cassandra 5.0.5 itself, the same machine, run and client.

Ours acknowledges what is on disk; Cassandra as it comes (its commit log synced every 10 seconds). The client is
tests/peers/go/cql/load on gocql, write coalescing off; its own processor time is shown, since it shares the machine.
"""
import json
import pathlib
import shutil
import statistics
import subprocess
import tempfile
import time

import cassandra
from harness import check

KEYS = 200_000
WORKS = ("write", "read", "mixed", "wide", "scan")
FLIGHTS = (1, 32, 128)


def load(server, work, **options):
    words = [w for k, v in options.items() for w in (f"-{k}", str(v))]
    r = subprocess.run([cassandra.go_program("load"), "-host", f"127.0.0.1:{server.port}", "-work", work, *words], capture_output=True, text=True, timeout=900)
    check(r.returncode == 0, f"load {work} {words}: {r.stderr[-1500:]}")
    return json.loads(r.stdout) if r.stdout else None


def size(folder):
    return sum(p.stat().st_blocks * 512 for p in pathlib.Path(folder).rglob("*") if p.is_file()) / 1e6


def restart_ms(make):
    start = time.monotonic()
    server = make()
    return server, (time.monotonic() - start) * 1000


def bench(add, cpu, pss, base, turns, seconds):
    ours_folder = pathlib.Path(tempfile.mkdtemp(prefix="sluice-bench-", dir=base))
    real_folder = pathlib.Path(tempfile.mkdtemp(prefix="cassandra-bench-", dir=base))
    shutil.rmtree(real_folder)
    values = {}

    def put(what, unit, name, value):
        values.setdefault((what, unit), {}).setdefault(name, []).append(value)

    servers = {}
    try:
        servers["sluice"] = cassandra.sluice(folder=ours_folder)
        servers["cassandra"] = cassandra.Cassandra(heap=("-Xms2G", "-Xmx2G"), folder=real_folder)
        for name, s in servers.items():
            load(s, "schema")
            before, start = cpu(s.process.pid), time.monotonic()
            load(s, "fill", keys=KEYS)
            put("filling, 128 in flight", "writes/s", name, (KEYS + 100_000) / (time.monotonic() - start))
            put("filling: server processor", "us/write", name, (cpu(s.process.pid) - before) * 1e6 / (KEYS + 100_000))
        for name, s in servers.items():  # the Java side compiles
            for work in WORKS:
                load(s, work, flight=32, seconds=seconds, keys=KEYS)
        for flight in FLIGHTS:
            for work in WORKS:
                for _ in range(turns):
                    for name, s in servers.items():
                        before = cpu(s.process.pid)
                        r = load(s, work, flight=flight, seconds=seconds, keys=KEYS)
                        spent = (cpu(s.process.pid) - before) * 1e6 / r["operations"]
                        at = f"{work}, {flight} in flight"
                        put(at, "operations/s", name, r["rate"])
                        for q in ("p50", "p99", "p99.9"):
                            put(f"{at}: {q}", "ms", name, r[q])
                        put(f"{at}: server processor", "us/operation", name, spent)
                        put(f"{at}: client processor", "cores", name, r["client_cpu"] / r["seconds"])
        for name, s in servers.items():
            put("memory under load (PSS)", "MiB", name, pss(s.process.pid))
        put("disk, all of it", "MB", "sluice", size(ours_folder))
        put("disk, all of it", "MB", "cassandra", size(real_folder / "data") + size(real_folder / "commitlog"))
        for _ in range(3):
            servers["sluice"].stop()
            servers["sluice"], ms = restart_ms(lambda: cassandra.sluice(folder=ours_folder))
            put("killed, started again, until it serves", "ms", "sluice", ms)
        servers["cassandra"].nodetool("drain")
        servers["cassandra"].keep = True
        servers["cassandra"].stop()
        servers["cassandra"].keep = False
        servers["cassandra"], ms = restart_ms(lambda: cassandra.Cassandra(heap=("-Xms2G", "-Xmx2G"), folder=real_folder))
        put("killed, started again, until it serves", "ms", "cassandra", ms)
    finally:
        for s in servers.values():
            s.stop()
        shutil.rmtree(ours_folder, ignore_errors=True)
        shutil.rmtree(real_folder, ignore_errors=True)
    for (what, unit), by in values.items():
        for name, seen in by.items():
            ratio = statistics.median(seen) / statistics.median(by["cassandra"]) if name == "sluice" and statistics.median(by.get("cassandra", [0])) else None
            add(f"{what}: {name}", unit, seen, "", f"{ratio:.2f} of Cassandra's" if ratio is not None else "")
