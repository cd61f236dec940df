"""The crash tests' streams with state, and what each must hold: computed here from the topics' records, every record
once, with nothing asked of the streams. A view, closed windows in a topic, a join in a topic, a top-n in a table."""
import datetime

GUESTS = 100
WINDOW_MS = 20
TABLES = "CREATE TABLE audit.eldest (nat TEXT, place BIGINT, id TEXT, age INT, PRIMARY KEY (nat, place));"
STREAMS = f"""
CREATE SOURCE guests FROM GENERATOR ''
  WITH (seed = 'audit', results = 5, total = {GUESTS}, key = 'login.uuid')
  INTO TOPIC guests WITH (partitions = 2);
CREATE TOPIC moments WITH (partitions = 2);
CREATE TOPIC met WITH (partitions = 2);
CREATE MATERIALIZED VIEW audit.nats AS
SELECT nat, count(*) AS n, sum(CAST(dob.age AS INT)) AS ages, min(CAST(dob.age AS INT)) AS youngest,
  max(CAST(dob.age AS INT)) AS oldest
FROM people GROUP BY nat;
CREATE STREAM moments INTO TOPIC moments WITH (idle = 'never') AS
SELECT window_start, gender, count(*) AS n, sum(CAST(dob.age AS INT)) AS ages
FROM TUMBLE(people, _timestamp, '{WINDOW_MS}ms') GROUP BY window_start, gender;
CREATE STREAM met INTO TOPIC met WITH (key = 'id') AS
SELECT p.login.uuid AS id, g.nat AS nat
FROM people p JOIN guests g ON CAST(p.login.uuid AS TEXT) = CAST(g.login.uuid AS TEXT);
CREATE STREAM top INTO audit.eldest AS
SELECT nat, place, id, age
FROM (SELECT CAST(nat AS TEXT) AS nat, CAST(login.uuid AS TEXT) AS id, CAST(dob.age AS INT) AS age,
        ROW_NUMBER() OVER (PARTITION BY CAST(nat AS TEXT)
                           ORDER BY CAST(dob.age AS INT) DESC, CAST(login.uuid AS TEXT)) AS place
      FROM people)
WHERE place <= 2;
"""
QUERIES = {
    "guests": "SELECT login.uuid AS id, nat FROM guests",
    "nats": "SELECT nat, n, ages, youngest, oldest FROM audit.nats",
    "moments": "SELECT window_start, gender, n, ages FROM moments",
    "met": "SELECT id, nat FROM met",
    "eldest": "SELECT nat, place, id, age FROM audit.eldest",
}
KEYS = {"guests": ["id"], "nats": ["nat"], "moments": ["window_start", "gender"], "met": ["id"], "eldest": ["nat", "place"]}
SUMS = {"nats": "ages", "moments": "ages", "eldest": "age"}


def millis(text):
    at = datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=datetime.timezone.utc)
    return round(at.timestamp() * 1000)


def iso(ms):
    return datetime.datetime.fromtimestamp(ms / 1000, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def grouped(records, key):
    groups = {}
    for r in records:
        groups.setdefault(key(r), []).append(r)
    return groups


def nats(people):
    out = []
    for nat, rs in grouped(people, lambda r: r["nat"]).items():
        ages = [r["age"] for r in rs]
        out.append({"nat": nat, "n": len(ages), "ages": sum(ages), "youngest": min(ages), "oldest": max(ages)})
    return out


def closed(people):
    """The records whose window the watermark has passed: the least over the partitions of the greatest time seen."""
    seen = grouped(people, lambda r: r["_partition"])
    watermark = min(max(millis(r["_timestamp"]) for r in rs) for rs in seen.values())
    return [r for r in people if millis(r["_timestamp"]) // WINDOW_MS * WINDOW_MS + WINDOW_MS <= watermark]


def moments(people):
    window = lambda r: (millis(r["_timestamp"]) // WINDOW_MS * WINDOW_MS, r["gender"])
    return [{"window_start": iso(start), "gender": gender, "n": len(rs), "ages": sum(r["age"] for r in rs)}
            for (start, gender), rs in grouped(closed(people), window).items()]


def met(people, guests):
    invited = {r["id"]: r["nat"] for r in guests}
    return [{"id": r["id"], "nat": invited[r["id"]]} for r in people if r["id"] in invited]


def eldest(people):
    out = []
    for nat, rs in grouped(people, lambda r: r["nat"]).items():
        rs.sort(key=lambda r: (-r["age"], r["id"]))
        out += [{"nat": nat, "place": i + 1, "id": r["id"], "age": r["age"]} for i, r in enumerate(rs[:2])]
    return out


def must_hold(got, guests):
    """What is in the topic `people` decides about times and partitions; who is there, an undisturbed run has said."""
    people = got["topic"]
    return {"guests": guests, "nats": nats(people), "moments": moments(people), "met": met(people, guests),
            "eldest": eldest(people)}


def ledgers(got, guests):
    """The ledger's terms that are the same whatever order the records came in."""
    people, matches = got["topic"], len(met(got["topic"], guests))
    done = len(closed(people))
    return {"guests": {"in": GUESTS, "applied": GUESTS}, "nats": {"in": len(people), "applied": len(people)},
            "moments": {"in": len(people), "applied": done, "held": len(people) - done, "late": 0},
            "met": {"in": len(people) + GUESTS, "applied": 2 * matches, "held": len(people) + GUESTS - 2 * matches},
            "top": {"in": len(people), "dead": 0, "held": 0}}
