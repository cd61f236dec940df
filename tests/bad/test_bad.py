"""Bad input of every kind: a clear error that names the fix, a non-zero exit where it is a command,
and nothing lost."""
import contextlib
import http.server
import os
import shutil
import socket

import threading


import audit
from harness import Server, check, folder, project, run, wait_for

TABLE = "CREATE TABLE k.t (id UUID PRIMARY KEY, first TEXT);\n"
STREAM = "CREATE STREAM s INTO k.t AS SELECT login.uuid AS id, name.first AS first FROM people;\n"
GENERATOR = "CREATE SOURCE g FROM GENERATOR '' WITH (results = 5, total = 5, key = 'login.uuid') INTO TOPIC people;\n"


def refused(r, *parts, code=1):
    text = r.stdout + r.stderr
    check(r.returncode == code, f"exit code {r.returncode}, not {code}: {text}")
    for part in parts:
        check(part.lower() in text.lower(), f"'{part}' is not in: {text}")
    check("hint:" in text, f"no hint in: {text}")


def up(p, *args, **kw):
    return run("up", p, "--plain", "--set", "api.port=0", "--set", "metrics.port=0", "--set", "kafka.port=0", "--set", "cql.port=0", "--set", "console.port=-1", *args, **kw)


# --- configuration and pipeline ----------------------------------------------------------------------

def test_unknown_key_names_the_nearest():
    with folder() as f:
        p = project(f / "p", GENERATOR + TABLE + STREAM, settings="api:\n  prot: 1\n")
        refused(run("up", p), "sluice.yaml:2:3", "did you mean 'api.port'")


def test_wrong_type_names_the_place():
    with folder() as f:
        p = project(f / "p", GENERATOR + TABLE + STREAM, settings="memory:\n  budget: lots\n")
        refused(run("up", p), "sluice.yaml:2:11", "a size, for example 64MiB")


def test_missing_project_and_missing_pipeline():
    with folder() as f:
        refused(run("up", f / "nowhere"), "no project folder")
        (f / "empty").mkdir()
        refused(run("up", f / "empty"), "no pipeline.sql")


def test_sql_mistakes_name_line_and_column():
    for text, parts in {
        "CREATE TABEL k.t (id UUID PRIMARY KEY);": ("pipeline.sql:1:8", "TABLE"),
        TABLE + "CREATE STREAM s INTO k.t AS SELECT login.uuid AS id, name.first AS frist FROM people;": ("frist", "first"),
        TABLE + "CREATE STREAM s INTO k.tt AS SELECT a AS id FROM people;": ("k.tt", "k.t"),
        TABLE + "CREATE TOPIC people;\nCREATE STREAM s INTO k.t AS SELECT name.first AS first FROM people;": ("id", "key"),
        "CREATE SOURCE g FROM GENERATOR '' WITH (resluts = 5) INTO TOPIC people;": ("resluts", "results"),
        "CREATE SOURCE g FROM GENERATOR '' WITH (results = many) INTO TOPIC people;": ("results", "pipeline.sql:1"),
        "CREATE SOURCE g FROM HTPT 'http://x' INTO TOPIC people;": ("htpt", "http"),
    }.items():
        with folder() as f:
            r = run("plan", project(f / "p", text))
            out = r.stdout + r.stderr
            check(r.returncode == 1, f"{text}: exit code {r.returncode}")
            for part in parts:
                check(part in out, f"{text}: '{part}' is not in: {out}")


def test_unknown_command_and_option():
    r = run("staus")
    check(r.returncode == 2 and "did you mean 'status'" in r.stderr, r.stderr)
    r = run("up", "--dat", "x")
    check(r.returncode == 2 and "--data" in r.stderr, r.stderr)


# --- the machine ---------------------------------------------------------------------------------------

def test_port_in_use_names_who_holds_it():
    with folder() as f, socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        port = s.getsockname()[1]
        p = project(f / "p", GENERATOR + TABLE + STREAM)
        r = run("up", p, "--plain", "--set", f"api.port={port}", "--set", "metrics.port=0", "--set", "kafka.port=0", "--set", "cql.port=0", "--set", "console.port=-1")
        refused(r, str(port), "api.port", str(os.getpid()))
        check(not (p / ".sluice" / "control.sock").exists() or run("status", "--project", p).returncode == 3, "something runs")


def test_second_process_on_the_same_data():
    with folder() as f:
        p = project(f / "p", GENERATOR + TABLE + STREAM)
        with Server(p) as s:
            s.ready()
            refused(up(p), "another sluice", str(s.process.pid))
            check(s.stop() == 0, "it ends cleanly")


def test_unwritable_data():
    if os.getuid() == 0:  # root writes everywhere: a file in the way is what root can meet
        with folder() as f:
            p = project(f / "p", GENERATOR + TABLE + STREAM)
            (f / "file").write_text("x")
            refused(up(p, "--data", f / "file" / "data"), "file")
    else:
        with folder() as f:
            p = project(f / "p", GENERATOR + TABLE + STREAM)
            p.chmod(0o555)
            refused(up(p), ".sluice", "--data")
            p.chmod(0o755)


