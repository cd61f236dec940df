/* Changes of the catalog: keyspaces, and what becomes of whole tables. */
#include "store/catalog.h"
#include "store/change.h"

enum { CATALOG_RECORD_MAX = 16 << 20, SHOWN_MAX = 2 * NAMES_MAX };

/* --- one batch ----------------------------------------------------------------------------------
 */

void change_begin(struct catalog_change *c, struct store *s)
{
    *c = (struct catalog_change){.s = s,
                                 .batch = rocksdb_writebatch_create(),
                                 .key = buf_make(KIB(8)),
                                 .value = buf_make(CATALOG_RECORD_MAX),
                                 .shown = vec_make(sizeof(struct shown), SHOWN_MAX),
                                 .next_prefix = s->schema->next_prefix,
                                 .next_type = s->schema->next_type,
                                 .version = store_schema_version(s) + 1};
}

void change_record(struct catalog_change *c, char kind, struct slice keyspace, struct slice name,
                   bool put)
{
    struct buf *k = &c->key;
    buf_reset(k);
    buf_be(k, STORE_CATALOG, KEY_PREFIX_SIZE);
    buf_char(k, kind);
    buf_slice(k, keyspace);
    if (name.len) buf_char(k, 0);
    buf_slice(k, name);
    if (k->err || c->value.err) {
        c->err = k->err ? k->err : c->value.err;
    } else if (put) {
        rocksdb_writebatch_put(c->batch, (const char *)k->at, k->len, (const char *)c->value.at,
                               c->value.len);
    } else {
        rocksdb_writebatch_delete(c->batch, (const char *)k->at, k->len);
    }
    buf_reset(&c->value);
}

void change_show(struct catalog_change *c, struct names *n, struct slice keyspace,
                 struct slice name, const void *value)
{
    struct shown *x = vec_add(&c->shown);
    err_t e = x ? name_put(c->s->schema, n, keyspace, name, &x->named) : ERR_NO_MEMORY;
    if (x) x->value = value;
    if (e) c->err = e;
}

void change_forget(struct catalog_change *c, uint32_t prefix)
{
    uint8_t from[KEY_PREFIX_SIZE], to[KEY_PREFIX_SIZE];
    struct buf a = buf_over(from, sizeof from), b = buf_over(to, sizeof to);
    buf_be(&a, prefix, KEY_PREFIX_SIZE);
    buf_be(&b, prefix + 1U, KEY_PREFIX_SIZE);
    rocksdb_writebatch_delete_range(c->batch, (const char *)from, sizeof from, (const char *)to,
                                    sizeof to);
    written_forget(c->batch, prefix);
}

void table_marks_put(rocksdb_writebatch_t *b, const struct table *t)
{
    uint8_t key[KEY_PREFIX_SIZE + 2 * NAME_MAX_BYTES + 2], value[8];
    struct buf k = buf_over(key, sizeof key), v = buf_over(value, sizeof value);
    buf_be(&k, STORE_CATALOG, KEY_PREFIX_SIZE);
    buf_char(&k, 'x');
    buf_slice(&k, t->t.keyspace);
    buf_char(&k, 0);
    buf_slice(&k, t->t.name);
    buf_be(&v, t->t.prefix, 4);
    buf_be(&v, atomic_load(&t->past->marks), 4);
    rocksdb_writebatch_put(b, (const char *)k.at, k.len, (const char *)v.at, v.len);
}

static void change_put_number(struct catalog_change *c, char kind, uint64_t v, int bytes)
{
    buf_reset(&c->value);
    buf_be(&c->value, v, bytes);
    change_record(c, kind, SLICE(""), SLICE(""), true);
}

err_t change_end(struct catalog_change *c, err_t e, struct diag *d)
{
    struct schema *m = c->s->schema;
    char *message = NULL;
    change_put_number(c, 'n', c->next_prefix, 4);
    change_put_number(c, 'v', c->version, 8);
    if (!e && c->err) e = diag_fail(d, c->err, "the catalog's change can not be made");
    if (!e) message = rocks_write(c->s, c->s->write_synced, c->batch);
    if (message) e = rocks_failed(c->s, message, d, "the catalog was not changed");
    for (size_t i = 0; i < c->shown.count && !e; i++) {
        struct shown *x = vec_at(&c->shown, i);
        atomic_store_explicit(&x->named->now, x->value, memory_order_release);
    }
    if (!e) {
        m->next_prefix = c->next_prefix;
        m->next_type = c->next_type;
        atomic_store_explicit(&m->version, c->version, memory_order_release);
    }
    rocksdb_writebatch_destroy(c->batch);
    vec_done(&c->shown);
    buf_done(&c->key);
    buf_done(&c->value);
    return e;
}

