"""The console's door from outside: sessions, what changes need, roles of every route, answers against openapi.json,
live streams, the application's files, and Airflow's API with the same session."""
import contextlib
import datetime
import gzip
import json
import re
import socket
import time

from console import Console, Live
from harness import ROOT, Failed, Server, check, folder, project, run, wait_for
from openapi import faults

PIPELINE = """
CREATE SOURCE made FROM GENERATOR WITH (seed = '6', results = 5, every = '200ms') INTO TOPIC people WITH (partitions = 2);
CREATE TABLE shop.people (id UUID PRIMARY KEY, name TEXT, age INT);
CREATE STREAM load INTO shop.people AS SELECT login.uuid AS id, name.first AS name, dob.age AS age FROM people CHECK (dob.age < 60) ELSE DEAD LETTER;
"""
DAGS = """
daily:
  schedule: none
  tasks: {first: {empty: }, then: {service: load, after: [first]}}
"""
ROLES = ["none", "viewer", "user", "op", "admin"]
SECRET = {"viewer": "see all", "user": "do some", "op": "do more", "admin": "admin"}


def person(p, verb, name, *words, password="\n"):
    r = run("users", verb, name, *words, "--project", p, "--data", p / ".sluice", stdin=password + "\n")
    check(r.returncode == 0, f"users {verb} {name}: {r.stdout}{r.stderr}")


@contextlib.contextmanager
def opened(*sets, people=False):
    """A pipeline that runs, and its console. people: one of each role."""
    with folder() as f:
        p = project(f / "shop", PIPELINE)
        (p / "dags.yaml").write_text(DAGS)
        (p / ".sluice").mkdir()
        for role in ROLES[1:4] if people else []:
            person(p, "add", role, "--role", role, password=SECRET[role])
        with Server(p, sets=sets) as s:
            s.ready()
            yield s, Console(s.field("console_port"))
            code = s.stop()
            check(code == 0, f"the server ended with {code}:\n{s.output()[-2000:]}")


def story(answer, code, *words):
    e = answer["error"] if isinstance(answer, dict) else {}
    check(e.get("code") == code and all(w in json.dumps(e) for w in words), f"{answer} is not {code} with {words}")


# --- sessions ---------------------------------------------------------------------------------------------------------


def test_console_login_makes_a_session():
    with opened() as (s, c):
        status, _, answer = c.ask("GET", "session")
        check(status == 401, answer)
        story(answer, "ERR_LOGIN", "nobody is logged in")
        status, headers, answer = c.login()
        check(status == 200 and answer["name"] == "admin" and answer["role"] == "admin" and answer["well_known"] is True and answer["project"] == "shop", answer)
        flags = {w.strip().split("=")[0].lower() for w in headers["Set-Cookie"].split(";")[1:]}
        check({"httponly", "samesite", "path", "max-age"} == flags and "SameSite=Strict" in headers["Set-Cookie"], headers["Set-Cookie"])
        again = c.get("session")
        check(again["csrf"] == answer["csrf"] and again["version"] == answer["version"], again)
        check("admin" not in c.cookie and answer["csrf"] not in c.cookie, "the cookie tells too much")
        status, _, wrong = Console(c.port).login("admin", "guess")
        check(status == 401, wrong)
        story(wrong, "ERR_LOGIN", "name or password is wrong")
        status, _, nobody = Console(c.port).login("no such one", "guess")
        check(status == 401 and nobody["error"]["what"] == wrong["error"]["what"], "a name that is not there is told apart")
        for body in ({"name": "admin"}, {"name": "admin", "password": "admin", "more": 1}, {"name": 1, "password": "x"}, ["admin"]):
            check(Console(c.port).ask("POST", "login", body)[0] == 400, body)
        check(Console(c.port).ask("POST", "login", raw="name=admin&password=admin", headers={"Content-Type": "application/x-www-form-urlencoded"})[0] == 400, "a form of another site logs in")
        for raw in ("", "{", "\x00", "[" * 5000):
            check(Console(c.port).ask("POST", "login", raw=raw)[0] in (400, 413), f"login with {raw[:10]!r}")


