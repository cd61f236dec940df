/* state: entries on the store, and what an epoch's end makes of those in memory. */
#include "flow/state_int.h"
#include <stdlib.h>

/* --- keys ---------------------------------------------------------------------------------------
 */

static void put_time(struct buf *out, int64_t time)
{
    buf_be(out, (uint64_t)time ^ (uint64_t)1 << 63, 8);
}

void state_store_key(struct state *s, int64_t time, struct slice key)
{
    buf_reset(&s->scratch_key);
    buf_put(&s->scratch_key, s->prefix, STATE_PREFIX);
    put_time(&s->scratch_key, time);
    buf_char(&s->scratch_key, 1);
    buf_slice(&s->scratch_key, key);
}

/* --- opening ------------------------------------------------------------------------------------
 */

struct seek {
    bool found;
    int64_t time;
    bool bad;
};

static err_t seek_one(void *ctx, struct slice key, struct slice value)
{
    struct seek *k = ctx;
    struct cursor c = cursor_of(key);
    (void)value;
    cursor_slice(&c, STATE_PREFIX);
    k->time = (int64_t)(cursor_be(&c, 8) ^ (uint64_t)1 << 63);
    k->bad = c.err || cursor_be(&c, 1) != 1 || c.err;
    k->found = true;
    return ERR_STOPPED;
}

/* The times of what the store holds: from each to the first key behind all of its keys. */
static err_t find_buckets(struct state *s, struct diag *d)
{
    struct slice prefix = {s->prefix, STATE_PREFIX};
    for (struct slice after = {0};;) {
        struct seek k = {0};
        err_t e = store_records(s->o.store, NULL, STORE_STATE, prefix, after, seek_one, &k, d);
        if (e && !(e == ERR_STOPPED && k.found)) return e;
        if (!k.found) return ERR_OK;
        if (k.bad) return diag_fail(d, ERR_CORRUPT, "a state's key is damaged");
        struct bucket *b;
        e = bucket_make(s, k.time, &b, d);
        if (e) return e;
        b->on_store = true;
        b->complete = b->out_known = false;
        state_store_key(s, k.time, (struct slice){0});
        s->scratch_key.at[STATE_HEAD - 1] = 2; /* behind every key of this time */
        if (s->scratch_key.err) return diag_fail(d, s->scratch_key.err, "a state's key");
        after = buf_view(&s->scratch_key);
    }
}

err_t state_open(const struct state_options *o, struct state **out, struct diag *d)
{
    struct state *s = mem_take(sizeof(*s));
    *out = NULL;
    if (!s) return diag_fail(d, ERR_NO_MEMORY, "no memory for state");
    s->o = *o;
    s->epoch = 1;
    s->slot_size = ((uint32_t)sizeof(struct head) + o->form->size + 15) & ~15u;
    s->slab_slots = MAX(1u, STATE_SLAB_BYTES / s->slot_size);
    s->scratch = buf_make(GIB(1));
    s->scratch_key = buf_make(STATE_HEAD + STATE_KEY_MAX);
    s->left = buf_make(STATE_HEAD + STATE_KEY_MAX);
    s->arena = arena_new(GIB(1));
    struct buf prefix = buf_over(s->prefix, STATE_PREFIX);
    buf_be(&prefix, o->stream, 4);
    buf_be(&prefix, o->node, 2);
    buf_be(&prefix, o->part, 1);
    err_t e = s->arena ? ERR_OK : diag_fail(d, ERR_NO_MEMORY, "no memory for state");
    if (!e && o->store) e = find_buckets(s, d);
    if (e)
        state_close(s);
    else
        *out = s;
    return e;
}

/* Everything in memory goes. */
static void empty(struct state *s)
{
    for (size_t i = 0; i < s->bucket_count; i++) {
        struct bucket *b = s->buckets[i];
        for (uint32_t k = 0; b->filled;) {
            if (b->cells[k].head)
                head_free(s, b->cells[k].head); /* another one may have moved here */
            else
                k++;
        }
        bucket_free(s, b);
    }
    s->bucket_count = 0;
    s->touched_count = 0;
    s->removed = 0;
}

