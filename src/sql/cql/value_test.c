/* Calls in terms, markers, bound bytes, JSON, order, large numbers. */
#include "sql/cql/big.h"
#include "sql/cql/term_int.h"
#include "sql/cql/term_kit.h"

TEST(cql_calls_in_terms_find_their_overload_or_say_why_not)
{
    static const struct {
        const char *term, *type, *want;
    } rows[] = {
        {"1 + 2", "int", "3"},
        {"1 + 2", "bigint", "3"},
        {"1 + 2", "decimal", "3"},
        {"10 / 4", "int", "2"},
        {"10 / 4", "double", "2.5"},
        {"10 % 4", "int", "2"},
        {"-(1)", "text",
         "Invalid call to function system._negate, none of its type signatures "
         "match (known type signatures: system._negate : (tinyint) -> tinyint, "
         "system._negate : (smallint) -> smallint, system._negate : (int) -> int, "
         "system._negate : (bigint) -> bigint, system._negate : (float) -> float, "
         "system._negate : (double) -> double, system._negate : (decimal) -> "
         "decimal, system._negate : (varint) -> varint, system._negate : (counter) "
         "-> counter)"},
        {"'a' + 'b'", "text", "'ab'"},
        {"1 + 'b'", "int", "the '+' operation is not supported between 1 and 'b'"},
        {"? + ?", "int",
         "Ambiguous '+' operation with args ? and ?: use type hint to disambiguate, example "
         "'(int) ?'"},
        {"(int) 5", "int", "5"},
        {"(bigint) 5", "timestamp", "'1970-01-01T00:00:00.005Z'"},
        {"(text) 5", "text", "Cannot cast value 5 to type text"},
        {"(int) 5", "text", "Cannot assign value (int)5 to a of type text"},
        {"nope()", "int", "Unknown function nope called"},
        {"other.now()", "timeuuid", "Unknown function other.now called"},
        {"now(1)", "timeuuid",
         "Invalid number of arguments in call to function system.now: 0 required but 1 provided"},
        {"now()", "int",
         "Type error: cannot assign result of function system.now (type timeuuid) to a (type int)"},
        {"count(0x01)", "bigint", "Aggregation function are not supported in the where clause"},
        {"min_timeuuid('x')", "timeuuid", "Unable to parse a date/time from 'x'"},
        {"min_timeuuid(1.5)", "timeuuid",
         "Type error: 1.5 cannot be passed as argument 0 of function system.min_timeuuid of type "
         "timestamp"},
        {"to_timestamp(now())", "timestamp", "'2023-11-14T22:13:20.123Z'"},
        {"toTimestamp(now())", "timestamp", "'2023-11-14T22:13:20.123Z'"},
        {"to_date(-1)", "date", "'1970-01-01'"},
        {"to_date(-86400001)", "date", "'1969-12-31'"},
        {"current_timestamp()", "timestamp", "'2023-11-14T22:13:20.123Z'"},
        {"current_date()", "date", "'2023-11-14'"},
        {"current_time()", "time", "'22:13:20.123456000'"},
        {"'now'", "timestamp", "'2023-11-14T22:13:20.123Z'"},
        {"text_as_blob('ab')", "blob", "0x6162"},
        {"textAsBlob('ab')", "blob", "0x6162"},
        {"blob_as_text(0x6162)", "text", "'ab'"},
        {"from_json('[1, 2]')", "list<int>", "[1, 2]"},
        {"fromJson('nul')", "int",
         "execution of 'system.fromjson[text]' failed: Could not decode JSON string 'nul': "
         "com.fasterxml.jackson.core.JsonParseException: Unrecognized token 'nul': was expecting "
         "(JSON "
         "String, Number, Array, Object or token 'null', 'true' or 'false')\n at [Source: "
         "(String)\"nul\"; line: 1, column: 4]"},
        {"from_json('\"x\"')", "int",
         "org.apache.cassandra.serializers.MarshalException: Unable to make int from 'x'"},
        {"token(7)", "bigint", "1634052884888577606"},
        {"['a' + 'b']", "list<text>", "['ab']"},
        {"abs(-5)", "int", "5"},
        {"cast(5 AS text)", "text", "'5'"},
        {"2147483647 + 1", "int", "-2147483648"},
        {"1 + (2 * 3)", "int", "7"},
        {"'2016-09-27 16:12:00+0000' + 1d", "timestamp", "'2016-09-28T16:12:00.000Z'"},
        {"'2016-09-27' + 1h", "date",
         "the operation 'date + duration' failed: The duration must have a day precision. Was: 1h"},
        {"'2016-01-31' + 1mo", "date", "'2016-02-29'"},
        {"'2016-03-31' - 1mo", "date", "'2016-02-29'"},
        {"1.0 / 3", "decimal", "0.33333333333333333333333333333333"},
        {"10 / 0", "decimal",
         "the operation 'decimal / decimal' failed: BigInteger divide by zero"},
        {"exp(1)", "decimal", "2.7182818284590452353602874713527"},
        {"log(10)", "decimal", "2.3025850929940456840179914546844"},
        {"log10(1000)", "decimal", "3.0000000000000000000000000000000"},
        {"log10(100)", "decimal", "2"},
        {"log(-1)", "decimal", "java.lang.ArithmeticException: Natural log of number zero or less"},
        {"exp((varint) 100)", "varint", "26881171418161354484126255515800000000000000"},
        {"round(2.5)", "decimal", "3"},
        {"1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1", "int", "16"},
    };
    struct term_kit k;
    kit_start(&k);
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        CHECK_TERM(&k, rows[i].term, rows[i].type, rows[i].want);
    kit_stop(&k);
}

