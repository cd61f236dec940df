import java.lang.reflect.InvocationTargetException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Properties;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.ListOffsetsResult;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.InvalidConfigurationException;
import org.apache.kafka.common.errors.InvalidProducerEpochException;
import org.apache.kafka.common.errors.ProducerFencedException;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** Clients ADDRESS CASE: one case with kafka-clients of any version from 2.8 on. A failure is an exception. */
public class Clients {
    static String address;
    static int count;

    static String name(String word) {
        return word + "-" + ProcessHandle.current().pid() + "-" + ++count;
    }

    static void check(boolean condition, String text) {
        if (!condition) {
            throw new AssertionError(text);
        }
    }

    static void same(String what, Object seen, Object expected) {
        check(Objects.equals(seen, expected), what + ": seen " + seen + ", expected " + expected);
    }

    static void refused(String what, Class<? extends Throwable> expected, Callable<?> action) {
        Object got;
        try {
            got = action.call();
        } catch (Exception e) {
            for (Throwable t = e; t != null; t = t.getCause()) {
                if (expected.isInstance(t)) {
                    return;
                }
            }
            throw new AssertionError(what + ": refused, but not with " + expected.getSimpleName(), e);
        }
        throw new AssertionError(what + ": " + expected.getSimpleName() + " was expected, but it was done: " + got);
    }

    static void waitFor(String what, Callable<Boolean> condition) throws Exception {
        long end = System.nanoTime() + 30_000_000_000L;
        while (!condition.call()) {
            check(System.nanoTime() < end, "waited 30 s in vain for: " + what);
            Thread.sleep(10);
        }
    }

    static Properties properties(Object... pairs) {
        Properties p = new Properties();
        p.put("bootstrap.servers", address);
        for (int i = 0; i < pairs.length; i += 2) {
            p.put(pairs[i], pairs[i + 1]);
        }
        return p;
    }

    static Admin admin() {
        return Admin.create(properties());
    }

    static KafkaProducer<String, String> producer(Object... pairs) {
        return new KafkaProducer<>(properties(pairs), new StringSerializer(), new StringSerializer());
    }

    static KafkaConsumer<String, String> consumer(String group, Object... pairs) {
        Properties p = properties("auto.offset.reset", "earliest", "enable.auto.commit", "false",
            "session.timeout.ms", "6000", "heartbeat.interval.ms", "500");
        p.putAll(properties(pairs));
        if (group != null) {
            p.put("group.id", group);
        }
        return new KafkaConsumer<>(p, new StringDeserializer(), new StringDeserializer());
    }

    /** describeTopics(...).all() became allTopicNames() in 3.1 and went in 4.0. */
    @SuppressWarnings("unchecked")
    static Map<String, org.apache.kafka.clients.admin.TopicDescription> describe(Admin a, String topic) throws Exception {
        Object result = a.describeTopics(Collections.singleton(topic));
        for (String method : new String[] {"allTopicNames", "all"}) {
            try {
                Future<?> f = (Future<?>) result.getClass().getMethod(method).invoke(result);
                return (Map<String, org.apache.kafka.clients.admin.TopicDescription>) f.get();
            } catch (NoSuchMethodException other) {
                continue; // this version has the other name
            }
        }
        throw new AssertionError("describeTopics answers something unknown: " + result.getClass());
    }

    static String topic(String word, int partitions, String... configs) throws Exception {
        String made = name(word);
        Map<String, String> map = new HashMap<>();
        for (String c : configs) {
            map.put(c.split("=")[0], c.split("=")[1]);
        }
        try (Admin a = admin()) {
            a.createTopics(Collections.singleton(new NewTopic(made, partitions, (short) 1).configs(map))).all().get();
            waitFor(made, () -> {
                try {
                    return describe(a, made).get(made).partitions().stream().filter(p -> p.leader() != null).count() == partitions;
                } catch (ExecutionException e) {
                    if (e.getCause() instanceof UnknownTopicOrPartitionException) {
                        return false;
                    }
                    throw e;
                }
            });
        }
        return made;
    }

    static List<String> numbers(int from, int to) {
        return IntStream.range(from, to).mapToObj(Integer::toString).collect(Collectors.toList());
    }

    static List<RecordMetadata> produce(String topic, Integer partition, List<String> values, Object... pairs) throws Exception {
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        List<RecordMetadata> told = new ArrayList<>();
        try (KafkaProducer<String, String> p = producer(pairs)) {
            for (String v : values) {
                sent.add(p.send(new ProducerRecord<>(topic, partition, v, v)));
            }
            for (Future<RecordMetadata> f : sent) {
                told.add(f.get());
            }
        }
        return told;
    }

