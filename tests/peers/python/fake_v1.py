"""What Airflow's /api/v1 says of dag runs and task instances, as its openapi has it: a run is queued, then running, then success,
a look each; bad:* of a dag's id fails; the first look after a start is a 503, as of a server that comes up. Prints its port, then
a line a request."""
import base64
import http.server
import json
import urllib.parse

STATES = ["queued", "running", "success"]
runs = {}
troubles = {"503": 1}


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def give(self, status, body):
        text = json.dumps(body).encode()
        print(status, self.command, self.path, flush=True)
        self.send_response(status)
        self.send_header("Content-Type", "application/json" if status < 400 else "application/problem+json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def problem(self, status, title, detail):
        self.give(status, {"type": "about:blank", "title": title, "status": status, "detail": detail})

    def run_of(self, dag, run_id):
        return {"dag_id": dag, "dag_run_id": run_id, "state": runs[dag, run_id]["state"], "conf": runs[dag, run_id]["conf"],
                "run_type": "manual", "external_trigger": True}

    def serve(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else {}
        if self.headers.get("Authorization") != "Basic " + base64.b64encode(b"admin:admin").decode():
            return self.problem(401, "Unauthorized", "")
        if troubles["503"]:
            troubles["503"] -= 1
            return self.problem(503, "Service Unavailable", "not yet")
        path, _, query = self.path.partition("?")
        parts = [urllib.parse.unquote(p) for p in path.split("/")[3:]]
        if parts == ["dags"]:
            return self.give(200, {"dags": [], "total_entries": 0})
        dag, rest = parts[1], parts[3:]
        if dag not in ("ensure", "fetch", "ask", "bad"):
            return self.problem(404, "DAG not found", f"DAG with dag_id: '{dag}' not found")
        if not rest and self.command == "POST":
            key = (dag, body["dag_run_id"])
            if key in runs:
                return self.problem(409, "Conflict", f"DAGRun with DAG ID: '{dag}' and DAGRun ID: '{key[1]}' already exists")
            runs[key] = {"state": "queued", "conf": body.get("conf") or {}}
            print("conf", json.dumps(runs[key]["conf"]), flush=True)
            return self.give(200, self.run_of(*key))
        if not rest:
            mine = [self.run_of(*k) for k in reversed(runs) if k[0] == dag][:1]
            return self.give(200, {"dag_runs": mine, "total_entries": len(mine)})
        key = (dag, rest[0])
        if key not in runs:
            return self.problem(404, "DAGRun not found", rest[0])
        if rest[1:2] == ["taskInstances"]:
            return self.give(200, {"task_id": rest[2], "state": runs[key]["state"]})
        if rest[1:] == ["clear"]:
            runs[key]["state"] = "queued"
            return self.give(200, self.run_of(*key))
        if self.command == "PATCH":
            runs[key]["state"] = body["state"]
        at = runs[key]["state"]
        if at in STATES[:2]:
            runs[key]["state"] = "failed" if dag == "bad" and at == "running" else STATES[STATES.index(at) + 1]
        return self.give(200, self.run_of(*key))

    do_GET = do_POST = do_PATCH = serve


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
print(server.server_port, flush=True)
server.serve_forever()
