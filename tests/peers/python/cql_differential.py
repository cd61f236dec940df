"""cql_differential.py OURS REAL SEED COUNT: the same generated CQL statements to two servers, one after the other,
and everything that comes back compared: rows and their order, the columns' names and types, warnings, pages,
errors by code and words. Ends with the counts by kind and, for each difference, the statement.

A statement is made from a seed, so that one difference can be run again: SEED and its number say which.
"""
import ast
import collections
import json
import random
import re
import sys
import uuid

from cassandra.cluster import Cluster, ExecutionProfile, EXEC_PROFILE_DEFAULT
from cassandra.policies import RoundRobinPolicy
from cassandra.query import SimpleStatement, tuple_factory, BatchStatement
from cassandra import ConsistencyLevel, ProtocolVersion

SHOWN = 40  # differences that are told in full


def connect(address, protocol):
    host, port = address.rsplit(":", 1)
    profile = ExecutionProfile(load_balancing_policy=RoundRobinPolicy(), row_factory=tuple_factory, request_timeout=60)
    cluster = Cluster([host], port=int(port), protocol_version=protocol, execution_profiles={EXEC_PROFILE_DEFAULT: profile},
                      schema_metadata_enabled=False, token_metadata_enabled=False, connect_timeout=30, control_connection_timeout=30)
    return cluster, cluster.connect()


# --- values -------------------------------------------------------------------------------------

class Values:
    """Literals of each type, from few enough values that statements meet each other's rows."""

    def __init__(self, r):
        self.r = r

    def of(self, t, depth=0):
        r = self.r
        if r.random() < 0.01 and depth == 0:
            return "null"
        if t.startswith("frozen<"):
            return self.of(t[7:-1], depth)
        if t.startswith("list<"):
            return "[" + ", ".join(self.of(t[5:-1], 1) for _ in range(r.randrange(4))) + "]"
        if t.startswith("set<"):
            return "{" + ", ".join(self.of(t[4:-1], 1) for _ in range(r.randrange(4))) + "}"
        if t.startswith("map<"):  # a key twice: which one counts is left to a Java HashMap
            k, v = split_types(t[4:-1])
            return "{" + ", ".join(f"{key}: {self.of(v, 1)}" for key in sorted({self.of(k, 1) for _ in range(r.randrange(4))})) + "}"
        if t.startswith("tuple<"):
            return "(" + ", ".join(self.of(x, 1) for x in split_types(t[6:-1])) + ")"
        if t == "address":
            return "{" + ", ".join(f"{n}: {self.of(k, 1)}" for n, k in (("street", "text"), ("number", "int"), ("tags", "set<text>"))
                                   if r.random() < 0.8) + "}"
        return getattr(self, t)()

    def int(self): return str(self.r.choice([0, 1, 2, 3, 4, 5, -1, 7, 100, 2147483647, -2147483648]))
    def counter(self): return self.small()
    def small(self): return str(self.r.randrange(5))
    def bigint(self): return str(self.r.choice([0, 1, 2, 3, -1, 9223372036854775807, -9223372036854775808]))
    def smallint(self): return str(self.r.choice([0, 1, 2, -1, 32767, -32768]))
    def tinyint(self): return str(self.r.choice([0, 1, 2, -1, 127, -128]))
    def varint(self): return str(self.r.choice([0, 1, -1, 128, -129, 2**80, -2**80]))
    def decimal(self): return self.r.choice(["0", "1.0", "1.00", "-1.5", "123456789.123456789", "1E+3", "1e-10", "-0.1"])
    def double(self): return self.r.choice(["0", "1.5", "-2.25", "1e100", "NaN", "Infinity", "-Infinity", "0.1", "-0.0", "3"])
    def float(self): return self.r.choice(["0", "1.5", "-2.25", "1e10", "NaN", "0.1"])
    def boolean(self): return self.r.choice(["true", "false"])
    def text(self): return self.r.choice(["''", "'a'", "'b'", "'c'", "'ab'", "'it''s'", "'über'", "'A'", "'zz'", "'\U0001f40d'"])
    def ascii(self): return self.r.choice(["'a'", "'b'", "'xyz'", "''"])
    def blob(self): return self.r.choice(["0x", "0x00", "0xcafe", "0xff00ff", "0x01"])
    def uuid(self): return str(uuid.UUID(int=self.r.choice([1, 2, 3, 0xf0000000000040008000000000000000])))
    def timeuuid(self): return self.r.choice(["50554d6e-29bb-11e5-b345-feff819cdc9f", "00000000-0000-1000-8000-000000000000",
                                              "fed3a1f0-29bb-11e5-8080-808080808080", "50554d6e-29bb-11e5-7f7f-7f7f7f7f7f7f"])
    def timestamp(self): return self.r.choice(["0", "1000", "'2015-05-03 13:30:54.234+0000'", "'2020-01-01'", "-1", "1577836800000"])
    def date(self): return self.r.choice(["'2015-05-03'", "'1970-01-01'", "'1969-12-31'", "'2020-02-29'", "2147483648"])
    def time(self): return self.r.choice(["'08:12:54'", "'00:00:00.000000001'", "'23:59:59.999'", "0"])
    def duration(self): return self.r.choice(["1d", "12h30m", "1mo2d3h", "P1Y2M3DT4H", "-1d", "89h4m48s"])
    def inet(self): return self.r.choice(["'127.0.0.1'", "'10.0.0.255'", "'::1'", "'2001:db8::8a2e:370:7334'"])


