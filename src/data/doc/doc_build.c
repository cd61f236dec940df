#include "data/doc/doc_build.h"

err_t doc_no_memory(struct doc_build *b)
{
    return diag_fail(b->d, ERR_NO_MEMORY, "no memory for a document of more than %u parts",
                     b->nodes);
}

err_t doc_count(struct doc_build *b)
{
    if (++b->nodes <= DOC_NODES_MAX) return ERR_OK;
    return diag_fail(b->d, ERR_TOO_BIG, "a document has at most %d parts", DOC_NODES_MAX);
}

err_t doc_close_list(struct doc_build *b, const struct vec *items, struct doc *out)
{
    out->kind = DOC_LIST;
    out->count = (uint32_t)items->count;
    if (!items->count) return ERR_OK;
    out->items = arena_take_raw(b->a, items->count * sizeof *out->items);
    if (!out->items) return doc_no_memory(b);
    memcpy(out->items, items->items, items->count * sizeof *out->items);
    return ERR_OK;
}

err_t doc_close_map(struct doc_build *b, const struct vec *entries, struct doc *out)
{
    out->kind = DOC_MAP;
    out->count = (uint32_t)entries->count;
    if (!entries->count) return ERR_OK;
    out->entries = arena_take_raw(b->a, entries->count * sizeof *out->entries);
    if (!out->entries) return doc_no_memory(b);
    memcpy(out->entries, entries->items, entries->count * sizeof *out->entries);
    return ERR_OK;
}
