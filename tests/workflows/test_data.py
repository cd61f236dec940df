"""Dags after a table or topic itself: producers, streams and statements start them, kills lose no change and make none up."""
import json
import random
import sqlite3
import time

from harness import Server, check, folder, project, wait_for

SQL = """CREATE TOPIC orders WITH (partitions = 2);
CREATE KEYSPACE IF NOT EXISTS shop;
CREATE TABLE shop.orders (id INT PRIMARY KEY, item TEXT);
CREATE TABLE shop.notes (id INT PRIMARY KEY, note TEXT);
CREATE STREAM load INTO shop.orders AS SELECT id, item FROM orders;
"""
DAGS = """
by_topic: {schedule: {after: {topic: orders}, at_most_every: 1s}, tasks: {say: {bash: "echo '{{ triggering_asset_events | tojson }}'"}}}
by_table: {schedule: {after: [{table: shop.orders}], at_most_every: 1s}, tasks: {count: {sql: SELECT count(*) AS n FROM shop.orders}}}
by_both: {schedule: {after: [{table: shop.orders}, {table: shop.notes}], at_most_every: 1s}, tasks: {nothing: {empty: }}}
by_quiet: {schedule: {after: {any: [{topic: orders}, {table: shop.notes}]}, at_most_every: 0, quiet_for: 3s}, tasks: {nothing: {empty: }}}
"""


def rows(s, statement):
    path = s.data / "workflows" / "meta.db"
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
        return db.execute(statement).fetchall()


def runs(s, dag):
    return [state for state, in rows(s, f"SELECT state FROM dag_run WHERE dag_id = '{dag}' AND run_type = 'asset_triggered' ORDER BY id")]


def looked_at(s):
    return len(rows(s, "SELECT 1 FROM data_place")) == 6


def at_rest(s):
    return not rows(s, "SELECT 1 FROM dag_run WHERE state IN ('queued', 'running')") and not rows(s, "SELECT 1 FROM asset_queue WHERE dag_id <> 'by_both'")


def produce(s, ids):
    r = s.command("produce", "orders", "--brokers", f"127.0.0.1:{s.field('kafka_port')}", stdin="".join(json.dumps({"id": i, "item": "x"}) + "\n" for i in ids))
    check(r.returncode == 0, r.stderr)


def last_count(s):
    found = rows(s, "SELECT x.value FROM xcom x JOIN dag_run r ON r.id = x.run WHERE r.dag_id = 'by_table' AND x.name = 'return_value' ORDER BY r.id DESC LIMIT 1")
    return json.loads(found[0][0])[0][0] if found else 0


def test_a_record_a_streams_row_and_a_statement_start_dags():
    with folder() as f:
        p = project(f / "p", SQL)
        (p / "dags.yaml").write_text(DAGS)
        with Server(p) as s:
            s.ready()
            wait_for("the first look", lambda: looked_at(s))
            check(not rows(s, "SELECT 1 FROM dag_run"), "a run before anything has changed")
            produce(s, range(3))
            wait_for("the topic's dag", lambda: runs(s, "by_topic") == ["success"])
            wait_for("the stream's row's dag", lambda: runs(s, "by_table") and last_count(s) == 3)
            log = next((s.data / "workflows" / "logs").rglob("dag_id=by_topic/**/attempt=1.log")).read_text()
            check('"from_data": true' in log and '"offsets": ' in log, log)
            check(runs(s, "by_both") == [], "one of two tables is not both")
            s.query("INSERT INTO shop.notes (id, note) VALUES (1, 'a')")
            wait_for("both tables' dag", lambda: runs(s, "by_both") == ["success"])
            wait_for("the quiet dag", lambda: runs(s, "by_quiet") == ["success"])
            for i in range(10, 40):  # what goes on changing is not quiet, and gives by_table few runs
                produce(s, [i])
            check(runs(s, "by_quiet") == ["success"], "it ran in the middle of changes")
            wait_for("the last record", lambda: last_count(s) == 33 and at_rest(s))
            wait_for("the quiet dag", lambda: runs(s, "by_quiet") == ["success"] * 2)
            made = len(rows(s, "SELECT 1 FROM dag_run"))
            s.query("SELECT * FROM shop.orders")
            time.sleep(3)
            check(len(rows(s, "SELECT 1 FROM dag_run")) == made, "a run without a change")
            gaps = rows(s, "SELECT b.queued_at - a.queued_at FROM dag_run a JOIN dag_run b ON b.dag_id = a.dag_id AND b.dag_id = 'by_table' AND b.id > a.id")
            check(gaps and min(gaps)[0] >= 1000000, f"runs closer than a second: {gaps}")
            s.query("TRUNCATE shop.notes")
            wait_for("the truncated table's dag", lambda: len(runs(s, "by_quiet")) == 3)
            check(s.stop() == 0, s.output())


def test_kills_lose_no_change_and_make_none_up():
    r = random.Random(7)
    with folder() as f:
        p = project(f / "p", SQL)
        (p / "dags.yaml").write_text(DAGS)
        for i in range(12):
            with Server(p) as s:
                s.ready()
                if i == 0:
                    wait_for("the first look", lambda: looked_at(s))
                produce(s, [i])
                time.sleep(r.choice([0, 0.05, 0.3, 1.2]))
                s.kill()
        with Server(p) as s:
            s.ready()
            wait_for("all records", lambda: s.query("SELECT count(*) AS n FROM shop.orders")[0]["n"] == 12)
            wait_for("a run that saw them all", lambda: last_count(s) == 12 and at_rest(s))
            check(1 <= len(runs(s, "by_table")) <= 12 and 1 <= len(runs(s, "by_topic")) <= 12, f"{runs(s, 'by_table')} {runs(s, 'by_topic')}")
            wait_for("the quiet dag", lambda: runs(s, "by_quiet") and at_rest(s))
            made = len(rows(s, "SELECT 1 FROM dag_run"))
            s.kill()
        with Server(p) as s:
            s.ready()
            time.sleep(5)
            check(len(rows(s, "SELECT 1 FROM dag_run")) == made, "a restart alone started a dag")
            check(s.stop() == 0, s.output())
