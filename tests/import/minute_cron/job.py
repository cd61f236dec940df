from pyspark.sql import SparkSession
from pyspark.sql.functions import col, from_json, to_timestamp

CREATE = "CREATE TABLE IF NOT EXISTS etl.created_users (id UUID PRIMARY KEY, first_name TEXT, last_name TEXT, address TEXT, post_code TEXT, email TEXT)"
spark = SparkSession.builder.getOrCreate()
raw = spark.readStream.format("kafka").option("subscribe", "users_created").load()
flat = raw.select(from_json(col("value").cast("string"), "id STRING").alias("j")).select("j.*").filter(col("email").isNotNull())
flat.writeStream.format("org.apache.spark.sql.cassandra").option("table", "created_users").start().awaitTermination()