void state_close(struct state *s)
{
    if (!s) return;
    empty(s);
    for (uint32_t i = 0; i < s->slab_count; i++) mem_give(s->slabs[i]);
    state_charge(s, 0 - s->bytes);
    mem_give(s->slabs);
    mem_give(s->buckets);
    mem_give(s->touched);
    buf_done(&s->scratch);
    buf_done(&s->scratch_key);
    buf_done(&s->left);
    arena_free(s->arena);
    mem_give(s);
}

/* --- reading ------------------------------------------------------------------------------------
 */

static err_t head_load(struct state *s, struct bucket *b, struct slice key, uint64_t hash,
                       struct slice value, struct head **out, struct diag *d)
{
    struct head *h = NULL;
    err_t e = head_make(s, b, key, hash, &h, d);
    if (e) return e;
    h->flags |= HEAD_STORED;
    if (b->out > 0) b->out--;
    e = value.len > 0 && value.at[0] == STATE_VERSION
            ? s->o.form->take(s->o.ctx, head_entry(h), slice_make(value.at + 1, value.len - 1))
            : ERR_CORRUPT;
    if (e) {
        head_let_go(s, h);
        return diag_fail(d, e, "the state of stream %u, node %u, part %u can not be read",
                         s->o.stream, s->o.node, s->o.part);
    }
    head_count(s, h);
    if (b->out_known && b->out == 0) b->complete = true;
    *out = h;
    return ERR_OK;
}

err_t state_read(struct state *s, struct bucket *b, struct slice key, uint64_t hash,
                 struct head **out, struct diag *d)
{
    struct slice value;
    if (key.len > STATE_KEY_MAX) return ERR_OK; /* there is none */
    arena_reset(s->arena);
    state_store_key(s, b->time, key);
    if (s->scratch_key.err) return diag_fail(d, s->scratch_key.err, "a state's key");
    err_t e =
        store_record(s->o.store, NULL, STORE_STATE, buf_view(&s->scratch_key), s->arena, &value, d);
    if (e == ERR_NOT_FOUND) return ERR_OK;
    return e ? e : head_load(s, b, key, hash, value, out, d);
}

struct reading {
    struct state *s;
    struct bucket *b;
    const struct slice *keys;
    const uint64_t *hashes;
    const uint32_t *asked; /* which of the keys */
    uint8_t *absent;
};

static err_t read_one(void *ctx, uint32_t i, struct slice value, struct diag *d)
{
    const struct reading *r = ctx;
    uint32_t k = r->asked[i];
    struct head *h;
    if (!value.at) {
        r->absent[k] = true;
        return ERR_OK;
    }
    if (bucket_get(r->b, r->keys[k], r->hashes[k])) return ERR_OK; /* one key twice */
    return head_load(r->s, r->b, r->keys[k], r->hashes[k], value, &h, d);
}

err_t state_read_many(struct state *s, struct bucket *b, const struct slice *keys,
                      const uint64_t *hashes, uint32_t count, uint8_t *absent, struct diag *d)
{
    arena_reset(s->arena);
    struct slice *wanted = arena_take(s->arena, count * sizeof(*wanted));
    uint32_t *asked = arena_take(s->arena, count * sizeof(*asked)), n = 0;
    if (!wanted || !asked) return diag_fail(d, ERR_NO_MEMORY, "no memory for a state's keys");
    for (uint32_t i = 0; i < count; i++) {
        absent[i] = keys[i].len > STATE_KEY_MAX;
        if (absent[i] || bucket_get(b, keys[i], hashes[i])) continue;
        state_store_key(s, b->time, keys[i]);
        if (s->scratch_key.err) return diag_fail(d, s->scratch_key.err, "a state's key");
        wanted[n] = arena_slice(s->arena, buf_view(&s->scratch_key));
        if (!wanted[n].at) return diag_fail(d, ERR_NO_MEMORY, "no memory for a state's keys");
        asked[n++] = i;
    }
    struct reading r = {s, b, keys, hashes, asked, absent};
    return n ? store_records_at(s->o.store, STORE_STATE, wanted, n, s->arena, read_one, &r, d)
             : ERR_OK;
}

