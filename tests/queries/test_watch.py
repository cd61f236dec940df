"""Live previews: a SELECT over a topic's tail, told again as records come, until Ctrl-C."""
import fcntl
import json
import os
import pty
import signal
import struct
import subprocess
import termios
import time

from harness import SLUICE, Server, check, folder, project, run, wait_for, written

import tempfile

PIPELINE = "CREATE TOPIC events WITH (partitions = 2);\n"


def produce(s, *records):
    r = s.command("produce", "events", "--brokers", f"127.0.0.1:{s.field('kafka_port')}", stdin="".join(json.dumps(x) + "\n" for x in records))
    check(r.returncode == 0, r.stdout + r.stderr)


class Watch:
    """`sluice query` of a preview; what it writes goes to a file, or to a terminal."""

    def __init__(self, s, sql, *options, terminal=False):
        self.screen = b""
        self.file = tempfile.TemporaryFile()
        out = self.file
        if terminal:
            self.master, out = pty.openpty()
            fcntl.ioctl(out, termios.TIOCSWINSZ, struct.pack("HHHH", 12, 80, 0, 0))
            os.set_blocking(self.master, False)
        self.process = subprocess.Popen([SLUICE, "query", sql, "--project", str(s.directory), "--data", str(s.data), *options],
                                        stdout=out, stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL)
        if terminal:
            os.close(out)

    def lines(self):
        return [json.loads(l) for l in written(self.file).splitlines()]

    def seen(self):
        try:
            self.screen += os.read(self.master, 1 << 16)
        except (BlockingIOError, OSError):
            pass
        return self.screen.decode(errors="replace").replace("\r\n", "\n")

    def end(self):
        began = time.monotonic()
        self.process.send_signal(signal.SIGINT)
        _, err = self.process.communicate(timeout=10)
        check(self.process.returncode == 0 and err == "", f"{self.process.returncode}: {err}")
        check(time.monotonic() - began < 3, "Ctrl-C takes too long")


def running(f):
    return Server(project(f / "p", PIPELINE))


def test_rows_come_as_json_lines_until_interrupted():
    with folder() as f, running(f) as s:
        s.ready()
        produce(s, {"id": 1, "v": "old"}, {"id": 2, "v": "old"})
        w = Watch(s, "WATCH LAST 100 SELECT id, upper(v) AS v FROM events WHERE id <> 4", "--json")
        wait_for("the last records", lambda: len(w.lines()) == 2)
        produce(s, {"id": 3, "v": "new"}, {"id": 4, "v": "left out"}, {"id": 5, "v": "new"})
        wait_for("two more", lambda: len(w.lines()) == 4)
        check(sorted((r["id"], r["v"]) for r in w.lines()) == [("1", "OLD"), ("2", "OLD"), ("3", "NEW"), ("5", "NEW")] or
              sorted((r["id"], r["v"]) for r in w.lines()) == [(1, "OLD"), (2, "OLD"), (3, "NEW"), (5, "NEW")], f"{w.lines()}")
        w.end()
        check(s.stop() == 0, s.output())


def test_without_last_it_begins_now():
    with folder() as f, running(f) as s:
        s.ready()
        produce(s, {"id": 1})
        w = Watch(s, "SELECT CAST(id AS INT) AS id FROM events EMIT CHANGES;", "--json")
        n = 1
        def more():  # it may not have begun yet: the first that is seen tells
            nonlocal n
            n += 1
            produce(s, {"id": n})
            return w.lines()
        wait_for("a row", more)
        first = min(r["id"] for r in w.lines())
        check(first > 1, f"{w.lines()}")
        wait_for("all of them", lambda: [r["id"] for r in sorted(w.lines(), key=lambda r: r["id"])] == list(range(first, n + 1)))
        w.end()
        check(s.stop() == 0, s.output())


def test_groups_tell_what_changed_and_what_is_gone():
    with folder() as f, running(f) as s:
        s.ready()
        w = Watch(s, "WATCH LAST 1 SELECT CAST(k AS TEXT) AS k, count(*) AS n FROM events GROUP BY CAST(k AS TEXT) HAVING count(*) < 3", "--json")
        def last(k):
            rows = [r for r in w.lines() if r["k"] == k]
            return rows[-1] if rows else None
        asked = 0
        def begun():
            nonlocal asked
            asked += 1
            produce(s, {"k": f"zero {asked}"})
            return w.lines()
        wait_for("it has begun", begun)
        produce(s, {"k": "a"}, {"k": "b"}, {"k": "a"})
        wait_for("a has 2", lambda: last("a") == {"k": "a", "n": 2} and last("b") == {"k": "b", "n": 1})
        told = len([r for r in w.lines() if r["k"] == "b"])
        produce(s, {"k": "a"})
        wait_for("a is gone", lambda: last("a").get("_gone"))
        check(len([r for r in w.lines() if r["k"] == "b"]) == told, f"b did not change: {w.lines()}")
        w.end()
        check(s.stop() == 0, s.output())


