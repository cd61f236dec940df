"""The shape of every answer of Airflow's API v1, asked with nothing but HTTP: `airflow_rest.py URL`.

Prints JSON: a row a question, [name, status, {path of a field: types}]; so that two servers can be compared
field by field. Asks for what it makes, and takes it away again.
"""
import base64
import json
import sys
import time
import urllib.error
import urllib.request

BASE = sys.argv[1].rstrip("/") + "/api/v1"
LOGIN = {"Authorization": "Basic " + base64.b64encode(b"admin:admin").decode()}
rows = []


def shape(value, at="", out=None):
    """{"dags[].dag_id": ["str"], ...}"""
    out = {} if out is None else out
    if isinstance(value, dict) and not at.endswith(("rendered_fields", "conf", "params", "extra")):
        for k, v in value.items():
            shape(v, f"{at}.{k}" if at else k, out)
    elif isinstance(value, list):
        for v in value:
            shape(v, at + "[]", out)
    kind = type(value).__name__
    if kind not in out.setdefault(at or "(all)", []):
        out[at or "(all)"].append(kind)
    return out


def ask(name, method, path, body=None, login=LOGIN, accept="application/json"):
    request = urllib.request.Request(BASE + path, method=method, data=None if body is None else json.dumps(body).encode(),
                                     headers={**login, "Accept": accept, **({"Content-Type": "application/json"} if body is not None else {})})
    try:
        with urllib.request.urlopen(request, timeout=60) as r:
            status, text = r.status, r.read().decode()
    except urllib.error.HTTPError as e:
        status, text = e.code, e.read().decode()
    try:
        value = json.loads(text) if text else None
    except ValueError:
        value = text
    if name:
        rows.append([name, status, shape(value)])
    return value


def until(what, path, want, field="state"):
    for _ in range(240):
        v = ask(None, "GET", path)
        if isinstance(v, dict) and v.get(field) in want:
            return v
        time.sleep(0.5)
    raise SystemExit(f"{what}: not {want} after two minutes: {v}")


