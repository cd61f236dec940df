"""The Java driver 4.18 in protocols 3, 4 and 5, with and without compression; the Spark Cassandra connector 3.5.1, reading and writing."""
import pathlib

import cassandra
import engines
from engines import HERE, classes, jars, package, peer, venv
from harness import folder


def java(protocol, *more):
    host, port = cassandra.server()
    java = package("java", "openjdk-17-jdk-headless")
    out = peer(f"Java driver, {protocol}", [java, "-Xmx256m", "-XX:TieredStopAtLevel=1", "-cp", classes("cassandra-driver", "CqlDriver"), "CqlDriver", host, port, protocol, *more],
               timeout=900)
    engines.same("its last word", out.strip(), "ok")


def test_cql_java_driver_v3():
    java("V3")


def test_cql_java_driver_v4():
    java("V4")


def test_cql_java_driver_v4_snappy():
    java("V4", "snappy")


def test_cql_java_driver_v5():
    java("V5")


def test_cql_java_driver_v5_lz4():
    java("V5", "lz4")


def test_cql_spark_connector_reads_and_writes():
    host, port = cassandra.server()
    jvm = pathlib.Path(package("java", "openjdk-17-jdk-headless")).resolve()
    env = {"JAVA_HOME": str(jvm.parent.parent), "SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_PYTHON": str(venv("spark"))}
    names = {j.name: j for j in jars("spark-cassandra").glob("*.jar")}
    ours = ",".join(str(j) for n, j in sorted(names.items()) if not n.startswith(("scala-library", "scala-reflect", "spark-")) or n.startswith("spark-cassandra"))
    with folder() as f:
        out = peer("Spark's Cassandra connector", [venv("spark"), HERE / "python" / "spark_cassandra.py", host, port, f, ours], timeout=900, env=env)
    engines.same("its last word", out.strip().splitlines()[-1], "ok")
