"""./test rows: CQL's rows through kills and power cuts, lightweight transactions through kills, and the proof that these
audits see the mistakes they are there for."""
import os
import random
import re
import subprocess
import threading
import time

import cassandra
import engines
import rows
from harness import Failed, Server, check, folder, project, wait_for


def test_300_kills():
    with folder() as f:
        rows.run(f, "kill", 300, seed=1)


def test_1000_power_cuts():
    with folder() as f:
        rows.run(f, "cut", 1000, seed=2)


def caught(what, disturb, mutant, *signs):
    with folder() as f:
        try:
            rows.run(f, disturb, 200, seed=3, every=5, env={f"SLUICE_MUTANT_{mutant}": "1"})
        except Failed as red:
            check(any(s in str(red) for s in signs), f"{what}: red, but not by {signs}: {red}")
            print(f"caught {what}: {str(red)[:300]}", flush=True)
            return
    raise Failed(f"the audit did not see: {what}")


def test_mutant_answer_before_sync_is_caught():
    caught("answer before sync", "cut", "CQL_ANSWER_FIRST", "acknowledged", "has lost")


def linearizable(operations, kills, env=None, code=0, seed=1):
    """gocql's clients and porcupine; the server is killed again and again meanwhile."""
    rng = random.Random(seed)
    with folder() as f:
        p, port = project(f / "lwt", "-- the clients make their own table\n"), engines.free_port()

        def server():
            s = Server(p, sets=(*rows.SETS, f"cql.port={port}"), env=env)
            s.ready()
            return s
        s = server()
        tool = subprocess.Popen([cassandra.go_program("lwt"), "-host", f"127.0.0.1:{port}", "-operations", str(operations), "-flight", "64"],
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        killed = 0
        try:
            while tool.poll() is None and killed < kills:
                time.sleep(0.5 + rng.random() * 3)
                s.kill()
                killed += 1
                s = server()
            out, _ = tool.communicate(timeout=1800)
        finally:
            tool.kill()
            s.kill()
    print(f"{killed} kills: {out[-400:]}", flush=True)
    check(tool.returncode == code, f"ended with {tool.returncode}, {killed} kills:\n{out[-6000:]}")
    return out


def test_a_million_conditional_writes_are_linearizable():
    out = linearizable(int(os.environ.get("SLUICE_LWT_OPERATIONS", "1000000")), kills=100)
    check(" 0 registers not linearizable, 0 undecided" in out, out)


def test_mutant_blind_conditions_are_caught():
    out = linearizable(60000, kills=0, env={"SLUICE_MUTANT_CAS_BLIND": "1"}, code=1)
    check(re.search(r"[1-9]\d* registers not linearizable", out), out)
