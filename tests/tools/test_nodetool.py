"""The program called as nodetool: the forms of Apache Cassandra 5.0.5's own, as they were seen there, and its exit codes."""
import atexit
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

from harness import Server, check, run

server = None
USAGE = "See 'nodetool help' or 'nodetool help <command>'.\n"
UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
SIZE = r"\d+(\.\d{1,2})? (bytes|[KMGT]iB)"


def own():
    global server
    if server is None:
        folder = pathlib.Path(tempfile.mkdtemp(prefix="sluice-nodetool-"))
        (folder / "pipeline.sql").write_text("-- tables are made by hand\n")
        server = Server(folder).ready()
        atexit.register(shutil.rmtree, folder, True)
        atexit.register(server.kill)
        check(run("link-tools", folder / "bin").returncode == 0, "link-tools")
        for sql in ["CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
                    "CREATE TABLE ks.t (id int PRIMARY KEY, name text)", "CREATE TABLE ks.u (id int PRIMARY KEY)",
                    "INSERT INTO ks.t (id, name) VALUES (1, 'a')"]:
            r = server.command("query", sql)
            check(r.returncode == 0, f"{sql}: {r.stderr}")
    return server


def nodetool(*args, code=0, environment=True):
    s = own()
    env = {**os.environ, "SLUICE_PROJECT": str(s.directory), "SLUICE_DATA": str(s.data)} if environment else dict(os.environ)
    r = subprocess.run([s.directory / "bin" / "nodetool", *args], capture_output=True, text=True, timeout=60, env=env)
    check(r.returncode == code, f"nodetool {args}: ended with {r.returncode}, not {code}\n{r.stdout}\n{r.stderr}")
    return r.stdout


def fits(pattern, text):
    check(re.fullmatch(pattern, text), f"{text!r} is not as {pattern!r}")


def test_status():
    text = nodetool("status")
    fits(r"Datacenter: datacenter1\n=======================\nStatus=Up/Down\n\|/ State=Normal/Leaving/Joining/Moving\n"
         r"--  Address    Load +Owns \(effective\)  Host ID {31}Token +Rack \n"
         rf"UN  127\.0\.0\.1  {SIZE} *  100\.0%            {UUID}  -?\d+ *  rack1\n\n", text)
    check(nodetool("-h", "localhost", "-p", "7199", "-u", "cassandra", "-pw", "cassandra", "status", "ks") == text, "JMX's options, a keyspace")
    check(nodetool("status", "nosuch", code=1) == "\nError: The keyspace nosuch, does not exist\n", "an unknown keyspace")


def test_different_replications_are_said():
    own().command("query", "CREATE KEYSPACE two WITH replication = {'class': 'NetworkTopologyStrategy', 'datacenter1': 2}")
    try:
        text = nodetool("status")
        check("Owns  Host ID" in text and re.search(r"  \?     " + UUID, text), text)
        check(text.endswith("\n\nNote: Non-system keyspaces don't have the same replication settings, effective ownership information is meaningless\n"), text)
        check("\ttwo -> Replication class: NetworkTopologyStrategy {datacenter1=2}\n" in nodetool("describecluster"), "in describecluster")
    finally:
        own().command("query", "DROP KEYSPACE two")


def test_info_and_version():
    lines = dict(l.split(":", 1) for l in nodetool("info").splitlines())
    check(all(len(k) == 23 for k in lines), lines)
    seen = {k.strip(): v.strip() for k, v in lines.items()}
    fits(UUID, seen["ID"])
    fits(SIZE, seen["Load"])
    fits(r"\d+\.\d\d / \d+\.\d\d", seen["Heap Memory (MB)"])
    check(seen["Native Transport active"] == "true" and seen["Data Center"] == "datacenter1" and seen["Rack"] == "rack1", seen)
    check(0 <= int(seen["Uptime (seconds)"]) < 3600 and int(seen["Generation No"]) > 1700000000, seen)
    check(nodetool("version") == "ReleaseVersion: 5.0.5\n", "version")


