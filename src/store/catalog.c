/* Which keyspaces, types and tables there are, and who may change that when. Records of
 * STORE_CATALOG:
 *
 *     k KEYSPACE          its replication (keyspace_put; before version 2: as text)
 *     t KEYSPACE 0 TABLE  the table (table_put)
 *     x KEYSPACE 0 TABLE  prefix and marks: what its rows have ever had
 *     y KEYSPACE 0 TYPE   a user type: number, type_put
 *     n                   the next free prefix
 *     v                   the schema's version
 *
 * A change is one synced batch. Values in memory are immutable; a change makes a new one. Dropping
 * and truncating leave the old prefix behind: its rows are deleted as a range in that same batch,
 * and no prefix is ever given twice. */
#include "store/catalog.h"
#include "base/hash.h"
#include "store/change.h"
#include <stdlib.h>

enum { SLOTS_MIN = 64 };

/* --- names --------------------------------------------------------------------------------------
 */

static uint64_t name_hash(struct slice keyspace, struct slice name)
{
    return hash64(name, hash64(keyspace, 0));
}

static bool named_is(const struct named *x, uint64_t hash, struct slice keyspace, struct slice name)
{
    return x->hash == hash && slice_equal(x->name, name) && slice_equal(x->keyspace, keyspace);
}

struct named *name_find(const struct names *n, struct slice keyspace, struct slice name)
{
    uint64_t hash = name_hash(keyspace, name);
    const struct name_slots *s = atomic_load_explicit(&n->slots, memory_order_acquire);
    if (!s) return NULL;
    for (size_t i = hash & (s->cap - 1);; i = (i + 1) & (s->cap - 1)) {
        struct named *x = atomic_load_explicit(&s->at[i], memory_order_acquire);
        if (!x || named_is(x, hash, keyspace, name)) return x;
    }
}

const void *name_now(const struct names *n, struct slice keyspace, struct slice name)
{
    struct named *x = name_find(n, keyspace, name);
    return x ? atomic_load_explicit(&x->now, memory_order_acquire) : NULL;
}

static void slot_put(struct name_slots *s, struct named *x)
{
    size_t i = x->hash & (s->cap - 1);
    while (atomic_load_explicit(&s->at[i], memory_order_relaxed)) i = (i + 1) & (s->cap - 1);
    atomic_store_explicit(&s->at[i], x, memory_order_release);
}

/* Never more than half full; the old slots stay good for who reads them now. */
static err_t slots_grow(struct names *n)
{
    struct name_slots *old = atomic_load_explicit(&n->slots, memory_order_relaxed);
    if (old && 2 * (n->count + 1) <= old->cap) return ERR_OK;
    size_t cap = old ? old->cap * 2 : SLOTS_MIN;
    struct name_slots *s = mem_take(sizeof *s + cap * sizeof s->at[0]);
    if (!s) return ERR_NO_MEMORY;
    s->cap = cap;
    s->older = old;
    struct named *x = atomic_load_explicit(&n->first, memory_order_relaxed);
    for (; x; x = atomic_load_explicit(&x->next, memory_order_relaxed)) slot_put(s, x);
    atomic_store_explicit(&n->slots, s, memory_order_release);
    return ERR_OK;
}

err_t name_put(struct schema *m, struct names *n, struct slice keyspace, struct slice name,
               struct named **out)
{
    *out = name_find(n, keyspace, name);
    if (*out) return ERR_OK;
    if (n->count == NAMES_MAX) return ERR_TOO_BIG;
    err_t e = slots_grow(n);
    if (e) return e;
    struct named *x = arena_take(m->arena, sizeof *x);
    if (!x) return ERR_NO_MEMORY;
    x->keyspace = arena_slice(m->arena, keyspace);
    x->name = arena_slice(m->arena, name);
    x->hash = name_hash(keyspace, name);
    if ((keyspace.len && !x->keyspace.at) || (name.len && !x->name.at)) return ERR_NO_MEMORY;
    slot_put(atomic_load_explicit(&n->slots, memory_order_relaxed), x);
    atomic_store_explicit(n->last ? &n->last->next : &n->first, x, memory_order_release);
    n->last = x;
    n->count++;
    *out = x;
    return ERR_OK;
}

static void names_free(struct names *n)
{
    struct name_slots *s = atomic_load_explicit(&n->slots, memory_order_relaxed);
    while (s) {
        struct name_slots *older = s->older;
        mem_give(s);
        s = older;
    }
}

/* The next name behind x that has a value now, from the start for NULL. */
static struct named *name_next(const struct names *n, struct named *x, const void **value)
{
    do {
        x = atomic_load_explicit(x ? &x->next : &n->first, memory_order_acquire);
        *value = x ? atomic_load_explicit(&x->now, memory_order_acquire) : NULL;
    } while (x && !*value);
    return x;
}

err_t name_check(struct slice name, const char *what, struct diag *d)
{
    if (name.len && name.len <= NAME_MAX_BYTES && !memchr(name.at, 0, name.len)) return ERR_OK;
    return diag_fail(d, ERR_USAGE, "the %s's name must have 1 to %d bytes", what, NAME_MAX_BYTES);
}

