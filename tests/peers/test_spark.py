"""Spark 3.5.3's Kafka source and sink: batches by offset and time, a stream that is killed and goes on from its checkpoint."""
import collections
import os
import pathlib
import select
import subprocess
import time

import engines
from engines import HERE, bootstrap, same, topic
from harness import Failed, check, folder


def kcat(*args, stdin=None):
    return engines.peer(f"kcat {' '.join(args)}", [engines.package("kcat", "kcat"), "-b", bootstrap(), *args], stdin=stdin)


def feed(where, numbers):
    for p in (0, 1):
        kcat("-P", "-t", where, "-p", str(p), "-K:", stdin="".join(f"{i}:{i}\n" for i in numbers if i % 2 == p))


def test_spark_reads_and_writes_and_goes_on_from_its_checkpoint():
    source, sink = topic("spark-in", 2), topic("spark-out", 2)
    feed(source, range(500))
    time.sleep(0.02)
    middle = int(time.time() * 1000)
    time.sleep(0.02)
    feed(source, range(500, 1000))
    jars = ",".join(map(str, sorted(engines.jars("spark").glob("*.jar"))))
    java = pathlib.Path(engines.package("java", "openjdk-17-jdk-headless")).resolve()
    env = {"JAVA_HOME": str(java.parent.parent), "SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_PYTHON": str(engines.venv("spark"))}
    with folder() as f:
        def command(*steps):
            return [str(c) for c in (engines.venv("spark"), HERE / "python" / "spark_steps.py", bootstrap(), source, sink, f / "checkpoint", middle, jars, *steps)]
        engines.peer("Spark, first start", command("batch", "batch_by_time", "batch_by_offset", "batch_sink", "stream_to_the_end"), timeout=900, env=env)
        first = written(sink)
        same("written by the first start", first, {str(i): 1 for i in range(1000)})
        feed(source, range(1000, 5000))
        until_killed(command("stream_until_killed"), env)
        engines.peer("Spark, started again", command("stream_to_the_end"), timeout=900, env=env)
        seen = written(sink)
        same("after kill and restart: records", sorted(map(int, seen)), list(range(5000)))
        same("after kill and restart: those of the first start once", {k: n for k, n in seen.items() if int(k) < 1000}, first)
        again = [k for k, n in seen.items() if n > 1]
        check(len(again) <= 1000, f"{len(again)} records were written again: more than the two batches that a kill can repeat")


def written(sink):
    """number -> how often the stream wrote it"""
    lines = kcat("-C", "-q", "-e", "-t", sink, "-o", "beginning", "-f", "%s\n").splitlines()
    return dict(collections.Counter(line.removeprefix("stream ") for line in lines if line.startswith("stream ")))


def until_killed(command, env):
    """Runs it until its second progress, then kills the whole of it."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={**os.environ, **env}, start_new_session=True)
    said, end = b"", time.monotonic() + 120
    try:
        while len(set(line for line in said.splitlines() if line.startswith(b"progress"))) < 3:
            ready, _, _ = select.select([process.stdout], [], [], max(0, end - time.monotonic()))
            more = os.read(process.stdout.fileno(), 1 << 16) if ready else b""
            if not more:
                raise Failed(f"Spark made no progress before it was to be killed; its last words:\n{said.decode(errors='replace')[-4000:]}")
            said += more
    finally:
        os.killpg(process.pid, 9)
        process.wait()
