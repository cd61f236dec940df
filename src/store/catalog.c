/* Which keyspaces and tables there are. Records of STORE_CATALOG:
 *
 *     k KEYSPACE          replication options, as text
 *     t KEYSPACE 0 TABLE  the table (table_put)
 *     n                   the next free prefix
 *
 * A change is one synced batch. Tables in memory are immutable; a change makes a new one. Dropping
 * and truncating leave the old prefix behind: its rows are deleted as a range in that same batch,
 * and no prefix is ever given twice. */
#include "base/hash.h"
#include "store/store_int.h"

enum { TABLE_RECORD_VERSION = 1, CATALOG_MEMORY_MAX = 256 << 20, TABLES_MAX = 100000 };

/* --- keys ---------------------------------------------------------------------------------------
 */

static void space_key(struct buf *out, enum store_space space, const char *kind)
{
    buf_be(out, space, KEY_PREFIX_SIZE);
    buf_text(out, kind);
}

static void table_name(struct buf *out, struct slice keyspace, struct slice name)
{
    buf_slice(out, keyspace);
    buf_char(out, 0);
    buf_slice(out, name);
}

static err_t name_check(struct slice name, const char *what, struct diag *d)
{
    if (name.len && name.len <= NAME_MAX_BYTES && !memchr(name.at, 0, name.len)) return ERR_OK;
    return diag_fail(d, ERR_USAGE, "the %s's name must have 1 to %d bytes", what, NAME_MAX_BYTES);
}

/* --- a table's record ---------------------------------------------------------------------------
 */

static void put_sized(struct buf *out, struct slice s)
{
    buf_uvarint(out, s.len);
    buf_slice(out, s);
}

static void table_put(struct buf *out, const struct table *t)
{
    buf_be(out, TABLE_RECORD_VERSION, 1);
    buf_put(out, t->t.id, sizeof t->t.id);
    buf_be(out, t->t.prefix, 4);
    buf_be(out, t->next_column_id, 4);
    buf_be(out, t->t.default_ttl, 4);
    buf_be(out, t->t.version, 8);
    put_sized(out, t->t.options);
    buf_uvarint(out, t->t.column_count);
    for (uint32_t i = 0; i < t->t.column_count; i++) {
        const struct store_column *c = &t->t.columns[i];
        struct buf type = buf_make(KIB(64));
        type_print(c->type, &type);
        put_sized(out, c->name);
        put_sized(out, buf_view(&type));
        if (type.err) out->err = type.err;
        buf_done(&type);
        buf_be(out, c->role, 1);
        buf_be(out, c->position, 2);
        buf_be(out, c->descending, 1);
        buf_be(out, c->id, 2);
    }
}

static struct slice take_sized(struct cursor *c, struct arena *a)
{
    struct slice s = arena_slice(a, cursor_slice(c, cursor_uvarint(c)));
    if (!s.at && !c->err) s = SLICE("");
    return s;
}

static err_t column_take(struct cursor *c, struct arena *a, struct store_column *out,
                         struct diag *d)
{
    out->name = take_sized(c, a);
    struct slice type = take_sized(c, a);
    out->role = (enum column_role)cursor_be(c, 1);
    out->position = (uint16_t)cursor_be(c, 2);
    out->descending = cursor_be(c, 1);
    out->id = (uint16_t)cursor_be(c, 2);
    if (c->err) return c->err;
    return type_parse(type, a, &out->type, d);
}

