"""Airflow's REST API with raw HTTP: each route as nobody, Viewer, User, Op and Admin, by the door's own table of
routes; dags that access_control opens to one role; refusals in each API's words; tokens; a page of a list.
"""
import base64
import contextlib
import http.server
import json
import pathlib
import re
import threading
import urllib.error
import urllib.request

from harness import ROOT, Server, check, folder, project, run, wait_for

ROUTE = re.compile(r'^ROUTE\("(\w+)", "([^"]+)", (V\w+|UI), (\w+), (\w+), (\w+), "(\w*)", "(\w*)"\)', re.M)
ROLES = ["NONE", "VIEWER", "USER", "OP", "ADMIN"]
DAGS = """
seen:
  schedule: none
  access_control: {analysts: [can_read], editors: [can_read, can_edit]}
  tasks: {only: {empty: }}
hidden:
  schedule: none
  tasks: {only: {empty: }}
"""


class Api:
    def __init__(self, base):
        self.base = base
        self.tokens = {}

    def ask(self, method, path, body=None, login=None, headers=None, raw=None):
        data = raw if raw is not None else None if body is None else json.dumps(body).encode()
        h = {**({"Content-Type": "application/json"} if data is not None else {}), **(headers or {})}
        if login and ("/api/v2" in path or path.startswith("/ui/")):
            h["Authorization"] = "Bearer " + self.token(login)
        elif login:
            h["Authorization"] = "Basic " + base64.b64encode(":".join(login).encode()).decode()
        request = urllib.request.Request(self.base + path, method=method, data=data, headers=h)
        try:
            with urllib.request.urlopen(request, timeout=30) as r:
                status, text = r.status, r.read().decode()
        except urllib.error.HTTPError as e:
            status, text = e.code, e.read().decode()
        try:
            return status, json.loads(text) if text else None
        except ValueError:
            return status, text

    def token(self, login):
        if login not in self.tokens:
            status, answer = self.ask("POST", "/auth/token", {"username": login[0], "password": login[1]})
            check(status == 201, f"no token for {login[0]}: {status} {answer}")
            self.tokens[login] = answer["access_token"]
        return self.tokens[login]


def same(got, want, what):
    check(got == want, f"{what}: {got!r} instead of {want!r}")


def people(p, verb, *people):
    for name, role, password in people:
        words = ("--role", role) if verb == "add" else ()
        r = run("users", verb, name, *words, "--project", p, "--data", p / ".sluice", stdin=password + "\n")
        check(r.returncode == 0, f"users {verb} {name}: {r.stdout}{r.stderr}")


def started(p):
    server = Server(p)
    server.ready()
    return server, Api(f"http://127.0.0.1:{server.field('console_port')}")


@contextlib.contextmanager
def opened(*more):
    """A server with a person of each role."""
    with folder() as f:
        p = project(f / "project", "-- nothing flows\n")
        (p / "dags.yaml").write_text(DAGS)
        people(p, "add", *[(r.lower(), r.lower(), "secret-" + r) for r in ROLES[1:] if r != "ADMIN"], *more)
        server, api = started(p)
        with server:
            yield server, api
            server.stop()


def login_of(role):
    return None if role == "NONE" else ("admin", "admin") if role == "ADMIN" else (role.lower(), "secret-" + role)


def test_airflow_api_roles_of_every_route():
    routes = ROUTE.findall((ROOT / "src" / "door" / "airflow" / "routes.def").read_text())
    asked = 0
    with opened() as (server, api):
        for method, path, apis, role, right, _, _, _ in routes:
            path = re.sub(r"\{(\w+)\}", lambda m: "7" if m[1].endswith("index") or "number" in m[1] else "hidden" if m[1] == "dag_id" else "9999", path)
            for base in [""] if apis == "UI" else [f"/api/v{v}" for v in "12" if v in apis]:
                for who in ROLES:
                    query = "?dag_id=hidden" if apis == "UI" else ""
                    status, answer = api.ask(method, base + path + query, {} if method in ("POST", "PATCH") else None, login_of(who))
                    asked += 1
                    what = f"{method} {base}{path} as {who}: {status} {str(answer)[:200]}"
                    if role != "NONE" and who == "NONE":
                        check(status == 401, what)
                    elif ROLES.index(who) < ROLES.index(role):
                        check(status == 403, what)
                    else: # let in: 403 only where nobody is (config, connections/test)
                        check(status not in (401, 500) and (status != 403 or path.startswith(("/config", "/connections/test"))), what)
    check(asked > 700, f"only {asked} questions")
    print(f"{asked} questions")


def test_airflow_api_a_dag_opened_to_a_role():
    """access_control names a role, or a person: here people who have no role at all."""
    with opened(("analysts", "none", "a-long-secret"), ("editors", "none", "a-long-secret")) as (_, api):
        viewer, reads, edits = ("viewer", "secret-VIEWER"), ("analysts", "a-long-secret"), ("editors", "a-long-secret")
        for v in "12":
            for who, want in ((viewer, ["hidden", "seen"]), (reads, ["seen"]), (edits, ["seen"])):
                status, answer = api.ask("GET", f"/api/v{v}/dags", login=who)
                same((status, [d["dag_id"] for d in answer["dags"]], answer["total_entries"]), (200, want, len(want)), f"v{v} dags of {who[0]}")
                same(api.ask("GET", f"/api/v{v}/dags/~/dagRuns", login=who)[0], 200, f"v{v} runs of all, {who[0]}")
            same(api.ask("GET", f"/api/v{v}/dags/hidden", login=reads)[0], 403, "hidden, to analysts")
            same(api.ask("GET", f"/api/v{v}/dags/seen", login=reads)[0], 200, "seen, to analysts")
            same(api.ask("PATCH", f"/api/v{v}/dags/seen", {"is_paused": True}, reads)[0], 403, "analysts pause")
            same(api.ask("PATCH", f"/api/v{v}/dags/seen", {"is_paused": True}, edits)[0], 200, "editors pause")
            same(api.ask("PATCH", f"/api/v{v}/dags/seen", {"is_paused": True}, viewer)[0], 403, "a Viewer pauses")
            same(api.ask("GET", "/ui/structure/structure_data?dag_id=seen", login=reads)[0], 200, "seen's structure, to analysts")
            same(api.ask("GET", "/ui/structure/structure_data?dag_id=hidden", login=reads)[0], 403, "hidden's structure, to analysts")
            same([d["dag_id"] for d in api.ask("GET", "/ui/dags", login=reads)[1]["dags"]], ["seen"], "dags of the page, to analysts")
            same(api.ask("DELETE", f"/api/v{v}/dags/seen", login=edits)[0], 403, "editors delete")
            same(api.ask("GET", f"/api/v{v}/pools", login=edits)[0], 403, "editors see pools")


