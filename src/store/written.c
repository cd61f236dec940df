/* How often each table has been written: one number a table, in the write that it counts, so that
 * who waits for a table's changes sees after any kill whether there was one since he looked last.
 *
 * Commits run side by side, so the number that is durable may be a little behind the largest that
 * was given: after a start it goes on far enough above it. Records of STORE_META: "written" and the
 * table's prefix. */
#include "store/change.h"
#include <stdlib.h>

enum { NUMBERS_SKIPPED = 1 << 16, TABLES_MAX = 1 << 24, RECORD_KEY = KEY_PREFIX_SIZE + 7 + 4 };
static const char space_name[] = "written";

static void key_put(struct buf *out, uint32_t prefix)
{
    buf_be(out, STORE_META, KEY_PREFIX_SIZE);
    buf_text(out, space_name);
    buf_be(out, prefix, 4);
}

void written_put(rocksdb_writebatch_t *b, uint32_t prefix, uint64_t number)
{
    uint8_t key[RECORD_KEY], value[8];
    struct buf k = buf_over(key, sizeof key), v = buf_over(value, sizeof value);
    key_put(&k, prefix);
    buf_be(&v, number, 8);
    rocksdb_writebatch_put(b, (const char *)k.at, k.len, (const char *)v.at, v.len);
}

void written_forget(rocksdb_writebatch_t *b, uint32_t prefix)
{
    uint8_t key[RECORD_KEY];
    struct buf k = buf_over(key, sizeof key);
    key_put(&k, prefix);
    rocksdb_writebatch_delete(b, (const char *)k.at, k.len);
}

uint64_t written_next(const struct table *t)
{
    return atomic_fetch_add(&t->past->written_given, 1) + 1;
}

void written_durable(const struct table *t, uint64_t number)
{
    uint64_t before = atomic_load(&t->past->written);
    while (before < number && !atomic_compare_exchange_weak(&t->past->written, &before, number)) {
    }
}

uint64_t store_table_written(const struct store_table *t)
{
    return atomic_load(&table_of(t)->past->written);
}

/* --- one write of flow's ---------------------------------------------------------------------- */

static bool holds_rows(const struct entries *g)
{
    return g->table && g->table->prefix == g->prefix; /* an index's have another */
}

static err_t note_group(struct store_write *w, size_t i)
{
    struct entries *records;
    uint64_t number = written_next(table_of(w->groups[i].table));
    uint32_t prefix = w->groups[i].prefix;
    w->groups[i].written = number;
    uint8_t *room = write_room(w, RECORD_KEY + sizeof number);
    err_t e = room ? write_group(w, STORE_META, NULL, &records) : ERR_NO_MEMORY;
    if (e) return e;
    struct buf b = buf_over(room, RECORD_KEY + sizeof number);
    key_put(&b, prefix);
    buf_be(&b, number, sizeof number);
    write_take(w, RECORD_KEY + sizeof number);
    return write_entry(w, records, room, RECORD_KEY, sizeof number, ENTRY_PUT);
}

err_t written_note(struct store_write *w, struct diag *d)
{
    err_t e = ERR_OK;
    for (size_t i = 0, count = w->group_count; i < count && !e; i++)
        if (holds_rows(&w->groups[i])) e = note_group(w, i);
    return e ? diag_fail(d, e, "no memory for a commit") : ERR_OK;
}

void written_done(const struct store_write *w)
{
    for (size_t i = 0; i < w->group_count; i++)
        if (w->groups[i].written)
            written_durable(table_of(w->groups[i].table), w->groups[i].written);
}

/* --- at the start ----------------------------------------------------------------------------- */

struct kept {
    uint32_t prefix;
    uint64_t number;
};

static err_t take_kept(void *ctx, struct slice key, struct slice value)
{
    struct vec *list = ctx;
    const uint32_t name = sizeof space_name - 1;
    struct cursor k = cursor_of(slice_make(key.at + name, key.len - name)), v = cursor_of(value);
    struct kept x = {(uint32_t)cursor_be(&k, 4), cursor_be(&v, 8)};
    if (k.err || v.err) return ERR_CORRUPT;
    return vec_push(list, &x);
}

static int by_prefix(const void *a, const void *b)
{
    const struct kept *x = a, *y = b;
    return (x->prefix > y->prefix) - (x->prefix < y->prefix);
}

static err_t give_kept(void *ctx, const struct store_table *t)
{
    const struct vec *list = ctx;
    struct kept wanted = {.prefix = t->prefix};
    const struct kept *x =
        list->count ? bsearch(&wanted, list->items, list->count, sizeof *x, by_prefix) : NULL;
    if (!x) return ERR_OK; /* never written since this is counted */
    atomic_store(&table_of(t)->past->written, x->number);
    atomic_store(&table_of(t)->past->written_given, x->number + NUMBERS_SKIPPED);
    return ERR_OK;
}

err_t written_load(struct store *s, struct diag *d)
{
    struct vec list = vec_make(sizeof(struct kept), TABLES_MAX);
    err_t e = store_records(s, NULL, STORE_META, slice_of(space_name), (struct slice){0}, take_kept,
                            &list, d);
    if (e && d && !d->err) (void)diag_fail(d, e, "how often tables were written can not be read");
    if (!e) e = store_tables(s, give_kept, &list); /* in the keys' order: by prefix */
    vec_done(&list);
    return e;
}
