"""aiokafka: producers, consumers, groups that rebalance, transactions and its admin client, all on one event loop."""
import asyncio
import os
import time

import aiokafka
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.errors import KafkaError

from kit import ADDRESS, check, main, name, same


async def until(what, condition, timeout=40):
    end = time.monotonic() + timeout
    while not condition():
        check(time.monotonic() < end, f"waited {timeout} s in vain for: {what}")
        await asyncio.sleep(0.02)


async def admin():
    a = AIOKafkaAdminClient(bootstrap_servers=ADDRESS)
    await a.start()
    return a


async def topic(word, partitions=1, **config):
    made, a = name(word), await admin()
    await a.create_topics([NewTopic(made, partitions, 1, topic_configs={k.replace("__", "."): v for k, v in config.items()})])
    end = time.monotonic() + 20
    while True:
        t = (await a.describe_topics([made]))[0]
        if t["error_code"] == 0 and len(t["partitions"]) == partitions and all(p["leader"] >= 0 for p in t["partitions"]):
            break
        check(time.monotonic() < end, f"{made} is not there: {t}")
        await asyncio.sleep(0.02)
    await a.close()
    return made


async def produce(where, values, partition=None, **config):
    async with AIOKafkaProducer(bootstrap_servers=ADDRESS, **config) as p:
        told = [await p.send(where, value=v.encode(), key=v.encode(), partition=partition) for v in values]
        return [await t for t in told]


def consumer(where, group=None, **config):
    return AIOKafkaConsumer(*([where] if where else []), bootstrap_servers=ADDRESS, group_id=group,
                            **{"auto_offset_reset": "earliest", "session_timeout_ms": 6000, "heartbeat_interval_ms": 500,
                               "enable_auto_commit": False, "metadata_max_age_ms": 5000, **config})


async def take(c, wanted, timeout=30):
    got, end = [], time.monotonic() + timeout
    while len(got) < wanted:
        for records in (await c.getmany(timeout_ms=100)).values():
            got += records
        check(time.monotonic() < end, f"{len(got)} of {wanted} records after {timeout} s; assigned: {c.assignment()}")
    return got


async def case_version():
    same("version", aiokafka.__version__, os.environ["AIOKAFKA"])


async def case_codecs():
    for codec in (None, "gzip", "snappy", "lz4", "zstd"):
        where = await topic(f"codec-{codec}")
        values = [f"{i} " + "abc" * (i % 50) for i in range(1000)]
        told = await produce(where, values, compression_type=codec, linger_ms=5)
        same(f"{codec}: offsets told", [m.offset for m in told], list(range(1000)))
        async with consumer(where) as c:
            same(f"{codec}", [r.value.decode() for r in await take(c, 1000)], values)


async def case_headers_keys_and_times():
    where = await topic("fields")
    async with AIOKafkaProducer(bootstrap_servers=ADDRESS) as p:
        await p.send_and_wait(where, value=None, key=b"gone", headers=[("a", b"1"), ("ä", b"\x00\xff")], timestamp_ms=1_600_000_000_123)
        await p.send_and_wait(where, value=b"", key=None)
    async with consumer(where) as c:
        one, two = await take(c, 2)
    same("keys and values", (one.key, one.value, two.key, two.value), (b"gone", None, None, b""))
    same("headers", list(map(tuple, one.headers)), [("a", b"1"), ("ä", b"\x00\xff")])
    same("time", (one.timestamp, one.timestamp_type), (1_600_000_000_123, 0))


async def case_idempotent():
    where = await topic("idempotent")
    values = [str(i) for i in range(2000)]
    await produce(where, values, enable_idempotence=True, max_batch_size=500)
    async with consumer(where) as c:
        same("order", [r.value.decode() for r in await take(c, 2000)], values)


async def case_offsets_and_times():
    where = await topic("offsets")
    async with AIOKafkaProducer(bootstrap_servers=ADDRESS) as p:
        for i in range(10):
            await p.send_and_wait(where, value=b"%d" % i, timestamp_ms=1_700_000_000_000 + i * 1000)
    tp = TopicPartition(where, 0)
    async with consumer(None) as c:
        c.assign([tp])
        same("beginning and end", (await c.beginning_offsets([tp]), await c.end_offsets([tp])), ({tp: 0}, {tp: 10}))
        found = await c.offsets_for_times({tp: 1_700_000_004_001})
        same("by time", (found[tp].offset, found[tp].timestamp), (5, 1_700_000_005_000))
        same("nothing is so late", (await c.offsets_for_times({tp: 1_900_000_000_000}))[tp], None)
        c.seek(tp, 7)
        same("from 7", [r.offset for r in await take(c, 3)], [7, 8, 9])
        await c.seek_to_end(tp)
        same("at the end", await c.position(tp), 10)
        c.seek(tp, 1000)
        same("out of range", (await take(c, 1))[0].offset, 0)


async def case_commits():
    where, group = await topic("commits", 2), name("commits")
    await produce(where, [str(i) for i in range(20)], partition=0)
    one, two = TopicPartition(where, 0), TopicPartition(where, 1)
    async with consumer(where, group) as c:
        await take(c, 20)
        await c.commit({one: (5, "why")})
        same("committed", (await c.committed(one), await c.committed(two)), (5, None))
        await c.commit({one: 9})
    async with consumer(where, group) as c:
        same("the next one starts at", (await take(c, 1))[0].offset, 9)


