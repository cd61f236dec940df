"""The five known pipelines: planned, tested by their fixtures, run offline."""
import shutil

from harness import EXAMPLES, Server, check, folder, run, wait_for

TABLES = {
    "kafka_stream": ("kafka_stream", "spark_streams.created_users"),
    "minute_etl": ("run_streaming", "spark_streams.created_users"),
    "user_automation": ("load_users", "spark_streams.created_users"),
    "user_created": ("flatten_users", "spark_streams.created_users"),
    "users_records": ("spark_stream", "worldwide_users.user_records"),
}


def test_fixtures_pass():
    for name in TABLES:
        r = run("test", EXAMPLES / name)
        check(r.returncode == 0 and r.stdout.strip().endswith("1 passed, 0 failed"), f"{name}:\n{r.stdout}{r.stderr}")


def test_a_fixture_that_is_wrong_fails():
    with folder() as f:
        shutil.copytree(EXAMPLES / "kafka_stream", f / "p", ignore=shutil.ignore_patterns(".sluice"))
        fixture = f / "p" / "tests" / "kafka_stream.yaml"
        fixture.write_text(fixture.read_text().replace("first_name: Elaine", "first_name: Alice"))
        r = run("test", f / "p")
        check(r.returncode == 1 and "first_name is Elaine, not Alice" in r.stdout, r.stdout + r.stderr)


def test_plans_are_fine():
    for name in TABLES:
        with folder() as data:
            r = run("plan", EXAMPLES / name, "--data", data / "d")
            check(r.returncode == 0 and "fine:" in r.stdout and "CONFLICT" not in r.stdout, f"{name}:\n{r.stdout}{r.stderr}")


def test_each_runs_offline_and_fills_its_table():
    for name, (stream, table) in TABLES.items():
        with folder() as data:
            shutil.copytree(EXAMPLES / name, data / "p", ignore=shutil.ignore_patterns(".sluice"))
            dags = data / "p" / "dags.yaml"  # what a person starts by hand starts here by itself
            dags.write_text(dags.read_text().replace("schedule: none", "schedule: '@once'\n  start_date: 2024-01-01"))
            with Server(data / "p", data / "d") as s:
                s.ready()
                wait_for(f"rows of {name}", lambda: s.query(f"SELECT count(*) AS n FROM {table}")[0]["n"] >= 3)
                stage = s.stage(stream)
                check(stage["balanced"] and stage["ledger"]["dead"] == 0, f"{name}: {stage}")
                check(s.stop() == 0, s.output())
