"""wire/kafka against Kafka itself: every field of our tables against the definitions inside Kafka's jars,
and frames of random content, of ours through Kafka's generated classes and of theirs through our codec.

The jars come from Maven Central, once, into ~/.cache/sluice-peers/kafka. Kafka 4.1 is the measure; for
versions that it no longer has, Kafka 3.9.
"""
import copy
import json
import os
import pathlib
import random
import re
import subprocess
import zipfile

from harness import Failed, SLUICE, check

JARS = ["org.apache.kafka:kafka-clients", "org.apache.kafka:kafka-group-coordinator", "org.apache.kafka:kafka-transaction-coordinator"]
KAFKAS = ["4.1.0", "3.9.1"]
SLF4J = "org.slf4j:slf4j-api:1.7.36"
PLACE = pathlib.Path(os.environ.get("SLUICE_PEERS", pathlib.Path.home() / ".cache" / "sluice-peers")) / "kafka"
BUILD = pathlib.Path(SLUICE).parent
HERE = pathlib.Path(__file__).parent
NEVER = 32767

# Where we begin later than Kafka 3.9: record batches of format 2 came with these versions.
BEGINS = {"Produce": 3, "Fetch": 4}
# Kafka 4 counts the versions of these keys from 0, and keeps the number that stands in front apart.
KEYS = {"OffsetCommitKey": (0, 1), "GroupMetadataKey": (2, 2)}
FORMER = {"ListConfigResources": "ListClientMetricsResources"}


def jar(name):
    group, artifact, version = name.split(":")
    path = PLACE / f"{artifact}-{version}.jar"
    if not path.exists():
        r = subprocess.run(["mvn", "-q", "-B", "org.apache.maven.plugins:maven-dependency-plugin:3.6.0:copy", f"-Dartifact={name}", f"-DoutputDirectory={PLACE}"],
                           capture_output=True, text=True)
        if r.returncode or not path.exists():
            raise Failed(f"{name} can not be fetched: {r.stdout[-2000:]}{r.stderr[-2000:]}")
    return path


def jars(kafka):
    return [jar(f"{j}:{kafka}") for j in JARS]


def built():
    r = subprocess.run(["ninja", "-C", BUILD, "tests/kafka_tables"], capture_output=True, text=True)
    check(r.returncode == 0, r.stdout[-4000:])
    return BUILD / "tests" / "kafka_tables"


def ours(*args, stdin=None):
    r = subprocess.run([built(), *args], capture_output=True, text=True, input=stdin)
    check(r.returncode == 0, r.stderr)
    return r.stdout


def java(kafka, *args, stdin=""):
    path = ":".join(str(j) for j in [*jars(kafka), jar(SLF4J)])
    r = subprocess.run(["java", "-cp", path, HERE / "KafkaWire.java", *args], capture_output=True, text=True, input=stdin)
    check(r.returncode == 0, r.stderr[-4000:])
    return r.stdout


# --- the definitions, read as Kafka's generator reads them -------------------------------------------

def definitions(kafka):
    found = {}
    for path in jars(kafka):
        with zipfile.ZipFile(path) as z:
            for name in z.namelist():
                if re.fullmatch(r"common/message/\w+\.json", name):
                    text = z.read(name).decode("utf-8")
                    text = re.sub(r"^\s*//.*$", "", text, flags=re.M)
                    text = re.sub(r'(?<=[,\]}{"])\s*//.*$', "", text, flags=re.M)
                    one = json.loads(text)
                    found[one["name"]] = one
    return found


def span(text):
    """'3-5' -> (3, 5), '3+' -> (3, NEVER), 'none' -> nothing at all"""
    if text in (None, "none"):
        return NEVER + 1, NEVER
    low, _, high = text.partition("-")
    if text.endswith("+"):
        return int(text[:-1]), NEVER
    return int(low), int(high or low)


def within(version, text):
    low, high = span(text)
    return low <= version <= high


def snake(name):
    return re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name)).lower()


SIMPLE = {"bool", "int8", "int16", "uint16", "int32", "uint32", "int64", "float64", "uuid", "string", "bytes", "records"}


def preset(field, kind):
    said = field.get("default")
    if said == "null":
        return None
    if kind == "bool":
        return int(str(said).lower() == "true")
    if kind in SIMPLE - {"string", "bytes", "records", "uuid"}:
        return int(float(said)) if kind == "float64" and said else int(str(said or 0), 0)
    check(said in (None, ""), f"a default that we have no word for: {field}")
    return 0


