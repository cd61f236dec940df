"""Changed SQL over the records that are there, beside the running stream."""
import datetime
import json

from harness import Server, check, folder, project, run, wait_for

PIPELINE = """CREATE TOPIC events WITH (partitions = 2);
CREATE TABLE k.t (id TEXT PRIMARY KEY, n INT, city TEXT);
CREATE STREAM load INTO k.t AS SELECT id, CAST(n AS INT) AS n, city FROM events WHERE n < 90;
"""
CHANGED = PIPELINE.replace("CAST(n AS INT) AS n", "CASE WHEN n >= 5 THEN CAST(n AS INT) * 10 ELSE CAST(n AS INT) END AS n").replace("n < 90", "n <> 3")


def produce(s, events):
    r = s.command("produce", "events", "--brokers", f"127.0.0.1:{s.field('kafka_port')}", stdin="".join(json.dumps(e) + "\n" for e in events))
    check(r.returncode == 0, r.stderr)


def start(s):
    s.ready()
    produce(s, [{"id": f"e{n}", "n": n, "city": "Aarhus"} for n in (1, 2, 3, 5, 99)])
    wait_for("all read", lambda: s.stage("load")["ledger"]["in"] == 5)


def replay(s, *args):
    r = s.command("replay", "load", "--json", *args)
    check(r.returncode == 0, r.stderr)
    lines = [json.loads(l) for l in r.stdout.splitlines()]
    return [l for l in lines if "row" in l], next(l for l in lines if "records" in l)


def test_the_same_sql_makes_the_same_rows():
    with folder() as f:
        p = project(f / "p", PIPELINE)
        with Server(p) as s:
            start(s)
            check(replay(s) == ([], {"records": 5, "same": 4, "added": 0, "removed": 0, "changed": 0, "notComparable": 0, "dead": 0}), f"{replay(s)}")
            s.query("INSERT INTO k.t (id, n) VALUES ('mine', 1); UPDATE k.t SET city = 'Odense' WHERE id = 'e2'; DELETE FROM k.t WHERE id = 'e1'")
            rows, sums = replay(s)
            check(sums["added"] == 1 and sums["changed"] == 1 and sums["removed"] == 0 and sums["notComparable"] == 1, f"{sums}")
            check({r["row"]: r for r in rows}["changed"] == {"row": "changed", "key": {"id": "e2"}, "columns": {"city": {"before": "Odense", "after": "Aarhus"}}}, f"{rows}")
            check([r["table"] for r in s.query("SHOW TABLES")] == ["t"], "the shadow is gone")
            check([x["name"] for x in s.status()["stages"]] == ["load"] and s.stage("load")["ledger"]["in"] == 5, "the stream has not noticed")
            check(s.stop() == 0, s.output())


def test_changed_sql_shows_the_difference():
    with folder() as f:
        p = project(f / "p", PIPELINE)
        (f / "changed.sql").write_text(CHANGED)
        with Server(p) as s:
            start(s)
            rows, sums = replay(s, "--sql", f / "changed.sql")
            by = {r["row"]: r for r in rows}
            check(sums == {"records": 5, "same": 2, "added": 1, "removed": 1, "changed": 1, "notComparable": 0, "dead": 0}, f"{sums}")
            check(by["added"]["columns"] == {"id": "e99", "n": 990, "city": "Aarhus"} and by["removed"]["columns"]["id"] == "e3", f"{rows}")
            check(by["changed"] == {"row": "changed", "key": {"id": "e5"}, "columns": {"n": {"before": 5, "after": 50}}}, f"{rows}")
            r = s.command("replay", "load", "--sql", f / "changed.sql", "--keep")
            check(r.returncode == 0 and "changed  id = e5:  n = 5 -> 50" in r.stdout and "kept: k.replay_t" in r.stdout, r.stdout + r.stderr)
            check({x["id"]: x["n"] for x in s.query("SELECT id, n FROM k.replay_t")} == {"e1": 1, "e2": 2, "e5": 50, "e99": 990}, "kept")
            check({x["id"]: x["n"] for x in s.query("SELECT id, n FROM k.t")} == {"e1": 1, "e2": 2, "e3": 3, "e5": 5}, "the table is as it was")
            check(replay(s)[1]["same"] == 4, "a kept shadow gives way")
            check(s.stop() == 0, s.output())