class Member:
    def __init__(self, group, where, **config):
        self.consumer, self.mine, self.seen = consumer(where, group, enable_auto_commit=True, **config), set(), []
        self.over = False
        self.task = asyncio.ensure_future(self.run())

    async def run(self):
        await self.consumer.start()
        try:
            while not self.over:
                for records in (await self.consumer.getmany(timeout_ms=50)).values():
                    self.seen += [(r.partition, r.offset) for r in records]
                self.mine = {t.partition for t in self.consumer.assignment()}
        finally:
            self.mine = set()
            await self.consumer.stop()

    async def leave(self):
        self.over = True
        await asyncio.wait_for(self.task, 20)


def balanced(members, partitions):
    for m in members:
        if m.task.done():
            m.task.result()
    shares = [set(m.mine) for m in members]
    return sum(map(len, shares)) == partitions and set().union(*shares) == set(range(partitions)) and \
        max(map(len, shares)) - min(map(len, shares)) <= 1


async def rebalances(assignor):
    where, group = await topic("group", 6), name("group")
    members = []
    for size in (1, 2, 3):
        members.append(Member(group, where, partition_assignment_strategy=[assignor]))
        await until(f"{size} members that share 6 partitions", lambda: balanced(members, 6))
    for p in range(6):
        await produce(where, [str(i) for i in range(50)], partition=p)
    await until("all 300 records", lambda: len({s for m in members for s in m.seen}) == 300)
    await members.pop(0).leave()
    await until("2 members after one left", lambda: balanced(members, 6))
    for m in members:
        await m.leave()
    late = Member(group, where, partition_assignment_strategy=[assignor])
    await until("the late member's share", lambda: len(late.mine) == 6)
    await produce(where, ["new"], partition=3)
    await until("the new record", lambda: late.seen)
    same("what the late member saw", late.seen, [(3, 50)])
    await late.leave()


async def case_group_range():
    await rebalances(RangePartitionAssignor)


async def case_group_roundrobin():
    await rebalances(RoundRobinPartitionAssignor)


async def case_group_sticky():
    await rebalances(StickyPartitionAssignor)


async def case_transactions():
    source, sink, group = await topic("source"), await topic("sink"), name("group")
    await produce(source, [str(i) for i in range(20)])
    tp = TopicPartition(source, 0)
    async with AIOKafkaProducer(bootstrap_servers=ADDRESS, transactional_id=name("txn")) as p, consumer(source, group) as c:
        got = await take(c, 20)
        for aborted in (True, False):
            await p.begin_transaction()
            for r in got:
                await p.send_and_wait(sink, value=b"%s %s" % (b"aborted" if aborted else b"committed", r.value))
            await p.send_offsets_to_transaction({tp: 20}, group)
            if aborted:
                await p.abort_transaction()
                same("offset of an aborted transaction", await c.committed(tp), None)
            else:
                await p.commit_transaction()
        same("offset", await c.committed(tp), 20)
    async with consumer(sink, isolation_level="read_committed") as c:
        got = await take(c, 20)
        got += [r for records in (await c.getmany(timeout_ms=300)).values() for r in records]
    same("records", [r.value.decode() for r in got], [f"committed {i}" for i in range(20)])


async def case_transactions_fence():
    where, identity = await topic("fence"), name("fence")
    old = AIOKafkaProducer(bootstrap_servers=ADDRESS, transactional_id=identity)
    await old.start()
    await old.begin_transaction()
    await old.send_and_wait(where, value=b"old")
    new = AIOKafkaProducer(bootstrap_servers=ADDRESS, transactional_id=identity)
    await new.start()
    try:
        await old.send_and_wait(where, value=b"again")
        await old.commit_transaction()
    except KafkaError as e:
        check("Fenced" in type(e).__name__ or "Epoch" in repr(e), f"failed, but was not fenced: {e!r}")
    else:
        check(False, "the old producer is not fenced")
    async with new.transaction():
        await new.send_and_wait(where, value=b"new")
    await new.stop()
    async with consumer(where, isolation_level="read_committed") as c:
        got = await take(c, 1)
        got += [r for records in (await c.getmany(timeout_ms=300)).values() for r in records]
    same("records", [r.value for r in got], [b"new"])


async def case_admin():
    made, group, a = await topic("admin", 2, retention__ms="12345"), name("group"), await admin()
    check(made in await a.list_topics(), f"{made} is not listed")
    await a.create_partitions({made: NewPartitions(4)})
    end = time.monotonic() + 20
    while len((await a.describe_topics([made]))[0]["partitions"]) != 4:
        check(time.monotonic() < end, "there are not 4 partitions after 20 s")
    resource = ConfigResource(ConfigResourceType.TOPIC, made)

    async def config(key):
        response = (await a.describe_configs([resource]))[0]
        return {c[0]: c[1] for c in response.resources[0][4]}[key]
    same("set at creation", await config("retention.ms"), "12345")
    await a.alter_configs([ConfigResource(ConfigResourceType.TOPIC, made, configs={"retention.ms": "777"})])
    same("altered", await config("retention.ms"), "777")
    await produce(made, [str(i) for i in range(10)], partition=3)
    m = Member(group, made)
    await until("10 records", lambda: len(m.seen) == 10)
    check((group, "consumer") in [tuple(g)[:2] for g in await a.list_consumer_groups()], f"{group} is not listed")
    shown = str(await a.describe_consumer_groups([group]))
    check("Stable" in shown, f"description: {shown}")
    await m.leave()
    tp = TopicPartition(made, 3)
    same("offset", (await a.list_consumer_group_offsets(group))[tp].offset, 10)
    from aiokafka.admin.records_to_delete import RecordsToDelete
    await a.delete_records({tp: RecordsToDelete(before_offset=4)})
    async with consumer(None) as c:
        same("after delete_records", await c.beginning_offsets([tp]), {tp: 4})
    check((await a.describe_cluster())["cluster_id"], "there is no cluster id")
    await a.delete_topics([made])
    await a.close()


if __name__ == "__main__":
    main(globals())