TEST(cql_markers_learn_who_receives_them)
{
    static const struct {
        const char *term, *type, *want;
    } rows[] = {
        {"?", "int", "a: int"},
        {"?", "list<int>", "a: list<int>"},
        {"(?, 2)", "tuple<int, int>", "a[0]: int"},
        {"{f: ?}", "u", "a.f: int"},
        {"min_timeuuid(?)", "timeuuid", "arg0(system.min_timeuuid): timestamp"},
        {"minTimeuuid(?)", "timeuuid", "arg0(system.mintimeuuid): timestamp"},
        {"token(?)", "bigint", "arg0(system.token): int"},
        {"from_json(?)", "set<int>", "arg0(system.from_json): text"},
        {"(int) ?", "int", "a: int"},
        {"(int) ? + 1", "int", "arg0(system._add): int"},
    };
    struct term_kit k;
    kit_start(&k);
    kit_user_type(&k, "u", "f int, g text");
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct cql_node *n = kit_node(&k, rows[i].term);
        const struct cql_term *t;
        struct cql_receiver r = {SLICE("ks"), SLICE("t"), SLICE("a"), kit_type(&k, rows[i].type)};
        CHECK(n && r.type);
        if (!n || !r.type) continue;
        CHECK_OK(cql_term_prepare(n, &r, &k.x, &t), &k.d);
        CHECK_TEXT(kit_marker(&k, 0), rows[i].want);
        CHECK(!cql_term_is_constant(t));
    }
    const struct cql_term *t;
    uint32_t marker = 9;
    struct cql_receiver r = {SLICE("ks"), SLICE("t"), SLICE("col"), type_of(TYPE_INT)};
    CHECK_OK(cql_term_prepare_in(kit_node(&k, "?"), &r, &k.x, &t), &k.d);
    CHECK_SLICE(k.markers[0].name, "in(col)");
    CHECK(cql_term_marker(t, &marker) && marker == 0);
    kit_stop(&k);
}

/* hex, or "null", "unset" */
static void bind_hex(struct term_kit *k, const char *hex)
{
    uint8_t bytes[256];
    size_t n = strlen(hex) / 2;
    k->bound[0] = (struct cql_value){.state = CQL_NULL};
    if (strcmp(hex, "unset") == 0) k->bound[0].state = CQL_UNSET;
    if (strcmp(hex, "null") == 0 || strcmp(hex, "unset") == 0) return;
    for (size_t i = 0; i < n; i++) {
        char two[3] = {hex[2 * i], hex[2 * i + 1], 0};
        unsigned byte = 0;
        sscanf(two, "%2x", &byte);
        bytes[i] = (uint8_t)byte;
    }
    kit_bind(k, 0, (const char *)bytes, n);
}

