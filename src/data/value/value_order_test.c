/* Order: lists of values as Cassandra's comparators sort them, each against each. */
#include "data/value/value_int.h"
#include "test.h"

#include "base/hash.h"

/* A line's values stand in their order, separated by '|'. Where they come from: UUIDType and
 * TimeUUIDType (versions first, time before bytes, a timeuuid's second half as signed bytes),
 * DoubleType (Double.compare), InetAddressType and SimpleDateType (unsigned bytes), IntegerType and
 * DecimalType (numbers), ListType, MapType and TupleType (item by item, null first, shorter first).
 */
static const char *const lines[][2] = {
    {"boolean", "false|true"},
    {"tinyint", "-128|-1|0|1|127"},
    {"bigint", "-9223372036854775808|-1|0|9223372036854775807"},
    {"double", "-Infinity|-1.5|-0|0|5e-324|1|Infinity|NaN"},
    {"float", "-Infinity|-1.5|-0|0|1e-45|1|Infinity|NaN"},
    {"varint", "-123456789012345678901|-32769|-32768|-129|-128|-1|0|1|127|128|255|256|"
               "123456789012345678901"},
    {"decimal", "-1E+10|-10|-9.99|-1E-10|0|1E-2000000000|1E-10|0.999|1.0001|9.99|10|1E+10|"
                "1E+2000000000"},
    {"text", "|a|a\x01|ab|b|é|日|😀"},
    {"blob", "0x|0x00|0x0000|0x01|0x7f|0x80|0xff"},
    {"timestamp", "1969-12-31T23:59:59.999Z|1970-01-01|2011-02-03"},
    {"date", "-5877641-06-23|1969-12-31|1970-01-01|+5881580-07-11"},
    {"time", "00:00:00|00:00:00.000000001|23:59:59"},
    {"inet", "0.0.0.0|::|1.2.3.4|2001:db8::1|127.0.0.1|255.255.255.255"},
    /* versions 1, 3, 4; version 1 by time (its low part stands first in the text) */
    {"uuid", "00000000-0000-0000-0000-000000000000|ffffffff-0000-1000-8000-000000000000|"
             "00000000-0001-1000-8000-000000000000|00000000-0000-1001-8000-000000000000|"
             "00000000-0000-1001-8000-000000000001|00000000-0000-1001-ff00-000000000000|"
             "00000000-0000-3000-8000-000000000000|00000000-0000-4000-8000-000000000000|"
             "80000000-0000-4000-8000-000000000000"},
    {"timeuuid", "ffffffff-0000-1000-8000-000000000000|00000000-0001-1000-8000-000000000000|"
                 "00000000-0000-1001-8000-000000000080|00000000-0000-1001-8000-000000000000|"
                 "00000000-0000-1001-8000-00000000007f|00000000-0000-1001-ff00-000000000000|"
                 "00000000-0000-1001-0000-000000000000|00000000-0000-1001-7f00-000000000000"},
    {"list<int>", "[]|[null]|[-1]|[1]|[1, 2]|[2]"},
    {"map<text, int>", "{}|{'a': 1}|{'a': 1, 'b': 0}|{'a': 2}|{'b': 0}"},
    {"tuple<int, text>", "(null, 'z')|(1, null)|(1, '')|(1, 'a')|(2, null)"},
    {"struct<a int, b decimal>", "{b: 1}|{a: 1}|{a: 1, b: 1.5}|{a: 1, b: 10}"},
};

enum { VALUES_MAX = 16 };

static int read_line(struct arena *a, const struct type *t, const char *line, struct value *values)
{
    int count = 0;
    for (const char *at = line; at; count++) {
        const char *end = strchr(at, '|');
        struct slice text = slice_make(at, end ? (size_t)(end - at) : strlen(at));
        struct diag d = {0};
        CHECK_OK(value_from_text(t, text, a, &values[count], &d), &d);
        at = end ? end + 1 : NULL;
    }
    return count;
}

