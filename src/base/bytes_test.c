/* Reading bytes that lie and writing bytes up to a ceiling. */
#include "base/bytes.h"
#include "test.h"

TEST(numbers_read_back_as_written_in_both_orders)
{
    char memory[64];
    struct buf b = buf_over(memory, sizeof(memory));
    buf_be(&b, 0x0102030405060708, 8);
    buf_le(&b, 0x0102030405060708, 8);
    buf_be(&b, (uint16_t)-2, 2);
    buf_be(&b, (uint32_t)-3, 4);
    buf_be(&b, 0x80, 1);
    struct cursor c = cursor_of(buf_view(&b));
    CHECK_INT(c.at[0], 1);
    CHECK_INT(cursor_i64(&c), 0x0102030405060708);
    CHECK_INT(c.at[0], 8);
    CHECK_INT(cursor_le(&c, 8), 0x0102030405060708);
    CHECK_INT(cursor_i16(&c), -2);
    CHECK_INT(cursor_i32(&c), -3);
    CHECK_INT(cursor_i8(&c), -128);
    CHECK_INT(cursor_left(&c), 0);
    CHECK_INT(c.err, ERR_OK);
}

TEST(nothing_asked_of_an_empty_buffer_is_no_bytes_and_no_error)
{
    struct buf b = buf_make(8);
    CHECK(buf_grow(&b, 0) == NULL && b.err == ERR_OK && b.len == 0);
    buf_put(&b, NULL, 0);
    CHECK(b.err == ERR_OK && b.at == NULL);
}

TEST(varints_read_back_as_written)
{
    static const int64_t values[] = {0,         1,        -1,          63,        64,
                                     -64,       -65,      8191,        8192,      INT32_MAX,
                                     INT32_MIN, 1L << 62, -(1L << 62), INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < COUNT_OF(values); i++) {
        char memory[32];
        struct buf b = buf_over(memory, sizeof(memory));
        buf_varint(&b, values[i]);
        size_t signed_len = b.len;
        buf_uvarint(&b, (uint64_t)values[i]);
        CHECK_INT(b.len - signed_len, uvarint_size((uint64_t)values[i]));
        struct cursor c = cursor_of(buf_view(&b));
        CHECK_INT(cursor_varint(&c), values[i]);
        CHECK_INT((int64_t)cursor_uvarint(&c), values[i]);
        CHECK(c.err == ERR_OK && cursor_left(&c) == 0);
        for (uint32_t cut = 0; cut < signed_len; cut++) {
            c = cursor_of(slice_make(memory, cut));
            (void)cursor_varint(&c);
            CHECK_INT(c.err, ERR_SHORT);
        }
    }
}

/* Protobuf's documentation: 150 is 96 01; Kafka's zigzag: 300 is d8 04. */
TEST(varints_have_the_bytes_of_protobuf_and_kafka)
{
    char memory[8];
    struct buf b = buf_over(memory, sizeof(memory));
    buf_uvarint(&b, 150);
    buf_varint(&b, 300);
    CHECK(b.len == 4 && memcmp(memory, "\x96\x01\xd8\x04", 4) == 0);
}

TEST(a_varint_of_more_than_64_bits_is_malformed)
{
    static const char *const bad[] = {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02",
                                      "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct cursor c = cursor_of(slice_of(bad[i]));
        CHECK_INT(cursor_uvarint(&c), 0);
        CHECK_INT(c.err, ERR_MALFORMED);
    }
    struct cursor c = cursor_of(SLICE("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"));
    CHECK(cursor_uvarint(&c) == UINT64_MAX && c.err == ERR_OK);
}

TEST(the_first_bad_read_sticks_and_later_ones_yield_nothing)
{
    struct cursor c = cursor_of(SLICE("\x01\x02\x03"));
    CHECK_INT(cursor_be(&c, 2), 0x0102);
    CHECK_INT(cursor_be(&c, 4), 0);
    CHECK_INT(c.err, ERR_SHORT);
    CHECK_INT(cursor_i8(&c), 0); /* there is a byte, but the cursor no longer reads */
    CHECK_INT(cursor_uvarint(&c), 0);
    CHECK_INT(cursor_slice(&c, 1).len, 0);
    CHECK_INT(c.err, ERR_SHORT);
}

