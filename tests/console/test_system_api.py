"""The console's System area from outside: doors, users, roles, settings, what is taken, the log, the doctor."""
import contextlib
import json
import os
import socket
import urllib.error
import urllib.request

from console import Console, Live
from harness import Server, check, folder, project, run, wait_for

PIPELINE = """
CREATE SOURCE made FROM GENERATOR WITH (seed = '6', results = 5, every = '200ms') INTO TOPIC people WITH (partitions = 2);
CREATE TABLE shop.people (id UUID PRIMARY KEY, name TEXT, age INT);
CREATE STREAM load INTO shop.people AS SELECT login.uuid AS id, name.first AS name, dob.age AS age FROM people;
"""
SETTINGS = """
flow:
  epoch_rows: 500
workflows.database: sqlite
"""


@contextlib.contextmanager
def opened(*sets, env=None, settings=SETTINGS, pipeline=PIPELINE):
    with folder() as f:
        with Server(project(f / "shop", pipeline, settings), sets=sets, env=env) as s:
            s.ready()
            c = Console(s.field("console_port"))
            c.login()
            yield s, c
            code = s.stop()
            check(code == 0, f"the server ended with {code}:\n{s.output()[-2000:]}")


def told(c, method, path, body, status, *words):
    got, _, answer = c.ask(method, path, body)
    check(got == status and all(w in json.dumps(answer) for w in words), f"{method} {path}: {got} {answer}, not {status} with {words}")
    return answer


# --- doors ------------------------------------------------------------------------------------------------------------


def test_system_doors_count_what_comes():
    with opened("kafka.tls_port=0") as (s, c):
        doors = lambda: {d["name"]: d for d in c.get("system/listeners")}
        first = doors()
        check(set(first) == {"console", "kafka", "cql", "api", "metrics", "zookeeper", "control"}, sorted(first))
        check(first["zookeeper"]["listeners"] == [] and first["zookeeper"]["requests"] is None, first["zookeeper"])
        for name, field in (("console", "console_port"), ("kafka", "kafka_port"), ("cql", "cql_port"), ("api", "api_port"), ("metrics", "metrics_port")):
            check(first[name]["listeners"][0]["port"] == int(s.field(field)) and not first[name]["listeners"][0]["tls"], first[name])
        secure = first["kafka"]["listeners"][1]
        check(secure["tls"] and secure["port"] == int(s.field("kafka_tls_port")) and secure["setting"] == "kafka.tls_port", secure)
        check(first["console"]["login"] == "asked for" and first["kafka"]["login"] == "not asked for" and first["api"]["login"] == "none", first)

        body = urllib.request.urlopen(f"http://127.0.0.1:{s.field('api_port')}/api/?results=3").read()
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{s.field('api_port')}/no/such")
        except urllib.error.HTTPError as e:
            check(e.code == 404, e.code)
        idle = socket.create_connection(("127.0.0.1", int(s.field("kafka_port"))))
        wait_for("the connection to be counted", lambda: doors()["kafka"]["listeners"][0]["connections"] == 1)
        now = doors()
        check(now["api"]["requests"] == first["api"]["requests"] + 2 and now["api"]["errors"] == first["api"]["errors"] + 1, now["api"])
        api = now["api"]["listeners"][0]
        check(api["accepted"] >= 2 and api["bytes_out"] > len(body) and api["bytes_in"] > 50, api)
        check(now["console"]["requests"] > first["console"]["requests"], now["console"])
        idle.close()
        wait_for("the connection to be gone", lambda: doors()["kafka"]["listeners"][0]["connections"] == 0)
        check(doors()["kafka"]["listeners"][0]["accepted"] >= 1, "it was never there")
        s.command("status")
        check(doors()["control"]["requests"] >= 1 and doors()["control"]["listeners"][0]["port"] is None, doors()["control"])
        live = Live(c, "listeners")
        before = next(d for d in live.next()[1] if d["name"] == "api")["requests"]
        urllib.request.urlopen(f"http://127.0.0.1:{s.field('api_port')}/api/").read()
        while next(d for d in live.next()[1] if d["name"] == "api")["requests"] == before:
            pass
        live.close()


# --- users ------------------------------------------------------------------------------------------------------------


