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

static const struct {
    const char *text;
    err_t err;
    const char *what, *where, *hint;
} bads[] = {
    {"SELECT a FORM t", ERR_SYNTAX, "expected FROM here, got 'FORM'", "x.sql:1:10",
     "did you mean FROM?"},
    {"SELECT a FROM t WHRE b = 1", ERR_SYNTAX, "expected the end of the statement here, got 'WHRE'",
     "x.sql:1:17", "did you mean WHERE?"},
    {"SELCT 1", ERR_SYNTAX, "expected a statement here, got 'SELCT'", "x.sql:1:1",
     "did you mean SELECT?"},
    {"SELECT 1;\n\n  CREATE TABEL t (a int)", ERR_SYNTAX,
     "expected SOURCE, TOPIC, KEYSPACE, TABLE, STREAM, MATERIALIZED VIEW, SINK or FUNCTION here, "
     "got 'TABEL'",
     "x.sql:3:10", "did you mean TABLE?"},
    {"SELECT a,\n  FROM t", ERR_SYNTAX, "expected an expression here, got 'FROM'", "x.sql:2:3",
     "FROM is a reserved word: as a name write it in quotes, \"FROM\""},
    {"SELECT 'abc", ERR_SYNTAX, "this text is not closed by a '", "x.sql:1:8", ""},
    {"SELECT \"abc", ERR_SYNTAX, "this name is not closed by a \"", "x.sql:1:8", ""},
    {"SELECT $$abc", ERR_SYNTAX, "this text is not closed by $$", "x.sql:1:8", ""},
    {"SELECT /* abc", ERR_SYNTAX, "this comment is not closed by */", "x.sql:1:8", ""},
    {"SELECT (1 + 2", ERR_SYNTAX, "expected ')' here, but the text ends", "x.sql:1:14", ""},
    {"SELECT 12abc", ERR_SYNTAX, "letters right after a number are neither a number nor a duration",
     "x.sql:1:8", ""},
    {"SELECT a # b", ERR_SYNTAX, "'#' means nothing here", "x.sql:1:10", ""},
    {"SELECT 0xabc", ERR_SYNTAX, "a blob is 0x and pairs of hex digits", "x.sql:1:8", ""},
    {"SELECT \"\"", ERR_SYNTAX, "a name can't be empty", "x.sql:1:8", ""},
    {"SELECT a IS 5", ERR_SYNTAX, "expected NULL, TRUE, FALSE or DISTINCT FROM here, got '5'",
     "x.sql:1:13", ""},
    {"SELECT a IN ()", ERR_SYNTAX, "expected a list of values here, got ')'", "x.sql:1:14", ""},
    {"SELECT CASE a ELSE 1 END", ERR_SYNTAX, "expected WHEN here, got 'ELSE'", "x.sql:1:15", ""},
    {"SELECT CAST(a AS nonsense)", ERR_UNKNOWN_NAME, NULL, "x.sql:1:18", NULL},
    {"SELECT CAST(a AS varchar(20))", ERR_UNSUPPORTED,
     "a cast to varchar(20): not available in this version", "x.sql:1:25",
     "write left(CAST(x AS TEXT), n)"},
    {"SELECT INTERVAL '1' FORTNIGHT", ERR_SYNTAX, "this is no interval", "x.sql:1:8",
     "write INTERVAL '1' MINUTE, INTERVAL '1 day 2 hours' or INTERVAL '10s'"},
    {"SELECT a FROM t LIMIT -1", ERR_RANGE, "LIMIT is not negative", "x.sql:1:23", ""},
    {"SELECT a FROM t LIMIT 99999999999999999999", ERR_RANGE,
     "99999999999999999999 does not fit bigint", "x.sql:1:23", ""},
    {"SELECT a FROM t CHECK (a) ELSE SKIP", ERR_SYNTAX, "CHECK belongs to CREATE STREAM",
     "x.sql:1:17", "in a query write WHERE"},
    {"CREATE TABLE t (a int)", ERR_SYNTAX, "the table has no primary key", "x.sql:1:16",
     "mark one column PRIMARY KEY or end the list with PRIMARY KEY (…)"},
    {"CREATE TABLE t (a int, a text, PRIMARY KEY (a))", ERR_EXISTS, "the column a stands twice",
     "x.sql:1:24", ""},
    {"CREATE TABLE t (a int PRIMARY KEY, PRIMARY KEY (a))", ERR_EXISTS,
     "the table has two primary keys", "x.sql:1:36", ""},
    {"CREATE TABLE t (a int, PRIMARY KEY (b))", ERR_UNKNOWN_COLUMN,
     "the key names no column of this table: b", "x.sql:1:37", ""},
    {"CREATE TABLE t (a int, b int, PRIMARY KEY (a, b, a))", ERR_UNKNOWN_COLUMN,
     "a stands twice in the key", "x.sql:1:50", ""},
    {"CREATE TABLE t (a int STATIC, PRIMARY KEY (a))", ERR_TYPE,
     "a static column can't be in the key", "x.sql:1:44", ""},
    {"CREATE TABLE t (a int, b int, PRIMARY KEY (a)) WITH CLUSTERING ORDER BY (b)",
     ERR_UNKNOWN_COLUMN, "b is no clustering column of this table", "x.sql:1:74", ""},
    {"CREATE TOPIC t (a int PRIMARY KEY)", ERR_SYNTAX, "only tables have a primary key",
     "x.sql:1:17", ""},
    {"CREATE TOPIC t WITH (a = 1, A = 2)", ERR_EXISTS, "the option a is given twice", "x.sql:1:29",
     ""},
    {"CREATE TOPIC t WITH (a = )", ERR_SYNTAX, "expected an option's value here, got ')'",
     "x.sql:1:26", ""},
    {"CREATE SOURCE s FROM http 'x' INTOO TOPIC t", ERR_SYNTAX,
     "expected WITH, WATERMARK or INTO here, got 'INTOO'", "x.sql:1:31", "did you mean INTO?"},
    {"CREATE SOURCE s FROM http 'x' WATERMARK FOR ts DELAY 'soon' INTO TOPIC t", ERR_SYNTAX,
     "'soon' is no time of a fixed length", "x.sql:1:54",
     "write it like '5s', '500ms' or '2 minutes'"},
    {"CREATE STREAM s INTO t AS SELECT a FROM u CHECK (a) ELSE DAED LETTER", ERR_SYNTAX,
     "expected DEAD LETTER, SKIP, FAIL or NULL here, got 'DAED'", "x.sql:1:58",
     "did you mean DEAD?"},
    {"CREATE TABLE select (a int PRIMARY KEY)", ERR_SYNTAX,
     "expected a table's name here, got 'select'", "x.sql:1:14",
     "select is a reserved word: as a name write it in quotes, \"select\""},
    {"UPDATE t SET a = 1 WHERE b = 2", ERR_UNSUPPORTED,
     "UPDATE is part of a query, not of a project", "x.sql:1:1", "sluice query runs it"},
    {"INSERT INTO t (a) VALUES (1)", ERR_UNSUPPORTED, "INSERT is part of a query, not of a project",
     "x.sql:1:1", "sluice query runs it"},
    {"EXPLAIN SELECT 1", ERR_UNSUPPORTED, "EXPLAIN: not available in this version", "x.sql:1:1",
     ""},
    {"SHOW TABELS", ERR_SYNTAX, NULL, "x.sql:1:6", "did you mean TABLES?"},
    {"SELECT '\xff'", ERR_BAD_UTF8, "this is no valid UTF-8", "x.sql:1:9", ""},
};

TEST(mistakes_are_named_with_their_place_and_the_way_out)
{
    for (size_t i = 0; i < COUNT_OF(bads); i++) {
        struct arena *a = arena_new(MIB(4));
        struct script s;
        struct diag d = {0};
        err_t e = sql_parse(slice_of(bads[i].text), "x.sql", DIALECT_SLUICE, a, &s, &d);
        if (e != bads[i].err)
            test_failed(__FILE__, __LINE__, "%s\nanswers %s: %s", bads[i].text, err_name(e),
                        d.what);
        if (bads[i].what) CHECK_TEXT(d.what, bads[i].what);
        CHECK_TEXT(d.where, bads[i].where);
        if (bads[i].hint) CHECK_TEXT(d.hint, bads[i].hint);
        CHECK(strstr(d.why, "\n") != NULL);
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
