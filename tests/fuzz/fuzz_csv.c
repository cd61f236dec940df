/* CSV: records are read to the end, and what is read is written so that it reads the same. */
#include "data/csv.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct csv_options o = {.fields_max = 64, .field_bytes_max = 4096};
    struct slice fields[64], again[64];
    uint32_t count, count_again;
    struct arena *arena = arena_new(4 << 20);
    uint8_t *copy = fuzz_copy(bytes, size, 0);
    struct csv_reader r = csv_reader_make(slice_make(copy, size), o);
    while (arena && csv_next(&r, arena, fields, &count, NULL) == ERR_OK) {
        struct buf out = buf_make(1 << 20);
        for (uint32_t i = 0; i < count; i++) {
            if (i) buf_char(&out, ',');
            csv_put_field(&out, fields[i], &o);
        }
        buf_text(&out, "\r\n");
        struct csv_reader second = csv_reader_make(buf_view(&out), o);
        bool lone_empty = count == 1 && fields[0].len == 0; /* an empty line has two readings */
        if (!out.err && !lone_empty) {
            if (csv_next(&second, arena, again, &count_again, NULL) || count_again != count)
                abort();
            for (uint32_t i = 0; i < count; i++)
                if (!slice_equal(fields[i], again[i])) abort();
        }
        buf_done(&out);
    }
    arena_free(arena);
    mem_give(copy);
    return 0;
}
