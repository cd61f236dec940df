/* Golden: a project's statements, Flink's tables among them; what has no meaning here is noted. */
#include "sql/tree.h"
#include "test.h"

static const struct {
    const char *text, *tree; /* the statements, a line each, then their notes */
} goods[] = {
    {"CREATE TABLE bid (auction BIGINT, `dateTime` TIMESTAMP(3), who ROW<name STRING, tags "
     "ARRAY<STRING>>, WATERMARK FOR `dateTime` AS `dateTime` - INTERVAL '5' SECOND) WITH "
     "('connector' = 'kafka', 'topic' = 'nexmark', 'format' = 'json', 'partitions' = '3'); "
     "SELECT b.auction FROM bid AS b JOIN TUMBLE(bid, `dateTime`, '1s') ON true; "
     "SELECT bid.auction FROM bid",
     "CREATE TOPIC nexmark (auction bigint, \"dateTime\" timestamp, who struct<name text, tags "
     "list<text>>) WATERMARK dateTime 5000ms [partitions=3]\n"
     "SELECT b.auction FROM nexmark AS b JOIN TUMBLE(nexmark AS bid, \"dateTime\", INTERVAL "
     "'1000ms') ON true\n"
     "SELECT bid.auction FROM nexmark AS bid\n"},
    {"CREATE TABLE t (a BIGINT NOT NULL COMMENT 'x', b DECIMAL(23, 3), c VARCHAR(20), PRIMARY KEY "
     "(a) NOT ENFORCED)\nCOMMENT 'y' WITH ('connector' = 'kafka',\n"
     "'properties.bootstrap.servers' = 'localhost:9092', 'scan.startup.mode' = 'latest-offset', "
     "'value.format' = 'JSON', 'json.ignore-parse-errors' = 'true', 'sink.parallelism' = '2')",
     "CREATE TOPIC t (a bigint, b decimal, c text)\n"
     "note 1:35 a column's COMMENT is not kept\n"
     "note 1:57 DECIMAL(23, 3) is read as decimal: its length is not enforced\n"
     "note 1:75 VARCHAR(20) is read as text: its length is not enforced\n"
     "note 2:1 a table's COMMENT is not kept here: write WITH comment = '…'\n"
     "note 1:26 NOT NULL is not enforced: write CHECK not_null(…) into the stream\n"
     "note 1:16 a topic's primary key is not enforced: a table's is\n"
     "note 3:1 'properties.bootstrap.servers' means nothing here: the topic is Sluice's own\n"
     "note 3:52 'scan.startup.mode' means nothing here: a stream's own WITH says where it begins\n"
     "note 3:116 'json.ignore-parse-errors' means nothing here: what does not fit becomes a dead "
     "letter\n"
     "note 3:153 'sink.parallelism' means nothing here: each record is written exactly once\n"},
    /* INSERT INTO: by place, each a stream of its own name */
    {"CREATE TABLE k.t (b INT, a INT, PRIMARY KEY (a)); CREATE TOPIC u (x INT); CREATE TABLE n (z "
     "INT) WITH ('connector' = 'blackhole'); INSERT INTO k.t SELECT 1, c FROM v; INSERT INTO u "
     "SELECT * FROM v UNION ALL SELECT a FROM k.t; INSERT INTO u SELECT 5 FROM v; INSERT INTO n "
     "SELECT c AS d FROM v; INSERT INTO other (p, q) WITH w AS (SELECT 1 AS a) SELECT a, a FROM w; "
     "INSERT INTO far SELECT a FROM v CHECK not_null(a) ELSE SKIP EMIT ON CHANGE",
     "CREATE TABLE k.t (a int PARTITION KEY, b int)\n"
     "CREATE TOPIC u (x int)\n"
     "INSERT t INTO k.t AS SELECT 1 AS b, c AS a FROM v\n"
     "INSERT u INTO TOPIC u AS SELECT * FROM (SELECT * FROM v UNION ALL SELECT a FROM k.t) AS "
     "query (x)\n"
     "INSERT u_2 INTO TOPIC u AS SELECT 5 AS x FROM v\n"
     "CREATE SINK n INTO blackhole AS SELECT c AS z FROM v\n"
     "INSERT other INTO other AS WITH w AS (SELECT 1 AS a) SELECT a AS p, a AS q FROM w\n"
     "INSERT far INTO far AS SELECT a FROM v CHECK not_null(a) ELSE SKIP EMIT ON CHANGE\n"},
    /* views and computed columns: their query stands where their name does */
    {"CREATE TABLE t (a INT, c AS a + 1, at TIMESTAMP(3) METADATA FROM 'timestamp' VIRTUAL, p "
     "BIGINT METADATA FROM 'partition', WATERMARK FOR at AS at - INTERVAL '1' SECOND) WITH "
     "('connector' = 'kafka', 'topic' = 'x'); SELECT c FROM t; SELECT c FROM TUMBLE(t, at, '1m') w",
     "CREATE TOPIC x (a int) WATERMARK _timestamp 1000ms\n"
     "SELECT c FROM (SELECT a, (a + 1) AS c, _timestamp AS at, CAST(_partition AS bigint) AS p "
     "FROM "
     "x) AS t\n"
     "SELECT c FROM TUMBLE((SELECT a, (a + 1) AS c, _timestamp AS at, CAST(_partition AS bigint) "
     "AS "
     "p FROM x) AS t, at, INTERVAL '60000ms') AS w\n"},
    {"CREATE VIEW v (x) AS SELECT a FROM t; CREATE OR REPLACE TEMPORARY VIEW w AS SELECT x FROM v "
     "UNION ALL SELECT 1; CREATE VIEW IF NOT EXISTS w AS SELECT 5; SELECT * FROM w JOIN v AS y ON "
     "true; SELECT 1 FROM u",
     "SELECT * FROM (SELECT x FROM (SELECT * FROM (SELECT a FROM t) AS v (x)) AS v UNION ALL "
     "SELECT "
     "1) AS w JOIN (SELECT * FROM (SELECT a FROM t) AS v (x)) AS y ON true\n"
     "SELECT 1 FROM u\n"},
    /* topics, streams, views, sinks */
    {"CREATE TOPIC t (a INT, at TIMESTAMP) WATERMARK FOR at DELAY INTERVAL '2' MINUTES WITH "
     "(partitions = 3); CREATE TOPIC u (at TIMESTAMP, WATERMARK FOR at AS at); CREATE TOPIC v WITH "
     "(partitions = 1) WATERMARK FOR a.b[0] DELAY 5s",
     "CREATE TOPIC t (a int, at timestamp) WATERMARK at 120000ms [partitions=3]\n"
     "CREATE TOPIC u (at timestamp) WATERMARK at 0ms\n"
     "CREATE TOPIC v WATERMARK a.b[0] 5000ms [partitions=1]\n"},
    {"CREATE STREAM s INTO TOPIC t WITH (trigger = '10s') AS SELECT a FROM u; CREATE STREAM s INTO "
     "topic AS SELECT a FROM u; CREATE STREAM IF NOT EXISTS s INTO TOPIC \"T\" AS WITH x AS "
     "(SELECT "
     "a FROM u) SELECT a FROM x EMIT ON WINDOW CLOSE",
     "CREATE STREAM s INTO TOPIC t [trigger=10s] AS SELECT a FROM u\n"
     "CREATE STREAM s INTO topic AS SELECT a FROM u\n"
     "CREATE STREAM IF NOT EXISTS s INTO TOPIC \"T\" AS WITH x AS (SELECT a FROM u) SELECT a FROM "
     "x "
     "EMIT ON WINDOW CLOSE\n"},
    {"CREATE MATERIALIZED VIEW IF NOT EXISTS k.v PRIMARY KEY ((a, b), c) WITH (ttl = '1d') AS "
     "SELECT a, b, c FROM t; CREATE MATERIALIZED VIEW v PRIMARY KEY (a, b) AS SELECT a FROM t; "
     "CREATE MATERIALIZED VIEW v PRIMARY KEY ((a, b)) AS SELECT a FROM t",
     "CREATE MATERIALIZED VIEW IF NOT EXISTS k.v PRIMARY KEY ((a, b), c) [ttl=1d] AS SELECT a, b, "
     "c FROM t\n"
     "CREATE MATERIALIZED VIEW v PRIMARY KEY ((a), b) AS SELECT a FROM t\n"
     "CREATE MATERIALIZED VIEW v PRIMARY KEY ((a, b)) AS SELECT a FROM t\n"},
    {"CREATE SINK s INTO BLACKHOLE AS SELECT a FROM t; CREATE SINK s INTO kafka 'host:9092' WITH "
     "(topic = 'x') AS SELECT a FROM t",
     "CREATE SINK s INTO blackhole AS SELECT a FROM t\n"
     "CREATE SINK s INTO kafka 'host:9092' [topic=x] AS SELECT a FROM t\n"},
    /* a stream's checks, in any of its SELECTs */
    {"CREATE STREAM s INTO t AS WITH x AS (SELECT a FROM u CHECK (a > 0) ELSE SKIP) SELECT a FROM "
     "x "
     "CHECK unique(a, b) WITHIN '1h' ELSE DEAD LETTER CHECK accepted_values(c, 'x', 'y') ELSE NULL "
     "CHECK range(d, 1, 10) ELSE FAIL CHECK freshness(ts, '10m') ELSE SKIP",
     "CREATE STREAM s INTO t AS WITH x AS (SELECT a FROM u CHECK ((a > 0)) ELSE SKIP) SELECT a "
     "FROM "
     "x CHECK unique(a, b) WITHIN '3600000ms' ELSE DEAD LETTER CHECK accepted_values(c, 'x', 'y') "
     "ELSE NULL CHECK range(d, 1, 10) ELSE FAIL CHECK freshness(ts, '10m') ELSE SKIP\n"},
    /* functions */
    {"CREATE OR REPLACE FUNCTION f(a INT, b VARCHAR) RETURNS STRING AS a || b; CREATE FUNCTION "
     "g(x DOUBLE) RETURNS DOUBLE LANGUAGE SQL DETERMINISTIC RETURN x * 2; CREATE FUNCTION h() AS 5",
     "CREATE OR REPLACE FUNCTION f (a int, b text) RETURNS text AS (a || b)\n"
     "CREATE FUNCTION g (x double) RETURNS double AS (x * 2)\n"
     "note 1:130 deterministic is not needed: a function is its expression\n"
     "CREATE FUNCTION h AS 5\n"},
    {"ALTER STREAM s SET (every = '5s', lineage = true); ALTER MATERIALIZED VIEW k.v SET (ttl = "
     "1d); DROP MATERIALIZED VIEW IF EXISTS k.v; DROP VIEW v; DROP SINK s; DROP FUNCTION IF EXISTS "
     "f; SHOW SINKS; DESCRIBE VIEW v",
     "ALTER STREAM s [every=5s, lineage=true]\n"
     "ALTER VIEW k.v [ttl=1d]\n"
     "DROP VIEW IF EXISTS k.v\n"
     "DROP VIEW v\n"
     "DROP SINK s\n"
     "DROP FUNCTION IF EXISTS f\n"
     "SHOW SINKS\n"
     "DESCRIBE VIEW v\n"},
};

