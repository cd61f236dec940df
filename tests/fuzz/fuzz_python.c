/* A Python file of any content becomes a tree: lines grow no further than the file, and every
 * question that `sluice import` asks of a node has an answer. */
#include "fuzz.h"
#include "main/import/py.h"

static uint32_t lines;

static bool look(void *ctx, const struct py_node *n)
{
    uint32_t *sum = ctx;
    if (!n || n->head > n->count || n->line > lines) abort();
    for (uint32_t i = 0; i < n->text.len; i++) *sum += n->text.at[i]; /* all of it can be read */
    *sum += py_called(n).len;
    if (n->kind != PY_CALL) return true;
    const struct py_node *owner = py_owner(n), *named = py_argument(n, "name", 0),
                         *second = py_argument(n, "other", 1);
    *sum += (owner != NULL) + (named != NULL) + (second != NULL);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct arena *a = arena_new(256 << 20);
    struct py_node *module;
    struct diag d = {0};
    uint32_t sum = 0;
    uint8_t *copy = fuzz_copy(bytes, size, 0);
    lines = 2; /* the end's own */
    for (size_t i = 0; i < size; i++) lines += copy[i] == '\n' || copy[i] == '\r';
    err_t e = py_read(slice_make(copy, size), "f.py", a, &module, &d);
    if (e && !d.what[0]) abort();
    if (!e) py_walk(module, look, &sum);
    mem_give(copy);
    arena_free(a);
    return 0;
}
