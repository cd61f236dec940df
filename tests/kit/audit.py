"""The crash tests' workload and audit: source = topic = table, by count, sum, hash and set.

The source is the generator with a fixed seed: its records are known without asking anyone (the audit
makes them with the program's own API in a process of its own). After any crash the server is started
once more, runs until all has been taken in, and is then compared."""
import hashlib
import json
import pathlib
import random
import time

from harness import Failed, SLUICE, Server, check, project, wait_for

TOTAL = 600
PIPELINE = f"""
CREATE SOURCE people FROM GENERATOR ''
  WITH (seed = 'audit', results = 7, total = {TOTAL}, key = 'login.uuid')
  INTO TOPIC people WITH (partitions = 3);
CREATE TABLE audit.people (id UUID PRIMARY KEY, name TEXT, age INT, nat TEXT);
CREATE STREAM load INTO audit.people AS
SELECT login.uuid AS id, concat_ws(' ', name.first, name.last) AS name, dob.age AS age, nat
FROM people
WHERE nat <> 'FR'
CHECK (nat <> 'DE') ELSE DEAD LETTER;
"""
SETS = ("flow.epoch_rows=20", "log.keep_free=0", "api.port=-1", "metrics.port=-1", "kafka.port=-1", "cql.port=-1")


def make(path):
    return project(path / "p", PIPELINE)


def digest(rows):
    """A hash that does not know an order."""
    total = 0
    for r in rows:
        h = hashlib.sha256(json.dumps(r, sort_keys=True, ensure_ascii=False).encode()).digest()
        total = (total + int.from_bytes(h, "big")) % (1 << 256)
    return total


def expected(workdir):
    """What an undisturbed run gives: the records in the topic, and the table's rows."""
    p = make(workdir / "expected")
    with Server(p, sets=SETS, args=("--drain",)) as s:
        check(s.process.wait(60) == 0, s.output())
    return contents(p, p / ".sluice")


def contents(directory, data):
    from harness import offline_query
    topic = offline_query(directory, data, "SELECT login.uuid AS id, nat, name.first AS first FROM people")
    table = offline_query(directory, data, "SELECT id, name, age, nat FROM audit.people")
    return {"topic": topic, "table": table}


def compare(got, want, what):
    for place in ("topic", "table"):
        g, w = got[place], want[place]
        ids, wanted = [r["id"] for r in g], {r["id"] for r in w}
        check(len(ids) == len(set(ids)), f"{what}: {place} holds {len(ids) - len(set(ids))} records twice")
        check(set(ids) == wanted, f"{what}: {place} lost {len(wanted - set(ids))} and has {len(set(ids) - wanted)} too many")
        check(len(g) == len(w), f"{what}: {place} has {len(g)} records, not {len(w)}")
        check(digest(g) == digest(w), f"{what}: {place} holds other bytes")
    check(sum(r["age"] for r in got["table"]) == sum(r["age"] for r in want["table"]), f"{what}: the ages' sum differs")


def audit(directory, data, want, what, env=None):
    """Starts once more, lets it finish, compares; and the ledgers balance."""
    with Server(directory, data, sets=SETS, env=env) as s:
        s.ready()

        def done():
            stages = {x["name"]: x for x in s.status()["stages"]}
            for x in stages.values():
                check(x["balanced"], f"{what}: the ledger of {x['name']} does not balance: {x['ledger']}")
                check(x["state"] != "failed", f"{what}: {x['name']} failed: {x['trouble']}")
            return stages["people"]["state"] == "ended" and stages["load"]["ledger"]["in"] >= TOTAL and stages["load"]["lag"] == 0 and stages
        stages = wait_for(f"{what}: everything taken in", done, 60)
        ledger = stages["load"]["ledger"]
        french = sum(r["nat"] == "FR" for r in want["topic"])
        german = sum(r["nat"] == "DE" for r in want["topic"])
        check(ledger["in"] == TOTAL and ledger["filtered"] == french and ledger["dead"] == german and
              ledger["applied"] == TOTAL - french - german, f"{what}: the ledger says {ledger}")
        check(stages["people"]["ledger"]["applied"] == TOTAL, f"{what}: the source's ledger says {stages['people']['ledger']}")
        check(s.stop() == 0, s.output())
    compare(contents(directory, data), want, what)