TEST(cql_bound_bytes_are_checked_with_the_originals_words)
{
    static const struct {
        const char *type, *hex, *want;
    } rows[] = {
        {"int", "00000007", "7"},
        {"int", "", "null"}, /* empty: what most types allow */
        {"int", "000007", "Expected 4 or 0 byte int (3)"},
        {"bigint", "07", "Expected 8 or 0 byte long (1)"},
        {"smallint", "07", "Expected 2 bytes for a smallint (1)"},
        {"smallint", "", "Expected 2 bytes for a smallint (0)"},
        {"tinyint", "", "Expected 1 byte for a tinyint (0)"},
        {"boolean", "0101", "Expected 1 or 0 byte value (2)"},
        {"float", "01", "Expected 4 or 0 byte value for a float (1)"},
        {"double", "01", "Expected 8 or 0 byte value for a double (1)"},
        {"timestamp", "01", "Expected 8 or 0 byte long for date (1)"},
        {"date", "01", "Expected 4 byte long for date (1)"},
        {"time", "01", "Expected 8 byte long for time (1)"},
        {"uuid", "01", "UUID should be 16 or 0 bytes (1)"},
        {"timeuuid", "550e8400e29b41d4a716446655440000", "Invalid version for TimeUUID type: 0x5"},
        {"inet", "0102", "Expected 4 or 16 byte inetaddress; got 0102"},
        {"decimal", "0102", "Expected 0 or at least 4 bytes (2)"},
        {"duration", "0102", "Expected at least 3 bytes for a duration (2)"},
        {"text", "c3", "String didn't validate."},
        {"text", "c3a9", "'é'"},
        {"ascii", "80", "Invalid byte for ascii: -128"},
        {"list<int>", "", "Not enough bytes to read a list"},
        {"list<int>", "000000010000000400000007", "[7]"},
        {"list<int>", "0000000100000004000007", "Not enough bytes to read a list"},
        {"list<int>", "00000001000000040000000700", "Unexpected extraneous bytes after list value"},
        {"list<int>", "00000001ffffffff", "Null value read when not allowed"},
        {"list<int>", "ffffffff", "The data cannot be deserialized as a list"},
        {"list<int>", "00000001000000020007", "Expected 4 or 0 byte int (2)"},
        {"set<int>", "00000003000000040000000300000004000000010000000400000003", "{1, 3}"},
        {"map<int, int>",
         "0000000200000004000000020000000400000009000000040000000100000004000000"
         "08",
         "{1: 8, 2: 9}"},
        {"frozen<list<set<int>>>", "00000001000000140000000200000004000000020000000400000001",
         "[{1, 2}]"},
        {"tuple<int, int>", "0000000400000007", "(7)"},
        {"tuple<int, int>", "000000040000000700", "Not enough bytes to read size of 1th component"},
        {"tuple<int>", "000000040000000700000000",
         "Invalid remaining data after end of tuple value"},
        {"u", "00000002000a", "Failure validating the 0th field f; Expected 4 or 0 byte int (2)"},
        {"u", "0000000400000007ffffffff", "{f: 7, g: null}"},
        {"int", "null", "null"},
        {"int", "unset", "unset"},
    };
    struct term_kit k;
    kit_start(&k);
    kit_user_type(&k, "u", "f int, g text");
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        bind_hex(&k, rows[i].hex);
        CHECK_TERM(&k, "?", rows[i].type, rows[i].want);
    }
    bind_hex(&k, "unset");
    CHECK_TERM(&k, "(?, 1)", "tuple<int, int>", "Invalid unset value for tuple field number 0");
    CHECK_TERM(&k, "{f: ?}", "frozen<u>",
               "Invalid unset value for field 'f' of user defined type u");
    CHECK_TERM(&k, "abs((int) ?)", "int",
               "Invalid unset value for argument in call to function abs");
    CHECK_TERM(&k, "[blob_as_int(?)]", "list<int>",
               "Invalid list literal for a: bind variables are not supported inside collection "
               "literals");
    kit_stop(&k);
}

static void check_json(struct term_kit *k, const char *type, const char *term, const char *json)
{
    const struct type *t = kit_type(k, type);
    const struct cql_node *n = kit_node(k, term);
    const struct cql_term *made;
    struct cql_value v, back;
    struct cql_receiver r = {SLICE("ks"), SLICE("t"), SLICE("a"), t};
    CHECK(n && t);
    if (!n || !t) return;
    CHECK_OK(cql_term_prepare(n, &r, &k->x, &made), &k->d);
    CHECK_OK(cql_term_value(made, &k->b, k->arena, &v, &k->d), &k->d);
    buf_reset(&k->out);
    cql_to_json(t, &v, &k->out);
    CHECK_TEXT(buf_cstr(&k->out), json);
    CHECK_OK(cql_from_json(t, buf_view(&k->out), k->arena, &back, &k->d), &k->d);
    CHECK(back.state == CQL_SET && cql_compare(t, v.bytes, back.bytes) == 0);
}

