"""The commands of workflows, and Airflow's by its name, on a project that no server runs: the database is the way in."""
import json
import os
import subprocess

from harness import SLUICE, Server, check, folder, project, run, wait_for

DAGS = """
hello:
  schedule: "@daily"
  start_date: 2024-01-01
  params: {n: {default: 5, type: integer, minimum: 1}}
  tasks:
    say: {bash: "echo {{ params.n }}"}
    then: {empty: , after: say}
by_hand: {schedule: none, tasks: {a: {bash: "true"}}}
"""


def make(path):
    p = project(path / "p", "CREATE TOPIC t;\n")
    (p / "dags.yaml").write_text(DAGS)
    return p


def tool(path, name, *args, stdin=None):
    link = path / name
    if not link.exists():
        os.symlink(os.path.abspath(SLUICE), link)
    return subprocess.run([link, *map(str, args)], capture_output=True, text=True, timeout=60, input=stdin)


def ok(r):
    check(r.returncode == 0, f"exit code {r.returncode}: {r.stdout}{r.stderr}")
    return r.stdout


def rows(r):
    return [json.loads(line) for line in ok(r).splitlines()]


def test_dags_are_listed_shown_and_their_next_run_told():
    with folder() as path:
        p = make(path)
        check([r["dag"] for r in rows(run("dags", "list", "--project", p, "--json"))] == ["by_hand", "hello"], "both, by name")
        shown = rows(run("dags", "show", "hello", "--project", p, "--json"))
        check([(r["task"], r["kind"], r["after"]) for r in shown] == [("say", "bash", None), ("then", "empty", "say")], shown)
        check(ok(run("dags", "next-execution", "by_hand", "--project", p)) == "None\n", "no schedule, no next run")
        check(len(ok(run("dags", "next-execution", "hello", "--num-executions", 3, "--project", p)).splitlines()) == 3, "three dates")
        r = run("dags", "trigger", "helo", "--project", p)
        check(r.returncode == 1 and "did you mean 'hello'?" in r.stderr, r.stderr)


def test_a_run_is_triggered_looked_at_and_deleted():
    with folder() as path:
        p = make(path)
        ok(run("dags", "trigger", "hello", "--project", p, "--run-id", "mine", "--conf", '{"n": 7}'))
        r = run("dags", "trigger", "hello", "--project", p, "--run-id", "mine")
        check(r.returncode == 1 and "mine" in r.stderr, "the same run id twice")
        r = run("dags", "trigger", "hello", "--project", p, "--conf", '{"n": 0}')
        check(r.returncode == 1 and "less than the minimum" in r.stderr, r.stderr)
        listed = rows(run("runs", "list", "hello", "--project", p, "--json"))
        check([(l["dag_run_id"], l["state"]) for l in listed] == [("mine", "queued")], listed)
        check(ok(run("dags", "state", "hello", "mine", "--project", p)) == "queued\n", "its state")
        r = run("runs", "delete", "hello", "mine", "--project", p)
        check(r.returncode == 1 and "--yes" in r.stderr, "it asks first")
        ok(run("runs", "delete", "hello", "mine", "--yes", "--project", p))
        check(rows(run("runs", "list", "--project", p, "--json")) == [], "gone")


def test_a_backfill_shows_its_dates_before_it_is_made():
    with folder() as path:
        p = make(path)
        dates = rows(run("dags", "backfill", "hello", "--from", "2024-01-01", "--to", "2024-01-03", "--dry-run", "--json", "--project", p))
        check([d["logical_date"][:10] for d in dates] == ["2024-01-01", "2024-01-02", "2024-01-03"], dates)
        check(rows(run("runs", "list", "--project", p, "--json")) == [], "a dry run makes nothing")
        ok(run("dags", "backfill", "hello", "--from", "2024-01-01", "--to", "2024-01-03", "--project", p))
        check(len(rows(run("runs", "list", "--project", p, "--json"))) == 3, "three runs")


