"""The real promtool and Prometheus, built once from their Go module, outside the checkout."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import urllib.parse
import urllib.request

from engines import free_port, once, shell
from harness import ROOT, check, wait_for

VERSION = "v0.313.5"  # of the module: Prometheus 3.13.5
MODULE = "github.com/prometheus/prometheus"
TAGS = "remove_all_sd"  # without the clouds' clients: what finds targets is a file here
RULES = ROOT / "deploy" / "prometheus" / "sluice.rules.yml"
BOARD = ROOT / "deploy" / "grafana" / "sluice.json"


def program(name):
    """promtool, or prometheus itself: the path of the program."""
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


class Prometheus:
    """One that scrapes `targets` every second, with our rules."""

    def __init__(self, folder, targets):
        self.port = free_port()
        folder = pathlib.Path(folder)
        (folder / "prometheus.yml").write_text(json.dumps({
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"}, "rule_files": [str(RULES)],
            "scrape_configs": [{"job_name": "sluice", "static_configs": [{"targets": targets}]}]}))
        self.log = open(folder / "prometheus.log", "w+")
        self.process = subprocess.Popen([program("prometheus"), f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data", f"--web.listen-address=127.0.0.1:{self.port}"],
                                        stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT, env={**os.environ, "GOMAXPROCS": "2"})

    def get(self, path, **query):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}?{urllib.parse.urlencode(query)}", timeout=60) as r:
            return json.loads(r.read())["data"]

    def ready(self):
        def up():
            check(self.process.poll() is None, f"Prometheus ended:\n{self.words()}")
            try:
                return self.get("/api/v1/query", query="up == 1")["result"]
            except OSError:
                return None
        wait_for("Prometheus to have scraped", up, 120)
        return self

    def words(self):
        self.log.seek(0)
        return self.log.read()[-3000:]

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        self.process.terminate()
        self.process.wait()
        self.log.close()
