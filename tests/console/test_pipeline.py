"""A SELECT becomes a stream or a view of the project while the server runs: drafted, planned, written, running."""
import os
import signal

from api import Api
from harness import Server, check, folder, project, run, wait_for

PIPELINE = """CREATE SOURCE people FROM GENERATOR '' WITH (seed = 'look', results = 300, total = 300, every = '2ms') INTO TOPIC people WITH (partitions = 2);
CREATE KEYSPACE k;
CREATE TABLE k.t (id TEXT PRIMARY KEY, nat TEXT);
CREATE STREAM load INTO k.t AS SELECT login.uuid AS id, nat FROM people;
"""
SELECT = "SELECT login.uuid AS id, name.first AS first, dob.age AS age, dob.date AS born, location.street AS street FROM people EMIT CHANGES;"


def count(s, table):
    return s.query(f"SELECT count(*) AS n FROM {table}")[0]["n"]


def all_there(s):
    wait_for("all records", lambda: count(s, "k.t") == 300)


def add(api, text, expect=200, version=None):
    version = version or api.post("/pipeline/check", {"text": text})["version"]
    return api.post("/pipeline/add", {"text": text, "version": version}, expect)


def test_a_select_becomes_a_stream_with_its_table_and_runs_at_once():
    with folder() as f:
        p = project(f / "p", PIPELINE)
        os.chmod(p / "pipeline.sql", 0o664)
        with Server(p) as s:
            s.ready()
            api = Api(s)
            all_there(s)
            draft = api.post("/pipeline/draft", {"select": SELECT, "as": "stream", "name": "promoted", "into": "made.people"})
            types = {c["name"]: c["type"] for c in draft["columns"]}
            check(types == {"id": "uuid", "first": "text", "age": "bigint", "born": "timestamp", "street": "text"}, f"{types}")
            check(draft["key"] == ["id"] and draft["makes_table"] and not draft["key_is_fixed"], f"{draft}")
            check("CREATE TABLE made.people (" in draft["text"] and "CREATE STREAM promoted INTO made.people AS\nSELECT" in draft["text"], draft["text"])
            check("EMIT" not in draft["text"] and "CAST(location.street AS text) AS street" in draft["text"], draft["text"])
            other = api.post("/pipeline/draft", {"select": SELECT, "as": "stream", "name": "promoted", "into": "made.people", "key": ["age", "id"]})
            check(other["key"] == ["age", "id"] and "PRIMARY KEY (age, id)" in other["text"], f"{other}")
            checked = api.post("/pipeline/check", {"text": draft["text"]})
            check(checked["plan"]["errors"] == 0 and not checked["behind"] and checked["line"] == 6, f"{checked}")
            new = next(x for x in checked["plan"]["streams"] if x["name"] == "promoted")
            check(new["change"] == "new", f"{new}")
            done = api.post("/pipeline/add", {"text": draft["text"], "version": checked["version"]})
            check(done["started"] == ["promoted"] and done["line"] == 6 and done["path"] == "pipeline.sql", f"{done}")
            check((p / "pipeline.sql").read_text() == PIPELINE + "\n" + draft["text"], (p / "pipeline.sql").read_text())
            check((p / "pipeline.sql").stat().st_mode & 0o777 == 0o664, "its mode stays")
            wait_for("its rows", lambda: count(s, "made.people") == 300)
            row = s.query("SELECT id, first, age, street FROM made.people LIMIT 1")[0]
            check(isinstance(row["age"], int) and row["street"].startswith("{"), f"{row}")
            stage = next(x for x in api.get("/streams") if x["name"] == "promoted")
            check(stage["ledger"]["in"] == 300 and stage["balanced"], f"{stage}")
            same = api.get("/upgrade")
            check(all(x["change"] == "same" for x in same["streams"]), f"what is on disk is what runs: {same['streams']}")
            text = add(api, "CREATE MATERIALIZED VIEW per_nat AS SELECT nat, count(*) AS n FROM people GROUP BY nat")
            check(text["started"] == ["per_nat"], f"a second time: {text}")
            wait_for("the view's rows", lambda: sum(r["n"] for r in s.query("SELECT nat, n FROM views.per_nat")) == 300)
            check(s.stop() == 0, s.output()[-2000:])
        with Server(p) as s:
            s.ready()
            check(count(s, "made.people") == 300 and s.stage("promoted")["ledger"]["in"] == 300, "it goes on where it was")
            check(sum(r["n"] for r in s.query("SELECT nat, n FROM views.per_nat")) == 300, "the view too")
            check(s.stop() == 0, s.output()[-2000:])


