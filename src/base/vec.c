#include "base/vec.h"

#include <xxhash.h>

void vec_done(struct vec *v)
{
    mem_give(v->items);
    *v = (struct vec){.item_size = v->item_size, .count_max = v->count_max};
}

void *vec_add(struct vec *v)
{
    if (v->count == v->count_max) return NULL;
    if (v->count == v->cap) {
        size_t cap = MIN(MAX(v->cap * 2, (size_t)8), v->count_max);
        uint8_t *items = mem_resize(v->items, cap * v->item_size);
        if (!items) return NULL;
        v->items = items;
        v->cap = cap;
    }
    return memset(v->items + v->count++ * v->item_size, 0, v->item_size);
}

err_t vec_push(struct vec *v, const void *item)
{
    bool full = v->count == v->count_max;
    void *to = vec_add(v);
    if (!to) return full ? ERR_TOO_BIG : ERR_NO_MEMORY;
    memcpy(to, item, v->item_size);
    return ERR_OK;
}

void vec_remove(struct vec *v, size_t i)
{
    uint8_t *at = vec_at(v, i);
    memmove(at, at + v->item_size, (v->count - i - 1) * v->item_size);
    v->count--;
}

/* --- map: entries in a dense array, an open-addressed table of 1-based indices into it ----------
 */

struct entry {
    uint8_t *key; /* owned */
    uint32_t key_len;
    uint32_t hash;
    void *value;
};

struct map {
    struct vec entries;
    uint32_t *slots;   /* 0: empty, otherwise the entry's index + 1 */
    size_t slot_count; /* a power of two, at least twice the entries */
};

struct map *map_new(size_t count_max)
{
    struct map *m = mem_take(sizeof(*m));
    if (m) m->entries = vec_make(sizeof(struct entry), MIN(count_max, (size_t)UINT32_MAX / 4));
    return m;
}

void map_free(struct map *m)
{
    if (!m) return;
    for (size_t i = 0; i < m->entries.count; i++)
        mem_give(((struct entry *)vec_at(&m->entries, i))->key);
    vec_done(&m->entries);
    mem_give(m->slots);
    mem_give(m);
}

static uint32_t hash_of(struct slice key)
{
    return (uint32_t)XXH3_64bits(key.len ? (const void *)key.at : "", key.len);
}

/* The slot where `key` is, or the empty one where it would go. */
static size_t slot_of(const struct map *m, struct slice key, uint32_t hash)
{
    size_t mask = m->slot_count - 1;
    for (size_t s = hash & mask;; s = (s + 1) & mask) {
        if (m->slots[s] == 0) return s;
        const struct entry *e = vec_at(&m->entries, m->slots[s] - 1);
        if (e->hash == hash && slice_equal(slice_make(e->key, e->key_len), key)) return s;
    }
}

void *map_get(const struct map *m, struct slice key)
{
    if (m->entries.count == 0) return NULL;
    size_t s = slot_of(m, key, hash_of(key));
    return m->slots[s] ? ((struct entry *)vec_at(&m->entries, m->slots[s] - 1))->value : NULL;
}

/* Makes the slots anew for `count` entries: used to grow and after a removal moved one. */
static err_t index_again(struct map *m, size_t count)
{
    size_t slot_count = 16;
    while (slot_count < count * 2) slot_count *= 2;
    if (slot_count != m->slot_count) {
        uint32_t *slots = mem_take(slot_count * sizeof(*slots));
        if (!slots) return ERR_NO_MEMORY;
        mem_give(m->slots);
        m->slots = slots;
        m->slot_count = slot_count;
    } else {
        memset(m->slots, 0, slot_count * sizeof(*m->slots));
    }
    for (size_t i = 0; i < m->entries.count; i++) {
        const struct entry *e = vec_at(&m->entries, i);
        size_t s = e->hash & (slot_count - 1);
        while (m->slots[s]) s = (s + 1) & (slot_count - 1);
        m->slots[s] = (uint32_t)i + 1;
    }
    return ERR_OK;
}

err_t map_set(struct map *m, struct slice key, void *value)
{
    if ((m->entries.count + 1) * 2 > m->slot_count) {
        err_t e = index_again(m, (m->entries.count + 1) * 2);
        if (e) return e;
    }
    uint32_t hash = hash_of(key);
    size_t s = slot_of(m, key, hash);
    if (m->slots[s]) {
        ((struct entry *)vec_at(&m->entries, m->slots[s] - 1))->value = value;
        return ERR_OK;
    }
    struct entry e = {(uint8_t *)mem_text(key), key.len, hash, value};
    if (!e.key) return ERR_NO_MEMORY;
    err_t failed = vec_push(&m->entries, &e);
    if (failed) {
        mem_give(e.key);
        return failed;
    }
    m->slots[s] = (uint32_t)m->entries.count;
    return ERR_OK;
}

void *map_remove(struct map *m, struct slice key)
{
    if (m->entries.count == 0) return NULL;
    size_t mask = m->slot_count - 1, hole = slot_of(m, key, hash_of(key));
    if (m->slots[hole] == 0) return NULL;
    size_t index = m->slots[hole] - 1;
    struct entry *gone = vec_at(&m->entries, index);
    void *value = gone->value;
    mem_give(gone->key);

    /* Close the gap in the probe run, so that no tombstones are needed. */
    m->slots[hole] = 0;
    for (size_t s = (hole + 1) & mask; m->slots[s]; s = (s + 1) & mask) {
        size_t home = ((struct entry *)vec_at(&m->entries, m->slots[s] - 1))->hash & mask;
        if (((s - home) & mask) < ((s - hole) & mask)) continue;
        m->slots[hole] = m->slots[s];
        m->slots[s] = 0;
        hole = s;
    }
    /* The last entry takes the free place in the dense array. */
    size_t last = m->entries.count - 1;
    if (index != last) {
        struct entry *moved = vec_at(&m->entries, last);
        size_t s = moved->hash & mask;
        while (m->slots[s] != (uint32_t)last + 1) s = (s + 1) & mask;
        m->slots[s] = (uint32_t)index + 1;
        *gone = *moved;
    }
    m->entries.count--;
    return value;
}

size_t map_count(const struct map *m)
{
    return m->entries.count;
}

bool map_next(const struct map *m, size_t *at, struct slice *key, void **value)
{
    if (*at >= m->entries.count) return false;
    const struct entry *e = vec_at(&m->entries, (*at)++);
    *key = slice_make(e->key, e->key_len);
    *value = e->value;
    return true;
}