def test_full_disk_is_told_and_loses_nothing():
    """Every write fails with ENOSPC from a moment on; after room is made all is there."""
    with folder() as f:
        want = audit.expected(f)
        for at in (40, 120, 200):
            base = f / f"full{at}"
            p, count = audit.make(base), base / "count"
            env = audit.fault_env(p / ".sluice", count, at=at, do="fail", errno="ENOSPC", sticky=1, only="write")
            with Server(p, sets=audit.SETS, env=env) as s:
                wait_for("it meets the full disk", lambda: "full" in s.output().lower() or "No space" in s.output() or
                         s.process.poll() is not None, 20)
                if s.process.poll() is None:
                    s.stop()
                check("promise inside the program" not in s.output(), s.output()[-2000:])
            audit.audit(p, p / ".sluice", want, f"after a disk that was full from write {at} on")


def test_a_disk_below_its_reserve_refuses_appends():
    with folder() as f:
        p = project(f / "p", GENERATOR + TABLE + STREAM)
        with Server(p, sets=("log.keep_free=1TiB",)) as s:
            s.ready()
            stage = wait_for("the source says so", lambda: (x := s.stage("g"))["trouble"] and x)
            check("full" in stage["trouble"].lower() or "free" in stage["trouble"].lower(), f"{stage}")
            check(s.stop() == 0, s.output())


def damage(path, at):
    with open(path, "r+b") as f:
        f.seek(at)
        old = f.read(1)
        f.seek(at)
        f.write(bytes([old[0] ^ 0xFF]))


def test_corrupt_files_are_told_not_guessed():
    with folder() as f:
        p = audit.make(f)
        data = p / ".sluice"
        with Server(p, sets=audit.SETS, args=("--drain",)) as s:
            check(s.process.wait(60) == 0, s.output())
        segment = sorted((data / "log").glob("**/people-0/*.log"))[0]
        shutil.copytree(p, f / "copy")
        damage(segment, 200)  # in the middle of what a clean close called whole
        r = run("query", "SELECT count(*) AS n FROM people", "--project", p, "--data", data)
        check(r.returncode == 1 and segment.name in r.stdout + r.stderr, r.stdout + r.stderr)
        for name, at in (("store/db/CURRENT", 0), ("users", 2)):
            copy = f / f"copy-{name.replace('/', '-')}"
            shutil.copytree(f / "copy", copy)
            damage(copy / ".sluice" / name, at)
            r = run("up", copy, "--plain", *[w for s in audit.SETS for w in ("--set", s)], "--set", "server.restart=false", timeout=30)
            check(r.returncode == 1, f"{name}: exit code {r.returncode}")
            check("error:" in r.stderr and "Traceback" not in r.stderr, f"{name}: {r.stderr}")


def test_a_newer_format_is_refused():
    with folder() as f:
        p = project(f / "p", GENERATOR + TABLE + STREAM)
        with Server(p, args=("--drain",)) as s:
            check(s.process.wait(60) == 0, s.output())
        (p / ".sluice" / "users").write_text("sluice-users 99\n")
        r = up(p, "--set", "server.restart=false")
        check(r.returncode == 1 and "format" in r.stderr, r.stderr)


# --- bodies ---------------------------------------------------------------------------------------------

class Site(http.server.ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True


@contextlib.contextmanager
def site(answer):
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            try:
                answer(self)
            except (BrokenPipeError, ConnectionResetError):
                pass

        def log_message(self, *_):
            pass

    server = Site(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()


def reply(handler, body, status=200, kind="application/json", **headers):
    handler.send_response(status)
    handler.send_header("Content-Type", kind)
    handler.send_header("Content-Length", str(len(body)))
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)


GOOD = b'{"results": [{"login": {"uuid": "8e7fce72-89bc-4685-a747-b0f8624e020d"}, "name": {"first": "Elaine"}}]}'


def fetch_from(answer, expect, options="", good_after=True):
    """A source meets a bad answer first and, when it mends, a good one: the trouble is told, the good
    record arrives once."""
    state = {"bad": True, "seen": 0}

    def switch(handler):
        state["seen"] += 1
        if state["bad"]:
            answer(handler)
        else:
            reply(handler, GOOD)

    with folder() as f, site(switch) as port:
        p = project(f / "p", f"""
CREATE SOURCE web FROM HTTP 'http://127.0.0.1:{port}/api' WITH (items = '$.results[*]', key = 'login.uuid', every = '50ms',
  allow_private = true, retries = 1, timeout = '5s', max_body = '1MiB'{options}) INTO TOPIC people;
""" + TABLE + STREAM)
        with Server(p) as s:
            s.ready()
            stage = wait_for(f"trouble that says {expect}", lambda: next(
                (x for x in [s.stage("web")] if any(e.lower() in (x["trouble"] + x["note"]).lower() for e in expect)), None), 30)
            check(stage["ledger"]["applied"] == 0, f"something was applied: {stage}")
            state["bad"] = False
            if good_after:
                wait_for("the good record", lambda: s.query("SELECT first FROM k.t") == [{"first": "Elaine"}], 60)
            check(s.stop() == 0, s.output())


def test_a_body_that_is_not_json():
    fetch_from(lambda h: reply(h, b"<html>We are sorry</html>", kind="text/html"), ("JSON",))


def test_a_body_that_is_cut_short():
    fetch_from(lambda h: reply(h, GOOD[:-20]), ("JSON",))


def test_a_body_with_invalid_utf8():
    fetch_from(lambda h: reply(h, GOOD.replace(b"Elaine", b"El\xff\xfeine")), ("UTF-8", "utf8"))


def test_a_body_10000_levels_deep():
    fetch_from(lambda h: reply(h, b'{"results":' + b"[" * 10000 + b"]" * 10000 + b"}"), ("deep", "nested", "depth"))


def endless(handler):
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.end_headers()
    handler.close_connection = True
    for _ in range(100000):
        handler.wfile.write(b'{"results": [' + b" " * 65536)


def test_an_endless_body():
    fetch_from(endless, ("larger", "max_body", "1 MiB", "1MiB", "limit"))


def test_a_body_said_to_have_5_gb():
    def big(handler):
        handler.send_response(200)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(5 << 30))
        handler.end_headers()
        handler.close_connection = True
        handler.wfile.write(b"[" * 1000)
    fetch_from(big, ("larger", "max_body", "1 MiB", "1MiB", "limit"))


