"""The console's live channels of workflows: a change is told soon, nothing is told while nothing changes, and names may hold anything."""
import base64
import json
import threading
import urllib.parse
import urllib.request

from harness import Server, check, folder, project, run, wait_for

DAGS = """
talks:
  schedule: none
  tasks:
    first: {bash: "echo one; while ! test -e $SLUICE_PROJECT/go; do sleep 0.05; done; echo two"}
    last: {empty: , after: first}
quiet:
  schedule: none
  tasks: {only: {empty: }}
"""


class Live:
    """A stream of the console's; what each channel told, in order."""
    def __init__(self, base, *channels):
        self.told = {c: [] for c in channels}
        query = "&".join("c=" + urllib.parse.quote(c, safe="") for c in channels)
        r = urllib.request.Request(f"{base}/api/console/live?{query}", headers={"Authorization": "Basic " + base64.b64encode(b"admin:admin").decode()})
        self.stream = urllib.request.urlopen(r, timeout=60)
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        event = None
        try:
            for line in self.stream:
                text = line.decode().rstrip("\n")
                if text.startswith("event: "):
                    event = text[7:]
                elif text.startswith("data: "):
                    self.told[event].append(json.loads(text[6:]))
        except (OSError, ValueError, AttributeError):
            pass  # the stream was closed


def part(text):
    return text.replace("%", "%25").replace(":", "%3A")


def test_flows_live():
    with folder() as f:
        p = project(f / "project", "-- nothing flows\n")
        (p / "dags.yaml").write_text(DAGS)
        with Server(p) as server:
            server.ready()
            base = f"http://127.0.0.1:{server.field('console_port')}"
            ask = urllib.request.Request(base + "/auth/token", method="POST", data=b'{"username": "admin", "password": "admin"}', headers={"Content-Type": "application/json"})
            token = json.load(urllib.request.urlopen(ask))["access_token"]

            def v2(method, path, body=None):
                r = urllib.request.Request(base + "/api/v2" + path, method=method, data=None if body is None else json.dumps(body).encode(),
                                           headers={"Content-Type": "application/json", "Authorization": "Bearer " + token})
                return json.load(urllib.request.urlopen(r, timeout=30))
            odd = "run: 100%/\u00e9"
            run_id = "r:1+2~x"
            live = Live(base, "dags", "dag:talks", "dag:quiet", f"run:talks:{part(run_id)}", f"log:talks:{part(run_id)}:first:-1:1", f"run:{part(odd)}:{part(odd)}")
            wait_for("the present", lambda: all(live.told.values()), 20)
            quiet = len(live.told["dag:quiet"])
            v2("POST", "/dags/talks/dagRuns", {"dag_run_id": run_id, "logical_date": None})
            wait_for("the run, told", lambda: run_id in live.told["dag:talks"][-1].get("runs", {}), 20)
            log = live.told[f"log:talks:{part(run_id)}:first:-1:1"]
            wait_for("the log's first line, told", lambda: log[-1]["version"] > 0, 30)
            size, before = log[-1]["version"], live.told["dag:talks"][-1]["version"]
            check(not log[-1]["over"], f"a log that goes on: {log[-1]}")
            (p / "go").write_text("")
            wait_for("the log's end, told", lambda: log[-1]["over"] and log[-1]["version"] > size, 30)
            wait_for("the run's end, told", lambda: live.told["dag:talks"][-1]["version"] > before, 30)
            check(len(live.told[f"run:talks:{part(run_id)}"]) >= 2, "a run that changed was told of once only")
            check(len(live.told["dag:quiet"]) == quiet, f"a dag that stayed as it is was told of: {live.told['dag:quiet']}")
            told = len(live.told["dags"])
            r = run("dags", "pause", "quiet", "--project", p, "--data", server.data)  # another process
            check(r.returncode == 0, r.stderr)
            wait_for("another process's change, told", lambda: len(live.told["dag:quiet"]) > quiet and len(live.told["dags"]) > told, 20)
            wrong = Live(base, "run:only_one")
            wait_for("a name with too few parts, refused", lambda: wrong.told["run:only_one"] and "error" in wrong.told["run:only_one"][0], 20)
            live.stream.close()
            server.stop()
