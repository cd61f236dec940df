"""The workflows' database in a real PostgreSQL: the room's own unit program runs on it, over TLS with SCRAM, and restarts it in the middle."""
import os
import pathlib
import re
import subprocess

from harness import ROOT, SLUICE, check
from postgres import Postgres

started = []


def server():
    if not started:
        started.append(Postgres())
    return started[0]


def unit(word="", **more):
    """The room's unit tests, on this server; built beside the binary that is judged."""
    folder = pathlib.Path(SLUICE).parent
    program = folder / "unit_sched"
    if not program.exists():
        folder = ROOT / "build"
        program = folder / "unit_sched"
        r = subprocess.run(["ninja", "-C", folder, "unit_sched"], capture_output=True, text=True)
        check(r.returncode == 0, r.stdout[-4000:])
    s = server()
    env = {**os.environ, "SLUICE_TEST_META": s.address(), "SLUICE_TEST_META_CTL": s.command, **more}
    r = subprocess.run([program, *([word] if word else [])], capture_output=True, text=True, env=env, timeout=900)
    check(r.returncode == 0, f"{r.stdout[-3000:]}{r.stderr[-3000:]}\n{s.log()[-1500:]}")
    passed = int(re.search(r"(\d+) passed, 0 failed", r.stdout + r.stderr).group(1))
    check(passed > 0, f"no test has '{word}' in its name")
    return passed


def test_postgres_is_reached_by_tls_and_scram():
    s = server()
    check("scram-sha-256" in s.psql("SELECT DISTINCT auth_method FROM pg_hba_file_rules"), "passwords are not by SCRAM")
    unit("meta_values_come_back", SLUICE_TEST_META=s.address())
    rows = s.psql("SELECT setting FROM pg_settings WHERE name = 'ssl'")
    check(rows == "on", f"ssl is {rows}")


def test_postgres_does_all_that_sqlite_does():
    check(unit() >= 50, "the room's unit tests are fewer than they were")


def test_postgres_restarted_in_the_middle():
    check(unit("postgres_") >= 4, "the tests of a restart are gone")
