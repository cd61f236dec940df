/* What is JSON and what is not: tables, then damage at random against a second implementation. */
#include "data/json.h"

#include "data/value_int.h"
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

/* After the cases of nst/JSONTestSuite (y_…). */
TEST(json_takes_what_is_json)
{
    static const char *const good[] = {
        "0",
        "-0",
        "1",
        "-1.5",
        "1e5",
        "1E+5",
        "1e-05",
        "0.1",
        "-0e1",
        "123456789012345678901234567890",
        "1e999999",
        "\"\"",
        "\"a\"",
        "true",
        "false",
        "null",
        " 1 ",
        "\t\r\n1\n",
        "[]",
        "{}",
        "[ ]",
        "{ }",
        "[1]",
        "[1,2]",
        "[[],{}]",
        "{\"a\":1}",
        "{\"a\":{}}",
        "{\"\":0}",
        "{\"a\":1,\"a\":2}",
        "[ 1 , 2 ]",
        "{ \"a\" : 1 , \"b\" : [ ] }",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\"",
        "\"\\uD834\\udd1e\"",
        "\"\\u0000\"",
        "\"\x7f\"",
        "\"\xc3\xa9\xe2\x82\xac\xf0\x9d\x84\x9e\"",
        "{\"a\\nb\":\"c\\\\\"}",
        "[\"a\\\"b\",\"\\\\\"]",
        "[null,true,false,0,\"\",[],{}]",
        "\xef\xbb\xbf{\"a\":1}",
        "{\"a\":\"}\",\"b\":\"]\"}",
        "[\"\\\\\\\"\"]",
    };
    struct json_decoder *j = json_decoder_new();
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        struct diag d = {0};
        err_t e = validate(j, slice_of(good[i]), &d);
        if (e) test_failed(__FILE__, __LINE__, "'%s': %s at %s", good[i], d.what, d.where);
    }
    json_decoder_free(j);
}

/* n_… */
TEST(json_refuses_what_is_not)
{
    static const char *const bad[] = {
        "",
        " ",
        "[",
        "]",
        "{",
        "}",
        "[1",
        "[1,",
        "[1,]",
        "[,1]",
        "[1,,2]",
        "[1 2]",
        "[1]]",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\" 1}",
        "{\"a\":1,}",
        "{,\"a\":1}",
        "{\"a\":1 \"b\":2}",
        "{a:1}",
        "{'a':1}",
        "{1:1}",
        "{\"a\":1}}",
        "[}",
        "{]",
        "{\"a\":1]",
        "[1}",
        "01",
        "-01",
        "+1",
        "-",
        "1.",
        ".5",
        "1.e5",
        "1e",
        "1e+",
        "1ee5",
        "0x10",
        "1_000",
        "1 2",
        "--1",
        "-a",
        "1a",
        "NaN",
        "Infinity",
        "-Infinity",
        "nan",
        "tru",
        "truee",
        "True",
        "nul",
        "nulll",
        "falsee",
        "undefined",
        "\"",
        "\"a",
        "\"\\\"",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\u12G4\"",
        "\"\\\"a",
        "\"a\"b",
        "\"a\" \"b\"",
        "\"a\"\"b\"",
        "1\"a\"",
        "{\"a\":\"b\"c}",
        "{\"a\"b:1}",
        "{\"a\":1\"b\":2}",
        "[\"a\"1]",
        "[1\"a\"]",
        "\"\n\"",
        "\"a\tb\"",
        "[1]x",
        "{\"a\":1}//",
        "/**/1",
        "[1]\x01",
        "1\x01",
        "\x01"
        "1",
        "[\x0c]",
        "\xa0[]",
        "{}\xef\xbb\xbf",
        "[1],",
        ":",
        ",",
        "{\"a\"::1}",
        "{\"a\":1:2}",
        "{\"a\",1}",
        "[\"a\":1]",
        "[true1]",
        "[1true]",
        "{\"a\":tru}",
        "{\"a\":[}",
        "{\"a\":{]}",
        "[\\u0031]",
        "\\",
        "[\"a\\\"]",
    };
    struct json_decoder *j = json_decoder_new();
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct diag d = {0};
        err_t e = validate(j, slice_of(bad[i]), &d);
        if (e != ERR_BAD_JSON && e != ERR_BAD_UTF8)
            test_failed(__FILE__, __LINE__, "'%s' was taken: %s", bad[i], err_name(e));
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
    "{\"login\":{\"uuid\":\"c232ab00-9414\"},\"name\":{\"first\":\"Zo\xc3\xa9\",\"n\":[1,2.5e3,-0]}"
    ","
    "\"ok\":true,\"no\":null}",
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
        memcpy(text, seed, len);
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

/* --- paths ---------------------------------------------------------------------------------------
 */

TEST(paths_are_read_and_print_back)
{
    static const struct {
        const char *text, *printed;
        uint32_t steps;
    } cases[] = {
        {"$", "$", 0},
        {"a", "a", 1},
        {"$.a", "a", 1},
        {"a.b.c", "a.b.c", 3},
        {"$.a.b[0]", "a.b[0]", 3},
        {"a[-1].b", "a[-1].b", 3},
        {"$[2]", "$[2]", 1},
        {"[2].x", "$[2].x", 2},
        {"a[0][1]", "a[0][1]", 3},
        {"$['a b'].c", "\"a b\".c", 2},
        {"$[\"a\"]", "a", 1},
        {"a.\"b.c\"", "a.\"b.c\"", 2},
        {"\"a\"\"b\"", "\"a\"\"b\"", 1},
        {"a-b.c", "\"a-b\".c", 2},
        {"\xc3\xa9t\xc3\xa9.x", "\xc3\xa9t\xc3\xa9.x", 2},
        {"$.\"\"", "\"\"", 1},
    };
    struct arena *a = arena_new(KIB(64));
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct json_step *steps;
        uint32_t count = 99;
        struct diag d = {0};
        char text[100];
        struct buf b = buf_over(text, sizeof(text));
        CHECK_OK(json_path_parse(slice_of(cases[i].text), a, &steps, &count, &d), &d);
        CHECK_INT(count, cases[i].steps);
        json_path_print(steps, count, &b);
        CHECK_SLICE(buf_view(&b), cases[i].printed);
    }
    arena_free(a);
}

