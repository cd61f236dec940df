/* Goal: the tables hold together, bodies and parameters are checked by them, JSON comes out whole,
 * and numbers are remembered with their gaps. Method: every row looked at; documents made to break
 * one rule each; a history on a clock of its own. */
#include "door/console/console_int.h"
#include "door/console/history.h"

#include "data/json.h"
#include "test.h"

#include <math.h>
#include <stdio.h>

/* --- the tables ----------------------------------------------------------------------------------
 */

static bool type_is_known(const char *type)
{
    static const char *const plain[] = {"text", "time", "int", "number", "bool", "any"};
    struct slice t = slice_of(type);
    while (t.len && t.at[t.len - 1] == '?') t.len--;
    while (t.len > 2 && (t.at[0] == '[' || t.at[0] == '{')) {
        bool list = t.at[0] == '[';
        if (t.at[t.len - 1] != (list ? ']' : '}')) return false;
        t = slice_make(t.at + 1, t.len - 2);
        while (t.len && t.at[t.len - 1] == '?') t.len--;
    }
    for (size_t i = 0; i < COUNT_OF(plain); i++)
        if (slice_is(t, plain[i])) return true;
    return schema_find(t) != NULL;
}

TEST(every_type_of_a_schema_is_there)
{
    const char *schema = "";
    for (uint32_t i = 0; i < console_field_count; i++) {
        const struct console_field *f = &console_fields[i];
        if (f->kind == FIELD_SCHEMA) {
            CHECK(schema_find(slice_of(f->name)) == f); /* no two of a name */
            schema = f->name;
        } else if (f->kind != FIELD_END) {
            if (!type_is_known(f->type)) printf("%s.%s: %s\n", schema, f->name, f->type);
            CHECK(type_is_known(f->type));
        }
        if (f->kind != FIELD_END) CHECK(f->about[0]);
    }
    CHECK(console_fields[console_field_count - 1].kind == FIELD_END);
}

TEST(every_route_is_whole_and_stands_once)
{
    for (uint32_t i = 0; i < console_route_count; i++) {
        const struct console_route *r = &console_routes[i];
        bool streams = strncmp(r->answer, "stream:", 7) == 0;
        if (!(streams || !r->answer[0] || type_is_known(r->answer)))
            printf("%s %s: %s\n", r->method, r->path, r->answer);
        CHECK(streams || !r->answer[0] || type_is_known(r->answer));
        CHECK(!r->body[0] || type_is_known(r->body));
        CHECK(r->path[0] == '/' && r->about[0]);
        CHECK(!(streams && r->pace == PACE_QUICK)); /* they would keep the quick ones waiting */
        if (strcmp(r->method, "GET") == 0) CHECK(!r->body[0]);
        for (uint32_t k = i + 1; k < console_route_count; k++) {
            CHECK(strcmp(r->method, console_routes[k].method) != 0 ||
                  strcmp(r->path, console_routes[k].path) != 0);
        }
    }
    for (uint32_t i = 0; i < console_channel_count; i++) {
        CHECK(type_is_known(console_channels[i].answer));
        for (uint32_t k = i + 1; k < console_channel_count; k++)
            CHECK(strcmp(console_channels[i].name, console_channels[k].name) != 0 ||
                  console_channels[i].has_arg != console_channels[k].has_arg);
    }
}

TEST(the_description_is_json)
{
    struct buf out = buf_make(MIB(8));
    struct arena *a = arena_new(MIB(64));
    struct doc whole;
    schema_put_openapi(&out, "1.2.3");
    CHECK_INT(out.err, ERR_OK);
    CHECK_INT(doc_of_json(buf_view(&out), a, &whole, NULL), ERR_OK);
    const struct doc *paths = doc_get(&whole, "paths");
    CHECK(paths && paths->count >= 6);
    CHECK(doc_get(doc_get(doc_get(&whole, "components"), "schemas"), "overview") != NULL);
    arena_free(a);
    buf_done(&out);
}

/* --- bodies and parameters -----------------------------------------------------------------------
 */

