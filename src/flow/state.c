/* state: entries in memory: slots in slabs, a table a bucket, and what is let go. */
#include "base/hash.h"
#include "flow/state_int.h"

enum {
    FIND_AHEAD = 64,  /* entries whose memory is asked for before they are looked at */
    FIND_WINDOW = 256 /* the same where the store is asked: so many reads at a time */
};

/* --- slots --------------------------------------------------------------------------------------
 */

static struct head *slab_slot(const struct state *s, struct slab *slab, uint32_t i)
{
    return (struct head *)((uint8_t *)slab + 64 + (size_t)i * s->slot_size);
}

static void slab_link(struct state *s, struct slab *slab)
{
    slab->last_free = NULL;
    slab->next_free = s->with_free;
    if (s->with_free) s->with_free->last_free = slab;
    s->with_free = slab;
}

static void slab_unlink(struct state *s, struct slab *slab)
{
    if (slab->next_free) slab->next_free->last_free = slab->last_free;
    if (slab->last_free)
        slab->last_free->next_free = slab->next_free;
    else
        s->with_free = slab->next_free;
}

static err_t slab_make(struct state *s)
{
    static_assert(sizeof(struct slab) <= 64, "a slab's head");
    if (s->slab_count == s->slab_cap) {
        uint32_t cap = MAX(s->slab_cap * 2, 16u);
        struct slab **more = mem_resize(s->slabs, cap * sizeof(struct slab *));
        if (!more) return ERR_NO_MEMORY;
        s->slabs = more;
        s->slab_cap = cap;
    }
    size_t touched = ((size_t)s->slab_count + 1) * s->slab_slots;
    if (touched > s->touched_cap) { /* so that touching can not fail */
        size_t cap = MAX(s->touched_cap * 2, touched);
        struct head **more = mem_resize(s->touched, cap * sizeof(struct head *));
        if (!more) return ERR_NO_MEMORY;
        s->touched = more;
        state_charge(s, (cap - s->touched_cap) * sizeof(struct head *));
        s->touched_cap = cap;
    }
    struct slab *slab = mem_take(64 + (size_t)s->slab_slots * s->slot_size);
    if (!slab) return ERR_NO_MEMORY;
    for (uint32_t i = s->slab_slots; i-- > 0;) {
        struct head *h = slab_slot(s, slab, i);
        h->next = slab->free;
        slab->free = h;
    }
    slab->index = s->slab_count;
    s->slabs[s->slab_count++] = slab;
    slab_link(s, slab);
    return ERR_OK;
}

static void slab_drop(struct state *s, struct slab *slab)
{
    slab_unlink(s, slab);
    struct slab *last = s->slabs[--s->slab_count];
    last->index = slab->index;
    s->slabs[slab->index] = last;
    mem_give(slab);
}

static void slot_give(struct state *s, struct head *h)
{
    struct slab *slab = h->slab;
    if (!slab->free) slab_link(s, slab);
    *h = (struct head){.next = slab->free};
    slab->free = h;
    if (--slab->in_use == 0 && slab->next_free) slab_drop(s, slab); /* one stays, for the next */
}

/* --- a bucket's table ---------------------------------------------------------------------------
 */

uint64_t state_hash(struct slice key)
{
    return hash64(key, 0);
}

struct head *bucket_get(const struct bucket *b, struct slice key, uint64_t hash)
{
    if (!b->cap) return NULL;
    for (uint32_t i = (uint32_t)hash & (b->cap - 1);; i = (i + 1) & (b->cap - 1)) {
        const struct cell *c = &b->cells[i];
        if (!c->head) return NULL;
        if (c->hash == hash && slice_equal(head_key(c->head), key)) return c->head;
    }
}

static void cell_put(struct cell *cells, uint32_t cap, uint64_t hash, struct head *h)
{
    uint32_t i = (uint32_t)hash & (cap - 1);
    while (cells[i].head) i = (i + 1) & (cap - 1);
    cells[i] = (struct cell){hash, h};
}

static err_t bucket_room(struct state *s, struct bucket *b, uint32_t more)
{
    uint64_t wanted = ((uint64_t)b->filled + more) * 8 / 5 + 1;
    if (wanted <= b->cap) return ERR_OK;
    if (wanted > (uint64_t)1 << 31) return ERR_NO_MEMORY;
    uint32_t cap = MAX(b->cap, 8u);
    while (cap < wanted) cap *= 2;
    struct cell *cells = mem_take((size_t)cap * sizeof(*cells));
    if (!cells) return ERR_NO_MEMORY;
    for (uint32_t i = 0; i < b->cap; i++)
        if (b->cells[i].head) cell_put(cells, cap, b->cells[i].hash, b->cells[i].head);
    mem_give(b->cells);
    state_charge(s, (size_t)(cap - b->cap) * sizeof(*cells));
    b->cells = cells;
    b->cap = cap;
    return ERR_OK;
}