def test_console_changes_prove_their_page():
    with opened() as (s, c):
        c.login()
        right = c.csrf
        for wrong in (None, "", "0" * 32, right[:-1], right + "0", right.upper() if right.upper() != right else "x"):
            c.csrf = wrong
            status, _, answer = c.ask("POST", "logout")
            check(status == 403, f"a change with {wrong!r} is let in: {answer}")
            story(answer, "ERR_FORBIDDEN", "X-CSRF-Token")
        other = Console(c.port)
        other.login()
        c.csrf = other.csrf  # of another session
        check(c.ask("POST", "logout")[0] == 403, "another session's token is let in")
        c.csrf = right
        check(c.ask("POST", "logout")[0] == 204, "the right one is not")


def test_console_sessions_end():
    with folder() as f:
        p = project(f / "shop", PIPELINE)
        (p / ".sluice").mkdir()
        person(p, "add", "eve", "--role", "viewer", password="first one")
        with Server(p) as s:
            s.ready()
            stays, leaves, eve = (Console(s.field("console_port")) for _ in range(3))
            stays.login(), leaves.login()
            check(eve.login("eve", "first one")[0] == 200, "eve can not come in")
            copy = leaves.cookie
            status, headers, _ = leaves.ask("POST", "logout")
            check(status == 204 and "Max-Age=0" in headers["Set-Cookie"], "logout")
            check(leaves.ask("GET", "session")[0] == 401, "a session goes on after its logout")
            s.stop()
        person(p, "passwd", "eve", password="second one")
        with Server(p) as s:  # what was signed before is good still; what ended has ended
            s.ready()
            for c in (stays, leaves, eve):
                c.port = int(s.field("console_port"))
            check(stays.ask("GET", "session")[0] == 200, "a restart ends sessions")
            leaves.cookie = copy
            check(leaves.ask("GET", "session")[0] == 401, "a restart brings back a session that was logged out")
            check(eve.ask("GET", "session")[0] == 401, "a new password leaves the old sessions")
            s.stop()
        (p / ".sluice" / "console.ended").write_text("nonsense\n")
        with Server(p) as s:
            s.ready()
            stays.port = int(s.field("console_port"))
            check(stays.ask("GET", "session")[0] == 401, "who was logged out is not known any more, and sessions go on")
            s.stop()


def test_console_takes_no_other_token():
    with opened() as (s, c):
        c.login()
        name, good = c.cookie.split("=", 1)
        status, _, answer = c.ask("POST", "/auth/token", {"username": "admin", "password": "admin"})
        check(status == 201, answer)
        airflow = answer["access_token"]
        head, claims, sign = good.split(".")
        for bad in (airflow, good[:-2], good + "x", f"{head}.{claims}.", f"{head}.{claims[:-1]}.{sign}", "eyJhbGciOiJub25lIn0." + claims + ".", "", "x" * 5000):
            c.cookie = f"{name}={bad}"
            check(c.ask("GET", "session")[0] in (401, 431), f"this is a session: {bad[:60]}")
        c.cookie = None
        check(c.ask("GET", "session", headers={"Authorization": "Bearer " + good})[0] == 401, "the cookie's token is a bearer token too")
        check(c.ask("GET", "/api/v2/dags", headers={"Authorization": "Bearer " + good})[0] == 401, "… and Airflow's")


def test_console_scripts_log_in_by_basic():
    with opened() as (s, c):
        c.basic = ("admin", "admin")
        check(c.get("session")["csrf"] is None, "a login of its own needs no proof")
        check(c.ask("GET", "overview")[0] == 200, "basic")
        c.basic = ("admin", "wrong")
        status, headers, _ = c.ask("GET", "overview")
        check(status == 401 and "WWW-Authenticate" not in headers, "a browser would ask for a password by itself")


