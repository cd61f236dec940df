/* A source's journal with any content: it opens on its last whole entry, which is read, or it says
 * what is wrong; and it takes a further answer. With the first byte odd the rest is one entry whose
 * length and CRC fit, so that what stands behind them is met. */
#include "flow/flow_int.h"
#include "fuzz.h"

static const char *write_file(const uint8_t *bytes, size_t size, bool sealed)
{
    uint32_t crc = crc32c(0, bytes, size);
    uint8_t head[16] = {'S', 'L', 'U', 'I', 'C', 'E', 'J', 1};
    for (int i = 0; i < 4; i++) {
        head[8 + i] = (uint8_t)(size >> (24 - 8 * i));
        head[12 + i] = (uint8_t)(crc >> (24 - 8 * i));
    }
    return fuzz_file(head, sealed ? sizeof(head) : 0, bytes, size);
}

static void check_again(struct journal *j, struct arena *arena, const struct journal_of *of,
                        const struct answer *a)
{
    struct journal_of of_again;
    struct answer again;
    for (uint32_t i = 0; i < a->item_count; i++)
        if (a->items[i].partition < 0) abort();
    if (journal_add(j, of, a, NULL) || journal_last(j, arena, &of_again, &again, NULL)) abort();
    if (again.number != a->number || !slice_equal(again.cursor, a->cursor)) abort();
    if (again.item_count != a->item_count || again.dead_count != a->dead_count) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static struct arena *arena;
    struct journal *j;
    struct journal_of of;
    struct answer a;
    if (!arena) {
        arena = arena_new(64 << 20);
        say_level_set(SAY_FLOW, SAY_ERROR);
    }
    if (size < 1) return 0;
    const char *path = write_file(bytes + 1, size - 1, bytes[0] & 1);
    if (journal_open(path, &j, NULL) == ERR_OK) {
        if (journal_last(j, arena, &of, &a, NULL) == ERR_OK) check_again(j, arena, &of, &a);
        journal_close(j);
    }
    arena_reset(arena);
    return 0;
}
