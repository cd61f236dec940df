/* A query string of the RandomUser API: any of them is answered. */
#include "fuzz.h"
#include "people/people.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static struct arena *arena;
    struct people_request r = {0};
    struct people_answer answer;
    if (!arena) arena = arena_new(16 << 20);
    uint8_t *copy = fuzz_copy(bytes, size, 0);
    struct buf body = buf_make(64 << 20);
    if (people_request_parse(slice_make(copy, size), arena, &r) == ERR_OK) {
        if (r.results.len > 2)
            r.results.len = 2; /* thousands of people find nothing that 99 do not */
        (void)!people_answer(&r, 1700000000000, 42, "http://x", &body, &answer);
    }
    buf_done(&body);
    arena_reset(arena);
    mem_give(copy);
    return 0;
}
