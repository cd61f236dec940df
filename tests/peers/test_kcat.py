"""kcat asks the Kafka door for everything that its options can say."""
import hashlib
import json
import subprocess
import time

import engines
from engines import bootstrap, name, same, topic
from harness import Failed, check

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")


def kcat(*args, stdin=None, timeout=900):
    program = engines.package("kcat", "kcat")
    return engines.peer(f"kcat {' '.join(map(str, args))}", [program, "-b", bootstrap(), *args], stdin=stdin, timeout=timeout)


def produce(where, lines, *args):
    kcat("-P", "-t", where, "-K:", *args, stdin="".join(f"{line}\n" for line in lines))


def consume(where, *args, form="%k:%s\n", start="beginning"):
    return kcat("-C", "-q", "-e", "-t", where, "-o", start, "-f", form, *args).splitlines()


def test_kcat_lists_topics_and_partitions():
    where = topic("kcat-list", 3)
    text = kcat("-L")
    check(f'topic "{where}" with 3 partitions' in text, f"-L does not tell of {where} with 3 partitions:\n{text}")
    seen = json.loads(kcat("-L", "-J", "-t", where))
    same("-J -L: topics", [t["topic"] for t in seen["topics"]], [where])
    same("-J -L: partitions", [p["partition"] for p in seen["topics"][0]["partitions"]], [0, 1, 2])
    brokers = {b["id"]: b["name"] for b in seen["brokers"]}
    for p in seen["topics"][0]["partitions"]:
        same(f"leader of {p['partition']}", brokers.get(p["leader"]), bootstrap())
        same(f"in-sync replicas of {p['partition']}", [r["id"] for r in p["isrs"]], [p["leader"]])


def test_kcat_is_told_the_address_that_it_dialled():
    """One listener on every address of the machine, no setting: each client is led back to where it came in."""
    if engines.CHOICE:
        return  # real Kafka answers what its advertised.listeners says: it has nothing to show here
    broker = engines.SluiceServer(sets=("listen.address=0.0.0.0", "kafka.login=false"), closed=True)
    try:
        for host in ("127.0.0.1", "127.0.0.2", "127.5.6.7"):
            at = f"{host}:{broker.port}"
            text = engines.peer(f"kcat at {at}", [engines.package("kcat", "kcat"), "-b", at, "-L", "-J"], timeout=900)
            same(f"brokers told to {at}", [b["name"] for b in json.loads(text)["brokers"]], [at])
        at = f"localhost:{broker.port}"  # a name becomes the address that it stands for
        text = engines.peer(f"kcat at {at}", [engines.package("kcat", "kcat"), "-b", at, "-L", "-J"], timeout=900)
        same(f"brokers told to {at}", [b["name"] for b in json.loads(text)["brokers"]], [f"127.0.0.1:{broker.port}"])
    finally:
        broker.stop()


def test_kcat_produces_and_consumes_in_every_codec():
    for codec in CODECS:
        where = topic(f"kcat-{codec}", 1)
        before = int(time.time() * 1000)
        lines = [f"key{i}:value {i} of {codec} é" for i in range(200)]
        produce(where, lines, "-z", codec, "-H", "one=1", "-H", "zwei=ß")
        after = int(time.time() * 1000)
        seen = consume(where, form="%o|%p|%h|%T|%K|%S|%k:%s\n")
        same(f"{codec}: keys and values", [s.split("|", 6)[6] for s in seen], lines)
        same(f"{codec}: offsets", [int(s.split("|")[0]) for s in seen], list(range(200)))
        same(f"{codec}: headers", {s.split("|")[2] for s in seen}, {"one=1,zwei=ß"})
        times = [int(s.split("|")[3]) for s in seen]
        check(all(before <= t <= after for t in times), f"{codec}: times {min(times)}..{max(times)}, not within {before}..{after}")


def test_kcat_many_large_batches_in_every_codec():
    lines = [f"{i}:{hashlib.sha256(b'%d' % i).hexdigest() * (1 + i % 5)}" for i in range(20000)]
    for codec in CODECS:
        where = topic(f"kcat-many-{codec}", 1)
        produce(where, lines, "-z", codec)
        same(codec, consume(where), lines)


def test_kcat_null_keys_and_null_values():
    where = topic("kcat-null", 1)
    produce(where, ["a:1", "a:", ":3"], "-Z")
    same("sizes of keys and values, -1 for null", consume(where, form="%K %S\n"), ["1 1", "1 -1", "-1 1"])


def test_kcat_is_refused_a_record_without_a_key_in_a_compacted_topic():
    where = topic("kcat-keyless", 1, cleanup__policy="compact")
    try:
        produce(where, [":1"], "-Z")
    except Failed as refused:
        check("Broker failed to validate record" in str(refused), f"another refusal than Kafka's: {refused}")
    else:
        raise Failed("a record without a key was taken into a compacted topic")
    same("nothing of it is there", consume(where), [])