TEST(cql_values_become_json_and_come_back)
{
    static const struct {
        const char *type, *term, *json;
    } rows[] = {
        {"int", "7", "7"},
        {"bigint", "-7", "-7"},
        {"double", "1.5", "1.5"},
        {"double", "1e10", "1.0E10"},
        {"float", "0.1", "0.1"},
        {"decimal", "1.10", "1.10"},
        {"varint", "12345678901234567890", "12345678901234567890"},
        {"boolean", "true", "true"},
        {"text", "'a\"b\\c'", "\"a\\\"b\\\\c\""},
        {"text", "'é€😀'", "\"é€😀\""},
        {"blob", "0xcafe", "\"0xcafe\""},
        {"uuid", "550e8400-e29b-41d4-a716-446655440000",
         "\"550e8400-e29b-41d4-a716-446655440000\""},
        {"timestamp", "'2011-02-03 04:05:06.789+0000'", "\"2011-02-03 04:05:06.789Z\""},
        {"date", "'2011-02-03'", "\"2011-02-03\""},
        {"time", "'08:12:54.5'", "\"08:12:54.500000000\""},
        {"duration", "1y2mo", "\"1y2mo\""},
        {"inet", "'::1'", "\"0:0:0:0:0:0:0:1\""},
        {"list<int>", "[1, 2]", "[1, 2]"},
        {"set<text>", "{'b', 'a'}", "[\"a\", \"b\"]"},
        {"map<int, text>", "{1: 'x'}", "{\"1\": \"x\"}"},
        {"map<frozen<list<int>>, int>", "{[1, 2]: 3}", "{\"[1, 2]\": 3}"},
        {"map<frozen<list<text>>, int>", "{['x']: 3}", "{\"[\\\"x\\\"]\": 3}"},
        {"tuple<int, text>", "(1, NULL)", "[1, null]"},
        {"u", "{f: 1, \"G\": 'x'}", "{\"f\": 1, \"\\\"G\\\"\": \"x\"}"},
    };
    struct term_kit k;
    kit_start(&k);
    kit_user_type(&k, "u", "f int, \"G\" text");
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        check_json(&k, rows[i].type, rows[i].term, rows[i].json);
    kit_stop(&k);
}

