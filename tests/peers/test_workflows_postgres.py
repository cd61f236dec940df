"""`sluice up` whose workflows are kept in a real PostgreSQL: restarted under it, shared by two servers of which one is killed, and asked by REST."""
import importlib.util
import json
import time

import audit_workflows
from audit_workflows import SETS, Triggers, now, write_dags
from harness import ROOT, Server, check, folder, in_memory, project, wait_for
from postgres import Postgres

started = []


def place(schema):
    """An empty schema's address, and what asks it."""
    if not started:
        started.append(Postgres())
    s = started[0]
    s.psql(f"CREATE SCHEMA {schema}")

    def ask(sql):
        text = s.psql(f"SET search_path = {schema}; SELECT COALESCE(json_agg(row_to_json(t)), '[]') FROM ({sql}) AS t")
        return [tuple(row.values()) for row in json.loads(text)]
    return s, s.address(options=f"-csearch_path%3D{schema}"), ask


def settings(address):
    return f'workflows:\n  database: "{address}"\n'


def ended(ask):
    try:
        return ask("SELECT count(*) AS n FROM dag_run WHERE state IN ('success', 'failed')")[0][0]
    except Exception:  # the tables are not there yet
        return 0


def test_workflows_postgres_restarted_under_a_server():
    postgres, address, ask = place("restarted")
    with folder(in_memory()) as f:
        p, start = project(f / "p", "", settings(address)), now()
        write_dags(p, start, None)
        with Server(p, sets=SETS, restart=True) as s:
            s.ready()
            triggers = Triggers(lambda: s)
            triggers.start()
            for how in ("-m fast restart", "-m immediate restart", "away", "-m fast restart", "away"):
                before = ended(ask)
                wait_for("runs to go on", lambda: ended(ask) >= before + 4, 120)
                if how == "away":
                    postgres.ctl("-m immediate stop")
                    wait_for("status says so", lambda: "; nothing goes on: " in s.command("status").stdout, 30)
                    check(s.command("status").returncode == 1, "that is not healthy")
                    time.sleep(2)  # how long it is away, not what is waited for
                    postgres.ctl("start")
                    wait_for("it goes on", lambda: s.command("status").returncode == 0, 30)
                else:
                    postgres.ctl(how)
            triggers.done.set()
            triggers.join(60)
            write_dags(p, start, now())
            wait_for("everything to end", lambda: audit_workflows.all_ended(ask), 180)
            check(s.stop() == 0, s.output()[-3000:])
        done = audit_workflows.audit(ask, f / "said", triggers.acknowledged)
        print(f"five restarts: {done}", flush=True)
        check(done["lost and tried again"] == 0, f"tries were lost, though no command was: {done}")


def test_workflows_postgres_shared_by_two_servers():
    _, address, ask = place("shared")
    with folder(in_memory()) as f:
        start = now()
        both = [project(f / name, "", settings(address)) for name in ("one", "two")]
        for p in both:
            write_dags(p, start, None)
        with Server(both[0], sets=SETS, restart=True) as a, Server(both[1], sets=SETS, restart=True) as b:
            a.ready(), b.ready()
            triggers, owners = Triggers(lambda: a), set()
            triggers.start()

            def both_work():
                owners.update(o for (o,) in ask("SELECT DISTINCT owner FROM dag_run WHERE owner IS NOT NULL") if o)
                return len(owners) > 1 and ended(ask) >= 20
            wait_for("both to work", both_work, 180)
            family = [b.process.pid, *audit_workflows.children(b.process.pid)]
            b.kill()
            audit_workflows.gone(family)
            before = ended(ask)
            wait_for("the other to go on", lambda: ended(ask) >= before + 20, 180)
            triggers.done.set()
            triggers.join(60)
            write_dags(both[0], start, now())
            wait_for("everything to end, also what the killed one had", lambda: audit_workflows.all_ended(ask), 240)
            check(a.stop() == 0, a.output()[-3000:])
        print(f"two servers, one killed: {audit_workflows.audit(ask, f / 'said', triggers.acknowledged)}", flush=True)


def test_workflows_postgres_by_rest():
    """What the REST door answers on SQLite, all over again on PostgreSQL."""
    spec = importlib.util.spec_from_file_location("airflow_api", ROOT / "tests" / "workflows" / "test_airflow_api.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    count = [0]

    def on_postgres(path, pipeline, more=None, **kw):
        count[0] += 1
        _, address, _ = place(f"rest{count[0]}")
        return project(path, pipeline, settings(address) + (more or ""), **kw)
    module.project = on_postgres
    tests = [getattr(module, name) for name in sorted(dir(module)) if name.startswith("test_airflow_api")]
    for test in tests:
        test()
    check(count[0] >= len(tests) >= 5, f"{count[0]} projects, {len(tests)} tests")
