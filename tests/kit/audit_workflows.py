"""Workflows under kills. Each try of a task appends one line to a file by itself; whatever is killed when, in the end each try that the
database knows for run has run once, none besides, each second's run and each trigger that was acknowledged is there, and all ended as they must.

The server is killed under its supervisor (commands go on and are adopted), and now and then the whole of `sluice up` with its keeper
(commands are lost, and tried again)."""
import collections
import contextlib
import datetime
import os
import pathlib
import random
import signal
import sqlite3
import threading
import time

from harness import Failed, Server, check, project, wait_for

SETS = ("api.port=-1", "metrics.port=-1", "kafka.port=-1", "cql.port=-1", "console.port=-1")
SAYS = "echo $AIRFLOW_CTX_DAG_RUN_ID $AIRFLOW_CTX_TASK_ID {{ ti.map_index }} {{ ti.try_number }} >> ../said"
DAGS = """
ticks:
  schedule: "* * * * * *"
  start_date: "{start}"
  end_date: {end}
  catchup: true
  max_active_runs: 3
  is_paused_upon_creation: false
  default_args: {{retries: 9, retry_delay: 0}}
  tasks:
    one: {{bash: "{says}"}}
    many: {{bash: "{says}; sleep 0.0{{{{ item }}}}", expand: [0, 3, 9], after: one}}
    end: {{empty: , after: many}}
work:
  schedule: none
  max_active_runs: 4
  is_paused_upon_creation: false
  default_args: {{retries: 9, retry_delay: 0}}
  tasks:
    flaky: {{bash: "{says}; [ {{{{ ti.try_number }}}} -gt 1 ]"}}
    bad: {{bash: "{says}; exit 1", retries: 1, after: flaky}}
    mends: {{bash: "{says}", trigger_rule: one_failed, after: bad}}
    never: {{bash: "{says}", after: bad}}
    end: {{empty: , trigger_rule: all_done, after: [mends, never]}}
"""
ENDS = {"ticks": {"one": "success", "many": "success", "end": "success"},
        "work": {"flaky": "success", "bad": "failed", "mends": "success", "never": "upstream_failed", "end": "success"}}


def seconds(moment):
    return moment.replace(microsecond=0).isoformat().replace("+00:00", "Z")


def now():
    return datetime.datetime.now(datetime.timezone.utc)


def write_dags(p, start, end):
    text = DAGS.format(start=seconds(start), end=f'"{seconds(end)}"' if end else "null", says=SAYS)
    (p / "dags.new").write_text(text)
    os.replace(p / "dags.new", p / "dags.yaml")


