/* Golden: queries and the trees they become, printed again; what is printed parses to the same. */
#include "sql/tree.h"
#include "test.h"

static const struct {
    const char *text, *tree; /* NULL: the text itself */
} goods[] = {
    /* FROM: relations and joins */
    {"SELECT a FROM t JOIN u ON (t.a = u.b)", NULL},
    {"SELECT a FROM t AS x LEFT OUTER JOIN k.u y ON x.a = y.b RIGHT JOIN v USING (a, b)",
     "SELECT a FROM t AS x LEFT JOIN k.u AS y ON (x.a = y.b) RIGHT JOIN v USING (a, b)"},
    {"SELECT a FROM t FULL OUTER JOIN u ON a = b CROSS JOIN w",
     "SELECT a FROM t FULL JOIN u ON (a = b) CROSS JOIN w"},
    {"SELECT a FROM t LEFT SEMI JOIN u ON a = b ANTI JOIN v ON c = d INNER JOIN w USING (a)",
     "SELECT a FROM t LEFT SEMI JOIN u ON (a = b) LEFT ANTI JOIN v ON (c = d) JOIN w USING (a)"},
    {"SELECT a FROM t, u AS x JOIN v ON x.a = v.a, w WHERE t.a = w.a",
     "SELECT a FROM t CROSS JOIN (u AS x JOIN v ON (x.a = v.a)) CROSS JOIN w WHERE (t.a = w.a)"},
    {"SELECT a FROM (t JOIN u ON a = b) JOIN (v JOIN w ON c = d) ON a = d",
     "SELECT a FROM t JOIN u ON (a = b) JOIN (v JOIN w ON (c = d)) ON (a = d)"},
    {"SELECT a FROM (SELECT b AS a FROM t WHERE c) AS x", NULL},
    {"SELECT a FROM (SELECT b FROM t) x (a), (SELECT 1) AS \"Y\"",
     "SELECT a FROM (SELECT b FROM t) AS x (a) CROSS JOIN (SELECT 1) AS \"Y\""},
    {"SELECT left, semi FROM t left JOIN u ON true",
     "SELECT left, semi FROM t LEFT JOIN u ON true"},
    {"SELECT * FROM t WHERE a == 1 AND b <=> 2",
     "SELECT * FROM t WHERE ((a = 1) AND (b IS NOT DISTINCT FROM 2))"},
    {"SELECT t.*, data.inner.* FROM t", NULL},
    {"SELECT `order`, `Odd name` FROM `k`.`T` AS x",
     "SELECT \"order\", \"Odd name\" FROM k.\"T\" AS x"},
    /* UNNEST */
    {"SELECT id, tag FROM t CROSS JOIN UNNEST(tags) AS u (tag)", NULL},
    {"SELECT id FROM t LEFT JOIN UNNEST(t.tags) WITH ORDINALITY AS u (tag, n) ON true", NULL},
    {"SELECT id FROM t, UNNEST(tags) u (tag), LATERAL UNNEST(x) y",
     "SELECT id FROM t CROSS JOIN UNNEST(tags) AS u (tag) CROSS JOIN UNNEST(x) AS y"},
    {"SELECT id FROM t LATERAL VIEW explode(tags) u AS tag LATERAL VIEW OUTER explode(x) y AS z",
     "SELECT id FROM t CROSS JOIN UNNEST(tags) AS u (tag) LEFT JOIN UNNEST(x) AS y (z) ON true"},
    /* windows */
    {"SELECT a FROM TUMBLE(t, ts, INTERVAL '1' MINUTE)",
     "SELECT a FROM TUMBLE(t, ts, INTERVAL '60000ms')"},
    {"SELECT a FROM TABLE(TUMBLE(TABLE k.t, DESCRIPTOR(login.at), INTERVAL '10' SECONDS)) AS w",
     "SELECT a FROM TUMBLE(k.t, login.at, INTERVAL '10000ms') AS w"},
    {"SELECT a FROM TABLE(HOP(DATA => TABLE t, TIMECOL => DESCRIPTOR(ts), SLIDE => INTERVAL '5' "
     "MINUTES, SIZE => INTERVAL '10' MINUTES))",
     "SELECT a FROM HOP(t, ts, INTERVAL '300000ms', INTERVAL '600000ms')"},
    {"SELECT a FROM TUMBLE(DATA => (SELECT a, ts FROM t), SIZE => '1h', OFFSET => '5m', TIMECOL => "
     "DESCRIPTOR(ts)) w",
     "SELECT a FROM TUMBLE((SELECT a, ts FROM t), ts, INTERVAL '3600000ms', INTERVAL '300000ms') "
     "AS w"},
    {"SELECT a FROM SESSION(t PARTITION BY user, ts, INTERVAL '30' MINUTE)",
     "SELECT a FROM SESSION(t PARTITION BY (user), ts, INTERVAL '1800000ms')"},
    {"SELECT a FROM TABLE(SESSION(TABLE t PARTITION BY (a, b.c), DESCRIPTOR(ts), INTERVAL '5' "
     "MINUTES)) x JOIN u ON x.a = u.a",
     "SELECT a FROM SESSION(t PARTITION BY (a, b.c), ts, INTERVAL '300000ms') AS x JOIN u ON (x.a "
     "= u.a)"},
    {"SELECT TUMBLE_START(ts, INTERVAL '10' SECOND), count(*) FROM t GROUP BY TUMBLE(ts, INTERVAL "
     "'10' SECOND), a",
     "SELECT tumble_start(ts, INTERVAL '10s'), count(*) FROM t GROUP BY tumble(ts, INTERVAL "
     "'10s'), a"},
    {"SELECT window.start, window.end AS e FROM t GROUP BY window(ts, '10 minutes', '5 minutes')",
     "SELECT window.start, window.end AS e FROM t GROUP BY window(ts, '10 minutes', '5 minutes')"},
    /* WITH, UNION, tails */
    {"WITH a AS (SELECT 1 AS x), b AS (SELECT x FROM a) SELECT * FROM a JOIN b USING (x)",
     "WITH a AS (SELECT 1 AS x), b AS (SELECT x FROM a) SELECT * FROM a JOIN b USING (x)"},
    {"WITH a (x, y) AS (SELECT 1, 2) SELECT x FROM a",
     "WITH a AS (SELECT * FROM (SELECT 1, 2) AS a (x, y)) SELECT x FROM a"},
    {"SELECT a FROM t UNION ALL SELECT b FROM u UNION ALL (SELECT c FROM v) ORDER BY 1 LIMIT 3",
     "SELECT a FROM t UNION ALL SELECT b FROM u UNION ALL SELECT c FROM v ORDER BY 1 LIMIT 3"},
    {"SELECT a FROM t UNION SELECT b FROM u UNION ALL SELECT c FROM v",
     "SELECT DISTINCT * FROM (SELECT a FROM t UNION ALL SELECT b FROM u) UNION ALL SELECT c FROM "
     "v"},
    {"SELECT a FROM ((SELECT 1 AS a ORDER BY 1 LIMIT 1) UNION ALL SELECT 2) AS x",
     "SELECT a FROM (SELECT * FROM (SELECT 1 AS a ORDER BY 1 LIMIT 1) UNION ALL SELECT 2) AS x"},
    {"SELECT a FROM t ORDER BY a DESC NULLS LAST, b NULLS FIRST, c ASC OFFSET 2 ROWS FETCH NEXT 5 "
     "ROWS ONLY",
     "SELECT a FROM t ORDER BY a DESC NULLS LAST, b NULLS FIRST, c LIMIT 5 OFFSET 2"},
    {"SELECT a FROM t EMIT CHANGES", "SELECT a FROM t EMIT ON CHANGE"},
    {"SELECT a FROM t GROUP BY a EMIT ON CHANGE", NULL},
    {"SELECT a FROM t GROUP BY a EMIT ON WINDOW CLOSE", NULL},
    {"SELECT a FROM t EMIT FINAL LIMIT 5", "SELECT a FROM t LIMIT 5 EMIT ON WINDOW CLOSE"},
    /* aggregates and window functions */
    {"SELECT count(DISTINCT a) FILTER (WHERE b > 1) FROM t",
     "SELECT count(DISTINCT a) FILTER (WHERE (b > 1)) FROM t"},
    {"SELECT row_number() OVER (PARTITION BY a, b ORDER BY c DESC NULLS LAST) AS n FROM t", NULL},
    {"SELECT sum(x) OVER (ORDER BY ts ROWS 3 PRECEDING), avg(x) OVER () FROM t",
     "SELECT sum(x) OVER (ORDER BY ts ROWS BETWEEN 3 PRECEDING AND CURRENT ROW), avg(x) OVER () "
     "FROM t"},
    {"SELECT sum(x) OVER (PARTITION BY a ORDER BY ts RANGE BETWEEN INTERVAL '1' HOUR PRECEDING AND "
     "CURRENT ROW) FROM t",
     "SELECT sum(x) OVER (PARTITION BY a ORDER BY ts RANGE BETWEEN INTERVAL '3600000ms' PRECEDING "
     "AND CURRENT ROW) FROM t"},
    {"SELECT max(x) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING), min(x) OVER "
     "(ROWS BETWEEN 1 FOLLOWING AND 2 FOLLOWING) FROM t",
     NULL},
    {"SELECT lag(x, 1, 0) OVER w, sum(x) FILTER (WHERE y) OVER w FROM t WINDOW w AS (PARTITION BY "
     "a "
     "ORDER BY b)",
     "SELECT lag(x, 1, 0) OVER (PARTITION BY a ORDER BY b), sum(x) FILTER (WHERE y) OVER "
     "(PARTITION BY a ORDER BY b) FROM t"},
    {"SELECT a over, filter FROM t", "SELECT a AS over, filter FROM t"},
    /* TRANSFORM */
    {"SELECT TRANSFORM (a, upper(b) AS c) USING 'python3 x.py' AS (d INT, e, f ARRAY<STRING>) FROM "
     "t WHERE g",
     "SELECT TRANSFORM (a, upper(b) AS c) USING 'python3 x.py' AS (d int, e text, f list<text>) "
     "FROM t WHERE g"},
    /* types and times */
    {"SELECT CAST(a AS STRING), CAST(b AS BIGINT), CAST(c AS DOUBLE PRECISION), CAST(d AS "
     "TIMESTAMP(3)), CAST(e AS ROW<x INT, y ARRAY<STRING>>), CAST(f AS STRUCT<x: INT, Y: STRING>), "
     "CAST(g AS MAP<STRING, INT>), h::int[], i::timestamp with time zone",
     "SELECT CAST(a AS text), CAST(b AS bigint), CAST(c AS double), CAST(d AS timestamp), CAST(e "
     "AS struct<x int, y list<text>>), CAST(f AS struct<x int, y text>), CAST(g AS map<text, "
     "int>), CAST(h AS list<int>), CAST(i AS timestamp)"},
    {"SELECT INTERVAL '5 minutes', INTERVAL '1.5' SECOND, INTERVAL '2' SECOND(3), INTERVAL '1' "
     "MONTH, ARRAY[1, 2]",
     "SELECT INTERVAL '5m', INTERVAL '1500ms', INTERVAL '2s', INTERVAL '1mo', [1, 2]"},
    {"SELECT SUBSTRING(a FROM 2 FOR 3), substring(a FOR 2), substring(a, 1), POSITION('x' IN a || "
     "b), "
     "position(a, b), TRIM(a), TRIM(BOTH 'x' FROM a), trim(LEADING FROM a), TRIM('x' FROM a), "
     "TRIM(TRAILING 'x' FROM a), trim(leading, 'x'), TIMESTAMPDIFF(MINUTE, a, b)",
     "SELECT substring(a, 2, 3), substring(a, 1, 2), substring(a, 1), position('x', (a || b)), "
     "position(a, b), trim(a), trim(a, 'x'), ltrim(a), trim(a, 'x'), rtrim(a, 'x'), trim(leading, "
     "'x'), timestampdiff('minute', a, b)"},
    {"SELECT from_json(CAST(value AS STRING), 'a INT, b STRING') AS data FROM t",
     "SELECT from_json(CAST(value AS text), 'a INT, b STRING') AS data FROM t"},
};