def split_types(text):
    out, depth, at = [], 0, 0
    for i, c in enumerate(text):
        depth += (c == "<") - (c == ">")
        if c == "," and depth == 0:
            out.append(text[at:i].strip())
            at = i + 1
    return out + [text[at:].strip()]


# --- tables -------------------------------------------------------------------------------------

SCALARS = ["ascii", "text", "bigint", "int", "smallint", "tinyint", "varint", "float", "double", "decimal", "boolean", "blob",
           "uuid", "timeuuid", "timestamp", "date", "time", "duration", "inet"]


class Table:
    def __init__(self, name, partition, clustering, columns, statics=(), counter=False, options=""):
        self.name, self.partition, self.clustering = name, dict(partition), dict(clustering)
        self.columns, self.statics, self.counter, self.options = dict(columns), dict(statics), counter, options
        self.all = {**self.partition, **self.clustering, **self.statics, **self.columns}

    def create(self):
        cols = ", ".join(f"{n} {t}{' static' if n in self.statics else ''}" for n, t in self.all.items())
        key = f"({', '.join(self.partition)})" + "".join(f", {c}" for c in self.clustering)
        return f"CREATE TABLE {self.name} ({cols}, PRIMARY KEY ({key})){self.options}"


TABLES = [
    Table("scalars", {"k": "int"}, {}, {f"v_{t}": t for t in SCALARS}),
    Table("wide", {"a": "int", "b": "text"}, {"c": "int", "d": "text"}, {"v": "int", "w": "text", "x": "double"}, {"s": "text", "z": "int"},
          options=" WITH CLUSTERING ORDER BY (c DESC, d ASC)"),
    Table("plain", {"k": "int"}, {"c": "int"}, {"v": "int", "w": "text"}, {"s": "int"}),
    Table("rich", {"k": "int"}, {"c": "timeuuid"}, {
        "l": "list<int>", "st": "set<text>", "m": "map<text, int>", "fl": "frozen<list<int>>", "fm": "frozen<map<int, text>>",
        "t": "tuple<int, text>", "u": "address", "fu": "frozen<address>", "ls": "list<frozen<set<int>>>"}, {"sm": "map<int, text>"}),
    Table("counts", {"k": "int"}, {"c": "text"}, {"n": "counter", "m": "counter"}, {"sn": "counter"}, counter=True),
    Table("aging", {"k": "int"}, {"c": "int"}, {"v": "int", "st": "set<int>"}, options=" WITH default_time_to_live = 100000"),
    Table("found", {"k": "int"}, {"c": "int"}, {"v": "int", "w": "text", "st": "set<int>", "m": "map<text, int>", "fl": "frozen<list<int>>"},
          {"s": "int"}),
    Table("sai", {"k": "int"}, {"c": "int"}, {"v": "int", "w": "text", "x": "double", "st": "set<text>"}),
    Table("times", {"k": "timestamp"}, {"d": "date", "e": "time"}, {"v": "decimal", "i": "inet"}, options=" WITH CLUSTERING ORDER BY (d DESC, e DESC)"),
    Table('"Quoted"', {'"K"': "text"}, {'"select"': "varint"}, {'"V v"': "text"}),
]
INDEXES = ["CREATE INDEX ON found (v)", "CREATE INDEX found_w ON found (w)", "CREATE INDEX ON found (values(st))", "CREATE INDEX ON found (keys(m))",
           "CREATE INDEX found_entries ON found (entries(m))", "CREATE INDEX ON found (full(fl))", "CREATE INDEX ON found (c)", "CREATE INDEX ON found (s)",
           "CREATE INDEX ON sai (v) USING 'sai'", "CREATE INDEX sai_w ON sai (w) USING 'sai'", "CREATE INDEX ON sai (x) USING 'sai'",
           "CREATE INDEX ON sai (values(st)) USING 'sai'"]


