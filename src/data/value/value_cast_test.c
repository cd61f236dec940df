/* Casts: exact ones, refused ones with their words, and that the plan's table and the values agree.
 * JSON: strict and cast, and what each type trap of the known APIs becomes. */
#include "data/value/value_int.h"
#include "test.h"

static const struct type *type_named(struct arena *a, const char *text)
{
    const struct type *t = NULL;
    struct diag d = {0};
    CHECK_OK(type_parse(slice_of(text), a, &t, &d), &d);
    return t;
}

static void check_shown(struct arena *a, const struct value *v, const char *want)
{
    struct buf b = buf_make(MIB(1));
    (void)a;
    value_to_text(v, &b);
    CHECK_TEXT(buf_cstr(&b), want);
    buf_done(&b);
}

TEST(casts_are_exact)
{
    static const char *const cases[][4] = {
        /* from, its text, to, its text */
        {"int", "300", "smallint", "300"},
        {"int", "-128", "tinyint", "-128"},
        {"bigint", "9223372036854775807", "varint", "9223372036854775807"},
        {"varint", "-9223372036854775808", "bigint", "-9223372036854775808"},
        {"bigint", "5", "counter", "5"},
        {"double", "3", "int", "3"},
        {"double", "-9223372036854775808", "bigint", "-9223372036854775808"},
        {"double", "1e23", "varint", "99999999999999991611392"},
        {"double", "0.1", "decimal", "0.1"},
        {"double", "1e23", "decimal", "1E+23"},
        {"float", "0.1", "double", "0.10000000149011612"},
        {"double", "0.1", "float", "0.1"},
        {"double", "NaN", "float", "NaN"},
        {"double", "Infinity", "float", "Infinity"},
        {"decimal", "12.00", "int", "12"},
        {"decimal", "1.2E+3", "smallint", "1200"},
        {"decimal", "0.1", "double", "0.1"},
        {"decimal", "-2.5", "float", "-2.5"},
        {"decimal", "1.00E+20", "varint", "100000000000000000000"},
        {"varint", "12345678901234567890", "decimal", "12345678901234567890"},
        {"varint", "9007199254740993", "double", "9007199254740992"}, /* approximate by name */
        {"bigint", "16777217", "float", "16777216"},
        {"text", "12", "int", "12"},
        {"text", "true", "boolean", "true"},
        {"boolean", "false", "text", "false"},
        {"double", "1", "text", "1"},
        {"timestamp", "2011-02-03T04:05:06.789Z", "date", "2011-02-03"},
        {"timestamp", "1969-12-31T23:59:59.999Z", "date", "1969-12-31"},
        {"timestamp", "1969-12-31T23:59:59.999Z", "bigint", "-1"},
        {"bigint", "1296705906789", "timestamp", "2011-02-03T04:05:06.789Z"},
        {"int", "0", "timestamp", "1970-01-01T00:00:00.000Z"},
        {"date", "2011-02-03", "timestamp", "2011-02-03T00:00:00.000Z"},
        {"date", "-5877641-06-23", "timestamp", "-5877641-06-23T00:00:00.000Z"},
        {"timeuuid", "50554d6e-29bb-11e5-b345-feff819cdc9f", "timestamp",
         "2015-07-14T00:00:18.805Z"},
        {"timeuuid", "50554d6e-29bb-11e5-b345-feff819cdc9f", "date", "2015-07-14"},
        {"timeuuid", "50554d6e-29bb-11e5-b345-feff819cdc9f", "uuid",
         "50554d6e-29bb-11e5-b345-feff819cdc9f"},
        {"uuid", "50554d6e-29bb-11e5-b345-feff819cdc9f", "timeuuid",
         "50554d6e-29bb-11e5-b345-feff819cdc9f"},
        {"list<int>", "[3, 1, 3, 2]", "set<bigint>", "{1, 2, 3}"},
        {"set<int>", "{1, 2}", "list<text>", "['1', '2']"},
        {"map<text, int>", "{'10': 1, '9': 2}", "map<int, text>", "{9: '2', 10: '1'}"},
        {"struct<a int, b text>", "{a: 1, b: '2'}", "struct<b int, a bigint>", "{b: 2, a: 1}"},
        {"tuple<int, text>", "(1, null)", "tuple<text, int>", "('1', null)"},
        {"list<int>", "[1, null]", "list<text>", "['1', null]"},
        {"json", "18511", "text", "18511"},
        {"json", "\"K1 2AB\"", "text", "K1 2AB"},
        {"json", "{\"a\": 1}", "text", "{\"a\": 1}"},
        {"json", "\"12\"", "int", "12"},
        {"json", "12.0", "int", "12"},
        {"json", "[1,2]", "list<int>", "[1, 2]"},
        {"json", "null", "int", "null"},
        {"text", "[1,2]", "json", "[1,2]"},
        {"int", "5", "json", "5"},
        {"uuid", "50554d6e-29bb-11e5-b345-feff819cdc9f", "json",
         "\"50554d6e-29bb-11e5-b345-feff819cdc9f\""},
    };
    struct arena *a = arena_new(MIB(4));
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct diag d = {0};
        struct value v, got;
        const struct type *from = type_named(a, cases[i][0]), *to = type_named(a, cases[i][2]);
        CHECK(type_castable(from, to));
        CHECK_OK(value_from_text(from, slice_of(cases[i][1]), a, &v, &d), &d);
        CHECK_OK(value_cast(&v, to, a, &got, &d), &d);
        CHECK(got.type == to);
        check_shown(a, &got, cases[i][3]);
        CHECK_OK(value_cast(&v, to, a, &v, &d), &d); /* in place */
        CHECK(v.type == to);
    }
    arena_free(a);
}

