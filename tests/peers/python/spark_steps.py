"""spark_steps.py ADDRESS SOURCE SINK CHECKPOINT MIDDLE JARS STEP...: Spark's Kafka source and sink, in one session.

MIDDLE is a time in ms: of the 1000 records of SOURCE's two partitions, 500 are older."""
import json
import sys

from pyspark.sql import SparkSession

ADDRESS, SOURCE, SINK, CHECKPOINT, MIDDLE, JARS, *STEPS = sys.argv[1:]
spark = (SparkSession.builder.master("local[2]").appName("peers").config("spark.jars", JARS)
         .config("spark.ui.enabled", "false").config("spark.sql.shuffle.partitions", "2")
         .config("spark.driver.memory", "1g").config("spark.driver.bindAddress", "127.0.0.1")
         .config("spark.driver.host", "127.0.0.1").getOrCreate())
spark.sparkContext.setLogLevel("ERROR")


def same(what, seen, expected):
    if seen != expected:
        raise SystemExit(f"{what}: seen {seen}, expected {expected}")


def kafka(reader, topic, **options):
    for key, value in {"kafka.bootstrap.servers": ADDRESS, "subscribe": topic, **options}.items():
        reader = reader.option(key, value)
    return reader


def batch():
    rows = kafka(spark.read.format("kafka"), SOURCE, includeHeaders="true").load()
    same("records", rows.count(), 1000)
    row = rows.where("partition = 1 and offset = 3").first()
    same("fields", (row.topic, bytes(row.key).decode(), row.timestampType), (SOURCE, bytes(row.value).decode(), 0))
    same("keys", rows.selectExpr("cast(key as string) k").distinct().count(), 1000)


def batch_by_time():
    times = json.dumps({SOURCE: {"0": int(MIDDLE), "1": int(MIDDLE)}})
    late = kafka(spark.read.format("kafka"), SOURCE, startingOffsetsByTimestamp=times).load()
    early = kafka(spark.read.format("kafka"), SOURCE, startingOffsets="earliest", endingOffsetsByTimestamp=times).load()
    same("from a time, up to a time", (late.count(), early.count()), (500, 500))


def batch_by_offset():
    places = json.dumps({SOURCE: {"0": -2, "1": 10}})
    ends = json.dumps({SOURCE: {"0": 5, "1": 30}})
    same("from and up to offsets", kafka(spark.read.format("kafka"), SOURCE, startingOffsets=places, endingOffsets=ends).load().count(), 25)


def batch_sink():
    rows = spark.range(100).selectExpr("cast(id as string) key", "concat('batch ', id) value")
    rows.write.format("kafka").option("kafka.bootstrap.servers", ADDRESS).option("topic", SINK).save()
    seen = kafka(spark.read.format("kafka"), SINK).load().where("value like 'batch %'")
    same("records of the sink", seen.count(), 100)


def stream(**trigger):
    rows = kafka(spark.readStream.format("kafka"), SOURCE, startingOffsets="earliest", maxOffsetsPerTrigger="500").load()
    return (rows.selectExpr("key", "concat('stream ', cast(value as string)) value").writeStream.format("kafka")
            .option("kafka.bootstrap.servers", ADDRESS).option("topic", SINK).option("checkpointLocation", CHECKPOINT)
            .trigger(**trigger).start())


def stream_to_the_end():
    stream(availableNow=True).awaitTermination()


def stream_until_killed():
    query = stream(processingTime="200 milliseconds")
    while True:
        query.awaitTermination(0.2)
        if query.lastProgress:
            print("progress", query.lastProgress["batchId"], flush=True)


for step in STEPS:
    globals()[step]()
    print("done", step, flush=True)
spark.stop()