TEST(a_projects_statements_become_what_they_mean_here)
{
    for (size_t i = 0; i < COUNT_OF(goods); i++) {
        struct arena *a = arena_new(MIB(4));
        struct script s;
        struct diag d = {0};
        struct buf out = buf_make(KIB(64));
        err_t e = sql_parse(slice_of(goods[i].text), "x.sql", DIALECT_SLUICE, a, &s, &d);
        if (e) test_not_ok(__FILE__, __LINE__, goods[i].text, e, &d);
        for (uint32_t n = 0; n < s.count; n++) {
            statement_print(&s.statements[n], &out);
            buf_char(&out, '\n');
        }
        CHECK_TEXT(buf_cstr(&out), goods[i].tree);
        buf_done(&out);
        arena_free(a);
    }
}

TEST(statements_without_memory_are_refused)
{
    for (size_t i = 0; i < COUNT_OF(goods); i++) {
        err_t e = ERR_NO_MEMORY;
        for (size_t limit = 16; e == ERR_NO_MEMORY && limit < MIB(1); limit += 112) {
            struct arena *a = arena_new(limit);
            struct script s;
            struct diag d = {0};
            e = sql_parse(slice_of(goods[i].text), "x.sql", DIALECT_SLUICE, a, &s, &d);
            arena_free(a);
        }
        CHECK_OK(e, NULL);
    }
}

