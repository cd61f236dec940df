"""librdkafka through confluent-kafka: what producers, consumers, groups and transactions do. Works with 1.x and 2.x."""
import os
import threading
import time

import confluent_kafka
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic

from kit import ADDRESS, Failed, check, main, name, refused, same, wait_for

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")


def admin():
    return AdminClient({"bootstrap.servers": ADDRESS})


def topic(word, partitions=1, **config):
    made = name(word)
    new = NewTopic(made, num_partitions=partitions, replication_factor=1, config={k.replace("__", "."): v for k, v in config.items()})
    client = admin()
    client.create_topics([new])[made].result(20)
    wait_for(f"{made} in the metadata", lambda: len(getattr(client.list_topics(timeout=10).topics.get(made), "partitions", ())) == partitions)
    return made


def producer(**config):
    return Producer({"bootstrap.servers": ADDRESS, **{k.replace("_", "."): v for k, v in config.items()}})


def consumer(group, **config):
    return Consumer({"bootstrap.servers": ADDRESS, "group.id": group, "auto.offset.reset": "earliest", "session.timeout.ms": 6000,
                     "heartbeat.interval.ms": 500, **{k.replace("_", "."): v for k, v in config.items()}})


def produce(where, values, partition=None, **config):
    """All of them acknowledged, or a failure; answers the reports."""
    p, reports = producer(**config), []
    for v in values:
        p.produce(where, value=v, key=v, on_delivery=lambda e, m: reports.append((e, m)), **({} if partition is None else {"partition": partition}))
        p.poll(0)
    left = p.flush(30)
    check(left == 0, f"{left} records were not acknowledged within 30 s")
    errors = [str(e) for e, _ in reports if e]
    check(not errors, f"deliveries failed: {errors[:3]}")
    same("reports", len(reports), len(values))
    return [m for _, m in reports]


def take(c, wanted, timeout=30):
    """Polls until there are `wanted` records."""
    got, end = [], time.monotonic() + timeout
    while len(got) < wanted:
        m = c.poll(0.1)
        if m is not None and m.error():
            raise Failed(f"the consumer says {m.error()}")
        if m is not None:
            got.append(m)
        check(time.monotonic() < end, f"{len(got)} of {wanted} records after {timeout} s; assigned: {c.assignment()}")
    return got


def read_all(where, partitions=1, isolation="read_committed"):
    """What a fresh reader sees of a topic up to its end."""
    c = consumer(name("reader"), isolation_level=isolation, enable_partition_eof=True, enable_auto_commit=False)
    c.assign([TopicPartition(where, p, 0) for p in range(partitions)])
    values, ended, end = [], set(), time.monotonic() + 30
    while len(ended) < partitions:
        m = c.poll(0.1)
        check(time.monotonic() < end, f"the end of {where} was not reached in 30 s: {len(values)} records")
        if m is None:
            continue
        if m.error():
            check(m.error().code() == KafkaError._PARTITION_EOF, f"the consumer says {m.error()}")
            ended.add(m.partition())
        else:
            values.append(m.value().decode())
    c.close()
    return values


def case_version():
    wanted = os.environ["LIBRDKAFKA"]
    check(confluent_kafka.libversion()[0].startswith(wanted), f"this is librdkafka {confluent_kafka.libversion()}, not {wanted}")


def case_codecs():
    for codec in CODECS:
        where = topic(f"codec-{codec}")
        values = [f"{i} " + "abc" * (i % 50) for i in range(2000)]
        reports = produce(where, values, compression_type=codec, linger_ms=5)
        same(f"{codec}: offsets in the reports", [m.offset() for m in reports], list(range(2000)))
        same(codec, read_all(where), values)


def case_headers_keys_and_times():
    where, p = topic("fields"), producer()
    p.produce(where, value=None, key="gone", headers=[("a", b"1"), ("a", None), ("ä", b"\x00\xff")], timestamp=1_600_000_000_123)
    p.produce(where, value=b"", key=None)
    check(p.flush(20) == 0, "no acknowledgement")
    c = consumer(name("fields"))
    c.subscribe([where])
    one, two = take(c, 2)
    same("key and value", (one.key(), one.value(), two.key(), two.value()), (b"gone", None, None, b""))
    same("headers", one.headers(), [("a", b"1"), ("a", None), ("ä", b"\x00\xff")])
    same("time", one.timestamp(), (confluent_kafka.TIMESTAMP_CREATE_TIME, 1_600_000_000_123))
    c.close()


