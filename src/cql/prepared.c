/* Statements, counted, and the cache of prepared ones.
 *
 * A statement lives in a slot; slots are made in blocks and never given back while the engine is
 * open, so that who follows a chain may look at any slot at any time. Who wants one counts itself
 * in only while the count is not zero, and then looks whether it is the one it wanted: what is
 * counted does not change. So a hit takes no lock. A miss looks again inside the gate, where chains
 * hold still.
 */
#include "base/hash.h"
#include "cql/core.h"
#include "cql/statement.h"

enum {
    BUCKETS = 1 << 12,
    BLOCK_SLOTS = 128,
    BLOCKS_MAX = 512,
    ARENA_LEAST = 4 << 10, /* its first chunk */
    CHAIN_STEPS_MAX = 64,  /* a chain that changes under us may lead anywhere */
    ARENA_KEPT = 64 << 10, /* what a free slot keeps at most … */
    ARENAS_KEPT = 64,      /* … and how many of them keep any */
    PREPARE_TRIES = 5
};

struct slot {
    struct cql_statement s; /* first: a statement is its slot */
    _Atomic uint64_t hash;  /* odd: prepared; 0: not in the cache */
    _Atomic(struct slot *) next;
    _Atomic uint64_t seen_version; /* of the schema: the plan is right up to this one */
    _Atomic bool touched;
    bool qualified;
    size_t bytes;
    struct cql_cache *cache;
    struct arena *arena; /* the statement's; kept for the next one */
    struct slot *free_next;
};

struct cql_cache {
    _Atomic(struct slot *) buckets[BUCKETS];
    struct gate gate; /* chains' changes, free slots, sums */
    struct slot *free;
    struct slot *blocks[BLOCKS_MAX];
    uint32_t block_count, hand; /* the clock's, for eviction */
    uint32_t arenas_kept;
    uint64_t generation; /* of what cache_forget did */
    struct cache_stats stats;
};

err_t cache_open(struct cql *c)
{
    c->cache = mem_take(sizeof *c->cache);
    if (!c->cache) return ERR_NO_MEMORY;
    gate_init(&c->cache->gate);
    return ERR_OK;
}

void cache_close(struct cql *c)
{
    struct cql_cache *k = c->cache;
    if (!k) return;
    for (uint32_t b = 0; b < k->block_count; b++) {
        for (uint32_t i = 0; i < BLOCK_SLOTS; i++) arena_free(k->blocks[b][i].arena);
        mem_give(k->blocks[b]);
    }
    gate_done(&k->gate);
    mem_give(k);
    c->cache = NULL;
}

struct cache_stats cache_stats(struct cql *c)
{
    gate_enter(&c->cache->gate);
    struct cache_stats s = c->cache->stats;
    gate_leave(&c->cache->gate);
    return s;
}

/* --- slots
 * ------------------------------------------------------------------------------------------ */

static bool block_add(struct cql_cache *k)
{
    if (k->block_count == BLOCKS_MAX) return false;
    struct slot *block = mem_take(BLOCK_SLOTS * sizeof *block);
    if (!block) return false;
    k->blocks[k->block_count++] = block;
    for (uint32_t i = BLOCK_SLOTS; i-- > 0;) {
        block[i].cache = k;
        block[i].free_next = k->free;
        k->free = &block[i];
    }
    return true;
}

static struct slot *slot_take(struct cql_cache *k)
{
    struct slot *slot = NULL;
    gate_enter(&k->gate);
    if (k->free || block_add(k)) {
        slot = k->free;
        k->free = slot->free_next;
        if (slot->arena) k->arenas_kept--;
    }
    gate_leave(&k->gate);
    if (slot && !slot->arena) slot->arena = arena_new(CQL_CALL_BYTES_MAX);
    return slot;
}

