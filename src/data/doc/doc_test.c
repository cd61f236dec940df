/* Documents: RFC 8259's and YAML's corners, what is refused and where, what unfolds too far. */
#include "data/doc.h"
#include "test.h"

typedef err_t reader(struct slice text, struct arena *a, struct doc *out, struct diag *d);

static err_t yaml(struct slice text, struct arena *a, struct doc *out, struct diag *d)
{
    return doc_of_yaml(text, "t.yaml", a, out, d);
}

static void check_reads(reader *read, const char *text, const char *want)
{
    struct arena *a = arena_new(MIB(64));
    struct buf out = buf_make(MIB(1));
    struct doc v;
    struct diag d = {0};
    err_t e = read(slice_of(text), a, &v, &d);
    if (!e) doc_put_json(&out, &v);
    CHECK_ERR(e, ERR_OK);
    CHECK_TEXT(buf_cstr(&out), want);
    buf_done(&out);
    arena_free(a);
}

static void check_refuses(reader *read, const char *text, err_t want, const char *where)
{
    struct arena *a = arena_new(MIB(64));
    struct doc v;
    struct diag d = {0};
    CHECK_ERR(read(slice_of(text), a, &v, &d), want);
    CHECK_TEXT(d.where, where);
    arena_free(a);
}

TEST(json_becomes_a_tree)
{
    static const char *const cases[][2] = {
        {"null", "null"},
        {" [ ] ", "[]"},
        {"{}", "{}"},
        {"[1,-2,3.5,1e3,-0]", "[1, -2, 3.5, 1000.0, 0]"},
        {"9223372036854775807", "9223372036854775807"},
        {"{\"a\":{\"b\":[true,false,null]}}", "{\"a\": {\"b\": [true, false, null]}}"},
        {"{\"a\":1,\"b\":2,\"a\":3}", "{\"b\": 2, \"a\": 3}"},
        {"\"\\u00e9\\n\\ud83d\\ude00\\/\"", "\"\xC3\xA9\\n\xF0\x9F\x98\x80/\""},
        {"\"\\ud83d x\"", "\"\xEF\xBF\xBD x\""},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) check_reads(doc_of_json, cases[i][0], cases[i][1]);
}