def test_secrets_are_kept_and_not_shown():
    with folder() as path:
        p = make(path)
        ok(run("connections", "add", "api", "--conn-uri", "https://ann:secret%40@host:8443/v1?token=abc", "--project", p))
        shown = rows(run("connections", "get", "api", "--project", p, "--json"))[0]
        check((shown["host"], shown["port"], shown["login"], shown["password"]) == ("host", 8443, "ann", "***"), shown)
        check("secret@" in ok(run("connections", "get", "api", "--show-values", "--project", p)), "asked for, it is shown")
        check("secret" not in ok(run("connections", "list", "--project", p)), "never in a list")
        ok(run("variables", "set", "answer", "42", "--project", p))
        raw = b"".join(f.read_bytes() for f in (p / ".sluice" / "workflows").glob("meta.db*"))
        check(b"secret@" not in raw, "sealed where it rests")
        check(ok(run("variables", "get", "answer", "--project", p)) == "42\n", "read back")
        ok(run("variables", "export", path / "v.json", "--project", p))
        ok(run("connections", "export", path / "c.json", "--project", p))
        ok(run("connections", "delete", "api", "--project", p))
        ok(run("connections", "import", path / "c.json", "--project", p))
        check(json.loads((path / "v.json").read_text()) == {"answer": 42}, "as JSON")
        check("secret@" in ok(run("connections", "get", "api", "--show-values", "--project", p)), "imported whole")
        ok(tool(path, "airflow", "rotate-fernet-key", "--project", p))
        check("secret@" in ok(run("connections", "get", "api", "--show-values", "--project", p)), "and with a new key")


def test_airflow_s_users_are_those_of_the_server_that_runs():
    with folder() as path:
        p = make(path)
        with Server(p) as s:
            s.ready()
            at = ("--project", p)
            made = ok(tool(path, "airflow", "users", "create", "--username", "ann", "--password", "wonderland", "--role", "Op", *at))
            check(made == 'User "ann" created with role "Op"\n', made)
            check("already exist" in ok(tool(path, "airflow", "users", "create", "--username", "ann", "--password", "x", "--role", "Op", *at)), "twice")
            ok(tool(path, "airflow", "users", "create", "--username", "admin", "--password", "my own", "--role", "Admin", *at))
            ok(s.command("users", "add", "bob", stdin="builder\n"))  # the server writes the table: ann is in it
            check({json.loads(line)["name"] for line in ok(s.command("users", "list", "--json")).splitlines()} == {"admin", "cassandra", "ann", "bob"}, "all of them")
            ok(tool(path, "airflow", "users", "delete", "--username", "ann", *at))
            check("ann" not in ok(tool(path, "airflow", "users", "list", *at)), "deleted")


def test_wrong_dags_are_told_with_their_place():
    with folder() as path:
        p = make(path)
        check(ok(run("dags", "list-import-errors", "--project", p)) == "no import errors\n", "none")
        (p / "dags.yaml").write_text(DAGS + "bad: {tasks: {a: {bsh: x}}}\n")
        r = run("dags", "list-import-errors", "--project", p, "--json")
        found = json.loads(r.stdout)
        check(r.returncode == 1 and found["filepath"].startswith("dags.yaml:10") and "'bash'" in found["error"], r.stdout)
        check(len(rows(run("dags", "list", "--project", p, "--json"))) == 2, "its neighbours are there")
        r = run("dags", "trigger", "bad", "--project", p)
        check(r.returncode == 1 and "its file is wrong" in r.stderr and "dags.yaml:10" in r.stderr, r.stderr)
        (p / "dags" / "team" / "deep").mkdir(parents=True)
        (p / "dags" / "team" / "deep" / "x.yaml").write_text('inner: {tasks: {a: {empty: }}}\ncron: {schedule: "61 * * * *", tasks: {a: {empty: }}}\n')
        (p / "dags" / ".git").mkdir()
        (p / "dags" / ".git" / "y.yaml").write_text("hidden: {tasks: {a: {empty: }}}\n")
        check([d["dag"] for d in rows(run("dags", "list", "--project", p, "--json"))] == ["by_hand", "hello", "inner"], "folders within dags/, none that is hidden")
        told = [json.loads(line) for line in run("dags", "list-import-errors", "--project", p, "--json").stdout.splitlines()]
        check([t["filepath"] for t in told] == ["dags.yaml:10", "dags/team/deep/x.yaml:2"], told)


