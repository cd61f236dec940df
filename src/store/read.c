/* Snapshots, and flow's records. */
#include "store/store_int.h"

struct store_snapshot {
    struct store *store;
    const rocksdb_snapshot_t *at;
};

struct store_snapshot *store_snapshot(struct store *s)
{
    struct store_snapshot *n = mem_take(sizeof *n);
    if (!n) return NULL;
    n->store = s;
    gate_enter(&s->gate);
    s->snapshots_wanted++;
    while (s->ingests_running) gate_wait(&s->gate); /* why: take_in in ingest.c */
    n->at = rocksdb_create_snapshot(s->db);
    s->snapshots_wanted--;
    gate_wake(&s->gate);
    gate_leave(&s->gate);
    return n;
}

void store_snapshot_free(struct store_snapshot *n)
{
    if (!n) return;
    rocksdb_release_snapshot(n->store->db, n->at);
    mem_give(n);
}

rocksdb_readoptions_t *read_options(const struct store_snapshot *n)
{
    rocksdb_readoptions_t *o = rocksdb_readoptions_create();
    if (n) rocksdb_readoptions_set_snapshot(o, n->at);
    return o;
}

err_t store_record(struct store *s, const struct store_snapshot *n, enum store_space space,
                   struct slice key, struct arena *a, struct slice *value, struct diag *d)
{
    *value = (struct slice){0};
    struct buf k = buf_make(KEY_PREFIX_SIZE + RECORD_KEY_MAX);
    buf_be(&k, space, KEY_PREFIX_SIZE);
    buf_slice(&k, key);
    err_t e = k.err;
    if (e) {
        buf_done(&k);
        return diag_fail(d, e, "a record's key is too long");
    }
    char *message = NULL;
    rocksdb_readoptions_t *o = n ? read_options(n) : s->read_newest;
    rocksdb_pinnableslice_t *found =
        rocksdb_get_pinned(s->db, o, (const char *)k.at, k.len, &message);
    if (message) {
        e = rocks_failed(s, message, d, "a record can not be read");
    } else if (!found) {
        e = diag_fail(d, ERR_NOT_FOUND, "no such record");
    } else {
        size_t len;
        const char *at = rocksdb_pinnableslice_value(found, &len);
        uint8_t *copy = arena_take_raw(a, MAX(len, 1U));
        if (copy) {
            memcpy(copy, at, len);
            *value = slice_make(copy, len);
        } else {
            e = diag_fail(d, ERR_NO_MEMORY, "no memory for a record of %zu bytes", len);
        }
    }
    if (found) rocksdb_pinnableslice_destroy(found);
    if (n) rocksdb_readoptions_destroy(o);
    buf_done(&k);
    return e;
}

static bool has_prefix(struct slice key, struct slice prefix)
{
    return key.len >= prefix.len && (!prefix.len || memcmp(key.at, prefix.at, prefix.len) == 0);
}

struct records_walk {
    struct store *store;
    rocksdb_iterator_t *at;
    struct slice prefix, beyond; /* beyond.at NULL: all with the prefix */
    bool back;
    err_t (*each)(void *ctx, struct slice key, struct slice value);
    void *ctx;
};

/* Between those to be shown and the place where the walk began? */
static bool is_before_all(const struct records_walk *w, struct slice key)
{
    int order = w->beyond.at ? slice_compare(key, w->beyond) : w->back ? -1 : 1;
    return w->back ? order >= 0 : order <= 0;
}

static err_t records_walk(struct records_walk *w, struct diag *d)
{
    err_t e = ERR_OK;
    char *message = NULL;
    for (; !e && rocksdb_iter_valid(w->at);
         w->back ? rocksdb_iter_prev(w->at) : rocksdb_iter_next(w->at)) {
        size_t key_len, value_len;
        const char *at = rocksdb_iter_key(w->at, &key_len);
        struct slice key = slice_make(at + KEY_PREFIX_SIZE, key_len - KEY_PREFIX_SIZE);
        if (!has_prefix(key, w->prefix)) break;
        const char *value = rocksdb_iter_value(w->at, &value_len);
        if (is_before_all(w, key)) continue;
        e = w->each(w->ctx, key, slice_make(value, value_len));
    }
    rocksdb_iter_get_error(w->at, &message);
    if (message) return rocks_failed(w->store, message, d, "the records can not be read");
    return e;
}

/* Behind the last key that starts with what is in `key`, as near as may be. */
static void step_over(struct buf *key)
{
    while (key->len && key->at[key->len - 1] == 0xff) key->len--;
    if (key->len) key->at[key->len - 1]++;
}

static err_t records_seek(struct records_walk *w, const struct store_snapshot *n,
                          enum store_space space, struct diag *d)
{
    char first[KEY_PREFIX_SIZE], end[KEY_PREFIX_SIZE];
    struct buf start = buf_make(KEY_PREFIX_SIZE + RECORD_KEY_MAX), e4 = buf_over(end, sizeof end),
               f4 = buf_over(first, sizeof first);
    bool inside = w->beyond.at && (w->back ? has_prefix(w->beyond, w->prefix)
                                           : slice_compare(w->beyond, w->prefix) >= 0);
    buf_be(&e4, space + 1U, KEY_PREFIX_SIZE);
    buf_be(&f4, space, KEY_PREFIX_SIZE);
    buf_be(&start, space, KEY_PREFIX_SIZE);
    buf_slice(&start, inside ? w->beyond : w->prefix);
    err_t e = start.err;
    if (e) {
        buf_done(&start);
        return diag_fail(d, e, "a record's key is too long");
    }
    if (w->back && !inside) step_over(&start);
    rocksdb_readoptions_t *o = read_options(n);
    rocksdb_readoptions_set_iterate_lower_bound(o, first, sizeof first);
    rocksdb_readoptions_set_iterate_upper_bound(o, end, sizeof end);
    w->at = rocksdb_create_iterator(w->store->db, o);
    if (w->back)
        rocksdb_iter_seek_for_prev(w->at, (const char *)start.at, start.len);
    else
        rocksdb_iter_seek(w->at, (const char *)start.at, start.len);
    if (w->back && !inside && rocksdb_iter_valid(w->at)) { /* it may be the key behind them */
        size_t len;
        const char *at = rocksdb_iter_key(w->at, &len);
        struct slice key = slice_make(at + KEY_PREFIX_SIZE, len - KEY_PREFIX_SIZE);
        if (!has_prefix(key, w->prefix)) rocksdb_iter_prev(w->at);
    }
    e = records_walk(w, d);
    rocksdb_iter_destroy(w->at);
    rocksdb_readoptions_destroy(o);
    buf_done(&start);
    return e;
}

err_t store_records(struct store *s, const struct store_snapshot *n, enum store_space space,
                    struct slice prefix, struct slice after,
                    err_t (*each)(void *ctx, struct slice key, struct slice value), void *ctx,
                    struct diag *d)
{
    struct records_walk w = {
        .store = s, .prefix = prefix, .beyond = after, .each = each, .ctx = ctx};
    return records_seek(&w, n, space, d);
}

err_t store_records_back(struct store *s, const struct store_snapshot *n, enum store_space space,
                         struct slice prefix, struct slice before,
                         err_t (*each)(void *ctx, struct slice key, struct slice value), void *ctx,
                         struct diag *d)
{
    struct records_walk w = {
        .store = s, .prefix = prefix, .beyond = before, .back = true, .each = each, .ctx = ctx};
    return records_seek(&w, n, space, d);
}
