"""The crash tests' workload and audit: source = topic = table by count, sum, hash and set difference; and each
stream with state holds what the topic's records make, every record once (audit_state.py).

The source is the generator with a fixed seed: its records are known without asking anyone (the audit
makes them with the program's own API in a process of its own). After any crash the server is started
once more, runs until all has been taken in, and is then compared."""
import hashlib
import json
import pathlib
import random
import re
import shutil
import time

import audit_state
from harness import SLUICE, Server, check, offline_query, project, wait_for

TOTAL = 300
PIPELINE = f"""
CREATE SOURCE people FROM GENERATOR ''
  WITH (seed = 'audit', results = 7, total = {TOTAL}, key = 'login.uuid')
  INTO TOPIC people WITH (partitions = 3);
CREATE TABLE audit.people (id UUID PRIMARY KEY, name TEXT, age INT, nat TEXT);
{audit_state.TABLES}
CREATE STREAM load INTO audit.people AS
SELECT login.uuid AS id, concat_ws(' ', name.first, name.last) AS name, dob.age AS age, nat
FROM people
WHERE nat <> 'FR'
CHECK (nat <> 'DE') ELSE DEAD LETTER;
{audit_state.STREAMS}
"""
SETS = ("flow.epoch_rows=20", "log.keep_free=0", "api.port=-1", "metrics.port=-1", "kafka.port=-1", "cql.port=-1", "console.port=-1")
QUERIES = {
    "topic": "SELECT login.uuid AS id, nat, name.first AS first, gender, dob.age AS age, _timestamp, _partition FROM people",
    "table": "SELECT id, name, age, nat FROM audit.people",
    **audit_state.QUERIES,
}
KEYS = {"topic": ["id"], "table": ["id"], **audit_state.KEYS}
SUMS = {"topic": "age", "table": "age", **audit_state.SUMS}
STORE_CALLS = ("write", "fsync")  # what the store does with its files while it commits


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
    """What an undisturbed run gives: the records in the topics, the rows of the stateless table, and how long it took."""
    p, began = make(workdir / "expected"), time.monotonic()
    with Server(p, sets=SETS, args=("--drain",)) as s:
        check(s.process.wait(60) == 0, s.output())
    took = time.monotonic() - began
    return {**contents(p, p / ".sluice"), "seconds": took}


def contents(directory, data):
    """All places in one go: each row says in `of` where it stood."""
    marked = "; ".join(q.replace("SELECT ", f"SELECT '{place}' AS of, ", 1) for place, q in QUERIES.items())
    out = {place: [] for place in QUERIES}
    for r in offline_query(directory, data, marked):
        out[r.pop("of")].append(r)
    return out


def compare(place, got, want, what):
    key = lambda r: tuple(r[k] for k in KEYS[place])
    keys, wanted = [key(r) for r in got], {key(r) for r in want}
    check(len(keys) == len(set(keys)), f"{what}: {place} holds {len(keys) - len(set(keys))} records twice")
    check(set(keys) == wanted, f"{what}: {place} lost {len(wanted - set(keys))} and has {len(set(keys) - wanted)} too many")
    check(len(got) == len(want), f"{what}: {place} has {len(got)} records, not {len(want)}")
    if place in SUMS:
        column = SUMS[place]
        check(sum(r[column] for r in got) == sum(r[column] for r in want), f"{what}: {place}: the sum of {column} differs")
    check(digest(got) == digest(want), f"{what}: {place} holds other bytes")


def compare_all(got, want, what):
    """Source = topic = table; then the streams with state against the topics."""
    timeless = lambda rows: [{k: v for k, v in r.items() if k not in ("_timestamp",)} for r in rows]
    compare("topic", timeless(got["topic"]), timeless(want["topic"]), what)
    compare("table", got["table"], want["table"], what)
    for place, rows in audit_state.must_hold(got, want["guests"]).items():
        compare(place, got[place], rows, what)


def compare_ledgers(stages, got, want, what):
    french = sum(r["nat"] == "FR" for r in want["topic"])
    german = sum(r["nat"] == "DE" for r in want["topic"])
    terms = {"people": {"applied": TOTAL},
             "load": {"in": TOTAL, "filtered": french, "dead": german, "applied": TOTAL - french - german},
             **audit_state.ledgers(got, want["guests"])}
    for name, wanted in terms.items():
        ledger = stages[name]["ledger"]
        check(all(ledger[k] == v for k, v in wanted.items()), f"{what}: {name}: not {wanted}: the ledger says {ledger}")


