"""Real peers read what the program writes: kafka-python the log's files, PyYAML and the standard library
the API's formats, prometheus-client the metrics. They are fetched once, outside the checkout, with pip;
when one can not be had, its tests fail and say so."""
import csv
import io
import json
import os
import pathlib
import re
import subprocess
import sys
import urllib.request
import xml.etree.ElementTree

from harness import Failed, Server, check, folder, project, wait_for

PEERS = {"kafka-python": "3.0.12", "lz4": "4.4.5", "zstandard": "0.25.0", "python-snappy": "0.7.3", "PyYAML": "6.0.3", "prometheus-client": "0.25.0"}
PLACE = pathlib.Path(os.environ.get("SLUICE_PEERS", pathlib.Path.home() / ".cache" / "sluice-peers")) / f"python{sys.version_info.major}.{sys.version_info.minor}"


def fetch():
    wanted = [f"{n}=={v}" for n, v in PEERS.items()]
    mark = PLACE / "fetched"
    if mark.exists() and mark.read_text() == "\n".join(wanted):
        return
    PLACE.mkdir(parents=True, exist_ok=True)
    r = subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--target", PLACE, "--upgrade", *wanted], capture_output=True, text=True)
    if r.returncode:
        raise Failed(f"the peers can not be fetched: {r.stderr[-2000:]}")
    mark.write_text("\n".join(wanted))


fetch()
sys.path.insert(0, str(PLACE))

PIPELINE = """CREATE SOURCE people FROM GENERATOR '' WITH (seed = 'peers', results = 50, total = 500, key = 'login.uuid', codec = '{codec}')
  INTO TOPIC people WITH (partitions = 4);
"""


def whole_batches(raw):
    """Without the zeros that may stand ahead of the log's end: a batch's length is never 0."""
    at = 0
    while at + 12 <= len(raw) and (length := int.from_bytes(raw[at + 8:at + 12], "big")):
        at += 12 + length
    return raw[:at]


def segments(data):
    """partition -> all bytes of its files, by what stands in the data directory"""
    out = {}
    for path in sorted((data / "log").glob("people-*/*.log")):
        partition = int(path.parent.name.rsplit("-", 1)[1])
        out[partition] = out.get(partition, b"") + path.read_bytes()
    return out


def test_kafka_python_reads_the_logs_files_in_every_codec():
    from kafka.record import MemoryRecords
    from kafka.partitioner.default import murmur2
    for codec in ("none", "gzip", "snappy", "lz4", "zstd"):
        with folder() as f:
            p = project(f / "p", PIPELINE.format(codec=codec))
            with Server(p, args=("--drain",)) as s:
                check(s.process.wait(60) == 0, s.output())
            seen = set()
            for partition, raw in segments(p / ".sluice").items():
                records, offset = MemoryRecords(whole_batches(raw)), 0
                while records.has_next():
                    batch = records.next_batch()
                    check(batch.validate_crc(), f"{codec}: the CRC of a batch in {partition}")
                    for record in batch:
                        check(record.offset == offset, f"{codec}: offset {record.offset}, not {offset}")
                        offset += 1
                        person = json.loads(record.value)
                        check(record.key.decode() == person["login"]["uuid"], f"{codec}: the key")
                        check((murmur2(record.key) & 0x7FFFFFFF) % 4 == partition, f"{codec}: Kafka would put it elsewhere")
                        check(record.timestamp > 1.6e12, f"{codec}: the time {record.timestamp}")
                        seen.add(person["login"]["uuid"])
            check(len(seen) == 500, f"{codec}: {len(seen)} records")


def api(*args):
    from harness import SLUICE
    process = subprocess.Popen([SLUICE, "api", "--port", "0", *args], stdout=subprocess.PIPE, text=True)
    port = re.search(r":(\d+)/api/", process.stdout.readline()).group(1)
    return process, port


def get(port, query):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/?{query}", timeout=30) as r:
        return r.read().decode("utf-8")


def test_the_apis_formats_are_read_by_others_and_say_the_same():
    import yaml
    process, port = api()
    try:
        query = "results=25&seed=formats&nat=ir,ua,rs,tr,gb,ca"
        people = json.loads(get(port, query))["results"]
        check(len(people) == 25, "25 people")
        check(json.loads(get(port, query + "&format=pretty"))["results"] == people, "pretty")
        by_yaml = yaml.safe_load(get(port, query + "&format=yaml"))["results"]
        check([p["email"] for p in by_yaml] == [p["email"] for p in people], "yaml")
        rows = list(csv.DictReader(io.StringIO(get(port, query + "&format=csv"))))
        check([r["email"] for r in rows] == [p["email"] for p in people], "csv")
        check([r["name.first"] for r in rows] == [p["name"]["first"] for p in people], "csv in other scripts")
        tree = xml.etree.ElementTree.fromstring(get(port, query + "&format=xml"))
        check([e.text for e in tree.iter("email")] == [p["email"] for p in people], "xml")
    finally:
        process.terminate()
        process.wait()


def test_metrics_are_read_by_prometheus_own_parser():
    from prometheus_client.parser import text_string_to_metric_families
    with folder() as f:
        p = project(f / "p", PIPELINE.format(codec="none"))
        with Server(p) as s:
            s.ready()
            wait_for("all", lambda: s.stage("people")["ledger"]["applied"] == 500)
            with urllib.request.urlopen(f"http://127.0.0.1:{s.field('metrics_port')}/metrics", timeout=10) as r:
                families = {m.name: m for m in text_string_to_metric_families(r.read().decode())}
            check(families["sluice_stage_records_applied"].samples[0].value == 500, f"{families['sluice_stage_records_applied']}")
            check(sum(x.value for x in families["kafka_topic_partition_current_offset"].samples) == 500, "offsets")
            check(all(m.documentation for m in families.values()), "a metric without a sentence")
            check(s.stop() == 0, s.output())
