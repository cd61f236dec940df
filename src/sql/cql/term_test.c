/* Terms for receivers: values and messages. The words are those of Cassandra 5.0's sources. */
#include "sql/cql/term_kit.h"

TEST(cql_literals_become_values_of_their_receiver)
{
    static const struct {
        const char *term, *type, *want;
    } rows[] = {
        {"1", "int", "1"},
        {"-128", "tinyint", "-128"},
        {"128", "tinyint", "Unable to make byte from '128'"},
        {"40000", "smallint", "Unable to make short from '40000'"},
        {"3000000000", "int", "Unable to make int from '3000000000'"},
        {"9223372036854775808", "bigint", "Unable to make long from '9223372036854775808'"},
        {"1", "varint", "1"},
        {"-170141183460469231731687303715884105728", "varint",
         "-170141183460469231731687303715884105728"},
        {"1", "decimal", "1"},
        {"1.10", "decimal", "1.10"},
        {"1e3", "decimal", "1E+3"},
        {"1", "float", "1.0"},
        {"1.5", "double", "1.5"},
        {"1e10", "double", "1.0E10"},
        {"0.0001", "double", "1.0E-4"},
        {"123456789.125", "double", "1.23456789125E8"},
        {"0.001", "double", "0.001"},
        {"9999999", "double", "9999999.0"},
        {"4.9e-324", "double", "4.9E-324"},
        {"1e-45", "float", "1.4E-45"},
        {"0.1", "float", "0.1"},
        {"NaN", "double", "NaN"},
        {"-Infinity", "double", "-Infinity"},
        {"1e400", "double", "Infinity"},
        {"'abc'", "text", "'abc'"},
        {"'it''s'", "text", "'it''s'"},
        {"'abc'", "varchar", "'abc'"},
        {"'é'", "ascii",
         "Invalid ASCII character in string literal: "
         "java.nio.charset.UnmappableCharacterException: Input length = 1"},
        {"''", "text", "''"},
        {"true", "boolean", "true"},
        {"0xCafe", "blob", "0xcafe"},
        {"0x", "blob", "0x"},
        {"0x123", "blob", "cannot parse '123' as hex bytes"},
        {"550e8400-e29b-41d4-a716-446655440000", "uuid", "550e8400-e29b-41d4-a716-446655440000"},
        {"550e8400-e29b-41d4-a716-446655440000", "timeuuid",
         "TimeUUID supports only version 1 UUIDs"},
        {"'2011-02-03T04:05:00.000+0000'", "timestamp", "'2011-02-03T04:05:00.000Z'"},
        {"'2011-02-03 04:05+0000'", "timestamp", "'2011-02-03T04:05:00.000Z'"},
        {"'2011-02-03 04:05:06.7+01:00'", "timestamp", "'2011-02-03T03:05:06.700Z'"},
        {"'2011-02-03'", "timestamp", "'2011-02-03T00:00:00.000Z'"},
        {"'2011-2-3 4:5'", "timestamp", "'2011-02-03T04:05:00.000Z'"},
        {"'2011-02-03+0530'", "timestamp", "'2011-02-02T18:30:00.000Z'"},
        {"1299038700000", "timestamp", "'2011-03-02T04:05:00.000Z'"},
        {"'yesterday'", "timestamp", "Unable to parse a date/time from 'yesterday'"},
        {"''", "timestamp", "null"},
        {"'2011-02-03'", "date", "'2011-02-03'"},
        {"2147483648", "date", "'1970-01-01'"},
        {"'2011-02-30'", "date", "Unable to coerce '2011-02-30' to a formatted date (long)"},
        {"'08:12:54.123456789'", "time", "'08:12:54.123456789'"},
        {"'08:12:54'", "time", "'08:12:54.000000000'"},
        {"'24:00:00'", "time", "(TimeType) Unable to coerce '24:00:00' to a formatted time (long)"},
        {"'127.0.0.1'", "inet", "'127.0.0.1'"},
        {"'2001:db8::1'", "inet", "'2001:db8:0:0:0:0:0:1'"},
        {"'::ffff:1.2.3.4'", "inet", "'1.2.3.4'"},
        {"'300.1.1.1'", "inet", "Unable to make inet address from '300.1.1.1'"},
        {"12h30m", "duration", "12h30m"},
        {"P1Y2M3DT4H5M6S", "duration", "1y2mo3d4h5m6s"},
        {"P3W", "duration", "21d"},
        {"P0001-02-03T04:05:06", "duration", "1y2mo3d4h5m6s"},
        {"-1mo2d", "duration", "-1mo2d"},
        {"1s1s", "duration", "Invalid duration. The seconds are specified multiple times"},
        {"1s1h", "duration", "Invalid duration. The seconds should be after hours"},
        {"NULL", "int", "null"},
        {"'x'", "int", "Invalid STRING constant (x) for \"a\" of type int"},
        {"1", "text", "Invalid INTEGER constant (1) for \"a\" of type text"},
        {"1.5", "int", "Invalid FLOAT constant (1.5) for \"a\" of type int"},
        {"0xff", "text", "Invalid HEX constant (0xff) for \"a\" of type text"},
        {"true", "int", "Invalid BOOLEAN constant (true) for \"a\" of type int"},
        {"1h", "int", "Invalid DURATION constant (1h) for \"a\" of type int"},
        {"550e8400-e29b-41d4-a716-446655440000", "text",
         "Invalid UUID constant (550e8400-e29b-41d4-a716-446655440000) for \"a\" of type text"},
        {"1", "list<int>", "Invalid INTEGER constant (1) for \"a\" of type list<int>"},
        {"NULL", "counter", "Invalid null value for counter increment/decrement"},
    };
    struct term_kit k;
    kit_start(&k);
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        CHECK_TERM(&k, rows[i].term, rows[i].type, rows[i].want);
    kit_stop(&k);
}