static void bucket_take_out(struct state *s, struct bucket *b, const struct head *h)
{
    uint32_t mask = b->cap - 1, i = (uint32_t)h->hash & mask;
    while (b->cells[i].head != h) i = (i + 1) & mask;
    for (uint32_t k = (i + 1) & mask; b->cells[k].head; k = (k + 1) & mask) {
        uint32_t home = (uint32_t)b->cells[k].hash & mask;
        if (((k - home) & mask) < ((k - i) & mask)) continue; /* it may not stand before its home */
        b->cells[i] = b->cells[k];
        i = k;
    }
    b->cells[i].head = NULL;
    if (--b->filled > 0) return;
    state_charge(s, 0 - b->cap * sizeof(struct cell));
    mem_give(b->cells);
    b->cells = NULL;
    b->cap = 0;
}

/* --- buckets ------------------------------------------------------------------------------------
 */

size_t bucket_at_least(const struct state *s, int64_t time)
{
    size_t low = 0, high = s->bucket_count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (s->buckets[mid]->time < time)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

struct bucket *bucket_find(struct state *s, int64_t time)
{
    if (s->last && s->last->time == time) return s->last;
    size_t i = bucket_at_least(s, time);
    if (i == s->bucket_count || s->buckets[i]->time != time) return NULL;
    return s->last = s->buckets[i];
}

err_t bucket_make(struct state *s, int64_t time, struct bucket **out, struct diag *d)
{
    if ((*out = bucket_find(s, time))) return ERR_OK;
    if (s->bucket_count == s->bucket_cap) {
        size_t cap = MAX(s->bucket_cap * 2, (size_t)16);
        struct bucket **more = mem_resize(s->buckets, cap * sizeof(struct bucket *));
        if (!more) return diag_fail(d, ERR_NO_MEMORY, "state of %zu times", cap);
        s->buckets = more;
        s->bucket_cap = cap;
    }
    struct bucket *b = mem_take(sizeof(*b));
    if (!b) return diag_fail(d, ERR_NO_MEMORY, "state of %zu times", s->bucket_count);
    *b = (struct bucket){.time = time, .complete = true, .out_known = true};
    size_t at = bucket_at_least(s, time);
    memmove(s->buckets + at + 1, s->buckets + at, (s->bucket_count - at) * sizeof(struct bucket *));
    s->buckets[at] = b;
    s->bucket_count++;
    state_charge(s, sizeof(*b));
    *out = s->last = b;
    return ERR_OK;
}

void bucket_free(struct state *s, struct bucket *b)
{
    INVARIANT(!b->filled);
    if (s->last == b) s->last = NULL;
    /* room may have been made for entries that then found no memory */
    state_charge(s, 0 - (sizeof(*b) + b->cap * sizeof(struct cell)));
    mem_give(b->cells);
    mem_give(b);
}

/* --- heads --------------------------------------------------------------------------------------
 */

static err_t budget_holds(struct state *s, struct diag *d)
{
    struct state_budget *b = s->o.budget;
    if (b->used <= b->max) return ERR_OK;
    if (s->o.store) {
        state_sweep(s, 64);
        if (b->used / 2 <= b->max) return ERR_OK;
        diag_fail(d, ERR_NO_MEMORY, "the state of one epoch needs more than twice its %zu MiB",
                  b->max >> 20);
        return diag_hint(d, "give the streams more memory");
    }
    diag_fail(d, ERR_NO_MEMORY, "the query needs more than its %zu MiB of memory", b->max >> 20);
    return diag_hint(d, "narrow it with WHERE or LIMIT, or group by fewer values");
}

err_t head_make(struct state *s, struct bucket *b, struct slice key, uint64_t hash,
                struct head **out, struct diag *d)
{
    err_t e = budget_holds(s, d);
    if (e) return e;
    if (key.len > STATE_KEY_MAX)
        return diag_fail(d, ERR_TOO_BIG, "a key of %u bytes: %d is the limit", key.len,
                         STATE_KEY_MAX);
    uint8_t *own = key.len > STATE_KEY_INLINE ? mem_take_raw(key.len) : NULL;
    e = bucket_room(s, b, 1);
    if (!e && !s->with_free) e = slab_make(s);
    if (e || (key.len > STATE_KEY_INLINE && !own)) {
        mem_give(own);
        return diag_fail(d, ERR_NO_MEMORY, "no memory for more state");
    }
    struct slab *slab = s->with_free;
    struct head *h = slab->free;
    slab->free = h->next;
    if (!slab->free) slab_unlink(s, slab);
    slab->in_use++;
    memset(h, 0, s->slot_size);
    h->bucket = b;
    h->hash = hash;
    h->slab = slab;
    h->epoch = s->epoch;
    h->flags = HEAD_WARM;
    h->key = own ? own : h->key_inline;
    h->key_len = key.len;
    if (key.len) memcpy(h->key, key.at, key.len);
    cell_put(b->cells, b->cap, hash, h);
    b->filled++;
    s->in_memory++;
    state_charge(s, s->slot_size + (own ? key.len : 0));
    *out = h;
    return ERR_OK;
}

static void entry_done(struct state *s, struct head *h)
{
    if (s->o.form->done) s->o.form->done(s->o.ctx, head_entry(h));
    state_charge(s, 0 - h->held);
    h->held = 0;
}

void head_free(struct state *s, struct head *h)
{
    entry_done(s, h);
    bucket_take_out(s, h->bucket, h);
    bool own = h->key != h->key_inline;
    state_charge(s, 0 - (s->slot_size + (own ? (size_t)h->key_len : 0)));
    if (own) mem_give(h->key);
    s->in_memory--;
    slot_give(s, h);
}

void head_let_go(struct state *s, struct head *h)
{
    h->bucket->complete = false;
    h->bucket->out++;
    head_free(s, h);
}

void head_touch(struct state *s, struct head *h)
{
    if (h->flags & HEAD_TOUCHED) return;
    h->flags |= HEAD_TOUCHED;
    INVARIANT(s->touched_count < s->touched_cap);
    s->touched[s->touched_count++] = h;
}

void head_count(struct state *s, struct head *h)
{
    if (!s->o.form->holds) return;
    size_t now = s->o.form->holds(s->o.ctx, head_entry(h));
    state_charge(s, now - h->held);
    h->held = now;
}

static bool can_go(const struct state *s, const struct head *h)
{
    return h->bucket && !(h->flags & (HEAD_TOUCHED | HEAD_REMOVED)) && h->epoch != s->epoch;
}

/* Second chance: who was asked for since the last round stays for one more. */
void state_sweep(struct state *s, uint64_t steps)
{
    const struct state_budget *b = s->o.budget;
    if (!s->o.store || s->walking || s->futile) return;
    for (; steps > 0 && b->used > b->max && s->slab_count > 0; steps--) {
        if (s->hand_slab >= s->slab_count) s->hand_slab = s->hand_slot = 0;
        struct head *h = slab_slot(s, s->slabs[s->hand_slab], s->hand_slot++);
        if (s->hand_slot == s->slab_slots) {
            s->hand_slot = 0;
            s->hand_slab++;
        }
        if (++s->idle > (uint64_t)s->slab_count * s->slab_slots * 2) {
            s->futile = true;
            break;
        }
        if (!can_go(s, h)) continue;
        if (h->flags & HEAD_WARM) {
            h->flags &= (uint8_t)~HEAD_WARM;
            continue;
        }
        s->idle = 0;
        head_let_go(s, h); /* may give the slab back: another one stands at its place then */
    }
}

/* --- the verbs ----------------------------------------------------------------------------------
 */

/* What memory does not have may be on the store. */
static bool on_store_alone(const struct bucket *b)
{
    return b->on_store && !b->complete && !b->masked;
}

/* `absent`: it is known not to be on the store. */
static err_t find_in(struct state *s, struct bucket *b, struct slice key, uint64_t hash, bool make,
                     bool absent, struct head **out, bool *made, struct diag *d)
{
    struct head *h = bucket_get(b, key, hash);
    err_t e = ERR_OK;
    *made = false;
    if (!h && !absent && on_store_alone(b)) {
        e = state_read(s, b, key, hash, &h, d);
        if (e) return e;
    }
    if (h && !(h->flags & HEAD_REMOVED)) {
        h->epoch = s->epoch;
        h->flags |= HEAD_WARM;
        *out = h;
        return ERR_OK;
    }
    if (!make) h = NULL;
    if (make && !h) {
        buf_reset(&s->left);
        e = head_make(s, b, key, hash, &h, d);
        if (!e && b->masked) h->flags |= HEAD_STORED;
    }
    if (!e && h) {
        s->removed -= (h->flags & HEAD_REMOVED) != 0;
        h->flags &= (uint8_t)~HEAD_REMOVED;
        head_touch(s, h);
        *made = true;
    }
    *out = e ? NULL : h;
    return e;
}

err_t state_find(struct state *s, int64_t time, struct slice key, bool make, void **entry,
                 bool *made, struct diag *d)
{
    struct bucket *b = bucket_find(s, time);
    struct head *h = NULL;
    bool new = false;
    err_t e = ERR_OK;
    if (!b && make) e = bucket_make(s, time, &b, d);
    if (!e && b) e = find_in(s, b, key, state_hash(key), make, false, &h, &new, d);
    *entry = h ? head_entry(h) : NULL;
    if (made) *made = new;
    return e;
}

/* Those of one window: their hashes known, memory asked for ahead. */
static err_t find_window(struct state *s, struct bucket *b, const struct slice *keys,
                         const uint64_t *hashes, uint32_t count, void **entries, uint8_t *made,
                         struct diag *d)
{
    uint8_t absent[FIND_WINDOW] = {0};
    err_t e = ERR_OK;
    if (bucket_room(s, b, count)) return diag_fail(d, ERR_NO_MEMORY, "no memory for more state");
    for (uint32_t i = 0; i < count; i++)
        __builtin_prefetch(&b->cells[(uint32_t)hashes[i] & (b->cap - 1)]);
    if (on_store_alone(b)) e = state_read_many(s, b, keys, hashes, count, absent, d);
    for (uint32_t i = 0; !e && i < count; i++) {
        const struct head *h = b->cells[(uint32_t)hashes[i] & (b->cap - 1)].head;
        if (!h) continue;
        __builtin_prefetch(h);
        __builtin_prefetch((const uint8_t *)h + 64);
    }
    for (uint32_t i = 0; !e && i < count; i++) {
        struct head *h = NULL;
        bool new;
        e = find_in(s, b, keys[i], hashes[i], true, absent[i], &h, &new, d);
        entries[i] = h ? head_entry(h) : NULL;
        made[i] = new;
    }
    return e;
}

err_t state_find_many(struct state *s, int64_t time, const struct slice *keys, uint32_t count,
                      void **entries, uint8_t *made, struct diag *d)
{
    uint64_t hashes[FIND_WINDOW];
    struct bucket *b = NULL;
    err_t e = bucket_make(s, time, &b, d);
    uint32_t window = b && on_store_alone(b) ? FIND_WINDOW : FIND_AHEAD;
    for (uint32_t from = 0; !e && from < count; from += window) {
        uint32_t n = MIN(count - from, window);
        for (uint32_t i = 0; i < n; i++) hashes[i] = state_hash(keys[from + i]);
        e = find_window(s, b, keys + from, hashes, n, entries + from, made + from, d);
    }
    return e;
}

void state_touch(struct state *s, void *entry)
{
    struct head *h = head_of(entry);
    head_touch(s, h);
    head_count(s, h);
}

bool state_touched(const void *entry)
{
    return head_of(entry)->flags & HEAD_TOUCHED;
}

void state_remove(struct state *s, void *entry)
{
    struct head *h = head_of(entry);
    INVARIANT(!(h->flags & HEAD_REMOVED));
    entry_done(s, h);
    memset(entry, 0, s->o.form->size);
    h->flags |= HEAD_REMOVED;
    s->removed++;
    head_touch(s, h);
}

struct slice state_key(const void *entry)
{
    return head_key(head_of(entry));
}

int64_t state_time(const void *entry)
{
    return head_of(entry)->bucket->time;
}

int64_t state_first(const struct state *s)
{
    for (size_t i = 0; i < s->bucket_count; i++) {
        const struct bucket *b = s->buckets[i];
        bool rest = on_store_alone(b);
        for (uint32_t k = 0; !rest && k < b->cap; k++)
            rest = b->cells[k].head && !(b->cells[k].head->flags & HEAD_REMOVED);
        if (rest) return b->time;
    }
    return INT64_MAX;
}

size_t state_times(const struct state *s, int64_t from, int64_t until, int64_t *out, size_t max)
{
    size_t at = bucket_at_least(s, from), n = 0;
    for (; at < s->bucket_count && s->buckets[at]->time < until; at++, n++)
        if (n < max) out[n] = s->buckets[at]->time;
    return n;
}

struct state_stats state_stats(const struct state *s)
{
    struct state_stats out = {.entries = s->in_memory - s->removed,
                              .in_memory = s->in_memory - s->removed,
                              .touched = s->touched_count,
                              .bytes = s->bytes};
    for (size_t i = 0; i < s->bucket_count; i++) out.entries += s->buckets[i]->out;
    return out;
}
