/* CSV: RFC 4180's own examples, what real files add to it, errors with their place, limits, and
 * random records written and read back. */
#include "data/csv.h"
#include "test.h"

enum { FIELDS = 8 };
static const struct csv_options options = {.fields_max = FIELDS, .field_bytes_max = 100};

/* All records as "a|b;c|d;", an absent field as "~". */
static err_t read_all(const char *text, struct csv_options o, struct buf *out, struct diag *d)
{
    struct arena *a = arena_new(MIB(1));
    struct csv_reader r = csv_reader_make(slice_of(text), o);
    struct slice fields[FIELDS];
    uint32_t count;
    err_t e;
    while ((e = csv_next(&r, a, fields, &count, d)) == ERR_OK) {
        for (uint32_t i = 0; i < count; i++) {
            if (i) buf_char(out, '|');
            if (fields[i].at)
                buf_slice(out, fields[i]);
            else
                buf_char(out, '~');
        }
        buf_char(out, ';');
    }
    arena_free(a);
    return e;
}

TEST(records_of_rfc_4180_and_of_real_files)
{
    static const struct {
        const char *text, *want;
        char delimiter, quote;
    } cases[] = {
        {"", "", 0, 0},
        {"aaa,bbb,ccc\r\nzzz,yyy,xxx\r\n", "aaa|bbb|ccc;zzz|yyy|xxx;", 0, 0},
        {"aaa,bbb,ccc\r\nzzz,yyy,xxx", "aaa|bbb|ccc;zzz|yyy|xxx;", 0, 0},
        {"\"aaa\",\"bbb\",\"ccc\"\r\nzzz,yyy,xxx", "aaa|bbb|ccc;zzz|yyy|xxx;", 0, 0},
        {"\"aaa\",\"b \r\nbb\",\"ccc\"\r\nzzz", "aaa|b \r\nbb|ccc;zzz;", 0, 0},
        {"\"aaa\",\"b\"\"bb\",\"ccc\"", "aaa|b\"bb|ccc;", 0, 0},
        {"\xEF\xBB\xBFid,name\n1,x\n", "id|name;1|x;", 0, 0},
        {"a\rb\rc", "a;b;c;", 0, 0},
        {",\n", "~|~;", 0, 0},
        {"\"\",x", "|x;", 0, 0},
        {"\n\na\n", "~;~;a;", 0, 0},
        {"a,", "a|~;", 0, 0},
        {" a , b ", " a | b ;", 0, 0},
        {"\"\"\"\"", "\";", 0, 0},
        {"a;'b;c'\n'it''s'", "a|b;c;it's;", ';', '\''},
        {"a\tb", "a|b;", '\t', 0},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct buf out = buf_make(KIB(4));
        struct csv_options o = options;
        o.delimiter = cases[i].delimiter;
        o.quote = cases[i].quote;
        CHECK_ERR(read_all(cases[i].text, o, &out, NULL), ERR_NOT_FOUND);
        CHECK_TEXT(buf_cstr(&out), cases[i].want);
        buf_done(&out);
    }
}

TEST(a_wrong_record_is_told_with_its_place)
{
    static const struct {
        const char *text, *what, *where;
        err_t err;
    } cases[] = {
        {"a,b\nc,\"d\ne", "a quoted field does not end", "line 2, column 3", ERR_MALFORMED},
        {"a,b\n\"x\ny\",z\"\n", "a quote inside a field that does not begin with one",
         "line 3, column 5", ERR_MALFORMED},
        {"gr\xc3\xbcn,\"b\"c", "text behind a closing quote", "line 1, column 9", ERR_MALFORMED},
        {"1,2,3,4,5,6,7,8,9", "a record has more fields than the limit", "line 1, column 17",
         ERR_TOO_BIG},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct buf out = buf_make(KIB(4));
        struct diag d = {0};
        CHECK_ERR(read_all(cases[i].text, options, &out, &d), cases[i].err);
        CHECK_TEXT(d.what, cases[i].what);
        CHECK_TEXT(d.where, cases[i].where);
        buf_done(&out);
    }
}

TEST(a_field_is_bounded_in_quotes_and_without)
{
    char text[256];
    for (int quoted = 0; quoted < 2; quoted++)
        for (int len = 100; len <= 101; len++) {
            struct buf out = buf_make(KIB(4));
            struct diag d = {0};
            snprintf(text, sizeof(text), quoted ? "b\n\"%0*d\"" : "b\n%0*d", len, 7);
            CHECK_ERR(read_all(text, options, &out, &d), len > 100 ? ERR_TOO_BIG : ERR_NOT_FOUND);
            if (len > 100) CHECK_TEXT(d.where, "line 2, column 1");
            buf_done(&out);
        }
}

TEST(what_is_written_reads_back)
{
    static const char letters[] = "a,\"\r\n' ;\xEF\xBB\xBF";
    struct arena *a = arena_new(MIB(1));
    uint64_t seed = 3;
    for (int round = 0; round < 5000; round++) {
        char texts[4][12];
        struct slice in[4], fields[FIELDS];
        struct buf out = buf_make(KIB(4));
        uint32_t count;
        for (int f = 0; f < 4; f++) {
            in[f] = slice_make(texts[f], test_random(&seed) % sizeof(texts[f]));
            for (uint32_t i = 0; i < in[f].len; i++)
                texts[f][i] = letters[test_random(&seed) % (sizeof(letters) - 1)];
            if (f) buf_char(&out, ',');
            csv_put_field(&out, in[f], NULL);
        }
        buf_text(&out, "\r\n");
        struct csv_reader r = csv_reader_make(buf_view(&out), options);
        struct diag d = {0};
        CHECK_OK(csv_next(&r, a, fields, &count, &d), &d);
        CHECK_INT(count, 4);
        for (uint32_t f = 0; f < MIN(count, 4u); f++)
            CHECK(slice_equal(fields[f], in[f]) && fields[f].at);
        CHECK_ERR(csv_next(&r, a, fields, &count, &d), ERR_NOT_FOUND);
        buf_done(&out);
        arena_reset(a);
    }
    arena_free(a);
}