class Maker:
    """One statement after the other: (kind, text, options)."""

    def __init__(self, seed):
        self.r = random.Random(seed)
        self.v = Values(self.r)
        self.stamp = 1000

    def value(self, t, key=False):
        if key:
            if t in ("int", "varint"):
                return self.v.small()
            while True:
                got = self.v.of(t)
                if got not in ("null", "''") or self.r.random() < 0.05:
                    return got
        return self.v.of(t)

    def table(self):
        return self.r.choice(TABLES)

    def using(self, ttl=True):
        r, parts = self.r, []
        if r.random() < 0.5:
            parts.append(f"TIMESTAMP {r.randrange(1000, 1040)}")
        if ttl and r.random() < 0.1:
            parts.append(f"TTL {r.choice([0, 100000, 200000])}")
        r.shuffle(parts)
        return f" USING {' AND '.join(parts)}" if parts else ""

    def key(self, t, clustering=True):
        names = {**t.partition, **(t.clustering if clustering else {})}
        return " AND ".join(f"{n} = {self.value(k, True)}" for n, k in names.items())

    def some(self, d, least=0):
        names = list(d)
        self.r.shuffle(names)
        return names[:max(least, self.r.randrange(len(names) + 1))]

    def insert(self):
        t = self.table()
        if t.counter:
            return self.update()
        if self.r.random() < 0.1:
            return self.insert_json(t)
        names = list(t.partition) + (list(t.clustering) if self.r.random() < 0.95 else []) + self.some({**t.statics, **t.columns})
        text = f"INSERT INTO {t.name} ({', '.join(names)}) VALUES ({', '.join(self.value(t.all[n], n in t.partition or n in t.clustering) for n in names)})"
        if self.r.random() < 0.1:
            return "insert if", text + " IF NOT EXISTS" + (f" USING TTL {self.r.choice([100000, 200000])}" if self.r.random() < 0.2 else "")
        return "insert", text + self.using()

    def insert_json(self, t):
        names = list(t.partition) + list(t.clustering) + self.some({n: k for n, k in t.columns.items() if k in ("int", "text", "list<int>", "map<text, int>", "set<text>")})
        made = {}
        for n in names:
            k = t.all[n]
            made[n] = {"int": self.r.randrange(4), "varint": self.r.randrange(4), "text": self.r.choice(["a", "b", "c"])}.get(k)
            if k == "list<int>": made[n] = [self.r.randrange(3) for _ in range(self.r.randrange(3))]
            if k == "map<text, int>": made[n] = {x: self.r.randrange(3) for x in "ab"[:self.r.randrange(3)]}
            if k == "set<text>": made[n] = ["b", "a"]
            if k == "timestamp": made[n] = "2015-05-03 13:30:54.234Z"
            if k == "date": made[n] = "2015-05-03"
            if k == "time": made[n] = "08:12:54"
            if k == "timeuuid": made[n] = "50554d6e-29bb-11e5-b345-feff819cdc9f"
        return "insert json", (f"INSERT INTO {t.name} JSON '{json.dumps(made)}'" + self.r.choice(["", " DEFAULT UNSET", " DEFAULT NULL"])).replace("Quoted", "Quoted")

    def operation(self, t, n):
        k, r = t.all[n], self.r
        if t.counter:
            return f"{n} = {n} {r.choice('+-')} {r.randrange(5)}"
        if k.startswith("list<"):
            return r.choice([f"{n} = {self.value(k)}", f"{n} = {n} + {self.v.of(k, 1)}", f"{n} = {self.v.of(k, 1)} + {n}", f"{n} = {n} - {self.v.of(k, 1)}",
                             f"{n}[{r.randrange(3)}] = {self.v.of(k[5:-1])}", f"{n} += {self.v.of(k, 1)}"])
        if k.startswith("set<"):
            return r.choice([f"{n} = {self.value(k)}", f"{n} = {n} + {self.v.of(k, 1)}", f"{n} = {n} - {self.v.of(k, 1)}", f"{n} -= {self.v.of(k, 1)}"])
        if k.startswith("map<"):
            key, value = split_types(k[4:-1])
            return r.choice([f"{n} = {self.value(k)}", f"{n} = {n} + {self.v.of(k, 1)}", f"{n} = {n} - {self.v.of(f'set<{key}>', 1)}",
                             f"{n}[{self.v.of(key, 1)}] = {self.v.of(value)}"])
        if k == "address":
            return r.choice([f"{n} = {self.value(k)}", f"{n}.street = {self.v.text()}", f"{n}.number = {self.v.of('int')}"])
        if k == "int" and r.random() < 0.03:
            return f"{n} = {n} + 1"
        return f"{n} = {self.value(k)}"

    def update(self):
        t, r = self.table(), self.r
        static_only = t.statics and r.random() < 0.15
        names = self.some(t.statics if static_only else {**t.columns, **({} if r.random() < 0.8 else t.statics)}, 1)
        sets = ", ".join(self.operation(t, n) for n in names)
        where = self.key(t, not static_only)
        if not t.counter and r.random() < 0.12:
            return "update if", f"UPDATE {t.name} SET {sets} WHERE {where} IF {self.condition(t)}"
        return "update counter" if t.counter else "update", f"UPDATE {t.name}{'' if t.counter else self.using()} SET {sets} WHERE {where}"

    def condition(self, t):
        r = self.r
        if r.random() < 0.2:
            return "EXISTS"
        n = r.choice(list({**t.columns, **t.statics}))
        k = t.all[n]
        if k.startswith("map<") and r.random() < 0.5:
            key, value = split_types(k[4:-1])
            return f"{n}[{self.v.of(key, 1)}] = {self.v.of(value)}"
        if k.startswith("list<") and r.random() < 0.5:
            return f"{n}[{r.randrange(3)}] = {self.v.of(k[5:-1])}"
        if k == "address" and r.random() < 0.5:
            return f"{n}.number = {self.v.of('int')}"
        if r.random() < 0.15:
            return f"{n} IN ({self.value(k)}, {self.value(k)})"
        return f"{n} {r.choice(['=', '=', '=', '!=', '<', '>', '<=', '>='])} {self.value(k)}"

    def delete(self):
        t, r = self.table(), self.r
        roll = r.random()
        if roll < 0.4 or not t.clustering:
            what = ""
            if r.random() < 0.5 and t.columns:
                n = r.choice(list(t.columns))
                k = t.columns[n]
                what = n
                if k.startswith("map<"): what = r.choice([n, f"{n}[{self.v.of(split_types(k[4:-1])[0], 1)}]"])
                if k.startswith("set<"): what = r.choice([n, f"{n}[{self.v.of(k[4:-1], 1)}]"])
                if k.startswith("list<"): what = r.choice([n, f"{n}[{r.randrange(3)}]"])
                if k == "address": what = r.choice([n, f"{n}.street"])
                what += " "
            text = f"DELETE {what}FROM {t.name}{'' if t.counter else self.using(False)} WHERE {self.key(t)}"
            if not t.counter and r.random() < 0.1:
                return "delete if", text.split(" USING ")[0].split(" WHERE ")[0] + f" WHERE {self.key(t)} IF {self.condition(t)}"
            return "delete column" if what else "delete row", text
        if roll < 0.6:
            if t.statics and r.random() < 0.3:
                return "delete static", f"DELETE {r.choice(list(t.statics))} FROM {t.name}{'' if t.counter else self.using(False)} WHERE {self.key(t, False)}"
            return "delete partition", f"DELETE FROM {t.name}{'' if t.counter else self.using(False)} WHERE {self.key(t, False)}"
        return "delete range", f"DELETE FROM {t.name}{'' if t.counter else self.using(False)} WHERE {self.key(t, False)} AND {self.range(t)}"

    def range(self, t):
        """A restriction of the clustering columns: some equal, then a range or an IN."""
        r, names = self.r, list(t.clustering)
        n = r.randrange(len(names))
        parts = [f"{c} = {self.value(t.clustering[c], True)}" for c in names[:n]]
        c, k = names[n], t.clustering[names[n]]
        roll = r.random()
        if roll < 0.15:
            parts.append(f"{c} IN ({self.value(k, True)}, {self.value(k, True)})")
        elif roll < 0.3 and len(names) > 1 and n == 0:
            op = r.choice(["<", ">", "<=", ">="])
            parts.append(f"({', '.join(names)}) {op} ({', '.join(self.value(t.clustering[x], True) for x in names)})")
        elif roll < 0.6:
            parts.append(f"{c} {r.choice(['<', '>', '<=', '>='])} {self.value(k, True)}")
        elif roll < 0.8:
            parts.append(f"{c} {r.choice(['>', '>='])} {self.value(k, True)} AND {c} {r.choice(['<', '<='])} {self.value(k, True)}")
        else:
            parts.append(f"{c} = {self.value(k, True)}")
        return " AND ".join(parts)

    def selection(self, t):
        r = self.r
        roll = r.random()
        if roll < 0.35:
            return "*"
        out = []
        for _ in range(1 + r.randrange(3)):
            n = r.choice(list(t.all))
            k = t.all[n]
            pick = [n, n, f"{n} AS x{len(out)}", f"toJson({n})", f"blobAsText(textAsBlob('x'))"]
            if n in t.columns or n in t.statics:
                pick += [f"writetime({n})"] if "<" not in k and k != "address" and not t.counter else []
            if k in ("int", "bigint", "varint", "double", "float", "decimal", "smallint", "tinyint"):
                pick += [f"{n} + 1", f"{n} * 2", f"-{n}", f"CAST({n} AS text)", f"CAST({n} AS double)", f"abs({n})"]
            if k.startswith("map<"): pick += [f"{n}[{self.v.of(split_types(k[4:-1])[0], 1)}]", f"map_keys({n})"]
            if k.startswith("set<"): pick += [f"{n}[{self.v.of(k[4:-1], 1)}]", f"collection_count({n})"]
            if k.endswith("address") or k == "frozen<address>": pick += [f"{n}.street", f"{n}.number"]
            if k == "timeuuid": pick += [f"toTimestamp({n})", f"toUnixTimestamp({n})", f"toDate({n})"]
            if k == "timestamp": pick += [f"toDate({n})", f"toUnixTimestamp({n})", f"{n} + 1d"]
            if k == "blob": pick += [f"blobAsInt({n})"]
            if k in SCALARS: pick += [f"{k}AsBlob({n})" if k not in ("blob", "duration") else n]
            out.append(r.choice(pick))
        if r.random() < 0.1:
            out.append(f"token({', '.join(t.partition)})")
        return ", ".join(out)

    def aggregate(self, t):
        r = self.r
        out = []
        for _ in range(1 + r.randrange(3)):
            n = r.choice(list(t.all))
            k = t.all[n]
            pick = ["count(*)", f"count({n})", f"max({n})", f"min({n})"]
            if k in ("int", "bigint", "varint", "double", "decimal", "smallint", "tinyint"):
                pick += [f"sum({n})", f"avg({n})"]
            out.append(r.choice(pick))
        return ", ".join(out)

    def select(self):
        t, r = self.table(), self.r
        kind, what, tail = "select", self.selection(t), ""
        roll = r.random()
        if roll < 0.25:
            kind, where = "select row", self.key(t)
        elif roll < 0.45:
            kind, where = "select partition", self.key(t, False)
        elif roll < 0.6 and t.clustering:
            kind, where = "select slice", f"{self.key(t, False)} AND {self.range(t)}"
        elif roll < 0.68:
            kind = "select in"
            n, k = list(t.partition.items())[-1]
            where = " AND ".join([f"{x} = {self.value(y, True)}" for x, y in list(t.partition.items())[:-1]] +
                                 [f"{n} IN ({', '.join(self.value(k, True) for _ in range(r.randrange(4)))})"])
        elif roll < 0.75:
            kind = "select token"
            where = f"token({', '.join(t.partition)}) {r.choice(['>', '>=', '<', '<='])} {r.choice([0, -9223372036854775808, 4611686018427387904, -4611686018427387904])}"
        elif roll < 0.85:
            kind, where = "select all", ""
        elif t.name in ("found", "sai"):
            kind = "select " + ("sai" if t.name == "sai" else "index")
            pick = [f"v = {self.v.of('int')}", f"w = {self.v.text()}", f"st CONTAINS {self.v.of('text' if t.name == 'sai' else 'int')}"]
            pick += [f"v > {self.v.int()}", f"v >= {self.v.int()} AND x < {self.v.double()}", f"x <= {self.v.double()}", f"v = {self.v.int()} AND w = {self.v.text()}",
                     f"k = {self.v.small()} AND v < {self.v.int()}"] if t.name == "sai" else [
                     f"m CONTAINS KEY {self.v.text()}", f"m[{self.v.text()}] = {self.v.of('int')}", f"fl = {self.v.of('list<int>')}", f"c = {self.v.small()}", f"s = {self.v.of('int')}",
                     f"k = {self.v.small()} AND v = {self.v.of('int')}", f"v = {self.v.of('int')} AND c > {self.v.small()}"]
            where = r.choice(pick)
        else:
            kind = "select filter"
            n = r.choice(list(t.all))
            k = t.all[n]
            if k.startswith(("list<", "set<")): where = f"{n} CONTAINS {self.v.of(k[k.index('<') + 1:-1], 1)}"
            elif k.startswith("map<"): where = f"{n} CONTAINS {r.choice(['KEY ' + self.v.of(split_types(k[4:-1])[0], 1), self.v.of(split_types(k[4:-1])[1], 1)])}"
            else: where = f"{n} {r.choice(['=', '=', '<', '>', '<=', '>='])} {self.value(k)}"
            tail += " ALLOW FILTERING" if r.random() < 0.85 else ""
        if r.random() < 0.08:
            kind, what = "select distinct", "DISTINCT " + ", ".join(list(t.partition) + ([r.choice(list(t.statics))] if t.statics and r.random() < 0.5 else []))
        elif r.random() < 0.12:
            kind, what = "select aggregate", self.aggregate(t)
            if r.random() < 0.5:
                keys = list(t.partition) + list(t.clustering)
                n = r.randrange(len(keys)) + 1
                kind, what = "select group", ", ".join(keys[:n]) + ", " + what
                tail = f" GROUP BY {', '.join(keys[:n])}" + tail
        elif r.random() < 0.08:
            kind, what = "select json", "JSON " + (what if what != "*" else "*")
        order = ""
        if t.clustering and r.random() < 0.15 and kind in ("select row", "select partition", "select slice", "select in"):
            names = list(t.clustering)[:1 + r.randrange(len(t.clustering))]
            way = r.choice(["ASC", "DESC"])
            order = " ORDER BY " + ", ".join(f"{n} {way if r.random() < 0.9 else 'ASC'}" for n in names)
        group = ""
        m = re.match(r" GROUP BY [^A]*?(?= ALLOW|$)", tail)
        if m:
            group, tail = m.group(0), tail[m.end():]
        limits = (f" PER PARTITION LIMIT {1 + r.randrange(3)}" if r.random() < 0.08 else "") + (f" LIMIT {1 + r.randrange(5)}" if r.random() < 0.15 else "")
        text = f"SELECT {what} FROM {t.name}" + (f" WHERE {where}" if where else "") + group + order + limits + tail
        return kind, text

    def batch(self):
        r, made = self.r, []
        counter = r.random() < 0.1
        while len(made) < 1 + r.randrange(4):
            kind, text = r.choice([self.insert, self.update, self.delete])()
            if ("counts" in text) == counter or r.random() < 0.02:
                made.append(text)
            elif counter:
                kind, text = self.update()
                if "counts" in text: made.append(text)
                elif r.random() < 0.3: break
        head = "BEGIN COUNTER BATCH" if counter else r.choice(["BEGIN BATCH", "BEGIN UNLOGGED BATCH", f"BEGIN BATCH USING TIMESTAMP {r.randrange(1000, 1040)}"])
        return "batch", f"{head} {'; '.join(made)}; APPLY BATCH"

    def mistake(self):
        """A statement with something wrong: a word gone, a name that is not there, a type that does not fit."""
        r = self.r
        kind, text = r.choice([self.insert, self.update, self.delete, self.select])()
        words = text.split(" ")
        at = r.randrange(len(words))
        roll = r.random()
        if roll < 0.25: del words[at]
        elif roll < 0.45: words[at] = "nothing"
        elif roll < 0.6: words.insert(at, words[r.randrange(len(words))])
        elif roll < 0.75: words[at] = "'text'"
        elif roll < 0.85: words[at] = "12345"
        else: words[at] = "?"
        return "mistake", " ".join(words)

    DDL = ["ALTER TABLE plain ADD y{n} int", "ALTER TABLE plain DROP y{n}", "ALTER TABLE plain ADD v text", "ALTER TABLE plain DROP k", "ALTER TABLE plain DROP nothing",
           "ALTER TABLE wide RENAME v TO vv{n}", "ALTER TABLE wide RENAME nothing TO a", "ALTER TABLE counts ADD t text", "CREATE TABLE plain (k int PRIMARY KEY)", "CREATE TABLE t{n} (k int)",
           "CREATE TABLE IF NOT EXISTS t{n} (k int PRIMARY KEY, v counter, w int)", "CREATE TABLE t{n} (k list<int> PRIMARY KEY)",
           "CREATE TABLE t{n} (k int, c set<int>, PRIMARY KEY (k, c))", "CREATE TABLE t{n} (k duration PRIMARY KEY)", "CREATE TABLE t{n} (k int PRIMARY KEY, v nothing)",
           "CREATE TABLE t{n} (k int PRIMARY KEY, v list<list<int>>)", "CREATE TABLE t{n} (k int, c int, s int static, PRIMARY KEY (k)) ",
           "CREATE TABLE t{n} (k int PRIMARY KEY) WITH nothing = 1", "CREATE TABLE t{n} (k int PRIMARY KEY) WITH gc_grace_seconds = 'x'",
           "CREATE TABLE t{n} (k int PRIMARY KEY) WITH compaction = {{'class': 'Nothing'}}", "CREATE TABLE t{n} (k int, c int, PRIMARY KEY (k, c)) WITH CLUSTERING ORDER BY (k DESC)",
           "CREATE TABLE t{n} (k int, k int, PRIMARY KEY (k))", "CREATE TABLE t{n} (k int, PRIMARY KEY (k, j))", "CREATE TABLE nowhere.t (k int PRIMARY KEY)",
           "DROP TABLE nothing", "DROP TABLE IF EXISTS nothing", "DROP KEYSPACE nothing", "CREATE KEYSPACE diff WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}}",
           "CREATE KEYSPACE x{n}", "CREATE KEYSPACE x{n} WITH replication = {{'class': 'Nothing'}}", "CREATE KEYSPACE x{n} WITH replication = {{'class': 'SimpleStrategy'}}",
           "CREATE TYPE address (a int)", "CREATE TYPE IF NOT EXISTS address (a int)", "DROP TYPE address", "DROP TYPE nothing", "ALTER TYPE address ADD street text",
           "CREATE TYPE u{n} (a int, a int)", "CREATE TYPE u{n} (a nothing)", "CREATE INDEX ON plain (k)", "CREATE INDEX ON plain (nothing)", "CREATE INDEX found_w ON found (w)",
           "CREATE INDEX IF NOT EXISTS found_w ON found (w)", "CREATE INDEX ON rich (fl)", "CREATE INDEX ON rich (u)", "CREATE INDEX ON counts (n)", "DROP INDEX nothing",
           "TRUNCATE nothing", "TRUNCATE aging", "USE nothing", "CREATE MATERIALIZED VIEW", "SELECT * FROM nothing", "SELECT * FROM nowhere.t", "SELECT nothing FROM plain",
           "SELECT nothing(k) FROM plain", "SELECT blobAsInt(k) FROM plain", "GRANT SELECT ON plain TO nobody", "LIST ROLES", "DESCRIBE TABLE diff.nothing"]

    def schema(self):
        return "schema", self.r.choice(self.DDL).format(n=self.r.randrange(4))

    def next(self):
        roll = self.r.random()
        if roll < 0.25: return self.insert()
        if roll < 0.38: return self.update()
        if roll < 0.46: return self.delete()
        if roll < 0.50: return self.batch()
        if roll < 0.93: return self.select()
        if roll < 0.985: return self.mistake()
        return self.schema()


