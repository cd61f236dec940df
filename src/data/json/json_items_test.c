/* Paths, and the items of a body. */
#include "data/json.h"
#include "test.h"

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
        if (strcmp(d.where, cases[i].where) != 0)
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