/* --- all entries of some times ------------------------------------------------------------------
 */

/* Sorted without looking at the heads themselves, but where the first sixteen bytes are the same.
 */
struct sorted {
    int64_t time;
    uint64_t first[2]; /* of the key, big-endian */
    struct head *head;
};

static struct sorted sorted_of(struct head *h)
{
    uint8_t first[16] = {0};
    struct sorted out = {.time = h->bucket->time, .head = h};
    memcpy(first, h->key, MIN(h->key_len, (uint32_t)sizeof(first)));
    for (int i = 0; i < 2; i++) {
        memcpy(&out.first[i], first + i * 8, 8);
        out.first[i] = __builtin_bswap64(out.first[i]);
    }
    return out;
}

static int by_time_and_key(const void *a, const void *b)
{
    const struct sorted *x = a, *y = b;
    if (x->time != y->time) return x->time < y->time ? -1 : 1;
    for (int i = 0; i < 2; i++)
        if (x->first[i] != y->first[i]) return x->first[i] < y->first[i] ? -1 : 1;
    return slice_compare(head_key(x->head), head_key(y->head));
}

struct walk { /* of one bucket: heads in memory by key, and what the store has */
    struct state *s;
    struct bucket *b;
    bool leaves; /* who is told removes what it is given */
    struct sorted *heads;
    size_t count, at;
    uint64_t out; /* on the store alone */
    err_t (*each)(void *ctx, void *entry, struct diag *d);
    void *ctx;
    struct diag *d;
};

static err_t tell_head(struct walk *w, struct head *h)
{
    if (h->flags & HEAD_REMOVED) return ERR_OK;
    return w->each(w->ctx, head_entry(h), w->d);
}

/* This key stays, and what came before it is gone: the last key there may be before it. */
static void note_left(struct state *s, const struct bucket *b, struct slice key)
{
    struct buf *left = &s->left;
    s->left_time = b->time;
    state_store_key(s, b->time, key);
    buf_reset(left);
    buf_slice(left, buf_view(&s->scratch_key));
    if (left->err || s->scratch_key.err || !key.len)
        buf_reset(left);
    else if (left->at[left->len - 1] == 0)
        left->len--;
    else
        left->at[left->len - 1]--;
}

static err_t walk_stored(void *ctx, struct slice key, struct slice value)
{
    struct walk *w = ctx;
    struct head *h = NULL;
    key = slice_make(key.at + STATE_HEAD, key.len - STATE_HEAD);
    int c = 1;
    err_t e = ERR_OK;
    while (!e && w->at < w->count && (c = slice_compare(head_key(w->heads[w->at].head), key)) < 0)
        e = tell_head(w, w->heads[w->at++].head);
    if (e) return e;
    if (w->at < w->count && c == 0) return tell_head(w, w->heads[w->at++].head);
    e = head_load(w->s, w->b, key, state_hash(key), value, &h, w->d);
    if (e) return e;
    e = w->each(w->ctx, head_entry(h), w->d);
    if (e == ERR_STOPPED && w->leaves) note_left(w->s, w->b, key);
    if (h->flags & HEAD_TOUCHED) return e;
    head_let_go(w->s, h);
    w->out++;
    return e;
}

static err_t walk_bucket(struct walk *w)
{
    struct bucket *b = w->b;
    struct state *s = w->s;
    bool ask = b->on_store && !b->complete && !b->masked;
    err_t e = ERR_OK;
    w->heads = b->filled ? mem_take_raw(b->filled * sizeof(*w->heads)) : NULL;
    if (b->filled && !w->heads) return diag_fail(w->d, ERR_NO_MEMORY, "no memory to sort state");
    for (uint32_t i = 0; i < b->cap; i++)
        if (b->cells[i].head) w->heads[w->count++] = sorted_of(b->cells[i].head);
    if (w->count) qsort(w->heads, w->count, sizeof(*w->heads), by_time_and_key);
    if (ask) {
        state_store_key(s, b->time, (struct slice){0});
        struct slice prefix = arena_slice(s->arena, buf_view(&s->scratch_key)), after = {0};
        if (w->leaves && s->left.len && s->left_time == b->time)
            after = arena_slice(s->arena, buf_view(&s->left));
        buf_reset(&s->left);
        e = prefix.at
                ? store_records(s->o.store, NULL, STORE_STATE, prefix, after, walk_stored, w, w->d)
                : diag_fail(w->d, ERR_NO_MEMORY, "no memory to read state");
    }
    while (!e && w->at < w->count) e = tell_head(w, w->heads[w->at++].head);
    if (!e && ask) {
        b->out = w->out;
        b->out_known = true;
        b->complete = w->out == 0;
    }
    mem_give(w->heads);
    return e;
}

