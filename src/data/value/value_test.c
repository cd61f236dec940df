/* Values: the three forms held against vectors of Cassandra's own Python driver, every truncation
 * refused, and random values through binary, text and JSON and back. */
#include "data/value/value_int.h"
#include "test.h"

#include "base/hash.h"

static const struct vector {
    const char *type, *text, *hex, *shown;
} vectors[] = {
#include "data/value/value_vectors.inc"
};

static struct slice from_hex(struct arena *a, const char *hex)
{
    uint32_t len = (uint32_t)strlen(hex) / 2;
    uint8_t *bytes = arena_take_raw(a, len + 1);
    CHECK(parse_hex(slice_of(hex), bytes, len));
    return slice_make(bytes, len);
}

static const struct type *type_named(struct arena *a, const char *text)
{
    const struct type *t = NULL;
    struct diag d = {0};
    CHECK_OK(type_parse(slice_of(text), a, &t, &d), &d);
    return t;
}

static void check_bytes(const struct vector *v, const struct value *got, struct slice want)
{
    struct buf b = buf_make(MIB(1)), hex = buf_make(MIB(1));
    value_to_binary(got, &b);
    put_hex(&hex, b.at, b.len);
    if (!slice_equal(buf_view(&b), want))
        test_failed(__FILE__, __LINE__, "%s %s is %s, not %s", v->type, v->text, buf_cstr(&hex),
                    v->hex);
    buf_done(&b);
    buf_done(&hex);
}

static void check_text(const struct vector *v, const struct value *got)
{
    struct buf b = buf_make(MIB(1));
    value_to_text(got, &b);
    CHECK_TEXT(buf_cstr(&b), v->shown ? v->shown : v->text);
    buf_done(&b);
}

TEST(text_and_bytes_are_those_of_the_cassandra_driver)
{
    struct arena *a = arena_new(MIB(8));
    for (size_t i = 0; i < COUNT_OF(vectors); i++) {
        const struct vector *v = &vectors[i];
        const struct type *t = type_named(a, v->type);
        struct slice bytes = from_hex(a, v->hex);
        struct diag d = {0};
        struct value got;
        CHECK_OK(value_from_text(t, slice_of(v->text), a, &got, &d), &d);
        check_bytes(v, &got, bytes);
        CHECK_OK(value_from_binary(t, bytes, &got, &d), &d);
        check_text(v, &got);
        check_bytes(v, &got, bytes);
    }
    arena_free(a);
}

/* Text and blobs may be cut anywhere; a tuple may be cut between its fields. */
static bool may_be_cut(const struct type *t, struct slice cut)
{
    enum type_kind k = t->kind;
    if (k == TYPE_TEXT || k == TYPE_ASCII || k == TYPE_BLOB) return true;
    if (k == TYPE_VARINT) return cut.len > 0;
    if (k == TYPE_DECIMAL) return cut.len > 4;
    if (k == TYPE_INET) return cut.len == 4;
    if (k != TYPE_TUPLE && k != TYPE_STRUCT) return false;
    struct cursor c = cursor_of(cut);
    while (cursor_left(&c) && !c.err) {
        int32_t len = cursor_i32(&c);
        cursor_slice(&c, len < 0 ? 0 : (uint64_t)len);
    }
    return c.err == ERR_OK;
}

TEST(every_truncation_of_bytes_is_refused)
{
    struct arena *a = arena_new(MIB(8));
    for (size_t i = 0; i < COUNT_OF(vectors); i++) {
        const struct type *t = type_named(a, vectors[i].type);
        struct slice bytes = from_hex(a, vectors[i].hex);
        for (uint32_t len = 0; len < bytes.len; len++) {
            struct value got;
            struct slice cut = arena_slice(a, slice_make(bytes.at, len)); /* for the sanitizer */
            err_t e = value_from_binary(t, cut, &got, NULL);
            if (may_be_cut(t, cut)) continue;
            if (e == ERR_OK)
                test_failed(__FILE__, __LINE__, "%s %s is taken with %u bytes", vectors[i].type,
                            vectors[i].text, len);
        }
        struct slice longer = arena_slice(a, slice_make(bytes.at, bytes.len));
        enum type_kind k = t->kind;
        ((uint8_t *)(uintptr_t)longer.at)[bytes.len] = 0x00; /* arena_slice leaves one byte more */
        longer.len++;
        struct value got;
        if (!(k == TYPE_TEXT || k == TYPE_ASCII || k == TYPE_BLOB || k == TYPE_VARINT ||
              k == TYPE_DECIMAL))
            CHECK(value_from_binary(t, longer, &got, NULL) != ERR_OK);
    }
    arena_free(a);
}

