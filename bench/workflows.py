"""bench/run workflows [--workflows-turns N]: Sluice's workflows beside a real Airflow 2.10.5 with its LocalExecutor on PostgreSQL, in turns.

A chain of 40 commands of 10 ms: what a step takes beyond them, by each one's own database, beside a shell that runs the same in a loop; the start: from the trigger to the first task's start, of the chains and of
runs of one command, one after another (--workflows-starts); the processor's
time a task, of all processes, which a busy machine changes little; tasks that need nothing of each other: tasks a second; resting: processor and memory of all its processes. Airflow gets
fewer of the independent tasks (--workflows-airflow-tasks), since each of its tasks starts a Python.
"""
import contextlib
import os
import pathlib
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

from engines import once, shell, venv
from harness import Server, check, in_memory, wait_for
from postgres import Postgres

STEPS = 40
AIRFLOW_STARTS = 10  # each takes seconds
RESTING_S = 30


def sluice_dags(tasks):
    chain = "\n".join(f"    t{i:02}: {{exec: [sleep, '0.01']{f', after: t{i - 1:02}' if i else ''}}}" for i in range(STEPS))
    return f"one: {{schedule: none, is_paused_upon_creation: false, tasks: {{t: {{exec: ['true']}}}}}}\n" \
           f"chain:\n  schedule: none\n  is_paused_upon_creation: false\n  tasks:\n{chain}\n" \
           f"many:\n  schedule: none\n  is_paused_upon_creation: false\n  max_active_tasks: 32\n  tasks:\n    t: {{exec: ['true'], expand: {list(range(tasks))}}}\n"


AIRFLOW_DAGS = """
import datetime
from airflow import DAG
from airflow.operators.bash import BashOperator

words = {{"schedule": None, "start_date": datetime.datetime(2024, 1, 1), "catchup": False, "is_paused_upon_creation": False}}
with DAG("chain", **words):
    last = None
    for i in range({steps}):
        t = BashOperator(task_id=f"t{{i:02}}", bash_command="sleep 0.01")
        if last:
            last >> t
        last = t
with DAG("one", **words):
    BashOperator(task_id="t", bash_command="true")
with DAG("many", max_active_tasks=32, **words):
    BashOperator.partial(task_id="t").expand(bash_command=["true"] * {tasks})
"""


def used(pids):
    """Processor seconds and PSS of processes."""
    cpu = pss = 0
    for p in pids:
        with contextlib.suppress(OSError, StopIteration):
            words = pathlib.Path(f"/proc/{p}/stat").read_text().rsplit(")", 1)[1].split()
            cpu += sum(int(w) for w in words[11:15]) / os.sysconf("SC_CLK_TCK")
            pss += next(int(line.split()[1]) << 10 for line in open(f"/proc/{p}/smaps_rollup") if line.startswith("Pss:"))
    return cpu, pss


def family(pid):
    """A process and all below it."""
    found = [pid]
    for p in found:
        with contextlib.suppress(OSError):
            for task in pathlib.Path(f"/proc/{p}/task").iterdir():
                found += [int(w) for w in (task / "children").read_text().split()]
    return found


def ran_ns(pids):
    """Nanoseconds on a processor, of all threads: clock ticks are too coarse for what rests."""
    total = 0
    for p in pids:
        with contextlib.suppress(OSError):
            total += sum(int((t / "schedstat").read_text().split()[0]) for t in pathlib.Path(f"/proc/{p}/task").iterdir())
    return total


def resting(pids):
    before = ran_ns(pids)
    time.sleep(RESTING_S)
    return {"rest_cpu": (ran_ns(pids) - before) / 1e9 / RESTING_S * 100, "rest_mib": used(pids)[1] / (1 << 20)}


def figures(rows, queued):
    """Of tasks' (start, end) in seconds: the first start after `queued`, what a step of a chain takes beyond its 10 ms, tasks a second."""
    took = max(end for _, end in rows) - min(start for start, _ in rows)
    return {"start_ms": (min(rows)[0] - queued) * 1000, "step_ms": (took / len(rows) - 0.01) * 1000, "rate": len(rows) / took}


def measured(side, pid, dag):
    before, _ = used(family(pid))
    seen = side.run(dag)
    after, _ = used(family(pid))
    return seen | {"cpu_ms": (after - before) * 1000 / (STEPS if dag == "chain" else side.tasks)}


