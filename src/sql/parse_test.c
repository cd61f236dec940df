/* Golden: a text and the tree it becomes, or the mistake and its place. */
#include "sql/text.h"
#include "sql/tree.h"
#include "test.h"

static const struct {
    enum sql_dialect dialect;
    const char *text, *tree;
} goods[] = {
    {DIALECT_SLUICE, "SELECT 1 + 2 * 3 - -4", "SELECT ((1 + (2 * 3)) - -4)"},
    {DIALECT_SLUICE, "select A.B.\"Odd\"['x y'][-1] as Q from T",
     "SELECT a.b.\"Odd\".\"x y\"[-1] AS q FROM t"},
    {DIALECT_SLUICE, "SELECT a OR b AND NOT c = d OR e",
     "SELECT (a OR (b AND (NOT (c = d))) OR e)"},
    {DIALECT_SLUICE, "SELECT a || b || 'it''s' || $$x'y$$", "SELECT (a || b || 'it''s' || 'x''y')"},
    {DIALECT_SLUICE, "SELECT a IS NOT NULL, b NOT IN (1, 2), c NOT BETWEEN 1 AND 2 AND d",
     "SELECT (a IS NOT NULL), (b NOT IN (1, 2)), ((c NOT BETWEEN 1 AND 2) AND d)"},
    {DIALECT_SLUICE, "SELECT a LIKE '%@%', b !~* 'x', c IS DISTINCT FROM 3",
     "SELECT (a LIKE '%@%'), (b NOT ~* 'x'), (c IS DISTINCT FROM 3)"},
    {DIALECT_SLUICE, "SELECT CASE a WHEN 1 THEN 'x' ELSE 'y' END, CASE WHEN b THEN 1 END",
     "SELECT CASE a WHEN 1 THEN 'x' ELSE 'y' END, CASE WHEN b THEN 1 END"},
    {DIALECT_SLUICE, "SELECT CAST(a AS STRING), TRY_CAST(b AS int), c::bigint, DATE '2026-11-21'",
     "SELECT CAST(a AS text), TRY_CAST(b AS int), CAST(c AS bigint), CAST('2026-11-21' AS date)"},
    {DIALECT_SLUICE,
     "SELECT count(*), count(DISTINCT a), EXTRACT(YEAR FROM ts), now(), current_date",
     "SELECT count(*), count(DISTINCT a), extract('year', ts), now(), current_date()"},
    {DIALECT_SLUICE, "SELECT INTERVAL '1' MINUTE, INTERVAL '1 day 2 hours', INTERVAL '10s', 1h30m",
     "SELECT INTERVAL '1m', INTERVAL '1d2h', INTERVAL '10s', INTERVAL '1h30m'"},
    {DIALECT_SLUICE, "SELECT a -> 'b' ->> 'c'", "SELECT json_text(json_get(a, 'b'), 'c')"},
    {DIALECT_SLUICE, "SELECT 0xcafe, 8e7fce72-89bc-4685-a747-b0f8624e020d, 1.5e3, ?, :x",
     "SELECT 0xcafe, 8e7fce72-89bc-4685-a747-b0f8624e020d, 1.5e3, ?, :x"},
    {DIALECT_SLUICE,
     "SELECT DISTINCT a b, \"C\" FROM ks.t AS x WHERE a > 1 GROUP BY a, b HAVING "
     "count(*) > 1 ORDER BY 1 DESC, b LIMIT 5 OFFSET 2 ALLOW FILTERING",
     "SELECT DISTINCT a AS b, \"C\" FROM ks.t AS x WHERE (a > 1) GROUP BY a, b HAVING (count(*) > "
     "1) ORDER BY 1 DESC, b LIMIT 5 OFFSET 2 ALLOW FILTERING"},
    {DIALECT_SLUICE, "SELECT location.from, x.order FROM t",
     "SELECT location.from, x.order FROM t"},
    {DIALECT_SLUICE,
     "CREATE SOURCE r FROM HTTP 'https://x/api' WITH (results = 10, nat = 'us,dk', every = '10s', "
     "'kafka.group.id' = 'g', deep.name = true) WATERMARK FOR ts DELAY '5s' INTO TOPIC u WITH "
     "(partitions = 3, retention = '7d')",
     "CREATE SOURCE r FROM http 'https://x/api' [results=10, nat=us,dk, every=10s, "
     "kafka.group.id=g, deep.name=true] WATERMARK ts 5000ms TOPIC u [partitions=3, retention=7d]"},
    {DIALECT_SLUICE, "CREATE TOPIC IF NOT EXISTS u (id uuid, name text) WITH (partitions = 3)",
     "CREATE TOPIC IF NOT EXISTS u (id uuid, name text) [partitions=3]"},
    {DIALECT_SLUICE,
     "CREATE KEYSPACE IF NOT EXISTS k WITH replication = {'class': 'SimpleStrategy', "
     "'replication_factor': 1} AND durable_writes = true",
     "CREATE KEYSPACE IF NOT EXISTS k [replication={'class': 'SimpleStrategy', "
     "'replication_factor': 1}, durable_writes=true]"},
    {DIALECT_SLUICE, "CREATE TABLE s.t (id UUID PRIMARY KEY, a TEXT, b map<text,list<int>>)",
     "CREATE TABLE s.t (id uuid PARTITION KEY, a text, b map<text, list<int>>)"},
    {DIALECT_CQL,
     "CREATE TABLE t (v text, c int, s text STATIC, b int, a int, PRIMARY KEY ((a, b), c))"
     " WITH CLUSTERING ORDER BY (c DESC) AND comment = 'x'",
     "CREATE TABLE t (a int PARTITION KEY, b int PARTITION KEY, c int CLUSTERING DESC, v text, s "
     "text STATIC) [comment=x]"},
    {DIALECT_SLUICE,
     "CREATE STREAM IF NOT EXISTS l INTO s.t AS SELECT login.uuid AS id FROM u WHERE nat = 'US' "
     "CHECK (email LIKE '%@%') ELSE DEAD LETTER CHECK (a > 1) ELSE SKIP CHECK (b) ELSE NULL",
     "CREATE STREAM IF NOT EXISTS l INTO s.t AS SELECT login.uuid AS id FROM u WHERE (nat = 'US') "
     "CHECK ((email LIKE '%@%')) ELSE DEAD LETTER CHECK ((a > 1)) ELSE SKIP CHECK (b) ELSE NULL"},
    {DIALECT_SLUICE, "DROP TABLE IF EXISTS k.t", "DROP TABLE IF EXISTS k.t"},
    {DIALECT_SLUICE, "TRUNCATE TABLE k.t", "TRUNCATE k.t"},
    {DIALECT_SLUICE, "USE k", "USE k"},
    {DIALECT_SLUICE, "DESCRIBE k.t", "DESCRIBE k.t"},
    {DIALECT_SLUICE, "DESC TABLE t", "DESCRIBE TABLE t"},
    {DIALECT_SLUICE, "DESCRIBE KEYSPACES", "DESCRIBE KEYSPACES"},
    {DIALECT_SLUICE, "SHOW TABLES", "SHOW TABLES"},
    {DIALECT_SLUICE, "SELECT 1 /* a */ -- b\n // c\n + 2", "SELECT (1 + 2)"},
    {DIALECT_CQL, "SELECT group, end, check FROM t", "SELECT \"group\", \"end\", \"check\" FROM t"},
    {DIALECT_PG, "SELECT $1, \"token\", token FROM t", "SELECT $1, token, token FROM t"},
    {DIALECT_SLUICE, "SELECT {'a': 1}, [1, 2], {1}, (1, 2)",
     "SELECT {'a': 1}, [1, 2], {1}, (1, 2)"},
};

