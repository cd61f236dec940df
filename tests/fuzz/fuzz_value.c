/* A value of any type from its binary form, its text and JSON; what is read is written and read
 * again. */
#include "data/value.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static struct arena *arena;
    struct value v, again;
    const struct type *t;
    if (!arena) arena = arena_new(64 << 20);
    if (size < 2) return 0;
    uint8_t name_len = bytes[0] % 32;
    size_t rest = size - 1 > name_len ? size - 1 - name_len : 0;
    if (!rest || type_parse(slice_make(bytes + 1, name_len), arena, &t, NULL)) goto out;
    uint8_t *copy = fuzz_copy(bytes + 1 + name_len, rest, 0);
    struct slice input = slice_make(copy, rest);
    struct buf text = buf_make(4 << 20);
    if (value_from_binary(t, input, &v, NULL) == ERR_OK && v.state == VALID_VALUE) {
        value_to_text(&v, &text);
        value_to_json(&v, &text);
    }
    buf_reset(&text);
    if (value_from_text(t, input, arena, &v, NULL) == ERR_OK && v.state == VALID_VALUE) {
        value_to_binary(&v, &text);
        struct slice binary = arena_slice(arena, buf_view(&text));
        if (!text.err && value_from_binary(t, binary, &again, NULL)) abort(); /* we wrote it */
        if (!text.err && value_compare(&v, &v) != 0) abort();
    }
    if (value_from_json(t, input, rest & 1, arena, &v, NULL) == ERR_OK && v.state == VALID_VALUE)
        value_hash(&v);
    buf_done(&text);
    mem_give(copy);
out:
    arena_reset(arena);
    return 0;
}