def case_idempotent():
    where = topic("idempotent", 2)
    values = [str(i) for i in range(5000)]
    produce(where, values, partition=1, enable_idempotence=True, linger_ms=1, batch_num_messages=50)
    same("order", read_all(where, 2), values)


def case_too_large_is_refused():
    where, errors = topic("large", 1, max__message__bytes="2000"), []
    p = producer(message_max_bytes=10_000_000)
    p.produce(where, value=os.urandom(5000), on_delivery=lambda e, m: errors.append(e))
    p.produce(where, value=b"small", on_delivery=lambda e, m: errors.append(e))
    check(p.flush(20) == 0, "no answer")
    check(any(e and e.code() == KafkaError.MSG_SIZE_TOO_LARGE for e in errors), f"MSG_SIZE_TOO_LARGE was expected: {errors}")


def case_unknown_partition_and_topic():
    where = topic("known", 1)
    p, errors = producer(topic_metadata_refresh_interval_ms=1000), []
    p.produce(where, value=b"x", partition=5, on_delivery=lambda e, m: errors.append(e))
    check(p.flush(20) == 0, "no answer")
    check(errors[0] and errors[0].code() == KafkaError._UNKNOWN_PARTITION, f"an unknown partition: {errors}")
    c = consumer(name("unknown"), allow_auto_create_topics=False)
    missing = name("missing")
    c.subscribe([missing])
    end, seen = time.monotonic() + 20, None
    while time.monotonic() < end and seen is None:
        m = c.poll(0.2)
        seen = m.error() if m is not None else None
    check(seen and seen.code() == KafkaError.UNKNOWN_TOPIC_OR_PART, f"UNKNOWN_TOPIC_OR_PART was expected for {missing}: {seen}")
    c.close()


class Member(threading.Thread):
    """A member of a group that polls in its own thread and keeps what it saw."""

    def __init__(self, group, where, **config):
        super().__init__(daemon=True)
        self.consumer = consumer(group, enable_auto_commit=False, **config)
        self.seen, self.mine, self.failure, self.stopped = [], set(), None, threading.Event()
        self.assigns, self.revokes, self.lost = 0, 0, 0
        self.cooperative = config.get("partition_assignment_strategy") == "cooperative-sticky"
        self.kill = False
        self.consumer.subscribe([where], on_assign=self.on_assign, on_revoke=self.on_revoke, on_lost=self.on_lost)
        self.start()

    def on_assign(self, c, parts):
        self.assigns += 1
        new = {p.partition for p in parts}
        self.mine = self.mine | new if self.cooperative else new

    def on_revoke(self, c, parts):
        self.revokes += 1
        try:
            c.commit(asynchronous=False)
        except KafkaException as e:
            if e.args[0].code() not in (KafkaError._NO_OFFSET, KafkaError.REBALANCE_IN_PROGRESS, KafkaError.ILLEGAL_GENERATION):
                self.failure = e
        self.mine -= {p.partition for p in parts}

    def on_lost(self, c, parts):
        self.lost += 1
        self.mine -= {p.partition for p in parts}

    def run(self):
        try:
            while not self.stopped.is_set():
                m = self.consumer.poll(0.05)
                if m is not None and m.error():
                    raise Failed(f"a member's consumer says {m.error()}")
                if m is not None:
                    self.seen.append((m.partition(), m.offset()))
            self.consumer.close()
        except BaseException as e:
            self.failure = e

    def leave(self):
        self.stopped.set()
        self.join(20)
        check(not self.is_alive(), "a member did not leave within 20 s")
        if self.failure:
            raise self.failure


def balanced(members, partitions):
    shares = [set(m.mine) for m in members]
    failures = [m.failure for m in members if m.failure]
    if failures:
        raise failures[0]
    return sum(map(len, shares)) == partitions and set().union(*shares) == set(range(partitions)) and \
        max(map(len, shares)) - min(map(len, shares)) <= 1


