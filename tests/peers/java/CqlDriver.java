// The Java driver 4 against a CQL server: CqlDriver HOST PORT PROTOCOL [COMPRESSION]; over TLS with -Dcql.tls=true. Ends with 1 at the first thing that is not so.
import com.datastax.oss.driver.api.core.*;
import com.datastax.oss.driver.api.core.config.*;
import com.datastax.oss.driver.api.core.cql.*;
import com.datastax.oss.driver.api.core.data.*;
import com.datastax.oss.driver.api.core.metadata.schema.*;
import com.datastax.oss.driver.api.core.servererrors.*;
import com.datastax.oss.driver.api.core.type.*;
import com.datastax.oss.driver.api.querybuilder.QueryBuilder;
import java.math.*;
import java.net.*;
import java.nio.ByteBuffer;
import java.time.*;
import java.util.*;
import java.util.concurrent.*;

public class CqlDriver {
    static CqlSession s;
    static String ks;

    static void same(String what, Object seen, Object expected) {
        if (!Objects.equals(seen, expected)) throw new AssertionError(what + ": seen " + seen + ", expected " + expected);
    }

    static void refused(String what, Class<?> by, String words, Runnable r) {
        try {
            r.run();
        } catch (Exception e) {
            if (by.isInstance(e) && e.getMessage().contains(words)) return;
            throw new AssertionError(what + ": refused otherwise: " + e);
        }
        throw new AssertionError(what + ": was done");
    }

    public static void main(String[] a) throws Exception {
        ProgrammaticDriverConfigLoaderBuilder config = DriverConfigLoader.programmaticBuilder()
            .withString(DefaultDriverOption.PROTOCOL_VERSION, a[2]).withDuration(DefaultDriverOption.REQUEST_TIMEOUT, Duration.ofSeconds(30))
            .withDuration(DefaultDriverOption.CONNECTION_INIT_QUERY_TIMEOUT, Duration.ofSeconds(20))
            .withDuration(DefaultDriverOption.METADATA_SCHEMA_REQUEST_TIMEOUT, Duration.ofSeconds(30));
        if (Boolean.getBoolean("cql.tls")) // stores: javax.net.ssl.trustStore, javax.net.ssl.keyStore
            config.withClass(DefaultDriverOption.SSL_ENGINE_FACTORY_CLASS, com.datastax.oss.driver.internal.core.ssl.DefaultSslEngineFactory.class)
                .withBoolean(DefaultDriverOption.SSL_HOSTNAME_VALIDATION, !Boolean.getBoolean("cql.tls.any_name"));
        if (a.length > 3) config.withString(DefaultDriverOption.PROTOCOL_COMPRESSION, a[3]);
        ks = "java_" + a[2].toLowerCase() + "_" + System.nanoTime();
        try (CqlSession session = CqlSession.builder().addContactPoint(new InetSocketAddress(a[0], Integer.parseInt(a[1])))
                 .withLocalDatacenter("datacenter1").withConfigLoader(config.build()).build()) {
            s = session;
            same("protocol", s.getContext().getProtocolVersion().name(), a[2]);
            s.execute("CREATE KEYSPACE " + ks + " WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}");
            s.execute("USE " + ks);
            schema();
            values();
            pages();
            concurrent();
            batches();
            conditions();
            changes();
            errors();
            builder();
            System.out.println("ok");
        }
    }

    static void schema() {
        s.execute("CREATE TYPE address (street text, zips frozen<list<int>>)");
        s.execute("CREATE TABLE people (id int, at timestamp, \"Name\" text, a frozen<address>, s int static, t tuple<int, text>, PRIMARY KEY ((id), at)) WITH CLUSTERING ORDER BY (at DESC)");
        s.execute("CREATE INDEX by_name ON people (\"Name\")");
        KeyspaceMetadata k = s.refreshSchema().getKeyspace(ks).get();
        TableMetadata t = k.getTable("people").get();
        same("partition key", t.getPartitionKey().get(0).getName().asInternal(), "id");
        same("clustering", t.getClusteringColumns().values().iterator().next().name(), "DESC");
        same("static", t.getColumn("s").get().isStatic(), true);
        same("index", t.getIndex("by_name").get().getTarget(), "\"Name\"");
        same("type", k.getUserDefinedType("address").get().getFieldNames().size(), 2);
        if (!t.describe(true).contains("CREATE TABLE")) throw new AssertionError(t.describe(true));
        if (!s.getMetadata().getTokenMap().isPresent()) throw new AssertionError("no token map");
        same("nodes", s.getMetadata().getNodes().size(), 1);
    }

