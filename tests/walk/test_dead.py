"""Dead letters: a table, mended, replayed exactly once, and bounded."""
import json
import subprocess
import time

from harness import SLUICE, Server, check, folder, project, run, wait_for

PIPELINE = """CREATE TOPIC events WITH (partitions = 2);
CREATE TABLE k.t (id TEXT PRIMARY KEY, n INT, city TEXT);
CREATE STREAM load INTO k.t AS SELECT id, CAST(n AS INT) AS n, place.city AS city FROM events CHECK (id IS NULL OR id <> 'c') ELSE DEAD LETTER;
"""
GOOD = [{"id": f"g{i}", "n": i, "place": {"city": "Aarhus"}} for i in range(5)]


def produce(s, lines):
    r = s.command("produce", "events", "--brokers", f"127.0.0.1:{s.field('kafka_port')}", stdin="".join(l + "\n" for l in lines))
    check(r.returncode == 0, r.stderr)


def start(s, lines):
    s.ready()
    produce(s, lines)
    wait_for("all read", lambda: s.stage("load")["ledger"]["in"] == len(lines))


def letters(s, *args):
    r = s.command("dead", "load", "--json", *args)
    check(r.returncode == 0, r.stderr)
    return [json.loads(l) for l in r.stdout.splitlines()]


def ledger(s):
    return {k: v for k, v in s.stage("load")["ledger"].items() if v}


def rows(s):
    return {r["id"]: (r["n"], r["city"]) for r in s.query("SELECT id, n, city FROM k.t")}


BAD = ['{"id": "a", "n": "many", "place": {"city": "Odense"}}', '{"id": null, "n": 1}', '{"id": "c", "n": 13}', "no json"]


def test_letters_are_a_table():
    with folder() as f:
        p = project(f / "p", PIPELINE)
        with Server(p) as s:
            start(s, [json.dumps(g) for g in GOOD] + BAD)
            for sql in ("SELECT * FROM dead_letters", "SELECT * FROM system_views.dead_letters WHERE stage = 'load'"):
                got = s.query(sql)
                check(len(got) == 4, f"{got}")
                by = {g["raw"]: g for g in got}
                check(by[BAD[0]]["code"] == "CAST" and by[BAD[0]]["column"] == "n" and "many" in by[BAD[0]]["reason"], f"{by[BAD[0]]}")
                check(by[BAD[1]]["column"] == "id" and by[BAD[2]]["expression"] and by["no json"]["records"] == 1, f"{by}")
                check(all(g["stage"] == "load" and g["topic"] == "events" and g["partition"] in (0, 1) and g["offset"] >= 0 and g["epoch"] > 0 for g in got), f"{got}")
            check([g["raw"] for g in s.query("SELECT raw FROM dead_letters WHERE code = 'CAST'")] == [BAD[0]], "chosen by code")
            newest = letters(s, "--limit", "1")
            check(len(newest) == 1 and "older not shown" in s.command("dead", "load", "--limit", "1").stdout, f"{newest}")
            check(s.stop() == 0, s.output())
        r = run("query", "SELECT raw FROM dead_letters", "--json", "--project", p)
        check(r.returncode == 0 and len(r.stdout.splitlines()) == 4, "also while nothing runs: " + r.stderr)


