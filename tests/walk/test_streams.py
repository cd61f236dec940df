"""The words for streams: what they show, what they do, and the consumer groups that tell their lag."""
import json

import kafka_raw
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
            r = s.command("produce", "people", "--brokers", f"127.0.0.1:{s.field('kafka_port')}", stdin="{}\n{}\n")
            check(r.returncode == 0, r.stderr)
            wait_for("two more to be read", lambda: s.stage("load")["ledger"]["in"] == 205)
            s.kill()
        with Server(p) as s:
            s.ready()
            wait_for("lag 0 after a kill, without a new record", lambda: (g := group(s, "sluice-load")) and sum(x["lag"] for x in g) == 0)
            check(s.stop() == 0, s.output())


COUNTS = """CREATE SOURCE people FROM GENERATOR '' WITH (seed = 'walk', results = 10, total = {total}, key = 'login.uuid')
  INTO TOPIC people WITH (partitions = 3);
CREATE TABLE k.nats (nat TEXT PRIMARY KEY, n BIGINT);
CREATE STREAM nats INTO k.nats AS SELECT nat, {what} AS n FROM people WHERE dob.age {which} GROUP BY nat;
CREATE TABLE k.t (id UUID PRIMARY KEY, n INT);
CREATE STREAM load INTO k.t AS SELECT login.uuid AS id, dob.age AS n FROM people;
"""


def counted(s, n):
    wait_for(f"{n} records", lambda: s.stage("nats")["ledger"]["in"] == n and s.stage("nats")["lag"] == 0)
    check(s.stage("nats")["balanced"], f"{s.stage('nats')}")


def sums(people, of):
    out = {}
    for r in people:
        if (n := of(r)) is not None:
            out[r["nat"]] = out.get(r["nat"], 0) + n
    return out


def holds(s, wanted):
    got = {r["nat"]: r["n"] for r in s.query("SELECT nat, n FROM k.nats")}
    check(got == wanted, f"is {got}\\nnot {wanted}")


def test_changed_sql_goes_on_in_place_where_it_reads_the_state():
    """Another WHERE: what is counted stays counted, the new condition counts from then on."""
    with folder() as f:
        p = project(f / "p", COUNTS.format(total=200, what="count(*)", which="< 50"))
        with Server(p) as s:
            s.ready()
            counted(s, 200)
            before = s.query("SELECT nat, dob.age AS age, login.uuid AS id FROM people")
            holds(s, sums(before, lambda r: 1 if r["age"] < 50 else None))
            check(s.stop() == 0, s.output())
        project(p, COUNTS.format(total=500, what="count(*)", which=">= 50"))
        plan = run("plan", p).stdout
        check("stream  nats  changed: goes on in place" in plan and "stream  load  goes on from its cursor" in plan, plan)
        with Server(p) as s:
            s.ready()
            counted(s, 500)
            old = {r["id"] for r in before}
            everybody = s.query("SELECT nat, dob.age AS age, login.uuid AS id FROM people")
            check(len(everybody) == 500 and old < {r["id"] for r in everybody}, "the first ones are still there")
            holds(s, sums(everybody, lambda r: 1 if (r["age"] < 50) == (r["id"] in old) else None))
            check(s.stop() == 0, s.output())


def test_changed_sql_that_can_not_read_the_state_says_so_and_is_built_anew():
    """Another aggregate: that stream alone does not start, its table can be read; a reset builds it from the log."""
    with folder() as f:
        p = project(f / "p", COUNTS.format(total=200, what="count(*)", which="> 0"))
        with Server(p) as s:
            s.ready()
            counted(s, 200)
            people = s.query("SELECT nat, dob.age AS age FROM people")
            check(s.stop() == 0, s.output())
        project(p, COUNTS.format(total=300, what="sum(CAST(dob.age AS INT))", which="> 0"))
        plan = run("plan", p).stdout
        for part in ("stream  nats  CHANGED: does not start", "of another shape", "sluice reset --stage nats", "still has every record", "stream  load  goes on"):
            check(part in plan, f"{part}: {plan}")
        with Server(p) as s:
            s.ready()
            wait_for("it says so", lambda: s.stage("nats")["state"] == "failed" and "sluice reset --stage nats" in s.stage("nats")["trouble"])
            wait_for("the other goes on", lambda: s.stage("load")["ledger"]["in"] == 300)
            holds(s, sums(people, lambda r: 1))
            check(s.command("status").returncode != 0, "status is green with a stream that does not start")
            with kafka_raw.Raw(s.field("kafka_port")) as k:
                check(k.delete_records("people", 7, partition=1) == (7, 0), "records are deleted")
            check(s.stop() == 0, s.output())
        plan = run("plan", p).stdout
        check("people/1 begins at offset 7" in plan and "every record" not in plan, plan)
        check(run("reset", p, "--stage", "nats", "--yes").returncode == 0, "a reset")
        with Server(p) as s:
            s.ready()
            counted(s, 293)
            holds(s, sums(s.query("SELECT nat, dob.age AS age FROM people"), lambda r: r["age"]))
            check(s.stop() == 0, s.output())
