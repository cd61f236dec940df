"""The same job on Bytewax: Kafka's source of its own, and a sink that writes with Cassandra's driver, many statements in flight.

python -m bytewax.run bytewax_job:flow -r FOLDER, with BOOTSTRAP, CASSANDRA_PORT, TOPIC and TAIL (1: it goes on at the topic's end) in the environment."""
import json
import os
import uuid

import bytewax.operators as op
from bytewax.connectors.kafka import KafkaSource
from bytewax.dataflow import Dataflow
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from cassandra.cluster import Cluster
from cassandra.concurrent import execute_concurrent_with_args

FIELDS = ("id", "first_name", "last_name", "gender", "address", "post_code", "email", "username", "dob", "registered_date", "phone", "picture")


class Rows(StatelessSinkPartition):
    def __init__(self):
        self.cluster = Cluster(["127.0.0.1"], port=int(os.environ["CASSANDRA_PORT"]))
        self.session = self.cluster.connect("spark_streams")
        self.insert = self.session.prepare(f"INSERT INTO created_users ({', '.join(FIELDS)}) VALUES ({', '.join('?' * len(FIELDS))})")

    def write_batch(self, items):
        execute_concurrent_with_args(self.session, self.insert, items, concurrency=128)

    def close(self):
        self.cluster.shutdown()


class Table(DynamicSink):
    def build(self, step_id, worker_index, worker_count):
        return Rows()


def row(message):
    event = json.loads(message.value)
    if event.get("id") is None:
        return None
    return (uuid.UUID(event["id"]), *(None if event.get(f) is None else str(event[f]) for f in FIELDS[1:]))


flow = Dataflow("created_users")
messages = op.input("kafka", flow, KafkaSource([os.environ["BOOTSTRAP"]], [os.environ["TOPIC"]], tail=os.environ.get("TAIL") == "1", batch_size=1000))
op.output("table", op.filter_map("row", messages, row), Table())
print("started", flush=True)
