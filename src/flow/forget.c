/* forget: a stage that begins anew, and editions that are no more. */
#include "flow/edition.h"
#include "flow/state.h"

enum { GARBAGE_VERSION = 1, GARBAGE_BYTES = 32 << 20 };

struct forgetting {
    struct store_write *write;
    enum store_space space;
    size_t bytes_max; /* 0: all of it */
};

static err_t forget_one(void *ctx, struct slice key, struct slice value)
{
    struct forgetting *f = ctx;
    (void)value;
    if (f->bytes_max && store_write_bytes(f->write) > f->bytes_max) return ERR_STOPPED;
    return store_write_record(f->write, f->space, key, (struct slice){0});
}

static const enum store_space spaces[] = {STORE_CURSOR, STORE_EPOCH, STORE_LEDGER, STORE_DEAD,
                                          STORE_OUTBOX};

/* One write's part of a reset: state goes first, in as many writes as it needs, all the rest with
 * the last of it. Until then the stream does not start. */
static err_t drop_state(struct store *s, struct slice key, struct store_write *w, bool *more,
                        struct diag *d)
{
    struct stage_key stream = number_key("flow.stream", key);
    uint64_t number = 0;
    err_t e = number_load(s, stage_key_slice(&stream), &number, d);
    *more = false;
    if (!e && number) e = state_drop_all(s, (uint32_t)number, w, more, d);
    return e ? e : stream_shape_write(w, key, *more ? SHAPE_NONE : 0);
}

static err_t reset_step(struct store *s, struct slice stage, struct slice key, bool *more,
                        struct diag *d)
{
    struct stage_key k = stage_key(key), generation = number_key("flow.generation", stage);
    struct forgetting f = {0};
    uint64_t times = 0;
    err_t e = stage_generation(s, stage, &times, d);
    if (!e) e = store_write_begin(s, STORE_LIVE, MIB(512), &f.write, d);
    if (e) return e;
    e = drop_state(s, key, f.write, more, d);
    for (size_t i = 0; !e && !*more && i < COUNT_OF(spaces); i++) {
        f.space = spaces[i];
        e = store_records(s, NULL, f.space, stage_key_slice(&k), (struct slice){0}, forget_one, &f,
                          d);
    }
    if (!e && !*more) e = sql_forget(s, f.write, stage, key, d);
    if (!e && !*more) e = number_write(f.write, stage_key_slice(&generation), times + 1);
    if (!e) return store_write_commit(f.write, d);
    store_write_abort(f.write);
    return e;
}

err_t stream_reset(struct store *s, struct slice stage, struct diag *d)
{
    struct stage_text key;
    bool more = true;
    err_t e = stage_key_find(s, stage, &key, d);
    while (!e && more) e = reset_step(s, stage, stage_text_slice(&key), &more, d);
    return e;
}

/* --- garbage ------------------------------------------------------------------------------------
 */

void garbage_record(struct slice edition, struct slice keyspace, struct slice table,
                    struct buf *key, struct buf *value)
{
    struct stage_key k = number_key("flow.garbage", edition);
    buf_slice(key, stage_key_slice(&k));
    buf_be(value, GARBAGE_VERSION, 1);
    bytes_put(value, keyspace);
    bytes_put(value, table);
}

err_t garbage_write(struct store_write *w, struct slice edition, struct slice keyspace,
                    struct slice table)
{
    struct buf key = buf_make(KIB(1)), value = buf_make(KIB(4));
    garbage_record(edition, keyspace, table, &key, &value);
    err_t e = key.err     ? key.err
              : value.err ? value.err
                          : store_write_record(w, STORE_META, buf_view(&key), buf_view(&value));
    buf_done(&key);
    buf_done(&value);
    return e;
}

/* One write: state, then records, then the numbers and the note that there is garbage at all. */
static err_t clear_step(struct store *s, struct slice key, bool *more, struct diag *d)
{
    struct stage_key k = stage_key(key), stream = number_key("flow.stream", key),
                     note = number_key("flow.garbage", key), shape = number_key("flow.shape", key);
    const struct stage_key *last[] = {&stream, &shape, &note};
    struct forgetting f = {.bytes_max = GARBAGE_BYTES};
    err_t e = store_write_begin(s, STORE_LIVE, 4 * GARBAGE_BYTES, &f.write, d);
    if (e) return e;
    e = drop_state(s, key, f.write, more, d);
    for (size_t i = 0; !e && !*more && i < COUNT_OF(spaces); i++) {
        f.space = spaces[i];
        e = store_records(s, NULL, f.space, stage_key_slice(&k), (struct slice){0}, forget_one, &f,
                          d);
        *more = e == ERR_STOPPED;
        if (*more) e = ERR_OK;
    }
    if (!e && !*more) e = sql_forget(s, f.write, (struct slice){0}, key, d);
    for (size_t i = 0; !e && !*more && i < COUNT_OF(last); i++)
        e = store_write_record(f.write, STORE_META, stage_key_slice(last[i]), (struct slice){0});
    if (!e) return store_write_commit(f.write, d);
    store_write_abort(f.write);
    return e;
}

struct garbage_find {
    size_t prefix;
    struct arena *arena;
    struct slice key, keyspace, table;
    bool found;
};

static err_t find_garbage(void *ctx, struct slice key, struct slice value)
{
    struct garbage_find *g = ctx;
    struct cursor c = cursor_of(value);
    if (cursor_be(&c, 1) > GARBAGE_VERSION && !c.err) c.err = ERR_VERSION;
    g->keyspace = arena_slice(g->arena, bytes_take(&c));
    g->table = arena_slice(g->arena, bytes_take(&c));
    g->key = arena_slice(g->arena, slice_make(key.at + g->prefix, key.len - g->prefix));
    g->found = true;
    if (c.err) return c.err;
    return g->key.at ? ERR_STOPPED : ERR_NO_MEMORY;
}

static err_t clear_one(struct store *s, const struct garbage_find *g, struct diag *d)
{
    bool more = true;
    err_t e = ERR_OK;
    if (g->table.len && store_table_find(s, g->keyspace, g->table))
        e = store_table_drop(s, g->keyspace, g->table, d);
    while (!e && more) e = clear_step(s, g->key, &more, d);
    return e;
}

err_t garbage_clear(struct store *s, struct diag *d)
{
    struct stage_key k = number_key("flow.garbage", SLICE(""));
    struct arena *a = arena_new(KIB(64));
    err_t e = a ? ERR_OK : diag_fail(d, ERR_NO_MEMORY, "no memory to clear old editions");
    for (bool more = true; !e && more;) {
        struct garbage_find g = {.prefix = k.len, .arena = a};
        arena_reset(a);
        e = store_records(s, NULL, STORE_META, stage_key_slice(&k), (struct slice){0}, find_garbage,
                          &g, d);
        more = g.found;
        if (e == ERR_STOPPED && more) e = clear_one(s, &g, d);
    }
    arena_free(a);
    return e;
}
