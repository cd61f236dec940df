/* Every function's example gives what its row says; what goes wrong is told. */
#include "sql/sql_kit.h"

static const struct eval_context at_one_second = {.now_ms = 1000, .stream = 7, .epoch = 3};

/* SELECT of constants, shown as text; the story when it fails. */
static const char *constant(struct kit *k, const char *sql, enum sql_dialect dialect)
{
    struct plan_select p;
    char text[4096];
    snprintf(text, sizeof(text), "SELECT %s", sql);
    if (kit_select(k, text, dialect, &p))
        return arena_printf(k->arena, "%s: %s", err_name(k->d.err), k->d.what);
    struct column_batch b;
    struct column out;
    CHECK_OK(batch_init(&b, NULL, 0, 1, k->arena), NULL);
    CHECK_OK(expr_eval(kit_rows(p.root)->outputs[0].value, &at_one_second, &b, &out), NULL);
    return kit_show(k, &b, &out);
}

TEST(every_function_has_an_example_that_holds)
{
    struct kit k;
    kit_open(&k, "");
    for (size_t i = 0; i < function_count(); i++) {
        const struct function *fn = function_at(i);
        if (!fn->example[0]) test_failed(__FILE__, __LINE__, "%s has no example", fn->name);
        const char *got = constant(&k, fn->example, DIALECT_SLUICE);
        if (strcmp(got, fn->expected) != 0)
            test_failed(__FILE__, __LINE__, "%s is\n  '%s', not\n  '%s'", fn->example, got,
                        fn->expected);
    }
    CHECK(function_count() >= 150);
    kit_close(&k);
}