def kafkas(definition, fields, version, newer=()):
    """The fields of a version, in their order. What a field means where a version lacks it (ignorable) is
    Kafka 4's to say, for it may have come to lack it."""
    newer = {f["name"]: f for f in newer}
    structs = {s["name"]: s["fields"] for s in definition.get("commonStructs", [])}
    out = []
    for f in fields:
        if not within(version, f.get("versions") or f["taggedVersions"]):
            continue
        now = newer.get(f["name"], f)
        many, kind = f["type"].startswith("[]"), f["type"].removeprefix("[]")
        one = {"name": snake(f["name"]), "type": f"[{kind}]" if many and kind in SIMPLE else kind if kind in SIMPLE else "[struct]" if many else "struct",
               "nullable": within(version, f.get("nullableVersions")), "ignorable": bool(now.get("ignorable")),
               "tag": f["tag"] if "tag" in f and within(version, f["taggedVersions"]) else -1,
               "preset": preset(f, None if many else kind), "never_compact": f.get("flexibleVersions") == "none"}
        if kind not in SIMPLE:
            one["fields"] = kafkas(definition, f.get("fields") or structs[kind], version, now.get("fields", ()))
        out.append(one)
    return out


def tables(fields, version):
    out = []
    for f in fields:
        if not f["first"] <= version <= f["last"]:
            continue
        kind = {"list": f"[{f.get('element')}]", "array": "[struct]", "pointer": "struct"}.get(f["type"], f["type"])
        nullable = 0 <= f["nullable"] <= version
        if f["type"] in ("struct", "pointer"):
            check(nullable == (f["type"] == "pointer"), f"{f['name']}: a struct that may be null is a pointer")
        one = {"name": f["name"], "type": kind, "nullable": nullable, "ignorable": f["ignorable"], "tag": f["tag"],
               "preset": None if f["null_preset"] else f["preset"], "never_compact": f["never_compact"]}
        if "fields" in f:
            one["fields"] = tables(f["fields"], version)
        out.append(one)
    return out


def differences(message, newest, oldest):
    """What our table of a message says otherwise than Kafka's definitions, a line each."""
    name, found = message["name"], []
    api = re.sub(r"(Request|Response)$", "", name) if message["key"] >= 0 else None
    new = newest.get(name)
    old = oldest.get(name) or oldest.get(name.replace(api, FORMER.get(api, "")) if api else "")
    if new is None:
        return [f"{name}: Kafka has no such message"]
    first, last = span((old or new)["validVersions"])[0], span(new["validVersions"])[1]
    request = newest.get(f"{api}Request", {})
    if request.get("latestVersionUnstable"):
        last -= 1
    if api:
        first = max(first, BEGINS.get(api, 0))
        if new.get("apiKey") != message["key"]:
            found.append(f"{name}: key {message['key']}, Kafka {new.get('apiKey')}")
    if name == "RequestHeader":
        first = 1  # 0 belongs to ControlledShutdown alone
    if name in KEYS:
        first, last = KEYS[name]
    flexible = min(span(new.get("flexibleVersions"))[0], NEVER)
    for what, mine, theirs in (("first", message["first"], first), ("last", message["last"], last), ("flexible", message["flexible"], flexible)):
        if mine != theirs:
            found.append(f"{name}: {what} version {mine}, Kafka {theirs}")
    for version in range(message["first"], message["last"] + 1):
        mine = tables(message["fields"], version)
        if name in KEYS:
            theirs = kafkas(new, new["fields"], 0)
        elif within(version, new["validVersions"]):
            theirs = kafkas(new, new["fields"], version)
        elif old and within(version, old["validVersions"]):
            theirs = kafkas(old, old["fields"], version, new["fields"])
        else:
            found.append(f"{name} v{version}: no Kafka has it")
            continue
        if mine != theirs:
            found.append(f"{name} v{version}:\n  ours   {mine}\n  Kafka's {theirs}")
    return found


def test_every_field_of_every_version_is_as_kafka_defines_it():
    said, newest, oldest = json.loads(ours("tables")), *map(definitions, KAFKAS)
    found = [line for m in said["messages"] for line in differences(m, newest, oldest)]
    check(not found, "\n".join(found[:20]))
    check(len(said["messages"]) >= 116, f"{len(said['messages'])} messages")
    by_name = {m["name"]: m for m in said["messages"]}
    for api in said["apis"]:
        for kind in ("Request", "Response"):
            m = by_name[api["name"] + kind]
            check((m["first"], m["last"], m["flexible"], m["key"]) == (api["first"], api["last"], api["flexible"], api["key"]), api["name"])
        check(api["said_first"] == (0 if api["name"] == "Produce" else api["first"]), f"{api['name']}: what ApiVersions says")