TEST(what_is_not_json_is_refused_at_its_place)
{
    static const struct {
        const char *text, *where;
    } cases[] = {
        {"", "1:1"},
        {"[1,]", "1:4"},
        {"{\"a\" 1}", "1:6"},
        {"[1\n2]", "2:1"},
        {"01", "1:1"},
        {"1.", "1:3"},
        {"\"a", "1:2"},
        {"\"\\x\"", "1:4"},
        {"nul", "1:1"},
        {"1 2", "1:3"},
        {"{a:1}", "1:2"},
        {"\"a\nb\"", "1:3"},
        {"[1", "1:3"},
        {"\"\\u12g4\"", "1:7"},
        {"-", "1:2"},
        {"{\"a\":1,}", "1:8"},
        {"\"\xff\"", "1:2"},
        {"\"\xc0\x80\"", "1:2"},
        {"\"\xed\xa0\x80\"", "1:2"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        check_refuses(doc_of_json, cases[i].text, ERR_SYNTAX, cases[i].where);
    char deep[DOC_DEPTH_MAX * 2];
    memset(deep, '[', sizeof deep - 1);
    deep[sizeof deep - 1] = 0;
    struct arena *a = arena_new(MIB(1));
    struct doc v;
    CHECK_ERR(doc_of_json(slice_of(deep), a, &v, NULL), ERR_TOO_DEEP);
    CHECK_ERR(doc_of_json((struct slice){0}, a, &v, NULL), ERR_SYNTAX); /* no bytes at all */
    arena_free(a);
}

TEST(yaml_becomes_a_tree)
{
    static const char *const cases[][2] = {
        {"", "null"},
        {"# nothing\n", "null"},
        {"a: 1\nb: [x, 'y', \"1\", 1.5, ~, true, no, 0x1F, 0o17, .5, +3]\n",
         "{\"a\": 1, \"b\": [\"x\", \"y\", \"1\", 1.5, null, true, \"no\", 31, 15, 0.5, 3]}"},
        {"schedule: 0 0 * * *\nretry_delay: 5m\nday: 2024-01-01\nat: 12:30\nver: 1.2.3\n",
         "{\"schedule\": \"0 0 * * *\", \"retry_delay\": \"5m\", \"day\": \"2024-01-01\", "
         "\"at\": \"12:30\", \"ver\": \"1.2.3\"}"},
        {"base: &b {x: 1, y: 2}\nd: {<<: *b, y: 3}\n",
         "{\"base\": {\"x\": 1, \"y\": 2}, \"d\": {\"y\": 3, \"x\": 1}}"},
        {"d: {<<: [{x: 1}, {x: 2, y: 2}]}\n", "{\"d\": {\"x\": 1, \"y\": 2}}"},
        {"t: |\n  one\n  two\ns: !!str 5\nn: 123456789012345678901234567890\n",
         "{\"t\": \"one\\ntwo\\n\", \"s\": \"5\", \"n\": 1.2345678901234568e+29}"},
        {"- 1\n- - 2\n- {}\n", "[1, [2], {}]"},
        {"1: a\ntrue: b\n", "{\"1\": \"a\", \"true\": \"b\"}"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) check_reads(yaml, cases[i][0], cases[i][1]);
}

TEST(what_stands_in_yaml_is_kept_as_it_is_written)
{
    static const char *const want[] = {"007", "1.50", "0x1F", "TRUE", "~", "a b", "12", "007"};
    struct arena *a = arena_new(MIB(1));
    struct doc v, copy;
    CHECK_OK(yaml(SLICE("[&x 007, 1.50, 0x1F, TRUE, ~, a b, '12', *x]"), a, &v, NULL), NULL);
    CHECK_INT(v.count, COUNT_OF(want));
    for (uint32_t i = 0; i < v.count; i++) CHECK(slice_is(v.items[i].written, want[i]));
    CHECK(v.written.at == NULL);
    CHECK_OK(doc_copy(&v, a, &copy), NULL);
    CHECK(copy.items[0].written.at == NULL);
    CHECK_OK(doc_of_json(SLICE("1"), a, &v, NULL), NULL);
    CHECK(v.written.at == NULL);
    arena_free(a);
}

TEST(what_is_wrong_in_yaml_is_refused_at_its_place)
{
    static const struct {
        const char *text, *where;
    } cases[] = {
        {"a: 1\na: 2\n", "t.yaml:2:1"},      {"a: *x\n", "t.yaml:1:4"},
        {"a: &x [*x]\n", "t.yaml:1:8"},      {"? [a]\n: 1\n", "t.yaml:1:3"},
        {"a: 1\n---\nb: 2\n", "t.yaml:3:1"}, {"d: {<<: 5}\n", "t.yaml:1:5"},
        {"a: [1\n", "t.yaml:2:1"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        check_refuses(yaml, cases[i].text, ERR_CONFIG, cases[i].where);
}

TEST(a_small_file_that_unfolds_is_refused)
{
    struct buf text = buf_make(KIB(64));
    buf_text(&text, "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for (int i = 1; i < 12; i++) {
        buf_printf(&text, "a%d: &a%d [", i, i);
        for (int k = 0; k < 10; k++) buf_printf(&text, "%s*a%d", k ? ", " : "", i - 1);
        buf_text(&text, "]\n");
    }
    struct arena *a = arena_new(MIB(64));
    struct doc v;
    CHECK_ERR(yaml(buf_view(&text), a, &v, NULL), ERR_CONFIG);
    arena_free(a);
    buf_done(&text);
}

TEST(trees_are_compared_and_copied)
{
    struct arena *a = arena_new(MIB(1)), *b = arena_new(MIB(1));
    struct doc one, two, copy;
    CHECK_ERR(doc_of_json(SLICE("{\"a\": [1, \"x\"], \"b\": 2}"), a, &one, NULL), ERR_OK);
    CHECK_ERR(doc_of_json(SLICE("{\"b\": 2, \"a\": [1, \"x\"]}"), a, &two, NULL), ERR_OK);
    CHECK(doc_equal(&one, &two));
    CHECK_ERR(doc_copy(&one, b, &copy), ERR_OK);
    CHECK_ERR(doc_of_json(SLICE("{\"b\": 2, \"a\": [1, \"y\"]}"), a, &two, NULL), ERR_OK);
    CHECK(!doc_equal(&one, &two));
    CHECK(doc_get(&one, "b") && doc_get(&one, "b")->number == 2 && !doc_get(&one, "c"));
    arena_free(a);
    struct buf out = buf_make(KIB(1));
    doc_put_json(&out, &copy);
    CHECK_TEXT(buf_cstr(&out), "{\"a\": [1, \"x\"], \"b\": 2}");
    buf_done(&out);
    arena_free(b);
}