static err_t table_take(struct store *s, struct slice key, struct slice value, struct table **out,
                        struct diag *d)
{
    struct cursor c = cursor_of(value);
    struct table *t = arena_take(s->catalog, sizeof *t);
    const uint8_t *zero = memchr(key.at, 0, key.len);
    if (!t) return ERR_NO_MEMORY;
    if (cursor_be(&c, 1) > TABLE_RECORD_VERSION) return ERR_VERSION;
    if (!zero) return ERR_CORRUPT;
    t->t.keyspace = arena_slice(s->catalog, slice_make(key.at, (size_t)(zero - key.at)));
    t->t.name =
        arena_slice(s->catalog, slice_make(zero + 1, (size_t)(key.at + key.len - zero - 1)));
    struct slice id = cursor_slice(&c, sizeof t->t.id);
    if (id.len == sizeof t->t.id) memcpy(t->t.id, id.at, id.len);
    t->t.prefix = (uint32_t)cursor_be(&c, 4);
    t->next_column_id = (uint32_t)cursor_be(&c, 4);
    t->t.default_ttl = (uint32_t)cursor_be(&c, 4);
    t->t.version = cursor_be(&c, 8);
    t->t.options = take_sized(&c, s->catalog);
    uint64_t count = cursor_uvarint(&c);
    if (c.err || count == 0 || count > TABLE_COLUMNS_MAX) return ERR_CORRUPT;
    t->t.column_count = (uint32_t)count;
    t->t.columns = arena_take(s->catalog, count * sizeof *t->t.columns);
    if (!t->t.columns) return ERR_NO_MEMORY;
    for (uint32_t i = 0; i < count; i++) {
        err_t e = column_take(&c, s->catalog, &t->t.columns[i], d);
        if (e) return e;
        if (t->t.columns[i].role == COLUMN_PARTITION) t->partition_count++;
        if (t->t.columns[i].role == COLUMN_CLUSTERING) t->clustering_count++;
    }
    *out = t;
    return cursor_left(&c) ? ERR_CORRUPT : ERR_OK;
}

/* --- the map of them ----------------------------------------------------------------------------
 */

static struct table *table_get(struct store *s, struct slice keyspace, struct slice name)
{
    uint8_t memory[2 * NAME_MAX_BYTES + 1];
    struct buf b = buf_over(memory, sizeof memory);
    table_name(&b, keyspace, name);
    return b.err ? NULL : map_get(s->tables, buf_view(&b));
}

static err_t table_keep(struct store *s, struct table *t)
{
    uint8_t memory[2 * NAME_MAX_BYTES + 1];
    struct buf b = buf_over(memory, sizeof memory);
    table_name(&b, t->t.keyspace, t->t.name);
    return b.err ? b.err : map_set(s->tables, buf_view(&b), t);
}

struct loading {
    struct store *s;
    struct diag *d;
};

static err_t load_record(void *ctx, struct slice key, struct slice value)
{
    struct loading *l = ctx;
    struct store *s = l->s;
    struct slice rest = slice_make(key.at + 1, key.len ? key.len - 1U : 0);
    struct table *t = NULL;
    err_t e = ERR_CORRUPT;
    if (key.len && *key.at == 'k') {
        char *replication = arena_text(s->catalog, value);
        e = replication ? map_set(s->keyspaces, rest, replication) : ERR_NO_MEMORY;
    } else if (key.len && *key.at == 't') {
        e = table_take(s, rest, value, &t, l->d);
        if (!e) e = table_keep(s, t);
    } else if (key.len == 1 && *key.at == 'n') {
        struct cursor c = cursor_of(value);
        s->next_prefix = (uint32_t)cursor_be(&c, 4);
        e = c.err ? ERR_CORRUPT : ERR_OK;
    }
    return e ? diag_fail(l->d, e, "the catalog's record '%.*s' can not be read", SLICE_ARG(key))
             : e;
}

err_t catalog_load(struct store *s, struct diag *d)
{
    s->catalog = arena_new(CATALOG_MEMORY_MAX);
    s->keyspaces = map_new(TABLES_MAX);
    s->tables = map_new(TABLES_MAX);
    if (!s->catalog || !s->keyspaces || !s->tables)
        return diag_fail(d, ERR_NO_MEMORY, "no memory for the catalog");
    s->next_prefix = STORE_SPACES;
    struct loading l = {s, d};
    return store_records(s, NULL, STORE_CATALOG, SLICE(""), (struct slice){0}, load_record, &l, d);
}

/* --- who may change it when ---------------------------------------------------------------------
 */

static bool table_current(struct store *s, const struct store_table *t)
{
    const struct table *now = table_get(s, t->keyspace, t->name);
    return now && now->t.prefix == t->prefix;
}