TEST(bytes_that_are_no_value_are_refused)
{
    static const struct {
        const char *type, *hex, *what;
        err_t err;
    } cases[] = {
        {"int", "", "bytes are not an int: it has 4 bytes, not 0", ERR_MALFORMED},
        {"text", "61c328", "text is not UTF-8 at byte 2 (0xc3)", ERR_BAD_UTF8},
        {"text", "eda080", "text is not UTF-8 at byte 1 (0xed)", ERR_BAD_UTF8},
        {"text", "c0af", "text is not UTF-8 at byte 1 (0xc0)", ERR_BAD_UTF8},
        {"text", "f4908080", "text is not UTF-8 at byte 1 (0xf4)", ERR_BAD_UTF8},
        {"ascii", "6180", "text is not ASCII at byte 2 (0x80)", ERR_BAD_UTF8},
        {"timeuuid", "550e8400e29b41d4a716446655440000",
         "bytes are not a timeuuid: its UUID is not of version 1", ERR_MALFORMED},
        {"time", "00004e94914f0000",
         "bytes are not a time: nanoseconds of a day go from 0 to 86399999999999", ERR_MALFORMED},
        {"time", "ffffffffffffffff",
         "bytes are not a time: nanoseconds of a day go from 0 to 86399999999999", ERR_MALFORMED},
        {"duration", "010200",
         "bytes are not a duration: months, days and nanoseconds must be of one sign",
         ERR_MALFORMED},
        {"duration", "f8ffffffff000000",
         "bytes are not a duration: months and days are 32-bit numbers", ERR_MALFORMED},
        {"duration", "00000000", "bytes are not a duration: bytes are left over", ERR_MALFORMED},
        {"inet", "0102030405", "bytes are not an inet: it has 4 or 16 bytes", ERR_MALFORMED},
        {"list<int>", "ffffffff", "bytes are not a list: its count is negative", ERR_MALFORMED},
        {"list<int>", "7fffffff", "a nested value ends too early", ERR_MALFORMED},
        {"list<int>", "000000017fffffff00", "a nested value ends too early", ERR_MALFORMED},
        {"list<int>", "0000000100000003010203", "bytes are not an int: it has 4 bytes, not 3",
         ERR_MALFORMED},
        {"set<int>", "00000001ffffffff", "a key of a set or map is null", ERR_MALFORMED},
        {"map<int, int>", "00000001ffffffffffffffff", "a key of a set or map is null",
         ERR_MALFORMED},
        {"tuple<int>", "ffffffffffffffff",
         "bytes are not a tuple: it has more fields than the type", ERR_MALFORMED},
    };
    struct arena *a = arena_new(MIB(1));
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct diag d = {0};
        struct value v;
        const struct type *t = type_named(a, cases[i].type);
        CHECK_ERR(value_from_binary(t, from_hex(a, cases[i].hex), &v, &d), cases[i].err);
        CHECK_TEXT(d.what, cases[i].what);
        CHECK_INT(v.state, NULL_VALUE);
    }
    arena_free(a);
}