def healthy(status, what):
    """The stages by name; none has failed, each ledger balances."""
    for x in status["stages"]:
        check(x["balanced"], f"{what}: the ledger of {x['name']} does not balance: {x['ledger']}")
        check(x["state"] != "failed", f"{what}: {x['name']} failed: {x['trouble']}")
    return {x["name"]: x for x in status["stages"]}


PROGRESS = re.compile(r'msg="?progress"? stage=(\S+) state=(\S+) rate=\S+ lag=(\d+) ledger="([^"]*)" balanced=(\w+)')


def last_words(output):
    """The stages by name as the lines say that a server writes when it ends."""
    stages = {}
    for name, state, lag, text, balanced in PROGRESS.findall(output):
        ledger = dict.fromkeys(("in", "applied", "filtered", "deduplicated", "late", "dead", "expired", "held"), 0)
        ledger.update((term, int(n)) for term, n in re.findall(r"([a-z]+) (\d+)", text))
        stages[name] = {"name": name, "state": state, "lag": int(lag), "ledger": ledger, "balanced": balanced == "yes", "trouble": ""}
    return stages


def audit(directory, data, want, what, env=None):
    """Starts once more, lets it finish, compares; and the ledgers balance."""
    with Server(directory, data, sets=SETS, env=env, args=("--drain",)) as s:
        looked = time.monotonic()
        end = looked + 60
        while s.process.poll() is None:
            if time.monotonic() > looked + 1:
                status = s.command("status", "--json").stdout
                if status.startswith("{"):  # not while it ends
                    healthy(json.loads(status), what)
                looked = time.monotonic()
            check(time.monotonic() < end, f"{what}: waited 60 s in vain for everything to be taken in: {s.output()[-3000:]}")
            time.sleep(0.005)
        check(s.process.returncode == 0, f"{what}: {s.output()[-3000:]}")
        stages = last_words(s.output())
    healthy({"stages": list(stages.values())}, what)
    check(len(stages) == 7 and all(x["lag"] == 0 for x in stages.values()), f"{what}: {stages}")
    got = contents(directory, data)
    compare_all(got, want, what)
    compare_ledgers(stages, got, want, what)


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


def kills(workdir, want, rounds, seed, env=None):
    """The server is killed: a third of the times inside a commit (the fault kit ends the process before the n-th write or
    sync of the store's files), the others from outside, anywhere in its life. Answers how many of each."""
    rng = random.Random(seed)
    most = total_calls(workdir, "store", STORE_CALLS)
    done = {"inside": 0, "anywhere": 0}
    for round_ in range(rounds):
        base = workdir / f"kill{round_}"
        p, count = make(base), base / "count"
        data = p / ".sluice"
        for _ in range(1 + rng.randrange(3)):
            if rng.randrange(3) == 0:
                settings = {"at": 1 + rng.randrange(most), "do": "stop", "only": ",".join(STORE_CALLS)}
                code, text = run_until_gone(p, data, {**fault_env(data / "store", count, **settings), **(env or {})})
                check(code in (137, 0), f"kill {round_} ended with {code}, {settings}:\n{text[-2000:]}")
                done["inside"] += code == 137
            else:
                with Server(p, data, sets=SETS, env={**fault_env(data, count), **(env or {})}, args=("--drain",)) as s:
                    wait_for("it runs", lambda: calls(count) > 0 or s.process.poll() is not None)
                    time.sleep(rng.random() * want["seconds"])
                    done["anywhere"] += s.process.poll() is None
                    s.kill()
        audit(p, data, want, f"kill round {round_} of seed {seed}", env=env)
        shutil.rmtree(base)
    return done


def total_calls(workdir, under=".", only=()):
    """How many calls that change files an undisturbed run makes."""
    base = workdir / "calls"
    p, count = make(base), base / "count"
    settings = {"only": ",".join(only)} if only else {}
    code, text = run_until_gone(p, p / ".sluice", fault_env(p / ".sluice" / under, count, **settings))
    check(code == 0, text)
    made = calls(count)
    shutil.rmtree(base)
    return made


def power_cuts(workdir, want, rounds, seed, env=None):
    """The n-th call that changes files is a power cut; half of them keep a random part of what was
    not synced. Answers how many there were."""
    rng = random.Random(seed)
    most = total_calls(workdir)
    done = 0
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
            done += code == 137
        audit(p, data, want, f"power cut round {round_} of seed {seed}, last {settings}", env=env)
        shutil.rmtree(base)
    return done


def nth_call(workdir, want, action, step, first=1, **settings):
    """Walks the whole run: the 1st, the (1+step)th … call fails; the program says so or goes on, and
    the next start is whole."""
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