def by_hand():
    """What the chain's commands take beyond their 10 ms where nothing schedules them: a shell runs one after another."""
    begun = time.monotonic()
    done = subprocess.run(["sh", "-c", f"i=0; while [ $i -lt {STEPS} ]; do sleep 0.01; i=$((i + 1)); done"], stdin=subprocess.DEVNULL, timeout=60)
    check(done.returncode == 0, "a shell's loop")
    return ((time.monotonic() - begun) / STEPS - 0.01) * 1000


class Sluice:
    def __init__(self, folder, tasks):
        self.tasks, self.folder = tasks, folder
        (folder / "pipeline.sql").write_text("")
        (folder / "dags.yaml").write_text(sluice_dags(tasks))
        self.server = Server(folder, restart=True, sets=("api.port=-1", "metrics.port=-1", "kafka.port=-1", "cql.port=-1")).__enter__()
        begun = time.monotonic()
        self.server.ready()
        wait_for("the dags", lambda: self.server.command("dags", "list").returncode == 0)
        self.up_s = time.monotonic() - begun
        self.count, self.pid = 0, self.server.process.pid

    def ask(self, sql, *args):
        with sqlite3.connect(f"file:{self.server.data / 'workflows' / 'meta.db'}?mode=ro", uri=True, timeout=30) as db:
            return db.execute(sql, args).fetchall()

    def run(self, dag):
        self.count += 1
        name = f"r{self.count}"
        r = self.server.command("dags", "trigger", dag, "--run-id", name)
        check(r.returncode == 0, r.stderr)
        wait_for(f"{dag} to end", lambda: self.ask("SELECT 1 FROM dag_run WHERE run_id = ? AND state = 'success'", name), 600)
        ((run, queued),) = self.ask("SELECT id, queued_at FROM dag_run WHERE run_id = ?", name)
        return figures([(a / 1e6, b / 1e6) for a, b in self.ask("SELECT started_at, ended_at FROM task_instance WHERE run = ?", run)], queued / 1e6)

    def rest(self):
        return resting(family(self.server.process.pid)) | {"up_s": self.up_s}

    def close(self):
        self.server.__exit__(None, None, None)


