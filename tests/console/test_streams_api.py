"""The console's API of streams, dead letters, tables and lineage, beside what the command line says of the same."""
import contextlib
import json
import urllib.parse

from console import Console, Live
from harness import Server, check, folder, project, run, wait_for

PIPELINE = """CREATE TOPIC orders WITH (partitions = 1);
CREATE TABLE shop.orders (id INT PRIMARY KEY, name TEXT, price DOUBLE);
CREATE STREAM load INTO shop.orders AS SELECT CAST(id AS INT) AS id, CAST(name AS TEXT) AS name, CAST(price AS DOUBLE) AS price
FROM orders WHERE id > 0 CHECK (price > 0) ELSE DEAD LETTER;
CREATE MATERIALIZED VIEW by_name AS SELECT name, count(*) AS n FROM orders GROUP BY name;
"""
XSS = '<img src=x onerror="window.pwned=1">'


@contextlib.contextmanager
def opened(text=PIPELINE, sets=()):
    with folder() as f:
        p = project(f / "shop", text)
        with Server(p, sets=sets) as s:
            s.ready()
            c = Console(s.field("console_port"))
            c.basic = ("admin", "admin")
            yield s, c, p
            s.stop()


def send(c, *records):
    for r in records:
        status, _, answer = c.ask("POST", "topics/orders/messages", {"value": r if isinstance(r, str) else json.dumps(r)})
        check(status < 300, f"produce: {status} {answer}")


def settled(c, records):
    wait_for("every record to be accounted for", lambda: all(st["ledger"]["in"] >= records for st in c.get("streams") if st["kind"] == "stream"), 60)


def do(c, method, path, body=None, status=None):
    got, _, answer = c.ask(method, path, {} if body is None else body)
    check(got == status if status else got < 300, f"{method} {path} {body}: {got} {answer}")
    return answer


GOOD = [{"id": n, "name": f"name {n}", "price": 2.5} for n in range(1, 6)]


def test_streams_and_their_plans():
    with opened() as (s, c, p):
        send(c, *GOOD, {"id": -1, "name": "x", "price": 1}, {"id": 7, "name": "seven", "price": -3}, {"id": "x", "name": "y", "price": 1})
        settled(c, 8)
        stages = {x["name"]: x for x in c.get("streams")}
        check(set(stages) == {"load", "by_name"}, stages)
        load, ours = stages["load"], s.stage("load")
        for term in ("in", "applied", "filtered", "deduplicated", "late", "dead", "expired", "held"):
            check(load["ledger"][term] == ours["ledger"][term], f"{term}: {load['ledger']} {ours['ledger']}")
        check(load["balanced"] and load["ledger"]["in"] == 8 and load["ledger"]["applied"] == 5 and load["ledger"]["filtered"] == 1 and load["ledger"]["dead"] == 2, load)
        one = c.get("streams/load")
        check(one["table"] == ["shop", "orders"] and one["topics"] == ["orders"] and one["sql"].startswith("CREATE STREAM load"), one)
        nodes = {n["kind"]: n for n in one["graph"]["nodes"]}
        check(list(nodes) == ["topic", "rows", "write"], nodes)
        check(nodes["topic"]["rows_in"] == 8 and nodes["write"]["rows_in"] == 5 and nodes["rows"]["rows_out"] == 5, nodes)
        check("price > 0" in nodes["rows"]["about"] and all(n["spent_ms"] > 0 for n in nodes.values()), nodes)
        ids = {n["id"] for n in one["graph"]["nodes"]}
        check(one["graph"]["edges"] == [[0, 1], [1, 2]] and ids == {0, 1, 2}, one["graph"])
        view = c.get("streams/by_name")
        group = next(n for n in view["graph"]["nodes"] if n["kind"] == "group")
        check(group["stateful"] and group["state_rows"] == 8 and "count(*)" in group["about"], group)
        said = run("streams", "--json", "load", "--project", p, "--data", p / ".sluice")
        check(json.loads(said.stdout)["batchId"] == c.get("streams/load/progress")[-1]["batchId"], said.stdout)
        do(c, "GET", "streams/nobody", status=404)


