"""One record's way through the running program, as a user sees it."""
import fcntl
import json
import os
import pty
import re
import select
import signal
import subprocess
import time
import urllib.request

import cql_raw
from harness import ROOT, SLUICE, Server, check, folder, offline_query, project, run, wait_for

TABLE = "CREATE TABLE k.t (id UUID PRIMARY KEY, first TEXT, n INT);\n"
PIPELINE = """CREATE SOURCE people FROM GENERATOR '' WITH (seed = 'walk', results = 10, total = 200, every = '5ms', key = 'login.uuid')
  INTO TOPIC people WITH (partitions = 3);
""" + TABLE + "CREATE STREAM load INTO k.t AS SELECT login.uuid AS id, name.first AS first, dob.age AS n FROM people;\n"


def get(port, path):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as r:
        return r.status, r.read().decode()


def test_starts_serves_ends_and_goes_on():
    with folder() as f:
        p = project(f / "p", PIPELINE)
        with Server(p) as s:
            s.ready()
            wait_for("rows", lambda: s.query("SELECT count(*) AS n FROM k.t")[0]["n"] >= 20)
            check(s.stop() == 0 and "left_bytes=0\n" in s.output(), "SIGTERM ends it cleanly, nothing leaks:\n" + s.output()[-300:])
        with Server(p) as s:
            s.ready()
            wait_for("the rest", lambda: s.query("SELECT count(*) AS n FROM k.t")[0]["n"] == 200)
            wait_for("the source to end", lambda: s.stage("people")["state"] == "ended")
            check(s.stage("people")["ledger"]["applied"] == 200, "no record twice in the topic")
            check(s.query("SELECT count(*) AS n FROM people")[0]["n"] == 200, "200 in the topic")
            check(s.stop() == 0, s.output())


def test_status_is_for_people_and_scripts():
    with folder() as f:
        p = project(f / "p", PIPELINE)
        check(run("status", "--project", p).returncode == 3, "nothing runs yet")
        with Server(p) as s:
            s.ready()
            wait_for("all", lambda: s.stage("load")["ledger"]["in"] == 200)
            r = s.command("status")
            check(r.returncode == 0 and "healthy" in r.stdout and "balanced" in r.stdout, r.stdout)
            status = s.status()
            check(status["healthy"] and {x["name"] for x in status["stages"]} == {"people", "load"}, f"{status}")
            for verb in ("top", "dead", "logs"):
                r = s.command(verb)
                check(r.returncode == 0 and r.stdout, f"{verb}: {r.stderr}")
            check(s.stop() == 0, s.output())
        r = run("status", "--project", p)
        check(r.returncode == 3 and "in 200 = applied 200" in r.stdout, r.stdout + r.stderr)
        check(run("dead", "--project", p).returncode == 0, "dead letters of a stopped project")


def test_pause_resume_restart():
    with folder() as f:
        p = project(f / "p", PIPELINE.replace("total = 200, ", ""))
        with Server(p) as s:
            s.ready()
            for verb, state in (("pause", "paused"), ("resume", "running"), ("restart", "running")):
                r = s.command(verb, "load")
                check(r.returncode == 0, r.stderr)
                wait_for(f"load is {state}", lambda: s.stage("load")["state"] in (state, "waiting") if state == "running" else s.stage("load")["state"] == state)
            r = s.command("pause", "laod")
            check(r.returncode == 1 and "laod" in r.stderr, r.stderr)
            check(s.stop() == 0, s.output())