def test_a_terminal_shows_the_whole_table_again():
    with folder() as f, running(f) as s:
        s.ready()
        w = Watch(s, "WATCH LAST 100 SELECT CAST(k AS TEXT) AS k, count(*) AS n FROM events GROUP BY CAST(k AS TEXT)", terminal=True)
        wait_for("an empty table", lambda: "(0 rows)" in w.seen())
        produce(s, {"k": "a"}, {"k": "b"})
        wait_for("both", lambda: "(2 rows)" in w.seen())
        produce(s, {"k": "a"})
        def picture():
            return w.seen().split("\x1b[H\x1b[J")[-1]
        wait_for("a counts 2", lambda: "a | 2" in picture() and "(2 rows)" in picture())
        check("b | 1" in picture() and picture().count("k | n") == 1, picture())
        produce(s, *({"k": f"k{i}"} for i in range(50)))
        wait_for("what fits", lambda: "more than fits" in picture())
        check(picture().count("\n") <= 12, picture())
        w.end()
        check(s.stop() == 0, s.output())


def test_windows_are_shown_before_they_close():
    with folder() as f, running(f) as s:
        s.ready()
        produce(s, {"k": 1}, {"k": 2})
        w = Watch(s, "WATCH LAST 10 SELECT window_start, count(*) AS n FROM TUMBLE(events, _timestamp, INTERVAL '1' DAY) GROUP BY window_start", "--json")
        wait_for("the open window", lambda: sum({r["window_start"]: r["n"] for r in w.lines()}.values()) == 2)
        w.end()
        check(s.stop() == 0, s.output())


def test_what_is_refused():
    with folder() as f, running(f) as s:
        s.ready()
        for sql, word in {"WATCH SELECT nope( FROM events": "statement:1:", "WATCH LAST x SELECT id FROM events": "number", "WATCH SELECT id FROM nothing": "nothing",
                          "WATCH DROP TOPIC events": "error"}.items():
            r = s.command("query", sql)
            check(r.returncode == 1 and word in r.stderr, f"{sql}: {r.stdout}{r.stderr}")
        check(s.stop() == 0, s.output())
        r = run("query", "WATCH SELECT id FROM events", "--project", f / "p")
        check(r.returncode == 1 and "sluice up" in r.stderr, r.stderr)


def test_a_server_that_stops_ends_its_previews():
    with folder() as f, running(f) as s:
        s.ready()
        w = Watch(s, "WATCH SELECT id FROM events", "--json")
        time.sleep(0.2)
        check(s.stop() == 0, s.output())
        _, err = w.process.communicate(timeout=10)
        check(w.process.returncode == 1 and "the server has ended" in err, f"{w.process.returncode}: {err}")


def test_the_shell_goes_on_after_a_preview():
    with folder() as f, running(f) as s:
        s.ready()
        produce(s, {"id": 7})
        master, slave = pty.openpty()
        shell = subprocess.Popen([SLUICE, "query", "--project", str(s.directory), "--data", str(s.data), "--set", f"cql.port={s.field('cql_port')}"], stdin=slave, stdout=slave, stderr=slave)
        os.close(slave)
        os.set_blocking(master, False)
        text = b""
        def seen(word):
            nonlocal text
            try:
                text += os.read(master, 1 << 16)
            except (BlockingIOError, OSError):
                pass
            return word in text
        wait_for("a prompt", lambda: seen(b"> "))
        os.write(master, b"WATCH LAST 5 SELECT CAST(id AS INT) + 93 AS x FROM events;\n")
        wait_for("the record", lambda: seen(b"100"))
        shell.send_signal(signal.SIGINT)
        os.write(master, b"SELECT 20 + 22 AS answer;\n")
        wait_for("the next answer", lambda: seen(b" 42"))
        os.write(master, b"\x04")
        check(shell.wait(timeout=10) == 0, text.decode(errors="replace"))
        os.close(master)
        check(s.stop() == 0, s.output())