def test_airflow_api_words():
    admin = ("admin", "admin")
    with opened() as (server, api):
        status, a = api.ask("GET", "/api/v1/dags/nope", login=admin)
        same((status, sorted(a), a["status"]), (404, ["detail", "status", "title", "type"], 404), "v1's problem")
        same(api.ask("GET", "/api/v2/dags/nope", login=admin), (404, {"detail": "Dag with id: nope was not found"}), "v2's")
        status, a = api.ask("POST", "/api/v2/pools", {"slots": "many", "odd": 1}, admin)
        same((status, sorted((d["type"], d["loc"][-1]) for d in a["detail"])),
             (422, [("extra_forbidden", "odd"), ("int_type", "slots"), ("missing", "name")]), "a list of mistakes")
        same(api.ask("POST", "/api/v2/pools", raw=b"{", login=admin)[0], 422, "no JSON, v2")
        same(api.ask("POST", "/api/v1/pools", raw=b"{", login=admin)[0], 400, "no JSON, v1")
        same(api.ask("GET", "/api/v2/dags?limit=-1", login=admin)[0], 422, "a limit below 0, v2")
        same(api.ask("GET", "/api/v1/dags?limit=x", login=admin)[0], 400, "a limit that is none, v1")
        for i in range(5):
            same(api.ask("POST", "/api/v1/variables", {"key": f"k{i}", "value": str(i)}, admin)[0], 200, "a variable")
        _, page = api.ask("GET", "/api/v1/variables?limit=2&offset=3&order_by=-key", login=admin)
        same(([v["key"] for v in page["variables"]], page["total_entries"]), (["k1", "k0"], 5), "a page")
        events = {e["event"] for e in api.ask("GET", "/api/v1/eventLogs?limit=100", login=admin)[1]["event_logs"]}
        check("post_variable" in events, f"no event of a change: {events}")
        same(api.ask("GET", "/api/v2/dags", headers={"Authorization": "Bearer a.b.c"}), (401, {"detail": "Invalid JWT token"}), "no token of ours")
        status, a = api.ask("POST", "/auth/token", raw=b"username=admin&password=admin", headers={"Content-Type": "application/x-www-form-urlencoded"})
        same((status, list(a)), (201, ["access_token"]), "a token by a form")
        same(api.ask("GET", "/health")[1]["metadatabase"], {"status": "healthy"}, "Airflow 2's health")


def test_airflow_api_tokens_stay():
    """A token is good after a restart, and is none when its password has changed."""
    with opened() as (server, api):
        viewer, admin = api.token(("viewer", "secret-VIEWER")), api.token(("admin", "admin"))
        server.stop()
        people(server.directory, "passwd", ("viewer", None, "another-secret"))
        again, other = started(server.directory)
        with again:
            same(other.ask("GET", "/api/v2/dags", headers={"Authorization": "Bearer " + admin})[0], 200, "a token after a restart")
            same(other.ask("GET", "/api/v2/dags", headers={"Authorization": "Bearer " + viewer})[0], 401, "a token after its password has changed")
            again.stop()


def test_airflow_api_wait():
    """A run is waited for line by line; a peer that leaves meanwhile takes nothing along."""
    with opened() as (_, api):
        admin = ("admin", "admin")
        header = {"Authorization": "Bearer " + api.token(admin)}
        api.ask("PATCH", "/api/v2/dags/hidden", {"is_paused": True}, admin)
        same(api.ask("POST", "/api/v2/dags/hidden/dagRuns", {"dag_run_id": "r", "logical_date": None}, admin)[0], 200, "a run")
        url = api.base + "/api/v2/dags/hidden/dagRuns/r/wait?interval=0.05"
        for _ in range(20):
            r = urllib.request.urlopen(urllib.request.Request(url, headers=header), timeout=30)
            same([json.loads(r.readline())["state"] for _ in range(3)], ["queued"] * 3, "looks")
            r.close()
        with urllib.request.urlopen(urllib.request.Request(url, headers=header), timeout=30) as r:
            first = json.loads(r.readline())
            same(api.ask("PATCH", "/api/v2/dags/hidden", {"is_paused": False}, admin)[0], 200, "goes on")
            last = [json.loads(line) for line in r][-1]
        same((first["state"], last["state"]), ("queued", "success"), "to the end")


GROUPED = """
grouped:
  schedule: {cron: "0 9 * * mon-fri", timezone: Europe/Berlin}
  start_date: 2024-01-01
  catchup: false
  tasks:
    first: {empty: }
    load:
      tooltip: What loads
      tasks:
        each: {bash: "exit {{ item }}", expand: [0, 0, 1], retries: 0}
        inner: {tasks: {last: {empty: , after: each, trigger_rule: all_done}}}
      after: first
waits:
  schedule: {after: {any: [users, orders]}}
  tasks: {only: {empty: }}
"""


def test_airflow_api_what_pages_ask():
    """Airflow 3's /ui: dags with their newest runs, the structure with its groups, the states of several runs' tasks at once."""
    admin = ("admin", "admin")
    with folder() as f:
        p = project(f / "project", "-- nothing flows\n")
        (p / "dags.yaml").write_text(GROUPED)
        server, api = started(p)
        with server:
            for n in range(3):
                same(api.ask("POST", "/api/v2/dags/grouped/dagRuns", {"dag_run_id": f"r{n}", "logical_date": None}, admin)[0], 200, "a run")
                token = {"Authorization": "Bearer " + api.token(admin)}
                url = f"{api.base}/api/v2/dags/grouped/dagRuns/r{n}/wait?interval=0.05"
                with urllib.request.urlopen(urllib.request.Request(url, headers=token), timeout=60) as r:
                    same(json.loads(list(r)[-1])["state"], "success", "the run")
            status, page = api.ask("GET", "/ui/dags?dag_runs_limit=2&dag_id_pattern=grouped", login=admin)
            dag = page["dags"][0]
            same((status, page["total_entries"], dag["timezone"], [r["run_id"] for r in dag["latest_dag_runs"]]), (200, 1, "Europe/Berlin", ["r2", "r1"]), "the newest runs")
            same(dag["latest_dag_runs"][0]["state"], "success", "its state")
            _, details = api.ask("GET", "/api/v2/dags/waits/details", login=admin)
            same([n["asset"]["name"] for n in details["asset_expression"]["any"]], ["users", "orders"], "what it waits for")
            _, tree = api.ask("GET", "/ui/structure/structure_data?dag_id=grouped", login=admin)
            load = tree["nodes"][0]
            same((load["id"], load["tooltip"], tree["nodes"][1]["id"]), ("load", "What loads", "first"), "the outermost")
            same([(n["id"], n["label"]) for n in load["children"]], [("load.inner", "inner"), ("load.each", "each")], "within")
            same(load["children"][1]["is_mapped"], True, "a mapped task")
            same(sorted((e["source_id"], e["target_id"]) for e in tree["edges"]), [("first", "load.each"), ("load.each", "load.inner.last")], "edges")
            api.ask("POST", "/api/v2/variables", {"key": "grouped", "value": "told to nobody"}, admin)
            _, seen = api.ask("GET", "/ui/events/grouped?limit=100", login=admin)
            check(seen["total_entries"] >= 3 and all(e["dag_id"] == "grouped" and "extra" not in e for e in seen["event_logs"]), f"a dag's events: {seen}")
            check({e["run_id"] for e in seen["event_logs"]} >= {"r0", "r1", "r2"} and "told to nobody" not in json.dumps(seen), f"a dag's events: {seen}")
            same(api.ask("GET", "/ui/events/~", login=admin)[0] == 200 and api.ask("GET", "/ui/events/~", login=admin)[1]["total_entries"], 0, "the events of all dags at once")
            status, lines = api.ask("GET", "/ui/grid/ti_summaries/grouped?run_ids=r0&run_ids=gone&run_ids=r2", login=admin)
            runs = [json.loads(line) for line in lines.splitlines()]
            same((status, [r["run_id"] for r in runs]), (200, ["r0", "r2"]), "a line a run")
            cells = {c["task_id"]: c for c in runs[1]["task_instances"]}
            same(sorted(cells), ["first", "load.each", "load.inner.last"], "its tasks")
            same((cells["load.each"]["state"], cells["load.each"]["child_states"]), ("failed", {"failed": 1, "success": 2}), "three as one")
            check(cells["first"]["min_start_date"] <= cells["load.inner.last"]["max_end_date"], f"times: {cells}")
            same(api.ask("GET", "/ui/structure/structure_data?dag_id=nope", login=admin)[0], 404, "no such dag")
            same(api.ask("GET", "/ui/nope", login=admin)[0], 404, "no such page")
            server.stop()