def rebalances(strategy):
    where, group = topic("group", 6), name("group")
    members = []
    for size in (1, 2, 3):
        members.append(Member(group, where, partition_assignment_strategy=strategy))
        wait_for(f"{strategy}: {size} members that share 6 partitions", lambda: balanced(members, 6), 40)
    values = [str(i) for i in range(600)]
    for p in range(6):
        produce(where, values[p * 100:p * 100 + 100], partition=p)
    wait_for("all 600 records", lambda: len({s for m in members for s in m.seen}) == 600)
    members.pop(0).leave()
    wait_for(f"{strategy}: 2 members after one left", lambda: balanced(members, 6), 40)
    members.pop(0).leave()
    wait_for(f"{strategy}: 1 member after two left", lambda: balanced(members, 6), 40)
    members[0].leave()
    same("lost partitions", members[0].lost, 0)
    # everything was committed when members left: a new one sees nothing of the old
    late = Member(group, where, partition_assignment_strategy=strategy)
    wait_for("the late member's assignment", lambda: len(late.mine) == 6, 40)
    produce(where, ["new"], partition=3)
    wait_for("the new record", lambda: late.seen)
    same("what the late member saw", late.seen, [(3, 100)])
    late.leave()


def case_group_range():
    rebalances("range")


def case_group_roundrobin():
    rebalances("roundrobin")


def case_group_cooperative_sticky():
    rebalances("cooperative-sticky")


def case_group_static_member_comes_back():
    where, group = topic("static", 4), name("static")
    stays = Member(group, where, group_instance_id="one")
    goes = Member(group, where, group_instance_id="two", session_timeout_ms=10000)
    wait_for("two members", lambda: balanced([stays, goes], 4), 40)
    assigns, share = stays.assigns, set(goes.mine)
    goes.stopped.set()
    goes.join(20)
    comes = Member(group, where, group_instance_id="two", session_timeout_ms=10000)
    wait_for("the static member to have its share again", lambda: comes.mine == share, 20)
    same("rebalances of the member that stayed", stays.assigns, assigns)
    comes.leave()
    stays.leave()


def case_group_static_member_is_fenced():
    where, group = topic("fenced", 2), name("fenced")
    first = consumer(group, group_instance_id="same")
    first.subscribe([where])
    wait_for("the first one's assignment", lambda: first.poll(0.1) is None and first.assignment(), 30)
    second = consumer(group, group_instance_id="same")
    second.subscribe([where])
    wait_for("the second one's assignment", lambda: second.poll(0.1) is None and second.assignment(), 30)

    def fenced():
        try:
            m = first.poll(0.2)
        except KafkaException as e:
            return e.args[0].code() in (KafkaError._FATAL, KafkaError.FENCED_INSTANCE_ID)
        return m is not None and m.error() and m.error().code() in (KafkaError._FATAL, KafkaError.FENCED_INSTANCE_ID)
    wait_for("the first one to be fenced", fenced, 30)
    second.close()


def case_group_dead_member_is_put_out():
    """A member that stops polling loses its share after max.poll.interval.ms, one that vanishes after its session."""
    where, group = topic("dead", 2), name("dead")
    silent = consumer(group, max_poll_interval_ms=6000)
    silent.subscribe([where])
    wait_for("the silent one's assignment", lambda: silent.poll(0.1) is None and silent.assignment(), 30)
    other = Member(group, where)
    wait_for("the other member to have everything", lambda: len(other.mine) == 2, 40)
    other.leave()