TEST(paths_that_are_none_say_where)
{
    static const struct {
        const char *text, *where;
    } cases[] = {
        {"", "character 1"},
        {"a..b", "character 3"},
        {".a", "character 1"},
        {"a.", "character 3"},
        {"a[", "character 3"},
        {"a[x]", "character 3"},
        {"a[1", "character 4"},
        {"a[*]", "character 3"},
        {"a]", "character 2"},
        {"$a", "character 2"},
        {"a['b", "character 5"},
        {"a['b'", "character 6"},
        {"a[99999999999999999999]", "character 3"},
        {"\"a", "character 3"},
        {"a\"b\"", "character 2"},
    };
    struct arena *a = arena_new(KIB(64));
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct json_step *steps;
        uint32_t count;
        struct diag d = {0};
        CHECK_ERR(json_path_parse(slice_of(cases[i].text), a, &steps, &count, &d), ERR_SYNTAX);
        if (strcmp(d.where, cases[i].where))
            test_failed(__FILE__, __LINE__, "'%s': %s at %s", cases[i].text, d.what, d.where);
    }
    arena_free(a);
}

/* --- items ---------------------------------------------------------------------------------------
 */

struct met {
    char text[400];
    struct buf out;
    int stop_after;
};

static err_t meet(void *ctx, struct slice item)
{
    struct met *m = ctx;
    buf_slice(&m->out, item);
    buf_char(&m->out, '|');
    return --m->stop_after == 0 ? ERR_STOPPED : ERR_OK;
}

