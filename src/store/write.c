/* One atomic write: rows encoded straight from columns into chunks of memory, each key with its
 * value behind it; sorted at the end and handed over as one batch or one file. */
#include "base/hash.h"
#include "base/metric.h"
#include "store/change.h"
#include <endian.h>

enum { CHUNK_SIZE = 1 << 20, BYTES_MAX_DEFAULT = 1 << 30, GROUPS_MAX = 1024 };
enum { FILE_ENTRIES_MIN = 256 /* below it a sorted file is not worth its syncs */ };

/* --- memory -------------------------------------------------------------------------------------
 */

static struct chunk *chunk_new(struct store *s, size_t size)
{
    struct chunk *c = NULL;
    if (size <= CHUNK_SIZE) {
        gate_enter(&s->gate);
        c = s->spare_chunks;
        if (c) {
            s->spare_chunks = c->next;
            s->spare_bytes -= c->size;
        }
        gate_leave(&s->gate);
        size = CHUNK_SIZE;
    }
    if (!c) c = mem_take_raw(sizeof *c + size);
    if (!c) return NULL;
    *c = (struct chunk){.size = size};
    return c;
}

/* Chunks are kept for the next write: fresh pages cost more than the encoding. As many as the last
 * kind of write needs; a live one gives back what catching up had. */
static void chunks_give(struct store *s, struct chunk *c, size_t keep_bytes)
{
    gate_enter(&s->gate);
    while (c) {
        struct chunk *next = c->next;
        if (c->size == CHUNK_SIZE && s->spare_bytes < keep_bytes) {
            c->next = s->spare_chunks;
            s->spare_chunks = c;
            s->spare_bytes += c->size;
        } else {
            mem_give(c);
        }
        c = next;
    }
    while (s->spare_chunks && s->spare_bytes > keep_bytes) {
        c = s->spare_chunks;
        s->spare_chunks = c->next;
        s->spare_bytes -= c->size;
        mem_give(c);
    }
    gate_leave(&s->gate);
}

uint8_t *write_room(struct store_write *w, size_t size)
{
    struct chunk *c = w->chunks;
    if (!c || c->size - c->used < size) {
        c = chunk_new(w->store, size);
        if (!c) return NULL;
        c->next = w->chunks;
        w->chunks = c;
    }
    return (uint8_t *)(c + 1) + c->used;
}

void write_take(struct store_write *w, size_t size)
{
    w->chunks->used += size;
}

err_t store_write_begin(struct store *s, enum store_form form, size_t bytes_max,
                        struct store_write **out, struct diag *d)
{
    *out = NULL;
    if (s->read_only) return diag_fail(d, ERR_FORBIDDEN, "the store is open for reading only");
    struct store_write *w = mem_take(sizeof *w);
    if (!w) return diag_fail(d, ERR_NO_MEMORY, "no memory for a write");
    w->store = s;
    w->form = form;
    w->bytes_max = bytes_max ? bytes_max : BYTES_MAX_DEFAULT;
    w->scratch = buf_make(RECORD_MAX);
    *out = w;
    return ERR_OK;
}

void store_write_abort(struct store_write *w)
{
    if (!w) return;
    chunks_give(w->store, w->chunks, w->form == STORE_LIVE ? SPARE_LIVE_MAX : w->store->spare_max);
    for (size_t i = 0; i < w->group_count; i++) mem_give(w->groups[i].at);
    mem_give(w->groups);
    buf_done(&w->scratch);
    mem_give(w);
}

size_t store_write_bytes(const struct store_write *w)
{
    return w->bytes;
}

/* --- entries ------------------------------------------------------------------------------------
 */

err_t write_group(struct store_write *w, uint32_t prefix, const struct store_table *table,
                  struct entries **out)
{
    for (size_t i = w->group_count; i-- > 0;) {
        *out = &w->groups[i];
        if (w->groups[i].prefix == prefix) return ERR_OK;
    }
    if (w->group_count == GROUPS_MAX) return ERR_TOO_BIG;
    if (w->group_count == w->group_cap) {
        size_t cap = w->group_cap ? w->group_cap * 2 : 8;
        struct entries *g = mem_resize(w->groups, cap * sizeof *g);
        if (!g) return ERR_NO_MEMORY;
        w->groups = g;
        w->group_cap = cap;
    }
    *out = &w->groups[w->group_count++];
    **out = (struct entries){.prefix = prefix, .table = table};
    return ERR_OK;
}

static uint64_t key_number(const uint8_t *key, uint32_t key_len)
{
    uint8_t bytes[8] = {0};
    memcpy(bytes, key + KEY_PREFIX_SIZE, MIN(key_len - KEY_PREFIX_SIZE, 8U));
    uint64_t v;
    memcpy(&v, bytes, 8);
    return be64toh(v);
}

