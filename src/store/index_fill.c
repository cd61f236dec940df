/* A new index gets an entry for each row that is there. Writers know it already, so that together
 * nothing is missing; what changes meanwhile leaves stale entries, as always. */
#include "store/catalog.h"

enum { FILL_BYTES = 32 << 20 /* of one commit */ };

struct filling {
    struct store *s;
    const struct table *t;
    struct store_write *w;
    struct diag *d;
};

static err_t fill_entry(void *ctx, uint32_t prefix, struct slice value, struct slice row)
{
    struct filling *f = ctx;
    return write_index_entry(f->w, &f->t->t, prefix, value, row);
}

static err_t fill_commit(struct filling *f)
{
    struct store_write *w = f->w;
    f->w = NULL;
    return store_write_commit(w, f->d);
}

static err_t fill_walk(struct filling *f, rocksdb_iterator_t *i, const struct table *one)
{
    err_t e = ERR_OK;
    for (; rocksdb_iter_valid(i) && !e; rocksdb_iter_next(i)) {
        size_t key_len, value_len;
        const char *key = rocksdb_iter_key(i, &key_len), *value = rocksdb_iter_value(i, &value_len);
        if (atomic_load(&f->s->closing)) return diag_fail(f->d, ERR_STOPPED, "shutting down");
        if (!f->w) e = store_write_begin(f->s, STORE_CATCHUP, GIB(1), &f->w, f->d);
        if (!e)
            e = index_entries(one, slice_make(key, key_len), slice_make(value, value_len),
                              fill_entry, f, f->d);
        if (!e && f->w && store_write_bytes(f->w) >= FILL_BYTES) e = fill_commit(f);
    }
    return e;
}

err_t index_fill(struct store *s, const struct table *t, const struct store_index *i,
                 struct diag *d)
{
    struct table one = *t; /* with this index only */
    struct filling f = {.s = s, .t = t, .d = d};
    char *message = NULL;
    uint8_t from[KEY_PREFIX_SIZE], to[KEY_PREFIX_SIZE];
    struct buf a = buf_over(from, sizeof from), b = buf_over(to, sizeof to);
    one.t.indexes = i;
    one.t.index_count = 1;
    buf_be(&a, t->t.prefix, KEY_PREFIX_SIZE);
    buf_be(&b, t->t.prefix + 1U, KEY_PREFIX_SIZE);
    struct store_snapshot *n = store_snapshot(s);
    if (!n) return diag_fail(d, ERR_NO_MEMORY, "no memory for a snapshot");
    rocksdb_readoptions_t *o = read_options(n);
    rocksdb_readoptions_set_iterate_upper_bound(o, (const char *)to, sizeof to);
    rocksdb_readoptions_set_fill_cache(o, 0);
    rocksdb_iterator_t *it = rocksdb_create_iterator(s->db, o);
    rocksdb_iter_seek(it, (const char *)from, sizeof from);
    err_t e = fill_walk(&f, it, &one);
    rocksdb_iter_get_error(it, &message);
    if (message) e = rocks_failed(s, message, d, "the rows for an index can not be read");
    rocksdb_iter_destroy(it);
    rocksdb_readoptions_destroy(o);
    store_snapshot_free(n);
    if (!e && f.w) e = fill_commit(&f);
    store_write_abort(f.w);
    return e;
}