def test_console_holds_back_who_guesses():
    with opened() as (s, c):
        took = []
        for i in range(5):
            start = time.monotonic()
            check(Console(c.port).login("admin", f"guess {i}")[0] == 401, "a guess is right")
            took.append(time.monotonic() - start)
        check(took[4] >= 1.4 and took[4] > took[0], f"five guesses took {took}")  # 0.1, 0.2, 0.4, 0.8, 1.6 s by the room's own clock


# --- every route ------------------------------------------------------------------------------------------------------

# What stands in the paths; a route with another name in its path needs a row here.
PARTS = {"keyspace": "shop", "table": "people", "stream": "load", "topic": "people", "dag": "daily", "partition": "0", "offset": "0"}
NAMES = {"/docs": "flow", "/topics": "people", "/streams": "load", "/dead": "load", "/tables": "shop.people", "/groups": "sluice-load"}


def filled(path):
    first = "/" + path.split("/")[1]
    return re.sub(r"\{(\w+)\}", lambda m: PARTS.get(m[1], NAMES.get(first, "no-such-one")), path)


def operations(c):
    whole = c.ask("GET", "openapi.json")[2]
    check(whole["openapi"].startswith("3.0") and len(whole["paths"]) >= 8, "openapi.json")
    return whole, [(method.upper(), path, o) for path, methods in whole["paths"].items() for method, o in methods.items()]


def test_console_roles_of_every_route():
    asked = 0
    with opened(people=True) as (s, nobody):
        whole, all_of = operations(nobody)
        who = {"none": nobody}
        for role in ROLES[1:]:
            who[role] = Console(nobody.port)
            check(who[role].login(role, SECRET[role])[0] == 200, f"{role} can not log in")
        for method, path, o in all_of:
            if path in ("/login", "/logout"):
                continue
            needed = o["x-role"]
            if needed == "none":
                check(path == "/openapi.json", f"{method} {path} needs no login")
                continue
            for role in ROLES[:ROLES.index(needed)]:
                body = None if method == "GET" else {}
                status, _, answer = who[role].ask(method, "/api/console" + filled(path), body)
                asked += 1
                what = f"{method} {path} as {role}: {status} {str(answer)[:200]}"
                check(status == (401 if role == "none" else 403), what)
                if role != "none":
                    check(answer["error"]["role"] == needed, what)
            if method == "GET" and path != "/live":
                try:
                    status, _, answer = who[needed].ask(method, "/api/console" + filled(path))
                except OSError as e:
                    raise Failed(f"{method} {path} as {needed}: {e!r}")
                check(status not in (401, 403, 500), f"{method} {path} as {needed}: {status} {str(answer)[:200]}")
    print(f"{asked} questions")
    check(asked >= 5, asked)


def test_console_answers_are_as_described():
    seen = 0
    with opened() as (s, c):
        whole, all_of = operations(c)
        c.login()
        wait_for("rows", lambda: s.stage("load")["ledger"]["applied"] > 20, 60)
        wait_for("a history", lambda: c.get("history?part=stream:load&metric=rate")["series"], 30)
        for method, path, o in all_of:
            ok = o["responses"].get("200", {}).get("content", {}).get("application/json")
            if method != "GET" or not ok:
                continue
            status, _, answer = c.ask("GET", "/api/console" + filled(path))
            if status == 200:
                seen += 1
                wrong = faults(answer, ok["schema"], whole)
                check(not wrong, f"GET {path}: " + "; ".join(wrong[:5]))
            else:
                check(not faults(answer, whole["paths"]["/session"]["get"]["responses"]["default"]["content"]["application/json"]["schema"], whole), answer)
                check("{" in path or status in (400, 501), f"GET {path}: {status} {answer}")
        plain = [ch for ch in whole["x-channels"] if not ch["argument"]]
        live = Live(c, *[ch["name"] for ch in plain])
        wanted = {ch["name"]: ch["schema"] for ch in plain if ch.get("kind") != "tail"}
        while wanted:
            name, value = live.next()
            if name in wanted:
                wrong = faults(value, wanted.pop(name), whole)
                check(not wrong, f"channel {name}: {wrong[:5]}")
        live.close()
    print(f"{seen} answers")
    check(seen >= 5, seen)


