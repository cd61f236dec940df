"""cql_rows.py work ADDRESS FOLDER SEED | read ADDRESS: five writers of CQL rows that live on while servers come and go.

Before a write its line 'sent …' goes to FOLDER/journal, behind its answer 'committed …'. Each writer has keys of its own, so
that what may be there is known: the last acknowledged version, or a later one that was sent. FOLDER/pause asks them to rest.
"""
import json
import os
import pathlib
import random
import sys
import threading
import time

from cassandra.cluster import Cluster
from cassandra.policies import ConstantReconnectionPolicy, FallthroughRetryPolicy
from cassandra.cluster import ExecutionProfile, EXEC_PROFILE_DEFAULT

WRITERS, KEYS = 5, 40
SCHEMA = [
    "CREATE KEYSPACE IF NOT EXISTS crash WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
    "CREATE TABLE IF NOT EXISTS crash.rows (k int, c int, a int, b text, d double, PRIMARY KEY (k, c))",
    "CREATE TABLE IF NOT EXISTS crash.pairs (k int PRIMARY KEY, v int)",
    "CREATE TABLE IF NOT EXISTS crash.registers (k int PRIMARY KEY, v int)",
    "CREATE TABLE IF NOT EXISTS crash.counts (k int PRIMARY KEY, n counter)",
    "CREATE TABLE IF NOT EXISTS crash.lists (k int PRIMARY KEY, l list<int>)",
    "CREATE TABLE IF NOT EXISTS crash.found (k int PRIMARY KEY, v int)",
    "CREATE INDEX IF NOT EXISTS found_v ON crash.found (v)",
]


def connect(address, patience=60):
    host, port = address.rsplit(":", 1)
    profile = ExecutionProfile(request_timeout=5, retry_policy=FallthroughRetryPolicy())
    end = time.monotonic() + patience
    while True:
        try:
            return Cluster([host], port=int(port), protocol_version=4, reconnection_policy=ConstantReconnectionPolicy(0.05, None),
                           execution_profiles={EXEC_PROFILE_DEFAULT: profile}, schema_metadata_enabled=False, token_metadata_enabled=False,
                           connect_timeout=2).connect()
        except Exception:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


class Journal:
    def __init__(self, path):
        self.file = open(path, "a", buffering=1)
        self.lock = threading.Lock()

    def say(self, *words):
        with self.lock:
            self.file.write(" ".join(map(str, words)) + "\n")


def writer(number, address, folder, journal, seed):
    r = random.Random(seed * 100 + number)
    session, n = None, int(time.time() * 10) % 1_000_000_000
    listed, registers = {}, {}
    while True:
        if (folder / "pause").exists():
            (folder / f"paused-{number}").touch()
            while (folder / "pause").exists():
                time.sleep(0.02)
        n += 1
        k = number * 1000 + r.randrange(KEYS)
        roll = r.randrange(12)
        if roll < 4:
            c = r.randrange(3)
            what = ("row", k, c, n)
            texts = [f"INSERT INTO crash.rows (k, c, a, b, d) VALUES ({k}, {c}, {n}, '{n}', {n})"]
        elif roll < 5:
            c = r.randrange(3)
            what = ("gone", k, c, n)
            texts = [f"DELETE FROM crash.rows WHERE k = {k}" + (f" AND c = {c}" if r.randrange(2) else f" AND c >= {c} AND c <= {c}")]
        elif roll < 7:
            what = ("pair", k, n)
            texts = [f"BEGIN BATCH INSERT INTO crash.pairs (k, v) VALUES ({k}, {n}); INSERT INTO crash.pairs (k, v) VALUES ({k + 500}, {n}); APPLY BATCH"]
        elif roll < 8:
            what = ("count", k)
            texts = [f"UPDATE crash.counts SET n = n + 1 WHERE k = {k}"]
        elif roll < 9:
            what = ("list", k, n)
            texts = [f"UPDATE crash.lists SET l = l + [{n}] WHERE k = {k}"]
        elif roll < 10:
            what = ("found", k, n)
            texts = [f"INSERT INTO crash.found (k, v) VALUES ({k}, {n})"]
        else:
            what = ("register", k, n)
            before = registers.get(k)
            texts = [f"INSERT INTO crash.registers (k, v) VALUES ({k}, {n}) IF NOT EXISTS" if before is None else
                     f"UPDATE crash.registers SET v = {n} WHERE k = {k} IF v = {before}"]
        journal.say("sent", *what)
        try:
            if not session:
                session = connect(address, 600)
            answer = session.execute(texts[0])
            if what[0] == "register":
                if answer.was_applied:
                    registers[k] = n
                    journal.say("committed", *what)
                else:  # one without an answer came before: what is there is known now
                    now = answer.one().v
                    journal.say("told", k, now)
                    registers[k] = now
            else:
                journal.say("committed", *what)
        except Exception as e:
            if type(e).__name__ in ("InvalidRequest", "SyntaxException", "Unauthorized", "ProtocolException"):
                journal.say("refused", type(e).__name__, str(e).replace("\n", " "))
                os._exit(3)
            time.sleep(0.01)


def work(address, folder, seed):
    folder = pathlib.Path(folder)
    s = connect(address, 600)
    for text in SCHEMA:
        s.execute(text, timeout=30)
    s.cluster.shutdown()
    journal = Journal(folder / "journal")
    threads = [threading.Thread(target=writer, args=(i, address, folder, journal, seed)) for i in range(WRITERS)]
    [t.start() for t in threads], [t.join() for t in threads]


def read(address):
    s = connect(address)
    tables = {t: [list(r) for r in s.execute(f"SELECT * FROM crash.{t}")] for t in ("rows", "pairs", "registers", "counts", "lists", "found")}
    tables["by index"] = [[r.k, v] for k, v in tables["found"] for r in s.execute(f"SELECT k FROM crash.found WHERE v = {v}")]
    print(json.dumps(tables))
    sys.stdout.flush()
    os._exit(0)


if sys.argv[1] == "work":
    work(sys.argv[2], sys.argv[3], int(sys.argv[4]))
else:
    read(sys.argv[2])
