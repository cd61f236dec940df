"""Workflows in the real server: tasks run, outlive a kill of the server, end with `up`."""
import contextlib
import os
import signal
import sqlite3
import subprocess
import time
from pathlib import Path

from harness import Server, check, folder, project, wait_for

PEOPLE = """CREATE SOURCE people FROM GENERATOR '' WITH (seed = 'dags', results = 1, every = '5ms', key = 'login.uuid') INTO TOPIC people;
CREATE TABLE ks.people (id UUID PRIMARY KEY, email TEXT);
CREATE STREAM load INTO ks.people AS SELECT login.uuid AS id, email FROM people;
"""


def tasks(s):
    path = s.data / "workflows" / "meta.db"
    if not path.exists():
        return {}
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
        if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'task_instance'").fetchone():
            return {}  # it is just being made
        return {task: (state, tries) for task, state, tries in db.execute("SELECT task_id, state, try_number FROM task_instance")}


def states(s):
    return {task: state for task, (state, _) in tasks(s).items()}


def once(text):
    return "one:\n  schedule: '@once'\n  start_date: 2024-01-01\n  tasks:\n" + text


def test_a_source_runs_only_while_its_task_does():
    with folder() as f:
        p = project(f / "p", PEOPLE)
        (p / "dags.yaml").write_text(once("    send: {run: people, count: 5}\n    there: {rows_sensor: ks.people, rows: '>= 5', poke_interval: 50ms, after: send}\n"))
        with Server(p) as s:
            s.ready()
            wait_for("the run to end", lambda: states(s) == {"send": "success", "there": "success"})
            check(s.query("SELECT count(*) AS n FROM ks.people")[0]["n"] == 5, "not the five records that were asked for")
            before = s.stage("people")["ledger"]["in"]
            check(s.stage("people")["state"] == "paused", s.stage("people"))
            time.sleep(0.3)
            check(s.stage("people")["ledger"]["in"] == before, "it went on without a task")
            check(s.stop() == 0, s.output())


def test_a_persons_pause_counts_more_than_tasks():
    with folder() as f:
        p = project(f / "p", PEOPLE)
        with Server(p) as s:
            s.ready()
            for stage in ("people", "load"):
                check(s.command("pause", stage).returncode == 0, stage)
            before = s.stage("people")["ledger"]["in"]
            (p / "dags").mkdir()
            (p / "dags" / "one.yaml").write_text(once("    send: {run: people, count: 5}\n    keep: {service: load}\n"))
            wait_for("the task to be refused", lambda: states(s).get("send") == "failed")
            logs = s.data / "workflows" / "logs"
            log = next(logs.rglob("task_id=send/attempt=1.log")).read_text()
            check("paused by a person since 20" in log and "sluice resume people" in log, log)
            wait_for("the other to say why it waits", lambda: any("a person has paused it" in x.read_text() for x in logs.rglob("task_id=keep/attempt=1.log")))
            check(s.stage("people")["ledger"]["in"] == before and s.stage("load")["state"] == "paused", "a task went over a person")
            check(states(s)["keep"] != "success", states(s))
            check(s.command("resume", "load").returncode == 0, "resumed")
            wait_for("the stream to be healthy", lambda: states(s)["keep"] == "success")
            check(s.stop() == 0, s.output())


def test_a_command_outlives_a_kill_of_the_server_and_runs_once():
    with folder() as f:
        p = project(f / "p", "")
        (p / "dags.yaml").write_text(once("    sleeps: {bash: 'echo x >> count; sleep 2; echo over'}\n    next: {bash: 'echo y >> count', after: sleeps}\n"))
        with Server(p, restart=True) as s:
            s.ready()
            wait_for("the command", lambda: (p / "count").exists())
            os.kill(s.status()["pid"], signal.SIGKILL)
            wait_for("the run to end", lambda: states(s) == {"sleeps": "success", "next": "success"})
            check((p / "count").read_text() == "x\ny\n", (p / "count").read_text())
            check(tasks(s)["sleeps"] == ("success", 1), tasks(s))
            log = next((s.data / "workflows" / "logs").rglob("task_id=sleeps/attempt=1.log")).read_text()
            check("is known again" in log and "\nover\n" in log, log)
            check(s.stop() == 0, s.output())