def test_console_refuses_what_it_does_not_know():
    with opened() as (s, c):
        c.login()
        story(c.ask("GET", "overview?page=1")[2], "ERR_USAGE", "page")
        story(c.ask("GET", "history?seconds=soon")[2], "ERR_TYPE", "seconds")
        story(c.ask("GET", "history?seconds=0")[2], "ERR_RANGE", "86400")
        check(c.ask("GET", "nothing/here")[0] == 404 and c.ask("DELETE", "overview")[0] == 405, "unknown routes")
        check(c.ask("GET", "search?" + "&".join(f"q{i}=1" for i in range(40)))[0] == 413, "forty parameters")
        check(c.ask("GET", "/api/other")[0] == 404 and c.ask("POST", "/topics", {})[0] == 405, "pages take no POST")
        for odd in ("/api/console/%2e%2e/overview", "/api/console//", "/api/console/" + "a/" * 60, "/api/console/overview/%00"):
            check(c.ask("GET", odd)[0] in (400, 404), odd)


# --- what is told -----------------------------------------------------------------------------------------------------


def test_console_draws_the_pipeline():
    with opened() as (s, c):
        c.login()
        wait_for("rows", lambda: s.stage("load")["ledger"]["in"] > 5, 60)
        picture = c.get("overview")
        parts = {p["id"]: p for p in picture["parts"]}
        check({"source:made", "topic:people", "stream:load", "table:shop.people", "dag:daily"} <= set(parts), sorted(parts))
        edges = {tuple(e) for e in picture["edges"]}
        check({("source:made", "topic:people"), ("topic:people", "stream:load"), ("stream:load", "table:shop.people"), ("dag:daily", "stream:load")} == edges, edges)
        l = picture["ledger"]
        check(picture["balanced"] and picture["healthy"] and l["in"] == l["applied"] + l["dead"] > 5, l)
        check(l["dead"] == parts["stream:load"]["dead"], parts["stream:load"])
        c.ask("POST", "/api/console/nothing")
        names = {(r["kind"], r["name"]) for r in c.get("search?q=peop")["results"]}
        check({("topic", "people"), ("table", "shop.people")} <= names, names)
        check(c.get("search?q=ag")["results"][0] == {"kind": "column", "name": "age", "of": "shop.people"}, "a column's start")
        late = c.get("search?q=late%20rows&kind=docs&limit=200")["results"]
        check(late and all(r["kind"] == "docs" for r in late) and len(late) <= 20, late)
        text = {p["name"]: c.get(f"docs/{p['name']}")["text"] for p in c.get("docs")}
        check(text == {p.stem: p.read_text() for p in (ROOT / "docs").glob("*.md")}, "the pages are those of docs/")
        for r in late:
            words = f"{text[r['of']].splitlines()[0]} {r['name']} {r['note']}".lower()
            check("note" in r and ("late" in words or "row" in words), r)
        top = c.get("search?q=exactly%20once")["results"]
        check(any(r["kind"] == "docs" and "once" in r["note"].lower() for r in top), top)
        check(not any(r.get("of") and r["kind"] == "docs" for r in c.get("search?q=la")["results"]), "two letters: names alone")
        check(c.get("search?q=late%20elephants%20dance")["results"] == [] and c.ask("GET", "docs/nothing")[0] == 404, "what is not there")
        check(c.get("search?q=")["results"] == [] and len(c.get("search?q=e&limit=3")["results"]) == 3, "search")


