"""What container tools probe: each door's health, as the programs that it stands for answer it."""
import contextlib
import json
import socket
import urllib.error
import urllib.request

from harness import Server, check, folder, project, run, wait_for

PIPELINE = """CREATE SOURCE people FROM GENERATOR '' WITH (seed = 'health', results = 5, total = 5, key = 'login.uuid') INTO TOPIC people;
CREATE KEYSPACE k WITH REPLICATION = {'class': 'SimpleStrategy'};
CREATE TABLE k.people (id UUID PRIMARY KEY, age INT);
CREATE STREAM load INTO k.people AS SELECT login.uuid AS id, dob.age AS age FROM people;
"""


class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args):
        return None


def get(port, path, method="GET"):
    """(status, type, body) without following; no login, and no header but Host, as a container tool asks."""
    opener = urllib.request.build_opener(Stay)
    try:
        with opener.open(urllib.request.Request(f"http://127.0.0.1:{port}{path}", method=method), timeout=30) as r:
            return r.status, r.headers.get("Content-Type", ""), r.read()
    except urllib.error.HTTPError as e:
        return e.code, e.headers.get("Content-Type", ""), e.read()


@contextlib.contextmanager
def served(*sets, pipeline=PIPELINE):
    with folder() as f:
        p = project(f / "p", pipeline)
        (p / "dags.yaml").write_text("d: {schedule: null, tasks: {a: {bash: 'true'}}}\n")
        with Server(p, sets=sets) as s:
            s.ready()
            yield s
            check(s.stop() == 0, s.output())


def test_health_is_answered_where_container_tools_ask():
    with served() as s:
        metrics, console = s.field("metrics_port"), s.field("console_port")
        for port, path in ((metrics, "/health"), (metrics, "/healthz"), (metrics, "/ready"), (console, "/healthz"), (console, "/ready")):
            status, kind, body = get(port, path)
            check(status == 200 and kind == "application/json", f"{path}: {status} {kind}")
            told = json.loads(body)
            check(told["stages"] and all(x["state"] != "failed" for x in told["stages"]), f"{path}: {told}")
            check(get(port, path, "HEAD")[0] == 200, f"HEAD {path}")
        check(get(metrics, "/metrics")[0] == 200 and get(metrics, "/metrics", "HEAD")[0] == 200, "/metrics")
        check(get(metrics, "/metrics", "POST")[0] == 405 and get(metrics, "/nothing")[0] == 404, "what is not there")


def test_airflow_s_health_is_as_its_own_container_asks():
    with served() as s:
        console = s.field("console_port")
        for path in ("/health", "/api/v1/health", "/api/v2/monitor/health"):
            def healthy():
                status, kind, body = get(console, path)
                check(status == 200 and kind.startswith("application/json"), f"{path}: {status} {kind} {body[:200]}")
                told = json.loads(body)
                return told["metadatabase"]["status"] == "healthy" and told["scheduler"]["status"] == "healthy" and told
            told = wait_for(f"{path} to be healthy", healthy)
            check("latest_scheduler_heartbeat" in told["scheduler"], told)
        check(get(console, "/api/v1/version")[0] == 200, "Airflow's version")
        ask = s.command("status")
        check(ask.returncode == 0, ask.stderr)


def test_the_other_ports_of_the_console_answer_at_their_root():
    with socket.socket() as a, socket.socket() as b, socket.socket() as c:
        free = []
        for one in (a, b, c):
            one.bind(("127.0.0.1", 0))
            free.append(one.getsockname()[1])
    names = ("console.topics_port", "console.streams_port", "console.notebooks_port")
    with served(*[f"{n}={p}" for n, p in zip(names, free)]) as s:
        for port, page in zip(free, ("/topics", "/streams", "/notebooks")):
            status, _, body = get(port, "/")
            check(status in (200, 302, 303, 307), f"{page}: {status} {body[:200]}")  # curl -f is content
            for path in ("/health", "/healthz", "/ready"):
                check(get(port, path)[0] == 200, f"{page}: {path}")


def test_a_stage_that_has_failed_makes_it_503():
    with folder() as f:
        p = project(f / "p", PIPELINE)
        with Server(p) as s:  # the records, by a server that counts them
            s.ready()
            wait_for("the rows", lambda: s.stage("load")["ledger"]["applied"] == 5)
            check(s.stop() == 0, s.output())
        check(run("reset", p, "--stage", "load", "--yes").returncode == 0, "reads again")
        with Server(p, env={"SLUICE_MUTANT_SKIP_COUNT": "1"}) as s:
            s.ready()
            wait_for("the ledger to be off", lambda: s.stage("load")["state"] == "failed")
            for port, path in ((s.field("metrics_port"), "/health"), (s.field("metrics_port"), "/healthz"), (s.field("metrics_port"), "/ready"), (s.field("console_port"), "/healthz"), (s.field("console_port"), "/ready")):
                status, _, body = get(port, path)
                check(status == 503 and any(x["state"] == "failed" for x in json.loads(body)["stages"]), f"{path}: {status} {body[:300]}")
            text = get(s.field("metrics_port"), "/metrics")[2].decode()
            for line in ('sluice_stage_failed{stage="load",kind="stream"} 1', 'sluice_stage_ledger_balanced{stage="load",kind="stream"} 0', 'sluice_stage_running{stage="load",kind="stream"} 0'):
                check(line in text.splitlines(), f"/metrics does not tell it: {line}")


def test_zookeeper_s_words_say_that_it_is_well():
    with served("zookeeper.port=0") as s:
        with socket.create_connection(("127.0.0.1", int(s.field("zookeeper_port"))), timeout=30) as z:
            z.sendall(b"ruok")
            check(z.recv(16) == b"imok", "ruok")
