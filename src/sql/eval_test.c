/* Evaluation over columns: nulls, errors, branches; and that nothing odd crashes it. */
#include "sql/sql_kit.h"
#include <stdlib.h>

static const char declarations[] = "CREATE TOPIC u; CREATE TABLE s.n (id int PRIMARY KEY, a int, b "
                                   "int, t text, d double, ok boolean)";

static const char *const rows[] = {
    "{\"id\":1,\"a\":1,\"b\":0,\"t\":\"x@y\",\"d\":1.5,\"ok\":true}",
    "{\"id\":2,\"a\":null,\"b\":2,\"t\":\"abc\",\"d\":-2,\"ok\":false}",
    "{\"id\":3,\"a\":2147483647,\"b\":1,\"t\":null,\"d\":0,\"ok\":null}",
    "{\"id\":4,\"a\":\"bad\",\"b\":3,\"t\":\"\",\"d\":3}", /* a is in error */
};

static const char *run(struct kit *k, const char *sql, const char *const *documents, uint32_t count)
{
    struct plan_select p;
    err_t e = kit_select(k, sql, DIALECT_SLUICE, &p);
    if (e) return arena_printf(k->arena, "%s: %s", err_name(e), k->d.what);
    struct column_batch *b = kit_batch(k, kit_leaf(p.root), documents, count);
    struct column out;
    struct eval_context x = {.now_ms = 1000};
    CHECK_OK(expr_eval(kit_rows(p.root)->outputs[0].value, &x, b, &out), NULL);
    return kit_show(k, b, &out);
}

static const struct {
    const char *expr, *expected;
} cases[] = {
    {"id", "1|2|3|4"},
    {"b + id", "1|4|4|7"},
    {"a + b",
     "1|null|error: a + b: 2147483647 + 1 does not fit int|error: 'bad' is not an int: 'b' "
     "at character 1"},
    {"id % b", "error: id % b: 1 % 0 divides by zero|0|0|1"},
    {"t LIKE '%@%'", "true|false|null|false"},
    {"t NOT LIKE 'a%'", "true|false|null|true"},
    {"t LIKE '%c'", "false|true|null|false"},
    {"t ~ '^[a-z]+$'", "false|true|null|false"},
    {"ok AND b > 0", "false|false|null|null"},
    {"ok OR b > 0", "true|true|true|true"},
    {"NOT ok", "false|true|null|null"},
    {"ok IS TRUE", "true|false|false|false"},
    {"ok IS NOT FALSE", "true|false|true|true"},
    {"t IS NULL", "false|false|true|false"},
    /* an error in a branch that is not taken does not kill the row */
    {"CASE WHEN id < 4 THEN id ELSE a END", "1|2|3|error: 'bad' is not an int: 'b' at character 1"},
    {"CASE WHEN id = 4 THEN 0 ELSE id % b END", "error: id % b: 1 % 0 divides by zero|0|0|0"},
    {"CASE WHEN b = 0 THEN -1 ELSE id % b END", "-1|0|0|1"},
    {"CASE WHEN id = 4 THEN 7 ELSE a END", "1|null|2147483647|7"},
    {"coalesce(b, a)", "0|2|1|3"},
    {"coalesce(a, b)", "1|2|2147483647|error: 'bad' is not an int: 'b' at character 1"},
    {"b <> 0 AND id % b = 0", "false|true|true|false"},
    {"a > 0 AND id < 4", "true|null|true|false"},
    {"a > 0 OR id = 4", "true|null|true|true"},
    {"a IN (1, b)", "true|null|false|error: 'bad' is not an int: 'b' at character 1"},
    {"id IN (1, a)", "true|null|false|error: 'bad' is not an int: 'b' at character 1"},
    {"d / b", "error: d / b: 1.5 / 0 divides by zero|-1|0|1"},
    {"d > b", "true|false|false|false"},
    {"if(d < 0, 'neg', t)", "x@y|neg|null|"},
    {"id BETWEEN 2 AND 3", "false|true|true|false"},
    {"concat_ws('-', t, id, ok)", "x@y-1-true|abc-2-false|3|-4"},
    {"t || id", "x@y1|abc2|null|4"},
    {"upper(t)", "X@Y|ABC|null|"},
    {"TRY_CAST(t AS int)", "null|null|null|null"},
    {"CAST(d AS int)", "error: CAST(d AS int): 1.5 is not whole, int was wanted|-2|0|3"},
    {"nullif(b, 2)", "0|null|1|3"},
    {"greatest(id, b, NULL)", "1|2|3|4"},
    {"7", "7|7|7|7"},
    {"id IS DISTINCT FROM b", "true|false|true|true"},
};

TEST(columns_are_evaluated_with_nulls_and_errors_in_their_rows)
{
    struct kit k;
    kit_open(&k, declarations);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char sql[300];
        snprintf(sql, sizeof(sql), "SELECT %s FROM s.n", cases[i].expr);
        const char *got = run(&k, sql, rows, COUNT_OF(rows));
        if (strcmp(got, cases[i].expected) != 0)
            test_failed(__FILE__, __LINE__, "%s is\n  '%s', not\n  '%s'", cases[i].expr, got,
                        cases[i].expected);
    }
    kit_close(&k);
}

