"""Our tools by Kafka's names beside Kafka's own, both against a real broker: what they print is compared.

A case sets something up with Kafka's tools, runs the same line through both, and compares exit code and output; what
differs from run to run (times, stack traces of Java, the order of Java's hash maps) is taken out on both sides.
Then our console tools and Kafka's read what the other wrote.
"""
import json
import pathlib
import re
import subprocess
import tempfile

import engines
from engines import Tools, name, same
from harness import SLUICE, check, wait_for

java = {"kafka-3.9": Tools("kafka-3.9"), "kafka-4.3": Tools("kafka-4.3")}
brokers = {}
links = None


def broker(version):
    if version not in brokers:
        import atexit
        brokers[version] = engines.Kafka(version, heap=("-Xms384m", "-Xmx384m", "-XX:+UseSerialGC"))
        atexit.register(brokers[version].stop)
    return f"127.0.0.1:{brokers[version].port}"


def ours(version, tool, *args, stdin="", timeout=900):
    global links
    if links is None:
        links = pathlib.Path(tempfile.mkdtemp(prefix="sluice-links-"))
        check(subprocess.run([SLUICE, "link-tools", links], capture_output=True).returncode == 0, "link-tools")
    r = subprocess.run([links / tool, "--bootstrap-server", broker(version), *map(str, args)], input=stdin, capture_output=True, text=True, timeout=timeout)
    return r.returncode, r.stdout, r.stderr


def theirs(version, tool, *args, stdin="", timeout=900):
    return java[version].run(tool, "--bootstrap-server", broker(version), *args, stdin=stdin, timeout=timeout)


def good(version, tool, *args, **kw):
    code, out, err = theirs(version, tool, *args, **kw)
    check(code == 0, f"Kafka's {tool} {args}: {code}\n{out}\n{err}")
    return out


def words(text):
    """Lines as sorted lists of words: order and padding are Java's affair."""
    text = re.sub(r"^\tat .*$|^Caused by: .*$|^\t\.\.\. .*$", "", text, flags=re.M)
    text = re.sub(r"\[\d{4}-\d\d-\d\d [\d:,]+\] ", "", text)
    text = re.sub(r"java\.util\.concurrent\.ExecutionException: ", "", text)
    text = re.sub(r"Optional\[(.*?)\]", r"\1", text)  # how 3.9 shows a name that is not there
    return sorted(text.split())


def beside(version, tool, *args, errors=False, without=None):
    """The same line through both; answers our output."""
    a, b = theirs(version, tool, *args), ours(version, tool, *args)
    line = f"{version}: {tool} {' '.join(map(str, args))}"
    same(f"{line}: exit code ({a[2][-300:]} | {b[2][-300:]})", b[0], a[0])
    cut = (lambda t: re.sub(without, "", t)) if without else (lambda t: t)
    same(f"{line}: standard output", words(cut(b[1])), words(cut(a[1])))
    if errors:
        same(f"{line}: standard error", words(b[2]), words(a[2]))
    return b[1]


def made_topic(version, partitions=3, lines=30):
    made = name("beside")
    good(version, "kafka-topics", "--create", "--topic", made, "--partitions", partitions, "--replication-factor", 1, "--config", "retention.ms=99999999")
    good(version, "kafka-console-producer", "--topic", made, "--property", "parse.key=true", "--property", "key.separator=:", stdin="".join(f"k{i}:v{i}\n" for i in range(lines)))
    return made


def case_topics(version):
    made = made_topic(version)
    beside(version, "kafka-topics", "--list")
    elr = r"\s(LastKnown)?Elr:( N/A)?" # 3.9 without the feature says N/A or nothing
    beside(version, "kafka-topics", "--describe", "--topic", made, without=elr)
    beside(version, "kafka-topics", "--describe", "--topics-with-overrides", "--exclude-internal", without=elr)
    beside(version, "kafka-topics", "--describe", "--topic", made[:-1] + ".", without=elr)
    beside(version, "kafka-topics", "--describe", "--topic", "nosuch")
    beside(version, "kafka-topics", "--delete", "--topic", "nosuch", "--if-exists")
    for args in [("--create", "--topic", made), ("--delete", "--topic", "nosuch"), ("--create", "--topic", "a b"), ("--alter", "--topic", made, "--partitions", 1),
                 ("--create", "--topic", name("wide"), "--replication-factor", 5)]:
        a, b = theirs(version, "kafka-topics", *args), ours(version, "kafka-topics", *args)
        same(f"{args}: exit code", b[0], a[0])
        same(f"{args}: first line", b[1].splitlines()[:1], [re.sub(r"Optional\[(.*?)\]", r"\1", l) for l in a[1].splitlines() if l.startswith("Error")][:1])


def case_groups(version):
    made, group = made_topic(version), name("group")
    read = ours(version, "kafka-console-consumer", "--topic", made, "--group", group, "--from-beginning", "--max-messages", 30)
    check(read[0] == 0, read)
    tool = "kafka-consumer-groups"
    beside(version, tool, "--list")
    beside(version, tool, "--list", "--state")
    beside(version, tool, "--describe", "--group", group, errors=True)
    beside(version, tool, "--describe", "--group", group, "--members", errors=True)
    beside(version, tool, "--describe", "--group", group, "--state", without=r" -(?= )")  # 4.x: "-" for no assignor
    move = [tool, "--reset-offsets", "--group", group]
    beside(version, *move, "--topic", f"{made}:0,2", "--to-earliest", errors=version == "kafka-3.9")  # 4.x words its warning anew
    beside(version, *move, "--all-topics", "--shift-by", "-3", "--dry-run")
    beside(version, *move, "--topic", made, "--to-offset", 2, "--dry-run", "--export")
    beside(version, *move, "--topic", made, "--to-offset", 1000, "--dry-run")
    beside(version, *move, "--topic", made, "--to-datetime", "2020-01-01T00:00:00.000", "--dry-run")
    beside(version, *move, "--topic", made, "--by-duration", "PT1H", "--execute")
    beside(version, *move, "--topic", made, "--to-current", "--execute")
    beside(version, tool, "--describe", "--group", group)
    beside(version, tool, "--delete-offsets", "--group", group, "--topic", f"{made}:1", without=r"Request succeed.*")  # 4.x words it anew
    if version == "kafka-3.9":
        beside(version, tool, "--delete-offsets", "--group", group, "--topic", f"{made}:9")
    code, out, _ = ours(version, tool, "--delete", "--group", group)
    check(code == 0 and out == f"Deletion of requested consumer groups ('{group}') was successful.\n", out)
    wait_for("the group to be gone", lambda: group not in theirs(version, tool, "--list")[1].split(), 10)