def case_commits_and_seek():
    where, group = topic("commits", 2), name("commits")
    for p in range(2):
        produce(where, [str(i) for i in range(20)], partition=p)
    c = consumer(group, enable_auto_commit=False)
    c.subscribe([where])
    got = take(c, 40)
    c.commit(message=[m for m in got if m.partition() == 0][4], asynchronous=False)
    words = {"metadata": "why not ü"} if confluent_kafka.version()[0] >= "2" else {}
    c.commit(offsets=[TopicPartition(where, 1, 7, **words)], asynchronous=False)
    seen = c.committed([TopicPartition(where, 0), TopicPartition(where, 1)], timeout=10)
    same("committed", [(t.offset, t.error) for t in seen], [(5, None), (7, None)])
    c.commit(offsets=[TopicPartition(where, 1, 9)], asynchronous=True)
    wait_for("the asynchronous commit", lambda: c.poll(0.01) is None and c.committed([TopicPartition(where, 1)], timeout=10)[0].offset == 9)
    c.seek(TopicPartition(where, 0, 15))
    same("after a seek to 15", sorted(int(m.value()) for m in take(c, 5)), list(range(15, 20)))
    same("never committed", c.committed([TopicPartition(topic("never"), 0)], timeout=10)[0].offset, confluent_kafka.OFFSET_INVALID)
    refused("a commit for a topic that is not", "UNKNOWN_TOPIC_OR_PART",
            lambda: c.commit(offsets=[TopicPartition(name("nowhere"), 0, 1)], asynchronous=False))
    c.close()
    again = consumer(group, enable_auto_commit=False)
    again.subscribe([where])
    same("the next one's first records", sorted((m.partition(), m.offset()) for m in take(again, 15 + 11))[::15], [(0, 5), (1, 9)])
    again.close()


def case_watermarks_times_pause():
    where = topic("marks", 1)
    p = producer()
    for i in range(10):
        p.produce(where, value=str(i), timestamp=1_700_000_000_000 + i * 1000)
    check(p.flush(20) == 0, "no acknowledgement")
    c = consumer(name("marks"))
    same("watermarks", c.get_watermark_offsets(TopicPartition(where, 0), timeout=10), (0, 10))

    def at(when):
        return c.offsets_for_times([TopicPartition(where, 0, when)], timeout=10)[0].offset
    same("offsets by time", [at(t) for t in (0, 1_700_000_004_000, 1_700_000_004_001, 1_700_000_009_000, 1_800_000_000_000)],
         [0, 4, 5, 9, confluent_kafka.OFFSET_END])
    c.assign([TopicPartition(where, 0, confluent_kafka.OFFSET_BEGINNING)])
    take(c, 10)
    c.pause([TopicPartition(where, 0)])
    produce(where, ["later"])
    check(c.poll(1.0) is None, "a paused partition gave a record")
    c.resume([TopicPartition(where, 0)])
    same("after resume", take(c, 1)[0].value(), b"later")
    c.close()


def case_subscribe_by_pattern():
    word = name("pattern")
    c = consumer(name("pattern"), topic_metadata_refresh_interval_ms=500)
    client = admin()
    client.create_topics([NewTopic(f"{word}-a", 1, 1)])[f"{word}-a"].result(20)
    wait_for("the topic", lambda: f"{word}-a" in client.list_topics(timeout=10).topics)
    c.subscribe([f"^{word}-.*"])
    produce(f"{word}-a", ["1"])
    same("first topic", take(c, 1)[0].topic(), f"{word}-a")
    client.create_topics([NewTopic(f"{word}-b", 1, 1)])[f"{word}-b"].result(20)
    produce(f"{word}-b", ["2"])
    same("a topic made later", take(c, 1)[0].topic(), f"{word}-b")
    c.close()


def transactional(identity, **config):
    p = producer(transactional_id=identity, **config)
    p.init_transactions(30)
    return p


def case_transactions_commit_and_abort():
    where, p = topic("txn", 3), transactional(name("txn"))
    expected = []
    for round in range(6):
        p.begin_transaction()
        for i in range(30):
            p.produce(where, value=f"{round}-{i}", partition=i % 3)
        if round % 2:
            p.flush(20)
            p.abort_transaction(20)
        else:
            p.commit_transaction(20)
            expected += [f"{round}-{i}" for i in range(30)]
    same("committed", sorted(read_all(where, 3)), sorted(expected))
    same("uncommitted", len(read_all(where, 3, "read_uncommitted")), 180)
    for part in range(3):
        mine = [v for v in expected if int(v.split("-")[1]) % 3 == part]
        seen = [v for v in read_all(where, 3) if int(v.split("-")[1]) % 3 == part]
        same(f"order in {part}", seen, mine)