static void print_text(struct arena *a, struct slice text, struct buf *out)
{
    struct script s;
    struct diag d = {0};
    err_t e = sql_parse(text, "x.sql", DIALECT_SLUICE, a, &s, &d);
    if (e) test_not_ok(__FILE__, __LINE__, arena_text(a, text), e, &d);
    CHECK_INT(s.count, 1);
    if (s.count) statement_print(&s.statements[0], out);
}

TEST(queries_become_the_trees_that_people_meant_and_print_as_sql_again)
{
    for (size_t i = 0; i < COUNT_OF(goods); i++) {
        struct arena *a = arena_new(MIB(4));
        struct buf one = buf_make(KIB(64)), two = buf_make(KIB(64));
        print_text(a, slice_of(goods[i].text), &one);
        CHECK_TEXT(buf_cstr(&one), goods[i].tree ? goods[i].tree : goods[i].text);
        print_text(a, buf_view(&one), &two);
        CHECK_TEXT(buf_cstr(&two), buf_cstr(&one));
        buf_done(&one);
        buf_done(&two);
        arena_free(a);
    }
}

/* Memory that ends at any place is told as that, and as nothing else. */
TEST(queries_without_memory_are_refused)
{
    for (size_t i = 0; i < COUNT_OF(goods); i++) {
        err_t e = ERR_NO_MEMORY;
        for (size_t limit = 16; e == ERR_NO_MEMORY && limit < MIB(1); limit += 112) {
            struct arena *a = arena_new(limit);
            struct script s;
            struct diag d = {0};
            e = sql_parse(slice_of(goods[i].text), "x.sql", DIALECT_SLUICE, a, &s, &d);
            if (e) CHECK_INT(s.count, 0);
            if (e && e != ERR_NO_MEMORY)
                test_failed(__FILE__, __LINE__, "%zu bytes for %s: %s", limit, goods[i].text,
                            d.what);
            arena_free(a);
        }
        CHECK_INT(e, ERR_OK);
    }
}