def test_mended_letters_are_replayed_once():
    with folder() as f:
        p = project(f / "p", PIPELINE)
        with Server(p) as s:
            start(s, [json.dumps(g) for g in GOOD] + BAD)
            check(ledger(s) == {"in": 9, "applied": 5, "dead": 4, "rowsOut": 5}, f"{ledger(s)}")
            r = s.command("dead", "replay", "load")
            check(r.returncode == 0 and r.stdout == "4 replayed: 0 good now, 4 failed again\n", r.stdout + r.stderr)
            check(ledger(s) == {"in": 9, "applied": 5, "dead": 4, "rowsOut": 5} and len(letters(s)) == 4, f"{ledger(s)}")
            r = s.command("dead", "mend", "load", "--where", "code=CAST", "--set", "n=7")
            check(r.returncode == 0 and r.stdout.startswith("1 mended;"), r.stdout + r.stderr)
            r = s.command("dead", "mend", "load", "--where", "reason=null", "--set", "id=b", "--set", "place.city=Vejle")
            check(r.returncode == 0 and r.stdout.startswith("1 mended;"), r.stdout + r.stderr)
            r = s.command("dead", "mend", "load", "--where", "column=id", "--command", "false")
            check(r.returncode == 1 and "ended with 1" in r.stderr and "0 mended, 1 could not be" in r.stdout, r.stdout + r.stderr)
            offset = next(l for l in letters(s) if l["record"] == "no json")
            r = s.command("dead", "mend", "load", "--where", f"partition={offset['partition']}", "--offset", str(offset["offset"]), "--command", "sed 's/.*/{\"id\": \"d\", \"n\": 4}/'")
            check(r.returncode == 0, r.stdout + r.stderr)
            mended = {l["record"]: l.get("mended") for l in letters(s)}
            check(json.loads(mended[BAD[0]])["n"] == 7 and json.loads(mended[BAD[0]])["place"] == {"city": "Odense"} and mended[BAD[2]] is None, f"{mended}")
            check(rows(s).keys() == {g["id"] for g in GOOD}, "nothing yet")
            r = s.command("dead", "replay", "load")
            check(r.stdout == "4 replayed: 3 good now, 1 failed again\n", r.stdout + r.stderr)
            check(ledger(s) == {"in": 9, "applied": 8, "dead": 1, "rowsOut": 8} and s.stage("load")["balanced"], f"{ledger(s)}")
            got = rows(s)
            check(got["a"] == (7, "Odense") and got["b"] == (1, "Vejle") and got["d"] == (4, None) and len(got) == 8, f"{got}")
            check([l["record"] for l in letters(s)] == [BAD[2]], "what failed again stays")
            check(s.command("dead", "replay", "load").stdout == "1 replayed: 0 good now, 1 failed again\n", "and no other is there")
            produce(s, [json.dumps({"id": "after", "n": 1})])
            wait_for("the stream goes on", lambda: "after" in rows(s))
            r = s.command("dead", "forget", "load", "--yes")
            check(r.stdout == "1 forgotten\n" and letters(s) == [], r.stdout + r.stderr)
            check(ledger(s)["dead"] == 1, "the ledger still tells")
            check(s.stop() == 0, s.output())
        with Server(p) as s:
            s.ready()
            check(ledger(s) == {"in": 10, "applied": 9, "dead": 1, "rowsOut": 9} and len(rows(s)) == 9, f"{ledger(s)}")
            check(s.stop() == 0, s.output())


def test_a_replayed_record_does_not_bury_a_later_one():
    with folder() as f:
        p = project(f / "p", PIPELINE.replace("partitions = 2", "partitions = 1"))
        with Server(p) as s:
            start(s, ['{"id": "x", "n": "old"}'])
            produce(s, ['{"id": "x", "n": 2, "place": {"city": "new"}}'])
            wait_for("the later one", lambda: rows(s).get("x") == (2, "new"))
            check(s.command("dead", "mend", "load", "--set", "n=1", "--set", "place.city=old").returncode == 0, "mended")
            check("1 good now" in s.command("dead", "replay", "load").stdout, "replayed")
            check(rows(s) == {"x": (2, "new")}, f"{rows(s)}")
            check(s.stop() == 0, s.output())


def test_at_the_bound_a_stream_waits_and_says_so():
    with folder() as f:
        p = project(f / "p", PIPELINE)
        with Server(p, sets=("dead_letters.max_bytes=4KiB",)) as s:
            s.ready()
            produce(s, ["no json %d" % i + "x" * 500 for i in range(5)])
            wait_for("some letters", lambda: s.stage("load")["ledger"]["in"] == 5)
            produce(s, ["no json either" + "x" * 500 for i in range(20)] + [json.dumps({"id": "late", "n": 1})])
            wait_for("it waits", lambda: s.stage("load")["state"] == "paused")
            at = s.stage("load")
            check("dead_letters.max_bytes" in at["trouble"] and at["lag"] == 21 and at["ledger"]["dead"] == 5, f"{at}")
            check("trouble" in s.command("streams", "load").stdout, "told")
            check(s.command("dead", "forget", "load", "--yes").stdout == "5 forgotten\n", "room again")
            check(s.stop() == 0, s.output())
        with Server(p, sets=("dead_letters.max_bytes=1MiB",)) as s:
            s.ready()
            wait_for("it goes on", lambda: s.stage("load")["lag"] == 0)
            check(ledger(s) == {"in": 26, "applied": 1, "dead": 25, "rowsOut": 1} and len(letters(s)) == 20, f"{ledger(s)}")
            check(s.stop() == 0, s.output())