static const struct {
    enum sql_dialect dialect;
    const char *sql, *expected;
} cases[] = {
    {DIALECT_SLUICE, "1 + 2 * 3", "7"},
    {DIALECT_SLUICE, "split_index('a,b', ',', 2)", "null"},
    {DIALECT_SLUICE, "split_index('', ',', 0)", ""},
    {DIALECT_SLUICE, "substring_index('a.b.c', '.', 2)", "a.b"},
    {DIALECT_SLUICE, "substring_index('a.b.c', '.', 9)", "a.b.c"},
    {DIALECT_SLUICE, "substring_index('a.b.c', '.', -9)", "a.b.c"},
    {DIALECT_SLUICE, "unhex('zz')", "CAST: unhex('zz'): this is no hex"},
    {DIALECT_SLUICE, "unhex('ff')", "CAST: unhex('ff'): the bytes are no text"},
    {DIALECT_SLUICE, "from_base64('*')", "CAST: from_base64('*'): this is no base64"},
    {DIALECT_SLUICE, "parse_url('https://ann:x@[::1]:8080/a/b?c=d&e=f#g', 'HOST')", "[::1]"},
    {DIALECT_SLUICE, "parse_url('https://ann:x@h:8080/a/b?c=d&e=f#g', 'PORT')", "8080"},
    {DIALECT_SLUICE, "parse_url('https://h/a/b?c=d&e=f#g', 'QUERY', 'e')", "f"},
    {DIALECT_SLUICE, "parse_url('https://h/a/b?c=d#g', 'PATH')", "/a/b"},
    {DIALECT_SLUICE, "parse_url('no address', 'HOST')", "null"},
    {DIALECT_SLUICE, "factorial(21)", "RANGE: factorial(21): factorials are of 0 to 20"},
    {DIALECT_SLUICE, "lcm(9223372036854775807, 2)",
     "RANGE: lcm(9223372036854775807, 2): the result does not fit"},
    {DIALECT_SLUICE, "shiftleft(1, 64)", "RANGE: shiftleft(1, 64): shifts are by 0 to 63 bits"},
    {DIALECT_SLUICE, "conv('-12', 10, 2)", "-1100"},
    {DIALECT_SLUICE, "conv('9', 8, 10)", "CAST: conv('9', 8, 10): this is no number of that base"},
    {DIALECT_SLUICE, "asin(2)", "RANGE: asin(2): there is no such number"},
    {DIALECT_SLUICE, "width_bucket(10.06, 0.024, 10.06, 5)", "6"},
    {DIALECT_SLUICE, "make_date(2026, 2, 29)",
     "RANGE: make_date(2026, 2, 29): there is no such day"},
    {DIALECT_SLUICE, "to_timestamp('2026-13-01', 'yyyy-MM-dd')",
     "RANGE: to_timestamp('2026-13-01', 'yyyy-MM-dd'): there is no such time"},
    {DIALECT_SLUICE, "to_timestamp('21.11.2026', 'yyyy-MM-dd')",
     "CAST: to_timestamp('21.11.2026', 'yyyy-MM-dd'): the text does not follow the pattern"},
    {DIALECT_SLUICE,
     "to_timestamp('Nov 21 2026 08:17:59.5 PM +01:00', 'MMM dd yyyy hh:mm:ss.S a X')",
     "2026-11-21T19:17:59.500Z"},
    {DIALECT_SLUICE,
     "timestamp_diff('month', TIMESTAMP '2026-01-31T00:00:00Z', TIMESTAMP "
     "'2026-02-28T00:00:00Z')",
     "0"},
    {DIALECT_SLUICE, "timestamp_add('year', -1, TIMESTAMP '2024-02-29T00:00:00Z')",
     "2023-02-28T00:00:00.000Z"},
    {DIALECT_SLUICE, "timestamp_add('fortnight', 1, TIMESTAMP '2024-02-29T00:00:00Z')",
     "UNKNOWN_NAME: timestamp_add('fortnight', 1, TIMESTAMP '2024-02-29T00:00:00Z'): there is no "
     "such "
     "unit of time"},
    {DIALECT_SLUICE, "json_object('a')", "TYPE: json_object('a'): each name needs a value"},
    {DIALECT_SLUICE, "json_keys(split('a', ','))", "null"},
    {DIALECT_SLUICE, "parse_json('{')", "BAD_JSON: parse_json('{'): this is no JSON"},
    {DIALECT_SLUICE, "regexp_count('aaa', 'x*')", "4"},
    {DIALECT_SLUICE, "soundex('Tymczak')", "T522"},
    {DIALECT_SLUICE, "levenshtein('Zoë', 'Zoe')", "1"},
    {DIALECT_SLUICE, "7 / 2", "3.5"},
    {DIALECT_CQL, "7 / 2", "3"},
    {DIALECT_PG, "7 / 2", "3"},
    {DIALECT_SLUICE, "2147483647 + 1", "RANGE: 2147483647 + 1: 2147483647 + 1 does not fit int"},
    {DIALECT_SLUICE, "9223372036854775807 + 1",
     "RANGE: 9223372036854775807 + 1: 9223372036854775807 + 1 does not fit bigint"},
    {DIALECT_SLUICE, "-9223372036854775808", "-9223372036854775808"},
    {DIALECT_SLUICE, "1 % 0", "RANGE: 1 % 0: 1 % 0 divides by zero"},
    {DIALECT_SLUICE, "1.5 / 0", "RANGE: 1.5 / 0: 1.5 / 0 divides by zero"},
    {DIALECT_SLUICE, "NULL + 1", "null"},
    {DIALECT_SLUICE, "'a' || 1 || true", "a1true"},
    {DIALECT_SLUICE, "'a' || NULL", "null"},
    {DIALECT_SLUICE, "NULL AND false", "false"},
    {DIALECT_SLUICE, "NULL OR true", "true"},
    {DIALECT_SLUICE, "NULL AND true", "null"},
    {DIALECT_SLUICE, "NOT NULL", "null"},
    {DIALECT_SLUICE, "1 IN (2, NULL)", "null"},
    {DIALECT_SLUICE, "1 IN (1, NULL)", "true"},
    {DIALECT_SLUICE, "1 NOT IN (2, 3)", "true"},
    {DIALECT_SLUICE, "NULL IS DISTINCT FROM 1", "true"},
    {DIALECT_SLUICE, "NULL = NULL", "null"},
    {DIALECT_SLUICE, "1 IS NOT DISTINCT FROM 1", "true"},
    {DIALECT_SLUICE, "5 BETWEEN 1 AND 10", "true"},
    {DIALECT_SLUICE, "5 NOT BETWEEN 1 AND 10", "false"},
    {DIALECT_SLUICE, "CASE 2 WHEN 1 THEN 'a' WHEN 2 THEN 'b' END", "b"},
    {DIALECT_SLUICE, "CASE WHEN false THEN 1 END", "null"},
    {DIALECT_SLUICE, "CAST('12' AS int) + 1", "13"},
    {DIALECT_SLUICE, "TRY_CAST('12x' AS int)", "null"},
    {DIALECT_SLUICE, "CAST('2026-11-21T08:00:00Z' AS timestamp)", "2026-11-21T08:00:00.000Z"},
    {DIALECT_SLUICE, "'x' LIKE 5", "TYPE: LIKE: 5 is int, text was wanted"},
    {DIALECT_SLUICE, "'abc' ~ '^a.c$'", "true"},
    {DIALECT_SLUICE, "'ABC' !~* 'b'", "false"},
    {DIALECT_SLUICE, "'ÄB' ILIKE 'äb'", "true"},
    {DIALECT_SLUICE, "'a' ~ '('",
     "SYNTAX: the pattern '(' is wrong at character 2: missing closing parenthesis"},
    {DIALECT_SLUICE, "1 + 'a'", "TYPE: text is no number to calculate with"},
    {DIALECT_SLUICE, "1 = 'a'", "TYPE: int and text do not go together"},
    {DIALECT_PG, "1 + '2'", "TYPE: text is no number to calculate with"},
    {DIALECT_SLUICE, "uper('a')", "UNKNOWN_FUNCTION: there is no function uper"},
    {DIALECT_SLUICE, "upper(1)", "TYPE: upper does not take (int)"},
    {DIALECT_SLUICE, "upper('a', 'b')", "TYPE: upper does not take (text, text)"},
    {DIALECT_SLUICE, "upper(DISTINCT 'a')",
     "SYNTAX: upper is no aggregate: it takes neither DISTINCT nor *"},
    {DIALECT_SLUICE, "a", "UNKNOWN_COLUMN: there is no FROM to take a from"},
    {DIALECT_SLUICE, "?", "UNSUPPORTED: placeholders: not available in this version"},
    {DIALECT_SLUICE, "1 < NULL", "null"},
    {DIALECT_SLUICE, "CAST(-9223372036854775808 AS text)", "-9223372036854775808"},
    {DIALECT_SLUICE, "CAST(0 AS text) || CAST(CAST(-128 AS tinyint) AS text)", "0-128"},
    {DIALECT_SLUICE, "upper('straße ñ ÿ ж ω ő')", "STRAßE Ñ Ÿ Ж Ω Ő"},
    {DIALECT_SLUICE, "lower('ÀÞ ŸĲ ΆΣ ЁЯ ẞ')", "àþ ÿĳ άσ ёя ß"},
    {DIALECT_SLUICE, "typeof(1), 1", "int"},
    {DIALECT_SLUICE, "typeof(2147483648)", "bigint"},
    {DIALECT_SLUICE, "typeof(now())", "timestamp"},
    {DIALECT_CQL, "typeof(now())", "timeuuid"},
    {DIALECT_SLUICE, "coalesce(NULL, NULL)", "null"},
    {DIALECT_SLUICE, "nullif('a', 'b')", "a"},
    {DIALECT_SLUICE, "substr('abc', 0)", "abc"},
    {DIALECT_SLUICE, "substr('abc', -1, 3)", "a"},
    {DIALECT_SLUICE, "substr('abc', 2, -1)",
     "RANGE: substr('abc', 2, -1): a negative number of characters"},
    {DIALECT_SLUICE, "left('abc', -1)", "ab"},
    {DIALECT_SLUICE, "right('abc', -1)", "bc"},
    {DIALECT_SLUICE, "right('abc', 9)", "abc"},
    {DIALECT_SLUICE, "lpad('abc', 2)", "ab"},
    {DIALECT_SLUICE, "repeat('a', 99999999999)",
     "TOO_BIG: repeat('a', 99999999999): the result is longer than 16 MiB"},
    {DIALECT_SLUICE, "split_part('a,b,c', ',', -1)", "c"},
    {DIALECT_SLUICE, "split_part('a,b,c', ',', 4)", ""},
    {DIALECT_SLUICE, "split_part('abc', '', 1)", "abc"},
    {DIALECT_SLUICE, "regexp_replace('aXbX', '([a-z])X', '$1-')", "a-b-"},
    {DIALECT_SLUICE, "regexp_replace('äöü', '', '.')", ".ä.ö.ü."},
    {DIALECT_SLUICE, "regexp_extract('abc', 'x(.)')", "null"},
    {DIALECT_SLUICE, "regexp_like('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!', '^(a+)+$')",
     "TOO_BIG: regexp_like('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!', '^(a+)+$'): the pattern "
     "takes too long on this text"},
    {DIALECT_SLUICE, "greatest(1, 2.5)", "2.5"},
    {DIALECT_SLUICE, "abs(-2147483648)", "RANGE: abs(-2147483648): the result does not fit"},
    {DIALECT_SLUICE, "sqrt(-1)", "RANGE: sqrt(-1): there is no such number"},
    {DIALECT_SLUICE, "div(1, 0)", "RANGE: div(1, 0): divides by zero"},
    {DIALECT_SLUICE, "EXTRACT(CENTURY FROM TIMESTAMP '2026-11-21T08:00:00Z')",
     "UNKNOWN_NAME: EXTRACT(CENTURY FROM TIMESTAMP '2026-11-21T08:00:00Z'): a time has no such "
     "part"},
    {DIALECT_SLUICE, "EXTRACT(DOW FROM DATE '2026-11-22')", "0"},
    {DIALECT_SLUICE, "EXTRACT(WEEK FROM DATE '2027-01-01')", "53"},
    {DIALECT_SLUICE, "EXTRACT(DOY FROM DATE '2024-12-31')", "366"},
    {DIALECT_SLUICE, "date_trunc('week', TIMESTAMP '2026-11-22T23:00:00Z')",
     "2026-11-16T00:00:00.000Z"},
    {DIALECT_SLUICE, "date_trunc('hour', TIMESTAMP '1969-12-31T23:59:59Z')",
     "1969-12-31T23:00:00.000Z"},
    {DIALECT_SLUICE, "year(TIMESTAMP '1600-02-29T00:00:00Z')", "1600"},
    {DIALECT_SLUICE, "date_format(now(), 'QQ')",
     "error: date_format(now(), 'QQ'): patterns know y M d H m s S; other letters stand in quotes"},
    {DIALECT_SLUICE, "json_get(CAST('{\"a\":1,\"a\":2}' AS json), 'a')", "2"},
    {DIALECT_SLUICE, "CAST('{\"a\":{\"b\":\"x\"}}' AS json) -> 'a' ->> 'b'", "x"},
    {DIALECT_SLUICE, "json_get(CAST('{\"a\":[]}' AS json), 'a[')",
     "SYNTAX: json_get(CAST('{\"a\":[]}' AS json), 'a['): this is no path like 'a.b[0]'"},
    {DIALECT_SLUICE, "DATE '2026-11-21' = TIMESTAMP '2026-11-21T00:00:00Z'", "true"},
    {DIALECT_SLUICE,
     "'8E7FCE72-89bc-4685-a747-b0f8624e020d' = 8e7fce72-89bc-4685-a747-b0f8624e020d", "true"},
    {DIALECT_SLUICE, "0xcafe = 0xCAFE", "true"},
    {DIALECT_SLUICE, "[1, 2]",
     "UNSUPPORTED: lists, sets, maps and tuples here: not available in "
     "this version"},
    {DIALECT_SLUICE, "count(*)", "null"},
};

