/* Columns: what is put comes back, the binary form without a detour, and faults by row. */
#include "data/column.h"
#include "test.h"

static struct value fixed_value(enum type_kind k, int64_t i)
{
    struct value v = {.type = type_of(k), .state = VALID_VALUE};
    if (k == TYPE_BOOLEAN)
        v.boolean = i & 1;
    else if (k == TYPE_FLOAT)
        v.f32 = (float)i / 4;
    else if (k == TYPE_DOUBLE)
        v.f64 = (double)i / 8;
    else if (k == TYPE_UUID || k == TYPE_TIMEUUID)
        memset(v.uuid, (int)i, 16);
    else if (type_phys(v.type) == PHYS_BYTES)
        v.bytes = SLICE("some bytes");
    else
        v.integer = k == TYPE_DATE ? (int64_t)UINT32_MAX - i : -i;
    return v;
}

TEST(a_column_gives_back_what_was_put)
{
    struct arena *a = arena_new(MIB(4));
    for (int k = 0; k < TYPE_LIST; k++) {
        struct column c;
        CHECK_OK(column_init(&c, type_of((enum type_kind)k), 100, a), NULL);
        for (uint32_t row = 0; row < 100; row += 3) {
            struct value v = fixed_value((enum type_kind)k, row), back;
            CHECK_OK(column_set(&c, row, &v), NULL);
            column_get(&c, row, &back);
            CHECK(back.state == VALID_VALUE && back.type == v.type);
            CHECK(memcmp(back.uuid, v.uuid, 16) == 0);
            column_get(&c, row + 1 < 100 ? row + 1 : row - 1, &back);
            CHECK_INT(back.state, NULL_VALUE);
        }
        struct value other = value_null(type_of(TYPE_INT));
        CHECK_OK(column_set(&c, 0, &other), NULL);
        CHECK_INT(c.state[0], NULL_VALUE);
        other = fixed_value(k == TYPE_TEXT ? TYPE_BLOB : TYPE_TEXT, 1);
        CHECK_ERR(column_set(&c, 0, &other), ERR_TYPE);
    }
    arena_free(a);
}

TEST(a_rows_bytes_are_those_of_its_value)
{
    struct arena *a = arena_new(MIB(4));
    for (int k = 0; k < TYPE_LIST; k++) {
        struct column c;
        CHECK_OK(column_init(&c, type_of((enum type_kind)k), 10, a), NULL);
        for (uint32_t row = 0; row < 10; row++) {
            struct value v = fixed_value((enum type_kind)k, row);
            uint8_t scratch[16];
            struct buf want = buf_make(KIB(1));
            CHECK_OK(column_set(&c, row, &v), NULL);
            value_to_binary(&v, &want);
            CHECK(slice_equal(column_binary(&c, row, scratch), buf_view(&want)));
            buf_done(&want);
        }
    }
    arena_free(a);
}

TEST(a_row_without_room_is_no_memory)
{
    struct arena *a = arena_new(KIB(1));
    const struct type *types[] = {type_of(TYPE_BIGINT)};
    struct column_batch b;
    CHECK_ERR(batch_init(&b, types, 1, 1000, a), ERR_NO_MEMORY);
    arena_free(a);
}

TEST(the_first_fault_of_a_row_is_kept_in_any_order)
{
    struct arena *a = arena_new(MIB(64));
    const struct type *types[] = {type_of(TYPE_BIGINT), type_of(TYPE_TEXT)};
    struct column_batch b;
    enum { ROWS = 100000 };
    CHECK_OK(batch_init(&b, types, 2, ROWS, a), NULL);
    CHECK(batch_fault_next(&b, 0) == NULL);
    for (uint32_t i = 1; i < ROWS; i += 2)
        batch_fault(&b, &b.columns[1], i, ERR_TYPE, "second of %u", i);
    for (uint32_t i = ROWS; i-- > 0;) batch_fault(&b, &b.columns[0], i, ERR_CAST, "row %u", i);
    CHECK_INT(b.fault_count, ROWS);
    CHECK_TEXT(batch_fault_of(&b, 7)->text, "second of 7");
    CHECK_TEXT(batch_fault_of(&b, 8)->text, "row 8");
    CHECK_INT(b.columns[0].state[7], ERROR_VALUE);
    CHECK_INT(b.columns[1].state[8], NULL_VALUE);
    CHECK(batch_fault_of(&b, ROWS) == NULL);
    uint32_t seen = 0;
    for (const struct row_fault *f = batch_fault_next(&b, 0); f;
         f = batch_fault_next(&b, f->row + 1))
        CHECK_INT(f->row, seen++);
    CHECK_INT(seen, ROWS);
    arena_free(a);
}

TEST(faults_are_walked_over_the_good_rows)
{
    struct arena *a = arena_new(MIB(1));
    struct column_batch b;
    CHECK_OK(batch_init(&b, NULL, 0, 1000, a), NULL);
    batch_fault(&b, NULL, 900, ERR_CAST, "late");
    batch_fault(&b, NULL, 3, ERR_TYPE, "%s", "early");
    const struct row_fault *f = batch_fault_next(&b, 0);
    CHECK(f && f->row == 3 && f->err == ERR_TYPE);
    f = batch_fault_next(&b, 4);
    CHECK(f && f->row == 900);
    CHECK(batch_fault_next(&b, 901) == NULL);
    arena_free(a);
}

TEST(a_fault_is_kept_when_its_text_is_too_long_or_has_no_room)
{
    struct arena *a = arena_new(KIB(16));
    struct column_batch b;
    char text[FAULT_TEXT_MAX + 100];
    CHECK_OK(batch_init(&b, NULL, 0, 300, a), NULL);
    for (size_t i = 0; i + 2 < sizeof(text); i += 2) memcpy(text + i, "\xc3\xa9", 2);
    text[sizeof(text) - 2] = 0;
    batch_fault(&b, NULL, 0, ERR_CAST, "x%s", text); /* the cut would fall inside a character */
    const char *kept = batch_fault_of(&b, 0)->text;
    CHECK_INT(strlen(kept), FAULT_TEXT_MAX - 1);
    for (uint32_t i = 1; i < 300; i++) batch_fault(&b, NULL, i, ERR_CAST, "%0100u", i);
    CHECK_INT(b.fault_count, 300);
    CHECK_TEXT(batch_fault_of(&b, 299)->text, err_text(ERR_CAST));
    arena_free(a);
}
