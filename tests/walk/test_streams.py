"""The words for streams: what they show, what they do, and the consumer groups that tell their lag."""
import json

from harness import Server, check, folder, project, run, wait_for

PIPELINE = """CREATE SOURCE people FROM GENERATOR '' WITH (seed = 'walk', results = 10, total = 200, every = '5ms', key = 'login.uuid')
  INTO TOPIC people WITH (partitions = 3);
CREATE TABLE k.t (id UUID PRIMARY KEY, first TEXT, n INT);
CREATE STREAM load INTO k.t AS SELECT login.uuid AS id, name.first AS first, dob.age AS n FROM people;
CREATE STREAM other INTO k.t AS SELECT login.uuid AS id FROM people WHERE gender = 'female';
"""
SPARK = {"id", "runId", "name", "timestamp", "batchId", "numInputRows", "inputRowsPerSecond", "processedRowsPerSecond", "durationMs", "stateOperators", "sources", "sink"}


def all_read(s, stream="load"):
    wait_for("all", lambda: s.stage(stream)["ledger"]["in"] == 200)


def test_streams_are_listed_and_described():
    with folder() as f:
        p = project(f / "p", PIPELINE)
        with Server(p) as s:
            s.ready()
            all_read(s)
            all_read(s, "other")
            r = s.command("streams")
            lines = {l.split()[0]: l for l in r.stdout.splitlines()}
            check(r.returncode == 0 and set(lines) == {"name", "load", "other"} and "balances" in lines["load"], r.stdout + r.stderr)
            check(" 200 " in lines["load"] and "people -> k.t" in lines["load"], r.stdout)
            r = s.command("streams", "load")
            check(r.returncode == 0 and s.command("streams", "describe", "load").stdout.split("epoch")[0] == r.stdout.split("epoch")[0], r.stderr)
            for part in ("lag        0 records", "rows       200 in, 200 out", "watermark  none", "in 200 = applied 200 + filtered 0 + deduplicated 0 + late 0 + dead 0 + expired 0 + held 0  balances", "topic", "rows"):
                check(part in r.stdout, f"{part}: {r.stdout}")
            check("\033" not in r.stdout, "no colours into a pipe")
            r = s.command("streams", "laod")
            check(r.returncode == 1 and "laod" in r.stderr and "hint" in r.stderr, r.stderr)
            check(s.stop() == 0, s.output())
        r = run("streams", "--project", p)
        check(r.returncode == 3 and "in 200 = applied 200" in r.stdout and "other" in r.stdout, r.stdout + r.stderr)


def test_progress_is_sparks():
    with folder() as f:
        p = project(f / "p", PIPELINE)
        with Server(p) as s:
            s.ready()
            all_read(s)
            all_read(s, "other")
            objects = [json.loads(l) for l in s.command("streams", "--json").stdout.splitlines()]
            check([o["name"] for o in objects] == ["load", "other"] and all(SPARK <= set(o) for o in objects), f"{objects}")
            recent = json.loads(s.command("streams", "load", "--recent").stdout)
            check(sum(o["numInputRows"] for o in recent) == 200 and recent[-1]["batchId"] == objects[0]["batchId"], f"{recent}")
            ends = recent[-1]["sources"][0]["endOffset"]["people"]
            check(sum(ends.values()) >= 200, f"{ends}")
            check(s.stop() == 0, s.output())


def test_a_ledger_that_does_not_balance_is_an_exit_code():
    with folder() as f:
        for term in (0, 1, 2, 5):  # in, applied, filtered, dead
            sql = PIPELINE.replace("FROM people;\nCREATE STREAM other", "FROM people CHECK (dob.age < 40) ELSE DEAD LETTER;\nCREATE STREAM other")
            p = project(f / f"p{term}", sql.replace("results = 10", "results = 200"))
            stream = "other" if term == 2 else "load"
            # the source's own count is the same function's: the records are made before, by a server that counts
            with Server(p) as s:
                s.ready()
                all_read(s)
                check(s.stop() == 0, s.output())
            check(run("reset", p, "--stage", stream, "--yes").returncode == 0, "reads again")
            with Server(p, env={"SLUICE_MUTANT_SKIP_COUNT": str(term)}) as s:
                s.ready()
                wait_for("red", lambda: s.stage(stream)["state"] == "failed")
                r = s.command("streams")
                check(r.returncode == 1 and "MISMATCH" in r.stdout, f"term {term}: {r.returncode} {r.stdout}")
                r = s.command("streams", stream)
                check(r.returncode == 1 and "DOES NOT BALANCE" in r.stdout and "trouble" in r.stdout, f"term {term}: {r.stdout}")
                check(s.command("streams", "--json").returncode == 1, "for scripts, too")


