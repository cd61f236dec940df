"""Our own Kafka command line against our own server: every verb, and every tool by its name.

One server for all; no Java. What Kafka's own tools print is compared in tests/peers.
"""
import atexit
import json
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time

from harness import SLUICE, Failed, Server, check, run

server = None
count = 0


def broker():
    global server
    if server is None:
        folder = pathlib.Path(tempfile.mkdtemp(prefix="sluice-tools-"))
        (folder / "pipeline.sql").write_text("-- topics only\n")
        server = Server(folder).ready()
        atexit.register(shutil.rmtree, folder, True)
        atexit.register(server.kill)
        r = run("link-tools", folder / "bin")
        check(r.returncode == 0, r.stderr)
    return f"127.0.0.1:{server.field('kafka_port')}"


def name(word):
    global count
    count += 1
    return f"{word}-{count}"


def tool(tool_name, *args, stdin="", code=0, timeout=30):
    at = broker()
    r = subprocess.run([server.directory / "bin" / tool_name, "--bootstrap-server", at, *map(str, args)],
                       capture_output=True, text=True, input=stdin, timeout=timeout)
    check(r.returncode == code, f"{tool_name} {args}: ended with {r.returncode}, not {code}\n{r.stdout}\n{r.stderr}")
    return r


def verb(*args, stdin=None, code=0):
    r = run(*args, "--brokers", broker(), stdin=stdin)
    check(r.returncode == code, f"sluice {args}: ended with {r.returncode}, not {code}\n{r.stdout}\n{r.stderr}")
    return r


def rows(text):
    return [json.loads(line) for line in text.splitlines()]


def filled(word, records=10, partitions=1):
    made = name(word)
    verb("topics", "create", made, "--partitions", partitions)
    verb("produce", made, stdin="".join(f"{i}\n" for i in range(records)))
    return made


def test_produce_and_consume_lines_and_json():
    made = name("records")
    verb("topics", "create", made, "--partitions", 2)
    r = verb("produce", made, "--json", stdin='{"key": "k", "value": "v\\n", "headers": [{"key": "h", "value": null}], "partition": 1, "timestamp": 1700000000000}\n'
             '{"value": {"base64": "AP8="}, "partition": 1}\n{"value": null, "key": "gone", "partition": 1}\n')
    check(re.search(r"^3 records into " + made, r.stderr, re.M), r.stderr)
    got = rows(verb("consume", made, "--until", "end", "--json").stdout)
    check([x["value"] for x in got] == ["v\n", {"base64": "AP8="}, None], got)
    check(got[0] == {"topic": made, "partition": 1, "offset": 0, "timestamp": 1700000000000, "key": "k", "value": "v\n",
                     "headers": [{"key": "h", "value": None}]}, got[0])
    check(verb("consume", made, "--until", "end", "--keys").stdout == "k\tv\n\n<null>\t<base64 AP8=>\ngone\t<null>\n", "plain")
    again = name("again")
    verb("topics", "create", again, "--partitions", 2)
    verb("produce", again, "--json", stdin="".join(json.dumps(x) + "\n" for x in got))
    copied = rows(verb("consume", again, "--until", "end", "--json").stdout)
    check([{**x, "topic": made} for x in copied] == got, copied)


def test_every_codec_arrives():
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"]:
        made = name(codec)
        lines = [f"line {i} of {codec} é" * 3 for i in range(2000)]
        verb("topics", "create", made)
        verb("produce", made, "--codec", codec, stdin="\n".join(lines))
        check(verb("consume", made, "--until", "end").stdout.splitlines() == lines, codec)


def test_where_consuming_begins_and_ends():
    made = filled("places")
    check(verb("consume", made, "--from", "-3", "--until", "end").stdout == "7\n8\n9\n", "-3")
    check(verb("consume", made, "--from", "4", "--count", "2").stdout == "4\n5\n", "offset")
    check(verb("consume", made, "--from", "2020-01-01", "--count", "1").stdout == "0\n", "time")
    check(verb("consume", made, "--from", "end", "--until", "end").stdout == "", "end")
    check("no place" in verb("consume", made, "--from", "nowhere", code=2).stderr, "nowhere")
    check("there is no topic" in verb("consume", "nosuch", "--until", "end", code=1).stderr, "nosuch")
    check("no partition 7" in verb("consume", made, "--partition", "7", "--until", "end", code=1).stderr, "partition")
    check("no codec" in verb("produce", made, "--codec", "rar", code=2).stderr, "codec")
    check("line 2" in verb("produce", made, "--json", stdin='{"value": "x"}\n{"value": \n', code=1).stderr, "bad line")
    check(verb("consume", made, "--from", "10", "--until", "end").stdout == "x\n", "what stood before a bad line counts")


