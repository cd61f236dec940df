"""bench/run streaming [--streaming-turns 5] [--streaming-events 500000] [--streaming-seconds 20] [--streaming-sides spark,bytewax] [--quick]: a topic of the 438-byte event into the
table spark_streams.created_users, on one machine in one run, the sides taking turns:

  sluice    its own log, stream and store: one process, every commit on disk
  spark     PySpark 3.5.3's Structured Streaming job of the known pipelines, from Apache Kafka into Apache Cassandra 5.0.5
  bytewax   Bytewax 0.21.1 with its Kafka source and Cassandra's Python driver, between the same two

The same records are in both logs. Processor seconds are those of every server that takes part; ours until compactions have settled, theirs
without what Cassandra does afterwards and, for the jobs, without their start. Cassandra syncs its log every ten seconds, Kafka not at all.
--streaming-sides none: ours alone, live.
"""
import json
import os
import pathlib
import re
import select
import shutil
import signal
import subprocess
import tempfile
import time

import cassandra
import engines
from engines import Kafka, jars, venv
from harness import Failed, ROOT, Server, check, run, wait_for

PEERS = ROOT / "bench" / "peers"
engines.VENVS["bytewax"] = ["bytewax[kafka]==0.21.1", "cassandra-driver==3.29.2"]
KAFKA = "kafka-3.9"
RATES = (10, 1000, 20000)
PARTITIONS = 3
TOPIC = f"CREATE TOPIC users_created WITH (partitions = {PARTITIONS});\n"


def tree(pid):
    """A process and all that it started."""
    parents = {}
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            parents.setdefault(int(stat.read_text().rsplit(")", 1)[1].split()[1]), []).append(int(stat.parent.name))
        except (FileNotFoundError, ProcessLookupError):
            pass
    out = [pid]
    for p in out:
        out += parents.get(p, [])
    return out