def test_what_is_not_there_is_said_by_its_name():
    with folder() as path:
        p = make(path)
        for words, story in [(("runs", "show", "hello"), "dag 'hello' has no run yet"),
                             (("runs", "show", "helo"), "Dag id helo not found"),
                             (("runs", "show", "hello", "2024-01-05"), "dag 'hello' has no run of that date"),
                             (("runs", "show", "hello", "mine"), "DagRun ID: 'mine' not found")]:
            r = run(*words, "--project", p)
            check(r.returncode == 1 and story in r.stderr, f"{words}: {r.stderr}")
        (p / "dags.yaml").write_text(DAGS + "many: {tasks: {list: {bash: 'echo [1,2,3]'}, each: {bash: 'echo -n {{ item }}', expand: list},"
                                     " wrong: {bash: 'echo {{ nosuch }}'}, after: {empty: , after: wrong}}}\n")
        with Server(p) as s:
            s.ready()
            check(s.command("dags", "trigger", "many", "--wait").returncode == 1, "one fails")
            r = s.command("tasks", "logs", "many", "each")
            check(r.returncode == 1 and "task 'each' is mapped" in r.stderr and "--map-index 0 to 2" in r.stderr, r.stderr)
            log = ok(s.command("tasks", "logs", "many", "each", "--map-index", 1))
            check("\n2\n[" in log and log.endswith("\n"), f"a line's end, also where the command said none: {log}")
            log = ok(s.command("tasks", "logs", "many", "wrong"))
            check("{bash} ERROR - Task failed: template: 'nosuch' is undefined\n" in log and log.endswith("\n"), log)
            r = s.command("tasks", "logs", "many", "after")
            check(r.returncode == 1 and "task 'after' has had 0 tries, and is upstream_failed" in r.stderr, r.stderr)
            check({t["map_index"] for t in rows(s.command("tasks", "states-for-dag-run", "many", "--json"))} == {-1, 0, 1, 2}, "mapped: which of them")
            r = s.command("tasks", "clear", "many", "--task-regex", "^(ea|wr).*[hg]$", "--dry-run", "--json")
            check({t["task"] for t in rows(r)} == {"each", "wrong"}, r.stdout)
            r = s.command("tasks", "clear", "many", "--task-regex", "(")
            check(r.returncode == 1 and "'(' is no regular expression" in r.stderr, r.stderr)


def test_settings_of_airflow_s_core():
    """dags_are_paused_at_creation, default_timezone and where the key of secrets is, for a server and for commands alike."""
    with folder() as path:
        p = make(path)
        (p / "dags.yaml").write_text("""
said: {schedule: "0 3 * * *", start_date: 2024-01-01, timezone: UTC, is_paused_upon_creation: false, tasks: {a: }}
left: {schedule: "0 3 * * *", start_date: 2024-01-01, tasks: {a: }}
""")
        settings = ["workflows.dags_are_paused_at_creation=true", "workflows.default_timezone=Asia/Tokyo", "workflows.key_file=mine.key"]
        sets = [w for s in settings for w in ("--set", s)]
        ok(run("connections", "add", "api", "--conn-type", "http", "--conn-password", "secret", "--project", p, *sets))
        key = p / "mine.key"
        check(key.stat().st_mode & 0o777 == 0o600 and not list(p.rglob("workflows/key")), "the key is where it was said")
        check("secret" in ok(run("connections", "get", "api", "--show-values", "--project", p, *sets)), "and opens what it sealed")
        check("secret" in ok(tool(path, "airflow", "connections", "export", "-", "--project", p, *sets)), "by Airflow's name too")
        with Server(p, sets=settings) as s:
            s.ready()
            wait_for("the dags", lambda: len(rows(s.command("dags", "list", "--json", *sets))) == 2)
            listed = {d["dag"]: d for d in rows(s.command("dags", "list", "--json", *sets))}
            check({k: d["paused"] for k, d in listed.items()} == {"said": "on", "left": "paused"}, listed)
            shown = {k: ok(s.command("dags", "next-execution", k, *sets)) for k in listed}
            check("T03:00:00" in shown["said"] and "T18:00:00" in shown["left"], shown)
            check(s.stop() == 0, s.output())
        (p / "mine.key").rename(path / "away")
        r = run("connections", "get", "api", "--show-values", "--project", p, *sets)
        check(r.returncode == 1 and "secret" not in r.stdout, f"another key opened it: {r}")
        (p / "sluice.yaml").write_text("workflows:\n  default_timezone: Mars/Base\n")
        r = run("dags", "list-import-errors", "--project", p)
        check(r.returncode == 1 and "workflows.default_timezone can not be 'Mars/Base'" in r.stderr and "sluice.yaml:2:21" in r.stderr, r)