/* The statement in it is nobody's any more. The last one given is the first one taken again. */
static void slot_give(struct cql_cache *k, struct slot *slot)
{
    struct arena *gone = slot->arena;
    bool small = gone && arena_used(gone) <= ARENA_KEPT;
    if (small) arena_reset(gone);
    gate_enter(&k->gate);
    if (small && k->arenas_kept < ARENAS_KEPT) {
        k->arenas_kept++;
        gone = NULL;
    } else {
        slot->arena = NULL;
    }
    slot->free_next = k->free;
    k->free = slot;
    gate_leave(&k->gate);
    arena_free(gone);
}

static struct slot *slot_of(const struct cql_statement *s)
{
    return (struct slot *)(uintptr_t)s;
}

void cql_statement_release(const struct cql_statement *s)
{
    if (!s) return;
    struct slot *slot = slot_of(s);
    if (atomic_fetch_sub_explicit(&slot->s.uses, 1, memory_order_acq_rel) == 1)
        slot_give(slot->cache, slot);
}

static bool slot_count_in(struct slot *slot)
{
    uint32_t uses = atomic_load_explicit(&slot->s.uses, memory_order_relaxed);
    while (uses)
        if (atomic_compare_exchange_weak_explicit(&slot->s.uses, &uses, uses + 1,
                                                  memory_order_acquire, memory_order_relaxed))
            return true;
    return false;
}

err_t cql_statement_new(struct cql *c, const struct cql_session *session, struct slice text,
                        struct slice keyspace, struct cql_statement **out, struct diag *d)
{
    *out = NULL;
    struct slot *slot = slot_take(c->cache);
    if (!slot) return diag_fail(d, ERR_BUSY, "too many statements at once");
    memset(&slot->s, 0, offsetof(struct cql_statement, uses)); /* `uses` may be looked at */
    slot->s.arena = slot->arena;
    err_t e = slot->arena
                  ? statement_make(c, session, text, keyspace, &slot->s, d)
                  : diag_fail(d, ERR_NO_MEMORY, "no memory for a statement of %u bytes", text.len);
    if (e) {
        slot_give(c->cache, slot);
        return e;
    }
    atomic_store_explicit(&slot->s.uses, 1, memory_order_release);
    *out = &slot->s;
    return ERR_OK;
}

/* --- finding
 * ---------------------------------------------------------------------------------------- */

static uint64_t hash_of(const uint8_t id[16])
{
    uint64_t h;
    memcpy(&h, id, sizeof(h)); /* of an MD5: as good as any */
    return h | 1;
}

static _Atomic(struct slot *) *bucket_of(struct cql_cache *k, uint64_t hash)
{
    return &k->buckets[(hash >> 1) % BUCKETS];
}

/* Counted when found. */
static struct slot *chain_find(struct cql_cache *k, const uint8_t id[16])
{
    uint64_t hash = hash_of(id);
    struct slot *slot = atomic_load_explicit(bucket_of(k, hash), memory_order_acquire);
    for (int i = 0; slot && i < CHAIN_STEPS_MAX; i++) {
        if (atomic_load_explicit(&slot->hash, memory_order_acquire) == hash &&
            slot_count_in(slot)) {
            if (memcmp(slot->s.id, id, 16) == 0) return slot;
            cql_statement_release(&slot->s);
        }
        slot = atomic_load_explicit(&slot->next, memory_order_acquire);
    }
    return NULL;
}

/* Inside the gate: as long as the chain is. */
static struct slot *chain_find_surely(struct cql_cache *k, const uint8_t id[16])
{
    uint64_t hash = hash_of(id);
    for (struct slot *slot = atomic_load(bucket_of(k, hash)); slot; slot = atomic_load(&slot->next))
        if (atomic_load(&slot->hash) == hash && memcmp(slot->s.id, id, 16) == 0) return slot;
    return NULL;
}

