"""Runs the fuzz targets of the checked build.

A target starts from tests/fuzz/corpus/NAME, and, where our own tables say what there is to try, from
seeds and a dictionary that are made of them here: functions, words, types, settings.
"""
import os
import pathlib
import re
import subprocess
import tempfile

import checked
from harness import Failed, ROOT, check

TARGETS = sorted(p.stem.removeprefix("fuzz_") for p in (ROOT / "tests" / "fuzz").glob("fuzz_*.c"))
SRC = ROOT / "src"


def rows(table, macro):
    """The first argument, quotes off, of each row of a .def table."""
    return [m.strip('"') for m in re.findall(rf'^{macro}\(("[^"]*"|\w+)', (SRC / table).read_text(), re.M)]


def types():
    return re.findall(r'^TYPE\(\w+, +"(\w+)"', (SRC / "data/types.def").read_text(), re.M)


def quoted(row):
    return [s.encode().decode("unicode_escape").encode("latin1").decode() for s in re.findall(r'"((?:[^"\\]|\\.)*)"', row)]


def sql_seeds():
    """Each example of functions.def in a query, and the statements of the example projects."""
    for line in (SRC / "sql/functions.def").read_text().splitlines():
        if line.startswith("FUNCTION(") and len(texts := quoted(line)) >= 2:
            yield b"\0" + f"SELECT {texts[-2]} FROM k.t WHERE {texts[-2]} IS NOT NULL".encode()
    for path in sorted(ROOT.glob("examples/*/pipeline.sql")):
        for statement in path.read_text().split(";\n"):
            yield b"\0" + statement.encode()


def cql_term_seeds():
    """Each example of CQL's functions, over a column of each of a few types."""
    for line in (SRC / "sql/cql/functions.def").read_text().splitlines():
        if line.startswith("NATIVE(") and len(texts := quoted(line)) >= 2 and texts[-2]:
            for kind in (0, 5, 14, 19, 21):
                yield bytes([kind, 1]) + re.sub(r"\b(i|x|bo|do|ts|tu|da|ti|m|l)\b", "a", texts[-2]).encode()
                yield bytes([kind, 2]) + texts[-2].encode()


def type_seeds(values, lead):
    for name in types():
        for value in values:
            yield lead + bytes([len(name)]) + name.encode() + value
    for name in ("list<int>", "set<text>", "map<text, int>", "tuple<int, text>", "struct<a int, b text>"):
        for value in (b"[1, 2]", b"{'a'}", b"{'a': 1}", b"(1, 'x')", b"{a: 1, b: 'x'}", b'{"a": 1}', b'["a"]'):
            yield lead + bytes([len(name)]) + name.encode() + value


def kafka_seeds():
    """Every message at every version, with random content."""
    r = subprocess.run([checked.BUILD / "tests" / "kafka_tables", "make", "1"], capture_output=True, text=True)
    check(r.returncode == 0, r.stderr)
    made = [line.split(" ") for line in r.stdout.splitlines()]
    names = list(dict.fromkeys(m[0] for m in made))
    first = {}
    for name, version, hexed in made:
        yield bytes([names.index(name) + 1, int(version) - first.setdefault(name, int(version))]) + bytes.fromhex(hexed)


def door_seeds():
    """Every request at every version, alone, and in runs of twenty."""
    apis = [(int(a), b, int(c)) for a, b, c in re.findall(r'^API\((\d+), *\w+, *"(\w+)", *(\d+)', (SRC / "wire/kafka/apis.def").read_text(), re.M)]
    at = {name + "Request": (i, first) for i, (key, name, first) in enumerate(apis)}
    r = subprocess.run([checked.BUILD / "tests" / "kafka_tables", "make", "1"], capture_output=True, text=True)
    check(r.returncode == 0, r.stderr)
    made = []
    for name, version, hexed in (line.split(" ") for line in r.stdout.splitlines()):
        if name in at:
            body = bytes.fromhex(hexed)
            made.append(bytes([at[name][0], int(version) - at[name][1]]) + len(body).to_bytes(2, "big") + body)
    for one in made:
        yield b"\1" + one
    for i in range(0, len(made), 20):
        yield b"\1" + b"".join(made[i:i + 20])


