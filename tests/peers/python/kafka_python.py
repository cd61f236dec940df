"""kafka-python, 2.0.2 and 3.x: producers, consumers, groups. What only one of them has stands in kafka_python_2.py and _3.py."""
import os
import threading
import time

import kafka
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, OffsetAndMetadata, TopicPartition
from kafka.admin import NewTopic

from kit import ADDRESS, check, main, name, refused, same, wait_for

CODECS = (None, "gzip", "snappy", "lz4", "zstd")
NEW = int(kafka.__version__.split(".")[0]) >= 3


def topic(word, partitions=1, **config):
    made = name(word)
    a = KafkaAdminClient(bootstrap_servers=ADDRESS)
    a.create_topics([NewTopic(made, partitions, 1, topic_configs={k.replace("__", "."): v for k, v in config.items()})])

    def led():
        t = a.describe_topics([made])
        return t and t[0]["error_code"] == 0 and len(t[0]["partitions"]) == partitions and \
            all(p.get("leader", p.get("leader_id")) >= 0 for p in t[0]["partitions"])
    wait_for(f"{made} with {partitions} partitions", led)
    a.close()
    return made


def place(offset):
    return OffsetAndMetadata(offset, "", -1) if NEW else OffsetAndMetadata(offset, "")


def consumer(where, group=None, **config):
    return KafkaConsumer(*([where] if where else []), bootstrap_servers=ADDRESS, group_id=group,
                         **{"auto_offset_reset": "earliest", "session_timeout_ms": 6000, "heartbeat_interval_ms": 500,
                            "enable_auto_commit": False, **config})


def produce(where, values, partition=None, **config):
    p = KafkaProducer(bootstrap_servers=ADDRESS, **config)
    futures = [p.send(where, value=v.encode(), key=v.encode(), partition=partition) for v in values]
    p.flush(30)
    told = [f.get(10) for f in futures]
    p.close()
    return told


def take(c, wanted, timeout=30):
    got, end = [], time.monotonic() + timeout
    while len(got) < wanted:
        for records in c.poll(timeout_ms=100).values():
            got += records
        check(time.monotonic() < end, f"{len(got)} of {wanted} records after {timeout} s; assigned: {c.assignment()}")
    return got


def case_version():
    same("version", kafka.__version__, os.environ["KAFKA_PYTHON"])


def case_codecs():
    for codec in CODECS:
        where = topic(f"codec-{codec}")
        values = [f"{i} " + "abc" * (i % 50) for i in range(1000)]
        told = produce(where, values, compression_type=codec, linger_ms=5)
        same(f"{codec}: offsets told", [m.offset for m in told], list(range(1000)))
        c = consumer(where)
        same(f"{codec}", [r.value.decode() for r in take(c, 1000)], values)
        c.close()


def case_headers_keys_and_times():
    where = topic("fields")
    p = KafkaProducer(bootstrap_servers=ADDRESS)
    p.send(where, value=None, key=b"gone", headers=[("a", b"1"), ("ä", b"\x00\xff")], timestamp_ms=1_600_000_000_123)
    p.send(where, value=b"", key=None)
    p.close()
    c = consumer(where)
    one, two = take(c, 2)
    same("keys and values", (one.key, one.value, two.key, two.value), (b"gone", None, None, b""))
    same("headers", list(map(tuple, one.headers)), [("a", b"1"), ("ä", b"\x00\xff")])
    same("time", (one.timestamp, one.timestamp_type), (1_600_000_000_123, 0))
    c.close()


def case_acknowledgements():
    where = topic("acks")
    for acks in (0, 1, "all"):
        produce(where, [f"{acks}{i}" for i in range(50)], acks=acks)
    c = consumer(where)
    same("all", len({r.value for r in take(c, 150)}), 150)
    c.close()


def case_offsets_and_times():
    where = topic("offsets")
    p = KafkaProducer(bootstrap_servers=ADDRESS)
    for i in range(10):
        p.send(where, value=b"%d" % i, timestamp_ms=1_700_000_000_000 + i * 1000)
    p.close()
    tp = TopicPartition(where, 0)
    c = consumer(None)
    c.assign([tp])
    same("beginning and end", (c.beginning_offsets([tp]), c.end_offsets([tp])), ({tp: 0}, {tp: 10}))
    found = c.offsets_for_times({tp: 1_700_000_004_001})[tp]
    same("by time", (found.offset, found.timestamp), (5, 1_700_000_005_000))
    same("nothing is so late", c.offsets_for_times({tp: 1_900_000_000_000})[tp], None)
    c.seek(tp, 7)
    same("from 7", [r.offset for r in take(c, 3)], [7, 8, 9])
    c.seek_to_beginning(tp)
    same("from the beginning", take(c, 1)[0].offset, 0)
    c.seek_to_end(tp)
    same("at the end", c.position(tp), 10)
    c.pause(tp)
    produce(where, ["later"])
    same("paused", c.poll(timeout_ms=500), {})
    c.resume(tp)
    same("resumed", take(c, 1)[0].value, b"later")
    c.seek(tp, 1000)  # out of range: goes to the earliest
    same("out of range", take(c, 1)[0].offset, 0)
    c.close()


