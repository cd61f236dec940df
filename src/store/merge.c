/* Many writes of one row become one, cell by cell. Commutative, associative, idempotent: whenever
 * RocksDB merges, and however it groups the writes, the bytes come out the same. */
#include "store/store_int.h"

enum { CELLS_ON_STACK = 64, MEMORY_TRIES = 3 };

struct cells {
    struct cell *at;
    size_t count;
};

/* to = a and b; both sorted by id. Room for a->count + b's cells is there. */
static err_t cells_merge(const struct cells *a, struct slice row, struct cells *to, size_t cap)
{
    struct row_reader r;
    struct cell b;
    row_open(&r, row);
    bool more = row_next(&r, &b);
    size_t i = 0, n = 0;
    while ((i < a->count || more) && n < cap) {
        if (!more || (i < a->count && a->at[i].id < b.id)) {
            to->at[n++] = a->at[i++];
            continue;
        }
        bool both = i < a->count && a->at[i].id == b.id;
        to->at[n++] = both && cell_compare(&a->at[i], &b) >= 0 ? a->at[i] : b;
        i += both;
        more = row_next(&r, &b);
    }
    to->count = n;
    if (r.err) return r.err;
    return i < a->count || more ? ERR_TOO_BIG : ERR_OK;
}

/* Merges into one of two arrays of `cap` cells; ERR_TOO_BIG asks for larger ones. */
static err_t merge_within(const struct slice *rows, size_t count, struct cell *memory, size_t cap,
                          struct buf *out)
{
    struct cells have = {memory, 0}, next = {memory + cap, 0};
    for (size_t i = 0; i < count; i++) {
        err_t e = cells_merge(&have, rows[i], &next, cap);
        if (e) return e;
        struct cells t = have;
        have = next;
        next = t;
    }
    if (!buf_reserve(out, row_size_max(have.at, have.count))) return out->err;
    row_put(out, have.at, have.count);
    return out->err;
}

/* Every row is written in the one form (row_put, row_value): alone it is merged already. Most are:
 * compaction asks for each row that it brings to the last level. */
static err_t row_alone(struct slice row, struct buf *out)
{
    struct row_reader r;
    row_open(&r, row);
    if (r.err) return r.err;
    buf_slice(out, row);
    return out->err;
}

err_t row_merge(const struct slice *rows, size_t count, struct buf *out)
{
    struct cell on_stack[2 * CELLS_ON_STACK];
    if (count == 1) return row_alone(rows[0], out);
    err_t e = merge_within(rows, count, on_stack, CELLS_ON_STACK, out);
    for (size_t cap = 1024; e == ERR_TOO_BIG && cap <= CELL_ID_MAX + 1025UL; cap *= 8) {
        struct cell *memory = mem_take_raw(2 * cap * sizeof *memory);
        if (!memory) return ERR_NO_MEMORY;
        buf_reset(out);
        e = merge_within(rows, count, memory, cap, out);
        mem_give(memory);
    }
    return e;
}

/* --- RocksDB's side -----------------------------------------------------------------------------
 */

/* A merge that fails stops all of RocksDB, so that one refusal of memory is asked again. */
static char *merged(const struct slice *rows, size_t count, unsigned char *ok, size_t *len)
{
    for (int i = 0; i < MEMORY_TRIES; i++) {
        struct buf out = buf_make(UINT32_MAX);
        err_t e = row_merge(rows, count, &out);
        if (!e) {
            *ok = 1;
            *len = out.len;
            return (char *)out.at;
        }
        buf_done(&out);
        if (e != ERR_NO_MEMORY) break;
    }
    *ok = 0;
    *len = 0;
    return NULL;
}

static char *merge_list(struct slice existing, const char *const *list, const size_t *lens,
                        int count, unsigned char *ok, size_t *len)
{
    enum { BATCH = 128 };
    struct slice rows[BATCH + 1];
    size_t n = 0;
    char *so_far = NULL;
    if (existing.at) rows[n++] = existing;
    for (int i = 0; i < count;) {
        for (; i < count && n < BATCH; i++) rows[n++] = slice_make(list[i], lens[i]);
        char *next = merged(rows, n, ok, len);
        mem_give(so_far);
        so_far = next;
        if (!next) return NULL;
        rows[0] = slice_make(next, *len);
        n = 1;
    }
    return so_far;
}

static char *full_merge(void *state, const char *key, size_t key_len, const char *existing,
                        size_t existing_len, const char *const *list, const size_t *lens, int count,
                        unsigned char *ok, size_t *len)
{
    (void)state, (void)key, (void)key_len;
    return merge_list(slice_make(existing, existing_len), list, lens, count, ok, len);
}

static char *partial_merge(void *state, const char *key, size_t key_len, const char *const *list,
                           const size_t *lens, int count, unsigned char *ok, size_t *len)
{
    (void)state, (void)key, (void)key_len;
    return merge_list((struct slice){0}, list, lens, count, ok, len);
}

static void merge_free(void *state, const char *value, size_t len)
{
    (void)state, (void)len;
    mem_give((void *)(uintptr_t)value);
}
static void merge_destroy(void *state)
{
    (void)state;
}
static const char *merge_name(void *state)
{
    (void)state;
    return "sluice.cells.1";
}

rocksdb_mergeoperator_t *merge_operator_new(void)
{
    return rocksdb_mergeoperator_create(NULL, merge_destroy, full_merge, partial_merge, merge_free,
                                        merge_name);
}