    static boolean a3() {
        return s.getContext().getProtocolVersion().getCode() == 3;
    }

    static void values() throws Exception {
        Object[][] all = {
            {"ascii", "abc", String.class}, {"text", "über 🐍", String.class}, {"bigint", Long.MIN_VALUE, Long.class}, {"int", Integer.MAX_VALUE, Integer.class},
            {"smallint", Short.MIN_VALUE, Short.class}, {"tinyint", (byte) -128, Byte.class}, {"varint", BigInteger.TWO.pow(100), BigInteger.class},
            {"float", 1.5f, Float.class}, {"double", -0.1, Double.class}, {"decimal", new BigDecimal("-12.3400"), BigDecimal.class}, {"boolean", true, Boolean.class},
            {"blob", ByteBuffer.wrap(new byte[] {0, -1}), ByteBuffer.class}, {"uuid", new UUID(0, 5), UUID.class},
            {"timeuuid", UUID.fromString("50554d6e-29bb-11e5-b345-feff819cdc9f"), UUID.class}, {"timestamp", Instant.ofEpochMilli(1430659854234L), Instant.class},
            {"date", LocalDate.of(2015, 5, 3), LocalDate.class}, {"time", LocalTime.of(8, 12, 54, 123456789), LocalTime.class},
            {"duration", CqlDuration.newInstance(1, 2, 3), CqlDuration.class}, {"inet", InetAddress.getByName("2001:db8::1"), InetAddress.class}};
        for (int i = 0; i < all.length; i++) {
            // what came later has custom types in version 3, for which this driver has no codec
            if (a3() && Arrays.asList("smallint", "tinyint", "date", "time", "duration").contains(all[i][0])) continue;
            s.execute("CREATE TABLE v" + i + " (k int PRIMARY KEY, v " + all[i][0] + ", l list<frozen<tuple<int, " + all[i][0] + ">>>)");
            PreparedStatement put = s.prepare("INSERT INTO v" + i + " (k, v) VALUES (?, ?)"), get = s.prepare("SELECT v FROM v" + i + " WHERE k = :k");
            s.execute(put.bind(1, all[i][1]));
            s.execute(a3() ? put.bind(2, null) : put.boundStatementBuilder().setInt("k", 2).build()); // unset came with version 4
            same(all[i][0] + "", s.execute(get.bind().setInt("k", 1)).one().get(0, (Class<?>) all[i][2]), all[i][1]);
            same("unset " + all[i][0], s.execute(get.bind(2)).one().isNull(0), true);
        }
        UserDefinedType type = s.getMetadata().getKeyspace(ks).get().getUserDefinedType("address").get();
        UdtValue one = type.newValue("a street", Arrays.asList(1, 2));
        s.execute(s.prepare("INSERT INTO people (id, at, a, t, s) VALUES (1, 0, ?, ?, 5)").bind(one, DataTypes.tupleOf(DataTypes.INT, DataTypes.TEXT).newValue(1, "x")));
        Row row = s.execute("SELECT a, t, s FROM people WHERE id = 1").one();
        same("a user type", row.getUdtValue(0), one);
        same("a tuple", row.getTupleValue(1).getString(1), "x");
    }

    static void pages() {
        s.execute("CREATE TABLE p (k int, c int, PRIMARY KEY (k, c))");
        PreparedStatement put = s.prepare("INSERT INTO p (k, c) VALUES (1, ?)");
        for (int i = 0; i < 250; i++) s.execute(put.bind(i));
        for (int size : new int[] {1, 7, 50, 249, 250, 251}) {
            int n = 0;
            for (Row r : s.execute(SimpleStatement.newInstance("SELECT c FROM p WHERE k = 1").setPageSize(size))) same("row", r.getInt(0), n++);
            same("rows in pages of " + size, n, 250);
        }
        ResultSet first = s.execute(SimpleStatement.newInstance("SELECT c FROM p WHERE k = 1").setPageSize(10));
        ByteBuffer state = first.getExecutionInfo().getPagingState();
        same("from a kept state", s.execute(SimpleStatement.newInstance("SELECT c FROM p WHERE k = 1").setPageSize(10).setPagingState(state)).one().getInt(0), 10);
    }

