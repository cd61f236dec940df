"""The scheduler's times: zones against Python's zoneinfo, cron expressions against croniter and cron-descriptor,
timetables and the delays of retries against Apache Airflow 2.10.5's own, each through build/tests/sched_times."""
import pathlib
import subprocess

from engines import HERE, peer, venv
from harness import SLUICE, check

BUILD = pathlib.Path(SLUICE).parent


def program():
    r = subprocess.run(["ninja", "-C", BUILD, "tests/sched_times"], capture_output=True, text=True)
    check(r.returncode == 0, r.stdout[-4000:])
    return BUILD / "tests" / "sched_times"


def compare(environment, script, *args, timeout, **env):
    print(peer(script, [venv(environment), HERE / "python" / script, program(), *args], timeout=timeout, env=env).strip(), flush=True)


def test_schedules_zones_as_python_s_zoneinfo():
    compare("croniter", "zone_times.py", timeout=900)


def test_schedules_cron_as_croniter():
    compare("croniter", "cron_times.py", 12000, 7, timeout=900)


def test_schedules_timetables_as_airflow_s():
    home = BUILD / "tests" / "airflow-home"
    home.mkdir(parents=True, exist_ok=True)
    compare("airflow", "airflow_times.py", 3000, 5, timeout=900, AIRFLOW_HOME=str(home))


def test_schedules_retries_as_airflow_s():
    home = BUILD / "tests" / "airflow-home"
    home.mkdir(parents=True, exist_ok=True)
    compare("airflow", "airflow_retries.py", 2500, 9, timeout=900, AIRFLOW_HOME=str(home))