    static List<ConsumerRecord<String, String>> take(KafkaConsumer<String, String> c, int wanted) {
        List<ConsumerRecord<String, String>> got = new ArrayList<>();
        long end = System.nanoTime() + 30_000_000_000L;
        while (got.size() < wanted) {
            c.poll(Duration.ofMillis(100)).forEach(got::add);
            check(System.nanoTime() < end, got.size() + " of " + wanted + " records after 30 s");
        }
        return got;
    }

    /** All that a reader sees below the end that it is told. */
    static List<String> readAll(String topic, String isolation) {
        List<String> values = new ArrayList<>();
        try (KafkaConsumer<String, String> c = consumer(null, "isolation.level", isolation)) {
            List<TopicPartition> all = c.partitionsFor(topic).stream()
                .map(p -> new TopicPartition(topic, p.partition())).collect(Collectors.toList());
            c.assign(all);
            c.seekToBeginning(all);
            Map<TopicPartition, Long> ends = c.endOffsets(all);
            long end = System.nanoTime() + 30_000_000_000L;
            while (!all.stream().allMatch(t -> c.position(t) >= ends.get(t))) {
                c.poll(Duration.ofMillis(100)).forEach(r -> values.add(r.value()));
                check(System.nanoTime() < end, "the end of " + topic + " was not reached in 30 s: " + values.size() + " records");
            }
        }
        return values;
    }

    static void codecs() throws Exception {
        for (String codec : new String[] {"none", "gzip", "snappy", "lz4", "zstd"}) {
            String topic = topic("codec-" + codec, 1);
            List<RecordMetadata> told = produce(topic, null, numbers(0, 2000), "compression.type", codec, "linger.ms", "5", "acks", "all");
            same(codec + ": last offset", told.get(1999).offset(), 1999L);
            same(codec, readAll(topic, "read_uncommitted"), numbers(0, 2000));
        }
    }

    static void fields() throws Exception {
        String topic = topic("fields", 1);
        try (KafkaProducer<String, String> p = producer()) {
            ProducerRecord<String, String> r = new ProducerRecord<>(topic, 0, 1_600_000_000_123L, "gone", null,
                Arrays.asList(new RecordHeader("a", "1".getBytes(StandardCharsets.UTF_8)), new RecordHeader("ä", (byte[]) null)));
            p.send(r).get();
        }
        try (KafkaConsumer<String, String> c = consumer(null)) {
            c.assign(Collections.singleton(new TopicPartition(topic, 0)));
            ConsumerRecord<String, String> r = take(c, 1).get(0);
            same("key and value", Arrays.asList(r.key(), r.value()), Arrays.asList("gone", null));
            same("time", r.timestamp(), 1_600_000_000_123L);
            same("headers", r.headers().toArray().length, 2);
            same("null header", r.headers().lastHeader("ä").value(), null);
        }
    }

    static void refusals() throws Exception {
        String topic = topic("small", 1, "max.message.bytes=1000");
        refused("a large record", RecordTooLargeException.class,
            () -> produce(topic, null, Collections.singletonList(String.join("", Collections.nCopies(5000, "x")))));
        try (Admin a = admin()) {
            refused("a topic that is there", TopicExistsException.class,
                () -> a.createTopics(Collections.singleton(new NewTopic(topic, 1, (short) 1))).all().get());
            refused("a topic that is not", UnknownTopicOrPartitionException.class,
                () -> a.deleteTopics(Collections.singleton(name("nowhere"))).all().get());
        }
    }