def test_a_pause_stays_until_it_is_ended_also_over_kills_and_restarts():
    with folder() as f:
        p = project(f / "p", PIPELINE.replace("total = 200, ", ""))
        with Server(p) as s:
            s.ready()
            wait_for("some rows", lambda: s.stage("load")["ledger"]["in"] > 0)
            for name in ("load", "people"):
                check(s.command("pause", name).returncode == 0, f"pause {name}")
            since = {x["name"]: x["pausedMs"] for x in s.status()["stages"]}
            rows, sent = s.stage("load")["ledger"]["in"], s.stage("people")["ledger"]["in"]
            s.kill()
        r = run("status", "--project", p)
        check(r.returncode == 3 and "paused since" in r.stdout and "sluice resume load" in r.stdout, r.stdout)
        for end in ("kill", "stop"):
            with Server(p) as s:
                s.ready()
                wait_for("it knows where it stands", lambda: s.stage("load")["ledger"]["in"] == rows and s.stage("people")["ledger"]["in"] == sent)
                stages = {x["name"]: x for x in s.status()["stages"]}
                check({n: x["pausedMs"] for n, x in stages.items()} == since, f"{stages} {since}")
                check({x["state"] for x in stages.values()} == {"paused"}, f"{stages}")
                for verb in (("status",), ("streams",), ("streams", "load")):
                    check("paused since 20" in s.command(*verb).stdout, f"{verb}: {s.command(*verb).stdout}")
                getattr(s, end)()
        with Server(p) as s:
            s.ready()
            for name in ("load", "people"):
                check(s.command("resume", name).returncode == 0, f"resume {name}")
            wait_for("more rows", lambda: s.stage("load")["ledger"]["in"] > rows and s.stage("people")["ledger"]["in"] > sent)
            s.kill()
        with Server(p) as s:
            s.ready()
            stages = {x["name"]: x for x in s.status()["stages"]}
            check(all("pausedMs" not in x and x["state"] != "paused" for x in stages.values()), f"{stages}")
            check(s.command("pause", "load").returncode == 0 and s.stop() == 0, s.output())
        (p / "pipeline.sql").write_text(PIPELINE.split("CREATE STREAM")[0])
        with Server(p) as s:
            s.ready()
            r = s.command("streams", "drop", "load", "--yes")
            check(r.returncode == 0, r.stderr)
            check(s.stop() == 0, s.output())
        (p / "pipeline.sql").write_text(PIPELINE.replace("total = 200, ", ""))
        with Server(p) as s:
            s.ready()
            wait_for("dropped, and declared again, it runs", lambda: s.stage("load")["ledger"]["in"] > 0)
            check(s.stop() == 0, s.output())


def test_queries_of_a_running_and_a_stopped_server():
    with folder() as f:
        p = project(f / "p", PIPELINE)
        with Server(p, args=("--drain",)) as s:
            check(s.process.wait(60) == 0, s.output())
        r = run("query", "SELECT id, first FROM k.t LIMIT 2; SELECT count(*) AS n, max(n) AS oldest FROM k.t", "--project", p)
        check(r.returncode == 0 and "(2 rows)" in r.stdout and "200" in r.stdout, r.stdout + r.stderr)
        r = run("query", "--project", p, "--format", "csv", stdin="SELECT first\nFROM k.t LIMIT 1;\nSELECT 1 + 1 AS two;")
        check(r.returncode == 0 and "two\r\n2" in r.stdout.replace("\n2\n", "\r\n2\r\n").replace("\r\r", "\r") or "two\n2" in r.stdout, repr(r.stdout) + r.stderr)
        with Server(p) as s:
            s.ready()
            one = s.query("SELECT id, first, n FROM k.t LIMIT 1")[0]
            check(s.query(f"SELECT id, first, n FROM k.t WHERE id = {one['id']}") == [one], "by key")
            s.query("INSERT INTO k.t (id, first, n) VALUES (8e7fce72-89bc-4685-a747-b0f8624e020d, 'Elaine', 27)")
            check(s.query("SELECT first, n FROM k.t WHERE id = 8e7fce72-89bc-4685-a747-b0f8624e020d") == [{"first": "Elaine", "n": 27}], "inserted")
            check([r["table"] for r in s.query("SHOW TABLES")] == ["t"], "SHOW TABLES")
            check("PRIMARY KEY (id)" in s.query("DESCRIBE TABLE k.t")[0]["create_statement"], "DESCRIBE")
            for bad, part in (("SELECT frist FROM k.t", "first"), ("SELECT * FROM k.tt", "k.t"), ("SELEC 1", "SELECT")):
                r = s.command("query", bad)
                check(r.returncode == 1 and part in r.stderr and "hint:" in r.stderr, f"{bad}: {r.stderr}")
            door = cql_raw.Raw(int(s.field("cql_port")))
            door.ready()
            for text in ("DROP TABLE k.t", "TRUNCATE k.t", "DROP KEYSPACE k", "ALTER TABLE k.t DROP first"):
                r = s.command("query", text)
                check(r.returncode == 1 and "stream load writes into it; take the stream out of pipeline.sql" in r.stderr, f"{text}: {r.stderr}")
                code, why = door.error(door.query(text)[1])
                check(code == 0x2200 and "stream load writes into it; take the stream out of pipeline.sql" in why, f"{text}: {code:x} {why}")
            door.close()
            many = s.query("SELECT id FROM k.t")
            check(len(many) == 201, f"{len(many)}")
            for text in ("CREATE KEYSPACE two WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}", "CREATE TABLE two.t (a int PRIMARY KEY, b text)",
                         "CREATE TYPE two.u (x int)", "ALTER TABLE two.t ADD c frozen<u>", "CREATE INDEX ON two.t (b)", "INSERT INTO two.t (a) VALUES (1) IF NOT EXISTS"):
                check(s.command("query", text).returncode == 0, text)
            check(s.stop() == 0 and "left_bytes=0\n" in s.output(), s.output())