def test_acts_tell_their_cost_and_are_done():
    with opened() as (s, c, p):
        send(c, *GOOD, {"id": 7, "name": "seven", "price": -3})
        settled(c, 6)
        cost = c.get("streams/load/cost?what=reset")
        check((cost["forgets"], cost["letters"], cost["again"], cost["missing"], cost["ledger"]["in"], cost["table_rows"]) == (True, 1, 6, 0, 6, 5), cost)
        check("6 records are read again" in cost["text"], cost["text"])
        asked = run("streams", "reset", "load", "--project", p, "--data", p / ".sluice", stdin="no\n")
        check("6 records are read again" in asked.stdout and "nothing was removed" in asked.stdout, asked.stdout)  # the same words
        check(do(c, "POST", "streams/load/act", {"what": "pause"})["state"] == "paused", "pause")
        send(c, {"id": 8, "name": "eight", "price": 1})
        wait_for("the lag", lambda: c.get("streams/load")["stage"]["lag"] == 1)
        do(c, "POST", "streams/load/act", {"what": "resume"})
        settled(c, 7)
        for body in ({"what": "reset"}, {"what": "reset", "confirm": "loads"}, {"what": "eat"}, {}):
            do(c, "POST", "streams/load/act", body, status=400)
        do(c, "POST", "streams/load/act", {"what": "reset", "confirm": "load"})
        wait_for("all to be read again", lambda: c.get("streams/load")["stage"]["ledger"]["in"] == 7)
        check(do(c, "POST", "streams/load/act", {"what": "restart"})["name"] == "load", "restart")
        check(do(c, "POST", "streams/load/act", {"what": "drop", "confirm": "load"}, status=409)["error"]["hint"] != "", "drop of what is declared")


def test_a_letter_is_mended_and_replayed():
    with opened() as (s, c, p):
        live = Live(logged_in(c), "dead", "stream:load")
        send(c, *GOOD, {"id": 7, "name": XSS, "price": -3}, {"id": 8, "name": "eight", "price": "free"}, '{"id": 9, "na')
        settled(c, 8)
        told = c.get("dead")["stages"]
        load = next(x for x in told if x["stage"] == "load")
        check(load["letters"] == 3 and load["dead"] == 3 and load["declared"] and len(load["groups"]) == 3 and not load["more"], load)
        check(any(g["expression"] and "price > 0" in g["expression"] for g in load["groups"]), load)
        while True:  # seen live, without asking
            channel, value = live.next()
            if channel == "dead" and any(x["stage"] == "load" and x["letters"] == 3 for x in value["stages"]):
                break
        page = c.get("dead/load?limit=2")
        check([l["offset"] for l in page["letters"]] == [7, 6] and page["next"], page)
        rest = c.get("dead/load?limit=2&before=" + page["next"])
        check([l["offset"] for l in rest["letters"]] == [5] and rest["next"] is None, rest)
        some = c.get("dead/load?" + urllib.parse.urlencode({"where": '"offset" = 6 AND code LIKE \'%\''}))
        check([l["offset"] for l in some["letters"]] == [6], some)
        do(c, "GET", "dead/load?where=nonsense+here", status=400)
        letter = rest["letters"][0]
        check(json.loads(letter["record"])["name"] == XSS and letter["topic"] == "orders" and letter["mended"] is None, letter)
        whole = c.get(f"dead/load/{letter['place']}")
        mended = do(c, "PUT", f"dead/load/{letter['place']}", {"record": json.dumps({"id": 7, "name": XSS, "price": 3})})
        check(json.loads(mended["mended"])["price"] == 3 and mended["record"] == whole["record"], mended)
        done = do(c, "POST", "dead/load/replay", {"places": [letter["place"]]})
        check(done == {"replayed": 1, "mended": 1, "again": 0, "left": 0}, done)
        row = c.get("tables/shop/orders/row?key=7")
        check({x["column"]["name"]: x["value"] for x in row["cells"]} == {"id": "7", "name": XSS, "price": "3"}, row)
        check(do(c, "GET", f"dead/load/{letter['place']}", status=404)["error"]["what"], "the letter is still there")
        wait_for("the ledger", lambda: s.stage("load")["ledger"]["dead"] == 2 and c.get("streams/load")["stage"]["balanced"])
        again = do(c, "POST", "dead/load/replay")
        check((again["replayed"], again["again"]) == (2, 2), again)
        do(c, "POST", "dead/load/forget", {"code": load["groups"][0]["code"]}, status=400)  # the name was not said
        gone = do(c, "POST", "dead/load/forget", {"confirm": "load"})
        check(gone["letters"] == 2 and c.get("dead/load")["letters"] == [], gone)
        live.close()


def logged_in(c):
    other = Console(c.port)
    check(other.login()[0] == 200, "login")
    return other


def steps(c, query):
    status, _, text = c.ask("GET", "why?" + urllib.parse.urlencode(query, doseq=True))
    check(status == 200, f"why {query}: {status} {text}")
    return [json.loads(line)["step"] for line in text.decode().splitlines() if "step" in json.loads(line)]