RUN = "/dags/nightly/dagRuns/of_test"
until("the dag", "/dags/nightly", ["nightly"], "dag_id")
until("the other dag", "/dags/by_hand", ["by_hand"], "dag_id")
ask(None, "DELETE", RUN)
ask("dags", "GET", "/dags?order_by=dag_id")
ask("dags by tag", "GET", "/dags?tags=etl&limit=1")
ask("dags, no such order", "GET", "/dags?order_by=nothing")
ask("dags, no such parameter", "GET", "/dags?nothing=1")
ask("dag", "GET", "/dags/nightly")
ask("dag without schedule", "GET", "/dags/by_hand")
ask("dag, none", "GET", "/dags/nope")
ask("dag details", "GET", "/dags/nightly/details")
ask("dags, some fields", "GET", "/dags?order_by=dag_id&fields=dag_id&fields=tags&fields=is_paused")
ask("dags, no such field", "GET", "/dags?fields=dag_id&fields=nope")
ask("dag, some fields", "GET", "/dags/nightly?fields=dag_id&fields=schedule_interval")
ask("dag, fields with commas", "GET", "/dags/nightly?fields=dag_id,owners")
ask("dag, no such field", "GET", "/dags/nightly?fields=nope")
ask("dag details, some fields", "GET", "/dags/nightly/details?fields=dag_id&fields=params&fields=timezone&fields=catchup")
ask("dag details, no such field", "GET", "/dags/nightly/details?fields=nope")
ask("pools, no such parameter", "GET", "/pools?fields=name")
ask("dag pause", "PATCH", "/dags/by_hand", {"is_paused": True})
ask("dag unpause, masked", "PATCH", "/dags/by_hand?update_mask=is_paused", {"is_paused": False})
ask("dag patch, none", "PATCH", "/dags/nope", {"is_paused": False})
ask("dag patch, wrong type", "PATCH", "/dags/by_hand", {"is_paused": "perhaps"})
ask("dag patch, other field", "PATCH", "/dags/by_hand?update_mask=description", {"is_paused": True})
ask("tasks", "GET", "/dags/nightly/tasks")
ask("task", "GET", "/dags/nightly/tasks/load")
ask("task, none", "GET", "/dags/nightly/tasks/nope")
ask("tasks, no dag", "GET", "/dags/nope/tasks")
ask("run post", "POST", "/dags/nightly/dagRuns", {"dag_run_id": "of_test", "conf": {"x": 1}, "note": "by a test"})
ask("run post, twice", "POST", "/dags/nightly/dagRuns", {"dag_run_id": "of_test"})
ask("run post, no dag", "POST", "/dags/nope/dagRuns", {})
ask("run post, bad date", "POST", "/dags/nightly/dagRuns", {"logical_date": "soon"})
until("the run", RUN, ["success", "failed"])
ask("run", "GET", RUN)
ask("run, none", "GET", "/dags/nightly/dagRuns/nope")
ask("run, some fields", "GET", RUN + "?fields=dag_run_id&fields=execution_date&fields=state")
ask("run, no such field", "GET", RUN + "?fields=dag_run_id&fields=nope")
ask("runs, some fields", "GET", "/dags/nightly/dagRuns?fields=dag_run_id&fields=conf&fields=note")
ask("runs, no such field", "GET", "/dags/nightly/dagRuns?fields=nope")
ask("runs", "GET", "/dags/nightly/dagRuns?limit=5&order_by=-start_date&state=success")
ask("runs of all", "GET", "/dags/~/dagRuns?limit=1")
ask("runs, batch", "POST", "/dags/~/dagRuns/list", {"dag_ids": ["nightly"], "page_limit": 2})
ask("run note", "PATCH", RUN + "/setNote", {"note": "another"})
ask("instances", "GET", RUN + "/taskInstances")
ask("instances, batch", "POST", "/dags/~/dagRuns/~/taskInstances/list", {"dag_ids": ["nightly"], "dag_run_ids": ["of_test"], "page_limit": 2})
ask("instance", "GET", RUN + "/taskInstances/extract")
ask("instance, none", "GET", RUN + "/taskInstances/nope")
ask("instance note", "PATCH", RUN + "/taskInstances/extract/setNote", {"note": "n"})
ask("tries", "GET", RUN + "/taskInstances/extract/tries")
ask("log", "GET", RUN + "/taskInstances/extract/logs/1?full_content=true")
ask("log as text", "GET", RUN + "/taskInstances/extract/logs/1?full_content=true", accept="text/plain")
ask("log, none", "GET", RUN + "/taskInstances/nope/logs/1")
ask("dependencies", "GET", RUN + "/taskInstances/extract/dependencies")
ask("links", "GET", RUN + "/taskInstances/extract/links")
ask("results", "GET", RUN + "/taskInstances/extract/xcomEntries")
ask("result", "GET", RUN + "/taskInstances/extract/xcomEntries/return_value")
ask("result, none", "GET", RUN + "/taskInstances/extract/xcomEntries/nope")
ask("clear, dry", "POST", "/dags/nightly/clearTaskInstances", {"dag_run_id": "of_test", "only_failed": False, "dry_run": True})
ask("mark, dry", "POST", "/dags/nightly/updateTaskInstancesState", {
    "dag_run_id": "of_test", "task_id": "extract", "new_state": "failed", "dry_run": True, "include_upstream": False,
    "include_downstream": False, "include_future": False, "include_past": False})