def test_streams_are_steered():
    with folder() as f:
        p = project(f / "p", PIPELINE)
        with Server(p) as s:
            s.ready()
            all_read(s)
            check(s.command("streams", "pause", "load").returncode == 0 and s.stage("load")["state"] == "paused", "paused")
            check(s.command("streams", "resume", "load").returncode == 0, "resumed")
            check(s.command("streams", "restart", "load").returncode == 0, "restarted")
            r = s.command("streams", "reset", "load", stdin="no\n")
            check(r.returncode == 0 and "nothing was removed" in r.stdout and s.stage("load")["ledger"]["in"] == 200, r.stdout)
            before = s.stage("load")["epochs"]
            r = s.command("streams", "reset", "load", "--yes")
            check(r.returncode == 0, r.stderr)
            wait_for("read again from the start", lambda: s.stage("load")["ledger"]["in"] == 200 and s.stage("load")["lag"] == 0)
            check(s.stage("load")["ledger"]["applied"] == 200 and len(s.query("SELECT id FROM k.t")) == 200, f"{before}")
            r = run("reset", p, "--stage", "other", "--yes", "--data", s.data)
            check(r.returncode == 0, f"the old word steers a running server, too: {r.stderr}")
            wait_for("other", lambda: s.stage("other")["ledger"]["in"] == 200)
            r = s.command("streams", "drop", "load", "--yes")
            check(r.returncode == 1 and "pipeline.sql" in r.stderr, r.stderr)
            check(s.stop() == 0, s.output())
        r = run("streams", "drop", "load", "--yes", "--project", p)
        check(r.returncode == 1 and "pipeline.sql" in r.stderr, r.stderr)
        (p / "pipeline.sql").write_text(PIPELINE[:PIPELINE.index("CREATE STREAM load")])
        with Server(p) as s:
            s.ready()
            check(s.command("streams", "drop", "load", "--yes").returncode == 0, "what it left goes")
            check(s.command("streams", "drop", "load", "--yes").returncode == 1, "there is nothing any more")
            check(s.stop() == 0, s.output())
        check(run("streams", "drop", "other", "--yes", "--project", p).returncode == 0, "also while nothing runs")


def test_a_resetting_source_begins_anew_while_it_runs():
    with folder() as f:
        p = project(f / "p", PIPELINE)
        with Server(p) as s:
            s.ready()
            all_read(s)
            wait_for("the source to end", lambda: s.stage("people")["state"] == "ended")
            check(s.command("streams", "reset", "people", "--yes").returncode == 0, "reset")
            wait_for("the same again", lambda: s.stage("load")["ledger"]["in"] == 400)
            check(len(s.query("SELECT id FROM k.t")) == 200, "the same keys")
            check(s.stop() == 0, s.output())


def group(s, name):
    r = s.command("groups", "describe", name, "--json", "--brokers", f"127.0.0.1:{s.field('kafka_port')}")
    return [json.loads(l) for l in r.stdout.splitlines()] if r.returncode == 0 else []


def test_consumer_groups_tell_the_true_lag():
    with folder() as f:
        p = project(f / "p", PIPELINE)
        with Server(p) as s:
            s.ready()
            all_read(s)
            rows = wait_for("lag 0", lambda: [g for g in [group(s, "sluice-load")] if len(g) == 3 and all(x["lag"] == 0 for x in g)])[0]
            check(sum(x["position"] for x in rows) == sum(x["end"] for x in rows) >= 200, f"{rows}")
            check(s.command("streams", "pause", "load").returncode == 0, "paused")
            r = s.command("produce", "people", "--brokers", f"127.0.0.1:{s.field('kafka_port')}", stdin="{}\n{}\n{}\n")
            check(r.returncode == 0, r.stderr)
            wait_for("lag 3", lambda: sum(x["lag"] for x in group(s, "sluice-load")) == 3 == s.stage("load")["lag"])
            check(s.command("streams", "resume", "load").returncode == 0, "resumed")
            wait_for("lag 0 again", lambda: sum(x["lag"] for x in group(s, "sluice-load")) == 0)
            check(s.stop() == 0, s.output())
        with Server(p) as s:
            s.ready()
            check(sum(x["lag"] for x in group(s, "sluice-load")) == 0, "what was told last is there after a start")
            check(s.stop() == 0, s.output())