TEST(a_cast_that_loses_something_says_what)
{
    static const struct {
        const char *from, *text, *to, *what;
        err_t err;
    } cases[] = {
        {"int", "300", "tinyint", "300 does not fit tinyint (-128 to 127)", ERR_RANGE},
        {"double", "1.5", "int", "1.5 is not whole, int was wanted", ERR_CAST},
        {"decimal", "12.01", "bigint", "12.01 is not whole, bigint was wanted", ERR_CAST},
        {"double", "9223372036854775808", "bigint",
         "9223372036854776000 does not fit bigint (-9223372036854775808 to 9223372036854775807)",
         ERR_RANGE},
        {"double", "NaN", "int", "NaN does not fit int (-2147483648 to 2147483647)", ERR_RANGE},
        {"double", "Infinity", "decimal", "Infinity does not fit decimal", ERR_RANGE},
        {"double", "1e300", "float", "1e+300 does not fit float", ERR_RANGE},
        {"decimal", "1E+400", "double", "1E+400 does not fit double", ERR_RANGE},
        {"decimal", "1E+2000000000", "varint", "1E+2000000000 does not fit varint", ERR_RANGE},
        {"decimal", "1E-2000000000", "int", "1E-2000000000 is not whole, int was wanted", ERR_CAST},
        {"text", "12x", "int", "'12x' is not an int: 'x' at character 3", ERR_CAST},
        {"text", "", "uuid", "'' is not a uuid: it is empty", ERR_CAST},
        {"text", "ü", "ascii", "'ü' is not an ascii: 'ü' at character 1", ERR_CAST},
        {"timestamp", "+292278994-08-17T07:12:55.807Z", "date",
         "+292278994-08-17T07:12:55.807Z does not fit date", ERR_RANGE},
        {"uuid", "550e8400-e29b-41d4-a716-446655440000", "timeuuid",
         "550e8400-e29b-41d4-a716-446655440000 is not a timeuuid: its version is not 1", ERR_CAST},
        {"boolean", "true", "int", "boolean can not be cast to int", ERR_TYPE},
        {"timestamp", "0", "int", "timestamp can not be cast to int", ERR_TYPE},
        {"blob", "0x00", "uuid", "blob can not be cast to uuid", ERR_TYPE},
        {"list<int>", "[]", "map<int, int>", "list can not be cast to map", ERR_TYPE},
        {"struct<a int>", "{a: 1}", "struct<b int>", "struct can not be cast to struct", ERR_TYPE},
        {"list<text>", "['1', 'x']", "list<int>", "'x' is not an int: 'x' at character 1",
         ERR_CAST},
        {"list<int>", "[1, null]", "set<int>", "null can not be in a set", ERR_TYPE},
        {"json", "{\"a\":1}", "int", "{\"a\":1} is an object, int was wanted", ERR_TYPE},
        {"json", "true", "int", "true is a boolean, int was wanted", ERR_TYPE},
        {"json", "1.5", "int", "1.5 is not whole, int was wanted", ERR_CAST},
    };
    struct arena *a = arena_new(MIB(4));
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct diag d = {0};
        struct value v, got;
        const struct type *from = type_named(a, cases[i].from), *to = type_named(a, cases[i].to);
        CHECK_OK(value_from_text(from, slice_of(cases[i].text), a, &v, &d), &d);
        CHECK_ERR(value_cast(&v, to, a, &got, &d), cases[i].err);
        CHECK_TEXT(d.what, cases[i].what);
    }
    arena_free(a);
}