def test_airflow_api_an_apis_quota_is_a_pool():
    """What pipeline.sql says of an API stands among the pools of both APIs and of the page, with what is taken, and is changed by nobody there."""
    admin = ("admin", "admin")

    class Answers(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", "10")
            self.end_headers()
            self.wfile.write(b'[{"id":1}]')

        def log_message(self, *_):
            pass
    web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=web.serve_forever, daemon=True).start()
    source = f"FROM HTTP 'http://127.0.0.1:{web.server_port}/' WITH (every = '1h', items = '$[*]', allow_private = true, quota = 'api'"
    with folder() as f, contextlib.closing(web.socket):
        p = project(f / "project", f"CREATE SOURCE one {source}, rate_limit = '12/1h') INTO TOPIC one;\nCREATE SOURCE two {source}) INTO TOPIC two;\n")
        (p / "dags.yaml").write_text("d:\n  tasks: {one: {empty: }}\n")
        server, api = started(p)
        with server:
            for v in (1, 2):
                wait_for("the quota", lambda v=v: api.ask("GET", f"/api/v{v}/pools/api", login=admin)[1].get("running_slots") == 2)
                _, all_of_them = api.ask("GET", f"/api/v{v}/pools?order_by=-name", login=admin)
                same([q["name"] for q in all_of_them["pools"]], ["default_pool", "api"], "the pools")
                same(all_of_them["total_entries"], 2, "how many")
                status, pool = api.ask("GET", f"/api/v{v}/pools/api", login=admin)
                same((status, pool.pop("description")), (200, "an API's quota: 12/1h; taken by sources 2, by tasks 0"), "in words")
                same(pool, {"name": "api", "slots": 12, "occupied_slots": 2, "running_slots": 2, "queued_slots": 0, "scheduled_slots": 0, "deferred_slots": 0,
                            "open_slots": 10, "include_deferred": False}, "in numbers")
                said = "'api' is an API's quota, not a pool; pipeline.sql says how much it is: rate_limit of a source that has quota = 'api'"
                body = {"name": "api", "slots": 3} if v == 1 else {"pool": "api", "slots": 3}
                for status, answer, want in ((*api.ask("PATCH", f"/api/v{v}/pools/api?update_mask=slots", body, admin), 400),
                                             (*api.ask("DELETE", f"/api/v{v}/pools/api", login=admin), 400),
                                             (*api.ask("POST", f"/api/v{v}/pools", {"name": "api", "slots": 3}, admin), 409)):
                    same((status, answer["detail"]), (want, said), f"v{v}")
            _, page = api.ask("GET", "/ui/pools", login=admin)
            same([(q["name"], q["quota"]) for q in page["pools"]], [("api", {"per_ms": 3600000}), ("default_pool", None)], "the page's")
            taken = server.data / "quotas" / "api"
            taken.rename(f / "aside")
            taken.mkdir()  # what can not be read is told, and does not look unused
            for path in ("/api/v1/pools", "/api/v2/pools/api", "/ui/pools"):
                status, answer = api.ask("GET", path, login=admin)
                check(status == 500 and "quotas/api" in answer["detail"], f"{path}: {status} {answer}")
            taken.rmdir()
            (f / "aside").rename(taken)
            server.stop()
        web.shutdown()


def test_airflow_api_some_fields():
    """v1's `fields` cuts dags and runs down, as Airflow 2.10.5 does, and is refused elsewhere; v2 knows no such parameter."""
    admin = ("admin", "admin")
    with opened() as (_, api):
        def get(path):
            status, answer = api.ask("GET", "/api/v1" + path, login=admin)
            return (status, answer) if status == 200 else (status, answer["title"], answer["detail"])
        same(get("/dags?order_by=dag_id&fields=dag_id&fields=is_paused"),
             (200, {"dags": [{"dag_id": "hidden", "is_paused": False}, {"dag_id": "seen", "is_paused": False}], "total_entries": 2}), "dags")
        same(get("/dags/seen?fields=is_paused,dag_id"), (200, {"dag_id": "seen", "is_paused": False}), "a dag, with a comma")
        same(get("/dags/seen/details?fields=catchup&fields=timezone"), (200, {"catchup": False, "timezone": "UTC"}), "details")
        same(get("/dags/seen?fields=catchup"), (400, "DAGSchema init error", "Invalid fields for <DAGSchema(many=False)>: {'catchup'}."), "of details alone")
        same(get("/dags?fields=nope"), (400, "DAGCollectionSchema error", "Invalid fields for <DAGSchema(many=False)>: {'nope'}."), "no such field of dags")
        same(get("/dags?dag_id_pattern=nothing&fields=nope"), (200, {"dags": [], "total_entries": 0}), "of none")
        same(get("/dags/seen?fields="), get("/dags/seen"), "nothing asked for")
        same(api.ask("POST", "/api/v1/dags/seen/dagRuns?fields=state", {"dag_run_id": "r", "conf": {"x": 1}}, admin)[0], 200, "a run")
        same(get("/dags/seen/dagRuns/r?fields=dag_run_id&fields=conf"), (200, {"dag_run_id": "r", "conf": {"x": 1}}), "a run")
        same(get("/dags/seen/dagRuns?fields=dag_run_id"), (200, {"dag_runs": [{"dag_run_id": "r"}], "total_entries": 1}), "runs")
        same(get("/dags/seen/dagRuns/r?fields=nope"), (400, "DAGRunSchema error", "nope not in DAGRunSchema"), "no such field of a run")
        same(get("/dags/seen/dagRuns?fields=nope"), (400, "DAGRunCollectionSchema error", "nope not in DAGRunSchema"), "no such field of runs")
        same(get("/pools?fields=name")[0], 400, "of pools")
        same(api.ask("GET", "/api/v2/pools?fields=name", login=admin)[0], 200, "v2")