def dag_seeds():
    """The examples' dags, a task of each kind with its options, and each word of a task."""
    yield from (p.read_bytes() for p in sorted(ROOT.glob("examples/*/dags.yaml")))
    table = (SRC / "sched/kinds.def").read_text()
    for kind, options in re.findall(r'^KIND\((\w+),(.*?)(?=^KIND|\Z)', table, re.M | re.S):
        words = "".join(f", {name}: 1" for name in re.findall(r'^ *OPTION\("?(\w+)', options, re.M))
        yield f"d: {{schedule: '@daily', tasks: {{a: {{{kind}: x{words}}}, b: {{bash: 'true', after: [a]}}}}}}\n".encode()


def python_seeds():
    """The programs that `sluice import` is tested with, which stand in its test, and our own."""
    for path in sorted(ROOT.glob("tests/**/*.py")):
        yield path.read_bytes()[:16000]


def airflow_seeds():
    """A body for each table of what bodies may hold."""
    values = {"TEXT": '"a"', "INT": "1", "BOOL": "true", "TIME": '"2024-01-01T00:00:00Z"', "MAP": '{"a": 1}', "LIST": '["a"]', "NUMBER": "1.5", "ANY": "null"}
    tables = (SRC / "door/airflow/inputs.def").read_text().split("\nINPUTS(")[1:]
    for i, table in enumerate(tables):
        rows = re.findall(r'^INPUT\("(\w+)", *\w+, *(\w+)', table, re.M)
        body = "{" + ", ".join(f'"{name}": {values[kind]}' for name, kind in dict(rows).items()) + "}"
        for api in (b"\0", b"\1"):
            yield bytes([i]) + api + body.encode() + b"\0" + ",".join(dict(rows)).encode()


def keeper_seeds():
    """An order, an end, what was running, and what is forgotten."""
    def text(s):
        return len(s).to_bytes(4, "big") + s

    def message(kind, body):
        return (len(body) + 1).to_bytes(4, "big") + bytes([kind]) + body

    def some(*texts):
        return len(texts).to_bytes(4, "big") + b"".join(map(text, texts))

    order = message(0, text(b"a") + some(b"sh", b"-c", b"true") + some(b"PATH=/bin") + text(b"") + text(b"/tmp/log") + bytes(9) + text(b"in") + some(b"hush"))
    end = text(b"a") + bytes([1]) + bytes(12) + bytes(24) + bytes(4) + text(b"last line") + bytes(8)
    for who in (b"\0", b"\1"):
        yield who + order + message(1, text(b"a") + bytes(8)) + message(3, bytes(8))
        yield who + message(8, text(b"boot")) + message(7, end) + message(7, end) + message(6, end) + message(2, text(b"a") + bytes(8))


def console_seeds():
    """Every route as a Viewer would ask it, its body as its row says, a head of a browser's, a token."""
    text = "".join((SRC / "door/console" / f).read_text() for f in ["routes.def"])
    for part in re.findall(r'#include "(door/console/\w+\.def)"', text):
        text += (SRC / part).read_text()
    schemas = "".join(p.read_text() for p in sorted((SRC / "door/console").glob("schemas*.def")))
    values = {"text": '"a"', "time": '"2024-01-01T00:00:00Z"', "int": "1", "number": "1.5", "bool": "true", "any": "null"}
    for i, (method, params, body) in enumerate(re.findall(r'^ROUTE\("(\w+)", "[^"]*", \w+, \w+, \w+, "([^"]*)", "([^"]*)"', text, re.M)):
        query = "&".join(p.split("=")[0] + "=1" for p in params.split())
        fields = re.search(rf"^SCHEMA\({body},.*?^END", schemas, re.M | re.S) if body else None
        said = "{" + ", ".join(f'"{n}": {values.get(t.strip("?"), "[]")}' for n, t in re.findall(r'^(?:FIELD|MAYBE)\((\w+), "([^"]*)"', fields.group(0), re.M)) + "}" if fields else ""
        yield b"\1" + bytes([i, 0]) + b"t\0" + query.encode() + b"\0" + said.encode()
        yield b"\1" + bytes([i, 1]) + b"t\0" + b"\0" + said.encode()
        yield b"\2" + bytes([i]) + query.encode() + b"\0" + said.encode()
    for channel in rows("door/console/channels.def", "CHANNEL") + ["topic:t", "tail:t", "stream:s", "group:g"]:
        yield b"\0GET /api/console/live?c=" + channel.encode() + b" HTTP/1.1\r\nHost: localhost\r\nCookie: sluice_a=b.c.d\r\n\r\n"
    for path in ("/", "/healthz", "/topics/t", "/api/console/openapi.json", "/assets/app.js"):
        yield b"\0GET " + path.encode() + b" HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: br, gzip\r\nConnection: close\r\n\r\n"
    yield b"\3" + b'{"alg":"HS256","typ":"JWT"}\0{"sub":"viewer","iss":"sluice","aud":"fuzz","iat":1699999999,"nbf":1699999999,"exp":1900000000,"jti":"0000000000000007","pwd":"0123456789abcdef"}'