err_t commit_enter(struct store *s, const struct store_table *const *tables, size_t table_count,
                   struct diag *d)
{
    err_t e = ERR_OK;
    gate_enter(&s->gate);
    while (s->catalog_changing) gate_wait(&s->gate);
    for (size_t i = 0; i < table_count && !e; i++)
        if (!table_current(s, tables[i]))
            e = diag_fail(d, ERR_UNKNOWN_TABLE,
                          "table %.*s.%.*s was dropped or truncated during the write",
                          SLICE_ARG(tables[i]->keyspace), SLICE_ARG(tables[i]->name));
    if (!e) s->commits_running++;
    gate_leave(&s->gate);
    return e;
}

void commit_leave(struct store *s)
{
    gate_enter(&s->gate);
    s->commits_running--;
    gate_wake(&s->gate);
    gate_leave(&s->gate);
}

/* Alone: no commit runs and no other change. The gate itself stays open for readers. */
static err_t change_enter(struct store *s, struct diag *d)
{
    if (s->read_only) return diag_fail(d, ERR_FORBIDDEN, "the store is open for reading only");
    gate_enter(&s->gate);
    while (s->catalog_changing) gate_wait(&s->gate);
    s->catalog_changing = true;
    while (s->commits_running) gate_wait(&s->gate);
    gate_leave(&s->gate);
    return ERR_OK;
}

static void change_leave(struct store *s)
{
    gate_enter(&s->gate);
    s->catalog_changing = false;
    gate_wake(&s->gate);
    gate_leave(&s->gate);
}

/* --- changes ------------------------------------------------------------------------------------
 */

struct change {
    rocksdb_writebatch_t *batch;
    struct buf key, value;
};

static void change_begin(struct change *c)
{
    c->batch = rocksdb_writebatch_create();
    c->key = buf_make(KIB(8));
    c->value = buf_make(MIB(16));
}

static void change_put(struct change *c)
{
    rocksdb_writebatch_put(c->batch, (const char *)c->key.at, c->key.len, (const char *)c->value.at,
                           c->value.len);
    buf_reset(&c->key);
    buf_reset(&c->value);
}

static void change_put_table(struct change *c, const struct table *t)
{
    space_key(&c->key, STORE_CATALOG, "t");
    table_name(&c->key, t->t.keyspace, t->t.name);
    table_put(&c->value, t);
}

static void change_put_prefix(struct change *c, uint32_t next_prefix)
{
    space_key(&c->key, STORE_CATALOG, "n");
    buf_be(&c->value, next_prefix, 4);
    change_put(c);
}

static void prefix_range(uint32_t prefix, char from[4], char to[4])
{
    struct buf a = buf_over(from, 4), b = buf_over(to, 4);
    buf_be(&a, prefix, 4);
    buf_be(&b, prefix + 1U, 4);
}

static err_t change_end(struct store *s, struct change *c, err_t e, struct diag *d)
{
    char *message = NULL;
    if (!e) e = c->key.err ? c->key.err : c->value.err;
    if (e) diag_fail(d, e, "the catalog's change is too big");
    if (!e) rocksdb_write(s->db, s->write_synced, c->batch, &message);
    if (message) e = rocks_failed(s, message, d, "the catalog was not changed");
    rocksdb_writebatch_destroy(c->batch);
    buf_done(&c->key);
    buf_done(&c->value);
    return e;
}

err_t store_keyspace_create(struct store *s, struct slice name, struct slice replication,
                            struct diag *d)
{
    err_t e = name_check(name, "keyspace", d);
    if (!e) e = change_enter(s, d);
    if (e) return e;
    if (store_keyspace_exists(s, name)) {
        e = diag_fail(d, ERR_EXISTS, "keyspace %.*s exists", SLICE_ARG(name));
    } else {
        struct change c;
        change_begin(&c);
        space_key(&c.key, STORE_CATALOG, "k");
        buf_slice(&c.key, name);
        buf_slice(&c.value, replication);
        rocksdb_writebatch_put(c.batch, (const char *)c.key.at, c.key.len, (const char *)c.value.at,
                               c.value.len);
        e = change_end(s, &c, ERR_OK, d);
        gate_enter(&s->gate);
        char *text = e ? NULL : arena_text(s->catalog, replication);
        if (!e) e = text ? map_set(s->keyspaces, name, text) : ERR_NO_MEMORY;
        gate_leave(&s->gate);
    }
    change_leave(s);
    return e;
}

