"""The real promtool and Prometheus judge /metrics and what deploy/ has for them; Grafana's own model reads the dashboard."""
import contextlib
import json
import re
import subprocess

import engines
import prometheus
from harness import ROOT, Server, check, folder, project, run, wait_for

PIPELINE = """CREATE SOURCE people FROM GENERATOR '' WITH (seed = 'prometheus', results = 20, every = '200ms', key = 'login.uuid')
  INTO TOPIC people WITH (partitions = 4);
CREATE KEYSPACE k WITH REPLICATION = {'class': 'SimpleStrategy'};
CREATE TABLE k.people (id UUID PRIMARY KEY, gender TEXT, age INT);
CREATE STREAM load INTO k.people AS SELECT login.uuid AS id, gender, dob.age AS age FROM people CHECK (dob.age < 70) ELSE DEAD LETTER;
CREATE MATERIALIZED VIEW ages AS SELECT gender, count(*) AS n FROM people GROUP BY gender;
"""
DAGS = """well: {schedule: '@once', start_date: 2024-01-01, tasks: {a: {bash: 'true'}}}
badly: {schedule: '@once', start_date: 2024-01-01, tasks: {a: {bash: 'false'}}}
long: {schedule: '@once', start_date: 2024-01-01, tasks: {a: {bash: 'sleep 1000'}}}
"""


@contextlib.contextmanager
def busy():
    """A server with something of everything: a source, streams, dead letters, a group, a Kafka client, dags."""
    with folder() as f:
        p = project(f / "p", PIPELINE)
        (p / "dags.yaml").write_text(DAGS)
        with Server(p) as s:
            s.ready()
            wait_for("dead letters", lambda: s.stage("load")["ledger"]["dead"] > 0 and s.stage("load")["ledger"]["applied"] > 0, 60)
            r = run("topics", "list", "--brokers", f"127.0.0.1:{s.field('kafka_port')}")
            check(r.returncode == 0, r.stderr)
            wait_for("the dags", lambda: all(f'dag_id="{d}",status="{state}"' in prometheus.metrics_of(s) for d, state in (("well", "success"), ("badly", "failed"), ("long", "running"))), 60)
            yield s
            check(s.stop() == 0, s.output())


def test_promtool_has_nothing_to_say_of_our_metrics():
    with busy() as s:
        text = prometheus.metrics_of(s)
    r = prometheus.promtool("check", "metrics", "--extended", stdin=text)
    check(r.returncode == 0, r.stdout)
    check(not re.search(r"^\S+ .*(should|must|metric names|no help text)", r.stdout, re.M), r.stdout)  # the table of --extended is no complaint
    plain = prometheus.promtool("check", "metrics", stdin=text)
    check(plain.returncode == 0 and plain.stdout == "", plain.stdout)
    # the tool would say so: a counter that is not called one, no help
    wrong = prometheus.promtool("check", "metrics", stdin="# TYPE sluice_wrong counter\nsluice_wrong 1\n")
    check(wrong.returncode != 0 and "_total" in wrong.stdout, wrong.stdout)
    # every name is in the documentation, and every sample stands under a head
    told = set(re.findall(r"^# TYPE (\S+) ", text, re.M))
    listed = set(re.findall(r"^\| `(\w+)` \|", (ROOT / "docs" / "metrics.md").read_text(), re.M))
    check(told <= listed, f"not in docs/metrics.md: {sorted(told - listed)}")
    heads = re.findall(r"^# TYPE (\S+) ", text, re.M)
    check(len(heads) == len(set(heads)), "a name has two heads")


def test_the_rules_are_right_and_fire():
    r = prometheus.promtool("check", "rules", "--lint=all", "--lint-fatal", prometheus.RULES)
    check(r.returncode == 0, r.stdout)
    r = prometheus.promtool("test", "rules", prometheus.RULES.with_suffix("").with_suffix(".rules.test.yml"))
    check(r.returncode == 0, r.stdout)
    played = prometheus.RULES.with_suffix("").with_suffix(".rules.test.yml").read_text()
    for alert, _ in prometheus.rule_expressions():
        check(f"alertname: {alert}" in played, f"the rule {alert} is not played")


