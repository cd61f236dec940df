"""The Python driver against a CQL server: each case is what its own users do."""
import datetime
import decimal
import threading
import time
import uuid

from cassandra import AlreadyExists, ConsistencyLevel, InvalidRequest, ProtocolVersion, util
from cassandra.cluster import NoHostAvailable
from cassandra.concurrent import execute_concurrent_with_args
from cassandra.query import BatchStatement, BatchType, SimpleStatement, UNSET_VALUE, dict_factory, named_tuple_factory, ordered_dict_factory
from cql_kit import PROTOCOL, cluster, connect
from kit import check, main, refused, same, wait_for


def case_connects_and_reads_the_whole_schema():
    c, s, ks = connect()
    s.execute("CREATE TYPE address (street text, zip frozen<list<int>>)")
    s.execute("CREATE TABLE people (id int, at timestamp, a frozen<address>, tags set<text>, s int static, n text, PRIMARY KEY ((id), at)) "
              "WITH CLUSTERING ORDER BY (at DESC) AND comment = 'who' AND gc_grace_seconds = 100")
    s.execute("CREATE INDEX by_name ON people (n)")
    c.refresh_schema_metadata()
    meta = c.metadata.keyspaces[ks]
    table = meta.tables["people"]
    same("columns", sorted(table.columns), ["a", "at", "id", "n", "s", "tags"])
    same("key", ([x.name for x in table.partition_key], [x.name for x in table.clustering_key]), (["id"], ["at"]))
    same("type", table.columns["a"].cql_type, "frozen<address>")
    check(table.columns["s"].is_static, "s is static")
    same("index", [(n, i.kind, i.index_options["target"]) for n, i in table.indexes.items()], [("by_name", "COMPOSITES", "n")])
    text = table.export_as_string()
    check("CLUSTERING ORDER BY (at DESC)" in text and "comment = 'who'" in text and "gc_grace_seconds = 100" in text, text)
    check("CREATE TYPE" in meta.user_types["address"].as_cql_query(), "the type")
    host = c.metadata.all_hosts()[0]
    check(host.release_version and host.datacenter and host.rack and c.metadata.token_map, "the node's own row")
    check(c.metadata.get_replicas(ks, b"\x00\x00\x00\x01"), "replicas of a key")
    for system in ("system", "system_schema", "system_auth", "system_traces", "system_distributed"):
        check(system in c.metadata.keyspaces, f"keyspace {system}")


VALUES = [
    ("ascii", "abc", "abc"), ("text", "über 🐍", "über 🐍"), ("bigint", -2**63, -2**63), ("int", 2**31 - 1, 2**31 - 1), ("smallint", -32768, -32768),
    ("tinyint", -128, -128), ("varint", 2**100, 2**100), ("float", 1.5, 1.5), ("double", -0.1, -0.1), ("decimal", decimal.Decimal("-12.3400"), decimal.Decimal("-12.3400")),
    ("boolean", True, True), ("blob", b"\x00\xff", b"\x00\xff"), ("uuid", uuid.UUID(int=5), uuid.UUID(int=5)),
    ("timeuuid", uuid.UUID("50554d6e-29bb-11e5-b345-feff819cdc9f"), uuid.UUID("50554d6e-29bb-11e5-b345-feff819cdc9f")),
    ("timestamp", datetime.datetime(2015, 5, 3, 13, 30, 54, 234000), datetime.datetime(2015, 5, 3, 13, 30, 54, 234000)),
    ("date", util.Date("2015-05-03"), util.Date("2015-05-03")), ("time", util.Time("08:12:54.123456789"), util.Time("08:12:54.123456789")),
    ("inet", "2001:db8::1", "2001:db8::1"), ("list<int>", [1, 2, 2], [1, 2, 2]), ("set<text>", {"b", "a"}, util.SortedSet(["a", "b"])),
    ("map<text, int>", {"x": 1}, {"x": 1}), ("frozen<map<int, frozen<set<text>>>>", {1: {"a"}}, {1: util.SortedSet(["a"])}),
    ("tuple<int, text, double>", (1, "a", None), (1, "a", None)),
] + ([("duration", util.Duration(1, 2, 3), util.Duration(1, 2, 3))] if PROTOCOL >= 4 else [])