bool store_keyspace_exists(struct store *s, struct slice name)
{
    gate_enter(&s->gate);
    bool there = map_get(s->keyspaces, name);
    gate_leave(&s->gate);
    return there;
}

/* Keyspaces are never removed and their texts live as long as the store: names may be handed out.
 */
err_t store_keyspaces(struct store *s, err_t (*each)(void *ctx, struct slice name), void *ctx)
{
    gate_enter(&s->gate); /* `each` may ask the store: it is called outside */
    size_t count = map_count(s->keyspaces), n = 0;
    struct slice *list = mem_take((count + 1) * sizeof *list);
    void *value;
    for (size_t i = 0; list && map_next(s->keyspaces, &i, &list[n], &value);) n++;
    gate_leave(&s->gate);
    err_t e = list ? ERR_OK : ERR_NO_MEMORY;
    for (size_t i = 0; i < n && !e; i++) e = each(ctx, list[i]);
    mem_give(list);
    return e;
}

/* --- tables -------------------------------------------------------------------------------------
 */

static err_t column_check(const struct store_column *c, struct diag *d)
{
    err_t e = name_check(c->name, "column", d);
    if (e) return e;
    if (c->role == COLUMN_STATIC)
        return diag_fail(d, ERR_UNSUPPORTED, "column %.*s: static columns", SLICE_ARG(c->name));
    if (c->type->kind == TYPE_COUNTER)
        return diag_fail(d, ERR_UNSUPPORTED, "column %.*s: counters", SLICE_ARG(c->name));
    bool key = c->role == COLUMN_PARTITION || c->role == COLUMN_CLUSTERING;
    if (key && !key_type_allowed(c->type))
        return diag_fail(d, ERR_TYPE, "column %.*s: %s can not be part of a key",
                         SLICE_ARG(c->name), type_kind_name(c->type->kind));
    return ERR_OK;
}

static const struct store_column *column_wanted(const struct store_table *t, enum column_role role,
                                                uint32_t position)
{
    for (uint32_t i = 0; i < t->column_count; i++)
        if (t->columns[i].role == role && t->columns[i].position == position) return &t->columns[i];
    return NULL;
}

static int column_name_compare(const struct store_column *a, const struct store_column *b)
{
    return slice_compare(a->name, b->name);
}

/* Partition keys, clustering keys, then the others by name; ids in that order. */
static err_t columns_order(const struct store_table *wanted, struct table *t, struct diag *d)
{
    uint32_t n = 0;
    for (int role = COLUMN_PARTITION; role <= COLUMN_CLUSTERING; role++) {
        const struct store_column *c;
        uint32_t position = 0;
        for (; (c = column_wanted(wanted, (enum column_role)role, position)); position++) {
            if (n == KEY_COLUMNS_MAX)
                return diag_fail(d, ERR_TOO_BIG, "more than %d key columns", KEY_COLUMNS_MAX);
            t->t.columns[n++] = *c;
        }
        if (role == COLUMN_PARTITION) t->partition_count = (uint16_t)position;
        if (role == COLUMN_CLUSTERING) t->clustering_count = (uint16_t)position;
    }
    if (t->partition_count == 0) return diag_fail(d, ERR_USAGE, "the table has no partition key");
    uint32_t keys = n;
    for (uint32_t i = 0; i < wanted->column_count; i++) {
        if (wanted->columns[i].role != COLUMN_REGULAR) continue;
        uint32_t k = n++;
        for (; k > keys && column_name_compare(&t->t.columns[k - 1], &wanted->columns[i]) > 0; k--)
            t->t.columns[k] = t->t.columns[k - 1];
        t->t.columns[k] = wanted->columns[i];
    }
    if (n != wanted->column_count)
        return diag_fail(d, ERR_USAGE, "the key columns' positions are not 0, 1, 2 …");
    t->t.column_count = n;
    for (uint32_t i = 0; i < n; i++) {
        for (uint32_t k = 0; k < i; k++)
            if (slice_equal(t->t.columns[k].name, t->t.columns[i].name))
                return diag_fail(d, ERR_EXISTS, "column %.*s is there twice",
                                 SLICE_ARG(t->t.columns[i].name));
        t->t.columns[i].id = (uint16_t)(CELL_FIRST + i);
    }
    t->next_column_id = CELL_FIRST + n;
    return ERR_OK;
}

