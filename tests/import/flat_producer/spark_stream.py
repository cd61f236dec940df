from cassandra.cluster import Cluster
from pyspark.sql import SparkSession
from pyspark.sql.functions import col, from_json
from pyspark.sql.types import StringType, StructField, StructType

TABLE = """
CREATE TABLE IF NOT EXISTS spark_streams.created_users (
    id UUID PRIMARY KEY,
    first_name TEXT,
    last_name TEXT,
    address TEXT,
    post_code TEXT,
    email TEXT,
    phone TEXT)
"""
fields = StructType([
    StructField("id", StringType(), False),
    StructField("first_name", StringType(), False),
    StructField("last_name", StringType(), False),
    StructField("address", StringType(), False),
    StructField("post_code", StringType(), False),
    StructField("email", StringType(), False),
    StructField("phone", StringType(), False),
])

spark = SparkSession.builder.appName("people") \
    .config("spark.jars.packages", "com.datastax.spark:spark-cassandra-connector_2.13:3.4.1",
            "org.apache.spark:spark-sql-kafka-0-10_2.13:3.4.1") \
    .getOrCreate()
Cluster(["localhost"]).connect().execute(TABLE)
rows = spark.readStream.format("kafka").option("subscribe", "users_created") \
    .option("startingOffsets", "earliest").load() \
    .selectExpr("CAST(value AS STRING)").select(from_json(col("value"), fields).alias("p")).select("p.*")
rows.writeStream.format("org.apache.spark.sql.cassandra").option("checkpointLocation", "/tmp/checkpoint") \
    .option("keyspace", "spark_streams").option("table", "created_users").start().awaitTermination()
