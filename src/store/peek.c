/* What a key holds for those who decide on the committer: the database's value with what this group
 * wrote before merged over it. */
#include "base/hash.h"
#include "store/change.h"

enum { SLOTS_MIN = 256, ENTRIES_MAX = 1 << 28 };

/* --- the group's entries, by key ----------------------------------------------------------------
 */

static struct overlay_slot *slot_at(const struct group *g, uint64_t hash, struct slice key)
{
    uint32_t i = (uint32_t)hash & (g->slot_cap - 1);
    while (g->slots[i].hash && (g->slots[i].hash != hash || !slice_equal(g->slots[i].key, key)))
        i = (i + 1) & (g->slot_cap - 1);
    return &g->slots[i];
}

static err_t slots_room(struct group *g)
{
    if (2 * (g->slot_count + 1) <= g->slot_cap) return ERR_OK;
    struct group more = {.slot_cap = g->slot_cap ? g->slot_cap * 2 : SLOTS_MIN};
    more.slots = mem_take(more.slot_cap * sizeof *more.slots);
    if (!more.slots) return ERR_NO_MEMORY;
    for (uint32_t i = 0; i < g->slot_cap; i++)
        if (g->slots[i].hash) *slot_at(&more, g->slots[i].hash, g->slots[i].key) = g->slots[i];
    mem_give(g->slots);
    g->slots = more.slots;
    g->slot_cap = more.slot_cap;
    return ERR_OK;
}

/* `key` must live as long as the group. */
static err_t slot_of(struct group *g, struct slice key, struct overlay_slot **out)
{
    uint64_t hash = hash64(key, 0) | 1; /* 0 says free */
    if (g->slot_cap) {
        *out =
            slot_at(g, hash, key); /* a key that is there moves nothing: group_whole walks them */
        if ((*out)->hash) return ERR_OK;
    }
    err_t e = slots_room(g);
    if (e) return e;
    *out = slot_at(g, hash, key);
    (*out)->hash = hash;
    (*out)->key = key;
    g->slot_count++;
    return ERR_OK;
}

err_t peek_group_add(struct group *g, const uint8_t *key, uint32_t key_len, uint32_t value_len,
                     enum entry_op op)
{
    struct overlay_slot *slot;
    err_t e = slot_of(g, slice_make(key, key_len), &slot);
    if (e) return e;
    if (g->entry_count == g->entry_cap) {
        uint32_t cap = g->entry_cap ? g->entry_cap * 2 : 256;
        struct group_entry *more =
            cap <= ENTRIES_MAX ? mem_resize(g->entries, cap * sizeof *more) : NULL;
        if (!more) return ERR_NO_MEMORY;
        g->entries = more;
        g->entry_cap = cap;
    }
    g->entries[g->entry_count++] = (struct group_entry){.key = key,
                                                        .key_len = key_len,
                                                        .value_len = value_len,
                                                        .before = slot->last,
                                                        .op = (uint8_t)op};
    slot->last = g->entry_count;
    return ERR_OK;
}

void group_row(struct group *g, struct slice key, const struct table *t)
{
    slot_at(g, hash64(key, 0) | 1, key)->table = t;
}

/* What was merged with one of those that go is asked for anew. */
void group_forget(struct group *g, uint32_t entry_count)
{
    while (g->entry_count > entry_count) {
        struct group_entry *e = &g->entries[--g->entry_count];
        struct slice key = slice_make(e->key, e->key_len);
        struct overlay_slot *slot = slot_at(g, hash64(key, 0) | 1, key);
        slot->last = e->before;
        if (slot->merged <= g->entry_count) continue;
        slot->known = false;
        slot->merged = 0;
    }
}

void group_clear(struct group *g)
{
    if (g->slot_count) memset(g->slots, 0, g->slot_cap * sizeof *g->slots);
    g->slot_count = g->entry_count = 0;
    vec_clear(&g->marked);
    vec_clear(&g->written);
    g->number++;
    rocksdb_writebatch_clear(g->batch);
    arena_reset(g->arena);
}

