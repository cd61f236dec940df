#include "log/compact.h"

struct key_slot {
    uint64_t hash[2];
    int64_t offset; /* + 1; 0: free */
};

struct key_map key_map_make(size_t keys_max, const uint8_t seed[16])
{
    struct key_map m = {.keys_max = MIN(keys_max, (size_t)KEY_SLOTS_MAX / 4 * 3)};
    memcpy(m.seed, seed, sizeof(m.seed));
    return m;
}

void key_map_done(struct key_map *m)
{
    mem_give(m->slots);
    m->slots = NULL;
    m->count = m->room = 0;
}

static struct key_slot *slot_of(const struct key_map *m, const uint64_t hash[2])
{
    size_t at = hash[0] & (m->room - 1);
    while (m->slots[at].offset &&
           (m->slots[at].hash[0] != hash[0] || m->slots[at].hash[1] != hash[1]))
        at = (at + 1) & (m->room - 1);
    return &m->slots[at];
}

static err_t grow(struct key_map *m)
{
    struct key_map old = *m;
    m->room = old.room ? old.room * 2 : KEY_SLOTS_MIN;
    m->slots = mem_take(m->room * sizeof(*m->slots));
    if (!m->slots) {
        *m = old;
        return ERR_NO_MEMORY;
    }
    for (size_t i = 0; i < old.room; i++)
        if (old.slots[i].offset) *slot_of(m, old.slots[i].hash) = old.slots[i];
    mem_give(old.slots);
    return ERR_OK;
}

static void hash_key(const struct key_map *m, struct slice key, uint64_t out[2])
{
    out[0] = hash64(key, m->seed[0]);
    out[1] = hash64(key, m->seed[1]);
}

err_t key_map_put(struct key_map *m, struct slice key, int64_t offset, bool *full)
{
    uint64_t hash[2];
    *full = false;
    if (m->count >= m->room / 4 * 3) { /* at the limit only known keys are taken */
        err_t e = m->room < KEY_SLOTS_MAX ? grow(m) : ERR_OK;
        if (e) return e;
    }
    hash_key(m, key, hash);
    struct key_slot *s = slot_of(m, hash);
    if (!s->offset && m->count >= m->keys_max) {
        *full = true;
        return ERR_OK;
    }
    m->count += !s->offset;
    *s = (struct key_slot){{hash[0], hash[1]}, offset + 1};
    return ERR_OK;
}

int64_t key_map_get(const struct key_map *m, struct slice key)
{
    uint64_t hash[2];
    if (m->count == 0) return -1;
    hash_key(m, key, hash);
    return slot_of(m, hash)->offset - 1;
}
