/* Many writes of one row become one, cell by cell. Commutative, associative, idempotent: whenever
 * RocksDB merges, and however it groups the writes, the bytes come out the same. So what a row
 * tombstone, or a complex cell's deletion, reaches is always left out, never now and then. */
#include "store/store_int.h"

enum { CELLS_ON_STACK = 64, MEMORY_TRIES = 3, BODIES_MAX = 1 << 30 };

struct cells {
    struct cell *at;
    size_t count;
};
struct merging {
    struct arena *bodies; /* complex cells that were made here; NULL: none yet */
    struct cells have, next;
    size_t cap;   /* of both */
    bool complex; /* a row of version 2 is among them */
};

/* Place in a row: a complex cell comes behind a simple one of its id. */
static inline uint32_t rank(const struct cell *c)
{
    return (uint32_t)c->id << 1 | c->complex;
}

/* `b` may be of no bytes: then only what `floor` reaches goes. */
static err_t body_merge(struct merging *m, struct cell *a, struct slice b, int64_t floor)
{
    if (!m->bodies) m->bodies = arena_new(BODIES_MAX);
    if (!m->bodies) return ERR_NO_MEMORY;
    return a->id == CELL_RANGES ? ranges_merge(a->value, b, floor, m->bodies, &a->value)
                                : complex_merge(a->value, b, floor, m->bodies, &a->value);
}

/* next = have and the row's, both sorted. */
static err_t cells_merge(struct merging *m, struct slice row)
{
    struct row_reader r;
    struct cell b;
    row_open(&r, row);
    bool more = row_next(&r, &b);
    size_t i = 0, n = 0;
    const struct cells *a = &m->have;
    struct cells *to = &m->next;
    m->complex |= r.version > ROW_SIMPLE;
    while ((i < a->count || more) && n < m->cap) {
        if (!more || (i < a->count && rank(&a->at[i]) < rank(&b))) {
            to->at[n++] = a->at[i++];
            continue;
        }
        bool both = i < a->count && rank(&a->at[i]) == rank(&b);
        if (both && b.complex) {
            to->at[n] = a->at[i];
            err_t e = body_merge(m, &to->at[n++], b.value, INT64_MIN);
            if (e) return e;
        } else {
            to->at[n++] = both && cell_compare(&a->at[i], &b) >= 0 ? a->at[i] : b;
        }
        i += both;
        more = row_next(&r, &b);
    }
    to->count = n;
    if (r.err) return r.err;
    return i < a->count || more ? ERR_TOO_BIG : ERR_OK;
}

/* What the row's tombstone reaches goes; so does what a complex column's whole value replaces. */
static err_t drop_reached(struct merging *m)
{
    struct cells *c = &m->have;
    int64_t floor = INT64_MIN;
    size_t n = 0;
    for (size_t i = 0; i < c->count && c->at[i].id <= CELL_ROW_TOMBSTONE; i++)
        if (c->at[i].id == CELL_ROW_TOMBSTONE) floor = c->at[i].timestamp;
    for (size_t i = 0; i < c->count; i++) {
        struct cell *cell = &c->at[i];
        bool deletion = cell->id == CELL_ROW_TOMBSTONE;
        if (!cell->complex && !deletion && time_reached(cell->timestamp, floor)) continue;
        if (cell->complex) {
            bool twin = n && c->at[n - 1].id == cell->id;
            int64_t whole = twin ? whole_reaches(&c->at[n - 1]) : INT64_MIN;
            err_t e = body_merge(m, cell, (struct slice){0}, MAX(floor, whole));
            if (e) return e;
            if (cell->value.len == 0) continue;
        }
        c->at[n++] = *cell;
    }
    c->count = n;
    return ERR_OK;
}

/* Newest first: the oldest is what was merged before, and large where the others are small. */
static err_t merge_rows(struct merging *m, const struct slice *rows, size_t count, struct buf *out)
{
    for (size_t i = count; i-- > 0;) {
        err_t e = cells_merge(m, rows[i]);
        if (e) return e;
        struct cells t = m->have;
        m->have = m->next;
        m->next = t;
    }
    err_t e = m->complex ? drop_reached(m) : ERR_OK;
    if (e) return e;
    if (!buf_reserve(out, row_size_max(m->have.at, m->have.count))) return out->err;
    row_put(out, m->have.at, m->have.count);
    return out->err;
}

/* Merges into one of two arrays of `cap` cells; ERR_TOO_BIG asks for larger ones. */
static err_t merge_within(const struct slice *rows, size_t count, struct cell *memory, size_t cap,
                          struct buf *out)
{
    struct merging m = {.have = {memory, 0}, .next = {memory + cap, 0}, .cap = cap};
    err_t e = merge_rows(&m, rows, count, out);
    arena_free(m.bodies);
    return e;
}

/* A simple row is written in the one form (row_put, row_value): alone it is merged already. Most
 * are: reading and compaction ask for each row that was written once. */
static bool row_alone(struct slice row)
{
    struct row_reader r;
    row_open(&r, row);
    return !r.err && r.version == ROW_SIMPLE;
}

err_t row_merge(const struct slice *rows, size_t count, struct buf *out)
{
    struct cell on_stack[2 * CELLS_ON_STACK];
    size_t from = out->len;
    err_t e;
    if (count == 1 && row_alone(rows[0])) {
        buf_slice(out, rows[0]);
        return out->err;
    }
    e = merge_within(rows, count, on_stack, CELLS_ON_STACK, out);
    for (size_t cap = 1024; e == ERR_TOO_BIG && cap <= 2 * CELL_ID_MAX + 2UL * 1025; cap *= 4) {
        struct cell *memory = mem_take_raw(2 * cap * sizeof *memory);
        if (!memory) return ERR_NO_MEMORY;
        out->len = from;
        out->err = ERR_OK;
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

/* The operand that full_merge answered as it is: it is RocksDB's own, which copies it and then asks
 * to have it freed, on the same thread. */
static _Thread_local const char *lent;

static char *full_merge(void *state, const char *key, size_t key_len, const char *existing,
                        size_t existing_len, const char *const *list, const size_t *lens, int count,
                        unsigned char *ok, size_t *len)
{
    (void)state, (void)key, (void)key_len;
    merge_seen(slice_make(existing, existing_len), list, lens, count);
    if (!existing && count == 1 && row_alone(slice_make(list[0], lens[0]))) {
        *ok = 1;
        *len = lens[0];
        lent = list[0];
        return (char *)(uintptr_t)lent;
    }
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
    if (!lent || value != lent) mem_give((void *)(uintptr_t)value);
    lent = NULL;
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