def test_airflow_by_its_name():
    with folder() as path:
        p = make(path)
        at = ("--project", p)
        ok(tool(path, "airflow", "db", "init", *at))
        ok(tool(path, "airflow", "db", "migrate", *at))
        listed = json.loads(ok(tool(path, "airflow", "dags", "list", "-o", "json", *at)))
        check([d["dag_id"] for d in listed] == ["by_hand", "hello"] and listed[0]["is_paused"] == "False", listed)
        r = tool(path, "airflow", "dags", "pause", "hello", *at)
        check(r.returncode == 1 and "sluice up" in r.stderr, "no server has taken it in yet: " + r.stderr)
        ok(tool(path, "airflow", "dags", "trigger", "hello", "-r", "r1", "-c", '{"n": 3}', *at))
        check(json.loads(ok(tool(path, "airflow", "dags", "list-runs", "-d", "hello", "-o", "json", *at)))[0]["dag_run_id"] == "r1", "its run")
        check(ok(tool(path, "airflow", "tasks", "list", "hello", *at)) == "say\nthen\n", "one a line")
        ok(tool(path, "airflow", "pools", "set", "api", "2", "an API's quota", *at))
        check([q["slots"] for q in json.loads(ok(tool(path, "airflow", "pools", "list", "-o", "json", *at)))] == [2, 128], "two pools")
        ok(tool(path, "airflow", "connections", "add", "kafka_spark_cassandra", "--conn-type", "spark", "--conn-host", "spark://spark-master", "--conn-port", "7077", *at))
        ok(tool(path, "airflow", "variables", "set", "k", "v", *at))
        check(ok(tool(path, "airflow", "variables", "get", "k", *at)) == "v\n", "its value")
        check(tool(path, "airflow", "variables", "get", "none", *at).returncode == 1, "none such")
        ok(tool(path, "airflow", "users", "create", "-u", "ann", "-p", "pw", "-f", "A", "-l", "B", "-r", "Admin", "-e", "a@b.c", *at))
        check("ann" in ok(tool(path, "airflow", "users", "list", *at)), "she is there")
        r = tool(path, "airflow", "jobs", "check", "--job-type", "SchedulerJob", *at)
        check(r.returncode == 1 and r.stdout == "No alive jobs found.\n", r.stdout)
        r = tool(path, "airflow", "dags", "trgger", "hello", *at)
        check(r.returncode == 2 and "invalid choice: 'trgger'" in r.stderr, r.stderr)
        check("users" not in r.stderr and "dags trigger" in r.stderr, "the group's commands, not all of them: " + r.stderr)
        check(tool(path, "airflow", "dags", "trigger", "hello", "--nope", *at).returncode == 2, "an unknown option")
        r = tool(path, "airflow", "dags")
        check(r.returncode == 2 and "the following arguments are required: COMMAND" in r.stderr, r.stderr)
        r = tool(path, "airflow", "dags", "trigger", "--help")
        check(r.returncode == 0 and "usage: airflow dags trigger [options] DAG" in r.stdout and "-c, --conf JSON" in r.stdout, r.stdout)
        r = tool(path, "airflow", "dags", "list", "-o", "xml", *at)
        check(r.returncode == 2 and "invalid choice: 'xml'" in r.stderr, r.stderr)
        check(len(json.loads(ok(tool(path, "airflow", "dags", "list", "-o", "yaml", *at)))) == 2, "a list in YAML's flow form")
        check(ok(tool(path, "airflow", "dags", "state", "hello", "2024-01-09", *at)) == "None\n", "no run: as there")
        check(tool(path, "airflow", "dags", "list-runs", "-d", "helo", *at).returncode == 1, "no such dag")
        check(json.loads(ok(tool(path, "airflow", "dags", "list-runs", "-d", "hello", "-s", "2020-01-01", "-e", "2020-01-02", "-o", "json", *at)) or "[]") == [], "by date")
        (p / "dags.yaml").write_text("bad: {tasks: {a: {bsh: x}}}\nworse: {tasks: {}}\n")
        r = tool(path, "airflow", "dags", "list-import-errors", "-o", "json", *at)
        check(r.returncode == 1 and len(json.loads(r.stdout)) == 2, r.stdout)