    static void concurrent() throws Exception {
        s.execute("CREATE TABLE c (k int PRIMARY KEY, v int)");
        PreparedStatement put = s.prepare("INSERT INTO c (k, v) VALUES (?, ?)");
        List<CompletionStage<AsyncResultSet>> all = new ArrayList<>();
        for (int i = 0; i < 5000; i++) {
            all.add(s.executeAsync(put.bind(i, i)));
            if (i % 900 == 899) for (CompletionStage<AsyncResultSet> f : all) f.toCompletableFuture().get();
        }
        for (CompletionStage<AsyncResultSet> f : all) f.toCompletableFuture().get();
        same("counted", s.execute("SELECT count(*) FROM c").one().getLong(0), 5000L);
    }

    static void batches() {
        s.execute("CREATE TABLE n (k int PRIMARY KEY, n counter)");
        s.execute(BatchStatement.newInstance(DefaultBatchType.COUNTER, SimpleStatement.newInstance("UPDATE n SET n = n + 2 WHERE k = 1"),
            SimpleStatement.newInstance("UPDATE n SET n = n - 5 WHERE k = 1")));
        same("counter", s.execute("SELECT n FROM n WHERE k = 1").one().getLong(0), -3L);
        PreparedStatement put = s.prepare("INSERT INTO c (k, v) VALUES (?, ?)");
        s.execute(BatchStatement.newInstance(DefaultBatchType.LOGGED, put.bind(10001, 1), put.bind(10002, 2)));
        same("both", s.execute("SELECT v FROM c WHERE k IN (10001, 10002)").all().size(), 2);
    }

    static void conditions() {
        same("inserted", s.execute("INSERT INTO c (k, v) VALUES (20000, 1) IF NOT EXISTS").wasApplied(), true);
        ResultSet r = s.execute("INSERT INTO c (k, v) VALUES (20000, 2) IF NOT EXISTS");
        same("not again", r.wasApplied(), false);
        same("told", r.one().getInt("v"), 1);
        same("set", s.execute(s.prepare("UPDATE c SET v = ? WHERE k = ? IF v = ?").bind(3, 20000, 1)).wasApplied(), true);
    }

    static void changes() throws Exception {
        PreparedStatement every = s.prepare("SELECT * FROM c WHERE k = ?");
        same("columns before", s.execute(every.bind(1)).getColumnDefinitions().size(), 2);
        s.execute("ALTER TABLE c ADD w text");
        s.execute("UPDATE c SET w = 'new' WHERE k = 1");
        Row row = s.execute(every.bind(1)).one();
        if (s.getContext().getProtocolVersion().getCode() >= 5) same("the new column comes", row.getString("w"), "new");
    }

    static void errors() {
        refused("syntax", SyntaxError.class, "no viable alternative at input 'SELEC'", () -> s.execute("SELEC * FROM c"));
        refused("no table", InvalidQueryException.class, "table nothing does not exist", () -> s.execute("SELECT * FROM nothing"));
        refused("filtering", InvalidQueryException.class, "ALLOW FILTERING", () -> s.execute("SELECT * FROM c WHERE v = 1"));
        refused("there already", AlreadyExistsException.class, "c", () -> s.execute("CREATE TABLE c (k int PRIMARY KEY)"));
        refused("configuration", InvalidConfigurationInQueryException.class, "", () -> s.execute("CREATE KEYSPACE x WITH replication = {'class': 'Nothing'}"));
        QueryTrace trace = s.execute(SimpleStatement.newInstance("SELECT * FROM c WHERE k = 1").setTracing(true)).getExecutionInfo().getQueryTrace();
        same("traced", trace.getEvents().isEmpty(), false);
    }

    static void builder() {
        s.execute(QueryBuilder.insertInto(ks, "c").value("k", QueryBuilder.literal(30000)).value("v", QueryBuilder.literal(1)).usingTtl(1000).build());
        Row r = s.execute(QueryBuilder.selectFrom(ks, "c").column("v").ttl("v").writeTime("v").whereColumn("k").isEqualTo(QueryBuilder.literal(30000)).build()).one();
        if (r.getInt(1) < 900 || r.getLong(2) < 1_000_000L) throw new AssertionError("ttl and writetime: " + r.getFormattedContents());
    }
}