/* What a statement stands on is part of what it means: its version goes with it. */
TEST(a_statement_knows_the_others_it_stands_on)
{
    struct arena *a = arena_new(MIB(4));
    struct script s;
    struct diag d = {0};
    CHECK_OK(sql_parse(SLICE("CREATE VIEW v AS SELECT 1; CREATE VIEW w AS SELECT 2 FROM v, v AS x;"
                             "CREATE TABLE t (a INT) WITH ('connector' = 'kafka', topic = 'u');"
                             "INSERT INTO t SELECT 1 FROM w; SELECT 1 FROM x"),
                       "x", DIALECT_SLUICE, a, &s, &d),
             &d);
    CHECK_INT(s.count, 3);
    CHECK_INT(s.statements[0].use_count, 0);
    CHECK_INT(s.statements[1].use_count, 3);
    CHECK_SLICE(s.statements[1].uses[0], "CREATE VIEW v AS SELECT 1");
    CHECK_SLICE(s.statements[1].uses[1], "CREATE VIEW w AS SELECT 2 FROM v, v AS x");
    CHECK_SLICE(s.statements[1].uses[2],
                "CREATE TABLE t (a INT) WITH ('connector' = 'kafka', topic = 'u')");
    CHECK_INT(s.statements[2].use_count, 0);
    arena_free(a);
}