class Airflow:
    def __init__(self, folder, tasks):
        libpq = once("psycopg2", "psycopg2-binary==2.9.10", lambda f: shell("fetching psycopg2", venv("airflow"), "-m", "pip", "install", "--quiet",
                                                                            "--disable-pip-version-check", "--target", f, "psycopg2-binary==2.9.10"))
        self.postgres = Postgres()
        self.postgres.psql("CREATE DATABASE airflow")
        address = self.postgres.address(sslmode="disable").replace("/postgres?", "/airflow?").split("&sslrootcert")[0]
        (folder / "dags").mkdir()
        (folder / "dags" / "bench.py").write_text(AIRFLOW_DAGS.format(steps=STEPS, tasks=tasks))
        self.env = {**os.environ, "AIRFLOW_HOME": str(folder), "AIRFLOW__CORE__EXECUTOR": "LocalExecutor", "AIRFLOW__CORE__LOAD_EXAMPLES": "False", "PYTHONPATH": str(libpq),
                    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": address, "AIRFLOW__CORE__PARALLELISM": "32", "AIRFLOW__SCHEDULER__MIN_FILE_PROCESS_INTERVAL": "30"}
        self.python = venv("airflow")
        self.airflow("db", "migrate")
        begun = time.monotonic()
        self.log = open(folder / "scheduler.log", "w")
        self.process = subprocess.Popen([self.python, "-m", "airflow", "scheduler"], env=self.env, stdout=self.log, stderr=subprocess.STDOUT, start_new_session=True)
        wait_for("Airflow to know the dags", lambda: self.ask("SELECT count(*) FROM serialized_dag") == [["2"]], 180)
        self.up_s = time.monotonic() - begun
        self.count, self.tasks, self.pid = 0, tasks, self.process.pid

    def airflow(self, *args):
        r = subprocess.run([self.python, "-m", "airflow", *args], env=self.env, capture_output=True, text=True, timeout=600)
        check(r.returncode == 0, r.stdout[-2000:] + r.stderr[-3000:])

    def ask(self, sql):
        said = self.postgres.do("sh", "-c", f"PGPASSWORD=$(cat {self.postgres.folder}/password) exec {self.postgres.bin}/psql -h {self.postgres.folder} "
                                            f"-p {self.postgres.port} -U postgres -d airflow -AtqF'|' -c \"$0\"", sql)
        return [line.split("|") for line in said.strip().splitlines()]

    def run(self, dag):
        self.count += 1
        name = f"r{self.count}"
        self.airflow("dags", "trigger", dag, "--run-id", name)
        wait_for(f"Airflow's {dag} to end", lambda: self.ask(f"SELECT 1 FROM dag_run WHERE run_id = '{name}' AND state = 'success'"), 1800)
        ((queued,),) = self.ask(f"SELECT extract(epoch FROM queued_at) FROM dag_run WHERE run_id = '{name}'")
        rows = self.ask(f"SELECT extract(epoch FROM start_date), extract(epoch FROM end_date) FROM task_instance WHERE run_id = '{name}'")
        return figures([(float(a), float(b)) for a, b in rows], float(queued))

    def rest(self):
        return resting(family(self.process.pid)) | {"up_s": self.up_s}

    def close(self):
        pids = family(self.process.pid)
        for p in reversed(pids):
            with contextlib.suppress(ProcessLookupError):
                os.kill(p, 9)
        self.process.wait()
        self.log.close()
        self.postgres.remove()


def starts(side, count):
    """From the trigger to the task's start, of runs one after another: the one in the middle, and the one that 99 of 100 are below."""
    taken = sorted(side.run("one")["start_ms"] for _ in range(count))
    return taken[count // 2], taken[min(count - 1, count * 99 // 100)]


def bench(add, turns, tasks, airflow_tasks, many_starts, memory):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what it has started ends with it
    where = tempfile.mkdtemp(prefix="sluice-bench-workflows-", dir=in_memory() if memory else os.environ.get("SLUICE_BENCH_DIR"))
    folder = pathlib.Path(where)
    sides = {}
    try:
        for name, make, count in (("Sluice", Sluice, tasks), ("Airflow 2.10.5", Airflow, airflow_tasks)):
            if count:
                (folder / name.split()[0]).mkdir()
                sides[name] = (make(folder / name.split()[0], count), count, {"chain": [], "many": []})
        rests = {name: side.rest() for name, (side, _, _) in sides.items()}
        shells = []
        for _ in range(turns):
            shells.append(by_hand())
            for name, (side, _, seen) in sides.items():
                for dag in ("chain", "many"):
                    seen[dag].append(measured(side, side.pid, dag))
                    print(f"{name} {dag}: {seen[dag][-1]}", flush=True)
        add("a shell's loop: added to a step of the chain", "ms", shells, "-", "the commands' own start, and nothing else")
        for name, (side, count, seen) in sides.items():
            chain, many = seen["chain"], seen["many"]
            ours = name == "Sluice"
            add(f"{name}: trigger to first task's start", "ms", [c["start_ms"] for c in chain], "p50 <= 2" if ours else "-")
            runs = many_starts if ours else min(many_starts, AIRFLOW_STARTS)
            p50, p99 = starts(side, runs)
            add(f"{name}: the same of {runs} runs of one command, p50", "ms", [p50], "<= 2" if ours else "-")
            add(f"{name}: the same, p99", "ms", [p99], "<= 10" if ours else "-")
            add(f"{name}: added to a step of the chain", "ms", [c["step_ms"] for c in chain], "<= 2" if ours else "-", "beyond its 10 ms, with the command's own start")
            add(f"{name}: processor a step of the chain", "ms", [c["cpu_ms"] for c in chain], "-", "all processes")
            add(f"{name}: processor an independent command", "ms", [m["cpu_ms"] for m in many], "-", "all processes")
            add(f"{name}: {count} independent commands", "tasks/s", [m["rate"] for m in many], ">= 300" if ours else "-")
            add(f"{name}: resting", "% of a core", [rests[name]["rest_cpu"]], "<= 0.1" if ours else "-")
            add(f"{name}: resting", "MiB (PSS)", [rests[name]["rest_mib"]], "-", "all processes")
            add(f"{name}: up and its dags known", "s", [rests[name]["up_s"]], "-")
    finally:
        for side, _, _ in sides.values():
            side.close()
        shutil.rmtree(folder, ignore_errors=True)
