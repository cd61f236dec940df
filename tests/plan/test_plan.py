"""`sluice plan` as a careful colleague: clean on the examples, and each kind of mistake is found where it stands."""
import json

from harness import EXAMPLES, Server, check, folder, project, run, wait_for

SOURCE = """CREATE SOURCE api FROM HTTP 'http://127.0.0.1:9/api/'
  WITH (results = 10, every = '10s', items = '$.results[*]', key = 'login.uuid', allow_private = true{more})
  {watermark}INTO TOPIC people WITH (partitions = 1);
"""
TABLE = "CREATE TABLE ks.t (id UUID PRIMARY KEY, a TEXT, n INT);\n"


def plan(pipeline, *args, tests=None):
    """The findings of a pipeline: [(code, severity, where, text, fix)], and the exit code."""
    with folder() as f:
        r = run("plan", project(f / "p", pipeline, tests=tests), "--offline", "--json", *args)
        check(r.stdout.startswith("{"), r.stdout + r.stderr)
        return json.loads(r.stdout), r.returncode


def source(more=", fallback = 'generator'", watermark=""):
    return SOURCE.format(more=more, watermark=watermark)


def found(pipeline, code, *args, tests=None):
    answer, rc = plan(pipeline, *args, tests=tests)
    hits = [f for f in answer["findings"] if f["code"] == code]
    check(hits, f"no {code} in {answer['findings']}")
    return hits[0], rc


def expect(finding, rc, severity, line, *words, code=0):
    text = f"{finding['text']} | {finding['fix']}"
    check(finding["severity"] == severity and rc == code, f"{finding} rc={rc}")
    check(finding["where"].startswith(f"pipeline.sql:{line}:"), f"{finding}")
    check(finding["fix"] != "", f"{finding}")
    for w in words:
        check(w in text, f"'{w}' is not in {text}")


def stream(select, more="", table=TABLE, src=None):
    return (src or source()) + table + f"CREATE STREAM s INTO ks.t{more} AS\n{select};\n"


def test_the_examples_have_no_warnings_and_say_true_things():
    for e in sorted(EXAMPLES.iterdir()):
        with folder() as f:
            r = run("plan", e, "--offline", "--json", "--strict", "--data", f / "d")
            a = json.loads(r.stdout)
            check(r.returncode == 0 and a["errors"] == 0 and a["warnings"] == 0, f"{e}: {a['findings']}")
            codes = {x["code"] for x in a["findings"]}
            check(codes <= {"unused-fields", "personal-in-clear", "quota"}, f"{e}: {codes}")
            (sample,) = a["samples"]
            fields = {x["path"]: x for x in sample["fields"]}
            check(sample["records"] == 100 and fields["login.uuid"]["types"] == {"text": 100}, f"{e}: {sample['origin']}")
            for x in a["findings"]:
                if x["code"] == "unused-fields":
                    text = (e / "pipeline.sql").read_text()
                    check("login.password" in x["text"] and "name.first" not in x["text"] and "login.password" not in text, x["text"])


def test_a_field_that_no_record_has():
    f, rc = found(stream("SELECT login.uuid AS id, name.frist AS a FROM people"), "unknown-field")
    expect(f, rc, "warning", 6, "name.frist", "did you mean name.first?")
    check(f["where"] == "pipeline.sql:6:26", f["where"])
    _, rc = plan(stream("SELECT login.uuid AS id, name.frist AS a FROM people"), "--strict")
    check(rc == 1, "--strict lets a warning pass")
    f, rc = found(stream("SELECT login.uuid AS id, username AS a FROM people"), "unknown-field")
    expect(f, rc, "warning", 6, "username", "did you mean login.username?")