class Job:
    """A peer's program, between the broker and the database."""

    def __init__(self, name, command, env=None, cwd=None, says_started=False):
        self.name, self.log = name, tempfile.TemporaryFile()
        self.process = subprocess.Popen([str(c) for c in command], stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT,
                                        env={**os.environ, **(env or {})}, cwd=cwd, start_new_session=True)
        if says_started:
            wait_for(f"{name} to start", lambda: self.process.poll() is not None or "\nstarted" in "\n" + self.output(), 120)
            check(self.process.poll() is None, f"{name} ended with {self.process.returncode}:\n{self.output()[-3000:]}")

    def output(self):
        return os.pread(self.log.fileno(), 1 << 20, 0).decode(errors="replace")

    def pids(self):
        return tree(self.process.pid)

    def stop(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.log.close()


def spark_job(kafka, cass, checkpoint, trigger, topic):
    java = pathlib.Path(engines.package("java", "openjdk-17-jdk-headless")).resolve()
    env = {"JAVA_HOME": str(java.parent.parent), "SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_PYTHON": str(venv("spark"))}
    names = {j.name: j for j in jars("spark-cassandra").glob("*.jar")}
    mine = [j for n, j in sorted(names.items()) if not n.startswith(("scala-library", "scala-reflect", "spark-")) or n.startswith("spark-cassandra")]
    every = ",".join(map(str, [*sorted(jars("spark").glob("*.jar")), *mine]))
    return Job("spark", [venv("spark"), PEERS / "spark_job.py", f"127.0.0.1:{kafka.port}", cass.port, checkpoint, trigger, topic, every], env, says_started=True)


def bytewax_job(kafka, cass, recovery, trigger, topic):
    python = venv("bytewax")
    if not recovery.exists():
        recovery.mkdir()
        engines.shell("making bytewax's recovery store", python, "-m", "bytewax.recovery", recovery, "1")
    env = {"BOOTSTRAP": f"127.0.0.1:{kafka.port}", "CASSANDRA_PORT": str(cass.port), "TAIL": "0" if trigger == "available-now" else "1", "TOPIC": topic}
    return Job("bytewax", [python, "-m", "bytewax.run", "bytewax_job:flow", "-r", recovery, "-s", "1", "-b", "0"], env, cwd=PEERS, says_started=True)


JOBS = {"spark": spark_job, "bytewax": bytewax_job}


class Figures:
    def __init__(self):
        self.values = {}

    def put(self, what, unit, name, value):
        self.values.setdefault((what, unit), {}).setdefault(name, []).append(value)
        print(f"    {what}, {name}: {value:,.4g} {unit}  (load {os.getloadavg()[0]:.1f})", flush=True)

    def tell(self, add, goals):
        for (what, unit), by in self.values.items():
            for name, values in by.items():
                add(f"{what}: {name}", unit, values, goals.get((what, unit), "") if name.startswith("sluice") else "")


# --- the logs ------------------------------------------------------------------------------------

def project(base, pipeline):
    base.mkdir(exist_ok=True)
    (base / "pipeline.sql").write_text(pipeline)
    return base


def make_topic(kafka, topic):
    r = run("topics", "create", topic, "--partitions", PARTITIONS, "--brokers", f"127.0.0.1:{kafka.port}")
    check(r.returncode == 0, r.stderr)


def fill(base, kafka, events, kit):
    """The generator's events in our log, and the same records in Kafka's."""
    project(base, kit.fill_sql(events))
    with Server(base, args=("--drain",)) as s:
        check(s.process.wait(3600) == 0, s.output()[-3000:])
    project(base, TOPIC)
    make_topic(kafka, "users_created")
    with Server(base) as s:
        s.ready()
        here, there = f"127.0.0.1:{s.field('kafka_port')}", f"127.0.0.1:{kafka.port}"
        out = subprocess.Popen([engines.SLUICE, "consume", "users_created", "--from", "beginning", "--until", "end", "--json", "--brokers", here], stdout=subprocess.PIPE)
        done = subprocess.run([engines.SLUICE, "produce", "users_created", "--json", "--codec", "lz4", "--brokers", there], stdin=out.stdout, capture_output=True, text=True, timeout=3600)
        check(out.wait() == 0 and done.returncode == 0, f"copying the topic: {done.stderr}")
        check(s.stop() == 0, s.output()[-3000:])


def schema(cass, kit):
    """A fresh table, in Cassandra's own words."""
    script = ("import sys\nfrom cassandra.cluster import Cluster\nc = Cluster(['127.0.0.1'], port=int(sys.argv[1]))\ns = c.connect()\ns.default_timeout = 120\n"
              "s.execute(\"CREATE KEYSPACE IF NOT EXISTS spark_streams WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}\")\n"
              "s.execute('DROP TABLE IF EXISTS spark_streams.created_users')\ns.execute(sys.argv[2])\nc.shutdown()\n")
    engines.peer("making Cassandra's table", [venv("cassandra-driver"), "-c", script, cass.port, kit.EVENT_TABLE.strip().rstrip(";")], timeout=180)


def rows(cass):
    script = ("import sys\nfrom cassandra.cluster import Cluster\nc = Cluster(['127.0.0.1'], port=int(sys.argv[1]))\ns = c.connect('spark_streams')\n"
              "s.default_timeout = 120\ns.default_fetch_size = 5000\nprint(sum(1 for _ in s.execute('SELECT id FROM created_users')))\nc.shutdown()\n")
    return int(engines.peer("counting Cassandra's rows", [venv("cassandra-driver"), "-c", script, cass.port], timeout=600))


# --- catching up ---------------------------------------------------------------------------------

def ours_catches_up(base, figures, cpu, pss, events, form, kit):
    for part in ("store", "flow"):
        shutil.rmtree(base / ".sluice" / part, ignore_errors=True)
    project(base, TOPIC + kit.EVENT_TABLE + kit.EVENT_STREAM)
    name, most = "sluice" if form == "auto" else f"sluice, {form} form", 0.0
    start = time.monotonic()
    with Server(base, sets=(f"flow.form={form}",)) as s:
        s.ready()

        def done():
            nonlocal most
            time.sleep(0.02)
            most = max(most, pss(s.process.pid))
            return s.stage("load")["ledger"]["in"] >= events
        wait_for("all to be in the table", done, 1800)
        took = time.monotonic() - start
        kit.settle(s)
        spent = cpu(s.process.pid)
        stage = s.stage("load")
        check(stage["balanced"] and stage["ledger"]["applied"] == events, f"{stage}")
        check(s.stop() == 0, s.output()[-3000:])
    figures.put("catching up", "rows/s", name, events / took)
    figures.put("catching up, processor", "s/M rows", name, spent / events * 1e6)
    figures.put("memory catching up (PSS)", "MiB", name, most)


def job_catches_up(name, kafka, cass, figures, cpu, pss, events, place, kit):
    schema(cass, kit)
    servers = (kafka.process.pid, cass.process.pid)
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="sluice-peer-", dir=place))
    job = JOBS[name](kafka, cass, scratch / "state", "available-now", "users_created")
    try:
        mine = {p: cpu(p) for p in job.pids()}
        before, start, most, spent = sum(cpu(p) for p in servers), time.monotonic(), 0.0, 0.0
        while job.process.poll() is None and "\ndone" not in job.output():
            try:
                pids = job.pids()
                spent = max(spent, sum(cpu(p) - mine.get(p, 0) for p in pids))
                most = max(most, sum(pss(p) for p in (*pids, *servers)))
            except (FileNotFoundError, ProcessLookupError, AttributeError):
                pass  # it ends just now
            time.sleep(0.05)
            check(time.monotonic() - start < 1800, f"{name} is not through after half an hour")
        took = time.monotonic() - start
        servers_spent = sum(cpu(p) for p in servers) - before
        job.process.wait(60)
        check(job.process.returncode == 0, f"{name}: {job.output()[-3000:]}")
    finally:
        job.stop()
        shutil.rmtree(scratch, ignore_errors=True)
    got = rows(cass)
    check(got == events, f"{name} made {got} rows of {events} events")
    figures.put("catching up", "rows/s", name, events / took)
    figures.put("catching up, processor", "s/M rows", name, (spent + servers_spent) / events * 1e6)
    figures.put("catching up, processor of the job alone", "s/M rows", name, spent / events * 1e6)
    figures.put("memory catching up (PSS)", "MiB", name, most)