    static void offsets() throws Exception {
        String topic = topic("offsets", 1);
        TopicPartition tp = new TopicPartition(topic, 0);
        try (KafkaProducer<String, String> p = producer()) {
            for (int i = 0; i < 10; i++) {
                p.send(new ProducerRecord<>(topic, 0, 1_700_000_000_000L + i * 1000, null, "" + i)).get();
            }
        }
        String group = name("offsets");
        try (KafkaConsumer<String, String> c = consumer(group)) {
            c.assign(Collections.singleton(tp));
            same("beginning", c.beginningOffsets(Collections.singleton(tp)).get(tp), 0L);
            same("end", c.endOffsets(Collections.singleton(tp)).get(tp), 10L);
            same("by time", c.offsetsForTimes(Collections.singletonMap(tp, 1_700_000_004_001L)).get(tp).offset(), 5L);
            same("nothing is so late", c.offsetsForTimes(Collections.singletonMap(tp, 1_900_000_000_000L)).get(tp), null);
            c.seek(tp, 7);
            same("from 7", take(c, 3).get(0).offset(), 7L);
            c.seek(tp, 1000);
            same("out of range goes to the earliest", take(c, 1).get(0).offset(), 0L);
            c.commitSync(Collections.singletonMap(tp, new OffsetAndMetadata(4, "why ü")));
            OffsetAndMetadata seen = c.committed(Collections.singleton(tp)).get(tp);
            same("committed", Arrays.asList(seen.offset(), seen.metadata()), Arrays.asList(4L, "why ü"));
        }
        try (KafkaConsumer<String, String> c = consumer(group)) {
            c.assign(Collections.singleton(tp));
            same("the next one starts at", take(c, 1).get(0).offset(), 4L);
        }
    }

    /** Three members of a group in one thread: each is polled in turn, as long as it takes. */
    static void balanced(String what, List<KafkaConsumer<String, String>> members, int partitions, List<String> seen) throws Exception {
        waitFor(what, () -> {
            Set<TopicPartition> all = new HashSet<>();
            int sum = 0, most = 0, least = partitions;
            for (KafkaConsumer<String, String> c : members) {
                c.poll(Duration.ofMillis(30)).forEach(r -> seen.add(r.value()));
                c.commitAsync();
            }
            for (KafkaConsumer<String, String> c : members) {
                Set<TopicPartition> mine = c.assignment();
                all.addAll(mine);
                sum += mine.size();
                most = Math.max(most, mine.size());
                least = Math.min(least, mine.size());
            }
            return sum == partitions && all.size() == partitions && most - least <= 1;
        });
    }

    static void groups() throws Exception {
        for (String assignor : new String[] {"RangeAssignor", "RoundRobinAssignor", "StickyAssignor", "CooperativeStickyAssignor"}) {
            String topic = topic("group", 6), group = name("group");
            List<KafkaConsumer<String, String>> members = new ArrayList<>();
            List<String> seen = new ArrayList<>();
            Object[] config = {"partition.assignment.strategy", "org.apache.kafka.clients.consumer." + assignor,
                "max.poll.interval.ms", "20000"};
            for (int size = 1; size <= 3; size++) {
                KafkaConsumer<String, String> c = consumer(group, config);
                c.subscribe(Collections.singleton(topic));
                members.add(c);
                balanced(assignor + ": " + size + " members", members, 6, seen);
            }
            for (int p = 0; p < 6; p++) {
                produce(topic, p, numbers(p * 50, p * 50 + 50));
            }
            waitFor("300 records", () -> {
                members.forEach(c -> c.poll(Duration.ofMillis(30)).forEach(r -> seen.add(r.value())));
                return new HashSet<>(seen).size() == 300;
            });
            members.forEach(c -> c.commitSync());
            members.remove(0).close();
            balanced(assignor + ": 2 members after one left", members, 6, seen);
            same(assignor + ": each record once", seen.size(), 300);
            members.forEach(KafkaConsumer::close);
        }
    }

    static void staticMembers() throws Exception {
        String topic = topic("static", 4), group = name("static");
        List<KafkaConsumer<String, String>> members = new ArrayList<>();
        for (String id : new String[] {"one", "two"}) {
            KafkaConsumer<String, String> c = consumer(group, "group.instance.id", id, "session.timeout.ms", "10000");
            c.subscribe(Collections.singleton(topic));
            members.add(c);
        }
        List<String> seen = new ArrayList<>();
        balanced("two members", members, 4, seen);
        int generation = members.get(0).groupMetadata().generationId();
        members.remove(1).close();
        KafkaConsumer<String, String> c = consumer(group, "group.instance.id", "two", "session.timeout.ms", "10000");
        c.subscribe(Collections.singleton(topic));
        members.add(c);
        balanced("two members again", members, 4, seen);
        same("generation", members.get(0).groupMetadata().generationId(), generation);
        members.forEach(KafkaConsumer::close);
    }

    static KafkaProducer<String, String> transactional(String id, Object... pairs) {
        List<Object> all = new ArrayList<>(Arrays.asList(pairs));
        Collections.addAll(all, "transactional.id", id);
        KafkaProducer<String, String> p = producer(all.toArray());
        p.initTransactions();
        return p;
    }