def case_every_type_goes_in_and_comes_out():
    c, s, ks = connect()
    for i, (cql, value, expected) in enumerate(VALUES):
        s.execute(f"CREATE TABLE t{i} (k int PRIMARY KEY, v {cql})")
        put, get = s.prepare(f"INSERT INTO t{i} (k, v) VALUES (?, ?)"), s.prepare(f"SELECT v FROM t{i} WHERE k = ?")
        s.execute(put, (1, value))
        s.execute(put, (2, None))
        same(cql, s.execute(get, (1,)).one().v, expected)
        same(f"{cql}, null", s.execute(get, (2,)).one().v or None, None)
        same(f"{cql} in a simple statement", s.execute(f"SELECT v FROM t{i} WHERE k = %s", (1,)).one().v, expected)


def case_unset_and_named_values():
    c, s, ks = connect()
    s.execute("CREATE TABLE t (k int PRIMARY KEY, a int, b int)")
    put = s.prepare("INSERT INTO t (k, a, b) VALUES (:k, :a, :b)")
    s.execute(put, {"k": 1, "a": 2, "b": 3})
    if PROTOCOL >= 4:
        s.execute(put, {"k": 1, "a": UNSET_VALUE, "b": 4})
        s.execute(put, (1, 5))  # the last is left out: unset
        same("unset leaves what is there", list(s.execute("SELECT k, a, b FROM t")), [(1, 5, 4)])
    s.execute(put, {"k": 1, "a": None, "b": 4})
    same("null deletes", list(s.execute("SELECT a, b FROM t")), [(None, 4)])
    same("a simple statement by names", list(s.execute("SELECT b FROM t WHERE k = %(k)s", {"k": 1})), [(4,)])


def case_pages():
    c, s, ks = connect()
    s.execute("CREATE TABLE t (k int, c int, v text, PRIMARY KEY (k, c))")
    put = s.prepare("INSERT INTO t (k, c, v) VALUES (?, ?, ?)")
    execute_concurrent_with_args(s, put, [(k, i, "x" * 10) for k in range(5) for i in range(300)], concurrency=50)
    for fetch in (1, 7, 100, 299, 300, 301, 5000):
        if fetch > 1:
            rows = list(s.execute(SimpleStatement("SELECT k, c FROM t", fetch_size=fetch)))
            same(f"pages of {fetch}", (len(rows), len(set(rows))), (1500, 1500))
            same(f"their order, {fetch}", [r.c for r in rows if r.k == 3], list(range(300)))
        rows = [r.c for r in s.execute(SimpleStatement("SELECT c FROM t WHERE k = 2 ORDER BY c DESC", fetch_size=fetch))]
        same(f"backwards in pages of {fetch}", rows, list(range(299, -1, -1)))
    page = s.execute(SimpleStatement("SELECT c FROM t WHERE k = 1", fetch_size=100))
    state = page.paging_state
    check(page.has_more_pages and state, "there is more")
    again = s.execute(SimpleStatement("SELECT c FROM t WHERE k = 1", fetch_size=100), paging_state=state)
    same("from a kept state", again.current_rows[0].c, 100)
    refused("a state that is none", "paging state", lambda: s.execute(SimpleStatement("SELECT c FROM t WHERE k = 1", fetch_size=100), paging_state=b"nonsense"))


def case_ten_thousand_at_once():
    c, s, ks = connect()
    s.execute("CREATE TABLE t (k int PRIMARY KEY, v text)")
    put, get = s.prepare("INSERT INTO t (k, v) VALUES (?, ?)"), s.prepare("SELECT v FROM t WHERE k = ?")
    results = execute_concurrent_with_args(s, put, [(i, str(i)) for i in range(10000)], concurrency=1000)
    check(all(ok for ok, _ in results), "all writes")
    results = execute_concurrent_with_args(s, get, [(i,) for i in range(10000)], concurrency=1000)
    same("all reads", [r.one().v for ok, r in results], [str(i) for i in range(10000)])
    same("counted", s.execute("SELECT count(*) FROM t").one()[0], 10000)