TEST(a_length_that_lies_is_refused_before_anything_is_taken)
{
    static const uint64_t lies[] = {5, 1000, UINT32_MAX, (uint64_t)UINT32_MAX + 1, UINT64_MAX};
    for (size_t i = 0; i < COUNT_OF(lies); i++) {
        struct cursor c = cursor_of(SLICE("1234"));
        struct slice s = cursor_slice(&c, lies[i]);
        CHECK(s.at == NULL && s.len == 0);
        CHECK_INT(c.err, lies[i] > UINT32_MAX ? ERR_TOO_BIG : ERR_SHORT);
    }
    struct cursor c = cursor_of(SLICE("1234"));
    CHECK_SLICE(cursor_slice(&c, 4), "1234");
    CHECK_INT(cursor_slice(&c, 0).len, 0);
    CHECK_INT(c.err, ERR_OK);
}

TEST(a_null_slice_reads_as_an_empty_one)
{
    struct cursor c = cursor_of((struct slice){0}); /* the sanitizers watch the arithmetic */
    CHECK_INT(cursor_left(&c), 0);
    CHECK_INT(cursor_slice(&c, 0).len, 0);
    CHECK_INT(c.err, ERR_OK);
    CHECK_INT(cursor_i8(&c), 0);
    CHECK_INT(c.err, ERR_SHORT);
}

TEST(a_buffer_grows_to_its_ceiling_and_then_sticks)
{
    size_t before = mem_held();
    struct buf b = buf_make(100);
    for (int i = 0; i < 25; i++) buf_be(&b, (uint64_t)i, 4);
    CHECK(b.len == 100 && b.err == ERR_OK);
    buf_char(&b, 'x');
    CHECK_INT(b.err, ERR_TOO_BIG);
    CHECK(buf_grow(&b, 0) == NULL && b.len == 100);
    CHECK_TEXT(buf_cstr(&b), "");
    buf_reset(&b);
    buf_printf(&b, "%d%s", 12, "ab");
    buf_slice(&b, SLICE("cd"));
    buf_text(&b, "e");
    CHECK_TEXT(buf_cstr(&b), "12abcde");
    buf_done(&b);
    CHECK_INT(mem_held(), before);
}

TEST(a_buffer_never_trusts_a_size_that_wraps)
{
    struct buf b = buf_make(SIZE_MAX);
    buf_char(&b, 'x');
    mem_limit_set(mem_held() + KIB(64));
    CHECK(buf_grow(&b, SIZE_MAX) == NULL);
    CHECK_INT(b.err, ERR_TOO_BIG);
    b.err = ERR_OK;
    CHECK(buf_grow(&b, MIB(1)) == NULL);
    CHECK_INT(b.err, ERR_NO_MEMORY);
    CHECK(b.len == 1 && b.at[0] == 'x');
    mem_limit_set(0);
    buf_done(&b);
}

TEST(a_buffer_over_the_callers_memory_stays_inside_it)
{
    char memory[8] = "#######";
    struct buf b = buf_over(memory, 4);
    buf_text(&b, "abc");
    buf_text(&b, "de");
    CHECK_INT(b.err, ERR_TOO_BIG);
    CHECK_INT(b.len, 3);
    CHECK_TEXT(memory + 4, "###");
    buf_done(&b); /* is not ours to free */
    CHECK_TEXT(memory + 4, "###");
}

TEST(what_was_written_can_be_patched)
{
    struct buf b = buf_make(64);
    buf_be(&b, 0, 4);
    buf_text(&b, "body");
    buf_set_be(&b, 0, 4, 4);
    CHECK(b.len == 8 && memcmp(b.at, "\0\0\0\4body", 8) == 0);
    buf_done(&b);
}
