/* A table's key on disk, column by column, as any bytes; and a value of any type as a key: it reads
 * back to what gives the same key, and the key has no byte behind it. */
#include "data/value.h"
#include "fuzz.h"
#include "store/store_int.h"

static struct key_reader reader_of(struct slice key)
{
    return (struct key_reader){.at = key.at, .end = key.at + key.len};
}

static void check_back(const struct type *t, struct slice binary, bool descending)
{
    struct buf key = buf_make(1 << 20), back = buf_make(1 << 20), again = buf_make(1 << 20);
    if (key_put_order(&key, t, binary, descending)) abort(); /* a value of the type, and short */
    struct key_reader r = reader_of(buf_view(&key));
    key_take_order(&r, t, descending, &back);
    if (r.err || r.at != r.end) abort();
    if (key_put_order(&again, t, buf_view(&back), descending)) abort();
    if (!slice_equal(buf_view(&key), buf_view(&again))) abort();
    buf_reset(&key);
    buf_reset(&back);
    key_put_partition(&key, t, binary);
    r = reader_of(buf_view(&key));
    key_take_partition(&r, t, &back);
    if (r.err || r.at != r.end || !slice_equal(buf_view(&back), binary)) abort();
    buf_done(&key);
    buf_done(&back);
    buf_done(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static struct arena *arena;
    const struct type *t;
    struct value v;
    if (!arena) arena = arena_new(16 << 20);
    if (size < 3) return 0;
    bool descending = bytes[0] & 1, partition = bytes[0] & 2;
    size_t name_len = bytes[1] % 64;
    bytes += 2, size -= 2;
    if (name_len > size || type_parse(slice_make(bytes, name_len), arena, &t, NULL)) {
        arena_reset(arena);
        return 0;
    }
    uint8_t *copy = fuzz_copy(bytes + name_len, size - name_len, 0);
    struct slice input = slice_make(copy, size - name_len);
    struct buf out = buf_make(1 << 20);
    struct key_reader r = reader_of(input);
    while (key_type_allowed(t) && !r.err && r.at != r.end) { /* several columns in a row */
        if (partition)
            key_take_partition(&r, t, &out);
        else
            key_take_order(&r, t, descending, &out);
        if (t->kind == TYPE_TUPLE || t->kind == TYPE_STRUCT) break; /* may be of no bytes at all */
    }
    if (key_type_allowed(t) && value_from_binary(t, input, &v, NULL) == ERR_OK &&
        v.state == VALID_VALUE)
        check_back(t, input, descending);
    buf_done(&out);
    arena_reset(arena);
    mem_give(copy);
    return 0;
}
