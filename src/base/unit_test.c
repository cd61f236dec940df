/* Goal: what people write is read, what is no unit is not taken for one. */
#include "base/unit.h"

#include "test.h"

TEST(unit_texts_are_read_or_refused)
{
    static const struct {
        const char *text;
        bool ms, bytes;
        int64_t value;
    } rows[] = {
        {"500ms", true, false, 500},
        {"10s", true, false, 10000},
        {"7d", true, false, 604800000},
        {"5 m", true, false, 300000},
        {"42", true, true, 42},
        {"64KiB", false, true, 65536},
        {"5 MB", false, true, 5000000},
        {"-1", true, true, -1},
        {"", false, false, 0},
        {"s", false, false, 0},
        {"1.5s", true, false, 1500},
        {"1h 30m", true, false, 5400000},
        {"PT5M", true, false, 300000},
        {"100us", false, false, 0}, /* not of whole milliseconds */
        {"1 month", false, false, 0},
        {"10 parsecs", false, false, 0},
        {"9223372036854775807w", false, false, 0},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        int64_t ms = 0, bytes = 0;
        CHECK_INT(unit_parse_ms(slice_of(rows[i].text), &ms), rows[i].ms);
        CHECK_INT(unit_parse_bytes(slice_of(rows[i].text), &bytes), rows[i].bytes);
        if (rows[i].ms) CHECK_INT(ms, rows[i].value);
        if (rows[i].bytes) CHECK_INT(bytes, rows[i].value);
    }
}

TEST(unit_numbers_are_printed_for_people)
{
    struct buf b = buf_make(1024);
    unit_put_count(&b, 1234567);
    buf_char(&b, '|');
    unit_put_count(&b, 999);
    buf_char(&b, '|');
    unit_put_bytes(&b, 1536);
    buf_char(&b, '|');
    unit_put_ms(&b, 200123);
    CHECK_TEXT(buf_cstr(&b), "1,234,567|999|1.5 KiB|3 m 20 s");
    buf_done(&b);
}