DATA = """
makes: {schedule: none, tasks: {users: {empty: , outlets: [{table: users}]}, orders: {empty: , outlets: [orders, {topic: lines}]}}}
both: {schedule: {after: [users, orders]}, tasks: {only: {empty: }}}
either: {schedule: {after: {any: [orders, told]}}, access_control: {analysts: [can_read]}, tasks: {only: {empty: }}}
"""


def test_airflow_api_assets():
    """Goal: what dags wait for and change is there as soon as they are; who changed what, which run it started and what started a run is told both ways, in the words
    of each API. Method: a task's outlets, and a change told from outside."""
    admin, person = ("admin", "admin"), ("analysts", "a-long-secret")
    with folder() as f:
        p = project(f / "project", "-- nothing flows\n")
        (p / "dags.yaml").write_text(DATA)
        people(p, "add", ("analysts", "none", "a-long-secret"))
        server, api = started(p)

        def get(path, login=admin):
            status, answer = api.ask("GET", path, login=login)
            check(status == 200, f"{path}: {status} {answer}")
            return answer

        def run_of(dag, number=1):
            wait_for(f"a run of {dag}", lambda: [r["state"] for r in get(f"/api/v2/dags/{dag}/dagRuns")["dag_runs"]] == ["success"] * number)
            return get(f"/api/v2/dags/{dag}/dagRuns?order_by=-run_after&limit=1")["dag_runs"][0]["dag_run_id"]
        with server:
            wait_for("the dags", lambda: get("/api/v2/dags")["total_entries"] == 3)
            listed = {a["name"]: a for a in get("/api/v2/assets")["assets"]}
            same({n: (a["group"], [d["dag_id"] for d in a["scheduled_dags"]], [(t["dag_id"], t["task_id"]) for t in a["producing_tasks"]], a["last_asset_event"])
                  for n, a in listed.items()},
                 {"users": ("table", ["both"], [("makes", "users")], None), "orders": ("asset", ["both", "either"], [("makes", "orders")], None),
                  "lines": ("topic", [], [("makes", "orders")], None), "told": ("asset", ["either"], [], None)}, "before anything has changed")
            same(sorted(d["uri"] for d in get("/api/v1/datasets?dag_ids=both,nope")["datasets"]), ["orders", "users"], "of a dag")
            same(get("/api/v2/assets?dag_ids=either&dag_ids=both")["total_entries"], 3, "of two dags")
            same([get(f"/api/v1/dags/{d}/details")["dataset_expression"] for d in ("both", "either", "makes")],
                 [{"all": ["users", "orders"]}, {"any": ["orders", "told"]}, None], "what they wait for")
            same(get("/api/v2/assets?dag_ids=nope")["total_entries"], 0, "of none")
            same(api.ask("POST", f"/api/v2/assets/{listed['users']['id']}/materialize", login=admin)[1]["dag_id"], "makes", "a run that changes it")
            made, both, either = run_of("makes"), run_of("both"), run_of("either")
            events = get("/api/v1/datasets/events?order_by=timestamp")["dataset_events"]
            same(sorted((e["dataset_uri"], e["source_dag_id"], e["source_task_id"], e["source_run_id"], e["source_map_index"]) for e in events),
                 [("lines", "makes", "orders", made, -1), ("orders", "makes", "orders", made, -1), ("users", "makes", "users", made, -1)], "what was changed")
            same({e["dataset_uri"]: sorted((r["dag_id"], r["dag_run_id"]) for r in e["created_dagruns"]) for e in events},
                 {"lines": [], "orders": [("both", both), ("either", either)], "users": [("both", both)]}, "what that started")
            for dag, run, want in (("both", both, ["orders", "users"]), ("either", either, ["orders"]), ("makes", made, [])):
                old, new = get(f"/api/v1/dags/{dag}/dagRuns/{run}/upstreamDatasetEvents"), get(f"/api/v2/dags/{dag}/dagRuns/{run}/upstreamAssetEvents")
                same((sorted(e["dataset_uri"] for e in old["dataset_events"]), sorted(e["name"] for e in new["asset_events"])), (want, want), f"what started {dag}")
                same((old["total_entries"], new["total_entries"]), (len(want),) * 2, "how many")
                check(all(run in [r["run_id"] for r in e["created_dagruns"]] for e in new["asset_events"]), f"{dag}: {new}")
            same(api.ask("GET", "/api/v1/dags/both/dagRuns/nope/upstreamDatasetEvents", login=admin)[0], 404, "no such run")
            last = get(f"/api/v2/assets/{listed['users']['id']}")["last_asset_event"]
            same(last["id"], next(e["id"] for e in events if e["dataset_uri"] == "users"), "its last change")
            same(get(f"/api/v2/assets/events?asset_id={listed['lines']['id']}")["total_entries"], 1, "those of one")

            api.ask("PATCH", "/api/v2/dags/either", {"is_paused": True}, admin)  # what it waits for waits
            for told in (api.ask("POST", "/api/v2/assets/events", {"asset_id": listed["told"]["id"], "extra": {"n": 1}}, admin),
                         api.ask("POST", "/api/v1/datasets/events", {"dataset_uri": "told", "extra": {"n": 2}}, admin),
                         api.ask("POST", "/api/v1/datasets/events", {"dataset_uri": "users", "extra": {}}, admin)):
                same((told[0], told[1]["created_dagruns"]), (200, []), f"told from outside: {told}")
            same([e["uri"] for e in get("/api/v1/dags/both/datasets/queuedEvent")["queued_events"]], ["users"], "what both has of two")
            same(get("/api/v2/dags/either/assets/queuedEvents")["total_entries"], 1, "what waits")
            same(get("/api/v1/dags/both/datasets/queuedEvent/users")["dag_id"], "both", "one of them")
            api.ask("PATCH", "/api/v2/dags/either", {"is_paused": False}, admin)
            second = run_of("either", 2)
            same([e["extra"]["n"] for e in get(f"/api/v2/dags/either/dagRuns/{second}/upstreamAssetEvents")["asset_events"]], [1, 2], "each that came since its last run")
            same(api.ask("GET", "/api/v2/dags/either/assets/queuedEvents", login=admin)[0], 404, "nothing waits any more")
            same([e["name"] for e in get(f"/api/v2/dags/either/dagRuns/{second}/upstreamAssetEvents", person)["asset_events"]], ["told", "told"], "to who may read that dag")
            same(api.ask("GET", f"/api/v2/dags/both/dagRuns/{both}/upstreamAssetEvents", login=person)[0], 403, "to who may not")
            same(api.ask("DELETE", f"/api/v2/dags/either/dagRuns/{second}", login=admin)[0], 204, "the run goes")
            same([e["created_dagruns"] for e in get(f"/api/v2/assets/events?asset_id={listed['told']['id']}")["asset_events"]], [[], []], "what it was started by stays")
            server.stop()