TEST(values_are_ordered_as_cassandra_orders_them)
{
    struct arena *a = arena_new(MIB(1));
    for (size_t l = 0; l < COUNT_OF(lines); l++) {
        struct value values[VALUES_MAX];
        const struct type *t = NULL;
        CHECK_OK(type_parse(slice_of(lines[l][0]), a, &t, NULL), NULL);
        int count = read_line(a, t, lines[l][1], values);
        for (int i = 0; i < count; i++)
            for (int j = 0; j < count; j++) {
                int c = value_compare(&values[i], &values[j]);
                if ((c > 0) - (c < 0) != (i > j) - (i < j))
                    test_failed(__FILE__, __LINE__, "%s: values %d and %d of the line give %d",
                                lines[l][0], i + 1, j + 1, c);
                if ((value_hash(&values[i]) == value_hash(&values[j])) != (i == j))
                    test_failed(__FILE__, __LINE__, "%s: hashes of %d and %d", lines[l][0], i + 1,
                                j + 1);
            }
    }
    arena_free(a);
}

static const struct pair {
    const char *type, *a, *b;
    int order;
} pairs_of_cassandra[] = {
#include "data/value/value_order_vectors.inc"
};

static struct value value_of_hex(struct arena *a, const struct type *t, const char *hex)
{
    struct value v;
    struct diag d = {0};
    size_t len = strlen(hex) / 2;
    uint8_t *bytes = arena_take_raw(a, len + 1);
    CHECK(parse_hex(slice_of(hex), bytes, len));
    CHECK_OK(value_from_binary(t, slice_make(bytes, len), &v, &d), &d);
    return v;
}

TEST(pairs_are_ordered_as_cassandras_own_code_does)
{
    struct arena *a = arena_new(MIB(1));
    for (size_t i = 0; i < COUNT_OF(pairs_of_cassandra); i++) {
        const struct pair *p = &pairs_of_cassandra[i];
        const struct type *t = NULL;
        CHECK_OK(type_parse(slice_of(p->type), a, &t, NULL), NULL);
        struct value x = value_of_hex(a, t, p->a), y = value_of_hex(a, t, p->b);
        int there = value_compare(&x, &y), back = value_compare(&y, &x);
        if ((there > 0) - (there < 0) != p->order || (back > 0) - (back < 0) != -p->order)
            test_failed(__FILE__, __LINE__, "%s: %s and %s give %d", p->type, p->a, p->b, there);
    }
    arena_free(a);
}

TEST(equal_values_with_other_bytes_have_one_hash)
{
    static const char *const pairs[][3] = {
        {"decimal", "1.0", "1.000"},          {"decimal", "0", "0.00"},
        {"decimal", "100", "1E+2"},           {"double", "NaN", "-NaN"},
        {"list<decimal>", "[1.50]", "[1.5]"},
    };
    struct arena *a = arena_new(MIB(1));
    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        const struct type *t = NULL;
        struct value x, y;
        CHECK_OK(type_parse(slice_of(pairs[i][0]), a, &t, NULL), NULL);
        CHECK_OK(value_from_text(t, slice_of(pairs[i][1]), a, &x, NULL), NULL);
        CHECK_OK(value_from_text(t, slice_of(pairs[i][2]), a, &y, NULL), NULL);
        CHECK_INT(value_compare(&x, &y), 0);
        CHECK(value_hash(&x) == value_hash(&y));
    }
    arena_free(a);
}

/* Kept on disk and sent between machines: it may never change. */
TEST(a_hash_is_the_same_on_every_machine)
{
    struct value t = value_text(SLICE("sluice")), i = value_i64(TYPE_INT, -2);
    struct value big = value_i64(TYPE_BIGINT, -2), n = value_null(type_of(TYPE_TEXT));
    CHECK(value_hash(&i) == value_hash(&big));
    CHECK(value_hash(&t) != value_hash(&n));
    CHECK_INT(value_hash(&t), 9084615177324226845);
    CHECK_INT(value_hash(&i), 8645101703549425753);
    CHECK_INT(value_hash(&n), -7038654058147714724);
}