static err_t walk_all(struct state *s, int64_t from, int64_t until, const struct walk *as)
{
    err_t e = ERR_OK;
    INVARIANT(!s->walking);
    s->walking = true;
    for (size_t i = bucket_at_least(s, from);
         !e && i < s->bucket_count && s->buckets[i]->time < until; i++) {
        struct walk w = *as;
        w.b = s->buckets[i];
        arena_reset(s->arena);
        e = walk_bucket(&w);
    }
    s->walking = false;
    return e;
}

err_t state_each(struct state *s, int64_t from, int64_t until,
                 err_t (*each)(void *ctx, void *entry, struct diag *d), void *ctx, struct diag *d)
{
    struct walk w = {.s = s, .each = each, .ctx = ctx, .d = d};
    return walk_all(s, from, until, &w);
}

err_t state_each_leaves(struct state *s, int64_t until,
                        err_t (*each)(void *ctx, void *entry, struct diag *d), void *ctx,
                        struct diag *d)
{
    struct walk w = {.s = s, .leaves = true, .each = each, .ctx = ctx, .d = d};
    return walk_all(s, INT64_MIN, until, &w);
}

err_t state_each_touched(struct state *s, err_t (*each)(void *ctx, void *entry, struct diag *d),
                         void *ctx, struct diag *d)
{
    err_t e = ERR_OK;
    size_t count = s->touched_count;
    if (!count) return ERR_OK;
    struct sorted *all = mem_take_raw(count * sizeof(*all));
    if (!all) return diag_fail(d, ERR_NO_MEMORY, "no memory to sort state");
    for (size_t i = 0; i < count; i++) all[i] = sorted_of(s->touched[i]);
    qsort(all, count, sizeof(*all), by_time_and_key);
    for (size_t i = 0; !e && i < count; i++)
        if (!(all[i].head->flags & HEAD_REMOVED)) e = each(ctx, head_entry(all[i].head), d);
    mem_give(all);
    return e;
}

err_t state_remove_until(struct state *s, int64_t until, struct diag *d)
{
    (void)d;
    for (size_t i = 0; i < s->bucket_count && s->buckets[i]->time < until; i++) {
        struct bucket *b = s->buckets[i];
        for (uint32_t k = 0; k < b->cap; k++) {
            struct head *h = b->cells[k].head;
            if (h && !(h->flags & HEAD_REMOVED)) state_remove(s, head_entry(h));
        }
        b->masked = b->masked || (b->on_store && !b->complete);
    }
    return ERR_OK;
}

/* --- an epoch's end -----------------------------------------------------------------------------
 */

struct erase {
    struct state *s;
    struct bucket *b; /* NULL: whatever comes */
    struct store_write *w;
    size_t bytes_max; /* 0: none */
};

static err_t erase_one(void *ctx, struct slice key, struct slice value)
{
    const struct erase *x = ctx;
    (void)value;
    if (x->bytes_max && store_write_bytes(x->w) >= x->bytes_max) return ERR_STOPPED;
    if (x->b) { /* heads in memory are written, or deleted, for themselves */
        struct slice own = slice_make(key.at + STATE_HEAD, key.len - STATE_HEAD);
        if (bucket_get(x->b, own, state_hash(own))) return ERR_OK;
    }
    return store_write_record(x->w, STORE_STATE, key, (struct slice){0});
}

