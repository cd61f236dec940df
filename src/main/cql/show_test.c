/* Values as cqlsh 6.2.2 printed them, from their binary forms. */
#include "data/value.h"
#include "main/cql/shell.h"

#include "test.h"
#include <locale.h>

static const struct {
    const char *type, *text; /* as CQL's literal without quotes */
    const char *want;
} shown[] = {
    {"boolean", "true", "True"},
    {"int", "-7", "-7"},
    {"varint", "44444444444444444444444", "44444444444444444444444"},
    {"decimal", "1.50", "1.50"},
    {"decimal", "1E+10", "1E+10"},
    {"decimal", "0.00000001", "1E-8"},
    {"double", "0.1", "0.1"},
    {"double", "1e20", "1e+20"},
    {"double", "123456789.123", "1.2346e+08"},
    {"double", "1000000", "1e+06"},
    {"double", "0", "0"},
    {"double", "NaN", "NaN"},
    {"float", "3.14159265", "3.14159"},
    {"float", "1e-7", "1e-07"},
    {"float", "100000", "1e+05"},
    {"float", "12345.678", "12345.67773"},
    {"float", "-Infinity", "-Infinity"},
    {"text", "it's \"q\" \\ back", "it's \"q\" \\\\ back"},
    {"text", "line\ntwo\ttab\x01", "line\\ntwo\\ttab\\x01"},
    {"text", "", ""},
    {"blob", "0xcafe", "0xcafe"},
    {"timestamp", "2015-05-03 13:30:54.234+0000", "2015-05-03 13:30:54.234000+0000"},
    {"timestamp", "1969-12-31 23:59:59.999+0000", "1969-12-31 23:59:59.999000+0000"},
    {"date", "2015-05-03", "2015-05-03"},
    {"time", "13:30:54.234", "13:30:54.234000000"},
    {"duration", "1y2mo3d4h5m6s", "1y2mo3d4h5m6s"},
    {"inet", "::1", "::1"},
    {"uuid", "50554d6e-29bb-11e5-b345-feff819cdc9f", "50554d6e-29bb-11e5-b345-feff819cdc9f"},
    {"list<text>", "['a', 'it''s']", "['a', 'it''s']"},
    {"set<int>", "{3, 1, 2}", "{1, 2, 3}"},
    {"map<text, timestamp>", "{'x': '2015-05-03 13:30:54.234+0000'}",
     "{'x': '2015-05-03 13:30:54.234000+0000'}"},
    {"tuple<int, text>", "(1, null)", "(1, None)"},
    {"struct<street text, zip list<int>>", "{street: null, zip: [1, 2]}",
     "{street: null, zip: [1, 2]}"},
};

static void show(struct arena *a, const struct show_form *f, const char *type, const char *text,
                 struct buf *out)
{
    const struct type *t = NULL;
    struct value v;
    struct buf binary = buf_make(KIB(4));
    struct diag d = {0};
    CHECK_OK(type_parse(slice_of(type), a, &t, &d), &d);
    CHECK_OK(value_from_text(t, slice_of(text), a, &v, &d), &d);
    value_to_binary(&v, &binary);
    struct native_value n = {buf_view(&binary), NATIVE_SET};
    buf_reset(out);
    show_value(f, t, &n, false, out);
    buf_done(&binary);
}

TEST(values_are_shown_as_cqlsh_shows_them)
{
    struct arena *a = arena_new(MIB(1));
    struct buf out = buf_make(KIB(4));
    for (size_t i = 0; i < COUNT_OF(shown); i++) {
        show(a, &show_plain, shown[i].type, shown[i].text, &out);
        CHECK_TEXT(buf_cstr(&out), shown[i].want);
    }
    struct native_value null = {.state = NATIVE_NULL}, empty = {SLICE(""), NATIVE_SET};
    struct native_value odd = {SLICE("abc"), NATIVE_SET};
    buf_reset(&out);
    show_value(&show_plain, type_of(TYPE_INT), &null, false, &out);
    CHECK_TEXT(buf_cstr(&out), "null");
    buf_reset(&out);
    show_value(&show_plain, type_of(TYPE_INT), &empty, false, &out);
    CHECK_INT(out.len, 0);
    show_value(&show_plain, type_of(TYPE_INT), &odd, false, &out); /* no int: as it came */
    CHECK_TEXT(buf_cstr(&out), "0x616263");
    buf_done(&out);
    arena_free(a);
}

TEST(separators_and_digits_of_copy_are_those_that_were_asked_for)
{
    struct arena *a = arena_new(MIB(1));
    struct buf out = buf_make(KIB(4));
    struct show_form f = show_plain;
    f.copy = f.milliseconds = true;
    f.decimal_sep = ',';
    f.thousands_sep = '.';
    f.double_digits = 12;
    show(a, &f, "double", "-1234567.5", &out);
    CHECK_TEXT(buf_cstr(&out), "-1.234.567,5");
    show(a, &f, "int", "123", &out);
    CHECK_TEXT(buf_cstr(&out), "123");
    show(a, &f, "bigint", "1000000", &out);
    CHECK_TEXT(buf_cstr(&out), "1.000.000");
    show(a, &f, "text", "a\\b\n", &out);
    CHECK_TEXT(buf_cstr(&out), "a\\b\n");
    show(a, &f, "timestamp", "2015-05-03 13:30:54.234+0000", &out);
    CHECK_TEXT(buf_cstr(&out), "2015-05-03 13:30:54.234+0000");
    buf_done(&out);
    arena_free(a);
}

TEST(widths_count_what_a_terminal_shows)
{
    (void)setlocale(LC_CTYPE, "C.UTF-8");
    CHECK_INT(show_width(SLICE("abc")), 3);
    CHECK_INT(show_width(SLICE("\xc3\xa9")), 1);
    CHECK_INT(show_width(SLICE("\xe6\xbc\xa2")), 2);
    CHECK_INT(show_width(SLICE("e\xcc\x81")), 1); /* a mark over the letter before */
    CHECK_INT(show_width(SLICE("\xff\xc3")),
              2); /* no UTF-8: a byte is itself, the end is the end */
}

TEST(words_of_a_command_are_told_apart)
{
    struct arena *a = arena_new(KIB(64));
    struct slice rest = SLICE("COPY ks.\"T\"\"x\" /* c */ (a,b) -- to the end\nFROM 'it''s' ;"),
                 word;
    static const char *const want[] = {"COPY", "ks", ".", "\"T\"\"x\"", "(",       "a",
                                       ",",    "b",  ")", "FROM",       "'it''s'", ";"};
    for (size_t i = 0; i < COUNT_OF(want); i++) {
        CHECK(shell_word(&rest, &word));
        CHECK_SLICE(word, want[i]);
    }
    CHECK(!shell_word(&rest, &word));
    CHECK_SLICE(shell_unquote(a, SLICE("'it''s'")), "it's");
    CHECK_SLICE(shell_unquote(a, SLICE("\"T\"\"x\"")), "T\"x");
    CHECK_SLICE(shell_unquote(a, SLICE("Folded")), "folded");
    rest = SLICE("'never closed");
    CHECK(shell_word(&rest, &word) && word.len == 13 && rest.len == 0);
    arena_free(a);
}
