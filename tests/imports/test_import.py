"""`sluice import` on five small projects of the known family (tests/import): each defect at its line, what is written is a
project that Sluice takes, nothing is dropped in silence, no password is copied."""
import pathlib

from harness import ROOT, check, folder, run

INPUTS = ROOT / "tests" / "import"


def imported(name, f):
    r = run("import", INPUTS / name, "--into", f / "out")
    check(r.returncode in (0, 1) and not r.stderr, f"{name}: rc={r.returncode} {r.stderr}")
    out = f / "out"
    return r, {p.relative_to(out).as_posix(): p.read_text() for p in out.rglob("*") if p.is_file()}


def line_of(name, path, text):
    for n, line in enumerate((INPUTS / name / path).read_text().splitlines(), 1):
        if text in line:
            return f"{path}:{n}"
    raise AssertionError(text)


def expect(name, defects, rc, left=()):
    with folder() as f:
        r, files = imported(name, f)
        report = files["IMPORT.md"]
        check(r.returncode == rc, f"{name}: rc={r.returncode}\n{r.stdout}")
        for code, path, text in defects:
            check(f"- `{line_of(name, path, text)}` **{code}**" in report, f"{name}: no {code} at {path} '{text}' in\n{report}")
        found = {line.split("**")[1] for line in report.splitlines() if line.startswith("- `") and "**" in line}
        check(found == {d[0] for d in defects}, f"{name}: {found ^ {d[0] for d in defects}}")
        for path, text in left:
            check(f"- `{line_of(name, path, text)}`: " in report.split("## What is left to you")[1], f"{name}: {text} is not left in\n{report}")
        check((rc == 1) == ("None of this is in the new project" in report), report)
        check("what was written" not in report, report)
        check(not any("hunter2" in t for t in files.values()), f"{name}: a password was copied")
        p = run("plan", f / "out", "--offline", "--strict")
        check(p.returncode == 0, f"{name}: {p.stdout}{p.stderr}")
        if "tests/imported.yaml" in files:
            t = run("test", f / "out")
            check(t.returncode == 0, t.stdout + t.stderr)
        return files


def test_import_flattening_in_the_producer():
    dag, spark, compose = "dags/push_people.py", "spark_stream.py", "docker-compose.yml"
    files = expect("flat_producer", [
        ("empty-answer", dag, '["results"][0]'), ("unserializable-id", dag, "uuid.uuid4()"), ("swallowed-error", dag, "except Exception"),
        ("no-flush", dag, "out.send("), ("no-status-check", dag, "requests.get"), ("no-pause", dag, "while True"), ("dropped-field", dag, 'row["dob"]'),
        ("schedule-interval", dag, "schedule_interval"), ("builder-config", spark, ".config("), ("scala-mismatch", spark, ".config("),
        ("lost-checkpoint", spark, "checkpointLocation"), ("unenforced-schema", spark, 'StructField("id"'), ("untyped", spark, "CREATE TABLE"),
        ("image-gone", compose, "bitnami"), ("latest-image", compose, ":latest"), ("ignored-password", compose, "CASSANDRA_USERNAME")], 0)
    sql, dags = files["pipeline.sql"], files["dags.yaml"]
    check("login.uuid AS id" in sql and "dob.date AS dob" in sql and "CAST(location.postcode AS TEXT) AS post_code" in sql, sql)
    check("run: randomuser\n      for: 60s" in dags and 'schedule: "@daily"' in dags and "catchup: false" in dags, dags)
    check('cql.port: "19042"' in files["sluice.yaml"] and 'zookeeper.port: "2181"' in files["sluice.yaml"], files["sluice.yaml"])
    check("tests/imported.yaml" in files, "the sample gives no fixture")


def test_import_flattening_in_spark():
    dag, spark = "dags/kafka_stream.py", "spark_stream.py"
    files = expect("raw_topic", [
        ("empty-answer", dag, '["results"][0]'), ("no-status-check", dag, "requests.get"), ("lost-batch", spark, "except Exception"),
        ("data-loss-ignored", spark, "failOnDataLoss"), ("lost-checkpoint", spark, "checkpointLocation"), ("fresh-key", spark, 'expr("uuid()")')], 0)
    sql, dags = files["pipeline.sql"], files["dags.yaml"]
    check("?nat=us" in sql and "every = '2000ms'" in sql and "partitions = 2" in sql and "lower(email) AS email" in sql, sql)
    check("count: 5" in dags and 'after: ["begin"]' in dags and 'trigger_rule: "all_done"' in dags and "mail: " in dags, dags)
    check("spark.cassandra.auth.password" in files["IMPORT.md"].split("## Passwords in clear")[1], files["IMPORT.md"])


def test_import_a_submitted_stream():
    feed, table = "scripts/feed.py", "tables.cql"
    files = expect("submitted", [
        ("no-flush", feed, "producer.send"), ("no-status-check", feed, "requests.get"), ("no-pause", feed, "while time"),
        ("secret-stored", table, "CREATE TABLE"), ("untyped", table, "CREATE TABLE"), ("schedule-interval", "dags/spark_stream.py", "schedule_interval"),
        ("no-retries", "dags/spark_stream.py", '"retries": 0')], 0)
    check("submit: people_stream" in files["dags.yaml"] and 'conn_id: "kafka_spark_cassandra"' in files["dags.yaml"], files["dags.yaml"])
    check("password" not in files["pipeline.sql"] and "key = 'login.uuid'" in files["pipeline.sql"], files["pipeline.sql"])
    check("kafka_spark_cassandra:\n  conn_type: spark" in files["connections.yaml"], files["connections.yaml"])


def test_import_taskflow():
    files = expect("taskflow", [], 1, [("dags/people.py", "def report")])
    dags = files["dags.yaml"]
    check('"publish":\n      run: randomuser\n      count: 3\n      retries: 2' in dags and 'timezone: "Europe/Berlin"' in dags, dags)
    check('"report":\n      bash: "echo \'not imported: dags/people.py:' in dags and 'after: ["publish"]' in dags, dags)


def test_import_an_endless_job():
    dag = "dags/etl.py"
    files = expect("minute_cron", [("fresh-key", "producer/producer.py", "uuid4"), ("schedule-interval", dag, "schedule_interval"),
                                   ("endless-job", dag, "DAG(")], 1,
                   [(dag, "SlackWebhookOperator(task_id"), (dag, "kafka_producer ="), ("job.py", ".filter(")])
    check("service: job" in files["dags.yaml"] and 'after: ["run_streaming"]' in files["dags.yaml"], files["dags.yaml"])


def test_import_refuses():
    with folder() as f:
        for args in ((), ("a", "b")):
            check(run("import", *args).returncode == 2, f"{args} is no wrong usage")
        check(run("import", f / "none").returncode == 1, "a folder that is not there")
        (f / "full").mkdir()
        (f / "full" / "x").write_text("mine")
        r = run("import", INPUTS / "taskflow", "--into", f / "full")
        check(r.returncode == 1 and "is there already" in r.stderr and [p.name for p in (f / "full").iterdir()] == ["x"], r.stderr)
        (f / "odd").mkdir()
        (f / "odd" / "docker-compose.yml").write_text("services: [\n")
        (f / "odd" / "dag.py").write_text("def 1:\n  x = = 1\n" + "(" * 3000 + "\nwith DAG(dag_id=name) as d:\n    pass\n")
        r = run("import", f / "odd", "--into", f / "o")
        report = (f / "o" / "IMPORT.md").read_text()
        check(r.returncode == 1 and "dag.py:2" in report and "is no YAML" in report, r.stdout + r.stderr)
