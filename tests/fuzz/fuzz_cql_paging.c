/* A paging state as any bytes: refused, or a position of the table that is written back to the same
 * bytes. The checksum is made to fit half the time, so that what it guards is met too. */
#include "cql/select.h"
#include "fuzz.h"

static const struct store_table *table(bool clustering)
{
    static struct store_column columns[4];
    static struct store_table with, without;
    columns[0] = (struct store_column){
        .name = SLICE("a"), .type = type_of(TYPE_TEXT), .role = COLUMN_PARTITION, .id = 4};
    columns[1] = (struct store_column){.name = SLICE("b"),
                                       .type = type_of(TYPE_INT),
                                       .role = COLUMN_PARTITION,
                                       .position = 1,
                                       .id = 5};
    columns[2] = (struct store_column){.name = SLICE("c"),
                                       .type = type_of(TYPE_TIMESTAMP),
                                       .role = COLUMN_CLUSTERING,
                                       .descending = true,
                                       .id = 6};
    columns[3] = (struct store_column){.name = SLICE("d"),
                                       .type = type_of(TYPE_VARINT),
                                       .role = COLUMN_CLUSTERING,
                                       .position = 1,
                                       .id = 7};
    with = (struct store_table){.columns = columns, .column_count = 4, .id = {1}};
    without = (struct store_table){.columns = columns, .column_count = 2, .id = {2}};
    return clustering ? &with : &without;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static struct arena *arena;
    struct paging p;
    struct slice back;
    if (!arena) arena = arena_new(16 << 20);
    if (size < 1) return 0;
    const struct store_table *t = table(bytes[0] & 1);
    bool seal = bytes[0] & 2;
    bytes++, size--;
    uint8_t *copy = fuzz_copy(bytes, size, 0);
    if (seal && size >= 4) {
        uint32_t sum = crc32c(crc32c(0, t->id, sizeof t->id), copy, size - 4);
        for (int i = 0; i < 4; i++) copy[size - 4 + (size_t)i] = (uint8_t)(sum >> (24 - 8 * i));
    }
    struct diag d;
    err_t e = paging_read(t, slice_make(copy, size), arena, &p, &d);
    if (e && strcmp(d.what, "Invalid value for the paging state") != 0) abort();
    if (!e && (paging_put(t, &p, arena, &back) || !slice_equal(back, slice_make(copy, size))))
        abort();
    mem_give(copy);
    arena_reset(arena);
    return 0;
}