/* Nested and long ones, each at its bound and past it. */
static err_t parse_times(const char *head, const char *one, const char *middle, const char *end,
                         const char *tail, int times)
{
    struct arena *a = arena_new(MIB(64));
    struct buf b = buf_make(SQL_TEXT_MAX + 1000);
    buf_text(&b, head);
    for (int i = 0; i < times; i++) buf_text(&b, one);
    buf_text(&b, middle);
    for (int i = 0; i < times; i++) buf_text(&b, end);
    buf_text(&b, tail);
    struct script s;
    struct diag d = {0};
    err_t e = sql_parse(buf_view(&b), "bomb", DIALECT_SLUICE, a, &s, &d);
    struct buf out = buf_make(MIB(16));
    if (!e) statement_print(&s.statements[0], &out);
    CHECK(!out.err);
    buf_done(&out);
    buf_done(&b);
    arena_free(a);
    return e;
}

TEST(queries_nest_and_grow_to_their_bounds_and_no_further)
{
    const char *sub = "SELECT a FROM (";
    CHECK_OK(parse_times("", sub, "SELECT 1", ") AS x", "", 15), NULL);
    CHECK_ERR(parse_times("", sub, "SELECT 1", ") AS x", "", 40), ERR_TOO_DEEP);
    CHECK_ERR(parse_times("", sub, "SELECT 1", ") AS x", "", 20000), ERR_TOO_DEEP);
    CHECK_ERR(parse_times("SELECT a FROM ", "(", "t", ")", "", 20000), ERR_TOO_DEEP);
    CHECK_ERR(parse_times("", "WITH a AS (", "SELECT 1", ") SELECT 1", "", 20000), ERR_TOO_DEEP);
    CHECK_ERR(parse_times("SELECT 1 UNION ALL ", "(", "SELECT 1", ")", "", 20000), ERR_TOO_DEEP);
    CHECK_ERR(parse_times("SELECT a FROM TUMBLE", "((SELECT a FROM TUMBLE", "", "", "", 9000),
              ERR_TOO_DEEP);
    CHECK_ERR(parse_times("SELECT ", "sum(x) OVER (ORDER BY ", "1", ")", "", 5000), ERR_TOO_DEEP);
    CHECK_ERR(parse_times("SELECT ", "sum(x) FILTER (WHERE ", "1", ")", "", 5000), ERR_TOO_DEEP);
    CHECK_ERR(parse_times("SELECT CAST(a AS ", "ROW<a ", "int", ">", ")", 300), ERR_TOO_DEEP);
    CHECK_ERR(parse_times("SELECT CAST(a AS int", "[]", "", "", ")", 300), ERR_TOO_DEEP);
    CHECK_OK(parse_times("SELECT 1 FROM t", " CROSS JOIN u", "", "", "", 63), NULL);
    CHECK_ERR(parse_times("SELECT 1 FROM t", " CROSS JOIN u", "", "", "", 64), ERR_TOO_BIG);
    CHECK_ERR(parse_times("SELECT 1 FROM t", ", u", "", "", "", 5000), ERR_TOO_BIG);
    CHECK_OK(parse_times("SELECT 1", " UNION ALL SELECT 1", "", "", "", 20000), NULL);
    CHECK_OK(parse_times("SELECT 1", " UNION SELECT 1", "", "", "", 20000), NULL);
}