def test_what_retention_removed_is_no_difference():
    with folder() as f:
        p = project(f / "p", PIPELINE.replace("partitions = 2", "partitions = 1"))
        with Server(p) as s:
            start(s)
            r = s.command("topics", "trim", "events", "--before", "2", "--yes", "--brokers", f"127.0.0.1:{s.field('kafka_port')}")
            check(r.returncode == 0, r.stderr)
            check(replay(s) == ([], {"records": 3, "same": 2, "added": 0, "removed": 0, "changed": 0, "notComparable": 2, "dead": 0}), f"{replay(s)}")
            check(s.stop() == 0, s.output())


def test_a_replay_of_groups():
    with folder() as f:
        p = project(f / "p", "CREATE TOPIC events WITH (partitions = 2);\nCREATE TABLE k.c (city TEXT PRIMARY KEY, n BIGINT);\nCREATE STREAM load INTO k.c AS SELECT city, count(*) AS n FROM events GROUP BY city;\n")
        (f / "changed.sql").write_text("CREATE STREAM load INTO k.c AS SELECT city, count(*) AS n FROM events WHERE n > 1 GROUP BY city;\n")
        with Server(p) as s:
            start(s)
            wait_for("counted", lambda: s.query("SELECT n FROM k.c") == [{"n": 5}])
            check(replay(s)[1]["same"] == 1, "the same")
            rows, sums = replay(s, "--sql", f / "changed.sql")
            check(sums["changed"] == 1 and rows[0]["columns"]["n"] == {"before": 5, "after": 4}, f"{rows}")
            check(s.stop() == 0, s.output())


def test_what_can_not_be_replayed_is_refused():
    with folder() as f:
        p = project(f / "p", PIPELINE)
        (f / "other.sql").write_text(PIPELINE.replace("STREAM load", "STREAM other"))
        (f / "wrong.sql").write_text(PIPELINE.replace("city FROM", "cty AS city FROM missing"))
        with Server(p) as s:
            start(s)
            for args, part in ((("laod",), "laod"), (("load", "--sql", f / "other.sql"), "no CREATE STREAM load"), (("load", "--sql", f / "wrong.sql"), "missing")):
                r = s.command("replay", *args)
                check(r.returncode == 1 and part in r.stderr, f"{args}: {r.stderr}")
            s.query("CREATE TABLE k.replay_t (id TEXT PRIMARY KEY)")
            r = s.command("replay", "load")
            check(r.returncode == 1 and "yours" in r.stderr, r.stderr)
            check({t["table"] for t in s.query("SHOW TABLES")} == {"replay_t", "t"}, f"{s.query('SHOW TABLES')}")
            check(s.stop() == 0, s.output())
        check(run("replay", "load", "--project", p).returncode == 1, "nothing runs")


def test_a_span_is_replayed():
    with folder() as f:
        p = project(f / "p", PIPELINE.replace("partitions = 2", "partitions = 1"))
        (f / "changed.sql").write_text(CHANGED.replace("partitions = 2", "partitions = 1"))
        with Server(p) as s:
            start(s)  # offsets 0 to 4: n = 1, 2, 3, 5, 99
            produce(s, [{"id": "e3", "n": 33, "city": "later"}])
            wait_for("read", lambda: s.stage("load")["ledger"]["in"] == 6)
            rows, sums = replay(s, "--from", "1", "--to", "4")
            check(sums == {"records": 3, "same": 2, "added": 0, "removed": 0, "changed": 0, "notComparable": 2, "dead": 0} and not rows, f"{sums} {rows}")
            rows, sums = replay(s, "--from", "3", "--to", "5", "--sql", f / "changed.sql")
            check(sums["records"] == 2 and sums["changed"] == 1 and sums["added"] == 1 and sums["removed"] == 0, f"{sums} {rows}")
            check(replay(s, "--from", "2099-01-01T00:00:00Z")[1]["records"] == 0 and replay(s, "--to", "2099-01-01T00:00:00Z")[1]["records"] == 6, "times")
            r = s.command("replay", "load", "--from", "yesterday")
            check(r.returncode == 1 and "yesterday" in r.stderr, r.stderr)
            check(s.stop() == 0, s.output())