const struct table *change_table(struct catalog_change *c, const struct table *t,
                                 const struct table *old, struct diag *d)
{
    struct schema *m = c->s->schema;
    struct table copy = *t, *made = NULL;
    struct named *x = NULL;
    copy.t.version = c->version;
    buf_reset(&c->value);
    table_put(&c->value, &copy);
    err_t e = c->value.err ? ERR_TOO_BIG : name_put(m, &m->tables, t->t.keyspace, t->t.name, &x);
    if (!e) /* as the next start will: what can't be read is not written */
        e = table_take(x->keyspace, x->name, buf_view(&c->value), m->arena, &made, d);
    if (!e) {
        bool same = old && old->t.prefix == t->t.prefix;
        made->named = x;
        made->past = same ? old->past : arena_take(m->arena, sizeof *made->past);
        if (!made->past) e = ERR_NO_MEMORY;
    }
    if (e) {
        c->err = e;
        return NULL;
    }
    change_record(c, 't', t->t.keyspace, t->t.name, true);
    change_show(c, &m->tables, t->t.keyspace, t->t.name, made);
    return c->err ? NULL : made;
}

void change_drop_table(struct catalog_change *c, const struct table *t)
{
    change_forget(c, t->t.prefix);
    for (uint32_t i = 0; i < t->t.index_count; i++) change_forget(c, t->t.indexes[i].prefix);
    change_record(c, 't', t->t.keyspace, t->t.name, false);
    change_record(c, 'x', t->t.keyspace, t->t.name, false);
    change_show(c, &c->s->schema->tables, t->t.keyspace, t->t.name, NULL);
}

/* --- keyspaces ----------------------------------------------------------------------------------
 */

static err_t keyspace_checked(struct store *s, const struct store_keyspace *k, bool replace,
                              struct diag *d)
{
    bool there = store_keyspace_exists(s, k->name);
    if (there && !replace)
        return diag_fail(d, ERR_EXISTS, "keyspace %.*s exists", SLICE_ARG(k->name));
    if (!there && replace)
        return diag_fail(d, ERR_UNKNOWN_NAME, "no keyspace %.*s", SLICE_ARG(k->name));
    return ERR_OK;
}

err_t store_keyspace_put(struct store *s, const struct store_keyspace *k, bool replace,
                         struct diag *d)
{
    struct schema *m = s->schema;
    err_t e = name_check(k->name, "keyspace", d);
    if (!e) e = change_enter(s, &no_table, d);
    if (e) return e;
    e = keyspace_checked(s, k, replace, d);
    if (!e) {
        struct catalog_change c;
        struct named *x;
        struct store_keyspace *made = arena_take(m->arena, sizeof *made);
        change_begin(&c, s);
        keyspace_put(&c.value, k);
        c.err = made ? name_put(m, &m->keyspaces, k->name, SLICE(""), &x) : ERR_NO_MEMORY;
        if (!c.err) c.err = c.value.err;
        if (!c.err) c.err = keyspace_take(x->keyspace, buf_view(&c.value), m->arena, made);
        change_record(&c, 'k', k->name, SLICE(""), true);
        change_show(&c, &m->keyspaces, k->name, SLICE(""), made);
        e = change_end(&c, ERR_OK, d);
    }
    change_leave(s);
    return e;
}

err_t store_keyspace_create(struct store *s, struct slice name, struct slice replication,
                            struct diag *d)
{
    struct store_keyspace k = {.name = name, .durable_writes = true};
    struct arena *a = arena_new(MIB(1));
    if (!a) return diag_fail(d, ERR_NO_MEMORY, "no memory for a keyspace");
    err_t e = replication_parse(replication, a, &k);
    if (e == ERR_SYNTAX && replication.len)
        diag_fail(d, e, "replication = %.*s of keyspace %.*s is no map", SLICE_ARG(replication),
                  SLICE_ARG(name));
    else
        e = store_keyspace_put(s, &k, false, d);
    arena_free(a);
    return e;
}

/* All of names' values of one keyspace, each told to `drop`. */
static void drop_inside(struct catalog_change *c, struct names *n, struct slice keyspace,
                        void (*drop)(struct catalog_change *c, const struct named *x))
{
    struct named *x = atomic_load_explicit(&n->first, memory_order_acquire);
    for (; x; x = atomic_load_explicit(&x->next, memory_order_acquire))
        if (slice_equal(x->keyspace, keyspace) && atomic_load(&x->now)) drop(c, x);
}

static void drop_one_table(struct catalog_change *c, const struct named *x)
{
    change_drop_table(c, atomic_load(&x->now));
}

static void drop_one_type(struct catalog_change *c, const struct named *x)
{
    change_record(c, 'y', x->keyspace, x->name, false);
    change_show(c, &c->s->schema->types, x->keyspace, x->name, NULL);
}

static err_t inside_unheld(struct store *s, struct slice keyspace, struct diag *d)
{
    err_t e = ERR_OK;
    struct named *x = atomic_load_explicit(&s->schema->tables.first, memory_order_acquire);
    for (; x && !e; x = atomic_load_explicit(&x->next, memory_order_acquire))
        if (slice_equal(x->keyspace, keyspace) && atomic_load(&x->now))
            e = table_unheld(s, x, "drop the keyspace of", d);
    return e;
}