def test_doors_answer():
    with folder() as f:
        p = project(f / "p", PIPELINE)
        with Server(p) as s:
            s.ready()
            api, metrics = s.field("api_port"), s.field("metrics_port")
            status, body = get(api, "/api/?results=3&seed=x")
            check(status == 200 and len(json.loads(body)["results"]) == 3, body[:200])
            wait_for("all", lambda: s.stage("load")["ledger"]["in"] == 200)
            status, body = get(metrics, "/metrics")
            check('sluice_stage_records_in_total{stage="load",kind="stream"} 200' in body, body[:3000])
            check(re.search(r"^# TYPE sluice_log_appends_total counter$", body, re.M), body[:500])
            status, body = get(metrics, "/health")
            check(status == 200 and json.loads(body)["healthy"], body)
            check(s.stop() == 0, s.output())


def test_reset_asks_and_starts_over():
    with folder() as f:
        p = project(f / "p", PIPELINE)
        for keep in (True, False):
            with Server(p, args=("--drain",)) as s:
                check(s.process.wait(60) == 0, s.output())
            r = run("reset", p, stdin="no\n")
            check(r.returncode == 1 and "nothing was removed" in r.stdout and "200 records" in r.stdout, r.stdout + r.stderr)
            r = run("reset", p, *(("--keep-topics",) if keep else ()), stdin="yes\n")
            check(r.returncode == 0, r.stdout + r.stderr)
            r = run("query", "SELECT count(*) AS n FROM people", "--json", "--project", p)
            check(json.loads(r.stdout or '{"n": -1}')["n"] == 200 if keep else r.returncode == 1 or json.loads(r.stdout)["n"] == 0, r.stdout + r.stderr)


def test_one_stage_starts_over_alone():
    with folder() as f:
        p = project(f / "p", PIPELINE)
        with Server(p, args=("--drain",)) as s:
            check(s.process.wait(60) == 0, s.output())
        r = run("reset", p, "--stage", "load", "--yes")
        check(r.returncode == 0, r.stdout + r.stderr)
        with Server(p) as s:
            s.ready()
            wait_for("the stream to read again", lambda: s.stage("load")["ledger"]["in"] == 200)
            check(s.stage("people")["ledger"]["applied"] == 200 and s.query("SELECT count(*) AS n FROM k.t")[0]["n"] == 200, "nothing twice")
            check(s.stop() == 0, s.output())


def test_a_drain_ends_where_a_stage_has_failed_and_names_it():
    fails = PIPELINE + "CREATE TABLE k.old (id UUID PRIMARY KEY, n INT);\n" \
        "CREATE STREAM aged INTO k.old AS SELECT login.uuid AS id, dob.age AS n FROM people CHECK (dob.age < 0) ELSE FAIL;\n"
    for restart in (False, True):
        with folder() as f, Server(project(f / "p", fails), restart=restart, args=("--drain",)) as s:
            check(s.process.wait(60) == 1, f"exit code {s.process.returncode}: {s.output()}")
            check("'aged' has failed: " in s.output() and "dob.age < 0" in s.output(), s.output()[-2000:])
            check("starting it again" not in s.output(), "another start would fail at the same place")
            check(f"{offline_query(s.directory, s.data, 'SELECT count(*) AS n FROM k.t')}" == "[{'n': 200}]", "the others come to their end")


def test_users_are_managed_without_showing_a_password():
    with folder() as f:
        p = project(f / "p", PIPELINE)
        (p / ".sluice").mkdir()
        check("well" in run("users", "--project", p).stdout or "tutorials" in run("users", "--project", p).stdout, "the first users")
        check(run("users", "add", "zoe", "--role", "op", "--project", p, stdin="open sesame\n").returncode == 0, "add")
        check(run("users", "passwd", "admin", "--project", p, stdin="mine\n").returncode == 0, "passwd")
        check(run("users", "remove", "cassandra", "--project", p).returncode == 0, "remove")
        r = run("users", "list", "--json", "--project", p)
        users = [json.loads(line) for line in r.stdout.splitlines()]
        check({u["name"]: u["role"] for u in users} == {"admin": "admin", "zoe": "op"} and not any(u["wellKnownPassword"] for u in users), r.stdout)
        check("sesame" not in (p / ".sluice" / "users").read_text(), "the password is in the file")
        check(run("users", "remove", "admin", "--project", p).returncode == 1, "the last admin stays")


