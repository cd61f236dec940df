"""What librdkafka 2.x has more than 1.x: its admin client, through confluent-kafka."""
import time

from confluent_kafka import (OFFSET_BEGINNING, ConsumerGroupState, ConsumerGroupTopicPartitions, ConsumerGroupType, IsolationLevel, KafkaError,
                             TopicCollection, TopicPartition)
from confluent_kafka.admin import (AlterConfigOpType, ConfigEntry, ConfigResource, OffsetSpec, ResourceType, ScramCredentialInfo,
                                   ScramMechanism, UserScramCredentialUpsertion)

from kit import check, main, name, refused, same, wait_for
from librdkafka import Member, admin, consumer, produce, producer, take, topic


def case_admin_describes_the_cluster():
    client = admin()
    seen = client.describe_cluster(include_authorized_operations=True).result(20)
    check(seen.cluster_id, "there is no cluster id")
    same("brokers", len(seen.nodes), 1)
    same("controller", seen.controller.id, seen.nodes[0].id)


def case_admin_describes_topics():
    client, where, missing = admin(), topic("describe", 3), name("missing")
    seen = client.describe_topics(TopicCollection([where, missing]))
    got = seen[where].result(20)
    same("partitions", [(p.id, p.leader.id, len(p.isr)) for p in got.partitions], [(i, got.partitions[0].leader.id, 1) for i in range(3)])
    check(str(got.topic_id) != "AAAAAAAAAAAAAAAAAAAAAA", f"the topic has no id: {got.topic_id}")
    refused("what is not there", "UNKNOWN_TOPIC_OR_PART", lambda: seen[missing].result(20))


def case_admin_incremental_configs():
    client, made = admin(), topic("incremental", 1, retention__ms="12345")

    def alter(key, value, kind):
        r = ConfigResource(ResourceType.TOPIC, made, incremental_configs=[ConfigEntry(key, value, incremental_operation=kind)])
        client.incremental_alter_configs([r])[r].result(20)

    def value(key):
        r = ConfigResource(ResourceType.TOPIC, made)
        return client.describe_configs([r])[r].result(20)[key].value
    alter("segment.ms", "60000", AlterConfigOpType.SET)
    same("both", (value("segment.ms"), value("retention.ms")), ("60000", "12345"))
    alter("cleanup.policy", "compact", AlterConfigOpType.APPEND)
    same("appended", sorted(value("cleanup.policy").split(",")), ["compact", "delete"])
    alter("cleanup.policy", "delete", AlterConfigOpType.SUBTRACT)
    same("subtracted", value("cleanup.policy"), "compact")
    alter("retention.ms", "", AlterConfigOpType.DELETE)
    check(value("retention.ms") != "12345", "the deleted config is still there")
    refused("a wrong value", "INVALID_CONFIG", lambda: alter("segment.ms", "never", AlterConfigOpType.SET))


def case_admin_groups_in_full():
    client, where, group = admin(), topic("groups", 4), name("groups")
    produce(where, ["1", "2", "3"], partition=2)
    m = Member(group, where, client_id="the-member")
    wait_for("its assignment", lambda: len(m.mine) == 4, 40)
    seen = client.describe_consumer_groups([group], include_authorized_operations=True)[group].result(20)
    same("description", (seen.group_id, seen.state, seen.is_simple_consumer_group, seen.partition_assignor, len(seen.members)),
         (group, ConsumerGroupState.STABLE, False, "range", 1))
    member = seen.members[0]
    same("client", member.client_id, "the-member")
    same("assignment", sorted(t.partition for t in member.assignment.topic_partitions), [0, 1, 2, 3])
    for options, expected in (({}, True), ({"states": {ConsumerGroupState.STABLE}}, True), ({"states": {ConsumerGroupState.EMPTY}}, False),
                              ({"types": {ConsumerGroupType.CLASSIC}}, True)):
        listed = client.list_consumer_groups(**options).result(20)
        check(not listed.errors, f"{options}: {listed.errors}")
        same(f"listed with {options}", group in [g.group_id for g in listed.valid], expected)
    refused("a group with members", "NON_EMPTY_GROUP", lambda: client.delete_consumer_groups([group])[group].result(20))
    wait_for("records", lambda: len(m.seen) == 3)
    m.leave()  # and commits
    gone = name("nobody")
    offsets = client.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)])[group].result(20).topic_partitions
    same("offsets", [(t.topic, t.partition, t.offset) for t in offsets if t.offset >= 0], [(where, 2, 3)])
    changed = ConsumerGroupTopicPartitions(group, [TopicPartition(where, 2, 1), TopicPartition(where, 0, 0)])
    client.alter_consumer_group_offsets([changed])[group].result(20)
    offsets = client.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group, [TopicPartition(where, 2)])])[group].result(20)
    same("altered", [(t.partition, t.offset) for t in offsets.topic_partitions], [(2, 1)])
    c = consumer(group)
    c.subscribe([where])
    same("read again from there", [m.offset() for m in take(c, 2)], [1, 2])
    c.close()
    same("empty", client.describe_consumer_groups([group])[group].result(20).state, ConsumerGroupState.EMPTY)
    client.delete_consumer_groups([group])[group].result(20)
    check(group not in [g.group_id for g in client.list_consumer_groups().result(20).valid], "the deleted group is listed")
    refused("a group that is not", "GROUP_ID_NOT_FOUND", lambda: client.delete_consumer_groups([gone])[gone].result(20))