def test_kcat_starts_at_offsets_and_times():
    where = topic("kcat-offsets", 1)
    produce(where, [f"k:{i}" for i in range(10)])
    time.sleep(0.02)
    between = int(time.time() * 1000)
    time.sleep(0.02)
    produce(where, [f"k:{i}" for i in range(10, 20)])
    numbers = [f"k:{i}" for i in range(20)]
    same("-o 7", consume(where, start="7"), numbers[7:])
    same("-o -5", consume(where, start="-5"), numbers[-5:])
    same("-o s@time", consume(where, start=f"s@{between}"), numbers[10:])
    same("-o s@time -o e@time", consume(where, "-o", f"e@{between}", start="s@1"), numbers[:10])
    same("-o end", consume(where, start="end"), [])
    same("-c 3", consume(where, "-c", "3"), numbers[:3])


def test_kcat_waits_at_the_end_for_what_comes():
    where = topic("kcat-tail", 1)
    produce(where, ["k:old"])
    program = engines.package("kcat", "kcat")
    tail = subprocess.Popen([program, "-b", bootstrap(), "-C", "-u", "-t", where, "-o", "end", "-c", "2", "-f", "%s\n"],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        line = tail.stderr.readline()  # "% Reached end of topic": it stands there now
        check("Reached end" in line, f"kcat does not say that it reached the end: {line}")
        produce(where, ["k:new1", "k:new2"])
        same("what came after", tail.communicate(timeout=20)[0].splitlines(), ["new1", "new2"])
    finally:
        tail.kill()


def test_kcat_asks_for_offsets_by_time():
    where = topic("kcat-times", 2)
    produce(where, [f"k:{i}" for i in range(4)], "-p", "1")
    time.sleep(0.02)
    between = int(time.time() * 1000)
    time.sleep(0.02)
    produce(where, [f"k:{i}" for i in range(4)], "-p", "1")
    for when, expected in (("-2", 0), ("-1", 8), (between, 4), (1, 0), (between + 3_600_000, -1)):
        same(f"-Q {when}", kcat("-Q", "-t", f"{where}:1:{when}").strip(), f"{where} [1] offset {expected}")


def test_kcat_groups_go_on_where_they_committed():
    where, group = topic("kcat-group", 3), name("kcat-group")
    lines = [f"key{i}:{i}" for i in range(60)]
    produce(where, lines)
    common = ("-q", "-f", "%k:%s\n", "-X", "auto.offset.reset=earliest", "-X", "session.timeout.ms=6000", "-G", group, where)
    first = kcat("-c", "25", *common).splitlines()
    rest = kcat("-c", "35", *common).splitlines()
    same("each record once, by two members after each other", sorted(first + rest), sorted(lines))
    none = kcat("-e", *common).splitlines()
    same("what is left for a third", none, [])


def test_kcat_idempotent_producer():
    where = topic("kcat-idempotent", 1)
    lines = [f"k{i}:{i}" for i in range(5000)]
    produce(where, lines, "-X", "enable.idempotence=true", "-X", "linger.ms=2", "-X", "batch.num.messages=100")
    same("idempotent", consume(where), lines)


def test_kcat_transactional_producer():
    where = topic("kcat-txn", 2)
    lines = sorted(f"k{i}:{i}" for i in range(1000))
    for i in range(3):
        produce(where, lines, "-X", f"transactional.id={where}")
    same("three committed transactions", sorted(consume(where, "-X", "isolation.level=read_committed")), sorted(lines * 3))


def test_kcat_all_acknowledgements():
    where = topic("kcat-acks", 1)
    for acks in ("0", "1", "all"):
        produce(where, [f"{acks}:{i}" for i in range(100)], "-X", f"acks={acks}")
    end = time.monotonic() + 10  # acks=0 is told to nobody
    while len(seen := consume(where)) < 300 and time.monotonic() < end:
        time.sleep(0.1)
    same("all", sorted(seen), sorted(f"{a}:{i}" for a in ("0", "1", "all") for i in range(100)))


def test_kcat_makes_a_topic_by_producing():
    where = name("kcat-auto")
    produce(where, ["k:v"])
    same("made by the first record", consume(where), ["k:v"])


def test_kcat_reads_json():
    where = topic("kcat-json", 1)
    produce(where, ["key:value"], "-H", "h=1")
    seen = json.loads(kcat("-C", "-q", "-e", "-t", where, "-J"))
    same("-J", {k: seen[k] for k in ("topic", "partition", "offset", "tstype", "headers", "key", "payload")},
         {"topic": where, "partition": 0, "offset": 0, "tstype": "create", "headers": ["h", "1"], "key": "key", "payload": "value"})


def test_kcat_log_append_time():
    where = topic("kcat-append", 1, message__timestamp__type="LogAppendTime")
    before = int(time.time() * 1000)
    produce(where, ["key:value"])
    seen = json.loads(kcat("-C", "-q", "-e", "-t", where, "-J"))
    same("kind of time", seen["tstype"], "logappend")
    check(before <= seen["ts"] <= time.time() * 1000, f"the time {seen['ts']} is not between {before} and now")
