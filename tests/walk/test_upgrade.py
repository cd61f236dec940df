"""A view's SQL changes while records come: the old answers until the new ones are all there, then those; whatever is killed in between. And what ends."""
import collections
import random
import time

from harness import Server, check, folder, project, run, wait_for

TOTAL = 60000
SOURCE = """CREATE SOURCE people FROM GENERATOR '' WITH (seed = 'upgrade', results = 1000, total = %d, every = '2ms', key = 'login.uuid')
  INTO TOPIC people WITH (partitions = 2);
"""
BY_NAT = "CREATE MATERIALIZED VIEW tally AS SELECT nat, count(*) AS n FROM people GROUP BY nat;\n"
BY_AGE = "CREATE MATERIALIZED VIEW tally AS SELECT gender, nat, count(*) AS n, max(CAST(dob.age AS INT)) AS oldest FROM people GROUP BY gender, nat;\n"
SLOW = ("flow.form=live", "flow.epoch_rows=300")  # so that there is a middle to be killed in


def tally(s, columns):
    return {tuple(r[c] for c in columns) for r in s.query("SELECT * FROM views.tally")}


def records(s):
    """All of the topic, as an engine of its own reads them: bounded SQL over the topic."""
    return s.query("SELECT gender, nat, dob.age AS age FROM people")


def expected(rows, key):
    groups = collections.defaultdict(list)
    for r in rows:
        groups[tuple(r[k] for k in key)].append(int(r["age"]))
    return groups


def old_answer(s):
    return {(*k, len(v)) for k, v in expected(records(s), ["nat"]).items()}


def new_answer(s):
    return {(*k, len(v), max(v)) for k, v in expected(records(s), ["gender", "nat"]).items()}


def stages(s):
    return {x["name"]: x for x in s.status()["stages"]}


def filled(f, total=TOTAL):
    p = project(f / "p", SOURCE % total + BY_NAT)
    with Server(p) as s:
        s.ready()
        wait_for("all read", lambda: s.stage("tally")["ledger"]["in"] == total, 120)
        check(tally(s, ["nat", "n"]) == old_answer(s), "the old answer")
        check(s.stop() == 0, s.output()[-2000:])
    return p


def test_a_view_is_built_anew_beside_the_old_one_and_swapped_while_records_come():
    with folder() as f:
        p = filled(f)
        (p / "pipeline.sql").write_text(SOURCE % (TOTAL + 5000) + BY_AGE)
        r = run("plan", p, "--offline")
        check("CHANGED: built anew beside the old one" in r.stdout and "count(*) AS n FROM people GROUP BY nat" in r.stdout, r.stdout + r.stderr)
        check("its table has other columns" in r.stdout or "of another shape" in r.stdout, r.stdout)
        check("the log still has every record from the beginning" in r.stdout, r.stdout)
        with Server(p, sets=SLOW) as s:
            s.ready()
            seen, broken = 0, []
            while "new:tally" in (now := stages(s)):
                new = now["new:tally"]
                if new["state"] == "building" and "takes the place of tally" in new["note"] and "% built" in new["note"]:
                    seen += 0 < new["builtPercent"] < 100
                rows = s.query("SELECT * FROM views.tally")
                # one of the two, whole: an answer between them is no answer
                if not rows or ("gender" in rows[0]) != all("gender" in r for r in rows):
                    broken.append(rows)
                if "gender" not in rows[0] and sum(r["n"] for r in rows) < TOTAL:
                    broken.append(rows)
                check(now["tally"]["state"] in ("running", "waiting"), f"{now['tally']}")
                check(now["tally"]["balanced"] and new["balanced"], f"{now}")
            check(seen and not broken, f"seen {seen} {broken[:1]}")
            wait_for("all read", lambda: s.stage("tally")["ledger"]["in"] == TOTAL + 5000, 60)
            check(tally(s, ["gender", "nat", "n", "oldest"]) == new_answer(s), "the new answer")
            check("taken the old one" in s.output() and "is built anew beside the old one" in s.output(), s.output()[-3000:])
            check(s.command("status").returncode == 0, "healthy")
            check(s.stop() == 0, s.output()[-2000:])
        r = run("plan", p, "--offline")
        check("goes on from its cursor" in r.stdout and "CHANGED" not in r.stdout, r.stdout)
        with Server(p) as s:
            s.ready()
            check(tally(s, ["gender", "nat", "n", "oldest"]) == new_answer(s), "after a start")
            check(s.stage("tally")["ledger"]["in"] == TOTAL + 5000, "it goes on where it was")
            check(s.query("SELECT * FROM views.tally") and not [t for t in s.query("SHOW TABLES") if "__new" in str(t)], "nothing is left")
            check(s.stop() == 0, s.output()[-2000:])