def test_tables_rows_and_why():
    with opened() as (s, c, p):
        send(c, *GOOD, {"id": 6, "name": XSS, "price": 9})
        settled(c, 6)
        told = c.get("tables")
        sizes = {(t["keyspace"], t["name"]): t for t in told["tables"]}
        check(sizes[("shop", "orders")]["rows"] == 6 and sizes[("shop", "orders")]["writers"] == ["load"] and sizes[("views", "by_name")]["kind"] == "view", sizes)
        check(sizes[("system", "local")]["kind"] == "system", "the server's own tables")
        one = c.get("tables/shop/orders")
        check([x["name"] for x in one["columns"]][0] == "id" and one["columns"][0]["role"] == "partition" and "stream load writes" in one["held"] and one["describe"].startswith("CREATE TABLE shop.orders"), one)
        check(c.get("tables/system/local/rows")["rows"][0][0] == "local", "a table that only CQL knows")
        rows, page = [], ""
        while page is not None:
            got = c.get("tables/shop/orders/rows?limit=2&page=" + urllib.parse.quote(page))
            rows += got["rows"]
            page = got["next"]
        ours = s.query("SELECT id, name FROM shop.orders")
        check(sorted((int(r[0]), r[1]) for r in rows) == sorted((r["id"], r["name"]) for r in ours) and len(rows) == 6, rows)
        got = c.get("tables/shop/orders/rows?" + urllib.parse.urlencode({"where": "price > 5"}))
        check([r[1] for r in got["rows"]] == [XSS], got)
        for where in ("nonsense", "id = 1; DROP TABLE shop.orders", "id = 1 -- ", "id = 1 /*", "1=1) DROP TABLE shop.orders"):
            status, _, answer = c.ask("GET", "tables/shop/orders/rows?" + urllib.parse.urlencode({"where": where}))
            check(status == 400 or (status == 200 and len(answer["rows"]) <= 1), f"{where}: {status} {answer}")
        check(len(c.get("tables/shop/orders/rows")["rows"]) == 6, "a condition has changed the table")
        told = steps(c, {"keyspace": "shop", "table": "orders", "key": ["6"]})
        said = run("why", "shop.orders", "6", "--json", "--project", p, "--data", p / ".sluice")
        check([json.loads(line) for line in said.stdout.splitlines()] == told, f"{said.stdout} {told}")
        check(told[0]["step"] == "row" and XSS in told[0]["text"] and any(x["stream"] == "load" for x in told), told)
        forward = steps(c, {"topic": "orders", "partition": 0, "offset": 5})
        check(any(x["stream"] == "load" for x in forward) and any(x["stream"] == "by_name" for x in forward), forward)
        for query, status in (({"keyspace": "shop", "table": "nothing", "key": "1"}, 404), ({"keyspace": "shop", "table": "orders"}, 400), ({"topic": "nothing", "partition": 0, "offset": 0}, 404), ({"topic": "orders"}, 400)):
            check(c.ask("GET", "why?" + urllib.parse.urlencode(query))[0] == status, query)


def test_tables_are_emptied_and_dropped_where_nobody_writes():
    with opened() as (s, c, p):
        s.query("CREATE TABLE shop.notes (id INT PRIMARY KEY, t TEXT)")
        s.query("INSERT INTO shop.notes (id, t) VALUES (1, 'one')")
        refused = do(c, "POST", "tables/shop/orders/act", {"what": "truncate", "confirm": "orders"}, status=400)
        check("stream load writes" in json.dumps(refused), refused)
        for body in ({"what": "truncate", "confirm": "note"}, {"what": "eat", "confirm": "notes"}, {"what": "drop"}):
            do(c, "POST", "tables/shop/notes/act", body, status=400)
        check(len(c.get("tables/shop/notes/rows")["rows"]) == 1, "it was refused and done")
        do(c, "POST", "tables/shop/notes/act", {"what": "truncate", "confirm": "notes"})
        check(c.get("tables/shop/notes/rows")["rows"] == [], "truncated")
        do(c, "POST", "tables/shop/notes/act", {"what": "drop", "confirm": "notes"})
        do(c, "GET", "tables/shop/notes", status=404)


def test_the_upgrade_is_previewed():
    with opened() as (s, c, p):
        send(c, *GOOD)
        settled(c, 5)
        same = {x["name"]: x["change"] for x in c.get("upgrade")["streams"]}
        check(same == {"load": "same", "by_name": "same"}, same)
        (p / "pipeline.sql").write_text(PIPELINE.replace("price > 0", "price > 1").replace("SELECT name, count(*) AS n", "SELECT name, count(*) AS n, max(CAST(price AS DOUBLE)) AS most"))
        told = c.get("upgrade")
        now = {x["name"]: x for x in told["streams"]}
        check(not told["errors"], told["findings"])
        check(now["load"]["change"] == "in_place" and "price > 1" in now["load"]["now"] and "price > 0" in now["load"]["was"], now)
        check(now["by_name"]["change"] == "swap" and now["by_name"]["why"], now)
        check("built anew" in told["plan"] and s.stage("load")["state"] != "failed", told["plan"])
        (p / "pipeline.sql").write_text("CREATE STREAM broken AS SELEC 1;\n")
        wrong = c.get("upgrade")
        check(wrong["errors"] == 1 and "pipeline.sql:1" in wrong["findings"][0]["where"], wrong)
        check(c.get("streams/load")["stage"]["balanced"], "what runs goes on")
