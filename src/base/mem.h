/* mem: the only door to malloc. Counts what is held and can be told to fail.
 *
 * Loop: any thread. Memory: this is it. Limit: mem_limit_set; past it NULL comes back and the
 * caller answers ERR_NO_MEMORY. Rooms prefer an arena (one request), a pool (objects of one kind)
 * or a buf (bytes that grow) to calling this.
 */
#pragma once
#include "base/err.h"

void *mem_take(size_t size);                  /* zeroed; NULL past the limit */
void *mem_take_raw(size_t size);              /* not zeroed */
void *mem_resize(void *old, size_t new_size); /* keeps `old` when it answers NULL */
void mem_give(void *block);                   /* NULL is fine */
char *mem_text(struct slice s);               /* a NUL-terminated copy; caller owns */

/* Once, at the start of a long-lived process: large blocks go back to the system when they are
 * given back, instead of staying in a heap that a burst has grown (measured after catching up: 24
 * MiB instead of 132). */
void mem_start(void);
size_t mem_held(void);            /* bytes taken and not given back */
void mem_limit_set(size_t bytes); /* 0: none */
void mem_fail_at(uint64_t nth);   /* tests: the nth call from now on answers NULL once; 0: never */
uint64_t mem_calls(void);         /* tests: how many calls so far */

/* --- arena: one owner, one lifetime, one free ------------------------------------------------- *
 * Grows by chunks up to `limit`; arena_reset keeps the first chunks for the next round. */
struct arena;
struct arena *arena_new(size_t limit);          /* caller owns; NULL when out of memory */
void arena_free(struct arena *a);               /* NULL is fine */
void arena_reset(struct arena *a);              /* everything handed out is gone */
void *arena_take(struct arena *a, size_t size); /* zeroed, 16-byte aligned; NULL past the limit */
void *arena_take_raw(struct arena *a, size_t size); /* the same, not zeroed */
/* Grows or trims a block, keeping what fits: in place when `old` is the newest block and its chunk
 * has room, else as a copy. NULL past the limit; `old` stays valid then. Not zeroed. */
void *arena_resize(struct arena *a, void *old, size_t old_size, size_t new_size);
size_t arena_used(const struct arena *a);
char *arena_text(struct arena *a, struct slice s);         /* NUL-terminated copy */
struct slice arena_slice(struct arena *a, struct slice s); /* copy; {0} past the limit */
char *arena_printf(struct arena *a, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* --- pool: many objects of one size, with a cap ------------------------------------------------
 */
struct pool;
struct pool *pool_new(size_t object_size, size_t count_max);
void pool_free(struct pool *p);
void *pool_take(struct pool *p); /* zeroed; NULL when count_max are out */
void pool_give(struct pool *p, void *object);
size_t pool_out(const struct pool *p); /* how many are out */
