"""cql_words.py WORDS OURS [REAL]: every word of CQL's grammar (WORDS: src/sql/cql/words.def) and every native type's
name as a table, a column, an alias, a marker, a user type, a field and a function, without quotes, by the Python
driver. What comes back - rows, names, errors by code and words, what DESCRIBE writes - is the same from a real
Cassandra; a word that is not reserved is a name wherever Cassandra says so.
"""
import re
import sys

from cassandra.cluster import Cluster, ExecutionProfile, EXEC_PROFILE_DEFAULT
from cassandra.policies import RoundRobinPolicy
from cassandra.query import tuple_factory

STATEMENTS = """
CREATE TABLE {w} (k int PRIMARY KEY, {w} int, m map<int, int>)
INSERT INTO {w} (k, {w}) VALUES (1, 5)
PREPARE INSERT INTO {w} (k, {w}) VALUES (:k, :{w})
UPDATE {w} SET {w} = 6, m[1] = 2 WHERE k = 1 IF {w} = 5
SELECT {w}, {w} AS {w}, writetime(m) FROM w_none WHERE {w} = 1
SELECT {w}, k + {w} AS {w} FROM {w} WHERE k = 1
SELECT JSON {w} FROM {w}
SELECT DISTINCT {w} FROM {w}
SELECT {w}(k) FROM {w}
SELECT k FROM {w} WHERE k = {w}(1)
SELECT {w} FROM {w} WHERE {w} > 5 ALLOW FILTERING
DELETE {w} FROM {w} WHERE k = 1
DESCRIBE TABLE {w}
DESCRIBE {w}
CREATE TYPE {w} ({w} int)
ALTER TABLE {w} ADD u_{w} {w}
ALTER TABLE {w} ADD f_{w} frozen<{w}>
INSERT INTO {w} (k, f_{w}) VALUES (3, {{{w}: 4}})
SELECT f_{w}.{w} FROM {w} WHERE k = 3
ALTER TABLE {w} DROP {w}
DROP TABLE {w}
DROP TYPE {w}
""".strip().splitlines()


def words(path):
    rows = re.findall(r"^CQL_WORD\((\w+), \w+, (\w+)\)", open(path).read(), re.M)
    if len(rows) < 150:
        raise SystemExit(f"{path} holds {len(rows)} words")
    return rows


def connect(address):
    host, port = address.rsplit(":", 1)
    profile = ExecutionProfile(load_balancing_policy=RoundRobinPolicy(), row_factory=tuple_factory, request_timeout=60)
    cluster = Cluster([host], port=int(port), protocol_version=5, execution_profiles={EXEC_PROFILE_DEFAULT: profile},
                      schema_metadata_enabled=False, token_metadata_enabled=False, connect_timeout=30, control_connection_timeout=30)
    session = cluster.connect()
    session.execute("DROP KEYSPACE IF EXISTS words")
    session.execute("CREATE KEYSPACE words WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
    session.set_keyspace("words")
    return cluster, session


def answer(session, statement):
    """What came back, without what differs by time and place."""
    try:
        if statement.startswith("PREPARE "):
            prepared = session.prepare(statement[8:])
            names = [c.name for c in prepared.column_metadata]
            session.execute(prepared, [2] * len(names))
            return names
        result = session.execute(statement)
    except Exception as e:
        return str(e)
    rows = [r for r in result if r[0] != "topics"]  # DESCRIBE KEYSPACES: ours alone, the Kafka side's topics as tables
    if statement.startswith("DESCRIBE"):  # the table's own part: options and their defaults are the differential test's
        return [(r[1], r[2], r[3].split(") WITH")[0]) for r in rows if r[1] == "table"] if rows and len(rows[0]) > 3 else rows
    return result.column_names, rows


def main():
    all_words = words(sys.argv[1])
    clusters = [connect(a) for a in sys.argv[2:4]]
    different, failed, asked = [], [], 0
    for word, use in all_words:
        for line in STATEMENTS:
            statement = line.format(w=word.lower())
            seen = [answer(session, statement) for _, session in clusters]
            asked += 1
            if len(seen) == 2 and seen[0] != seen[1]:
                different.append((statement, seen))
            plain = line.startswith(("CREATE TABLE", "INSERT INTO {w} (k, {w})", "PREPARE", "UPDATE", "DELETE", "DROP TABLE"))
            good = not isinstance(seen[0], str)
            if plain and good == (use == "RESERVED"):
                failed.append((statement, use, seen[0]))
    for statement, seen in different[:60]:
        print(f"--- {statement}\n  ours: {seen[0]}\n  real: {seen[1]}")
    for statement, use, seen in failed[:60]:
        print(f"!!! {statement} ({use}): {seen}")
    print(f"{len(all_words)} words ({sum(u == 'RESERVED' for _, u in all_words)} reserved), {asked} statements, "
          f"{'compared with a real Cassandra' if len(clusters) == 2 else 'by ourselves'}: {len(different)} differ, {len(failed)} are not as the grammar says")
    for cluster, _ in clusters:
        cluster.shutdown()
    return 1 if different or failed else 0


sys.exit(main())
