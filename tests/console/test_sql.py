"""Statements, notebooks and dashboards by the console's API."""
import json
import threading

from api import Api
from harness import Server, check, folder, project, run, wait_for

PIPELINE = """CREATE SOURCE people FROM GENERATOR '' WITH (seed = 'look', results = 300, total = 300, every = '2ms') INTO TOPIC people;
CREATE KEYSPACE k;
CREATE TABLE k.t (id TEXT PRIMARY KEY, nat TEXT);
CREATE STREAM load INTO k.t AS SELECT login.uuid AS id, nat FROM people;
"""


def test_statements_give_rows_with_their_types_and_mistakes_their_place():
    with folder() as f:
        p = project(f / "p", PIPELINE)
        with Server(p) as s:
            s.ready()
            api = Api(s)
            wait_for("all rows", lambda: s.query("SELECT count(*) AS n FROM k.t")[0]["n"] == 300)
            got = api.post("/sql", {"text": "SELECT nat, count(*) AS n FROM k.t GROUP BY nat; SELECT id FROM k.t", "limit": 10})
            check([c["name"] for c in got["results"][0]["columns"]] == ["nat", "n"], f"{got}")
            check(sum(r[1] for r in got["results"][0]["rows"]) <= 300 and got["results"][1]["more"], f"{got}")
            check(len(got["results"][1]["rows"]) == 10, "the limit")
            api.post("/sql", {"text": "CREATE TABLE k.big (a BIGINT PRIMARY KEY, d DECIMAL, l LIST<TEXT>)"})
            api.post("/sql", {"text": "INSERT INTO k.big (a, d, l) VALUES (9007199254740993, 1.50, ['x', 'ü'])"})
            got = api.post("/sql", {"text": "SELECT a, d, l FROM k.big"})
            check(got["results"][0]["rows"][0][0] == "9007199254740993", f"exact: {got}")
            check(got["results"][0]["rows"][0][2] == ["x", "ü"], f"{got}")
            bad = api.post("/sql", {"text": "SELECT natt FROM k.t"}, expect=400)
            check("natt" in bad["error"]["what"] and "nat" in bad["error"]["hint"], f"{bad}")
            bad = api.post("/sql", {"text": "SELECT 1;\nSELEC 2"}, expect=400)
            check(":2:1" in bad["error"]["where"], f"{bad}")
            names = api.get("/sql/names")
            relations = {r["name"]: r for r in names["relations"]}
            check([c["name"] for c in relations["k.t"]["columns"]] == ["id", "nat"] and relations["people"]["kind"] == "topic", f"{relations}")
            check("SELECT" in [w.upper() for w in names["words"]] and any(x["name"] == "upper" for x in names["functions"]), "words and functions")
            check(s.stop() == 0, s.output()[-2000:])


def test_who_may_only_read_changes_nothing():
    with folder() as f:
        p = project(f / "p", PIPELINE)
        for name, role in (("vera", "viewer"), ("uwe", "user"), ("olga", "op")):
            r = run("users", "add", name, "--role", role, "--project", p, "--data", p / ".sluice", stdin="secret-1\n")
            check(r.returncode == 0, r.stderr)
        with Server(p) as s:
            s.ready()
            admin, viewer, user, op = Api(s), Api(s, "vera", "secret-1"), Api(s, "uwe", "secret-1"), Api(s, "olga", "secret-1")
            viewer.post("/sql", {"text": "SELECT id FROM k.t"})
            for who in (viewer, user):
                for text in ("DROP TABLE k.t", "TRUNCATE k.t", "SELECT id FROM k.t; DELETE FROM k.t WHERE id = 'x'"):
                    bad = who.post("/sql", {"text": text}, expect=403)
                    check("only what reads" in bad["error"]["what"], f"{bad}")
            viewer.put("/notebooks/mine", {"content": {"nbformat": 4, "cells": []}}, expect=403)
            op.post("/sql", {"text": "CREATE TABLE k.mine (a INT PRIMARY KEY)"})
            bad = op.post("/sql", {"text": "CREATE ROLE root WITH SUPERUSER = true AND LOGIN = true AND PASSWORD = 'x'"}, expect=None)
            check("error" in bad, f"no way to more rights: {bad}")
            admin.post("/sql", {"text": "DROP TABLE k.mine"})
            check(s.stop() == 0, s.output()[-2000:])


def test_a_live_statement_tells_records_as_they_come_and_ends_with_who_asked():
    with folder() as f:
        p = project(f / "p", "CREATE TOPIC t WITH (partitions = 1);\n")
        with Server(p) as s:
            s.ready()
            api = Api(s)
            stream = api.stream("/sql/watch", {"text": "SELECT a FROM t EMIT CHANGES"})
            lines = []

            def read():
                while not lines:
                    line = stream.readline()
                    if line.strip():
                        lines.append(json.loads(line))
            reader = threading.Thread(target=read, daemon=True)
            reader.start()
            for n in range(1, 200):
                if lines:
                    break
                r = s.command("produce", "t", "--brokers", f"127.0.0.1:{s.field('kafka_port')}", stdin=json.dumps({"a": n}) + "\n")
                check(r.returncode == 0, r.stderr)
            check(lines, "no record came")
            check(lines[0]["a"] >= 1, f"{lines}")
            reader.join()
            stream.close()
            bad = api.post("/sql/watch", {"text": "SELECT a FROM t"}, expect=400)
            check("EMIT CHANGES" in bad["error"]["hint"], f"{bad}")
            check(s.stop() == 0, s.output()[-2000:])


def test_files_are_the_projects_and_nobody_overwrites_what_was_not_read():
    notebook = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [{"cell_type": "markdown", "id": "a", "metadata": {}, "source": ["# ü"]}]}
    with folder() as f:
        p = project(f / "p", PIPELINE)
        with Server(p) as s:
            s.ready()
            api = Api(s)
            check(api.get("/notebooks") == [], "none yet")
            made = api.put("/notebooks/first%20look", {"content": notebook})
            check(made["path"] == "notebooks/first look.ipynb", f"{made}")
            check(json.loads((p / "notebooks" / "first look.ipynb").read_text()) == notebook, "as Jupyter has it")
            check(api.put("/notebooks/first%20look", {"content": notebook}, expect=409)["error"]["what"].startswith("there is"), "not over another")
            read = api.get("/notebooks/first%20look")
            check(read["content"] == notebook and read["version"] == made["version"], f"{read}")
            notebook["cells"][0]["source"] = ["# changed"]
            changed = api.put("/notebooks/first%20look", {"content": notebook, "version": read["version"]})
            check(changed["version"] != read["version"], "another version")
            api.put("/notebooks/first%20look", {"content": notebook, "version": read["version"]}, expect=409)
            for name in ("..%2F..%2Fetc", ".hidden", "a%2Fb", "a%00b", "%2e%2e"):
                check(api.put(f"/notebooks/{name}", {"content": notebook}, expect=None).get("error"), name)
            check(api.put("/notebooks/x", {"content": {"cells": 1}}, expect=400)["error"]["what"] == "this is no notebook", "checked")
            api.put("/dashboards/users", {"content": {"title": "users", "widgets": []}})
            check([d["name"] for d in api.get("/dashboards")] == ["users"], "listed")
            api.delete("/dashboards/users")
            api.get("/dashboards/users", expect=404)
            check(sorted(x.name for x in p.iterdir()) == [".sluice", "dashboards", "notebooks", "pipeline.sql"], f"{list(p.iterdir())}")
            check(s.stop() == 0, s.output()[-2000:])