TEST(a_body_has_what_its_schema_says_and_nothing_else)
{
    static const struct {
        const char *type, *json;
        err_t answer;
    } cases[] = {{"login", "{\"name\": \"a\", \"password\": \"b\"}", ERR_OK},
                 {"login", "{\"name\": \"a\"}", ERR_USAGE},
                 {"login", "{\"name\": \"a\", \"password\": \"b\", \"c\": 1}", ERR_USAGE},
                 {"login", "{\"name\": null, \"password\": \"b\"}", ERR_TYPE},
                 {"login", "{\"name\": 1, \"password\": \"b\"}", ERR_TYPE},
                 {"login", "[]", ERR_TYPE},
                 {"[int]", "[1, 2]", ERR_OK},
                 {"[int]", "[1, 2.5]", ERR_TYPE},
                 {"[int]", "{}", ERR_TYPE},
                 {"[int?]", "[1, null]", ERR_OK},
                 {"{number}", "{\"a\": 1, \"b\": 2.5}", ERR_OK},
                 {"{number}", "{\"a\": true}", ERR_TYPE},
                 {"[[text]]", "[[\"a\"], []]", ERR_OK},
                 {"[[text]]", "[\"a\"]", ERR_TYPE},
                 {"bool?", "null", ERR_OK},
                 {"bool", "null", ERR_TYPE},
                 {"any", "{\"x\": [1]}", ERR_OK},
                 {"[login]?", "[{\"name\": \"a\", \"password\": \"\"}]", ERR_OK}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct arena *a = arena_new(MIB(4));
        struct doc v;
        struct diag d;
        CHECK_INT(doc_of_json(slice_of(cases[i].json), a, &v, NULL), ERR_OK);
        CHECK_INT(schema_check(cases[i].type, &v, "body", &d), cases[i].answer);
        arena_free(a);
    }
}

static err_t try_params(const char *params, const char *name, const char *value)
{
    struct console_route r = {.params = params};
    struct ask a = {.route = &r, .param_count = 1};
    struct diag d;
    a.params[0] = (struct param){slice_of(name), slice_of(value)};
    return schema_check_params(&a, &d);
}

TEST(only_a_routes_own_parameters_are_taken)
{
    CHECK_INT(try_params("limit=int q=text all=bool", "limit", "12"), ERR_OK);
    CHECK_INT(try_params("limit=int q=text all=bool", "limit", "1e3"), ERR_TYPE);
    CHECK_INT(try_params("limit=int q=text all=bool", "q", ""), ERR_OK);
    CHECK_INT(try_params("limit=int q=text all=bool", "all", "yes"), ERR_TYPE);
    CHECK_INT(try_params("limit=int q=text all=bool", "all", "false"), ERR_OK);
    CHECK_INT(try_params("limit=int q=text all=bool", "li", "1"), ERR_USAGE);
    CHECK_INT(try_params("", "q", "1"), ERR_USAGE);
}

TEST(a_coding_is_taken_unless_it_is_refused)
{
    CHECK(assets_takes(SLICE("gzip, deflate, br"), "br"));
    CHECK(assets_takes(SLICE("BR;q=0.5"), "br"));
    CHECK(assets_takes(SLICE("br;q=0.001"), "br"));
    CHECK(!assets_takes(SLICE("br;q=0"), "br"));
    CHECK(!assets_takes(SLICE("br; q=0.000, gzip"), "br"));
    CHECK(!assets_takes(SLICE("brotli"), "br"));
    CHECK(!assets_takes(SLICE(",;,"), "br"));
    CHECK(!assets_takes((struct slice){0}, "gzip"));
}

/* --- JSON ----------------------------------------------------------------------------------------
 */

TEST(commas_come_by_themselves)
{
    struct buf b = buf_make(KIB(4));
    js_open(&b, '{');
    js_put_text(&b, "a", SLICE("x[{"));
    js_put_cstr(&b, "none", NULL);
    js_put_open(&b, "list", '[');
    js_int(&b, -1);
    js_real(&b, 0.5);
    js_real(&b, NAN);
    js_open(&b, '{');
    js_close(&b, '}');
    js_bool(&b, true);
    js_close(&b, ']');
    js_put_time(&b, "t", INT64_C(1700000000123));
    js_put_time(&b, "before", -1);
    js_name(&b, "raw");
    js_raw(&b, SLICE("[1]"));
    js_name(&b, "bytes");
    js_bytes(&b, SLICE("abc"));
    js_close(&b, '}');
    CHECK_TEXT(
        buf_cstr(&b),
        "{\"a\":\"x[{\",\"none\":null,\"list\":[-1,0.5,null,{},true],\"t\":\"2023-11-14T22:13:20."
        "123Z\",\"before\":\"1969-12-31T23:59:59.999Z\",\"raw\":[1],\"bytes\":\"YWJj\"}");
    buf_done(&b);
}

