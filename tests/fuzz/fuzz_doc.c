/* A document, JSON or YAML by the first byte: what is taken is written as JSON, and read back it is
 * the same. */
#include "data/doc.h"
#include "fuzz.h"

static void check_again(const struct doc *v, struct arena *a)
{
    struct buf first = buf_make(64 << 20), second = buf_make(64 << 20);
    struct doc again, copy;
    struct diag d = {0};
    if (doc_copy(v, a, &copy)) goto out; /* no memory: aliases unfold */
    doc_put_json(&first, &copy);
    if (first.err) goto out;
    err_t e = doc_of_json(buf_view(&first), a, &again, &d);
    if (e && e != ERR_NO_MEMORY && e != ERR_TOO_BIG) abort();
    if (e) goto out;
    doc_put_json(&second, &again);
    if (!slice_equal(buf_view(&first), buf_view(&second))) abort();
out:
    buf_done(&first);
    buf_done(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct doc v;
    struct diag d = {0};
    if (!size) return 0;
    struct arena *a = arena_new(256 << 20);
    uint8_t *copy = fuzz_copy(bytes + 1, size - 1, 0);
    struct slice text = slice_make(copy, size - 1);
    err_t e = bytes[0] & 1 ? doc_of_yaml(text, "f.yaml", a, &v, &d) : doc_of_json(text, a, &v, &d);
    if (e && !d.what[0]) abort(); /* a refusal says why */
    if (!e) check_again(&v, a);
    mem_give(copy);
    arena_free(a);
    return 0;
}
