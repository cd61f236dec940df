#include "data/shape.h"
#include "test.h"

static void add(struct shape *s, struct json_decoder *j, const char *text)
{
    char padded[600] = {0};
    snprintf(padded, sizeof(padded) - JSON_PADDING, "%s", text);
    CHECK(shape_add(s, j, slice_make(padded, strlen(text))) == ERR_OK);
}

TEST(a_schema_is_what_the_records_have)
{
    struct arena *a = arena_new(MIB(1));
    struct json_decoder *j = json_decoder_new();
    struct shape s;
    CHECK(shape_init(&s, a) == ERR_OK);
    add(&s, j,
        "{\"id\":{\"v\":1},\"tags\":[\"a\",\"b\"],\"post\":12,\"mail\":\"a.b@example.com\"}");
    add(&s, j, " { \"post\" : \"12a\" , \"id\" : { \"v\" : 2.5 } , \"tags\":[] } ");
    add(&s, j, "{\"post\":null}");
    add(&s, j, "{\"post\":");
    CHECK(s.records == 4 && s.broken == 1 && !s.cut);
    const struct shape_field *post = shape_find(&s, "post"), *v = shape_find(&s, "id.v");
    const struct shape_field *tags = shape_find(&s, "tags[]"), *mail = shape_find(&s, "mail");
    CHECK(post && post->records == 3 && post->kinds[SHAPE_INTEGER] == 1 &&
          post->kinds[SHAPE_TEXT] == 1 && post->kinds[SHAPE_NULL] == 1);
    CHECK(v && v->kinds[SHAPE_INTEGER] == 1 && v->kinds[SHAPE_NUMBER] == 1);
    CHECK(tags && tags->values == 2 && tags->records == 1);
    CHECK(mail && mail->emails == 1 && mail->phones == 0);
    CHECK(!shape_is_leaf(shape_find(&s, "id")) && shape_is_leaf(post));
    CHECK(!shape_find(&s, "nothing"));
    shape_done(&s);
    json_decoder_free(j);
    arena_free(a);
}

TEST(texts_are_known_by_what_they_look_like)
{
    static const struct {
        const char *text;
        int emails, phones, cards;
    } rows[] = {{"elaine@example.com", 1, 0, 0},
                {"@example.com", 0, 0, 0},
                {"a@b", 0, 0, 0},
                {"two words@x.y", 0, 0, 0},
                {"(272) 790-0888", 0, 1, 0},
                {"+4520123456", 0, 1, 0},
                {"20261121", 0, 0, 0},
                {"4111 1111 1111 1111", 0, 0, 1},
                {"4111111111111112", 0, 0, 0},
                {"12345678", 0, 0, 0}};
    struct json_decoder *j = json_decoder_new();
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct arena *a = arena_new(MIB(1));
        struct shape s;
        char record[100];
        CHECK(shape_init(&s, a) == ERR_OK);
        snprintf(record, sizeof(record), "{\"x\":\"%s\"}", rows[i].text);
        add(&s, j, record);
        const struct shape_field *f = shape_find(&s, "x");
        CHECK(f && f->emails == (uint64_t)rows[i].emails && f->phones == (uint64_t)rows[i].phones &&
              f->cards == (uint64_t)rows[i].cards);
        shape_done(&s);
        arena_free(a);
    }
    json_decoder_free(j);
}

TEST(examples_are_kept_where_they_are_asked_for)
{
    struct arena *a = arena_new(MIB(1));
    struct json_decoder *j = json_decoder_new();
    struct shape s;
    CHECK(shape_init(&s, a) == ERR_OK);
    add(&s, j, "{\"x\":1}");
    CHECK_INT(shape_find(&s, "x")->example_count, 0);
    s.examples = true;
    add(&s, j, "{\"x\":1,\"o\":{\"y\":null}}");
    add(&s, j, "{\"x\":1}");
    add(&s, j, "{\"x\":\"two\"}");
    add(&s, j, "{\"x\":3.5}");
    add(&s, j, "{\"x\":4}");
    const struct shape_field *x = shape_find(&s, "x");
    CHECK_INT(x->example_count, 3);
    CHECK_SLICE(x->examples[0], "1");
    CHECK_SLICE(x->examples[1], "\"two\"");
    CHECK_SLICE(x->examples[2], "3.5");
    CHECK_INT(shape_find(&s, "o")->example_count, 0);
    CHECK_INT(shape_find(&s, "o.y")->example_count, 0);
    /* cut between two characters: 39 of two bytes fit behind the quote */
    char text[300] = "{\"long\":\"";
    for (int i = 0; i < 60; i++) strcat(text, "\xc3\xa6");
    add(&s, j, strcat(text, "\"}"));
    CHECK_INT(shape_find(&s, "long")->examples[0].len, 79);
    shape_done(&s);
    json_decoder_free(j);
    arena_free(a);
}