err_t store_keyspace_drop(struct store *s, struct slice name, struct diag *d)
{
    err_t e = change_enter(s, NULL, d);
    if (e) return e;
    if (store_keyspace_exists(s, name))
        e = inside_unheld(s, name, d);
    else
        e = diag_fail(d, ERR_UNKNOWN_NAME, "no keyspace %.*s", SLICE_ARG(name));
    if (!e) {
        struct catalog_change c;
        change_begin(&c, s);
        drop_inside(&c, &s->schema->tables, name, drop_one_table);
        drop_inside(&c, &s->schema->types, name, drop_one_type);
        change_record(&c, 'k', name, SLICE(""), false);
        change_show(&c, &s->schema->keyspaces, name, SLICE(""), NULL);
        e = change_end(&c, ERR_OK, d);
    }
    change_leave(s);
    return e;
}

/* --- whole tables -------------------------------------------------------------------------------
 */

static err_t table_enter(struct store *s, struct slice keyspace, struct slice name,
                         const char *verb, const struct table **out, struct diag *d)
{
    struct named *x = name_find(&s->schema->tables, keyspace, name);
    err_t e = x ? change_enter(s, x, d) : ERR_OK;
    if (e) return e;
    *out = x ? atomic_load(&x->now) : NULL;
    if (*out)
        e = table_unheld(s, x, verb, d);
    else
        e = diag_fail(d, ERR_UNKNOWN_TABLE, "no table %.*s.%.*s", SLICE_ARG(keyspace),
                      SLICE_ARG(name));
    if (e && x) change_leave(s);
    return e;
}

/* The same table with new prefixes, for its rows and its indexes' entries, which are all there. */
err_t store_table_truncate(struct store *s, struct slice keyspace, struct slice name,
                           struct diag *d)
{
    const struct table *old;
    struct catalog_change c;
    err_t e = table_enter(s, keyspace, name, "truncate", &old, d);
    if (e) return e;
    struct table t = *old;
    struct store_index *indexes = mem_take((t.t.index_count + 1U) * sizeof *indexes);
    change_begin(&c, s);
    if (!indexes) c.err = ERR_NO_MEMORY;
    change_forget(&c, t.t.prefix);
    t.t.prefix = c.next_prefix++;
    for (uint32_t i = 0; i < t.t.index_count && indexes; i++) {
        indexes[i] = t.t.indexes[i];
        change_forget(&c, indexes[i].prefix);
        indexes[i].prefix = c.next_prefix++;
        indexes[i].ready = true;
    }
    t.t.indexes = indexes;
    if (indexes) change_table(&c, &t, old, d);
    e = change_end(&c, ERR_OK, d);
    mem_give(indexes);
    change_leave(s);
    return e;
}

err_t store_table_drop(struct store *s, struct slice keyspace, struct slice name, struct diag *d)
{
    const struct table *old;
    struct catalog_change c;
    err_t e = table_enter(s, keyspace, name, "drop", &old, d);
    if (e) return e;
    change_begin(&c, s);
    change_drop_table(&c, old);
    e = change_end(&c, ERR_OK, d);
    change_leave(s);
    return e;
}

static void change_put(struct catalog_change *c, const struct store_put *p)
{
    buf_reset(&c->key);
    INVARIANT(p->space > STORE_CATALOG && p->space < STORE_SPACES);
    buf_be(&c->key, (uint64_t)p->space, KEY_PREFIX_SIZE);
    buf_slice(&c->key, p->key);
    if (c->key.err && !c->err) c->err = c->key.err;
    rocksdb_writebatch_put(c->batch, (const char *)c->key.at, c->key.len, (const char *)p->value.at,
                           p->value.len);
}

/* `what` under the name of `at`. */
static void change_rename(struct catalog_change *c, const struct table *what,
                          const struct table *at, struct diag *d)
{
    struct table t = *what;
    t.t.keyspace = at->t.keyspace;
    t.t.name = at->t.name;
    const struct table *made = change_table(c, &t, what, d);
    if (made) table_marks_put(c->batch, made);
}

/* The newest value, which is to be the one that the caller has seen. */
static err_t as_seen(const struct store_table *seen, const struct table **out, struct diag *d)
{
    const struct store_table *now = table_now(seen);
    *out = now ? table_of(now) : NULL;
    if (!now)
        return diag_fail(d, ERR_UNKNOWN_TABLE, "no table %.*s.%.*s", SLICE_ARG(seen->keyspace),
                         SLICE_ARG(seen->name));
    return now == seen ? ERR_OK : table_outrun(seen, d);
}

err_t store_table_exchange(struct store *s, const struct store_table *one,
                           const struct store_table *other, const struct store_put *puts,
                           size_t count, struct diag *d)
{
    struct catalog_change c;
    const struct table *a, *b;
    err_t e = change_enter(s, NULL, d);
    if (e) return e;
    change_begin(&c, s);
    e = as_seen(one, &a, d);
    if (!e) e = as_seen(other, &b, d);
    if (!e) change_rename(&c, a, b, d);
    if (!e) change_rename(&c, b, a, d);
    for (size_t i = 0; !e && i < count; i++) change_put(&c, &puts[i]);
    e = change_end(&c, e, d);
    change_leave(s);
    return e;
}
