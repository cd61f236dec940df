"""Alerts with a running server: a rule of alerts.yaml fires for what really is, receivers are told over real HTTP and SMTP, the API steers them."""
import http.server
import json
import socketserver
import threading
import time

from api import Api
from harness import Server, check, folder, project, wait_for

PIPELINE = """CREATE SOURCE people FROM GENERATOR '' WITH (seed = 'look', results = 500, total = 500, every = '2ms') INTO TOPIC people;
CREATE KEYSPACE k;
CREATE TABLE k.t (id TEXT PRIMARY KEY, n INT);
CREATE STREAM load INTO k.t AS SELECT login.uuid AS id, CAST(name.first AS INT) AS n FROM people;
"""


class Hook:
    """A receiver: keeps what it is sent; answers 500 while told so."""

    def __init__(self):
        self.got, self.fails = [], False
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if not outer.fails:
                    outer.got.append(json.loads(body))
                self.send_response(500 if outer.fails else 200)
                self.end_headers()

            def log_message(self, *args):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook/secret"


class Mailbox:
    """A mail server of the few words a letter needs."""

    def __init__(self):
        self.letters = []
        outer = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                self.wfile.write(b"220 here\r\n")
                while line := self.rfile.readline():
                    if line.upper().startswith(b"DATA"):
                        self.wfile.write(b"354 go on\r\n")
                        letter = b""
                        while (part := self.rfile.readline()) != b".\r\n":
                            letter += part
                        outer.letters.append(letter.decode())
                    self.wfile.write(b"250 fine\r\n")
                    if line.upper().startswith(b"QUIT"):
                        return
        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.port = self.server.server_address[1]


def test_a_rule_of_the_file_fires_for_what_is_and_a_webhook_and_a_mailbox_are_told():
    hook, box = Hook(), Mailbox()
    with folder() as f:
        p = project(f / "p", PIPELINE)
        (p / "alerts.yaml").write_text(f"""rules:
  - {{name: many dead, watch: sql, of: "SELECT count(*) AS n FROM dead_letters", above: 400, severity: critical, hint: look}}
  - {{name: rows, watch: sql, of: "SELECT id, n FROM k.t", above: 5}}
  - {{name: in, watch: metric, of: sluice_stage_records_in_total, above: 499, notify: [nobody]}}
  - {{name: wrong, watch: sql, of: "DROP TABLE k.t", above: 1}}
  - {{name: quiet, watch: metric, of: sluice_no_such_thing, above: 1}}
receivers:
  - {{name: hook, webhook: "{hook.url}"}}
  - {{name: me, mail: [me@example.org]}}
""")
        with Server(p, sets=("alerts.every=200",), env={"AIRFLOW_CONN_SMTP_DEFAULT": f"smtp://127.0.0.1:{box.port}"}) as s:
            s.ready()
            api = Api(s)
            rules = lambda: {r["name"]: r for r in api.get("/alerts")["rules"]}
            wait_for("it fires", lambda: rules()["many dead"]["state"] == "firing")
            wait_for("the hook is told", lambda: any(b["alerts"][0]["labels"]["alertname"] == "many dead" for b in hook.got))
            body = next(b for b in hook.got if b["alerts"][0]["labels"]["alertname"] == "many dead")
            check(body["status"] == "firing" and body["alerts"][0]["labels"]["severity"] == "critical", f"{body}")
            check(body["alerts"][0]["annotations"]["summary"] == "many dead: 500, above 400", f"{body}")
            wait_for("the letter is there", lambda: any("many dead" in l for l in box.letters))
            letter = next(l for l in box.letters if "many dead" in l)
            check("Subject: Sluice: many dead: 500, above 400" in letter and "me@example.org" in letter, letter)
            wait_for("the figure of /metrics fires, with its labels", lambda: [
                x["name"] for x in rules()["in"]["parts"] if x["state"] == "firing"] == ['stage="people",kind="source"', 'stage="load",kind="stream"'])
            check(all(b["alerts"][0]["labels"]["alertname"] != "in" for b in hook.got), "only nobody is to be told")
            check("only what reads" in rules()["wrong"]["trouble"], f"{rules()['wrong']}")
            check("has no 'sluice_no_such_thing'" in rules()["quiet"]["trouble"], f"{rules()['quiet']}")
            check(s.query("SELECT count(*) AS n FROM k.t")[0]["n"] == 0, "the table is still there")
            shown = api.get("/alerts/receivers")["receivers"]
            check("secret" not in json.dumps(shown), f"masked: {shown}")
            events = api.get("/alerts/history?limit=1000")["events"]
            check(any(e["what"] == "told" and e["rule"] == "many dead" for e in events), f"{events}")
            check([e["number"] for e in events] == sorted((e["number"] for e in events), reverse=True), "newest first")
            check(s.stop() == 0, s.output()[-2000:])


