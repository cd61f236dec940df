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


STATE = """CREATE TOPIC events (k TEXT, id TEXT, n BIGINT, at TIMESTAMP, WATERMARK FOR at AS at - INTERVAL '2' SECOND) WITH (partitions = 1);
CREATE TOPIC people (k TEXT, name TEXT, at TIMESTAMP, WATERMARK FOR at AS at - INTERVAL '2' SECOND) WITH (partitions = 1);
CREATE TABLE k.sums (k TEXT PRIMARY KEY, n BIGINT, s BIGINT);
CREATE TABLE k.win (k TEXT, w TIMESTAMP, n BIGINT, PRIMARY KEY (k, w));
CREATE TABLE k.pairs (id TEXT PRIMARY KEY, name TEXT, n BIGINT);
CREATE TABLE k.top (k TEXT, r BIGINT, id TEXT, n BIGINT, PRIMARY KEY (k, r));
CREATE TABLE k.firsts (id TEXT PRIMARY KEY, n BIGINT);
CREATE TABLE k.few (k TEXT PRIMARY KEY, n BIGINT);
CREATE TABLE k.both (k TEXT PRIMARY KEY, name TEXT);
CREATE STREAM sums INTO k.sums AS SELECT k, count(*) AS n, sum(n) AS s FROM events WHERE n < 1000 GROUP BY k;
CREATE STREAM win INTO k.win AS SELECT k, window_start AS w, count(*) AS n FROM TUMBLE(events, at, INTERVAL '10' SECOND) GROUP BY k, window_start EMIT ON WINDOW CLOSE;
CREATE STREAM pairs INTO k.pairs AS SELECT e.id AS id, p.name AS name, e.n AS n FROM events AS e JOIN people AS p ON e.k = p.k;
CREATE STREAM top INTO k.top AS SELECT k, r, id, n FROM (SELECT id, k, n, ROW_NUMBER() OVER (PARTITION BY k ORDER BY n DESC) AS r FROM events) WHERE r <= 2;
CREATE STREAM firsts INTO k.firsts AS SELECT id, n FROM (SELECT DISTINCT id, n FROM events);
CREATE STREAM few INTO k.few AS SELECT k, count(*) AS n FROM events GROUP BY k HAVING count(*) < 8;
CREATE STREAM both INTO k.both AS SELECT id AS k, k AS name FROM events UNION ALL SELECT k, name FROM people;
"""
STREAMS = ("sums", "win", "pairs", "top", "firsts", "few", "both")


def give(s, topic, events):
    r = s.command("produce", topic, "--brokers", f"127.0.0.1:{s.field('kafka_port')}", stdin="".join(json.dumps(e) + "\n" for e in events))
    check(r.returncode == 0, r.stderr)
    s.given = getattr(s, "given", {})
    s.given[topic] = s.given.get(topic, 0) + len(events)
    reads = {name: s.given.get("events", 0) + (s.given.get("people", 0) if name in ("pairs", "both") else 0) for name in STREAMS}
    wait_for("all read", lambda: all(s.stage(name)["ledger"]["in"] == reads[name] for name in STREAMS))


def at(second):
    return f"2026-11-21T10:00:{second:02d}Z"


def start_state(s):
    s.ready()
    give(s, "events", [{"k": "ab"[i % 2], "id": f"e{i}", "n": i, "at": at(i)} for i in range(10)])
    give(s, "people", [{"k": "a", "name": "Ann", "at": at(1)}])
    give(s, "events", [{"k": "a", "id": "e10", "n": 100, "at": at(30)}, {"k": "a", "id": "e11", "n": 1, "at": at(31)},
                       {"k": "a", "id": "big", "n": 5000, "at": at(31)}, {"k": "a", "id": "e4", "n": 4, "at": at(32)}])
    give(s, "events", [{"k": "a", "id": "late", "n": 1, "at": at(2)}])


