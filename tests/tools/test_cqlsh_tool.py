"""Our own CQL shell, as `cqlsh` and as `sluice query`, against our own server.

What is wanted was printed by cqlsh 6.2.2 itself; tests/peers runs that one against our server.
"""
import atexit
import csv
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import subprocess
import tempfile
import time

import cassandra
from harness import SLUICE, Failed, Server, check, run, wait_for

CREATE = "WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}"
servers = {}
count = 0


def folder():
    if "folder" not in servers:
        servers["folder"] = pathlib.Path(tempfile.mkdtemp(prefix="sluice-cqlsh-"))
        atexit.register(shutil.rmtree, servers["folder"], True)
        r = run("link-tools", servers["folder"] / "bin")
        check(r.returncode == 0, r.stderr)
    return servers["folder"]


def server(login=False):
    if login not in servers:
        servers[login] = cassandra.sluice(login=login)
        atexit.register(servers[login].stop)
    return servers[login]


def environment():
    return {**os.environ, "HOME": str(folder()), "CQLSH_HOST": "", "CQLSH_PORT": "", "TERM": "xterm", "TZ": "UTC"}


def cqlsh(*words, login=False, code=0, stdin=None, port=None, timeout=60):
    r = subprocess.run([folder() / "bin" / "cqlsh", *map(str, words), "127.0.0.1", str(port or server(login).port)], capture_output=True,
                       text=True, input=stdin, timeout=timeout, env=environment(), cwd=folder())
    check(r.returncode == code, f"cqlsh {words}: ended with {r.returncode}, not {code}\n{r.stdout}\n{r.stderr}")
    return r


def keyspace():
    global count
    count += 1
    cqlsh("-e", f"CREATE KEYSPACE k{count} {CREATE}; CREATE TABLE k{count}.t (id int PRIMARY KEY, name text); INSERT INTO k{count}.t (id, name) VALUES (1, 'Ada')")
    return f"k{count}"


def test_a_result_is_printed_byte_by_byte_as_cqlsh_does():
    ks = keyspace()
    r = cqlsh("-k", ks, "-e", "SELECT * FROM t")
    check(r.stdout == "\n id | name\n----+------\n  1 |  Ada\n\n(1 rows)\n" and r.stderr == "", repr((r.stdout, r.stderr)))
    r = cqlsh("-k", ks, "-e", "SELECT * FROM t WHERE id = 9; INSERT INTO t (id, name) VALUES (1, 'x') IF NOT EXISTS; EXPAND ON; SELECT * FROM t")
    check(r.stdout == "\n id | name\n----+------\n\n\n(0 rows)\n\n [applied] | id | name\n-----------+----+------\n     False |  1 |  Ada\nEXPAND set to ON\n"
          "\n@ Row 1\n------+-----\n id   | 1\n name | Ada\n\n\n(1 rows)\n", repr(r.stdout))


def test_values_look_as_in_cqlsh():
    ks = keyspace()
    cqlsh("-k", ks, stdin="""CREATE TYPE addr (street text, zip frozen<list<int>>);
CREATE TABLE v (id int PRIMARY KEY, "T" text, b blob, bo boolean, d decimal, db double, f float, ts timestamp, tm time, du duration, l list<text>,
  s set<int>, m map<text, timestamp>, tp tuple<int, text>, ad addr);
INSERT INTO v (id, "T", b, bo, d, db, f, ts, tm, du, l, s, m, tp, ad) VALUES (1, 'it''s \\ é 漢', 0xcafe, true, 1.50, 123456789.123, 12345.678,
  '2015-05-03 13:30:54.234+0000', '13:30:54.234', 1y2mo3d4h5m6s, ['a', 'it''s'], {3, 1}, {'x': '2015-05-03 13:30:54.234+0000'}, (1, null), {street: null, zip: [1, 2]});
""")
    row = cqlsh("-k", ks, "-e", "SELECT * FROM v").stdout.splitlines()[3] + " "
    for want in ("it's \\\\ é 漢", "0xcafe", " True ", " 1.50 ", " 1.2346e+08 ", " 12345.67773 ", " 2015-05-03 13:30:54.234000+0000 ", " 13:30:54.234000000 ",
                 " 1y2mo3d4h5m6s ", "['a', 'it''s']", "{1, 3}", "{'x': '2015-05-03 13:30:54.234000+0000'}", "(1, None)", "{street: null, zip: [1, 2]}"):
        check(want in row, f"'{want}' is not in {row}")


