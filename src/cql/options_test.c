/* The options of tables: numbers as Java prints them, maps read back. */
#include "cql/table_options.h"
#include "test.h"

static void check_double(double v, const char *want)
{
    char text[64];
    struct buf b = buf_over(text, sizeof(text));
    put_java_double(&b, v);
    CHECK_TEXT(buf_cstr(&b), want);
}

TEST(doubles_are_printed_as_java_does)
{
    check_double(0.01, "0.01");
    check_double(1, "1.0");
    check_double(0.1, "0.1");
    check_double(99.5, "99.5");
    check_double(0.001, "0.001");
    check_double(0.00001, "1.0E-5");
    check_double(6.71e-5, "6.71E-5");
    check_double(1234567, "1234567.0");
    check_double(12345678, "1.2345678E7");
    check_double(-0.25, "-0.25");
    check_double(0, "0.0");
    check_double(100, "100.0");
    check_double(1.0 / 3, "0.3333333333333333");
}

TEST(an_options_map_is_read_as_it_was_printed)
{
    struct arena *a = arena_new(MIB(1));
    struct option_pairs p = {.count = 0}, back;
    CHECK(option_pair_set(&p, SLICE("z"), SLICE("it's")));
    CHECK(option_pair_set(&p, SLICE("a b"), SLICE("")));
    struct slice text = option_pairs_text(&p, a);
    CHECK_SLICE(text, "{'a b': '', 'z': 'it''s'}");
    CHECK_OK(option_pairs_read(text, a, &back), NULL);
    CHECK_INT(back.count, 2);
    CHECK_SLICE(*option_pair(&back, "z"), "it's");
    CHECK_OK(option_pairs_read(SLICE("{}"), a, &back), NULL);
    CHECK_INT(back.count, 0);
    static const char *const bad[] = {"",         "{", "{'a'}",        "{'a': }",
                                      "{'a': 'b", "a", "{'a': 'b' 'c'"};
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        CHECK_ERR(option_pairs_read(slice_of(bad[i]), a, &back), ERR_MALFORMED);
    arena_free(a);
}