def library():
    path = pathlib.Path(SLUICE).parent / "tests" / "libfault.so"
    check(path.exists(), f"{path} is not built")
    return str(path)


def fault_env(data, count_file, **settings):
    env = {"LD_PRELOAD": library(), "SLUICE_FAULT_DIR": str(data), "SLUICE_FAULT_COUNT": str(count_file)}
    env.update({f"SLUICE_FAULT_{k.upper()}": str(v) for k, v in settings.items()})
    return env


def calls(count_file):
    return int.from_bytes(count_file.read_bytes()[:8].ljust(8, b"\0"), "little") if count_file.exists() else 0


def run_until_gone(directory, data, env, timeout=60):
    """A run that a fault ends, or that drains and ends by itself; answers its exit code."""
    with Server(directory, data, sets=SETS, env=env, args=("--drain",)) as s:
        return s.process.wait(timeout), s.output()


def kills(workdir, want, rounds, seed):
    """Another process kills the server: a third of the moments lie inside a commit (right after the
    fault kit has counted a write or sync of the data), the others anywhere."""
    rng = random.Random(seed)
    for round_ in range(rounds):
        base = workdir / f"kill{round_}"
        p, count = make(base), base / "count"
        data = p / ".sluice"
        for crash in range(1 + rng.randrange(3)):
            env = fault_env(data, count)
            with Server(p, data, sets=SETS, env=env, args=("--drain",)) as s:
                if rng.randrange(3) == 0:
                    target = calls(count) + 1 + rng.randrange(150)
                    end = time.monotonic() + 10
                    while calls(count) < target and s.process.poll() is None and time.monotonic() < end:
                        pass
                else:
                    wait_for("it runs", lambda: calls(count) > 0 or s.process.poll() is not None)
                    time.sleep(rng.random() * 0.15)
                s.kill()
        audit(p, data, want, f"kill round {round_}")
        import shutil
        shutil.rmtree(base)


def total_calls(workdir):
    base = workdir / "calls"
    p, count = make(base), base / "count"
    code, text = run_until_gone(p, p / ".sluice", fault_env(p / ".sluice", count))
    check(code == 0, text)
    return calls(count)


def power_cuts(workdir, want, rounds, seed, env=None):
    """The n-th call that changes files is a power cut; half of them keep a random part of what was
    not synced."""
    import shutil
    rng = random.Random(seed)
    most = total_calls(workdir)
    for round_ in range(rounds):
        base = workdir / f"cut{round_}"
        p, count = make(base), base / "count"
        data = p / ".sluice"
        for _ in range(1 + rng.randrange(2)):
            settings = {"at": 1 + rng.randrange(most), "do": "cut"}
            if rng.randrange(2):
                settings["seed"] = 1 + rng.randrange(1 << 32)
            code, text = run_until_gone(p, data, {**fault_env(data, count, **settings), **(env or {})})
            check(code in (137, 0), f"cut {round_} ended with {code}, {settings}:\n{text[-2000:]}")
        try:
            audit(p, data, want, f"power cut round {round_}, last {settings}", env=env)
        except Failed:
            raise
        shutil.rmtree(base)


def nth_call(workdir, want, action, step, first=1, **settings):
    """Walks the whole run: the 1st, the (1+step)th … call fails; the program says so or goes on, and
    the next start is whole."""
    import shutil
    most = total_calls(workdir)
    n = first
    while n <= most:
        base = workdir / f"nth{n}"
        p, count = make(base), base / "count"
        data = p / ".sluice"
        code, text = run_until_gone(p, data, fault_env(data, count, at=n, do=action, **settings))
        check(code in (0, 1, 137), f"call {n} {action}: ended with {code}:\n{text[-2000:]}")
        check("promise inside the program is broken" not in text, f"call {n} {action}: {text[-2000:]}")
        audit(p, data, want, f"call {n} {action}")
        shutil.rmtree(base)
        n += step
    return most