def case_transactions_open_ones_are_not_seen():
    where = topic("open")
    p = transactional(name("open"))
    produce(where, ["before"])
    p.begin_transaction()
    p.produce(where, value="in")
    check(p.flush(20) == 0, "no acknowledgement")
    produce(where, ["after"])
    same("while it is open", read_all(where), ["before"])
    for isolation, end in (("read_uncommitted", 3), ("read_committed", 1)):
        c = consumer(name("marks"), isolation_level=isolation)
        same(f"watermarks, {isolation}", c.get_watermark_offsets(TopicPartition(where, 0), timeout=10), (0, end))
        c.close()
    p.commit_transaction(20)
    same("when it has ended", read_all(where), ["before", "in", "after"])


def case_transactions_with_offsets():
    source, sink, group = topic("source", 2), topic("sink"), name("exactly")
    for part in range(2):
        produce(source, [f"{part}-{i}" for i in range(50)], partition=part)
    p = transactional(name("exactly"))
    c = consumer(group, enable_auto_commit=False, isolation_level="read_committed")
    c.subscribe([source])
    done = 0
    for round in range(8):
        got = take(c, 10) if done < 100 else []
        if not got:
            break
        p.begin_transaction()
        for m in got:
            p.produce(sink, value=m.value())
        p.send_offsets_to_transaction(c.position(c.assignment()), c.consumer_group_metadata(), 20)
        if round == 3:  # this one is taken back: its records come again
            p.abort_transaction(20)
            places = c.committed(c.assignment(), timeout=10)
            for t in places:
                c.seek(TopicPartition(t.topic, t.partition, max(t.offset, 0)))
            continue
        p.commit_transaction(20)
        done += len(got)
    committed = sum(t.offset for t in c.committed([TopicPartition(source, 0), TopicPartition(source, 1)], timeout=10) if t.offset > 0)
    c.close()
    same("committed offsets and records", committed, done)
    seen = read_all(sink)
    same("each once", len(set(seen)), len(seen))
    same("records", len(seen), done)


def case_transactions_fence_zombies():
    where, identity = topic("zombie"), name("zombie")
    old = transactional(identity)
    old.begin_transaction()
    old.produce(where, value="old")
    check(old.flush(20) == 0, "no acknowledgement")
    new = transactional(identity)  # aborts the old one's transaction
    new.begin_transaction()
    new.produce(where, value="new")

    def zombie():
        old.produce(where, value="again")
        old.flush(20)
        old.commit_transaction(20)
    error = refused("the old producer", "KafkaException", zombie).args[0]
    check(error.fatal() or error.code() in (KafkaError._FENCED, KafkaError.INVALID_PRODUCER_EPOCH, KafkaError.PRODUCER_FENCED),
          f"the old producer is not fenced: {error!r}")
    new.commit_transaction(20)
    same("committed", read_all(where), ["new"])


def case_transactions_time_out():
    where = topic("timeout")
    p = transactional(name("timeout"), transaction_timeout_ms=2000, message_timeout_ms=1900)
    p.begin_transaction()
    p.produce(where, value="never")
    check(p.flush(20) == 0, "no acknowledgement")
    produce(where, ["after"])
    wait_for("the broker to abort it", lambda: read_all(where) == ["after"], 40)
    refused("its commit", "KafkaException", lambda: p.commit_transaction(20))