static err_t write_head(struct state *s, struct head *h, struct store_write *w, struct diag *d)
{
    struct slice value = {0};
    if (h->flags & HEAD_REMOVED) {
        if (!(h->flags & HEAD_STORED)) return ERR_OK;
    } else {
        buf_reset(&s->scratch);
        buf_char(&s->scratch, STATE_VERSION);
        s->o.form->put(s->o.ctx, head_entry(h), &s->scratch);
        head_count(s, h);
        if (s->scratch.err) return diag_fail(d, s->scratch.err, "an entry of state is too big");
        value = buf_view(&s->scratch);
    }
    state_store_key(s, h->bucket->time, head_key(h));
    if (s->scratch_key.err) return diag_fail(d, s->scratch_key.err, "a state's key");
    err_t e = store_write_record(w, STORE_STATE, buf_view(&s->scratch_key), value);
    return e ? diag_fail(d, e, "the epoch's state can not be written") : ERR_OK;
}

err_t state_write(struct state *s, struct store_write *w, struct diag *d)
{
    err_t e = ERR_OK;
    if (!s->o.store) return ERR_OK;
    for (size_t i = 0; !e && i < s->touched_count; i++) e = write_head(s, s->touched[i], w, d);
    for (size_t i = 0; !e && i < s->bucket_count; i++) {
        struct erase x = {s, s->buckets[i], w, 0};
        if (!x.b->masked) continue;
        arena_reset(s->arena);
        state_store_key(s, x.b->time, (struct slice){0});
        struct slice prefix = arena_slice(s->arena, buf_view(&s->scratch_key));
        if (!prefix.at) return diag_fail(d, ERR_NO_MEMORY, "no memory to write state");
        e = store_records(s->o.store, NULL, STORE_STATE, prefix, (struct slice){0}, erase_one, &x,
                          d);
        if (e) diag_fail(d, e, "the epoch's state can not be written");
    }
    return e;
}

static void drop_empty(struct state *s)
{
    size_t kept = 0;
    for (size_t i = 0; i < s->bucket_count; i++) {
        struct bucket *b = s->buckets[i];
        if (b->masked) {
            b->masked = false;
            b->complete = b->out_known = true;
            b->out = 0;
        }
        if (b->complete && !b->filled)
            bucket_free(s, b);
        else
            s->buckets[kept++] = b;
    }
    s->bucket_count = kept;
}

static void epoch_over(struct state *s)
{
    s->touched_count = 0;
    s->removed = 0;
    s->epoch++;
    s->futile = false;
    s->idle = 0;
}

void state_kept(struct state *s)
{
    bool removed = false;
    for (size_t i = 0; i < s->touched_count; i++) {
        struct head *h = s->touched[i];
        if (h->flags & HEAD_REMOVED) {
            head_free(s, h);
            removed = true;
            continue;
        }
        h->flags &= (uint8_t)~HEAD_TOUCHED;
        if (!s->o.store) continue;
        h->flags |= HEAD_STORED;
        h->bucket->on_store = true;
    }
    if (removed || s->o.store) drop_empty(s);
    epoch_over(s);
    state_sweep(s, UINT64_MAX);
}

void state_forget(struct state *s)
{
    if (!s->o.store) {
        empty(s);
        epoch_over(s);
        return;
    }
    for (size_t i = 0; i < s->touched_count; i++) {
        struct bucket *b = s->touched[i]->bucket;
        head_free(s, s->touched[i]);
        b->on_store = true; /* nobody knows how far the write came */
        b->complete = b->out_known = false;
        b->out = 0;
    }
    for (size_t i = 0; i < s->bucket_count; i++) s->buckets[i]->masked = false;
    buf_reset(&s->left);
    epoch_over(s);
}

err_t state_drop_all(struct store *s, uint32_t stream, struct store_write *w, bool *more,
                     struct diag *d)
{
    uint8_t at[4];
    struct buf prefix = buf_over(at, sizeof(at));
    struct erase x = {.w = w, .bytes_max = STATE_DROP_BYTES};
    buf_be(&prefix, stream, 4);
    err_t e =
        store_records(s, NULL, STORE_STATE, buf_view(&prefix), (struct slice){0}, erase_one, &x, d);
    *more = e == ERR_STOPPED;
    return e && !*more ? diag_fail(d, e, "the stream's state can not be dropped") : ERR_OK;
}