def test_airflow_api_bulk_of_what_people_keep():
    """v2's bulk changes of connections, variables and pools: actions one after the other in one transaction, what an action can not do told beside the rest, as Airflow 3.1."""
    admin = ("admin", "admin")
    with opened() as (server, api):
        def bulk(kind, *actions, status=200, login=admin):
            got, answer = api.ask("PATCH", f"/api/v2/{kind}", {"actions": list(actions)}, login)
            same(got, status, f"{kind} {actions}: {answer}")
            return answer

        def well(*ids):
            return {"success": list(ids), "errors": []}

        def ill(status, said):
            return {"success": [], "errors": [{"error": said, "status_code": status}]}
        ones = {"connections": ("connection_id", "connection_ids", lambda k, x: {"connection_id": k, "conn_type": "http", "host": x}, "host"),
                "variables": ("key", "keys", lambda k, x: {"key": k, "value": x}, "value"),
                "pools": ("name", "pool names", lambda k, x: {"name": k, "slots": len(x)}, "slots")}
        for kind, (key, keys, make, field) in ones.items():
            def held(k, kind=kind, field=field):
                return api.ask("GET", f"/api/v2/{kind}/{k}", login=admin)[1].get(field)
            a, b = make("a", "1"), make("b", "22")
            same(bulk(kind, {"action": "create", "entities": [a, b]}), {"create": well("a", "b"), "update": None, "delete": None}, f"{kind} made")
            same(bulk(kind, {"action": "create", "entities": [b, make("c", "1"), a]})["create"],
                 ill(409, f"The {kind} with these {keys}: {{'b', 'a'}} already exist."), f"{kind} there")
            same(api.ask("GET", f"/api/v2/{kind}/c", login=admin)[0], 404, f"{kind}: nothing of it")
            same(bulk(kind, {"action": "create", "action_on_existence": "skip", "entities": [make("a", "333"), make("c", "1")]})["create"], well("c"), f"{kind} passed over")
            same((held("a"), held("c")), (a[field], a[field]), f"{kind} as they were")
            same(bulk(kind, {"action": "create", "action_on_existence": "overwrite", "entities": [make("a", "333")]})["create"], well("a"), f"{kind} overwritten")
            same(held("a"), make("a", "333")[field], f"{kind} overwritten")
            same(bulk(kind, {"action": "update", "entities": [make("a", "22"), make("x", "1"), make("y", "1"), make("x", "2")]})["update"],
                 ill(404, f"The {kind} with these {keys}: {{'x', 'y'}} were not found."), f"{kind} not there")
            same(held("a"), make("a", "333")[field], f"{kind}: nothing of it")
            both = bulk(kind, {"action": "update", "action_on_non_existence": "skip", "entities": [make("a", "22"), make("x", "1")]},
                        {"action": "delete", "entities": ["nope"]}, {"action": "delete", "action_on_non_existence": "skip", "entities": ["b", "nope", "b"]})
            same(both, {"create": None, "update": well("a"), "delete": {"success": ["b"], "errors": [
                {"error": f"The {kind} with these {keys}: {{'nope'}} were not found.", "status_code": 404}]}}, f"{kind}: three actions")
            same((held("a"), api.ask("GET", f"/api/v2/{kind}/b", login=admin)[0]), (make("a", "22")[field], 404), f"{kind}: what they did")
            same(bulk(kind, {"action": "update", "update_mask": [key], "entities": [make("a", "4444")]})["update"], well("a"), f"{kind} masked")
            same(held("a"), make("a", "22")[field], f"{kind} masked")
            wrong = bulk(kind, {"action": "create", "entities": [make("d", "1"), {key: 7, "odd": 1}]}, {"action": "update", "action_on_existence": "skip", "entities": [7]},
                         {"action": "delete", "action_on_non_existence": "overwrite", "entities": [{}]}, {"action": "mend", "entities": []}, status=422)["detail"]
            at = [(m["type"], m["loc"][1:]) for m in wrong]
            for want in (("extra_forbidden", ["actions", 0, "create", "entities", 1, "odd"]), ("string_type", ["actions", 0, "create", "entities", 1, key]),
                         ("extra_forbidden", ["actions", 1, "update", "action_on_existence"]), ("model_attributes_type", ["actions", 1, "update", "entities", 0]),
                         ("enum", ["actions", 2, "delete", "action_on_non_existence"]), ("string_type", ["actions", 2, "delete", "entities", 0]),
                         ("union_tag_invalid", ["actions", 3])):
                check(want in at, f"{kind}: {want} is not among {at}")
            same(api.ask("GET", f"/api/v2/{kind}/d", login=admin)[0], 404, f"{kind}: nothing of a body that is wrong")
            same(bulk(kind), {"create": None, "update": None, "delete": None}, f"{kind}: no actions")
            bulk(kind, {"action": "delete", "entities": ["a"]}, status=403, login=("user", "secret-USER"))
        same(bulk("pools", {"action": "delete", "entities": ["c", "default_pool", "a"]})["delete"],
             {"success": ["c"], "errors": [{"error": "Default Pool can't be deleted", "status_code": 400}]}, "what can not be, after what could")
        secret = {"connection_id": "s", "conn_type": "http", "password": "p", "extra": '{"a": 1}'}
        bulk("connections", {"action": "create", "entities": [secret]})
        bulk("connections", {"action": "create", "action_on_existence": "overwrite", "entities": [{"connection_id": "s", "conn_type": "ftp"}]})
        got = api.ask("GET", "/api/v2/connections/s", login=admin)[1]
        same((got["conn_type"], got["password"], got["extra"]), ("ftp", "***", None), "a password that is not said stays")
        bulk("connections", {"action": "create", "entities": [{"connection_id": "t", "conn_type": "x"}, {"connection_id": "no spaces", "conn_type": "x"}]}, status=400)
        same(api.ask("GET", "/api/v2/connections/t", login=admin)[0], 404, "none of a request that is refused")
        events = [(e["event"], e["extra"]) for e in api.ask("GET", "/api/v1/eventLogs?limit=100", login=admin)[1]["event_logs"]]
        for want in (("post_connection", "a"), ("patch_variable", "a"), ("delete_pool", "c")):
            check(want in events, f"no event {want}: {events}")
        server.stop()


LISTS = """
many:
  schedule: none
  tasks:
    one: {empty: }
    each: {bash: "exit {{ item }}", expand: [0, 0, 1], retries: 0}
    last: {empty: , after: [one, each]}
slow: {schedule: none, tasks: {sleeps: {bash: "echo $$ >> PIDS; exec sleep 600"}, then: {empty: , after: sleeps}}}
"""