TEST(statements_become_the_trees_that_people_meant)
{
    for (size_t i = 0; i < COUNT_OF(goods); i++) {
        struct arena *a = arena_new(MIB(4));
        struct script s;
        struct diag d = {0};
        err_t e = sql_parse(slice_of(goods[i].text), "x.sql", goods[i].dialect, a, &s, &d);
        if (e) {
            test_not_ok(__FILE__, __LINE__, goods[i].text, e, &d);
        } else {
            struct buf out = buf_make(KIB(64));
            CHECK_INT(s.count, 1);
            statement_print(&s.statements[0], &out);
            CHECK_TEXT(buf_cstr(&out), goods[i].tree);
            buf_done(&out);
        }
        arena_free(a);
    }
}

TEST(what_is_printed_parses_to_the_same_tree)
{
    for (size_t i = 0; i < 14; i++) {
        struct arena *a = arena_new(MIB(4));
        struct script s, again;
        struct buf one = buf_make(KIB(64)), two = buf_make(KIB(64));
        CHECK_OK(sql_parse(slice_of(goods[i].text), "x", DIALECT_SLUICE, a, &s, NULL), NULL);
        statement_print(&s.statements[0], &one);
        CHECK_OK(sql_parse(buf_view(&one), "x", DIALECT_SLUICE, a, &again, NULL), NULL);
        if (again.count) statement_print(&again.statements[0], &two);
        CHECK_TEXT(buf_cstr(&two), buf_cstr(&one));
        buf_done(&one);
        buf_done(&two);
        arena_free(a);
    }
}