def test_why_rows_of_several_records():
    with folder() as f:
        p = project(f / "p", STATE)
        with Server(p) as s:
            start_state(s)
            equal = [("recomputed", "equal to the row that is stored")]
            steps = why(s, "k.sums", "a")
            check(told(steps, "verdict") == equal and told(steps, "row")[-1] == ("recomputed", "k = a, n = 9, s = 126"), f"{steps}")
            check(told(steps, "records") == [("recomputed", "9 of events reach the row")], f"{steps}")
            first = "events/0 offset 0 (epoch 1): "
            check(told(steps, "record")[0][1].startswith(first) and json.loads(told(steps, "record")[0][1][len(first):])["id"] == "e0" and len(told(steps, "record")) == 9, f"{steps}")
            check([t.split(": ", 1)[1] for _, t in told(steps, "change")][-1] == "k = a, n = 8, s = 125 -> k = a, n = 9, s = 126", f"{steps}")
            steps = why(s, "k.sums", "a", "--records", "2")
            check(len(told(steps, "record")) == 4 and told(steps, "records")[1][1] == "… 5 more …", f"{steps}")
            steps = why(s, "k.win", "a", at(0))
            check(told(steps, "verdict") == equal and told(steps, "records")[0][1] == "5 of events reach the row", f"{steps}")
            steps = why(s, "k.pairs", "e2")
            check(told(steps, "verdict") == equal and [t for _, t in told(steps, "records")] == ["1 of events reach the row", "1 of people reach the row"], f"{steps}")
            steps = why(s, "k.top", "a", "1")
            check(told(steps, "verdict") == equal and told(steps, "change")[-1][1].endswith("k = a, r = 1, id = e8, n = 8 -> k = a, r = 1, id = big, n = 5000"), f"{steps}")
            steps = why(s, "k.firsts", "e4")
            check(told(steps, "verdict") == equal and told(steps, "origin") == [("stored", "events/0 offset 4")], f"{steps}")
            steps = why(s, "k.both", "a")
            check(told(steps, "origin") == [("stored", "people/0 offset 0")] and told(steps, "row")[-1][1] == "k = a, name = Ann", f"{steps}")
            # taken back: the group has grown out of HAVING
            steps = why(s, "k.few", "a")
            check(told(steps, "verdict") == [("recomputed", "no row, as in the table")] and told(steps, "change")[-1][1].endswith("-> no row"), f"{steps}")
            check(told(why(s, "k.few", "nobody"), "records")[0][1].startswith("0 of"), "nothing reaches it")
            # somebody else's hand: red
            s.query("UPDATE k.sums SET n = 77 WHERE k = 'a'")
            r = s.command("why", "k.sums", "a")
            check(r.returncode == 1 and "DIFFERS from the table: n is 77 in the table, 9 recomputed" in r.stdout and "writetime" in r.stderr, r.stdout + r.stderr)
            # what retention took is said, and explains the difference
            r = s.command("topics", "trim", "events", "--before", "4", "--yes", "--brokers", f"127.0.0.1:{s.field('kafka_port')}")
            check(r.returncode == 0, r.stderr)
            steps = why(s, "k.sums", "b")
            check("removed 4 offsets" in [t for k, t in told(steps, "records") if k == "no longer knowable"][0], f"{steps}")
            check("n is 5 in the table, 3 recomputed" in told(steps, "verdict")[0][1], f"{steps}")
            check(s.stop() == 0, s.output())


def test_what_state_did_with_a_record():
    with folder() as f:
        p = project(f / "p", STATE)
        with Server(p) as s:
            start_state(s)
            def of(stream, *words):
                return [x for x in why(s, *words) if x["stream"] == stream]
            check(told(of("sums", "events", "0", "0"), "effect")[-1][1].endswith("k = a, n = 9, s = 126; without the record: k = a, n = 8, s = 126"), f"{of('sums', 'events', '0', '0')}")
            check(told(of("sums", "events", "0", "12"), "filtered"), "WHERE")
            check(told(of("win", "events", "0", "0"), "applied") and "n = 5; without the record" in told(of("win", "events", "0", "0"), "effect")[0][1], "a window that closed")
            check(told(of("win", "events", "0", "10"), "held")[0][1] == "it still waits for its window's end", "open")
            check(told(of("win", "events", "0", "14"), "late")[0][1].startswith("the watermark stood at 2026-11-21T10:00:30"), f"{of('win', 'events', '0', '14')}")
            check(told(of("pairs", "events", "0", "1"), "held")[0][1] == "it still waits for a partner", "no partner")
            check("name = Ann" in told(of("pairs", "events", "0", "0"), "effect")[0][1] and len(told(of("pairs", "people", "0", "0"), "effect")) >= 4, "partners")
            check(told(of("top", "events", "0", "13"), "filtered")[0][1] == "it was not among the first 2 of its key", "top")
            check(told(of("top", "events", "0", "0"), "no row")[0][1].endswith("others of its key went before it"), "pushed out")
            check(told(of("firsts", "events", "0", "13"), "duplicate")[0][1].endswith("first in events/0 offset 4"), f"{of('firsts', 'events', '0', '13')}")
            check(told(of("both", "people", "0", "0"), "in the table"), f"{of('both', 'people', '0', '0')}")
            check(s.stop() == 0, s.output())


def test_what_a_command_made_can_not_be_explained():
    with folder() as f:
        p = project(f / "p", "CREATE TOPIC events WITH (partitions = 1);\nCREATE TABLE k.c (id TEXT PRIMARY KEY, n INT);\nCREATE STREAM asked INTO k.c AS SELECT TRANSFORM (id, n) USING 'cat' AS (id TEXT, n INT) FROM events;\n")
        with Server(p) as s:
            s.ready()
            r = s.command("produce", "events", "--brokers", f"127.0.0.1:{s.field('kafka_port')}", stdin='{"id": "a", "n": 1}\n')
            wait_for("made", lambda: s.query("SELECT id FROM k.c") == [{"id": "a"}])
            for words in (("k.c", "a"), ("events", "0", "0")):
                r = s.command("why", *words)
                check(r.returncode == 1 and "asked" in r.stderr and "a command of yours" in r.stderr, r.stdout + r.stderr)
            check(s.stop() == 0, s.output())
