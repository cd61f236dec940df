"""The transactional bank: money moves between accounts by Kafka transactions while the broker is killed or loses its power
under the clients; then a read_committed consumer has to see each acknowledged transfer whole, once, in order, and nothing
of those that were given up.

The clients are librdkafka's (tests/peers/python/bank.py); they live on while brokers come and go on one port.
"""
import json
import random
import shutil
import subprocess
import time

import audit
import engines
from harness import Failed, Server, check, project, wait_for

SETS = ("log.keep_free=0", "api.port=-1", "metrics.port=-1", "kafka.auto_create=false", "log.segment=1MiB")
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
        self.work = None

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
        self.work = subprocess.Popen([str(self.python), str(CLIENT), "work", f"127.0.0.1:{self.port}", str(self.clients), str(self.seed)],
                                     stdin=subprocess.DEVNULL, stdout=self.said, stderr=subprocess.STDOUT)

    # --- disturbances ---------------------------------------------------------------------------

    def cut(self):
        """A power cut at some call that changes files: while starting, while serving; perhaps some unsynced bytes survive."""
        count = self.folder / "count"
        count.unlink(missing_ok=True)
        settings = {"at": 1 + self.rng.randrange(60 if self.rng.randrange(4) == 0 else 500), "do": "cut"}
        if self.rng.randrange(2):
            settings["seed"] = 1 + self.rng.randrange(1 << 32)
        with self.server(audit.fault_env(self.data, count, **settings)) as s:
            try:
                code = s.process.wait(20)
            except subprocess.TimeoutExpired:  # the clients were too slow to get there
                s.kill()
                return False
            check(code == 137, f"the cut {settings} ended with {code}:\n{s.output()[-3000:]}")
        return True

    def kill(self):
        """Killed at some moment, half of them right behind a call that changes files."""
        count = self.folder / "count"
        count.unlink(missing_ok=True)
        with self.server(audit.fault_env(self.data, count)) as s:
            target, end = 1 + self.rng.randrange(400), time.monotonic() + 10
            if self.rng.randrange(2):
                while audit.calls(count) < target and s.process.poll() is None and time.monotonic() < end:
                    pass
            else:
                time.sleep(0.05 + self.rng.random())
            check(s.process.poll() is None, f"the server ended by itself:\n{s.output()[-3000:]}")
            s.kill()
        return True

    # --- the audit ------------------------------------------------------------------------------

    def words(self):
        return (self.folder / "clients.log").read_text()[-2000:]

    def read(self, topic, isolation):
        out = engines.peer(f"reading {topic}", [self.python, CLIENT, "read", f"127.0.0.1:{self.port}", topic, isolation], timeout=90)
        return [json.loads(line) for line in out.splitlines()]

    def audit(self, what):
        """With a server that nobody disturbs: the clients come to rest, and what there is is compared with what was said."""
        with self.server() as s:
            s.ready()
            (self.clients / "pause").touch()

            def rest():
                check(self.work.poll() is None, f"{what}: the clients have ended: {self.words()}")
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
        raw = len(self.read("bank", "read_uncommitted"))
        check(raw >= len(legs), f"{what}: read_uncommitted sees {raw} records, read_committed {len(legs)}")


def run(workdir, disturb, rounds, seed, every=25, env=None):
    """`rounds` disturbances, an audit after each `every`; answers how many transfers and records there were."""
    with Bank(workdir, seed, env) as b:
        b.begin()
        done = tries = 0
        result = None
        while done < rounds:
            tries += 1
            check(tries < rounds * 2 + 20, f"{tries - done} of {tries} disturbances did not come about: {b.words()}")
            done += getattr(b, disturb)()
            if done and done % every == 0 or done == rounds:
                result = b.audit(f"{disturb} {done} of {rounds}, seed {seed}")
        print(f"{rounds} times {disturb}: {result[0]} transfers, {result[1]} acknowledged records", flush=True)
        return result


def must_be_caught(workdir, what, disturb, env, rounds, seed):
    """With a seeded mistake the audit must go red."""
    try:
        run(workdir, disturb, rounds, seed, every=5, env=env)
    except Failed as red:
        print(f"caught {what}: {str(red).splitlines()[0]}", flush=True)
        return
    raise Failed(f"the audit did not see: {what}")
