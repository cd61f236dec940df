import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.PrintStream;
import java.lang.reflect.Field;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Modifier;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.Map;

import org.apache.kafka.common.utils.Exit;

/**
 * Runs the mains of Kafka's command line tools one after another in one Java process, since a process costs
 * a second and more. A request is a line of base64 words: tool, standard input, arguments; its answer a line of
 * exit code, standard output, standard error. A tool is known by the name of its script or by its class.
 */
public class Runner {
    static final Map<String, String[]> TOOLS = Map.ofEntries(
        tool("kafka-topics", "org.apache.kafka.tools.TopicCommand", "kafka.admin.TopicCommand"),
        tool("kafka-console-producer", "org.apache.kafka.tools.ConsoleProducer", "kafka.tools.ConsoleProducer"),
        tool("kafka-console-consumer", "org.apache.kafka.tools.consumer.ConsoleConsumer", "kafka.tools.ConsoleConsumer"),
        tool("kafka-consumer-groups", "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand", "kafka.admin.ConsumerGroupCommand"),
        tool("kafka-configs", "org.apache.kafka.tools.ConfigCommand", "kafka.admin.ConfigCommand"),
        tool("kafka-get-offsets", "org.apache.kafka.tools.GetOffsetShell", "kafka.tools.GetOffsetShell"),
        tool("kafka-delete-records", "org.apache.kafka.tools.DeleteRecordsCommand", "kafka.admin.DeleteRecordsCommand"),
        tool("kafka-broker-api-versions", "org.apache.kafka.tools.BrokerApiVersionsCommand", "kafka.admin.BrokerApiVersionsCommand"),
        tool("kafka-log-dirs", "org.apache.kafka.tools.LogDirsCommand", "kafka.admin.LogDirsCommand"),
        tool("kafka-transactions", "org.apache.kafka.tools.TransactionsCommand"),
        tool("kafka-metadata-quorum", "org.apache.kafka.tools.MetadataQuorumCommand"),
        tool("kafka-producer-perf-test", "org.apache.kafka.tools.ProducerPerformance"),
        tool("kafka-consumer-perf-test", "org.apache.kafka.tools.ConsumerPerformance", "kafka.tools.ConsumerPerformance"));

    static Map.Entry<String, String[]> tool(String name, String... classes) {
        return Map.entry(name, classes);
    }

    /** What a tool's Exit.exit becomes: nothing after it is run, as if the process had ended. */
    static class Ended extends Error {
        final int code;

        Ended(int code) {
            super("exit " + code, null, false, false);
            this.code = code;
        }
    }

    /** Scala keeps the System.out that it finds when it starts, so that one stays and its target changes. */
    static class Switch extends OutputStream {
        volatile ByteArrayOutputStream to = new ByteArrayOutputStream();

        public void write(int b) {
            to.write(b);
        }

        public void write(byte[] b, int from, int length) {
            to.write(b, from, length);
        }
    }

    static volatile int exitCode = -1;

    /** The console consumer counts in a static, which a second call would go on with. */
    static void resetCount(Class<?> tool) throws Exception {
        for (String name : new String[] {tool.getName(), tool.getName() + "$"}) {
            try {
                Field count = Class.forName(name).getDeclaredField("messageCount");
                count.setAccessible(true);
                boolean shared = Modifier.isStatic(count.getModifiers());
                count.setInt(shared ? null : Class.forName(name).getField("MODULE$").get(null), 0);
            } catch (ClassNotFoundException | NoSuchFieldException other) {
                continue; // most tools have none
            }
        }
    }

    static int run(String name, String[] args) throws Exception {
        String[] classes = TOOLS.getOrDefault(name, new String[] {name});
        Class<?> found = null;
        for (String c : classes) {
            try {
                found = Class.forName(c);
                break;
            } catch (ClassNotFoundException missing) {
                continue; // it has another name in this version
            }
        }
        if (found == null) {
            System.err.println("there is no class " + String.join(" or ", classes) + " in these jars");
            return 127;
        }
        resetCount(found);
        exitCode = -1;
        try {
            found.getMethod("main", String[].class).invoke(null, (Object) args);
        } catch (InvocationTargetException e) {
            if (exitCode < 0) {
                e.getCause().printStackTrace();
                return 1;
            }
        }
        return exitCode < 0 ? 0 : exitCode; // the first one: a tool may catch what its own exit threw
    }

    public static void main(String[] none) throws Exception {
        PrintStream answers = System.out;
        BufferedReader requests = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
        Switch out = new Switch(), err = new Switch();
        System.setOut(new PrintStream(out, true, StandardCharsets.UTF_8));
        System.setErr(new PrintStream(err, true, StandardCharsets.UTF_8));
        Exit.Procedure end = (code, message) -> {
            if (message != null) {
                System.err.println(message);
            }
            if (exitCode < 0) {
                exitCode = code;
            }
            throw new Ended(code);
        };
        Exit.setExitProcedure(end);
        Exit.setHaltProcedure(end);
        List<Runnable> hooks = new ArrayList<>(); // what a tool would do at the end of its process, such as to send what it has
        Exit.setShutdownHookAdder((name, hook) -> hooks.add(hook));
        Base64.Decoder decode = Base64.getDecoder();
        Base64.Encoder encode = Base64.getEncoder();
        for (String line = requests.readLine(); line != null; line = requests.readLine()) {
            String[] words = Arrays.stream(line.split("\t", -1))
                .map(w -> new String(decode.decode(w), StandardCharsets.UTF_8)).toArray(String[]::new);
            out.to = new ByteArrayOutputStream();
            err.to = new ByteArrayOutputStream();
            System.setIn(new ByteArrayInputStream(words[1].getBytes(StandardCharsets.UTF_8)));
            int code;
            try {
                code = run(words[0], Arrays.copyOfRange(words, 2, words.length));
            } catch (Throwable t) {
                t.printStackTrace();
                code = 1;
            }
            hooks.forEach(Runnable::run);
            hooks.clear();
            System.out.flush();
            System.err.flush();
            answers.println(code + "\t" + encode.encodeToString(out.to.toByteArray()) + "\t" + encode.encodeToString(err.to.toByteArray()));
            answers.flush();
        }
    }
}