def test_errors_and_exit_codes_are_those_of_cqlsh():
    r = cqlsh("-e", "SELECT * FROM nowhere.t", code=2)
    check(r.stderr == '<stdin>:1:InvalidRequest: Error from server: code=2200 [Invalid query] message="keyspace nowhere does not exist"\n', r.stderr)
    check("SyntaxException: line 1:0 no viable alternative at input 'SELEC'" in cqlsh("-e", "SELEC 1", code=2).stderr, "syntax")
    ks = keyspace()
    r = cqlsh("-e", f"CREATE TABLE {ks}.t (id int PRIMARY KEY); SELECT * FROM {ks}.t", code=2)
    check(r.stderr == f"<stdin>:1:AlreadyExists: Table '{ks}.t' already exists\n" and "(1 rows)" in r.stdout, r.stderr)
    check("Connection error: (" in cqlsh("-e", "SELECT 1", port=1, code=1).stderr, "nobody is there")
    check("using keyspace 'nono'" in cqlsh("-k", "nono", "-e", "SELECT 1", code=1).stderr, "no keyspace")
    check(cqlsh("--version").stdout == "cqlsh 6.2.2\n", "version")
    script = folder() / "script.cql"
    script.write_text(f"-- a comment; with a semicolon\nUSE {ks};\n\nSELECT nothing\n  FROM t;\nINSERT INTO t (id, name) VALUES (2, 'a;b');\nSELECT * FROM t WHERE id = 2;\n")
    r = cqlsh("-f", script, code=2)
    check(f"{script}:6:InvalidRequest" in r.stderr and "a;b" in r.stdout, r.stderr + r.stdout)
    check("Incomplete statement at end of file" in cqlsh(stdin="SELECT", code=2).stderr, "incomplete")


def test_a_login_and_who_is_refused():
    r = cqlsh("-u", "cassandra", "-p", "cassandra", "-e", "LIST ROLES", login=True)
    check("cassandra" in r.stdout and "Warning: Using a password" in r.stderr, r.stdout + r.stderr)
    r = cqlsh("-u", "cassandra", "-p", "wrong", "-e", "LIST ROLES", login=True, code=1)
    check("AuthenticationFailed" in r.stderr and "username cassandra and/or password are incorrect" in r.stderr, r.stderr)
    check("Remote end requires authentication" in cqlsh("-e", "LIST ROLES", login=True, code=1).stderr, "no login")


def test_every_protocol_version_and_only_the_one_that_is_asked_for():
    for version in (3, 4, 5):
        check(f"Native protocol v{version}]" in cqlsh("--protocol-version", version, "-e", "SHOW VERSION").stdout, f"v{version}")


def test_the_shells_own_commands():
    ks = keyspace()
    out = cqlsh("-k", ks, stdin="CONSISTENCY\nCONSISTENCY QUORUM\nSERIAL CONSISTENCY LOCAL_SERIAL\nPAGING 1\nINSERT INTO t (id, name) VALUES (2, 'Bob');\n"
                "SELECT id FROM t;\nTRACING ON\nSELECT * FROM t WHERE id = 1;\nTRACING OFF\nDESCRIBE TABLES\nDESC TABLE t\nSHOW HOST\nHELP COPY\nPAGING OFF\n").stdout
    for want in ("Current consistency level is ONE.\nConsistency level set to QUORUM.\nSerial consistency level set to LOCAL_SERIAL.\nPage size: 1\n",
                 "\n id\n----\n  1\n  2\n\n(2 rows)\n", "Tracing session: ", "Execute CQL3 query", "Request complete", f"\nt\n\n\nCREATE TABLE {ks}.t (\n    id int PRIMARY KEY,\n",
                 "Connected to Sluice at 127.0.0.1:", "COPY table", "PAGING set to OFF"):
        check(want in out, f"'{want}' is not in\n{out}")
    inner, file = folder() / "inner.cql", folder() / "captured"
    inner.write_text(f"SELECT * FROM {ks}.t WHERE id = 1;\n")
    r = cqlsh(stdin=f"CAPTURE '{file}'\nSOURCE '{inner}'\nCAPTURE OFF\nSOURCE '{inner}.not'\n", code=2)
    check(file.read_text() == "\n id | name\n----+------\n  1 |  Ada\n\n(1 rows)\n" and "Ada" not in r.stdout and "Could not open" in r.stderr, r.stdout + r.stderr)
    check("Improper CONSISTENCY command." in cqlsh("-e", "CONSISTENCY SOME", code=2).stderr, "no such level")