def test_console_remembers_numbers():
    with opened() as (s, c):
        c.login()

        def series():
            found = [x for x in c.get("history?part=source:made&metric=rate")["series"]]
            return [v for v in found[0]["values"] if v] if found else []
        wait_for("two samples of a rate", lambda: len(series()) >= 2, 60)
        check(all(5 <= v <= 60 for v in series()), f"five every 200 ms, told as {series()}")
        check(len(c.get("history?part=source:made&metric=rate&seconds=7200")["series"][0]["values"]) == 121, "minutes of two hours")


def test_console_live_sends_what_changes():
    with opened() as (s, c):
        c.login()
        s.command("pause", "made")
        wait_for("all to be read", lambda: s.stage("load")["lag"] == 0 and s.stage("made")["state"] == "paused", 30)
        live = Live(c, "overview", "no_such_channel", "overview")
        first = dict([live.next(), live.next()])
        story(first["no_such_channel"], "ERR_UNKNOWN_NAME")
        check({p["id"] for p in first["overview"]["parts"]} >= {"source:made", "stream:load"}, first)
        state = lambda o: next(p["state"] for p in o["parts"] if p["id"] == "source:made")
        while state(first["overview"]) != "paused":
            first["overview"] = live.next()[1]
        s.command("resume", "made")
        start = time.monotonic()
        while state(live.next()[1]) == "paused":
            pass
        print(f"seen after {time.monotonic() - start:.2f} s")
        c.ask("POST", "logout")
        while live.next():  # ends by itself: a session that has ended sees nothing more
            pass
        check(Live(c, "overview").status == 401, "a stream without a session")


def test_console_live_is_bounded():
    with opened() as (s, c):
        c.login()
        check(Live(c).status == 400, "no channel")
        check(Live(c, *[f"c{i}" for i in range(33)]).status in (400, 413), "33 channels")
        check(Live(c, "a%0Ab").status == 400, "a channel with a line's end in its name")
        live = Live(c, "x" * 5000, "tail:" + "t" * 3100, "overview")  # one that can not be does not take the tab's others with it
        first = dict(live.next() for _ in range(3))
        live.close()
        story(first["x" * 5000], "ERR_UNKNOWN_NAME")
        story(first["tail:" + "t" * 3100], "ERR_TOO_BIG", "at most 3071 bytes")
        check("parts" in first["overview"], first["overview"])


def test_console_a_history_grows_by_its_channel():
    """What the charts draw comes over the stream: each sample once, and the same as GET tells afterwards."""
    with opened() as (s, c):
        c.login()
        wait_for("a history", lambda: c.get("history?part=stream:load&metric=rate")["series"], 30)
        live = Live(c, "history:part=stream:load", "history:metric=memory", "history:part=no%2525such", "history:what")
        samples, metrics, parts, told = {}, set(), set(), {}
        while len(samples) < 4 or len(parts) < 3 or len(told) < 2:
            name, value = live.next()
            if name.endswith("such") or name.endswith("what"):
                told[name] = value
                continue
            for x in value["series"]:
                at = iso_ms(x["from"])
                parts |= {x["part"]} if name.endswith("memory") else set()
                metrics |= {x["metric"]} if name.endswith("load") else set()
                check(x["step_ms"] == 2000 and (x["part"] == "stream:load" or name.endswith("memory")), x)
                for i, v in enumerate(x["values"]):
                    if (x["part"], x["metric"]) == ("stream:load", "memory") and name.endswith("load"):
                        check(at + i * 2000 not in samples, f"told twice: {at}")
                        samples[at + i * 2000] = v
        live.close()
        story(told["history:what"], "ERR_USAGE")
        check(told["history:part=no%25such"] == {"series": []}, told)
        check({"rate", "lag", "cpu", "memory"} <= metrics, metrics)
        now = c.get("history?part=stream:load&metric=memory")["series"][0]
        kept = {iso_ms(now["from"]) + i * 2000: v for i, v in enumerate(now["values"])}
        check(all(kept[t] == v for t, v in samples.items()), f"{samples} {kept}")


