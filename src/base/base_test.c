/* Slices, numbers, the nearest word, and the table of errors with its stories. */
#include "base/err.h"
#include "test.h"

#include <errno.h>
#include <math.h>

TEST(slices_compare_bytewise_and_the_shorter_comes_first)
{
    CHECK(slice_compare(SLICE("a"), SLICE("b")) < 0);
    CHECK(slice_compare(SLICE("b"), SLICE("a")) > 0);
    CHECK(slice_compare(SLICE("a"), SLICE("aa")) < 0);
    CHECK(slice_compare(SLICE("aa"), SLICE("a")) > 0);
    CHECK(slice_compare(SLICE("\xff"), SLICE("a")) > 0);
    CHECK(slice_compare((struct slice){0}, SLICE("")) == 0);
    CHECK(slice_equal((struct slice){0}, SLICE("")));
    CHECK(slice_equal_nocase(SLICE("SeLecT"), SLICE("select")));
    CHECK(!slice_equal_nocase(SLICE("[a"), SLICE("{A")));
    CHECK(!slice_equal_nocase(SLICE("sel"), SLICE("select")));
    CHECK(slice_starts(SLICE("select"), "sel") && !slice_starts(SLICE("se"), "sel"));
    CHECK_SLICE(slice_trim(SLICE(" \t\r\n a b \v\f")), "a b");
    CHECK_INT(slice_trim(SLICE("  ")).len, 0);
}

TEST(a_slice_that_does_not_fit_a_c_string_says_so_and_is_cut)
{
    char out[4];
    CHECK(slice_to_cstr(SLICE("abc"), out, sizeof(out)));
    CHECK_TEXT(out, "abc");
    CHECK(!slice_to_cstr(SLICE("abcd"), out, sizeof(out)));
    CHECK_TEXT(out, "abc");
    CHECK(slice_to_cstr((struct slice){0}, out, sizeof(out)));
    CHECK_TEXT(out, "");
}

TEST(whole_numbers_are_read_to_their_limits_and_not_past_them)
{
    static const struct {
        const char *text;
        bool ok;
        int64_t value;
    } cases[] = {{"0", true, 0},
                 {"-0", true, 0},
                 {"+7", true, 7},
                 {"9223372036854775807", true, INT64_MAX},
                 {"-9223372036854775808", true, INT64_MIN},
                 {"9223372036854775808", false, 0},
                 {"-9223372036854775809", false, 0},
                 {"99999999999999999999", false, 0},
                 {"", false, 0},
                 {"-", false, 0},
                 {"+", false, 0},
                 {"--1", false, 0},
                 {" 1", false, 0},
                 {"1 ", false, 0},
                 {"1x", false, 0},
                 {"0x10", false, 0}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int64_t v = 0;
        bool ok = slice_to_i64(slice_of(cases[i].text), &v);
        if (ok != cases[i].ok || (ok && v != cases[i].value))
            test_failed(__FILE__, __LINE__, "'%s' -> %d %" PRId64, cases[i].text, ok, v);
    }
    uint64_t u = 0;
    CHECK(slice_to_u64(SLICE("18446744073709551615"), &u) && u == UINT64_MAX);
    CHECK(!slice_to_u64(SLICE("18446744073709551616"), &u));
    CHECK(!slice_to_u64(SLICE("-1"), &u));
}

TEST(doubles_are_read_whole)
{
    double v = 0;
    CHECK(slice_to_f64(SLICE("-1.5e3"), &v) && v == -1500);
    CHECK(slice_to_f64(SLICE("1e400"), &v) && isinf(v));
    CHECK(!slice_to_f64(SLICE("1.5x"), &v));
    CHECK(!slice_to_f64(SLICE(" 1"), &v));
    CHECK(!slice_to_f64(SLICE(""), &v));
}

TEST(the_nearest_word_is_found_and_a_far_one_is_not)
{
    static const char *const words[] = {"postcode", "listen", "retention", "id", "data", "from"};
    static const struct {
        const char *word, *want;
    } cases[] = {{"postcod", "postcode"},
                 {"FORM", "from"},
                 {"pstcode", "postcode"},
                 {"POSTCODE", "postcode"},
                 {"lisetn", "listen"},
                 {"retnetion", "retention"},
                 {"ids", "id"},
                 {"dat", "data"},
                 {"kitchen", NULL},
                 {"xyz", NULL},
                 {"", NULL}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const char *got = nearest_word(slice_of(cases[i].word), words, COUNT_OF(words));
        CHECK_TEXT(got ? got : "(none)", cases[i].want ? cases[i].want : "(none)");
    }
    char big[200];
    memset(big, 'a', sizeof(big));
    CHECK(nearest_word(slice_make(big, sizeof(big)), words, COUNT_OF(words)) == NULL);
}

