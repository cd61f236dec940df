"""bench/run kafka: our Kafka door beside Apache Kafka itself, the same machine, run and client programs.

Three brokers take turns: ours (every acknowledgement is on disk), Kafka as it comes (no fsync), and Kafka with
log.flush.interval.messages=1 (equal durability). Clients: librdkafka's rdkafka_performance, Kafka's own
ProducerPerformance and ConsumerPerformance. The server's processor seconds stand beside each rate.
"""
import pathlib
import re
import shutil
import subprocess
import tempfile
import time

from engines import Kafka, free_port, jars, listens, rdkafka_performance, venv
from harness import Failed, Server, check, wait_for

KAFKA = "kafka-4.3"
HEAP = ("-Xms1G", "-Xmx1G", "-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", "-XX:InitiatingHeapOccupancyPercent=35",
        "-XX:+ExplicitGCInvokesConcurrent", "-Djava.awt.headless=true")  # as bin/kafka-server-start.sh


class Ours:
    name = "sluice"

    def __init__(self, base):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="sluice-bench-", dir=base))
        (self.folder / "pipeline.sql").write_text("-- clients make their own topics\n")
        self.port = free_port()
        start = time.monotonic()
        self.server = Server(self.folder, sets=(f"kafka.port={self.port}",))
        self.process = self.server.process
        wait_for("our door", lambda: self.process.poll() is not None or listens(self.port), 30)
        check(self.process.poll() is None, f"our server ended:\n{self.server.output()}")
        self.start_ms = (time.monotonic() - start) * 1000

    def stop(self):
        self.server.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


class Theirs(Kafka):
    def __init__(self, name, more=""):
        self.name = name
        super().__init__(KAFKA, more, HEAP)


def brokers(base):
    """Started one after another; all stay up, for who is idle costs next to nothing."""
    made = []
    try:
        made.append(Ours(base))
        made.append(Theirs("kafka"))
        made.append(Theirs("kafka, fsync", "log.flush.interval.messages=1\n"))
    except BaseException:
        for b in made:
            b.stop()
        raise
    return made


# --- what is measured ---------------------------------------------------------------------------

def rdkafka(*args, timeout=600):
    r = subprocess.run([str(rdkafka_performance()), *map(str, args)], capture_output=True, text=True, timeout=timeout)
    text = r.stdout + r.stderr
    if r.returncode:
        raise Failed(f"rdkafka_performance {' '.join(map(str, args))}: {text[-2000:]}")
    return text


def rate_of(text):
    """The last line with a rate: '… in 1234ms: 810044 msgs/s and 81.0 MB/s …'."""
    found = re.findall(r"in (\d+)ms: (\d+) msgs/s", text)
    check(found, f"rdkafka_performance tells no rate:\n{text[-1500:]}")
    return int(found[-1][1])


def make_topic(broker, partitions=1):
    name = f"t{time.monotonic_ns()}"
    script = pathlib.Path(__file__).resolve().parent.parent / "tests" / "peers" / "python" / "make_topic.py"
    r = subprocess.run([venv("librdkafka-2"), script, f"127.0.0.1:{broker.port}", name, str(partitions)], capture_output=True, text=True)
    check(r.returncode == 0, f"a topic can not be made: {r.stdout}{r.stderr}")
    return name


def produce(broker, topic, size, count):
    return rate_of(rdkafka("-P", "-b", f"127.0.0.1:{broker.port}", "-t", topic, "-s", size, "-c", count, "-a", -1,
                           "-X", "queue.buffering.max.messages=500000", "-X", "queue.buffering.max.ms=5"))


def consume(broker, topic, count):
    return rate_of(rdkafka("-C", "-b", f"127.0.0.1:{broker.port}", "-t", topic, "-p", 0, "-o", "beginning", "-c", count,
                           "-X", "fetch.message.max.bytes=1048576", "-X", "queued.max.messages.kbytes=65536"))


def java(tool, *args, timeout=600):
    r = subprocess.run(["java", "-Xmx512m", "-cp", f"{jars(KAFKA)}/*", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error",
                        f"org.apache.kafka.tools.{tool}", *map(str, args)], capture_output=True, text=True, timeout=timeout)
    if r.returncode:
        raise Failed(f"{tool}: {r.stdout[-1500:]}{r.stderr[-1500:]}")
    return r.stdout


def java_produce(broker, topic, size, count):
    text = java("ProducerPerformance", "--topic", topic, "--num-records", count, "--record-size", size, "--throughput", -1,
                "--producer-props", f"bootstrap.servers=127.0.0.1:{broker.port}", "acks=all", "linger.ms=5")
    return float(re.findall(r"([0-9.]+) records/sec", text)[-1])