def test_the_supervisor_starts_the_server_anew():
    with folder() as f:
        p = project(f / "p", PIPELINE.replace("total = 200, ", ""))
        with Server(p, restart=True) as s:
            s.ready()
            first = s.status()["pid"]
            check(first != s.process.pid, "the server is the supervisor's child")
            os.kill(first, signal.SIGKILL)

            def another():
                r = s.command("status", "--json")
                return r.returncode in (0, 1) and r.stdout.startswith("{") and json.loads(r.stdout)["pid"] != first
            wait_for("another server", another)
            check(s.stop() == 0, s.output())


def test_a_command_that_holds_the_data_does_not_keep_the_server_away():
    """`sluice status` of a stopped project locks the data for a moment: a server that starts just then waits."""
    with folder() as f:
        p = project(f / "p", PIPELINE)
        (p / ".sluice").mkdir()
        with open(p / ".sluice" / "lock", "w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            with Server(p) as s:
                patience = time.monotonic() + 0.5
                wait_for("half a second of patience", lambda: s.process.poll() is not None or time.monotonic() > patience)
                check(s.process.poll() is None, s.output())
                fcntl.flock(held, fcntl.LOCK_UN)
                s.ready()
                check(s.stop() == 0, s.output())


def test_killing_the_supervisor_ends_the_server():
    with folder() as f:
        p = project(f / "p", PIPELINE)
        with Server(p, restart=True) as s:
            s.ready()
            child = s.status()["pid"]
            s.kill()
            wait_for("the server to end", lambda: not os.path.exists(f"/proc/{child}") or " Z " in open(f"/proc/{child}/stat").read())


def test_the_display_draws_on_a_terminal_and_ctrl_c_ends_it():
    with folder() as f:
        p = project(f / "p", PIPELINE.replace("total = 200, ", ""))
        master, slave = pty.openpty()
        process = subprocess.Popen([SLUICE, "up", str(p), "--set", "api.port=0", "--set", "metrics.port=0", "--set", "kafka.port=0", "--set", "cql.port=0", "--set", "console.port=-1"], stdin=slave, stdout=slave, stderr=slave, close_fds=True)
        os.close(slave)
        shown = b""

        def seen(part):
            nonlocal shown
            while select.select([master], [], [], 0)[0]:
                try:
                    shown += os.read(master, 65536)
                except OSError:
                    break
            return part in shown
        wait_for("the stages on the terminal", lambda: seen(b"load") and seen(b"people") and seen(b"sluice query"))
        process.send_signal(signal.SIGINT)
        wait_for("its end", lambda: (seen(b"?"), process.poll() is not None)[1])
        check(process.returncode == 0, f"exit code {process.returncode}: {shown[-1000:]}")
        os.close(master)


def test_doctor_is_content_and_its_bundle_is_clean():
    with folder() as f:
        p = project(f / "p", PIPELINE, settings="logs.level: debug\n")
        with Server(p, args=("--drain",)) as s:
            check(s.process.wait(60) == 0, s.output())
        r = run("doctor", p, "--bundle", f / "bundle", "--set", "api.port=-1", "--set", "metrics.port=-1", "--set", "kafka.port=-1", "--set", "cql.port=-1", "--set", "console.port=-1")
        check(r.returncode == 0 and "nothing is wrong" in r.stdout, r.stdout + r.stderr)
        text = (f / "bundle").read_text()
        check("logs.level = debug (sluice.yaml:1)" in text and "CREATE" not in text, text)


def test_the_api_alone():
    with subprocess.Popen([SLUICE, "api", "--port", "0"], stdout=subprocess.PIPE, text=True) as process:
        line = process.stdout.readline()
        port = re.search(r":(\d+)/api/", line).group(1)
        a = json.loads(get(port, "/api/?results=5&seed=s&page=2")[1])
        b = json.loads(get(port, "/api/1.4/?results=5&seed=s&page=2")[1])
        check(a == b and a["info"] == {"seed": "s", "results": 5, "page": 2, "version": "1.4"}, f"{a['info']}")
        process.send_signal(signal.SIGTERM)
        check(process.wait(10) == 0, "SIGTERM ends it")


def test_run_script_builds_and_rebuilds_nothing():
    r = subprocess.run([ROOT / "run", "--build"], capture_output=True, text=True)
    check(r.returncode == 0, r.stderr)
    start = time.monotonic()
    r = subprocess.run([ROOT / "run", "--build"], capture_output=True, text=True)
    check(r.returncode == 0 and "building" not in r.stderr, r.stderr)
    check(time.monotonic() - start < 30, "that was a build")
