// Kafka's own generated classes read and write frames, for test_kafka_wire.py.
//   KafkaWire again        reads lines NAME VERSION HEX; answers what Kafka makes of each
//   KafkaWire make SEED    reads lines NAME VERSION; answers a line with random content of each
//   KafkaWire errors       the protocol's errors
// A message or a version that this Kafka does not have is answered with "NAME VERSION unknown".
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.ObjectSerializationCache;
import org.apache.kafka.common.protocol.types.BoundField;
import org.apache.kafka.common.protocol.types.CompactArrayOf;
import org.apache.kafka.common.protocol.types.Field;
import org.apache.kafka.common.protocol.types.Schema;
import org.apache.kafka.common.protocol.types.TaggedFields;
import org.apache.kafka.common.protocol.types.Type;
import org.apache.kafka.common.utils.ByteUtils;

public class KafkaWire {
    static final String[] PLACES = {"org.apache.kafka.common.message.%sData", "org.apache.kafka.common.message.%s",
        "org.apache.kafka.coordinator.group.generated.%s", "org.apache.kafka.coordinator.transaction.generated.%s"};
    static Random random = new Random();

    static Class<?> classOf(String name) {
        for (String place : PLACES) {
            try {
                return Class.forName(String.format(place, name));
            } catch (ClassNotFoundException e) {
                continue;
            }
        }
        return null;
    }

    // Kafka 4 counts a key's versions from 0 and keeps the number in front apart.
    static short versionOf(Class<?> c, String name, short version) throws Exception {
        short low = c.getField("LOWEST_SUPPORTED_VERSION").getShort(null), high = c.getField("HIGHEST_SUPPORTED_VERSION").getShort(null);
        if (name.endsWith("Key") && high == 0) return 0;
        return version >= low && version <= high ? version : -1;
    }

    static byte[] again(Class<?> c, short version, byte[] bytes) throws Exception {
        Message m = (Message) c.getDeclaredConstructor().newInstance();
        ByteBuffer in = ByteBuffer.wrap(bytes);
        m.read(new ByteBufferAccessor(in), version);
        if (in.hasRemaining()) throw new IllegalStateException(in.remaining() + " bytes are left");
        ObjectSerializationCache cache = new ObjectSerializationCache();
        ByteBuffer out = ByteBuffer.allocate(m.size(cache, version));
        m.write(new ByteBufferAccessor(out), cache, version);
        return out.array();
    }

    static String text() {
        String[] letters = {"a", "b", "\u00f8", "\u8a9e", "\ud83d\ude00", "\u0000", "\"", " "};
        StringBuilder s = new StringBuilder();
        int count = random.nextInt(8) == 0 ? 150 : random.nextInt(10);
        for (int i = 0; i < count; i++) s.append(letters[random.nextInt(letters.length)]);
        return s.toString();
    }

    static byte[] bytes() {
        byte[] b = new byte[random.nextInt(8) == 0 ? 200 : random.nextInt(10)];
        random.nextBytes(b);
        return b;
    }

    static long number() {
        switch (random.nextInt(3)) {
            case 0: return random.nextInt(3) - 1;
            case 1: return (random.nextBoolean() ? Long.MAX_VALUE : Long.MIN_VALUE) >> 8 * random.nextInt(8);
            default: return random.nextLong() >> random.nextInt(64);
        }
    }

    static void fillSchema(Schema s, ByteBuffer out) throws ReflectiveOperationException {
        for (BoundField f : s.fields()) fill(f.def, out);
    }

    @SuppressWarnings("unchecked")
    static Map<Integer, Field> fieldsOf(TaggedFields tags) throws ReflectiveOperationException {
        java.lang.reflect.Field f = TaggedFields.class.getDeclaredField("fields"); // Kafka 3 has no verb for it
        f.setAccessible(true);
        return (Map<Integer, Field>) f.get(tags);
    }

    static void fillTags(TaggedFields tags, ByteBuffer out) throws ReflectiveOperationException {
        TreeMap<Integer, byte[]> some = new TreeMap<>();
        for (Map.Entry<Integer, Field> e : fieldsOf(tags).entrySet()) {
            if (random.nextBoolean()) continue;
            ByteBuffer one = ByteBuffer.allocate(1 << 20);
            fill(e.getValue(), one);
            byte[] b = new byte[one.position()];
            one.flip().get(b);
            some.put(e.getKey(), b);
        }
        ByteUtils.writeUnsignedVarint(some.size(), out);
        for (Map.Entry<Integer, byte[]> e : some.entrySet()) {
            ByteUtils.writeUnsignedVarint(e.getKey(), out);
            ByteUtils.writeUnsignedVarint(e.getValue().length, out);
            out.put(e.getValue());
        }
    }