def case_offsets(version):
    made = made_topic(version)
    for args in [(), ("--topic", made), ("--topic", made, "--time", "-2"), ("--topic", made, "--time", "earliest", "--partitions", "0,2"), ("--topic", made, "--time", "-3"),
                 ("--topic", made, "--time", 4102444800000), ("--topic-partitions", f"{made}:1-"), ("--topic", "nosuch"), ("--topic", made, "--time", "noon"),
                 ("--exclude-internal-topics",)]:
        beside(version, "kafka-get-offsets", *args)
    path = pathlib.Path(tempfile.mkdtemp(prefix="sluice-beside-")) / "delete.json"
    path.write_text(json.dumps({"partitions": [{"topic": made, "partition": p, "offset": 1} for p in range(3)], "version": 1}))
    ends = dict(line.rsplit(":", 1) for line in good(version, "kafka-get-offsets", "--topic", made).split())
    if all(int(end) >= 1 for end in ends.values()):
        beside(version, "kafka-delete-records", "--offset-json-file", path)


def case_configs(version):
    made, tool = made_topic(version), "kafka-configs"
    beside(version, tool, "--alter", "--topic", made, "--add-config", "cleanup.policy=[delete,compact],max.message.bytes=2000")
    beside(version, tool, "--describe", "--entity-type", "topics", "--entity-name", made)
    beside(version, tool, "--describe", "--topic", made, "--all")
    beside(version, tool, "--describe", "--entity-type", "topics")
    if version == "kafka-3.9":  # 4.x takes back what was never set without a word
        beside(version, tool, "--alter", "--topic", made, "--delete-config", "nosuch", errors=True)
    beside(version, tool, "--describe", "--broker", 1)
    beside(version, tool, "--describe", "--entity-type", "brokers")
    beside(version, tool, "--alter", "--user", "bob", "--add-config", "SCRAM-SHA-256=[iterations=8192,password=secret]")
    beside(version, tool, "--describe", "--user", "bob")
    beside(version, tool, "--describe", "--entity-type", "users")


def case_cluster(version):
    made = made_topic(version)
    beside(version, "kafka-log-dirs", "--describe", "--topic-list", made)
    changing = r'HighWatermark:.*|LogEndOffset.*|\b\d{3,}\b|"directoryId": null, '  # 4.x leaves out a null'
    beside(version, "kafka-metadata-quorum", "describe", "--status", without=changing)
    beside(version, "kafka-metadata-quorum", "describe", "--replication", without=changing)
    beside(version, "kafka-transactions", "list")
    beside(version, "kafka-transactions", "describe-producers", "--topic", made, "--partition", 0)
    a, b = theirs(version, "kafka-broker-api-versions")[1], ours(version, "kafka-broker-api-versions")[1]
    ranges = [dict(re.findall(r"\((\d+)\): (\d+(?: to \d+)?)", t)) for t in (a, b)]
    same("versions", ranges[1], {k: v for k, v in ranges[0].items() if k in ranges[1]})
    check(len(ranges[1]) > 50, f"{len(ranges[1])} requests")


def case_console(version):
    """Each side reads what the other wrote; keys land in the same partitions."""
    lines = [f"key-{i}:value {i} é" for i in range(300)]
    show = ["--property", "print.key=true", "--property", "print.partition=true", "--property", "print.headers=true", "--property", "key.separator=|"]
    parse = ["--property", "parse.key=true", "--property", "key.separator=:"]
    seen = {}
    for writer in (theirs, ours):
        for codec in ("none", "gzip", "snappy", "lz4", "zstd"):
            made = name("console")
            good(version, "kafka-topics", "--create", "--topic", made, "--partitions", 3, "--replication-factor", 1)
            code, out, err = writer(version, "kafka-console-producer", "--topic", made, "--compression-codec", codec, *parse, stdin="".join(f"{x}\n" for x in lines))
            check(code == 0, f"{writer.__name__}: {out}{err}")
            reads = [[x for x in r(version, "kafka-console-consumer", "--topic", made, "--from-beginning", "--max-messages", 300, "--timeout-ms", 15000, *show)[1].splitlines()
                      if x.startswith("Partition")] for r in (theirs, ours)]
            same(f"{writer.__name__} wrote {codec}", sorted(reads[1]), sorted(reads[0]))
            seen[writer.__name__, codec] = sorted(reads[0])
    check(len({tuple(v) for v in seen.values()}) == 1, "the same key went to another partition")


def tests():
    for version in java:
        for case in (case_topics, case_groups, case_offsets, case_configs, case_cluster, case_console):
            def test(version=version, case=case):
                case(version)
            test.__name__ = f"test_{case.__name__[5:]}_beside_{version.replace('-', '_').replace('.', '_')}"
            test.__module__ = __name__
            globals()[test.__name__] = test


tests()