def test_describecluster_ring_and_gossip():
    text = nodetool("describecluster")
    fits(rf"Cluster Information:\n\tName: .+\n\tSnitch: org\.apache\.cassandra\.locator\.SimpleSnitch\n\tDynamicEndPointSnitch: disabled\n"
         rf"\tPartitioner: org\.apache\.cassandra\.dht\.Murmur3Partitioner\n\tSchema versions:\n\t\t{UUID}: \[127\.0\.0\.1\]\n\n"
         r"Stats for all nodes:\n\tLive: 1\n\tJoining: 0\n\tMoving: 0\n\tLeaving: 0\n\tUnreachable: 0\n\n"
         r"Data Centers: \n\tdatacenter1 #Nodes: 1 #Down: 0\n\nDatabase versions:\n\t5\.0\.5: \[127\.0\.0\.1:7000\]\n\n"
         r"Keyspaces:\n(\t\w+ -> Replication class: \w+ \{.*\}\n)+\n", text)
    check("\tks -> Replication class: SimpleStrategy {replication_factor=1}\n" in text, text)
    check("\tsystem -> Replication class: LocalStrategy {}\n" in text, text)
    fits(r"\nDatacenter: datacenter1\n==========\nAddress +Rack        Status State   Load            Owns                Token {39}\n\n"
         rf"127\.0\.0\.1 +rack1       Up     Normal  {SIZE} +100\.00%             -?\d+ *\n\n\n  ", nodetool("ring"))
    text = nodetool("gossipinfo")
    check(text.startswith("/127.0.0.1\n  generation:") and re.search(rf"\n  HOST_ID:1:{UUID}\n", text), text)


def test_tablestats():
    text = nodetool("tablestats", "ks.t")
    fits(r"Total number of tables: 1\n----------------\nKeyspace: ks\n\t\tTable: t\n\t\tSpace used \(live\): \d+\n\t\tSpace used \(total\): \d+\n"
         r"\t\tNumber of partitions \(estimate\): 1\n\n----------------\n", text)
    check(nodetool("cfstats", "ks").startswith("Total number of tables: 2\n"), "a keyspace, by the older name")
    said = json.loads(nodetool("tablestats", "-F", "json", "ks.t", "ks", "system"))
    check(list(said) == ["total_number_of_tables", "ks"] and said["total_number_of_tables"] == 2 and list(said["ks"]["tables"]) == ["t", "u"], said)
    one = said["ks"]["tables"]["t"]
    check(list(one) == ["space_used_live", "space_used_total", "number_of_partitions_estimate"] and one["number_of_partitions_estimate"] == 1 and
          one["space_used_live"].isdigit(), one)
    fits(r"total_number_of_tables: 1\nks:\n  tables:\n    t:\n      space_used_live: '\d+'\n      space_used_total: '\d+'\n"
         r"      number_of_partitions_estimate: 1\n\n", nodetool("tablestats", "--format", "yaml", "ks.t"))
    fits(r'(?s)\{\n  "total_number_of_tables" : 1,\n  "ks" : \{\n    "tables" : \{\n      "t" : \{\n        "space_used_live" : "[\d.]+ (bytes|KiB|MiB)",\n.*\n      \}'
         r"\n    \}\n  \}\n\}\n", nodetool("tablestats", "-F", "json", "-H", "ks.t"))
    check(nodetool("tablestats", "-F", "xml", code=1) == "nodetool: arguments for -F are json,yaml only.\n" + USAGE, "another form")
    check(nodetool("tablestats", "nosuch", code=1) == "nodetool: Unknown keyspace: nosuch\n" + USAGE, "an unknown keyspace")
    check(nodetool("tablestats", "ks.nosuch", code=1) == "nodetool: Unknown tables: ks.nosuch\n" + USAGE, "an unknown table")


def test_flush_compact_cleanup_repair():
    for command in ["flush", "compact", "cleanup"]:
        for words in [(), ("ks",), ("ks", "t"), ("ks", "t", "u"), ("system",)]:
            check(nodetool(command, *words) == "", f"{command} {words}")
        check(nodetool(command, "nosuch", code=1) == "nodetool: Keyspace [nosuch] does not exist.\n" + USAGE, command)
        check(nodetool(command, "ks", "nosuch", code=1) == "nodetool: Unknown keyspace/cf pair (ks.nosuch)\n" + USAGE, command)
    fits(r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}\] Replication factor is 1\. No repair is needed for keyspace 'ks'\n", nodetool("repair", "ks"))
    check("'ks'" in nodetool("repair", "-full"), "all keyspaces")
    lines = nodetool("compactionstats").splitlines()
    check(lines[0].startswith("pending tasks ") and len({len(l) for l in lines}) == 1, lines)