TEST(text_that_is_no_value_is_refused_with_its_place)
{
    static const struct {
        const char *type, *text, *what;
        err_t err;
    } cases[] = {
        {"int", "12x", "'12x' is not an int: 'x' at character 3", ERR_CAST},
        {"int", "", "'' is not an int: it is empty", ERR_CAST},
        {"int", "-", "'-' is not an int: it ends too early", ERR_CAST},
        {"int", "grün", "'grün' is not an int: 'g' at character 1", ERR_CAST},
        {"uuid", "550e8400-e29b-41d4-a716-44665544000ü",
         "'550e8400-e29b-41d4-a716-44665544000ü' is not a uuid: 'ü' at character 36", ERR_CAST},
        {"uuid", "550e8400e29b41d4a716446655440000",
         "'550e8400e29b41d4a716446655440000' is not a uuid: 'e' at character 9", ERR_CAST},
        {"tinyint", "300", "300 does not fit tinyint (-128 to 127)", ERR_RANGE},
        {"int", "2147483648", "2147483648 does not fit int (-2147483648 to 2147483647)", ERR_RANGE},
        {"bigint", "99999999999999999999",
         "99999999999999999999 does not fit bigint (-9223372036854775808 to 9223372036854775807)",
         ERR_RANGE},
        {"double", "0x10", "'0x10' is not a double: 'x' at character 2", ERR_CAST},
        {"double", "1e400", "1e400 does not fit double", ERR_RANGE},
        {"double", "nan(1)", "'nan(1)' is not a double: 'n' at character 1", ERR_CAST},
        {"float", "1.", NULL, ERR_OK},
        {"float", "3.5e38", "3.5e38 does not fit float", ERR_RANGE},
        {"varint", "1.0", "'1.0' is not a varint: '.' at character 2", ERR_CAST},
        {"decimal", "1e", "'1e' is not a decimal: it ends too early", ERR_CAST},
        {"decimal", "1e2147483649", "1e2147483649 does not fit decimal", ERR_RANGE},
        {"boolean", "yes", "'yes' is not a boolean: it is neither true nor false", ERR_CAST},
        {"blob", "ff", "'ff' is not a blob: it does not begin with 0x", ERR_CAST},
        {"blob", "0xf", "'0xf' is not a blob: it has an odd number of digits", ERR_CAST},
        {"blob", "0xfg", "'0xfg' is not a blob: 'g' at character 4", ERR_CAST},
        {"ascii", "gr\xc3\xbcn", "'grün' is not an ascii: 'ü' at character 3", ERR_CAST},
        {"text", "a\xff", "'a?' is not UTF-8 at byte 2 (0xff)", ERR_BAD_UTF8},
        {"timestamp", "2011-02-30", "'2011-02-30' is not a timestamp: no such day in that month",
         ERR_CAST},
        {"timestamp", "2011-02", "'2011-02' is not a timestamp: it ends too early", ERR_CAST},
        {"timestamp", "2011-02-03 24:00",
         "'2011-02-03 24:00' is not a timestamp: hours go from 00 to 23", ERR_CAST},
        {"timestamp", "2011-02-03 04:05 CET",
         "'2011-02-03 04:05 CET' is not a timestamp: of time zones' names only UTC, GMT and Z are "
         "read: write an offset such as +0100",
         ERR_CAST},
        {"timestamp", "yesterday", "'yesterday' is not a timestamp: 'y' at character 1", ERR_CAST},
        {"timestamp", "+292278994-08-17T07:12:55.808Z",
         "'+292278994-08-17T07:12:55.808Z' is not a timestamp: it is outside the years that 64 "
         "bits of milliseconds reach",
         ERR_CAST},
        {"date", "20240131", "'20240131' is not a date: it ends too early", ERR_CAST},
        {"date", "2023-02-29", "'2023-02-29' is not a date: no such day in that month", ERR_CAST},
        {"date", "+5881580-07-12",
         "'+5881580-07-12' is not a date: it is outside -5877641-06-23 to +5881580-07-11",
         ERR_CAST},
        {"time", "25:00:00", "'25:00:00' is not a time: hours go from 00 to 23", ERR_CAST},
        {"time", "12:00", "'12:00' is not a time: it ends too early", ERR_CAST},
        {"duration", "1h2d",
         "'1h2d' is not a duration: units go from years to nanoseconds, each once", ERR_CAST},
        {"duration", "5x", "'5x' is not a duration: 'x' at character 2", ERR_CAST},
        {"duration", "", "'' is not a duration: it is empty", ERR_CAST},
        {"inet", "1.2.3", "'1.2.3' is not an inet: it is neither an IPv4 nor an IPv6 address",
         ERR_CAST},
        {"timeuuid", "550e8400-e29b-41d4-a716-446655440000",
         "'550e8400-e29b-41d4-a716-446655440000' is not a timeuuid: its version is not 1",
         ERR_CAST},
        {"list<int>", "[1, 2", "'[1, 2' is not a list: it ends too early", ERR_CAST},
        {"list<int>", "[1 2]", "'1 2' is not an int: ' ' at character 2", ERR_CAST},
        {"list<int>", "[1, x]", "'x' is not an int: 'x' at character 1", ERR_CAST},
        {"list<int>", "[1],", "'[1],' is not a list: ',' at character 4", ERR_CAST},
        {"set<int>", "{null}", "'{null}' is not a set: null can not be a key", ERR_CAST},
        {"struct<a int>", "{b: 1}", "'{b: 1}' is not a struct: it has no field 'b'", ERR_CAST},
        {"struct<a int>", "{a: 1, a: 2}", "'{a: 1, a: 2}' is not a struct: it has a field twice",
         ERR_CAST},
        {"struct<a int, b int>", "{a: 1 b: 2}", "'1 b: 2' is not an int: ' ' at character 2",
         ERR_CAST},
        {"tuple<int>", "(1, 2)", "'(1, 2)' is not a tuple: a tuple in it has too many fields",
         ERR_CAST},
        {"timestamp", "9223372036854775808",
         "'9223372036854775808' is not a timestamp: more milliseconds than 64 bits hold", ERR_CAST},
        {"date", "4294967296", "'4294967296' is not a date: more days than 32 bits hold", ERR_CAST},
        {"time", "-1", "'-1' is not a time: nanoseconds of a day go from 0 to 86399999999999",
         ERR_CAST},
        {"duration", "99999999999999999999s",
         "'99999999999999999999s' is not a duration: a number in it is too big", ERR_CAST},
        {"duration", "2147483648d",
         "'2147483648d' is not a duration: months and days are 32-bit numbers, nanoseconds a "
         "64-bit one",
         ERR_CAST},
        {"duration", "2562048h",
         "'2562048h' is not a duration: months and days are 32-bit numbers, nanoseconds a 64-bit "
         "one",
         ERR_CAST},
        {"duration", "P1H", "'P1H' is not a duration: 'H' at character 3", ERR_CAST},
        {"json", "{\"a\":}", "'{\"a\":}' is not JSON: no value at byte 6", ERR_BAD_JSON},
    };
    struct arena *a = arena_new(MIB(1));
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct diag d = {0};
        struct value v;
        const struct type *t = type_named(a, cases[i].type);
        CHECK_ERR(value_from_text(t, slice_of(cases[i].text), a, &v, &d), cases[i].err);
        if (cases[i].what) CHECK_TEXT(d.what, cases[i].what);
    }
    arena_free(a);
}

