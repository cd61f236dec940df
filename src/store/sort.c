/* What an epoch collected, in key order, one entry a key.
 *
 * The eight bytes behind the prefix are a row's token: uniform, so that three radix passes over its
 * top bits leave only short runs to be compared. Runs of one token (a partition's rows) and
 * records, whose keys share their start, are left to a merge sort. */
#include "store/store_int.h"
#include <stdlib.h>

enum { RADIX_BITS = 11, RADIX_SIZE = 1 << RADIX_BITS, RADIX_PASSES = 3, INSERTION_MAX = 16 };
enum { RADIX_FROM = 64 - RADIX_BITS * RADIX_PASSES, RADIX_WORTH = 512 };

/* Ends in the order of arrival, so that the last write of a key is known. */
static int entry_compare(const void *pa, const void *pb)
{
    const struct entry *a = pa, *b = pb;
    if (a->head != b->head) return a->head < b->head ? -1 : 1;
    return slice_compare(slice_make(a->key, a->key_len), slice_make(b->key, b->key_len));
}

static void insertion_sort(struct entry *e, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        struct entry x = e[i];
        size_t k = i;
        for (; k > 0 && entry_compare(&e[k - 1], &x) > 0; k--) e[k] = e[k - 1];
        e[k] = x;
    }
}

/* Top-down over `spare`; stable. */
static void merge_sort(struct entry *e, struct entry *spare, size_t count)
{
    if (count <= INSERTION_MAX) {
        insertion_sort(e, count);
        return;
    }
    size_t half = count / 2, i = 0, k = half, n = 0;
    merge_sort(e, spare, half);
    merge_sort(e + half, spare, count - half);
    memcpy(spare, e, half * sizeof *e);
    while (i < half && k < count)
        e[n++] = entry_compare(&spare[i], &e[k]) <= 0 ? spare[i++] : e[k++];
    while (i < half) e[n++] = spare[i++];
}

static void radix_sort(struct entry *e, struct entry *spare, size_t count)
{
    struct entry *from = e, *to = spare;
    for (int pass = 0; pass < RADIX_PASSES; pass++) {
        uint32_t at[RADIX_SIZE] = {0}, sum = 0;
        int shift = RADIX_FROM + pass * RADIX_BITS;
        for (size_t i = 0; i < count; i++) at[from[i].head >> shift & (RADIX_SIZE - 1)]++;
        for (size_t i = 0; i < RADIX_SIZE; i++) {
            uint32_t n = at[i];
            at[i] = sum;
            sum += n;
        }
        for (size_t i = 0; i < count; i++)
            to[at[from[i].head >> shift & (RADIX_SIZE - 1)]++] = from[i];
        struct entry *t = from;
        from = to;
        to = t;
    }
    memcpy(e, spare, count * sizeof *e); /* three passes end in `spare` */
    for (size_t i = 0, k; i < count; i = k) {
        for (k = i + 1; k < count && e[k].head >> RADIX_FROM == e[i].head >> RADIX_FROM; k++) {
        }
        merge_sort(e + i, spare, k - i);
    }
}

static struct slice entry_value(const struct entry *e)
{
    return slice_make(e->key + e->key_len, e->value_len);
}

/* e[0 … count) write one key, in order of arrival: the one entry that says the same. A put or a
 * delete forgets what came before it; merges behind it join it. */
static err_t combine(struct store_write *w, const struct entry *e, size_t count, struct entry *out)
{
    size_t from = count - 1;
    while (from > 0 && e[from].op == ENTRY_MERGE) from--;
    *out = e[from];
    if (from == count - 1) return ERR_OK;
    buf_reset(&w->scratch);
    for (size_t i = from; i < count; i++) { /* pairs: the list of a hot key may be long */
        if (e[i].op == ENTRY_DELETE) continue;
        struct buf next = buf_make(RECORD_MAX);
        struct slice two[2] = {buf_view(&w->scratch), entry_value(&e[i])};
        bool first = w->scratch.len == 0;
        err_t err = row_merge(two + first, 2 - first, &next);
        buf_reset(&w->scratch);
        if (!err) buf_put(&w->scratch, next.at, next.len);
        buf_done(&next);
        if (err || w->scratch.err) return err ? err : w->scratch.err;
    }
    size_t size = out->key_len + w->scratch.len;
    uint8_t *room = write_room(w, size);
    if (!room) return ERR_NO_MEMORY;
    memcpy(room, out->key, out->key_len);
    memcpy(room + out->key_len, w->scratch.at, w->scratch.len);
    write_take(w, size);
    out->key = room;
    out->value_len = (uint32_t)w->scratch.len & VALUE_LEN_MASK;
    if (out->op == ENTRY_DELETE) out->op = ENTRY_PUT;
    return ERR_OK;
}

static err_t group_unique(struct store_write *w, struct entries *g)
{
    size_t n = 0;
    for (size_t i = 0, k; i < g->count; i = k) {
        for (k = i + 1; k < g->count && entry_compare(&g->at[i], &g->at[k]) == 0; k++) {
        }
        struct entry one = g->at[i];
        err_t e = k - i > 1 ? combine(w, g->at + i, k - i, &one) : ERR_OK;
        if (e) return e;
        g->at[n++] = one;
    }
    g->count = n;
    return ERR_OK;
}

static int group_compare(const void *pa, const void *pb)
{
    const struct entries *a = pa, *b = pb;
    return a->prefix == b->prefix ? 0 : a->prefix < b->prefix ? -1 : 1;
}

err_t write_sort(struct store_write *w, struct diag *d)
{
    size_t most = 0;
    for (size_t i = 0; i < w->group_count; i++) most = MAX(most, w->groups[i].count);
    struct entry *spare = mem_take_raw(MAX(most, 1U) * sizeof *spare);
    if (!spare) return diag_fail(d, ERR_NO_MEMORY, "no memory to sort %zu rows", most);
    err_t e = ERR_OK;
    for (size_t i = 0; i < w->group_count && !e; i++) {
        struct entries *g = &w->groups[i];
        if (g->count >= RADIX_WORTH)
            radix_sort(g->at, spare, g->count);
        else
            merge_sort(g->at, spare, g->count);
        e = group_unique(w, g);
    }
    mem_give(spare);
    if (w->group_count) qsort(w->groups, w->group_count, sizeof *w->groups, group_compare);
    return e ? diag_fail(d, e, "the epoch's rows can not be merged") : ERR_OK;
}