/* Inside the gate. The cache's own count is left to the caller, to be given back outside. */
static void chain_remove(struct cql_cache *k, struct slot *gone)
{
    _Atomic(struct slot *) *at = bucket_of(k, atomic_load(&gone->hash));
    for (struct slot *slot; (slot = atomic_load(at)) != gone; at = &slot->next) INVARIANT(slot);
    atomic_store_explicit(at, atomic_load(&gone->next), memory_order_release);
    atomic_store(&gone->hash, 0);
    k->stats.count--;
    k->stats.bytes -= gone->bytes;
}

static struct slot *find(struct cql_cache *k, const uint8_t id[16])
{
    struct slot *slot = chain_find(k, id);
    if (slot) return slot;
    gate_enter(&k->gate);
    slot = chain_find_surely(k, id);
    if (slot) INVARIANT(slot_count_in(slot)); /* the cache itself counts */
    gate_leave(&k->gate);
    return slot;
}

static void forget(struct cql_cache *k, struct slot *slot)
{
    gate_enter(&k->gate);
    bool here = atomic_load(&slot->hash) != 0;
    if (here) chain_remove(k, slot);
    gate_leave(&k->gate);
    if (here) cql_statement_release(&slot->s);
}

/* Whatever changed the schema since: is the plan still about the table that is there now? */
static bool still_right(struct cql *c, struct slot *slot)
{
    const struct cql_statement *s = &slot->s;
    uint64_t now = store_schema_version(c->parts.options.store);
    if (atomic_load_explicit(&slot->seen_version, memory_order_relaxed) == now) return true;
    struct diag d;
    if (s->kind == CQL_BATCH) return false;
    if (s->table) {
        struct cql_name name = {s->table->keyspace, s->table->name};
        if (cql_table(c, s->keyspace, name, &d) != s->table) return false;
    }
    atomic_store_explicit(&slot->seen_version, now, memory_order_relaxed);
    return true;
}

static struct slot *find_right(struct cql *c, const uint8_t id[16])
{
    struct slot *slot = find(c->cache, id);
    if (!slot) return NULL;
    if (!still_right(c, slot)) {
        forget(c->cache, slot);
        cql_statement_release(&slot->s);
        return NULL;
    }
    if (!atomic_load_explicit(&slot->touched, memory_order_relaxed))
        atomic_store_explicit(&slot->touched, true, memory_order_relaxed);
    return slot;
}

const struct cql_statement *cache_find(struct cql *c, struct slice id)
{
    struct slot *slot = id.len == 16 ? find_right(c, id.at) : NULL;
    return slot ? &slot->s : NULL;
}

const struct cql_statement *cql_statement_find(struct cql *c, struct slice id, struct diag *d)
{
    const struct cql_statement *s = cache_find(c, id);
    if (s) return s;
    struct buf hex = buf_make(256);
    put_hex(&hex, id.at, MIN(id.len, 64U));
    (void)diag_fail(
        d, ERR_UNPREPARED,
        "Prepared query with ID %s not found (either the query was not prepared on this "
        "host (maybe the host has been restarted?) or you have prepared too many queries "
        "and it has been evicted from the internal cache)",
        buf_cstr(&hex));
    buf_done(&hex);
    return NULL;
}

/* --- keeping
 * ---------------------------------------------------------------------------------------- */

/* Inside the gate: gives up what nobody asked for lately, until there is room. */
static uint32_t make_room(struct cql_cache *k, size_t bytes, struct slot **gone, uint32_t most)
{
    uint32_t count = 0, all = k->block_count * BLOCK_SLOTS;
    for (uint32_t looked = 0;
         k->stats.bytes + bytes > CQL_PREPARED_BYTES_MAX && count < most && looked < 2 * all;
         looked++) {
        struct slot *slot = &k->blocks[k->hand / BLOCK_SLOTS][k->hand % BLOCK_SLOTS];
        k->hand = (k->hand + 1) % all;
        if (atomic_load(&slot->hash) == 0 || atomic_exchange(&slot->touched, false)) continue;
        chain_remove(k, slot);
        k->stats.evicted++;
        gone[count++] = slot;
    }
    return count;
}

enum { KEEP_ROUND = 64 };