TEST(the_caret_stands_under_the_mistake)
{
    struct arena *a = arena_new(MIB(4));
    struct script s;
    struct diag d = {0};
    CHECK_ERR(sql_parse(SLICE("SELECT 1;\nSELECT 'ä', b FORM t"), "p.sql", 0, a, &s, &d),
              ERR_SYNTAX);
    CHECK_TEXT(d.why, "SELECT 'ä', b FORM t\n              ^");
    CHECK_TEXT(d.where, "p.sql:2:15");
    CHECK_INT(s.count, 0);
    arena_free(a);
}

TEST(several_statements_keep_their_places_and_texts)
{
    struct arena *a = arena_new(MIB(4));
    struct script s;
    struct diag d = {0};
    CHECK_OK(sql_parse(SLICE(";; USE k ;\n  SELECT 1\n;-- the end"), "p.sql", 0, a, &s, &d), &d);
    CHECK_INT(s.count, 2);
    CHECK_SLICE(s.statements[0].text, "USE k");
    CHECK_SLICE(s.statements[1].text, "SELECT 1");
    CHECK_INT(s.statements[1].line, 2);
    CHECK_INT(s.statements[1].column, 3);
    arena_free(a);
}

static err_t parse_bomb(const char *head, const char *one, const char *tail, int times)
{
    struct arena *a = arena_new(MIB(64));
    struct buf b = buf_make(SQL_TEXT_MAX + 1000);
    buf_text(&b, head);
    for (int i = 0; i < times; i++) buf_text(&b, one);
    buf_text(&b, tail);
    struct script s;
    struct diag d = {0};
    err_t e = sql_parse(buf_view(&b), "bomb", DIALECT_SLUICE, a, &s, &d);
    buf_done(&b);
    arena_free(a);
    return e;
}

TEST(depth_bombs_are_refused_and_long_chains_are_not)
{
    CHECK_ERR(parse_bomb("SELECT ", "(", "1", 100000), ERR_TOO_DEEP);
    CHECK_ERR(parse_bomb("SELECT ", "- ", "a", 100000), ERR_TOO_DEEP);
    CHECK_ERR(parse_bomb("SELECT ", "NOT ", "a", 100000), ERR_TOO_DEEP);
    CHECK_ERR(parse_bomb("SELECT 1", " + 1", "", 100000), ERR_TOO_DEEP);
    CHECK_ERR(parse_bomb("SELECT a", "::text", "", 1000), ERR_TOO_DEEP);
    CHECK_ERR(parse_bomb("SELECT ", "CASE WHEN ", "a", 1000), ERR_TOO_DEEP);
    CHECK_ERR(parse_bomb("SELECT ", "f(", "a", 1000), ERR_TOO_DEEP);
    CHECK_ERR(parse_bomb("SELECT a", ".b", "", 1000), ERR_TOO_DEEP);
    CHECK_ERR(parse_bomb("SELECT CAST(a AS ", "list<", "int", 300), ERR_TOO_DEEP);
    CHECK_OK(parse_bomb("SELECT a", " OR a", "", 50000), NULL);
    CHECK_OK(parse_bomb("SELECT a", " || 'x'", "", 50000), NULL);
    CHECK_ERR(parse_bomb("SELECT ", "1234567890", "", 1 << 19), ERR_TOO_BIG);
}

TEST(words_are_sorted_so_that_they_can_be_found)
{
    for (size_t i = 0; i < word_count(); i++) {
        if (i > 0) CHECK(strcmp(word_at(i - 1)->text, word_at(i)->text) < 0);
        CHECK(word_find(slice_of(word_at(i)->text)) == word_at(i));
    }
    CHECK(word_find(SLICE("from")) != NULL);
    CHECK(word_find(SLICE("fro")) == NULL);
    CHECK(word_find(SLICE("fromm")) == NULL);
}

TEST(like_matches_as_the_standard_says)
{
    static const struct {
        const char *text, *pattern;
        bool nocase, want;
    } cases[] = {{"a@b", "%@%", false, true},      {"ab", "%@%", false, false},
                 {"", "%", false, true},           {"", "_", false, false},
                 {"ä", "_", false, true},          {"abc", "a%c", false, true},
                 {"abcabd", "%abd", false, true},  {"100%", "100\\%", false, true},
                 {"1000", "100\\%", false, false}, {"ABC", "abc", false, false},
                 {"ABC", "a_C", true, true},       {"aaaaaaaaab", "%a%a%a%a%c", false, false},
                 {"a\\", "a\\", false, true}};
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        if (text_like(slice_of(cases[i].text), slice_of(cases[i].pattern), cases[i].nocase) !=
            cases[i].want)
            test_failed(__FILE__, __LINE__, "'%s' LIKE '%s'", cases[i].text, cases[i].pattern);
}