def test_system_users_are_added_changed_and_removed():
    with opened() as (s, admin):
        names = lambda: {u["name"]: u for u in admin.get("system/users")["users"]}
        check(set(names()) == {"admin", "cassandra"} and names()["admin"]["well_known"], names())
        text = json.dumps(admin.get("system/users"))
        check("salt" not in text and "key" not in text.lower(), "verifiers are told")
        told(admin, "POST", "system/users", {"name": "eve", "password": "first one", "role": "viewer"}, 204)
        told(admin, "POST", "system/users", {"name": "eve", "password": "x", "role": "viewer"}, 409, "there is a user 'eve' already")
        told(admin, "POST", "system/users", {"name": "a b", "password": "x", "role": "viewer"}, 400, "no spaces")
        told(admin, "POST", "system/users", {"name": "bob", "password": "", "role": "viewer"}, 400, "1 to 512 bytes")
        told(admin, "POST", "system/users", {"name": "bob", "password": "x", "role": "king"}, 400, "there is no role 'king'")
        check(set(names()) == {"admin", "cassandra", "eve"} and not names()["eve"]["well_known"], names())

        eve, other = Console(admin.port), Console(admin.port)
        check(eve.login("eve", "first one")[2]["role"] == "viewer" and other.login("eve", "first one")[0] == 200, "eve can not come in")
        told(eve, "GET", "system/users", None, 403, "admin")
        told(eve, "POST", "system/users", {"name": "mallory", "password": "x", "role": "admin"}, 403, "admin")
        told(admin, "PUT", "system/users/eve/role", {"role": "op"}, 204)
        check(eve.get("session")["role"] == "op" and eve.ask("GET", "system/settings")[0] == 200, "the role counts at once")

        told(eve, "POST", "password", {"old": "wrong", "new": "second one"}, 400, "the old password is wrong", '"old"')
        told(eve, "POST", "password", {"old": "first one", "new": ""}, 400, '"new"')
        status, headers, answer = eve.ask("POST", "password", {"old": "first one", "new": "second one"})
        check(status == 200 and answer["name"] == "eve" and answer["role"] == "op" and "HttpOnly" in headers["Set-Cookie"], answer)
        check(other.ask("GET", "session")[0] == 401 and eve.ask("GET", "session")[0] == 401, "sessions of the old password go on")
        eve.cookie, eve.csrf = headers["Set-Cookie"].split(";")[0], answer["csrf"]
        check(eve.get("session")["role"] == "op" and eve.ask("POST", "logout")[0] == 204, "whoever changed it is out")
        check(Console(admin.port).login("eve", "first one")[0] == 401 and eve.login("eve", "second one")[0] == 200, "the password")

        told(admin, "PUT", "system/users/eve/password", {"password": "third one"}, 204)
        told(admin, "PUT", "system/users/eve/password", {"password": ""}, 400)
        told(admin, "PUT", "system/users/nobody/password", {"password": "x"}, 404)
        check(eve.ask("GET", "session")[0] == 401 and eve.login("eve", "third one")[0] == 200, "an admin's word")
        told(admin, "DELETE", "system/users/eve", None, 204)
        check(eve.ask("GET", "session")[0] == 401 and Console(admin.port).login("eve", "third one")[0] == 401, "a user that is gone comes in")
        told(admin, "DELETE", "system/users/eve", None, 404)
        told(admin, "DELETE", "system/users/cassandra", None, 204)
        told(admin, "DELETE", "system/users/admin", None, 403, "last admin")
        told(admin, "PUT", "system/users/admin/role", {"role": "viewer"}, 403, "last admin")
        users = admin.get("system/users")
        check(users["admins"] == 1 and [u["name"] for u in users["users"]] == ["admin"], users)
        failing = users["held_back"]
        check(len(failing) == 1 and failing[0]["address"] == "127.0.0.1" and failing[0]["failures"] >= 3 and failing[0]["wait_ms"] >= 400, failing)