/* --- values -------------------------------------------------------------------------------------
 */

static err_t value_of_database(struct group *g, struct slice key, struct slice *out, struct diag *d)
{
    struct store *s = g->store;
    char *message = NULL;
    size_t len;
    *out = (struct slice){0};
    rocksdb_pinnableslice_t *found =
        rocksdb_get_pinned(s->db, s->read_newest, (const char *)key.at, key.len, &message);
    if (message) return rocks_failed(s, message, d, "a row can not be read");
    if (!found) return ERR_OK;
    const char *at = rocksdb_pinnableslice_value(found, &len);
    uint8_t *copy = arena_take_raw(g->arena, MAX(len, 1U));
    if (copy) memcpy(copy, at, len);
    rocksdb_pinnableslice_destroy(found);
    if (!copy) return diag_fail(d, ERR_NO_MEMORY, "no memory for a row");
    *out = slice_make(copy, len);
    return ERR_OK;
}

/* The slot's value and the entries behind it, oldest first, as one; a Put forgets what was. */
static err_t slot_merge(struct group *g, struct overlay_slot *slot, struct diag *d)
{
    uint32_t count = 1, n = 0;
    for (uint32_t k = slot->last; k > slot->merged; k = g->entries[k - 1].before) count++;
    struct slice *list = arena_take_raw(g->arena, count * sizeof *list);
    if (!list) return diag_fail(d, ERR_NO_MEMORY, "no memory to merge a row");
    uint32_t end = count;
    bool whole = false;
    for (uint32_t k = slot->last; k > slot->merged && !whole; k = g->entries[k - 1].before) {
        const struct group_entry *e = &g->entries[k - 1];
        whole = e->op != ENTRY_MERGE;
        if (e->op != ENTRY_DELETE) list[--end] = slice_make(e->key + e->key_len, e->value_len);
    }
    if (!whole && slot->value.at) list[--end] = slot->value;
    n = count - end;
    slot->merged = slot->last;
    slot->value = (struct slice){0};
    if (n == 0) return ERR_OK;
    struct buf out = buf_make(RECORD_MAX);
    err_t e = row_merge(list + end, n, &out);
    if (!e) slot->value = arena_slice(g->arena, buf_view(&out));
    if (!e && !slot->value.at) e = ERR_NO_MEMORY;
    buf_done(&out);
    if (e) slot->known = false;
    if (e) slot->merged = 0;
    return e ? diag_fail(d, e, "a row's writes can not be merged") : ERR_OK;
}

err_t group_value(struct group *g, struct slice key, struct slice *out, struct diag *d)
{
    struct overlay_slot *slot;
    err_t e = slot_of(g, key, &slot);
    if (e) return diag_fail(d, e, "no memory to look at a row");
    if (!slot->known) {
        e = value_of_database(g, key, &slot->value, d);
        if (e) return e;
        slot->known = true;
        slot->base = slot->value;
        slot->merged = 0;
    }
    if (slot->last > slot->merged) e = slot_merge(g, slot, d);
    *out = slot->value;
    return e;
}

/* --- whole values -------------------------------------------------------------------------------
 */

static err_t put_whole(struct group *g, struct overlay_slot *slot, struct diag *d)
{
    size_t size = (size_t)slot->key.len + slot->value.len;
    uint8_t *room = arena_take_raw(g->arena, size);
    if (!room) return diag_fail(d, ERR_NO_MEMORY, "no memory for a row");
    memcpy(room, slot->key.at, slot->key.len);
    memcpy(room + slot->key.len, slot->value.at, slot->value.len);
    err_t e = peek_group_add(g, room, slot->key.len, slot->value.len, ENTRY_PUT);
    return e ? diag_fail(d, e, "no memory for a group of changes") : ERR_OK;
}