def test_airflow_s_daemons_go_on_by_themselves():
    with folder() as path:
        p = make(path)
        (p / "sluice.yaml").write_text("".join(f"{name}: -1\n" for name in ("api.port", "kafka.port", "cql.port", "metrics.port", "console.port", "console.topics_port",
                                                                         "console.streams_port", "console.notebooks_port")))
        at = ("--project", p)
        said = ok(tool(path, "airflow", "scheduler", "-D", *at))
        try:
            check("runs, pid " in said, said)
            said_too = ok(tool(path, "airflow", "webserver", "-D", *at))
            check("runs already" in said_too, said_too)
            check(tool(path, "airflow", "jobs", "check", "--job-type", "SchedulerJob", *at).returncode == 0, "it beats")
        finally:
            os.kill(int(said.split("pid ")[1].split(";")[0]), 15)
        wait_for("its end", lambda: tool(path, "airflow", "dags", "test", "hello", *at).returncode == 1)
        check("up" in (p / ".sluice" / "up.log").read_text(), "its log")


def test_spark_submit_needs_a_server():
    with folder() as path:
        p = make(path)
        r = tool(path, "spark-submit", "--project", p, "--master", "spark://spark-master:7077", "--packages", "a,b", "spark_stream.py")
        check(r.returncode == 1 and "sluice" in r.stderr, r.stderr)
        check(tool(path, "spark-submit").returncode == 1, "without an application")


def test_commands_wake_a_server_that_runs():
    with folder() as path:
        p = make(path)
        with Server(p) as s:
            s.ready()
            started = s.command("dags", "trigger", "by_hand", "--wait", "--json")
            check(started.returncode == 0 and json.loads(started.stdout)["state"] == "success", started.stdout + started.stderr)
            tasks = rows(s.command("runs", "show", "by_hand", "--json"))
            check([(t["task"], t["state"], t["try"]) for t in tasks] == [("a", "success", 1)], tasks)
            check("SUCCESS" in ok(s.command("tasks", "logs", "by_hand", "a")), "its log says how it went")
            ok(s.command("dags", "pause", "hello"))
            listed = {d["dag"]: d["paused"] for d in rows(s.command("dags", "list", "--json"))}
            check(listed == {"by_hand": "on", "hello": "paused"}, listed)
            cleared = s.command("tasks", "clear", "by_hand", "--run", "latest", "--yes")
            check(cleared.returncode == 0, cleared.stderr)
            ok(s.command("runs", "wait", "by_hand"))
            check([t["try"] for t in rows(s.command("runs", "show", "by_hand", "--json"))] == [2], "it ran again")


ALONE = """
alone:
  schedule: none
  default_args: {retries: 3, retry_delay: 5m}
  on_success_callback: {command: "touch called"}
  on_failure_callback: {command: "touch called"}
  tasks:
    before: {bash: "touch before_ran"}
    after_failures: {bash: "echo {{ ds }} {{ params.n }}", after: before, trigger_rule: all_failed, depends_on_past: true, outlets: [told]}
    breaks: {bash: "echo oh; exit 3", after: before}
    each: {bash: "echo item {{ item }}", expand: [a, b]}
    nothing: {empty: , after: before}
  params: {n: 5}
told: {schedule: {after: [told]}, tasks: {a: }}
"""


def test_a_task_is_tested_alone_and_nothing_of_it_is_kept():
    with folder() as path:
        p = project(path / "p", "CREATE TOPIC t;\n")
        (p / "dags.yaml").write_text(ALONE)
        r = run("tasks", "test", "alone", "breaks", "--project", p)
        check(r.returncode == 1 and "no server runs" in r.stderr, r.stderr)
        with Server(p) as s:
            s.ready()
            wait_for("the dags to be taken in", lambda: len(rows(s.command("dags", "list", "--json"))) == 2, 20)
            for n in range(2):  # the same date twice: the first run is gone
                said = ok(tool(path, "airflow", "tasks", "test", "alone", "after_failures", "2024-05-06", "--project", p))
                check("2024-05-06 5" in said and "after_failures success" in said, said)
            r = tool(path, "airflow", "tasks", "test", "alone", "breaks", "--project", p)
            check(r.returncode == 1 and "oh" in r.stdout and "breaks failed" in r.stdout, r.stdout + r.stderr)
            said = ok(s.command("tasks", "test", "alone", "each"))
            check(said.index("item a") < said.index("item b"), said)
            check("nothing success" in ok(s.command("tasks", "test", "alone", "nothing")), "a task without a log")
            r = s.command("tasks", "test", "alone", "nobody")
            check(r.returncode == 1 and "Task 'nobody' not found in DAG 'alone'" in r.stderr, r.stderr)
            r = s.command("dags", "trigger", "alone", "--run-id", "__airflow_temporary_run_x")
            check(r.returncode == 1 and "tasks test" in r.stderr, r.stderr)
            check(rows(s.command("runs", "list", "--json")) == [], "no run is left")
            check(not (p / "before_ran").exists() and not (p / "called").exists(), "what comes before it and the run's callbacks")
            ok(s.command("dags", "pause", "alone"))
            for words in (("tasks", "test", "alone", "each"), ("dags", "test", "alone"), ("dags", "trigger", "alone", "--wait")):
                r = s.command(*words)
                check(r.returncode == 1 and "is paused" in r.stderr and "dags unpause alone" in r.stderr, r.stderr)
            check(rows(s.command("runs", "list", "--json")) == [], "and nothing waits")