def case_admin_deletes_records_and_lists_offsets():
    client, where = admin(), topic("records", 2)
    p = producer()
    for i in (3, 9, 1):
        p.produce(where, value=str(i), partition=0, timestamp=1_700_000_000_000 + i)
        check(p.flush(20) == 0, "no acknowledgement")
    newest = TopicPartition(where, 0)
    same("of the highest time", client.list_offsets({newest: OffsetSpec.max_timestamp()})[newest].result(20).offset, 1)
    produce(where, [str(i) for i in range(10)], partition=1)
    at = TopicPartition(where, 1, 4)
    r = client.delete_records([at])
    same("low watermark", next(iter(r.values())).result(20).low_watermark, 4)

    def offset(spec, **kw):
        return next(iter(client.list_offsets({TopicPartition(where, 1): spec}, **kw).values())).result(20).offset
    same("earliest", offset(OffsetSpec.earliest()), 4)
    same("latest", offset(OffsetSpec.latest()), 10)
    same("latest, committed", offset(OffsetSpec.latest(), isolation_level=IsolationLevel.READ_COMMITTED), 10)
    same("by time", offset(OffsetSpec.for_timestamp(1)), 4)
    same("nothing is so late", offset(OffsetSpec.for_timestamp(int(time.time() * 1000) + 10**8)), -1)
    c = consumer(name("records"))
    c.assign([TopicPartition(where, 1, OFFSET_BEGINNING)])
    same("what is left", [m.offset() for m in take(c, 6)], list(range(4, 10)))
    c.close()
    refused("beyond the end", "OFFSET_OUT_OF_RANGE",
            lambda: next(iter(client.delete_records([TopicPartition(where, 1, 100)]).values())).result(20))


def case_admin_scram_users():
    """SCRAM users are Kafka's, or the server refuses to have them changed here: both are an answer, silence is not."""
    client, user = admin(), name("user")
    try:
        client.alter_user_scram_credentials([UserScramCredentialUpsertion(
            user, ScramCredentialInfo(ScramMechanism.SCRAM_SHA_256, 8192), b"secret")])[user].result(20)
    except Exception as e:
        allowed = (KafkaError.UNSUPPORTED_VERSION, KafkaError._UNSUPPORTED_FEATURE, KafkaError.CLUSTER_AUTHORIZATION_FAILED,
                   KafkaError.INVALID_REQUEST, KafkaError.UNACCEPTABLE_CREDENTIAL)
        check(e.args[0].code() in allowed and e.args[0].str(), f"a refusal without a reason: {e!r}")
        return
    seen = client.describe_user_scram_credentials([user])[user].result(20)
    same("credentials", [(str(c.mechanism), c.iterations) for c in seen.scram_credential_infos], [("ScramMechanism.SCRAM_SHA_256", 8192)])
    nobody = name("nobody")
    refused("a user that is not", "RESOURCE_NOT_FOUND", lambda: client.describe_user_scram_credentials([nobody])[nobody].result(20))


if __name__ == "__main__":
    main(globals())
