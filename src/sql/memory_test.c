/* Memory that runs out at every possible place is an answer, never a crash. */
#include "sql/sql_kit.h"

static const char declarations[] =
    "CREATE TOPIC u; CREATE TABLE s.n (id int PRIMARY KEY, a int, b int, t text, tags list<text>)";

static const char *const texts[] = {
    "CREATE STREAM x INTO s.n AS SELECT CAST(login.uuid AS int) AS id, upper(concat_ws('-', a.b, "
    "c)) "
    "AS t, CASE WHEN q > 1 THEN 1 ELSE 2 END AS a FROM u WHERE nat = 'US' AND d ~ '^[a-z]+$' CHECK "
    "(t LIKE '%x%') ELSE DEAD LETTER CHECK (q IN (1, 2, 3)) ELSE NULL",
    "SELECT t, count(*), sum(a) + avg(b) FROM s.n WHERE id = 5 GROUP BY t HAVING max(a) > 1 ORDER "
    "BY "
    "min(b) DESC",
    "SELECT a, n, rank() OVER (PARTITION BY a ORDER BY n + 1 DESC) AS r FROM (SELECT n.a, count(*) "
    "AS "
    "n FROM s.n AS n LEFT JOIN s.n AS m USING (id) WHERE m.b > 3 GROUP BY n.a UNION ALL SELECT 1, "
    "2) "
    "AS q WHERE n > 1 LIMIT 3",
    "CREATE SINK w INTO BLACKHOLE AS SELECT id, rn AS a FROM (SELECT CAST(x AS int) AS id, "
    "row_number() "
    "OVER (PARTITION BY x ORDER BY y) AS rn FROM (SELECT data.x, data.y FROM (SELECT "
    "from_json(value, 'x STRING, y INT') AS data FROM u)) AS q) AS p WHERE rn <= 3 AND id > 2",
    "CREATE SINK w INTO BLACKHOLE AS SELECT CAST(unix_seconds(window_start) AS int) AS id, sum(n) "
    "AS a "
    "FROM TUMBLE(u, _timestamp, INTERVAL '1' MINUTE) GROUP BY window_start",
    ("CREATE SOURCE r FROM http 'x' WITH (a = 1, b = {'c': 2}) WATERMARK FOR ts DELAY '5s' INTO "
     "TOPIC t"),
    "CREATE VIEW v AS SELECT a AS id, b FROM s.n; WITH x (p) AS (SELECT id FROM v) SELECT p, "
    "row_number() OVER w FROM x JOIN s.n AS y ON x.p = y.id WINDOW w AS (PARTITION BY p ORDER BY "
    "p)",
    "CREATE TABLE k.t (a map<text, list<int>>, b int, c text, PRIMARY KEY ((b, c)))",
};

static err_t whole_way(const struct sql_catalog *c, const char *text, struct arena *a,
                       struct diag *d)
{
    struct script s;
    struct plan_stream stream;
    struct plan_select select;
    err_t e = sql_parse(slice_of(text), "m.sql", DIALECT_SLUICE, a, &s, d);
    if (e) return e;
    switch (s.statements[0].kind) {
    case STATEMENT_CREATE_STREAM:
    case STATEMENT_CREATE_SINK: return sql_bind_stream(&s.statements[0], c, "m.sql", a, &stream, d);
    case STATEMENT_SELECT:
        return sql_bind_select(&s.statements[0], c, DIALECT_SLUICE, a, &select, d);
    default: return ERR_OK;
    }
}

TEST(an_arena_that_is_too_small_is_no_memory_and_nothing_else)
{
    struct kit k;
    kit_open(&k, declarations);
    struct sql_catalog c = kit_catalog(&k);
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        err_t e = ERR_NO_MEMORY;
        size_t limit = 16;
        for (; e && limit < MIB(1); limit += 112) {
            struct arena *a = arena_new(limit);
            struct diag d = {0};
            e = whole_way(&c, texts[i], a, &d);
            if (e != ERR_OK && e != ERR_NO_MEMORY)
                test_failed(__FILE__, __LINE__, "%zu bytes for %s: %s %s", limit, texts[i],
                            err_name(e), d.what);
            arena_free(a);
            if (e != ERR_OK && e != ERR_NO_MEMORY) break;
        }
        CHECK_OK(e, NULL);
    }
    kit_close(&k);
}

TEST(the_nth_allocation_that_fails_is_no_memory_and_nothing_else)
{
    struct kit k;
    kit_open(&k, declarations);
    struct sql_catalog c = kit_catalog(&k);
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        for (uint64_t nth = 1; nth < 200; nth++) {
            struct arena *a = arena_new(MIB(4));
            struct diag d = {0};
            mem_fail_at(nth);
            err_t e = whole_way(&c, texts[i], a, &d);
            mem_fail_at(0);
            arena_free(a);
            if (e == ERR_OK) break;
            if (e != ERR_NO_MEMORY)
                test_failed(__FILE__, __LINE__, "allocation %d of %s: %s %s", (int)nth, texts[i],
                            err_name(e), d.what);
        }
    }
    kit_close(&k);
}

TEST(evaluation_without_memory_ends_the_batch)
{
    static const char *const rows[] = {"{\"id\":1,\"a\":2,\"b\":3,\"t\":\"abc\"}"};
    struct kit k;
    struct plan_select p;
    kit_open(&k, declarations);
    CHECK_OK(kit_select(&k,
                        "SELECT CASE WHEN a > 1 AND t LIKE 'a%' THEN regexp_replace(t, '(b)', "
                        "'$1$1') ELSE rpad(t, 30) || id END, a / b, CAST(t AS blob), md5(t), b IN "
                        "(1, a) FROM s.n",
                        DIALECT_SLUICE, &p),
             &k.d);
    struct column_batch *b = kit_batch(&k, kit_leaf(p.root), rows, 1);
    for (uint32_t i = 0; i < kit_rows(p.root)->output_count; i++) {
        err_t e = ERR_NO_MEMORY;
        for (size_t limit = 16; e && limit < MIB(1); limit += 48) {
            struct column out;
            struct column_batch small = *b;
            small.arena = arena_new(limit);
            e = expr_eval(kit_rows(p.root)->outputs[i].value, &(struct eval_context){0}, &small,
                          &out);
            if (e) CHECK_INT(e, ERR_NO_MEMORY);
            arena_free(small.arena);
        }
        CHECK_OK(e, NULL);
    }
    kit_close(&k);
}