def test_killed_ten_times_while_it_is_built_the_new_view_is_right():
    chance = random.Random(6)
    with folder() as f:
        p = filled(f)
        (p / "pipeline.sql").write_text(SOURCE % TOTAL + BY_AGE)
        kills, old = 0, None
        for _ in range(10):
            with Server(p, sets=("flow.form=live", "flow.epoch_rows=40")) as s:
                s.ready()
                old = old or old_answer(s)
                time.sleep(chance.random() * 0.1)
                answer = tally(s, ["nat", "n"])
                building = "new:tally" in stages(s)
                check(not building or answer == old, "the old answer stands until the swap")
                s.kill()
                kills += building
        check(kills >= 3, f"killed in the middle {kills} times")
        with Server(p) as s:
            s.ready()
            wait_for("swapped", lambda: "new:tally" not in stages(s), 60)
            wait_for("all read", lambda: s.stage("tally")["lag"] == 0, 60)
            now = s.stage("tally")
            check(now["ledger"]["in"] == TOTAL == now["ledger"]["applied"] and now["balanced"], f"{now}")
            check(tally(s, ["gender", "nat", "n", "oldest"]) == new_answer(s), "computed from the log anew")
            check(s.stop() == 0, s.output()[-2000:])


TABLE = "CREATE TABLE k.sums (nat TEXT PRIMARY KEY, n BIGINT);\n"


def test_a_declared_table_is_swapped_where_the_stream_says_it_is_its_own():
    with folder() as f:
        count = TABLE + "CREATE STREAM load INTO k.sums AS SELECT nat, count(*) AS n FROM people GROUP BY nat;\n"
        total = TABLE + "CREATE STREAM load INTO k.sums%s AS SELECT nat, sum(CAST(dob.age AS INT)) AS n FROM people GROUP BY nat;\n"
        p = project(f / "p", SOURCE % 2000 + count)
        with Server(p) as s:
            s.ready()
            wait_for("all read", lambda: s.stage("load")["ledger"]["in"] == 2000)
            check(s.stop() == 0, s.output()[-2000:])
        (p / "pipeline.sql").write_text(SOURCE % 2000 + total % "")
        r = run("plan", p, "--offline")
        check("upgrade = 'swap'" in r.stdout and "sluice reset --stage load" in r.stdout, r.stdout)
        (p / "pipeline.sql").write_text(SOURCE % 2000 + total % " WITH (upgrade = 'swap')")
        with Server(p) as s:
            s.ready()
            s.query("CREATE INDEX by_n ON k.sums (n)") if "new:load" in stages(s) else None
            wait_for("swapped", lambda: "new:load" not in stages(s))
            want = {k[0]: sum(v) for k, v in expected(records(s), ["nat"]).items()}
            wait_for("the sums", lambda: {r["nat"]: r["n"] for r in s.query("SELECT * FROM k.sums")} == want)
            check(s.stop() == 0, s.output()[-2000:])


def test_what_is_declared_no_more_ends_and_stays_until_it_is_dropped():
    with folder() as f:
        p = project(f / "p", SOURCE % 1000 + BY_NAT)
        with Server(p) as s:
            s.ready()
            wait_for("all read", lambda: s.stage("tally")["ledger"]["in"] == 1000)
            for sql in ("DROP MATERIALIZED VIEW tally", "DROP STREAM tally", "DROP SOURCE people", "DROP TOPIC people"):
                r = s.command("query", sql)
                check(r.returncode == 1 and "pipeline.sql" in r.stderr and "hint" in r.stderr, f"{sql}: {r.stderr}")
            check(s.stop() == 0, s.output()[-2000:])
        (p / "pipeline.sql").write_text(SOURCE % 1000)
        r = run("plan", p, "--offline")
        check("DECLARED NO MORE" in r.stdout and "sluice streams drop tally" in r.stdout and "1000 records in" in r.stdout, r.stdout)
        with Server(p) as s:
            s.ready()
            check("declared no more" in s.output(), s.output())
            check(len(s.query("SELECT * FROM views.tally")), "its rows stay")
            r = s.command("query", "DROP VIEW nobody")
            check(r.returncode == 1, "there is none")
            check(s.command("query", "DROP VIEW IF EXISTS nobody").returncode == 0, "IF EXISTS")
            r = s.command("query", "DROP MATERIALIZED VIEW tally")
            check(r.returncode == 0, r.stderr)
            check(s.command("query", "SELECT * FROM views.tally").returncode == 1, "its table is gone")
            check(s.stop() == 0, s.output()[-2000:])
        check("DECLARED NO MORE" not in run("plan", p, "--offline").stdout, "nothing is left")
        (p / "pipeline.sql").write_text(SOURCE % 1000 + BY_NAT)
        with Server(p) as s:
            s.ready()
            wait_for("from the beginning", lambda: s.stage("tally")["ledger"]["in"] == 1000)
            check(tally(s, ["nat", "n"]) == old_answer(s), "made anew")
            check(s.stop() == 0, s.output()[-2000:])