def iso_ms(text):
    return round(datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000)


def looks(s):
    text = Console(s.field("metrics_port")).ask("GET", "/metrics")[2].decode()
    return {n: int(re.search(rf"^\S*console_{n} (\d+)", text, re.M)[1]) for n in ("looks_total", "streams", "events_total")}


def test_console_live_of_200_costs_as_one():
    with opened() as (s, c):
        c.login()
        streams = []
        for _ in range(200):
            streams.append(Live(c, "overview", timeout=60))
        for one in streams:
            check(one.next()[0] == "overview", "the first state")
        before, start = looks(s), time.monotonic()
        check(before["streams"] == 200, before)
        wait_for("ten looks", lambda: looks(s)["looks_total"] >= before["looks_total"] + 10, 60)
        after, took = looks(s), time.monotonic() - start
        check(after["looks_total"] - before["looks_total"] <= 2 * took + 3, f"{before} {after} in {took:.1f} s")
        print(f"{after['looks_total'] - before['looks_total']} looks and {after['events_total'] - before['events_total']} events in {took:.1f} s")
        for one in streams:
            one.close()
        wait_for("the streams to be gone", lambda: looks(s)["streams"] == 0, 30)


# --- files, headers, ports --------------------------------------------------------------------------------------------


def test_console_pages():
    with opened("console.topics_port=0", "console.streams_port=0") as (s, c):
        status, h, page = c.ask("GET", "/topics/people?view=messages")
        csp = dict(w.strip().split(" ", 1) for w in h["Content-Security-Policy"].split(";"))
        check(status == 200 and b"<div id=\"app\">" in page, page[:300])
        check(csp["default-src"] == "'none'" and csp["script-src"] == csp["style-src"] == csp["connect-src"] == "'self'" and csp["frame-ancestors"] == csp["base-uri"] == "'none'", csp)
        check("unsafe" not in h["Content-Security-Policy"] and not re.search(rb"<script>|<style|style=|\son\w+=", page), "inline parts")
        for path in ("/", "/api/console/session", "/healthz", "/assets/none.js"):
            h2 = c.ask("GET", path)[1]
            check(h2["X-Content-Type-Options"] == "nosniff" and h2["X-Frame-Options"] == "DENY" and h2["Referrer-Policy"] == "no-referrer"
                  and h2["Cross-Origin-Opener-Policy"] == "same-origin" and h2["Content-Security-Policy"], f"headers of {path}")
        names = re.findall(rb'(?:src|href)="(/assets/[^"]+)"', page)
        check(len(names) >= 3, page)
        for name in names:
            name = name.decode()
            status, h, plain = c.ask("GET", name)
            check(status == 200 and "immutable" in h["Cache-Control"] and "Content-Encoding" not in h, name)
            status, zipped, packed = c.ask("GET", name, headers={"Accept-Encoding": "gzip, deflate"})
            check(zipped["Content-Encoding"] == "gzip" and gzip.decompress(packed) == plain and zipped["Vary"] == "Accept-Encoding", name)
            _, brotli, small = c.ask("GET", name, headers={"Accept-Encoding": "gzip, deflate, br"})
            check(brotli["Content-Encoding"] == "br" and len(small) <= len(packed), name)
            check("Content-Encoding" not in c.ask("GET", name, headers={"Accept-Encoding": "br;q=0, gzip;q=0.000"})[1], "q=0")
            status, h, rest = c.ask("GET", name, headers={"If-None-Match": h["ETag"]})
            check(status == 304 and not rest, name)
        check(c.ask("GET", "/assets/app-OLD.js")[0] == 404, "an asset that is gone")
        check(c.ask("GET", "/")[1]["Cache-Control"] == "no-cache", "index.html is asked for anew")


