"""What kafka-python 3.x has more: transactions, idempotence, cooperative groups and a whole admin client."""
from kafka import IsolationLevel, KafkaAdminClient, KafkaProducer, OffsetSpec, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType

from kafka_python import Member, balanced, consumer, place, produce, rebalances, take, topic
from kit import ADDRESS, check, main, name, same, wait_for


def case_idempotent():
    where = topic("idempotent")
    values = [str(i) for i in range(2000)]
    produce(where, values, enable_idempotence=True, linger_ms=1, batch_size=500)
    c = consumer(where)
    same("order", [r.value.decode() for r in take(c, 2000)], values)
    c.close()


def transactional(identity):
    p = KafkaProducer(bootstrap_servers=ADDRESS, transactional_id=identity)
    p.init_transactions()
    return p


def read_committed(where, wanted):
    """The records below the end that a reader of committed ones may see; more than `wanted` would be seen too."""
    c = consumer(where, isolation_level="read_committed")
    got = take(c, wanted)
    for records in c.poll(timeout_ms=300).values():
        got += records
    c.close()
    return [r.value.decode() for r in got]


def case_transactions():
    source, sink, group = topic("source"), topic("sink"), name("group")
    produce(source, [str(i) for i in range(20)])
    p, c = transactional(name("txn")), consumer(source, group)
    got = take(c, 20)
    for aborted in (True, False):
        p.begin_transaction()
        for r in got:
            p.send(sink, value=b"%s %s" % (b"aborted" if aborted else b"committed", r.value))
        p.send_offsets_to_transaction({TopicPartition(source, 0): place(20)}, c.group_metadata())
        if aborted:
            p.flush(20)
            p.abort_transaction()
            same("committed by an aborted transaction", c.committed(TopicPartition(source, 0)), None)
        else:
            p.commit_transaction()
    same("offset", c.committed(TopicPartition(source, 0)), 20)
    same("records", read_committed(sink, 20), [f"committed {i}" for i in range(20)])
    c.close()
    p.close()


def case_transactions_fence():
    where, identity = topic("fence"), name("fence")
    old = transactional(identity)
    old.begin_transaction()
    old.send(where, value=b"old").get(20)
    new = transactional(identity)

    def zombie():
        old.send(where, value=b"again").get(20)
        old.commit_transaction()
    fenced(zombie)
    new.begin_transaction()
    new.send(where, value=b"new")
    new.commit_transaction()
    same("records", read_committed(where, 1), ["new"])
    new.close()


def fenced(action):
    try:
        action()
    except Exception as e:
        check(any(w in repr(e) for w in ("Fenced", "Epoch", "fenced")), f"the old producer failed, but was not fenced: {e!r}")
    else:
        check(False, "the old producer is not fenced")


def case_group_cooperative_sticky():
    from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
    rebalances(CooperativeStickyAssignor)


def case_group_static_member_comes_back():
    where, group = topic("static", 4), name("static")
    stays, goes = Member(group, where, group_instance_id="one"), Member(group, where, group_instance_id="two")
    wait_for("two members", lambda: balanced([stays, goes], 4), 40)
    generation, share = stays.consumer.group_metadata().generation_id, set(goes.mine)
    goes.leave()
    comes = Member(group, where, group_instance_id="two")
    wait_for("the same share", lambda: comes.mine == share, 40)
    same("generation", stays.consumer.group_metadata().generation_id, generation)
    comes.leave()
    stays.leave()


def case_admin_topics_and_configs():
    made = topic("admin", 2, retention__ms="12345")
    a = KafkaAdminClient(bootstrap_servers=ADDRESS)
    check(made in a.list_topics(), f"{made} is not listed")
    a.create_partitions({made: 4})
    wait_for("4 partitions", lambda: len(a.describe_topics([made])[0]["partitions"]) == 4)
    shown = str(a.describe_configs([ConfigResource(ConfigResourceType.TOPIC, made)]))
    check("retention.ms" in shown and "12345" in shown, f"set at creation: {shown}")
    a.alter_configs([ConfigResource(ConfigResourceType.TOPIC, made, configs={"retention.ms": "777"})])
    shown = str(a.describe_configs([ConfigResource(ConfigResourceType.TOPIC, made)]))
    check("'777'" in shown, f"altered: {shown}")
    produce(made, [str(i) for i in range(10)], partition=3)
    tp = TopicPartition(made, 3)
    a.delete_records({tp: 4})
    for spec, expected in ((OffsetSpec.EARLIEST, 4), (OffsetSpec.LATEST, 10)):
        seen = a.list_partition_offsets({tp: spec}, isolation_level=IsolationLevel.READ_COMMITTED)
        same(f"offset {spec}", seen[tp].offset, expected)
    check(a.describe_cluster()["cluster_id"], "there is no cluster id")
    check(a.api_versions(), "there are no versions")
    check(made in str(a.describe_log_dirs()), "the topic is in no log directory")
    a.delete_topics([made])
    wait_for("it to be gone", lambda: made not in a.list_topics())
    a.close()


def case_admin_groups():
    where, group = topic("groups", 2), name("groups")
    produce(where, ["1", "2"], partition=1)
    m = Member(group, where)
    wait_for("two records", lambda: len(m.seen) == 2)
    a = KafkaAdminClient(bootstrap_servers=ADDRESS)
    check(group in str(a.list_groups()), f"{group} is not listed")
    shown = str(a.describe_groups([group]))
    check("Stable" in shown and "consumer" in shown, f"description: {shown}")
    m.leave()
    tp = TopicPartition(where, 1)
    same("offset", a.list_group_offsets(group)[group][tp].offset, 2)
    a.alter_group_offsets(group, {tp: place(1)})
    same("altered", a.list_group_offsets(group)[group][tp].offset, 1)
    a.delete_group_offsets(group, [tp])
    check(tp not in a.list_group_offsets(group)[group], "the deleted offset is there")
    a.delete_groups([group])
    check(group not in str(a.list_groups()), "the deleted group is listed")
    a.close()


def case_admin_transactions():
    where, identity = topic("open"), name("open")
    p = transactional(identity)
    p.begin_transaction()
    p.send(where, value=b"open").get(20)
    a = KafkaAdminClient(bootstrap_servers=ADDRESS)
    check(identity in str(a.list_transactions()), f"{identity} is not listed")
    check("Ongoing" in str(a.describe_transactions([identity])), f"not ongoing: {a.describe_transactions([identity])}")
    check(a.describe_producers([TopicPartition(where, 0)]), "no producers are described")
    p.commit_transaction()
    p.close()
    a.close()


if __name__ == "__main__":
    main(globals())
