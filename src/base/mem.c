#include "base/mem.h"

#include <malloc.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sysinfo.h>

/* glibc gives each thread an arena of its own, up to eight a processor, and what is freed in one is
 * no use to the others: with a cache that all threads fill it grows for hours. */
enum { ARENAS_MIN = 4 };

static atomic_size_t held, limit;
static atomic_uint_fast64_t calls, fail_call;

void mem_start(void)
{
    (void)mallopt(M_ARENA_MAX, MAX(ARENAS_MIN, 2 * get_nprocs()));
    (void)mallopt(M_MMAP_THRESHOLD, 256 << 10);
    (void)mallopt(M_TRIM_THRESHOLD, 1 << 20);
}

size_t mem_held(void)
{
    return atomic_load_explicit(&held, memory_order_relaxed);
}
void mem_limit_set(size_t bytes)
{
    atomic_store(&limit, bytes);
}
uint64_t mem_calls(void)
{
    return atomic_load(&calls);
}
void mem_fail_at(uint64_t nth)
{
    atomic_store(&fail_call, nth ? atomic_load(&calls) + nth : 0);
}

static bool refused(size_t size)
{
    uint64_t call = atomic_fetch_add_explicit(&calls, 1, memory_order_relaxed) + 1;
    if (call == atomic_load_explicit(&fail_call, memory_order_relaxed)) return true;
    size_t most = atomic_load_explicit(&limit, memory_order_relaxed);
    return most && (size > most || mem_held() > most - size);
}

static void *counted(void *block)
{
    if (block) atomic_fetch_add_explicit(&held, malloc_usable_size(block), memory_order_relaxed);
    return block;
}

void *mem_take(size_t size)
{
    return refused(size) ? NULL : counted(calloc(1, MAX(size, (size_t)1)));
}
void *mem_take_raw(size_t size)
{
    return refused(size) ? NULL : counted(malloc(MAX(size, (size_t)1)));
}

void *mem_resize(void *old, size_t new_size)
{
    size_t before = old ? malloc_usable_size(old) : 0;
    if (refused(new_size > before ? new_size - before : 0)) return NULL;
    void *block = realloc(old, MAX(new_size, (size_t)1));
    if (!block) return NULL;
    atomic_fetch_sub_explicit(&held, before, memory_order_relaxed);
    return counted(block);
}

void mem_give(void *block)
{
    if (!block) return;
    atomic_fetch_sub_explicit(&held, malloc_usable_size(block), memory_order_relaxed);
    free(block);
}

char *mem_text(struct slice s)
{
    char *text = mem_take_raw((size_t)s.len + 1);
    if (!text) return NULL;
    if (s.len) memcpy(text, s.at, s.len);
    text[s.len] = 0;
    return text;
}

/* --- arena -------------------------------------------------------------------------------------
 */

enum { ALIGN = 16, CHUNK_FIRST = 4096, CHUNK_MAX = 1 << 20 };

struct chunk {
    struct chunk *next;
    size_t used, size;
    _Alignas(ALIGN) uint8_t mem[];
};

struct arena {
    struct chunk *first, *now;
    size_t used, limit; /* used: bytes handed out, over all chunks */
};

struct arena *arena_new(size_t most)
{
    struct arena *a = mem_take(sizeof(*a));
    if (a) a->limit = MIN(most, SIZE_MAX / 2); /* so that no size can wrap round */
    return a;
}

void arena_free(struct arena *a)
{
    if (!a) return;
    for (struct chunk *c = a->first, *next; c; c = next) {
        next = c->next;
        mem_give(c);
    }
    mem_give(a);
}

void arena_reset(struct arena *a)
{
    for (struct chunk *c = a->first; c; c = c->next) c->used = 0;
    a->now = a->first;
    a->used = 0;
}