def case_batches():
    c, s, ks = connect()
    s.execute("CREATE TABLE t (k int, c int, v int, PRIMARY KEY (k, c))")
    s.execute("CREATE TABLE n (k int PRIMARY KEY, n counter)")
    put = s.prepare("INSERT INTO t (k, c, v) VALUES (?, ?, ?)")
    for kind in (BatchType.LOGGED, BatchType.UNLOGGED):
        b = BatchStatement(batch_type=kind)
        for i in range(20):
            b.add(put, (1, i, i))
        b.add("DELETE FROM t WHERE k = 1 AND c = 100")
        b.add(SimpleStatement("UPDATE t SET v = %s WHERE k = 2 AND c = 0"), (5,))
        s.execute(b)
    same("rows", s.execute("SELECT count(*) FROM t").one()[0], 21)
    b = BatchStatement(batch_type=BatchType.COUNTER)
    for _ in range(3):
        b.add("UPDATE n SET n = n + 2 WHERE k = 1")
    s.execute(b)
    same("counter", s.execute("SELECT n FROM n WHERE k = 1").one().n, 6)
    b = BatchStatement()
    b.add("INSERT INTO t (k, c, v) VALUES (3, 1, 1) IF NOT EXISTS")
    b.add("INSERT INTO t (k, c, v) VALUES (3, 2, 1) IF NOT EXISTS")
    check(s.execute(b).was_applied, "applied")
    check(not s.execute(b).was_applied, "not applied again")
    refused("counters with others", "counter", lambda: s.execute("BEGIN BATCH UPDATE n SET n = n + 1 WHERE k = 1; INSERT INTO t (k, c) VALUES (1, 1); APPLY BATCH"))


def case_conditions():
    c, s, ks = connect()
    s.execute("CREATE TABLE t (k int PRIMARY KEY, v int, w text)")
    r = s.execute("INSERT INTO t (k, v) VALUES (1, 1) IF NOT EXISTS")
    same("inserted", (r.column_names, list(r)), (["[applied]"], [(True,)]))
    r = s.execute("INSERT INTO t (k, v) VALUES (1, 2) IF NOT EXISTS")
    same("there is one", (r.column_names, list(r)), (["[applied]", "k", "v", "w"], [(False, 1, 1, None)]))
    r = s.execute("UPDATE t SET v = 3 WHERE k = 1 IF v = 2")
    same("not two", (r.column_names, list(r)), (["[applied]", "v"], [(False, 1)]))
    check(s.execute("UPDATE t SET v = 3 WHERE k = 1 IF v = 1").was_applied, "one")
    check(not s.execute("DELETE FROM t WHERE k = 9 IF EXISTS").was_applied, "nobody")
    check(s.execute("DELETE FROM t WHERE k = 1 IF v IN (3, 4)").was_applied, "gone")
    prepared = s.prepare("UPDATE t SET v = ? WHERE k = ? IF v = ?")
    s.execute("INSERT INTO t (k, v) VALUES (2, 0)")
    won = []

    def race(n):
        for i in range(20):
            while True:
                now = s.execute("SELECT v FROM t WHERE k = 2").one().v
                if s.execute(prepared, (now + 1, 2, now)).was_applied:
                    won.append(n)
                    break
    threads = [threading.Thread(target=race, args=(n,)) for n in range(4)]
    [t.start() for t in threads], [t.join() for t in threads]
    same("every success counted once", s.execute("SELECT v FROM t WHERE k = 2").one().v, 80)


