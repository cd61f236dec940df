/* A request's head, chunk lines, percent-decoding and paths, as a client may send them. */
#include "fuzz.h"
#include "os/http_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static struct arena *arena;
    struct http_head head;
    struct slice decoded;
    const char *why = NULL;
    uint64_t chunk;
    if (!arena) arena = arena_new(1 << 20);
    uint8_t *copy = fuzz_copy(bytes, size, 0);
    struct slice text = slice_make(copy, size);
    int status = http_head_parse(text, &head, &why);
    if (status && !why) abort(); /* a refusal says why */
    status = http_head_check(text, 16384, &why);
    status |= http_chunk_parse(text, &chunk, &why);
    (void)status;
    if (http_decode(arena, text, true, &decoded) && slice_starts(decoded, "/")) {
        uint8_t *path = fuzz_copy(decoded.at, decoded.len, 1); /* room for the NUL */
        struct slice normal = http_path_normalise(slice_make(path, decoded.len));
        if (normal.len > decoded.len || normal.len == 0 || normal.at[0] != '/') abort();
        for (uint32_t i = 0; i + 3 < normal.len; i++)
            if (memcmp(normal.at + i, "/../", 4) == 0) abort();
        mem_give(path);
    }
    arena_reset(arena);
    mem_give(copy);
    return 0;
}