def test_copy_brings_a_table_out_and_in_again():
    ks = keyspace()
    cqlsh("-k", ks, stdin="CREATE TABLE c (id int, c int, name text, at timestamp, x double, tags set<text>, m map<text, int>, PRIMARY KEY (id, c));\n"
          "CREATE TABLE d (id int, c int, name text, at timestamp, x double, tags set<text>, m map<text, int>, PRIMARY KEY (id, c));\n")
    into, out = folder() / "in.csv", folder() / "out.csv"
    names = [f"person {i}, 'quoted'" if i % 7 else "" for i in range(3000)]
    with open(into, "w", newline="") as f:
        w = csv.writer(f)
        w.writerow(["id", "c", "name", "at", "x", "tags", "m"])
        for i, n in enumerate(names):
            w.writerow([i // 10, i % 10, n, "2015-05-03 13:30:54.234+0000", i / 4, "{'a', 'b'}", "{'x': %d}" % i])
    r = cqlsh("-e", f"COPY {ks}.c (id, c, name, at, x, tags, m) FROM '{into}' WITH HEADER = true AND CHUNKSIZE = 100")
    check("3000 rows imported from 1 files in " in r.stdout and "(0 skipped)" in r.stdout, r.stdout + r.stderr)
    r = cqlsh("-k", ks, stdin=f"INSERT INTO c (id, c, name) VALUES (-1, 0, '');\nINSERT INTO c (id, c, name) VALUES (-1, 1, 'a\"b\\c\nd');\n"
              f"COPY c TO '{out}' WITH PAGESIZE = 100;\nCOPY d FROM '{out}';\n")
    check("3002 rows exported to 1 files" in r.stdout and "3002 rows imported" in r.stdout, r.stdout + r.stderr)
    rows = {}
    for line in csv.reader(open(out, newline=""), doublequote=False, escapechar="\\"):
        rows[int(line[0]), int(line[1])] = line
    check(len(rows) == 3002, len(rows))
    columns = ["id", "c", "at", "m", "name", "tags", "x"]
    for i in range(0, 3000, 37):
        row = dict(zip(columns, rows[i // 10, i % 10]))
        check(row["name"] == names[i] and float(row["x"]) == i / 4 and row["tags"] == "{'a', 'b'}" and row["m"] == "{'x': %d}" % i, row)
    there = cqlsh("-e", f"SELECT * FROM {ks}.d WHERE id = -1").stdout
    check(there == cqlsh("-e", f"SELECT * FROM {ks}.c WHERE id = -1").stdout and 'a"b\\\\c\\nd' in there and there.count("null") == 8, there)


def test_copy_from_stdin_leaves_what_follows_and_doubled_quotes_come_back():
    ks = keyspace()
    out = folder() / "doubled.csv"
    r = cqlsh("-k", ks, stdin=f"COPY t FROM STDIN;\n2,\"a\nb\"\n3,.\n.\nINSERT INTO t (id, name) VALUES (4, '\"x\"\"y,');\n"
              f"COPY t TO '{out}' WITH ESCAPE = '\"';\nTRUNCATE t;\nCOPY t FROM '{out}' WITH ESCAPE = '\"';\nSELECT * FROM t;\n")
    with open(out, newline="") as f:
        rows = {int(k): v for k, v in csv.reader(f)}
    check(rows == {1: "Ada", 2: "a\nb", 3: ".", 4: '"x""y,'}, rows)
    check("2 rows imported" in r.stdout and "4 rows imported" in r.stdout and '"x""y,' in r.stdout and "(4 rows)" in r.stdout, r.stdout + r.stderr)
    check("can't be read" in cqlsh("-k", ks, "-e", f"COPY t FROM '{folder()}'", code=2).stderr, "a folder is no file")
    check("DELIMITER is neither" in cqlsh("-k", ks, "-e", "COPY t FROM '/dev/null' WITH DELIMITER = '\"'", code=2).stderr, "a form that is none")


def test_copy_goes_on_over_a_servers_restart():
    rows, at = 60000, folder() / "restart"
    at.mkdir()
    first = cassandra.sluice(folder=at)
    cqlsh("-e", f"CREATE KEYSPACE k {CREATE}; CREATE TABLE k.t (id int PRIMARY KEY, name text)", port=first.port)
    (at / "in.csv").write_text("".join(f"{i},person {i}\n" for i in range(rows)))
    copy = subprocess.Popen([folder() / "bin" / "cqlsh", "127.0.0.1", str(first.port), "-e", f"COPY k.t FROM '{at}/in.csv'"], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True, env=environment(), cwd=folder())
    second = None
    try:
        wait_for("the copy to run", lambda: "(0 rows)" not in cqlsh("-e", "SELECT id FROM k.t LIMIT 1", port=first.port).stdout, 20)
        check(copy.poll() is None, "the copy was faster than the kill")
        first.server.kill()
        second = Server(at, sets=(f"cql.port={first.port}",))
        second.ready()
        out, err = copy.communicate(timeout=60)
        check(copy.returncode == 0 and f"{rows} rows imported" in out, f"{copy.returncode}: {out[-300:]} {err}")
        out = cqlsh("-e", "SELECT count(*) FROM k.t", port=first.port).stdout
        check(f" {rows}\n" in out, out)
    finally:
        copy.kill()
        first.server.kill()
        if second:
            second.kill()


def test_copy_keeps_what_it_can_not_write():
    ks = keyspace()
    bad = folder() / f"import_{ks}_t.err"
    r = cqlsh("-k", ks, stdin="COPY t FROM STDIN;\n")
    file = folder() / "bad.csv"
    file.write_text("10,ten\nelf,eleven\n12\n,null\n13,\"thir\nteen\"\n")
    r = cqlsh("-k", ks, "-e", f"COPY t FROM '{file}'", code=2)
    check("2 rows imported" in r.stdout and f"Failed to process 3 rows; failed rows written to {bad.name}" in r.stdout, r.stdout + r.stderr)
    check(bad.read_text() == "elf,eleven\n12\n,null\n" and "ParseError" in r.stderr, bad.read_text() + r.stderr)
    check("thir\\nteen" in cqlsh("-e", f"SELECT * FROM {ks}.t").stdout, "the row over two lines")
    r = cqlsh("-k", ks, "-e", "COPY t TO STDOUT WITH HEADER = true AND NULL = 'N' AND DELIMITER = '|'")
    check(r.stdout.splitlines()[0] == "id|name" and "1|Ada" in r.stdout, r.stdout)
    check("COPY's option RATEFILE is not available" in cqlsh("-k", ks, "-e", "COPY t TO STDOUT WITH RATEFILE = 'x'", code=2).stderr, "an option")


class Terminal:
    """A person: a terminal of its own, keys in, what is seen out."""

    def __init__(self, *words):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve(words[0], list(map(str, words)), environment())
        self.seen = ""

    def until(self, text, since=0, timeout=20):
        end = time.monotonic() + timeout
        while text not in self.seen[since:]:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.fd], [], [], left)[0]:
                raise Failed(f"waited in vain for '{text}' in {self.seen[-2000:]!r}")
            try:
                self.seen += os.read(self.fd, 65536).decode(errors="replace")
            except OSError:
                raise Failed(f"it ended before '{text}': {self.seen[-2000:]!r}") from None
        return self.seen[since:]

    def type(self, keys, want, prompt=None):
        """`prompt`: what must follow before more is typed: until then the kernel, not the shell, takes keys as Ctrl-R."""
        since = len(self.seen)
        os.write(self.fd, keys.encode())
        self.until(want, since)
        if prompt:
            self.until(prompt, self.seen.index(want, since) + len(want))

    def ends(self):
        end = time.monotonic() + 20
        while True:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                os.close(self.fd)
                return os.waitstatus_to_exitcode(status)
            check(time.monotonic() < end, f"it does not end: {self.seen[-2000:]!r}")
            time.sleep(0.01)


def test_a_person_edits_completes_and_finds_lines_again():
    ks = keyspace()
    (folder() / ".cassandra").mkdir(exist_ok=True)
    t = Terminal(str(folder() / "bin" / "cqlsh"), "--no-color", "127.0.0.1", server().port)
    try:
        t.until("cqlsh> ")
        check("Connected to Sluice at 127.0.0.1:" in t.seen and "Use HELP for help." in t.seen, t.seen)
        t.type(f"USE {ks};\r", f"cqlsh:{ks}> ")
        ready = f"cqlsh:{ks}> "
        t.type("SELEKT * FROM t;\x01\x1b[C\x1b[C\x1b[C\x1b[C\x1b[3~C\r", "(1 rows)", ready)  # Home, right, Delete
        for line in ("SELECT name\r", "FROM t\r"):  # over several lines
            t.type(line, "\n", "... ")
        t.type("WHERE id = 1;\r", "(1 rows)", ready)
        t.type("nonsense\x15SEL\t* FROM t;\r", "(1 rows)", ready)  # Ctrl-U, Tab
        t.type("\x1b[A\r", "(1 rows)", ready)  # up
        t.type("\x12WHERE\x1b", "WHERE id = 1;", ready)  # Ctrl-R
        t.type("\x15SELECT * FROM t WHERE idd = 1;\r", "Undefined column name idd", ready)
        since = len(t.seen)
        os.write(t.fd, b"SELECT\x03EXIT\r")  # Ctrl-C drops the line
        check(t.ends() == 0, t.seen[since:])
    finally:
        try:
            os.kill(t.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    check("SELECT * FROM t;" in (folder() / ".cassandra" / "cqlsh_history").read_text(), "history")
    check((folder() / ".cassandra" / "cqlsh_history").stat().st_mode & 0o77 == 0, "the history is for its owner alone")


def test_sluice_query_is_that_shell_for_a_project_and_any_host():
    ks = keyspace()
    r = subprocess.run([SLUICE, "query", "--host", "127.0.0.1", "--port", str(server().port), f"SELECT * FROM {ks}.t"], capture_output=True, text=True, timeout=60)
    check(r.returncode == 0 and r.stdout == "\n id | name\n----+------\n  1 |  Ada\n\n(1 rows)\n", r.stdout + r.stderr)
    check("--format expand" in run("query", "--host", "127.0.0.1", "--json", "SELECT 1").stderr, "no JSON from another host")
    t = Terminal(SLUICE, "query", "--project", server().folder, "--set", f"cql.port={server().port}", "--no-color")
    try:
        t.until("sluice> ")
        t.type(f"SELECT name FROM {ks}.t;\r", "(1 rows)", "sluice> ")
        t.type("SHOW TOPICS;\r", "partitions", "sluice> ")  # the project's own SQL
        t.type("SHOW VERSION\r", "Native protocol v5", "sluice> ")
        check("SyntaxException" not in t.seen and "Improper" not in t.seen, t.seen[-1000:])
        os.write(t.fd, b"\x04")
        check(t.ends() == 0, t.seen[-500:])
    finally:
        try:
            os.kill(t.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    check(re.search("SELECT name FROM", (folder() / ".sluice_history").read_text()), "history")