JOINED = """CREATE TOPIC events WITH (partitions = 2);
CREATE TOPIC people (id TEXT, name TEXT) WITH (partitions = 1);
CREATE TABLE k.c (city TEXT PRIMARY KEY, n BIGINT);
CREATE TABLE k.p (id TEXT PRIMARY KEY, name TEXT, city TEXT);
CREATE STREAM load INTO k.c AS SELECT city, count(*) AS n FROM events GROUP BY city;
CREATE STREAM pairs INTO k.p AS SELECT e.id AS id, p.name AS name, e.city AS city FROM events AS e JOIN people AS p ON e.id = p.id;
"""


def produce_at(s, topic, events, second):
    lines = "".join(json.dumps({"value": json.dumps(e), "timestamp": second * 1000}) + "\n" for e in events)
    r = s.command("produce", topic, "--json", "--brokers", f"127.0.0.1:{s.field('kafka_port')}", stdin=lines)
    check(r.returncode == 0, r.stderr)


def test_a_span_of_a_stream_with_state_and_several_topics():
    with folder() as f:
        p = project(f / "p", JOINED)
        with Server(p) as s:
            s.ready()
            base = 1790000000
            produce_at(s, "events", [{"id": "e1", "city": "Aarhus"}, {"id": "e2", "city": "Odense"}], base)
            produce_at(s, "people", [{"id": "e1", "name": "Ann"}], base)
            wait_for("read", lambda: s.stage("load")["ledger"]["in"] == 2 and s.stage("pairs")["ledger"]["in"] == 3)
            produce_at(s, "events", [{"id": "e3", "city": "Aarhus"}, {"id": "e4", "city": "Ribe"}], base + 100)
            produce_at(s, "people", [{"id": "e3", "name": "Bo"}, {"id": "e2", "name": "Cy"}], base + 100)
            wait_for("read", lambda: s.stage("load")["ledger"]["in"] == 4 and s.stage("pairs")["ledger"]["in"] == 7)
            later = ("--from", datetime.datetime.fromtimestamp(base + 50, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"))
            rows, sums = replay(s, *later)
            # Aarhus has lost the one before the span, Ribe is the same, Odense was written before it
            check(sums["records"] == 2 and sums["same"] == 1 and sums["changed"] == 1 and sums["removed"] == 0 and sums["notComparable"] == 1, f"{sums} {rows}")
            check(rows[0]["columns"]["n"] == {"before": 2, "after": 1}, f"{rows}")
            r = s.command("replay", "load", *later)
            check("state begins empty at events/" in r.stdout, r.stdout)
            r = s.command("replay", "pairs", "--json", *later)
            sums = [json.loads(l) for l in r.stdout.splitlines() if "records" in l][0]
            # e3 is made again; e2's event came before the span; e1 was written before it
            check(r.returncode == 0 and sums["records"] == 4 and sums["same"] == 1 and sums["removed"] == 1 and sums["notComparable"] == 1, r.stdout + r.stderr)
            r = s.command("replay", "pairs", "--json")
            check(json.loads(r.stdout.splitlines()[-1])["same"] == 3, r.stdout + r.stderr)
            r = s.command("replay", "pairs", "--from", "1")
            check(r.returncode == 1 and "which one's offset" in r.stderr, r.stderr)
            check(s.stop() == 0, s.output())