TEST(nulls_and_errors_pass_through_a_cast)
{
    struct value v = value_null(type_of(TYPE_INT)), got;
    CHECK_OK(value_cast(&v, type_of(TYPE_TEXT), NULL, &got, NULL), NULL);
    CHECK(got.state == NULL_VALUE && got.type == type_of(TYPE_TEXT));
    v.state = ERROR_VALUE;
    CHECK_OK(value_cast(&v, type_of(TYPE_TEXT), NULL, &got, NULL), NULL);
    CHECK_INT(got.state, ERROR_VALUE);
}

/* A value of each scalar, cast to each other scalar: what the plan allows never ends in "can not be
 * cast", what it forbids always does. */
TEST(the_plan_and_the_values_agree_on_what_can_be_cast)
{
    static const char *const text[TYPE_KINDS] = {"true",
                                                 "1",
                                                 "1",
                                                 "1",
                                                 "1",
                                                 "1",
                                                 "1",
                                                 "1",
                                                 "1",
                                                 "1",
                                                 "1",
                                                 "1",
                                                 "0x01",
                                                 "50554d6e-29bb-11e5-b345-feff819cdc9f",
                                                 "50554d6e-29bb-11e5-b345-feff819cdc9f",
                                                 "1",
                                                 "2011-02-03",
                                                 "1",
                                                 "1s",
                                                 "::1"};
    struct arena *a = arena_new(MIB(4));
    for (int f = 0; f < TYPE_LIST; f++)
        for (int t = 0; t < TYPE_LIST; t++) {
            const struct type *from = type_of((enum type_kind)f), *to = type_of((enum type_kind)t);
            struct value v, got;
            struct diag d = {0};
            CHECK_OK(value_from_text(from, slice_of(text[f]), a, &v, &d), &d);
            err_t e = value_cast(&v, to, a, &got, &d);
            CHECK((e == ERR_TYPE) == !type_castable(from, to));
        }
    arena_free(a);
}

/* --- JSON --------------------------------------------------------------------------------------
 */