def case_many_partitions_and_topics():
    client, word = admin(), name("many")
    names = [f"{word}-{i}" for i in range(20)]
    for f in client.create_topics([NewTopic(n, 10, 1) for n in names]).values():
        f.result(30)
    p = producer(linger_ms=20)
    for i in range(2000):
        p.produce(names[i % 20], value=str(i), partition=i // 20 % 10)
    check(p.flush(30) == 0, "no acknowledgement")
    c = consumer(name("many"))
    c.assign([TopicPartition(n, k, 0) for n in names for k in range(10)])
    same("all", sorted(int(m.value()) for m in take(c, 2000)), list(range(2000)))
    c.close()
    for f in client.delete_topics(names).values():
        f.result(30)


def case_admin_topics_and_partitions():
    client, made = admin(), topic("admin", 2)
    check(made in client.list_topics(timeout=10).topics, f"{made} is not listed")
    refused("the same name again", "TOPIC_ALREADY_EXISTS", lambda: client.create_topics([NewTopic(made, 1, 1)])[made].result(20))
    refused("a name with a slash", "TOPIC_EXCEPTION", lambda: client.create_topics([NewTopic("a/b", 1, 1)])["a/b"].result(20))
    refused("no partitions", "INVALID_PARTITIONS", lambda: client.create_topics([NewTopic("zero", 0, 1)])["zero"].result(20))
    refused("two replicas of one broker", "INVALID_REPLICATION_FACTOR", lambda: client.create_topics([NewTopic("two", 1, 2)])["two"].result(20))
    refused("a config that is not", "INVALID_CONFIG",
            lambda: client.create_topics([NewTopic("wrong", 1, 1, config={"retention.ms": "soon"})])["wrong"].result(20))
    client.create_topics([NewTopic("only-asked", 1, 1)], validate_only=True)["only-asked"].result(20)
    check("only-asked" not in client.list_topics(timeout=10).topics, "validate_only made a topic")
    client.create_partitions([NewPartitions(made, 5)])[made].result(20)
    wait_for("5 partitions", lambda: len(client.list_topics(timeout=10).topics[made].partitions) == 5)
    refused("fewer partitions", "INVALID_PARTITIONS", lambda: client.create_partitions([NewPartitions(made, 3)])[made].result(20))
    produce(made, ["x"], partition=4)
    client.delete_topics([made])[made].result(20)
    wait_for("it to be gone", lambda: made not in client.list_topics(timeout=10).topics)
    refused("what is not there", "UNKNOWN_TOPIC_OR_PART", lambda: client.delete_topics([made])[made].result(20))


def case_admin_configs():
    from confluent_kafka.admin import ConfigResource
    client, made = admin(), topic("configs", 1, retention__ms="12345")

    def config(kind, which):
        return next(iter(client.describe_configs([ConfigResource(kind, which)]).values())).result(20)
    seen = config("topic", made)
    same("set at creation", seen["retention.ms"].value, "12345")
    check(not seen["retention.ms"].is_default, "retention.ms is told to be a default")
    same("a default", (seen["cleanup.policy"].value, seen["cleanup.policy"].is_default), ("delete", True))
    for expected in ("max.message.bytes", "segment.bytes", "retention.bytes", "min.insync.replicas", "compression.type",
                     "message.timestamp.type", "min.cleanable.dirty.ratio", "delete.retention.ms", "segment.ms",
                     "min.compaction.lag.ms", "max.compaction.lag.ms"):
        check(expected in seen, f"{expected} is not described: {sorted(seen)}")
    changed = ConfigResource("topic", made, set_config={"retention.ms": "777"})
    client.alter_configs([changed])[changed].result(20)
    same("altered", config("topic", made)["retention.ms"].value, "777")
    wrong = ConfigResource("topic", made, set_config={"retention.ms": "soon"})
    refused("a wrong value", "INVALID_CONFIG", lambda: client.alter_configs([wrong])[wrong].result(20))
    refused("a topic that is not", "UNKNOWN_TOPIC_OR_PART", lambda: config("topic", name("nowhere")))
    broker = str(next(iter(client.list_topics(timeout=10).brokers)))
    seen = config("broker", broker)
    check("log.retention.ms" in seen or "log.retention.hours" in seen, f"the broker's configs: {sorted(seen)[:20]}")


def case_admin_groups():
    client, where, group = admin(), topic("groups", 2), name("groups")
    m = Member(group, where)
    wait_for("its assignment", lambda: len(m.mine) == 2, 40)
    seen = client.list_groups(group, timeout=10)
    same("list_groups", [(g.id, g.state, g.protocol_type, len(g.members)) for g in seen], [(group, "Stable", "consumer", 1)])
    check(seen[0].members[0].client_host, "the member's host is not told")
    m.leave()


if __name__ == "__main__":
    main(globals())
