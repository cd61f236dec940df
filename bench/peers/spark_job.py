"""spark_job.py BOOTSTRAP CASSANDRA_PORT CHECKPOINT TRIGGER TOPIC JARS: the known pipelines' Structured Streaming job: flat JSON of a topic into
spark_streams.created_users. TRIGGER: available-now, or default. Says `started` and `done` as it goes."""
import sys

from pyspark.sql import SparkSession
from pyspark.sql.functions import col, from_json
from pyspark.sql.types import StringType, StructField, StructType

bootstrap, port, checkpoint, trigger, topic, jars = sys.argv[1:]
FIELDS = ("id", "first_name", "last_name", "gender", "address", "post_code", "email", "username", "dob", "registered_date", "phone", "picture")
spark = (SparkSession.builder.appName("SparkDataStreaming").master("local[2]").config("spark.jars", jars).config("spark.driver.memory", "1g")
         .config("spark.cassandra.connection.host", "127.0.0.1").config("spark.cassandra.connection.port", port)
         .config("spark.ui.enabled", "false").config("spark.sql.shuffle.partitions", "2")
         .config("spark.driver.bindAddress", "127.0.0.1").config("spark.driver.host", "127.0.0.1")
         .config("spark.sql.extensions", "com.datastax.spark.connector.CassandraSparkExtensions").getOrCreate())
spark.sparkContext.setLogLevel("ERROR")
schema = StructType([StructField(f, StringType(), f != "id") for f in FIELDS])
events = (spark.readStream.format("kafka").option("kafka.bootstrap.servers", bootstrap).option("subscribe", topic)
          .option("startingOffsets", "earliest").load().selectExpr("CAST(value AS STRING)")
          .select(from_json(col("value"), schema).alias("data")).select("data.*").filter(col("id").isNotNull()))
writer = (events.writeStream.format("org.apache.spark.sql.cassandra").option("checkpointLocation", checkpoint)
          .option("keyspace", "spark_streams").option("table", "created_users"))
if trigger == "available-now":
    writer = writer.trigger(availableNow=True)
query = writer.start()
print("started", flush=True)
query.awaitTermination()
print("done", flush=True)
spark.stop()
