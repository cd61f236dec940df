/* What is JSON and what is not: tables, then damage at random against a second implementation. */
#include "data/json.h"

#include "data/value/value_int.h"
#include "test.h"

/* A copy that ends where the text ends, so that the sanitizer sees a read past it. */
static err_t validate(struct json_decoder *j, struct slice text, struct diag *d)
{
    uint8_t *copy = mem_take_raw(text.len);
    if (text.len) memcpy(copy, text.at, text.len);
    err_t e = json_validate(j, slice_make(copy, text.len), d);
    mem_give(copy);
    return e;
}

/* clang-format off */
static const char *const good_documents[] = {
    "0", "-0", "1", "-1.5", "1e5", "1E+5", "1e-05", "0.1", "-0e1",
    "123456789012345678901234567890", "1e999999", "\"\"", "\"a\"", "true", "false", "null", " 1 ",
    "\t\r\n1\n", "[]", "{}", "[ ]", "{ }", "[1]", "[1,2]", "[[],{}]", "{\"a\":1}", "{\"a\":{}}",
    "{\"\":0}", "{\"a\":1,\"a\":2}", "[ 1 , 2 ]", "{ \"a\" : 1 , \"b\" : [ ] }",
    "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\"", "\"\\uD834\\udd1e\"", "\"\\u0000\"", "\"\x7f\"",
    "\"\xc3\xa9\xe2\x82\xac\xf0\x9d\x84\x9e\"", "{\"a\\nb\":\"c\\\\\"}", "[\"a\\\"b\",\"\\\\\"]",
    "[null,true,false,0,\"\",[],{}]", "\xef\xbb\xbf{\"a\":1}", "{\"a\":\"}\",\"b\":\"]\"}",
    "[\"\\\\\\\"\"]",
};
/* clang-format on */

/* After the cases of nst/JSONTestSuite (y_…). */
TEST(json_takes_what_is_json)
{
    struct json_decoder *j = json_decoder_new();
    for (size_t i = 0; i < COUNT_OF(good_documents); i++) {
        struct diag d = {0};
        err_t e = validate(j, slice_of(good_documents[i]), &d);
        if (e)
            test_failed(__FILE__, __LINE__, "'%s': %s at %s", good_documents[i], d.what, d.where);
    }
    json_decoder_free(j);
}

/* clang-format off */
static const char *const bad_documents[] = {
    "", " ", "[", "]", "{", "}", "[1", "[1,", "[1,]", "[,1]", "[1,,2]", "[1 2]", "[1]]", "{\"a\"}",
    "{\"a\":}", "{\"a\" 1}", "{\"a\":1,}", "{,\"a\":1}", "{\"a\":1 \"b\":2}", "{a:1}", "{'a':1}",
    "{1:1}", "{\"a\":1}}", "[}", "{]", "{\"a\":1]", "[1}", "01", "-01", "+1", "-", "1.", ".5",
    "1.e5", "1e", "1e+", "1ee5", "0x10", "1_000", "1 2", "--1", "-a", "1a", "NaN", "Infinity",
    "-Infinity", "nan", "tru", "truee", "True", "nul", "nulll", "falsee", "undefined", "\"", "\"a",
    "\"\\\"", "\"\\x\"", "\"\\u12\"", "\"\\u12G4\"", "\"\\\"a", "\"a\"b", "\"a\" \"b\"",
    "\"a\"\"b\"", "1\"a\"", "{\"a\":\"b\"c}", "{\"a\"b:1}", "{\"a\":1\"b\":2}", "[\"a\"1]",
    "[1\"a\"]", "\"\n\"", "\"a\tb\"", "[1]x", "{\"a\":1}//", "/**/1", "[1]\x01", "1\x01",
    "\x01\x31", "[\x0c]", "\xa0[]", "{}\xef\xbb\xbf", "[1],", ":", ",", "{\"a\"::1}",
    "{\"a\":1:2}", "{\"a\",1}", "[\"a\":1]", "[true1]", "[1true]", "{\"a\":tru}", "{\"a\":[}",
    "{\"a\":{]}", "[\\u0031]", "\\", "[\"a\\\"]",
};
/* clang-format on */

/* n_… */
TEST(json_refuses_what_is_not)
{
    struct json_decoder *j = json_decoder_new();
    for (size_t i = 0; i < COUNT_OF(bad_documents); i++) {
        struct diag d = {0};
        err_t e = validate(j, slice_of(bad_documents[i]), &d);
        if (e != ERR_BAD_JSON && e != ERR_BAD_UTF8)
            test_failed(__FILE__, __LINE__, "'%s' was taken: %s", bad_documents[i], err_name(e));
        CHECK(d.err == e && d.what[0] && strncmp(d.where, "byte ", 5) == 0);
    }
    CHECK_ERR(json_validate(j, slice_make("1\0", 2), NULL), ERR_BAD_JSON);
    CHECK_ERR(json_validate(j, slice_make("\"\0\"", 3), NULL), ERR_BAD_JSON);
    json_decoder_free(j);
}