# --- live ----------------------------------------------------------------------------------------

def probe(topic, kafka_port, cql_port, *words, timeout=900):
    r = subprocess.run([str(c) for c in (venv("bytewax"), PEERS / "probe.py", topic, kafka_port, cql_port, *words)], capture_output=True, text=True, timeout=timeout)
    check(r.returncode == 0, f"probe {words}: {r.stdout[-500:]}{r.stderr[-2000:]}")
    return json.loads(r.stdout.splitlines()[-1])


def latencies(figures, name, topic, kafka_port, cql_port, cpu, pids, seconds):
    for rate in RATES:
        warm = 3
        before, start = sum(cpu(p) for p in pids()), time.monotonic()
        seen = probe(topic, kafka_port, cql_port, rate, seconds, warm)
        check(seen["acknowledged"] == seen["sent"], f"{name}: {seen}")
        if seen["unseen"]:
            check(name != "sluice", f"{seen}")
            print(f"    {name} does not keep up with {rate:,}/s: {seen['unseen']} of {seen['watched']} watched events are no rows after two minutes", flush=True)
        spent, took = sum(cpu(p) for p in pids()) - before, time.monotonic() - start
        for q in ("p50", "p99"):
            figures.put(f"event to visible row at {rate:,}/s, {q}", "ms", name, seen[q])
        figures.put(f"processor at {rate:,}/s", "% of a core" if rate < 20000 else "s/M rows", name,
                    spent / took * 100 if rate < 20000 else spent / seen["sent"] * 1e6)


