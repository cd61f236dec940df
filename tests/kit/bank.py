"""The transactional bank: money moves between accounts by Kafka transactions while the broker is killed or loses its power
under the clients; then a read_committed consumer has to see each acknowledged transfer whole, once, in order, and nothing
of those that were given up.

The clients are librdkafka's (tests/peers/python/bank.py); they live on while brokers come and go on one port.
"""
import json
import os
import random
import shutil
import subprocess
import time

import audit
import engines
from harness import Failed, Server, check, project, wait_for

SETS = ("log.keep_free=0", "api.port=-1", "metrics.port=-1", "console.port=-1", "kafka.auto_create=false", "log.segment=1MiB")
CRASHES_MAX = 5
FAR = 1 << 40  # more calls than a server makes
CLIENT = engines.HERE / "python" / "bank.py"
PIPELINE = "CREATE TOPIC bank WITH (partitions = 3);\nCREATE TOPIC plain WITH (partitions = 3);\n"


class Bank:
    def __init__(self, workdir, seed, env=None):
        self.folder = workdir / f"bank{seed}"
        self.project = project(self.folder, PIPELINE)
        self.data = self.project / ".sluice"
        self.clients = self.folder / "clients"
        self.clients.mkdir()
        self.port = engines.free_port()
        self.python = engines.venv("librdkafka-2")
        self.rng = random.Random(seed)
        self.seed, self.env = seed, env or {}
        self.said = open(self.folder / "clients.log", "w")
        self.work, self.crashes = None, 0
        self.seen = {}  # by topic and isolation: what a reader saw once, at its place, stays

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.work:
            self.work.kill()
            self.work.wait()
        self.said.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def server(self, env=None):
        return Server(self.project, self.data, sets=(*SETS, f"kafka.port={self.port}"), env={**self.env, **(env or {})})

    def begin(self):
        """A first, undisturbed server, so that the topics are there; then the clients."""
        with self.server() as s:
            s.ready()
            check(s.stop() == 0, s.output())
        self.start_clients()
        wait_for(f"the clients to begin; {self.words()}", (self.clients / "journal").exists)

    def start_clients(self):
        self.work = subprocess.Popen([str(self.python), str(CLIENT), "work", f"127.0.0.1:{self.port}", str(self.clients), str(self.seed), str(self.crashes)],
                                     stdin=subprocess.DEVNULL, stdout=self.said, stderr=subprocess.STDOUT)

    def clients_live(self):
        """librdkafka has been seen to damage its own heap among so many fenced producers: what it had said by then holds."""
        code = self.work.poll()
        if code is None:
            return
        check(code < 0 and self.crashes < CRASHES_MAX, f"the clients have ended with {code}: {self.words()}")
        self.crashes += 1
        print(f"the clients were ended by signal {-code}, and begin again: {self.words()[-300:]}", flush=True)
        for path in self.clients.glob("paused-*"):
            path.unlink(missing_ok=True)
        self.start_clients()

    # --- disturbances ---------------------------------------------------------------------------

    def flows(self, server):
        """Some transfers, so that what comes next comes while money moves; False when none came."""
        with open(self.clients / "journal") as journal:
            journal.seek(0, os.SEEK_END)
            wanted, end = 1 + self.rng.randrange(20), time.monotonic() + 10
            while wanted > 0 and server.process.poll() is None and time.monotonic() < end:
                self.clients_live()
                wanted -= sum(line.startswith("committed") for line in journal)
                time.sleep(0.002)
        return wanted <= 0

    def strike_soon(self, server, count):
        """The cut waits for a call number far away: the count is moved to just before it."""
        before = FAR - 1 - self.rng.randrange(40)
        while server.process.poll() is None:
            if audit.calls(count) < before:  # a call at the same moment may undo this: so again
                with open(count, "r+b") as f:
                    f.write(before.to_bytes(8, "little"))
            time.sleep(0.001)

    def cut(self):
        """A power cut at some call that changes files: a third of them while starting, the others while money moves; in two
        of three some unsynced bytes survive."""
        count = self.folder / "count"
        count.unlink(missing_ok=True)
        early = self.rng.randrange(3) == 0
        settings = {"at": 1 + self.rng.randrange(100) if early else FAR, "do": "cut"}
        if not early and self.rng.randrange(2):  # where bytes wait to be synced
            settings["only"] = "fsync"
        if self.rng.randrange(3):
            settings["seed"] = 1 + self.rng.randrange(1 << 32)
        with self.server(audit.fault_env(self.data, count, **settings)) as s:
            if not early:
                check(self.flows(s), f"no money moves: {self.words()}\n{s.output()[-3000:]}")
                self.strike_soon(s, count)
            try:
                code = s.process.wait(20)
            except subprocess.TimeoutExpired:
                if early and "the keeper has ended at its start" in s.output():  # that call was the keeper's: its power is cut, ours by hand
                    s.kill()
                    return
                raise Failed(f"the cut {settings} did not come: {s.output()[-3000:]}") from None
            check(code == 137, f"the cut {settings} ended with {code}:\n{s.output()[-3000:]}")

    def kill(self):
        """Killed while starting, while money moves, or at any moment; many of them right behind a call that changes files."""
        count = self.folder / "count"
        count.unlink(missing_ok=True)
        with self.server(audit.fault_env(self.data, count)) as s:
            how = self.rng.randrange(4)
            if how > 1:
                check(self.flows(s), f"no money moves: {self.words()}\n{s.output()[-3000:]}")
            if how == 0:
                time.sleep(0.05 + self.rng.random())
            elif how == 1 or self.rng.randrange(2):
                target, end = audit.calls(count) + 1 + self.rng.randrange(100), time.monotonic() + 10
                while audit.calls(count) < target and s.process.poll() is None and time.monotonic() < end:
                    pass
            check(s.process.poll() is None, f"the server ended by itself:\n{s.output()[-3000:]}")
            s.kill()

    # --- the audit ------------------------------------------------------------------------------

    def words(self):
        return (self.folder / "clients.log").read_text()[-2000:]

    def read(self, topic, isolation):
        out = engines.peer(f"reading {topic}", [self.python, CLIENT, "read", f"127.0.0.1:{self.port}", topic, isolation], timeout=90)
        records = [json.loads(line) for line in out.splitlines()]
        now, before = {(p, o): v for p, o, v in records}, self.seen.get((topic, isolation), {})
        gone = [(place, v) for place, v in before.items() if now.get(place) != v]
        check(not gone, f"{topic}, {isolation}: {len(gone)} records that were seen before are lost or others: {gone[:3]}, now {[now.get(g[0]) for g in gone[:3]]}")
        self.seen[topic, isolation] = now
        return records

    def audit(self, what):
        """With a server that nobody disturbs: the clients come to rest, and what there is is compared with what was said."""
        with self.server() as s:
            s.ready()
            (self.clients / "pause").touch()

            def rest():
                self.clients_live()
                check(s.process.poll() is None, f"{what}: the server has ended: {s.output()[-3000:]}")
                return len(list(self.clients.glob("paused-*"))) == 5
            wait_for(f"{what}: the clients to rest; {self.words()}", rest, 120)
            try:
                return self.compare(what)
            except Failed as why:
                raise Failed(f"{why}\nserver: {s.output()[-1500:]}") from None
            finally:
                for path in [*self.clients.glob("paused-*"), self.clients / "pause"]:
                    path.unlink(missing_ok=True)
                s.stop()

    def compare(self, what):
        state, plain = {}, {}
        for line in (self.clients / "journal").read_text().splitlines():
            words = line.split(" ")
            if words[0] == "plain":
                place = (int(words[1]), int(words[2]))
                check(place not in plain, f"{what}: two records were acknowledged at {place}")
                plain[place] = words[3]
            elif words[0] == "plain-failed":
                raise Failed(f"{what}: an idempotent producer was refused: {words[1]}")
            else:
                state[words[1]] = words[0]
        self.compare_plain(what, plain)
        self.compare_bank(what, state)
        return len(state), len(plain)

    def compare_plain(self, what, plain):
        seen, last = {}, {}
        for partition, offset, value in self.read("plain", "read_committed"):
            check(value not in seen, f"{what}: {value} is there twice: at {seen.get(value)} and {(partition, offset)}")
            seen[value] = (partition, offset)
            n = int(value.split("-")[1])
            check(n > last.get(partition, -1), f"{what}: {value} stands behind plain-{last.get(partition)}")
            last[partition] = n
        lost = [(p, v) for p, v in plain.items() if seen.get(v) != p]
        check(not lost, f"{what}: {len(lost)} acknowledged records are lost or elsewhere, the first {lost[:1]}: {seen.get(lost[0][1]) if lost else ''}")

    def compare_bank(self, what, state):
        legs, order, total = {}, {}, 0
        for partition, offset, value in self.read("bank", "read_committed"):
            r = json.loads(value)
            key = (r["txn"], r["leg"])
            check(key not in legs, f"{what}: {key} is seen twice")
            legs[key] = offset
            total += r["amount"]
            place = (r["by"], partition)
            check(r["n"] > order.get(place, 0), f"{what}: {r['txn']} stands behind {r['by']}-{order.get(place)} in partition {partition}")
            order[place] = r["n"]
        seen = {}
        for txn, leg in legs:
            seen[txn] = seen.get(txn, 0) + 1
        torn = [t for t, n in seen.items() if n != 2]
        check(not torn, f"{what}: {len(torn)} transfers are torn: {torn[:3]}")
        check(total == 0, f"{what}: money was made: {total}")
        lost = [t for t, s in state.items() if s == "committed" and t not in seen]
        check(not lost, f"{what}: {len(lost)} committed transfers are lost: {lost[:3]}")
        wrong = [t for t in seen if state.get(t) not in ("committed", "committing")]
        check(not wrong, f"{what}: transfers are seen that never were committed: {[(t, state.get(t)) for t in wrong[:3]]}")
        self.read("bank", "read_uncommitted")
        raw, visible = self.seen["bank", "read_uncommitted"], self.seen["bank", "read_committed"]
        hidden = [place for place, v in visible.items() if raw.get(place) != v]
        check(not hidden, f"{what}: read_committed sees what read_uncommitted does not: {hidden[:3]}")
        unknown = [(place, v) for place, v in raw.items() if json.loads(v)["txn"] not in state]
        check(not unknown, f"{what}: records that nobody sent: {unknown[:3]}")


def run(workdir, disturb, rounds, seed, every=25, env=None):
    """`rounds` disturbances, an audit after each `every`; answers how many transfers and records there were."""
    with Bank(workdir, seed, env) as b:
        b.begin()
        result = None
        for done in range(1, rounds + 1):
            getattr(b, disturb)()
            if done % every == 0 or done == rounds:
                result = b.audit(f"{disturb} {done} of {rounds}, seed {seed}")
        print(f"{rounds} times {disturb}: {result[0]} transfers, {result[1]} acknowledged records", flush=True)
        return result


def must_be_caught(workdir, what, disturb, env, rounds, seed, signs):
    """With a seeded mistake the audit must go red, and say one of the things that this mistake does."""
    try:
        run(workdir, disturb, rounds, seed, every=5, env=env)
    except Failed as red:
        check(any(sign in str(red) for sign in signs), f"{what}: red, but not by {signs}: {red}")
        print(f"caught {what}: {str(red)[:300]}", flush=True)
        return
    raise Failed(f"the audit did not see: {what}")
