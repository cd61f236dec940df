/* A statement of CQL, and where a script's first one ends. */
#include "fuzz.h"
#include "sql/cql/tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static struct arena *arena;
    const struct cql_statement_tree *s;
    struct diag d;
    bool whole;
    if (!arena) arena = arena_new(64 << 20);
    uint8_t *copy = fuzz_copy(bytes, size, 0);
    struct slice text = slice_make(copy, size);
    if (cql_statement_length(text, &whole) > size) abort();
    if (cql_parse(text, arena, &s, &d) == ERR_OK) {
        if (!s || s->kind >= CQL_KINDS || s->marker_count > CQL_MARKERS_MAX) abort();
        if (s->text.len > size) abort();
    }
    arena_reset(arena);
    mem_give(copy);
    return 0;
}