ask("instance patch, dry", "PATCH", RUN + "/taskInstances/extract", {"dry_run": True, "new_state": "failed"})
ask("run mark", "PATCH", RUN, {"state": "failed"})
ask("run mark, no such state", "PATCH", RUN, {"state": "odd"})
ask("run clear, dry", "POST", RUN + "/clear", {"dry_run": True})
ask("run delete", "DELETE", RUN)
ask("run delete, none", "DELETE", RUN)
ask("dag stats", "GET", "/dagStats?dag_ids=nightly,by_hand")
ask("warnings", "GET", "/dagWarnings")
for kind, key, one, change in (
        ("connections", "connection_id", {"connection_id": "c_1", "conn_type": "http", "host": "h", "port": 80, "password": "p", "extra": '{"a": 1}'}, {"connection_id": "c_1", "conn_type": "http", "host": "g"}),
        ("variables", "key", {"key": "v_1", "value": "x", "description": "d"}, {"key": "v_1", "value": "y"}),
        ("pools", "name", {"name": "p_1", "slots": 3, "include_deferred": False, "description": "d"}, {"name": "p_1", "slots": 4, "include_deferred": False})):
    at = f"/{kind}/{one[key]}"
    ask(None, "DELETE", at)
    ask(f"{kind} post", "POST", f"/{kind}", one)
    if kind != "variables":
        ask(f"{kind} post, twice", "POST", f"/{kind}", one)
    ask(f"{kind} post, too little", "POST", f"/{kind}", {key: "other"})
    ask(f"{kind} list", "GET", f"/{kind}?limit=100")
    ask(f"{kind} get", "GET", at)
    ask(f"{kind} get, none", "GET", f"/{kind}/nope")
    ask(f"{kind} patch", "PATCH", at, change)
    ask(f"{kind} delete", "DELETE", at)
    ask(f"{kind} delete, none", "DELETE", at)