def case_prepared_statements_survive_changes_of_the_schema():
    c, s, ks = connect()
    s.execute("CREATE TABLE t (k int PRIMARY KEY, a int)")
    s.execute("INSERT INTO t (k, a) VALUES (1, 2)")
    every, put = s.prepare("SELECT * FROM t WHERE k = ?"), s.prepare("INSERT INTO t (k, a) VALUES (?, ?)")
    same("before", list(s.execute(every, (1,))), [(1, 2)])
    s.execute("ALTER TABLE t ADD b text")
    s.execute("UPDATE t SET b = 'new' WHERE k = 1")
    s.execute(put, (2, 3))
    if PROTOCOL >= 5:
        same("the new column comes", list(s.execute(every, (1,))), [(1, 2, "new")])
    else:
        check(len(list(s.execute(every, (1,)))) == 1, "the statement still runs")
    s.execute("DROP TABLE t")
    refused("the table is gone", "", lambda: s.execute(put, (1, 1)))


def case_events_of_the_schema():
    c, s, ks = connect()
    other = cluster()
    watching = other.connect()
    seen = []
    other.control_connection._connection.register_watchers({"SCHEMA_CHANGE": lambda e: seen.append(e)})
    s.execute("CREATE TABLE t (k int PRIMARY KEY)")
    s.execute("CREATE TYPE u (a int)")
    s.execute("ALTER TABLE t ADD v int")
    s.execute("DROP TABLE t")
    s.execute(f"DROP KEYSPACE {ks}")
    kinds = lambda: [(e["change_type"], e["target_type"]) for e in list(seen) if e["keyspace"] == ks]
    wait_for("the keyspace's end", lambda: ("DROPPED", "KEYSPACE") in kinds())
    same("events", kinds()[:4], [("CREATED", "TABLE"), ("CREATED", "TYPE"), ("UPDATED", "TABLE"), ("DROPPED", "TABLE")])
    wait_for("the other client's picture", lambda: ks not in other.metadata.keyspaces)


def case_errors_have_their_classes():
    c, s, ks = connect()
    s.execute("CREATE TABLE t (k int PRIMARY KEY, v int)")
    refused("syntax", "SyntaxException", lambda: s.execute("SELEC * FROM t"))
    refused("no table", "InvalidRequest", lambda: s.execute("SELECT * FROM nothing"))
    e = refused("there already", "AlreadyExists", lambda: s.execute("CREATE TABLE t (k int PRIMARY KEY)"))
    same("which", (e.keyspace, e.table), (ks, "t"))
    e = refused("a keyspace", "AlreadyExists", lambda: s.execute(f"CREATE KEYSPACE {ks} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}}"))
    same("which keyspace", (e.keyspace, e.table or None), (ks, None))
    refused("configuration", "ConfigurationException", lambda: s.execute("CREATE KEYSPACE x WITH replication = {'class': 'Nothing'}"))
    refused("filtering", "ALLOW FILTERING", lambda: s.execute("SELECT * FROM t WHERE v = 1"))
    refused("too few values", "", lambda: s.execute("INSERT INTO t (k, v) VALUES (?, ?)"))


def case_tracing():
    c, s, ks = connect()
    s.execute("CREATE TABLE t (k int PRIMARY KEY, v int)")
    result = s.execute("SELECT * FROM t WHERE k = 1", trace=True)
    trace = result.get_query_trace(max_wait_sec=10)
    check(trace.events and trace.coordinator and trace.duration is not None, f"{trace}")
    check("SELECT" in str(trace.parameters), f"{trace.parameters}")


def case_user_types():
    c, s, ks = connect()
    s.execute("CREATE TYPE phone (country int, number text)")
    s.execute("CREATE TYPE person (name text, phones list<frozen<phone>>)")
    s.execute("CREATE TABLE t (k int PRIMARY KEY, p frozen<person>, m map<text, frozen<phone>>, u phone)")

    class Phone:
        def __init__(self, country, number):
            self.country, self.number = country, number
    c.register_user_type(ks, "phone", Phone)
    put = s.prepare("INSERT INTO t (k, p, m, u) VALUES (?, ?, ?, ?)")
    s.execute(put, (1, ("ada", [Phone(44, "1"), Phone(49, "2")]), {"home": Phone(1, "3")}, Phone(7, "8")))
    row = s.execute("SELECT p, m, u, u.number FROM t WHERE k = 1").one()
    same("inside", (row.p.name, [(x.country, x.number) for x in row.p.phones], row.m["home"].number, row.u.country, row[3]), ("ada", [(44, "1"), (49, "2")], "3", 7, "8"))
    s.execute("UPDATE t SET u.number = '9' WHERE k = 1")
    same("one field", s.execute("SELECT u FROM t WHERE k = 1").one().u.number, "9")
    s.execute("ALTER TYPE phone ADD area text")
    same("a new field is null", s.execute("SELECT u.area FROM t WHERE k = 1").one()[0], None)


