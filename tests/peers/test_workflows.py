"""How workflows' runs go and what templates say, beside a real Airflow 2.10.5 and its Jinja2: through build/tests/sched_runs and sched_templates."""
import pathlib
import subprocess

from engines import HERE, peer, venv
from harness import SLUICE, check, folder, in_memory

BUILD = pathlib.Path(SLUICE).parent


def program(name):
    r = subprocess.run(["ninja", "-C", BUILD, f"tests/{name}"], capture_output=True, text=True)
    check(r.returncode == 0, r.stdout[-4000:])
    return BUILD / "tests" / name


def test_workflows_runs_go_as_airflow_s():
    """Trigger rules, mapping, branches, short circuits, depends_on_past and the like, on generated dags."""
    with folder(in_memory()) as f:
        env = {"AIRFLOW_HOME": str(f), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
        python = venv("airflow")
        peer("airflow db migrate", [python, "-m", "airflow", "db", "migrate"], timeout=900, env=env)
        print(peer("airflow_runs.py", [python, HERE / "python" / "airflow_runs.py", program("sched_runs"), 60, 3], timeout=3600, env=env).strip(), flush=True)


def test_workflows_templates_say_what_jinja_s_do():
    print(peer("jinja_texts.py", [venv("airflow"), HERE / "python" / "jinja_texts.py", program("sched_templates"), 20000, 1], timeout=900).strip(), flush=True)
