"""CQL rows through kills and power cuts: what was acknowledged is there, whole, and what is there was sent. The disturbances
are the bank's; the clients are the Python driver's (tests/peers/python/cql_rows.py)."""
import json
import random

import bank
import cassandra  # noqa: F401  (its virtual environments)
import engines
from harness import Server, check, project

SETS = ("api.port=-1", "metrics.port=-1", "kafka.port=-1", "cql.port=-1", "console.port=-1", "log.keep_free=0")
CLIENT = engines.HERE / "python" / "cql_rows.py"


class Rows(bank.Bank):
    def __init__(self, workdir, seed, env=None):
        self.folder = workdir / f"rows{seed}"
        self.project = project(self.folder, "-- the clients make their own tables\n")
        self.data = self.project / ".sluice"
        self.clients = self.folder / "clients"
        self.clients.mkdir()
        self.port = engines.free_port()
        self.python = engines.venv("cassandra-driver")
        self.rng = random.Random(seed)
        self.seed, self.env = seed, env or {}
        self.said = open(self.folder / "clients.log", "w")
        self.work, self.crashes = None, 0

    def server(self, env=None):
        return Server(self.project, self.data, sets=(*SETS, f"cql.port={self.port}"), env={**self.env, **(env or {})})

    def start_clients(self):
        import subprocess
        self.work = subprocess.Popen([str(self.python), str(CLIENT), "work", f"127.0.0.1:{self.port}", str(self.clients), str(self.seed)],
                                     stdin=subprocess.DEVNULL, stdout=self.said, stderr=subprocess.STDOUT)

    def begin(self):
        """The tables are made by a first server that nobody disturbs."""
        with self.server() as s:
            s.ready()
            self.start_clients()
            from harness import wait_for
            wait_for(f"the clients to begin; {self.words()}", (self.clients / "journal").exists, 60)
            check(self.flows(s), f"nothing is written: {self.words()}\n{s.output()[-2000:]}")
            s.kill()

    def compare(self, what):
        out = engines.peer("reading the rows", [self.python, CLIENT, "read", f"127.0.0.1:{self.port}"], timeout=120)
        tables = json.loads(out)
        journal = [line.split(" ") for line in (self.clients / "journal").read_text().splitlines()]
        refused = [w for w in journal if w[0] == "refused"]
        check(not refused, f"{what}: a legal statement was refused: {refused[:2]}")
        self.compare_rows(what, journal, tables["rows"])
        self.compare_latest(what, journal, "pair", dict(tables["pairs"]))
        self.compare_pairs(what, dict(tables["pairs"]))
        self.compare_latest(what, journal, "register", dict(tables["registers"]))
        self.compare_latest(what, journal, "found", dict(tables["found"]))
        by_table, by_index = {tuple(r) for r in tables["found"]}, {tuple(r) for r in tables["by index"]}
        check(by_table == by_index, f"{what}: the index knows others than the table: {sorted(by_table ^ by_index)[:3]}")
        self.compare_counts(what, journal, dict(tables["counts"]))
        self.compare_lists(what, journal, dict(tables["lists"]))
        acknowledged = sum(w[0] == "committed" for w in journal)
        return acknowledged, len(tables["rows"])

    @staticmethod
    def versions(journal, kind, width):
        """By key: the last acknowledged version and all that were sent behind it."""
        last, sent = {}, {}
        for w in journal:
            if w[0] in ("sent", "committed") and w[1] in kind:
                key, n = tuple(map(int, w[2:2 + width])), (w[1], int(w[2 + width]))
                if w[0] == "sent":
                    sent.setdefault(key, []).append(n)
                else:
                    last[key] = n
                    sent[key] = [x for x in sent[key] if x[1] > n[1]]
        return last, sent

    def compare_rows(self, what, journal, rows):
        # deletes of a whole partition would reach other rows: those lines name one row, so every row is its own history
        last, sent = self.versions(journal, ("row", "gone"), 2)
        seen = {(k, c): (a, b, d) for k, c, a, b, d in rows}
        for key, (a, b, d) in seen.items():
            check(str(a) == b and d == a, f"{what}: row {key} is torn: {a}, {b}, {d}")
        for key in {*last, *sent, *seen}:
            may = [last[key]] if key in last else [("gone", 0)]
            may += sent.get(key, [])
            now = ("row", seen[key][0]) if key in seen else None
            good = now in may if now else any(m[0] == "gone" for m in may)
            check(good, f"{what}: row {key} is {now}, acknowledged {last.get(key)}, sent since {sent.get(key)}")

    def compare_latest(self, what, journal, kind, seen):
        last, sent = self.versions(journal, (kind,), 1)
        for (k,) in {*last, *sent}:
            may = ([last[k,][1]] if (k,) in last else [None]) + [n for _, n in sent.get((k,), [])]
            check(seen.get(k) in may, f"{what}: {kind} {k} is {seen.get(k)}, acknowledged {last.get((k,))}, sent since {sent.get((k,))}")

    def compare_pairs(self, what, seen):
        torn = [(k, v, seen.get(k + 500)) for k, v in seen.items() if k % 1000 < 500 and seen.get(k + 500) != v]
        check(not torn, f"{what}: batches are torn: {torn[:3]}")

    def compare_counts(self, what, journal, seen):
        sent, done = {}, {}
        for w in journal:
            if w[1] == "count":
                to = {"sent": sent, "committed": done}[w[0]]
                to[int(w[2])] = to.get(int(w[2]), 0) + 1
        for k, n in sent.items():
            check(done.get(k, 0) <= seen.get(k, 0) <= n, f"{what}: counter {k} is {seen.get(k)}, {done.get(k)} were acknowledged, {n} sent")

    def compare_lists(self, what, journal, seen):
        sent, done = {}, {}
        for w in journal:
            if w[1] == "list":
                {"sent": sent, "committed": done}[w[0]].setdefault(int(w[2]), []).append(int(w[3]))
        for k, items in sent.items():
            now = seen.get(k) or []
            check(len(now) == len(set(now)) and set(now) <= set(items) and now == sorted(now), f"{what}: list {k} holds {now[-5:]}")
            check(set(done.get(k, [])) <= set(now), f"{what}: list {k} has lost {sorted(set(done.get(k, [])) - set(now))[:3]}")


def run(workdir, disturb, rounds, seed, every=25, env=None):
    """`rounds` disturbances, an audit after each `every`; answers how many writes were acknowledged."""
    with Rows(workdir, seed, env) as b:
        b.begin()
        for done in range(1, rounds + 1):
            getattr(b, disturb)()
            if done % every == 0 or done == rounds:
                result = b.audit(f"{disturb} {done} of {rounds}, seed {seed}")
        print(f"{rounds} times {disturb}: {result[0]} acknowledged writes, {result[1]} rows", flush=True)
        return result
