"""Random bounded SELECTs, answered by us and by SQLite over the same small tables: the same rows.

The generator is typed (whole numbers and text) and keeps to what both mean alike: no division, no ties where an
order decides, NULLS FIRST or LAST always written. A query that we refuse by name is counted, and few may be.
"""
import json
import math
import os
import random
import sqlite3

from harness import Failed, check, folder, project, run

QUERIES = int(os.environ.get("SLUICE_QUERIES", "400"))
SEED = int(os.environ.get("SLUICE_SEED", "7"))
TABLES = {"a": 23, "b": 17, "c": 9}
INT, TEXT = "int", "text"
COLUMNS = [("id", INT), ("g", INT), ("n", INT), ("s", TEXT)]
WORDS = ["", "a", "A", "ab", "b", "zz", "Z", "x y", "ü", "%"]


def quoted(text):
    return "'" + text.replace("'", "''") + "'"


class Maker:
    def __init__(self, seed):
        self.r = random.Random(seed)
        self.named = 0
        self.ours = {}  # what SQLite says otherwise: a marker, and our words

    def chance(self, p):
        return self.r.random() < p

    def name(self, prefix):
        self.named += 1
        return f"{prefix}{self.named}"

    def column(self, scope, kind):
        found = [c for c, k in scope if k == kind]
        return self.r.choice(found) if found else None

    # --- expressions

    def number(self, scope, depth=2):
        r = self.r
        pick = r.randrange(9) if depth else r.randrange(3)
        c = self.column(scope, INT)
        if pick < 2 and c:
            return c
        if pick < 3:
            return str(r.randrange(0, 12))
        sub = lambda: self.number(scope, depth - 1)
        if pick == 3:
            return f"({sub()} {r.choice(['+', '-', '*'])} {sub()})"
        if pick == 4:
            return f"coalesce({sub()}, {sub()})"
        if pick == 5:
            return f"nullif({sub()}, {sub()})"
        if pick == 6:
            return f"CASE WHEN {self.condition(scope, depth - 1)} THEN {sub()} ELSE {sub()} END"
        if pick == 7:
            return f"length({self.text(scope, depth - 1)})"
        return f"abs({sub()})"

    def text(self, scope, depth=2):
        r = self.r
        pick = r.randrange(6) if depth else r.randrange(3)
        c = self.column(scope, TEXT)
        if pick < 2 and c:
            return c
        if pick < 3:
            return quoted(r.choice(WORDS))
        sub = lambda: self.text(scope, depth - 1)
        if pick == 3:
            return f"({sub()} || {sub()})"
        if pick == 4:
            return f"coalesce({sub()}, {sub()})"
        return f"CASE WHEN {self.condition(scope, depth - 1)} THEN {sub()} ELSE {sub()} END"

    def value(self, scope, kind, depth=2):
        return self.number(scope, depth) if kind == INT else self.text(scope, depth)

    def condition(self, scope, depth=2):
        r = self.r
        kind = r.choice([INT, INT, TEXT])
        pick = r.randrange(9) if depth else r.randrange(4)
        v = lambda: self.value(scope, kind, max(depth - 1, 0))
        if pick < 3:
            return f"{v()} {r.choice(['=', '<>', '<', '<=', '>', '>='])} {v()}"
        if pick == 3:
            return f"{v()} IS {r.choice(['', 'NOT '])}NULL"
        if pick == 4:
            return f"{v()} {r.choice(['', 'NOT '])}BETWEEN {v()} AND {v()}"
        if pick == 5:
            constant = lambda: str(r.randrange(12)) if kind == INT else quoted(r.choice(WORDS))
            return f"{v()} {r.choice(['', 'NOT '])}IN ({', '.join(constant() for _ in range(r.randrange(1, 4)))})"
        if pick == 6:
            return f"NOT ({self.condition(scope, depth - 1)})"
        return f"({self.condition(scope, depth - 1)} {r.choice(['AND', 'OR'])} {self.condition(scope, depth - 1)})"

    # --- FROM

    def source(self, depth):
        """Text and its columns."""
        alias = self.name("t")
        if depth and self.chance(0.3):
            text, columns = self.select(depth - 1)
            return f"({text}) AS {alias}", [(f"{alias}.{c}", k) for c, k in columns]
        return f"ks.{self.r.choice(list(TABLES))} AS {alias}", [(f"{alias}.{c}", k) for c, k in COLUMNS]

    def on(self, left, right):
        kind = INT if self.column(left, INT) and self.column(right, INT) else TEXT
        x, y = self.column(left, kind), self.column(right, kind)
        parts = [f"{x} = {y}"] if x and y else []
        if not parts or self.chance(0.3):
            parts.append(self.condition(left + right, 1))
        self.r.shuffle(parts)
        return " AND ".join(parts)

    def joined(self, depth, kinds=("JOIN", "JOIN", "LEFT JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "CROSS JOIN", "SEMI", "ANTI")):
        text, scope = self.source(depth)
        for at in range(self.r.choice([0, 0, 1, 1, 1, 2])):
            other, more = self.source(depth)
            # RIGHT and FULL come first: behind a JOIN ON a constant that is false SQLite 3.40 answers nothing at all
            kind = self.r.choice([k for k in kinds if at == 0 or k not in ("RIGHT JOIN", "FULL JOIN")])
            if kind == "CROSS JOIN":
                text += f" CROSS JOIN {other}"
                scope = scope + more
            elif kind in ("SEMI", "ANTI"):
                return self.half_joined(text, scope, kind, other, more)
            else:
                text += f" {kind} {other} ON {self.on(scope, more)}"
                scope = scope + more
        return text, scope, None

    def half_joined(self, text, scope, kind, other, more):
        """SQLite has no semi join: EXISTS in WHERE there."""
        on = self.on(scope, more)
        marker = f"/*{self.name('h')}*/"
        not_ = "NOT " if kind == "ANTI" else ""
        self.ours[marker] = f" LEFT {kind} JOIN {other} ON {on}"
        return text + marker, scope, f"{marker}{not_}EXISTS (SELECT 1 FROM {other} WHERE {on}){marker}"

    # --- SELECT

    def order(self, columns):
        return ", ".join(f"{c}{self.r.choice(['', ' DESC'])} NULLS {self.r.choice(['FIRST', 'LAST'])}" for c in columns)

    def where(self, scope, exists, chance=0.5):
        parts = ([exists] if exists else []) + ([self.condition(scope)] if self.chance(chance) else [])
        return " WHERE " + " AND ".join(f"({p})" if p != exists else p for p in parts) if parts else ""

    def named_list(self, values):
        columns = [(self.name("c"), k) for _, k in values]
        return ", ".join(f"{v} AS {c}" for (v, _), (c, _) in zip(values, columns)), columns

    def select(self, depth):
        pick = self.r.randrange(10)
        if pick < 4:
            return self.plain(depth)
        if pick < 6:
            return self.grouped(depth)
        if pick < 8:
            return self.windowed(depth)
        if pick == 8:
            return self.top(depth)
        return self.union(depth)

    def plain(self, depth):
        text, scope, exists = self.joined(depth)
        kinds = [self.r.choice([INT, TEXT]) for _ in range(self.r.randrange(1, 4))]
        items, columns = self.named_list([(self.value(scope, k), k) for k in kinds])
        distinct = "DISTINCT " if self.chance(0.25) else ""
        sql = f"SELECT {distinct}{items} FROM {text}{self.where(scope, exists)}"
        if self.chance(0.4):
            sql += f" ORDER BY {self.order([c for c, _ in columns])}"
            if self.chance(0.7):
                sql += f" LIMIT {self.r.randrange(0, 9)}"
                if self.chance(0.5):
                    sql += f" OFFSET {self.r.randrange(0, 6)}"
        return sql, columns

    def aggregate(self, scope):
        r = self.r
        kind = r.choice([INT, INT, TEXT])
        pick = r.randrange(6)
        x = self.value(scope, kind, 1)
        number = self.number(scope, 1)
        call, of = [("count(*)", INT), (f"count({x})", INT), (f"count(DISTINCT {x})", INT), (f"sum({number})", INT),
                    (f"min({x})", kind), (f"max({x})", kind)][pick]
        if self.chance(0.25):
            call += f" FILTER (WHERE {self.condition(scope, 1)})"
        return call, of

    def grouped(self, depth):
        text, scope, exists = self.joined(depth)
        keys = [(self.value(scope, k, 1), k) for k in [self.r.choice([INT, TEXT]) for _ in range(self.r.randrange(0, 3))]]
        keys = [(v, k) for v, k in keys if "." in v]  # a constant as key is a place in SQLite
        values = keys + [self.aggregate(scope) for _ in range(self.r.randrange(1, 4))]
        items, columns = self.named_list(values)
        sql = f"SELECT {items} FROM {text}{self.where(scope, exists)}"
        if keys:
            sql += " GROUP BY " + ", ".join(v for v, _ in keys)
            if self.chance(0.3):
                sql += f" HAVING {self.r.choice(['count(*) > 1', 'count(*) < 3', 'min(' + keys[0][0] + ') IS NOT NULL'])}"
        return sql, columns

    def frame(self):
        r = self.r
        if self.chance(0.3):
            return r.choice(["", " RANGE BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING", " RANGE BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING",
                             " RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW"])
        places = ["UNBOUNDED PRECEDING", "3 PRECEDING", "1 PRECEDING", "CURRENT ROW", "1 FOLLOWING", "2 FOLLOWING", "UNBOUNDED FOLLOWING"]
        low, high = sorted((r.randrange(7), r.randrange(7)))
        return f" ROWS BETWEEN {places[min(low, 5)]} AND {places[max(high, 1)]}"

    def windowed(self, depth):
        """Over one table or sub-select, by an order that leaves no ties."""
        alias = self.name("t")
        scope = [(f"{alias}.{c}", k) for c, k in COLUMNS]
        text = f"ks.{self.r.choice(list(TABLES))} AS {alias}"
        ident = f"{alias}.id"
        values = [(ident, INT)]
        for _ in range(self.r.randrange(1, 4)):
            values.append(self.window_call(scope, ident))
        items, columns = self.named_list(values)
        return f"SELECT {items} FROM {text}{self.where(scope, None, 0.4)}", columns

    def window_call(self, scope, ident):
        r = self.r
        some = [c for c, _ in scope]
        part = f"PARTITION BY {self.value(scope, r.choice([INT, TEXT]), 1)} " if self.chance(0.7) else ""
        ties = self.order(r.sample(some[1:], r.randrange(1, 3)))
        total = ties + f", {ident}"
        kind = r.choice([INT, TEXT])
        x = self.value(scope, kind, 1)
        pick = r.randrange(8)
        if pick == 0:
            return f"{r.choice(['rank', 'dense_rank'])}() OVER ({part}ORDER BY {ties})", INT
        if pick == 1:
            return f"{r.choice(['percent_rank', 'cume_dist'])}() OVER ({part}ORDER BY {ties})", INT
        if pick == 2:
            return f"{r.choice(['row_number()', 'ntile(3)', 'ntile(50)'])} OVER ({part}ORDER BY {total})", INT
        if pick == 3:
            more = r.choice(["", ", 2", f", 1, {self.value(scope, kind, 0)}"])
            return f"{r.choice(['lag', 'lead'])}({x}{more}) OVER ({part}ORDER BY {total})", kind
        if pick == 4:
            call = r.choice([f"first_value({x})", f"last_value({x})", f"nth_value({x}, 2)"])
            return f"{call} OVER ({part}ORDER BY {total}{self.frame()})", kind
        if pick == 5:
            return f"{r.choice(['count(*)', f'sum({self.number(scope, 1)})'])} OVER ({part}ORDER BY {ties})", INT
        number = self.number(scope, 1)
        call, of = r.choice([("count(*)", INT), (f"count({x})", INT), (f"sum({number})", INT), (f"min({x})", kind), (f"max({x})", kind)])
        frame = self.frame()
        exact = not call.startswith(("min", "max")) or "UNBOUNDED PRECEDING" in frame  # SQLite's max(6) FILTER forgets the FILTER
        if self.chance(0.3) and exact:
            call += f" FILTER (WHERE {self.condition(scope, 1)})"
        return f"{call} OVER ({part}ORDER BY {total}{frame})", of

    def top(self, depth):
        inner, outer = self.name("t"), self.name("t")
        scope = [(f"{inner}.{c}", k) for c, k in COLUMNS]
        function = self.r.choice(["row_number", "rank", "dense_rank"])
        ties = self.order([self.r.choice([f"{inner}.n", f"{inner}.s", f"{inner}.g"])])
        order = ties + (f", {inner}.id" if function == "row_number" else "")
        told = f", {outer}.k AS {self.name('c')}" if self.chance(0.5) else ""
        sql = (f"SELECT {outer}.id AS {self.name('c')}{told} FROM (SELECT {inner}.id AS id, {function}() OVER (PARTITION BY "
               f"{self.value(scope, self.r.choice([INT, TEXT]), 1)} ORDER BY {order}) AS k FROM ks.{self.r.choice(list(TABLES))} AS {inner}"
               f"{self.where(scope, None)}) AS {outer} WHERE {outer}.k <= {self.r.randrange(1, 4)}")
        names = [w.split(" ")[0].rstrip(",") for w in sql.split(" AS c")[1:]]
        return sql, [(f"c{n}", INT) for n in names]

    def union(self, depth):
        kinds = [self.r.choice([INT, TEXT]) for _ in range(self.r.randrange(1, 3))]
        names = [self.name("c") for _ in kinds]
        parts = []
        for _ in range(2):
            # no RIGHT or FULL JOIN: SQLite 3.40 forgets WHERE beside them, in a sub-select with UNION ALL
            text, scope, exists = self.joined(depth, ("JOIN", "LEFT JOIN", "CROSS JOIN", "SEMI", "ANTI"))
            items = ", ".join(f"{self.value(scope, k)} AS {n}" for k, n in zip(kinds, names))
            parts.append(f"SELECT {items} FROM {text}{self.where(scope, exists)}")
        return " UNION ALL ".join(parts), list(zip(names, kinds))

    def query(self):
        self.named = 0
        self.ours = {}
        sql, columns = self.select(2)
        ours, theirs = sql, sql
        for marker, words in reversed(self.ours.items()):
            ours = self.our_way(ours, marker, words)
        for marker in self.ours:
            theirs = theirs.replace(marker, "")
        return ours, theirs, [c for c, _ in columns]

    @staticmethod
    def our_way(sql, marker, words):
        """The first marker becomes the join; what stands between the second and the third is dropped from WHERE."""
        before, middle, _, after = sql.split(marker)
        return before + words + middle + "true" + after


def rows_made(seed):
    r = random.Random(seed)
    maybe = lambda v: None if r.random() < 0.2 else v
    return {t: [(i, maybe(r.randrange(4)), maybe(r.randrange(-3, 9)), maybe(r.choice(WORDS))) for i in range(n)] for t, n in TABLES.items()}


def literal(v):
    return "null" if v is None else quoted(v) if isinstance(v, str) else str(v)


def sortable(row):
    return tuple((v is not None, isinstance(v, str), v if v is not None else 0) for v in row)


def same(x, y):
    if isinstance(x, float) or isinstance(y, float):
        return x is not None and y is not None and not isinstance(x, str) and not isinstance(y, str) and math.isclose(x, y, rel_tol=1e-9, abs_tol=1e-12)
    return x == y


def ask_ours(where, statements):
    """Answers a list: a statement's rows, or the words of its refusal. One process takes many; an error ends it."""
    answers = []
    while len(answers) < len(statements):
        first = len(answers)
        text = "".join(f"{s};\nSELECT {first + i} AS marker_;\n" for i, s in enumerate(statements[first:]))
        r = run("query", "--json", "--project", where, stdin=text, timeout=300)
        rows = []
        for line in r.stdout.splitlines():
            row = json.loads(line)
            if "marker_" in row:
                answers.append(rows)
                rows = []
            else:
                rows.append(row)
        if r.returncode == 0:
            break
        words = [line for line in r.stderr.splitlines() if line.startswith(("error", "  at", "  because", "  hint"))]
        check(words, f"no word of why: {r.stderr[-2000:]}")
        answers.append("\n".join(words))
    check(len(answers) == len(statements), f"{len(answers)} answers to {len(statements)} statements")
    return answers


def fill(where, data):
    db = sqlite3.connect(":memory:")
    db.execute("ATTACH ':memory:' AS ks")
    made = ["CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}"]
    for t, rows in data.items():
        db.execute(f"CREATE TABLE ks.{t} (id INTEGER PRIMARY KEY, g INTEGER, n INTEGER, s TEXT)")
        db.executemany(f"INSERT INTO ks.{t} VALUES (?, ?, ?, ?)", rows)
        made.append(f"CREATE TABLE ks.{t} (id BIGINT PRIMARY KEY, g BIGINT, n BIGINT, s TEXT)")
        made += [f"INSERT INTO ks.{t} (id, g, n, s) VALUES ({', '.join(map(literal, row))})" for row in rows]
    refused = [a for a in ask_ours(where, made) if isinstance(a, str)]
    check(not refused, f"the tables can not be made: {refused[:1]}")
    return db


def test_generated_queries_answer_as_sqlite_does():
    maker = Maker(SEED)
    queries = [maker.query() for _ in range(QUERIES)]
    with folder() as where:
        project(where, "")
        db = fill(where, rows_made(SEED))
        answers = ask_ours(where, [ours for ours, _, _ in queries])
    refused, different, rows_seen = [], [], 0
    for (ours, theirs, names), answer in zip(queries, answers):
        want = [tuple(r) for r in db.execute(theirs)]
        rows_seen += len(want)
        if isinstance(answer, str):
            refused.append(f"{ours}\n{answer}")
            continue
        got = [tuple(row.get(n, "no such column") for n in names) for row in answer]
        x, y = sorted(got, key=sortable), sorted(want, key=sortable)
        ordered = " ORDER BY " in ours.rsplit(")", 1)[-1]
        if ordered:
            x, y = got, want
        if len(x) != len(y) or not all(len(r) == len(q) and all(map(same, r, q)) for r, q in zip(x, y)):
            different.append(f"{ours}\nSQLite: {theirs}\n got  {x[:8]} ({len(x)})\n want {y[:8]} ({len(y)})")
    if different or len(refused) > QUERIES // 50:
        raise Failed(f"seed {SEED}: {len(different)} answers differ, {len(refused)} refused\n" + "\n\n".join((different + refused)[:6]))
    check(rows_seen > QUERIES, f"only {rows_seen} rows were compared")