TEST(cql_nested_literals_are_sorted_typed_and_refused)
{
    static const struct {
        const char *term, *type, *want;
    } rows[] = {
        {"[3, 1, 2, 1]", "list<int>", "[3, 1, 2, 1]"},
        {"[]", "list<int>", "[]"},
        {"{3, 1, 2, 1}", "set<int>", "{1, 2, 3}"},
        {"{}", "set<int>", "{}"},
        {"{}", "map<int, text>", "{}"},
        {"{'b': 2, 'a': 1, 'b': 3}", "map<text, int>", "{'a': 1, 'b': 3}"},
        {"{[2, 1]: {'x'}}", "map<frozen<list<int>>, frozen<set<text>>>", "{[2, 1]: {'x'}}"},
        {"(1, 'x')", "tuple<int, text>", "(1, 'x')"},
        {"(1)", "tuple<int, text>", "(1)"},
        {"(1, NULL)", "tuple<int, text>", "(1, null)"},
        {"((7))", "int", "7"},
        {"'1:a\\:b'", "frozen<tuple<int, text>>", "(1, 'a:b')"},
        {"{f: 1, g: 'x'}", "u", "{f: 1, g: 'x'}"},
        {"{g: 'x'}", "frozen<u>", "{f: null, g: 'x'}"},
        {"{z: 1}", "u", "Unknown field 'z' in value of user defined type u"},
        {"{f: 'x'}", "u", "Invalid user type literal for a: field f is not of type int"},
        {"{f: 1}", "int", "Invalid user type literal for a of type int"},
        {"['x']", "list<int>", "Invalid list literal for a: value 'x' is not of type int"},
        {"['x']", "text", "Unexpected receiver type 'text'; only list and vector are expected"},
        {"{'x'}", "text", "Invalid set literal for a of type text"},
        {"{1: 2}", "set<int>", "Invalid map literal for a of type set<int>"},
        {"{'x': 2}", "map<int, int>", "Invalid map literal for a: key 'x' is not of type int"},
        {"{1: 'y'}", "map<int, int>", "Invalid map literal for a: value 'y' is not of type int"},
        {"(1, 2, 3)", "tuple<int, int>",
         "Invalid tuple literal for a: too many elements. Type frozen<tuple<int, int>> expects 2 "
         "but got 3"},
        {"('x', 2)", "tuple<int, int>",
         "Invalid tuple literal for a: component 0 is not of type int"},
        {"(1, 2)", "int", "Invalid tuple type literal for a of type int"},
        {"[?]", "list<int>",
         "Invalid list literal for a: bind variables are not supported inside collection literals"},
        {"[NULL]", "list<int>", "null is not supported inside collections"},
        {"[[1]]", "list<int>", "Unexpected receiver type 'int'; only list and vector are expected"},
    };
    struct term_kit k;
    kit_start(&k);
    kit_user_type(&k, "u", "f int, g text");
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        CHECK_TERM(&k, rows[i].term, rows[i].type, rows[i].want);
    kit_stop(&k);
}

TEST(cql_types_resolve_or_say_what_may_not_be_inside)
{
    static const struct {
        const char *type, *want;
    } rows[] = {
        {"list<int>", "list<int>"},
        {"frozen<list<list<int>>>", "frozen<list<frozen<list<int>>>>"},
        {"map<text, frozen<u>>", "map<text, frozen<u>>"},
        {"tuple<int, list<text>>", "frozen<tuple<int, frozen<list<text>>>>"},
        {"u", "u"},
        {"frozen<u>", "frozen<u>"},
        {"varchar", "text"},
        {"list<list<int>>",
         "Non-frozen collections are not allowed inside collections: list<list<int>>"},
        {"set<u>", "Non-frozen UDTs are not allowed inside collections: set<u>"},
        {"list<counter>", "Counters are not allowed inside collections: list<counter>"},
        {"map<counter, int>", "Counters are not allowed inside collections: map<counter, int>"},
        {"map<duration, int>", "Durations are not allowed as map keys: map<duration, int>"},
        {"set<duration>", "Durations are not allowed inside sets: set<duration>"},
        {"tuple<counter>", "Counters are not allowed inside tuples"},
        {"nope", "Unknown type ks.nope"},
        {"other.u",
         "Statement on keyspace ks cannot refer to a user type in keyspace other; user types can "
         "only be used in the keyspace they are defined in"},
        {"vector<float, 3>", "vectors are not available in this version: vector<float, 3>"},
    };
    struct term_kit k;
    kit_start(&k);
    kit_user_type(&k, "u", "f int, g text");
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct type *t = kit_type(&k, rows[i].type);
        buf_reset(&k.out);
        if (t) cql_type_put(&k.out, t);
        CHECK_TEXT(t ? buf_cstr(&k.out) : k.d.what, rows[i].want);
    }
    kit_stop(&k);
}