/* v1 is v0 twice, v2 is v1 twice …; and v1 in v2 in v3 …. */
TEST(views_of_views_are_bounded_in_number_and_depth)
{
    static const char *const forms[] = {"CREATE VIEW v%d AS SELECT 1 FROM v%d, v%d AS x;",
                                        "CREATE VIEW v%d AS SELECT 1 FROM v%d, t AS x%d;"};
    for (size_t form = 0; form < COUNT_OF(forms); form++) {
        struct arena *a = arena_new(MIB(16));
        struct buf text = buf_make(KIB(64));
        struct script s;
        struct diag d = {0};
        buf_text(&text, "CREATE VIEW v0 AS SELECT 1;");
        for (int i = 1; i < 100; i++) {
            char one[100];
            snprintf(one, sizeof(one), forms[form], i, i - 1, i - 1);
            buf_text(&text, one);
        }
        CHECK_ERR(sql_parse(buf_view(&text), "x", DIALECT_SLUICE, a, &s, &d),
                  form ? ERR_TOO_DEEP : ERR_TOO_BIG);
        buf_done(&text);
        arena_free(a);
    }
}

/* Many statements, each told its place and looked up among the others: not slower by the square. */
TEST(a_long_text_of_small_statements_is_read_in_its_own_time)
{
    struct arena *a = arena_new(MIB(256));
    struct buf text = buf_make(SQL_TEXT_MAX);
    struct script s;
    struct diag d = {0};
    uint32_t count = 0;
    while (text.len + 200 < SQL_TEXT_MAX) {
        buf_printf(&text, "CREATE TABLE t%u (a VARCHAR(5)) WITH ('connector' = 'kafka');\n", count);
        buf_printf(&text, "INSERT INTO t%u SELECT x FROM t0;\n", count);
        count += 2;
    }
    CHECK_OK(sql_parse(buf_view(&text), "x", DIALECT_SLUICE, a, &s, &d), &d);
    CHECK_INT(s.count, count);
    CHECK_INT(s.statements[count - 2].line, count - 1);
    CHECK_INT(s.statements[count - 2].note_count, 1);
    CHECK_INT(s.statements[count - 2].notes[0].line, count - 1);
    buf_done(&text);
    arena_free(a);
}
