from pyspark.sql import SparkSession
from pyspark.sql.functions import col, concat_ws, expr, from_json, lower, to_json
from pyspark.sql.types import StringType, StructField, StructType

KEYSPACE = "spark_streams"
CREATE = f"""CREATE TABLE IF NOT EXISTS {KEYSPACE}.created_users (
    id UUID, first_name TEXT, last_name TEXT, address TEXT, postcode TEXT, email TEXT, age INT, picture TEXT, registered TIMESTAMP,
    PRIMARY KEY (id))"""
person = StructType([StructField("email", StringType(), True), StructField("name", StructType([StructField("first", StringType())]))])


def flat(raw):
    parsed = raw.selectExpr("CAST(value AS STRING) AS json_str").select(from_json(col("json_str"), person).alias("data"))
    return parsed.select(
        expr("uuid()").alias("id"),
        col("data.name.first").alias("first_name"),
        col("data.name.last").alias("last_name"),
        concat_ws(", ", col("data.location.street.name"), col("data.location.city")).alias("address"),
        col("data.location.postcode").cast("string").alias("postcode"),
        lower(col("data.email")).alias("email"),
        col("data.dob.age").alias("age"),
        to_json(col("data.picture")).alias("picture"),
        col("data.registered.date").cast("timestamp").alias("registered"),
    )


def write(frame, batch_id):
    try:
        frame.write.format("org.apache.spark.sql.cassandra").option("keyspace", KEYSPACE).option("table", "created_users").save()
    except Exception as problem:
        print("batch lost", batch_id, problem)


spark = SparkSession.builder.config("spark.cassandra.auth.password", "hunter2").getOrCreate()
raw = spark.readStream.format("kafka").option("subscribe", "user_created").option("failOnDataLoss", "false").load()
flat(raw).writeStream.foreachBatch(write).option("checkpointLocation", "/tmp/people").start().awaitTermination()
