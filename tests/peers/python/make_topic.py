"""make_topic.py BOOTSTRAP NAME PARTITIONS [KEY=VALUE ...]: makes a topic, and waits until it has leaders."""
import sys
import time

from confluent_kafka.admin import AdminClient, NewTopic

address, name, partitions, *configs = sys.argv[1:]
admin = AdminClient({"bootstrap.servers": address})
made = NewTopic(name, num_partitions=int(partitions), replication_factor=1, config=dict(c.split("=", 1) for c in configs))
admin.create_topics([made])[name].result(20)
end = time.monotonic() + 20
while True:
    seen = admin.list_topics(timeout=10).topics.get(name)
    if seen and len(seen.partitions) == int(partitions) and all(p.leader >= 0 for p in seen.partitions.values()):
        break
    if time.monotonic() > end:
        sys.exit(f"the topic {name} is not in the metadata with {partitions} led partitions: {seen}")
    time.sleep(0.05)