def children(pid):
    try:
        return [int(w) for w in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


class Triggers(threading.Thread):
    """Somebody at the command line, all the while: what was acknowledged is to be there."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.server, self.done, self.acknowledged, self.count = server, threading.Event(), [], 0

    def run(self):
        while not self.done.wait(0.4):
            self.count += 1
            name = f"by_hand_{self.count}"
            if self.server().command("dags", "trigger", "work", "--run-id", name).returncode == 0:
                self.acknowledged.append(name)


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
        return 1
    except ProcessLookupError:
        return 0


def gone(pids):
    wait_for("what was killed to be gone", lambda: not any(map(lives, pids)), 60)


def lives(pid):
    """Also what is a zombie lives while one of its threads still holds its files."""
    try:
        state = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        return state != "Z" or len(os.listdir(f"/proc/{pid}/task")) > 1
    except (OSError, IndexError):
        return False


def named(pid):
    with contextlib.suppress(OSError):
        return pathlib.Path(f"/proc/{pid}/comm").read_text().strip()


def one_life(s, rng, kills, done):
    """One `sluice up`: its server is killed some times, at any instant from its fork on; then all of it."""
    s.ready()
    server = s.status()["pid"]
    keeper = wait_for("the keeper beside the server", lambda: next((p for p in children(s.process.pid) if p != server), None))
    for _ in range(min(kills, rng.choice([2, 3, 3]))):
        server = wait_for("a server", lambda: next((p for p in children(s.process.pid) if p != keeper), None))
        time.sleep(rng.choice([0, 0.05, 0.3, 0.8]) * rng.random())
        done["server"] += kill(server)
        gone([server])
        if rng.random() < 0.2:
            done["keeper"] += kill(keeper)
            gone([keeper])
            wait_for("a server", lambda: len(children(s.process.pid)) > 1)
            keeper = wait_for("another keeper", lambda: next((p for p in children(s.process.pid) if named(p) == "sluice-keeper"), None))
    if rng.random() < 0.5:
        wait_for("a server", lambda: any(p != keeper for p in children(s.process.pid)))
        time.sleep(rng.random() * 0.5)
    os.kill(s.process.pid, signal.SIGSTOP)  # so that it starts no other server between the look and the kill
    family = [s.process.pid, *children(s.process.pid)]
    if rng.random() < 0.3:  # everything at once; otherwise the keeper and the server are to notice by themselves
        for p in family:
            kill(p)
    s.kill()
    done["up"] += 1
    gone(family)


def kills(f, count, seed):
    """Kills `count` servers and whole `up`s, now and then a keeper besides, lets everything end, and audits. Answers what was killed."""
    rng, done, start = random.Random(seed), collections.Counter(), now()
    p = project(f / "p", "")
    write_dags(p, start, None)
    current = [None]
    triggers = None
    while done["server"] + done["up"] < count:
        with Server(p, sets=SETS, restart=True) as s:
            current[0] = s
            if not triggers:
                s.ready()
                triggers = Triggers(lambda: current[0])
                triggers.start()
            one_life(s, rng, count - done["server"] - done["up"], done)
    triggers.done.set()
    triggers.join(60)
    write_dags(p, start, now())
    with Server(p, sets=SETS, restart=True) as s:
        s.ready()
        ask = of_sqlite(s)
        wait_for("everything to end", lambda: all_ended(ask), 120 + count)
        check(s.stop() == 0, s.output()[-3000:])
        figures = audit(ask, f / "said", triggers.acknowledged)
    return dict(done) | figures


def of_sqlite(s):
    """Rows of the server's own database."""
    def ask(sql):
        with sqlite3.connect(f"file:{s.data / 'workflows' / 'meta.db'}?mode=ro", uri=True, timeout=30) as db:
            return db.execute(sql).fetchall()
    return ask


def all_ended(ask):
    ((due,),) = ask("SELECT next_run_after FROM dag WHERE id = 'ticks'")  # first: the last run comes in one transaction with it
    ((open_runs,),) = ask("SELECT count(*) FROM dag_run WHERE state NOT IN ('success', 'failed')")
    return open_runs == 0 and due is None


def audit(ask, said, acknowledged):
    """`ask` answers a statement with its rows; `said` is the file that the tasks have written."""
    runs = {run: (dag, name, state, logical) for run, dag, name, state, logical in ask("SELECT id, dag_id, run_id, state, logical FROM dag_run")}
    tries = {(runs[run][1], task, index, number): (state, why or "") for run, task, index, number, state, why in
             ask("SELECT run, task_id, map_index, try_number, state, message FROM task_try WHERE operator <> 'EmptyOperator'")}
    lines = collections.Counter(tuple(int(w) if i > 1 else w for i, w in enumerate(line.split())) for line in said.read_text().splitlines())
    twice = [k for k, n in lines.items() if n > 1]
    check(not twice, f"ran twice: {twice[:5]}")
    check(lines.keys() <= tries.keys(), f"ran without a try: {list(lines.keys() - tries.keys())[:5]}")
    known = {k for k, (state, why) in tries.items() if state == "success" or why.startswith("exit code")}
    check(known <= lines.keys(), f"has not run: {[(k, tries[k]) for k in list(known - lines.keys())[:5]]}")
    open_tries = [(k, v) for k, v in tries.items() if v[0] not in ("success", "failed")]
    check(not open_tries, f"tries without an end: {open_tries[:5]}")
    names = {name for _, name, _, _ in runs.values()}
    check(set(acknowledged) <= names, f"triggered and forgotten: {sorted(set(acknowledged) - names)[:5]}")
    ticks = sorted(logical for dag, _, _, logical in runs.values() if dag == "ticks")
    gaps = [a for a, b in zip(ticks, ticks[1:]) if b - a != 1000000]
    check(ticks and not gaps, f"seconds without a run, or with two: {gaps[:5]}")
    bad = [(r, v[1], [(k[1:], t) for k, t in sorted(tries.items()) if k[0] == v[1]]) for r, v in runs.items() if v[2] != "success"]
    check(not bad, f"{len(bad)} of {len(runs)} runs failed, as {bad[:1]}")
    for run, task, index, state in ask("SELECT run, task_id, map_index, state FROM task_instance"):
        check(state == ENDS[runs[run][0]][task], f"{runs[run][1]} {task}[{index}] is {state}")
    numbers = collections.defaultdict(list)
    for name, task, index, number in sorted(tries):
        numbers[name, task, index].append(number)
    check(all(n == list(range(1, len(n) + 1)) for n in numbers.values()), "tries with gaps")
    lost = sum(v[0] == "failed" and not v[1].startswith("exit code") for v in tries.values())
    return {"runs": len(runs), "tries": len(tries), "lines": len(lines), "lost and tried again": lost}
