/* flow/state_int: what state.c (entries in memory) and state_store.c (on the store, and epochs)
 * share. Private to them.
 */
#pragma once
#include "flow/state.h"

enum {
    STATE_SLAB_BYTES = 64 << 10,
    STATE_KEY_INLINE = 24,
    STATE_PREFIX = 7,              /* stream, node, part */
    STATE_HEAD = STATE_PREFIX + 9, /* … time, 1 */
    STATE_VERSION = 1,
    STATE_DROP_BYTES = 64 << 20 /* of keys removed by one write */
};
enum head_flag {
    HEAD_STORED = 1,  /* there may be one of this key on the store */
    HEAD_TOUCHED = 2, /* stands in `touched` */
    HEAD_REMOVED = 4, /* since the last commit */
    HEAD_WARM = 8     /* asked for since the sweep came by */
};

struct slab {
    uint32_t index, in_use; /* index: its place in slabs */
    struct head *free;
    struct slab *next_free, *last_free; /* slabs with free slots */
};
struct head { /* the entry follows; keys up to STATE_KEY_INLINE stand in `key_inline` */
    struct bucket *bucket; /* NULL: a free slot */
    union {
        uint64_t hash;
        struct head *next; /* of a free slot */
    };
    uint8_t *key;
    struct slab *slab;
    size_t held; /* what the entry holds beside, as counted last */
    uint32_t key_len;
    uint32_t epoch; /* asked for last */
    uint8_t flags;
    uint8_t key_inline[STATE_KEY_INLINE];
} __attribute__((aligned(16)));
struct cell {
    uint64_t hash;
    struct head *head; /* NULL: free */
};
struct bucket {
    int64_t time;
    struct cell *cells;
    uint32_t cap, filled;
    /* on_store: something of it may be there. complete: all of that is in memory too. masked: it
     * was removed in this epoch, what is on the store counts no more. */
    bool on_store, complete, masked;
    bool out_known;
    uint64_t out; /* entries that are on the store alone, where out_known */
};
struct state {
    struct state_options o;
    uint32_t slot_size, slab_slots;
    struct slab **slabs;
    uint32_t slab_count, slab_cap;
    struct slab *with_free;
    struct bucket **buckets; /* by time */
    size_t bucket_count, bucket_cap;
    struct bucket *last; /* asked for last */
    struct head **touched;
    size_t touched_count, touched_cap;
    uint64_t in_memory; /* heads, removed ones too */
    uint32_t epoch;
    uint32_t hand_slab, hand_slot; /* where the sweep goes on */
    uint64_t idle;                 /* its steps since it last found one to let go */
    bool futile;                   /* a whole round found nothing to let go in this epoch */
    bool walking;                  /* inside state_each: nothing may be let go */
    uint64_t removed;              /* heads of entries removed in this epoch */
    size_t bytes;                  /* its share of the budget's `used` */
    uint8_t prefix[STATE_PREFIX];
    struct arena *arena;
    struct buf scratch, scratch_key;
    /* Before this key, of this time, state_each_leaves has left nothing; len 0: nobody knows. */
    struct buf left;
    int64_t left_time;
};

static inline void *head_entry(struct head *h)
{
    return h + 1;
}
static inline struct head *head_of(const void *entry)
{
    return (struct head *)(uintptr_t)entry - 1;
}
static inline struct slice head_key(const struct head *h)
{
    return (struct slice){h->key, h->key_len};
}

static inline void state_charge(struct state *s, size_t bytes) /* 0 - n: given back */
{
    s->bytes += bytes;
    s->o.budget->used += bytes;
}

struct bucket *bucket_find(struct state *s, int64_t time); /* NULL: none */
MUST_CHECK err_t bucket_make(struct state *s, int64_t time, struct bucket **out, struct diag *d);
size_t bucket_at_least(const struct state *s, int64_t time); /* index of the first of such a time */
void bucket_free(struct state *s, struct bucket *b);
struct head *bucket_get(const struct bucket *b, struct slice key, uint64_t hash);
uint64_t state_hash(struct slice key);
/* A new head, zeroed entry, in its bucket's table. */
MUST_CHECK err_t head_make(struct state *s, struct bucket *b, struct slice key, uint64_t hash,
                           struct head **out, struct diag *d);
void head_free(struct state *s, struct head *h);   /* out of the table, all it holds given back */
void head_let_go(struct state *s, struct head *h); /* the same for one that stays on the store */
void head_touch(struct state *s, struct head *h);
void head_count(struct state *s, struct head *h); /* what it holds beside */
/* At most so many steps of the sweep, until the budget holds. */
void state_sweep(struct state *s, uint64_t steps);

/* state_store.c */
void state_store_key(struct state *s, int64_t time, struct slice key); /* into scratch_key */
/* Of these keys, those that are on the store alone come into memory, read all together; absent[i]:
 * it is neither here nor there. */
MUST_CHECK err_t state_read_many(struct state *s, struct bucket *b, const struct slice *keys,
                                 const uint64_t *hashes, uint32_t count, uint8_t *absent,
                                 struct diag *d);
/* The entry of this key on the store as a new head; *out NULL: there is none. */
MUST_CHECK err_t state_read(struct state *s, struct bucket *b, struct slice key, uint64_t hash,
                            struct head **out, struct diag *d);