def java_consume(broker, topic, count):
    text = java("ConsumerPerformance", "--bootstrap-server", f"127.0.0.1:{broker.port}", "--topic", topic, "--messages", count,
                "--hide-header")
    return float(text.strip().splitlines()[-1].split(",")[5])  # data.consumed.in.nMsg's rate: nMsg.sec


def latencies(broker, rate, seconds, linger=0):
    """From the producer's call to the consumer's, milliseconds: rdkafka_performance -l on both sides."""
    topic = make_topic(broker)
    count = rate * seconds
    with tempfile.TemporaryDirectory() as scratch:
        file = pathlib.Path(scratch) / "latencies"
        consumer = subprocess.Popen([str(rdkafka_performance()), "-C", "-b", f"127.0.0.1:{broker.port}", "-t", topic, "-p", "0", "-o", "beginning",
                                     "-c", str(count), "-l", "-A", str(file), "-q", "-X", "fetch.wait.max.ms=500"],
                                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            time.sleep(1.5)  # it is connected and waits: what is measured is the way of a record, not of a client's start
            rdkafka("-P", "-b", f"127.0.0.1:{broker.port}", "-t", topic, "-s", 100, "-c", count, "-a", -1, "-r", rate, "-l", "-q",
                    "-X", f"queue.buffering.max.ms={linger}", timeout=seconds * 3 + 60)
            consumer.wait(60)
        finally:
            consumer.kill()
        seen = (int(line.split()[-1]) / 1000 for line in file.read_text().splitlines() if line.strip() and line.split()[-1].isdigit())
        seen = sorted(list(seen)[rate:])  # without the first second, in which the producer connects
    check(len(seen) > count * 0.7, f"{len(seen)} latencies of {count}")
    at = lambda q: seen[min(len(seen) - 1, int(len(seen) * q))]
    return {"p50": at(0.5), "p99": at(0.99), "p99.9": at(0.999)}


class Table:
    """(what, broker) -> values; told as minimum and median, and as the ratio to ours."""

    def __init__(self):
        self.values = {}

    def put(self, what, unit, broker, value):
        self.values.setdefault((what, unit), {}).setdefault(broker, []).append(value)

    def tell(self, add):
        for (what, unit), by in self.values.items():
            for broker, values in by.items():
                add(f"{what}: {broker}", unit, values, "")


def rounds(made, table, cpu, what, unit, measure, count, per=1e6):
    """One turn for each broker, with the server's processor seconds a million records (or a GB)."""
    for b in made:
        before = cpu(b.process.pid)
        value = measure(b)
        spent = cpu(b.process.pid) - before
        table.put(what, unit, b.name, value)
        table.put(f"{what}: server processor", "s/M records" if per == 1e6 else "s/GB", b.name, spent / count * per)


def bench(add, cpu, pss, base, turns, records):
    made = brokers(base)
    table = Table()
    try:
        for b in made:
            table.put("start until it serves", "ms", b.name, b.start_ms)
        for size, count in ((100, records), (1024, records // 4)):
            for b in made:  # warm: the Java side compiles
                produce(b, make_topic(b), size, count // 4)
            for _ in range(turns):
                topics = {b.name: make_topic(b) for b in made}
                rounds(made, table, cpu, f"produce {size} B, librdkafka", "records/s", lambda b: produce(b, topics[b.name], size, count), count)
                rounds(made, table, cpu, f"fetch {size} B, librdkafka", "records/s", lambda b: consume(b, topics[b.name], count), count * size, 1e9)
                rounds(made, table, cpu, f"produce {size} B, Java", "records/s", lambda b: java_produce(b, make_topic(b), size, count // 2), count // 2)
                rounds(made, table, cpu, f"fetch {size} B, Java", "records/s", lambda b: java_consume(b, topics[b.name], count), count * size, 1e9)
            for b in made:
                table.put("memory under load (PSS)", "MiB", b.name, pss(b.process.pid))
        for rate, linger in ((1000, 0), (10000, 0), (10000, 1)):  # at 10,000 requests a second Kafka does not keep up here: with a linger too
            for _ in range(turns):
                for b in made:
                    for q, ms in latencies(b, rate, 5, linger).items():
                        table.put(f"latency at {rate}/s, linger {linger} ms, {q}", "ms", b.name, ms)
    finally:
        for b in made:
            b.stop()
    table.tell(add)
