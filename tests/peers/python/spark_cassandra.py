"""spark_cassandra.py HOST PORT FOLDER JARS: the known pipeline's way into the table, and back: a stream of files is written by the
connector, read again with conditions pushed down, joined, appended, overwritten."""
import json
import pathlib
import sys

from pyspark.sql import SparkSession
from pyspark.sql.functions import col, from_json
from pyspark.sql.types import IntegerType, StringType, StructField, StructType

host, port, folder, jars = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3]), sys.argv[4]
spark = (SparkSession.builder.appName("SparkDataStreaming").master("local[2]").config("spark.jars", jars)
         .config("spark.cassandra.connection.host", host).config("spark.cassandra.connection.port", port).config("spark.ui.enabled", "false")
         .config("spark.sql.shuffle.partitions", "2").config("spark.sql.extensions", "com.datastax.spark.connector.CassandraSparkExtensions")
         .config("spark.sql.catalog.c", "com.datastax.spark.connector.datasource.CassandraCatalog").getOrCreate())
spark.sparkContext.setLogLevel("ERROR")
KS = f"spark_{port}"


def same(what, seen, expected):
    if seen != expected:
        raise SystemExit(f"{what}: seen {seen}, expected {expected}")


spark.sql(f"CREATE DATABASE IF NOT EXISTS c.{KS} WITH DBPROPERTIES (class='SimpleStrategy', replication_factor='1')")
spark.sql(f"DROP TABLE IF EXISTS c.{KS}.created_users")
spark.sql(f"CREATE TABLE c.{KS}.created_users (id STRING, first_name STRING, last_name STRING, age INT) USING cassandra PARTITIONED BY (id)")

# a stream, as in the known pipeline's spark_stream.py
source = folder / "in"
source.mkdir()
with open(source / "1.json", "w") as f:
    for i in range(3000):
        f.write(json.dumps({"id": f"u{i}", "first_name": f"Ada {i}", "last_name": "Lovelace", "age": i % 90}) + "\n")
schema = StructType([StructField("id", StringType()), StructField("first_name", StringType()), StructField("last_name", StringType()), StructField("age", IntegerType())])
stream = spark.readStream.text(str(source)).select(from_json(col("value"), schema).alias("d")).select("d.*").filter(col("id").isNotNull())
query = (stream.writeStream.format("org.apache.spark.sql.cassandra").option("checkpointLocation", str(folder / "checkpoint"))
         .option("keyspace", KS).option("table", "created_users").trigger(availableNow=True).start())
query.awaitTermination(200)


def table():
    return spark.read.format("org.apache.spark.sql.cassandra").options(keyspace=KS, table="created_users").load()


same("rows of the stream", table().count(), 3000)
same("one key, pushed down", [r.first_name for r in table().filter(col("id") == "u17").collect()], ["Ada 17"])
same("several keys", table().filter(col("id").isin("u1", "u2", "nobody")).count(), 2)
same("a sum", table().groupBy("last_name").sum("age").collect()[0][1], sum(i % 90 for i in range(3000)))
more = spark.createDataFrame([(f"v{i}", "Bob", None, i) for i in range(500)], schema)
more.write.format("org.apache.spark.sql.cassandra").options(keyspace=KS, table="created_users").mode("append").save()
same("appended", table().count(), 3500)
keys = spark.createDataFrame([(f"u{i}",) for i in range(0, 3000, 100)], StructType([StructField("id", StringType())]))
same("a join by keys", keys.join(table(), "id").count(), 30)
(spark.createDataFrame([("w", "Eve", "X", 1)], schema).write.format("org.apache.spark.sql.cassandra").options(keyspace=KS, table="created_users")
 .option("confirm.truncate", "true").mode("overwrite").save())
same("overwritten", [r.id for r in table().collect()], ["w"])
same("through the catalog", spark.sql(f"SELECT count(*) FROM c.{KS}.created_users").collect()[0][0], 1)
spark.stop()
print("ok")