static const char *const sqlite_rows[] = {
    "{\"id\":0,\"a\":1,\"c\":-3,\"s\":\"abc\",\"t\":\"b\"}",
    "{\"id\":1,\"b\":2,\"c\":0,\"t\":\"%\"}",
    "{\"id\":2,\"a\":5,\"b\":5,\"c\":7,\"s\":\"Hello\",\"t\":\"ell\"}",
    "{\"id\":3,\"a\":-1,\"b\":0,\"s\":\"\"}",
    "{\"id\":4,\"a\":100,\"b\":-100,\"c\":3,\"s\":\"  x_y \",\"t\":\"_\"}",
};
static const struct {
    const char *expr, *expected;
} vectors[] = {
#include "sql/eval_vectors.inc"
};

/* Method: the same expressions and rows through an independent engine, its answers kept. */
TEST(random_expressions_give_what_sqlite_gives)
{
    struct kit k;
    kit_open(&k,
             "CREATE TABLE s.q (id int PRIMARY KEY, a bigint, b bigint, c bigint, s text, t text)");
    for (size_t i = 0; i < COUNT_OF(vectors); i++) {
        char sql[400];
        snprintf(sql, sizeof(sql), "SELECT %s FROM s.q", vectors[i].expr);
        const char *got = run(&k, sql, sqlite_rows, COUNT_OF(sqlite_rows));
        if (strcmp(got, vectors[i].expected) != 0)
            test_failed(__FILE__, __LINE__, "%s is\n  '%s', not\n  '%s'", vectors[i].expr, got,
                        vectors[i].expected);
    }
    kit_close(&k);
}

TEST(fields_of_an_open_topic_are_strict_unless_cast)
{
    static const char *const documents[] = {"{\"p\":\"x\",\"n\":{\"m\":[1,\"2\"]}}",
                                            "{\"p\":18511,\"n\":{\"m\":[3]}}", "{\"p\":null}"};
    struct kit k;
    kit_open(&k, declarations);
    CHECK_TEXT(run(&k, "SELECT p FROM u", documents, 3), "\"x\"|18511|null");
    CHECK_TEXT(run(&k, "SELECT CAST(p AS text) FROM u", documents, 3), "x|18511|null");
    CHECK_TEXT(run(&k, "SELECT p = 'x' FROM u", documents, 3),
               "true|error: 18511 is a number, text was wanted|null");
    CHECK_TEXT(run(&k, "SELECT n.m[-1] FROM u", documents, 3), "\"2\"|3|null");
    CHECK_TEXT(run(&k, "SELECT TRY_CAST(n.m[-1] AS int) FROM u", documents, 3), "2|3|null");
    CHECK_TEXT(run(&k, "SELECT p IS NULL FROM u", documents, 3), "false|false|true");
    CHECK_TEXT(run(&k, "SELECT json_text(n, 'm[0]') FROM u", documents, 3), "1|3|null");
    kit_close(&k);
}

TEST(a_plain_column_is_handed_on_without_a_copy)
{
    struct kit k;
    kit_open(&k, declarations);
    struct plan_select p;
    CHECK_OK(kit_select(&k, "SELECT t FROM s.n", DIALECT_SLUICE, &p), &k.d);
    struct column_batch *b = kit_batch(&k, kit_leaf(p.root), rows, 4);
    struct column out;
    size_t used = arena_used(k.arena);
    CHECK_OK(expr_eval(kit_rows(p.root)->outputs[0].value, &(struct eval_context){0}, b, &out),
             NULL);
    CHECK(out.data == b->columns[0].data && out.state == b->columns[0].state);
    CHECK_INT(arena_used(k.arena), used);
    kit_close(&k);
}

/* --- fuzz: mutated statements are refused or bound, never more
 * ------------------------------------
 */

static const char *const seeds[] = {
    "SELECT CASE WHEN a > 1 THEN upper(t) ELSE 'x''y' END AS q, b[0].c FROM u WHERE t LIKE '%@%' "
    "AND NOT (a IN (1, 2.5, NULL) OR b BETWEEN 1 AND 10) ORDER BY 1 DESC LIMIT 5",
    "SELECT t, count(*), sum(a) + 1 AS s, max(d) FROM s.n WHERE id > 1 GROUP BY t HAVING avg(b) > "
    "0 "
    "ORDER BY s DESC",
    "CREATE STREAM s INTO s.n AS SELECT CAST(login.uuid AS int) AS id, name.first AS t FROM u "
    "CHECK "
    "(email ~ '^[a-z]+@' AND t IS NOT NULL) ELSE DEAD LETTER CHECK (name.first <> '') ELSE NULL",
    "CREATE SOURCE r FROM HTTP 'https://x' WITH (a = 10, b = 'c', d = {'e': 1}) WATERMARK FOR ts "
    "DELAY '5s' INTO TOPIC t WITH (partitions = 3); DROP TABLE IF EXISTS s.n; SHOW TABLES",
    "CREATE TABLE k.t (a map<text, list<int>>, b struct<x int, y text>, c int, d text, e uuid "
    "STATIC, PRIMARY KEY "
    "((b, c), d)) WITH CLUSTERING ORDER BY (d DESC) AND comment = $$x$$",
    "SELECT regexp_replace(t, '(a+)+', '$1'), extract(year from now()), substr(t, -1, 3) || id, "
    "coalesce(x -> 'a', y ->> 'b'), INTERVAL '1' DAY, 0xcafe, TRY_CAST(a.b AS date)::text FROM u",
};