def case_compression():
    for kind in ("lz4", "snappy") if PROTOCOL < 5 else ("lz4",):
        c, s, ks = connect(compression=kind)
        s.execute("CREATE TABLE t (k int PRIMARY KEY, v text)")
        big = "ab" * 500000
        s.execute("INSERT INTO t (k, v) VALUES (1, %s)", (big,))
        same(f"{kind}", s.execute("SELECT v FROM t WHERE k = 1").one().v, big)
        same("agreed upon", c.control_connection._connection._compression_type, kind)
        c.shutdown()


def case_timestamps_of_the_client():
    c, s, ks = connect()
    s.execute("CREATE TABLE t (k int PRIMARY KEY, v int)")
    before = int(time.time() * 1e6)
    s.execute("INSERT INTO t (k, v) VALUES (1, 1)")
    at = s.execute("SELECT writetime(v) FROM t").one()[0]
    check(abs(at - before) < 5_000_000, f"{at} is not now")
    s.execute("INSERT INTO t (k, v) VALUES (1, 2) USING TIMESTAMP 5")
    same("an older write loses", s.execute("SELECT v FROM t").one().v, 1)


def case_ttl():
    c, s, ks = connect()
    s.execute("CREATE TABLE t (k int PRIMARY KEY, v int, w int) WITH default_time_to_live = 1000")
    s.execute("INSERT INTO t (k, v) VALUES (1, 1)")
    s.execute("UPDATE t USING TTL 1 SET w = 2 WHERE k = 1")
    left = s.execute("SELECT ttl(v), w FROM t").one()
    check(990 <= left[0] <= 1000 and left[1] == 2, f"{left}")
    wait_for("w to end", lambda: s.execute("SELECT w FROM t").one().w is None, 5)
    s.execute("INSERT INTO t (k, v) VALUES (2, 1) USING TTL 1")
    wait_for("the row to end", lambda: not list(s.execute("SELECT * FROM t WHERE k = 2")), 5)


def case_indexes():
    c, s, ks = connect()
    s.execute("CREATE TABLE t (k int, c int, v int, tags set<text>, PRIMARY KEY (k, c))")
    s.execute("INSERT INTO t (k, c, v, tags) VALUES (0, 0, 7, {'old'})")
    s.execute("CREATE INDEX ON t (v)")
    s.execute("CREATE INDEX ON t (tags)")
    put = s.prepare("INSERT INTO t (k, c, v, tags) VALUES (?, ?, ?, ?)")
    execute_concurrent_with_args(s, put, [(k, i, i % 10, {f"t{i % 3}"}) for k in range(20) for i in range(20)])
    wait_for("the index to be filled", lambda: len(list(s.execute("SELECT * FROM t WHERE v = 7"))) == 40, 20)
    same("changed rows leave it", (s.execute("UPDATE t SET v = 100 WHERE k = 3 AND c = 7"), len(list(s.execute("SELECT * FROM t WHERE v = 7"))))[1], 39)
    same("paged", len(list(s.execute(SimpleStatement("SELECT * FROM t WHERE tags CONTAINS 't1'", fetch_size=13)))), 20 * 7)
    s.execute("CREATE TABLE a (k int PRIMARY KEY, n int, w text)")
    s.execute("CREATE INDEX ON a (n) USING 'sai'")
    s.execute("CREATE INDEX ON a (w) USING 'sai'")
    put = s.prepare("INSERT INTO a (k, n, w) VALUES (?, ?, ?)")
    execute_concurrent_with_args(s, put, [(i, i, "even" if i % 2 == 0 else "odd") for i in range(200)])
    same("a range and another", sorted(r.k for r in s.execute("SELECT k FROM a WHERE n >= 10 AND n < 20 AND w = 'odd'")), [11, 13, 15, 17, 19])


