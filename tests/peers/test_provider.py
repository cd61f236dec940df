"""A real Airflow 2.10.5 drives Sluice by the provider of deploy/airflow: `airflow dags test` of a dag of all its operators and
sensors, against a small server that speaks /api/v1 as its openapi says, and against Sluice's own door where it is built in."""
import contextlib
import shutil
import subprocess
import sys

from engines import HERE, peer, venv
from harness import ROOT, Server, check, folder, project, wait_for

PROVIDER = ROOT / "deploy" / "airflow" / "src"
PIPELINE = """
CREATE SOURCE randomuser FROM GENERATOR '' WITH (seed = 'provider', results = 1, every = '5ms', key = 'login.uuid') INTO TOPIC users;
CREATE TABLE ks.users (id UUID PRIMARY KEY, email TEXT);
CREATE STREAM load_users INTO ks.users AS SELECT login.uuid AS id, email FROM users;
"""
REAL_DAGS = """
ensure: {schedule: null, is_paused_upon_creation: false, tasks: {healthy: {service: load_users}}}
fetch: {schedule: null, is_paused_upon_creation: false, tasks: {done: {run: randomuser, count: "{{ dag_run.conf.count }}"}}}
ask: {schedule: null, is_paused_upon_creation: false, tasks: {ask: {sql: "{{ dag_run.conf.sql }}"}}}
"""
SLUICE_DAGS = """
ensure:
  schedule: null
  is_paused_upon_creation: false
  tasks: {healthy: {sql: "SELECT 1"}}
fetch:
  schedule: null
  is_paused_upon_creation: false
  tasks: {done: {bash: "echo {{ dag_run.conf.count }}"}}
ask:
  schedule: null
  is_paused_upon_creation: false
  tasks: {ask: {sql: "{{ dag_run.conf.sql }}"}}
"""


def airflow(home, port, *args, provider=PROVIDER):
    python = venv("airflow")
    env = {"AIRFLOW_HOME": str(home), "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"), "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
           "PYTHONPATH": str(provider), "AIRFLOW_CONN_SLUICE_DEFAULT": f"sluice://admin:admin@127.0.0.1:{port}", "AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO"}
    return peer("airflow " + " ".join(args), [python, "-m", "airflow", *args], timeout=900, env=env)


def home_of(f):
    home = f / "airflow"
    (home / "dags").mkdir(parents=True)
    shutil.copy(HERE / "python" / "sluice_dag.py", home / "dags")
    airflow(home, 1, "db", "migrate")
    return home


def drive(f, port, provider=PROVIDER):
    home = home_of(f)
    said = airflow(home, port, "dags", "test", "drives_sluice", "2024-05-01", provider=provider)
    check("Marking run <DagRun drives_sluice" in said and " successful" in said, said[-3000:])
    check("state=failed" not in said and "ERROR" not in said, said[-3000:])


@contextlib.contextmanager
def fake_v1(f):
    """The port of a small server, and what answers the lines it has printed."""
    with open(f / "requests", "w") as log:
        fake = subprocess.Popen([sys.executable, str(HERE / "python" / "fake_v1.py")], stdout=log)
    try:
        text = (f / "requests").read_text
        yield wait_for("the server's port", lambda: text().splitlines()[:1])[0], text
    finally:
        fake.kill()
        fake.wait()


def test_provider_drives_what_speaks_v1():
    with folder() as f, fake_v1(f) as (port, text):
        drive(f, port)
        said = text()
        check('conf {"stream": "load_users"}' in said and 'conf {"source": "randomuser", "count": 5}' in said, said)
        check("""conf {"sql": "SELECT '2024-05-01' AS d"}""" in said and "/dags/fetch/dagRuns/fetch_2024-05-01" in said, said)
        check("/taskInstances/healthy" in said and "503 " in said, said)


def test_provider_says_what_fails():
    with folder() as f, fake_v1(f) as (port, text):
        env = {"AIRFLOW_HOME": str(f), "PYTHONPATH": str(PROVIDER), "AIRFLOW_CONN_SLUICE_DEFAULT": f"sluice://admin:admin@127.0.0.1:{port}",
               "AIRFLOW_CONN_SLUICE_WRONG": f"sluice://admin:wrong@127.0.0.1:{port}"}
        peer("sluice_hook.py", [venv("airflow"), HERE / "python" / "sluice_hook.py"], env=env)


def test_provider_drives_sluice_itself():
    with folder() as f:
        p = project(f / "p", "CREATE TOPIC t WITH (partitions = 1);\n")
        (p / "dags.yaml").write_text(SLUICE_DAGS)
        with Server(p) as s:
            s.ready()
            drive(f, s.field("console_port"))


def test_provider_installed_by_pip_runs_a_source():
    with folder() as f:
        installed = f / "installed"
        peer("pip install deploy/airflow", [venv("airflow"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps",
                                            "--target", installed, shutil.copytree(PROVIDER.parent, f / "source")], timeout=280)
        listed = airflow(f / "asked", 1, "providers", "get", "airflow-provider-sluice", provider=installed)
        check("airflow-provider-sluice" in listed, listed)
        p = project(f / "p", PIPELINE)
        (p / "dags.yaml").write_text(REAL_DAGS)
        with Server(p) as s:
            s.ready()
            drive(f, s.field("console_port"), provider=installed)
            wait_for("the records that were asked for", lambda: s.query("SELECT count(*) AS n FROM ks.users")[0]["n"] == 6)
            check(s.stop() == 0, s.output()[-3000:])