# --- running and comparing -------------------------------------------------------------------------

def plain(v):
    """Values that compare by what they are: NaN equals NaN, 1.0 is not 1.00, a set keeps its order."""
    if isinstance(v, float):
        return repr(v)
    if isinstance(v, (list, tuple)):
        return [plain(x) for x in v]
    if hasattr(v, "items"):
        return [(plain(k), plain(x)) for k, x in v.items()]
    if type(v).__name__ in ("SortedSet", "set", "frozenset"):
        return [plain(x) for x in v]
    return (type(v).__name__, str(v))


def words_of(error):
    text = getattr(error, "message", None) or str(error)
    m = re.search(r'message="(.*)"', str(error), re.S)
    text = m.group(1) if m else text
    return re.sub(r"\s+", " ", str(text))


def without_times(name, x):
    """Write times and what is left of a TTL differ; that there is one must not."""
    if name.startswith(("writetime(", "ttl(")):
        return x is not None and x > 1_000_000 or plain(x)
    return plain(re.sub(r"((?:writetime|ttl)\([^:]*): \d{6,}", r"\1: then", x) if name == "[json]" and x else x)


def run(session, text, fetch):
    statement = SimpleStatement(text, fetch_size=fetch)
    try:
        result = session.execute(statement)
        names = list(result.column_names or [])
        types = [t.cql_parameterized_type() for t in (result.column_types or [])]
        rows = [[without_times(n, x) for n, x in zip(names, row)] for row in result]
        warnings = list(result.response_future.warnings or [])
        return ("rows", names, types, rows, warnings)
    except Exception as e:
        code = re.search(r"code=(\w+)", str(e))
        kind = type(e).__name__
        return ("error", kind, code.group(1) if code else "", words_of(e))