def test_null_in_a_key():
    sql = stream("SELECT id.value AS id, email AS a FROM people", table="CREATE TABLE ks.t (id TEXT PRIMARY KEY, a TEXT);\n")
    f, rc = found(sql, "null-in-key")
    expect(f, rc, "warning", 6, "key of t", "IS NOT NULL")
    answer, _ = plan(sql.replace("FROM people", "FROM people CHECK (id.value IS NOT NULL) ELSE SKIP"))
    check(not [x for x in answer["findings"] if x["code"] == "null-in-key"], "a CHECK does not help")


def test_casts_that_fail_are_counted():
    f, rc = found(stream("SELECT login.uuid AS id, CAST(location.postcode AS INT) AS n FROM people"), "dead-letters")
    expect(f, rc, "warning", 6, "of 100 sampled records", "location.postcode")
    f, rc = found(stream("SELECT login.uuid AS id, CAST(email AS INT) AS n FROM people"), "dead-letters")
    expect(f, rc, "error", 6, "100 of 100", code=1)


def test_casts_that_lose_are_counted():
    f, rc = found(stream("SELECT login.uuid AS id, TRY_CAST(location.postcode AS INT) AS n FROM people"), "lossy-cast")
    expect(f, rc, "warning", 6, "location.postcode")


def test_secrets_and_personal_data():
    f, rc = found(stream("SELECT login.uuid AS id,\n login.password AS a FROM people"), "secret-in-clear")
    expect(f, rc, "warning", 7, "login.password", "sha256(login.password)")
    f, rc = found(stream("SELECT login.uuid AS id, upper(email) AS a FROM people"), "personal-in-clear")
    expect(f, rc, "note", 6, "a (an e-mail address)", "mask_email()")
    for hidden in ("mask(email)", "sha256(login.password)", "CASE WHEN email LIKE '%@%' THEN 'y' ELSE 'n' END"):
        answer, _ = plan(stream(f"SELECT login.uuid AS id, {hidden} AS a FROM people"))
        check(not {"secret-in-clear", "personal-in-clear"} & {x["code"] for x in answer["findings"]}, f"{hidden}: {answer['findings']}")


def test_personal_data_by_their_shape():
    tests = {"f.yaml": "stream: s\nrecords:\n  - {k: 1b4e28ba-2fa1-11d2-883f-0016d3cca427, who: elaine@example.com}\nrows: []\n"}
    sql = "CREATE TOPIC people WITH (partitions = 1);\n" + TABLE + "CREATE STREAM s INTO ks.t AS SELECT k AS id, who AS a FROM people;\n"
    f, rc = found(sql, "personal-in-clear", tests=tests)
    expect(f, rc, "note", 3, "looks like an e-mail address")


def test_keys_that_are_never_the_same():
    f, rc = found(stream("SELECT uuid() AS id, email AS a FROM people"), "fresh-key")
    expect(f, rc, "warning", 6, "uuid()")


def test_state_that_grows():
    view = "CREATE MATERIALIZED VIEW v AS SELECT {0}, count(*) AS n FROM people GROUP BY {0};\n"
    f, rc = found(source() + view.format("email"), "state-grows")
    expect(f, rc, "warning", 4, "state_ttl")
    answer, _ = plan(source() + view.format("gender"))
    (f,) = [x for x in answer["findings"] if x["code"] == "state-grows"]
    check(f["severity"] == "note" and "left 2 rows" in f["text"], f"{f}")
    answer, _ = plan(source() + view.format("email").replace(" AS SELECT", " WITH (state_ttl = '1d') AS SELECT"))
    check(not [x for x in answer["findings"] if x["code"] == "state-grows"], f"{answer['findings']}")


def test_windows_want_a_watermark():
    view = "CREATE MATERIALIZED VIEW v AS SELECT window_start, gender, count(*) AS n FROM TUMBLE(people, {}, INTERVAL '1' MINUTE) GROUP BY window_start, gender;\n"
    f, rc = found(source() + view.format("_timestamp"), "no-watermark")
    expect(f, rc, "warning", 4, "people", "WATERMARK FOR")
    answer, _ = plan(source(watermark="WATERMARK FOR registered.date DELAY '5s' ") + view.format("registered.date"))
    check(not [x for x in answer["findings"] if x["code"] in ("no-watermark", "mistake")], f"{answer['findings']}")


