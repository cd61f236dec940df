/* COPY's CSV: what cqlsh writes by Python's csv, read; and what we write. */
#include "main/cql/records.h"

#include "test.h"

static const struct records_form usual = {',', '"', '\\'}, doubled = {',', '"', '"'};

static FILE *file_of(struct records *r, const struct records_form *form, const char *text)
{
    FILE *file = fmemopen((void *)text, strlen(text), "r");
    CHECK(file != NULL);
    records_open(r, file, form);
    return file;
}

/* The fields of all records, `|` between them, `;` behind a record, `''` for a quoted nothing. */
static void check_reads(const struct records_form *form, const char *text, const char *want)
{
    for (size_t at_once = 1; at_once < 9; at_once += 3) {
        static struct records r;
        struct buf seen = buf_make(KIB(4));
        FILE *file = file_of(&r, form, text);
        r.at_once = at_once;
        err_t e;
        while (!(e = records_next(&r, NULL))) {
            for (uint32_t i = 0; i < r.count; i++) {
                if (i) buf_char(&seen, '|');
                buf_slice(&seen, r.fields[i]);
                if (!r.fields[i].len && r.quoted[i]) buf_text(&seen, "''");
            }
            buf_text(&seen, r.unclosed ? "…" : ";");
        }
        CHECK_ERR(e, ERR_NOT_FOUND);
        CHECK_SLICE(buf_view(&seen), want);
        records_close(&r);
        fclose(file);
        buf_done(&seen);
    }
}

TEST(records_are_read_as_pythons_csv_reads_them)
{
    check_reads(&usual, "a,b\r\nc,d", "a|b;c|d;");
    check_reads(&usual, "1,,\"\",\"x,y\"\n\n2,\"a\nb\"\r3", "1||''|x,y;;2|a\nb;3;");
    check_reads(&usual, "a\\\"b,\"c\\\"d\",e\\,f,\\\\\n", "a\"b|c\"d|e,f|\\;");
    check_reads(&usual, "a\"b\",\"c\"d\n", "a\"b\"|cd;"); /* a quote counts at the begin only */
    check_reads(&doubled, "\"a\"\"b\",\"\"\"\",a\"\"b\\\n", "a\"b|\"|a\"\"b\\;");
    check_reads(&usual, "a,\"b\nc", "a|b\nc…");
    check_reads(&usual, "a\\", "a;");
}

TEST(what_is_written_is_read_as_it_was)
{
    static const char *const texts[] = {"",       "a",  "a,b",  "a\"b",   "\"",  "\"a\"",
                                        "a\r\nb", "\\", "\\\"", "a\"\"b", " a ", "\"\""};
    const struct records_form *const forms[] = {&usual, &doubled};
    for (size_t k = 0; k < COUNT_OF(forms); k++) {
        static struct records r;
        struct buf line = buf_make(KIB(4));
        for (size_t i = 0; i < COUNT_OF(texts); i++) {
            if (i) buf_char(&line, ',');
            records_put_field(forms[k], slice_of(texts[i]), &line);
        }
        buf_text(&line, "\r\n");
        FILE *file = file_of(&r, forms[k], buf_cstr(&line));
        CHECK_OK(records_next(&r, NULL), NULL);
        CHECK_INT(r.count, COUNT_OF(texts));
        for (size_t i = 0; i < COUNT_OF(texts); i++) CHECK_SLICE(r.fields[i], texts[i]);
        CHECK(r.quoted[0]);
        records_close(&r);
        fclose(file);
        buf_done(&line);
    }
}

TEST(a_form_whose_characters_are_alike_is_none)
{
    CHECK(records_form_good(&usual) && records_form_good(&doubled));
    CHECK(!records_form_good(&(struct records_form){'"', '"', '\\'}));
    CHECK(!records_form_good(&(struct records_form){',', '"', ','}));
    CHECK(!records_form_good(&(struct records_form){'\n', '"', '\\'}));
}

TEST(a_record_without_end_and_a_file_that_can_not_be_read_are_told)
{
    static struct records r;
    struct diag d = {0};
    FILE *file = fopen("/dev/zero", "re");
    records_open(&r, file, &usual);
    CHECK_ERR(records_next(&r, &d), ERR_TOO_BIG);
    records_close(&r);
    fclose(file);
    file = fopen("/", "re");
    records_open(&r, file, &usual);
    CHECK_ERR(records_next(&r, &d), ERR_IO);
    records_close(&r);
    fclose(file);
}

TEST(lines_are_read_no_further_than_asked_for)
{
    static struct records r;
    char rest[16] = "";
    FILE *file = file_of(&r, &usual, "1,\"a\nb\"\n.\nSELECT\n");
    r.by_line = true;
    CHECK_OK(records_next(&r, NULL), NULL);
    CHECK_SLICE(r.fields[1], "a\nb");
    CHECK_OK(records_next(&r, NULL), NULL);
    CHECK_SLICE(r.line, ".");
    CHECK(fgets(rest, sizeof(rest), file) != NULL);
    CHECK_TEXT(rest, "SELECT\n");
    records_close(&r);
    fclose(file);
}