/* Ids are given where the caller has none: the same catalog history gives the same ids. */
static void table_id(struct table *t)
{
    static const uint8_t none[16];
    if (memcmp(t->t.id, none, sizeof none) != 0) return;
    uint8_t memory[2 * NAME_MAX_BYTES + 8];
    struct buf b = buf_over(memory, sizeof memory);
    table_name(&b, t->t.keyspace, t->t.name);
    buf_be(&b, t->t.prefix, 4);
    digest_md5(buf_view(&b), t->t.id);
    t->t.id[6] = (uint8_t)((t->t.id[6] & 0x0f) | 0x30); /* a name-based UUID, version 3 */
    t->t.id[8] = (uint8_t)((t->t.id[8] & 0x3f) | 0x80);
}

static err_t table_check(struct store *s, const struct store_table *wanted, struct diag *d)
{
    err_t e = name_check(wanted->name, "table", d);
    if (e) return e;
    if (!store_keyspace_exists(s, wanted->keyspace))
        return diag_fail(d, ERR_UNKNOWN_NAME, "no keyspace %.*s", SLICE_ARG(wanted->keyspace));
    if (store_table_find(s, wanted->keyspace, wanted->name))
        return diag_fail(d, ERR_EXISTS, "table %.*s.%.*s exists", SLICE_ARG(wanted->keyspace),
                         SLICE_ARG(wanted->name));
    if (wanted->column_count > TABLE_COLUMNS_MAX)
        return diag_fail(d, ERR_TOO_BIG, "more than %d columns", TABLE_COLUMNS_MAX);
    for (uint32_t i = 0; i < wanted->column_count && !e; i++)
        e = column_check(&wanted->columns[i], d);
    return e;
}

/* Writes the table's record; `old_prefix`'s rows go with it (0: none). Keeps a copy of its own. */
static err_t table_change(struct store *s, const struct table *t, uint32_t old_prefix,
                          struct table **out, struct diag *d)
{
    struct change c;
    char from[4], to[4];
    change_begin(&c);
    change_put_prefix(&c, t->t.prefix + 1);
    if (old_prefix) {
        prefix_range(old_prefix, from, to);
        rocksdb_writebatch_delete_range(c.batch, from, 4, to, 4);
    }
    change_put_table(&c, t);
    struct slice key = slice_make(c.key.at + KEY_PREFIX_SIZE + 1, c.key.len - KEY_PREFIX_SIZE - 1);
    gate_enter(&s->gate); /* read back as the next start will: what can't be read is not written */
    err_t e =
        c.key.err || c.value.err ? ERR_TOO_BIG : table_take(s, key, buf_view(&c.value), out, d);
    gate_leave(&s->gate);
    rocksdb_writebatch_put(c.batch, (const char *)c.key.at, c.key.len, (const char *)c.value.at,
                           c.value.len);
    e = change_end(s, &c, e, d);
    if (e) return e;
    gate_enter(&s->gate);
    s->next_prefix = t->t.prefix + 1;
    e = table_keep(s, *out);
    gate_leave(&s->gate);
    return e;
}