static const char *const tokens[] = {
    "SELECT", "FROM",     "(",        ")",      ",",
    "'",      "\"",       "[",        "]",      "NULL",
    "NOT",    "-",        "*",        "1",      "99999999999999999999",
    ".",      "CAST(",    "AS",       "{",      "}",
    "CASE",   "END",      "$$",       "/*",     "--",
    ";",      "\xff",     "\xc3\xa9", "'a'",    "::int",
    "AND",    "count(*)", "uuid()",   "1e999",  "-9223372036854775808",
    " % 0",   "CHECK (",  "GROUP BY", "_value", "id",
    "t"};

static int evaluated; /* statements that came through whole */

static void bind_any(struct kit *k, const struct statement *s)
{
    struct sql_catalog c = kit_catalog(k);
    struct eval_context x = {.now_ms = 5};
    struct plan_stream stream;
    struct plan_select select;
    k->d = (struct diag){0};
    if (s->kind == STATEMENT_CREATE_STREAM) {
        if (!sql_bind_stream(s, &c, "f", k->arena, &stream, &k->d)) {
            struct buf out = buf_make(MIB(1));
            evaluated++;
            plan_stream_print(&stream, &out);
            buf_done(&out);
        }
    } else if (s->kind == STATEMENT_SELECT &&
               !sql_bind_select(s, &c, DIALECT_SLUICE, k->arena, &select, &k->d)) {
        evaluated++;
        const struct plan_node *n = select.root, *leaf = kit_leaf(n);
        while (n->kind != NODE_ROWS) n = n->inputs[0];
        if (n->inputs[0] != leaf) return; /* a group's rows are not made here */
        struct column_batch *b = kit_batch(k, leaf, rows, COUNT_OF(rows));
        struct column out;
        for (uint32_t i = 0; i < n->rows.output_count; i++)
            CHECK_OK(expr_eval(n->rows.outputs[i].value, &x, b, &out), NULL);
    }
}

TEST(the_seeds_of_the_fuzz_are_good_themselves)
{
    struct kit k;
    kit_open(&k, declarations);
    for (size_t i = 0; i < COUNT_OF(seeds); i++) {
        struct script s;
        int before = evaluated;
        CHECK_OK(sql_parse(slice_of(seeds[i]), "f", DIALECT_SLUICE, k.arena, &s, &k.d), &k.d);
        enum statement_kind kind = s.count ? s.statements[0].kind : STATEMENT_SHOW;
        bool bound = kind == STATEMENT_SELECT || kind == STATEMENT_CREATE_STREAM;
        if (s.count) bind_any(&k, &s.statements[0]);
        if (bound && evaluated == before)
            test_failed(__FILE__, __LINE__, "%s: %s", seeds[i], k.d.what);
    }
    kit_close(&k);
}

TEST(mutated_statements_never_crash)
{
    const char *more = getenv("SQL_FUZZ"); /* another seed, and a hundred thousand rounds */
    uint64_t random = more ? (uint64_t)atoll(more) : 20261121;
    struct kit k;
    kit_open(&k, declarations);
    for (uint32_t round = 0; round < (more ? 100000u : 6000u); round++) {
        struct arena *keep = k.arena;
        k.arena = arena_new(MIB(16));
        struct buf text = buf_make(KIB(64));
        buf_text(&text, seeds[test_random(&random) % COUNT_OF(seeds)]);
        for (uint64_t n = test_random(&random) % 4; n > 0; n--) {
            uint64_t at = test_random(&random) % text.len, cut = test_random(&random) % 8;
            struct buf next = buf_make(KIB(64));
            buf_put(&next, text.at, at);
            if (test_random(&random) % 2)
                buf_text(&next, tokens[test_random(&random) % COUNT_OF(tokens)]);
            uint64_t from = MIN(at + (test_random(&random) % 2 ? cut : 0), text.len);
            buf_put(&next, text.at + from, text.len - from);
            buf_done(&text);
            text = next;
            if (text.len == 0) buf_char(&text, ';');
        }
        struct script s;
        struct diag d = {0};
        err_t e = sql_parse(buf_view(&text), "f", (enum sql_dialect)(round % 3), k.arena, &s, &d);
        if (e) CHECK(d.what[0] && d.where[0]);
        for (uint32_t i = 0; i < s.count; i++) bind_any(&k, &s.statements[i]);
        buf_done(&text);
        arena_free(k.arena);
        k.arena = keep;
    }
    if (getenv("SQL_SHOW")) printf("%d came through\n", evaluated);
    CHECK(evaluated > 1000);
    kit_close(&k);
}