TEST(cql_json_that_does_not_fit_is_told_as_the_original_tells_it)
{
    static const struct {
        const char *type, *json, *want;
    } rows[] = {
        {"int", "1.5", "Expected an int value, but got a Double: 1.5"},
        {"int", "3000000000", "Expected an int value, but got a Long: 3000000000"},
        {"int", "\"5\"", "5"},
        {"int", "\"\"", "null"},
        {"int", "null", "null"},
        {"int", "true", "Expected an int value, but got a Boolean: true"},
        {"int", "[1]", "Expected an int value, but got a ArrayList: [1]"},
        {"int", "{\"a\": 1}", "Expected an int value, but got a LinkedHashMap: {a=1}"},
        {"bigint", "99999999999999999999",
         "Expected a bigint value, but got a BigInteger: 99999999999999999999"},
        {"smallint", "1.5", "Unable to make short from '1.5'"},
        {"tinyint", "true", "Expected a byte value, but got a Boolean: true"},
        {"text", "5", "Expected a UTF-8 string, but got a Integer: 5"},
        {"ascii", "5", "Expected an ascii string, but got a Integer: 5"},
        {"text", "\"\\u00e9\\n\"", "'é\n'"},
        {"text", "\"\\ud83d\\ude00\"", "'😀'"},
        {"text", "\"\\ud83d\"", "'?'"},
        {"boolean", "\"TRUE\"", "true"},
        {"boolean", "1", "Expected a boolean value, but got a Integer: 1"},
        {"blob", "\"cafe\"",
         "Value 'cafe' is not a valid blob representation: String representation of blob is "
         "missing "
         "0x prefix: cafe"},
        {"blob", "\"0xcaf\"",
         "Value '0xcaf' is not a valid blob representation: cannot parse 'caf' as hex bytes"},
        {"blob", "5",
         "Value '5' is not a valid blob representation: class java.lang.Integer cannot be cast to "
         "class java.lang.String (java.lang.Integer and java.lang.String are in module java.base "
         "of "
         "loader 'bootstrap')"},
        {"decimal", "\"xyz\"", "Value 'xyz' is not a valid representation of a decimal value"},
        {"decimal", "1e10", "1.0E+10"},
        {"varint", "1.5", "Value '1.5' is not a valid representation of a varint value"},
        {"timestamp", "123",
         "Expected a long or a datestring representation of a timestamp value, but got a Integer: "
         "123"},
        {"timestamp", "1296705900000", "'2011-02-03T04:05:00.000Z'"},
        {"uuid", "5", "Expected a string representation of a uuid, but got a Integer: 5"},
        {"uuid", "\"x\"", "Unable to make UUID from 'x'"},
        {"list<int>", "[1, null]", "Invalid null element in list"},
        {"list<int>", "5", "Expected a list, but got a Integer: 5"},
        {"list<int>", "\"[1, 2]\"", "[1, 2]"},
        {"set<int>", "{\"a\": 1}",
         "Expected a list (representing a set), but got a LinkedHashMap: {a=1}"},
        {"set<int>", "[2, 1, 2]", "{1, 2}"},
        {"map<int, int>", "{\"1\": null}", "Invalid null value in map"},
        {"map<int, int>", "{\"x\": 1}", "Unable to make int from 'x'"},
        {"map<text, int>", "{\"a\": 1, \"a\": 2}", "{'a': 2}"},
        {"tuple<int, int>", "[1]", "Tuple is missing items (expected 2): [1]"},
        {"tuple<int, int>", "[1, 2, 3]", "Tuple contains extra items (expected 2): [1, 2, 3]"},
        {"u", "{\"F\": 1}", "{f: 1, g: null}"},
        {"u", "{\"\\\"F\\\"\": 1}", "Unknown field 'F' in value of user defined type u"},
        {"u", "{\"h\": 1}", "Unknown field 'h' in value of user defined type u"},
        {"int", "01",
         "com.fasterxml.jackson.core.JsonParseException: Invalid numeric value: Leading zeroes not "
         "allowed\n at [Source: (String)\"01\"; line: 1, column: 2]"},
        {"int", "",
         "com.fasterxml.jackson.databind.exc.MismatchedInputException: No content to map due to "
         "end-of-input\n at [Source: (String)\"\"; line: 1, column: 0]"},
        {"int", "\"1",
         "com.fasterxml.jackson.core.io.JsonEOFException: Unexpected end-of-input: was expecting "
         "closing quote for a string value\n at [Source: (String)\"\"1\"; line: 1, column: 3]"},
    };
    struct term_kit k;
    kit_start(&k);
    kit_user_type(&k, "u", "f int, g text");
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct type *t = kit_type(&k, rows[i].type);
        struct cql_value v;
        err_t e = cql_from_json(t, slice_of(rows[i].json), k.arena, &v, &k.d);
        CHECK_TEXT(e ? k.d.what : kit_literal(&k, t, &v), rows[i].want);
    }
    kit_stop(&k);
}

TEST(cql_json_of_a_row_is_taken_apart)
{
    struct term_kit k;
    struct cql_json_field *f;
    uint32_t n;
    kit_start(&k);
    struct slice json = SLICE("{\"K\": 1, \"\\\"V\\\"\": {\"a\": [1]}, \"k\": 2, \"n\": null}");
    CHECK_OK(cql_json_fields(json, k.arena, &f, &n, &k.d), &k.d);
    CHECK_INT(n, 3);
    CHECK_SLICE(f[0].name, "k");
    CHECK_SLICE(f[0].json, "1"); /* the name that was changed goes over the other */
    CHECK_SLICE(f[1].name, "V");
    CHECK_SLICE(f[1].json, "{\"a\": [1]}");
    CHECK_SLICE(f[2].json, "null");
    CHECK_ERR(cql_json_fields(SLICE("null"), k.arena, &f, &n, &k.d), ERR_INVALID);
    CHECK_TEXT(k.d.what, "Got null for INSERT JSON values");
    CHECK_ERR(cql_json_fields(SLICE("[1]"), k.arena, &f, &n, &k.d), ERR_INVALID);
    CHECK(strstr(k.d.what, "(String was: [1])") != NULL);
    kit_stop(&k);
}

