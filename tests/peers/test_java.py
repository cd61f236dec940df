"""Kafka's own command line tools and Java clients, of 2.8.2, 3.9.1 and 4.3.0; one Java process a version."""
import json
import re

import engines
from engines import Tools, bootstrap, name, same, topic
from harness import Failed, check, wait_for

VERSIONS = {"2.8": Tools("kafka-2.8"), "3.9": Tools("kafka-3.9"), "4.3": Tools("kafka-4.3")}
CLIENTS = ["codecs", "fields", "refusals", "offsets", "groups", "staticMembers", "transactions", "exactlyOnce", "fencing",
           "epochs", "administration"]
NOT_IN_2_8 = ["client_epochs", "metadata_quorum"]  # describeProducers came with 3.0, KRaft's tool with 3.3


def good(t, tool, *args, **kw):
    return t.good(tool, "--bootstrap-server", bootstrap(), *args, **kw)


def bad(t, what, tool, *args):
    """A call that must be refused; answers all that the tool said."""
    code, out, err = t.run(tool, "--bootstrap-server", bootstrap(), *args)
    check(code != 0 or "rror" in out + err, f"{what}: {tool} {args} was expected to fail, and said\n{out}\n{err}")
    return out + err


def holds(what, pattern, text):
    check(re.search(pattern, text, re.M), f"{what}: nothing like /{pattern}/ in\n{text[-3000:]}")


def produce(t, where, lines, *args):
    good(t, "kafka-console-producer", "--topic", where, *args, stdin="".join(f"{line}\n" for line in lines))


def consume(t, where, wanted, *args):
    """The console consumer's lines; it ends with the wanted number, or after ten seconds with what there is."""
    out = good(t, "kafka-console-consumer", "--topic", where, "--max-messages", wanted, "--timeout-ms", "10000", *args)
    return [line for line in out.splitlines() if not line.startswith("Option --")]  # 4.x says what is deprecated


def case_topics(t):
    made = name("java-topics")
    good(t, "kafka-topics", "--create", "--topic", made, "--partitions", "3", "--replication-factor", "1", "--config", "retention.ms=12345")
    wait_for("the topic to be listed", lambda: made in good(t, "kafka-topics", "--list").split(), 10)
    shown = good(t, "kafka-topics", "--describe", "--topic", made)
    holds("describe", rf"Topic: {made}\s.*PartitionCount: 3\s+ReplicationFactor: 1\s+Configs: .*retention.ms=12345", shown)
    for p in range(3):
        holds(f"partition {p}", rf"Partition: {p}\s+Leader: \d+\s+Replicas: \d+\s+Isr: \d+", shown)
    holds("created again", "already exists", bad(t, "create", "kafka-topics", "--create", "--topic", made))
    good(t, "kafka-topics", "--create", "--topic", made, "--if-not-exists")
    good(t, "kafka-topics", "--alter", "--topic", made, "--partitions", "5")
    wait_for("5 partitions", lambda: "PartitionCount: 5" in good(t, "kafka-topics", "--describe", "--topic", made), 10)
    bad(t, "fewer partitions", "kafka-topics", "--alter", "--topic", made, "--partitions", "2")
    good(t, "kafka-topics", "--delete", "--topic", made)
    wait_for("the topic to be gone", lambda: made not in good(t, "kafka-topics", "--list").split(), 10)
    bad(t, "what is not there", "kafka-topics", "--delete", "--topic", made)


def case_console(t):
    where = topic("java-console", 1)
    lines = [f"key{i}:value {i} é" for i in range(100)]
    produce(t, where, lines, "--property", "parse.key=true", "--property", "key.separator=:")
    seen = consume(t, where, 100, "--from-beginning", "--property", "print.key=true", "--property", "key.separator=:")
    same("keys and values", seen, lines)
    one = consume(t, where, 1, "--partition", "0", "--offset", "42", "--property", "print.timestamp=true",
                  "--property", "print.offset=true", "--property", "print.partition=true")
    same("one record", len(one), 1)
    holds("its properties", r"CreateTime:\d{13}\t.*42\tvalue 42 é$", one[0])
    for codec in ("gzip", "snappy", "lz4", "zstd"):
        produce(t, where, [codec], "--compression-codec", codec)
    same("each codec", consume(t, where, 4, "--partition", "0", "--offset", "100"), ["gzip", "snappy", "lz4", "zstd"])