def test_old_letters_go():
    with folder() as f:
        p = project(f / "p", PIPELINE)
        with Server(p, sets=("dead_letters.max_age=500ms", "log.retention_check=1s")) as s:
            start(s, BAD)
            wait_for("they are old", lambda: letters(s) == [])
            check(ledger(s)["dead"] == 4 and "max_age" in s.output(), "counted, and said")
            check(s.stop() == 0, s.output())


def test_what_can_not_be_replayed_says_so():
    with folder() as f:
        p = project(f / "p", PIPELINE)
        with Server(p) as s:
            start(s, BAD)
            for args, part in ((("replay", "laod"), "laod"), (("mend", "load", "--where", "colour=red", "--set", "a=1"), "colour"), (("mend", "load", "--offset", "x", "--set", "a=1"), "number")):
                r = s.command("dead", *args)
                check(r.returncode == 1 and part in r.stderr, f"{args}: {r.stderr}")
            check(s.command("dead", "mend", "load").returncode == 2, "mend how?")
            check(s.stop() == 0, s.output())
        r = run("dead", "replay", "load", "--project", p)
        check(r.returncode == 1 and "no sluice runs" in r.stderr, r.stderr)
        check(run("dead", "mend", "load", "--where", "code=CAST", "--set", "n=1", "--project", p).returncode == 0, "mended while nothing runs")


def test_a_killed_replay_has_happened_or_not():
    with folder() as f:
        p = project(f / "p", PIPELINE)
        lines = [json.dumps({"id": f"k{i}", "n": "x"}) for i in range(300)]
        with Server(p) as s:
            start(s, lines)
            check(s.command("dead", "mend", "load", "--set", "n=1").returncode == 0, "mended")
            check(s.stop() == 0, s.output())
        for delay in (0.0, 0.004, 0.008, 0.012, 0.02, 0.05):
            with Server(p) as s:
                s.ready()
                at = [SLUICE, "dead", "replay", "load", "--project", str(p), "--data", str(s.data)]
                replay = subprocess.Popen(at, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                time.sleep(delay)
                s.kill()
                replay.wait(30)
            with Server(p) as s:
                s.ready()
                l, dead = s.stage("load")["ledger"], letters(s)
                check(l["in"] == 300 == l["applied"] + l["dead"] and l["dead"] == len(dead), f"{l} {len(dead)}")
                check(rows(s).keys() | {json.loads(x["record"])["id"] for x in dead} == {f"k{i}" for i in range(300)}, "none is lost")
                check(len(rows(s)) == l["applied"], "a row a record")
                check(s.stop() == 0, s.output())
        with Server(p) as s:
            s.ready()
            check(s.command("dead", "replay", "load").returncode == 0, "the rest")
            check(ledger(s) == {"in": 300, "applied": 300, "rowsOut": 300} and letters(s) == [], f"{ledger(s)}")
            check(s.stop() == 0, s.output())


def test_letters_are_chosen_by_sql():
    with folder() as f:
        p = project(f / "p", PIPELINE)
        with Server(p) as s:
            start(s, [json.dumps(g) for g in GOOD] + BAD + ['{"id": "ø", "n": "mange"}'])

            def forget(condition):
                r = s.command("dead", "forget", "load", "--where", condition, "--yes")
                return r.returncode, r.stdout + r.stderr

            check(forget("code = 'CAST' AND raw LIKE '%Vejle%'") == (0, "0 forgotten\n"), "none fits")
            check(forget("reason = 'nothing' OR CAST(raw AS INT) = 5") == (0, "0 forgotten\n"), "what can not be computed chooses nothing")
            check(forget("raw LIKE '%ø%' AND partition BETWEEN 0 AND 1") == (0, "1 forgotten\n"), f"{letters(s)}")
            check(forget("code = 'CAST' AND\nlower(reason) LIKE '%many%' AND written > time - INTERVAL '1' DAY") == (0, "1 forgotten\n"), f"{letters(s)}")
            check(forget('"column" IS NULL OR "column" = \'\' AND key IS NULL AND "offset" < 0')[0] == 0, "words of SQL in quotes")
            for wrong, part in (("colour = 'red'", "colour"), ("code = ", "where"), ("n > (SELECT 1)", ""), ("1 = 1) UNION ALL SELECT 1 FROM dead_letters WHERE (1 = 1", "")):
                code, text = forget(wrong)
                check(code == 1 and part in text, f"{wrong}: {code} {text}")
            left = len(letters(s))
            check(forget("stage = 'load'")[0] == 1 and forget("code IS NOT NULL AND epoch >= 1")[1] == f"{left} forgotten\n", "the rest")
            check(s.stop() == 0, s.output())