/* --- what numbers were ---------------------------------------------------------------------------
 */

static void told(struct history *h, const char *part, int64_t from_ms, int64_t now_ms,
                 struct buf *out)
{
    struct history_ask ask = {slice_of(part), SLICE("rate"), from_ms, now_ms, 10};
    buf_reset(out);
    history_put(h, &ask, out);
}

TEST(numbers_are_remembered_with_their_gaps)
{
    struct history *h = history_new();
    struct buf out = buf_make(MIB(1));
    int64_t t = INT64_C(1700000040000); /* a minute's first moment */
    history_note(h, "a", "rate", 1, t);
    history_note(h, "a", "rate", 2, t + 2000);
    history_note(h, "a", "rate", 5, t + 8000); /* two steps were missed */
    history_note(h, "b", "rate", NAN, t);
    told(h, "a", t, t + 8000, &out);
    CHECK(strstr(buf_cstr(&out), "\"values\":[1,2,null,null,5]") != NULL);
    told(h, "a", t, t + 10000, &out); /* this step's is still to come */
    CHECK(strstr(buf_cstr(&out), "\"values\":[1,2,null,null,5]") != NULL);
    told(h, "a", t, t + 12000, &out); /* now one is missing */
    CHECK(strstr(buf_cstr(&out), "\"values\":[1,2,null,null,5,null,null]") != NULL);
    told(h, "b", t, t, &out);
    CHECK(strstr(buf_cstr(&out), "\"values\":[null]") != NULL);
    history_note(h, "a", "rate", 10, t + 60000);
    told(h, "a", t - 3600000, t + 60000, &out); /* minutes: means */
    CHECK(strstr(buf_cstr(&out), "\"step_ms\":60000") != NULL);
    CHECK(strstr(buf_cstr(&out), "null,2.6666667461395264,10]") != NULL);
    told(h, "none", t, t, &out);
    CHECK_INT(out.len, 0);
    CHECK(history_last(h, "a", "rate", t + 61000) == 10);
    CHECK(isnan(history_last(h, "a", "rate", t + 80000))); /* too old to be now */
    CHECK(isnan(history_last(h, "none", "rate", t)));
    history_free(h);
    buf_done(&out);
}

TEST(a_day_is_kept_and_no_more_series_than_may_be)
{
    struct history *h = history_new();
    struct buf out = buf_make(MIB(8));
    int64_t t = INT64_C(1700000040000);
    char name[32];
    for (int i = 0; i < HISTORY_SERIES_MAX + 5; i++) {
        snprintf(name, sizeof(name), "p%d", i);
        history_note(h, name, "rate", 1, t);
    }
    told(h, "p2004", t, t, &out); /* there was no room, and nobody is gone for an hour */
    CHECK_INT(out.len, 0);
    history_note(h, "late", "rate", 1, t + 3600000);
    told(h, "late", t + 3600000, t + 3600000, &out);
    CHECK(out.len > 0);
    for (int64_t m = 0; m < 3000; m++) history_note(h, "p7", "rate", (double)m, t + m * 60000);
    told(h, "p7", t, t + 2999 * 60000, &out);
    CHECK(strstr(buf_cstr(&out), "\"values\":[1560,1561,") != NULL);
    CHECK(strstr(buf_cstr(&out), ",2999]") != NULL);
    history_note(h, "p7", "rate", 4, t); /* a clock that went back changes nothing */
    told(h, "p7", t, t + 2999 * 60000, &out);
    CHECK(strstr(buf_cstr(&out), ",2999]") != NULL);
    history_free(h);
    buf_done(&out);
}