/* A chunk with room for `size`: the next one kept from an earlier round, or a new one. */
static struct chunk *chunk_for(struct arena *a, size_t size)
{
    while (a->now && a->now->next) {
        a->now = a->now->next;
        if (a->now->size - a->now->used >= size) return a->now;
    }
    size_t grown = a->now ? MIN(a->now->size * 2, (size_t)CHUNK_MAX) : (size_t)CHUNK_FIRST;
    struct chunk *c = mem_take_raw(sizeof(*c) + MAX(grown, size));
    if (!c) return NULL;
    *c = (struct chunk){.size = MAX(grown, size)};
    if (a->now)
        a->now->next = c;
    else
        a->first = c;
    return a->now = c;
}

static size_t padded_size(size_t size)
{
    return (size + ALIGN - 1) & ~(size_t)(ALIGN - 1);
}

void *arena_take_raw(struct arena *a, size_t size)
{
    if (size > a->limit || a->used > a->limit - size) return NULL;
    size_t padded = padded_size(size);
    struct chunk *c = a->now;
    if (!c || c->size - c->used < padded) c = chunk_for(a, padded);
    if (!c) return NULL;
    void *p = c->mem + c->used;
    c->used += padded;
    a->used += padded;
    return p;
}

void *arena_take(struct arena *a, size_t size)
{
    void *p = arena_take_raw(a, size);
    return p ? memset(p, 0, size) : NULL;
}

void *arena_resize(struct arena *a, void *old, size_t old_size, size_t new_size)
{
    struct chunk *c = a->now;
    if (new_size > a->limit) return NULL;
    size_t before = padded_size(old_size), after = padded_size(new_size);
    bool newest = old && c && (uint8_t *)old + before == c->mem + c->used;
    size_t spare = newest ? c->size - c->used : 0;
    if (newest && (after <= before || (after - before <= spare &&
                                       after - before <= a->limit - MIN(a->used, a->limit)))) {
        c->used += after - before; /* wraps to a subtraction when the block is trimmed */
        a->used += after - before;
        return old;
    }
    if (after <= before && old) return old;
    void *p = arena_take_raw(a, new_size);
    if (p && old) memcpy(p, old, MIN(old_size, new_size));
    return p;
}

size_t arena_used(const struct arena *a)
{
    return a->used;
}

char *arena_text(struct arena *a, struct slice s)
{
    char *text = arena_take_raw(a, (size_t)s.len + 1);
    if (!text) return NULL;
    if (s.len) memcpy(text, s.at, s.len);
    text[s.len] = 0;
    return text;
}

struct slice arena_slice(struct arena *a, struct slice s)
{
    char *text = arena_text(a, s);
    return text ? slice_make(text, s.len) : (struct slice){0};
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    char *text = n < 0 ? NULL : arena_take_raw(a, (size_t)n + 1);
    if (text) vsnprintf(text, (size_t)n + 1, fmt, again);
    va_end(again);
    return text;
}

/* --- pool --------------------------------------------------------------------------------------
 */

struct pool_slot {
    struct pool_slot *next;
};

struct pool {
    struct pool_slot *spare; /* given back, waiting for the next take */
    size_t object_size, count_max, out;
};

struct pool *pool_new(size_t object_size, size_t count_max)
{
    struct pool *p = mem_take(sizeof(*p));
    if (p) *p = (struct pool){NULL, MAX(object_size, sizeof(struct pool_slot)), count_max, 0};
    return p;
}

void pool_free(struct pool *p)
{
    if (!p) return;
    assert(p->out == 0); /* somebody still holds an object of a pool that goes away */
    for (struct pool_slot *s = p->spare, *next; s; s = next) {
        next = s->next;
        mem_give(s);
    }
    mem_give(p);
}

void *pool_take(struct pool *p)
{
    struct pool_slot *s = p->spare;
    if (p->out == p->count_max) return NULL;
    if (s) {
        p->spare = s->next;
        memset(s, 0, p->object_size);
    } else {
        s = mem_take(p->object_size);
    }
    if (s) p->out++;
    return s;
}

void pool_give(struct pool *p, void *object)
{
    struct pool_slot *s = object;
    assert(p->out > 0);
    s->next = p->spare;
    p->spare = s;
    p->out--;
}

size_t pool_out(const struct pool *p)
{
    return p->out;
}