LEGACY = "'org.apache.cassandra.db.marshal.LegacyTimeUUIDType'"


def timeuuids(answer):
    """5.0.5 tells some timeuuids (of min and max) as a custom type, which drivers leave as bytes: the bytes count."""
    _, names, types, rows, warnings = answer
    for i, t in enumerate(types):
        if t == LEGACY:
            types = types[:i] + ["timeuuid"] + types[i + 1:]
            rows = [row[:i] + [("UUID", str(uuid.UUID(bytes=ast.literal_eval(row[i][1])))) if row[i][0] == "bytes" else row[i]] + row[i + 1:] for row in rows]
    return "rows", names, types, rows, warnings


def same(a, b):
    if b[0] == "error" and b[2] in ("1300", "0000"):  # Cassandra's own: an exception inside it
        return None
    if b[0] == "error" and b[3] == "Invalid value for the paging state" and a[0] == "rows":
        return None  # its own state, refused by itself: pages of GROUP BY without clustering columns
    if a[0] != b[0]:
        return "one answers, the other refuses"
    if "NoHostAvailable" in (a[1], b[1]):
        return None if a[1] == b[1] else "one closes the connection"
    if a[0] == "error":
        if a[1:3] != b[1:3]: return "error's code"
        if a[3] != b[3] and "SyntaxException" not in a[1] and "0000" != a[2] and "line " not in b[3]: return "error's words"
        return None
    a, b = timeuuids(a), timeuuids(b)
    for i, what in ((1, "columns' names"), (2, "columns' types")):
        if a[i] != b[i]: return what
    if a[3] != b[3]:
        return "rows' order" if sorted(map(repr, a[3])) == sorted(map(repr, b[3])) else "rows"
    if a[4] != b[4]: return "warnings"
    return None