VALUES = (b"1", b"-2.5e3", b"true", b"'a'", b'"a"', b"2020-02-29T12:34:56.789Z", b"12:34:56.7", b"P1Y2M3DT4H5M6S", b"1mo2d3ns", b"::1", b"0xff",
          b"550e8400-e29b-41d4-a716-446655440000", b"NaN", bytes(4), bytes(8), bytes(16))
SEEDS = {
    "dag": dag_seeds,
    "python": python_seeds,
    "airflow": airflow_seeds,
    "keeper": keeper_seeds,
    "console": console_seeds,
    "sql": sql_seeds,
    "cql_term": cql_term_seeds,
    "kafka_wire": kafka_seeds,
    "kafka_door": door_seeds,
    "value": lambda: type_seeds(VALUES, b""),
    "zone": lambda: (p.read_bytes() for name in ("UTC", "Europe/Berlin", "Africa/Casablanca", "America/Nuuk") if (p := pathlib.Path("/usr/share/zoneinfo", name)).exists()),
    "key": lambda: type_seeds((bytes(1), bytes(4), bytes(8), bytes(16), b"\0\0\0\1\0\0\0\1a"), b"\0"),
    "topic": lambda: (b"\0" + f"{key}={value}\n".encode() for key in rows("log/config.def", "CONFIG") for value in ("1", "-1", "0.5", "true", "compact,delete", "zstd", "0:1")),
    "settings": lambda: (f"{key}: {value}\n".encode() for key in rows("main/config.def", "CONFIG") for value in ("1", "10s", "64MiB", "true", "[a]")),
}
WORDS = {
    "cql_term": lambda: rows("sql/cql/functions.def", "NATIVE") + types() + ["CAST(", " AS ", "writetime(", "ttl(", "..", "NULL", "?", "'now'", "0x", "1y2mo3d", "NaN", "-Infinity"],
    "sql": lambda: rows("sql/words.def", "WORD") + rows("sql/functions.def", "FUNCTION") + types() + ["$$", "::", "||", "<=", "<>", "!=", "=>", "--", "/*", "*/", "''"],
    "value": lambda: types() + ["<", ">", "list<", "set<", "map<", "tuple<", "struct<", "frozen<", "infinity", "\\\\u00e9", "T", "Z", "0x"],
    "schedule": lambda: ["@daily", "@once", "every ", "L", "#", "*/", "mon", "fri", "jan", "dec", "?", " * * * *", "PT", "P1M", " months", "T", "Z", "+01:00"],
    "key": lambda: types() + ["list<", "map<", "tuple<", "frozen<", ">"],
    "topic": lambda: rows("log/config.def", "CONFIG") + ["=", ",", "compact", "delete", "producer", "CreateTime", "LogAppendTime"],
    "settings": lambda: rows("main/config.def", "CONFIG") + ["- ", "? ", ": ", "&a", "*a", "!!", "|", ">-", "{", "}", "[", "]", "%YAML"],
    "doc": lambda: ["{", "}", "[", "]", "- ", ": ", "? ", "&a ", "*a", "<<: ", "!!str ", "|\\x0a", ">-\\x0a", "---\\x0a", "...", "0x", "0o", ".inf", ".nan", "~", "null", "true",
                    "\\\\ud83d\\\\ude00", "\\\\u0000", "\\x22", "'", "#", "%YAML 1.2", "\\xef\\xbb\\xbf"],
    "dag": lambda: rows("sched/kinds.def", "KIND") + ["schedule: ", "tasks: ", "after: ", "default_args: ", "group: ", "groups: ", "expand: ", "params: ", "trigger_rule: ", "retries: ",
                    "retry_delay: ", "start_date: ", "timezone: ", "catchup: ", "setup: ", "teardown: ", "slo: ", "outlets: ", "on_failure_callback: ", "{", "}", "[", "]", ": ", "\\x0a  "],
    "template": lambda: ["{{ ", " }}", "{% ", " %}", "{#", "#}", "{%- ", " -%}", "if ", "elif ", "else", "endif", "for ", "in ", "endfor", "set ", "not ", "is ", "defined", "loop.index",
                         " | ", "default('", "map(attribute='", "tojson", "join(", "selectattr(", "replace(", "ti.xcom_pull(task_ids='", "var.value.", "var.json.", "conn.", "params.", "ds_add(",
                         "logical_date.", "strftime('%", "add(days=", "range(", "[::", "**", "//", "~", "macros."],
    "python": lambda: ["def ", "class ", "return ", "lambda ", "for ", "in ", "if ", "else:", "elif ", "with ", "as ", "try:", "except ", "import ", "from ", "@", "\\x0a    ", "\\x27\\x27\\x27", "\\x22\\x22\\x22",
                       "f'{", "}'", "rb'", ">>", "<<", "**", ":=", "->", "DAG(", "dag_id=", "schedule=", "PythonOperator(", "async ", "await ", "match ", "\\\\\\x0a"],
    "airflow": lambda: rows("door/airflow/inputs.def", "INPUT") + ["{", "}", "[", "]", ":", ",", "true", "null", "\\x22", "2024-01-01T00:00:00Z", "-1"],
    "json": lambda: ["{", "}", "[", "]", ":", ",", "true", "false", "null", "\\x22a\\x22:", "\\\\ud83d\\\\ude00", "\\\\u0000", "1e308", "-0", "\\xef\\xbb\\xbf"],
    "console": lambda: ["GET ", "POST ", "PATCH ", "DELETE ", "/api/console/", " HTTP/1.1\\x0d\\x0a", "Host: localhost\\x0d\\x0a", "Cookie: ", "X-CSRF-Token: ", "Authorization: Basic dmlld2VyOnY=\\x0d\\x0a",
                        "Content-Type: application/json\\x0d\\x0a", "Content-Length: ", "Accept-Encoding: ", "Last-Event-ID: ", "?c=", "&c=", "&limit=", "%2f", "\\x0d\\x0a\\x0d\\x0a",
                        "{", "}", "[", "]", ":", ",", "true", "null", "\\x22"],
    "http": lambda: ["GET ", "POST ", " HTTP/1.1\\x0d\\x0a", "Content-Length: ", "Transfer-Encoding: chunked", "Connection: close", "Expect: 100-continue",
                     "Host: ", "\\x0d\\x0a\\x0d\\x0a", "%2e%2e", "/../", "http://"],
    "people": lambda: ["results=", "gender=female", "nat=", "seed=", "page=", "format=", "inc=", "exc=", "password=", "callback=", "noinfo", "dl", "lego", "xml", "yaml",
                       "csv", "sql", "pretty", "&", ",", "1-8"],
}