def case_console_group(t):
    where, group = topic("java-group", 2), name("java-group")
    lines = [f"{i}" for i in range(40)]
    produce(t, where, lines)
    first = consume(t, where, 15, "--group", group, "--from-beginning")
    rest = consume(t, where, 25, "--group", group, "--from-beginning")
    same("each once", sorted(first + rest), sorted(lines))


def case_console_isolation(t):
    where = topic("java-isolation", 1)
    kcat = engines.package("kcat", "kcat")
    engines.peer("kcat", [kcat, "-b", bootstrap(), "-P", "-t", where, "-X", f"transactional.id={where}"], stdin="one\ntwo\n")
    same("committed", consume(t, where, 2, "--from-beginning", "--isolation-level", "read_committed"), ["one", "two"])


def case_consumer_groups(t):
    where, group = topic("java-groups", 2), name("java-groups")
    produce(t, where, [f"{i}" for i in range(30)])
    consume(t, where, 30, "--group", group, "--from-beginning")

    def groups(*args):
        return good(t, "kafka-consumer-groups", *args)

    def offsets():
        """partition -> (offset, end, lag)"""
        rows = re.findall(rf"^{group}\s+{where}\s+(\d+)\s+(\d+|-)\s+(\d+)\s+(\d+|-)", groups("--describe", "--group", group, "--offsets"), re.M)
        return {int(p): (o, e, lag) for p, o, e, lag in rows}
    check(group in groups("--list").split(), f"{group} is not listed")
    holds("list --state", rf"^{group}\s.*Empty", groups("--list", "--state"))
    same("lag", [row[2] for row in offsets().values() if row[0] != "-"], ["0"] * len([r for r in offsets().values() if r[0] != "-"]))
    same("sum of offsets", sum(int(row[0]) for row in offsets().values() if row[0] != "-"), 30)
    holds("describe --state", rf"^{group}\s+\S+\s+\(\d+\)\s.*Empty\s+0", groups("--describe", "--group", group, "--state"))
    _, out, err = t.run("kafka-consumer-groups", "--bootstrap-server", bootstrap(), "--describe", "--group", group, "--members")
    holds("describe --members", "has no active members", out + err)
    before = offsets()
    dry = groups("--reset-offsets", "--group", group, "--topic", where, "--to-earliest", "--dry-run")
    holds("dry run", rf"{group}\s+{where}\s+0\s+0", dry)
    same("after a dry run", offsets(), before)
    groups("--reset-offsets", "--group", group, "--topic", where, "--to-earliest", "--execute")
    same("after execute", [row[0] for row in offsets().values()], ["0", "0"])
    groups("--reset-offsets", "--group", group, "--topic", f"{where}:1", "--shift-by", "2", "--execute")
    groups("--reset-offsets", "--group", group, "--topic", f"{where}:0", "--to-datetime", "2020-01-01T00:00:00.000", "--execute")
    groups("--delete-offsets", "--group", group, "--topic", f"{where}:0")
    left = offsets()
    check(left.get(0, ("-",))[0] == "-", f"the deleted offset is there: {left}")
    groups("--delete", "--group", group)
    check(group not in groups("--list").split(), "the deleted group is listed")
    _, out, err = t.run("kafka-consumer-groups", "--bootstrap-server", bootstrap(), "--describe", "--group", group)
    holds("what is not there", "does not exist|GROUP_ID_NOT_FOUND|GroupIdNotFound|not found", out + err)