TEST(ten_thousand_digits_are_read_and_one_more_is_not)
{
    struct arena *a = arena_new(MIB(4));
    struct buf text = buf_make(KIB(64)), back = buf_make(KIB(64)), bytes = buf_make(KIB(64));
    static const enum type_kind kinds[] = {TYPE_VARINT, TYPE_DECIMAL};
    for (size_t k = 0; k < COUNT_OF(kinds); k++) {
        struct value v, again;
        struct diag d = {0};
        buf_reset(&text);
        buf_reset(&back);
        buf_reset(&bytes);
        buf_char(&text, '-');
        for (int i = 0; i < NUMBER_DIGITS_MAX; i++) buf_char(&text, '9');
        CHECK_OK(value_from_text(type_of(kinds[k]), buf_view(&text), a, &v, &d), &d);
        value_to_text(&v, &back);
        CHECK(slice_equal(buf_view(&back), buf_view(&text)));
        value_to_binary(&v, &bytes);
        CHECK_OK(value_from_binary(v.type, buf_view(&bytes), &again, &d), &d);
        CHECK_INT(value_compare(&v, &again), 0);
        buf_char(&text, '9');
        CHECK_ERR(value_from_text(type_of(kinds[k]), buf_view(&text), a, &v, &d), ERR_TOO_BIG);
        for (int i = 0; i < 4; i++) buf_char(&bytes, 0);
        CHECK_ERR(value_from_binary(v.type, buf_view(&bytes), &again, &d), ERR_TOO_BIG);
    }
    buf_done(&text);
    buf_done(&back);
    buf_done(&bytes);
    arena_free(a);
}

