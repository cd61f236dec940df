"""Why a row is there, and why a record made none."""
import json

from harness import Server, check, folder, project, run, wait_for

PIPELINE = """CREATE SOURCE people FROM GENERATOR '' WITH (seed = 'walk', results = 10, total = 20, every = '5ms', key = 'login.uuid')
  INTO TOPIC people WITH (partitions = 1);
CREATE TOPIC events WITH (partitions = 1);
CREATE TABLE k.people (id UUID PRIMARY KEY, first TEXT);
CREATE TABLE k.t (id TEXT PRIMARY KEY, n INT);
CREATE STREAM load_people INTO k.people AS SELECT login.uuid AS id, name.first AS first FROM people;
CREATE STREAM load INTO k.t AS SELECT id, CAST(n AS INT) + 1 AS n FROM events WHERE kind = 'keep'
  CHECK (id <> 'bad') ELSE DEAD LETTER CHECK (id <> 'skipped') ELSE SKIP;
"""
EVENTS = [{"id": "a", "n": 1, "kind": "keep"}, {"id": "b", "n": 2, "kind": "drop"}, {"id": "bad", "n": 3, "kind": "keep"},
          {"id": "skipped", "n": 4, "kind": "keep"}, {"id": "c", "n": "x", "kind": "keep"}, {"id": "a", "n": 6, "kind": "keep"}, {"id": "d", "n": 7, "kind": "keep"}]


def why(s, *words):
    r = s.command("why", *words, "--json")
    check(r.returncode == 0, r.stderr)
    return [json.loads(l) for l in r.stdout.splitlines()]


def told(steps, step):
    return [(x["known"], x["text"]) for x in steps if x["step"] == step]


def start(s):
    s.ready()
    r = s.command("produce", "events", "--brokers", f"127.0.0.1:{s.field('kafka_port')}", stdin="".join(json.dumps(e) + "\n" for e in EVENTS))
    check(r.returncode == 0, r.stderr)
    wait_for("all read", lambda: s.stage("load")["ledger"]["in"] == len(EVENTS) and s.stage("load_people")["ledger"]["in"] == 20)


def test_why_a_row_is_there():
    with folder() as f:
        p = project(f / "p", PIPELINE)
        with Server(p) as s:
            start(s)
            steps = why(s, "k.t", "a")
            check(told(steps, "row")[0] == ("stored", "id = a, n = 7"), f"{steps}")
            check(told(steps, "origin") == [("stored", "events/0 offset 5")], f"{steps}")
            check(told(steps, "epoch")[0][0] == "stored" and json.loads(told(steps, "record")[0][1]) == EVENTS[5], f"{steps}")
            check(told(steps, "WHERE")[0][0] == "recomputed" and told(steps, "WHERE")[0][1].endswith("-> true"), f"{steps}")
            check([t for k, t in told(steps, "output")][0].endswith("-> a") and told(steps, "output")[1][1].endswith("-> 7"), f"{steps}")
            check(told(steps, "row")[1] == ("recomputed", "id = a, n = 7"), f"{steps}")
            person = s.query("SELECT id, first FROM k.people LIMIT 1")[0]
            steps = why(s, "k.people", person["id"])
            check("page" in told(steps, "fetch")[0][1] or "seed" in told(steps, "fetch")[0][1], f"{steps}")
            check(told(steps, "row")[-1][1] == f"id = {person['id']}, first = {person['first']}", f"{steps}")
            s.query("INSERT INTO k.t (id, n) VALUES ('mine', 1)")
            check("no stream wrote it" in told(why(s, "k.t", "mine"), "row")[-1][1], "a person's row")
            r = s.command("why", "k.t", "nobody")
            check(r.returncode == 1 and "no row" in r.stderr and "no trace" in r.stderr, r.stderr)
            check(s.command("why", "k.t", "a", "b").returncode == 1 and s.command("why", "k.tt", "a").returncode == 1 and s.command("why", "k.t").returncode == 2, "wrong words")
            r = s.command("why", "k.t", "a")
            check(r.stdout.startswith("stored") and "\nrecomputed" in r.stdout, r.stdout)
            check(s.stop() == 0, s.output())


def test_why_a_record_made_a_row_or_none():
    with folder() as f:
        p = project(f / "p", PIPELINE)
        with Server(p) as s:
            start(s)
            check(told(why(s, "events", "0", "0"), "overwritten") == [("stored", "by stream load from events/0 offset 5")], f"{why(s, 'events', '0', '0')}")
            steps = why(s, "events", "0", "1")
            check(told(steps, "WHERE")[0][1].endswith("-> false") and told(steps, "filtered") and not told(steps, "output"), f"{steps}")
            steps = why(s, "events", "0", "2")
            check("CONSTRAINT" in told(steps, "dead letter")[0][1] and told(steps, "CHECK … ELSE DEAD LETTER")[0][1].endswith("-> false"), f"{steps}")
            steps = why(s, "events", "0", "3")
            check(told(steps, "CHECK … ELSE SKIP")[0][1].endswith("-> false") and told(steps, "filtered"), f"{steps}")
            steps = why(s, "events", "0", "4")
            check("CAST" in told(steps, "dead letter")[0][1] and told(steps, "dead letter")[0][0] == "stored" and "CAST" in told(steps, "dead")[0][1], f"{steps}")
            check(told(why(s, "events", "0", "5"), "in the table"), f"{why(s, 'events', '0', '5')}")
            s.query("DELETE FROM k.t WHERE id = 'd'")
            check(told(why(s, "events", "0", "6"), "not in the table")[0][0] == "no longer knowable", "removed")
            check(s.command("why", "events", "0", "99").returncode == 1, "beyond the end")
            check(s.command("streams", "pause", "load").returncode == 0, "paused")
            r = s.command("produce", "events", "--brokers", f"127.0.0.1:{s.field('kafka_port')}", stdin="{}\n")
            check(told(why(s, "events", "0", "7"), "not read yet") == [("stored", "the stream stands at offset 7")], "lag")
            r = s.command("topics", "trim", "events", "--before", "6", "--yes", "--brokers", f"127.0.0.1:{s.field('kafka_port')}")
            check(r.returncode == 0, r.stderr)
            steps = why(s, "k.t", "a")
            check(told(steps, "record") == [("no longer knowable", "retention removed offsets < 6 of events/0")] and not told(steps, "WHERE"), f"{steps}")
            check(s.stop() == 0, s.output())
        r = run("why", "k.t", "a", "--project", p)
        check(r.returncode == 1 and "no sluice runs" in r.stderr, r.stderr)


def test_what_can_not_be_explained_refuses_by_name():
    with folder() as f:
        p = project(f / "p", "CREATE TOPIC events WITH (partitions = 1);\nCREATE TABLE k.c (kind TEXT PRIMARY KEY, n BIGINT);\nCREATE STREAM counts INTO k.c AS SELECT kind, count(*) AS n FROM events GROUP BY kind;\n")
        with Server(p) as s:
            s.ready()
            r = s.command("produce", "events", "--brokers", f"127.0.0.1:{s.field('kafka_port')}", stdin='{"kind": "a"}\n')
            wait_for("counted", lambda: s.query("SELECT kind, n FROM k.c") == [{"kind": "a", "n": 1}])
            for words in (("k.c", "a"), ("events", "0", "0")):
                r = s.command("why", *words)
                check(r.returncode == 1 and "counts" in r.stderr and "several records" in r.stderr, r.stdout + r.stderr)
            check(s.stop() == 0, s.output())