def test_rate_is_kept():
    made = name("rate")
    verb("topics", "create", made)
    begun = time.monotonic()
    verb("produce", made, "--rate", "100", stdin="x\n" * 60)
    check(0.45 < time.monotonic() - begun < 5, f"{time.monotonic() - begun} s for 60 at 100 a second")


def test_a_group_keeps_its_place_and_can_be_moved():
    made, group = filled("moved", 30, 3), name("group")
    read = verb("consume", made, "--group", group, "--count", "30").stdout.split()
    check(sorted(map(int, read)) == list(range(30)), read)
    check(verb("consume", made, "--group", group, "--until", "end").stdout == "", "read already")
    seen = rows(verb("groups", "describe", group, "--json").stdout)
    check(len(seen) == 3 and sum(x["position"] for x in seen) == 30 and all(x["lag"] == 0 for x in seen), seen)
    check([x for x in rows(verb("groups", "list", "--json").stdout) if x["group"] == group][0]["state"] == "Empty", "list")
    plan = verb("groups", "reset", group, "--to", "-1")
    check("nothing is changed yet" in plan.stderr, plan.stderr)
    check(verb("consume", made, "--group", group, "--until", "end").stdout == "", "a dry run changed it")
    verb("groups", "reset", group, "--to", "earliest", "--execute")
    check(len(verb("consume", made, "--group", group, "--until", "end").stdout.split()) == 30, "reset")
    verb("groups", "forget", group, "--topic", f"{made}:0,1")
    check(len(rows(verb("groups", "describe", group, "--json").stdout)) == 1, "forget")
    check("--yes" in verb("groups", "delete", group, code=1).stderr, "delete unasked")
    verb("groups", "delete", group, "--yes")
    check("no group" in verb("groups", "describe", group, code=1).stderr, "describe what is gone")
    check(verb("groups", "reset", group, code=2).stderr.startswith("error: reset needs --to"), "usage")