def build():
    checked.build(checked.targets(r"tests/(?:fuzz_\w+|kafka_tables)"))


def run(target, seconds, keep=None):
    """`keep`: a folder that gathers what the target finds worth keeping, for a longer hunt."""
    with tempfile.TemporaryDirectory() as d:
        made, found = pathlib.Path(d, "made"), pathlib.Path(d, "found")
        for folder in (made, found):
            folder.mkdir()
        for i, seed in enumerate(SEEDS.get(target, lambda: ())()):
            (made / str(i)).write_bytes(seed)
        options = [f"-max_total_time={seconds}", "-max_len=16384", "-rss_limit_mb=2048", "-timeout=20", f"-artifact_prefix={found}/"]
        if target in WORDS:
            (pathlib.Path(d) / "words").write_text("".join(f'"{w}"\n' for w in WORDS[target]()))
            options.append(f"-dict={d}/words")
        r = subprocess.run([checked.BUILD / "tests" / f"fuzz_{target}", *options, keep or found, ROOT / "tests" / "fuzz" / "corpus" / target, made],
                           capture_output=True, text=True, errors="replace", cwd=d,
                           env={**os.environ, "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1"})
        if r.returncode:
            crashes = [p for p in found.iterdir() if p.name.startswith(("crash", "leak", "oom", "timeout", "slow"))]
            raise Failed(f"fuzz_{target}: {[c.read_bytes()[:500] for c in crashes[:1]]}\n{r.stderr[-4000:]}")
        return r.stderr
