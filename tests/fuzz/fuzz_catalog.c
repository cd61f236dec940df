/* The store's catalog on disk: tables, keyspaces, types, of both versions. What can be read is
 * written and read again to the same bytes. */
#include "fuzz.h"
#include "store/catalog.h"

static void check_table(struct slice value, struct arena *a)
{
    struct diag d = {0};
    struct table *t = NULL, *again = NULL;
    struct buf one = buf_make(16 << 20), two = buf_make(16 << 20);
    if (!table_take(SLICE("ks"), SLICE("t"), value, a, &t, &d)) {
        table_put(&one, t);
        if (!one.err &&
            table_take(SLICE("ks"), SLICE("t"), buf_view(&one), a, &again, &d) == ERR_OK)
            table_put(&two, again);
        else if (!one.err && arena_used(a) < 32 << 20)
            abort();
        if (again && !slice_equal(buf_view(&one), buf_view(&two))) abort();
    }
    buf_done(&one);
    buf_done(&two);
}

static void check_keyspace(struct slice value, struct arena *a)
{
    struct store_keyspace k, again;
    struct buf one = buf_make(16 << 20), two = buf_make(16 << 20);
    if (!keyspace_take(SLICE("ks"), value, a, &k)) {
        keyspace_put(&one, &k);
        if (keyspace_take(SLICE("ks"), buf_view(&one), a, &again)) abort();
        keyspace_put(&two, &again);
        if (!slice_equal(buf_view(&one), buf_view(&two))) abort();
    }
    buf_done(&one);
    buf_done(&two);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct arena *a = arena_new(64 << 20);
    if (!a) abort();
    if (size) {
        uint8_t *copy = fuzz_copy(bytes + 1, size - 1, 0);
        struct slice value = slice_make(copy, size - 1);
        if (bytes[0] & 1)
            check_table(value, a);
        else
            check_keyspace(value, a);
        mem_give(copy);
    }
    arena_free(a);
    return 0;
}