def case_consumer_groups_of_members(t):
    """A live member of another client: its host, client, partitions and the coordinator are told."""
    import subprocess
    where, group = topic("java-member", 2), name("java-member")
    kcat = engines.package("kcat", "kcat")
    member = subprocess.Popen([kcat, "-b", bootstrap(), "-u", "-X", "client.id=the-member", "-G", group, where],
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        for line in member.stderr:
            if "assigned" in line and where in line:
                break
        shown = good(t, "kafka-consumer-groups", "--describe", "--group", group, "--members", "--verbose")
        holds("members", rf"^{group}\s+the-member-\S+\s+/\S+\s+the-member\s.*\b2\s.*0,\s?1", shown)
        holds("state", rf"^{group}\s.*range\s+Stable\s+1", good(t, "kafka-consumer-groups", "--describe", "--group", group, "--state"))
        holds("refused", "not empty|NonEmpty|non-empty", bad(t, "delete", "kafka-consumer-groups", "--delete", "--group", group))
    finally:
        member.kill()
        member.wait()


def case_configs(t):
    where = topic("java-configs", 1)

    def configs(*args):
        return good(t, "kafka-configs", *args, "--entity-type", "topics", "--entity-name", where)
    configs("--alter", "--add-config", "retention.ms=777,cleanup.policy=[compact,delete]")
    shown = configs("--describe")
    holds("added", r"retention.ms=777", shown)
    holds("a list", r"cleanup.policy=compact,delete", shown)
    configs("--alter", "--delete-config", "retention.ms")
    check("retention.ms=777" not in configs("--describe"), "the deleted config is there")
    holds("all of them", r"segment.bytes=\d+", configs("--describe", "--all"))
    bad(t, "a wrong value", "kafka-configs", "--alter", "--add-config", "retention.ms=soon", "--entity-type", "topics", "--entity-name", where)
    broker = re.search(r"id: (\d+)", good(t, "kafka-broker-api-versions"))[1]
    holds("the broker's", r"log.retention", good(t, "kafka-configs", "--describe", "--all", "--entity-type", "brokers", "--entity-name", broker))


def case_offsets_and_deleted_records(t):
    where = topic("java-offsets", 1)
    produce(t, where, [f"{i}" for i in range(20)])
    option = "--broker-list" if t is VERSIONS["2.8"] else "--bootstrap-server"

    def offsets(when):
        return t.good("kafka-get-offsets", option, bootstrap(), "--topic", where, "--time", when).split()
    same("latest and earliest", (offsets("-1"), offsets("-2")), ([f"{where}:0:20"], [f"{where}:0:0"]))
    with engines.tempfile.NamedTemporaryFile("w", suffix=".json") as f:
        json.dump({"partitions": [{"topic": where, "partition": 0, "offset": 8}], "version": 1}, f)
        f.flush()
        holds("low watermark", "low_watermark: 8", good(t, "kafka-delete-records", "--offset-json-file", f.name))
    same("after delete-records", (offsets("-1"), offsets("-2")), ([f"{where}:0:20"], [f"{where}:0:8"]))
    same("what is left", consume(t, where, 12, "--from-beginning"), [f"{i}" for i in range(8, 20)])


def case_broker_api_versions(t):
    shown = good(t, "kafka-broker-api-versions")
    for api in ("Produce", "Fetch", "ListOffsets", "Metadata", "OffsetCommit", "OffsetFetch", "FindCoordinator", "JoinGroup", "Heartbeat",
                "LeaveGroup", "SyncGroup", "DescribeGroups", "ListGroups", "ApiVersions", "CreateTopics", "DeleteTopics",
                "DeleteRecords", "InitProducerId", "OffsetForLeaderEpoch", "AddPartitionsToTxn", "AddOffsetsToTxn", "EndTxn",
                "TxnOffsetCommit", "DescribeConfigs", "AlterConfigs", "DescribeLogDirs", "CreatePartitions", "DeleteGroups",
                "IncrementalAlterConfigs", "OffsetDelete"):
        holds("an API that clients use", rf"^\s*{api}\(\d+\): \d+( to \d+)? \[usable: \d+\]", shown)


def case_log_dirs(t):
    where = topic("java-dirs", 2)
    produce(t, where, ["1"] * 10)
    shown = good(t, "kafka-log-dirs", "--describe", "--topic-list", where)
    told = json.loads(next(line for line in shown.splitlines() if line.startswith("{")))
    parts = [p for b in told["brokers"] for d in b["logDirs"] for p in d["partitions"]]
    same("partitions", sorted(p["partition"] for p in parts), [f"{where}-0", f"{where}-1"])
    check(sum(p["size"] for p in parts) > 0, f"no bytes are told: {parts}")


def case_transactions_tool(t):
    where = topic("java-txn", 1)
    engines.peer("kcat", [engines.package("kcat", "kcat"), "-b", bootstrap(), "-P", "-t", where, "-X", f"transactional.id={where}"], stdin="x\n")
    if t is VERSIONS["2.8"]:  # the tool came with 3.0: here those of 2.8 meet a topic with transactions
        same("a control record counts as an offset", t.good("kafka-get-offsets", "--broker-list", bootstrap(), "--topic", where).split(), [f"{where}:0:2"])
        return
    holds("list", rf"^{where}\s+\d+\s+\d+\s+CompleteCommit", good(t, "kafka-transactions", "list"))
    holds("describe", rf"{where}\s.*CompleteCommit", good(t, "kafka-transactions", "describe", "--transactional-id", where))
    holds("describe-producers", r"^\d+\s+\d+\s+\d+\s", good(t, "kafka-transactions", "describe-producers", "--topic", where, "--partition", "0"))


def case_metadata_quorum(t):
    holds("status", r"LeaderId:\s+\d+", good(t, "kafka-metadata-quorum", "describe", "--status"))
    holds("replication", r"Leader", good(t, "kafka-metadata-quorum", "describe", "--replication"))


def case_performance(t):
    where = topic("java-perf", 2)
    props = [f"bootstrap.servers={bootstrap()}"]
    for more in (["acks=1"], ["acks=all", "enable.idempotence=true", "compression.type=lz4"]):
        out = t.good("kafka-producer-perf-test", "--topic", where, "--num-records", "20000", "--record-size", "100", "--throughput", "-1",
                     "--producer-props", *props, *more)
        holds("producer", r"20000 records sent.* 99.9th", out)
    out = t.good("kafka-producer-perf-test", "--topic", where, "--num-records", "5000", "--record-size", "100", "--throughput", "5000",
                 "--transactional-id", name("perf"), "--transaction-duration-ms", "100", "--producer-props", *props)
    holds("transactional producer", r"5000 records sent", out)
    out = good(t, "kafka-consumer-perf-test", "--topic", where, "--messages", "45000", "--timeout", "20000")
    row = out.strip().splitlines()[-1].split(", ")
    check(len(row) >= 6 and int(row[4]) >= 45000, f"45000 records were expected:\n{out}")


def transaction_version():
    return "0" if engines.CHOICE == "real" else "2"


def tests():
    """test_java_VERSION_CASE of all versions and cases."""
    def with_tools(case, t):
        def test():
            for other in VERSIONS.values():
                if other is not t:
                    other.stop()
            case(t)
        return test

    def client(case):
        return lambda t: t.good("Clients", bootstrap(), case, transaction_version())
    cases = {k.removeprefix("case_"): v for k, v in globals().items() if k.startswith("case_")}
    cases |= {f"client_{c}": client(c) for c in CLIENTS}
    for version, t in VERSIONS.items():
        for what, case in cases.items():
            if version == "2.8" and what in NOT_IN_2_8:
                continue
            test = with_tools(case, t)
            test.__name__ = f"test_java_{version.replace('.', '_')}_{what}"
            globals()[test.__name__] = test


tests()