def test_slack_and_a_webhook_are_told_of_a_dag_that_failed_by_a_rule_that_is_ready():
    """Nobody wrote a rule: the ready one fires for a real failed run, is told in Slack's form over HTTP, and is over when a run succeeds."""
    slack, hook = Hook(), Hook()
    with folder() as f:
        p = project(f / "p", PIPELINE)
        (p / "dags.yaml").write_text("load_it:\n  schedule: '@once'\n  start_date: 2024-01-01\n  tasks: {go: {bash: 'test -e $SLUICE_PROJECT/mended', retries: 0}}\n")
        (p / "alerts.yaml").write_text(f"receivers:\n  - {{name: team, slack: '{slack.url}'}}\n  - {{name: hook, webhook: '{hook.url}'}}\n")
        with Server(p, sets=("alerts.every=200",)) as s:
            s.ready()
            api = Api(s)
            told = wait_for("Slack is told", lambda: next((b["text"] for b in slack.got if "a dag's last run failed" in b["text"]), None), 60)
            check(told.startswith(":warning: ") and "load_it" in told and "runs list" in told and f"<http://127.0.0.1:{api.port}/alerts|open the console>" in told, told)
            wait_for("the hook too", lambda: any(b["alerts"][0]["labels"]["alertname"] == "a dag's last run failed" for b in hook.got))
            (p / "mended").write_text("")
            check(s.command("dags", "trigger", "load_it").returncode == 0, "a run by hand")
            over = wait_for("it is over", lambda: next((b["text"] for b in slack.got if b["text"].startswith(":white_check_mark:")), None), 60)
            check("load_it" in over, over)
            check("secret" not in json.dumps(api.get("/alerts/receivers")), "masked")
            check(s.stop() == 0, s.output()[-2000:])


def test_rules_and_receivers_are_made_tried_muted_and_removed_by_the_api():
    hook = Hook()
    with folder() as f:
        p = project(f / "p", PIPELINE)
        with Server(p, sets=("alerts.every=200",)) as s:
            s.ready()
            api = Api(s)
            api.put("/alerts/receivers/hook", {"webhook": hook.url})
            api.post("/alerts/receivers/hook/try", expect=204)
            check(len(hook.got) == 1, f"{hook.got}")
            api.put("/alerts/rules/a%20stream%20is%20behind", {"watch": "lag", "above": 5, "for": "1h"})
            rule = next(r for r in api.get("/alerts")["rules"] if r["name"] == "a stream is behind")
            check(rule["origin"] == "console" and rule["above"] == 5 and rule["for"] == 3600000, f"{rule}")
            api.put("/alerts/rules/dead", {"watch": "sql", "of": "SELECT count(*) FROM dead_letters", "above": 1})
            wait_for("told", lambda: any(b["alerts"][0]["labels"]["alertname"] == "dead" for b in hook.got))
            wait_for("told, and known so", lambda: any(e["what"] == "told" and e["rule"] == "dead" for e in api.get("/alerts/history?limit=1000")["events"]))
            told = len(hook.got)
            check(s.stop() == 0, s.output()[-2000:])
        with Server(p, sets=("alerts.every=200",)) as s:
            s.ready()
            api = Api(s)
            wait_for("it fires still", lambda: any(r["name"] == "dead" and r["parts"] and r["parts"][0]["state"] == "firing" for r in api.get("/alerts")["rules"]))
            api.put("/alerts/rules/more", {"watch": "sql", "of": "SELECT count(*) FROM dead_letters", "above": 2})
            wait_for("the new one is told", lambda: any(b["alerts"][0]["labels"]["alertname"] == "more" for b in hook.got))
            check(len(hook.got) == told + 1, "nothing is told twice over a restart")
            api.post("/alerts/rules/more/mute", {"until_ms": int(time.time() * 1000) + 3600000}, expect=204)
            api.delete("/alerts/rules/dead")
            api.delete("/alerts/rules/a%20stream%20is%20behind")
            names = {r["name"]: r["origin"] for r in api.get("/alerts")["rules"]}
            check(names["a stream is behind"] == "ready" and "dead" not in names, f"{names}")
            bad = api.put("/alerts/rules/x", {"watch": "lagg", "above": 1}, expect=400)
            check("did you mean 'lag'" in bad["error"]["hint"], f"{bad}")
            check(api.delete("/alerts/rules/a%20stream%20is%20behind", expect=403)["error"]["code"] == "ERR_FORBIDDEN", "a ready one stays")
            hook.fails = True
            bad = api.post("/alerts/receivers/hook/try", expect=None)
            check("answered 500" in bad["error"]["what"] and "secret" not in json.dumps(bad), f"{bad}")
            check(s.stop() == 0, s.output()[-2000:])


def test_five_thousand_dags_are_looked_at_by_the_ready_rule_the_overview_and_the_search():
    with folder() as f:
        p = project(f / "p", "CREATE TOPIC t;\n")
        (p / "dags.yaml").write_text("".join(f"d{i}: {{tasks: {{a: {{empty: }}}}}}\n" for i in range(5000))
                                     + "zz_fails: {schedule: '@once', start_date: 2024-01-01, tasks: {a: {bash: 'exit 1'}}}\n")
        with Server(p, sets=("alerts.every=200",)) as s:
            s.ready()
            api = Api(s)
            wait_for("the rule fires", lambda: any(e["rule"] == "a dag's last run failed" and e["part"] == "zz_fails" and e["what"] == "firing"
                                                   for e in api.get("/alerts/history?limit=1000")["events"]), 60)
            check(api.get("/search?q=zz_fails")["results"], "the last of them is found")
            check(api.get("/overview")["parts"], "the overview is told")
            check(s.stop() == 0, s.output()[-2000:])