TEST(cql_values_compare_in_their_types_order)
{
    /* ascending, none equal */
    static const struct {
        const char *type, *terms[6];
    } rows[] = {
        {"int", {"-2147483648", "-1", "0", "1", "2147483647"}},
        {"tinyint", {"-128", "-1", "0", "127"}},
        {"double", {"-Infinity", "-1.5", "0.0", "1.5", "Infinity", "NaN"}},
        {"boolean", {"false", "true"}},
        {"varint", {"-70000", "-1", "0", "127", "128", "99999999999999999999"}},
        {"decimal", {"-1.5", "-1.49", "0", "0.5", "1E1", "10.5"}},
        {"text", {"''", "'A'", "'a'", "'ab'", "'é'"}},
        {"date", {"'-0001-01-01'", "'1969-12-31'", "'1970-01-01'", "'2020-01-01'"}},
        {"timestamp", {"-1", "0", "1"}},
        {"inet", {"'1.2.3.4'", "'1.2.3.5'", "'2001:db8::1'"}},
        {"uuid",
         {"00000000-0000-1000-8000-000000000000", "00000000-0000-1001-8000-000000000000",
          "00000000-0000-4000-8000-000000000000", "f0000000-0000-4000-8000-000000000000"}},
        {"timeuuid",
         {"ffffffff-0000-1000-8000-000000000000", "00000000-0001-1000-8000-000000000000",
          "00000000-0001-1000-ff00-000000000000", "00000000-0001-1000-0000-000000000000"}},
        {"frozen<list<int>>", {"[]", "[1]", "[1, -5]", "[1, 2]", "[2]"}},
        {"frozen<map<int, int>>", {"{}", "{1: 1}", "{1: 2}", "{1: 2, 2: 0}"}},
        {"tuple<int, int>", {"(NULL, 5)", "(1, NULL)", "(1, 1)", "(2, NULL)"}},
    };
    struct term_kit k;
    kit_start(&k);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct type *t = kit_type(&k, rows[i].type);
        struct cql_value v[6];
        uint32_t n = 0;
        for (; n < 6 && rows[i].terms[n]; n++) {
            const struct cql_term *made;
            struct cql_receiver r = {SLICE("ks"), SLICE("t"), SLICE("a"), t};
            CHECK_OK(cql_term_prepare(kit_node(&k, rows[i].terms[n]), &r, &k.x, &made), &k.d);
            CHECK_OK(cql_term_value(made, &k.b, k.arena, &v[n], &k.d), &k.d);
        }
        for (uint32_t a = 0; a < n; a++)
            for (uint32_t b = 0; b < n; b++) {
                int c = cql_compare(t, v[a].bytes, v[b].bytes);
                if ((c > 0) - (c < 0) != (a > b) - (a < b))
                    test_failed(__FILE__, __LINE__, "%s: %s against %s is %d", rows[i].type,
                                rows[i].terms[a], rows[i].terms[b], c);
            }
        CHECK(cql_compare(t, SLICE(""), v[n - 1].bytes) < 0);
    }
    struct slice tenth = {(const uint8_t *)"\0\0\0\1\1", 5};
    struct slice same = {(const uint8_t *)"\0\0\0\2\x0a", 5}; /* 0.1 and 0.10 */
    CHECK_INT(cql_compare(type_of(TYPE_DECIMAL), tenth, same), 0);
    kit_stop(&k);
}

/* OEIS A001113, A002162, A002285. */
TEST(cql_decimals_have_as_many_right_digits_as_they_are_asked_for)
{
    static const struct {
        bool (*f)(const struct dec *, uint64_t, struct arena *, struct dec *);
        const char *of, *want;
    } rows[] = {
        {dec_exp, "1",
         "2.718281828459045235360287471352662497757247093699959574966967627724076630353547594571382"
         "178525166427"},
        {dec_log, "2",
         "0."
         "6931471805599453094172321214581765680755001343602552541206800094933936219696947156058633"
         "269964186875"},
        {dec_log10,
         "2.7182818284590452353602874713526624977572470936999595749669676277240766303535"
         "4759457138217852516642742746639193",
         "0."
         "4342944819032518276511289189166050822943970058036665661144537831658646492088707747292249"
         "493384317483"},
    };
    struct arena *a = arena_new(MIB(16));
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct slice b;
        struct dec v, made;
        uint8_t memory[256];
        struct buf text = buf_over(memory, sizeof(memory));
        CHECK_OK(binary_from_text(type_of(TYPE_DECIMAL), slice_of(rows[i].of), a, &b, NULL), NULL);
        CHECK(dec_of_binary(b, a, &v) && rows[i].f(&v, 100, a, &made) &&
              dec_to_binary(&made, a, &b));
        scalar_put(type_of(TYPE_DECIMAL), b, &text);
        CHECK_TEXT(buf_cstr(&text), rows[i].want);
    }
    arena_free(a);
}