    static void fillArray(Type t, ByteBuffer out) throws ReflectiveOperationException {
        int count = t.isNullable() && random.nextInt(4) == 0 ? -1 : random.nextInt(4);
        if (t instanceof CompactArrayOf) ByteUtils.writeUnsignedVarint(count + 1, out);
        else out.putInt(count);
        for (int i = 0; i < count; i++) fill(new Field("element", t.arrayElementType().get()), out);
    }

    static String nameOf(Type t) {
        return ((Type.DocumentedType) t).typeName();
    }

    static void fill(Field f, ByteBuffer out) throws ReflectiveOperationException {
        Type t = f.type;
        if (t instanceof Schema) {
            // a schema does not tell that a struct may be null; these are the two that may
            boolean nullable = f.name.equals("cursor") || f.name.equals("next_cursor");
            boolean isNull = nullable && random.nextBoolean();
            if (nullable) out.put((byte) (isNull ? -1 : 1));
            if (!isNull) fillSchema((Schema) t, out);
        } else if (t instanceof TaggedFields) fillTags((TaggedFields) t, out);
        else if (t.isArray()) fillArray(t, out);
        else if (t == Type.RECORDS || t == Type.COMPACT_RECORDS) {
            byte[] b = bytes();
            int size = random.nextInt(4) == 0 ? -1 : b.length;
            if (t == Type.RECORDS) out.putInt(size);
            else ByteUtils.writeUnsignedVarint(size + 1, out);
            if (size >= 0) out.put(b);
        } else if (t.isNullable() && random.nextInt(4) == 0) t.write(out, null);
        else if (t == Type.BOOLEAN) t.write(out, random.nextBoolean());
        else if (t == Type.INT8) t.write(out, (byte) number());
        else if (t == Type.INT16) t.write(out, (short) number());
        else if (t == Type.UINT16) t.write(out, (int) number() & 0xffff);
        else if (t == Type.INT32) t.write(out, (int) number());
        else if (t == Type.UNSIGNED_INT32) t.write(out, number() & 0xffffffffL);
        else if (t == Type.INT64) t.write(out, number());
        else if (t == Type.FLOAT64) t.write(out, random.nextGaussian());
        else if (t == Type.UUID) t.write(out, new Uuid(random.nextLong(), random.nextLong()));
        else if (nameOf(t).contains("STRING")) t.write(out, text());
        else if (nameOf(t).contains("BYTES")) t.write(out, ByteBuffer.wrap(bytes()));
        else throw new IllegalStateException("no content for a " + nameOf(t));
    }

    static byte[] make(Class<?> c, short version) throws Exception {
        ByteBuffer out = ByteBuffer.allocate(1 << 22);
        fillSchema(((Schema[]) c.getField("SCHEMAS").get(null))[version], out);
        byte[] b = new byte[out.position()];
        out.flip().get(b);
        return again(c, version, b); // written by the generated class: defaults under a tag go away
    }

    static String answer(String[] words, boolean makes) {
        try {
            Class<?> c = classOf(words[0]);
            short version = c == null ? -1 : versionOf(c, words[0], Short.parseShort(words[1]));
            if (version < 0) return "unknown";
            byte[] in = words.length > 2 ? HexFormat.of().parseHex(words[2]) : new byte[0];
            return HexFormat.of().formatHex(makes ? make(c, version) : again(c, version, in));
        } catch (Throwable e) {
            return "refused: " + e;
        }
    }

    public static void main(String[] args) throws Exception {
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        if (args[0].equals("errors")) {
            for (Errors e : Errors.values())
                out.println(e.code() + "\t" + e.name() + "\t" + (e.exception() instanceof RetriableException) + "\t"
                    + (e == Errors.NONE ? "" : e.message()));
        } else {
            boolean makes = args[0].equals("make");
            if (makes) random = new Random(Long.parseLong(args[1]));
            BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
            for (String line = in.readLine(); line != null; line = in.readLine()) {
                String[] words = line.split(" ");
                out.println(words[0] + " " + words[1] + " " + answer(words, makes));
            }
        }
        out.flush();
    }
}