def test_console_other_ports_lead_to_their_page():
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    taken.listen()
    free = socket.socket()
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
    free.close()
    with opened(f"console.topics_port={port}", f"console.streams_port={taken.getsockname()[1]}") as (s, c):
        other = Console(port)
        status, h, _ = other.ask("GET", "/")
        check(status == 302 and h["Location"] == "/topics", f"{status} {h['Location']}")
        check(other.ask("GET", "/streams")[0] == 200 and other.ask("GET", "session")[0] == 401, "the same application")
        c.login()
        other.cookie = c.cookie
        check(other.ask("GET", "session")[0] == 200, "one login for all ports")
        check("console.streams_port" in s.output() and "level=warn" in s.output(), "a port that is taken is not told")
    taken.close()


def test_console_is_not_reached_by_another_name():
    with opened() as (s, c):
        for name, status in {"evil.example": 403, "localhost": 401, f"127.0.0.1:{c.port}": 401, "[::1]:80": 401, "shop.localhost": 401, "127.0.0.1.evil.example": 403, "": 403}.items():
            got = c.ask("GET", "session", headers={"Host": name})[0]
            check(got == status, f"Host '{name}': {got}")


def test_console_health():
    with opened() as (s, c):
        for path in ("/healthz", "/ready", "/health"):
            check(c.ask("GET", path)[0] == 200, path)


def test_console_session_is_airflows_too():
    with opened(people=True) as (s, c):
        c.login()
        check([d["dag_id"] for d in c.ask("GET", "/api/v2/dags")[2]["dags"]] == ["daily"], "dags")
        right, c.csrf = c.csrf, None
        check(c.ask("PATCH", "/api/v2/dags/daily", {"is_paused": True})[0] == 403, "a change without its proof")
        c.csrf = right
        status, _, answer = c.ask("PATCH", "/api/v2/dags/daily", {"is_paused": True})
        check(status == 200 and answer["is_paused"] is True, f"{status} {answer}")
        viewer = Console(c.port)
        viewer.login("viewer", SECRET["viewer"])
        check(viewer.ask("PATCH", "/api/v2/dags/daily", {"is_paused": False})[0] == 403, "a viewer changes a dag")
        c.ask("POST", "logout")
        check(c.ask("GET", "/api/v2/dags")[0] == 401, "a session that has ended goes on in Airflow's API")


def test_console_a_tables_rate_is_of_the_rows_that_come_into_it():
    with folder() as f:
        p = project(f / "p", """CREATE SOURCE people FROM GENERATOR '' WITH (seed = 'look', results = 40, every = '100ms') INTO TOPIC people;
CREATE TABLE k.women (id TEXT PRIMARY KEY, nat TEXT);
CREATE STREAM women INTO k.women AS SELECT login.uuid AS id, nat FROM people WHERE gender = 'female';
""")
        with Server(p) as s:
            s.ready()
            c = Console(s.field("console_port"))
            c.login()

            def sums():
                """Rows by the rates, two seconds each, of the steps that both series have."""
                series = {x["part"]: x["values"] for x in c.ask("GET", "history?metric=rate")[2]["series"]}
                both = [(a, b) for a, b in zip(series.get("topic:people", []), series.get("table:k.women", [])) if a is not None and b is not None]
                return len(both) >= 5 and (sum(a for a, _ in both) * 2, sum(b for _, b in both) * 2)
            came, written = wait_for("five samples", sums, 60)
            ledger = c.get("overview")["ledger"]
            check(0 < written <= ledger["rows_out"] and 0.3 * came < written < 0.7 * came, f"{came} came, {written} were written, {ledger}")
            parts = {x["id"]: x for x in c.ask("GET", "overview")[2]["parts"]}
            check(parts["table:k.women"]["rate"] < 0.8 * parts["stream:women"]["rate"], f"{parts}")
            check(s.stop() == 0, s.output()[-2000:])