err_t write_entry(struct store_write *w, struct entries *g, const uint8_t *key, uint32_t key_len,
                  uint32_t value_len, enum entry_op op)
{
    if (g->count == g->cap) {
        size_t cap = g->cap ? g->cap * 2 : 64;
        struct entry *at = mem_resize(g->at, cap * sizeof *at);
        if (!at) return ERR_NO_MEMORY;
        g->at = at;
        g->cap = cap;
    }
    g->at[g->count++] = (struct entry){.head = key_number(key, key_len),
                                       .key = key,
                                       .key_len = key_len,
                                       .value_len = value_len & VALUE_LEN_MASK,
                                       .op = op};
    w->bytes += key_len + value_len;
    return ERR_OK;
}

err_t write_index_entry(struct store_write *w, const struct store_table *t, uint32_t prefix,
                        struct slice value, struct slice row)
{
    size_t size = KEY_PREFIX_SIZE + (size_t)value.len + row.len;
    struct entries *g;
    if (w->bytes + size > w->bytes_max) return ERR_TOO_BIG;
    err_t e = write_group(w, prefix, t, &g);
    if (e) return e;
    uint8_t *room = write_room(w, size);
    if (!room) return ERR_NO_MEMORY;
    struct buf b = buf_over(room, size);
    buf_be(&b, prefix, KEY_PREFIX_SIZE);
    buf_slice(&b, value);
    buf_slice(&b, row);
    write_take(w, size);
    return write_entry(w, g, room, (uint32_t)size, 0, ENTRY_PUT);
}

err_t store_write_record(struct store_write *w, enum store_space space, struct slice key,
                         struct slice value)
{
    INVARIANT(space > 0 && space < STORE_SPACES);
    size_t size = KEY_PREFIX_SIZE + (size_t)key.len + value.len;
    if (key.len > RECORD_KEY_MAX || value.len > RECORD_MAX || w->bytes + size > w->bytes_max)
        return ERR_TOO_BIG;
    struct entries *g;
    err_t e = write_group(w, space, NULL, &g);
    if (e) return e;
    uint8_t *room = write_room(w, size);
    if (!room) return ERR_NO_MEMORY;
    struct buf b = buf_over(room, size);
    buf_be(&b, space, KEY_PREFIX_SIZE);
    buf_slice(&b, key);
    buf_slice(&b, value);
    write_take(w, size);
    return write_entry(w, g, room, KEY_PREFIX_SIZE + key.len, value.len,
                       value.at ? ENTRY_PUT : ENTRY_DELETE);
}

/* --- commit -------------------------------------------------------------------------------------
 */

static rocksdb_writebatch_t *batch_take(struct store *s)
{
    gate_enter(&s->gate);
    rocksdb_writebatch_t *b = s->spare_batch;
    s->spare_batch = NULL;
    gate_leave(&s->gate);
    return b ? b : rocksdb_writebatch_create();
}

static void batch_give(struct store *s, rocksdb_writebatch_t *b, size_t bytes)
{
    rocksdb_writebatch_clear(b);
    gate_enter(&s->gate);
    if (!s->spare_batch && bytes <= SPARE_LIVE_MAX) {
        s->spare_batch = b;
        b = NULL;
    }
    gate_leave(&s->gate);
    if (b) rocksdb_writebatch_destroy(b);
}

static err_t batch_entries(struct store *s, const struct entries *groups, size_t group_count,
                           struct diag *d)
{
    rocksdb_writebatch_t *b = batch_take(s);
    size_t bytes = 0;
    for (size_t i = 0; i < group_count; i++) {
        for (size_t k = 0; k < groups[i].count; k++) {
            const struct entry *e = &groups[i].at[k];
            entry_ahead(groups[i].at, k, groups[i].count);
            const char *key = (const char *)e->key, *value = key + e->key_len;
            bytes += e->key_len + e->value_len;
            switch ((enum entry_op)e->op) {
            case ENTRY_PUT: rocksdb_writebatch_put(b, key, e->key_len, value, e->value_len); break;
            case ENTRY_MERGE:
                rocksdb_writebatch_merge(b, key, e->key_len, value, e->value_len);
                break;
            case ENTRY_DELETE: rocksdb_writebatch_delete(b, key, e->key_len); break;
            }
        }
    }
    char *message = rocks_write(s, s->write_synced, b);
    batch_give(s, b, bytes);
    return message ? rocks_failed(s, message, d, "the commit failed") : ERR_OK;
}