class Counters:
    """A counter that was deleted alone stays deleted, whatever is added. That a deletion of its partition or of a range
    ends this is true in Cassandra after a flush only: its memtable forgets no tombstone. So these are not asked."""

    def __init__(self):
        self.alone = set()

    def undecided(self, text):
        for one in text.split(";"):
            what = re.search(r"DELETE (?:(\w+) )?FROM counts WHERE k = (-?\d+)(.*)", one)
            if what and what.group(1):
                self.alone.add(what.group(2))
            elif what and what.group(2) in self.alone and not re.match(r" AND c (=|IN) ", what.group(3)):
                return True
        return False


def again(cluster, address, protocol):
    cluster.shutdown()
    cluster, session = connect(address, protocol)
    session.execute("USE diff")
    return cluster, session


def main():
    ours, real, seed, count = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    protocol = int(sys.argv[5]) if len(sys.argv) > 5 else 4
    (ca, a), (cb, b) = connect(ours, protocol), connect(real, protocol)
    setup = [f"DROP KEYSPACE IF EXISTS x{n}" for n in range(4)] + ["DROP KEYSPACE IF EXISTS diff", "CREATE KEYSPACE diff WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}", "USE diff",
             "CREATE TYPE address (street text, number int, tags frozen<set<text>>)"] + [t.create() for t in TABLES] + INDEXES
    for text in setup:
        for s in (a, b):
            s.execute(text, timeout=60)
    make = Maker(seed)
    kinds, differences, refused = collections.Counter(), collections.Counter(), collections.Counter()
    reasons, last = collections.Counter(), ""
    shown, counters = 0, Counters()
    for number in range(count):
        kind, text = make.next()
        fetch = make.r.choice([5000, 5000, 1, 2, 3])
        if counters.undecided(text):
            kinds["(not asked)"] += 1
            continue
        ra, rb = run(a, text, fetch), run(b, text, fetch)
        if "NoHostAvailable" in (ra[1], rb[1]):  # the statement before made the driver close the connection: this one again
            print(f"#{number} {kind}: the connection is gone\n  {last}\n  {text}", flush=True)
            if ra[1] == "NoHostAvailable":
                ca, a = again(ca, ours, protocol)
                ra = run(a, text, fetch)
            if rb[1] == "NoHostAvailable":
                cb, b = again(cb, real, protocol)
                rb = run(b, text, fetch)
        last = text
        kinds[kind] += 1
        if rb[0] == "error": reasons[(kind.split()[0], re.sub(r"[0-9]+|'[^']*'", "#", rb[3])[:110])] += 1
        refused[kind] += rb[0] == "error"
        why = same(ra, rb)
        if why:
            differences[f"{kind}: {why}"] += 1
            if shown < SHOWN:
                shown += 1
                print(f"#{number} {kind}: {why} (fetch {fetch})\n  {text}\n  ours: {str(ra)[:700]}\n  real: {str(rb)[:700]}", flush=True)
    for t in TABLES:  # whatever the statements have left must be the same
        ra, rb = run(a, f"SELECT * FROM {t.name}", 100), run(b, f"SELECT * FROM {t.name}", 100)
        kinds["whole table"] += 1
        if same(ra, rb):
            differences[f"whole table {t.name}: {same(ra, rb)}"] += 1
    print("kind                 statements  of them refused")
    for kind, n in sorted(kinds.items()):
        print(f"{kind:<20} {n:>10} {refused[kind]:>16}")
    for (kind, words), n in reasons.most_common(int(sys.argv[6]) if len(sys.argv) > 6 else 0):
        print(f"  refused {n:>6} {kind}: {words}")
    print(f"seed {seed}: {sum(kinds.values())} statements, {sum(differences.values())} differences")
    for what, n in differences.most_common():
        print(f"  {n:>6} {what}")
    ca.shutdown(), cb.shutdown()
    sys.exit(1 if differences else 0)


if __name__ == "__main__":
    main()
