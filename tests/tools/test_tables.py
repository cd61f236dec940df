"""sluice tables against a server of its own, and on the data of one that is stopped."""
import csv
import io
import json
import os
import pathlib
import shutil
import tempfile

from harness import Server, check, folder, run

SHAPES = ("id int PRIMARY KEY, name text, at timestamp, tags set<text>, m map<text, int>, b blob, v decimal, "
          "u uuid, pair frozen<tuple<int, text>>, big varint, addr inet, d date, t time, len duration, yes boolean")


class Own:
    """A server with an empty project; `tables` runs the verb on it."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="sluice-tables-"))
        (self.folder / "pipeline.sql").write_text("-- tables are made by hand\n")
        self.server = Server(self.folder).ready()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def run(self, sql):
        r = self.server.command("query", sql)
        check(r.returncode == 0, f"{sql}: {r.stderr}")
        return r.stdout

    def tables(self, *args, code=0, stdin=None):
        r = self.server.command("tables", *args, stdin=stdin)
        check(r.returncode == code, f"tables {args}: ended with {r.returncode}, not {code}\n{r.stdout}\n{r.stderr}")
        return r

    def make(self, table="ks.t", columns="id int PRIMARY KEY, name text"):
        if "ks" not in str(self.tables("list", "--json").stdout):
            self.run("CREATE KEYSPACE IF NOT EXISTS ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
        self.run(f"CREATE TABLE {table} ({columns})")


def objects(text):
    return [json.loads(line) for line in text.splitlines()]


def by_id(rows):
    return sorted(rows, key=lambda r: int(r["id"]))


def test_listed_described_and_sized():
    with Own() as own:
        check(own.tables().stderr == "there are no tables\n", "an empty list")
        own.make()
        own.make('ks."Odd.Name"', '"Key" int PRIMARY KEY, "a ""quoted"" one" text')
        own.run("CREATE INDEX names ON ks.t (name)")
        for i in range(5):
            own.run(f"INSERT INTO ks.t (id, name) VALUES ({i}, 'n{i}')")
        rows = {r["table"]: r for r in objects(own.tables("--json").stdout)}
        check(set(rows) == {"t", "Odd.Name"} and rows["t"]["rows"] == 5 and rows["t"]["exact"], rows)
        check(rows["t"]["indexes"] == ["names"] and rows["t"]["keyspace"] == "ks", rows)
        lines = own.tables("list", "ks").stdout.splitlines()
        check(lines[0].split() == ["keyspace", "table", "rows", "size", "indexes"] and any(
            l.split()[:3] == ["ks", "t", "5"] and l.split()[-1] == "names" for l in lines), lines)
        made = own.tables("describe", "ks.t").stdout
        check(made.startswith("CREATE TABLE ks.t (") and "CREATE INDEX names ON ks.t (name);" in made, made)
        check('CREATE TABLE ks."Odd.Name"' in own.tables("describe", 'ks."Odd.Name"').stdout, "a quoted name")
        check("CREATE KEYSPACE ks" in own.tables("describe", "ks").stdout, "a keyspace")
        check("memory" in own.tables("sizes").stdout, "sizes")
        check("'nosuch'" in own.tables("describe", "ks.nosuch", code=1).stderr, "an unknown table")
        check("there is no keyspace nosuch" in own.tables("list", "nosuch", code=1).stderr, "an unknown keyspace")


def test_flush_and_compact_bring_rows_to_files():
    with Own() as own:
        own.make()
        own.make("ks.other")
        own.tables("import", "ks.t", "-", "--format", "json", stdin="".join(f'{{"id": {i}, "name": "{i:0100}"}}\n' for i in range(3000)))
        check(own.tables("flush").stdout == "", "flush is silent")
        before = objects(own.tables("list", "--json").stdout)
        check(next(r["bytes"] for r in before if r["table"] == "t") > 10000, before)
        own.run("DELETE FROM ks.t WHERE id = 1")
        done = objects(own.tables("compact", "ks.t", "--json").stdout)
        check([("before" in x, "after" in x) for x in done] == [(True, False), (True, True)] and done[1]["table"] == "t", done)
        check(len(own.tables("compact").stdout.splitlines()) == 4, "each table when it begins and when it is done")
        check("no table ks.nosuch" in own.tables("compact", "ks.nosuch", code=1).stderr, "an unknown table")


def test_snapshots_are_stores_of_their_own():
    with Own() as own:
        own.make()
        own.run("INSERT INTO ks.t (id, name) VALUES (1, 'then')")
        own.tables("snapshot", "one")
        own.run("UPDATE ks.t SET name = 'now' WHERE id = 1")
        check("there is a snapshot one" in own.tables("snapshot", "one", code=1).stderr, "twice")
        for bad in ["../out", ".hidden", "a/b", ""]:
            own.tables("snapshot", bad, code=1)
        seen = objects(own.tables("snapshots", "--json").stdout)
        check([x["name"] for x in seen] == ["one"] and seen[0]["bytes"] > 0 and seen[0]["own_bytes"] <= seen[0]["bytes"], seen)
        other = own.folder / "restored"
        other.mkdir()
        shutil.copytree(own.server.data / "snapshots" / "one", other / "store")
        r = run("query", "SELECT name FROM ks.t", "--json", "--project", own.folder, "--data", other)
        check(objects(r.stdout) == [{"name": "then"}], r)
        own.tables("clear-snapshot", "one")
        check("no snapshot one" in own.tables("clear-snapshot", "one", code=1).stderr, "gone already")
        check(own.tables("snapshots").stderr == "there are no snapshots\n", "none")
        check(own.server.data.joinpath("store").exists(), "only the snapshot is removed")


def test_every_type_comes_back_from_json_and_csv():
    rows = [
        {"id": 1, "name": 'he said "hi",\nthen left', "at": "2026-01-02 03:04:05.678Z", "tags": ["a", "b,c"], "m": {"k": 1}, "b": "0xff00",
         "v": 1.50, "u": "123e4567-e89b-12d3-a456-426614174000", "pair": [1, "x"], "big": 123456789012345678901234567890, "addr": "10.0.0.1",
         "d": "2026-01-02", "t": "03:04:05.000000006", "len": "1mo2d3ns", "yes": True},
        {"id": 2, "name": ""},
        {"id": 3},
    ]
    with Own() as own, folder() as out:
        own.make("ks.all", SHAPES)
        text = "".join(json.dumps(r) + "\n" for r in rows)
        r = own.tables("import", "ks.all", "-", "--format", "json", stdin=text)
        check(r.stderr.startswith("3 rows in"), r.stderr)
        first = own.tables("export", "ks.all", "-", "--format", "json").stdout
        seen = by_id(objects(first))
        check([{k: v for k, v in s.items() if v is not None} for s in seen] == rows, seen)
        own.tables("export", "ks.all", out / "all.csv")
        table = list(csv.DictReader(io.StringIO((out / "all.csv").read_bytes().decode(), newline="")))
        check(by_id(table)[0]["name"] == rows[0]["name"] and by_id(table)[0]["at"] == rows[0]["at"], table)
        own.make("ks.again", SHAPES)
        r = own.tables("import", "ks.again", out / "all.csv", "--json")
        check(json.loads(r.stdout) == {"rows": 3, "rejected": 0}, r)
        check(own.tables("export", "ks.again", "-", "--format", "json").stdout == first, "CSV keeps every value, and null apart from empty")
        check(not (out / "all.csv.part").exists(), "no half file stays")


def test_rows_that_do_not_fit_are_told_and_kept():
    with Own() as own, folder() as out:
        own.make()
        lines = ['{"id": 1, "name": "fine"}', '{"id": "one"}', '{"id": 3, "nosuch": 1}', "no json", '{"name": "no key"}', "", '{"id": 7}']
        (out / "rows.jsonl").write_text("\n".join(lines))
        r = own.tables("import", "ks.t", out / "rows.jsonl", "--json", code=1)
        check(json.loads(r.stdout) == {"rows": 2, "rejected": 4}, r)
        check(sorted((out / "rows.jsonl.rejected").read_text().splitlines()) == sorted(lines[1:5]), "each as it came")
        told = {int(l.split(":")[1]) for l in r.stderr.splitlines() if l.startswith(str(out))}
        check(told == {2, 3, 4, 5} and "no column nosuch" in r.stderr, r.stderr)
        (out / "rows.csv").write_text('id,name\n1,"two\nlines"\nx,y\n3\n4,z\n')
        r = own.tables("import", "ks.t", out / "rows.csv", code=1)
        check((out / "rows.csv.rejected").read_text() in ("id,name\nx,y\n3\n", "id,name\n3\nx,y\n"), "with the header")
        check("rows.csv:4:" in r.stderr and "1 fields, the header has 2" in r.stderr, r.stderr)
        (out / "rows.csv").write_text("id,name\n1,a\n")
        own.tables("import", "ks.t", out / "rows.csv")
        check(not (out / "rows.csv.rejected").exists(), "the refused rows of an earlier import are no longer there")
        (out / "bad.csv").write_text("id,other\n1,a\n")
        check("no column other" in own.tables("import", "ks.t", out / "bad.csv", code=1).stderr, "an unknown column")
        own.make("ks.c", "id int PRIMARY KEY, n counter")
        check("ks.c counts" in own.tables("import", "ks.c", out / "rows.jsonl", code=1).stderr, "a counter")
        check(objects(own.tables("export", "ks.c", "-", "--format", "json").stdout) == [], "an empty table")


def test_many_rows_in_pieces():
    with Own() as own, folder() as out:
        own.make("ks.t", "id int, part int, text text, PRIMARY KEY (part, id)")
        count = 30000
        with open(out / "in.csv", "w", newline="") as f:
            w = csv.writer(f)
            w.writerow(["id", "part", "text"])
            w.writerows([i, i % 7, f'"{i}"\n' + "x" * (i % 200)] for i in range(count))
        check(os.path.getsize(out / "in.csv") > 3 << 20, "more than one piece")
        r = own.tables("import", "ks.t", out / "in.csv", "--json")
        check(json.loads(r.stdout) == {"rows": count, "rejected": 0}, r)
        own.tables("export", "ks.t", out / "out.jsonl")
        with open(out / "out.jsonl") as f:
            seen = {r["id"]: r["text"] for r in map(json.loads, f)}
        check(seen == {i: f'"{i}"\n' + "x" * (i % 200) for i in range(count)}, "not each row, whole")


def test_without_a_server_the_data_are_opened():
    with Own() as own, folder() as out:
        own.make()
        own.run("INSERT INTO ks.t (id, name) VALUES (1, 'a')")
        own.server.stop()
        check([r["rows"] for r in objects(own.tables("--json").stdout)] == [1], "the list")
        check("CREATE TABLE ks.t" in own.tables("describe", "ks.t").stdout, "describe")
        own.tables("export", "ks.t", out / "t.csv")
        check((out / "t.csv").read_bytes() == b"id,name\r\n1,a\r\n", "export")
        own.tables("import", "ks.t", "-", "--format", "json", stdin='{"id": 2}\n')
        own.tables("compact")
        own.tables("snapshot", "off")
        check(len(objects(own.tables("export", "ks.t", "-", "--format", "json").stdout)) == 2, "both rows")


def test_a_wrong_usage_ends_with_2():
    with Own() as own:
        for args, words in [(("nosuch",), "can not 'nosuch'"), (("exort",), "did you mean export?"), (("describe",), "describe KEYSPACE[.TABLE]"),
                            (("export", "ks.t", "file"), "--format csv or json"), (("export", "ks.t"), "export KEYSPACE.TABLE FILE")]:
            check(words in own.tables(*args, code=2).stderr, f"{args}")