def test_a_view_has_the_querys_key_or_the_one_that_is_chosen():
    with folder() as f:
        p = project(f / "p", PIPELINE)
        with Server(p) as s:
            s.ready()
            api = Api(s)
            all_there(s)
            grouped = api.post("/pipeline/draft", {"select": "SELECT nat, count(*) AS n FROM people GROUP BY nat", "as": "view", "name": "per_nat"})
            check(grouped["key"] == ["nat"] and "PRIMARY KEY" not in grouped["text"] and not grouped["makes_table"], f"{grouped}")
            check([c["type"] for c in grouped["columns"]][1] == "bigint", f"{grouped}")
            typed = api.post("/pipeline/draft", {"select": "SELECT login.uuid AS id, dob.age, nat FROM people", "as": "view", "name": "ages"})
            check(typed["key"] == ["id"] and "SELECT CAST(login.uuid AS uuid) AS id, CAST(dob.age AS bigint) AS age, CAST(nat AS text) AS nat FROM people" in typed["text"], f"{typed}")
            check("CAST" not in grouped["text"], f"a group's key is the query's: {grouped}")
            plain = api.post("/pipeline/draft", {"select": 'SELECT CAST(login.uuid AS UUID) AS "order", nat FROM people', "as": "view", "name": "latest", "key": ["order"]})
            check('CREATE MATERIALIZED VIEW latest PRIMARY KEY ("order") AS' in plain["text"], plain["text"])
            done = add(api, plain["text"])
            check(done["started"] == ["latest"], f"{done}")
            wait_for("its rows", lambda: count(s, "views.latest") == 300)
            bad = api.post("/pipeline/draft", {"select": "SELECT nat,\n FROM people", "as": "view", "name": "x"}, 400)
            check(":2:" in bad["error"]["where"], f"where it stands in the cell: {bad}")
            bad = api.post("/pipeline/draft", {"select": "SELECT nat,\n  upperr(nat) AS x FROM people", "as": "view", "name": "x"}, 400)
            check(":2:3" in bad["error"]["where"], f"also what only the binder sees: {bad}")
            bad = api.post("/pipeline/draft", {"select": "SELECT a;\nSELECT b", "as": "view", "name": "x"}, 400)
            check("one SELECT" in bad["error"]["what"], f"{bad}")
            there = api.post("/pipeline/draft", {"select": "SELECT login.uuid AS id, nat FROM people", "as": "stream", "name": "again", "into": "k.t"})
            check(there["key_is_fixed"] and there["key"] == ["id"] and not there["makes_table"] and "CREATE TABLE" not in there["text"], f"{there}")
            check(s.stop() == 0, s.output()[-2000:])


def test_what_can_not_run_is_refused_and_the_file_stays_as_it_was():
    with folder() as f:
        p = project(f / "p", PIPELINE)
        for name, role in (("vera", "viewer"), ("uwe", "user"), ("olga", "op")):
            r = run("users", "add", name, "--role", role, "--project", p, "--data", p / ".sluice", stdin="secret-1\n")
            check(r.returncode == 0, r.stderr)
        file = p / "pipeline.sql"
        view = "CREATE MATERIALIZED VIEW per_nat AS SELECT nat, count(*) AS n FROM people GROUP BY nat;"
        with Server(p) as s:
            s.ready()
            admin, op = Api(s), Api(s, "olga", "secret-1")
            all_there(s)
            for who in (Api(s, "vera", "secret-1"), Api(s, "uwe", "secret-1")):
                version = who.post("/pipeline/check", {"text": view})["version"]
                who.post("/pipeline/add", {"text": view, "version": version}, 403)
            bad = add(admin, "CREATE STREAM s INTO k.t AS SELECT login.uuid AS idd, nat FROM people", 400)
            check("idd" in bad["error"]["what"] and bad["error"]["where"].startswith("pipeline.sql:6"), f"{bad}")
            for text, status, word in (("CREATE SOURCE x FROM GENERATOR '' INTO TOPIC x", 501, "while it runs"),
                                       ("DROP TABLE k.t", None, ""),
                                       ("ALTER STREAM load SET (upgrade = 'stop')", 501, "while it runs"),
                                       ("CREATE STREAM load INTO k.t AS SELECT login.uuid AS id, nat FROM people", 400, ""),
                                       ("-- nothing", 400, "")):
                bad = add(admin, text, status)
                check("error" in bad and word in bad["error"].get("hint", ""), f"{text}: {bad}")
            command = "CREATE TOPIC told;\nCREATE STREAM c INTO TOPIC told AS SELECT TRANSFORM (nat) USING 'cat' AS (nat TEXT) FROM people"
            check("Admin" in add(op, command, 403)["error"]["hint"], "a command runs as the server does")
            os.chmod(file, 0o444)
            check("write-protected" in add(op, view, 403)["error"]["what"], "a file that is not to be written")
            os.chmod(file, 0o644)
            check(file.read_text() == PIPELINE, "nothing of all that is in the file")
            version = admin.post("/pipeline/check", {"text": view})["version"]
            file.write_text(PIPELINE + "-- somebody was here\n")
            check("meanwhile" in admin.post("/pipeline/add", {"text": view, "version": version}, 409)["error"]["what"], "changed meanwhile")
            checked = admin.post("/pipeline/check", {"text": view})
            check(checked["behind"], f"{checked}")
            check("do not run yet" in add(admin, view, 409)["error"]["what"], "changes that do not run")
            check(file.read_text() == PIPELINE + "-- somebody was here\n", "theirs stands")
            check([x["name"] for x in admin.get("/streams")] == ["people", "load"], "nothing else runs")
            file.write_text(PIPELINE)
            check(add(op, view)["started"] == ["per_nat"], "an operator may")
            wait_for("the view's rows", lambda: sum(r["n"] for r in s.query("SELECT nat, n FROM views.per_nat")) == 300)
            check(s.stop() == 0, s.output()[-2000:])


def test_a_server_that_is_started_anew_goes_on_with_what_came():
    with folder() as f:
        p = project(f / "p", PIPELINE)
        with Server(p, restart=True) as s:
            s.ready()
            api = Api(s)
            all_there(s)
            add(api, "CREATE MATERIALIZED VIEW per_nat AS SELECT nat, count(*) AS n FROM people GROUP BY nat")
            wait_for("the view's rows", lambda: sum(r["n"] for r in s.query("SELECT nat, n FROM views.per_nat")) == 300)
            first = s.status()["pid"]
            os.kill(first, signal.SIGKILL)

            def again():
                r = s.command("status", "--json")
                return r.returncode == 0 and '"per_nat"' in r.stdout and f'"pid":{first}' not in r.stdout.replace(" ", "")
            wait_for("the next one runs it too", again)
            check(s.stop() == 0, s.output()[-2000:])