def test_every_name_of_the_dashboard_and_the_rules_is_there():
    expressions = [*prometheus.board_expressions(), *prometheus.rule_expressions()]
    check(len(expressions) > 60, f"{len(expressions)} expressions")
    with busy() as s:
        text = prometheus.metrics_of(s)
    there = set(re.findall(r"^# TYPE (\S+) ", text, re.M)) | {m + suffix for m in re.findall(r"^# TYPE (\S+) (?:histogram|summary)", text, re.M) for suffix in ("_bucket", "_sum", "_count")}
    for where, expression in expressions:
        missing = prometheus.names_in(expression) - there
        check(not missing, f"{where}: /metrics has no {sorted(missing)}")
        r = prometheus.promtool("--experimental", "promql", "format", expression)
        check(r.returncode == 0, f"{where}: {r.stdout}")


def test_a_real_prometheus_scrapes_and_answers_every_expression():
    with busy() as s, folder() as f, prometheus.Prometheus(f, [f"127.0.0.1:{s.field('metrics_port')}"]) as p:
        p.ready()
        wait_for("some scrapes", lambda: p.get("/api/v1/query", query="count_over_time(up[1m]) >= 5")["result"], 120)
        empty = [f"{where}: {text}" for where, text in prometheus.board_expressions() if not p.get("/api/v1/query", query=text)["result"]]
        check(not empty, "the dashboard has nothing to show:\n" + "\n".join(empty))

        def judged():
            rules = [r for g in p.get("/api/v1/rules")["groups"] for r in g["rules"]]
            return rules if all(r["health"] != "unknown" for r in rules) and any(r["state"] == "firing" for r in rules) else None
        rules = wait_for("the rules to be judged", judged, 120)
        check(len(rules) == len([*prometheus.rule_expressions()]) and all(r["health"] == "ok" for r in rules), [(r["name"], r["health"], r.get("lastError")) for r in rules])
        failed = next(r for r in rules if r["name"] == "SluiceDagFailed")
        check([a["labels"]["dag_id"] for a in failed["alerts"]] == ["badly"], failed)
        target = p.get("/api/v1/targets")["activeTargets"][0]
        check(target["health"] == "up" and not target["lastError"], target)
        known = p.get("/api/v1/metadata")
        check(known["kafka_consumergroup_lag"][0]["type"] == "gauge" and known["sluice_cql_seconds"][0]["type"] == "histogram", known["kafka_consumergroup_lag"])


READ = """import json, sys
from grafana_foundation_sdk.cog import plugins
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard
plugins.register_default_plugins()
print(json.dumps(dashboard.Dashboard.from_json(json.load(sys.stdin)), cls=JSONEncoder))
"""


def lost(ours, theirs, where=""):
    """What of ours is not in theirs."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return [x for k in ours for x in (lost(ours[k], theirs[k], f"{where}.{k}") if k in theirs else [f"{where}.{k}"])]
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        return [x for i, (a, b) in enumerate(zip(ours, theirs)) for x in lost(a, b, f"{where}[{i}]")]
    return [] if ours == theirs else [f"{where}: {ours!r} is {theirs!r}"]


def test_grafana_s_own_model_reads_all_of_the_dashboard():
    text = prometheus.BOARD.read_text()
    r = subprocess.run([engines.venv("grafana"), "-c", READ], input=text, capture_output=True, text=True, timeout=120)
    check(r.returncode == 0, r.stderr)
    missing = lost(json.loads(text), json.loads(r.stdout))
    check(not missing, "\n".join(missing))
    wrong = lost({"a": [1, {"b": 2}]}, {"a": [1, {"c": 2}]})
    check(wrong == [".a[1].b"], wrong)


def test_the_dashboard_is_whole():
    board = json.loads(prometheus.BOARD.read_text())
    ids = [p["id"] for p in board["panels"]]
    check(len(ids) == len(set(ids)), "two panels of one id")
    taken = set()
    for p in board["panels"]:
        g = p["gridPos"]
        check(g["x"] + g["w"] <= 24, f"{p['title']} is beyond the page's edge")
        cells = {(x, y) for x in range(g["x"], g["x"] + g["w"]) for y in range(g["y"], g["y"] + g["h"])}
        check(not cells & taken, f"{p['title']} lies over another panel")
        taken |= cells
        check(p["type"] == "row" or p["datasource"]["uid"] == "${datasource}", f"{p['title']} has a data source of its own")
    check([v["name"] for v in board["templating"]["list"]] == ["datasource", "job", "instance", "stage"], "the variables")