/* --- loading ------------------------------------------------------------------------------------
 */

static err_t load_keyspace(struct schema *m, struct slice name, struct slice value)
{
    struct named *x;
    struct store_keyspace *k = arena_take(m->arena, sizeof *k);
    err_t e = k ? name_put(m, &m->keyspaces, name, SLICE(""), &x) : ERR_NO_MEMORY;
    if (!e) e = keyspace_take(x->keyspace, value, m->arena, k);
    if (!e) atomic_store(&x->now, k);
    return e;
}

static err_t load_table(struct schema *m, struct slice keyspace, struct slice name,
                        struct slice value, struct diag *d)
{
    struct named *x;
    struct table *t = NULL;
    err_t e = name_put(m, &m->tables, keyspace, name, &x);
    if (!e) e = table_take(x->keyspace, x->name, value, m->arena, &t, d);
    if (e) return e;
    t->named = x;
    t->past = arena_take(m->arena, sizeof *t->past);
    if (!t->past) return ERR_NO_MEMORY;
    atomic_store(&x->now, t);
    return ERR_OK;
}

static err_t load_marks(struct schema *m, struct slice keyspace, struct slice name,
                        struct slice value)
{
    struct cursor c = cursor_of(value);
    uint32_t prefix = (uint32_t)cursor_be(&c, 4), marks = (uint32_t)cursor_be(&c, 4);
    const struct table *t = name_now(&m->tables, keyspace, name);
    if (t && t->t.prefix == prefix) atomic_store(&t->past->marks, marks);
    return c.err;
}

static err_t load_type(struct schema *m, struct slice keyspace, struct slice name,
                       struct slice value, struct diag *d)
{
    struct named *x;
    struct cursor c = cursor_of(value);
    struct user_type *u = arena_take(m->arena, sizeof *u);
    err_t e = u ? name_put(m, &m->types, keyspace, name, &x) : ERR_NO_MEMORY;
    if (e) return e;
    u->number = cursor_be(&c, 8);
    e = type_take(&c, m->arena, &u->type, d);
    m->next_type = MAX(m->next_type, u->number + 1);
    if (!e) atomic_store(&x->now, u);
    return e;
}

struct loading {
    struct store *s;
    struct diag *d;
};

static err_t load_record(void *ctx, struct slice key, struct slice value)
{
    struct loading *l = ctx;
    struct schema *m = l->s->schema;
    struct slice rest = slice_make(key.at + 1, key.len ? key.len - 1U : 0);
    const uint8_t *zero = rest.len ? memchr(rest.at, 0, rest.len) : NULL;
    struct slice keyspace = {rest.at, zero ? (uint32_t)(zero - rest.at) : 0};
    struct slice name = {zero ? zero + 1 : NULL, zero ? rest.len - keyspace.len - 1 : 0};
    struct cursor c = cursor_of(value);
    err_t e = ERR_CORRUPT;
    char kind = key.len ? (char)*key.at : 0;
    if (kind == 'k') {
        e = load_keyspace(m, rest, value);
    } else if (kind == 't' && zero) {
        e = load_table(m, keyspace, name, value, l->d);
    } else if (kind == 'x' && zero) {
        e = load_marks(m, keyspace, name, value);
    } else if (kind == 'y' && zero) {
        e = load_type(m, keyspace, name, value, l->d);
    } else if (kind == 'n' && key.len == 1) {
        m->next_prefix = (uint32_t)cursor_be(&c, 4);
        e = c.err;
    } else if (kind == 'v' && key.len == 1) {
        atomic_store(&m->version, cursor_be(&c, 8));
        e = c.err;
    }
    return e ? diag_fail(l->d, e, "the catalog's record '%.*s' can not be read", SLICE_ARG(key))
             : e;
}

err_t schema_load(struct store *s, struct diag *d)
{
    struct schema *m = s->schema = mem_take(sizeof *m);
    if (m) m->arena = arena_new(CATALOG_MEMORY_MAX);
    if (!m || !m->arena) return diag_fail(d, ERR_NO_MEMORY, "no memory for the catalog");
    m->next_prefix = STORE_SPACES;
    struct loading l = {s, d};
    return store_records(s, NULL, STORE_CATALOG, SLICE(""), (struct slice){0}, load_record, &l, d);
}

void schema_free(struct store *s)
{
    struct schema *m = s->schema;
    if (!m) return;
    names_free(&m->keyspaces);
    names_free(&m->tables);
    names_free(&m->types);
    arena_free(m->arena);
    mem_give(m);
}

/* --- who may change it when ---------------------------------------------------------------------
 * Three kinds meet here: commits, which run side by side; a group of the committer that decides by
 * what is there; a change of the catalog. The latter two run alone. */

const struct store_table *table_now(const struct store_table *t)
{
    return atomic_load_explicit(&table_of(t)->named->now, memory_order_acquire);
}

static bool table_writable(const struct store_table *t)
{
    const struct store_table *now = table_now(t);
    return now && now->prefix == t->prefix;
}