TEST(items_of_a_body_are_handed_out_as_they_stand)
{
    static const struct {
        const char *body, *path, *items;
        err_t want;
    } cases[] = {
        {"{\"results\":[{\"a\":1},{\"a\":[2,3]}],\"info\":{}}", "$.results[*]",
         "{\"a\":1}|{\"a\":[2,3]}|", ERR_OK},
        {"{\"results\" : [ {\"a\" : 1} , 2 , \"x\" ] }", "$.results[*]", "{\"a\" : 1}|2|\"x\"|",
         ERR_OK},
        {"{\"results\":[]}", "$.results[*]", "", ERR_OK},
        {"[1,[2],null]", "$[*]", "1|[2]|null|", ERR_OK},
        {"[1,2]", "[*]", "1|2|", ERR_OK},
        {" {\"a\":1} ", "$", "{\"a\":1}|", ERR_OK},
        {"{\"a\":{\"b\":[5,6]}}", "$.a.b[*]", "5|6|", ERR_OK},
        {"{\"a\":[[1],[2,3]]}", "$.a[1][*]", "2|3|", ERR_OK},
        {"{\"a\":[[1],[2,3]]}", "$.a[-2][*]", "1|", ERR_OK},
        {"{\"a\":{\"b\":7}}", "$.a", "{\"b\":7}|", ERR_OK},
        {"{\"a\":[1],\"a\":[2]}", "$.a[*]", "2|", ERR_OK},
        {"{\"r\\u0065s\":[1]}", "$.res[*]", "1|", ERR_OK},
        {"{\"error\":\"Uh oh\"}", "$.results[*]", "", ERR_NOT_FOUND},
        {"[1,2]", "$.results[*]", "", ERR_NOT_FOUND},
        {"[[1]]", "$[1][*]", "", ERR_NOT_FOUND},
        {"[[1]]", "$[-2][*]", "", ERR_NOT_FOUND},
        {"{\"results\":{}}", "$.results[*]", "", ERR_TYPE},
        {"{\"results\":[1,2}", "$.results[*]", "", ERR_BAD_JSON},
        {"{\"results\":[1,2]} x", "$.results[*]", "",
         ERR_BAD_JSON}, /* nothing before all is checked */
        {"{\"results\":[1,\"\xff\"]}", "$.results[*]", "", ERR_BAD_UTF8},
        {"[1]", "$[*][*]", "", ERR_SYNTAX},
        {"<html>", "$[*]", "", ERR_BAD_JSON},
        {"", "$[*]", "", ERR_BAD_JSON},
    };
    struct json_decoder *j = json_decoder_new();
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct met m = {.stop_after = 0};
        struct diag d = {0};
        m.out = buf_over(m.text, sizeof(m.text));
        err_t e = json_items(j, slice_of(cases[i].body), slice_of(cases[i].path), meet, &m, &d);
        if (e != cases[i].want)
            test_failed(__FILE__, __LINE__, "%s of %s: %s %s", cases[i].path, cases[i].body,
                        err_name(e), d.what);
        CHECK_SLICE(buf_view(&m.out), cases[i].items);
        CHECK(e == ERR_OK || d.err == e);
    }
    json_decoder_free(j);
}

TEST(a_body_without_the_items_tells_what_it_has)
{
    struct json_decoder *j = json_decoder_new();
    struct diag d = {0};
    struct met m = {.stop_after = 0};
    m.out = buf_over(m.text, sizeof(m.text));
    CHECK_ERR(json_items(j, SLICE("{\"error\":\"Uh oh\",\"code\":[1]}"), SLICE("$.results[*]"),
                         meet, &m, &d),
              ERR_NOT_FOUND);
    CHECK_TEXT(d.what, "the body has no 'results' (items are '$.results[*]')");
    CHECK_TEXT(d.why, "an object is there with 'error', 'code'");
    CHECK_ERR(json_items(j, SLICE("{\"a\":{\"b\":\"x\"}}"), SLICE("$.a.b.c[*]"), meet, &m, &d),
              ERR_NOT_FOUND);
    CHECK_TEXT(d.what, "the body has no 'a.b.c' (items are '$.a.b.c[*]')");
    CHECK_TEXT(d.why, "a string is there");
    CHECK_ERR(json_items(j, SLICE("{}"), SLICE("$.a[*]"), meet, &m, &d), ERR_NOT_FOUND);
    CHECK_TEXT(d.why, "an empty object is there");
    m.stop_after = 2;
    CHECK_ERR(json_items(j, SLICE("[1,2,3]"), SLICE("$[*]"), meet, &m, &d), ERR_STOPPED);
    CHECK_SLICE(buf_view(&m.out), "1|2|");
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
