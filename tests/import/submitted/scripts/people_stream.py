from pyspark.sql import SparkSession
from pyspark.sql.functions import col, from_json
from pyspark.sql.types import StringType, StructField, StructType

shape = StructType([StructField(n, StringType()) for n in ("uuid", "first_name", "city", "password", "age", "email")])
spark = SparkSession.builder.getOrCreate()
people = spark.readStream.format("kafka").option("subscribe", "user_records").load() \
    .select(from_json(col("value").cast("string"), shape).alias("data")).select("data.*")
people.writeStream.format("org.apache.spark.sql.cassandra").option("checkpointLocation", "/var/lib/checkpoints/people") \
    .option("keyspace", "worldwide_users").option("table", "user_records").start().awaitTermination()