    static void transactions() throws Exception {
        String topic = topic("txn", 3);
        List<String> expected = new ArrayList<>();
        try (KafkaProducer<String, String> p = transactional(name("txn"))) {
            for (int round = 0; round < 10; round++) {
                p.beginTransaction();
                for (int i = 0; i < 30; i++) {
                    p.send(new ProducerRecord<>(topic, i % 3, null, round + "-" + i));
                }
                if (round % 2 == 1) {
                    p.flush();
                    p.abortTransaction();
                } else {
                    p.commitTransaction();
                    final int r = round;
                    IntStream.range(0, 30).forEach(i -> expected.add(r + "-" + i));
                }
            }
            p.beginTransaction();
            p.send(new ProducerRecord<>(topic, 0, null, "open")).get();
            same("committed, while one is open", sorted(readAll(topic, "read_committed")), sorted(expected));
            same("uncommitted", readAll(topic, "read_uncommitted").size(), 301);
            p.commitTransaction();
        }
        expected.add("open");
        same("committed", sorted(readAll(topic, "read_committed")), sorted(expected));
    }

    static List<String> sorted(List<String> list) {
        List<String> copy = new ArrayList<>(list);
        Collections.sort(copy);
        return copy;
    }

    static void exactlyOnce() throws Exception {
        String source = topic("source", 2), sink = topic("sink", 1), group = name("exactly");
        produce(source, 0, numbers(0, 100));
        produce(source, 1, numbers(100, 200));
        String id = name("exactly");
        int done = 0;
        for (int life = 0; life < 3; life++) { // each life leaves an open transaction behind, which the next one aborts
            KafkaProducer<String, String> p = transactional(id);
            KafkaConsumer<String, String> c = consumer(group, "isolation.level", "read_committed", "max.poll.records", "20");
            c.subscribe(Collections.singleton(source));
            for (int round = 0; round < 4 && (done < 200 || life == 2); round++) {
                if (done >= 200) {
                    break;
                }
                List<ConsumerRecord<String, String>> got = take(c, 1);
                Map<TopicPartition, OffsetAndMetadata> places = new HashMap<>();
                p.beginTransaction();
                for (ConsumerRecord<String, String> r : got) {
                    p.send(new ProducerRecord<>(sink, r.value()));
                    places.put(new TopicPartition(source, r.partition()), new OffsetAndMetadata(r.offset() + 1));
                }
                p.sendOffsetsToTransaction(places, c.groupMetadata());
                if (life < 2 && round == 2) {
                    p.flush();
                    break;
                }
                p.commitTransaction();
                done += got.size();
            }
            c.close();
            p.close(Duration.ZERO);
        }
        try (KafkaProducer<String, String> p = transactional(id)) { // ends what is open still
            same("records and committed offsets", new HashSet<>(readAll(sink, "read_committed")).size(), done);
            same("each once", readAll(sink, "read_committed").size(), done);
        }
        check(done > 60, "only " + done + " records were moved");
    }

    static void fencing() throws Exception {
        String topic = topic("fencing", 1), id = name("fencing");
        try (KafkaProducer<String, String> old = transactional(id)) {
            old.beginTransaction();
            old.send(new ProducerRecord<>(topic, "old")).get();
            try (KafkaProducer<String, String> next = transactional(id)) {
                boolean fenced = false;
                try {
                    old.send(new ProducerRecord<>(topic, "again"));
                    old.commitTransaction();
                } catch (ProducerFencedException | InvalidProducerEpochException e) {
                    fenced = true;
                } catch (org.apache.kafka.common.KafkaException e) {
                    for (Throwable t = e; t != null; t = t.getCause()) {
                        fenced |= t instanceof ProducerFencedException || t instanceof InvalidProducerEpochException;
                    }
                    check(fenced, "the old producer failed, but was not fenced: " + e);
                }
                check(fenced, "the old producer is not fenced");
                next.beginTransaction();
                next.send(new ProducerRecord<>(topic, "new"));
                next.commitTransaction();
            }
        }
        same("committed", readAll(topic, "read_committed"), Collections.singletonList("new"));
    }

    static int feature(Admin a) throws Exception {
        var all = a.describeFeatures().featureMetadata().get().finalizedFeatures();
        return all.containsKey("transaction.version") ? all.get("transaction.version").maxVersionLevel() : 0;
    }

