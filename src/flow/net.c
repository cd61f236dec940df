#include "flow/net.h"

enum {
    NET_KEYS_MAX = 1 << 26,
    NET_SLOT = 160 /* of the map, roughly */,
    NET_TEXT = 128 /* of a row */
};

struct word {
    struct word *next;
    int64_t time;
    int8_t sign;
    struct value values[];
};
struct net {
    const struct plan_node *root;
    size_t memory_max;
    struct map *map; /* key -> word */
    struct arena *arena;
    struct word *first, *last;
};

err_t net_new(const struct plan_node *root, size_t memory_max, struct net **out, struct diag *d)
{
    struct net *n = mem_take(sizeof(*n));
    if (n) *n = (struct net){.root = root, .memory_max = memory_max};
    if (n) n->arena = arena_new(memory_max);
    if (!n || !n->arena) {
        net_free(n);
        return diag_fail(d, ERR_NO_MEMORY, "what an epoch changes");
    }
    *out = n;
    return ERR_OK;
}

void net_free(struct net *n)
{
    if (!n) return;
    map_free(n->map);
    arena_free(n->arena);
    mem_give(n);
}

uint64_t net_rows(const struct plan_node *root, size_t memory)
{
    size_t word = sizeof(struct word) + root->column_count * sizeof(struct value);
    return memory / (word + NET_SLOT + NET_TEXT) + 1;
}

void net_reset(struct net *n)
{
    map_free(n->map);
    n->map = NULL;
    n->first = n->last = NULL;
    arena_reset(n->arena);
}

size_t net_bytes(const struct net *n)
{
    return n->map ? arena_used(n->arena) + map_count(n->map) * NET_SLOT : 0;
}

static err_t word_of(struct net *n, struct slice key, struct word **out)
{
    if (!n->map && !(n->map = map_new(NET_KEYS_MAX))) return ERR_NO_MEMORY;
    struct word *w = map_get(n->map, key);
    if (!w) {
        size_t size = sizeof(*w) + n->root->column_count * sizeof(w->values[0]);
        w = net_bytes(n) < n->memory_max ? arena_take(n->arena, size) : NULL;
        err_t e = w ? map_set(n->map, key, w) : ERR_NO_MEMORY;
        if (e) return e;
        if (n->last) n->last->next = w;
        if (!n->first) n->first = w;
        n->last = w;
    }
    *out = w;
    return ERR_OK;
}

err_t net_take(struct net *n, struct slice key, const struct rows *r, uint32_t row, struct diag *d)
{
    struct word *w = NULL;
    err_t e = word_of(n, key, &w);
    if (!e) {
        w->sign = r->signs ? r->signs[row] : 1;
        w->time = r->times ? r->times[row] : INT64_MIN;
    }
    for (uint32_t i = 0; !e && i < n->root->column_count; i++) {
        struct value *v = &w->values[i];
        column_get(&r->b->columns[i], row, v);
        if (v->state != VALID_VALUE || type_phys(v->type) != PHYS_BYTES) continue;
        v->bytes = arena_slice(n->arena, v->bytes);
        if (!v->bytes.at) e = ERR_NO_MEMORY;
    }
    return e ? diag_fail(d, e, "an epoch changes too many rows") : ERR_OK;
}

/* The next words of this sign as columns; `*w` goes on. */
static err_t fill(struct net *n, struct word **w, int sign, struct rows *r)
{
    struct arena *a = r->b->arena;
    const struct word *words[CHUNK_ROWS];
    uint32_t count = 0, columns = n->root->column_count;
    for (; *w && count < CHUNK_ROWS; *w = (*w)->next)
        if ((*w)->sign == sign) words[count++] = *w;
    err_t e = batch_init(r->b, NULL, 0, count, a);
    uint32_t *selected = arena_take_raw(a, (count + 1) * sizeof(*selected));
    int64_t *times = arena_take_raw(a, (count + 1) * sizeof(*times));
    r->b->columns = arena_take(a, (columns + 1) * sizeof(*r->b->columns));
    if (e || !selected || !times || !r->b->columns) return ERR_NO_MEMORY;
    r->b->column_count = columns;
    for (uint32_t i = 0; i < count; i++) {
        selected[i] = i;
        times[i] = words[i]->time;
    }
    for (uint32_t c = 0; !e && c < columns; c++) {
        e = column_init(&r->b->columns[c], n->root->columns[c].type, count, a);
        for (uint32_t i = 0; !e && i < count; i++)
            e = column_set(&r->b->columns[c], i, &words[i]->values[c]);
    }
    r->selected = selected;
    r->times = times;
    r->count = count;
    return e;
}

err_t net_tell(struct net *n, int sign, struct arena *a,
               err_t (*each)(void *ctx, const struct rows *r, struct diag *d), void *ctx,
               struct diag *d)
{
    struct word *w = n->first;
    while (w) {
        struct column_batch b = {.arena = a};
        struct rows r = {.node = n->root, .b = &b};
        arena_reset(a);
        b.arena = a;
        err_t e = fill(n, &w, sign, &r);
        if (e) return diag_fail(d, e, "what an epoch changes");
        if (r.count && (e = each(ctx, &r, d))) return e;
    }
    return ERR_OK;
}