ONE = """
one:
  schedule: none
  tasks:
    first: {bash: "echo first >> order; echo said it"}
    slow: {bash: "echo begins; while ! test -e go; do sleep 0.05; done; echo slow >> order", after: first}
    last: {bash: "echo last >> order; echo last begins; while ! test -e end; do sleep 0.05; done; test -e well", after: slow}
"""


def test_one_task_of_a_run_is_run_again():
    with folder() as path:
        p = project(path / "p", "CREATE TOPIC t;\n")
        (p / "dags.yaml").write_text(ONE)
        with Server(p) as s:
            s.ready()
            wait_for("the dag", lambda: len(rows(s.command("dags", "list", "--json"))) == 1, 20)
            airflow = lambda *words: tool(path, "airflow", "tasks", "run", *words, "--project", p)
            ok(s.command("dags", "trigger", "one", "--run-id", "r"))
            wait_for("the slow one", lambda: ok(s.command("tasks", "state", "one", "slow", "r")).strip() == "running", 20)
            said = ""
            with subprocess.Popen([SLUICE, "tasks", "run", "one", "last", "r", "--project", p], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as waiting:
                (p / "go").touch()
                for line in waiting.stdout:  # it ends when the command has shown that it began
                    said += line
                    if "last begins" in line:
                        (p / "end").touch()
            check(waiting.returncode == 1 and "return code 1" in said and "last failed" in said, said)
            r = airflow("one", "last", "r")
            check(r.returncode == 1 and "Task is in the 'failed' state." in r.stderr and "--force" in r.stderr, r.stderr)
            (p / "well").touch()
            said = ok(airflow("one", "last", "r", "--force", "--local"))
            check("last success" in said and "attempt 2" in said, said)
            said = ok(s.command("tasks", "run", "one", "first", "r", "--force"))
            check("said it" in said and "first success" in said, said)
            check((p / "order").read_text().split() == ["first", "slow", "last", "last", "first"], (p / "order").read_text())
            ok(s.command("tasks", "mark", "one", "last", "r", "failed"))
            check("last success" in ok(airflow("one", "last", "r", "-m")), "marked")
            check(ok(s.command("tasks", "state", "one", "last", "r")).strip() == "success", "it is marked")
            r = airflow("one", "nobody", "r")
            check(r.returncode == 1 and "nobody" in r.stderr, r.stderr)
            ok(s.command("dags", "pause", "one"))
            r = s.command("tasks", "run", "one", "last", "r", "--force")
            check(r.returncode == 1 and "is paused" in r.stderr, r.stderr)


def test_what_waits_for_a_pool_for_ever_is_said():
    with folder() as path:
        p = make(path)
        (p / "dags.yaml").write_text(DAGS + "waits: {tasks: {a: {bash: x, pool: none_such}, b: {bash: x, pool_slots: 999}}}\n"
                                     f"long: {{tasks: {{a: {{bash: x, pool: {'p' * 700}}}}}}}\n")
        with Server(p) as s:
            s.ready()
            ok(s.command("dags", "trigger", "waits"))
            wait_for("both to be scheduled", lambda: [t["state"] for t in rows(s.command("runs", "show", "waits", "--json"))] == ["scheduled"] * 2)
            told = [t["message"] for t in rows(s.command("runs", "show", "waits", "--json"))]
            check(told == ["waits for pool 'none_such', which is not there: sluice pools set", "waits for 999 slots of pool 'default_pool', which has 128"], told)
            wait_for("the log says so", lambda: "tasks wait for a pool that is not there" in s.output() and "tasks wait for more slots than their pool has" in s.output())
            check("pool is a name of 1 to 256 bytes" in s.command("dags", "list-import-errors").stdout, "a name that is too long is refused, and stops nobody")
            ok(s.command("dags", "trigger", "hello", "--wait"))