err_t group_whole(struct group *g, struct diag *d)
{
    uint32_t slots = g->slot_cap; /* only keys that are there: none is added below */
    err_t e = ERR_OK;
    for (uint32_t i = 0; i < slots && !e; i++) {
        struct overlay_slot *slot = &g->slots[i];
        struct slice value;
        bool added = slot->last && g->entries[slot->last - 1].op == ENTRY_MERGE;
        if (!slot->hash || !slot->known || !(added || slot->whole)) continue;
        e = group_value(g, slot->key, &value, d);
        bool small = value.len <= WHOLE_BYTES_MAX;
        if (!e && value.at && (small || slot->whole)) e = put_whole(g, slot, d);
    }
    return e;
}

struct heated {
    struct slice key;
    uint8_t bytes[];
};

static err_t cool(void *ctx, struct store_change *c, struct store_peek *p, struct diag *d)
{
    struct heated *h = ctx;
    struct group *g = p->group;
    struct slice value, key = arena_slice(g->arena, h->key);
    (void)c;
    if (!key.at) return ERR_NO_MEMORY;
    err_t e = group_value(g, key, &value, d);
    if (!e) slot_at(g, hash64(key, 0) | 1, key)->whole = true;
    return e;
}

static void cooled(void *ctx, err_t e, const struct diag *d)
{
    (void)e, (void)d; /* it becomes hot again */
    mem_give(ctx);
}

void group_heat(struct group *g, struct slice key)
{
    uint8_t *heat = &g->heat[hash64(key, 0) & (HEAT_SLOTS - 1)];
    if (++*heat < HEAT_MAX) return;
    *heat = 0;
    struct store_change *c;
    struct heated *h = mem_take_raw(sizeof *h + key.len);
    if (!h || store_change_new(g->store, &c)) {
        mem_give(h);
        return;
    }
    memcpy(h->bytes, key.at, key.len);
    h->key = slice_make(h->bytes, key.len);
    store_change_decide(c, cool, h);
    if (store_change_commit(c, cooled, h) == ERR_OK) return;
    store_change_free(c);
    mem_give(h);
}

/* --- rows ---------------------------------------------------------------------------------------
 */

static struct slice kept_key(struct group *g, const struct buf *key)
{
    return arena_slice(g->arena, buf_view(key));
}

err_t store_peek_row(struct store_peek *p, const struct store_table *table, const struct slice *key,
                     uint32_t key_count, int64_t now_s, struct arena *a,
                     const struct store_row **out, struct diag *d)
{
    struct group *g = p->group;
    const struct table *t = table_of(table);
    struct buf b = buf_make((size_t)KEY_COLUMNS_MAX * (2 * KEY_PART_MAX + 2));
    struct slice record = {0}, row = {0}, suffix = {0}, k = {0};
    *out = NULL;
    err_t e = key_put_row(&b, table, key, key_count);
    if (!e) k = kept_key(g, &b);
    buf_done(&b);
    if (e)
        return diag_fail(d, e, "a key of %.*s.%.*s can not be looked up",
                         SLICE_ARG(table->keyspace), SLICE_ARG(table->name));
    if (!k.at) return diag_fail(d, ERR_NO_MEMORY, "no memory for a key");
    bool records = atomic_load(&t->past->marks) & MARK_PARTITION_RECORDS;
    if (t->clustering_count) {
        size_t partition = key_partition_size(t, k);
        suffix = slice_make(k.at + partition, k.len - partition);
        if (records) e = group_value(g, slice_make(k.at, partition), &record, d);
    }
    if (!e && (!t->clustering_count || key_count > t->partition_count))
        e = group_value(g, k, &row, d);
    if (e) return e;
    e = row_resolve(t, key, key_count, suffix, record, row, now_s, a, out);
    return e ? row_failed(g->store, table, e, d) : ERR_OK;
}