def case_commits():
    where, group = topic("commits", 2), name("commits")
    produce(where, [str(i) for i in range(20)], partition=0)
    one, two = TopicPartition(where, 0), TopicPartition(where, 1)
    c = consumer(where, group)
    take(c, 20)
    c.commit({one: place(5)})
    same("committed", (c.committed(one), c.committed(two)), (5, None))
    answer = []
    c.commit_async({one: place(9)}, callback=lambda offsets, response: answer.append(response))
    wait_for("the asynchronous commit", lambda: c.poll(timeout_ms=10) == {} and answer)
    check(not isinstance(answer[0], Exception), f"the asynchronous commit failed: {answer}")
    same("committed", c.committed(one), 9)
    c.close()
    c = consumer(where, group)
    same("the next one starts at", take(c, 1)[0].offset, 9)
    c.close()


class Member(threading.Thread):
    def __init__(self, group, where, **config):
        super().__init__(daemon=True)
        self.consumer = consumer(where, group, enable_auto_commit=True, **config)  # commits before it gives up its share
        self.mine, self.seen, self.failure, self.over = set(), [], None, threading.Event()
        self.start()

    def run(self):
        try:
            while not self.over.is_set():
                # 3.0.12 forgets a join that ends between two polls (its SyncGroup is answered, the heartbeats never begin): long ones
                for records in self.consumer.poll(timeout_ms=500).values():
                    self.seen += [(r.partition, r.offset) for r in records]
                self.mine = {t.partition for t in self.consumer.assignment()}
            self.consumer.commit()
            self.consumer.close()
        except BaseException as e:
            self.failure = e
        self.mine = set()

    def leave(self):
        self.over.set()
        self.join(20)
        check(not self.is_alive(), "a member did not leave within 20 s")
        if self.failure:
            raise self.failure


def balanced(members, partitions):
    for m in members:
        if m.failure:
            raise m.failure
    shares = [set(m.mine) for m in members]
    return sum(map(len, shares)) == partitions and set().union(*shares) == set(range(partitions)) and \
        max(map(len, shares)) - min(map(len, shares)) <= 1


def rebalances(assignor):
    where, group = topic("group", 6), name("group")
    members = []
    for size in (1, 2, 3):
        members.append(Member(group, where, partition_assignment_strategy=[assignor]))
        wait_for(f"{size} members that share 6 partitions", lambda: balanced(members, 6), 40)
    for p in range(6):
        produce(where, [str(i) for i in range(50)], partition=p)
    wait_for("all 300 records", lambda: len({s for m in members for s in m.seen}) == 300)
    members.pop(0).leave()
    wait_for("2 members after one left", lambda: balanced(members, 6), 40)
    for m in members:
        m.leave()
    late = Member(group, where, partition_assignment_strategy=[assignor])
    wait_for("the late member's share", lambda: len(late.mine) == 6, 40)
    produce(where, ["new"], partition=3)
    wait_for("the new record", lambda: late.seen)
    same("what the late member saw", late.seen, [(3, 50)])
    late.leave()


def case_group_range():
    from kafka.coordinator.assignors.range import RangePartitionAssignor
    rebalances(RangePartitionAssignor)


def case_group_roundrobin():
    from kafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
    rebalances(RoundRobinPartitionAssignor)


def case_refusals():
    small = topic("small", 1, max__message__bytes="1000")
    refused("a large record", "MessageSizeTooLarge" if not NEW else "TooLarge", lambda: produce(small, ["x" * 5000]))
    a = KafkaAdminClient(bootstrap_servers=ADDRESS)
    refused("a topic that is there", "TopicAlreadyExists", lambda: a.create_topics([NewTopic(small, 1, 1)]))
    a.close()


def case_auto_created_topic():
    where = name("auto")
    produce(where, ["first"])
    c = consumer(where)
    same("made by the first record", take(c, 1)[0].value, b"first")
    c.close()


if __name__ == "__main__":
    main(globals())