def keeper_of(s):
    """The supervisor's child that is not the server."""
    for p in Path(f"/proc/{s.process.pid}/task/{s.process.pid}/children").read_text().split():
        with contextlib.suppress(OSError):
            if Path(f"/proc/{p}/comm").read_text().strip() == "sluice-keeper":
                return int(p)
    return None


def test_a_killed_keeper_is_started_again_and_what_it_ran_is_ended_and_said_so():
    with folder() as f:
        p = project(f / "p", "")
        (p / "dags.yaml").write_text(once(f"    long: {{bash: 'echo x >> {f}/long; setsid sleep 1000 & [ $(wc -l < {f}/long) -gt 1 ] || sleep 1000', retries: 1, retry_delay: 1s}}\n"
                                          "    then: {exec: ['true'], after: long}\n"))
        with Server(p, restart=True) as s:
            s.ready()
            wait_for("the command to run", lambda: (f / "long").exists())
            before, server = wait_for("the keeper", lambda: keeper_of(s)), s.status()["pid"]
            os.kill(before, signal.SIGKILL)
            wait_for("the run to end", lambda: states(s) == {"long": "success", "then": "success"})
            check(tasks(s)["long"][1] == 2, f"{tasks(s)}")
            check(s.status()["pid"] == server, "the server was started anew")
            check(keeper_of(s) not in (None, before), "no other keeper")
            said = next((s.data / "workflows" / "logs").glob("**/task_id=long/attempt=1.log")).read_text()
            check("the process was lost with its keeper" in said, said)
            left = subprocess.run(["pgrep", "-fx", "sleep 1000"], capture_output=True, text=True).stdout.split()
            mine = [x for x in left if f"AIRFLOW_CTX_DAG_RUN_ID" in (Path(f"/proc/{x}/environ").read_text(errors="replace") if Path(f"/proc/{x}").exists() else "")
                    and str(p) in Path(f"/proc/{x}/environ").read_text(errors="replace")]
            check(not mine, f"of the first try is left: {mine}")


def test_commands_end_with_up():
    with folder() as f:
        p = project(f / "p", "")
        (p / "dags.yaml").write_text(once("    sleeps: {bash: 'echo $$ > pid; exec sleep 1000'}\n"))
        with Server(p, restart=True) as s:
            s.ready()
            wait_for("the command", lambda: (p / "pid").exists() and (p / "pid").read_text().strip())
            pid = int((p / "pid").read_text())
            check(s.stop() == 0, s.output())
            check(not os.path.exists(f"/proc/{pid}"), "the command is still there")


def test_dags_that_come_later_are_taken_and_none_cost_nothing():
    with folder() as f:
        p = project(f / "p", "")
        with Server(p) as s:
            s.ready()
            check(not (s.data / "workflows").exists(), "a database without a dag")
            (p / "dags").mkdir()
            (p / "dags" / "one.yaml").write_text(once("    hello: {bash: 'echo hello'}\n"))
            wait_for("the run to end", lambda: states(s) == {"hello": "success"})
            check("1 dag" in s.status()["workflows"], s.status()["workflows"])
            check(s.stop() == 0, s.output())


def test_templates_see_the_last_success_and_the_days_around():
    with folder() as f:
        p = project(f / "p", "")
        (p / "dags.yaml").write_text("""daily:
  schedule: "@daily"
  start_date: 2024-02-28
  end_date: 2024-03-01
  catchup: true
  max_active_runs: 1
  tasks:
    say: {bash: "echo '{{ ds }} {{ yesterday_ds }} {{ tomorrow_ds_nodash }} {{ prev_data_interval_start_success | ds if prev_data_interval_start_success else none }} {{ prev_end_date_success is none }}'"}
    fails: {bash: "test {{ ds }} != 2024-02-29", after: say}
""")
        with Server(p) as s:
            s.ready()

            def said():
                path = s.data / "workflows" / "meta.db"
                with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
                    ended = db.execute("SELECT count(*) FROM dag_run WHERE state IN ('success', 'failed')").fetchone()[0]
                    return ended == 3 and [v for (v,) in db.execute("SELECT x.value FROM xcom x JOIN dag_run r ON r.id = x.run WHERE x.task_id = 'say' ORDER BY r.logical")]
            told = wait_for("three runs", said)
            check(told == ['"2024-02-28 2024-02-27 20240229 None True"', '"2024-02-29 2024-02-28 20240301 2024-02-28 False"',
                           '"2024-03-01 2024-02-29 20240302 2024-02-28 False"'], f"the failed one does not count: {told}")