def killed(figures, name, topic, kafka_port, cql_port, pids, again):
    """SIGKILL while rows come; until a row is visible of an event sent afterwards. `again` starts it anew."""
    p = subprocess.Popen([str(c) for c in (venv("bytewax"), PEERS / "probe.py", topic, kafka_port, cql_port, "restart", ",".join(map(str, pids)))],
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        check(select.select([p.stdout], [], [], 120)[0] and p.stdout.readline() == "killed\n", f"{name}: no rows before the kill")
        made = again()
        out, errors = p.communicate(timeout=300)
        check(p.returncode == 0 and "visible" in out, f"{name}: {out}{errors[-2000:]}")
        figures.put("kill -9 to a new row visible", "ms", name, float(re.search(r"visible ([0-9.]+)", out).group(1)))
        return made
    finally:
        p.kill()


def ours_live(base, figures, cpu, pss, seconds, kit):
    project(base, TOPIC + kit.EVENT_TABLE + kit.EVENT_STREAM)
    ports = (engines.free_port(), engines.free_port())
    sets = (f"kafka.port={ports[0]}", f"cql.port={ports[1]}")
    made = [Server(base, sets=sets)]
    try:
        made[0].ready()
        pids = lambda: [made[-1].process.pid]
        latencies(figures, "sluice", "users_created", *ports, cpu, pids, seconds)
        figures.put("memory live (PSS)", "MiB", "sluice", pss(pids()[0]))

        def again():
            made[-1].process.wait(10)
            made.append(Server(base, sets=sets))
        killed(figures, "sluice", "users_created", *ports, pids(), again)
    finally:
        for s in made:
            s.kill()
        shutil.rmtree(base, ignore_errors=True)


def job_live(name, kafka, cass, figures, cpu, pss, seconds, place, kit):
    schema(cass, kit)
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="sluice-peer-", dir=place))
    topic = f"users_created_{time.monotonic_ns()}"
    make_topic(kafka, topic)
    made = [JOBS[name](kafka, cass, scratch / "state", "default", topic)]
    servers = [kafka.process.pid, cass.process.pid]
    try:
        probe(topic, kafka.port, cass.port, 10, 5, 0)  # until its code is warm
        pids = lambda: [*made[-1].pids(), *servers]
        latencies(figures, name, topic, kafka.port, cass.port, cpu, pids, seconds)
        figures.put("memory live (PSS)", "MiB", name, sum(pss(p) for p in pids()))

        def again():
            made[-1].process.wait(10)
            made.append(JOBS[name](kafka, cass, scratch / "state", "default", topic))
        killed(figures, name, topic, kafka.port, cass.port, made[0].pids(), again)
    finally:
        for job in made:
            job.stop()
        shutil.rmtree(scratch, ignore_errors=True)


GOALS = {("event to visible row at 1,000/s, p99", "ms"): "<= 5", ("catching up, processor", "s/M rows"): "1/50 of Spark's; live 1/25"}


def bench(add, cpu, pss, place, kit, turns, events, seconds, sides):
    base = pathlib.Path(tempfile.mkdtemp(prefix="sluice-streaming-", dir=place))
    figures, kafka, cass = Figures(), None, None
    try:
        if sides:
            kafka = Kafka(KAFKA, heap=("-Xms1G", "-Xmx1G", "-XX:+UseG1GC"))
            cass = cassandra.Cassandra(heap=("-Xms2G", "-Xmx2G"), more="auto_snapshot: false\n")
            schema(cass, kit)
            fill(base / "filled", kafka, events, kit)
        for turn in range(turns if sides else 0):
            for form in ("auto", "live"):
                ours_catches_up(base / "filled", figures, cpu, pss, events, form, kit)
            for name in sides:
                job_catches_up(name, kafka, cass, figures, cpu, pss, events, place, kit)
        for turn in range(turns):
            ours_live(base / "live", figures, cpu, pss, seconds, kit)
            for name in sides:
                job_live(name, kafka, cass, figures, cpu, pss, seconds, place, kit)
    finally:
        for server in (kafka, cass):
            if server:
                server.stop()
        shutil.rmtree(base, ignore_errors=True)
        figures.tell(add, GOALS)