    /** KIP-890: with transaction.version 2 each transaction has an epoch of its own. Wants admin clients from 3.0 on. */
    static void epochs() throws Exception {
        int wanted = Integer.parseInt(System.getProperty("transaction.version"));
        String topic = topic("epochs", 1);
        TopicPartition tp = new TopicPartition(topic, 0);
        try (Admin a = admin(); KafkaProducer<String, String> p = transactional(name("epochs"))) {
            same("transaction.version", feature(a), wanted);
            List<Integer> epochs = new ArrayList<>();
            for (int i = 0; i < 4; i++) {
                p.beginTransaction();
                p.send(new ProducerRecord<>(topic, 0, null, "" + i)).get();
                Object described = a.getClass().getMethod("describeProducers", Collection.class).invoke(a, Collections.singleton(tp));
                Object future = described.getClass().getMethod("partitionResult", TopicPartition.class).invoke(described, tp);
                Object state = ((Future<?>) future).get();
                List<?> active = (List<?>) state.getClass().getMethod("activeProducers").invoke(state);
                same("active producers", active.size(), 1);
                epochs.add((Integer) active.get(0).getClass().getMethod("producerEpoch").invoke(active.get(0)));
                p.commitTransaction();
            }
            boolean own = wanted >= 2 && bumps();
            for (int i = 1; i < 4; i++) {
                same("epochs " + epochs, epochs.get(i), epochs.get(i - 1) + (own ? 1 : 0));
            }
        }
    }

    /** Producers bump the epoch with each transaction from 4.0 on. */
    static boolean bumps() {
        return Integer.parseInt(org.apache.kafka.common.utils.AppInfoParser.getVersion().split("\\.")[0]) >= 4;
    }

    static void administration() throws Exception {
        String topic = topic("admin", 2, "retention.ms=12345");
        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        TopicPartition tp = new TopicPartition(topic, 1);
        try (Admin a = admin()) {
            check(a.listTopics().names().get().contains(topic), topic + " is not listed");
            Config config = a.describeConfigs(Collections.singleton(resource)).all().get().get(resource);
            same("set at creation", config.get("retention.ms").value(), "12345");
            same("its source", config.get("retention.ms").source(), ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG);
            alter(a, resource, "retention.ms", "777", AlterConfigOp.OpType.SET);
            config = a.describeConfigs(Collections.singleton(resource)).all().get().get(resource);
            same("altered", config.get("retention.ms").value(), "777");
            refused("a wrong value", InvalidConfigurationException.class,
                () -> alter(a, resource, "retention.ms", "soon", AlterConfigOp.OpType.SET));
            a.createPartitions(Collections.singletonMap(topic, NewPartitions.increaseTo(4))).all().get();
            waitFor("4 partitions", () -> describe(a, topic).get(topic).partitions().size() == 4);
            produce(topic, 1, numbers(0, 10));
            a.deleteRecords(Collections.singletonMap(tp, RecordsToDelete.beforeOffset(4))).all().get();
            for (Object[] row : new Object[][] {{OffsetSpec.earliest(), 4L}, {OffsetSpec.latest(), 10L}, {OffsetSpec.forTimestamp(1), 4L}}) {
                ListOffsetsResult.ListOffsetsResultInfo at =
                    a.listOffsets(Collections.singletonMap(tp, (OffsetSpec) row[0])).all().get().get(tp);
                same("offset " + row[0], at.offset(), row[1]);
            }
            same("brokers", a.describeCluster().nodes().get().size(), 1);
            check(a.describeCluster().clusterId().get() != null, "there is no cluster id");
            a.deleteTopics(Collections.singleton(topic)).all().get();
            waitFor("it to be gone", () -> !a.listTopics().names().get().contains(topic));
        }
    }

    static Void alter(Admin a, ConfigResource r, String key, String value, AlterConfigOp.OpType type) throws Exception {
        AlterConfigOp op = new AlterConfigOp(new ConfigEntry(key, value), type);
        return a.incrementalAlterConfigs(Collections.singletonMap(r, Collections.singletonList(op))).all().get();
    }

    public static void main(String[] args) throws Throwable {
        address = args[0];
        count = (int) (UUID.randomUUID().getMostSignificantBits() & 0xfffff) * 1000; // one process runs many cases
        if (args.length > 2) {
            System.setProperty("transaction.version", args[2]);
        }
        try {
            Clients.class.getDeclaredMethod(args[1]).invoke(null);
        } catch (InvocationTargetException e) {
            throw e.getCause();
        }
    }
}