def test_system_users_are_changed_by_the_command_line_while_the_server_runs():
    def users(s, *words, password=None):
        r = s.command("users", *words, stdin=None if password is None else password + "\n")
        return r.returncode, r.stdout + r.stderr

    with opened() as (s, admin):
        named = lambda: {json.loads(line)["name"]: json.loads(line)["role"] for line in users(s, "list", "--json")[1].splitlines()}
        check(users(s, "add", "eve", "--role", "op", password="first one")[0] == 0 and named()["eve"] == "op", "add")
        check({u["name"] for u in admin.get("system/users")["users"]} == set(named()) == {"admin", "cassandra", "eve"}, "the server knows them")
        eve = Console(admin.port)
        check(eve.login("eve", "first one")[2]["role"] == "op", "eve comes in")
        for words, password, story in ((("add", "eve"), "x", "there is a user 'eve' already\n  hint: sluice users passwd eve"), (("add", "bob", "--role", "king"), "x", "there is no role 'king'"),
                                       (("add", "bob"), "", "1 to 512 bytes"), (("passwd", "bob"), "x", "there is no user 'bob'\n  hint: sluice users add bob"),
                                       (("add", "two words"), "x", "no spaces"), (("remove", "bob"), None, "there is no user 'bob'")):
            code, text = users(s, *words, password=password)
            check(code == 1 and story in text and text.count("error:") == 1, f"{words}: {code} {text}")
        check(users(s, "passwd", "eve", password="second one") == (0, ""), "passwd")
        check(eve.ask("GET", "session")[0] == 401 and eve.login("eve", "first one")[0] == 401 and eve.login("eve", "second one")[0] == 200, "another password ends what the old one opened")
        check(users(s, "role", "eve", "viewer") == (0, "") and eve.get("session")["role"] == "viewer", "a role counts at once")
        check(users(s, "remove", "cassandra") == (0, "") and "last admin" in users(s, "remove", "admin")[1], "the last admin stays")
        check(users(s, "remove", "eve") == (0, "") and eve.ask("GET", "session")[0] == 401, "who is removed is out")
        told(admin, "POST", "system/users", {"name": "amy", "password": "a long one", "role": "user"}, 204)
        check(named() == {"admin": "admin", "amy": "user"}, "what one way writes does not undo the other's")
        log = s.output()
        check("users were changed at the command line" in log and "second one" not in log and "first one" not in log, "the log says who, never a password")


def test_system_the_nudge_goes_with_the_password_and_stays_so():
    with folder() as f:
        p = project(f / "shop", PIPELINE)
        with Server(p) as s:
            s.ready()
            c = Console(s.field("console_port"))
            check(c.login()[2]["well_known"], "admin/admin is not told as such")
            status, headers, answer = c.ask("POST", "password", {"old": "admin", "new": "of my own"})
            check(status == 200 and not answer["well_known"], answer)
            s.stop()
        with Server(p) as s:
            s.ready()
            c = Console(s.field("console_port"))
            check(c.login()[0] == 401 and c.login("admin", "of my own")[2]["well_known"] is False, "the new password is forgotten")
            c.basic, c.cookie, c.csrf = ("admin", "of my own"), None, None
            told(c, "POST", "password", {"old": "of my own", "new": "another"}, 200, '"csrf": null')  # a script's login has no session
            s.stop()


def test_system_old_passwords_are_not_guessed_quickly():
    with opened() as (s, c):
        for i in range(4):
            told(c, "POST", "password", {"old": f"guess {i}", "new": "x"}, 400)
        check(c.get("system/users")["held_back"][0]["failures"] == 4, c.get("system/users")["held_back"])
        check(c.get("session")["name"] == "admin", "who mistypes is logged out")


def test_system_a_live_stream_ends_with_its_role():
    with opened() as (s, admin):
        told(admin, "POST", "system/users", {"name": "op", "password": "once admin", "role": "admin"}, 204)
        c = Console(admin.port)
        c.login("op", "once admin")
        live = Live(c, "logs", "overview")
        got = {live.next()[0], live.next()[0]}
        check(got == {"logs", "overview"}, got)
        told(admin, "PUT", "system/users/op/role", {"role": "op"}, 204)
        while live.next():
            pass
        again = Live(c, "logs", "overview")
        seen = dict([again.next(), again.next()])
        check(seen["logs"]["error"]["role"] == "admin", seen["logs"])
        again.close()


def test_system_roles_say_what_the_table_says():
    with opened() as (s, c):
        whole = c.ask("GET", "openapi.json")[2]
        asked = {(m.upper(), path): o["x-role"] for path, methods in whole["paths"].items() for m, o in methods.items()}
        roles = c.get("system/roles")
        check([r["name"] for r in roles] == ["none", "viewer", "user", "op", "admin"], roles)
        said = {(a["method"], a["path"]): r["name"] for r in roles for a in r["adds"]}
        check(said == asked, set(said.items()) ^ set(asked.items()))


# --- settings ---------------------------------------------------------------------------------------------------------