def test_airflow_api_bulk_of_task_instances():
    """v2's bulk change of a run's task instances, as Airflow 3.1, and one deleted; of a run that goes on it comes back."""
    admin, person = ("admin", "admin"), ("analysts", "a-long-secret")
    with folder() as f:
        p = project(f / "project", "-- nothing flows\n")
        (p / "dags.yaml").write_text(LISTS.replace("PIDS", str(f / "pids")))
        people(p, "add", ("analysts", "none", "a-long-secret"), ("viewer", "viewer", "secret-VIEWER"))
        server, api = started(p)

        def runs(dag):
            return f"/api/v2/dags/{dag}/dagRuns/r"

        def states(dag):
            listed = api.ask("GET", runs(dag) + "/taskInstances?order_by=task_id,map_index", login=admin)[1]["task_instances"]
            return {t["task_id"] + (f"[{t['map_index']}]" if t["map_index"] >= 0 else ""): (t["state"], t["note"]) for t in listed}

        def bulk(*actions, dag="many", status=200, login=admin):
            got, answer = api.ask("PATCH", runs(dag) + "/taskInstances", {"actions": list(actions)}, login)
            same(got, status, f"{actions}: {answer}")
            return answer
        with server:
            for dag in ("many", "slow"):
                same(api.ask("POST", f"/api/v2/dags/{dag}/dagRuns", {"dag_run_id": "r", "logical_date": None}, admin)[0], 200, "a run")
            wait_for("its end", lambda: api.ask("GET", runs("many"), login=admin)[1]["state"] == "failed")
            same(states("many")["each[2]"], ("failed", None), "before")
            for who in (person, ("viewer", "secret-VIEWER")):
                bulk({"action": "delete", "entities": ["one"]}, status=403, login=who)
            same(bulk({"action": "update", "entities": [{"task_id": "one", "new_state": "failed", "note": "by hand"}, {"task_id": "each", "map_index": 1, "note": "n"}]}),
                 {"create": None, "update": {"success": ["one", "each"], "errors": []}, "delete": None}, "a state and notes")
            same((states("many")["one"], states("many")["each[1]"]), (("failed", "by hand"), ("success", "n")), "what that did")
            found = "The Task Instance with dag_id: `many`, run_id: `r`, task_id: `%s` and map_index: `%s` was not found"
            same(bulk({"action": "update", "entities": [{"task_id": "one", "note": "again"}, {"task_id": "each", "note": "n"}, {"task_id": "last", "note": "n"}]})["update"],
                 {"success": ["one"], "errors": [{"error": found % ("each", "None"), "status_code": 404}]}, "a mapped one without its index")
            same(states("many")["last"][1], None, "nothing behind what failed")
            same(bulk({"action": "update", "action_on_non_existence": "skip", "entities": [{"task_id": "nope", "map_index": 3}, {"task_id": "last", "note": "n"}]})["update"],
                 {"success": ["last"], "errors": []}, "passed over")
            same(bulk({"action": "update", "entities": [{"task_id": "one", "new_state": "failed"}]})["update"],
                 {"success": [], "errors": [{"error": "Task id one is already in failed state", "status_code": 409}]}, "so already")
            same(bulk({"action": "create", "entities": [{"task_id": "one"}]})["create"],
                 {"success": [], "errors": [{"error": "Task instances bulk create is not supported", "status_code": 405}]}, "created")
            bulk({"action": "update", "entities": [{"task_id": "last", "note": "x"}, {"task_id": "one", "new_state": "running"}]}, status=422)
            bulk({"action": "delete", "entities": [{"map_index": 1}]}, status=422)
            same(states("many")["last"][1], "n", "nothing of a body that is wrong")
            same(bulk({"action": "delete", "entities": [{"task_id": "each", "map_index": 7}, {"task_id": "each", "map_index": 0}, {"task_id": "nope", "map_index": 0}]})["delete"]["errors"],
                 [{"error": "The task instances with these task_ids: ['each[7]', 'nope[0]'] were not found", "status_code": 404}], "not there")
            same(bulk({"action": "delete", "entities": ["last", {"task_id": "each", "map_index": 0}, "nope", "one"]})["delete"],
                 {"success": ["each[0]", "last"], "errors": [{"error": "No task instances found for task_id: nope", "status_code": 404}]}, "deleted")
            same(bulk({"action": "delete", "action_on_non_existence": "skip", "entities": ["nope", {"task_id": "each", "map_index": 0}, {"task_id": "each"}]})["delete"],
                 {"success": ["each"], "errors": []}, "all of a mapped one")
            same(list(states("many")), ["one"], "what is left")
            same(bulk({"action": "delete", "entities": ["one"]}, dag="gone")["delete"]["errors"][0]["status_code"], 404, "no such run")
            same(api.ask("DELETE", runs("many") + "/taskInstances/each", login=admin), (404, {"detail": found % ("each", "-1")}), "not there any more")
            same(api.ask("DELETE", runs("many") + "/taskInstances/one", login=admin), (200, None), "one")
            same(states("many"), {}, "nothing is left")
            same(api.ask("GET", runs("many"), login=admin)[1]["state"], "failed", "the run has ended")

            def sleeps():
                return states("slow").get("sleeps", ("",))[0]
            wait_for("what sleeps", lambda: sleeps() == "running")
            asked = runs("slow") + "/taskInstances/sleeps"
            wait_for("its process", (f / "pids").exists)
            same(api.ask("DELETE", asked, login=admin)[0], 200, "what runs")
            wait_for("it again", lambda: sleeps() == "running" and len((f / "pids").read_text().split()) == 2)
            same(api.ask("DELETE", runs("slow") + "/taskInstances/then", login=admin)[0], 200, "what waits")
            wait_for("it too", lambda: "then" in states("slow"))
            same(api.ask("PATCH", asked, {"new_state": "success"}, admin)[0], 200, "marked")
            wait_for("the run's end", lambda: api.ask("GET", runs("slow"), login=admin)[1]["state"] == "success")
            pids = (f / "pids").read_text().split()
            wait_for("both to be stopped", lambda: not any(pathlib.Path("/proc", n).exists() for n in pids))
            server.stop()