static err_t entries_commit(struct store *s, enum store_form form, const struct entries *groups,
                            size_t group_count, struct diag *d)
{
    size_t count = 0;
    for (size_t i = 0; i < group_count; i++) count += groups[i].count;
    if (count == 0) return ERR_OK;
    if (form == STORE_CATCHUP && count >= FILE_ENTRIES_MIN)
        return ingest_entries(s, groups, group_count, d);
    return batch_entries(s, groups, group_count, d);
}

/* --- indexes that came or went since the rows were added ----------------------------------------
 */

struct anew {
    struct store_write *w;
    const struct store_table *t;
};
static err_t anew_entry(void *ctx, uint32_t prefix, struct slice value, struct slice row)
{
    struct anew *x = ctx;
    return write_index_entry(x->w, x->t, prefix, value, row);
}

/* The entries of all indexes of one table, made again from the rows that are in the write. */
static err_t table_anew(struct store_write *w, size_t group, const struct store_table *now,
                        struct diag *d)
{
    struct anew x = {w, now};
    err_t e = ERR_OK;
    size_t n = 0;
    for (size_t i = 0; i < w->group_count; i++) { /* entries of an index: another prefix */
        struct entries *g = &w->groups[i];
        bool of_index = g->table && g->table->prefix == now->prefix && g->prefix != now->prefix;
        if (of_index) mem_give(g->at);
        if (of_index) continue;
        if (i == group) group = n;
        w->groups[n++] = *g;
    }
    w->group_count = n;
    w->groups[group].table = now;
    for (size_t k = 0; k < w->groups[group].count && !e; k++) {
        const struct entry *row = &w->groups[group].at[k];
        if (row->op != ENTRY_DELETE)
            e = index_entries(table_of(now), slice_make(row->key, row->key_len),
                              slice_make(row->key + row->key_len, row->value_len), anew_entry, &x,
                              d);
    }
    return e;
}

/* *same: all indexes are those that the entries were made for. */
static err_t indexes_anew(struct store_write *w, bool *same, struct diag *d)
{
    *same = true;
    for (size_t i = 0; i < w->group_count; i++) {
        const struct store_table *t = w->groups[i].table, *now = t ? table_now(t) : NULL;
        if (!t || !now || t->prefix != w->groups[i].prefix || now->prefix != t->prefix) continue;
        if (now == t || indexes_same(now, t)) continue;
        *same = false;
        return table_anew(w, i, now, d);
    }
    return ERR_OK;
}

/* Sorted, and let in with the indexes that the tables have now. */
static err_t commit_ready(struct store_write *w, struct diag *d)
{
    const struct store_table *tables[GROUPS_MAX];
    for (;;) {
        bool same = false;
        err_t e = ERR_OK;
        while (!e && !same) e = indexes_anew(w, &same, d);
        if (!e) e = write_sort(w, d);
        size_t count = 0;
        for (size_t i = 0; i < w->group_count; i++)
            if (w->groups[i].table) tables[count++] = w->groups[i].table;
        if (!e) e = commit_enter(w->store, tables, count, d);
        if (e) return e;
        for (size_t i = 0; i < count; i++) same &= indexes_same(table_now(tables[i]), tables[i]);
        if (same) return ERR_OK;
        commit_leave(w->store);
    }
}

/* One failure may pass; three in a row, with delays between them, do not. */
enum { FAILURES_LASTING = 3 };

void commit_counted(struct store *s, err_t e)
{
    if (e == ERR_IO || e == ERR_CORRUPT)
        atomic_fetch_add(&s->failures_running, 1);
    else
        atomic_store(&s->failures_running, 0);
}

err_t store_write_commit(struct store_write *w, struct diag *d)
{
    struct store *s = w->store;
    size_t records = 0;
    err_t e = written_note(w, d);
    if (!e) e = commit_ready(w, d);
    for (size_t i = 0; i < w->group_count; i++)
        if (!w->groups[i].table) records = i + 1; /* their prefixes are small: they come first */
    if (!e) {
        if (s->mutant_cursor_before_rows) { /* two writes where one is right: see store.h */
            e = entries_commit(s, w->form, w->groups, records, d);
            if (!e)
                e = entries_commit(s, w->form, w->groups + records, w->group_count - records, d);
        } else {
            e = entries_commit(s, w->form, w->groups, w->group_count, d);
        }
        commit_leave(s);
    }
    commit_counted(s, e);
    if (!e) {
        written_done(w);
        metric_add(METRIC_store_commits_total, 1);
        metric_add(METRIC_store_rows_total, (int64_t)w->rows);
    }
    store_write_abort(w);
    return e;
}

bool store_must_reopen(const struct store *s)
{
    return atomic_load(&s->failures_running) >= FAILURES_LASTING;
}