def test_system_settings_tell_their_source():
    secret = "postgresql://me:s3cret@127.0.0.1:1/none"
    with opened("store.cache=16MiB", env={"SLUICE_WORKFLOWS_PARALLELISM": "7", "SLUICE_STORE_CACHE": "8MiB"}, settings=SETTINGS.replace("sqlite", secret)) as (s, c):
        rows = {r["key"]: r for r in c.get("system/settings")}
        lines = (s.directory / "sluice.yaml").read_text().splitlines()
        wanted = {"log.segment": ("1GiB", "default"), "flow.epoch_rows": ("500", f"sluice.yaml:{1 + lines.index('  epoch_rows: 500')}"),
                  "workflows.parallelism": ("7", "SLUICE_WORKFLOWS_PARALLELISM"), "store.cache": ("16MiB", "--set")}
        for key, (value, source) in wanted.items():
            check((rows[key]["value"], rows[key]["source"], rows[key]["changed"]) == (value, source, source != "default"), rows[key])
        check(rows["workflows.database"]["value"] == "postgresql://me:***@127.0.0.1:1/none", rows["workflows.database"])
        check("s3cret" not in json.dumps(list(rows.values())), "a password is shown")
        check(rows["logs.level"]["live"] and not rows["kafka.port"]["live"] and all(r["about"] and r["takes"] for r in rows.values()), rows["logs.level"])
        help_text = run("help", "settings").stdout
        check(all(key in help_text for key in rows) and len(rows) > 50, len(rows))
        bundle = s.directory / "bundle"
        s.command("doctor", "--bundle", bundle)
        check("s3cret" not in bundle.read_text() and "postgresql://me:***@" in bundle.read_text(), "the support file tells a password")


# --- what is taken ----------------------------------------------------------------------------------------------------