def test_quota():
    f, rc = found(source(", fallback = 'generator', rate_limit = '100/1m'"), "quota")
    check(f["severity"] == "note" and "60 of the 100" in f["text"] and "(60%)" in f["text"], f["text"])
    f, rc = found(source(", fallback = 'generator', rate_limit = '30/1m'"), "quota")
    expect(f, rc, "warning", 2, "60 of the 30", "every = '20")


TWO = """CREATE TOPIC orders WITH (partitions = 1);
CREATE TOPIC people WITH (partitions = 1);
CREATE TABLE ks.t (id TEXT PRIMARY KEY, name TEXT, n INT);
CREATE STREAM s INTO ks.t WITH (state_ttl = '1d') AS
SELECT o.id AS id, p.name AS name, CAST(o.n AS INT) AS n FROM orders AS o JOIN people AS p ON CAST(o.who AS TEXT) = CAST(p.id AS TEXT);
CREATE STREAM only_orders INTO ks.t AS SELECT id, CAST(n AS INT) AS n FROM orders WHERE id = 'none';
CREATE STREAM only_people INTO ks.t AS SELECT id FROM people WHERE id = 'none';
"""
TWO_RECORDS = {"o.yaml": "stream: only_orders\nrecords:\n  - {id: o1, who: p1, n: 1}\n  - {id: o2, who: p2, n: many}\n  - {who: p1, n: 3}\nrows: []\n",
               "p.yaml": "stream: only_people\nrecords:\n  - {id: p1, name: Ann}\n  - {id: p2, name: Bo}\nrows: []\n"}


def test_streams_of_several_topics_are_tried():
    answer, rc = plan(TWO, tests=TWO_RECORDS)
    mine = [f for f in answer["findings"] if f["where"].startswith(("pipeline.sql:4:", "pipeline.sql:5:"))]
    check(not [f for f in mine if f["code"] == "not-tried"], f"{mine}")
    dead = [f for f in mine if f["code"] == "dead-letters"]
    check(dead and "1 of 5 sampled records" in dead[0]["text"], f"{mine}")
    null = [f for f in mine if f["code"] == "null-in-key"]
    check(null and "in 1 of 2 rows" in null[0]["text"], f"{mine}")


LOOKED_UP = """CREATE TOPIC orders WITH (partitions = 1);
CREATE TABLE ks.people (id TEXT PRIMARY KEY, age TEXT);
CREATE TABLE ks.t (id TEXT PRIMARY KEY, age INT);
CREATE STREAM s INTO ks.t AS SELECT o.id AS id, CAST(p.age AS INT) AS age FROM (SELECT CAST(id AS TEXT) AS id FROM orders) AS o LEFT JOIN ks.people AS p ON o.id = p.id;
"""


def test_look_ups_are_tried_in_the_tables_that_are_there():
    f, rc = found(LOOKED_UP, "not-tried", tests={"o.yaml": "stream: s\nrecords:\n  - {id: a}\nrows: []\n"})
    expect(f, rc, "note", 4, "it looks rows up in people")
    with folder() as d:
        p = project(d / "p", LOOKED_UP)
        with Server(p) as s:
            s.ready()
            s.query("INSERT INTO ks.people (id, age) VALUES ('a', '30'); INSERT INTO ks.people (id, age) VALUES ('b', 'old')")
            r = s.command("produce", "orders", "--brokers", f"127.0.0.1:{s.field('kafka_port')}", stdin='{"id": "a"}\n{"id": "b"}\n{"id": "c"}\n')
            wait_for("read", lambda: s.stage("s")["ledger"]["in"] == 3)
            check(s.stop() == 0, s.output())
        r = run("plan", p, "--offline", "--json")
        mine = json.loads(r.stdout)["findings"]
        check(not [f for f in mine if f["code"] == "not-tried"] and [f for f in mine if f["code"] == "dead-letters" and ("1 of 3 sampled records" in f["text"] or "1 rows of the sample" in f["text"])], f"{mine}")