/* Into the cache; false: the schema changed while it was prepared. Another thread's, prepared in
 * the same moment, gives way. */
static bool keep(struct cql_cache *k, struct slot *slot, uint64_t generation)
{
    struct slot *gone[KEEP_ROUND + 1];
    uint32_t count = 0;
    gate_enter(&k->gate);
    bool right = k->generation == generation;
    if (right) {
        struct slot *other = chain_find_surely(k, slot->s.id);
        if (other) {
            chain_remove(k, other);
            gone[count++] = other;
        }
        count += make_room(k, slot->bytes, gone + count, KEEP_ROUND);
        uint64_t hash = hash_of(slot->s.id);
        _Atomic(struct slot *) *bucket = bucket_of(k, hash);
        atomic_fetch_add(&slot->s.uses, 1);
        atomic_store(&slot->touched, false); /* until it is asked for */
        atomic_store(&slot->hash, hash);
        atomic_store(&slot->next, atomic_load(bucket));
        atomic_store_explicit(bucket, slot, memory_order_release);
        k->stats.count++;
        k->stats.bytes += slot->bytes;
    }
    gate_leave(&k->gate);
    for (uint32_t i = 0; i < count; i++) cql_statement_release(&gone[i]->s);
    return right;
}

static bool touched_by(const struct cql_statement *s, const struct cql_schema_change *change)
{
    if (s->kind == CQL_BATCH) return true; /* about several tables */
    if (!s->table || !slice_equal(s->table->keyspace, change->keyspace)) return false;
    return strcmp(change->target, "TABLE") != 0 || slice_equal(s->table->name, change->name);
}

void cache_forget(struct cql *c, const struct cql_schema_change *change)
{
    struct cql_cache *k = c->cache;
    if (strcmp(change->change, "CREATED") == 0) return;
    gate_enter(&k->gate);
    k->generation++;
    uint32_t all = k->block_count * BLOCK_SLOTS;
    gate_leave(&k->gate);
    for (uint32_t i = 0; i < all; i++) { /* the gate is let go between: slots stay */
        gate_enter(&k->gate);
        struct slot *slot = &k->blocks[i / BLOCK_SLOTS][i % BLOCK_SLOTS];
        bool gone = atomic_load(&slot->hash) != 0 && touched_by(&slot->s, change);
        if (gone) chain_remove(k, slot);
        gate_leave(&k->gate);
        if (gone) cql_statement_release(&slot->s);
    }
}

void cql_statements_each(struct cql *c, void (*each)(void *ctx, const struct cql_statement *s),
                         void *ctx)
{
    struct cql_cache *k = c->cache;
    gate_enter(&k->gate);
    for (uint32_t i = 0; i < k->block_count * BLOCK_SLOTS; i++) {
        struct slot *slot = &k->blocks[i / BLOCK_SLOTS][i % BLOCK_SLOTS];
        if (atomic_load(&slot->hash) != 0) each(ctx, &slot->s);
    }
    gate_leave(&k->gate);
}

/* --- PREPARE
 * ---------------------------------------------------------------------------------------- */

static err_t id_of(struct slice keyspace, struct slice text, uint8_t out[16])
{
    if (!keyspace.len) {
        digest_md5(text, out);
        return ERR_OK;
    }
    struct buf b = buf_make((size_t)keyspace.len + text.len);
    buf_slice(&b, keyspace);
    buf_slice(&b, text);
    err_t e = b.err;
    if (!e) digest_md5(buf_view(&b), out);
    buf_done(&b);
    return e;
}

static struct slot *find_prepared(struct cql *c, const uint8_t bare[16], const uint8_t with[16])
{
    struct slot *slot = find_right(c, bare);
    if (slot && slot->qualified) return slot;
    if (slot) cql_statement_release(&slot->s);
    slot = memcmp(bare, with, 16) != 0 ? find_right(c, with) : NULL;
    if (slot && !slot->qualified) return slot;
    if (slot) cql_statement_release(&slot->s);
    return NULL;
}

