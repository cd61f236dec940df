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

static err_t records_walk(struct store *s, rocksdb_iterator_t *i, struct slice prefix,
                          struct slice after,
                          err_t (*each)(void *ctx, struct slice key, struct slice value), void *ctx,
                          struct diag *d)
{
    err_t e = ERR_OK;
    char *message = NULL;
    for (; !e && rocksdb_iter_valid(i); rocksdb_iter_next(i)) {
        size_t key_len, value_len;
        const char *at = rocksdb_iter_key(i, &key_len);
        struct slice key = slice_make(at + KEY_PREFIX_SIZE, key_len - KEY_PREFIX_SIZE);
        if (key.len < prefix.len) break;
        if (prefix.len && memcmp(key.at, prefix.at, prefix.len) != 0) break;
        const char *value = rocksdb_iter_value(i, &value_len);
        if (after.at && slice_compare(key, after) <= 0) continue;
        e = each(ctx, key, slice_make(value, value_len));
    }
    rocksdb_iter_get_error(i, &message);
    if (message) return rocks_failed(s, message, d, "the records can not be read");
    return e;
}

err_t store_records(struct store *s, const struct store_snapshot *n, enum store_space space,
                    struct slice prefix, struct slice after,
                    err_t (*each)(void *ctx, struct slice key, struct slice value), void *ctx,
                    struct diag *d)
{
    char end[KEY_PREFIX_SIZE];
    struct buf start = buf_make(KEY_PREFIX_SIZE + RECORD_KEY_MAX), e4 = buf_over(end, sizeof end);
    bool from_after = after.at && slice_compare(after, prefix) >= 0;
    buf_be(&e4, space + 1U, KEY_PREFIX_SIZE);
    buf_be(&start, space, KEY_PREFIX_SIZE);
    buf_slice(&start, from_after ? after : prefix);
    err_t e = start.err;
    if (e) {
        buf_done(&start);
        return diag_fail(d, e, "a record's key is too long");
    }
    rocksdb_readoptions_t *o = read_options(n);
    rocksdb_readoptions_set_iterate_upper_bound(o, end, sizeof end);
    rocksdb_iterator_t *i = rocksdb_create_iterator(s->db, o);
    rocksdb_iter_seek(i, (const char *)start.at, start.len);
    e = records_walk(s, i, prefix, after, each, ctx, d);
    rocksdb_iter_destroy(i);
    rocksdb_readoptions_destroy(o);
    buf_done(&start);
    return e;
}