def case_the_object_mapper():
    from cassandra.cqlengine import columns, connection
    from cassandra.cqlengine.management import sync_table, drop_table
    from cassandra.cqlengine.models import Model
    c, s, ks = connect()

    class Person(Model):
        __keyspace__ = ks
        id = columns.UUID(primary_key=True, default=uuid.uuid4)
        at = columns.DateTime(primary_key=True, clustering_order="DESC")
        name = columns.Text(index=True)
        tags = columns.Set(columns.Text)
        n = columns.Integer(static=True)
    connection.set_session(s)
    sync_table(Person)
    sync_table(Person)
    someone = Person.create(id=uuid.UUID(int=1), at=datetime.datetime(2020, 1, 1), name="ada", tags={"x"}, n=1)
    Person.create(id=uuid.UUID(int=1), at=datetime.datetime(2021, 1, 1), name="bob", n=2)
    same("order", [p.name for p in Person.objects(id=uuid.UUID(int=1))], ["bob", "ada"])
    someone.tags.add("y")
    someone.save()
    same("by the index", [sorted(p.tags) for p in Person.objects(name="ada")], [["x", "y"]])
    same("static", {p.n for p in Person.objects.all()}, {2})
    Person.objects(id=uuid.UUID(int=1), at=datetime.datetime(2021, 1, 1)).update(name="eve")
    same("updated", Person.objects(id=uuid.UUID(int=1)).first().name, "eve")
    someone.delete()
    same("deleted", Person.objects.count(), 1)
    drop_table(Person)


def case_row_factories_and_warnings():
    c, s, ks = connect()
    s.execute("CREATE TABLE t (k int PRIMARY KEY, v int)")
    s.execute("INSERT INTO t (k, v) VALUES (1, 2)")
    for factory, expected in ((dict_factory, [{"k": 1, "v": 2}]), (named_tuple_factory, [(1, 2)])):
        s.row_factory = factory
        same(factory.__name__, list(s.execute("SELECT * FROM t")), expected)
    if PROTOCOL >= 4:
        f = s.execute_async("SELECT sum(v) FROM t")
        f.result()
        check(any("Aggregation query used without partition key" in w for w in f.warnings or []), f"{f.warnings}")


def case_consistency_levels_are_taken():
    c, s, ks = connect()
    s.execute("CREATE TABLE t (k int PRIMARY KEY, v int)")
    for level in ("ONE", "QUORUM", "ALL", "LOCAL_QUORUM", "EACH_QUORUM", "LOCAL_ONE"):
        s.execute(SimpleStatement("INSERT INTO t (k, v) VALUES (1, 1)", consistency_level=getattr(ConsistencyLevel, level)))
        if level != "EACH_QUORUM":
            same(level, len(list(s.execute(SimpleStatement("SELECT * FROM t WHERE k = 1", consistency_level=getattr(ConsistencyLevel, level))))), 1)
    s.execute(SimpleStatement("INSERT INTO t (k, v) VALUES (1, 1)", consistency_level=ConsistencyLevel.ANY))
    refused("ANY is for writes", "ANY ConsistencyLevel is only supported for writes", lambda: s.execute(SimpleStatement("SELECT * FROM t WHERE k = 1", consistency_level=ConsistencyLevel.ANY)))


def case_the_newest_protocol_is_agreed_upon():
    from cassandra.cluster import Cluster
    from cql_kit import HOST, PORT
    c = Cluster([HOST], port=int(PORT))  # the driver starts with its newest and is talked down
    c.connect()
    same("protocol", c.protocol_version, 5)


main(globals())