TEST(json_refuses_what_is_not_utf8)
{
    static const char *const bad[] = {
        "\"\xff\"",     "\"\x80\"",         "\"\xc0\xaf\"",         "\"\xc3\"",
        "\"\xe2\x82\"", "\"\xed\xa0\x80\"", "\"\xf4\x90\x80\x80\"", "\"\xf0\x80\x80\x80\"",
        "[1]\xff"};
    struct json_decoder *j = json_decoder_new();
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct diag d = {0};
        CHECK_ERR(validate(j, slice_of(bad[i]), &d), ERR_BAD_UTF8);
    }
    struct diag d = {0};
    CHECK_ERR(validate(j, SLICE("{\"a\":\n \"x\xff\"}"), &d), ERR_BAD_UTF8);
    CHECK_TEXT(d.where, "byte 9 (line 2, column 4)");
    json_decoder_free(j);
}

TEST(a_mistake_is_told_with_its_place)
{
    static const struct {
        const char *text, *what, *where;
    } cases[] = {
        {"{\"a\":1,\n \"b\" 2}", "not valid JSON: ':' was expected", "byte 13 (line 2, column 6)"},
        {"[1 2]", "not valid JSON: ',' or ']' was expected", "byte 3 (line 1, column 4)"},
        {"{\"a\":1", "not valid JSON: it ends too early", "byte 6 (line 1, column 7)"},
        {"{\"a\":NaN}", "not valid JSON: no JSON value", "byte 5 (line 1, column 6)"},
        {"{} {}", "not valid JSON: something after the document's end",
         "byte 3 (line 1, column 4)"},
        {"\"a\nb\"", "not valid JSON: a control character inside a string",
         "byte 2 (line 1, column 3)"},
        {"[\"abc", "not valid JSON: it ends inside a string", "byte 5 (line 1, column 6)"},
        {"", "not valid JSON: it is empty", "byte 0 (line 1, column 1)"},
    };
    struct json_decoder *j = json_decoder_new();
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct diag d = {0};
        CHECK_ERR(validate(j, slice_of(cases[i].text), &d), ERR_BAD_JSON);
        CHECK_TEXT(d.what, cases[i].what);
        CHECK_TEXT(d.where, cases[i].where);
    }
    json_decoder_free(j);
}

static void put_nested(struct buf *b, int levels, const char *open, const char *close)
{
    for (int i = 0; i < levels; i++) buf_text(b, open);
    buf_char(b, '1');
    for (int i = 0; i < levels; i++) buf_text(b, close);
}

TEST(depth_is_taken_to_the_limit_and_not_past_it)
{
    struct json_decoder *j = json_decoder_new();
    static const char *const brackets[][2] = {{"[", "]"}, {"{\"a\":", "}"}};
    for (size_t i = 0; i < COUNT_OF(brackets); i++) {
        static const struct {
            int levels;
            err_t want;
        } cases[] = {{JSON_DEPTH_MAX, ERR_OK},
                     {JSON_DEPTH_MAX + 1, ERR_TOO_DEEP},
                     {10000, ERR_TOO_DEEP},
                     {1000000, ERR_TOO_DEEP}};
        for (size_t k = 0; k < COUNT_OF(cases); k++) {
            struct buf b = buf_make(MIB(16));
            put_nested(&b, cases[k].levels, brackets[i][0], brackets[i][1]);
            CHECK_INT(json_validate(j, buf_view(&b), NULL), cases[k].want);
            buf_done(&b);
        }
    }
    CHECK_OK(json_validate(j, SLICE("[]"), NULL), NULL); /* the decoder goes on */
    json_decoder_free(j);
}

TEST(a_document_that_is_too_big_is_refused_unread)
{
    struct json_decoder *j = json_decoder_new();
    uint8_t byte = '1';
    struct diag d;
    CHECK_ERR(json_validate(j, slice_make(&byte, JSON_SIZE_MAX + 1), &d), ERR_TOO_BIG);
    json_decoder_free(j);
}

TEST(a_large_document_is_read_and_its_index_given_back)
{
    struct json_decoder *j = json_decoder_new();
    struct buf b = buf_make(MIB(8));
    buf_char(&b, '[');
    for (int i = 0; i < 100000; i++)
        buf_printf(&b, "%s{\"i\": %d, \"t\": \"x\\n\"}", i ? "," : "", i);
    buf_char(&b, ']');
    CHECK_OK(json_validate(j, buf_view(&b), NULL), NULL);
    b.at[b.len / 2] = 1;
    CHECK_ERR(json_validate(j, buf_view(&b), NULL), ERR_BAD_JSON);
    buf_done(&b);
    json_decoder_free(j);
}