static err_t prepare_anew(struct cql_call *call, struct slice keyspace, const uint8_t bare[16],
                          const uint8_t with[16], struct slot **out)
{
    struct cql *c = call->session->cql;
    struct cql_cache *k = c->cache;
    for (int i = 0; i < PREPARE_TRIES; i++) {
        gate_enter(&k->gate);
        uint64_t generation = k->generation;
        gate_leave(&k->gate);
        struct cql_statement *s;
        err_t e = cql_statement_new(c, call->session, call->text, keyspace, &s, &call->diag);
        if (e) return e;
        struct slot *slot = slot_of(s);
        slot->qualified = statement_is_qualified(s->tree);
        slot->bytes = sizeof *slot + MAX(arena_used(s->arena), (size_t)ARENA_LEAST);
        memcpy(s->id, slot->qualified ? bare : with, 16);
        atomic_store_explicit(&slot->seen_version, s->schema_version, memory_order_relaxed);
        *out = slot;
        if (slot->bytes > CQL_PREPARED_BYTES_MAX) {
            uint64_t bytes = slot->bytes;
            cql_statement_release(s);
            return diag_fail(
                &call->diag, ERR_INVALID,
                "Prepared statement of size %llu bytes is larger than allowed maximum of "
                "%d MB: %.*s...",
                (unsigned long long)bytes, CQL_PREPARED_BYTES_MAX >> 20,
                (int)MIN(call->text.len, 200U), (const char *)call->text.at);
        }
        if (keep(k, slot, generation)) return ERR_OK;
        cql_statement_release(s);
    }
    return diag_fail(&call->diag, ERR_BUSY,
                     "the schema changes faster than statements are prepared");
}

static void warn_of_use(struct cql_call *call, const struct cql_statement *s)
{
    if (call->session->warned_use) return;
    call->session->warned_use = true;
    struct buf hex = buf_make(64);
    put_hex(&hex, s->id, 16);
    const char *own = call->session->keyspace;
    struct slice keyspace = s->keyspace.len ? s->keyspace : SLICE("null");
    call_warn(
        call,
        "`USE <keyspace>` with prepared statements is considered to be an anti-pattern due to "
        "ambiguity in non-qualified table names. Please consider removing instances of "
        "`Session#setKeyspace(<keyspace>)`, `Session#execute(\"USE <keyspace>\")` and "
        "`cluster.newSession(<keyspace>)` from your code, and always use fully qualified table "
        "names (e.g. <keyspace>.<table>). Keyspace used: %s, statement keyspace: %.*s, statement "
        "id: %s",
        own[0] ? own : "null", SLICE_ARG(keyspace), buf_cstr(&hex));
    buf_done(&hex);
}

void cache_prepare(struct cql_call *call)
{
    struct cql *c = call->session->cql;
    struct slice keyspace =
        call->params.keyspace.at ? call->params.keyspace : slice_of(call->session->keyspace);
    uint8_t bare[16], with[16];
    struct slot *slot = NULL;
    err_t e = id_of((struct slice){0}, call->text, bare);
    if (!e) e = id_of(keyspace, call->text, with);
    if (e) {
        call_end(call, diag_fail(&call->diag, e, "no memory for a statement's id"));
        return;
    }
    slot = find_prepared(c, bare, with);
    if (!slot) e = prepare_anew(call, keyspace, bare, with, &slot);
    if (!e) {
        const struct cql_statement *s = call->statement = &slot->s;
        if (!slot->qualified) warn_of_use(call, s);
        call->result.kind = CQL_PREPARED;
        call->result.prepared = (struct cql_prepared){.markers = s->markers,
                                                      .marker_count = s->marker_count,
                                                      .key_markers = s->key_markers,
                                                      .key_count = s->key_count,
                                                      .result = s->result};
        memcpy(call->result.prepared.id, s->id, 16);
    }
    call_end(call, e);
}