def test_errors_of_the_site():
    fetch_from(lambda h: reply(h, b'{"error": "cowboy"}', status=429), ("429",))
    fetch_from(lambda h: reply(h, b"down", status=503), ("503",))


def test_a_redirect_to_a_private_address():
    """Followed only as far as public addresses go; without allow_private not even the first."""
    with folder() as f, site(lambda h: reply(h, GOOD)) as port:
        p = project(f / "p", f"CREATE SOURCE web FROM HTTP 'http://127.0.0.1:{port}/' WITH (items = '$.results[*]', key = 'login.uuid') INTO TOPIC people;\n" + TABLE + STREAM)
        with Server(p) as s:
            s.ready()
            stage = wait_for("it is refused", lambda: (x := s.stage("web"))["trouble"] and x)
            check("private" in stage["trouble"] and "allow_private" in stage["trouble"], f"{stage}")
            check(s.stop() == 0, s.output())
    # The source may fetch this private address, and is sent to others: to the cloud's own, to a file.
    for target in ("http://169.254.169.254/latest/", "http://[::ffff:10.0.0.1]/", "file:///etc/passwd"):
        with folder() as f, site(lambda h: reply(h, b"", status=302, Location=target)) as port:
            p = project(f / "p", f"CREATE SOURCE web FROM HTTP 'http://127.0.0.1:{port}/' WITH (items = '$.results[*]', key = 'login.uuid', allow_private = true) INTO TOPIC people;\n" + TABLE + STREAM)
            with Server(p) as s:
                s.ready()
                stage = wait_for("it is refused", lambda: (x := s.stage("web"))["trouble"] and x)
                check("private" in stage["trouble"] or "only http" in stage["trouble"], f"{target}: {stage}")
                check(s.stop() == 0, s.output())


def test_records_that_fail_are_kept_and_their_neighbours_go_on():
    items = b'{"results": [{"login": {"uuid": "8e7fce72-89bc-4685-a747-b0f8624e020d"}, "name": {"first": "Elaine"}}, {"login": {"uuid": "no uuid"}}, {"name": "no key"}, 5, {"login": {"uuid": "11111111-89bc-4685-a747-b0f8624e020d"}, "name": {"first": 7}}]}'
    with folder() as f, site(lambda h: reply(h, items)) as port:
        p = project(f / "p", f"CREATE SOURCE web FROM HTTP 'http://127.0.0.1:{port}/' WITH (items = '$.results[*]', key = 'login.uuid', allow_private = true, answers = 1) INTO TOPIC people;\n" + TABLE + STREAM)
        with Server(p) as s:
            s.ready()
            wait_for("the good one", lambda: s.query("SELECT first FROM k.t") == [{"first": "Elaine"}])
            wait_for("the dead", lambda: s.stage("s")["ledger"]["dead"] + s.stage("web")["ledger"]["dead"] == 4)
            r = s.command("dead", "--json")
            check(len(r.stdout.splitlines()) == 4, r.stdout)
            for part in ("no uuid", "no key", "login.uuid", "name.first"):
                check(part in r.stdout, f"{part} is not in {r.stdout}")
            check(s.status()["healthy"], "dead letters are no illness")
            check(s.stop() == 0, s.output())


def test_listening_beyond_loopback_needs_passwords_of_ones_own():
    with folder() as f:
        p = project(f / "p", GENERATOR + TABLE + STREAM)
        refused(up(p, "--set", "listen.address=0.0.0.0", "--set", "server.restart=false"), "well-known password", "users passwd")