/* Cassandra takes what is longer than needed; so do we, and it is the same value. */
TEST(needless_bytes_change_nothing)
{
    struct arena *a = arena_new(MIB(1));
    struct value v, w;
    CHECK_OK(value_from_binary(type_of(TYPE_VARINT), from_hex(a, "ffffff80"), &v, NULL), NULL);
    CHECK_INT(v.bytes.len, 1);
    CHECK_OK(value_from_binary(type_of(TYPE_DECIMAL), from_hex(a, "00000002000000a0"), &v, NULL),
             NULL);
    CHECK_OK(value_from_text(type_of(TYPE_DECIMAL), SLICE("1.6"), a, &w, NULL), NULL);
    CHECK_INT(value_compare(&v, &w), 0);
    CHECK(value_hash(&v) == value_hash(&w));
    CHECK_OK(value_canonical(&v, a, &w, NULL), NULL);
    CHECK(slice_equal(w.bytes, from_hex(a, "0000000200a0")));
    arena_free(a);
}

TEST(what_a_peer_sends_unsorted_becomes_canonical)
{
    struct arena *a = arena_new(MIB(1));
    struct value v, w;
    const struct type *t = type_named(a, "map<int, set<int>>");
    /* {2: {1}, 1: {3, 1, 3}, 2: {}} */
    struct slice sent =
        from_hex(a, "00000003"
                    "0000000400000002"
                    "0000000c000000010000000400000001"
                    "0000000400000001"
                    "0000001c00000003000000040000000300000004000000010000000400000003"
                    "0000000400000002"
                    "0000000400000000");
    CHECK_OK(value_from_binary(t, sent, &v, NULL), NULL);
    CHECK_OK(value_canonical(&v, a, &w, NULL), NULL);
    struct buf text = buf_make(KIB(1));
    value_to_text(&w, &text);
    CHECK_TEXT(buf_cstr(&text), "{1: {1, 3}, 2: {}}");
    buf_done(&text);
    arena_free(a);
}

TEST(inside_nested_values)
{
    struct arena *a = arena_new(MIB(1));
    struct value v, item, key = value_text(SLICE("b"));
    CHECK_OK(value_from_text(type_named(a, "map<text, int>"), SLICE("{a: 1, b: 2}"), a, &v, NULL),
             NULL);
    CHECK_INT(value_count(&v), 2);
    CHECK(value_map_get(&v, &key, &item) && item.integer == 2);
    key = value_text(SLICE("c"));
    CHECK(!value_map_get(&v, &key, &item));
    CHECK_OK(value_from_text(type_named(a, "struct<x int, y text>"), SLICE("{y: q}"), a, &v, NULL),
             NULL);
    CHECK(value_field(&v, SLICE("y"), &item) && slice_is(item.bytes, "q"));
    CHECK(value_field(&v, SLICE("x"), &item) && item.state == NULL_VALUE);
    CHECK(!value_field(&v, SLICE("z"), &item));
    CHECK_OK(value_from_text(type_named(a, "list<int>"), SLICE("[7, null, 9]"), a, &v, NULL), NULL);
    CHECK(value_item(&v, 2, &item) && item.integer == 9);
    CHECK(value_item(&v, 1, &item) && item.state == NULL_VALUE);
    CHECK(!value_item(&v, 3, &item) && !value_item(&v, -1, &item));
    struct value parts[] = {value_i64(TYPE_INT, 3), value_i64(TYPE_INT, 1), value_i64(TYPE_INT, 3)};
    CHECK_OK(value_make(type_named(a, "set<int>"), parts, 3, a, &v, NULL), NULL);
    CHECK_INT(value_count(&v), 2);
    CHECK(value_item(&v, 0, &item) && item.integer == 1);
    parts[1] = value_null(type_of(TYPE_INT));
    CHECK_ERR(value_make(type_named(a, "set<int>"), parts, 3, a, &v, NULL), ERR_TYPE);
    CHECK_ERR(value_make(type_named(a, "list<bigint>"), parts, 3, a, &v, NULL), ERR_TYPE);
    CHECK_ERR(value_make(type_named(a, "tuple<int>"), parts, 3, a, &v, NULL), ERR_TYPE);
    arena_free(a);
}

