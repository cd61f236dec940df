"""The real promtool, built once from its Go module, outside the checkout."""
import json
import re
import shutil
import subprocess
import urllib.request

from engines import once, shell
from harness import ROOT, check

VERSION = "v0.313.5"  # of the module: Prometheus 3.13.5
MODULE = "github.com/prometheus/prometheus"
TAGS = "remove_all_sd"  # without the clouds' clients: what finds targets is a file here
RULES = ROOT / "deploy" / "prometheus" / "sluice.rules.yml"
BOARD = ROOT / "deploy" / "grafana" / "sluice.json"


def program(name):
    """promtool: the path of the program."""
    def make(folder):
        go = shutil.which("go")
        check(go, f"there is no program 'go' here: {name} is built from its Go module with Go 1.26 or newer")
        folder.mkdir(parents=True)
        shell("beginning a Go module", go, "mod", "init", "peers", cwd=folder)
        shell(f"fetching {MODULE}", go, "get", f"{MODULE}/cmd/{name}@{VERSION}", cwd=folder)
        shell(f"building {name}", go, "build", "-mod=mod", "-ldflags=-s", "-tags", TAGS, "-o", folder / name, f"{MODULE}/cmd/{name}", cwd=folder, timeout=3000)
    return once(name, f"{VERSION} {TAGS}", make) / name


def promtool(*args, stdin=None):
    return subprocess.run([program("promtool"), *map(str, args)], input=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300)


def metrics_of(server):
    with urllib.request.urlopen(f"http://127.0.0.1:{server.field('metrics_port')}/metrics", timeout=60) as r:
        return r.read().decode()


def board_expressions():
    """(panel, expression) of the dashboard, with its variables put in as Grafana would."""
    values = {"$__rate_interval": "1m", "$job": ".*", "$instance": ".*", "$stage": ".*"}
    for panel in json.loads(BOARD.read_text())["panels"]:
        for target in panel.get("targets", []):
            text = target["expr"]
            for name, value in values.items():
                text = text.replace(name, value)
            check("$" not in text, f"{panel['title']}: a variable that nobody sets: {text}")
            yield panel["title"], text


def rule_expressions():
    for alert, text in re.findall(r"- alert: (\w+)\n +expr: (.*)", RULES.read_text()):
        yield alert, text


def names_in(expression):
    """The metrics that an expression reads."""
    return set(re.findall(r"\b(?:sluice|kafka|cassandra|airflow|spark|process)_[a-z0-9_]+\b", re.sub(r'"[^"]*"', "", expression)))