def test_two_members_share_and_a_third_sees_them():
    made, group = filled("shared", 0, 4), name("pair")
    start = [SLUICE, "consume", made, "--group", group, "--brokers", broker()]
    pair = [subprocess.Popen(start, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    try:
        end = time.monotonic() + 20
        while True:
            seen = run("groups", "members", group, "--json", "--brokers", broker())
            members = rows(seen.stdout) if seen.returncode == 0 else []  # until the first has joined there is no group
            if sorted(len((m["partitions"] or "").split(",")) if m["partitions"] else 0 for m in members) == [2, 2]:
                break
            if time.monotonic() > end:
                raise Failed(f"no even shares: {members}")
            time.sleep(0.1)
        check("stop its consumers" in verb("groups", "reset", group, "--topic", made, "--to", "latest", code=1).stderr, "reset while read")
        verb("produce", made, stdin="".join(f"{i}\n" for i in range(100)))
        end = time.monotonic() + 20
        while sum(x["lag"] or 0 for x in rows(verb("groups", "describe", group, "--json").stdout)) and time.monotonic() < end:
            time.sleep(0.2)
    finally:
        for p in pair:
            p.send_signal(signal.SIGINT)
    out = [p.communicate(timeout=20)[0].split() for p in pair]
    check([p.returncode for p in pair] == [0, 0], f"{[p.returncode for p in pair]}")
    check(sorted(int(x) for part in out for x in part) == list(range(100)), f"{[len(x) for x in out]}")
    check(rows(verb("groups", "members", group, "--json").stdout) == [], "they left")


def test_console_tools():
    made = name("console")
    tool("kafka-topics", "--create", "--topic", made, "--partitions", 1)
    tool("kafka-console-producer", "--topic", made, "--property", "parse.key=true", "--property", "key.separator=:", "--compression-codec", "lz4", stdin="a:1\nb:2\n")
    r = tool("kafka-console-consumer.sh", "--topic", made, "--from-beginning", "--max-messages", 2, "--property", "print.key=true", "--property", "print.offset=true")
    check(r.stdout == "Offset:0\ta\t1\nOffset:1\tb\t2\n" and r.stderr == "Processed a total of 2 messages\n", r)
    r = tool("kafka-console-consumer", "--topic", made, "--timeout-ms", 300)
    check("TimeoutException" in r.stderr and r.stderr.endswith("Processed a total of 0 messages\n"), r.stderr)
    r = tool("kafka-console-producer", "--topic", made, "--property", "parse.key=true", stdin="nothing\n", code=1)
    check("No key separator found on line number 1: 'nothing'" in r.stderr, r.stderr)
    check("is not a recognized option" in tool("kafka-console-consumer", "--no-such", code=1).stderr, "unknown option")
    check("not available" in tool("kafka-console-consumer", "--topic", made, "--formatter", "a.b.Formatter", code=1).stderr, "formatter")
    check("Exactly one of" in tool("kafka-console-consumer", code=1).stderr, "no topic")


def test_kafka_topics():
    made = name("tool-topics")
    check(tool("kafka-topics", "--create", "--topic", made, "--partitions", 2, "--config", "retention.ms=9").stdout == f"Created topic {made}.\n", "create")
    check("already exists" in tool("kafka-topics", "--create", "--topic", made, code=1).stdout, "twice")
    tool("kafka-topics", "--create", "--topic", made, "--if-not-exists")
    check("retention.ms=9" in tool("kafka-topics", "--describe", "--topic", made).stdout, "describe")
    check(made in tool("kafka-topics", "--describe", "--topics-with-overrides").stdout, "overrides")
    tool("kafka-topics", "--alter", "--topic", made, "--partitions", 3)
    tool("kafka-topics", "--delete", "--topic", made)
    check(made not in tool("kafka-topics", "--list").stdout.split(), "list")
    tool("kafka-topics", "--delete", "--topic", made, code=1)
    tool("kafka-topics", "--delete", "--topic", made, "--if-exists")


def test_kafka_configs():
    made = filled("configs")
    r = tool("kafka-configs", "--alter", "--topic", made, "--add-config", "retention.ms=77,cleanup.policy=[delete,compact]")
    check(r.stdout == f"Completed updating config for topic {made}.\n", r.stdout)
    check("  retention.ms=77 sensitive=false synonyms={DYNAMIC_TOPIC_CONFIG:retention.ms=77" in tool("kafka-configs", "--describe", "--entity-type", "topics", "--entity-name", made).stdout, "describe")
    check("max.message.bytes=" in tool("kafka-configs", "--describe", "--topic", made, "--all").stdout, "all")
    tool("kafka-configs", "--alter", "--topic", made, "--delete-config", "retention.ms")
    check(tool("kafka-configs", "--alter", "--topic", made, "--delete-config", "retention.ms", code=1).stderr == "Invalid config(s): retention.ms\n", "not set")
    tool("kafka-configs", "--alter", "--topic", made, "--add-config", "no.such=1", code=1)
    tool("kafka-configs", "--alter", "--user", "alice", "--add-config", "SCRAM-SHA-512=[iterations=5000,password=secret]")
    check(tool("kafka-configs", "--describe", "--user", "alice").stdout == "SCRAM credential configs for user-principal 'alice' are SCRAM-SHA-512=iterations=5000\n", "scram")
    check("quotas" in tool("kafka-configs", "--alter", "--user", "alice", "--add-config", "producer_byte_rate=1", code=1).stderr, "quotas")
    check("not available" in tool("kafka-configs", "--describe", "--entity-type", "clients", code=1).stderr, "clients")
    check(tool("kafka-configs", "--describe", "--broker", 1).stdout == "Dynamic configs for broker 1 are:\n", "broker")


def test_kafka_get_offsets_and_delete_records():
    made = filled("offsets", 10)
    check(tool("kafka-get-offsets", "--topic", made).stdout == f"{made}:0:10\n", "latest")
    path = server.directory / "delete.json"
    path.write_text(json.dumps({"partitions": [{"topic": made, "partition": 0, "offset": 4}], "version": 1}))
    check(tool("kafka-delete-records", "--offset-json-file", path).stdout ==
          f"Executing records delete operation\nRecords delete operation completed:\npartition: {made}-0\tlow_watermark: 4\n", "delete")
    check(tool("kafka-get-offsets", "--topic-partitions", f"{made}:0-1", "--time", "earliest").stdout == f"{made}:0:4\n", "earliest")
    made, now = name("times"), int(time.time() * 1000)
    verb("topics", "create", made)
    verb("produce", made, "--json", stdin="".join(json.dumps({"value": "x", "timestamp": now - ago}) + "\n" for ago in (9000, 1000, 5000)))
    check(tool("kafka-get-offsets", "--topic", made, "--time", "-3").stdout == f"{made}:0:1\n", "max-timestamp")
    check(tool("kafka-get-offsets", "--topic", made, "--time", now - 8000).stdout == f"{made}:0:1\n", "by time")
    check("Could not match" in tool("kafka-get-offsets", "--topic", "nosuch", code=1).stderr, "none")
    check("Malformed time" in tool("kafka-get-offsets", "--time", "noon", code=1).stderr, "time")


def test_kafka_consumer_groups():
    made, group = filled("tool-groups", 10), name("tool-group")
    tool("kafka-console-consumer", "--topic", made, "--group", group, "--from-beginning", "--max-messages", 6)
    check(group in tool("kafka-consumer-groups", "--list").stdout.split(), "list")
    r = tool("kafka-consumer-groups", "--describe", "--group", group)
    check(re.search(rf"^{group}\s+{made}\s+0\s+6\s+10\s+4\s+-\s+-\s+-$", r.stdout, re.M), r.stdout)
    check("has no active members." in r.stderr, r.stderr)
    check("Empty" in tool("kafka-consumer-groups", "--describe", "--state", "--group", group).stdout, "state")
    move = ["kafka-consumer-groups", "--reset-offsets", "--group", group, "--topic", f"{made}:0"]
    r = tool(*move, "--shift-by", "-2")
    check(re.search(rf"^{group}\s+{made}\s+0\s+4", r.stdout, re.M) and "WARN: No action will be performed" in r.stderr, r)
    check(tool(*move, "--to-offset", 99, "--dry-run", "--export").stdout == f"{made},0,10\n\n", "export, bounded")
    for options, to in [(["--to-earliest"], 0), (["--to-latest"], 10), (["--to-offset", 3], 3), (["--shift-by", 2], 5), (["--to-current"], 5),
                        (["--to-datetime", "2020-01-01T00:00:00.000"], 0), (["--by-duration", "PT0S"], 10)]:
        r = tool(*move, *options, "--execute")
        check(re.search(rf"^{group}\s+{made}\s+0\s+{to}\s*$", r.stdout, re.M), f"{options}: {r.stdout}")
    plan = server.directory / "plan.csv"
    plan.write_text(f"{made},0,7\n")
    tool("kafka-consumer-groups", "--reset-offsets", "--group", group, "--from-file", plan, "--execute")
    check(re.search(rf"{made}\s+0\s+7\s+10\s+3", tool("kafka-consumer-groups", "--describe", "--all-groups").stdout), "from file")
    check("Request succeed" in tool("kafka-consumer-groups", "--delete-offsets", "--group", group, "--topic", made).stdout, "delete offsets")
    check("was successful." in tool("kafka-consumer-groups", "--delete", "--group", group).stdout, "delete")
    check("does not exist." in tool("kafka-consumer-groups", "--describe", "--group", group).stdout, "gone")
    check("must include exactly one action" in tool("kafka-consumer-groups", code=1).stderr, "no action")


def test_tools_that_look_at_the_cluster():
    made = filled("cluster")
    check(re.search(r"^\tProduce\(0\): 0 to \d+ \[usable: \d+\],$", tool("kafka-broker-api-versions").stdout, re.M), "versions")
    seen = json.loads(tool("kafka-log-dirs", "--describe", "--topic-list", made).stdout.splitlines()[-1])
    check(seen["brokers"][0]["logDirs"][0]["partitions"][0]["partition"] == f"{made}-0", seen)
    check("LeaderId: " in tool("kafka-metadata-quorum", "describe", "--status").stdout, "quorum")
    check(tool("kafka-metadata-quorum", "describe", "--replication").stdout.startswith("NodeId\tDirectoryId"), "replication")
    check(tool("kafka-transactions", "list").stdout.startswith("TransactionalId"), "transactions")
    r = tool("kafka-transactions", "describe-producers", "--topic", made, "--partition", 0)
    check(len(r.stdout.splitlines()) == 2, r.stdout)
    tool("kafka-transactions", "describe", "--transactional-id", "nosuch", code=1)
    check("not available" in tool("kafka-transactions", "find-hanging", code=1).stderr, "find-hanging")


def test_help_and_nobody_there():
    broker()
    for path in sorted((server.directory / "bin").iterdir()):
        r = subprocess.run([path, "--help"], capture_output=True, text=True)
        name = path.name.removesuffix(".sh")
        check(r.returncode == 0 and r.stdout.startswith(f"usage: {name} "), f"{path}: {r}")
        check(not name.startswith("kafka-") or "--bootstrap-server" in r.stdout, f"{path}: {r}")
    listed = run("help", "tools").stdout
    check(all(p.name in listed for p in (server.directory / "bin").iterdir() if p.suffix != ".sh"), listed)
    r = run("link-tools", server.directory / "bin")
    check(r.returncode == 0, f"again: {r.stderr}")
    for words in [("consume", "x"), ("produce", "x"), ("groups",), ("topics",)]:
        r = run(*words, "--brokers", "127.0.0.1:1", stdin="")
        check(r.returncode == 1 and r.stderr.startswith("error: "), f"{words}: {r}")
