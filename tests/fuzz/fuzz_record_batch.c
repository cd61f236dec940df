/* A record batch from a client or from disk: read, opened, walked to its last header. */
#include "data/record_batch.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static struct arena *arena;
    struct record_batch batch;
    struct record_reader reader;
    struct record record;
    struct record_header header;
    if (!arena) arena = arena_new(16 << 20);
    uint8_t *copy = fuzz_copy(bytes, size, RECORD_PADDING);
    fuzz_seal_batches(copy, size);
    bool readable = record_batch_read(slice_make(copy, size), true, &batch) == ERR_OK;
    if (readable && record_batch_open(&batch, arena, 8 << 20, &reader) == ERR_OK) {
        while (record_next(&reader, &record) == ERR_OK) {
            struct cursor headers = cursor_of(record.headers);
            for (int32_t i = 0; i < record.header_count; i++)
                if (record_header_next(&headers, &header)) break;
        }
    }
    arena_reset(arena);
    mem_give(copy);
    return 0;
}