TEST(expressions_of_constants_give_values_or_mistakes)
{
    struct kit k;
    kit_open(&k, "");
    for (size_t i = 0; i + 1 < COUNT_OF(cases); i++) {
        const char *got = constant(&k, cases[i].sql, cases[i].dialect);
        if (strcmp(got, cases[i].expected) != 0)
            test_failed(__FILE__, __LINE__, "%s is\n  '%s', not\n  '%s'", cases[i].sql, got,
                        cases[i].expected);
    }
    kit_close(&k);
}

TEST(a_uuid_is_the_same_for_the_same_place_and_another_elsewhere)
{
    struct kit k;
    kit_open(&k, "CREATE TOPIC t");
    struct plan_select p;
    CHECK_OK(kit_select(&k, "SELECT uuid(), uuid(), now() FROM t", 0, &p), &k.d);
    int64_t offsets[] = {5, 6};
    int32_t partitions[] = {0, 0};
    struct eval_context x = {.epoch = 1, .stream = 2, .offsets = offsets, .partitions = partitions};
    struct column_batch b;
    struct column one, two, again;
    CHECK_OK(batch_init(&b, NULL, 0, 2, k.arena), NULL);
    CHECK_OK(expr_eval(kit_rows(p.root)->outputs[0].value, &x, &b, &one), NULL);
    CHECK_OK(expr_eval(kit_rows(p.root)->outputs[1].value, &x, &b, &two), NULL);
    CHECK_OK(expr_eval(kit_rows(p.root)->outputs[0].value, &x, &b, &again), NULL);
    CHECK(memcmp(one.b16, again.b16, 32) == 0);
    CHECK(memcmp(one.b16[0], one.b16[1], 16) != 0); /* another offset */
    CHECK(memcmp(one.b16[0], two.b16[0], 16) != 0); /* another call in the same row */
    x.epoch = 2;
    CHECK_OK(expr_eval(kit_rows(p.root)->outputs[0].value, &x, &b, &again), NULL);
    CHECK(memcmp(one.b16[0], again.b16[0], 16) != 0);
    kit_close(&k);
}