def test_system_resources_are_the_kernels():
    with opened() as (s, c):
        wait_for("rows", lambda: s.stage("load")["ledger"]["applied"] > 5, 60)
        wait_for("two samples", lambda: c.get("system/resources")["cpu"] is not None, 60)
        r = c.get("system/resources")
        pid = s.process.pid
        check(r["pid"] == pid and r["processors"] == len(os.sched_getaffinity(pid)), r)
        with open(f"/proc/{pid}/status") as f:
            fields = {l.split(":")[0]: l.split(":")[1].strip() for l in f}
        resident = int(fields["VmRSS"].split()[0]) << 10
        check(abs(r["memory"]["resident"] - resident) < max(8 << 20, resident // 4), (r["memory"], resident))
        threads = os.listdir(f"/proc/{pid}/task")
        check(abs(sum(t["count"] for t in r["threads"]) - len(threads)) <= 4, (r["threads"], len(threads)))
        names = {t["name"] for t in r["threads"]}
        check({"log-writer", "load", "made", "sched" if "sched" in names else "console", "console-live"} <= names, sorted(names))
        check(next(t for t in r["threads"] if t["name"] == "load")["room"].startswith("flow"), r["threads"])
        check([(x["kind"], x["name"]) for x in r["stages"]] == [("source", "made"), ("stream", "load")], r["stages"])
        status = {x["name"]: x for x in s.status()["stages"]}
        for x in r["stages"]:
            check(0 < x["memory"] and x["cpu_ns"] > 0 and x["name"] in status, x)
        m = r["memory"]
        check(m["used"] >= m["rows_fresh"] and m["buffers"] >= m["stages"] > 0 and m["budget"] == 1 << 30, m)
        check(all(t["room"] for t in r["threads"]), [t["name"] for t in r["threads"] if not t["room"]])
        check(r["files"] > 10 and r["disk"]["tables"] > 0 and r["disk"]["topics"] > 0 and r["disk"]["free"] > 0, r)
        for part, metric in (("server", "buffers"), ("server", "rows_fresh"), ("thread:log-writer", "cpu"), ("stream:load", "cpu")):
            wait_for(f"a history of {part} {metric}", lambda: [v for x in c.get(f"history?part={part}&metric={metric}")["series"] for v in x["values"] if v is not None], 30)


# --- the log ----------------------------------------------------------------------------------------------------------


def test_system_levels_change_what_is_logged():
    with opened() as (s, c):
        logs = lambda **q: c.get("system/logs?" + "&".join(f"{k}={v}" for k, v in q.items()))
        first = logs()
        check([l["seq"] for l in first["lines"]] == list(range(first["lines"][0]["seq"], first["end"] + 1)), "lines are left out")
        up = next(l for l in first["lines"] if l["message"] == "up")
        check(up["room"] == "main" and up["level"] == "info" and f"console_port={c.port}" in up["rest"] and up["time"].endswith("Z"), up)
        check({r["room"]: r["level"] for r in first["rooms"]}["flow"] == "info", first["rooms"])
        check([l["seq"] for l in logs(limit=2)["lines"]] == [first["end"] - 1, first["end"]], "the newest two")
        check(all(l["room"] == "log" for l in logs(room="log")["lines"]) and logs(room="log")["lines"], "by room")
        check(logs(q="CONSOLE_PORT=")["lines"][0]["seq"] == up["seq"] and logs(q="no%20such%20thing")["lines"] == [], "by text")
        told(c, "GET", "system/logs?room=kitchen", None, 404, "kitchen")
        told(c, "GET", "system/logs?level=loud", None, 400, "loud")
        told(c, "PUT", "system/levels", {"room": "kitchen", "level": "debug"}, 404)
        told(c, "PUT", "system/levels", {"room": "os", "level": "loud"}, 400)

        live = Live(c, "logs")
        channel, tail = live.next()
        check(tail["end"] >= first["end"] and tail["lines"][-1]["seq"] == tail["end"], tail)

        def refused():  # the HTTP server tells of such a request at the level debug
            k = socket.create_connection(("127.0.0.1", c.port))
            k.sendall(b"NO SUCH THING AT ALL\r\n\r\n")
            k.recv(4096)
            k.close()
        refused()
        check(logs(q="request%20refused", room="os")["lines"] == [], "debug is told though nobody asked")
        rooms = told(c, "PUT", "system/levels", {"room": "os", "level": "debug"}, 200)
        check({r["room"]: r["level"] for r in rooms} == {r["room"]: "debug" if r["room"] == "os" else "info" for r in rooms}, rooms)
        refused()
        line = wait_for("a line of debug", lambda: logs(q="request%20refused", room="os")["lines"])[0]
        check(line["level"] == "debug", line)
        seen = []
        while not any(l["message"] == "request refused" for l in seen):
            _, more = live.next()
            check(more["from"] == (seen[-1]["seq"] if seen else tail["end"]), "lines are left out of the tail")
            seen += more["lines"]
        check(any(l["message"] == "what is logged was changed in the console" and "user=admin" in l["rest"] for l in seen), seen)
        live.close()
        check("request refused" in s.command("logs", "os").stdout, "`sluice logs` tells something else")
        s.command("logs", "--level", "store=error")
        check({r["room"]: r["level"] for r in logs()["rooms"]}["store"] == "error", "the command line's word")
        told(c, "PUT", "system/levels", {"room": "", "level": "warn"}, 200)
        check({r["level"] for r in logs()["rooms"]} == {"warn"}, "all rooms")


# --- the doctor -------------------------------------------------------------------------------------------------------


def test_system_doctor_finds_what_is_wrong():
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    taken.listen()
    port = taken.getsockname()[1]
    with opened(f"console.topics_port={port}") as (s, c):
        def wrong(area):
            return [f for f in c.get("system/doctor")["findings"] if f["word"] == "problem" and f["area"] == area]
        found = wrong("ports")
        check(len(found) == 1 and str(port) in found[0]["what"] and "console.topics_port" in found[0]["what"] and "--set" in found[0]["hint"], found)
        check(wrong("project") == [] and wrong("streams") == [], c.get("system/doctor"))
        notes = [f["what"] for f in c.get("system/doctor")["findings"] if f["word"] == "note"]
        check(any("admin" in n and "tutorial" in n for n in notes), notes)
        file = s.directory / "pipeline.sql"
        good = file.read_text()
        file.write_text(good.replace("dob.age AS age FROM people", "dob.age AS aeg FROM people"))
        bad = wrong("project")
        check(len(bad) == 1 and "aeg" in bad[0]["what"] + bad[0]["why"] and "pipeline.sql" in bad[0]["where"], bad)
        whole = c.get("system/doctor")
        check(whole["problems"] == 2 == sum(f["word"] == "problem" for f in whole["findings"]), whole)
        line = next(l for l in s.command("doctor").stdout.splitlines() if "PROBLEM" in l and "aeg" in l)
        check(bad[0]["what"] in line, f"`sluice doctor` says: {line}")
        file.write_text(good)
        check(wrong("project") == [], "mended, and wrong all the same")
    taken.close()


def test_system_doctor_sees_a_stream_fail():
    source = "CREATE SOURCE away FROM HTTP 'http://127.0.0.1:9/none' WITH (every = '100ms', key = 'id', allow_private = 'true') INTO TOPIC things;"
    with opened(pipeline=source) as (s, c):
        def failing():
            return [f for f in c.get("system/doctor")["findings"] if f["word"] == "problem" and f["area"] == "streams"]
        found = wait_for("the doctor to see it", failing, 60)
        check("source away" in found[0]["what"] and "sluice restart away" in found[0]["hint"] and found[0]["why"], found)
