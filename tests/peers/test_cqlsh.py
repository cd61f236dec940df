"""cqlsh 6.2.2 from PyPI: what a person types, and what comes back."""
import csv
import os
import pathlib
import re
import subprocess
import tempfile
import time

import cassandra
from engines import name, venv
from harness import Failed, check

ROWS = int(os.environ.get("SLUICE_COPY_ROWS", "1000000" if not cassandra.CHOICE else "20000"))


def cqlsh(*statements, login=False, options=(), code=0, timeout=900, file=None):
    host, port = cassandra.server(login)
    user = ["-u", "cassandra", "-p", "cassandra"] if login else []
    words = ["-f", str(file)] if file else ["-e", "\n".join(statements).rstrip("; \n")]
    r = subprocess.run([str(venv("cqlsh").parent / "cqlsh"), *user, *options, host, str(port), *words], capture_output=True, text=True,
                       timeout=timeout, env={**os.environ, "HOME": tempfile.gettempdir(), "CQLSH_HOST": "", "COLUMNS": "400"})
    if code is not None and r.returncode != code:
        raise Failed(f"cqlsh ended with {r.returncode}, not {code}:\n{statements}\n{r.stdout[-3000:]}\n{r.stderr[-3000:]}")
    return "".join(l for l in (r.stdout + r.stderr).splitlines(True) if not l.startswith("WARNING: cqlsh was built"))


def keyspace():
    ks = name("shell").replace("-", "_")
    cqlsh(f"CREATE KEYSPACE {ks} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}};")
    return ks


def test_cqlsh_the_tutorials_lines():
    out = cqlsh("CREATE KEYSPACE IF NOT EXISTS spark_streams WITH replication = {'class':'SimpleStrategy','replication_factor':1};",
                "CREATE TABLE IF NOT EXISTS spark_streams.created_users (id UUID PRIMARY KEY, first_name TEXT, last_name TEXT);",
                "INSERT INTO spark_streams.created_users (id, first_name, last_name) VALUES (50554d6e-29bb-11e5-b345-feff819cdc9f, 'Ada', 'Lovelace');",
                "USE spark_streams;", "SELECT * FROM created_users LIMIT 10;")
    check(re.search(r"id +\| first_name +\| last_name", out), out)
    check(re.search(r"50554d6e-29bb-11e5-b345-feff819cdc9f \| +Ada \| +Lovelace", out) and "(1 rows)" in out, out)


def test_cqlsh_login_as_the_tutorials_say():
    check("cassandra" in cqlsh("SELECT cluster_name, release_version FROM system.local; LIST ROLES;", login=True), "no role cassandra")


def test_cqlsh_shows_versions_and_hosts():
    out = cqlsh("SHOW VERSION", "SHOW HOST", "CONSISTENCY", "SERIAL CONSISTENCY", "CONSISTENCY QUORUM", "PAGING 10", "EXPAND ON", "HELP")
    check(re.search(r"\[cqlsh 6\.2\.\d \| Cassandra \S+ \| CQL spec 3\.\d\.\d \| Native protocol v5\]", out), out)
    check("Consistency level set to QUORUM" in out, out)


SCHEMA = """CREATE TYPE {ks}.address (street text, zip frozen<list<int>>);
CREATE TABLE {ks}.people (id int, at timestamp, "Name" text, a frozen<address>, tags set<text>, s int static, PRIMARY KEY ((id), at))
  WITH CLUSTERING ORDER BY (at DESC) AND comment = 'it''s who' AND gc_grace_seconds = 100 AND default_time_to_live = 5;
CREATE INDEX by_name ON {ks}.people ("Name");
CREATE INDEX by_tag ON {ks}.people (tags) USING 'sai';
CREATE TABLE {ks}.counts (k text PRIMARY KEY, n counter);
"""


def test_cqlsh_describes_everything():
    ks = keyspace()
    cqlsh(SCHEMA.format(ks=ks))
    out = cqlsh(f"DESCRIBE KEYSPACE {ks}")
    for words in (f"CREATE KEYSPACE {ks} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': '1'}}  AND durable_writes = true;",
                  f"CREATE TYPE {ks}.address (\n    street text,\n    zip frozen<list<int>>\n);", f"CREATE TABLE {ks}.people (\n    id int,\n    at timestamp,\n    s int static,",
                  "PRIMARY KEY (id, at)\n) WITH CLUSTERING ORDER BY (at DESC)", "AND comment = 'it''s who'", "AND default_time_to_live = 5", "AND gc_grace_seconds = 100",
                  f'CREATE INDEX by_name ON {ks}.people ("Name");', f"CREATE CUSTOM INDEX by_tag ON {ks}.people (values(tags)) USING 'sai';", "n counter"):
        check(words in out, f"'{words}' is not in\n{out}")
    for line in ("DESCRIBE CLUSTER", "DESCRIBE KEYSPACES", "DESCRIBE TABLES", "DESCRIBE TYPES", "DESCRIBE SCHEMA", "DESCRIBE FULL SCHEMA", f"DESCRIBE TABLE {ks}.people",
                 f"DESCRIBE TYPE {ks}.address", f"DESCRIBE INDEX {ks}.by_name", f"DESCRIBE {ks}.counts"):
        out = cqlsh(line)
        check("Traceback" not in out and out.strip(), f"{line}:\n{out}")
    for line in ("DESCRIBE FUNCTIONS", "DESCRIBE AGGREGATES"):  # nobody has made any: a real one prints an empty list, too
        check(not (out := cqlsh(line)).strip(), f"{line}:\n{out}")
    check(f"'nothing' not found" in cqlsh(f"DESCRIBE TABLE {ks}.nothing", code=None), "an unknown table")


