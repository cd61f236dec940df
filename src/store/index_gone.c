/* Entries that a row loses by a write that has read it: the committer knows what the row had and
 * what it has now, and removes the difference in the same write. Blind writes know neither; what
 * they leave behind a reader finds (index.c). */
#include "store/index.h"
#include <stdlib.h>

enum { GONE_MAX = 1 << 20 }; /* entries of one group; what is more waits for its readers */

struct entry_list {
    struct group *g;
    struct vec keys; /* struct slice: whole keys, in the group's memory */
};

static err_t entries_add(void *ctx, uint32_t prefix, struct slice value, struct slice row)
{
    struct entry_list *x = ctx;
    uint32_t len = KEY_PREFIX_SIZE + value.len + row.len;
    uint8_t *room = arena_take_raw(x->g->arena, len);
    struct slice *key = room ? vec_add(&x->keys) : NULL;
    if (!key) return ERR_NO_MEMORY;
    struct buf b = buf_over(room, len);
    buf_be(&b, prefix, KEY_PREFIX_SIZE);
    buf_slice(&b, value);
    buf_slice(&b, row);
    *key = buf_view(&b);
    return ERR_OK;
}

static int key_order(const void *a, const void *b)
{
    return slice_compare(*(const struct slice *)a, *(const struct slice *)b);
}

static err_t take(struct entry_list *x, const struct overlay_slot *slot, struct slice value)
{
    struct diag ignored;
    if (!value.at) return ERR_OK;
    return index_entries(slot->table, slot->key, value, entries_add, x, &ignored);
}

/* What the row had, and what it was given since, in this group. */
static err_t take_before(struct entry_list *x, const struct overlay_slot *slot)
{
    err_t e = take(x, slot, slot->base);
    for (uint32_t k = slot->last; k && !e; k = x->g->entries[k - 1].before) {
        const struct group_entry *w = &x->g->entries[k - 1];
        if (w->op != ENTRY_DELETE) e = take(x, slot, slice_make(w->key + w->key_len, w->value_len));
    }
    return e;
}

/* One row's entries that are no more, into `gone`: all of them or, when they can't be told, none.
 */
static void row_gone(struct group *g, struct overlay_slot *slot, struct vec *gone)
{
    struct entry_list now = {g, vec_make(sizeof(struct slice), GONE_MAX)};
    struct entry_list before = {g, vec_make(sizeof(struct slice), GONE_MAX)};
    struct diag ignored;
    struct slice value;
    size_t had = gone->count;
    err_t e = group_value(g, slot->key, &value, &ignored);
    if (!e) e = take(&now, slot, value);
    if (!e) e = take_before(&before, slot);
    if (now.keys.count) qsort(now.keys.items, now.keys.count, sizeof(struct slice), key_order);
    for (size_t i = 0; i < before.keys.count && !e; i++) {
        const void *key = vec_at(&before.keys, i);
        bool stays = now.keys.count &&
                     bsearch(key, now.keys.items, now.keys.count, sizeof(struct slice), key_order);
        if (!stays) e = vec_push(gone, key);
    }
    if (e) gone->count = had;
    vec_done(&now.keys);
    vec_done(&before.keys);
}

err_t group_unindex(struct group *g, struct diag *d)
{
    struct vec gone = vec_make(sizeof(struct slice), GONE_MAX);
    err_t e = ERR_OK;
    for (uint32_t i = 0; i < g->slot_cap; i++) { /* first all are told, since adding moves slots */
        struct overlay_slot *slot = &g->slots[i];
        if (slot->hash && slot->known && slot->table && slot->last) row_gone(g, slot, &gone);
    }
    for (size_t i = 0; i < gone.count && !e; i++) {
        const struct slice *key = vec_at(&gone, i);
        e = peek_group_add(g, key->at, key->len, 0, ENTRY_DELETE);
    }
    vec_done(&gone);
    return e ? diag_fail(d, e, "no memory for a group of changes") : ERR_OK;
}