def test_a_command_is_marked_and_run_only_when_asked():
    with folder() as d:
        mark = d / "ran"
        sql = ("CREATE TOPIC orders WITH (partitions = 1);\nCREATE TABLE ks.t (id TEXT PRIMARY KEY, n INT);\n"
               f"CREATE STREAM s INTO ks.t AS SELECT TRANSFORM (id, n) USING 'touch {mark}; cat' AS (id TEXT, n INT) FROM orders;\n")
        tests = {"o.yaml": "stream: s\nrecords:\n  - {id: a, n: 1}\n  - {id: b, n: many}\nrows: []\n"}
        answer, rc = plan(sql, tests=tests)
        codes = {f["code"]: f for f in answer["findings"]}
        check(rc == 0 and "need not give the same rows" in codes["command"]["text"] and "--run-commands" in codes["not-tried"]["fix"] and not mark.exists(), f"{answer['findings']}")
        answer, rc = plan(sql, "--run-commands", tests=tests)
        codes = {f["code"]: f for f in answer["findings"]}
        check("not-tried" not in codes and "1 of 2 sampled records" in codes["dead-letters"]["text"] and mark.exists(), f"{answer['findings']}")


def test_what_cannot_be_sampled_is_said():
    f, rc = found(stream("SELECT login.uuid AS id FROM people", src=source("")), "not-sampled")
    expect(f, rc, "note", 1, "people", "fixture")


def test_mistakes_of_the_text_and_conflicts_with_data_are_errors():
    f, rc = found(stream("SELECT login.uuid AS id, email AS nope FROM people"), "mistake")
    check(rc == 1 and f["where"].startswith("pipeline.sql:6:"), f"{f}")
    with folder() as d:
        p = project(d / "p", "CREATE TOPIC x WITH (partitions = 1);\n" + TABLE)
        with Server(p) as s:
            s.ready()
            check(s.stop() == 0, s.output())
        project(p, "CREATE TOPIC x WITH (partitions = 2);\n" + TABLE.replace("n INT", "n TEXT"))
        r = run("plan", p, "--json")
        a = json.loads(r.stdout)
        hits = [x["where"] for x in a["findings"] if x["code"] == "conflict"]
        check(r.returncode == 1 and hits == ["pipeline.sql:1:1", "pipeline.sql:2:1"], r.stdout)


def test_the_topics_last_records_are_looked_at_first():
    with folder() as d:
        sql = stream("SELECT login.uuid AS id FROM people", src="CREATE SOURCE g FROM GENERATOR WITH (results = 10, total = 40, key = 'login.uuid') INTO TOPIC people WITH (partitions = 3);\n")
        p = project(d / "p", sql)
        with Server(p) as s:
            s.ready()
            wait_for("40 rows", lambda: s.query("SELECT count(*) AS n FROM ks.t")[0]["n"] == 40)
            check(s.stop() == 0, s.output())
        a = json.loads(run("plan", p, "--json").stdout)
        check(a["samples"][0]["records"] == 40 and "the last 40" in a["samples"][0]["origin"], f"{a['samples'][0]['origin']}")
        a = json.loads(run("plan", p, "--json", "--sample", "6").stdout)
        check(a["samples"][0]["records"] == 6, f"{a['samples'][0]['origin']}")


def test_a_person_reads_place_sentence_and_fix():
    with folder() as f:
        r = run("plan", project(f / "p", stream("SELECT login.uuid AS id, login.password AS a FROM people")), "--offline")
        check("warning secret-in-clear  pipeline.sql:6:26\n    login.password holds a password" in r.stdout and "\n    fix: " in r.stdout, r.stdout)
        check(r.returncode == 0 and r.stdout.rstrip().split("\n")[-1].startswith("fine: 3 statements checked, 0 errors, 1 warnings"), r.stdout)