TEST(every_error_has_a_text_and_codes_that_fit_their_protocols)
{
    for (int e = 0; e < ERR_COUNT; e++) {
        CHECK(err_name((err_t)e)[0] && err_text((err_t)e)[0] && err_hint((err_t)e));
        CHECK_INT(strlen(err_sqlstate((err_t)e)), 5);
        CHECK(err_http((err_t)e) >= 200 && err_http((err_t)e) < 600);
        CHECK(err_kafka((err_t)e) >= -1);
        CHECK(err_cql((err_t)e) >= 0);
    }
    CHECK_TEXT(err_name(ERR_DISK_FULL), "DISK_FULL");
    CHECK_INT(err_kafka(ERR_UNKNOWN_TOPIC), 3);
    CHECK_INT(err_cql(ERR_LOGIN), 0x0100);
    CHECK_INT(err_from_errno(ENOSPC), ERR_DISK_FULL);
    CHECK_INT(err_from_errno(ENOENT), ERR_NOT_FOUND);
    CHECK_INT(err_from_errno(0), ERR_OK);
    CHECK_INT(err_from_errno(EIO), ERR_IO);
}

TEST(a_story_is_told_over_four_lines_and_leaves_empty_parts_out)
{
    struct diag d;
    char text[2048];
    CHECK_INT(diag_fail(&d, ERR_UNKNOWN_COLUMN, "no column '%s'", "postcod"), ERR_UNKNOWN_COLUMN);
    CHECK_INT(diag_where(&d, "pipeline.sql:%d:%d", 12, 8), ERR_UNKNOWN_COLUMN);
    CHECK_INT(diag_hint(&d, "did you mean 'postcode'?"), ERR_UNKNOWN_COLUMN);
    diag_format(&d, text, sizeof(text));
    CHECK_TEXT(text, "error: no column 'postcod'\n  at pipeline.sql:12:8\n  hint: did you mean "
                     "'postcode'?");
    CHECK_INT(diag_errno(&d, ENOSPC, "write of %d bytes", 4096), ERR_DISK_FULL);
    diag_format(&d, text, sizeof(text));
    CHECK(strstr(text,
                 "error: write of 4096 bytes\n  because No space left on device\n  hint: free "
                 "space"));
    CHECK(d.where[0] == 0);
    (void)diag_fail(&d, ERR_SYNTAX, "what");
    (void)diag_why(&d, "SELECT a FORM b\n         ^");
    diag_format(&d, text, sizeof(text));
    CHECK_TEXT(text, "error: what\n  because SELECT a FORM b\n                   ^");
    CHECK_INT(diag_where(&d, "pipeline.sql:12:8"), ERR_SYNTAX);
    CHECK_INT(diag_hint(&d, "FROM"), ERR_SYNTAX);
    diag_format(&d, text, sizeof(text));
    struct diag again = {.err = ERR_PEER, .what = "stays where the story has none"};
    diag_parse(&again, "");
    CHECK_TEXT(again.what, "stays where the story has none");
    diag_parse(&again, text);
    CHECK_INT(again.err, ERR_PEER);
    CHECK_TEXT(again.what, d.what);
    CHECK_TEXT(again.where, d.where);
    CHECK_TEXT(again.why, d.why);
    CHECK_TEXT(again.hint, d.hint);
    CHECK_INT(diag_fail(NULL, ERR_IO, "nobody listens"), ERR_IO);
    CHECK_INT(diag_where(NULL, "nowhere"), ERR_INTERNAL);
}

TEST(a_story_that_is_too_long_ends_in_an_ellipsis_and_never_overruns)
{
    struct diag d;
    char big[2000], text[40];
    memset(big, 'x', sizeof(big) - 1);
    big[sizeof(big) - 1] = 0;
    (void)diag_fail(&d, ERR_IO, "%s", big);
    CHECK_INT(strlen(d.what), sizeof(d.what) - 1);
    CHECK_TEXT(d.what + sizeof(d.what) - 4, "\xe2\x80\xa6");
    for (int front = 0; front < 4; front++) { /* never in the middle of a character */
        for (size_t i = 0; i + 4 < sizeof(big); i += 4) memcpy(big + i, "\xf0\x9f\x90\x8d", 5);
        (void)diag_fail(&d, ERR_IO, "%.*s%s", front, "abc", big);
        CHECK_TEXT(d.what + strlen(d.what) - 7, "\xf0\x9f\x90\x8d\xe2\x80\xa6");
    }
    memset(big, 'x', sizeof(big) - 1);
    for (size_t cap = 1; cap <= sizeof(text); cap++) {
        memset(text, '#', sizeof(text));
        diag_format(&d, text, cap);
        CHECK(strnlen(text, cap) == cap - 1);
        CHECK(cap == sizeof(text) || text[cap] == '#');
    }
}