err_t table_gone(const struct store_table *t, struct diag *d)
{
    return diag_fail(d, ERR_UNKNOWN_TABLE,
                     "table %.*s.%.*s was dropped or truncated during the write",
                     SLICE_ARG(t->keyspace), SLICE_ARG(t->name));
}

err_t table_outrun(const struct store_table *t, struct diag *d)
{
    return diag_fail(d, ERR_BUSY, "table %.*s.%.*s was changed by someone else meanwhile",
                     SLICE_ARG(t->keyspace), SLICE_ARG(t->name));
}

/* Who comes back from waiting for one that ran alone goes before the next of that kind. */
static void wait_for_shared(struct store *s)
{
    bool waited = s->alone;
    if (waited) s->commits_waiting++;
    while (s->alone) gate_wait(&s->gate);
    if (!waited) return;
    s->commits_waiting--;
    if (s->commits_first) s->commits_first--;
}

err_t commit_enter(struct store *s, const struct store_table *const *tables, size_t table_count,
                   struct diag *d)
{
    err_t e = ERR_OK;
    gate_enter(&s->gate);
    wait_for_shared(s);
    for (size_t i = 0; i < table_count && !e; i++)
        if (!table_writable(tables[i])) e = table_gone(tables[i], d);
    if (!e) s->commits_running++;
    if (e) gate_wake(&s->gate);
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

static void enter_alone(struct store *s)
{
    while (s->alone || s->commits_first) gate_wait(&s->gate);
    s->alone = true;
    while (s->commits_running) gate_wait(&s->gate);
}

static void leave_alone(struct store *s)
{
    gate_enter(&s->gate);
    s->alone = false;
    s->commits_first = s->commits_waiting;
    gate_wake(&s->gate);
    gate_leave(&s->gate);
}

void commit_enter_alone(struct store *s)
{
    gate_enter(&s->gate);
    enter_alone(s);
    gate_leave(&s->gate);
}

void commit_leave_alone(struct store *s)
{
    leave_alone(s);
}

struct named no_table;

err_t change_enter(struct store *s, struct named *about, struct diag *d)
{
    if (s->read_only) return diag_fail(d, ERR_FORBIDDEN, "the store is open for reading only");
    gate_enter(&s->gate);
    for (;;) {
        while (about ? about->filling : s->fillings > 0) gate_wait(&s->gate);
        enter_alone(s);
        if (!(about ? about->filling : s->fillings > 0)) break;
        s->alone = false; /* one began meanwhile */
        gate_wake(&s->gate);
    }
    gate_leave(&s->gate);
    return ERR_OK;
}

void change_leave(struct store *s)
{
    leave_alone(s);
}

/* --- looking ------------------------------------------------------------------------------------
 */

const struct store_keyspace *store_keyspace_find(struct store *s, struct slice name)
{
    return name_now(&s->schema->keyspaces, name, SLICE(""));
}

bool store_keyspace_exists(struct store *s, struct slice name)
{
    return store_keyspace_find(s, name);
}

err_t store_keyspaces(struct store *s, err_t (*each)(void *ctx, struct slice name), void *ctx)
{
    const void *value;
    err_t e = ERR_OK;
    for (struct named *x = NULL; !e && (x = name_next(&s->schema->keyspaces, x, &value));)
        e = each(ctx, x->keyspace);
    return e;
}

const struct type *store_type_find(struct store *s, struct slice keyspace, struct slice name)
{
    const struct user_type *u = name_now(&s->schema->types, keyspace, name);
    return u ? u->type : NULL;
}

static int type_number_compare(const void *a, const void *b)
{
    const struct user_type *const *x = a, *const *y = b;
    return ((*x)->number > (*y)->number) - ((*x)->number < (*y)->number);
}

err_t store_types(struct store *s, struct slice keyspace,
                  err_t (*each)(void *ctx, const struct type *t), void *ctx)
{
    const void *value;
    struct vec list = vec_make(sizeof(const struct user_type *), NAMES_MAX);
    err_t e = ERR_OK;
    for (struct named *x = NULL; !e && (x = name_next(&s->schema->types, x, &value));)
        if (slice_equal(x->keyspace, keyspace)) e = vec_push(&list, &value);
    if (list.count) qsort(list.items, list.count, list.item_size, type_number_compare);
    for (size_t i = 0; i < list.count && !e; i++)
        e = each(ctx, (*(const struct user_type **)vec_at(&list, i))->type);
    vec_done(&list);
    return e;
}

const struct store_table *store_table_find(struct store *s, struct slice keyspace,
                                           struct slice name)
{
    const struct table *t = name_now(&s->schema->tables, keyspace, name);
    return t ? &t->t : NULL;
}

bool store_table_current(const struct store_table *t)
{
    return table_now(t) == t;
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
    const void *value;
    err_t e = ERR_OK;
    for (struct named *x = NULL; !e && (x = name_next(&s->schema->tables, x, &value));)
        e = each(ctx, &((const struct table *)value)->t);
    return e;
}

uint64_t store_schema_version(struct store *s)
{
    return atomic_load_explicit(&s->schema->version, memory_order_acquire);
}