/* Types are made by hand here: type_parse would refuse one that is as deep as this. */
TEST(a_value_deeper_than_a_type_may_be_is_refused)
{
    enum { LEVELS = TYPE_DEPTH_MAX + 2 };
    struct type levels[LEVELS];
    const struct type *items[LEVELS];
    struct arena *a = arena_new(MIB(1));
    struct buf text = buf_make(KIB(1)), bytes = buf_make(KIB(1));
    struct value v;
    for (int i = 0; i < LEVELS; i++) {
        items[i] = i ? &levels[i - 1] : type_of(TYPE_INT);
        levels[i] = (struct type){.kind = TYPE_LIST, .count = 1, .items = &items[i]};
        buf_char(&text, '[');
    }
    for (int i = 0; i < LEVELS; i++) buf_char(&text, ']');
    for (int i = LEVELS; i-- > 1;) {
        buf_be(&bytes, 1, 4);
        buf_be(&bytes, 8 * (uint64_t)i - 4, 4);
    }
    buf_be(&bytes, 0, 4);
    const struct type *deep = &levels[LEVELS - 1];
    CHECK_ERR(value_from_text(deep, buf_view(&text), a, &v, NULL), ERR_TOO_DEEP);
    CHECK_ERR(value_from_json(deep, buf_view(&text), false, a, &v, NULL), ERR_TOO_DEEP);
    CHECK_ERR(value_from_binary(deep, buf_view(&bytes), &v, NULL), ERR_TOO_DEEP);
    buf_done(&text);
    buf_done(&bytes);
    arena_free(a);
}

TEST(values_of_c_numbers)
{
    struct value f = value_f64(2.5), b = value_bool(true);
    CHECK(f.type == type_of(TYPE_DOUBLE) && f.state == VALID_VALUE && f.f64 == 2.5);
    CHECK(b.type == type_of(TYPE_BOOLEAN) && b.state == VALID_VALUE && b.boolean);
}

/* --- random values -----------------------------------------------------------------------------
 */

static struct value random_value(const struct type *t, struct arena *a, uint64_t *seed);

static struct slice random_bytes(struct arena *a, uint64_t *seed, uint32_t len)
{
    uint8_t *at = arena_take_raw(a, len + 1);
    for (uint32_t i = 0; i < len; i++) at[i] = (uint8_t)(test_random(seed) >> 32);
    return slice_make(at, len);
}

static struct slice random_text(struct arena *a, uint64_t *seed, bool ascii)
{
    static const char *const pieces[] = {"a",    "'", "\"", "\\",   ",",  "]", "}", ")",  ":", " ",
                                         "null", "1", "\n", "\x01", "0x", "{", "ü", "日", "😀"};
    struct buf b = buf_make(KIB(1));
    for (uint64_t n = test_random(seed) % 12; n; n--)
        buf_text(&b, pieces[test_random(seed) % (COUNT_OF(pieces) - (ascii ? 3 : 0))]);
    struct slice s = arena_slice(a, buf_view(&b));
    buf_done(&b);
    return s;
}

static struct value random_number(const struct type *t, struct arena *a, uint64_t *seed)
{
    struct value v = {.type = t, .state = VALID_VALUE};
    struct buf b = buf_make(KIB(1));
    if (t->kind == TYPE_DECIMAL) buf_be(&b, test_random(seed) % 40 - 20, 4);
    buf_slice(&b, random_bytes(a, seed, (uint32_t)(1 + test_random(seed) % 30)));
    struct slice bytes = arena_slice(a, buf_view(&b));
    CHECK_OK(value_from_binary(t, bytes, &v, NULL), NULL);
    CHECK_OK(value_canonical(&v, a, &v, NULL), NULL);
    buf_done(&b);
    return v;
}

