/* Goal: one value of a document is another, all other bytes stay. Method: a table of documents. */
#include "main/json_set.h"
#include "test.h"

static err_t set(const char *document, const char *path, const char *value, struct buf *out)
{
    struct arena *a = arena_new(MIB(1));
    struct json_step *steps;
    struct diag d;
    uint32_t count;
    buf_reset(out);
    err_t e = json_path_parse(slice_of(path), a, &steps, &count, &d);
    if (!e) e = json_set(slice_of(document), steps, count, slice_of(value), out, &d);
    arena_free(a);
    return e;
}

TEST(a_value_is_set_and_the_rest_stays)
{
    static const struct {
        const char *document, *path, *value, *after;
    } rows[] = {
        {"{\"a\": 1, \"b\" : 2}", "a", "5", "{\"a\": 5, \"b\" : 2}"},
        {"{\"a\":{\"b\":[1,2,{\"c\":\"x\\\"}\"}]},\"d\":1}", "a.b[2].c", "null",
         "{\"a\":{\"b\":[1,2,{\"c\":null}]},\"d\":1}"},
        {" {\"a\":1}\n", "b", "\"y\"", " {\"a\":1,\"b\":\"y\"}\n"},
        {"{ }", "a.b", "1", "{ \"a\":{\"b\":1}}"},
        {"{\"a\":null}", "a.b", "1", "{\"a\":{\"b\":1}}"},
        {"[1,[2,3]]", "$[1][-1]", "9", "[1,[2,9]]"},
        {"{\"a\":1,\"a\":2}", "a", "3", "{\"a\":3,\"a\":3}"},
        {"{\"x\":\"a\\\\\",\"a\":0}", "a", "1", "{\"x\":\"a\\\\\",\"a\":1}"},
    };
    struct buf out = buf_make(KIB(4));
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        CHECK_INT(set(rows[i].document, rows[i].path, rows[i].value, &out), ERR_OK);
        CHECK(strcmp(buf_cstr(&out), rows[i].after) == 0);
    }
    buf_done(&out);
}

TEST(what_can_not_be_set_is_refused)
{
    struct buf out = buf_make(KIB(4));
    CHECK_INT(set("{\"a\":1}", "a.b", "1", &out), ERR_TYPE);
    CHECK_INT(set("[1]", "$[3]", "1", &out), ERR_RANGE);
    CHECK_INT(set("{\"a\":null}", "a[0]", "1", &out), ERR_RANGE);
    CHECK_INT(set("[1]", "a", "1", &out), ERR_TYPE);
    buf_done(&out);
}