def test_cqlsh_a_description_makes_the_same_again():
    ks, other = keyspace(), name("again").replace("-", "_")
    cqlsh(SCHEMA.format(ks=ks))
    text = cqlsh(f"DESCRIBE KEYSPACE {ks}")
    cqlsh(text.replace(ks, other))
    check(cqlsh(f"DESCRIBE KEYSPACE {other}").replace(other, ks) == text, "it differs")


def test_cqlsh_traces():
    ks = keyspace()
    cqlsh(f"CREATE TABLE {ks}.t (k int PRIMARY KEY, v int)")
    out = cqlsh(f"TRACING ON; INSERT INTO {ks}.t (k, v) VALUES (1, 1); SELECT * FROM {ks}.t WHERE k = 1;")
    check(out.count("Tracing session: ") == 2 and "Execute CQL3 query" in out and "Request complete" in out, out)


def test_cqlsh_errors_read_as_ever():
    ks = keyspace()
    out = cqlsh("SELECT * FROM nowhere.t", code=2)
    check("InvalidRequest: Error from server: code=2200 [Invalid query] message=\"keyspace nowhere does not exist\"" in out, out)
    out = cqlsh("SELEC 1", code=2)
    check("SyntaxException: line 1:0 no viable alternative at input 'SELEC' ([SELEC]...)" in out, out)
    cqlsh(f"CREATE TABLE {ks}.t (k int PRIMARY KEY)")
    check("AlreadyExists: Table '" in cqlsh(f"CREATE TABLE {ks}.t (k int PRIMARY KEY)", code=2), "it is there")


def test_cqlsh_source_and_capture():
    ks = keyspace()
    with tempfile.TemporaryDirectory() as folder:
        script = pathlib.Path(folder) / "script.cql"
        script.write_text(f"USE {ks};\nCREATE TABLE t (k int PRIMARY KEY, v text);\n-- a comment; with a semicolon\nINSERT INTO t (k, v) VALUES (1, 'a;b');\nSELECT * FROM t;\n")
        check("a;b" in cqlsh(f"SOURCE '{script}'"), "SOURCE")
        check("a;b" in cqlsh(file=script, code=None), "-f")
        out = pathlib.Path(folder) / "out"
        cqlsh(f"CAPTURE '{out}'", f"SELECT * FROM {ks}.t;", "CAPTURE OFF")
        check("a;b" in out.read_text(), "CAPTURE")


def test_cqlsh_copies_a_million_rows_both_ways():
    ks = keyspace()
    cqlsh(f"CREATE TABLE {ks}.t (id int, c int, name text, at timestamp, x double, tags set<text>, m map<text, int>, PRIMARY KEY (id, c));")
    with tempfile.TemporaryDirectory() as folder:
        path, back = pathlib.Path(folder) / "in.csv", pathlib.Path(folder) / "out.csv"
        with open(path, "w", newline="") as f:
            w = csv.writer(f)
            for i in range(ROWS):
                w.writerow([i // 10, i % 10, f"person {i}, 'quoted'" if i % 7 else "", "2015-05-03 13:30:54.234+0000", i / 4, "{'a', 'b'}", "{'x': %d}" % i])
        start = time.monotonic()
        out = cqlsh(f"COPY {ks}.t (id, c, name, at, x, tags, m) FROM '{path}' WITH CHUNKSIZE = 5000 AND MAXBATCHSIZE = 20", timeout=3000)
        check(f"{ROWS} rows imported from 1 files" in out, out[-3000:])
        middle = time.monotonic()
        out = cqlsh(f"COPY {ks}.t (id, c, name, at, x, tags, m) TO '{back}'", timeout=3000)
        check(f"{ROWS} rows exported to 1 files" in out, out[-3000:])
        print(f"{ROWS} rows: COPY FROM {middle - start:.1f} s, COPY TO {time.monotonic() - middle:.1f} s", flush=True)
        with open(back, newline="") as f:
            seen = {(int(r[0]), int(r[1])): r for r in csv.reader(f)}
        check(len(seen) == ROWS, f"{len(seen)} different keys")
        for i in range(0, ROWS, 997):
            r = seen[(i // 10, i % 10)]
            check(r[2] == (f"person {i}, 'quoted'" if i % 7 else "") and float(r[4]) == i / 4 and r[5] == "{'a', 'b'}" and r[6] == "{'x': %d}" % i, f"row {i}: {r}")