TEST(json_is_read_strictly_and_by_cast)
{
    static const struct {
        const char *type, *json, *strict, *cast; /* NULL: refused */
    } cases[] = {
        {"int", "12", "12", "12"},
        {"int", " 12\n", "12", "12"},
        {"int", "1e2", "100", "100"},
        {"int", "12.0", "12", "12"},
        {"int", "\"12\"", NULL, "12"},
        {"int", "1.5", NULL, NULL},
        {"int", "012", NULL, NULL},
        {"int", "3000000000", NULL, NULL},
        {"bigint", "9223372036854775807", "9223372036854775807", "9223372036854775807"},
        {"varint", "123456789012345678901234567890", "123456789012345678901234567890",
         "123456789012345678901234567890"},
        {"decimal", "0.10", "0.10", "0.10"},
        {"double", "1e400", NULL, NULL},
        {"double", "\"NaN\"", "NaN", "NaN"},
        {"double", "\"1\"", NULL, "1"},
        {"text", "18511", NULL, "18511"},
        {"text", "1.50", NULL, "1.50"},
        {"text", "true", NULL, "true"},
        {"text", "\"a\\u00e9\\ud83d\\ude00\\n\"", "aé😀\n", "aé😀\n"},
        {"text", "\"\\ud83d\"", NULL, NULL},
        {"text", "\"\\ude00\"", NULL, NULL},
        {"text", "\"\\x\"", NULL, NULL},
        {"text", "\"a", NULL, NULL},
        {"text", "\"\t\"", NULL, NULL},
        {"text", "\"\xff\"", NULL, NULL},
        {"text", "[1, 2]", NULL, "[1, 2]"},
        {"text", "{\"a\":}", NULL, NULL},
        {"boolean", "true", "true", "true"},
        {"boolean", "\"true\"", NULL, "true"},
        {"boolean", "1", NULL, NULL},
        {"timestamp", "\"2007-07-09T05:51:59.390Z\"", "2007-07-09T05:51:59.390Z",
         "2007-07-09T05:51:59.390Z"},
        {"timestamp", "0", "1970-01-01T00:00:00.000Z", "1970-01-01T00:00:00.000Z"},
        {"date", "5", NULL, NULL},
        {"list<int>", "[1,null,3]", "[1, null, 3]", "[1, null, 3]"},
        {"list<int>", "[1,\"2\"]", NULL, "[1, 2]"},
        {"list<int>", "[1,]", NULL, NULL},
        {"list<int>", "{}", NULL, NULL},
        {"set<text>", "[\"b\",\"a\",\"b\"]", "{'a', 'b'}", "{'a', 'b'}"},
        {"set<text>", "[null]", NULL, NULL},
        {"map<int, text>", "{\"2\":\"b\",\"1\":\"a\",\"2\":\"c\"}", "{1: 'a', 2: 'c'}",
         "{1: 'a', 2: 'c'}"},
        {"map<text, int>", "{}", "{}", "{}"},
        {"map<text, int>", "[]", NULL, NULL},
        {"tuple<int, text>", "[1]", "(1, null)", "(1, null)"},
        {"tuple<int, text>", "[1,\"a\",2]", NULL, NULL},
        {"struct<a int, b text>", "{\"b\":\"x\",\"other\":[{\"a\":9}],\"a\":1,\"b\":\"y\"}",
         "{a: 1, b: 'y'}", "{a: 1, b: 'y'}"},
        {"struct<a int>", "{\"a\":\"1\"}", NULL, "{a: 1}"},
        {"struct<s struct<n int>, l list<struct<m text>>>",
         "{\"s\":{\"n\":1},\"l\":[{\"m\":\"q\"},null,{}]}",
         "{s: {n: 1}, l: [{m: 'q'}, null, {m: null}]}",
         "{s: {n: 1}, l: [{m: 'q'}, null, {m: null}]}"},
        {"json", " {\"a\" : [1, 2]} ", "{\"a\" : [1, 2]}", "{\"a\" : [1, 2]}"},
        {"json", "[1,2", NULL, NULL},
        {"int", "1 2", NULL, NULL},
        {"int", "", NULL, NULL},
        {"int", "nul", NULL, NULL},
    };
    struct arena *a = arena_new(MIB(4));
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        for (int cast = 0; cast < 2; cast++) {
            const char *want = cast ? cases[i].cast : cases[i].strict;
            struct diag d = {0};
            struct value v;
            struct slice json = arena_slice(a, slice_of(cases[i].json));
            err_t e = value_from_json(type_named(a, cases[i].type), json, cast, a, &v, &d);
            if ((e == ERR_OK) != (want != NULL))
                test_failed(__FILE__, __LINE__, "%s from %s, cast %d, answers %s (%s)",
                            cases[i].type, cases[i].json, cast, err_name(e), d.what);
            else if (want)
                check_shown(a, &v, want);
        }
    arena_free(a);
}

TEST(json_is_written_so_that_nothing_is_lost)
{
    static const char *const cases[][3] = {
        {"bigint", "9223372036854775807", "9223372036854775807"},
        {"decimal", "1E+5", "1E+5"},
        {"double", "-Infinity", "\"-Infinity\""},
        {"double", "0.1", "0.1"},
        {"text", "a\"\\\n\x01é", "\"a\\\"\\\\\\n\\u0001é\""},
        {"blob", "0x00ff", "\"0x00ff\""},
        {"timestamp", "0", "\"1970-01-01T00:00:00.000Z\""},
        {"map<int, boolean>", "{1: true}", "{\"1\":true}"},
        {"struct<a int, b list<text>>", "{b: ['x', null]}", "{\"a\":null,\"b\":[\"x\",null]}"},
        {"tuple<int, inet>", "(1, '::1')", "[1,\"::1\"]"},
    };
    struct arena *a = arena_new(MIB(4));
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct buf b = buf_make(KIB(4));
        struct diag d = {0};
        struct value v;
        CHECK_OK(value_from_text(type_named(a, cases[i][0]), slice_of(cases[i][1]), a, &v, &d), &d);
        value_to_json(&v, &b);
        CHECK_TEXT(buf_cstr(&b), cases[i][2]);
        buf_done(&b);
    }
    arena_free(a);
}

