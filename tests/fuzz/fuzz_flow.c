/* What flow keeps: a stream's cursor, an epoch, a lane's ledger, the head that rides in a source's
 * batch. What is read is written and read again, the same. */
#include "flow/flow_int.h"
#include "fuzz.h"

/* Reads `in` as that kind of record, and writes what was read. */
static err_t pass(int kind, struct slice in, struct arena *a, struct buf *out)
{
    struct stream_cursor cursor;
    struct epoch_record epoch;
    struct lane_ledger ledger;
    struct place_head head;
    err_t e = ERR_OK;
    switch (kind) {
    case 0:
        if (!(e = stream_cursor_take(in, &cursor))) stream_cursor_put(out, &cursor);
        return e;
    case 1:
        if (!(e = epoch_record_take(in, a, &epoch))) epoch_record_put(out, &epoch);
        return e;
    case 2:
        if (!(e = lane_ledger_take(in, &ledger))) lane_ledger_put(out, &ledger);
        return e;
    default:
        if (!(e = place_head_take(in, &head))) place_head_put(out, &head);
        return e;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static struct arena *arena;
    if (!arena) arena = arena_new(16 << 20);
    if (size < 1) return 0;
    int kind = bytes[0] % 4;
    uint8_t *copy = fuzz_copy(bytes + 1, size - 1, 0);
    struct buf once = buf_make(1 << 20), twice = buf_make(1 << 20);
    if (pass(kind, slice_make(copy, size - 1), arena, &once) == ERR_OK) {
        if (once.err || pass(kind, buf_view(&once), arena, &twice)) abort();
        if (!slice_equal(buf_view(&once), buf_view(&twice))) abort();
    }
    buf_done(&once);
    buf_done(&twice);
    arena_reset(arena);
    mem_give(copy);
    return 0;
}