static const char *const seeds[] = {
    "{\"login\":{\"uuid\":\"c232\"},\"name\":{\"n\":[1,2.5e3,-0]},\"ok\":true,\"no\":null}",
    "[ {\"a\" : \"x\\ny\", \"b\":[ ] } , [[]], \"\\u00e9\\\\\" , 1E-5 ]\n",
    "{\"a\":{\"b\":{\"c\":[{\"d\":\"e\"},{\"f\":\"g\"}]}},\"h\":\"i\",\"j\":false}",
    "\"\\\"\\\"\"",
    "[1,2,3,\"\",\"\\\\\",{},{\"\":\"\"}]",
};

/* Random bytes of the kind that matter into random places; our answer against value_json.c's, which
 * shares no code with it. Lone surrogates are the one thing they see differently, so none is made.
 */
TEST(damaged_documents_get_the_same_verdict_from_two_implementations)
{
    static const char bytes[] = "{}[]:,\"\\ \n\t0123456789-+.eEtrufalsn\x01\x80\xc3\xa9\xff/x";
    struct json_decoder *j = json_decoder_new();
    uint64_t random = 5;
    int taken = 0, refused = 0;
    for (int round = 0; round < 60000; round++) {
        char text[300];
        const char *seed = seeds[test_random(&random) % COUNT_OF(seeds)];
        size_t len = strlen(seed);
        memcpy(text, seed, len + 1);
        for (uint64_t n = test_random(&random) % 4; n; n--) {
            size_t at = test_random(&random) % len;
            switch (test_random(&random) % 3) {
            case 0: text[at] = bytes[test_random(&random) % (sizeof(bytes) - 1)]; break;
            case 1: memmove(text + at, text + at + 1, --len - at); break;
            default:
                memmove(text + at + 1, text + at, len++ - at);
                text[at] = bytes[test_random(&random) % (sizeof(bytes) - 1)];
            }
        }
        struct slice s = slice_make(text, len);
        struct diag mine = {0}, other = {0};
        bool ok = validate(j, s, &mine) == ERR_OK, same = json_check(s, &other) == ERR_OK;
        if (ok != same)
            test_failed(__FILE__, __LINE__, "'%.*s': %s, but %s", SLICE_ARG(s),
                        ok ? "taken" : mine.what, same ? "taken" : other.what);
        ok ? taken++ : refused++;
    }
    CHECK(taken > 10000 && refused > 10000);
    json_decoder_free(j);
}

TEST(every_truncation_of_an_object_or_array_is_refused)
{
    struct json_decoder *j = json_decoder_new();
    for (size_t i = 0; i < COUNT_OF(seeds); i++) {
        struct slice whole = slice_trim(slice_of(seeds[i]));
        for (uint32_t cut = 0; cut < whole.len; cut++)
            CHECK(validate(j, slice_make(whole.at, cut), NULL) != ERR_OK);
    }
    json_decoder_free(j);
}

/* --- writing -------------------------------------------------------------------------------------
 */

TEST(text_is_written_with_the_escapes_of_json_and_never_as_bad_utf8)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"", "\"\""},
        {"plain", "\"plain\""},
        {"a\"b\\c/", "\"a\\\"b\\\\c/\""},
        {"\b\f\n\r\t\x01\x1f", "\"\\b\\f\\n\\r\\t\\u0001\\u001f\""},
        {"\xc3\xa9\xe2\x82\xac\xf0\x9d\x84\x9e\x7f",
         "\"\xc3\xa9\xe2\x82\xac\xf0\x9d\x84\x9e\x7f\""},
        {"a\xff"
         "b",
         "\"a\xef\xbf\xbd"
         "b\""},
        {"\xc3", "\"\xef\xbf\xbd\""},
        {"\xc3(", "\"\xef\xbf\xbd(\""},
        {"\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char out[100];
        struct buf b = buf_over(out, sizeof(out));
        json_put_text(&b, slice_of(cases[i].text));
        CHECK_SLICE(buf_view(&b), cases[i].want);
    }
    char out[20];
    struct buf b = buf_over(out, sizeof(out));
    json_put_text(&b, slice_make("a\0b", 3));
    CHECK_SLICE(buf_view(&b), "\"a\\u0000b\"");
}

/* Any bytes at all come out as one valid JSON string. */
TEST(random_bytes_are_written_as_valid_json)
{
    struct json_decoder *j = json_decoder_new();
    uint64_t random = 9;
    for (int round = 0; round < 5000; round++) {
        uint8_t bytes[40];
        size_t len = test_random(&random) % sizeof(bytes);
        for (size_t i = 0; i < len; i++)
            bytes[i] = (uint8_t)(test_random(&random) % 3 ? test_random(&random)
                                                          : 0xc0u + (unsigned)round % 64);
        struct buf b = buf_make(KIB(1));
        json_put_text(&b, slice_make(bytes, len));
        CHECK_OK(json_validate(j, buf_view(&b), NULL), NULL);
        buf_done(&b);
    }
    json_decoder_free(j);
}