def test_airflow_api_people():
    """v1's users and roles change the table of all doors: levels, memberships, what is said of a user; what the table can not hold is refused in words."""
    admin = ("admin", "admin")
    with opened() as (server, api):
        def ask(method, path, body=None, status=200, login=admin):
            got, answer = api.ask(method, "/api/v1" + path, body, login)
            same(got, status, f"{method} {path} {body}: {answer}")
            return answer

        def roles(name):
            return [r["name"] for r in ask("GET", f"/users/{name}")["roles"]]
        ann = {"username": "ann", "first_name": "Ann", "last_name": "B", "email": "ann@example.org", "password": "a-long-secret", "roles": [{"name": "Viewer"}]}
        made = ask("POST", "/users", ann)
        same({k: made[k] for k in ("username", "first_name", "last_name", "email", "active", "roles")},
             {"username": "ann", "first_name": "Ann", "last_name": "B", "email": "ann@example.org", "active": True, "roles": [{"name": "Viewer"}]}, "a user")
        check("password" not in made, f"a password is told: {made}")
        me = ("ann", "a-long-secret")
        ask("GET", "/dags", login=me)
        ask("GET", "/pools", login=me, status=403)
        ask("GET", "/users", login=me, status=403)
        same(ask("POST", "/users", ann, 409)["detail"], "Username `ann` already exists. Use PATCH to update.", "twice")
        same(ask("POST", "/users", {**ann, "username": "eve"}, 409)["detail"], "The email `ann@example.org` is already taken.", "one email, two users")
        same(ask("POST", "/users", {"username": "eve", "odd": 1}, 400)["title"], "Bad Request", "too little")
        same(ask("POST", "/users", {**ann, "username": "eve", "email": "e", "roles": [{"name": "King"}, {"name": "Op"}, {"name": "x"}]}, 400)["detail"], "Unknown roles: 'King', 'x'", "roles")
        same(ask("POST", "/users", {**ann, "username": "two words", "email": "e"}, 400)["detail"], "a user's name has 1 to 64 bytes and no spaces", "a name")
        ask("POST", "/users", {"username": "nobody", "first_name": "", "last_name": "", "email": "n"})
        same(roles("nobody"), ["Public"], "without a role")
        bare = ask("GET", "/users/admin")
        same(bare["email"], "admin@email.notfound", "who has none, as Airflow's login manager writes it")
        ask("PATCH", "/users/admin?update_mask=email", {k: bare[k] for k in ("username", "first_name", "last_name", "email")})
        check("email.notfound" not in (server.data / "users").read_text(), "what stands for none is kept")
        same(api.ask("GET", "/api/v1/dags/seen", login=("nobody", ""))[0], 401, "without a password")

        said = {k: ann[k] for k in ("username", "first_name", "last_name", "email")}
        same(ask("PATCH", "/users/ann", {**said, "first_name": "Anna", "roles": [{"name": "Viewer"}, {"name": "Op"}]})["first_name"], "Anna", "changed")
        same((roles("ann"), api.ask("GET", "/api/v1/pools", login=me)[0]), (["Op"], 200), "of several the highest")
        ask("PATCH", "/users/ann?update_mask=last_name", {**said, "last_name": "C", "first_name": "no", "roles": []})
        same([ask("GET", "/users/ann")[k] for k in ("first_name", "last_name")], ["Anna", "C"], "masked")
        same(roles("ann"), ["Op"], "masked")
        ask("PATCH", "/users/ann?update_mask=roles", said, 400)
        ask("PATCH", "/users/ann", {**said, "username": "anna"}, 400)
        ask("PATCH", "/users/ann", {"password": "x"}, 400)
        ask("PATCH", "/users/nope", {**said, "username": "nope"}, 404)
        ask("PATCH", "/users/ann?update_mask=password", {**said, "password": "another-secret"})
        same((api.ask("GET", "/api/v1/dags", login=me)[0], api.ask("GET", "/api/v1/dags", login=("ann", "another-secret"))[0]), (401, 200), "a password")
        me = ("ann", "another-secret")

        same(ask("POST", "/roles", {"name": "analysts", "actions": []}), {"name": "analysts", "actions": []}, "a role of one's own")
        ask("POST", "/roles", {"name": "analysts", "actions": []}, 409)
        ask("POST", "/roles", {"name": "Admin", "actions": []}, 409)
        check("access_control" in ask("POST", "/roles", {"name": "kings", "actions": [{"action": {"name": "can_read"}, "resource": {"name": "DAGs"}}]}, 400)["detail"], "a role with actions")
        ask("PATCH", "/users/ann?update_mask=roles", {**said, "roles": [{"name": "analysts"}]})
        same(roles("ann"), ["analysts"], "a member")
        same([d["dag_id"] for d in ask("GET", "/dags", login=me)["dags"]], ["seen"], "what access_control gives the role")
        listed = ask("GET", "/roles")
        same(([r["name"] for r in listed["roles"]], listed["total_entries"]), (["Public", "Viewer", "User", "Op", "Admin", "analysts"], 6), "roles")
        check({"action": {"name": "can_edit"}, "resource": {"name": "/pools/{pool_name}"}} in listed["roles"][3]["actions"], f"an Op: {listed['roles'][3]}")
        same([r["name"] for r in ask("GET", "/roles?limit=1&offset=5")["roles"]], ["analysts"], "a page")
        same({a["name"] for a in ask("GET", "/permissions")["actions"]}, {"can_create", "can_read", "can_edit", "can_delete"}, "actions")
        same(ask("GET", "/roles/analysts"), {"name": "analysts", "actions": []}, "one")
        same(ask("PATCH", "/roles/analysts", {"name": "analysts", "actions": []})["name"], "analysts", "nothing changed")
        for path, body in (("/roles/analysts", {"name": "others"}), ("/roles/Viewer", {"name": "Viewer", "actions": []})):
            ask("PATCH", path, body, 400)
        ask("PATCH", "/roles/nope", {"name": "nope"}, 404)
        for name in ("Admin", "Public"):
            ask("DELETE", f"/roles/{name}", status=400)
        for path in ("/roles/ann", "/roles/nope", "/users/analysts", "/users/nope"):
            ask("DELETE", path, status=404)
        check("analysts" not in [u["username"] for u in ask("GET", "/users")["users"]], "a role among the users")
        ask("DELETE", "/roles/analysts", status=204)
        same(roles("ann"), ["Public"], "a member of what is gone")
        ask("DELETE", "/users/ann", status=204)
        ask("GET", "/users/ann", status=404)
        ask("DELETE", "/users/cassandra", status=204)
        same(ask("DELETE", "/users/admin", status=403)["detail"], "admin is the last admin", "the last")
        ask("PATCH", "/users/admin?update_mask=roles", {**said, "username": "admin", "email": "x", "roles": []}, 403)
        events = [(e["event"], e["extra"]) for e in ask("GET", "/eventLogs?limit=100")["event_logs"]]
        for want in (("post_user", "ann"), ("patch_user", "ann"), ("delete_user", "ann"), ("post_role", "analysts"), ("delete_role", "analysts")):
            check(want in events, f"no event {want}: {events}")
        ask("POST", "/users", {**ann, "first_name": "Ännchen 100%"})
        server.stop()
        again, other = started(server.directory)
        with again:
            same(other.ask("GET", "/api/v1/users/ann", login=admin)[1]["first_name"], "Ännchen 100%", "after a restart")
            again.stop()


def test_airflow_api_favorites():
    """Each person's own, told in details and on the page, and a filter."""
    admin, viewer, person = ("admin", "admin"), ("viewer", "secret-VIEWER"), ("analysts", "a-long-secret")
    with opened(("analysts", "none", "a-long-secret")) as (server, api):
        def dags(query, login, path="/api/v2/dags"):
            return [d["dag_id"] for d in api.ask("GET", path + query, login=login)[1]["dags"]]
        same(api.ask("POST", "/api/v2/dags/seen/favorite", login=viewer), (204, None), "marked")
        same(api.ask("POST", "/api/v2/dags/seen/favorite", login=viewer)[0], 409, "twice")
        same(api.ask("POST", "/api/v2/dags/seen/favorite", login=person)[0], 204, "who may read it")
        same(api.ask("POST", "/api/v2/dags/hidden/favorite", login=person)[0], 403, "who may not")
        same(api.ask("POST", "/api/v2/dags/nope/favorite", login=admin), (404, {"detail": "Dag with id 'nope' not found"}), "none such")
        same((dags("?is_favorite=true", viewer), dags("?is_favorite=false", viewer), dags("?is_favorite=true", admin), dags("?is_favorite=true", person)),
             (["seen"], ["hidden"], [], ["seen"]), "filtered")
        same(api.ask("GET", "/api/v2/dags?is_favorite=perhaps", login=viewer)[0], 422, "neither")
        same([api.ask("GET", "/api/v2/dags/seen/details", login=who)[1]["is_favorite"] for who in (viewer, admin)], [True, False], "in details")
        same({d["dag_id"]: d["is_favorite"] for d in api.ask("GET", "/ui/dags", login=viewer)[1]["dags"]}, {"seen": True, "hidden": False}, "on the page")
        same(api.ask("POST", "/api/v2/dags/seen/unfavorite", login=viewer)[0], 204, "no more")
        same(api.ask("POST", "/api/v2/dags/seen/unfavorite", login=viewer), (409, {"detail": "Dag is not marked as favorite"}), "not so")
        same((dags("?is_favorite=true", viewer), dags("?is_favorite=true", person)), ([], ["seen"]), "one's own")
        server.stop()