static struct value random_nested(const struct type *t, struct arena *a, uint64_t *seed)
{
    struct value items[16], v;
    bool fields = t->kind == TYPE_TUPLE || t->kind == TYPE_STRUCT;
    uint32_t count = fields ? t->count : (uint32_t)(test_random(seed) % 5) * 2;
    for (uint32_t i = 0; i < count; i++) {
        const struct type *it = nested_item_type(t, i);
        bool key = t->kind == TYPE_SET || (t->kind == TYPE_MAP && i % 2 == 0);
        items[i] = !key && test_random(seed) % 4 == 0 ? value_null(it) : random_value(it, a, seed);
    }
    CHECK_OK(value_make(t, items, count, a, &v, NULL), NULL);
    return v;
}

static struct value random_duration(const struct type *t, struct arena *a, uint64_t *seed)
{
    struct value v = {.type = t, .state = VALID_VALUE};
    struct buf b = buf_make(KIB(1));
    int shift = (int)(test_random(seed) % 31);
    int32_t sign = test_random(seed) % 2 ? -1 : 1;
    struct duration d = {sign * (int32_t)(test_random(seed) >> (33 + shift)),
                         sign * (int32_t)(test_random(seed) >> (33 + shift)),
                         sign * (int64_t)(test_random(seed) >> (1 + 2 * shift))};
    duration_to_binary(d, &b);
    v.bytes = arena_slice(a, buf_view(&b));
    buf_done(&b);
    return v;
}

static struct value random_value(const struct type *t, struct arena *a, uint64_t *seed)
{
    struct value v = {.type = t, .state = VALID_VALUE};
    uint64_t r = test_random(seed);
    int64_t spread = (int64_t)r >> (test_random(seed) % 64);
    if (type_is_nested(t)) return random_nested(t, a, seed);
    switch (t->kind) {
    case TYPE_BOOLEAN: v.boolean = r & 1; break;
    case TYPE_TINYINT: v.integer = (int8_t)r; break;
    case TYPE_SMALLINT: v.integer = (int16_t)r; break;
    case TYPE_INT: v.integer = (int32_t)r; break;
    case TYPE_FLOAT: {
        uint32_t bits = (uint32_t)r;
        memcpy(&v.f32, &bits, 4);
        break;
    }
    case TYPE_DOUBLE: memcpy(&v.f64, &r, 8); break;
    case TYPE_VARINT:
    case TYPE_DECIMAL: return random_number(t, a, seed);
    case TYPE_ASCII:
    case TYPE_TEXT: v.bytes = random_text(a, seed, t->kind == TYPE_ASCII); break;
    case TYPE_BLOB: v.bytes = random_bytes(a, seed, (uint32_t)(r % 40)); break;
    case TYPE_UUID:
    case TYPE_TIMEUUID:
        memcpy(v.uuid, random_bytes(a, seed, 16).at, 16);
        if (t->kind == TYPE_TIMEUUID) v.uuid[6] = (uint8_t)(0x10 | (v.uuid[6] & 15));
        break;
    case TYPE_DATE: v.integer = (uint32_t)(DATE_ZERO + (int32_t)spread); break;
    case TYPE_TIME: v.integer = (int64_t)(r % (uint64_t)DAY_NS); break;
    case TYPE_DURATION: return random_duration(t, a, seed);
    case TYPE_INET: v.bytes = random_bytes(a, seed, r & 1 ? 4 : 16); break;
    case TYPE_JSON: v.bytes = SLICE("{\"a\":[1,null,\"x'y\"]}"); break;
    default: v.integer = spread;
    }
    return v;
}

static void check_same(const struct value *v, const struct value *back, const char *by,
                       struct slice shown)
{
    if (value_compare(v, back) == 0 && value_compare(back, v) == 0 &&
        value_hash(v) == value_hash(back))
        return;
    test_failed(__FILE__, __LINE__, "%s is not the same by %s: %.*s", type_kind_name(v->type->kind),
                by, SLICE_ARG(shown));
}

