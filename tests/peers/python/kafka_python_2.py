"""kafka-python 2.0.2's admin client, which guesses the broker's version and uses the oldest requests."""
from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, NewPartitions

from kafka_python import Member, produce, topic
from kit import ADDRESS, check, main, name, same, wait_for


def case_admin_topics_and_configs():
    made = topic("admin", 2, retention__ms="12345")
    a = KafkaAdminClient(bootstrap_servers=ADDRESS)
    check(made in a.list_topics(), f"{made} is not listed")
    a.create_partitions({made: NewPartitions(4)})
    wait_for("4 partitions", lambda: len(a.describe_topics([made])[0]["partitions"]) == 4)

    def config(key):
        response = a.describe_configs([ConfigResource(ConfigResourceType.TOPIC, made)])[0]
        return {c[0]: c[1] for c in response.resources[0][4]}[key]
    same("set at creation", config("retention.ms"), "12345")
    a.alter_configs([ConfigResource(ConfigResourceType.TOPIC, made, configs={"retention.ms": "777"})])
    same("altered", config("retention.ms"), "777")
    cluster = a.describe_cluster()
    check(len(cluster["brokers"]) == 1 and cluster["cluster_id"], f"the cluster: {cluster}")
    a.delete_topics([made])
    wait_for("it to be gone", lambda: made not in a.list_topics())
    a.close()


def case_admin_groups():
    where, group = topic("groups", 2), name("groups")
    produce(where, ["1", "2"], partition=1)
    m = Member(group, where)
    wait_for("two records", lambda: len(m.seen) == 2)
    a = KafkaAdminClient(bootstrap_servers=ADDRESS)
    check((group, "consumer") in a.list_consumer_groups(), f"{group} is not listed")
    seen = a.describe_consumer_groups([group])[0]
    same("description", (seen.group, seen.state, seen.protocol_type, len(seen.members)), (group, "Stable", "consumer", 1))
    m.leave()
    offsets = a.list_consumer_group_offsets(group)
    same("offset", offsets[TopicPartition(where, 1)].offset, 2)
    a.delete_consumer_groups([group])
    check((group, "consumer") not in a.list_consumer_groups(), "the deleted group is listed")
    a.close()


if __name__ == "__main__":
    main(globals())