err_t store_table_create(struct store *s, const struct store_table *wanted,
                         const struct store_table **out, struct diag *d)
{
    err_t e = change_enter(s, d);
    if (e) return e;
    e = table_check(s, wanted, d);
    struct table t = {.t = *wanted}, *made = NULL;
    t.t.prefix = s->next_prefix;
    t.t.columns = e ? NULL : mem_take((wanted->column_count + 1U) * sizeof *t.t.columns);
    if (!e && !t.t.columns) e = diag_fail(d, ERR_NO_MEMORY, "no memory for a table");
    if (!e) e = columns_order(wanted, &t, d);
    if (!e) {
        table_id(&t);
        if (!t.t.version) t.t.version = 1;
        e = table_change(s, &t, 0, &made, d);
    }
    mem_give(t.t.columns);
    change_leave(s);
    if (!e) *out = &made->t;
    return e;
}

static err_t table_must(struct store *s, struct slice keyspace, struct slice name,
                        const struct table **out, struct diag *d)
{
    *out = table_of(store_table_find(s, keyspace, name));
    if (*out) return ERR_OK;
    return diag_fail(d, ERR_UNKNOWN_TABLE, "no table %.*s.%.*s", SLICE_ARG(keyspace),
                     SLICE_ARG(name));
}

err_t store_table_truncate(struct store *s, struct slice keyspace, struct slice name,
                           struct diag *d)
{
    const struct table *old;
    struct table *made;
    err_t e = change_enter(s, d);
    if (e) return e;
    e = table_must(s, keyspace, name, &old, d);
    if (!e) {
        struct table t = *old;
        t.t.prefix = s->next_prefix;
        e = table_change(s, &t, old->t.prefix, &made, d);
    }
    change_leave(s);
    return e;
}

err_t store_table_drop(struct store *s, struct slice keyspace, struct slice name, struct diag *d)
{
    const struct table *old;
    err_t e = change_enter(s, d);
    if (e) return e;
    e = table_must(s, keyspace, name, &old, d);
    if (!e) {
        struct change c;
        char from[4], to[4];
        change_begin(&c);
        prefix_range(old->t.prefix, from, to);
        rocksdb_writebatch_delete_range(c.batch, from, 4, to, 4);
        space_key(&c.key, STORE_CATALOG, "t");
        table_name(&c.key, keyspace, name);
        rocksdb_writebatch_delete(c.batch, (const char *)c.key.at, c.key.len);
        struct slice map_key =
            slice_make(c.key.at + KEY_PREFIX_SIZE + 1, c.key.len - KEY_PREFIX_SIZE - 1);
        uint8_t kept[2 * NAME_MAX_BYTES + 1];
        memcpy(kept, map_key.at, MIN(map_key.len, sizeof kept));
        map_key.at = kept;
        e = change_end(s, &c, ERR_OK, d);
        gate_enter(&s->gate);
        if (!e) map_remove(s->tables, map_key);
        gate_leave(&s->gate);
    }
    change_leave(s);
    return e;
}

const struct store_table *store_table_find(struct store *s, struct slice keyspace,
                                           struct slice name)
{
    gate_enter(&s->gate);
    const struct table *t = table_get(s, keyspace, name);
    gate_leave(&s->gate);
    return t ? &t->t : NULL;
}

const struct store_column *store_column_find(const struct store_table *t, struct slice name)
{
    for (uint32_t i = 0; i < t->column_count; i++)
        if (slice_equal(t->columns[i].name, name)) return &t->columns[i];
    return NULL;
}

err_t store_tables(struct store *s, err_t (*each)(void *ctx, const struct store_table *t),
                   void *ctx)
{
    gate_enter(&s->gate); /* `each` may ask the store: it is called outside */
    size_t count = map_count(s->tables), n = 0;
    const struct store_table **list = mem_take((count + 1) * sizeof *list);
    struct slice key;
    void *value;
    for (size_t i = 0; list && map_next(s->tables, &i, &key, &value);)
        list[n++] = &((const struct table *)value)->t;
    gate_leave(&s->gate);
    err_t e = list ? ERR_OK : ERR_NO_MEMORY;
    for (size_t i = 0; i < n && !e; i++) e = each(ctx, list[i]);
    mem_give((void *)list);
    return e;
}
