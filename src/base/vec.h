/* vec and map: the two containers. Both take their ceiling at construction. */
#pragma once
#include "base/mem.h"

/* A vector of objects of one size.
 *     struct vec v = vec_make(sizeof(struct point), 1000);
 *     struct point *p = vec_add(&v);           // zeroed; NULL past the limit
 *     for (size_t i = 0; i < v.count; i++) { struct point *q = vec_at(&v, i); … } */
struct vec {
    uint8_t *items;
    size_t count, cap, item_size, count_max;
};
static inline struct vec vec_make(size_t item_size, size_t count_max)
{
    return (struct vec){.item_size = item_size, .count_max = count_max};
}
void vec_done(struct vec *v);
void *vec_add(struct vec *v); /* a zeroed new last item; NULL past the limit */
MUST_CHECK err_t vec_push(struct vec *v, const void *item);
static inline void *vec_at(const struct vec *v, size_t i)
{
    assert(i < v->count);
    return v->items + i * v->item_size;
}
void vec_remove(struct vec *v, size_t i); /* keeps the order */
static inline void vec_clear(struct vec *v)
{
    v->count = 0;
}

/* Bytes -> pointer. Keys are copied; values are the caller's. Iteration is in insertion order
 * unless something was removed. */
struct map;
struct map *map_new(size_t count_max); /* caller owns */
void map_free(struct map *m);
void *map_get(const struct map *m, struct slice key); /* NULL when absent */
MUST_CHECK err_t map_set(struct map *m, struct slice key, void *value);
void *map_remove(struct map *m, struct slice key); /* the value that was there, or NULL */
size_t map_count(const struct map *m);
/* for (size_t i = 0; map_next(m, &i, &key, &value);) */
bool map_next(const struct map *m, size_t *at, struct slice *key, void **value);