static void check_round_trips(const struct value *v, struct arena *a)
{
    struct buf b = buf_make(MIB(1));
    struct value back;
    struct diag d = {0};
    value_to_binary(v, &b);
    struct slice bytes = arena_slice(a, buf_view(&b));
    CHECK_OK(value_from_binary(v->type, bytes, &back, &d), &d);
    check_same(v, &back, "binary", (struct slice){0});
    buf_reset(&b);
    value_to_text(v, &b);
    CHECK_OK(value_from_text(v->type, arena_slice(a, buf_view(&b)), a, &back, &d), &d);
    check_same(v, &back, "text", buf_view(&b));
    buf_reset(&b);
    value_to_json(v, &b);
    struct slice json = arena_slice(a, buf_view(&b));
    CHECK_OK(json_check(json, &d), &d);
    CHECK_OK(value_from_json(v->type, json, false, a, &back, &d), &d);
    check_same(v, &back, "json", buf_view(&b));
    CHECK_OK(value_from_json(v->type, json, true, a, &back, &d), &d);
    check_same(v, &back, "json cast", buf_view(&b));
    struct value text;
    CHECK_OK(value_cast(v, type_of(TYPE_TEXT), a, &text, &d), &d);
    CHECK_OK(value_cast(&text, v->type, a, &back, &d), &d);
    check_same(v, &back, "cast to text", text.bytes);
    if (type_is_text(v->type)) { /* read as JSON, not wrapped into it */
        buf_done(&b);
        return;
    }
    CHECK_OK(value_cast(v, type_of(TYPE_JSON), a, &text, &d), &d);
    CHECK_OK(value_cast(&text, v->type, a, &back, &d), &d);
    check_same(v, &back, "cast to json", text.bytes);
    buf_done(&b);
}

static const char *const nested_types[] = {
    "list<int>",
    "set<text>",
    "map<text, double>",
    "tuple<int, text, uuid>",
    "struct<a int, \"B c\" text, d list<text>>",
    "list<frozen<map<inet, set<timestamp>>>>",
    "map<frozen<tuple<int, text>>, frozen<list<blob>>>",
    "set<frozen<list<decimal>>>",
    "map<timestamp, json>",
    "list<frozen<struct<x date, y time, z duration>>>",
    "map<frozen<set<float>>, varint>",
};

TEST(random_values_go_round_by_binary_text_and_json)
{
    struct arena *a = arena_new(MIB(8)), *types = arena_new(MIB(1));
    uint64_t seed = 42;
    for (int i = 0; i < 20000; i++) {
        size_t pick = test_random(&seed) % (TYPE_KINDS + COUNT_OF(nested_types));
        bool nested = pick >= TYPE_KINDS || (pick >= TYPE_LIST && pick <= TYPE_STRUCT);
        const struct type *t = nested
                                   ? type_named(types, nested_types[pick % COUNT_OF(nested_types)])
                                   : type_of((enum type_kind)pick);
        struct value v = random_value(t, a, &seed);
        check_round_trips(&v, a);
        arena_reset(a);
        arena_reset(types);
    }
    arena_free(a);
    arena_free(types);
}

/* No input may do more than be refused: what is cut or changed is read by all readers. */
TEST(damaged_text_json_and_bytes_never_do_harm)
{
    struct arena *a = arena_new(MIB(8));
    uint64_t seed = 7;
    for (int i = 0; i < 20000; i++) {
        const struct type *t =
            type_named(a, nested_types[test_random(&seed) % COUNT_OF(nested_types)]);
        struct value v = random_value(t, a, &seed), back;
        struct buf b = buf_make(MIB(1));
        int form = (int)(test_random(&seed) % 3);
        if (form == 0) value_to_binary(&v, &b);
        if (form == 1) value_to_text(&v, &b);
        if (form == 2) value_to_json(&v, &b);
        for (int n = 0; n < 3 && b.len; n++)
            b.at[test_random(&seed) % b.len] = (uint8_t)(test_random(&seed) >> 20);
        struct slice bad = arena_slice(a, slice_make(b.at, test_random(&seed) % (b.len + 1)));
        err_t e = form == 0   ? value_from_binary(t, bad, &back, NULL)
                  : form == 1 ? value_from_text(t, bad, a, &back, NULL)
                              : value_from_json(t, bad, i & 1, a, &back, NULL);
        buf_reset(&b);
        if (e == ERR_OK) value_to_json(&back, &b); /* what was taken can be walked */
        buf_done(&b);
        arena_reset(a);
    }
    arena_free(a);
}