TEST(a_wrong_value_deep_inside_json_is_told_with_the_way_to_it)
{
    static const char *const cases[][4] = {
        {"struct<s struct<n int>, l list<struct<m text>>>",
         "{\"l\":[{},{\"m\":1}],\"s\":{\"n\":1}}", "1 is a number, text was wanted", "at l[1].m"},
        {"map<text, list<int>>", "{\"a\":[1],\"b c\":[1,2,true]}",
         "true is a boolean, int was wanted", "at b c[2]"},
        {"map<int, int>", "{\"x\":1}", "'x' is not an int: 'x' at character 1", "at x"},
        {"list<list<int>>", "[[1],2]", "2 is a number, list was wanted", "at [1]"},
        {"list<int>", "3", "3 is a number, list was wanted", ""},
    };
    struct arena *a = arena_new(MIB(4));
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct diag d = {0};
        struct value v;
        CHECK(value_from_json(type_named(a, cases[i][0]), slice_of(cases[i][1]), false, a, &v, &d));
        CHECK_TEXT(d.what, cases[i][2]);
        CHECK_TEXT(d.where, cases[i][3]);
    }
    arena_free(a);
}

TEST(json_of_any_depth_is_refused_not_followed)
{
    struct arena *a = arena_new(MIB(4));
    struct buf b = buf_make(MIB(1));
    struct value v;
    for (int i = 0; i < 100000; i++) buf_char(&b, '[');
    CHECK_ERR(value_from_json(type_of(TYPE_JSON), buf_view(&b), false, a, &v, NULL), ERR_TOO_DEEP);
    CHECK_ERR(value_from_json(type_named(a, "struct<a int>"), buf_view(&b), true, a, &v, NULL),
              ERR_TOO_DEEP);
    buf_done(&b);
    arena_free(a);
}

/* The n-th request for memory fails, n = 1, 2, … until the work is done: refused each time. */
static uint64_t failures_until_done(err_t (*work)(struct arena *a))
{
    for (uint64_t n = 1;; n++) {
        struct arena *a = arena_new(MIB(1));
        mem_fail_at(n);
        err_t e = work(a);
        mem_fail_at(0);
        arena_free(a);
        if (e == ERR_OK) return n - 1;
        CHECK_ERR(e, ERR_NO_MEMORY);
    }
}

static struct arena *fail_types;
static const struct type *fail_type;

static err_t work_text(struct arena *a)
{
    struct value v;
    return value_from_text(fail_type, SLICE("{'a': [1.5, 2], 'b': [], 'c''d': [null]}"), a, &v,
                           NULL);
}

static err_t work_json(struct arena *a)
{
    struct value v;
    return value_from_json(fail_type, SLICE("{\"b\":[1.5],\"\\u0061\":[2,3]}"), true, a, &v, NULL);
}

static err_t work_cast(struct arena *a)
{
    struct value v;
    const struct type *to = NULL;
    err_t e = value_from_text(fail_type, SLICE("{'7': [1.5, 2], '6': []}"), a, &v, NULL);
    if (!e) e = type_parse(SLICE("map<int, list<text>>"), a, &to, NULL);
    if (!e) e = value_cast(&v, to, a, &v, NULL);
    if (!e) e = value_canonical(&v, a, &v, NULL);
    return e ? e : value_cast(&v, type_of(TYPE_TEXT), a, &v, NULL);
}

TEST(without_memory_every_reader_says_so)
{
    fail_types = arena_new(MIB(1));
    fail_type = type_named(fail_types, "map<text, frozen<list<decimal>>>");
    CHECK(failures_until_done(work_text) > 3);
    CHECK(failures_until_done(work_json) > 3);
    CHECK(failures_until_done(work_cast) > 6);
    arena_free(fail_types);
}