def test_airflow_api_what_else_clients_ask():
    """Default connections, reports of files, a file read anew, an external log, tasks that ask people, an alias, queued events forgotten."""
    admin = ("admin", "admin")
    with folder() as f:
        p = project(f / "project", "-- nothing flows\n")
        (p / "dags.yaml").write_text(DATA)
        (p / "dags").mkdir()
        (p / "dags" / "held.yaml").write_text("held: {schedule: {after: [held]}, max_active_runs: 1, tasks: {a: {bash: sleep 600}}}\n")
        (p / "dags" / "more.yaml").write_text("more: {schedule: none, access_control: {analysts: [can_read]}, tasks: {a: {empty: }, b: {empty: }}}\n")
        people(p, "add", ("analysts", "none", "a-long-secret"), ("viewer", "viewer", "secret-VIEWER"))
        server, api = started(p)

        def ask(method, path, status=200, body=None, login=admin):
            got, answer = api.ask(method, path, body, login)
            same(got, status, f"{method} {path}: {answer}")
            return answer
        with server:
            wait_for("the dags", lambda: ask("GET", "/api/v2/dags")["total_entries"] == 5)
            ask("POST", "/api/v2/connections", 201, {"connection_id": "http_default", "conn_type": "mine"})
            ask("POST", "/api/v2/connections/defaults", 204)
            kept = {k["connection_id"]: (k["conn_type"], k["host"], k["port"]) for k in ask("GET", "/api/v2/connections")["connections"]}
            same(kept, {"http_default": ("mine", None, None), "cassandra_default": ("cassandra", "cassandra", 9042), "fs_default": ("fs", None, None),
                        "kafka_default": ("kafka", None, None), "spark_default": ("spark", "yarn", None)}, "those that are there stay")

            reports = {r["dag_num"]: r for r in ask("GET", "/api/v2/dagReports?subdir=")["dag_reports"] if "held" not in r["file"]}
            same((reports[3]["task_num"], reports[3]["dags"], reports[1]["task_num"], reports[1]["dags"]), (4, "['both', 'either', 'makes']", 2, "['more']"), "files")
            same(ask("GET", "/api/v2/dagReports?subdir=" + reports[1]["file"])["total_entries"], 1, "one of them")
            same(ask("GET", "/api/v2/dagReports", 422)["detail"][0]["loc"], ["query", "subdir"], "of what")

            token = ask("GET", "/api/v2/dags/both")["file_token"]
            same((ask("PUT", f"/api/v2/parseDagFile/{token}", 201), ask("PUT", f"/api/v1/parseDagFile/{token}", 201)), (None, None), "a file")
            same(ask("PUT", "/api/v2/parseDagFile/nope", 404), {"detail": "File not found"}, "no file")
            ask("PUT", f"/api/v2/parseDagFile/{token}", 403, login=("viewer", "secret-VIEWER"))

            ask("POST", "/api/v2/dags/more/dagRuns", 200, {"dag_run_id": "r", "logical_date": None})
            wait_for("its end", lambda: ask("GET", "/api/v2/dags/more/dagRuns/r")["state"] == "success")
            at = "/api/v2/dags/more/dagRuns/r"
            same(ask("GET", at + "/taskInstances/a/externalLogUrl/1", 400)["detail"], "Task log handler does not support external logs.", "a log elsewhere")
            for path in (at, "/api/v2/dags/~/dagRuns/~"):
                same(ask("GET", path + "/hitlDetails"), {"hitl_details": [], "total_entries": 0}, "nobody is asked")
            one = ask("GET", at + "/taskInstances/a")["id"]
            for method, body in (("GET", None), ("PATCH", {"chosen_options": ["yes"]})):
                same(ask(method, at + "/taskInstances/a/-1/hitlDetails", 404, body)["detail"],
                     f"Human-in-the-loop detail does not exist for Task Instance with id {one}", "no question")
                check("was not found" in ask(method, at + "/taskInstances/nope/-1/hitlDetails", 404, body)["detail"], "no instance")
            same(ask("GET", "/api/v2/assets/aliases/7", 404)["detail"], "The Asset Alias with ID: `7` was not found", "an alias")

            numbers = {a["name"]: a["id"] for a in ask("GET", "/api/v2/assets")["assets"]}

            def change(name):
                ask("POST", "/api/v2/assets/events", 200, {"asset_id": numbers[name]})
                same([e["asset_id"] for e in ask("GET", "/api/v2/dags/both/assets/queuedEvents")["queued_events"]], [numbers[name]], "what waits")
            for path in (f"/api/v2/dags/both/assets/{numbers['users']}/queuedEvents", "/api/v2/dags/both/assets/queuedEvents", f"/api/v2/assets/{numbers['users']}/queuedEvents",
                         "/api/v1/dags/both/datasets/queuedEvent/users", "/api/v1/dags/both/datasets/queuedEvent", "/api/v1/datasets/queuedEvent/users"):
                change("users")
                ask("DELETE", path + "?before=2001-01-01T00:00:00Z", 404)
                ask("DELETE", path.replace("users", "orders").replace(f"/{numbers['users']}/", f"/{numbers['orders']}/").replace("both", "either"), 404)
                ask("DELETE", path + "?before=2999-01-01T00:00:00Z", 204)
                ask("GET", "/api/v2/dags/both/assets/queuedEvents", 404)
                check("was not found" in ask("DELETE", path, 404)["detail"], path)
            ask("DELETE", "/api/v2/dags/both/assets/queuedEvents?before=x", 422)
            for n in (1, 2):  # the second run waits until the first has ended
                ask("POST", "/api/v2/assets/events", 200, {"asset_id": numbers["held"]})
                wait_for("a run", lambda n=n: ask("GET", "/api/v2/dags/held/dagRuns")["total_entries"] == n)
                wait_for("the first", lambda: ask("GET", "/api/v2/dags/held/dagRuns?state=running")["total_entries"] == 1)
            for path in (f"/api/v2/assets/events?asset_id={numbers['held']}", f"/api/v1/datasets/events?dataset_id={numbers['held']}"):
                caused = [r for e in next(iter(ask("GET", path).values())) for r in e["created_dagruns"]]
                same(sorted((r["state"], r["start_date"] is None) for r in caused), [("queued", True), ("running", False)], "a run that has not begun")
            server.stop()
