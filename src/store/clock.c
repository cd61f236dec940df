/* The clock of writes: microseconds that grow strictly, also when the machine's clock steps back
 * and over restarts. No timestamp is durable that is not below a durable ceiling: the committer
 * moves it ahead with the group that reaches it, by a block. After a stop without closing time goes
 * on at the ceiling, which is a block ahead at most: more would let clients that give their own
 * time lose against rows written after the restart. */
#include "os/clock.h"
#include "store/store_int.h"

enum { CLOCK_BLOCK_US = 1000000 };
static const char clock_name[] = "clock";

int64_t store_timestamp(struct store *s)
{
    int64_t now = clock_wall_us();
    int64_t last = atomic_load_explicit(&s->clock_last, memory_order_relaxed), next;
    do next = MAX(now, last + 1);
    while (!atomic_compare_exchange_weak(&s->clock_last, &last, next));
    return next;
}

err_t clock_load(struct store *s, struct diag *d)
{
    struct slice value;
    struct diag absent = {0};
    struct arena *a = arena_new(KIB(4));
    if (!a) return diag_fail(d, ERR_NO_MEMORY, "no memory for the clock");
    err_t e = store_record(s, NULL, STORE_META, SLICE("clock"), a, &value, &absent);
    if (!e) {
        struct cursor c = cursor_of(value);
        int64_t ceiling = (int64_t)cursor_be(&c, 8);
        atomic_store(&s->clock_last, ceiling);
        atomic_store(&s->clock_ceiling, ceiling);
        e = c.err ? diag_fail(d, ERR_CORRUPT, "the clock's record can not be read") : ERR_OK;
    } else if (e == ERR_NOT_FOUND) {
        e = ERR_OK;
    } else if (d) {
        *d = absent;
    }
    arena_free(a);
    return e;
}

int64_t clock_reserve(struct store *s, rocksdb_writebatch_t *b)
{
    uint8_t key[KEY_PREFIX_SIZE + sizeof clock_name], value[8];
    int64_t last = atomic_load(&s->clock_last), ceiling = last + CLOCK_BLOCK_US;
    if (last < atomic_load_explicit(&s->clock_ceiling, memory_order_relaxed)) return 0;
    struct buf k = buf_over(key, sizeof key), v = buf_over(value, sizeof value);
    buf_be(&k, STORE_META, KEY_PREFIX_SIZE);
    buf_text(&k, clock_name);
    buf_be(&v, (uint64_t)ceiling, 8);
    rocksdb_writebatch_put(b, (const char *)k.at, k.len, (const char *)v.at, v.len);
    return ceiling;
}

void clock_reserved(struct store *s, int64_t ceiling)
{
    if (ceiling) atomic_store(&s->clock_ceiling, ceiling);
}