ask("pool, default", "DELETE", "/pools/default_pool")
ANN = {"username": "ann", "first_name": "Ann", "last_name": "B", "email": "ann@example.org"}
LONG = {**ANN, "password": "a-long-secret", "roles": [{"name": "Viewer"}]}
ask(None, "DELETE", "/users/ann")
ask(None, "DELETE", "/roles/readers")
ask("user post", "POST", "/users", LONG)
ask("user post, twice", "POST", "/users", LONG)
ask("user post, an email twice", "POST", "/users", {**LONG, "username": "eve"})
ask("user post, too little", "POST", "/users", {"username": "eve"})
ask("user post, an empty name", "POST", "/users", {**LONG, "username": ""})
ask("user post, an odd field", "POST", "/users", {**LONG, "username": "eve", "odd": 1})
ask("user post, an odd role", "POST", "/users", {**LONG, "username": "eve", "email": "e", "roles": [{"name": "nope"}]})
ask("user", "GET", "/users/ann")
ask("user, none", "GET", "/users/nope")
ask("users", "GET", "/users?limit=50")
ask("user patch", "PATCH", "/users/ann", {**ANN, "first_name": "Anna"})
ask("user patch, masked", "PATCH", "/users/ann?update_mask=roles", {**ANN, "roles": [{"name": "Op"}]})
ask("user patch, an odd mask", "PATCH", "/users/ann?update_mask=nope", ANN)
ask("user patch, not said", "PATCH", "/users/ann?update_mask=roles", ANN)
ask("user patch, too little", "PATCH", "/users/ann", {"first_name": "A"})
ask("user patch, an odd role", "PATCH", "/users/ann", {**ANN, "roles": [{"name": "nope"}]})
ask("user patch, none", "PATCH", "/users/nope", {**ANN, "username": "nope", "email": "n"})
ask("role post", "POST", "/roles", {"name": "readers", "actions": []})
ask("role post, twice", "POST", "/roles", {"name": "readers", "actions": []})
ask("role post, too little", "POST", "/roles", {"actions": []})
ask("role", "GET", "/roles/readers")
ask("role, its own", "GET", "/roles/Viewer")
ask("role, none", "GET", "/roles/nope")
ask("roles", "GET", "/roles?limit=3")
ask("role patch", "PATCH", "/roles/readers", {"name": "readers", "actions": []})
ask("role patch, none", "PATCH", "/roles/nope", {"name": "nope", "actions": []})
ask("user patch, a role of one's own", "PATCH", "/users/ann?update_mask=roles", {**ANN, "roles": [{"name": "readers"}]})
ask("permissions", "GET", "/permissions")
ask("user delete", "DELETE", "/users/ann")
ask("user delete, none", "DELETE", "/users/ann")
ask("role delete", "DELETE", "/roles/readers")
ask("role delete, none", "DELETE", "/roles/readers")
ask("import errors", "GET", "/importErrors")
ask("import error, none", "GET", "/importErrors/99999")
ask("events", "GET", "/eventLogs?limit=3&order_by=-event_log_id")
ask("event, none", "GET", "/eventLogs/999999")
ask("dataset, none", "GET", "/datasets/nope")
ask("datasets", "GET", "/datasets?order_by=uri")
ask("datasets of a dag", "GET", "/datasets?dag_ids=makes")
ask("datasets, none of a dag", "GET", "/datasets?dag_ids=nope")
ask("dataset", "GET", "/datasets/users")
ask("dataset events, none yet", "GET", "/datasets/events")
ask(None, "POST", "/dags/makes/dagRuns", {"dag_run_id": "of_data"})
until("the run that changes data", "/dags/makes/dagRuns/of_data", ["success"])
until("the run after data", "/dags/waits/dagRuns", [1], "total_entries")
run = ask(None, "GET", "/dags/waits/dagRuns")["dag_runs"][0]["dag_run_id"]
until("its end", f"/dags/waits/dagRuns/{run}", ["success"])
ask("dag after data", "GET", "/dags/waits")
ask("dag after data, details", "GET", "/dags/waits_for_two/details")
ask("run after data", "GET", f"/dags/waits/dagRuns/{run}")
ask("upstream events", "GET", f"/dags/waits/dagRuns/{run}/upstreamDatasetEvents")
ask("upstream events, none", "GET", "/dags/makes/dagRuns/of_data/upstreamDatasetEvents")
ask("upstream events, no run", "GET", "/dags/waits/dagRuns/nope/upstreamDatasetEvents")
ask("dataset events", "GET", "/datasets/events?order_by=-timestamp")
ask("dataset events of a dag", "GET", "/datasets/events?source_dag_id=makes&source_run_id=of_data&source_task_id=change")
ask("dataset events of no dag", "GET", "/datasets/events?source_dag_id=nope")
ask("queued events", "GET", "/dags/waits_for_two/datasets/queuedEvent")
ask("queued event", "GET", "/dags/waits_for_two/datasets/queuedEvent/users")
ask("queued event, none", "GET", "/dags/waits_for_two/datasets/queuedEvent/others")
ask("queued events, none", "GET", "/dags/by_hand/datasets/queuedEvent")
ask("queued events of a dataset", "GET", "/datasets/queuedEvent/users")
ask("queued events of a dataset, none", "GET", "/datasets/queuedEvent/others")
ask("queued events delete, too early", "DELETE", "/dags/waits_for_two/datasets/queuedEvent?before=2001-01-01T00:00:00Z")
ask("queued event delete", "DELETE", "/dags/waits_for_two/datasets/queuedEvent/users")
ask("queued event delete, none", "DELETE", "/dags/waits_for_two/datasets/queuedEvent/users")
ask("queued events delete, none", "DELETE", "/dags/waits_for_two/datasets/queuedEvent")
ask("queued events of a dataset delete, none", "DELETE", "/datasets/queuedEvent/users")
ask("file anew", "PUT", "/parseDagFile/" + ask(None, "GET", "/dags/nightly")["file_token"])
ask("file anew, none", "PUT", "/parseDagFile/nope")
ask("dataset event post", "POST", "/datasets/events", {"dataset_uri": "others", "extra": {"n": 1}})
ask("dataset event post, none", "POST", "/datasets/events", {"dataset_uri": "nope", "extra": {}})
ask(None, "DELETE", "/dags/makes/dagRuns/of_data")
ask("config", "GET", "/config")
ask("plugins", "GET", "/plugins")
ask("health", "GET", "/health", login={})
ask("version", "GET", "/version", login={})
ask("no login", "GET", "/dags", login={})
ask("bad login", "GET", "/dags", login={"Authorization": "Basic " + base64.b64encode(b"admin:no").decode()})
ask("no such path", "GET", "/nothing")
ask("no such method", "PUT", "/dags")
print(json.dumps(rows, indent=1))