def every_field(fields, version):
    for f in fields:
        if f["first"] <= version <= f["last"]:
            yield f
            yield from every_field(f.get("fields", []), version)


def bend(m, f, kind):
    """Makes that mistake in a field that the last version has; answers whether it is one."""
    before = json.dumps(m)
    if kind == "versions":
        f["last"] = m["last"] - 1
    elif kind == "flexible":
        m["flexible"] += 1
    elif kind == "type":
        wrong = {"int32": "int64", "int16": "int32", "int64": "int32", "string": "bytes", "bytes": "string", "bool": "int8"}
        f["type"] = wrong.get(f["type"], f["type"])
    elif kind == "nullable" and f["type"] not in ("struct", "pointer"):
        f["nullable"] = -1 if f["nullable"] >= 0 else 0
    elif kind == "tag":
        f["tag"] += 1
    elif kind == "preset" and not f["null_preset"]:
        f["preset"] += 1
    elif kind == "ignorable":
        f["ignorable"] = not f["ignorable"]
    elif kind == "name":
        f["name"] += "s"
    elif kind == "order":
        m["fields"].reverse()
    now = list(every_field(m["fields"], m["last"]))
    return json.dumps(m) != before and (kind != "order" or len([g for g in now if g in m["fields"]]) > 1)


def test_a_mistake_in_kafkas_tables_is_seen():
    """40 of each kind: all have to be found."""
    said, newest, oldest = json.loads(ours("tables")), *map(definitions, KAFKAS)
    rng = random.Random(4)
    for kind in ("versions", "flexible", "type", "nullable", "tag", "preset", "ignorable", "name", "order"):
        tried = 0
        while tried < 40:
            m = copy.deepcopy(rng.choice(said["messages"]))
            if bend(m, f := rng.choice(list(every_field(m["fields"], m["last"]))), kind):
                tried += 1
                check(differences(m, newest, oldest), f"a wrong {kind} of {f['name']} in {m['name']} is not seen")


def lines(text):
    return [tuple(line.split(" ", 2)) for line in text.splitlines()]


def test_kafkas_own_classes_read_and_write_our_frames():
    known = set()
    for seed in range(3):
        made = ours("make", str(seed * 1000))
        for kafka in KAFKAS:
            for mine, theirs in zip(lines(made), lines(java(kafka, "again", stdin=made)), strict=True):
                if theirs[2:] == ("unknown",):
                    continue
                known.add(mine[:2])
                check(mine == theirs, f"Kafka {kafka} makes of\n{mine}\nthis:\n{theirs}")
        missing = {m[:2] for m in lines(made)} - known
        check(not missing, f"no Kafka has read {sorted(missing)}")


def test_our_codec_reads_and_writes_kafkas_frames():
    wanted = "".join(f"{m[0]} {m[1]}\n" for m in lines(ours("make", "1")))
    known = set()
    for seed in range(3):
        for kafka in KAFKAS:
            made = [m for m in lines(java(kafka, "make", str(seed), stdin=wanted)) if m[2:] != ("unknown",)]
            check(not [m for m in made if m[2].startswith("refused")], f"Kafka makes no {[m for m in made if m[2].startswith('refused')][:3]}")
            back = lines(ours("again", stdin="".join(" ".join(m) + "\n" for m in made)))
            for theirs, mine in zip(made, back, strict=True):
                known.add(theirs[:2])
                check(mine == theirs, f"of Kafka {kafka}'s\n{theirs}\nwe make:\n{mine}")
    check(len(known) == len(wanted.splitlines()), "a version that no Kafka makes")


def test_the_errors_are_kafkas():
    theirs = {}
    for line in java(KAFKAS[0], "errors").splitlines():
        code, name, retriable, text = line.split("\t")
        theirs[int(code)] = {"code": int(code), "name": name, "text": text, "retriable": retriable == "true"}
    mine = {e["code"]: e for e in json.loads(ours("tables"))["errors"]}
    check(mine == theirs, f"{[(mine.get(c), theirs.get(c)) for c in mine.keys() | theirs.keys() if mine.get(c) != theirs.get(c)]}")