def test_snapshots():
    check(nodetool("listsnapshots") == "Snapshot Details: \nThere are no snapshots\n", "none")
    check(nodetool("snapshot", "-t", "one", "ks") == "Requested creating snapshot(s) for [ks] with snapshot name [one] and options {skipFlush=false}\n"
          "Snapshot directory: one\n", "one keyspace")
    fits(r"Requested creating snapshot\(s\) for \[all keyspaces\] with snapshot name \[(\d+)\] and options \{skipFlush=false\}\nSnapshot directory: \1\n", nodetool("snapshot"))
    nodetool("snapshot", "-t", "one", code=2)
    check(nodetool("snapshot", "-t", "x", "nosuch", code=1).endswith("nodetool: Keyspace nosuch does not exist\n" + USAGE), "an unknown keyspace")
    lines = nodetool("listsnapshots").splitlines()
    check(lines[0] == "Snapshot Details: " and lines[1].split("  ")[0].startswith("Snapshot name Keyspace name Column family name"), lines)
    check(len(lines) == 7 and any(l.startswith("one ") for l in lines), lines)
    fits(rf"Total TrueDiskSpaceUsed: {SIZE}", lines[5])
    check(nodetool("clearsnapshot", code=1) == "nodetool: Specify snapshot name or --all\n" + USAGE, "which?")
    check(nodetool("clearsnapshot", "-t", "one") == "Requested clearing snapshot(s) for [all keyspaces] with snapshot name [one]\n", "one")
    check(nodetool("clearsnapshot", "-t", "gone") == "Requested clearing snapshot(s) for [all keyspaces] with snapshot name [gone]\n", "one that is not there")
    check(len(nodetool("listsnapshots").splitlines()) == 6, "the other stays")
    check(nodetool("clearsnapshot", "--all") == "Requested clearing snapshot(s) for [all keyspaces] with [all snapshots]\n", "all")
    check("no snapshots" in nodetool("listsnapshots"), "none again")


def test_small_ones():
    check(nodetool("getendpoints", "ks", "t", "1") == "127.0.0.1\n", "getendpoints")
    check(nodetool("getendpoints", "nosuch", "t", "1", code=1) == "nodetool: Unknown keyspace 'nosuch'\n" + USAGE, "an unknown keyspace")
    check(nodetool("gettraceprobability") == "Current trace probability: 0.0\n", "gettraceprobability")
    check(nodetool("tpstats").startswith("Pool Name  Active Pending Completed Blocked All time blocked\n"), "tpstats")


def test_wrong_usage():
    check(nodetool("nosuch", code=1) == "nodetool: Found unexpected parameters: [nosuch]\n" + USAGE, "unknown")
    check(nodetool("drain", code=1) == "nodetool: drain is not available in this version of sluice\n" + USAGE, "theirs, and not ours")
    check(nodetool("version", "x", code=1) == "nodetool: Found unexpected parameters: [x]\n" + USAGE, "too many words")
    check(nodetool("snapshot", "-t", code=1).startswith("nodetool: Required values for option '-t' not provided"), "no value")
    check(nodetool() == nodetool("--help") and nodetool().startswith("usage: nodetool [(-h <host> | --host <host>)]") and "    status   " in nodetool("help"), "help")
    check(nodetool("help", "status").startswith("NAME\n        nodetool status - Print cluster information (state, load, IDs, ...)\n\nSYNOPSIS\n"), "help status")


def test_which_project():
    s = own()
    check(nodetool("--project", str(s.directory), "--data", str(s.data), "version", environment=False) == "ReleaseVersion: 5.0.5\n", "by options")
    empty = tempfile.mkdtemp(prefix="sluice-nodetool-")
    try:
        pathlib.Path(empty, "pipeline.sql").write_text("--\n")
        r = subprocess.run([s.directory / "bin" / "nodetool", "--project", empty, "status"], capture_output=True, text=True, timeout=30)
        check(r.returncode == 1 and r.stderr.startswith("nodetool: Failed to connect to '127.0.0.1:7199' - ConnectException: 'Connection refused'.\n"), r)
    finally:
        shutil.rmtree(empty, ignore_errors=True)
